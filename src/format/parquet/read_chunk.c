#include <string.h>

#include "format/parquet/reader.h"

void rv_pq_reader_start(rv_pq_reader *r, const rv_pq_file *file, const rv_pq_read_chunk *chunk,
                        rv_pq_shared *shared, bool check_crc)
{
    rv_pq_reader fresh = {.file = file,
                          .shared = shared,
                          .chunk = chunk,
                          .check_crc = check_crc,
                          .at = chunk->start,
                          .values = {.joined = r->values.joined},
                          .body = r->body,
                          .dict_body = r->dict_body,
                          .dict_spans = r->dict_spans};
    *r = fresh;
}

void rv_pq_reader_close(rv_pq_reader *r)
{
    rv_pq_value_cursor_close(&r->values);
    rv_buf_free(&r->body);
    rv_buf_free(&r->dict_body);
    rv_buf_free(&r->dict_spans);
}

rv_status rv_pq_reader_where(const rv_pq_reader *r, rv_status st, rv_error *err)
{
    if (st == RV_OK || st == RV_E_INTERRUPTED)
        return st;
    return rv_wrap(err, st, "row group %u, column '%s', page at offset %llu", r->chunk->group,
                   r->chunk->leaf->name, (unsigned long long)r->page.offset);
}

/* ---- dictionary ---- */

static rv_status dict_of_spans(rv_pq_reader *r, uint32_t n, size_t *used, rv_error *err)
{
    const rv_pq_read_leaf *leaf = r->chunk->leaf;
    size_t least = leaf->type == RV_PQ_FLBA ? leaf->flba : 4;
    if (n > r->dict_body.len / least)
        return rv_fail(err, RV_E_CORRUPT, "dictionary of %u entries in %zu bytes", n,
                       r->dict_body.len);
    rv_buf_clear(&r->dict_spans);
    RV_TRY(rv_buf_reserve(&r->dict_spans, n * sizeof(rv_bytes) + 1, err));
    r->dict.spans = (rv_bytes *)(void *)r->dict_spans.ptr;
    return rv_pq_plain_spans(rv_buf_bytes(&r->dict_body), leaf->flba, leaf->type == RV_PQ_FLBA,
                             r->dict.spans, n, used, err);
}

static rv_status load_dict(rv_pq_reader *r, rv_error *err)
{
    const rv_pq_dict_header *h = &r->page.header.dict;
    if (h->encoding != RV_PQ_PLAIN && h->encoding != RV_PQ_PLAIN_DICT)
        return rv_fail(err, RV_E_CORRUPT, "dictionary in encoding %s",
                       rv_pq_encoding_name(h->encoding));
    uint32_t n = (uint32_t)h->num_values;
    RV_TRY(rv_pq_page_body_read(r, &r->dict_body, err));
    unsigned width = rv_pq_fixed_width(r->chunk->leaf->type);
    size_t used = (size_t)n * width;
    r->dict = (rv_pq_read_dict){.n = n, .fixed = r->dict_body.ptr};
    if (width == 0)
        RV_TRY(dict_of_spans(r, n, &used, err));
    if (used != r->dict_body.len)
        return rv_fail(err, RV_E_CORRUPT, "dictionary of %u entries takes %zu bytes, it has %zu", n,
                       used, r->dict_body.len);
    r->has_dict = true;
    return RV_OK;
}

/* ---- data pages ---- */

static rv_status take_levels(rv_bytes *body, unsigned max, int32_t encoding, uint32_t n,
                             rv_pq_levels *out, rv_error *err)
{
    if (max == 0)
        return RV_OK;
    uint32_t len;
    if (encoding == RV_PQ_BIT_PACKED) {
        len = (uint32_t)(((uint64_t)n * rv_pq_bit_width(max) + 7) / 8);
    } else {
        if (body->len < 4)
            return rv_fail(err, RV_E_CORRUPT, "page ends in its levels");
        memcpy(&len, body->ptr, 4);
        *body = (rv_bytes){body->ptr + 4, body->len - 4};
    }
    if (len > body->len)
        return rv_fail(err, RV_E_CORRUPT, "levels of %u bytes, %zu are left", len, body->len);
    RV_TRY(rv_pq_levels_init(out, (rv_bytes){body->ptr, len}, encoding, max, err));
    *body = (rv_bytes){body->ptr + len, body->len - len};
    return RV_OK;
}

