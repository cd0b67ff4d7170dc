#include "column/decimal.h"

#include <stdio.h>
#include <stdlib.h>

#include "rvtest.h"

static const char *text_of(rv_i256 v, unsigned scale)
{
    static char out[RV_DECIMAL_TEXT_SIZE + 1];
    out[rv_decimal_text(v, scale, out)] = '\0';
    return out;
}

static void check_parse(const char *in, unsigned p, unsigned s, const char *want)
{
    rv_i256 v;
    rv_decimal_fit fit = rv_decimal_parse(rv_str_c(in), p, s, &v);
    if (fit != RV_DECIMAL_OK)
        (void)printf("'%s' as decimal(%u,%u)\n", in, p, s);
    REQUIRE(fit == RV_DECIMAL_OK);
    CHECK_STR(text_of(v, s), want);
}

#define NINES38 "99999999999999999999999999999999999999"

RV_TEST(texts_parse_exactly)
{
    check_parse("12.34", 12, 2, "12.34");
    check_parse("-0.01", 12, 2, "-0.01");
    check_parse("-0", 12, 2, "0.00");
    check_parse("+5", 12, 2, "5.00");
    check_parse(".5", 12, 2, "0.50");
    check_parse("5.", 12, 2, "5.00");
    check_parse(
        "12.3400000000000000000000000000000000000000000000000000000000000000000000000000000000", 12,
        2, "12.34");
    check_parse(
        "000000000000000000000000000000000000000000000000000000000000000000000000000000001.5", 12,
        2, "1.50");
    check_parse("1.5e3", 12, 2, "1500.00");
    check_parse("1500E-3", 12, 2, "1.50");
    check_parse("0e999999999999999999999", 12, 2, "0.00");
    check_parse("100e-2", 1, 0, "1");
    check_parse("0.00000000000000000000000000001e30", 4, 1, "10.0");
    check_parse("999999999999999999", 18, 0, "999999999999999999");
    check_parse("-" NINES38, 38, 0, "-" NINES38);
    check_parse(NINES38 "." NINES38, 76, 38, NINES38 "." NINES38);
    check_parse("-0." NINES38 NINES38, 76, 76, "-0." NINES38 NINES38);
    check_parse("1e75", 76, 0,
                "1000000000000000000000000000000000000000000000000000000000000000000000000000");
}

RV_TEST(texts_refused)
{
    static const struct {
        const char *text;
        rv_decimal_fit fit;
    } bad[] = {{"", RV_DECIMAL_SYNTAX},
               {"-", RV_DECIMAL_SYNTAX},
               {".", RV_DECIMAL_SYNTAX},
               {"1.2.3", RV_DECIMAL_SYNTAX},
               {"1e", RV_DECIMAL_SYNTAX},
               {"1e+", RV_DECIMAL_SYNTAX},
               {"e5", RV_DECIMAL_SYNTAX},
               {" 1", RV_DECIMAL_SYNTAX},
               {"1 ", RV_DECIMAL_SYNTAX},
               {"NaN", RV_DECIMAL_SYNTAX},
               {"Infinity", RV_DECIMAL_SYNTAX},
               {"0x10", RV_DECIMAL_SYNTAX},
               {"1,5", RV_DECIMAL_SYNTAX},
               {"--1", RV_DECIMAL_SYNTAX},
               {"1.234", RV_DECIMAL_FRACTION},
               {"1e-3", RV_DECIMAL_FRACTION},
               {"1e-99999999999999999999", RV_DECIMAL_FRACTION},
               {"1000", RV_DECIMAL_OVERFLOW},
               {"1e3", RV_DECIMAL_OVERFLOW},
               {"1e99999999999999999999", RV_DECIMAL_OVERFLOW},
               {"-1000.00", RV_DECIMAL_OVERFLOW}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rv_i256 v = {{7, 0, 0, 0}};
        CHECK_EQ(rv_decimal_parse(rv_str_c(bad[i].text), 5, 2, &v), bad[i].fit);
        CHECK_EQ(v.limb[0], 7);
    }
}

