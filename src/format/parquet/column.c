#include "format/parquet/column.h"

#include "format/parquet/levels.h"
#include "format/parquet/pack.h"
#include "format/parquet/slab.h"

#define PAGE_BYTES_MIN ((size_t)8 << 10)
#define PAGE_BYTES_MAX ((size_t)256 << 10)
#define STRING_BYTES_MAX ((size_t)2 << 20)
#define STRINGS_BUDGET ((size_t)12 << 20)
#define FIXED_BYTES_MAX ((size_t)128 << 10)
#define PAGES_BUDGET ((size_t)10 << 20)
#define DICT_BUDGET ((size_t)8 << 20)
#define DICT_BYTES_MIN ((size_t)8 << 10)
#define DICT_BYTES_MAX ((size_t)1 << 20)
#define TRIAL_BYTES ((size_t)192 << 10)
#define TRIAL_AGAIN_BYTES ((size_t)32 << 10)

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Text gains most by larger pages, in size and in time, so a few columns of it share a budget of
 * their own. */
static size_t string_bytes(size_t page, size_t n_strings)
{
    return max_size(2 * page, min_size(STRINGS_BUDGET / max_size(n_strings, 1), STRING_BYTES_MAX));
}

rv_pq_page_plan rv_pq_page_plan_of(size_t n_columns, size_t n_strings)
{
    size_t page = PAGES_BUDGET / (2 * n_columns);
    page = max_size(PAGE_BYTES_MIN, min_size(page, PAGE_BYTES_MAX));
    return (rv_pq_page_plan){
        .string_bytes = (uint32_t)string_bytes(page, n_strings),
        .fixed_bytes = (uint32_t)min_size(page, FIXED_BYTES_MAX),
        .rows_max = (uint32_t)min_size(page / 4 & ~(size_t)63, RV_PQ_PAGE_ROWS_MAX),
        .dict_bytes =
            (uint32_t)max_size(DICT_BYTES_MIN, min_size(DICT_BUDGET / n_columns, DICT_BYTES_MAX))};
}

/* Rows of a page, decided when it begins: fixed-width values fill it by count, so that sparse
 * columns end with the others. */
static uint32_t rows_of_page(const rv_pq_column *c, const rv_pq_page_plan *plan)
{
    if (c->leaf.width == 0 && !c->leaf.is_list && c->decided && !c->choice.dictionary)
        return plan->rows_max * 2;
    if (c->leaf.width == 0 || c->leaf.is_list)
        return plan->rows_max;
    size_t rows = plan->fixed_bytes / c->leaf.width & ~(size_t)63;
    return (uint32_t)min_size(rows < 64 ? 64 : rows, plan->rows_max);
}

void rv_pq_column_init(rv_pq_column *c, const rv_pq_leaf *leaf, const char *name,
                       const rv_pq_page_plan *plan)
{
    *c = (rv_pq_column){.leaf = *leaf, .name = name};
    rv_pq_dict_init(&c->dict, leaf->width, plan->dict_bytes);
    size_t page = leaf->width ? plan->fixed_bytes : plan->string_bytes;
    c->slab.head = page / RV_PQ_SLAB_HEAD_PART & ~(size_t)63;
    c->page_rows = rows_of_page(c, plan);
}

void rv_pq_column_free(rv_pq_column *c)
{
    rv_pq_slab_free(&c->slab);
    rv_pq_dict_free(&c->dict);
    rv_buf_free(&c->chunk.pages);
    rv_buf_free(&c->chunk.bounds);
    rv_pq_bounds_free(&c->chunk.total);
}

/* A block of levels in a v1 page: u32 length, then the hybrid. The length is set at the end. */
static rv_status begin_levels(rv_buf *body, size_t bound, size_t *at, rv_error *err)
{
    RV_TRY(rv_buf_reserve(body, 4 + bound, err));
    *at = body->len;
    body->len += 4;
    return RV_OK;
}

static void end_levels(rv_buf *body, size_t at, size_t len)
{
    rv_pq_store32(body->ptr + at, (uint32_t)len);
    body->len += len;
}

