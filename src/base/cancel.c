#include "base/cancel.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

/* No lock anywhere: a signal handler may interrupt the thread that would hold it. The event
 * descriptor is written once and never read, so every sleeper, present and future, wakes.
 * A hook slot goes FREE -> FILLING -> READY -> RUNNING -> DONE; who moves it owns it. */
#define HOOK_MAX 512 /* workers of all exports that run at once */
#define GRACE_US 10000000

enum { SLOT_FREE, SLOT_FILLING, SLOT_READY, SLOT_RUNNING, SLOT_DONE };

typedef struct hook_slot {
    atomic_int state;
    void (*fn)(void *);
    void *ctx;
} hook_slot;

struct rv_cancel {
    atomic_bool raised;
    atomic_int signo; /* NO_SIGNAL until the first raise */
    _Atomic int64_t raised_us;
    int64_t grace_us;
    int event_fd;
    hook_slot slots[HOOK_MAX];
};

#define NO_SIGNAL (-1)

rv_status rv_cancel_open(rv_cancel **out, rv_error *err)
{
    rv_cancel *c = rv_calloc(1, sizeof *c);
    if (!c)
        return rv_fail_memory(err);
    c->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->event_fd < 0) {
        int errnum = errno;
        rv_free(c);
        return rv_fail_errno(err, RV_E_IO, errnum, "cannot create an event descriptor");
    }
    atomic_init(&c->signo, NO_SIGNAL);
    c->grace_us = GRACE_US;
    *out = c;
    return RV_OK;
}

void rv_cancel_close(rv_cancel *c)
{
    if (!c)
        return;
    (void)close(c->event_fd);
    rv_free(c);
}

static void run_slot(hook_slot *slot)
{
    int ready = SLOT_READY;
    if (!atomic_compare_exchange_strong(&slot->state, &ready, SLOT_RUNNING))
        return;
    slot->fn(slot->ctx);
    atomic_store(&slot->state, SLOT_DONE);
}

void rv_cancel_raise(rv_cancel *c, int signo)
{
    int saved_errno = errno;
    int none = NO_SIGNAL;
    int64_t never = 0;
    (void)atomic_compare_exchange_strong(&c->signo, &none, signo);
    (void)atomic_compare_exchange_strong(&c->raised_us, &never, rv_clock_mono_us());
    atomic_store(&c->raised, true);
    const uint64_t one = 1;
    /* fails only when the counter is full: then it was raised before */
    ssize_t written = write(c->event_fd, &one, sizeof one);
    (void)written;
    for (size_t i = 0; i < HOOK_MAX; i++)
        run_slot(&c->slots[i]);
    errno = saved_errno;
}

bool rv_cancel_raised(const rv_cancel *c)
{
    return c && atomic_load(&c->raised);
}

int rv_cancel_signal(const rv_cancel *c)
{
    return rv_cancel_raised(c) ? atomic_load(&c->signo) : 0;
}

int rv_cancel_fd(const rv_cancel *c)
{
    return c ? c->event_fd : -1;
}

void rv_cancel_set_grace_us(rv_cancel *c, int64_t us)
{
    c->grace_us = us;
}

int64_t rv_cancel_grace_us(const rv_cancel *c)
{
    return c ? c->grace_us : GRACE_US;
}

bool rv_cancel_overdue(const rv_cancel *c)
{
    return rv_cancel_raised(c) && rv_clock_mono_us() - atomic_load(&c->raised_us) >= c->grace_us;
}

bool rv_cancel_sleep_us(rv_cancel *c, int64_t us)
{
    int64_t until = rv_clock_mono_us() + (us > 0 ? us : 0);
    struct pollfd wake = {.fd = c ? c->event_fd : -1, .events = POLLIN};
    for (;;) {
        if (rv_cancel_raised(c))
            return false;
        int64_t left = until - rv_clock_mono_us();
        if (left <= 0)
            return true;
        struct timespec ts = {.tv_sec = left / 1000000, .tv_nsec = left % 1000000 * 1000};
        (void)ppoll(&wake, 1, &ts, NULL);
    }
}

int rv_cancel_hook_add(rv_cancel *c, void (*fn)(void *), void *ctx)
{
    if (!c)
        return -1;
    for (int i = 0; i < HOOK_MAX; i++) {
        hook_slot *slot = &c->slots[i];
        int free_state = SLOT_FREE;
        if (!atomic_compare_exchange_strong(&slot->state, &free_state, SLOT_FILLING))
            continue;
        slot->fn = fn;
        slot->ctx = ctx;
        atomic_store(&slot->state, SLOT_READY);
        /* READY is stored before the flag is read and a raise does it the other way round,
         * so at least one of the two sees the other; run_slot lets only one run the hook */
        if (rv_cancel_raised(c))
            run_slot(slot);
        return i;
    }
    return -1;
}

void rv_cancel_hook_remove(rv_cancel *c, int slot)
{
    if (!c || slot < 0 || slot >= HOOK_MAX)
        return;
    hook_slot *s = &c->slots[slot];
    for (;;) {
        int seen = atomic_load(&s->state);
        if (seen != SLOT_READY && seen != SLOT_DONE && seen != SLOT_RUNNING)
            return;
        if (seen != SLOT_RUNNING && atomic_compare_exchange_strong(&s->state, &seen, SLOT_FREE))
            return;
        /* it runs in another thread: the caller may free ctx only when that is over */
        (void)usleep(100);
    }
}

rv_status rv_cancel_check(const rv_cancel *c, rv_error *err)
{
    if (!rv_cancel_raised(c))
        return RV_OK;
    const char *name = sigabbrev_np(rv_cancel_signal(c));
    return rv_fail(err, RV_E_INTERRUPTED, "interrupted by %s%s", name ? "SIG" : "request",
                   name ? name : "");
}
