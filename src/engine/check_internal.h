/* engine/check_internal.h: one export while `check` judges it. The job is open and resolved; texts
 * of the report live in `arena`, which outlives the job.
 * Source: spec "source-safety" sections 9, 11, 14; "cli" section 3; "types" section 9. */
#ifndef RV_ENGINE_CHECK_INTERNAL_H
#define RV_ENGINE_CHECK_INTERNAL_H

#include "engine/plan.h"

#define RV_CHECK_WARNINGS_MAX 12

typedef struct rv_checking {
    rv_job *job;
    rv_arena *arena;
    rv_check_report *out;
    const rv_check_opts *opts;
    rv_plan_facts facts;
    rv_segment order; /* how a bounded scan is ordered */
    bool paged;       /* statements stay short */
    bool index;       /* the read column leads an index, or the plan uses one */
    int64_t windows;  /* chunks of a range plan, -1 unknown */
} rv_checking;

/* check.c: opens, resolves and judges; job, arena, out and opts are set, the caller closes the job.
 */
rv_status rv_check_export(rv_checking *c, rv_error *err) RV_MUST_USE;

/* check_reads.c: how the export will be read. */
rv_status rv_check_strategy(const rv_job *job, rv_arena *a, const char **out,
                            rv_error *err) RV_MUST_USE;
rv_status rv_check_rows_text(int64_t rows, rv_arena *a, const char **out,
                             rv_error *err) RV_MUST_USE;
/* Fills order, paged and windows; refuses the plan the run would refuse (V77). */
rv_status rv_check_plan(rv_checking *c, rv_error *err) RV_MUST_USE;
rv_status rv_check_reads(rv_checking *c, rv_error *err) RV_MUST_USE;
/* The bound column leads an index. */
bool rv_check_bound_indexed(const rv_job *job);
uint64_t rv_check_workers(const rv_job *job);
/* Planned peak of the process in bytes. */
uint64_t rv_memory_planned_bytes(uint64_t workers, size_t columns);
rv_status rv_check_memory(rv_checking *c, rv_error *err) RV_MUST_USE;
/* Rows of one chunk by chunk_size or chunk_size_memory_mb. */
uint64_t rv_check_chunk_rows(const rv_job *job);

/* check_verdict.c: the tables of spec "source-safety" section 11. */
rv_status rv_check_verdict(rv_checking *c, rv_error *err) RV_MUST_USE;
rv_status rv_check_warnings(rv_checking *c, rv_error *err) RV_MUST_USE;
/* Most of many windows of the key range hold next to nothing; *out_density is its filled share. */
bool rv_check_is_sparse(const rv_checking *c, double *out_density);

/* check_types.c: columns, violations, target. RV_E_TYPE_UNSUPPORTED or RV_E_FORMAT_UNSUPPORTED
 * after the report is filled, when the run would refuse. */
rv_status rv_check_types(rv_checking *c, rv_error *err) RV_MUST_USE;

/* ---- check_dest.c ---- */

/* What can be known of the destination without writing. */
rv_status rv_check_destination(rv_job *job, rv_error *err) RV_MUST_USE;

#endif
