/* Single values of a real server's tables: ends, steps, counts, cuts, instants. */
#include "base/fault.h"
#include "source/postgres_fixture.h"

#define SETUP                                                                                      \
    "CREATE TABLE t(id bigint PRIMARY KEY, n integer, code text COLLATE \"C\" NOT NULL UNIQUE, "   \
    "u uuid NOT NULL UNIQUE, day date, at timestamptz, plain timestamp, f float8, d numeric(20, "  \
    "3), unix bigint); INSERT INTO t SELECT i, i % 10, 'k' || lpad(i::text, 6, '0'), "             \
    "md5(i::text)::uuid, '2024-01-01'::date + i % 30, '2024-01-01 00:00:00.123456Z'::timestamptz " \
    "+ i * interval '1 hour', '2024-01-01'::timestamp + i * interval '1 hour', i / 8.0, "          \
    "i + 0.125, i * 86400 FROM generate_series(1, 5000) AS g(i); "                                 \
    "INSERT INTO t(id, code, u) VALUES (6000, 'zz', md5('x')::uuid); CREATE INDEX ON t(day); "     \
    "CREATE TABLE empty(id integer PRIMARY KEY, n integer); "                                      \
    "CREATE TABLE far(id integer PRIMARY KEY, day date, at timestamp); INSERT INTO far VALUES "    \
    "(1, '0044-03-15 BC', '0044-03-15 12:00:00 BC'), (2, '12000-01-01', '12000-01-01 01:02:03'); " \
    "ANALYZE t"

static rv_relation *bound_by(pgx *f, const char *table, const char *column)
{
    rv_read_spec spec = {.table = table, .mode = RV_CHUNKED, .bound = {column, NULL}};
    rv_relation *rel = NULL;
    if (pgx_resolve(f, &spec, &rel) != RV_OK)
        printf("%s: %s\n", table, f->err.text);
    return rel;
}

static void check_ends(pgx *f, const char *table, const char *column, const char *low,
                       const char *high)
{
    rv_relation *rel = bound_by(f, table, column);
    rv_datum min, max;
    REQUIRE(rel != NULL);
    rv_expr e = {column, NULL};
    CHECK_EQ(rv_pgs_bounds(f->s, rel, e, NULL, 0, &f->arena, &min, &max, &f->err), RV_OK);
    CHECK_EQ(min.null, low == NULL);
    CHECK_EQ(max.null, high == NULL);
    CHECK(!low || rv_str_eq(min.text, rv_str_c(low)));
    CHECK(!high || rv_str_eq(max.text, rv_str_c(high)));
    CHECK_EQ(min.kind, rel->bound_kind);
    if (low && !rv_str_eq(min.text, rv_str_c(low)))
        printf("%s: %.*s\n", column, RV_STR_ARG(min.text));
    /* and they find their own rows */
    rv_pred at_max = {.expr = e, .op = RV_GE, .value = max};
    rv_pred below_min = {.expr = e, .op = RV_LT, .value = min};
    uint64_t n = 0;
    if (!low)
        return;
    CHECK_EQ(rv_pgs_count(f->s, rel, &at_max, 1, &n, &f->err), RV_OK);
    CHECK(n > 0);
    CHECK_EQ(rv_pgs_count(f->s, rel, &below_min, 1, &n, &f->err), RV_OK);
    CHECK_EQ(n, 0);
}

RV_TEST(ends)
{
    pgx f;
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, SETUP));
    check_ends(&f, "t", "id", "1", "6000");
    check_ends(&f, "t", "n", "0", "9");
    check_ends(&f, "t", "code", "k000001", "zz");
    check_ends(&f, "t", "day", "2024-01-01", "2024-01-30");
    check_ends(&f, "t", "at", "2024-01-01T01:00:00.123456Z", "2024-07-27T08:00:00.123456Z");
    check_ends(&f, "t", "plain", "2024-01-01T01:00:00.000000", "2024-07-27T08:00:00.000000");
    check_ends(&f, "t", "d", "1.125", "5000.125");
    check_ends(&f, "t", "f", "0.125", "625");
    check_ends(&f, "empty", "id", NULL, NULL);
    check_ends(&f, "empty", "n", NULL, NULL);
    check_ends(&f, "far", "day", "-0043-03-15", "+12000-01-01");
    check_ends(&f, "far", "at", "-0043-03-15T12:00:00.000000", "+12000-01-01T01:02:03.000000");
    pgx_close(&f);
}

