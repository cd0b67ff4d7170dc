/* SQL of pages, parameters, literals of keys and bounds, and their texts. */
#include <string.h>

#include "../base/sweep.h"
#include "mysql_decode.h"
#include "source/mysql/scan_internal.h"

static rv_mys_column columns[3];
static rv_mys_key_column values[3];
static rv_mys_relation driver;
static rv_relation rel;
static rv_source source;
static rv_buf out;

static rv_mys_key_column key_of(const char *name, rv_mys_field f, int place)
{
    f.name = name;
    return (rv_mys_key_column){.field = f, .place = place};
}

/* A table with key (id), bound `at` and a text column in latin1. */
static void table(void)
{
    memset(columns, 0, sizeof columns);
    columns[0].name = "id";
    columns[1].name = "at";
    columns[2].name = "no`te";
    values[0] = key_of("id", mysd_field(MYSQL_TYPE_LONGLONG, 20, 0, 0, 63), 0);
    values[1] = key_of("at", mysd_field(MYSQL_TYPE_TIMESTAMP, 26, 6, 128, 63), 1);
    values[2] = key_of("no`te", mysd_text_field(), 2);
    values[2].charset = "latin1";
    values[2].collation = "latin1_german1_ci";
    driver = (rv_mys_relation){.list = "`t`.`id`, `t`.`at`, `t`.`no``te`",
                               .from = "`s`.`t`",
                               .qualifier = "`t`",
                               .force = "",
                               .columns = columns,
                               .n_columns = 3,
                               .key = {values[0]},
                               .bound = values[1],
                               .values = values};
    rel = (rv_relation){.key = {.columns = {"id"}, .n_columns = 1}, .driver = &driver};
    source = (rv_source){.comment = "/* rivet r1 */ "};
}

static const char *sql_of(const rv_page_spec *page, uint64_t limit, rv_mys_params *params)
{
    rv_mys_select_opts opts = {.limit = limit};
    rv_buf_clear(&out);
    return rv_mys_select_with(&source, page, &opts, params, &out, NULL) == RV_OK ? rv_buf_cstr(&out)
                                                                                 : "failed";
}

static rv_datum datum(rv_kind kind, const char *text)
{
    return (rv_datum){.kind = kind, .text = rv_str_c(text)};
}

RV_TEST(pages)
{
    table();
    rv_expr key = {"id", NULL};
    rv_datum last = datum(RV_INT64, "-7");
    rv_page_spec page = {.relation = &rel, .order = &key, .n_order = 1};
    CHECK_STR(sql_of(&page, 500, NULL),
              "/* rivet r1 */ SELECT `t`.`id`, `t`.`at`, `t`.`no``te`\nFROM `s`.`t`\n ORDER BY "
              "`t`.`id` LIMIT 500");
    page.after = &last;
    driver.force = " FORCE INDEX (`PRIMARY`)";
    CHECK_STR(sql_of(&page, 1, NULL),
              "/* rivet r1 */ SELECT `t`.`id`, `t`.`at`, `t`.`no``te`\nFROM `s`.`t` FORCE INDEX "
              "(`PRIMARY`)\nWHERE (`t`.`id` > (-7)) ORDER BY `t`.`id` LIMIT 1");
    page = (rv_page_spec){.relation = &rel};
    CHECK_STR(sql_of(&page, 0, NULL),
              "/* rivet r1 */ SELECT `t`.`id`, `t`.`at`, `t`.`no``te`\nFROM `s`.`t` FORCE INDEX "
              "(`PRIMARY`)\n");
    driver.whole = "SELECT 1 -- whole";
    CHECK_STR(sql_of(&page, 0, NULL), "/* rivet r1 */ SELECT 1 -- whole");
}

