#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/env.h"
#include "base/fault.h"
#include "base/file.h"
#include "destination/local/local_internal.h"

/* One put on its way: the temp file holds the content until it becomes visible. */
typedef struct put_work {
    const rv_dest *d;
    const rv_put_spec *spec;
    char target[PATH_MAX], dir[PATH_MAX], temp[PATH_MAX];
    rv_local_info placed; /* SHARED: the temp file, which keeps its identity as it is renamed */
    uint64_t size_bytes;
    char fingerprint[22];
} put_work;

static void describe_content(put_work *w)
{
    const rv_put_spec *spec = w->spec;
    if (spec->digests) {
        w->size_bytes = spec->digests->size_bytes;
        memcpy(w->fingerprint, spec->digests->fingerprint, sizeof w->fingerprint);
        return;
    }
    w->size_bytes = spec->bytes.len;
    memcpy(w->fingerprint, "xxh3:", 5);
    rv_hex_u64(rv_xxh3(spec->bytes.ptr, spec->bytes.len), w->fingerprint + 5);
}

/* Named after the owner, so that the one of a killed attempt is found and replaced. */
static rv_status write_temp(put_work *w, rv_error *err)
{
    char name[64];
    int fd;
    bool found;
    snprintf(name, sizeof name, RV_TEMP_PREFIX "%.32s-%s",
             w->spec->owner_token ? w->spec->owner_token : "anonymous",
             w->spec->mode == RV_PUT_SHARED ? "shared" : "new");
    int n = snprintf(w->temp, sizeof w->temp, "%s/%s-%016llx", w->dir, name,
                     (unsigned long long)rv_xxh3(w->spec->key, strlen(w->spec->key)));
    if (n < 0 || (size_t)n >= sizeof w->temp)
        return rv_fail(err, RV_E_DEST_IO, "the path of '%s' is too long", w->spec->key);
    RV_TRY(rv_file_remove(w->temp, &found, err));
    RV_TRY(rv_file_create(w->temp, 0600, &fd, err));
    rv_status st = rv_file_write(fd, w->spec->bytes.ptr, w->spec->bytes.len, w->temp, err);
    rv_file_close(fd);
    return st;
}

static rv_status start(put_work *w, rv_error *err)
{
    describe_content(w);
    RV_TRY(rv_local_path(w->d, w->spec->key, w->target, err));
    rv_local_parent(w->target, w->dir);
    RV_TRY(rv_file_mkdirs(w->dir, 0777, err));
    if (!w->spec->spool)
        return write_temp(w, err);
    int n = snprintf(w->temp, sizeof w->temp, "%s", w->spec->spool);
    if (n < 0 || (size_t)n >= sizeof w->temp)
        return rv_fail(err, RV_E_DEST_IO, "the path of the spool file is too long");
    return RV_OK;
}

static rv_status sync_temp(const put_work *w, rv_error *err)
{
    int fd;
    RV_TRY(rv_file_open_read(w->temp, &fd, err));
    rv_status st = rv_file_sync(fd, w->temp, err);
    rv_file_close(fd);
    return st;
}

static rv_status set_mode(const put_work *w, unsigned mode, rv_error *err)
{
    if (chmod(w->temp, (mode_t)mode) != 0)
        return rv_fail_errno(err, errno == EPERM ? RV_E_DEST_PERMISSION : RV_E_IO, errno,
                             "cannot change the mode of '%s'", w->temp);
    return RV_OK;
}

static rv_status guard(const put_work *w, rv_error *err)
{
    return w->spec->guard ? w->spec->guard(w->spec->guard_ctx, err) : RV_OK;
}

/* Synced, allowed, readable for others: the next step makes it visible. */
static rv_status make_ready(const put_work *w, rv_error *err)
{
    RV_TRY(sync_temp(w, err));
    RV_TRY(guard(w, err));
    return set_mode(w, w->d->file_mode, err);
}

/* The name is a link to our own spool file: an earlier try got this far. */
static bool is_our_link(const put_work *w)
{
    struct stat temp, target;
    return w->spec->spool && stat(w->temp, &temp) == 0 && stat(w->target, &target) == 0 &&
           temp.st_ino == target.st_ino && temp.st_dev == target.st_dev;
}

/* Equal bytes alone prove nothing for a part: a twin with a state of its own writes them too. */
static bool recorded_before(const put_work *w)
{
    return !w->spec->spool ||
           (w->spec->known_fingerprint && strcmp(w->spec->known_fingerprint, w->fingerprint) == 0);
}

/* What holds the name: the same content, an own older one (then the name is freed), or neither. */
static rv_status settle_existing(const put_work *w, bool *out_free, rv_put_outcome *out,
                                 rv_error *err)
{
    rv_local_info info;
    bool same = false, ours = false;
    *out_free = false;
    *out = RV_PUT_FOREIGN;
    RV_TRY(rv_local_info_get(w->target, &info, err));
    if (info.kind == RV_LOCAL_MISSING) {
        *out_free = true;
        return RV_OK;
    }
    RV_TRY(rv_local_same(w->target, &info, w->size_bytes, w->fingerprint, &same, err));
    if (is_our_link(w) || (same && recorded_before(w))) {
        *out = RV_PUT_SAME;
        return RV_OK;
    }
    if (same)
        return RV_OK;
    if (w->spec->known_fingerprint)
        RV_TRY(rv_local_same(w->target, &info, w->spec->known_size_bytes,
                             w->spec->known_fingerprint, &ours, err));
    if (!ours)
        return RV_OK;
    RV_TRY(guard(w, err));
    bool found;
    RV_TRY(rv_file_remove(w->target, &found, err));
    *out_free = true;
    return RV_OK;
}

