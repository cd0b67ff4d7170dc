/* format/parquet_table.h: tables for the Parquet tests, made cell by cell from a fixed seed and
 * cut into batches of any size. Memory comes from malloc, so that injected failures hit the
 * code under test only. */
#ifndef RV_TEST_PARQUET_TABLE_H
#define RV_TEST_PARQUET_TABLE_H

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "column/decimal.h"
#include "format/format.h"

typedef enum pt_pattern {
    PT_RANDOM,   /* uniform over the type */
    PT_LOW,      /* few distinct values */
    PT_SEQUENCE, /* rising by little */
    PT_CONSTANT,
    PT_EXTREME, /* the ends of the type, zeros, NaN */
    PT_LONG     /* strings: long, with shared prefixes; some beyond 64 bytes */
} pt_pattern;

typedef struct pt_spec {
    const char *name;
    rv_type type;
    pt_pattern pattern;
    unsigned null_percent; /* 200: nulls in long runs */
} pt_spec;

#define PT_BYTES_MAX 700
typedef struct pt_cell {
    bool null;
    int64_t i;
    double f;
    char bytes[PT_BYTES_MAX]; /* strings, decimal text, uuid */
    size_t len;
} pt_cell;

static inline uint64_t pt_mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

static inline bool pt_is_null(const pt_spec *s, uint64_t row, uint64_t h)
{
    if (s->null_percent == 200)
        return row / 700 % 2 == 1;
    return pt_mix(h ^ 77) % 100 < s->null_percent;
}

/* How many low bits of a random word a value of the type may use. */
static inline int64_t pt_limit(int64_t v, rv_type t)
{
    static const int64_t pow10[19] = {1,
                                      10,
                                      100,
                                      1000,
                                      10000,
                                      100000,
                                      1000000,
                                      10000000,
                                      100000000,
                                      1000000000,
                                      10000000000,
                                      100000000000,
                                      1000000000000,
                                      10000000000000,
                                      100000000000000,
                                      1000000000000000,
                                      10000000000000000,
                                      100000000000000000,
                                      1000000000000000000};
    switch ((int)t.kind) {
    case RV_BOOL:
        return v & 1;
    case RV_INT16:
        return (int16_t)v;
    case RV_INT32:
        return (int32_t)v;
    case RV_DATE:
        return v % 2000000;
    case RV_TIME:
        return (int64_t)((uint64_t)v % UINT64_C(86400000000));
    case RV_TIMESTAMP:
    case RV_TIMESTAMP_TZ:
        return v % INT64_C(60000000000000000); /* years python can print */
    case RV_DECIMAL:
        return t.precision <= 18 ? v % pow10[t.precision] : v % pow10[18];
    default:
        return v;
    }
}

static inline int64_t pt_integer(const pt_spec *s, uint64_t row, uint64_t h)
{
    static const int64_t ends[] = {0,         1,          -1,        INT64_MAX, INT64_MIN,
                                   INT32_MAX, INT32_MIN,  INT16_MAX, INT16_MIN, INT64_MAX - 1,
                                   1000,      2000000000, 0,         0,         0};
    switch (s->pattern) {
    case PT_LOW:
        return pt_limit((int64_t)(h % 37) * 1001, s->type);
    case PT_SEQUENCE:
        return pt_limit((int64_t)(row * 5 + h % 5), s->type);
    case PT_CONSTANT:
        return 1;
    case PT_EXTREME:
        return pt_limit(ends[h % 15], s->type);
    case PT_RANDOM:
    case PT_LONG:
        break;
    }
    return pt_limit((int64_t)h, s->type);
}

static inline double pt_double(const pt_spec *s, uint64_t row, uint64_t h)
{
    static const double ends[] = {0.0, -0.0, 1.5, -1.5, 1e300, -1e300, 5e-324, 0.1};
    uint64_t nan_bits = UINT64_C(0x7FF8000000000000);
    double nan_value;
    memcpy(&nan_value, &nan_bits, sizeof nan_value);
    if (s->pattern == PT_EXTREME)
        return h % 10 == 9 ? nan_value : h % 10 == 8 ? 1.0 / ends[0] : ends[h % 8];
    if (s->pattern == PT_LOW)
        return (double)(h % 50) / 4;
    if (s->pattern == PT_SEQUENCE)
        return (double)row / 8;
    return (double)(int64_t)h / 1e9;
}