static rv_status open_v1(rv_pq_reader *r, rv_error *err)
{
    const rv_pq_data_header *h = &r->page.header.data;
    const rv_pq_read_leaf *leaf = r->chunk->leaf;
    rv_bytes body = rv_buf_bytes(&r->body);
    uint32_t n = (uint32_t)h->num_values;
    RV_TRY(take_levels(&body, leaf->max_rep, h->rep_encoding, n, &r->rep, err));
    RV_TRY(take_levels(&body, leaf->max_def, h->def_encoding, n, &r->def, err));
    return rv_pq_value_cursor_init(&r->values, body, leaf->type, leaf->flba, h->encoding,
                                   r->has_dict ? &r->dict : NULL, err);
}

static rv_status open_v2(rv_pq_reader *r, rv_error *err)
{
    const rv_pq_data_v2_header *h = &r->page.header.data_v2;
    const rv_pq_read_leaf *leaf = r->chunk->leaf;
    rv_bytes body = rv_buf_bytes(&r->body);
    rv_bytes rep = {body.ptr, (size_t)h->rep_bytes};
    rv_bytes def = {body.ptr + rep.len, (size_t)h->def_bytes};
    rv_bytes values = {def.ptr + def.len, body.len - rep.len - def.len};
    if (r->file->own && ((leaf->max_rep == 0 && rep.len) || (leaf->max_def == 0 && def.len)))
        return rv_fail(err, RV_E_CORRUPT, "levels in a column that has none");
    if (leaf->max_rep)
        RV_TRY(rv_pq_levels_init(&r->rep, rep, RV_PQ_RLE, leaf->max_rep, err));
    if (leaf->max_def)
        RV_TRY(rv_pq_levels_init(&r->def, def, RV_PQ_RLE, leaf->max_def, err));
    return rv_pq_value_cursor_init(&r->values, values, leaf->type, leaf->flba, h->encoding,
                                   r->has_dict ? &r->dict : NULL, err);
}

static int32_t page_values(const rv_pq_page_header *h)
{
    return h->type == RV_PQ_PAGE_DATA ? h->data.num_values : h->data_v2.num_values;
}

static rv_status count_page(rv_pq_reader *r, rv_error *err)
{
    int32_t n = page_values(&r->page.header);
    r->entries += n;
    r->data_pages++;
    if (r->entries > r->chunk->meta.num_values)
        return rv_fail(err, RV_E_CORRUPT, "pages hold more than the %lld values of the chunk",
                       (long long)r->chunk->meta.num_values);
    return r->file->env->cancel ? rv_cancel_check(r->file->env->cancel, err) : RV_OK;
}

static rv_status check_totals(const rv_pq_reader *r, rv_error *err)
{
    const rv_pq_column_meta *m = &r->chunk->meta;
    if (r->entries != m->num_values)
        return rv_fail(err, RV_E_CORRUPT, "pages hold %lld values, the footer says %lld",
                       (long long)r->entries, (long long)m->num_values);
    if (r->raw_bytes != (uint64_t)m->total_uncompressed && r->file->own)
        return rv_fail(err, RV_E_CORRUPT,
                       "pages take %llu bytes uncompressed, the footer says %lld",
                       (unsigned long long)r->raw_bytes, (long long)m->total_uncompressed);
    return RV_OK;
}

/* The next header; only data pages count values. */
static rv_status next_header(rv_pq_reader *r, bool *end, rv_error *err)
{
    *end = r->at == r->chunk->end;
    if (*end)
        return check_totals(r, err);
    RV_TRY(rv_pq_page_header_read(r, err));
    return r->page.is_dict ? RV_OK : count_page(r, err);
}

static rv_status skip_page(rv_pq_reader *r, bool *end, rv_error *err)
{
    RV_TRY(next_header(r, end, err));
    if (*end)
        return RV_OK;
    r->has_dict = r->has_dict || r->page.is_dict;
    return r->check_crc ? rv_pq_page_crc_check(r, err) : RV_OK;
}

rv_status rv_pq_reader_skip(rv_pq_reader *r, bool *out_end, rv_error *err)
{
    return rv_pq_reader_where(r, skip_page(r, out_end, err), err);
}

static rv_status open_page(rv_pq_reader *r, bool *end, rv_error *err)
{
    do {
        RV_TRY(next_header(r, end, err));
        if (!*end && r->page.is_dict)
            RV_TRY(load_dict(r, err));
    } while (!*end && r->page.is_dict);
    if (*end)
        return RV_OK;
    RV_TRY(rv_pq_page_body_read(r, &r->body, err));
    r->page_left = (uint32_t)page_values(&r->page.header);
    r->page_nulls = r->page_rows = 0;
    r->page_open = true;
    return r->page.header.type == RV_PQ_PAGE_DATA ? open_v1(r, err) : open_v2(r, err);
}

