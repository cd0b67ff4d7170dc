#include "fuzz.h"

#include "format/verify.h"

static rv_status read_memory(void *self, uint64_t offset, uint8_t *out, size_t len, rv_error *err)
{
    const rv_bytes *b = self;
    (void)err;
    if (offset > b->len || len > b->len - offset)
        __builtin_trap(); /* the verifier must stay inside size_bytes */
    memcpy(out, b->ptr + offset, len);
    return RV_OK;
}

/* Byte 0 picks plain text, gzip or zstd; the rest is the file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const rv_codec_id codecs[] = {RV_CODEC_NONE, RV_CODEC_GZIP, RV_CODEC_ZSTD};
    if (size < 1)
        return 0;
    rv_bytes file = {data + 1, size - 1};
    rv_readable in = {&file, file.len, read_memory};
    rv_env env = {0};
    rv_arena arena = RV_ARENA_INIT;
    rv_verify_result r = {0};
    rv_error err = {0};
    rv_status st = rv_csv_verify(&env, in, codecs[data[0] % 3], &arena, &r, &err);
    if (st != RV_OK && st != RV_E_CORRUPT)
        __builtin_trap();
    if (st == RV_OK && (r.n_columns == 0 || !r.names[r.n_columns - 1]))
        __builtin_trap();
    rv_arena_free(&arena);
    return 0;
}
