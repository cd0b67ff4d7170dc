#include <stdio.h>

#include "base/json.h"
#include "destination/gcs/gcs_internal.h"
#include "net/crypto.h"

#define WORDS_MAX 300

rv_status rv_gcs_url(rv_store *s, rv_call *c, const char *prefix, const char *name,
                     const rv_buf *query, rv_error *err)
{
    rv_buf url = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_buf_printf(&url, err, "%s%s", s->base, prefix));
    RV_GO(rv_percent(rv_str_c(s->bucket), "", &url, err));
    RV_GO(rv_buf_add_c(&url, "/o", err));
    if (name) {
        RV_GO(rv_buf_add_byte(&url, '/', err));
        RV_GO(rv_percent(rv_str_c(name), "", &url, err));
    }
    if (query && query->len) {
        RV_GO(rv_buf_add_byte(&url, '?', err));
        RV_GO(rv_buf_add_str(&url, rv_buf_str(query), err));
    }
    RV_GO(rv_arena_cstr(&c->arena, rv_buf_str(&url), &c->req.url, err));
done:
    rv_buf_free(&url);
    return st;
}

rv_status rv_gcs_condition(rv_buf *query, rv_store_condition condition, const char *version,
                           rv_error *err)
{
    switch (condition) {
    case RV_STORE_ALWAYS:
        return RV_OK;
    case RV_STORE_IF_ABSENT:
        return rv_oauth_field(query, "ifGenerationMatch", RV_STR("0"), err);
    case RV_STORE_IF_VERSION:
        break;
    }
    return rv_oauth_field(query, "ifGenerationMatch", rv_str_c(version), err);
}

rv_status rv_gcs_describe(const rv_store *s, rv_call *c, const rv_store_write *w, rv_buf *out,
                          rv_error *err)
{
    rv_json j;
    const char *md5 = NULL;
    RV_TRY(rv_call_md5(c, w->md5, &md5, err));
    rv_json_begin(&j, out, false);
    rv_json_object(&j);
    rv_json_kstr(&j, "name", w->name);
    rv_json_kstr(&j, "contentType", w->mime ? w->mime : "application/octet-stream");
    rv_json_kstr(&j, "md5Hash", md5);
    if (s->storage_class)
        rv_json_kstr(&j, "storageClass", s->storage_class);
    if (w->owner_token && w->owner_token[0]) {
        rv_json_key(&j, "metadata");
        rv_json_object(&j);
        rv_json_kstr(&j, RV_GCS_OWNER, w->owner_token);
        rv_json_object_end(&j);
    }
    rv_json_object_end(&j);
    return rv_json_end(&j, err);
}

/* ---- each try ---- */

rv_status rv_gcs_authorize(void *store, rv_call *c, rv_error *err)
{
    rv_store *s = store;
    if (!s->oauth || c->bare)
        return RV_OK;
    RV_TRY(rv_oauth_bearer(s->oauth, c->http, c->refused, &c->serial, &c->auth, err));
    return rv_call_add(c, "Authorization", (const char *)c->auth.ptr, err);
}

/* ---- answers ---- */

json_t *rv_gcs_document(const rv_http_response *r)
{
    json_t *doc = r->body.len ? json_loadb((const char *)r->body.ptr, r->body.len, 0, NULL) : NULL;
    if (doc && !json_is_object(doc)) {
        json_decref(doc);
        doc = NULL;
    }
    return doc;
}

static const char *reason_of(const json_t *doc)
{
    const json_t *errors = json_object_get(json_object_get(doc, "error"), "errors");
    const char *reason = rv_oauth_text(json_array_get(errors, 0), "reason");
    return reason ? reason : "";
}

/* Downloads are refused in plain words. */
static rv_str words_of(const json_t *doc, const rv_http_response *r)
{
    rv_str kind = rv_http_header_get(r, "Content-Type");
    rv_str text = rv_str_c(rv_oauth_text(json_object_get(doc, "error"), "message"));
    if (!doc && rv_str_starts(kind, RV_STR("text/plain")))
        text = rv_str_trim(rv_buf_str(&r->body));
    text.len = rv_utf8_cut(text, WORDS_MAX);
    return text;
}

