/* Decoders of binary fields: values of spec "types" section 3, its edges, and hostile fields. */
#include <float.h>
#include <math.h>

#include "../base/sweep.h"
#include "postgres_decode.h"

#define GROUPS(...)                                                                                \
    ((int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int))), (const int[])                             \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define NEGATIVE 0x4000

static pgd p;

static bool bind(uint32_t oid, int32_t typmod, const char *word)
{
    return pgd_bind(&p, pgd_facts(oid, typmod, "label"), word) == RV_OK && p.supported;
}

static void check(field f, const char *want)
{
    CHECK_EQ(pgd_decode(&p, f.bytes, f.n), RV_OK);
    if (p.err.code)
        printf("%s\n", p.err.text);
    CHECK_STR(p.text, want);
}

static void refused(field f, rv_status st, const char *text)
{
    CHECK_EQ(pgd_decode(&p, f.bytes, f.n), st);
    if (text)
        CHECK_STR(p.err.text, text);
}

static field be(uint64_t v, int bytes)
{
    field f = {.n = 0};
    put(&f, v, bytes);
    return f;
}

static field bits_of_double(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return be(bits, 8);
}

static field bits_of_float(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return be(bits, 4);
}

static field text(const char *s)
{
    field f = {.n = 0};
    put_text(&f, s);
    return f;
}

RV_TEST(numbers)
{
    REQUIRE(bind(16, -1, NULL));
    check(be(1, 1), "true");
    check(be(0, 1), "false");
    REQUIRE(bind(21, -1, NULL));
    check(be(0x8000, 2), "-32768");
    REQUIRE(bind(23, -1, NULL));
    check(be(0x80000000, 4), "-2147483648");
    REQUIRE(bind(20, -1, NULL));
    check(be(UINT64_C(1) << 63, 8), "-9223372036854775808");
    CHECK_EQ(pgd_decode(&p, "", -1), RV_OK);
    CHECK_STR(p.text, "NULL");
    REQUIRE(bind(26, -1, NULL));
    check(be(0xffffffff, 4), "4294967295");
    REQUIRE(bind(5069, -1, NULL));
    check(be(UINT64_MAX, 8), "18446744073709551615");
    REQUIRE(bind(701, -1, NULL));
    check(bits_of_double(-0.0), "-0.0");
    check(bits_of_double(NAN), "NaN");
    check(bits_of_double(-INFINITY), "-inf");
    REQUIRE(bind(700, -1, NULL));
    check(bits_of_float(0.1F), "0.1");
    REQUIRE(bind(790, -1, NULL));
    check(be((uint64_t)INT64_C(-1234), 8), "-12.34");
}

RV_TEST(numeric_values)
{
    REQUIRE(bind(1700, numeric_typmod(12, 2), NULL));
    check(numeric(0, 1, 2, GROUPS(1, 2345, 6700)), "12345.67");
    check(numeric(NEGATIVE, -1, 2, GROUPS(100)), "-0.01");
    check(numeric(0, 0, 2, 0, NULL), "0.00");
    check(numeric(0, 1, 0, GROUPS(1)), "10000.00");
    refused(numeric(0, 0, 3, GROUPS(1, 10)), RV_E_VALUE, NULL);      /* 1.001 */
    refused(numeric(0, 2, 0, GROUPS(1000, 0, 0)), RV_E_VALUE, NULL); /* 11 digits before it */
    REQUIRE(bind(1700, numeric_typmod(38, 10), NULL));
    check(numeric(0, 6, 10, GROUPS(9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9900)),
          "9999999999999999999999999999.9999999999");
    check(numeric(NEGATIVE, 0, 10, GROUPS(12, 3456, 7891, 2000)), "-12.3456789120");
    REQUIRE(bind(1700, numeric_typmod(76, 0), NULL));
    check(numeric(0, 18, 0, GROUPS(1)), "1000000000000000000000000000000000000000000000000000000"
                                        "000000000000000000");
    REQUIRE(bind(1700, numeric_typmod(38, 9), NULL)); /* 29 digits before the point */
    check(numeric(0, 7, 9, GROUPS(9, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9000)),
          "99999999999999999999999999999.999999999");
}

