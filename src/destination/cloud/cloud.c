#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "destination/cloud/cloud_internal.h"
#include "destination/spool.h"

#define RV_TARGET "destination"
#define MIB ((uint64_t)1 << 20)
#define TRIES 4
#define PAGES_MAX 1000000

/* ---- open ---- */

/* Plain components with one slash behind each: "/a//b" is "a/b/". */
static rv_status join_prefix(rv_dest *d, const char *prefix, rv_error *err)
{
    for (const char *p = prefix; *p; p += *p == '/') {
        size_t n = strcspn(p, "/");
        if (n == 2 && p[0] == '.' && p[1] == '.')
            return rv_fail(err, RV_E_CONFIG_DESTINATION,
                           "the destination's prefix '%s' has a '..' component", prefix);
        if (n > 0 && !(n == 1 && p[0] == '.')) {
            RV_TRY(rv_buf_add(&d->prefix, p, n, err));
            RV_TRY(rv_buf_add_byte(&d->prefix, '/', err));
        }
        p += n;
    }
    if (!rv_buf_cstr(&d->prefix))
        return rv_fail_memory(err);
    if (d->prefix.len + 1 >= RV_CLOUD_NAME_SIZE)
        return rv_fail(err, RV_E_CONFIG_DESTINATION, "the destination's prefix is too long");
    return RV_OK;
}

static rv_status fill(rv_dest *d, const rv_cfg_dest *cfg, const char *prefix, rv_error *err)
{
    uint64_t most = d->ops->limits.part_most;
    RV_TRY(join_prefix(d, prefix, err));
    RV_TRY(d->ops->open(d->env, cfg, &d->store, err));
    RV_TRY(rv_buf_printf(&d->uri, err, "%s/%s", d->ops->uri(d->store), (char *)d->prefix.ptr));
    if (!rv_buf_cstr(&d->uri))
        return rv_fail_memory(err);
    /* what fits into no single request goes in parts whatever the threshold */
    bool huge = cfg->upload_threshold_mb > UINT64_MAX / MIB;
    d->threshold_bytes = huge ? UINT64_MAX : cfg->upload_threshold_mb * MIB;
    if (most && d->threshold_bytes > most)
        d->threshold_bytes = most;
    d->part_bytes = cfg->upload_part_mb < UINT64_MAX / MIB ? cfg->upload_part_mb * MIB : 0;
    return RV_OK;
}

rv_status rv_cloud_open(const rv_store_ops *ops, const rv_env *env, const rv_cfg_dest *cfg,
                        const char *prefix, rv_dest **out, rv_error *err)
{
    rv_dest *d = rv_calloc(1, sizeof *d);
    if (!d)
        return rv_fail_memory(err);
    const char *ca = cfg->kind == RV_DEST_S3 ? rv_env_get(env, "AWS_CA_BUNDLE") : NULL;
    d->env = env;
    d->ops = ops;
    d->parallel = cfg->upload_parallel ? cfg->upload_parallel : 1;
    rv_lines_init(&d->lines, env, ca && ca[0] ? ca : NULL, d->parallel);
    rv_ahead_init(&d->ahead);
    rv_status st = fill(d, cfg, prefix ? prefix : "", err);
    if (st != RV_OK) {
        rv_cloud_close(d);
        return st;
    }
    *out = d;
    return RV_OK;
}

void rv_cloud_close(rv_dest *d)
{
    if (!d)
        return;
    if (d->store)
        d->ops->close(d->store);
    rv_lines_close(&d->lines);
    rv_ahead_close(&d->ahead);
    rv_buf_free(&d->prefix);
    rv_buf_free(&d->uri);
    rv_free(d);
}

/* ---- names and texts ---- */

const char *rv_cloud_uri(const rv_dest *d)
{
    return (const char *)d->uri.ptr;
}

void rv_cloud_facts(const rv_dest *d, const char **endpoint, const char **root)
{
    d->ops->facts(d->store, endpoint, root);
}

uint64_t rv_cloud_retries(const rv_dest *d)
{
    return d->ops->retries(d->store);
}

rv_status rv_cloud_name(const rv_dest *d, const char *key, char out[RV_CLOUD_NAME_SIZE],
                        rv_error *err)
{
    if (!rv_dest_key_valid(key))
        return rv_fail(err, RV_E_DEST_IO, "'%s' is no name inside %s", key, rv_cloud_uri(d));
    int n = snprintf(out, RV_CLOUD_NAME_SIZE, "%s%s", (const char *)d->prefix.ptr, key);
    if (n < 0 || n >= RV_CLOUD_NAME_SIZE)
        return rv_fail(err, RV_E_DEST_IO, "the name '%.80s...' in %.200s is too long", key,
                       rv_cloud_uri(d));
    return RV_OK;
}

