#include <stdio.h>

#include "destination/azure/azure_internal.h"

#define POLL_US ((int64_t)200000)
#define POLL_MOST_US ((int64_t)5000000)

/* A name that was to be written is never "missing": its container is. */
static rv_status no_place(rv_store *s, rv_call *c, rv_error *err)
{
    rv_status st = rv_azure_fail(s, c, err);
    if (st == RV_E_DEST_IO && err)
        err->code = RV_E_DEST_NO_BUCKET;
    return st == RV_E_DEST_IO ? RV_E_DEST_NO_BUCKET : st;
}

static rv_status send_put(rv_store *s, rv_call *c, const rv_store_write *w, rv_store_outcome *out,
                          rv_error *err)
{
    const char *md5 = NULL;
    c->req.method = "PUT";
    c->req.body = w->fd >= 0
                      ? (rv_http_body){.kind = RV_HTTP_FILE, .fd = w->fd, .len = w->size_bytes}
                      : (rv_http_body){.kind = RV_HTTP_BYTES, .bytes = w->bytes};
    RV_TRY(rv_azure_url(s, c, w->name, "", err));
    RV_TRY(rv_call_md5(c, w->md5, &md5, err));
    RV_TRY(rv_call_add(c, "x-ms-blob-type", "BlockBlob", err));
    RV_TRY(rv_call_add(c, "Content-MD5", md5, err));
    RV_TRY(rv_azure_describe(s, c, w, err));
    RV_TRY(rv_azure_condition(c, w->condition, w->version, err));
    RV_TRY(rv_call_send(c, err));
    RV_TRY(rv_azure_settle(s, c, w->condition, out, err));
    if (*out == RV_STORE_MISSING && w->condition == RV_STORE_IF_VERSION &&
        rv_str_eq(rv_azure_code(c), RV_STR("BlobNotFound")))
        *out = RV_STORE_UNMET; /* the version is gone */
    if (*out == RV_STORE_MISSING)
        return no_place(s, c, err);
    return *out == RV_STORE_DONE
               ? rv_call_compare(c, rv_http_header_get(&c->r, "Content-MD5"), w->md5, err)
               : RV_OK;
}

rv_status rv_azure_put(rv_store *s, rv_http *h, const rv_store_write *w, rv_store_outcome *out,
                       rv_error *err)
{
    rv_call c = RV_CALL_INIT(&s->rules, h);
    rv_store_outcome found = RV_STORE_DONE;
    rv_status st = send_put(s, &c, w, &found, err);
    if (st == RV_OK)
        *out = found;
    rv_call_free(&c);
    return st;
}

/* ---- head ---- */

static void copy_text(rv_str from, char *out, size_t size)
{
    size_t n = from.len < size ? from.len : 0;
    if (n)
        memcpy(out, from.ptr, n);
    out[n] = '\0';
}

static rv_status read_head(rv_call *c, rv_object *out, rv_error *err)
{
    rv_object o = {.size_bytes = 0};
    if (!rv_str_u64(rv_http_header_get(&c->r, "Content-Length"), &o.size_bytes))
        return rv_http_fail(&c->req, &c->r, RV_E_DEST_IO,
                            RV_STR("the store does not say how large the object is"), err);
    rv_call_hex(rv_http_header_get(&c->r, "Content-MD5"), o.md5);
    copy_text(rv_http_header_get(&c->r, "x-ms-meta-" RV_AZURE_OWNER), o.owner, sizeof o.owner);
    copy_text(rv_http_header_get(&c->r, "ETag"), o.version, sizeof o.version);
    memcpy(o.key, out->key, sizeof o.key);
    *out = o;
    return RV_OK;
}

static rv_status send_head(rv_store *s, rv_call *c, const char *name, rv_store_outcome *outcome,
                           rv_error *err)
{
    c->req.method = "HEAD";
    RV_TRY(rv_azure_url(s, c, name, "", err));
    RV_TRY(rv_call_send(c, err));
    return rv_azure_settle(s, c, RV_STORE_ALWAYS, outcome, err);
}

rv_status rv_azure_head(rv_store *s, rv_http *h, const char *name, rv_object *out,
                        rv_store_outcome *outcome, rv_error *err)
{
    rv_call c = RV_CALL_INIT(&s->rules, h);
    rv_store_outcome found = RV_STORE_DONE;
    rv_status st = send_head(s, &c, name, &found, err);
    if (st == RV_OK && found == RV_STORE_DONE)
        st = read_head(&c, out, err);
    if (st == RV_OK)
        *outcome = found;
    rv_call_free(&c);
    return st;
}

/* ---- get ---- */

static rv_status pin(rv_call *c, rv_error *err)
{
    rv_str tag = rv_http_header_get(&c->r, "ETag");
    return tag.len ? rv_call_addf(c, "If-Match", err, "%.*s", RV_STR_ARG(tag)) : RV_OK;
}

