#include "engine/check_internal.h"
#include "inspect_fixture.h"

static rv_check_report *check(fixture *f, const rv_check_opts *opts, size_t want)
{
    rv_check_report *r = NULL;
    size_t n = 0;
    rv_status st = rv_engine_check(&f->env, f->cfg, opts, &f->arena, &r, &n, &f->err);
    if (st != RV_OK || n != want) {
        printf("check: %s\n", f->err.text);
        return NULL;
    }
    return r;
}

static bool warned(const rv_check_report *r, const char *severity, const char *part)
{
    for (size_t i = 0; i < r->n_warnings; i++)
        if (strcmp(r->warnings[i].severity, severity) == 0 && strstr(r->warnings[i].message, part))
            return true;
    return false;
}

#define DEST "    destination:\n      type: local\n      path: OUT\n"

RV_TEST(a_small_full_table)
{
    fixture f;
    REQUIRE(fx_open(&f, FX_SHOP));
    REQUIRE(fx_config(&f, "  - name: orders\n    table: orders\n    format: parquet\n" DEST));
    rv_check_opts opts = {.type_report = true};
    rv_check_report *r = check(&f, &opts, 1);
    REQUIRE(r != NULL);
    CHECK_EQ(r->error.code, RV_OK);
    CHECK_STR(r->strategy, "full-scan");
    CHECK_STR(r->mode, "full");
    CHECK_STR(r->row_estimate, "~950");
    CHECK_STR(r->verdict, "DEGRADED");
    CHECK_STR(r->recommended, "tuning.profile: fast");
    CHECK_STR(r->parallelism, "1 (only chunked mode benefits from parallelism)");
    CHECK_STR(r->suggestion, "No index detected -- full table scan. Add an indexed cursor\n"
                             "column and switch to incremental mode.");
    CHECK_STR(r->reads, "pages by INTEGER PRIMARY KEY (id)");
    CHECK_STR(r->read_shape, "pages");
    CHECK_STR(r->memory, "~64 MB planned (1 worker)");
    CHECK_EQ(r->n_columns, 4);
    CHECK_STR(r->columns[2].column->name, "amount");
    CHECK_EQ(r->n_warnings, 0);
    CHECK_EQ(r->n_violations, 0);
    CHECK(access(f.out, F_OK) != 0);
    fx_close(&f);
}

RV_TEST(an_indexed_cursor_is_efficient)
{
    fixture f;
    REQUIRE(fx_open(&f, FX_SHOP));
    REQUIRE(fx_config(&f, "  - name: o\n    table: orders\n    mode: incremental\n"
                          "    cursor_column: updated_at\n    format: parquet\n" DEST
                          "  - name: p\n    table: orders\n    mode: incremental\n"
                          "    cursor_column: customer\n    format: parquet\n" DEST));
    rv_check_opts opts = {0};
    rv_check_report *r = check(&f, &opts, 2);
    REQUIRE(r != NULL);
    CHECK_STR(r[0].strategy, "incremental(updated_at)");
    CHECK_STR(r[0].verdict, "EFFICIENT");
    CHECK(r[0].suggestion == NULL);
    CHECK(warned(&r[0], "LOW", "shares this export's prefix"));
    CHECK_STR(r[1].verdict, "DEGRADED");
    CHECK(r[1].suggestion && strstr(r[1].suggestion, "'customer'"));
    CHECK_EQ(r[0].n_columns, 0);
    fx_close(&f);
}

