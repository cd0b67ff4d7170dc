#include "config/config_internal.h"

static bool known(const rv_val *v)
{
    return v && !v->unresolved;
}

static const rv_group *cdc_group(const rv_load *ld, size_t i)
{
    const rv_val *v = rv_has(ld->exports[i].g, RV_K_EXPORT_CDC);
    return v ? v->group : NULL;
}

static rv_str last_part(const char *table)
{
    const char *dot = strrchr(table, '.');
    return rv_str_c(dot ? dot + 1 : table);
}

static rv_status check_table_list(rv_load *ld, const rv_group *g, const rv_cfg_export *x)
{
    const rv_val *v = rv_has(g, RV_K_EXPORT_TABLES);
    if (!v)
        return RV_OK;
    if (ld->cfg->source.engine == RV_ENGINE_MSSQL)
        return rv_load_bad(ld, RV_E_CONFIG_CDC_TABLE, v->key_pos,
                           "tables is not available on mssql; write one export per table");
    if (v->n == 0)
        return rv_load_bad(ld, RV_E_CONFIG_CDC_TABLE, v->pos,
                           "cdc needs table or tables, not query");
    for (size_t i = 0; i < x->n_tables; i++) {
        if (rv_str_eq(last_part(x->tables[i]), RV_STR("snapshot")))
            return rv_load_bad(ld, RV_E_CONFIG_CDC_TABLE, v->item_pos[i],
                               "a table named 'snapshot' is reserved");
        for (size_t k = 0; k < i; k++)
            if (strcmp(x->tables[k], x->tables[i]) == 0)
                return rv_load_bad(ld, RV_E_CONFIG_CDC_TABLE, v->item_pos[i],
                                   "duplicate table '%s'", x->tables[i]);
    }
    return RV_OK;
}

static bool is_slot_name(rv_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!((s.ptr[i] >= 'a' && s.ptr[i] <= 'z') || (s.ptr[i] >= '0' && s.ptr[i] <= '9') ||
              s.ptr[i] == '_'))
            return false;
    return s.len >= 1 && s.len <= 63;
}

static rv_status take_backfill(rv_load *ld, const rv_group *g, rv_cfg_cdc *c)
{
    const rv_val *initial = rv_has(g, RV_K_CDC_INITIAL);
    const rv_val *backfill = rv_has(g, RV_K_CDC_BACKFILL);
    c->initial_snapshot = known(initial);
    if (initial && backfill)
        return rv_load_bad(ld, RV_E_CONFIG_CDC_BACKFILL, backfill->key_pos,
                           "cdc.backfill excludes initial");
    if (!known(backfill))
        return RV_OK;
    c->backfill_auto = !backfill->is_list;
    c->backfill = backfill->list;
    c->n_backfill = backfill->n;
    return RV_OK;
}

static rv_status check_block(rv_load *ld, const rv_group *g, rv_cfg_cdc *c)
{
    const rv_val *slot = rv_has(g, RV_K_CDC_SLOT);
    const rv_val *name = rv_has(g, RV_K_CDC_PUBLICATION);
    if (known(slot) && !is_slot_name(rv_str_c(slot->str)))
        return rv_load_bad(ld, RV_E_CONFIG_RANGE, slot->pos,
                           "'slot' must be 1 to 63 characters a-z, 0-9 and _, got %s", slot->str);
    if (!name)
        RV_TRY(rv_arena_printf(ld->arena, &c->publication, ld->err, "%s_pub", c->slot));
    return take_backfill(ld, g, c);
}

rv_status rv_rules_cdc(rv_load *ld, size_t i)
{
    rv_cfg_export *x = &ld->cfg->exports[i];
    const rv_group *export = ld->exports[i].g;
    const rv_val *block = rv_has(export, RV_K_EXPORT_CDC);
    x->cdc.written = block != NULL;
    if (x->mode != RV_CDC) {
        if (!block)
            return RV_OK;
        return rv_load_bad(ld, RV_E_CONFIG_CDC_BLOCK, block->key_pos, "'cdc' block needs mode cdc");
    }
    RV_TRY(check_table_list(ld, export, x));
    RV_TRY(check_block(ld, block ? block->group : NULL, &x->cdc));
    if (ld->cfg->source.engine == RV_ENGINE_MSSQL && !x->cdc.capture_instance)
        return rv_load_bad(ld, RV_E_CONFIG_MISSING, block ? block->key_pos : export->key_pos,
                           "exports[%zu] ('%s').cdc lacks required key 'capture_instance'; source "
                           "type mssql needs it, such as dbo_orders",
                           i, x->name);
    return RV_OK;
}

