/* Pages, cuts, limits, timeouts, interrupts and locks. Spec "source-safety" sections 6 and 13,
 * "lifecycle" section 10. */
#include <pthread.h>

#include "base/clock.h"
#include "../base/sweep.h"
#include "source/sqlite_fixture.h"

#define ROWS(n)                                                                                    \
    "CREATE TABLE t(id INTEGER PRIMARY KEY, c INT, s TEXT);"                                       \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " #n                 \
    ") INSERT INTO t SELECT i, i / 10, 'v' || i FROM n;"

/* About forever under a sanitizer, and no row before its end. */
#define SLOW "SELECT count(*) AS n FROM t a, t b, t c, t d WHERE a.c + b.c + c.c + d.c = -1"

static rv_relation *resolve(fixture *f, rv_read_spec spec)
{
    rv_relation *rel = NULL;
    rv_status st = fx_resolve(f, &spec, &rel);
    if (st != RV_OK)
        printf("%s\n", f->err.text);
    CHECK_EQ(st, RV_OK);
    return rel;
}

RV_TEST(limits_and_cuts)
{
    fixture f;
    REQUIRE(fx_open(&f, ROWS(500)));
    rv_relation *rel = resolve(&f, (rv_read_spec){.table = "t"});
    REQUIRE(rel != NULL);
    rv_expr order = {"id", NULL};
    rv_datum last;
    rv_page_spec page = {.relation = rel, .order = &order, .n_order = 1, .limit = 10};
    CHECK_EQ(fx_page(&f, &page, 1000, &last), RV_OK);
    CHECK_EQ(f.end.rows, 10);
    CHECK(f.end.limited && !f.end.cut);
    CHECK(rv_str_eq(last.text, RV_STR("10")));
    CHECK_EQ(last.kind, RV_INT64);
    page.limit = 500; /* the engine cannot know that nothing follows */
    CHECK_EQ(fx_page(&f, &page, 1000, &last), RV_OK);
    CHECK(f.end.rows == 500 && f.end.limited);
    page.limit = 501;
    CHECK_EQ(fx_page(&f, &page, 1000, &last), RV_OK);
    CHECK(f.end.rows == 500 && !f.end.limited);
    page.limit = 0;
    page.cut_bytes = 1000;
    CHECK_EQ(fx_page(&f, &page, 1000, &last), RV_OK);
    CHECK(f.end.cut && f.end.bytes > 1000 && f.end.bytes < 1100);
    page.cut_bytes = 0;
    page.cut_us = 1;
    CHECK_EQ(fx_page(&f, &page, 1000, &last), RV_OK);
    CHECK(f.end.cut && f.end.rows <= 64);
    page.after = &last;
    page.cut_us = 0;
    uint64_t before = f.end.rows;
    CHECK_EQ(fx_page(&f, &page, 7, &last), RV_OK);
    CHECK_EQ(f.end.rows, 500 - before);
    fx_close(&f);
}

RV_TEST(null_order_values)
{
    fixture f;
    REQUIRE(fx_open(&f, "CREATE TABLE t(id INTEGER PRIMARY KEY, c);"
                        "INSERT INTO t VALUES (1,NULL),(2,5),(3,NULL),(4,'x'),(5,2.5),(6,x'0a'),"
                        "(7,5),(8,NULL)"));
    rv_cfg_column o = {.column = "c", .type = {.kind = RV_STRING}};
    rv_relation *rel = resolve(&f, (rv_read_spec){.table = "t", .overrides = &o, .n_overrides = 1});
    REQUIRE(rel != NULL);
    rv_expr order[] = {{"c", NULL}, {"id", NULL}};
    rv_datum after[2];
    rv_page_spec page = {.relation = rel, .order = order, .n_order = 2, .limit = 1};
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(fx_page(&f, &page, 10, after), RV_OK);
        if (!f.end.limited)
            break;
        page.after = after;
    }
    /* NULL, numbers, text, blobs: the order of storage classes */
    CHECK_STR(fx_text(&f), "1|NULL\n3|NULL\n8|NULL\n5|2.5\n2|5\n7|5\n4|x\n6|0a\n");
    fx_close(&f);
}

