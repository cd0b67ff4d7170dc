/* Values of keys and bounds: from the wire to text and from text to a literal. The text is what
 * state stores: full precision, UTC, and compared by the server alone. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "source/mysql/scan_internal.h"

#define DATUM_TEXT_SIZE 384 /* of what is not hex */

/* Bytes that are kept as they are, in the column's own character set. */
static bool is_hex(const rv_mys_key_column *c)
{
    return c->charset || rv_mys_wire_kind(&c->field) == RV_BINARY;
}

size_t rv_mys_wire_text_room(size_t n)
{
    return 2 * n + DATUM_TEXT_SIZE;
}

/* Also of what is no date: "0000-00-00T00:00:00.000000". */
static bool instant_text(const rv_mys_field *f, bool text, const char *data, size_t n, char *out,
                         size_t *out_len)
{
    rv_mys_time t;
    if (!rv_mys_time_read(f->type, text, data, n, &t))
        return false;
    size_t len = rv_mys_time_text(f->type, &t, 6, out);
    if (f->type == MYSQL_TYPE_DATETIME || f->type == MYSQL_TYPE_TIMESTAMP)
        out[10] = 'T';
    if (f->type == MYSQL_TYPE_TIMESTAMP)
        out[len++] = 'Z';
    *out_len = len;
    return true;
}

static bool double_text(const rv_mys_field *f, bool text, const char *data, size_t n, char *out,
                        size_t *out_len)
{
    char room[RV_MYS_TEXT_SIZE];
    rv_str digits;
    double v;
    if (!text && n == sizeof(float) && f->type == MYSQL_TYPE_FLOAT) {
        float narrow;
        memcpy(&narrow, data, sizeof narrow);
        v = (double)narrow;
    } else if (!text && n == sizeof v && f->type == MYSQL_TYPE_DOUBLE) {
        memcpy(&v, data, sizeof v);
    } else {
        if (!text || !rv_mys_cell_text(f, true, data, n, room, &digits))
            return false;
        room[digits.len] = '\0';
        v = strtod(room, NULL);
    }
    *out_len = (size_t)snprintf(out, DATUM_TEXT_SIZE, "%.17g", v);
    return true;
}

bool rv_mys_wire_text(const rv_mys_key_column *c, const rv_mys_field *f, bool text,
                      const char *data, size_t n, char *out, size_t *out_len)
{
    char room[RV_MYS_TEXT_SIZE];
    rv_str plain;
    if (is_hex(c)) {
        rv_hex((const uint8_t *)data, n, out);
        *out_len = 2 * n;
        return true;
    }
    if (rv_mys_is_temporal(f->type) || f->type == MYSQL_TYPE_TIME)
        return instant_text(f, text, data, n, out, out_len);
    if (f->type == MYSQL_TYPE_FLOAT || f->type == MYSQL_TYPE_DOUBLE)
        return double_text(f, text, data, n, out, out_len);
    if (!rv_mys_cell_text(f, text, data, n, room, &plain))
        return false;
    memcpy(out, plain.ptr, plain.len);
    *out_len = plain.len;
    return true;
}

rv_status rv_mys_wire_datum(const rv_mys_key_column *c, const char *value, unsigned long len,
                            rv_arena *arena, rv_datum *out, rv_error *err)
{
    rv_datum d = {.null = !value, .kind = rv_mys_wire_kind(&c->field)};
    char *text = NULL;
    if (c->charset)
        d.kind = RV_BINARY;
    if (value) {
        RV_TRY(rv_arena_alloc(arena, rv_mys_wire_text_room(len), &text, err));
        if (!rv_mys_wire_text(c, &c->field, true, value, len, text, &d.text.len))
            return rv_fail(err, RV_E_SOURCE_CHANGED, "a key value of %lu bytes is none of its type",
                           len);
        d.text.ptr = text;
    }
    *out = d;
    return RV_OK;
}

/* ---- literals ---- */

static bool hex_digits(rv_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!strchr("0123456789abcdefABCDEF", s.ptr[i]) || s.ptr[i] == '\0')
            return false;
    return s.len % 2 == 0;
}

static rv_status no_value(const rv_mys_key_column *c, rv_str text, rv_error *err)
{
    return rv_fail(err, RV_E_VALUE, "'%.*s' is no value of column '%s'", (int)rv_utf8_cut(text, 80),
                   text.ptr, c->field.name);
}

