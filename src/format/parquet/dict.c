#include "format/parquet/dict.h"

#include "base/mem.h"
#include "format/parquet/pack.h"

#define SLOTS_FIRST 256u
#define CHECK_FIRST 4096u
/* A chain this long means hashes that collide by design or by accident: not worth it. */
#define PROBES_MAX 64u
#define K0 UINT64_C(0x9E3779B97F4A7C15)
#define K1 UINT64_C(0xD6E8FEB86659FD93)

void rv_pq_dict_init(rv_pq_dict *d, unsigned width, size_t bytes_max)
{
    *d = (rv_pq_dict){.width = width, .bytes_max = bytes_max, .next_check = CHECK_FIRST};
}

void rv_pq_dict_clear(rv_pq_dict *d)
{
    if (d->slots)
        memset(d->slots, 0, d->n_slots * sizeof *d->slots);
    d->n = 0;
    d->seen = 0;
    d->next_check = CHECK_FIRST;
    rv_buf_clear(&d->values);
    rv_buf_clear(&d->ends);
}

void rv_pq_dict_free(rv_pq_dict *d)
{
    rv_free(d->slots);
    rv_buf_free(&d->values);
    rv_buf_free(&d->ends);
    rv_pq_dict_init(d, d->width, d->bytes_max);
}

__extension__ typedef unsigned __int128 product;

