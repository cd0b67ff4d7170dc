/* DDL guard: the catalog, or the query's description, against what `resolve` saw.
 * Source: spec "source-safety" section 13. */
#include "source/postgres/scan_internal.h"
#include "source/sql/guard.h"

static rv_status replaced(const char *what, rv_error *err)
{
    rv_status st = rv_fail(err, RV_E_SOURCE_CHANGED,
                           "%s: another relation took its name while it was read", what);
    rv_hint(err, "run again: the next run reads the new one and applies on_schema_drift");
    return st;
}

/* Pages name the relation, its columns are looked up by number: both must mean the same. */
static rv_status recheck_name(rv_pgs_resolving *v, const char *what, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    PGresult *r = NULL;
    rv_status st;
    RV_GO(rv_buf_add_c(&b, "SELECT pg_catalog.to_regclass(", err));
    RV_GO(rv_pgs_literal(rv_str_c(v->r->from), &b, err));
    RV_GO(rv_buf_add(&b, ")::oid", sizeof ")::oid", err));
    RV_GO(rv_pgs_ask(v->s, (const char *)b.ptr, what, &r, err));
    int64_t oid = PQntuples(r) == 1 ? rv_pgs_int(r, 0, 0, 0) : 0;
    if (oid != 0 && oid != (int64_t)v->r->base_oid)
        st = replaced(what, err);
    else if (oid == 0)
        st = rv_fail(err, RV_E_SOURCE_CHANGED, "%s: it was dropped or renamed", what);
done:
    PQclear(r);
    rv_buf_free(&b);
    return st;
}

static rv_status recheck_table(rv_pgs_resolving *v, const char *what, const char **out,
                               rv_error *err)
{
    rv_pgs_table t = {.oid = v->r->base_oid};
    RV_TRY(recheck_name(v, what, err));
    RV_TRY(rv_pgs_table_attrs(v->s, &t, v->arena, err));
    if (t.n_attrs == 0)
        return rv_fail(err, RV_E_SOURCE_CHANGED, "%s: it was dropped or renamed", what);
    return rv_pgs_attr_print(&t, v->arena, out, err);
}

static rv_status recheck_query(rv_pgs_resolving *v, const char *what, const char **out,
                               rv_error *err)
{
    const char *sql = NULL;
    RV_TRY(rv_arena_printf(v->arena, &sql, err, "SELECT * FROM (%s\n) AS _rivet WHERE 1 = 0",
                           v->r->query));
    rv_status st = rv_pgs_describe(v, sql, NULL, err);
    /* what it names is gone, or named otherwise */
    if (st == RV_E_SOURCE_QUERY || st == RV_E_SOURCE_MISSING) {
        if (err)
            err->code = RV_E_SOURCE_CHANGED;
        return rv_wrap(err, RV_E_SOURCE_CHANGED, "%s: its columns changed while it was read", what);
    }
    RV_TRY(st);
    return rv_pgs_description_print(v, out, err);
}

rv_status rv_pgs_recheck(rv_source *s, const rv_relation *rel, rv_error *err)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_pgs_resolving v = {.s = s, .arena = &arena, .r = rel->driver};
    const char *now = "", *what = NULL;
    rv_status st;
    RV_GO(rv_pgs_what(rel, &arena, &what, err));
    if (v.r->query)
        RV_GO(recheck_query(&v, what, &now, err));
    else
        RV_GO(recheck_table(&v, what, &now, err));
    st = rv_sql_guard_compare(v.r->fingerprint, now, what, err);
done:
    rv_arena_free(&arena);
    return st;
}

/* The statement worked when the relation was resolved: what these say came since. */
static bool names_the_catalog(const rv_error *e)
{
    static const char *const states[] = {"42703", "42P01", "42883", "42804", "3F000"};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (strcmp(e->native, states[i]) == 0)
            return true;
    return false;
}

rv_status rv_pgs_blame_change(rv_source *s, const rv_relation *rel, rv_status st, rv_error *err)
{
    const char *what = NULL;
    rv_error now;
    rv_arena arena = RV_ARENA_INIT;
    PGTransactionStatusType at = PQtransactionStatus(rv_pg_libpq(s->pg));
    bool usable = !rv_pg_broken(s->pg) && (at == PQTRANS_IDLE || at == PQTRANS_INTRANS);
    if (!err || err->retry != RV_RETRY_P || st == RV_E_INTERRUPTED || st == RV_E_MEMORY)
        return st;
    rv_error_clear(&now);
    if (usable && rv_pgs_recheck(s, rel, &now) == RV_E_SOURCE_CHANGED) {
        *err = now;
        st = now.code;
    } else if (names_the_catalog(err) && rv_pgs_what(rel, &arena, &what, NULL) == RV_OK) {
        st = rv_sql_guard_altered(what, err);
    }
    rv_arena_free(&arena);
    return st;
}
