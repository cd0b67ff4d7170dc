#include "format/parquet/slab.h"

#include "format/parquet/pack.h"

#define KEEP_BYTES ((size_t)64 << 10) /* and twice the size of a page */
#define ROW_STEP 64u                  /* pages end on multiples of this, unless values are large */

rv_pq_values rv_pq_slab_values(const rv_pq_column *c)
{
    const void *lengths = c->slab.lengths.ptr;
    const uint8_t *values = c->slab.values.ptr ? c->slab.values.ptr + c->slab.head : NULL;
    return (rv_pq_values){values, lengths, c->slab.n, c->leaf.width};
}

uint32_t rv_pq_slab_entries(const rv_pq_column *c)
{
    return c->leaf.is_list ? (uint32_t)c->slab.levels.len : c->slab.rows;
}

/* Frees what one large value made large. */
static void clear_or_free(const rv_pq_slab *slab, rv_buf *b)
{
    if (b->cap > KEEP_BYTES + 2 * RV_PQ_SLAB_HEAD_PART * slab->head)
        rv_buf_free(b);
    else
        rv_buf_clear(b);
}

void rv_pq_slab_clear(rv_pq_slab *slab)
{
    clear_or_free(slab, &slab->values);
    clear_or_free(slab, &slab->lengths);
    clear_or_free(slab, &slab->bits);
    clear_or_free(slab, &slab->levels);
    slab->rows = 0;
    slab->n = 0;
    slab->plain = 0;
}

void rv_pq_slab_free(rv_pq_slab *slab)
{
    rv_buf_free(&slab->values);
    rv_buf_free(&slab->lengths);
    rv_buf_free(&slab->bits);
    rv_buf_free(&slab->levels);
}

static uint32_t present_in(const rv_pq_rows *r, uint32_t n)
{
    if (n == r->n)
        return r->present;
    return r->col->validity ? rv_bits_count(r->col->validity, r->from, n) : n;
}

static rv_status add_bits(rv_pq_slab *slab, const rv_pq_rows *r, uint32_t n, rv_error *err)
{
    size_t bytes = (slab->rows + (size_t)n + 7) / 8;
    if (bytes > slab->bits.len)
        RV_TRY(rv_buf_reserve(&slab->bits, bytes - slab->bits.len, err));
    if (r->col->validity)
        rv_pq_bits_copy(slab->bits.ptr, slab->rows, r->col->validity, r->from, n);
    else
        rv_pq_bits_fill(slab->bits.ptr, slab->rows, n);
    slab->bits.len = bytes;
    return RV_OK;
}

static rv_status add_strings(rv_pq_slab *slab, const rv_pq_span *span, uint32_t n, rv_error *err)
{
    const uint32_t *offsets = span->offsets;
    size_t bytes = offsets[n] - offsets[0];
    RV_TRY(rv_buf_reserve(&slab->lengths, (size_t)n * 4, err));
    RV_TRY(rv_buf_add(&slab->values, span->values + offsets[0], bytes, err));
    uint8_t *to = slab->lengths.ptr + slab->lengths.len;
    for (uint32_t i = 0; i < n; i++)
        rv_pq_store32(to + 4 * (size_t)i, offsets[i + 1] - offsets[i]);
    slab->lengths.len += (size_t)n * 4;
    slab->plain += bytes + (uint64_t)n * 4;
    return RV_OK;
}

static rv_status add_values(rv_pq_column *c, rv_pq_span *span, uint32_t n, rv_error *err)
{
    if (n == 0)
        return RV_OK;
    if (c->slab.values.len == 0) {
        RV_TRY(rv_buf_reserve(&c->slab.values, c->slab.head, err));
        c->slab.values.len = c->slab.head;
    }
    if (c->leaf.width == 0) {
        RV_TRY(add_strings(&c->slab, span, n, err));
        span->offsets += n;
    } else {
        size_t bytes = (size_t)n * c->leaf.width;
        RV_TRY(rv_buf_add(&c->slab.values, span->values, bytes, err));
        c->slab.plain += bytes;
        span->values += bytes;
    }
    c->slab.n += n;
    return RV_OK;
}

static rv_status add_rows(rv_pq_column *c, rv_pq_rows *r, uint32_t n, rv_error *err)
{
    uint32_t present = present_in(r, n);
    RV_TRY(add_bits(&c->slab, r, n, err));
    RV_TRY(add_values(c, &r->span, present, err));
    c->slab.rows += n;
    r->from += n;
    r->n -= n;
    r->present -= present;
    return RV_OK;
}

