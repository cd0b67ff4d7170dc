#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "destination/destination.h"
#include "destination/stdout/stdout.h"

/* One byte stream: no names, nothing to look up, replace or resume. */
struct rv_dest {
    bool started; /* a stream was handed out */
};

static rv_status stdout_open(const rv_env *env, const rv_cfg_dest *cfg, const char *prefix,
                             rv_dest **out, rv_error *err)
{
    (void)env;
    (void)cfg;
    (void)prefix;
    rv_dest *d = rv_calloc(1, sizeof *d);
    if (!d)
        return rv_fail_memory(err);
    *out = d;
    return RV_OK;
}

static void stdout_close(rv_dest *d)
{
    rv_free(d);
}

static const char *stdout_uri(const rv_dest *d)
{
    (void)d;
    return "stdout";
}

static void stdout_facts(const rv_dest *d, const char **endpoint, const char **root)
{
    (void)d;
    *endpoint = "";
    *root = "";
}

static rv_status stdout_prepare(rv_dest *d, uint64_t need_bytes, bool *out_tmpfs, rv_error *err)
{
    (void)d;
    (void)need_bytes;
    (void)err;
    *out_tmpfs = false;
    return RV_OK;
}

static rv_status no_objects(rv_error *err)
{
    return rv_fail(err, RV_E_INTERNAL, "stdout holds no objects");
}

static rv_status stdout_spool_path(rv_dest *d, const char *run_id, const char *key, rv_buf *out,
                                   rv_error *err)
{
    (void)d;
    (void)run_id;
    (void)key;
    (void)out;
    return no_objects(err);
}

static rv_status stdout_sweep(rv_dest *d, const char *run_id, const char *const *keep,
                              size_t n_keep, rv_error *err)
{
    (void)d;
    (void)run_id;
    (void)keep;
    (void)n_keep;
    (void)err;
    return RV_OK; /* nothing is spooled */
}

static rv_status stdout_put(rv_dest *d, const rv_put_spec *spec, rv_put_outcome *out, rv_error *err)
{
    (void)d;
    (void)spec;
    (void)out;
    return no_objects(err);
}

static rv_status stdout_stat(rv_dest *d, const char *key, rv_object *out, bool *out_found,
                             rv_error *err)
{
    (void)d;
    (void)key;
    (void)out;
    (void)err;
    *out_found = false;
    return RV_OK;
}

static rv_status stdout_read(rv_dest *d, const char *key, uint64_t offset, uint8_t *out, size_t len,
                             size_t *out_len, rv_error *err)
{
    (void)d;
    (void)key;
    (void)offset;
    (void)out;
    (void)len;
    (void)out_len;
    return no_objects(err);
}

static rv_status stdout_list(rv_dest *d, const char *dir, rv_object_list *out, rv_error *err)
{
    (void)d;
    (void)dir;
    (void)err;
    *out = (rv_object_list){0};
    return RV_OK;
}

static rv_status stdout_remove(rv_dest *d, const char *key, const char *owner_token,
                               const char *known_fingerprint, uint64_t known_size_bytes,
                               rv_remove_outcome *out, rv_error *err)
{
    (void)d;
    (void)key;
    (void)owner_token;
    (void)known_fingerprint;
    (void)known_size_bytes;
    (void)err;
    *out = RV_REMOVE_MISSING;
    return RV_OK;
}

static rv_status stdout_move(rv_dest *d, const char *from, const char *to, rv_error *err)
{
    (void)d;
    (void)from;
    (void)to;
    return no_objects(err);
}

static rv_status stdout_abort_upload(rv_dest *d, const char *key, const char *upload_id,
                                     rv_error *err)
{
    (void)d;
    (void)key;
    (void)upload_id;
    (void)err;
    return RV_OK;
}

bool rv_dest_stdout_is_tty(void)
{
    return isatty(STDOUT_FILENO) == 1;
}

static rv_status stdout_probe(rv_dest *d, rv_probe *out, rv_error *err)
{
    (void)d;
    (void)err;
    (void)snprintf(out->detail, sizeof out->detail, "%s",
                   rv_dest_stdout_is_tty() ? "a terminal" : "a pipe or file");
    return RV_OK;
}

static rv_status write_stream(void *self, rv_bytes data, rv_error *err)
{
    (void)self;
    rv_error local = {.code = RV_OK};
    rv_status st = rv_file_write(STDOUT_FILENO, data.ptr, data.len, "stdout", &local);
    if (st == RV_OK)
        return RV_OK;
    if (strcmp(local.native, "EPIPE") == 0)
        return rv_fail_errno(err, RV_E_DEST_CLOSED, EPIPE, "the reader of stdout went away");
    if (err)
        *err = local;
    return rv_wrap(err, st == RV_E_IO ? RV_E_DEST_IO : st, "cannot write the export to stdout");
}

static rv_status stdout_stream(rv_dest *d, rv_sink *out, rv_error *err)
{
    if (d->started)
        return rv_fail(err, RV_E_INTERNAL, "stdout takes one file only");
    d->started = true;
    *out = (rv_sink){d, write_stream};
    return RV_OK;
}

const rv_dest_driver rv_dest_stdout = {
    .abi = RV_DESTINATION_ABI,
    .kind = RV_DEST_STDOUT,
    .name = "stdout",
    .display = "Stdout",
    .resumable = false,
    .open = stdout_open,
    .close = stdout_close,
    .uri = stdout_uri,
    .facts = stdout_facts,
    .prepare = stdout_prepare,
    .spool_path = stdout_spool_path,
    .sweep = stdout_sweep,
    .put = stdout_put,
    .stat = stdout_stat,
    .read = stdout_read,
    .list = stdout_list,
    .remove = stdout_remove,
    .move = stdout_move,
    .abort_upload = stdout_abort_upload,
    .probe = stdout_probe,
    .stream = stdout_stream,
};
