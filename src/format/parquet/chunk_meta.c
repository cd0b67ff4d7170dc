#include "format/parquet/chunk_meta.h"

#define REP_LEVELS 2u
#define DEF_LEVELS 4u

static const rv_pq_page_rec *pages_of(const rv_pq_column *c)
{
    return (const rv_pq_page_rec *)(const void *)c->chunk.pages.ptr;
}

static bool is_float(const rv_pq_column *c)
{
    return c->leaf.order == RV_PQ_ORDER_F32 || c->leaf.order == RV_PQ_ORDER_F64;
}

static uint64_t sum_nulls(const rv_pq_column *c)
{
    const rv_pq_page_rec *p = pages_of(c);
    uint64_t nulls = 0;
    for (size_t i = 0; i < rv_pq_chunk_n_pages(&c->chunk); i++)
        nulls += p[i].nulls;
    return nulls;
}

static void set_bounds(const rv_pq_column *c, rv_pq_statistics *s)
{
    const rv_pq_bounds *b = &c->chunk.total;
    if (!b->any)
        return;
    s->has |= RV_HAS(RV_PQ_STATS_MIN) | RV_HAS(RV_PQ_STATS_MIN_EXACT);
    s->min_value = rv_buf_bytes(&b->min);
    s->is_min_exact = b->min_exact;
    if (b->has_max) {
        s->has |= RV_HAS(RV_PQ_STATS_MAX) | RV_HAS(RV_PQ_STATS_MAX_EXACT);
        s->max_value = rv_buf_bytes(&b->max);
        s->is_max_exact = b->max_exact;
    }
    if (c->leaf.legacy_stats) {
        s->has |= RV_HAS(RV_PQ_STATS_MIN_LEGACY) | RV_HAS(RV_PQ_STATS_MAX_LEGACY);
        s->min_legacy = s->min_value;
        s->max_legacy = s->max_value;
    }
}

static bool wholly_dictionary(const rv_pq_column *c)
{
    return c->chunk.n_coded[RV_PQ_RLE_DICT] > 0 &&
           c->chunk.n_coded[RV_PQ_RLE_DICT] == rv_pq_chunk_n_pages(&c->chunk);
}

static void set_statistics(const rv_pq_column *c, rv_pq_statistics *s)
{
    s->has |= RV_HAS(RV_PQ_STATS_NULLS);
    s->null_count = (int64_t)sum_nulls(c);
    set_bounds(c, s);
    /* equal floats may differ in bits, so entries do not count them */
    if (wholly_dictionary(c) && !is_float(c)) {
        s->has |= RV_HAS(RV_PQ_STATS_DISTINCT);
        s->distinct_count = c->chunk.dict_n;
    }
    if (is_float(c)) {
        s->has |= RV_HAS(RV_PQ_STATS_NANS);
        s->nan_count = (int64_t)c->chunk.total.nans;
    }
}

typedef struct coding {
    int32_t encodings[RV_PQ_ALP + 2];
    size_t n_encodings;
    rv_pq_encoding_stats stats[RV_PQ_ALP + 2];
    size_t n_stats;
} coding;

static void set_coding(const rv_pq_column *c, coding *k)
{
    bool dictionary = c->chunk.n_coded[RV_PQ_RLE_DICT] > 0;
    *k = (coding){.n_encodings = 0};
    if (dictionary)
        k->stats[k->n_stats++] = (rv_pq_encoding_stats){0, RV_PQ_PAGE_DICT, RV_PQ_PLAIN, 1};
    for (int32_t e = 0; e <= RV_PQ_ALP; e++) {
        uint32_t n = c->chunk.n_coded[e];
        if (n > 0 || e == RV_PQ_RLE || (e == RV_PQ_PLAIN && dictionary))
            k->encodings[k->n_encodings++] = e;
        if (n > 0)
            k->stats[k->n_stats++] = (rv_pq_encoding_stats){0, RV_PQ_PAGE_DATA, e, (int32_t)n};
    }
}

typedef struct histograms {
    int64_t rep[REP_LEVELS], def[DEF_LEVELS];
} histograms;

