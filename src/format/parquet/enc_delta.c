#include "format/parquet/enc_delta.h"

#include <string.h>

#include "base/mem.h"
#include "format/parquet/pack.h"

#define BLOCK 128u
#define MINIS 4u
#define BLOCK_HEAD_MAX (10u + MINIS)
#define HEAD_MAX (2u + 1u + 5u + 10u + 10u)

size_t rv_pq_dbp_bound(size_t n, unsigned value_bytes)
{
    return HEAD_MAX + (n + BLOCK - 1) / BLOCK * (BLOCK_HEAD_MAX + (size_t)BLOCK * value_bytes) + 8;
}

static size_t put_head(uint8_t *out, size_t n, uint64_t first_zigzag)
{
    size_t len = rv_pq_varint(BLOCK, out);
    len += rv_pq_varint(MINIS, out + len);
    len += rv_pq_varint(n, out + len);
    return len + rv_pq_varint(first_zigzag, out + len);
}

/* One block of differences above their minimum. Differences beyond `n` are zero. */
typedef struct block64 {
    uint64_t d[BLOCK];
    uint64_t min;
    unsigned width[MINIS];
} block64;
typedef struct block32 {
    uint32_t d[BLOCK];
    uint32_t min;
    unsigned width[MINIS];
} block32;

/* The smallest of 128 signed differences; four chains, because one waits on itself. */
static int64_t min64(const uint64_t *d)
{
    int64_t m[4] = {(int64_t)d[0], (int64_t)d[1], (int64_t)d[2], (int64_t)d[3]};
    for (unsigned i = 4; i < BLOCK; i += 4)
        for (unsigned k = 0; k < 4; k++)
            m[k] = (int64_t)d[i + k] < m[k] ? (int64_t)d[i + k] : m[k];
    int64_t a = m[0] < m[1] ? m[0] : m[1], b = m[2] < m[3] ? m[2] : m[3];
    return a < b ? a : b;
}

static int32_t min32(const uint32_t *d)
{
    int32_t m[8];
    for (unsigned k = 0; k < 8; k++)
        m[k] = (int32_t)d[k];
    for (unsigned i = 8; i < BLOCK; i += 8)
        for (unsigned k = 0; k < 8; k++)
            m[k] = (int32_t)d[i + k] < m[k] ? (int32_t)d[i + k] : m[k];
    int32_t least = m[0];
    for (unsigned k = 1; k < 8; k++)
        least = m[k] < least ? m[k] : least;
    return least;
}

/* v[-1] is the value before the block; n > 0 values are left. While the minimum is sought a short
 * block is filled with its first difference. */
static void measure64(const uint64_t *v, size_t n, block64 *b)
{
    if (n >= BLOCK) {
        for (unsigned i = 0; i < BLOCK; i++)
            b->d[i] = v[i] - v[(ptrdiff_t)i - 1];
    } else {
        for (unsigned i = 0; i < BLOCK; i++)
            b->d[i] = i < n ? v[i] - v[(ptrdiff_t)i - 1] : v[0] - v[-1];
    }
    b->min = (uint64_t)min64(b->d);
    for (size_t i = n; i < BLOCK; i++)
        b->d[i] = b->min; /* padding becomes zero below */
    for (unsigned m = 0; m < MINIS; m++) {
        uint64_t all = 0, *d = b->d + m * RV_PACK_LANE;
        for (unsigned i = 0; i < RV_PACK_LANE; i++) {
            d[i] -= b->min;
            all |= d[i];
        }
        b->width[m] = m * RV_PACK_LANE < n ? rv_pq_bits_of(all) : 0;
    }
}

static void measure32(const uint32_t *v, size_t n, block32 *b)
{
    if (n >= BLOCK) {
        for (unsigned i = 0; i < BLOCK; i++)
            b->d[i] = v[i] - v[(ptrdiff_t)i - 1];
    } else {
        for (unsigned i = 0; i < BLOCK; i++)
            b->d[i] = i < n ? v[i] - v[(ptrdiff_t)i - 1] : v[0] - v[-1];
    }
    b->min = (uint32_t)min32(b->d);
    for (size_t i = n; i < BLOCK; i++)
        b->d[i] = b->min; /* padding becomes zero below */
    for (unsigned m = 0; m < MINIS; m++) {
        uint32_t all = 0, *d = b->d + m * RV_PACK_LANE;
        for (unsigned i = 0; i < RV_PACK_LANE; i++) {
            d[i] -= b->min;
            all |= d[i];
        }
        b->width[m] = m * RV_PACK_LANE < n ? rv_pq_bits_of(all) : 0;
    }
}

static size_t put_block_head(uint8_t *out, uint64_t min, const unsigned *width)
{
    size_t len = rv_pq_varint(rv_pq_zigzag(min), out);
    for (unsigned m = 0; m < MINIS; m++)
        out[len++] = (uint8_t)width[m];
    return len;
}

static uint64_t widen(uint32_t v)
{
    return (uint64_t)(int64_t)(int32_t)v;
}

