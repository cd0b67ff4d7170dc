/* Single values of real servers' tables: ends, steps, counts, cuts, instants; and the DDL guard. */
#include "base/fault.h"
#include "source/mysql_fixture.h"

#define SETUP                                                                                      \
    "SET time_zone = '+00:00'; CREATE TABLE digits(i integer PRIMARY KEY); INSERT INTO digits "    \
    "VALUES (0), (1), (2), (3), "                                                                  \
    "(4), (5), (6), (7), (8), (9); CREATE TABLE t(id bigint PRIMARY KEY, n integer, code "         \
    "varchar(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci NOT NULL UNIQUE, u binary(16) "    \
    "NOT NULL UNIQUE, day date, at datetime(6) NOT NULL, ts timestamp NULL, f double, r float, d " \
    "decimal(20, 3), unix bigint, big bigint unsigned, UNIQUE KEY (at), KEY (day)); "              \
    "INSERT INTO t SELECT x.i, x.i % 10, CONCAT('k', LPAD(x.i, 6, '0')), LEFT(UNHEX(SHA2(x.i, "    \
    "256)), 16), "                                                                                 \
    "'2024-01-01' + INTERVAL (x.i % 30) DAY, '2024-01-01 00:00:00.123456' + INTERVAL x.i HOUR, "   \
    "'2024-01-01' + INTERVAL x.i HOUR, x.i / 8, x.i / 8, x.i + 0.125, x.i * 86400, "               \
    "18446744073709540000 + x.i FROM (SELECT 1 + a.i + 10 * b.i + 100 * c.i + 1000 * d.i AS i "    \
    "FROM digits a, digits b, digits c, digits d) x WHERE x.i <= 5000; "                           \
    "INSERT INTO t(id, code, u, at) VALUES (6000, 'zz', LEFT(UNHEX(SHA2('x', 256)), 16), "         \
    "'2030-01-01'); "                                                                              \
    "CREATE TABLE none(id integer PRIMARY KEY, n integer); "                                       \
    "CREATE TABLE far(id integer PRIMARY KEY, day date, at datetime); INSERT INTO far VALUES (1, " \
    "'0044-03-15', '0044-03-15 12:00:00'), (2, '9999-12-31', '9999-12-31 23:59:59'); "             \
    "ANALYZE TABLE t"
#define ROWS 5001 /* of t */

static rv_relation *bound_by(myx *f, const char *table, const char *column)
{
    rv_read_spec spec = {.table = table, .mode = RV_CHUNKED, .bound = {column, NULL}};
    rv_relation *rel = NULL;
    if (myx_resolve(f, &spec, &rel) != RV_OK)
        printf("%s: %s\n", table, f->err.text);
    return rel;
}

static void check_ends(myx *f, const char *table, const char *column, const char *low,
                       const char *high)
{
    rv_relation *rel = bound_by(f, table, column);
    rv_datum min, max;
    REQUIRE(rel != NULL);
    rv_expr e = {column, NULL};
    CHECK_EQ(rv_mys_bounds(f->s, rel, e, NULL, 0, &f->arena, &min, &max, &f->err), RV_OK);
    CHECK_EQ(min.null, low == NULL);
    CHECK_EQ(max.null, high == NULL);
    CHECK(!low || rv_str_eq(min.text, rv_str_c(low)));
    CHECK(!high || rv_str_eq(max.text, rv_str_c(high)));
    CHECK_EQ(min.kind, rel->bound_kind);
    if (low && (!rv_str_eq(min.text, rv_str_c(low)) || !rv_str_eq(max.text, rv_str_c(high))))
        printf("%s: %.*s %.*s\n", column, RV_STR_ARG(min.text), RV_STR_ARG(max.text));
    /* and they find their own rows */
    rv_pred at_max = {.expr = e, .op = RV_GE, .value = max};
    rv_pred below_min = {.expr = e, .op = RV_LT, .value = min};
    uint64_t n = 0;
    if (!low)
        return;
    CHECK_EQ(rv_mys_count(f->s, rel, &at_max, 1, &n, &f->err), RV_OK);
    CHECK(n > 0);
    CHECK_EQ(rv_mys_count(f->s, rel, &below_min, 1, &n, &f->err), RV_OK);
    CHECK_EQ(n, 0);
}

