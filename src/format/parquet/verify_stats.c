#include <inttypes.h>

#include "format/parquet/verify_internal.h"

/* min_value and max_value mean something only under the order of the type. */
static bool type_ordered(const rv_pq_check *c)
{
    const rv_pq_file *f = c->file;
    size_t leaf = (size_t)(c->chunk->leaf - f->leaves);
    return leaf < f->meta.orders.n && (f->meta.orders.items[leaf].has & RV_HAS(RV_PQ_ORDER_TYPE));
}

typedef struct stored_bound {
    rv_bytes bytes;
    bool present;
    bool says_exact;
    bool is_max;
} stored_bound;

static rv_status check_bound(const rv_pq_check *c, stored_bound b, rv_error *err)
{
    const rv_pq_read_leaf *leaf = c->chunk->leaf;
    const rv_pq_range *r = &c->chunk_range;
    const char *name = b.is_max ? "max" : "min";
    rv_pq_bound stored;
    if (!b.present)
        return RV_OK;
    if (!r->any) {
        if (c->file->own)
            return rv_fail(err, RV_E_CORRUPT, "statistics: %s without a value", name);
        return RV_OK;
    }
    if (!rv_pq_bound_parse(leaf, b.bytes, &stored)) {
        if (c->file->own)
            return rv_fail(err, RV_E_CORRUPT, "statistics: %s cannot be read", name);
        return RV_OK; /* NaN bounds of old writers mean nothing */
    }
    int cmp = rv_pq_range_cmp(leaf->order, stored, b.is_max ? r->max : r->min);
    if (b.is_max ? cmp < 0 : cmp > 0)
        return rv_fail(err, RV_E_CORRUPT, "statistics: a value lies beyond %s", name);
    if (b.says_exact && cmp != 0)
        return rv_fail(err, RV_E_CORRUPT, "statistics: %s is said to be exact and is not", name);
    if (c->file->own && leaf->order != RV_PQ_BY_BYTES && cmp != 0)
        return rv_fail(err, RV_E_CORRUPT, "statistics: %s is not a value of the column", name);
    return RV_OK;
}

static rv_status check_bounds(const rv_pq_check *c, const rv_pq_statistics *s, rv_error *err)
{
    if (c->chunk->leaf->order == RV_PQ_BY_NOTHING || !type_ordered(c))
        return RV_OK;
    stored_bound min = {.bytes = s->min_value,
                        .present = s->has & RV_HAS(RV_PQ_STATS_MIN),
                        .says_exact = (s->has & RV_HAS(RV_PQ_STATS_MIN_EXACT)) && s->is_min_exact};
    stored_bound max = {.bytes = s->max_value,
                        .present = s->has & RV_HAS(RV_PQ_STATS_MAX),
                        .says_exact = (s->has & RV_HAS(RV_PQ_STATS_MAX_EXACT)) && s->is_max_exact,
                        .is_max = true};
    RV_TRY(check_bound(c, min, err));
    RV_TRY(check_bound(c, max, err));
    bool bytes = c->chunk->leaf->order == RV_PQ_BY_BYTES;
    if (c->file->own && c->chunk_range.any && (!min.present || (!max.present && !bytes)))
        return rv_fail(err, RV_E_CORRUPT, "statistics: min or max is missing");
    return RV_OK;
}

/* The old pair was compared as signed bytes, so it can be trusted for numbers only. */
static rv_status check_legacy(const rv_pq_check *c, const rv_pq_statistics *s, rv_error *err)
{
    rv_pq_leaf_order o = c->chunk->leaf->order;
    if (o != RV_PQ_BY_I32 && o != RV_PQ_BY_I64 && o != RV_PQ_BY_F32 && o != RV_PQ_BY_F64)
        return RV_OK;
    stored_bound min = {.bytes = s->min_legacy, .present = s->has & RV_HAS(RV_PQ_STATS_MIN_LEGACY)};
    stored_bound max = {
        .bytes = s->max_legacy, .present = s->has & RV_HAS(RV_PQ_STATS_MAX_LEGACY), .is_max = true};
    RV_TRY(check_bound(c, min, err));
    return check_bound(c, max, err);
}

static rv_status check_count(const char *what, bool present, bool must, int64_t stored,
                             uint64_t actual, rv_error *err)
{
    if (!present && must)
        return rv_fail(err, RV_E_CORRUPT, "statistics: the count of %s is missing", what);
    if (present && (uint64_t)stored != actual)
        return rv_fail(err, RV_E_CORRUPT, "statistics: %" PRIu64 " %s, not %" PRId64, actual, what,
                       stored);
    return RV_OK;
}

