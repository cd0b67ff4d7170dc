/* column/canonical.h: the one byte form of a value that checksums, row hashes and uniqueness
 * share. Source: spec "types" section 10, design "parquet" section 5. Pure functions.
 *
 * Canonical bytes never include the type's tag; each user adds its own framing:
 *   checksum cell      tag, canonical bytes (NULL: the tag 00 alone); seeded by the column name
 *   list element       00, or 01 + u32 LE length + canonical bytes of the element's type
 *   rivet-rowhash-v1   per column 00 (NULL), 01 + u32 LE length + canonical bytes, or for a list
 *                      02 + canonical bytes (u64 LE count, framed elements); the row hash is the
 *                      low 64 bits of XXH3-128, seed 0, over all columns' frames */
#ifndef RV_COLUMN_CANONICAL_H
#define RV_COLUMN_CANONICAL_H

#include "base/buf.h"
#include "column/batch.h"
#include "column/decimal.h"

uint8_t rv_canonical_tag(rv_type t);
/* A cell for hashing outside the builder (the Parquet reader, tests). Exactly one member is
 * read, chosen by the type's layout. */
typedef struct rv_cell {
    bool null;
    int64_t i64;                 /* bool, ints, uint64 bit pattern, temporals */
    double f64;                  /* float32 widened exactly, float64 */
    rv_i256 dec;                 /* decimals */
    rv_bytes bytes;              /* VAR kinds; uuid: 16 bytes */
    const struct rv_cell *elems; /* list */
    size_t n_elems;
} rv_cell;
/* Present value k of a non-list column as a cell; bytes point into the column. */
rv_cell rv_cell_of(const rv_col *col, uint32_t k);
/* Appends tag and canonical bytes (NULL: the tag 00 alone). */
rv_status rv_canonical_append(rv_type t, const rv_cell *cell, rv_buf *out,
                              rv_error *err) RV_MUST_USE;
/* Appends one column's frame of the row hash. */
rv_status rv_canonical_frame(rv_type t, const rv_cell *cell, rv_buf *out,
                             rv_error *err) RV_MUST_USE;
/* XXH3_64 of the same as rv_canonical_append with seed = XXH3_64(column name). scratch is reused.
 */
uint64_t rv_canonical_seed(rv_str column_name);
rv_status rv_canonical_hash(rv_type t, const rv_cell *cell, uint64_t seed, rv_buf *scratch,
                            uint64_t *out, rv_error *err) RV_MUST_USE;
/* The same for n present values as a file holds them, a column at a time: `width` little-endian
 * bytes each (4 or 8: integers, dates, times; unscaled decimals), doubles, or byte strings. */
void rv_canonical_hash_ints(uint8_t tag, const uint8_t *values, unsigned width, uint32_t n,
                            uint64_t seed, uint64_t *out);
void rv_canonical_hash_decimals(uint8_t scale, const uint8_t *values, unsigned width, uint32_t n,
                                uint64_t seed, uint64_t *out);
void rv_canonical_hash_doubles(const uint8_t *values, uint32_t n, uint64_t seed, uint64_t *out);
void rv_canonical_hash_spans(uint8_t tag, const rv_bytes *spans, uint32_t n, uint64_t seed,
                             uint64_t *out);
/* XXH3_128 over n cell hashes as little-endian u64. */
rv_u128 rv_canonical_row(const uint64_t *cells, size_t n);

#endif
