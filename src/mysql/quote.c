#include <string.h>

#include "mysql/conn.h"

rv_status rv_my_quote(const char *ident, rv_buf *out, rv_error *err)
{
    size_t from = out->len;
    rv_status st;
    RV_GO(rv_buf_add_byte(out, '`', err));
    for (const char *p = ident; *p; p++) {
        if (*p == '`')
            RV_GO(rv_buf_add_byte(out, '`', err));
        RV_GO(rv_buf_add_byte(out, (uint8_t)*p, err));
    }
    RV_GO(rv_buf_add_byte(out, '`', err));
done:
    if (st != RV_OK)
        out->len = from;
    return st;
}

/* The shortest text that both servers read back byte by byte under utf8mb4. */
static rv_str escape_of(const char *byte)
{
    switch (*byte) {
    case '\'':
        return RV_STR("''");
    case '\\':
        return RV_STR("\\\\");
    case '\0':
        return RV_STR("\\0");
    default:
        return (rv_str){byte, 1};
    }
}

rv_status rv_my_literal(rv_str text, rv_buf *out, rv_error *err)
{
    size_t from = out->len;
    rv_status st;
    RV_GO(rv_buf_add_byte(out, '\'', err));
    for (size_t i = 0; i < text.len; i++)
        RV_GO(rv_buf_add_str(out, escape_of(text.ptr + i), err));
    RV_GO(rv_buf_add_byte(out, '\'', err));
done:
    if (st != RV_OK)
        out->len = from;
    return st;
}
