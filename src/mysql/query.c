#include <string.h>

#include "mysql/mysql_internal.h"

/* The failure of what runs; the connection is free again unless it broke. */
static rv_status fail_running(rv_my *c, MYSQL_STMT *stmt, const char *what, rv_error *err)
{
    rv_status st = rv_my_fail(c, stmt, what, err);
    if (rv_my_finish(c, NULL) != RV_OK)
        c->broken = true;
    return st;
}

static rv_status send_query(rv_my *c, rv_str sql, const char *what, rv_error *err)
{
    rv_my *before = rv_my_enter(c);
    int failed = mysql_real_query(&c->my, sql.ptr, sql.len);
    rv_my_leave(before);
    return failed ? fail_running(c, NULL, what, err) : RV_OK;
}

rv_status rv_my_query(rv_my *c, const char *sql, int64_t deadline_us, const char *what,
                      MYSQL_RES **out, rv_error *err)
{
    RV_TRY(rv_my_begin(c, deadline_us, what, err));
    RV_TRY(send_query(c, rv_str_c(sql), what, err));
    rv_my *before = rv_my_enter(c);
    MYSQL_RES *res = mysql_store_result(&c->my);
    rv_my_leave(before);
    if (!res && mysql_errno(&c->my) != 0)
        return fail_running(c, NULL, what, err);
    rv_status st = rv_my_finish(c, err);
    if (st == RV_OK && out) {
        *out = res;
        return RV_OK;
    }
    mysql_free_result(res);
    return st;
}

rv_status rv_my_stream(rv_my *c, rv_str sql, const char *what, MYSQL_RES **out, rv_error *err)
{
    RV_TRY(rv_my_begin(c, c->cut_at_us, what, err));
    c->gives_rows = true;
    RV_TRY(send_query(c, sql, what, err));
    MYSQL_RES *res = mysql_use_result(&c->my);
    if (!res && mysql_errno(&c->my) != 0)
        return fail_running(c, NULL, what, err);
    if (!res) {
        RV_TRY(rv_my_finish(c, err));
        return rv_fail(err, RV_E_SOURCE_QUERY, "%s: the statement gives no rows", what);
    }
    *out = res;
    return RV_OK;
}

rv_status rv_my_prepare(rv_my *c, rv_str sql, const char *what, MYSQL_STMT **out, rv_error *err)
{
    RV_TRY(rv_my_begin(c, 0, what, err));
    rv_my *before = rv_my_enter(c);
    MYSQL_STMT *stmt = mysql_stmt_init(&c->my);
    int failed = stmt ? mysql_stmt_prepare(stmt, sql.ptr, sql.len) : 1;
    rv_my_leave(before);
    rv_status st = failed ? fail_running(c, stmt, what, err) : rv_my_finish(c, err);
    if (st == RV_OK)
        *out = stmt;
    else
        rv_my_stmt_close(c, stmt);
    return st;
}

rv_status rv_my_execute(rv_my *c, MYSQL_STMT *stmt, const char *what, rv_error *err)
{
    RV_TRY(rv_my_begin(c, c->cut_at_us, what, err));
    c->gives_rows = true;
    rv_my *before = rv_my_enter(c);
    int failed = mysql_stmt_execute(stmt);
    rv_my_leave(before);
    if (failed)
        return fail_running(c, stmt, what, err);
    if (mysql_stmt_field_count(stmt) > 0)
        return RV_OK;
    RV_TRY(rv_my_finish(c, err));
    return rv_fail(err, RV_E_SOURCE_QUERY, "%s: the statement gives no rows", what);
}

rv_status rv_my_row_text(rv_my *c, MYSQL_RES *res, MYSQL_ROW *out_row,
                         const unsigned long **out_lengths, rv_error *err)
{
    const char *what = "reading rows";
    if (rv_my_interrupted(c))
        return rv_my_fail_stopped(c, what, err);
    rv_my *before = rv_my_enter(c);
    MYSQL_ROW row = mysql_fetch_row(res);
    rv_my_leave(before);
    if (!row && mysql_errno(&c->my) != 0)
        return fail_running(c, NULL, what, err);
    if (!row && c->phase == RV_MY_RUNNING)
        RV_TRY(rv_my_finish(c, err));
    *out_row = row;
    *out_lengths = row ? mysql_fetch_lengths(res) : NULL;
    return RV_OK;
}

rv_status rv_my_stmt_fetch(rv_my *c, MYSQL_STMT *stmt, bool *out_more, rv_error *err)
{
    const char *what = "reading rows";
    if (rv_my_interrupted(c))
        return rv_my_fail_stopped(c, what, err);
    rv_my *before = rv_my_enter(c);
    int code = rv_my_next_packet(c, stmt);
    rv_my_leave(before);
    *out_more = code == 0;
    if (*out_more)
        return RV_OK;
    if (code != MYSQL_NO_DATA)
        return fail_running(c, stmt, what, err);
    return c->phase == RV_MY_RUNNING ? rv_my_finish(c, err) : RV_OK;
}

void rv_my_stmt_close(rv_my *c, MYSQL_STMT *stmt)
{
    if (!stmt)
        return;
    rv_my *before = rv_my_enter(c);
    mysql_stmt_close(stmt);
    rv_my_leave(before);
}
