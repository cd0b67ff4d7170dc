#include "fuzz.h"

#include "codec/codec.h"

/* Byte 0 picks the codec, byte 1 the size of the input pieces, byte 2 that of the output. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    rv_codec_unstream *u = NULL;
    rv_codec_id id = data[0] & 1 ? RV_CODEC_ZSTD : RV_CODEC_GZIP;
    size_t piece = (size_t)data[1] + 1, max_out = (size_t)data[2] * 16 + 1;
    if (rv_codec_unstream_open(id, &u, NULL) != RV_OK)
        return 0;
    rv_buf out = RV_BUF_INIT;
    rv_bytes rest = {data + 3, size - 3};
    uint64_t total = 0;
    for (;;) {
        size_t n = rest.len < piece ? rest.len : piece, used = 0;
        rv_buf_clear(&out);
        rv_error err = {0};
        rv_status st =
            rv_codec_unstream_feed(u, (rv_bytes){rest.ptr, n}, &used, max_out, &out, &err);
        if (st != RV_OK && st != RV_E_CORRUPT)
            __builtin_trap();
        if (used > n || out.len > max_out)
            __builtin_trap();
        total += out.len;
        rest = (rv_bytes){rest.ptr + used, rest.len - used};
        /* a bomb is the caller's limit to set; here 16 MiB are enough */
        if (st != RV_OK || (rest.len == 0 && out.len < max_out) || total > 1 << 24)
            break;
    }
    (void)rv_codec_unstream_at_end(u);
    rv_codec_unstream_close(u);
    rv_buf_free(&out);
    return 0;
}
