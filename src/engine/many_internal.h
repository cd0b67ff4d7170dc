/* Several exports in one invocation: the record of the invocation, the exports of a set, and the
 * children that run them. */
#ifndef RV_ENGINE_MANY_INTERNAL_H
#define RV_ENGINE_MANY_INTERNAL_H

#include <pthread.h>

#include "engine/run.h"

/* More would wait for each other's memory and connections. */
#define RV_EXPORTS_AT_ONCE 16

typedef struct rv_resume_set {
    bool active;
    const char *aggregate; /* NULL: none is unfinished, only exports with a checkpoint run */
    rv_run_rows runs;
} rv_resume_set;

/* ---- aggregate.c ---- */

/* What `--resume` without -e goes on with; RV_E_RUN_NOTHING. */
rv_status rv_resume_choose(rv_state *state, const rv_cfg *cfg, const rv_run_opts *opts, rv_arena *a,
                           rv_resume_set *out, rv_error *err) RV_MUST_USE;
rv_status rv_resume_skips(rv_state *state, const rv_resume_set *set, const char *name, rv_arena *a,
                          bool *out, rv_error *err) RV_MUST_USE;
rv_status rv_aggregate_begin(rv_state *state, const rv_cfg *cfg, rv_run_report *r, rv_arena *a,
                             rv_error *err) RV_MUST_USE;
/* A failure is a WARN (D10). */
void rv_aggregate_end(const rv_env *env, rv_state *state, const rv_cfg *cfg,
                      const rv_run_report *r);

/* ---- processes.c ---- */

typedef struct rv_child_call {
    const rv_env *env;
    const rv_cfg *cfg;
    const rv_cfg_export *x;
    const rv_run_opts *opts; /* its hooks hear what the child says */
    const char *aggregate_id;
    bool resume; /* the export has a checkpoint in progress to go on with */
    rv_arena *arena;
} rv_child_call;

/* Runs the export in a child process to its end, forwarding an interruption. Never fails: what went
 * wrong is in the report. */
void rv_child_run(const rv_child_call *call, rv_export_report *out);

#endif
