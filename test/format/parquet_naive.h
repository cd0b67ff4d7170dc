/* Parquet's encodings written the plainest way that can be, bit by bit, for decoders to be
 * compared with. Buffers end with the padding the decoders want; len does not count it. */
#ifndef RV_TEST_PARQUET_NAIVE_H
#define RV_TEST_PARQUET_NAIVE_H

#include <stdlib.h>
#include <string.h>

#include "format/parquet/decode.h"

typedef struct naive {
    uint8_t bytes[1 << 20];
    size_t len;
    unsigned bit; /* of the byte being filled */
} naive;

static inline naive *naive_new(void)
{
    return calloc(1, sizeof(naive));
}
static inline rv_bytes naive_bytes(const naive *n)
{
    return (rv_bytes){n->bytes, n->len};
}
static inline void naive_byte(naive *n, unsigned b)
{
    n->bytes[n->len++] = (uint8_t)b;
}
static inline void naive_varint(naive *n, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        naive_byte(n, (unsigned)(v & 0x7F) | 0x80);
    naive_byte(n, (unsigned)v);
}
static inline void naive_zigzag(naive *n, int64_t v)
{
    naive_varint(n, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}
static inline void naive_bits(naive *n, uint64_t v, unsigned width)
{
    for (unsigned k = 0; k < width; k++) {
        if (n->bit == 0)
            naive_byte(n, 0);
        n->bytes[n->len - 1] |= (uint8_t)((v >> k & 1) << n->bit);
        n->bit = (n->bit + 1) % 8;
    }
}
static inline void naive_align(naive *n)
{
    n->bit = 0;
}
static inline uint64_t naive_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* Equal neighbours become runs when there are at least min_run, the rest bit-packed groups. */
static inline void naive_hybrid(naive *out, const uint32_t *v, size_t n, unsigned width,
                                size_t min_run)
{
    for (size_t i = 0; i < n;) {
        size_t run = 1;
        while (i + run < n && v[i + run] == v[i])
            run++;
        if (run >= min_run) {
            naive_varint(out, run << 1);
            for (unsigned k = 0; k < (width + 7) / 8; k++)
                naive_byte(out, v[i] >> (8 * k) & 0xFF);
            i += run;
            continue;
        }
        naive_varint(out, 1 << 1 | 1);
        for (size_t k = 0; k < 8; k++, i++)
            naive_bits(out, i < n ? v[i] : 0, width);
        naive_align(out);
    }
}

static inline void naive_dbp(naive *out, const int64_t *v, size_t n, unsigned bits, unsigned block,
                             unsigned minis)
{
    unsigned per = block / minis;
    uint64_t mask = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    naive_varint(out, block);
    naive_varint(out, minis);
    naive_varint(out, n);
    naive_zigzag(out, n ? v[0] : 0);
    for (size_t at = 1; at < n; at += block) {
        size_t count = n - at < block ? n - at : block;
        int64_t min = INT64_MAX;
        for (size_t i = at; i < at + count; i++) {
            int64_t d = (int64_t)((uint64_t)v[i] - (uint64_t)v[i - 1]);
            d = bits == 32 ? (int32_t)(uint32_t)d : d;
            min = d < min ? d : min;
        }
        naive_zigzag(out, min);
        size_t widths_at = out->len;
        for (unsigned m = 0; m < minis; m++)
            naive_byte(out, 0);
        for (unsigned m = 0; m < minis && (size_t)m * per < count; m++) {
            unsigned width = 0;
            for (int pass = 0; pass < 2; pass++) {
                for (size_t i = at + (size_t)m * per; i < at + (size_t)(m + 1) * per; i++) {
                    uint64_t d = i < at + count
                                     ? ((uint64_t)v[i] - (uint64_t)v[i - 1] - (uint64_t)min) & mask
                                     : 0;
                    if (pass == 1)
                        naive_bits(out, d, width);
                    else
                        while (width < 64 && d >> width)
                            width++;
                }
                out->bytes[widths_at + m] = (uint8_t)width;
            }
            naive_align(out);
        }
    }
}

/* DELTA_BYTE_ARRAY; without prefixes DELTA_LENGTH_BYTE_ARRAY. */
static inline void naive_delta_bytes(naive *out, const rv_bytes *v, size_t n, bool prefixes)
{
    int64_t *numbers = calloc(n + 1, sizeof *numbers);
    for (size_t i = 1; prefixes && i < n; i++) {
        size_t same = 0;
        while (same < v[i].len && same < v[i - 1].len && v[i].ptr[same] == v[i - 1].ptr[same])
            same++;
        numbers[i] = (int64_t)same;
    }
    int64_t *lengths = calloc(n + 1, sizeof *lengths);
    for (size_t i = 0; i < n; i++)
        lengths[i] = (int64_t)v[i].len - numbers[i];
    if (prefixes)
        naive_dbp(out, numbers, n, 32, 128, 4);
    naive_dbp(out, lengths, n, 32, 128, 4);
    for (size_t i = 0; i < n; i++)
        for (size_t k = (size_t)numbers[i]; k < v[i].len; k++)
            naive_byte(out, v[i].ptr[k]);
    free(numbers);
    free(lengths);
}

#endif
