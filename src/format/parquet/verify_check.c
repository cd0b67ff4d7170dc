#include <string.h>

#include "format/parquet/verify_internal.h"

void rv_pq_check_close(rv_pq_check *c)
{
    rv_pq_reader_close(&c->reader);
    rv_arena_free(&c->arena);
    rv_buf_free(&c->index_bytes);
    rv_pq_range_free(&c->page_range);
    rv_pq_range_free(&c->chunk_range);
    rv_buf_free(&c->used);
}

static rv_status placed(const rv_pq_check *c, rv_status st, rv_error *err)
{
    if (st == RV_OK)
        return st;
    return rv_wrap(err, st, "row group %u, column '%s', column chunk at offset %llu",
                   c->chunk->group, c->chunk->leaf->name, (unsigned long long)c->chunk->start);
}

rv_status rv_pq_check_start(rv_pq_check *c, const rv_pq_file *f, const rv_pq_read_chunk *chunk,
                            rv_pq_shared *shared, rv_verify_level level, rv_error *err)
{
    c->file = f;
    c->chunk = chunk;
    c->level = level;
    c->in_page = c->dict_checked = false;
    c->used_encodings = c->dict_pages = c->dict_coded_pages = 0;
    c->n_used = 0;
    rv_buf_clear(&c->used);
    memset(c->chunk_def, 0, sizeof c->chunk_def);
    memset(c->chunk_rep, 0, sizeof c->chunk_rep);
    rv_pq_range_reset(&c->page_range);
    rv_pq_range_reset(&c->chunk_range);
    rv_pq_reader_start(&c->reader, f, chunk, shared, level >= RV_VERIFY_CRC);
    return placed(c, rv_pq_check_index_load(c, err), err);
}

/* ---- without values ---- */

/* Rows are known without levels in flat columns and in v2 pages. */
static int64_t rows_of_page(const rv_pq_check *c)
{
    const rv_pq_page_header *h = &c->reader.page.header;
    if (h->type == RV_PQ_PAGE_DATA_V2)
        return h->data_v2.num_rows;
    return c->chunk->leaf->max_rep ? -1 : h->data.num_values;
}

rv_status rv_pq_check_walk(rv_pq_check *c, rv_error *err)
{
    int64_t first_row = 0;
    for (;;) {
        bool end = false;
        RV_TRY(rv_pq_reader_skip(&c->reader, &end, err));
        if (end)
            return placed(c, rv_pq_check_index_count(c, err), err);
        if (c->reader.page.is_dict)
            continue;
        rv_status st = rv_pq_check_index_place(c, first_row, err);
        if (st != RV_OK)
            return rv_pq_reader_where(&c->reader, st, err);
        int64_t rows = rows_of_page(c);
        first_row = rows < 0 || first_row < 0 ? -1 : first_row + rows;
    }
}

/* ---- with values ---- */

static void add_histogram(int64_t *into, int64_t *from, unsigned levels)
{
    for (unsigned k = 0; k < levels; k++) {
        into[k] += from[k];
        from[k] = 0;
    }
}

static rv_status leave_page(rv_pq_check *c, rv_error *err)
{
    const rv_pq_read_leaf *leaf = c->chunk->leaf;
    if (!c->in_page || c->level < RV_VERIFY_STATISTICS)
        return RV_OK;
    RV_TRY(rv_pq_check_index_page(c, err));
    RV_TRY(rv_pq_range_merge(leaf->order, &c->chunk_range, &c->page_range, err));
    rv_pq_range_reset(&c->page_range);
    add_histogram(c->chunk_def, c->page_def, leaf->max_def + 1u);
    add_histogram(c->chunk_rep, c->page_rep, leaf->max_rep + 1u);
    return RV_OK;
}

