/* base/hash.h: XXH3 and the file digests, and their text forms. Pure functions.
 * Source: xxHash specification (XXH3), RFC 1321 (MD5), Castagnoli CRC-32C. */
#ifndef RV_BASE_HASH_H
#define RV_BASE_HASH_H

#include "base/str.h"

typedef struct rv_u128 {
    uint64_t lo;
    uint64_t hi;
} rv_u128;

uint64_t rv_xxh3(const void *data, size_t len);
uint64_t rv_xxh3_seed(const void *data, size_t len, uint64_t seed);
rv_u128 rv_xxh3_128(const void *data, size_t len);
static inline rv_u128 rv_u128_add(rv_u128 a, rv_u128 b)
{
    rv_u128 r = {a.lo + b.lo, a.hi + b.hi};
    r.hi += r.lo < a.lo;
    return r;
}

/* Lower-case hex of n bytes; out holds 2n+1 bytes. */
void rv_hex(const uint8_t *bytes, size_t n, char *out);
void rv_hex_u64(uint64_t v, char out[17]); /* 16 digits, most significant first */
void rv_hex_u128(rv_u128 v, char out[33]); /* 32 digits, most significant first */
bool rv_unhex(rv_str text, uint8_t *out);  /* text.len must be even; out holds len/2 */

/* Incremental MD5 and XXH3-64 over the same bytes: what every part carries. */
typedef struct rv_md5 {
    uint32_t state[4];
    uint64_t total;
    uint8_t block[64];
} rv_md5;
void rv_md5_init(rv_md5 *m);
void rv_md5_update(rv_md5 *m, const void *data, size_t len);
void rv_md5_final(rv_md5 *m, uint8_t out[16]);

typedef struct rv_digest { /* size, MD5 and XXH3-64 of a byte stream */
    rv_md5 md5;
    void *xxh; /* heap; rv_digest_free */
    uint64_t size_bytes;
} rv_digest;
typedef struct rv_digests {
    uint64_t size_bytes;
    char md5[33];         /* hex */
    char fingerprint[22]; /* "xxh3:<16 hex>" */
} rv_digests;
bool rv_digest_init(rv_digest *d); /* false when memory ran out */
void rv_digest_update(rv_digest *d, const void *data, size_t len);
void rv_digest_final(const rv_digest *d, rv_digests *out); /* may be called repeatedly */
void rv_digest_free(rv_digest *d);

#endif
