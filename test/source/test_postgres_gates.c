/* Which shape a table or a query gets from a real server. */
#include "source/postgres_fixture.h"

#define SETUP                                                                                      \
    "CREATE TABLE big(id bigint PRIMARY KEY, grp integer NOT NULL, code text NOT NULL UNIQUE, "    \
    "amount numeric(12,2), at timestamptz NOT NULL, note text); "                                  \
    "INSERT INTO big SELECT i, i % 7, 'c' || i, i, '2024-01-01Z'::timestamptz + i * interval '1 "  \
    "minute', repeat('x', 60) FROM generate_series(1, 40000) AS g(i); "                            \
    "CREATE INDEX big_at_id ON big(at, id); CREATE INDEX big_grp ON big(grp); ANALYZE big; "       \
    "CREATE TABLE little(id integer PRIMARY KEY, v text); INSERT INTO little VALUES (1, 'a'); "    \
    "CREATE TABLE bare AS SELECT * FROM big; ANALYZE bare; "                                       \
    "CREATE VIEW seen AS SELECT * FROM big; "                                                      \
    "CREATE MATERIALIZED VIEW kept AS SELECT * FROM big; "                                         \
    "CREATE TABLE parent(id bigint PRIMARY KEY, v text); CREATE TABLE child() INHERITS (parent); " \
    "INSERT INTO parent SELECT i, repeat('y', 100) FROM generate_series(1, 30000) AS g(i); "       \
    "CREATE TABLE parts(id bigint PRIMARY KEY, v text) PARTITION BY RANGE (id); "                  \
    "CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM (0) TO (20000); "                     \
    "CREATE TABLE parts_b PARTITION OF parts FOR VALUES FROM (20000) TO (50000); "                 \
    "INSERT INTO parts SELECT i, repeat('z', 100) FROM generate_series(1, 40000) AS g(i); "        \
    "ANALYZE parts; CREATE SEQUENCE counted; "                                                     \
    "CREATE TABLE \"Mixed\"(\"Id\" integer PRIMARY KEY); "                                         \
    "CREATE SCHEMA sales; CREATE TABLE sales.\"Orders\"(id integer); "                             \
    "CREATE TABLE sales.hidden(id integer PRIMARY KEY); "                                          \
    "CREATE SCHEMA \"Sales\"; CREATE TABLE \"Sales\".orders(id integer)"

static rv_relation *table_in(pgx *f, const char *table, rv_mode mode, const char *bound)
{
    rv_read_spec spec = {.table = table, .mode = mode, .bound = {bound, NULL}};
    rv_relation *rel = NULL;
    if (pgx_resolve(f, &spec, &rel) != RV_OK)
        printf("%s: %s\n", table, f->err.text);
    return rel;
}

static rv_relation *query_in(pgx *f, const char *query, rv_mode mode, const char *bound)
{
    rv_read_spec spec = {.query = query, .mode = mode, .bound = {bound, NULL}};
    rv_relation *rel = NULL;
    if (pgx_resolve(f, &spec, &rel) != RV_OK)
        printf("%s: %s\n", query, f->err.text);
    return rel;
}

/* "pages by big_pkey", "cursor (view)", "statement (small table)". */
static const char *told(pgx *f, const rv_relation *rel)
{
    const char *text = "nothing";
    if (!rel)
        return f->err.text;
    if (rel->shape == RV_SHAPE_PAGES)
        (void)!rv_arena_printf(&f->arena, &text, NULL, "pages by %s", rel->key.name);
    else
        (void)!rv_arena_printf(&f->arena, &text, NULL, "%s (%s)", rv_shape_name(rel->shape),
                               rel->shape_reason);
    return text;
}

/* Before version 14 no server scans ranges of ctid. */
static const char *ranges_or(const pgx *f, const char *ranges, const char *otherwise)
{
    return rv_pg_version(f->s->pg) >= 140000 ? ranges : otherwise;
}

static void check_ranges(pgx *f)
{
    const char *keyless = ranges_or(f, "ranges (no usable key)", "cursor (no usable key)");
    CHECK_STR(told(f, table_in(f, "bare", RV_FULL, NULL)), keyless);
    CHECK_STR(told(f, table_in(f, "kept", RV_FULL, NULL)), keyless);
    CHECK_STR(told(f, table_in(f, "bare", RV_TIME_WINDOW, "at")), "cursor (no usable key)");
    rv_relation *rel = table_in(f, "bare", RV_FULL, NULL);
    REQUIRE(rel != NULL);
    CHECK_EQ(rel->key.n_columns, rel->shape == RV_SHAPE_RANGES);
    CHECK(!rel->key.n_columns || strcmp(rel->key.columns[0], "ctid") == 0);
    CHECK(((rv_pgs_relation *)rel->driver)->pages > 256);
    CHECK(rel->row_estimate > 30000 && rel->row_estimate < 50000);
    CHECK(rel->row_bytes > 80 && rel->row_bytes < 300);
}

