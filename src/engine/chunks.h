/* engine/chunks.h: where chunks begin and end. Source: spec "lifecycle" section 8. */
#ifndef RV_ENGINE_CHUNKS_H
#define RV_ENGINE_CHUNKS_H

#include "engine/plan.h"

/* Tasks of a chunked run by the configured strategy, bounds asked from the source now.
 * RV_E_CONFIG_TOO_MANY_CHUNKS beyond 100,000. */
rv_status rv_chunks_make(rv_job *job, rv_task_rows *out, rv_error *err) RV_MUST_USE;
/* Key ranges of a keyset run: one, or `parallel` of about equal size. `from`: keyset_high. */
rv_status rv_ranges_make(rv_job *job, const char *from, rv_range_rows *out,
                         rv_error *err) RV_MUST_USE;

#endif
