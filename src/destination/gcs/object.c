#include <stdio.h>

#include "base/file.h"
#include "base/hash.h"
#include "destination/gcs/gcs_internal.h"
#include "net/crypto.h"

#define OBJECTS "/storage/v1/b/"
#define UPLOADS "/upload/storage/v1/b/"
#define FIELDS "fields=name,size,md5Hash,generation,metadata"

/* ---- put: a document and the content as one body of two parts ---- */

typedef struct envelope {
    const rv_store_write *w;
    rv_buf head;
    char tail[64];
    size_t tail_len;
} envelope;

static rv_status read_content(const envelope *e, uint64_t at, void *out, size_t n, rv_error *err)
{
    if (e->w->fd >= 0)
        return rv_file_pread(e->w->fd, out, n, at, "the body of a request", err);
    memcpy(out, e->w->bytes.ptr + at, n);
    return RV_OK;
}

static rv_status read_envelope(void *ctx, uint64_t at, void *out, size_t n, rv_error *err)
{
    const envelope *e = ctx;
    uint8_t *to = out;
    uint64_t content_end = e->head.len + e->w->size_bytes;
    while (n) {
        size_t step = n;
        if (at < e->head.len) {
            step = e->head.len - at < n ? e->head.len - (size_t)at : n;
            memcpy(to, e->head.ptr + at, step);
        } else if (at < content_end) {
            step = content_end - at < n ? (size_t)(content_end - at) : n;
            RV_TRY(read_content(e, at - e->head.len, to, step, err));
        } else {
            memcpy(to, e->tail + (at - content_end), step);
        }
        at += step;
        to += step;
        n -= step;
    }
    return RV_OK;
}

static rv_status fill_envelope(rv_store *s, rv_call *c, envelope *e, const char *mark,
                               rv_error *err)
{
    RV_TRY(rv_buf_printf(&e->head, err,
                         "--%s\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n", mark));
    RV_TRY(rv_gcs_describe(s, c, e->w, &e->head, err));
    RV_TRY(rv_buf_printf(&e->head, err, "\r\n--%s\r\nContent-Type: %s\r\n\r\n", mark,
                         e->w->mime ? e->w->mime : "application/octet-stream"));
    int n = snprintf(e->tail, sizeof e->tail, "\r\n--%s--\r\n", mark);
    e->tail_len = (size_t)n;
    c->req.body = (rv_http_body){.kind = RV_HTTP_READER,
                                 .read = read_envelope,
                                 .ctx = e,
                                 .len = e->head.len + e->w->size_bytes + e->tail_len};
    return rv_call_addf(c, "Content-Type", err, "multipart/related; boundary=%s", mark);
}

static rv_status send_put(rv_store *s, rv_call *c, envelope *e, rv_buf *query,
                          rv_store_outcome *out, rv_error *err)
{
    uint8_t dice[16];
    char mark[33]; /* so long that no content holds it */
    const rv_store_write *w = e->w;
    RV_TRY(rv_env_random(dice, sizeof dice, err));
    rv_hex(dice, sizeof dice, mark);
    RV_TRY(rv_buf_add_c(query, "uploadType=multipart&" FIELDS, err));
    RV_TRY(rv_gcs_condition(query, w->condition, w->version, err));
    if (s->kms_key)
        RV_TRY(rv_oauth_field(query, "kmsKeyName", rv_str_c(s->kms_key), err));
    RV_TRY(rv_gcs_url(s, c, UPLOADS, NULL, query, err));
    RV_TRY(fill_envelope(s, c, e, mark, err));
    c->req.method = "POST";
    RV_TRY(rv_call_send(c, err));
    RV_TRY(rv_gcs_settle_new(s, c, w->condition, out, err));
    return *out == RV_STORE_DONE ? rv_gcs_verify(s, c, w, err) : RV_OK;
}

