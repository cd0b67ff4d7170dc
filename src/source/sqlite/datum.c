#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "column/temporal.h"
#include "source/sqlite/relation_internal.h"

#define US_PER_DAY INT64_C(86400000000)
/* 1970-01-01T00:00:00 is Julian day 2440587.5; in ms. */
#define JULIAN_EPOCH_MS INT64_C(210866760000000)
/* SQLite's validJulianDay: up to 9999-12-31T23:59:59.999. */
#define JULIAN_MAX_MS INT64_C(464269060799999)

void rv_sq_real_text(double v, char out[RV_SQ_REAL_TEXT_SIZE])
{
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(out, RV_SQ_REAL_TEXT_SIZE, "%.*g", digits, v);
        if (strtod(out, NULL) == v)
            return;
    }
}

bool rv_sq_real_value(rv_str text, double *out)
{
    char number[64];
    char *end = NULL;
    if (text.len == 0 || text.len >= sizeof number)
        return false;
    memcpy(number, text.ptr, text.len);
    number[text.len] = '\0';
    double v = strtod(number, &end);
    if (*end != '\0')
        return false;
    *out = v;
    return true;
}

bool rv_sq_julian_us(double day, int64_t *out_us)
{
    if (!(day >= 0 && day < 5373485.0))
        return false;
    /* as computeJD does: ms, rounded half up */
    int64_t ms = (int64_t)(day * 86400000.0 + 0.5);
    if (ms > JULIAN_MAX_MS)
        return false;
    *out_us = (ms - JULIAN_EPOCH_MS) * 1000;
    return true;
}

static rv_status bind_hex(sqlite3_stmt *stmt, int index, rv_str hex, int *rc, rv_error *err)
{
    uint8_t *bytes = rv_alloc(hex.len / 2 + 1);
    if (!bytes)
        return rv_fail_memory(err);
    rv_status st = RV_OK;
    if (hex.len % 2 != 0 || !rv_unhex(hex, bytes))
        st = rv_fail(err, RV_E_VALUE, "'%.*s' is not hexadecimal", RV_STR_ARG(hex));
    else
        *rc = sqlite3_bind_blob64(stmt, index, bytes, hex.len / 2, SQLITE_TRANSIENT);
    rv_free(bytes);
    return st;
}

rv_status rv_sq_datum_bind(sqlite3_stmt *stmt, int index, const rv_datum *d, rv_error *err)
{
    int rc = SQLITE_OK;
    int64_t v = 0;
    if (d->null) {
        rc = sqlite3_bind_null(stmt, index);
    } else if (d->kind == RV_INT64 && rv_str_i64(d->text, &v)) {
        rc = sqlite3_bind_int64(stmt, index, v);
    } else if (d->kind == RV_INT64 || d->kind == RV_FLOAT64) { /* numbers of either class mix */
        double real = 0;
        if (!rv_sq_real_value(d->text, &real))
            return rv_fail(err, RV_E_VALUE, "'%.*s' is not a number", RV_STR_ARG(d->text));
        rc = sqlite3_bind_double(stmt, index, real);
    } else if (d->kind == RV_BINARY) {
        RV_TRY(bind_hex(stmt, index, d->text, &rc, err));
    } else {
        const char *text = d->text.ptr ? d->text.ptr : "";
        rc = sqlite3_bind_text64(stmt, index, text, d->text.len, SQLITE_TRANSIENT, SQLITE_UTF8);
    }
    if (rc == SQLITE_OK)
        return RV_OK;
    return rv_fail(err, rc == SQLITE_NOMEM ? RV_E_MEMORY : RV_E_SOURCE_QUERY, "binding a value: %s",
                   sqlite3_errstr(rc));
}

static rv_status read_hex(sqlite3_stmt *stmt, int index, rv_arena *arena, rv_str *out,
                          rv_error *err)
{
    size_t n = (size_t)sqlite3_column_bytes(stmt, index);
    const uint8_t *bytes = sqlite3_column_blob(stmt, index);
    char *hex = NULL;
    RV_TRY(rv_arena_alloc(arena, 2 * n + 1, &hex, err));
    if (n)
        rv_hex(bytes, n, hex);
    *out = (rv_str){hex, 2 * n};
    return RV_OK;
}

rv_status rv_sq_datum_read(sqlite3_stmt *stmt, int index, rv_arena *arena, rv_datum *out,
                           rv_error *err)
{
    rv_datum d = {.kind = RV_INT64};
    char number[RV_SQ_REAL_TEXT_SIZE];
    switch (sqlite3_column_type(stmt, index)) {
    case SQLITE_NULL:
        d.null = true;
        break;
    case SQLITE_INTEGER:
        (void)snprintf(number, sizeof number, "%" PRId64,
                       (int64_t)sqlite3_column_int64(stmt, index));
        RV_TRY(rv_arena_str(arena, rv_str_c(number), &d.text, err));
        break;
    case SQLITE_FLOAT:
        d.kind = RV_FLOAT64;
        rv_sq_real_text(sqlite3_column_double(stmt, index), number);
        RV_TRY(rv_arena_str(arena, rv_str_c(number), &d.text, err));
        break;
    case SQLITE_BLOB:
        d.kind = RV_BINARY;
        RV_TRY(read_hex(stmt, index, arena, &d.text, err));
        break;
    default: {
        d.kind = RV_STRING;
        const char *text = (const char *)sqlite3_column_text(stmt, index);
        if (!text)
            return rv_fail_memory(err);
        rv_str s = {text, (size_t)sqlite3_column_bytes(stmt, index)};
        RV_TRY(rv_arena_str(arena, s, &d.text, err));
        break;
    }
    }
    *out = d;
    return RV_OK;
}