static inline void pt_text(const pt_spec *s, uint64_t row, uint64_t h, pt_cell *c)
{
    static const char *const words[] = {
        "alpha",           "b", "", "gr\xC3\xBC\xC3\x9F", "delta-delta-delta", "\xE2\x82\xAC 5",
        "\xF0\x9F\x8E\x89"};
    int n = 0;
    c->bytes[0] = 0;
    switch (s->pattern) {
    case PT_LOW:
        n = snprintf(c->bytes, sizeof c->bytes, "%s", words[h % 7]);
        break;
    case PT_SEQUENCE:
        n = snprintf(c->bytes, sizeof c->bytes, "https://example.com/items/%012llu/view",
                     (unsigned long long)row);
        break;
    case PT_CONSTANT:
        n = snprintf(c->bytes, sizeof c->bytes, "same");
        break;
    case PT_EXTREME:
        n = h % 3 == 0 ? 0 : (int)(h % 80);
        for (int i = 0; i < n; i += 4)
            memcpy(c->bytes + i, "\xF4\x8F\xBF\xBF", 4);
        n = n / 4 * 4;
        break;
    case PT_LONG:
        n = (int)(h % 600);
        for (int i = 0; i < n; i++)
            c->bytes[i] = (char)('a' + (h >> (i % 50)) % 26);
        break;
    case PT_RANDOM:
        n = snprintf(c->bytes, sizeof c->bytes, "user%llx@mail%llu.example",
                     (unsigned long long)(h & 0xFFFFFFFF), (unsigned long long)(h % 91));
        break;
    }
    c->len = (size_t)n;
}

/* Decimal digits without point, with sign; at most the precision. */
static inline void pt_decimal(const pt_spec *s, uint64_t h, pt_cell *c)
{
    unsigned digits = s->pattern == PT_EXTREME ? s->type.precision
                      : s->pattern == PT_LOW   ? 1
                                               : (unsigned)(h % s->type.precision) + 1;
    size_t n = 0;
    if (h & 1)
        c->bytes[n++] = '-';
    for (unsigned i = 0; i < digits; i++)
        c->bytes[n++] = s->pattern == PT_EXTREME ? '9' : (char)('0' + pt_mix(h + i) % 10);
    c->bytes[n] = 0;
    c->len = n;
}

static inline void pt_generate(const pt_spec *s, uint64_t seed, uint64_t row, pt_cell *c)
{
    uint64_t h = pt_mix(pt_mix(seed) ^ row);
    c->null = pt_is_null(s, row, h);
    c->i = 0;
    c->f = 0;
    c->len = 0;
    switch ((int)s->type.kind) {
    case RV_FLOAT64:
        c->f = pt_double(s, row, h);
        break;
    case RV_FLOAT32:
        c->f = (double)(float)pt_double(s, row, h);
        break;
    case RV_DECIMAL:
        if (s->type.precision > 18)
            pt_decimal(s, h, c);
        else
            c->i = pt_integer(s, row, h);
        break;
    case RV_STRING:
    case RV_ENUM:
    case RV_INTERVAL:
    case RV_BINARY:
        pt_text(s, row, h, c);
        break;
    case RV_JSON:
        c->len = (size_t)snprintf(c->bytes, sizeof c->bytes, "{\"k\": %llu}",
                                  (unsigned long long)(h % 1000));
        break;
    case RV_UUID: {
        uint64_t words[2] = {s->pattern == PT_LOW ? h % 9 : h, pt_mix(h)};
        if (s->pattern == PT_LOW)
            words[1] = words[0];
        memcpy(c->bytes, words, 16);
        c->len = 16;
        break;
    }
    default:
        c->i = pt_integer(s, row, h);
        break;
    }
}

typedef struct pt_column {
    rv_col col;
    size_t bytes, cap; /* of values */
    uint32_t offsets_cap;
    struct pt_column *child;
} pt_column;

static inline void *pt_grow(void *p, size_t size)
{
    void *grown = realloc(p, size);
    if (!grown)
        abort();
    return grown;
}

static inline void pt_bit(pt_column *c, bool valid)
{
    rv_col *col = &c->col;
    if (col->rows % 8 == 0) {
        if (col->rows % 4096 == 0)
            col->validity = pt_grow(col->validity, col->rows / 8 + 513);
        col->validity[col->rows / 8] = 0;
    }
    if (valid)
        col->validity[col->rows / 8] |= (uint8_t)(1u << (col->rows % 8));
    else
        col->nulls++;
    col->rows++;
}

