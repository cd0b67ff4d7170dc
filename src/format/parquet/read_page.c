#include <libdeflate.h>
#include <string.h>

#include "format/parquet/reader.h"

#define RATIO_MAX (1u << 20) /* uncompressed bytes per stored byte */

rv_status rv_pq_shared_open(rv_pq_shared *s, rv_error *err)
{
    *s = (rv_pq_shared){.compressed = RV_BUF_INIT, .headers = RV_ARENA_INIT};
    return rv_pq_scratch_open(&s->scratch, err);
}

void rv_pq_shared_close(rv_pq_shared *s)
{
    rv_pq_scratch_close(&s->scratch);
    rv_buf_free(&s->compressed);
    rv_arena_free(&s->headers);
    for (size_t i = 0; i <= RV_CODEC_BROTLI; i++)
        rv_codec_close(s->codecs[i]);
    *s = (rv_pq_shared){0};
}

static rv_status codec_of(rv_pq_shared *s, int32_t codec, rv_codec **out, rv_error *err)
{
    static const rv_codec_id ids[] = {
        [RV_PQ_UNCOMPRESSED] = RV_CODEC_NONE, [RV_PQ_SNAPPY] = RV_CODEC_SNAPPY,
        [RV_PQ_GZIP] = RV_CODEC_GZIP,         [RV_PQ_LZO] = RV_CODEC_NONE,
        [RV_PQ_BROTLI] = RV_CODEC_BROTLI,     [RV_PQ_LZ4] = RV_CODEC_LZ4_HADOOP,
        [RV_PQ_ZSTD] = RV_CODEC_ZSTD,         [RV_PQ_LZ4_RAW] = RV_CODEC_LZ4_RAW};
    if (codec == RV_PQ_LZO)
        return rv_fail(err, RV_E_CORRUPT, "codec LZO is not supported");
    rv_codec_id id = ids[codec];
    if (!s->codecs[id])
        RV_TRY(rv_codec_open(id, RV_LEVEL_DEFAULT, &s->codecs[id], err));
    *out = s->codecs[id];
    return RV_OK;
}

/* ---- header ---- */

static rv_status check_sizes(const rv_pq_read_page *p, uint64_t room, rv_error *err)
{
    const rv_pq_page_header *h = &p->header;
    if (h->compressed < 0 || (uint64_t)h->compressed > room)
        return rv_fail(err, RV_E_CORRUPT, "page of %d bytes, %llu are left in the column chunk",
                       h->compressed, (unsigned long long)room);
    if (h->uncompressed < 0 || (uint64_t)h->uncompressed > RV_PQ_PAGE_MAX ||
        (uint64_t)h->uncompressed > ((uint64_t)h->compressed + 1) * RATIO_MAX)
        return rv_fail(err, RV_E_CORRUPT, "page of %d bytes unfolds to %d", h->compressed,
                       h->uncompressed);
    return RV_OK;
}

static rv_status check_v2(const rv_pq_page_header *h, rv_error *err)
{
    const rv_pq_data_v2_header *v = &h->data_v2;
    if (v->def_bytes < 0 || v->rep_bytes < 0 || v->num_nulls < 0 || v->num_rows < 0 ||
        (int64_t)v->def_bytes + v->rep_bytes > h->compressed ||
        (int64_t)v->def_bytes + v->rep_bytes > h->uncompressed)
        return rv_fail(err, RV_E_CORRUPT, "levels of %d and %d bytes in a page of %d", v->rep_bytes,
                       v->def_bytes, h->compressed);
    return RV_OK;
}

static rv_status check_kind(const rv_pq_page_header *h, rv_error *err)
{
    int32_t values = 0;
    if (h->type == RV_PQ_PAGE_DATA && (h->has & RV_HAS(RV_PQ_PAGE_V1))) {
        values = h->data.num_values;
    } else if (h->type == RV_PQ_PAGE_DICT && (h->has & RV_HAS(RV_PQ_PAGE_DICTIONARY))) {
        values = h->dict.num_values;
    } else if (h->type == RV_PQ_PAGE_DATA_V2 && (h->has & RV_HAS(RV_PQ_PAGE_V2))) {
        RV_TRY(check_v2(h, err));
        values = h->data_v2.num_values;
    } else {
        return rv_fail(err, RV_E_CORRUPT, "page of type %d without its header", h->type);
    }
    if (values < 0)
        return rv_fail(err, RV_E_CORRUPT, "page of %d values", values);
    return RV_OK;
}

static rv_status check_own(rv_pq_reader *r, rv_bytes read, rv_error *err)
{
    if (!(r->page.header.has & RV_HAS(RV_PQ_PAGE_CRC)))
        return rv_fail(err, RV_E_CORRUPT, "page without a checksum");
    const rv_pq_data_header *data = &r->page.header.data;
    if ((r->page.header.has & RV_HAS(RV_PQ_PAGE_V1)) &&
        (data->def_encoding != RV_PQ_RLE || data->rep_encoding != RV_PQ_RLE))
        return rv_fail(err, RV_E_CORRUPT, "levels in encodings %d and %d", data->rep_encoding,
                       data->def_encoding);
    return rv_pq_own_form(&rv_pq_page_header_desc, &r->page.header, read, err);
}

