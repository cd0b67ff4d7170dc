#include "format/csv/csv_internal.h"

#include <assert.h>

#include "column/decimal.h"
#include "column/render.h"

static_assert(RV_CSV_CELL_MAX >= RV_DOUBLE_TEXT_SIZE + 2, "a double and its separators fit");

static const char two_digits[] = "0001020304050607080910111213141516171819"
                                 "2021222324252627282930313233343536373839"
                                 "4041424344454647484950515253545556575859"
                                 "6061626364656667686970717273747576777879"
                                 "8081828384858687888990919293949596979899";

static const uint64_t pow10[20] = {UINT64_C(1),
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
                                   UINT64_C(1000000000000000000),
                                   UINT64_C(10000000000000000000)};

enum { SCALE_MAX_64 = 18 };

/* Decimal digits of v; bits * 1233 / 4096 is log10(2) closely enough for 64 bits. */
static inline unsigned digit_count(uint64_t v)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(v | 1);
    unsigned guess = bits * 1233 >> 12;
    return guess + (v >= pow10[guess]) + (v == 0);
}

/* Exactly `width` digits, zeros in front. */
static inline uint8_t *put_padded(uint8_t *out, uint64_t v, unsigned width)
{
    unsigned at = width;
    while (at >= 2) {
        at -= 2;
        memcpy(out + at, two_digits + 2 * (v % 100), 2);
        v /= 100;
    }
    if (at == 1)
        out[0] = (uint8_t)('0' + v % 10);
    return out + width;
}

uint8_t *rv_csv_put_u64(uint8_t *out, uint64_t v)
{
    return put_padded(out, v, digit_count(v));
}

/* |v| without overflow at INT64_MIN. */
static inline uint64_t magnitude(int64_t v)
{
    return v < 0 ? UINT64_C(0) - (uint64_t)v : (uint64_t)v;
}

uint8_t *rv_csv_put_i64(uint8_t *out, int64_t v)
{
    if (v < 0)
        *out++ = '-';
    return rv_csv_put_u64(out, magnitude(v));
}

static uint8_t *put_decimal64(uint8_t *out, int64_t v, unsigned scale)
{
    if (v < 0)
        *out++ = '-';
    uint64_t u = magnitude(v);
    if (scale == 0)
        return rv_csv_put_u64(out, u);
    out = rv_csv_put_u64(out, u / pow10[scale]);
    *out++ = '.';
    return put_padded(out, u % pow10[scale], scale);
}

static uint8_t *put_decimal(uint8_t *out, rv_type type, const uint8_t *value)
{
    int64_t low, high;
    rv_layout layout = rv_type_layout(type);
    memcpy(&low, value, 8);
    if (layout == RV_LAYOUT_I64)
        return put_decimal64(out, low, type.scale);
    memcpy(&high, value + 8, 8);
    bool small = layout == RV_LAYOUT_B16 && high == (low < 0 ? -1 : 0);
    if (small && type.scale <= SCALE_MAX_64)
        return put_decimal64(out, low, type.scale);
    char text[RV_DECIMAL_TEXT_SIZE];
    unsigned bytes = layout == RV_LAYOUT_B16 ? 16 : 32;
    unsigned len = rv_decimal_text(rv_i256_from_le(value, bytes), type.scale, text);
    memcpy(out, text, len);
    return out + len;
}

static uint8_t *put_date(uint8_t *out, int64_t days, rv_csv_day *cache)
{
    if (cache->len == 0 || cache->day != days) {
        cache->len = rv_date_text(days, cache->text);
        cache->day = days;
    }
    memcpy(out, cache->text, sizeof cache->text);
    return out + cache->len;
}

/* HH:MM:SS.f with `digits` fraction digits, of a count of 10^-digits seconds. */
static uint8_t *put_time(uint8_t *out, uint64_t t, unsigned digits)
{
    uint64_t fraction = t % pow10[digits], s = t / pow10[digits];
    out = put_padded(out, s / 3600, 2);
    *out++ = ':';
    out = put_padded(out, s / 60 % 60, 2);
    *out++ = ':';
    out = put_padded(out, s % 60, 2);
    *out++ = '.';
    return put_padded(out, fraction, digits);
}

static uint8_t *put_timestamp(uint8_t *out, int64_t t, unsigned digits, bool tz, rv_csv_day *cache)
{
    int64_t per_day = 86400 * (int64_t)pow10[digits];
    /* floor, also before 1970 */
    int64_t days = t / per_day, rest = t % per_day;
    if (rest < 0) {
        rest += per_day;
        days--;
    }
    out = put_date(out, days, cache);
    *out++ = 'T';
    out = put_time(out, (uint64_t)rest, digits);
    if (tz)
        *out++ = 'Z';
    return out;
}

static uint8_t *put_uuid(uint8_t *out, const uint8_t *v)
{
    static const uint8_t group[] = {4, 2, 2, 2, 6};
    for (unsigned i = 0; i < sizeof group; i++) {
        if (i > 0)
            *out++ = '-';
        out = rv_csv_put_hex(out, v, group[i]);
        v += group[i];
    }
    return out;
}

static uint8_t *put_float(uint8_t *out, bool single, const uint8_t *value)
{
    char text[RV_DOUBLE_TEXT_SIZE];
    unsigned len;
    if (single) {
        float v;
        memcpy(&v, value, sizeof v);
        len = rv_float_text(v, text);
    } else {
        double v;
        memcpy(&v, value, sizeof v);
        len = rv_double_text(v, text);
    }
    memcpy(out, text, len);
    return out + len;
}

static inline int64_t load_i32(const uint8_t *value)
{
    int32_t v;
    memcpy(&v, value, sizeof v);
    return v;
}

static inline int64_t load_i64(const uint8_t *value)
{
    int64_t v;
    memcpy(&v, value, sizeof v);
    return v;
}

static uint8_t *put_bool(uint8_t *out, bool v)
{
    memcpy(out, v ? "true" : "false", v ? 4 : 5);
    return out + (v ? 4 : 5);
}

uint8_t *rv_csv_put_fixed(uint8_t *out, rv_type type, const uint8_t *value, rv_csv_day *day)
{
    switch ((rv_kind)type.kind) {
    case RV_BOOL:
        return put_bool(out, *value);
    case RV_INT16:
    case RV_INT32:
        return rv_csv_put_i64(out, load_i32(value));
    case RV_INT64:
        return rv_csv_put_i64(out, load_i64(value));
    case RV_UINT64:
        return rv_csv_put_u64(out, (uint64_t)load_i64(value));
    case RV_FLOAT32:
        return put_float(out, true, value);
    case RV_FLOAT64:
        return put_float(out, false, value);
    case RV_DECIMAL:
        return put_decimal(out, type, value);
    case RV_DATE:
        return put_date(out, load_i32(value), day);
    case RV_TIME:
        return put_time(out, (uint64_t)load_i64(value), 6);
    case RV_TIMESTAMP:
    case RV_TIMESTAMP_TZ:
        return put_timestamp(out, load_i64(value), 6, type.kind == RV_TIMESTAMP_TZ, day);
    case RV_TIMESTAMP_NS:
    case RV_TIMESTAMP_TZ_NS:
        return put_timestamp(out, load_i64(value), 9, type.kind == RV_TIMESTAMP_TZ_NS, day);
    case RV_UUID:
        return put_uuid(out, value);
    case RV_STRING:
    case RV_BINARY:
    case RV_JSON:
    case RV_ENUM:
    case RV_INTERVAL:
    case RV_LIST:
        break;
    }
    assert(false); /* texts, binaries and lists never come here */
    return out;
}
