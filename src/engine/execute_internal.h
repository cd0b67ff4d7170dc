/* engine/execute_internal.h: what execute.c, pool.c, resume.c and commit.c share. Private.
 * Source: spec "lifecycle" sections 3, 8, 9, 13. */
#ifndef RV_ENGINE_EXECUTE_INTERNAL_H
#define RV_ENGINE_EXECUTE_INTERNAL_H

#include "engine/execute.h"

/* ---- commit.c: one unit's way to its transaction ---- */

/* Surplus parts go, the unit is sealed; then its upload error, if any, is returned, and with
 * --validate its parts are read back. */
rv_status rv_unit_seal_and_check(rv_job *job, const rv_unit *unit, const char *key_high,
                                 const rv_unit_result *result, const char *position_json,
                                 rv_error *err) RV_MUST_USE;
/* Sends what an earlier process left in the spool of a sealed unit. */
rv_status rv_unit_upload_rest(rv_job *job, const char *unit, rv_error *err) RV_MUST_USE;
/* All of the above and the unit transaction; fills unit, rows and file_name of `done`. */
rv_status rv_unit_commit(rv_job *job, const rv_unit *unit, const char *key_high,
                         const rv_unit_result *result, rv_unit_done *done,
                         rv_error *err) RV_MUST_USE;
/* Journal, progress and log of a committed unit (names, bounds, rows). Any thread. */
void rv_unit_committed(rv_job *job, const rv_unit_row *unit, const char *file);
/* Whether it is a chunk or keyset unit: unit "0" of such a run is the file of an empty table. */
bool rv_unit_counts(const char *unit);

/* ---- pool.c: workers over chunks or key ranges ---- */

/* The first permanent error stops claiming; the worst one is returned. */
rv_status rv_pool_run(rv_job *job, const rv_work *work, rv_error *err) RV_MUST_USE;

/* ---- reconcile_run.c: --reconcile in the run's one instant, which ends before uploads begin ----
 * Into job->counted; `high`: where the unit ended. */
rv_status rv_tally_unit(rv_job *job, const rv_unit *unit, const rv_task_row *task, const char *high,
                        uint64_t rows, rv_error *err) RV_MUST_USE;
rv_status rv_tally_single(rv_job *job, const rv_unit *unit, uint64_t rows, uint64_t dropped,
                          rv_error *err) RV_MUST_USE;

/* ---- resume.c ---- */

/* The only unit of a continued run is sealed: uploads the rest; nothing is read. */
rv_status rv_resume_sealed(rv_job *job, rv_executed *out, rv_error *err) RV_MUST_USE;
/* Uploads and commits what is sealed; reads nothing and needs no source (repair). */
rv_status rv_resume_sealed_units(rv_job *job, rv_error *err) RV_MUST_USE;
/* What a checkpoint still owes: sealed units are finished, damaged ones done again or put back. */
rv_status rv_resume_plan(rv_job *job, rv_work *work, rv_error *err) RV_MUST_USE;

#endif
