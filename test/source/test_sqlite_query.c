/* The four gates of a `query:`. Spec "source-safety" section 14. */
#include "source/sqlite_fixture.h"

#define BIG                                                                                        \
    "CREATE TABLE t(id INTEGER PRIMARY KEY, c INT, s TEXT); CREATE TABLE u(id INTEGER PRIMARY "    \
    "KEY, n TEXT); INSERT INTO u VALUES (1, 'one'); CREATE VIEW w AS SELECT * FROM t;"             \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "              \
    "INSERT INTO t SELECT i, i % 7, hex(zeroblob(500)) FROM n; CREATE INDEX ic ON t(c);"           \
    "CREATE TABLE k(code TEXT NOT NULL UNIQUE, v INT, pad TEXT);"                                  \
    "INSERT INTO k SELECT 'c' || id, c, s FROM t"

static rv_relation *resolve(fixture *f, rv_read_spec spec)
{
    rv_relation *rel = NULL;
    rv_status st = fx_resolve(f, &spec, &rel);
    if (st != RV_OK)
        printf("%s: %s\n", spec.query, f->err.text);
    CHECK_EQ(st, RV_OK);
    return rel;
}

RV_TEST(full_shapes)
{
    static const struct {
        const char *query;
        rv_shape shape;
        const char *reason, *key;
    } rows[] = {
        {"SELECT * FROM t", RV_SHAPE_PAGES, "", "id"},
        {"SELECT id, s AS x, c + 1 FROM t AS q WHERE c > 2 OR c = 0 -- note;", RV_SHAPE_PAGES, "",
         "id"},
        {"SELECT rowid, c FROM main.t;", RV_SHAPE_PAGES, "", "id"},
        {"SELECT id AS order_id, c FROM t", RV_SHAPE_PAGES, "", "id"},
        {"SELECT id, (SELECT count(*) FROM u) AS n FROM t", RV_SHAPE_PAGES, "", "id"},
        {"SELECT code, v FROM k", RV_SHAPE_PAGES, "", "code"},
        {"SELECT id FROM u", RV_SHAPE_STATEMENT, "small table", "id"},
        {"SELECT c FROM t", RV_SHAPE_STATEMENT, "no usable key in the list", NULL},
        {"SELECT c AS id, id AS c FROM t", RV_SHAPE_STATEMENT, "an alias hides the key", NULL},
        {"SELECT id, count(*) AS n FROM t", RV_SHAPE_STATEMENT, "aggregation", NULL},
        {"SELECT id, count(*) OVER () FROM t", RV_SHAPE_STATEMENT, "OVER at 1:21", NULL},
        {"SELECT * FROM w", RV_SHAPE_STATEMENT, "view", NULL},
        {"SELECT id FROM t ORDER BY id", RV_SHAPE_STATEMENT, "ORDER at 1:18", NULL},
        {"SELECT t.id FROM t JOIN u ON u.id = t.id", RV_SHAPE_STATEMENT, "JOIN at 1:20", NULL},
        {"SELECT id, (SELECT n FROM u) FROM t", RV_SHAPE_STATEMENT, "columns of several tables",
         NULL},
        {"SELECT id, c FROM t WHERE c = 3", RV_SHAPE_PAGES, "", "id"},
        {"WITH x AS (SELECT 1 AS a) SELECT a FROM x", RV_SHAPE_STATEMENT, "WITH at 1:1", NULL},
    };
    fixture f;
    REQUIRE(fx_open(&f, BIG));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_relation *rel = resolve(&f, (rv_read_spec){.query = rows[i].query, .mode = RV_FULL});
        REQUIRE(rel != NULL);
        if (rel->shape != rows[i].shape)
            printf("%s: %s\n", rows[i].query, rel->shape_reason);
        CHECK_EQ(rel->shape, rows[i].shape);
        CHECK_STR(rel->shape_reason, rows[i].reason);
        CHECK(!rel->wrapped);
        if (rows[i].key)
            CHECK_STR(rel->key.columns[0], rows[i].key);
        else
            CHECK_EQ(rel->key.n_columns, 0);
    }
    fx_close(&f);
}

