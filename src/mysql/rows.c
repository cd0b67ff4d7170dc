#include <string.h>

#include "mysql/mysql_internal.h"

/* A length-encoded integer; the library has checked it against the packet. */
static size_t length_of(unsigned char **row)
{
    unsigned first = *(*row)++;
    unsigned more = first == 0xFC ? 2 : first == 0xFD ? 3 : first == 0xFE ? 8 : 0;
    uint64_t v = first;
    if (more) {
        v = 0;
        memcpy(&v, *row, more);
        *row += more;
    }
    return (size_t)v;
}

void rv_my_pass_column(void *ctx, unsigned column, unsigned char **row)
{
    const MYSQL_STMT *stmt = ctx;
    if (!row)
        return;
    switch ((int)stmt->fields[column].type) {
    case MYSQL_TYPE_TINY:
        *row += 1;
        return;
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_YEAR:
        *row += 2;
        return;
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_FLOAT:
        *row += 4;
        return;
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_DOUBLE:
        *row += 8;
        return;
    default:
        *row += length_of(row);
        return;
    }
}

/* libmariadb keeps the start of a packet but not its length: the buffer's end bounds it. */
rv_bytes rv_my_stmt_row(rv_my *c)
{
    const NET *net = &c->my.net;
    if (!net->read_pos || net->read_pos >= net->buff_end)
        return (rv_bytes){NULL, 0};
    return (rv_bytes){net->read_pos, (size_t)(net->buff_end - net->read_pos)};
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
