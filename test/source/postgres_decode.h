/* source/postgres_decode.h: binary fields written by hand, decoded by rv_pgs_decode, as text. */
#ifndef RV_TEST_POSTGRES_DECODE_H
#define RV_TEST_POSTGRES_DECODE_H

#include <stdio.h>
#include <stdlib.h>

#include "column/decimal.h"
#include "column/render.h"
#include "rvtest.h"
#include "source/postgres/decode_internal.h"

typedef struct pgd {
    rv_arena arena;
    rv_source source; /* money_known, so that nothing is asked of a server */
    rv_pgs_column column;
    rv_column schema;
    bool supported;
    rv_error err;
    char text[4096]; /* the last cell */
} pgd;

static inline rv_pgs_type_facts pgd_facts(uint32_t oid, int32_t typmod, const char *display)
{
    return (rv_pgs_type_facts){.oid = oid,
                               .typmod = typmod,
                               .typtype = 'b',
                               .typcategory = 'X',
                               .name = display,
                               .display = display};
}

/* An array of `element`. */
static inline rv_pgs_type_facts pgd_array(uint32_t element, int32_t typmod, const char *name)
{
    rv_pgs_type_facts f = pgd_facts(element + 100000, typmod, name);
    f.typcategory = 'A';
    f.element = element;
    f.element_typtype = 'b';
    return f;
}

/* override_word NULL: none. */
static inline rv_status pgd_bind(pgd *p, rv_pgs_type_facts f, const char *override_word)
{
    rv_cfg_column o = {.column = "x"};
    if (override_word && !rv_type_from_override(rv_str_c(override_word), &o.type))
        return RV_E_INTERNAL;
    rv_error_clear(&p->err);
    p->source.money_known = true;
    p->source.money_scale = 2;
    return rv_pgs_column_bind(&p->source, &f, "x", override_word ? &o : NULL, &p->arena, &p->column,
                              &p->schema, &p->supported, &p->err);
}

static inline rv_status pgd_list_text(const rv_col *col, rv_buf *out)
{
    const rv_col *e = col->child;
    uint32_t k = 0;
    RV_TRY(rv_buf_add_byte(out, '{', NULL));
    for (uint32_t i = 0; i < col->offsets[1]; i++) {
        if (i)
            RV_TRY(rv_buf_add_byte(out, ',', NULL));
        if (e->validity && !rv_bit(e->validity, i))
            RV_TRY(rv_buf_add_c(out, "NULL", NULL));
        else
            RV_TRY(rv_render_value(e, k++, out, NULL));
    }
    return rv_buf_add_byte(out, '}', NULL);
}

static inline rv_status pgd_cell_text(pgd *p, const rv_batch *batch)
{
    const rv_col *col = &batch->columns[0];
    rv_buf out = RV_BUF_INIT;
    rv_status st;
    if (col->validity && !rv_bit(col->validity, 0))
        st = rv_buf_add_c(&out, "NULL", NULL);
    else
        st = col->type.kind == RV_LIST ? pgd_list_text(col, &out)
                                       : rv_render_value(col, 0, &out, NULL);
    if (st == RV_OK)
        (void)snprintf(p->text, sizeof p->text, "%.*s", (int)out.len,
                       out.ptr ? (const char *)out.ptr : "");
    rv_buf_free(&out);
    return st;
}

/* Decodes one field (n < 0: NULL) of the bound column into p->text. */
static inline rv_status pgd_decode(pgd *p, const void *data, int32_t n)
{
    rv_schema schema = {&p->schema, 1};
    rv_pgs_relation r = {.columns = &p->column, .n_columns = 1};
    rv_builder_opts opts = {.schema = &schema,
                            .max_rows = 16,
                            .max_bytes = 1 << 20,
                            .max_value_bytes = 1 << 20,
                            .batches = 2};
    rv_builder *b = NULL;
    rv_batch *batch = NULL;
    rv_error_clear(&p->err);
    p->text[0] = '\0';
    /* a copy of exactly this size: reading beyond it is caught */
    char *copy = n > 0 ? malloc((size_t)n) : NULL;
    if (copy)
        memcpy(copy, data, (size_t)n);
    rv_status st = rv_builder_open(&opts, &b, &p->err);
    if (st == RV_OK)
        st = rv_pgs_decode(&r, 0, copy ? copy : "", n, b, &p->err);
    if (st == RV_OK)
        st = rv_builder_row_end(b, &p->err);
    if (st == RV_OK)
        st = rv_builder_freeze(b, &batch, &p->err);
    if (st == RV_OK) {
        st = pgd_cell_text(p, batch);
        rv_builder_recycle(b, batch);
    }
    rv_builder_close(b);
    free(copy);
    return st;
}

/* Bytes of a field, put together from pieces. */
typedef struct field {
    char bytes[2048];
    int32_t n;
} field;
static inline void put(field *f, uint64_t v, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        f->bytes[f->n++] = (char)(v >> (8 * i));
}
static inline void put_text(field *f, const char *s)
{
    memcpy(f->bytes + f->n, s, strlen(s));
    f->n += (int32_t)strlen(s);
}
/* A numeric: sign, weight, dscale and its groups. */
static inline field numeric(unsigned sign, int weight, int dscale, int n, const int *groups)
{
    field f = {.n = 0};
    put(&f, (uint64_t)n, 2);
    put(&f, (uint64_t)weight, 2);
    put(&f, sign, 2);
    put(&f, (uint64_t)dscale, 2);
    for (int i = 0; i < n; i++)
        put(&f, (uint64_t)groups[i], 2);
    return f;
}
static inline int32_t numeric_typmod(int precision, int scale)
{
    return (int32_t)((uint32_t)precision << 16 | ((uint32_t)scale & 0x7ff)) + 4;
}

#endif