static bool has(rv_str text, const char *part)
{
    return text.len && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static bool is_damaged(const rv_http_response *r, const json_t *doc)
{
    /* its reason is the "invalid" of every malformed request: only the words tell */
    return r->status == 400 && has(words_of(doc, r), "doesn't match calculated");
}

rv_http_verdict rv_gcs_judge(void *store, rv_call *c, const rv_http_response *r)
{
    (void)store;
    if (r->status != 400 && r->status != 403)
        return RV_HTTP_AS_LISTED;
    json_t *doc = rv_gcs_document(r);
    rv_str reason = rv_str_c(reason_of(doc));
    bool again = r->status == 403 && (rv_str_eq(reason, RV_STR("rateLimitExceeded")) ||
                                      rv_str_eq(reason, RV_STR("userRateLimitExceeded")));
    if (!c->again && is_damaged(r, doc))
        again = c->again = true; /* the body is read anew from its file */
    json_decref(doc);
    return again ? RV_HTTP_AGAIN : RV_HTTP_AS_LISTED;
}

static rv_status status_of(const rv_http_response *r, const json_t *doc)
{
    int status = r->status;
    if (is_damaged(r, doc))
        return RV_E_DEST_CORRUPT;
    if (status == 401)
        return RV_E_DEST_AUTH;
    if (status == 403)
        return RV_E_DEST_PERMISSION;
    if (status == 404 && has(words_of(doc, r), "bucket does not exist"))
        return RV_E_DEST_NO_BUCKET;
    if (status == 507)
        return RV_E_DEST_NO_SPACE;
    bool passes =
        status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
    return passes ? RV_E_DEST_UNREACHABLE : RV_E_DEST_IO;
}

/* "x@y does not have storage.objects.create access to ..." says who lacks what: that alone is
 * shown, the caller names the object. */
static rv_status denied(rv_call *c, rv_str words, const char **out, rv_error *err)
{
    static const char lacks[] = " does not have ", to[] = " access to ";
    const char *who = words.len ? memmem(words.ptr, words.len, lacks, sizeof lacks - 1) : NULL;
    const char *right = who ? who + sizeof lacks - 1 : NULL;
    size_t left = right ? words.len - (size_t)(right - words.ptr) : 0;
    const char *end = left ? memmem(right, left, to, sizeof to - 1) : NULL;
    *out = NULL;
    if (!end || memchr(right, ' ', (size_t)(end - right)))
        return RV_OK;
    return rv_arena_printf(&c->arena, out, err, "%.*s denied for %.*s", (int)(end - right), right,
                           (int)(who - words.ptr), words.ptr);
}

static void suggest(const rv_store *s, rv_status st, const char *detail, rv_error *err)
{
    const char *role = strstr(detail, ".objects.create")   ? "Creator"
                       : strstr(detail, ".objects.get")    ? "Viewer"
                       : strstr(detail, ".objects.list")   ? "Viewer"
                       : strstr(detail, ".objects.delete") ? "User"
                                                           : "Admin";
    switch ((int)st) {
    case RV_E_DEST_PERMISSION:
        rv_hint(err, "grant Storage Object %s", role);
        break;
    case RV_E_DEST_NO_BUCKET:
        rv_hint(err, "create the bucket '%s', or name another one", s->bucket);
        break;
    case RV_E_DEST_AUTH:
        rv_hint(err, "check the credentials in use: %s", s->described);
        break;
    default:
        break;
    }
}

static rv_status fail_as(rv_store *s, rv_call *c, rv_status st, const json_t *doc, rv_error *err)
{
    const char *detail = NULL;
    rv_str words = words_of(doc, &c->r);
    if (c->r.status >= 300 && c->r.status < 400 && rv_http_header_get(&c->r, "Location").len)
        words = RV_STR("redirects are not followed");
    if (st == RV_E_DEST_PERMISSION)
        RV_TRY(denied(c, words, &detail, err));
    (void)rv_http_fail(&c->req, &c->r, st, words, err);
    if (detail && err)
        (void)snprintf(err->text, sizeof err->text, "%s", detail);
    suggest(s, st, detail ? detail : "", err);
    return st;
}

rv_status rv_gcs_fail(rv_store *s, rv_call *c, rv_error *err)
{
    json_t *doc = rv_gcs_document(&c->r);
    rv_status st = fail_as(s, c, status_of(&c->r, doc), doc, err);
    json_decref(doc);
    return st;
}

static bool is_unmet(const rv_http_response *r, const json_t *doc, rv_store_condition condition)
{
    if (condition == RV_STORE_ALWAYS)
        return false;
    /* creating asks for the right to delete only where there is something to replace */
    return r->status == 412 || (condition == RV_STORE_IF_ABSENT && r->status == 403 &&
                                has(words_of(doc, r), "storage.objects.delete access"));
}

static rv_status settle(rv_store *s, rv_call *c, rv_store_condition condition, bool is_new,
                        rv_store_outcome *out, rv_error *err)
{
    rv_status st = RV_OK;
    if (c->r.status >= 200 && c->r.status < 300) {
        *out = RV_STORE_DONE;
        return RV_OK;
    }
    json_t *doc = rv_gcs_document(&c->r);
    rv_status meant = status_of(&c->r, doc);
    if (is_unmet(&c->r, doc, condition))
        *out = RV_STORE_UNMET;
    else if (condition != RV_STORE_ALWAYS && c->r.status == 501)
        *out = RV_STORE_UNCONDITIONAL;
    else if (c->r.status == 404 && !is_new && meant != RV_E_DEST_NO_BUCKET)
        *out = RV_STORE_MISSING;
    else
        st = fail_as(s, c, c->r.status == 404 ? RV_E_DEST_NO_BUCKET : meant, doc, err);
    json_decref(doc);
    return st;
}

rv_status rv_gcs_settle(rv_store *s, rv_call *c, rv_store_condition condition,
                        rv_store_outcome *out, rv_error *err)
{
    return settle(s, c, condition, false, out, err);
}

rv_status rv_gcs_settle_new(rv_store *s, rv_call *c, rv_store_condition condition,
                            rv_store_outcome *out, rv_error *err)
{
    return settle(s, c, condition, true, out, err);
}

/* ---- objects ---- */

static void copy_text(const char *from, char *out, size_t size)
{
    size_t n = from ? strlen(from) : 0;
    n = n < size ? n : 0;
    if (n)
        memcpy(out, from, n);
    out[n] = '\0';
}

bool rv_gcs_object(const json_t *doc, rv_object *out)
{
    rv_object o = {.size_bytes = 0};
    const char *size = rv_oauth_text(doc, "size"), *md5 = rv_oauth_text(doc, "md5Hash");
    const char *generation = rv_oauth_text(doc, "generation");
    if (!size || !generation || !rv_str_u64(rv_str_c(size), &o.size_bytes))
        return false;
    memcpy(o.key, out->key, sizeof o.key);
    if (md5)
        rv_call_hex(rv_str_c(md5), o.md5);
    copy_text(generation, o.version, sizeof o.version);
    copy_text(rv_oauth_text(json_object_get(doc, "metadata"), RV_GCS_OWNER), o.owner,
              sizeof o.owner);
    *out = o;
    return true;
}

rv_status rv_gcs_verify(rv_store *s, rv_call *c, const rv_store_write *w, rv_error *err)
{
    rv_object o = {.size_bytes = 0};
    rv_error why = {.code = RV_OK};
    rv_store_outcome found = RV_STORE_DONE;
    json_t *doc = rv_gcs_document(&c->r);
    bool told = rv_gcs_object(doc, &o);
    json_decref(doc);
    rv_status st = told ? RV_OK : rv_gcs_head(s, c->http, w->name, &o, &found, &why);
    if (st == RV_E_DEST_PERMISSION)
        return RV_OK;
    if (st != RV_OK) {
        if (err)
            *err = why;
        return st;
    }
    if (found == RV_STORE_DONE && o.size_bytes == w->size_bytes &&
        (!o.md5[0] || strcmp(o.md5, w->md5) == 0))
        return RV_OK;
    return rv_fail(err, RV_E_DEST_CORRUPT,
                   "%s/%s: the store holds %llu bytes with the MD5 %s, not what was sent", s->uri,
                   w->name, (unsigned long long)o.size_bytes, o.md5[0] ? o.md5 : "none");
}