static void ends_on(myx *f)
{
    check_ends(f, "t", "id", "1", "6000");
    check_ends(f, "t", "n", "0", "9");
    check_ends(f, "t", "code", "6b303030303031", "7a7a");
    check_ends(f, "t", "day", "2024-01-01", "2024-01-30");
    check_ends(f, "t", "at", "2024-01-01T01:00:00.123456", "2030-01-01T00:00:00.000000");
    check_ends(f, "t", "ts", "2024-01-01T01:00:00.000000Z", "2024-07-27T08:00:00.000000Z");
    check_ends(f, "t", "d", "1.125", "5000.125");
    check_ends(f, "t", "f", "0.125", "625");
    check_ends(f, "t", "r", "0.125", "625");
    check_ends(f, "t", "big", "18446744073709540001", "18446744073709545000");
    check_ends(f, "none", "id", NULL, NULL);
    check_ends(f, "none", "n", NULL, NULL);
    check_ends(f, "far", "day", "0044-03-15", "9999-12-31");
    check_ends(f, "far", "at", "0044-03-15T12:00:00.000000", "9999-12-31T23:59:59.000000");
}

RV_TEST(ends)
{
    myx_each(SETUP, ends_on);
}

static void check_cuts(myx *f, const char *key, size_t want, size_t at_least)
{
    rv_read_spec spec = {.table = "t", .mode = RV_CHUNKED, .key_column = key};
    rv_relation *rel = NULL;
    rv_datum cuts[16];
    size_t n = 0;
    CHECK_EQ(myx_resolve(f, &spec, &rel), RV_OK);
    REQUIRE(rel != NULL);
    CHECK_EQ(rv_mys_cuts(f->s, rel, want, &f->arena, cuts, &n, &f->err), RV_OK);
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
        CHECK_EQ(rv_mys_count(f->s, rel, preds, n_preds, &rows, &f->err), RV_OK);
        total += rows;
    }
    CHECK_EQ(total, ROWS); /* ascending: nothing twice, nothing left out */
}

static void cuts_on(myx *f)
{
    check_cuts(f, "id", 4, 3);
    check_cuts(f, "code", 4, 1);
    check_cuts(f, "u", 8, 7);
    check_cuts(f, "at", 8, 1);
    rv_datum cuts[4];
    size_t n = 9;
    rv_read_spec spec = {.table = "none", .mode = RV_CHUNKED, .key_column = "id"};
    rv_relation *rel = NULL;
    CHECK_EQ(myx_resolve(f, &spec, &rel), RV_OK);
    CHECK_EQ(rv_mys_cuts(f->s, rel, 4, &f->arena, cuts, &n, &f->err), RV_OK);
    CHECK_EQ(n, 0);
}

RV_TEST(cuts)
{
    myx_each(SETUP, cuts_on);
}

static void check_parse(myx *f, const char *column, const char *text, const char *want)
{
    rv_relation *rel = bound_by(f, "t", column);
    rv_datum d = {.null = true};
    REQUIRE(rel != NULL);
    rv_error_clear(&f->err);
    rv_status st = rv_mys_datum_parse(f->s, rel, rv_str_c(text), &f->arena, &d, &f->err);
    CHECK_EQ(st, want ? RV_OK : RV_E_VALUE);
    CHECK(!want || rv_str_eq(d.text, rv_str_c(want)));
    if (want && !rv_str_eq(d.text, rv_str_c(want)))
        printf("%s: %.*s %s\n", text, RV_STR_ARG(d.text), f->err.text);
}

static void texts_on(myx *f)
{
    check_parse(f, "id", "17", "17");
    check_parse(f, "id", "x1", NULL);
    check_parse(f, "id", "1; DROP TABLE t", NULL);
    check_parse(f, "id", "99999999999999999999", NULL);
    check_parse(f, "big", "18446744073709551615", "18446744073709551615");
    check_parse(f, "big", "-1", NULL);
    check_parse(f, "code", "it's \\ x", "69742773205c2078");
    check_parse(f, "code", "\xC3\xA9", "e9"); /* as the column's character set has it */
    check_parse(f, "code", "\xE2\x82\xAC\xE6\xBC\xA2", NULL);
    check_parse(f, "day", "2024-02-29", "2024-02-29");
    check_parse(f, "day", "2024-02-30", NULL);
    check_parse(f, "at", "2024-02-01 01:00+01", "2024-02-01T00:00:00.000000");
    check_parse(f, "at", "2024-02-01 01:00:00.5", "2024-02-01T01:00:00.500000");
    check_parse(f, "at", "yesterday", NULL);
    check_parse(f, "ts", "2024-02-01", "2024-02-01T00:00:00.000000Z");
    check_parse(f, "d", "1.50", "1.50");
    check_parse(f, "d", "1,5", NULL);
    check_parse(f, "f", "1e3", "1e3");
    check_parse(f, "f", "0x1p3", NULL);
    check_parse(f, "u", "a0eebc999c0b4ef8bb6d6bb9bd380a11", "a0eebc999c0b4ef8bb6d6bb9bd380a11");
    check_parse(f, "u", "no hex", NULL);
    check_ends(f, "t", "id", "1", "6000");
}