RV_TEST(coalesced_cursor)
{
    fixture f;
    REQUIRE(fx_open(&f, "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b INT);"
                        "INSERT INTO t VALUES (1,NULL,3),(2,1,9),(3,NULL,NULL),(4,2,NULL)"));
    rv_expr cursor = {"a", "b"};
    rv_relation *rel =
        resolve(&f, (rv_read_spec){.table = "t", .mode = RV_INCREMENTAL, .bound = cursor});
    REQUIRE(rel != NULL);
    rv_expr order[] = {cursor, {"a", NULL}, {"b", NULL}, {"id", NULL}};
    rv_pred some = {.expr = cursor, .op = RV_NOT_NULL};
    rv_datum after[4];
    rv_page_spec page = {
        .relation = rel, .preds = &some, .n_preds = 1, .order = order, .n_order = 4, .limit = 1};
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(fx_page(&f, &page, 10, after), RV_OK);
        if (!f.end.limited)
            break;
        page.after = after;
    }
    CHECK_STR(fx_text(&f), "2|1|9\n4|2|NULL\n1|NULL|3\n"); /* the helper is not in the rows */
    fx_close(&f);
}

RV_TEST(errors_keep_complete_rows)
{
    fixture f;
    REQUIRE(fx_open(&f, "CREATE TABLE t(id INTEGER PRIMARY KEY, v INT);"
                        "INSERT INTO t VALUES (1,1),(2,2),(3,'bad'),(4,4)"));
    rv_relation *rel = resolve(&f, (rv_read_spec){.table = "t"});
    REQUIRE(rel != NULL);
    rv_expr order = {"id", NULL};
    rv_datum last;
    rv_page_spec page = {.relation = rel, .order = &order, .n_order = 1};
    CHECK_EQ(fx_page(&f, &page, 10, &last), RV_E_VALUE);
    CHECK_STR(fx_text(&f), "1|1\n2|2\n");
    CHECK_EQ(f.end.rows, 2);
    CHECK(rv_str_eq(last.text, RV_STR("2")));
    fx_close(&f);
}

RV_TEST(statement_timeout)
{
    fixture f;
    REQUIRE(fx_open(&f, ROWS(2000)));
    f.d->close(f.s);
    f.tuning.statement_timeout_s = 1;
    f.s = fx_connect(&f);
    REQUIRE(f.s != NULL);
    rv_relation *rel = NULL;
    rv_read_spec spec = {.query = SLOW};
    int64_t start = rv_clock_mono_us();
    CHECK_EQ(fx_resolve(&f, &spec, &rel), RV_E_SOURCE_TIMEOUT); /* the probe of its types */
    CHECK(rv_clock_mono_us() - start < 5000000);
    CHECK_EQ(f.err.retry, RV_RETRY_T);
    CHECK(strstr(f.err.text, "statement_timeout_s") != NULL);
    rel = resolve(&f, (rv_read_spec){.table = "t"}); /* the connection lives on */
    CHECK(rel != NULL && fx_read(&f, rel) == RV_OK);
    fx_close(&f);
}

/* A page cut before its first row could only begin at the same place again. */
RV_TEST(no_cut_before_the_first_row)
{
    fixture f;
    REQUIRE(fx_open(&f, ROWS(3000)));
    REQUIRE(fx_exec(&f, "CREATE VIEW v AS SELECT a.id FROM t a, t b WHERE a.c + b.c = -1 OR "
                        "(a.id >= 1000 AND b.id = 1)"));
    rv_relation *rel = resolve(&f, (rv_read_spec){.table = "v"});
    REQUIRE(rel != NULL);
    rv_page_spec page = {.relation = rel, .cut_us = 1};
    CHECK_EQ(fx_page(&f, &page, 1000, NULL), RV_OK);
    CHECK(f.end.cut && f.end.rows >= 1 && f.end.rows <= 64);
    fx_close(&f);
}

