#include <poll.h>

#include "pg/pg_internal.h"

#define DRAIN_US 10000000 /* what was under way when the cancel was confirmed */

static void drop_row(rv_pg *c)
{
    PQfreemem(c->row);
    c->row = NULL;
}

/* What the COPY ended with; the connection is free again afterwards. */
static rv_status finish(rv_pg *c, const char *what, rv_error *err)
{
    c->copying = false;
    return rv_pg_collect(c, what, NULL, err);
}

static rv_status more(rv_pg *c, int64_t until_us, bool *out_late, const char *what, rv_error *err)
{
    rv_pg_wake wake = rv_pg_wait(c, POLLIN, until_us);
    if (wake == RV_PG_STOPPED)
        return rv_pg_fail_stopped(c, what, err);
    if (wake == RV_PG_SILENT)
        return rv_pg_fail_silent(c, what, err);
    *out_late = wake == RV_PG_PAST_DEADLINE;
    if (*out_late)
        return RV_OK;
    return rv_pg_consume(c) ? RV_OK : rv_pg_fail(c, NULL, what, err);
}

rv_status rv_pg_copy_send(rv_pg *c, const char *sql, const char *what, rv_error *err)
{
    RV_TRY(rv_pg_begin(c, 0, what, err));
    RV_TRY(rv_pg_flush(c, PQsendQuery(c->conn, sql), what, err));
    c->copying = c->starting = true;
    c->copy_what = what;
    return RV_OK;
}

/* The statement ended without a COPY: `r` says why, or nothing does. */
static rv_status no_copy(rv_pg *c, PGresult *r, rv_error *err)
{
    const char *what = c->copy_what;
    rv_status st = rv_pg_fail(c, r, what, err);
    PQclear(r);
    c->copying = c->starting = false;
    while (!c->broken && rv_pg_result(c, what, &r, NULL) == RV_OK && r)
        PQclear(r);
    if (c->cancel_sent && !c->broken)
        (void)!rv_pg_barrier(c, NULL);
    return st;
}

/* Waits for the answer that opens the COPY; those of the settings in front of it come first. */
static rv_status start(rv_pg *c, int64_t until_us, bool *out_late, rv_error *err)
{
    while (c->starting) {
        while (PQisBusy(c->conn)) {
            RV_TRY(more(c, until_us, out_late, c->copy_what, err));
            if (*out_late)
                return RV_OK;
        }
        PGresult *r = PQgetResult(c->conn);
        if (!r || rv_pg_is_failure(r))
            return no_copy(c, r, err);
        c->starting = PQresultStatus(r) != PGRES_COPY_OUT;
        PQclear(r);
    }
    return RV_OK;
}

rv_status rv_pg_copy_begin(rv_pg *c, const char *sql, const char *what, rv_error *err)
{
    bool late = false;
    RV_TRY(rv_pg_copy_send(c, sql, what, err));
    return start(c, 0, &late, err);
}

rv_status rv_pg_copy_next_until(rv_pg *c, int64_t until_us, const char **out, size_t *out_n,
                                bool *out_late, rv_error *err)
{
    const char *what = "reading rows";
    bool late = false;
    drop_row(c);
    if (!c->copying)
        return rv_fail(err, RV_E_INTERNAL, "no COPY is under way");
    if (rv_pg_interrupted(c))
        return rv_pg_fail_stopped(c, what, err);
    RV_TRY(start(c, until_us, &late, err));
    *out_late = late;
    while (!late) {
        int n = PQgetCopyData(c->conn, &c->row, 1);
        if (n > 0) {
            *out = c->row;
            *out_n = (size_t)n;
            return RV_OK;
        }
        if (n == -2)
            return rv_pg_fail(c, NULL, what, err);
        if (n == -1) {
            RV_TRY(finish(c, what, err));
            *out = NULL;
            *out_n = 0;
            return RV_OK;
        }
        RV_TRY(more(c, until_us, &late, what, err));
        *out_late = late;
    }
    return RV_OK;
}

rv_status rv_pg_copy_next(rv_pg *c, const char **out, size_t *out_n, rv_error *err)
{
    bool late = false;
    return rv_pg_copy_next_until(c, 0, out, out_n, &late, err);
}

/* Reads on to the end of a cancelled COPY. */
static rv_status drain(rv_pg *c, rv_error *err)
{
    int64_t until = rv_clock_mono_us() + DRAIN_US;
    const char *row = NULL;
    size_t n = 0;
    bool late = false;
    rv_status st;
    do
        st = rv_pg_copy_next_until(c, until, &row, &n, &late, err);
    while (st == RV_OK && row && !late);
    if (late)
        c->broken = true;
    return late ? rv_pg_fail(c, NULL, "ending a page early", err) : st;
}

rv_status rv_pg_copy_cut(rv_pg *c, rv_error *err)
{
    const char *what = "ending a page early";
    rv_error end;
    drop_row(c);
    if (!c->copying)
        return RV_OK;
    if (rv_pg_interrupted(c))
        return rv_pg_fail_stopped(c, what, err);
    rv_error_clear(&end);
    if (!rv_pg_send_cancel(c, RV_PG_CANCEL_GRACE_US)) {
        c->broken = true;
        rv_status st = rv_fail(err, c->connect_code, "%s: the statement cannot be cancelled", what);
        if (err)
            err->retry = RV_RETRY_N;
        return st;
    }
    rv_status st = drain(c, &end);
    /* the cancel, or any other failure of a statement nobody wants any more, ends it well */
    if (st == RV_OK || (!c->broken && st != RV_E_INTERRUPTED))
        return RV_OK;
    if (err)
        *err = end;
    return st;
}