/* Pages of an integer key differ in parameters only; bounds of a unit are parameters too. */
/* A window of days that ends behind 9999-12-31, which many tables hold for "never". */
RV_TEST(bounds_past_every_date)
{
    table();
    rv_pred preds[] = {{.expr = {"at", NULL},
                        .op = RV_GE,
                        .value = datum(RV_TIMESTAMP_TZ, "9999-01-01T00:00:00.000000Z")},
                       {.expr = {"at", NULL},
                        .op = RV_LT,
                        .value = datum(RV_TIMESTAMP_TZ, "+10000-01-19T00:00:00.000000Z")}};
    rv_page_spec page = {.relation = &rel, .preds = preds, .n_preds = 2};
    const char *sql = sql_of(&page, 0, NULL);
    CHECK(strstr(sql, "\nWHERE `t`.`at` >= TIMESTAMP'9999-01-01 00:00:00.000000' AND `t`.`at` IS "
                      "NOT NULL") != NULL);
    preds[1].op = RV_GT;
    CHECK_STR(sql_of(&page, 0, NULL), "failed");
}

RV_TEST(parameters)
{
    table();
    rv_expr key = {"id", NULL};
    rv_datum last = datum(RV_INT64, "-7"), low = datum(RV_INT64, "-100");
    rv_pred pred = {key, RV_GE, low};
    rv_page_spec page = {.relation = &rel,
                         .order = &key,
                         .n_order = 1,
                         .after = &last,
                         .preds = &pred,
                         .n_preds = 1};
    rv_mys_params p = {.n = 0};
    CHECK_STR(sql_of(&page, 500, &p),
              "/* rivet r1 */ SELECT `t`.`id`, `t`.`at`, `t`.`no``te`\nFROM `s`.`t`\nWHERE "
              "`t`.`id` >= ? AND (`t`.`id` > ?) ORDER BY `t`.`id` LIMIT ?");
    REQUIRE(p.n == 3);
    CHECK_EQ(p.value[0].bits, (uint64_t)-100);
    CHECK_EQ(p.value[1].bits, (uint64_t)-7);
    CHECK(!p.value[1].is_unsigned);
    CHECK_EQ(p.value[2].bits, 500);
    last.text = RV_STR("no number"); /* then the literal's own check speaks */
    p.n = 0;
    CHECK_STR(sql_of(&page, 500, &p), "failed");
}

/* Both servers read the index from its start for a row comparison: the OR is expanded. */
RV_TEST(positions_of_two_columns)
{
    table();
    rv_expr order[2] = {{"at", NULL}, {"id", NULL}};
    rv_datum last[2] = {datum(RV_TIMESTAMP_TZ, "2024-01-02T03:04:05.000006Z"),
                        datum(RV_INT64, "7")};
    rv_page_spec page = {.relation = &rel, .order = order, .n_order = 2, .after = last};
    rv_buf_clear(&out);
    REQUIRE(rv_mys_where(&page, &out, NULL) == RV_OK);
    CHECK_STR(rv_buf_cstr(&out),
              "WHERE (`t`.`at` > TIMESTAMP'2024-01-02 03:04:05.000006' OR (`t`.`at` = "
              "TIMESTAMP'2024-01-02 03:04:05.000006' AND (`t`.`id` > 7)))");
    CHECK(strstr(sql_of(&page, 9, NULL), " ORDER BY `t`.`at`, `t`.`id` LIMIT 9"));
    last[0].null = true; /* NULL comes first here */
    CHECK(strstr(sql_of(&page, 9, NULL), "WHERE (`t`.`at` IS NOT NULL OR (`t`.`at` IS NULL AND"));
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
    CHECK_STR(sql_of(&page, 5, NULL),
              "/* rivet r1 */ SELECT id, at -- all\n\nFROM s.t q\nWHERE (a = 1 OR b = 2 -- why\n) "
              "AND (q.`id` > 7) ORDER BY q.`id` LIMIT 5");
}

