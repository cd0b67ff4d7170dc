/* Dates, times, timestamps and intervals: counted from 2000-01-01 on the wire. */
#include <inttypes.h>
#include <stdio.h>

#include "column/temporal.h"
#include "source/postgres/decode_internal.h"

rv_status rv_pgs_decode_date(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                             rv_builder *b, rv_error *err)
{
    if (n != 4)
        return rv_pgs_malformed(c, n, err);
    int32_t days = (int32_t)rv_be32(data);
    if (days == INT32_MAX || days == INT32_MIN)
        return rv_pgs_misfit(c, days > 0 ? "date infinity" : "date -infinity", "a date", err);
    return rv_builder_i64(b, col, (int64_t)days + RV_PG_EPOCH_DAYS, err);
}

rv_status rv_pgs_decode_time(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                             rv_builder *b, rv_error *err)
{
    if (n != 8)
        return rv_pgs_malformed(c, n, err);
    int64_t us = (int64_t)rv_be64(data);
    if (us == RV_PG_DAY_US)
        return rv_pgs_misfit(c, "time 24:00:00", "a time of day", err);
    return rv_builder_i64(b, col, us, err);
}

rv_status rv_pgs_decode_timetz(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                               rv_builder *b, rv_error *err)
{
    char text[64];
    if (n != 12)
        return rv_pgs_malformed(c, n, err);
    int64_t us = (int64_t)rv_be64(data);
    int32_t west = (int32_t)rv_be32(data + 8);
    if (us < 0 || us > RV_PG_DAY_US || west < -86400 || west > 86400)
        return rv_pgs_malformed(c, n, err);
    int zone = west < 0 ? -west : west;
    int len = snprintf(text, sizeof text, "%02d:%02d:%02d.%06d%c%02d", (int)(us / 3600000000),
                       (int)(us / 60000000 % 60), (int)(us / 1000000 % 60), (int)(us % 1000000),
                       west > 0 ? '-' : '+', zone / 3600);
    if (zone % 3600 != 0)
        len += snprintf(text + len, sizeof text - (size_t)len, ":%02d", zone / 60 % 60);
    if (zone % 60 != 0)
        len += snprintf(text + len, sizeof text - (size_t)len, ":%02d", zone % 60);
    return rv_builder_bytes(b, col, (rv_bytes){(const uint8_t *)text, (size_t)len}, err);
}

static __attribute__((noinline)) rv_status not_an_instant(const rv_pgs_column *c, int64_t us,
                                                          rv_error *err)
{
    if (us == INT64_MAX)
        return rv_pgs_misfit(c, "timestamp infinity", "a timestamp", err);
    if (us == INT64_MIN)
        return rv_pgs_misfit(c, "timestamp -infinity", "a timestamp", err);
    return rv_pgs_misfit(c, "a timestamp so far away in microseconds", "64 bits", err);
}

rv_status rv_pgs_decode_timestamp(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                                  rv_builder *b, rv_error *err)
{
    int64_t since_1970;
    if (n != 8)
        return rv_pgs_malformed(c, n, err);
    int64_t us = (int64_t)rv_be64(data);
    if (__builtin_add_overflow(us, RV_PG_EPOCH_US, &since_1970) || us == INT64_MIN)
        return not_an_instant(c, us, err);
    return rv_builder_i64(b, col, since_1970, err);
}

/* One part of an ISO 8601 duration, with its own sign; nothing for zero. */
static unsigned add_part(int64_t v, char unit, char *out, unsigned len, size_t size)
{
    if (v == 0)
        return len;
    return len + (unsigned)snprintf(out + len, size - len, "%" PRId64 "%c", v, unit);
}

static unsigned add_clock(int64_t us, char *out, unsigned len, size_t size)
{
    int64_t seconds = us / 1000000;
    int64_t fraction = us % 1000000;
    out[len++] = 'T';
    len = add_part(seconds / 3600, 'H', out, len, size);
    len = add_part(seconds / 60 % 60, 'M', out, len, size);
    if (fraction == 0)
        return add_part(seconds % 60, 'S', out, len, size);
    int64_t whole = seconds % 60;
    return len + (unsigned)snprintf(out + len, size - len, "%s%" PRId64 ".%06" PRId64 "S",
                                    us < 0 ? "-" : "", whole < 0 ? -whole : whole,
                                    fraction < 0 ? -fraction : fraction);
}

rv_status rv_pgs_decode_interval(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                                 rv_builder *b, rv_error *err)
{
    char text[160] = "P";
    unsigned len = 1;
    if (n != 16)
        return rv_pgs_malformed(c, n, err);
    int64_t us = (int64_t)rv_be64(data);
    int32_t days = (int32_t)rv_be32(data + 8);
    int32_t months = (int32_t)rv_be32(data + 12);
    /* PostgreSQL 17: every part at its end */
    if (us == INT64_MAX && days == INT32_MAX && months == INT32_MAX)
        return rv_pgs_misfit(c, "interval infinity", "a duration", err);
    if (us == INT64_MIN && days == INT32_MIN && months == INT32_MIN)
        return rv_pgs_misfit(c, "interval -infinity", "a duration", err);
    len = add_part(months / 12, 'Y', text, len, sizeof text);
    len = add_part(months % 12, 'M', text, len, sizeof text);
    len = add_part(days, 'D', text, len, sizeof text);
    if (us != 0)
        len = add_clock(us, text, len, sizeof text);
    else if (len == 1)
        len += (unsigned)snprintf(text + len, sizeof text - len, "T0S");
    return rv_builder_bytes(b, col, (rv_bytes){(const uint8_t *)text, len}, err);
}
