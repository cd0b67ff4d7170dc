/* format/parquet/blocks.h: an append-only byte log in 64 KiB blocks. Complete blocks beyond a
 * memory limit go to an unlinked scratch file; positions stay the same, so what is read back
 * never depends on where it lay.
 * Owner: the writer. One thread at a time. */
#ifndef RV_FORMAT_PARQUET_BLOCKS_H
#define RV_FORMAT_PARQUET_BLOCKS_H

#include "base/buf.h"
#include "base/sink.h"

#define RV_PQ_BLOCK_BYTES 65536u

typedef struct rv_pq_log {
    uint8_t **blocks; /* NULL: in the scratch file, at index * RV_PQ_BLOCK_BYTES */
    size_t n_blocks, cap_blocks;
    uint64_t len;
    size_t resident;     /* blocks in memory */
    size_t resident_max; /* 0: no limit */
    size_t next_spill;   /* blocks below it are in the file already */
    uint8_t *spare;      /* one free block, so that clearing and refilling costs nothing */
    uint8_t *pieces;     /* scratch for reading back; one block */
    const char *dir;     /* scratch directory, borrowed; NULL: never spill */
    int fd;
} rv_pq_log;

void rv_pq_log_init(rv_pq_log *log, const char *scratch_dir, uint64_t memory_bytes);
rv_status rv_pq_log_add(rv_pq_log *log, const void *data, size_t len, rv_error *err) RV_MUST_USE;
/* Moves every complete block to the scratch file and frees its memory. */
rv_status rv_pq_log_spill(rv_pq_log *log, rv_error *err) RV_MUST_USE;
/* Bytes [at, at + len) in order. */
rv_status rv_pq_log_write_to(rv_pq_log *log, uint64_t at, uint64_t len, rv_sink sink,
                             rv_error *err) RV_MUST_USE;
rv_status rv_pq_log_read(rv_pq_log *log, uint64_t at, void *out, size_t len,
                         rv_error *err) RV_MUST_USE;
/* Forgets the bytes; keeps the blocks that are in memory for reuse. */
void rv_pq_log_clear(rv_pq_log *log);
void rv_pq_log_free(rv_pq_log *log);

#endif