static void check_tables(pgx *f)
{
    CHECK_STR(told(f, table_in(f, "big", RV_FULL, NULL)), "pages by big_pkey");
    CHECK_STR(told(f, table_in(f, "little", RV_FULL, NULL)), "pages by little_pkey");
    CHECK_STR(told(f, table_in(f, "BIG", RV_FULL, NULL)), "pages by big_pkey");
    CHECK_STR(told(f, table_in(f, "public.big", RV_FULL, NULL)), "pages by big_pkey");
    CHECK_STR(told(f, table_in(f, "Mixed", RV_FULL, NULL)), "pages by Mixed_pkey");
    CHECK_STR(told(f, table_in(f, "seen", RV_FULL, NULL)), "cursor (view)");
    CHECK_STR(told(f, table_in(f, "parent", RV_FULL, NULL)), "cursor (inheritance children)");
    CHECK_STR(told(f, table_in(f, "parts", RV_FULL, NULL)), "pages by parts_pkey");
    CHECK_STR(told(f, table_in(f, "sales.hidden", RV_FULL, NULL)), "pages by hidden_pkey");
}

static void check_refused_tables(pgx *f)
{
    rv_read_spec spec = {.table = "bigg", .mode = RV_FULL};
    rv_relation *rel = NULL;
    CHECK_EQ(pgx_resolve(f, &spec, &rel), RV_E_SOURCE_MISSING);
    CHECK(strstr(f->err.hint, "'big'") != NULL);
    spec.table = "hidden";
    CHECK_EQ(pgx_resolve(f, &spec, &rel), RV_E_SOURCE_MISSING);
    CHECK(strstr(f->err.hint, "'sales.hidden'") != NULL);
    spec.table = "counted";
    CHECK_EQ(pgx_resolve(f, &spec, &rel), RV_E_SOURCE_QUERY);
    spec.table = "SALES.ORDERS"; /* folded: neither */
    CHECK_EQ(pgx_resolve(f, &spec, &rel), RV_E_SOURCE_MISSING);
    spec.table = "Sales.Orders";
    CHECK_EQ(pgx_resolve(f, &spec, &rel), RV_E_CONFIG_TABLE_AMBIGUOUS);
    CHECK(strstr(f->err.text, "Sales.orders, sales.Orders") != NULL);
    spec.table = "sales.\"Orders\"";
    CHECK_EQ(pgx_resolve(f, &spec, &rel), RV_OK);
}

static void check_consistency(pgx *f)
{
    rv_read_spec spec = {.table = "big", .mode = RV_FULL, .consistency = RV_CONSISTENCY_SNAPSHOT};
    rv_relation *rel = NULL;
    CHECK_EQ(pgx_resolve(f, &spec, &rel), RV_OK);
    CHECK_STR(told(f, rel), ranges_or(f, "ranges (consistency: snapshot)", "pages by big_pkey"));
    spec.consistency = RV_CONSISTENCY_STATEMENT;
    CHECK_EQ(pgx_resolve(f, &spec, &rel), RV_OK);
    CHECK_STR(told(f, rel),
              ranges_or(f, "ranges (consistency: statement)", "cursor (consistency: statement)"));
    spec.mode = RV_CHUNKED;
    spec.bound.column = "id";
    CHECK_EQ(pgx_resolve(f, &spec, &rel), RV_OK);
    CHECK_STR(told(f, rel), "cursor (consistency: statement)");
}