RV_TEST(strategies_have_their_names)
{
    fixture f;
    static const char *const want[] = {
        "chunked(id, size=200)",        "chunked(id, count=4)",    "chunked-dense(id, size=100)",
        "date-chunked(updated_at, 7d)", "keyset(id, size=50)",     "time-window(updated_at, 3d)",
        "keyset(id, size=100000)",      "chunked(id, size=100000)"};
    REQUIRE(fx_open(&f, FX_SHOP));
    REQUIRE(fx_config(
        &f,
        "  - {name: a, table: orders, mode: chunked, chunk_column: id, chunk_size: 200, format: "
        "parquet, destination: {type: local, path: OUT/a}}\n"
        "  - {name: b, table: orders, mode: chunked, chunk_column: id, chunk_count: 4, format: "
        "parquet, destination: {type: local, path: OUT/b}}\n"
        "  - {name: c, table: orders, mode: chunked, chunk_column: id, chunk_dense: true, "
        "chunk_size: 100, format: parquet, destination: {type: local, path: OUT/c}}\n"
        "  - {name: d, table: orders, mode: chunked, chunk_column: updated_at, chunk_by_days: 7, "
        "format: parquet, destination: {type: local, path: OUT/d}}\n"
        "  - {name: e, table: orders, mode: chunked, chunk_by_key: id, chunk_size: 50, parallel: "
        "2, "
        "format: parquet, destination: {type: local, path: OUT/e}}\n"
        "  - {name: f, table: orders, mode: time_window, time_column: updated_at, days_window: 3, "
        "format: parquet, destination: {type: local, path: OUT/f}}\n"
        "  - {name: g, table: orders, chunk_checkpoint: true, format: parquet, destination: {type: "
        "local, path: OUT/g}}\n"
        "  - {name: h, table: orders, mode: chunked, format: parquet, destination: {type: local, "
        "path: OUT/h}}\n"));
    rv_check_opts opts = {0};
    rv_check_report *r = check(&f, &opts, 8);
    REQUIRE(r != NULL);
    for (size_t i = 0; i < 8; i++) {
        CHECK_STR(r[i].error.text, "");
        CHECK_STR(r[i].strategy, want[i]);
        CHECK(r[i].verdict != NULL);
    }
    CHECK_STR(r[4].memory, "~80 MB planned (2 workers)");
    CHECK(r[4].reads && strncmp(r[4].reads, "pages by ", 9) == 0);
    CHECK_STR(r[4].parallelism, "parallel: 2 (as configured)");
    CHECK_STR(r[0].verdict, "ACCEPTABLE");
    CHECK_STR(r[0].parallelism, "1 (small dataset)");
    fx_close(&f);
}

RV_TEST(large_tables_are_judged_by_statistics)
{
    fixture f;
    REQUIRE(fx_open(&f, FX_SHOP "ANALYZE;"
                                "UPDATE sqlite_stat1 SET stat = '20000000 1';"));
    REQUIRE(fx_config(
        &f, "  - {name: a, table: orders, mode: chunked, chunk_column: id, chunk_size: 10, format: "
            "parquet, destination: {type: local, path: OUT/a}}\n"
            "  - {name: b, table: orders, mode: chunked, chunk_column: id, parallel: 4, "
            "chunk_checkpoint: true, format: parquet, destination: {type: local, path: OUT/b}}\n"
            "  - {name: c, table: orders, tuning: {batch_size: 500000000}, format: parquet, "
            "destination: {type: local, path: OUT/c}}\n"));
    rv_check_opts opts = {0};
    rv_check_report *r = check(&f, &opts, 3);
    REQUIRE(r != NULL);
    CHECK_STR(r[0].row_estimate, "~20M");
    CHECK_STR(r[0].verdict, "ACCEPTABLE");
    CHECK_STR(r[0].parallelism, "parallel: 4 (large dataset with index support)");
    CHECK(warned(&r[0], "MEDIUM", "no checkpoint"));
    CHECK(r[0].suggestion && strstr(r[0].suggestion, "set parallel"));
    CHECK(warned(&r[1], "HIGH", "parallel memory"));
    CHECK(!warned(&r[1], "MEDIUM", "no checkpoint"));
    CHECK_STR(r[1].recommended, "tuning.profile: safe");
    CHECK_STR(r[2].verdict, "UNSAFE");
    CHECK(r[2].suggestion && strstr(r[2].suggestion, "off-peak"));
    fx_close(&f);
}

RV_TEST(sparse_keys_are_named)
{
    fixture f;
    REQUIRE(fx_open(&f, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);"
                        "INSERT INTO t VALUES (1, 'a'), (50000, 'b');"
                        "ANALYZE; UPDATE sqlite_stat1 SET stat = '2';"));
    REQUIRE(fx_config(&f, "  - {name: t, table: t, mode: chunked, chunk_column: id, chunk_size: "
                          "1000, format: parquet, destination: {type: local, path: OUT}}\n"));
    rv_check_opts opts = {0};
    rv_check_report *r = check(&f, &opts, 1);
    REQUIRE(r != NULL);
    CHECK(warned(r, "MEDIUM", "Sparse key range"));
    fx_close(&f);
}

