/* column/cell_hash_internal.h: XXH3_64 of a tag byte and up to 127 bytes, seeded, from registers.
 * Same results as the library (tests compare every length); it exists because a tag stored next
 * to a value and read back with it stalls store forwarding for longer than the hash takes.
 * Source: xxHash specification, XXH3 64 bits, inputs of 1 to 128 bytes. */
#ifndef RV_COLUMN_CELL_HASH_INTERNAL_H
#define RV_COLUMN_CELL_HASH_INTERNAL_H

#include "column/type.h"

/* The default secret's first 128 bytes as little-endian words. */
static const uint64_t rv_xxh3_secret[16] = {
    UINT64_C(0xBE4BA423396CFEB8), UINT64_C(0x1CAD21F72C81017C), UINT64_C(0xDB979083E96DD4DE),
    UINT64_C(0x1F67B3B7A4A44072), UINT64_C(0x78E5C0CC4EE679CB), UINT64_C(0x2172FFCC7DD05A82),
    UINT64_C(0x8E2443F7744608B8), UINT64_C(0x4C263A81E69035E0), UINT64_C(0xCB00C391BB52283C),
    UINT64_C(0xA32E531B8B65D088), UINT64_C(0x4EF90DA297486471), UINT64_C(0xD8ACDEA946EF1938),
    UINT64_C(0x3F349CE33F76FAA8), UINT64_C(0x1D4F0BC7C7BBDCF9), UINT64_C(0x3159B4CD4BE0518A),
    UINT64_C(0x647378D9C97E9FC8),
};

/* What the seed makes of the secret, once per column. */
typedef struct rv_cell_seed {
    uint64_t seed;
    uint64_t flip_3;   /* 1 to 3 bytes */
    uint64_t flip_8;   /* 4 to 8 */
    uint64_t flip_low; /* 9 to 16 */
    uint64_t flip_high;
} rv_cell_seed;

static inline rv_cell_seed rv_cell_seed_of(uint64_t seed)
{
    const uint64_t *s = rv_xxh3_secret;
    uint64_t mixed = seed ^ (uint64_t)__builtin_bswap32((uint32_t)seed) << 32;
    uint32_t low = (uint32_t)s[0] ^ (uint32_t)(s[0] >> 32);
    return (rv_cell_seed){seed, low + seed, (s[1] ^ s[2]) - mixed, (s[3] ^ s[4]) + seed,
                          (s[5] ^ s[6]) - seed};
}

