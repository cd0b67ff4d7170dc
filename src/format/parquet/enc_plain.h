/* format/parquet/enc_plain.h: PLAIN byte arrays and BYTE_STREAM_SPLIT. Everything else that is
 * PLAIN is the memory of a slab as it lies there.
 * Source: the encodings page of apache/parquet-format. Pure functions but for the buffer. */
#ifndef RV_FORMAT_PARQUET_ENC_PLAIN_H
#define RV_FORMAT_PARQUET_ENC_PLAIN_H

#include "format/parquet/enc_delta.h"

/* u32 length and bytes of every string. */
rv_status rv_pq_plain_strings(const rv_pq_strings *s, rv_buf *out, rv_error *err) RV_MUST_USE;
/* n values of `width` bytes: byte k of every value, k = 0.. */
void rv_pq_split_streams(const uint8_t *values, size_t n, unsigned width, uint8_t *out);

#endif