RV_TEST(numeric_specials)
{
    static const char *const message =
        "column 'x': numeric NaN/infinity does not fit a decimal; override with x: text";
    REQUIRE(bind(1700, numeric_typmod(12, 2), NULL));
    refused(numeric(0xC000, 0, 0, 0, NULL), RV_E_VALUE, message);
    refused(numeric(0xD000, 0, 0, 0, NULL), RV_E_VALUE, message);
    refused(numeric(0xF000, 0, 0, 0, NULL), RV_E_VALUE, message);
    refused(numeric(0, 0, 2, GROUPS(10000)), RV_E_SOURCE_CHANGED, NULL);
    field f = numeric(0, 0, 2, GROUPS(1));
    f.n--;
    refused(f, RV_E_SOURCE_CHANGED, NULL);
    f.n = 7;
    refused(f, RV_E_SOURCE_CHANGED, NULL);
    refused(numeric(0, 32767, 0, GROUPS(1)), RV_E_VALUE, NULL);
    refused(numeric(0, -32768, 100, GROUPS(1)), RV_E_SOURCE_CHANGED, NULL);
}

static int random_below(uint64_t *seed, int n)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int)((*seed >> 33) % (uint64_t)n);
}

/* The decimal path and the text path give the same digits. */
RV_TEST(numeric_property)
{
    uint64_t seed = 42;
    for (int round = 0; round < 3000; round++) {
        int groups[6], n = random_below(&seed, 6), scale = random_below(&seed, 12);
        int weight = random_below(&seed, 6) - 2;
        for (int i = 0; i < n; i++)
            groups[i] = random_below(&seed, 4) ? random_below(&seed, 10000) : 0;
        int dscale = n && n - 1 - weight > 0 ? 4 * (n - 1 - weight) : 0;
        field f = numeric(random_below(&seed, 2) ? NEGATIVE : 0, weight, dscale, n, groups);
        rv_buf digits = RV_BUF_INIT;
        bool ok = false;
        REQUIRE(rv_pgs_numeric_text(f.bytes, f.n, &digits, &ok, NULL) == RV_OK && ok);
        REQUIRE(bind(1700, numeric_typmod(60, scale), NULL));
        rv_status st = pgd_decode(&p, f.bytes, f.n);
        rv_i256 want;
        rv_decimal_fit fit = rv_decimal_parse(rv_buf_str(&digits), 60, (unsigned)scale, &want);
        CHECK_EQ(st, fit == RV_DECIMAL_OK ? RV_OK : RV_E_VALUE);
        if (fit == RV_DECIMAL_OK) {
            char text_want[RV_DECIMAL_TEXT_SIZE + 1];
            text_want[rv_decimal_text(want, (unsigned)scale, text_want)] = '\0';
            CHECK_STR(p.text, text_want);
        }
        rv_buf_free(&digits);
    }
}

#define DAY_US INT64_C(86400000000)

RV_TEST(dates_and_times)
{
    REQUIRE(bind(1082, -1, NULL));
    check(be(0, 4), "2000-01-01");
    check(be((uint32_t)-2451545, 4), "-4713-11-24"); /* the first day: 4714-11-24 BC */
    check(be(2145031948, 4), "+5874897-12-31");
    refused(be(INT32_MAX, 4), RV_E_VALUE,
            "column 'x': date infinity does not fit a date; override with x: text");
    refused(be(0x80000000, 4), RV_E_VALUE,
            "column 'x': date -infinity does not fit a date; override with x: text");
    REQUIRE(bind(1083, -1, NULL));
    check(be((uint64_t)(DAY_US - 1), 8), "23:59:59.999999");
    refused(be((uint64_t)DAY_US, 8), RV_E_VALUE,
            "column 'x': time 24:00:00 does not fit a time of day; override with x: text");
    refused(be((uint64_t)-1, 8), RV_E_VALUE, NULL);
    REQUIRE(bind(1114, -1, NULL));
    check(be((uint64_t)INT64_C(-946684800000001), 8), "1969-12-31T23:59:59.999999");
    refused(be((uint64_t)INT64_MAX, 8), RV_E_VALUE, NULL);
    refused(be((uint64_t)INT64_MIN, 8), RV_E_VALUE, NULL);
    refused(be((uint64_t)(INT64_MAX - 1), 8), RV_E_VALUE, NULL);
    REQUIRE(bind(1184, -1, NULL));
    check(be(0, 8), "2000-01-01T00:00:00.000000Z");
}