rv_status rv_cloud_fail(const rv_dest *d, rv_status st, const char *what, const char *key,
                        rv_error *err)
{
    const char *category = rv_dest_category(st);
    bool own =
        category || st == RV_E_DEST_IO || st == RV_E_DEST_NO_SPACE || st == RV_E_DEST_CORRUPT;
    return own ? rv_wrap(err, st, "cannot %s %s%s%s%s", what, rv_cloud_uri(d), key,
                         category ? ": " : "", category ? category : "")
               : st;
}

/* ---- the spool ---- */

rv_status rv_cloud_prepare(rv_dest *d, uint64_t need_bytes, bool *out_tmpfs, rv_error *err)
{
    RV_TRY(rv_file_mkdirs(d->env->tmp_dir, 0700, err));
    rv_status st = rv_spool_room(d->env->tmp_dir, need_bytes, out_tmpfs, err);
    if (st == RV_E_DEST_NO_SPACE)
        rv_hint(err, "free space there, name another directory in RIVET_TMPDIR, or lower "
                     "max_file_size");
    return st;
}

rv_status rv_cloud_spool_path(rv_dest *d, const char *run_id, const char *key, rv_buf *out,
                              rv_error *err)
{
    char name[RV_CLOUD_NAME_SIZE];
    RV_TRY(rv_cloud_name(d, key, name, err));
    return rv_spool_path(d->env->tmp_dir, run_id, key, out, err);
}

rv_status rv_cloud_sweep(rv_dest *d, const char *run_id, const char *const *keep, size_t n_keep,
                         rv_error *err)
{
    return rv_spool_sweep(d->env->tmp_dir, run_id, keep, n_keep, err);
}

/* ---- looking ---- */

static rv_status head(rv_dest *d, const char *name, rv_object *out, bool *out_found, rv_error *err)
{
    rv_http *h;
    rv_store_outcome outcome = RV_STORE_MISSING;
    *out = (rv_object){.size_bytes = 0};
    RV_TRY(rv_lines_take(&d->lines, &h, err));
    rv_status st = d->ops->head(d->store, h, name, out, &outcome, err);
    rv_lines_give(&d->lines, h);
    *out_found = st == RV_OK && outcome == RV_STORE_DONE;
    return st;
}

rv_status rv_cloud_look(rv_dest *d, const char *name, rv_object *out, rv_sight *sight,
                        rv_error *err)
{
    rv_error why = {.code = RV_OK};
    bool found;
    rv_status st = head(d, name, out, &found, &why);
    if (st != RV_OK && st != RV_E_DEST_PERMISSION) {
        if (err)
            *err = why;
        return st;
    }
    if (st != RV_OK)
        RV_LOG_DEBUG(d->env, "%s%s: whether it is there may not be known: %s", rv_cloud_uri(d),
                     name + d->prefix.len, why.text);
    *sight = st != RV_OK ? RV_SIGHT_DENIED : found ? RV_SIGHT_THERE : RV_SIGHT_ABSENT;
    return RV_OK;
}

bool rv_cloud_same(const rv_object *o, uint64_t size_bytes, const char *md5)
{
    return o->size_bytes == size_bytes && o->md5[0] && strcmp(o->md5, md5) == 0;
}

rv_status rv_cloud_stat(rv_dest *d, const char *key, rv_object *out, bool *out_found, rv_error *err)
{
    char name[RV_CLOUD_NAME_SIZE];
    rv_object o;
    RV_TRY(rv_cloud_name(d, key, name, err));
    rv_ahead_forget(&d->ahead, key);
    rv_status st = head(d, name, &o, out_found, err);
    if (st != RV_OK)
        return rv_cloud_fail(d, st, "look at", key, err);
    if (!*out_found)
        return RV_OK;
    memcpy(o.key, key, strlen(key) + 1);
    *out = o;
    return RV_OK;
}

/* ---- listing ---- */

static int compare_objects(const void *a, const void *b)
{
    return strcmp(((const rv_object *)a)->key, ((const rv_object *)b)->key);
}

