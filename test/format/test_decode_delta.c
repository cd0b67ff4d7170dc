#include "parquet_naive.h"
#include "rvtest.h"

#define N 3000

static rv_status decode(rv_bytes in, uint64_t *out, size_t n)
{
    rv_pq_dbp d;
    rv_error err = {0};
    RV_TRY(rv_pq_dbp_init(&d, in, &err));
    for (size_t at = 0, step = 1; at < n; at += step, step = step * 7 % 1021) {
        step = step < n - at ? step : n - at;
        RV_TRY(rv_pq_dbp_next(&d, out + at, step, &err));
    }
    return rv_pq_dbp_finish(&d, &err);
}

/* Encodings.md, second example: deltas -2 -2 -2 1 1 1 1 after 7, block 128, four miniblocks. */
RV_TEST(documented_example)
{
    static const int64_t want[] = {7, 5, 3, 1, 2, 3, 4, 5};
    static const uint8_t bytes[9 + 1 + 8 + RV_PQ_PAD] = {0x80, 0x01, 4, 8, 14,   3,
                                                         2,    0,    0, 0, 0xC0, 0x3F};
    uint64_t out[8];
    REQUIRE(decode((rv_bytes){bytes, 18}, out, 8) == RV_OK);
    for (size_t i = 0; i < 8; i++)
        CHECK_EQ(out[i], want[i]);
}

static int64_t pick(uint64_t *seed, unsigned pattern, int64_t last, unsigned bits)
{
    uint64_t r = naive_random(seed);
    int64_t v = pattern == 0   ? (int64_t)(r >> (r & 63))
                : pattern == 1 ? (int64_t)((uint64_t)last + r % 100)
                : pattern == 2 ? (int64_t)r
                : pattern == 3 ? (r & 1 ? INT64_MAX : INT64_MIN)
                               : 12345;
    return bits == 32 ? (int32_t)(uint32_t)(uint64_t)v : v;
}

RV_TEST(random_values_of_every_kind)
{
    static int64_t values[N];
    static uint64_t out[N];
    static const unsigned shapes[][2] = {{128, 4}, {128, 1}, {256, 2}, {1024, 32}};
    uint64_t seed = 7;
    for (unsigned round = 0; round < 60; round++) {
        unsigned bits = round & 1 ? 32 : 64, pattern = round % 5;
        size_t count = round < 8 ? round : naive_random(&seed) % N;
        naive *n = naive_new();
        for (size_t i = 0; i < count; i++)
            values[i] = pick(&seed, pattern, i ? values[i - 1] : 0, bits);
        naive_dbp(n, values, count, bits, shapes[round % 4][0], shapes[round % 4][1]);
        size_t used = 0;
        CHECK_EQ(decode(naive_bytes(n), out, count), RV_OK);
        for (size_t i = 0; i < count; i++)
            out[i] = bits == 32 ? (uint64_t)(int32_t)(uint32_t)out[i] : out[i];
        CHECK_MEM(out, count * 8, values, count * 8);
        rv_error err = {0};
        rv_bytes longer = {n->bytes, n->len + 3};
        CHECK_EQ(rv_pq_dbp_length(longer, &used, &err), RV_OK);
        CHECK_EQ(used, n->len);
        CHECK_EQ(decode(longer, out, count), RV_E_CORRUPT);
        if (count > 1)
            CHECK_EQ(decode(naive_bytes(n), out, count - 1), RV_E_CORRUPT);
        CHECK_EQ(decode(naive_bytes(n), out, count + 1), RV_E_CORRUPT);
        free(n);
    }
}