static rv_status add_flat_levels(const rv_pq_slab *slab, rv_buf *body, rv_error *err)
{
    size_t at;
    RV_TRY(begin_levels(body, rv_pq_hybrid_bound(slab->rows, 1), &at, err));
    uint8_t *to = body->ptr + body->len;
    if (slab->n == slab->rows || slab->n == 0)
        end_levels(body, at, rv_pq_levels_constant(slab->n > 0, slab->rows, to));
    else
        end_levels(body, at, rv_pq_levels_bitmap(slab->bits.ptr, slab->rows, to));
    return RV_OK;
}

static rv_status add_list_levels(const rv_pq_slab *slab, rv_pq_press *press, unsigned shift,
                                 unsigned width, rv_error *err)
{
    size_t at, n = slab->levels.len;
    uint16_t *levels;
    RV_TRY(rv_pq_press_u16(press, n, &levels, err));
    for (size_t i = 0; i < n; i++)
        levels[i] = (uint16_t)((unsigned)slab->levels.ptr[i] >> shift & ((1u << width) - 1));
    RV_TRY(begin_levels(&press->body, rv_pq_hybrid_bound(n, width), &at, err));
    end_levels(&press->body, at,
               rv_pq_hybrid_u16(levels, n, width, press->body.ptr + press->body.len));
    return RV_OK;
}

static rv_status add_levels(const rv_pq_column *c, rv_pq_press *press, rv_error *err)
{
    if (!c->leaf.is_list)
        return add_flat_levels(&c->slab, &press->body, err);
    RV_TRY(add_list_levels(&c->slab, press, 2, 1, err));
    return add_list_levels(&c->slab, press, 0, 2, err);
}

static rv_status decide(rv_pq_column *c, rv_pq_shop *shop, const rv_pq_values *v, bool more,
                        rv_error *err)
{
    if (c->decided || v->n == 0 || c->chunk.n_coded[RV_PQ_RLE_DICT] > 0)
        return RV_OK;
    RV_TRY(rv_pq_choose(&c->leaf, shop->policy, v, more, &c->dict, &shop->press, &c->choice, err));
    c->sampled += v->n;
    c->decided = c->sampled >= RV_PQ_SAMPLE_ENOUGH;
    if (c->decided && !c->choice.dictionary)
        rv_pq_dict_free(&c->dict);
    return RV_OK;
}

/* Tries to code the values by the dictionary. *done false: it has grown too large and is given
 * up; what sealed pages use of it stays. */
static rv_status add_indexes(rv_pq_column *c, rv_pq_press *press, const rv_pq_values *v, bool *done,
                             rv_error *err)
{
    uint16_t *indexes;
    RV_TRY(rv_pq_press_u16(press, v->n, &indexes, err));
    RV_TRY(rv_pq_dict_index(&c->dict, v, indexes, done, err));
    if (!*done) {
        c->dict_over = true;
        return RV_OK;
    }
    unsigned width = rv_pq_dict_width(c->dict.n);
    RV_TRY(rv_buf_reserve(&press->body, 1 + rv_pq_hybrid_bound(v->n, width), err));
    uint8_t *to = press->body.ptr + press->body.len;
    to[0] = (uint8_t)width;
    press->body.len += 1 + rv_pq_hybrid_u16(indexes, v->n, width, to + 1);
    c->chunk.dict_n = c->dict.n;
    return RV_OK;
}

/* Values that are stored as they lie in the slab; what precedes them goes before them. */
static rv_status join_values(rv_pq_slab *slab, rv_pq_press *press, rv_bytes *body, rv_error *err)
{
    size_t before = press->body.len, bytes = slab->values.len - slab->head;
    if (before > slab->head) {
        RV_TRY(rv_buf_add(&press->body, slab->values.ptr + slab->head, bytes, err));
        *body = rv_buf_bytes(&press->body);
        return RV_OK;
    }
    uint8_t *start = slab->values.ptr + slab->head - before;
    if (before > 0)
        memcpy(start, press->body.ptr, before);
    *body = (rv_bytes){start, before + bytes};
    return RV_OK;
}

static bool lie_as_stored(const rv_pq_column *c, rv_pq_encoding encoding)
{
    return encoding == RV_PQ_DLBA ||
           (encoding == RV_PQ_PLAIN && c->leaf.width > 0 && c->leaf.physical != RV_PQ_BOOLEAN);
}

