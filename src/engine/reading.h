/* engine/reading.h: what the workers of one run share while they read: one server, one instant
 * where that was asked for, eyes on the server, and what the run cost it.
 * Source: spec "source-safety" sections 3, 10, 13; "config" section 5 (consistency). */
#ifndef RV_ENGINE_READING_H
#define RV_ENGINE_READING_H

#include "engine/job.h"

/* consistency: snapshot on this engine and with this many workers; RV_E_CONFIG_UNSUPPORTED or the
 * engine's own reason. Leaves nothing open. */
rv_status rv_reading_can_snapshot(rv_job *job, rv_error *err) RV_MUST_USE;
/* Before bounds are asked: counters are read, and with consistency: snapshot every connection the
 * workers will need is opened and the one instant taken over all of them. Starts the monitor. */
rv_status rv_reading_begin(rv_job *job, rv_error *err) RV_MUST_USE;
/* Ends what begin started and stores what the run cost; once, whatever happened. NULL-safe. */
void rv_reading_end(rv_job *job);
/* Ends the run's one instant on the coordinator's connection, where it was kept for a count. */
void rv_reading_end_instant(rv_job *job);
/* Workers of this run: 1 where a single unit is read. */
size_t rv_reading_workers(const rv_job *job);
/* The connection of worker i (> 0) within the run's snapshot, now the caller's; NULL: open one. */
rv_source *rv_reading_take(rv_job *job, size_t i);
/* Whether a new instant may replace a lost one: one connection has it, nothing of this run is
 * committed and no bound was fixed within the old one. */
bool rv_reading_may_renew(rv_job *job);

#endif
