#include "column/render.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "rvtest.h"

static const char *text_of(double v)
{
    static char out[RV_DOUBLE_TEXT_SIZE + 1];
    unsigned n = rv_double_text(v, out);
    out[n] = '\0';
    return out;
}

RV_TEST(known_doubles)
{
    CHECK_STR(text_of(1.0), "1.0");
    CHECK_STR(text_of(-0.0), "-0.0");
    CHECK_STR(text_of(0.0), "0.0");
    CHECK_STR(text_of(1e21), "1000000000000000000000.0");
    CHECK_STR(text_of(1e23), "100000000000000000000000.0");
    CHECK_STR(text_of(0.1), "0.1");
    CHECK_STR(text_of(0.3), "0.3");
    CHECK_STR(text_of(0.1 + 0.2), "0.30000000000000004");
    CHECK_STR(text_of(-123.456), "-123.456");
    CHECK_STR(text_of(9007199254740993.0), "9007199254740992.0");
    CHECK_STR(text_of(1e-7), "0.0000001");
    CHECK_STR(text_of(5e-324) + 320, "000005");
    CHECK_EQ(strlen(text_of(5e-324)), 326);
    CHECK_EQ(strlen(text_of(-2.2250738585072014e-308)), 327);
    CHECK_STR(text_of(__builtin_nan("")), "NaN");
    CHECK_STR(text_of(-__builtin_nan("")), "NaN");
    CHECK_STR(text_of(__builtin_inf()), "inf");
    CHECK_STR(text_of(-__builtin_inf()), "-inf");
    CHECK_EQ(strlen(text_of(1.7976931348623157e308)), 311);
}

RV_TEST(known_floats)
{
    char out[RV_DOUBLE_TEXT_SIZE + 1];
    out[rv_float_text(1.1F, out)] = '\0';
    CHECK_STR(out, "1.1");
    out[rv_float_text(16777216.0F, out)] = '\0';
    CHECK_STR(out, "16777216.0");
    out[rv_float_text(3.4028235e38F, out)] = '\0';
    CHECK_STR(out, "340282350000000000000000000000000000000.0");
    out[rv_float_text(1e-45F, out)] = '\0';
    CHECK_STR(out, "0.000000000000000000000000000000000000000000001");
    out[rv_float_text(-0.0F, out)] = '\0';
    CHECK_STR(out, "-0.0");
}

static uint64_t state = 0x2545F4914F6CDD1DU;
static uint64_t draw(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static double double_of(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static double drawn_double(void)
{
    uint64_t bits = draw();
    switch (draw() % 8) {
    case 0: /* few significant bits: powers of two and their neighbours */
        return double_of((bits & 0xFFF0000000000000U) + draw() % 3 - 1);
    case 1: /* subnormal */
        return double_of(bits & 0x800FFFFFFFFFFFFFU);
    case 2: /* money */
        return (double)(int64_t)(bits >> 30) / 100;
    default:
        return double_of(bits);
    }
}

static void scientific(double v, char *text, unsigned *n)
{
    char digits[20];
    int exp10;
    *n = rv_double_digits(v, digits, &exp10);
    (void)snprintf(text, 48, "%s0.%.*se%d", v < 0 ? "-" : "", (int)*n, digits, exp10);
}

/* 2e6 random bit patterns: the digits read back as the same double. */
RV_TEST(doubles_read_back)
{
    for (int i = 0; i < 2000000; i++) {
        double v = drawn_double();
        char text[48];
        unsigned n;
        if (!isfinite(v) || v == 0)
            continue;
        scientific(v, text, &n);
        double back = strtod(text, NULL);
        if (memcmp(&back, &v, sizeof v) != 0)
            (void)printf("%a printed as %s\n", v, text);
        REQUIRE(memcmp(&back, &v, sizeof v) == 0);
    }
}

/* No shorter text reads back, and none of that length lies closer (as printf rounds it). */
RV_TEST(doubles_are_shortest_and_closest)
{
    for (int i = 0; i < 60000; i++) {
        double v = drawn_double();
        char text[48];
        char want[48];
        unsigned n;
        if (!isfinite(v) || v == 0)
            continue;
        scientific(v, text, &n);
        (void)snprintf(want, sizeof want, "%.*e", (int)n - 1, v);
        if (n > 1) {
            char shorter[48];
            (void)snprintf(shorter, sizeof shorter, "%.*e", (int)n - 2, v);
            CHECK(strtod(shorter, NULL) != v);
        }
        /* where printf's digits read back they are the closest; else ours are a neighbour */
        if (strtod(want, NULL) == v) {
            long double ours = strtold(text, NULL);
            long double theirs = strtold(want, NULL);
            long double exact = (long double)v;
            CHECK(fabsl(ours - exact) <= fabsl(theirs - exact) * 1.0000000001L);
        }
    }
}

static bool float_reads_back(uint32_t bits)
{
    float v;
    char text[RV_DOUBLE_TEXT_SIZE + 1];
    memcpy(&v, &bits, sizeof v);
    if (!isfinite(v))
        return true;
    text[rv_float_text(v, text)] = '\0';
    float back = strtof(text, NULL);
    return memcmp(&back, &v, sizeof v) == 0;
}

static unsigned count_digits(const char *text)
{
    const char *first = NULL;
    const char *last = NULL;
    unsigned points = 0;
    for (const char *p = text; *p; p++) {
        if (*p >= '1' && *p <= '9') {
            first = first ? first : p;
            last = p;
        }
    }
    for (const char *p = first; first && p <= last; p++)
        points += *p == '.';
    return first ? (unsigned)(last - first + 1) - points : 1;
}

RV_TEST(floats_read_back_and_are_shortest)
{
    for (int i = 0; i < 300000; i++) {
        uint32_t bits = (uint32_t)draw();
        if (!float_reads_back(bits))
            (void)printf("float %08x\n", bits);
        REQUIRE(float_reads_back(bits));
    }
    for (uint32_t e = 0; e < 255; e++)
        for (uint32_t near = 0; near < 3; near++)
            REQUIRE(float_reads_back((e << 23) + near - (e ? 1 : 0)));
    for (int i = 0; i < 50000; i++) {
        float v;
        char text[RV_DOUBLE_TEXT_SIZE + 1];
        char shorter[48];
        uint32_t bits = (uint32_t)draw();
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v))
            continue;
        text[rv_float_text(v, text)] = '\0';
        unsigned n = count_digits(text);
        if (n < 2)
            continue;
        (void)snprintf(shorter, sizeof shorter, "%.*e", (int)n - 2, (double)v);
        CHECK(strtof(shorter, NULL) != v);
    }
}

