/* Bound values from outside: an instant, the text of a configuration; and their days. */
#include <inttypes.h>
#include <stdio.h>

#include "column/temporal.h"
#include "source/postgres/scan_internal.h"

#define US_PER_DAY INT64_C(86400000000)

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

rv_status rv_pgs_instant(rv_source *s, const rv_relation *rel, int64_t us, bool unix_seconds,
                         rv_arena *arena, rv_datum *out, rv_error *err)
{
    (void)s;
    char text[RV_TEMPORAL_TEXT_SIZE];
    rv_kind type = (rv_kind)rel->bound_type.kind;
    rv_datum d = {.kind = rel->bound_kind};
    if (!unix_seconds && type == RV_DATE)
        (void)rv_date_text(floor_div(us, US_PER_DAY), text);
    else if (!unix_seconds && (type == RV_TIMESTAMP || type == RV_TIMESTAMP_TZ))
        (void)rv_timestamp_text(us, type == RV_TIMESTAMP_TZ, text);
    else if (!unix_seconds && type == RV_STRING)
        (void)rv_timestamp_text(us, false, text);
    else
        (void)snprintf(text, sizeof text, "%" PRId64, floor_div(us, 1000000));
    char *t = !unix_seconds && type == RV_STRING ? strchr(text, 'T') : NULL;
    if (t) /* as people write it into text columns: "2024-01-31 00:00:00" */
        *t = ' ';
    if (t && us % 1000000 == 0)
        t[9] = '\0';
    RV_TRY(rv_arena_str(arena, rv_str_c(text), &d.text, err));
    *out = d;
    return RV_OK;
}

static const char *type_name(uint32_t oid)
{
    static const struct {
        uint32_t oid;
        const char *name;
    } names[] = {{RV_PG_INT2, "int2"},
                 {RV_PG_INT4, "int4"},
                 {RV_PG_INT8, "int8"},
                 {RV_PG_OID, "oid"},
                 {RV_PG_NUMERIC, "numeric"},
                 {RV_PG_FLOAT4, "float4"},
                 {RV_PG_FLOAT8, "float8"},
                 {RV_PG_DATE, "date"},
                 {RV_PG_TIME, "time"},
                 {RV_PG_TIMESTAMP, "timestamp"},
                 {RV_PG_TIMESTAMPTZ, "timestamptz"},
                 {RV_PG_UUID, "uuid"},
                 {RV_PG_BOOL, "bool"},
                 {RV_PG_BYTEA, "bytea"},
                 {RV_PG_INET, "inet"},
                 {RV_PG_CIDR, "cidr"},
                 {RV_PG_BPCHAR, "bpchar"},
                 {RV_PG_NAME, "name"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].oid == oid)
            return names[i].name;
    return "text";
}

static rv_status not_a_value(rv_str text, const char *type, const rv_error *cause, rv_error *err)
{
    char why[200];
    rv_error_headline(cause, why, sizeof why);
    return rv_fail(err, RV_E_VALUE, "'%.*s' is not a value of type %s\n%s", RV_STR_ARG(text), type,
                   why);
}

/* The server reads the text as its own type and gives back what it understood. */
rv_status rv_pgs_datum_parse(rv_source *s, const rv_relation *rel, rv_str text, rv_arena *arena,
                             rv_datum *out, rv_error *err)
{
    const rv_pgs_relation *r = rel->driver;
    uint32_t oid =
        r->fallback_oid ? rv_pgs_common_oid(r->bound_oid, r->fallback_oid) : r->bound_oid;
    const char *type = type_name(oid);
    rv_buf b = RV_BUF_INIT;
    rv_error cause;
    rv_datum d;
    bool found = false;
    rv_status st;
    rv_error_clear(&cause);
    RV_GO(rv_buf_add_c(&b, "SELECT CAST(", err));
    RV_GO(rv_pgs_literal(text, &b, err));
    RV_GO(rv_buf_printf(&b, err, " AS pg_catalog.%s)", type));
    RV_GO(rv_buf_add_byte(&b, 0, err));
    st = rv_pgs_first_row(s, false, (const char *)b.ptr, &oid, 1, arena, &d, &found, &cause);
    if (st != RV_OK && strncmp(cause.native, "22", 2) == 0)
        st = not_a_value(text, type, &cause, err);
    else if (st != RV_OK && err)
        *err = cause;
    if (st == RV_OK)
        *out = d;
done:
    rv_buf_free(&b);
    return st;
}

rv_status rv_pgs_datum_day(const rv_relation *rel, const rv_datum *d, int64_t *out_days,
                           rv_error *err)
{
    (void)rel;
    int64_t us = 0, seconds = 0;
    bool zoned = false, ok = false;
    if (d->null)
        return rv_fail(err, RV_E_VALUE, "NULL is not a date or timestamp");
    if (d->kind == RV_INT64)
        ok = rv_str_i64(d->text, &seconds) &&
             !__builtin_mul_overflow(seconds, INT64_C(1000000), &us);
    else if (d->kind == RV_DATE)
        return rv_date_parse(d->text, out_days) == RV_TEMPORAL_OK
                   ? RV_OK
                   : rv_fail(err, RV_E_VALUE, "'%.*s' is not a date that days can count",
                             RV_STR_ARG(d->text));
    else
        ok = rv_timestamp_parse(d->text, false, &us, &zoned) == RV_TEMPORAL_OK;
    if (!ok)
        return rv_fail(err, RV_E_VALUE, "'%.*s' is not a date or timestamp that days can count",
                       RV_STR_ARG(d->text));
    *out_days = floor_div(us, US_PER_DAY);
    return RV_OK;
}
