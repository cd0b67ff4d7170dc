/* format/parquet/leaf.h: how a schema column becomes a Parquet leaf: physical and logical type,
 * order of its values, and the form its values take in a page. Values, no ownership.
 * Source: spec "types" section 2; design "parquet" section 1. */
#ifndef RV_FORMAT_PARQUET_LEAF_H
#define RV_FORMAT_PARQUET_LEAF_H

#include "column/batch.h"
#include "format/format.h"
#include "format/parquet/meta.h"
#include "format/parquet/stats.h"

typedef enum rv_pq_convert {
    RV_PQ_AS_IS,      /* the batch's memory is the page's */
    RV_PQ_NARROW,     /* int64 to int32: decimals up to 9 digits */
    RV_PQ_BIG_ENDIAN, /* little-endian 8, 16 or 32 bytes to big-endian `width` bytes */
    RV_PQ_TEXT        /* rendered as text (encoding: compatible) */
} rv_pq_convert;

typedef struct rv_pq_leaf {
    rv_type type;      /* of the column, or of a list's elements */
    bool is_list;      /* written as a LIST (a list rendered as text is not) */
    bool text;         /* UTF-8: bounds are cut at code points */
    bool legacy_stats; /* old min/max beside the new: compatible, signed */
    rv_pq_convert convert;
    rv_pq_type physical;
    rv_pq_order order;
    unsigned width;     /* bytes of a value in a page; bool 1, strings 0 */
    unsigned src_width; /* in a batch */
} rv_pq_leaf;

rv_pq_leaf rv_pq_leaf_of(rv_type column, rv_encoding_policy policy);
/* Number of schema elements of the column: 1, or 3 for a list. */
size_t rv_pq_leaf_elements(const rv_pq_leaf *leaf);
/* Fills them, parents first. name is borrowed. */
void rv_pq_leaf_describe(const rv_pq_leaf *leaf, const char *name, rv_pq_schema_element *out);

/* n present values, ready for a page: fixed values, or strings with n + 1 offsets that need not
 * begin at 0. */
typedef struct rv_pq_span {
    const uint8_t *values;
    const uint32_t *offsets;
} rv_pq_span;
typedef struct rv_pq_scratch {
    rv_buf values, offsets;
} rv_pq_scratch;
/* Present values [from, from + n) of a column of the batch (or of a list's child); what must be
 * converted lies in `scratch` until the next call. */
rv_status rv_pq_leaf_span(const rv_pq_leaf *leaf, const rv_col *col, uint32_t from, uint32_t n,
                          rv_pq_scratch *scratch, rv_pq_span *out, rv_error *err) RV_MUST_USE;
void rv_pq_scratch_free(rv_pq_scratch *s);

#endif
