/* Which shape a table or a query gets from a real server of either family. */
#include "source/mysql_fixture.h"

#define NUMBERS                                                                                    \
    "CREATE TABLE digits(i integer PRIMARY KEY) ENGINE = InnoDB; INSERT INTO digits VALUES (0), "  \
    "(1), (2), (3), (4), (5), (6), (7), (8), (9); CREATE VIEW numbers AS SELECT 1 + a.i + 10 * "   \
    "b.i + 100 * c.i + 1000 * d.i + 10000 * e.i AS n FROM digits a, digits b, digits c, digits "   \
    "d, digits e; "

#define SETUP                                                                                      \
    NUMBERS                                                                                        \
    "CREATE TABLE big(id bigint PRIMARY KEY, grp integer NOT NULL, code varchar(20) CHARACTER "    \
    "SET latin1 NOT NULL UNIQUE, amount decimal(12,2), at datetime(3) NOT NULL, note text, "       \
    "KEY by_at (at), KEY by_grp (grp)); "                                                          \
    "INSERT INTO big SELECT n, n % 7, CONCAT('c', n), n, '2024-01-01' + INTERVAL n MINUTE, "       \
    "REPEAT('x', 60) FROM numbers WHERE n <= 40000; "                                              \
    "CREATE TABLE little(id integer PRIMARY KEY, v text); INSERT INTO little VALUES (1, 'a'); "    \
    "CREATE TABLE bare AS SELECT * FROM big; CREATE VIEW seen AS SELECT * FROM big; "              \
    "CREATE TABLE parts(id bigint PRIMARY KEY, v text) PARTITION BY RANGE (id) (PARTITION a "      \
    "VALUES LESS THAN (20000), PARTITION b VALUES LESS THAN MAXVALUE); INSERT INTO parts SELECT "  \
    "n, REPEAT('z', 100) FROM numbers WHERE n <= 40000; "                                          \
    "CREATE TABLE old(id bigint PRIMARY KEY, v text) ENGINE = MyISAM; INSERT INTO old SELECT n, "  \
    "REPEAT('z', 100) FROM numbers WHERE n <= 30000; "                                             \
    "CREATE TABLE `Mixed`(`Id` integer PRIMARY KEY); "                                             \
    "CREATE TABLE pairs(a integer, b integer, v text, PRIMARY KEY (a, b)); INSERT INTO pairs "     \
    "SELECT n % 50, n, REPEAT('p', 100) FROM numbers WHERE n <= 40000; "                           \
    "ANALYZE TABLE big, bare, parts, old, pairs"

static rv_relation *table_in(myx *f, const char *table, rv_mode mode, const char *bound)
{
    rv_read_spec spec = {.table = table, .mode = mode, .bound = {bound, NULL}};
    rv_relation *rel = NULL;
    if (myx_resolve(f, &spec, &rel) != RV_OK)
        printf("%s: %s\n", table, f->err.text);
    return rel;
}

static rv_relation *query_in(myx *f, const char *query, rv_mode mode, const char *bound)
{
    rv_read_spec spec = {.query = query, .mode = mode, .bound = {bound, NULL}};
    rv_relation *rel = NULL;
    if (myx_resolve(f, &spec, &rel) != RV_OK)
        printf("%s: %s\n", query, f->err.text);
    return rel;
}

/* "pages by PRIMARY", "statement (view)", "statement (small table)". */
static const char *told(myx *f, const rv_relation *rel)
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

