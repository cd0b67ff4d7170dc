#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string.h>

#include "column/canonical_internal.h"
#include "column/cell_hash_internal.h"

#define FROM_REGISTERS_MAX 127 /* bytes beside the tag */

static inline int64_t value_at(const uint8_t *values, unsigned width, uint32_t i)
{
    int32_t narrow;
    int64_t wide;
    if (width == sizeof wide) {
        memcpy(&wide, values + (size_t)i * sizeof wide, sizeof wide);
        return wide;
    }
    memcpy(&narrow, values + (size_t)i * sizeof narrow, sizeof narrow);
    return narrow;
}

void rv_canonical_hash_ints(uint8_t tag, const uint8_t *values, unsigned width, uint32_t n,
                            uint64_t seed, uint64_t *out)
{
    rv_cell_seed s = rv_cell_seed_of(seed);
    for (uint32_t i = 0; i < n; i++)
        out[i] = rv_hash_word(&s, tag, (uint64_t)value_at(values, width, i));
}

void rv_canonical_hash_decimals(uint8_t scale, const uint8_t *values, unsigned width, uint32_t n,
                                uint64_t seed, uint64_t *out)
{
    rv_cell_seed s = rv_cell_seed_of(seed);
    uint8_t tag = rv_canonical_tag(rv_type_of(RV_DECIMAL));
    for (uint32_t i = 0; i < n; i++)
        out[i] = rv_hash_decimal(&s, tag, scale, value_at(values, width, i));
}

void rv_canonical_hash_doubles(const uint8_t *values, uint32_t n, uint64_t seed, uint64_t *out)
{
    rv_cell_seed s = rv_cell_seed_of(seed);
    uint8_t tag = rv_canonical_tag(rv_type_of(RV_FLOAT64));
    double d;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t bits = rv_hash_load8(values + (size_t)i * 8);
        memcpy(&d, &bits, sizeof d);
        out[i] = rv_hash_word(&s, tag, d == d ? bits : RV_NAN_BITS);
    }
}

static uint64_t hash_long(uint8_t tag, rv_bytes b, uint64_t seed)
{
    XXH3_state_t state;
    XXH3_INITSTATE(&state);
    (void)XXH3_64bits_reset_withSeed(&state, seed);
    (void)XXH3_64bits_update(&state, &tag, 1);
    (void)XXH3_64bits_update(&state, b.ptr, b.len);
    return XXH3_64bits_digest(&state);
}

void rv_canonical_hash_spans(uint8_t tag, const rv_bytes *spans, uint32_t n, uint64_t seed,
                             uint64_t *out)
{
    rv_cell_seed s = rv_cell_seed_of(seed);
    for (uint32_t i = 0; i < n; i++)
        out[i] = spans[i].len <= FROM_REGISTERS_MAX
                     ? rv_hash_tagged(&s, tag, spans[i].ptr, spans[i].len)
                     : hash_long(tag, spans[i], seed);
}
