/* engine/reconcile.h: is what was exported still what the source holds, and what mends it?
 * reconcile reads only; repair acts on a report. Nothing here prints.
 * Source: spec "lifecycle" section 15, "cli" section 7. */
#ifndef RV_ENGINE_RECONCILE_H
#define RV_ENGINE_RECONCILE_H

#include "engine/engine.h"

typedef struct rv_checked_part { /* one object of the run at the destination */
    const char *path;
    const char *status; /* ok missing size_mismatch checksum_mismatch untracked */
} rv_checked_part;

typedef struct rv_slice {   /* one range of the source and the unit that holds its rows */
    const char *unit;       /* "chunk3", "keyset12", "keyset2-5_repair1", "0" */
    const char *identifier; /* "chunk 3 [20001..30000)" */
    const char *status;     /* match mismatch unknown */
    const char *note;       /* NULL: none */
    const char *key_low, *key_high;
    const char *kind;                     /* chunks: range last null days dense; keys; whole */
    int64_t source_count, exported_count; /* -1 unknown */
} rv_slice;

typedef struct rv_reconcile_report {
    const char *export_name, *run_id, *strategy, *generated_at;
    const char *prefix; /* uri */
    rv_checked_part *parts;
    size_t n_parts;
    rv_slice *partitions;
    size_t n_partitions;
    bool counted; /* false: this mode is counted by `run --reconcile` only */
    int64_t matches, mismatches, unknown, damaged, untracked;
    int64_t total_source_rows, total_exported_rows;
} rv_reconcile_report;

/* RV_E_RUN_NOTHING: neither manifest nor run. The verified boundary moves when nothing is wrong. */
rv_status rv_engine_reconcile(const rv_env *env, const rv_cfg *cfg, const rv_cfg_export *x,
                              rv_arena *arena, rv_reconcile_report *out, rv_error *err) RV_MUST_USE;

typedef struct rv_repair_action {
    const char *unit;    /* of the repaired run */
    int64_t chunk_index; /* -1: a keyset unit */
    const char *start_key, *end_key;
    const char *reason; /* mismatch unknown missing size_mismatch checksum_mismatch */
    /* after --execute */
    const char *outcome;  /* executed skipped failed; NULL: not tried */
    int64_t rows_written; /* -1 unknown */
    const char *error;
} rv_repair_action;

typedef struct rv_repair_report {
    const char *export_name, *reconcile_run_id, *strategy;
    rv_repair_action *actions;
    size_t n_actions;
    const char **skipped; /* "identifier: reason" */
    size_t n_skipped;
    bool executed; /* --execute: what follows is set */
    const char *repair_run_id;
    int64_t rows_written, quarantined, removed;
} rv_repair_report;

typedef struct rv_repair_opts {
    const char *report_json; /* text of --report; NULL: a fresh one */
    const char *report_path; /* for messages */
    bool execute;
    int64_t lock_wait_s;
} rv_repair_opts;

/* The plan; with `execute` also its execution: `out` is filled as far as it went even when an error
 * is returned (out->export_name NULL: not at all). */
rv_status rv_engine_repair(const rv_env *env, const rv_cfg *cfg, const rv_cfg_export *x,
                           const rv_repair_opts *opts, rv_arena *arena, rv_repair_report *out,
                           rv_error *err) RV_MUST_USE;

#endif
