/* format/parquet/slab.h: filling the slab of a column. Private to the column.
 * Ownership and threads: as column.h. */
#ifndef RV_FORMAT_PARQUET_SLAB_H
#define RV_FORMAT_PARQUET_SLAB_H

#include "format/parquet/column.h"

/* Rows of a batch that are about to be appended. */
typedef struct rv_pq_rows {
    const rv_col *col;
    uint32_t from, n; /* rows */
    uint32_t present; /* present values among them */
    rv_pq_span span;  /* those values; lists: not used */
} rv_pq_rows;

/* Moves as many rows as the open page still takes (at least one) from *rows into the slab.
 * *full: the page must be sealed now. */
rv_status rv_pq_slab_take(rv_pq_column *c, const rv_pq_page_plan *plan, rv_pq_rows *rows,
                          bool *full, rv_error *err) RV_MUST_USE;
/* The same for lists; the elements are converted piece by piece. */
rv_status rv_pq_slab_take_list(rv_pq_column *c, rv_pq_shop *shop, rv_pq_rows *rows, bool *full,
                               rv_error *err) RV_MUST_USE;
void rv_pq_slab_clear(rv_pq_slab *slab);
void rv_pq_slab_free(rv_pq_slab *slab);
rv_pq_values rv_pq_slab_values(const rv_pq_column *c);
uint32_t rv_pq_slab_entries(const rv_pq_column *c); /* levels: rows, or those of lists */

#endif
