/* Bound values from outside: an instant, the text of a configuration; and their days. The server's
 * casts forgive what they cannot read, so what can be judged here is judged here. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "column/decimal.h"
#include "column/temporal.h"
#include "source/mysql/relation_internal.h"

#define US_PER_DAY INT64_C(86400000000)

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* As people write it into text columns: "2024-01-31 10:00:00". */
static void plain_timestamp(int64_t us, char *text)
{
    (void)rv_timestamp_text(us, false, text);
    char *t = strchr(text, 'T');
    if (t)
        *t = ' ';
    if (t && us % 1000000 == 0)
        t[9] = '\0';
}

/* --- text columns: values travel as the bytes of the column's own character set --- */

static rv_status text_datum(rv_source *s, const rv_mys_key_column *c, rv_str text, rv_arena *arena,
                            rv_datum *out, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    MYSQL_RES *r = NULL;
    rv_datum d = {.kind = RV_BINARY};
    rv_status st;
    RV_GO(rv_buf_add_c(&b, "SELECT LOWER(HEX(CONVERT(", err));
    RV_GO(rv_my_literal(text, &b, err));
    RV_GO(rv_buf_printf(&b, err, " USING %s))), BINARY CONVERT(CONVERT(", c->charset));
    RV_GO(rv_my_literal(text, &b, err));
    RV_GO(rv_buf_printf(&b, err, " USING %s) USING utf8mb4) = BINARY ", c->charset));
    RV_GO(rv_my_literal(text, &b, err));
    RV_GO(rv_buf_add_byte(&b, 0, err));
    RV_GO(rv_mys_ask(s, (const char *)b.ptr, "reading a value", &r, err));
    MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
    if (!row || !row[0] || rv_mys_int(row, 1, 0) != 1)
        st = rv_fail(err, RV_E_VALUE, "'%.*s' is not a value of character set %s", RV_STR_ARG(text),
                     c->charset);
    else
        st = rv_arena_str(arena, rv_str_c(row[0]), &d.text, err);
    if (st == RV_OK)
        *out = d;
done:
    mysql_free_result(r);
    rv_buf_free(&b);
    return st;
}

static rv_status bytes_datum(rv_str text, rv_arena *arena, rv_datum *out, rv_error *err)
{
    char *hex = NULL;
    RV_TRY(rv_arena_alloc(arena, 2 * text.len + 1, &hex, err));
    if (text.len)
        rv_hex((const uint8_t *)text.ptr, text.len, hex);
    *out = (rv_datum){.kind = RV_BINARY, .text = {hex, 2 * text.len}};
    return RV_OK;
}

rv_status rv_mys_instant(rv_source *s, const rv_relation *rel, int64_t us, bool unix_seconds,
                         rv_arena *arena, rv_datum *out, rv_error *err)
{
    const rv_mys_relation *r = rel->driver;
    char text[RV_TEMPORAL_TEXT_SIZE];
    rv_kind type = (rv_kind)rel->bound_type.kind;
    rv_datum d = {.kind = rel->bound_kind};
    bool written = type == RV_STRING || type == RV_BINARY;
    if (!unix_seconds && type == RV_DATE)
        (void)rv_date_text(floor_div(us, US_PER_DAY), text);
    else if (!unix_seconds && (type == RV_TIMESTAMP || type == RV_TIMESTAMP_TZ))
        (void)rv_timestamp_text(us, type == RV_TIMESTAMP_TZ, text);
    else if (!unix_seconds && written)
        plain_timestamp(us, text);
    else
        (void)snprintf(text, sizeof text, "%" PRId64, floor_div(us, 1000000));
    if (d.kind == RV_BINARY && r->bound.charset)
        return text_datum(s, &r->bound, rv_str_c(text), arena, out, err);
    if (d.kind == RV_BINARY)
        return bytes_datum(rv_str_c(text), arena, out, err);
    RV_TRY(rv_arena_str(arena, rv_str_c(text), &d.text, err));
    *out = d;
    return RV_OK;
}

/* --- the text of a configuration --- */

static bool is_integer(rv_str text, bool with_sign)
{
    int64_t i;
    uint64_t u;
    return with_sign ? rv_str_i64(text, &i)
                     : text.len && text.ptr[0] != '-' && rv_str_u64(text, &u);
}

static bool is_float(rv_str text, rv_arena *arena)
{
    const char *copy = NULL;
    char *end = NULL;
    if (text.len == 0 || rv_arena_cstr(arena, text, &copy, NULL) != RV_OK ||
        strspn(copy, "+-.0123456789eE") != text.len)
        return false;
    errno = 0;
    double v = strtod(copy, &end);
    return end == copy + text.len && errno == 0 && v == v;
}

