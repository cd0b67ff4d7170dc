#include <stdio.h>

#include "source/sqlite/sqlite_internal.h"

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool contains(rv_str text, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= text.len; i++) {
        size_t k = 0;
        while (k < n && upper(text.ptr[i + k]) == word[k])
            k++;
        if (k == n)
            return true;
    }
    return false;
}

/* Splits "NAME (args)"; *args is empty without parentheses at the end. */
static rv_str split_name(rv_str decl, rv_str *args)
{
    decl = rv_str_trim(decl);
    *args = (rv_str){"", 0};
    if (decl.len == 0 || decl.ptr[decl.len - 1] != ')')
        return decl;
    const char *open = memchr(decl.ptr, '(', decl.len);
    if (!open)
        return decl;
    size_t at = (size_t)(open - decl.ptr);
    *args = (rv_str){open + 1, decl.len - at - 2};
    return rv_str_trim((rv_str){decl.ptr, at});
}

static bool decimal_args(rv_str args, rv_type *out)
{
    uint64_t p = 0, scale = 0;
    const char *comma = args.len ? memchr(args.ptr, ',', args.len) : NULL;
    rv_str first = args;
    if (comma) {
        first.len = (size_t)(comma - args.ptr);
        rv_str second = {comma + 1, args.len - first.len - 1};
        if (!rv_str_u64(rv_str_trim(second), &scale))
            return false;
    }
    if (!rv_str_u64(rv_str_trim(first), &p) || p < 1 || p > 76 || scale > p)
        return false;
    *out = rv_type_decimal((unsigned)p, (unsigned)scale);
    return true;
}

static bool exact_name(rv_str name, rv_str args, rv_type *out)
{
    static const struct {
        const char *name;
        rv_kind kind;
    } names[] = {{"BOOL", RV_BOOL},           {"BOOLEAN", RV_BOOL}, {"DATETIME", RV_TIMESTAMP},
                 {"TIMESTAMP", RV_TIMESTAMP}, {"DATE", RV_DATE},    {"TIME", RV_TIME},
                 {"JSON", RV_JSON},           {"UUID", RV_UUID}};
    if (rv_str_eq_nocase(name, RV_STR("DECIMAL")) || rv_str_eq_nocase(name, RV_STR("NUMERIC")))
        return decimal_args(args, out);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (rv_str_eq_nocase(name, rv_str_c(names[i].name))) {
            *out = rv_type_of(names[i].kind);
            return true;
        }
    }
    return false;
}

bool rv_sq_declared(const char *decl, rv_type *out)
{
    static const struct {
        const char *fragment;
        rv_kind kind;
    } fragments[] = {{"INT", RV_INT64},    {"CHAR", RV_STRING}, {"CLOB", RV_STRING},
                     {"TEXT", RV_STRING},  {"BLOB", RV_BINARY}, {"REAL", RV_FLOAT64},
                     {"FLOA", RV_FLOAT64}, {"DOUB", RV_FLOAT64}};
    rv_str args;
    rv_str name = split_name(rv_str_c(decl), &args);
    if (name.len == 0)
        return false;
    if (exact_name(name, args, out))
        return true;
    for (size_t i = 0; i < sizeof fragments / sizeof fragments[0]; i++) {
        if (contains(rv_str_c(decl), fragments[i].fragment)) {
            *out = rv_type_of(fragments[i].kind);
            return true;
        }
    }
    return false;
}

static bool is_numeric(rv_kind k)
{
    return k == RV_BOOL || k == RV_INT16 || k == RV_INT32 || k == RV_INT64 || k == RV_UINT64 ||
           k == RV_FLOAT32 || k == RV_FLOAT64 || k == RV_DECIMAL;
}

static bool is_timestamp(rv_kind k)
{
    return k == RV_TIMESTAMP || k == RV_TIMESTAMP_TZ || k == RV_TIMESTAMP_NS ||
           k == RV_TIMESTAMP_TZ_NS;
}

/* A column of numbers has no day, no UUID and no bytes; one of bytes has no number. Everything
 * else can at least be parsed from TEXT, which any such column may hold. */
static bool never_converts(rv_kind natural, rv_kind target)
{
    if (target == RV_LIST || target == RV_INTERVAL || target == RV_ENUM)
        return true;
    if (is_numeric(natural))
        return target == RV_DATE || target == RV_TIME || target == RV_UUID || target == RV_JSON ||
               target == RV_BINARY || (natural == RV_BOOL && is_timestamp(target));
    if (natural == RV_BINARY)
        return is_numeric(target) || target == RV_DATE || target == RV_TIME || is_timestamp(target);
    return false;
}

rv_status rv_sq_override_check(const char *column, const char *decl, rv_type natural,
                               rv_type target, rv_error *err)
{
    if (!never_converts((rv_kind)natural.kind, (rv_kind)target.kind))
        return RV_OK;
    char to[RV_TYPE_NAME_SIZE];
    char from[RV_TYPE_NAME_SIZE];
    rv_type_name(target, to);
    rv_type_name(natural, from);
    rv_status st = rv_fail(err, RV_E_CONFIG_COLUMN_TYPE,
                           "column '%s' (sqlite %s, read as %s) cannot be exported as %s", column,
                           decl[0] ? decl : "without a declared type", from, to);
    rv_hint(err, "use columns: {%s: text}, or convert in query:", column);
    return st;
}

void rv_sq_sample_add(rv_sq_sample *s, int storage)
{
    s->integer |= storage == SQLITE_INTEGER;
    s->real |= storage == SQLITE_FLOAT;
    s->text |= storage == SQLITE_TEXT;
    s->blob |= storage == SQLITE_BLOB;
}

rv_type rv_sq_sample_type(const rv_sq_sample *s)
{
    if (s->integer && !s->real && !s->text && !s->blob)
        return rv_type_of(RV_INT64);
    if (s->real && !s->text && !s->blob)
        return rv_type_of(RV_FLOAT64);
    if (s->blob && !s->integer && !s->real && !s->text)
        return rv_type_of(RV_BINARY);
    return rv_type_of(RV_STRING);
}

bool rv_sq_key_type(rv_type t)
{
    rv_kind k = (rv_kind)t.kind;
    return k == RV_INT16 || k == RV_INT32 || k == RV_INT64 || k == RV_UINT64 || k == RV_DECIMAL ||
           k == RV_STRING || k == RV_UUID || k == RV_DATE || is_timestamp(k);
}

const char *rv_sq_storage_name(int storage)
{
    switch (storage) {
    case SQLITE_INTEGER:
        return "INTEGER";
    case SQLITE_FLOAT:
        return "REAL";
    case SQLITE_TEXT:
        return "TEXT";
    case SQLITE_BLOB:
        return "BLOB";
    default:
        return "NULL";
    }
}
