#include "source/postgres/postgres_internal.h"
#include "source/sql/name.h"

rv_status rv_pgs_quote(const char *ident, rv_buf *out, rv_error *err)
{
    return rv_sql_quote(rv_str_c(ident), '"', '"', out, err);
}

/* Safe whatever standard_conforming_strings says: a text with a backslash becomes E'..'. */
rv_status rv_pgs_literal(rv_str text, rv_buf *out, rv_error *err)
{
    if (memchr(text.len ? text.ptr : "", '\0', text.len))
        return rv_fail(err, RV_E_VALUE, "a text with a NUL byte cannot be compared by PostgreSQL");
    if (!rv_utf8_valid(rv_str_bytes(text)))
        return rv_fail(err, RV_E_VALUE, "a text that is not valid UTF-8 cannot be compared");
    bool escaped = text.len && memchr(text.ptr, '\\', text.len);
    RV_TRY(rv_buf_add_c(out, escaped ? " E'" : "'", err));
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        if (c == '\'' || c == '\\')
            RV_TRY(rv_buf_add_byte(out, c, err));
        RV_TRY(rv_buf_add_byte(out, c, err));
    }
    return rv_buf_add_byte(out, '\'', err);
}
