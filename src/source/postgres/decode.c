/* Decoders: one per column, chosen once by rv_pgs_column_bind. */
#include <stdio.h>

#include "column/decimal.h"
#include "column/render.h"
#include "source/postgres/decode_internal.h"

rv_status rv_pgs_malformed(const rv_pgs_column *c, int32_t n, rv_error *err)
{
    rv_status st = rv_fail(err, RV_E_SOURCE_CHANGED,
                           "column '%s': a field of %d bytes is none of its type", c->name, n);
    rv_hint(err, "the relation may have been altered meanwhile; run again");
    return st;
}

rv_status rv_pgs_misfit(const rv_pgs_column *c, const char *what, const char *type, rv_error *err)
{
    rv_status st =
        rv_fail(err, RV_E_VALUE, "column '%s': %s does not fit %s; override with %s: text", c->name,
                what, type, c->name);
    rv_hint(err, "add columns: {%s: text} to the export", c->name);
    return st;
}

static rv_status decode_bool(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                             rv_builder *b, rv_error *err)
{
    if (n != 1)
        return rv_pgs_malformed(c, n, err);
    return rv_builder_bool(b, col, data[0] != 0, err);
}

static rv_status decode_int2(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                             rv_builder *b, rv_error *err)
{
    if (n != 2)
        return rv_pgs_malformed(c, n, err);
    return rv_builder_i64(b, col, (int16_t)rv_be16(data), err);
}

static rv_status decode_int4(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                             rv_builder *b, rv_error *err)
{
    if (n != 4)
        return rv_pgs_malformed(c, n, err);
    return rv_builder_i64(b, col, (int32_t)rv_be32(data), err);
}

static rv_status decode_int8(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                             rv_builder *b, rv_error *err)
{
    if (n != 8)
        return rv_pgs_malformed(c, n, err);
    return rv_builder_i64(b, col, (int64_t)rv_be64(data), err);
}

static rv_status decode_oid(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                            rv_builder *b, rv_error *err)
{
    if (n != 4)
        return rv_pgs_malformed(c, n, err);
    return rv_builder_i64(b, col, rv_be32(data), err);
}

static rv_status decode_xid8(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                             rv_builder *b, rv_error *err)
{
    if (n != 8)
        return rv_pgs_malformed(c, n, err);
    uint64_t v = rv_be64(data);
    if (c->type.kind == RV_UINT64)
        return rv_builder_u64(b, col, v, err);
    if (v > INT64_MAX)
        return rv_pgs_misfit(c, "a transaction id above 2^63", "an integer", err);
    return rv_builder_i64(b, col, (int64_t)v, err);
}