rv_status rv_gcs_put(rv_store *s, rv_http *h, const rv_store_write *w, rv_store_outcome *out,
                     rv_error *err)
{
    rv_call c = RV_CALL_INIT(&s->rules, h);
    envelope e = {.w = w, .head = RV_BUF_INIT};
    rv_buf query = RV_BUF_INIT;
    rv_store_outcome found = RV_STORE_DONE;
    rv_status st = send_put(s, &c, &e, &query, &found, err);
    if (st == RV_OK)
        *out = found;
    rv_buf_free(&e.head);
    rv_buf_free(&query);
    rv_call_free(&c);
    return st;
}

/* ---- head ---- */

static rv_status send_head(rv_store *s, rv_call *c, const char *name, rv_object *out,
                           rv_store_outcome *outcome, rv_error *err)
{
    rv_buf query = RV_BUF_INIT;
    json_t *doc = NULL;
    rv_status st;
    RV_GO(rv_buf_add_c(&query, FIELDS, err));
    RV_GO(rv_gcs_url(s, c, OBJECTS, name, &query, err));
    c->req.method = "GET";
    RV_GO(rv_call_send(c, err));
    RV_GO(rv_gcs_settle(s, c, RV_STORE_ALWAYS, outcome, err));
    doc = *outcome == RV_STORE_DONE ? rv_gcs_document(&c->r) : NULL;
    if (*outcome == RV_STORE_DONE && !rv_gcs_object(doc, out))
        st = rv_http_fail(&c->req, &c->r, RV_E_DEST_IO,
                          RV_STR("the store's description of the object cannot be read"), err);
done:
    json_decref(doc);
    rv_buf_free(&query);
    return st;
}

rv_status rv_gcs_head(rv_store *s, rv_http *h, const char *name, rv_object *out,
                      rv_store_outcome *outcome, rv_error *err)
{
    rv_call c = RV_CALL_INIT(&s->rules, h);
    rv_store_outcome found = RV_STORE_DONE;
    rv_status st = send_head(s, &c, name, out, &found, err);
    if (st == RV_OK)
        *outcome = found;
    rv_call_free(&c);
    return st;
}

/* ---- get ---- */

static rv_status pin(rv_call *c, rv_error *err)
{
    rv_str generation = rv_http_header_get(&c->r, "x-goog-generation");
    uint64_t n;
    if (!rv_str_u64(generation, &n))
        return RV_OK;
    return rv_arena_printf(&c->arena, &c->req.url, err, "%s&ifGenerationMatch=%llu", c->req.url,
                           (unsigned long long)n);
}

rv_status rv_gcs_get(rv_store *s, rv_http *h, const char *name, uint64_t offset, uint64_t len,
                     rv_sink sink, rv_store_outcome *outcome, rv_error *err)
{
    rv_call c = RV_CALL_INIT(&s->rules, h);
    rv_buf query = RV_BUF_INIT;
    rv_store_outcome found = RV_STORE_DONE;
    rv_status st = RV_OK;
    if (len == 0)
        goto done;
    RV_GO(rv_buf_add_c(&query, "alt=media", err));
    RV_GO(rv_gcs_url(s, &c, OBJECTS, name, &query, err));
    c.req.method = "GET";
    RV_GO(rv_call_fetch(&c, offset, len, sink, pin, err));
    if (c.r.status != 416) /* behind the end there is nothing */
        RV_GO(rv_gcs_settle(s, &c, RV_STORE_ALWAYS, &found, err));
done:
    if (st == RV_OK)
        *outcome = found;
    rv_buf_free(&query);
    rv_call_free(&c);
    return st;
}

/* ---- remove ---- */

rv_status rv_gcs_remove(rv_store *s, rv_http *h, const char *name, const char *version,
                        rv_store_outcome *outcome, rv_error *err)
{
    rv_call c = RV_CALL_INIT(&s->rules, h);
    rv_buf query = RV_BUF_INIT;
    rv_store_outcome found = RV_STORE_DONE;
    rv_store_condition condition = version && version[0] ? RV_STORE_IF_VERSION : RV_STORE_ALWAYS;
    rv_status st;
    RV_GO(rv_gcs_condition(&query, condition, version, err));
    RV_GO(rv_gcs_url(s, &c, OBJECTS, name, &query, err));
    c.req.method = "DELETE";
    RV_GO(rv_call_send(&c, err));
    RV_GO(rv_gcs_settle(s, &c, condition, &found, err));
    *outcome = found;
done:
    rv_buf_free(&query);
    rv_call_free(&c);
    return st;
}

