#include "fuzz.h"

#include "base/mem.h"
#include "codec/codec.h"

/* Byte 0 picks the codec, bytes 1-2 the length the page header would promise. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    rv_codec_id id = (rv_codec_id)(data[0] % (RV_CODEC_BROTLI + 1));
    size_t raw_len = (size_t)data[1] | (size_t)data[2] << 8;
    rv_codec *c = NULL;
    uint8_t *out = rv_alloc(raw_len);
    if (out && rv_codec_open(id, RV_LEVEL_DEFAULT, &c, NULL) == RV_OK) {
        rv_error err = {0};
        rv_status st = rv_codec_decompress(c, (rv_bytes){data + 3, size - 3}, out, raw_len, &err);
        if (st != RV_OK && st != RV_E_CORRUPT)
            __builtin_trap();
    }
    rv_codec_close(c);
    rv_free(out);
    return 0;
}
