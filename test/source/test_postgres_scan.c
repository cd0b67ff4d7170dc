/* Reading rows of a PostgreSQL server: pages and where they are cut, key windows, ranges of blocks,
 * the cursor, and what a bad value does. */
#include <string.h>

#include "../base/sweep.h"
#include "column/render.h"
#include "postgres_fixture.h"
#include "source/postgres/scan_internal.h"

static pgx f;
static rv_buf text;     /* rows of the readings since it was cleared */
static rv_page_end end; /* of the last one */
static rv_datum last[RV_PGS_ORDER_MAX];

static rv_status add_rows(const rv_batch *batch)
{
    uint32_t present[64] = {0};
    for (uint32_t row = 0; row < batch->rows; row++) {
        for (size_t c = 0; c < batch->schema->n_columns; c++) {
            const rv_col *col = &batch->columns[c];
            if (c)
                RV_TRY(rv_buf_add_byte(&text, '|', NULL));
            if (col->validity && !rv_bit(col->validity, row))
                RV_TRY(rv_buf_add_c(&text, "NULL", NULL));
            else
                RV_TRY(rv_render_value(col, present[c]++, &text, NULL));
        }
        RV_TRY(rv_buf_add_byte(&text, '\n', NULL));
    }
    return RV_OK;
}

static rv_status drain(rv_scan *scan, rv_builder *b)
{
    bool at_end = false;
    rv_status st = RV_OK;
    while (st == RV_OK && !at_end) {
        rv_batch *batch = NULL;
        st = rv_pgs_next(scan, b, &at_end, &f.err);
        rv_status frozen = rv_builder_freeze(b, &batch, NULL);
        if (frozen == RV_OK) {
            frozen = add_rows(batch);
            rv_builder_recycle(b, batch);
        }
        st = st == RV_OK ? frozen : st;
    }
    return st;
}

/* One page into `text`, `end` and `last`. */
static rv_status read_page(const rv_page_spec *page, uint32_t batch_rows)
{
    rv_builder_opts opts = {.schema = page->relation->schema,
                            .max_rows = batch_rows,
                            .max_bytes = 1 << 24,
                            .max_value_bytes = f.tuning.max_value_mb << 20,
                            .batches = 2};
    rv_builder *b = NULL;
    rv_scan *scan = NULL;
    rv_error_clear(&f.err);
    rv_status st = rv_builder_open(&opts, &b, &f.err);
    if (st == RV_OK)
        st = rv_pgs_scan(f.s, page, &scan, &f.err);
    if (st == RV_OK) {
        st = drain(scan, b);
        rv_pgs_scan_end(scan, &end);
        for (size_t i = 0; end.last && i < page->n_order; i++) {
            last[i] = end.last[i];
            if (!last[i].null && rv_arena_str(&f.arena, last[i].text, &last[i].text, NULL) != RV_OK)
                st = st == RV_OK ? RV_E_MEMORY : st;
        }
        if (end.last)
            end.last = last;
    }
    rv_pgs_scan_close(scan);
    rv_builder_close(b);
    return st;
}

static rv_relation *table(const char *name)
{
    rv_relation *rel = NULL;
    rv_read_spec spec = {.table = name, .mode = RV_FULL};
    if (pgx_resolve(&f, &spec, &rel) != RV_OK)
        printf("%s\n", f.err.text);
    return rel;
}

static rv_page_spec key_page(const rv_relation *rel, rv_expr order[RV_KEY_COLUMNS_MAX],
                             uint64_t limit)
{
    for (size_t i = 0; i < rel->key.n_columns; i++)
        order[i] = (rv_expr){rel->key.columns[i], NULL};
    return (rv_page_spec){
        .relation = rel, .order = order, .n_order = rel->key.n_columns, .limit = limit};
}

typedef struct tally {
    uint64_t rows, pages, cut, empty;
} tally;