static rv_status close_page(rv_pq_reader *r, rv_error *err)
{
    const rv_pq_data_v2_header *v2 = &r->page.header.data_v2;
    const rv_pq_read_leaf *leaf = r->chunk->leaf;
    bool exact = r->file->own;
    r->page_open = false;
    if (leaf->max_rep)
        RV_TRY(rv_pq_levels_finish(&r->rep, exact, err));
    if (leaf->max_def)
        RV_TRY(rv_pq_levels_finish(&r->def, exact, err));
    RV_TRY(rv_pq_value_cursor_finish(&r->values, exact, err));
    if (r->page.header.type == RV_PQ_PAGE_DATA_V2 &&
        (v2->num_nulls != r->page_nulls || v2->num_rows != r->page_rows))
        return rv_fail(
            err, RV_E_CORRUPT, "%lld rows and %lld nulls, the page header says %d and %d",
            (long long)r->page_rows, (long long)r->page_nulls, v2->num_rows, v2->num_nulls);
    return RV_OK;
}

/* ---- slices ---- */

/* Where the row after the next max_rows begins, or n. */
static uint32_t cut_rows(const uint8_t *rep, uint32_t n, uint32_t max_rows, uint32_t *rows)
{
    uint32_t begun = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (rep[i])
            continue;
        if (begun == max_rows) {
            *rows = begun;
            return i;
        }
        begun++;
    }
    *rows = begun;
    return n;
}

/* Decodes ahead, and again when the slice must end sooner. */
static rv_status next_reps(rv_pq_reader *r, uint32_t max_rows, uint32_t *n, uint32_t *rows,
                           rv_error *err)
{
    uint8_t *rep = r->shared->scratch.rep;
    rv_pq_levels before = r->rep;
    RV_TRY(rv_pq_levels_next(&r->rep, rep, *n, err));
    if (r->rows == 0 && rep[0])
        return rv_fail(err, RV_E_CORRUPT, "the column chunk begins within a row");
    uint32_t cut = cut_rows(rep, *n, max_rows, rows);
    if (cut < *n) {
        r->rep = before;
        *n = cut;
        return rv_pq_levels_next(&r->rep, rep, cut, err);
    }
    return RV_OK;
}

static uint32_t count_present(const uint8_t *def, uint32_t n, uint8_t max)
{
    uint32_t present = 0;
    for (uint32_t i = 0; i < n; i++)
        present += def[i] == max;
    return present;
}

static rv_status next_slice(rv_pq_reader *r, uint32_t max_rows, rv_pq_slice *s, rv_error *err)
{
    rv_pq_scratch *scratch = &r->shared->scratch;
    const rv_pq_read_leaf *leaf = r->chunk->leaf;
    uint32_t n = r->page_left < RV_PQ_SLICE ? r->page_left : RV_PQ_SLICE;
    if (leaf->max_rep) {
        RV_TRY(next_reps(r, max_rows, &n, &s->rows, err));
        s->rep = scratch->rep;
    } else {
        n = n < max_rows ? n : max_rows;
        s->rows = n;
    }
    uint32_t present = n;
    if (leaf->max_def) {
        RV_TRY(rv_pq_levels_next(&r->def, scratch->def, n, err));
        present = count_present(scratch->def, n, leaf->max_def);
        s->def = scratch->def;
    }
    RV_TRY(rv_pq_value_cursor_next(&r->values, present, scratch, &s->values, err));
    s->n = n;
    r->page_left -= n;
    r->page_nulls += n - present;
    r->page_rows += s->rows;
    r->rows += s->rows;
    return RV_OK;
}

static rv_status finish_chunk(const rv_pq_reader *r, rv_error *err)
{
    if (r->rows != r->chunk->group_rows)
        return rv_fail(err, RV_E_CORRUPT, "%lld rows in a row group of %lld", (long long)r->rows,
                       (long long)r->chunk->group_rows);
    return RV_OK;
}

static rv_status next_in_chunk(rv_pq_reader *r, uint32_t max_rows, rv_pq_slice *s, rv_error *err)
{
    while (r->page_left == 0) {
        if (r->page_open)
            RV_TRY(close_page(r, err));
        RV_TRY(open_page(r, &s->end, err));
        if (s->end) {
            r->closed = true;
            return finish_chunk(r, err);
        }
    }
    return next_slice(r, max_rows, s, err);
}

rv_status rv_pq_reader_next(rv_pq_reader *r, uint32_t max_rows, rv_pq_slice *out, rv_error *err)
{
    rv_pq_slice s = {0};
    rv_status st = next_in_chunk(r, max_rows, &s, err);
    if (st != RV_OK)
        return rv_pq_reader_where(r, st, err);
    *out = s;
    return RV_OK;
}
