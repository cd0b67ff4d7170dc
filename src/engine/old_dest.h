/* engine/old_dest.h: the destination of an earlier run: its own kind, bucket and prefix, whatever
 * the configuration says by now, reached with credentials that the configuration holds today.
 * Source: spec "lifecycle" section 9. */
#ifndef RV_ENGINE_OLD_DEST_H
#define RV_ENGINE_OLD_DEST_H

#include "engine/job.h"

typedef struct rv_old_dest {
    const rv_dest_driver *dd;
    rv_dest *dest;
} rv_old_dest;

/* What a run's row remembers of its destination, as JSON in the arena. */
rv_status rv_old_dest_facts(rv_job *job, const char **out, rv_error *err) RV_MUST_USE;
/* That run wrote where this one writes: the same kind, endpoint, account and bucket or root. */
rv_status rv_old_dest_is_ours(rv_job *job, const rv_run_row *row, bool *out,
                              rv_error *err) RV_MUST_USE;
/* *out_known false: nothing that is configured today reaches it. Nothing is sent. */
rv_status rv_old_dest_open(rv_job *job, const rv_run_row *row, rv_old_dest *out, bool *out_known,
                           rv_error *err) RV_MUST_USE;
void rv_old_dest_close(rv_old_dest *o);

#endif
