#include <lz4.h>

#include "codec/codec_internal.h"

#include "base/mem.h"

static size_t lz4_bound(size_t raw_len)
{
    return raw_len > LZ4_MAX_INPUT_SIZE ? 0 : (size_t)LZ4_compressBound((int)raw_len);
}

static rv_status lz4_compress(rv_codec *c, rv_bytes raw, uint8_t *out, size_t cap, size_t *out_len,
                              rv_error *err)
{
    if (raw.len > LZ4_MAX_INPUT_SIZE)
        return rv_fail(err, RV_E_VALUE_TOO_LARGE, "lz4: a block of %zu bytes is too large",
                       raw.len);
    if (!c->encoder) {
        c->encoder = rv_alloc((size_t)LZ4_sizeofState());
        if (!c->encoder)
            return rv_fail_memory(err);
    }
    int room = cap > INT32_MAX ? INT32_MAX : (int)cap;
    int n = LZ4_compress_fast_extState(c->encoder, (const char *)raw.ptr, (char *)out, (int)raw.len,
                                       room, 1);
    if (n <= 0)
        return rv_fail(err, RV_E_INTERNAL, "lz4: %zu bytes do not fit %zu", raw.len, cap);
    *out_len = (size_t)n;
    return RV_OK;
}

/* One bare block into at most cap bytes; false when damaged or larger. */
static bool lz4_block(rv_bytes in, uint8_t *out, size_t cap, size_t *out_len)
{
    char nowhere; /* lz4 wants a pointer even for an empty output */
    if (in.len > INT32_MAX || cap > INT32_MAX)
        return false;
    int n = LZ4_decompress_safe((const char *)in.ptr, cap == 0 ? &nowhere : (char *)out,
                                (int)in.len, (int)cap);
    if (n < 0)
        return false;
    *out_len = (size_t)n;
    return true;
}

static rv_status lz4_raw_decompress(rv_codec *c, rv_bytes in, uint8_t *out, size_t raw_len,
                                    size_t *out_len, rv_error *err)
{
    (void)c;
    if (!lz4_block(in, out, raw_len, out_len))
        return rv_fail(err, RV_E_CORRUPT, "lz4: the block is damaged");
    return RV_OK;
}

static bool take_be32(rv_bytes *in, size_t *out)
{
    if (in->len < 4)
        return false;
    *out =
        (size_t)in->ptr[0] << 24 | (size_t)in->ptr[1] << 16 | (size_t)in->ptr[2] << 8 | in->ptr[3];
    *in = (rv_bytes){in->ptr + 4, in->len - 4};
    return true;
}

/* Hadoop's BlockCompressorStream: a big-endian raw length, then pieces of big-endian
 * compressed length and bare block until that raw length is reached; repeated. */
static bool hadoop_frames(rv_bytes in, uint8_t *out, size_t raw_len)
{
    size_t done = 0;
    while (in.len > 0) {
        size_t want;
        if (!take_be32(&in, &want) || want > raw_len - done)
            return false;
        while (want > 0) {
            size_t piece, got;
            if (!take_be32(&in, &piece) || piece > in.len)
                return false;
            if (!lz4_block((rv_bytes){in.ptr, piece}, out + done, want, &got) || got == 0)
                return false;
            in = (rv_bytes){in.ptr + piece, in.len - piece};
            done += got;
            want -= got;
        }
    }
    return done == raw_len;
}

static rv_status lz4_hadoop_decompress(rv_codec *c, rv_bytes in, uint8_t *out, size_t raw_len,
                                       size_t *out_len, rv_error *err)
{
    /* old writers put bare blocks under the same codec number */
    if (!hadoop_frames(in, out, raw_len))
        return lz4_raw_decompress(c, in, out, raw_len, out_len, err);
    *out_len = raw_len;
    return RV_OK;
}

static void lz4_close(rv_codec *c)
{
    rv_free(c->encoder);
}

const rv_codec_ops rv_codec_ops_lz4_raw = {.name = "lz4",
                                           .writable = true,
                                           .bound = lz4_bound,
                                           .compress = lz4_compress,
                                           .decompress = lz4_raw_decompress,
                                           .close = lz4_close};
const rv_codec_ops rv_codec_ops_lz4_hadoop = {.name = "lz4_hadoop",
                                              .decompress = lz4_hadoop_decompress};
