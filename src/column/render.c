#include "column/render.h"

#include <assert.h>

#include "column/canonical.h"
#include "column/shortest_internal.h"
#include "column/temporal.h"

static const char pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

/* Digits of v right-aligned before `end`; returns where they begin. */
static char *digits_before(char *end, uint64_t v)
{
    while (v >= 100) {
        end -= 2;
        memcpy(end, pairs + v % 100 * 2, 2);
        v /= 100;
    }
    if (v >= 10) {
        end -= 2;
        memcpy(end, pairs + v * 2, 2);
    } else {
        *--end = (char)('0' + v);
    }
    return end;
}

/* The digits without trailing zeros; 0.d1d2.. x 10^point. */
static unsigned significant(rv_shortest r, char digits[20], int *point)
{
    char text[20];
    char *end = text + sizeof text;
    const char *p = digits_before(end, r.digits);
    unsigned n = (unsigned)(end - p);
    *point = (int)n + r.exp10;
    memcpy(digits, p, n);
    while (n > 1 && digits[n - 1] == '0')
        n--;
    return n;
}

unsigned rv_double_digits(double v, char digits[20], int *exp10)
{
    return significant(rv_shortest_double(v), digits, exp10);
}

static char *zeros(char *p, int n)
{
    if (n <= 0)
        return p;
    memset(p, '0', (size_t)n);
    return p + n;
}

static unsigned positional(bool negative, rv_shortest r, char *out)
{
    char digits[20];
    int point;
    unsigned n = significant(r, digits, &point);
    char *p = out;
    if (negative)
        *p++ = '-';
    int whole = point <= 0 ? 0 : point < (int)n ? point : (int)n;
    memcpy(p, digits, (size_t)whole);
    p = zeros(p + whole, point <= 0 ? 1 : point - whole);
    *p++ = '.';
    p = zeros(p, -point);
    memcpy(p, digits + whole, n - (unsigned)whole);
    p += n - (unsigned)whole;
    if (whole == (int)n)
        *p++ = '0';
    return (unsigned)(p - out);
}

/* NaN, infinities and zeros; 0 when v is none of them. */
static unsigned special(double v, char *out)
{
    const char *text = NULL;
    if (v != v)
        text = "NaN";
    else if (__builtin_isinf(v))
        text = v < 0 ? "-inf" : "inf";
    else if (v == 0)
        text = __builtin_signbit(v) ? "-0.0" : "0.0";
    if (!text)
        return 0;
    unsigned n = (unsigned)strlen(text);
    memcpy(out, text, n);
    return n;
}

unsigned rv_double_text(double v, char out[RV_DOUBLE_TEXT_SIZE])
{
    unsigned n = special(v, out);
    return n ? n : positional(v < 0, rv_shortest_double(v), out);
}

unsigned rv_float_text(float v, char out[RV_DOUBLE_TEXT_SIZE])
{
    unsigned n = special((double)v, out);
    return n ? n : positional(v < 0, rv_shortest_float(v), out);
}

static unsigned integer_text(bool negative, uint64_t magnitude, char *out)
{
    char digits[20];
    const char *end = digits + sizeof digits;
    const char *p = digits_before(digits + sizeof digits, magnitude);
    size_t n = (size_t)(end - p);
    out[0] = '-';
    memcpy(out + negative, p, n);
    return (unsigned)(n + negative);
}

static unsigned uuid_text(const uint8_t *uuid, char *out)
{
    static const char hex[] = "0123456789abcdef";
    char *p = out;
    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = hex[uuid[i] >> 4];
        *p++ = hex[uuid[i] & 15];
    }
    return (unsigned)(p - out);
}

static unsigned temporal_text(rv_kind kind, int64_t v, char *out)
{
    if (kind == RV_DATE)
        return rv_date_text(v, out);
    if (kind == RV_TIME)
        return rv_time_text(v, out);
    bool tz = kind == RV_TIMESTAMP_TZ || kind == RV_TIMESTAMP_TZ_NS;
    if (kind == RV_TIMESTAMP_NS || kind == RV_TIMESTAMP_TZ_NS)
        return rv_timestamp_ns_text(v, tz, out);
    return rv_timestamp_text(v, tz, out);
}

/* Everything but the VAR kinds fits RV_DOUBLE_TEXT_SIZE. */
static unsigned fixed_text(rv_type t, const rv_cell *cell, char *out)
{
    rv_kind kind = (rv_kind)t.kind;
    if (kind == RV_BOOL) {
        memcpy(out, cell->i64 ? "true" : "false", 5);
        return cell->i64 ? 4 : 5;
    }
    if (kind == RV_UINT64)
        return integer_text(false, (uint64_t)cell->i64, out);
    if (kind == RV_INT16 || kind == RV_INT32 || kind == RV_INT64) {
        uint64_t bits = (uint64_t)cell->i64;
        return integer_text(cell->i64 < 0, cell->i64 < 0 ? 0 - bits : bits, out);
    }
    if (kind == RV_FLOAT32)
        return rv_float_text((float)cell->f64, out);
    if (kind == RV_FLOAT64)
        return rv_double_text(cell->f64, out);
    if (kind == RV_DECIMAL)
        return rv_decimal_text(cell->dec, t.scale, out);
    if (kind == RV_UUID)
        return uuid_text(cell->bytes.ptr, out);
    return temporal_text(kind, cell->i64, out);
}

static rv_status add_hex(rv_bytes bytes, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_reserve(out, bytes.len * 2 + 1, err)); /* rv_hex ends with a NUL */
    rv_hex(bytes.ptr, bytes.len, (char *)out->ptr + out->len);
    out->len += bytes.len * 2;
    return RV_OK;
}

rv_status rv_render_value(const rv_col *col, uint32_t k, rv_buf *out, rv_error *err)
{
    assert(col->type.kind != RV_LIST);
    rv_cell cell = rv_cell_of(col, k);
    if (col->type.kind == RV_BINARY)
        return add_hex(cell.bytes, out, err);
    if (rv_type_layout(col->type) == RV_LAYOUT_VAR)
        return rv_buf_add(out, cell.bytes.ptr, cell.bytes.len, err);
    RV_TRY(rv_buf_reserve(out, RV_DOUBLE_TEXT_SIZE, err));
    out->len += fixed_text(col->type, &cell, (char *)out->ptr + out->len);
    return RV_OK;
}
