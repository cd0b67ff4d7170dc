#include "config/config_internal.h"

#include "base/mem.h"

const char *rv_engine_name(rv_engine e)
{
    return rv_cfg_key_get(RV_K_SOURCE_TYPE)->words[e];
}

const char *rv_mode_name(rv_mode m)
{
    return rv_cfg_key_get(RV_K_EXPORT_MODE)->words[m];
}

const char *rv_profile_name(rv_profile p)
{
    return rv_cfg_key_get(RV_K_TUNING_PROFILE)->words[p];
}

const char *rv_dest_kind_name(rv_dest_kind k)
{
    return rv_cfg_key_get(RV_K_DEST_TYPE)->words[k];
}

const rv_cfg_export *rv_cfg_find_export(const rv_cfg *cfg, const char *name,
                                        const char **out_suggestion)
{
    const char *unwanted;
    if (!out_suggestion)
        out_suggestion = &unwanted;
    *out_suggestion = NULL;
    for (size_t i = 0; i < cfg->n_exports; i++)
        if (strcmp(cfg->exports[i].name, name) == 0)
            return &cfg->exports[i];
    const char **names = rv_alloc(cfg->n_exports * sizeof *names);
    if (!names) /* a suggestion is a courtesy */
        return NULL;
    for (size_t i = 0; i < cfg->n_exports; i++)
        names[i] = cfg->exports[i].name;
    int near = rv_suggest(rv_str_c(name), names, cfg->n_exports);
    if (near >= 0)
        *out_suggestion = names[near];
    rv_free(names);
    return NULL;
}

static const char *token_value(rv_str token, const rv_placeholders *v)
{
    if (rv_str_eq(token, RV_STR("{date}")))
        return v->date;
    if (rv_str_eq(token, RV_STR("{export}")))
        return v->export_name;
    if (rv_str_eq(token, RV_STR("{table}")))
        return v->table;
    if (rv_str_eq(token, RV_STR("{partition}")))
        return v->partition;
    return rv_str_eq(token, RV_STR("{run_id}")) ? v->run_id : NULL;
}

static rv_status expand(rv_str pattern, const rv_placeholders *values, rv_buf *out, rv_error *err)
{
    for (size_t i = 0; i < pattern.len;) {
        size_t end = i;
        if (pattern.ptr[i] == '{')
            while (end < pattern.len && pattern.ptr[end] != '}')
                end++;
        rv_str token = {pattern.ptr + i, end < pattern.len ? end - i + 1 : 1};
        const char *value = token.len > 2 ? token_value(token, values) : NULL;
        if (value) {
            RV_TRY(rv_buf_add_c(out, value, err));
            i += token.len;
        } else {
            RV_TRY(rv_buf_add_byte(out, (uint8_t)pattern.ptr[i], err));
            i++;
        }
    }
    return RV_OK;
}

rv_status rv_cfg_expand(const char *pattern, const rv_placeholders *values, rv_arena *arena,
                        const char **out, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    rv_status st = expand(rv_str_c(pattern), values, &b, err);
    if (st == RV_OK)
        st = rv_arena_cstr(arena, b.len ? rv_buf_str(&b) : RV_STR(""), out, err);
    rv_buf_free(&b);
    return st;
}
