/* engine/engine.h: what the command line asks of Rivet. Each call does one command's work and
 * fills a report; nothing here prints. Threads: one call at a time per rv_engine_ctx.
 * Source: spec "cli" sections 2 to 7, "lifecycle". */
#ifndef RV_ENGINE_ENGINE_H
#define RV_ENGINE_ENGINE_H

#include "base/env.h"
#include "config/config.h"
#include "source/source.h"
#include "state/state.h"

/* ---- run ---- */

/* Facts of one export's run. Unknown numbers are -1, unknown texts NULL, unknown booleans -1. */
typedef struct rv_export_report {
    const char *export_name;
    const char *status; /* success failed skipped degraded interrupted unpublished */
    const char *run_id; /* NULL when no run was started */
    const char *mode, *format, *skip_reason;
    const char *tuning_profile; /* "balanced (default)" */
    const char *tuning_text;    /* "profile=balanced (default), batch_size=48,300 (target 32 MB)" */
    const char *consistency;    /* pages statement snapshot */
    const char *output;         /* destination uri */
    const char *started_at;
    const char *cursor_low, *cursor_high; /* both set: the cursor moved */
    int64_t rows, files, bytes, bytes_read, duration_ms, peak_rss_mb, retries;
    int64_t chunks_total, chunks_done, chunks_retried; /* -1: not chunked */
    int64_t longest_statement_ms, source_count, source_matched;
    int validated, schema_changed, quality_passed, reconciled;
    bool source_changed; /* the count that differed moved while it was looked at */
    bool resumed;        /* an older run was continued */
    bool resumable;      /* failed or interrupted with something to resume */
    const char *forced;  /* apply: what --force overrode */
    const char
        *replaced;  /* JSON object: by column, how many values a policy replaced; NULL: none */
    rv_error error; /* error.code RV_OK: none */
    int exit_code;
} rv_export_report;

/* How the run shows itself; every member may be NULL. Called from the run's threads, one call
 * at a time. */
typedef struct rv_run_hooks {
    void *ctx;
    void (*started)(void *ctx, const rv_export_report *r); /* run_id, mode, tuning known */
    void (*planned)(void *ctx, const char *export_name,
                    int64_t total_chunks); /* chunked, keyset: 0 = unknown */
    void (*progress)(void *ctx, const char *export_name, int64_t chunks_done, int64_t rows);
    void (*finished)(void *ctx, const rv_export_report *r); /* prints the block */
} rv_run_hooks;

/* What tests put in the place of the outside world. */
typedef struct rv_run_stand_ins {
    const rv_source_driver *source;    /* instead of the engine's driver */
    const struct rv_dest_driver *dest; /* likewise of the destination */
    int64_t tick_us;                   /* of the monitor, instead of half a second */
    const char *child;                 /* program that children run, instead of this very one */
} rv_run_stand_ins;

typedef enum rv_parallel { RV_SEQUENTIAL, RV_THREADS, RV_PROCESSES } rv_parallel;

/* How the children of RV_PROCESSES are started. */
typedef struct rv_child_opts {
    const char *params_json; /* their RIVET_PARAMS; NULL: no params */
    bool lock_wait_given;    /* --lock-wait stood on the command line */
    int log_fd;              /* their stderr; -1: that of this process */
} rv_child_opts;

typedef struct rv_run_opts {
    const char *export_name; /* NULL: all */
    bool validate, reconcile, resume, force, strict, no_notify;
    int64_t lock_wait_s;
    rv_parallel parallel;          /* ignored with export_name and for a single export */
    const rv_child_opts *children; /* with RV_PROCESSES */
    const char *aggregate_id;      /* in a child: its parent's; else NULL */
    const char *command;           /* argv words for the resume hint: "rivet run -c rivet.yaml" */
    const rv_run_hooks *hooks;
    const rv_run_stand_ins *stand_ins;    /* NULL: the real world */
    const struct rv_sealed_plans *sealed; /* apply: what was planned (apply.h); NULL: a plain run */
} rv_run_opts;

