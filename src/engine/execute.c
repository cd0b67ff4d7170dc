#include "engine/execute.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/mem.h"
#include "engine/chunks.h"
#include "engine/settle.h"

#define RV_TARGET "engine"

/* ---- one unit's commit ---- */

/* Seal, then whatever failed to upload, then validation: the order of the page. */
static rv_status seal_and_check(rv_job *job, const rv_unit *unit, const char *key_high,
                                const rv_unit_result *result, const char *position_json,
                                rv_error *err)
{
    RV_TRY(rv_unit_drop_surplus(job, unit->name, result, err));
    RV_TRY(rv_unit_seal(job, unit, key_high, result, position_json, err));
    if (result->upload_error.code != RV_OK) {
        *err = result->upload_error;
        return err->code;
    }
    if (job->opts->validate)
        RV_TRY(rv_unit_validate(job, unit->name, err));
    return RV_OK;
}

/* Sends what an earlier process left in the spool of a sealed unit. */
static rv_status upload_rest(rv_job *job, const char *unit, rv_error *err)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_part_rows parts = {0};
    rv_status st = rv_state_parts(job->state, job->run_id, unit, &scratch, &parts, err);
    for (size_t i = 0; st == RV_OK && i < parts.n; i++) {
        rv_put_outcome outcome;
        bool pending = strcmp(parts.rows[i].status, "pending") == 0;
        if (!pending && !parts.rows[i].spool_path)
            continue;
        st = rv_part_upload(job, &parts.rows[i], true, &outcome, err);
        if (st == RV_OK && outcome == RV_PUT_FOREIGN)
            st = rv_fail(err, RV_E_DEST_CONFLICT, "%s belongs to somebody else",
                         parts.rows[i].file_name);
    }
    if (st == RV_OK && job->opts->validate)
        st = rv_unit_validate(job, unit, err);
    rv_arena_free(&scratch);
    return st;
}

/* ---- single unit ---- */

static rv_status resume_sealed(rv_job *job, rv_executed *out, rv_error *err)
{
    rv_unit_rows units = {0};
    rv_part_rows parts = {0};
    rv_sums sums = {0};
    const char *position = NULL;
    RV_TRY(upload_rest(job, "0", err));
    RV_TRY(rv_state_units(job->state, job->run_id, &job->arena, &units, err));
    RV_TRY(rv_state_parts(job->state, job->run_id, "0", &job->arena, &parts, err));
    if (units.n != 1)
        return rv_fail(err, RV_E_INTERNAL, "a sealed run has %zu units", units.n);
    RV_TRY(rv_sums_from_json(units.rows[0].accumulators, job->schema.n_columns, &sums, &job->arena,
                             &position, err));
    job->rows += (int64_t)sums.rows;
    rv_sums_free(&sums);
    for (size_t i = 0; i < parts.n; i++) {
        job->files++;
        job->bytes += parts.rows[i].bytes;
    }
    *out = (rv_executed){.single = true, .rows = (uint64_t)units.rows[0].rows, .parts = parts.n};
    if (parts.n)
        out->first_name = parts.rows[0].file_name;
    if (position)
        RV_TRY(rv_position_from_json(position, &job->arena, &out->position, &out->moved, err));
    return RV_OK;
}

static rv_status commit_single(rv_job *job, rv_cursor *cursor, const rv_unit *unit,
                               const rv_unit_result *result, rv_executed *out, rv_error *err)
{
    const char *position_json = NULL;
    *out = (rv_executed){.single = true,
                         .rows = result->rows,
                         .parts = result->parts,
                         .first_name = result->parts ? result->names[0] : NULL};
    if (cursor) {
        RV_TRY(rv_cursor_finish(cursor, result, &out->position, &out->moved, err));
        RV_TRY(rv_position_to_json(&out->position, out->moved, &job->arena, &position_json, err));
    }
    out->skipped = result->rows == 0 && job->x->skip_empty;
    if (out->skipped || job->to_stdout)
        return RV_OK;
    return seal_and_check(job, unit, out->position.last_cursor_value, result, position_json, err);
}

