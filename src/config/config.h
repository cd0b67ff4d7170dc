/* config/config.h: rivet.yaml as typed values. Loaded once, immutable afterwards.
 * Owner: the arena given to rv_cfg_load. Strings are NUL-terminated UTF-8; NULL = not written
 * (defaults are already filled in unless a field says "written").
 * Source: spec "config", whole. */
#ifndef RV_CONFIG_CONFIG_H
#define RV_CONFIG_CONFIG_H

#include "base/env.h"
#include "column/override.h"

typedef struct rv_pos {
    uint32_t line; /* 1-based; 0 = not in the file */
    uint32_t col;  /* 1-based, in characters */
} rv_pos;

typedef enum rv_engine {
    RV_ENGINE_POSTGRES,
    RV_ENGINE_MYSQL,
    RV_ENGINE_MSSQL,
    RV_ENGINE_SQLITE
} rv_engine;
typedef enum rv_mode { RV_FULL, RV_INCREMENTAL, RV_CHUNKED, RV_TIME_WINDOW, RV_CDC } rv_mode;
typedef enum rv_profile { RV_FAST, RV_BALANCED, RV_SAFE } rv_profile;
typedef enum rv_batch_policy { RV_BATCH_WARN, RV_BATCH_FAIL, RV_BATCH_SHRINK } rv_batch_policy;
typedef enum rv_isolation {
    RV_ISOLATION_DEFAULT,
    RV_ISOLATION_SNAPSHOT,
    RV_ISOLATION_NOLOCK
} rv_isolation;
typedef enum rv_consistency { /* what the file says; the engine resolves UNSET */
                              RV_CONSISTENCY_UNSET,
                              RV_CONSISTENCY_PAGES,
                              RV_CONSISTENCY_STATEMENT,
                              RV_CONSISTENCY_SNAPSHOT
} rv_consistency;
typedef enum rv_utf8_policy { RV_UTF8_FAIL, RV_UTF8_REPLACE, RV_UTF8_BINARY } rv_utf8_policy;
typedef enum rv_drift_policy { RV_DRIFT_WARN, RV_DRIFT_CONTINUE, RV_DRIFT_FAIL } rv_drift_policy;
typedef enum rv_tls_mode {
    RV_TLS_UNSET,
    RV_TLS_DISABLE,
    RV_TLS_PREFER,
    RV_TLS_REQUIRE,
    RV_TLS_VERIFY_CA,
    RV_TLS_VERIFY_FULL
} rv_tls_mode;
typedef enum rv_dest_kind {
    RV_DEST_LOCAL,
    RV_DEST_STDOUT,
    RV_DEST_S3,
    RV_DEST_GCS,
    RV_DEST_AZURE
} rv_dest_kind;
typedef enum rv_granularity { RV_DAY, RV_MONTH, RV_YEAR } rv_granularity;

typedef struct rv_cfg_tls {
    bool written;
    rv_tls_mode mode;
    const char *ca_file, *cert_file, *key_file; /* absolute or as written, relative to the config */
    bool accept_invalid_certs, accept_invalid_hostnames;
} rv_cfg_tls;

/* Merged (export over source over profile); numbers are in effect. */
typedef struct rv_cfg_tuning {
    rv_profile profile;
    bool profile_default; /* shown as "balanced (default)" */
    bool batch_size_written;
    uint64_t batch_size; /* written: the fixed size; else the profile's base or fixed size */
    bool batch_memory_written;
    uint64_t batch_memory_mb; /* target in effect; 0 = none (fixed rows) */
    uint64_t throttle_ms, statement_timeout_s, lock_timeout_s, max_retries, retry_backoff_ms;
    uint64_t memory_threshold_mb; /* 0 = off */
    uint64_t max_batch_memory_mb; /* 0 = none */
    rv_batch_policy on_batch_memory_exceeded;
    uint64_t max_value_mb; /* 0 = off */
    bool adaptive;
    uint64_t min_parallel;
    uint64_t target_query_ms; /* 0 = off */
    rv_isolation isolation;
    bool application_intent_readonly;
} rv_cfg_tuning;

typedef struct rv_cfg_source {
    rv_engine engine;
    const char *url, *url_env, *url_file;
    const char *host, *user, *database, *password, *password_env, *password_command;
    uint32_t port;    /* default of the engine filled in */
    const char *path; /* sqlite: absolute, from path: or a sqlite: URL literal; NULL when the URL
                         comes from env/file */
    const char *environment; /* local replica production */
    rv_cfg_tls tls;
    rv_pos pos;
    const char *config_dir; /* absolute; url_file and sqlite paths count from here */
} rv_cfg_source;

typedef struct rv_cfg_quality_ratio {
    const char *column;
    double limit;
} rv_cfg_quality_ratio;
typedef struct rv_cfg_quality {
    bool written;
    int64_t row_count_min, row_count_max; /* -1 = not written */
    rv_cfg_quality_ratio *null_ratio_max;
    size_t n_null_ratio_max;
    const char **unique_columns;
    size_t n_unique_columns;
    uint64_t unique_max_entries;
} rv_cfg_quality;

