/* format/parquet/chunk_meta.h: the thrift forms of a finished chunk: column metadata, page
 * offsets, page bounds. Source: parquet.thrift; design "parquet" section 1. */
#ifndef RV_FORMAT_PARQUET_CHUNK_META_H
#define RV_FORMAT_PARQUET_CHUNK_META_H

#include "format/parquet/column.h"

/* Each appends to out; `offset` is where the chunk begins in the file. An index that cannot be
 * written (a page of NaN only) appends nothing. */
rv_status rv_pq_chunk_meta(const rv_pq_column *c, rv_pq_codec codec, uint64_t offset, rv_buf *out,
                           rv_error *err) RV_MUST_USE;
rv_status rv_pq_chunk_offset_index(const rv_pq_column *c, uint64_t offset, rv_arena *arena,
                                   rv_buf *out, rv_error *err) RV_MUST_USE;
rv_status rv_pq_chunk_column_index(const rv_pq_column *c, rv_arena *arena, rv_buf *out,
                                   rv_error *err) RV_MUST_USE;

#endif
