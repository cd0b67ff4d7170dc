#include <string.h>

#include "engine/reconcile_internal.h"

#define RV_TARGET "engine"

/* ---- report and plan ---- */

static rv_status read_given(rv_repair *r, rv_error *err)
{
    const rv_repair_opts *o = r->opts;
    RV_TRY(rv_report_parse(rv_str_c(o->report_json), o->report_path, r->arena, &r->report, err));
    if (strcmp(r->report.export_name, r->x->name) != 0)
        return rv_fail(err, RV_E_REPAIR_REPORT, "report %s is of export '%s', not of '%s'",
                       o->report_path, r->report.export_name, r->x->name);
    if (strcmp(r->report.run_id, r->subject.run_id) == 0)
        return RV_OK;
    rv_status st = rv_fail(err, RV_E_REPAIR_REPORT, "report %s is of run %s; the run to mend is %s",
                           o->report_path, r->report.run_id, r->subject.run_id);
    rv_hint(err,
            "make a new one with `rivet reconcile -e %s --format json -o FILE`, or leave "
            "--report out",
            r->x->name);
    return st;
}

static rv_status make_fresh(rv_repair *r, rv_job *job, rv_error *err)
{
    RV_TRY(rv_reconcile_parts(&r->subject, &r->report, err));
    RV_TRY(rv_reconcile_counts(&r->subject, job, &r->report, err));
    r->report.export_name = r->x->name;
    r->report.run_id = r->subject.run_id;
    return RV_OK;
}

static rv_status plan(rv_repair *r, rv_job *job, rv_error *err)
{
    rv_subject *s = &r->subject;
    size_t first;
    RV_TRY(rv_subject_open(s, r->env, r->x, r->state, true, r->arena, err));
    if (s->known)
        RV_TRY(rv_slices_load(r->state, r->x, s->run_id, s->delivered, r->arena, &r->known, err));
    if (r->opts->report_json) {
        RV_TRY(read_given(r, err));
        /* its untracked objects are moved only when they still are */
        RV_TRY(rv_subject_untracked(s, &first, err));
    } else {
        RV_TRY(make_fresh(r, job, err));
    }
    return rv_repair_plan(&r->report, &r->known, r->arena, r->out, err);
}

rv_status rv_repair_prepare(rv_repair *r, rv_job *job, rv_error *err)
{
    RV_TRY(plan(r, job, err));
    r->out->export_name = r->x->name;
    r->out->reconcile_run_id = r->subject.run_id;
    r->out->strategy = r->subject.strategy;
    return RV_OK;
}

/* ---- the command ---- */

static rv_status show_plan(rv_repair *r, rv_error *err)
{
    static const rv_run_opts no_opts;
    rv_job job = {.env = r->env,
                  .cfg = r->cfg,
                  .x = r->x,
                  .opts = &no_opts,
                  .state = r->state,
                  .started_us = rv_env_now_us(r->env)};
    pthread_mutex_init(&job.lock, NULL);
    rv_status st = rv_job_open(&job, err);
    if (st == RV_OK)
        st = rv_repair_prepare(r, &job, err);
    rv_job_close(&job);
    return st;
}

rv_status rv_engine_repair(const rv_env *env, const rv_cfg *cfg, const rv_cfg_export *x,
                           const rv_repair_opts *opts, rv_arena *arena, rv_repair_report *out,
                           rv_error *err)
{
    rv_repair r = {.env = env, .cfg = cfg, .x = x, .opts = opts, .arena = arena, .out = out};
    *out = (rv_repair_report){0};
    RV_TRY(rv_engine_state(env, cfg, true, &r.state, err));
    rv_status st;
    if (!r.state) {
        st = rv_fail(err, RV_E_RUN_NOTHING, "export '%s': the state knows no run of it", x->name);
        rv_hint(err, "repair goes by the ranges that a run stored");
    } else {
        st = opts->execute ? rv_repair_execute(&r, err) : show_plan(&r, err);
    }
    rv_subject_close(&r.subject);
    rv_state_close(r.state);
    return st;
}
