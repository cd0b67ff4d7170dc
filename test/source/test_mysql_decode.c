/* Decoders of both row protocols, the splitter of binary rows: values, edges, hostile bytes. */
#include <float.h>

#include "../base/sweep.h"
#include "mysql_decode.h"

#define CHECK_CELL(fld, want)                                                                      \
    do {                                                                                           \
        field f_ = (fld);                                                                          \
        CHECK_EQ(mysd_decode(&d, f_.bytes, f_.n), RV_OK);                                          \
        CHECK_STR(d.text, want);                                                                   \
    } while (0)
#define CHECK_REFUSED(fld, word)                                                                   \
    do {                                                                                           \
        field f_ = (fld);                                                                          \
        CHECK_EQ(mysd_decode(&d, f_.bytes, f_.n), RV_E_VALUE);                                     \
        CHECK(strstr(d.err.text, word));                                                           \
    } while (0)

static mysd d;

static int random_below(uint64_t *state, int below)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (int)((*state >> 33) % (uint64_t)below);
}

static field text(const char *s)
{
    field f = {.n = strlen(s)};
    memcpy(f.bytes, s, f.n);
    return f;
}
static field bits_of_float(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return le(bits, 4);
}
static field bits_of_double(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return le(bits, 8);
}

static bool bind(enum enum_field_types type, unsigned long length, unsigned decimals,
                 unsigned flags, const char *word, bool as_text)
{
    rv_status st = mysd_bind(&d, mysd_field(type, length, decimals, flags, 63), word, as_text);
    if (st != RV_OK)
        printf("bind: %s\n", d.err.text);
    return st == RV_OK;
}

RV_TEST(integers)
{
    REQUIRE(bind(MYSQL_TYPE_TINY, 4, 0, 0, NULL, false));
    CHECK_CELL(le(0x80, 1), "-128");
    REQUIRE(bind(MYSQL_TYPE_TINY, 3, 0, UNSIGNED_FLAG, NULL, false));
    CHECK_CELL(le(0xff, 1), "255");
    REQUIRE(bind(MYSQL_TYPE_SHORT, 6, 0, 0, NULL, false));
    CHECK_CELL(le(0x8000, 2), "-32768");
    REQUIRE(bind(MYSQL_TYPE_SHORT, 5, 0, UNSIGNED_FLAG, NULL, false));
    CHECK_CELL(le(0xffff, 2), "65535");
    REQUIRE(bind(MYSQL_TYPE_INT24, 9, 0, 0, NULL, false));
    CHECK_CELL(le(0xff800000, 4), "-8388608");
    REQUIRE(bind(MYSQL_TYPE_LONG, 10, 0, UNSIGNED_FLAG, NULL, false));
    CHECK_CELL(le(0xffffffff, 4), "4294967295");
    REQUIRE(bind(MYSQL_TYPE_LONGLONG, 20, 0, 0, NULL, false));
    CHECK_CELL(le(UINT64_C(1) << 63, 8), "-9223372036854775808");
    REQUIRE(bind(MYSQL_TYPE_LONGLONG, 20, 0, UNSIGNED_FLAG, NULL, false));
    CHECK_CELL(le(UINT64_MAX, 8), "18446744073709551615");
    REQUIRE(bind(MYSQL_TYPE_YEAR, 4, 0, UNSIGNED_FLAG, NULL, false));
    CHECK_CELL(le(0, 2), "0");
    REQUIRE(bind(MYSQL_TYPE_LONGLONG, 20, 0, UNSIGNED_FLAG, NULL, true));
    CHECK_CELL(text("18446744073709551615"), "18446744073709551615");
    CHECK_EQ(mysd_decode(&d, "18446744073709551616", 20), RV_E_SOURCE_CHANGED);
    REQUIRE(bind(MYSQL_TYPE_LONG, 6, 0, UNSIGNED_FLAG | ZEROFILL_FLAG, NULL, true));
    CHECK_CELL(text("000042"), "42");
    REQUIRE(bind(MYSQL_TYPE_LONGLONG, 20, 0, 0, NULL, true));
    CHECK_CELL(text("-9223372036854775808"), "-9223372036854775808");
    CHECK_EQ(mysd_decode(&d, "-9223372036854775809", 20), RV_E_SOURCE_CHANGED);
    CHECK_EQ(mysd_decode(&d, "", 0), RV_E_SOURCE_CHANGED);
}

