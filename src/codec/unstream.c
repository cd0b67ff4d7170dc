#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

#include "codec/codec_internal.h"

#include "base/checked.h"
#include "base/mem.h"

/* Output is reserved in steps, so max_out may be any number. */
enum { STEP_BYTES = 1 << 16 };
/* The 8 MiB window every decoder should support (RFC 8878 section 3.1.1.1.2); Rivet writes
 * 2 MiB at most. A frame that wants more is refused before anything is allocated for it. */
enum { ZSTD_WINDOW_LOG_MAX = 23 };
enum { GZIP_WINDOW_BITS = 15 + 16 };

struct rv_codec_unstream {
    rv_codec_id id;
    z_stream z;
    bool z_ready;
    void *zstd;
    bool at_end;  /* a member or frame has just ended */
    bool pending; /* the output was full: more may come without input */
};

static voidpf z_alloc(voidpf opaque, uInt items, uInt size)
{
    (void)opaque;
    size_t n;
    return rv_mul_size(items, size, &n) ? rv_alloc(n) : NULL;
}

static void z_free(voidpf opaque, voidpf ptr)
{
    (void)opaque;
    rv_free(ptr);
}

static rv_status gzip_prepare(rv_codec_unstream *u, rv_error *err)
{
    u->z.zalloc = z_alloc;
    u->z.zfree = z_free;
    if (inflateInit2(&u->z, GZIP_WINDOW_BITS) != Z_OK)
        return rv_fail_memory(err);
    u->z_ready = true;
    return RV_OK;
}

static rv_status zstd_prepare(rv_codec_unstream *u, rv_error *err)
{
    RV_TRY(rv_zstd_decoder_open(&u->zstd, err));
    size_t r = ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
    if (ZSTD_isError(r))
        return rv_zstd_fail(r, RV_E_INTERNAL, "a parameter is refused", err);
    return RV_OK;
}

rv_status rv_codec_unstream_open(rv_codec_id id, rv_codec_unstream **out, rv_error *err)
{
    if (id != RV_CODEC_GZIP && id != RV_CODEC_ZSTD)
        return rv_fail(err, RV_E_FORMAT_UNSUPPORTED, "%s has no stream form", rv_codec_name(id));
    rv_codec_unstream *u = rv_calloc(1, sizeof *u);
    if (!u)
        return rv_fail_memory(err);
    u->id = id;
    rv_status st = id == RV_CODEC_GZIP ? gzip_prepare(u, err) : zstd_prepare(u, err);
    if (st != RV_OK) {
        rv_codec_unstream_close(u);
        return st;
    }
    *out = u;
    return RV_OK;
}

/* One step: consumes from in, fills at most room bytes at `to`. */
static rv_status gzip_step(rv_codec_unstream *u, rv_bytes in, size_t *used, uint8_t *to,
                           size_t room, size_t *made, rv_error *err)
{
    /* a new member may follow the one that ended; bytes that are none fail its header check */
    if (u->at_end && inflateReset(&u->z) != Z_OK)
        return rv_fail(err, RV_E_INTERNAL, "gzip: the decoder cannot be reset");
    uInt in_len = in.len > UINT32_MAX ? UINT32_MAX : (uInt)in.len;
    u->z.next_in = in.ptr;
    u->z.avail_in = in_len;
    u->z.next_out = to;
    u->z.avail_out = (uInt)room;
    int r = inflate(&u->z, Z_NO_FLUSH);
    if (r == Z_MEM_ERROR)
        return rv_fail_memory(err);
    if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
        return rv_fail(err, RV_E_CORRUPT, "gzip: the stream is damaged: %s",
                       u->z.msg ? u->z.msg : "unexpected data");
    *used = in_len - u->z.avail_in;
    *made = room - u->z.avail_out;
    u->at_end = r == Z_STREAM_END;
    return RV_OK;
}

static rv_status zstd_step(rv_codec_unstream *u, rv_bytes in, size_t *used, uint8_t *to,
                           size_t room, size_t *made, rv_error *err)
{
    ZSTD_inBuffer from = {in.ptr, in.len, 0};
    ZSTD_outBuffer out = {to, room, 0};
    size_t r = ZSTD_decompressStream(u->zstd, &out, &from);
    if (ZSTD_isError(r))
        return rv_zstd_fail(r, RV_E_CORRUPT, "the stream is damaged", err);
    *used = from.pos;
    *made = out.pos;
    u->at_end = r == 0;
    return RV_OK;
}

rv_status rv_codec_unstream_feed(rv_codec_unstream *u, rv_bytes in, size_t *out_used,
                                 size_t max_out, rv_buf *out, rv_error *err)
{
    size_t used_all = 0;
    while (max_out > 0 && (used_all < in.len || u->pending)) {
        size_t room = max_out < STEP_BYTES ? max_out : STEP_BYTES, used = 0, made = 0;
        RV_TRY(rv_buf_reserve(out, room, err));
        rv_bytes rest = {in.ptr + used_all, in.len - used_all};
        uint8_t *to = out->ptr + out->len;
        RV_TRY(u->id == RV_CODEC_GZIP ? gzip_step(u, rest, &used, to, room, &made, err)
                                      : zstd_step(u, rest, &used, to, room, &made, err));
        u->pending = made == room && !u->at_end;
        out->len += made;
        max_out -= made;
        used_all += used;
    }
    *out_used = used_all;
    return RV_OK;
}

bool rv_codec_unstream_at_end(const rv_codec_unstream *u)
{
    return u->at_end;
}

void rv_codec_unstream_close(rv_codec_unstream *u)
{
    if (!u)
        return;
    if (u->z_ready)
        (void)inflateEnd(&u->z);
    ZSTD_freeDCtx(u->zstd);
    rv_free(u);
}