/* The positional text itself, not only its digits. */
RV_TEST(positional_texts_read_back)
{
    for (int i = 0; i < 100000; i++) {
        double v = drawn_double();
        char out[RV_DOUBLE_TEXT_SIZE + 1];
        if (!isfinite(v))
            continue;
        unsigned n = rv_double_text(v, out);
        out[n] = '\0';
        CHECK(n <= RV_DOUBLE_TEXT_SIZE);
        CHECK(strpbrk(out, "eE") == NULL && strchr(out, '.') != NULL);
        double back = strtod(out, NULL);
        CHECK(memcmp(&back, &v, sizeof v) == 0);
    }
}

static void check_cell(rv_type type, const void *values, const uint32_t *offsets, const char *want)
{
    rv_error err;
    rv_buf out = RV_BUF_INIT;
    uint8_t copy[64];
    uint32_t offs[2] = {0, 0};
    unsigned width = rv_layout_width(rv_type_layout(type));
    memcpy(copy, values, width ? width : offsets[1]);
    if (offsets)
        memcpy(offs, offsets, sizeof offs);
    rv_col col = {.type = type, .rows = 1, .values = copy, .offsets = offs};
    REQUIRE(rv_render_value(&col, 0, &out, &err) == RV_OK);
    CHECK_STR(rv_buf_cstr(&out), want);
    rv_buf_free(&out);
}

RV_TEST(cells_of_every_kind)
{
    static const uint8_t uuid[16] = {0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3,
                                     0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0xFF};
    static const int64_t least = INT64_MIN;
    static const uint64_t most = UINT64_MAX;
    static const int32_t small = -7;
    static const float f = 0.1F;
    static const double d = 2.5;
    static const int64_t cents = -5;
    static const uint64_t wide[4] = {1, 0, 0, 0};
    static const uint32_t three[] = {0, 3};
    static const uint32_t none[] = {0, 0};
    check_cell(rv_type_of(RV_BOOL), "\1", NULL, "true");
    check_cell(rv_type_of(RV_BOOL), "\0", NULL, "false");
    check_cell(rv_type_of(RV_INT16), &small, NULL, "-7");
    check_cell(rv_type_of(RV_INT32), &small, NULL, "-7");
    check_cell(rv_type_of(RV_INT64), &least, NULL, "-9223372036854775808");
    check_cell(rv_type_of(RV_UINT64), &most, NULL, "18446744073709551615");
    check_cell(rv_type_of(RV_FLOAT32), &f, NULL, "0.1");
    check_cell(rv_type_of(RV_FLOAT64), &d, NULL, "2.5");
    check_cell(rv_type_decimal(4, 2), &cents, NULL, "-0.05");
    check_cell(rv_type_decimal(20, 0), wide, NULL, "1");
    check_cell(rv_type_decimal(40, 3), wide, NULL, "0.001");
    check_cell(rv_type_of(RV_DATE), &small, NULL, "1969-12-25");
    check_cell(rv_type_of(RV_TIME), wide, NULL, "00:00:00.000001");
    check_cell(rv_type_of(RV_TIMESTAMP), wide, NULL, "1970-01-01T00:00:00.000001");
    check_cell(rv_type_of(RV_TIMESTAMP_TZ), wide, NULL, "1970-01-01T00:00:00.000001Z");
    check_cell(rv_type_of(RV_TIMESTAMP_NS), wide, NULL, "1970-01-01T00:00:00.000000001");
    check_cell(rv_type_of(RV_TIMESTAMP_TZ_NS), wide, NULL, "1970-01-01T00:00:00.000000001Z");
    check_cell(rv_type_of(RV_STRING), "a\"b", three, "a\"b");
    check_cell(rv_type_of(RV_STRING), "", none, "");
    check_cell(rv_type_of(RV_BINARY), "\0\xAB\xCD", three, "00abcd");
    check_cell(rv_type_of(RV_JSON), "[1]", three, "[1]");
    check_cell(rv_type_of(RV_ENUM), "red", three, "red");
    check_cell(rv_type_of(RV_INTERVAL), "P1D", three, "P1D");
    check_cell(rv_type_of(RV_UUID), uuid, NULL, "123e4567-e89b-12d3-a456-4266141740ff");
}

RV_TEST_MAIN(RV_CASE(known_doubles), RV_CASE(known_floats), RV_CASE(doubles_read_back),
             RV_CASE(doubles_are_shortest_and_closest), RV_CASE(floats_read_back_and_are_shortest),
             RV_CASE(positional_texts_read_back), RV_CASE(cells_of_every_kind))