static void check_cuts(pgx *f, const char *key, size_t want, size_t at_least)
{
    rv_read_spec spec = {.table = "t", .mode = RV_CHUNKED, .key_column = key};
    rv_relation *rel = NULL;
    rv_datum cuts[16];
    size_t n = 0;
    CHECK_EQ(pgx_resolve(f, &spec, &rel), RV_OK);
    REQUIRE(rel != NULL);
    CHECK_EQ(rv_pgs_cuts(f->s, rel, want, &f->arena, cuts, &n, &f->err), RV_OK);
    CHECK(n >= at_least && n < want);
    uint64_t total = 0, rows = 0;
    for (size_t i = 0; i <= n; i++) {
        rv_expr order = {key, NULL};
        rv_pred preds[2];
        size_t n_preds = 0;
        if (i > 0)
            preds[n_preds++] = (rv_pred){order, RV_GT, cuts[i - 1]};
        if (i < n)
            preds[n_preds++] = (rv_pred){order, RV_LE, cuts[i]};
        CHECK_EQ(rv_pgs_count(f->s, rel, preds, n_preds, &rows, &f->err), RV_OK);
        CHECK(rows > 5001 / want / 3);
        total += rows;
    }
    CHECK_EQ(total, 5001); /* ascending: nothing twice, nothing left out */
}

RV_TEST(cuts)
{
    pgx f;
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, SETUP));
    check_cuts(&f, "id", 4, 3);
    check_cuts(&f, "code", 4, 3);
    check_cuts(&f, "u", 8, 7);
    REQUIRE(pgx_exec(&f, "DELETE FROM pg_statistic WHERE starelid = 't'::regclass"));
    check_cuts(&f, "code", 4, 3); /* by a sample */
    check_cuts(&f, "u", 8, 7);
    rv_datum cuts[4];
    size_t n = 9;
    rv_read_spec spec = {.table = "empty", .mode = RV_CHUNKED, .key_column = "id"};
    rv_relation *rel = NULL;
    CHECK_EQ(pgx_resolve(&f, &spec, &rel), RV_OK);
    CHECK_EQ(rv_pgs_cuts(f.s, rel, 4, &f.arena, cuts, &n, &f.err), RV_OK);
    CHECK_EQ(n, 0);
    pgx_close(&f);
}

static void check_parse(pgx *f, const char *column, const char *text, const char *want)
{
    rv_relation *rel = bound_by(f, "t", column);
    rv_datum d = {.null = true};
    REQUIRE(rel != NULL);
    rv_error_clear(&f->err);
    rv_status st = rv_pgs_datum_parse(f->s, rel, rv_str_c(text), &f->arena, &d, &f->err);
    CHECK_EQ(st, want ? RV_OK : RV_E_VALUE);
    CHECK(!want || rv_str_eq(d.text, rv_str_c(want)));
    if (want && !rv_str_eq(d.text, rv_str_c(want)))
        printf("%s: %.*s %s\n", text, RV_STR_ARG(d.text), f->err.text);
}

RV_TEST(texts_from_outside)
{
    pgx f;
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, SETUP));
    check_parse(&f, "id", "17", "17");
    check_parse(&f, "id", "x1", NULL);
    check_parse(&f, "id", "1; DROP TABLE t", NULL);
    check_parse(&f, "id", "99999999999999999999", NULL);
    check_parse(&f, "n", "3000000000", NULL);
    check_parse(&f, "code", "it's \\ x", "it's \\ x");
    check_parse(&f, "day", "2024-02-29", "2024-02-29");
    check_parse(&f, "day", "2024-02-30", NULL);
    check_parse(&f, "at", "2024-02-01 01:00+01", "2024-02-01T00:00:00.000000Z");
    check_parse(&f, "plain", "2024-02-01", "2024-02-01T00:00:00.000000");
    check_parse(&f, "d", "1.50", "1.50");
    check_parse(&f, "u", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
    /* the connection goes on after refusals */
    check_ends(&f, "t", "id", "1", "6000");
    pgx_close(&f);
}

static void check_instant(pgx *f, const char *column, bool unix_seconds, const char *want,
                          int64_t day)
{
    rv_relation *rel = bound_by(f, "t", column);
    rv_datum d;
    int64_t days = 0;
    REQUIRE(rel != NULL);
    CHECK_EQ(
        rv_pgs_instant(f->s, rel, INT64_C(1704067199500000), unix_seconds, &f->arena, &d, &f->err),
        RV_OK);
    CHECK(rv_str_eq(d.text, rv_str_c(want)));
    if (day < 0)
        return;
    CHECK_EQ(rv_pgs_datum_day(rel, &d, &days, &f->err), RV_OK);
    CHECK_EQ(days, day);
}

