/* The typed values of loaded files: defaults, merges, interpolation, secrets. */
#include "cfgtest.h"

#define SOURCE "source: {type: sqlite, path: sub/d.db}\n"
#define EXPORT "  - {name: x, table: t, format: parquet, destination: {type: local, path: o}"

static void load_one(cfgtest *t, const char *source, const char *more)
{
    char yaml[2048];
    (void)snprintf(yaml, sizeof yaml, "%sexports:\n" EXPORT "%s}\n", source, more);
    cfgtest_load(t, yaml);
    if (t->st != RV_OK)
        printf("%s\n", t->err.text);
    CHECK_EQ(t->st, RV_OK);
}

static void check_export_defaults(const rv_cfg_export *x)
{
    CHECK_EQ(x->mode, RV_FULL);
    CHECK_STR(x->compression, "zstd");
    CHECK_EQ(x->compression_level, INT32_MIN);
    CHECK_EQ(x->chunk_size, 100000);
    CHECK_EQ(x->chunk_size_written, 0);
    CHECK_EQ(x->parallel, 1);
    CHECK_EQ(x->chunk_max_attempts, 4);
    CHECK_EQ(x->max_file_bytes, 0);
    CHECK_EQ(x->quality.row_count_min, -1);
    CHECK_EQ(x->quality.unique_max_entries, 5000000);
    CHECK_EQ(x->consistency, RV_CONSISTENCY_UNSET);
    CHECK_EQ(x->on_invalid_utf8, RV_UTF8_FAIL);
    CHECK_EQ(x->on_schema_drift, RV_DRIFT_WARN);
    CHECK(x->shape_drift_warn_factor == 2.0);
    CHECK(!x->zero_date_fail && !x->override_error_null && !x->verify_content);
    CHECK_STR(x->parquet.strategy, "auto");
    CHECK_EQ(x->parquet.target_row_group_mb, 128);
    CHECK(!x->parquet.written);
    CHECK_STR(x->cdc.slot, "rivet_slot");
    CHECK(x->cdc.until_current && !x->cdc.written);
    CHECK_EQ(x->dest.upload_threshold_mb, 64);
    CHECK(x->query == NULL && x->wave == 0);
}

RV_TEST(defaults)
{
    cfgtest t;
    REQUIRE(cfgtest_begin(&t));
    load_one(&t, SOURCE, "");
    REQUIRE(t.cfg);
    char want[128];
    (void)snprintf(want, sizeof want, "%s/sub/d.db", t.dir);
    CHECK_STR(t.cfg->source.path, want);
    CHECK_STR(t.cfg->dir, t.dir);
    CHECK_STR(t.cfg->path, "rivet.yaml");
    CHECK_STR(t.cfg->project, "");
    CHECK_STR(t.cfg->source.environment, "production");
    CHECK_EQ(t.cfg->source.tls.mode, RV_TLS_UNSET);
    CHECK_EQ(t.cfg->n_exports, 1);
    check_export_defaults(&t.cfg->exports[0]);
    CHECK_EQ(t.cfg->exports[0].pos.line, 3);
    CHECK_EQ(t.cfg->exports[0].pos.col, 6);
    cfgtest_end(&t);
}

typedef struct tuning_case {
    const char *source, *more;
    rv_profile profile;
    bool by_default;
    uint64_t batch, memory, throttle, timeout, lock, retries, backoff, threshold, target;
} tuning_case;

