#include "cli/progress.h"

#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/terminal.h"

#define BAR_CELLS 12
#define TICK_NS 100000000L
#define NAME_MAX_BYTES 128

struct rv_progress {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t ticker;
    rv_log *log;
    int fd;
    unsigned columns;
    bool active, drawn, ending;
    int64_t started_us;
    rv_progress_view view;
    char name[NAME_MAX_BYTES];
};

static rv_status add_bar(const rv_progress_view *v, rv_buf *out, rv_error *err)
{
    char cells[BAR_CELLS + 1];
    int64_t done = v->done < v->total ? v->done : v->total;
    int64_t full = done * BAR_CELLS / v->total;
    for (int64_t i = 0; i < BAR_CELLS; i++)
        cells[i] = i < full ? '#' : '-';
    cells[BAR_CELLS] = '\0';
    return rv_buf_printf(out, err, "  [%s]  %lld/%lld chunks", cells, (long long)v->done,
                         (long long)v->total);
}

static rv_status add_line(const rv_progress_view *v, rv_buf *out, rv_error *err)
{
    static const char frames[] = {'|', '/', '-', '\\'};
    char rows[32], rate[32], elapsed[32];
    bool measured = v->bar && v->total > 0;
    rv_count_text((double)v->rows, false, rows);
    double seconds = (double)v->elapsed_ms / 1000.0;
    rv_count_text(seconds > 0 ? (double)v->rows / seconds : 0, true, rate);
    rv_duration_text(v->elapsed_ms, elapsed);
    if (!measured)
        RV_TRY(rv_buf_printf(out, err, "%c ", frames[v->frame % sizeof frames]));
    RV_TRY(rv_buf_add_c(out, v->name, err));
    if (measured)
        RV_TRY(add_bar(v, out, err));
    else if (v->bar)
        RV_TRY(rv_buf_printf(out, err, "  %lld chunks", (long long)v->done));
    RV_TRY(rv_buf_printf(out, err, "  %s rows  %s r/s  %s", rows, rate, elapsed));
    if (measured && v->done > 0 && v->done < v->total) {
        double left = (double)v->elapsed_ms / (double)v->done * (double)(v->total - v->done);
        rv_duration_text((int64_t)left, elapsed);
        RV_TRY(rv_buf_printf(out, err, "  ETA %s", elapsed));
    }
    return RV_OK;
}

rv_status rv_progress_line(const rv_progress_view *v, unsigned width, rv_buf *out, rv_error *err)
{
    size_t before = out->len;
    RV_TRY(add_line(v, out, err));
    rv_str line = {(const char *)out->ptr + before, out->len - before};
    unsigned columns;
    out->len = before + rv_text_fit(line, width, &columns);
    return RV_OK;
}

static void put(rv_progress *p, rv_str text)
{
    /* a bar that cannot be drawn is no failure */
    rv_status st = rv_file_write(p->fd, text.ptr, text.len, "terminal", NULL);
    (void)st;
}

static void erase(rv_progress *p)
{
    if (p->drawn)
        put(p, RV_STR("\r\033[K"));
    p->drawn = false;
}

static void draw(rv_progress *p)
{
    rv_buf line = RV_BUF_INIT;
    p->view.elapsed_ms = (rv_clock_mono_us() - p->started_us) / 1000;
    /* the last column stays free: some terminals wrap when it is written */
    unsigned width = rv_terminal_window(p->fd, p->columns).columns - 1;
    if (rv_buf_add_c(&line, "\r\033[K", NULL) == RV_OK &&
        rv_progress_line(&p->view, width, &line, NULL) == RV_OK) {
        put(p, rv_buf_str(&line));
        p->drawn = true;
    }
    rv_buf_free(&line);
}

static void *tick(void *arg)
{
    rv_progress *p = arg;
    (void)pthread_mutex_lock(&p->lock);
    while (!p->ending) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += TICK_NS;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        (void)pthread_cond_timedwait(&p->wake, &p->lock, &until);
        if (!p->active || p->ending)
            continue;
        p->view.frame++;
        draw(p);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Held from `before` to `after`, so that no tick draws into a log line. */
static void before_line(void *ctx)
{
    rv_progress_hold(ctx);
}

static void after_line(void *ctx)
{
    rv_progress_release(ctx);
}

void rv_progress_hold(rv_progress *p)
{
    if (!p)
        return;
    (void)pthread_mutex_lock(&p->lock);
    erase(p);
}

void rv_progress_release(rv_progress *p)
{
    if (!p)
        return;
    if (p->active)
        draw(p);
    (void)pthread_mutex_unlock(&p->lock);
}

rv_status rv_progress_open(rv_log *log, int fd, unsigned columns, rv_progress **out, rv_error *err)
{
    rv_progress *p = rv_calloc(1, sizeof *p);
    if (!p)
        return rv_fail_memory(err);
    p->log = log;
    p->fd = fd;
    p->columns = columns;
    p->view.name = p->name;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->wake, NULL);
    int e = pthread_create(&p->ticker, NULL, tick, p);
    if (e != 0) {
        rv_free(p);
        return rv_fail_errno(err, RV_E_MEMORY, e, "the progress thread cannot be started");
    }
    rv_log_set_hook(log, (rv_log_hook){before_line, after_line, p});
    *out = p;
    return RV_OK;
}

void rv_progress_close(rv_progress *p)
{
    if (!p)
        return;
    rv_log_set_hook(p->log, (rv_log_hook){0});
    (void)pthread_mutex_lock(&p->lock);
    p->ending = true;
    erase(p);
    (void)pthread_cond_signal(&p->wake);
    (void)pthread_mutex_unlock(&p->lock);
    (void)pthread_join(p->ticker, NULL);
    (void)pthread_cond_destroy(&p->wake);
    (void)pthread_mutex_destroy(&p->lock);
    rv_free(p);
}

static void set_name(rv_progress *p, const char *name)
{
    size_t len = rv_utf8_cut(rv_str_c(name), NAME_MAX_BYTES - 1);
    memcpy(p->name, name, len);
    p->name[len] = '\0';
}

void rv_progress_start(rv_progress *p, const char *name)
{
    if (!p)
        return;
    (void)pthread_mutex_lock(&p->lock);
    set_name(p, name);
    p->view = (rv_progress_view){.name = p->name};
    p->started_us = rv_clock_mono_us();
    p->active = true;
    (void)pthread_mutex_unlock(&p->lock);
}

void rv_progress_rename(rv_progress *p, const char *name)
{
    if (!p)
        return;
    (void)pthread_mutex_lock(&p->lock);
    set_name(p, name);
    (void)pthread_mutex_unlock(&p->lock);
}

void rv_progress_plan(rv_progress *p, int64_t total_chunks)
{
    if (!p)
        return;
    (void)pthread_mutex_lock(&p->lock);
    p->view.bar = true;
    p->view.total = total_chunks;
    (void)pthread_mutex_unlock(&p->lock);
}

void rv_progress_step(rv_progress *p, int64_t done, int64_t rows)
{
    if (!p)
        return;
    (void)pthread_mutex_lock(&p->lock);
    p->view.done = done;
    p->view.rows = rows;
    (void)pthread_mutex_unlock(&p->lock);
}

void rv_progress_stop(rv_progress *p)
{
    if (!p)
        return;
    (void)pthread_mutex_lock(&p->lock);
    erase(p);
    p->active = false;
    (void)pthread_mutex_unlock(&p->lock);
}
