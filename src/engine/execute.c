#include <string.h>

#include "base/fault.h"
#include "engine/apply.h"
#include "engine/chunks.h"
#include "engine/execute_internal.h"
#include "engine/reading.h"

#define RV_TARGET "engine"

/* ---- single unit ---- */

static rv_status commit_single(rv_job *job, rv_cursor *cursor, const rv_unit *unit,
                               const rv_unit_result *result, rv_executed *out, rv_error *err)
{
    const char *position_json = NULL;
    *out = (rv_executed){.single = true,
                         .rows = result->rows,
                         .parts = result->parts,
                         .first_name = result->parts ? result->names[0] : NULL};
    out->segments = unit->segments;
    out->n_segments = unit->n_segments;
    out->bounded = !cursor || cursor->bound;
    if (cursor) {
        out->dropped = cursor->dropped;
        RV_TRY(rv_cursor_finish(cursor, result, &out->position, &out->moved, err));
        RV_TRY(rv_position_to_json(&out->position, out->moved, &job->arena, &position_json, err));
    }
    out->skipped = result->rows == 0 && job->x->skip_empty;
    if (job->to_stdout)
        return RV_OK;
    if (out->skipped) /* an earlier reading may have found rows */
        return rv_unit_drop_surplus(job, unit->name, result, err);
    return rv_unit_seal_and_check(job, unit, out->position.last_cursor_value, result, position_json,
                                  err);
}

static rv_status store_cursor_bounds(rv_job *job, const rv_cursor *c, rv_error *err)
{
    rv_run_facts facts = {.cursor_low = c->low, .cursor_bound = c->bound};
    return rv_state_run_facts(job->state, &job->lease, &facts, err);
}

static rv_status plan_cursor(rv_job *job, const rv_position_row *position, rv_cursor *cursor,
                             rv_work *work, rv_error *err)
{
    for (unsigned attempt = 0;;) {
        rv_status st = rv_cursor_plan(cursor, job, position, work, err);
        if (st == RV_OK)
            return RV_OK;
        rv_cursor_free(cursor);
        RV_TRY(rv_job_mend(job, &attempt, err));
    }
}

/* A snapshot that --reconcile needs ends before anything is uploaded. */
static rv_status count_instant(rv_job *job, rv_worker *w, const rv_unit *unit, uint64_t rows,
                               uint64_t dropped, rv_error *err)
{
    rv_status st = RV_OK;
    if (!job->reconcile || !job->snapshot_open)
        return RV_OK;
    st = rv_tally_single(job, unit, rows, dropped, err);
    rv_reader_release(&w->reader);
    job->snapshot_open = false;
    return st;
}

static rv_status execute_single(rv_job *job, rv_executed *out, rv_error *err)
{
    rv_work work = {0};
    rv_cursor cursor = {0};
    rv_worker worker = {0};
    rv_unit_work read = {0};
    rv_unit_result result = {0};
    rv_position_row position = {0};
    bool incremental = job->mode == RV_INCREMENTAL, have = false;
    rv_status st;
    RV_GO(rv_state_position_get(job->state, job->x->name, &job->arena, &position, &have, err));
    if (incremental) {
        RV_GO(plan_cursor(job, have ? &position : NULL, &cursor, &work, err));
        RV_GO(store_cursor_bounds(job, &cursor, err));
    } else {
        RV_GO(rv_plan_single(job, &work, err));
    }
    work.single.empty_file = !job->x->skip_empty;
    if (job->resumed) /* unsealed first, so a crash never commits a mixture of two readings */
        RV_GO(rv_state_unit_unseal(job->state, &job->lease, work.single.name, err));
    RV_GO(rv_worker_open(&worker, job, job->source, 1, err));
    RV_GO(rv_unit_read(&worker, &work.single, &read, err));
    RV_GO(count_instant(job, &worker, &work.single, read.parts.sums.rows, cursor.dropped, err));
    RV_GO(rv_unit_deliver(&read, &result, err));
    RV_GO(commit_single(job, incremental ? &cursor : NULL, &work.single, &result, out, err));
done:
    rv_worker_close(&worker);
    rv_unit_work_free(&read);
    rv_unit_result_free(&result);
    rv_cursor_free(&cursor);
    return st;
}

