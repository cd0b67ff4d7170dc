/* format/parquet/verify_internal.h: what the files verify_*.c share. A check belongs to one leaf
 * and lives for the whole file; memory per leaf is its open page, its dictionary and the page
 * index of one chunk. Everything fails with RV_E_CORRUPT; the caller adds the place. */
#ifndef RV_FORMAT_PARQUET_VERIFY_INTERNAL_H
#define RV_FORMAT_PARQUET_VERIFY_INTERNAL_H

#include "column/canonical.h"
#include "format/parquet/reader.h"

/* ---- smallest and largest value ---- */

typedef union rv_pq_bound {
    int64_t i;
    uint64_t u;
    double f;
    rv_bytes b;
} rv_pq_bound;

typedef struct rv_pq_range {
    uint64_t values; /* present ones */
    uint64_t nulls;
    uint64_t nans;
    uint64_t bytes; /* of BYTE_ARRAY values */
    bool any;       /* min and max are set */
    rv_pq_bound min, max;
    rv_buf min_copy, max_copy; /* when the bounds are bytes */
} rv_pq_range;

int rv_pq_range_cmp(rv_pq_leaf_order order, rv_pq_bound a, rv_pq_bound b);
/* Of a slice; byte bounds point into it. */
void rv_pq_range_of_slice(const rv_pq_read_leaf *leaf, const rv_pq_slice *s, rv_pq_range *out);
/* Widens `into`, copying bytes. */
rv_status rv_pq_range_merge(rv_pq_leaf_order order, rv_pq_range *into, const rv_pq_range *more,
                            rv_error *err) RV_MUST_USE;
void rv_pq_range_reset(rv_pq_range *r); /* keeps memory */
void rv_pq_range_free(rv_pq_range *r);
/* A bound as the footer stores it; false when its length does not fit or it is NaN. */
bool rv_pq_bound_parse(const rv_pq_read_leaf *leaf, rv_bytes stored, rv_pq_bound *out);

/* ---- one leaf under verification ---- */

typedef struct rv_pq_check {
    const rv_pq_file *file;
    const rv_pq_read_chunk *chunk;
    rv_verify_level level;
    rv_pq_reader reader;
    /* page index of the chunk */
    rv_arena arena;
    rv_buf index_bytes;
    rv_pq_offset_index offsets;
    rv_pq_column_index columns;
    bool has_offsets;
    bool has_columns;
    /* recomputed */
    bool in_page;
    uint32_t page; /* whose range this is */
    rv_pq_range page_range;
    rv_pq_range chunk_range;
    int64_t page_def[RV_PQ_NESTING_MAX + 1], page_rep[RV_PQ_NESTING_MAX + 1];
    int64_t chunk_def[RV_PQ_NESTING_MAX + 1], chunk_rep[RV_PQ_NESTING_MAX + 1];
    uint32_t used_encodings; /* bits */
    uint32_t dict_pages, dict_coded_pages;
    rv_buf used; /* dictionary entries met, a byte each */
    uint64_t n_used;
    bool dict_checked;
} rv_pq_check;

void rv_pq_check_close(rv_pq_check *c);
/* Loads the page indexes and readies the reader. */
rv_status rv_pq_check_start(rv_pq_check *c, const rv_pq_file *f, const rv_pq_read_chunk *chunk,
                            rv_pq_shared *shared, rv_verify_level level, rv_error *err) RV_MUST_USE;
/* Next slice, verified; as rv_pq_reader_next. */
rv_status rv_pq_check_next(rv_pq_check *c, uint32_t max_rows, rv_pq_slice *out,
                           rv_error *err) RV_MUST_USE;
/* All pages without values: places, totals, and CRCs from level 2 on. */
rv_status rv_pq_check_walk(rv_pq_check *c, rv_error *err) RV_MUST_USE;

/* Values against the leaf's annotation: UTF-8, decimal precision, narrow integers. */
rv_status rv_pq_check_values(const rv_pq_read_leaf *leaf, const rv_pq_slice_values *v,
                             rv_error *err) RV_MUST_USE;

/* ---- statistics and page indexes (level 4) ---- */

