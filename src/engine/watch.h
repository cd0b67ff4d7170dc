/* engine/watch.h: the monitor: one thread with a connection of its own that looks, once a second,
 * whether somebody waits for a read that has held a lock or snapshot for more than a second, and
 * samples the counters of the governor. The connection is opened when there is something to ask.
 * Threads: add and remove from any worker. Source: spec "source-safety" sections 10 and 13. */
#ifndef RV_ENGINE_WATCH_H
#define RV_ENGINE_WATCH_H

#include "engine/read.h"

/* Nothing is started where the engine has nothing to ask. */
rv_status rv_watch_start(rv_job *job, rv_error *err) RV_MUST_USE;
void rv_watch_stop(rv_job *job);
/* A reader is watched from add to remove; both without a monitor do nothing. */
rv_status rv_watch_add(rv_job *job, rv_reader *r, rv_error *err) RV_MUST_USE;
void rv_watch_remove(rv_job *job, rv_reader *r);
/* The newest reading of RV_SIGNAL_BATCH, for readers whose connection is inside a transaction. */
bool rv_watch_batch_signal(rv_job *job, int64_t *out);

#endif
