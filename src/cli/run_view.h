/* cli/run_view.h: how a run shows itself, whoever drives it: hooks for the engine, display, the
 * blocks, the closing words. In a child of a run it is the parent that shows everything: there the
 * hooks only send events. Source: spec "cli" section 2. */
#ifndef RV_CLI_RUN_VIEW_H
#define RV_CLI_RUN_VIEW_H

#include "cli/cards.h"
#include "cli/cli_internal.h"
#include "cli/progress.h"
#include "engine/events.h"

typedef struct rv_run_view {
    rv_cli *cli;
    rv_parallel how;
    rv_progress *progress; /* NULL: suppressed */
    rv_cards *cards;       /* NULL: not with processes, or suppressed */
    rv_buf resume;         /* "rivet run -c rivet.yaml" */
    rv_run_hooks hooks;
    rv_event_writer writer; /* in a child */
    rv_child_opts children;
    rv_buf params, log_path;
    int64_t *rows; /* per export of the configuration */
    size_t ended;  /* exports */
} rv_run_view;

/* After the configuration is loaded. `how`: of the exports this invocation runs. */
rv_status rv_run_view_open(rv_cli *cli, rv_parallel how, rv_run_view *out,
                           rv_error *err) RV_MUST_USE;
void rv_run_view_close(rv_run_view *v);
/* The view's part of the options, and the flags that every runner has: hooks, children, --resume,
 * --validate, ... */
void rv_run_view_opts(const rv_run_view *v, rv_run_opts *out);
/* stdout is either the summary or the exported bytes, never both. */
rv_status rv_run_view_check(const rv_cli *cli, rv_error *err) RV_MUST_USE;
/* Summary, errors, JSON; the exit code. */
int rv_run_view_end(rv_run_view *v, const rv_run_report *report);

#endif