static uint64_t state = 0x9E3779B97F4A7C15U;
static uint64_t draw(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Random digits in, the same digits out, and through both byte orders. */
RV_TEST(random_texts_survive)
{
    for (int round = 0; round < 20000; round++) {
        unsigned precision = 1 + (unsigned)(draw() % 76);
        unsigned scale = (unsigned)(draw() % (precision + 1));
        char text[96];
        char *p = text;
        if (draw() & 1)
            *p++ = '-';
        unsigned whole = precision - scale;
        *p = '0';
        p += whole == 0;
        for (unsigned i = 0; i < precision; i++) {
            if (i == whole)
                *p++ = '.';
            *p++ = (char)('0' + (i == 0 ? 1 + draw() % 9 : draw() % 10));
        }
        *p = '\0';
        rv_i256 v;
        uint8_t be[32];
        REQUIRE(rv_decimal_parse(rv_str_c(text), precision, scale, &v) == RV_DECIMAL_OK);
        CHECK_STR(text_of(v, scale), text);
        CHECK(rv_decimal_fits(v, precision));
        CHECK(precision == 1 || !rv_decimal_fits(v, precision - 1));
        unsigned n = rv_i256_shortest_bytes(v);
        CHECK(n <= rv_decimal_flba_bytes(precision));
        rv_i256_to_be(v, be, n);
        CHECK(n == 1 || !((be[0] == 0 && !(be[1] & 0x80)) || (be[0] == 0xFF && (be[1] & 0x80))));
        CHECK_EQ(rv_i256_cmp(rv_i256_from_be(be, n), v), 0);
        rv_i256_to_be(v, be, 32);
        CHECK_EQ(rv_i256_cmp(rv_i256_from_be(be, 32), v), 0);
        CHECK_EQ(rv_i256_cmp(rv_i256_from_le((const uint8_t *)v.limb, 32), v), 0);
        rv_i128 narrow;
        if (rv_i256_to_i128(v, &narrow))
            CHECK_EQ(rv_i256_cmp(rv_i256_from_le((const uint8_t *)v.limb, 16), v), 0);
    }
}

RV_TEST(flba_widths)
{
    /* the widths that the Parquet world publishes: bytes holding p digits */
    static const uint8_t most[] = {0,  2,  4,  6,  9,  11, 14, 16, 18, 21, 23,
                                   26, 28, 31, 33, 35, 38, 40, 43, 45, 47, 50,
                                   52, 55, 57, 59, 62, 64, 67, 69, 71, 74, 76};
    for (unsigned n = 1; n <= 32; n++) {
        CHECK_EQ(rv_decimal_flba_bytes(most[n]), n);
        if (most[n] < 76)
            CHECK_EQ(rv_decimal_flba_bytes(most[n] + 1U), n + 1);
    }
}

RV_TEST(rescaling_is_exact_or_refused)
{
    rv_i256 v;
    CHECK_EQ(rv_decimal_from_i128(1234, 2, 12, 4, &v), RV_DECIMAL_OK);
    CHECK_STR(text_of(v, 4), "12.3400");
    CHECK_EQ(rv_decimal_from_i128(-123400, 4, 4, 2, &v), RV_DECIMAL_OK);
    CHECK_STR(text_of(v, 2), "-12.34");
    CHECK_EQ(rv_decimal_from_i128(12345, 3, 12, 2, &v), RV_DECIMAL_FRACTION);
    CHECK_EQ(rv_decimal_from_i128(12345, 2, 4, 2, &v), RV_DECIMAL_OVERFLOW);
    CHECK_EQ(rv_decimal_from_i128(1, 0, 10, 10, &v), RV_DECIMAL_OVERFLOW);
    CHECK_EQ(rv_decimal_from_i128(0, 0, 10, 10, &v), RV_DECIMAL_OK);
    CHECK_EQ(rv_decimal_from_i128(0, 60, 10, 1, &v), RV_DECIMAL_OK);
    rv_i128 least = (rv_i128)((rv_ui128)1 << 127);
    CHECK_EQ(rv_decimal_from_i128(least, 0, 39, 0, &v), RV_DECIMAL_OK);
    CHECK_STR(text_of(v, 0), "-170141183460469231731687303715884105728");
    CHECK_EQ(rv_decimal_from_i128(least, 0, 76, 37, &v), RV_DECIMAL_OK);
    CHECK_EQ(rv_decimal_from_i128(least, 0, 75, 37, &v), RV_DECIMAL_OVERFLOW);
}

RV_TEST(words_of_all_sizes)
{
    static const int64_t edges[] = {0, 1, -1, 127, 128, -128, -129, INT64_MAX, INT64_MIN};
    static const unsigned bytes[] = {1, 1, 1, 1, 2, 1, 2, 8, 8};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        rv_i256 v = rv_i256_from_i64(edges[i]);
        int64_t back = 0;
        rv_i128 wide = 0;
        CHECK_EQ(rv_i256_shortest_bytes(v), bytes[i]);
        CHECK(rv_i256_to_i64(v, &back) && back == edges[i]);
        CHECK(rv_i256_to_i128(v, &wide) && wide == edges[i]);
        CHECK_EQ(rv_i256_negative(v), edges[i] < 0);
        CHECK_EQ(rv_i256_cmp(rv_i256_from_i128(edges[i]), v), 0);
    }
    int64_t word;
    rv_i128 wide;
    CHECK(!rv_i256_to_i64(rv_i256_from_i128((rv_i128)1 << 63), &word));
    CHECK(!rv_i256_to_i64(rv_i256_from_i128(-((rv_i128)1 << 63) - 1), &word));
    CHECK(!rv_i256_to_i128((rv_i256){{0, 0, 1, 0}}, &wide));
    CHECK(rv_i256_cmp(rv_i256_from_i64(-5), rv_i256_from_i64(3)) < 0);
    CHECK(rv_i256_cmp(rv_i256_from_i64(-5), rv_i256_from_i64(-6)) > 0);
    rv_i256 least = {{0, 0, 0, UINT64_C(1) << 63}};
    CHECK(!rv_decimal_fits(least, 76));
    CHECK_EQ(rv_i256_shortest_bytes(least), 32);
    CHECK_STR(text_of(least, 0),
              "-57896044618658097711785492504343953926634992332820282019728792003956564819968");
}

RV_TEST(hostile_lengths)
{
    size_t len = 1 << 20;
    char *zeros = malloc(len + 4);
    rv_i256 v;
    REQUIRE(zeros);
    memset(zeros, '0', len);
    memcpy(zeros + len, "1.50", 4);
    CHECK_EQ(rv_decimal_parse((rv_str){zeros, len + 4}, 3, 2, &v), RV_DECIMAL_OK);
    CHECK_STR(text_of(v, 2), "1.50");
    zeros[0] = '1';
    CHECK_EQ(rv_decimal_parse((rv_str){zeros, len + 4}, 76, 2, &v), RV_DECIMAL_OVERFLOW);
    free(zeros);
}

RV_TEST_MAIN(RV_CASE(texts_parse_exactly), RV_CASE(texts_refused), RV_CASE(random_texts_survive),
             RV_CASE(flba_widths), RV_CASE(rescaling_is_exact_or_refused),
             RV_CASE(words_of_all_sizes), RV_CASE(hostile_lengths))
