#include "pg/pg_internal.h"

bool rv_pg_is_failure(const PGresult *r)
{
    ExecStatusType status = PQresultStatus(r);
    return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE ||
           status == PGRES_PIPELINE_ABORTED;
}

static bool is_copy(const PGresult *r)
{
    ExecStatusType status = PQresultStatus(r);
    return status == PGRES_COPY_OUT || status == PGRES_COPY_IN || status == PGRES_COPY_BOTH;
}

rv_status rv_pg_result(rv_pg *c, const char *what, PGresult **out, rv_error *err)
{
    RV_TRY(rv_pg_await(c, what, err));
    *out = PQgetResult(c->conn);
    return RV_OK;
}

/* `r` is worth more than what is kept: rows win over none, later ones over earlier ones. */
static void keep_better(PGresult **kept, PGresult *r)
{
    bool failed = *kept && rv_pg_is_failure(*kept);
    bool rows = *kept && PQresultStatus(*kept) == PGRES_TUPLES_OK;
    bool better = !failed && (!rows || PQresultStatus(r) == PGRES_TUPLES_OK || rv_pg_is_failure(r));
    PQclear(better ? *kept : r);
    if (better)
        *kept = r;
}

rv_status rv_pg_collect(rv_pg *c, const char *what, PGresult **out, rv_error *err)
{
    PGresult *kept = NULL, *r = NULL;
    rv_status st;
    for (;;) {
        RV_GO(rv_pg_result(c, what, &r, err));
        if (!r)
            break;
        if (is_copy(r)) {
            PQclear(r);
            c->broken = true;
            st = rv_fail(err, RV_E_INTERNAL, "%s: the statement began a COPY", what);
            goto done;
        }
        keep_better(&kept, r);
    }
    if (!kept || rv_pg_is_failure(kept))
        st = rv_pg_fail(c, kept, what, err);
    if (c->cancel_sent && !c->broken) {
        rv_status late = rv_pg_barrier(c, st == RV_OK ? err : NULL);
        st = st == RV_OK ? late : st;
    }
    if (st == RV_OK && out) {
        *out = kept;
        kept = NULL;
    }
done:
    PQclear(kept);
    return st;
}

rv_status rv_pg_barrier(rv_pg *c, rv_error *err)
{
    const char *what = "confirming a cancel";
    PGresult *r = NULL;
    bool timed_out = c->timed_out;
    RV_TRY(rv_pg_begin(c, rv_clock_mono_us() + 5000000, what, err));
    c->timed_out = timed_out;
    RV_TRY(rv_pg_flush(c, PQsendQuery(c->conn, ""), what, err));
    for (;;) {
        RV_TRY(rv_pg_result(c, what, &r, err));
        if (!r)
            return PQstatus(c->conn) == CONNECTION_OK ? RV_OK : rv_pg_fail(c, NULL, what, err);
        PQclear(r);
    }
}

rv_status rv_pg_query(rv_pg *c, const char *sql, int64_t deadline_us, const char *what,
                      PGresult **out, rv_error *err)
{
    RV_TRY(rv_pg_begin(c, deadline_us, what, err));
    RV_TRY(rv_pg_flush(c, PQsendQuery(c->conn, sql), what, err));
    return rv_pg_collect(c, what, out, err);
}

rv_status rv_pg_query_bound(rv_pg *c, const char *sql, const rv_pg_bind *bind, int64_t deadline_us,
                            const char *what, PGresult **out, rv_error *err)
{
    RV_TRY(rv_pg_begin(c, deadline_us, what, err));
    int sent = PQsendQueryParams(c->conn, sql, bind->n, NULL, bind->values, bind->lengths,
                                 bind->formats, 0);
    RV_TRY(rv_pg_flush(c, sent, what, err));
    return rv_pg_collect(c, what, out, err);
}

/* One pipeline up to its Sync: behind a pooler both messages meet the same server. */
static rv_status describe_pipeline(rv_pg *c, const char *sql, const char *what, PGresult **out,
                                   rv_error *err)
{
    PGresult *kept = NULL, *r = NULL;
    bool over = false;
    rv_status st;
    RV_TRY(rv_pg_begin(c, 0, what, err));
    int sent = PQenterPipelineMode(c->conn) && PQsendPrepare(c->conn, "", sql, 0, NULL) &&
               PQsendDescribePrepared(c->conn, "") && PQpipelineSync(c->conn);
    RV_GO(rv_pg_flush(c, sent, what, err));
    while (!over) {
        RV_GO(rv_pg_result(c, what, &r, err));
        if (!r) /* the end of one command of the pipeline */
            over = PQstatus(c->conn) != CONNECTION_OK;
        else if (PQresultStatus(r) == PGRES_PIPELINE_SYNC)
            over = true;
        if (r && !over)
            keep_better(&kept, r);
        else
            PQclear(r);
    }
    if (!kept || rv_pg_is_failure(kept))
        st = rv_pg_fail(c, kept, what, err);
    if (st == RV_OK) {
        *out = kept;
        kept = NULL;
    }
done:
    PQclear(kept);
    if (!PQexitPipelineMode(c->conn))
        c->broken = true;
    return st;
}

rv_status rv_pg_describe(rv_pg *c, const char *prefix, const char *sql, const char *what,
                         PGresult **out, rv_error *err)
{
    PGresult *described = NULL;
    if (prefix)
        RV_TRY(rv_pg_query(c, prefix, 0, what, NULL, err));
    rv_status st = describe_pipeline(c, sql, what, &described, err);
    if (prefix && !c->broken) {
        rv_status ended = rv_pg_query(c, "ROLLBACK", 0, what, NULL, st == RV_OK ? err : NULL);
        st = st == RV_OK ? ended : st;
    }
    if (st == RV_OK)
        *out = described;
    else
        PQclear(described);
    return st;
}