static rv_status store_cursor_bounds(rv_job *job, const rv_cursor *c, rv_error *err)
{
    rv_run_facts facts = {.cursor_low = c->low, .cursor_bound = c->bound};
    return rv_state_run_facts(job->state, &job->lease, &facts, err);
}

static rv_status execute_single(rv_job *job, rv_executed *out, rv_error *err)
{
    rv_work work = {0};
    rv_cursor cursor = {0};
    rv_worker worker = {0};
    rv_unit_result result = {0};
    rv_position_row position = {0};
    bool incremental = job->mode == RV_INCREMENTAL, have = false;
    rv_status st;
    RV_GO(rv_state_position_get(job->state, job->x->name, &job->arena, &position, &have, err));
    if (incremental) {
        RV_GO(rv_cursor_plan(&cursor, job, have ? &position : NULL, &work, err));
        RV_GO(store_cursor_bounds(job, &cursor, err));
    } else {
        RV_GO(rv_plan_single(job, &work, err));
    }
    work.single.empty_file = !job->x->skip_empty;
    if (job->resumed) /* unsealed first, so a crash never commits a mixture of two readings */
        RV_GO(rv_state_unit_unseal(job->state, &job->lease, work.single.name, err));
    RV_GO(rv_worker_open(&worker, job, job->source, 1, err));
    RV_GO(rv_unit_extract(&worker, &work.single, &result, err));
    RV_GO(commit_single(job, incremental ? &cursor : NULL, &work.single, &result, out, err));
done:
    rv_worker_close(&worker);
    rv_unit_result_free(&result);
    rv_cursor_free(&cursor);
    return st;
}

/* ---- many units ---- */

