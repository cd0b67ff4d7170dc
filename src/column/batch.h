/* column/batch.h: rows in columns, handed from builder to writer.
 * Layout: every column keeps a validity bitmap (LSB first, 1 = present) over all rows and its
 * present values densely, NULLs skipped. VAR columns: offsets[k]..offsets[k+1] of present value
 * k. LIST columns: offsets count elements of `child`, itself a column whose rows are the
 * elements of all present lists. Tail bits of the last bitmap byte are zero.
 * Owner: whoever holds it (see builder.h); immutable once frozen. */
#ifndef RV_COLUMN_BATCH_H
#define RV_COLUMN_BATCH_H

#include "base/hash.h"
#include "column/schema.h"

typedef struct rv_col {
    rv_type type;
    uint32_t rows;
    uint32_t nulls;
    uint8_t *validity;    /* (rows+7)/8 bytes; NULL when nulls == 0 */
    uint8_t *values;      /* fixed layouts: (rows-nulls) * width; VAR: the bytes */
    uint32_t *offsets;    /* VAR and LIST: rows-nulls+1 entries, offsets[0] == 0 */
    struct rv_col *child; /* LIST */
} rv_col;

/* Layout-free checksums ("rivet-checksum-v1") and facts of a set of rows; additive. */
typedef struct rv_col_sum {
    uint64_t nulls;
    uint64_t sum;      /* of cell hashes, mod 2^64 */
    uint64_t max_len;  /* longest VAR value in bytes, 0 otherwise */
    uint64_t replaced; /* cells turned to NULL or U+FFFD by a policy, counted for the WARN */
} rv_col_sum;

typedef struct rv_sums {
    uint64_t rows;
    rv_u128 row_sum;
    size_t n_columns;
    rv_col_sum *columns; /* owned by rv_sums_init/free, or by the batch */
} rv_sums;

rv_status rv_sums_init(rv_sums *s, size_t n_columns, rv_error *err) RV_MUST_USE;
void rv_sums_add(rv_sums *into, const rv_sums *more); /* same column count */
void rv_sums_reset(rv_sums *s);
void rv_sums_free(rv_sums *s);

typedef struct rv_batch {
    const rv_schema *schema; /* borrowed; columns in schema order, meta columns included */
    uint32_t rows;
    rv_col *columns; /* schema->n_columns */
    rv_sums sums;    /* of exactly these rows */
    uint64_t bytes;  /* memory of the values, offsets and bitmaps in use */
} rv_batch;

static inline bool rv_bit(const uint8_t *bits, uint32_t i)
{
    return (bits[i >> 3] >> (i & 7)) & 1;
}
/* Set bits in [from, from+count). */
uint32_t rv_bits_count(const uint8_t *bits, uint32_t from, uint32_t count);

#endif