#define LINK_TRIES 4

static rv_status put_new(const put_work *w, rv_put_outcome *out, rv_error *err)
{
    for (int n = 0; n < LINK_TRIES; n++) {
        bool exists, is_free;
        RV_TRY(make_ready(w, err));
        RV_KILL_POINT("dest-before-link");
        RV_TRY(rv_file_link_new(w->temp, w->target, &exists, err));
        if (!exists) {
            RV_KILL_POINT("dest-after-link");
            *out = RV_PUT_WRITTEN;
            return RV_OK;
        }
        RV_TRY(settle_existing(w, &is_free, out, err));
        if (!is_free)
            return RV_OK;
    }
    return rv_fail(err, RV_E_DEST_CONFLICT, "'%s' keeps appearing and disappearing", w->target);
}

static rv_status replace_shared(const put_work *w, rv_put_outcome *out, rv_error *err)
{
    RV_TRY(make_ready(w, err));
    RV_KILL_POINT("dest-before-link");
    rv_error local;
    rv_status st = rv_file_rename(w->temp, w->target, &local);
    RV_KILL_POINT("dest-after-link");
    if (st == RV_E_DEST_PERMISSION) { /* the directory is writable: this name is not */
        *out = RV_PUT_FOREIGN;
        return RV_OK;
    }
    if (st != RV_OK && err)
        *err = local;
    if (st == RV_OK)
        *out = RV_PUT_WRITTEN;
    return st;
}

static rv_status put_shared(const put_work *w, rv_put_outcome *out, rv_error *err)
{
    rv_local_info info;
    bool same;
    RV_TRY(rv_local_info_get(w->target, &info, err));
    RV_TRY(rv_local_same(w->target, &info, w->size_bytes, w->fingerprint, &same, err));
    if (same) {
        *out = RV_PUT_SAME;
        return RV_OK;
    }
    if (info.kind == RV_LOCAL_OTHER) {
        *out = RV_PUT_FOREIGN;
        return RV_OK;
    }
    if (info.kind == RV_LOCAL_FILE) {
        if (w->spec->version && strcmp(w->spec->version, info.version) == 0)
            return replace_shared(w, out, err);
        *out = RV_PUT_CHANGED;
        return RV_OK;
    }
    if (w->spec->version) {
        *out = RV_PUT_CHANGED;
        return RV_OK;
    }
    RV_TRY(put_new(w, out, err));
    if (*out == RV_PUT_FOREIGN)
        *out = RV_PUT_CHANGED;
    return RV_OK;
}

static rv_status verify_size(const put_work *w, rv_error *err)
{
    rv_local_info info;
    RV_TRY(rv_local_info_get(w->target, &info, err));
    if (info.kind == RV_LOCAL_FILE && info.size_bytes == w->size_bytes)
        return RV_OK;
    /* another export of the same prefix was next; what is its own is not ours to verify */
    if (info.kind == RV_LOCAL_FILE && w->spec->mode == RV_PUT_SHARED &&
        strcmp(info.version, w->placed.version) != 0)
        return RV_OK;
    (void)rv_fail(err, RV_E_DEST_IO, "'%s' has %llu bytes instead of %llu after it was written",
                  w->target, (unsigned long long)info.size_bytes,
                  (unsigned long long)w->size_bytes);
    if (err)
        err->retry = RV_RETRY_N;
    return RV_E_DEST_IO;
}

static rv_status finish(put_work *w, rv_put_outcome outcome, rv_error *err)
{
    bool found;
    bool visible = outcome == RV_PUT_WRITTEN || outcome == RV_PUT_SAME;
    if (visible)
        RV_TRY(rv_file_sync_dir(w->dir, err));
    if (w->spec->spool)
        return visible ? RV_OK : set_mode(w, 0600, err);
    RV_TRY(rv_file_remove(w->temp, &found, err));
    RV_KILL_POINT("dest-after-unlink");
    return RV_OK;
}

static rv_status put_once(const rv_dest *d, const rv_put_spec *spec, rv_put_outcome *out,
                          rv_error *err)
{
    put_work w = {.d = d, .spec = spec};
    rv_put_outcome outcome = RV_PUT_FOREIGN;
    rv_status st;
    RV_GO(start(&w, err));
    RV_GO(rv_local_info_get(w.temp, &w.placed, err));
    RV_GO(spec->mode == RV_PUT_SHARED ? put_shared(&w, &outcome, err) : put_new(&w, &outcome, err));
    RV_GO(finish(&w, outcome, err));
    if (outcome == RV_PUT_WRITTEN)
        RV_GO(verify_size(&w, err));
    *out = outcome;
done:
    if (st != RV_OK && w.temp[0]) {
        if (spec->spool)
            (void)chmod(w.temp, 0600);
        else
            (void)unlink(w.temp);
    }
    return st;
}

rv_status rv_local_put(rv_dest *d, const rv_put_spec *spec, rv_put_outcome *out, rv_error *err)
{
    rv_error local = {.code = RV_OK};
    rv_status st = put_once(d, spec, out, &local);
    if (st == RV_E_IO && strcmp(local.native, "EIO") == 0) {
        /* a disk may fail once; what became visible is recognised as the same */
        rv_error_clear(&local);
        st = put_once(d, spec, out, &local);
    }
    if (st == RV_OK)
        return RV_OK;
    st = rv_local_fail(&local, st, d->root);
    if (err)
        *err = local;
    return st;
}
