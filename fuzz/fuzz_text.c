#include "fuzz.h"

#include "base/clock.h"
#include "base/secret.h"

/* Foreign texts as base meets them: redaction, instants, numbers, UTF-8. */
static void check_redaction(rv_str text)
{
    rv_secrets *s = NULL;
    rv_buf out = RV_BUF_INIT;
    if (rv_secrets_open(&s, NULL) == RV_OK && rv_secrets_add(s, RV_STR("hunter2"), NULL) == RV_OK &&
        rv_secrets_redact(s, text, &out, NULL) == RV_OK && out.len &&
        memmem(out.ptr, out.len, "hunter2", 7))
        __builtin_trap();
    rv_buf_free(&out);
    rv_secrets_close(s);
}

static void check_instant(rv_str text)
{
    int64_t us, back;
    char again[RV_RFC3339_SIZE];
    if (!rv_rfc3339_parse(text, &us))
        return;
    rv_rfc3339_ms(us, again);
    /* an offset may push the instant out of the four-digit years */
    if (strlen(again) == 24 &&
        (!rv_rfc3339_parse(rv_str_c(again), &back) || us - back < 0 || us - back > 999))
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const words[] = {"name", "query", "query_file", "chunk_column", "mode"};
    rv_str text = {(const char *)data, size};
    int64_t i;
    uint64_t u;
    check_redaction(text);
    check_instant(text);
    if (rv_str_i64(text, &i) && i > 0 && (!rv_str_u64(text, &u) || u != (uint64_t)i))
        __builtin_trap();
    if (rv_utf8_valid((rv_bytes){data, size}) &&
        !rv_utf8_valid((rv_bytes){data, rv_utf8_cut(text, size / 2)}))
        __builtin_trap();
    if (rv_utf8_count(text) > size || rv_suggest(text, words, 5) >= 5)
        __builtin_trap();
    return 0;
}
