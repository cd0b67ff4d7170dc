#include "column/builder.h"

#include <stdio.h>

#include "column/canonical.h"
#include "column/render.h"
#include "rvtest.h"

/* What a text becomes in a column of the type, as a CSV cell; NULL when refused. */
static const char *as(rv_type type, const char *text)
{
    static rv_buf out;
    rv_column column = {.name = "c", .type = type};
    rv_schema schema = {&column, 1};
    rv_builder_opts opts = {.schema = &schema, .max_rows = 4, .max_bytes = 1 << 20, .batches = 2};
    rv_builder *b;
    rv_batch *batch;
    rv_error err;
    const char *shown = NULL;
    if (rv_builder_open(&opts, &b, &err) != RV_OK)
        return "no builder";
    rv_status st = rv_builder_text(b, 0, rv_str_c(text), &err);
    CHECK(st == RV_OK || (st == RV_E_VALUE && strstr(err.text, "column 'c'")));
    if (st == RV_OK) {
        CHECK_EQ(rv_builder_row_end(b, &err), RV_OK);
        CHECK_EQ(rv_builder_freeze(b, &batch, &err), RV_OK);
        rv_buf_clear(&out);
        CHECK_EQ(rv_render_value(&batch->columns[0], 0, &out, &err), RV_OK);
        shown = rv_buf_cstr(&out);
    }
    rv_builder_close(b);
    if (!shown)
        rv_buf_free(&out);
    return shown;
}

typedef struct sample {
    rv_type type;
    const char *text;
    const char *cell; /* NULL: refused */
} sample;

#define T(k)                                                                                       \
    {                                                                                              \
        k, 0, 0, 0                                                                                 \
    }

static const sample samples[] = {
    {T(RV_BOOL), "true", "true"},
    {T(RV_BOOL), "T", "true"},
    {T(RV_BOOL), "1", "true"},
    {T(RV_BOOL), "f", "false"},
    {T(RV_BOOL), "0", "false"},
    {T(RV_BOOL), "2", NULL},
    {T(RV_BOOL), "yes", NULL},
    {T(RV_BOOL), "", NULL},
    {T(RV_INT16), "-32768", "-32768"},
    {T(RV_INT16), "32768", NULL},
    {T(RV_INT32), "2147483647", "2147483647"},
    {T(RV_INT32), "2147483648", NULL},
    {T(RV_INT64), "-9223372036854775808", "-9223372036854775808"},
    {T(RV_INT64), "9223372036854775808", NULL},
    {T(RV_INT64), "1.0", NULL},
    {T(RV_INT64), "n/a", NULL},
    {T(RV_UINT64), "18446744073709551615", "18446744073709551615"},
    {T(RV_UINT64), "18446744073709551616", NULL},
    {T(RV_UINT64), "-1", NULL},
    {T(RV_FLOAT64), "1.5e3", "1500.0"},
    {T(RV_FLOAT64), "-0", "-0.0"},
    {T(RV_FLOAT64), "NaN", "NaN"},
    {T(RV_FLOAT64), "-Infinity", "-inf"},
    {T(RV_FLOAT64), "+inf", "inf"},
    {T(RV_FLOAT64), "0e999", "0.0"},
    {T(RV_FLOAT64), "1e400", NULL},
    {T(RV_FLOAT64), "1e-400", NULL},
    {T(RV_FLOAT64), "0x10", NULL},
    {T(RV_FLOAT64), " 1", NULL},
    {T(RV_FLOAT64), "1e", NULL},
    {T(RV_FLOAT64), ".", NULL},
    {T(RV_FLOAT64), "", NULL},
    {T(RV_FLOAT64), "nan(5)", NULL},
    {T(RV_FLOAT32), "1.1", "1.1"},
    {T(RV_FLOAT32), "1e39", NULL},
    {T(RV_FLOAT32), "16777217", "16777216.0"},
    {{RV_DECIMAL, 6, 2, 0}, "1234.50", "1234.50"},
    {{RV_DECIMAL, 6, 2, 0}, "1234.505", NULL},
    {{RV_DECIMAL, 6, 2, 0}, "12345", NULL},
    {{RV_DECIMAL, 30, 2, 0},
     "-1234567890123456789012345678.25",
     "-1234567890123456789012345678.25"},
    {{RV_DECIMAL, 60, 1, 0}, "5", "5.0"},
    {T(RV_DATE), "2024-02-29", "2024-02-29"},
    {T(RV_DATE), "-0043-03-15", "-0043-03-15"},
    {T(RV_DATE), "2023-02-29", NULL},
    {T(RV_DATE), "5999999-01-01", NULL},
    {T(RV_TIME), "23:59", "23:59:00.000000"},
    {T(RV_TIME), "24:00:00", NULL},
    {T(RV_TIMESTAMP), "2024-01-01 12:00:00+02", "2024-01-01T10:00:00.000000"},
    {T(RV_TIMESTAMP_TZ), "2024-01-01T12:00:00.5", "2024-01-01T12:00:00.500000Z"},
    {T(RV_TIMESTAMP), "2024-01-01T12:00:00.1234567", NULL},
    {T(RV_TIMESTAMP_NS), "2024-01-01T12:00:00.1234567", "2024-01-01T12:00:00.123456700"},
    {T(RV_TIMESTAMP_TZ_NS), "2300-01-01", NULL},
    {T(RV_STRING), "", ""},
    {T(RV_STRING), "x", "x"},
    {T(RV_JSON), "{\"a\":1}", "{\"a\":1}"},
    {T(RV_ENUM), "red", "red"},
    {T(RV_INTERVAL), "P1D", "P1D"},
    {T(RV_BINARY), "ab", "6162"},
    {T(RV_UUID), "123E4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"},
    {T(RV_UUID), "123e4567e89b12d3a456426614174000", NULL},
    {T(RV_UUID), "123e4567-e89b-12d3-a456-42661417400g", NULL},
    {T(RV_UUID), "123e4567-e89b-12d3-a456+426614174000", NULL},
    {T(RV_UUID), "{23e4567-e89b-12d3-a456-42661417400}", NULL},
};