static void set_sizes(const rv_pq_column *c, histograms *h, rv_pq_column_meta *m)
{
    const rv_pq_page_rec *p = pages_of(c);
    rv_pq_size_statistics *s = &m->sizes;
    *h = (histograms){.rep = {0}};
    for (size_t i = 0; i < rv_pq_chunk_n_pages(&c->chunk); i++) {
        s->unencoded_bytes += (int64_t)p[i].unencoded;
        for (unsigned k = 0; k < REP_LEVELS; k++)
            h->rep[k] += p[i].rep[k];
        for (unsigned k = 0; k < DEF_LEVELS; k++)
            h->def[k] += p[i].def[k];
    }
    if (c->leaf.width == 0)
        s->has |= RV_HAS(RV_PQ_SIZES_UNENCODED);
    if (c->leaf.is_list) {
        s->has |= RV_HAS(RV_PQ_SIZES_REP) | RV_HAS(RV_PQ_SIZES_DEF);
        s->rep_histogram.items = h->rep;
        s->rep_histogram.n = REP_LEVELS;
        s->def_histogram.items = h->def;
        s->def_histogram.n = DEF_LEVELS;
    }
    if (s->has)
        m->has |= RV_HAS(RV_PQ_CHUNK_META_SIZES);
}

static size_t set_path(const rv_pq_column *c, rv_bytes path[3])
{
    path[0] = rv_str_bytes(rv_str_c(c->name));
    path[1] = rv_str_bytes(RV_STR("list"));
    path[2] = rv_str_bytes(RV_STR("element"));
    return c->leaf.is_list ? 3 : 1;
}

rv_status rv_pq_chunk_meta(const rv_pq_column *c, rv_pq_codec codec, uint64_t offset, rv_buf *out,
                           rv_error *err)
{
    coding k;
    histograms h;
    rv_bytes path[3];
    rv_pq_column_meta m = {.type = (int32_t)c->leaf.physical};
    m.codec = c->chunk.compressed ? (int32_t)codec : RV_PQ_UNCOMPRESSED;
    set_coding(c, &k);
    set_sizes(c, &h, &m);
    set_statistics(c, &m.stats);
    m.encodings.items = k.encodings;
    m.encodings.n = k.n_encodings;
    m.encoding_stats.items = k.stats;
    m.encoding_stats.n = k.n_stats;
    m.path.items = path;
    m.path.n = set_path(c, path);
    m.has |= RV_HAS(RV_PQ_CHUNK_META_STATS) | RV_HAS(RV_PQ_CHUNK_META_ENCODING_STATS);
    m.num_values = (int64_t)c->chunk.entries;
    m.total_uncompressed = (int64_t)c->chunk.raw_bytes;
    m.total_compressed = (int64_t)c->chunk.stored_bytes;
    m.data_page_offset = (int64_t)(offset + c->chunk.dict_page.size);
    if (c->chunk.dict_page.size > 0) {
        m.has |= RV_HAS(RV_PQ_CHUNK_META_DICT_PAGE);
        m.dict_page_offset = (int64_t)offset;
    }
    return rv_thrift_write(&rv_pq_column_meta_desc, &m, out, err);
}

rv_status rv_pq_chunk_offset_index(const rv_pq_column *c, uint64_t offset, rv_arena *arena,
                                   rv_buf *out, rv_error *err)
{
    const rv_pq_page_rec *p = pages_of(c);
    size_t n = rv_pq_chunk_n_pages(&c->chunk);
    rv_pq_offset_index index = {.has = 0};
    int64_t row = 0;
    RV_TRY(rv_arena_array(arena, n, sizeof *index.pages.items, &index.pages.items, err));
    RV_TRY(rv_arena_array(arena, n, sizeof(int64_t), &index.unencoded_bytes.items, err));
    index.pages.n = n;
    offset += c->chunk.dict_page.size;
    for (size_t i = 0; i < n; i++) {
        index.pages.items[i] = (rv_pq_page_location){
            .offset = (int64_t)offset, .size = (int32_t)p[i].stored.size, .first_row = row};
        index.unencoded_bytes.items[i] = (int64_t)p[i].unencoded;
        offset += p[i].stored.size;
        row += p[i].rows;
    }
    if (c->leaf.width == 0) {
        index.has |= RV_HAS(RV_PQ_OFFSET_INDEX_UNENCODED);
        index.unencoded_bytes.n = n;
    }
    return rv_thrift_write(&rv_pq_offset_index_desc, &index, out, err);
}

