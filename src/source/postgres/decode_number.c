/* numeric and money: base-10,000 digits to an unscaled integer at the column's scale. */
#include <stdio.h>

#include "source/postgres/decode_internal.h"

#define SIGN_NEGATIVE 0x4000
#define SIGN_NAN 0xC000
#define SIGN_INFINITE 0xD000
#define SIGN_MINUS_INFINITE 0xF000

typedef struct numeric {
    int ndigits, weight, dscale;
    unsigned sign;
    const char *digits;
} numeric;

static const uint64_t pow10_u64[19] = {UINT64_C(1),
                                       UINT64_C(10),
                                       UINT64_C(100),
                                       UINT64_C(1000),
                                       UINT64_C(10000),
                                       UINT64_C(100000),
                                       UINT64_C(1000000),
                                       UINT64_C(10000000),
                                       UINT64_C(100000000),
                                       UINT64_C(1000000000),
                                       UINT64_C(10000000000),
                                       UINT64_C(100000000000),
                                       UINT64_C(1000000000000),
                                       UINT64_C(10000000000000),
                                       UINT64_C(100000000000000),
                                       UINT64_C(1000000000000000),
                                       UINT64_C(10000000000000000),
                                       UINT64_C(100000000000000000),
                                       UINT64_C(1000000000000000000)};

static inline bool read_numeric(const char *data, int32_t n, numeric *out)
{
    if (n < 8)
        return false;
    out->ndigits = (int16_t)rv_be16(data);
    out->weight = (int16_t)rv_be16(data + 2);
    out->sign = rv_be16(data + 4);
    out->dscale = (int16_t)rv_be16(data + 6);
    out->digits = data + 8;
    return out->ndigits >= 0 && n == 8 + 2 * out->ndigits;
}

static inline bool finite(const numeric *v)
{
    return (v->sign & 0xC000) != 0xC000;
}

/* The group at `i`, weighted 10000^(weight - i). */
static inline unsigned group_at(const numeric *v, int i)
{
    return rv_be16(v->digits + 2 * (size_t)i);
}

/* A group that straddles the scale: `keep` of its four digits count. False: digits beyond. */
static inline bool split_group(unsigned group, int keep, unsigned *out)
{
    if (keep <= 0) {
        *out = 0;
        return group == 0;
    }
    unsigned rest = (unsigned)pow10_u64[4 - keep];
    *out = group / rest;
    return group % rest == 0;
}

typedef enum fit { FIT_OK, FIT_MALFORMED, FIT_FRACTION } fit;

/* At most 18 digits at this scale: no step can overflow. */
static fit to_i64(const numeric *v, int scale, int64_t *out)
{
    uint64_t acc = 0;
    int below = 4 * v->weight + scale; /* decimal exponent of the next group's last digit */
    int i = 0;
    for (; i < v->ndigits && below >= 0; i++, below -= 4) {
        unsigned group = group_at(v, i);
        if (group > 9999)
            return FIT_MALFORMED;
        acc = acc * 10000 + group;
    }
    if (i == v->ndigits) {
        /* the last group taken stood 4 above */
        if (acc != 0 && v->ndigits > 0)
            acc *= pow10_u64[below + 4];
    }
    for (; i < v->ndigits; i++, below -= 4) {
        unsigned group = group_at(v, i), part;
        int keep = below + 4;
        if (group > 9999)
            return FIT_MALFORMED;
        if (!split_group(group, keep, &part))
            return FIT_FRACTION;
        if (keep > 0)
            acc = acc * pow10_u64[keep] + part;
    }
    *out = v->sign == SIGN_NEGATIVE ? -(int64_t)acc : (int64_t)acc;
    return FIT_OK;
}

/* At most 38 digits at this scale. */
static fit to_i128(const numeric *v, int scale, rv_i128 *out)
{
    rv_ui128 acc = 0;
    int below = 4 * v->weight + scale;
    int i = 0;
    for (; i < v->ndigits && below >= 0; i++, below -= 4) {
        unsigned group = group_at(v, i);
        if (group > 9999)
            return FIT_MALFORMED;
        acc = acc * 10000 + group;
    }
    if (i == v->ndigits && acc != 0) {
        for (int up = below + 4; up > 0; up -= up > 18 ? 18 : up)
            acc *= pow10_u64[up > 18 ? 18 : up];
    }
    for (; i < v->ndigits; i++, below -= 4) {
        unsigned group = group_at(v, i), part;
        int keep = below + 4;
        if (group > 9999)
            return FIT_MALFORMED;
        if (!split_group(group, keep, &part))
            return FIT_FRACTION;
        if (keep > 0)
            acc = acc * pow10_u64[keep] + part;
    }
    *out = v->sign == SIGN_NEGATIVE ? -(rv_i128)acc : (rv_i128)acc;
    return FIT_OK;
}

/* Decimal digits of a value at this scale, at most. */
static inline int digits_at(const numeric *v, int scale)
{
    return 4 * (v->weight + 1) + scale;
}

static rv_status as_text(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                         rv_builder *b, rv_error *err)
{
    rv_buf text = RV_BUF_INIT;
    bool ok = false;
    rv_status st = rv_pgs_numeric_text(data, n, &text, &ok, err);
    if (st == RV_OK)
        st = ok ? rv_builder_decimal_text(b, col, rv_buf_str(&text), err)
                : rv_pgs_malformed(c, n, err);
    rv_buf_free(&text);
    return st;
}

