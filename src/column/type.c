#include "column/type.h"

#include <assert.h>
#include <stdio.h>

typedef struct kind_info {
    const char *name;  /* canonical */
    const char *arrow; /* NULL: has parameters */
    uint8_t layout;
    uint8_t fidelity;
    uint16_t estimate_bytes;
} kind_info;

static const kind_info kinds[RV_KIND_COUNT] = {
    [RV_BOOL] = {"bool", "Boolean", RV_LAYOUT_BOOL8, RV_EXACT, 1},
    [RV_INT16] = {"int16", "Int16", RV_LAYOUT_I32, RV_EXACT, 2},
    [RV_INT32] = {"int32", "Int32", RV_LAYOUT_I32, RV_EXACT, 4},
    [RV_INT64] = {"int64", "Int64", RV_LAYOUT_I64, RV_EXACT, 8},
    [RV_UINT64] = {"uint64", "UInt64", RV_LAYOUT_I64, RV_EXACT, 8},
    [RV_FLOAT32] = {"float32", "Float32", RV_LAYOUT_F32, RV_EXACT, 4},
    [RV_FLOAT64] = {"float64", "Float64", RV_LAYOUT_F64, RV_EXACT, 8},
    [RV_DECIMAL] = {"decimal", NULL, RV_LAYOUT_I64, RV_EXACT, 16},
    [RV_DATE] = {"date", "Date32", RV_LAYOUT_I32, RV_EXACT, 4},
    [RV_TIME] = {"time", "Time64(us)", RV_LAYOUT_I64, RV_EXACT, 8},
    [RV_TIMESTAMP] = {"timestamp", "Timestamp(us)", RV_LAYOUT_I64, RV_EXACT, 8},
    [RV_TIMESTAMP_TZ] = {"timestamp_tz", "Timestamp(us,UTC)", RV_LAYOUT_I64, RV_EXACT, 8},
    [RV_TIMESTAMP_NS] = {"timestamp_ns", "Timestamp(ns)", RV_LAYOUT_I64, RV_EXACT, 8},
    [RV_TIMESTAMP_TZ_NS] = {"timestamp_tz_ns", "Timestamp(ns,UTC)", RV_LAYOUT_I64, RV_EXACT, 8},
    [RV_STRING] = {"string", "Utf8", RV_LAYOUT_VAR, RV_EXACT, 256},
    [RV_BINARY] = {"binary", "Binary", RV_LAYOUT_VAR, RV_EXACT, 256},
    [RV_JSON] = {"json", "Utf8", RV_LAYOUT_VAR, RV_LOGICAL_STRING, 256},
    [RV_UUID] = {"uuid", "FixedSizeBinary(16)", RV_LAYOUT_B16, RV_EXACT, 64},
    [RV_ENUM] = {"enum", "Utf8", RV_LAYOUT_VAR, RV_COMPATIBLE, 256},
    [RV_INTERVAL] = {"interval", "Utf8", RV_LAYOUT_VAR, RV_COMPATIBLE, 256},
    [RV_LIST] = {"list", NULL, RV_LAYOUT_LIST, RV_COMPATIBLE, 64},
};

rv_type rv_type_list(rv_type elem)
{
    assert(elem.kind != RV_LIST);
    return (rv_type){RV_LIST, elem.precision, elem.scale, elem.kind};
}

rv_type rv_type_elem(rv_type list)
{
    assert(list.kind == RV_LIST);
    return (rv_type){list.elem, list.precision, list.scale, 0};
}

bool rv_type_eq(rv_type a, rv_type b)
{
    return a.kind == b.kind && a.precision == b.precision && a.scale == b.scale && a.elem == b.elem;
}

rv_layout rv_type_layout(rv_type t)
{
    assert(t.kind < RV_KIND_COUNT);
    if (t.kind != RV_DECIMAL)
        return (rv_layout)kinds[t.kind].layout;
    if (t.precision <= 18)
        return RV_LAYOUT_I64;
    return t.precision <= 38 ? RV_LAYOUT_B16 : RV_LAYOUT_B32;
}

unsigned rv_layout_width(rv_layout layout)
{
    static const uint8_t widths[] = {
        [RV_LAYOUT_BOOL8] = 1, [RV_LAYOUT_I32] = 4, [RV_LAYOUT_I64] = 8,
        [RV_LAYOUT_F32] = 4,   [RV_LAYOUT_F64] = 8, [RV_LAYOUT_B16] = 16,
        [RV_LAYOUT_B32] = 32,  [RV_LAYOUT_VAR] = 0, [RV_LAYOUT_LIST] = 0,
    };
    return widths[layout];
}

bool rv_type_is_text(rv_type t)
{
    return t.kind == RV_STRING || t.kind == RV_JSON || t.kind == RV_ENUM || t.kind == RV_INTERVAL;
}

