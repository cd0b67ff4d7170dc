/* Values of keys and bounds: from the wire to text and from text to a literal. The text is what
 * state stores: full precision, UTC, and read back by the server alone. */
#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "column/temporal.h"
#include "source/postgres/decode_internal.h"

#define UUID_TEXT_BYTES 36

static rv_status add_integer(int64_t v, rv_buf *out, rv_error *err)
{
    return rv_buf_printf(out, err, "%" PRId64, v);
}

static rv_status add_double(double v, rv_buf *out, rv_error *err)
{
    if (v != v)
        return rv_buf_add_c(out, "NaN", err);
    if (__builtin_isinf(v))
        return rv_buf_add_c(out, v > 0 ? "Infinity" : "-Infinity", err);
    return rv_buf_printf(out, err, "%.17g", v);
}

static rv_status add_float(const char *data, int32_t n, rv_buf *out, rv_error *err)
{
    if (n == 4) {
        uint32_t bits = rv_be32(data);
        float v;
        memcpy(&v, &bits, sizeof v);
        return add_double((double)v, out, err);
    }
    uint64_t bits = rv_be64(data);
    double v;
    memcpy(&v, &bits, sizeof v);
    return add_double(v, out, err);
}

static rv_status add_timestamp(int64_t us, bool tz, rv_buf *out, rv_error *err)
{
    char text[RV_TEMPORAL_TEXT_SIZE];
    int64_t since_1970;
    if (us == INT64_MAX || us == INT64_MIN)
        return rv_buf_add_c(out, us > 0 ? "infinity" : "-infinity", err);
    if (__builtin_add_overflow(us, RV_PG_EPOCH_US, &since_1970))
        return rv_fail(err, RV_E_VALUE, "a timestamp is too far away for microseconds in 64 bits");
    return rv_buf_add(out, text, rv_timestamp_text(since_1970, tz, text), err);
}

static rv_status add_date(int32_t days, rv_buf *out, rv_error *err)
{
    char text[RV_TEMPORAL_TEXT_SIZE];
    if (days == INT32_MAX || days == INT32_MIN)
        return rv_buf_add_c(out, days > 0 ? "infinity" : "-infinity", err);
    return rv_buf_add(out, text, rv_date_text((int64_t)days + RV_PG_EPOCH_DAYS, text), err);
}

static rv_status add_time(int64_t us, rv_buf *out, rv_error *err)
{
    char text[RV_TEMPORAL_TEXT_SIZE];
    if (us == RV_PG_DAY_US)
        return rv_buf_add_c(out, "24:00:00", err);
    return rv_buf_add(out, text, rv_time_text(us, text), err);
}

static rv_status add_uuid(const char *data, rv_buf *out, rv_error *err)
{
    static const unsigned parts[] = {4, 2, 2, 2, 6};
    char text[UUID_TEXT_BYTES + 1];
    size_t at = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (i)
            text[at++] = '-';
        rv_hex((const uint8_t *)data, parts[i], text + at);
        data += parts[i];
        at += 2 * parts[i];
    }
    return rv_buf_add(out, text, UUID_TEXT_BYTES, err);
}

static rv_status add_hex(const char *data, int32_t n, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_reserve(out, 2 * (size_t)n + 1, err));
    if (n)
        rv_hex((const uint8_t *)data, (size_t)n, (char *)out->ptr + out->len);
    out->len += 2 * (size_t)n;
    return RV_OK;
}

static rv_status add_net(const char *data, int32_t n, rv_buf *out, rv_error *err)
{
    char text[RV_PGS_NET_TEXT_SIZE];
    unsigned len;
    if (!rv_pgs_net_text(data, n, text, &len))
        return rv_fail(err, RV_E_SOURCE_CHANGED, "a network address of %d bytes is none", n);
    return rv_buf_add(out, text, len, err);
}

