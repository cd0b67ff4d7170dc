#include "parquet_naive.h"
#include "rvtest.h"

/* Decodes n values in slices of odd sizes. */
static rv_status decode(rv_bytes in, unsigned width, uint32_t *out, size_t n, bool narrow)
{
    rv_pq_rle r;
    rv_error err = {0};
    uint8_t bytes[RV_PQ_SLICE];
    RV_TRY(rv_pq_rle_init(&r, in, width, &err));
    for (size_t at = 0, step = 1; at < n; at += step, step = step * 5 % 1021) {
        step = step < n - at ? step : n - at;
        if (!narrow) {
            RV_TRY(rv_pq_rle_next(&r, out + at, step, &err));
            continue;
        }
        RV_TRY(rv_pq_rle_next_u8(&r, bytes, step, &err));
        for (size_t i = 0; i < step; i++)
            out[at + i] = bytes[i];
    }
    return rv_pq_rle_finish(&r, true, &err);
}

/* Encodings.md: 0..7 in three bits each. */
RV_TEST(documented_bit_packing)
{
    static const uint8_t bytes[3 + 1 + RV_PQ_PAD] = {0x03, 0x88, 0xC6, 0xFA};
    uint32_t out[8];
    REQUIRE(decode((rv_bytes){bytes, 4}, 3, out, 8, false) == RV_OK);
    for (uint32_t i = 0; i < 8; i++)
        CHECK_EQ(out[i], i);
}

RV_TEST(random_runs_of_every_width)
{
    static uint32_t values[3000], out[3000];
    uint64_t seed = 1;
    for (unsigned width = 0; width <= 32; width++) {
        naive *n = naive_new();
        uint32_t mask = width == 32 ? UINT32_MAX : (1u << width) - 1;
        size_t count = 2000 + naive_random(&seed) % 1000;
        for (size_t i = 0; i < count; i++)
            values[i] =
                i && naive_random(&seed) % 8 ? values[i - 1] : (uint32_t)naive_random(&seed) & mask;
        naive_hybrid(n, values, count, width, 1 + width % 9);
        CHECK_EQ(decode(naive_bytes(n), width, out, count, false), RV_OK);
        CHECK_MEM(out, count * 4, values, count * 4);
        if (width <= 8) {
            CHECK_EQ(decode(naive_bytes(n), width, out, count, true), RV_OK);
            CHECK_MEM(out, count * 4, values, count * 4);
        }
        free(n);
    }
}

static rv_status decode_text(const uint8_t *bytes, size_t len, unsigned width, size_t n)
{
    uint8_t padded[64] = {0};
    uint32_t out[64];
    memcpy(padded, bytes, len);
    return decode((rv_bytes){padded, len}, width, out, n, false);
}

RV_TEST(damaged_runs_are_refused)
{
    static const uint8_t run[] = {0x08, 0x02};             /* four times 2 */
    static const uint8_t two[] = {0x08, 0x02, 0x02, 0x01}; /* and 1 once */
    static const uint8_t wide[] = {0x08, 0x09};            /* nine does not fit three bits */
    static const uint8_t endless[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
    CHECK_EQ(decode_text(run, 2, 3, 4), RV_OK);
    CHECK_EQ(decode_text(run, 2, 3, 5), RV_E_CORRUPT); /* too few */
    CHECK_EQ(decode_text(run, 2, 3, 3), RV_E_CORRUPT); /* too many */
    CHECK_EQ(decode_text(two, 4, 3, 4), RV_E_CORRUPT); /* trailing bytes */
    CHECK_EQ(decode_text(run, 1, 3, 4), RV_E_CORRUPT); /* run without its value */
    CHECK_EQ(decode_text(wide, 2, 3, 4), RV_E_CORRUPT);
    CHECK_EQ(decode_text(endless, 6, 3, 1), RV_E_CORRUPT);
    CHECK_EQ(decode_text(run, 2, 33, 1), RV_E_CORRUPT);
    CHECK_EQ(decode_text(run, 0, 3, 1), RV_E_CORRUPT);
}

RV_TEST(padding_of_the_last_group_may_be_cut)
{
    static const uint8_t cut[] = {0x03, 0x88, 0xC6}; /* two of three bytes: five values */
    CHECK_EQ(decode_text(cut, 3, 3, 5), RV_OK);
    CHECK_EQ(decode_text(cut, 3, 3, 6), RV_E_CORRUPT);
}

RV_TEST(levels_beyond_the_maximum_are_refused)
{
    static const uint8_t bytes[2 + RV_PQ_PAD] = {0x08, 0x03};
    uint8_t out[4];
    rv_pq_levels l;
    rv_error err = {0};
    REQUIRE(rv_pq_levels_init(&l, (rv_bytes){bytes, 2}, RV_PQ_RLE, 3, &err) == RV_OK);
    CHECK_EQ(rv_pq_levels_next(&l, out, 4, &err), RV_OK);
    CHECK_EQ(rv_pq_levels_finish(&l, true, &err), RV_OK);
    REQUIRE(rv_pq_levels_init(&l, (rv_bytes){bytes, 2}, RV_PQ_RLE, 2, &err) == RV_OK);
    CHECK_EQ(rv_pq_levels_next(&l, out, 4, &err), RV_E_CORRUPT);
    CHECK_EQ(rv_pq_levels_init(&l, (rv_bytes){bytes, 2}, RV_PQ_PLAIN, 2, &err), RV_E_CORRUPT);
}

/* The old form packs from the most significant bit: 0..7 in three bits are 05 39 77. */
RV_TEST(levels_of_the_old_form)
{
    static const uint8_t bytes[3 + RV_PQ_PAD] = {0x05, 0x39, 0x77};
    uint8_t out[8];
    rv_pq_levels l;
    rv_error err = {0};
    REQUIRE(rv_pq_levels_init(&l, (rv_bytes){bytes, 3}, RV_PQ_BIT_PACKED, 7, &err) == RV_OK);
    CHECK_EQ(rv_pq_levels_next(&l, out, 5, &err), RV_OK);
    CHECK_EQ(rv_pq_levels_finish(&l, true, &err), RV_E_CORRUPT);
    CHECK_EQ(rv_pq_levels_next(&l, out + 5, 3, &err), RV_OK);
    CHECK_EQ(rv_pq_levels_finish(&l, true, &err), RV_OK);
    CHECK_EQ(rv_pq_levels_next(&l, out, 1, &err), RV_E_CORRUPT);
    for (unsigned i = 5; i < 8; i++)
        CHECK_EQ(out[i], i);
}

RV_TEST_MAIN(RV_CASE(documented_bit_packing), RV_CASE(random_runs_of_every_width),
             RV_CASE(damaged_runs_are_refused), RV_CASE(padding_of_the_last_group_may_be_cut),
             RV_CASE(levels_beyond_the_maximum_are_refused), RV_CASE(levels_of_the_old_form))
