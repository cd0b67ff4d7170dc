/* Rows of real servers: both protocols give the same cells, pages end where they should, cuts keep
 * complete rows, what fails leaves the rows before it. */
#include <inttypes.h>

#include "base/fault.h"
#include "column/render.h"
#include "source/mysql/scan_internal.h"
#include "source/mysql_fixture.h"

typedef struct reading {
    rv_buf text; /* rows as "1,x,\n" */
    rv_page_end end;
    rv_datum last[RV_MYS_ORDER_MAX];
    uint64_t replaced;
    rv_status st;
} reading;

static void add_rows(const rv_batch *batch, reading *r)
{
    uint32_t present[64] = {0};
    for (uint32_t row = 0; row < batch->rows; row++) {
        for (size_t c = 0; c < batch->schema->n_columns; c++) {
            const rv_col *col = &batch->columns[c];
            bool there = !col->validity || rv_bit(col->validity, row);
            if (there)
                r->st = r->st == RV_OK ? rv_render_value(col, present[c]++, &r->text, NULL) : r->st;
            if (r->st == RV_OK)
                r->st = rv_buf_add_c(&r->text, there ? "," : "NULL,", NULL);
        }
        if (r->st == RV_OK)
            r->st = rv_buf_add_byte(&r->text, '\n', NULL);
    }
    for (size_t c = 0; c < batch->schema->n_columns; c++)
        r->replaced += batch->sums.columns[c].replaced;
}

/* One page to its end, in batches of `rows`. */
static reading read_page(myx *f, const rv_page_spec *page, uint32_t rows)
{
    reading r = {.text = RV_BUF_INIT};
    rv_builder_opts opts = {
        .schema = page->relation->schema, .max_rows = rows, .max_bytes = 8 << 20, .batches = 2};
    rv_builder *b = NULL;
    rv_scan *scan = NULL;
    bool end = false;
    rv_error_clear(&f->err);
    r.st = rv_builder_open(&opts, &b, &f->err);
    if (r.st == RV_OK)
        r.st = rv_mys_scan(f->s, page, &scan, &f->err);
    while (r.st == RV_OK && !end) {
        rv_batch *batch = NULL;
        r.st = rv_mys_next(scan, b, &end, &f->err);
        rv_status frozen = rv_builder_freeze(b, &batch, NULL);
        r.st = r.st == RV_OK ? frozen : r.st;
        if (frozen != RV_OK)
            break;
        add_rows(batch, &r);
        rv_builder_recycle(b, batch);
    }
    if (scan)
        rv_mys_scan_end(scan, &r.end);
    for (size_t i = 0; r.end.last && i < page->n_order; i++) {
        r.last[i] = r.end.last[i];
        CHECK(rv_arena_str(&f->arena, r.end.last[i].text, &r.last[i].text, NULL) == RV_OK);
    }
    r.end.last = r.end.last ? r.last : NULL;
    rv_mys_scan_close(scan);
    rv_builder_close(b);
    return r;
}

static rv_relation *resolve(myx *f, const rv_read_spec *spec)
{
    rv_relation *rel = NULL;
    rv_status st = myx_resolve(f, spec, &rel);
    if (st != RV_OK)
        printf("resolve: %s\n", f->err.text);
    CHECK_EQ(st, RV_OK);
    return rel;
}

static rv_relation *table(myx *f, const char *name)
{
    rv_read_spec spec = {.table = name, .mode = RV_FULL};
    return resolve(f, &spec);
}

static rv_page_spec pages_of(const rv_relation *rel, rv_expr *order)
{
    rv_page_spec page = {.relation = rel, .order = order, .n_order = rel->key.n_columns};
    for (size_t i = 0; i < rel->key.n_columns; i++)
        order[i] = (rv_expr){rel->key.columns[i], NULL};
    return page;
}

/* Page after page; the rows of all of them. */
static rv_buf read_pages(myx *f, rv_page_spec page, uint32_t batch, uint64_t *out_rows)
{
    rv_buf all = RV_BUF_INIT;
    rv_datum after[RV_MYS_ORDER_MAX];
    *out_rows = 0;
    for (int guard = 0; guard < 20000; guard++) {
        reading r = read_page(f, &page, batch);
        if (r.st != RV_OK)
            printf("page: %s\n", f->err.text);
        CHECK_EQ(r.st, RV_OK);
        CHECK(rv_buf_add_str(&all, rv_buf_str(&r.text), NULL) == RV_OK);
        rv_buf_free(&r.text);
        *out_rows += r.end.rows;
        if (r.st != RV_OK || (!r.end.limited && !r.end.cut))
            break;
        if (!r.end.last)
            continue;
        memcpy(after, r.last, sizeof after);
        page.after = after;
    }
    return all;
}