static rv_status list_pages(rv_dest *d, rv_http *h, const char *dir, rv_object_list *out,
                            rv_error *err)
{
    rv_buf token = RV_BUF_INIT, before = RV_BUF_INIT;
    rv_store_page page = {.into = out, .token = &token};
    rv_status st = RV_OK;
    for (long i = 0; i == 0 || token.len; i++) {
        if (i)
            RV_GO(rv_cancel_check(d->env->cancel, err));
        RV_GO(d->ops->list(d->store, h, dir, &page, err));
        if ((token.len && rv_str_eq(rv_buf_str(&token), rv_buf_str(&before))) || i == PAGES_MAX)
            RV_GO(rv_fail(err, RV_E_DEST_IO, "the listing does not end"));
        rv_buf_clear(&before);
        RV_GO(rv_buf_add_str(&before, rv_buf_str(&token), err));
    }
done:
    rv_buf_free(&token);
    rv_buf_free(&before);
    return st;
}

/* Keys come relative to the directory; they leave relative to the prefix. */
static rv_status add_dir(rv_object_list *l, const char *dir, size_t len, rv_error *err)
{
    for (size_t i = 0; len && i < l->n; i++) {
        char *key = l->items[i].key;
        size_t n = strlen(key);
        if (len + n >= sizeof l->items[i].key)
            return rv_fail(err, RV_E_DEST_IO, "a name below '%s' is too long", dir);
        memmove(key + len, key, n + 1);
        memcpy(key, dir, len);
    }
    if (l->n)
        qsort(l->items, l->n, sizeof *l->items, compare_objects);
    return RV_OK;
}

rv_status rv_cloud_list(rv_dest *d, const char *dir, rv_object_list *out, rv_error *err)
{
    char clean[RV_CLOUD_NAME_SIZE] = "", name[RV_CLOUD_NAME_SIZE];
    rv_object_list list = {0};
    rv_http *h = NULL;
    rv_status st = RV_OK;
    size_t len = strlen(dir);
    len -= len && dir[len - 1] == '/';
    if (len + 1 >= sizeof clean)
        return rv_fail(err, RV_E_DEST_IO, "the name '%s' is too long", dir);
    memcpy(clean, dir, len);
    if (len) {
        RV_TRY(rv_cloud_name(d, clean, name, err));
        clean[len++] = '/';
    }
    int n = snprintf(name, sizeof name, "%s%s", (const char *)d->prefix.ptr, clean);
    if (n < 0 || (size_t)n >= sizeof name)
        return rv_fail(err, RV_E_DEST_IO, "the name '%s' is too long", dir);
    RV_GO(rv_lines_take(&d->lines, &h, err));
    st = list_pages(d, h, name, &list, err);
    rv_lines_give(&d->lines, h);
    RV_GO(rv_cloud_fail(d, st, "list", clean, err));
    RV_GO(add_dir(&list, clean, len, err));
    *out = list;
done:
    if (st != RV_OK)
        rv_object_list_free(&list);
    return st;
}

/* ---- removing ---- */

static rv_status remove_version(rv_dest *d, const char *name, const char *version,
                                rv_store_outcome *out, rv_error *err)
{
    rv_http *h;
    RV_TRY(rv_lines_take(&d->lines, &h, err));
    rv_status st = d->ops->remove(d->store, h, name, version, out, err);
    if (st == RV_OK && *out == RV_STORE_UNCONDITIONAL)
        st = d->ops->remove(d->store, h, name, NULL, out, err);
    rv_lines_give(&d->lines, h);
    return st;
}

static rv_status remove_own(rv_dest *d, const char *name, const char *owner_token,
                            rv_remove_outcome *out, rv_error *err)
{
    for (int i = 0; i < TRIES; i++) {
        rv_object o;
        rv_sight sight;
        rv_error denied = {.code = RV_OK};
        rv_store_outcome outcome = RV_STORE_UNMET;
        RV_TRY(rv_cloud_look(d, name, &o, &sight, err));
        *out = sight == RV_SIGHT_ABSENT ? RV_REMOVE_MISSING : RV_REMOVE_DENIED;
        if (sight != RV_SIGHT_THERE)
            return RV_OK;
        *out = RV_REMOVE_FOREIGN;
        if (!owner_token || !o.owner[0] || strcmp(o.owner, owner_token) != 0)
            return RV_OK;
        rv_status st = remove_version(d, name, o.version, &outcome, &denied);
        *out = st != RV_OK                   ? RV_REMOVE_DENIED
               : outcome == RV_STORE_MISSING ? RV_REMOVE_MISSING
                                             : RV_REMOVED;
        if (st != RV_OK && st != RV_E_DEST_PERMISSION) {
            if (err)
                *err = denied;
            return st;
        }
        if (outcome != RV_STORE_UNMET || st != RV_OK)
            return RV_OK;
    }
    return rv_fail(err, RV_E_DEST_CONFLICT, "it changes again and again");
}

