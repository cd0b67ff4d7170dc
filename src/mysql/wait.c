#include <errno.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mysql/mysql_internal.h"

#define KILL_GRACE_US 5000000 /* a killed statement that goes on for longer is given up */
#define STOP_GRACE_US 300000  /* the process is about to end */
/* What a statement may stay silent for: past its own limit on the server, and without one. */
#define SILENCE_PAST_LIMIT_US INT64_C(5000000)
#define SILENCE_US INT64_C(7200000000)
/* To be woken for every packet costs the server and us more than to copy it. */
#define GATHER_BYTES (128 * 1024)
#define GATHER_MS 2

/* The connection this thread is busy with: libmariadb's wait callback is told a descriptor and
 * nothing else. Set by rv_my_enter, never read across calls. */
static _Thread_local rv_my *here;

rv_my *rv_my_enter(rv_my *c)
{
    rv_my *before = here;
    here = c;
    return before;
}

void rv_my_leave(rv_my *before)
{
    here = before;
}

bool rv_my_interrupted(const rv_my *c)
{
    return atomic_load_explicit(&c->interrupted, memory_order_relaxed) != 0 ||
           rv_cancel_raised(c->env->cancel);
}

void rv_my_interrupt(rv_my *c)
{
    const uint64_t one = 1;
    atomic_store(&c->interrupted, 1);
    /* fails only when the counter is full: then it was written before */
    ssize_t written = write(c->wake_fd, &one, sizeof one);
    (void)written;
}

void rv_my_break(rv_my *c)
{
    c->broken = true;
    if (c->my.net.pvio)
        (void)shutdown(mysql_get_socket(&c->my), SHUT_RDWR);
}

/* Rounded up, so that the deadline has passed when poll() says so. */
static int poll_ms(int64_t until_us)
{
    if (until_us <= 0)
        return -1;
    int64_t left = until_us - rv_clock_mono_us();
    if (left <= 0)
        return 0;
    return left > 60000000 ? 60000 : (int)((left + 999) / 1000);
}

static int64_t silent_at_us(const rv_my *c)
{
    if (!c->heard_us)
        return 0;
    return c->heard_us + (c->limit_us > 0 ? c->limit_us + SILENCE_PAST_LIMIT_US : SILENCE_US);
}

/* libmariadb always says "read" under TLS, also when it is the sending that has no room. */
static short events_of(const rv_my *c, bool is_read)
{
    const MARIADB_PVIO *pvio = c->my.net.pvio;
    const SSL *ssl = pvio && pvio->ctls ? (const SSL *)pvio->ctls->ssl : NULL;
    if (ssl && SSL_want(ssl) == SSL_WRITING)
        return POLLOUT;
    return is_read ? POLLIN : POLLOUT;
}

void rv_my_expect(rv_my *c, uint64_t bytes)
{
    c->much_left = bytes >= 2 * GATHER_BYTES;
}

/* Where the system has no such thing, it stays as it was. */
static void gather(rv_my *c, int fd, bool on)
{
    const int bytes = on ? GATHER_BYTES : 1;
    if (c->gathering != on &&
        setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, (socklen_t)sizeof bytes) == 0)
        c->gathering = on;
}

static int wait_ms(const rv_my *c, int64_t until_us)
{
    int ms = poll_ms(until_us);
    return c->gathering && (ms < 0 || ms > GATHER_MS) ? GATHER_MS : ms;
}

/* One poll() on the socket and on every way to stop. *out_end tells which it was; with
 * RV_MY_GOES_ON the socket is ready. */