static field timetz(int64_t us, int32_t west)
{
    field f = be((uint64_t)us, 8);
    put(&f, (uint32_t)west, 4);
    return f;
}

static field interval(int64_t us, int32_t days, int32_t months)
{
    field f = be((uint64_t)us, 8);
    put(&f, (uint32_t)days, 4);
    put(&f, (uint32_t)months, 4);
    return f;
}

RV_TEST(zoned_times_and_intervals)
{
    REQUIRE(bind(1266, -1, NULL));
    check(timetz(0, 0), "00:00:00.000000+00");
    check(timetz(INT64_C(45296789012), -19800), "12:34:56.789012+05:30");
    check(timetz(DAY_US, 3600), "24:00:00.000000-01");
    check(timetz(0, 12345), "00:00:00.000000-03:25:45");
    refused(timetz(DAY_US + 1, 0), RV_E_SOURCE_CHANGED, NULL);
    REQUIRE(bind(1186, -1, NULL));
    check(interval(0, 0, 0), "PT0S");
    check(interval(INT64_C(14706789000), 3, 14), "P1Y2M3DT4H5M6.789000S");
    check(interval(-INT64_C(3661500000), -3, -14), "P-1Y-2M-3DT-1H-1M-1.500000S");
    check(interval(-500000, 0, 0), "PT-0.500000S");
    check(interval(500000, 0, -1), "P-1MT0.500000S");
    check(interval(INT64_C(3600000000), 0, 0), "PT1H");
    check(interval(INT64_MIN, 0, 0), "PT-2562047788H-54.775808S");
    check(interval(0, INT32_MIN, INT32_MIN), "P-178956970Y-8M-2147483648D");
    refused(interval(INT64_MAX, INT32_MAX, INT32_MAX), RV_E_VALUE, NULL);
}

RV_TEST(texts)
{
    REQUIRE(bind(25, -1, NULL));
    check(text("caf\xc3\xa9 "), "caf\xc3\xa9 ");
    check(text(""), "");
    refused(text("a\xff"), RV_E_VALUE, NULL); /* a SQL_ASCII database */
    REQUIRE(bind(1042, 8, NULL));
    check(text("ab  "), "ab  ");
    REQUIRE(bind(114, -1, NULL));
    check(text("{\"a\" :1}"), "{\"a\" :1}");
    REQUIRE(bind(3802, -1, NULL));
    check(text("\1{\"a\": 1}"), "{\"a\": 1}");
    refused(text("\2{}"), RV_E_SOURCE_CHANGED, NULL);
    refused(text(""), RV_E_SOURCE_CHANGED, NULL);
    REQUIRE(bind(17, -1, NULL));
    check(text("\1\377"), "01ff");
    REQUIRE(bind(2950, -1, NULL));
    check(text("0123456789abcdef"), "30313233-3435-3637-3839-616263646566");
    refused(text("0123"), RV_E_SOURCE_CHANGED, NULL);
}

static field net(int family, int bits, int cidr, const char *hex)
{
    field f = be((uint64_t)family, 1);
    put(&f, (uint64_t)bits, 1);
    put(&f, (uint64_t)cidr, 1);
    put(&f, strlen(hex) / 2, 1);
    for (size_t i = 0; hex[i]; i += 2) {
        char pair[3] = {hex[i], hex[i + 1], 0};
        put(&f, strtoul(pair, NULL, 16), 1);
    }
    return f;
}

