#include "base/error.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"

static const rv_code_info code_table[RV_STATUS_COUNT] = {
#define X(name, class_, kind, action, meaning)                                                     \
    [RV_E_##name] = {"RIVET_" #name, class_, kind, action, meaning},
#include "base/error_codes.def"
#undef X
};

/* Copies s into out, cut at a code point when it does not fit. */
static void copy_cut(char *out, size_t out_size, const char *s, size_t len)
{
    size_t n = rv_utf8_cut((rv_str){s, len}, out_size - 1);
    memcpy(out, s, n);
    out[n] = '\0';
}

/* Formats through a scratch buffer, so that the arguments may point into `out`. */
RV_PRINTF(3, 0)
static void format_cut(char *out, size_t out_size, const char *fmt, va_list ap)
{
    char scratch[1024];
    int n = vsnprintf(scratch, sizeof scratch, fmt, ap);
    size_t len = n < 0 ? 0 : (size_t)n;
    if (len >= sizeof scratch)
        len = sizeof scratch - 1;
    copy_cut(out, out_size, scratch, len);
}

RV_PRINTF(4, 0)
static void start_error(rv_error *err, rv_status code, const char *where, const char *fmt,
                        va_list ap)
{
    format_cut(err->text, sizeof err->text, fmt, ap);
    err->code = code;
    err->retry = RV_RETRY_P;
    err->retry_after_ms = 0;
    err->native[0] = '\0';
    err->where = where;
    err->hint[0] = '\0';
}

rv_status rv_fail_at(rv_error *err, rv_status code, const char *where, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        start_error(err, code, where, fmt, ap);
        va_end(ap);
    }
    return code;
}

rv_status rv_fail_errno_at(rv_error *err, rv_status code, int errnum, const char *where,
                           const char *fmt, ...)
{
    if (!err)
        return code;
    va_list ap;
    va_start(ap, fmt);
    start_error(err, code, where, fmt, ap);
    va_end(ap);

    const char *reason = strerrordesc_np(errnum);
    char full[sizeof err->text + 128];
    int n = snprintf(full, sizeof full, "%s: %s", err->text, reason ? reason : "unknown error");
    copy_cut(err->text, sizeof err->text, full, n < 0 ? 0 : (size_t)n);
    snprintf(err->native, sizeof err->native, "%s", rv_errno_name(errnum));
    return code;
}

rv_status rv_wrap(rv_error *err, rv_status code, const char *fmt, ...)
{
    if (!err)
        return code != RV_OK ? code : RV_E_INTERNAL;
    char what[sizeof err->text];
    va_list ap;
    va_start(ap, fmt);
    format_cut(what, sizeof what, fmt, ap);
    va_end(ap);

    char full[2 * sizeof err->text + 2];
    int n = snprintf(full, sizeof full, "%s%s%s", what, err->text[0] ? "\n" : "", err->text);
    copy_cut(err->text, sizeof err->text, full, n < 0 ? 0 : (size_t)n);
    if (code != RV_OK)
        err->code = code;
    else if (err->code == RV_OK)
        err->code = RV_E_INTERNAL;
    return err->code;
}

void rv_hint(rv_error *err, const char *fmt, ...)
{
    if (!err)
        return;
    va_list ap;
    va_start(ap, fmt);
    format_cut(err->hint, sizeof err->hint, fmt, ap);
    va_end(ap);
}

void rv_error_clear(rv_error *err)
{
    if (err)
        *err = (rv_error){.code = RV_OK};
}

void rv_error_headline(const rv_error *err, char *out, uint32_t out_size)
{
    if (out_size == 0)
        return;
    copy_cut(out, out_size, err->text, strcspn(err->text, "\n"));
}

const rv_code_info *rv_code(rv_status code)
{
    if (code <= RV_OK || code >= RV_STATUS_COUNT)
        code = RV_E_INTERNAL;
    return &code_table[code];
}

const char *rv_class_name(rv_class class_)
{
    switch (class_) {
    case RV_CLASS_GENERIC:
        return "generic";
    case RV_CLASS_RETRYABLE:
        return "retryable";
    case RV_CLASS_USAGE:
        return "usage";
    case RV_CLASS_DATA:
        return "data_integrity";
    case RV_CLASS_DRIFT:
        return "schema_drift";
    case RV_CLASS_REFUSAL:
        return "refusal";
    case RV_CLASS_INTERNAL:
        return "internal";
    case RV_CLASS_INTERRUPTED:
        return "interrupted";
    }
    return "internal";
}

int rv_class_exit(rv_class class_)
{
    switch (class_) {
    case RV_CLASS_GENERIC:
        return 1;
    case RV_CLASS_RETRYABLE:
    case RV_CLASS_USAGE:
        return 2;
    case RV_CLASS_DATA:
        return 3;
    case RV_CLASS_DRIFT:
        return 4;
    case RV_CLASS_REFUSAL:
        return 5;
    case RV_CLASS_INTERNAL:
        return 6;
    case RV_CLASS_INTERRUPTED:
        return 130;
    }
    return 6;
}

/* Codes outside the table count as 1: a failure nobody classified. */
static int exit_rank(int code)
{
    switch (code) {
    case 0:
        return 0;
    case 2:
        return 1;
    case 4:
        return 3;
    case 5:
        return 4;
    case 6:
        return 5;
    case 3:
        return 6;
    case 130:
    case 143:
        return 7;
    default:
        return 2;
    }
}

int rv_exit_worse(int a, int b)
{
    return exit_rank(b) > exit_rank(a) ? b : a;
}