typedef struct rv_run_report {
    const char *run_aggregate_id; /* NULL with export_name, but in a child */
    const char *parallel_mode;    /* sequential threads processes */
    const char *started_at, *finished_at;
    int64_t duration_ms;
    rv_export_report *exports; /* in the arena */
    size_t n_exports;
    int exit_code;
} rv_run_report;

/* Runs the export or all of them; the report is complete even when some failed. An error is
 * returned only when nothing could be started (state unusable, unknown export). */
rv_status rv_engine_run(const rv_env *env, const rv_cfg *cfg, const rv_run_opts *opts,
                        rv_arena *arena, rv_run_report *out, rv_error *err) RV_MUST_USE;

/* The same in steps, for exports that run in sets (waves): open, any number of sets, finish, close.
 * The record of the invocation is the aggregate; `opts->parallel` is only what it says of itself.
 * The report and the arena outlive the invocation. */
typedef struct rv_invocation rv_invocation;
rv_status rv_invocation_open(const rv_env *env, const rv_cfg *cfg, const rv_run_opts *opts,
                             rv_arena *arena, rv_run_report *report, rv_invocation **out,
                             rv_error *err) RV_MUST_USE;
/* Returns when every export of the set has ended. Their reports follow those of earlier sets; each
 * export of the configuration runs at most once. At most 16 run at the same time. */
rv_status rv_invocation_run(rv_invocation *inv, const rv_cfg_export *const *exports, size_t n,
                            rv_parallel how, rv_error *err) RV_MUST_USE;
/* Stores the aggregate: interrupted or failed ones stay open for --resume. */
rv_status rv_invocation_finish(rv_invocation *inv, rv_error *err) RV_MUST_USE;
void rv_invocation_close(rv_invocation *inv);

/* Aggregate JSON of spec "cli" section 2. */
rv_status rv_run_report_json(const rv_run_report *r, const rv_cfg *cfg, rv_buf *out,
                             rv_error *err) RV_MUST_USE;
/* The state of this config, with `must_exist` for commands that only look. */
rv_status rv_engine_state(const rv_env *env, const rv_cfg *cfg, bool must_exist, rv_state **out,
                          rv_error *err) RV_MUST_USE;
/* The sub-export that a partitioned export writes one bucket with, by its full name, as a run reads
 * it; asks the source. In the arena; *out NULL: no export has such a bucket. */
rv_status rv_engine_bucket(const rv_env *env, const rv_cfg *cfg, const char *name, rv_arena *arena,
                           const rv_cfg_export **out, rv_error *err) RV_MUST_USE;
/* Names of the buckets of x that the state knows; none unless it is partitioned. */
rv_status rv_engine_buckets(rv_state *state, const rv_cfg *cfg, const rv_cfg_export *x,
                            rv_arena *arena, const char ***out, size_t *out_n,
                            rv_error *err) RV_MUST_USE;
bool rv_engine_is_bucket(const rv_cfg *cfg, const char *name);
/* state finish-run: settles one dead run. */
rv_status rv_engine_finish_run(const rv_env *env, const rv_cfg *cfg, const char *run_id,
                               rv_arena *arena, const char **out_outcome,
                               rv_error *err) RV_MUST_USE;
/* Today's owner facts of an export as JSON (state accept); connects to the source. */
rv_status rv_engine_owner_facts(const rv_env *env, const rv_cfg *cfg, const rv_cfg_export *x,
                                rv_arena *arena, const char **out_json, rv_error *err) RV_MUST_USE;
/* state set-cursor: checks VALUE against the cursor's type at the source. */
rv_status rv_engine_check_cursor(const rv_env *env, const rv_cfg *cfg, const rv_cfg_export *x,
                                 const char *value, rv_arena *arena, const char **out_type,
                                 rv_error *err) RV_MUST_USE;

/* ---- check ---- */

