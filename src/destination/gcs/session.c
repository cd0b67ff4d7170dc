/* A large object: one session that takes its bytes in order. The session is known by the path and
 * query of its address; its host is always that of the endpoint, so that a forged Location moves
 * nothing elsewhere. The last piece is held back until the finish: with it the object appears. */
#include <stdio.h>

#include "destination/gcs/gcs_internal.h"

#define UPLOADS "/upload/storage/v1/b/"

/* ---- begin ---- */

static rv_status read_location(rv_call *c, rv_buf *upload_id, rv_error *err)
{
    rv_str place = rv_http_header_get(&c->r, "Location");
    const char *host = place.len ? memmem(place.ptr, place.len, "://", 3) : NULL;
    size_t skip = host ? (size_t)(host + 3 - place.ptr) : 0;
    rv_str rest = {place.ptr + skip, place.len - skip};
    const char *path = rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
    if (!path)
        return rv_http_fail(&c->req, &c->r, RV_E_DEST_IO,
                            RV_STR("the store opens an upload without saying where"), err);
    rv_str id = {path, (size_t)(place.ptr + place.len - path)};
    const char *secret = memmem(id.ptr, id.len, "upload_id=", 10);
    rv_buf_clear(upload_id);
    RV_TRY(rv_buf_add_str(upload_id, id, err));
    if (!secret || !c->rules->env->secrets)
        return RV_OK;
    rv_str value = {secret + 10, 0};
    while (value.ptr + value.len < id.ptr + id.len && value.ptr[value.len] != '&')
        value.len++;
    return rv_secrets_add(c->rules->env->secrets, value, err);
}

static rv_status send_begin(rv_store *s, rv_call *c, const rv_store_write *w, rv_buf *document,
                            rv_buf *query, rv_buf *upload_id, rv_store_outcome *out, rv_error *err)
{
    RV_TRY(rv_buf_add_c(query, "uploadType=resumable", err));
    RV_TRY(rv_oauth_field(query, "name", rv_str_c(w->name), err));
    RV_TRY(rv_gcs_condition(query, w->condition, w->version, err));
    if (s->kms_key)
        RV_TRY(rv_oauth_field(query, "kmsKeyName", rv_str_c(s->kms_key), err));
    RV_TRY(rv_gcs_url(s, c, UPLOADS, NULL, query, err));
    RV_TRY(rv_gcs_describe(s, c, w, document, err));
    c->req.method = "POST";
    c->req.body = (rv_http_body){.kind = RV_HTTP_BYTES, .bytes = rv_buf_bytes(document)};
    RV_TRY(rv_call_add(c, "Content-Type", "application/json; charset=UTF-8", err));
    if (w->mime)
        RV_TRY(rv_call_add(c, "X-Upload-Content-Type", w->mime, err));
    RV_TRY(
        rv_call_addf(c, "X-Upload-Content-Length", err, "%llu", (unsigned long long)w->size_bytes));
    RV_TRY(rv_call_send(c, err));
    RV_TRY(rv_gcs_settle_new(s, c, w->condition, out, err));
    return *out == RV_STORE_DONE ? read_location(c, upload_id, err) : RV_OK;
}

rv_status rv_gcs_upload_begin(rv_store *s, rv_http *h, const rv_store_write *w, rv_buf *upload_id,
                              rv_store_outcome *outcome, rv_error *err)
{
    rv_call c = RV_CALL_INIT(&s->rules, h);
    rv_buf document = RV_BUF_INIT, query = RV_BUF_INIT;
    rv_store_outcome found = RV_STORE_DONE;
    rv_status st = send_begin(s, &c, w, &document, &query, upload_id, &found, err);
    if (st == RV_OK)
        *outcome = found;
    rv_buf_free(&document);
    rv_buf_free(&query);
    rv_call_free(&c);
    return st;
}

