#include "source/sql/name.h"

/* Any byte of a non-ASCII character counts as a letter. */
static bool is_start(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c == '#' ||
           c >= 0x80;
}

static bool is_rest(unsigned char c)
{
    return is_start(c) || (c >= '0' && c <= '9');
}

static rv_status refuse(const char *text, rv_error *err)
{
    return rv_fail(err, RV_E_CONFIG_TABLE_NAME,
                   "'%s' is not a table name: write t, s.t (SQL Server also db.s.t), unusual parts "
                   "in double quotes",
                   text);
}

/* Length of the part at `p` as written, 0 when there is none. */
static size_t part_length(const char *p)
{
    size_t n = 0;
    if (*p != '"') {
        if (!is_start((unsigned char)*p))
            return 0;
        while (is_rest((unsigned char)p[n]))
            n++;
        return n;
    }
    for (n = 1; p[n]; n++) {
        if (p[n] != '"')
            continue;
        if (p[n + 1] != '"')
            return n > 1 ? n + 1 : 0;
        n++;
    }
    return 0;
}

static rv_status part_copy(const char *p, size_t len, rv_arena *arena, const char **out,
                           rv_error *err)
{
    if (*p != '"')
        return rv_arena_cstr(arena, (rv_str){p, len}, out, err);
    char *copy = NULL;
    RV_TRY(rv_arena_alloc(arena, len, &copy, err));
    size_t n = 0;
    for (size_t i = 1; i + 1 < len; i++) {
        copy[n++] = p[i];
        if (p[i] == '"')
            i++;
    }
    *out = copy;
    return RV_OK;
}

rv_status rv_sql_name_parse(const char *text, size_t max_parts, rv_arena *arena, rv_sql_name *out,
                            rv_error *err)
{
    rv_sql_name name = {.n = 0};
    const char *p = text;
    for (;;) {
        size_t len = part_length(p);
        if (len == 0 || name.n == max_parts || !rv_utf8_valid(rv_str_bytes((rv_str){p, len})))
            return refuse(text, err);
        name.quoted[name.n] = *p == '"';
        RV_TRY(part_copy(p, len, arena, &name.part[name.n], err));
        name.n++;
        p += len;
        if (*p == '\0')
            break;
        if (*p++ != '.')
            return refuse(text, err);
    }
    *out = name;
    return RV_OK;
}

rv_status rv_sql_quote(rv_str ident, char open, char close, rv_buf *out, rv_error *err)
{
    size_t before = out->len;
    rv_status st = rv_buf_add_byte(out, (uint8_t)open, err);
    for (size_t i = 0; st == RV_OK && i < ident.len; i++) {
        if (ident.ptr[i] == close)
            st = rv_buf_add_byte(out, (uint8_t)close, err);
        if (st == RV_OK)
            st = rv_buf_add_byte(out, (uint8_t)ident.ptr[i], err);
    }
    if (st == RV_OK)
        st = rv_buf_add_byte(out, (uint8_t)close, err);
    if (st != RV_OK)
        out->len = before;
    return st;
}

rv_status rv_sql_unquote(rv_str part, rv_arena *arena, const char **out, rv_error *err)
{
    char open = part.len ? part.ptr[0] : '\0', *name = NULL;
    if (open != '"' && open != '`' && open != '[')
        return rv_arena_cstr(arena, part, out, err);
    char close = open == '[' ? ']' : open;
    size_t n = 0;
    RV_TRY(rv_arena_alloc(arena, part.len + 1, &name, err));
    for (size_t k = 1; k + 1 < part.len; k++) {
        name[n++] = part.ptr[k];
        if (part.ptr[k] == close)
            k++;
    }
    *out = name;
    return RV_OK;
}

rv_status rv_sql_run_comment(const char *run_id, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_add_c(out, "/* rivet", err));
    if (run_id)
        RV_TRY(rv_buf_add_byte(out, ' ', err));
    for (const char *p = run_id; p && *p; p++) {
        RV_TRY(rv_buf_add_byte(out, (uint8_t)*p, err));
        if (p[0] == '*' && p[1] == '/')
            RV_TRY(rv_buf_add_byte(out, ' ', err));
    }
    return rv_buf_add_c(out, " */ ", err);
}

rv_status rv_sql_run_comment_keep(const char *run_id, rv_arena *arena, const char **out,
                                  rv_error *err)
{
    rv_buf text = RV_BUF_INIT;
    rv_status st = rv_sql_run_comment(run_id, &text, err);
    if (st == RV_OK)
        st = rv_arena_cstr(arena, rv_buf_str(&text), out, err);
    rv_buf_free(&text);
    return st;
}
