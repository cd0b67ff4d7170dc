/* Tokens of Entra ID and of managed identities. Sources: "Microsoft identity platform and the
 * OAuth 2.0 client credentials flow", "How to use managed identities to acquire an access token",
 * "App Service: connect to Azure services in app code" (REST endpoint reference). */
#include "base/file.h"
#include "destination/azure/azure_internal.h"

#define SCOPE "https://storage.azure.com/.default"
#define RESOURCE "https://storage.azure.com/"
#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define TOKEN_FILE_MAX 65536
#define NEAR_US ((int64_t)5000000) /* of a service on the same machine */
#define NEAR_TRIES 3

static unsigned tries_of(const rv_store *s, unsigned most)
{
    unsigned tries = atomic_load(&s->rules.tries);
    return tries && (!most || tries < most) ? tries : most;
}

/* Read anew each time: whoever put the file there replaces it. */
static rv_status add_assertion(rv_store *s, rv_buf *form, rv_error *err)
{
    rv_buf file = RV_BUF_INIT;
    const char *path = s->identity.token_file;
    bool found = false;
    rv_status st = rv_file_read_all(path, TOKEN_FILE_MAX, &file, &found, err);
    rv_str token = rv_str_trim(rv_buf_str(&file));
    if (st == RV_E_MEMORY)
        goto done;
    if (st != RV_OK || !found || token.len == 0) {
        rv_error_clear(err);
        st = rv_fail(err, RV_E_DEST_AUTH, "the federated token file '%s' %s", path,
                     st != RV_OK ? "cannot be read"
                     : found     ? "is empty"
                                 : "does not exist");
        goto done;
    }
    if (s->env->secrets)
        RV_GO(rv_secrets_add(s->env->secrets, token, err));
    RV_GO(rv_oauth_field(form, "client_assertion_type", RV_STR(ASSERTION_TYPE), err));
    RV_GO(rv_oauth_field(form, "client_assertion", token, err));
done:
    if (file.ptr)
        explicit_bzero(file.ptr, file.cap);
    rv_buf_free(&file);
    return st;
}

static rv_status fill_form(rv_store *s, rv_buf *form, rv_error *err)
{
    RV_TRY(rv_oauth_field(form, "grant_type", RV_STR("client_credentials"), err));
    RV_TRY(rv_oauth_field(form, "client_id", rv_str_c(s->identity.client), err));
    RV_TRY(rv_oauth_field(form, "scope", RV_STR(SCOPE), err));
    return s->identity.secret
               ? rv_oauth_field(form, "client_secret", rv_str_c(s->identity.secret), err)
               : add_assertion(s, form, err);
}

static rv_status ask_entra(rv_store *s, rv_http *h, rv_oauth_grant *out, rv_error *err)
{
    rv_buf url = RV_BUF_INIT, form = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_buf_printf(&url, err, "%s/%s/oauth2/v2.0/token", s->identity.authority,
                        s->identity.tenant));
    RV_GO(fill_form(s, &form, err));
    const rv_oauth_request q = {.what = "Entra ID",
                                .method = "POST",
                                .url = rv_buf_cstr(&url),
                                .body = rv_buf_str(&form),
                                .tries = tries_of(s, 0)};
    st = q.url ? rv_oauth_ask(s->env, h, &q, out, err) : rv_fail_memory(err);
done:
    rv_buf_free(&url);
    if (form.ptr)
        explicit_bzero(form.ptr, form.cap);
    rv_buf_free(&form);
    return st;
}

static rv_status managed_url(const rv_azure_identity *id, rv_buf *url, rv_error *err)
{
    RV_TRY(id->endpoint
               ? rv_buf_printf(url, err, "%s?api-version=2019-08-01", id->endpoint)
               : rv_buf_printf(url, err, "%s/metadata/identity/oauth2/token?api-version=2018-02-01",
                               id->vm));
    RV_TRY(rv_oauth_field(url, "resource", RV_STR(RESOURCE), err));
    return id->client ? rv_oauth_field(url, "client_id", rv_str_c(id->client), err) : RV_OK;
}

static rv_status ask_managed(rv_store *s, rv_http *h, rv_oauth_grant *out, rv_error *err)
{
    const rv_azure_identity *id = &s->identity;
    rv_buf url = RV_BUF_INIT;
    rv_status st;
    RV_GO(managed_url(id, &url, err));
    rv_oauth_request q = {.what = "the managed identity's endpoint",
                          .method = "GET",
                          .url = rv_buf_cstr(&url),
                          .headers = {{"Metadata", "true"}},
                          .direct = true,
                          .timeout_us = NEAR_US,
                          .tries = tries_of(s, NEAR_TRIES)};
    if (id->endpoint)
        q.headers[0] = (rv_http_header){"X-IDENTITY-HEADER", id->header};
    st = q.url ? rv_oauth_ask(s->env, h, &q, out, err) : rv_fail_memory(err);
done:
    rv_buf_free(&url);
    return st;
}

rv_status rv_azure_fetch_token(void *ctx, rv_http *h, rv_oauth_grant *out, rv_error *err)
{
    rv_store *s = ctx;
    return s->identity.authority ? ask_entra(s, h, out, err) : ask_managed(s, h, out, err);
}
