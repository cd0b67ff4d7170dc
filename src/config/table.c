#include "config/table.h"

#include <stddef.h>

static const char *const rv_words_engine[] = {"postgres", "mysql", "mssql", "sqlite", NULL};
static const char *const rv_words_environment[] = {"local", "replica", "production", NULL};
static const char *const rv_words_tls[] = {"disable",   "prefer",      "require",
                                           "verify-ca", "verify-full", NULL};
static const char *const rv_words_profile[] = {"fast", "balanced", "safe", NULL};
static const char *const rv_words_batch_policy[] = {"warn", "fail", "auto_shrink", NULL};
static const char *const rv_words_isolation[] = {"default", "snapshot", "nolock", NULL};
static const char *const rv_words_intent[] = {"readwrite", "readonly", NULL};
static const char *const rv_words_mode[] = {"full",        "incremental", "chunked",
                                            "time_window", "cdc",         NULL};
static const char *const rv_words_format[] = {"parquet", "csv", NULL};
static const char *const rv_words_compression[] = {"zstd", "snappy", "gzip", "lz4", "none", NULL};
static const char *const rv_words_compression_profile[] = {"none", "fast", "balanced", "compact",
                                                           NULL};
static const char *const rv_words_verify[] = {"size", "content", NULL};
static const char *const rv_words_consistency[] = {"pages", "statement", "snapshot", NULL};
static const char *const rv_words_zero_date[] = {"null", "fail", NULL};
static const char *const rv_words_utf8[] = {"fail", "replace", "binary", NULL};
static const char *const rv_words_override_error[] = {"fail", "null", NULL};
static const char *const rv_words_drift[] = {"warn", "continue", "fail", NULL};
static const char *const rv_words_target[] = {"bigquery", "bq",         "snowflake", "sf",
                                              "duckdb",   "clickhouse", NULL};
static const char *const rv_words_cursor_mode[] = {"single_column", "coalesce", NULL};
static const char *const rv_words_cursor_ties[] = {"rescan", "strict", NULL};
static const char *const rv_words_time_type[] = {"timestamp", "unix", NULL};
static const char *const rv_words_granularity[] = {"day", "month", "year", NULL};
static const char *const rv_words_initial[] = {"snapshot", NULL};
static const char *const rv_words_backfill[] = {"auto", NULL};
static const char *const rv_words_truncate[] = {"fail", "ignore", "emit", NULL};
static const char *const rv_words_toast[] = {"fail", "mark", NULL};
static const char *const rv_words_strategy[] = {"auto", "fixed_rows", "fixed_memory", NULL};
static const char *const rv_words_encoding[] = {"auto", "compatible", "small", NULL};
static const char *const rv_words_dest[] = {"local", "stdout", "s3", "gcs", "azure", NULL};
static const char *const rv_words_path_style[] = {"auto", "path", "virtual", NULL};
static const char *const rv_words_sse[] = {"none", "s3", "kms", NULL};
static const char *const rv_words_slack[] = {"failure", "schema_change", "degraded", NULL};

/* clang-format off */
static const rv_cfg_key keys[] = {
#define KEY(block, id, name, type, field, words, dflt, min, max, flags, child, doc)                \
    {RV_K_##block##_##id, RV_BLOCK_##block, name, RV_KEY_##type, field, words,                     \
     dflt, min, max, flags, child, doc},
#include "config/keys.def"
#undef KEY
};

static const rv_block blocks[RV_BLOCK_COUNT] = {
    {RV_BLOCK_ROOT, "", "Root", "The keys of the file itself."},
    {RV_BLOCK_SOURCE, "source", "source",
     "Exactly one of `url`, `url_env`, `url_file`, or `host` + `user` + `database`; for sqlite a "
     "`sqlite:` URL or `path`."},
    {RV_BLOCK_TLS, "source.tls", "source.tls",
     "The block wins over URL parameters. Without it the URL decides, else `prefer`."},
    {RV_BLOCK_TUNING, "source.tuning", "source.tuning and exports[].tuning",
     "Merged key by key, the export over the source; the profile fills the rest."},
    {RV_BLOCK_EXPORT, "exports[]", "exports[]",
     "One entry per export. Mode keys have an effect only in their mode."},
    {RV_BLOCK_SETTLE, "exports[].settle", "exports[].settle",
     "Rows younger than `after`, by the source's clock, wait for a later run."},
    {RV_BLOCK_CDC, "exports[].cdc", "exports[].cdc", "Only with `mode: cdc`."},
    {RV_BLOCK_META, "exports[].meta_columns", "exports[].meta_columns",
     "Appended last, in this order."},
    {RV_BLOCK_QUALITY, "exports[].quality", "exports[].quality",
     "A failing gate ends the export with exit code 3 and moves no state."},
    {RV_BLOCK_PARQUET, "exports[].parquet", "exports[].parquet",
     "Ignored, with a warning, for CSV."},
    {RV_BLOCK_DEST, "exports[].destination", "exports[].destination",
     "A key of another type is ignored with a warning; a credential of another type, or a secret "
     "written into the file, is an error."},
    {RV_BLOCK_NOTIFICATIONS, "notifications", "notifications", "Sent after the report is written."},
    {RV_BLOCK_SLACK, "notifications.slack", "notifications.slack",
     "Exactly one of `webhook_url` and `webhook_url_env`."},
};
/* clang-format on */

const rv_block *rv_block_get(rv_block_id id)
{
    return &blocks[id];
}

const rv_cfg_key *rv_block_keys(rv_block_id id, size_t *out_n)
{
    size_t first = 0;
    while (first < RV_KEY_COUNT_ALL && keys[first].block != id)
        first++;
    size_t end = first;
    while (end < RV_KEY_COUNT_ALL && keys[end].block == id)
        end++;
    *out_n = end - first;
    return &keys[first];
}

const rv_cfg_key *rv_cfg_key_get(rv_key_id id)
{
    return &keys[id];
}

const rv_cfg_key *rv_block_find(rv_block_id id, rv_str name)
{
    size_t n = 0;
    const rv_cfg_key *k = rv_block_keys(id, &n);
    for (size_t i = 0; i < n; i++)
        if (rv_str_eq(rv_str_c(k[i].name), name))
            return &k[i];
    return NULL;
}

size_t rv_words_count(const char *const *words)
{
    size_t n = 0;
    while (words && words[n])
        n++;
    return n;
}
