#include "destination/local/local.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "destination/local/local_internal.h"

/* The two forms rv_local_spool_path gives a temp name. */
static bool belongs(const char *name, const char *run_id)
{
    char hashed[17];
    size_t len = strlen(RV_TEMP_PREFIX), id = strlen(run_id);
    if (strncmp(name, RV_TEMP_PREFIX, len) != 0)
        return false;
    name += len;
    rv_hex_u64(rv_xxh3(run_id, id), hashed);
    return (strncmp(name, run_id, id) == 0 && name[id] == '-') ||
           (strncmp(name, hashed, 16) == 0 && name[16] == '-');
}

static rv_status sweep_one(const rv_dest *d, const rv_local_sweep *sweep, const char *name,
                           size_t *removed, rv_error *err)
{
    char path[PATH_MAX];
    bool found;
    if (!belongs(name, sweep->run_id))
        return RV_OK;
    RV_TRY(rv_local_path(d, name, path, err));
    if (sweep->keep && sweep->keep(sweep->ctx, path))
        return RV_OK;
    RV_TRY(rv_file_remove(path, &found, err));
    *removed += found;
    return RV_OK;
}

rv_status rv_dest_local_sweep(rv_dest *d, const rv_local_sweep *sweep, size_t *out_removed,
                              rv_error *err)
{
    size_t removed = 0;
    rv_status st = RV_OK;
    DIR *handle = sweep->run_id[0] ? opendir(d->root) : NULL;
    if (!handle && sweep->run_id[0] && errno != ENOENT && errno != ENOTDIR)
        st = rv_fail_errno(err, RV_E_DEST_IO, errno, "cannot list '%s'", d->root);
    while (handle && st == RV_OK) {
        const struct dirent *entry = readdir(handle);
        if (!entry)
            break;
        st = sweep_one(d, sweep, entry->d_name, &removed, err);
    }
    if (handle)
        (void)closedir(handle);
    if (st != RV_OK)
        return rv_local_fail(err, st, d->root);
    *out_removed = removed;
    return RV_OK;
}
