/* state/state.h: what Rivet remembers between runs. Semantic transactions over one SQL schema;
 * the backend (SQLite or PostgreSQL, through the same statements) is behind backend.h.
 * Every write of a runner names its lease and takes effect only while that lease is current:
 * otherwise RV_E_STATE_LEASE_LOST. Lost COMMIT answers are settled by reading back; passing
 * failures are retried inside (5 tries), then RV_E_STATE_UNREACHABLE.
 * Threads: every function may be called from any thread (serialised inside).
 * Text members are NUL-terminated and live in the arena given; NULL = SQL NULL.
 * Source: spec "lifecycle" sections 1, 3, 4, 7 to 9; "cli" section 8. */
#ifndef RV_STATE_STATE_H
#define RV_STATE_STATE_H

#include "base/arena.h"
#include "base/env.h"
#include "base/json.h"
#include "base/process.h"

#define RV_STATE_SCHEMA_VERSION 1

typedef struct rv_state rv_state;

typedef struct rv_state_opts {
    const char *url;        /* RIVET_STATE_URL, NULL or "": SQLite beside the config */
    const char *config_dir; /* absolute */
    const char *project;    /* "" = none */
    bool must_exist;        /* read-only commands: an absent file is "empty", nothing is created */
} rv_state_opts;

/* Opens, recognises foreign (RV_E_STATE_FOREIGN) and newer (RV_E_STATE_NEWER) databases,
 * migrates. With must_exist and no file: *out is NULL and RV_OK. */
rv_status rv_state_open(const rv_env *env, const rv_state_opts *opts, rv_state **out,
                        rv_error *err) RV_MUST_USE;
void rv_state_close(rv_state *s);
const char *rv_state_label(const rv_state *s); /* "sqlite, schema v1" */
/* The backend that a RIVET_STATE_URL names, whether it exists or not: "sqlite", "postgres". */
const char *rv_state_kind(const char *url);
/* The lease's clock: the server's, with SQLite the host's. */
rv_status rv_state_now_us(rv_state *s, int64_t *out, rv_error *err) RV_MUST_USE;

/* ---- runs and leases ---- */

typedef struct rv_lease {
    const char *run_id; /* borrowed, outlives the lease */
    const char *export_name;
    int64_t epoch;
} rv_lease;

typedef struct rv_run_row {
    const char *run_id, *export_name, *aggregate_id, *mode, *stem;
    const char *destination; /* JSON: kind, endpoint, root */
    const char *prefix, *date_token;
    const char
        *status; /* running unpublished success degraded skipped failed interrupted abandoned */
    int64_t epoch;
    const char *owner_token;
    const char *owner; /* JSON facts */
    const char *plan_hash, *cursor_low, *cursor_bound;
    const char *checks; /* "validate,reconcile" */
    const char *manifest_json;
    bool cleared;
    rv_process_id process;
    const char *heartbeat_at, *started_at, *finished_at; /* RFC 3339 */
    int64_t heartbeat_age_us;                            /* by the state's clock, at reading */
} rv_run_row;

typedef enum rv_take {
    RV_LEASE_TAKEN,
    RV_LEASE_HELD,      /* an open row exists: *out_open */
    RV_LEASE_STEM_TAKEN /* choose another stem */
} rv_take;
/* Inserts the run's row as running, epoch 1 (started_at as given, heartbeat now). */
rv_status rv_state_lease_take(rv_state *s, const rv_run_row *run, rv_arena *arena, rv_take *out,
                              rv_run_row *out_open, rv_error *err) RV_MUST_USE;
/* Takes over an existing row (open, or closed failed/interrupted for a resume): epoch + 1,
 * status running (or stays unpublished), process and heartbeat ours. RV_E_STATE_LEASE_LOST when
 * epoch or status are no longer as `seen` (what was decided about it may be wrong by now);
 * RV_E_STATE_LEASE when another row is open. */
rv_status rv_state_lease_adopt(rv_state *s, const rv_run_row *seen, const rv_process_id *process,
                               const char *aggregate_id, int64_t *out_epoch,
                               rv_error *err) RV_MUST_USE;
rv_status rv_state_lease_renew(rv_state *s, const rv_lease *l, rv_error *err) RV_MUST_USE;
/* Lease check without a write. */
rv_status rv_state_lease_check(rv_state *s, const rv_lease *l, rv_error *err) RV_MUST_USE;
/* Closes: success degraded skipped failed interrupted abandoned. */
rv_status rv_state_run_close(rv_state *s, const rv_lease *l, const char *status,
                             rv_error *err) RV_MUST_USE;
