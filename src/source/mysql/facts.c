/* What `check` asks of a relation, without reading it. Spec "source-safety" section 11. */
#include <inttypes.h>

#include "source/mysql/relation_internal.h"

/* The server's own words of what it reads first: "ALL on orders  (rows=39812 imprecise, Using
 * where)". */
static rv_status scan_text(const rv_mys_plan *p, rv_arena *arena, const char **out, rv_error *err)
{
    const rv_mys_plan_row *first = &p->rows[0];
    if (p->n == 0)
        return RV_OK;
    if (!first->type[0])
        return rv_arena_cstr(arena, rv_str_c(first->extra), out, err);
    return rv_arena_printf(arena, out, err, "%s on %s%s%s  (rows=%" PRId64 " imprecise%s%s)",
                           first->type, first->table, first->key[0] ? " by " : "", first->key,
                           first->rows, first->extra[0] ? ", " : "", first->extra);
}

static rv_status written_plan(rv_source *s, const rv_relation *rel, rv_arena *arena,
                              rv_plan_facts *f, rv_error *err)
{
    const rv_mys_relation *r = rel->driver;
    const char *sql = r->query;
    rv_mys_plan plan = {NULL, 0};
    rv_error why;
    if (!sql)
        RV_TRY(rv_arena_printf(arena, &sql, err, "SELECT %s FROM %s", r->list, r->from));
    rv_error_clear(&why);
    rv_status st = rv_mys_explain(s, sql, arena, &plan, &why);
    if (st == RV_E_SOURCE_PERMISSION ||
        st == RV_E_SOURCE_QUERY) { /* of a view that hides its own */
        f->scan_text = "not shown to this user";
        return RV_OK;
    }
    if (st != RV_OK) {
        if (err)
            *err = why;
        return st;
    }
    for (size_t i = 0; i < plan.n; i++)
        f->index_used |= plan.rows[i].key[0] && strcmp(plan.rows[i].type, "index") != 0;
    return scan_text(&plan, arena, &f->scan_text, err);
}

/* A proxy's own limit is not to be had; the server's says nothing about it. */
static rv_status connection_limit(rv_source *s, rv_plan_facts *f, rv_error *err)
{
    MYSQL_RES *r = NULL;
    if (s->proxy != RV_MYS_DIRECT)
        return RV_OK;
    RV_TRY(rv_mys_ask(s, "SELECT @@max_connections", "reading max_connections", &r, err));
    MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
    if (row)
        f->max_connections = rv_mys_int(row, 0, -1);
    mysql_free_result(r);
    return RV_OK;
}

/* Ends of an integer bound that an index leads: two steps. */
static rv_status key_range(rv_source *s, const rv_relation *rel, rv_arena *arena, rv_plan_facts *f,
                           rv_error *err)
{
    const rv_mys_relation *r = rel->driver;
    rv_datum low, high;
    if (!r->bound.field.name || r->fallback.field.name || !rel->bound_indexed ||
        rel->bound_kind != RV_INT64)
        return RV_OK;
    rv_expr bound = {r->bound.field.name, NULL};
    RV_TRY(rv_mys_bounds(s, rel, bound, NULL, 0, arena, &low, &high, err));
    f->has_range = !low.null && !high.null && rv_str_i64(low.text, &f->key_min) &&
                   rv_str_i64(high.text, &f->key_max);
    return RV_OK;
}

rv_status rv_mys_facts(rv_source *s, const rv_relation *rel, rv_arena *arena, rv_plan_facts *out,
                       rv_error *err)
{
    const rv_mys_relation *r = rel->driver;
    rv_plan_facts f = {.scan_text = "", .max_connections = -1};
    RV_TRY(written_plan(s, rel, arena, &f, err));
    if (r->bound.field.name) {
        f.index_used |= rel->bound_indexed;
        f.index_hint = rel->bound_indexed ? NULL : r->bound.field.name;
    }
    RV_TRY(connection_limit(s, &f, err));
    RV_TRY(key_range(s, rel, arena, &f, err));
    *out = f;
    return RV_OK;
}
