/* format/parquet/writer.h: the Parquet writer behind rv_format_parquet; where row groups end.
 * Owner: whoever opened it. One thread at a time. Source: design "parquet" section 3, spec
 * "config" section 9. */
#ifndef RV_FORMAT_PARQUET_WRITER_H
#define RV_FORMAT_PARQUET_WRITER_H

#include "format/format.h"

typedef struct rv_pq_writer rv_pq_writer;

rv_status rv_pq_writer_check(const rv_schema *schema, const rv_format_opts *opts,
                             rv_error *err) RV_MUST_USE;
rv_status rv_pq_writer_open(const rv_schema *schema, const rv_format_opts *opts, rv_sink sink,
                            rv_pq_writer **out, rv_error *err) RV_MUST_USE;
rv_status rv_pq_writer_write(rv_pq_writer *w, const rv_batch *batch, rv_error *err) RV_MUST_USE;
uint64_t rv_pq_writer_encoded_bytes(const rv_pq_writer *w);
rv_status rv_pq_writer_spill(rv_pq_writer *w, rv_error *err) RV_MUST_USE;
rv_status rv_pq_writer_finish(rv_pq_writer *w, const rv_sums *sums, rv_file_stats *out,
                              rv_error *err) RV_MUST_USE;
void rv_pq_writer_close(rv_pq_writer *w);

#endif
