/* Ranges of a run counted at the source, unit names taken apart, run --reconcile. */
#include "engine/reconcile_internal.h"
#include "inspect_fixture.h"

#define CHUNKS                                                                                     \
    "  - {name: orders, table: orders, mode: chunked, chunk_column: id, chunk_size: 300, format: " \
    "csv, destination: {type: local, path: OUT}}\n"
#define KEYS                                                                                       \
    "  - {name: orders, table: orders, mode: chunked, chunk_by_key: id, chunk_size: 300, "         \
    "chunk_checkpoint: true, format: csv, destination: {type: local, path: OUT}}\n"

static int run(fixture *f, bool reconcile)
{
    rv_run_report r;
    rv_run_opts opts = {.export_name = "orders", .reconcile = reconcile};
    rv_status st = rv_engine_run(&f->env, f->cfg, &opts, &f->arena, &r, &f->err);
    f->now_us += 60000000;
    return st == RV_OK ? r.exit_code : 99;
}

static bool fresh(fixture *f, const char *exports)
{
    return fx_open(f, FX_SHOP) && fx_config(f, exports) && run(f, false) == 0;
}

static bool look(fixture *f, rv_reconcile_report *r)
{
    rv_status st = rv_engine_reconcile(&f->env, f->cfg, &f->cfg->exports[0], &f->arena, r, &f->err);
    if (st != RV_OK)
        printf("reconcile: %s\n", f->err.text);
    return st == RV_OK;
}

/* ---- names ---- */

RV_TEST(unit_names)
{
    rv_unit_id id;
    REQUIRE(rv_unit_id_parse("chunk12", &id));
    CHECK(!id.keyset && id.index == 12 && id.range == -1 && id.generation == 0);
    REQUIRE(rv_unit_id_parse("keyset2-5_repair3", &id));
    CHECK(id.keyset && id.index == 5 && id.range == 2 && id.generation == 3);
    REQUIRE(rv_unit_id_parse("keyset7_repair1", &id));
    CHECK(id.keyset && id.index == 7 && id.range == -1 && id.generation == 1);
    static const char *const bad[] = {
        "",         "0",        "chunk",         "chunk-1", "chunk1x", "keyset",
        "keyset1-", "chunk1-2", "chunk1_repair", "Chunk1",  "chunk 1", "chunk99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(!rv_unit_id_parse(bad[i], &id));
        if (rv_unit_id_parse(bad[i], &id))
            printf("  taken: %s\n", bad[i]);
    }
}

RV_TEST(units_in_part_names)
{
    static const struct {
        const char *path, *unit, *stem;
    } rows[] = {{"a_20260502_080000_chunk3.parquet", "chunk3", "a_20260502_080000"},
                {"a_20260502_080000_chunk3_part2.csv.gz", "chunk3", "a_20260502_080000"},
                {"a_chunk9_20260502_080000_chunk3.csv", "chunk3", "a_chunk9_20260502_080000"},
                {"a_20260502_080000_keyset2-5_repair1_part0.parquet", "keyset2-5_repair1",
                 "a_20260502_080000"},
                {"a_20260502_080000.parquet", NULL, NULL},
                {"a_chunk9_20260502_080000.parquet", NULL, NULL},
                {"a_20260502_080000_chunk3_other.parquet", NULL, NULL},
                {"_chunk", NULL, NULL},
                {"", NULL, NULL}};
    rv_arena a = RV_ARENA_INIT;
    rv_error err = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *unit, *stem;
        REQUIRE(rv_unit_of_path(rows[i].path, &a, &unit, &stem, &err) == RV_OK);
        CHECK(!unit == !rows[i].unit);
        if (unit && rows[i].unit) {
            CHECK_STR(unit, rows[i].unit);
            CHECK_STR(stem, rows[i].stem);
        }
    }
    rv_arena_free(&a);
}

/* ---- counts ---- */

RV_TEST(chunks_match_then_differ)
{
    fixture f;
    rv_reconcile_report r;
    REQUIRE(fresh(&f, CHUNKS));
    REQUIRE(look(&f, &r));
    CHECK_EQ(r.n_partitions, 4);
    CHECK_EQ(r.matches, 4);
    CHECK_EQ(r.total_source_rows, 950);
    CHECK_STR(r.partitions[3].identifier, "chunk 3 [901..950]");
    REQUIRE(fx_sql(&f, "DELETE FROM orders WHERE id IN (301, 302, 950);"
                       "INSERT INTO orders VALUES (-5, 'x', 1, NULL), (9999, 'y', 1, NULL)"));
    REQUIRE(look(&f, &r));
    CHECK_EQ(r.partitions[0].source_count, 301); /* open below */
    CHECK_EQ(r.partitions[1].source_count, 298);
    CHECK_EQ(r.partitions[2].source_count, 300);
    CHECK_EQ(r.partitions[3].source_count, 49); /* closed above */
    CHECK_EQ(r.mismatches, 3);
    fx_close(&f);
}

RV_TEST(keyset_units_end_where_they_ended)
{
    fixture f;
    rv_reconcile_report r;
    REQUIRE(fresh(&f, KEYS));
    REQUIRE(fx_sql(&f, "INSERT INTO orders VALUES (9999, 'y', 1, NULL);"
                       "DELETE FROM orders WHERE id = 600"));
    REQUIRE(look(&f, &r));
    CHECK_EQ(r.n_partitions, 4);
    CHECK_STR(r.partitions[1].identifier, "keyset 1 (300..600]");
    CHECK_EQ(r.partitions[1].source_count, 299);
    CHECK_EQ(r.mismatches, 1);
    CHECK_STR(r.strategy, "keyset");
    fx_close(&f);
}

