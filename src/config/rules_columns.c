#include "config/config_internal.h"

#include <math.h>

/* The last part of a table name, without quotes: what a qualified key matches. */
static rv_str bare_table(const char *name)
{
    rv_str s = rv_str_c(name);
    size_t from = 0;
    bool quoted = false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '"')
            quoted = !quoted;
        else if (s.ptr[i] == '.' && !quoted)
            from = i + 1;
    }
    rv_str part = {s.ptr + from, s.len - from};
    if (part.len > 1 && part.ptr[0] == '"')
        return (rv_str){part.ptr + 1, part.len - 2};
    return part;
}

static bool is_captured(const rv_cfg_export *x, rv_str table)
{
    if (x->table && rv_str_eq(bare_table(x->table), table))
        return true;
    for (size_t i = 0; i < x->n_tables; i++)
        if (rv_str_eq(bare_table(x->tables[i]), table))
            return true;
    return false;
}

static rv_status one_column(rv_load *ld, const rv_val *v, size_t k, const rv_cfg_export *x,
                            rv_cfg_column *out)
{
    rv_str key = rv_str_c(v->list[k]);
    const char *dot = strchr(v->list[k], '.');
    out->column = v->list[k];
    out->pos = v->item_pos[k];
    if (dot) {
        rv_str table = {key.ptr, (size_t)(dot - key.ptr)};
        if (!is_captured(x, table))
            return rv_load_bad(ld, RV_E_CONFIG_COLUMN_TYPE, v->name_pos[k],
                               "'%s': a qualified key needs a captured table", v->list[k]);
        RV_TRY(rv_arena_cstr(ld->arena, table, &out->table, ld->err));
        out->column = dot + 1;
    }
    if (rv_interp_has(rv_str_c(v->text[k])) ||
        rv_type_from_override(rv_str_c(v->text[k]), &out->type))
        return RV_OK;
    return rv_load_bad(ld, RV_E_CONFIG_COLUMN_TYPE, v->item_pos[k],
                       "'%s' is not a column type (accepted: %s)", v->text[k],
                       rv_type_override_words());
}

static rv_status take_columns(rv_load *ld, const rv_group *g, rv_cfg_export *x)
{
    const rv_val *v = rv_has(g, RV_K_EXPORT_COLUMNS);
    if (!v)
        return RV_OK;
    RV_TRY(rv_arena_array(ld->arena, v->n + 1, sizeof *x->columns, &x->columns, ld->err));
    for (size_t k = 0; k < v->n; k++)
        RV_TRY(one_column(ld, v, k, x, &x->columns[k]));
    x->n_columns = v->n;
    return RV_OK;
}

static rv_status take_ratios(rv_load *ld, const rv_val *v, rv_cfg_export *x)
{
    rv_cfg_quality *q = &x->quality;
    RV_TRY(rv_arena_array(ld->arena, v->n + 1, sizeof *q->null_ratio_max, &q->null_ratio_max,
                          ld->err));
    for (size_t k = 0; k < v->n; k++) {
        double r = v->reals[k];
        if (!(r >= 0 && r <= 1))
            return rv_load_bad(ld, RV_E_CONFIG_QUALITY_RANGE, v->item_pos[k],
                               "quality limits of export '%s' are impossible: null_ratio_max of "
                               "'%s' is %g, not between 0 and 1",
                               x->name, v->list[k], r);
        q->null_ratio_max[k] = (rv_cfg_quality_ratio){v->list[k], r};
    }
    q->n_null_ratio_max = v->n;
    return RV_OK;
}

static rv_status take_quality(rv_load *ld, const rv_group *export, rv_cfg_export *x)
{
    const rv_val *block = rv_has(export, RV_K_EXPORT_QUALITY);
    const rv_group *g = block ? block->group : NULL;
    rv_cfg_quality *q = &x->quality;
    q->written = g != NULL;
    const rv_val *min = rv_has(g, RV_K_QUALITY_ROW_COUNT_MIN);
    const rv_val *max = rv_has(g, RV_K_QUALITY_ROW_COUNT_MAX);
    const rv_val *ratios = rv_has(g, RV_K_QUALITY_NULL_RATIO_MAX);
    const rv_val *unique = rv_has(g, RV_K_QUALITY_UNIQUE_COLUMNS);
    if (min && max && !min->unresolved && !max->unresolved && min->num > max->num)
        return rv_load_bad(ld, RV_E_CONFIG_QUALITY_RANGE, min->key_pos,
                           "quality limits of export '%s' are impossible: row_count_min %lld is "
                           "above row_count_max %lld",
                           x->name, (long long)min->num, (long long)max->num);
    if (unique) {
        q->unique_columns = unique->list;
        q->n_unique_columns = unique->n;
    }
    return ratios ? take_ratios(ld, ratios, x) : RV_OK;
}

static rv_status take_meta(rv_load *ld, const rv_group *export, rv_cfg_export *x)
{
    const rv_val *block = rv_has(export, RV_K_EXPORT_META_COLUMNS);
    const rv_group *g = block ? block->group : NULL;
    const rv_val *at = rv_has(g, RV_K_META_EXPORTED_AT);
    const rv_val *hash = rv_has(g, RV_K_META_ROW_HASH);
    x->exported_at = at && at->flag;
    if (!hash || hash->unresolved)
        return RV_OK;
    x->row_hash = hash->is_list ? hash->n > 0 : hash->flag;
    if (!hash->is_list)
        return RV_OK;
    if (hash->n == 0)
        return rv_load_bad(ld, RV_E_CONFIG_TYPE, hash->pos,
                           "'row_hash' must be a boolean or a list of at least one column, found "
                           "list without items");
    if (x->n_tables > 1)
        return rv_load_bad(ld, RV_E_CONFIG_CDC_TABLE, hash->pos,
                           "row_hash takes no list of columns with several tables; write true");
    x->row_hash_columns = hash->list;
    x->n_row_hash_columns = hash->n;
    return RV_OK;
}

rv_status rv_rules_columns(rv_load *ld, size_t i)
{
    rv_cfg_export *x = &ld->cfg->exports[i];
    const rv_group *g = ld->exports[i].g;
    RV_TRY(take_columns(ld, g, x));
    RV_TRY(take_quality(ld, g, x));
    return take_meta(ld, g, x);
}
