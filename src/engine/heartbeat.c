#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/job.h"

#define RV_TARGET "engine"
#define BEAT_US 10000000
#define STALE_US 60000000

struct rv_heartbeat {
    rv_job *job;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
    _Atomic int64_t renewed_us; /* by the clock that counts suspended time */
};

static bool wait_beat(rv_heartbeat *h)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += BEAT_US / 1000000;
    pthread_mutex_lock(&h->lock);
    int rc = 0;
    while (!h->stop && rc == 0)
        rc = pthread_cond_timedwait(&h->wake, &h->lock, &until);
    bool stop = h->stop;
    pthread_mutex_unlock(&h->lock);
    return !stop;
}

static void *beat(void *arg)
{
    rv_heartbeat *h = arg;
    while (wait_beat(h)) {
        rv_error err = {0};
        if (rv_state_lease_renew(h->job->state, &h->job->lease, &err) == RV_OK)
            atomic_store(&h->renewed_us, rv_clock_mono_us());
        else
            RV_LOG_WARN(h->job->env, "export '%s': the lease could not be renewed: %s",
                        h->job->x->name, err.text);
    }
    return NULL;
}

rv_status rv_heartbeat_start(rv_job *job, rv_error *err)
{
    rv_heartbeat *h = rv_calloc(1, sizeof *h);
    if (!h)
        return rv_fail_memory(err);
    pthread_condattr_t attr;
    h->job = job;
    atomic_store(&h->renewed_us, rv_clock_mono_us());
    pthread_mutex_init(&h->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&h->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&h->thread, NULL, beat, h) != 0) {
        pthread_cond_destroy(&h->wake);
        pthread_mutex_destroy(&h->lock);
        rv_free(h);
        return rv_fail(err, RV_E_MEMORY, "a thread could not be started");
    }
    job->heartbeat = h;
    return RV_OK;
}

void rv_heartbeat_stop(rv_job *job)
{
    rv_heartbeat *h = job->heartbeat;
    if (!h)
        return;
    pthread_mutex_lock(&h->lock);
    h->stop = true;
    pthread_cond_signal(&h->wake);
    pthread_mutex_unlock(&h->lock);
    (void)pthread_join(h->thread, NULL);
    pthread_cond_destroy(&h->wake);
    pthread_mutex_destroy(&h->lock);
    rv_free(h);
    job->heartbeat = NULL;
}

bool rv_heartbeat_fresh(const rv_job *job)
{
    const rv_heartbeat *h = job->heartbeat;
    return !h || rv_clock_mono_us() - atomic_load(&h->renewed_us) < STALE_US;
}
