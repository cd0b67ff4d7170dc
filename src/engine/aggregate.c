#include <string.h>

#include "engine/many_internal.h"
#include "engine/names.h"

#define RV_TARGET "engine"

/* ---- the row of an invocation ---- */

static rv_status aggregate_id(rv_arena *a, const char **out, rv_error *err)
{
    char token[33];
    RV_TRY(rv_name_owner_token(token, err));
    return rv_arena_cstr(a, rv_str_c(token), out, err);
}

rv_status rv_aggregate_begin(rv_state *state, const rv_cfg *cfg, rv_run_report *r, rv_arena *a,
                             rv_error *err)
{
    RV_TRY(aggregate_id(a, &r->run_aggregate_id, err));
    rv_aggregate_row row = {.id = r->run_aggregate_id,
                            .started_at = r->started_at,
                            .config_path = cfg->path,
                            .parallel_mode = r->parallel_mode,
                            .duration_ms = -1,
                            .total_exports = (int64_t)cfg->n_exports};
    return rv_state_aggregate_start(state, &row, err);
}

void rv_aggregate_end(const rv_env *env, rv_state *state, const rv_cfg *cfg, const rv_run_report *r)
{
    rv_error err = {0};
    rv_buf details = RV_BUF_INIT;
    rv_aggregate_row row = {.id = r->run_aggregate_id,
                            .finished_at = r->finished_at,
                            .duration_ms = r->duration_ms,
                            .config_path = cfg->path,
                            .parallel_mode = r->parallel_mode,
                            .started_at = r->started_at,
                            .total_exports =
                                (int64_t)cfg->n_exports}; /* interrupted: more than were tried */
    for (size_t i = 0; i < r->n_exports; i++) {
        const rv_export_report *e = &r->exports[i];
        bool skipped = strcmp(e->status, "skipped") == 0;
        row.skipped_count += skipped;
        row.failed_count += e->exit_code != 0;
        row.success_count += e->exit_code == 0 && !skipped;
        row.total_rows += e->rows > 0 ? e->rows : 0;
        row.total_files += e->files > 0 ? e->files : 0;
        row.total_bytes += e->bytes > 0 ? e->bytes : 0;
        row.total_bytes_read += e->bytes_read > 0 ? e->bytes_read : 0;
    }
    rv_status st = rv_run_report_json(r, cfg, &details, &err);
    if (st == RV_OK)
        row.details_json = rv_buf_cstr(&details);
    if (st == RV_OK)
        st = rv_state_aggregate_finish(state, &row, &err);
    if (st != RV_OK)
        RV_LOG_WARN(env, "the aggregate was not stored: %s", err.text);
    rv_buf_free(&details);
}

/* ---- what --resume goes on with ---- */

static bool succeeded_in(const rv_run_rows *runs, const char *aggregate, const char *name)
{
    for (size_t i = 0; i < runs->n; i++) {
        const rv_run_row *r = &runs->rows[i];
        if (r->aggregate_id && strcmp(r->aggregate_id, aggregate) == 0 &&
            strcmp(r->export_name, name) == 0 &&
            (strcmp(r->status, "success") == 0 || strcmp(r->status, "degraded") == 0 ||
             strcmp(r->status, "skipped") == 0))
            return true;
    }
    return false;
}

rv_status rv_resume_choose(rv_state *state, const rv_cfg *cfg, const rv_run_opts *opts, rv_arena *a,
                           rv_resume_set *out, rv_error *err)
{
    rv_aggregate_row row;
    bool found = false, any = false;
    *out = (rv_resume_set){.active = opts->resume && !opts->export_name};
    if (!out->active)
        return RV_OK;
    RV_TRY(rv_state_aggregate_unfinished(state, cfg->path, a, &row, &found, err));
    if (found) {
        out->aggregate = row.id;
        return rv_state_runs(state, NULL, 0, a, &out->runs, err);
    }
    for (size_t i = 0; i < cfg->n_exports && !any; i++) {
        rv_checkpoint_row ckpt;
        RV_TRY(rv_state_checkpoint_get(state, cfg->exports[i].name, a, &ckpt, &any, err));
    }
    if (any)
        return RV_OK;
    rv_status st = rv_fail(err, RV_E_RUN_NOTHING, "nothing is in progress to resume");
    rv_hint(err, "start fresh with `rivet run`");
    return st;
}

rv_status rv_resume_skips(rv_state *state, const rv_resume_set *set, const char *name, rv_arena *a,
                          bool *out, rv_error *err)
{
    rv_checkpoint_row ckpt;
    bool found = false;
    *out = false;
    if (!set->active)
        return RV_OK;
    if (set->aggregate) {
        *out = succeeded_in(&set->runs, set->aggregate, name);
        return RV_OK;
    }
    RV_TRY(rv_state_checkpoint_get(state, name, a, &ckpt, &found, err));
    *out = !found;
    return RV_OK;
}
