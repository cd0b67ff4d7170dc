#include "column/decimal.h"

#include <assert.h>

#include "column/decimal_internal.h"

static const rv_i256 pow10_table[RV_DECIMAL_DIGITS_MAX + 1] = {
#include "column/pow10_256.inc"
};

const rv_i256 *rv_i256_pow10(unsigned k)
{
    assert(k <= RV_DECIMAL_DIGITS_MAX);
    return &pow10_table[k];
}

rv_i256 rv_i256_from_i64(int64_t v)
{
    uint64_t sign = v < 0 ? UINT64_MAX : 0;
    return (rv_i256){{(uint64_t)v, sign, sign, sign}};
}

rv_i256 rv_i256_from_i128(rv_i128 v)
{
    uint64_t sign = v < 0 ? UINT64_MAX : 0;
    return (rv_i256){{(uint64_t)v, (uint64_t)((rv_ui128)v >> 64), sign, sign}};
}

bool rv_i256_to_i64(rv_i256 v, int64_t *out)
{
    uint64_t sign = (int64_t)v.limb[0] < 0 ? UINT64_MAX : 0;
    if (v.limb[1] != sign || v.limb[2] != sign || v.limb[3] != sign)
        return false;
    *out = (int64_t)v.limb[0];
    return true;
}

bool rv_i256_to_i128(rv_i256 v, rv_i128 *out)
{
    uint64_t sign = (int64_t)v.limb[1] < 0 ? UINT64_MAX : 0;
    if (v.limb[2] != sign || v.limb[3] != sign)
        return false;
    *out = (rv_i128)((rv_ui128)v.limb[1] << 64 | v.limb[0]);
    return true;
}

bool rv_i256_negative(rv_i256 v)
{
    return v.limb[3] >> 63;
}

static int cmp_unsigned(const rv_i256 *a, const rv_i256 *b)
{
    for (unsigned i = 4; i-- > 0;)
        if (a->limb[i] != b->limb[i])
            return a->limb[i] < b->limb[i] ? -1 : 1;
    return 0;
}

int rv_i256_cmp(rv_i256 a, rv_i256 b)
{
    bool na = rv_i256_negative(a);
    if (na != rv_i256_negative(b))
        return na ? -1 : 1;
    return cmp_unsigned(&a, &b);
}

static rv_i256 negate(rv_i256 v)
{
    unsigned carry = 1;
    for (unsigned i = 0; i < 4; i++) {
        v.limb[i] = ~v.limb[i] + carry;
        carry = carry && v.limb[i] == 0;
    }
    return v;
}

/* As unsigned: the smallest value is its own magnitude, 2^255. */
static rv_i256 magnitude(rv_i256 v)
{
    return rv_i256_negative(v) ? negate(v) : v;
}