static float float_at(const char *data)
{
    uint32_t bits = rv_be32(data);
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static double double_at(const char *data)
{
    uint64_t bits = rv_be64(data);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static rv_status decode_float4(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                               rv_builder *b, rv_error *err)
{
    if (n != 4)
        return rv_pgs_malformed(c, n, err);
    return rv_builder_f32(b, col, float_at(data), err);
}

static rv_status decode_float8(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                               rv_builder *b, rv_error *err)
{
    if (n != 8)
        return rv_pgs_malformed(c, n, err);
    return rv_builder_f64(b, col, double_at(data), err);
}

static rv_status decode_float4_wide(const rv_pgs_column *c, uint32_t col, const char *data,
                                    int32_t n, rv_builder *b, rv_error *err)
{
    if (n != 4)
        return rv_pgs_malformed(c, n, err);
    return rv_builder_f64(b, col, (double)float_at(data), err);
}

/* The override asks for the nearest float32; what is beyond its range has none. */
static rv_status decode_float8_narrow(const rv_pgs_column *c, uint32_t col, const char *data,
                                      int32_t n, rv_builder *b, rv_error *err)
{
    if (n != 8)
        return rv_pgs_malformed(c, n, err);
    double v = double_at(data);
    float f = (float)v;
    if (__builtin_isinf(f) && !__builtin_isinf(v))
        return rv_pgs_misfit(c, "a number beyond float4", "float32", err);
    return rv_builder_f32(b, col, f, err);
}

static rv_status decode_bytes(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                              rv_builder *b, rv_error *err)
{
    (void)c;
    return rv_builder_bytes(b, col, (rv_bytes){(const uint8_t *)data, (size_t)n}, err);
}

static rv_status decode_char(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                             rv_builder *b, rv_error *err)
{
    return decode_bytes(c, col, data, n == 1 && data[0] == 0 ? 0 : n, b, err);
}

static rv_status decode_jsonb(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                              rv_builder *b, rv_error *err)
{
    if (n < 1 || data[0] != 1)
        return rv_pgs_malformed(c, n, err);
    return decode_bytes(c, col, data + 1, n - 1, b, err);
}

static rv_status decode_uuid(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                             rv_builder *b, rv_error *err)
{
    if (n != 16) {
        if (c->oid == RV_PG_UUID)
            return rv_pgs_malformed(c, n, err);
        return rv_pgs_misfit(c, "a value that is not 16 bytes long", "uuid", err);
    }
    return rv_builder_uuid(b, col, (const uint8_t *)data, err);
}

static rv_status decode_parse(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                              rv_builder *b, rv_error *err)
{
    (void)c;
    return rv_builder_text(b, col, (rv_str){data, (size_t)n}, err);
}

/* Zeros behind the point carry nothing: "12.00" is an integer, midnight is a day. */
static rv_str without_zeros(const rv_pgs_column *c, rv_str text)
{
    rv_str midnight = RV_STR("T00:00:00.000000");
    if (c->type.kind == RV_DATE && text.len && text.ptr[text.len - 1] == 'Z')
        text.len--;
    if (c->type.kind == RV_DATE && rv_str_ends(text, midnight))
        text.len -= midnight.len;
    bool whole = c->type.kind >= RV_INT16 && c->type.kind <= RV_UINT64;
    if (whole && rv_str_ends(text, RV_STR(".0")))
        text.len -= 2;
    return text;
}

/* Beyond 2^53 a double is the same number only by chance. */
static bool rounds(const rv_pgs_column *c, rv_str text)
{
    int64_t v;
    bool real = c->type.kind == RV_FLOAT32 || c->type.kind == RV_FLOAT64;
    if (!real || c->oid == RV_PG_NUMERIC || c->oid == RV_PG_FLOAT4 || c->oid == RV_PG_FLOAT8)
        return false;
    int64_t exact = INT64_C(1) << (c->type.kind == RV_FLOAT32 ? 24 : 53);
    return !rv_str_i64(text, &v) || v > exact || v < -exact;
}

static rv_status via_text(const rv_pgs_column *c, uint32_t col, rv_str text, rv_builder *b,
                          rv_error *err)
{
    if (rounds(c, text))
        return rv_pgs_misfit(c, "an integer that a float would round", "a float", err);
    return rv_builder_text(b, col, without_zeros(c, text), err);
}

/* A float goes by its shortest digits: they are what was written, and either fit or abort. */
static rv_status float_via_text(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                                rv_builder *b, rv_error *err)
{
    char digits[RV_DOUBLE_TEXT_SIZE];
    if (n != (c->oid == RV_PG_FLOAT4 ? 4 : 8))
        return rv_pgs_malformed(c, n, err);
    unsigned len = c->oid == RV_PG_FLOAT4 ? rv_float_text(float_at(data), digits)
                                          : rv_double_text(double_at(data), digits);
    return via_text(c, col, (rv_str){digits, len}, b, err);
}

static rv_status decode_via_text(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                                 rv_builder *b, rv_error *err)
{
    rv_buf text = RV_BUF_INIT;
    if (c->oid == RV_PG_FLOAT4 || c->oid == RV_PG_FLOAT8)
        return float_via_text(c, col, data, n, b, err);
    if (c->oid == RV_PG_MONEY) {
        char digits[RV_DECIMAL_TEXT_SIZE];
        if (n != 8)
            return rv_pgs_malformed(c, n, err);
        unsigned len =
            rv_decimal_text(rv_i256_from_i64((int64_t)rv_be64(data)), (unsigned)c->scale, digits);
        return via_text(c, col, (rv_str){digits, len}, b, err);
    }
    rv_status st = rv_pgs_wire_text(c->oid, data, n, &text, err);
    if (st == RV_OK)
        st = via_text(c, col, rv_buf_str(&text), b, err);
    rv_buf_free(&text);
    return st;
}

static rv_status decode_none(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                             rv_builder *b, rv_error *err)
{
    (void)col, (void)data, (void)n, (void)b;
    return rv_fail(err, RV_E_TYPE_UNSUPPORTED, "column '%s' has no lossless type", c->name);
}

static const rv_pgs_decode_fn decoders[RV_PGS_DECODERS] = {
    [RV_PGS_NO_DECODER] = decode_none,
    [RV_PGS_BOOL] = decode_bool,
    [RV_PGS_INT2] = decode_int2,
    [RV_PGS_INT4] = decode_int4,
    [RV_PGS_INT8] = decode_int8,
    [RV_PGS_OID] = decode_oid,
    [RV_PGS_XID8] = decode_xid8,
    [RV_PGS_FLOAT4] = decode_float4,
    [RV_PGS_FLOAT8] = decode_float8,
    [RV_PGS_FLOAT4_WIDE] = decode_float4_wide,
    [RV_PGS_FLOAT8_NARROW] = decode_float8_narrow,
    [RV_PGS_NUMERIC] = rv_pgs_decode_numeric,
    [RV_PGS_NUMERIC_INT] = rv_pgs_decode_numeric_int,
    [RV_PGS_MONEY] = rv_pgs_decode_money,
    [RV_PGS_DATE] = rv_pgs_decode_date,
    [RV_PGS_TIME] = rv_pgs_decode_time,
    [RV_PGS_TIMETZ] = rv_pgs_decode_timetz,
    [RV_PGS_TIMESTAMP] = rv_pgs_decode_timestamp,
    [RV_PGS_INTERVAL] = rv_pgs_decode_interval,
    [RV_PGS_BYTES] = decode_bytes,
    [RV_PGS_CHAR] = decode_char,
    [RV_PGS_JSONB] = decode_jsonb,
    [RV_PGS_UUID] = decode_uuid,
    [RV_PGS_BIT] = rv_pgs_decode_bit,
    [RV_PGS_NET] = rv_pgs_decode_net,
    [RV_PGS_MAC] = rv_pgs_decode_mac,
    [RV_PGS_HSTORE] = rv_pgs_decode_hstore,
    [RV_PGS_LIST] = rv_pgs_decode_list,
    [RV_PGS_TEXT_PARSE] = decode_parse,
    [RV_PGS_VIA_TEXT] = decode_via_text,
};

rv_pgs_decode_fn rv_pgs_decoder_fn(int decoder)
{
    return decoders[decoder];
}

rv_status rv_pgs_decode(const rv_pgs_relation *r, uint32_t col, const char *data, int32_t n,
                        rv_builder *b, rv_error *err)
{
    const rv_pgs_column *c = &r->columns[col];
    if (n < 0)
        return rv_builder_null(b, col, err);
    return decoders[c->decoder](c, col, data, n, b, err);
}
