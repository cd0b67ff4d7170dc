#include <string.h>

#include "base/mem.h"
#include "engine/execute_internal.h"
#include "engine/governor.h"
#include "engine/reading.h"
#include "engine/upload.h"

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

/* A unit that was read. Its parts are on their way while its worker reads on, or, within the run's
 * snapshot, wait in the spool until all reading is over. Units of a worker commit in their order.
 */
typedef struct rv_read_unit {
    rv_unit unit;
    rv_unit_work work;
    rv_unit_done done;
    rv_task_row task;
    const char *high;
    rv_arena scratch; /* its bounds */
} rv_read_unit;

typedef struct rv_thread {
    rv_pool *pool;
    rv_worker worker;
    rv_arena scratch;
    rv_task_row task; /* being read */
    rv_read_unit *read;
    size_t first, n_read, read_cap; /* first: the oldest that is not committed */
    bool held;                      /* they wait for the end of the snapshot */
    rv_error behind; /* of a key range: the unit that is not committed; later ones only sealed */
    pthread_t id;
    size_t index;
    bool started;
} rv_thread;

static bool stopped(void *pool)
{
    rv_pool *p = pool;
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

/* A position never moves past a unit that is not committed: what follows it in its range is sealed,
 * and the next run goes on there. */
static rv_status seal_behind(rv_thread *t, rv_read_unit *u, const rv_unit_result *result,
                             rv_error *err)
{
    RV_TRY(rv_unit_seal_and_check(t->pool->job, &u->unit, u->high, result, NULL, err));
    *err = t->behind;
    return err->code;
}

static rv_status deliver_and_commit(rv_thread *t, rv_read_unit *u, rv_error *err)
{
    rv_job *job = t->pool->job;
    rv_unit_result result = {0};
    rv_status st;
    RV_GO(rv_unit_deliver(&u->work, &result, err));
    if (t->behind.code != RV_OK) {
        st = seal_behind(t, u, &result, err);
        goto done;
    }
    RV_GO(rv_unit_commit(job, &u->unit, u->high, &result, &u->done, err));
    pthread_mutex_lock(&job->lock);
    job->units_committed++;
    pthread_mutex_unlock(&job->lock);
done:
    rv_unit_result_free(&result);
    return st;
}

static rv_status remember(rv_thread *t, rv_read_unit *u, rv_error *err)
{
    if (t->first == t->n_read)
        t->first = t->n_read = 0;
    if (t->n_read == t->read_cap) {
        size_t cap = t->read_cap ? t->read_cap * 2 : 16;
        rv_read_unit *grown = rv_realloc_array(t->read, cap, sizeof *grown);
        if (!grown)
            return rv_fail_memory(err);
        t->read = grown;
        t->read_cap = cap;
    }
    u->task = t->task;
    u->scratch = t->scratch;
    t->scratch = RV_ARENA_INIT;
    t->read[t->n_read++] = *u;
    u->work = (rv_unit_work){0};
    return RV_OK;
}

static void task_failed(rv_thread *t, const rv_task_row *task, const rv_error *err);

/* The oldest of what was read, committed or not. */
static rv_status end_oldest(rv_thread *t, rv_error *err)
{
    rv_read_unit *u = &t->read[t->first++];
    rv_status st = deliver_and_commit(t, u, err);
    if (st != RV_OK && t->pool->work->kind == RV_WORK_TASKS)
        task_failed(t, &u->task, err);
    else if (st != RV_OK && t->behind.code == RV_OK)
        t->behind = *err;
    rv_unit_work_free(&u->work);
    rv_arena_free(&u->scratch);
    return st;
}

/* Those whose parts have arrived, and whatever is above `most`. */
static rv_status end_arrived(rv_thread *t, size_t most, rv_error *err)
{
    while (t->first < t->n_read &&
           (t->n_read - t->first > most || rv_unit_arrived(&t->read[t->first].work)))
        RV_TRY(end_oldest(t, err));
    return RV_OK;
}

static void end_all(rv_thread *t)
{
    rv_error err = {0};
    while (t->first < t->n_read)
        if (end_oldest(t, &err) != RV_OK)
            pool_failed(t->pool, &err);
}

/* Within a snapshot a unit waits: an upload must not keep the instant open, and a run that has to
 * begin anew must not have committed a part of the old one. */
static rv_status finish_unit(rv_thread *t, rv_read_unit *u, rv_error *err)
{
    rv_status st = RV_OK;
    t->held = t->worker.reader.in_snapshot && !t->worker.reader.own_snapshot;
    if (!t->held)
        st = rv_unit_offer(&u->work, err);
    if (st == RV_OK)
        st = remember(t, u, err);
    rv_unit_work_free(&u->work);
    return st;
}

/* What an earlier process read of the unit; a new run has none, and claims each unit once. */
static rv_status unseal_earlier(rv_job *job, const char *unit, rv_error *err)
{
    return job->resumed ? rv_state_unit_unseal(job->state, &job->lease, unit, err) : RV_OK;
}

static rv_status do_task(rv_thread *t, rv_error *err)
{
    rv_job *job = t->pool->job;
    rv_read_unit u = {0};
    rv_journal_add(job->journal, "chunk_started", "iss", "chunk_index", t->task.chunk_index,
                   "start_key", t->task.start_key, "end_key", t->task.end_key);
    RV_TRY(rv_plan_task_unit(job, &t->task, &t->scratch, &u.unit, err));
    RV_TRY(unseal_earlier(job, u.unit.name, err));
    RV_TRY(rv_unit_read(&t->worker, &u.unit, &u.work, err));
    u.high = u.unit.key_high;
    u.done = (rv_unit_done){.kind = job->checkpoint ? RV_UNIT_TASK : RV_UNIT_SINGLE,
                            .chunk_index = t->task.chunk_index};
    return finish_unit(t, &u, err);
}

static void task_failed(rv_thread *t, const rv_task_row *task, const rv_error *err)
{
    rv_job *job = t->pool->job;
    rv_error ignored = {0};
    bool interrupted = err->code == RV_E_INTERRUPTED;
    rv_journal_add(job->journal, "chunk_failed", "isi", "chunk_index", task->chunk_index, "error",
                   err->text, "attempt", task->attempts);
    if (!job->checkpoint)
        return;
    pool_failed(t->pool, err);
    pthread_mutex_lock(&t->pool->claims);
    rv_status st = rv_state_task_release(job->state, &job->lease, task->chunk_index, !interrupted,
                                         err->text, &ignored);
    pthread_mutex_unlock(&t->pool->claims);
    if (st != RV_OK)
        RV_LOG_WARN(job->env, "chunk %lld could not be released: %s", (long long)task->chunk_index,
                    ignored.text);
}

static void forget_scratch(rv_thread *t)
{
    rv_arena_free(&t->scratch);
    t->scratch = RV_ARENA_INIT;
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
            task_failed(t, &t->task, err);
            return st;
        }
        forget_scratch(t);
        if (!t->held)
            RV_TRY(end_arrived(t, rv_uploads_units(t->pool->job), err));
        rv_governor_yield(t->pool->job, stopped, t->pool);
    }
    return rv_cancel_check(t->pool->job->env->cancel, err);
}