static rv_status session_url(const rv_store *s, rv_call *c, const char *upload_id, rv_error *err)
{
    const char *host = strstr(s->base, "://") + 3;
    size_t len = (size_t)(host - s->base) + strcspn(host, "/");
    return rv_arena_printf(&c->arena, &c->req.url, err, "%.*s%s", (int)len, s->base, upload_id);
}

/* ---- the bytes ---- */

typedef struct stream { /* bytes of the object on their way */
    const rv_store_write *w;
    uint64_t at, end; /* next byte; behind the last one that is to be sent now */
    bool ask;         /* this try asks how much has arrived */
    bool sent;        /* a try went out and no answer to it was seen */
    bool whole;       /* the object is there */
    char range[80];
    rv_call *call;
} stream;

/* What an answer nobody saw may have done is asked, not guessed: a chunk that was kept must not be
 * sent at the wrong place. */
static rv_status shape(void *ctx, unsigned attempt, rv_http_request *io, rv_error *err)
{
    stream *x = ctx;
    unsigned long long total = x->w->size_bytes;
    (void)attempt;
    x->ask = x->ask || x->sent;
    if (x->ask) {
        (void)snprintf(x->range, sizeof x->range, "bytes */%llu", total);
        io->body = (rv_http_body){.kind = RV_HTTP_NO_BODY};
    } else {
        if (x->at < x->end)
            (void)snprintf(x->range, sizeof x->range, "bytes %llu-%llu/%llu",
                           (unsigned long long)x->at, (unsigned long long)(x->end - 1), total);
        else
            (void)snprintf(x->range, sizeof x->range, "bytes */%llu", total);
        io->body = (rv_http_body){
            .kind = RV_HTTP_FILE, .fd = x->w->fd, .offset = x->at, .len = x->end - x->at};
    }
    x->sent = true;
    return rv_call_add(x->call, "Content-Range", x->range, err);
}

/* "bytes=0-N": N + 1 bytes have arrived; without it none. */
static uint64_t arrived(const rv_http_response *r)
{
    rv_str range = rv_http_header_get(r, "Range");
    uint64_t n;
    if (!rv_str_starts(range, RV_STR("bytes=0-")))
        return 0;
    rv_str last = {range.ptr + 8, range.len - 8};
    return rv_str_u64(last, &n) && n < UINT64_MAX ? n + 1 : 0;
}

static rv_http_verdict follow(void *ctx, const rv_http_response *r)
{
    stream *x = ctx;
    bool listed = r->status == 408 || r->status == 429 || r->status >= 500;
    x->sent = false;
    x->ask = listed;
    if (r->status == 200 || r->status == 201) {
        x->whole = true;
        return RV_HTTP_ANSWER;
    }
    if (r->status != 308)
        return RV_HTTP_AS_LISTED;
    x->at = arrived(r);
    /* all of it and no object yet: the server is at work, asked again in a while */
    if (x->at >= x->end && x->end == x->w->size_bytes) {
        x->ask = true;
        return RV_HTTP_AGAIN;
    }
    return x->at < x->end ? RV_HTTP_AGAIN_NOW : RV_HTTP_ANSWER;
}

static rv_status send_stream(rv_store *s, rv_call *c, stream *x, const char *upload_id,
                             rv_error *err)
{
    RV_TRY(session_url(s, c, upload_id, err));
    c->req.method = "PUT";
    c->shape = shape;
    c->follow = follow;
    c->ctx = x;
    x->call = c;
    for (;;) { /* each round of tries has to bring the upload further */
        uint64_t before = x->at;
        rv_status st = rv_call_send(c, err);
        if (st == RV_OK && x->sent) /* nobody judges the answer to the last try */
            (void)follow(x, &c->r);
        bool done = x->whole || (x->at >= x->end && x->end < x->w->size_bytes);
        bool further = x->at > before;
        if (done || (st != RV_OK && !further) || (st == RV_OK && c->r.status != 308) || !further)
            return st;
        x->sent = st != RV_OK;
    }
}