/* ---- many units ---- */

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

static rv_status ask_bounds(rv_job *job, const char *keyset_high, rv_work *work, rv_error *err)
{
    bool fixed = false;
    if (!job->keyset)
        RV_TRY(rv_sealed_tasks(job, &work->tasks, &fixed, err));
    if (fixed)
        return RV_OK;
    for (unsigned attempt = 0;;) {
        rv_status st = job->keyset ? rv_ranges_make(job, keyset_high, &work->ranges, err)
                                   : rv_chunks_make(job, &work->tasks, err);
        if (st == RV_OK)
            return RV_OK;
        RV_TRY(rv_job_mend(job, &attempt, err));
    }
}

static rv_status plan_new(rv_job *job, rv_work *work, rv_error *err)
{
    rv_position_row position = {0};
    bool have = false;
    *work = (rv_work){.kind = job->keyset ? RV_WORK_RANGES : RV_WORK_TASKS,
                      .unit_rows = job->x->chunk_size};
    if (job->x->keyset_incremental)
        RV_TRY(rv_state_position_get(job->state, job->x->name, &job->arena, &position, &have, err));
    RV_TRY(ask_bounds(job, have ? position.keyset_high : NULL, work, err));
    return job->checkpoint ? begin_checkpoint(job, work, err) : RV_OK;
}

/* Chunks of a snapshot that is gone, none of them committed: their bounds would cut off rows of the
 * instant that is read now. */
static bool bounds_are_stale(const rv_job *job, const rv_work *work)
{
    if (!job->resumed || !job->snapshot_open || job->chunks_done || work->kind != RV_WORK_TASKS)
        return false;
    for (size_t i = 0; i < work->tasks.n; i++)
        if (strcmp(work->tasks.rows[i].status, "completed") != 0)
            return true;
    return false;
}

static rv_status plan_again(rv_job *job, rv_work *work, rv_error *err)
{
    int64_t dropped;
    rv_part_rows parts = {0};
    const rv_unit_result nothing = {0};
    RV_TRY(rv_state_parts(job->state, job->run_id, NULL, &job->arena, &parts, err));
    for (size_t i = 0; i < parts.n; i++)
        RV_TRY(rv_unit_drop_surplus(job, parts.rows[i].unit, &nothing, err));
    RV_TRY(rv_state_lease_check(job->state, &job->lease, err));
    RV_TRY(rv_state_checkpoint_drop(job->state, job->x->name, true, true, &dropped, err));
    rv_job_warn(job, "snapshot", "the snapshot is gone; the chunks are cut anew");
    return plan_new(job, work, err);
}

static rv_status plan_many(rv_job *job, rv_work *work, rv_error *err)
{
    if (!job->resumed)
        return plan_new(job, work, err);
    RV_TRY(rv_resume_plan(job, work, err));
    return bounds_are_stale(job, work) ? plan_again(job, work, err) : RV_OK;
}

/* Nobody may claim a chunk whose tries are used up: that is no success and no defect of ours. */
static rv_status refuse_unfinished(rv_job *job, rv_error *err)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_task_rows tasks = {0};
    rv_status st = RV_OK;
    if (job->checkpoint && !job->keyset)
        st = rv_state_tasks(job->state, job->run_id, &scratch, &tasks, err);
    for (size_t i = 0; st == RV_OK && i < tasks.n; i++) {
        const rv_task_row *t = &tasks.rows[i];
        if (strcmp(t->status, "completed") == 0)
            continue;
        st = rv_fail(err, RV_E_RUN_CHECKPOINT,
                     "export '%s': chunk %lld failed in all its %lld tries\n%s", job->x->name,
                     (long long)t->chunk_index, (long long)t->attempts,
                     t->last_error ? t->last_error : "");
        rv_hint(err,
                "mend the cause, then drop the checkpoint with `rivet state reset-chunks -e "
                "%s` and start fresh",
                job->x->name);
    }
    rv_arena_free(&scratch);
    return st;
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
    RV_GO(rv_unit_commit(job, &unit, NULL, &result, &done, err));
