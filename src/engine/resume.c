#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "engine/execute_internal.h"
#include "engine/objects.h"
#include "engine/quality.h"
#include "engine/settle.h"

#define RV_TARGET "engine"

/* ---- a sealed single unit ---- */

rv_status rv_resume_sealed(rv_job *job, rv_executed *out, rv_error *err)
{
    rv_unit_rows units = {0};
    rv_part_rows parts = {0};
    rv_sums sums = {0};
    const char *position = NULL;
    RV_TRY(rv_unit_upload_rest(job, "0", err));
    RV_TRY(rv_state_units(job->state, job->run_id, &job->arena, &units, err));
    RV_TRY(rv_state_parts(job->state, job->run_id, "0", &job->arena, &parts, err));
    if (units.n != 1)
        return rv_fail(err, RV_E_INTERNAL, "a sealed run has %zu units", units.n);
    RV_TRY(rv_quality_adopt(job, &units.rows[0], err));
    RV_TRY(rv_sums_from_json(units.rows[0].accumulators, job->schema.n_columns, &sums, &job->arena,
                             &position, err));
    job->rows += (int64_t)sums.rows;
    rv_sums_free(&sums);
    *out = (rv_executed){.single = true, .rows = (uint64_t)units.rows[0].rows, .parts = parts.n};
    if (parts.n)
        out->first_name = parts.rows[0].file_name;
    if (position)
        RV_TRY(rv_position_from_json(position, &job->arena, &out->position, &out->moved, err));
    return RV_OK;
}

/* ---- continuing a checkpoint ---- */