static void *interrupter(void *ctx)
{
    fixture *f = ctx;
    usleep(100000);
    f->d->interrupt(f->s);
    return NULL;
}

RV_TEST(interrupt_from_another_thread)
{
    fixture f;
    pthread_t thread;
    REQUIRE(fx_open(&f, ROWS(2000)));
    rv_relation *rel = NULL;
    rv_read_spec spec = {.query = SLOW};
    REQUIRE(pthread_create(&thread, NULL, interrupter, &f) == 0);
    CHECK_EQ(fx_resolve(&f, &spec, &rel), RV_E_INTERRUPTED);
    pthread_join(thread, NULL);
    fx_close(&f);
}

RV_TEST(locks_are_waited_for)
{
    fixture f;
    sqlite3 *db = NULL;
    REQUIRE(fx_open(&f, ROWS(10)));
    rv_relation *rel = resolve(&f, (rv_read_spec){.table = "t"});
    REQUIRE(rel != NULL);
    REQUIRE(sqlite3_open(f.path, &db) == SQLITE_OK);
    CHECK_EQ(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    int64_t start = rv_clock_mono_us();
    CHECK_EQ(fx_read(&f, rel), RV_E_SOURCE_LOCK);
    int64_t waited = rv_clock_mono_us() - start;
    CHECK(waited > 900000 && waited < 4000000); /* lock_timeout_s: 1 */
    CHECK_EQ(f.err.retry, RV_RETRY_L);
    CHECK_EQ(f.err.retry_after_ms, 500);
    CHECK(strstr(f.err.hint, "lock_timeout_s") != NULL);
    CHECK_EQ(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    CHECK_EQ(fx_read(&f, rel), RV_OK);
    sqlite3_close(db);
    fx_close(&f);
}

/* A page holds no lock once it ended; a snapshot sees one instant in WAL mode. */
RV_TEST(transactions)
{
    fixture f;
    REQUIRE(fx_open(&f, "PRAGMA journal_mode=WAL;" ROWS(10)));
    rv_relation *rel = resolve(&f, (rv_read_spec){.table = "t"});
    REQUIRE(rel != NULL);
    CHECK_EQ(f.d->snapshot_begin(&f.s, 1, &f.err), RV_OK);
    CHECK(fx_exec(&f, "INSERT INTO t VALUES (99, 9, 'late')"));
    CHECK_EQ(fx_read(&f, rel), RV_OK);
    CHECK_EQ(f.end.rows, 10);
    CHECK_EQ(f.d->snapshot_end(f.s, &f.err), RV_OK);
    CHECK_EQ(fx_read(&f, rel), RV_OK);
    CHECK_EQ(f.end.rows, 11);
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    REQUIRE(sqlite3_open(f.path, &db) == SQLITE_OK);
    CHECK_EQ(sqlite3_prepare_v2(db, "PRAGMA wal_checkpoint(TRUNCATE)", -1, &stmt, NULL), SQLITE_OK);
    CHECK_EQ(sqlite3_step(stmt), SQLITE_ROW);
    CHECK_EQ(sqlite3_column_int(stmt, 0), 0); /* no reader in the way */
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    CHECK_EQ(f.d->snapshot_end(f.s, &f.err), RV_OK);
    fx_close(&f);
}

RV_TEST(damaged_database)
{
    fixture f;
    REQUIRE(fx_open(&f, ROWS(5000)));
    rv_relation *rel = resolve(&f, (rv_read_spec){.table = "t"});
    REQUIRE(rel != NULL);
    FILE *file = fopen(f.path, "r+b");
    REQUIRE(file != NULL);
    static const unsigned char junk[4096] = {0x77, 0x77, 0x77, 0x77};
    for (long page = 5; page < 20; page++) {
        (void)fseek(file, page * 4096, SEEK_SET);
        CHECK_EQ(fwrite(junk, sizeof junk, 1, file), 1);
    }
    fclose(file);
    f.d->close(f.s);
    f.s = fx_connect(&f);
    REQUIRE(f.s != NULL);
    CHECK_EQ(fx_read(&f, rel), RV_E_SOURCE_CORRUPT);
    CHECK_EQ(f.err.retry, RV_RETRY_P);
    CHECK(strstr(f.err.text, f.path) != NULL && strstr(f.err.text, "'t'") != NULL);
    fx_close(&f);
}

static const char *sweep_path;

/* Open, resolve, page, probe and close with one allocation failing. */
static rv_status read_everything(void)
{
    const rv_source_driver *d = rv_source_for(RV_ENGINE_SQLITE);
    rv_env env = {0};
    rv_cfg_source cfg = {.engine = RV_ENGINE_SQLITE, .path = sweep_path, .config_dir = "/tmp"};
    rv_cfg_tuning tuning = {.lock_timeout_s = 1};
    rv_source_opts opts = {.cfg = &cfg, .tuning = &tuning, .run_id = "r"};
    rv_source *s = NULL;
    rv_arena arena = RV_ARENA_INIT;
    rv_relation *rel = NULL;
    rv_scan *scan = NULL;
    rv_builder *b = NULL;
    rv_datum low, high;
    rv_plan_facts facts;
    rv_catalog_table *list = NULL;
    size_t n = 0;
    bool end = false, found = false;
    rv_error err = {0};
    rv_status st;
    rv_expr order[] = {{"c", NULL}, {"id", NULL}};
    rv_read_spec table = {.table = "t", .mode = RV_INCREMENTAL, .bound = order[0]};
    rv_read_spec query = {.query = "SELECT id, s, c + 1 FROM t WHERE c > 1", .mode = RV_FULL};
    RV_GO(d->open(&env, &opts, &s, &err));
    RV_GO(d->resolve(s, &query, &arena, &rel, &err));
    RV_GO(d->recheck(s, rel, &err));
    RV_GO(d->resolve(s, &table, &arena, &rel, &err));
    RV_GO(d->bounds(s, rel, order[0], NULL, 0, &arena, &low, &high, &err));
    rv_page_spec page = {.relation = rel, .order = order, .n_order = 2, .limit = 20};
    rv_datum values[2];
    RV_GO(d->nth(s, &page, 5, &arena, values, &found, &err));
    page.after = values;
    rv_builder_opts bo = {
        .schema = rel->schema, .max_rows = 100, .max_bytes = 1 << 20, .batches = 2};
    RV_GO(rv_builder_open(&bo, &b, &err));
    RV_GO(d->scan(s, &page, &scan, &err));
    RV_GO(d->next(scan, b, &end, &err));
    RV_GO(d->facts(s, rel, &arena, &facts, &err));
    RV_GO(d->catalog(s, NULL, NULL, &arena, &list, &n, &err));
done:
    d->scan_close(scan);
    rv_builder_close(b);
    d->close(s);
    rv_arena_free(&arena);
    return st;
}

RV_TEST(every_allocation_may_fail)
{
    fixture f;
    REQUIRE(fx_open(&f, ROWS(50) "CREATE INDEX ic ON t(c); CREATE VIEW v AS SELECT c + 1 FROM t"));
    sweep_path = f.path;
    sweep_alloc(read_everything);
    fx_close(&f);
}

RV_TEST_MAIN(RV_CASE(limits_and_cuts), RV_CASE(null_order_values), RV_CASE(coalesced_cursor),
             RV_CASE(errors_keep_complete_rows), RV_CASE(statement_timeout),
             RV_CASE(no_cut_before_the_first_row), RV_CASE(interrupt_from_another_thread),
             RV_CASE(locks_are_waited_for), RV_CASE(transactions), RV_CASE(damaged_database),
             RV_CASE(every_allocation_may_fail))