static tally walk(rv_page_spec page, uint32_t batch_rows)
{
    tally t = {0};
    rv_buf_clear(&text);
    for (;;) {
        rv_status st = read_page(&page, batch_rows);
        CHECK_EQ(st, RV_OK);
        if (st != RV_OK) {
            printf("%s\n", f.err.text);
            return t;
        }
        t.pages++;
        t.rows += end.rows;
        t.cut += end.cut;
        t.empty += end.rows == 0 && end.last;
        if (!end.cut && !end.limited)
            return t;
        if (end.last)
            page.after = last;
        else
            page.limit = page.limit > 1 ? page.limit / 2 : 1;
        if (t.pages > 3000) {
            CHECK(t.pages <= 3000); /* it ends */
            return t;
        }
    }
}

/* The rows of `text` are those of this statement, in its order. */
static bool same_as(const char *sql)
{
    PGresult *r = PQexec(f.admin, sql);
    rv_buf want = RV_BUF_INIT;
    for (int i = 0; i < PQntuples(r); i++)
        CHECK(rv_buf_printf(&want, NULL, "%s\n", PQgetvalue(r, i, 0)) == RV_OK);
    bool same = PQntuples(r) > 0 && rv_str_eq(rv_buf_str(&want), rv_buf_str(&text));
    if (!same)
        printf("%s: %d rows, %zu bytes wanted, %zu read\n%.300s\n", sql, PQntuples(r), want.len,
               text.len, text.ptr ? (const char *)text.ptr : "");
    PQclear(r);
    rv_buf_free(&want);
    return same;
}

static bool idle(void)
{
    return PQtransactionStatus(rv_pg_libpq(f.s->pg)) == PQTRANS_IDLE;
}

RV_TEST(pages_by_every_kind_of_key)
{
    static const struct {
        const char *ddl, *sql;
    } tables[] = {
        {"CREATE TABLE k1 AS SELECT i::int8 AS k, repeat('x', 20) AS v FROM "
         "generate_series(-500, 1500) i",
         "SELECT k || '|' || v FROM k1 ORDER BY k"},
        {"CREATE TABLE k2 AS SELECT 'ключ ''\\ ' || md5(i::text) AS k, i AS v FROM "
         "generate_series(1, 2000) i",
         "SELECT k || '|' || v FROM k2 ORDER BY k"},
        {"CREATE TABLE k3 AS SELECT md5(i::text)::uuid AS k, i AS v FROM generate_series(1, 2000) "
         "i",
         "SELECT k || '|' || v FROM k3 ORDER BY k"},
        {"CREATE TABLE k4 AS SELECT (i / 7.0)::numeric(20, 9) AS k, i AS v FROM "
         "generate_series(-1000, 1000) i",
         "SELECT k || '|' || v FROM k4 ORDER BY k"},
        {"CREATE TABLE k5 AS SELECT '2024-01-01'::date + i AS k, i AS v FROM "
         "generate_series(-1000, 1000) i",
         "SELECT k || '|' || v FROM k5 ORDER BY k"},
        {"CREATE TABLE k6 AS SELECT '0003-01-01 BC'::timestamptz + i * interval '1 day 1 us' AS k, "
         "i AS v FROM generate_series(0, 2000) i",
         NULL},
        {"CREATE TABLE k7 AS SELECT i::oid AS k, i AS v FROM generate_series(1, 2000) i",
         "SELECT k || '|' || v FROM k7 ORDER BY k"},
        {"CREATE TABLE k8 AS SELECT (i % 50)::int2::text::char(5) AS k, i AS v FROM "
         "generate_series(0, 49) i",
         NULL}};
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, "CREATE TABLE none(i int)"));
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        char sql[200], name[8];
        REQUIRE(pgx_exec(&f, tables[i].ddl));
        (void)snprintf(name, sizeof name, "k%zu", i + 1);
        (void)snprintf(sql, sizeof sql, "ALTER TABLE %s ADD PRIMARY KEY (k); ANALYZE %s", name,
                       name);
        REQUIRE(pgx_exec(&f, sql));
        rv_relation *rel = table(name);
        REQUIRE(rel && rel->key.n_columns == 1);
        rv_expr order[RV_KEY_COLUMNS_MAX];
        tally t = walk(key_page(rel, order, 37), 64);
        (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", name);
        PGresult *r = PQexec(f.admin, sql);
        CHECK_EQ(t.rows, atoi(PQgetvalue(r, 0, 0)));
        PQclear(r);
        CHECK_EQ(t.pages, t.rows / 37 + 1);
        if (tables[i].sql)
            CHECK(same_as(tables[i].sql));
    }
    pgx_close(&f);
}