RV_TEST(what_run_refuses_gets_no_verdict)
{
    fixture f;
    REQUIRE(fx_open(&f, FX_SHOP "CREATE TABLE far (id INTEGER PRIMARY KEY);"
                                "INSERT INTO far VALUES (1), (90000000000);"));
    REQUIRE(fx_config(
        &f,
        "  - {name: gone, table: nothing, format: parquet, destination: {type: local, path: "
        "OUT}}\n"
        "  - {name: col, table: orders, mode: incremental, cursor_column: nope, format: parquet, "
        "destination: {type: local, path: OUT}}\n"
        "  - {name: day, table: orders, mode: chunked, chunk_column: id, chunk_by_days: 3, format: "
        "parquet, destination: {type: local, path: OUT}}\n"
        "  - {name: far, table: far, mode: chunked, chunk_column: id, format: parquet, "
        "destination: {type: local, path: OUT}}\n"
        "  - {name: part, table: orders, partition_by: customer, format: parquet, destination: "
        "{type: local, path: 'OUT/{partition}'}}\n"
        "  - {name: hole, table: orders, partition_by: nope, format: parquet, destination: "
        "{type: local, path: 'OUT/{partition}'}}\n"
        "  - {name: cloud, table: orders, format: parquet, destination: {type: s3, bucket: b, "
        "region: eu-west-1}}\n"
        "  - {name: file, table: orders, format: parquet, destination: {type: local, path: "
        "/dev/null/x}}\n"));
    static const rv_status want[] = {RV_E_SOURCE_MISSING,     RV_E_SOURCE_MISSING,
                                     RV_E_CONFIG_DATE_CHUNK,  RV_E_CONFIG_TOO_MANY_CHUNKS,
                                     RV_E_CONFIG_PARTITION,   RV_E_SOURCE_MISSING,
                                     RV_E_CONFIG_DESTINATION, RV_E_DEST_IO};
    rv_check_opts opts = {0};
    rv_check_report *r = check(&f, &opts, 8);
    REQUIRE(r != NULL);
    for (size_t i = 0; i < 8; i++) {
        CHECK_EQ(r[i].error.code, want[i]);
        CHECK(r[i].verdict == NULL);
    }
    fx_close(&f);
}

RV_TEST(lossy_columns_are_fatal_when_strict)
{
    fixture f;
    REQUIRE(fx_open(&f, FX_SHOP));
    REQUIRE(fx_config(&f, "  - name: o\n    table: orders\n    format: parquet\n"
                          "    columns:\n      amount: decimal(10,1)\n" DEST));
    rv_check_opts opts = {.type_report = true};
    rv_check_report *r = check(&f, &opts, 1);
    REQUIRE(r != NULL && r->n_violations == 1);
    CHECK_STR(r->violations[0].column_name, "amount");
    CHECK_STR(r->violations[0].fidelity, "lossy");
    CHECK(!r->violations[0].fatal);
    opts.strict = true;
    r = check(&f, &opts, 1);
    REQUIRE(r != NULL && r->n_violations == 1);
    CHECK(r->violations[0].fatal);
    fx_close(&f);
}

RV_TEST(a_target_brings_its_casts)
{
    fixture f;
    REQUIRE(fx_open(&f, FX_SHOP));
    REQUIRE(fx_config(&f, "  - name: orders\n    table: orders\n    format: parquet\n" DEST));
    rv_check_opts opts = {.type_report = true, .target = RV_BIGQUERY};
    rv_check_report *r = check(&f, &opts, 1);
    REQUIRE(r != NULL && r->n_columns == 4);
    CHECK_STR(r->columns[3].target.target_type, "DATETIME");
    CHECK_STR(r->recovery_sql, "SELECT\n  `id`,\n  `customer`,\n  `amount`,\n"
                               "  DATETIME(`updated_at`) AS `updated_at`\nFROM `orders`;");
    CHECK_EQ(r->target_failures, 0);
    opts.target = RV_DUCKDB;
    r = check(&f, &opts, 1);
    REQUIRE(r != NULL);
    CHECK(r->recovery_sql == NULL);
    fx_close(&f);
}

