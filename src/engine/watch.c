#include "engine/watch.h"

#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/governor.h"

#define RV_TARGET "engine"
#define TICK_US 500000
#define TICKS_PER_LOOK 2   /* once a second */
#define TICKS_PER_SAMPLE 3 /* 1.5 s */
#define NO_SESSION (-1)

typedef struct rv_watched {
    rv_reader *reader;
    int64_t session, since_us, asked_us;
} rv_watched;

struct rv_watch {
    rv_job *job;
    pthread_t thread;
    pthread_mutex_t lock; /* everything below */
    pthread_cond_t wake;
    bool stop;
    rv_watched *list;
    size_t n, cap;
    bool have_batch;
    int64_t batch;
    rv_source *source; /* opened, used and closed by the thread; interrupted by others */
    /* of the thread alone */
    int64_t tick_us;
    int hook;
    bool blind; /* may not look, or never reached the server */
    bool told;  /* that the connection failed */
};

/* ---- its own connection ---- */

static void interrupt_monitor(void *ctx)
{
    rv_watch *w = ctx;
    pthread_mutex_lock(&w->lock);
    if (w->source)
        w->job->sd->interrupt(w->source);
    pthread_mutex_unlock(&w->lock);
}

static bool stopping(rv_watch *w)
{
    pthread_mutex_lock(&w->lock);
    bool stop = w->stop;
    pthread_mutex_unlock(&w->lock);
    return stop || rv_cancel_raised(w->job->env->cancel);
}

static void drop_connection(rv_watch *w)
{
    pthread_mutex_lock(&w->lock);
    rv_source *old = w->source;
    w->source = NULL;
    pthread_mutex_unlock(&w->lock);
    if (old)
        w->job->sd->close(old);
}

static void connection_failed(rv_watch *w, const rv_error *err)
{
    if (stopping(w))
        return;
    drop_connection(w);
    rv_governor_lost(w->job, err->text);
    if (!w->told)
        rv_job_warn(w->job, "monitor", "nobody watches whether other sessions wait: %s", err->text);
    w->told = true;
}

static bool connected(rv_watch *w)
{
    rv_error err = {0};
    rv_source *fresh = NULL;
    if (w->source)
        return true;
    if (w->blind || stopping(w))
        return false;
    if (rv_job_connect(w->job, &fresh, &err) != RV_OK) {
        connection_failed(w, &err);
        return false;
    }
    pthread_mutex_lock(&w->lock);
    w->source = fresh;
    pthread_mutex_unlock(&w->lock);
    return true;
}

/* ---- who waits? ---- */

/* NULL: nobody, or nobody can tell. */
static const char *ask_waiter(rv_watch *w, int64_t session, rv_arena *a)
{
    rv_job *job = w->job;
    rv_error err = {0};
    const char *waiter = NULL;
    if (!connected(w))
        return NULL;
    rv_status st = job->sd->waiter(w->source, session, a, &waiter, &err);
    if (st == RV_OK)
        return waiter;
    if (st == RV_E_SOURCE_PERMISSION) {
        w->blind = true;
        rv_job_warn(job, "blocking",
                    "the role may not see who waits for this run; long reads are not watched: %s",
                    err.text);
    } else {
        connection_failed(w, &err);
    }
    return NULL;
}

static bool still_there(const rv_watch *w, const rv_watched *was)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->list[i].reader == was->reader)
            return rv_reader_session(was->reader) == was->session;
    return false;
}

static void send_away(rv_watch *w, const rv_watched *was, const char *waiter)
{
    pthread_mutex_lock(&w->lock);
    bool there = still_there(w, was);
    if (there)
        rv_reader_leave(was->reader, waiter);
    pthread_mutex_unlock(&w->lock);
    if (there)
        rv_governor_blocked(w->job);
}

/* The i-th reader that has held something for more than a look's time and is to be asked about. */
static bool next_suspect(rv_watch *w, size_t *io_i, int64_t now_us, rv_watched *out)
{
    int64_t look_us = TICKS_PER_LOOK * w->tick_us;
    bool found = false;
    pthread_mutex_lock(&w->lock);
    while (!found && *io_i < w->n) {
        rv_watched *e = &w->list[(*io_i)++];
        int64_t session = rv_reader_session(e->reader);
        if (session == 0 || session != e->session) {
            e->session = session;
            e->since_us = now_us;
            e->asked_us = 0;
            continue;
        }
        if (now_us - e->since_us < look_us || now_us - e->asked_us < look_us - w->tick_us / 2)
            continue;
        e->asked_us = now_us;
        *out = *e;
        found = true;
    }
    pthread_mutex_unlock(&w->lock);
    return found;
}

static void look_round(rv_watch *w)
{
    rv_watched suspect;
    size_t i = 0;
    if (!w->job->sd->session || !w->job->sd->waiter)
        return;
    while (!w->blind && next_suspect(w, &i, rv_clock_mono_us(), &suspect)) {
        rv_arena scratch = RV_ARENA_INIT;
        const char *waiter = ask_waiter(w, suspect.session, &scratch);
        if (waiter)
            send_away(w, &suspect, waiter);
        rv_arena_free(&scratch);
    }
}

