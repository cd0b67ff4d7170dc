#include "format/parquet/levels.h"

#include <assert.h>
#include <string.h>

#include "format/parquet/pack.h"

/* Bit-packed runs are cut so that their header stays within four bytes. */
#define PACKED_MAX ((size_t)1 << 26)

size_t rv_pq_hybrid_bound(size_t n, unsigned width)
{
    /* packed payload, rounded to lanes, and a header for every alternation of run kinds */
    return (n + RV_PACK_LANE) / RV_PACK_LANE * (4 * (size_t)width + 16) + 32;
}

static size_t put_rle(uint8_t *out, size_t count, uint32_t value, unsigned width)
{
    size_t n = rv_pq_varint((uint64_t)count << 1, out);
    for (unsigned b = 0; b < width; b += 8)
        out[n++] = (uint8_t)(value >> b);
    return n;
}

size_t rv_pq_levels_constant(unsigned level, size_t n, uint8_t *out)
{
    return n ? put_rle(out, n, level, 1) : 0;
}

/* How many whole words from `from` on equal `word`. */
static size_t same_words(const uint8_t *bits, size_t from, size_t n_words, uint64_t word)
{
    size_t i = from;
    while (i < n_words && rv_pq_load64(bits + 8 * i) == word)
        i++;
    return i - from;
}

static size_t literal_words(const uint8_t *bits, size_t from, size_t n_words)
{
    size_t i = from;
    while (i < n_words) {
        uint64_t w = rv_pq_load64(bits + 8 * i);
        if (w == 0 || w == UINT64_MAX)
            break;
        i++;
    }
    return i - from;
}

static size_t put_literal(uint8_t *out, const uint8_t *bits, size_t bytes)
{
    size_t n = rv_pq_varint(((uint64_t)bytes << 1) | 1, out);
    memcpy(out + n, bits, bytes);
    return n + bytes;
}

/* The bits after the last whole word: at most 63. */
static size_t put_tail(uint8_t *out, const uint8_t *bits, size_t n)
{
    uint64_t word = 0;
    memcpy(&word, bits, (n + 7) / 8);
    if (word == 0 || word == (UINT64_C(1) << n) - 1)
        return put_rle(out, n, word != 0, 1);
    return put_literal(out, bits, (n + 7) / 8);
}

size_t rv_pq_levels_bitmap(const uint8_t *bits, size_t n, uint8_t *out)
{
    size_t n_words = n / 64, i = 0, len = 0;
    assert(n < PACKED_MAX);
    while (i < n_words) {
        size_t run = literal_words(bits, i, n_words);
        if (run > 0) {
            len += put_literal(out + len, bits + 8 * i, 8 * run);
        } else {
            uint64_t word = rv_pq_load64(bits + 8 * i);
            run = same_words(bits, i, n_words, word);
            len += put_rle(out + len, 64 * run, word != 0, 1);
        }
        i += run;
    }
    if (n % 64)
        len += put_tail(out + len, bits + 8 * n_words, n % 64);
    return len;
}

static int lane_equal(const uint16_t *v)
{
    uint16_t diff = 0;
    for (unsigned i = 1; i < RV_PACK_LANE; i++)
        diff = (uint16_t)(diff | (v[i] ^ v[0]));
    return diff == 0;
}

static size_t run_length(const uint16_t *v, size_t n)
{
    size_t i = RV_PACK_LANE;
    while (i < n && v[i] == v[0])
        i++;
    return i;
}

static void pack_lane(const uint16_t *v, unsigned width, uint8_t *out)
{
    uint32_t wide[RV_PACK_LANE];
    for (unsigned i = 0; i < RV_PACK_LANE; i++)
        wide[i] = v[i];
    rv_pq_pack32(wide, width, out);
}

/* A literal run of whole lanes. */
static size_t put_lanes(uint8_t *out, const uint16_t *v, size_t lanes, unsigned width)
{
    size_t n = rv_pq_varint(((uint64_t)lanes * (RV_PACK_LANE / 8) << 1) | 1, out);
    for (size_t i = 0; i < lanes; i++, n += 4 * (size_t)width)
        pack_lane(v + i * RV_PACK_LANE, width, out + n);
    return n;
}

/* Fewer than 32 values at the end, padded with zeros to a multiple of eight. */
static size_t put_rest(uint8_t *out, const uint16_t *v, size_t n, unsigned width)
{
    uint16_t lane[RV_PACK_LANE] = {0};
    uint8_t packed[4 * 32];
    size_t groups = (n + 7) / 8;
    memcpy(lane, v, n * sizeof *v);
    pack_lane(lane, width, packed);
    size_t len = rv_pq_varint(((uint64_t)groups << 1) | 1, out);
    memcpy(out + len, packed, groups * width);
    return len + groups * width;
}

size_t rv_pq_hybrid_u16(const uint16_t *values, size_t n, unsigned width, uint8_t *out)
{
    size_t i = 0, len = 0;
    assert(width >= 1 && width <= 16);
    while (n - i >= RV_PACK_LANE) {
        size_t start = i;
        while (n - i >= RV_PACK_LANE && i - start < PACKED_MAX && !lane_equal(values + i))
            i += RV_PACK_LANE;
        if (i > start)
            len += put_lanes(out + len, values + start, (i - start) / RV_PACK_LANE, width);
        if (n - i < RV_PACK_LANE || i - start >= PACKED_MAX)
            continue;
        size_t run = run_length(values + i, n - i);
        len += put_rle(out + len, run, values[i], width);
        i += run;
    }
    if (i < n)
        len += put_rest(out + len, values + i, n - i, width);
    return len;
}
