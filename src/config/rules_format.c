#include "config/config_internal.h"

typedef struct codec {
    const char *name;
    int level; /* INT32_MIN: its default */
} codec;

static bool is_csv(const rv_cfg_export *x)
{
    return strcmp(x->format, "csv") == 0;
}

static bool known(const rv_val *v)
{
    return v && !v->unresolved;
}

/* --- compression --------------------------------------------------------------------------- */

static rv_status from_profile(rv_load *ld, const rv_group *g, const rv_val *profile, codec *c)
{
    static const struct {
        const char *profile;
        codec codec;
    } table[] = {{"none", {"none", INT32_MIN}},
                 {"fast", {"snappy", INT32_MIN}},
                 {"balanced", {"zstd", 3}},
                 {"compact", {"zstd", 9}}};
    static const rv_key_id hidden[] = {RV_K_EXPORT_COMPRESSION, RV_K_EXPORT_COMPRESSION_LEVEL};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(profile->str, table[i].profile) == 0)
            *c = table[i].codec;
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (rv_has(g, hidden[i]))
            RV_TRY(rv_load_warn(ld, rv_has(g, hidden[i])->key_pos,
                                "'%s' is overridden by compression_profile",
                                rv_cfg_key_get(hidden[i])->name));
    return RV_OK;
}

static rv_status check_level(rv_load *ld, const rv_group *g, codec *c)
{
    const rv_val *level = rv_has(g, RV_K_EXPORT_COMPRESSION_LEVEL);
    if (!known(level))
        return RV_OK;
    bool zstd = strcmp(c->name, "zstd") == 0;
    if (!zstd && strcmp(c->name, "gzip") != 0)
        return rv_load_bad(ld, RV_E_CONFIG_LEVEL, rv_has(g, RV_K_EXPORT_COMPRESSION)->pos,
                           "%s has no levels", c->name);
    int min = zstd ? 1 : 0;
    int max = zstd ? 22 : 10;
    if (level->num < min || level->num > max)
        return rv_load_bad(ld, RV_E_CONFIG_LEVEL, level->pos,
                           "compression_level for %s must be %d..%d", c->name, min, max);
    c->level = (int)level->num;
    return RV_OK;
}

static rv_status parquet_codec(rv_load *ld, const rv_group *g, codec *c)
{
    const rv_val *profile = rv_has(g, RV_K_EXPORT_COMPRESSION_PROFILE);
    const rv_val *word = rv_has(g, RV_K_EXPORT_COMPRESSION);
    if (known(profile))
        return from_profile(ld, g, profile, c);
    *c = (codec){word && !word->unresolved ? word->str : "zstd", INT32_MIN};
    return word && word->unresolved ? RV_OK : check_level(ld, g, c);
}

static rv_status csv_codec(rv_load *ld, const rv_group *g, codec *c)
{
    const rv_val *profile = rv_has(g, RV_K_EXPORT_COMPRESSION_PROFILE);
    const rv_val *word = rv_has(g, RV_K_EXPORT_COMPRESSION);
    const rv_val *level = rv_has(g, RV_K_EXPORT_COMPRESSION_LEVEL);
    *c = (codec){"none", INT32_MIN};
    if (profile)
        RV_TRY(rv_load_warn(ld, profile->key_pos,
                            "'compression_profile' does not apply to CSV; the file is plain CSV"));
    bool gzip = known(word) && strcmp(word->str, "gzip") == 0;
    bool zstd = known(word) && strcmp(word->str, "zstd") == 0;
    if (gzip || zstd) {
        c->name = word->str;
        RV_TRY(rv_load_warn(ld, word->key_pos,
                            "CSV is compressed with %s: file names end in .csv%s", word->str,
                            gzip ? ".gz" : ".zst"));
        return check_level(ld, g, c);
    }
    if (known(word) && strcmp(word->str, "none") != 0)
        RV_TRY(rv_load_warn(ld, word->key_pos,
                            "compression %s does not apply to CSV; the file is plain CSV",
                            word->str));
    if (level)
        RV_TRY(rv_load_warn(ld, level->key_pos,
                            "'compression_level' has no effect on plain CSV and is ignored"));
    return RV_OK;
}

/* --- row groups ---------------------------------------------------------------------------- */

static rv_status check_parquet(rv_load *ld, const rv_group *export, rv_cfg_export *x)
{
    const rv_val *block = rv_has(export, RV_K_EXPORT_PARQUET);
    const rv_group *g = block ? block->group : NULL;
    if (!g)
        return RV_OK;
    if (is_csv(x))
        return rv_load_warn(ld, block->key_pos, "'parquet' does not apply to CSV and is ignored");
    const rv_val *rows = rv_has(g, RV_K_PARQUET_ROW_GROUP_ROWS);
    const rv_val *strategy = rv_has(g, RV_K_PARQUET_ROW_GROUP_STRATEGY);
    rv_cfg_parquet *p = &x->parquet;
    p->written = known(strategy) || rv_has(g, RV_K_PARQUET_TARGET_ROW_GROUP_MB);
    p->fixed_rows = known(strategy) && strcmp(strategy->str, "fixed_rows") == 0;
    if (p->fixed_rows && !rows) {
        RV_TRY(rv_shape_missing(ld, g, g->key_pos, rv_cfg_key_get(RV_K_PARQUET_ROW_GROUP_ROWS)));
        return RV_E_CONFIG_MISSING;
    }
    if (rows && !p->fixed_rows)
        RV_TRY(rv_load_warn(ld, rows->key_pos,
                            "'row_group_rows' has no effect without row_group_strategy: "
                            "fixed_rows and is ignored"));
    return RV_OK;
}

static rv_status check_size(rv_load *ld, const rv_group *g, rv_cfg_export *x)
{
    const rv_val *v = rv_has(g, RV_K_EXPORT_MAX_FILE_SIZE);
    if (!known(v) || rv_size_parse(rv_str_c(v->str), &x->max_file_bytes))
        return RV_OK;
    return rv_load_bad(ld, RV_E_CONFIG_BAD_SIZE, v->pos,
                       "'%s' is not a file size; use e.g. 256MB (at least 1 byte)", v->str);
}

rv_status rv_rules_format(rv_load *ld, size_t i)
{
    rv_cfg_export *x = &ld->cfg->exports[i];
    const rv_group *g = ld->exports[i].g;
    codec c = {"zstd", INT32_MIN};
    if (!x->format) /* unresolved and not needed */
        x->format = "parquet";
    RV_TRY(is_csv(x) ? csv_codec(ld, g, &c) : parquet_codec(ld, g, &c));
    x->compression = c.name;
    x->compression_level = c.level;
    RV_TRY(check_size(ld, g, x));
    return check_parquet(ld, g, x);
}
