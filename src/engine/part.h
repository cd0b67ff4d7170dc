/* engine/part.h: turns the batches of one unit into finished parts and sends them on their way.
 * A part is finished in the spool (footer, fsync), then its intent is stored, then it is offered
 * to its name (D1, D2). The first part waits until it is known whether it stays the only one.
 * One thread per rv_parts. Source: spec "lifecycle" sections 1 to 3. */
#ifndef RV_ENGINE_PART_H
#define RV_ENGINE_PART_H

#include "engine/job.h"
#include "engine/names.h"
#include "engine/quality.h"

typedef struct rv_part {
    int64_t index; /* -1: the only one of its unit */
    uint64_t rows;
    rv_digests digests;
    char *spool_path; /* owned */
    const char *name; /* in the job's arena, once it is recorded (upload.h) */
} rv_part;

typedef struct rv_parts {
    rv_job *job;
    char unit[RV_UNIT_NAME_SIZE];
    rv_sums sums;      /* of the unit */
    rv_sums part_sums; /* of the open part */
    rv_writer *writer; /* NULL: no part is open */
    rv_sink stdout_sink;
    int fd;
    char *path;
    int64_t open_bytes; /* written to it */
    rv_digest digest;
    rv_quality_unit quality;
    bool gated;       /* quality judges this unit before anything is offered */
    bool defer;       /* nothing is offered before rv_parts_offer */
    rv_part *waiting; /* finished in the spool, not yet offered; the first one also waits for
                         its suffix */
    size_t n_waiting, waiting_cap;
    int64_t next_index;
    struct rv_offers *offers; /* those on their way */
    bool streamed;            /* the file that stdout was */
    uint64_t bytes;
} rv_parts;

rv_status rv_parts_init(rv_parts *p, rv_job *job, const char *unit, rv_error *err) RV_MUST_USE;
rv_status rv_parts_write(rv_parts *p, const rv_batch *batch, rv_error *err) RV_MUST_USE;
/* Reading is over: the last part is finished in the spool and the unit meets its gates.
 * `empty_file`: a part is written even without rows. */
rv_status rv_parts_close(rv_parts *p, bool empty_file, rv_error *err) RV_MUST_USE;
/* What waits is recorded and sent on its way. */
rv_status rv_parts_offer(rv_parts *p, rv_error *err) RV_MUST_USE;
/* Parts from here on are only recorded: the unit's upload failed because of `why`. */
rv_status rv_parts_withhold(rv_parts *p, const rv_error *why, rv_error *err) RV_MUST_USE;
/* Frees; what is unfinished is removed from the spool. */
void rv_parts_free(rv_parts *p);

/* Sends a part whose intent is stored (also one an earlier process left in the spool). */
/* recorded: state knew this name before, so an equal object is ours. */
rv_status rv_part_upload(rv_job *job, const rv_part_row *row, bool recorded, rv_put_outcome *out,
                         rv_error *err) RV_MUST_USE;

#endif
