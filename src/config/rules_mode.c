#include "config/config_internal.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const char *key_name(rv_key_id id)
{
    return rv_cfg_key_get(id)->name;
}

/* The mode's value, or the first key of the export when the mode is not written. */
static rv_pos mode_pos(const rv_group *g)
{
    const rv_val *v = rv_has(g, RV_K_EXPORT_MODE);
    return v ? v->pos : g->key_pos;
}

static rv_status ignored(rv_load *ld, const rv_group *g, rv_key_id id, rv_mode mode)
{
    const rv_val *v = rv_has(g, id);
    if (!v)
        return RV_OK;
    return rv_load_warn(ld, v->key_pos, "'%s' has no effect in mode %s and is ignored",
                        key_name(id), rv_mode_name(mode));
}

/* --- incremental --------------------------------------------------------------------------- */

static rv_status check_settle(rv_load *ld, const rv_val *settle, rv_cfg_export *x)
{
    const rv_val *after = rv_has(settle->group, RV_K_SETTLE_AFTER);
    const rv_val *column = rv_has(settle->group, RV_K_SETTLE_COLUMN);
    x->settle_column = column ? column->str : NULL;
    if (after && after->unresolved)
        return RV_OK;
    if (after && rv_duration_parse(rv_str_c(after->str), &x->settle_after_s))
        return RV_OK;
    return rv_load_bad(ld, RV_E_CONFIG_SETTLE, after ? after->pos : settle->key_pos,
                       "settle.after must be a duration such as 30s, 5m, 2h or 1d");
}

static rv_status check_incremental(rv_load *ld, const rv_group *g, rv_cfg_export *x)
{
    if (!rv_has(g, RV_K_EXPORT_CURSOR_COLUMN))
        return rv_load_bad(ld, RV_E_CONFIG_NEEDS_CURSOR, mode_pos(g),
                           "export '%s': incremental needs cursor_column", x->name);
    const rv_val *mode = rv_has(g, RV_K_EXPORT_INCREMENTAL_CURSOR_MODE);
    const rv_val *fallback = rv_has(g, RV_K_EXPORT_CURSOR_FALLBACK_COLUMN);
    const rv_val *ties = rv_has(g, RV_K_EXPORT_CURSOR_TIES);
    const rv_val *settle = rv_has(g, RV_K_EXPORT_SETTLE);
    bool unresolved = mode && mode->unresolved;
    bool coalesce = mode && !unresolved && strcmp(mode->str, "coalesce") == 0;
    if (coalesce && !fallback)
        return rv_load_bad(ld, RV_E_CONFIG_COALESCE, mode->pos,
                           "coalesce needs cursor_fallback_column");
    if (!coalesce && !unresolved && fallback)
        return rv_load_bad(ld, RV_E_CONFIG_COALESCE, fallback->key_pos,
                           "cursor_fallback_column only with coalesce");
    x->cursor_strict = ties && !ties->unresolved && strcmp(ties->str, "strict") == 0;
    return settle ? check_settle(ld, settle, x) : RV_OK;
}

static rv_status outside_incremental(rv_load *ld, const rv_group *g, rv_cfg_export *x)
{
    static const rv_key_id needed[] = {RV_K_EXPORT_CURSOR_START, RV_K_EXPORT_SETTLE};
    static const rv_key_id useless[] = {
        RV_K_EXPORT_CURSOR_COLUMN, RV_K_EXPORT_INCREMENTAL_CURSOR_MODE,
        RV_K_EXPORT_CURSOR_FALLBACK_COLUMN, RV_K_EXPORT_CURSOR_TIES};
    for (size_t i = 0; i < COUNT(needed); i++)
        if (rv_has(g, needed[i]))
            return rv_load_bad(ld, RV_E_CONFIG_NEEDS_INCREMENTAL, rv_has(g, needed[i])->key_pos,
                               "'%s' needs mode incremental", key_name(needed[i]));
    for (size_t i = 0; i < COUNT(useless); i++)
        RV_TRY(ignored(ld, g, useless[i], x->mode));
    x->cursor_column = NULL;
    x->cursor_fallback_column = NULL;
    return RV_OK;
}

/* --- time_window --------------------------------------------------------------------------- */