static rv_my_end wait_once(rv_my *c, int fd, short events)
{
    const int64_t silent_us = silent_at_us(c);
    const int64_t until_us = silent_us && (c->deadline_us <= 0 || silent_us < c->deadline_us)
                                 ? silent_us
                                 : c->deadline_us;
    gather(c, fd, c->much_left && c->phase == RV_MY_RUNNING && events == POLLIN);
    for (;;) {
        if (rv_my_interrupted(c))
            return RV_MY_STOPPED;
        struct pollfd fds[] = {
            {.fd = fd, .events = events},
            {.fd = c->wake_fd, .events = POLLIN},
            {.fd = rv_cancel_fd(c->env->cancel), .events = POLLIN},
        };
        int n = poll(fds, sizeof fds / sizeof fds[0], wait_ms(c, until_us));
        /* a closed socket reads as an error, which libmariadb explains better */
        if ((n > 0 && fds[0].revents != 0) || (n < 0 && errno != EINTR))
            return rv_my_interrupted(c) ? RV_MY_STOPPED : RV_MY_GOES_ON;
        if (n == 0 && until_us > 0 && rv_clock_mono_us() >= until_us)
            return until_us == silent_us ? RV_MY_SILENT : RV_MY_LATE;
        gather(c, fd, false); /* little comes: take what there is */
    }
}

static bool runs(const rv_my *c)
{
    return c->phase == RV_MY_RUNNING || c->phase == RV_MY_KILLING;
}

/* The first time past the deadline the statement is killed, the second time given up. */
static bool extend(rv_my *c)
{
    if (c->phase != RV_MY_RUNNING || c->timed_out || !rv_my_kill(c, RV_MY_KILL_US))
        return false;
    c->timed_out = true;
    c->deadline_us = rv_clock_mono_us() + KILL_GRACE_US;
    return true;
}

int rv_my_io_wait(my_socket fd, my_bool is_read, int timeout_ms)
{
    rv_my *c = here;
    (void)timeout_ms; /* none is ever set: deadlines are ours */
    if (!c || c->broken || c->phase == RV_MY_CLOSING)
        return 0;
    for (;;) {
        rv_my_end end = wait_once(c, fd, events_of(c, is_read != 0));
        if (end == RV_MY_GOES_ON) {
            if (c->heard_us)
                c->heard_us = rv_clock_mono_us();
            return 1;
        }
        if (end == RV_MY_LATE && extend(c))
            continue;
        /* the server may be well and the way to it not: do not leave it at work */
        if (end != RV_MY_LATE && runs(c))
            (void)rv_my_kill(c, STOP_GRACE_US);
        c->end = end;
        c->broken = true;
        errno = end == RV_MY_STOPPED ? ECANCELED : ETIMEDOUT;
        return 0;
    }
}

rv_status rv_my_fail_stopped(rv_my *c, const char *what, rv_error *err)
{
    if (runs(c) && !c->broken)
        (void)rv_my_kill(c, STOP_GRACE_US);
    rv_my_break(c);
    return rv_fail(err, RV_E_INTERRUPTED, "%s: interrupted", what);
}

rv_status rv_my_begin(rv_my *c, int64_t deadline_us, const char *what, rv_error *err)
{
    if (rv_my_interrupted(c))
        return rv_my_fail_stopped(c, what, err);
    if (c->broken)
        return rv_my_fail(c, NULL, what, err);
    if (c->phase != RV_MY_IDLE)
        return rv_fail(err, RV_E_INTERNAL, "%s: another answer is still under way", what);
    c->phase = RV_MY_RUNNING;
    c->heard_us = rv_clock_mono_us();
    c->deadline_us = deadline_us;
    c->kill_sent = false;
    c->timed_out = false;
    c->gives_rows = false;
    c->much_left = false;
    c->warning.code = 0;
    return RV_OK;
}

rv_status rv_my_finish(rv_my *c, rv_error *err)
{
    const bool killed = c->kill_sent;
    c->phase = RV_MY_IDLE;
    if (c->broken)
        return RV_OK;
    /* an answer that the KILL ended does not tell its count */
    if (c->gives_rows && (mysql_warning_count(&c->my) > 0 || (killed && mysql_errno(&c->my) != 0)))
        RV_TRY(rv_my_read_warnings(c, err));
    return killed ? rv_my_barrier(c, err) : RV_OK;
}
