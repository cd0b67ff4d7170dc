/* engine/run.h: one export from lease to report, in the order of spec "lifecycle" section 2. */
#ifndef RV_ENGINE_RUN_H
#define RV_ENGINE_RUN_H

#include "engine/execute.h"
#include "engine/settle.h"

typedef struct rv_export_call {
    const rv_env *env;
    const rv_cfg *cfg;
    const rv_cfg_export *x;
    const rv_run_opts *opts;
    rv_state *state;
    const char *aggregate_id; /* NULL with -e */
    rv_arena *report_arena;   /* texts of the report */
} rv_export_call;

/* Never fails: what went wrong is in the report. */
void rv_export_run(const rv_export_call *call, rv_export_report *out);

/* Features that the parser accepts and this build refuses; RV_E_CONFIG_UNSUPPORTED. */
rv_status rv_refuse_unbuilt(const rv_cfg_export *x, rv_error *err) RV_MUST_USE;

/* Takes the lease of a new run, under the next free stem or millisecond; when somebody was quicker,
 * settles again and leaves what is to be continued in `settled`. */
rv_status rv_run_take_lease(rv_job *job, rv_settle_for purpose, rv_settled *settled,
                            rv_error *err) RV_MUST_USE;
/* Only memory is worth failing for: a journal that cannot be kept on disk is a WARN (D10). */
rv_status rv_run_open_journal(rv_job *job, rv_error *err) RV_MUST_USE;
/* --reconcile: counts the source with the run's own bounds and fills the report; RV_E_RECONCILE
 * when it differs from what was exported. Nothing unless asked for. */
rv_status rv_run_reconcile(rv_job *job, const rv_executed *e, rv_error *err) RV_MUST_USE;

/* D4 to D6: the final transaction, publication, closing the row. */
rv_status rv_run_finish(rv_job *job, const rv_executed *e, const char *columns_json,
                        bool *out_published, rv_error *err) RV_MUST_USE;
/* Publishes the manifest that the state holds for this run, and remembers under which name. */
rv_status rv_run_publish(rv_job *job, const char *manifest_json, rv_error *err) RV_MUST_USE;
/* After a failure: failed or interrupted manifest, row closed; never fails louder than the cause.
 */
void rv_run_fail(rv_job *job, const rv_error *cause, bool unpublished);
/* Metric, journal document, summary files: failures are WARNs (D10). Nothing when another runner
 * writes them. */
void rv_run_record(rv_job *job, const rv_export_report *r);

#endif