/* Facts fixed after the source is known (NULL = leave). */
typedef struct rv_run_facts {
    const char *owner, *plan_hash, *cursor_low, *cursor_bound, *checks;
} rv_run_facts;
rv_status rv_state_run_facts(rv_state *s, const rv_lease *l, const rv_run_facts *f,
                             rv_error *err) RV_MUST_USE;
/* Stem moved on because a name was foreign; files recorded before keep their names. */
rv_status rv_state_run_stem(rv_state *s, const rv_lease *l, const char *stem, bool *out_taken,
                            rv_error *err) RV_MUST_USE;

rv_status rv_state_run_get(rv_state *s, const char *run_id, rv_arena *a, rv_run_row *out,
                           bool *out_found, rv_error *err) RV_MUST_USE;
rv_status rv_state_run_open(rv_state *s, const char *export_name, rv_arena *a, rv_run_row *out,
                            bool *out_found, rv_error *err) RV_MUST_USE;
typedef struct rv_run_rows {
    rv_run_row *rows;
    size_t n;
} rv_run_rows;
/* Newest first. export_name NULL: all of the project. last 0: no limit. */
rv_status rv_state_runs(rv_state *s, const char *export_name, uint64_t last, rv_arena *a,
                        rv_run_rows *out, rv_error *err) RV_MUST_USE;
/* Closed without success and not cleared, oldest first. */
rv_status rv_state_runs_uncleared(rv_state *s, const char *export_name, rv_arena *a,
                                  rv_run_rows *out, rv_error *err) RV_MUST_USE;
/* Marks a closed run cleared, under the lease of the export's current run. */
rv_status rv_state_run_cleared(rv_state *s, const rv_lease *l, const char *run_id,
                               rv_error *err) RV_MUST_USE;
/* Any export whose lease is not certainly dead (host dead check or heartbeat > 120 s). */
rv_status rv_state_live_leases(rv_state *s, rv_arena *a, rv_run_rows *out,
                               rv_error *err) RV_MUST_USE;
/* Dead by the rules of spec "lifecycle" section 9. */
bool rv_run_row_dead(const rv_run_row *r);

/* ---- parts and units ---- */

typedef struct rv_part_row {
    const char *run_id;
    const char *unit; /* "0", "chunk7", "keyset12", "keyset2-5" */
    int64_t part_index;
    int64_t chunk_index; /* -1: none */
    const char *file_name;
    int64_t row_count;
    int64_t bytes;
    const char *format, *compression;
    const char *fingerprint, *md5;
    const char *spool_path, *upload_id;
    const char *status; /* pending uploaded committed superseded quarantined removed */
    const char *listed_by, *cursor_high, *created_at;
} rv_part_row;
typedef struct rv_part_rows {
    rv_part_row *rows;
    size_t n;
} rv_part_rows;

/* Inserts, or sets an existing row of that name back to pending with the new content. */
rv_status rv_state_part_intent(rv_state *s, const rv_lease *l, const char *prefix,
                               const rv_part_row *part, rv_error *err) RV_MUST_USE;
/* status, and spool_path cleared when `spool_gone`. Also for parts of older runs of the export
 * (clearing): `run_id` may differ from the lease's. */
rv_status rv_state_part_status(rv_state *s, const rv_lease *l, const char *run_id,
                               const char *file_name, const char *status, bool spool_gone,
                               rv_error *err) RV_MUST_USE;
rv_status rv_state_part_upload_id(rv_state *s, const rv_lease *l, const char *file_name,
                                  const char *upload_id, rv_error *err) RV_MUST_USE;
rv_status rv_state_part_forget(rv_state *s, const rv_lease *l, const char *run_id,
                               const char *file_name, rv_error *err) RV_MUST_USE;
/* By unit (NULL: all), in (unit, part_index) order of insertion. */
rv_status rv_state_parts(rv_state *s, const char *run_id, const char *unit, rv_arena *a,
                         rv_part_rows *out, rv_error *err) RV_MUST_USE;

typedef struct rv_unit_row {
    const char *unit;
    const char *key_low, *key_high; /* text datums, NULL = open */
    int64_t rows, parts;
    const char *accumulators; /* JSON */
    const char *sealed_at, *committed_at;
} rv_unit_row;
typedef struct rv_unit_rows {
    rv_unit_row *rows;
    size_t n;
} rv_unit_rows;