/* ---- keyset ranges ---- */

static rv_status do_keyset_unit(rv_thread *t, rv_range_row *range, rv_error *err)
{
    rv_pool *p = t->pool;
    rv_job *job = p->job;
    rv_read_unit u = {.high = range->position};
    rv_status st;
    RV_TRY(rv_plan_range_unit(job, range, p->parallel, range->position, range->hi,
                              p->work->unit_rows, &t->scratch, &u.unit, err));
    RV_TRY(unseal_earlier(job, u.unit.name, err));
    RV_GO(rv_unit_read(&t->worker, &u.unit, &u.work, err));
    if (u.work.n_last) {
        pthread_mutex_lock(&job->lock);
        st = rv_key_to_text(u.work.last, u.work.n_last, &job->arena, &u.high, err);
        pthread_mutex_unlock(&job->lock);
        if (st != RV_OK)
            goto done;
    }
    const char *high = u.high;
    bool range_done = !u.work.limited;
    u.done = (rv_unit_done){.kind = job->checkpoint ? RV_UNIT_RANGE : RV_UNIT_SINGLE,
                            .range_index = range->range_index,
                            .position = high,
                            .next_unit = range->next_unit + 1,
                            .range_done = range_done};
    RV_GO(finish_unit(t, &u, err));
    range->done = range_done;
    range->position = high;
    range->next_unit++;
done:
    rv_unit_work_free(&u.work);
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
            forget_scratch(t);
            if (!t->held)
                RV_TRY(end_arrived(t, rv_uploads_units(t->pool->job), err));
        }
    }
    return rv_cancel_check(t->pool->job->env->cancel, err);
}

