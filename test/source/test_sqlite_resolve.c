/* Tables, views, keys and names of SQLite. Spec "source-safety" sections 6, 11, 13. */
#include "source/sqlite_fixture.h"

static rv_relation *resolve(fixture *f, rv_read_spec spec)
{
    rv_relation *rel = NULL;
    rv_status st = fx_resolve(f, &spec, &rel);
    if (st != RV_OK)
        printf("%s\n", f->err.text);
    CHECK_EQ(st, RV_OK);
    return rel;
}

RV_TEST(keys)
{
    static const struct {
        const char *ddl;
        rv_mode mode;
        const char *name, *column; /* NULL: no key */
        size_t n;
        bool primary;
    } rows[] = {
        {"t(id INTEGER PRIMARY KEY, v)", RV_FULL, "INTEGER PRIMARY KEY", "id", 1, true},
        {"t(id INTEGER PRIMARY KEY DESC, v)", RV_FULL, "rowid", "rowid", 1, false},
        {"t(id INT PRIMARY KEY, v)", RV_FULL, "rowid", "rowid", 1, false},
        {"t(a, b)", RV_FULL, "rowid", "rowid", 1, false},
        {"t(rowid, b)", RV_FULL, "rowid", "_rowid_", 1, false},
        {"t(rowid, _ROWID_)", RV_FULL, "rowid", "oid", 1, false},
        {"t(rowid, _rowid_, oid)", RV_FULL, NULL, NULL, 0, false},
        {"t(rowid TEXT NOT NULL UNIQUE, _rowid_, oid)", RV_FULL, "sqlite_autoindex_t_1", "rowid", 1,
         false},
        {"t(a TEXT PRIMARY KEY, b) WITHOUT ROWID", RV_FULL, "PRIMARY KEY", "a", 1, true},
        {"t(a TEXT, b INT, PRIMARY KEY(b, a)) WITHOUT ROWID", RV_FULL, "PRIMARY KEY", "b", 2, true},
        {"t(a TEXT, b INT, PRIMARY KEY(b, a)) WITHOUT ROWID", RV_CHUNKED, NULL, NULL, 0, false},
        {"t(a REAL PRIMARY KEY, b) WITHOUT ROWID", RV_FULL, NULL, NULL, 0, false},
        {"t(a BLOB PRIMARY KEY, b) WITHOUT ROWID", RV_FULL, NULL, NULL, 0, false},
        {"t(code TEXT PRIMARY KEY NOT NULL, b)", RV_CHUNKED, "PRIMARY KEY", "code", 1, true},
        {"t(code TEXT PRIMARY KEY, b)", RV_CHUNKED, "rowid", "rowid", 1, false},
        {"t(code TEXT PRIMARY KEY NOT NULL, b)", RV_INCREMENTAL, "rowid", "rowid", 1, false},
        {"t(a PRIMARY KEY, b) WITHOUT ROWID", RV_FULL, NULL, NULL, 0, false},
        {"t(id INTEGER, v TEXT) STRICT", RV_FULL, "rowid", "rowid", 1, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fixture f;
        char sql[256];
        (void)snprintf(sql, sizeof sql, "CREATE TABLE %s", rows[i].ddl);
        REQUIRE(fx_open(&f, sql));
        rv_relation *rel = resolve(&f, (rv_read_spec){.table = "t", .mode = rows[i].mode});
        REQUIRE(rel != NULL);
        CHECK_EQ(rel->key.n_columns, rows[i].n);
        CHECK_EQ(rel->is_primary, rows[i].primary);
        CHECK_EQ(rel->shape, rows[i].n ? RV_SHAPE_PAGES : RV_SHAPE_STATEMENT);
        if (rows[i].n) {
            CHECK_STR(rel->key.name, rows[i].name);
            CHECK_STR(rel->key.columns[0], rows[i].column);
        } else {
            CHECK_STR(rel->shape_reason, "no usable key");
        }
        fx_close(&f);
    }
}

RV_TEST(chosen_keys)
{
    fixture f;
    REQUIRE(fx_open(&f, "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT NOT NULL, b TEXT NOT NULL, "
                        "c TEXT NOT NULL, d TEXT, e TEXT NOT NULL COLLATE NOCASE);"
                        "CREATE UNIQUE INDEX ub ON t(b); CREATE UNIQUE INDEX ua ON t(a);"
                        "CREATE UNIQUE INDEX part ON t(c) WHERE c > 'x';"
                        "CREATE UNIQUE INDEX ud ON t(d);"
                        "CREATE UNIQUE INDEX expr ON t(lower(c));"
                        "CREATE UNIQUE INDEX coll ON t(e COLLATE BINARY);"
                        "CREATE INDEX plain ON t(c)"));
    static const struct {
        const char *column;
        rv_status st;
    } rows[] = {{"id", RV_OK},
                {"a", RV_OK},
                {"b", RV_OK},
                {"c", RV_E_CONFIG_KEY_UNUSABLE},
                {"d", RV_E_CONFIG_KEY_UNUSABLE},
                {"e", RV_E_CONFIG_KEY_UNUSABLE},
                {"A", RV_E_CONFIG_KEY_UNUSABLE}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_read_spec spec = {.table = "t", .mode = RV_CHUNKED, .key_column = rows[i].column};
        rv_relation *rel = NULL;
        CHECK_EQ(fx_resolve(&f, &spec, &rel), rows[i].st);
    }
    CHECK_STR(f.err.text, "'A' is not a single-column, NOT NULL unique key of a supported type");
    const char *stored[] = {"b"};
    rv_relation *rel = resolve(
        &f,
        (rv_read_spec){.table = "t", .mode = RV_CHUNKED, .stored_key = stored, .n_stored_key = 1});
    REQUIRE(rel != NULL);
    CHECK_STR(rel->key.name, "ub");
    CHECK_EQ(rel->key.kinds[0], RV_STRING);
    stored[0] = "c";
    rv_read_spec spec = {.table = "t", .mode = RV_CHUNKED, .stored_key = stored, .n_stored_key = 1};
    CHECK_EQ(fx_resolve(&f, &spec, &rel), RV_E_SOURCE_CHANGED);
    fx_close(&f);
}

RV_TEST(odd_names_and_kinds)
{
    static const struct {
        const char *sql, *table, *text, *reason;
    } rows[] = {
        {"CREATE TABLE \"a b\"(\"x\"\"y\" INT, \"select\" INT); INSERT INTO \"a b\" VALUES (1, 2)",
         "\"a b\"", "1|2\n", ""},
        {"CREATE TABLE Orders(ID INTEGER PRIMARY KEY); INSERT INTO Orders VALUES (5)", "orders",
         "5\n", ""},
        {"CREATE TABLE t(id INTEGER PRIMARY KEY, d AS (id * 2), e INT AS (id + 1) STORED);"
         "INSERT INTO t VALUES (4)",
         "main.t", "4|8|5\n", ""},
        {"CREATE TABLE b(id INTEGER PRIMARY KEY, n TEXT); INSERT INTO b VALUES (1,'x');"
         "CREATE VIEW t AS SELECT id, n, id + 1 AS s FROM b",
         "t", "1|x|2\n", "view"},
        {"CREATE VIRTUAL TABLE t USING fts5(a, b); INSERT INTO t VALUES ('p', 'q')", "t", "p|q\n",
         "virtual table"},
        {"CREATE TABLE t(a ANY) STRICT; INSERT INTO t VALUES (1), ('x')", "t", "1\nx\n", ""},
        {"CREATE TABLE t(a TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO t VALUES ('k', 1)", "t",
         "k|1\n", ""},
        {"CREATE TABLE t(\"rowid\" TEXT, v INT); INSERT INTO t VALUES ('mine', 1)", "t", "mine|1\n",
         ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fixture f;
        REQUIRE(fx_open(&f, rows[i].sql));
        rv_relation *rel = resolve(&f, (rv_read_spec){.table = rows[i].table, .mode = RV_FULL});
        REQUIRE(rel != NULL);
        CHECK_STR(rel->shape_reason, rows[i].reason);
        CHECK_EQ(fx_read(&f, rel), RV_OK);
        CHECK_STR(fx_text(&f), rows[i].text);
        CHECK_EQ(f.d->recheck(f.s, rel, &f.err), RV_OK);
        fx_close(&f);
    }
}

RV_TEST(names_resolve)
{
    fixture f;
    rv_relation *rel = NULL;
    REQUIRE(fx_open(&f, "CREATE TABLE Orders(id INTEGER PRIMARY KEY)"));
    static const struct {
        const char *table;
        rv_status st;
    } rows[] = {{"Orders", RV_OK},
                {"ORDERS", RV_OK},
                {"\"Orders\"", RV_OK},
                {"\"orders\"", RV_E_SOURCE_MISSING},
                {"MAIN.orders", RV_OK},
                {"other.orders", RV_E_SOURCE_MISSING},
                {"order", RV_E_SOURCE_MISSING},
                {"a.b.c", RV_E_CONFIG_TABLE_NAME}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_read_spec spec = {.table = rows[i].table, .mode = RV_FULL};
        CHECK_EQ(fx_resolve(&f, &spec, &rel), rows[i].st);
    }
    rv_read_spec spec = {.table = "order", .mode = RV_FULL};
    CHECK_EQ(fx_resolve(&f, &spec, &rel), RV_E_SOURCE_MISSING);
    CHECK_STR(f.err.hint, "did you mean 'Orders'?");
    fx_close(&f);
}

RV_TEST(schema_facts)
{
    fixture f;
    REQUIRE(fx_open(&f, "CREATE TABLE t(id INTEGER PRIMARY KEY, a VARCHAR(20) NOT NULL, b)"));
    rv_relation *rel = resolve(&f, (rv_read_spec){.table = "t", .mode = RV_FULL});
    REQUIRE(rel != NULL);
    const rv_column *c = rel->schema->columns;
    CHECK_STR(c[0].source_type, "INTEGER");
    CHECK_STR(c[1].source_type, "VARCHAR(20)");
    CHECK_STR(c[2].source_type, "untyped");
    CHECK(!c[0].nullable && !c[1].nullable && c[2].nullable);
    CHECK_STR(rel->base_table, "t");
    CHECK(rel->base_schema == NULL);
    CHECK_EQ(rel->row_estimate, 0);
    rel = resolve(&f, (rv_read_spec){.query = "SELECT a, count(*) AS n FROM t GROUP BY a"});
    REQUIRE(rel != NULL);
    CHECK_STR(rel->schema->columns[0].source_type, "VARCHAR(20)");
    CHECK_STR(rel->schema->columns[1].source_type, "untyped");
    CHECK(rel->schema->columns[0].nullable);
    fx_close(&f);
}

RV_TEST(bounds_and_order)
{
    static const struct {
        const char *ddl, *column;
        bool indexed, ordered, not_null;
        rv_kind kind;
    } rows[] = {
        {"id INTEGER PRIMARY KEY, v", "id", true, true, true, RV_INT64},
        {"id INTEGER PRIMARY KEY, c TIMESTAMP", "c", false, false, false, RV_STRING},
        {"id INTEGER PRIMARY KEY, c TIMESTAMP NOT NULL); CREATE INDEX ic ON t(c", "c", true, true,
         true, RV_STRING},
        {"id INTEGER PRIMARY KEY, c INT, d INT); CREATE INDEX ic ON t(c, d", "c", true, false,
         false, RV_INT64},
        {"id INTEGER PRIMARY KEY, c INT); CREATE INDEX ic ON t(c) WHERE (c > 5", "c", false, false,
         false, RV_INT64},
        {"id INTEGER PRIMARY KEY, c REAL); CREATE INDEX ic ON t(c", "c", true, true, false,
         RV_FLOAT64},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fixture f;
        char sql[256];
        (void)snprintf(sql, sizeof sql, "CREATE TABLE t(%s)", rows[i].ddl);
        REQUIRE(fx_open(&f, sql));
        rv_relation *rel = resolve(
            &f,
            (rv_read_spec){.table = "t", .mode = RV_INCREMENTAL, .bound = {rows[i].column, NULL}});
        REQUIRE(rel != NULL);
        CHECK_EQ(rel->bound_indexed, rows[i].indexed);
        CHECK_EQ(rel->ordered_by_bound, rows[i].ordered);
        CHECK_EQ(rel->bound_not_null, rows[i].not_null);
        CHECK_EQ(rel->bound_kind, rows[i].kind);
        fx_close(&f);
    }
}

RV_TEST(estimates_and_facts)
{
    fixture f;
    REQUIRE(fx_open(&f, "CREATE TABLE t(id INTEGER PRIMARY KEY, c INT, s TEXT);"
                        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n "
                        "WHERE i < 500) INSERT INTO t SELECT i * 2, i % 10, hex(zeroblob(50)) "
                        "FROM n"));
    rv_relation *rel =
        resolve(&f, (rv_read_spec){.table = "t", .mode = RV_CHUNKED, .bound = {"id", NULL}});
    REQUIRE(rel != NULL);
    CHECK_EQ(rel->row_estimate, 1000); /* largest rowid */
    CHECK(rel->row_bytes > 100 && rel->row_bytes < 130);
    rv_plan_facts facts;
    CHECK_EQ(f.d->facts(f.s, rel, &f.arena, &facts, &f.err), RV_OK);
    CHECK_STR(facts.scan_text, "SCAN t");
    CHECK(facts.index_used && facts.has_range && facts.index_hint == NULL);
    CHECK_EQ(facts.key_min, 2);
    CHECK_EQ(facts.key_max, 1000);
    CHECK_EQ(facts.max_connections, -1);
    REQUIRE(fx_exec(&f, "CREATE INDEX ic ON t(c); ANALYZE"));
    rel = resolve(&f, (rv_read_spec){.table = "t", .mode = RV_FULL});
    REQUIRE(rel != NULL);
    CHECK_EQ(rel->row_estimate, 500); /* sqlite_stat1 */
    CHECK_EQ(f.d->facts(f.s, rel, &f.arena, &facts, &f.err), RV_OK);
    CHECK(!facts.index_used);
    rel = resolve(&f, (rv_read_spec){.table = "t", .mode = RV_INCREMENTAL, .bound = {"s", NULL}});
    REQUIRE(rel != NULL);
    CHECK_EQ(f.d->facts(f.s, rel, &f.arena, &facts, &f.err), RV_OK);
    CHECK_STR(facts.index_hint, "s");
    fx_close(&f);
}

RV_TEST(catalog_for_init)
{
    fixture f;
    rv_catalog_table *list = NULL;
    size_t n = 0;
    REQUIRE(fx_open(&f,
                    "CREATE TABLE zeta(id INTEGER PRIMARY KEY, amount DECIMAL(10,2) NOT NULL, "
                    "free NUMERIC, at TIMESTAMP, body TEXT); CREATE VIEW alpha AS SELECT 1 AS x"));
    CHECK_EQ(f.d->catalog(f.s, NULL, NULL, &f.arena, &list, &n, &f.err), RV_OK);
    REQUIRE(n == 2);
    CHECK_STR(list[0].name, "alpha");
    CHECK(list[0].view && !list[1].view && list[0].schema == NULL);
    const rv_catalog_column *c = list[1].columns;
    REQUIRE(list[1].n_columns == 5);
    CHECK(c[0].integer && c[0].primary_key && !c[0].nullable);
    CHECK_EQ(c[1].type.kind, RV_DECIMAL);
    CHECK(!c[1].nullable && c[2].unconstrained_decimal && c[3].timestamp && c[4].wide);
    CHECK_STR(list[1].key.columns[0], "id");
    CHECK_EQ(f.d->catalog(f.s, "main", "ZETA", &f.arena, &list, &n, &f.err), RV_OK);
    CHECK_EQ(n, 1);
    CHECK_EQ(f.d->catalog(f.s, "public", NULL, &f.arena, &list, &n, &f.err), RV_OK);
    CHECK_EQ(n, 0);
    fx_close(&f);
}

RV_TEST_MAIN(RV_CASE(keys), RV_CASE(chosen_keys), RV_CASE(odd_names_and_kinds),
             RV_CASE(names_resolve), RV_CASE(schema_facts), RV_CASE(bounds_and_order),
             RV_CASE(estimates_and_facts), RV_CASE(catalog_for_init))
