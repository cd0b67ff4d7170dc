#include "format/parquet/page.h"

#include <libdeflate.h>

#include "format/parquet/enc_plain.h"
#include "format/parquet/pack.h"

#define KEEP_BYTES ((size_t)4 << 20)
/* A value of 1 GiB and a page around it. */
#define BODY_MAX (((size_t)1 << 30) + ((size_t)64 << 20))

static rv_pq_codec codec_number(rv_codec_id id)
{
    switch (id) {
    case RV_CODEC_SNAPPY:
        return RV_PQ_SNAPPY;
    case RV_CODEC_GZIP:
        return RV_PQ_GZIP;
    case RV_CODEC_LZ4_RAW:
        return RV_PQ_LZ4_RAW;
    case RV_CODEC_ZSTD:
        return RV_PQ_ZSTD;
    case RV_CODEC_NONE:
    case RV_CODEC_LZ4_HADOOP: /* read only */
    case RV_CODEC_BROTLI:
        break;
    }
    return RV_PQ_UNCOMPRESSED;
}

rv_status rv_pq_press_open(rv_codec_id codec, int level, rv_pq_press *out, rv_error *err)
{
    rv_pq_press p = {.codec_id = codec_number(codec)};
    if (codec != RV_CODEC_NONE && p.codec_id == RV_PQ_UNCOMPRESSED)
        return rv_fail(err, RV_E_FORMAT_UNSUPPORTED, "codec %s cannot be written",
                       rv_codec_name(codec));
    rv_status st = RV_OK;
    if (p.codec_id != RV_PQ_UNCOMPRESSED) {
        RV_GO(rv_codec_open(codec, level, &p.codec, err));
        for (unsigned i = 0; i < RV_CODEC_FASTER; i++)
            RV_GO(rv_codec_open_faster(codec, level, i, &p.faster[i], err));
    }
    *out = p;
    return RV_OK;
done:
    rv_pq_press_close(&p);
    return st;
}

void rv_pq_press_close(rv_pq_press *p)
{
    rv_codec_close(p->codec);
    for (unsigned i = 0; i < RV_CODEC_FASTER; i++)
        rv_codec_close(p->faster[i]);
    rv_buf_free(&p->body);
    rv_buf_free(&p->packed);
    rv_buf_free(&p->header);
    rv_buf_free(&p->indexes);
    rv_buf_free(&p->entries);
    *p = (rv_pq_press){.codec = NULL};
}

void rv_pq_press_trim(rv_pq_press *p)
{
    if (p->body.cap > KEEP_BYTES)
        rv_buf_free(&p->body);
    if (p->packed.cap > KEEP_BYTES)
        rv_buf_free(&p->packed);
    if (p->indexes.cap > KEEP_BYTES)
        rv_buf_free(&p->indexes);
}

static rv_status encode_plain(rv_pq_type physical, const rv_pq_values *v, rv_buf *out,
                              rv_error *err)
{
    if (v->width == 0) {
        rv_pq_strings s = {v->bytes, v->lengths, v->n};
        return rv_pq_plain_strings(&s, out, err);
    }
    if (physical != RV_PQ_BOOLEAN)
        return rv_buf_add(out, v->bytes, v->n * v->width, err);
    RV_TRY(rv_buf_reserve(out, (v->n + 7) / 8, err));
    rv_pq_bits_pack(v->bytes, v->n, out->ptr + out->len);
    out->len += (v->n + 7) / 8;
    return RV_OK;
}

static rv_status encode_dbp(const rv_pq_values *v, rv_buf *out, rv_error *err)
{
    const void *values = v->bytes;
    RV_TRY(rv_buf_reserve(out, rv_pq_dbp_bound(v->n, v->width), err));
    if (v->width == 8)
        out->len += rv_pq_dbp64(values, v->n, out->ptr + out->len);
    else
        out->len += rv_pq_dbp32(values, v->n, out->ptr + out->len);
    return RV_OK;
}

