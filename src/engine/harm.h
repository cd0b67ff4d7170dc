/* engine/harm.h: what a run may have cost the source: the server's counters before and after it.
 * Failures are WARNs. Source: spec "lifecycle" section 4 (export_harm). */
#ifndef RV_ENGINE_HARM_H
#define RV_ENGINE_HARM_H

#include "engine/job.h"

/* On the coordinator's connection, outside any transaction. */
void rv_harm_begin(rv_job *job);
/* Stores the differences; once. */
void rv_harm_end(rv_job *job);
/* For the metric's column pg_temp_bytes_delta; -1 unknown. */
int64_t rv_harm_temp_bytes(const rv_job *job);

#endif
