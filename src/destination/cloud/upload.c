#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "destination/cloud/cloud_internal.h"

#define RV_TARGET "destination"
#define ID_SIZE 2048

/* An object in parts on its way. Several threads send parts; the first failure is kept and ends the
 * others behind what they are sending. */
typedef struct rv_parted {
    rv_dest *d;
    const rv_put_spec *spec;
    const rv_store_write *w;
    const char *id;
    rv_store_piece *pieces;
    size_t n;
    pthread_mutex_t lock; /* of what follows */
    size_t next;
    bool stop;
    rv_store_outcome outcome;
    rv_error error;
} rv_parted;

/* ---- the cut ---- */

static uint64_t divide_up(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

static rv_status cut_length(const rv_store_limits *l, uint64_t wish, uint64_t size, uint64_t *out,
                            rv_error *err)
{
    uint64_t len = wish > l->part_least ? wish : l->part_least;
    uint64_t multiple = l->part_multiple ? l->part_multiple : 1;
    uint64_t by_count = l->parts_most ? divide_up(size, l->parts_most) : 1;
    len = by_count > len ? by_count : len;
    len = len ? divide_up(len, multiple) * multiple : multiple;
    if (l->part_most && len > l->part_most) {
        if (by_count > l->part_most / multiple * multiple)
            return rv_fail(err, RV_E_DEST_IO, "%llu bytes are more than an object may have",
                           (unsigned long long)size);
        len = l->part_most / multiple * multiple;
    }
    *out = len;
    return RV_OK;
}

static rv_status cut(rv_parted *u, rv_error *err)
{
    uint64_t size = u->w->size_bytes, len = 0;
    RV_TRY(cut_length(&u->d->ops->limits, u->d->part_bytes, size, &len, err));
    u->n = (size_t)divide_up(size, len);
    u->pieces = rv_calloc(u->n, sizeof *u->pieces);
    if (!u->pieces)
        return rv_fail_memory(err);
    for (size_t i = 0; i < u->n; i++) {
        rv_store_piece *piece = &u->pieces[i];
        piece->index = i;
        piece->offset = i * len;
        piece->last = i + 1 == u->n;
        piece->len = piece->last ? size - piece->offset : len;
    }
    return RV_OK;
}

/* ---- one part ---- */

static rv_status hash_piece(const rv_parted *u, rv_store_piece *piece, rv_error *err)
{
    uint8_t block[65536], raw[16];
    rv_md5 m;
    rv_md5_init(&m);
    for (uint64_t at = 0; at < piece->len;) {
        uint64_t left = piece->len - at;
        size_t n = left < sizeof block ? (size_t)left : sizeof block;
        RV_TRY(rv_file_pread(u->w->fd, block, n, piece->offset + at, u->spec->spool, err));
        rv_md5_update(&m, block, n);
        at += n;
    }
    rv_md5_final(&m, raw);
    rv_hex(raw, sizeof raw, piece->md5);
    return RV_OK;
}

static rv_status guard(const rv_parted *u, rv_error *err)
{
    return u->spec->guard ? u->spec->guard(u->spec->guard_ctx, err) : RV_OK;
}

static rv_status send_once(rv_parted *u, rv_store_piece *piece, rv_store_outcome *out,
                           rv_error *err)
{
    rv_http *h;
    rv_dest *d = u->d;
    if (rv_cancel_overdue(d->env->cancel))
        return rv_cancel_check(d->env->cancel, err);
    RV_TRY(hash_piece(u, piece, err));
    RV_TRY(rv_lines_take(&d->lines, &h, err));
    rv_status st = RV_OK;
    if (piece->last && !d->ops->limits.parallel)
        st = guard(u, err); /* where parts go in turn, the last may make the object appear */
    if (st == RV_OK)
        st = d->ops->upload_part(d->store, h, u->w, u->id, piece, out, err);
    rv_lines_give(&d->lines, h);
    RV_KILL_POINT("store-part");
    return st;
}

static rv_status send_piece(rv_parted *u, rv_store_piece *piece, rv_store_outcome *out,
                            rv_error *err)
{
    rv_status st = send_once(u, piece, out, err);
    if (st != RV_E_DEST_CORRUPT)
        return st;
    RV_LOG_WARN(u->d->env, "%s%s: part %llu arrived damaged; it is sent again", rv_cloud_uri(u->d),
                u->spec->key, (unsigned long long)piece->index + 1);
    return send_once(u, piece, out, err);
}

/* ---- all of them ---- */

static rv_store_piece *next_piece(rv_parted *u)
{
    rv_store_piece *piece = NULL;
    (void)pthread_mutex_lock(&u->lock);
    if (!u->stop && u->next < u->n)
        piece = &u->pieces[u->next++];
    (void)pthread_mutex_unlock(&u->lock);
    return piece;
}

static void note_end(rv_parted *u, rv_status st, rv_store_outcome outcome, const rv_error *why)
{
    (void)pthread_mutex_lock(&u->lock);
    if (!u->stop && st != RV_OK)
        u->error = *why;
    else if (!u->stop)
        u->outcome = outcome;
    u->stop = true;
    (void)pthread_mutex_unlock(&u->lock);
}

static void *send_pieces(void *arg)
{
    rv_parted *u = arg;
    for (rv_store_piece *piece = next_piece(u); piece; piece = next_piece(u)) {
        rv_error err = {.code = RV_OK};
        rv_store_outcome outcome = RV_STORE_DONE;
        rv_status st = send_piece(u, piece, &outcome, &err);
        if (st != RV_OK || outcome != RV_STORE_DONE)
            note_end(u, st, outcome, &err);
    }
    return NULL;
}

/* This thread sends as well: none that cannot be started is missed. */
static rv_status send_all(rv_parted *u, rv_error *err)
{
    pthread_t threads[RV_LINES_MAX];
    size_t n = 0, most = 0;
    if (u->d->ops->limits.parallel)
        most = u->n < u->d->lines.most ? u->n : u->d->lines.most;
    while (n + 1 < most && pthread_create(&threads[n], NULL, send_pieces, u) == 0)
        n++;
    (void)send_pieces(u);
    while (n)
        (void)pthread_join(threads[--n], NULL);
    if (u->error.code != RV_OK && err)
        *err = u->error;
    return u->error.code;
}

/* ---- begin, finish, abort ---- */

static rv_status begin(rv_parted *u, rv_buf *id, rv_error *err)
{
    rv_http *h;
    RV_TRY(rv_buf_reserve(id, ID_SIZE, err)); /* once there is an id nothing may be lacking */
    RV_TRY(rv_lines_take(&u->d->lines, &h, err));
    rv_status st = u->d->ops->upload_begin(u->d->store, h, u->w, id, &u->outcome, err);
    rv_lines_give(&u->d->lines, h);
    RV_TRY(st);
    u->id = rv_buf_cstr(id);
    if (!u->id)
        return rv_fail_memory(err);
    RV_KILL_POINT("store-upload-begun");
    return RV_OK;
}

static rv_status finish(rv_parted *u, rv_error *err)
{
    rv_http *h;
    RV_TRY(rv_lines_take(&u->d->lines, &h, err));
    rv_status st = guard(u, err);
    if (st == RV_OK) {
        RV_KILL_POINT("store-before-finish");
        st = u->d->ops->upload_finish(u->d->store, h, u->w, u->id, u->pieces, u->n, &u->outcome,
                                      err);
        RV_KILL_POINT("store-after-finish");
    }
    rv_lines_give(&u->d->lines, h);
    return st;
}

/* Its id is in state too: what cannot be aborted now is aborted by the next start. */
static void abort_now(rv_parted *u)
{
    rv_http *h;
    rv_error ignored = {.code = RV_OK};
    rv_store_outcome outcome;
    rv_status st = rv_lines_take(&u->d->lines, &h, &ignored);
    if (st == RV_OK) {
        st = u->d->ops->upload_abort(u->d->store, h, u->w->name, u->id, &outcome, &ignored);
        rv_lines_give(&u->d->lines, h);
    }
    if (st != RV_OK)
        RV_LOG_WARN(u->d->env, "%s%s: the unfinished upload was not aborted: %s",
                    rv_cloud_uri(u->d), u->spec->key, ignored.text);
}

static rv_status send_begun(rv_parted *u, rv_error *err)
{
    if (u->spec->on_upload_id && u->id[0])
        RV_TRY(u->spec->on_upload_id(u->spec->on_upload_ctx, u->id, err));
    RV_TRY(send_all(u, err));
    return u->outcome == RV_STORE_DONE ? finish(u, err) : RV_OK;
}

rv_status rv_cloud_upload(rv_dest *d, const rv_put_spec *spec, const rv_store_write *w,
                          rv_store_outcome *out, rv_error *err)
{
    rv_parted u = {.d = d, .spec = spec, .w = w, .outcome = RV_STORE_DONE};
    rv_buf id = RV_BUF_INIT;
    (void)pthread_mutex_init(&u.lock, NULL);
    rv_status st = cut(&u, err);
    if (st == RV_OK)
        st = begin(&u, &id, err);
    if (st == RV_OK && u.outcome == RV_STORE_DONE) {
        st = send_begun(&u, err);
        if (st != RV_OK || u.outcome != RV_STORE_DONE)
            abort_now(&u);
    } else if (id.len && u.id) {
        abort_now(&u);
    }
    if (st == RV_OK)
        *out = u.outcome;
    rv_free(u.pieces);
    rv_buf_free(&id);
    (void)pthread_mutex_destroy(&u.lock);
    return st;
}
