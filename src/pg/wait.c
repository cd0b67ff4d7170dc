#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pg/pg_internal.h"

#define CANCEL_GRACE_US 5000000 /* a cancelled statement that goes on for longer is given up */
#define STOP_GRACE_US 300000    /* the process is about to end */
/* What a statement may stay silent for: past its own limit on the server, and without one. */
#define SILENCE_PAST_LIMIT_US INT64_C(5000000)
#define SILENCE_US INT64_C(7200000000)

bool rv_pg_interrupted(const rv_pg *c)
{
    return atomic_load_explicit(&c->interrupted, memory_order_relaxed) != 0 ||
           rv_cancel_raised(c->env->cancel);
}

void rv_pg_interrupt(rv_pg *c)
{
    const uint64_t one = 1;
    atomic_store(&c->interrupted, 1);
    /* fails only when the counter is full: then it was written before */
    ssize_t written = write(c->wake_fd, &one, sizeof one);
    (void)written;
}

/* Rounded up, so that the deadline has passed when poll() says so. */
static int poll_ms(int64_t deadline_us)
{
    if (deadline_us <= 0)
        return -1;
    int64_t left = deadline_us - rv_clock_mono_us();
    if (left <= 0)
        return 0;
    return left > 60000000 ? 60000 : (int)((left + 999) / 1000);
}

static int64_t silent_at_us(const rv_pg *c)
{
    if (!c->heard_us)
        return 0;
    return c->heard_us + (c->limit_us > 0 ? c->limit_us + SILENCE_PAST_LIMIT_US : SILENCE_US);
}

rv_pg_wake rv_pg_wait(const rv_pg *c, short events, int64_t deadline_us)
{
    const int64_t silent_us = silent_at_us(c);
    const int64_t until_us =
        silent_us && (deadline_us <= 0 || silent_us < deadline_us) ? silent_us : deadline_us;
    for (;;) {
        if (rv_pg_interrupted(c))
            return RV_PG_STOPPED;
        struct pollfd fds[] = {
            {.fd = PQsocket(c->conn), .events = events},
            {.fd = c->wake_fd, .events = POLLIN},
            {.fd = rv_cancel_fd(c->env->cancel), .events = POLLIN},
        };
        int n = poll(fds, sizeof fds / sizeof fds[0], poll_ms(until_us));
        /* a closed socket reads as an error, which libpq explains better */
        if (fds[0].fd < 0 || (n > 0 && fds[0].revents != 0) || (n < 0 && errno != EINTR))
            return rv_pg_interrupted(c) ? RV_PG_STOPPED : RV_PG_READY;
        if (n == 0 && until_us > 0 && rv_clock_mono_us() >= until_us)
            return until_us == silent_us ? RV_PG_SILENT : RV_PG_PAST_DEADLINE;
    }
}

rv_status rv_pg_fail_stopped(rv_pg *c, const char *what, rv_error *err)
{
    if (PQtransactionStatus(c->conn) == PQTRANS_ACTIVE)
        (void)rv_pg_send_cancel(c, STOP_GRACE_US);
    c->broken = true;
    return rv_fail(err, RV_E_INTERRUPTED, "%s: interrupted", what);
}

bool rv_pg_consume(rv_pg *c)
{
    c->heard_us = rv_clock_mono_us();
    return PQconsumeInput(c->conn) != 0;
}

rv_status rv_pg_fail_silent(rv_pg *c, const char *what, rv_error *err)
{
    int64_t silent_s = (rv_clock_mono_us() - c->heard_us) / 1000000;
    /* the server may be well and the way to it not: do not leave it at work */
    (void)rv_pg_send_cancel(c, STOP_GRACE_US);
    c->broken = true;
    rv_status st = rv_fail(err, c->connect_code, "%s: nothing came from %s for %lld s", what,
                           c->target, (long long)silent_s);
    if (err)
        err->retry = RV_RETRY_N;
    return st;
}

rv_status rv_pg_begin(rv_pg *c, int64_t deadline_us, const char *what, rv_error *err)
{
    if (rv_pg_interrupted(c))
        return rv_pg_fail_stopped(c, what, err);
    if (c->broken)
        return rv_pg_fail(c, NULL, what, err);
    c->started_us = c->heard_us = rv_clock_mono_us();
    c->deadline_us = deadline_us;
    c->cancel_sent = false;
    c->timed_out = false;
    return RV_OK;
}

rv_status rv_pg_flush(rv_pg *c, int sent, const char *what, rv_error *err)
{
    if (!sent)
        return rv_pg_fail(c, NULL, what, err);
    for (;;) {
        int left = PQflush(c->conn);
        if (left < 0)
            return rv_pg_fail(c, NULL, what, err);
        if (left == 0)
            return RV_OK;
        switch (rv_pg_wait(c, POLLIN | POLLOUT, c->deadline_us)) {
        case RV_PG_READY:
            if (!rv_pg_consume(c))
                return rv_pg_fail(c, NULL, what, err);
            break;
        case RV_PG_PAST_DEADLINE:
            c->broken = true;
            return rv_pg_fail(c, NULL, what, err);
        case RV_PG_SILENT:
            return rv_pg_fail_silent(c, what, err);
        case RV_PG_STOPPED:
            return rv_pg_fail_stopped(c, what, err);
        }
    }
}

/* The first time past the deadline the statement is cancelled, the second time given up. */
static rv_status pass_deadline(rv_pg *c, const char *what, rv_error *err)
{
    if (!c->timed_out && rv_pg_send_cancel(c, RV_PG_CANCEL_GRACE_US)) {
        c->timed_out = true;
        c->deadline_us = rv_clock_mono_us() + CANCEL_GRACE_US;
        return RV_OK;
    }
    c->broken = true;
    rv_status st =
        rv_fail(err, RV_E_SOURCE_TIMEOUT, "%s: no answer from %s in time", what, c->target);
    if (err)
        err->retry = RV_RETRY_N;
    return st;
}

rv_status rv_pg_await(rv_pg *c, const char *what, rv_error *err)
{
    while (PQisBusy(c->conn)) {
        switch (rv_pg_wait(c, POLLIN, c->deadline_us)) {
        case RV_PG_READY:
            if (rv_pg_consume(c))
                break;
            /* of a closed connection libpq still gives what came before the end, without waiting */
            return PQstatus(c->conn) == CONNECTION_BAD ? RV_OK : rv_pg_fail(c, NULL, what, err);
        case RV_PG_PAST_DEADLINE:
            RV_TRY(pass_deadline(c, what, err));
            break;
        case RV_PG_SILENT:
            return rv_pg_fail_silent(c, what, err);
        case RV_PG_STOPPED:
            return rv_pg_fail_stopped(c, what, err);
        }
    }
    return RV_OK;
}