RV_TEST(addresses)
{
    REQUIRE(bind(869, -1, NULL));
    check(net(2, 32, 0, "c0a80001"), "192.168.0.1");
    check(net(2, 24, 0, "c0a80001"), "192.168.0.1/24");
    check(net(3, 128, 0, "20010db8000000000000000000000001"), "2001:db8::1");
    check(net(3, 128, 0, "00000000000000000000000000000000"), "::");
    check(net(3, 128, 0, "00000000000000000000000000000001"), "::1");
    check(net(3, 128, 0, "00000000000000000000ffff0102ff04"), "::ffff:1.2.255.4");
    check(net(3, 64, 0, "20010db8000100000001000000000000"), "2001:db8:1:0:1::/64");
    check(net(3, 128, 0, "00010000000000020000000000000003"), "1:0:0:2::3");
    refused(net(4, 32, 0, "c0a80001"), RV_E_SOURCE_CHANGED, NULL);
    refused(net(2, 33, 0, "c0a80001"), RV_E_SOURCE_CHANGED, NULL);
    refused(net(2, 32, 0, "c0a800"), RV_E_SOURCE_CHANGED, NULL);
    REQUIRE(bind(650, -1, NULL));
    check(net(2, 32, 1, "c0a80001"), "192.168.0.1/32");
    REQUIRE(bind(829, -1, NULL));
    check(text("\x08\x01\x2b\x01\x02\xff"), "08:01:2b:01:02:ff");
    REQUIRE(bind(774, -1, NULL));
    check(text("\x08\x01\x2b\x01\x02\xff\x7f\x10"), "08:01:2b:01:02:ff:7f:10");
    refused(text("\x08\x01\x2b\x01\x02\xff\x7f"), RV_E_SOURCE_CHANGED, NULL);
}

RV_TEST(bit_strings)
{
    REQUIRE(bind(1562, -1, NULL));
    field f = be(10, 4);
    put(&f, 0xA5, 1);
    put(&f, 0xC0, 1);
    check(f, "1010010111");
    check(be(0, 4), "");
    f = be(9, 4);
    put(&f, 0xA5, 1);
    refused(f, RV_E_SOURCE_CHANGED, NULL);
    refused(be(0xffffffff, 4), RV_E_SOURCE_CHANGED, NULL);
    field wide = be(600, 4);
    for (int i = 0; i < 75; i++)
        put(&wide, 0xff, 1);
    CHECK_EQ(pgd_decode(&p, wide.bytes, wide.n), RV_OK);
    CHECK_EQ(strlen(p.text), 600);
}

RV_TEST(hstore_json)
{
    REQUIRE(pgd_bind(&p, pgd_facts(70002, -1, "hstore"), NULL) == RV_OK);
    check(be(0, 4), "{}");
    field f = be(2, 4);
    put(&f, 1, 4);
    put_text(&f, "a");
    put(&f, 4, 4);
    put_text(&f, "x\"\n\1");
    put(&f, 1, 4);
    put_text(&f, "b");
    put(&f, 0xffffffff, 4);
    check(f, "{\"a\": \"x\\\"\\n\\u0001\", \"b\": null}");
    for (int32_t n = 0; n < f.n; n++)
        CHECK_EQ(pgd_decode(&p, f.bytes, n), n < 0 ? RV_OK : RV_E_SOURCE_CHANGED);
    refused(be(0xffffffff, 4), RV_E_SOURCE_CHANGED, NULL);
    refused(be(0x7fffffff, 4), RV_E_SOURCE_CHANGED, NULL);
}

static field array_head(int dimensions, uint32_t element)
{
    field f = be((uint64_t)dimensions, 4);
    put(&f, 0, 4);
    put(&f, element, 4);
    return f;
}