static rv_status check_time(rv_load *ld, const rv_group *g, rv_cfg_export *x)
{
    static const rv_key_id keys[] = {RV_K_EXPORT_TIME_COLUMN, RV_K_EXPORT_DAYS_WINDOW};
    static const rv_key_id all[] = {RV_K_EXPORT_TIME_COLUMN, RV_K_EXPORT_TIME_COLUMN_TYPE,
                                    RV_K_EXPORT_DAYS_WINDOW};
    if (x->mode != RV_TIME_WINDOW) {
        for (size_t i = 0; i < COUNT(all); i++)
            RV_TRY(ignored(ld, g, all[i], x->mode));
        x->time_column = NULL;
        x->days_window = 0;
        return RV_OK;
    }
    for (size_t i = 0; i < COUNT(keys); i++)
        if (!rv_has(g, keys[i]))
            return rv_load_bad(ld, RV_E_CONFIG_NEEDS_TIME, mode_pos(g), "time_window needs %s",
                               key_name(keys[i]));
    const rv_val *type = rv_has(g, RV_K_EXPORT_TIME_COLUMN_TYPE);
    x->time_unix = type && !type->unresolved && strcmp(type->str, "unix") == 0;
    return RV_OK;
}

/* --- partitions ---------------------------------------------------------------------------- */

static bool has_token(const char *text, const char *token)
{
    return text && strstr(text, token);
}

static bool is_safe_column(rv_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        if (c < 0x20 || c == 0x7F || strchr("/\\=:*?\"<>|{}", name.ptr[i]))
            return false;
    }
    return name.len > 0 && name.ptr[0] != '.';
}

static rv_status check_partition(rv_load *ld, const rv_group *g, const rv_cfg_export *x)
{
    const rv_val *by = rv_has(g, RV_K_EXPORT_PARTITION_BY);
    const rv_val *dest = rv_has(g, RV_K_EXPORT_DESTINATION);
    if (!by) {
        const rv_val *width = rv_has(g, RV_K_EXPORT_PARTITION_GRANULARITY);
        return width ? rv_load_warn(ld, width->key_pos,
                                    "'partition_granularity' has no effect without partition_by "
                                    "and is ignored")
                     : RV_OK;
    }
    const char *other = x->mode == RV_TIME_WINDOW ? "mode time_window" : NULL;
    if (x->mode == RV_CDC)
        other = "mode cdc";
    if (rv_has(g, RV_K_EXPORT_CHUNK_BY_KEY))
        other = "chunk_by_key";
    if (other)
        return rv_load_bad(ld, RV_E_CONFIG_PARTITION, by->key_pos,
                           "partition_by cannot be used with %s", other);
    if (!by->unresolved && !is_safe_column(rv_str_c(by->str)))
        return rv_load_bad(ld, RV_E_CONFIG_PARTITION, by->pos,
                           "'%s' cannot be partition_by: the column name is not usable in a path",
                           by->str);
    const char *pattern = x->dest.path ? x->dest.path : x->dest.prefix;
    const rv_val *type = rv_has(dest->group, RV_K_DEST_TYPE);
    bool stdout_dest = type && !type->unresolved && type->num == RV_DEST_STDOUT;
    if (!stdout_dest && !has_token(pattern, "{partition}"))
        return rv_load_bad(ld, RV_E_CONFIG_PARTITION, by->key_pos,
                           "partition_by needs {partition} in path");
    return RV_OK;
}

rv_status rv_rules_modes(rv_load *ld, size_t i)
{
    rv_cfg_export *x = &ld->cfg->exports[i];
    const rv_group *g = ld->exports[i].g;
    if (x->mode == RV_INCREMENTAL)
        RV_TRY(check_incremental(ld, g, x));
    else
        RV_TRY(outside_incremental(ld, g, x));
    RV_TRY(check_time(ld, g, x));
    return check_partition(ld, g, x);
}

/* --- chunks -------------------------------------------------------------------------------- */

static bool is_on(const rv_group *g, rv_key_id id)
{
    const rv_val *v = rv_has(g, id);
    return v && (v->flag || rv_cfg_key_get(id)->type != RV_KEY_BOOL);
}

