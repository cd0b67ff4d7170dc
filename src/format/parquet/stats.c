#include "format/parquet/stats.h"

#include <math.h>

#include "format/parquet/pack.h"

static rv_status set_bound(rv_buf *b, const void *data, size_t len, rv_error *err)
{
    rv_buf_clear(b);
    return rv_buf_add(b, data, len, err);
}

static rv_status set_both(rv_pq_bounds *b, const void *min, const void *max, size_t len,
                          rv_error *err)
{
    RV_TRY(set_bound(&b->min, min, len, err));
    RV_TRY(set_bound(&b->max, max, len, err));
    b->any = b->has_max = b->min_exact = b->max_exact = true;
    return RV_OK;
}

static rv_status bounds_bool(const rv_pq_values *v, rv_pq_bounds *out, rv_error *err)
{
    uint8_t all = 1, any = 0;
    for (size_t i = 0; i < v->n; i++) {
        all &= v->bytes[i];
        any |= v->bytes[i];
    }
    return set_both(out, &all, &any, 1, err);
}

static rv_status bounds_i32(const rv_pq_values *v, rv_pq_bounds *out, rv_error *err)
{
    int32_t min[4], max[4], x;
    memcpy(&x, v->bytes, sizeof x);
    for (unsigned k = 0; k < 4; k++)
        min[k] = max[k] = x;
    for (size_t i = 0; i < v->n; i++) {
        memcpy(&x, v->bytes + i * sizeof x, sizeof x);
        min[i & 3] = x < min[i & 3] ? x : min[i & 3];
        max[i & 3] = x > max[i & 3] ? x : max[i & 3];
    }
    for (unsigned k = 1; k < 4; k++) {
        min[0] = min[k] < min[0] ? min[k] : min[0];
        max[0] = max[k] > max[0] ? max[k] : max[0];
    }
    return set_both(out, &min[0], &max[0], sizeof x, err);
}

/* Signed order of v ^ flip; flip is the sign bit for unsigned values. Four chains, because one
 * waits on itself. */
static rv_status bounds_i64(const rv_pq_values *v, uint64_t flip, rv_pq_bounds *out, rv_error *err)
{
    int64_t min[4], max[4];
    size_t i = 0;
    for (unsigned k = 0; k < 4; k++)
        min[k] = max[k] = (int64_t)(rv_pq_load64(v->bytes) ^ flip);
    for (; i + 4 <= v->n; i += 4) {
        for (unsigned k = 0; k < 4; k++) {
            int64_t x = (int64_t)(rv_pq_load64(v->bytes + (i + k) * 8) ^ flip);
            min[k] = x < min[k] ? x : min[k];
            max[k] = x > max[k] ? x : max[k];
        }
    }
    for (; i < v->n; i++) {
        int64_t x = (int64_t)(rv_pq_load64(v->bytes + i * 8) ^ flip);
        min[0] = x < min[0] ? x : min[0];
        max[0] = x > max[0] ? x : max[0];
    }
    for (unsigned k = 1; k < 4; k++) {
        min[0] = min[k] < min[0] ? min[k] : min[0];
        max[0] = max[k] > max[0] ? max[k] : max[0];
    }
    uint64_t lo = (uint64_t)min[0] ^ flip, hi = (uint64_t)max[0] ^ flip;
    return set_both(out, &lo, &hi, sizeof lo, err);
}

/* NaN bounds nothing; a zero may have either sign, so the minimum is -0 and the maximum +0. */
static rv_status bounds_f64(const rv_pq_values *v, rv_pq_bounds *out, rv_error *err)
{
    double min = INFINITY, max = -INFINITY, x;
    size_t nans = 0;
    for (size_t i = 0; i < v->n; i++) {
        memcpy(&x, v->bytes + i * sizeof x, sizeof x);
        nans += x != x;
        min = x < min ? x : min;
        max = x > max ? x : max;
    }
    out->nans = nans;
    if (nans == v->n)
        return RV_OK;
    if (min == 0)
        min = -0.0;
    if (max == 0)
        max = 0.0;
    return set_both(out, &min, &max, sizeof x, err);
}

