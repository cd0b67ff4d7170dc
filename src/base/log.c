#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf_internal.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"

#define TARGET_MAX 16
#define TARGET_NAME 24
#define ONCE_MAX 64
#define LINE_LOST "[WARN] a log line was lost: out of memory\n"

typedef struct log_target {
    char name[TARGET_NAME];
    rv_level level;
} log_target;

struct rv_log {
    pthread_mutex_t lock; /* over hook and the descriptor */
    rv_log_hook hook;
    const rv_secrets *secrets;
    int fd;
    bool json;
    bool tty;
    rv_level level; /* of every target not named */
    log_target targets[TARGET_MAX];
    unsigned target_count;
    uint64_t said[ONCE_MAX]; /* hashes of what rv_log_once wrote; under the lock */
    unsigned said_count;
};

static const char *const level_words[] = {"off", "error", "warn", "info", "debug", "trace"};
static const char *const level_marks[] = {"OFF", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"};

static bool parse_level(rv_str s, rv_level *out)
{
    for (size_t i = 0; i < sizeof level_words / sizeof level_words[0]; i++) {
        if (rv_str_eq_nocase(s, rv_str_c(level_words[i]))) {
            *out = (rv_level)i;
            return true;
        }
    }
    return false;
}

/* What cannot be understood is ignored: a filter must never stop a run. */
static void parse_directive(rv_log *log, rv_str s)
{
    const char *eq = s.len ? memchr(s.ptr, '=', s.len) : NULL;
    if (!eq) {
        (void)parse_level(rv_str_trim(s), &log->level);
        return;
    }
    size_t at = (size_t)(eq - s.ptr);
    rv_str name = rv_str_trim((rv_str){s.ptr, at});
    rv_level level;
    if (!parse_level(rv_str_trim((rv_str){eq + 1, s.len - at - 1}), &level) || name.len == 0 ||
        name.len >= TARGET_NAME || log->target_count == TARGET_MAX)
        return;
    log_target *t = &log->targets[log->target_count++];
    memcpy(t->name, name.ptr, name.len);
    t->level = level;
}

static void parse_filter(rv_log *log, const char *filter)
{
    while (*filter) {
        size_t len = strcspn(filter, ",");
        parse_directive(log, (rv_str){filter, len});
        filter += len + (filter[len] == ',');
    }
}

rv_status rv_log_open(const rv_log_opts *opts, rv_log **out, rv_error *err)
{
    rv_log *log = rv_calloc(1, sizeof *log);
    if (!log)
        return rv_fail_memory(err);
    /* with default attributes this cannot fail on Linux */
    (void)pthread_mutex_init(&log->lock, NULL);
    log->secrets = opts->secrets;
    log->fd = opts->fd;
    log->json = opts->json;
    log->tty = opts->tty;
    log->level = opts->quiet_default && !opts->filter ? RV_LOG_OFF : RV_WARN;
    if (opts->filter)
        parse_filter(log, opts->filter);
    *out = log;
    return RV_OK;
}

void rv_log_close(rv_log *log)
{
    if (!log)
        return;
    (void)pthread_mutex_destroy(&log->lock);
    rv_free(log);
}

void rv_log_set_hook(rv_log *log, rv_log_hook hook)
{
    if (!log)
        return;
    (void)pthread_mutex_lock(&log->lock);
    log->hook = hook;
    (void)pthread_mutex_unlock(&log->lock);
}

bool rv_log_on(const rv_log *log, rv_level level, const char *target)
{
    if (!log || level == RV_LOG_OFF)
        return false;
    rv_level limit = log->level;
    for (unsigned i = 0; i < log->target_count; i++)
        if (target && strcasecmp(log->targets[i].name, target) == 0)
            limit = log->targets[i].level;
    return level <= limit;
}

/* Control bytes of foreign texts must neither steer the terminal nor forge a line: a further
 * line is indented, everything else is shown as \xNN. */
static rv_status add_visible(rv_buf *out, rv_str text)
{
    for (size_t i = 0; i < text.len;) {
        size_t n = 0;
        while (i + n < text.len && ((uint8_t)text.ptr[i + n] >= 0x20 || text.ptr[i + n] == '\t') &&
               text.ptr[i + n] != 0x7F)
            n++;
        RV_TRY(rv_buf_add(out, text.ptr + i, n, NULL));
        i += n;
        if (i == text.len)
            break;
        if (text.ptr[i] == '\n')
            RV_TRY(rv_buf_add_c(out, "\n  ", NULL));
        else
            RV_TRY(rv_buf_printf(out, NULL, "\\x%02x", (uint8_t)text.ptr[i]));
        i++;
    }
    return RV_OK;
}

static rv_status format_text(const rv_log *log, rv_level level, rv_str text, rv_buf *out)
{
    if (!log->tty) {
        char stamp[RV_RFC3339_SIZE];
        rv_rfc3339_ms(rv_clock_now_us(), stamp);
        RV_TRY(rv_buf_printf(out, NULL, "%s ", stamp));
    }
    RV_TRY(rv_buf_printf(out, NULL, "[%s] ", level_marks[level]));
    RV_TRY(add_visible(out, text));
    return rv_buf_add_byte(out, '\n', NULL);
}

static rv_status format_json(rv_level level, const char *target, rv_str text, rv_buf *out)
{
    char stamp[RV_RFC3339_SIZE];
    rv_rfc3339_ms(rv_clock_now_us(), stamp);
    rv_json j;
    rv_json_begin(&j, out, false);
    rv_json_object(&j);
    rv_json_kstr(&j, "timestamp", stamp);
    rv_json_kstr(&j, "level", level_words[level]);
    rv_json_kstr(&j, "target", target);
    rv_json_key(&j, "message");
    rv_json_str(&j, text);
    rv_json_object_end(&j);
    RV_TRY(rv_json_end(&j, NULL));
    return rv_buf_add_byte(out, '\n', NULL);
}

static void write_line(rv_log *log, rv_str line)
{
    (void)pthread_mutex_lock(&log->lock);
    if (log->hook.before)
        log->hook.before(log->hook.ctx);
    while (line.len) {
        ssize_t n = write(log->fd, line.ptr, line.len);
        if (n < 0 && errno == EINTR)
            continue;
        /* nobody reads stderr any more: there is no place left to say so */
        if (n <= 0)
            break;
        line = (rv_str){line.ptr + n, line.len - (size_t)n};
    }
    if (log->hook.after)
        log->hook.after(log->hook.ctx);
    (void)pthread_mutex_unlock(&log->lock);
}

/* Blanks in front stay: they indent the lines that belong to the one before. */
static rv_str without_end(rv_str s)
{
    while (s.len && (s.ptr[s.len - 1] == '\n' || s.ptr[s.len - 1] == ' '))
        s.len--;
    return s;
}

static void log_text(rv_log *log, rv_level level, const char *target, rv_str text)
{
    rv_buf safe = RV_BUF_INIT, line = RV_BUF_INIT;
    rv_status st = rv_secrets_redact(log->secrets, without_end(text), &safe, NULL);
    if (st == RV_OK)
        st = log->json ? format_json(level, target, rv_buf_str(&safe), &line)
                       : format_text(log, level, rv_buf_str(&safe), &line);
    write_line(log, st == RV_OK ? rv_buf_str(&line) : RV_STR(LINE_LOST));
    rv_buf_free(&line);
    rv_buf_free(&safe);
}

void rv_logf(rv_log *log, rv_level level, const char *target, const char *fmt, ...)
{
    if (!rv_log_on(log, level, target))
        return;
    rv_buf raw = RV_BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    rv_status st = rv_buf_vprintf(&raw, NULL, fmt, ap);
    va_end(ap);
    if (st == RV_OK)
        log_text(log, level, target, rv_buf_str(&raw));
    else
        write_line(log, RV_STR(LINE_LOST));
    rv_buf_free(&raw);
}

static bool said_before(rv_log *log, rv_str text)
{
    uint64_t hash = rv_xxh3(text.ptr, text.len);
    bool found = false;
    (void)pthread_mutex_lock(&log->lock);
    for (unsigned i = 0; i < log->said_count && !found; i++)
        found = log->said[i] == hash;
    if (!found && log->said_count < ONCE_MAX)
        log->said[log->said_count++] = hash;
    (void)pthread_mutex_unlock(&log->lock);
    return found;
}

void rv_log_once(rv_log *log, rv_level level, const char *target, const char *fmt, ...)
{
    if (!rv_log_on(log, level, target))
        return;
    rv_buf raw = RV_BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    rv_status st = rv_buf_vprintf(&raw, NULL, fmt, ap);
    va_end(ap);
    if (st != RV_OK)
        write_line(log, RV_STR(LINE_LOST));
    else if (!said_before(log, rv_buf_str(&raw)))
        log_text(log, level, target, rv_buf_str(&raw));
    rv_buf_free(&raw);
}