static bool is_decimal(rv_str text)
{
    rv_i256 v;
    return rv_decimal_parse(text, 65, 30, &v) == RV_DECIMAL_OK;
}

static bool is_uuid(rv_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        char c = text.ptr[i];
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (dash ? c != '-' : !hex)
            return false;
    }
    return text.len == 36;
}

/* A zone is carried over into UTC, where the session reads all times. */
static bool canonical_time(rv_str text, rv_kind kind, char *out)
{
    int64_t v = 0;
    bool zoned = false;
    if (kind == RV_DATE) {
        bool ok = rv_date_parse(text, &v) == RV_TEMPORAL_OK;
        return ok && rv_date_text(v, out) == 10;
    }
    if (kind == RV_TIME)
        return rv_time_parse(text, &v) == RV_TEMPORAL_OK && rv_time_text(v, out) > 0;
    if (rv_timestamp_parse(text, false, &v, &zoned) != RV_TEMPORAL_OK)
        return false;
    (void)rv_timestamp_text(v, kind == RV_TIMESTAMP_TZ, out);
    return out[0] != '-' && out[0] != '+';
}

static rv_status not_a_value(rv_str text, const rv_relation *rel, rv_error *err)
{
    const rv_mys_relation *r = rel->driver;
    rv_arena scratch = RV_ARENA_INIT;
    const char *type = NULL;
    rv_status st = rv_mys_label(&r->bound.field, &scratch, &type, err);
    if (st == RV_OK)
        st = rv_fail(err, RV_E_VALUE, "'%.*s' is not a value of type %s", RV_STR_ARG(text), type);
    rv_arena_free(&scratch);
    return st;
}

static bool hex_bytes(rv_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!((text.ptr[i] >= '0' && text.ptr[i] <= '9') ||
              (text.ptr[i] >= 'a' && text.ptr[i] <= 'f')))
            return false;
    return text.len % 2 == 0;
}

rv_status rv_mys_datum_parse(rv_source *s, const rv_relation *rel, rv_str text, rv_arena *arena,
                             rv_datum *out, rv_error *err)
{
    const rv_mys_relation *r = rel->driver;
    char time[RV_TEMPORAL_TEXT_SIZE];
    rv_kind kind = rel->bound_kind;
    rv_datum d = {.kind = kind};
    bool ok;
    if (kind == RV_BINARY && r->bound.charset)
        return text_datum(s, &r->bound, text, arena, out, err);
    if (kind == RV_INT64 || kind == RV_UINT64)
        ok = is_integer(text, kind == RV_INT64);
    else if (kind == RV_FLOAT64)
        ok = is_float(text, arena);
    else if (kind == RV_DECIMAL)
        ok = is_decimal(text);
    else if (kind == RV_BINARY)
        ok = hex_bytes(text);
    else if (kind == RV_STRING)
        ok = !r->bound.field.uuid || is_uuid(text);
    else
        ok = canonical_time(text, kind, time);
    if (!ok)
        return not_a_value(text, rel, err);
    bool temporal =
        kind == RV_DATE || kind == RV_TIME || kind == RV_TIMESTAMP || kind == RV_TIMESTAMP_TZ;
    RV_TRY(rv_arena_str(arena, temporal ? rv_str_c(time) : text, &d.text, err));
    *out = d;
    return RV_OK;
}

rv_status rv_mys_datum_day(const rv_relation *rel, const rv_datum *d, int64_t *out_days,
                           rv_error *err)
{
    (void)rel;
    int64_t us = 0, seconds = 0;
    bool zoned = false, ok;
    if (d->null)
        return rv_fail(err, RV_E_VALUE, "NULL is not a date or timestamp");
    if (d->kind == RV_INT64)
        ok = rv_str_i64(d->text, &seconds) &&
             !__builtin_mul_overflow(seconds, INT64_C(1000000), &us);
    else
        ok = rv_timestamp_parse(d->text, false, &us, &zoned) == RV_TEMPORAL_OK;
    if (!ok)
        return rv_fail(err, RV_E_VALUE, "'%.*s' is not a date or timestamp that days can count",
                       RV_STR_ARG(d->text));
    *out_days = floor_div(us, US_PER_DAY);
    return RV_OK;
}

rv_status rv_mys_now(rv_source *s, int64_t *out_us, rv_error *err)
{
    MYSQL_RES *r = NULL;
    bool zoned = false;
    RV_TRY(rv_mys_ask(s, "SELECT UTC_TIMESTAMP(6)", "reading the server's clock", &r, err));
    MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
    rv_status st = RV_OK;
    if (!row || !row[0] ||
        rv_timestamp_parse(rv_str_c(row[0]), false, out_us, &zoned) != RV_TEMPORAL_OK)
        st = rv_fail(err, RV_E_SOURCE_QUERY, "the server's clock cannot be read");
    mysql_free_result(r);
    return st;
}
