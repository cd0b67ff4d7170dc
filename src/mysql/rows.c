#include "mysql/mysql_internal.h"

void rv_my_ignore_column(void *ctx, unsigned column, unsigned char **row)
{
    (void)ctx, (void)column, (void)row;
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