RV_TEST(pages_by_two_columns)
{
    PGX_NEEDED();
    REQUIRE(pgx_open(&f,
                     "CREATE TABLE t(a int, b text, PRIMARY KEY (a, b)); INSERT INTO t SELECT i "
                     "/ 10, 'b' || i FROM generate_series(1, 1000) i; ANALYZE t"));
    rv_relation *rel = table("t");
    REQUIRE(rel && rel->key.n_columns == 2);
    rv_expr order[RV_KEY_COLUMNS_MAX];
    tally t = walk(key_page(rel, order, 13), 64);
    CHECK_EQ(t.rows, 1000);
    CHECK(same_as("SELECT a || '|' || b FROM t ORDER BY a, b"));
    pgx_close(&f);
}

RV_TEST(pages_are_cut_by_bytes)
{
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, "CREATE TABLE t(id int PRIMARY KEY, v text); INSERT INTO t SELECT i, "
                         "repeat(chr(65 + i % 26), 1000) FROM generate_series(1, 20000) i"));
    rv_relation *rel = table("t");
    REQUIRE(rel);
    rv_expr order[RV_KEY_COLUMNS_MAX];
    rv_page_spec page = key_page(rel, order, 100000);
    page.cut_bytes = 300000;
    REQUIRE(read_page(&page, 1000) == RV_OK);
    CHECK(end.cut && !end.limited && end.last);
    CHECK(end.rows >= 299 && end.rows <= 301); /* any row is an end */
    CHECK(idle());
    page.cut_bytes = 5000000;
    tally t = walk(page, 1000);
    CHECK_EQ(t.rows, 20000);
    CHECK(t.cut >= 3);
    CHECK(same_as("SELECT id || '|' || v FROM t ORDER BY id"));
    /* a page given up on the way leaves the connection usable */
    rv_scan *scan = NULL;
    page = key_page(rel, order, 100000);
    REQUIRE(rv_pgs_scan(f.s, &page, &scan, &f.err) == RV_OK);
    rv_pgs_scan_close(scan);
    CHECK(idle());
    rv_buf_clear(&text);
    page.limit = 1;
    CHECK_EQ(read_page(&page, 10), RV_OK);
    CHECK_EQ(end.rows, 1);
    CHECK(end.limited);
    pgx_close(&f);
}

#define SLOW                                                                                       \
    "CREATE TABLE t(id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' || i FROM "           \
    "generate_series(1, 2000) i; ANALYZE t"

RV_TEST(pages_are_cut_by_time)
{
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, SLOW));
    rv_relation *rel = table("t");
    REQUIRE(rel);
    rv_pgs_relation *r = rel->driver;
    rv_expr order[RV_KEY_COLUMNS_MAX];
    /* half of each row's width is waiting */
    r->list = "\"t\".\"id\", CASE WHEN pg_sleep(0.001) IS NOT NULL THEN repeat('y', 300) END";
    rv_page_spec page = key_page(rel, order, 100000);
    page.cut_us = 150000;
    int64_t before_us = rv_clock_mono_us();
    REQUIRE(read_page(&page, 65536) == RV_OK);
    int64_t took_us = rv_clock_mono_us() - before_us;
    CHECK(end.cut && end.rows > 10 && end.rows < 1000 && end.last);
    CHECK(took_us < 1000000);
    CHECK(end.elapsed_us >= 150000);
    CHECK(idle());
    /* where nothing may be cancelled, the server's own limit ends the page */
    f.s->info.cannot_cut = true;
    REQUIRE(read_page(&page, 65536) == RV_OK);
    CHECK(end.cut && end.rows > 10 && end.rows < 1000 && end.last);
    CHECK(idle());
    f.s->info.cannot_cut = false;
    pgx_close(&f);
}

