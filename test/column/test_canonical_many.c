/* A column at a time must hash as one by one, over every length, width and special double. */
#include <math.h>
#include <string.h>

#include "column/canonical.h"
#include "rvtest.h"

#define N 400u
#define SEED UINT64_C(0x1234567890ABCDEF)

static uint64_t next(uint64_t *r)
{
    *r ^= *r << 13;
    *r ^= *r >> 7;
    *r ^= *r << 17;
    return *r;
}

static uint64_t one(rv_type t, const rv_cell *cell)
{
    rv_buf scratch = RV_BUF_INIT;
    rv_error err;
    uint64_t hash = 0;
    CHECK(rv_canonical_hash(t, cell, SEED, &scratch, &hash, &err) == RV_OK);
    rv_buf_free(&scratch);
    return hash;
}

RV_TEST(spans_of_every_length)
{
    static uint8_t bytes[N];
    rv_bytes spans[N];
    uint64_t out[N], r = 7;
    for (uint32_t i = 0; i < N; i++) {
        bytes[i] = (uint8_t)next(&r);
        spans[i] = (rv_bytes){bytes, i};
    }
    rv_canonical_hash_spans(rv_canonical_tag(rv_type_of(RV_BINARY)), spans, N, SEED, out);
    for (uint32_t i = 0; i < N; i++) {
        rv_cell cell = {.bytes = spans[i]};
        CHECK(out[i] == one(rv_type_of(RV_BINARY), &cell));
    }
}

RV_TEST(integers_and_decimals_of_both_widths)
{
    int64_t wide[N];
    int32_t narrow[N];
    uint64_t out[4][N], r = 11;
    const rv_type dec = {RV_DECIMAL, 18, 4, 0};
    for (uint32_t i = 0; i < N; i++) {
        wide[i] = (int64_t)(next(&r) >> (r % 64)) * (i % 2 ? -1 : 1);
        narrow[i] = (int32_t)wide[i];
    }
    uint8_t tag = rv_canonical_tag(rv_type_of(RV_TIMESTAMP));
    rv_canonical_hash_ints(tag, (const uint8_t *)wide, 8, N, SEED, out[0]);
    rv_canonical_hash_ints(tag, (const uint8_t *)narrow, 4, N, SEED, out[1]);
    rv_canonical_hash_decimals(4, (const uint8_t *)wide, 8, N, SEED, out[2]);
    rv_canonical_hash_decimals(4, (const uint8_t *)narrow, 4, N, SEED, out[3]);
    for (uint32_t i = 0; i < N; i++) {
        rv_cell w = {.i64 = wide[i], .dec = rv_i256_from_i64(wide[i])};
        rv_cell n = {.i64 = narrow[i], .dec = rv_i256_from_i64(narrow[i])};
        CHECK(out[0][i] == one(rv_type_of(RV_TIMESTAMP), &w));
        CHECK(out[1][i] == one(rv_type_of(RV_TIMESTAMP), &n));
        CHECK(out[2][i] == one(dec, &w));
        CHECK(out[3][i] == one(dec, &n));
    }
}

RV_TEST(doubles_with_nan_and_zeros)
{
    double values[] = {0.0, -0.0, 1.5, -1.5, INFINITY, -INFINITY, NAN, -NAN, 5e-324};
    uint64_t out[sizeof values / sizeof values[0]];
    uint32_t n = sizeof values / sizeof values[0];
    rv_canonical_hash_doubles((const uint8_t *)values, n, SEED, out);
    for (uint32_t i = 0; i < n; i++) {
        rv_cell cell = {.f64 = values[i]};
        CHECK(out[i] == one(rv_type_of(RV_FLOAT64), &cell));
    }
    CHECK(out[0] != out[1]);
    CHECK(out[6] == out[7]);
}

RV_TEST_MAIN(RV_CASE(spans_of_every_length), RV_CASE(integers_and_decimals_of_both_widths),
             RV_CASE(doubles_with_nan_and_zeros))
