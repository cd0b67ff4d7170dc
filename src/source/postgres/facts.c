/* What `check` asks of a relation, without reading it. Spec "source-safety" section 11. */
#include "source/postgres/scan_internal.h"

/* The server's own words of the whole plan; its first line is the outermost node. */
static rv_status written_plan(rv_source *s, const rv_relation *rel, rv_arena *arena,
                              rv_plan_facts *f, rv_error *err)
{
    const rv_pgs_relation *r = rel->driver;
    const char *sql = NULL;
    PGresult *result = NULL;
    if (r->query)
        RV_TRY(rv_arena_printf(arena, &sql, err, "EXPLAIN %s", r->query));
    else
        RV_TRY(rv_arena_printf(arena, &sql, err, "EXPLAIN SELECT %s FROM %s", r->list, r->from));
    RV_TRY(rv_pgs_read(s, r->allow_row_security, sql, "planning the read", &result, err));
    for (int i = 0; i < PQntuples(result); i++) {
        const char *text = PQgetvalue(result, i, 0);
        f->index_used |= strstr(text, "Index Scan") || strstr(text, "Index Only Scan");
    }
    rv_status st = PQntuples(result) ? rv_pgs_text(result, 0, 0, arena, &f->scan_text, err) : RV_OK;
    PQclear(result);
    return st;
}

/* A pooler's own limit is not to be had; the server's says nothing about it. */
static rv_status connection_limit(rv_source *s, rv_plan_facts *f, rv_error *err)
{
    PGresult *r = NULL;
    if (s->pooled)
        return RV_OK;
    RV_TRY(rv_pgs_ask(s, "SHOW max_connections", "reading max_connections", &r, err));
    if (PQntuples(r) == 1)
        f->max_connections = rv_pgs_int(r, 0, 0, -1);
    PQclear(r);
    return RV_OK;
}

/* Ends of an integer bound that an index leads: two steps. */
static rv_status key_range(rv_source *s, const rv_relation *rel, rv_arena *arena, rv_plan_facts *f,
                           rv_error *err)
{
    const rv_pgs_relation *r = rel->driver;
    rv_datum low, high;
    if (r->bound_column < 0 || r->fallback_oid || !rel->bound_indexed ||
        rel->bound_kind != RV_INT64)
        return RV_OK;
    rv_expr bound = {rel->schema->columns[r->bound_column].name, NULL};
    RV_TRY(rv_pgs_bounds(s, rel, bound, NULL, 0, arena, &low, &high, err));
    f->has_range = !low.null && !high.null && rv_str_i64(low.text, &f->key_min) &&
                   rv_str_i64(high.text, &f->key_max);
    return RV_OK;
}

rv_status rv_pgs_facts(rv_source *s, const rv_relation *rel, rv_arena *arena, rv_plan_facts *out,
                       rv_error *err)
{
    const rv_pgs_relation *r = rel->driver;
    rv_plan_facts f = {.scan_text = "", .max_connections = -1};
    RV_TRY(written_plan(s, rel, arena, &f, err));
    if (r->bound_column >= 0) {
        f.index_used |= rel->bound_indexed;
        f.index_hint = rel->bound_indexed ? NULL : rel->schema->columns[r->bound_column].name;
    }
    RV_TRY(connection_limit(s, &f, err));
    RV_TRY(key_range(s, rel, arena, &f, err));
    *out = f;
    return RV_OK;
}
