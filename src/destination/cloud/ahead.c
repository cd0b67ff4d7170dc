#include <string.h>

#include "destination/cloud/cloud_internal.h"

void rv_ahead_init(rv_ahead *a)
{
    (void)pthread_mutex_init(&a->lock, NULL);
}

void rv_ahead_close(rv_ahead *a)
{
    for (size_t i = 0; i < RV_AHEAD_SLOTS; i++)
        rv_buf_free(&a->slots[i].data);
    (void)pthread_mutex_destroy(&a->lock);
}

static void empty(rv_ahead_slot *s)
{
    s->key[0] = '\0';
    s->start = 0;
    s->end = s->stale = false;
    rv_buf_clear(&s->data);
}

void rv_ahead_forget(rv_ahead *a, const char *key)
{
    (void)pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < RV_AHEAD_SLOTS; i++) {
        rv_ahead_slot *s = &a->slots[i];
        if (strcmp(s->key, key) != 0)
            continue;
        if (s->busy)
            s->stale = true;
        else
            empty(s);
    }
    (void)pthread_mutex_unlock(&a->lock);
}

/* ---- all under the lock ---- */

/* The slot that holds the byte at offset, or knows that there is none. */
static rv_ahead_slot *find(rv_ahead *a, const char *key, uint64_t offset)
{
    for (size_t i = 0; i < RV_AHEAD_SLOTS; i++) {
        rv_ahead_slot *s = &a->slots[i];
        if (s->busy || strcmp(s->key, key) != 0 || offset < s->start)
            continue;
        uint64_t at = offset - s->start;
        if (at < s->data.len || (s->end && at == s->data.len))
            return s;
    }
    return NULL;
}

/* Who reads on where a slot ends gets it again with twice the window; else the oldest goes. NULL:
 * every one is being filled. */
static rv_ahead_slot *claim(rv_ahead *a, const char *key, uint64_t offset)
{
    rv_ahead_slot *oldest = NULL;
    for (size_t i = 0; i < RV_AHEAD_SLOTS; i++) {
        rv_ahead_slot *s = &a->slots[i];
        if (s->busy)
            continue;
        if (strcmp(s->key, key) == 0 && s->start + s->data.len == offset) {
            s->window = s->window * 2 < RV_AHEAD_MOST ? s->window * 2 : RV_AHEAD_MOST;
            return s;
        }
        if (!oldest || s->used < oldest->used)
            oldest = s;
    }
    if (oldest)
        oldest->window = RV_AHEAD_LEAST;
    return oldest;
}

static size_t copy_out(rv_ahead *a, rv_ahead_slot *s, uint64_t offset, uint8_t *out, size_t len)
{
    size_t at = (size_t)(offset - s->start);
    size_t n = s->data.len - at < len ? s->data.len - at : len;
    if (n)
        memcpy(out, s->data.ptr + at, n);
    s->used = ++a->clock;
    return n;
}

/* ---- requests ---- */

typedef struct room { /* a sink of so many bytes */
    uint8_t *out;
    size_t len, cap;
} room;

static rv_status take_in(void *self, rv_bytes data, rv_error *err)
{
    room *r = self;
    if (data.len > r->cap - r->len)
        return rv_fail(err, RV_E_DEST_IO, "the store sends more of an object than was asked for");
    memcpy(r->out + r->len, data.ptr, data.len);
    r->len += data.len;
    return RV_OK;
}

static rv_status fetch(rv_dest *d, const char *key, uint64_t offset, room *r, rv_error *err)
{
    char name[RV_CLOUD_NAME_SIZE];
    rv_http *h;
    rv_store_outcome outcome = RV_STORE_MISSING;
    RV_TRY(rv_cloud_name(d, key, name, err));
    RV_TRY(rv_lines_take(&d->lines, &h, err));
    rv_status st =
        d->ops->get(d->store, h, name, offset, r->cap, (rv_sink){r, take_in}, &outcome, err);
    rv_lines_give(&d->lines, h);
    if (st == RV_OK && outcome != RV_STORE_DONE)
        st = rv_fail(err, RV_E_DEST_IO, "it is missing");
    return rv_cloud_fail(d, st, "read", key, err);
}

/* Fills a claimed slot from offset on and hands out what was asked for; returns locked. */
static rv_status refill(rv_dest *d, rv_ahead_slot *s, const char *key, uint64_t offset, room *want,
                        rv_error *err)
{
    rv_ahead *a = &d->ahead;
    size_t left = want->cap - want->len;
    size_t len = left < s->window ? s->window : left;
    empty(s);
    memcpy(s->key, key, strlen(key) + 1);
    s->busy = true;
    (void)pthread_mutex_unlock(&a->lock);
    rv_status st = rv_buf_reserve(&s->data, len, err);
    room r = {.out = s->data.ptr, .cap = len};
    if (st == RV_OK)
        st = fetch(d, key, offset, &r, err);
    (void)pthread_mutex_lock(&a->lock);
    s->busy = false;
    if (st != RV_OK) {
        empty(s);
        return st;
    }
    s->start = offset;
    s->data.len = r.len;
    s->end = r.len < len;
    want->len += copy_out(a, s, offset, want->out + want->len, left);
    if (s->stale)
        empty(s);
    return RV_OK;
}

/* One step under the lock: from a slot, or by a request. *out_end: there is no more. */
static rv_status step(rv_dest *d, const char *key, uint64_t offset, room *want, bool *out_end,
                      rv_error *err)
{
    rv_ahead *a = &d->ahead;
    size_t had = want->len, left = want->cap - want->len;
    rv_ahead_slot *s = find(a, key, offset);
    if (s) {
        want->len += copy_out(a, s, offset, want->out + want->len, left);
        *out_end = want->len == had;
        return RV_OK;
    }
    s = left < RV_AHEAD_MOST ? claim(a, key, offset) : NULL;
    if (s) {
        RV_TRY(refill(d, s, key, offset, want, err));
        *out_end = want->len < want->cap;
        return RV_OK;
    }
    room direct = {.out = want->out + want->len, .cap = left};
    (void)pthread_mutex_unlock(&a->lock);
    rv_status st = fetch(d, key, offset, &direct, err);
    (void)pthread_mutex_lock(&a->lock);
    want->len += direct.len;
    *out_end = true;
    return st;
}

rv_status rv_ahead_read(rv_dest *d, const char *key, uint64_t offset, uint8_t *out, size_t len,
                        size_t *out_len, rv_error *err)
{
    char name[RV_CLOUD_NAME_SIZE];
    room want = {.out = out, .cap = len};
    bool end = false;
    RV_TRY(rv_cloud_name(d, key, name, err));
    /* after a signal nothing is read on; what is read from its start is needed to say so */
    rv_status st = offset ? rv_cancel_check(d->env->cancel, err) : RV_OK;
    (void)pthread_mutex_lock(&d->ahead.lock);
    while (st == RV_OK && !end && want.len < len)
        st = step(d, key, offset + want.len, &want, &end, err);
    (void)pthread_mutex_unlock(&d->ahead.lock);
    if (st == RV_OK)
        *out_len = want.len;
    return st;
}
