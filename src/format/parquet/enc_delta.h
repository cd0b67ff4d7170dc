/* format/parquet/enc_delta.h: the delta encodings: DELTA_BINARY_PACKED (blocks of 128, four
 * miniblocks), DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY. The raw functions write behind
 * `out`, which must have the bound, and return the bytes written.
 * Source: the encodings page of apache/parquet-format; design "parquet" section 2. */
#ifndef RV_FORMAT_PARQUET_ENC_DELTA_H
#define RV_FORMAT_PARQUET_ENC_DELTA_H

#include "base/buf.h"

size_t rv_pq_dbp_bound(size_t n, unsigned value_bytes);
/* Differences wrap at the type's width. n may be 0. */
size_t rv_pq_dbp32(const uint32_t *values, size_t n, uint8_t *out);
size_t rv_pq_dbp64(const uint64_t *values, size_t n, uint8_t *out);
/* The bytes either would write, without writing. */
size_t rv_pq_dbp32_size(const uint32_t *values, size_t n);
size_t rv_pq_dbp64_size(const uint64_t *values, size_t n);

/* n strings lying back to back in `bytes`. */
typedef struct rv_pq_strings {
    const uint8_t *bytes;
    const uint32_t *lengths;
    size_t n;
} rv_pq_strings;

/* Appends the lengths; DELTA_LENGTH_BYTE_ARRAY is these and then the bytes. */
rv_status rv_pq_dlba_lengths(const rv_pq_strings *s, rv_buf *out, rv_error *err) RV_MUST_USE;
rv_status rv_pq_dba(const rv_pq_strings *s, rv_buf *out, rv_error *err) RV_MUST_USE;
/* Sum of the prefixes each string shares with the one before it. */
size_t rv_pq_shared_prefix_bytes(const rv_pq_strings *s);

#endif
