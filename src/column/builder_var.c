#include "column/builder_internal.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)

static inline uint64_t copy8(uint8_t *to, const uint8_t *from)
{
    uint64_t v = rv_hash_load8(from);
    memcpy(to, &v, sizeof v);
    return v;
}

static inline uint64_t copy16(uint8_t *to, const uint8_t *from)
{
    return copy8(to, from) | copy8(to + 8, from + 8);
}

/* Copies and returns the bits that decide whether all bytes are ASCII (none of HIGH_BITS set).
 * Ends overlap instead of being branched on, and the classes are those of the hash, so that a
 * length costs one misprediction, not three. */
static inline uint64_t copy_text(uint8_t *to, const uint8_t *from, size_t len)
{
    uint64_t seen = 0;
    if (len >= 16) {
        for (size_t i = 0; i + 16 < len; i += 16)
            seen |= copy16(to + i, from + i);
        return seen | copy16(to + len - 16, from + len - 16);
    }
    if (len >= 8)
        return copy8(to, from) | copy8(to + len - 8, from + len - 8);
    if (len >= 4) {
        uint32_t a = rv_hash_load4(from);
        uint32_t b = rv_hash_load4(from + len - 4);
        memcpy(to, &a, sizeof a);
        memcpy(to + len - 4, &b, sizeof b);
        return a | b;
    }
    for (size_t i = 0; i < len; i++) {
        to[i] = from[i];
        seen |= from[i];
    }
    return seen;
}

/* Bytes of the ill-formed sequence at p: the longest prefix of a code point, at least one. */
static size_t bad_length(const uint8_t *p, size_t n)
{
    uint8_t a = p[0];
    unsigned more = a >= 0xC2 && a <= 0xDF   ? 1
                    : a >= 0xE0 && a <= 0xEF ? 2
                    : a >= 0xF0 && a <= 0xF4 ? 3
                                             : 0;
    uint8_t low = a == 0xE0 ? 0xA0 : a == 0xF0 ? 0x90 : 0x80;
    uint8_t high = a == 0xED ? 0x9F : a == 0xF4 ? 0x8F : 0xBF;
    size_t i = 1;
    for (; i <= more && i < n && p[i] >= low && p[i] <= high; i++) {
        low = 0x80;
        high = 0xBF;
    }
    return i;
}

/* Bytes of the code point at p, 0 when ill-formed. */
static size_t good_length(const uint8_t *p, size_t n)
{
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    return len <= n && rv_utf8_valid((rv_bytes){p, len}) ? len : 0;
}

/* Appends v at the column's end with U+FFFD for every ill-formed sequence. */
static rv_status replace_text(rv_bcol *c, rv_bytes v, uint32_t *out_len, rv_error *err)
{
    static const uint8_t replacement[3] = {0xEF, 0xBF, 0xBD};
    RV_TRY(rv_bcol_grow_var(c, (uint64_t)v.len * 3, err));
    uint8_t *start = c->values + c->offsets[c->present];
    uint8_t *to = start;
    for (size_t i = 0; i < v.len;) {
        size_t n = good_length(v.ptr + i, v.len - i);
        memcpy(to, n ? v.ptr + i : replacement, n ? n : sizeof replacement);
        to += n ? n : sizeof replacement;
        i += n ? n : bad_length(v.ptr + i, v.len - i);
    }
    *out_len = (uint32_t)(to - start);
    return RV_OK;
}

static rv_status invalid_text(const rv_bcol *c, rv_bytes v, rv_error *err)
{
    size_t at = 0;
    for (size_t n = 1; at < v.len && n; at += n)
        n = good_length(v.ptr + at, v.len - at);
    rv_status st = rv_fail(err, RV_E_VALUE, "column '%s': invalid UTF-8 at byte %zu of %zu",
                           c->name, at, v.len);
    rv_hint(err, "set on_invalid_utf8: replace or binary, or columns: {%s: binary}", c->name);
    return st;
}

static rv_status too_large(const rv_builder *b, const rv_bcol *c, size_t len, rv_error *err)
{
    rv_status st =
        rv_fail(err, RV_E_VALUE_TOO_LARGE,
                "RIVET_VALUE_TOO_LARGE: column '%s': one cell is %.1f MB, limit %llu MB "
                "(tuning.max_value_mb)",
                c->name, (double)len / (1 << 20), (unsigned long long)(b->max_value_bytes >> 20));
    rv_hint(err, "raise tuning.max_value_mb or leave the column out");
    return st;
}

static inline __attribute__((always_inline)) rv_status put_bytes(rv_builder *b, rv_bcol *c,
                                                                 rv_bytes v, rv_error *err)
{
    if (__builtin_expect(v.len > b->max_value_bytes, 0))
        return too_large(b, c, v.len, err);
    RV_TRY(rv_bcol_room(c, err));
    uint32_t at = c->offsets[c->present];
    uint32_t len = (uint32_t)v.len;
    if (__builtin_expect(c->var_cap - at < v.len + RV_VAR_SLACK, 0))
        RV_TRY(rv_bcol_grow_var(c, v.len, err));
    if (c->text) {
        if ((copy_text(c->values + at, v.ptr, len) & HIGH_BITS) && !rv_utf8_valid(v)) {
            if (!b->opts.invalid_utf8_replace)
                return invalid_text(c, v, err);
            RV_TRY(replace_text(c, v, &len, err));
            c->dirty = true;
        }
    } else if (len) {
        memcpy(c->values + at, v.ptr, len);
    }
    b->row_bytes += len;
    c->offsets[++c->present] = at + len;
    return RV_OK;
}

/* A long cell is hashed where it lies, with the tag put in front for that long. */
static uint64_t hash_long(rv_bcol *c, uint8_t *p, size_t len)
{
    uint8_t saved = p[-1];
    p[-1] = c->tag;
    uint64_t h = XXH3_64bits_withSeed(p - 1, len + 1, c->seed.seed);
    p[-1] = saved;
    return h;
}

/* v: the cell, where it came from or (after replacement) where it lies. */
static inline uint64_t hash_last(rv_bcol *c, rv_bytes v)
{
    if (v.len < 128)
        return rv_hash_tagged(&c->seed, c->tag, v.ptr, v.len);
    return hash_long(c, c->values + c->offsets[c->present - 1], v.len);
}

static rv_status bytes_slow(rv_builder *b, rv_bcol *list, rv_bytes v, rv_error *err)
{
    rv_bcol *c;
    RV_TRY(rv_bcol_target(list, "bytes", &c, err));
    if (c->layout != RV_LAYOUT_VAR)
        return rv_bcol_target(c, "bytes", &c, err);
    RV_TRY(put_bytes(b, c, v, err));
    if (c->dirty)
        rv_bcol_count_replaced(b, list);
    c->dirty = false;
    return RV_OK;
}

rv_status rv_builder_bytes(rv_builder *b, uint32_t col, rv_bytes v, rv_error *err)
{
    rv_bcol *c = &b->cols[col];
    if (__builtin_expect(c->layout != RV_LAYOUT_VAR, 0))
        return bytes_slow(b, c, v, err);
    rv_builder_expect(b, col);
    RV_TRY(put_bytes(b, c, v, err));
    if (__builtin_expect(c->dirty, 0)) {
        uint32_t at = c->offsets[c->present - 1];
        v = (rv_bytes){c->values + at, c->offsets[c->present] - at};
        rv_bcol_count_replaced(b, c);
        c->dirty = false;
    }
    b->hashes[col] = hash_last(c, v);
    return RV_OK;
}
