#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/file.h"
#include "destination/cloud/cloud_internal.h"

#define RV_TARGET "destination"
#define ROUNDS 8 /* of a name that others keep changing */

/* Why the name is looked at. */
typedef enum rv_look {
    RV_LOOK_FIRST,  /* before the first request */
    RV_LOOK_UNMET,  /* the condition did not hold */
    RV_LOOK_AGAIN,  /* the bytes arrived damaged, or the upload is gone: it is sent once more */
    RV_LOOK_SILENT, /* no answer came: it may have arrived */
    RV_LOOK_REFUSED /* this right is lacking, perhaps only that of replacing */
} rv_look;

/* One put on its way. */
typedef struct rv_putting {
    rv_dest *d;
    const rv_put_spec *spec;
    char name[RV_CLOUD_NAME_SIZE];
    char md5[33];
    rv_store_write w;
    bool large;      /* in parts */
    bool again;      /* sent once more: the last time */
    rv_object there; /* at the last look; w.version points into it */
    bool over;       /* `outcome` is the end of it */
    rv_put_outcome outcome;
} rv_putting;

static void end_with(rv_putting *p, rv_put_outcome outcome)
{
    p->over = true;
    p->outcome = outcome;
}

static void go_on(rv_putting *p, rv_store_condition condition, const char *version)
{
    bool refused = atomic_load(&p->d->unconditional);
    p->w.condition = refused ? RV_STORE_ALWAYS : condition;
    p->w.version = p->w.condition == RV_STORE_IF_VERSION ? version : NULL;
}

static bool is_own(const rv_putting *p)
{
    const char *token = p->spec->owner_token;
    return token && token[0] && strcmp(p->there.owner, token) == 0;
}

static bool is_same(const rv_putting *p)
{
    return rv_cloud_same(&p->there, p->w.size_bytes, p->md5);
}

/* ---- what a look means: spec "destinations" sections 1 and 9 ---- */

/* `failed`: the error to end with where the look settles nothing. */
static rv_status judge_new_absent(rv_putting *p, rv_look why, rv_status failed)
{
    if (why == RV_LOOK_SILENT || why == RV_LOOK_REFUSED)
        return failed;
    go_on(p, RV_STORE_IF_ABSENT, NULL);
    return RV_OK;
}

static rv_status judge_new_there(rv_putting *p, rv_look why, rv_status failed)
{
    if (!is_own(p))
        end_with(p, RV_PUT_FOREIGN);
    else if (is_same(p))
        end_with(p, RV_PUT_SAME);
    else if (why == RV_LOOK_REFUSED)
        end_with(p, RV_PUT_FOREIGN); /* ours, but it may not be replaced */
    else if (why == RV_LOOK_SILENT)
        return failed;
    else
        go_on(p, RV_STORE_IF_VERSION, p->there.version);
    return RV_OK;
}

/* Without the right to read nothing can be told to be ours: the next stem. But what has not been
 * written at all yet is only unknown. */
static rv_status judge_new_denied(rv_putting *p, rv_look why, rv_status failed)
{
    if (why == RV_LOOK_REFUSED)
        return failed;
    if (why == RV_LOOK_UNMET || why == RV_LOOK_SILENT)
        end_with(p, RV_PUT_FOREIGN);
    else
        go_on(p, RV_STORE_IF_ABSENT, NULL);
    return RV_OK;
}

static bool is_base(const rv_putting *p, rv_sight sight)
{
    const char *base = p->spec->version;
    if (sight == RV_SIGHT_ABSENT)
        return !base;
    return base && strcmp(base, p->there.version) == 0;
}

static void go_on_shared(rv_putting *p)
{
    const char *base = p->spec->version;
    go_on(p, base ? RV_STORE_IF_VERSION : RV_STORE_IF_ABSENT, base);
}

static rv_status judge_shared_seen(rv_putting *p, rv_look why, rv_sight sight, rv_status failed)
{
    bool there = sight == RV_SIGHT_THERE;
    bool again = why == RV_LOOK_FIRST || why == RV_LOOK_AGAIN;
    if (there && is_same(p))
        end_with(p, RV_PUT_SAME);
    else if (why == RV_LOOK_REFUSED && there)
        end_with(p, RV_PUT_FOREIGN);
    else if (why == RV_LOOK_REFUSED)
        return failed;
    else if (is_base(p, sight) && why == RV_LOOK_SILENT)
        return failed;
    else if (is_base(p, sight) && again)
        go_on_shared(p);
    else if (there && why == RV_LOOK_AGAIN && is_own(p))
        go_on(p, RV_STORE_IF_VERSION, p->there.version); /* our own damaged bytes */
    else
        end_with(p, RV_PUT_CHANGED);
    return RV_OK;
}

