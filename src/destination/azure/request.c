#include "destination/azure/azure_internal.h"

#include "destination/cloud/xml.h"
#include "net/crypto.h"

#define RV_TARGET "destination"
#define SKEW_US ((int64_t)300 * 1000000) /* less of it is not what a refusal was about */

rv_status rv_azure_url(rv_store *s, rv_call *c, const char *name, const char *query, rv_error *err)
{
    rv_buf url = RV_BUF_INIT;
    const char *sas = s->auth == RV_AZURE_SAS ? s->sas.query : "";
    rv_status st;
    RV_GO(rv_buf_printf(&url, err, "%s/", s->base));
    RV_GO(rv_percent(rv_str_c(s->container), "", &url, err));
    if (name) {
        RV_GO(rv_buf_add_byte(&url, '/', err));
        RV_GO(rv_percent(rv_str_c(name), "/", &url, err));
    }
    RV_GO(rv_buf_printf(&url, err, "%s%s%s%s", query[0] || sas[0] ? "?" : "", query,
                        query[0] && sas[0] ? "&" : "", sas));
    RV_GO(rv_arena_cstr(&c->arena, rv_buf_str(&url), &c->req.url, err));
done:
    rv_buf_free(&url);
    return st;
}

/* ---- what a request says about an object ---- */

rv_status rv_azure_condition(rv_call *c, rv_store_condition condition, const char *version,
                             rv_error *err)
{
    switch (condition) {
    case RV_STORE_ALWAYS:
        return RV_OK;
    case RV_STORE_IF_ABSENT:
        return rv_call_add(c, "If-None-Match", "*", err);
    case RV_STORE_IF_VERSION:
        break;
    }
    return rv_call_add(c, "If-Match", version ? version : "", err);
}

rv_status rv_azure_describe(const rv_store *s, rv_call *c, const rv_store_write *w, rv_error *err)
{
    if (w->mime)
        RV_TRY(rv_call_add(c, "x-ms-blob-content-type", w->mime, err));
    if (w->owner_token && w->owner_token[0])
        RV_TRY(rv_call_add(c, "x-ms-meta-" RV_AZURE_OWNER, w->owner_token, err));
    if (s->tier)
        RV_TRY(rv_call_add(c, "x-ms-access-tier", s->tier, err));
    if (s->scope)
        RV_TRY(rv_call_add(c, "x-ms-encryption-scope", s->scope, err));
    return RV_OK;
}

/* ---- what an answer says ---- */

static const rv_xml *body_of(rv_call *c)
{
    const rv_xml *root = NULL;
    rv_error ignored = {.code = RV_OK};
    if (c->r.body.len == 0 ||
        rv_xml_parse(rv_buf_bytes(&c->r.body), &c->arena, &root, &ignored) != RV_OK)
        return NULL;
    return root;
}

rv_str rv_azure_code(rv_call *c)
{
    rv_str code = rv_http_header_get(&c->r, "x-ms-error-code");
    return code.len ? code : rv_xml_text(body_of(c), "Code");
}

static bool is(rv_str code, const char *name)
{
    return rv_str_eq(code, rv_str_c(name));
}

/* A refusal for the time of day is one that the service's own clock mends. */
static bool correct_clock(rv_store *s, const rv_http_response *r)
{
    int64_t theirs_us;
    if (s->auth != RV_AZURE_KEY || !rv_http_date_parse(rv_http_header_get(r, "Date"), &theirs_us))
        return false;
    int64_t skew_us = theirs_us - rv_env_now_us(s->env);
    int64_t change_us = skew_us - atomic_load(&s->skew_us);
    if (change_us > -SKEW_US && change_us < SKEW_US)
        return false;
    atomic_store(&s->skew_us, skew_us);
    int64_t off_s = skew_us / 1000000;
    RV_LOG_WARN(s->env,
                "this machine's clock is %lld s %s the store's; requests follow the store's",
                (long long)(off_s < 0 ? -off_s : off_s), off_s < 0 ? "ahead of" : "behind");
    return true;
}

rv_http_verdict rv_azure_judge(void *store, rv_call *c, const rv_http_response *r)
{
    rv_store *s = store;
    if (r->status >= 200 && r->status < 300)
        return RV_HTTP_AS_LISTED;
    rv_str code = rv_azure_code(c);
    if (r->status == 400 && is(code, "Md5Mismatch") && !c->again) {
        c->again = true; /* the body is read anew from its file */
        return RV_HTTP_AGAIN;
    }
    bool doubted = is(code, "AuthenticationFailed") || is(code, "InvalidAuthenticationInfo");
    if (r->status == 403 && doubted && correct_clock(s, r))
        return RV_HTTP_AGAIN_NOW;
    if (r->status == 403 && doubted && s->auth == RV_AZURE_TOKEN && !c->renewed) {
        c->renewed = c->refused = true;
        return RV_HTTP_AGAIN_NOW;
    }
    return RV_HTTP_AS_LISTED;
}

