/* test/format/csv_fixture.h: tables as rows of cells, cut into batches by hand (without the
 * builder, so that a fault there cannot hide one here), and a sink that collects bytes. */
#ifndef RV_TEST_CSV_FIXTURE_H
#define RV_TEST_CSV_FIXTURE_H

#include <stdlib.h>

#include "column/canonical.h"
#include "column/decimal.h"
#include "format/format.h"

typedef struct fx_table {
    const rv_schema *schema;
    const rv_cell *cells; /* row by row */
    uint32_t rows;
} fx_table;

static inline rv_cell fx_null(void)
{
    return (rv_cell){.null = true};
}

static inline rv_cell fx_text(const char *s)
{
    return (rv_cell){.bytes = {(const uint8_t *)s, strlen(s)}};
}

/* Puts a present cell behind the k values already there. */
static inline void fx_put(rv_col *col, uint32_t k, const rv_cell *cell)
{
    rv_layout layout = rv_type_layout(col->type);
    unsigned width = rv_layout_width(layout);
    uint8_t *at = col->values + (size_t)k * width;
    bool decimal = col->type.kind == RV_DECIMAL;
    int64_t i64 = decimal ? (int64_t)cell->dec.limb[0] : cell->i64;
    int32_t i32 = (int32_t)cell->i64;
    float f32 = (float)cell->f64;
    switch (layout) {
    case RV_LAYOUT_BOOL8:
        *at = cell->i64 != 0;
        break;
    case RV_LAYOUT_I32:
        memcpy(at, &i32, 4);
        break;
    case RV_LAYOUT_I64:
        memcpy(at, &i64, 8);
        break;
    case RV_LAYOUT_F32:
        memcpy(at, &f32, 4);
        break;
    case RV_LAYOUT_F64:
        memcpy(at, &cell->f64, 8);
        break;
    case RV_LAYOUT_B16:
        memcpy(at, decimal ? (const uint8_t *)cell->dec.limb : cell->bytes.ptr, 16);
        break;
    case RV_LAYOUT_B32:
        memcpy(at, cell->dec.limb, 32);
        break;
    case RV_LAYOUT_VAR:
        if (cell->bytes.len > 0)
            memcpy(col->values + col->offsets[k], cell->bytes.ptr, cell->bytes.len);
        col->offsets[k + 1] = col->offsets[k] + (uint32_t)cell->bytes.len;
        break;
    case RV_LAYOUT_LIST:
        abort();
    }
}

static inline void fx_col(rv_col *col, const fx_table *t, size_t index, uint32_t from,
                          uint32_t rows)
{
    size_t bytes = 0;
    *col = (rv_col){.type = t->schema->columns[index].type, .rows = rows};
    for (uint32_t r = from; r < from + rows; r++)
        bytes += t->cells[r * t->schema->n_columns + index].bytes.len;
    col->validity = calloc(1, rows / 8 + 1);
    col->values = calloc(1, bytes + 32 * (size_t)rows + 1);
    col->offsets = calloc(rows + 1, sizeof *col->offsets);
    uint32_t k = 0;
    for (uint32_t r = 0; r < rows; r++) {
        const rv_cell *cell = &t->cells[(from + r) * t->schema->n_columns + index];
        if (cell->null)
            continue;
        fx_put(col, k++, cell);
        col->validity[r / 8] = (uint8_t)(col->validity[r / 8] | 1u << (r % 8));
    }
    col->nulls = rows - k;
    if (col->nulls == 0) {
        free(col->validity);
        col->validity = NULL;
    }
}

static inline rv_batch fx_batch(const fx_table *t, uint32_t from, uint32_t rows)
{
    rv_batch b = {.schema = t->schema, .rows = rows};
    b.columns = calloc(t->schema->n_columns, sizeof *b.columns);
    for (size_t i = 0; i < t->schema->n_columns; i++)
        fx_col(&b.columns[i], t, i, from, rows);
    return b;
}

static inline void fx_batch_free(rv_batch *b)
{
    for (size_t i = 0; i < b->schema->n_columns; i++) {
        free(b->columns[i].validity);
        free(b->columns[i].values);
        free(b->columns[i].offsets);
    }
    free(b->columns);
}

static inline rv_status fx_collect(void *self, rv_bytes data, rv_error *err)
{
    return rv_buf_add(self, data.ptr, data.len, err);
}

/* The whole table as CSV, in batches of `step` rows. */
static inline rv_status fx_export(const fx_table *t, const rv_format_opts *opts, uint32_t step,
                                  rv_buf *out, rv_file_stats *stats, rv_error *err)
{
    rv_env env = {0};
    rv_writer *w = NULL;
    rv_sink sink = {out, fx_collect};
    RV_TRY(rv_format_csv.begin(&env, t->schema, opts, sink, &w, err));
    for (uint32_t from = 0; from < t->rows; from += step) {
        rv_batch b = fx_batch(t, from, step < t->rows - from ? step : t->rows - from);
        rv_status st = rv_format_csv.write(w, &b, err);
        fx_batch_free(&b);
        if (st != RV_OK) {
            rv_format_csv.discard(w);
            return st;
        }
    }
    return rv_format_csv.finish(w, NULL, stats, err);
}

#endif