RV_TEST(booleans_and_bits)
{
    for (int as_text = 0; as_text < 2; as_text++) {
        REQUIRE(bind(MYSQL_TYPE_TINY, 1, 0, 0, NULL, as_text != 0));
        CHECK_CELL(as_text ? text("1") : le(1, 1), "true");
        CHECK_CELL(as_text ? text("0") : le(0, 1), "false");
        CHECK_REFUSED(as_text ? text("-1") : le(0xff, 1), "override with x: int2");
        CHECK_REFUSED(as_text ? text("2") : le(2, 1), "2 of a tinyint(1)");
        REQUIRE(bind(MYSQL_TYPE_TINY, 1, 0, 0, "int2", as_text != 0));
        CHECK_CELL(as_text ? text("-1") : le(0xff, 1), "-1");
        REQUIRE(bind(MYSQL_TYPE_BIT, 1, 0, UNSIGNED_FLAG, NULL, as_text != 0));
        CHECK_CELL(le(1, 1), "true");
        REQUIRE(bind(MYSQL_TYPE_BIT, 17, 0, UNSIGNED_FLAG, NULL, as_text != 0));
        CHECK_CELL(le(0x010001, 3), "65537");
        REQUIRE(bind(MYSQL_TYPE_BIT, 64, 0, UNSIGNED_FLAG, NULL, as_text != 0));
        CHECK_CELL(le(UINT64_MAX, 8), "18446744073709551615");
        REQUIRE(bind(MYSQL_TYPE_BIT, 17, 0, UNSIGNED_FLAG, "text", as_text != 0));
        CHECK_CELL(le(0x000001, 3), "65536"); /* big-endian */
    }
}

RV_TEST(decimals_and_floats)
{
    REQUIRE(bind(MYSQL_TYPE_NEWDECIMAL, 14, 2, 0, NULL, false));
    CHECK_CELL(text("-1234567890.12"), "-1234567890.12");
    CHECK_CELL(text("0.00"), "0.00");
    CHECK_CELL(text("-0.05"), "-0.05");
    CHECK_CELL(text("0000000012.50"), "12.50"); /* zerofill */
    REQUIRE(bind(MYSQL_TYPE_NEWDECIMAL, 67, 30, 0, NULL, false));
    CHECK_CELL(text("-12345678901234567890123456789012345.123456789012345678901234567890"),
               "-12345678901234567890123456789012345.123456789012345678901234567890");
    REQUIRE(bind(MYSQL_TYPE_NEWDECIMAL, 19, 0, 0, NULL, false));
    CHECK_CELL(text("-123456789012345678"), "-123456789012345678");
    /* nineteen digits may be more than a word holds */
    REQUIRE(bind(MYSQL_TYPE_NEWDECIMAL, 19, 0, UNSIGNED_FLAG, NULL, false));
    CHECK_CELL(text("9228568219872135365"), "9228568219872135365");
    CHECK_CELL(text("9999999999999999999"), "9999999999999999999");
    REQUIRE(bind(MYSQL_TYPE_NEWDECIMAL, 21, 3, 0, NULL, false));
    CHECK_CELL(text("9999999999999999.999"), "9999999999999999.999");
    CHECK_CELL(text("-9999999999999999.999"), "-9999999999999999.999");
    CHECK_EQ(mysd_decode(&d, "12x", 3), RV_E_VALUE);
    CHECK_EQ(mysd_decode(&d, "", 0), RV_E_VALUE);
    CHECK_EQ(mysd_decode(&d, "-", 1), RV_E_VALUE);
    REQUIRE(bind(MYSQL_TYPE_FLOAT, 12, 31, 0, NULL, false));
    CHECK_CELL(bits_of_float(1.1F), "1.1");
    CHECK_CELL(bits_of_float(-0.0F), "-0.0");
    REQUIRE(bind(MYSQL_TYPE_FLOAT, 12, 31, 0, "float8", false));
    CHECK_CELL(bits_of_float(1.1F), "1.100000023841858");
    REQUIRE(bind(MYSQL_TYPE_DOUBLE, 22, 31, 0, NULL, false));
    CHECK_CELL(bits_of_double(0.1), "0.1");
    REQUIRE(bind(MYSQL_TYPE_DOUBLE, 22, 31, 0, NULL, true));
    CHECK_CELL(text("1e300"), d.text);
    CHECK_CELL(text("-0"), "-0.0");
    CHECK_EQ(mysd_decode(&d, "1.5x", 4), RV_E_SOURCE_CHANGED);
    REQUIRE(bind(MYSQL_TYPE_DOUBLE, 22, 31, 0, "float4", false));
    CHECK_CELL(bits_of_double(0.1), "0.1");
    CHECK_REFUSED(bits_of_double(DBL_MAX), "float");
    CHECK_EQ(mysd_bind(&d, mysd_field(MYSQL_TYPE_FLOAT, 12, 31, 0, 63), "text", true), RV_OK);
}