/* Appends the values to the levels in press->body; *body is the whole page. */
static rv_status add_values(rv_pq_column *c, rv_pq_press *press, const rv_pq_values *v,
                            rv_pq_encoding *encoding, rv_bytes *body, rv_error *err)
{
    bool done = false;
    /* a page without values joins whatever the chunk uses */
    if (c->choice.dictionary && !c->dict_over && (v->n > 0 || c->chunk.n_coded[RV_PQ_RLE_DICT] > 0))
        RV_TRY(add_indexes(c, press, v, &done, err));
    *encoding = done ? RV_PQ_RLE_DICT : c->choice.fallback;
    if (v->n > 0 && lie_as_stored(c, *encoding)) {
        rv_pq_strings s = {v->bytes, v->lengths, v->n};
        if (*encoding == RV_PQ_DLBA)
            RV_TRY(rv_pq_dlba_lengths(&s, &press->body, err));
        return join_values(&c->slab, press, body, err);
    }
    if (!done)
        RV_TRY(rv_pq_encode(*encoding, c->leaf.physical, v, &press->body, err));
    *body = rv_buf_bytes(&press->body);
    return RV_OK;
}

static bool pays(uint64_t raw, uint64_t stored)
{
    return stored * 100 <= raw * 97;
}

/* A faster codec is good enough where it leaves at most a fiftieth more of the part, which is less
 * of the whole page. */
static rv_status try_faster(rv_pq_column *c, rv_pq_press *press, rv_bytes part, size_t stored,
                            rv_error *err)
{
    if (c->codec_tried)
        return RV_OK;
    c->codec_tried = true;
    for (unsigned i = 0; i < RV_CODEC_FASTER && press->faster[i] && !c->faster; i++) {
        size_t faster;
        RV_TRY(rv_pq_press_trial(press, press->faster[i], part, &faster, err));
        if (faster <= stored + stored / 50)
            c->faster = i + 1;
    }
    return RV_OK;
}

/* Is it time for a trial? In the first group, then ever more seldom, at the powers of four: in a
 * wide table a trial costs as much as half a chunk. Never again once a whole compressed chunk has
 * shown that trials mislead. */
static bool trial_is_due(const rv_pq_column *c)
{
    uint64_t g = c->groups;
    bool power_of_four = (g & (g - 1)) == 0 && (g & UINT64_C(0x5555555555555554)) == g;
    return !c->codec_over && power_of_four;
}

/* Is compressing worth it? The group before knows, if it was compressed; otherwise a
 * part of the first page is tried, with the dictionary, which shares the codec. The end of the
 * page: it begins with levels and lengths, which say little of the values. */
static rv_status decide_codec(rv_pq_column *c, rv_pq_press *press, rv_bytes part, rv_error *err)
{
    c->chunk.compressed = c->compressed_before;
    if (!press->codec || c->chunk.compressed || !trial_is_due(c))
        return RV_OK;
    size_t raw = min_size(part.len, c->groups == 0 ? TRIAL_BYTES : TRIAL_AGAIN_BYTES);
    size_t stored, entries_len = 0;
    part = (rv_bytes){part.ptr + (part.len - raw), raw};
    RV_TRY(rv_pq_press_trial(press, press->codec, part, &stored, err));
    rv_buf_clear(&press->entries);
    if (c->chunk.dict_n > 0) {
        RV_TRY(rv_pq_dict_plain(&c->dict, c->chunk.dict_n, &press->entries, err));
        RV_TRY(rv_pq_press_trial(press, press->codec, rv_buf_bytes(&press->entries), &entries_len,
                                 err));
    }
    c->chunk.compressed = pays(raw + press->entries.len, stored + entries_len);
    return c->chunk.compressed ? try_faster(c, press, part, stored, err) : RV_OK;
}

static rv_codec *codec_of(const rv_pq_column *c, const rv_pq_press *press)
{
    if (!c->chunk.compressed)
        return NULL;
    return c->faster ? press->faster[c->faster - 1] : press->codec;
}

static void count_levels(const rv_pq_slab *slab, rv_pq_page_rec *rec)
{
    for (size_t i = 0; i < slab->levels.len; i++) {
        rec->rep[slab->levels.ptr[i] >> 2]++;
        rec->def[slab->levels.ptr[i] & 3]++;
    }
}

