#include "format/parquet/list_text.h"

#include <math.h>

#include "base/json.h"
#include "column/render.h"

static rv_status add_base64(rv_bytes in, rv_buf *out, rv_error *err)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < in.len; i += 3) {
        size_t left = in.len - i;
        uint32_t three = (uint32_t)in.ptr[i] << 16 | (left > 1 ? (uint32_t)in.ptr[i + 1] << 8 : 0) |
                         (left > 2 ? in.ptr[i + 2] : 0);
        char quad[4] = {digits[three >> 18], digits[three >> 12 & 63],
                        left > 1 ? digits[three >> 6 & 63] : '=',
                        left > 2 ? digits[three & 63] : '='};
        RV_TRY(rv_buf_add(out, quad, sizeof quad, err));
    }
    return RV_OK;
}

static rv_status add_string(rv_str s, rv_buf *out, rv_error *err)
{
    rv_json json;
    rv_json_begin(&json, out, false);
    rv_json_str(&json, s);
    return rv_json_end(&json, err);
}

/* JSON has no NaN and no infinity: those are strings of these words. */
static rv_status add_float(double v, bool single, rv_buf *out, rv_error *err)
{
    char text[RV_DOUBLE_TEXT_SIZE];
    if (isnan(v))
        return rv_buf_add_c(out, "\"NaN\"", err);
    if (isinf(v))
        return rv_buf_add_c(out, v > 0 ? "\"Infinity\"" : "\"-Infinity\"", err);
    unsigned len = single ? rv_float_text((float)v, text) : rv_double_text(v, text);
    return rv_buf_add(out, text, len, err);
}

static rv_bytes var_value(const rv_col *col, uint32_t k)
{
    return (rv_bytes){col->values + col->offsets[k], col->offsets[k + 1] - col->offsets[k]};
}

static rv_status add_quoted_text(const rv_col *col, uint32_t k, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_add_byte(out, '"', err));
    RV_TRY(rv_render_value(col, k, out, err));
    return rv_buf_add_byte(out, '"', err);
}

static rv_status add_element(const rv_col *col, uint32_t k, rv_buf *out, rv_error *err)
{
    switch ((rv_kind)col->type.kind) {
    case RV_BOOL:
    case RV_INT16:
    case RV_INT32:
        return rv_render_value(col, k, out, err);
    case RV_FLOAT32: {
        float v;
        memcpy(&v, col->values + (size_t)k * sizeof v, sizeof v);
        return add_float((double)v, true, out, err);
    }
    case RV_FLOAT64: {
        double v;
        memcpy(&v, col->values + (size_t)k * sizeof v, sizeof v);
        return add_float(v, false, out, err);
    }
    case RV_JSON: {
        rv_bytes v = var_value(col, k);
        return rv_buf_add(out, v.ptr, v.len, err);
    }
    case RV_BINARY:
        RV_TRY(rv_buf_add_byte(out, '"', err));
        RV_TRY(add_base64(var_value(col, k), out, err));
        return rv_buf_add_byte(out, '"', err);
    case RV_STRING:
    case RV_ENUM:
    case RV_INTERVAL: {
        rv_bytes v = var_value(col, k);
        return add_string((rv_str){(const char *)v.ptr, v.len}, out, err);
    }
    case RV_INT64:
    case RV_UINT64:
    case RV_DECIMAL:
    case RV_DATE:
    case RV_TIME:
    case RV_TIMESTAMP:
    case RV_TIMESTAMP_TZ:
    case RV_TIMESTAMP_NS:
    case RV_TIMESTAMP_TZ_NS:
    case RV_UUID:
    case RV_LIST:
        break;
    }
    return add_quoted_text(col, k, out, err);
}

rv_status rv_pq_list_text(const rv_col *list, uint32_t k, rv_buf *out, rv_error *err)
{
    const rv_col *child = list->child;
    uint32_t from = list->offsets[k], to = list->offsets[k + 1];
    uint32_t value = child->validity ? rv_bits_count(child->validity, 0, from) : from;
    RV_TRY(rv_buf_add_byte(out, '[', err));
    for (uint32_t i = from; i < to; i++) {
        if (i > from)
            RV_TRY(rv_buf_add_byte(out, ',', err));
        if (child->validity && !rv_bit(child->validity, i))
            RV_TRY(rv_buf_add_c(out, "null", err));
        else
            RV_TRY(add_element(child, value++, out, err));
    }
    return rv_buf_add_byte(out, ']', err);
}