RV_TEST(lists)
{
    REQUIRE(pgd_bind(&p, pgd_array(23, -1, "_int4"), NULL) == RV_OK);
    check(array_head(0, 23), "{}");
    field f = array_head(1, 23);
    put(&f, 3, 4);
    put(&f, 1, 4);
    put(&f, 4, 4);
    put(&f, 7, 4);
    put(&f, 0xffffffff, 4);
    put(&f, 4, 4);
    put(&f, 0xffffffff, 4);
    check(f, "{7,NULL,-1}");
    for (int32_t n = 0; n < f.n; n++)
        CHECK_EQ(pgd_decode(&p, f.bytes, n), RV_E_SOURCE_CHANGED);
    CHECK_EQ(pgd_decode(&p, "", -1), RV_OK);
    CHECK_STR(p.text, "NULL");
    field two = array_head(2, 23);
    put(&two, 2, 4);
    put(&two, 1, 4);
    put(&two, 3, 4);
    put(&two, 1, 4);
    refused(two, RV_E_VALUE,
            "column 'x': an array of 2 dimensions [2][3] does not fit a list; override with x: "
            "text");
    refused(array_head(1000, 23), RV_E_SOURCE_CHANGED, NULL);
    refused(array_head(0, 25), RV_E_SOURCE_CHANGED, NULL); /* another element type */
    field endless = array_head(1, 23);
    put(&endless, 0x7fffffff, 4);
    put(&endless, 1, 4);
    refused(endless, RV_E_SOURCE_CHANGED, NULL);

    REQUIRE(pgd_bind(&p, pgd_array(1700, numeric_typmod(6, 1), "_numeric"), NULL) == RV_OK);
    field n = numeric(0, 0, 1, GROUPS(12, 5000));
    f = array_head(1, 1700);
    put(&f, 1, 4);
    put(&f, 1, 4);
    put(&f, (uint64_t)n.n, 4);
    memcpy(f.bytes + f.n, n.bytes, (size_t)n.n);
    f.n += n.n;
    check(f, "{12.5}");
    f.bytes[f.n - n.n + 4] = (char)0xC0; /* NaN among the elements */
    refused(f, RV_E_VALUE, NULL);
}

RV_TEST(overrides)
{
    REQUIRE(bind(20, -1, "int2"));
    check(be(32767, 8), "32767");
    refused(be(32768, 8), RV_E_VALUE, NULL);
    REQUIRE(bind(20, -1, "decimal(21,2)"));
    check(be((uint64_t)INT64_MIN, 8), "-9223372036854775808.00");
    REQUIRE(bind(20, -1, "float8"));
    check(be(UINT64_C(1) << 53, 8), "9007199254740992.0");
    refused(be((UINT64_C(1) << 53) + 1, 8), RV_E_VALUE, NULL);
    REQUIRE(bind(23, -1, "bool"));
    check(be(1, 4), "true");
    refused(be(2, 4), RV_E_VALUE, NULL);
    REQUIRE(bind(16, -1, "int4"));
    check(be(1, 1), "1");
    REQUIRE(bind(1700, -1, "decimal(5,1)"));
    check(numeric(0, 0, 3, GROUPS(1, 5000)), "1.5"); /* 1.500 */
    refused(numeric(0, 0, 3, GROUPS(1, 5100)), RV_E_VALUE, NULL);
    REQUIRE(bind(1700, -1, "int8"));
    check(numeric(0, 0, 2, GROUPS(12)), "12");
    refused(numeric(0, 0, 1, GROUPS(12, 5000)), RV_E_VALUE, NULL);
    refused(numeric(0, 4, 0, GROUPS(9999)), RV_E_VALUE, NULL);
    REQUIRE(bind(1700, -1, "float8"));
    check(numeric(0, 0, 1, GROUPS(12, 5000)), "12.5");
    check(numeric(0xC000, 0, 0, 0, NULL), "NaN");
    REQUIRE(bind(700, -1, "float8"));
    check(bits_of_float(0.1F), "0.10000000149011612");
    REQUIRE(bind(701, -1, "float4"));
    check(bits_of_double(0.1), "0.1");
    refused(bits_of_double(DBL_MAX), RV_E_VALUE, NULL);
    check(bits_of_double(INFINITY), "inf");
    REQUIRE(bind(701, -1, "int4"));
    check(bits_of_double(3.0), "3");
    refused(bits_of_double(3.5), RV_E_VALUE, NULL);
    REQUIRE(bind(701, -1, "decimal(10,2)"));
    check(bits_of_double(0.25), "0.25");
    check(bits_of_double(0.1), "0.10");
    refused(bits_of_double(0.125), RV_E_VALUE, NULL);
    refused(bits_of_double(NAN), RV_E_VALUE, NULL);
    REQUIRE(bind(700, -1, "decimal(10,2)"));
    check(bits_of_float(-0.1F), "-0.10");
    REQUIRE(bind(701, -1, "int8"));
    check(bits_of_double(1e18), "1000000000000000000");
    REQUIRE(bind(790, -1, "decimal(10,4)"));
    check(be(1234, 8), "12.3400");
}

