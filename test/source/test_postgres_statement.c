/* SQL of pages and literals of keys and bounds. */
#include <string.h>

#include "../base/sweep.h"
#include "postgres_decode.h"
#include "source/postgres/scan_internal.h"

static rv_pgs_column columns[3];
static rv_pgs_relation driver;
static rv_relation rel;
static rv_buf out;

/* A table with key (id) and bound "at". */
static void table(void)
{
    memset(columns, 0, sizeof columns);
    columns[0] = (rv_pgs_column){.name = "id", .oid = RV_PG_INT8};
    columns[1] = (rv_pgs_column){.name = "at", .oid = RV_PG_TIMESTAMPTZ};
    columns[2] = (rv_pgs_column){.name = "no\"te", .oid = RV_PG_TEXT};
    driver = (rv_pgs_relation){.list = "\"t\".\"id\", \"t\".\"at\", \"t\".\"no\"\"te\"",
                               .from = "\"s\".\"t\"",
                               .qualifier = "\"t\"",
                               .columns = columns,
                               .n_columns = 3,
                               .key_column = {0},
                               .bound_column = 1,
                               .key_oid = {RV_PG_INT8},
                               .bound_oid = RV_PG_TIMESTAMPTZ,
                               .fallback_oid = RV_PG_TIMESTAMPTZ};
    rel = (rv_relation){.key = {.columns = {"id"}, .n_columns = 1}, .driver = &driver};
}

static const char *sql(const rv_page_spec *page, uint64_t limit)
{
    rv_buf_clear(&out);
    return rv_pgs_select(page, limit, &out, NULL) == RV_OK ? rv_buf_cstr(&out) : "failed";
}

static rv_datum datum(rv_kind kind, const char *text)
{
    return (rv_datum){.kind = kind, .text = rv_str_c(text)};
}

RV_TEST(pages)
{
    table();
    rv_expr key = {"id", NULL};
    rv_datum last = datum(RV_INT64, "7");
    rv_page_spec page = {.relation = &rel, .order = &key, .n_order = 1};
    CHECK_STR(sql(&page, 500), "SELECT \"t\".\"id\", \"t\".\"at\", \"t\".\"no\"\"te\"\nFROM "
                               "\"s\".\"t\"\n ORDER BY \"t\".\"id\" LIMIT 500");
    page.after = &last;
    CHECK_STR(sql(&page, 1),
              "SELECT \"t\".\"id\", \"t\".\"at\", \"t\".\"no\"\"te\"\nFROM \"s\".\"t\"\nWHERE "
              "(\"t\".\"id\" > 7) ORDER BY \"t\".\"id\" LIMIT 1");
    page = (rv_page_spec){.relation = &rel};
    CHECK_STR(sql(&page, 0),
              "SELECT \"t\".\"id\", \"t\".\"at\", \"t\".\"no\"\"te\"\nFROM \"s\".\"t\"\n");
}

RV_TEST(positions_of_two_columns)
{
    table();
    rv_expr order[2] = {{"at", NULL}, {"id", NULL}};
    rv_datum last[2] = {datum(RV_TIMESTAMP_TZ, "2024-01-02T03:04:05.000006Z"),
                        datum(RV_INT64, "-7")};
    rv_datum low = datum(RV_TIMESTAMP_TZ, "2024-01-01T00:00:00.000000Z");
    rv_pred preds[1] = {{{"at", NULL}, RV_GE, low}};
    rv_page_spec page = {.relation = &rel,
                         .order = order,
                         .n_order = 2,
                         .after = last,
                         .preds = preds,
                         .n_preds = 1};
    rv_buf_clear(&out);
    REQUIRE(rv_pgs_where(&page, &out, NULL) == RV_OK);
    CHECK_STR(
        rv_buf_cstr(&out),
        "WHERE \"t\".\"at\" >= '2024-01-01T00:00:00.000000Z'::timestamptz AND ((\"t\".\"at\", "
        "\"t\".\"id\") > ('2024-01-02T03:04:05.000006Z'::timestamptz, (-7)))");
    CHECK(strstr(sql(&page, 9), " ORDER BY \"t\".\"at\", \"t\".\"id\" LIMIT 9"));
    page.n_preds = 0; /* now NULL is among the values, and comes first */
    CHECK(strstr(sql(&page, 9), " ORDER BY \"t\".\"at\" NULLS FIRST, \"t\".\"id\" LIMIT 9"));
    rel.bound_not_null = true;
    CHECK(strstr(sql(&page, 9), " ORDER BY \"t\".\"at\", \"t\".\"id\" LIMIT 9"));
}