static rv_status bounds_f32(const rv_pq_values *v, rv_pq_bounds *out, rv_error *err)
{
    float min = INFINITY, max = -INFINITY, x;
    size_t nans = 0;
    for (size_t i = 0; i < v->n; i++) {
        memcpy(&x, v->bytes + i * sizeof x, sizeof x);
        nans += x != x;
        min = x < min ? x : min;
        max = x > max ? x : max;
    }
    out->nans = nans;
    if (nans == v->n)
        return RV_OK;
    if (min == 0)
        min = -0.0F;
    if (max == 0)
        max = 0.0F;
    return set_both(out, &min, &max, sizeof x, err);
}

/* Increments the last byte that has a successor; false when all are FF. */
static bool next_binary(uint8_t *p, size_t *len)
{
    while (*len > 0 && p[*len - 1] == 0xFF)
        (*len)--;
    if (*len == 0)
        return false;
    p[*len - 1]++;
    return true;
}

static uint32_t decode_point(const uint8_t *p, size_t len)
{
    static const uint8_t lead_mask[5] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t point = p[0] & lead_mask[len];
    for (size_t i = 1; i < len; i++)
        point = point << 6 | (p[i] & 0x3Fu);
    return point;
}

static size_t encode_point(uint32_t point, uint8_t *p)
{
    static const uint8_t lead[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, point >>= 6)
        p[i] = (uint8_t)(0x80 | (point & 0x3F));
    p[0] = (uint8_t)(lead[len] | point);
    return len;
}

/* Increments the last code point that has a successor of at most the same cut length. The
 * buffer holds at least one byte more than `len` (the text was longer). */
static bool next_text(uint8_t *p, size_t *len)
{
    while (*len > 0) {
        size_t start = *len - 1;
        while (start > 0 && (p[start] & 0xC0) == 0x80)
            start--;
        uint32_t point = decode_point(p + start, *len - start) + 1;
        if (point == 0xD800)
            point = 0xE000;
        uint8_t next[4];
        size_t size = point <= 0x10FFFF ? encode_point(point, next) : 0;
        if (size > 0 && start + size <= RV_PQ_BOUND_MAX) {
            memcpy(p + start, next, size);
            *len = start + size;
            return true;
        }
        *len = start;
    }
    return false;
}

static rv_status set_min(rv_pq_bounds *b, rv_bytes min, bool text, rv_error *err)
{
    b->min_exact = min.len <= RV_PQ_BOUND_MAX;
    if (!b->min_exact)
        min.len = text ? rv_utf8_cut((rv_str){(const char *)min.ptr, min.len}, RV_PQ_BOUND_MAX)
                       : RV_PQ_BOUND_MAX;
    return set_bound(&b->min, min.ptr, min.len, err);
}

static rv_status set_max(rv_pq_bounds *b, rv_bytes max, bool text, rv_error *err)
{
    uint8_t cut[RV_PQ_BOUND_MAX];
    size_t len = RV_PQ_BOUND_MAX;
    b->has_max = b->max_exact = true;
    if (max.len <= RV_PQ_BOUND_MAX)
        return set_bound(&b->max, max.ptr, max.len, err);
    if (text)
        len = rv_utf8_cut((rv_str){(const char *)max.ptr, max.len}, RV_PQ_BOUND_MAX);
    memcpy(cut, max.ptr, len);
    if (text ? next_text(cut, &len) : next_binary(cut, &len)) {
        b->max_exact = false;
        return set_bound(&b->max, cut, len, err);
    }
    b->has_max = false;
    b->endless = max.len > RV_PQ_BOUND_WHOLE_MAX;
    return set_bound(&b->max, max.ptr, b->endless ? RV_PQ_BOUND_WHOLE_MAX : max.len, err);
}

static rv_status set_both_bytes(rv_pq_bounds *b, rv_bytes min, rv_bytes max, bool text,
                                rv_error *err)
{
    RV_TRY(set_min(b, min, text, err));
    RV_TRY(set_max(b, max, text, err));
    b->any = true;
    return RV_OK;
}

static rv_status bounds_fixed(rv_pq_order order, const rv_pq_values *v, rv_pq_bounds *out,
                              rv_error *err)
{
    rv_bytes min = {v->bytes, v->width}, max = min;
    for (size_t i = 1; i < v->n; i++) {
        rv_bytes x = {v->bytes + i * v->width, v->width};
        if (rv_pq_bound_cmp(order, x, min) < 0)
            min = x;
        else if (rv_pq_bound_cmp(order, x, max) > 0)
            max = x;
    }
    return set_both_bytes(out, min, max, false, err);
}