static rv_status parts_present(rv_job *job, const rv_unit_row *u, bool *out, rv_error *err)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_part_rows parts = {0};
    rv_status st = RV_OK;
    if (u->parts)
        st = rv_state_parts(job->state, job->run_id, u->unit, &scratch, &parts, err);
    *out = true;
    for (size_t i = 0; st == RV_OK && i < parts.n; i++) {
        const rv_part_row *p = &parts.rows[i];
        rv_object obj;
        bool found = false, known = true;
        if (strcmp(p->status, "committed") != 0)
            continue;
        st = rv_object_look(job->dd, job->dest, p->file_name, &obj, &found, &known, err);
        if (st == RV_OK && known &&
            (!found || obj.size_bytes != (uint64_t)p->bytes ||
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
    rv_worker worker = {0};
    rv_arena scratch = RV_ARENA_INIT;
    rv_unit unit;
    rv_unit_result result = {0};
    rv_range_row *range = range_of(work, u->unit);
    rv_status st;
    if (!range)
        return rv_fail(err, RV_E_STATE_DAMAGED, "unit %s has no range", u->unit);
    RV_GO(rv_plan_range_unit(job, range, false, u->key_low, u->key_high, 0, &scratch, &unit, err));
    (void)snprintf(unit.name, sizeof unit.name, "%s", u->unit);
    RV_GO(rv_state_unit_unseal(job->state, &job->lease, u->unit, err));
    RV_GO(rv_worker_open(&worker, job, job->source, 1, err));
    RV_GO(rv_unit_extract(&worker, &unit, &result, err));
    rv_unit_done done = {.kind = RV_UNIT_SINGLE};
    RV_GO(rv_unit_commit(job, &unit, u->key_high, &result, &done, err));
done:
    rv_worker_close(&worker);
    rv_unit_result_free(&result);
    rv_arena_free(&scratch);
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
static rv_status sealed_range_done(rv_job *job, rv_work *work, const rv_unit_row *u,
                                   rv_unit_done *done, rv_error *err)
{
    rv_range_row *range = range_of(work, u->unit);
    if (!range)
        return rv_fail(err, RV_E_STATE_DAMAGED, "unit %s has no range", u->unit);
    if (unit_number(u->unit) < range->next_unit) {
        done->kind = RV_UNIT_SINGLE;
        return RV_OK;
    }
    RV_TRY(rv_arena_cstr(&job->arena, rv_str_c(u->key_high), &range->position, err));
    range->next_unit++;
    range->done = (uint64_t)u->rows < work->unit_rows;
    done->kind = RV_UNIT_RANGE;
    done->range_index = range->range_index;
    done->position = range->position;
    done->next_unit = range->next_unit;
    done->range_done = range->done;
    return RV_OK;
}

/* Behind a keyset unit that is not committed: its rows may be other ones by the time its turn
 * comes.
 */
static bool is_ahead(const rv_work *work, const char *unit)
{
    const rv_range_row *range =
        strncmp(unit, "keyset", strlen("keyset")) == 0 ? range_of(work, unit) : NULL;
    return range && unit_number(unit) > range->next_unit;
}

/* What stands under the unit's names is damaged or somebody else's: reading again mends it. */
static bool not_ours_any_more(rv_status st)
{
    return rv_code(st)->class_ == RV_CLASS_DATA || st == RV_E_DEST_CONFLICT;
}

static rv_status finish_sealed(rv_job *job, rv_work *work, const rv_unit_row *u, bool *out_done,
                               rv_error *err)
{
    bool intact = false;
    *out_done = false;
    if (is_ahead(work, u->unit))
        return RV_OK;
    RV_TRY(rv_settle_unit_intact(job, u->unit, &intact, err));
    if (!intact)
        return RV_OK;
    rv_status st = rv_unit_upload_rest(job, u->unit, err);
    if (st != RV_OK && !not_ours_any_more(st))
        return st;
    if (st != RV_OK) {
        RV_LOG_WARN(job->env, "export '%s': unit %s is done again: %s", job->x->name, u->unit,
                    err->text);
        rv_error_clear(err);
        return RV_OK;
    }
    rv_unit_done done = {.unit = u->unit,
                         .rows = u->rows,
                         .kind = strcmp(u->unit, "0") == 0 ? RV_UNIT_SINGLE : RV_UNIT_TASK,
                         .chunk_index = rv_name_chunk_index(u->unit)};
    if (strncmp(u->unit, "keyset", strlen("keyset")) == 0)
        RV_TRY(sealed_range_done(job, work, u, &done, err));
    RV_TRY(rv_state_unit_done(job->state, &job->lease, &done, err));
    if (job->validate)
        rv_unit_drop_spool(job, u->unit);
    rv_unit_committed(job, u, NULL);
    *out_done = true;
    return RV_OK;
}

/* A keyset unit that is gone or was never finished: one behind its range's position lies within its
 * own stored bounds; the next one of its range is read anyway. */
static rv_status redo_unit(rv_job *job, const rv_work *work, const rv_unit_row *u, rv_error *err)
{
    if (is_ahead(work, u->unit))
        return rv_state_unit_unseal(job->state, &job->lease, u->unit, err);
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
        if (good && rv_unit_counts(u->unit))
            job->chunks_done++;
    } else if (u->sealed_at) {
        RV_TRY(finish_sealed(job, work, u, &good, err));
    }
    if (!good)
        return redo_unit(job, work, u, err);
    job->rows += u->rows;
    return rv_quality_adopt(job, u, err);
}

rv_status rv_resume_sealed_units(rv_job *job, rv_error *err)
{
    rv_unit_rows units = {0};
    rv_work work = {.kind = job->keyset ? RV_WORK_RANGES : RV_WORK_TASKS,
                    .unit_rows = job->x->chunk_size};
    RV_TRY(rv_state_ranges(job->state, job->run_id, &job->arena, &work.ranges, err));
    RV_TRY(rv_state_units(job->state, job->run_id, &job->arena, &units, err));
    for (size_t i = 0; i < units.n; i++) {
        const rv_unit_row *u = &units.rows[i];
        bool done;
        if (u->sealed_at && !u->committed_at)
            RV_TRY(finish_sealed(job, &work, u, &done, err));
    }
    return RV_OK;
}

static rv_status copy_tasks(rv_job *job, const rv_task_rows *all, rv_task_rows *out, rv_error *err)
{
    RV_TRY(rv_arena_array(&job->arena, all->n + 1, sizeof *out->rows, &out->rows, err));
    for (size_t i = 0; i < all->n; i++) {
        bool completed = strcmp(all->rows[i].status, "completed") == 0;
        out->rows[i] = (rv_task_row){.chunk_index = all->rows[i].chunk_index,
                                     .status = completed ? "completed" : "pending"};
    }
    out->n = all->n;
    return RV_OK;
}

/* Workers claim their chunks from state: of 100,000 it is enough to know which are done. */
static rv_status plan_tasks(rv_job *job, rv_work *work, rv_error *err)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_task_rows all = {0};
    rv_status st = rv_state_tasks(job->state, job->run_id, &scratch, &all, err);
    if (st == RV_OK)
        st = copy_tasks(job, &all, &work->tasks, err);
    rv_arena_free(&scratch);
    return st;
}

rv_status rv_resume_plan(rv_job *job, rv_work *work, rv_error *err)
{
    rv_unit_rows units = {0};
    rv_arena scratch = RV_ARENA_INIT;
    *work = (rv_work){.kind = job->keyset ? RV_WORK_RANGES : RV_WORK_TASKS,
                      .unit_rows = job->x->chunk_size};
    RV_TRY(rv_state_tasks_resume(job->state, &job->lease, err));
    RV_TRY(rv_state_ranges(job->state, job->run_id, &job->arena, &work->ranges, err));
    rv_status st = rv_state_units(job->state, job->run_id, &scratch, &units, err);
    for (size_t i = 0; st == RV_OK && i < units.n; i++)
        st = recheck_unit(job, work, &units.rows[i], err);
    rv_arena_free(&scratch);
    return st == RV_OK ? plan_tasks(job, work, err) : st;
}