rv_fidelity rv_type_fidelity(rv_type t)
{
    rv_fidelity own = (rv_fidelity)kinds[t.kind].fidelity;
    if (t.kind != RV_LIST)
        return own;
    rv_fidelity elem = (rv_fidelity)kinds[t.elem].fidelity;
    return elem > own ? elem : own;
}

const char *rv_fidelity_name(rv_fidelity f)
{
    static const char *const names[] = {
        [RV_EXACT] = "exact",
        [RV_COMPATIBLE] = "compatible",
        [RV_LOGICAL_STRING] = "logical_string",
        [RV_LOSSY] = "lossy",
        [RV_UNSUPPORTED] = "unsupported",
    };
    return names[f];
}

unsigned rv_type_estimate_bytes(rv_type t)
{
    return kinds[t.kind].estimate_bytes;
}

void rv_type_name(rv_type t, char out[RV_TYPE_NAME_SIZE])
{
    if (t.kind == RV_LIST) {
        char elem[RV_TYPE_NAME_SIZE / 2];
        rv_type e = rv_type_elem(t);
        if (e.kind == RV_DECIMAL)
            (void)snprintf(elem, sizeof elem, "decimal(%u,%u)", e.precision, e.scale);
        else
            (void)snprintf(elem, sizeof elem, "%s", kinds[e.kind].name);
        (void)snprintf(out, RV_TYPE_NAME_SIZE, "list<%s>", elem);
    } else if (t.kind == RV_DECIMAL) {
        (void)snprintf(out, RV_TYPE_NAME_SIZE, "decimal(%u,%u)", t.precision, t.scale);
    } else {
        (void)snprintf(out, RV_TYPE_NAME_SIZE, "%s", kinds[t.kind].name);
    }
}

static void arrow_scalar(rv_type t, char *out, size_t size)
{
    if (t.kind == RV_DECIMAL)
        (void)snprintf(out, size, "Decimal%s(%u,%u)", t.precision <= 38 ? "128" : "256",
                       t.precision, t.scale);
    else
        (void)snprintf(out, size, "%s", kinds[t.kind].arrow);
}

