#include <inttypes.h>

#include "format/parquet/verify_internal.h"

/* ---- loading ---- */

static rv_status load(rv_pq_check *c, int64_t offset, int32_t length, const rv_thrift_desc *desc,
                      void *out, size_t at, rv_error *err)
{
    if (offset < (int64_t)RV_PQ_MAGIC_BYTES || length <= 0 ||
        (uint64_t)offset + (uint64_t)length > c->file->footer_at)
        return rv_fail(err, RV_E_CORRUPT, "%s at offset %" PRId64 ", length %d, lies outside",
                       desc->name, offset, length);
    uint8_t *bytes = c->index_bytes.ptr + at;
    RV_TRY(c->file->in.read(c->file->in.self, (uint64_t)offset, bytes, (size_t)length, err));
    size_t used = 0;
    rv_status st =
        rv_thrift_read(desc, (rv_bytes){bytes, (size_t)length}, &c->arena, out, &used, err);
    if (st == RV_OK && c->file->own)
        st = rv_pq_own_form(desc, out, (rv_bytes){bytes, (size_t)length}, err);
    return st == RV_OK ? st : rv_wrap(err, st, "%s at offset %" PRId64, desc->name, offset);
}

static rv_status check_lists(const rv_pq_check *c, rv_error *err)
{
    const rv_pq_column_index *ci = &c->columns;
    size_t n = ci->null_pages.n;
    bool ok = ci->mins.n == n && ci->maxs.n == n &&
              (!ci->null_counts.n || ci->null_counts.n == n) &&
              (!ci->nan_counts.n || ci->nan_counts.n == n);
    if (!ok || ci->boundary_order < RV_PQ_UNORDERED || ci->boundary_order > RV_PQ_DESCENDING)
        return rv_fail(err, RV_E_CORRUPT, "column index: lists of different lengths");
    size_t defs = ci->def_histograms.n, reps = ci->rep_histograms.n;
    if ((defs && defs != n * (c->chunk->leaf->max_def + 1u)) ||
        (reps && reps != n * (c->chunk->leaf->max_rep + 1u)))
        return rv_fail(err, RV_E_CORRUPT, "column index: histograms of an odd length");
    return RV_OK;
}

/* What Rivet always writes into an index. */
static rv_status check_own_lists(const rv_pq_check *c, rv_error *err)
{
    const rv_pq_read_leaf *leaf = c->chunk->leaf;
    bool is_float = leaf->order == RV_PQ_BY_F32 || leaf->order == RV_PQ_BY_F64;
    uint32_t offsets = leaf->type == RV_PQ_BYTE_ARRAY ? RV_HAS(RV_PQ_OFFSET_INDEX_UNENCODED) : 0;
    uint32_t columns = RV_HAS(RV_PQ_COLUMN_INDEX_NULLS) |
                       (is_float ? RV_HAS(RV_PQ_COLUMN_INDEX_NANS) : 0) |
                       (leaf->max_rep ? RV_HAS(RV_PQ_COLUMN_INDEX_REP) : 0) |
                       (leaf->max_rep ? RV_HAS(RV_PQ_COLUMN_INDEX_DEF) : 0);
    if ((c->has_offsets && (c->offsets.has & offsets) != offsets) ||
        (c->has_columns && (c->columns.has & columns) != columns))
        return rv_fail(err, RV_E_CORRUPT, "a list is missing from the page indexes");
    return RV_OK;
}

rv_status rv_pq_check_index_load(rv_pq_check *c, rv_error *err)
{
    const rv_pq_column_chunk *m = &c->chunk->chunk;
    rv_arena_free(&c->arena);
    rv_buf_clear(&c->index_bytes);
    c->has_offsets = m->has & RV_HAS(RV_PQ_CHUNK_OFFSET_INDEX_OFFSET);
    c->has_columns = m->has & RV_HAS(RV_PQ_CHUNK_COLUMN_INDEX_OFFSET);
    size_t offsets_len =
        c->has_offsets && m->offset_index_length > 0 ? (size_t)m->offset_index_length : 0;
    size_t columns_len =
        c->has_columns && m->column_index_length > 0 ? (size_t)m->column_index_length : 0;
    if (offsets_len + columns_len > c->file->in.size_bytes)
        return rv_fail(err, RV_E_CORRUPT, "page indexes larger than the file");
    RV_TRY(rv_buf_reserve(&c->index_bytes, offsets_len + columns_len + 1, err));
    if (c->has_offsets)
        RV_TRY(load(c, m->offset_index_offset, m->offset_index_length, &rv_pq_offset_index_desc,
                    &c->offsets, 0, err));
    if (c->has_columns) {
        RV_TRY(load(c, m->column_index_offset, m->column_index_length, &rv_pq_column_index_desc,
                    &c->columns, offsets_len, err));
        RV_TRY(check_lists(c, err));
    }
    return c->file->own ? check_own_lists(c, err) : RV_OK;
}

