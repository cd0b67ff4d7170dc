/* format/parquet/group.h: writes a finished row group and keeps its metadata serialised until
 * the footer.
 * Source: parquet.thrift; design "parquet" sections 1 and 3. */
#ifndef RV_FORMAT_PARQUET_GROUP_H
#define RV_FORMAT_PARQUET_GROUP_H

#include "format/parquet/column.h"

/* Metadata of the groups written, as bytes that may lie in scratch files. `chunks` holds per
 * group one rv_pq_chunk_head and column metadata for every column, then one rv_pq_group_tail. */
typedef struct rv_pq_ledger {
    rv_pq_log chunks, column_indexes, offset_indexes;
    uint64_t groups, rows;
} rv_pq_ledger;
typedef struct rv_pq_chunk_head {
    uint32_t meta_len, column_index_len, offset_index_len; /* a length of 0: there is none */
} rv_pq_chunk_head;
typedef struct rv_pq_group_tail {
    uint64_t rows, raw_bytes, stored_bytes, offset;
} rv_pq_group_tail;

void rv_pq_ledger_init(rv_pq_ledger *l, const char *scratch_dir);
rv_status rv_pq_ledger_spill(rv_pq_ledger *l, rv_error *err) RV_MUST_USE;
void rv_pq_ledger_free(rv_pq_ledger *l);

/* Bytes to the file, counted. */
typedef struct rv_pq_out {
    rv_sink sink;
    uint64_t offset;
} rv_pq_out;
rv_status rv_pq_out_write(rv_pq_out *out, rv_bytes data, rv_error *err) RV_MUST_USE;
rv_status rv_pq_out_log(rv_pq_out *out, rv_pq_log *log, uint64_t at, uint64_t len,
                        rv_error *err) RV_MUST_USE;

/* Finishes the columns, writes their chunks in schema order, records them, and makes the columns
 * and the page log ready for the next group. */
rv_status rv_pq_group_write(rv_pq_column *columns, size_t n_columns, uint64_t rows,
                            rv_pq_shop *shop, rv_pq_out *out, rv_pq_ledger *ledger,
                            rv_error *err) RV_MUST_USE;

#endif
