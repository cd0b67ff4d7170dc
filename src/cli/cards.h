/* cli/cards.h: the cards of exports that run at the same time, redrawn in place on a terminal. Log
 * lines are printed above them. Threads: calls may come from any thread; a ticker redraws at most
 * 10 times a second. NULL is a display that is not shown.
 * Source: spec "cli" section 2 (Progress display, Cards). */
#ifndef RV_CLI_CARDS_H
#define RV_CLI_CARDS_H

#include "base/env.h"
#include "engine/engine.h"

typedef struct rv_cards rv_cards;

/* One card per export of the configuration, drawn on fd (a terminal) around the lines of the log.
 * columns: 0 = ask the terminal. Names are borrowed. */
rv_status rv_cards_open(const rv_env *env, int fd, unsigned columns, const rv_cfg *cfg,
                        rv_cards **out, rv_error *err) RV_MUST_USE;
/* Leaves all cards behind, as far as the window is wide and however many they are. */
void rv_cards_close(rv_cards *c);
void rv_cards_start(rv_cards *c, const char *name);
void rv_cards_plan(rv_cards *c, const char *name, int64_t total_chunks);
void rv_cards_step(rv_cards *c, const char *name, int64_t chunks_done, int64_t rows);
void rv_cards_finish(rv_cards *c, const rv_export_report *r);

#endif