/* The same relation through the other protocol. */
static rv_relation *other_protocol(myx *f, const rv_relation *rel)
{
    const rv_mys_relation *r = rel->driver;
    rv_relation *copy = NULL;
    rv_mys_relation *driver = NULL;
    rv_mys_column *columns = NULL;
    if (rv_arena_alloc(&f->arena, sizeof *copy, &copy, NULL) != RV_OK ||
        rv_arena_alloc(&f->arena, sizeof *driver, &driver, NULL) != RV_OK ||
        rv_arena_array(&f->arena, r->n_columns, sizeof *columns, &columns, NULL) != RV_OK)
        return NULL;
    *copy = *rel;
    *driver = *r;
    driver->text_protocol = !r->text_protocol;
    for (size_t i = 0; i < r->n_columns; i++) {
        columns[i] = r->columns[i];
        CHECK_EQ(rv_mys_column_bind(&columns[i], driver->text_protocol, &f->err), RV_OK);
    }
    driver->columns = columns;
    copy->driver = driver;
    return copy;
}

/* ---- both protocols ---- */

#define NUMBERS                                                                                    \
    "SET sql_mode = '', time_zone = '+00:00'; CREATE TABLE digits(i integer PRIMARY KEY); "        \
    "INSERT INTO digits VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9); "                 \
    "CREATE TABLE n AS SELECT a.i + 10 * b.i + 100 * c.i + 1000 * d.i AS i FROM digits a, digits " \
    "b, digits c, digits d; "

#define EVERY_TYPE                                                                                 \
    NUMBERS                                                                                        \
    "CREATE TABLE every(id bigint PRIMARY KEY, b tinyint(1), bu tinyint(1) unsigned, t tinyint, "  \
    "tu tinyint unsigned, s smallint, su smallint unsigned, m mediumint, mu mediumint unsigned, "  \
    "i int, iu int unsigned, big bigint, bigu bigint unsigned, z int(8) zerofill, d1 "             \
    "decimal(12,2), d2 decimal(65,30), d3 decimal(4,4) unsigned, d4 decimal(30,0), dz "            \
    "decimal(8,2) zerofill, dbl double, b1 bit(1), b17 bit(17), b64 bit(64), da date, dt "         \
    "datetime, dt3 datetime(3), dt6 datetime(6), ts timestamp NULL, ts6 timestamp(6) NULL, ti "    \
    "time, ti6 time(6), y year, c char(5), vc varchar(50), tx text, l1 varchar(10) CHARACTER "     \
    "SET latin1, bi binary(4), vb varbinary(9), bl blob, e enum('a', 'b'), st set('x', 'y', "      \
    "'z'), g geometry, js json); "                                                                 \
    "INSERT INTO every VALUES (1, 1, 0, -128, 255, -32768, 65535, -8388608, 16777215, "            \
    "-2147483648, 4294967295, -9223372036854775808, 18446744073709551615, 42, -1234567890.12, "    \
    "12345678901234567890123456789012345.123456789012345678901234567890, 0.9999, "                 \
    "-999999999999999999999999999999, 12.5, -1.7976931348623157e308, b'1', "                       \
    "b'10000000000000001', 18446744073709551615, '9999-12-31', '9999-12-31 23:59:59', "            \
    "'1000-01-01 00:00:00.001', '1969-12-31 23:59:59.999999', '2037-01-01 00:00:00', "             \
    "'1970-01-01 00:00:01.000001', '23:59:59', '00:00:00.000001', 2155, 'ab', 'caf\xc3\xa9', "     \
    "'', '\xc3\xa9', 'a', 'b\\0', '\\0\\0', 'b', 'x,z', ST_GeomFromText('POINT(1 2)'), "           \
    "'{\"a\": [1, null]}'); "                                                                      \
    "INSERT INTO every(id) VALUES (2); "                                                           \
    "INSERT INTO every VALUES (3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b'0', " \
    "b'0', 0, '0000-00-00', '0000-00-00', '2024-00-10', '2024-01-00 10:00:00', '0000-00-00', "     \
    "'0000-00-00', '00:00:00', '00:00:00', 0, '', '', '', '', '', '', '', 'nonsense', '', "        \
    "ST_GeomFromText('LINESTRING(0 0, 1 1)'), 'null'); "                                           \
    "INSERT INTO every SELECT 10 + i, i % 2, i % 2, i % 256 - 128, i % 256, i * 7 - 32000, i * "   \
    "6, "                                                                                          \
    "i * 839 - 4000000, i * 1677, i * 214748 - 1073741824, i * 429496, i * 922337203685477 - "     \
    "4611686018427387904, i * 1844674407370955, i * 9999, i / 8 - 500, i * 1.000000000000001, i "  \
    "% 10000 / 10000, i * 99999999999999999999, i % 1000000 / 4, SQRT(i) * POW(10, i % 300 - "     \
    "150), i % 2, i * 13 % 131072, i * 1844674407370955, '1000-01-01' + INTERVAL i * 300 DAY, "    \
    "'1000-01-01 00:00:00' + INTERVAL i * 283824 MINUTE, '2000-01-01 00:00:00.001' + INTERVAL i "  \
    "* 86399 SECOND, '1900-01-01 00:00:00.000001' + INTERVAL i * 4320001 MICROSECOND, "            \
    "'1970-01-02 00:00:00' + INTERVAL i * 200003 SECOND, '1971-01-01 00:00:00.5' + INTERVAL i * "  \
    "7999 SECOND, SEC_TO_TIME(i * 8), SEC_TO_TIME(i * 8), 1901 + i % 255, CHAR(65 + i % 26), "     \
    "CONCAT('r', i), REPEAT('ab\xf0\x9f\x8c\x8d', i % 90), CHAR(65 + i % 26), LEFT(UNHEX(SHA2(i, " \
    "256)), 4), LEFT(UNHEX(SHA2(i, 256)), i % 9), REPEAT(UNHEX('00ff'), i % 300), 1 + i % 2, i % " \
    "8, NULL, CONCAT('[', i, ']') FROM n WHERE i < 2000"