RV_TEST(condition_of_a_query)
{
    table();
    driver.list = "id, at -- all\n";
    driver.from = "s.t q";
    driver.qualifier = "q";
    driver.condition = "a = 1 OR b = 2 -- why";
    rv_expr key = {"id", NULL};
    rv_datum last = datum(RV_INT64, "7");
    rv_page_spec page = {.relation = &rel, .order = &key, .n_order = 1, .after = &last};
    CHECK_STR(sql(&page, 5), "SELECT id, at -- all\n\nFROM s.t q\nWHERE (a = 1 OR b = 2 -- why\n) "
                             "AND (q.\"id\" > 7) ORDER BY q.\"id\" LIMIT 5");
}

RV_TEST(helpers)
{
    table();
    rv_expr order[2] = {{"at", "id"}, {"id", NULL}};
    driver.fallback_oid = RV_PG_TIMESTAMP;
    rv_page_spec page = {.relation = &rel, .order = order, .n_order = 2};
    CHECK_STR(sql(&page, 5),
              "SELECT \"t\".\"id\", \"t\".\"at\", \"t\".\"no\"\"te\"\n, COALESCE(\"t\".\"at\", "
              "\"t\".\"id\") AS _rivet_k0\nFROM \"s\".\"t\"\n ORDER BY COALESCE(\"t\".\"at\", "
              "\"t\".\"id\") NULLS FIRST, \"t\".\"id\" LIMIT 5");
    CHECK_EQ(rv_pgs_expr_place(&rel, &order[0]), -1);
    CHECK_EQ(rv_pgs_expr_place(&rel, &order[1]), 0);
    CHECK_EQ(rv_pgs_expr_oid(&rel, &order[0]), RV_PG_TIMESTAMPTZ);
    driver.outer_list = "\"id\"::text, \"at\", \"no\"\"te\"";
    columns[0].as_text = true; /* the key is exported as text: its wire form comes beside it */
    CHECK_EQ(rv_pgs_expr_place(&rel, &order[1]), -1);
    page.order = &order[1];
    page.n_order = 1;
    CHECK_STR(sql(&page, 5), "SELECT \"id\"::text, \"at\", \"no\"\"te\", _rivet_k0 FROM (SELECT "
                             "\"t\".\"id\", \"t\".\"at\", \"t\".\"no\"\"te\"\n, \"t\".\"id\" AS "
                             "_rivet_k0\nFROM \"s\".\"t\"\n ORDER BY \"t\".\"id\" LIMIT 5\n) AS "
                             "_rivet");
}

RV_TEST(whole_queries)
{
    table();
    driver.whole = "SELECT 1 -- one";
    rv_page_spec page = {.relation = &rel};
    CHECK_STR(sql(&page, 0), "SELECT 1 -- one");
    driver.outer_list = "\"a\"::text";
    CHECK_STR(sql(&page, 0), "SELECT \"a\"::text FROM (SELECT 1 -- one\n) AS _rivet");
}

static void check_literal(uint32_t oid, const char *text, const char *want)
{
    rv_datum d = datum(RV_STRING, text);
    rv_buf_clear(&out);
    CHECK_EQ(rv_pgs_datum(&d, oid, &out, NULL), RV_OK);
    CHECK_STR(rv_buf_cstr(&out), want);
}

RV_TEST(literals)
{
    check_literal(RV_PG_INT4, "12", "12");
    check_literal(RV_PG_INT8, "-9223372036854775808", "(-9223372036854775808)");
    check_literal(RV_PG_INT8, "1); DROP TABLE t", "'1); DROP TABLE t'::int8");
    check_literal(RV_PG_OID, "5", "'5'::oid");
    check_literal(RV_PG_NUMERIC, "NaN", "'NaN'::numeric");
    check_literal(RV_PG_NUMERIC, "1.50", "'1.50'::numeric");
    check_literal(RV_PG_FLOAT8, "-Infinity", "'-Infinity'::float8");
    check_literal(RV_PG_TEXT, "o'x\\y", " E'o''x\\\\y'");
    check_literal(RV_PG_UUID, "30313233-3435-3637-3839-616263646566",
                  "'30313233-3435-3637-3839-616263646566'::uuid");
    check_literal(RV_PG_TID, "(1,2)", "'(1,2)'::tid");
    check_literal(RV_PG_BYTEA, "01ff", " E'\\\\x01ff'::bytea");
    check_literal(RV_PG_DATE, "2024-02-29", "'2024-02-29'::date");
    check_literal(RV_PG_DATE, "-infinity", "'-infinity'::date");
    check_literal(RV_PG_DATE, "-0043-03-15", "'0044-03-15 BC'::date");
    check_literal(RV_PG_DATE, "0000-01-01", "'0001-01-01 BC'::date");
    check_literal(RV_PG_DATE, "+12345-01-01", "'12345-01-01'::date");
    check_literal(RV_PG_TIMESTAMPTZ, "-0043-03-15T01:02:03.000004Z",
                  "'0044-03-15T01:02:03.000004Z BC'::timestamptz");
    rv_datum null = {.null = true};
    rv_buf_clear(&out);
    CHECK_EQ(rv_pgs_datum(&null, RV_PG_INT4, &out, NULL), RV_OK);
    CHECK_STR(rv_buf_cstr(&out), "NULL");
    rv_datum nul = {.kind = RV_STRING, .text = {"a\0b", 3}};
    CHECK_EQ(rv_pgs_datum(&nul, RV_PG_TEXT, &out, NULL), RV_E_VALUE);
}

