/* cli/terminal.h: what the displays of a run share: the window, text that fits it, short numbers.
 * Source: spec "cli" section 2 (Progress display). */
#ifndef RV_CLI_TERMINAL_H
#define RV_CLI_TERMINAL_H

#include "base/buf.h"

typedef struct rv_window {
    unsigned columns, rows;
} rv_window;

/* Of the terminal `fd`; `columns` (0 = ask) and 80 x 24 stand in for what it does not tell. */
rv_window rv_terminal_window(int fd, unsigned columns);
/* Bytes of `s` that fill at most `width` columns, and how many columns they fill. */
size_t rv_text_fit(rv_str s, unsigned width, unsigned *out_columns);
/* 950, 590K, 1.2M; `fraction`: one decimal below a million too (21.4K). */
void rv_count_text(double v, bool fraction, char out[32]);

#endif