RV_TEST(instants)
{
    pgx f;
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, SETUP));
    check_instant(&f, "day", false, "2023-12-31", 19722);
    check_instant(&f, "at", false, "2023-12-31T23:59:59.500000Z", 19722);
    check_instant(&f, "plain", false, "2023-12-31T23:59:59.500000", 19722);
    check_instant(&f, "unix", true, "1704067199", 19722);
    check_instant(&f, "code", false, "2023-12-31 23:59:59.500000", -1);
    rv_relation *rel = bound_by(&f, "t", "at");
    rv_datum bad = {.kind = RV_TIMESTAMP_TZ, .text = RV_STR("infinity")};
    int64_t days;
    CHECK_EQ(rv_pgs_datum_day(rel, &bad, &days, &f.err), RV_E_VALUE);
    pgx_close(&f);
}

RV_TEST(steps)
{
    pgx f;
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, SETUP));
    rv_relation *rel = bound_by(&f, "t", "n");
    REQUIRE(rel != NULL);
    rv_expr order[2] = {{"n", NULL}, {"id", NULL}};
    rv_pred not_null = {.expr = order[0], .op = RV_NOT_NULL};
    rv_page_spec from = {
        .relation = rel, .preds = &not_null, .n_preds = 1, .order = order, .n_order = 2};
    rv_datum at[2];
    bool found = false;
    CHECK_EQ(rv_pgs_nth(f.s, &from, 501, &f.arena, at, &found, &f.err), RV_OK);
    CHECK(found);
    CHECK(rv_str_eq(at[0].text, RV_STR("1")));
    CHECK(rv_str_eq(at[1].text, RV_STR("1")));
    from.after = at;
    CHECK_EQ(rv_pgs_nth(f.s, &from, 4499, &f.arena, at, &found, &f.err), RV_OK);
    CHECK(found);
    CHECK(rv_str_eq(at[1].text, RV_STR("4999")));
    from.after = at;
    CHECK_EQ(rv_pgs_nth(f.s, &from, 1, &f.arena, at, &found, &f.err), RV_OK);
    CHECK(!found);
    CHECK_EQ(rv_pgs_nth(f.s, &from, 0, &f.arena, at, &found, &f.err), RV_E_INTERNAL);
    pgx_close(&f);
}