static void same_cells(myx *f)
{
    rv_relation *rel = table(f, "every");
    rv_expr order[RV_MYS_ORDER_MAX];
    uint64_t rows = 0, again = 0;
    REQUIRE(rel != NULL);
    rv_relation *other = other_protocol(f, rel);
    REQUIRE(other != NULL);
    rv_page_spec page = pages_of(rel, order);
    rv_buf binary = read_pages(f, page, 100, &rows);
    page.relation = other;
    rv_buf text = read_pages(f, page, 100, &again);
    CHECK_EQ(rows, 2003);
    CHECK_EQ(again, 2003);
    CHECK(rv_str_eq(rv_buf_str(&binary), rv_buf_str(&text)));
    rv_buf_free(&text);
    rv_buf_free(&binary);
    page.relation = rel;
    page.limit = 3;
    reading r = read_page(f, &page, 100);
    CHECK_EQ(r.replaced, 6); /* da, dt, dt3, dt6, ts, ts6 of the third row */
    rv_str third = rv_buf_str(&r.text);
    for (int i = 0; i < 2; i++) {
        const char *line = memchr(third.ptr, '\n', third.len);
        REQUIRE(line != NULL);
        third.len -= (size_t)(line + 1 - third.ptr);
        third.ptr = line + 1;
    }
    static const char want[] =
        "3,false,true,0,0,0,0,0,0,0,0,0,0,0,0.00,0.000000000000000000000000000000,0.0000,0,0.00,"
        "0.0,false,0,0,NULL,NULL,NULL,NULL,NULL,NULL,00:00:00.000000,00:00:00.000000,0,,,,,"
        "00000000,,,,,";
    CHECK_MEM(third.ptr, third.len < sizeof want - 1 ? third.len : sizeof want - 1, want,
              sizeof want - 1);
    rv_buf_free(&r.text);
}

RV_TEST(protocols_give_the_same_cells)
{
    myx_each(EVERY_TYPE, same_cells);
}

