/* column/builder.h: grows columns row by row and freezes them into a batch, folding the
 * checksums of design "parquet" section 5 from the value the driver gave, before any encoder.
 * Owner: opener. Threads: one at a time; a frozen batch may travel to another thread and comes
 * back through rv_builder_recycle (from any thread).
 *
 *   for each row: one append per column, in any order, then rv_builder_row_end
 *   rv_builder_full -> rv_builder_freeze -> ... -> rv_builder_recycle
 *
 * Appends fail with RV_E_VALUE (does not fit the type; text without row identity, the driver
 * wraps it), RV_E_VALUE_TOO_LARGE or RV_E_MEMORY; after a failure only row_undo or close. */
#ifndef RV_COLUMN_BUILDER_H
#define RV_COLUMN_BUILDER_H

#include "column/batch.h"

typedef struct rv_builder rv_builder;

typedef struct rv_builder_opts {
    const rv_schema *schema;  /* meta columns appended last; borrowed, outlives the builder */
    uint32_t max_rows;        /* rows per batch, 1..65536 */
    uint64_t max_bytes;       /* a batch is full beyond this; one larger row is still taken */
    uint64_t max_value_bytes; /* one VAR cell; 0 = up to 1 GiB */
    unsigned batches;         /* batches alive at once (frozen and filling), >= 2 */
    /* Meta columns present in the schema's tail: */
    bool exported_at;
    int64_t exported_at_us;
    bool row_hash;
    const uint32_t
        *row_hash_columns; /* schema indexes, in framing order; NULL = all source columns */
    size_t n_row_hash_columns;
    bool invalid_utf8_replace; /* on_invalid_utf8: replace (counted); else RV_E_VALUE */
} rv_builder_opts;

rv_status rv_builder_open(const rv_builder_opts *opts, rv_builder **out, rv_error *err) RV_MUST_USE;
void rv_builder_close(rv_builder *b);

/* One cell of the row under construction. `col` is a schema index. */
rv_status rv_builder_null(rv_builder *b, uint32_t col, rv_error *err) RV_MUST_USE;
/* Counts the cell as replaced by policy as well (zero date, failed override). */
rv_status rv_builder_null_replaced(rv_builder *b, uint32_t col, rv_error *err) RV_MUST_USE;
rv_status rv_builder_bool(rv_builder *b, uint32_t col, bool v, rv_error *err) RV_MUST_USE;
/* int16, int32, int64 (range-checked), date, time (0 <= v < 24 h), timestamps. */
rv_status rv_builder_i64(rv_builder *b, uint32_t col, int64_t v, rv_error *err) RV_MUST_USE;
rv_status rv_builder_u64(rv_builder *b, uint32_t col, uint64_t v, rv_error *err) RV_MUST_USE;
rv_status rv_builder_f64(rv_builder *b, uint32_t col, double v,
                         rv_error *err) RV_MUST_USE; /* float64 */
rv_status rv_builder_f32(rv_builder *b, uint32_t col, float v,
                         rv_error *err) RV_MUST_USE; /* float32 */
/* Decimals: unscaled integer at the column's scale (precision checked), or exact text. */
rv_status rv_builder_decimal_i64(rv_builder *b, uint32_t col, int64_t unscaled,
                                 rv_error *err) RV_MUST_USE;
rv_status rv_builder_decimal_i128(rv_builder *b, uint32_t col, rv_i128 unscaled,
                                  rv_error *err) RV_MUST_USE;
rv_status rv_builder_decimal_text(rv_builder *b, uint32_t col, rv_str text,
                                  rv_error *err) RV_MUST_USE;
/* string, binary, json, enum, interval. Text kinds are validated as UTF-8. */
rv_status rv_builder_bytes(rv_builder *b, uint32_t col, rv_bytes v, rv_error *err) RV_MUST_USE;
rv_status rv_builder_uuid(rv_builder *b, uint32_t col, const uint8_t v[16],
                          rv_error *err) RV_MUST_USE;
/* Text that becomes whatever the column's type is (the text decoders of spec "types" section 8:
 * integers, floats, bool true/false/t/f/1/0, decimal, ISO temporals, uuid, json, string; binary
 * takes the bytes). RV_E_VALUE when it does not parse. */
rv_status rv_builder_text(rv_builder *b, uint32_t col, rv_str text, rv_error *err) RV_MUST_USE;
/* Lists: begin, then one append per element (the same functions, same col), then end. */
rv_status rv_builder_list_begin(rv_builder *b, uint32_t col, rv_error *err) RV_MUST_USE;
rv_status rv_builder_list_end(rv_builder *b, uint32_t col, rv_error *err) RV_MUST_USE;

/* XXH3-128 over the cell hashes of the first n_columns of the row under construction
 * (what cursor ties remember). Every one of them must have been appended. */
rv_u128 rv_builder_row_digest(const rv_builder *b, size_t n_columns);
/* Adds meta columns, checks every column got exactly one cell (assert), folds, counts. */
rv_status rv_builder_row_end(rv_builder *b, rv_error *err) RV_MUST_USE;
/* Forgets the row under construction, complete or not. */
void rv_builder_row_undo(rv_builder *b);

uint32_t rv_builder_rows(const rv_builder *b);
uint64_t rv_builder_bytes_used(const rv_builder *b);
bool rv_builder_full(const rv_builder *b);
/* Lowers the row limit of the batch being filled (batch edges that must meet a boundary). */
void rv_builder_limit_rows(rv_builder *b, uint32_t max_rows);
/* Freezes the rows so far (may be 0) and starts the next batch; waits until one was recycled.
 * The row limit returns to opts.max_rows. */
rv_status rv_builder_freeze(rv_builder *b, rv_batch **out, rv_error *err) RV_MUST_USE;
void rv_builder_recycle(rv_builder *b, rv_batch *batch);
/* Frees grown memory of idle batches back to the heap (RSS guard). */
void rv_builder_trim(rv_builder *b);
/* Wakes a waiting freeze, which then fails with RV_E_INTERRUPTED (the writer is gone). */
void rv_builder_shut(rv_builder *b);

#endif