RV_TEST(rare_rows_are_found_in_key_windows)
{
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, SLOW));
    rv_relation *rel = table("t");
    REQUIRE(rel);
    rv_pgs_relation *r = rel->driver;
    rel->shape = RV_SHAPE_PAGES;
    r->condition = "CASE WHEN pg_sleep(0.0003) IS NOT NULL THEN id % 650 = 0 END";
    rv_expr order[RV_KEY_COLUMNS_MAX];
    rv_page_spec page = key_page(rel, order, 500);
    page.cut_us = 100000;
    tally t = walk(page, 1000);
    CHECK_EQ(t.rows, 3);
    CHECK(t.cut >= 1);   /* the first page met nothing in its time */
    CHECK(t.empty >= 1); /* an empty window moves on all the same */
    CHECK_STR(rv_buf_cstr(&text), "650|v650\n1300|v1300\n1950|v1950\n");
    /* the smallest window is read to its end, however long it takes */
    rv_pgs_window_free(f.s->window);
    f.s->window = NULL;
    page.cut_us = 5000;
    t = walk(page, 1000);
    CHECK_EQ(t.rows, 3);
    /* windows from the first page on */
    rv_pgs_window_free(f.s->window);
    f.s->window = NULL;
    r->windows_first = true;
    r->condition = "id % 650 = 0";
    page.cut_us = 10000000;
    t = walk(page, 1000);
    CHECK_EQ(t.rows, 3);
    CHECK(t.pages >= 2 && t.cut == 0);
    /* a unit that begins further along does not walk there */
    rv_pred from = {{"id", NULL}, RV_GE, {.kind = RV_INT64, .text = RV_STR("1951")}};
    page.preds = &from;
    page.n_preds = 1;
    t = walk(page, 1000);
    CHECK_EQ(t.rows, 0);
    CHECK_EQ(t.pages, 1);
    pgx_close(&f);
}

RV_TEST(ranges_of_blocks_inside_a_snapshot)
{
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, "CREATE TABLE t(id int, v text); INSERT INTO t SELECT i, repeat('r', 200) "
                         "|| i FROM generate_series(1, 20000) i; DELETE FROM t WHERE id BETWEEN "
                         "5000 AND 9000; ANALYZE t"));
    rv_relation *rel = table("t");
    REQUIRE(rel);
    CHECK_EQ(rel->shape, RV_SHAPE_RANGES);
    REQUIRE(rv_pgs_snapshot_begin(&f.s, 1, &f.err) == RV_OK);
    REQUIRE(pgx_exec(&f, "UPDATE t SET v = 'moved'; INSERT INTO t SELECT i, 'new' FROM "
                         "generate_series(1, 5000) i"));
    rv_expr order[RV_KEY_COLUMNS_MAX];
    tally t = walk(key_page(rel, order, 700), 1000);
    CHECK_EQ(t.rows, 20000 - 4001);
    CHECK(t.pages > 20);
    CHECK(t.empty >= 1); /* of the rows deleted */
    CHECK(!memmem(text.ptr, text.len, "moved", 5) && !memmem(text.ptr, text.len, "new", 3));
    /* two halves, cut anywhere, are the whole */
    rv_datum middle = {.kind = RV_STRING, .text = RV_STR("(300,5)")};
    rv_page_spec page = key_page(rel, order, 700);
    page.until = &middle;
    uint64_t rows = walk(page, 1000).rows;
    page.until = NULL;
    page.after = &middle;
    CHECK_EQ(rows + walk(page, 1000).rows, 20000 - 4001);
    CHECK_EQ(rv_pgs_snapshot_end(f.s, &f.err), RV_OK);
    CHECK_EQ(read_page(&page, 100), RV_E_INTERNAL); /* never outside a snapshot */
    /* a failure on the way is no end of the window */
    REQUIRE(pgx_exec(&f, "CREATE TABLE bad(id int, at time); INSERT INTO bad SELECT i, CASE WHEN i "
                         "= 7 THEN '24:00' ELSE '10:00' END::time FROM generate_series(1, 100000) "
                         "i; ANALYZE bad"));
    rel = table("bad");
    REQUIRE(rel && rel->shape == RV_SHAPE_RANGES);
    REQUIRE(rv_pgs_snapshot_begin(&f.s, 1, &f.err) == RV_OK);
    page = key_page(rel, order, 700);
    CHECK_EQ(read_page(&page, 100), RV_E_VALUE);
    CHECK(strstr(f.err.text, "(ctid=(0,7))"));
    CHECK_EQ(end.rows, 6);
    CHECK(end.last && rv_str_eq(last[0].text, RV_STR("(0,6)")));
    pgx_close(&f);
}