RV_TEST(tuning)
{
    static const tuning_case cases[] = {
        {SOURCE, "", RV_BALANCED, true, 10000, 32, 50, 300, 30, 3, 2000, 4096, 100},
        {"source: {type: sqlite, path: d, environment: local}\n", "", RV_FAST, true, 50000, 64, 0,
         0, 0, 1, 1000, 0, 200},
        {"source: {type: sqlite, path: d, environment: replica}\n", "", RV_BALANCED, true, 10000,
         32, 50, 300, 30, 3, 2000, 4096, 100},
        {"source: {type: sqlite, path: d, tuning: {profile: safe}}\n", "", RV_SAFE, false, 2000, 0,
         500, 120, 10, 5, 5000, 2048, 50},
        {"source: {type: sqlite, path: d, tuning: {profile: safe, throttle_ms: 7, max_retries: "
         "0}}\n",
         ", tuning: {profile: fast, max_retries: 9}", RV_FAST, false, 50000, 64, 7, 0, 0, 9, 1000,
         0, 200},
        {SOURCE, ", tuning: {batch_size: 5}", RV_BALANCED, true, 5, 0, 50, 300, 30, 3, 2000, 4096,
         100},
        {SOURCE, ", tuning: {batch_size_memory_mb: 256, profile: safe}", RV_SAFE, false, 2000, 256,
         500, 120, 10, 5, 5000, 2048, 50},
        {SOURCE, ", tuning: {target_query_ms: 0, statement_timeout_s: 0}", RV_BALANCED, true, 10000,
         32, 50, 0, 30, 3, 2000, 4096, 0},
    };
    cfgtest t;
    REQUIRE(cfgtest_begin(&t));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const tuning_case *c = &cases[i];
        load_one(&t, c->source, c->more);
        REQUIRE(t.cfg);
        const rv_cfg_tuning *u = &t.cfg->exports[0].tuning;
        CHECK_EQ(u->profile, c->profile);
        CHECK_EQ(u->profile_default, c->by_default);
        CHECK_EQ(u->batch_size, c->batch);
        CHECK_EQ(u->batch_memory_mb, c->memory);
        CHECK_EQ(u->throttle_ms, c->throttle);
        CHECK_EQ(u->statement_timeout_s, c->timeout);
        CHECK_EQ(u->lock_timeout_s, c->lock);
        CHECK_EQ(u->max_retries, c->retries);
        CHECK_EQ(u->retry_backoff_ms, c->backoff);
        CHECK_EQ(u->memory_threshold_mb, c->threshold);
        CHECK_EQ(u->target_query_ms, c->target);
        CHECK_EQ(u->max_value_mb, 256);
        CHECK_EQ(u->min_parallel, 1);
        CHECK_EQ(t.cfg->exports[0].chunk_max_attempts, c->retries + 1);
    }
    cfgtest_end(&t);
}

RV_TEST(tuning_words)
{
    cfgtest t;
    REQUIRE(cfgtest_begin(&t));
    load_one(&t, "source: {type: mssql, url_env: U}\n",
             ", tuning: {on_batch_memory_exceeded: auto_shrink, isolation: nolock, "
             "application_intent: readonly, adaptive: true, max_value_mb: 0, max_batch_memory_mb: "
             "9}");
    REQUIRE(t.cfg);
    const rv_cfg_tuning *u = &t.cfg->exports[0].tuning;
    CHECK_EQ(u->on_batch_memory_exceeded, RV_BATCH_SHRINK);
    CHECK_EQ(u->isolation, RV_ISOLATION_NOLOCK);
    CHECK(u->application_intent_readonly && u->adaptive);
    CHECK_EQ(u->max_value_mb, 0);
    CHECK_EQ(u->max_batch_memory_mb, 9);
    CHECK_EQ(t.cfg->source.port, 1433);
    cfgtest_end(&t);
}

RV_TEST(written_values)
{
    cfgtest t;
    REQUIRE(cfgtest_begin(&t));
    load_one(&t, "source: {type: postgres, host: h, port: 6_000, user: u, database: d, tls: {}}\n",
             ", zero_date: fail, on_override_error: null, verify: content, consistency: snapshot, "
             "max_file_size: 1.5KB, compression_profile: fast, target: sf, wave: 3, "
             "meta_columns: {exported_at: true, row_hash: [b, a]}, "
             "columns: {a: 'Decimal(12,2)', t.b: TEXT}, "
             "quality: {row_count_min: 1, null_ratio_max: {a: 0.25}, unique_columns: [a]}, "
             "parquet: {row_group_strategy: fixed_rows, row_group_rows: 77, encoding: small}");
    REQUIRE(t.cfg);
    const rv_cfg_export *x = &t.cfg->exports[0];
    CHECK_EQ(t.cfg->source.port, 6000);
    CHECK_EQ(t.cfg->source.tls.mode, RV_TLS_VERIFY_FULL);
    CHECK(t.cfg->source.tls.written);
    CHECK(x->zero_date_fail && x->override_error_null && x->verify_content);
    CHECK_EQ(x->consistency, RV_CONSISTENCY_SNAPSHOT);
    CHECK_EQ(x->max_file_bytes, 1536);
    CHECK_STR(x->compression, "snappy");
    CHECK_EQ(x->target, RV_SNOWFLAKE);
    CHECK_EQ(x->wave, 3);
    CHECK(x->exported_at && x->row_hash);
    REQUIRE(x->n_row_hash_columns == 2);
    CHECK_STR(x->row_hash_columns[0], "b");
    REQUIRE(x->n_columns == 2);
    CHECK_EQ(x->columns[0].type.kind, RV_DECIMAL);
    CHECK(x->columns[0].table == NULL);
    CHECK_STR(x->columns[1].table, "t");
    CHECK_STR(x->columns[1].column, "b");
    CHECK_EQ(x->columns[1].type.kind, RV_STRING);
    REQUIRE(x->quality.n_null_ratio_max == 1);
    CHECK(x->quality.null_ratio_max[0].limit == 0.25);
    CHECK_EQ(x->quality.row_count_max, -1);
    CHECK(x->parquet.fixed_rows && x->parquet.written);
    CHECK_EQ(x->parquet.row_group_rows, 77);
    CHECK_STR(x->parquet.encoding, "small");
    cfgtest_end(&t);
}

