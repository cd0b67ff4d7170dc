/* cli/render_cards.h: one line per export, cut to a window. Pure but for the buffer.
 * Source: spec "cli" section 2 (Progress display, Cards). */
#ifndef RV_CLI_RENDER_CARDS_H
#define RV_CLI_RENDER_CARDS_H

#include "cli/terminal.h"
#include "engine/engine.h"

typedef enum rv_card_state { RV_CARD_WAITING, RV_CARD_RUNNING, RV_CARD_DONE } rv_card_state;

typedef struct rv_card {
    const char *name;
    rv_card_state state;
    int64_t total, chunks_done, rows; /* total -1: not chunked, 0: unknown */
    int64_t elapsed_ms;
    /* DONE; -1 = unknown */
    const char *status, *note; /* note: why it failed or was skipped, NULL: nothing to say */
    bool failed;
    int64_t files, bytes, peak_rss_mb;
} rv_card;

/* What stands on the screen: the lines, and how wide the first of them are. */
#define RV_CARD_LINES_MAX 512
typedef struct rv_card_lines {
    size_t n;
    unsigned columns[RV_CARD_LINES_MAX];
} rv_card_lines;

/* At most window.rows lines of at most window.columns columns, each closed by a line feed. Where
 * the cards are more than the lines, those that run come first and the last line counts the rest.
 */
rv_status rv_render_cards(const rv_card *cards, size_t n, rv_window window, rv_buf *out,
                          rv_card_lines *lines, rv_error *err) RV_MUST_USE;

#endif