/* Every override that both protocols have gives the same cells or the same refusal. */
static void same_overrides(myx *f)
{
    static const char *const words[] = {"text",         "int8", "float8", "decimal(38,6)",
                                        "timestamp_ns", "date", "binary"};
    rv_relation *rel = table(f, "every");
    REQUIRE(rel != NULL);
    size_t n = rel->schema->n_columns;
    for (size_t w = 0; w < sizeof words / sizeof words[0]; w++)
        for (size_t c = 1; c < n; c++) {
            rv_cfg_column over = {.column = rel->schema->columns[c].name};
            rv_expr order[RV_MYS_ORDER_MAX];
            rv_relation *bound = NULL;
            REQUIRE(rv_type_from_override(rv_str_c(words[w]), &over.type));
            rv_read_spec spec = {.table = "every",
                                 .mode = RV_FULL,
                                 .overrides = &over,
                                 .n_overrides = 1,
                                 .override_error_null = true};
            if (myx_resolve(f, &spec, &bound) != RV_OK)
                continue;
            rv_page_spec page = pages_of(bound, order);
            page.limit = 60;
            reading binary = read_page(f, &page, 1000);
            page.relation = other_protocol(f, bound);
            reading text = read_page(f, &page, 1000);
            CHECK_EQ(binary.st, RV_OK);
            CHECK_EQ(binary.st, text.st);
            CHECK_EQ(binary.replaced, text.replaced);
            CHECK(rv_str_eq(rv_buf_str(&binary.text), rv_buf_str(&text.text)));
            if (!rv_str_eq(rv_buf_str(&binary.text), rv_buf_str(&text.text)))
                printf("%s as %s\n", over.column, words[w]);
            rv_buf_free(&binary.text);
            rv_buf_free(&text.text);
        }
}

RV_TEST(protocols_give_the_same_overrides)
{
    myx_each(EVERY_TYPE, same_overrides);
}

/* ---- keys ---- */

#define KEYS                                                                                       \
    NUMBERS                                                                                        \
    "CREATE TABLE ints(id bigint unsigned PRIMARY KEY, v varchar(20)); INSERT INTO ints SELECT "   \
    "18446744073709550000 + i, i FROM n WHERE i < 1000; "                                          \
    "CREATE TABLE words(w varchar(20) CHARACTER SET latin1 COLLATE latin1_german1_ci PRIMARY "     \
    "KEY, v int); INSERT INTO words SELECT CONCAT(CHAR(0xe0 + i % 20 USING latin1), i), i FROM n " \
    "WHERE i < 1000; INSERT INTO words VALUES ('', 1), ('a''b\\\\', 2), ('100%', 3); "             \
    "CREATE TABLE wide4(w varchar(20) CHARACTER SET utf8mb4 PRIMARY KEY); INSERT INTO wide4 "      \
    "SELECT CONCAT('\xf0\x9f\x8c\x8d', i) FROM n WHERE i < 300; "                                  \
    "CREATE TABLE raw(k binary(16) PRIMARY KEY, v int); INSERT INTO raw SELECT "                   \
    "LEFT(UNHEX(SHA2(i, 256)), 16), i FROM n WHERE i < 1000; "                                     \
    "CREATE TABLE times(d datetime(6), p decimal(10,3), PRIMARY KEY (d, p)); INSERT INTO times "   \
    "SELECT '2020-01-01 00:00:00.000001' + INTERVAL i DIV 7 SECOND, i / 8 FROM n WHERE i < 1000; " \
    "CREATE TABLE days(d date PRIMARY KEY); INSERT INTO days SELECT '2020-01-01' + INTERVAL i "    \
    "DAY FROM n WHERE i < 300; INSERT INTO days VALUES ('0000-00-00'), ('2024-00-00'); "           \
    "CREATE TABLE three(a int, b varchar(5) CHARACTER SET utf8mb4, c int, PRIMARY KEY (a, b, "     \
    "c)); INSERT INTO three SELECT i % 5, CONCAT('k', i % 7), i FROM n WHERE i < 1000"

static void check_pages(myx *f, const char *name, uint64_t want)
{
    static const uint64_t limits[] = {1, 3, 64, 999, 1000, 2000};
    rv_relation *rel = table(f, name);
    rv_expr order[RV_MYS_ORDER_MAX];
    uint64_t rows = 0;
    REQUIRE(rel != NULL);
    CHECK_EQ(rel->key.n_columns > 0, true);
    rv_page_spec page = pages_of(rel, order);
    rv_buf whole = read_pages(f, page, 77, &rows);
    CHECK_EQ(rows, want);
    for (size_t i = want > 500 ? 1 : 0; i < sizeof limits / sizeof limits[0]; i++) {
        page.limit = limits[i];
        rv_buf paged = read_pages(f, page, 77, &rows);
        CHECK_EQ(rows, want);
        CHECK(rv_str_eq(rv_buf_str(&paged), rv_buf_str(&whole)));
        rv_buf_free(&paged);
    }
    rv_buf_free(&whole);
}