/* TEXT bounds compare byte by byte: midnight is the bare date, a prefix of every form in which
 * that day's instants are written; other instants follow the separator the column uses. */
static unsigned instant_text(int64_t us, char separator, bool day_only,
                             char out[RV_TEMPORAL_TEXT_SIZE])
{
    int64_t days = us / US_PER_DAY - (us % US_PER_DAY < 0);
    if (day_only || us == days * US_PER_DAY)
        return rv_date_text(days, out);
    unsigned n = rv_timestamp_text(us, false, out);
    char *t = memchr(out, 'T', n);
    if (t)
        *t = separator;
    if (us % 1000000 == 0 && n > 7) {
        n -= 7; /* ".000000" */
        out[n] = '\0';
    }
    return n;
}

rv_status rv_sq_instant(rv_source *s, const rv_relation *rel, int64_t us, bool unix_seconds,
                        rv_arena *arena, rv_datum *out, rv_error *err)
{
    (void)s;
    const rv_sq_relation *r = rel->driver;
    char text[RV_TEMPORAL_TEXT_SIZE];
    rv_datum d = {.kind = rel->bound_kind};
    if (unix_seconds || rel->bound_kind == RV_INT64) {
        d.kind = RV_INT64;
        int64_t seconds = us / 1000000 - (us % 1000000 < 0);
        (void)snprintf(text, sizeof text, "%" PRId64, seconds);
    } else if (rel->bound_kind == RV_FLOAT64) {
        rv_sq_real_text((double)us / (double)US_PER_DAY + 2440587.5, text);
    } else {
        d.kind = RV_STRING;
        (void)instant_text(us, r->day_separator, rel->bound_type.kind == RV_DATE, text);
    }
    RV_TRY(rv_arena_str(arena, rv_str_c(text), &d.text, err));
    *out = d;
    return RV_OK;
}

static bool is_temporal(rv_type t)
{
    return t.kind == RV_DATE || t.kind == RV_TIMESTAMP;
}

static rv_status parse_temporal(rv_source *s, const rv_relation *rel, rv_str text, rv_arena *arena,
                                rv_datum *out, rv_error *err)
{
    int64_t us = 0;
    bool zoned = false;
    if (rv_timestamp_parse(text, false, &us, &zoned) != RV_TEMPORAL_OK)
        return rv_fail(err, RV_E_VALUE, "'%.*s' is not a date or timestamp", RV_STR_ARG(text));
    if (rel->bound_kind == RV_INT64 || rel->bound_kind == RV_FLOAT64)
        return rv_sq_instant(s, rel, us, false, arena, out, err);
    rv_datum d = {.kind = RV_STRING};
    RV_TRY(rv_arena_str(arena, text, &d.text, err));
    *out = d;
    return RV_OK;
}

rv_status rv_sq_datum_parse(rv_source *s, const rv_relation *rel, rv_str text, rv_arena *arena,
                            rv_datum *out, rv_error *err)
{
    int64_t v = 0;
    rv_datum d = {.kind = rel->bound_kind};
    if (rel->bound_kind == RV_INT64 && rv_str_i64(text, &v)) {
        RV_TRY(rv_arena_str(arena, text, &d.text, err));
        *out = d;
        return RV_OK;
    }
    if (is_temporal(rel->bound_type))
        return parse_temporal(s, rel, text, arena, out, err);
    double real = 0;
    bool fraction = rel->bound_kind == RV_FLOAT64 || rel->bound_type.kind == RV_DECIMAL;
    if ((rel->bound_kind == RV_INT64 && !fraction) ||
        (rel->bound_kind != RV_STRING && fraction && !rv_sq_real_value(text, &real)))
        return rv_fail(err, RV_E_VALUE, "'%.*s' is not a number", RV_STR_ARG(text));
    if (!rv_utf8_valid(rv_str_bytes(text)))
        return rv_fail(err, RV_E_VALUE, "the value is not valid UTF-8");
    RV_TRY(rv_arena_str(arena, text, &d.text, err));
    *out = d;
    return RV_OK;
}

static bool datum_us(const rv_datum *d, int64_t *out_us)
{
    bool zoned = false;
    int64_t seconds = 0;
    if (d->kind == RV_INT64)
        return rv_str_i64(d->text, &seconds) &&
               !__builtin_mul_overflow(seconds, INT64_C(1000000), out_us);
    if (d->kind != RV_FLOAT64)
        return rv_timestamp_parse(d->text, false, out_us, &zoned) == RV_TEMPORAL_OK;
    double day = 0;
    return rv_sq_real_value(d->text, &day) && rv_sq_julian_us(day, out_us);
}

rv_status rv_sq_datum_day(const rv_relation *rel, const rv_datum *d, int64_t *out_days,
                          rv_error *err)
{
    (void)rel;
    int64_t us = 0;
    if (d->null || !datum_us(d, &us))
        return rv_fail(err, RV_E_VALUE, "'%.*s' is not a date or timestamp", RV_STR_ARG(d->text));
    *out_days = us / US_PER_DAY - (us % US_PER_DAY < 0);
    return RV_OK;
}