typedef struct pieces {
    uint64_t n, rows, lower;
} pieces;

static rv_status count_piece(void *ctx, const rv_page_end *piece, int64_t idle_us,
                             uint64_t *io_rows, rv_error *err)
{
    pieces *p = ctx;
    (void)idle_us, (void)err;
    CHECK(piece->bytes > 0 && !piece->last);
    p->n++;
    p->rows += piece->rows;
    if (p->lower)
        *io_rows = p->lower;
    return RV_OK;
}

RV_TEST(cursor)
{
    PGX_NEEDED();
    REQUIRE(pgx_open(&f,
                     "CREATE TABLE t(id int PRIMARY KEY, v text, ts timestamptz); INSERT INTO t "
                     "SELECT i, nullif('v' || i, 'v7'), '2024-01-01 00:00Z'::timestamptz FROM "
                     "generate_series(1, 3000) i; CREATE VIEW w AS SELECT id, v, ts::text AS ts "
                     "FROM t ORDER BY id"));
    rv_relation *rel = table("w");
    REQUIRE(rel);
    CHECK_EQ(rel->shape, RV_SHAPE_CURSOR);
    pieces p = {.lower = 1000};
    rv_page_spec page = {.relation = rel, .between = count_piece, .between_ctx = &p};
    rv_buf_clear(&text);
    CHECK_EQ(read_page(&page, 700), RV_OK);
    CHECK_EQ(end.rows, 3000);
    CHECK(!end.cut && !end.limited);
    CHECK_EQ(p.n, 3); /* 500, 1000, 1000; the last 500 end it */
    CHECK_EQ(p.rows, 2500);
    CHECK(same_as("SELECT concat(id, '|', coalesce(v, 'NULL'), '|2024-01-01 00:00:00+00') FROM t "
                  "ORDER BY id"));
    CHECK(idle());
    CHECK_EQ(rv_pgs_session(f.s), 0);
    /* given up on the way */
    rv_scan *scan = NULL;
    REQUIRE(rv_pgs_scan(f.s, &page, &scan, &f.err) == RV_OK);
    CHECK(rv_pgs_session(f.s) != 0);
    CHECK(!idle());
    rv_pgs_scan_close(scan);
    CHECK(idle());
    CHECK_EQ(rv_pgs_session(f.s), 0);
    pgx_close(&f);
}

RV_TEST(cursor_that_fails)
{
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, "CREATE TABLE t(id int); INSERT INTO t SELECT i FROM generate_series(1, "
                         "2000) i; CREATE VIEW w AS SELECT id, 1 / (id - 900) AS q FROM t"));
    rv_relation *rel = table("w");
    REQUIRE(rel);
    rv_page_spec page = {.relation = rel};
    CHECK_EQ(read_page(&page, 700), RV_E_SOURCE_QUERY);
    CHECK(idle());
    CHECK_EQ(rv_pgs_session(f.s), 0);
    pgx_close(&f);
}