rv_status rv_cloud_remove(rv_dest *d, const char *key, const char *owner_token,
                          const char *known_fingerprint, uint64_t known_size_bytes,
                          rv_remove_outcome *out, rv_error *err)
{
    char name[RV_CLOUD_NAME_SIZE];
    (void)known_fingerprint;
    (void)known_size_bytes;
    RV_TRY(rv_cloud_name(d, key, name, err));
    rv_ahead_forget(&d->ahead, key);
    rv_remove_outcome outcome = RV_REMOVE_DENIED;
    rv_status st = remove_own(d, name, owner_token, &outcome, err);
    if (st == RV_OK)
        *out = outcome;
    return rv_cloud_fail(d, st, "remove", key, err);
}

/* ---- moving ---- */

static rv_status copy_new(rv_dest *d, const char *from, const rv_object *version, const char *to,
                          rv_store_outcome *out, rv_error *err)
{
    rv_http *h;
    RV_TRY(rv_lines_take(&d->lines, &h, err));
    rv_status st = d->ops->copy(d->store, h, from, version, to, out, err);
    rv_lines_give(&d->lines, h);
    return st;
}

/* The copy an earlier, interrupted move left: the same object in all that is known of it. */
static bool is_copy(const rv_object *a, const rv_object *b)
{
    return rv_cloud_same(a, b->size_bytes, b->md5) && strcmp(a->owner, b->owner) == 0;
}

static rv_status move_object(rv_dest *d, const char *from, const char *to, rv_error *err)
{
    rv_object source, target;
    rv_sight source_is, target_is;
    rv_store_outcome outcome = RV_STORE_DONE;
    RV_TRY(rv_cloud_look(d, from, &source, &source_is, err));
    RV_TRY(rv_cloud_look(d, to, &target, &target_is, err));
    if (source_is == RV_SIGHT_DENIED || target_is == RV_SIGHT_DENIED)
        return rv_fail(err, RV_E_DEST_PERMISSION, "whether an object is there may not be known");
    if (source_is == RV_SIGHT_ABSENT && target_is == RV_SIGHT_THERE)
        return RV_OK; /* done before */
    if (source_is == RV_SIGHT_ABSENT)
        return rv_fail(err, RV_E_DEST_IO, "it is missing");
    if (target_is == RV_SIGHT_ABSENT)
        RV_TRY(copy_new(d, from, &source, to, &outcome, err));
    else if (!is_copy(&source, &target))
        outcome = RV_STORE_UNMET;
    if (outcome != RV_STORE_DONE)
        return rv_fail(err, RV_E_DEST_CONFLICT, "'%s' exists already, or the object changed", to);
    RV_TRY(remove_version(d, from, source.version, &outcome, err));
    if (outcome == RV_STORE_UNMET)
        return rv_fail(err, RV_E_DEST_CONFLICT, "the object changed after it was copied to '%s'",
                       to);
    return RV_OK;
}

rv_status rv_cloud_move(rv_dest *d, const char *from, const char *to, rv_error *err)
{
    char source[RV_CLOUD_NAME_SIZE], target[RV_CLOUD_NAME_SIZE];
    RV_TRY(rv_cloud_name(d, from, source, err));
    RV_TRY(rv_cloud_name(d, to, target, err));
    rv_ahead_forget(&d->ahead, from);
    rv_ahead_forget(&d->ahead, to);
    return rv_cloud_fail(d, move_object(d, source, target, err), "move", from, err);
}

/* ---- uploads left open ---- */

rv_status rv_cloud_abort_upload(rv_dest *d, const char *key, const char *upload_id, rv_error *err)
{
    char name[RV_CLOUD_NAME_SIZE];
    rv_http *h;
    rv_error denied = {.code = RV_OK};
    rv_store_outcome outcome;
    RV_TRY(rv_cloud_name(d, key, name, err));
    RV_TRY(rv_lines_take(&d->lines, &h, err));
    rv_status st =
        d->ops->upload_abort(d->store, h, name, upload_id ? upload_id : "", &outcome, &denied);
    rv_lines_give(&d->lines, h);
    if (st == RV_E_DEST_PERMISSION && !upload_id) {
        RV_LOG_DEBUG(d->env, "%s%s: whether an upload is open may not be known: %s",
                     rv_cloud_uri(d), key, denied.text);
        return RV_OK;
    }
    if (st == RV_E_DEST_PERMISSION) {
        RV_LOG_WARN(d->env,
                    "%s%s: an unfinished upload stays, for it may not be aborted (a lifecycle rule "
                    "for incomplete uploads clears it away): %s",
                    rv_cloud_uri(d), key, denied.text);
        return RV_OK;
    }
    if (st != RV_OK && err)
        *err = denied;
    return rv_cloud_fail(d, st, "abort the upload of", key, err);
}
