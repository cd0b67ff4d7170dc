/* Tokens of Google. Sources: "Using OAuth 2.0 for server to server applications" (RFC 7523),
 * RFC 6749 section 6, AIP-4117 and RFC 8693 (token exchange), IAM Credentials API
 * (generateAccessToken), "Authenticate workloads using service accounts" (metadata server). */
#include "base/file.h"
#include "base/json.h"
#include "destination/gcs/gcs_internal.h"
#include "net/crypto.h"

#define GRANT_JWT "urn:ietf:params:oauth:grant-type:jwt-bearer"
#define GRANT_EXCHANGE "urn:ietf:params:oauth:grant-type:token-exchange"
#define ACCESS_TOKEN "urn:ietf:params:oauth:token-type:access_token"
#define LIFE_S 3600
#define SLACK_S 10 /* a clock a little ahead of Google's is still believed */
#define SUBJECT_MAX 65536
#define NEAR_US ((int64_t)3000000) /* of a service beside us */
#define NEAR_TRIES 3
#define IMPERSONATION "{\"scope\":[\"" RV_GCS_SCOPE "\"],\"lifetime\":\"3600s\"}"

static void wipe(rv_buf *b)
{
    if (b->ptr)
        explicit_bzero(b->ptr, b->cap);
    rv_buf_free(b);
}

static unsigned tries_of(const rv_store *s, unsigned most)
{
    unsigned tries = atomic_load(&s->rules.tries);
    return tries && (!most || tries < most) ? tries : most;
}

/* ---- service account ---- */

static rv_status add_part(rv_buf *json, rv_buf *out, rv_error *err)
{
    if (out->len)
        RV_TRY(rv_buf_add_byte(out, '.', err));
    rv_status st = rv_base64(rv_buf_bytes(json), RV_BASE64_URL, out, err);
    rv_buf_clear(json);
    return st;
}

static rv_status write_header(const rv_gcs_source *src, rv_buf *out, rv_error *err)
{
    rv_json j;
    rv_json_begin(&j, out, false);
    rv_json_object(&j);
    rv_json_kstr(&j, "alg", "RS256");
    rv_json_kstr(&j, "typ", "JWT");
    if (src->key_id)
        rv_json_kstr(&j, "kid", src->key_id);
    rv_json_object_end(&j);
    return rv_json_end(&j, err);
}

static rv_status write_claims(const rv_gcs_source *src, const char *scope, int64_t now_us,
                              rv_buf *out, rv_error *err)
{
    rv_json j;
    int64_t issued = now_us / 1000000 - SLACK_S;
    rv_json_begin(&j, out, false);
    rv_json_object(&j);
    rv_json_kstr(&j, "iss", src->email);
    rv_json_kstr(&j, "scope", scope);
    rv_json_kstr(&j, "aud", src->token_uri);
    rv_json_ki64(&j, "iat", issued);
    rv_json_ki64(&j, "exp", issued + LIFE_S);
    rv_json_object_end(&j);
    return rv_json_end(&j, err);
}

rv_status rv_gcs_assertion(const rv_gcs_source *src, const char *scope, int64_t now_us, rv_buf *out,
                           rv_error *err)
{
    rv_buf json = RV_BUF_INIT, mac = RV_BUF_INIT;
    rv_status st;
    RV_GO(write_header(src, &json, err));
    RV_GO(add_part(&json, out, err));
    RV_GO(write_claims(src, scope, now_us, &json, err));
    RV_GO(add_part(&json, out, err));
    RV_GO(rv_rs256(rv_str_c(src->key), rv_buf_bytes(out), &mac, err));
    RV_GO(add_part(&mac, out, err));
done:
    rv_buf_free(&json);
    rv_buf_free(&mac);
    return st;
}

static rv_status post_form(rv_store *s, rv_http *h, const char *url, const rv_buf *form,
                           const char *authorization, rv_oauth_grant *out, rv_error *err)
{
    rv_oauth_request q = {.what = "Google's token endpoint",
                          .method = "POST",
                          .url = url,
                          .body = rv_buf_str(form),
                          .tries = tries_of(s, 0)};
    if (authorization)
        q.headers[0] = (rv_http_header){"Authorization", authorization};
    return rv_oauth_ask(s->env, h, &q, out, err);
}