static inline void pt_add_bytes(pt_column *c, const void *data, size_t len)
{
    if (c->bytes + len > c->cap || !c->col.values) {
        c->cap = (c->bytes + len + 64) * 2;
        c->col.values = pt_grow(c->col.values, c->cap);
    }
    if (len)
        memcpy(c->col.values + c->bytes, data, len);
    c->bytes += len;
}

static inline void pt_add_offset(pt_column *c, uint32_t end)
{
    uint32_t present = c->col.rows - c->col.nulls; /* the row was counted already */
    if (present >= c->offsets_cap) {
        c->offsets_cap = present * 2 + 64;
        c->col.offsets = pt_grow(c->col.offsets, c->offsets_cap * 4);
        c->col.offsets[0] = 0;
    }
    c->col.offsets[present] = end;
}

static inline void pt_add(pt_column *c, const pt_cell *cell)
{
    rv_type t = c->col.type;
    pt_bit(c, !cell->null);
    if (cell->null)
        return;
    switch (rv_type_layout(t)) {
    case RV_LAYOUT_BOOL8: {
        uint8_t v = (uint8_t)(cell->i & 1);
        pt_add_bytes(c, &v, 1);
        break;
    }
    case RV_LAYOUT_I32: {
        int32_t v = (int32_t)cell->i;
        pt_add_bytes(c, &v, 4);
        break;
    }
    case RV_LAYOUT_I64:
        pt_add_bytes(c, &cell->i, 8);
        break;
    case RV_LAYOUT_F32: {
        float v = (float)cell->f;
        pt_add_bytes(c, &v, 4);
        break;
    }
    case RV_LAYOUT_F64:
        pt_add_bytes(c, &cell->f, 8);
        break;
    case RV_LAYOUT_B16:
    case RV_LAYOUT_B32:
        if (t.kind == RV_UUID) {
            pt_add_bytes(c, cell->bytes, 16);
        } else {
            rv_i256 v;
            if (rv_decimal_parse((rv_str){cell->bytes, cell->len}, t.precision, 0, &v))
                abort();
            pt_add_bytes(c, v.limb, rv_layout_width(rv_type_layout(t)));
        }
        break;
    case RV_LAYOUT_VAR:
        pt_add_bytes(c, cell->bytes, cell->len);
        pt_add_offset(c, (uint32_t)c->bytes);
        break;
    case RV_LAYOUT_LIST:
        break;
    }
}

/* Elements of list row `row`: 0 to 4, some rows many. */
static inline unsigned pt_list_len(uint64_t seed, uint64_t row)
{
    uint64_t h = pt_mix(seed * 31 + row);
    return h % 97 == 0 ? 300 : (unsigned)(h % 5);
}

static inline pt_spec pt_elem_spec(const pt_spec *s)
{
    pt_spec e = *s;
    if (s->type.kind == RV_LIST)
        e.type = rv_type_elem(s->type);
    e.null_percent = s->null_percent ? 20 : 0;
    return e;
}

typedef struct pt_table {
    const pt_spec *specs;
    rv_schema schema;
    pt_column *columns;
    uint32_t rows;
} pt_table;

static inline void pt_make(pt_table *t, const pt_spec *specs, size_t n, uint32_t rows)
{
    *t = (pt_table){.specs = specs, .rows = rows};
    t->schema.n_columns = n;
    t->schema.columns = calloc(n, sizeof *t->schema.columns);
    t->columns = calloc(n, sizeof *t->columns);
    pt_cell cell;
    for (size_t i = 0; i < n; i++) {
        t->schema.columns[i] = (rv_column){.name = specs[i].name,
                                           .type = specs[i].type,
                                           .source_type = "test",
                                           .nullable = true,
                                           .fidelity = rv_type_fidelity(specs[i].type)};
        pt_column *c = &t->columns[i];
        c->col.type = specs[i].type;
        if (specs[i].type.kind == RV_LIST) {
            c->child = calloc(1, sizeof *c->child);
            c->child->col.type = rv_type_elem(specs[i].type);
        }
        pt_spec elem = pt_elem_spec(&specs[i]);
        for (uint32_t r = 0; r < rows; r++) {
            if (c->child) {
                bool null = pt_is_null(&specs[i], r, pt_mix(pt_mix(i) ^ r));
                pt_bit(c, !null);
                for (unsigned k = 0; !null && k < pt_list_len(i, r); k++) {
                    pt_generate(&elem, i, r * UINT64_C(1000) + k, &cell);
                    pt_add(c->child, &cell);
                }
                if (!null)
                    pt_add_offset(c, c->child->col.rows);
            } else {
                pt_generate(&specs[i], i, r, &cell);
                pt_add(c, &cell);
            }
        }
        c->col.child = c->child ? &c->child->col : NULL;
    }
}

