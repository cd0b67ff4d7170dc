#include <stdlib.h>

#include "column/builder_internal.h"
#include "column/temporal.h"

static rv_status append_bool(rv_builder *b, uint32_t col, const rv_bcol *c, rv_str s, rv_error *err)
{
    static const char *const words[2][3] = {{"false", "f", "0"}, {"true", "t", "1"}};
    for (unsigned v = 0; v < 2; v++)
        for (unsigned i = 0; i < 3; i++)
            if (rv_str_eq_nocase(s, rv_str_c(words[v][i])))
                return rv_builder_bool(b, col, v == 1, err);
    return rv_bcol_misfit(c, s, err);
}

/* [+-]digits[.digits][e[+-]digits] with a digit in the mantissa: what strtod takes beyond that
 * (blanks, hex, nan(...), a locale's point) is no number here. */
static bool is_float_syntax(rv_str s, bool *nonzero)
{
    size_t i = s.len && (s.ptr[0] == '-' || s.ptr[0] == '+');
    size_t digits = 0;
    *nonzero = false;
    for (bool point = false; i < s.len; i++) {
        if (s.ptr[i] == '.' && !point) {
            point = true;
        } else if (s.ptr[i] >= '0' && s.ptr[i] <= '9') {
            digits++;
            *nonzero = *nonzero || s.ptr[i] != '0';
        } else {
            break;
        }
    }
    if (i == s.len || digits == 0)
        return digits != 0;
    if (s.ptr[i] != 'e' && s.ptr[i] != 'E')
        return false;
    i++;
    i += i < s.len && (s.ptr[i] == '-' || s.ptr[i] == '+');
    digits = 0;
    for (; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++)
        digits++;
    return i == s.len && digits != 0;
}

static bool special_float(rv_str s, double *out)
{
    bool negative = s.len && s.ptr[0] == '-';
    rv_str word = s;
    if (s.len && (s.ptr[0] == '-' || s.ptr[0] == '+')) {
        word.ptr++;
        word.len--;
    }
    if (rv_str_eq_nocase(word, RV_STR("inf")) || rv_str_eq_nocase(word, RV_STR("infinity"))) {
        *out = negative ? -__builtin_inf() : __builtin_inf();
        return true;
    }
    if (!rv_str_eq_nocase(s, RV_STR("nan")))
        return false;
    *out = __builtin_nan("");
    return true;
}

/* The nearest value; out of range (infinite, or zero for a number that is not) is a misfit. */
static rv_status append_float(rv_builder *b, uint32_t col, const rv_bcol *c, rv_str s,
                              rv_error *err)
{
    bool single = c->kind == RV_FLOAT32;
    double wide;
    bool nonzero;
    if (special_float(s, &wide))
        return single ? rv_builder_f32(b, col, (float)wide, err)
                      : rv_builder_f64(b, col, wide, err);
    if (!is_float_syntax(s, &nonzero))
        return rv_bcol_misfit(c, s, err);
    rv_buf_clear(&b->scratch);
    RV_TRY(rv_buf_add_str(&b->scratch, s, err));
    const char *text = rv_buf_cstr(&b->scratch);
    if (!text)
        return rv_fail_memory(err);
    float narrow = single ? strtof(text, NULL) : 0;
    wide = single ? (double)narrow : strtod(text, NULL);
    if (__builtin_isinf(wide) || (wide == 0 && nonzero))
        return rv_bcol_misfit(c, s, err);
    return single ? rv_builder_f32(b, col, narrow, err) : rv_builder_f64(b, col, wide, err);
}

static rv_status append_integer(rv_builder *b, uint32_t col, const rv_bcol *c, rv_str s,
                                rv_error *err)
{
    int64_t v;
    uint64_t u;
    if (c->kind == RV_UINT64)
        return rv_str_u64(s, &u) ? rv_builder_u64(b, col, u, err) : rv_bcol_misfit(c, s, err);
    return rv_str_i64(s, &v) ? rv_builder_i64(b, col, v, err) : rv_bcol_misfit(c, s, err);
}

static rv_status append_temporal(rv_builder *b, uint32_t col, const rv_bcol *c, rv_str s,
                                 rv_error *err)
{
    int64_t v = 0;
    bool zoned;
    rv_temporal_fit fit;
    bool ns = c->kind == RV_TIMESTAMP_NS || c->kind == RV_TIMESTAMP_TZ_NS;
    if (c->kind == RV_DATE)
        fit = rv_date_parse(s, &v);
    else if (c->kind == RV_TIME)
        fit = rv_time_parse(s, &v);
    else
        fit = rv_timestamp_parse(s, ns, &v, &zoned);
    if (fit == RV_TEMPORAL_OK)
        return rv_builder_i64(b, col, v, err);
    rv_status st = rv_bcol_misfit(c, s, err);
    if (c->kind == RV_TIME && fit == RV_TEMPORAL_RANGE) /* well-formed, hence short ASCII */
        (void)rv_wrap(err, st, "column '%s': time %.*s does not fit a time of day", c->name,
                      RV_STR_ARG(s));
    return st;
}

static rv_status append_uuid(rv_builder *b, uint32_t col, const rv_bcol *c, rv_str s, rv_error *err)
{
    static const uint8_t hyphens[] = {8, 13, 18, 23, 36};
    char hex[32];
    uint8_t uuid[16];
    if (s.len != 36)
        return rv_bcol_misfit(c, s, err);
    size_t n = 0;
    for (size_t i = 0, h = 0; i < 36; i++) {
        if (i == hyphens[h]) {
            if (s.ptr[i] != '-')
                return rv_bcol_misfit(c, s, err);
            h++;
        } else {
            hex[n++] = s.ptr[i];
        }
    }
    if (!rv_unhex((rv_str){hex, n}, uuid))
        return rv_bcol_misfit(c, s, err);
    return rv_builder_uuid(b, col, uuid, err);
}

rv_status rv_builder_text(rv_builder *b, uint32_t col, rv_str text, rv_error *err)
{
    const rv_bcol *c = &b->cols[col];
    if (c->open)
        c = c->child;
    switch ((rv_kind)c->kind) {
    case RV_BOOL:
        return append_bool(b, col, c, text, err);
    case RV_INT16:
    case RV_INT32:
    case RV_INT64:
    case RV_UINT64:
        return append_integer(b, col, c, text, err);
    case RV_FLOAT32:
    case RV_FLOAT64:
        return append_float(b, col, c, text, err);
    case RV_DECIMAL:
        return rv_builder_decimal_text(b, col, text, err);
    case RV_DATE:
    case RV_TIME:
    case RV_TIMESTAMP:
    case RV_TIMESTAMP_TZ:
    case RV_TIMESTAMP_NS:
    case RV_TIMESTAMP_TZ_NS:
        return append_temporal(b, col, c, text, err);
    case RV_UUID:
        return append_uuid(b, col, c, text, err);
    case RV_STRING:
    case RV_BINARY:
    case RV_JSON:
    case RV_ENUM:
    case RV_INTERVAL:
    case RV_LIST:
        break;
    }
    return rv_builder_bytes(b, col, rv_str_bytes(text), err);
}