/* Without the right to read, shared names are replaced unconditionally. */
static rv_status judge_shared_denied(rv_putting *p, rv_look why, rv_status failed)
{
    if (why == RV_LOOK_REFUSED && p->w.condition != RV_STORE_IF_ABSENT)
        end_with(p, RV_PUT_FOREIGN);
    else if (why == RV_LOOK_REFUSED || why == RV_LOOK_SILENT)
        return failed;
    else if (why == RV_LOOK_UNMET)
        go_on(p, RV_STORE_ALWAYS, NULL);
    else
        go_on_shared(p);
    return RV_OK;
}

static rv_status look(rv_putting *p, rv_look why, rv_status failed, rv_error *err)
{
    rv_sight sight = RV_SIGHT_DENIED;
    rv_error local = {.code = RV_OK};
    rv_status st = rv_cloud_look(p->d, p->name, &p->there, &sight, &local);
    if (st != RV_OK && failed != RV_OK)
        return failed; /* the first failure says more */
    if (st != RV_OK) {
        if (err)
            *err = local;
        return st;
    }
    if (p->spec->mode == RV_PUT_SHARED)
        return sight == RV_SIGHT_DENIED ? judge_shared_denied(p, why, failed)
                                        : judge_shared_seen(p, why, sight, failed);
    switch (sight) {
    case RV_SIGHT_ABSENT:
        return judge_new_absent(p, why, failed);
    case RV_SIGHT_THERE:
        return judge_new_there(p, why, failed);
    case RV_SIGHT_DENIED:
        break;
    }
    return judge_new_denied(p, why, failed);
}

/* ---- one write ---- */

static rv_status guard(const rv_putting *p, rv_error *err)
{
    return p->spec->guard ? p->spec->guard(p->spec->guard_ctx, err) : RV_OK;
}

static rv_status write_single(rv_putting *p, rv_store_outcome *out, rv_error *err)
{
    rv_http *h;
    RV_TRY(rv_lines_take(&p->d->lines, &h, err));
    rv_status st = guard(p, err);
    if (st == RV_OK) {
        RV_KILL_POINT("store-before-put");
        st = p->d->ops->put(p->d->store, h, &p->w, out, err);
        RV_KILL_POINT("store-after-put");
    }
    rv_lines_give(&p->d->lines, h);
    return st;
}

static rv_status check_spool(const rv_putting *p, rv_error *err)
{
    uint8_t block[16384], raw[16];
    char md5[33];
    rv_md5 m;
    rv_md5_init(&m);
    for (uint64_t at = 0; p->w.fd >= 0 && at < p->w.size_bytes;) {
        uint64_t left = p->w.size_bytes - at;
        size_t n = left < sizeof block ? (size_t)left : sizeof block;
        RV_TRY(rv_file_pread(p->w.fd, block, n, at, p->spec->spool, err));
        rv_md5_update(&m, block, n);
        at += n;
    }
    if (p->w.fd < 0)
        return RV_OK;
    rv_md5_final(&m, raw);
    rv_hex(raw, sizeof raw, md5);
    if (strcmp(md5, p->md5) == 0)
        return RV_OK;
    return rv_fail(err, RV_E_CORRUPT, "'%s' no longer holds the bytes that were written",
                   p->spec->spool);
}

/* Damaged on its way: what lies here is read again, and sent once more. */
static rv_status send_again(rv_putting *p, rv_status failed, rv_error *err)
{
    if (p->again)
        return failed;
    p->again = true;
    RV_LOG_WARN(p->d->env, "%s%s: %s; it is sent again", rv_cloud_uri(p->d), p->spec->key,
                err && err->text[0] ? err->text : "the store no longer knows the upload");
    RV_TRY(check_spool(p, err));
    return look(p, RV_LOOK_AGAIN, RV_OK, err);
}

static rv_status after_answer(rv_putting *p, rv_store_outcome outcome, rv_error *err)
{
    switch (outcome) {
    case RV_STORE_DONE:
        end_with(p, RV_PUT_WRITTEN);
        return RV_OK;
    case RV_STORE_UNMET:
        return look(p, RV_LOOK_UNMET, RV_OK, err);
    case RV_STORE_UNCONDITIONAL:
        if (p->w.condition == RV_STORE_ALWAYS)
            break;
        atomic_store(&p->d->unconditional, true);
        return look(p, RV_LOOK_FIRST, RV_OK, err);
    case RV_STORE_MISSING:
        (void)rv_fail(err, RV_E_DEST_UNREACHABLE, "the store does not know the upload any more");
        return send_again(p, RV_E_DEST_UNREACHABLE, err);
    }
    return rv_fail(err, RV_E_DEST_IO, "the store refuses to write");
}

