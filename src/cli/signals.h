/* cli/signals.h: one thread takes SIGINT, SIGTERM and SIGHUP and raises the cancel; a second
 * signal ends the process at once (what follows within 50 ms is an echo of the first). Open before
 * any other thread, so that all inherit the mask. Source: spec "cli" section 1 (Signals). */
#ifndef RV_CLI_SIGNALS_H
#define RV_CLI_SIGNALS_H

#include "base/cancel.h"

typedef struct rv_signals rv_signals;

rv_status rv_signals_open(rv_cancel *cancel, rv_signals **out, rv_error *err) RV_MUST_USE;
/* In a child: its parent passes on, once, what a terminal or a supervisor may already have sent to
 * both. */
void rv_signals_from_parent(rv_signals *s, int parent_pid);
void rv_signals_close(rv_signals *s); /* default actions again */

#endif
