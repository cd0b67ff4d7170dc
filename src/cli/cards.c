#include "cli/cards.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/render_cards.h"

#define TICK_NS 100000000L

typedef struct rv_card_slot {
    int64_t started_us;
    char note[240];
} rv_card_slot;

struct rv_cards {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t ticker;
    const rv_env *env;
    int fd;
    unsigned columns;
    bool dirty, ending;
    rv_card *cards;
    rv_card_slot *slots;
    size_t n;
    rv_card_lines drawn;
};

static void put(rv_cards *c, rv_str text)
{
    /* cards that cannot be drawn are no failure */
    rv_status st = rv_file_write(c->fd, text.ptr, text.len, "terminal", NULL);
    (void)st;
}

static rv_window window_of(const rv_cards *c)
{
    rv_window w = rv_terminal_window(c->fd, c->columns);
    if (w.columns > 1)
        w.columns--; /* some terminals wrap when the last column is written */
    w.rows = w.rows > RV_CARD_LINES_MAX ? RV_CARD_LINES_MAX : w.rows;
    return w;
}

/* Lines that a window made narrower has wrapped take more rows than were drawn. */
static rv_status add_erase(rv_cards *c, rv_window w, rv_buf *out)
{
    size_t rows = 0;
    for (size_t i = 0; i < c->drawn.n; i++)
        rows += c->drawn.columns[i] > w.columns + 1
                    ? (c->drawn.columns[i] + w.columns) / (w.columns + 1)
                    : 1;
    c->drawn.n = 0;
    if (rows == 0)
        return RV_OK;
    return rv_buf_printf(out, NULL, "\r\033[%zuA\033[J", rows);
}

static void erase(rv_cards *c)
{
    rv_buf text = RV_BUF_INIT;
    if (add_erase(c, window_of(c), &text) == RV_OK)
        put(c, rv_buf_str(&text));
    rv_buf_free(&text);
}

static void count_time(rv_cards *c)
{
    int64_t now_us = rv_clock_mono_us();
    for (size_t i = 0; i < c->n; i++)
        if (c->cards[i].state == RV_CARD_RUNNING)
            c->cards[i].elapsed_ms = (now_us - c->slots[i].started_us) / 1000;
}

/* The line below the cards stays free for the cursor; a window of one line shows none. */
static void draw(rv_cards *c)
{
    rv_buf text = RV_BUF_INIT;
    rv_window w = window_of(c);
    count_time(c);
    rv_status st = add_erase(c, w, &text);
    w.rows--;
    if (st == RV_OK && w.rows > 0)
        st = rv_render_cards(c->cards, c->n, w, &text, &c->drawn, NULL);
    if (st == RV_OK)
        put(c, rv_buf_str(&text));
    else
        c->drawn.n = 0;
    c->dirty = false;
    rv_buf_free(&text);
}

static bool any_running(const rv_cards *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->cards[i].state == RV_CARD_RUNNING)
            return true;
    return false;
}

static void *tick(void *arg)
{
    rv_cards *c = arg;
    (void)pthread_mutex_lock(&c->lock);
    while (!c->ending) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += TICK_NS;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        (void)pthread_cond_timedwait(&c->wake, &c->lock, &until);
        if (!c->ending && (c->dirty || any_running(c)))
            draw(c);
    }
    (void)pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* Held from `before` to `after`, so that no tick draws into a log line. */
static void before_line(void *ctx)
{
    rv_cards *c = ctx;
    (void)pthread_mutex_lock(&c->lock);
    erase(c);
}

static void after_line(void *ctx)
{
    rv_cards *c = ctx;
    draw(c);
    (void)pthread_mutex_unlock(&c->lock);
}

static rv_status make_cards(rv_cards *c, const rv_cfg *cfg, rv_error *err)
{
    c->n = cfg->n_exports;
    c->cards = rv_calloc(c->n, sizeof *c->cards);
    c->slots = rv_calloc(c->n, sizeof *c->slots);
    if (!c->cards || !c->slots)
        return rv_fail_memory(err);
    for (size_t i = 0; i < c->n; i++)
        c->cards[i] = (rv_card){.name = cfg->exports[i].name, .total = -1};
    return RV_OK;
}

static void release(rv_cards *c)
{
    (void)pthread_cond_destroy(&c->wake);
    (void)pthread_mutex_destroy(&c->lock);
    rv_free(c->cards);
    rv_free(c->slots);
    rv_free(c);
}

