#include <inttypes.h>
#include <stdlib.h>

#include "base/checked.h"
#include "format/parquet/verify_internal.h"

typedef struct span {
    uint64_t start, end;
} span;

static rv_status add_span(rv_buf *spans, const rv_pq_file *f, uint64_t start, uint64_t len,
                          rv_error *err)
{
    if (start < RV_PQ_MAGIC_BYTES || start > f->footer_at || len > f->footer_at - start)
        return rv_fail(err, RV_E_CORRUPT,
                       "bytes from offset %" PRIu64 ", %" PRIu64 " long, lie outside the data",
                       start, len);
    span s = {start, start + len};
    return rv_buf_add(spans, &s, sizeof s, err);
}

static rv_status add_chunk(rv_buf *spans, const rv_pq_file *f, const rv_pq_read_chunk *c,
                           rv_error *err)
{
    const rv_pq_column_chunk *m = &c->chunk;
    if (c->end > c->start)
        RV_TRY(add_span(spans, f, c->start, c->end - c->start, err));
    if (m->has & RV_HAS(RV_PQ_CHUNK_OFFSET_INDEX_OFFSET))
        RV_TRY(add_span(spans, f, (uint64_t)m->offset_index_offset,
                        (uint64_t)(int64_t)m->offset_index_length, err));
    if (m->has & RV_HAS(RV_PQ_CHUNK_COLUMN_INDEX_OFFSET))
        RV_TRY(add_span(spans, f, (uint64_t)m->column_index_offset,
                        (uint64_t)(int64_t)m->column_index_length, err));
    if (c->meta.has & RV_HAS(RV_PQ_CHUNK_META_BLOOM_LENGTH))
        RV_TRY(add_span(spans, f, (uint64_t)c->meta.bloom_offset,
                        (uint64_t)(int64_t)c->meta.bloom_length, err));
    return RV_OK;
}

/* Other writers disagree on what these mean; Rivet does not. */
static rv_status check_own_totals(const rv_pq_read_group *g, int64_t raw, int64_t stored,
                                  rv_error *err)
{
    const rv_pq_row_group *m = &g->meta;
    if (m->total_byte_size != raw)
        return rv_fail(err, RV_E_CORRUPT, "%" PRId64 " bytes, the columns have %" PRId64,
                       m->total_byte_size, raw);
    if ((m->has & RV_HAS(RV_PQ_GROUP_COMPRESSED)) && m->total_compressed != stored)
        return rv_fail(err, RV_E_CORRUPT, "%" PRId64 " compressed bytes, the columns have %" PRId64,
                       m->total_compressed, stored);
    if ((m->has & RV_HAS(RV_PQ_GROUP_FILE_OFFSET)) && m->columns.n &&
        (uint64_t)m->file_offset != g->chunks[0].start)
        return rv_fail(err, RV_E_CORRUPT, "offset %" PRId64 ", the first column begins at %" PRIu64,
                       m->file_offset, g->chunks[0].start);
    if ((m->has & RV_HAS(RV_PQ_GROUP_ORDINAL)) && m->ordinal != (int64_t)g->index)
        return rv_fail(err, RV_E_CORRUPT, "ordinal %d", m->ordinal);
    return RV_OK;
}

static rv_status add_group(const rv_pq_file *f, const rv_pq_read_group *g, rv_buf *spans,
                           rv_error *err)
{
    int64_t raw = 0, stored = 0;
    for (uint32_t i = 0; i < f->n_leaves; i++) {
        const rv_pq_read_chunk *c = &g->chunks[i];
        rv_status st = add_chunk(spans, f, c, err);
        if (st != RV_OK)
            return rv_wrap(err, st, "column '%s'", c->leaf->name);
        if (!rv_add_i64(raw, c->meta.total_uncompressed, &raw) ||
            !rv_add_i64(stored, c->meta.total_compressed, &stored))
            return rv_fail(err, RV_E_CORRUPT, "the sizes overflow");
    }
    return f->own ? check_own_totals(g, raw, stored, err) : RV_OK;
}

static rv_status collect(const rv_pq_file *f, rv_buf *spans, rv_error *err)
{
    rv_arena arena = RV_ARENA_INIT;
    int64_t rows = 0;
    rv_status st = RV_OK;
    for (uint32_t i = 0; i < f->meta.row_groups.n; i++) {
        rv_pq_read_group g;
        RV_GO(rv_pq_group_read(f, i, &arena, &g, err));
        st = add_group(f, &g, spans, err);
        if (st == RV_OK && !rv_add_i64(rows, g.meta.num_rows, &rows))
            st = rv_fail(err, RV_E_CORRUPT, "the row counts overflow");
        if (st != RV_OK) {
            st = rv_wrap(err, st, "row group %u in the footer at offset %" PRIu64, i, f->footer_at);
            goto done;
        }
        rv_arena_free(&arena);
    }
    if (rows != f->meta.num_rows)
        st =
            rv_fail(err, RV_E_CORRUPT, "row groups hold %" PRId64 " rows, the footer says %" PRId64,
                    rows, f->meta.num_rows);
done:
    rv_arena_free(&arena);
    return st;
}

static int by_start(const void *a, const void *b)
{
    const span *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

/* Disjoint; in Rivet's own files without a gap either. */
static rv_status check_spans(const rv_pq_file *f, span *spans, size_t n, rv_error *err)
{
    uint64_t at = RV_PQ_MAGIC_BYTES;
    if (n)
        qsort(spans, n, sizeof *spans, by_start);
    for (size_t i = 0; i < n; i++) {
        if (spans[i].start < at)
            return rv_fail(err, RV_E_CORRUPT, "bytes at offset %" PRIu64 " belong to two parts",
                           spans[i].start);
        if (f->own && spans[i].start > at)
            return rv_fail(err, RV_E_CORRUPT, "bytes at offset %" PRIu64 " belong to nothing", at);
        at = spans[i].end;
    }
    if (f->own && at != f->footer_at)
        return rv_fail(err, RV_E_CORRUPT, "bytes at offset %" PRIu64 " belong to nothing", at);
    return RV_OK;
}

rv_status rv_pq_check_structure(const rv_pq_file *f, rv_error *err)
{
    rv_buf spans = RV_BUF_INIT;
    rv_status st = collect(f, &spans, err);
    if (st == RV_OK)
        st = check_spans(f, (span *)(void *)spans.ptr, spans.len / sizeof(span), err);
    rv_buf_free(&spans);
    return st;
}
