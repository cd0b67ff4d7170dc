/* A value as text: what overrides read, and cells under a `text` override. The same in both
 * protocols: the server's own text, but that a float has all its digits and zeros that only fill
 * the display width are gone. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "source/mysql/decode_internal.h"

static bool integer_text(const rv_mys_field *f, const char *data, size_t n, char *room, rv_str *out)
{
    uint64_t u = 0;
    unsigned width = rv_mys_binary_width(f->type);
    if (n != width)
        return false;
    memcpy(&u, data, n);
    unsigned shift = 64 - 8 * width;
    int64_t v = (int64_t)(u << shift) >> shift;
    int len = f->type == MYSQL_TYPE_YEAR ? snprintf(room, RV_MYS_TEXT_SIZE, "%04" PRIu64, u)
              : f->flags & UNSIGNED_FLAG ? snprintf(room, RV_MYS_TEXT_SIZE, "%" PRIu64, u)
                                         : snprintf(room, RV_MYS_TEXT_SIZE, "%" PRId64, v);
    *out = (rv_str){room, (size_t)len};
    return true;
}

static bool float_text(const char *data, size_t n, char *room, rv_str *out)
{
    float f;
    double d;
    if (n == sizeof f) {
        memcpy(&f, data, sizeof f);
        *out = (rv_str){room, rv_float_text(f, room)};
        return true;
    }
    if (n != sizeof d)
        return false;
    memcpy(&d, data, sizeof d);
    *out = (rv_str){room, rv_double_text(d, room)};
    return true;
}

/* The server's digits of a double read back to the same double. */
static bool double_digits(const char *data, size_t n, char *room, rv_str *out)
{
    char *end;
    if (n == 0 || n >= RV_MYS_TEXT_SIZE)
        return false;
    memcpy(room, data, n);
    room[n] = '\0';
    double d = strtod(room, &end);
    if (end != room + n)
        return false;
    *out = (rv_str){room, rv_double_text(d, room)};
    return true;
}

static bool bit_text(const char *data, size_t n, char *room, rv_str *out)
{
    uint64_t v = 0;
    if (n < 1 || n > 8)
        return false;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | (uint8_t)data[i];
    *out = (rv_str){room, (size_t)snprintf(room, RV_MYS_TEXT_SIZE, "%" PRIu64, v)};
    return true;
}

static rv_str without_filling(rv_str s)
{
    while (s.len > 1 && s.ptr[0] == '0' && s.ptr[1] != '.') {
        s.ptr++;
        s.len--;
    }
    return s;
}

static bool time_text(const rv_mys_field *f, bool text, const char *data, size_t n, char *room,
                      rv_str *out)
{
    rv_mys_time t;
    if (!rv_mys_time_read(f->type, text, data, n, &t))
        return false;
    *out = (rv_str){room, rv_mys_time_text(f->type, &t, f->decimals, room)};
    return true;
}

bool rv_mys_cell_text(const rv_mys_field *f, bool text, const char *data, size_t n,
                      char room[RV_MYS_TEXT_SIZE], rv_str *out)
{
    rv_str raw = {data, n};
    switch ((int)f->type) {
    case MYSQL_TYPE_YEAR:
        if (!text)
            return integer_text(f, data, n, room, out);
        break;
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
        if (!text)
            return integer_text(f, data, n, room, out);
        raw = without_filling(raw);
        break;
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
        return text ? double_digits(data, n, room, out) : float_text(data, n, room, out);
    case MYSQL_TYPE_BIT:
        return bit_text(data, n, room, out);
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:
    case MYSQL_TYPE_TIME:
        return time_text(f, text, data, n, room, out);
    default:
        break;
    }
    *out = raw;
    return true;
}

rv_status rv_mys_decode_text(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                             rv_builder *b, rv_error *err)
{
    char room[RV_MYS_TEXT_SIZE];
    rv_str text;
    if (!rv_mys_cell_text(&c->field, c->text, data, n, room, &text))
        return rv_mys_malformed(c, n, err);
    return rv_builder_bytes(b, col, rv_str_bytes(text), err);
}

/* Zeros behind the point carry nothing: "12.00" is an integer, midnight is a day. */
static rv_str without_zeros(const rv_mys_column *c, rv_str text)
{
    rv_kind kind = (rv_kind)c->type.kind;
    const char *dot = memchr(text.ptr, '.', text.len);
    if (dot && (kind == RV_DATE || (kind >= RV_INT16 && kind <= RV_UINT64))) {
        while (text.ptr[text.len - 1] == '0')
            text.len--;
        if (text.ptr + text.len - 1 == dot)
            text.len--;
    }
    if (kind == RV_DATE && rv_str_ends(text, RV_STR(" 00:00:00")))
        text.len -= sizeof " 00:00:00" - 1;
    return text;
}

/* Beyond 2^53 a double is the same number only by chance. */
static bool rounds(const rv_mys_column *c, rv_str text)
{
    int64_t v;
    bool real = c->type.kind == RV_FLOAT32 || c->type.kind == RV_FLOAT64;
    if (!real || c->field.type == MYSQL_TYPE_NEWDECIMAL || c->field.type == MYSQL_TYPE_DECIMAL)
        return false;
    int64_t exact = INT64_C(1) << (c->type.kind == RV_FLOAT32 ? 24 : 53);
    return !rv_str_i64(text, &v) || v > exact || v < -exact;
}

rv_status rv_mys_decode_via_text(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                                 rv_builder *b, rv_error *err)
{
    char room[RV_MYS_TEXT_SIZE];
    rv_mys_time t;
    rv_str text;
    if (rv_mys_is_temporal(c->field.type)) {
        if (!rv_mys_time_read(c->field.type, c->text, data, n, &t))
            return rv_mys_malformed(c, n, err);
        if (rv_mys_time_zero(&t))
            return rv_mys_zero_date(c, col, b, err);
    }
    if (!rv_mys_cell_text(&c->field, c->text, data, n, room, &text) || text.len == 0)
        return rv_mys_malformed(c, n, err);
    if (rounds(c, text))
        return rv_mys_misfit(c, "an integer that a float would round", "a float", "text", err);
    return rv_builder_text(b, col, without_zeros(c, text), err);
}
