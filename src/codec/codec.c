#include "codec/codec_internal.h"

#include "base/mem.h"

static size_t none_bound(size_t raw_len)
{
    return raw_len;
}

static rv_status none_compress(rv_codec *c, rv_bytes raw, uint8_t *out, size_t cap, size_t *out_len,
                               rv_error *err)
{
    (void)c;
    if (cap < raw.len)
        return rv_fail(err, RV_E_INTERNAL, "none: %zu bytes of room for %zu bytes", cap, raw.len);
    if (raw.len > 0)
        memcpy(out, raw.ptr, raw.len);
    *out_len = raw.len;
    return RV_OK;
}

static rv_status none_decompress(rv_codec *c, rv_bytes in, uint8_t *out, size_t raw_len,
                                 size_t *out_len, rv_error *err)
{
    (void)c;
    if (in.len != raw_len)
        return rv_fail(err, RV_E_CORRUPT, "none: %zu bytes stored where %zu are expected", in.len,
                       raw_len);
    memcpy(out, in.ptr, in.len);
    *out_len = in.len;
    return RV_OK;
}

static const rv_codec_ops ops_none = {.name = "none",
                                      .writable = true,
                                      .bound = none_bound,
                                      .compress = none_compress,
                                      .decompress = none_decompress};

static const rv_codec_ops *find(rv_codec_id id)
{
    switch (id) {
    case RV_CODEC_NONE:
        return &ops_none;
    case RV_CODEC_SNAPPY:
        return &rv_codec_ops_snappy;
    case RV_CODEC_GZIP:
        return &rv_codec_ops_gzip;
    case RV_CODEC_LZ4_RAW:
        return &rv_codec_ops_lz4_raw;
    case RV_CODEC_ZSTD:
        return &rv_codec_ops_zstd;
    case RV_CODEC_LZ4_HADOOP:
        return &rv_codec_ops_lz4_hadoop;
    case RV_CODEC_BROTLI:
        return &rv_codec_ops_brotli;
    }
    return NULL;
}

bool rv_codec_level_range(rv_codec_id id, int *out_min, int *out_max, int *out_default)
{
    const rv_codec_ops *ops = find(id);
    if (!ops || !ops->has_levels)
        return false;
    *out_min = ops->min_level;
    *out_max = ops->max_level;
    *out_default = ops->default_level;
    return true;
}

const char *rv_codec_name(rv_codec_id id)
{
    const rv_codec_ops *ops = find(id);
    return ops ? ops->name : "unknown";
}

bool rv_codec_from_name(rv_str name, rv_codec_id *out)
{
    static const rv_codec_id ids[] = {RV_CODEC_NONE, RV_CODEC_SNAPPY, RV_CODEC_GZIP,
                                      RV_CODEC_LZ4_RAW, RV_CODEC_ZSTD};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        if (rv_str_eq(name, rv_str_c(rv_codec_name(ids[i])))) {
            *out = ids[i];
            return true;
        }
    }
    return false;
}

rv_status rv_codec_level_resolve(rv_codec_id id, int level, int *out, rv_error *err)
{
    const rv_codec_ops *ops = find(id);
    /* codecs without levels take any: the configuration has refused a written one */
    if (!ops->has_levels) {
        *out = 0;
        return RV_OK;
    }
    if (level == RV_LEVEL_DEFAULT || level == ops->default_alias)
        level = ops->default_level;
    if (level < ops->min_level || level > ops->max_level)
        return rv_fail(err, RV_E_CONFIG_LEVEL, "%s has no level %d; its levels are %d to %d",
                       ops->name, level, ops->min_level, ops->max_level);
    *out = level;
    return RV_OK;
}

rv_status rv_codec_open(rv_codec_id id, int level, rv_codec **out, rv_error *err)
{
    const rv_codec_ops *ops = find(id);
    if (!ops)
        return rv_fail(err, RV_E_INTERNAL, "there is no codec with number %d", (int)id);
    int resolved = 0;
    RV_TRY(rv_codec_level_resolve(id, level, &resolved, err));
    rv_codec *c = rv_calloc(1, sizeof *c);
    if (!c)
        return rv_fail_memory(err);
    c->ops = ops;
    c->level = resolved;
    *out = c;
    return RV_OK;
}

rv_status rv_codec_open_faster(rv_codec_id id, int level, unsigned rank, rv_codec **out,
                               rv_error *err)
{
    rv_codec *c = NULL;
    RV_TRY(rv_codec_open(id, level, &c, err));
    if (rank < RV_CODEC_FASTER && id == RV_CODEC_ZSTD && (c->level == 2 || c->level == 3))
        c->faster = 1 + rank;
    if (!c->faster) {
        rv_codec_close(c);
        c = NULL;
    }
    *out = c;
    return RV_OK;
}

void rv_codec_close(rv_codec *c)
{
    if (!c)
        return;
    if (c->ops->close)
        c->ops->close(c);
    rv_free(c);
}

size_t rv_codec_bound(const rv_codec *c, size_t raw_len)
{
    return c->ops->bound ? c->ops->bound(raw_len) : 0;
}

rv_status rv_codec_compress(rv_codec *c, rv_bytes raw, uint8_t *out, size_t cap, size_t *out_len,
                            rv_error *err)
{
    if (!c->ops->writable)
        return rv_fail(err, RV_E_FORMAT_UNSUPPORTED, "%s can be read, not written", c->ops->name);
    return c->ops->compress(c, raw, out, cap, out_len, err);
}

rv_status rv_codec_decompress(rv_codec *c, rv_bytes in, uint8_t *out, size_t raw_len, rv_error *err)
{
    size_t got = 0;
    /* an empty page body may be stored as nothing at all, whatever the codec */
    if (in.len > 0)
        RV_TRY(c->ops->decompress(c, in, out, raw_len, &got, err));
    if (got != raw_len)
        return rv_fail(err, RV_E_CORRUPT, "%s: %zu bytes came out where %zu are expected",
                       c->ops->name, got, raw_len);
    return RV_OK;
}
