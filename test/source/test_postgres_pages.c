/* Every type that may be a key: pages of a real server give every row once, in one order. */
#include "source/postgres_fixture.h"

/* Rows of one page; the values to go on after come into `last`. */
static bool page_of(pgx *f, const rv_page_spec *page, rv_datum *last, uint64_t *out_rows,
                    bool *out_more)
{
    rv_builder_opts opts = {
        .schema = page->relation->schema, .max_rows = 64, .max_bytes = 1 << 20, .batches = 2};
    rv_builder *b = NULL;
    rv_scan *scan = NULL;
    rv_batch *batch = NULL;
    rv_page_end end = {.rows = 0};
    bool ended = false;
    rv_error_clear(&f->err);
    rv_status st = rv_builder_open(&opts, &b, &f->err);
    if (st == RV_OK)
        st = rv_pgs_scan(f->s, page, &scan, &f->err);
    while (st == RV_OK && !ended) {
        st = rv_pgs_next(scan, b, &ended, &f->err);
        if (st == RV_OK)
            st = rv_builder_freeze(b, &batch, &f->err);
        if (st == RV_OK)
            rv_builder_recycle(b, batch);
    }
    if (scan)
        rv_pgs_scan_end(scan, &end);
    for (size_t i = 0; end.last && i < page->n_order; i++) {
        last[i] = end.last[i];
        CHECK_EQ(rv_arena_str(&f->arena, end.last[i].text, &last[i].text, NULL), RV_OK);
    }
    rv_pgs_scan_close(scan);
    rv_builder_close(b);
    if (st != RV_OK)
        printf("%s\n", f->err.text);
    *out_rows = end.rows;
    *out_more = end.limited || end.cut;
    return st == RV_OK;
}

static uint64_t read_in_pages(pgx *f, const rv_relation *rel, uint64_t limit)
{
    rv_datum last[2][RV_PGS_ORDER_MAX];
    rv_expr order[RV_PGS_ORDER_MAX];
    uint64_t total = 0, rows = 0;
    bool more = true;
    for (size_t i = 0; i < rel->key.n_columns; i++)
        order[i] = (rv_expr){rel->key.columns[i], NULL};
    rv_page_spec page = {
        .relation = rel, .order = order, .n_order = rel->key.n_columns, .limit = limit};
    for (unsigned guard = 0; more && guard < 1000; guard++) {
        if (!page_of(f, &page, last[guard % 2], &rows, &more))
            return UINT64_MAX;
        total += rows;
        page.after = last[guard % 2];
    }
    return more ? UINT64_MAX : total;
}

/* Walks in steps of `step` and counts what lies between. */
static uint64_t count_in_windows(pgx *f, const rv_relation *rel, uint64_t step)
{
    rv_datum at[2][RV_PGS_ORDER_MAX];
    rv_expr order[RV_PGS_ORDER_MAX];
    uint64_t total = 0;
    bool found = true;
    for (size_t i = 0; i < rel->key.n_columns; i++)
        order[i] = (rv_expr){rel->key.columns[i], NULL};
    rv_page_spec from = {.relation = rel, .order = order, .n_order = rel->key.n_columns};
    for (unsigned guard = 0; found && guard < 1000; guard++) {
        if (rv_pgs_nth(f->s, &from, step, &f->arena, at[guard % 2], &found, &f->err) != RV_OK)
            return UINT64_MAX;
        total += found;
        from.after = at[guard % 2];
    }
    return total;
}

/* `as_text`: the key travels as the server's text and, beside it, in its own form. */
static void check_key(pgx *f, const char *type, const char *values, bool as_text)
{
    char sql[1024];
    rv_relation *rel = NULL;
    rv_cfg_column text = {.column = "k", .type = rv_type_of(RV_STRING)};
    rv_read_spec spec = {
        .table = "k", .mode = RV_FULL, .overrides = &text, .n_overrides = as_text ? 1 : 0};
    PGresult *r = NULL;
    (void)snprintf(sql, sizeof sql,
                   "DROP TABLE IF EXISTS k; CREATE TABLE k(v integer, k %s PRIMARY KEY); "
                   "INSERT INTO k(k) SELECT DISTINCT %s FROM generate_series(1, 200) AS g(i)",
                   type, values);
    REQUIRE(pgx_exec(f, sql));
    r = PQexec(f->admin, "SELECT count(*) FROM k");
    uint64_t want = (uint64_t)rv_pgs_int(r, 0, 0, 0);
    PQclear(r);
    if (pgx_resolve(f, &spec, &rel) != RV_OK)
        printf("%s: %s\n", type, f->err.text);
    REQUIRE(rel != NULL);
    if (rel->shape != RV_SHAPE_PAGES || want < 2)
        printf("%s: %s\n", type, rel->shape_reason);
    CHECK_EQ(rel->shape, RV_SHAPE_PAGES);
    CHECK(want > 1);
    CHECK_EQ(read_in_pages(f, rel, 7), want);
    CHECK_EQ(read_in_pages(f, rel, 1), want);
    CHECK_EQ(count_in_windows(f, rel, 1), want);
    CHECK_EQ(count_in_windows(f, rel, 3), want / 3);
}