/* ---- places ---- */

rv_status rv_pq_check_index_place(const rv_pq_check *c, int64_t first_row, rv_error *err)
{
    const rv_pq_read_page *p = &c->reader.page;
    if (!c->has_offsets)
        return RV_OK;
    if (p->index >= c->offsets.pages.n)
        return rv_fail(err, RV_E_CORRUPT, "the offset index has only %zu pages",
                       c->offsets.pages.n);
    const rv_pq_page_location *l = &c->offsets.pages.items[p->index];
    uint64_t size = p->body_at + p->body_len - p->offset;
    if (l->offset != (int64_t)p->offset || (uint64_t)l->size != size)
        return rv_fail(err, RV_E_CORRUPT,
                       "the offset index has page %u at %" PRId64 " with %d bytes, it has %" PRIu64,
                       p->index, l->offset, l->size, size);
    if (first_row >= 0 && l->first_row != first_row)
        return rv_fail(err, RV_E_CORRUPT,
                       "the offset index says page %u begins with row %" PRId64 ", it is %" PRId64,
                       p->index, l->first_row, first_row);
    return RV_OK;
}

rv_status rv_pq_check_index_count(const rv_pq_check *c, rv_error *err)
{
    uint32_t n = c->reader.data_pages;
    if (c->has_offsets && c->offsets.pages.n != n)
        return rv_fail(err, RV_E_CORRUPT, "the offset index has %zu pages, the chunk %u",
                       c->offsets.pages.n, n);
    if (c->has_columns && c->columns.null_pages.n != n)
        return rv_fail(err, RV_E_CORRUPT, "the column index has %zu pages, the chunk %u",
                       c->columns.null_pages.n, n);
    return RV_OK;
}

/* ---- contents ---- */

/* Text bounds may be cut at 64 bytes; everything else must be the value itself. */
static bool must_equal(const rv_pq_check *c, rv_pq_bound actual)
{
    if (!c->file->own)
        return false;
    return c->chunk->leaf->order != RV_PQ_BY_BYTES || actual.b.len <= 64;
}

static rv_status check_bounds(const rv_pq_check *c, uint32_t i, rv_error *err)
{
    const rv_pq_read_leaf *leaf = c->chunk->leaf;
    const rv_pq_range *r = &c->page_range;
    rv_pq_bound min, max;
    if (!r->any || leaf->order == RV_PQ_BY_NOTHING)
        return RV_OK;
    if (!rv_pq_bound_parse(leaf, c->columns.mins.items[i], &min) ||
        !rv_pq_bound_parse(leaf, c->columns.maxs.items[i], &max)) {
        if (c->file->own)
            return rv_fail(err, RV_E_CORRUPT, "column index: bounds of page %u cannot be read", i);
        return RV_OK;
    }
    int lo = rv_pq_range_cmp(leaf->order, min, r->min);
    int hi = rv_pq_range_cmp(leaf->order, max, r->max);
    if (lo > 0 || hi < 0)
        return rv_fail(err, RV_E_CORRUPT,
                       "column index: a value of page %u lies outside its bounds", i);
    if ((lo && must_equal(c, r->min)) || (hi && must_equal(c, r->max)))
        return rv_fail(err, RV_E_CORRUPT, "column index: the bounds of page %u are too wide", i);
    return RV_OK;
}

