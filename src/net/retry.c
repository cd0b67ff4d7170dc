#include "net/http_internal.h"

#define RV_TARGET "net"

#define TRIES 6u
#define BASE_US ((int64_t)200000)
#define MOST_US ((int64_t)10000000)
#define AFTER_US ((int64_t)60000000)

bool rv_http_listed(int status)
{
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
           status == 504;
}

static bool error_passes(const rv_http_retry *retry, rv_status st)
{
    if (st == RV_E_HTTP_CONNECT)
        return true;
    return retry->idempotent && (st == RV_E_HTTP_NETWORK || st == RV_E_HTTP_TIMEOUT);
}

static bool status_passes(const rv_http_retry *retry, int status)
{
    return retry->idempotent ? rv_http_listed(status) : status == 429 || status == 503;
}

/* Doubling, with jitter: many runners that failed together do not come back together. */
static rv_status own_wait(const rv_http_retry *retry, unsigned attempt, int64_t *out_us,
                          rv_error *err)
{
    int64_t wait = retry->base_us > 0 ? retry->base_us : BASE_US;
    int64_t most = retry->most_us > 0 ? retry->most_us : MOST_US;
    uint32_t dice;
    for (unsigned i = 1; i < attempt && wait < most; i++)
        wait *= 2;
    wait = wait < most ? wait : most;
    RV_TRY(rv_env_random(&dice, sizeof dice, err));
    *out_us = wait / 2 + (int64_t)(dice % (uint64_t)(wait / 2 + 1));
    return RV_OK;
}

#define LINGER_STEP_US ((int64_t)100000)

/* Goes on through a raise until it is overdue. */
static bool sleep_lingering(const rv_cancel *cancel, int64_t us)
{
    for (; us > 0; us -= LINGER_STEP_US) {
        if (rv_cancel_overdue(cancel))
            return false;
        (void)!rv_cancel_sleep_us(NULL, us < LINGER_STEP_US ? us : LINGER_STEP_US);
    }
    return true;
}

static rv_status pause_for(rv_http *h, const rv_http_request *req, int64_t us, rv_error *err)
{
    rv_cancel *cancel = req->after_cancel ? NULL : h->env->cancel;
    bool slept = h->opts.wait     ? h->opts.wait(h->opts.wait_ctx, us)
                 : h->opts.linger ? sleep_lingering(cancel, us)
                                  : rv_cancel_sleep_us(cancel, us);
    return slept ? RV_OK : rv_cancel_check(cancel, err);
}

static rv_status wait_for(rv_http *h, const rv_http_request *req, const rv_http_retry *retry,
                          const rv_http_response *r, unsigned attempt, rv_error *err)
{
    char shown[RV_HTTP_SHOWN];
    int64_t cap = retry->after_us > 0 ? retry->after_us : AFTER_US, us;
    int64_t wish = r->status ? rv_http_retry_after_us(r, rv_env_now_us(h->env)) : 0;
    if (wish > 0)
        us = wish < cap ? wish : cap;
    else
        RV_TRY(own_wait(retry, attempt, &us, err));
    rv_http_show(req, shown);
    if (r->status)
        RV_LOG_DEBUG(h->env, "%s: %d on try %u; again in %d ms", shown, r->status, attempt,
                     (int)(us / 1000));
    else
        RV_LOG_DEBUG(h->env, "%s: try %u failed; again in %d ms", shown, attempt, (int)(us / 1000));
    return pause_for(h, req, us, err);
}

/* Whether what came of a try asks for another one. */
static bool again(const rv_http_retry *retry, rv_status st, const rv_http_response *r, bool *now)
{
    *now = false;
    if (st != RV_OK)
        return r->sunk == 0 && error_passes(retry, st);
    switch (retry->judge ? retry->judge(retry->ctx, r) : RV_HTTP_AS_LISTED) {
    case RV_HTTP_AS_LISTED:
        break;
    case RV_HTTP_AGAIN_NOW:
        *now = true;
        return r->sunk == 0;
    case RV_HTTP_AGAIN:
        return r->sunk == 0;
    case RV_HTTP_ANSWER:
        return false;
    }
    return status_passes(retry, r->status);
}

rv_status rv_http_send_retry(rv_http *h, const rv_http_request *req, const rv_http_retry *retry,
                             rv_http_response *out, rv_error *err)
{
    rv_http_request mine = *req;
    unsigned most = retry->tries ? retry->tries : TRIES;
    bool beyond = false; /* what was just corrected is tried, be it the last try */
    for (unsigned attempt = 1;; attempt++) {
        bool now = false;
        if (retry->prepare)
            RV_TRY(retry->prepare(retry->ctx, attempt, &mine, err));
        rv_status st = rv_http_send(h, &mine, out, err);
        out->tries = attempt;
        if (!again(retry, st, out, &now) || (attempt >= most && (beyond || !now)))
            return st;
        beyond = attempt >= most;
        if (!now)
            RV_TRY(wait_for(h, &mine, retry, out, attempt, err));
    }
}
