#include "format/parquet/blocks.h"

#include "base/file.h"
#include "base/mem.h"

#define SCRATCH_NAME "scratch file"

void rv_pq_log_init(rv_pq_log *log, const char *scratch_dir, uint64_t memory_bytes)
{
    uint64_t blocks = (memory_bytes + RV_PQ_BLOCK_BYTES - 1) / RV_PQ_BLOCK_BYTES;
    *log = (rv_pq_log){.dir = scratch_dir, .fd = -1};
    log->resident_max = scratch_dir && blocks < SIZE_MAX ? (size_t)blocks : 0;
}

static rv_status spill_one(rv_pq_log *log, rv_error *err)
{
    size_t i = log->next_spill;
    if (log->fd < 0)
        RV_TRY(rv_file_scratch(log->dir, &log->fd, err));
    RV_TRY(rv_file_pwrite(log->fd, log->blocks[i], RV_PQ_BLOCK_BYTES,
                          (uint64_t)i * RV_PQ_BLOCK_BYTES, SCRATCH_NAME, err));
    if (log->spare)
        rv_free(log->blocks[i]);
    else
        log->spare = log->blocks[i];
    log->blocks[i] = NULL;
    log->next_spill++;
    log->resident--;
    return RV_OK;
}

/* Index slots live as long as the log; a cleared log reuses the blocks still hanging there. */
static rv_status grow_index(rv_pq_log *log, rv_error *err)
{
    size_t cap = log->cap_blocks ? log->cap_blocks * 2 : 8;
    uint8_t **blocks = rv_realloc_array(log->blocks, cap, sizeof *blocks);
    if (!blocks)
        return rv_fail_memory(err);
    memset(blocks + log->cap_blocks, 0, (cap - log->cap_blocks) * sizeof *blocks);
    log->blocks = blocks;
    log->cap_blocks = cap;
    return RV_OK;
}

static rv_status add_block(rv_pq_log *log, rv_error *err)
{
    if (log->n_blocks == log->cap_blocks)
        RV_TRY(grow_index(log, err));
    if (log->resident_max && log->resident >= log->resident_max && log->next_spill < log->n_blocks)
        RV_TRY(spill_one(log, err));
    uint8_t **slot = &log->blocks[log->n_blocks];
    if (!*slot) {
        *slot = log->spare ? log->spare : rv_alloc(RV_PQ_BLOCK_BYTES);
        log->spare = NULL;
    }
    if (!*slot)
        return rv_fail_memory(err);
    log->n_blocks++;
    log->resident++;
    return RV_OK;
}

rv_status rv_pq_log_add(rv_pq_log *log, const void *data, size_t len, rv_error *err)
{
    const uint8_t *from = data;
    while (len > 0) {
        size_t at = (size_t)(log->len % RV_PQ_BLOCK_BYTES);
        if (at == 0)
            RV_TRY(add_block(log, err));
        size_t step = RV_PQ_BLOCK_BYTES - at < len ? RV_PQ_BLOCK_BYTES - at : len;
        memcpy(log->blocks[log->n_blocks - 1] + at, from, step);
        log->len += step;
        from += step;
        len -= step;
    }
    return RV_OK;
}

rv_status rv_pq_log_spill(rv_pq_log *log, rv_error *err)
{
    if (!log->dir)
        return RV_OK;
    while (log->next_spill < (size_t)(log->len / RV_PQ_BLOCK_BYTES))
        RV_TRY(spill_one(log, err));
    for (size_t i = log->n_blocks; i < log->cap_blocks; i++) {
        rv_free(log->blocks[i]);
        log->blocks[i] = NULL;
    }
    rv_free(log->spare);
    log->spare = NULL;
    return RV_OK;
}

rv_status rv_pq_log_read(rv_pq_log *log, uint64_t at, void *out, size_t len, rv_error *err)
{
    uint8_t *to = out;
    while (len > 0) {
        size_t i = (size_t)(at / RV_PQ_BLOCK_BYTES), off = (size_t)(at % RV_PQ_BLOCK_BYTES);
        size_t step = RV_PQ_BLOCK_BYTES - off < len ? RV_PQ_BLOCK_BYTES - off : len;
        if (log->blocks[i])
            memcpy(to, log->blocks[i] + off, step);
        else
            RV_TRY(rv_file_pread(log->fd, to, step, at, SCRATCH_NAME, err));
        at += step;
        to += step;
        len -= step;
    }
    return RV_OK;
}

rv_status rv_pq_log_write_to(rv_pq_log *log, uint64_t at, uint64_t len, rv_sink sink, rv_error *err)
{
    while (len > 0) {
        size_t i = (size_t)(at / RV_PQ_BLOCK_BYTES), off = (size_t)(at % RV_PQ_BLOCK_BYTES);
        uint64_t room = RV_PQ_BLOCK_BYTES - off;
        size_t step = (size_t)(room < len ? room : len);
        const uint8_t *from = log->blocks[i] ? log->blocks[i] + off : log->pieces;
        if (!from && !(from = log->pieces = rv_alloc(RV_PQ_BLOCK_BYTES)))
            return rv_fail_memory(err);
        if (!log->blocks[i])
            RV_TRY(rv_file_pread(log->fd, log->pieces, step, at, SCRATCH_NAME, err));
        RV_TRY(sink.write(sink.self, (rv_bytes){from, step}, err));
        at += step;
        len -= step;
    }
    return RV_OK;
}

void rv_pq_log_clear(rv_pq_log *log)
{
    size_t kept = 0;
    for (size_t i = 0; i < log->cap_blocks; i++) {
        uint8_t *block = log->blocks[i];
        log->blocks[i] = NULL;
        if (block)
            log->blocks[kept++] = block;
    }
    log->n_blocks = 0;
    log->len = 0;
    log->resident = 0;
    log->next_spill = 0;
}

void rv_pq_log_free(rv_pq_log *log)
{
    for (size_t i = 0; i < log->cap_blocks; i++)
        rv_free(log->blocks[i]);
    rv_free(log->blocks);
    rv_free(log->spare);
    rv_free(log->pieces);
    rv_file_close(log->fd);
    *log = (rv_pq_log){.fd = -1};
}
