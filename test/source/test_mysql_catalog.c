/* What `init` and `check` are told of a real server's tables. */
#include "source/mysql_fixture.h"

#define SETUP                                                                                      \
    "CREATE TABLE digits(i integer PRIMARY KEY); INSERT INTO digits VALUES (0), (1), (2), (3), "   \
    "(4), (5), (6), (7), (8), (9); "                                                               \
    "CREATE TABLE orders(id bigint PRIMARY KEY, at timestamp NOT NULL, p decimal(10,2), flag "     \
    "boolean, note text, v varchar(10), day date, KEY (day)); INSERT INTO orders SELECT a.i + 10 " \
    "* b.i + 100 * c.i, '2024-01-01', 1.5, 1, 'n', 'v', '2024-01-01' FROM digits a, digits b, "    \
    "digits c; ANALYZE TABLE orders; CREATE VIEW b_view AS SELECT id FROM orders; CREATE TABLE "   \
    "Zed(a integer, b integer, PRIMARY KEY (b, a)); CREATE TABLE gone(x integer); CREATE VIEW "    \
    "broken AS SELECT x FROM gone; DROP TABLE gone; CREATE TABLE parts(id integer PRIMARY KEY) "   \
    "PARTITION BY HASH (id) PARTITIONS 3"

static void tables_on(myx *f)
{
    static const char *const names[] = {"Zed", "b_view", "digits", "orders", "parts"};
    rv_catalog_table *t = NULL;
    size_t n = 0;
    CHECK_EQ(rv_mys_catalog(f->s, NULL, NULL, &f->arena, &t, &n, &f->err), RV_OK);
    REQUIRE(n == 5); /* the broken view is left out */
    for (size_t i = 0; i < n; i++) {
        CHECK_STR(t[i].name, names[i]);
        CHECK_STR(t[i].schema, f->name);
    }
    CHECK(t[1].view && !t[0].view);
    CHECK_EQ(t[1].row_estimate, -1);
    CHECK_EQ(t[1].total_bytes, -1);
    CHECK_EQ(t[1].key.n_columns, 0);
    CHECK(t[3].row_estimate > 800 && t[3].row_estimate < 1200);
    CHECK(t[3].total_bytes > 8192);
    CHECK_STR(t[3].key.name, "PRIMARY");
    CHECK_EQ(t[0].key.n_columns, 2);
    CHECK_STR(t[0].key.columns[0], "b");
    CHECK_STR(t[4].key.name, "PRIMARY");
    CHECK_EQ(rv_mys_catalog(f->s, "missing_db", NULL, &f->arena, &t, &n, &f->err), RV_OK);
    CHECK_EQ(n, 0);
}

RV_TEST(tables_of_a_database)
{
    myx_each(SETUP, tables_on);
}

static void columns_on(myx *f)
{
    rv_catalog_table *t = NULL;
    size_t n = 0;
    CHECK_EQ(rv_mys_catalog(f->s, NULL, "orders", &f->arena, &t, &n, &f->err), RV_OK);
    REQUIRE(n == 1 && t->n_columns == 7);
    rv_catalog_column *c = t->columns;
    CHECK_STR(c[0].name, "id");
    CHECK(strncmp(c[0].data_type, "bigint", 6) == 0);
    CHECK(c[0].integer && c[0].primary_key && !c[0].nullable && !c[0].wide);
    CHECK(c[1].timestamp && !c[1].nullable && !c[1].primary_key);
    CHECK(rv_type_eq(c[2].type, rv_type_decimal(10, 2)) && c[2].nullable);
    CHECK_EQ(c[3].type.kind, RV_BOOL);
    CHECK(!c[3].integer);
    CHECK(c[4].wide && !c[4].unsupported);
    CHECK_STR(c[5].data_type, "varchar(10)");
    CHECK_EQ(rv_mys_catalog(f->s, NULL, "x", &f->arena, &t, &n, &f->err), RV_OK);
    CHECK_EQ(n, 0);
    CHECK_EQ(rv_mys_catalog(f->s, f->name, "Zed", &f->arena, &t, &n, &f->err), RV_OK);
    CHECK_EQ(n, 1);
}

RV_TEST(columns_of_a_table)
{
    myx_each(SETUP, columns_on);
}

static void facts_on(myx *f)
{
    rv_plan_facts facts;
    rv_relation *rel = NULL;
    rv_read_spec spec = {.table = "orders", .mode = RV_FULL};
    CHECK_EQ(myx_resolve(f, &spec, &rel), RV_OK);
    REQUIRE(rel != NULL);
    CHECK(rel->row_estimate > 800 && rel->row_estimate < 1200);
    CHECK_EQ(rv_mys_facts(f->s, rel, &f->arena, &facts, &f->err), RV_OK);
    CHECK(strncmp(facts.scan_text, "ALL on orders  (rows=", 21) == 0);
    CHECK(!facts.index_used && !facts.index_hint && !facts.has_range);
    CHECK(facts.max_connections > 0);
    spec.mode = RV_CHUNKED;
    spec.bound.column = "id";
    CHECK_EQ(myx_resolve(f, &spec, &rel), RV_OK);
    CHECK_EQ(rv_mys_facts(f->s, rel, &f->arena, &facts, &f->err), RV_OK);
    CHECK(facts.index_used && facts.has_range && !facts.index_hint);
    CHECK_EQ(facts.key_min, 0);
    CHECK_EQ(facts.key_max, 999);
    spec.mode = RV_INCREMENTAL;
    spec.bound.column = "at";
    CHECK_EQ(myx_resolve(f, &spec, &rel), RV_OK);
    CHECK_EQ(rv_mys_facts(f->s, rel, &f->arena, &facts, &f->err), RV_OK);
    CHECK(!facts.index_used);
    CHECK_STR(facts.index_hint, "at");
    spec =
        (rv_read_spec){.query = "SELECT id FROM orders WHERE day = '2024-01-02'", .mode = RV_FULL};
    CHECK_EQ(myx_resolve(f, &spec, &rel), RV_OK);
    CHECK_EQ(rv_mys_facts(f->s, rel, &f->arena, &facts, &f->err), RV_OK);
    CHECK(facts.index_used);
    CHECK(strncmp(facts.scan_text, "ref on orders by day", 20) == 0);
}

RV_TEST(plan_facts)
{
    myx_each(SETUP, facts_on);
}

RV_TEST_MAIN(RV_CASE(tables_of_a_database), RV_CASE(columns_of_a_table), RV_CASE(plan_facts))