RV_TEST(damaged_headers_are_refused)
{
    uint64_t out[4];
    static const uint8_t cases[][12] = {
        {0x00, 4, 8, 0},              /* block of none */
        {0x7F, 4, 8, 0},              /* not a multiple of 128 */
        {0x80, 0x01, 0, 8, 0},        /* no miniblocks */
        {0x80, 0x01, 3, 8, 0},        /* 128 / 3 */
        {0x80, 0x01, 8, 8, 0},        /* miniblocks of 16 */
        {0x80, 0x01, 4, 8, 0, 0, 65}, /* bit width */
        {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t padded[12 + RV_PQ_PAD] = {0};
        memcpy(padded, cases[i], 12);
        CHECK_EQ(decode((rv_bytes){padded, 12}, out, 4), RV_E_CORRUPT);
    }
    for (size_t len = 0; len < 10; len++) {
        uint8_t cut[12 + RV_PQ_PAD] = {0x80, 0x01, 4, 8, 0, 0, 3, 0, 0, 0};
        CHECK_EQ(decode((rv_bytes){cut, len}, out, 4), RV_E_CORRUPT);
    }
}

/* ---- byte arrays ---- */

static rv_status decode_bytes(rv_bytes in, bool prefixes, const rv_bytes *want, size_t n,
                              bool *same)
{
    rv_pq_delta_bytes d;
    rv_error err = {0};
    rv_buf joined = RV_BUF_INIT;
    rv_bytes out[RV_PQ_SLICE];
    rv_status st = rv_pq_delta_bytes_init(&d, in, prefixes, &err);
    *same = true;
    for (size_t at = 0, step = 1; st == RV_OK && at < n; at += step, step = step * 7 % 1021) {
        step = step < n - at ? step : n - at;
        st = rv_pq_delta_bytes_next(&d, out, step, &joined, &err);
        for (size_t i = 0; st == RV_OK && i < step; i++)
            *same = *same && out[i].len == want[at + i].len &&
                    memcmp(out[i].ptr, want[at + i].ptr, out[i].len) == 0;
    }
    if (st == RV_OK)
        st = rv_pq_delta_bytes_finish(&d, &err);
    rv_buf_free(&joined);
    return st;
}

RV_TEST(random_texts_with_and_without_prefixes)
{
    static char texts[N][40];
    static rv_bytes values[N];
    uint64_t seed = 99;
    for (unsigned round = 0; round < 20; round++) {
        size_t count = round < 4 ? round : naive_random(&seed) % N;
        for (size_t i = 0; i < count; i++) {
            size_t keep = i ? naive_random(&seed) % (values[i - 1].len + 1) : 0;
            size_t len = keep + naive_random(&seed) % (39 - keep);
            if (i)
                memcpy(texts[i], texts[i - 1], keep);
            for (size_t k = keep; k < len; k++)
                texts[i][k] = (char)('a' + naive_random(&seed) % 3);
            values[i] = (rv_bytes){(const uint8_t *)texts[i], len};
        }
        for (int prefixes = 0; prefixes < 2; prefixes++) {
            naive *n = naive_new();
            bool same;
            naive_delta_bytes(n, values, count, prefixes);
            CHECK_EQ(decode_bytes(naive_bytes(n), prefixes, values, count, &same), RV_OK);
            CHECK(same);
            rv_bytes longer = {n->bytes, n->len + 1};
            CHECK_EQ(decode_bytes(longer, prefixes, values, count, &same), RV_E_CORRUPT);
            free(n);
        }
    }
}

RV_TEST(impossible_lengths_are_refused)
{
    static const int64_t prefixes[][2] = {{1, 0}, {0, 4}, {0, -1}};
    static const int64_t lengths[] = {3, 3};
    static const rv_bytes nothing[2];
    bool same;
    for (size_t i = 0; i < 3; i++) {
        naive *n = naive_new();
        naive_dbp(n, prefixes[i], 2, 32, 128, 4);
        naive_dbp(n, lengths, 2, 32, 128, 4);
        for (int k = 0; k < 6; k++)
            naive_byte(n, 'x');
        CHECK_EQ(decode_bytes(naive_bytes(n), true, nothing, 2, &same), RV_E_CORRUPT);
        free(n);
    }
    static const int64_t wrong[][2] = {{4, 3}, {-1, 3}, {7, 0}};
    for (size_t i = 0; i < 3; i++) {
        naive *n = naive_new();
        naive_dbp(n, wrong[i], 2, 32, 128, 4);
        for (int k = 0; k < 6; k++)
            naive_byte(n, 'x');
        CHECK_EQ(decode_bytes(naive_bytes(n), false, nothing, 2, &same), RV_E_CORRUPT);
        free(n);
    }
    naive *n = naive_new(); /* two prefixes, one suffix */
    naive_dbp(n, prefixes[1], 2, 32, 128, 4);
    naive_dbp(n, lengths, 1, 32, 128, 4);
    CHECK_EQ(decode_bytes(naive_bytes(n), true, nothing, 2, &same), RV_E_CORRUPT);
    free(n);
}

/* Each value repeats all of the one before: a few bytes would unfold to gigabytes. */
RV_TEST(prefixes_cannot_unfold_without_end)
{
    static int64_t prefixes[1024], lengths[1024];
    naive *n = naive_new();
    lengths[0] = 500000;
    for (int i = 1; i < 1024; i++)
        prefixes[i] = 500000;
    naive_dbp(n, prefixes, 1024, 32, 128, 4);
    naive_dbp(n, lengths, 1024, 32, 128, 4);
    n->len += 500000;
    rv_pq_delta_bytes d;
    rv_error err = {0};
    rv_bytes out[RV_PQ_SLICE];
    rv_buf joined = RV_BUF_INIT;
    REQUIRE(rv_pq_delta_bytes_init(&d, naive_bytes(n), true, &err) == RV_OK);
    CHECK_EQ(rv_pq_delta_bytes_next(&d, out, 1024, &joined, &err), RV_E_CORRUPT);
    CHECK(joined.cap < 1 << 20);
    rv_buf_free(&joined);
    free(n);
}

RV_TEST_MAIN(RV_CASE(documented_example), RV_CASE(random_values_of_every_kind),
             RV_CASE(damaged_headers_are_refused), RV_CASE(random_texts_with_and_without_prefixes),
             RV_CASE(impossible_lengths_are_refused), RV_CASE(prefixes_cannot_unfold_without_end))
