/* DDL guard: the catalog, or the query's description, against what `resolve` saw.
 * Source: spec "source-safety" section 13. */
#include "source/mysql/relation_internal.h"
#include "source/sql/guard.h"

static rv_status recheck_table(rv_mys_resolving *v, const char *what, const char **out,
                               rv_error *err)
{
    rv_mys_table t = {.schema = v->rel->base_schema, .name = v->rel->base_table};
    RV_TRY(rv_mys_table_attrs(v->s, &t, v->arena, err));
    if (t.n_attrs == 0)
        return rv_fail(err, RV_E_SOURCE_CHANGED, "%s: it was dropped or renamed", what);
    return rv_mys_attr_print(&t, v->arena, out, err);
}

/* Described as resolve did: spliced, wrapped or as it stands. */
static rv_status describe_query(rv_mys_resolving *v, rv_error *err)
{
    const rv_mys_relation *r = v->r;
    const char *sql = NULL;
    if (r->wrapped && r->whole)
        return rv_mys_describe_only(v->s, r->query, "reading the query", v->arena, &v->columns,
                                    &v->n_columns, err);
    RV_TRY(rv_arena_printf(v->arena, &sql, err, "SELECT %s\nFROM %s\nWHERE %s%s%s1 = 0", r->list,
                           r->from, r->condition ? "(" : "", r->condition ? r->condition : "",
                           r->condition ? "\n) AND " : ""));
    return rv_mys_describe(v, sql, NULL, err);
}

static rv_status recheck_query(rv_mys_resolving *v, const char *what, const char **out,
                               rv_error *err)
{
    rv_status st = describe_query(v, err);
    /* what it names is gone, or named otherwise */
    if (st == RV_E_SOURCE_QUERY || st == RV_E_SOURCE_MISSING) {
        if (err)
            err->code = RV_E_SOURCE_CHANGED;
        return rv_wrap(err, RV_E_SOURCE_CHANGED, "%s: its columns changed while it was read", what);
    }
    RV_TRY(st);
    return rv_mys_description_print(v, out, err);
}

rv_status rv_mys_recheck(rv_source *s, const rv_relation *rel, rv_error *err)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_relation copy = *rel;
    rv_mys_resolving v = {.s = s, .arena = &arena, .rel = &copy, .r = rel->driver};
    const char *now = "", *what = NULL;
    rv_status st;
    RV_GO(rv_mys_what(rel, &arena, &what, err));
    if (v.r->query)
        RV_GO(recheck_query(&v, what, &now, err));
    else
        RV_GO(recheck_table(&v, what, &now, err));
    st = rv_sql_guard_compare(v.r->fingerprint, now, what, err);
done:
    rv_arena_free(&arena);
    return st;
}

/* The statement worked when the relation was resolved: what these say came since. Unknown column,
 * no such table, no such key, view invalid, the table's definition changed. */
static bool names_the_catalog(const rv_error *e)
{
    static const char *const numbers[] = {"1054", "1146", "1176", "1356", "1412", "1109"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (strcmp(e->native, numbers[i]) == 0)
            return true;
    return false;
}

rv_status rv_mys_blame_change(rv_source *s, const rv_relation *rel, rv_status st, rv_error *err)
{
    const char *what = NULL;
    rv_error now;
    rv_arena arena = RV_ARENA_INIT;
    if (!err || err->retry != RV_RETRY_P || st == RV_E_INTERRUPTED || st == RV_E_MEMORY)
        return st;
    rv_error_clear(&now);
    if (!rv_my_broken(s->my) && rv_mys_recheck(s, rel, &now) == RV_E_SOURCE_CHANGED) {
        *err = now;
        st = now.code;
    } else if (names_the_catalog(err) && rv_mys_what(rel, &arena, &what, NULL) == RV_OK) {
        st = rv_sql_guard_altered(what, err);
    }
    rv_arena_free(&arena);
    return st;
}