/* Pages of a spliced query give what the query gives, in key order. */
RV_TEST(pages_equal_the_query)
{
    static const char *const queries[] = {
        "SELECT id, c FROM t WHERE s > 'y' OR id % 3 = 1 -- tail",
        ("SELECT c, id AS x, s || 'y' AS z FROM t q WHERE (q.c + 0) IN (SELECT id FROM u) "
         "OR id + 0 > 2900"),
        "SELECT * -- all\nFROM t WHERE id % 100 = 7",
        "SELECT v, code FROM k WHERE v < 2",
    };
    fixture f;
    REQUIRE(fx_open(&f, BIG));
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        rv_relation *rel = resolve(&f, (rv_read_spec){.query = queries[i], .mode = RV_FULL});
        REQUIRE(rel != NULL);
        CHECK_STR(rel->shape_reason, "");
        REQUIRE(rel->shape == RV_SHAPE_PAGES);
        CHECK_EQ(fx_read(&f, rel), RV_OK);
        rv_buf whole = f.text;
        f.text = RV_BUF_INIT;
        rv_expr order = {rel->key.columns[0], NULL};
        rv_datum after;
        rv_page_spec page = {.relation = rel, .order = &order, .n_order = 1, .limit = 97};
        for (int pages = 0; pages < 100; pages++) {
            CHECK_EQ(fx_page(&f, &page, 50, &after), RV_OK);
            if (!f.end.limited)
                break;
            page.after = &after;
        }
        CHECK(whole.len > 100);
        CHECK(rv_str_eq(rv_buf_str(&whole), rv_buf_str(&f.text)));
        rv_buf_free(&whole);
    }
    fx_close(&f);
}

/* Few rows meet the condition: no statement runs much longer than its time, no row is lost. */
RV_TEST(rare_rows_are_read_in_windows)
{
    fixture f;
    REQUIRE(fx_open(&f, "CREATE TABLE t(id INTEGER PRIMARY KEY, c INT, pad TEXT);"
                        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
                        "60000) INSERT INTO t SELECT i * 3, i, hex(zeroblob(20)) FROM n"));
    static const struct {
        const char *query, *rows;
    } rows[] = {
        {"SELECT id, c FROM t WHERE length(pad || c) > 0 AND c IN (30000, 30001, 59000)",
         "90000|30000\n90003|30001\n177000|59000\n"},
        {"SELECT id FROM t WHERE length(pad || c) = 1 -- none", ""},
        {"SELECT c, id FROM t WHERE length(pad || c) > 0 AND c = 60000", "60000|180000\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_relation *rel = resolve(&f, (rv_read_spec){.query = rows[i].query, .mode = RV_FULL});
        REQUIRE(rel != NULL);
        CHECK_EQ(rel->shape, RV_SHAPE_PAGES);
        rv_expr order = {rel->key.columns[0], NULL};
        rv_datum after;
        rv_page_spec page = {
            .relation = rel, .order = &order, .n_order = 1, .limit = 100, .cut_us = 1000};
        int pages = 0;
        rv_buf_clear(&f.text);
        for (; pages < 100; pages++) {
            CHECK_EQ(fx_page(&f, &page, 50, &after), RV_OK);
            CHECK(!f.end.cut || f.end.rows > 0);
            if (!f.end.limited && !f.end.cut)
                break;
            page.after = &after;
        }
        CHECK(pages < 10);
        CHECK_STR(fx_text(&f), rows[i].rows);
    }
    fx_close(&f);
}

RV_TEST(other_modes_splice_or_wrap)
{
    static const struct {
        const char *query;
        const char *column;
        bool wrapped, pages;
    } rows[] = {
        {"SELECT id, c FROM t WHERE c != 5", "id", false, true},
        {"SELECT id, c AS cur FROM t", "cur", false, true}, /* index ic gives (c, rowid) */
        {"SELECT id, s FROM t", "s", true, false},          /* no index in that order */
        {"SELECT id, c + 1 AS cur FROM t", "cur", true, false},
        {"SELECT c, max(id) AS m FROM t GROUP BY c", "m", true, false},
        {"SELECT id, n FROM u", "n", false, false}, /* small */
    };
    fixture f;
    REQUIRE(fx_open(&f, BIG));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_relation *rel = resolve(&f, (rv_read_spec){.query = rows[i].query,
                                                      .mode = RV_INCREMENTAL,
                                                      .bound = {rows[i].column, NULL}});
        REQUIRE(rel != NULL);
        CHECK_EQ(rel->wrapped, rows[i].wrapped);
        CHECK_EQ(rel->shape == RV_SHAPE_PAGES, rows[i].pages);
        rv_expr order = {rows[i].column, NULL};
        rv_datum low, high;
        CHECK_EQ(f.d->bounds(f.s, rel, order, NULL, 0, &f.arena, &low, &high, &f.err), RV_OK);
        rv_pred upper = {.expr = order, .op = RV_LE, .value = high};
        rv_page_spec page = {
            .relation = rel, .preds = &upper, .n_preds = 1, .order = &order, .n_order = 1};
        rv_datum last;
        uint64_t counted = 0;
        rv_buf_clear(&f.text);
        CHECK_EQ(fx_page(&f, &page, 1000, &last), RV_OK);
        CHECK(rv_str_eq(last.text, high.text));
        CHECK_EQ(f.d->count(f.s, rel, NULL, 0, &counted, &f.err), RV_OK);
        CHECK_EQ(counted, f.end.rows);
    }
    fx_close(&f);
}

