#include "rvtest.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "column/decimal.h"
#include "column/render.h"
#include "format/csv/csv_internal.h"

static void fixed(rv_type type, const void *value, const char *want)
{
    uint8_t out[RV_CSV_CELL_MAX + 1];
    rv_csv_day day = {0};
    uint8_t *end = rv_csv_put_fixed(out, type, value, &day);
    *end = 0;
    CHECK_STR((const char *)out, want);
    /* and again, with the day remembered */
    end = rv_csv_put_fixed(out, type, value, &day);
    *end = 0;
    CHECK_STR((const char *)out, want);
}

static void i64_cell(rv_kind kind, int64_t v, const char *want)
{
    fixed(rv_type_of(kind), &v, want);
}

static void i32_cell(rv_kind kind, int32_t v, const char *want)
{
    fixed(rv_type_of(kind), &v, want);
}

RV_TEST(integers_at_every_digit_edge)
{
    char want[32];
    uint64_t p = 1;
    for (unsigned digits = 0; digits < 20; digits++, p *= 10) {
        for (int64_t d = -1; d <= 1; d++) {
            uint64_t u = p + (uint64_t)d;
            snprintf(want, sizeof want, "%" PRIu64, u);
            i64_cell(RV_UINT64, (int64_t)u, want);
            snprintf(want, sizeof want, "%" PRId64, (int64_t)u);
            i64_cell(RV_INT64, (int64_t)u, want);
            int64_t minus = (int64_t)(0 - u);
            snprintf(want, sizeof want, "%" PRId64, minus);
            i64_cell(RV_INT64, minus, want);
        }
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        for (int d = -1; d <= 1; d++) {
            uint64_t u = (UINT64_C(1) << bit) + (uint64_t)d;
            snprintf(want, sizeof want, "%" PRIu64, u);
            i64_cell(RV_UINT64, (int64_t)u, want);
        }
    }
    i64_cell(RV_INT64, INT64_MIN, "-9223372036854775808");
    i64_cell(RV_UINT64, -1, "18446744073709551615");
    i32_cell(RV_INT32, INT32_MIN, "-2147483648");
    i32_cell(RV_INT16, -32768, "-32768");
}

RV_TEST(booleans)
{
    fixed(rv_type_of(RV_BOOL), &(uint8_t){1}, "true");
    fixed(rv_type_of(RV_BOOL), &(uint8_t){0}, "false");
}

RV_TEST(floats_are_positional_and_shortest)
{
    fixed(rv_type_of(RV_FLOAT64), &(double){1}, "1.0");
    fixed(rv_type_of(RV_FLOAT64), &(double){-0.0}, "-0.0");
    fixed(rv_type_of(RV_FLOAT64), &(double){1e21}, "1000000000000000000000.0");
    fixed(rv_type_of(RV_FLOAT64), &(double){0.1}, "0.1");
    fixed(rv_type_of(RV_FLOAT64), &(double){NAN}, "NaN");
    fixed(rv_type_of(RV_FLOAT64), &(double){INFINITY}, "inf");
    fixed(rv_type_of(RV_FLOAT64), &(double){-INFINITY}, "-inf");
    fixed(rv_type_of(RV_FLOAT32), &(float){0.1f}, "0.1");
    uint8_t out[RV_CSV_CELL_MAX];
    rv_csv_day day = {0};
    double longest = -2.2250738585072014e-308;
    uint8_t *end = rv_csv_put_fixed(out, rv_type_of(RV_FLOAT64), (uint8_t *)&longest, &day);
    CHECK(end - out < RV_DOUBLE_TEXT_SIZE);
}

RV_TEST(decimals_keep_exactly_their_scale)
{
    fixed(rv_type_decimal(12, 2), &(int64_t){0}, "0.00");
    fixed(rv_type_decimal(12, 2), &(int64_t){-5}, "-0.05");
    fixed(rv_type_decimal(12, 2), &(int64_t){123456}, "1234.56");
    fixed(rv_type_decimal(12, 0), &(int64_t){-77}, "-77");
    fixed(rv_type_decimal(18, 18), &(int64_t){-999999999999999999}, "-0.999999999999999999");
    fixed(rv_type_decimal(18, 17), &(int64_t){100000000000000000}, "1.00000000000000000");
    static const rv_type types[] = {
        {RV_DECIMAL, 38, 4, 0}, {RV_DECIMAL, 38, 30, 0}, {RV_DECIMAL, 76, 20, 0}};
    static const char *const want[] = {"-12345678901234.5000", "-0.000000000000123456789012345000",
                                       "-0.00123456789012345000"};
    rv_i256 v = rv_i256_from_i64(-123456789012345000);
    for (size_t i = 0; i < 3; i++)
        fixed(types[i], v.limb, want[i]);
    rv_i256 big;
    REQUIRE(rv_decimal_parse(RV_STR("-99999999999999999999999999999999.999999"), 38, 6, &big) ==
            RV_DECIMAL_OK);
    fixed(rv_type_decimal(38, 6), big.limb, "-99999999999999999999999999999999.999999");
}