RV_TEST(changes_are_noticed)
{
    pgx f;
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, "CREATE TABLE t(id integer PRIMARY KEY, v varchar(10), w integer)"));
    rv_read_spec spec = {.table = "t", .mode = RV_FULL};
    rv_read_spec query = {.query = "SELECT id, v FROM t", .mode = RV_FULL};
    rv_relation *rel = NULL, *asked = NULL;
    CHECK_EQ(pgx_resolve(&f, &spec, &rel), RV_OK);
    CHECK_EQ(pgx_resolve(&f, &query, &asked), RV_OK);
    CHECK_EQ(rv_pgs_recheck(f.s, rel, &f.err), RV_OK);
    CHECK_EQ(rv_pgs_recheck(f.s, asked, &f.err), RV_OK);
    CHECK(pgx_exec(&f, "ALTER TABLE t ALTER v TYPE varchar(20)"));
    CHECK_EQ(rv_pgs_recheck(f.s, rel, &f.err), RV_E_SOURCE_CHANGED);
    CHECK(strstr(f.err.text, "'v' changed its type") != NULL);
    CHECK_EQ(rv_pgs_recheck(f.s, asked, &f.err), RV_E_SOURCE_CHANGED);
    CHECK_EQ(pgx_resolve(&f, &spec, &rel), RV_OK);
    CHECK_EQ(pgx_resolve(&f, &query, &asked), RV_OK);
    CHECK(pgx_exec(&f, "ALTER TABLE t DROP COLUMN w"));
    CHECK_EQ(rv_pgs_recheck(f.s, rel, &f.err), RV_E_SOURCE_CHANGED);
    CHECK(strstr(f.err.text, "'w' was dropped") != NULL);
    CHECK_EQ(rv_pgs_recheck(f.s, asked, &f.err), RV_OK);
    CHECK(pgx_exec(&f, "TRUNCATE t"));
    CHECK_EQ(rv_pgs_recheck(f.s, asked, &f.err), RV_OK);
    CHECK(pgx_exec(&f, "ALTER TABLE t RENAME TO old; CREATE TABLE t (LIKE old INCLUDING ALL)"));
    CHECK_EQ(rv_pgs_recheck(f.s, asked, &f.err), RV_E_SOURCE_CHANGED);
    CHECK_EQ(pgx_resolve(&f, &spec, &rel), RV_OK);
    CHECK_EQ(pgx_resolve(&f, &query, &asked), RV_OK);
    CHECK(pgx_exec(&f, "ALTER TABLE t RENAME TO older; ALTER TABLE old RENAME TO t"));
    CHECK_EQ(rv_pgs_recheck(f.s, rel, &f.err), RV_E_SOURCE_CHANGED);
    CHECK(strstr(f.err.text, "another relation took its name") != NULL);
    CHECK_EQ(rv_pgs_recheck(f.s, asked, &f.err), RV_E_SOURCE_CHANGED);
    CHECK_EQ(pgx_resolve(&f, &spec, &rel), RV_OK);
    CHECK_EQ(pgx_resolve(&f, &query, &asked), RV_OK);
    CHECK(pgx_exec(&f, "ALTER TABLE t DROP COLUMN v, ADD COLUMN v varchar(20)"));
    CHECK_EQ(rv_pgs_recheck(f.s, rel, &f.err), RV_E_SOURCE_CHANGED);
    CHECK(strstr(f.err.text, "'v' was replaced") != NULL);
    CHECK_EQ(rv_pgs_recheck(f.s, asked, &f.err), RV_E_SOURCE_CHANGED);
    CHECK_EQ(pgx_resolve(&f, &query, &asked), RV_OK);
    CHECK(pgx_exec(&f, "ALTER TABLE t RENAME v TO w"));
    CHECK_EQ(rv_pgs_recheck(f.s, asked, &f.err), RV_E_SOURCE_CHANGED);
    CHECK(pgx_exec(&f, "DROP TABLE t"));
    CHECK_EQ(rv_pgs_recheck(f.s, asked, &f.err), RV_E_SOURCE_CHANGED);
    CHECK_EQ(rv_pgs_recheck(f.s, rel, &f.err), RV_E_SOURCE_CHANGED);
    CHECK(strstr(f.err.text, "dropped") != NULL);
    pgx_close(&f);
}

/* Every allocation of a resolve and of single values may fail: an error, no leak, no crash. */
RV_TEST(allocations_may_fail)
{
#ifndef RV_FAULTS
    SKIP("built without RV_FAULTS");
#else
    pgx f;
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, SETUP));
    rv_read_spec specs[] = {
        {.table = "t", .mode = RV_INCREMENTAL, .bound = {"at", NULL}},
        {.query = "SELECT id, code FROM t WHERE n > 3", .mode = RV_FULL},
        {.query = "SELECT n, count(*) AS c FROM t GROUP BY n", .mode = RV_FULL}};
    unsigned failed = 0;
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        bool passed = false;
        for (long nth = 1; nth < 2000 && !passed; nth++) {
            rv_arena arena = RV_ARENA_INIT;
            rv_relation *rel = NULL;
            rv_datum low, high;
            rv_expr e = {"id", NULL};
            rv_plan_facts facts;
            rv_fault_set_alloc(nth, false);
            rv_status st = rv_pgs_resolve(f.s, &specs[i], &arena, &rel, &f.err);
            if (st == RV_OK && i < 2)
                st = rv_pgs_bounds(f.s, rel, e, NULL, 0, &arena, &low, &high, &f.err);
            if (st == RV_OK)
                st = rv_pgs_facts(f.s, rel, &arena, &facts, &f.err);
            if (st == RV_OK)
                st = rv_pgs_recheck(f.s, rel, &f.err);
            passed = rv_fault_seen_alloc() < nth;
            rv_fault_set_alloc(0, false);
            CHECK(passed ? st == RV_OK : st == RV_OK || st == RV_E_MEMORY);
            failed += st == RV_E_MEMORY;
            rv_arena_free(&arena);
        }
        CHECK(passed);
    }
    CHECK(failed > 20);
    pgx_close(&f);
#endif
}

RV_TEST_MAIN(RV_CASE(ends), RV_CASE(cuts), RV_CASE(texts_from_outside), RV_CASE(instants),
             RV_CASE(steps), RV_CASE(changes_are_noticed), RV_CASE(allocations_may_fail))
