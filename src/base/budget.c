#include "base/budget.h"

#include <assert.h>
#include <pthread.h>
#include <time.h>

#include "base/mem.h"

/* A waiter looks at the cancel flag this often; a raise cannot signal our condition, because
 * it must stay callable where no lock may be taken. */
#define CANCEL_POLL_NS 20000000L

struct rv_budget {
    pthread_mutex_t lock;
    pthread_cond_t given;
    uint64_t total_bytes;
    uint64_t used_bytes;
};

rv_status rv_budget_open(uint64_t total_bytes, rv_budget **out, rv_error *err)
{
    rv_budget *b = rv_calloc(1, sizeof *b);
    if (!b)
        return rv_fail_memory(err);
    pthread_condattr_t attr;
    /* none of these can fail on Linux with a clock the system has */
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&b->lock, NULL);
    (void)pthread_cond_init(&b->given, &attr);
    (void)pthread_condattr_destroy(&attr);
    b->total_bytes = total_bytes;
    *out = b;
    return RV_OK;
}

void rv_budget_close(rv_budget *b)
{
    if (!b)
        return;
    (void)pthread_cond_destroy(&b->given);
    (void)pthread_mutex_destroy(&b->lock);
    rv_free(b);
}

/* No order among waiters: who already holds bytes and asks for more must not queue behind
 * one who waits for those very bytes. */
static bool take_locked(rv_budget *b, uint64_t bytes)
{
    bool fits = b->used_bytes == 0 ||
                (b->used_bytes <= b->total_bytes && bytes <= b->total_bytes - b->used_bytes);
    if (fits)
        b->used_bytes += bytes;
    return fits;
}

static void wait_locked(rv_budget *b)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += CANCEL_POLL_NS;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(&b->given, &b->lock, &until);
}

rv_status rv_budget_take(rv_budget *b, uint64_t bytes, rv_cancel *cancel, rv_error *err)
{
    rv_status st = RV_OK;
    (void)pthread_mutex_lock(&b->lock);
    while (!take_locked(b, bytes)) {
        if (!cancel) {
            (void)pthread_cond_wait(&b->given, &b->lock);
            continue;
        }
        st = rv_cancel_check(cancel, err);
        if (st != RV_OK)
            break;
        wait_locked(b);
    }
    (void)pthread_mutex_unlock(&b->lock);
    return st;
}

bool rv_budget_try(rv_budget *b, uint64_t bytes)
{
    (void)pthread_mutex_lock(&b->lock);
    bool taken = take_locked(b, bytes);
    (void)pthread_mutex_unlock(&b->lock);
    return taken;
}

void rv_budget_give(rv_budget *b, uint64_t bytes)
{
    (void)pthread_mutex_lock(&b->lock);
    assert(bytes <= b->used_bytes);
    b->used_bytes -= bytes;
    (void)pthread_cond_broadcast(&b->given);
    (void)pthread_mutex_unlock(&b->lock);
}