static rv_relation *overridden(const char *name, const char *column, const char *word, bool null)
{
    rv_relation *rel = NULL;
    rv_cfg_column o = {.column = column};
    CHECK(rv_type_from_override(rv_str_c(word), &o.type));
    rv_read_spec spec = {.table = name,
                         .mode = RV_FULL,
                         .overrides = &o,
                         .n_overrides = 1,
                         .override_error_null = null};
    if (pgx_resolve(&f, &spec, &rel) != RV_OK)
        printf("%s\n", f.err.text);
    return rel;
}

RV_TEST(values_that_do_not_fit)
{
    PGX_NEEDED();
    REQUIRE(pgx_open(&f,
                     "CREATE TABLE t(id int PRIMARY KEY, at time, v text); INSERT INTO t VALUES "
                     "(1, '10:00', '5'), (2, '24:00', 'x'), (3, NULL, '7')"));
    rv_expr order[RV_KEY_COLUMNS_MAX];
    rv_relation *rel = table("t");
    REQUIRE(rel);
    rv_page_spec page = key_page(rel, order, 10);
    rv_buf_clear(&text);
    CHECK_EQ(read_page(&page, 10), RV_E_VALUE);
    CHECK_STR(f.err.text,
              "column 'at': time 24:00:00 does not fit a time of day; override with at: "
              "text (id=2)");
    CHECK_EQ(end.rows, 1); /* what came before is complete */
    CHECK(end.last && rv_str_eq(last[0].text, RV_STR("1")));
    CHECK_STR(rv_buf_cstr(&text), "1|10:00:00.000000|5\n");
    CHECK(idle());
    rel = overridden("t", "at", "text", false);
    REQUIRE(rel);
    page = key_page(rel, order, 10);
    rv_buf_clear(&text);
    CHECK_EQ(read_page(&page, 10), RV_OK);
    CHECK_STR(rv_buf_cstr(&text), "1|10:00:00|5\n2|24:00:00|x\n3|NULL|7\n");
    REQUIRE(pgx_exec(&f, "UPDATE t SET at = NULL"));
    rel = overridden("t", "v", "int4", true);
    REQUIRE(rel);
    page = key_page(rel, order, 10);
    rv_buf_clear(&text);
    CHECK_EQ(read_page(&page, 10), RV_OK);
    CHECK_STR(rv_buf_cstr(&text), "1|NULL|5\n2|NULL|NULL\n3|NULL|7\n");
    pgx_close(&f);
}

/* A key exported as text is still compared in its own type. */
RV_TEST(overridden_key)
{
    PGX_NEEDED();
    REQUIRE(pgx_open(&f,
                     "CREATE TABLE t(id numeric(6,1) PRIMARY KEY, v int); INSERT INTO t SELECT i, "
                     "i FROM generate_series(-50, 500) i; ANALYZE t"));
    rv_relation *rel = overridden("t", "id", "text", false);
    REQUIRE(rel);
    rv_expr order[RV_KEY_COLUMNS_MAX];
    tally t = walk(key_page(rel, order, 17), 64);
    CHECK_EQ(t.rows, 551);
    CHECK(same_as("SELECT id || '|' || v FROM t ORDER BY id"));
    pgx_close(&f);
}

static bool keep_odd(void *ctx, rv_builder *b, bool changed)
{
    unsigned *n = ctx;
    (void)b;
    n[0]++;
    n[1] += changed;
    return n[0] % 2 == 1;
}

RV_TEST(rows_are_dropped_and_still_counted)
{
    PGX_NEEDED();
    REQUIRE(pgx_open(&f,
                     "CREATE TABLE t(a int, b int, PRIMARY KEY (a, b)); INSERT INTO t SELECT i / "
                     "4, i FROM generate_series(0, 15) i"));
    rv_relation *rel = table("t");
    REQUIRE(rel);
    rv_expr order[RV_KEY_COLUMNS_MAX];
    rv_page_spec page = key_page(rel, order, 10);
    unsigned n[2] = {0, 0};
    page.keep = keep_odd;
    page.keep_ctx = n;
    rv_buf_clear(&text);
    CHECK_EQ(read_page(&page, 100), RV_OK);
    CHECK_EQ(end.rows, 10);
    CHECK_EQ(n[1], 3);
    CHECK_STR(rv_buf_cstr(&text), "0|0\n0|2\n1|4\n1|6\n2|8\n");
    page.after = last; /* (2, 9): 2 is no other value */
    n[0] = n[1] = 0;
    CHECK_EQ(read_page(&page, 100), RV_OK);
    CHECK_EQ(end.rows, 6);
    CHECK_EQ(n[1], 1);
    pgx_close(&f);
}