void rv_type_arrow(rv_type t, char out[RV_TYPE_NAME_SIZE])
{
    if (t.kind != RV_LIST) {
        arrow_scalar(t, out, RV_TYPE_NAME_SIZE);
        return;
    }
    char elem[RV_TYPE_NAME_SIZE / 2];
    arrow_scalar(rv_type_elem(t), elem, sizeof elem);
    (void)snprintf(out, RV_TYPE_NAME_SIZE, "List(%s)", elem);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static size_t skip_blanks(rv_str s, size_t i)
{
    while (i < s.len && is_blank(s.ptr[i]))
        i++;
    return i;
}

/* One or two digits at *at. */
static bool read_number(rv_str s, size_t *at, unsigned *out)
{
    size_t i = *at;
    unsigned v = 0;
    while (i < s.len && i - *at < 2 && s.ptr[i] >= '0' && s.ptr[i] <= '9')
        v = v * 10 + (unsigned)(s.ptr[i++] - '0');
    if (i == *at)
        return false;
    *at = i;
    *out = v;
    return true;
}

/* "(p,s)" up to the end of s, blanks allowed; 1 <= p <= 76, 0 <= s <= p. */
static bool read_precision(rv_str s, rv_type *out)
{
    unsigned p;
    unsigned scale;
    size_t i = skip_blanks(s, 0);
    if (i == s.len || s.ptr[i] != '(')
        return false;
    i = skip_blanks(s, i + 1);
    if (!read_number(s, &i, &p))
        return false;
    i = skip_blanks(s, i);
    if (i == s.len || s.ptr[i] != ',')
        return false;
    i = skip_blanks(s, i + 1);
    if (!read_number(s, &i, &scale))
        return false;
    i = skip_blanks(s, i);
    if (i == s.len || s.ptr[i] != ')' || skip_blanks(s, i + 1) != s.len)
        return false;
    if (p < 1 || p > 76 || scale > p)
        return false;
    *out = rv_type_decimal(p, scale);
    return true;
}

static rv_str str_from(rv_str s, size_t at)
{
    return (rv_str){s.ptr + at, s.len - at};
}

bool rv_type_from_name(rv_str name, rv_type *out)
{
    rv_type t;
    if (rv_str_starts(name, RV_STR("list<")) && rv_str_ends(name, RV_STR(">"))) {
        rv_str elem = {name.ptr + 5, name.len - 6};
        if (!rv_type_from_name(elem, &t) || t.kind == RV_LIST)
            return false;
        *out = rv_type_list(t);
        return true;
    }
    if (rv_str_starts(name, RV_STR("decimal(")))
        return read_precision(str_from(name, 7), out);
    for (unsigned k = 0; k < RV_KIND_COUNT; k++) {
        if (k != RV_DECIMAL && k != RV_LIST && rv_str_eq(name, rv_str_c(kinds[k].name))) {
            *out = rv_type_of((rv_kind)k);
            return true;
        }
    }
    return false;
}

bool rv_type_from_arrow(rv_str name, rv_type *out)
{
    rv_type t;
    if (rv_str_starts(name, RV_STR("List(")) && rv_str_ends(name, RV_STR(")"))) {
        rv_str elem = {name.ptr + 5, name.len - 6};
        if (!rv_type_from_arrow(elem, &t) || t.kind == RV_LIST)
            return false;
        *out = rv_type_list(t);
        return true;
    }
    bool narrow = rv_str_starts(name, RV_STR("Decimal128("));
    if (narrow || rv_str_starts(name, RV_STR("Decimal256("))) {
        if (!read_precision(str_from(name, 10), &t) || narrow != (t.precision <= 38))
            return false;
        *out = t;
        return true;
    }
    /* several kinds print Utf8; string, the plainest, comes first */
    for (unsigned k = 0; k < RV_KIND_COUNT; k++) {
        if (kinds[k].arrow && rv_str_eq(name, rv_str_c(kinds[k].arrow))) {
            *out = rv_type_of((rv_kind)k);
            return true;
        }
    }
    return false;
}

static const struct {
    const char *word;
    rv_kind kind;
} override_words[] = {
    {"bool", RV_BOOL},
    {"boolean", RV_BOOL},
    {"int2", RV_INT16},
    {"smallint", RV_INT16},
    {"int16", RV_INT16},
    {"int4", RV_INT32},
    {"int", RV_INT32},
    {"integer", RV_INT32},
    {"int32", RV_INT32},
    {"int8", RV_INT64},
    {"bigint", RV_INT64},
    {"int64", RV_INT64},
    {"float4", RV_FLOAT32},
    {"real", RV_FLOAT32},
    {"float32", RV_FLOAT32},
    {"float8", RV_FLOAT64},
    {"double", RV_FLOAT64},
    {"double precision", RV_FLOAT64},
    {"float64", RV_FLOAT64},
    {"date", RV_DATE},
    {"timestamp", RV_TIMESTAMP},
    {"timestamp without time zone", RV_TIMESTAMP},
    {"timestamp_ns", RV_TIMESTAMP_NS},
    {"timestamp_tz", RV_TIMESTAMP_TZ},
    {"timestamptz", RV_TIMESTAMP_TZ},
    {"timestamp_utc", RV_TIMESTAMP_TZ},
    {"timestamp with time zone", RV_TIMESTAMP_TZ},
    {"timestamp_tz_ns", RV_TIMESTAMP_TZ_NS},
    {"timestamptz_ns", RV_TIMESTAMP_TZ_NS},
    {"timestamp_utc_ns", RV_TIMESTAMP_TZ_NS},
    {"text", RV_STRING},
    {"varchar", RV_STRING},
    {"string", RV_STRING},
    {"char", RV_STRING},
    {"bpchar", RV_STRING},
    {"name", RV_STRING},
    {"binary", RV_BINARY},
    {"bytea", RV_BINARY},
    {"blob", RV_BINARY},
    {"varbinary", RV_BINARY},
    {"json", RV_JSON},
    {"jsonb", RV_JSON},
    {"uuid", RV_UUID},
};

#define OVERRIDE_WORD_SIZE 40

/* Trimmed, lower case, one blank where there were several; false when longer than any word. */
static bool fold_word(rv_str word, char out[OVERRIDE_WORD_SIZE], size_t *out_len)
{
    size_t n = 0;
    word = rv_str_trim(word);
    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];
        if (is_blank(c)) {
            if (is_blank(word.ptr[i - 1])) /* trimmed: never the first */
                continue;
            c = ' ';
        }
        if (n == OVERRIDE_WORD_SIZE)
            return false;
        out[n++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    *out_len = n;
    return true;
}

bool rv_type_from_override(rv_str word, rv_type *out)
{
    char folded[OVERRIDE_WORD_SIZE];
    rv_str w = {folded, 0};
    if (!fold_word(word, folded, &w.len))
        return false;
    if (rv_str_starts(w, RV_STR("decimal")) || rv_str_starts(w, RV_STR("numeric")))
        return read_precision(str_from(w, 7), out);
    for (size_t i = 0; i < sizeof override_words / sizeof override_words[0]; i++) {
        if (rv_str_eq(w, rv_str_c(override_words[i].word))) {
            *out = rv_type_of(override_words[i].kind);
            return true;
        }
    }
    return false;
}

const char *rv_type_override_words(void)
{
    return "decimal(p,s), numeric(p,s), smallint, int2, int16, int, integer, int4, int32, bigint, "
           "int8, int64, real, float4, float32, double, double precision, float8, float64, bool, "
           "boolean, text, string, varchar, char, bpchar, name, uuid, json, jsonb, date, "
           "timestamp, timestamp without time zone, timestamp_tz, timestamptz, timestamp_utc, "
           "timestamp with time zone, timestamp_ns, timestamp_tz_ns, timestamptz_ns, "
           "timestamp_utc_ns, bytea, binary, varbinary, blob";
}
