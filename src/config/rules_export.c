#include "config/config_internal.h"

#include "base/file.h"

enum { MAX_QUERY_BYTES = 16 << 20 };

static const char *bad_name(rv_str name)
{
    if (name.len == 0)
        return "it is empty";
    if (name.len > 200)
        return "it is longer than 200 bytes";
    if (name.ptr[0] == '.')
        return "it starts with '.'";
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        if (c == '/' || c == '\\')
            return c == '/' ? "it contains '/'" : "it contains '\\'";
        if (c < 0x20 || c == 0x7F)
            return "it contains a control byte";
        if (c == '.' && i + 1 < name.len && name.ptr[i + 1] == '.')
            return "it contains '..'";
    }
    return NULL;
}

static rv_status check_name(rv_load *ld, const rv_val *v)
{
    if (v->unresolved)
        return RV_OK;
    const char *reason = bad_name(rv_str_c(v->str));
    if (!reason)
        return RV_OK;
    return rv_load_bad(ld, RV_E_CONFIG_BAD_NAME, v->pos,
                       "export name '%s' cannot be used in file names: %s", v->str, reason);
}

static rv_status check_mode(rv_load *ld, const rv_group *g, const rv_cfg_export *x)
{
    if (x->mode != RV_CDC || ld->cfg->source.engine != RV_ENGINE_SQLITE)
        return RV_OK;
    return rv_load_bad(ld, RV_E_CONFIG_MODE_UNSUPPORTED, rv_has(g, RV_K_EXPORT_MODE)->pos,
                       "mode %s is not available for source type %s; use mode: incremental",
                       rv_mode_name(x->mode), rv_engine_name(ld->cfg->source.engine));
}

/* --- what is read -------------------------------------------------------------------------- */

static const rv_key_id query_keys[] = {RV_K_EXPORT_QUERY, RV_K_EXPORT_QUERY_FILE, RV_K_EXPORT_TABLE,
                                       RV_K_EXPORT_TABLES};

static rv_status check_query_forms(rv_load *ld, const rv_group *g, const rv_cfg_export *x)
{
    const rv_val *first = NULL;
    unsigned n = 0;
    for (size_t i = 0; i < sizeof query_keys / sizeof query_keys[0]; i++) {
        const rv_val *v = rv_has(g, query_keys[i]);
        first = first ? first : v;
        n += v != NULL;
    }
    if (n == 0)
        return rv_load_bad(ld, RV_E_CONFIG_NO_QUERY, g->key_pos,
                           "export '%s' needs one of query, query_file, table, tables", x->name);
    const rv_val *query = rv_has(g, RV_K_EXPORT_QUERY);
    const rv_val *file = rv_has(g, RV_K_EXPORT_QUERY_FILE);
    if (x->mode == RV_CDC && (query || file))
        return rv_load_bad(ld, RV_E_CONFIG_CDC_TABLE, rv_has(g, RV_K_EXPORT_MODE)->pos,
                           "cdc needs table or tables, not query");
    if (n > 1)
        return rv_load_bad(ld, RV_E_CONFIG_QUERY_FORMS, first->key_pos,
                           "export '%s': query, query_file, table, tables exclude each other",
                           x->name);
    const rv_val *tables = rv_has(g, RV_K_EXPORT_TABLES);
    if (tables && x->mode != RV_CDC)
        return rv_load_bad(ld, RV_E_CONFIG_CDC_TABLE, tables->key_pos, "tables only with cdc");
    return RV_OK;
}

static bool has_dotdot(rv_str path)
{
    for (size_t i = 0; i + 1 < path.len; i++)
        if (path.ptr[i] == '.' && path.ptr[i + 1] == '.' && (i == 0 || path.ptr[i - 1] == '/') &&
            (i + 2 == path.len || path.ptr[i + 2] == '/'))
            return true;
    return false;
}

static rv_str strip_query(rv_str q)
{
    q = rv_str_trim(q);
    while (q.len > 0 && q.ptr[q.len - 1] == ';')
        q = rv_str_trim((rv_str){q.ptr, q.len - 1});
    return q;
}

static rv_status read_failed(rv_load *ld, const rv_val *v, const char *why)
{
    return rv_load_bad(ld, RV_E_CONFIG_QUERY_FILE_READ, v->pos, "cannot read query_file '%s': %s",
                       v->str, why);
}

/* The system's words, which end the text of a file error. */
static const char *os_words(const rv_error *why)
{
    const char *words = why->text;
    for (const char *p = why->text; *p; p++)
        if (p[0] == ':' && p[1] == ' ')
            words = p + 2;
    return words;
}

