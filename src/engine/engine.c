#include "engine/partition.h"
#include "engine/engine.h"

#include <stdio.h>
#include <string.h>

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
    if (found && !x)
        RV_GO(rv_partition_find(cfg, row.export_name, arena, &x, err));
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
