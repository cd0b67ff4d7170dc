#include <string.h>

#include "state/state_internal.h"

rv_status rv_st_run(rv_state *s, const char *sql, const rv_val *params, size_t n,
                    int64_t *out_affected, rv_error *err)
{
    rv_rows *rows;
    bool more = true;
    RV_TRY(s->backend->query(s->db, sql, params, n, &rows, err));
    rv_status st = RV_OK;
    while (st == RV_OK && more)
        st = s->backend->next(rows, &more, err);
    s->backend->rows_end(rows);
    if (st == RV_OK && out_affected)
        *out_affected = s->backend->affected(s->db);
    return st;
}

rv_status rv_st_int(rv_state *s, const char *sql, const rv_val *params, size_t n, int64_t *out,
                    bool *out_found, rv_error *err)
{
    rv_rows *rows;
    bool found = false;
    RV_TRY(s->backend->query(s->db, sql, params, n, &rows, err));
    rv_status st = s->backend->next(rows, &found, err);
    if (st == RV_OK && found)
        *out = s->backend->value(rows, 0).i;
    s->backend->rows_end(rows);
    if (st == RV_OK && out_found)
        *out_found = found;
    return st;
}

static rv_val field_val(const rv_field *f, const void *row)
{
    const char *at = (const char *)row + f->offset;
    switch (f->kind) {
    case RV_FIELD_TEXT: {
        const char *text;
        memcpy(&text, at, sizeof text);
        return rv_val_text(text);
    }
    case RV_FIELD_I64:
    case RV_FIELD_KNOWN: {
        int64_t v;
        memcpy(&v, at, sizeof v);
        return f->kind == RV_FIELD_KNOWN ? rv_val_known(v) : rv_val_int(v);
    }
    case RV_FIELD_TRI: {
        int v;
        memcpy(&v, at, sizeof v);
        return rv_val_known(v);
    }
    case RV_FIELD_BOOL: {
        bool v;
        memcpy(&v, at, sizeof v);
        return rv_val_int(v);
    }
    case RV_FIELD_CHARS:
        return rv_val_text(at);
    }
    return rv_val_null();
}

void rv_st_bind(const rv_field *fields, size_t n, const void *row, rv_val *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = field_val(&fields[i], row);
}

rv_status rv_st_text(const rv_val *v, rv_arena *a, const char **out, rv_error *err)
{
    if (v->kind == RV_VAL_NULL) {
        *out = NULL;
        return RV_OK;
    }
    if (v->kind == RV_VAL_INT)
        return rv_arena_printf(a, out, err, "%lld", (long long)v->i);
    return rv_arena_cstr(a, (rv_str){(const char *)v->b.ptr, v->b.len}, out, err);
}

static rv_status read_field(const rv_field *f, const rv_val *v, void *row, rv_arena *a,
                            rv_error *err)
{
    char *at = (char *)row + f->offset;
    int64_t number = v->kind == RV_VAL_INT ? v->i : 0;
    switch (f->kind) {
    case RV_FIELD_TEXT: {
        const char *text;
        RV_TRY(rv_st_text(v, a, &text, err));
        memcpy(at, &text, sizeof text);
        return RV_OK;
    }
    case RV_FIELD_KNOWN:
        number = v->kind == RV_VAL_NULL ? -1 : number;
        memcpy(at, &number, sizeof number);
        return RV_OK;
    case RV_FIELD_I64:
        memcpy(at, &number, sizeof number);
        return RV_OK;
    case RV_FIELD_TRI: {
        int tri = v->kind == RV_VAL_NULL ? -1 : number != 0;
        memcpy(at, &tri, sizeof tri);
        return RV_OK;
    }
    case RV_FIELD_BOOL: {
        bool yes = number != 0;
        memcpy(at, &yes, sizeof yes);
        return RV_OK;
    }
    case RV_FIELD_CHARS: {
        size_t len = v->kind == RV_VAL_TEXT ? v->b.len : 0;
        len = len < f->size ? len : f->size - 1;
        if (len)
            memcpy(at, v->b.ptr, len);
        at[len] = '\0';
        return RV_OK;
    }
    }
    return RV_OK;
}

static rv_status read_row(rv_state *s, const rv_select *q, const rv_rows *rows, void *out,
                          rv_error *err)
{
    if (s->backend->columns(rows) != q->n_fields)
        return rv_fail(err, RV_E_INTERNAL, "a state query returns %zu columns instead of %zu",
                       s->backend->columns(rows), q->n_fields);
    memset(out, 0, q->row_size);
    for (size_t i = 0; i < q->n_fields; i++) {
        rv_val v = s->backend->value(rows, i);
        RV_TRY(read_field(&q->fields[i], &v, out, q->arena, err));
    }
    return RV_OK;
}

static rv_status collect(rv_state *s, const rv_select *q, rv_rows *rows, rv_buf *out, size_t *n,
                         rv_error *err)
{
    for (;;) {
        bool more;
        RV_TRY(s->backend->next(rows, &more, err));
        if (!more)
            return RV_OK;
        RV_TRY(rv_buf_reserve(out, q->row_size, err));
        RV_TRY(read_row(s, q, rows, out->ptr + out->len, err));
        out->len += q->row_size;
        ++*n;
    }
}

rv_status rv_st_select(rv_state *s, const rv_select *q, void **out_rows, size_t *out_n,
                       rv_error *err)
{
    rv_rows *rows = NULL;
    rv_buf buf = RV_BUF_INIT;
    void *copy = NULL;
    size_t n = 0;
    rv_status st;
    RV_GO(s->backend->query(s->db, q->sql, q->params, q->n_params, &rows, err));
    RV_GO(collect(s, q, rows, &buf, &n, err));
    RV_GO(rv_arena_array(q->arena, n ? n : 1, q->row_size, &copy, err));
    if (n)
        memcpy(copy, buf.ptr, buf.len);
    *out_rows = copy;
    *out_n = n;
done:
    s->backend->rows_end(rows);
    rv_buf_free(&buf);
    return st;
}

rv_status rv_st_select_one(rv_state *s, const rv_select *q, void *out, bool *out_found,
                           rv_error *err)
{
    void *rows;
    size_t n;
    RV_TRY(rv_st_select(s, q, &rows, &n, err));
    if (n)
        memcpy(out, rows, q->row_size);
    *out_found = n > 0;
    return RV_OK;
}

typedef struct select_ctx {
    const rv_select *q;
    void **rows;
    size_t *n;
} select_ctx;

static rv_status select_body(rv_state *s, void *ctx, rv_error *err)
{
    select_ctx *c = ctx;
    return rv_st_select(s, c->q, c->rows, c->n, err);
}

rv_status rv_state_select(rv_state *s, const rv_select *q, void **out_rows, size_t *out_n,
                          rv_error *err)
{
    select_ctx c = {q, out_rows, out_n};
    return rv_state_read(s, select_body, &c, err);
}

rv_status rv_st_now(rv_state *s, char out[RV_RFC3339_SIZE], rv_error *err)
{
    int64_t us;
    RV_TRY(s->backend->now_us(s->db, &us, err));
    rv_rfc3339_ms(us, out);
    return RV_OK;
}

rv_status rv_st_redact(rv_state *s, const char *text, rv_buf *buf, const char **out, rv_error *err)
{
    if (!text) {
        *out = NULL;
        return RV_OK;
    }
    RV_TRY(rv_secrets_redact(s->env->secrets, rv_str_c(text), buf, err));
    const char *clean = rv_buf_cstr(buf);
    if (!clean)
        return rv_fail_memory(err);
    *out = clean;
    return RV_OK;
}