rv_status rv_pq_check_chunk_stats(const rv_pq_check *c, rv_error *err) RV_MUST_USE;
rv_status rv_pq_check_index_load(rv_pq_check *c, rv_error *err) RV_MUST_USE;
/* The page at hand lies where the offset index says; first_row < 0: not known. */
rv_status rv_pq_check_index_place(const rv_pq_check *c, int64_t first_row,
                                  rv_error *err) RV_MUST_USE;
rv_status rv_pq_check_index_count(const rv_pq_check *c, rv_error *err) RV_MUST_USE;
rv_status rv_pq_check_index_page(const rv_pq_check *c, rv_error *err) RV_MUST_USE;
rv_status rv_pq_check_index_order(const rv_pq_check *c, rv_error *err) RV_MUST_USE;

/* ---- structure (level 1) ---- */

rv_status rv_pq_check_structure(const rv_pq_file *f, rv_error *err) RV_MUST_USE;

/* ---- rivet-checksum-v1 (level 5) ---- */

typedef struct rv_pq_sum rv_pq_sum;
/* types: one per top-level column, which can hold it; borrowed, as is the file. */
rv_status rv_pq_sum_open(const rv_pq_file *f, const rv_type *types, rv_pq_sum **out,
                         rv_error *err) RV_MUST_USE;
void rv_pq_sum_close(rv_pq_sum *s);
/* A row group begins: what is known of dictionaries is void. */
void rv_pq_sum_group(rv_pq_sum *s);
/* The next slice of a column; rows fill up in the order of the calls. */
rv_status rv_pq_sum_slice(rv_pq_sum *s, const rv_pq_check *c, const rv_pq_slice *slice,
                          rv_error *err) RV_MUST_USE;
/* The last row a column began is complete (matters for lists). */
void rv_pq_sum_row_end(rv_pq_sum *s, uint32_t column);
/* The hashes of a column's rows since the last fold. */
const uint64_t *rv_pq_sum_cells(const rv_pq_sum *s, uint32_t column, uint64_t *out_null_hash);
/* Every column holds the same number of rows, at most RV_PQ_SLICE: folds and forgets them. */
void rv_pq_sum_rows(rv_pq_sum *s, uint32_t rows);
/* Copies the sums into the arena. */
rv_status rv_pq_sum_result(const rv_pq_sum *s, rv_arena *arena, rv_sums *out,
                           rv_error *err) RV_MUST_USE;

/* ---- what the footer says (verify_footer.c) ---- */

/* The canonical types of the top-level columns as rivet.types has them, one per column in the
 * arena, each checked against what the column can hold; NULL in *out when the key is absent. */
rv_status rv_pq_types_read(const rv_pq_file *f, rv_arena *arena, rv_type **out,
                           rv_error *err) RV_MUST_USE;
/* Sets has_checksum, checksum_matches and mismatch from out->sums and rivet.checksum. */
rv_status rv_pq_checksum_compare(const rv_pq_file *f, rv_verify_result *out,
                                 rv_error *err) RV_MUST_USE;

/* ---- cells ---- */

/* The text of one cell, for those stored as text by `encoding: compatible`. */
rv_status rv_pq_cell_from_text(rv_type t, rv_str text, rv_cell *out, uint8_t uuid[16],
                               rv_error *err) RV_MUST_USE;
/* Present value i of a slice as a cell of type t (no list); uuid holds parsed bytes. */
rv_status rv_pq_cell_from_value(rv_type t, const rv_pq_read_leaf *leaf, const rv_pq_slice_values *v,
                                uint32_t i, rv_cell *out, uint8_t uuid[16],
                                rv_error *err) RV_MUST_USE;

/* A list stored as JSON text: appends its canonical bytes without the tag; scratch is reused. */
rv_status rv_pq_list_from_text(rv_type list, rv_str text, rv_buf *scratch, rv_buf *out,
                               rv_error *err) RV_MUST_USE;
/* Appends an element as canonical bytes have it: 00, or 01, length and bytes. */
rv_status rv_pq_list_element(rv_type elem, const rv_cell *cell, rv_buf *out,
                             rv_error *err) RV_MUST_USE;

#endif
