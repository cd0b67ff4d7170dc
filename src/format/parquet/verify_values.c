#include <inttypes.h>
#include <string.h>

#include "column/temporal.h"
#include "format/parquet/verify_internal.h"

#define DAY_US INT64_C(86400000000)

static int32_t load_i32(const uint8_t *p, uint32_t i)
{
    int32_t v;
    memcpy(&v, p + (size_t)i * 4, 4);
    return v;
}

static int64_t load_i64(const uint8_t *p, uint32_t i)
{
    int64_t v;
    memcpy(&v, p + (size_t)i * 8, 8);
    return v;
}

/* ---- against the annotation ---- */

static rv_status check_utf8(const rv_pq_slice_values *v, rv_error *err)
{
    for (uint32_t i = 0; i < v->n; i++)
        if (!rv_utf8_valid(v->spans[i]))
            return rv_fail(err, RV_E_CORRUPT, "text that is not UTF-8");
    return RV_OK;
}

static rv_status outside(const rv_pq_read_leaf *leaf, rv_error *err)
{
    return rv_fail(err, RV_E_CORRUPT, "a value has more than %u digits", leaf->precision);
}

static rv_status check_int_decimal(const rv_pq_read_leaf *leaf, const rv_pq_slice_values *v,
                                   rv_error *err)
{
    bool narrow = leaf->type == RV_PQ_INT32;
    if (leaf->precision > (narrow ? 9 : 18))
        return RV_OK;
    int64_t limit = 1;
    for (unsigned i = 0; i < leaf->precision; i++)
        limit *= 10;
    for (uint32_t i = 0; i < v->n; i++) {
        int64_t x = narrow ? load_i32(v->fixed, i) : load_i64(v->fixed, i);
        if (x <= -limit || x >= limit)
            return outside(leaf, err);
    }
    return RV_OK;
}

/* Leading bytes beyond 32 must only repeat the sign. */
static bool decimal_of_bytes(rv_bytes b, rv_i256 *out)
{
    if (b.len == 0)
        return false;
    uint8_t sign = b.ptr[0] & 0x80 ? 0xFF : 0;
    while (b.len > 32) {
        if (b.ptr[0] != sign || (b.ptr[1] ^ sign) & 0x80)
            return false;
        b = (rv_bytes){b.ptr + 1, b.len - 1};
    }
    *out = rv_i256_from_be(b.ptr, (unsigned)b.len);
    return true;
}

static rv_status check_byte_decimal(const rv_pq_read_leaf *leaf, const rv_pq_slice_values *v,
                                    rv_error *err)
{
    rv_i256 x;
    for (uint32_t i = 0; i < v->n; i++)
        if (!decimal_of_bytes(v->spans[i], &x) || !rv_decimal_fits(x, leaf->precision))
            return outside(leaf, err);
    return RV_OK;
}

static rv_status check_narrow_ints(const rv_pq_read_leaf *leaf, const rv_pq_slice_values *v,
                                   rv_error *err)
{
    int64_t max = leaf->int_unsigned ? (1 << leaf->int_bits) - 1 : (1 << (leaf->int_bits - 1)) - 1;
    int64_t min = leaf->int_unsigned ? 0 : -max - 1;
    for (uint32_t i = 0; i < v->n; i++) {
        int32_t x = load_i32(v->fixed, i);
        if (x < min || x > max)
            return rv_fail(err, RV_E_CORRUPT, "%d does not fit %u bits", x, leaf->int_bits);
    }
    return RV_OK;
}

rv_status rv_pq_check_values(const rv_pq_read_leaf *leaf, const rv_pq_slice_values *v,
                             rv_error *err)
{
    if (v->n == 0)
        return RV_OK;
    if (leaf->utf8)
        return check_utf8(v, err);
    if (leaf->precision && v->fixed)
        return check_int_decimal(leaf, v, err);
    if (leaf->precision)
        return check_byte_decimal(leaf, v, err);
    if (leaf->type == RV_PQ_INT32 && (leaf->int_bits == 8 || leaf->int_bits == 16))
        return check_narrow_ints(leaf, v, err);
    return RV_OK;
}

/* ---- cells ---- */

static bool hex_digit(char c, uint8_t *out)
{
    if (c >= '0' && c <= '9')
        *out = (uint8_t)(c - '0');
    else if (c >= 'a' && c <= 'f')
        *out = (uint8_t)(c - 'a' + 10);
    else
        return false;
    return true;
}

/* Lower case with hyphens: the one form Rivet writes. */
static bool uuid_of_text(rv_str s, uint8_t out[16])
{
    static const uint8_t groups[] = {4, 2, 2, 2, 6};
    size_t at = 0, byte = 0;
    if (s.len != 36)
        return false;
    for (size_t g = 0; g < sizeof groups; g++) {
        if (g && s.ptr[at++] != '-')
            return false;
        for (uint8_t k = 0; k < groups[g]; k++, at += 2, byte++) {
            uint8_t hi, lo;
            if (!hex_digit(s.ptr[at], &hi) || !hex_digit(s.ptr[at + 1], &lo))
                return false;
            out[byte] = (uint8_t)(hi << 4 | lo);
        }
    }
    return true;
}

static bool timestamp_of_text(rv_type t, rv_str text, int64_t *out)
{
    bool ns = t.kind == RV_TIMESTAMP_NS || t.kind == RV_TIMESTAMP_TZ_NS;
    bool tz = t.kind == RV_TIMESTAMP_TZ || t.kind == RV_TIMESTAMP_TZ_NS;
    bool zoned = false;
    return rv_timestamp_parse(text, ns, out, &zoned) == RV_TEMPORAL_OK && zoned == tz;
}