RV_TEST(temporal_and_text_overrides)
{
    REQUIRE(bind(1114, -1, "date"));
    check(be((uint64_t)DAY_US, 8), "2000-01-02");
    refused(be(1, 8), RV_E_VALUE, NULL);
    REQUIRE(bind(1184, -1, "date"));
    check(be((uint64_t)DAY_US, 8), "2000-01-02");
    REQUIRE(bind(1184, -1, "timestamp"));
    check(be(1, 8), "2000-01-01T00:00:00.000001");
    REQUIRE(bind(1114, -1, "timestamp_ns"));
    check(be(1, 8), "2000-01-01T00:00:00.000001000");
    refused(be((uint64_t)(DAY_US * 400000), 8), RV_E_VALUE, NULL); /* beyond 2262 */
    REQUIRE(bind(1082, -1, "timestamptz"));
    check(be(1, 4), "2000-01-02T00:00:00.000000Z");
    REQUIRE(bind(25, -1, "uuid"));
    check(text("30313233-3435-3637-3839-616263646566"), "30313233-3435-3637-3839-616263646566");
    refused(text("not one"), RV_E_VALUE, NULL);
    REQUIRE(bind(17, -1, "uuid"));
    check(text("0123456789abcdef"), "30313233-3435-3637-3839-616263646566");
    refused(text("short"), RV_E_VALUE, NULL);
    REQUIRE(bind(25, -1, "int4"));
    check(text("-5"), "-5");
    refused(text("5x"), RV_E_VALUE, NULL);
    REQUIRE(bind(1083, -1, "text")); /* the server's text comes then */
    CHECK(p.column.as_text);
    check(text("24:00:00"), "24:00:00");
    REQUIRE(bind(3802, -1, "text"));
    CHECK(!p.column.as_text);
    check(text("\1{}"), "{}");
}

/* Fields of every length and content never reach beyond their end (run under ASan). */
RV_TEST(hostile_fields)
{
    static const uint32_t oids[] = {16,   21,   23,   20,   26, 5069, 700,  701,  790, 1082,
                                    1083, 1266, 1114, 1186, 25, 3802, 2950, 1560, 869, 829};
    uint64_t seed = 7;
    for (size_t i = 0; i < sizeof oids / sizeof oids[0]; i++) {
        REQUIRE(bind(oids[i], -1, NULL));
        for (int round = 0; round < 200; round++) {
            field f = {.n = 0};
            int n = random_below(&seed, 24);
            for (int k = 0; k < n; k++)
                put(&f, (uint64_t)random_below(&seed, 256), 1);
            rv_status st = pgd_decode(&p, f.bytes, f.n);
            CHECK(st == RV_OK || st == RV_E_VALUE || st == RV_E_SOURCE_CHANGED);
        }
    }
}

static rv_status sweep_decode(void)
{
    if (!bind(1700, numeric_typmod(60, 2), NULL))
        return p.err.code;
    field n = numeric(0, 12, 2, GROUPS(1));
    rv_status st = pgd_decode(&p, n.bytes, n.n);
    if (st != RV_OK)
        return st;
    if (!bind(1562, -1, NULL))
        return p.err.code;
    field wide = be(600, 4);
    for (int i = 0; i < 75; i++)
        put(&wide, 0xff, 1);
    return pgd_decode(&p, wide.bytes, wide.n);
}

RV_TEST(allocations_fail)
{
    sweep_alloc(sweep_decode);
    rv_arena_free(&p.arena);
}

RV_TEST_MAIN(RV_CASE(numbers), RV_CASE(numeric_values), RV_CASE(numeric_specials),
             RV_CASE(numeric_property), RV_CASE(dates_and_times),
             RV_CASE(zoned_times_and_intervals), RV_CASE(texts), RV_CASE(addresses),
             RV_CASE(bit_strings), RV_CASE(hstore_json), RV_CASE(lists), RV_CASE(overrides),
             RV_CASE(temporal_and_text_overrides), RV_CASE(hostile_fields),
             RV_CASE(allocations_fail))