static void check_bound_facts(pgx *f)
{
    rv_relation *rel = table_in(f, "big", RV_INCREMENTAL, "at");
    REQUIRE(rel != NULL);
    CHECK(rel->ordered_by_bound && rel->bound_indexed && rel->bound_not_null);
    CHECK_EQ(rel->bound_type.kind, RV_TIMESTAMP_TZ);
    rel = table_in(f, "big", RV_INCREMENTAL, "grp");
    REQUIRE(rel != NULL);
    /* an index on it alone: what is equal in it is sorted as it comes, since version 13 */
    CHECK_EQ(rel->ordered_by_bound, rv_pg_version(f->s->pg) >= 130000);
    CHECK_EQ(((rv_pgs_relation *)rel->driver)->presorted, rel->ordered_by_bound);
    CHECK(rel->bound_indexed && rel->bound_not_null);
    rel = table_in(f, "big", RV_INCREMENTAL, "amount");
    REQUIRE(rel != NULL);
    CHECK(!rel->ordered_by_bound && !rel->bound_indexed && !rel->bound_not_null);
    CHECK_EQ(rel->bound_kind, RV_DECIMAL);
    rel = table_in(f, "big", RV_CHUNKED, "id");
    REQUIRE(rel != NULL);
    CHECK(rel->ordered_by_bound && rel->is_primary);
}

static void check_passing_queries(pgx *f)
{
    CHECK_STR(told(f, query_in(f, "SELECT * FROM big", RV_FULL, NULL)), "pages by big_pkey");
    /* the key is there under another name, and qualified it cannot be mistaken */
    CHECK_STR(told(f, query_in(f, "SELECT id AS x, grp AS id FROM big", RV_FULL, NULL)),
              "pages by big_pkey");
    CHECK_STR(told(f, query_in(f, "SELECT id AS x, grp AS id FROM big", RV_INCREMENTAL, "id")),
              "cursor (the bound is no plain column)");
    CHECK_STR(told(f, query_in(f,
                               "select b.id, upper(note) n from public.big as b where grp = 3 "
                               "or grp = 5 -- tail\n;",
                               RV_FULL, NULL)),
              "pages by big_pkey");
    CHECK_STR(told(f, query_in(f, "SELECT code, note FROM big WHERE note IS DISTINCT FROM 'x'",
                               RV_FULL, NULL)),
              "pages by big_code_key");
    CHECK_STR(told(f, query_in(f, "SELECT * FROM parts WHERE v LIKE 'z%'", RV_FULL, NULL)),
              "pages by parts_pkey");
    CHECK_STR(told(f, query_in(f, "SELECT id, at, (SELECT max(v) FROM little) FROM big",
                               RV_INCREMENTAL, "at")),
              "pages by big_pkey");
    CHECK_STR(told(f, query_in(f, "SELECT * FROM little", RV_FULL, NULL)),
              "statement (small table)");
    CHECK_STR(told(f, query_in(f,
                               "SELECT id FROM public /* here */ . /* and -- there */ \"big\" "
                               "AS \"B\" WHERE \"B\".grp = 1 /* open /* nested */ */",
                               RV_FULL, NULL)),
              "pages by big_pkey");
    uint64_t n = 0;
    rv_relation *twice =
        query_in(f, "SELECT id, unnest(ARRAY[1, 2]) AS u FROM little", RV_FULL, NULL);
    REQUIRE(twice != NULL);
    CHECK_EQ(rv_pgs_count(f->s, twice, NULL, 0, &n, &f->err), RV_OK);
    CHECK_EQ(n, 2);
    rv_relation *rel = query_in(f, "SELECT id AS n, amount FROM big", RV_FULL, NULL);
    REQUIRE(rel != NULL);
    CHECK_EQ(((rv_pgs_relation *)rel->driver)->key_column[0], 0);
    CHECK_STR(rel->base_table, "big");
    CHECK_STR(rel->base_schema, "public");
    CHECK(!rel->schema->columns[0].nullable);
    CHECK(rel->schema->columns[1].nullable);
}