static void keys_on(myx *f)
{
    check_pages(f, "ints", 1000);
    check_pages(f, "words", 1003);
    check_pages(f, "wide4", 300);
    check_pages(f, "raw", 1000);
    check_pages(f, "times", 1000);
    check_pages(f, "days", 302);
    check_pages(f, "three", 1000);
}

RV_TEST(every_key_pages)
{
    myx_each(KEYS, keys_on);
}

static int64_t prepared_so_far(myx *f)
{
    MYSQL_RES *r = NULL;
    if (rv_my_query(f->s->my, "SHOW SESSION STATUS LIKE 'Com_stmt_prepare'", 0, "asking", &r,
                    NULL) != RV_OK)
        return -1;
    MYSQL_ROW row = mysql_fetch_row(r);
    int64_t n = row ? strtoll(row[1], NULL, 10) : -1;
    mysql_free_result(r);
    return n;
}

/* Pages of an integer key: the first without a position, the others one statement. */
static void prepared_on(myx *f)
{
    rv_relation *rel = table(f, "ints");
    rv_expr order[RV_MYS_ORDER_MAX];
    uint64_t rows = 0;
    REQUIRE(rel != NULL);
    rv_page_spec page = pages_of(rel, order);
    page.limit = 10;
    int64_t before = prepared_so_far(f);
    rv_buf all = read_pages(f, page, 77, &rows);
    CHECK_EQ(rows, 1000);
    CHECK_EQ(prepared_so_far(f) - before, 2);
    rv_buf_free(&all);
}

RV_TEST(pages_stay_prepared)
{
    myx_each(KEYS, prepared_on);
}

/* ---- where a page ends ---- */

#define HEAVY                                                                                      \
    NUMBERS                                                                                        \
    "CREATE TABLE heavy(id int PRIMARY KEY, v varchar(2000), rare int); INSERT INTO heavy SELECT " \
    "i, REPEAT('x', 1500), i % 1000 FROM n; CREATE TABLE keyless(v varchar(2000)); INSERT INTO "   \
    "keyless SELECT v FROM heavy; ANALYZE TABLE heavy, keyless"

static void cuts_on(myx *f)
{
    rv_relation *rel = table(f, "heavy");
    rv_expr order[RV_MYS_ORDER_MAX];
    uint64_t rows = 0;
    REQUIRE(rel != NULL);
    rv_page_spec page = pages_of(rel, order);
    page.limit = 10000;
    page.cut_bytes = 300000;
    reading r = read_page(f, &page, 4096);
    CHECK_EQ(r.st, RV_OK);
    CHECK(r.end.cut && !r.end.limited);
    CHECK(r.end.rows > 150 && r.end.rows <= 200);
    char want[32];
    (void)snprintf(want, sizeof want, "%" PRIu64, r.end.rows - 1);
    CHECK(r.end.last && rv_str_eq(r.last[0].text, rv_str_c(want)));
    rv_buf_free(&r.text);
    rv_buf all = read_pages(f, page, 4096, &rows); /* nothing lost, nothing twice */
    CHECK_EQ(rows, 10000);
    rv_buf_free(&all);
    page.cut_bytes = 0;
    page.cut_us = 1;
    r = read_page(f, &page, 4096); /* rows come before the clock is looked at */
    CHECK_EQ(r.st, RV_OK);
    CHECK(r.end.cut && r.end.rows > 0 && r.end.rows < 10000);
    rv_buf_free(&r.text);
    all = read_pages(f, page, 4096, &rows);
    CHECK_EQ(rows, 10000);
    rv_buf_free(&all);
}

RV_TEST(cuts_lose_nothing)
{
    myx_each(HEAVY, cuts_on);
}

/* Behind a proxy nothing is killed: the server's own limit ends the page. */
static void limits_on(myx *f)
{
    rv_read_spec spec = {.query = "SELECT id, v, SLEEP(0.005) AS nap FROM heavy", .mode = RV_FULL};
    rv_relation *rel = resolve(f, &spec);
    rv_expr order[RV_MYS_ORDER_MAX];
    REQUIRE(rel != NULL && rel->key.n_columns == 1);
    rv_page_spec page = pages_of(rel, order);
    page.limit = 1000;
    page.cut_us = 150000;
    f->s->info.cannot_cut = true;
    reading r = read_page(f, &page, 4096);
    CHECK_EQ(r.st, RV_OK);
    CHECK(r.end.cut);
    CHECK(r.end.rows < 1000);
    CHECK(r.end.elapsed_us < 2000000);
    rv_buf_free(&r.text);
    f->s->info.cannot_cut = false;
    r = read_page(f, &page, 4096); /* and here by a KILL */
    CHECK_EQ(r.st, RV_OK);
    CHECK(r.end.cut && r.end.rows < 1000);
    CHECK(r.end.elapsed_us < 1000000);
    rv_buf_free(&r.text);
    CHECK_EQ(prepared_so_far(f) > 0, true); /* the connection serves on */
}