static rv_status check_histogram(const int64_t *stored, size_t n_stored, const int64_t *actual,
                                 unsigned levels, uint32_t page, rv_error *err)
{
    for (unsigned k = 0; n_stored && k < levels; k++)
        if (stored[(size_t)page * levels + k] != actual[k])
            return rv_fail(err, RV_E_CORRUPT,
                           "column index: level %u of page %u occurs %" PRId64
                           " times, not %" PRId64,
                           k, page, actual[k], stored[(size_t)page * levels + k]);
    return RV_OK;
}

static rv_status check_counts(const rv_pq_check *c, uint32_t i, rv_error *err)
{
    const rv_pq_column_index *ci = &c->columns;
    const rv_pq_range *r = &c->page_range;
    if (ci->null_pages.items[i] != (r->values == 0))
        return rv_fail(err, RV_E_CORRUPT, "column index: page %u is wrong about being all null", i);
    bool counted = ci->null_counts.n && (c->file->own || c->chunk->leaf->max_rep == 0);
    if (counted && (uint64_t)ci->null_counts.items[i] != r->nulls)
        return rv_fail(err, RV_E_CORRUPT,
                       "column index: page %u has %" PRIu64 " nulls, not %" PRId64, i, r->nulls,
                       ci->null_counts.items[i]);
    if (ci->nan_counts.n && (uint64_t)ci->nan_counts.items[i] != r->nans)
        return rv_fail(err, RV_E_CORRUPT, "column index: page %u has %" PRIu64 " NaN, not %" PRId64,
                       i, r->nans, ci->nan_counts.items[i]);
    RV_TRY(check_histogram(ci->def_histograms.items, ci->def_histograms.n, c->page_def,
                           c->chunk->leaf->max_def + 1u, i, err));
    return check_histogram(ci->rep_histograms.items, ci->rep_histograms.n, c->page_rep,
                           c->chunk->leaf->max_rep + 1u, i, err);
}

rv_status rv_pq_check_index_page(const rv_pq_check *c, rv_error *err)
{
    uint32_t i = c->page;
    /* pyarrow counts encoded bytes in some delta pages. */
    if (c->file->own && c->has_offsets && c->offsets.unencoded_bytes.n &&
        (i >= c->offsets.unencoded_bytes.n ||
         (uint64_t)c->offsets.unencoded_bytes.items[i] != c->page_range.bytes))
        return rv_fail(err, RV_E_CORRUPT, "the offset index is wrong about the bytes of page %u",
                       i);
    if (!c->has_columns)
        return RV_OK;
    if (i >= c->columns.null_pages.n)
        return rv_fail(err, RV_E_CORRUPT, "the column index has only %zu pages",
                       c->columns.null_pages.n);
    RV_TRY(check_counts(c, i, err));
    return check_bounds(c, i, err);
}

/* sign 1: rising, -1: falling. */
static bool is_ordered(const rv_pq_check *c, int sign, size_t *broken)
{
    const rv_pq_read_leaf *leaf = c->chunk->leaf;
    const rv_pq_column_index *ci = &c->columns;
    rv_pq_bound last_min = {0}, last_max = {0}, min, max;
    bool first = true;
    for (size_t i = 0; i < ci->null_pages.n; i++) {
        if (ci->null_pages.items[i] || !rv_pq_bound_parse(leaf, ci->mins.items[i], &min) ||
            !rv_pq_bound_parse(leaf, ci->maxs.items[i], &max))
            continue;
        *broken = i;
        if (!first && (rv_pq_range_cmp(leaf->order, last_min, min) * sign > 0 ||
                       rv_pq_range_cmp(leaf->order, last_max, max) * sign > 0))
            return false;
        last_min = min;
        last_max = max;
        first = false;
    }
    return true;
}

rv_status rv_pq_check_index_order(const rv_pq_check *c, rv_error *err)
{
    size_t page = 0;
    if (!c->has_columns)
        return RV_OK;
    int32_t says = c->columns.boundary_order;
    if (says != RV_PQ_UNORDERED && !is_ordered(c, says == RV_PQ_ASCENDING ? 1 : -1, &page))
        return rv_fail(err, RV_E_CORRUPT, "column index: page %zu breaks the boundary order", page);
    if (c->file->own && says != RV_PQ_ASCENDING && is_ordered(c, 1, &page))
        return rv_fail(err, RV_E_CORRUPT, "column index: the boundary order is not the one found");
    return RV_OK;
}