static void check_refused_queries(pgx *f)
{
    static const struct {
        const char *query, *told;
    } cases[] = {
        {"SELECT grp, count(*) FROM big GROUP BY grp", "cursor (GROUP at 1:31)"},
        {"SELECT count(*) AS n FROM big", "cursor (aggregation)"},
        {"SELECT id, unnest(ARRAY[1, 2]) AS u FROM big", "cursor (ProjectSet)"},
        {"SELECT * FROM seen", "cursor (view)"},
        {"SELECT id FROM kept", "cursor (no ordinary table)"},
        {"SELECT grp, note FROM big", "cursor (no usable key in the list)"},
        {"SELECT id + 0 AS id, note FROM big", "cursor (no usable key in the list)"},
        {"SELECT 1 AS a FROM big", "cursor (no plain column of a table)"},
        {"SELECT * FROM parent", "cursor (no usable key in the list)"},
        {"WITH q AS (SELECT 1 AS a) SELECT * FROM q", "cursor (WITH at 1:1)"},
        {"VALUES (1), (2)", "cursor (VALUES at 1:1)"},
        {"SELECT a.id FROM big a JOIN little l ON l.id = a.id", "cursor (JOIN at 1:24)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rv_relation *rel = query_in(f, cases[i].query, RV_FULL, NULL);
        CHECK_STR(told(f, rel), cases[i].told);
        CHECK(rel && rel->key.n_columns == 0 && ((rv_pgs_relation *)rel->driver)->whole != NULL);
    }
}

static void check_wrapped_modes(pgx *f)
{
    rv_relation *rel = query_in(f, "SELECT grp, sum(amount)::bigint AS s FROM big GROUP BY grp",
                                RV_CHUNKED, "grp");
    REQUIRE(rel != NULL);
    CHECK(rel->wrapped);
    CHECK(!rel->bound_indexed && !rel->bound_not_null);
    uint64_t n = 0;
    CHECK_EQ(rv_pgs_count(f->s, rel, NULL, 0, &n, &f->err), RV_OK);
    CHECK_EQ(n, 7);
    CHECK_STR(told(f, query_in(f, "SELECT id, grp FROM big", RV_INCREMENTAL, "grp")),
              rv_pg_version(f->s->pg) >= 130000 ? "pages by big_pkey"
                                                : "cursor (no index by grp and the key)");
    CHECK_STR(told(f, query_in(f, "SELECT id, at AS moment FROM big", RV_INCREMENTAL, "moment")),
              "cursor (the bound is no plain column)");
    CHECK_STR(told(f, query_in(f, "SELECT id, amount FROM big", RV_TIME_WINDOW, "amount")),
              "pages by big_pkey");
}

static void check_bad_queries(pgx *f)
{
    static const char *const texts[] = {"DELETE FROM little",
                                        "SELECT 1; DELETE FROM little",
                                        "SELECT 1) AS x; SELECT (1",
                                        "SELECT 'open",
                                        "SELEC 1",
                                        "SELECT $1",
                                        "SELECT (1",
                                        ("WITH d AS (DELETE FROM little RETURNING id) SELECT * "
                                         "FROM d")};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        rv_read_spec spec = {.query = texts[i], .mode = RV_FULL};
        rv_relation *rel = NULL;
        CHECK_EQ(pgx_resolve(f, &spec, &rel), RV_E_SOURCE_QUERY);
        CHECK(rel == NULL);
    }
    rv_read_spec spec = {.query = "SELECT id, id FROM little", .mode = RV_FULL};
    rv_relation *rel = NULL;
    CHECK_EQ(pgx_resolve(f, &spec, &rel), RV_E_SOURCE_QUERY);
    CHECK(strstr(f->err.text, "columns 1 and 2 are both called 'id'") != NULL);
}

RV_TEST(shapes)
{
    pgx f;
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, SETUP));
    check_tables(&f);
    check_ranges(&f);
    check_refused_tables(&f);
    check_consistency(&f);
    check_bound_facts(&f);
    check_passing_queries(&f);
    check_refused_queries(&f);
    check_wrapped_modes(&f);
    check_bad_queries(&f);
    pgx_close(&f);
}

/* Few rows meet the condition and nothing serves it: the first page is a key window. */
RV_TEST(rare_rows_begin_in_windows)
{
    pgx f;
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, "CREATE TABLE t(id bigint PRIMARY KEY, v integer, pad text); INSERT INTO "
                         "t SELECT i, i % 20000, repeat('p', 50) FROM generate_series(1, 60000) "
                         "AS g(i); ANALYZE t"));
    rv_relation *rel = query_in(&f, "SELECT id, v FROM t WHERE v = 5", RV_FULL, NULL);
    REQUIRE(rel != NULL);
    CHECK_STR(told(&f, rel), "pages by t_pkey");
    CHECK(((rv_pgs_relation *)rel->driver)->windows_first);
    rel = query_in(&f, "SELECT id, v FROM t WHERE v <> 5", RV_FULL, NULL);
    REQUIRE(rel != NULL);
    CHECK(!((rv_pgs_relation *)rel->driver)->windows_first);
    pgx_close(&f);
}

