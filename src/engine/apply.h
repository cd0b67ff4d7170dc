/* engine/apply.h: carrying out plan artifacts. A run of one is the run that `rivet run` would have
 * made, but for its chunk bounds, which were fixed when it was planned.
 * Source: spec "lifecycle" section 14, "cli" section 6. */
#ifndef RV_ENGINE_APPLY_H
#define RV_ENGINE_APPLY_H

#include "engine/job.h"
#include "engine/plan.h"
#include "engine/plan_artifact.h"

/* What rv_run_opts.sealed points to: the plans of the exports that run. */
struct rv_sealed_plans {
    const rv_plan *plans;
    size_t n;
    const char *const *forced; /* per plan: what --force overrode; NULL: nothing */
};

typedef struct rv_apply_opts {
    const char *export_name; /* NULL: all */
    bool force, need_notifications;
} rv_apply_opts;

typedef struct rv_apply {
    rv_cfg *cfg; /* of the plans that may run; NULL: none may */
    struct rv_sealed_plans sealed;
    rv_plan *refused; /* each with its `error` */
    size_t n_refused;
} rv_apply;

/* Reads the artifacts, judges age, integrity and cursors, and loads what they seal. Nothing is
 * written. Fails when the file is none of ours or its plans belong to several configurations. */
rv_status rv_apply_open(const rv_env *env, const char *path, const rv_apply_opts *opts,
                        rv_arena *arena, rv_apply *out, rv_error *err) RV_MUST_USE;
/* Runs them one after the other; refused ones are reported failed at the end. */
rv_status rv_apply_run(const rv_env *env, const rv_apply *apply, const rv_run_opts *opts,
                       rv_arena *arena, rv_run_report *out, rv_error *err) RV_MUST_USE;

/* ---- a configuration by waves ---- */

/* Missing waves are computed from the source. `together`: parallel_safe wave-mates run as child
 * processes. A wave starts when the one before has ended, whatever became of it. */
rv_status rv_apply_waves(const rv_env *env, const rv_cfg *cfg, const rv_run_opts *opts,
                         bool together, rv_arena *arena, rv_run_report *out,
                         rv_error *err) RV_MUST_USE;

/* ---- what a run asks ---- */

/* The plan of the job's export; NULL: an ordinary run. */
const rv_plan *rv_sealed_plan(const rv_job *job);
/* What --force overrode for this export, or NULL. */
const char *rv_sealed_forced(const rv_run_opts *opts, const char *export_name);
/* Once the source is resolved, under the lease: the plan still fits. */
rv_status rv_sealed_check(rv_job *job, rv_error *err) RV_MUST_USE;
/* The chunks as planned; *out_fixed false: the plan fixes none. */
rv_status rv_sealed_tasks(rv_job *job, rv_task_rows *out, bool *out_fixed,
                          rv_error *err) RV_MUST_USE;

#endif
