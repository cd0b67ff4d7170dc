#include "fake_desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

bool fake_desk_init(fake_desk *t, const rv_dest_driver *driver)
{
    *t = (fake_desk){.dir = "/tmp/rvcloudXXXXXX", .driver = driver};
    t->cfg = (rv_cfg_dest){
        .kind = RV_DEST_S3, .bucket = "bucket", .upload_threshold_mb = 64, .upload_parallel = 4};
    fake_bucket_init(&t->b);
    t->env.tmp_dir = t->dir;
    return mkdtemp(t->dir) != NULL;
}

void fake_desk_open(fake_desk *t, const char *prefix)
{
    fake_bucket_use(&t->b);
    CHECK_EQ(t->driver->open(&t->env, &t->cfg, prefix, &t->d, &t->err), RV_OK);
}

void fake_desk_close(fake_desk *t)
{
    char command[80];
    t->driver->close(t->d);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", t->dir);
    CHECK_EQ(system(command), 0);
    rv_buf_free(&t->path);
    fake_bucket_free(&t->b);
}

rv_digests fake_digests(const char *content)
{
    rv_digests out = {.size_bytes = 0};
    rv_digest digest;
    if (rv_digest_init(&digest)) {
        rv_digest_update(&digest, content, strlen(content));
        rv_digest_final(&digest, &out);
        rv_digest_free(&digest);
    }
    return out;
}

const char *fake_spool(fake_desk *t, rv_dest *d, const char *key, const char *content)
{
    int fd = -1;
    rv_buf_clear(&t->path);
    CHECK_EQ(t->driver->spool_path(d, "run_1", key, &t->path, &t->err), RV_OK);
    const char *path = rv_buf_cstr(&t->path);
    (void)unlink(path);
    CHECK_EQ(rv_file_create(path, 0600, &fd, &t->err), RV_OK);
    CHECK_EQ(rv_file_write(fd, content, strlen(content), path, &t->err), RV_OK);
    rv_file_close(fd);
    return path;
}

static rv_status guard(void *ctx, rv_error *err)
{
    fake_desk *t = ctx;
    t->guarded++;
    return t->guard_no == t->guarded ? rv_fail(err, RV_E_STATE_LEASE_LOST, "no longer") : RV_OK;
}

static rv_status note_id(void *ctx, const char *upload_id, rv_error *err)
{
    fake_desk *t = ctx;
    t->ids++;
    (void)snprintf(t->id, sizeof t->id, "%s", upload_id);
    return t->id_fails ? rv_fail(err, RV_E_STATE_UNREACHABLE, "no state") : RV_OK;
}

rv_status fake_put_new(fake_desk *t, const char *key, const char *content, rv_put_outcome *out)
{
    rv_digests now = fake_digests(content);
    rv_put_spec spec = {.key = key,
                        .spool = fake_spool(t, t->d, key, content),
                        .digests = &now,
                        .owner_token = MINE,
                        .mime = "text/csv",
                        .guard = guard,
                        .guard_ctx = t,
                        .on_upload_id = note_id,
                        .on_upload_ctx = t};
    t->guarded = 0;
    return t->driver->put(t->d, &spec, out, &t->err);
}

rv_status fake_put_shared(fake_desk *t, const char *key, const char *content, const char *version,
                          rv_put_outcome *out)
{
    rv_put_spec spec = {.key = key,
                        .bytes = rv_str_bytes(rv_str_c(content)),
                        .owner_token = MINE,
                        .mime = "application/json",
                        .mode = RV_PUT_SHARED,
                        .version = version,
                        .guard = guard,
                        .guard_ctx = t};
    t->guarded = 0;
    return t->driver->put(t->d, &spec, out, &t->err);
}

const char *fake_content(fake_desk *t, const char *key)
{
    char name[300];
    (void)snprintf(name, sizeof name, "p/%s", key);
    const fake_object *o = fake_bucket_find(&t->b, name);
    if (!o)
        return NULL;
    o->data[o->len] = '\0'; /* one byte of room lies behind */
    return (const char *)o->data;
}