static bool cell_of_text(rv_type t, rv_str text, rv_cell *cell, uint8_t uuid[16])
{
    uint64_t u;
    switch ((rv_kind)t.kind) {
    case RV_INT64:
        return rv_str_i64(text, &cell->i64);
    case RV_UINT64:
        if (!rv_str_u64(text, &u))
            return false;
        cell->i64 = (int64_t)u;
        return true;
    case RV_DECIMAL:
        return rv_decimal_parse(text, t.precision, t.scale, &cell->dec) == RV_DECIMAL_OK;
    case RV_DATE:
        return rv_date_parse(text, &cell->i64) == RV_TEMPORAL_OK;
    case RV_TIME:
        return rv_time_parse(text, &cell->i64) == RV_TEMPORAL_OK;
    case RV_TIMESTAMP:
    case RV_TIMESTAMP_TZ:
    case RV_TIMESTAMP_NS:
    case RV_TIMESTAMP_TZ_NS:
        return timestamp_of_text(t, text, &cell->i64);
    case RV_UUID:
        cell->bytes = (rv_bytes){uuid, 16};
        return uuid_of_text(text, uuid);
    case RV_STRING:
    case RV_JSON:
    case RV_ENUM:
    case RV_INTERVAL:
        cell->bytes = rv_str_bytes(text);
        return true;
    case RV_BOOL:
    case RV_INT16:
    case RV_INT32:
    case RV_FLOAT32:
    case RV_FLOAT64:
    case RV_BINARY:
    case RV_LIST:
        break;
    }
    return false;
}

rv_status rv_pq_cell_from_text(rv_type t, rv_str text, rv_cell *out, uint8_t uuid[16],
                               rv_error *err)
{
    char name[RV_TYPE_NAME_SIZE];
    rv_cell cell = {0};
    if (!cell_of_text(t, text, &cell, uuid)) {
        rv_type_name(t, name);
        return rv_fail(err, RV_E_CORRUPT, "'%.*s' is no %s", (int)(text.len < 64 ? text.len : 64),
                       text.ptr, name);
    }
    *out = cell;
    return RV_OK;
}

static rv_status cell_of_decimal(const rv_pq_read_leaf *leaf, const rv_pq_slice_values *v,
                                 uint32_t i, rv_i256 *out, rv_error *err)
{
    if (leaf->type == RV_PQ_INT32)
        *out = rv_i256_from_i64(load_i32(v->fixed, i));
    else if (leaf->type == RV_PQ_INT64)
        *out = rv_i256_from_i64(load_i64(v->fixed, i));
    else if (!decimal_of_bytes(v->spans[i], out))
        return rv_fail(err, RV_E_CORRUPT, "a decimal of %zu bytes", v->spans[i].len);
    return RV_OK;
}

static rv_status cell_of_time(const rv_pq_slice_values *v, uint32_t i, rv_cell *cell, rv_error *err)
{
    cell->i64 = load_i64(v->fixed, i);
    if (cell->i64 < 0 || cell->i64 >= DAY_US)
        return rv_fail(err, RV_E_CORRUPT, "time of %" PRId64 " us", cell->i64);
    return RV_OK;
}

/* uint64 as decimal(20,0). */
static rv_status cell_of_wide_uint(const rv_pq_slice_values *v, uint32_t i, rv_cell *cell,
                                   rv_error *err)
{
    rv_i256 x;
    if (!decimal_of_bytes(v->spans[i], &x) || x.limb[1] || x.limb[2] || x.limb[3])
        return rv_fail(err, RV_E_CORRUPT, "a number that does not fit uint64");
    cell->i64 = (int64_t)x.limb[0];
    return RV_OK;
}

static rv_status cell_of_span(rv_type t, const rv_pq_read_leaf *leaf, rv_bytes span, rv_cell *cell,
                              uint8_t uuid[16], rv_error *err)
{
    bool text = leaf->type == RV_PQ_BYTE_ARRAY && (t.kind == RV_UUID || t.kind == RV_TIME);
    if (text)
        return rv_pq_cell_from_text(t, (rv_str){(const char *)span.ptr, span.len}, cell, uuid, err);
    cell->bytes = span;
    return RV_OK;
}

rv_status rv_pq_cell_from_value(rv_type t, const rv_pq_read_leaf *leaf, const rv_pq_slice_values *v,
                                uint32_t i, rv_cell *out, uint8_t uuid[16], rv_error *err)
{
    float f;
    out->null = false;
    if (t.kind == RV_DECIMAL)
        return cell_of_decimal(leaf, v, i, &out->dec, err);
    switch ((rv_pq_type)leaf->type) {
    case RV_PQ_BOOLEAN:
        out->i64 = v->fixed[i];
        return RV_OK;
    case RV_PQ_INT32:
        out->i64 = load_i32(v->fixed, i);
        return RV_OK;
    case RV_PQ_INT64:
        out->i64 = load_i64(v->fixed, i);
        return t.kind == RV_TIME ? cell_of_time(v, i, out, err) : RV_OK;
    case RV_PQ_FLOAT:
        memcpy(&f, v->fixed + (size_t)i * 4, 4);
        out->f64 = (double)f;
        return RV_OK;
    case RV_PQ_DOUBLE:
        memcpy(&out->f64, v->fixed + (size_t)i * 8, 8);
        return RV_OK;
    case RV_PQ_BYTE_ARRAY:
    case RV_PQ_FLBA:
        if (t.kind == RV_UINT64)
            return cell_of_wide_uint(v, i, out, err);
        return cell_of_span(t, leaf, v->spans[i], out, uuid, err);
    case RV_PQ_INT96:
        break;
    }
    return rv_fail(err, RV_E_CORRUPT, "INT96 has no canonical type");
}