RV_TEST(texts_become_the_type_or_are_refused)
{
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const sample *s = &samples[i];
        const char *got = as(s->type, s->text);
        if (!got != !s->cell)
            (void)printf("text '%s' gave %s\n", s->text, got ? got : "a refusal");
        CHECK(!got == !s->cell);
        if (got && s->cell)
            CHECK_STR(got, s->cell);
    }
    const char *least = as((rv_type)T(RV_FLOAT64), "5e-324");
    CHECK(least && strlen(least) == 326);
    (void)as((rv_type)T(RV_BOOL), ""); /* frees the shared buffer */
}

/* Lists take texts for their elements. */
RV_TEST(elements_parse_too)
{
    rv_column column = {.name = "c", .type = {RV_LIST, 0, 0, RV_DATE}};
    rv_schema schema = {&column, 1};
    rv_builder_opts opts = {.schema = &schema, .max_rows = 4, .max_bytes = 1 << 20, .batches = 2};
    rv_builder *b;
    rv_batch *batch;
    rv_error err;
    REQUIRE(rv_builder_open(&opts, &b, &err) == RV_OK);
    REQUIRE(rv_builder_list_begin(b, 0, &err) == RV_OK);
    CHECK_EQ(rv_builder_text(b, 0, RV_STR("1970-01-03"), &err), RV_OK);
    CHECK_EQ(rv_builder_text(b, 0, RV_STR("soon"), &err), RV_E_VALUE);
    REQUIRE(rv_builder_list_end(b, 0, &err) == RV_OK);
    REQUIRE(rv_builder_row_end(b, &err) == RV_OK);
    REQUIRE(rv_builder_freeze(b, &batch, &err) == RV_OK);
    CHECK_EQ(rv_cell_of(batch->columns[0].child, 0).i64, 2);
    rv_builder_close(b);
}

RV_TEST_MAIN(RV_CASE(texts_become_the_type_or_are_refused), RV_CASE(elements_parse_too))
