/* base/buf.h: a growable byte buffer. Zero-initialise (RV_BUF_INIT), free with rv_buf_free.
 * On a failed append the buffer is unchanged. One thread at a time. */
#ifndef RV_BASE_BUF_H
#define RV_BASE_BUF_H

#include "base/error.h"
#include "base/str.h"

typedef struct rv_buf {
    uint8_t *ptr; /* NULL when nothing was ever reserved */
    size_t len;
    size_t cap;
} rv_buf;

#define RV_BUF_INIT ((rv_buf){NULL, 0, 0})

/* Makes room for `more` bytes after len; growth is geometric. */
rv_status rv_buf_reserve(rv_buf *b, size_t more, rv_error *err) RV_MUST_USE;
rv_status rv_buf_add(rv_buf *b, const void *data, size_t len, rv_error *err) RV_MUST_USE;
rv_status rv_buf_add_str(rv_buf *b, rv_str s, rv_error *err) RV_MUST_USE;
rv_status rv_buf_add_c(rv_buf *b, const char *s, rv_error *err) RV_MUST_USE;
rv_status rv_buf_add_byte(rv_buf *b, uint8_t byte, rv_error *err) RV_MUST_USE;
rv_status rv_buf_printf(rv_buf *b, rv_error *err, const char *fmt, ...) RV_MUST_USE RV_PRINTF(3, 4);
/* Appends NUL without counting it in len; returns the text, or NULL when memory ran out. */
const char *rv_buf_cstr(rv_buf *b);
static inline rv_bytes rv_buf_bytes(const rv_buf *b)
{
    return (rv_bytes){b->ptr, b->len};
}
static inline rv_str rv_buf_str(const rv_buf *b)
{
    return (rv_str){(const char *)b->ptr, b->len};
}
void rv_buf_clear(rv_buf *b); /* len = 0, keeps the memory */
void rv_buf_free(rv_buf *b);

#endif