static inline uint64_t fold(uint64_t a, uint64_t b)
{
    product p = (product)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static inline uint64_t hash_word(uint64_t v)
{
    return fold(v ^ K1, K0);
}

/* 1 to 7 bytes as one number; together with the length nothing is lost. */
static inline uint64_t load_short(const uint8_t *p, size_t len)
{
    if (len >= 4)
        return (uint64_t)rv_pq_load32(p) << 32 | rv_pq_load32(p + len - 4);
    return (uint64_t)p[0] << 16 | (uint64_t)p[len >> 1] << 8 | p[len - 1];
}

static inline uint64_t hash_bytes(const uint8_t *p, size_t len)
{
    uint64_t h = K1 ^ len;
    if (len < 8)
        return len ? fold(load_short(p, len) ^ h, K0) : hash_word(h);
    for (size_t i = 0; i + 8 < len; i += 8)
        h = fold(rv_pq_load64(p + i) ^ h, K0);
    return fold(rv_pq_load64(p + len - 8) ^ h, K1);
}

static inline bool same_bytes(const uint8_t *a, const uint8_t *b, size_t len)
{
    if (len < 8)
        return len == 0 || load_short(a, len) == load_short(b, len);
    for (size_t i = 0; i + 8 < len; i += 8)
        if (rv_pq_load64(a + i) != rv_pq_load64(b + i))
            return false;
    return rv_pq_load64(a + len - 8) == rv_pq_load64(b + len - 8);
}

static uint64_t slot_of(uint64_t hash, uint32_t index)
{
    return (hash & ~UINT64_C(0xFFFFFFFF)) | (index + 1);
}

static bool tag_matches(uint64_t slot, uint64_t hash)
{
    return (slot ^ hash) >> 32 == 0;
}

/* The low bits of a hash choose the slot, the high ones are the tag; when growing only the
 * values know their hash again. */
static inline rv_bytes entry(const rv_pq_dict *d, uint32_t i)
{
    if (d->width)
        return (rv_bytes){d->values.ptr + (size_t)i * d->width, d->width};
    uint32_t from = i ? rv_pq_load32(d->ends.ptr + 4 * ((size_t)i - 1)) : 0;
    return (rv_bytes){d->values.ptr + from, rv_pq_load32(d->ends.ptr + 4 * (size_t)i) - from};
}

static uint64_t load_fixed(const uint8_t *p, unsigned width)
{
    return width == 8 ? rv_pq_load64(p) : rv_pq_load32(p);
}

static uint64_t hash_entry(const rv_pq_dict *d, uint32_t i)
{
    rv_bytes e = entry(d, i);
    if (d->width == 4 || d->width == 8)
        return hash_word(load_fixed(e.ptr, d->width));
    return hash_bytes(e.ptr, e.len);
}

static rv_status grow(rv_pq_dict *d, rv_error *err)
{
    uint32_t n_slots = d->n_slots ? d->n_slots * 2 : SLOTS_FIRST;
    uint64_t *slots = rv_calloc(n_slots, sizeof *slots);
    if (!slots)
        return rv_fail_memory(err);
    for (uint32_t i = 0; i < d->n; i++) {
        uint64_t hash = hash_entry(d, i);
        uint32_t at = (uint32_t)hash & (n_slots - 1);
        while (slots[at])
            at = (at + 1) & (n_slots - 1);
        slots[at] = slot_of(hash, i);
    }
    rv_free(d->slots);
    d->slots = slots;
    d->n_slots = n_slots;
    return RV_OK;
}

/* A new entry for the free slot `at`. *fits false when a limit is reached. */
static rv_status insert(rv_pq_dict *d, uint32_t at, uint64_t hash, rv_bytes value, bool *fits,
                        rv_error *err)
{
    size_t plain = d->values.len + d->ends.len + value.len + (d->width ? 0 : 4);
    *fits = d->n < RV_PQ_DICT_ENTRIES_MAX && plain <= d->bytes_max;
    if (!*fits)
        return RV_OK;
    RV_TRY(rv_buf_add(&d->values, value.ptr, value.len, err));
    if (!d->width) {
        uint32_t end = (uint32_t)d->values.len;
        RV_TRY(rv_buf_add(&d->ends, &end, sizeof end, err));
    }
    d->slots[at] = slot_of(hash, d->n++);
    if (d->n > d->n_slots / 2)
        return grow(d, err);
    return RV_OK;
}

/* The loops over values: one per kind of value, so that comparing costs one instruction. They
 * stop at a value that is not there, leaving its free slot in *at, or at a chain too long. */
typedef struct lookup {
    size_t done;
    uint32_t at;
    uint64_t hash;
    bool too_long;
} lookup;

#define LOOKUP_LOOP(HASH, SAME)                                                                    \
    const uint32_t mask = d->n_slots - 1;                                                          \
    while (l->done < n) {                                                                          \
        const uint64_t hash = (HASH);                                                              \
        uint32_t at = (uint32_t)hash & mask, probes = 0;                                           \
        for (; d->slots[at]; at = (at + 1) & mask, probes++) {                                     \
            const uint32_t index = (uint32_t)d->slots[at] - 1;                                     \
            if (tag_matches(d->slots[at], hash) && (SAME)) {                                       \
                out[l->done] = (uint16_t)index;                                                    \
                break;                                                                             \
            }                                                                                      \
        }                                                                                          \
        if (probes > PROBES_MAX || !d->slots[at]) {                                                \
            l->too_long = probes > PROBES_MAX;                                                     \
            l->hash = hash;                                                                        \
            l->at = at;                                                                            \
            return;                                                                                \
        }                                                                                          \
        NEXT;                                                                                      \
        l->done++;                                                                                 \
    }

static void find8(const rv_pq_dict *d, const uint8_t *v, size_t n, uint16_t *out, lookup *l)
{
#define NEXT (void)0
    LOOKUP_LOOP(hash_word(rv_pq_load64(v + 8 * l->done)),
                rv_pq_load64(d->values.ptr + 8 * (size_t)index) == rv_pq_load64(v + 8 * l->done))
}

static void find4(const rv_pq_dict *d, const uint8_t *v, size_t n, uint16_t *out, lookup *l)
{
    LOOKUP_LOOP(hash_word(rv_pq_load32(v + 4 * l->done)),
                rv_pq_load32(d->values.ptr + 4 * (size_t)index) == rv_pq_load32(v + 4 * l->done))
}

static void find_fixed(const rv_pq_dict *d, const uint8_t *v, size_t n, uint16_t *out, lookup *l)
{
    const unsigned w = d->width;
    LOOKUP_LOOP(hash_bytes(v + w * l->done, w),
                same_bytes(d->values.ptr + w * (size_t)index, v + w * l->done, w))
#undef NEXT
}

static inline bool same_string(const rv_pq_dict *d, uint32_t index, const uint8_t *p, size_t len)
{
    rv_bytes e = entry(d, index);
    return e.len == len && same_bytes(e.ptr, p, len);
}

/* *at moves along with l->done. */
static void find_strings(const rv_pq_dict *d, const uint8_t **bytes, const uint32_t *lengths,
                         size_t n, uint16_t *out, lookup *l)
{
    const uint8_t *p = *bytes;
#define NEXT *bytes = p += lengths[l->done]
    LOOKUP_LOOP(hash_bytes(p, lengths[l->done]), same_string(d, index, p, lengths[l->done]))
#undef NEXT
}

static void find(const rv_pq_dict *d, const rv_pq_values *v, const uint8_t **string, size_t n,
                 uint16_t *out, lookup *l)
{
    switch (d->width) {
    case 0:
        find_strings(d, string, v->lengths, n, out, l);
        break;
    case 4:
        find4(d, v->bytes, n, out, l);
        break;
    case 8:
        find8(d, v->bytes, n, out, l);
        break;
    default:
        find_fixed(d, v->bytes, n, out, l);
        break;
    }
}

/* Looks up values until `n` are done, adding those that are missing. */
static rv_status index_upto(rv_pq_dict *d, const rv_pq_values *v, const uint8_t **string, size_t n,
                            uint16_t *out, lookup *l, bool *fits, rv_error *err)
{
    while (*fits && l->done < n) {
        find(d, v, string, n, out, l);
        if (l->done == n)
            break;
        rv_bytes value = d->width ? (rv_bytes){v->bytes + l->done * d->width, d->width}
                                  : (rv_bytes){*string, v->lengths[l->done]};
        *fits = !l->too_long;
        if (*fits)
            RV_TRY(insert(d, l->at, l->hash, value, fits, err));
    }
    return RV_OK;
}

rv_status rv_pq_dict_index(rv_pq_dict *d, const rv_pq_values *v, uint16_t *indexes, bool *fits,
                           rv_error *err)
{
    lookup l = {0};
    const uint8_t *string = v->bytes;
    uint64_t before = d->seen;
    *fits = true;
    if (!d->slots)
        RV_TRY(grow(d, err));
    while (*fits && l.done < v->n) {
        uint64_t left = d->next_check - d->seen;
        size_t upto = v->n - l.done < left ? v->n : l.done + (size_t)left;
        RV_TRY(index_upto(d, v, &string, upto, indexes, &l, fits, err));
        d->seen = before + l.done;
        if (d->seen == d->next_check) {
            *fits = *fits && d->n <= d->seen / 2;
            d->next_check *= 2;
        }
    }
    return RV_OK;
}

size_t rv_pq_dict_plain_bytes(const rv_pq_dict *d, uint32_t n)
{
    if (d->width)
        return (size_t)n * d->width;
    return n ? rv_pq_load32(d->ends.ptr + 4 * ((size_t)n - 1)) + 4 * (size_t)n : 0;
}

rv_status rv_pq_dict_plain(const rv_pq_dict *d, uint32_t n, rv_buf *out, rv_error *err)
{
    if (d->width)
        return rv_buf_add(out, d->values.ptr, (size_t)n * d->width, err);
    RV_TRY(rv_buf_reserve(out, rv_pq_dict_plain_bytes(d, n), err));
    for (uint32_t i = 0; i < n; i++) {
        rv_bytes e = entry(d, i);
        rv_pq_store32(out->ptr + out->len, (uint32_t)e.len);
        if (e.len)
            memcpy(out->ptr + out->len + 4, e.ptr, e.len);
        out->len += 4 + e.len;
    }
    return RV_OK;
}

rv_status rv_pq_dict_used(const rv_pq_dict *d, const uint16_t *indexes, size_t n, rv_pq_used *used,
                          rv_pq_values *out, rv_error *err)
{
    size_t count = 0;
    rv_buf_clear(&used->marks);
    rv_buf_clear(&used->bytes);
    rv_buf_clear(&used->lengths);
    RV_TRY(rv_buf_reserve(&used->marks, d->n, err));
    RV_TRY(rv_buf_reserve(&used->bytes, d->values.len, err));
    RV_TRY(rv_buf_reserve(&used->lengths, d->ends.len, err));
    memset(used->marks.ptr, 0, d->n);
    for (size_t i = 0; i < n; i++)
        used->marks.ptr[indexes[i]] = 1;
    for (uint32_t i = 0; i < d->n; i++) {
        if (!used->marks.ptr[i])
            continue;
        rv_bytes e = entry(d, i);
        if (e.len)
            memcpy(used->bytes.ptr + used->bytes.len, e.ptr, e.len);
        used->bytes.len += e.len;
        if (!d->width)
            rv_pq_store32(used->lengths.ptr + 4 * count, (uint32_t)e.len);
        count++;
    }
    const void *lengths = used->lengths.ptr;
    *out = (rv_pq_values){used->bytes.ptr, lengths, count, d->width};
    return RV_OK;
}

void rv_pq_used_free(rv_pq_used *used)
{
    rv_buf_free(&used->marks);
    rv_buf_free(&used->bytes);
    rv_buf_free(&used->lengths);
}

unsigned rv_pq_dict_width(uint32_t n)
{
    unsigned bits = n > 1 ? rv_pq_bits_of(n - 1) : 0;
    return bits ? bits : 1;
}