static bool strings_full(const rv_pq_slab *slab, const rv_pq_page_plan *plan)
{
    return slab->plain >= 2 * (uint64_t)plan->string_bytes ||
           (slab->plain >= plan->string_bytes && slab->rows % ROW_STEP == 0);
}

static uint64_t plain_of(const rv_pq_rows *r, uint32_t n)
{
    uint32_t present = present_in(r, n);
    return present ? r->span.offsets[present] - r->span.offsets[0] + 4 * (uint64_t)present : 0;
}

/* Strings fill a page by bytes. Large steps are taken while they cannot reach a limit, then
 * steps of 64 rows, and single rows where values are large; all ways end the page at the same
 * row, wherever the batch ends. */
static rv_status take_strings(rv_pq_column *c, const rv_pq_page_plan *plan, rv_pq_rows *r,
                              bool *full, rv_error *err)
{
    uint32_t room = c->page_rows - c->slab.rows;
    uint32_t step = r->n < room ? r->n : room;
    if (c->slab.plain + plain_of(r, step) >= plan->string_bytes) {
        uint32_t to_step = ROW_STEP - c->slab.rows % ROW_STEP;
        step = step < to_step ? step : to_step;
        if (c->slab.plain + plain_of(r, step) >= 2 * (uint64_t)plan->string_bytes)
            step = 1;
    }
    RV_TRY(add_rows(c, r, step, err));
    *full = c->slab.rows >= c->page_rows || strings_full(&c->slab, plan);
    return RV_OK;
}

rv_status rv_pq_slab_take(rv_pq_column *c, const rv_pq_page_plan *plan, rv_pq_rows *rows,
                          bool *full, rv_error *err)
{
    if (c->leaf.width == 0)
        return take_strings(c, plan, rows, full, err);
    uint32_t room = c->page_rows - c->slab.rows;
    RV_TRY(add_rows(c, rows, rows->n < room ? rows->n : room, err));
    *full = c->slab.rows >= c->page_rows;
    return RV_OK;
}

enum { LIST_NULL = 0, LIST_EMPTY = 1, ELEMENT_NULL = 2, ELEMENT = 3, REPEATED = 4 };

/* Levels of one list of elements [from, to) of the child; counts the present ones. */
static rv_status add_list_levels(rv_pq_slab *slab, const rv_col *child, uint32_t from, uint32_t to,
                                 uint32_t *present, rv_error *err)
{
    if (from == to)
        return rv_buf_add_byte(&slab->levels, LIST_EMPTY, err);
    RV_TRY(rv_buf_reserve(&slab->levels, to - from, err));
    for (uint32_t i = from; i < to; i++) {
        bool valid = !child->validity || rv_bit(child->validity, i);
        uint8_t level = (uint8_t)((valid ? ELEMENT : ELEMENT_NULL) | (i > from ? REPEATED : 0));
        slab->levels.ptr[slab->levels.len++] = level;
        *present += valid;
    }
    return RV_OK;
}

static bool list_full(const rv_pq_column *c, const rv_pq_page_plan *plan)
{
    uint32_t bytes = c->leaf.width ? plan->fixed_bytes : plan->string_bytes;
    uint64_t used = c->slab.plain + c->slab.levels.len;
    return c->slab.rows >= c->page_rows || used >= 2 * (uint64_t)bytes ||
           (used >= bytes && c->slab.rows % ROW_STEP == 0);
}

/* Row by row: a page begins with a row, so a list is never cut. c->present_upto counts the
 * present elements before the cursor, r->present the present lists after it. */
rv_status rv_pq_slab_take_list(rv_pq_column *c, rv_pq_shop *shop, rv_pq_rows *r, bool *full,
                               rv_error *err)
{
    const rv_col *col = r->col, *child = col->child;
    uint32_t n_lists = col->rows - col->nulls;
    while (r->n > 0 && !*full) {
        uint32_t before = c->present_upto, present = 0;
        if (col->validity && !rv_bit(col->validity, r->from)) {
            RV_TRY(rv_buf_add_byte(&c->slab.levels, LIST_NULL, err));
        } else {
            uint32_t k = n_lists - r->present;
            RV_TRY(add_list_levels(&c->slab, child, col->offsets[k], col->offsets[k + 1], &present,
                                   err));
            r->present--;
        }
        if (present > 0)
            RV_TRY(
                rv_pq_leaf_span(&c->leaf, child, before, present, &shop->scratch, &r->span, err));
        RV_TRY(add_values(c, &r->span, present, err));
        c->present_upto += present;
        c->slab.rows++;
        r->from++;
        r->n--;
        *full = list_full(c, &shop->plan);
    }
    return RV_OK;
}
