/* Smallest and largest values: orders, NaN, zeros, cutting at 64 bytes. */
#include <math.h>

#include "format/parquet/stats.h"
#include "rvtest.h"

static rv_pq_bounds of_fixed(rv_pq_order order, const void *values, size_t n, unsigned width)
{
    rv_pq_bounds b = {.any = false};
    rv_pq_values v = {values, NULL, n, width};
    CHECK_EQ(rv_pq_bounds_of(order, false, &v, &b, NULL), RV_OK);
    return b;
}

static rv_pq_bounds of_text(bool text, const char *const *items, size_t n)
{
    rv_pq_bounds b = {.any = false};
    rv_buf bytes = RV_BUF_INIT;
    uint32_t lengths[16];
    for (size_t i = 0; i < n; i++) {
        lengths[i] = (uint32_t)strlen(items[i]);
        CHECK_EQ(rv_buf_add(&bytes, items[i], lengths[i], NULL), RV_OK);
    }
    rv_pq_values v = {bytes.ptr, lengths, n, 0};
    CHECK_EQ(rv_pq_bounds_of(RV_PQ_ORDER_BYTES, text, &v, &b, NULL), RV_OK);
    rv_buf_free(&bytes);
    return b;
}

static void check_bound(const rv_buf *b, const void *want, size_t len)
{
    CHECK_MEM(b->ptr, b->len, want, len);
}

RV_TEST(integers)
{
    static const int32_t i32[] = {5, -7, 3, 100, -2, INT32_MIN, INT32_MAX};
    static const int64_t i64[] = {5, -7, 3, INT64_MAX, -2, INT64_MIN, 9};
    static const uint64_t u64[] = {5, UINT64_MAX, 3, UINT64_C(1) << 63, 9};
    rv_pq_bounds b = of_fixed(RV_PQ_ORDER_I32, i32, 5, 4);
    check_bound(&b.min, &i32[1], 4);
    check_bound(&b.max, &i32[3], 4);
    CHECK(b.min_exact && b.max_exact && b.has_max);
    rv_pq_bounds_free(&b);
    b = of_fixed(RV_PQ_ORDER_I64, i64, 7, 8);
    check_bound(&b.min, &i64[5], 8);
    check_bound(&b.max, &i64[3], 8);
    rv_pq_bounds_free(&b);
    b = of_fixed(RV_PQ_ORDER_U64, u64, 5, 8);
    check_bound(&b.min, &u64[2], 8);
    check_bound(&b.max, &u64[1], 8);
    rv_pq_bounds_free(&b);
    b = of_fixed(RV_PQ_ORDER_I64, i64, 0, 8);
    CHECK(!b.any);
    rv_pq_bounds_free(&b);
}

RV_TEST(floats)
{
    const double zeros[] = {0.0, 0.0}, minus = -0.0, plus = 0.0;
    const double some[] = {NAN, 2.5, -1.0, NAN}, nans[] = {NAN, NAN};
    const float narrow[] = {-0.0F, NAN, 3.0F};
    rv_pq_bounds b = of_fixed(RV_PQ_ORDER_F64, zeros, 2, 8);
    check_bound(&b.min, &minus, 8);
    check_bound(&b.max, &plus, 8);
    rv_pq_bounds_free(&b);
    b = of_fixed(RV_PQ_ORDER_F64, some, 4, 8);
    check_bound(&b.min, &some[2], 8);
    check_bound(&b.max, &some[1], 8);
    CHECK_EQ(b.nans, 2);
    rv_pq_bounds_free(&b);
    b = of_fixed(RV_PQ_ORDER_F64, nans, 2, 8);
    CHECK(!b.any);
    CHECK_EQ(b.nans, 2);
    rv_pq_bounds_free(&b);
    b = of_fixed(RV_PQ_ORDER_F32, narrow, 3, 4);
    check_bound(&b.min, &narrow[0], 4);
    check_bound(&b.max, &narrow[2], 4);
    CHECK_EQ(b.nans, 1);
    rv_pq_bounds_free(&b);
}

RV_TEST(big_endian_decimals_are_signed)
{
    static const uint8_t v[] = {0x00, 0x05, 0xFF, 0xFE, 0x80, 0x00, 0x7F, 0xFF};
    rv_pq_bounds b = of_fixed(RV_PQ_ORDER_SIGNED_BE, v, 4, 2);
    check_bound(&b.min, v + 4, 2);
    check_bound(&b.max, v + 6, 2);
    rv_pq_bounds_free(&b);
    b = of_fixed(RV_PQ_ORDER_BYTES, v, 4, 2);
    check_bound(&b.min, v, 2);
    check_bound(&b.max, v + 2, 2);
    rv_pq_bounds_free(&b);
}

