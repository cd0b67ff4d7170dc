#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "state/postgres/postgres_internal.h"

#define STATEMENT_US INT64_C(75000000) /* beyond the server's own limit of a minute */
#define WHAT "using the state database"

enum { OID_BOOL = 16, OID_BYTEA = 17, OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23 };

rv_status rv_pgstate_placeholders(const char *sql, rv_buf *out, rv_error *err)
{
    unsigned n = 0;
    bool literal = false;
    for (const char *p = sql; *p; p++) {
        if (*p == '\'')
            literal = !literal;
        if (*p == '?' && !literal)
            RV_TRY(rv_buf_printf(out, err, "$%u", ++n));
        else
            RV_TRY(rv_buf_add_byte(out, (uint8_t)*p, err));
    }
    return rv_buf_cstr(out) ? RV_OK : rv_fail_memory(err);
}

typedef struct spelling {
    const char *from, *to;
} spelling;

/* The longer one first. Texts are compared byte by byte, as SQLite does. */
static const spelling spellings[] = {
    {"INTEGER PRIMARY KEY AUTOINCREMENT", "BIGSERIAL PRIMARY KEY"},
    {"INTEGER", "BIGINT"},
    {"BLOB", "BYTEA"},
    {"TEXT", "TEXT COLLATE \"C\""},
};

static const spelling *spelling_at(const char *p)
{
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++)
        if (strncmp(p, spellings[i].from, strlen(spellings[i].from)) == 0)
            return &spellings[i];
    return NULL;
}

rv_status rv_pgstate_ddl(const char *sql, rv_buf *out, rv_error *err)
{
    for (const char *p = sql; *p;) {
        const spelling *s = p > sql && p[-1] == ' ' ? spelling_at(p) : NULL;
        RV_TRY(s ? rv_buf_add_c(out, s->to, err) : rv_buf_add_byte(out, (uint8_t)*p, err));
        p += s ? strlen(s->from) : 1;
    }
    return rv_buf_cstr(out) ? RV_OK : rv_fail_memory(err);
}

/* ---- parameters ---- */

typedef struct digits {
    char text[24];
} digits;

typedef struct binding {
    const char **values;
    int *lengths, *formats;
    digits *numbers;
} binding;

static void binding_free(binding *b)
{
    rv_free(b->values);
    rv_free(b->lengths);
    rv_free(b->formats);
    rv_free(b->numbers);
}

/* Texts and blobs go as they are; a number as text, for its type is the server's to choose. */
static rv_status bind_one(binding *b, size_t i, const rv_val *v, rv_error *err)
{
    switch (v->kind) {
    case RV_VAL_NULL:
        b->values[i] = NULL;
        return RV_OK;
    case RV_VAL_INT:
        snprintf(b->numbers[i].text, sizeof b->numbers[i].text, "%lld", (long long)v->i);
        b->values[i] = b->numbers[i].text;
        return RV_OK;
    case RV_VAL_TEXT:
    case RV_VAL_BLOB:
        if (v->b.len > INT_MAX)
            return rv_fail(err, RV_E_INTERNAL, "a value of the state has %zu bytes", v->b.len);
        b->values[i] = v->b.len ? (const char *)v->b.ptr : "";
        b->lengths[i] = (int)v->b.len;
        b->formats[i] = 1;
        return RV_OK;
    }
    return RV_OK;
}

static rv_status bind_all(const rv_val *params, size_t n, binding *b, rv_error *err)
{
    b->values = rv_calloc(n + 1, sizeof *b->values);
    b->lengths = rv_calloc(n + 1, sizeof *b->lengths);
    b->formats = rv_calloc(n + 1, sizeof *b->formats);
    b->numbers = rv_calloc(n + 1, sizeof *b->numbers);
    if (!b->values || !b->lengths || !b->formats || !b->numbers)
        return rv_fail_memory(err);
    for (size_t i = 0; i < n; i++)
        RV_TRY(bind_one(b, i, &params[i], err));
    return RV_OK;
}

/* ---- running ---- */

static rv_status connected(const rv_db *db, rv_error *err)
{
    if (db->conn)
        return RV_OK;
    rv_status st =
        rv_fail(err, RV_E_STATE_UNREACHABLE, "the state database '%s' is not connected", db->place);
    if (err)
        err->retry = RV_RETRY_N;
    return st;
}

rv_status rv_pgstate_simple(rv_db *db, const char *sql, PGresult **out, rv_error *err)
{
    rv_error why = {0};
    RV_TRY(connected(db, err));
    if (rv_pg_query(db->conn, sql, rv_clock_mono_us() + STATEMENT_US, WHAT, out, &why) != RV_OK)
        return rv_pgstate_failed(db, &why, err);
    return RV_OK;
}

