/* Lists as canonical bytes: element framing, and the JSON arrays of `encoding: compatible`. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/parquet/verify_internal.h"

rv_status rv_pq_list_element(rv_type elem, const rv_cell *cell, rv_buf *out, rv_error *err)
{
    if (cell->null)
        return rv_buf_add_byte(out, 0, err);
    /* Room for 01 and the length, of which the last byte takes the place of the tag. */
    size_t at = out->len;
    RV_TRY(rv_buf_add(out, "\1\0\0\0", 4, err));
    RV_TRY(rv_canonical_append(elem, cell, out, err));
    uint32_t len = (uint32_t)(out->len - at - 5);
    memcpy(out->ptr + at + 1, &len, sizeof len);
    return RV_OK;
}

static rv_status bad(const char *what, rv_error *err)
{
    return rv_fail(err, RV_E_CORRUPT, "list text: %s", what);
}

static size_t string_end(rv_str s, size_t at)
{
    for (size_t i = at + 1; i < s.len; i++) {
        if (s.ptr[i] == '\\')
            i++;
        else if (s.ptr[i] == '"')
            return i + 1;
    }
    return s.len;
}

/* Where the element that begins at `at` ends: the comma or bracket after it. */
static size_t element_end(rv_str s, size_t at)
{
    size_t depth = 0;
    while (at < s.len) {
        char c = s.ptr[at];
        if (c == '"') {
            at = string_end(s, at);
            continue;
        }
        if (depth == 0 && (c == ',' || c == ']'))
            return at;
        depth += c == '[' || c == '{';
        depth -= depth && (c == ']' || c == '}');
        at++;
    }
    return at;
}

static int digit64(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *p = c ? strchr(digits, c) : NULL;
    return p ? (int)(p - digits) : -1;
}

static rv_status unbase64(rv_str s, rv_buf *out, rv_error *err)
{
    if (s.len % 4)
        return bad("malformed base64", err);
    for (size_t i = 0; i < s.len; i += 4) {
        bool last = i + 4 == s.len;
        unsigned pad = last ? (unsigned)(s.ptr[i + 3] == '=') + (s.ptr[i + 2] == '=') : 0;
        uint32_t three = 0;
        for (unsigned k = 0; k < 4; k++) {
            int d = k >= 4 - pad ? 0 : digit64(s.ptr[i + k]);
            if (d < 0)
                return bad("malformed base64", err);
            three = three << 6 | (uint32_t)d;
        }
        uint8_t bytes[3] = {(uint8_t)(three >> 16), (uint8_t)(three >> 8), (uint8_t)three};
        RV_TRY(rv_buf_add(out, bytes, 3 - pad, err));
    }
    return RV_OK;
}

static bool float_word(rv_str s, double *out)
{
    if (rv_str_eq(s, RV_STR("NaN")))
        *out = (double)NAN;
    else if (rv_str_eq(s, RV_STR("Infinity")))
        *out = (double)INFINITY;
    else if (rv_str_eq(s, RV_STR("-Infinity")))
        *out = -(double)INFINITY;
    else
        return false;
    return true;
}

static bool float_literal(rv_type t, rv_str s, double *out)
{
    char text[400];
    char *end;
    if (s.len == 0 || s.len >= sizeof text || !strchr("-0123456789", s.ptr[0]))
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    *out = t.kind == RV_FLOAT32 ? (double)strtof(text, &end) : strtod(text, &end);
    return *end == '\0';
}

static rv_status cell_of_literal(rv_type t, rv_str s, rv_cell *cell, rv_error *err)
{
    bool ok = false;
    if (t.kind == RV_BOOL) {
        cell->i64 = rv_str_eq(s, RV_STR("true"));
        ok = cell->i64 || rv_str_eq(s, RV_STR("false"));
    } else if (t.kind == RV_INT16 || t.kind == RV_INT32) {
        ok = rv_str_i64(s, &cell->i64);
    } else if (t.kind == RV_FLOAT32 || t.kind == RV_FLOAT64) {
        ok = float_literal(t, s, &cell->f64);
    }
    return ok ? RV_OK : bad("an element of another type", err);
}

static rv_status cell_of_string(rv_type t, rv_str raw, rv_buf *scratch, rv_cell *cell,
                                uint8_t uuid[16], rv_error *err)
{
    json_t *json = json_loadb(raw.ptr, raw.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!json)
        return bad("malformed string", err);
    rv_str s = {json_string_value(json), json_string_length(json)};
    rv_status st = RV_OK;
    rv_buf_clear(scratch);
    if (!s.ptr)
        st = bad("an element of another type", err);
    else if (t.kind == RV_BINARY)
        st = unbase64(s, scratch, err);
    else
        st = rv_buf_add_str(scratch, s, err);
    json_decref(json);
    if (st != RV_OK)
        return st;
    if (t.kind == RV_FLOAT32 || t.kind == RV_FLOAT64)
        return float_word(rv_buf_str(scratch), &cell->f64) ? RV_OK : bad("a number as text", err);
    if (t.kind != RV_BINARY)
        return rv_pq_cell_from_text(t, rv_buf_str(scratch), cell, uuid, err);
    cell->bytes = rv_buf_bytes(scratch);
    return RV_OK;
}

static rv_status add_element(rv_type t, rv_str raw, rv_buf *scratch, rv_buf *out, rv_error *err)
{
    uint8_t uuid[16];
    rv_cell cell = {0};
    if (raw.len == 0)
        return bad("an element is empty", err);
    if (rv_str_eq(raw, RV_STR("null")))
        cell.null = true;
    else if (t.kind == RV_JSON)
        cell.bytes = rv_str_bytes(raw);
    else if (raw.ptr[0] == '"')
        RV_TRY(cell_of_string(t, raw, scratch, &cell, uuid, err));
    else
        RV_TRY(cell_of_literal(t, raw, &cell, err));
    return rv_pq_list_element(t, &cell, out, err);
}

rv_status rv_pq_list_from_text(rv_type list, rv_str text, rv_buf *scratch, rv_buf *out,
                               rv_error *err)
{
    uint64_t count = 0;
    size_t count_at = out->len, at = 1;
    RV_TRY(rv_buf_add(out, &count, sizeof count, err));
    if (text.len < 2 || text.ptr[0] != '[' || text.ptr[text.len - 1] != ']')
        return bad("no array", err);
    while (at < text.len - 1) {
        size_t end = element_end(text, at);
        if (end >= text.len || (text.ptr[end] == ']' && end != text.len - 1))
            return bad("brackets do not match", err);
        rv_str raw = {text.ptr + at, end - at};
        RV_TRY(add_element(rv_type_elem(list), raw, scratch, out, err));
        count++;
        at = end + 1;
        if (text.ptr[end] == ',' && at == text.len - 1)
            return bad("an element is empty", err);
    }
    memcpy(out->ptr + count_at, &count, sizeof count);
    return RV_OK;
}