/* ---- the pool ---- */

static void yield_page(void *thread)
{
    rv_thread *t = thread;
    rv_governor_yield(t->pool->job, stopped, t->pool);
}

static rv_status open_worker(rv_thread *t, rv_error *err)
{
    rv_job *job = t->pool->job;
    rv_source *taken = rv_reading_take(job, t->index);
    rv_status st = rv_worker_open(&t->worker, job, t->index == 0 ? job->source : taken,
                                  (unsigned)job->x->parallel, err);
    if (st != RV_OK) {
        if (taken)
            job->sd->close(taken);
        return st;
    }
    t->worker.reader.own_source = t->index > 0;
    if (t->pool->work->kind == RV_WORK_RANGES && job->governor) {
        t->worker.reader.yield = yield_page;
        t->worker.reader.yield_ctx = t;
    }
    return RV_OK;
}

static void *thread_main(void *arg)
{
    rv_thread *t = arg;
    rv_error err = {0};
    rv_job *job = t->pool->job;
    rv_governor_enter(job, stopped, t->pool);
    rv_status st = open_worker(t, &err);
    if (st == RV_OK)
        st = t->pool->work->kind == RV_WORK_TASKS ? work_tasks(t, &err) : work_ranges(t, &err);
    if (st != RV_OK)
        pool_failed(t->pool, &err);
    bool counted_in = job->reconcile && job->snapshot_open && t->index == 0;
    if (t->worker.open && !counted_in)
        rv_reader_release(&t->worker.reader);
    rv_worker_close(&t->worker);
    rv_governor_leave(job);
    if (!t->held)
        end_all(t);
    return NULL;
}

/* Once an upload failed or a signal came, the others are only recorded and sealed: all was read,
 * and the next run sends it. */
static void offer_held(rv_thread *t, rv_read_unit *u)
{
    rv_pool *p = t->pool;
    rv_error err = {0}, why = {0};
    pthread_mutex_lock(&p->job->lock);
    if (p->stop)
        why = p->error;
    pthread_mutex_unlock(&p->job->lock);
    if (why.code == RV_OK)
        (void)!rv_cancel_check(p->job->env->cancel, &why);
    rv_status st = RV_OK;
    if (why.code != RV_OK)
        st = rv_parts_withhold(&u->work.parts, &why, &err);
    if (st == RV_OK)
        st = rv_unit_offer(&u->work, &err);
    if (st != RV_OK)
        pool_failed(p, &err); /* its end fails likewise */
}

/* All reading is over and every instant ended: what waited is uploaded and committed. */
static void commit_held(rv_thread *t)
{
    size_t offered = t->first;
    while (t->first < t->n_read) {
        rv_error err = {0};
        size_t most = t->first + rv_uploads_units(t->pool->job);
        while (offered < t->n_read && offered <= most)
            offer_held(t, &t->read[offered++]);
        if (end_oldest(t, &err) != RV_OK)
            pool_failed(t->pool, &err);
    }
}