static rv_status enter_page(rv_pq_check *c, const rv_pq_slice *s, rv_error *err)
{
    const rv_pq_page_header *h = &c->reader.page.header;
    int32_t encoding = h->type == RV_PQ_PAGE_DATA ? h->data.encoding : h->data_v2.encoding;
    c->in_page = true;
    c->page = c->reader.page.index;
    c->used_encodings |= 1u << encoding;
    if (c->chunk->leaf->max_def)
        c->used_encodings |= 1u << RV_PQ_RLE;
    if (c->reader.has_dict)
        c->used_encodings |= 1u << RV_PQ_PLAIN;
    c->dict_coded_pages += encoding == RV_PQ_RLE_DICT || encoding == RV_PQ_PLAIN_DICT;
    memset(c->page_def, 0, sizeof c->page_def);
    memset(c->page_rep, 0, sizeof c->page_rep);
    int64_t first_row = s->rep && s->rep[0] ? -1 : c->reader.rows - s->rows;
    return rv_pq_check_index_place(c, first_row, err);
}

/* The entries of a dictionary are checked once, not at each use. */
static rv_status check_contents(rv_pq_check *c, const rv_pq_slice *s, rv_error *err)
{
    if (!s->values.indices)
        return rv_pq_check_values(c->chunk->leaf, &s->values, err);
    if (c->dict_checked)
        return RV_OK;
    const rv_pq_read_dict *d = &c->reader.dict;
    rv_pq_slice_values all = {.n = d->n, .fixed = d->fixed, .spans = d->spans};
    if (rv_pq_fixed_width(c->chunk->leaf->type) == 0)
        all.fixed = NULL;
    c->dict_checked = true;
    return rv_pq_check_values(c->chunk->leaf, &all, err);
}

static rv_status count_used(rv_pq_check *c, const rv_pq_slice_values *v, rv_error *err)
{
    if (!v->indices)
        return RV_OK;
    if (c->used.len == 0) {
        RV_TRY(rv_buf_reserve(&c->used, c->reader.dict.n, err));
        memset(c->used.ptr, 0, c->reader.dict.n);
        c->used.len = c->reader.dict.n;
    }
    for (uint32_t i = 0; i < v->n; i++) {
        c->n_used += !c->used.ptr[v->indices[i]];
        c->used.ptr[v->indices[i]] = 1;
    }
    return RV_OK;
}

static rv_status recompute(rv_pq_check *c, const rv_pq_slice *s, rv_error *err)
{
    rv_pq_range r;
    rv_pq_range_of_slice(c->chunk->leaf, s, &r);
    for (uint32_t i = 0; s->def && i < s->n; i++)
        c->page_def[s->def[i]]++;
    for (uint32_t i = 0; s->rep && i < s->n; i++)
        c->page_rep[s->rep[i]]++;
    if (!s->def)
        c->page_def[0] += s->n;
    if (!s->rep)
        c->page_rep[0] += s->n;
    RV_TRY(count_used(c, &s->values, err));
    return rv_pq_range_merge(c->chunk->leaf->order, &c->page_range, &r, err);
}

static rv_status finish(rv_pq_check *c, rv_error *err)
{
    RV_TRY(leave_page(c, err));
    RV_TRY(rv_pq_check_index_count(c, err));
    if (c->level < RV_VERIFY_STATISTICS)
        return RV_OK;
    RV_TRY(rv_pq_check_index_order(c, err));
    return rv_pq_check_chunk_stats(c, err);
}

static rv_status check_slice(rv_pq_check *c, const rv_pq_slice *s, rv_error *err)
{
    RV_TRY(check_contents(c, s, err));
    return c->level >= RV_VERIFY_STATISTICS ? recompute(c, s, err) : RV_OK;
}

rv_status rv_pq_check_next(rv_pq_check *c, uint32_t max_rows, rv_pq_slice *out, rv_error *err)
{
    RV_TRY(rv_pq_reader_next(&c->reader, max_rows, out, err));
    if (out->end)
        return placed(c, finish(c, err), err);
    if (out->n == 0)
        return RV_OK;
    if (!c->in_page || c->page != c->reader.page.index) {
        RV_TRY(placed(c, leave_page(c, err), err));
        RV_TRY(rv_pq_reader_where(&c->reader, enter_page(c, out, err), err));
    }
    return rv_pq_reader_where(&c->reader, check_slice(c, out, err), err);
}
