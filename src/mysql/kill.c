#include <stdio.h>

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

rv_status rv_my_barrier(rv_my *c, rv_error *err)
{
    const char *what = "confirming a cancel";
    bool timed_out = c->timed_out;
    rv_error own;
    rv_error_clear(&own);
    rv_status st = rv_my_query(c, "DO 0", rv_clock_mono_us() + BARRIER_US, what, NULL, &own);
    c->timed_out = timed_out;
    /* the blow fell on this one: that is what it is for */
    if (st == RV_OK || (st == RV_E_SOURCE_BUSY && own.retry == RV_RETRY_X))
        return RV_OK;
    rv_my_break(c);
    if (err)
        *err = own;
    return st;
}