RV_TEST(time_ends_pages)
{
    myx_each(HEAVY, limits_on);
}

static void windows_on(myx *f)
{
    rv_read_spec spec = {.query =
                             "SELECT id, rare FROM heavy WHERE rare = 999 AND SLEEP(0.0002) = 0",
                         .mode = RV_FULL};
    rv_relation *rel = resolve(f, &spec);
    rv_expr order[RV_MYS_ORDER_MAX];
    uint64_t rows = 0;
    REQUIRE(rel != NULL && rel->key.n_columns == 1);
    rv_page_spec page = pages_of(rel, order);
    page.limit = 500;
    page.cut_us = 2000;
    rv_buf all = read_pages(f, page, 4096, &rows);
    CHECK_EQ(rows, 10);
    CHECK(f->s->window != NULL);
    rv_buf_free(&all);
}

RV_TEST(rare_rows_are_walked_in_windows)
{
    myx_each(HEAVY, windows_on);
}

static void streams_on(myx *f)
{
    rv_relation *rel = table(f, "keyless");
    REQUIRE(rel != NULL);
    CHECK_EQ(rel->key.n_columns, 0);
    rv_page_spec page = {.relation = rel};
    rv_builder_opts opts = {
        .schema = rel->schema, .max_rows = 100, .max_bytes = 8 << 20, .batches = 2};
    rv_builder *b = NULL;
    rv_scan *scan = NULL;
    bool end = false;
    REQUIRE(rv_builder_open(&opts, &b, &f->err) == RV_OK);
    CHECK_EQ(rv_mys_scan(f->s, &page, &scan, &f->err), RV_OK);
    CHECK_EQ(rv_mys_next(scan, b, &end, &f->err), RV_OK);
    CHECK(!end);
    CHECK_EQ(rv_mys_session(f->s), (int64_t)rv_my_id(f->s->my));
    rv_mys_scan_close(scan); /* given up: the rest is cut off */
    CHECK_EQ(rv_mys_session(f->s), 0);
    rv_builder_close(b);
    reading r = read_page(f, &page, 1000);
    CHECK_EQ(r.st, RV_OK);
    CHECK_EQ(r.end.rows, 10000);
    CHECK(!r.end.limited && !r.end.cut && !r.end.last);
    CHECK_EQ(rv_mys_session(f->s), 0);
    rv_buf_free(&r.text);
}

RV_TEST(whole_statements_stream)
{
    myx_each(HEAVY, streams_on);
}

/* ---- positions and callbacks ---- */

#define CURSORS                                                                                    \
    NUMBERS                                                                                        \
    "CREATE TABLE c(id int PRIMARY KEY, at datetime(3), f float, d double, n int, KEY (at), KEY "  \
    "(f), KEY (d)); INSERT INTO c SELECT i, IF(i % 10 = 0, NULL, '2020-01-01 00:00:00.125' + "     \
    "INTERVAL i DIV 4 SECOND), i * 1.1, i / 3, i DIV 10 FROM n WHERE i < 500"

static void check_bound(myx *f, const char *column)
{
    rv_read_spec spec = {.table = "c", .mode = RV_INCREMENTAL, .bound = {column, NULL}};
    rv_relation *rel = resolve(f, &spec);
    uint64_t rows = 0;
    REQUIRE(rel != NULL);
    rv_expr order[2] = {{column, NULL}, {"id", NULL}};
    rv_page_spec page = {.relation = rel, .order = order, .n_order = 2};
    rv_buf whole = read_pages(f, page, 50, &rows);
    CHECK_EQ(rows, 500);
    for (uint64_t limit = 1; limit < 100; limit = limit * 3 + 1) {
        page.limit = limit;
        rv_buf paged = read_pages(f, page, 50, &rows);
        CHECK_EQ(rows, 500);
        CHECK(rv_str_eq(rv_buf_str(&paged), rv_buf_str(&whole)));
        rv_buf_free(&paged);
    }
    rv_buf_free(&whole);
}

static bool keep_changes(void *ctx, rv_builder *b, bool changed)
{
    unsigned *seen = ctx;
    (void)b;
    seen[changed]++;
    return changed;
}