static rv_status after_failure(rv_putting *p, rv_status st, rv_error *err)
{
    switch ((int)st) {
    case RV_E_DEST_CORRUPT:
        return send_again(p, st, err);
    case RV_E_DEST_UNREACHABLE:
        return look(p, RV_LOOK_SILENT, st, err);
    case RV_E_DEST_PERMISSION:
        return look(p, RV_LOOK_REFUSED, st, err);
    default:
        return st;
    }
}

static rv_status write_and_settle(rv_putting *p, rv_error *err)
{
    rv_store_outcome outcome = RV_STORE_DONE;
    rv_status st = p->large ? rv_cloud_upload(p->d, p->spec, &p->w, &outcome, err)
                            : write_single(p, &outcome, err);
    return st == RV_OK ? after_answer(p, outcome, err) : after_failure(p, st, err);
}

/* ---- the whole of it ---- */

static rv_status describe(rv_putting *p, rv_error *err)
{
    const rv_put_spec *spec = p->spec;
    const rv_digests *digests = spec->digests;
    uint8_t raw[16];
    rv_md5 m;
    RV_TRY(rv_cloud_name(p->d, spec->key, p->name, err));
    p->w = (rv_store_write){.name = p->name,
                            .fd = -1,
                            .bytes = spec->bytes,
                            .size_bytes = digests ? digests->size_bytes : spec->bytes.len,
                            .md5 = p->md5,
                            .owner_token = spec->owner_token,
                            .mime = spec->mime};
    if (digests) {
        memcpy(p->md5, digests->md5, sizeof p->md5);
    } else {
        rv_md5_init(&m);
        rv_md5_update(&m, spec->bytes.ptr, spec->bytes.len);
        rv_md5_final(&m, raw);
        rv_hex(raw, sizeof raw, p->md5);
    }
    /* an object of no bytes has no parts */
    p->large = spec->spool && p->w.size_bytes > p->d->threshold_bytes;
    return RV_OK;
}

static rv_status open_spool(rv_putting *p, rv_error *err)
{
    uint64_t size = 0;
    bool found = false;
    if (!p->spec->spool)
        return RV_OK;
    RV_TRY(rv_file_open_read(p->spec->spool, &p->w.fd, err));
    RV_TRY(rv_file_size(p->spec->spool, &size, &found, err));
    if (size != p->w.size_bytes)
        return rv_fail(err, RV_E_CORRUPT, "'%s' has %llu bytes, %llu were written", p->spec->spool,
                       (unsigned long long)size, (unsigned long long)p->w.size_bytes);
    return RV_OK;
}

/* Where a condition may be ignored in silence, and before a lot is sent in vain. */
static bool looks_first(const rv_putting *p)
{
    return p->large || atomic_load(&p->d->unconditional) || p->d->ops->doubtful(p->d->store);
}

static rv_status run(rv_putting *p, rv_error *err)
{
    RV_TRY(open_spool(p, err));
    if (p->spec->mode == RV_PUT_SHARED)
        go_on_shared(p);
    else
        go_on(p, RV_STORE_IF_ABSENT, NULL);
    if (looks_first(p))
        RV_TRY(look(p, RV_LOOK_FIRST, RV_OK, err));
    for (int i = 0; i < ROUNDS && !p->over; i++)
        RV_TRY(write_and_settle(p, err));
    if (p->over)
        return RV_OK;
    return rv_fail(err, RV_E_DEST_CONFLICT, "%s%s keeps appearing and disappearing",
                   rv_cloud_uri(p->d), p->spec->key);
}

rv_status rv_cloud_put(rv_dest *d, const rv_put_spec *spec, rv_put_outcome *out, rv_error *err)
{
    rv_putting p = {.d = d, .spec = spec, .w = {.fd = -1}};
    rv_error local = {.code = RV_OK};
    rv_status st = describe(&p, &local);
    if (st == RV_OK) {
        st = run(&p, &local);
        rv_file_close(p.w.fd);
        rv_ahead_forget(&d->ahead, spec->key);
        st = rv_cloud_fail(d, st, "write", spec->key, &local);
    }
    if (st == RV_OK)
        *out = p.outcome;
    else if (err)
        *err = local;
    return st;
}