RV_TEST(run_with_reconcile)
{
    fixture f;
    REQUIRE(fx_open(&f, FX_SHOP) && fx_config(&f, KEYS));
    CHECK_EQ(run(&f, true), 0);
    fx_close(&f);
}

/* A source that counts one more, or each time one more than before. */
static uint64_t too_many, growth;

static rv_status count_more(rv_source *src, const rv_relation *rel, const rv_pred *preds,
                            size_t n_preds, uint64_t *out, rv_error *err)
{
    rv_status st = rv_source_sqlite.count(src, rel, preds, n_preds, out, err);
    *out += too_many;
    too_many += growth;
    return st;
}

static void differing_run(const char *exports, uint64_t grows, bool moved)
{
    fixture f;
    rv_source_driver driver = rv_source_sqlite;
    driver.count = count_more;
    const rv_run_stand_ins stand_ins = {.source = &driver};
    rv_run_report r;
    rv_run_opts opts = {.export_name = "orders", .reconcile = true, .stand_ins = &stand_ins};
    too_many = 1;
    growth = grows;
    REQUIRE(fx_open(&f, FX_SHOP) && fx_config(&f, exports));
    REQUIRE(rv_engine_run(&f.env, f.cfg, &opts, &f.arena, &r, &f.err) == RV_OK);
    CHECK_EQ(r.exit_code, 3);
    CHECK_EQ(r.exports[0].error.code, RV_E_RECONCILE);
    CHECK_EQ(r.exports[0].reconciled, 0);
    CHECK_EQ(r.exports[0].rows, 950);
    CHECK(r.exports[0].source_count > 950);
    CHECK(r.exports[0].source_changed == moved);
    CHECK_STR(r.exports[0].status, "failed");
    fx_close(&f);
}

RV_TEST(run_with_reconcile_that_differs)
{
    static const char full[] =
        "  - {name: orders, table: orders, format: csv, destination: {type: local, path: OUT}}\n";
    differing_run(CHUNKS, 0, false);
    differing_run(KEYS, 0, false);
    differing_run(full, 0, false);
    differing_run(full, 5, true);
    differing_run(KEYS, 5, true);
}

/* Composite keys: every cut of a random table, counted by the sum of its parts. */
RV_TEST(composite_ranges_add_up)
{
    fixture f;
    rv_reconcile_report r;
    REQUIRE(fx_open(&f, "CREATE TABLE orders (a TEXT NOT NULL COLLATE NOCASE, b INTEGER NOT NULL, "
                        "c INTEGER NOT NULL, v TEXT, PRIMARY KEY (a, b, c)) WITHOUT ROWID;"
                        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
                        "600) INSERT INTO orders SELECT CASE WHEN i % 2 THEN 'g' ELSE 'G' END || "
                        "(i % 5), (i * 7919) % 13, i, 'x' FROM n"));
    for (int size = 7; size < 120; size += 31) {
        char yaml[512];
        (void)snprintf(yaml, sizeof yaml,
                       "  - {name: orders, table: orders, chunk_checkpoint: true, chunk_size: %d, "
                       "format: csv, destination: {type: local, path: OUT}}\n",
                       size);
        REQUIRE(fx_config(&f, yaml));
        REQUIRE(run(&f, true) == 0);
        REQUIRE(look(&f, &r));
        CHECK_EQ(r.mismatches + r.unknown, 0);
        CHECK_EQ(r.total_source_rows, 600);
        CHECK((int)r.n_partitions >= 600 / size);
    }
    fx_close(&f);
}

RV_TEST(nothing_there)
{
    fixture f;
    rv_reconcile_report r;
    REQUIRE(fx_open(&f, FX_SHOP) && fx_config(&f, CHUNKS));
    CHECK_EQ(rv_engine_reconcile(&f.env, f.cfg, &f.cfg->exports[0], &f.arena, &r, &f.err),
             RV_E_RUN_NOTHING);
    fx_close(&f);
}

RV_TEST(memory_may_run_out_anywhere)
{
#ifdef RV_FAULTS
    fixture f;
    bool whole = false;
    REQUIRE(fresh(&f, CHUNKS));
    for (long nth = 1; nth < 4000 && !whole; nth++) {
        rv_arena a = RV_ARENA_INIT;
        rv_reconcile_report r = {0};
        rv_error err = {0};
        rv_fault_set_alloc(nth, false);
        rv_status st = rv_engine_reconcile(&f.env, f.cfg, &f.cfg->exports[0], &a, &r, &err);
        whole = rv_fault_seen_alloc() < nth;
        rv_fault_set_alloc(0, false);
        CHECK((st == RV_OK && r.matches == 4) || st == RV_E_MEMORY);
        if (st != RV_OK && st != RV_E_MEMORY)
            printf("  nth %ld: %s\n", nth, err.text);
        rv_arena_free(&a);
    }
    CHECK(whole);
    fx_close(&f);
#else
    SKIP("built without faults");
#endif
}

RV_TEST_MAIN(RV_CASE(unit_names), RV_CASE(units_in_part_names), RV_CASE(chunks_match_then_differ),
             RV_CASE(keyset_units_end_where_they_ended), RV_CASE(run_with_reconcile),
             RV_CASE(run_with_reconcile_that_differs), RV_CASE(composite_ranges_add_up),
             RV_CASE(nothing_there), RV_CASE(memory_may_run_out_anywhere))