/* ---- counters ---- */

static void sample_pressure(rv_watch *w)
{
    rv_job *job = w->job;
    rv_error err = {0};
    int64_t value = 0;
    if (!job->governor || !connected(w))
        return;
    rv_status st = job->sd->signal(w->source, RV_SIGNAL_PRESSURE, &value, &err);
    if (st != RV_OK && (err.retry == RV_RETRY_N || err.retry == RV_RETRY_C))
        connection_failed(w, &err);
    else
        rv_governor_reading(job, st == RV_OK, value);
}

static bool wants_batches(const rv_job *job)
{
    return job->x->tuning.adaptive && job->sd->signal && job->rel->shape != RV_SHAPE_PAGES &&
           !job->rel->small;
}

static void sample_batches(rv_watch *w)
{
    rv_error err = {0};
    int64_t value = 0;
    if (!wants_batches(w->job) || !connected(w) ||
        w->job->sd->signal(w->source, RV_SIGNAL_BATCH, &value, &err) != RV_OK)
        return;
    pthread_mutex_lock(&w->lock);
    w->batch = value;
    w->have_batch = true;
    pthread_mutex_unlock(&w->lock);
}

bool rv_watch_batch_signal(rv_job *job, int64_t *out)
{
    rv_watch *w = job->watch;
    if (!w)
        return false;
    pthread_mutex_lock(&w->lock);
    bool have = w->have_batch;
    *out = w->batch;
    pthread_mutex_unlock(&w->lock);
    return have;
}

/* ---- the thread ---- */

static bool wait_tick(rv_watch *w)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + w->tick_us * 1000;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_mutex_lock(&w->lock);
    int rc = 0;
    while (!w->stop && rc == 0)
        rc = pthread_cond_timedwait(&w->wake, &w->lock, &until);
    bool stop = w->stop;
    pthread_mutex_unlock(&w->lock);
    return !stop && !rv_cancel_raised(w->job->env->cancel);
}

/* Reads that are known to hold something from their first row. */
static bool will_hold(const rv_job *job)
{
    return job->sd->session && job->sd->waiter &&
           (job->snapshot_open || (job->rel->shape != RV_SHAPE_PAGES && !job->rel->small));
}

static void *watch_loop(void *arg)
{
    rv_watch *w = arg;
    rv_arena scratch = RV_ARENA_INIT;
    if (will_hold(w->job))
        (void)ask_waiter(w, NO_SESSION, &scratch); /* may it look at all? */
    rv_arena_free(&scratch);
    sample_pressure(w);
    for (unsigned tick = 1; wait_tick(w); tick++) {
        look_round(w);
        if (tick % TICKS_PER_SAMPLE == 0) {
            sample_pressure(w);
            sample_batches(w);
        }
    }
    drop_connection(w);
    return NULL;
}

static void free_watch(rv_watch *w)
{
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    rv_free(w->list);
    rv_free(w);
}

rv_status rv_watch_start(rv_job *job, rv_error *err)
{
    const rv_run_stand_ins *stand_ins = job->opts->stand_ins;
    pthread_condattr_t attr;
    if (!job->governor && !(job->sd->session && job->sd->waiter) && !wants_batches(job))
        return RV_OK;
    rv_watch *w = rv_calloc(1, sizeof *w);
    if (!w)
        return rv_fail_memory(err);
    w->job = job;
    w->tick_us = stand_ins && stand_ins->tick_us ? stand_ins->tick_us : TICK_US;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&w->thread, NULL, watch_loop, w) != 0) {
        free_watch(w);
        return rv_fail(err, RV_E_MEMORY, "a thread could not be started");
    }
    w->hook = rv_cancel_hook_add(job->env->cancel, interrupt_monitor, w);
    job->watch = w;
    return RV_OK;
}

void rv_watch_stop(rv_job *job)
{
    rv_watch *w = job->watch;
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    if (w->source)
        job->sd->interrupt(w->source);
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
    if (w->hook >= 0)
        rv_cancel_hook_remove(job->env->cancel, w->hook);
    job->watch = NULL;
    free_watch(w);
}

rv_status rv_watch_add(rv_job *job, rv_reader *r, rv_error *err)
{
    rv_watch *w = job->watch;
    rv_status st = RV_OK;
    if (!w)
        return RV_OK;
    pthread_mutex_lock(&w->lock);
    if (w->n == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 8;
        rv_watched *grown = rv_realloc_array(w->list, cap, sizeof *grown);
        if (grown) {
            w->list = grown;
            w->cap = cap;
        } else {
            st = rv_fail_memory(err);
        }
    }
    if (st == RV_OK)
        w->list[w->n++] = (rv_watched){.reader = r};
    pthread_mutex_unlock(&w->lock);
    return st;
}

void rv_watch_remove(rv_job *job, rv_reader *r)
{
    rv_watch *w = job->watch;
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->n; i++)
        if (w->list[i].reader == r)
            w->list[i--] = w->list[--w->n];
    pthread_mutex_unlock(&w->lock);
}