/* Are the bounds of pages with values in order (sign 1: rising, -1: falling)? */
static bool ordered(const rv_pq_column *c, const rv_pq_column_index *index, int sign)
{
    const size_t none = SIZE_MAX;
    size_t last = none;
    for (size_t i = 0; i < index->mins.n; i++) {
        if (index->null_pages.items[i])
            continue;
        if (last != none &&
            (sign * rv_pq_bound_cmp(c->leaf.order, index->mins.items[last], index->mins.items[i]) >
                 0 ||
             sign * rv_pq_bound_cmp(c->leaf.order, index->maxs.items[last], index->maxs.items[i]) >
                 0))
            return false;
        last = i;
    }
    return true;
}

static rv_status alloc_index(rv_pq_column_index *x, size_t n, rv_arena *arena, rv_error *err)
{
    RV_TRY(rv_arena_array(arena, n, sizeof(bool), &x->null_pages.items, err));
    RV_TRY(rv_arena_array(arena, n, sizeof(rv_bytes), &x->mins.items, err));
    RV_TRY(rv_arena_array(arena, n, sizeof(rv_bytes), &x->maxs.items, err));
    RV_TRY(rv_arena_array(arena, n, sizeof(int64_t), &x->null_counts.items, err));
    RV_TRY(rv_arena_array(arena, n, sizeof(int64_t), &x->nan_counts.items, err));
    RV_TRY(rv_arena_array(arena, n * REP_LEVELS, sizeof(int64_t), &x->rep_histograms.items, err));
    RV_TRY(rv_arena_array(arena, n * DEF_LEVELS, sizeof(int64_t), &x->def_histograms.items, err));
    x->null_pages.n = x->mins.n = x->maxs.n = x->null_counts.n = n;
    x->has = RV_HAS(RV_PQ_COLUMN_INDEX_NULLS);
    return RV_OK;
}

static void fill_index(const rv_pq_column *c, rv_pq_column_index *x)
{
    const rv_pq_page_rec *p = pages_of(c);
    const uint8_t *bounds = c->chunk.bounds.ptr;
    for (size_t i = 0; i < x->mins.n; i++) {
        x->null_pages.items[i] = p[i].null_page;
        x->mins.items[i] = (rv_bytes){bounds, p[i].min_len};
        x->maxs.items[i] = (rv_bytes){bounds ? bounds + p[i].min_len : NULL, p[i].max_len};
        x->null_counts.items[i] = (int64_t)p[i].nulls;
        x->nan_counts.items[i] = (int64_t)p[i].nans;
        for (unsigned k = 0; k < REP_LEVELS; k++)
            x->rep_histograms.items[i * REP_LEVELS + k] = p[i].rep[k];
        for (unsigned k = 0; k < DEF_LEVELS; k++)
            x->def_histograms.items[i * DEF_LEVELS + k] = p[i].def[k];
        if (bounds)
            bounds += p[i].min_len + p[i].max_len;
    }
}

rv_status rv_pq_chunk_column_index(const rv_pq_column *c, rv_arena *arena, rv_buf *out,
                                   rv_error *err)
{
    size_t n = rv_pq_chunk_n_pages(&c->chunk);
    rv_pq_column_index x = {.has = 0};
    if (c->chunk.no_index)
        return RV_OK;
    RV_TRY(alloc_index(&x, n, arena, err));
    fill_index(c, &x);
    x.boundary_order = ordered(c, &x, 1)    ? RV_PQ_ASCENDING
                       : ordered(c, &x, -1) ? RV_PQ_DESCENDING
                                            : RV_PQ_UNORDERED;
    if (c->leaf.is_list) {
        x.has |= RV_HAS(RV_PQ_COLUMN_INDEX_REP) | RV_HAS(RV_PQ_COLUMN_INDEX_DEF);
        x.rep_histograms.n = n * REP_LEVELS;
        x.def_histograms.n = n * DEF_LEVELS;
    }
    if (is_float(c)) {
        x.has |= RV_HAS(RV_PQ_COLUMN_INDEX_NANS);
        x.nan_counts.n = n;
    }
    return rv_thrift_write(&rv_pq_column_index_desc, &x, out, err);
}
