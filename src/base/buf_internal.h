/* base/buf_internal.h: what the printf-like functions of this room share. */
#ifndef RV_BASE_BUF_INTERNAL_H
#define RV_BASE_BUF_INTERNAL_H

#include <stdarg.h>

#include "base/buf.h"

/* As rv_buf_printf; ap is consumed. */
rv_status rv_buf_vprintf(rv_buf *b, rv_error *err, const char *fmt, va_list ap) RV_MUST_USE
    RV_PRINTF(3, 0);

#endif
