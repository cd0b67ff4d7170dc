#include "destination/s3/ini.h"

static size_t count_lines(rv_str text)
{
    size_t n = 1;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == '\n';
    return n;
}

static rv_str cut_line(rv_str *rest)
{
    const char *end = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
    size_t n = end ? (size_t)(end - rest->ptr) : rest->len;
    rv_str line = {rest->ptr, n};
    rest->ptr += end ? n + 1 : n;
    rest->len -= end ? n + 1 : n;
    return line;
}

/* The text between the brackets; ptr NULL: no section. */
static rv_str section_of(rv_str line)
{
    const char *end = line.len && line.ptr[0] == '[' ? memchr(line.ptr, ']', line.len) : NULL;
    if (!end)
        return (rv_str){NULL, 0};
    return rv_str_trim((rv_str){line.ptr + 1, (size_t)(end - line.ptr) - 1});
}

typedef struct reader {
    rv_ini *out;
    rv_str section;
    bool in_section, nested; /* nested: the last key had no value */
} reader;

static void read_line(reader *r, rv_str raw)
{
    rv_str line = rv_str_trim(raw);
    bool indented = raw.len && (raw.ptr[0] == ' ' || raw.ptr[0] == '\t');
    if (line.len == 0 || line.ptr[0] == '#' || line.ptr[0] == ';' || (indented && r->nested))
        return;
    rv_str section = section_of(line);
    if (section.ptr) {
        r->section = section;
        r->in_section = true;
        r->nested = false;
        r->out->lines[r->out->n++] = (rv_ini_line){.section = section};
        return;
    }
    const char *sign = memchr(line.ptr, '=', line.len);
    if (!sign || !r->in_section)
        return;
    size_t n = (size_t)(sign - line.ptr);
    rv_str key = rv_str_trim((rv_str){line.ptr, n});
    rv_str value = rv_str_trim((rv_str){sign + 1, line.len - n - 1});
    r->nested = value.len == 0;
    if (key.len)
        r->out->lines[r->out->n++] = (rv_ini_line){r->section, key, value};
}

rv_status rv_ini_parse(rv_str text, rv_arena *arena, rv_ini *out, rv_error *err)
{
    rv_ini ini = {.n = 0};
    reader r = {.out = &ini};
    RV_TRY(rv_arena_array(arena, count_lines(text), sizeof *ini.lines, &ini.lines, err));
    if (rv_str_starts(text, RV_STR("\xef\xbb\xbf")))
        text = (rv_str){text.ptr + 3, text.len - 3};
    while (text.len)
        read_line(&r, cut_line(&text));
    *out = ini;
    return RV_OK;
}

/* "profile  \"a b\"" is kind "profile", name "a b". */
static bool names(rv_str section, const char *kind, rv_str name)
{
    rv_str k = rv_str_c(kind);
    if (k.len) {
        if (!rv_str_starts(section, k) || section.len <= k.len ||
            (section.ptr[k.len] != ' ' && section.ptr[k.len] != '\t'))
            return false;
        section = rv_str_trim((rv_str){section.ptr + k.len, section.len - k.len});
    }
    if (section.len >= 2 && (section.ptr[0] == '"' || section.ptr[0] == '\'') &&
        section.ptr[section.len - 1] == section.ptr[0])
        section = (rv_str){section.ptr + 1, section.len - 2};
    return rv_str_eq(section, name);
}

static bool is_of(rv_str section, rv_str profile, bool config_file)
{
    if (!config_file || rv_str_eq(profile, RV_STR("default")))
        return names(section, "", profile) || (config_file && names(section, "profile", profile));
    return names(section, "profile", profile);
}

bool rv_ini_has(const rv_ini *ini, rv_str profile, bool config_file)
{
    for (size_t i = 0; i < ini->n; i++)
        if (is_of(ini->lines[i].section, profile, config_file))
            return true;
    return false;
}

rv_str rv_ini_get(const rv_ini *ini, rv_str profile, bool config_file, const char *key)
{
    for (size_t i = ini->n; i-- > 0;)
        if (rv_str_eq_nocase(ini->lines[i].key, rv_str_c(key)) &&
            is_of(ini->lines[i].section, profile, config_file))
            return ini->lines[i].value;
    return (rv_str){NULL, 0};
}

rv_str rv_ini_get_of(const rv_ini *ini, const char *kind, rv_str name, const char *key)
{
    for (size_t i = ini->n; i-- > 0;)
        if (rv_str_eq_nocase(ini->lines[i].key, rv_str_c(key)) &&
            names(ini->lines[i].section, kind, name))
            return ini->lines[i].value;
    return (rv_str){NULL, 0};
}
