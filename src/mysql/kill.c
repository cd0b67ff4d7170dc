#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mysql/mysql_internal.h"

#define BARRIER_US 5000000

/* Same place, same user. The stop that made it necessary must not stop it. */
static rv_status deliver(const rv_my *c, int64_t deadline_us)
{
    char sql[64];
    rv_env env = *c->env;
    rv_my_opts opts = c->opts;
    rv_my *second = NULL;
    env.cancel = NULL;
    env.log = NULL;
    opts.connect_timeout_us = deadline_us - rv_clock_mono_us();
    opts.database = NULL;
    if (opts.connect_timeout_us <= 0)
        return RV_E_SOURCE_TIMEOUT;
    rv_status st;
    RV_GO(rv_my_open(&env, &opts, &second, NULL));
    second->proxied = true; /* it never kills in turn */
    snprintf(sql, sizeof sql, "KILL QUERY %llu", (unsigned long long)rv_my_id(c));
    RV_GO(rv_my_query(second, sql, deadline_us, "cancelling a statement", NULL, NULL));
done:
    rv_my_close(second);
    return st;
}

bool rv_my_kill(rv_my *c, int64_t wait_us)
{
    if (c->proxied || c->broken)
        return false;
    c->kill_sent = true;
    return deliver(c, rv_clock_mono_us() + wait_us) == RV_OK;
}

/* A statement of our own between two of the caller's: what is known of his stays. */
static rv_status say(rv_my *c, const char *text, const char *what, MYSQL_RES **out, rv_error *err)
{
    rv_buf sql = RV_BUF_INIT;
    const bool timed_out = c->timed_out;
    const rv_my_warning warning = c->warning;
    rv_status st;
    RV_GO(rv_buf_printf(&sql, err, "%s%s", c->comment, text));
    RV_GO(rv_buf_add_byte(&sql, 0, err));
    st = rv_my_query(c, (const char *)sql.ptr, rv_clock_mono_us() + BARRIER_US, what, out, err);
done:
    rv_buf_free(&sql);
    c->timed_out = timed_out;
    c->warning = warning;
    return st;
}

rv_status rv_my_barrier(rv_my *c, rv_error *err)
{
    rv_error own;
    rv_error_clear(&own);
    rv_status st = say(c, "DO 0", "confirming a cancel", NULL, &own);
    /* the blow fell on this one: that is what it is for */
    if (st == RV_OK || (st == RV_E_SOURCE_BUSY && own.retry == RV_RETRY_X))
        return RV_OK;
    rv_my_break(c);
    if (err)
        *err = own;
    return st;
}

const rv_my_warning *rv_my_warned(const rv_my *c)
{
    return c->warning.code ? &c->warning : NULL;
}

/* Level, Code, Message. */
static void take_warning(rv_my *c, MYSQL_ROW row)
{
    rv_my_warning w = {.code = row[1] ? (unsigned)strtoul(row[1], NULL, 10) : 0};
    if (w.code == 0 || !row[0] || strcmp(row[0], "Warning") != 0)
        return;
    w.replaces = rv_my_replaces_value(w.code);
    (void)snprintf(w.text, sizeof w.text, "%.*s", (int)sizeof w.text - 1, row[2] ? row[2] : "");
    if (c->warning.code == 0 || (w.replaces && !c->warning.replaces))
        c->warning = w;
}

rv_status rv_my_read_warnings(rv_my *c, rv_error *err)
{
    MYSQL_RES *r = NULL;
    const char *what = "reading the server's warnings";
    rv_error own;
    rv_error_clear(&own);
    rv_status st = say(c, "SHOW WARNINGS", what, &r, &own);
    if (st == RV_E_SOURCE_BUSY && own.retry == RV_RETRY_X) /* a KILL came late */
        st = say(c, "SHOW WARNINGS", what, &r, &own);
    if (st != RV_OK && err)
        *err = own;
    RV_TRY(st);
    for (MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL; row; row = mysql_fetch_row(r))
        take_warning(c, row);
    mysql_free_result(r);
    return RV_OK;
}
