/* engine/upload.h: finished parts on their way to the destination, while their unit or the next one
 * is still being read. A part gets its name and its intent from the thread that finished it (D1);
 * then it waits for one of a few upload threads. A unit is sealed and committed by its worker, when
 * all its parts have arrived. Local parts arrive at once, on the thread that finished them: a link
 * is faster than a change of threads.
 * Source: spec "lifecycle" sections 2, 3; "destinations" sections 1, 6; "source-safety" section 4.
 */
#ifndef RV_ENGINE_UPLOAD_H
#define RV_ENGINE_UPLOAD_H

#include "engine/part.h"

/* ---- the parts of one unit ---- */

/* Belongs to the thread of its unit; upload threads hold it until its last part has arrived. */
typedef struct rv_offers rv_offers;

rv_status rv_offers_open(rv_job *job, const char *unit, rv_offers **out, rv_error *err) RV_MUST_USE;
/* Records the part and sends it on its way. Takes over its spool file, also on failure. Never waits
 * for another upload. An upload that fails for good is told by rv_offers_wait; once one did, parts
 * of the unit are only recorded. */
rv_status rv_offers_add(rv_offers *o, rv_part *part, rv_error *err) RV_MUST_USE;
/* Parts from here on are only recorded: `why` is what rv_offers_wait tells. */
void rv_offers_withhold(rv_offers *o, const rv_error *why);
/* Nothing is on its way any more. */
bool rv_offers_arrived(rv_offers *o);
/* Waits for that. *out_names: of all parts, as added, in the job's arena. *out_upload: the
 * first upload that failed for good; RV_OK when all have arrived. */
rv_status rv_offers_wait(rv_offers *o, const char *const **out_names, size_t *out_n,
                         rv_error *out_upload, rv_error *err) RV_MUST_USE;
/* Waits for what travels; what does not yet is dropped. NULL is fine. */
void rv_offers_free(rv_offers *o);

/* ---- the run's upload threads ---- */

/* Units that may be on their way behind a worker that reads on; 0: each arrives before the next one
 * is read. */
size_t rv_uploads_units(const rv_job *job);
/* Between two pages, with nothing open at the source: waits while as many finished parts wait for a
 * thread as there are threads, which bounds the spool. */
rv_status rv_uploads_room(rv_job *job, rv_error *err) RV_MUST_USE;
/* Every rv_offers is freed by now. */
void rv_uploads_close(rv_job *job);

/* ---- deliver.c: one part ---- */

typedef struct rv_offer {
    rv_part part;
    rv_offers *of;
    const char *stem; /* its name was made of, in the job's arena */
    bool recorded;    /* state knew the name before this reading: an object of it is ours */
    struct rv_offer *next;
} rv_offer;

/* What state knew of the unit before its first part was recorded. */
typedef struct rv_earlier {
    rv_arena arena;
    rv_part_rows rows;
    bool known;
} rv_earlier;

/* A name that is ours to write, and the intent under it. `earlier` is filled by the first call. */
rv_status rv_offer_record(rv_job *job, const char *unit, rv_earlier *earlier, rv_offer *o,
                          rv_error *err) RV_MUST_USE;
/* Offers it to its name. A name that is somebody else's moves the stem of the run on, and the part
 * is recorded anew. */
rv_status rv_offer_carry(rv_job *job, const char *unit, rv_earlier *earlier, rv_offer *o,
                         rv_error *err) RV_MUST_USE;
/* An error that ends the run rather than leaving the part in the spool. */
bool rv_upload_passing(const rv_error *e);

#endif
