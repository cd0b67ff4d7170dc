/* Ranges of physical addresses: each page is a run of heap blocks. Right only inside one
 * snapshot, where no row moves. Spec "source-safety" section 3. */
#include "source/postgres/scan_internal.h"

#define BLOCK_BYTES 8192
#define LAST_OFFSET 65535 /* beyond every row of a block */
#define BLOCKS_MIN 4
#define BLOCKS_MAX 1048576

bool rv_pgs_ctid_parse(rv_str text, uint32_t *out_block, uint32_t *out_offset)
{
    uint64_t block = 0, offset = 0;
    const char *comma = text.len > 2 ? memchr(text.ptr, ',', text.len) : NULL;
    if (!comma || text.ptr[0] != '(' || text.ptr[text.len - 1] != ')')
        return false;
    size_t at = (size_t)(comma - text.ptr);
    if (!rv_str_u64((rv_str){text.ptr + 1, at - 1}, &block) ||
        !rv_str_u64((rv_str){comma + 1, text.len - at - 2}, &offset) || block > UINT32_MAX ||
        offset > LAST_OFFSET)
        return false;
    *out_block = (uint32_t)block;
    *out_offset = (uint32_t)offset;
    return true;
}

/* Blocks that hold about `limit` rows. */
static uint64_t blocks_for(const rv_scan *scan, uint64_t limit)
{
    uint64_t pages = scan->r->pages > 0 ? (uint64_t)scan->r->pages : 1;
    uint64_t rows = scan->rel->row_estimate > 0 ? (uint64_t)scan->rel->row_estimate : 0;
    uint64_t per_block = (rows + pages - 1) / pages;
    if (rows == 0) { /* never analysed */
        uint64_t bytes = scan->rel->row_bytes > 0 ? (uint64_t)scan->rel->row_bytes : 100;
        per_block = BLOCK_BYTES / bytes;
    }
    uint64_t blocks = limit / (per_block ? per_block : 1);
    if (blocks < BLOCKS_MIN)
        return BLOCKS_MIN;
    return blocks > BLOCKS_MAX ? BLOCKS_MAX : blocks;
}

static rv_status position(const rv_datum *d, uint32_t *block, uint32_t *offset, rv_error *err)
{
    if (d->null || !rv_pgs_ctid_parse(d->text, block, offset))
        return rv_fail(err, RV_E_INTERNAL, "'%.*s' is no physical address", RV_STR_ARG(d->text));
    return RV_OK;
}

/* The end of this page: an exclusive block. False: it goes to the end of the relation, of which
 * blocks may have been added since it was resolved. */
static rv_status page_end(const rv_scan *scan, const rv_page_spec *page, uint64_t *out_end,
                          bool *out_bounded, rv_error *err)
{
    uint32_t block = 0, offset = 0;
    uint64_t first = 0, end = scan->r->pages > 0 ? (uint64_t)scan->r->pages : 0;
    if (page->after) {
        RV_TRY(position(page->after, &block, &offset, err));
        first = offset == LAST_OFFSET ? (uint64_t)block + 1 : block;
    }
    if (page->until) {
        RV_TRY(position(page->until, &block, &offset, err));
        end = (uint64_t)block + 1;
    }
    *out_end = page->limit ? first + blocks_for(scan, page->limit) : end;
    *out_bounded = *out_end < end;
    return RV_OK;
}

static rv_status window_end(rv_scan *scan, uint64_t end, rv_error *err)
{
    rv_datum *last = NULL;
    const char *text = NULL;
    RV_TRY(rv_arena_printf(&scan->arena, &text, err, "(%llu,%d)", (unsigned long long)(end - 1),
                           LAST_OFFSET));
    RV_TRY(rv_arena_array(&scan->arena, 1, sizeof *last, &last, err));
    *last = (rv_datum){.kind = rv_pgs_wire_kind(RV_PG_TID), .text = rv_str_c(text)};
    scan->end_of_window = last;
    scan->more_windows = true;
    return RV_OK;
}

/* "t"."ctid" < '(128,0)'::tid */
static rv_status below_end(const rv_scan *scan, uint64_t end, rv_buf *out, rv_error *err)
{
    rv_expr ctid = {"ctid", NULL};
    RV_TRY(rv_pgs_expr(scan->r, &ctid, out, err));
    RV_TRY(rv_buf_printf(out, err, " < '(%llu,0)'::tid", (unsigned long long)end));
    return rv_buf_add_byte(out, 0, err);
}

rv_status rv_pgs_ranges_start(rv_scan *scan, const rv_page_spec *page, rv_error *err)
{
    uint64_t end = 0;
    bool bounded = false;
    rv_buf extra = RV_BUF_INIT;
    rv_status st;
    rv_pgs_select_opts opts = {.unordered = true};
    if (!scan->s->snapshot)
        return rv_fail(err, RV_E_INTERNAL, "physical addresses are read inside a snapshot only");
    scan->page.limit = 0; /* the window bounds the page */
    RV_GO(page_end(scan, page, &end, &bounded, err));
    if (bounded) {
        RV_GO(below_end(scan, end, &extra, err));
        opts.extra = (const char *)extra.ptr;
        RV_GO(window_end(scan, end, err));
    }
    RV_GO(rv_pgs_copy_start(scan, page, &opts, err));
done:
    rv_buf_free(&extra);
    return st;
}