RV_TEST(estimates_are_rounded_down)
{
    static const struct {
        int64_t rows;
        const char *text;
    } cases[] = {{-1, "unknown"}, {0, "~0"},         {950, "~950"},   {1000, "~1K"},
                 {50000, "~50K"}, {999999, "~999K"}, {2000000, "~2M"}};
    rv_arena a = RV_ARENA_INIT;
    rv_error err = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text = NULL;
        CHECK_EQ(rv_check_rows_text(cases[i].rows, &a, &text, &err), RV_OK);
        CHECK_STR(text, cases[i].text);
    }
    CHECK_EQ(rv_memory_planned_bytes(1, 100) >> 20, 64);
    CHECK_EQ(rv_memory_planned_bytes(2, 100) >> 20, 80);
    CHECK_EQ(rv_memory_planned_bytes(4, 164) >> 20, 112 + 4);
    rv_arena_free(&a);
}

RV_TEST(memory_may_run_out_anywhere)
{
#ifdef RV_FAULTS
    fixture f;
    REQUIRE(fx_open(&f, FX_SHOP));
    REQUIRE(fx_config(&f,
                      "  - name: o\n    table: orders\n    mode: chunked\n    chunk_column: id\n"
                      "    format: parquet\n" DEST));
    rv_check_opts opts = {.type_report = true, .target = RV_BIGQUERY};
    bool whole = false;
    for (long nth = 1; nth < 2000 && !whole; nth++) {
        rv_arena a = RV_ARENA_INIT;
        rv_check_report *r = NULL;
        size_t n = 0;
        rv_error err = {0};
        rv_fault_set_alloc(nth, false);
        rv_status st = rv_engine_check(&f.env, f.cfg, &opts, &a, &r, &n, &err);
        whole = rv_fault_seen_alloc() < nth;
        rv_fault_set_alloc(0, false);
        CHECK(st == RV_OK || st == RV_E_MEMORY);
        if (whole)
            CHECK(st == RV_OK && r[0].verdict != NULL);
        rv_arena_free(&a);
    }
    CHECK(whole);
    fx_close(&f);
#else
    SKIP("built without faults");
#endif
}

/* ---- the tables of the contract, row by row ---- */

typedef struct verdict_row {
    bool index, cursor;
    int64_t rows, width;
    uint64_t batch; /* fixed rows of a statement */
    const char *verdict, *profile, *parallelism;
    rv_mode mode;
    bool keyset;
    uint64_t workers;
} verdict_row;

#define NEVER "1 (only chunked mode benefits from parallelism)"
#define FIXED "1 (as configured)"

