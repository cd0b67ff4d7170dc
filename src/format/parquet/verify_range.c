#include <math.h>
#include <string.h>

#include "format/parquet/verify_internal.h"

static int cmp_bytes(rv_bytes a, rv_bytes b)
{
    uint64_t x, y;
    if (a.len >= sizeof x && b.len >= sizeof y) { /* most strings differ early */
        memcpy(&x, a.ptr, sizeof x);
        memcpy(&y, b.ptr, sizeof y);
        if (x != y)
            return __builtin_bswap64(x) < __builtin_bswap64(y) ? -1 : 1;
    }
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

/* Big-endian two's complement of different lengths: as if sign-extended. */
static int cmp_signed(rv_bytes a, rv_bytes b)
{
    bool a_neg = a.len && a.ptr[0] & 0x80, b_neg = b.len && b.ptr[0] & 0x80;
    if (a_neg != b_neg)
        return a_neg ? -1 : 1;
    uint8_t fill = a_neg ? 0xFF : 0;
    size_t n = a.len > b.len ? a.len : b.len;
    for (size_t i = 0; i < n; i++) {
        uint8_t x = i + a.len < n ? fill : a.ptr[i + a.len - n];
        uint8_t y = i + b.len < n ? fill : b.ptr[i + b.len - n];
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

static bool by_bytes(rv_pq_leaf_order order)
{
    return order == RV_PQ_BY_BYTES || order == RV_PQ_BY_SIGNED;
}

int rv_pq_range_cmp(rv_pq_leaf_order order, rv_pq_bound a, rv_pq_bound b)
{
    switch (order) {
    case RV_PQ_BY_NOTHING:
        return 0;
    case RV_PQ_BY_BOOL:
    case RV_PQ_BY_I32:
    case RV_PQ_BY_I64:
        return (a.i > b.i) - (a.i < b.i);
    case RV_PQ_BY_U32:
    case RV_PQ_BY_U64:
        return (a.u > b.u) - (a.u < b.u);
    case RV_PQ_BY_F32:
    case RV_PQ_BY_F64:
    case RV_PQ_BY_F16:
        return (a.f > b.f) - (a.f < b.f);
    case RV_PQ_BY_BYTES:
        return cmp_bytes(a.b, b.b);
    case RV_PQ_BY_SIGNED:
        return cmp_signed(a.b, b.b);
    }
    return 0;
}

static double half(const uint8_t *p)
{
    uint16_t h = (uint16_t)(p[0] | p[1] << 8);
    int exponent = h >> 10 & 31;
    double fraction = h & 1023;
    double v = exponent == 31 ? (fraction != 0 ? (double)NAN : (double)INFINITY)
               : exponent     ? ldexp(fraction + 1024, exponent - 25)
                              : ldexp(fraction, -24);
    return h & 0x8000 ? -v : v;
}

/* One loop per physical width; `load` gives the value in the bound's member. */
#define SCAN_INT(name, ctype, member, mtype)                                                       \
    static void name(const uint8_t *p, uint32_t n, rv_pq_range *r)                                 \
    {                                                                                              \
        ctype lo, hi, v;                                                                           \
        memcpy(&lo, p, sizeof lo);                                                                 \
        hi = lo;                                                                                   \
        for (uint32_t i = 1; i < n; i++) {                                                         \
            memcpy(&v, p + (size_t)i * sizeof v, sizeof v);                                        \
            lo = v < lo ? v : lo;                                                                  \
            hi = v > hi ? v : hi;                                                                  \
        }                                                                                          \
        r->any = true;                                                                             \
        r->min.member = (mtype)lo;                                                                 \
        r->max.member = (mtype)hi;                                                                 \
    }
SCAN_INT(scan_bool, uint8_t, i, int64_t)
SCAN_INT(scan_i32, int32_t, i, int64_t)
SCAN_INT(scan_u32, uint32_t, u, uint64_t)
SCAN_INT(scan_i64, int64_t, i, int64_t)
SCAN_INT(scan_u64, uint64_t, u, uint64_t)

static void take_double(double v, rv_pq_range *r)
{
    if (isnan(v)) {
        r->nans++;
        return;
    }
    if (!r->any || v < r->min.f)
        r->min.f = v;
    if (!r->any || v > r->max.f)
        r->max.f = v;
    r->any = true;
}

static void scan_floats(const rv_pq_slice_values *v, rv_pq_leaf_order order, rv_pq_range *r)
{
    for (uint32_t i = 0; i < v->n; i++) {
        float f;
        double d;
        if (order == RV_PQ_BY_F32) {
            memcpy(&f, v->fixed + (size_t)i * 4, 4);
            d = (double)f;
        } else if (order == RV_PQ_BY_F64) {
            memcpy(&d, v->fixed + (size_t)i * 8, 8);
        } else {
            d = half(v->spans[i].ptr);
        }
        take_double(d, r);
    }
}

static void scan_spans(const rv_bytes *spans, uint32_t n, rv_pq_leaf_order order, rv_pq_range *r)
{
    rv_bytes lo = spans[0], hi = spans[0];
    for (uint32_t i = 1; i < n; i++) {
        if (order == RV_PQ_BY_SIGNED) {
            lo = cmp_signed(spans[i], lo) < 0 ? spans[i] : lo;
            hi = cmp_signed(spans[i], hi) > 0 ? spans[i] : hi;
        } else {
            lo = cmp_bytes(spans[i], lo) < 0 ? spans[i] : lo;
            hi = cmp_bytes(spans[i], hi) > 0 ? spans[i] : hi;
        }
    }
    r->any = true;
    r->min.b = lo;
    r->max.b = hi;
}

static void scan(const rv_pq_read_leaf *leaf, const rv_pq_slice_values *v, rv_pq_range *r)
{
    switch (leaf->order) {
    case RV_PQ_BY_NOTHING:
        return;
    case RV_PQ_BY_BOOL:
        scan_bool(v->fixed, v->n, r);
        return;
    case RV_PQ_BY_I32:
        scan_i32(v->fixed, v->n, r);
        return;
    case RV_PQ_BY_U32:
        scan_u32(v->fixed, v->n, r);
        return;
    case RV_PQ_BY_I64:
        scan_i64(v->fixed, v->n, r);
        return;
    case RV_PQ_BY_U64:
        scan_u64(v->fixed, v->n, r);
        return;
    case RV_PQ_BY_F32:
    case RV_PQ_BY_F64:
    case RV_PQ_BY_F16:
        scan_floats(v, leaf->order, r);
        return;
    case RV_PQ_BY_BYTES:
    case RV_PQ_BY_SIGNED:
        scan_spans(v->spans, v->n, leaf->order, r);
        return;
    }
}

void rv_pq_range_of_slice(const rv_pq_read_leaf *leaf, const rv_pq_slice *s, rv_pq_range *out)
{
    *out = (rv_pq_range){.values = s->values.n, .nulls = s->n - s->values.n};
    if (s->values.n)
        scan(leaf, &s->values, out);
    for (uint32_t i = 0; leaf->type == RV_PQ_BYTE_ARRAY && i < s->values.n; i++)
        out->bytes += s->values.spans[i].len;
}

static rv_status keep(rv_pq_leaf_order order, rv_pq_bound *into, rv_pq_bound from, rv_buf *copy,
                      rv_error *err)
{
    if (by_bytes(order)) {
        rv_buf_clear(copy);
        RV_TRY(rv_buf_reserve(copy, from.b.len + 1, err));
        if (from.b.len)
            RV_TRY(rv_buf_add(copy, from.b.ptr, from.b.len, err));
        from.b = rv_buf_bytes(copy);
    }
    *into = from;
    return RV_OK;
}

rv_status rv_pq_range_merge(rv_pq_leaf_order order, rv_pq_range *into, const rv_pq_range *more,
                            rv_error *err)
{
    into->values += more->values;
    into->nulls += more->nulls;
    into->nans += more->nans;
    into->bytes += more->bytes;
    if (!more->any)
        return RV_OK;
    if (!into->any || rv_pq_range_cmp(order, more->min, into->min) < 0)
        RV_TRY(keep(order, &into->min, more->min, &into->min_copy, err));
    if (!into->any || rv_pq_range_cmp(order, more->max, into->max) > 0)
        RV_TRY(keep(order, &into->max, more->max, &into->max_copy, err));
    into->any = true;
    return RV_OK;
}

void rv_pq_range_reset(rv_pq_range *r)
{
    rv_buf min = r->min_copy, max = r->max_copy;
    *r = (rv_pq_range){.min_copy = min, .max_copy = max};
}

void rv_pq_range_free(rv_pq_range *r)
{
    rv_buf_free(&r->min_copy);
    rv_buf_free(&r->max_copy);
}

static bool parse_fixed(const rv_pq_read_leaf *leaf, const uint8_t *p, rv_pq_bound *out)
{
    int32_t i32;
    uint32_t u32;
    float f32;
    switch (leaf->order) {
    case RV_PQ_BY_BOOL:
        out->i = p[0];
        return p[0] <= 1;
    case RV_PQ_BY_I32:
        memcpy(&i32, p, 4);
        out->i = i32;
        return true;
    case RV_PQ_BY_U32:
        memcpy(&u32, p, 4);
        out->u = u32;
        return true;
    case RV_PQ_BY_I64:
        memcpy(&out->i, p, 8);
        return true;
    case RV_PQ_BY_U64:
        memcpy(&out->u, p, 8);
        return true;
    case RV_PQ_BY_F32:
        memcpy(&f32, p, 4);
        out->f = (double)f32;
        return !isnan(out->f);
    case RV_PQ_BY_F64:
        memcpy(&out->f, p, 8);
        return !isnan(out->f);
    case RV_PQ_BY_F16:
        out->f = half(p);
        return !isnan(out->f);
    case RV_PQ_BY_NOTHING:
    case RV_PQ_BY_BYTES:
    case RV_PQ_BY_SIGNED:
        break;
    }
    return false;
}

bool rv_pq_bound_parse(const rv_pq_read_leaf *leaf, rv_bytes stored, rv_pq_bound *out)
{
    if (by_bytes(leaf->order)) {
        out->b = stored;
        return leaf->order != RV_PQ_BY_SIGNED || stored.len > 0;
    }
    size_t width = leaf->order == RV_PQ_BY_F16 ? 2 : rv_pq_fixed_width(leaf->type);
    return stored.len == width && parse_fixed(leaf, stored.ptr, out);
}
