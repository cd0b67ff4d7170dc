/* codec/codec_internal.h: what one compression method offers to the registry in codec.c.
 * Third-party heap use goes through base/mem.h wherever the library lets us choose. */
#ifndef RV_CODEC_INTERNAL_H
#define RV_CODEC_INTERNAL_H

#include "codec/codec.h"

typedef struct rv_codec_ops {
    const char *name;
    bool writable; /* false: read only, bound and compress are NULL */
    bool has_levels;
    int min_level;
    int max_level;
    int default_level;
    int default_alias; /* a number that means default_level too */
    size_t (*bound)(size_t raw_len);
    /* *out_len is set on success only. */
    rv_status (*compress)(rv_codec *c, rv_bytes raw, uint8_t *out, size_t cap, size_t *out_len,
                          rv_error *err);
    /* in is never empty. *out_len: bytes that came out, <= raw_len. */
    rv_status (*decompress)(rv_codec *c, rv_bytes in, uint8_t *out, size_t raw_len, size_t *out_len,
                            rv_error *err);
    void (*close)(rv_codec *c); /* NULL: nothing to free */
} rv_codec_ops;

/* The contexts are made at first use, so a reader never pays for an encoder. */
struct rv_codec {
    const rv_codec_ops *ops;
    int level;
    unsigned faster; /* zstd: 1 + rank of the fast search in place of the level's, or 0 */
    void *encoder;
    void *decoder;
};

extern const rv_codec_ops rv_codec_ops_snappy;
extern const rv_codec_ops rv_codec_ops_gzip;
extern const rv_codec_ops rv_codec_ops_lz4_raw;
extern const rv_codec_ops rv_codec_ops_lz4_hadoop;
extern const rv_codec_ops rv_codec_ops_zstd;
extern const rv_codec_ops rv_codec_ops_brotli;

/* Turns the configuration's level into the checked level; RV_E_CONFIG_LEVEL. */
rv_status rv_codec_level_resolve(rv_codec_id id, int level, int *out, rv_error *err) RV_MUST_USE;
/* libdeflate's level for a level of the configuration: 10 stands for its strongest. */
int rv_gzip_native_level(int level);
/* A zstd context that allocates through base/mem.h; ZSTD_CCtx and ZSTD_DCtx. */
rv_status rv_zstd_encoder_open(int level, void **out, rv_error *err) RV_MUST_USE;
rv_status rv_zstd_decoder_open(void **out, rv_error *err) RV_MUST_USE;
/* RV_E_MEMORY or `otherwise`, with the library's own words. */
rv_status rv_zstd_fail(size_t code, rv_status otherwise, const char *what, rv_error *err);

#endif