/* The words of the message; the service puts ids and times on lines behind them. */
static rv_str words_of(rv_call *c)
{
    rv_str text = rv_str_trim(rv_xml_text(body_of(c), "Message"));
    const char *line = text.len ? memchr(text.ptr, '\n', text.len) : NULL;
    text.len = line ? (size_t)(line - text.ptr) : text.len;
    return rv_str_trim(text);
}

static rv_status status_of(int status, rv_str code)
{
    static const struct {
        const char *code;
        rv_status status;
    } known[] = {{"AuthenticationFailed", RV_E_DEST_AUTH},
                 {"InvalidAuthenticationInfo", RV_E_DEST_AUTH},
                 {"NoAuthenticationInformation", RV_E_DEST_AUTH},
                 {"ContainerNotFound", RV_E_DEST_NO_BUCKET},
                 {"ContainerBeingDeleted", RV_E_DEST_NO_BUCKET},
                 {"ContainerDisabled", RV_E_DEST_NO_BUCKET},
                 {"PublicAccessNotPermitted", RV_E_DEST_PERMISSION},
                 {"BlobImmutableDueToPolicy", RV_E_DEST_PERMISSION},
                 {"LeaseIdMissing", RV_E_DEST_PERMISSION},
                 {"Md5Mismatch", RV_E_DEST_CORRUPT}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (is(code, known[i].code))
            return known[i].status;
    if (status == 401)
        return RV_E_DEST_AUTH;
    if (status == 403)
        return RV_E_DEST_PERMISSION;
    if (status == 507 || is(code, "InsufficientStorage"))
        return RV_E_DEST_NO_SPACE;
    bool passes =
        status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
    return passes ? RV_E_DEST_UNREACHABLE : RV_E_DEST_IO;
}

static void suggest(const rv_store *s, rv_status st, rv_error *err)
{
    switch ((int)st) {
    case RV_E_DEST_PERMISSION:
        rv_hint(err, "grant the role Storage Blob Data Contributor, or a SAS with the permissions "
                     "r, w, c, d and l");
        break;
    case RV_E_DEST_NO_BUCKET:
        rv_hint(err, "create the container '%s', or name another one", s->container);
        break;
    case RV_E_DEST_AUTH:
        rv_hint(err, "check the credentials in use: %s", s->described);
        break;
    default:
        break;
    }
}

rv_status rv_azure_fail(rv_store *s, rv_call *c, rv_error *err)
{
    const char *detail = NULL;
    rv_str code = rv_azure_code(c), words = words_of(c);
    rv_str place = rv_http_header_get(&c->r, "Location");
    rv_status st = status_of(c->r.status, code);
    /* what an emulator says of a wrong signature; the service has a code of its own for it */
    if (is(code, "AuthorizationFailure") &&
        rv_str_starts(words, RV_STR("Server failed to authenticate")))
        st = RV_E_DEST_AUTH;
    /* whoever let the token run out is told so, not that a signature is wrong */
    if (s->auth == RV_AZURE_SAS && c->r.status == 403)
        RV_TRY(rv_azure_sas_check(&s->sas, rv_env_now_us(s->env), err));
    if (c->r.status >= 300 && c->r.status < 400 && place.len)
        words = RV_STR("redirects are not followed");
    RV_TRY(rv_arena_printf(&c->arena, &detail, err, "%.*s%s%.*s", RV_STR_ARG(code),
                           code.len && words.len ? ": " : "", RV_STR_ARG(words)));
    st = rv_http_fail(&c->req, &c->r, st, rv_str_c(detail), err);
    suggest(s, st, err);
    return st;
}

static bool is_unmet(rv_call *c, rv_store_condition condition, rv_str code)
{
    if (condition == RV_STORE_ALWAYS || is(code, "LeaseIdMissing"))
        return false;
    if (c->r.status == 412 || is(code, "BlobAlreadyExists"))
        return true;
    /* said to one who may create but not replace: there is something */
    return condition == RV_STORE_IF_ABSENT && is(code, "UnauthorizedBlobOverwrite");
}

rv_status rv_azure_settle(rv_store *s, rv_call *c, rv_store_condition condition,
                          rv_store_outcome *out, rv_error *err)
{
    int status = c->r.status;
    if (status >= 200 && status < 300) {
        *out = RV_STORE_DONE;
        return RV_OK;
    }
    rv_str code = rv_azure_code(c);
    if (is_unmet(c, condition, code)) {
        *out = RV_STORE_UNMET;
        return RV_OK;
    }
    if (condition != RV_STORE_ALWAYS && status == 501) {
        *out = RV_STORE_UNCONDITIONAL;
        return RV_OK;
    }
    if (status == 404 && status_of(status, code) == RV_E_DEST_IO) {
        *out = RV_STORE_MISSING;
        return RV_OK;
    }
    return rv_azure_fail(s, c, err);
}