static void check_tables(myx *f)
{
    CHECK_STR(told(f, table_in(f, "big", RV_FULL, NULL)), "pages by PRIMARY");
    CHECK_STR(told(f, table_in(f, "little", RV_FULL, NULL)), "pages by PRIMARY");
    CHECK_STR(told(f, table_in(f, "Mixed", RV_FULL, NULL)), "pages by PRIMARY");
    CHECK_STR(told(f, table_in(f, "seen", RV_FULL, NULL)), "statement (view)");
    CHECK_STR(told(f, table_in(f, "bare", RV_FULL, NULL)), "statement (no usable key)");
    CHECK_STR(told(f, table_in(f, "parts", RV_FULL, NULL)), "pages by PRIMARY");
    CHECK_STR(told(f, table_in(f, "pairs", RV_FULL, NULL)), "pages by PRIMARY");
    CHECK_STR(told(f, table_in(f, "pairs", RV_CHUNKED, "a")), "statement (no usable key)");
    rv_relation *rel = table_in(f, "big", RV_FULL, NULL);
    REQUIRE(rel != NULL);
    CHECK_STR(rel->engine, "mysql");
    CHECK_STR(rel->base_table, "big");
    CHECK_STR(rel->base_schema, f->name);
    CHECK(rel->row_estimate > 4000 && rel->row_estimate < 400000); /* sampled */
    CHECK(rel->row_bytes > 80);
    CHECK(rel->is_primary);
    CHECK_STR(((rv_mys_relation *)rel->driver)->force, "");
    const char *qualified = NULL;
    REQUIRE(rv_arena_printf(&f->arena, &qualified, NULL, "%s.big", f->name) == RV_OK);
    CHECK_STR(told(f, table_in(f, qualified, RV_FULL, NULL)), "pages by PRIMARY");
}

static void check_engines(myx *f)
{
    rv_relation *rel = table_in(f, "old", RV_FULL, NULL);
    REQUIRE(rel != NULL);
    CHECK_STR(told(f, rel), "pages by PRIMARY");
    CHECK(!((rv_mys_relation *)rel->driver)->transactional);
    CHECK_STR(f->s->warned_table, "old");
    CHECK(((rv_mys_relation *)table_in(f, "big", RV_FULL, NULL)->driver)->transactional);
}

static void check_refused_tables(myx *f)
{
    rv_read_spec spec = {.table = "bigg", .mode = RV_FULL};
    rv_relation *rel = NULL;
    CHECK_EQ(myx_resolve(f, &spec, &rel), RV_E_SOURCE_MISSING);
    CHECK(strstr(f->err.hint, "'big'") != NULL);
    spec.table = "mixed";
    CHECK_EQ(myx_resolve(f, &spec, &rel), RV_E_SOURCE_MISSING);
    CHECK(strstr(f->err.hint, "'Mixed'") != NULL);
    spec.table = "nowhere.big";
    CHECK_EQ(myx_resolve(f, &spec, &rel), RV_E_SOURCE_MISSING);
    spec.table = "a.b.c";
    CHECK_EQ(myx_resolve(f, &spec, &rel), RV_E_CONFIG_TABLE_NAME);
    if (f->s->mariadb) {
        CHECK(myx_exec(f, "CREATE SEQUENCE counted"));
        spec.table = "counted";
        CHECK_EQ(myx_resolve(f, &spec, &rel), RV_E_SOURCE_QUERY);
    }
}

static void check_consistency(myx *f)
{
    rv_read_spec spec = {.table = "big", .mode = RV_FULL, .consistency = RV_CONSISTENCY_SNAPSHOT};
    rv_relation *rel = NULL;
    CHECK_EQ(myx_resolve(f, &spec, &rel), RV_OK);
    CHECK_STR(told(f, rel), "pages by PRIMARY");
    spec.consistency = RV_CONSISTENCY_STATEMENT;
    CHECK_EQ(myx_resolve(f, &spec, &rel), RV_OK);
    CHECK_STR(told(f, rel), "statement (consistency: statement)");
    spec = (rv_read_spec){.query = "SELECT id, grp FROM big",
                          .mode = RV_CHUNKED,
                          .bound = {"id", NULL},
                          .consistency = RV_CONSISTENCY_STATEMENT};
    CHECK_EQ(myx_resolve(f, &spec, &rel), RV_OK);
    CHECK_STR(told(f, rel), "statement (consistency: statement)");
    CHECK(rel->bound_indexed);
}