done:
    rv_worker_close(&worker);
    rv_unit_result_free(&result);
    return st;
}

/* Units read ahead of one that was not committed, by an earlier process: the range may have ended
 * sooner this time. */
static rv_status drop_read_ahead(rv_job *job, rv_error *err)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_part_rows parts = {0};
    const rv_unit_result nothing = {0};
    rv_status st = rv_state_parts(job->state, job->run_id, NULL, &scratch, &parts, err);
    for (size_t i = 0; st == RV_OK && i < parts.n; i++) {
        const char *status = parts.rows[i].status;
        if (strcmp(status, "pending") == 0 || strcmp(status, "uploaded") == 0)
            st = rv_unit_drop_surplus(job, parts.rows[i].unit, &nothing, err);
    }
    rv_arena_free(&scratch);
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
        if (strcmp(parts.rows[i].status, "committed") != 0 &&
            strcmp(parts.rows[i].status, "uploaded") != 0)
            continue;
        (*out)++;
        job->bytes += parts.rows[i].bytes;
    }
    job->files = (int64_t)*out;
    rv_arena_free(&scratch);
    return st;
}

/* The last key that was read. Cuts come from statistics: one may lie beyond every key there is, and
 * a range without rows says nothing about what is still to come into it. */
static const char *last_key(const rv_range_rows *ranges)
{
    for (size_t i = ranges->n; i > 0; i--) {
        const rv_range_row *r = &ranges->rows[i - 1];
        if (r->position && (!r->lo || strcmp(r->position, r->lo) != 0))
            return r->position;
    }
    return NULL;
}

static rv_status execute_many(rv_job *job, rv_executed *out, rv_error *err)
{
    rv_work work;
    size_t files = 0;
    *out = (rv_executed){0};
    RV_TRY(plan_many(job, &work, err));
    announce(job, work.kind == RV_WORK_TASKS ? (int64_t)work.tasks.n : 0);
    RV_TRY(rv_pool_run(job, &work, err));
    RV_TRY(refuse_unfinished(job, err));
    if (job->resumed && job->keyset)
        RV_TRY(drop_read_ahead(job, err));
    RV_TRY(count_files(job, &files, err));
    if (files == 0 && job->x->skip_empty) {
        out->skipped = true;
    } else if (files == 0) {
        RV_TRY(empty_unit(job, err));
        RV_TRY(count_files(job, &files, err));
    }
    if (job->x->keyset_incremental) {
        out->position.keyset_high = last_key(&work.ranges);
        out->moved = out->position.keyset_high != NULL;
    }
    return RV_OK;
}

static rv_status execute(rv_job *job, bool sealed, rv_executed *out, rv_error *err)
{
    size_t files;
    if (!sealed)
        RV_TRY(rv_reading_begin(job, err));
    if (job->mode == RV_CHUNKED || job->keyset)
        return execute_many(job, out, err);
    RV_TRY(sealed ? rv_resume_sealed(job, out, err) : execute_single(job, out, err));
    return job->to_stdout ? RV_OK : count_files(job, &files, err);
}

rv_status rv_execute(rv_job *job, bool sealed, rv_executed *out, rv_error *err)
{
    rv_status st = execute(job, sealed, out, err);
    if (st != RV_OK || !job->reconcile) /* a count belongs to the instant of the reading */
        rv_reading_end(job);
    return st;
}
