/* engine/reconcile_internal.h: what reconcile, repair and run --reconcile share. Private.
 * Texts live in the arena of the call. Source: spec "lifecycle" sections 8 and 15. */
#ifndef RV_ENGINE_RECONCILE_INTERNAL_H
#define RV_ENGINE_RECONCILE_INTERNAL_H

#include "engine/execute_internal.h"
#include "engine/reconcile.h"
#include "engine/validate_internal.h"

/* ---- reconcile_units.c: the ranges a run has stored ---- */

typedef struct rv_unit_id { /* a unit's name taken apart */
    bool keyset;
    int64_t range;      /* keyset of parallel ranges; -1: none */
    int64_t index;      /* of the chunk or keyset unit */
    int64_t generation; /* _repairG; 0: the run's own */
} rv_unit_id;
/* False: not the name of a chunk or keyset unit. */
bool rv_unit_id_parse(const char *unit, rv_unit_id *out);
/* The unit in a part's name: text behind the stem; NULL: none. */
rv_status rv_unit_of_path(const char *path, rv_arena *a, const char **out_unit,
                          const char **out_stem, rv_error *err) RV_MUST_USE;
/* "chunk3", "keyset2-5", without the generation. */
rv_status rv_unit_base(const rv_unit_id *id, rv_arena *a, const char **out,
                       rv_error *err) RV_MUST_USE;

typedef struct rv_slices {
    rv_slice *rows;
    size_t n;
} rv_slices;
/* p->identifier from unit, kind and bounds. */
rv_status rv_slice_identify(rv_slice *p, rv_arena *a, rv_error *err) RV_MUST_USE;
/* By what a name says of chunk or keyset unit, whatever its generation; NULL: none. */
const rv_slice *rv_slice_find(const rv_slices *parts, const rv_unit_id *want);
/* Units of a run in order, with what it exported; `finished`: the run delivered everything.
 * Statuses: "unknown" for what is unfinished, else NULL until counted. */
rv_status rv_slices_load(rv_state *state, const rv_cfg_export *x, const char *run_id, bool finished,
                         rv_arena *a, rv_slices *out, rv_error *err) RV_MUST_USE;

/* ---- reconcile_count.c ---- */

/* COUNT(*) with exactly the extraction predicate of the partition. Needs job->rel. */
rv_status rv_slice_count(rv_job *job, const rv_slice *p, int64_t *out, rv_error *err) RV_MUST_USE;
/* COUNT(*) of a segment's predicates; tried again as the tuning grants. */
rv_status rv_segment_count(rv_job *job, const rv_pred *preds, size_t n, int64_t *out,
                           rv_error *err) RV_MUST_USE;
/* The unit that reads the partition's range. */
rv_status rv_slice_unit(const rv_job *job, const rv_slice *p, rv_arena *a, rv_unit *out,
                        rv_error *err) RV_MUST_USE;

/* ---- reconcile.c ---- */

/* The run that is looked at, and what lies at its prefix. */
typedef struct rv_subject {
    rv_validating v;
    rv_validate_opts vopts;
    rv_validate_report vreport;
    const rv_manifest *m; /* newest success manifest; NULL: the last run of the state */
    const char *run_id;
    const char *strategy;
    rv_run_row row;          /* when known */
    bool known;              /* to the state */
    bool delivered;          /* its dataset is complete */
    rv_manifest_part *parts; /* committed, superseded and quarantined ones */
    size_t n_parts;
} rv_subject;

/* `checkpoint`: a checkpoint in progress comes before any manifest (repair). */
rv_status rv_subject_open(rv_subject *s, const rv_env *env, const rv_cfg_export *x, rv_state *state,
                          bool checkpoint, rv_arena *a, rv_error *err) RV_MUST_USE;
void rv_subject_close(rv_subject *s);
/* What is wrong with a recorded object: ok missing size_mismatch checksum_mismatch. */
rv_status rv_subject_part_status(rv_subject *s, const rv_manifest_part *p, const char **out,
                                 rv_error *err) RV_MUST_USE;
/* Appends what is untracked to s->vreport, from *out_first on. */
rv_status rv_subject_untracked(rv_subject *s, size_t *out_first, rv_error *err) RV_MUST_USE;
/* (a): parts of the report. */
rv_status rv_reconcile_parts(rv_subject *s, rv_reconcile_report *out, rv_error *err) RV_MUST_USE;
/* (b): partitions of the report; job NULL: they are listed, not counted. */
rv_status rv_reconcile_counts(rv_subject *s, rv_job *job, rv_reconcile_report *out,
                              rv_error *err) RV_MUST_USE;
void rv_reconcile_sum(rv_reconcile_report *r);
/* The plan of today reads what the run's plan read. */
bool rv_subject_same_plan(const rv_subject *s, const rv_job *job);

/* ---- repair_plan.c ---- */

/* partitions and destination entries of a report in JSON; RV_E_REPAIR_REPORT. */
rv_status rv_report_parse(rv_str json, const char *path, rv_arena *a, rv_reconcile_report *out,
                          rv_error *err) RV_MUST_USE;
/* Actions and skipped; `known`: the ranges the run has. */
rv_status rv_repair_plan(const rv_reconcile_report *report, const rv_slices *known, rv_arena *a,
                         rv_repair_report *out, rv_error *err) RV_MUST_USE;

/* ---- repair_run.c ---- */

typedef struct rv_repair {
    const rv_env *env;
    const rv_cfg *cfg;
    const rv_cfg_export *x;
    const rv_repair_opts *opts;
    rv_state *state;
    rv_arena *arena; /* of the report */
    rv_subject subject;
    rv_slices known;
    rv_reconcile_report report; /* acted on */
    rv_repair_report *out;
} rv_repair;

/* Subject, report and plan; job NULL: the counts of a fresh report connect on their own. */
rv_status rv_repair_prepare(rv_repair *r, rv_job *job, rv_error *err) RV_MUST_USE;
rv_status rv_repair_execute(rv_repair *r, rv_error *err) RV_MUST_USE;

/* repair_sweep.c: under the lease, after publication: damaged replaced parts and untracked objects
 * to quarantine, superseded leftovers removed. What the store refuses is a WARN. */
rv_status rv_repair_sweep(rv_repair *r, rv_job *job, rv_error *err) RV_MUST_USE;

#endif