typedef struct rv_cfg_column { /* one entry of columns: */
    const char *table;         /* of "table.name", else NULL */
    const char *column;
    rv_type type;
    rv_pos pos;
} rv_cfg_column;

typedef struct rv_cfg_parquet {
    bool written; /* a strategy or a target was written */
    bool fixed_rows;
    uint64_t row_group_rows, target_row_group_mb, max_row_group_mb; /* max 0 = none */
    const char *strategy; /* auto fixed_rows fixed_memory */
    const char *encoding; /* auto compatible small */
} rv_cfg_parquet;

typedef struct rv_cfg_cdc {
    bool written;
    const char *checkpoint;
    bool initial_snapshot;
    bool backfill_auto;
    const char **backfill;
    size_t n_backfill;
    bool until_current;
    uint64_t max_events; /* 0 = none */
    uint64_t rollover, rollover_memory_mb, server_id, max_tx_rows, max_tx_bytes_mb;
    const char *slot, *publication, *capture_instance;
    const char *on_truncate, *unchanged_toast;
} rv_cfg_cdc;

typedef struct rv_cfg_dest {
    rv_dest_kind kind;
    const char *path;   /* local: as written, placeholders unresolved */
    const char *prefix; /* clouds: likewise; a missing trailing slash is added on use */
    const char *bucket;
    const char *region, *endpoint, *access_key_env, *secret_key_env, *session_token_env,
        *aws_profile;
    const char *credentials_file, *account_name, *account_key_env, *sas_token_env;
    const char *connection_string_env, *tenant_id, *client_id, *client_secret_env;
    const char *role_arn, *external_id, *sse, *kms_key_id, *kms_key_name, *encryption_scope;
    const char *storage_class, *path_style;
    bool allow_anonymous, managed_identity, allow_insecure_endpoint, sse_bucket_key;
    uint64_t upload_threshold_mb, upload_part_mb, upload_parallel;
    rv_pos pos;
} rv_cfg_dest;

/* A block as written, as JSON: interpolated, secrets ***, secret-looking variables by name. */
typedef struct rv_cfg_sealed {
    const char *json;    /* object; NULL: not written, or not asked for */
    const char *removed; /* JSON array of what became ***: ["source.url"] */
} rv_cfg_sealed;

typedef struct rv_cfg_export {
    const char *name;
    rv_pos pos;
    const char *query;        /* interpolated, trailing ';' stripped; from query or query_file */
    const char *query_sealed; /* as query, but secret-looking environment values stay ${NAME} and
                                 $${ stays an escape (rv_cfg_unseal); NULL: the same as query */
    const char *query_file;   /* as written */
    const char *table;        /* as written */
    const char **tables;      /* cdc */
    size_t n_tables;
    rv_mode mode;
    const char *format;      /* parquet csv */
    const char *compression; /* codec in effect: zstd snappy gzip lz4 none */
    int compression_level;   /* INT32_MIN = the codec's default */
    rv_cfg_dest dest;
    bool skip_empty;
    uint64_t max_file_bytes; /* 0 = none */
    bool verify_content;
    /* incremental */
    const char *cursor_column, *cursor_fallback_column, *cursor_start;
    bool cursor_strict;        /* cursor_ties: strict */
    uint64_t settle_after_s;   /* 0 = none */
    const char *settle_column; /* NULL: the cursor */
    /* chunked */
    const char *chunk_column, *chunk_by_key;
    uint64_t chunk_size; /* 100000 */
    bool chunk_size_written;
    uint64_t chunk_size_memory_mb;       /* 0 = none */
    uint64_t chunk_count, chunk_by_days; /* 0 = none */
    bool chunk_dense, keyset_incremental, chunk_checkpoint;
    uint64_t chunk_max_attempts; /* in effect */
    uint64_t parallel;           /* 1 outside chunked */
    /* time_window */
    const char *time_column;
    bool time_unix;
    uint64_t days_window;
    /* partitioning */
    const char *partition_by;
    rv_granularity partition_granularity;
    rv_cfg_cdc cdc;
    /* meta columns */
    bool exported_at, row_hash;
    const char **row_hash_columns; /* NULL: all */
    size_t n_row_hash_columns;
    rv_cfg_quality quality;
    rv_cfg_column *columns;
    size_t n_columns;
    rv_cfg_parquet parquet;
    rv_cfg_tuning tuning;
    rv_consistency consistency;
    bool allow_row_security, zero_date_fail, override_error_null;
    rv_utf8_policy on_invalid_utf8;
    rv_drift_policy on_schema_drift;
    double shape_drift_warn_factor;
    const char *source_group;
    bool reconcile_required, parallel_safe;
    uint64_t wave; /* 0 = not written */
    rv_target target;
    rv_cfg_sealed sealed; /* with rv_cfg_opts.seal, of the exports used */
} rv_cfg_export;

