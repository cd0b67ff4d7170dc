/* base/log.h: levelled lines on stderr, redacted. Threads: any.
 * Text: "[WARN] text" on a TTY, "<RFC 3339 ms> [WARN] text" elsewhere; or JSON lines.
 * Source: spec "cli" section 1, Environment. */
#ifndef RV_BASE_LOG_H
#define RV_BASE_LOG_H

#include "base/secret.h"

typedef enum rv_level { RV_LOG_OFF, RV_ERROR, RV_WARN, RV_INFO, RV_DEBUG, RV_TRACE } rv_level;

typedef struct rv_log rv_log;
typedef struct rv_log_opts {
    const char *filter;        /* RIVET_LOG: "info" or "engine=debug,warn"; NULL = warn */
    bool json;                 /* RIVET_LOG_FORMAT=json */
    bool tty;                  /* stderr is a terminal */
    bool quiet_default;        /* --json-errors without RIVET_LOG: off */
    int fd;                    /* usually 2 */
    const rv_secrets *secrets; /* borrowed */
} rv_log_opts;

rv_status rv_log_open(const rv_log_opts *opts, rv_log **out, rv_error *err) RV_MUST_USE;
void rv_log_close(rv_log *log);
/* A hook drawn around each line: the progress bar clears itself before and redraws after. */
typedef struct rv_log_hook {
    void (*before)(void *ctx);
    void (*after)(void *ctx);
    void *ctx;
} rv_log_hook;
void rv_log_set_hook(rv_log *log, rv_log_hook hook);
bool rv_log_on(const rv_log *log, rv_level level, const char *target);
/* target: the room ("engine", "source", "state"...). log may be NULL: nothing happens. */
void rv_logf(rv_log *log, rv_level level, const char *target, const char *fmt, ...) RV_PRINTF(4, 5);
/* The same, but a text that was said before is not said again: for what every connection of a
 * process would repeat. Past 64 different texts nothing is held back any more. */
void rv_log_once(rv_log *log, rv_level level, const char *target, const char *fmt, ...)
    RV_PRINTF(4, 5);

#define RV_LOG_ERROR(env, ...) rv_logf((env)->log, RV_ERROR, RV_TARGET, __VA_ARGS__)
#define RV_LOG_WARN(env, ...) rv_logf((env)->log, RV_WARN, RV_TARGET, __VA_ARGS__)
#define RV_LOG_INFO(env, ...) rv_logf((env)->log, RV_INFO, RV_TARGET, __VA_ARGS__)
#define RV_LOG_DEBUG(env, ...) rv_logf((env)->log, RV_DEBUG, RV_TARGET, __VA_ARGS__)

#endif
