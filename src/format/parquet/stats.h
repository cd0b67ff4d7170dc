/* format/parquet/stats.h: smallest and largest values of pages and chunks, as bytes ready for
 * the footer and the page index. Bounds of text and binary are cut at 64 bytes: a cut minimum
 * is smaller, a cut maximum larger than any value, and neither is exact.
 * Ownership: rv_pq_bounds owns its buffers; init by zero, rv_pq_bounds_free.
 * Source: parquet.thrift (ColumnOrder, Statistics), design "parquet" section 4. */
#ifndef RV_FORMAT_PARQUET_STATS_H
#define RV_FORMAT_PARQUET_STATS_H

#include "base/buf.h"
#include "format/parquet/enc_delta.h"

#define RV_PQ_BOUND_MAX 64u
#define RV_PQ_BOUND_WHOLE_MAX 4096u

typedef enum rv_pq_order {
    RV_PQ_ORDER_BOOL,
    RV_PQ_ORDER_I32,
    RV_PQ_ORDER_I64,
    RV_PQ_ORDER_U64,
    RV_PQ_ORDER_F32,
    RV_PQ_ORDER_F64,
    RV_PQ_ORDER_SIGNED_BE, /* fixed length, big-endian two's complement */
    RV_PQ_ORDER_BYTES      /* unsigned bytes, fixed or variable length */
} rv_pq_order;

typedef struct rv_pq_bounds {
    bool any;     /* false: no value can bound (none, or only NaN) */
    bool has_max; /* false beside `any`: the cut maximum has no successor; max is whole */
    bool endless; /* ... and is too long to be kept: no page index */
    bool min_exact, max_exact;
    uint64_t nans;
    rv_buf min, max;
} rv_pq_bounds;

/* What lies in a page: n values of `width` bytes, or strings when width is 0. */
typedef struct rv_pq_values {
    const uint8_t *bytes;
    const uint32_t *lengths; /* strings */
    size_t n;
    unsigned width;
} rv_pq_values;

/* Bounds of the values. `text`: cut at code points. */
rv_status rv_pq_bounds_of(rv_pq_order order, bool text, const rv_pq_values *v, rv_pq_bounds *out,
                          rv_error *err) RV_MUST_USE;
/* Widens `into` so that it holds `more` as well. */
rv_status rv_pq_bounds_widen(rv_pq_order order, rv_pq_bounds *into, const rv_pq_bounds *more,
                             rv_error *err) RV_MUST_USE;
void rv_pq_bounds_clear(rv_pq_bounds *b);
void rv_pq_bounds_free(rv_pq_bounds *b);
/* Order of two bounds as stored: < 0, 0, > 0. */
int rv_pq_bound_cmp(rv_pq_order order, rv_bytes a, rv_bytes b);

#endif
