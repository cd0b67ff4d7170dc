#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#include "base/buf_internal.h"
#include "base/checked.h"
#include "base/mem.h"

#define BUF_FIRST 64

rv_status rv_buf_reserve(rv_buf *b, size_t more, rv_error *err)
{
    size_t need;
    if (!rv_add_size(b->len, more, &need))
        return rv_fail_memory(err);
    if (need <= b->cap && b->ptr)
        return RV_OK;
    size_t cap = b->cap < BUF_FIRST ? BUF_FIRST : b->cap;
    while (cap < need)
        if (!rv_add_size(cap, cap / 2, &cap))
            cap = need;
    uint8_t *ptr = rv_realloc(b->ptr, cap);
    if (!ptr)
        return rv_fail_memory(err);
    b->ptr = ptr;
    b->cap = cap;
    return RV_OK;
}

rv_status rv_buf_add(rv_buf *b, const void *data, size_t len, rv_error *err)
{
    if (len == 0)
        return RV_OK;
    RV_TRY(rv_buf_reserve(b, len, err));
    memcpy(b->ptr + b->len, data, len);
    b->len += len;
    return RV_OK;
}

rv_status rv_buf_add_str(rv_buf *b, rv_str s, rv_error *err)
{
    return rv_buf_add(b, s.ptr, s.len, err);
}

rv_status rv_buf_add_c(rv_buf *b, const char *s, rv_error *err)
{
    return rv_buf_add(b, s, strlen(s), err);
}

rv_status rv_buf_add_byte(rv_buf *b, uint8_t byte, rv_error *err)
{
    return rv_buf_add(b, &byte, 1, err);
}

rv_status rv_buf_vprintf(rv_buf *b, rv_error *err, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    rv_status st = n < 0 ? rv_fail(err, RV_E_INTERNAL, "text cannot be formatted")
                         : rv_buf_reserve(b, (size_t)n + 1, err);
    if (st == RV_OK) {
        vsnprintf((char *)b->ptr + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
    return st;
}

rv_status rv_buf_printf(rv_buf *b, rv_error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    rv_status st = rv_buf_vprintf(b, err, fmt, ap);
    va_end(ap);
    return st;
}

const char *rv_buf_cstr(rv_buf *b)
{
    if (rv_buf_reserve(b, 1, NULL) != RV_OK)
        return NULL;
    b->ptr[b->len] = '\0';
    return (const char *)b->ptr;
}

void rv_buf_clear(rv_buf *b)
{
    b->len = 0;
}

void rv_buf_free(rv_buf *b)
{
    if (!b)
        return;
    rv_free(b->ptr);
    *b = RV_BUF_INIT;
}
