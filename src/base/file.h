/* base/file.h: the one door to file I/O; test builds can fail its nth call.
 * Descriptors are O_CLOEXEC. Short reads and EINTR are handled. Errors are RV_E_IO unless
 * said, ENOSPC/EDQUOT RV_E_DEST_NO_SPACE, EACCES/EPERM/EROFS RV_E_DEST_PERMISSION; native
 * holds the errno name, the text names the path. */
#ifndef RV_BASE_FILE_H
#define RV_BASE_FILE_H

#include "base/buf.h"

rv_status rv_file_create(const char *path, unsigned mode, int *out_fd,
                         rv_error *err) RV_MUST_USE; /* O_EXCL */
rv_status rv_file_open_read(const char *path, int *out_fd, rv_error *err) RV_MUST_USE;
rv_status rv_file_append(const char *path, unsigned mode, int *out_fd,
                         rv_error *err) RV_MUST_USE; /* O_APPEND|O_CREAT */
/* An unlinked scratch file in dir, 0600. */
rv_status rv_file_scratch(const char *dir, int *out_fd, rv_error *err) RV_MUST_USE;
rv_status rv_file_write(int fd, const void *data, size_t len, const char *path,
                        rv_error *err) RV_MUST_USE;
rv_status rv_file_pwrite(int fd, const void *data, size_t len, uint64_t off, const char *path,
                         rv_error *err) RV_MUST_USE;
/* Exactly len bytes; a premature end is RV_E_CORRUPT. */
rv_status rv_file_pread(int fd, void *data, size_t len, uint64_t off, const char *path,
                        rv_error *err) RV_MUST_USE;
rv_status rv_file_sync(int fd, const char *path, rv_error *err) RV_MUST_USE;
rv_status rv_file_sync_dir(const char *dir, rv_error *err) RV_MUST_USE;
rv_status rv_file_size(const char *path, uint64_t *out, bool *out_found, rv_error *err) RV_MUST_USE;
/* Whole file; refuses above max bytes (RV_E_CORRUPT). *out_found false: no such file, RV_OK. */
rv_status rv_file_read_all(const char *path, size_t max, rv_buf *out, bool *out_found,
                           rv_error *err) RV_MUST_USE;
/* Temp file beside, fsync, rename over, fsync the directory. */
rv_status rv_file_replace(const char *path, rv_bytes data, unsigned mode,
                          rv_error *err) RV_MUST_USE;
/* Hard link that fails when `to` exists: *out_exists. Falls back as spec "destinations" 3 says. */
rv_status rv_file_link_new(const char *from, const char *to, bool *out_exists,
                           rv_error *err) RV_MUST_USE;
rv_status rv_file_remove(const char *path, bool *out_found, rv_error *err) RV_MUST_USE;
rv_status rv_file_rename(const char *from, const char *to, rv_error *err) RV_MUST_USE;
/* Creates every missing directory and fsyncs each new one's parent. */
rv_status rv_file_mkdirs(const char *dir, unsigned mode, rv_error *err) RV_MUST_USE;
void rv_file_close(int fd);            /* negative: nothing */
const char *rv_errno_name(int errnum); /* "ENOSPC", or "E<number>" for unknown, static */

#endif
