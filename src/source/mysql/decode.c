/* Decoders of both row protocols: one per column, chosen once by rv_mys_column_bind; and the
 * splitter of a binary row. */
#include <stdio.h>
#include <stdlib.h>

#include "source/mysql/decode_internal.h"

#define UUID_TEXT_BYTES 36

rv_status rv_mys_malformed(const rv_mys_column *c, size_t n, rv_error *err)
{
    rv_status st = rv_fail(err, RV_E_SOURCE_CHANGED,
                           "column '%s': a field of %zu bytes is none of its type", c->name, n);
    rv_hint(err, "the relation may have been altered meanwhile; run again");
    return st;
}

rv_status rv_mys_misfit(const rv_mys_column *c, const char *what, const char *type,
                        const char *word, rv_error *err)
{
    rv_status st = rv_fail(err, RV_E_VALUE, "column '%s': %s does not fit %s; override with %s: %s",
                           c->name, what, type, c->name, word);
    rv_hint(err, "add columns: {%s: %s} to the export", c->name, word);
    return st;
}

/* ---- splitting ---- */

uint8_t rv_mys_binary_width(enum enum_field_types type)
{
    switch ((int)type) {
    case MYSQL_TYPE_TINY:
        return 1;
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_YEAR:
        return 2;
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_FLOAT:
        return 4;
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_DOUBLE:
        return 8;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:
    case MYSQL_TYPE_TIME:
        return 0;
    default:
        return RV_MYS_WIDTH_LENENC;
    }
}

/* A length of more than one byte. False: the packet ends in it, or it is none. */
static __attribute__((noinline)) bool long_length(const uint8_t **at, const uint8_t *end,
                                                  uint64_t *out)
{
    unsigned bytes = **at == 0xFC ? 2 : **at == 0xFD ? 3 : **at == 0xFE ? 8 : 0;
    uint64_t v = 0;
    (*at)++;
    if (bytes == 0 || (size_t)(end - *at) < bytes)
        return false;
    memcpy(&v, *at, bytes);
    *at += bytes;
    *out = v;
    return true;
}

static inline bool value_length(const uint8_t **at, const uint8_t *end, uint8_t width,
                                uint64_t *out)
{
    if (width != 0 && width != RV_MYS_WIDTH_LENENC) {
        *out = width;
        return true;
    }
    if (__builtin_expect(*at == end, 0))
        return false;
    if (__builtin_expect(**at > 0xFA && width != 0, 0))
        return long_length(at, end, out);
    *out = *(*at)++;
    return true;
}

bool rv_mys_split(rv_bytes packet, const uint8_t *widths, size_t n, rv_mys_cell *out)
{
    /* status byte, then a bitmap whose first two bits are unused */
    size_t head = 1 + (n + 9) / 8;
    if (packet.len < head || packet.ptr[0] != 0)
        return false;
    const uint8_t *nulls = packet.ptr + 1;
    const uint8_t *at = packet.ptr + head, *end = packet.ptr + packet.len;
    for (size_t i = 0; i < n; i++) {
        uint64_t len;
        if (nulls[(i + 2) >> 3] >> ((i + 2) & 7) & 1) {
            out[i] = (rv_mys_cell){NULL, 0};
            continue;
        }
        if (!value_length(&at, end, widths[i], &len) || len > (size_t)(end - at))
            return false;
        out[i] = (rv_mys_cell){(const char *)at, (size_t)len};
        at += len;
    }
    return true;
}

/* ---- integers ---- */

static inline rv_status put_u64(const rv_mys_column *c, uint32_t col, uint64_t v, rv_builder *b,
                                rv_error *err)
{
    if (c->type.kind == RV_UINT64)
        return rv_builder_u64(b, col, v, err);
    if (v > INT64_MAX)
        return rv_mys_misfit(c, "an integer above 2^63", "int64", "decimal(20,0)", err);
    return rv_builder_i64(b, col, (int64_t)v, err);
}

#define WORD(name, ctype)                                                                          \
    static rv_status name(const rv_mys_column *c, uint32_t col, const char *data, size_t n,        \
                          rv_builder *b, rv_error *err)                                            \
    {                                                                                              \
        ctype v;                                                                                   \
        if (n != sizeof v)                                                                         \
            return rv_mys_malformed(c, n, err);                                                    \
        memcpy(&v, data, sizeof v);                                                                \
        return rv_builder_i64(b, col, v, err);                                                     \
    }
WORD(decode_i8, int8_t)
WORD(decode_u8, uint8_t)
WORD(decode_i16, int16_t)
WORD(decode_u16, uint16_t)
WORD(decode_i32, int32_t)
WORD(decode_u32, uint32_t)
WORD(decode_i64, int64_t)

