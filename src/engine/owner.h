/* engine/owner.h: whose progress is this? Facts stored with every position and checkpoint and
 * compared once the source is connected. Source: spec "lifecycle" sections 7 and 8. */
#ifndef RV_ENGINE_OWNER_H
#define RV_ENGINE_OWNER_H

#include "engine/job.h"

/* Facts of the job as JSON; needs job->source and job->rel. */
rv_status rv_owner_json(rv_job *job, rv_arena *a, const char **out, rv_error *err) RV_MUST_USE;
/* RV_E_RUN_OWNER naming old and new value when stored progress is another's; a changed query is a
 * WARN. stored NULL: nothing to compare. `what`: "cursor" or "checkpoint". */
rv_status rv_owner_compare(rv_job *job, const char *stored, const char *what,
                           rv_error *err) RV_MUST_USE;
/* The stored facts carry today's plan hash: `state accept` bound them to it. */
bool rv_owner_accepts_plan(const rv_job *job, const char *stored);
/* XXH3-64 over length-prefixed fields: "xxh3:<16 hex>". */
rv_status rv_plan_hash(rv_job *job, rv_arena *a, const char **out, rv_error *err) RV_MUST_USE;

#endif