/* Bytes of the fixed-width types; -1: any. */
static int32_t width_of(uint32_t oid)
{
    switch (oid) {
    case RV_PG_BOOL:
        return 1;
    case RV_PG_INT2:
        return 2;
    case RV_PG_INT4:
    case RV_PG_OID:
    case RV_PG_XID:
    case RV_PG_CID:
    case RV_PG_FLOAT4:
    case RV_PG_DATE:
        return 4;
    case RV_PG_TID:
        return 6;
    case RV_PG_INT8:
    case RV_PG_XID8:
    case RV_PG_FLOAT8:
    case RV_PG_TIME:
    case RV_PG_TIMESTAMP:
    case RV_PG_TIMESTAMPTZ:
        return 8;
    case RV_PG_UUID:
        return 16;
    default:
        return -1;
    }
}

static rv_status add_numeric(const char *data, int32_t n, rv_buf *out, rv_error *err)
{
    bool ok = false;
    RV_TRY(rv_pgs_numeric_text(data, n, out, &ok, err));
    return ok ? RV_OK : rv_fail(err, RV_E_SOURCE_CHANGED, "a numeric of %d bytes is none", n);
}

static rv_status add_wire(uint32_t oid, const char *data, int32_t n, rv_buf *out, rv_error *err)
{
    switch (oid) {
    case RV_PG_BOOL:
        return rv_buf_add_c(out, data[0] ? "1" : "0", err);
    case RV_PG_INT2:
        return add_integer((int16_t)rv_be16(data), out, err);
    case RV_PG_INT4:
        return add_integer((int32_t)rv_be32(data), out, err);
    case RV_PG_INT8:
        return add_integer((int64_t)rv_be64(data), out, err);
    case RV_PG_OID:
    case RV_PG_XID:
    case RV_PG_CID:
        return add_integer(rv_be32(data), out, err);
    case RV_PG_XID8:
        return rv_buf_printf(out, err, "%" PRIu64, rv_be64(data));
    case RV_PG_TID:
        return rv_buf_printf(out, err, "(%u,%u)", rv_be32(data), rv_be16(data + 4));
    case RV_PG_FLOAT4:
    case RV_PG_FLOAT8:
        return add_float(data, n, out, err);
    case RV_PG_NUMERIC:
        return add_numeric(data, n, out, err);
    case RV_PG_DATE:
        return add_date((int32_t)rv_be32(data), out, err);
    case RV_PG_TIME:
        return add_time((int64_t)rv_be64(data), out, err);
    case RV_PG_TIMESTAMP:
    case RV_PG_TIMESTAMPTZ:
        return add_timestamp((int64_t)rv_be64(data), oid == RV_PG_TIMESTAMPTZ, out, err);
    case RV_PG_UUID:
        return add_uuid(data, out, err);
    case RV_PG_BYTEA:
        return add_hex(data, n, out, err);
    case RV_PG_INET:
    case RV_PG_CIDR:
        return add_net(data, n, out, err);
    default: /* the text family */
        return rv_buf_add(out, data, (size_t)n, err);
    }
}

rv_status rv_pgs_wire_text(uint32_t oid, const char *data, int32_t n, rv_buf *out, rv_error *err)
{
    int32_t width = width_of(oid);
    if (n < 0 || (width >= 0 && n != width))
        return rv_fail(err, RV_E_SOURCE_CHANGED, "a key value of %d bytes is none of its type", n);
    return add_wire(oid, data, n, out, err);
}

size_t rv_pgs_wire_text_room(uint32_t oid, const char *data, int32_t n)
{
    size_t room = 2 * (size_t)n + 80;
    if (oid == RV_PG_NUMERIC && n >= 8) { /* the point may lie far from the digits */
        int weight = (int16_t)rv_be16(data + 2), scale = (int16_t)rv_be16(data + 6);
        room += 4 * (size_t)(weight > 0 ? weight + 1 : 1) + (size_t)(scale > 0 ? scale : 0);
    }
    return room;
}

/* ---- literals ---- */