RV_TEST(dates_and_times)
{
    for (int as_text = 0; as_text < 2; as_text++) {
        bool t = as_text != 0;
        REQUIRE(bind(MYSQL_TYPE_DATE, 10, 0, 128, NULL, t));
        CHECK_CELL(t ? text("2024-02-29") : when(2024, 2, 29, 0, 0, 0, 0), "2024-02-29");
        CHECK_CELL(t ? text("1000-01-01") : when(1000, 1, 1, 0, 0, 0, 0), "1000-01-01");
        CHECK_CELL(t ? text("9999-12-31") : when(9999, 12, 31, 0, 0, 0, 0), "9999-12-31");
        CHECK_CELL(t ? text("0000-03-01") : when(0, 3, 1, 0, 0, 0, 0), "0000-03-01");
        CHECK_REFUSED(t ? text("2023-02-31") : when(2023, 2, 31, 0, 0, 0, 0), "2023-02-31");
        REQUIRE(bind(MYSQL_TYPE_DATETIME, 26, 6, 128, NULL, t));
        CHECK_CELL(t ? text("2024-02-29 23:59:59.000004") : when(2024, 2, 29, 23, 59, 59, 4),
                   "2024-02-29T23:59:59.000004");
        CHECK_CELL(t ? text("1969-12-31 23:59:59.500000") : when(1969, 12, 31, 23, 59, 59, 500000),
                   "1969-12-31T23:59:59.500000");
        CHECK_CELL(t ? text("2024-02-29 00:00:00.000000") : when(2024, 2, 29, 0, 0, 0, 0),
                   "2024-02-29T00:00:00.000000");
        REQUIRE(bind(MYSQL_TYPE_TIMESTAMP, 23, 3, 128, NULL, t));
        CHECK_CELL(t ? text("2024-02-29 01:02:03.500") : when(2024, 2, 29, 1, 2, 3, 500000),
                   "2024-02-29T01:02:03.500000Z");
        REQUIRE(bind(MYSQL_TYPE_TIME, 17, 6, 128, NULL, t));
        CHECK_CELL(t ? text("10:11:12.500000") : span(false, 0, 10, 11, 12, 500000),
                   "10:11:12.500000");
        CHECK_CELL(t ? text("00:00:00.000000") : (field){.n = 0}, "00:00:00.000000");
        CHECK_REFUSED(t ? text("-00:00:00.000001") : span(true, 0, 0, 0, 0, 1),
                      "override with x: text");
        CHECK_REFUSED(t ? text("24:00:00.000000") : span(false, 1, 0, 0, 0, 0), "24:00:00");
        CHECK_REFUSED(t ? text("-838:59:59.000000") : span(true, 34, 22, 59, 59, 0), "-838:59:59");
        REQUIRE(bind(MYSQL_TYPE_TIME, 10, 0, 128, "text", t));
        CHECK_CELL(t ? text("-838:59:59") : span(true, 34, 22, 59, 59, 0), "-838:59:59");
        CHECK_CELL(t ? text("00:00:00") : (field){.n = 0}, "00:00:00");
    }
}

