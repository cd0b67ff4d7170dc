/* engine/quality.h: the gates of `quality:` over a run. Counts come from the sums of units; of the
 * values of unique columns only 64-bit hashes are kept, in sets that all workers share.
 *
 * A unit stages what it finds and merges it when its reading has succeeded, so that a reading begun
 * again counts once. Runs of one unit are judged there, before anything is offered to the
 * destination; chunks and key ranges when the last one is merged, or as soon as a rule can no
 * longer be kept.
 * Threads: one rv_quality for all workers; an rv_quality_unit belongs to one.
 * Source: spec "config" section 8, "lifecycle" section 12. */
#ifndef RV_ENGINE_QUALITY_H
#define RV_ENGINE_QUALITY_H

#include "column/canonical.h"
#include "engine/hashset.h"
#include "engine/job.h"

typedef struct rv_quality rv_quality;

typedef struct rv_distinct { /* values of one column met so far */
    rv_hashset set;
    uint64_t repeated; /* values met again */
    bool off;          /* no longer checked */
} rv_distinct;

typedef struct rv_quality_unit { /* one reading of one unit; zero: no gates are written */
    rv_quality *quality;
    rv_distinct *staged; /* per unique column; NULL: straight into the run's, of one unit */
    size_t n_unique;
    rv_cell *elements; /* of the list being hashed */
    size_t elements_cap;
    rv_buf scratch;
} rv_quality_unit;

/* Binds the rules to job->schema; NULL in *out without `quality:`. A rule that names no column of
 * the result fails here, before row one: RV_E_QUALITY, logged. */
rv_status rv_quality_open(rv_job *job, rv_quality **out, rv_error *err) RV_MUST_USE;
void rv_quality_close(rv_quality *q);

rv_status rv_quality_begin(rv_job *job, rv_quality_unit *out, rv_error *err) RV_MUST_USE;
rv_status rv_quality_add(rv_quality_unit *u, const rv_batch *batch, rv_error *err) RV_MUST_USE;
/* The reading succeeded. RV_E_QUALITY: a gate failed; every failing rule is logged and journalled,
 * and the lines below the first of the error name them. */
rv_status rv_quality_merge(rv_quality_unit *u, const rv_sums *sums, rv_error *err) RV_MUST_USE;
/* Frees; what was not merged is forgotten. */
void rv_quality_end(rv_quality_unit *u);

/* A continued run keeps this unit: its counts come from the seal, its hashes from its parts at the
 * destination. Parts that cannot be read leave their columns unchecked, with a WARN. */
rv_status rv_quality_adopt(rv_job *job, const rv_unit_row *unit, rv_error *err) RV_MUST_USE;

/* Step 10: the totals of the run; sets report->quality_passed. */
rv_status rv_quality_judge(rv_job *job, const rv_sums *total, rv_error *err) RV_MUST_USE;
/* The same over the units that state knows (finish.c). */
rv_status rv_run_gates(rv_job *job, rv_error *err) RV_MUST_USE;

#endif