static rv_status read_query_file(rv_load *ld, const rv_val *v, rv_buf *text)
{
    const char *path = NULL;
    bool found = false;
    rv_error why;
    RV_TRY(rv_arena_printf(ld->arena, &path, ld->err, "%s/%s", ld->cfg->dir, v->str));
    rv_error_clear(&why);
    rv_status st = rv_file_read_all(path, MAX_QUERY_BYTES, text, &found, &why);
    if (st == RV_E_MEMORY)
        return rv_fail_memory(ld->err);
    if (st == RV_E_CORRUPT)
        return read_failed(ld, v, "it is larger than 16 MiB");
    if (st != RV_OK)
        return read_failed(ld, v, os_words(&why));
    if (!found)
        return read_failed(ld, v, "No such file or directory");
    if (text->len > 0 && memchr(text->ptr, 0, text->len))
        return read_failed(ld, v, "it contains a NUL byte");
    if (!rv_utf8_valid(rv_buf_bytes(text)))
        return read_failed(ld, v, "it is not valid UTF-8");
    return RV_OK;
}

/* Stage 3 for a text that is read only now: a missing value stops the load at once. */
static rv_status take_query(rv_load *ld, const rv_val *v, rv_str raw, bool need, rv_cfg_export *x)
{
    rv_str text = {NULL, 0};
    bool unresolved = false;
    size_t notes = ld->notes.len;
    RV_TRY(rv_interp(ld, raw, v->pos, need, &text, &unresolved));
    if (ld->notes.len != notes)
        return RV_E_CONFIG_UNRESOLVED;
    text = strip_query(text);
    if (text.len == 0)
        return rv_load_bad(ld, RV_E_CONFIG_NO_QUERY, v->pos,
                           "export '%s' needs one of query, query_file, table, tables: this one "
                           "is empty",
                           x->name);
    RV_TRY(rv_arena_cstr(ld->arena, text, &x->query, ld->err));
    return unresolved ? RV_OK : rv_interp_sealed(ld, strip_query(raw), false, &x->query_sealed);
}

static rv_status use_query_file(rv_load *ld, const rv_val *v, bool selected, rv_cfg_export *x)
{
    rv_str path = rv_str_c(v->str);
    if (!v->unresolved && (path.len == 0 || path.ptr[0] == '/' || has_dotdot(path)))
        return rv_load_bad(ld, RV_E_CONFIG_QUERY_FILE_PATH, v->pos,
                           "export '%s': query_file must be a relative path without '..'", x->name);
    if (!selected || !ld->opts->need_queries)
        return RV_OK;
    rv_buf text = RV_BUF_INIT;
    rv_status st = read_query_file(ld, v, &text);
    if (st == RV_OK)
        st = take_query(ld, v, rv_buf_str(&text), true, x);
    rv_buf_free(&text);
    return st;
}

rv_status rv_rules_query(rv_load *ld, size_t i)
{
    rv_cfg_export *x = &ld->cfg->exports[i];
    const rv_group *g = ld->exports[i].g;
    RV_TRY(check_query_forms(ld, g, x));
    const rv_val *query = rv_has(g, RV_K_EXPORT_QUERY);
    const rv_val *file = rv_has(g, RV_K_EXPORT_QUERY_FILE);
    const rv_val *tables = rv_has(g, RV_K_EXPORT_TABLES);
    if (query)
        RV_TRY(take_query(ld, query, query->raw, ld->exports[i].selected, x));
    if (file)
        RV_TRY(use_query_file(ld, file, ld->exports[i].selected, x));
    if (tables) {
        x->tables = tables->list;
        x->n_tables = tables->n;
    }
    return RV_OK;
}

/* --- table names --------------------------------------------------------------------------- */