typedef struct rv_pool {
    rv_job *job;
    const rv_work *work;
    bool parallel;             /* several ranges: names carry the range */
    size_t next;               /* under job->lock: task or range to take, without a checkpoint */
    bool stop;                 /* under job->lock */
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

static void unit_committed(rv_job *job, const rv_unit_row *unit, const char *file)
{
    char total[24] = "";
    rv_journal_add(job->journal, "chunk_completed", "siis", "unit", unit->unit, "chunk_index",
                   rv_name_chunk_index(unit->unit), "rows", unit->rows, "file_name", file);
    const rv_run_hooks *hooks = job->opts->hooks;
    pthread_mutex_lock(&job->lock);
    job->chunks_done++;
    if (hooks && hooks->progress)
        hooks->progress(hooks->ctx, job->x->name, job->chunks_done, job->rows);
    if (job->chunks_total > 0)
        (void)snprintf(total, sizeof total, "/%lld", (long long)job->chunks_total);
    RV_LOG_INFO(job->env, "export '%s': chunk %lld%s (%s..%s) %lld rows", job->x->name,
                (long long)job->chunks_done, total, unit->key_low ? unit->key_low : "",
                unit->key_high ? unit->key_high : "", (long long)unit->rows);
    pthread_mutex_unlock(&job->lock);
    RV_KILL_POINT("unit-committed");
}

static rv_status commit_unit(rv_job *job, const rv_unit *unit, const char *key_high,
                             const rv_unit_result *result, rv_unit_done *done, rv_error *err)
{
    RV_TRY(seal_and_check(job, unit, key_high, result, NULL, err));
    done->unit = unit->name;
    done->rows = (int64_t)result->rows;
    done->file_name = result->parts ? result->names[0] : NULL;
    RV_TRY(rv_state_unit_done(job->state, &job->lease, done, err));
    if (job->opts->validate)
        rv_unit_drop_spool(job, unit->name);
    const rv_unit_row row = {
        .unit = unit->name, .key_low = unit->key_low, .key_high = key_high, .rows = done->rows};
    unit_committed(job, &row, done->file_name);
    return RV_OK;
}

/* ---- chunks ---- */

static rv_status claim_task(rv_thread *t, bool *out_found, rv_error *err)
{
    rv_pool *p = t->pool;
    if (p->job->checkpoint)
        return rv_state_task_claim(p->job->state, &p->job->lease, &t->scratch, &t->task, out_found,
                                   err);
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
    job->chunks_retried++;
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
    RV_GO(commit_unit(job, &unit, unit.key_high, &result, &done, err));
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
    if (job->checkpoint && rv_state_task_release(job->state, &job->lease, t->task.chunk_index,
                                                 !interrupted, err->text, &ignored) != RV_OK)
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
    RV_GO(commit_unit(job, &unit, high, &result, &done, err));
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

static rv_status run_pool(rv_job *job, const rv_work *work, rv_error *err)
{
    size_t units = work->kind == RV_WORK_TASKS ? work->tasks.n : work->ranges.n;
    size_t n = job->x->parallel < units ? (size_t)job->x->parallel : units;
    rv_pool pool = {.job = job, .work = work, .parallel = work->ranges.n > 1};
    if (n == 0)
        return RV_OK;
    rv_thread *threads = rv_calloc(n, sizeof *threads);
    if (!threads)
        return rv_fail_memory(err);
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
    if (pool.error.code == RV_OK)
        return RV_OK;
    *err = pool.error;
    return err->code;
}

static void announce(rv_job *job, int64_t total)
{
    job->chunks_total = total;
    if (job->opts->hooks && job->opts->hooks->planned)
        job->opts->hooks->planned(job->opts->hooks->ctx, job->x->name, total);
}

static rv_status begin_checkpoint(rv_job *job, const rv_work *work, rv_error *err)
{
    const char *strategy;
    RV_TRY(rv_plan_strategy(job, &job->arena, &strategy, err));
    rv_checkpoint_row row = {.run_id = job->run_id,
                             .export_name = job->x->name,
                             .plan_hash = job->plan_hash,
                             .strategy = strategy,
                             .max_attempts = (int64_t)job->x->chunk_max_attempts};
    RV_TRY(
        rv_state_checkpoint_begin(job->state, &job->lease, &row, &work->tasks, &work->ranges, err));
    RV_KILL_POINT("checkpoint-begun");
    return RV_OK;
}

static rv_status plan_new(rv_job *job, rv_work *work, rv_error *err)
{
    rv_position_row position = {0};
    bool have = false;
    *work = (rv_work){.kind = job->keyset ? RV_WORK_RANGES : RV_WORK_TASKS,
                      .unit_rows = job->x->chunk_size};
    if (job->keyset) {
        if (job->x->keyset_incremental)
            RV_TRY(rv_state_position_get(job->state, job->x->name, &job->arena, &position, &have,
                                         err));
        RV_TRY(rv_ranges_make(job, have ? position.keyset_high : NULL, &work->ranges, err));
    } else {
        RV_TRY(rv_chunks_make(job, &work->tasks, err));
    }
    return job->checkpoint ? begin_checkpoint(job, work, err) : RV_OK;
}

/* ---- continuing a checkpoint ---- */

static rv_status parts_present(rv_job *job, const rv_unit_row *u, bool *out, rv_error *err)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_part_rows parts = {0};
    rv_status st = rv_state_parts(job->state, job->run_id, u->unit, &scratch, &parts, err);
    *out = true;
    for (size_t i = 0; st == RV_OK && i < parts.n; i++) {
        const rv_part_row *p = &parts.rows[i];
        rv_object obj;
        bool found = false;
        if (strcmp(p->status, "committed") != 0)
            continue;
        st = job->dd->stat(job->dest, p->file_name, &obj, &found, err);
        if (st == RV_OK && (!found || obj.size_bytes != (uint64_t)p->bytes ||
                            (obj.md5[0] && strcmp(obj.md5, p->md5) != 0))) {
            RV_LOG_WARN(job->env, "export '%s': %s is %s; unit %s is done again", job->x->name,
                        p->file_name, found ? "not what was written" : "gone", u->unit);
            *out = false;
        }
    }
    rv_arena_free(&scratch);
    return st;
}

static rv_range_row *range_of(const rv_work *work, const char *unit)
{
    const char *digits = unit + strlen("keyset");
    int64_t index = 0;
    if (work->ranges.n > 1 && strchr(digits, '-'))
        index = strtoll(digits, NULL, 10);
    for (size_t i = 0; i < work->ranges.n; i++)
        if (work->ranges.rows[i].range_index == index)
            return &work->ranges.rows[i];
    return NULL;
}

/* A keyset unit is redone within its own bounds, whatever lies beyond. */
static rv_status redo_keyset_unit(rv_job *job, const rv_work *work, const rv_unit_row *u,
                                  rv_error *err)
{
    rv_thread t = {.pool = NULL};
    rv_unit unit;
    rv_unit_result result = {0};
    rv_range_row *range = range_of(work, u->unit);
    rv_status st;
    if (!range)
        return rv_fail(err, RV_E_STATE_DAMAGED, "unit %s has no range", u->unit);
    RV_GO(
        rv_plan_range_unit(job, range, false, u->key_low, u->key_high, 0, &t.scratch, &unit, err));
    (void)snprintf(unit.name, sizeof unit.name, "%s", u->unit);
    RV_GO(rv_state_unit_unseal(job->state, &job->lease, u->unit, err));
    RV_GO(rv_worker_open(&t.worker, job, job->source, 1, err));
    RV_GO(rv_unit_extract(&t.worker, &unit, &result, err));
    rv_unit_done done = {.kind = RV_UNIT_SINGLE};
    RV_GO(commit_unit(job, &unit, u->key_high, &result, &done, err));
done:
    rv_worker_close(&t.worker);
    rv_unit_result_free(&result);
    rv_arena_free(&t.scratch);
    return st;
}

/* Number of a keyset unit within its range. */
static int64_t unit_number(const char *unit)
{
    const char *dash = strchr(unit, '-');
    return strtoll(dash ? dash + 1 : unit + strlen("keyset"), NULL, 10);
}

/* The unit transaction of a sealed keyset unit. One that was being redone lies behind its range's
 * position, which must not move back. */
static rv_status sealed_range_done(rv_work *work, const rv_unit_row *u, rv_unit_done *done,
                                   rv_error *err)
{
    rv_range_row *range = range_of(work, u->unit);
    if (!range)
        return rv_fail(err, RV_E_STATE_DAMAGED, "unit %s has no range", u->unit);
    if (unit_number(u->unit) < range->next_unit) {
        done->kind = RV_UNIT_SINGLE;
        return RV_OK;
    }
    range->position = u->key_high;
    range->next_unit++;
    range->done = (uint64_t)u->rows < work->unit_rows;
    done->kind = RV_UNIT_RANGE;
    done->range_index = range->range_index;
    done->position = range->position;
    done->next_unit = range->next_unit;
    done->range_done = range->done;
    return RV_OK;
}

static rv_status finish_sealed(rv_job *job, rv_work *work, const rv_unit_row *u, bool *out_done,
                               rv_error *err)
{
    bool intact = false;
    *out_done = false;
    RV_TRY(rv_settle_unit_intact(job, job->run_id, u->unit, &intact, err));
    if (!intact)
        return RV_OK;
    RV_TRY(upload_rest(job, u->unit, err));
    rv_unit_done done = {.unit = u->unit,
                         .rows = u->rows,
                         .kind = strcmp(u->unit, "0") == 0 ? RV_UNIT_SINGLE : RV_UNIT_TASK,
                         .chunk_index = rv_name_chunk_index(u->unit)};
    if (strncmp(u->unit, "keyset", strlen("keyset")) == 0)
        RV_TRY(sealed_range_done(work, u, &done, err));
    RV_TRY(rv_state_unit_done(job->state, &job->lease, &done, err));
    unit_committed(job, u, NULL);
    *out_done = true;
    return RV_OK;
}

/* A keyset unit that is gone or was never finished: one behind its range's position lies within its
 * own stored bounds; the next one of its range is read anyway. */
static rv_status redo_unit(rv_job *job, const rv_work *work, const rv_unit_row *u, rv_error *err)
{
    if (strncmp(u->unit, "keyset", strlen("keyset")) == 0) {
        const rv_range_row *range = range_of(work, u->unit);
        if (range && unit_number(u->unit) >= range->next_unit)
            return RV_OK;
        return redo_keyset_unit(job, work, u, err);
    }
    rv_unit_done redo = {.unit = u->unit,
                         .kind = strcmp(u->unit, "0") == 0 ? RV_UNIT_SINGLE : RV_UNIT_TASK,
                         .chunk_index = rv_name_chunk_index(u->unit)};
    return rv_state_unit_redo(job->state, &job->lease, &redo, err);
}

static rv_status recheck_unit(rv_job *job, rv_work *work, const rv_unit_row *u, rv_error *err)
{
    bool good = false;
    if (u->committed_at) {
        RV_TRY(parts_present(job, u, &good, err));
        if (good)
            job->chunks_done++;
    } else if (u->sealed_at) {
        RV_TRY(finish_sealed(job, work, u, &good, err));
    }
    if (!good)
        return redo_unit(job, work, u, err);
    job->rows += u->rows;
    return RV_OK;
}

static rv_status plan_resumed(rv_job *job, rv_work *work, rv_error *err)
{
    rv_unit_rows units = {0};
    *work = (rv_work){.kind = job->keyset ? RV_WORK_RANGES : RV_WORK_TASKS,
                      .unit_rows = job->x->chunk_size};
    RV_TRY(rv_state_tasks_resume(job->state, &job->lease, err));
    RV_TRY(rv_state_ranges(job->state, job->run_id, &job->arena, &work->ranges, err));
    RV_TRY(rv_state_tasks(job->state, job->run_id, &job->arena, &work->tasks, err));
    RV_TRY(rv_state_units(job->state, job->run_id, &job->arena, &units, err));
    for (size_t i = 0; i < units.n; i++)
        RV_TRY(recheck_unit(job, work, &units.rows[i], err));
    return RV_OK;
}

static rv_status empty_unit(rv_job *job, rv_error *err)
{
    rv_worker worker = {0};
    rv_unit unit = {.name = "0", .empty_file = true};
    rv_unit_result result = {0};
    rv_unit_done done = {.kind = RV_UNIT_SINGLE};
    rv_status st;
    RV_GO(rv_worker_open(&worker, job, job->source, 1, err));
    RV_GO(rv_unit_extract(&worker, &unit, &result, err));
    RV_GO(commit_unit(job, &unit, NULL, &result, &done, err));
done:
    rv_worker_close(&worker);
    rv_unit_result_free(&result);
    return st;
}

static rv_status count_files(rv_job *job, size_t *out, rv_error *err)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_part_rows parts = {0};
    rv_status st = rv_state_parts(job->state, job->run_id, NULL, &scratch, &parts, err);
    *out = 0;
    job->bytes = 0;
    for (size_t i = 0; st == RV_OK && i < parts.n; i++) {
        if (strcmp(parts.rows[i].status, "committed") != 0)
            continue;
        (*out)++;
        job->bytes += parts.rows[i].bytes;
    }
    job->files = (int64_t)*out;
    rv_arena_free(&scratch);
    return st;
}

static rv_status execute_many(rv_job *job, rv_executed *out, rv_error *err)
{
    rv_work work;
    size_t files = 0;
    *out = (rv_executed){0};
    RV_TRY(job->resumed ? plan_resumed(job, &work, err) : plan_new(job, &work, err));
    announce(job, work.kind == RV_WORK_TASKS ? (int64_t)work.tasks.n : 0);
    RV_TRY(run_pool(job, &work, err));
    RV_TRY(count_files(job, &files, err));
    if (files == 0 && job->x->skip_empty) {
        out->skipped = true;
    } else if (files == 0) {
        RV_TRY(empty_unit(job, err));
        RV_TRY(count_files(job, &files, err));
    }
    if (job->x->keyset_incremental && work.ranges.n) {
        out->position.keyset_high = work.ranges.rows[work.ranges.n - 1].position;
        out->moved = out->position.keyset_high != NULL;
    }
    return RV_OK;
}

rv_status rv_execute(rv_job *job, bool sealed, rv_executed *out, rv_error *err)
{
    if (sealed)
        return resume_sealed(job, out, err);
    return job->mode == RV_CHUNKED || job->keyset ? execute_many(job, out, err)
                                                  : execute_single(job, out, err);
}