static rv_status add_cast(rv_str text, const char *cast, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_pgs_literal(text, out, err));
    return cast ? rv_buf_printf(out, err, "::%s", cast) : RV_OK;
}

/* Years outside 0001..9999 as the server reads them: no sign, "BC", and no year zero. */
static rv_status add_instant(rv_str text, const char *cast, rv_buf *out, rv_error *err)
{
    rv_buf plain = RV_BUF_INIT;
    uint64_t year = 0;
    bool before = text.len && text.ptr[0] == '-';
    bool zero = rv_str_starts(text, RV_STR("0000-"));
    if (!before && !zero && !(text.len && text.ptr[0] == '+'))
        return add_cast(text, cast, out, err);
    rv_str rest = zero ? text : (rv_str){text.ptr + 1, text.len - 1};
    const char *dash = memchr(rest.ptr, '-', rest.len);
    if (!dash || !rv_str_u64((rv_str){rest.ptr, (size_t)(dash - rest.ptr)}, &year))
        return add_cast(text, cast, out, err); /* "-infinity" */
    rest = (rv_str){dash, rest.len - (size_t)(dash - rest.ptr)};
    bool bc = before || zero;
    rv_status st = rv_buf_printf(&plain, err, "%04" PRIu64 "%.*s%s", bc ? year + 1 : year,
                                 RV_STR_ARG(rest), bc ? " BC" : "");
    if (st == RV_OK)
        st = add_cast(rv_buf_str(&plain), cast, out, err);
    rv_buf_free(&plain);
    return st;
}

static bool is_digits(rv_str s)
{
    size_t i = s.len && s.ptr[0] == '-';
    if (i == s.len)
        return false;
    for (; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    return true;
}

/* A negative number needs parentheses before a cast, a positive one might follow a minus. */
static rv_status add_number(rv_str text, const char *cast, rv_buf *out, rv_error *err)
{
    int64_t v;
    if (!is_digits(text) || !rv_str_i64(text, &v))
        return add_cast(text, cast, out, err);
    return rv_buf_printf(out, err, v < 0 ? "(%" PRId64 ")" : "%" PRId64, v);
}

static rv_status add_bytea(rv_str hex, rv_buf *out, rv_error *err)
{
    rv_buf text = RV_BUF_INIT;
    rv_status st = rv_buf_add(&text, "\\x", 2, err);
    if (st == RV_OK)
        st = rv_buf_add_str(&text, hex, err);
    if (st == RV_OK)
        st = add_cast(rv_buf_str(&text), "bytea", out, err);
    rv_buf_free(&text);
    return st;
}

rv_status rv_pgs_datum(const rv_datum *d, uint32_t oid, rv_buf *out, rv_error *err)
{
    if (d->null)
        return rv_buf_add_c(out, "NULL", err);
    switch (oid) {
    case RV_PG_INT2:
    case RV_PG_INT4:
    case RV_PG_INT8:
        return add_number(d->text, "int8", out, err);
    case RV_PG_OID:
        return add_cast(d->text, "oid", out, err);
    case RV_PG_TID:
        return add_cast(d->text, "tid", out, err);
    case RV_PG_NUMERIC:
        return add_cast(d->text, "numeric", out, err);
    case RV_PG_FLOAT4:
    case RV_PG_FLOAT8:
        return add_cast(d->text, "float8", out, err);
    case RV_PG_DATE:
        return add_instant(d->text, "date", out, err);
    case RV_PG_TIMESTAMP:
        return add_instant(d->text, "timestamp", out, err);
    case RV_PG_TIMESTAMPTZ:
        return add_instant(d->text, "timestamptz", out, err);
    case RV_PG_UUID:
        return add_cast(d->text, "uuid", out, err);
    case RV_PG_BYTEA:
        return add_bytea(d->text, out, err);
    default: /* typed by what it is compared with */
        return add_cast(d->text, NULL, out, err);
    }
}
