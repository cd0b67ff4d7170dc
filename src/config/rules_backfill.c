#include "config/config_internal.h"

/* cdc.backfill: the batch exports that lend a stream its baseline (V84). */

static const rv_val *backfill_of(const rv_load *ld, size_t i)
{
    const rv_val *cdc = rv_has(ld->exports[i].g, RV_K_EXPORT_CDC);
    return cdc ? rv_has(cdc->group, RV_K_CDC_BACKFILL) : NULL;
}

static bool captures(const rv_cfg_export *x, const char *table)
{
    if (x->table && strcmp(x->table, table) == 0)
        return true;
    for (size_t i = 0; i < x->n_tables; i++)
        if (strcmp(x->tables[i], table) == 0)
            return true;
    return false;
}

static bool is_recipe(const rv_cfg_export *x, const rv_cfg_export *r)
{
    return (r->mode == RV_FULL || r->mode == RV_CHUNKED) && r->table && captures(x, r->table);
}

static const rv_cfg_export *find(const rv_cfg *cfg, const char *name)
{
    for (size_t i = 0; i < cfg->n_exports; i++)
        if (strcmp(cfg->exports[i].name, name) == 0)
            return &cfg->exports[i];
    return NULL;
}

static bool lists(const rv_cfg_cdc *c, const char *name)
{
    for (size_t i = 0; i < c->n_backfill; i++)
        if (strcmp(c->backfill[i], name) == 0)
            return true;
    return c->backfill_auto;
}

static rv_status check_listed(rv_load *ld, const rv_val *v, const rv_cfg_export *x)
{
    for (size_t i = 0; i < x->cdc.n_backfill; i++) {
        const rv_cfg_export *r = find(ld->cfg, x->cdc.backfill[i]);
        if (!r || !is_recipe(x, r))
            return rv_load_bad(ld, RV_E_CONFIG_CDC_BACKFILL, v->item_pos[i],
                               "'%s' is not a full or chunked table export of a captured table",
                               x->cdc.backfill[i]);
    }
    return RV_OK;
}

static rv_status check_one_recipe(rv_load *ld, const rv_val *v, const rv_cfg_export *x,
                                  const char *table)
{
    rv_buf names = RV_BUF_INIT;
    rv_status st = RV_OK;
    size_t n = 0;
    for (size_t i = 0; i < ld->cfg->n_exports; i++) {
        const rv_cfg_export *r = &ld->cfg->exports[i];
        if (!is_recipe(x, r) || strcmp(r->table, table) != 0 || !lists(&x->cdc, r->name))
            continue;
        RV_GO(rv_buf_printf(&names, ld->err, "%s'%s'", n++ > 0 ? ", " : ": ", r->name));
    }
    if (n != 1)
        st = rv_load_bad(ld, RV_E_CONFIG_CDC_BACKFILL, v->pos,
                         "table %s has %zu recipes, needs one%.*s", table, n,
                         RV_STR_ARG(rv_buf_str(&names)));
done:
    rv_buf_free(&names);
    return st;
}

static const rv_cfg_column *find_column(const rv_cfg_export *x, const rv_cfg_column *c)
{
    for (size_t i = 0; i < x->n_columns; i++)
        if (strcmp(x->columns[i].column, c->column) == 0)
            return &x->columns[i];
    return NULL;
}

static rv_status check_columns(rv_load *ld, const rv_cfg_export *x, const rv_cfg_export *r)
{
    for (size_t i = 0; i < x->n_columns; i++) {
        const rv_cfg_column *mine = &x->columns[i];
        const rv_cfg_column *theirs = find_column(r, mine);
        if (theirs && !rv_type_eq(theirs->type, mine->type))
            return rv_load_bad(ld, RV_E_CONFIG_CDC_BACKFILL, mine->pos,
                               "columns of '%s' and '%s' disagree on '%s'", x->name, r->name,
                               mine->column);
    }
    return RV_OK;
}

rv_status rv_rules_backfill(rv_load *ld, size_t i)
{
    const rv_cfg_export *x = &ld->cfg->exports[i];
    const rv_val *v = x->mode == RV_CDC ? backfill_of(ld, i) : NULL;
    if (!v || v->unresolved)
        return RV_OK;
    RV_TRY(check_listed(ld, v, x));
    if (x->table)
        RV_TRY(check_one_recipe(ld, v, x, x->table));
    for (size_t t = 0; t < x->n_tables; t++)
        RV_TRY(check_one_recipe(ld, v, x, x->tables[t]));
    for (size_t r = 0; r < ld->cfg->n_exports; r++)
        if (is_recipe(x, &ld->cfg->exports[r]) && lists(&x->cdc, ld->cfg->exports[r].name))
            RV_TRY(check_columns(ld, x, &ld->cfg->exports[r]));
    return RV_OK;
}