static void check_wire(uint32_t oid, field f, const char *want)
{
    rv_buf_clear(&out);
    CHECK_EQ(rv_pgs_wire_text(oid, f.bytes, f.n, &out, NULL), RV_OK);
    CHECK_STR(rv_buf_cstr(&out), want);
}

static field be(uint64_t v, int bytes)
{
    field f = {.n = 0};
    put(&f, v, bytes);
    return f;
}

RV_TEST(wire_texts)
{
    check_wire(RV_PG_INT2, be(0x8000, 2), "-32768");
    check_wire(RV_PG_OID, be(0xffffffff, 4), "4294967295");
    check_wire(RV_PG_NUMERIC, numeric(0, 0, 4, 2, (int[]){1, 2300}), "1.2300");
    check_wire(RV_PG_NUMERIC, numeric(0x4000, -2, 8, 1, (int[]){7}), "-0.00000007");
    check_wire(RV_PG_NUMERIC, numeric(0, 2, 0, 1, (int[]){7}), "700000000");
    check_wire(RV_PG_NUMERIC, numeric(0xF000, 0, 0, 0, NULL), "-Infinity");
    check_wire(RV_PG_FLOAT4, be(0x3dcccccd, 4), "0.10000000149011612");
    check_wire(RV_PG_DATE, be(INT32_MAX, 4), "infinity");
    check_wire(RV_PG_TIMESTAMP, be((uint64_t)INT64_MIN, 8), "-infinity");
    check_wire(RV_PG_TIMESTAMPTZ, be(1, 8), "2000-01-01T00:00:00.000001Z");
    check_wire(RV_PG_TIME, be(UINT64_C(86400000000), 8), "24:00:00");
    field f = be(5, 4);
    put(&f, 3, 2);
    check_wire(RV_PG_TID, f, "(5,3)");
    f = (field){.n = 0};
    put_text(&f, "0123456789abcdef");
    check_wire(RV_PG_UUID, f, "30313233-3435-3637-3839-616263646566");
    check_wire(RV_PG_BYTEA, be(0x01ff, 2), "01ff");
    CHECK_EQ(rv_pgs_wire_text(RV_PG_INT4, "abc", 3, &out, NULL), RV_E_SOURCE_CHANGED);
    CHECK_EQ(rv_pgs_wire_text(RV_PG_NUMERIC, "abc", 3, &out, NULL), RV_E_SOURCE_CHANGED);
    CHECK_EQ(rv_pgs_wire_text(RV_PG_INET, "abc", 3, &out, NULL), RV_E_SOURCE_CHANGED);
}

static rv_status sweep_select(void)
{
    rv_expr order[2] = {{"at", NULL}, {"id", NULL}};
    rv_datum last[2] = {datum(RV_TIMESTAMP_TZ, "-0043-03-15T01:02:03.000004Z"),
                        datum(RV_INT64, "7")};
    rv_pred pred = {{"at", NULL}, RV_LE, last[0]};
    rv_page_spec page = {.relation = &rel,
                         .order = order,
                         .n_order = 2,
                         .after = last,
                         .preds = &pred,
                         .n_preds = 1};
    rv_buf b = RV_BUF_INIT;
    rv_status st = rv_pgs_select(&page, 5, &b, NULL);
    rv_buf_free(&b);
    return st;
}

RV_TEST(allocations_fail)
{
    table();
    sweep_alloc(sweep_select);
    rv_buf_free(&out);
}

RV_TEST_MAIN(RV_CASE(pages), RV_CASE(positions_of_two_columns), RV_CASE(condition_of_a_query),
             RV_CASE(helpers), RV_CASE(whole_queries), RV_CASE(literals), RV_CASE(wire_texts),
             RV_CASE(allocations_fail))
