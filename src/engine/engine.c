#include "engine/engine.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "engine/names.h"
#include "engine/owner.h"
#include "engine/run.h"
#include "engine/settle.h"

#define RV_TARGET "engine"

rv_status rv_engine_state(const rv_env *env, const rv_cfg *cfg, bool must_exist, rv_state **out,
                          rv_error *err)
{
    rv_state_opts opts = {.url = rv_env_get(env, "RIVET_STATE_URL"),
                          .config_dir = cfg->dir,
                          .project = cfg->project,
                          .must_exist = must_exist};
    return rv_state_open(env, &opts, out, err);
}

/* ---- run ---- */

static void run_one(const rv_export_call *call, rv_export_report *r)
{
    const rv_run_hooks *hooks = call->opts->hooks;
    rv_export_run(call, r);
    if (hooks && hooks->finished)
        hooks->finished(hooks->ctx, r);
}

static rv_status aggregate_id(rv_arena *a, const char **out, rv_error *err)
{
    char token[33];
    RV_TRY(rv_name_owner_token(token, err));
    return rv_arena_cstr(a, rv_str_c(token), out, err);
}

static rv_status start_aggregate(rv_state *state, const rv_cfg *cfg, rv_run_report *r, rv_arena *a,
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

static void finish_aggregate(const rv_env *env, rv_state *state, const rv_cfg *cfg,
                             const rv_run_report *r)
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

static void already_complete(const rv_cfg_export *x, const rv_run_hooks *hooks, rv_export_report *r)
{
    *r = (rv_export_report){.export_name = x->name,
                            .status = "skipped",
                            .skip_reason = "already complete",
                            .mode = rv_mode_name(x->mode),
                            .format = x->format,
                            .bytes_read = -1,
                            .peak_rss_mb = -1,
                            .chunks_total = -1,
                            .chunks_done = -1,
                            .chunks_retried = -1,
                            .longest_statement_ms = -1,
                            .source_count = -1,
                            .source_matched = -1,
                            .validated = -1,
                            .schema_changed = -1,
                            .quality_passed = -1,
                            .reconciled = -1};
    if (hooks && hooks->finished)
        hooks->finished(hooks->ctx, r);
}

typedef struct rv_resume_set {
    bool active;
    const char *aggregate; /* NULL: none is unfinished, only exports with a checkpoint run */
    rv_run_rows runs;
} rv_resume_set;

static rv_status plan_resume(rv_state *state, const rv_cfg *cfg, const rv_run_opts *opts,
                             rv_arena *a, rv_resume_set *out, rv_error *err)
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

static rv_status skip_in_resume(rv_state *state, const rv_resume_set *set, const char *name,
                                rv_arena *a, bool *out, rv_error *err)
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

static rv_status stdout_once(const rv_cfg *cfg, const rv_run_opts *opts, rv_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < cfg->n_exports; i++)
        n += cfg->exports[i].dest.kind == RV_DEST_STDOUT &&
             (!opts->export_name || strcmp(cfg->exports[i].name, opts->export_name) == 0);
    if (n <= 1)
        return RV_OK;
    return rv_fail(err, RV_E_CONFIG_STDOUT, "only one export may write to stdout");
}

static rv_status run_all(const rv_env *env, const rv_cfg *cfg, const rv_run_opts *opts,
                         rv_state *state, rv_arena *arena, rv_run_report *out, rv_error *err)
{
    rv_resume_set set;
    RV_TRY(plan_resume(state, cfg, opts, arena, &set, err));
    if (!opts->export_name && set.aggregate)
        out->run_aggregate_id = set.aggregate;
    else if (!opts->export_name)
        RV_TRY(start_aggregate(state, cfg, out, arena, err));
    RV_TRY(rv_arena_array(arena, cfg->n_exports, sizeof *out->exports, &out->exports, err));
    for (size_t i = 0; i < cfg->n_exports; i++) {
        const rv_cfg_export *x = &cfg->exports[i];
        rv_export_call call = {.env = env,
                               .cfg = cfg,
                               .x = x,
                               .opts = opts,
                               .state = state,
                               .aggregate_id = out->run_aggregate_id,
                               .report_arena = arena};
        bool skip = false;
        if (opts->export_name && strcmp(x->name, opts->export_name) != 0)
            continue;
        RV_TRY(skip_in_resume(state, &set, x->name, arena, &skip, err));
        rv_export_report *r = &out->exports[out->n_exports++];
        if (skip)
            already_complete(x, opts->hooks, r);
        else
            run_one(&call, r);
        out->exit_code = rv_exit_worse(out->exit_code, r->exit_code);
        if (!rv_cancel_raised(env->cancel))
            continue;
        /* stop starting exports; those that remain make this an interrupted invocation */
        if (i + 1 < cfg->n_exports && !opts->export_name)
            out->exit_code =
                rv_exit_worse(out->exit_code, rv_cancel_signal(env->cancel) == SIGINT ? 130 : 143);
        break;
    }
    return RV_OK;
}

