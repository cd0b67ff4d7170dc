/* engine/part.h: turns the batches of one unit into finished parts and delivers them.
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
    const char *name; /* set by delivery; in the job's arena */
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
    rv_digest digest;
    rv_error upload_error; /* the first upload that failed for good; later parts only spool */
    rv_quality_unit quality;
    bool gated;       /* quality judges this unit before anything is offered */
    bool defer;       /* nothing is delivered before rv_parts_deliver */
    rv_part *waiting; /* finished in the spool, not yet offered; the first one also waits for
                         its suffix */
    size_t n_waiting, waiting_cap;
    int64_t next_index;
    size_t delivered;
    const char **names; /* of delivered parts, in the job's arena */
    size_t names_cap;
    uint64_t bytes;
    rv_arena earlier_arena;
    rv_part_rows earlier; /* what state knew of this unit before its first delivery */
    bool earlier_known;
} rv_parts;

rv_status rv_parts_init(rv_parts *p, rv_job *job, const char *unit, rv_error *err) RV_MUST_USE;
rv_status rv_parts_write(rv_parts *p, const rv_batch *batch, rv_error *err) RV_MUST_USE;
/* Reading is over: the last part is finished in the spool and the unit meets its gates.
 * `empty_file`: a part is written even without rows. */
rv_status rv_parts_close(rv_parts *p, bool empty_file, rv_error *err) RV_MUST_USE;
/* Offers what waits. Ends the unit. */
rv_status rv_parts_deliver(rv_parts *p, rv_error *err) RV_MUST_USE;
/* Frees; what is unfinished is removed from the spool. */
void rv_parts_free(rv_parts *p);

/* Offers a finished part under its name: intent, put, uploaded. A foreign name moves the stem of
 * the run on for every name not yet recorded. part->name is set. An upload that fails for good
 * lands in p->upload_error, not in the return, so that reading goes on and the unit can be sealed;
 * once set, parts only get their intent. */
rv_status rv_part_deliver(rv_parts *p, rv_part *part, rv_error *err) RV_MUST_USE;
/* Sends a part whose intent is stored (also one an earlier process left in the spool). */
/* recorded: state knew this name before, so an equal object is ours. */
rv_status rv_part_upload(rv_job *job, const rv_part_row *row, bool recorded, rv_put_outcome *out,
                         rv_error *err) RV_MUST_USE;

#endif
