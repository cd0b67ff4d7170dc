#include "destination/spool.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "base/file.h"
#include "base/hash.h"

#define TMPFS_TYPE 0x01021994L
#define RAMFS_TYPE 0x858458f6L

rv_status rv_spool_path(const char *dir, const char *run_id, const char *name, rv_buf *out,
                        rv_error *err)
{
    const char *slash = strcmp(dir, "/") == 0 ? "" : "/";
    size_t len = strlen(RV_TEMP_PREFIX) + strlen(run_id) + 1 + strlen(name);
    if (len <= NAME_MAX && !strchr(name, '/'))
        return rv_buf_printf(out, err, "%s%s" RV_TEMP_PREFIX "%s-%s", dir, slash, run_id, name);
    return rv_buf_printf(out, err, "%s%s" RV_TEMP_PREFIX "%016llx-%016llx", dir, slash,
                         (unsigned long long)rv_xxh3(run_id, strlen(run_id)),
                         (unsigned long long)rv_xxh3(name, strlen(name)));
}

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

/* In a sticky directory another user's file stays; the others go all the same. */
static rv_status remove_or_note(const char *path, rv_error *denied, rv_error *err)
{
    bool found;
    rv_error local = {.code = RV_OK};
    rv_status st = rv_file_remove(path, &found, &local);
    if (st == RV_E_DEST_PERMISSION) {
        if (denied->code == RV_OK)
            *denied = local;
        return RV_OK;
    }
    if (st != RV_OK && err)
        *err = local;
    return st;
}

rv_status rv_spool_sweep(const char *dir, const char *run_id, const char *const *keep,
                         size_t n_keep, rv_error *err)
{
    rv_status st = RV_OK;
    rv_error denied = {.code = RV_OK};
    DIR *handle = opendir(dir);
    if (!handle && errno != ENOENT && errno != ENOTDIR)
        return rv_fail_errno(err, errno == EACCES ? RV_E_DEST_PERMISSION : RV_E_IO, errno,
                             "cannot list '%s'", dir);
    while (handle && st == RV_OK) {
        char path[PATH_MAX];
        const struct dirent *entry = readdir(handle);
        if (!entry)
            break;
        if (!belongs(entry->d_name, run_id))
            continue;
        int n = snprintf(path, sizeof path, "%s%s%s", dir, strcmp(dir, "/") == 0 ? "" : "/",
                         entry->d_name);
        if (n < 0 || (size_t)n >= sizeof path)
            st = rv_fail(err, RV_E_IO, "the path of '%s' in '%s' is too long", entry->d_name, dir);
        else if (!kept(path, keep, n_keep))
            st = remove_or_note(path, &denied, err);
    }
    if (handle)
        (void)closedir(handle);
    if (st == RV_OK && denied.code != RV_OK) {
        st = denied.code;
        if (err)
            *err = denied;
    }
    return st;
}

rv_status rv_spool_room(const char *dir, uint64_t need_bytes, bool *out_tmpfs, rv_error *err)
{
    struct statvfs vfs;
    struct statfs fs;
    if (statvfs(dir, &vfs) != 0 || statfs(dir, &fs) != 0)
        return rv_fail_errno(err, RV_E_DEST_IO, errno, "cannot inspect the file system of '%s'",
                             dir);
    uint64_t free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
    if (free_bytes < need_bytes) {
        (void)rv_fail(err, RV_E_DEST_NO_SPACE, "'%s' has %llu bytes free, %llu are needed", dir,
                      (unsigned long long)free_bytes, (unsigned long long)need_bytes);
        rv_hint(err, "free space on that file system, choose another path, or lower max_file_size");
        return RV_E_DEST_NO_SPACE;
    }
    *out_tmpfs = (long)fs.f_type == TMPFS_TYPE || (long)fs.f_type == RAMFS_TYPE;
    return RV_OK;
}
