#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "destination/local/local_internal.h"

rv_status rv_local_path(const rv_dest *d, const char *key, char out[PATH_MAX], rv_error *err)
{
    if (!rv_dest_key_valid(key))
        return rv_fail(err, RV_E_DEST_IO, "'%s' is no name inside '%s'", key, d->root);
    const char *slash = strcmp(d->root, "/") == 0 ? "" : "/";
    int n = snprintf(out, PATH_MAX, "%s%s%s", d->root, slash, key);
    if (n < 0 || n >= PATH_MAX)
        return rv_fail(err, RV_E_DEST_IO, "the path of '%s' in '%s' is too long", key, d->root);
    return RV_OK;
}

void rv_local_parent(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    if (len == 0)
        len = 1; /* the root directory */
    memcpy(out, path, len);
    out[len] = '\0';
}

rv_status rv_local_fail(rv_error *err, rv_status st, const char *path)
{
    switch ((int)st) {
    case RV_E_IO:
        return rv_wrap(err, RV_E_DEST_IO, "cannot use the destination '%s'", path);
    case RV_E_DEST_PERMISSION:
        st = rv_wrap(err, st, "the destination '%s' denies access", path);
        rv_hint(err, "give this user write access to that directory, or choose another path");
        return st;
    case RV_E_DEST_NO_SPACE:
        st = rv_wrap(err, st, "no space left for '%s'", path);
        rv_hint(err, "free space on that file system, or choose another path");
        return st;
    default:
        return st;
    }
}

rv_status rv_local_info_get(const char *path, rv_local_info *out, rv_error *err)
{
    struct stat sb;
    *out = (rv_local_info){.kind = RV_LOCAL_MISSING};
    if (lstat(path, &sb) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return RV_OK;
        rv_status code = errno == EACCES ? RV_E_DEST_PERMISSION : RV_E_IO;
        return rv_fail_errno(err, code, errno, "cannot inspect '%s'", path);
    }
    out->kind = S_ISREG(sb.st_mode) ? RV_LOCAL_FILE : RV_LOCAL_OTHER;
    out->size_bytes = sb.st_size > 0 ? (uint64_t)sb.st_size : 0;
    snprintf(out->version, sizeof out->version, "%llu-%lld.%09ld-%llu",
             (unsigned long long)out->size_bytes, (long long)sb.st_mtim.tv_sec, sb.st_mtim.tv_nsec,
             (unsigned long long)sb.st_ino);
    return RV_OK;
}

#define BLOCK ((size_t)256 * 1024)

static rv_status digest_file(int fd, const char *path, uint64_t size, rv_digests *out,
                             rv_error *err)
{
    rv_digest digest = {0};
    rv_status st = RV_OK;
    uint8_t *block = rv_alloc(BLOCK);
    bool ready = rv_digest_init(&digest);
    if (!block || !ready)
        RV_GO(rv_fail_memory(err));
    for (uint64_t at = 0; at < size;) {
        size_t len = size - at < BLOCK ? (size_t)(size - at) : BLOCK;
        RV_GO(rv_file_pread(fd, block, len, at, path, err));
        rv_digest_update(&digest, block, len);
        at += len;
    }
    rv_digest_final(&digest, out);
done:
    if (ready)
        rv_digest_free(&digest);
    rv_free(block);
    return st;
}

rv_status rv_local_same(const char *path, const rv_local_info *info, uint64_t size_bytes,
                        const char *fingerprint, bool *out, rv_error *err)
{
    rv_digests found;
    int fd;
    *out = false;
    if (info->kind != RV_LOCAL_FILE || !fingerprint || info->size_bytes != size_bytes)
        return RV_OK;
    RV_TRY(rv_file_open_read(path, &fd, err));
    rv_status st = digest_file(fd, path, size_bytes, &found, err);
    rv_file_close(fd);
    if (st == RV_E_CORRUPT) /* it shrank while it was read: not the file recorded */
        return RV_OK;
    if (st == RV_OK)
        *out = strcmp(found.fingerprint, fingerprint) == 0;
    return st;
}
