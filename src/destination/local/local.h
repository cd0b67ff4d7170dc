/* destination/local/local.h: what the local destination offers beyond its driver.
 * Source: spec "destinations" section 3 (each start deletes the temp files of its own run id and
 * of runs its state knows to be closed). */
#ifndef RV_DESTINATION_LOCAL_LOCAL_H
#define RV_DESTINATION_LOCAL_LOCAL_H

#include "destination/destination.h"

typedef struct rv_local_sweep {
    /* The run whose spool files `.rivet-tmp-{run_id}-*` go, or the owner token of one, for what
     * its puts from memory left. Nobody else's file is touched. */
    const char *run_id;
    /* Asked with the absolute path of each; true spares it. May be NULL. */
    bool (*keep)(void *ctx, const char *path);
    void *ctx;
} rv_local_sweep;

/* Removes temp files directly in the destination's directory; a missing directory has none.
 * `d` must be of rv_dest_local. */
rv_status rv_dest_local_sweep(rv_dest *d, const rv_local_sweep *sweep, size_t *out_removed,
                              rv_error *err) RV_MUST_USE;

#endif