static rv_status check_histogram(const int64_t *stored, size_t n, const int64_t *actual,
                                 unsigned levels, rv_error *err)
{
    if (n && n != levels)
        return rv_fail(err, RV_E_CORRUPT, "size statistics: histogram of %zu levels, not %u", n,
                       levels);
    for (size_t k = 0; k < n; k++)
        if (stored[k] != actual[k])
            return rv_fail(err, RV_E_CORRUPT,
                           "size statistics: level %zu occurs %" PRId64 " times, not %" PRId64, k,
                           actual[k], stored[k]);
    return RV_OK;
}

static rv_status check_sizes(const rv_pq_check *c, rv_error *err)
{
    const rv_pq_size_statistics *s = &c->chunk->meta.sizes;
    const rv_pq_read_leaf *leaf = c->chunk->leaf;
    if (!(c->chunk->meta.has & RV_HAS(RV_PQ_CHUNK_META_SIZES)))
        return RV_OK;
    if (c->file->own && leaf->type == RV_PQ_BYTE_ARRAY &&
        (s->has & RV_HAS(RV_PQ_SIZES_UNENCODED)) &&
        (uint64_t)s->unencoded_bytes != c->chunk_range.bytes)
        return rv_fail(err, RV_E_CORRUPT,
                       "size statistics: %" PRIu64 " bytes of values, not %" PRId64,
                       c->chunk_range.bytes, s->unencoded_bytes);
    RV_TRY(check_histogram(s->def_histogram.items, s->def_histogram.n, c->chunk_def,
                           leaf->max_def + 1u, err));
    return check_histogram(s->rep_histogram.items, s->rep_histogram.n, c->chunk_rep,
                           leaf->max_rep + 1u, err);
}

static rv_status check_encodings(const rv_pq_check *c, rv_error *err)
{
    uint32_t listed = 0;
    for (size_t i = 0; i < c->chunk->meta.encodings.n; i++) {
        int32_t e = c->chunk->meta.encodings.items[i];
        if (e >= 0 && e < 32)
            listed |= 1u << e;
    }
    if (c->used_encodings & ~listed)
        return rv_fail(err, RV_E_CORRUPT, "a page uses encoding %s, which is not listed",
                       rv_pq_encoding_name(__builtin_ctz(c->used_encodings & ~listed)));
    int64_t data = 0, dict = 0;
    for (size_t i = 0; i < c->chunk->meta.encoding_stats.n; i++) {
        const rv_pq_encoding_stats *e = &c->chunk->meta.encoding_stats.items[i];
        *(e->page_type == RV_PQ_PAGE_DICT ? &dict : &data) += e->count;
    }
    if (c->chunk->meta.encoding_stats.n &&
        (data != c->reader.data_pages || dict != c->reader.has_dict))
        return rv_fail(err, RV_E_CORRUPT, "the encoding statistics count %" PRId64 " pages, not %u",
                       data, c->reader.data_pages);
    return RV_OK;
}

rv_status rv_pq_check_chunk_stats(const rv_pq_check *c, rv_error *err)
{
    const rv_pq_range *r = &c->chunk_range;
    const rv_pq_statistics *s = &c->chunk->meta.stats;
    bool own = c->file->own;
    if (own)
        RV_TRY(check_encodings(c, err));
    RV_TRY(check_sizes(c, err));
    if (!(c->chunk->meta.has & RV_HAS(RV_PQ_CHUNK_META_STATS))) {
        if (own)
            return rv_fail(err, RV_E_CORRUPT, "the statistics are missing");
        return RV_OK;
    }
    /* Whether empty lists count as nulls is settled nowhere. */
    if (own || c->chunk->leaf->max_rep == 0)
        RV_TRY(check_count("nulls", s->has & RV_HAS(RV_PQ_STATS_NULLS), own, s->null_count,
                           r->nulls, err));
    RV_TRY(
        check_count("NaN", s->has & RV_HAS(RV_PQ_STATS_NANS), false, s->nan_count, r->nans, err));
    bool wholly_dict = c->reader.has_dict && c->dict_coded_pages == c->reader.data_pages;
    if (own && wholly_dict)
        RV_TRY(check_count("distinct values", s->has & RV_HAS(RV_PQ_STATS_DISTINCT), false,
                           s->distinct_count, c->n_used, err));
    RV_TRY(check_bounds(c, s, err));
    return check_legacy(c, s, err);
}
