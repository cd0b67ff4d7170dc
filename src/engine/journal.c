#include "engine/journal.h"

#include <pthread.h>
#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#define RV_TARGET "engine"
#define JOURNAL_MAX_BYTES (256u * 1024u * 1024u)

struct rv_journal {
    const rv_env *env;
    pthread_mutex_t lock;
    rv_buf lines; /* every entry, each ended by a line feed */
    char *path;
    int fd;
    bool warned;
};

rv_status rv_journal_open(const rv_env *env, const char *path, rv_journal **out, rv_error *err)
{
    rv_status st = RV_OK;
    rv_journal *j = rv_calloc(1, sizeof *j);
    if (!j)
        return rv_fail_memory(err);
    j->env = env;
    j->fd = -1;
    pthread_mutex_init(&j->lock, NULL);
    if (path) {
        bool found = false;
        j->path = rv_strdup(path);
        if (!j->path) {
            st = rv_fail_memory(err);
            goto done;
        }
        RV_GO(rv_file_read_all(path, JOURNAL_MAX_BYTES, &j->lines, &found, err));
        /* a killed run may have left half a line: it is no entry */
        while (j->lines.len && j->lines.ptr[j->lines.len - 1] != '\n')
            j->lines.len--;
        RV_GO(rv_file_append(path, 0600, &j->fd, err));
    }
    *out = j;
    j = NULL;
done:
    rv_journal_close(j);
    return st;
}

static void warn_once(rv_journal *j, const rv_error *err)
{
    if (j->warned)
        return;
    j->warned = true;
    RV_LOG_WARN(j->env, "the journal cannot be written: %s", err->text);
}

static void append(rv_journal *j, const rv_buf *entry)
{
    rv_error err = {0};
    rv_buf line = RV_BUF_INIT;
    pthread_mutex_lock(&j->lock);
    rv_status st = rv_secrets_redact(j->env->secrets, rv_buf_str(entry), &line, &err);
    if (st == RV_OK)
        st = rv_buf_add_byte(&line, '\n', &err);
    if (st == RV_OK)
        st = rv_buf_add(&j->lines, line.ptr, line.len, &err);
    if (st == RV_OK && j->fd >= 0)
        st = rv_file_write(j->fd, line.ptr, line.len, j->path, &err);
    if (st != RV_OK)
        warn_once(j, &err);
    pthread_mutex_unlock(&j->lock);
    rv_buf_free(&line);
}

static void begin_entry(rv_journal *j, rv_json *w, rv_buf *buf, const char *event)
{
    char at[RV_RFC3339_SIZE];
    rv_rfc3339_ms(rv_env_now_us(j->env), at);
    rv_json_begin(w, buf, false);
    rv_json_object(w);
    rv_json_kstr(w, "at", at);
    rv_json_kstr(w, "event", event);
}

static void end_entry(rv_journal *j, rv_json *w, rv_buf *buf)
{
    rv_error err = {0};
    rv_json_object_end(w);
    if (rv_json_end(w, &err) == RV_OK)
        append(j, buf);
    else
        warn_once(j, &err);
    rv_buf_free(buf);
}

void rv_journal_add(rv_journal *j, const char *event, const char *fmt, ...)
{
    if (!j)
        return;
    rv_buf buf = RV_BUF_INIT;
    rv_json w;
    va_list ap;
    begin_entry(j, &w, &buf, event);
    va_start(ap, fmt);
    for (const char *f = fmt; *f; f++) {
        rv_json_key(&w, va_arg(ap, const char *));
        if (*f == 's')
            rv_json_cstr(&w, va_arg(ap, const char *));
        else if (*f == 'i')
            rv_json_i64(&w, va_arg(ap, int64_t));
        else
            rv_json_bool(&w, va_arg(ap, int) != 0);
    }
    va_end(ap);
    end_entry(j, &w, &buf);
}

void rv_journal_add_raw(rv_journal *j, const char *event, rv_str members)
{
    if (!j)
        return;
    rv_buf buf = RV_BUF_INIT;
    rv_json w;
    begin_entry(j, &w, &buf, event);
    if (members.len && w.status == RV_OK) {
        rv_error err = {0};
        if (rv_buf_add_c(&buf, ",", &err) != RV_OK || rv_buf_add_str(&buf, members, &err) != RV_OK)
            w.status = err.code;
    }
    end_entry(j, &w, &buf);
}

rv_status rv_journal_document(rv_journal *j, rv_buf *out, rv_error *err)
{
    rv_status st = RV_OK;
    pthread_mutex_lock(&j->lock);
    size_t start = 0;
    RV_GO(rv_buf_add_byte(out, '[', err));
    for (size_t i = 0; i < j->lines.len; i++) {
        if (j->lines.ptr[i] != '\n')
            continue;
        if (start)
            RV_GO(rv_buf_add_byte(out, ',', err));
        RV_GO(rv_buf_add(out, j->lines.ptr + start, i - start, err));
        start = i + 1;
    }
    RV_GO(rv_buf_add_byte(out, ']', err));
done:
    pthread_mutex_unlock(&j->lock);
    return st;
}

void rv_journal_close(rv_journal *j)
{
    if (!j)
        return;
    rv_file_close(j->fd);
    rv_buf_free(&j->lines);
    rv_free(j->path);
    pthread_mutex_destroy(&j->lock);
    rv_free(j);
}
