/* engine/incremental.h: the cursor of an incremental export: its bounds, its ties, its new value.
 * Order and comparison are the server's; here values are only carried.
 * Source: spec "lifecycle" section 7, "config" section 6. */
#ifndef RV_ENGINE_INCREMENTAL_H
#define RV_ENGINE_INCREMENTAL_H

#include "engine/plan.h"

#define RV_TIES_MAX 100000u

typedef struct rv_ties { /* multiset of row digests, unordered */
    rv_u128 *items;      /* heap */
    size_t n, cap;
    bool overflow; /* over the cap: forgotten */
} rv_ties;

typedef struct rv_cursor {
    rv_job *job;
    const char *low; /* stored value, NULL on a first run */
    const char *low_type;
    const char *bound; /* upper bound, inclusive; NULL: none was taken */
    bool rescan;       /* cursor_ties: rescan and a set is kept */
    size_t source_columns;
    bool has_stored;   /* a set came with `low` */
    rv_bytes stored;   /* digests of the rows of value `low` exported before */
    rv_ties remaining; /* of these, the different ones in order */
    uint32_t *left;    /* of each, how many were not met again yet */
    rv_ties low_seen;  /* rows of value `low` exported now */
    rv_ties high;      /* rows of the running high value exported now */
    uint64_t dropped;
    bool beyond;   /* rows after the stored value were read */
    bool at_bound; /* rows of the upper bound itself were read */
    bool tie_memory_failed;
} rv_cursor;

/* Fixes bounds and fills the single unit of `work`. `position` may be NULL (first run). */
rv_status rv_cursor_plan(rv_cursor *c, rv_job *job, const rv_position_row *position, rv_work *work,
                         rv_error *err) RV_MUST_USE;
/* Where the cursor stands after the unit was read: fields of the new position (in the job's
 * arena). Nothing read: *out_moved false. */
rv_status rv_cursor_finish(rv_cursor *c, const rv_unit_result *result, rv_position_row *out,
                           bool *out_moved, rv_error *err) RV_MUST_USE;
/* Forgets what a failed attempt collected. */
rv_status rv_cursor_rewind(void *cursor, rv_error *err) RV_MUST_USE;
void rv_cursor_free(rv_cursor *c);

/* Position as JSON inside a seal, and back. */
rv_status rv_position_to_json(const rv_position_row *p, bool moved, rv_arena *a, const char **out,
                              rv_error *err) RV_MUST_USE;
rv_status rv_position_from_json(const char *json, rv_arena *a, rv_position_row *out,
                                bool *out_moved, rv_error *err) RV_MUST_USE;

#endif