RV_TEST(text_keys)
{
    table();
    rv_expr order = {"no`te", NULL};
    rv_datum last = datum(RV_BINARY, "e96f27");
    rel.key.columns[0] = "no`te";
    driver.key[0] = values[2];
    rv_page_spec page = {.relation = &rel, .order = &order, .n_order = 1, .after = &last};
    CHECK_EQ(rv_mys_expr_place(&rel, &order), -1);
    CHECK_STR(sql_of(&page, 5, NULL),
              "/* rivet r1 */ SELECT `t`.`id`, `t`.`at`, `t`.`no``te`\n, CAST(`t`.`no``te` AS "
              "BINARY) AS _rivet_k0\nFROM `s`.`t`\nWHERE (`t`.`no``te` > _latin1 x'e96f27' COLLATE "
              "latin1_german1_ci) ORDER BY `t`.`no``te` LIMIT 5");
    last.text = RV_STR("e9' OR 1");
    CHECK_STR(sql_of(&page, 5, NULL), "failed");
}

RV_TEST(fallbacks)
{
    table();
    rv_expr order[2] = {{"at", "id"}, {"id", NULL}};
    driver.bound = key_of("at", mysd_field(MYSQL_TYPE_VAR_STRING, 80, 0, 0, 45), -1);
    driver.fallback = values[0];
    rv_page_spec page = {.relation = &rel, .order = order, .n_order = 2};
    CHECK(strstr(sql_of(&page, 5, NULL), "\n, COALESCE(`t`.`at`, `t`.`id`) AS _rivet_k0\nFROM"));
    CHECK_EQ(rv_mys_expr_place(&rel, &order[0]), -1);
    CHECK_EQ(rv_mys_expr_place(&rel, &order[1]), 0);
    rv_expr plain = {"at", NULL}; /* the column itself, not what COALESCE gives */
    CHECK_EQ(rv_mys_expr_column(&rel, &plain)->field.type, MYSQL_TYPE_TIMESTAMP);
}

/* A value goes to text and back to a literal that is the same value for the server. */
RV_TEST(wire_values)
{
    static const struct {
        rv_mys_field field;
        const char *text, *kept, *literal;
        bool latin;
    } rows[] = {
#define F(t, len, dec, flags_, cs)                                                                 \
    {.name = "x",                                                                                  \
     .type = (t),                                                                                  \
     .length = (len),                                                                              \
     .decimals = (dec),                                                                            \
     .flags = (flags_),                                                                            \
     .charset = (cs)}
        {F(MYSQL_TYPE_LONGLONG, 20, 0, 0, 63), "-5", "-5", "(-5)", false},
        {F(MYSQL_TYPE_LONGLONG, 20, 0, UNSIGNED_FLAG, 63), "18446744073709551615",
         "18446744073709551615", "18446744073709551615", false},
        {F(MYSQL_TYPE_LONG, 6, 0, UNSIGNED_FLAG | ZEROFILL_FLAG, 63), "000042", "42", "42", false},
        {F(MYSQL_TYPE_NEWDECIMAL, 14, 2, 0, 63), "-1.50", "-1.50", "(-1.50)", false},
        {F(MYSQL_TYPE_FLOAT, 12, 31, 0, 63), "1.100000023841858", "1.1000000238418579",
         "1.10000002384185791e+00", false},
        {F(MYSQL_TYPE_DOUBLE, 22, 31, 0, 63), "-1e300", "-1.0000000000000001e+300",
         "(-1.00000000000000005e+300)", false},
        {F(MYSQL_TYPE_DATE, 10, 0, 128, 63), "2024-02-29", "2024-02-29", "DATE'2024-02-29'", false},
        {F(MYSQL_TYPE_DATE, 10, 0, 128, 63), "0000-00-00", "0000-00-00", "00000000", false},
        {F(MYSQL_TYPE_DATETIME, 23, 3, 128, 63), "2024-02-29 01:02:03.500",
         "2024-02-29T01:02:03.500000", "TIMESTAMP'2024-02-29 01:02:03.500000'", false},
        {F(MYSQL_TYPE_TIMESTAMP, 19, 0, 128, 63), "2024-02-29 01:02:03",
         "2024-02-29T01:02:03.000000Z", "TIMESTAMP'2024-02-29 01:02:03.000000'", false},
        {F(MYSQL_TYPE_TIME, 10, 0, 128, 63), "-838:59:59", "-838:59:59.000000",
         "TIME'-838:59:59.000000'", false},
        {F(MYSQL_TYPE_VAR_STRING, 80, 0, 0, 45), "\xe9", "e9", "_latin1 x'e9' COLLATE c", true},
        {F(MYSQL_TYPE_VAR_STRING, 80, 0, 0, 45), "a'b", "612762", "_utf8mb4 x'612762'", false},
        {F(MYSQL_TYPE_STRING, 16, 0, 128, 63), "\x01\xff", "01ff", "x'01ff'", false},
        {F(MYSQL_TYPE_VAR_STRING, 16, 0, 128, 63), "", "", "x''", false}};
    rv_arena arena = RV_ARENA_INIT;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_mys_key_column c = {.field = rows[i].field};
        rv_datum d;
        if (rows[i].latin) {
            c.charset = "latin1";
            c.collation = "c";
        }
        REQUIRE(rv_mys_wire_datum(&c, rows[i].text, strlen(rows[i].text), &arena, &d, NULL) ==
                RV_OK);
        CHECK_MEM(d.text.ptr, d.text.len, rows[i].kept, strlen(rows[i].kept));
        rv_buf_clear(&out);
        REQUIRE(rv_mys_datum(&d, &c, &out, NULL) == RV_OK);
        CHECK_STR(rv_buf_cstr(&out), rows[i].literal);
    }
    rv_datum null;
    rv_mys_key_column c = {.field = mysd_text_field()};
    CHECK_EQ(rv_mys_wire_datum(&c, NULL, 0, &arena, &null, NULL), RV_OK);
    CHECK(null.null);
    rv_arena_free(&arena);
}