static rv_status not_finite(const rv_pgs_column *c, rv_error *err)
{
    return rv_pgs_misfit(c, "numeric NaN/infinity",
                         c->decoder == RV_PGS_NUMERIC_INT ? "an integer" : "a decimal", err);
}

rv_status rv_pgs_decode_numeric(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                                rv_builder *b, rv_error *err)
{
    numeric v;
    int64_t word = 0;
    rv_i128 wide = 0;
    if (__builtin_expect(!read_numeric(data, n, &v), 0))
        return rv_pgs_malformed(c, n, err);
    if (__builtin_expect(!finite(&v), 0))
        return not_finite(c, err);
    int digits = digits_at(&v, c->scale);
    if (__builtin_expect(digits <= 18, 1) && to_i64(&v, c->scale, &word) == FIT_OK)
        return rv_builder_decimal_i64(b, col, word, err);
    if (digits <= 38 && to_i128(&v, c->scale, &wide) == FIT_OK)
        return rv_builder_decimal_i128(b, col, wide, err);
    /* beyond 38 digits, or a value whose refusal shows its text */
    return as_text(c, col, data, n, b, err);
}

rv_status rv_pgs_decode_numeric_int(const rv_pgs_column *c, uint32_t col, const char *data,
                                    int32_t n, rv_builder *b, rv_error *err)
{
    numeric v;
    rv_i128 wide = 0;
    if (!read_numeric(data, n, &v))
        return rv_pgs_malformed(c, n, err);
    if (!finite(&v))
        return not_finite(c, err);
    fit f = digits_at(&v, 0) <= 38 ? to_i128(&v, 0, &wide) : FIT_OK;
    if (f == FIT_MALFORMED)
        return rv_pgs_malformed(c, n, err);
    if (f == FIT_FRACTION)
        return rv_pgs_misfit(c, "a numeric with a fraction", "an integer", err);
    if (digits_at(&v, 0) > 38 || wide > INT64_MAX || wide < INT64_MIN)
        return rv_pgs_misfit(c, "a numeric beyond 64 bits", "an integer", err);
    return rv_builder_i64(b, col, (int64_t)wide, err);
}

rv_status rv_pgs_decode_money(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                              rv_builder *b, rv_error *err)
{
    if (n != 8)
        return rv_pgs_malformed(c, n, err);
    return rv_builder_decimal_i64(b, col, (int64_t)rv_be64(data), err);
}

static const char *special_name(unsigned sign)
{
    switch (sign) {
    case SIGN_NAN:
        return "NaN";
    case SIGN_INFINITE:
        return "Infinity";
    case SIGN_MINUS_INFINITE:
        return "-Infinity";
    default:
        return NULL;
    }
}

static rv_status add_group(const numeric *v, int weight, int digits, rv_buf *out, bool *ok,
                           rv_error *err)
{
    int i = v->weight - weight;
    unsigned group = i >= 0 && i < v->ndigits ? group_at(v, i) : 0;
    char text[8];
    *ok = *ok && group <= 9999;
    if (!*ok)
        return RV_OK;
    (void)snprintf(text, sizeof text, "%04u", group);
    return rv_buf_add(out, text, (size_t)digits, err);
}

static rv_status add_digits(const numeric *v, rv_buf *out, bool *ok, rv_error *err)
{
    if (v->weight < 0)
        RV_TRY(rv_buf_add_byte(out, '0', err));
    for (int w = v->weight; w >= 0; w--) {
        size_t before = out->len;
        RV_TRY(add_group(v, w, 4, out, ok, err));
        if (w != v->weight || !*ok)
            continue;
        size_t zeros = 0; /* leading ones of the first group */
        while (zeros < 3 && out->ptr[before + zeros] == '0')
            zeros++;
        memmove(out->ptr + before, out->ptr + before + zeros, 4 - zeros);
        out->len -= zeros;
    }
    if (v->dscale > 0)
        RV_TRY(rv_buf_add_byte(out, '.', err));
    for (int left = v->dscale, w = -1; left > 0; left -= 4, w--)
        RV_TRY(add_group(v, w, left < 4 ? left : 4, out, ok, err));
    return RV_OK;
}

/* Does every digit lie within dscale? The server never sends others. */
static bool within_scale(const numeric *v)
{
    int beyond = 4 * (v->ndigits - 1 - v->weight) - v->dscale;
    if (v->ndigits == 0 || beyond <= 0)
        return true;
    return beyond <= 3 && group_at(v, v->ndigits - 1) % pow10_u64[beyond] == 0;
}

rv_status rv_pgs_numeric_text(const char *data, int32_t n, rv_buf *out, bool *out_ok, rv_error *err)
{
    numeric v;
    size_t before = out->len;
    *out_ok = read_numeric(data, n, &v) && v.dscale >= 0;
    if (!*out_ok)
        return RV_OK;
    if (!finite(&v)) {
        const char *name = special_name(v.sign);
        *out_ok = name != NULL;
        return name ? rv_buf_add_c(out, name, err) : RV_OK;
    }
    *out_ok = within_scale(&v);
    if (!*out_ok)
        return RV_OK;
    if (v.sign == SIGN_NEGATIVE)
        RV_TRY(rv_buf_add_byte(out, '-', err));
    RV_TRY(add_digits(&v, out, out_ok, err));
    if (!*out_ok)
        out->len = before;
    return RV_OK;
}
