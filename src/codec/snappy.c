#include <snappy-c.h>

#include "codec/codec_internal.h"

static size_t snappy_bound(size_t raw_len)
{
    return snappy_max_compressed_length(raw_len);
}

static rv_status snappy_encode(rv_codec *c, rv_bytes raw, uint8_t *out, size_t cap, size_t *out_len,
                               rv_error *err)
{
    (void)c;
    if (raw.len > UINT32_MAX)
        return rv_fail(err, RV_E_VALUE_TOO_LARGE, "snappy: a block of %zu bytes is too large",
                       raw.len);
    size_t n = cap;
    if (snappy_compress((const char *)raw.ptr, raw.len, (char *)out, &n) != SNAPPY_OK)
        return rv_fail(err, RV_E_INTERNAL, "snappy: %zu bytes do not fit %zu", raw.len, cap);
    *out_len = n;
    return RV_OK;
}

static rv_status snappy_decode(rv_codec *c, rv_bytes in, uint8_t *out, size_t raw_len,
                               size_t *out_len, rv_error *err)
{
    (void)c;
    size_t n = 0;
    if (snappy_uncompressed_length((const char *)in.ptr, in.len, &n) != SNAPPY_OK)
        return rv_fail(err, RV_E_CORRUPT, "snappy: the block's length is damaged");
    if (n != raw_len)
        return rv_fail(err, RV_E_CORRUPT, "snappy: the block says %zu bytes where %zu are expected",
                       n, raw_len);
    if (snappy_uncompress((const char *)in.ptr, in.len, (char *)out, &n) != SNAPPY_OK)
        return rv_fail(err, RV_E_CORRUPT, "snappy: the block is damaged");
    *out_len = n;
    return RV_OK;
}

const rv_codec_ops rv_codec_ops_snappy = {.name = "snappy",
                                          .writable = true,
                                          .bound = snappy_bound,
                                          .compress = snappy_encode,
                                          .decompress = snappy_decode};