RV_TEST(temporals)
{
    i32_cell(RV_DATE, 0, "1970-01-01");
    i32_cell(RV_DATE, -1, "1969-12-31");
    i32_cell(RV_DATE, -719529, "-0001-12-31");
    i64_cell(RV_TIME, 0, "00:00:00.000000");
    i64_cell(RV_TIME, 86399999999, "23:59:59.999999");
    i64_cell(RV_TIMESTAMP, 0, "1970-01-01T00:00:00.000000");
    i64_cell(RV_TIMESTAMP, -1, "1969-12-31T23:59:59.999999");
    i64_cell(RV_TIMESTAMP_TZ, -1500000, "1969-12-31T23:59:58.500000Z");
    i64_cell(RV_TIMESTAMP_NS, -1, "1969-12-31T23:59:59.999999999");
    i64_cell(RV_TIMESTAMP_TZ_NS, 1, "1970-01-01T00:00:00.000000001Z");
    i64_cell(RV_TIMESTAMP, INT64_MAX, "+294247-01-10T04:00:54.775807");
    i64_cell(RV_TIMESTAMP, INT64_MIN, "-290308-12-21T19:59:05.224192");
    i64_cell(RV_TIMESTAMP_TZ_NS, INT64_MIN, "1677-09-21T00:12:43.145224192Z");
}

RV_TEST(uuids)
{
    static const uint8_t v[16] = {0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3,
                                  0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00};
    fixed(rv_type_of(RV_UUID), v, "123e4567-e89b-12d3-a456-426614174000");
}

/* The fast forms here and the one form of column/render.h never part. */
RV_TEST(same_text_as_render)
{
    static const rv_type types[] = {
        {RV_BOOL, 0, 0, 0},         {RV_INT16, 0, 0, 0},        {RV_INT32, 0, 0, 0},
        {RV_INT64, 0, 0, 0},        {RV_UINT64, 0, 0, 0},       {RV_FLOAT32, 0, 0, 0},
        {RV_FLOAT64, 0, 0, 0},      {RV_DATE, 0, 0, 0},         {RV_TIMESTAMP, 0, 0, 0},
        {RV_TIMESTAMP_TZ, 0, 0, 0}, {RV_TIMESTAMP_NS, 0, 0, 0}, {RV_TIMESTAMP_TZ_NS, 0, 0, 0},
        {RV_UUID, 0, 0, 0},         {RV_DECIMAL, 18, 3, 0},     {RV_DECIMAL, 38, 10, 0},
        {RV_DECIMAL, 38, 38, 0},    {RV_DECIMAL, 76, 40, 0},    {RV_TIME, 0, 0, 0}};
    uint64_t x = 42;
    rv_buf want = RV_BUF_INIT;
    for (unsigned round = 0; round < 40000; round++) {
        rv_type t = types[round % (sizeof types / sizeof types[0])];
        uint64_t limb[4];
        for (size_t i = 0; i < 4; i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            limb[i] = x;
        }
        limb[0] >>= limb[1] % 64;
        bool wide = t.kind == RV_DECIMAL && t.precision > 18;
        if (t.kind == RV_DECIMAL && !wide)
            limb[0] %= 1000000000000000000;
        if (wide) /* shorter than the precision, of either sign */
            limb[t.precision > 38 ? 3 : 1] = limb[2] % 3 ? 0 : UINT64_MAX;
        if (t.kind == RV_BOOL)
            limb[0] &= 1;
        if (t.kind == RV_INT16)
            limb[0] &= 0x7fff;
        if (t.kind == RV_TIME)
            limb[0] %= 86400000000;
        rv_col col = {.type = t, .rows = 1, .values = (uint8_t *)limb};
        uint8_t got[RV_CSV_CELL_MAX];
        rv_csv_day day = {0};
        size_t len = (size_t)(rv_csv_put_fixed(got, t, (uint8_t *)limb, &day) - got);
        rv_buf_clear(&want);
        REQUIRE(rv_render_value(&col, 0, &want, NULL) == RV_OK);
        CHECK_MEM(got, len, want.ptr, want.len);
    }
    rv_buf_free(&want);
}

RV_TEST_MAIN(RV_CASE(integers_at_every_digit_edge), RV_CASE(booleans),
             RV_CASE(floats_are_positional_and_shortest),
             RV_CASE(decimals_keep_exactly_their_scale), RV_CASE(temporals), RV_CASE(uuids),
             RV_CASE(same_text_as_render))