static void check_bound_facts(myx *f)
{
    rv_relation *rel = table_in(f, "big", RV_INCREMENTAL, "at");
    REQUIRE(rel != NULL);
    /* the tree of by_at ends with the primary key */
    CHECK(rel->ordered_by_bound && rel->bound_indexed && rel->bound_not_null);
    CHECK_EQ(rel->bound_type.kind, RV_TIMESTAMP);
    CHECK_STR(((rv_mys_relation *)rel->driver)->force, " FORCE INDEX (`by_at`)");
    rel = table_in(f, "old", RV_INCREMENTAL, "v");
    REQUIRE(rel != NULL);
    CHECK(!rel->ordered_by_bound && !rel->bound_indexed && !rel->bound_not_null);
    rel = table_in(f, "big", RV_INCREMENTAL, "amount");
    REQUIRE(rel != NULL);
    CHECK(!rel->ordered_by_bound && !rel->bound_indexed && !rel->bound_not_null);
    CHECK_EQ(rel->bound_kind, RV_DECIMAL);
    rel = table_in(f, "big", RV_CHUNKED, "id");
    REQUIRE(rel != NULL);
    CHECK(rel->ordered_by_bound && rel->is_primary);
    rv_read_spec spec = {.table = "big", .mode = RV_INCREMENTAL, .bound = {"amount", "grp"}};
    CHECK_EQ(myx_resolve(f, &spec, &rel), RV_OK);
    CHECK_EQ(rel->bound_kind, RV_DECIMAL); /* of COALESCE */
    CHECK_EQ(((rv_mys_relation *)rel->driver)->bound.place, -1);
    spec.bound = (rv_expr){"At", NULL};
    CHECK_EQ(myx_resolve(f, &spec, &rel), RV_E_SOURCE_MISSING);
    CHECK(strstr(f->err.hint, "'at'") != NULL);
}

static void check_passing_queries(myx *f)
{
    CHECK_STR(told(f, query_in(f, "SELECT * FROM big", RV_FULL, NULL)), "pages by PRIMARY");
    /* the key is there under another name, and qualified it cannot be mistaken */
    CHECK_STR(told(f, query_in(f, "SELECT id AS x, grp AS id FROM big", RV_FULL, NULL)),
              "pages by PRIMARY");
    CHECK_STR(told(f, query_in(f, "SELECT id AS x, grp AS id FROM big", RV_INCREMENTAL, "id")),
              "statement (the bound is no plain column)");
    CHECK_STR(told(f, query_in(f,
                               "select b.id, upper(note) n from big as b where grp = 3 or grp = 5 "
                               "-- tail\n;",
                               RV_FULL, NULL)),
              "pages by PRIMARY");
    CHECK_STR(told(f, query_in(f, "SELECT code, note FROM big WHERE note <=> 'x'  # tail", RV_FULL,
                               NULL)),
              "pages by code");
    CHECK_STR(told(f, query_in(f, "SELECT * FROM parts WHERE v LIKE \"z%\"", RV_FULL, NULL)),
              "pages by PRIMARY");
    CHECK_STR(told(f, query_in(f, "SELECT id, at, (SELECT max(v) FROM little) FROM big",
                               RV_INCREMENTAL, "at")),
              "pages by PRIMARY");
    CHECK_STR(told(f, query_in(f, "SELECT * FROM little", RV_FULL, NULL)),
              "statement (small table)");
    /* a planner may turn it into a join that reads the other table first */
    rv_relation *joined =
        query_in(f, "SELECT id FROM big WHERE grp IN (SELECT id FROM little)", RV_FULL, NULL);
    CHECK(joined && joined->shape == RV_SHAPE_STATEMENT && !joined->small);
    CHECK_STR(told(f, query_in(f, "SELECT id FROM /* here */ `big` `B` WHERE `B`.grp = 1", RV_FULL,
                               NULL)),
              "pages by PRIMARY");
    rv_relation *rel = query_in(f, "SELECT id AS n, amount FROM big", RV_FULL, NULL);
    REQUIRE(rel != NULL);
    CHECK_EQ(((rv_mys_relation *)rel->driver)->key[0].place, 0);
    CHECK_STR(rel->base_table, "big");
    CHECK(!rel->schema->columns[0].nullable);
    CHECK(rel->schema->columns[1].nullable);
    rel = query_in(f, "SELECT id, code FROM big WHERE grp = 2", RV_FULL, NULL);
    REQUIRE(rel != NULL);
    CHECK_STR(((rv_mys_relation *)rel->driver)->force, " FORCE INDEX (`PRIMARY`)");
}

