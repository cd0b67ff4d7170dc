/* destination/spool.h: finished parts waiting in a directory: names, room, clearing away. For local
 * the directory is the target's own, for stores the spool directory.
 * Pure functions over the file system; any thread. Source: spec "destinations" section 3. */
#ifndef RV_DESTINATION_SPOOL_H
#define RV_DESTINATION_SPOOL_H

#include "base/buf.h"

#define RV_TEMP_PREFIX ".rivet-tmp-"

/* Appends "dir/.rivet-tmp-{run_id}-{name}"; a name that no file can bear (too long, with a slash)
 * goes by hashes. */
rv_status rv_spool_path(const char *dir, const char *run_id, const char *name, rv_buf *out,
                        rv_error *err) RV_MUST_USE;
/* Removes the files of such names of one run directly in dir, but those in keep (absolute paths).
 * A directory that is not there holds none. Errors as base/file.h; RV_E_DEST_PERMISSION
 * names the first file that may not be removed, when all the others are gone. */
rv_status rv_spool_sweep(const char *dir, const char *run_id, const char *const *keep,
                         size_t n_keep, rv_error *err) RV_MUST_USE;
/* RV_E_DEST_NO_SPACE names dir, free and needed bytes. *out_tmpfs: the files there are memory. */
rv_status rv_spool_room(const char *dir, uint64_t need_bytes, bool *out_tmpfs,
                        rv_error *err) RV_MUST_USE;

#endif