RV_TEST(zero_dates)
{
    for (int as_text = 0; as_text < 2; as_text++) {
        bool t = as_text != 0;
        REQUIRE(bind(MYSQL_TYPE_DATE, 10, 0, 128, NULL, t));
        CHECK_CELL(t ? text("0000-00-00") : (field){.n = 0}, "NULL");
        CHECK_EQ(d.replaced, 1);
        CHECK_CELL(t ? text("2024-00-10") : when(2024, 0, 10, 0, 0, 0, 0), "NULL");
        CHECK_CELL(t ? text("2024-01-01") : when(2024, 1, 1, 0, 0, 0, 0), "2024-01-01");
        CHECK_EQ(d.replaced, 0);
        d.column.zero_date_fail = true;
        CHECK_REFUSED(t ? text("0000-00-00") : (field){.n = 0}, "zero date");
        REQUIRE(bind(MYSQL_TYPE_DATETIME, 26, 6, 128, NULL, t));
        CHECK_CELL(t ? text("0000-00-00 00:00:00.000000") : (field){.n = 0}, "NULL");
        REQUIRE(bind(MYSQL_TYPE_DATETIME, 26, 6, 128, "date", t));
        CHECK_CELL(t ? text("0000-00-00 00:00:00.000000") : (field){.n = 0}, "NULL");
        CHECK_EQ(d.replaced, 1);
        CHECK_CELL(t ? text("2024-01-02 00:00:00.000000") : when(2024, 1, 2, 0, 0, 0, 0),
                   "2024-01-02");
        CHECK_REFUSED(t ? text("2024-01-02 00:00:00.000001") : when(2024, 1, 2, 0, 0, 0, 1),
                      "2024-01-02");
        REQUIRE(bind(MYSQL_TYPE_DATETIME, 22, 2, 128, "text", t));
        CHECK_CELL(t ? text("2024-00-00 10:00:00.12") : when(2024, 0, 0, 10, 0, 0, 120000),
                   "2024-00-00 10:00:00.12");
        CHECK_CELL(t ? text("0000-00-00 00:00:00.00") : (field){.n = 0}, "0000-00-00 00:00:00.00");
    }
}

RV_TEST(bytes_and_uuids)
{
    REQUIRE(mysd_bind(&d, mysd_text_field(), "uuid", false) == RV_OK);
    CHECK_CELL(text("30313233-3435-3637-3839-616263646566"),
               "30313233-3435-3637-3839-616263646566");
    CHECK_REFUSED(text("0123456789abcdef"), "uuid"); /* 16 characters are no raw bytes */
    REQUIRE(bind(MYSQL_TYPE_STRING, 16, 0, 128, "uuid", false));
    CHECK_CELL(text("0123456789abcdef"), "30313233-3435-3637-3839-616263646566");
    REQUIRE(bind(MYSQL_TYPE_VAR_STRING, 8, 0, 128, NULL, false));
    CHECK_CELL(((field){.bytes = "a\0\xff", .n = 3}), "6100ff");
    REQUIRE(bind(MYSQL_TYPE_VAR_STRING, 8, 0, 128, "text", false));
    CHECK_CELL(text("abc"), "abc");
    CHECK_EQ(mysd_decode(&d, "\xff", 1), RV_E_VALUE);
    REQUIRE(mysd_bind(&d, mysd_field(MYSQL_TYPE_STRING, 4, 0, ENUM_FLAG, 45), NULL, false) ==
            RV_OK);
    CHECK_CELL(text(""), ""); /* invalid index 0 */
}