/* Values of eight bytes and more are told apart by their prefixes nearly always. */
static rv_status bounds_wide(rv_pq_order order, const rv_pq_values *v, rv_pq_bounds *out,
                             rv_error *err)
{
    const uint64_t flip = order == RV_PQ_ORDER_SIGNED_BE ? UINT64_C(1) << 63 : 0;
    const uint8_t *min = v->bytes, *max = min;
    uint64_t min_prefix = __builtin_bswap64(rv_pq_load64(min)) ^ flip, max_prefix = min_prefix;
    for (size_t i = 1; i < v->n; i++) {
        const uint8_t *x = v->bytes + i * v->width;
        uint64_t prefix = __builtin_bswap64(rv_pq_load64(x)) ^ flip;
        if (prefix < min_prefix || (prefix == min_prefix && memcmp(x, min, v->width) < 0)) {
            min = x;
            min_prefix = prefix;
        }
        if (prefix > max_prefix || (prefix == max_prefix && memcmp(x, max, v->width) > 0)) {
            max = x;
            max_prefix = prefix;
        }
    }
    return set_both_bytes(out, (rv_bytes){min, v->width}, (rv_bytes){max, v->width}, false, err);
}

/* The first eight bytes as a number that orders as they do; short strings end in zeros. The
 * halves of four to seven bytes overlap in equal bits. */
static uint64_t prefix_of(const uint8_t *p, size_t len)
{
    if (len >= 8)
        return __builtin_bswap64(rv_pq_load64(p));
    if (len >= 4)
        return (uint64_t)__builtin_bswap32(rv_pq_load32(p)) << 32 |
               (uint64_t)__builtin_bswap32(rv_pq_load32(p + len - 4)) << (64 - 8 * len);
    uint64_t v = 0;
    for (size_t i = 0; i < len; i++)
        v |= (uint64_t)p[i] << (56 - 8 * i);
    return v;
}

/* Order of strings whose prefixes are equal: short ones differ in zeros at most. Eight bytes at a
 * time, as texts of a column often begin alike. */
static int cmp_equal_prefix(rv_bytes a, rv_bytes b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    for (size_t i = 8; i + 8 <= common; i += 8) {
        uint64_t x = rv_pq_load64(a.ptr + i), y = rv_pq_load64(b.ptr + i);
        if (x != y)
            return __builtin_bswap64(x) < __builtin_bswap64(y) ? -1 : 1;
    }
    if (a.len <= 8 && b.len <= 8)
        return (a.len > b.len) - (a.len < b.len);
    return rv_pq_bound_cmp(RV_PQ_ORDER_BYTES, a, b);
}

static rv_status bounds_strings(const rv_pq_values *v, bool text, rv_pq_bounds *out, rv_error *err)
{
    const uint8_t *at = v->bytes;
    rv_bytes min = {at, v->lengths[0]}, max = min;
    uint64_t min_prefix = prefix_of(at, min.len), max_prefix = min_prefix;
    for (size_t i = 0; i < v->n; i++) {
        rv_bytes x = {at, v->lengths[i]};
        uint64_t prefix = prefix_of(x.ptr, x.len);
        at += x.len;
        if (prefix < min_prefix || (prefix == min_prefix && cmp_equal_prefix(x, min) < 0)) {
            min = x;
            min_prefix = prefix;
        }
        if (prefix > max_prefix || (prefix == max_prefix && cmp_equal_prefix(x, max) > 0)) {
            max = x;
            max_prefix = prefix;
        }
    }
    return set_both_bytes(out, min, max, text, err);
}

rv_status rv_pq_bounds_of(rv_pq_order order, bool text, const rv_pq_values *v, rv_pq_bounds *out,
                          rv_error *err)
{
    rv_pq_bounds_clear(out);
    if (v->n == 0)
        return RV_OK;
    switch (order) {
    case RV_PQ_ORDER_BOOL:
        return bounds_bool(v, out, err);
    case RV_PQ_ORDER_I32:
        return bounds_i32(v, out, err);
    case RV_PQ_ORDER_I64:
        return bounds_i64(v, 0, out, err);
    case RV_PQ_ORDER_U64:
        return bounds_i64(v, UINT64_C(1) << 63, out, err);
    case RV_PQ_ORDER_F32:
        return bounds_f32(v, out, err);
    case RV_PQ_ORDER_F64:
        return bounds_f64(v, out, err);
    case RV_PQ_ORDER_SIGNED_BE:
    case RV_PQ_ORDER_BYTES:
        break;
    }
    if (v->width == 0)
        return bounds_strings(v, text, out, err);
    return v->width < 8 ? bounds_fixed(order, v, out, err) : bounds_wide(order, v, out, err);
}