rv_status rv_state_unit_seal(rv_state *s, const rv_lease *l, const rv_unit_row *u,
                             rv_error *err) RV_MUST_USE;
/* Row dropped; nothing when it was not sealed. The unit's parts go back to pending. The row of a
 * keyset unit that the range's position has passed stays, without sealed_at and committed_at but
 * with its bounds: it is still owed, and rv_state_run_final refuses while it is. */
rv_status rv_state_unit_unseal(rv_state *s, const rv_lease *l, const char *unit,
                               rv_error *err) RV_MUST_USE;
rv_status rv_state_units(rv_state *s, const char *run_id, rv_arena *a, rv_unit_rows *out,
                         rv_error *err) RV_MUST_USE;

/* What else moves with a unit, in the same transaction (D3). */
typedef enum rv_unit_kind { RV_UNIT_SINGLE, RV_UNIT_TASK, RV_UNIT_RANGE } rv_unit_kind;
typedef struct rv_unit_done {
    const char *unit;
    rv_unit_kind kind;
    int64_t chunk_index; /* TASK: completed, rows and file name stored */
    int64_t rows;
    const char *file_name; /* first file or NULL */
    int64_t range_index;   /* RANGE */
    const char *position;  /* RANGE: key text after this unit */
    int64_t next_unit;
    bool range_done;
} rv_unit_done;
/* uploaded parts of the unit -> committed, unit committed_at, task or range moved. */
rv_status rv_state_unit_done(rv_state *s, const rv_lease *l, const rv_unit_done *u,
                             rv_error *err) RV_MUST_USE;

/* ---- checkpoints ---- */

typedef struct rv_task_row {
    int64_t chunk_index;
    const char *start_key, *end_key; /* NULL = open */
    const char *kind;                /* range last null dense days */
    const char *status;              /* pending running completed failed */
    int64_t attempts;
    const char *last_error;
    int64_t rows_written; /* -1 unknown */
    const char *file_name, *updated_at;
} rv_task_row;
typedef struct rv_task_rows {
    rv_task_row *rows;
    size_t n;
} rv_task_rows;
typedef struct rv_range_row {
    int64_t range_index;
    const char *lo, *hi, *position; /* key texts; (lo, hi] */
    int64_t next_unit;
    bool done;
    const char *updated_at;
} rv_range_row;
typedef struct rv_range_rows {
    rv_range_row *rows;
    size_t n;
} rv_range_rows;
typedef struct rv_checkpoint_row {
    const char *run_id, *export_name, *plan_hash, *strategy, *status;
    int64_t max_attempts;
    const char *created_at, *updated_at;
    int64_t tasks, tasks_done; /* tasks or ranges */
} rv_checkpoint_row;

/* The checkpoint with all its tasks or ranges, in one transaction. 100,000 tasks in <= 2 s. */
rv_status rv_state_checkpoint_begin(rv_state *s, const rv_lease *l, const rv_checkpoint_row *c,
                                    const rv_task_rows *tasks, const rv_range_rows *ranges,
                                    rv_error *err) RV_MUST_USE;
/* The one in progress. */
rv_status rv_state_checkpoint_get(rv_state *s, const char *export_name, rv_arena *a,
                                  rv_checkpoint_row *out, bool *out_found,
                                  rv_error *err) RV_MUST_USE;
rv_status rv_state_tasks(rv_state *s, const char *run_id, rv_arena *a, rv_task_rows *out,
                         rv_error *err) RV_MUST_USE;
rv_status rv_state_ranges(rv_state *s, const char *run_id, rv_arena *a, rv_range_rows *out,
                          rv_error *err) RV_MUST_USE;
/* Lowest pending task (or failed with attempts left) -> running, attempts + 1. */
rv_status rv_state_task_claim(rv_state *s, const rv_lease *l, rv_arena *a, rv_task_row *out,
                              bool *out_found, rv_error *err) RV_MUST_USE;
/* failed with the error, or back to pending (interrupt: attempts given back). */
rv_status rv_state_task_release(rv_state *s, const rv_lease *l, int64_t chunk_index, bool failed,
                                const char *error, rv_error *err) RV_MUST_USE;
/* Another try of the same task: attempts + 1; *out_allowed false when none is left. */
rv_status rv_state_task_retry(rv_state *s, const rv_lease *l, int64_t chunk_index,
                              bool *out_allowed, rv_error *err) RV_MUST_USE;
/* Resume: running -> pending; named units' tasks back to pending when `redo` (their parts are
 * gone). */
