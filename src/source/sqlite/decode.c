/* Decoders: one per column, chosen once. Each takes a value that is not NULL, appends it or
 * returns RV_E_VALUE; rv_sq_cell_error then says which value of which row it was. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/hash.h"
#include "column/render.h"
#include "column/temporal.h"
#include "source/sqlite/relation_internal.h"

#define EXACT_DOUBLE_INTEGER (INT64_C(1) << 53)

/* The cell's bytes as UTF-8. The length comes first: nothing is copied for a value over the limit,
 * whose error is the builder's. */
static rv_status take_text(rv_scan *scan, rv_str *out, rv_error *err)
{
    size_t len = (size_t)sqlite3_value_bytes(scan->cell);
    const char *text = (const char *)sqlite3_value_text(scan->cell);
    if (!text)
        return rv_fail_memory(err);
    scan->row_bytes += len;
    *out = (rv_str){text, len};
    return RV_OK;
}

static rv_status take_blob(rv_scan *scan, rv_bytes *out)
{
    size_t len = (size_t)sqlite3_value_bytes(scan->cell);
    const uint8_t *bytes = sqlite3_value_blob(scan->cell);
    scan->row_bytes += len;
    *out = (rv_bytes){bytes ? bytes : (const uint8_t *)"", len};
    return RV_OK;
}

static rv_status append_text(rv_scan *scan, rv_builder *b, uint32_t col, rv_error *err)
{
    rv_str text;
    RV_TRY(take_text(scan, &text, err));
    return rv_builder_text(b, col, text, err);
}

static rv_status decode_bool(rv_scan *scan, rv_sq_column *c, rv_builder *b, uint32_t col,
                             int storage, rv_error *err)
{
    if (storage == SQLITE_TEXT && c->overridden)
        return append_text(scan, b, col, err);
    if (storage != SQLITE_INTEGER)
        return RV_E_VALUE;
    int64_t v = sqlite3_value_int64(scan->cell);
    if (v != 0 && v != 1)
        return RV_E_VALUE;
    return rv_builder_bool(b, col, v != 0, err);
}

static rv_status decode_int(rv_scan *scan, rv_sq_column *c, rv_builder *b, uint32_t col,
                            int storage, rv_error *err)
{
    if (storage == SQLITE_INTEGER)
        return rv_builder_i64(b, col, sqlite3_value_int64(scan->cell), err);
    if (storage == SQLITE_TEXT && c->overridden)
        return append_text(scan, b, col, err);
    return RV_E_VALUE;
}

static rv_status take_double(rv_scan *scan, int storage, double *out)
{
    if (storage == SQLITE_INTEGER) {
        int64_t v = sqlite3_value_int64(scan->cell);
        if (v > EXACT_DOUBLE_INTEGER || v < -EXACT_DOUBLE_INTEGER)
            return RV_E_VALUE;
        *out = (double)v;
        return RV_OK;
    }
    if (storage != SQLITE_FLOAT)
        return RV_E_VALUE;
    *out = sqlite3_value_double(scan->cell);
    return RV_OK;
}

static rv_status decode_double(rv_scan *scan, rv_sq_column *c, rv_builder *b, uint32_t col,
                               int storage, rv_error *err)
{
    double v = 0;
    if (storage == SQLITE_TEXT && c->overridden)
        return append_text(scan, b, col, err);
    RV_TRY(take_double(scan, storage, &v));
    return rv_builder_f64(b, col, v, err);
}

static rv_status decode_float(rv_scan *scan, rv_sq_column *c, rv_builder *b, uint32_t col,
                              int storage, rv_error *err)
{
    double v = 0;
    (void)c;
    if (storage == SQLITE_TEXT)
        return append_text(scan, b, col, err);
    RV_TRY(take_double(scan, storage, &v));
    float f = (float)v; /* the override asks for the nearest float32 */
    if (isfinite(v) && !isfinite(f))
        return RV_E_VALUE;
    return rv_builder_f32(b, col, f, err);
}