static rv_status encode_dlba(const rv_pq_strings *s, rv_buf *out, rv_error *err)
{
    size_t total = 0;
    for (size_t i = 0; i < s->n; i++)
        total += s->lengths[i];
    RV_TRY(rv_pq_dlba_lengths(s, out, err));
    return rv_buf_add(out, s->bytes, total, err);
}

static rv_status encode_bss(const rv_pq_values *v, rv_buf *out, rv_error *err)
{
    size_t len = v->n * v->width;
    RV_TRY(rv_buf_reserve(out, len, err));
    rv_pq_split_streams(v->bytes, v->n, v->width, out->ptr + out->len);
    out->len += len;
    return RV_OK;
}

rv_status rv_pq_encode(rv_pq_encoding encoding, rv_pq_type physical, const rv_pq_values *v,
                       rv_buf *out, rv_error *err)
{
    rv_pq_strings s = {v->bytes, v->lengths, v->n};
    switch (encoding) {
    case RV_PQ_DBP:
        return encode_dbp(v, out, err);
    case RV_PQ_DLBA:
        return encode_dlba(&s, out, err);
    case RV_PQ_DBA:
        return rv_pq_dba(&s, out, err);
    case RV_PQ_BSS:
        return encode_bss(v, out, err);
    case RV_PQ_PLAIN:
    case RV_PQ_PLAIN_DICT:
    case RV_PQ_RLE:
    case RV_PQ_BIT_PACKED:
    case RV_PQ_RLE_DICT:
    case RV_PQ_ALP:
        break;
    }
    return encode_plain(physical, v, out, err);
}

rv_status rv_pq_press_u16(rv_pq_press *p, size_t n, uint16_t **out, rv_error *err)
{
    rv_buf_clear(&p->indexes);
    RV_TRY(rv_buf_reserve(&p->indexes, n * sizeof **out, err));
    *out = (uint16_t *)(void *)p->indexes.ptr;
    return RV_OK;
}

static rv_status compress(rv_pq_press *p, rv_codec *codec, rv_bytes raw, rv_error *err)
{
    size_t bound = rv_codec_bound(codec, raw.len);
    rv_buf_clear(&p->packed);
    RV_TRY(rv_buf_reserve(&p->packed, bound, err));
    return rv_codec_compress(codec, raw, p->packed.ptr, bound, &p->packed.len, err);
}

rv_status rv_pq_press_trial(rv_pq_press *p, rv_codec *codec, rv_bytes raw, size_t *out_len,
                            rv_error *err)
{
    RV_TRY(compress(p, codec, raw, err));
    *out_len = p->packed.len;
    return RV_OK;
}

rv_status rv_pq_page_store(rv_pq_press *p, rv_pq_page_header *header, rv_bytes body,
                           rv_codec *codec, rv_pq_log *log, rv_pq_stored *out, rv_error *err)
{
    if (body.len > BODY_MAX)
        return rv_fail(err, RV_E_VALUE_TOO_LARGE, "a page of %zu bytes cannot be written",
                       body.len);
    rv_bytes stored = body;
    if (codec) {
        RV_TRY(compress(p, codec, body, err));
        stored = rv_buf_bytes(&p->packed);
    }
    header->uncompressed = (int32_t)body.len;
    header->compressed = (int32_t)stored.len;
    header->has |= RV_HAS(RV_PQ_PAGE_CRC);
    header->crc = (int32_t)libdeflate_crc32(0, stored.ptr, stored.len);
    rv_buf_clear(&p->header);
    RV_TRY(rv_thrift_write(&rv_pq_page_header_desc, header, &p->header, err));
    rv_pq_stored s = {.at = log->len};
    s.size = (uint32_t)(p->header.len + stored.len);
    s.raw_size = (uint32_t)(p->header.len + body.len);
    RV_TRY(rv_pq_log_add(log, p->header.ptr, p->header.len, err));
    RV_TRY(rv_pq_log_add(log, stored.ptr, stored.len, err));
    *out = s;
    return RV_OK;
}
