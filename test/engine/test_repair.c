/* Reports read back, plans made of them, repairs that fail anywhere. */
#include "engine/reconcile_internal.h"
#include "inspect_fixture.h"

#define CHUNKS                                                                                     \
    "  - {name: orders, table: orders, mode: chunked, chunk_column: id, chunk_size: 300, format: " \
    "csv, destination: {type: local, path: OUT}}\n"

static rv_status parse(const char *json, rv_arena *a, rv_reconcile_report *out)
{
    rv_error err = {0};
    rv_status st = rv_report_parse(rv_str_c(json), "r.json", a, out, &err);
    CHECK(st == RV_OK || err.text[0]);
    return st;
}

RV_TEST(reports_are_read_or_refused)
{
    rv_arena a = RV_ARENA_INIT;
    rv_reconcile_report r;
    REQUIRE(parse("{\"export_name\":\"x\",\"run_id\":\"r\",\"more\":[1],\"partitions\":["
                  "{\"identifier\":\"chunk 1 [1..2)\",\"status\":\"mismatch\",\"new\":null}]}",
                  &a, &r) == RV_OK);
    CHECK_EQ(r.n_partitions, 1);
    CHECK_EQ(r.n_parts, 0);
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "1",
        "{\"export_name\":\"x\",\"run_id\":\"r\"}",
        "{\"export_name\":1,\"run_id\":\"r\",\"partitions\":[]}",
        "{\"export_name\":\"x\",\"partitions\":[]}",
        "{\"export_name\":\"x\",\"run_id\":\"r\",\"partitions\":{}}",
        "{\"export_name\":\"x\",\"run_id\":\"r\",\"partitions\":[[]]}",
        "{\"export_name\":\"x\",\"run_id\":\"r\",\"partitions\":[],\"destination\":3}",
        "{\"export_name\":\"x\\u0000y\",\"run_id\":\"r\",\"partitions\":[]}",
        "{\"export_name\":\"x\",\"export_name\":\"y\",\"run_id\":\"r\",\"partitions\":[]}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_EQ(parse(bad[i], &a, &r), RV_E_REPAIR_REPORT);
    rv_arena_free(&a);
}

/* Cut short or with one byte changed at any place, a report is read or refused, nothing else. */
RV_TEST(damaged_reports)
{
    static const char whole[] =
        "{\"export_name\":\"x\",\"run_id\":\"r\",\"destination\":[{\"path\":\"p\",\"status\":"
        "\"ok\"}],\"partitions\":[{\"identifier\":\"chunk 1 [1..2)\",\"status\":\"unknown\"}]}";
    rv_arena a = RV_ARENA_INIT;
    rv_reconcile_report r;
    char text[sizeof whole];
    for (size_t i = 0; i + 1 < sizeof whole; i++) {
        memcpy(text, whole, sizeof whole);
        text[i] = '\0';
        CHECK_EQ(parse(text, &a, &r), RV_E_REPAIR_REPORT);
        memcpy(text, whole, sizeof whole);
        text[i] = (char)(text[i] ^ 0x15);
        rv_status st = parse(text, &a, &r);
        CHECK(st == RV_OK || st == RV_E_REPAIR_REPORT);
    }
    rv_arena_free(&a);
}

RV_TEST(plans)
{
    rv_arena a = RV_ARENA_INIT;
    rv_error err = {0};
    rv_slice known[] = {{.unit = "chunk0", .key_high = "10"},
                        {.unit = "chunk1_repair1", .key_low = "10", .key_high = "20"},
                        {.unit = "chunk3", .key_low = "30"}};
    const rv_slices ranges = {known, 3};
    rv_slice parts[] = {{.identifier = "chunk 1 [10..20)", .status = "mismatch"},
                        {.identifier = "chunk 2 [20..30)", .status = "unknown"},
                        {.identifier = "chunk 0 [..10)", .status = "match"},
                        {.identifier = "full", .status = "mismatch"},
                        {.identifier = "nonsense", .status = "unknown"},
                        {.identifier = "chunk 1_repair1 [", .status = "matched?"}};
    rv_checked_part files[] = {{"o_20260502_080000_chunk3.csv", "missing"},
                               {"o_20260502_080000_chunk1_repair1.csv", "size_mismatch"},
                               {"o_20260502_080000.csv", "missing"},
                               {"o_20260502_080000_chunk0.csv", "ok"},
                               {"o_20260502_080000_chunk9.csv", "untracked"},
                               {"../../etc/passwd", "exploded"}};
    const rv_reconcile_report report = {
        .parts = files, .n_parts = 6, .partitions = parts, .n_partitions = 6};
    rv_repair_report out = {0};
    REQUIRE(rv_repair_plan(&report, &ranges, &a, &out, &err) == RV_OK);
    REQUIRE(out.n_actions == 2);
    CHECK_STR(out.actions[0].unit, "chunk1_repair1");
    CHECK_STR(out.actions[0].reason, "mismatch");
    CHECK_STR(out.actions[0].start_key, "10");
    CHECK_STR(out.actions[1].unit, "chunk3");
    CHECK_STR(out.actions[1].reason, "missing");
    CHECK_EQ(out.actions[1].chunk_index, 3);
    REQUIRE(out.n_skipped == 5);
    CHECK(strncmp(out.skipped[0], "chunk 2 [20..30): ", 18) == 0);
    rv_arena_free(&a);
}