typedef struct rv_check_warning {
    const char *severity; /* HIGH MEDIUM LOW */
    const char *message;
} rv_check_warning;
typedef struct rv_check_column {
    const rv_column *column;
    rv_target_verdict target; /* with a target */
} rv_check_column;
typedef struct rv_violation {
    const char *column_name, *fidelity, *message;
    bool fatal;
} rv_violation;
typedef struct rv_check_report {
    const char *export_name, *table; /* table: multi-table CDC only */
    const char *strategy, *mode, *row_estimate, *scan_type, *verdict, *recommended, *parallelism;
    const char *suggestion; /* NULL: none; may hold line feeds */
    const char *reads;      /* "pages by orders_pkey (id)" */
    const char *memory;     /* "~64 MB planned (1 worker)" */
    const char *read_shape, *read_key, *read_reason;
    rv_check_warning *warnings;
    size_t n_warnings;
    rv_check_column *columns;
    size_t n_columns;
    rv_violation *violations;
    size_t n_violations;
    rv_target target;
    int64_t target_failures;
    const char *recovery_sql; /* NULL */
    rv_error error;           /* a hard failure: no verdict */
} rv_check_report;
typedef struct rv_check_opts {
    const char *export_name;
    bool type_report, strict;
    rv_target target; /* NONE: each export's own */
} rv_check_opts;
rv_status rv_engine_check(const rv_env *env, const rv_cfg *cfg, const rv_check_opts *opts,
                          rv_arena *arena, rv_check_report **out, size_t *out_n,
                          rv_error *err) RV_MUST_USE;

/* ---- doctor ---- */

typedef struct rv_doctor_check {
    const char *name;          /* "Source auth (Sqlite)" */
    char kind;                 /* 'O' ok, 'F' fail, 'W' warn, 'N' note */
    const char *detail, *hint; /* NULL: none */
    rv_status code;            /* of a failure */
} rv_doctor_check;
/* Never stops at a failing check. cfg is loaded by the caller (its own check comes first). */
rv_status rv_engine_doctor(const rv_env *env, const rv_cfg *cfg, rv_arena *arena,
                           rv_doctor_check **out, size_t *out_n, rv_error *err) RV_MUST_USE;

/* ---- init ---- */

typedef struct rv_init_opts {
    const char *source_url, *source_env, *source_file; /* exactly one */
    const char *table, *schema, *mode;
    const char *const *include;
    size_t n_include;
    const char *const *exclude;
    size_t n_exclude;
    const char *output_file; /* NULL: stdout; sqlite paths count from its directory */
    const char *gcs_bucket, *gcs_credentials_file, *s3_bucket, *s3_region, *azure_container,
        *azure_account;
    const char *tls_mode, *tls_ca;
    const char *cwd; /* absolute */
} rv_init_opts;
/* The scaffold, or with `discover` the JSON artifact, in `out`; notes for stderr in `notes`. */
rv_status rv_engine_init(const rv_env *env, const rv_init_opts *opts, bool discover, rv_buf *out,
                         rv_buf *notes, rv_error *err) RV_MUST_USE;

/* ---- validate ---- */

typedef struct rv_failure {
    const char *kind; /* part_missing ... */
    const char *message, *path, *expected, *actual, *key, *status;
    int64_t part_id, size_bytes; /* -1: not of this kind */
    bool fatal;
} rv_failure;
typedef struct rv_validate_report {
    const char *export_name, *prefix /* uri */, *run_id;
    bool manifest_found, legacy_run, success_marker_consistent, manifest_self_consistent, passed;
    int64_t parts_verified, parts_md5_verified, parts_failed, parts_untracked;
    int64_t parts_missing, parts_size_mismatch;
    rv_failure *failures;
    size_t n_failures;
    const char *depth;   /* light sample full */
    const char *warning; /* the marker is another export's; NULL: none */
    rv_error error;      /* destination unreachable ...; code RV_OK: none */
} rv_validate_report;
typedef enum rv_depth { RV_DEPTH_LIGHT, RV_DEPTH_SAMPLE, RV_DEPTH_FULL } rv_depth;
typedef struct rv_validate_opts {
    const char *export_name, *date, *run_id, *prefix;
    rv_depth depth;
} rv_validate_opts;
rv_status rv_engine_validate(const rv_env *env, const rv_cfg *cfg, const rv_validate_opts *opts,
                             rv_arena *arena, rv_validate_report **out, size_t *out_n,
                             rv_error *err) RV_MUST_USE;

#endif