/* --- V83 ----------------------------------------------------------------------------------- */

static rv_pos key_pos(const rv_load *ld, size_t i, rv_key_id id)
{
    const rv_group *g = cdc_group(ld, i);
    const rv_val *v = rv_has(g, id);
    if (v)
        return v->key_pos;
    return g ? g->key_pos : ld->exports[i].g->key_pos;
}

static rv_status shared(rv_load *ld, size_t a, size_t b, rv_key_id id, const char *value)
{
    return rv_load_bad(ld, RV_E_CONFIG_CDC_RESOURCE, key_pos(ld, b, id),
                       "exports '%s' and '%s' share %s %s (defaults included)",
                       ld->cfg->exports[a].name, ld->cfg->exports[b].name, rv_cfg_key_get(id)->name,
                       value);
}

static rv_status check_pair(rv_load *ld, size_t a, size_t b)
{
    const rv_cfg_cdc *x = &ld->cfg->exports[a].cdc;
    const rv_cfg_cdc *y = &ld->cfg->exports[b].cdc;
    rv_engine engine = ld->cfg->source.engine;
    if (engine == RV_ENGINE_POSTGRES && strcmp(x->slot, y->slot) == 0)
        return shared(ld, a, b, RV_K_CDC_SLOT, x->slot);
    if (engine == RV_ENGINE_MYSQL && x->server_id == y->server_id) {
        const char *id = NULL;
        RV_TRY(rv_arena_printf(ld->arena, &id, ld->err, "%llu", (unsigned long long)x->server_id));
        return shared(ld, a, b, RV_K_CDC_SERVER_ID, id);
    }
    if (x->checkpoint && y->checkpoint && strcmp(x->checkpoint, y->checkpoint) == 0)
        return shared(ld, a, b, RV_K_CDC_CHECKPOINT, x->checkpoint);
    return RV_OK;
}

static rv_status check_resources(rv_load *ld)
{
    for (size_t b = 0; b < ld->cfg->n_exports; b++)
        for (size_t a = 0; a < b; a++)
            if (ld->cfg->exports[a].mode == RV_CDC && ld->cfg->exports[b].mode == RV_CDC)
                RV_TRY(check_pair(ld, a, b));
    return RV_OK;
}

/* --- names and stdout ---------------------------------------------------------------------- */

static rv_status check_names(rv_load *ld)
{
    for (size_t b = 0; b < ld->cfg->n_exports; b++)
        for (size_t a = 0; a < b; a++) {
            const rv_val *first = rv_has(ld->exports[a].g, RV_K_EXPORT_NAME);
            const rv_val *again = rv_has(ld->exports[b].g, RV_K_EXPORT_NAME);
            if (strcmp(first->str, again->str) != 0)
                continue;
            return rv_load_bad(ld, RV_E_CONFIG_DUPLICATE_EXPORT, again->pos,
                               "export name '%s' is used twice (first at %u:%u); state is keyed "
                               "by name",
                               again->str, first->pos.line, first->pos.col);
        }
    return RV_OK;
}

/* One stdout export per invocation: with --export only the chosen ones count. */
static rv_status check_stdouts(rv_load *ld)
{
    bool chosen = ld->opts->exports && !ld->opts->all_exports;
    unsigned n = 0;
    for (size_t i = 0; i < ld->cfg->n_exports; i++) {
        const rv_val *dest = rv_has(ld->exports[i].g, RV_K_EXPORT_DESTINATION);
        const rv_val *type = rv_has(dest->group, RV_K_DEST_TYPE);
        if (!known(type) || type->num != RV_DEST_STDOUT || (chosen && !ld->exports[i].selected))
            continue;
        if (++n > 1)
            return rv_load_bad(ld, RV_E_CONFIG_STDOUT, type->pos,
                               "only one export may write to stdout");
    }
    return RV_OK;
}

rv_status rv_rules_cross(rv_load *ld)
{
    RV_TRY(check_names(ld));
    RV_TRY(check_stdouts(ld));
    RV_TRY(check_resources(ld));
    for (size_t i = 0; i < ld->cfg->n_exports; i++)
        RV_TRY(rv_rules_backfill(ld, i));
    return RV_OK;
}