static bool is_effective(const rv_group *g, rv_key_id id)
{
    const rv_val *v = rv_has(g, id);
    if (!v || v->unresolved)
        return false;
    return is_on(g, id) && !(id == RV_K_EXPORT_CHUNK_SIZE && v->num == 100000);
}

static rv_status check_numbers(rv_load *ld, const rv_group *g)
{
    static const rv_key_id ids[] = {RV_K_EXPORT_CHUNK_SIZE, RV_K_EXPORT_CHUNK_COUNT,
                                    RV_K_EXPORT_CHUNK_BY_DAYS, RV_K_EXPORT_PARALLEL};
    for (size_t i = 0; i < COUNT(ids); i++) {
        const rv_val *v = rv_has(g, ids[i]);
        if (v && !v->unresolved && v->num == 0)
            return rv_load_bad(ld, RV_E_CONFIG_CHUNK_VALUE, v->pos, "%s must be at least 1",
                               key_name(ids[i]));
    }
    return RV_OK;
}

static bool is_later(rv_pos a, rv_pos b)
{
    return a.line != b.line ? a.line > b.line : a.col > b.col;
}

static rv_status check_pairs(rv_load *ld, const rv_group *g, const rv_cfg_export *x)
{
    static const rv_key_id pairs[][2] = {
        {RV_K_EXPORT_CHUNK_COUNT, RV_K_EXPORT_CHUNK_DENSE},
        {RV_K_EXPORT_CHUNK_COUNT, RV_K_EXPORT_CHUNK_BY_DAYS},
        {RV_K_EXPORT_CHUNK_DENSE, RV_K_EXPORT_CHUNK_BY_DAYS},
        {RV_K_EXPORT_CHUNK_SIZE_MEMORY_MB, RV_K_EXPORT_CHUNK_SIZE},
        {RV_K_EXPORT_CHUNK_BY_KEY, RV_K_EXPORT_CHUNK_COLUMN},
        {RV_K_EXPORT_CHUNK_BY_KEY, RV_K_EXPORT_CHUNK_DENSE},
        {RV_K_EXPORT_CHUNK_BY_KEY, RV_K_EXPORT_CHUNK_BY_DAYS},
        {RV_K_EXPORT_CHUNK_BY_KEY, RV_K_EXPORT_CHUNK_COUNT},
    };
    for (size_t i = 0; i < COUNT(pairs); i++) {
        rv_key_id a = pairs[i][0];
        rv_key_id b = pairs[i][1];
        if (!is_effective(g, a) || !is_effective(g, b))
            continue;
        if (is_later(rv_has(g, b)->key_pos, rv_has(g, a)->key_pos)) {
            a = pairs[i][1];
            b = pairs[i][0];
        }
        return rv_load_bad(ld, RV_E_CONFIG_CHUNK_CONFLICT, rv_has(g, a)->key_pos,
                           "export '%s': %s and %s cannot be combined", x->name, key_name(a),
                           key_name(b));
    }
    return RV_OK;
}

static rv_status check_table_form(rv_load *ld, const rv_group *g, const rv_cfg_export *x)
{
    static const rv_key_id ids[] = {RV_K_EXPORT_CHUNK_BY_KEY, RV_K_EXPORT_CHUNK_SIZE_MEMORY_MB};
    if (x->table)
        return RV_OK;
    for (size_t i = 0; i < COUNT(ids); i++)
        if (rv_has(g, ids[i]))
            return rv_load_bad(ld, RV_E_CONFIG_NEEDS_TABLE, rv_has(g, ids[i])->key_pos,
                               "'%s' needs the table: form so the catalog can be consulted",
                               key_name(ids[i]));
    if (rv_has(g, RV_K_EXPORT_CHUNK_COLUMN))
        return RV_OK;
    return rv_load_bad(ld, RV_E_CONFIG_NEEDS_CHUNKING, mode_pos(g),
                       "export '%s': chunked needs chunk_column, or table: with a primary or "
                       "other usable key (chunk_by_key)",
                       x->name);
}

static rv_status check_attempts(rv_load *ld, const rv_group *g, const rv_cfg_export *x)
{
    const rv_val *v = rv_has(g, RV_K_EXPORT_CHUNK_MAX_ATTEMPTS);
    if (!v || x->chunk_checkpoint)
        return RV_OK;
    return rv_load_warn(ld, v->key_pos,
                        "'chunk_max_attempts' has no effect without chunk_checkpoint: true");
}

