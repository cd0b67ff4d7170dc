/* engine/priority.h: which export deserves to go first: a score with its reasons, and the waves of
 * several exports. Pure functions of facts; advisory but for the order of `apply`.
 * Source: spec "lifecycle" section 17. */
#ifndef RV_ENGINE_PRIORITY_H
#define RV_ENGINE_PRIORITY_H

#include "base/arena.h"

typedef enum rv_cursor_quality {
    RV_CURSOR_UNUSED, /* not incremental */
    RV_CURSOR_UNIQUE, /* leads an index, no value twice */
    RV_CURSOR_WEAK,   /* a time, or values that rows share */
    RV_CURSOR_COALESCE,
    RV_CURSOR_UNINDEXED
} rv_cursor_quality;

typedef struct rv_priority_facts {
    const char *export_name;
    const char *source_group; /* NULL: none */
    int64_t rows;             /* -1 unknown */
    int64_t chunks;           /* -1: not chunked */
    bool full, chunked;
    rv_cursor_quality cursor;
    bool sparse, reconcile_required, short_window;
    const char *verdict; /* EFFICIENT ACCEPTABLE DEGRADED UNSAFE; NULL: none */
    size_t n_warnings;
    /* of the last 20 runs */
    bool last_failed;
    int64_t runs, retried_runs, mean_ms;
} rv_priority_facts;

typedef struct rv_reason {
    const char *kind; /* small_table ... */
    const char *message;
} rv_reason;
#define RV_REASONS_MAX 12

typedef struct rv_priority {
    const char *export_name;
    int64_t score; /* 0..100 */
    const char *priority_class, *cost_class, *risk_class;
    int64_t wave; /* 1..4 */
    bool isolate_on_source, parallel_safe;
    rv_reason reasons[RV_REASONS_MAX];
    size_t n_reasons;
} rv_priority;

typedef struct rv_campaign {
    rv_priority *exports; /* in the order of the facts */
    const size_t *order;  /* indexes by wave, score and name */
    size_t n;
    const char **warnings; /* of source groups */
    size_t n_warnings;
} rv_campaign;

rv_status rv_campaign_make(const rv_priority_facts *facts, size_t n, rv_arena *arena,
                           rv_campaign *out, rv_error *err) RV_MUST_USE;

#endif