static rv_status add_hex(const rv_mys_key_column *c, rv_str text, rv_buf *out, rv_error *err)
{
    bool plain = !c->charset && !rv_mys_is_text(&c->field);
    if (!hex_digits(text))
        return no_value(c, text, err);
    if (!plain)
        RV_TRY(rv_buf_printf(out, err, "_%s ", c->charset ? c->charset : "utf8mb4"));
    RV_TRY(rv_buf_add_c(out, "x'", err));
    RV_TRY(rv_buf_add_str(out, text, err));
    RV_TRY(rv_buf_add_byte(out, '\'', err));
    return c->charset && c->collation ? rv_buf_printf(out, err, " COLLATE %s", c->collation)
                                      : RV_OK;
}

/* A sign, digits and at most one point. */
static bool is_decimal(rv_str text)
{
    size_t i = text.len && text.ptr[0] == '-', digits = 0, points = 0;
    for (; i < text.len; i++) {
        bool digit = text.ptr[i] >= '0' && text.ptr[i] <= '9';
        digits += digit;
        points += text.ptr[i] == '.';
        if (!digit && text.ptr[i] != '.')
            return false;
    }
    return digits > 0 && points <= 1;
}

static rv_status add_number(const rv_mys_key_column *c, rv_str text, rv_buf *out, rv_error *err)
{
    if (!is_decimal(text))
        return no_value(c, text, err);
    bool negative = text.ptr[0] == '-';
    return rv_buf_printf(out, err, "%s%.*s%s", negative ? "(" : "", RV_STR_ARG(text),
                         negative ? ")" : "");
}

/* With an exponent, or the server takes it for a decimal. */
static rv_status add_double(const rv_mys_key_column *c, rv_str text, rv_buf *out, rv_error *err)
{
    char room[DATUM_TEXT_SIZE] = "", *end = room;
    double v = 0;
    if (text.len > 0 && text.len < sizeof room) {
        memcpy(room, text.ptr, text.len);
        room[text.len] = '\0';
        v = strtod(room, &end);
    }
    if (end == room || *end != '\0' || !__builtin_isfinite(v))
        return no_value(c, text, err);
    return rv_buf_printf(out, err, v < 0 ? "(%.17e)" : "%.17e", v);
}

/* As a number, which a date is compared with as one: no literal and, under NO_ZERO_DATE, no text
 * says it. */
static rv_status add_zero_date(const rv_mys_time *t, bool clock, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_printf(out, err, "%04u%02u%02u", t->year, t->month, t->day));
    if (!clock)
        return RV_OK;
    return rv_buf_printf(out, err, "%02u%02u%02u.%06u", (unsigned)t->hour, t->minute, t->second,
                         t->us);
}

static rv_status add_instant(const rv_mys_key_column *c, rv_str text, const char *word, rv_buf *out,
                             rv_error *err)
{
    char plain[RV_MYS_TIME_TEXT_SIZE];
    rv_mys_time t;
    enum enum_field_types type = c->field.type;
    if (text.len && text.ptr[text.len - 1] == 'Z')
        text.len--;
    if (text.len == 0 || text.len >= sizeof plain)
        return no_value(c, text, err);
    memcpy(plain, text.ptr, text.len);
    if (text.len > 10 && plain[10] == 'T')
        plain[10] = ' ';
    if (!rv_mys_time_read(type, true, plain, text.len, &t))
        return no_value(c, text, err);
    if (type != MYSQL_TYPE_TIME && rv_mys_time_zero(&t))
        return add_zero_date(&t, rv_mys_wire_kind(&c->field) != RV_DATE, out, err);
    unsigned len = rv_mys_time_text(type, &t, 6, plain);
    return rv_buf_printf(out, err, "%s'%.*s'", word, (int)len, plain);
}

rv_status rv_mys_datum(const rv_datum *d, const rv_mys_key_column *c, rv_buf *out, rv_error *err)
{
    if (d->null)
        return rv_buf_add_c(out, "NULL", err);
    if (is_hex(c))
        return add_hex(c, d->text, out, err);
    switch ((int)rv_mys_wire_kind(&c->field)) {
    case RV_INT64:
    case RV_UINT64:
    case RV_DECIMAL:
        return add_number(c, d->text, out, err);
    case RV_FLOAT64:
        return add_double(c, d->text, out, err);
    case RV_DATE:
        return add_instant(c, d->text, "DATE", out, err);
    case RV_TIMESTAMP:
    case RV_TIMESTAMP_TZ:
        return add_instant(c, d->text, "TIMESTAMP", out, err);
    case RV_TIME:
        return add_instant(c, d->text, "TIME", out, err);
    default: /* typed by what it is compared with */
        return rv_my_literal(d->text, out, err);
    }
}