static void cursors_on(myx *f)
{
    check_bound(f, "at"); /* NULL among the values, first */
    check_bound(f, "f");
    check_bound(f, "d");
    rv_read_spec spec = {.table = "c", .mode = RV_INCREMENTAL, .bound = {"n", NULL}};
    rv_relation *rel = resolve(f, &spec);
    REQUIRE(rel != NULL);
    unsigned seen[2] = {0};
    rv_expr order[2] = {{"n", NULL}, {"id", NULL}};
    rv_datum after[2] = {{.kind = RV_INT64, .text = RV_STR("3")},
                         {.kind = RV_INT64, .text = RV_STR("35")}};
    rv_page_spec page = {.relation = rel,
                         .order = order,
                         .n_order = 2,
                         .after = after,
                         .keep = keep_changes,
                         .keep_ctx = seen};
    reading r = read_page(f, &page, 1000);
    CHECK_EQ(r.st, RV_OK);
    CHECK_EQ(seen[1], 46); /* 4 .. 49 begin; what is left of 3 is the position's own group */
    CHECK_EQ(seen[0], 464 - 46);
    CHECK_EQ(r.end.rows, 464); /* dropped ones included */
    CHECK(rv_str_eq(r.last[1].text, RV_STR("499")));
    rv_buf_free(&r.text);
}

RV_TEST(cursors)
{
    myx_each(CURSORS, cursors_on);
}

/* ---- failures ---- */

#define BROKEN                                                                                     \
    NUMBERS                                                                                        \
    "CREATE TABLE flags(id int PRIMARY KEY, b tinyint(1)); INSERT INTO flags SELECT i, IF(i = "    \
    "700, 5, 1) FROM n WHERE i < 1000; CREATE TABLE spans(id int PRIMARY KEY, t time); INSERT "    \
    "INTO spans VALUES (1, '10:00:00'), (2, '24:00:00'); CREATE TABLE zeros(id int PRIMARY KEY, "  \
    "d date); INSERT INTO zeros VALUES (1, '2024-01-01'), (2, '0000-00-00')"

static void broken_on(myx *f)
{
    rv_relation *rel = table(f, "flags");
    rv_expr order[RV_MYS_ORDER_MAX];
    REQUIRE(rel != NULL);
    rv_page_spec page = pages_of(rel, order);
    reading r = read_page(f, &page, 5000);
    CHECK_EQ(r.st, RV_E_VALUE);
    CHECK(strstr(f->err.text, "column 'b'") && strstr(f->err.text, "(id=700)") &&
          strstr(f->err.text, "int2"));
    CHECK_EQ(r.end.rows, 700); /* complete and valid */
    CHECK(r.end.last && rv_str_eq(r.last[0].text, RV_STR("699")));
    rv_buf_free(&r.text);
    rel = table(f, "spans");
    REQUIRE(rel != NULL);
    page = pages_of(rel, order);
    r = read_page(f, &page, 100);
    CHECK_EQ(r.st, RV_E_VALUE);
    CHECK(strstr(f->err.text, "24:00:00") && strstr(f->err.hint, "columns: {t: text}"));
    rv_buf_free(&r.text);
    rv_read_spec spec = {.table = "zeros", .mode = RV_FULL, .zero_date_fail = true};
    rel = resolve(f, &spec);
    REQUIRE(rel != NULL);
    page = pages_of(rel, order);
    r = read_page(f, &page, 100);
    CHECK_EQ(r.st, RV_E_VALUE);
    CHECK(strstr(f->err.text, "zero date") && strstr(f->err.text, "(id=2)"));
    rv_buf_free(&r.text);
}

RV_TEST(values_that_do_not_fit)
{
    myx_each(BROKEN, broken_on);
}

static void altered_on(myx *f)
{
    rv_relation *rel = table(f, "ints");
    rv_expr order[RV_MYS_ORDER_MAX];
    REQUIRE(rel != NULL);
    rv_page_spec page = pages_of(rel, order);
    page.limit = 10;
    reading r = read_page(f, &page, 100);
    CHECK_EQ(r.st, RV_OK);
    rv_buf_free(&r.text);
    REQUIRE(myx_exec(f, "ALTER TABLE ints MODIFY v int")); /* under the prepared statement */
    r = read_page(f, &page, 100);
    CHECK_EQ(r.st, RV_E_SOURCE_CHANGED);
    rv_buf_free(&r.text);
    REQUIRE(myx_exec(f, "ALTER TABLE ints DROP v"));
    r = read_page(f, &page, 100);
    CHECK_EQ(r.st, RV_E_SOURCE_CHANGED);
    rv_buf_free(&r.text);
    REQUIRE(myx_exec(f, "DROP TABLE ints"));
    r = read_page(f, &page, 100);
    CHECK(r.st == RV_E_SOURCE_CHANGED || r.st == RV_E_SOURCE_MISSING);
    rv_buf_free(&r.text);
}

