#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void put(rv_json *j, const void *data, size_t len)
{
    if (j->status == RV_OK)
        j->status = rv_buf_add(j->out, data, len, NULL);
}

static void put_c(rv_json *j, const char *s)
{
    put(j, s, strlen(s));
}

static void put_line(rv_json *j)
{
    if (!j->pretty)
        return;
    put(j, "\n", 1);
    for (unsigned i = 0; i < j->depth; i++)
        put(j, "  ", 2);
}

/* What stands between the previous value of this level and the next. */
static void put_separator(rv_json *j)
{
    if (j->after_key) {
        j->after_key = false;
        return;
    }
    if (j->used[j->depth])
        put(j, ",", 1);
    if (j->depth)
        put_line(j);
    j->used[j->depth] = true;
}

void rv_json_begin(rv_json *j, rv_buf *out, bool pretty)
{
    *j = (rv_json){.out = out, .status = RV_OK, .pretty = pretty};
}

static void open_level(rv_json *j, const char *bracket)
{
    put_separator(j);
    put_c(j, bracket);
    if (j->depth + 1 >= RV_JSON_DEPTH) {
        if (j->status == RV_OK)
            j->status = RV_E_INTERNAL;
        return;
    }
    j->depth++;
    j->used[j->depth] = false;
}

static void close_level(rv_json *j, const char *bracket)
{
    if (j->depth == 0 || j->after_key) {
        if (j->status == RV_OK)
            j->status = RV_E_INTERNAL;
        return;
    }
    bool used = j->used[j->depth];
    j->depth--;
    if (used)
        put_line(j);
    put_c(j, bracket);
}

void rv_json_object(rv_json *j)
{
    open_level(j, "{");
}

void rv_json_object_end(rv_json *j)
{
    close_level(j, "}");
}

void rv_json_array(rv_json *j)
{
    open_level(j, "[");
}

void rv_json_array_end(rv_json *j)
{
    close_level(j, "]");
}

static void put_escape(rv_json *j, uint8_t c)
{
    static const char names[] = "btnvfr"; /* of 8 to 13; JSON has no \v */
    char text[8];
    if (c == '"' || c == '\\')
        snprintf(text, sizeof text, "\\%c", c);
    else if (c >= 8 && c <= 13 && c != 11)
        snprintf(text, sizeof text, "\\%c", names[c - 8]);
    else
        snprintf(text, sizeof text, "\\u%04x", c);
    put_c(j, text);
}

/* Length of the run at s that can be copied as it is. */
static size_t plain_run(rv_str s)
{
    size_t i = 0;
    while (i < s.len) {
        uint8_t c = (uint8_t)s.ptr[i];
        if (c < 0x20 || c == '"' || c == '\\' || c >= 0x80)
            break;
        i++;
    }
    return i;
}

/* Bytes of the code point at s, 0 when it is malformed. */
static size_t code_point(rv_str s)
{
    for (size_t n = 2; n <= 4 && n <= s.len; n++)
        if (rv_utf8_valid((rv_bytes){(const uint8_t *)s.ptr, n}))
            return n;
    return 0;
}

static void put_quoted(rv_json *j, rv_str s)
{
    put(j, "\"", 1);
    while (s.len) {
        size_t n = plain_run(s);
        if (n) {
            put(j, s.ptr, n);
        } else if ((uint8_t)s.ptr[0] < 0x80) {
            put_escape(j, (uint8_t)s.ptr[0]);
            n = 1;
        } else if ((n = code_point(s)) != 0) {
            put(j, s.ptr, n);
        } else {
            put_c(j, "\xEF\xBF\xBD");
            n = 1;
        }
        s = (rv_str){s.ptr + n, s.len - n};
    }
    put(j, "\"", 1);
}

void rv_json_key_str(rv_json *j, rv_str key)
{
    put_separator(j);
    put_quoted(j, key);
    put_c(j, j->pretty ? ": " : ":");
    j->after_key = true;
}

void rv_json_key(rv_json *j, const char *key)
{
    rv_json_key_str(j, rv_str_c(key));
}

void rv_json_str(rv_json *j, rv_str s)
{
    put_separator(j);
    put_quoted(j, s);
}

void rv_json_cstr(rv_json *j, const char *s)
{
    if (s)
        rv_json_str(j, rv_str_c(s));
    else
        rv_json_null(j);
}

void rv_json_raw(rv_json *j, rv_str json)
{
    put_separator(j);
    put(j, json.ptr, json.len);
}

void rv_json_null(rv_json *j)
{
    rv_json_raw(j, RV_STR("null"));
}

void rv_json_bool(rv_json *j, bool v)
{
    rv_json_raw(j, v ? RV_STR("true") : RV_STR("false"));
}

void rv_json_i64(rv_json *j, int64_t v)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, v);
    rv_json_raw(j, rv_str_c(text));
}

void rv_json_u64(rv_json *j, uint64_t v)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, v);
    rv_json_raw(j, rv_str_c(text));
}

void rv_json_f64(rv_json *j, double v)
{
    if (!isfinite(v)) {
        rv_json_null(j);
        return;
    }
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    rv_json_raw(j, rv_str_c(text));
}

rv_status rv_json_end(rv_json *j, rv_error *err)
{
    if (j->status == RV_E_MEMORY)
        return rv_fail_memory(err);
    if (j->status != RV_OK || j->depth || j->after_key)
        return rv_fail(err, RV_E_INTERNAL, "JSON text is not closed or nested too deeply");
    return RV_OK;
}

void rv_json_kstr(rv_json *j, const char *key, const char *s)
{
    rv_json_key(j, key);
    rv_json_cstr(j, s);
}

void rv_json_ki64(rv_json *j, const char *key, int64_t v)
{
    rv_json_key(j, key);
    rv_json_i64(j, v);
}

void rv_json_kbool(rv_json *j, const char *key, bool v)
{
    rv_json_key(j, key);
    rv_json_bool(j, v);
}