static inline uint64_t rv_hash_load8(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t rv_hash_load4(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t rv_hash_fold(uint64_t a, uint64_t b)
{
    rv_ui128 product = (rv_ui128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t rv_hash_finish(uint64_t h)
{
    h ^= h >> 37;
    h *= UINT64_C(0x165667919E3779F9);
    return h ^ (h >> 32);
}

/* 1 to 3 bytes: first, middle, last. */
static inline uint64_t rv_hash_3(const rv_cell_seed *s, uint32_t first, uint32_t middle,
                                 uint32_t last, unsigned len)
{
    uint64_t h = (first << 16 | middle << 24 | last | len << 8) ^ s->flip_3;
    h ^= h >> 33;
    h *= UINT64_C(0xC2B2AE3D27D4EB4F);
    h ^= h >> 29;
    h *= UINT64_C(0x165667B19E3779F9);
    return h ^ (h >> 32);
}

/* 4 to 8 bytes: the first four and the last four. */
static inline uint64_t rv_hash_8(const rv_cell_seed *s, uint32_t first, uint32_t last, size_t len)
{
    uint64_t h = (last + ((uint64_t)first << 32)) ^ s->flip_8;
    h ^= (h << 49 | h >> 15) ^ (h << 24 | h >> 40);
    h *= UINT64_C(0x9FB21C651E98DF25);
    h ^= (h >> 35) + len;
    h *= UINT64_C(0x9FB21C651E98DF25);
    return h ^ (h >> 28);
}

/* 9 to 16 bytes: the first eight and the last eight. */
static inline uint64_t rv_hash_16(const rv_cell_seed *s, uint64_t first, uint64_t last, size_t len)
{
    uint64_t low = first ^ s->flip_low;
    uint64_t high = last ^ s->flip_high;
    return rv_hash_finish(len + __builtin_bswap64(low) + high + rv_hash_fold(low, high));
}

static inline uint64_t rv_hash_pair(const rv_cell_seed *s, uint64_t low, uint64_t high,
                                    unsigned word)
{
    return rv_hash_fold(low ^ (rv_xxh3_secret[word] + s->seed),
                        high ^ (rv_xxh3_secret[word + 1] - s->seed));
}

static inline uint64_t rv_hash_at(const rv_cell_seed *s, const uint8_t *p, unsigned word)
{
    return rv_hash_pair(s, rv_hash_load8(p), rv_hash_load8(p + 8), word);
}

/* The tag and 16 to 127 bytes. Offsets are one less than the specification's: p lacks the tag. */
static inline uint64_t rv_hash_128(const rv_cell_seed *s, uint8_t tag, const uint8_t *p, size_t len)
{
    uint64_t h = (len + 1) * UINT64_C(0x9E3779B185EBCA87);
    if (len > 31) {
        if (len > 63) {
            if (len > 95)
                h += rv_hash_at(s, p + 47, 12) + rv_hash_at(s, p + len - 64, 14);
            h += rv_hash_at(s, p + 31, 8) + rv_hash_at(s, p + len - 48, 10);
        }
        h += rv_hash_at(s, p + 15, 4) + rv_hash_at(s, p + len - 32, 6);
    }
    h += rv_hash_pair(s, rv_hash_load8(p) << 8 | tag, rv_hash_load8(p + 7), 0);
    return rv_hash_finish(h + rv_hash_at(s, p + len - 16, 2));
}

/* The tag and up to 127 bytes at p. */
static inline uint64_t rv_hash_tagged(const rv_cell_seed *s, uint8_t tag, const uint8_t *p,
                                      size_t len)
{
    if (len >= 16)
        return rv_hash_128(s, tag, p, len);
    if (len >= 8)
        return rv_hash_16(s, rv_hash_load8(p) << 8 | tag, rv_hash_load8(p + len - 8), len + 1);
    if (len >= 4)
        return rv_hash_8(s, rv_hash_load4(p) << 8 | tag, rv_hash_load4(p + len - 4), len + 1);
    if (len == 3) {
        uint32_t all = tag | (uint32_t)p[0] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 24;
        return rv_hash_8(s, all, all, 4);
    }
    unsigned middle = len ? p[0] : tag;
    return rv_hash_3(s, tag, middle, len ? p[len - 1] : tag, (unsigned)len + 1);
}

/* The tag and eight bytes: most cells. */
static inline uint64_t rv_hash_word(const rv_cell_seed *s, uint8_t tag, uint64_t v)
{
    return rv_hash_16(s, v << 8 | tag, v, 9);
}

/* A decimal: tag, scale and 1 to 8 bytes of one machine word, without memory between. */
static inline uint64_t rv_hash_decimal(const rv_cell_seed *s, uint8_t tag, uint8_t scale, int64_t v)
{
    uint64_t beyond_sign = v < 0 ? ~(uint64_t)v : (uint64_t)v;
    unsigned n = (64 - (unsigned)__builtin_clzll(beyond_sign << 1 | 1) + 7) / 8;
    uint64_t be = __builtin_bswap64((uint64_t)v << (64 - 8 * n)); /* as it lies in memory */
    uint64_t first = be << 16 | (uint64_t)scale << 8 | tag;
    if (n >= 7) {
        rv_ui128 all = (rv_ui128)(be >> 48) << 64 | first;
        return rv_hash_16(s, first, (uint64_t)(all >> (8 * (n - 6))), n + 2);
    }
    if (n >= 2)
        return rv_hash_8(s, (uint32_t)first, (uint32_t)(first >> (8 * (n - 2))), n + 2);
    return rv_hash_3(s, tag, scale, (uint32_t)be, 3);
}

#endif