RV_TEST(texts_keep_their_source)
{
    cfgtest t;
    REQUIRE(cfgtest_begin(&t));
    t.env[t.n_env++] = "PW=null";
    t.env[t.n_env++] = "N=0042";
    cfgtest_load(&t, "source: {type: mysql, host: h, user: 0123, database: 1_0, password: ${PW}}\n"
                     "exports:\n" EXPORT ", source_group: 'a${N}$${N}', cursor_column: true}\n");
    REQUIRE(t.cfg);
    CHECK_STR(t.cfg->source.user, "0123");
    CHECK_STR(t.cfg->source.database, "1_0");
    CHECK_STR(t.cfg->source.password, "null");
    CHECK_STR(t.cfg->exports[0].source_group, "a0042${N}");
    cfgtest_end(&t);
}

RV_TEST(queries)
{
    cfgtest t;
    REQUIRE(cfgtest_begin(&t));
    t.env[t.n_env++] = "API_TOKEN=s3cr3t";
    t.env[t.n_env++] = "DAY=2026-01-01";
    t.params[t.n_params++] = (rv_param){"LOW", "1"};
    t.params[t.n_params++] = (rv_param){"LOW", "2"};
    CHECK(mkdir("sql", 0700) == 0);
    CHECK(cfgtest_write("sql/q.sql", "SELECT ${LOW} -- ${DAY}\n;\n", 26));
    cfgtest_load(&t, SOURCE "exports:\n"
                            "  - {name: a, query: \"SELECT '${API_TOKEN}', '${DAY}', '$${X}' ; \", "
                            "format: csv, destination: {type: local, path: o}}\n"
                            "  - {name: b, query_file: sql/q.sql, format: csv, destination: "
                            "{type: local, path: o}}\n");
    REQUIRE(t.cfg);
    const rv_cfg_export *x = t.cfg->exports;
    CHECK_STR(x[0].query, "SELECT 's3cr3t', '2026-01-01', '${X}'");
    CHECK_STR(x[0].query_sealed, "SELECT '${API_TOKEN}', '2026-01-01', '$${X}'");
    CHECK_STR(x[1].query, "SELECT 2 -- 2026-01-01");
    CHECK(x[1].query_sealed == NULL);
    CHECK_EQ(t.diags.n_warnings, 0);

    rv_buf masked = RV_BUF_INIT;
    CHECK(rv_secrets_redact(t.secrets, rv_str_c(x[0].query), &masked, NULL) == RV_OK);
    CHECK_STR(rv_buf_cstr(&masked), "SELECT '***', '2026-01-01', '${X}'");
    rv_buf_free(&masked);

    rv_env env = {.secrets = t.secrets, .getenv = cfgtest_env, .getenv_ctx = &t};
    const char *open = NULL;
    CHECK(rv_cfg_unseal(&env, x[0].query_sealed, &t.arena, &open, NULL) == RV_OK);
    CHECK_STR(open, x[0].query);
    rv_error err;
    CHECK_EQ(rv_cfg_unseal(&env, "${GONE}", &t.arena, &open, &err), RV_E_CONFIG_UNRESOLVED);
    CHECK_STR(err.text, "${GONE} has no value; export it or pass --param GONE=...");
    cfgtest_end(&t);
}

