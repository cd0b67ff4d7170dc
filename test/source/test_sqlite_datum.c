/* Bounds, literals of instants, and text to value and back. Spec "lifecycle" sections 7 and 8. */
#include <inttypes.h>

#include "source/sqlite_fixture.h"

static rv_relation *bound_on(fixture *f, const char *ddl, const char *column)
{
    char sql[400];
    rv_relation *rel = NULL;
    (void)snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS t; %s", ddl);
    if (!fx_exec(f, sql))
        return NULL;
    rv_read_spec spec = {.table = "t", .mode = RV_INCREMENTAL, .bound = {column, NULL}};
    CHECK_EQ(fx_resolve(f, &spec, &rel), RV_OK);
    return rel;
}

RV_TEST(instants)
{
    static const struct {
        const char *value;
        const char *decl;
        int64_t us;
        bool unix_seconds;
        const char *want;
        rv_kind kind;
    } rows[] = {
        {"'2024-01-01 10:00:00'", "TIMESTAMP", 1704103200000000, false, "2024-01-01 10:00:00",
         RV_STRING},
        {"'2024-01-01T10:00:00'", "TIMESTAMP", 1704103200500000, false,
         "2024-01-01T10:00:00.500000", RV_STRING},
        {"'2024-01-01 10:00:00'", "TIMESTAMP", 1704067200000000, false, "2024-01-01", RV_STRING},
        {"'2024-01-01'", "DATE", 1704103200000000, false, "2024-01-01", RV_STRING},
        {"1704103200", "TIMESTAMP", 1704103200000000, false, "1704103200", RV_INT64},
        {"2460311.5", "TIMESTAMP", 1704132000000000, false, "2460311.25", RV_FLOAT64},
        {"5", "INTEGER", -1500000, true, "-2", RV_INT64},
        {"NULL", "TIMESTAMP", 0, false, "1970-01-01", RV_STRING},
    };
    fixture f;
    REQUIRE(fx_open(&f, "SELECT 1"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char ddl[200];
        rv_datum d;
        (void)snprintf(ddl, sizeof ddl, "CREATE TABLE t(c %s); INSERT INTO t VALUES (%s)",
                       rows[i].decl, rows[i].value);
        rv_relation *rel = bound_on(&f, ddl, "c");
        REQUIRE(rel != NULL);
        CHECK_EQ(f.d->instant(f.s, rel, rows[i].us, rows[i].unix_seconds, &f.arena, &d, &f.err),
                 RV_OK);
        CHECK_STR(d.text.ptr, rows[i].want);
        CHECK_EQ(d.kind, rows[i].kind);
    }
    fx_close(&f);
}

RV_TEST(parsing_and_days)
{
    static const struct {
        const char *ddl, *text;
        rv_status st;
        const char *want;
        int64_t day;
    } rows[] = {
        {"CREATE TABLE t(c INT); INSERT INTO t VALUES (1)", "-42", RV_OK, "-42", -1},
        {"CREATE TABLE t(c INT); INSERT INTO t VALUES (1)", "4.2", RV_E_VALUE, NULL, 0},
        {"CREATE TABLE t(c INT); INSERT INTO t VALUES (1)", "", RV_E_VALUE, NULL, 0},
        {"CREATE TABLE t(c DATE); INSERT INTO t VALUES ('2024-01-01')", "1970-01-03", RV_OK,
         "1970-01-03", 2},
        {"CREATE TABLE t(c DATE); INSERT INTO t VALUES ('2024-01-01')", "soon", RV_E_VALUE, NULL,
         0},
        {"CREATE TABLE t(c TIMESTAMP); INSERT INTO t VALUES (1)", "1970-01-02T00:00:01Z", RV_OK,
         "86401", 1},
        {"CREATE TABLE t(c TIMESTAMP); INSERT INTO t VALUES (1)", "86399", RV_OK, "86399", 0},
        {"CREATE TABLE t(c TIMESTAMP); INSERT INTO t VALUES (2440587.5)", "1969-12-31", RV_OK,
         "2440586.5", -1},
        {"CREATE TABLE t(c TEXT)", "any thing", RV_OK, "any thing", 0},
        {"CREATE TABLE t(c REAL); INSERT INTO t VALUES (1)", "0.1", RV_OK, "0.1", 0},
        {"CREATE TABLE t(c REAL); INSERT INTO t VALUES (1)", "0.1x", RV_E_VALUE, NULL, 0},
    };
    fixture f;
    REQUIRE(fx_open(&f, "SELECT 1"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_datum d;
        int64_t day = 99;
        rv_relation *rel = bound_on(&f, rows[i].ddl, "c");
        REQUIRE(rel != NULL);
        rv_status st = f.d->datum_parse(f.s, rel, rv_str_c(rows[i].text), &f.arena, &d, &f.err);
        CHECK_EQ(st, rows[i].st);
        if (st != RV_OK)
            continue;
        CHECK_STR(d.text.ptr, rows[i].want);
        if (rel->bound_type.kind == RV_DATE || rel->bound_type.kind == RV_TIMESTAMP) {
            CHECK_EQ(f.d->datum_day(rel, &d, &day, &f.err), RV_OK);
            CHECK_EQ(day, rows[i].day);
        }
    }
    fx_close(&f);
}

/* A value read as a bound and bound again finds its row, whatever its class and bits. */
RV_TEST(bounds_round_trip)
{
    static const char *const values[] = {"9223372036854775807",
                                         "-9223372036854775808",
                                         "0.1",
                                         "1e308",
                                         "5e-324",
                                         "9e999",
                                         "-0.30000000000000004",
                                         "'it''s'",
                                         "''",
                                         "x'00ff'",
                                         "x''",
                                         "'a' || char(0) || 'b'",
                                         "'\xF0\x9F\x98\x80'"};
    fixture f;
    REQUIRE(fx_open(&f, "SELECT 1"));
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char ddl[200];
        rv_datum low, high;
        uint64_t n = 0;
        rv_expr c = {"c", NULL};
        (void)snprintf(ddl, sizeof ddl, "CREATE TABLE t(c); INSERT INTO t VALUES (NULL), (%s)",
                       values[i]);
        rv_relation *rel = bound_on(&f, ddl, "c");
        REQUIRE(rel != NULL);
        CHECK_EQ(f.d->bounds(f.s, rel, c, NULL, 0, &f.arena, &low, &high, &f.err), RV_OK);
        rv_pred p = {.expr = c, .op = RV_EQ, .value = low};
        CHECK_EQ(f.d->count(f.s, rel, &p, 1, &n, &f.err), RV_OK);
        CHECK_EQ(n, 1);
    }
    fx_close(&f);
}

/* A decimal column holds INTEGER and REAL values: one kind must carry both. */
RV_TEST(decimal_bounds)
{
    fixture f;
    rv_datum low, high;
    uint64_t n = 0;
    rv_expr c = {"c", NULL};
    REQUIRE(fx_open(&f, "SELECT 1"));
    rv_relation *rel = bound_on(&f,
                                "CREATE TABLE t(c DECIMAL(20,2)); INSERT INTO t VALUES (1.5), "
                                "(9007199254740993), (2)",
                                "c");
    REQUIRE(rel != NULL);
    CHECK_EQ(f.d->bounds(f.s, rel, c, NULL, 0, &f.arena, &low, &high, &f.err), RV_OK);
    low.kind = high.kind = rel->bound_kind; /* what a stored bound comes back as */
    rv_pred preds[] = {{c, RV_GE, low}, {c, RV_LE, high}};
    CHECK_EQ(f.d->count(f.s, rel, preds, 2, &n, &f.err), RV_OK);
    CHECK_EQ(n, 3);
    preds[1].op = RV_LT;
    CHECK_EQ(f.d->count(f.s, rel, preds, 2, &n, &f.err), RV_OK);
    CHECK_EQ(n, 2);
    CHECK_EQ(f.d->datum_parse(f.s, rel, RV_STR("1.75"), &f.arena, &low, &f.err), RV_OK);
    CHECK_EQ(f.d->datum_parse(f.s, rel, RV_STR("x"), &f.arena, &low, &f.err), RV_E_VALUE);
    fx_close(&f);
}

RV_TEST(cuts_of_a_key)
{
    fixture f;
    REQUIRE(fx_open(&f, "CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES "
                        "(-9223372036854775808), (0), (9223372036854775807);"
                        "CREATE TABLE s(id INTEGER PRIMARY KEY); INSERT INTO s VALUES (1), (3);"
                        "CREATE TABLE e(id INTEGER PRIMARY KEY);"
                        "CREATE TABLE k(a TEXT PRIMARY KEY) WITHOUT ROWID"));
    static const struct {
        const char *table;
        size_t want, got;
    } rows[] = {{"t", 4, 3}, {"s", 10, 2}, {"e", 4, 0}, {"k", 4, 0}, {"t", 1, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_datum cuts[16];
        size_t n = 99;
        rv_relation *rel = NULL;
        rv_read_spec spec = {.table = rows[i].table};
        CHECK_EQ(fx_resolve(&f, &spec, &rel), RV_OK);
        REQUIRE(rel != NULL);
        CHECK_EQ(f.d->cuts(f.s, rel, rows[i].want, &f.arena, cuts, &n, &f.err), RV_OK);
        CHECK_EQ(n, rows[i].got);
        int64_t before = INT64_MIN, v = 0;
        for (size_t k = 0; k < n && k < 16; k++) {
            CHECK(rv_str_i64(cuts[k].text, &v) && v > before);
            before = v;
        }
    }
    fx_close(&f);
}

RV_TEST_MAIN(RV_CASE(instants), RV_CASE(parsing_and_days), RV_CASE(bounds_round_trip),
             RV_CASE(decimal_bounds), RV_CASE(cuts_of_a_key))
