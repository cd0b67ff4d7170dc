/* source/mysql_decode.h: fields of both row protocols written by hand, decoded into one cell, as
 * text. */
#ifndef RV_TEST_MYSQL_DECODE_H
#define RV_TEST_MYSQL_DECODE_H

#include <stdio.h>
#include <stdlib.h>

#include "column/render.h"
#include "rvtest.h"
#include "source/mysql/decode_internal.h"

typedef struct mysd {
    rv_mys_column column;
    rv_error err;
    uint64_t replaced;
    char text[4096]; /* the last cell */
} mysd;

static inline rv_mys_field mysd_field(enum enum_field_types type, unsigned long length,
                                      unsigned decimals, unsigned flags, unsigned charset)
{
    return (rv_mys_field){.name = "x",
                          .db = "",
                          .org_table = "",
                          .org_name = "",
                          .type = type,
                          .length = length,
                          .decimals = decimals,
                          .flags = flags,
                          .charset = charset};
}
static inline rv_mys_field mysd_text_field(void)
{
    return mysd_field(MYSQL_TYPE_VAR_STRING, 80, 0, 0, 45);
}

/* override_word NULL: none. */
static inline rv_status mysd_bind(mysd *d, rv_mys_field f, const char *override_word, bool text)
{
    bool supported;
    d->column = (rv_mys_column){.name = "x", .field = f};
    rv_error_clear(&d->err);
    rv_mys_natural(&f, &d->column.type, &supported);
    if (override_word) {
        d->column.overridden = true;
        if (!rv_type_from_override(rv_str_c(override_word), &d->column.type))
            return RV_E_INTERNAL;
    }
    return rv_mys_column_bind(&d->column, text, &d->err);
}

static inline rv_status mysd_cell_text(mysd *d, const rv_batch *batch)
{
    const rv_col *col = &batch->columns[0];
    rv_buf out = RV_BUF_INIT;
    rv_status st = col->validity && !rv_bit(col->validity, 0) ? rv_buf_add_c(&out, "NULL", NULL)
                                                              : rv_render_value(col, 0, &out, NULL);
    if (st == RV_OK)
        (void)snprintf(d->text, sizeof d->text, "%.*s", (int)out.len,
                       out.ptr ? (const char *)out.ptr : "");
    d->replaced = batch->sums.columns[0].replaced;
    rv_buf_free(&out);
    return st;
}

/* Decodes one field of the bound column into d->text. */
static inline rv_status mysd_decode(mysd *d, const void *data, size_t n)
{
    rv_column column = {.name = "x", .type = d->column.type};
    rv_schema schema = {&column, 1};
    rv_builder_opts opts = {.schema = &schema,
                            .max_rows = 16,
                            .max_bytes = 1 << 20,
                            .max_value_bytes = 1 << 20,
                            .batches = 2};
    rv_builder *b = NULL;
    rv_batch *batch = NULL;
    rv_error_clear(&d->err);
    d->text[0] = '\0';
    /* a copy of exactly this size: reading beyond it is caught */
    char *copy = malloc(n ? n : 1);
    if (n)
        memcpy(copy, data, n);
    rv_status st = rv_builder_open(&opts, &b, &d->err);
    if (st == RV_OK)
        st = rv_mys_decoder_fn(d->column.decoder)(&d->column, 0, copy, n, b, &d->err);
    if (st == RV_OK)
        st = rv_builder_row_end(b, &d->err);
    if (st == RV_OK)
        st = rv_builder_freeze(b, &batch, &d->err);
    if (st == RV_OK) {
        st = mysd_cell_text(d, batch);
        rv_builder_recycle(b, batch);
    }
    rv_builder_close(b);
    free(copy);
    return st;
}

/* Bytes of a field, put together from little-endian pieces. */
typedef struct field {
    char bytes[256];
    size_t n;
} field;
static inline void put(field *f, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        f->bytes[f->n++] = (char)(v >> (8 * i));
}
static inline field le(uint64_t v, int bytes)
{
    field f = {.n = 0};
    put(&f, v, bytes);
    return f;
}
/* DATE, DATETIME, TIMESTAMP without the length byte: as long as the server makes it. */
static inline field when(unsigned year, unsigned month, unsigned day, unsigned hour,
                         unsigned minute, unsigned second, unsigned us)
{
    field f = {.n = 0};
    if (!year && !month && !day && !hour && !minute && !second && !us)
        return f;
    put(&f, year, 2);
    put(&f, month, 1);
    put(&f, day, 1);
    if (hour || minute || second || us) {
        put(&f, hour, 1);
        put(&f, minute, 1);
        put(&f, second, 1);
    }
    if (us)
        put(&f, us, 4);
    return f;
}
static inline field span(bool negative, unsigned days, unsigned hour, unsigned minute,
                         unsigned second, unsigned us)
{
    field f = {.n = 0};
    put(&f, negative, 1);
    put(&f, days, 4);
    put(&f, hour, 1);
    put(&f, minute, 1);
    put(&f, second, 1);
    if (us)
        put(&f, us, 4);
    return f;
}

#endif