static void check_type(pgx *f, const char *type, const char *values)
{
    /* what no date, timestamp or decimal holds is read as text only */
    if (!strstr(values, "infinity") && !strstr(values, "NaN"))
        check_key(f, type, values, false);
    check_key(f, type, values, true);
}

RV_TEST(every_key_type)
{
    static const char *const types[][2] = {
        {"smallint", "i * 327 - 32760"},
        {"integer", "i * 21474836::bigint - 2147483648"},
        {"bigint", "CASE i WHEN 1 THEN -9223372036854775808 WHEN 2 THEN 9223372036854775807 ELSE "
                   "i END"},
        {"oid", "(i * 21474836::bigint)::oid"},
        {"numeric", "CASE i WHEN 1 THEN 'NaN' ELSE (i - 100) / 7.0 END::numeric"},
        {"numeric(20,0)", "i * 1e17"},
        {"text", "chr(i + 32) || E'\\\\\\'\"'"},
        {"text COLLATE \"C\"", "CASE i WHEN 1 THEN '' ELSE repeat(chr(i + 500), i % 5 + 1) END"},
        {"varchar(20)", "md5(i::text)::varchar(20)"},
        {"char(10)", "'x' || i"},
        {"name", "('n' || i)::name"},
        {"uuid", "md5(i::text)::uuid"},
        {"date", "CASE i WHEN 1 THEN 'infinity' WHEN 2 THEN '-infinity' WHEN 3 THEN '0044-03-15 "
                 "BC' WHEN 4 THEN '20000-01-01' ELSE '1999-12-01'::date + i END::date"},
        {"timestamp", "CASE i WHEN 1 THEN 'infinity' WHEN 2 THEN '0001-01-01 00:00:00.000001 BC' "
                      "ELSE '1969-12-31 23:59:59.999990'::timestamp + i * interval '1 us' "
                      "END::timestamp"},
        {"timestamptz", "'2024-10-27 00:59:59.5Z'::timestamptz + i * interval '1 minute'"}};
    pgx f;
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, "SET TimeZone = 'Europe/Zurich'; CREATE DOMAIN dom AS integer CHECK "
                         "(VALUE > 0)"));
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        check_type(&f, types[i][0], types[i][1]);
    check_type(&f, "dom", "i");
    pgx_close(&f);
}

/* An order of its own: only the server knows what comes after what. */
RV_TEST(linguistic_orders)
{
    pgx f;
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, "SELECT 1"));
    if (!pgx_exec(&f, "CREATE COLLATION people (provider = icu, locale = 'de-u-kf-upper'); CREATE "
                      "COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic "
                      "= false)")) {
        pgx_close(&f);
        SKIP("the server has no ICU");
    }
    check_type(&f, "text COLLATE people", "chr(64 + i) || chr(321 - i)");
    check_type(&f, "text COLLATE loose", "'r' || i");
    check_type(&f, "varchar(9) COLLATE people", "CASE WHEN i % 2 = 0 THEN 'a' ELSE 'A' END || i");
    pgx_close(&f);
}

RV_TEST(types_without_an_order_to_page_by)
{
    static const char *const types[] = {"float8", "boolean", "bytea", "inet", "interval", "time"};
    pgx f;
    char sql[128];
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, "SELECT 1"));
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        rv_relation *rel = NULL;
        rv_read_spec spec = {.table = "k", .mode = RV_FULL};
        (void)snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS k; CREATE TABLE k(k %s PRIMARY KEY)",
                       types[i]);
        REQUIRE(pgx_exec(&f, sql));
        CHECK_EQ(pgx_resolve(&f, &spec, &rel), RV_OK);
        REQUIRE(rel != NULL);
        CHECK_EQ(rel->shape, RV_SHAPE_STATEMENT);
        CHECK(rel->small);
    }
    pgx_close(&f);
}

RV_TEST(composite_keys)
{
    pgx f;
    rv_relation *rel = NULL;
    rv_read_spec spec = {.table = "k", .mode = RV_FULL};
    PGX_NEEDED();
    REQUIRE(pgx_open(&f,
                     "CREATE TABLE k(a text, b timestamptz, \"C c\" integer, PRIMARY KEY (b, a, "
                     "\"C c\")); INSERT INTO k SELECT 'x' || i % 3, '2024-01-01Z'::timestamptz "
                     "+ (i / 40) * interval '1 day', i FROM generate_series(1, 400) AS g(i)"));
    CHECK_EQ(pgx_resolve(&f, &spec, &rel), RV_OK);
    REQUIRE(rel != NULL);
    CHECK_EQ(rel->key.n_columns, 3);
    CHECK_EQ(read_in_pages(&f, rel, 7), 400);
    CHECK_EQ(count_in_windows(&f, rel, 1), 400);
    pgx_close(&f);
}

RV_TEST_MAIN(RV_CASE(every_key_type), RV_CASE(linguistic_orders),
             RV_CASE(types_without_an_order_to_page_by), RV_CASE(composite_keys))