/* ---- copy: a rewrite, which a large object takes several requests for ---- */

static rv_status rewrite_url(rv_store *s, rv_call *c, const char *from, const rv_object *version,
                             const char *to, const rv_buf *token, rv_error *err)
{
    rv_buf query = RV_BUF_INIT, url = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_gcs_url(s, c, OBJECTS, from, NULL, err));
    RV_GO(rv_buf_printf(&url, err, "%s/rewriteTo/b/", c->req.url));
    RV_GO(rv_percent(rv_str_c(s->bucket), "", &url, err));
    RV_GO(rv_buf_add_c(&url, "/o/", err));
    RV_GO(rv_percent(rv_str_c(to), "", &url, err));
    RV_GO(rv_gcs_condition(&query, RV_STORE_IF_ABSENT, NULL, err));
    if (version->version[0])
        RV_GO(rv_oauth_field(&query, "ifSourceGenerationMatch", rv_str_c(version->version), err));
    if (s->kms_key)
        RV_GO(rv_oauth_field(&query, "destinationKmsKeyName", rv_str_c(s->kms_key), err));
    if (token->len)
        RV_GO(rv_oauth_field(&query, "rewriteToken", rv_buf_str(token), err));
    RV_GO(rv_buf_printf(&url, err, "?%.*s", RV_STR_ARG(rv_buf_str(&query))));
    RV_GO(rv_arena_cstr(&c->arena, rv_buf_str(&url), &c->req.url, err));
done:
    rv_buf_free(&query);
    rv_buf_free(&url);
    return st;
}

/* Leaves the token of the next request, empty when it was the last. */
static rv_status read_rewrite(rv_call *c, rv_buf *token, rv_error *err)
{
    json_t *doc = rv_gcs_document(&c->r);
    bool over = json_is_true(json_object_get(doc, "done"));
    const char *next = rv_oauth_text(doc, "rewriteToken");
    rv_status st = RV_OK;
    rv_buf_clear(token);
    if (!over && !next)
        st = rv_http_fail(&c->req, &c->r, RV_E_DEST_IO,
                          RV_STR("the store's answer to a copy cannot be read"), err);
    else if (!over)
        st = rv_buf_add_c(token, next, err);
    json_decref(doc);
    return st;
}

static rv_status rewrite_once(rv_store *s, rv_http *h, const char *from, const rv_object *version,
                              const char *to, rv_buf *token, rv_store_outcome *outcome,
                              rv_error *err)
{
    rv_call c = RV_CALL_INIT(&s->rules, h);
    rv_status st;
    RV_GO(rewrite_url(s, &c, from, version, to, token, err));
    c.req.method = "POST";
    RV_GO(rv_call_send(&c, err));
    RV_GO(rv_gcs_settle(s, &c, RV_STORE_IF_ABSENT, outcome, err));
    if (*outcome == RV_STORE_DONE)
        RV_GO(read_rewrite(&c, token, err));
    else
        rv_buf_clear(token);
done:
    rv_call_free(&c);
    return st;
}

rv_status rv_gcs_copy(rv_store *s, rv_http *h, const char *from, const rv_object *version,
                      const char *to, rv_store_outcome *outcome, rv_error *err)
{
    rv_buf token = RV_BUF_INIT;
    rv_store_outcome found = RV_STORE_DONE;
    rv_status st;
    do {
        st = rewrite_once(s, h, from, version, to, &token, &found, err);
    } while (st == RV_OK && token.len);
    if (st == RV_OK)
        *outcome = found;
    rv_buf_free(&token);
    return st;
}