rv_status rv_state_tasks_resume(rv_state *s, const rv_lease *l, rv_error *err) RV_MUST_USE;
rv_status rv_state_unit_redo(rv_state *s, const rv_lease *l, const rv_unit_done *u,
                             rv_error *err) RV_MUST_USE;
/* Drops checkpoints of the export (all, or only those in progress); RV_E_STATE_LEASE when a lease
 * is live and not force. */
rv_status rv_state_checkpoint_drop(rv_state *s, const char *export_name, bool only_in_progress,
                                   bool force, int64_t *out_dropped, rv_error *err) RV_MUST_USE;

/* ---- position, schema, final transaction ---- */

typedef struct rv_position_row {
    const char *last_cursor_value, *cursor_type;
    rv_bytes cursor_ties; /* 16 bytes per entry, little-endian lo then hi; ptr NULL = none kept */
    bool has_ties;        /* a set is kept (may be empty); false: over the cap or none */
    const char *keyset_high, *key_columns, *owner, *last_run_at, *last_run_id;
} rv_position_row;
rv_status rv_state_position_get(rv_state *s, const char *export_name, rv_arena *a,
                                rv_position_row *out, bool *out_found, rv_error *err) RV_MUST_USE;
rv_status rv_state_schema_get(rv_state *s, const char *export_name, rv_arena *a,
                              const char **out_columns_json,
                              rv_error *err) RV_MUST_USE; /* NULL: none */
typedef struct rv_shape_row {
    const char *column;
    int64_t max_byte_len;
} rv_shape_row;
rv_status rv_state_shapes(rv_state *s, const char *export_name, rv_arena *a, rv_shape_row **out,
                          size_t *out_n, rv_error *err) RV_MUST_USE;

typedef struct rv_run_final {
    const rv_unit_done *unit;        /* single-unit modes: in the same transaction; else NULL */
    const rv_position_row *position; /* NULL: none moves */
    bool close_checkpoint;
    const char *columns_json, *schema_fingerprint; /* NULL: schema not stored */
    const rv_shape_row *shapes;                    /* stored maxima only grow */
    size_t n_shapes;
    const char *manifest_json; /* NULL: nothing to publish (stdout, skipped): caller closes */
    const char *progression_strategy, *progression_cursor;
    int64_t progression_chunk; /* -1 none */
    bool verified;             /* the verified boundary moves too */
    /* repair: the run whose dataset this one takes over. Its committed units but `replaced_units`
     * are copied here, its committed parts are listed by this run, `replaced_files` (of any run of
     * the export) become superseded, its checkpoint closes. NULL: an ordinary run. */
    const char *repairs;
    const char *const *replaced_units;
    size_t n_replaced_units;
    const char *const *replaced_files;
    size_t n_replaced_files;
} rv_run_final;
/* D4. Every committed part of the run gets listed_by = run_id; status becomes unpublished when a
 * manifest is given. Fails with RV_E_INTERNAL when a task or range of the run is unfinished. */
rv_status rv_state_run_final(rv_state *s, const rv_lease *l, const rv_run_final *f,
                             rv_error *err) RV_MUST_USE;
/* reconcile found nothing wrong with the run: the verified boundary becomes the committed one,
 * unless a later run has moved that. */
rv_status rv_state_verified(rv_state *s, const char *export_name, const char *run_id,
                            rv_error *err) RV_MUST_USE;

/* ---- history ---- */

typedef struct rv_metric {
    const char *run_id, *export_name, *run_at, *status, *error_message, *error_class;
    const char *tuning_profile, *format, *mode, *source_type, *destination_type, *skip_reason;
    const char *schema_fingerprint;
    int64_t duration_ms, total_rows, peak_rss_mb, batch_size, batch_size_memory_mb, chunk_size;
    int64_t parallel, files_produced, files_committed, bytes_written, bytes_read, retries;
    int64_t source_count, longest_chunk_ms, pg_temp_bytes_delta; /* every number: -1 = NULL */
    int validated, schema_changed, quality_passed, reconciled;   /* 0, 1, -1 = NULL */
} rv_metric;
/* One row per run: a second put for the run replaces it. */
rv_status rv_state_metric_put(rv_state *s, const rv_metric *m, rv_error *err) RV_MUST_USE;
typedef struct rv_metrics {
    rv_metric *rows;
    size_t n;
} rv_metrics;
rv_status rv_state_metrics(rv_state *s, const char *export_name, uint64_t last, rv_arena *a,
                           rv_metrics *out, rv_error *err) RV_MUST_USE;
