#include <string.h>

#include "base/mem.h"
#include "engine/execute_internal.h"

#define RV_TARGET "engine"

typedef struct rv_pool {
    rv_job *job;
    const rv_work *work;
    bool parallel;             /* several ranges: names carry the range */
    size_t next;               /* under job->lock: task or range to take, without a checkpoint */
    bool stop;                 /* under job->lock */
    pthread_mutex_t claims;    /* a task given back by a failure is not claimed again by this run */
    rv_error error;            /* the worst so far */
    const char *last_position; /* of the last range */
} rv_pool;

typedef struct rv_thread {
    rv_pool *pool;
    rv_worker worker;
    rv_arena scratch;
    rv_task_row task; /* being worked on */
    pthread_t id;
    bool started, shared;
} rv_thread;

static bool stopped(rv_pool *p)
{
    pthread_mutex_lock(&p->job->lock);
    bool stop = p->stop;
    pthread_mutex_unlock(&p->job->lock);
    return stop || rv_cancel_raised(p->job->env->cancel);
}

static void pool_failed(rv_pool *p, const rv_error *err)
{
    pthread_mutex_lock(&p->job->lock);
    p->stop = true;
    int worse = p->error.code == RV_OK ? -1 : rv_class_exit(rv_code(p->error.code)->class_);
    int now = rv_class_exit(rv_code(err->code)->class_);
    if (worse < 0 || rv_exit_worse(worse, now) != worse)
        p->error = *err;
    pthread_mutex_unlock(&p->job->lock);
}

/* ---- chunks ---- */

static rv_status claim_task(rv_thread *t, bool *out_found, rv_error *err)
{
    rv_pool *p = t->pool;
    if (p->job->checkpoint) {
        rv_status st = RV_OK;
        pthread_mutex_lock(&p->claims);
        *out_found = false;
        if (!stopped(p))
            st = rv_state_task_claim(p->job->state, &p->job->lease, &t->scratch, &t->task,
                                     out_found, err);
        pthread_mutex_unlock(&p->claims);
        return st;
    }
    pthread_mutex_lock(&p->job->lock);
    *out_found = p->next < p->work->tasks.n;
    if (*out_found)
        t->task = p->work->tasks.rows[p->next++];
    pthread_mutex_unlock(&p->job->lock);
    return RV_OK;
}

static rv_status may_retry_task(void *ctx, const rv_error *cause, bool *out_allowed, rv_error *err)
{
    rv_thread *t = ctx;
    rv_job *job = t->pool->job;
    (void)cause;
    RV_TRY(rv_state_task_retry(job->state, &job->lease, t->task.chunk_index, out_allowed, err));
    pthread_mutex_lock(&job->lock);
    job->chunks_retried += *out_allowed;
    pthread_mutex_unlock(&job->lock);
    return RV_OK;
}

static rv_status do_task(rv_thread *t, rv_error *err)
{
    rv_job *job = t->pool->job;
    rv_unit unit;
    rv_unit_result result = {0};
    rv_status st;
    rv_journal_add(job->journal, "chunk_started", "iss", "chunk_index", t->task.chunk_index,
                   "start_key", t->task.start_key, "end_key", t->task.end_key);
    RV_GO(rv_plan_task_unit(job, &t->task, &t->scratch, &unit, err));
    RV_GO(rv_state_unit_unseal(job->state, &job->lease, unit.name, err));
    RV_GO(rv_unit_extract(&t->worker, &unit, &result, err));
    rv_unit_done done = {.kind = job->checkpoint ? RV_UNIT_TASK : RV_UNIT_SINGLE,
                         .chunk_index = t->task.chunk_index};
    RV_GO(rv_unit_commit(job, &unit, unit.key_high, &result, &done, err));
done:
    rv_unit_result_free(&result);
    return st;
}

static void task_failed(rv_thread *t, const rv_error *err)
{
    rv_job *job = t->pool->job;
    rv_error ignored = {0};
    bool interrupted = err->code == RV_E_INTERRUPTED;
    rv_journal_add(job->journal, "chunk_failed", "isi", "chunk_index", t->task.chunk_index, "error",
                   err->text, "attempt", t->task.attempts);
    if (!job->checkpoint)
        return;
    pool_failed(t->pool, err);
    pthread_mutex_lock(&t->pool->claims);
    rv_status st = rv_state_task_release(job->state, &job->lease, t->task.chunk_index, !interrupted,
                                         err->text, &ignored);
    pthread_mutex_unlock(&t->pool->claims);
    if (st != RV_OK)
        RV_LOG_WARN(job->env, "chunk %lld could not be released: %s",
                    (long long)t->task.chunk_index, ignored.text);
}