/* Headers are short, but page statistics may make them long: the window grows until it fits. */
static rv_status read_header(rv_pq_reader *r, size_t *used, rv_error *err)
{
    static const size_t windows[] = {256, 16384, 1u << 20, 16u << 20};
    rv_buf *buf = &r->shared->compressed;
    uint64_t room = r->chunk->end - r->at;
    rv_status st = RV_OK;
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        size_t len = room < windows[i] ? (size_t)room : windows[i];
        rv_buf_clear(buf);
        rv_arena_free(&r->shared->headers);
        RV_TRY(rv_buf_reserve(buf, len, err));
        RV_TRY(r->file->in.read(r->file->in.self, r->at, buf->ptr, len, err));
        buf->len = len;
        st = rv_thrift_read(&rv_pq_page_header_desc, rv_buf_bytes(buf), &r->shared->headers,
                            &r->page.header, used, err);
        if (st == RV_OK && r->file->own)
            return check_own(r, (rv_bytes){buf->ptr, *used}, err);
        if (st != RV_E_CORRUPT || len == room)
            return st;
    }
    return st;
}

rv_status rv_pq_page_header_read(rv_pq_reader *r, rv_error *err)
{
    size_t used = 0;
    rv_pq_read_page *p = &r->page;
    p->offset = r->at;
    RV_TRY(read_header(r, &used, err));
    /* They point into the window, which the body overwrites. */
    p->header.data.stats = p->header.data_v2.stats = (rv_pq_statistics){0};
    p->body_at = r->at + used;
    RV_TRY(check_sizes(p, r->chunk->end - p->body_at, err));
    RV_TRY(check_kind(&p->header, err));
    p->body_len = (uint32_t)p->header.compressed;
    p->is_dict = p->header.type == RV_PQ_PAGE_DICT;
    if (p->is_dict && (r->has_dict || r->data_pages))
        return rv_fail(err, RV_E_CORRUPT, "a second or late dictionary page");
    p->index = r->data_pages;
    r->at = p->body_at + p->body_len;
    r->raw_bytes += used + (uint64_t)(uint32_t)p->header.uncompressed;
    return RV_OK;
}

/* ---- body ---- */

static rv_status reserve_padded(rv_buf *b, size_t len, rv_error *err)
{
    rv_buf_clear(b);
    RV_TRY(rv_buf_reserve(b, len + RV_PQ_PAD, err));
    memset(b->ptr + len, 0, RV_PQ_PAD);
    return RV_OK;
}

static rv_status check_crc(const rv_pq_reader *r, const uint8_t *body, rv_error *err)
{
    const rv_pq_page_header *h = &r->page.header;
    if (!r->check_crc || !(h->has & RV_HAS(RV_PQ_PAGE_CRC)))
        return RV_OK;
    uint32_t got = libdeflate_crc32(0, body, r->page.body_len);
    if (got != (uint32_t)h->crc)
        return rv_fail(err, RV_E_CORRUPT, "checksum %08x, the page header says %08x", got,
                       (uint32_t)h->crc);
    return RV_OK;
}

static rv_status read_stored(rv_pq_reader *r, rv_buf *into, rv_error *err)
{
    RV_TRY(reserve_padded(into, r->page.body_len, err));
    RV_TRY(r->file->in.read(r->file->in.self, r->page.body_at, into->ptr, r->page.body_len, err));
    into->len = r->page.body_len;
    return check_crc(r, into->ptr, err);
}

rv_status rv_pq_page_crc_check(rv_pq_reader *r, rv_error *err)
{
    return read_stored(r, &r->shared->compressed, err);
}

static rv_status uncompress(rv_pq_reader *r, size_t plain, rv_buf *out, rv_error *err)
{
    const rv_buf *stored = &r->shared->compressed;
    size_t raw_len = (uint32_t)r->page.header.uncompressed;
    rv_codec *codec = NULL;
    RV_TRY(codec_of(r->shared, r->chunk->meta.codec, &codec, err));
    RV_TRY(reserve_padded(out, raw_len, err));
    if (plain)
        memcpy(out->ptr, stored->ptr, plain);
    rv_bytes packed = {stored->ptr + plain, stored->len - plain};
    if (packed.len || raw_len > plain)
        RV_TRY(rv_codec_decompress(codec, packed, out->ptr + plain, raw_len - plain, err));
    out->len = raw_len;
    return RV_OK;
}

rv_status rv_pq_page_body_read(rv_pq_reader *r, rv_buf *out, rv_error *err)
{
    const rv_pq_page_header *h = &r->page.header;
    bool v2 = h->type == RV_PQ_PAGE_DATA_V2;
    bool packed = r->chunk->meta.codec != RV_PQ_UNCOMPRESSED;
    if (v2 && (h->data_v2.has & RV_HAS(RV_PQ_DATA_V2_COMPRESSED)) && !h->data_v2.is_compressed)
        packed = false;
    if (packed) {
        RV_TRY(read_stored(r, &r->shared->compressed, err));
        return uncompress(r, v2 ? (size_t)(h->data_v2.def_bytes + h->data_v2.rep_bytes) : 0, out,
                          err);
    }
    if (h->compressed != h->uncompressed)
        return rv_fail(err, RV_E_CORRUPT, "uncompressed page of %d bytes stored in %d",
                       h->uncompressed, h->compressed);
    return read_stored(r, out, err);
}
