#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/env.h"
#include "base/fault.h"
#include "base/file_internal.h"
#include "base/hash.h"

/* True when this operation must fail; errno says how. */
static bool must_fail(void)
{
#ifdef RV_FAULTS
    if (rv_fault_io()) {
        errno = EIO;
        return true;
    }
#endif
    return false;
}

/* The directory part of path: "." when there is none. False when it is too long. */
static bool parent_of(const char *path, char out[PATH_MAX])
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    while (len > 0 && path[len - 1] != '/')
        len--;
    while (len > 1 && path[len - 1] == '/')
        len--;
    if (len >= PATH_MAX)
        return false;
    memcpy(out, len ? path : ".", len ? len : 1);
    out[len ? len : 1] = '\0';
    return true;
}

static rv_status status_of(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
        return RV_E_DEST_NO_SPACE;
    case EACCES:
    case EPERM:
    case EROFS:
        return RV_E_DEST_PERMISSION;
    default:
        return RV_E_IO;
    }
}

static rv_status fail_path(rv_error *err, int errnum, const char *what, const char *path)
{
    rv_status code = status_of(errnum);
    if (code != RV_E_DEST_NO_SPACE)
        return rv_fail_errno(err, code, errnum, "cannot %s '%s'", what, path);
    char dir[PATH_MAX];
    struct statvfs vfs;
    if (statvfs(path, &vfs) != 0 && (!parent_of(path, dir) || statvfs(dir, &vfs) != 0))
        return rv_fail_errno(err, code, errnum, "cannot %s '%s'", what, path);
    unsigned long long free_bytes = (unsigned long long)vfs.f_bavail * vfs.f_frsize;
    return rv_fail_errno(err, code, errnum, "cannot %s '%s' (%llu bytes free)", what, path,
                         free_bytes);
}