rv_status rv_state_journal_put(rv_state *s, const char *export_name, const char *run_id,
                               const char *finished_at, const char *journal_json,
                               rv_error *err) RV_MUST_USE;
typedef struct rv_journal_row {
    const char *run_id, *export_name, *finished_at, *journal_json;
} rv_journal_row;
/* Newest first; run_id NULL: any. */
rv_status rv_state_journals(rv_state *s, const char *export_name, const char *run_id, uint64_t last,
                            rv_arena *a, rv_journal_row **out, size_t *out_n,
                            rv_error *err) RV_MUST_USE;
rv_status rv_state_harm_put(rv_state *s, const char *export_name, const char *run_id,
                            const char *metric, int64_t delta, rv_error *err) RV_MUST_USE;

typedef struct rv_progression_row {
    const char *export_name;
    const char *committed_strategy, *committed_cursor, *committed_run_id, *committed_at;
    const char *verified_strategy, *verified_cursor, *verified_run_id, *verified_at;
    int64_t committed_chunk, verified_chunk; /* -1 none */
} rv_progression_row;
rv_status rv_state_progression(rv_state *s, const char *export_name, rv_arena *a,
                               rv_progression_row **out, size_t *out_n, rv_error *err) RV_MUST_USE;

typedef struct rv_aggregate_row {
    const char *id, *started_at, *finished_at, *config_path, *parallel_mode, *details_json;
    int64_t duration_ms, total_exports, success_count, failed_count, skipped_count;
    int64_t total_rows, total_files, total_bytes, total_bytes_read;
} rv_aggregate_row;
rv_status rv_state_aggregate_start(rv_state *s, const rv_aggregate_row *a,
                                   rv_error *err) RV_MUST_USE;
rv_status rv_state_aggregate_finish(rv_state *s, const rv_aggregate_row *a,
                                    rv_error *err) RV_MUST_USE;
/* Latest aggregate of this config path that did not finish with everything successful. */
rv_status rv_state_aggregate_unfinished(rv_state *s, const char *config_path, rv_arena *a,
                                        rv_aggregate_row *out, bool *out_found,
                                        rv_error *err) RV_MUST_USE;

/* ---- state commands ---- */

/* Names the state knows of this project, sorted. */
rv_status rv_state_exports(rv_state *s, rv_arena *a, const char ***out, size_t *out_n,
                           rv_error *err) RV_MUST_USE;
/* Drops cursor, ties, keyset_high and committed progression; an unpublished run is given up
 * (abandoned). RV_E_STATE_UNKNOWN for an unknown export; RV_E_STATE_LEASE on a live lease. */
rv_status rv_state_reset(rv_state *s, const char *export_name, rv_error *err) RV_MUST_USE;
rv_status rv_state_set_cursor(rv_state *s, const char *export_name, const char *value,
                              const char *cursor_type, rv_error *err) RV_MUST_USE;
/* Binds stored progress (position and open checkpoint) to new facts. */
rv_status rv_state_accept(rv_state *s, const char *export_name, const char *owner_json,
                          rv_error *err) RV_MUST_USE;
/* Copies everything into an empty state at `to_url`; refused while any lease is live. */
rv_status rv_state_copy(rv_state *s, const rv_env *env, const char *to_url, const char *config_dir,
                        rv_error *err) RV_MUST_USE;
typedef struct rv_prune_counts {
    int64_t metrics, journals, files, aggregates, runs;
} rv_prune_counts;
rv_status rv_state_prune(rv_state *s, int64_t keep_days, rv_prune_counts *out,
                         rv_error *err) RV_MUST_USE;

typedef enum rv_state_view {
    RV_VIEW_POSITIONS,   /* export_state */
    RV_VIEW_RUNS,        /* run_status */
    RV_VIEW_FILES,       /* file_log */
    RV_VIEW_PROGRESSION, /* export_progression */
    RV_VIEW_METRICS,     /* export_metrics */
    RV_VIEW_CHUNKS       /* {chunk_run columns..., "tasks":[...]}, null when none */
} rv_state_view;
/* --json of the listings: an array of objects keyed by the state's column names (chunks: one
 * object or null); booleans are booleans, JSON columns stay text, blobs hex. last 0: no limit. */
rv_status rv_state_json(rv_state *s, rv_state_view view, const char *export_name, uint64_t last,
                        rv_json *out, rv_error *err) RV_MUST_USE;

#endif