static bool name_char(char c, bool first)
{
    unsigned char u = (unsigned char)c;
    if ((u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || u >= 0x80 || u == '_' || u == '$' ||
        u == '#')
        return true;
    return !first && u >= '0' && u <= '9';
}

/* Length of one part, 0 when it is malformed. */
static size_t part_len(rv_str s)
{
    size_t i = 0;
    if (s.len == 0 || s.ptr[0] != '"') {
        while (i < s.len && name_char(s.ptr[i], i == 0))
            i++;
        return i;
    }
    for (i = 1; i < s.len; i++) {
        if (s.ptr[i] != '"')
            continue;
        if (i + 1 < s.len && s.ptr[i + 1] == '"')
            i++;
        else
            return i == 1 ? 0 : i + 1;
    }
    return 0;
}

static bool is_table_name(rv_str s, unsigned max_parts)
{
    for (unsigned parts = 1; parts <= max_parts; parts++) {
        size_t len = part_len(s);
        if (len == 0)
            return false;
        if (len == s.len)
            return true;
        if (s.ptr[len] != '.')
            return false;
        s = (rv_str){s.ptr + len + 1, s.len - len - 1};
    }
    return false;
}

static rv_status check_table(rv_load *ld, const char *name, rv_pos pos)
{
    unsigned parts = ld->cfg->source.engine == RV_ENGINE_MSSQL ? 3 : 2;
    if (is_table_name(rv_str_c(name), parts))
        return RV_OK;
    return rv_load_bad(ld, RV_E_CONFIG_TABLE_NAME, pos,
                       "'%s' is not a table name: write t, s.t (SQL Server also db.s.t), unusual "
                       "parts in double quotes",
                       name);
}

static rv_status check_tables(rv_load *ld, const rv_group *g)
{
    const rv_val *table = rv_has(g, RV_K_EXPORT_TABLE);
    const rv_val *tables = rv_has(g, RV_K_EXPORT_TABLES);
    if (table && !table->unresolved)
        RV_TRY(check_table(ld, table->str, table->pos));
    for (size_t i = 0; tables && !tables->unresolved && i < tables->n; i++)
        RV_TRY(check_table(ld, tables->list[i], tables->item_pos[i]));
    return RV_OK;
}

/* --- the small words ----------------------------------------------------------------------- */

static bool is_word(const rv_group *g, rv_key_id id, const char *word)
{
    const rv_val *v = rv_has(g, id);
    return v && !v->unresolved && strcmp(v->str, word) == 0;
}

static rv_status fill_words(rv_load *ld, const rv_group *g, rv_cfg_export *x)
{
    x->verify_content = is_word(g, RV_K_EXPORT_VERIFY, "content");
    x->zero_date_fail = is_word(g, RV_K_EXPORT_ZERO_DATE, "fail");
    x->override_error_null = is_word(g, RV_K_EXPORT_ON_OVERRIDE_ERROR, "null");
    const rv_val *target = rv_has(g, RV_K_EXPORT_TARGET);
    if (target && !target->unresolved)
        (void)rv_target_from_name(rv_str_c(target->str), &x->target);
    if (x->allow_row_security && ld->cfg->source.engine != RV_ENGINE_POSTGRES)
        RV_TRY(rv_load_warn(ld, rv_has(g, RV_K_EXPORT_ALLOW_ROW_SECURITY)->key_pos,
                            "'allow_row_security' is for source type postgres and is ignored"));
    if (x->zero_date_fail && ld->cfg->source.engine != RV_ENGINE_MYSQL)
        RV_TRY(rv_load_warn(ld, rv_has(g, RV_K_EXPORT_ZERO_DATE)->key_pos,
                            "'zero_date' is for source type mysql and is ignored"));
    const rv_val *load = rv_has(g, RV_K_EXPORT_LOAD);
    if (load)
        RV_TRY(rv_load_warn(ld, load->key_pos, "'load' is not used and is ignored"));
    return RV_OK;
}

rv_status rv_rules_export(rv_load *ld, size_t i)
{
    rv_cfg_export *x = &ld->cfg->exports[i];
    const rv_group *g = ld->exports[i].g;
    RV_TRY(check_name(ld, rv_has(g, RV_K_EXPORT_NAME)));
    RV_TRY(check_mode(ld, g, x));
    const rv_val *mode = rv_has(g, RV_K_EXPORT_MODE);
    if (!mode || !mode->unresolved) {
        RV_TRY(rv_rules_query(ld, i));
        RV_TRY(check_tables(ld, g));
        RV_TRY(rv_rules_chunks(ld, i));
        RV_TRY(rv_rules_modes(ld, i));
        RV_TRY(rv_rules_cdc(ld, i));
    }
    RV_TRY(rv_tuning_merge(ld, i));
    if (!rv_has(g, RV_K_EXPORT_CHUNK_MAX_ATTEMPTS))
        x->chunk_max_attempts = x->tuning.max_retries + 1;
    RV_TRY(rv_rules_format(ld, i));
    RV_TRY(rv_rules_columns(ld, i));
    RV_TRY(rv_rules_dest(ld, i));
    return fill_words(ld, g, x);
}