RV_TEST(query_files_wait_until_needed)
{
    cfgtest t;
    REQUIRE(cfgtest_begin(&t));
    t.quiet = true;
    cfgtest_load(&t, SOURCE "exports:\n"
                            "  - {name: b, query_file: sql/q.sql, format: csv, destination: "
                            "{type: local, path: o}}\n");
    REQUIRE(t.cfg);
    CHECK(t.cfg->exports[0].query == NULL);
    CHECK_STR(t.cfg->exports[0].query_file, "sql/q.sql");
    cfgtest_end(&t);
}

RV_TEST(secrets_of_the_file)
{
    cfgtest t;
    REQUIRE(cfgtest_begin(&t));
    cfgtest_load(&t, "source: {type: postgres, url: 'postgres://u:p%40ss:w@h/d'}\n"
                     "notifications: {slack: {webhook_url: 'https://hook/T0/B0'}}\n"
                     "exports:\n" EXPORT "}\n");
    REQUIRE(t.cfg);
    CHECK(t.cfg->slack.written && t.cfg->slack.on_failure && !t.cfg->slack.on_degraded);
    rv_buf out = RV_BUF_INIT;
    CHECK(rv_secrets_redact(t.secrets, RV_STR("a p@ss:w b https://hook/T0/B0"), &out, NULL) ==
          RV_OK);
    CHECK_STR(rv_buf_cstr(&out), "a *** b ***");
    rv_buf_free(&out);
    cfgtest_end(&t);
}

RV_TEST(finds_exports)
{
    cfgtest t;
    const char *near = NULL;
    REQUIRE(cfgtest_begin(&t));
    cfgtest_load(&t, SOURCE "exports:\n  - {name: orders, table: t, format: csv, destination: "
                            "{type: local, path: o}}\n");
    REQUIRE(t.cfg);
    CHECK(rv_cfg_find_export(t.cfg, "orders", &near) == &t.cfg->exports[0]);
    CHECK(near == NULL);
    CHECK(rv_cfg_find_export(t.cfg, "ordes", &near) == NULL);
    CHECK_STR(near, "orders");
    cfgtest_end(&t);
}

RV_TEST(expands)
{
    rv_arena a = RV_ARENA_INIT;
    const char *out = NULL;
    rv_placeholders p = {.date = "2026-05-02", .export_name = "x", .table = "x", .run_id = "r1"};
    CHECK(rv_cfg_expand("{date}/{export}/{table}/{partition}/{run_id}/{}{x{date}", &p, &a, &out,
                        NULL) == RV_OK);
    CHECK_STR(out, "2026-05-02/x/x/{partition}/r1/{}{x2026-05-02");
    CHECK(rv_cfg_expand("", &p, &a, &out, NULL) == RV_OK);
    CHECK_STR(out, "");
    rv_arena_free(&a);
}

RV_TEST(words)
{
    CHECK_STR(rv_engine_name(RV_ENGINE_SQLITE), "sqlite");
    CHECK_STR(rv_mode_name(RV_TIME_WINDOW), "time_window");
    CHECK_STR(rv_profile_name(RV_SAFE), "safe");
    CHECK_STR(rv_dest_kind_name(RV_DEST_AZURE), "azure");
}

RV_TEST(file_problems)
{
    cfgtest t;
    REQUIRE(cfgtest_begin(&t));
    cfgtest_load_file(&t, "none.yaml");
    CHECK_EQ(t.st, RV_E_CONFIG_NOT_FOUND);
    CHECK_STR(t.err.text, "config file 'none.yaml' does not exist; pass the right path or create "
                          "one with `rivet init`");
    CHECK_EQ(t.diags.errors[0].pos.line, 0);
    CHECK(mkdir("dir.yaml", 0700) == 0);
    cfgtest_load_file(&t, "dir.yaml");
    CHECK(t.st != RV_OK && t.diags.n_errors == 0 && t.err.text[0]);
    cfgtest_load(&t, "a: [\n");
    CHECK_STR(t.err.text, "rivet.yaml:2:1: invalid YAML: did not find expected node content");
    cfgtest_end(&t);
}

RV_TEST_MAIN(RV_CASE(defaults), RV_CASE(tuning), RV_CASE(tuning_words), RV_CASE(written_values),
             RV_CASE(texts_keep_their_source), RV_CASE(queries),
             RV_CASE(query_files_wait_until_needed), RV_CASE(secrets_of_the_file),
             RV_CASE(finds_exports), RV_CASE(expands), RV_CASE(words), RV_CASE(file_problems))