RV_TEST(texts_from_outside)
{
    myx_each(SETUP, texts_on);
}

static void check_instant(myx *f, const char *column, bool unix_seconds, const char *want,
                          int64_t day)
{
    rv_relation *rel = bound_by(f, "t", column);
    rv_datum d;
    int64_t days = 0;
    REQUIRE(rel != NULL);
    CHECK_EQ(
        rv_mys_instant(f->s, rel, INT64_C(1704067199500000), unix_seconds, &f->arena, &d, &f->err),
        RV_OK);
    CHECK(rv_str_eq(d.text, rv_str_c(want)));
    if (day < 0)
        return;
    CHECK_EQ(rv_mys_datum_day(rel, &d, &days, &f->err), RV_OK);
    CHECK_EQ(days, day);
}

static void instants_on(myx *f)
{
    int64_t now = 0;
    check_instant(f, "day", false, "2023-12-31", 19722);
    check_instant(f, "at", false, "2023-12-31T23:59:59.500000", 19722);
    check_instant(f, "ts", false, "2023-12-31T23:59:59.500000Z", 19722);
    check_instant(f, "unix", true, "1704067199", 19722);
    check_instant(f, "code", false, "323032332d31322d33312032333a35393a35392e353030303030", -1);
    rv_relation *rel = bound_by(f, "t", "at");
    rv_datum bad = {.kind = RV_TIMESTAMP, .text = RV_STR("0000-00-00 00:00:00")};
    int64_t days;
    CHECK_EQ(rv_mys_datum_day(rel, &bad, &days, &f->err), RV_E_VALUE);
    CHECK_EQ(rv_mys_now(f->s, &now, &f->err), RV_OK);
    CHECK(llabs(now - rv_clock_now_us()) < INT64_C(60000000));
}

RV_TEST(instants)
{
    myx_each(SETUP, instants_on);
}

static void steps_on(myx *f)
{
    rv_relation *rel = bound_by(f, "t", "n");
    REQUIRE(rel != NULL);
    rv_expr order[2] = {{"n", NULL}, {"id", NULL}};
    rv_pred not_null = {.expr = order[0], .op = RV_NOT_NULL};
    rv_page_spec from = {
        .relation = rel, .preds = &not_null, .n_preds = 1, .order = order, .n_order = 2};
    rv_datum at[2];
    bool found = false;
    CHECK_EQ(rv_mys_nth(f->s, &from, 1, &f->arena, at, &found, &f->err), RV_OK);
    CHECK(found);
    CHECK(rv_str_eq(at[0].text, RV_STR("0")));
    CHECK(rv_str_eq(at[1].text, RV_STR("10")));
    from.after = at;
    CHECK_EQ(rv_mys_nth(f->s, &from, ROWS - 2, &f->arena, at, &found, &f->err), RV_OK);
    CHECK(found);
    CHECK(rv_str_eq(at[1].text, RV_STR("4999")));
    from.after = at;
    CHECK_EQ(rv_mys_nth(f->s, &from, 1, &f->arena, at, &found, &f->err), RV_OK);
    CHECK(!found);
    CHECK_EQ(rv_mys_nth(f->s, &from, 0, &f->arena, at, &found, &f->err), RV_E_INTERNAL);
}

RV_TEST(steps)
{
    myx_each(SETUP, steps_on);
}