RV_TEST(overrides)
{
    for (int as_text = 0; as_text < 2; as_text++) {
        bool t = as_text != 0;
        REQUIRE(bind(MYSQL_TYPE_LONGLONG, 20, 0, UNSIGNED_FLAG, "decimal(20,0)", t));
        CHECK_CELL(t ? text("18446744073709551615") : le(UINT64_MAX, 8), "18446744073709551615");
        REQUIRE(bind(MYSQL_TYPE_LONGLONG, 20, 0, UNSIGNED_FLAG, "int8", t));
        CHECK_REFUSED(t ? text("18446744073709551615") : le(UINT64_MAX, 8), "decimal(20,0)");
        REQUIRE(bind(MYSQL_TYPE_LONG, 11, 0, 0, "int2", t));
        CHECK_REFUSED(t ? text("70000") : le(70000, 4), "70000");
        REQUIRE(bind(MYSQL_TYPE_LONG, 11, 0, 0, "float4", t));
        CHECK_CELL(t ? text("16777216") : le(16777216, 4), "16777216.0");
        CHECK_REFUSED(t ? text("16777217") : le(16777217, 4), "round");
        REQUIRE(bind(MYSQL_TYPE_LONG, 6, 0, UNSIGNED_FLAG | ZEROFILL_FLAG, "text", t));
        CHECK_CELL(t ? text("000042") : le(42, 4), "42");
        REQUIRE(bind(MYSQL_TYPE_YEAR, 4, 0, UNSIGNED_FLAG, "text", t));
        CHECK_CELL(t ? text("0000") : le(0, 2), "0000");
        REQUIRE(bind(MYSQL_TYPE_NEWDECIMAL, 14, 2, 0, "int4", t));
        CHECK_CELL(text("12.00"), "12");
        CHECK_REFUSED(text("12.50"), "12.5");
        REQUIRE(bind(MYSQL_TYPE_NEWDECIMAL, 14, 4, 0, "decimal(10,2)", t));
        CHECK_CELL(text("12.5000"), "12.50");
        CHECK_REFUSED(text("12.5010"), "12.5010");
        REQUIRE(bind(MYSQL_TYPE_DOUBLE, 22, 31, 0, "decimal(10,2)", t));
        CHECK_CELL(t ? text("0.1") : bits_of_double(0.1), "0.10");
        CHECK_REFUSED(t ? text("0.125") : bits_of_double(0.125), "0.125");
        REQUIRE(bind(MYSQL_TYPE_DATETIME, 26, 6, 128, "timestamp_ns", t));
        CHECK_CELL(t ? text("2024-01-02 03:04:05.000006") : when(2024, 1, 2, 3, 4, 5, 6),
                   "2024-01-02T03:04:05.000006000");
        CHECK_REFUSED(t ? text("2300-01-01 00:00:00.000000") : when(2300, 1, 1, 0, 0, 0, 0),
                      "2300");
        REQUIRE(mysd_bind(&d, mysd_text_field(), "int4", t) == RV_OK);
        CHECK_CELL(text("-5"), "-5");
        CHECK_REFUSED(text("5x"), "5x");
    }
}

/* ---- rows ---- */