RV_TEST(a_cell_too_large)
{
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, "CREATE TABLE t(id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, "
                         "repeat('z', 3000000))"));
    f.tuning.max_value_mb = 2;
    rv_relation *rel = table("t");
    REQUIRE(rel);
    rv_expr order[RV_KEY_COLUMNS_MAX];
    rv_page_spec page = key_page(rel, order, 10);
    CHECK_EQ(read_page(&page, 10), RV_E_VALUE_TOO_LARGE);
    CHECK(strstr(f.err.text, "column 'v': one cell is 2.9 MB, limit 2 MB (tuning.max_value_mb)"));
    CHECK(strstr(f.err.text, "(id=1)"));
    pgx_close(&f);
}

/* A SQL_ASCII database: bytes without an encoding reach the builder, whose policy decides. */
RV_TEST(raw_bytes)
{
    static const char *const make = "CREATE DATABASE rv_test_ascii ENCODING 'SQL_ASCII' LC_COLLATE "
                                    "'C' LC_CTYPE 'C' TEMPLATE template0";
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, "CREATE TABLE none(i int)"));
    REQUIRE(pgx_server(&f, make));
    rv_pgs_close(f.s);
    PQfinish(f.admin);
    char name[64];
    (void)snprintf(name, sizeof name, "%s", f.name);
    (void)snprintf(f.name, sizeof f.name, "rv_test_ascii");
    pgx_set_url(&f);
    f.admin = PQconnectdb(f.url);
    f.s = pgx_connect(&f);
    REQUIRE(f.s && pgx_exec(&f, "CREATE TABLE t(id int PRIMARY KEY, v text); INSERT INTO t VALUES "
                                "(1, 'ok'), (2, E'a\\xff')"));
    rv_relation *rel = table("t");
    REQUIRE(rel);
    rv_expr order[RV_KEY_COLUMNS_MAX];
    rv_page_spec page = key_page(rel, order, 10);
    rv_buf_clear(&text);
    CHECK_EQ(read_page(&page, 10), RV_E_VALUE);
    CHECK_STR(f.err.text, "column 'v': invalid UTF-8 at byte 1 of 2 (id=2)");
    CHECK_EQ(end.rows, 1);
    rel->shape = RV_SHAPE_CURSOR;
    page.n_order = 0;
    page.limit = 0;
    CHECK_EQ(read_page(&page, 10), RV_E_VALUE);
    CHECK_STR(f.err.text, "column 'v': invalid UTF-8 at byte 1 of 2 (row 2 of the result)");
    CHECK(idle());
    pgx_close(&f);
    char drop[96];
    (void)snprintf(drop, sizeof drop, "DROP DATABASE %s", name);
    CHECK(pgx_server(&f, drop));
}

static rv_page_spec swept;

static rv_status sweep_page(void)
{
    rv_buf_free(&text);
    return read_page(&swept, 10);
}

RV_TEST(allocations_fail)
{
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, "CREATE TABLE t(id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' "
                         "FROM generate_series(1, 20) i; CREATE VIEW w AS SELECT id, v FROM t"));
    rv_expr order[RV_KEY_COLUMNS_MAX];
    swept = key_page(table("t"), order, 10);
    sweep_alloc(sweep_page);
    CHECK(idle());
    swept = (rv_page_spec){.relation = table("w")};
    sweep_alloc(sweep_page);
    CHECK(idle());
    pgx_close(&f);
    rv_buf_free(&text);
}