static rv_status work_tasks(rv_thread *t, rv_error *err)
{
    bool found = true;
    if (t->pool->job->checkpoint) {
        t->worker.reader.may_retry = may_retry_task;
        t->worker.reader.retry_ctx = t;
    }
    while (!stopped(t->pool)) {
        RV_TRY(claim_task(t, &found, err));
        if (!found)
            return RV_OK;
        rv_status st = do_task(t, err);
        if (st != RV_OK) {
            task_failed(t, err);
            return st;
        }
        rv_arena_free(&t->scratch);
        t->scratch = RV_ARENA_INIT;
    }
    return rv_cancel_check(t->pool->job->env->cancel, err);
}

/* ---- keyset ranges ---- */

static rv_status do_keyset_unit(rv_thread *t, rv_range_row *range, rv_error *err)
{
    rv_pool *p = t->pool;
    rv_job *job = p->job;
    rv_unit unit;
    rv_unit_result result = {0};
    const char *high = range->position;
    rv_status st;
    RV_GO(rv_plan_range_unit(job, range, p->parallel, range->position, range->hi,
                             p->work->unit_rows, &t->scratch, &unit, err));
    RV_GO(rv_state_unit_unseal(job->state, &job->lease, unit.name, err));
    RV_GO(rv_unit_extract(&t->worker, &unit, &result, err));
    if (result.n_last) {
        pthread_mutex_lock(&job->lock);
        st = rv_key_to_text(result.last, result.n_last, &job->arena, &high, err);
        pthread_mutex_unlock(&job->lock);
        if (st != RV_OK)
            goto done;
    }
    range->done = !result.limited;
    rv_unit_done done = {.kind = job->checkpoint ? RV_UNIT_RANGE : RV_UNIT_SINGLE,
                         .range_index = range->range_index,
                         .position = high,
                         .next_unit = range->next_unit + 1,
                         .range_done = range->done};
    RV_GO(rv_unit_commit(job, &unit, high, &result, &done, err));
    range->position = high;
    range->next_unit++;
done:
    rv_unit_result_free(&result);
    return st;
}

static rv_range_row *take_range(rv_pool *p)
{
    rv_range_row *range = NULL;
    pthread_mutex_lock(&p->job->lock);
    while (!range && p->next < p->work->ranges.n) {
        range = &p->work->ranges.rows[p->next++];
        if (range->done)
            range = NULL;
    }
    pthread_mutex_unlock(&p->job->lock);
    return range;
}

static rv_status work_ranges(rv_thread *t, rv_error *err)
{
    rv_range_row *range;
    while (!stopped(t->pool) && (range = take_range(t->pool))) {
        while (!range->done) {
            if (stopped(t->pool))
                return rv_cancel_check(t->pool->job->env->cancel, err);
            RV_TRY(do_keyset_unit(t, range, err));
            rv_arena_free(&t->scratch);
            t->scratch = RV_ARENA_INIT;
        }
    }
    return rv_cancel_check(t->pool->job->env->cancel, err);
}

/* ---- the pool ---- */

static void *thread_main(void *arg)
{
    rv_thread *t = arg;
    rv_error err = {0};
    size_t n = t->pool->job->x->parallel;
    rv_status st = rv_worker_open(&t->worker, t->pool->job, t->shared ? t->pool->job->source : NULL,
                                  (unsigned)n, &err);
    if (st == RV_OK)
        st = t->pool->work->kind == RV_WORK_TASKS ? work_tasks(t, &err) : work_ranges(t, &err);
    if (st != RV_OK)
        pool_failed(t->pool, &err);
    rv_worker_close(&t->worker);
    rv_arena_free(&t->scratch);
    return NULL;
}

rv_status rv_pool_run(rv_job *job, const rv_work *work, rv_error *err)
{
    size_t units = work->kind == RV_WORK_TASKS ? work->tasks.n : work->ranges.n;
    size_t n = job->x->parallel < units ? (size_t)job->x->parallel : units;
    rv_pool pool = {.job = job, .work = work, .parallel = work->ranges.n > 1};
    if (n == 0)
        return RV_OK;
    rv_thread *threads = rv_calloc(n, sizeof *threads);
    if (!threads)
        return rv_fail_memory(err);
    pthread_mutex_init(&pool.claims, NULL);
    for (size_t i = 0; i < n; i++) {
        threads[i].pool = &pool;
        threads[i].shared = i == 0;
        threads[i].started =
            i > 0 && pthread_create(&threads[i].id, NULL, thread_main, &threads[i]) == 0;
    }
    (void)thread_main(&threads[0]); /* this thread is worker 0 */
    for (size_t i = 1; i < n; i++)
        if (threads[i].started)
            (void)pthread_join(threads[i].id, NULL);
    rv_free(threads);
    pthread_mutex_destroy(&pool.claims);
    if (pool.error.code == RV_OK)
        return RV_OK;
    *err = pool.error;
    return err->code;
}