/* Of few entries the bounds are found sooner than of many values; but NaN are counted by value. */
static rv_status values_to_bound(const rv_pq_column *c, rv_pq_shop *shop, bool by_dictionary,
                                 rv_pq_values *v, rv_error *err)
{
    bool floats = c->leaf.order == RV_PQ_ORDER_F32 || c->leaf.order == RV_PQ_ORDER_F64;
    const void *indexes = shop->press.indexes.ptr;
    if (!by_dictionary || floats || c->dict.n > v->n / 4)
        return RV_OK;
    return rv_pq_dict_used(&c->dict, indexes, v->n, &shop->used, v, err);
}

static rv_status record_bounds(rv_pq_column *c, rv_pq_bounds *b, const rv_pq_values *v,
                               rv_pq_page_rec *rec, rv_error *err)
{
    RV_TRY(rv_pq_bounds_of(c->leaf.order, c->leaf.text, v, b, err));
    RV_TRY(rv_pq_bounds_widen(c->leaf.order, &c->chunk.total, b, err));
    rec->nans = b->nans;
    c->chunk.no_index |= b->endless || (v->n > 0 && !b->any);
    if (!b->any)
        return RV_OK;
    rec->min_len = (uint32_t)b->min.len;
    rec->max_len = (uint32_t)b->max.len;
    RV_TRY(rv_buf_add(&c->chunk.bounds, b->min.ptr, b->min.len, err));
    return rv_buf_add(&c->chunk.bounds, b->max.ptr, b->max.len, err);
}

static rv_status store_page(rv_pq_column *c, rv_pq_shop *shop, rv_pq_encoding encoding,
                            rv_bytes body, rv_pq_page_rec *rec, rv_error *err)
{
    rv_pq_page_header header = {.has = RV_HAS(RV_PQ_PAGE_V1), .type = RV_PQ_PAGE_DATA};
    header.data.num_values = (int32_t)rv_pq_slab_entries(c);
    header.data.encoding = (int32_t)encoding;
    header.data.def_encoding = RV_PQ_RLE;
    header.data.rep_encoding = RV_PQ_RLE;
    if (rv_pq_chunk_n_pages(&c->chunk) == 0)
        RV_TRY(decide_codec(c, &shop->press, body, err));
    RV_TRY(rv_pq_page_store(&shop->press, &header, body, codec_of(c, &shop->press), shop->log,
                            &rec->stored, err));
    c->chunk.n_coded[encoding]++;
    c->chunk.raw_bytes += rec->stored.raw_size;
    c->chunk.stored_bytes += rec->stored.size;
    c->chunk.entries += rv_pq_slab_entries(c);
    c->in_bytes += c->slab.plain;
    c->out_bytes += rec->stored.size;
    return RV_OK;
}

/* `more`: rows follow in this chunk. */
static rv_status seal(rv_pq_column *c, rv_pq_shop *shop, bool more, rv_error *err)
{
    rv_pq_values v = rv_pq_slab_values(c), bounded = v;
    rv_pq_encoding encoding;
    rv_bytes body;
    uint32_t entries = rv_pq_slab_entries(c);
    rv_pq_page_rec rec = {.rows = c->slab.rows, .nulls = entries - v.n, .null_page = v.n == 0};
    RV_TRY(decide(c, shop, &v, more, err));
    rv_buf_clear(&shop->press.body);
    RV_TRY(add_levels(c, &shop->press, err));
    RV_TRY(add_values(c, &shop->press, &v, &encoding, &body, err));
    RV_TRY(values_to_bound(c, shop, encoding == RV_PQ_RLE_DICT, &bounded, err));
    RV_TRY(record_bounds(c, &shop->bounds, &bounded, &rec, err));
    count_levels(&c->slab, &rec);
    if (c->leaf.width == 0)
        rec.unencoded = c->slab.plain - 4 * (uint64_t)v.n;
    RV_TRY(store_page(c, shop, encoding, body, &rec, err));
    RV_TRY(rv_buf_add(&c->chunk.pages, &rec, sizeof rec, err));
    rv_pq_slab_clear(&c->slab);
    rv_pq_press_trim(&shop->press);
    c->page_rows = rows_of_page(c, &shop->plan);
    return RV_OK;
}

static rv_status append_flat(rv_pq_column *c, rv_pq_shop *shop, rv_pq_rows *rows, rv_error *err)
{
    if (rows->present > 0)
        RV_TRY(rv_pq_leaf_span(&c->leaf, rows->col, c->present_upto, rows->present, &shop->scratch,
                               &rows->span, err));
    c->present_upto += rows->present;
    while (rows->n > 0) {
        bool full = false;
        RV_TRY(rv_pq_slab_take(c, &shop->plan, rows, &full, err));
        if (full)
            RV_TRY(seal(c, shop, true, err));
    }
    return RV_OK;
}

