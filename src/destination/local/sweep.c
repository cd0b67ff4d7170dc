#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "destination/local/local_internal.h"

/* The two forms that a spool file's name takes; another run's never match, ids end differently. */
static bool belongs(const char *name, const char *run_id)
{
    char hashed[17];
    size_t len = strlen(RV_TEMP_PREFIX), id = strlen(run_id);
    if (id == 0 || strncmp(name, RV_TEMP_PREFIX, len) != 0)
        return false;
    name += len;
    rv_hex_u64(rv_xxh3(run_id, id), hashed);
    return (strncmp(name, run_id, id) == 0 && name[id] == '-') ||
           (strncmp(name, hashed, 16) == 0 && name[16] == '-');
}

static bool kept(const char *path, const char *const *keep, size_t n_keep)
{
    for (size_t i = 0; i < n_keep; i++)
        if (strcmp(path, keep[i]) == 0)
            return true;
    return false;
}

rv_status rv_local_sweep(rv_dest *d, const char *run_id, const char *const *keep, size_t n_keep,
                         rv_error *err)
{
    rv_status st = RV_OK;
    DIR *handle = opendir(d->root);
    if (!handle && errno != ENOENT && errno != ENOTDIR)
        st = rv_fail_errno(err, errno == EACCES ? RV_E_DEST_PERMISSION : RV_E_IO, errno,
                           "cannot list '%s'", d->root);
    while (handle && st == RV_OK) {
        char path[PATH_MAX];
        bool found;
        const struct dirent *entry = readdir(handle);
        if (!entry)
            break;
        if (!belongs(entry->d_name, run_id))
            continue;
        st = rv_local_path(d, entry->d_name, path, err);
        if (st == RV_OK && !kept(path, keep, n_keep))
            st = rv_file_remove(path, &found, err);
    }
    if (handle)
        (void)closedir(handle);
    return st == RV_OK ? RV_OK : rv_local_fail(err, st, d->root);
}
