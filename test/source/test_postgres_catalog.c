/* What `init` and `check` are told of a real server's tables. */
#include "source/postgres_fixture.h"

#define SETUP                                                                                      \
    "CREATE DOMAIN price AS numeric(10,2); CREATE TYPE pair AS (a integer); "                      \
    "CREATE TABLE orders(id bigint PRIMARY KEY, at timestamp NOT NULL, p price, raw numeric, "     \
    "shape pair, note text, v varchar(10)); INSERT INTO orders SELECT i, now() FROM "              \
    "generate_series(1, 1000) AS g(i); ANALYZE orders; "                                           \
    "CREATE VIEW b_view AS SELECT id FROM orders; CREATE TABLE \"Zed\"(a integer, b integer, "     \
    "PRIMARY KEY (b, a)); CREATE TABLE never(id integer); INSERT INTO never VALUES (1); "          \
    "CREATE TABLE parts(id integer PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE parts_1 "    \
    "PARTITION OF parts FOR VALUES FROM (0) TO (10); CREATE SCHEMA other; "                        \
    "CREATE TABLE other.x(id integer)"

RV_TEST(tables_of_a_schema)
{
    static const char *const names[] = {"Zed", "b_view", "never", "orders", "parts"};
    pgx f;
    rv_catalog_table *t = NULL;
    size_t n = 0;
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, SETUP));
    CHECK_EQ(rv_pgs_catalog(f.s, NULL, NULL, &f.arena, &t, &n, &f.err), RV_OK);
    REQUIRE(n == 5);
    for (size_t i = 0; i < n; i++) {
        CHECK_STR(t[i].name, names[i]);
        CHECK_STR(t[i].schema, "public");
    }
    CHECK(t[1].view && !t[0].view);
    CHECK_EQ(t[1].row_estimate, -1);
    CHECK_EQ(t[1].total_bytes, -1);
    CHECK_EQ(t[2].row_estimate, -1);
    CHECK_EQ(t[2].key.n_columns, 0);
    CHECK_EQ(t[3].row_estimate, 1000);
    CHECK(t[3].total_bytes > 8192);
    CHECK_STR(t[3].key.name, "orders_pkey");
    CHECK_EQ(t[0].key.n_columns, 2);
    CHECK_STR(t[0].key.columns[0], "b");
    CHECK_STR(t[4].key.name, "parts_pkey");
    CHECK_EQ(rv_pgs_catalog(f.s, "other", NULL, &f.arena, &t, &n, &f.err), RV_OK);
    CHECK_EQ(n, 1);
    CHECK_EQ(rv_pgs_catalog(f.s, "missing", NULL, &f.arena, &t, &n, &f.err), RV_OK);
    CHECK_EQ(n, 0);
    pgx_close(&f);
}

RV_TEST(columns_of_a_table)
{
    pgx f;
    rv_catalog_table *t = NULL;
    size_t n = 0;
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, SETUP));
    CHECK_EQ(rv_pgs_catalog(f.s, NULL, "ORDERS", &f.arena, &t, &n, &f.err), RV_OK);
    REQUIRE(n == 1 && t->n_columns == 7);
    rv_catalog_column *c = t->columns;
    CHECK_STR(c[0].name, "id");
    CHECK_STR(c[0].data_type, "bigint");
    CHECK(c[0].integer && c[0].primary_key && !c[0].nullable && !c[0].wide);
    CHECK(c[1].timestamp && !c[1].nullable && !c[1].primary_key);
    CHECK_STR(c[2].data_type, "price");
    CHECK(rv_type_eq(c[2].type, rv_type_decimal(10, 2)) && c[2].nullable);
    CHECK(c[3].unconstrained_decimal && !c[3].unsupported);
    CHECK(c[4].unsupported && !c[4].unconstrained_decimal);
    CHECK(c[5].wide && !c[5].unsupported);
    CHECK_STR(c[6].data_type, "character varying(10)");
    CHECK_EQ(rv_pgs_catalog(f.s, NULL, "x", &f.arena, &t, &n, &f.err), RV_OK);
    CHECK_EQ(n, 0);
    CHECK_EQ(rv_pgs_catalog(f.s, "other", "x", &f.arena, &t, &n, &f.err), RV_OK);
    CHECK_EQ(n, 1);
    pgx_close(&f);
}

RV_TEST(plan_facts)
{
    pgx f;
    rv_plan_facts facts;
    rv_relation *rel = NULL;
    rv_cfg_column over[] = {{.column = "raw", .type = rv_type_decimal(18, 2)},
                            {.column = "shape", .type = rv_type_of(RV_STRING)}};
    rv_read_spec spec = {.table = "orders", .mode = RV_FULL, .overrides = over, .n_overrides = 2};
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, SETUP));
    CHECK_EQ(pgx_resolve(&f, &spec, &rel), RV_OK);
    REQUIRE(rel != NULL);
    CHECK_EQ(rel->row_estimate, 1000);
    CHECK(rel->row_bytes > 20 && rel->row_bytes < 100);
    CHECK_EQ(rv_pgs_facts(f.s, rel, &f.arena, &facts, &f.err), RV_OK);
    CHECK(strncmp(facts.scan_text, "Seq Scan on orders  (cost=0.00..", 32) == 0);
    CHECK(!facts.index_used && !facts.index_hint && !facts.has_range);
    CHECK(facts.max_connections > 0);
    spec.mode = RV_CHUNKED;
    spec.bound.column = "id";
    CHECK_EQ(pgx_resolve(&f, &spec, &rel), RV_OK);
    CHECK_EQ(rv_pgs_facts(f.s, rel, &f.arena, &facts, &f.err), RV_OK);
    CHECK(facts.index_used && facts.has_range && !facts.index_hint);
    CHECK_EQ(facts.key_min, 1);
    CHECK_EQ(facts.key_max, 1000);
    spec.mode = RV_INCREMENTAL;
    spec.bound.column = "at";
    CHECK_EQ(pgx_resolve(&f, &spec, &rel), RV_OK);
    CHECK_EQ(rv_pgs_facts(f.s, rel, &f.arena, &facts, &f.err), RV_OK);
    CHECK(!facts.index_used);
    CHECK_STR(facts.index_hint, "at");
    pgx_close(&f);
}

RV_TEST_MAIN(RV_CASE(tables_of_a_schema), RV_CASE(columns_of_a_table), RV_CASE(plan_facts))