rv_status rv_azure_get(rv_store *s, rv_http *h, const char *name, uint64_t offset, uint64_t len,
                       rv_sink sink, rv_store_outcome *outcome, rv_error *err)
{
    rv_call c = RV_CALL_INIT(&s->rules, h);
    rv_store_outcome found = RV_STORE_DONE;
    rv_status st = RV_OK;
    c.req.method = "GET";
    if (len == 0)
        goto done;
    RV_GO(rv_azure_url(s, &c, name, "", err));
    RV_GO(rv_call_fetch(&c, offset, len, sink, pin, err));
    if (c.r.status != 416) /* behind the end there is nothing */
        RV_GO(rv_azure_settle(s, &c, RV_STORE_ALWAYS, &found, err));
done:
    if (st == RV_OK)
        *outcome = found;
    rv_call_free(&c);
    return st;
}

/* ---- remove, copy ---- */

static rv_status send_remove(rv_store *s, rv_call *c, const char *name, const char *version,
                             rv_store_outcome *outcome, rv_error *err)
{
    rv_store_condition condition = version && version[0] ? RV_STORE_IF_VERSION : RV_STORE_ALWAYS;
    c->req.method = "DELETE";
    RV_TRY(rv_azure_url(s, c, name, "", err));
    RV_TRY(rv_azure_condition(c, condition, version, err));
    RV_TRY(rv_call_send(c, err));
    return rv_azure_settle(s, c, condition, outcome, err);
}

rv_status rv_azure_remove(rv_store *s, rv_http *h, const char *name, const char *version,
                          rv_store_outcome *outcome, rv_error *err)
{
    rv_call c = RV_CALL_INIT(&s->rules, h);
    rv_store_outcome found = RV_STORE_DONE;
    rv_status st = send_remove(s, &c, name, version, &found, err);
    if (st == RV_OK)
        *outcome = found;
    rv_call_free(&c);
    return st;
}

static rv_status start_copy(rv_store *s, rv_call *c, const char *from, const rv_object *version,
                            const char *to, rv_store_outcome *outcome, rv_error *err)
{
    RV_TRY(rv_azure_url(s, c, from, "", err)); /* with the SAS, which the source needs too */
    RV_TRY(rv_call_add(c, "x-ms-copy-source", c->req.url, err));
    if (version->version[0])
        RV_TRY(rv_call_add(c, "x-ms-source-if-match", version->version, err));
    if (s->tier)
        RV_TRY(rv_call_add(c, "x-ms-access-tier", s->tier, err));
    RV_TRY(rv_azure_condition(c, RV_STORE_IF_ABSENT, NULL, err));
    c->req.method = "PUT";
    RV_TRY(rv_azure_url(s, c, to, "", err));
    RV_TRY(rv_call_send(c, err));
    return rv_azure_settle(s, c, RV_STORE_IF_ABSENT, outcome, err);
}

static rv_status check_copy(rv_call *c, bool *out_pending, rv_error *err)
{
    rv_str state = rv_http_header_get(&c->r, "x-ms-copy-status");
    *out_pending = rv_str_eq(state, RV_STR("pending"));
    if (*out_pending || state.len == 0 || rv_str_eq(state, RV_STR("success")))
        return RV_OK;
    return rv_http_fail(&c->req, &c->r, RV_E_DEST_IO,
                        RV_STR("the store gave up copying the object"), err);
}

static rv_status await_copy(rv_store *s, rv_http *h, const char *to, rv_store_outcome *outcome,
                            rv_error *err)
{
    bool pending = true;
    rv_status st = RV_OK;
    for (int64_t wait = POLL_US; pending && st == RV_OK && *outcome == RV_STORE_DONE;
         wait = wait * 2 < POLL_MOST_US ? wait * 2 : POLL_MOST_US) {
        rv_call c = RV_CALL_INIT(&s->rules, h);
        st =
            rv_cancel_sleep_us(s->env->cancel, wait) ? RV_OK : rv_cancel_check(s->env->cancel, err);
        if (st == RV_OK)
            st = send_head(s, &c, to, outcome, err);
        if (st == RV_OK && *outcome == RV_STORE_DONE)
            st = check_copy(&c, &pending, err);
        rv_call_free(&c);
    }
    return st;
}

rv_status rv_azure_copy(rv_store *s, rv_http *h, const char *from, const rv_object *version,
                        const char *to, rv_store_outcome *outcome, rv_error *err)
{
    rv_call c = RV_CALL_INIT(&s->rules, h);
    rv_store_outcome found = RV_STORE_DONE;
    bool pending = false;
    rv_status st = start_copy(s, &c, from, version, to, &found, err);
    if (st == RV_OK && found == RV_STORE_DONE)
        st = check_copy(&c, &pending, err);
    rv_call_free(&c);
    if (st == RV_OK && pending)
        st = await_copy(s, h, to, &found, err);
    if (st == RV_OK)
        *outcome = found;
    return st;
}