typedef struct rv_cfg_slack {
    bool written;
    const char *webhook_url, *webhook_url_env;
    bool webhook_unresolved; /* a ${NAME} in webhook_url had no value: it stands there as written */
    bool on_failure, on_schema_change, on_degraded;
} rv_cfg_slack;

typedef struct rv_cfg {
    const char *path;    /* as given */
    const char *dir;     /* absolute directory of the file */
    const char *project; /* "" when not written */
    rv_cfg_source source;
    rv_cfg_export *exports;
    size_t n_exports;
    bool parallel_exports, parallel_export_processes;
    rv_cfg_slack slack;
    rv_cfg_sealed sealed_source, sealed_notifications; /* with rv_cfg_opts.seal */
} rv_cfg;

typedef struct rv_param {
    const char *key, *value;
} rv_param;

typedef struct rv_cfg_opts {
    const rv_param *params;
    size_t n_params;
    /* What must resolve (spec section 1, Interpolation): names of exports used by the command;
     * NULL with all_exports: every one; NULL without: none. */
    const char *const *exports;
    size_t n_exports;
    bool all_exports;
    bool need_source;
    bool need_queries; /* query_file contents are read */
    bool need_notifications;
    bool seal; /* fill the `sealed` members (plan) */
} rv_cfg_opts;

typedef struct rv_diag {
    rv_status code;   /* RV_E_CONFIG_* */
    rv_pos pos;       /* line 0: no position (V01) */
    const char *text; /* may hold line feeds (V12's example) */
} rv_diag;

#define RV_DIAGS_MAX 20
typedef struct rv_diags {
    rv_diag errors[RV_DIAGS_MAX];
    size_t n_errors;
    const char **warnings; /* "FILE:LINE:COL: text" or plain text, in the arena */
    size_t n_warnings;
} rv_diags;

/* Reads, checks and types the file. Configuration mistakes land in diags (and the return is the
 * first one's code, err holding its formatted text); other failures only in err. Interpolated
 * values of secret-looking variables are added to env->secrets. */
rv_status rv_cfg_load(const rv_env *env, const char *path, const rv_cfg_opts *opts, rv_arena *arena,
                      rv_cfg **out, rv_diags *diags, rv_error *err) RV_MUST_USE;

/* Sealed blocks read back: what they meant when the file was sealed, variables by name from the
 * environment of now. Texts are JSON objects from anywhere: mistakes are RV_E_CONFIG_*. */
typedef struct rv_cfg_parts {
    const char *path, *dir; /* of the file that was sealed; dir absolute */
    const char *project;
    const char *source, *notifications; /* NULL: none */
    const char *const *exports;
    size_t n_exports;
} rv_cfg_parts;
rv_status rv_cfg_load_sealed(const rv_env *env, const rv_cfg_parts *parts, rv_arena *arena,
                             rv_cfg **out, rv_diags *diags, rv_error *err) RV_MUST_USE;

/* "rivet.yaml:14:7: unknown key ..." as one error. */
rv_status rv_diag_error(const char *path, const rv_diag *diag, rv_error *err);
/* NULL when unknown; *out_suggestion (may be NULL: not wanted) the closest name, or NULL. */
const rv_cfg_export *rv_cfg_find_export(const rv_cfg *cfg, const char *name,
                                        const char **out_suggestion);

/* {date} {export} {table} {partition} {run_id} replaced; NULL values leave the token in place. */
typedef struct rv_placeholders {
    const char *date, *export_name, *table, *partition, *run_id;
} rv_placeholders;
rv_status rv_cfg_expand(const char *pattern, const rv_placeholders *values, rv_arena *arena,
                        const char **out, rv_error *err) RV_MUST_USE;

/* A sealed query (of a plan) with its ${NAME} taken from the environment; RV_E_CONFIG_UNRESOLVED
 * names the first without a value. Values are added to env->secrets. */
rv_status rv_cfg_unseal(const rv_env *env, const char *sealed, rv_arena *arena, const char **out,
                        rv_error *err) RV_MUST_USE;

/* The words of the enums above, as the file spells them. */
const char *rv_engine_name(rv_engine e); /* postgres mysql mssql sqlite */
const char *rv_mode_name(rv_mode m);     /* full incremental chunked time_window cdc */
const char *rv_profile_name(rv_profile p);
const char *rv_dest_kind_name(rv_dest_kind k);

/* Generated from the same table the parser uses. */
rv_status rv_cfg_json_schema(rv_buf *out, rv_error *err) RV_MUST_USE; /* `rivet schema config` */
rv_status rv_cfg_reference(rv_buf *out, rv_error *err) RV_MUST_USE;   /* docs/reference/config.md */

#endif