static void check_refused_queries(myx *f)
{
    static const struct {
        const char *query, *told;
    } cases[] = {
        {"SELECT grp, count(*) FROM big GROUP BY grp", "statement (GROUP at 1:31)"},
        {"SELECT count(*) AS n FROM big", "statement (aggregation)"},
        {"SELECT * FROM seen", "statement (view)"},
        {"SELECT grp, note FROM big", "statement (no usable key in the list)"},
        {"SELECT id + 0 AS id, note FROM big", "statement (no usable key in the list)"},
        {"SELECT 1 AS a FROM big", "statement (no plain column of a table)"},
        {"WITH q AS (SELECT 1 AS a) SELECT * FROM q", "statement (WITH at 1:1)"},
        {"SELECT a.id FROM big a JOIN little l ON l.id = a.id", "statement (JOIN at 1:24)"},
        {"SELECT SQL_NO_CACHE id FROM big", "statement (SQL_NO_CACHE at 1:8)"},
        {"SELECT id, @a AS a FROM big", "statement (@a AS a at 1:12)"},
        {"SELECT id /*! + 0 */ FROM big", "statement (/*! + 0 at 1:11)"},
        {"SELECT id FROM big FORCE INDEX (by_at)", "statement (FORCE at 1:20)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rv_relation *rel = query_in(f, cases[i].query, RV_FULL, NULL);
        CHECK_STR(told(f, rel), cases[i].told);
        CHECK(rel && rel->key.n_columns == 0 && ((rv_mys_relation *)rel->driver)->whole != NULL);
    }
}

static void check_wrapped_modes(myx *f)
{
    rv_relation *rel = query_in(
        f, "SELECT grp, CAST(sum(amount) AS SIGNED) AS s FROM big GROUP BY grp", RV_CHUNKED, "grp");
    REQUIRE(rel != NULL);
    CHECK(rel->wrapped);
    CHECK(!rel->bound_indexed && !rel->bound_not_null);
    uint64_t n = 0;
    CHECK_EQ(rv_mys_count(f->s, rel, NULL, 0, &n, &f->err), RV_OK);
    CHECK_EQ(n, 7);
    CHECK_STR(told(f, query_in(f, "SELECT id, amount FROM big", RV_INCREMENTAL, "amount")),
              "statement (no index by amount and the key)");
    CHECK_STR(told(f, query_in(f, "SELECT id, amount FROM big", RV_TIME_WINDOW, "amount")),
              "pages by PRIMARY");
    /* the character set of a text that no catalog knows */
    rel = query_in(f, "SELECT CONCAT(code, 'x') AS c, COUNT(*) AS n FROM big GROUP BY c",
                   RV_INCREMENTAL, "c");
    REQUIRE(rel != NULL);
    const rv_mys_relation *r = rel->driver;
    CHECK(r->bound.charset != NULL && r->bound.collation != NULL);
}

static void check_bad_queries(myx *f)
{
    static const char *const texts[] = {"DELETE FROM little",
                                        "SELECT 1; DELETE FROM little",
                                        "SELECT 1) AS x; SELECT (1",
                                        "SELECT 'open",
                                        "SELEC 1",
                                        "SELECT ?",
                                        "SELECT (1",
                                        "SELECT 1 INTO @a"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        rv_read_spec spec = {.query = texts[i], .mode = RV_FULL};
        rv_relation *rel = NULL;
        CHECK_EQ(myx_resolve(f, &spec, &rel), RV_E_SOURCE_QUERY);
        CHECK(rel == NULL);
    }
    rv_read_spec spec = {.query = "SELECT id, id FROM little", .mode = RV_CHUNKED};
    rv_relation *rel = NULL;
    spec.bound.column = "id";
    CHECK_EQ(myx_resolve(f, &spec, &rel), RV_E_SOURCE_QUERY);
    CHECK(strstr(f->err.text, "columns 1 and 2 are both called 'id'") != NULL);
    CHECK_STR(told(f, table_in(f, "big", RV_FULL, NULL)), "pages by PRIMARY");
}

static void shapes_on(myx *f)
{
    check_tables(f);
    check_engines(f);
    check_refused_tables(f);
    check_consistency(f);
    check_bound_facts(f);
    check_passing_queries(f);
    check_refused_queries(f);
    check_wrapped_modes(f);
    check_bad_queries(f);
}

RV_TEST(shapes)
{
    myx_each(SETUP, shapes_on);
}

/* ANSI_QUOTES makes "x" a name; a backslash always escapes in the driver's sessions. */
static void quotes_on(myx *f)
{
    f->s->ansi_quotes = true;
    CHECK_STR(told(f, query_in(f, "SELECT id FROM little WHERE v = \"a FROM b\"", RV_FULL, NULL)),
              "statement (small table)");
    f->s->ansi_quotes = false;
    CHECK_STR(told(f, query_in(f, "SELECT id FROM little WHERE v = \"a FROM b\"", RV_FULL, NULL)),
              "statement (small table)");
    CHECK_STR(told(f, query_in(f, "SELECT id FROM little WHERE v = 'it\\'s GROUP'", RV_FULL, NULL)),
              "statement (small table)");
}

RV_TEST(quotes)
{
    myx_each("CREATE TABLE little(id integer PRIMARY KEY, v text)", quotes_on);
}

/* Invisible columns are no part of a table's SELECT, but one of them may be its key. */
static void invisible_on(myx *f)
{
    rv_relation *rel = table_in(f, "t", RV_FULL, NULL);
    REQUIRE(rel != NULL);
    CHECK_EQ(rel->schema->n_columns, 2);
    CHECK_STR(rel->schema->columns[0].name, "v");
    CHECK_STR(told(f, rel), "pages by PRIMARY");
    CHECK_EQ(((rv_mys_relation *)rel->driver)->key[0].place, -1);
    rel = query_in(f, "SELECT id, twice FROM t", RV_FULL, NULL);
    REQUIRE(rel != NULL);
    CHECK_EQ(rel->schema->n_columns, 2);
}

RV_TEST(invisible_columns)
{
    myx_each(
        "CREATE TABLE t(id integer NOT NULL AUTO_INCREMENT INVISIBLE, v integer, twice integer "
        "AS (v * 2), PRIMARY KEY (id)); INSERT INTO t(id, v) VALUES (1, 2), (2, 3)",
        invisible_on);
}

static void overrides_on(myx *f)
{
    rv_cfg_column columns[] = {{.column = "p", .type = rv_type_decimal(12, 3)},
                               {.table = "t", .column = "j", .type = rv_type_of(RV_STRING)},
                               {.column = "nothing", .type = rv_type_of(RV_STRING)}};
    rv_read_spec spec = {.table = "t", .mode = RV_FULL, .overrides = columns, .n_overrides = 2};
    rv_relation *rel = NULL;
    CHECK_EQ(myx_resolve(f, &spec, &rel), RV_OK);
    REQUIRE(rel != NULL);
    const rv_column *c = rel->schema->columns;
    CHECK_EQ(c[0].type.kind, RV_UINT64);
    CHECK_EQ(c[1].type.kind, RV_BOOL);
    CHECK_STR(c[1].source_type, "tinyint(1)");
    CHECK(rv_type_eq(c[2].type, rv_type_decimal(12, 3)) && c[2].overridden);
    CHECK_EQ(c[3].type.kind, RV_ENUM);
    CHECK_EQ(c[4].type.kind, RV_STRING);
    CHECK_EQ(c[5].type.kind, RV_JSON);
    CHECK(!c[0].nullable && c[1].nullable);
    spec.n_overrides = 3;
    CHECK_EQ(myx_resolve(f, &spec, &rel), RV_E_CONFIG_COLUMN_TYPE);
    /* labels sort by their number and compare as text */
    spec = (rv_read_spec){.table = "t", .mode = RV_INCREMENTAL, .bound = {"m", NULL}};
    CHECK_EQ(myx_resolve(f, &spec, &rel), RV_E_CONFIG_KEY_UNUSABLE);
    spec = (rv_read_spec){.table = "t", .mode = RV_CHUNKED, .key_column = "m"};
    CHECK_EQ(myx_resolve(f, &spec, &rel), RV_E_CONFIG_KEY_UNUSABLE);
}

RV_TEST(columns_and_overrides)
{
    myx_each("CREATE TABLE t(id bigint unsigned PRIMARY KEY, b boolean, p decimal(10,2), m "
             "enum('a@b', 'c\n') NOT NULL, j json, k json, UNIQUE KEY (m))",
             overrides_on);
}

/* A user called like the database: it goes with it. */
static void rights_on(myx *f)
{
    char sql[700];
    (void)snprintf(sql, sizeof sql,
                   "CREATE USER %s@'%%' IDENTIFIED BY ''; GRANT SELECT ON %s.t TO %s@'%%'; GRANT "
                   "SELECT (id) ON %s.half TO %s@'%%'; GRANT SELECT ON %s.v TO %s@'%%'",
                   f->name, f->name, f->name, f->name, f->name, f->name, f->name);
    REQUIRE(myx_exec(f, sql));
    rv_cfg_source before = f->cfg;
    const char *host = strchr(f->server, '@');
    unsigned port = 3306;
    char name[200] = "";
    CHECK(host && sscanf(host, "@%199[^:/]:%u", name, &port) >= 1);
    f->cfg = (rv_cfg_source){.engine = RV_ENGINE_MYSQL,
                             .host = name,
                             .port = port,
                             .user = f->name,
                             .database = f->name,
                             .config_dir = "/tmp"};
    rv_source *reader = myx_connect(f);
    rv_read_spec spec = {.table = "t", .mode = RV_FULL};
    rv_relation *rel = NULL;
    CHECK(reader != NULL);
    if (reader) {
        CHECK_EQ(rv_mys_resolve(reader, &spec, &f->arena, &rel, &f->err), RV_OK);
        spec.table = "closed";
        rv_error_clear(&f->err);
        CHECK_EQ(rv_mys_resolve(reader, &spec, &f->arena, &rel, &f->err), RV_E_SOURCE_PERMISSION);
        CHECK(strstr(f->err.hint, "GRANT SELECT") != NULL);
        spec.table = "v"; /* may be read, may not be explained */
        rv_error_clear(&f->err);
        CHECK_EQ(rv_mys_resolve(reader, &spec, &f->arena, &rel, &f->err), RV_OK);
        spec.table = "half"; /* less than the table would be a smaller export */
        rv_error_clear(&f->err);
        CHECK_EQ(rv_mys_resolve(reader, &spec, &f->arena, &rel, &f->err), RV_E_SOURCE_PERMISSION);
        CHECK(strstr(f->err.hint, "query:") != NULL);
    }
    rv_mys_close(reader);
    f->cfg = before;
    (void)snprintf(sql, sizeof sql, "DROP USER %s@'%%'", f->name);
    CHECK(myx_exec(f, sql));
}

RV_TEST(rights)
{
    myx_each("CREATE TABLE t(id integer PRIMARY KEY); CREATE TABLE closed(id integer PRIMARY KEY); "
             "CREATE TABLE half(id integer PRIMARY KEY, secret text); CREATE VIEW v AS SELECT * "
             "FROM closed",
             rights_on);
}

RV_TEST_MAIN(RV_CASE(shapes), RV_CASE(quotes), RV_CASE(invisible_columns),
             RV_CASE(columns_and_overrides), RV_CASE(rights))
