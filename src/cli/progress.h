/* cli/progress.h: the bar or spinner of one export at a time on a terminal. Log lines are printed
 * above it. Threads: calls may come from any thread; a ticker redraws at most 10 times a second.
 * Source: spec "cli" section 2 (Progress display). */
#ifndef RV_CLI_PROGRESS_H
#define RV_CLI_PROGRESS_H

#include "base/log.h"

typedef struct rv_progress_view {
    const char *name;
    bool bar;      /* chunked or keyset */
    int64_t total; /* chunks; 0 = unknown */
    int64_t done;
    int64_t rows;
    int64_t elapsed_ms;
    unsigned frame; /* of the spinner */
} rv_progress_view;

/* "invoices  [#####-------]  6/14 chunks  590K rows  21.4K r/s  27.6s  ETA 36.8s", cut at `width`
 * columns. */
rv_status rv_progress_line(const rv_progress_view *v, unsigned width, rv_buf *out,
                           rv_error *err) RV_MUST_USE;

typedef struct rv_progress rv_progress;
/* Draws on fd (a terminal) and hooks itself around the lines of `log` (may be NULL). columns: 0 =
 * ask the terminal. */
rv_status rv_progress_open(rv_log *log, int fd, unsigned columns, rv_progress **out,
                           rv_error *err) RV_MUST_USE;
void rv_progress_close(rv_progress *p); /* erases the bar */
void rv_progress_start(rv_progress *p, const char *name);
void rv_progress_plan(rv_progress *p, int64_t total_chunks);
void rv_progress_step(rv_progress *p, int64_t done, int64_t rows);
void rv_progress_rename(rv_progress *p, const char *name);
void rv_progress_stop(rv_progress *p);
/* Erased and kept still between the two, for lines that are not the log's. */
void rv_progress_hold(rv_progress *p);
void rv_progress_release(rv_progress *p);

#endif