static rv_status decode_u64(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                            rv_builder *b, rv_error *err)
{
    uint64_t v;
    if (n != sizeof v)
        return rv_mys_malformed(c, n, err);
    memcpy(&v, data, sizeof v);
    return put_u64(c, col, v, b, err);
}

static bool digits_u64(const char *p, size_t n, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned d = (unsigned)(uint8_t)p[i] - '0';
        if (d > 9 || __builtin_mul_overflow(v, UINT64_C(10), &v) ||
            __builtin_add_overflow(v, (uint64_t)d, &v))
            return false;
    }
    *out = v;
    return n > 0;
}

static bool digits_i64(const char *p, size_t n, int64_t *out)
{
    uint64_t v;
    bool negative = n && p[0] == '-';
    if (!digits_u64(p + negative, n - negative, &v) || v > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

static rv_status decode_t_i64(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                              rv_builder *b, rv_error *err)
{
    int64_t v;
    if (!digits_i64(data, n, &v))
        return rv_mys_malformed(c, n, err);
    return rv_builder_i64(b, col, v, err);
}

static rv_status decode_t_u64(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                              rv_builder *b, rv_error *err)
{
    uint64_t v;
    if (!digits_u64(data, n, &v))
        return rv_mys_malformed(c, n, err);
    return put_u64(c, col, v, b, err);
}

static rv_status put_bool(const rv_mys_column *c, uint32_t col, int64_t v, rv_builder *b,
                          rv_error *err)
{
    char text[32];
    if (v == 0 || v == 1)
        return rv_builder_bool(b, col, v != 0, err);
    (void)snprintf(text, sizeof text, "%lld of a tinyint(1)", (long long)v);
    return rv_mys_misfit(c, text, "bool", "int2", err);
}

static rv_status decode_b_bool(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                               rv_builder *b, rv_error *err)
{
    if (n != 1)
        return rv_mys_malformed(c, n, err);
    bool whole = (c->field.flags & UNSIGNED_FLAG) != 0;
    return put_bool(c, col, whole ? (uint8_t)data[0] : (int8_t)data[0], b, err);
}

static rv_status decode_t_bool(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                               rv_builder *b, rv_error *err)
{
    int64_t v;
    if (!digits_i64(data, n, &v))
        return rv_mys_malformed(c, n, err);
    return put_bool(c, col, v, b, err);
}

/* ---- bits: big-endian, as few bytes as the column needs ---- */

static bool bits_of(const char *data, size_t n, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n && i < 8; i++)
        v = v << 8 | (uint8_t)data[i];
    *out = v;
    return n >= 1 && n <= 8;
}

static rv_status decode_bit_bool(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                                 rv_builder *b, rv_error *err)
{
    uint64_t v;
    if (!bits_of(data, n, &v) || v > 1)
        return rv_mys_malformed(c, n, err);
    return rv_builder_bool(b, col, v != 0, err);
}

static rv_status decode_bit(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                            rv_builder *b, rv_error *err)
{
    uint64_t v;
    if (!bits_of(data, n, &v))
        return rv_mys_malformed(c, n, err);
    return put_u64(c, col, v, b, err);
}

/* ---- floats ---- */

static rv_status decode_float(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                              rv_builder *b, rv_error *err)
{
    float v;
    if (n != sizeof v)
        return rv_mys_malformed(c, n, err);
    memcpy(&v, data, sizeof v);
    return c->type.kind == RV_FLOAT32 ? rv_builder_f32(b, col, v, err)
                                      : rv_builder_f64(b, col, (double)v, err);
}

static rv_status put_double(const rv_mys_column *c, uint32_t col, double v, rv_builder *b,
                            rv_error *err)
{
    if (c->type.kind == RV_FLOAT64)
        return rv_builder_f64(b, col, v, err);
    /* the override asks for the nearest float32; what is beyond its range has none */
    float f = (float)v;
    if (__builtin_isinf(f) && !__builtin_isinf(v))
        return rv_mys_misfit(c, "a number beyond float4", "float32", "float8", err);
    return rv_builder_f32(b, col, f, err);
}

static rv_status decode_double(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                               rv_builder *b, rv_error *err)
{
    double v;
    if (n != sizeof v)
        return rv_mys_malformed(c, n, err);
    memcpy(&v, data, sizeof v);
    return put_double(c, col, v, b, err);
}

static rv_status decode_t_double(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                                 rv_builder *b, rv_error *err)
{
    char room[RV_DOUBLE_TEXT_SIZE], *end;
    if (n == 0 || n >= sizeof room)
        return rv_mys_malformed(c, n, err);
    memcpy(room, data, n);
    room[n] = '\0';
    double v = strtod(room, &end);
    if (end != room + n)
        return rv_mys_malformed(c, n, err);
    return put_double(c, col, v, b, err);
}

/* ---- decimals: text in both protocols, always with the column's own scale ---- */

#define WORD_DIGITS 18

/* At most 18 digits, exactly `scale` of them behind the point. */
static inline bool decimal_word(const char *p, size_t n, unsigned scale, int64_t *out)
{
    bool negative = n && p[0] == '-';
    size_t i = negative, marks = (size_t)negative + (scale > 0);
    size_t point = scale ? n - scale - 1 : n;
    uint64_t v = 0;
    if (n > WORD_DIGITS + marks || (scale && (n < scale + 2 || p[point] != '.')) || i >= point)
        return false;
    for (; i < n; i++) {
        unsigned d = (unsigned)(uint8_t)p[i] - '0';
        if (i == point)
            continue;
        if (d > 9)
            return false;
        v = v * 10 + d;
    }
    *out = negative ? -(int64_t)v : (int64_t)v;
    return true;
}

static rv_status decode_decimal(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                                rv_builder *b, rv_error *err)
{
    int64_t v;
    if (__builtin_expect(decimal_word(data, n, c->type.scale, &v), 1))
        return rv_builder_decimal_i64(b, col, v, err);
    return rv_builder_decimal_text(b, col, (rv_str){data, n}, err);
}

/* ---- bytes ---- */

static rv_status decode_bytes(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                              rv_builder *b, rv_error *err)
{
    (void)c;
    return rv_builder_bytes(b, col, (rv_bytes){(const uint8_t *)data, n}, err);
}

static rv_status decode_uuid(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                             rv_builder *b, rv_error *err)
{
    if (n == 16 && !rv_mys_is_text(&c->field))
        return rv_builder_uuid(b, col, (const uint8_t *)data, err);
    if (n == UUID_TEXT_BYTES)
        return rv_builder_text(b, col, (rv_str){data, n}, err);
    return rv_mys_misfit(c, "a value that is neither 16 bytes nor 36 characters long", "uuid",
                         rv_mys_is_text(&c->field) ? "text" : "binary", err);
}

static rv_status decode_parse(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                              rv_builder *b, rv_error *err)
{
    (void)c;
    return rv_builder_text(b, col, (rv_str){data, n}, err);
}

static rv_status decode_none(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                             rv_builder *b, rv_error *err)
{
    (void)col, (void)data, (void)n, (void)b;
    return rv_fail(err, RV_E_TYPE_UNSUPPORTED, "column '%s' has no lossless type", c->name);
}

static const rv_mys_decode_fn decoders[RV_MYS_DECODERS] = {
    [RV_MYS_NO_DECODER] = decode_none,
    [RV_MYS_B_BOOL] = decode_b_bool,
    [RV_MYS_B_I8] = decode_i8,
    [RV_MYS_B_U8] = decode_u8,
    [RV_MYS_B_I16] = decode_i16,
    [RV_MYS_B_U16] = decode_u16,
    [RV_MYS_B_I32] = decode_i32,
    [RV_MYS_B_U32] = decode_u32,
    [RV_MYS_B_I64] = decode_i64,
    [RV_MYS_B_U64] = decode_u64,
    [RV_MYS_B_FLOAT] = decode_float,
    [RV_MYS_B_DOUBLE] = decode_double,
    [RV_MYS_B_FLOAT_WIDE] = decode_float,
    [RV_MYS_B_DOUBLE_NARROW] = decode_double,
    [RV_MYS_B_DATE] = rv_mys_decode_b_date,
    [RV_MYS_B_DATETIME] = rv_mys_decode_b_datetime,
    [RV_MYS_B_TIME] = rv_mys_decode_b_time,
    [RV_MYS_T_BOOL] = decode_t_bool,
    [RV_MYS_T_I64] = decode_t_i64,
    [RV_MYS_T_U64] = decode_t_u64,
    [RV_MYS_T_DOUBLE] = decode_t_double,
    [RV_MYS_T_DOUBLE_NARROW] = decode_t_double,
    [RV_MYS_T_DATE] = rv_mys_decode_t_date,
    [RV_MYS_T_DATETIME] = rv_mys_decode_t_datetime,
    [RV_MYS_T_TIME] = rv_mys_decode_t_time,
    [RV_MYS_BIT_BOOL] = decode_bit_bool,
    [RV_MYS_BIT_I64] = decode_bit,
    [RV_MYS_BIT_U64] = decode_bit,
    [RV_MYS_DECIMAL] = decode_decimal,
    [RV_MYS_BYTES] = decode_bytes,
    [RV_MYS_UUID] = decode_uuid,
    [RV_MYS_TEXT_PARSE] = decode_parse,
    [RV_MYS_TEXT] = rv_mys_decode_text,
    [RV_MYS_VIA_TEXT] = rv_mys_decode_via_text,
};

rv_mys_decode_fn rv_mys_decoder_fn(int decoder)
{
    return decoders[decoder];
}