/* An index on the bound alone: equal values are sorted; many of them are read in one go, once. */
RV_TEST(groups_of_equal_bounds)
{
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, "CREATE TABLE t(id integer PRIMARY KEY, g integer NOT NULL, v text); "
                         "INSERT INTO t SELECT i, i % 5, repeat('x', 80) FROM "
                         "generate_series(1, 30000) AS g(i); CREATE INDEX t_g ON t(g); ANALYZE t"));
    rv_read_spec spec = {.table = "t", .mode = RV_INCREMENTAL, .bound = {"g", NULL}};
    rv_relation *rel = NULL;
    CHECK_EQ(pgx_resolve(&f, &spec, &rel), RV_OK);
    if (rv_pg_version(f.s->pg) < 130000) {
        CHECK(!rel->ordered_by_bound);
        pgx_close(&f);
        return;
    }
    REQUIRE(rel->ordered_by_bound);
    rv_expr order[] = {{"g", NULL}, {"id", NULL}};
    rv_pred set = {.expr = {"g", NULL}, .op = RV_NOT_NULL};
    rv_page_spec page = {.relation = rel,
                         .preds = &set,
                         .n_preds = 1,
                         .order = order,
                         .n_order = 2,
                         .limit = 900,
                         .cut_us = 60000000};
    tally t = walk(page, 5000);
    CHECK_EQ(t.pages, 34);
    CHECK(same_as("SELECT concat_ws('|', id, g, v) FROM t ORDER BY g, id"));
    page.cut_us = 1; /* every page is too long: after each, the rest of its group */
    t = walk(page, 5000);
    CHECK_EQ(t.rows, 30000);
    CHECK(t.pages <= 12);
    CHECK(same_as("SELECT concat_ws('|', id, g, v) FROM t ORDER BY g, id"));
    pgx_close(&f);
}

/* A page that meets another table than the one resolved says so, naming the column. */
RV_TEST(altered_between_pages)
{
    static const char *const changes[] = {
        "ALTER TABLE t DROP COLUMN v", "ALTER TABLE t RENAME v TO w",
        "ALTER TABLE t ALTER v TYPE bigint USING 1", "ALTER TABLE t RENAME TO u"};
    PGX_NEEDED();
    REQUIRE(pgx_open(&f, "SELECT 1"));
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        CHECK(pgx_exec(&f,
                       "DROP TABLE IF EXISTS t, u; CREATE TABLE t AS SELECT i AS id, i AS v "
                       "FROM generate_series(1, 100) AS g(i); ALTER TABLE t ADD PRIMARY KEY (id)"));
        rv_relation *rel = table("t");
        REQUIRE(rel);
        rv_expr order[RV_KEY_COLUMNS_MAX];
        rv_page_spec page = key_page(rel, order, 10);
        CHECK_EQ(read_page(&page, 100), RV_OK);
        CHECK(pgx_exec(&f, changes[i]));
        page.after = last;
        CHECK_EQ(read_page(&page, 100), RV_E_SOURCE_CHANGED);
        CHECK(strstr(f.err.text, i < 3 ? "'v'" : "dropped or renamed") != NULL);
        CHECK(idle());
    }
    pgx_close(&f);
}

RV_TEST_MAIN(RV_CASE(pages_by_every_kind_of_key), RV_CASE(pages_by_two_columns),
             RV_CASE(pages_are_cut_by_bytes), RV_CASE(pages_are_cut_by_time),
             RV_CASE(rare_rows_are_found_in_key_windows),
             RV_CASE(ranges_of_blocks_inside_a_snapshot), RV_CASE(cursor),
             RV_CASE(cursor_that_fails), RV_CASE(values_that_do_not_fit), RV_CASE(overridden_key),
             RV_CASE(rows_are_dropped_and_still_counted), RV_CASE(a_cell_too_large),
             RV_CASE(raw_bytes), RV_CASE(groups_of_equal_bounds), RV_CASE(altered_between_pages),
             RV_CASE(allocations_fail))
