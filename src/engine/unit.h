/* engine/unit.h: the smallest piece that commits. A worker reads a unit on one thread and encodes
 * and delivers it on another, then seals it and moves it through its unit transaction.
 * One thread (the caller) per worker. Source: spec "lifecycle" sections 1, 2, 3, 8. */
#ifndef RV_ENGINE_UNIT_H
#define RV_ENGINE_UNIT_H

#include "engine/part.h"
#include "engine/read.h"

typedef struct rv_unit {
    char name[RV_UNIT_NAME_SIZE];
    const rv_segment *segments;
    size_t n_segments;
    bool empty_file;      /* a part even without rows */
    const char *key_low;  /* text, stored with the seal; NULL = open */
    const char *key_high; /* known beforehand (chunks); keyset units learn it by reading */
    rv_status (*rewind)(void *ctx, rv_error *err); /* before another reading; NULL: nothing */
    void *rewind_ctx;
} rv_unit;

typedef struct rv_unit_result {
    uint64_t rows, bytes;
    const char *const *names; /* of its parts */
    size_t parts;
    rv_sums sums;          /* rv_unit_result_free */
    rv_error upload_error; /* RV_OK, or parts wait in the spool: seal, then fail with this */
    bool limited;          /* a segment ended at its limit */
    const rv_datum *last;  /* order values of the last row read; valid until the next unit */
    size_t n_last;
} rv_unit_result;

typedef struct rv_worker {
    rv_job *job;
    rv_reader reader;
    unsigned queue_depth; /* 0: encode on the reading thread */
    bool open;
} rv_worker;

/* shared: the coordinator's connection for one worker, NULL: its own. */
rv_status rv_worker_open(rv_worker *w, rv_job *job, rv_source *shared, unsigned workers,
                         rv_error *err) RV_MUST_USE;
void rv_worker_close(rv_worker *w);

/* A unit that was read: its parts are finished, in the spool or on their way. */
typedef struct rv_unit_work {
    rv_parts parts;
    bool limited;
    const rv_datum *last; /* as in rv_unit_result */
    size_t n_last;
    int64_t shown; /* rows counted as progress */
} rv_unit_work;

/* Reads and encodes; a streamed unit, or one whose instant was lost, is read again from its start
 * after a passing failure. The DDL guard is asked before and after. Within a snapshot nothing is
 * delivered, and where this unit is all the run reads, the snapshot ends with it. */
rv_status rv_unit_read(rv_worker *w, const rv_unit *unit, rv_unit_work *out,
                       rv_error *err) RV_MUST_USE;
/* What waits in the spool is recorded and sent on its way. */
rv_status rv_unit_offer(rv_unit_work *work, rv_error *err) RV_MUST_USE;
/* None of its parts is on its way any more. */
bool rv_unit_arrived(const rv_unit_work *work);
/* Offers the rest and waits until all have arrived, or failed for good. */
rv_status rv_unit_deliver(rv_unit_work *work, rv_unit_result *out, rv_error *err) RV_MUST_USE;
void rv_unit_work_free(rv_unit_work *work);
/* Read and deliver. */
rv_status rv_unit_extract(rv_worker *w, const rv_unit *unit, rv_unit_result *out,
                          rv_error *err) RV_MUST_USE;
void rv_unit_result_free(rv_unit_result *r);

/* Stores key bounds and accumulators; `position_json` (may be NULL) rides along so that a sealed
 * single unit can finish without reading. */
rv_status rv_unit_seal(rv_job *job, const rv_unit *unit, const char *key_high,
                       const rv_unit_result *result, const char *position_json,
                       rv_error *err) RV_MUST_USE;

/* After a unit was read again: parts of an earlier reading that this one did not write go. */
rv_status rv_unit_drop_surplus(rv_job *job, const char *unit, const rv_unit_result *result,
                               rv_error *err) RV_MUST_USE;
/* --validate: every uploaded part of the unit is read back: size, hash, row count. */
rv_status rv_unit_validate(rv_job *job, const char *unit, rv_error *err) RV_MUST_USE;
/* --validate keeps spool files until the unit commits. */
void rv_unit_drop_spool(rv_job *job, const char *unit);

/* Accumulators as JSON and back. */
rv_status rv_sums_to_json(const rv_sums *s, const char *position_json, rv_buf *out,
                          rv_error *err) RV_MUST_USE;
rv_status rv_sums_from_json(const char *json, size_t n_columns, rv_sums *out, rv_arena *arena,
                            const char **out_position_json, rv_error *err) RV_MUST_USE;

#endif