/* v * factor + add, modulo 2^256. */
static void mul_add(rv_i256 *v, uint64_t factor, uint64_t add)
{
    rv_ui128 carry = add;
    for (unsigned i = 0; i < 4; i++) {
        carry += (rv_ui128)v->limb[i] * factor;
        v->limb[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

/* Unsigned; returns the remainder. */
static uint64_t div_small(rv_i256 *v, uint64_t divisor)
{
    rv_ui128 rest = 0;
    for (unsigned i = 4; i-- > 0;) {
        rest = rest << 64 | v->limb[i];
        v->limb[i] = (uint64_t)(rest / divisor);
        rest %= divisor;
    }
    return (uint64_t)rest;
}

#define POW10_18 UINT64_C(1000000000000000000)

static uint64_t pow10_u64(unsigned k)
{
    assert(k <= 19);
    return pow10_table[k].limb[0];
}

static void mul_pow10(rv_i256 *v, unsigned k)
{
    for (; k > 18; k -= 18)
        mul_add(v, POW10_18, 0);
    mul_add(v, pow10_u64(k), 0);
}

bool rv_decimal_fits(rv_i256 v, unsigned precision)
{
    assert(precision >= 1 && precision <= RV_DECIMAL_DIGITS_MAX);
    rv_i256 abs = magnitude(v);
    return cmp_unsigned(&abs, &pow10_table[precision]) < 0;
}

/* A number's text taken apart: digits of `digits` (a point among them at most), then the power
 * of ten the last digit stands for. Leading and trailing zeros are cut. */
typedef struct number {
    bool negative;
    const char *digits;
    size_t len;       /* with the point, if it lies inside */
    int64_t count;    /* digits alone; 0 = the value is zero */
    int64_t exponent; /* of the last digit */
} number;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

#define EXPONENT_LIMIT (INT64_C(1) << 40) /* far beyond any length of text */

static bool read_exponent(const char *p, const char *end, int64_t *out)
{
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (p == end)
        return false;
    int64_t v = 0;
    for (; p < end; p++) {
        if (!is_digit(*p))
            return false;
        if (v < EXPONENT_LIMIT)
            v = v * 10 + (*p - '0');
    }
    *out = negative ? -v : v;
    return true;
}

static void cut_zeros(number *n, const char *point)
{
    const char *p = n->digits;
    const char *end = p + n->len;
    while (p < end && (*p == '0' || *p == '.'))
        p++;
    while (end > p && (end[-1] == '0' || end[-1] == '.')) {
        n->exponent += end[-1] == '0';
        end--;
    }
    n->digits = p;
    n->len = (size_t)(end - p);
    bool inside = point && point >= p && point < end;
    n->count = (int64_t)n->len - inside;
}

static bool read_number(rv_str text, number *n)
{
    const char *p = text.ptr;
    const char *end = p + text.len;
    const char *point = NULL;
    n->negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    n->digits = p;
    for (; p < end && (is_digit(*p) || (*p == '.' && !point)); p++)
        if (*p == '.')
            point = p;
    n->len = (size_t)(p - n->digits);
    if (n->len == (point ? 1U : 0U))
        return false;
    n->exponent = 0;
    if (p < end && ((*p != 'e' && *p != 'E') || !read_exponent(p + 1, end, &n->exponent)))
        return false;
    if (point)
        n->exponent -= p - point - 1;
    cut_zeros(n, point);
    return true;
}

static rv_i256 accumulate(const number *n)
{
    rv_i256 v = {{0, 0, 0, 0}};
    uint64_t chunk = 0;
    unsigned in_chunk = 0;
    for (size_t i = 0; i < n->len; i++) {
        if (n->digits[i] == '.')
            continue;
        chunk = chunk * 10 + (uint64_t)(n->digits[i] - '0');
        if (++in_chunk == 18) {
            mul_add(&v, POW10_18, chunk);
            chunk = 0;
            in_chunk = 0;
        }
    }
    mul_add(&v, pow10_u64(in_chunk), chunk);
    return v;
}

rv_decimal_fit rv_decimal_parse(rv_str text, unsigned precision, unsigned scale, rv_i256 *out)
{
    assert(precision >= 1 && precision <= RV_DECIMAL_DIGITS_MAX && scale <= precision);
    number n;
    if (text.len == 0 || !read_number(text, &n))
        return RV_DECIMAL_SYNTAX;
    if (n.count == 0) {
        *out = rv_i256_from_i64(0);
        return RV_DECIMAL_OK;
    }
    int64_t zeros = n.exponent + (int64_t)scale; /* to append */
    if (zeros < 0)
        return RV_DECIMAL_FRACTION;
    if (n.count + zeros > (int64_t)precision)
        return RV_DECIMAL_OVERFLOW;
    rv_i256 v = accumulate(&n);
    mul_pow10(&v, (unsigned)zeros);
    *out = n.negative ? negate(v) : v;
    return RV_DECIMAL_OK;
}

static rv_decimal_fit drop_digits(rv_i256 *abs, unsigned digits)
{
    for (; digits > 0; digits--)
        if (div_small(abs, 10) != 0)
            return RV_DECIMAL_FRACTION;
    return RV_DECIMAL_OK;
}

rv_decimal_fit rv_decimal_from_i128(rv_i128 unscaled, unsigned from_scale, unsigned precision,
                                    unsigned scale, rv_i256 *out)
{
    assert(precision >= 1 && precision <= RV_DECIMAL_DIGITS_MAX && scale <= precision);
    rv_i256 v = rv_i256_from_i128(unscaled);
    rv_i256 abs = magnitude(v);
    if (unscaled != 0 && from_scale > scale) {
        rv_decimal_fit fit = drop_digits(&abs, from_scale - scale);
        if (fit != RV_DECIMAL_OK)
            return fit;
    } else if (unscaled != 0 && from_scale < scale) {
        unsigned zeros = scale - from_scale;
        if (zeros >= precision || cmp_unsigned(&abs, &pow10_table[precision - zeros]) >= 0)
            return RV_DECIMAL_OVERFLOW;
        mul_pow10(&abs, zeros);
    }
    if (cmp_unsigned(&abs, &pow10_table[precision]) >= 0)
        return RV_DECIMAL_OVERFLOW;
    *out = unscaled < 0 ? negate(abs) : abs;
    return RV_DECIMAL_OK;
}

/* All digits of an unsigned value, at least `least`, right-aligned before `end`. */
static char *digits_before(char *end, rv_i256 abs, unsigned least)
{
    char *p = end;
    bool more = true;
    while (more) {
        uint64_t chunk;
        if ((abs.limb[1] | abs.limb[2] | abs.limb[3]) == 0) {
            chunk = abs.limb[0];
            more = false;
        } else {
            chunk = div_small(&abs, POW10_18);
        }
        for (unsigned i = 0; more ? i < 18 : chunk != 0; i++, chunk /= 10)
            *--p = (char)('0' + chunk % 10);
    }
    while (end - p < (int)least)
        *--p = '0';
    return p;
}

unsigned rv_decimal_text(rv_i256 v, unsigned scale, char out[RV_DECIMAL_TEXT_SIZE])
{
    char digits[96];
    char *end = digits + sizeof digits;
    assert(scale <= RV_DECIMAL_DIGITS_MAX);
    const char *p = digits_before(end, magnitude(v), scale + 1);
    size_t whole = (size_t)(end - p) - scale;
    char *o = out;
    if (rv_i256_negative(v))
        *o++ = '-';
    memcpy(o, p, whole);
    o += whole;
    if (scale) {
        *o++ = '.';
        memcpy(o, p + whole, scale);
        o += scale;
    }
    return (unsigned)(o - out);
}

unsigned rv_decimal_flba_bytes(unsigned precision)
{
    assert(precision >= 1 && precision <= RV_DECIMAL_DIGITS_MAX);
    /* 10^p is no power of two, so 10^p - 1 has as many bits */
    return rv_i256_shortest_bytes(pow10_table[precision]);
}

void rv_i256_to_be(rv_i256 v, uint8_t *out, unsigned n)
{
    assert(n >= 1 && n <= 32);
    for (unsigned i = 0; i < n; i++)
        out[n - 1 - i] = (uint8_t)(v.limb[i / 8] >> (8 * (i % 8)));
}

rv_i256 rv_i256_from_be(const uint8_t *in, unsigned n)
{
    assert(n >= 1 && n <= 32);
    rv_i256 v = rv_i256_from_i64(in[0] & 0x80 ? -1 : 0);
    for (unsigned i = 0; i < n; i++) {
        uint64_t byte = in[n - 1 - i];
        unsigned shift = 8 * (i % 8);
        v.limb[i / 8] = (v.limb[i / 8] & ~(UINT64_C(0xFF) << shift)) | byte << shift;
    }
    return v;
}

rv_i256 rv_i256_from_le(const uint8_t *in, unsigned n)
{
    assert(n == 8 || n == 16 || n == 32);
    rv_i256 v = rv_i256_from_i64(in[n - 1] & 0x80 ? -1 : 0);
    memcpy(v.limb, in, n);
    return v;
}

unsigned rv_i256_shortest_bytes(rv_i256 v)
{
    uint64_t sign = rv_i256_negative(v) ? UINT64_MAX : 0;
    unsigned top = 3;
    while (top > 0 && v.limb[top] == sign)
        top--;
    uint64_t rest = v.limb[top] ^ sign; /* the bits that differ from the sign */
    unsigned bits = rest ? 64 - (unsigned)__builtin_clzll(rest) : 0;
    return top * 8 + bits / 8 + 1; /* one more bit for the sign */
}