/* What state or a configuration says is never SQL. */
RV_TEST(hostile_datums)
{
    static const rv_mys_field fields[] = {
        F(MYSQL_TYPE_LONGLONG, 20, 0, 0, 63),   F(MYSQL_TYPE_NEWDECIMAL, 14, 2, 0, 63),
        F(MYSQL_TYPE_DOUBLE, 22, 31, 0, 63),    F(MYSQL_TYPE_DATE, 10, 0, 128, 63),
        F(MYSQL_TYPE_DATETIME, 19, 0, 128, 63), F(MYSQL_TYPE_TIME, 10, 0, 128, 63),
        F(MYSQL_TYPE_VAR_STRING, 80, 0, 0, 45), F(MYSQL_TYPE_STRING, 16, 0, 128, 63)};
    static const char *const texts[] = {"1 OR 1=1",        "1--", "", "-", "'", "x'00'",
                                        "2024-01-01' OR '"};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++) {
            rv_mys_key_column c = {.field = fields[i]};
            rv_datum d = datum(RV_STRING, texts[t]);
            rv_buf_clear(&out);
            bool empty_bytes = i >= 6 && !texts[t][0];
            CHECK_EQ(rv_mys_datum(&d, &c, &out, NULL), empty_bytes ? RV_OK : RV_E_VALUE);
        }
}

static rv_status sweep_select(void)
{
    rv_expr order[2] = {{"no`te", NULL}, {"id", NULL}};
    rv_datum last[2] = {datum(RV_BINARY, "e9"), datum(RV_INT64, "7")};
    rv_page_spec page = {.relation = &rel, .order = order, .n_order = 2, .after = last};
    rv_mys_params p = {.n = 0};
    rv_mys_select_opts opts = {.limit = 5};
    rv_buf sql = RV_BUF_INIT;
    rv_status st = rv_mys_select_with(&source, &page, &opts, &p, &sql, NULL);
    rv_buf_free(&sql);
    return st;
}

RV_TEST(allocations_fail)
{
    table();
    sweep_alloc(sweep_select);
    rv_buf_free(&out);
}

RV_TEST_MAIN(RV_CASE(pages), RV_CASE(bounds_past_every_date), RV_CASE(parameters),
             RV_CASE(positions_of_two_columns), RV_CASE(condition_of_a_query), RV_CASE(text_keys),
             RV_CASE(fallbacks), RV_CASE(wire_values), RV_CASE(hostile_datums),
             RV_CASE(allocations_fail))
