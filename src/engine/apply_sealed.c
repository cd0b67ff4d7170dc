#include <string.h>

#include "engine/apply.h"

static size_t find_plan(const rv_run_opts *opts, const char *export_name)
{
    size_t n = opts->sealed ? opts->sealed->n : 0;
    for (size_t i = 0; i < n; i++)
        if (strcmp(opts->sealed->plans[i].export_name, export_name) == 0)
            return i;
    return SIZE_MAX;
}

const rv_plan *rv_sealed_plan(const rv_job *job)
{
    size_t i = find_plan(job->opts, job->x->name);
    return i == SIZE_MAX ? NULL : &job->opts->sealed->plans[i];
}

const char *rv_sealed_forced(const rv_run_opts *opts, const char *export_name)
{
    size_t i = find_plan(opts, export_name);
    return i == SIZE_MAX ? NULL : opts->sealed->forced[i];
}

static rv_status check_column(const rv_job *job, const rv_plan *p, rv_error *err)
{
    const char *column = job->x->chunk_column;
    if (!p->ranges ||
        (!job->keyset && column && p->chunk_column && strcmp(column, p->chunk_column) == 0))
        return RV_OK;
    rv_status st = rv_fail(err, RV_E_PLAN_STALE,
                           "export '%s': the plan has chunks of '%s', the source is read by '%s' "
                           "now",
                           job->x->name, p->chunk_column ? p->chunk_column : "?",
                           column && !job->keyset ? column : "its key");
    rv_hint(err, "plan again");
    return st;
}

/* Judged before the lease was taken; another run may have moved it since. */
static rv_status check_cursor(rv_job *job, const rv_plan *p, const char *forced, rv_error *err)
{
    rv_position_row position = {0};
    bool have = false;
    if (job->mode != RV_INCREMENTAL || (forced && strstr(forced, "cursor")))
        return RV_OK;
    RV_TRY(rv_state_position_get(job->state, job->x->name, &job->arena, &position, &have, err));
    const char *now = have ? position.last_cursor_value : NULL;
    bool same = !now || !p->cursor_snapshot ? now == p->cursor_snapshot
                                            : strcmp(now, p->cursor_snapshot) == 0;
    return same ? RV_OK
                : rv_fail(err, RV_E_PLAN_STALE,
                          "export '%s': another run moved the cursor while this one started",
                          job->x->name);
}

rv_status rv_sealed_check(rv_job *job, rv_error *err)
{
    const rv_plan *p = rv_sealed_plan(job);
    if (!p)
        return RV_OK;
    const char *forced = rv_sealed_forced(job->opts, job->x->name);
    RV_TRY(check_column(job, p, err));
    RV_TRY(check_cursor(job, p, forced, err));
    if (strcmp(p->plan_fingerprint, job->plan_hash) != 0)
        rv_job_plan_warn(job, "plan_fingerprint",
                         "the source or its columns are not what was planned (%s, now %s)",
                         p->plan_fingerprint, job->plan_hash);
    if (forced)
        rv_journal_add(job->journal, "plan_warning", "ss", "rule", "plan_forced", "message",
                       forced);
    return RV_OK;
}

static const char *kind_of(const rv_cfg_export *x, bool last)
{
    return last ? "last" : x->chunk_by_days ? "days" : x->chunk_dense ? "dense" : "range";
}

rv_status rv_sealed_tasks(rv_job *job, rv_task_rows *out, bool *out_fixed, rv_error *err)
{
    const rv_plan *p = rv_sealed_plan(job);
    rv_task_row *rows;
    size_t n = 0;
    *out_fixed = p && p->ranges;
    if (!*out_fixed)
        return RV_OK;
    RV_TRY(rv_arena_array(&job->arena, p->n_ranges + 1, sizeof *rows, &rows, err));
    for (; n < p->n_ranges; n++)
        rows[n] = (rv_task_row){.start_key = p->ranges[n].lo,
                                .end_key = p->ranges[n].hi,
                                .kind = kind_of(job->x, n + 1 == p->n_ranges)};
    if (!job->rel->bound_not_null)
        rows[n++].kind = "null";
    for (size_t i = 0; i < n; i++) {
        rows[i].chunk_index = (int64_t)i;
        rows[i].status = "pending";
        rows[i].rows_written = -1;
    }
    *out = (rv_task_rows){rows, n};
    return RV_OK;
}