RV_TEST(columns_and_overrides)
{
    pgx f;
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, "CREATE DOMAIN price AS numeric(10,2); CREATE DOMAIN named AS price; "
                         "CREATE TYPE pair AS (a integer, b integer); CREATE TYPE mood AS ENUM "
                         "('ok'); CREATE TABLE t(id integer PRIMARY KEY, p named NOT NULL, "
                         "amount numeric, shape pair, m mood, tags integer[])"));
    rv_read_spec spec = {.table = "t", .mode = RV_FULL};
    rv_relation *rel = NULL;
    CHECK_EQ(pgx_resolve(&f, &spec, &rel), RV_E_TYPE_UNSUPPORTED);
    CHECK_STR(f.err.text,
              "2 columns have no lossless type; declare them under exports[].columns:\n"
              "amount  (postgres numeric, no precision): try  amount: decimal(18,2)  or  amount: "
              "text\n"
              "shape   (postgres composite):             try  shape: text");
    rv_cfg_column columns[] = {{.column = "amount", .type = rv_type_decimal(18, 2)},
                               {.table = "t", .column = "shape", .type = rv_type_of(RV_STRING)},
                               {.column = "nothing", .type = rv_type_of(RV_STRING)}};
    spec.overrides = columns;
    spec.n_overrides = 2;
    CHECK_EQ(pgx_resolve(&f, &spec, &rel), RV_OK);
    REQUIRE(rel != NULL);
    CHECK(rv_type_eq(rel->schema->columns[1].type, rv_type_decimal(10, 2)));
    CHECK(!rel->schema->columns[1].nullable && rel->schema->columns[2].nullable);
    CHECK_EQ(rel->schema->columns[4].type.kind, RV_ENUM);
    CHECK_EQ(rel->schema->columns[5].type.kind, RV_LIST);
    CHECK(((rv_pgs_relation *)rel->driver)->outer_list != NULL);
    spec.n_overrides = 3;
    CHECK_EQ(pgx_resolve(&f, &spec, &rel), RV_E_CONFIG_COLUMN_TYPE);
    pgx_close(&f);
}

/* A role called like the database: it goes with it. */
static bool add_reader(pgx *f)
{
    char sql[512];
    (void)snprintf(sql, sizeof sql,
                   "CREATE TABLE t(id integer PRIMARY KEY); INSERT INTO t VALUES (1), (2); "
                   "CREATE TABLE closed(id integer PRIMARY KEY); CREATE ROLE %s LOGIN; "
                   "GRANT SELECT ON t TO %s; ALTER TABLE t ENABLE ROW LEVEL SECURITY; "
                   "CREATE POLICY p ON t USING (id = 1)",
                   f->name, f->name);
    f->cfg = (rv_cfg_source){.engine = RV_ENGINE_POSTGRES,
                             .host = PQhost(f->admin),
                             .port = (uint32_t)strtoul(PQport(f->admin), NULL, 10),
                             .user = f->name,
                             .database = f->name,
                             .config_dir = "/tmp"};
    return pgx_exec(f, sql);
}

static void drop_reader(pgx *f)
{
    char sql[256];
    (void)snprintf(sql, sizeof sql, "DROP OWNED BY %s; DROP ROLE %s", f->name, f->name);
    CHECK(pgx_exec(f, sql));
}

RV_TEST(row_security_and_rights)
{
    pgx f;
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, "SELECT 1"));
    REQUIRE(add_reader(&f));
    rv_source *reader = pgx_connect(&f);
    rv_read_spec spec = {.table = "t", .mode = RV_FULL};
    rv_relation *rel = NULL;
    uint64_t n = 0;
    if (reader) {
        CHECK_EQ(rv_pgs_resolve(reader, &spec, &f.arena, &rel, &f.err), RV_E_SOURCE_PERMISSION);
        CHECK(strstr(f.err.hint, "allow_row_security") != NULL);
        spec.allow_row_security = true;
        rv_error_clear(&f.err);
        CHECK_EQ(rv_pgs_resolve(reader, &spec, &f.arena, &rel, &f.err), RV_OK);
        CHECK_EQ(rv_pgs_count(reader, rel, NULL, 0, &n, &f.err), RV_OK);
        CHECK_EQ(n, 1);
        spec.table = "closed";
        CHECK_EQ(rv_pgs_resolve(reader, &spec, &f.arena, &rel, &f.err), RV_E_SOURCE_PERMISSION);
        CHECK(strstr(f.err.hint, "GRANT SELECT") != NULL);
    }
    CHECK(reader != NULL);
    rv_pgs_close(reader);
    drop_reader(&f);
    pgx_close(&f);
}

RV_TEST_MAIN(RV_CASE(shapes), RV_CASE(rare_rows_begin_in_windows), RV_CASE(columns_and_overrides),
             RV_CASE(row_security_and_rights))