static rv_status check_useless_size(rv_load *ld, const rv_group *g)
{
    static const rv_key_id sizes[] = {RV_K_EXPORT_CHUNK_SIZE, RV_K_EXPORT_CHUNK_SIZE_MEMORY_MB};
    const char *with = is_effective(g, RV_K_EXPORT_CHUNK_COUNT) ? "chunk_count" : NULL;
    if (is_effective(g, RV_K_EXPORT_CHUNK_BY_DAYS))
        with = "chunk_by_days";
    for (size_t i = 0; with && i < COUNT(sizes); i++)
        if (is_effective(g, sizes[i]))
            RV_TRY(rv_load_warn(ld, rv_has(g, sizes[i])->key_pos,
                                "'%s' has no effect with %s and is ignored", key_name(sizes[i]),
                                with));
    return RV_OK;
}

static rv_status check_chunked(rv_load *ld, const rv_group *g, const rv_cfg_export *x)
{
    RV_TRY(check_pairs(ld, g, x));
    const rv_val *keyset = rv_has(g, RV_K_EXPORT_KEYSET_INCREMENTAL);
    if (keyset && keyset->flag && !x->chunk_by_key)
        return rv_load_bad(ld, RV_E_CONFIG_KEYSET_INCREMENTAL, keyset->key_pos,
                           "keyset_incremental needs chunk_by_key");
    RV_TRY(check_table_form(ld, g, x));
    RV_TRY(check_useless_size(ld, g));
    return check_attempts(ld, g, x);
}

/* Mode full with a checkpoint reads a table as keyset units: their size and tries matter. */
static bool fits_full(const rv_cfg_export *x, rv_key_id id)
{
    return x->mode == RV_FULL && x->chunk_checkpoint && x->table &&
           (id == RV_K_EXPORT_CHUNK_CHECKPOINT || id == RV_K_EXPORT_CHUNK_SIZE ||
            id == RV_K_EXPORT_CHUNK_MAX_ATTEMPTS);
}

static rv_status outside_chunked(rv_load *ld, const rv_group *g, rv_cfg_export *x)
{
    static const rv_key_id ids[] = {
        RV_K_EXPORT_CHUNK_COLUMN,         RV_K_EXPORT_CHUNK_SIZE,
        RV_K_EXPORT_CHUNK_SIZE_MEMORY_MB, RV_K_EXPORT_CHUNK_COUNT,
        RV_K_EXPORT_CHUNK_DENSE,          RV_K_EXPORT_CHUNK_BY_DAYS,
        RV_K_EXPORT_CHUNK_BY_KEY,         RV_K_EXPORT_KEYSET_INCREMENTAL,
        RV_K_EXPORT_CHUNK_CHECKPOINT,     RV_K_EXPORT_CHUNK_MAX_ATTEMPTS};
    for (size_t i = 0; i < COUNT(ids); i++)
        if (is_effective(g, ids[i]) && !fits_full(x, ids[i]))
            return rv_load_bad(ld, RV_E_CONFIG_NOT_CHUNKED, rv_has(g, ids[i])->key_pos,
                               "'%s' has no effect in mode %s; it needs mode chunked",
                               key_name(ids[i]), rv_mode_name(x->mode));
    if (x->parallel > 1) {
        RV_TRY(rv_load_warn(ld, rv_has(g, RV_K_EXPORT_PARALLEL)->key_pos,
                            "'parallel' has no effect in mode %s; it needs mode chunked",
                            rv_mode_name(x->mode)));
        x->parallel = 1;
    }
    return RV_OK;
}

rv_status rv_rules_chunks(rv_load *ld, size_t i)
{
    rv_cfg_export *x = &ld->cfg->exports[i];
    const rv_group *g = ld->exports[i].g;
    x->chunk_size_written = rv_has(g, RV_K_EXPORT_CHUNK_SIZE) != NULL;
    RV_TRY(check_numbers(ld, g));
    return x->mode == RV_CHUNKED ? check_chunked(ld, g, x) : outside_chunked(ld, g, x);
}
