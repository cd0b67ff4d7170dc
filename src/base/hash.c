#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/hash.h"

#include "base/mem.h"

uint64_t rv_xxh3(const void *data, size_t len)
{
    return XXH3_64bits(data, len);
}

uint64_t rv_xxh3_seed(const void *data, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, len, seed);
}

rv_u128 rv_xxh3_128(const void *data, size_t len)
{
    XXH128_hash_t h = XXH3_128bits(data, len);
    return (rv_u128){h.low64, h.high64};
}

void rv_hex(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = '\0';
}

void rv_hex_u64(uint64_t v, char out[17])
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(v >> (56 - 8 * i));
    rv_hex(bytes, sizeof bytes, out);
}

void rv_hex_u128(rv_u128 v, char out[33])
{
    rv_hex_u64(v.hi, out);
    rv_hex_u64(v.lo, out + 16);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool rv_unhex(rv_str text, uint8_t *out)
{
    if (text.len % 2)
        return false;
    for (size_t i = 0; i < text.len; i += 2) {
        int hi = hex_value(text.ptr[i]);
        int lo = hex_value(text.ptr[i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        out[i / 2] = (uint8_t)(hi * 16 + lo);
    }
    return true;
}

/* MD5. The two terms of G never share a bit, so they are added one after the other: that
 * takes the first one off the critical path. */
#define ROTL(v, s) (((v) << (s)) | ((v) >> (32 - (s))))
#define ROUND_F(a, b, c, d, k, s, t)                                                               \
    (a) += (x[k]) + (t) + ((d) ^ ((b) & ((c) ^ (d))));                                             \
    (a) = ROTL(a, s) + (b)
#define ROUND_G(a, b, c, d, k, s, t)                                                               \
    (a) += (x[k]) + (t) + (~(d) & (c));                                                            \
    (a) += (d) & (b);                                                                              \
    (a) = ROTL(a, s) + (b)
#define ROUND_H(a, b, c, d, k, s, t)                                                               \
    (a) += (x[k]) + (t) + ((b) ^ (c) ^ (d));                                                       \
    (a) = ROTL(a, s) + (b)
#define ROUND_I(a, b, c, d, k, s, t)                                                               \
    (a) += (x[k]) + (t) + ((c) ^ ((b) | ~(d)));                                                    \
    (a) = ROTL(a, s) + (b)
/* clang-format off */
#define FOUR(R, k0, k1, k2, k3, s0, s1, s2, s3, t0, t1, t2, t3)                                    \
    R(a, b, c, d, k0, s0, t0);                                                                     \
    R(d, a, b, c, k1, s1, t1);                                                                     \
    R(c, d, a, b, k2, s2, t2);                                                                     \
    R(b, c, d, a, k3, s3, t3)

static void md5_blocks(uint32_t state[4], const uint8_t *p, size_t blocks)
{
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    for (; blocks; blocks--, p += 64) {
        uint32_t x[16];
        const uint32_t a0 = a, b0 = b, c0 = c, d0 = d;
        memcpy(x, p, sizeof x);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        for (unsigned i = 0; i < 16; i++)
            x[i] = __builtin_bswap32(x[i]);
#endif
        FOUR(ROUND_F, 0, 1, 2, 3, 7, 12, 17, 22, 0xd76aa478U, 0xe8c7b756U, 0x242070dbU, 0xc1bdceeeU);
        FOUR(ROUND_F, 4, 5, 6, 7, 7, 12, 17, 22, 0xf57c0fafU, 0x4787c62aU, 0xa8304613U, 0xfd469501U);
        FOUR(ROUND_F, 8, 9, 10, 11, 7, 12, 17, 22, 0x698098d8U, 0x8b44f7afU, 0xffff5bb1U, 0x895cd7beU);
        FOUR(ROUND_F, 12, 13, 14, 15, 7, 12, 17, 22, 0x6b901122U, 0xfd987193U, 0xa679438eU, 0x49b40821U);
        FOUR(ROUND_G, 1, 6, 11, 0, 5, 9, 14, 20, 0xf61e2562U, 0xc040b340U, 0x265e5a51U, 0xe9b6c7aaU);
        FOUR(ROUND_G, 5, 10, 15, 4, 5, 9, 14, 20, 0xd62f105dU, 0x02441453U, 0xd8a1e681U, 0xe7d3fbc8U);
        FOUR(ROUND_G, 9, 14, 3, 8, 5, 9, 14, 20, 0x21e1cde6U, 0xc33707d6U, 0xf4d50d87U, 0x455a14edU);
        FOUR(ROUND_G, 13, 2, 7, 12, 5, 9, 14, 20, 0xa9e3e905U, 0xfcefa3f8U, 0x676f02d9U, 0x8d2a4c8aU);
        FOUR(ROUND_H, 5, 8, 11, 14, 4, 11, 16, 23, 0xfffa3942U, 0x8771f681U, 0x6d9d6122U, 0xfde5380cU);
        FOUR(ROUND_H, 1, 4, 7, 10, 4, 11, 16, 23, 0xa4beea44U, 0x4bdecfa9U, 0xf6bb4b60U, 0xbebfbc70U);
        FOUR(ROUND_H, 13, 0, 3, 6, 4, 11, 16, 23, 0x289b7ec6U, 0xeaa127faU, 0xd4ef3085U, 0x04881d05U);
        FOUR(ROUND_H, 9, 12, 15, 2, 4, 11, 16, 23, 0xd9d4d039U, 0xe6db99e5U, 0x1fa27cf8U, 0xc4ac5665U);
        FOUR(ROUND_I, 0, 7, 14, 5, 6, 10, 15, 21, 0xf4292244U, 0x432aff97U, 0xab9423a7U, 0xfc93a039U);
        FOUR(ROUND_I, 12, 3, 10, 1, 6, 10, 15, 21, 0x655b59c3U, 0x8f0ccc92U, 0xffeff47dU, 0x85845dd1U);
        FOUR(ROUND_I, 8, 15, 6, 13, 6, 10, 15, 21, 0x6fa87e4fU, 0xfe2ce6e0U, 0xa3014314U, 0x4e0811a1U);
        FOUR(ROUND_I, 4, 11, 2, 9, 6, 10, 15, 21, 0xf7537e82U, 0xbd3af235U, 0x2ad7d2bbU, 0xeb86d391U);
        a += a0;
        b += b0;
        c += c0;
        d += d0;
    }
    state[0] = a;
    state[1] = b;
    state[2] = c;
    state[3] = d;
}
/* clang-format on */

void rv_md5_init(rv_md5 *m)
{
    *m = (rv_md5){.state = {0x67452301U, 0xefcdab89U, 0x98badcfeU, 0x10325476U}};
}

void rv_md5_update(rv_md5 *m, const void *data, size_t len)
{
    const uint8_t *p = data;
    size_t held = (size_t)(m->total % 64);
    m->total += len;
    if (held && len) {
        size_t take = 64 - held < len ? 64 - held : len;
        memcpy(m->block + held, p, take);
        p += take;
        len -= take;
        if (held + take < 64)
            return;
        md5_blocks(m->state, m->block, 1);
    }
    md5_blocks(m->state, p, len / 64);
    if (len % 64)
        memcpy(m->block, p + (len - len % 64), len % 64);
}

static void put_le(uint8_t *out, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        out[i] = (uint8_t)(v >> (8 * i));
}

void rv_md5_final(rv_md5 *m, uint8_t out[16])
{
    static const uint8_t padding[64] = {0x80};
    uint8_t length[8];
    put_le(length, m->total << 3, 8);
    size_t held = (size_t)(m->total % 64);
    rv_md5_update(m, padding, held < 56 ? 56 - held : 120 - held);
    rv_md5_update(m, length, sizeof length);
    for (unsigned i = 0; i < 4; i++)
        put_le(out + (size_t)i * 4, m->state[i], 4);
}

/* The XXH3 state wants 64-byte alignment, which the heap does not promise: d->xxh is the
 * allocation, the state lies at the first aligned address inside it. */
#define XXH_ALIGNMENT ((uintptr_t)64)

static XXH3_state_t *digest_state(const rv_digest *d)
{
    uintptr_t raw = (uintptr_t)d->xxh;
    uintptr_t skip = (XXH_ALIGNMENT - raw % XXH_ALIGNMENT) % XXH_ALIGNMENT;
    return (XXH3_state_t *)(void *)((uint8_t *)d->xxh + skip);
}

bool rv_digest_init(rv_digest *d)
{
    void *raw = rv_alloc(sizeof(XXH3_state_t) + XXH_ALIGNMENT);
    if (!raw)
        return false;
    *d = (rv_digest){.xxh = raw};
    rv_md5_init(&d->md5);
    XXH3_INITSTATE(digest_state(d));
    (void)XXH3_64bits_reset(digest_state(d));
    return true;
}

void rv_digest_update(rv_digest *d, const void *data, size_t len)
{
    if (len == 0)
        return;
    rv_md5_update(&d->md5, data, len);
    (void)XXH3_64bits_update(digest_state(d), data, len);
    d->size_bytes += len;
}

void rv_digest_final(const rv_digest *d, rv_digests *out)
{
    rv_md5 copy = d->md5;
    uint8_t md5[16];
    rv_md5_final(&copy, md5);
    rv_hex(md5, sizeof md5, out->md5);
    memcpy(out->fingerprint, "xxh3:", 5);
    rv_hex_u64(XXH3_64bits_digest(digest_state(d)), out->fingerprint + 5);
    out->size_bytes = d->size_bytes;
}

void rv_digest_free(rv_digest *d)
{
    if (!d)
        return;
    rv_free(d->xxh);
    d->xxh = NULL;
}
