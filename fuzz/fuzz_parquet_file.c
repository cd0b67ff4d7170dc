#include "fuzz.h"

#include "format/verify.h"

static rv_status read_memory(void *self, uint64_t offset, uint8_t *out, size_t len, rv_error *err)
{
    const rv_bytes *b = self;
    (void)err;
    if (offset > b->len || len > b->len - offset)
        __builtin_trap(); /* the reader must stay inside size_bytes */
    if (len)
        memcpy(out, b->ptr + offset, len);
    return RV_OK;
}

/* Byte 0 picks the level, or head; the rest is the file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    rv_bytes file = {data + 1, size - 1};
    rv_readable in = {&file, file.len, read_memory};
    rv_env env = {0};
    rv_arena arena = RV_ARENA_INIT;
    rv_buf text = RV_BUF_INIT;
    rv_verify_result r = {0};
    rv_error err = {0};
    unsigned what = data[0] % 6;
    rv_status st = what == 0 ? rv_parquet_head(&env, in, 20, &text, &err)
                             : rv_parquet_verify(&env, in, (rv_verify_level)what, &arena, &r, &err);
    if (st != RV_OK && st != RV_E_CORRUPT && st != RV_E_MEMORY)
        __builtin_trap();
    if (st != RV_OK && !err.text[0])
        __builtin_trap();
    rv_buf_free(&text);
    rv_arena_free(&arena);
    return 0;
}
