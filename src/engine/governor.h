/* engine/governor.h: how many workers may read at once. Under tuning.adaptive a counter that
 * read-only work cannot raise takes workers away and gives them back; a session that waits for us
 * takes away all but min_parallel. A worker leaves between pages or tasks, never within.
 * Threads: the gate from any worker; readings from the monitor.
 * Source: spec "source-safety" sections 10 and 13. */
#ifndef RV_ENGINE_GOVERNOR_H
#define RV_ENGINE_GOVERNOR_H

#include "engine/job.h"

/* ---- the rule, pure ---- */

typedef enum rv_move { RV_MOVE_HOLD, RV_MOVE_FEWER, RV_MOVE_MORE } rv_move;
typedef struct rv_governor_rule {
    bool have; /* a reading to compare with */
    int64_t last;
    unsigned unreadable; /* in a row */
    bool blind;          /* three in a row: said once */
} rv_governor_rule;

/* *out_say: this reading made the governor blind, for the first time. */
rv_move rv_governor_judge(rv_governor_rule *r, bool readable, int64_t value, bool *out_say);

/* ---- the gate ---- */

/* Armed by adaptive and parallel > 1 on an engine with a counter; else job->governor stays NULL.
 */
rv_status rv_governor_open(rv_job *job, rv_error *err) RV_MUST_USE;
void rv_governor_close(rv_job *job);

/* All of these do nothing without a governor. Enter waits for a place; yield gives it back when too
 * many read and waits for another; both return at once when `stop` says so. */
void rv_governor_enter(rv_job *job, bool (*stop)(void *ctx), void *ctx);
void rv_governor_yield(rv_job *job, bool (*stop)(void *ctx), void *ctx);
void rv_governor_leave(rv_job *job);

/* The monitor's readings, and its end: parallelism is static from there. */
void rv_governor_reading(rv_job *job, bool readable, int64_t value);
void rv_governor_lost(rv_job *job, const char *why);
/* Somebody waits for us: down to min_parallel at once. Or a statement was cancelled by the server:
 * one fewer. */
void rv_governor_blocked(rv_job *job);
void rv_governor_cancelled(rv_job *job);

#endif