static rv_status ask_service(rv_store *s, rv_http *h, const char *scope, rv_oauth_grant *out,
                             rv_error *err)
{
    const rv_gcs_source *src = &s->source;
    rv_buf form = RV_BUF_INIT, jwt = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_gcs_assertion(src, scope, rv_env_now_us(s->env), &jwt, err));
    RV_GO(rv_oauth_field(&form, "grant_type", RV_STR(GRANT_JWT), err));
    RV_GO(rv_oauth_field(&form, "assertion", rv_buf_str(&jwt), err));
    RV_GO(post_form(s, h, src->token_uri, &form, NULL, out, err));
done:
    wipe(&form);
    wipe(&jwt);
    return st;
}

/* ---- authorized user ---- */

static rv_status ask_user(rv_store *s, rv_http *h, rv_oauth_grant *out, rv_error *err)
{
    const rv_gcs_source *src = &s->source;
    rv_buf form = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_oauth_field(&form, "grant_type", RV_STR("refresh_token"), err));
    RV_GO(rv_oauth_field(&form, "client_id", rv_str_c(src->client_id), err));
    RV_GO(rv_oauth_field(&form, "client_secret", rv_str_c(src->client_secret), err));
    RV_GO(rv_oauth_field(&form, "refresh_token", rv_str_c(src->refresh_token), err));
    RV_GO(post_form(s, h, src->token_uri, &form, NULL, out, err));
done:
    wipe(&form);
    return st;
}

/* ---- external account ---- */

static rv_status fetch_subject(rv_store *s, rv_http *h, rv_buf *out, rv_error *err)
{
    const rv_gcs_source *src = &s->source;
    rv_http_response r = RV_HTTP_RESPONSE_INIT;
    bool found = false;
    rv_status st;
    if (src->subject_file) {
        st = rv_file_read_all(src->subject_file, SUBJECT_MAX, out, &found, err);
        if (st == RV_OK && !found)
            st = rv_fail(err, RV_E_DEST_AUTH, "the subject token file '%s' does not exist",
                         src->subject_file);
        return st;
    }
    rv_oauth_request q = {.what = "the issuer of the subject token",
                          .method = "GET",
                          .url = src->subject_url,
                          .timeout_us = NEAR_US,
                          .direct = true, /* a service of the machine, often without TLS */
                          .tries = tries_of(s, NEAR_TRIES)};
    memcpy(q.headers, src->subject_headers, sizeof q.headers);
    st = rv_oauth_send(s->env, h, &q, &r, err);
    if (st == RV_OK)
        st = rv_buf_add_str(out, rv_buf_str(&r.body), err);
    wipe(&r.body);
    rv_http_response_free(&r);
    return st;
}

/* The token itself out of what was fetched. */
static rv_status pick_subject(rv_store *s, rv_buf *text, rv_error *err)
{
    const rv_gcs_source *src = &s->source;
    rv_str token = rv_str_trim(rv_buf_str(text));
    json_t *doc = NULL;
    if (src->subject_field) {
        doc = token.len ? json_loadb(token.ptr, token.len, 0, NULL) : NULL;
        token = rv_str_c(rv_oauth_text(doc, src->subject_field));
    }
    rv_status st = RV_OK;
    if (token.len == 0)
        st = rv_fail(err, RV_E_DEST_AUTH, "the subject token of the external account is empty");
    else if (s->env->secrets)
        st = rv_secrets_add(s->env->secrets, token, err);
    rv_buf picked = RV_BUF_INIT;
    if (st == RV_OK)
        st = rv_buf_add_str(&picked, token, err);
    if (st == RV_OK) {
        wipe(text);
        *text = picked;
    }
    json_decref(doc);
    return st;
}

static rv_status basic_of(const rv_gcs_source *src, rv_buf *out, rv_error *err)
{
    rv_buf pair = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_buf_printf(&pair, err, "%s:%s", src->client_id, src->client_secret));
    RV_GO(rv_buf_add_c(out, "Basic ", err));
    RV_GO(rv_base64(rv_buf_bytes(&pair), RV_BASE64, out, err));
    if (!rv_buf_cstr(out))
        st = rv_fail_memory(err);
done:
    wipe(&pair);
    return st;
}

static rv_status fill_exchange(const rv_gcs_source *src, const char *scope, rv_str subject,
                               rv_buf *form, rv_error *err)
{
    RV_TRY(rv_oauth_field(form, "grant_type", RV_STR(GRANT_EXCHANGE), err));
    RV_TRY(rv_oauth_field(form, "audience", rv_str_c(src->audience), err));
    RV_TRY(rv_oauth_field(form, "scope", rv_str_c(scope), err));
    RV_TRY(rv_oauth_field(form, "requested_token_type", RV_STR(ACCESS_TOKEN), err));
    RV_TRY(rv_oauth_field(form, "subject_token_type", rv_str_c(src->subject_type), err));
    return rv_oauth_field(form, "subject_token", subject, err);
}

