/* engine/settle.h: what earlier runs left is settled before a new one starts: published, continued,
 * abandoned, cleared. Each step is repeatable. Source: spec "lifecycle" sections 9 and 11. */
#ifndef RV_ENGINE_SETTLE_H
#define RV_ENGINE_SETTLE_H

#include "engine/job.h"

typedef enum rv_settle_for {
    RV_SETTLE_RUN,
    RV_SETTLE_FINISH,
    RV_SETTLE_REPAIR /* `resume`: its sealed units are to be uploaded; nothing is read for it */
} rv_settle_for;

typedef struct rv_settled {
    bool resume;         /* `row` is to be continued by this invocation */
    bool checkpoint;     /* it has a checkpoint in progress (else: its one unit is sealed) */
    rv_run_row row;      /* in the job's arena */
    const char *outcome; /* of finish-run: published, abandoned, nothing */
    const char *settled; /* the run it speaks of; NULL: none */
} rv_settled;

/* Waits for a live lease as opts->lock_wait_s says (RV_E_STATE_LEASE), publishes a dead
 * unpublished run, abandons a dead one, decides about a resumable one. May connect the source. */
rv_status rv_settle(rv_job *job, rv_settle_for purpose, rv_settled *out, rv_error *err) RV_MUST_USE;
/* Under the job's own lease: clears closed runs without success. */
rv_status rv_settle_clear(rv_job *job, rv_error *err) RV_MUST_USE;
/* A continued run's temp files that no record names. */
rv_status rv_settle_sweep_own(rv_job *job, rv_error *err) RV_MUST_USE;
/* Sealed units whose parts are all uploaded or intact in the spool. */
rv_status rv_settle_unit_intact(rv_job *job, const char *unit, bool *out,
                                rv_error *err) RV_MUST_USE;

#endif