static const verdict_row table[] = {
    {true, true, 10000000, 100, 0, "EFFICIENT", "balanced", NEVER, RV_INCREMENTAL, false, 1},
    {true, true, 10000001, 100, 0, "ACCEPTABLE", "safe", NEVER, RV_INCREMENTAL, false, 1},
    {true, true, -1, 100, 0, "EFFICIENT", "balanced", NEVER, RV_INCREMENTAL, false, 1},
    {true, false, 5, 100, 0, "ACCEPTABLE", "fast", NEVER, RV_FULL, false, 1},
    {true, false, 900000000, 100, 0, "ACCEPTABLE", "safe", NEVER, RV_FULL, false, 1},
    {false, false, 1000000, -1, 0, "DEGRADED", "balanced", NEVER, RV_FULL, false, 1},
    {false, false, -1, -1, 0, "DEGRADED", "safe", NEVER, RV_FULL, false, 1},
    {false, true, -1, -1, 0, "DEGRADED", "safe", NEVER, RV_INCREMENTAL, false, 1},
    {false, true, 50000000, -1, 0, "DEGRADED", "safe", NEVER, RV_INCREMENTAL, false, 1},
    {false, true, 50000001, -1, 0, "UNSAFE", "safe", NEVER, RV_INCREMENTAL, false, 1},
    {false, true, 50000001, 100, 1000, "DEGRADED", "safe", NEVER, RV_INCREMENTAL, false, 1},
    {false, false, 1000001, 100, 1000, "DEGRADED", "safe", NEVER, RV_FULL, false, 1},
    {false, false, 1000001, 5000, 500000, "UNSAFE", "safe", NEVER, RV_FULL, false, 1},
    {false, false, 1000001, -1, 1000, "UNSAFE", "safe", NEVER, RV_FULL, false, 1},
    {false, false, 100000, 100, 0, "DEGRADED", "fast",
     "parallel: 2 (no index: every chunk scans the table)", RV_CHUNKED, false, 1},
    {false, false, 100000, 100, 0, "DEGRADED", "safe",
     "parallel: 2 (no index: every chunk scans the table)", RV_CHUNKED, false, 2},
    {false, false, 5000001, 100, 1000, "DEGRADED", "safe", "1 (every chunk scans a large table)",
     RV_CHUNKED, false, 2},
    {true, false, 49999, 100, 0, "ACCEPTABLE", "fast", "1 (small dataset)", RV_CHUNKED, false, 1},
    {true, false, 50000, 100, 0, "ACCEPTABLE", "fast",
     "parallel: 2 (moderate dataset with index support)", RV_CHUNKED, false, 1},
    {true, false, 500000, 100, 0, "ACCEPTABLE", "fast",
     "parallel: 4 (large dataset with index support)", RV_CHUNKED, false, 1},
    {true, false, 1000001, 100, 0, "ACCEPTABLE", "balanced",
     "parallel: 4 (large dataset with index support)", RV_CHUNKED, false, 1},
    {true, false, 20000000, 100, 0, "ACCEPTABLE", "safe", FIXED, RV_CHUNKED, true, 1},
    {true, false, 20000000, 100, 0, "ACCEPTABLE", "safe", "parallel: 3 (as configured)", RV_CHUNKED,
     true, 3},
};

static void judge(const verdict_row *row, size_t at)
{
    rv_arena a = RV_ARENA_INIT;
    rv_schema schema = {0};
    rv_relation rel = {
        .schema = &schema, .row_estimate = row->rows, .row_bytes = row->width, .base_table = "t"};
    rv_cfg_export x = {.name = "x",
                       .mode = row->mode,
                       .parallel = row->workers,
                       .cursor_column = "c",
                       .chunk_column = "k",
                       .tuning = {.batch_size_written = row->batch > 0,
                                  .batch_size = row->batch ? row->batch : 10000}};
    rv_job job = {.x = &x,
                  .rel = &rel,
                  .mode = row->mode,
                  .keyset = row->keyset,
                  .sd = rv_source_for(RV_ENGINE_POSTGRES)};
    rv_check_report out = {0};
    rv_checking c = {.job = &job, .arena = &a, .out = &out, .index = row->index};
    char want[64], line[16];
    (void)snprintf(want, sizeof want, "tuning.profile: %s", row->profile);
    (void)snprintf(line, sizeof line, "row %zu", at);
    rv_error err = {0};
    CHECK_EQ(rv_check_verdict(&c, &err), RV_OK);
    if (strcmp(out.verdict, row->verdict) != 0 || strcmp(out.recommended, want) != 0 ||
        strcmp(out.parallelism, row->parallelism) != 0)
        printf("%s\n", line);
    CHECK_STR(out.verdict, row->verdict);
    CHECK_STR(out.recommended, want);
    CHECK_STR(out.parallelism, row->parallelism);
    bool off_peak = out.suggestion && strstr(out.suggestion, "off-peak");
    CHECK_EQ(off_peak, strcmp(row->verdict, "UNSAFE") == 0);
    rv_arena_free(&a);
}

RV_TEST(every_row_of_the_verdict_tables)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        judge(&table[i], i);
}

RV_TEST_MAIN(RV_CASE(every_row_of_the_verdict_tables), RV_CASE(a_small_full_table),
             RV_CASE(an_indexed_cursor_is_efficient), RV_CASE(strategies_have_their_names),
             RV_CASE(large_tables_are_judged_by_statistics), RV_CASE(sparse_keys_are_named),
             RV_CASE(what_run_refuses_gets_no_verdict),
             RV_CASE(lossy_columns_are_fatal_when_strict), RV_CASE(a_target_brings_its_casts),
             RV_CASE(estimates_are_rounded_down), RV_CASE(memory_may_run_out_anywhere))
