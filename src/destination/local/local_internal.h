/* destination/local/local_internal.h: what the files of the local driver share. */
#ifndef RV_DESTINATION_LOCAL_INTERNAL_H
#define RV_DESTINATION_LOCAL_INTERNAL_H

#include <limits.h>

#include "destination/destination.h"
#include "destination/spool.h"

struct rv_dest {
    char root[PATH_MAX]; /* absolute directory, no slash at the end (but "/" itself) */
    char *uri;
    char *written; /* the path as the configuration has it */
    unsigned file_mode;
};

/* Absolute path of a key; RV_E_DEST_IO for one that leaves the directory. */
rv_status rv_local_path(const rv_dest *d, const char *key, char out[PATH_MAX],
                        rv_error *err) RV_MUST_USE;
/* The directory part of an absolute path. */
void rv_local_parent(const char *path, char out[PATH_MAX]);
/* Codes of base/file.h as the destination's, with what to do about them. Other failures (a guard's)
 * pass unchanged. */
rv_status rv_local_fail(rv_error *err, rv_status st, const char *path);

typedef enum rv_local_kind { RV_LOCAL_MISSING, RV_LOCAL_FILE, RV_LOCAL_OTHER } rv_local_kind;
typedef struct rv_local_info {
    rv_local_kind kind;
    uint64_t size_bytes;
    char version[RV_VERSION_SIZE];
} rv_local_info;
/* Never follows a link at the end of the path. */
rv_status rv_local_info_get(const char *path, rv_local_info *out, rv_error *err) RV_MUST_USE;
/* Reads the file through: size and fingerprint as given? */
rv_status rv_local_same(const char *path, const rv_local_info *info, uint64_t size_bytes,
                        const char *fingerprint, bool *out, rv_error *err) RV_MUST_USE;

rv_status rv_local_put(rv_dest *d, const rv_put_spec *spec, rv_put_outcome *out, rv_error *err);

#endif