static void free_thread(rv_thread *t)
{
    for (size_t i = t->first; i < t->n_read; i++) {
        rv_unit_work_free(&t->read[i].work);
        rv_arena_free(&t->read[i].scratch);
    }
    rv_free(t->read);
    rv_arena_free(&t->scratch);
}

/* --reconcile: a count belongs to the instant of the reading, and an upload must not keep it open.
 */
static rv_status count_read(rv_job *job, const rv_thread *threads, size_t n, rv_error *err)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = threads[i].first; k < threads[i].n_read; k++) {
            const rv_read_unit *u = &threads[i].read[k];
            RV_TRY(rv_tally_unit(job, &u->unit, &u->task, u->high, u->work.parts.sums.rows, err));
            job->counted.done = true;
        }
    }
    return RV_OK;
}

static void end_instant(rv_pool *p, const rv_thread *threads, size_t n)
{
    rv_error err = {0};
    if (!p->job->reconcile || !p->job->snapshot_open)
        return;
    if (!stopped(p) && count_read(p->job, threads, n, &err) != RV_OK)
        pool_failed(p, &err);
    rv_reading_end_instant(p->job);
}

static void run_threads(rv_thread *threads, size_t n)
{
    for (size_t i = 1; i < n; i++)
        threads[i].started = pthread_create(&threads[i].id, NULL, thread_main, &threads[i]) == 0;
    (void)thread_main(&threads[0]); /* this thread is worker 0 */
    for (size_t i = 1; i < n; i++)
        if (threads[i].started)
            (void)pthread_join(threads[i].id, NULL);
    end_instant(threads[0].pool, threads, n);
    bool whole = !stopped(threads[0].pool);
    for (size_t i = 0; i < n; i++) {
        if (whole)
            commit_held(&threads[i]);
        free_thread(&threads[i]);
    }
}

/* An instant ends with its process: the rest of a checkpoint would come from another one. */
static rv_status refuse_second_instant(rv_job *job, rv_error *err)
{
    if (!job->resumed || !job->snapshot_open || job->chunks_done == 0)
        return RV_OK;
    rv_status st = rv_fail(err, RV_E_RUN_CHECKPOINT,
                           "export '%s': the unfinished checkpoint holds units of a snapshot that "
                           "is gone; another instant must not be mixed with it",
                           job->x->name);
    rv_hint(err, "drop it with `rivet state reset-chunks -e %s` and start fresh", job->x->name);
    return st;
}

static bool work_left(const rv_work *work)
{
    for (size_t i = 0; i < work->tasks.n; i++)
        if (strcmp(work->tasks.rows[i].status, "completed") != 0)
            return true;
    for (size_t i = 0; i < work->ranges.n; i++)
        if (!work->ranges.rows[i].done)
            return true;
    return false;
}

rv_status rv_pool_run(rv_job *job, const rv_work *work, rv_error *err)
{
    size_t units = work->kind == RV_WORK_TASKS ? work->tasks.n : work->ranges.n;
    size_t n = job->x->parallel < units ? (size_t)job->x->parallel : units;
    rv_pool pool = {.job = job, .work = work, .parallel = work->ranges.n > 1};
    if (job->snapshot_open && n > job->snapshot_size)
        n = job->snapshot_size;
    if (n == 0)
        return RV_OK;
    if (work_left(work))
        RV_TRY(refuse_second_instant(job, err));
    rv_thread *threads = rv_calloc(n, sizeof *threads);
    if (!threads)
        return rv_fail_memory(err);
    pthread_mutex_init(&pool.claims, NULL);
    for (size_t i = 0; i < n; i++) {
        threads[i].pool = &pool;
        threads[i].index = i;
    }
    run_threads(threads, n);
    rv_free(threads);
    pthread_mutex_destroy(&pool.claims);
    if (pool.error.code == RV_OK)
        return RV_OK;
    *err = pool.error;
    return err->code;
}