static int cmp_i64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int cmp_bytes(rv_bytes a, rv_bytes b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int c = common ? memcmp(a.ptr, b.ptr, common) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

static int cmp_f64(double a, double b)
{
    return (a > b) - (a < b);
}

static float to_f32(rv_bytes b)
{
    float v;
    memcpy(&v, b.ptr, sizeof v);
    return v;
}

static double to_f64(rv_bytes b)
{
    double v;
    memcpy(&v, b.ptr, sizeof v);
    return v;
}

int rv_pq_bound_cmp(rv_pq_order order, rv_bytes a, rv_bytes b)
{
    switch (order) {
    case RV_PQ_ORDER_BOOL:
        return (int)a.ptr[0] - (int)b.ptr[0];
    case RV_PQ_ORDER_I32:
        return cmp_i64((int32_t)rv_pq_load32(a.ptr), (int32_t)rv_pq_load32(b.ptr));
    case RV_PQ_ORDER_I64:
        return cmp_i64((int64_t)rv_pq_load64(a.ptr), (int64_t)rv_pq_load64(b.ptr));
    case RV_PQ_ORDER_U64:
        return (rv_pq_load64(a.ptr) > rv_pq_load64(b.ptr)) -
               (rv_pq_load64(a.ptr) < rv_pq_load64(b.ptr));
    case RV_PQ_ORDER_F32:
        return cmp_f64(to_f32(a), to_f32(b));
    case RV_PQ_ORDER_F64:
        return cmp_f64(to_f64(a), to_f64(b));
    case RV_PQ_ORDER_SIGNED_BE:
        if ((a.ptr[0] ^ b.ptr[0]) & 0x80)
            return a.ptr[0] & 0x80 ? -1 : 1;
        return cmp_bytes(a, b);
    case RV_PQ_ORDER_BYTES:
        break;
    }
    return cmp_bytes(a, b);
}

/* A bound that equals an exact one is attained, so it is exact too. */
static rv_status widen_min(rv_pq_order order, rv_pq_bounds *into, const rv_pq_bounds *more,
                           rv_error *err)
{
    int c =
        into->any ? rv_pq_bound_cmp(order, rv_buf_bytes(&more->min), rv_buf_bytes(&into->min)) : -1;
    if (c > 0)
        return RV_OK;
    into->min_exact = more->min_exact || (c == 0 && into->min_exact);
    return set_bound(&into->min, more->min.ptr, more->min.len, err);
}

static rv_status widen_max(rv_pq_order order, rv_pq_bounds *into, const rv_pq_bounds *more,
                           rv_error *err)
{
    if (into->any && !into->has_max)
        return RV_OK;
    int c =
        into->any ? rv_pq_bound_cmp(order, rv_buf_bytes(&more->max), rv_buf_bytes(&into->max)) : 1;
    if (more->has_max && c < 0)
        return RV_OK;
    into->max_exact = more->max_exact || (c == 0 && into->max_exact);
    into->has_max = more->has_max;
    into->endless = more->endless;
    return set_bound(&into->max, more->max.ptr, more->max.len, err);
}

rv_status rv_pq_bounds_widen(rv_pq_order order, rv_pq_bounds *into, const rv_pq_bounds *more,
                             rv_error *err)
{
    into->nans += more->nans;
    if (!more->any)
        return RV_OK;
    RV_TRY(widen_min(order, into, more, err));
    RV_TRY(widen_max(order, into, more, err));
    into->any = true;
    return RV_OK;
}

void rv_pq_bounds_clear(rv_pq_bounds *b)
{
    b->any = b->has_max = b->endless = b->min_exact = b->max_exact = false;
    b->nans = 0;
    rv_buf_clear(&b->min);
    rv_buf_clear(&b->max);
}

void rv_pq_bounds_free(rv_pq_bounds *b)
{
    rv_buf_free(&b->min);
    rv_buf_free(&b->max);
}
