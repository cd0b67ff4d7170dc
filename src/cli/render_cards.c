#include "cli/render_cards.h"

#include "base/clock.h"

#define NAME_COLUMNS_MAX 32u

typedef struct rv_frame {
    const rv_card *cards;
    size_t n;
    rv_window window;
    unsigned name_columns;
    rv_buf *out;
    rv_card_lines *lines;
} rv_frame;

/* Names and causes come from elsewhere: nothing in them may steer the terminal. C1 controls are
 * two bytes of UTF-8. */
static rv_status add_plain(rv_buf *out, rv_str text, rv_error *err)
{
    for (size_t i = 0; text.ptr && i < text.len; i++) {
        uint8_t b = (uint8_t)text.ptr[i];
        bool c1 = b == 0xC2 && i + 1 < text.len && (uint8_t)text.ptr[i + 1] < 0xA0;
        i += c1;
        RV_TRY(rv_buf_add_byte(out, c1 || b < 0x20 || b == 0x7F ? '?' : b, err));
    }
    return RV_OK;
}

static rv_status add_name(rv_frame *f, const char *name, rv_error *err)
{
    unsigned used;
    rv_str text = rv_str_c(name);
    text.len = rv_text_fit(text, f->name_columns, &used);
    RV_TRY(add_plain(f->out, text, err));
    for (; used < f->name_columns; used++)
        RV_TRY(rv_buf_add_byte(f->out, ' ', err));
    return RV_OK;
}

static rv_status add_running(rv_frame *f, const rv_card *c, rv_error *err)
{
    char rows[32], rate[32], elapsed[32];
    double seconds = (double)c->elapsed_ms / 1000.0;
    rv_count_text((double)c->rows, false, rows);
    rv_count_text(seconds > 0 ? (double)c->rows / seconds : 0, true, rate);
    rv_duration_text(c->elapsed_ms, elapsed);
    if (c->total > 0)
        RV_TRY(rv_buf_printf(f->out, err, "  %lld/%lld chunks", (long long)c->chunks_done,
                             (long long)c->total));
    else if (c->total == 0)
        RV_TRY(rv_buf_printf(f->out, err, "  %lld chunks", (long long)c->chunks_done));
    return rv_buf_printf(f->out, err, "  %s rows  %s r/s  %s", rows, rate, elapsed);
}

static rv_status add_done(rv_frame *f, const rv_card *c, rv_error *err)
{
    char text[32];
    RV_TRY(rv_buf_printf(f->out, err, "  %s  %lld rows  %lld files", c->status,
                         (long long)(c->rows < 0 ? 0 : c->rows),
                         (long long)(c->files < 0 ? 0 : c->files)));
    rv_size_text(c->bytes < 0 ? 0 : (uint64_t)c->bytes, text);
    RV_TRY(rv_buf_printf(f->out, err, "  %s", text));
    rv_duration_text(c->elapsed_ms, text);
    RV_TRY(rv_buf_printf(f->out, err, "  %s", text));
    if (c->peak_rss_mb >= 0)
        RV_TRY(rv_buf_printf(f->out, err, "  %lldMB", (long long)c->peak_rss_mb));
    if (!c->note || !c->note[0])
        return RV_OK;
    RV_TRY(rv_buf_add_c(f->out, "  ", err));
    return add_plain(f->out, rv_str_c(c->note), err);
}

static rv_status end_line(rv_frame *f, size_t begun, rv_error *err)
{
    unsigned used;
    rv_str line = {(const char *)f->out->ptr + begun, f->out->len - begun};
    f->out->len = begun + rv_text_fit(line, f->window.columns, &used);
    if (f->lines->n < RV_CARD_LINES_MAX)
        f->lines->columns[f->lines->n] = used;
    f->lines->n++;
    return rv_buf_add_byte(f->out, '\n', err);
}

static rv_status add_card(rv_frame *f, const rv_card *c, rv_error *err)
{
    static const char *const marks[] = {"·", "▸", "✓"};
    size_t begun = f->out->len;
    bool failed = c->state == RV_CARD_DONE && c->failed;
    RV_TRY(rv_buf_printf(f->out, err, "%s ", failed ? "✗" : marks[c->state]));
    RV_TRY(add_name(f, c->name, err));
    if (c->state == RV_CARD_WAITING)
        RV_TRY(rv_buf_add_c(f->out, "  waiting", err));
    else if (c->state == RV_CARD_RUNNING)
        RV_TRY(add_running(f, c, err));
    else
        RV_TRY(add_done(f, c, err));
    return end_line(f, begun, err);
}

static bool in_group(const rv_card *c, int group)
{
    bool failed = c->state == RV_CARD_DONE && c->failed;
    switch (group) {
    case 0:
        return c->state == RV_CARD_RUNNING;
    case 1:
        return failed;
    case 2:
        return c->state == RV_CARD_DONE && !failed;
    default:
        return c->state == RV_CARD_WAITING;
    }
}

/* `room` cards by urgency, in their own order within each group; then what was left out. */
static rv_status add_some(rv_frame *f, size_t room, rv_error *err)
{
    size_t hidden[4] = {0};
    for (int group = 0; group < 4; group++) {
        for (size_t i = 0; i < f->n; i++) {
            if (!in_group(&f->cards[i], group))
                continue;
            if (f->lines->n < room)
                RV_TRY(add_card(f, &f->cards[i], err));
            else
                hidden[group]++;
        }
    }
    size_t begun = f->out->len;
    RV_TRY(rv_buf_printf(f->out, err, "  and %zu running, %zu failed, %zu done, %zu waiting",
                         hidden[0], hidden[1], hidden[2], hidden[3]));
    return end_line(f, begun, err);
}

rv_status rv_render_cards(const rv_card *cards, size_t n, rv_window window, rv_buf *out,
                          rv_card_lines *lines, rv_error *err)
{
    rv_frame f = {.cards = cards, .n = n, .window = window, .out = out, .lines = lines};
    lines->n = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned used;
        (void)rv_text_fit(rv_str_c(cards[i].name), NAME_COLUMNS_MAX, &used);
        f.name_columns = used > f.name_columns ? used : f.name_columns;
    }
    if (n > window.rows && window.rows > 0)
        RV_TRY(add_some(&f, window.rows - 1, err));
    for (size_t i = 0; i < n && n <= window.rows; i++)
        RV_TRY(add_card(&f, &cards[i], err));
    return RV_OK;
}