RV_TEST(full_query_under_predicates)
{
    fixture f;
    REQUIRE(fx_open(&f, BIG));
    rv_relation *rel = resolve(&f, (rv_read_spec){.query = "SELECT c, count(*) AS n FROM t "
                                                           "GROUP BY c ORDER BY c"});
    REQUIRE(rel != NULL);
    CHECK_EQ(fx_read(&f, rel), RV_OK);
    CHECK_EQ(f.end.rows, 7);
    rv_pred p = {
        .expr = {"c", NULL}, .op = RV_GE, .value = {.kind = RV_INT64, .text = RV_STR("5")}};
    rv_page_spec page = {.relation = rel, .preds = &p, .n_preds = 1};
    CHECK_EQ(fx_page(&f, &page, 100, NULL), RV_OK);
    CHECK_EQ(f.end.rows, 2);
    fx_close(&f);
}

RV_TEST(refused_queries)
{
    static const char *const rows[] = {
        "",
        "-- nothing",
        "DELETE FROM t",
        "INSERT INTO t VALUES (1) RETURNING id",
        "WITH x AS (SELECT 1) DELETE FROM t",
        "PRAGMA table_info(t)",
        "ATTACH '/tmp/x' AS y",
        "EXPLAIN SELECT 1",
        "VALUES (1)",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE t",
        "SELECT id FROM t WHERE id = ?",
        "SELECT id FROM t WHERE id = :x",
        "SELECT nothing FROM t",
        "SELECT id, id FROM t",
        "SELECT load_extension('x')",
    };
    fixture f;
    REQUIRE(fx_open(&f, "CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_read_spec spec = {.query = rows[i], .mode = RV_FULL};
        rv_relation *rel = NULL;
        rv_status st = fx_resolve(&f, &spec, &rel);
        if (st != RV_E_SOURCE_QUERY)
            printf("%s\n", rows[i]);
        CHECK_EQ(st, RV_E_SOURCE_QUERY);
    }
    rv_relation *rel = resolve(&f, (rv_read_spec){.query = "SELECT 1 AS a; -- done\n/* end */"});
    REQUIRE(rel != NULL);
    CHECK_EQ(fx_read(&f, rel), RV_OK);
    CHECK_STR(fx_text(&f), "1\n");
    fx_close(&f);
}

RV_TEST(query_recheck)
{
    fixture f;
    REQUIRE(fx_open(&f, "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT)"));
    rv_relation *rel = resolve(&f, (rv_read_spec){.query = "SELECT * FROM t WHERE a > 'x'"});
    REQUIRE(rel != NULL);
    CHECK_EQ(f.d->recheck(f.s, rel, &f.err), RV_OK);
    REQUIRE(fx_exec(&f, "ALTER TABLE t ADD COLUMN b INT"));
    CHECK_EQ(f.d->recheck(f.s, rel, &f.err), RV_E_SOURCE_CHANGED);
    CHECK_EQ(fx_read(&f, rel), RV_OK); /* nothing to compare before a row */
    REQUIRE(fx_exec(&f, "INSERT INTO t VALUES (1, 'y', 2)"));
    rel = resolve(&f, (rv_read_spec){.query = "SELECT * FROM t"});
    REQUIRE(rel != NULL);
    REQUIRE(fx_exec(&f, "ALTER TABLE t RENAME COLUMN b TO c"));
    CHECK_EQ(fx_read(&f, rel), RV_E_SOURCE_CHANGED);
    REQUIRE(fx_exec(&f, "DROP TABLE t"));
    CHECK_EQ(f.d->recheck(f.s, rel, &f.err), RV_E_SOURCE_CHANGED);
    fx_close(&f);
}

RV_TEST_MAIN(RV_CASE(full_shapes), RV_CASE(pages_equal_the_query),
             RV_CASE(rare_rows_are_read_in_windows), RV_CASE(other_modes_splice_or_wrap),
             RV_CASE(full_query_under_predicates), RV_CASE(refused_queries), RV_CASE(query_recheck))