/* What the last answer means, when the object is not there by it. */
static rv_status settle_stream(rv_store *s, rv_call *c, const stream *x, rv_store_outcome *out,
                               rv_error *err)
{
    if (c->r.status == 308) {
        if (x->at >= x->end && x->end < x->w->size_bytes) {
            *out = RV_STORE_DONE;
            return RV_OK;
        }
        rv_status st = rv_http_fail(&c->req, &c->r, RV_E_DEST_UNREACHABLE,
                                    RV_STR("the upload does not go on"), err);
        if (err)
            err->retry = RV_RETRY_N;
        return st;
    }
    if (c->r.status == 404 || c->r.status == 410 || c->r.status == 499) {
        *out = RV_STORE_MISSING;
        return RV_OK;
    }
    return rv_gcs_settle(s, c, x->w->condition, out, err);
}

rv_status rv_gcs_upload_part(rv_store *s, rv_http *h, const rv_store_write *w,
                             const char *upload_id, rv_store_piece *io, rv_store_outcome *outcome,
                             rv_error *err)
{
    rv_call c = RV_CALL_INIT(&s->rules, h);
    stream x = {.w = w, .at = io->offset, .end = io->offset + io->len};
    rv_store_outcome found = RV_STORE_DONE;
    rv_status st = RV_OK;
    io->tag[0] = '\0';
    if (!io->last) {
        RV_GO(send_stream(s, &c, &x, upload_id, err));
        if (!x.whole)
            RV_GO(settle_stream(s, &c, &x, &found, err));
    }
    *outcome = found;
done:
    rv_call_free(&c);
    return st;
}

rv_status rv_gcs_upload_finish(rv_store *s, rv_http *h, const rv_store_write *w,
                               const char *upload_id, const rv_store_piece *pieces, size_t n,
                               rv_store_outcome *outcome, rv_error *err)
{
    rv_call c = RV_CALL_INIT(&s->rules, h);
    stream x = {.w = w, .at = n ? pieces[n - 1].offset : 0, .end = w->size_bytes};
    rv_store_outcome found = RV_STORE_DONE;
    rv_status st;
    RV_GO(send_stream(s, &c, &x, upload_id, err));
    if (x.whole)
        RV_GO(rv_gcs_verify(s, &c, w, err));
    else
        RV_GO(settle_stream(s, &c, &x, &found, err));
    *outcome = found;
done:
    rv_call_free(&c);
    return st;
}

/* ---- giving up ---- */

static bool is_session(const char *upload_id)
{
    return upload_id && upload_id[0] == '/' && strstr(upload_id, "upload_id=") != NULL;
}

rv_status rv_gcs_upload_abort(rv_store *s, rv_http *h, const char *name, const char *upload_id,
                              rv_store_outcome *outcome, rv_error *err)
{
    rv_call c = RV_CALL_INIT(&s->rules, h);
    rv_status st = RV_OK;
    (void)name;
    if (!is_session(upload_id)) {
        *outcome = RV_STORE_MISSING;
        goto done;
    }
    RV_GO(session_url(s, &c, upload_id, err));
    c.req.method = "DELETE";
    rv_call_cleans_up(&c);
    st = rv_call_send(&c, err);
    /* whoever has lost the credentials may still end what the address alone allows */
    c.bare = st == RV_E_DEST_AUTH || (st == RV_OK && c.r.status == 401);
    if (c.bare)
        st = rv_call_send(&c, err);
    RV_GO(st);
    /* 499 is how the service says that it did so */
    if (c.r.status == 499 || (c.r.status >= 200 && c.r.status < 300))
        *outcome = RV_STORE_DONE;
    else if (c.r.status == 404 || c.r.status == 410)
        *outcome = RV_STORE_MISSING;
    else
        st = rv_gcs_fail(s, &c, err);
done:
    rv_call_free(&c);
    return st;
}