size_t rv_pq_dbp64(const uint64_t *values, size_t n, uint8_t *out)
{
    block64 b;
    size_t len = put_head(out, n, n ? rv_pq_zigzag(values[0]) : 0);
    for (size_t i = 1; i < n; i += BLOCK) {
        measure64(values + i, n - i, &b);
        len += put_block_head(out + len, b.min, b.width);
        for (unsigned m = 0; m < MINIS; len += 4 * (size_t)b.width[m++])
            rv_pq_pack64(b.d + m * RV_PACK_LANE, b.width[m], out + len);
    }
    return len;
}

size_t rv_pq_dbp32(const uint32_t *values, size_t n, uint8_t *out)
{
    block32 b;
    size_t len = put_head(out, n, n ? rv_pq_zigzag(widen(values[0])) : 0);
    for (size_t i = 1; i < n; i += BLOCK) {
        measure32(values + i, n - i, &b);
        len += put_block_head(out + len, widen(b.min), b.width);
        for (unsigned m = 0; m < MINIS; len += 4 * (size_t)b.width[m++])
            rv_pq_pack32(b.d + m * RV_PACK_LANE, b.width[m], out + len);
    }
    return len;
}

static size_t block_size(uint64_t min, const unsigned *width)
{
    uint8_t head[BLOCK_HEAD_MAX];
    size_t len = put_block_head(head, min, width);
    for (unsigned m = 0; m < MINIS; m++)
        len += 4 * (size_t)width[m];
    return len;
}

size_t rv_pq_dbp64_size(const uint64_t *values, size_t n)
{
    block64 b;
    uint8_t head[HEAD_MAX];
    size_t len = put_head(head, n, n ? rv_pq_zigzag(values[0]) : 0);
    for (size_t i = 1; i < n; i += BLOCK) {
        measure64(values + i, n - i, &b);
        len += block_size(b.min, b.width);
    }
    return len;
}

size_t rv_pq_dbp32_size(const uint32_t *values, size_t n)
{
    block32 b;
    uint8_t head[HEAD_MAX];
    size_t len = put_head(head, n, n ? rv_pq_zigzag(widen(values[0])) : 0);
    for (size_t i = 1; i < n; i += BLOCK) {
        measure32(values + i, n - i, &b);
        len += block_size(widen(b.min), b.width);
    }
    return len;
}

rv_status rv_pq_dlba_lengths(const rv_pq_strings *s, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_reserve(out, rv_pq_dbp_bound(s->n, 4), err));
    out->len += rv_pq_dbp32(s->lengths, s->n, out->ptr + out->len);
    return RV_OK;
}

static size_t common_prefix(const uint8_t *a, const uint8_t *b, size_t max)
{
    size_t i = 0;
    for (; i + 8 <= max; i += 8) {
        uint64_t diff = rv_pq_load64(a + i) ^ rv_pq_load64(b + i);
        if (diff)
            return i + ((unsigned)__builtin_ctzll(diff) >> 3);
    }
    while (i < max && a[i] == b[i])
        i++;
    return i;
}

size_t rv_pq_shared_prefix_bytes(const rv_pq_strings *s)
{
    size_t sum = 0;
    const uint8_t *at = s->bytes;
    for (size_t i = 1; i < s->n; i++) {
        uint32_t before = s->lengths[i - 1], len = s->lengths[i];
        sum += common_prefix(at, at + before, before < len ? before : len);
        at += before;
    }
    return sum;
}

/* Fills prefix and suffix lengths; the suffixes go to `out` at once. */
static size_t split(const rv_pq_strings *s, uint32_t *prefix, uint32_t *suffix, uint8_t *out)
{
    const uint8_t *at = s->bytes;
    uint32_t before = 0;
    size_t len = 0;
    for (size_t i = 0; i < s->n; i++) {
        const uint8_t *previous = at;
        uint32_t max = before < s->lengths[i] ? before : s->lengths[i];
        at += before;
        prefix[i] = (uint32_t)common_prefix(previous, at, max);
        suffix[i] = s->lengths[i] - prefix[i];
        memcpy(out + len, at + prefix[i], suffix[i]);
        len += suffix[i];
        before = s->lengths[i];
    }
    return len;
}

rv_status rv_pq_dba(const rv_pq_strings *s, rv_buf *out, rv_error *err)
{
    rv_status st = RV_OK;
    size_t total = 0, head = 2 * rv_pq_dbp_bound(s->n, 4);
    for (size_t i = 0; i < s->n; i++)
        total += s->lengths[i];
    uint32_t *prefix = rv_alloc((2 * s->n + 1) * sizeof *prefix);
    if (!prefix)
        return rv_fail_memory(err);
    uint32_t *suffix = prefix + s->n;
    RV_GO(rv_buf_reserve(out, head + total, err));
    /* suffixes are parked behind the widest possible lengths, then moved down */
    size_t suffix_bytes = total ? split(s, prefix, suffix, out->ptr + out->len + head) : 0;
    if (!total)
        memset(prefix, 0, 2 * s->n * sizeof *prefix);
    const uint8_t *parked = out->ptr + out->len + head;
    out->len += rv_pq_dbp32(prefix, s->n, out->ptr + out->len);
    out->len += rv_pq_dbp32(suffix, s->n, out->ptr + out->len);
    memmove(out->ptr + out->len, parked, suffix_bytes);
    out->len += suffix_bytes;
done:
    rv_free(prefix);
    return st;
}
