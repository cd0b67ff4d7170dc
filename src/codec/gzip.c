#include <libdeflate.h>

#include "codec/codec_internal.h"

enum { STRONGEST_LEVEL = 10, STRONGEST_NATIVE_LEVEL = 12 };

int rv_gzip_native_level(int level)
{
    return level == STRONGEST_LEVEL ? STRONGEST_NATIVE_LEVEL : level;
}

static size_t gzip_bound(size_t raw_len)
{
    return libdeflate_gzip_compress_bound(NULL, raw_len);
}

static rv_status gzip_compress(rv_codec *c, rv_bytes raw, uint8_t *out, size_t cap, size_t *out_len,
                               rv_error *err)
{
    if (!c->encoder) {
        c->encoder = libdeflate_alloc_compressor(rv_gzip_native_level(c->level));
        if (!c->encoder)
            return rv_fail_memory(err);
    }
    size_t n = libdeflate_gzip_compress(c->encoder, raw.ptr, raw.len, out, cap);
    if (n == 0)
        return rv_fail(err, RV_E_INTERNAL, "gzip: %zu bytes do not fit %zu", raw.len, cap);
    *out_len = n;
    return RV_OK;
}

static rv_status gzip_decompress(rv_codec *c, rv_bytes in, uint8_t *out, size_t raw_len,
                                 size_t *out_len, rv_error *err)
{
    if (!c->decoder) {
        c->decoder = libdeflate_alloc_decompressor();
        if (!c->decoder)
            return rv_fail_memory(err);
    }
    size_t from = 0, to = 0;
    uint8_t nowhere = 0; /* libdeflate wants a pointer even for an empty output */
    while (from < in.len) {
        size_t used = 0, got = 0;
        uint8_t *at = raw_len == 0 ? &nowhere : out + to;
        enum libdeflate_result r = libdeflate_gzip_decompress_ex(
            c->decoder, in.ptr + from, in.len - from, at, raw_len - to, &used, &got);
        if (r == LIBDEFLATE_INSUFFICIENT_SPACE)
            return rv_fail(err, RV_E_CORRUPT, "gzip: more than the expected %zu bytes come out",
                           raw_len);
        if (r != LIBDEFLATE_SUCCESS || used == 0)
            return rv_fail(err, RV_E_CORRUPT, "gzip: the member at byte %zu is damaged", from);
        from += used;
        to += got;
    }
    *out_len = to;
    return RV_OK;
}

static void gzip_close(rv_codec *c)
{
    libdeflate_free_compressor(c->encoder);
    libdeflate_free_decompressor(c->decoder);
}

const rv_codec_ops rv_codec_ops_gzip = {.name = "gzip",
                                        .writable = true,
                                        .has_levels = true,
                                        .min_level = 0,
                                        .max_level = STRONGEST_LEVEL,
                                        .default_level = 6,
                                        .default_alias = -1,
                                        .bound = gzip_bound,
                                        .compress = gzip_compress,
                                        .decompress = gzip_decompress,
                                        .close = gzip_close};
