#include "format/parquet/group.h"

#include "format/parquet/chunk_meta.h"

#define LEDGER_LOG_BYTES ((uint64_t)512 << 10)

void rv_pq_ledger_init(rv_pq_ledger *l, const char *scratch_dir)
{
    *l = (rv_pq_ledger){.groups = 0};
    rv_pq_log_init(&l->chunks, scratch_dir, LEDGER_LOG_BYTES);
    rv_pq_log_init(&l->column_indexes, scratch_dir, LEDGER_LOG_BYTES);
    rv_pq_log_init(&l->offset_indexes, scratch_dir, LEDGER_LOG_BYTES);
}

rv_status rv_pq_ledger_spill(rv_pq_ledger *l, rv_error *err)
{
    RV_TRY(rv_pq_log_spill(&l->chunks, err));
    RV_TRY(rv_pq_log_spill(&l->column_indexes, err));
    return rv_pq_log_spill(&l->offset_indexes, err);
}

void rv_pq_ledger_free(rv_pq_ledger *l)
{
    rv_pq_log_free(&l->chunks);
    rv_pq_log_free(&l->column_indexes);
    rv_pq_log_free(&l->offset_indexes);
}

rv_status rv_pq_out_write(rv_pq_out *out, rv_bytes data, rv_error *err)
{
    RV_TRY(out->sink.write(out->sink.self, data, err));
    out->offset += data.len;
    return RV_OK;
}

rv_status rv_pq_out_log(rv_pq_out *out, rv_pq_log *log, uint64_t at, uint64_t len, rv_error *err)
{
    RV_TRY(rv_pq_log_write_to(log, at, len, out->sink, err));
    out->offset += len;
    return RV_OK;
}

static rv_status write_pages(const rv_pq_column *c, rv_pq_log *log, rv_pq_out *out, rv_error *err)
{
    const rv_pq_page_rec *p = (const void *)c->chunk.pages.ptr;
    if (c->chunk.dict_page.size > 0)
        RV_TRY(rv_pq_out_log(out, log, c->chunk.dict_page.at, c->chunk.dict_page.size, err));
    for (size_t i = 0; i < rv_pq_chunk_n_pages(&c->chunk); i++)
        RV_TRY(rv_pq_out_log(out, log, p[i].stored.at, p[i].stored.size, err));
    return RV_OK;
}

static rv_status add_indexes(const rv_pq_column *c, uint64_t offset, rv_pq_ledger *ledger,
                             rv_buf *scratch, rv_pq_chunk_head *head, rv_error *err)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_status st = RV_OK;
    rv_buf_clear(scratch);
    RV_GO(rv_pq_chunk_column_index(c, &arena, scratch, err));
    RV_GO(rv_pq_log_add(&ledger->column_indexes, scratch->ptr, scratch->len, err));
    head->column_index_len = (uint32_t)scratch->len;
    rv_buf_clear(scratch);
    RV_GO(rv_pq_chunk_offset_index(c, offset, &arena, scratch, err));
    RV_GO(rv_pq_log_add(&ledger->offset_indexes, scratch->ptr, scratch->len, err));
    head->offset_index_len = (uint32_t)scratch->len;
done:
    rv_arena_free(&arena);
    return st;
}

static rv_status record_chunk(const rv_pq_column *c, rv_pq_codec codec, uint64_t offset,
                              rv_pq_ledger *ledger, rv_buf *scratch, rv_error *err)
{
    rv_pq_chunk_head head = {.meta_len = 0};
    RV_TRY(add_indexes(c, offset, ledger, scratch, &head, err));
    rv_buf_clear(scratch);
    RV_TRY(rv_pq_chunk_meta(c, codec, offset, scratch, err));
    head.meta_len = (uint32_t)scratch->len;
    RV_TRY(rv_pq_log_add(&ledger->chunks, &head, sizeof head, err));
    return rv_pq_log_add(&ledger->chunks, scratch->ptr, scratch->len, err);
}

rv_status rv_pq_group_write(rv_pq_column *columns, size_t n_columns, uint64_t rows,
                            rv_pq_shop *shop, rv_pq_out *out, rv_pq_ledger *ledger, rv_error *err)
{
    rv_pq_group_tail tail = {.rows = rows, .offset = out->offset};
    for (size_t i = 0; i < n_columns; i++) {
        rv_pq_column *c = &columns[i];
        uint64_t offset = out->offset;
        RV_TRY(rv_pq_column_finish(c, shop, err));
        RV_TRY(write_pages(c, shop->log, out, err));
        RV_TRY(record_chunk(c, shop->press.codec_id, offset, ledger, &shop->press.body, err));
        tail.raw_bytes += c->chunk.raw_bytes;
        tail.stored_bytes += c->chunk.stored_bytes;
        rv_pq_column_next_group(c);
    }
    rv_pq_log_clear(shop->log);
    ledger->groups++;
    ledger->rows += rows;
    return rv_pq_log_add(&ledger->chunks, &tail, sizeof tail, err);
}
