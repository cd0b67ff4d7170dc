#include "mysql/mysql_internal.h"

#define DRAIN_US 10000000 /* what was under way when the KILL was confirmed */

/* Reads on to the end of a killed answer; how it ends is of no interest. */
static void drain(rv_my *c, MYSQL_RES *res, MYSQL_STMT *stmt)
{
    rv_my *before = rv_my_enter(c);
    c->phase = RV_MY_KILLING;
    c->deadline_us = rv_clock_mono_us() + DRAIN_US;
    if (stmt)
        (void)mysql_stmt_free_result(stmt);
    while (res && !c->broken && mysql_fetch_row(res))
        ;
    rv_my_leave(before);
}

rv_status rv_my_cut(rv_my *c, MYSQL_RES *res, MYSQL_STMT *stmt, rv_error *err)
{
    const char *what = "ending a page early";
    if (c->broken || c->phase != RV_MY_RUNNING)
        return RV_OK;
    if (rv_my_interrupted(c))
        return rv_my_fail_stopped(c, what, err);
    if (!rv_my_kill(c, RV_MY_KILL_US)) {
        rv_my_break(c);
        rv_status st =
            rv_fail(err, RV_E_SOURCE_CONNECT, "%s: the statement cannot be cancelled", what);
        if (err)
            err->retry = RV_RETRY_N;
        return st;
    }
    drain(c, res, stmt);
    unsigned code = stmt ? mysql_stmt_errno(stmt) : mysql_errno(&c->my);
    if (c->broken || rv_my_ends_connection(code))
        return rv_my_fail(c, stmt, what, err);
    return rv_my_finish(c, err);
}