static inline void pt_column_free(pt_column *c)
{
    free(c->col.validity);
    free(c->col.values);
    free(c->col.offsets);
    if (c->child)
        pt_column_free(c->child);
    free(c->child);
}

static inline void pt_free(pt_table *t)
{
    for (size_t i = 0; i < t->schema.n_columns; i++)
        pt_column_free(&t->columns[i]);
    free(t->columns);
    free(t->schema.columns);
}

static inline uint32_t pt_count(const rv_col *c, uint32_t upto)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < upto; i++)
        n += rv_bit(c->validity, i);
    return n;
}

/* Rows [from, from + n) as a column of its own. */
static inline rv_col pt_slice(const rv_col *c, uint32_t from, uint32_t n)
{
    uint32_t v0 = pt_count(c, from), present = 0;
    rv_col s = {.type = c->type, .rows = n};
    uint8_t *bits = calloc(n / 8 + 1, 1);
    for (uint32_t i = 0; i < n; i++)
        if (rv_bit(c->validity, from + i)) {
            bits[i / 8] |= (uint8_t)(1u << (i % 8));
            present++;
        }
    s.nulls = n - present;
    if (s.nulls)
        s.validity = bits;
    else
        free(bits);
    unsigned w = rv_layout_width(rv_type_layout(c->type));
    if (w) {
        s.values = malloc((size_t)present * w + 1);
        if (present)
            memcpy(s.values, c->values + (size_t)v0 * w, (size_t)present * w);
        return s;
    }
    s.offsets = calloc((size_t)present + 1, 4);
    uint32_t base = c->offsets ? c->offsets[v0] : 0;
    for (uint32_t i = 0; i <= present && c->offsets; i++)
        s.offsets[i] = c->offsets[v0 + i] - base;
    if (c->child) {
        s.child = malloc(sizeof *s.child);
        *s.child = pt_slice(c->child, base, s.offsets[present]);
    } else {
        s.values = malloc((size_t)s.offsets[present] + 1);
        if (s.offsets[present])
            memcpy(s.values, c->values + base, s.offsets[present]);
    }
    return s;
}

static inline void pt_slice_free(rv_col *c)
{
    free(c->validity);
    free(c->values);
    free(c->offsets);
    if (c->child)
        pt_slice_free(c->child);
    free(c->child);
}

static inline rv_status pt_sink_write(void *self, rv_bytes data, rv_error *err)
{
    return rv_buf_add(self, data.ptr, data.len, err);
}

/* Writes the table in batches of `step` rows into out. The sums are invented: the writer passes
 * them on. */
static inline rv_status pt_write(const pt_table *t, const rv_format_opts *opts, uint32_t step,
                                 rv_buf *out, rv_file_stats *stats, bool spill_often, rv_error *err)
{
    const rv_format_driver *d = &rv_format_parquet;
    rv_sink sink = {out, pt_sink_write};
    rv_writer *w = NULL;
    rv_status st = d->begin(NULL, &t->schema, opts, sink, &w, err);
    if (st != RV_OK)
        return st;
    rv_col_sum *sums_of = calloc(t->schema.n_columns, sizeof *sums_of);
    rv_sums sums = {.rows = t->rows, .n_columns = t->schema.n_columns, .columns = sums_of};
    rv_col *cols = calloc(t->schema.n_columns, sizeof *cols);
    for (uint32_t from = 0; st == RV_OK && from < t->rows; from += step) {
        uint32_t n = t->rows - from < step ? t->rows - from : step;
        for (size_t i = 0; i < t->schema.n_columns; i++)
            cols[i] = pt_slice(&t->columns[i].col, from, n);
        rv_batch batch = {.schema = &t->schema, .rows = n, .columns = cols};
        st = d->write(w, &batch, err);
        if (st == RV_OK && spill_often)
            st = d->spill(w, err);
        for (size_t i = 0; i < t->schema.n_columns; i++)
            pt_slice_free(&cols[i]);
    }
    if (st == RV_OK)
        st = d->finish(w, &sums, stats, err);
    else
        d->discard(w);
    free(cols);
    free(sums_of);
    return st;
}

#endif