static rv_status append_lists(rv_pq_column *c, rv_pq_shop *shop, rv_pq_rows *rows, rv_error *err)
{
    const rv_col *col = rows->col;
    uint32_t n_lists = col->rows - col->nulls;
    uint32_t before = col->validity ? rv_bits_count(col->validity, 0, rows->from) : rows->from;
    rows->present = n_lists - before; /* lists from here to the end of the batch */
    while (rows->n > 0) {
        bool full = false;
        RV_TRY(rv_pq_slab_take_list(c, shop, rows, &full, err));
        if (full)
            RV_TRY(seal(c, shop, true, err));
    }
    return RV_OK;
}

rv_status rv_pq_column_append(rv_pq_column *c, rv_pq_shop *shop, const rv_col *col, uint32_t from,
                              uint32_t n, rv_error *err)
{
    rv_pq_rows rows = {.col = col, .from = from, .n = n};
    if (from == 0)
        c->present_upto = 0;
    if (c->leaf.is_list)
        return append_lists(c, shop, &rows, err);
    rows.present = col->validity ? rv_bits_count(col->validity, from, n) : n;
    return append_flat(c, shop, &rows, err);
}

static rv_status store_dictionary(rv_pq_column *c, rv_pq_shop *shop, rv_error *err)
{
    rv_pq_page_header header = {.has = RV_HAS(RV_PQ_PAGE_DICTIONARY), .type = RV_PQ_PAGE_DICT};
    header.dict.num_values = (int32_t)c->chunk.dict_n;
    header.dict.encoding = RV_PQ_PLAIN;
    rv_buf_clear(&shop->press.body);
    RV_TRY(rv_pq_dict_plain(&c->dict, c->chunk.dict_n, &shop->press.body, err));
    RV_TRY(rv_pq_page_store(&shop->press, &header, rv_buf_bytes(&shop->press.body),
                            codec_of(c, &shop->press), shop->log, &c->chunk.dict_page, err));
    c->chunk.raw_bytes += c->chunk.dict_page.raw_size;
    c->chunk.stored_bytes += c->chunk.dict_page.size;
    return RV_OK;
}

rv_status rv_pq_column_finish(rv_pq_column *c, rv_pq_shop *shop, rv_error *err)
{
    if (c->slab.rows > 0)
        RV_TRY(seal(c, shop, false, err));
    if (c->chunk.n_coded[RV_PQ_RLE_DICT] > 0)
        RV_TRY(store_dictionary(c, shop, err));
    return RV_OK;
}

void rv_pq_column_next_group(rv_pq_column *c)
{
    rv_pq_chunk *chunk = &c->chunk;
    bool saved = chunk->compressed && pays(chunk->raw_bytes, chunk->stored_bytes);
    c->codec_over |= chunk->compressed && !saved;
    c->compressed_before = saved;
    c->groups++;
    if (c->dict_over)
        rv_pq_dict_free(&c->dict);
    else
        rv_pq_dict_clear(&c->dict);
    rv_pq_bounds_clear(&chunk->total);
    rv_buf_clear(&chunk->pages);
    rv_buf_clear(&chunk->bounds);
    *chunk = (rv_pq_chunk){.pages = chunk->pages, .bounds = chunk->bounds, .total = chunk->total};
}

uint64_t rv_pq_column_raw_estimate(const rv_pq_column *c)
{
    return c->chunk.raw_bytes + c->slab.plain + c->slab.levels.len +
           rv_pq_dict_plain_bytes(&c->dict, c->dict.n);
}

/* The open page is expected to shrink as the sealed ones did; before the first, by half. */
uint64_t rv_pq_column_stored_estimate(const rv_pq_column *c)
{
    uint64_t open = c->slab.plain + c->slab.levels.len;
    uint64_t dict = rv_pq_dict_plain_bytes(&c->dict, c->dict.n) / 2;
    if (c->in_bytes == 0)
        return c->chunk.stored_bytes + dict + open / 2;
    double ratio = (double)c->out_bytes / (double)c->in_bytes;
    return c->chunk.stored_bytes + dict + (uint64_t)(ratio * (double)open);
}