static int open_retry(const char *path, int flags, unsigned mode)
{
    int fd;
    do
        fd = must_fail() ? -1 : open(path, flags | O_CLOEXEC, (mode_t)mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

rv_status rv_file_create(const char *path, unsigned mode, int *out_fd, rv_error *err)
{
    int fd = open_retry(path, O_RDWR | O_CREAT | O_EXCL, mode);
    if (fd < 0)
        return fail_path(err, errno, "create", path);
    *out_fd = fd;
    return RV_OK;
}

rv_status rv_file_open_read(const char *path, int *out_fd, rv_error *err)
{
    int fd = open_retry(path, O_RDONLY, 0);
    if (fd < 0)
        return fail_path(err, errno, "open", path);
    *out_fd = fd;
    return RV_OK;
}

rv_status rv_file_append(const char *path, unsigned mode, int *out_fd, rv_error *err)
{
    int fd = open_retry(path, O_WRONLY | O_APPEND | O_CREAT, mode);
    if (fd < 0)
        return fail_path(err, errno, "open", path);
    *out_fd = fd;
    return RV_OK;
}

#define TEMP_NAME_SIZE 32

/* ".rivet-tmp-<16 hex>": short, so that it fits wherever the final name does. */
static rv_status temp_name(char out[TEMP_NAME_SIZE], rv_error *err)
{
    uint64_t random;
    char hex[17];
    RV_TRY(rv_env_random(&random, sizeof random, err));
    rv_hex_u64(random, hex);
    snprintf(out, TEMP_NAME_SIZE, ".rivet-tmp-%s", hex);
    return RV_OK;
}

static rv_status join_temp(const char *dir, char out[PATH_MAX], rv_error *err)
{
    char name[TEMP_NAME_SIZE];
    RV_TRY(temp_name(name, err));
    int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);
    if (n < 0 || n >= PATH_MAX)
        return fail_path(err, ENAMETOOLONG, "create a file in", dir);
    return RV_OK;
}

rv_status rv_file_scratch(const char *dir, int *out_fd, rv_error *err)
{
    int fd = open_retry(dir, O_TMPFILE | O_RDWR, 0600);
    if (fd >= 0) {
        *out_fd = fd;
        return RV_OK;
    }
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
        return fail_path(err, errno, "create a scratch file in", dir);
    /* the file system has no unnamed files */
    char path[PATH_MAX];
    RV_TRY(join_temp(dir, path, err));
    RV_TRY(rv_file_create(path, 0600, &fd, err));
    if (unlink(path) != 0) {
        rv_status st = fail_path(err, errno, "unlink", path);
        rv_file_close(fd);
        return st;
    }
    *out_fd = fd;
    return RV_OK;
}

rv_status rv_file_write(int fd, const void *data, size_t len, const char *path, rv_error *err)
{
    const uint8_t *p = data;
    while (len) {
        ssize_t n = must_fail() ? -1 : write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_path(err, n < 0 ? errno : EIO, "write", path);
        p += n;
        len -= (size_t)n;
    }
    return RV_OK;
}

/* The offset as the system wants it; lengths and offsets come from files. */
static bool offset_fits(uint64_t off, size_t len)
{
    return off <= INT64_MAX && len <= (uint64_t)INT64_MAX - off;
}

rv_status rv_file_pwrite(int fd, const void *data, size_t len, uint64_t off, const char *path,
                         rv_error *err)
{
    const uint8_t *p = data;
    if (!offset_fits(off, len))
        return fail_path(err, EFBIG, "write", path);
    while (len) {
        ssize_t n = must_fail() ? -1 : pwrite(fd, p, len, (off_t)off);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_path(err, n < 0 ? errno : EIO, "write", path);
        p += n;
        len -= (size_t)n;
        off += (uint64_t)n;
    }
    return RV_OK;
}

rv_status rv_file_pread(int fd, void *data, size_t len, uint64_t off, const char *path,
                        rv_error *err)
{
    uint8_t *p = data;
    if (!offset_fits(off, len))
        return rv_fail(err, RV_E_CORRUPT, "'%s' ends before byte %llu", path,
                       (unsigned long long)off);
    while (len) {
        ssize_t n = must_fail() ? -1 : pread(fd, p, len, (off_t)off);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_path(err, errno, "read", path);
        if (n == 0)
            return rv_fail(err, RV_E_CORRUPT, "'%s' ends at byte %llu, %zu bytes too early", path,
                           (unsigned long long)off, len);
        p += n;
        len -= (size_t)n;
        off += (uint64_t)n;
    }
    return RV_OK;
}

static int sync_retry(int fd)
{
    int r;
    do
        r = must_fail() ? -1 : fsync(fd);
    while (r != 0 && errno == EINTR);
    return r;
}

rv_status rv_file_sync(int fd, const char *path, rv_error *err)
{
    return sync_retry(fd) == 0 ? RV_OK : fail_path(err, errno, "sync", path);
}

rv_status rv_file_sync_dir(const char *dir, rv_error *err)
{
    int fd = open_retry(dir, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return fail_path(err, errno, "open the directory", dir);
    rv_status st = RV_OK;
    /* EINVAL: this file system keeps no directory to sync */
    if (sync_retry(fd) != 0 && errno != EINVAL)
        st = fail_path(err, errno, "sync the directory", dir);
    rv_file_close(fd);
    return st;
}

static rv_status sync_parent(const char *path, rv_error *err)
{
    char dir[PATH_MAX];
    if (!parent_of(path, dir))
        return fail_path(err, ENAMETOOLONG, "open the directory of", path);
    return rv_file_sync_dir(dir, err);
}

static bool is_missing(int errnum)
{
    return errnum == ENOENT || errnum == ENOTDIR;
}

rv_status rv_file_size(const char *path, uint64_t *out, bool *out_found, rv_error *err)
{
    struct stat sb;
    if (must_fail() || stat(path, &sb) != 0) {
        if (!is_missing(errno))
            return fail_path(err, errno, "inspect", path);
        *out_found = false;
        return RV_OK;
    }
    *out = sb.st_size > 0 ? (uint64_t)sb.st_size : 0;
    *out_found = true;
    return RV_OK;
}

/* Appends the rest of fd to out, at most max bytes. */
static rv_status read_rest(int fd, const char *path, size_t max, rv_buf *out, rv_error *err)
{
    size_t total = 0;
    for (;;) {
        RV_TRY(rv_buf_reserve(out, 4096, err));
        ssize_t n = must_fail() ? -1 : read(fd, out->ptr + out->len, out->cap - out->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_path(err, errno, "read", path);
        if (n == 0)
            return RV_OK;
        out->len += (size_t)n;
        total += (size_t)n;
        if (total > max)
            return rv_fail(err, RV_E_CORRUPT, "'%s' is larger than %zu bytes", path, max);
    }
}

rv_status rv_file_read_all(const char *path, size_t max, rv_buf *out, bool *out_found,
                           rv_error *err)
{
    int fd = open_retry(path, O_RDONLY, 0);
    if (fd < 0) {
        if (!is_missing(errno))
            return fail_path(err, errno, "open", path);
        *out_found = false;
        return RV_OK;
    }
    size_t before = out->len;
    rv_status st = read_rest(fd, path, max, out, err);
    rv_file_close(fd);
    if (st != RV_OK) {
        out->len = before;
        return st;
    }
    *out_found = true;
    return RV_OK;
}

static rv_status write_and_sync(int fd, const char *path, rv_bytes data, rv_error *err)
{
    RV_TRY(rv_file_write(fd, data.ptr, data.len, path, err));
    return rv_file_sync(fd, path, err);
}

rv_status rv_file_replace(const char *path, rv_bytes data, unsigned mode, rv_error *err)
{
    char dir[PATH_MAX], temp[PATH_MAX];
    int fd = -1;
    if (!parent_of(path, dir))
        return fail_path(err, ENAMETOOLONG, "write", path);
    RV_TRY(join_temp(dir, temp, err));
    RV_TRY(rv_file_create(temp, mode, &fd, err));
    rv_status st = write_and_sync(fd, temp, data, err);
    rv_file_close(fd);
    if (st == RV_OK)
        st = rv_file_rename(temp, path, err);
    if (st != RV_OK) {
        (void)unlink(temp);
        return rv_wrap(err, st, "cannot write '%s'", path);
    }
    return rv_file_sync_dir(dir, err);
}

/* What link() says where hard links do not exist (or are forbidden). */
static bool is_unsupported(int errnum)
{
    return errnum == EPERM || errnum == EOPNOTSUPP || errnum == ENOSYS || errnum == EINVAL ||
           errnum == EMLINK || errnum == EXDEV;
}

rv_status rv_file_rename_new(const char *from, const char *to, bool *out_exists,
                             bool *out_supported, rv_error *err)
{
    int r = must_fail() ? -1 : renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
    if (r != 0 && errno != EEXIST && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return fail_path(err, errno, "create", to);
    *out_supported = r == 0 || errno == EEXIST;
    *out_exists = r != 0 && errno == EEXIST;
    return RV_OK;
}

rv_status rv_file_check_rename(const char *from, const char *to, bool *out_exists, rv_error *err)
{
    struct stat sb;
    int r = must_fail() ? -1 : lstat(to, &sb);
    if (r != 0 && errno != ENOENT)
        return fail_path(err, errno, "inspect", to);
    if (r != 0)
        RV_TRY(rv_file_rename(from, to, err));
    *out_exists = r == 0;
    return RV_OK;
}

rv_status rv_file_link_new(const char *from, const char *to, bool *out_exists, rv_error *err)
{
    int r = must_fail() ? -1 : link(from, to);
    if (r == 0 || errno == EEXIST) {
        *out_exists = r != 0;
        return RV_OK;
    }
    if (!is_unsupported(errno))
        return fail_path(err, errno, "create", to);
    bool supported = false, exists = false;
    RV_TRY(rv_file_rename_new(from, to, &exists, &supported, err));
    if (!supported)
        RV_TRY(rv_file_check_rename(from, to, &exists, err));
    *out_exists = exists;
    return RV_OK;
}

rv_status rv_file_remove(const char *path, bool *out_found, rv_error *err)
{
    if (must_fail() || unlink(path) != 0) {
        if (!is_missing(errno))
            return fail_path(err, errno, "remove", path);
        *out_found = false;
        return RV_OK;
    }
    *out_found = true;
    return RV_OK;
}

rv_status rv_file_rename(const char *from, const char *to, rv_error *err)
{
    if (must_fail() || rename(from, to) != 0)
        return rv_fail_errno(err, status_of(errno), errno, "cannot rename '%s' to '%s'", from, to);
    return RV_OK;
}

/* Makes one directory whose parent exists; an existing one is fine. */
static rv_status make_dir(const char *dir, unsigned mode, rv_error *err)
{
    if (!must_fail() && mkdir(dir, (mode_t)mode) == 0)
        return sync_parent(dir, err);
    int errnum = errno;
    struct stat sb;
    if (stat(dir, &sb) == 0 && S_ISDIR(sb.st_mode) && errnum != EIO)
        return RV_OK;
    return fail_path(err, errnum == EEXIST ? ENOTDIR : errnum, "create the directory", dir);
}

rv_status rv_file_mkdirs(const char *dir, unsigned mode, rv_error *err)
{
    char path[PATH_MAX];
    size_t len = strlen(dir);
    if (len == 0 || len >= sizeof path)
        return fail_path(err, len ? ENAMETOOLONG : ENOENT, "create the directory", dir);
    memcpy(path, dir, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        path[i] = '\0';
        RV_TRY(make_dir(path, mode, err));
        path[i] = i < len ? '/' : '\0';
    }
    return RV_OK;
}

void rv_file_close(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

const char *rv_errno_name(int errnum)
{
    const char *name = strerrorname_np(errnum);
    if (name)
        return name;
    /* the two numbers Linux never gave out; anything else is no errno at all */
    return errnum == 41 ? "E41" : errnum == 58 ? "E58" : "E?";
}