RV_TEST(rows_are_split)
{
    /* int, NULL, datetime of 4 bytes, text of 300 bytes, empty text */
    static const uint8_t widths[] = {4, 4, 0, 255, 255};
    uint8_t packet[400] = {0, 2 << 2, 7, 0, 0, 0, 4, 0xe8, 7, 1, 1, 0xfc, 0x2c, 1};
    rv_mys_cell cells[5];
    size_t n = 14 + 300 + 1;
    REQUIRE(rv_mys_split((rv_bytes){packet, n}, widths, 5, cells));
    CHECK_EQ(cells[0].n, 4);
    CHECK(cells[1].data == NULL);
    CHECK_EQ(cells[2].n, 4);
    CHECK_EQ(cells[3].n, 300);
    CHECK_EQ(cells[4].n, 0);
    CHECK(cells[4].data != NULL);
    for (size_t cut = 0; cut < n; cut++) { /* every shorter packet, in memory of its own size */
        uint8_t *copy = malloc(cut ? cut : 1);
        memcpy(copy, packet, cut);
        CHECK(!rv_mys_split((rv_bytes){copy, cut}, widths, 5, cells));
        free(copy);
    }
    packet[11] = 0xff; /* no length */
    CHECK(!rv_mys_split((rv_bytes){packet, n}, widths, 5, cells));
    packet[11] = 0xfe; /* one beyond 2^63 */
    memset(packet + 12, 0xff, 8);
    CHECK(!rv_mys_split((rv_bytes){packet, n}, widths, 5, cells));
}

/* Fields of every length and content never reach beyond their end (run under ASan). */
RV_TEST(hostile_fields)
{
    static const enum enum_field_types types[] = {
        MYSQL_TYPE_TINY, MYSQL_TYPE_SHORT,      MYSQL_TYPE_LONG,      MYSQL_TYPE_LONGLONG,
        MYSQL_TYPE_YEAR, MYSQL_TYPE_NEWDECIMAL, MYSQL_TYPE_DOUBLE,    MYSQL_TYPE_BIT,
        MYSQL_TYPE_DATE, MYSQL_TYPE_DATETIME,   MYSQL_TYPE_TIMESTAMP, MYSQL_TYPE_TIME};
    static const char *const words[] = {NULL, "text", "decimal(12,2)", "int4", "timestamp_ns"};
    static const char alphabet[] = "0123456789-:. e";
    uint64_t seed = 7;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        for (size_t w = 0; w < 2 * sizeof words / sizeof words[0]; w++) {
            bool t = w % 2;
            if (mysd_bind(&d, mysd_field(types[i], 12, 2, 0, 63), words[w / 2], t) != RV_OK)
                continue;
            for (int round = 0; round < 100; round++) {
                field f = {.n = 0};
                int n = random_below(&seed, 30);
                for (int k = 0; k < n; k++)
                    put(&f,
                        t ? (uint64_t)alphabet[random_below(&seed, 15)]
                          : (uint64_t)random_below(&seed, 256),
                        1);
                rv_status st = mysd_decode(&d, f.bytes, f.n);
                CHECK(st == RV_OK || st == RV_E_VALUE || st == RV_E_SOURCE_CHANGED);
            }
        }
}

static rv_status sweep_decode(void)
{
    if (!bind(MYSQL_TYPE_NEWDECIMAL, 67, 30, 0, NULL, false))
        return d.err.code;
    RV_TRY(mysd_decode(&d, "1.000000000000000000000000000001", 32));
    if (!bind(MYSQL_TYPE_VAR_STRING, 80, 0, 0, NULL, true))
        return d.err.code;
    return mysd_decode(&d, "some text", 9);
}

RV_TEST(allocations_fail)
{
    sweep_alloc(sweep_decode);
}

RV_TEST_MAIN(RV_CASE(integers), RV_CASE(booleans_and_bits), RV_CASE(decimals_and_floats),
             RV_CASE(dates_and_times), RV_CASE(zero_dates), RV_CASE(bytes_and_uuids),
             RV_CASE(overrides), RV_CASE(rows_are_split), RV_CASE(hostile_fields),
             RV_CASE(allocations_fail))
