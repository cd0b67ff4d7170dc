/* base/error.h: errors as values.
 * Owner: the caller allocates, usually on its stack; nothing in it is on the heap.
 * A fallible function returns rv_status and takes `rv_error *err` last (may be NULL); outputs
 * are untouched on failure. Never log and return: the command line prints once.
 * Source: spec "cli" section 1 (codes, classes), "lifecycle" section 10 (retry classes). */
#ifndef RV_BASE_ERROR_H
#define RV_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum rv_status {
    RV_OK = 0,
#define X(name, class_, kind, action, meaning) RV_E_##name,
#include "base/error_codes.def"
#undef X
    RV_STATUS_COUNT
} rv_status;

/* What the process exits with; order is not precedence (rv_exit_worse is). */
typedef enum rv_class {
    RV_CLASS_GENERIC,
    RV_CLASS_RETRYABLE,
    RV_CLASS_USAGE,
    RV_CLASS_DATA,
    RV_CLASS_DRIFT,
    RV_CLASS_REFUSAL,
    RV_CLASS_INTERNAL,
    RV_CLASS_INTERRUPTED
} rv_class;

/* How the engine repeats what failed; set by the driver, which alone understands the fault. */
typedef enum rv_retry {
    RV_RETRY_P, /* permanent: fail now (the default) */
    RV_RETRY_N, /* network: reconnect */
    RV_RETRY_L, /* lock wait: same connection */
    RV_RETRY_T, /* our statement timeout: half the page */
    RV_RETRY_X, /* a cancel that is not ours */
    RV_RETRY_C, /* capacity: reconnect, +15 s */
    RV_RETRY_D, /* deadlock or serialization: +1 s */
    RV_RETRY_M, /* server memory: +5 s, quarter page */
    RV_RETRY_R  /* resources: +5 s */
} rv_retry;

typedef struct rv_error {
    rv_status code;
    rv_retry retry;
    uint32_t retry_after_ms; /* the server's wish, 0 = none */
    char native[16];         /* SQLSTATE, HTTP status, errno */
    const char *where;       /* file:line of the origin, static */
    char text[960];          /* "what failed\ncause\ncause": outermost first, one per line */
    char hint[480];          /* what to do next, may be empty */
} rv_error;

typedef struct rv_code_info {
    const char *name; /* "RIVET_SOURCE_CONNECT" */
    rv_class class_;
    const char *kind;
    const char *action;
    const char *meaning;
} rv_code_info;

#define RV_MUST_USE __attribute__((warn_unused_result))
#define RV_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Fills *err (when not NULL) and returns `code`, so `return rv_fail(err, ...)` reads well. */
/* Lets the compiler see that a failure is never RV_OK. */
static inline rv_status rv_failed_with(rv_status same, rv_status code)
{
    (void)same;
    return code;
}
#define RV_STR2_(x) #x
#define RV_STR1_(x) RV_STR2_(x)
#define rv_fail(err, code, ...)                                                                    \
    rv_failed_with(rv_fail_at((err), (code), __FILE__ ":" RV_STR1_(__LINE__), __VA_ARGS__), (code))
rv_status rv_fail_at(rv_error *err, rv_status code, const char *where, const char *fmt, ...)
    RV_PRINTF(4, 5);
/* As rv_fail with errno's text appended and native = errno name or number. */
#define rv_fail_errno(err, code, errnum, ...)                                                      \
    rv_fail_errno_at((err), (code), (errnum), __FILE__ ":" RV_STR1_(__LINE__), __VA_ARGS__)
rv_status rv_fail_errno_at(rv_error *err, rv_status code, int errnum, const char *where,
                           const char *fmt, ...) RV_PRINTF(5, 6);
#define rv_fail_memory(err) rv_fail((err), RV_E_MEMORY, "out of memory")

/* Puts "what" as a new outermost line before the text; returns err->code (or `code` given). */
rv_status rv_wrap(rv_error *err, rv_status code, const char *fmt, ...) RV_PRINTF(3, 4);
void rv_hint(rv_error *err, const char *fmt, ...) RV_PRINTF(2, 3);
void rv_error_clear(rv_error *err);
/* First line of the text, up to the line feed, copied into out (cut at a code point). */
void rv_error_headline(const rv_error *err, char *out, uint32_t out_size);

const rv_code_info *rv_code(rv_status code);
const char *rv_class_name(rv_class class_); /* "generic", "data_integrity", ... */
/* Exit code of a class: interrupted gives 130 (the caller knows when it is 143). */
int rv_class_exit(rv_class class_);
/* The one that wins of two exit codes: 130/143 > 3 > 6 > 5 > 4 > 1 > 2 > 0. */
int rv_exit_worse(int a, int b);

#define RV_TRY(e)                                                                                  \
    do {                                                                                           \
        rv_status rv_st_ = (e);                                                                    \
        if (rv_st_ != RV_OK)                                                                       \
            return rv_st_;                                                                         \
    } while (0)
/* For functions with resources: a variable `st` and a label `done`. */
#define RV_GO(e)                                                                                   \
    do {                                                                                           \
        st = (e);                                                                                  \
        if (st != RV_OK)                                                                           \
            goto done;                                                                             \
    } while (0)

#endif