RV_TEST(strings_order_as_unsigned_bytes)
{
    const char *const items[] = {"b", "abcdefghZ", "abcdefgh", "abcdefghA", "\xC3\xA9", "", "bb"};
    rv_pq_bounds b = of_text(true, items, 5);
    check_bound(&b.min, "abcdefgh", 8);
    check_bound(&b.max, "\xC3\xA9", 2);
    rv_pq_bounds_free(&b);
    b = of_text(true, items, 7);
    check_bound(&b.min, "", 0);
    CHECK(b.any && b.min_exact);
    rv_pq_bounds_free(&b);
    b = of_text(true, items + 1, 3);
    check_bound(&b.max, "abcdefghZ", 9);
    rv_pq_bounds_free(&b);
    const char *const zeros[] = {"ab", "abc", "a"};
    b = of_text(true, zeros, 3);
    check_bound(&b.min, "a", 1);
    check_bound(&b.max, "abc", 3);
    rv_pq_bounds_free(&b);
}

/* 64 bytes of `fill` and a tail. */
static void long_text(char *out, const char *unit, size_t units, const char *tail)
{
    out[0] = 0;
    for (size_t i = 0; i < units; i++)
        strcat(out, unit);
    strcat(out, tail);
}

RV_TEST(cutting)
{
    char text[400], want[80];
    const char *const items[] = {text};
    /* exactly 64 bytes stay */
    long_text(text, "a", 64, "");
    rv_pq_bounds b = of_text(true, items, 1);
    CHECK(b.min_exact && b.max_exact);
    CHECK_EQ(b.max.len, 64);
    rv_pq_bounds_free(&b);
    /* 65: the minimum is cut, the maximum's last letter rises */
    long_text(text, "a", 65, "");
    b = of_text(true, items, 1);
    CHECK(!b.min_exact && !b.max_exact && b.has_max);
    check_bound(&b.min, text, 64);
    long_text(want, "a", 63, "b");
    check_bound(&b.max, want, 64);
    rv_pq_bounds_free(&b);
    /* a code point is never cut: 63 bytes and a two-byte letter */
    long_text(text, "a", 63, "\xC3\xA9zz");
    b = of_text(true, items, 1);
    CHECK_EQ(b.min.len, 63);
    long_text(want, "a", 62, "b");
    check_bound(&b.max, want, 63);
    rv_pq_bounds_free(&b);
    /* U+D7FF is followed by U+E000 */
    long_text(text, "a", 61, "\xED\x9F\xBFzz");
    b = of_text(true, items, 1);
    long_text(want, "a", 61, "\xEE\x80\x80");
    check_bound(&b.max, want, 64);
    rv_pq_bounds_free(&b);
    /* DEL's successor is longer, so the letter before rises */
    long_text(text, "a", 63, "\x7Fz");
    b = of_text(true, items, 1);
    long_text(want, "a", 62, "b");
    check_bound(&b.max, want, 63);
    rv_pq_bounds_free(&b);
    /* nothing follows U+10FFFF: no maximum, and the index keeps it whole */
    long_text(text, "\xF4\x8F\xBF\xBF", 17, "");
    b = of_text(true, items, 1);
    CHECK(b.any && !b.has_max && !b.endless);
    CHECK_EQ(b.max.len, 68);
    rv_pq_bounds_free(&b);
    /* binary drops FF and raises what is left */
    long_text(text, "a", 60, "\xFF\xFF\xFF\xFF\xFF\xFF");
    b = of_text(false, items, 1);
    long_text(want, "a", 59, "b");
    check_bound(&b.max, want, 60);
    rv_pq_bounds_free(&b);
    long_text(text, "\xFF", 70, "");
    b = of_text(false, items, 1);
    CHECK(b.any && !b.has_max);
    rv_pq_bounds_free(&b);
}

RV_TEST(widening)
{
    char a[100], c[100];
    const char *const first[] = {a}, *const second[] = {c};
    rv_pq_bounds total = {.any = false};
    long_text(a, "a", 70, "");
    long_text(c, "a", 63, "b");
    rv_pq_bounds x = of_text(true, first, 1), y = of_text(true, second, 1);
    CHECK_EQ(rv_pq_bounds_widen(RV_PQ_ORDER_BYTES, &total, &x, NULL), RV_OK);
    CHECK(!total.max_exact);
    /* the other page attains the bound that cutting made */
    CHECK_EQ(rv_pq_bounds_widen(RV_PQ_ORDER_BYTES, &total, &y, NULL), RV_OK);
    CHECK(total.max_exact && !total.min_exact);
    rv_pq_bounds_free(&x);
    long_text(a, "\xF4\x8F\xBF\xBF", 17, "");
    x = of_text(true, first, 1);
    CHECK_EQ(rv_pq_bounds_widen(RV_PQ_ORDER_BYTES, &total, &x, NULL), RV_OK);
    CHECK(!total.has_max);
    CHECK_EQ(rv_pq_bounds_widen(RV_PQ_ORDER_BYTES, &total, &y, NULL), RV_OK);
    CHECK(!total.has_max);
    rv_pq_bounds_free(&x);
    rv_pq_bounds_free(&y);
    rv_pq_bounds_free(&total);
}

RV_TEST_MAIN(RV_CASE(integers), RV_CASE(floats), RV_CASE(big_endian_decimals_are_signed),
             RV_CASE(strings_order_as_unsigned_bytes), RV_CASE(cutting), RV_CASE(widening))
