#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "engine/check_internal.h"

/* The nearest directory that exists must be writable; nothing is created. */
static rv_status preflight_local(const char *path, rv_arena *a, rv_error *err)
{
    const char *at;
    RV_TRY(rv_arena_cstr(a, rv_str_c(path), &at, err));
    size_t len = strlen(at);
    while (access(at, F_OK) != 0 && errno == ENOENT) {
        while (len > 0 && at[len - 1] == '/')
            len--;
        while (len > 0 && at[len - 1] != '/')
            len--;
        if (len == 0) {
            at = ".";
            break;
        }
        RV_TRY(rv_arena_cstr(a, (rv_str){at, len}, &at, err));
    }
    if (access(at, W_OK | X_OK) == 0)
        return RV_OK;
    rv_status code = errno == EACCES || errno == EROFS ? RV_E_DEST_PERMISSION : RV_E_DEST_IO;
    rv_status st = rv_fail_errno(err, code, errno, "destination '%s' is not writable", path);
    rv_hint(err, "give this user write access to '%s', or choose another path", at);
    return st;
}

/* Credentials, bucket, region and TLS, by reading a name that nobody needs to have: a look alone is
 * answered without a reason. That it is not there, or may not be read, is an answer to somebody who
 * is known. Whether anything may be written, only doctor tries. */
static rv_status preflight_store(rv_job *job, rv_error *err)
{
    uint8_t byte;
    size_t got;
    rv_error why = {0};
    rv_status st = job->dd->read(job->dest, ".rivet_doctor_probe", 0, &byte, 1, &got, &why);
    if (st == RV_OK || st == RV_E_DEST_PERMISSION || st == RV_E_DEST_IO)
        return RV_OK;
    *err = why;
    return st;
}

rv_status rv_check_destination(rv_job *job, rv_error *err)
{
    if (job->to_stdout)
        return RV_OK;
    return job->x->dest.kind == RV_DEST_LOCAL ? preflight_local(job->prefix, &job->arena, err)
                                              : preflight_store(job, err);
}
