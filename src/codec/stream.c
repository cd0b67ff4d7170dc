/* Both streams gather input into slices of a fixed size and compress whole slices only, so the
 * output is a function of the bytes alone, not of how the writes were cut.
 *   gzip: every slice becomes one member (RFC 1952 section 2.2 lets members follow each other);
 *         libdeflate's matches do not reach across, which costs about 1 % at 1 MiB.
 *   zstd: one frame with a content checksum. */
#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_c_srcSizeHint */
#include <zstd.h>

#include "codec/codec_internal.h"

#include "base/mem.h"

enum { GZIP_SLICE_BYTES = 1 << 20, ZSTD_SLICE_BYTES = 1 << 17 };
/* Keeps window and tables of the highest levels within some 40 MiB; levels below 9 use less
 * of themselves and are not touched. */
enum { ZSTD_WINDOW_HINT_BYTES = 2 << 20 };

struct rv_codec_stream {
    rv_codec_id id;
    rv_sink sink;
    rv_codec *gzip;
    void *zstd;
    uint8_t *slice;
    size_t slice_len;
    size_t slice_cap;
    uint8_t *packed;
    size_t packed_cap;
    uint64_t out_bytes;
    uint64_t in_bytes;
};

static rv_status stream_emit(rv_codec_stream *s, size_t len, rv_error *err)
{
    if (len == 0)
        return RV_OK;
    RV_TRY(s->sink.write(s->sink.self, (rv_bytes){s->packed, len}, err));
    s->out_bytes += len;
    return RV_OK;
}

static rv_status gzip_slice(rv_codec_stream *s, rv_error *err)
{
    size_t n;
    rv_bytes raw = {s->slice, s->slice_len};
    RV_TRY(rv_codec_compress(s->gzip, raw, s->packed, s->packed_cap, &n, err));
    return stream_emit(s, n, err);
}

static rv_status zstd_slice(rv_codec_stream *s, bool last, rv_error *err)
{
    ZSTD_inBuffer in = {s->slice, s->slice_len, 0};
    for (;;) {
        ZSTD_outBuffer out = {s->packed, s->packed_cap, 0};
        size_t left = ZSTD_compressStream2(s->zstd, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            return rv_zstd_fail(left, RV_E_INTERNAL, "the stream cannot be compressed", err);
        RV_TRY(stream_emit(s, out.pos, err));
        if (last ? left == 0 : in.pos == in.size && out.pos < out.size)
            return RV_OK;
    }
}

static rv_status stream_slice(rv_codec_stream *s, bool last, rv_error *err)
{
    RV_TRY(s->id == RV_CODEC_GZIP ? gzip_slice(s, err) : zstd_slice(s, last, err));
    s->in_bytes += s->slice_len;
    s->slice_len = 0;
    return RV_OK;
}

static rv_status zstd_prepare(rv_codec_stream *s, int level, rv_error *err)
{
    RV_TRY(rv_codec_level_resolve(RV_CODEC_ZSTD, level, &level, err));
    RV_TRY(rv_zstd_encoder_open(level, &s->zstd, err));
    size_t r = ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_checksumFlag, 1);
    if (!ZSTD_isError(r))
        r = ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_srcSizeHint, ZSTD_WINDOW_HINT_BYTES);
    if (ZSTD_isError(r))
        return rv_zstd_fail(r, RV_E_INTERNAL, "a parameter is refused", err);
    s->slice_cap = ZSTD_SLICE_BYTES;
    s->packed_cap = ZSTD_CStreamOutSize();
    return RV_OK;
}

static rv_status gzip_prepare(rv_codec_stream *s, int level, rv_error *err)
{
    RV_TRY(rv_codec_open(RV_CODEC_GZIP, level, &s->gzip, err));
    s->slice_cap = GZIP_SLICE_BYTES;
    s->packed_cap = rv_codec_bound(s->gzip, GZIP_SLICE_BYTES);
    return RV_OK;
}

rv_status rv_codec_stream_open(rv_codec_id id, int level, rv_sink out, rv_codec_stream **stream,
                               rv_error *err)
{
    if (id != RV_CODEC_GZIP && id != RV_CODEC_ZSTD)
        return rv_fail(err, RV_E_FORMAT_UNSUPPORTED, "%s has no stream form", rv_codec_name(id));
    rv_status st = RV_OK;
    rv_codec_stream *s = rv_calloc(1, sizeof *s);
    if (!s)
        return rv_fail_memory(err);
    s->id = id;
    s->sink = out;
    RV_GO(id == RV_CODEC_GZIP ? gzip_prepare(s, level, err) : zstd_prepare(s, level, err));
    s->slice = rv_alloc(s->slice_cap);
    s->packed = rv_alloc(s->packed_cap);
    if (!s->slice || !s->packed)
        RV_GO(rv_fail_memory(err));
    *stream = s;
    return RV_OK;
done:
    rv_codec_stream_close(s);
    return st;
}

rv_status rv_codec_stream_write(rv_codec_stream *s, rv_bytes data, rv_error *err)
{
    while (data.len > 0) {
        /* a full slice waits for the next byte: it may be the last one, which ends differently */
        if (s->slice_len == s->slice_cap)
            RV_TRY(stream_slice(s, false, err));
        size_t room = s->slice_cap - s->slice_len;
        size_t n = data.len < room ? data.len : room;
        memcpy(s->slice + s->slice_len, data.ptr, n);
        s->slice_len += n;
        data = (rv_bytes){data.ptr + n, data.len - n};
    }
    return RV_OK;
}

uint64_t rv_codec_stream_out_bytes(const rv_codec_stream *s)
{
    return s->out_bytes;
}

uint64_t rv_codec_stream_in_bytes(const rv_codec_stream *s)
{
    return s->in_bytes;
}

rv_status rv_codec_stream_finish(rv_codec_stream *s, rv_error *err)
{
    /* nothing written still makes a valid empty member or frame */
    return stream_slice(s, true, err);
}

void rv_codec_stream_close(rv_codec_stream *s)
{
    if (!s)
        return;
    rv_codec_close(s->gzip);
    ZSTD_freeCCtx(s->zstd);
    rv_free(s->slice);
    rv_free(s->packed);
    rv_free(s);
}
