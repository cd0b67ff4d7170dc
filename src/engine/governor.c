#include "engine/governor.h"

#include <time.h>

#include "base/mem.h"

#define RV_TARGET "engine"
#define BLIND_AFTER 3u
#define POLL_NS 50000000L

struct rv_governor {
    rv_job *job;
    pthread_mutex_t lock;
    pthread_cond_t free_place;
    unsigned most, least, allowed, active;
    rv_governor_rule rule;
    bool is_static; /* the monitor is gone */
};

rv_move rv_governor_judge(rv_governor_rule *r, bool readable, int64_t value, bool *out_say)
{
    *out_say = false;
    if (!readable) {
        if (r->unreadable < BLIND_AFTER)
            r->unreadable++;
        if (r->unreadable < BLIND_AFTER)
            return RV_MOVE_HOLD;
        *out_say = !r->blind && r->have; /* never readable: said at the start */
        r->blind = true;
        return RV_MOVE_MORE; /* lost sight is no pressure */
    }
    bool compare = r->have;
    bool risen = value > r->last;
    r->unreadable = 0;
    r->have = true;
    r->last = value;
    if (!compare)
        return RV_MOVE_HOLD;
    return risen ? RV_MOVE_FEWER : RV_MOVE_MORE;
}

rv_status rv_governor_open(rv_job *job, rv_error *err)
{
    const rv_cfg_tuning *t = &job->x->tuning;
    bool many = job->mode == RV_CHUNKED || job->keyset;
    if (!t->adaptive || !many || job->x->parallel <= 1)
        return RV_OK;
    if (!job->sd->signal) {
        RV_LOG_INFO(job->env, "export '%s': %s has no pressure counter; parallelism stays at %llu",
                    job->x->name, job->sd->display, (unsigned long long)job->x->parallel);
        return RV_OK;
    }
    rv_governor *g = rv_calloc(1, sizeof *g);
    if (!g)
        return rv_fail_memory(err);
    g->job = job;
    g->most = g->allowed = (unsigned)job->x->parallel;
    g->least = t->min_parallel > g->most ? g->most : (unsigned)t->min_parallel;
    if (g->least == 0)
        g->least = 1;
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->free_place, NULL);
    job->governor = g;
    RV_LOG_INFO(job->env, "export '%s': pressure governor armed: parallel %u to %u", job->x->name,
                g->least, g->most);
    return RV_OK;
}

void rv_governor_close(rv_job *job)
{
    rv_governor *g = job->governor;
    if (!g)
        return;
    pthread_cond_destroy(&g->free_place);
    pthread_mutex_destroy(&g->lock);
    rv_free(g);
    job->governor = NULL;
}

/* ---- the gate ---- */

/* A stop has no wake of its own, so the wait looks up now and then. */
static void wait_for_place(rv_governor *g, bool (*stop)(void *ctx), void *ctx)
{
    while (g->active >= g->allowed) {
        struct timespec until;
        pthread_mutex_unlock(&g->lock);
        bool over = stop(ctx);
        pthread_mutex_lock(&g->lock);
        if (over)
            return;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += POLL_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (g->active >= g->allowed)
            (void)pthread_cond_timedwait(&g->free_place, &g->lock, &until);
    }
}

void rv_governor_enter(rv_job *job, bool (*stop)(void *ctx), void *ctx)
{
    rv_governor *g = job->governor;
    if (!g)
        return;
    pthread_mutex_lock(&g->lock);
    wait_for_place(g, stop, ctx);
    g->active++;
    pthread_mutex_unlock(&g->lock);
}

void rv_governor_yield(rv_job *job, bool (*stop)(void *ctx), void *ctx)
{
    rv_governor *g = job->governor;
    if (!g)
        return;
    pthread_mutex_lock(&g->lock);
    if (g->active > g->allowed) {
        g->active--;
        wait_for_place(g, stop, ctx);
        g->active++;
    }
    pthread_mutex_unlock(&g->lock);
}

void rv_governor_leave(rv_job *job)
{
    rv_governor *g = job->governor;
    if (!g)
        return;
    pthread_mutex_lock(&g->lock);
    g->active--;
    pthread_cond_broadcast(&g->free_place);
    pthread_mutex_unlock(&g->lock);
}

/* ---- changes ---- */

static void tell(rv_governor *g, unsigned from, unsigned to, const char *reason)
{
    rv_job *job = g->job;
    if (from == to)
        return;
    rv_journal_add(job->journal, "parallelism_adjusted", "iis", "from", (int64_t)from, "to",
                   (int64_t)to, "reason", reason);
    if (to < from)
        RV_LOG_WARN(job->env,
                    "export '%s': parallelism %u -> %u: %s; tuning.min_parallel sets the floor, "
                    "adaptive: false turns this off",
                    job->x->name, from, to, reason);
    else
        RV_LOG_INFO(job->env, "export '%s': parallelism %u -> %u: %s", job->x->name, from, to,
                    reason);
}

static void set_allowed(rv_governor *g, unsigned to, const char *reason)
{
    pthread_mutex_lock(&g->lock);
    unsigned from = g->allowed;
    g->allowed = to < g->least ? g->least : to > g->most ? g->most : to;
    to = g->allowed;
    pthread_cond_broadcast(&g->free_place);
    pthread_mutex_unlock(&g->lock);
    tell(g, from, to, reason);
}

static void step(rv_governor *g, int by, const char *reason)
{
    pthread_mutex_lock(&g->lock);
    unsigned now = g->allowed;
    pthread_mutex_unlock(&g->lock);
    set_allowed(g, by < 0 ? now - 1 : now + 1, reason);
}

void rv_governor_reading(rv_job *job, bool readable, int64_t value)
{
    rv_governor *g = job->governor;
    bool say = false;
    if (!g || g->is_static)
        return;
    bool first = !g->rule.have && g->rule.unreadable == 0;
    rv_move move = rv_governor_judge(&g->rule, readable, value, &say);
    if (say)
        rv_job_warn(job, "governor",
                    "the pressure counter cannot be read any more; parallelism steps back up");
    else if (first && !readable)
        rv_job_warn(job, "governor", "the pressure counter cannot be read; parallelism stays");
    if (move == RV_MOVE_FEWER)
        step(g, -1, "source pressure rose");
    else if (move == RV_MOVE_MORE)
        step(g, 1, readable ? "source pressure is flat" : "the counter is out of sight");
}

void rv_governor_lost(rv_job *job, const char *why)
{
    rv_governor *g = job->governor;
    if (!g || g->is_static)
        return;
    g->is_static = true;
    rv_job_warn(job, "governor", "the monitor's connection failed, parallelism is static: %s", why);
    set_allowed(g, g->most, "the monitor is gone");
}

void rv_governor_blocked(rv_job *job)
{
    if (job->governor)
        set_allowed(job->governor, job->governor->least, "another session waits for this run");
}

void rv_governor_cancelled(rv_job *job)
{
    if (job->governor)
        step(job->governor, -1, "the server cancelled a statement");
}
