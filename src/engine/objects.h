/* engine/objects.h: small helpers over a destination. */
#ifndef RV_ENGINE_OBJECTS_H
#define RV_ENGINE_OBJECTS_H

#include "destination/destination.h"
#include "format/verify.h"
#include "state/state.h"

/* A whole object of at most `max` bytes (more: RV_E_CORRUPT). */
rv_status rv_object_read_all(const rv_dest_driver *dd, rv_dest *dest, const char *key, size_t max,
                             rv_buf *out, bool *out_found, rv_error *err) RV_MUST_USE;
/* As the driver's stat; *out_known false: it may not be looked at (spec "destinations" section 9).
 */
rv_status rv_object_look(const rv_dest_driver *dd, rv_dest *dest, const char *key, rv_object *out,
                         bool *out_found, bool *out_known, rv_error *err) RV_MUST_USE;
/* What an earlier process left open of a part. One that died before it could record the upload's id
 * left it without: then whatever is open under the part's name goes. */
rv_status rv_part_abort_left(const rv_dest_driver *dd, rv_dest *dest, const rv_part_row *row,
                             rv_error *err) RV_MUST_USE;
/* An object as random-access input; both borrowed while it is used. */
typedef struct rv_object_reader {
    const rv_dest_driver *dd;
    rv_dest *dest;
    const char *key;
} rv_object_reader;
rv_readable rv_object_readable(rv_object_reader *r, uint64_t size_bytes);
/* Size, MD5 and fingerprint of the whole object, streamed. */
rv_status rv_object_digest(const rv_dest_driver *dd, rv_dest *dest, const char *key,
                           rv_cancel *cancel, rv_digests *out, rv_error *err) RV_MUST_USE;

#endif
