/* engine/execute.h: reads, commits and counts the units of a run. After it every unit of a chunked
 * or keyset run is committed; the single unit of other modes is sealed and waits for the final
 * transaction. Source: spec "lifecycle" sections 2, 3, 8, 13. */
#ifndef RV_ENGINE_EXECUTE_H
#define RV_ENGINE_EXECUTE_H

#include "engine/incremental.h"

typedef struct rv_executed {
    bool single;   /* unit "0" is sealed, not yet committed */
    uint64_t rows; /* of the single unit */
    size_t parts;
    const char *first_name;
    rv_position_row position; /* incremental: moved; keyset_incremental: keyset_high */
    bool moved;
    bool skipped; /* no rows and skip_empty */
    /* of the single unit: what was read, for --reconcile; in the job's arena */
    const rv_segment *segments;
    size_t n_segments;
    bool bounded;     /* the segments know their upper end */
    uint64_t dropped; /* rows met before that cursor ties dropped */
} rv_executed;

/* `sealed`: the single unit of a continued run is sealed already: nothing is read. */
rv_status rv_execute(rv_job *job, bool sealed, rv_executed *out, rv_error *err) RV_MUST_USE;

#endif