static rv_status run(rv_db *db, const char *sql, const binding *b, size_t n, PGresult **out,
                     rv_error *err)
{
    rv_error why = {0};
    rv_pg_bind bind = {b->values, b->lengths, b->formats, (int)n};
    RV_TRY(connected(db, err));
    if (rv_pg_query_bound(db->conn, sql, &bind, rv_clock_mono_us() + STATEMENT_US, WHAT, out,
                          &why) != RV_OK)
        return rv_pgstate_failed(db, &why, err);
    return RV_OK;
}

static int64_t touched(PGresult *result)
{
    int64_t n = 0;
    return rv_str_i64(rv_str_c(PQcmdTuples(result)), &n) ? n : 0;
}

rv_status rv_pgstate_query(rv_db *db, const char *sql, const rv_val *params, size_t n,
                           rv_rows **out, rv_error *err)
{
    rv_buf text = RV_BUF_INIT;
    binding b = {0};
    rv_status st;
    rv_rows *r = rv_calloc(1, sizeof *r);
    if (!r)
        return rv_fail_memory(err);
    r->row = -1;
    if (n > UINT16_MAX)
        RV_GO(rv_fail(err, RV_E_INTERNAL, "a state statement has %zu values", n));
    RV_GO(rv_pgstate_placeholders(sql, &text, err));
    RV_GO(bind_all(params, n, &b, err));
    RV_GO(run(db, (const char *)text.ptr, &b, n, &r->result, err));
    db->affected = touched(r->result);
    *out = r;
    r = NULL;
done:
    rv_pgstate_rows_end(r);
    binding_free(&b);
    rv_buf_free(&text);
    return st;
}

/* ---- rows ---- */

static bool is_bytea(const rv_rows *r, int column)
{
    return PQftype(r->result, column) == OID_BYTEA && !PQgetisnull(r->result, r->row, column);
}

/* "\x6869" */
static rv_status decode(rv_rows *r, int column, rv_error *err)
{
    rv_str text = {PQgetvalue(r->result, r->row, column),
                   (size_t)PQgetlength(r->result, r->row, column)};
    bool good = text.len % 2 == 0 && rv_str_starts(text, RV_STR("\\x"));
    if (good) {
        text = (rv_str){text.ptr + 2, text.len - 2};
        RV_TRY(rv_buf_reserve(&r->bytes, text.len / 2 + 1, err));
        good = rv_unhex(text, r->bytes.ptr + r->bytes.len);
        r->bytes.len += text.len / 2;
    }
    return good ? RV_OK : rv_fail(err, RV_E_STATE_DAMAGED, "the state holds unreadable bytes");
}

rv_status rv_pgstate_next(rv_rows *r, bool *out_row, rv_error *err)
{
    *out_row = r->row + 1 < PQntuples(r->result);
    if (!*out_row)
        return RV_OK;
    r->row++;
    rv_buf_clear(&r->bytes);
    for (int i = 0; i < PQnfields(r->result); i++)
        if (is_bytea(r, i))
            RV_TRY(decode(r, i, err));
    return RV_OK;
}

static rv_val bytes_value(const rv_rows *r, int column)
{
    size_t at = 0;
    for (int i = 0; i < column; i++)
        if (is_bytea(r, i))
            at += ((size_t)PQgetlength(r->result, r->row, i) - 2) / 2;
    size_t len = ((size_t)PQgetlength(r->result, r->row, column) - 2) / 2;
    return rv_val_blob((rv_bytes){len ? r->bytes.ptr + at : (const uint8_t *)"", len});
}

rv_val rv_pgstate_value(const rv_rows *r, size_t i)
{
    int column = (int)i;
    int64_t number = 0;
    if (PQgetisnull(r->result, r->row, column))
        return rv_val_null();
    rv_str text = {PQgetvalue(r->result, r->row, column),
                   (size_t)PQgetlength(r->result, r->row, column)};
    switch (PQftype(r->result, column)) {
    case OID_BOOL:
        return rv_val_int(text.len > 0 && text.ptr[0] == 't');
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
        return rv_str_i64(text, &number) ? rv_val_int(number) : rv_val_null();
    case OID_BYTEA:
        return bytes_value(r, column);
    default:
        return (rv_val){.kind = RV_VAL_TEXT, .b = rv_str_bytes(text)};
    }
}

void rv_pgstate_rows_end(rv_rows *r)
{
    if (!r)
        return;
    PQclear(r->result);
    rv_buf_free(&r->bytes);
    rv_free(r);
}