rv_status rv_cards_open(const rv_env *env, int fd, unsigned columns, const rv_cfg *cfg,
                        rv_cards **out, rv_error *err)
{
    rv_cards *c = rv_calloc(1, sizeof *c);
    if (!c)
        return rv_fail_memory(err);
    c->env = env;
    c->fd = fd;
    c->columns = columns;
    (void)pthread_mutex_init(&c->lock, NULL);
    (void)pthread_cond_init(&c->wake, NULL);
    rv_status st = make_cards(c, cfg, err);
    int e = st == RV_OK ? pthread_create(&c->ticker, NULL, tick, c) : 0;
    if (e != 0)
        st = rv_fail_errno(err, RV_E_MEMORY, e, "the progress thread cannot be started");
    if (st != RV_OK) {
        release(c);
        return st;
    }
    rv_log_set_hook(env->log, (rv_log_hook){before_line, after_line, c});
    *out = c;
    return RV_OK;
}

static void leave_all(rv_cards *c)
{
    rv_buf text = RV_BUF_INIT;
    rv_window w = window_of(c);
    rv_status st = add_erase(c, w, &text);
    w.rows = (unsigned)c->n;
    if (st == RV_OK && rv_render_cards(c->cards, c->n, w, &text, &c->drawn, NULL) == RV_OK)
        put(c, rv_buf_str(&text));
    rv_buf_free(&text);
}

void rv_cards_close(rv_cards *c)
{
    if (!c)
        return;
    rv_log_set_hook(c->env->log, (rv_log_hook){0});
    (void)pthread_mutex_lock(&c->lock);
    c->ending = true;
    leave_all(c);
    (void)pthread_cond_signal(&c->wake);
    (void)pthread_mutex_unlock(&c->lock);
    (void)pthread_join(c->ticker, NULL);
    release(c);
}

/* Locks; the card of that name, or NULL. */
static rv_card *take_card(rv_cards *c, const char *name)
{
    if (!c)
        return NULL;
    (void)pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->cards[i].name, name) == 0)
            return &c->cards[i];
    (void)pthread_mutex_unlock(&c->lock);
    return NULL;
}

static void give_card(rv_cards *c)
{
    c->dirty = true;
    (void)pthread_mutex_unlock(&c->lock);
}

static rv_card_slot *slot_of(rv_cards *c, const rv_card *card)
{
    return &c->slots[card - c->cards];
}

void rv_cards_start(rv_cards *c, const char *name)
{
    rv_card *card = take_card(c, name);
    if (!card)
        return;
    card->state = RV_CARD_RUNNING;
    slot_of(c, card)->started_us = rv_clock_mono_us();
    give_card(c);
}

void rv_cards_plan(rv_cards *c, const char *name, int64_t total_chunks)
{
    rv_card *card = take_card(c, name);
    if (!card)
        return;
    card->total = total_chunks;
    give_card(c);
}

void rv_cards_step(rv_cards *c, const char *name, int64_t chunks_done, int64_t rows)
{
    rv_card *card = take_card(c, name);
    if (!card)
        return;
    card->chunks_done = chunks_done;
    card->rows = rows;
    give_card(c);
}

/* Of this process or of a child: either way nothing secret is drawn. */
static const char *note_of(const rv_cards *c, const rv_export_report *r, rv_card_slot *slot)
{
    char text[sizeof r->error.text];
    rv_buf clean = RV_BUF_INIT;
    rv_error_headline(&r->error, text, sizeof text);
    if (r->error.code == RV_OK)
        (void)snprintf(text, sizeof text, "%s", r->skip_reason ? r->skip_reason : "");
    slot->note[0] = '\0';
    if (rv_secrets_redact(c->env->secrets, rv_str_c(text), &clean, NULL) == RV_OK && clean.len) {
        size_t n = rv_utf8_cut(rv_buf_str(&clean), sizeof slot->note - 1);
        memcpy(slot->note, clean.ptr, n);
        slot->note[n] = '\0';
    }
    rv_buf_free(&clean);
    return slot->note;
}

void rv_cards_finish(rv_cards *c, const rv_export_report *r)
{
    rv_card *card = take_card(c, r->export_name);
    if (!card)
        return;
    card->state = RV_CARD_DONE;
    card->failed = r->exit_code != 0;
    card->status = r->status;
    card->rows = r->rows;
    card->files = r->files;
    card->bytes = r->bytes;
    card->peak_rss_mb = r->peak_rss_mb;
    card->elapsed_ms = r->duration_ms < 0 ? 0 : r->duration_ms;
    card->note = note_of(c, r, slot_of(c, card));
    give_card(c);
}