static rv_status decimal_integer(rv_sq_column *c, rv_builder *b, uint32_t col, int64_t v,
                                 rv_error *err)
{
    if (c->type.scale == 0)
        return rv_builder_decimal_i64(b, col, v, err);
    if (c->type.scale <= 19) { /* |v| < 2^63 and 10^19 stay below 2^127 */
        rv_i128 unscaled = v;
        for (unsigned i = 0; i < c->type.scale; i++)
            unscaled *= 10;
        return rv_builder_decimal_i128(b, col, unscaled, err);
    }
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%" PRId64, v);
    return rv_builder_decimal_text(b, col, (rv_str){digits, (size_t)n}, err);
}

/* Most REALs are few digits scaled: n / 10^scale gives the double back, and as decimals of up to 15
 * digits are told apart by doubles, n's digits are the shortest ones. */
static bool real_is_scaled(double v, unsigned scale, int64_t *out)
{
    static const double pow10[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    if (scale >= sizeof pow10 / sizeof pow10[0])
        return false;
    double n = nearbyint(v * pow10[scale]);
    if (!(fabs(n) < 1e15) || n / pow10[scale] != v)
        return false;
    *out = (int64_t)n;
    return true;
}

/* REAL goes by its shortest digits: they are what the user wrote, and either fit or abort. */
static rv_status decode_decimal(rv_scan *scan, rv_sq_column *c, rv_builder *b, uint32_t col,
                                int storage, rv_error *err)
{
    rv_str text;
    if (storage == SQLITE_INTEGER)
        return decimal_integer(c, b, col, sqlite3_value_int64(scan->cell), err);
    if (storage == SQLITE_FLOAT) {
        char digits[RV_DOUBLE_TEXT_SIZE];
        double v = sqlite3_value_double(scan->cell);
        int64_t unscaled;
        if (real_is_scaled(v, c->type.scale, &unscaled))
            return rv_builder_decimal_i64(b, col, unscaled, err);
        unsigned n = rv_double_text(v, digits);
        return rv_builder_decimal_text(b, col, (rv_str){digits, n}, err);
    }
    if (storage != SQLITE_TEXT)
        return RV_E_VALUE;
    RV_TRY(take_text(scan, &text, err));
    return rv_builder_decimal_text(b, col, text, err);
}

static rv_status decode_iso(rv_scan *scan, rv_sq_column *c, rv_builder *b, uint32_t col,
                            int storage, rv_error *err)
{
    (void)c;
    if (storage != SQLITE_TEXT)
        return RV_E_VALUE;
    return append_text(scan, b, col, err);
}

/* The column's class is that of the first value any reader of the relation met. */
static bool same_storage(rv_sq_column *c, int storage)
{
    int seen = 0;
    if (atomic_load_explicit(&c->storage, memory_order_relaxed) == storage)
        return true;
    return atomic_compare_exchange_strong(&c->storage, &seen, storage) || seen == storage;
}

static rv_status decode_timestamp(rv_scan *scan, rv_sq_column *c, rv_builder *b, uint32_t col,
                                  int storage, rv_error *err)
{
    bool ns = c->type.kind == RV_TIMESTAMP_NS || c->type.kind == RV_TIMESTAMP_TZ_NS;
    int64_t v = 0;
    bool ok = false, zoned = false;
    if (storage == SQLITE_BLOB || !same_storage(c, storage))
        return RV_E_VALUE;
    if (storage == SQLITE_TEXT) {
        rv_str text;
        RV_TRY(take_text(scan, &text, err));
        ok = rv_timestamp_parse(text, ns, &v, &zoned) == RV_TEMPORAL_OK;
    } else if (storage == SQLITE_INTEGER) {
        int64_t seconds = sqlite3_value_int64(scan->cell);
        ok = !__builtin_mul_overflow(seconds, ns ? INT64_C(1000000000) : INT64_C(1000000), &v);
    } else {
        ok = rv_sq_julian_us(sqlite3_value_double(scan->cell), &v) &&
             !__builtin_mul_overflow(v, ns ? INT64_C(1000) : INT64_C(1), &v);
    }
    return ok ? rv_builder_i64(b, col, v, err) : RV_E_VALUE;
}

static rv_status decode_string(rv_scan *scan, rv_sq_column *c, rv_builder *b, uint32_t col,
                               int storage, rv_error *err)
{
    rv_str text;
    (void)c;
    if (storage != SQLITE_TEXT)
        return RV_E_VALUE;
    RV_TRY(take_text(scan, &text, err));
    return rv_builder_bytes(b, col, rv_str_bytes(text), err);
}

static rv_status append_hex(rv_scan *scan, rv_builder *b, uint32_t col, rv_error *err)
{
    rv_bytes blob;
    rv_buf hex = RV_BUF_INIT;
    RV_TRY(take_blob(scan, &blob));
    uint64_t limit = scan->s->max_value_bytes;
    if (limit && blob.len > limit / 2) /* let the builder refuse the length without a copy */
        return rv_builder_bytes(b, col, (rv_bytes){blob.ptr, blob.len * 2}, err);
    rv_status st = rv_buf_reserve(&hex, blob.len * 2 + 1, err);
    if (st == RV_OK) {
        rv_hex(blob.ptr, blob.len, (char *)hex.ptr);
        st = rv_builder_bytes(b, col, (rv_bytes){hex.ptr, blob.len * 2}, err);
    }
    rv_buf_free(&hex);
    return st;
}

/* A text override: INTEGER as digits, REAL as its shortest positional digits, BLOB as hex. */
static rv_status decode_any_text(rv_scan *scan, rv_sq_column *c, rv_builder *b, uint32_t col,
                                 int storage, rv_error *err)
{
    char digits[RV_DOUBLE_TEXT_SIZE];
    size_t n;
    if (storage == SQLITE_TEXT)
        return decode_string(scan, c, b, col, storage, err);
    if (storage == SQLITE_BLOB)
        return c->overridden ? append_hex(scan, b, col, err) : RV_E_VALUE;
    if (storage == SQLITE_INTEGER)
        n = (size_t)snprintf(digits, sizeof digits, "%" PRId64,
                             (int64_t)sqlite3_value_int64(scan->cell));
    else
        n = rv_double_text(sqlite3_value_double(scan->cell), digits);
    scan->row_bytes += n;
    return rv_builder_bytes(b, col, (rv_bytes){(const uint8_t *)digits, n}, err);
}

static rv_status decode_binary(rv_scan *scan, rv_sq_column *c, rv_builder *b, uint32_t col,
                               int storage, rv_error *err)
{
    rv_bytes bytes;
    bool text_too = c->overridden || c->natural.kind == RV_STRING;
    if (storage != SQLITE_BLOB && !(storage == SQLITE_TEXT && text_too))
        return RV_E_VALUE;
    if (storage == SQLITE_TEXT) {
        rv_str text;
        RV_TRY(take_text(scan, &text, err));
        bytes = rv_str_bytes(text);
    } else {
        RV_TRY(take_blob(scan, &bytes));
    }
    return rv_builder_bytes(b, col, bytes, err);
}

static rv_status decode_uuid(rv_scan *scan, rv_sq_column *c, rv_builder *b, uint32_t col,
                             int storage, rv_error *err)
{
    rv_bytes blob;
    (void)c;
    if (storage == SQLITE_TEXT)
        return append_text(scan, b, col, err);
    if (storage != SQLITE_BLOB)
        return RV_E_VALUE;
    RV_TRY(take_blob(scan, &blob));
    return blob.len == 16 ? rv_builder_uuid(b, col, blob.ptr, err) : RV_E_VALUE;
}

rv_sq_decode rv_sq_decoder(const rv_sq_column *c)
{
    switch ((rv_kind)c->type.kind) {
    case RV_BOOL:
        return decode_bool;
    case RV_INT16:
    case RV_INT32:
    case RV_INT64:
    case RV_UINT64:
        return decode_int;
    case RV_FLOAT32:
        return decode_float;
    case RV_FLOAT64:
        return decode_double;
    case RV_DECIMAL:
        return decode_decimal;
    case RV_TIMESTAMP:
    case RV_TIMESTAMP_TZ:
    case RV_TIMESTAMP_NS:
    case RV_TIMESTAMP_TZ_NS:
        return decode_timestamp;
    case RV_STRING:
        return c->overridden || (c->sampled && c->mixed) ? decode_any_text : decode_string;
    case RV_BINARY:
        return decode_binary;
    case RV_UUID:
        return decode_uuid;
    case RV_DATE:
    case RV_TIME:
    case RV_JSON:
    case RV_ENUM:
    case RV_INTERVAL:
    case RV_LIST:
        return decode_iso;
    }
    return decode_iso;
}

/* Value `i` of the row in a few characters. */
static void value_text(sqlite3_stmt *stmt, int i, bool quote, char *out, size_t size)
{
    char number[RV_SQ_REAL_TEXT_SIZE];
    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_INTEGER:
        (void)snprintf(out, size, "%" PRId64, (int64_t)sqlite3_column_int64(stmt, i));
        return;
    case SQLITE_FLOAT:
        rv_sq_real_text(sqlite3_column_double(stmt, i), number);
        (void)snprintf(out, size, "%s", number);
        return;
    case SQLITE_TEXT: {
        const char *t = (const char *)sqlite3_column_text(stmt, i);
        rv_str s = {t ? t : "", t ? (size_t)sqlite3_column_bytes(stmt, i) : 0};
        size_t cut = rv_utf8_cut(s, 40);
        (void)snprintf(out, size, quote ? "'%.*s%s'" : "%.*s%s", (int)cut, s.ptr,
                       cut < s.len ? "..." : "");
        return;
    }
    case SQLITE_BLOB: {
        int n = sqlite3_column_bytes(stmt, i);
        char hex[33] = "";
        if (n > 0)
            rv_hex(sqlite3_column_blob(stmt, i), n < 16 ? (size_t)n : 16, hex);
        (void)snprintf(out, size, "x'%s%s' (%d bytes)", hex, n > 16 ? "..." : "", n);
        return;
    }
    default:
        (void)snprintf(out, size, "NULL");
    }
}