RV_TEST(altered_tables_are_noticed)
{
    myx_each(KEYS, altered_on);
}

/* The session is gone in the middle of a page: class N, rows before it are kept. */
static void gone_on(myx *f)
{
    char sql[64];
    rv_read_spec spec = {.query = "SELECT id, v, SLEEP(0.002) AS nap FROM heavy", .mode = RV_FULL};
    rv_relation *rel = resolve(f, &spec);
    rv_expr order[RV_MYS_ORDER_MAX];
    rv_scan *scan = NULL;
    rv_builder *b = NULL;
    bool end = false;
    REQUIRE(rel != NULL);
    rv_page_spec page = pages_of(rel, order);
    rv_builder_opts opts = {
        .schema = rel->schema, .max_rows = 10, .max_bytes = 8 << 20, .batches = 2};
    REQUIRE(rv_builder_open(&opts, &b, &f->err) == RV_OK);
    REQUIRE(rv_mys_scan(f->s, &page, &scan, &f->err) == RV_OK);
    CHECK_EQ(rv_mys_next(scan, b, &end, &f->err), RV_OK);
    (void)snprintf(sql, sizeof sql, "KILL %" PRIu64, rv_my_id(f->s->my));
    CHECK(myx_exec(f, sql));
    rv_status st = RV_OK;
    while (st == RV_OK && !end) {
        rv_batch *batch = NULL;
        REQUIRE(rv_builder_freeze(b, &batch, NULL) == RV_OK);
        rv_builder_recycle(b, batch);
        st = rv_mys_next(scan, b, &end, &f->err);
    }
    rv_page_end told;
    rv_mys_scan_end(scan, &told);
    CHECK(st != RV_OK);
    CHECK_EQ(f->err.retry, RV_RETRY_N);
    if (f->err.retry != RV_RETRY_N)
        printf("%s (%s)\n", f->err.text, f->err.native);
    CHECK(told.rows >= 10 && told.last != NULL);
    rv_mys_scan_close(scan);
    rv_builder_close(b);
}

RV_TEST(a_killed_session)
{
    myx_each(HEAVY, gone_on);
}

#ifdef RV_FAULTS
static rv_status sweep_page(myx *f, const rv_page_spec *page)
{
    reading r = read_page(f, page, 7);
    rv_buf_free(&r.text);
    return r.st;
}

/* Every allocation of a page may fail: an error, no leak, no crash, and the connection serves. */
static void sweep_on(myx *f)
{
    static const char *const names[] = {"three", "raw"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        rv_relation *rel = table(f, names[i]);
        rv_expr order[RV_MYS_ORDER_MAX];
        bool passed = false;
        unsigned failed = 0;
        REQUIRE(rel != NULL);
        rv_page_spec page = pages_of(rel, order);
        page.limit = 20;
        for (long nth = 1; nth < 2000 && !passed; nth++) {
            rv_fault_set_alloc(nth, false);
            rv_status st = sweep_page(f, &page);
            passed = rv_fault_seen_alloc() < nth;
            rv_fault_set_alloc(0, false);
            CHECK(st == RV_OK || st == RV_E_MEMORY);
            failed += st == RV_E_MEMORY;
        }
        CHECK(passed);
        CHECK(failed > 5);
    }
}
#endif

RV_TEST(allocations_may_fail)
{
#ifndef RV_FAULTS
    SKIP("built without RV_FAULTS");
#else
    myx_each(KEYS, sweep_on);
#endif
}

RV_TEST_MAIN(RV_CASE(protocols_give_the_same_cells), RV_CASE(protocols_give_the_same_overrides),
             RV_CASE(every_key_pages), RV_CASE(pages_stay_prepared), RV_CASE(cuts_lose_nothing),
             RV_CASE(time_ends_pages), RV_CASE(rare_rows_are_walked_in_windows),
             RV_CASE(whole_statements_stream), RV_CASE(cursors), RV_CASE(values_that_do_not_fit),
             RV_CASE(altered_tables_are_noticed), RV_CASE(a_killed_session),
             RV_CASE(allocations_may_fail))
