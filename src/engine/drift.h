/* engine/drift.h: columns of this run against those of the last successful one.
 * Source: spec "lifecycle" section 12. */
#ifndef RV_ENGINE_DRIFT_H
#define RV_ENGINE_DRIFT_H

#include "engine/job.h"

/* [{"name":...,"type":...}] in column order, in the job's arena. */
rv_status rv_drift_columns(rv_job *job, const char **out, rv_error *err) RV_MUST_USE;
/* Compares with the stored schema, logs, journals; RV_E_SCHEMA_DRIFT under policy fail. */
rv_status rv_drift_gate(rv_job *job, bool *out_changed, rv_error *err) RV_MUST_USE;
/* After reading: WARN per text, JSON or binary column longer than factor x the stored maximum.
 * *out_drifted: the run is degraded. */
rv_status rv_drift_shapes(rv_job *job, const rv_sums *sums, bool *out_drifted,
                          rv_error *err) RV_MUST_USE;

#endif