rv_status rv_engine_run(const rv_env *env, const rv_cfg *cfg, const rv_run_opts *opts,
                        rv_arena *arena, rv_run_report *out, rv_error *err)
{
    rv_state *state = NULL;
    char text[40];
    int64_t began_us = rv_clock_mono_us();
    *out = (rv_run_report){.parallel_mode = "sequential"};
    RV_TRY(stdout_once(cfg, opts, err));
    RV_TRY(rv_engine_state(env, cfg, false, &state, err));
    rv_status st;
    rv_rfc3339_ms(rv_env_now_us(env), text);
    RV_GO(rv_arena_cstr(arena, rv_str_c(text), &out->started_at, err));
    RV_GO(run_all(env, cfg, opts, state, arena, out, err));
    rv_rfc3339_ms(rv_env_now_us(env), text);
    RV_GO(rv_arena_cstr(arena, rv_str_c(text), &out->finished_at, err));
    out->duration_ms = (rv_clock_mono_us() - began_us) / 1000;
    if (out->run_aggregate_id)
        finish_aggregate(env, state, cfg, out);
done:
    rv_state_close(state);
    return st;
}

/* ---- state commands that need more than state ---- */

static const rv_run_opts no_opts;

static rv_job bare_job(const rv_env *env, const rv_cfg *cfg, const rv_cfg_export *x)
{
    return (rv_job){
        .env = env, .cfg = cfg, .x = x, .opts = &no_opts, .started_us = rv_env_now_us(env)};
}

rv_status rv_engine_finish_run(const rv_env *env, const rv_cfg *cfg, const char *run_id,
                               rv_arena *arena, const char **out_outcome, rv_error *err)
{
    rv_status st;
    rv_state *state = NULL;
    rv_run_row row;
    bool found = false;
    rv_settled settled = {0};
    const rv_cfg_export *x = NULL;
    rv_job job = {0};
    RV_TRY(rv_engine_state(env, cfg, true, &state, err));
    if (!state)
        return rv_fail(err, RV_E_STATE_UNKNOWN, "there is no state, so no run '%s'", run_id);
    RV_GO(rv_state_run_get(state, run_id, arena, &row, &found, err));
    if (found)
        x = rv_cfg_find_export(cfg, row.export_name, NULL);
    if (!found || !x) {
        st = rv_fail(err, RV_E_STATE_UNKNOWN,
                     found ? "run '%s' is of an export this config lacks"
                           : "the state knows no run '%s'",
                     run_id);
        rv_hint(err, "`rivet state runs` lists them");
        goto done;
    }
    if (strcmp(row.status, "running") != 0 && strcmp(row.status, "unpublished") != 0) {
        *out_outcome = "already closed";
        goto done;
    }
    job = bare_job(env, cfg, x);
    job.state = state;
    pthread_mutex_init(&job.lock, NULL);
    st = rv_job_open(&job, err);
    if (st == RV_OK)
        st = rv_settle(&job, RV_SETTLE_FINISH, &settled, err);
    *out_outcome = settled.outcome;
    rv_job_close(&job);
done:
    rv_state_close(state);
    return st;
}

rv_status rv_engine_owner_facts(const rv_env *env, const rv_cfg *cfg, const rv_cfg_export *x,
                                rv_arena *arena, const char **out_json, rv_error *err)
{
    rv_job job = bare_job(env, cfg, x);
    pthread_mutex_init(&job.lock, NULL);
    rv_status st = rv_job_open(&job, err);
    if (st == RV_OK)
        st = rv_job_resolve(&job, err);
    if (st == RV_OK)
        st = rv_arena_cstr(arena, rv_str_c(job.owner_json), out_json, err);
    rv_job_close(&job);
    return st;
}

rv_status rv_engine_check_cursor(const rv_env *env, const rv_cfg *cfg, const rv_cfg_export *x,
                                 const char *value, rv_arena *arena, const char **out_type,
                                 rv_error *err)
{
    rv_job job = bare_job(env, cfg, x);
    rv_datum datum;
    char type[RV_TYPE_NAME_SIZE];
    if (x->mode != RV_INCREMENTAL)
        return rv_fail(err, RV_E_CONFIG_NEEDS_INCREMENTAL, "export '%s' is not incremental",
                       x->name);
    pthread_mutex_init(&job.lock, NULL);
    rv_status st = rv_job_open(&job, err);
    if (st == RV_OK)
        st = rv_job_resolve(&job, err);
    if (st == RV_OK)
        st = job.sd->datum_parse(job.source, job.rel, rv_str_c(value), arena, &datum, err);
    if (st == RV_OK) {
        rv_type_name(rv_type_of(datum.kind), type);
        st = rv_arena_cstr(arena, rv_str_c(type), out_type, err);
    }
    rv_job_close(&job);
    return st;
}
