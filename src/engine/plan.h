/* engine/plan.h: what a run will read: one unit, chunks, or key ranges; and the segments of each.
 * Everything lives in the job's arena. Source: spec "lifecycle" section 8, "config" section 6. */
#ifndef RV_ENGINE_PLAN_H
#define RV_ENGINE_PLAN_H

#include "engine/unit.h"

typedef enum rv_work_kind { RV_WORK_SINGLE, RV_WORK_TASKS, RV_WORK_RANGES } rv_work_kind;

typedef struct rv_work {
    rv_work_kind kind;
    rv_unit single;       /* SINGLE */
    rv_task_rows tasks;   /* TASKS */
    rv_range_rows ranges; /* RANGES */
    uint64_t unit_rows;   /* RANGES: rows of a keyset unit */
} rv_work;

#define RV_CHUNKS_MAX 100000

/* "range_<size>", "count_<n>", "dense_<size>", "days_<d>", "keyset_<size>", else the mode. */
rv_status rv_plan_strategy(const rv_job *job, rv_arena *a, const char **out,
                           rv_error *err) RV_MUST_USE;
/* Checks the strategy against the resolved column (V68, V69). */
rv_status rv_plan_check(const rv_job *job, rv_error *err) RV_MUST_USE;
/* The single unit of full and time_window (incremental: incremental.h). */
rv_status rv_plan_single(rv_job *job, rv_work *out, rv_error *err) RV_MUST_USE;

/* Segments of one task; of a keyset unit: rows after `position` (text or NULL), at most `limit`,
 * up to `hi` (NULL: open). */
rv_status rv_plan_task_unit(const rv_job *job, const rv_task_row *task, rv_arena *a, rv_unit *out,
                            rv_error *err) RV_MUST_USE;
rv_status rv_plan_range_unit(const rv_job *job, const rv_range_row *range, bool parallel,
                             const char *position, const char *hi, uint64_t limit, rv_arena *a,
                             rv_unit *out, rv_error *err) RV_MUST_USE;

/* A key's datums as one text (several columns: a JSON array) and back. */
rv_status rv_key_to_text(const rv_datum *key, size_t n, rv_arena *a, const char **out,
                         rv_error *err) RV_MUST_USE;
rv_status rv_key_from_text(const rv_key *key, const char *text, rv_arena *a, const rv_datum **out,
                           rv_error *err) RV_MUST_USE;
/* Order and paging of a scan under bounds of the bound column: (bound, key), key or nothing. */
rv_status rv_plan_order(const rv_job *job, rv_arena *a, rv_segment *io, rv_error *err) RV_MUST_USE;
/* Pages by the key alone where the relation has one. */
rv_status rv_plan_key_order(const rv_job *job, rv_arena *a, rv_segment *io,
                            rv_error *err) RV_MUST_USE;
rv_expr rv_plan_bound(const rv_job *job);

#endif
