#include <brotli/decode.h>

#include "codec/codec_internal.h"

#include "base/mem.h"

static void *brotli_alloc(void *opaque, size_t size)
{
    (void)opaque;
    return rv_alloc(size);
}

static void brotli_free(void *opaque, void *ptr)
{
    (void)opaque;
    rv_free(ptr);
}

static bool is_memory_error(BrotliDecoderErrorCode code)
{
    return code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
           code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;
}

/* A brotli decoder cannot be reset, so each block has its own. */
static rv_status brotli_decompress(rv_codec *c, rv_bytes in, uint8_t *out, size_t raw_len,
                                   size_t *out_len, rv_error *err)
{
    (void)c;
    BrotliDecoderState *s = BrotliDecoderCreateInstance(brotli_alloc, brotli_free, NULL);
    if (!s)
        return rv_fail_memory(err);
    const uint8_t *from = in.ptr;
    size_t in_left = in.len, out_left = raw_len;
    uint8_t *to = out;
    BrotliDecoderResult r = BrotliDecoderDecompressStream(s, &in_left, &from, &out_left, &to, NULL);
    BrotliDecoderErrorCode code = BrotliDecoderGetErrorCode(s);
    BrotliDecoderDestroyInstance(s);
    if (r == BROTLI_DECODER_RESULT_ERROR && is_memory_error(code))
        return rv_fail_memory(err);
    if (r != BROTLI_DECODER_RESULT_SUCCESS || in_left > 0)
        return rv_fail(err, RV_E_CORRUPT, "brotli: the block is damaged or of another length");
    *out_len = raw_len - out_left;
    return RV_OK;
}

const rv_codec_ops rv_codec_ops_brotli = {.name = "brotli", .decompress = brotli_decompress};
