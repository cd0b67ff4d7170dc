#include <string.h>

#include "engine/check_internal.h"
#include "engine/partition.h"
#include "engine/run.h"

/* ---- one export ---- */

static bool index_used(const rv_checking *c)
{
    const rv_job *job = c->job;
    if (job->keyset)
        return true;
    if (job->mode == RV_FULL) /* an unfiltered scan has none, whatever key pages it */
        return job->x->query && c->facts.index_used;
    return rv_check_bound_indexed(job) || c->facts.index_used;
}

static rv_status gather(rv_checking *c, rv_error *err)
{
    rv_job *job = c->job;
    RV_TRY(rv_check_strategy(job, c->arena, &c->out->strategy, err));
    RV_TRY(rv_check_rows_text(job->rel->row_estimate, c->arena, &c->out->row_estimate, err));
    RV_TRY(job->sd->facts(job->source, job->rel, &job->arena, &c->facts, err));
    RV_TRY(rv_arena_cstr(c->arena, rv_str_c(c->facts.scan_text ? c->facts.scan_text : ""),
                         &c->out->scan_type, err));
    RV_TRY(rv_check_plan(c, err));
    RV_TRY(rv_check_reads(c, err));
    RV_TRY(rv_check_memory(c, err));
    c->index = index_used(c);
    return RV_OK;
}

/* The columns beside the refusal, so that the report shows which ones it means. */
static void show_refused(rv_checking *c, rv_error *err)
{
    rv_job *job = c->job;
    rv_error why = {0};
    job->keep_unsupported = true;
    rv_status st = rv_job_relation(job, rv_plan_bound(job), &job->rel, &why);
    if (st == RV_OK) {
        job->schema = *job->rel->schema;
        st = rv_check_types(c, &why);
    }
    if (st == RV_E_MEMORY || st == RV_E_INTERRUPTED)
        *err = why;
}

static rv_status resolve(rv_checking *c, rv_error *err)
{
    rv_status st = rv_job_resolve(c->job, err);
    if (st == RV_E_TYPE_UNSUPPORTED)
        show_refused(c, err);
    return st == RV_OK ? RV_OK : err->code;
}

rv_status rv_check_export(rv_checking *c, rv_error *err)
{
    rv_job *job = c->job;
    RV_TRY(rv_check_strategy(job, c->arena, &c->out->strategy, err));
    RV_TRY(rv_refuse_unbuilt(job->x, err));
    RV_TRY(rv_job_open(job, err));
    RV_TRY(rv_check_destination(job, err));
    RV_TRY(resolve(c, err));
    if (job->x->partition_by)
        RV_TRY(rv_partition_plan_check(job, err));
    RV_TRY(gather(c, err));
    RV_TRY(rv_check_types(c, err));
    RV_TRY(rv_check_warnings(c, err));
    return rv_check_verdict(c, err);
}

static rv_status check_one(const rv_env *env, const rv_cfg *cfg, const rv_cfg_export *x,
                           const rv_check_opts *opts, rv_arena *arena, rv_check_report *out,
                           rv_error *err)
{
    static const rv_run_opts no_opts;
    rv_job job = {
        .env = env, .cfg = cfg, .x = x, .opts = &no_opts, .started_us = rv_env_now_us(env)};
    rv_checking c = {.job = &job, .arena = arena, .out = out, .opts = opts};
    *out = (rv_check_report){.export_name = x->name,
                             .mode = rv_mode_name(x->mode),
                             .row_estimate = "unknown",
                             .target = opts->target != RV_TARGET_NONE ? opts->target : x->target};
    pthread_mutex_init(&job.lock, NULL);
    rv_status st = rv_check_export(&c, &out->error);
    rv_job_close(&job);
    if (st == RV_E_MEMORY || st == RV_E_INTERRUPTED) {
        if (err)
            *err = out->error;
        return st;
    }
    return RV_OK;
}

rv_status rv_engine_check(const rv_env *env, const rv_cfg *cfg, const rv_check_opts *opts,
                          rv_arena *arena, rv_check_report **out, size_t *out_n, rv_error *err)
{
    rv_check_report *reports;
    size_t n = 0;
    RV_TRY(rv_arena_array(arena, cfg->n_exports, sizeof *reports, &reports, err));
    for (size_t i = 0; i < cfg->n_exports; i++) {
        const rv_cfg_export *x = &cfg->exports[i];
        if (opts->export_name && strcmp(opts->export_name, x->name) != 0)
            continue;
        RV_TRY(rv_cancel_check(env->cancel, err));
        RV_TRY(check_one(env, cfg, x, opts, arena, &reports[n++], err));
    }
    if (opts->export_name && n == 0)
        return rv_fail(err, RV_E_CONFIG_UNKNOWN_EXPORT, "no export '%s' in %s", opts->export_name,
                       cfg->path);
    *out = reports;
    *out_n = n;
    return RV_OK;
}