void rv_sq_row_name(rv_scan *scan, char *out, size_t size)
{
    if (scan->n_ident == 0) {
        (void)snprintf(out, size, "row %" PRIu64 " of the result", scan->end.rows + 1);
        return;
    }
    size_t used = 0;
    for (size_t i = 0; i < scan->n_ident && used < size; i++) {
        char value[96];
        value_text(scan->stmt, scan->ident_index[i], false, value, sizeof value);
        int n = scan->r->ident_rowid ? snprintf(out + used, size - used, "rowid %s", value)
                                     : snprintf(out + used, size - used, "%s%s=%s", i ? ", " : "",
                                                scan->r->ident[i], value);
        used += n > 0 ? (size_t)n : 0;
    }
}

static const char *type_phrase(const rv_sq_column *c, char *out, size_t size)
{
    char name[RV_TYPE_NAME_SIZE];
    rv_type_name(c->type, name);
    if (c->overridden)
        (void)snprintf(out, size, "overridden as %s", name);
    else if (c->sampled)
        (void)snprintf(out, size, "resolved as %s from its first rows", name);
    else
        (void)snprintf(out, size, "declared %s", c->decl);
    return out;
}

static rv_status utf8_error(const rv_sq_column *c, const char *row, rv_error *err)
{
    rv_status st = rv_fail(err, RV_E_VALUE, "column '%s' holds text that is not valid UTF-8 (%s)",
                           c->name, row);
    rv_hint(err, "set on_invalid_utf8: replace or binary, or add columns: {%s: binary}", c->name);
    return st;
}

rv_status rv_sq_cell_error(rv_scan *scan, const rv_sq_column *c, uint32_t col, rv_status code,
                           rv_error *err)
{
    char row[256];
    char value[160];
    char phrase[160];
    rv_sq_row_name(scan, row, sizeof row);
    if (code == RV_E_VALUE_TOO_LARGE) {
        rv_sq_large_hint(scan->r, row, err);
        return code;
    }
    if (code != RV_E_VALUE)
        return code;
    int storage = sqlite3_column_type(scan->stmt, (int)col);
    if (c->type.kind == RV_STRING && storage == SQLITE_TEXT)
        return utf8_error(c, row, err);
    value_text(scan->stmt, (int)col, true, value, sizeof value);
    int seen = atomic_load(&((rv_sq_column *)(uintptr_t)c)->storage);
    char before[48] = "";
    if (seen != 0 && seen != storage)
        (void)snprintf(before, sizeof before, ", earlier rows %s", rv_sq_storage_name(seen));
    return rv_fail(err, RV_E_VALUE, "column '%s' %s holds %s %s (%s)%s; add columns: {%s: text}",
                   c->name, type_phrase(c, phrase, sizeof phrase), rv_sq_storage_name(storage),
                   value, row, before, c->name);
}