static rv_status ask_external(rv_store *s, rv_http *h, const char *scope, rv_oauth_grant *out,
                              rv_error *err)
{
    const rv_gcs_source *src = &s->source;
    rv_buf form = RV_BUF_INIT, subject = RV_BUF_INIT, basic = RV_BUF_INIT;
    rv_status st;
    RV_GO(fetch_subject(s, h, &subject, err));
    RV_GO(pick_subject(s, &subject, err));
    RV_GO(fill_exchange(src, scope, rv_buf_str(&subject), &form, err));
    if (src->client_id)
        RV_GO(basic_of(src, &basic, err));
    RV_GO(post_form(s, h, src->token_uri, &form, src->client_id ? (const char *)basic.ptr : NULL,
                    out, err));
done:
    wipe(&form);
    wipe(&subject);
    wipe(&basic);
    return st;
}

/* ---- metadata server ---- */

static rv_status ask_metadata(rv_store *s, rv_http *h, rv_oauth_grant *out, rv_error *err)
{
    rv_buf url = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_buf_printf(&url, err,
                        "http://%s/computeMetadata/v1/instance/service-accounts/default/token",
                        s->source.host));
    const rv_oauth_request q = {.what = "the metadata server",
                                .method = "GET",
                                .url = rv_buf_cstr(&url),
                                .headers = {{"Metadata-Flavor", "Google"}},
                                .direct = true,
                                .timeout_us = NEAR_US,
                                .tries = tries_of(s, NEAR_TRIES)};
    st = q.url ? rv_oauth_ask(s->env, h, &q, out, err) : rv_fail_memory(err);
    if (st == RV_E_DEST_UNREACHABLE && err) {
        /* the last step of the chain: whoever is not on Google's machines has no credentials */
        st = err->code = RV_E_DEST_AUTH;
        err->retry = RV_RETRY_P;
        (void)rv_wrap(err, st,
                      "no Google credentials: tried credentials_file, "
                      "GOOGLE_APPLICATION_CREDENTIALS, application default credentials, metadata "
                      "server");
        rv_hint(err, "name a credentials_file, or run `gcloud auth application-default login`");
    }
done:
    rv_buf_free(&url);
    return st;
}

/* ---- impersonation ---- */

static rv_status impersonate(rv_store *s, rv_http *h, rv_oauth_grant *io, rv_error *err)
{
    rv_buf bearer = RV_BUF_INIT;
    rv_status st;
    if (s->env->secrets)
        RV_TRY(rv_secrets_add(s->env->secrets, rv_buf_str(&io->token), err));
    RV_GO(rv_buf_printf(&bearer, err, "Bearer %.*s", RV_STR_ARG(rv_buf_str(&io->token))));
    const rv_oauth_request q = {.what = "the impersonation of a service account",
                                .method = "POST",
                                .url = s->source.impersonate,
                                .headers = {{"Authorization", rv_buf_cstr(&bearer)}},
                                .body = RV_STR(IMPERSONATION),
                                .mime = "application/json",
                                .tries = tries_of(s, 0)};
    st = q.headers[0].value ? rv_oauth_ask(s->env, h, &q, io, err) : rv_fail_memory(err);
done:
    wipe(&bearer);
    return st;
}

rv_status rv_gcs_fetch_token(void *ctx, rv_http *h, rv_oauth_grant *out, rv_error *err)
{
    rv_store *s = ctx;
    const char *scope = s->source.impersonate ? RV_GCS_WIDE_SCOPE : RV_GCS_SCOPE;
    switch (s->source.kind) {
    case RV_GCS_SERVICE_ACCOUNT:
        RV_TRY(ask_service(s, h, scope, out, err));
        break;
    case RV_GCS_AUTHORIZED_USER:
        RV_TRY(ask_user(s, h, out, err));
        break;
    case RV_GCS_EXTERNAL_ACCOUNT:
        RV_TRY(ask_external(s, h, scope, out, err));
        break;
    case RV_GCS_METADATA:
        return ask_metadata(s, h, out, err);
    }
    return s->source.impersonate ? impersonate(s, h, out, err) : RV_OK;
}
