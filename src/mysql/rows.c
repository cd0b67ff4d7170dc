#include "mysql/mysql_internal.h"

/* What mysql_stmt_fetch does but for looking at the columns: it knows no types newer than itself,
 * and the row is read by its own decoders. */
int rv_my_next_packet(rv_my *c, MYSQL_STMT *stmt)
{
    unsigned char *row = NULL;
    unsigned long n = 0;
    if (stmt->state == MYSQL_STMT_WAITING_USE_OR_STORE)
        stmt->default_rset_handler(stmt);
    if (stmt->state < MYSQL_STMT_USE_OR_STORE_CALLED || stmt->state == MYSQL_STMT_FETCH_DONE)
        return MYSQL_NO_DATA;
    int code = stmt->fetch_row_func(stmt, &row, &n);
    if (code != 0) {
        stmt->state = MYSQL_STMT_FETCH_DONE;
        stmt->mysql->status = MYSQL_STATUS_READY;
        return code;
    }
    stmt->state = MYSQL_STMT_USER_FETCHING;
    c->row = (rv_bytes){row, n};
    return 0;
}

rv_bytes rv_my_stmt_row(rv_my *c)
{
    return c->row;
}

void rv_my_cut_at(rv_my *c, int64_t at_us)
{
    if (c->proxied)
        return;
    c->cut_at_us = at_us;
    if (c->phase == RV_MY_RUNNING && !c->timed_out)
        c->deadline_us = at_us;
}

bool rv_my_was_cut(const rv_my *c)
{
    return c->timed_out && c->cut_at_us != 0;
}
