#include <stdio.h>

#include "source/postgres/postgres_internal.h"

#define BEGIN_SNAPSHOT "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "

static rv_status refuse(const rv_source *s, size_t n, rv_error *err)
{
    rv_status st = rv_fail(err, RV_E_SOURCE_SNAPSHOT,
                           "the source cannot give one snapshot to %zu connection%s: "
                           "%s pools statements and allows no transaction",
                           n, n == 1 ? "" : "s", rv_pg_host_port(s->pg));
    rv_hint(err, "connect to the server directly, or to a pool of transactions or sessions");
    return st;
}

/* A shared snapshot must be taken over before anything else; an own one begins with the first
 * query, which is why a question follows at once. */
static rv_status begin(rv_source *s, const char *shared, bool export, rv_error *err)
{
    const char *what = shared ? "joining the snapshot" : "opening a snapshot";
    rv_buf sql = RV_BUF_INIT;
    PGresult *r = NULL;
    rv_status st;
    RV_GO(rv_buf_printf(&sql, err, "%s" BEGIN_SNAPSHOT, s->comment));
    if (shared) {
        RV_GO(rv_buf_add_c(&sql, "SET TRANSACTION SNAPSHOT ", err));
        RV_GO(rv_pgs_literal(rv_str_c(shared), &sql, err));
        RV_GO(rv_buf_add_c(&sql, "; ", err));
    }
    /* row_security is each statement's own: some relations allow it */
    RV_GO(rv_pgs_opening(s, true, -1, &sql, err));
    RV_GO(rv_buf_add_c(&sql, "SELECT pg_backend_pid()", err));
    RV_GO(rv_buf_add_c(&sql, export ? ", pg_export_snapshot()" : "", err));
    RV_GO(rv_buf_reserve(&sql, 1, err));
    RV_GO(rv_pg_query(s->pg, rv_buf_cstr(&sql), 0, what, &r, err));
    if (export)
        snprintf(s->snapshot_name, sizeof s->snapshot_name, "%s", PQgetvalue(r, 0, 1));
    s->snapshot = true;
    atomic_store(&s->held_session, rv_pgs_int(r, 0, 0, 0));
done:
    PQclear(r);
    rv_buf_free(&sql);
    return st;
}

/* COMMIT of a failed transaction rolls it back; either way the snapshot is gone. */
rv_status rv_pgs_snapshot_end(rv_source *s, rv_error *err)
{
    bool open = PQtransactionStatus(rv_pg_libpq(s->pg)) != PQTRANS_IDLE;
    s->snapshot = false;
    s->snapshot_name[0] = '\0';
    atomic_store(&s->held_session, 0);
    if (!open || rv_pg_broken(s->pg))
        return RV_OK;
    return rv_pgs_say(s, "COMMIT", "ending the snapshot", err);
}

static bool is_passing(const rv_error *e)
{
    return e->retry != RV_RETRY_P || e->code == RV_E_INTERRUPTED || e->code == RV_E_MEMORY;
}

rv_status rv_pgs_snapshot_begin(rv_source *const *s, size_t n, rv_error *err)
{
    rv_error own;
    rv_error_clear(&own);
    rv_status st = RV_OK;
    for (size_t i = 0; i < n && st == RV_OK; i++)
        if (s[i]->statement_pool)
            return refuse(s[i], n, err);
    for (size_t i = 0; i < n && st == RV_OK; i++)
        st = begin(s[i], i ? s[0]->snapshot_name : NULL, i == 0 && n > 1, &own);
    if (st == RV_OK)
        return RV_OK;
    for (size_t i = 0; i < n; i++)
        (void)!rv_pgs_snapshot_end(s[i], NULL);
    if (n > 1 && !is_passing(&own)) {
        st = rv_wrap(&own, RV_E_SOURCE_SNAPSHOT,
                     "the source cannot give one snapshot to %zu connections", n);
        rv_hint(&own, "read with parallel: 1, or from a server that lets this role share a "
                      "snapshot");
    }
    if (err)
        *err = own;
    return st;
}