/* ---- a repair that fails anywhere ---- */

#ifdef RV_FAULTS
static bool damaged(fixture *f)
{
    rv_run_report r;
    rv_run_opts opts = {.export_name = "orders"};
    if (!fx_open(f, FX_SHOP) || !fx_config(f, CHUNKS) ||
        rv_engine_run(&f->env, f->cfg, &opts, &f->arena, &r, &f->err) != RV_OK || r.exit_code != 0)
        return false;
    return fx_sql(f, "DELETE FROM orders WHERE id = 500");
}

static rv_status mend(fixture *f, rv_arena *a, rv_repair_report *out, rv_error *err)
{
    const rv_repair_opts opts = {.execute = true};
    f->now_us += 60000000;
    return rv_engine_repair(&f->env, f->cfg, &f->cfg->exports[0], &opts, a, out, err);
}

static bool whole_again(fixture *f)
{
    rv_arena a = RV_ARENA_INIT;
    rv_reconcile_report r = {0};
    rv_error err = {0};
    rv_status st = rv_engine_reconcile(&f->env, f->cfg, &f->cfg->exports[0], &a, &r, &err);
    bool good = st == RV_OK && r.mismatches + r.unknown + r.damaged == 0 &&
                r.total_exported_rows == r.total_source_rows;
    rv_arena_free(&a);
    return good;
}

static void sweep(void (*set)(long, bool), long first, long step, long max)
{
    int failed = 0, clean = 0;
    for (long n = first; n < max; n += step) {
        fixture f;
        rv_arena a = RV_ARENA_INIT;
        rv_repair_report out;
        rv_error err = {0}, again = {0};
        REQUIRE(damaged(&f));
        set(n, false);
        rv_status st = mend(&f, &a, &out, &err);
        set(0, false);
        failed += st != RV_OK;
        CHECK(st == RV_OK || err.code != RV_OK);
        char state[128];
        (void)snprintf(state, sizeof state, "%s/.rivet_state.db", f.dir);
        sqlite3 *db = NULL; /* the process would be gone now */
        CHECK(sqlite3_open(state, &db) == SQLITE_OK);
        (void)sqlite3_exec(db,
                           "UPDATE run_status SET pid = 2147480000 WHERE status IN "
                           "('running', 'unpublished')",
                           NULL, NULL, NULL);
        (void)sqlite3_close(db);
        st = mend(&f, &a, &out, &again);
        bool good = st == RV_OK && whole_again(&f);
        if (!good)
            printf("  n %ld: %s; then %s\n", n, err.text, again.text);
        CHECK(good);
        clean += good;
        rv_arena_free(&a);
        fx_close(&f);
        if (!good)
            return;
    }
    CHECK(failed > 0);
    CHECK(clean > 0);
}

RV_TEST(memory_may_run_out_anywhere)
{
    sweep(rv_fault_set_alloc, 3, 97, 3200);
}

RV_TEST(io_may_fail_anywhere)
{
    sweep(rv_fault_set_io, 1, 7, 140);
}
#else
RV_TEST(memory_may_run_out_anywhere)
{
    SKIP("built without faults");
}
RV_TEST(io_may_fail_anywhere)
{
    SKIP("built without faults");
}
#endif

RV_TEST_MAIN(RV_CASE(reports_are_read_or_refused), RV_CASE(damaged_reports), RV_CASE(plans),
             RV_CASE(memory_may_run_out_anywhere), RV_CASE(io_may_fail_anywhere))