static void check_change(myx *f, const char *sql, const char *of_table, bool query_too)
{
    rv_read_spec spec = {.table = "t", .mode = RV_FULL};
    rv_read_spec query = {.query = "SELECT id, v FROM t", .mode = RV_FULL};
    rv_relation *rel = NULL, *asked = NULL;
    REQUIRE(myx_resolve(f, &spec, &rel) == RV_OK && myx_resolve(f, &query, &asked) == RV_OK);
    CHECK_EQ(rv_mys_recheck(f->s, rel, &f->err), RV_OK);
    CHECK_EQ(rv_mys_recheck(f->s, asked, &f->err), RV_OK);
    REQUIRE(myx_exec(f, sql));
    CHECK_EQ(rv_mys_recheck(f->s, rel, &f->err), of_table ? RV_E_SOURCE_CHANGED : RV_OK);
    CHECK(!of_table || strstr(f->err.text, of_table) != NULL);
    CHECK_EQ(rv_mys_recheck(f->s, asked, &f->err), query_too ? RV_E_SOURCE_CHANGED : RV_OK);
}

static void changes_on(myx *f)
{
    check_change(f, "ALTER TABLE t MODIFY v varchar(20)", "'v' changed its type", true);
    check_change(f, "ALTER TABLE t MODIFY e enum('a@b', 'c', 'd')", "'e' changed its type", false);
    check_change(f, "ALTER TABLE t DROP COLUMN w", "'w' was dropped", false);
    check_change(f, "TRUNCATE TABLE t", NULL, false);
    check_change(f, "ALTER TABLE t ADD COLUMN x integer", "'x' was added", false);
    check_change(f, "ALTER TABLE t MODIFY v varchar(20) COLLATE utf8mb4_bin",
                 "'v' changed its type", false);
    check_change(f, "ALTER TABLE t CHANGE v y varchar(20)", "'v' was dropped, renamed or moved",
                 true);
    CHECK(myx_exec(f, "ALTER TABLE t CHANGE y v varchar(20)"));
    check_change(f, "DROP TABLE t", "dropped", true);
}

RV_TEST(changes_are_noticed)
{
    myx_each("CREATE TABLE t(id integer PRIMARY KEY, v varchar(10), w integer, e enum('a@b', 'c'))",
             changes_on);
}

#ifdef RV_FAULTS
static rv_status everything(myx *f, const rv_read_spec *spec, bool ends, rv_arena *arena)
{
    rv_relation *rel = NULL;
    rv_datum low, high, cuts[4];
    size_t n = 0;
    rv_plan_facts facts;
    RV_TRY(rv_mys_resolve(f->s, spec, arena, &rel, &f->err));
    if (ends) {
        RV_TRY(
            rv_mys_bounds(f->s, rel, (rv_expr){"id", NULL}, NULL, 0, arena, &low, &high, &f->err));
        RV_TRY(rv_mys_cuts(f->s, rel, 4, arena, cuts, &n, &f->err));
    }
    RV_TRY(rv_mys_facts(f->s, rel, arena, &facts, &f->err));
    return rv_mys_recheck(f->s, rel, &f->err);
}

/* Every allocation of a resolve and of single values may fail: an error, no leak, no crash. */
static void sweep_on(myx *f)
{
    rv_read_spec specs[] = {
        {.table = "t", .mode = RV_INCREMENTAL, .bound = {"at", NULL}},
        {.query = "SELECT id, code FROM t WHERE n > 3", .mode = RV_FULL},
        {.query = "SELECT n, count(*) AS c FROM t GROUP BY n", .mode = RV_FULL}};
    unsigned failed = 0;
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        bool passed = false;
        for (long nth = 1; nth < 3000 && !passed; nth++) {
            rv_arena arena = RV_ARENA_INIT;
            rv_fault_set_alloc(nth, false);
            rv_status st = everything(f, &specs[i], i < 2, &arena);
            passed = rv_fault_seen_alloc() < nth;
            rv_fault_set_alloc(0, false);
            CHECK(passed ? st == RV_OK : st == RV_OK || st == RV_E_MEMORY);
            failed += st == RV_E_MEMORY;
            rv_arena_free(&arena);
        }
        CHECK(passed);
    }
    CHECK(failed > 50);
}
#endif

RV_TEST(allocations_may_fail)
{
#ifndef RV_FAULTS
    SKIP("built without RV_FAULTS");
#else
    myx_each(SETUP, sweep_on);
#endif
}

RV_TEST_MAIN(RV_CASE(ends), RV_CASE(cuts), RV_CASE(texts_from_outside), RV_CASE(instants),
             RV_CASE(steps), RV_CASE(changes_are_noticed), RV_CASE(allocations_may_fail))
