#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "config/endpoint.h"
#include "destination/azure/azure_internal.h"
#include "net/crypto.h"

#define RV_TARGET "destination"
#define AUTHORITY "https://login.microsoftonline.com"
#define VM_SERVICE "http://169.254.169.254"
#define EXHAUSTED                                                                                  \
    "no Azure credentials: tried account key, SAS token, connection string, client secret, "       \
    "federated token, managed identity"

/* ---- account and endpoint ---- */

static rv_status take_endpoint(rv_store *s, const rv_cfg_dest *cfg, const char *written,
                               rv_error *err)
{
    rv_buf base = RV_BUF_INIT;
    rv_status st = rv_store_endpoint(s->env, cfg, written, &base, err);
    if (st == RV_OK)
        st = rv_arena_cstr(&s->arena, rv_buf_str(&base), &s->base, err);
    if (st == RV_OK)
        st = rv_arena_cstr(&s->arena, rv_str_c(written), &s->written, err);
    rv_buf_free(&base);
    return st;
}

/* An emulator has it in the path, the service in front of its host. */
static rv_status account_of(rv_store *s, rv_error *err)
{
    rv_endpoint e;
    (void)rv_endpoint_read(rv_str_c(s->base), true, &e);
    const char *path = strchr(strstr(s->base, "://") + 3, '/');
    rv_str name = {path ? path + 1 : e.host.ptr, 0};
    const char *ends = path ? "/" : ".";
    if (!path && memmem(e.host.ptr, e.host.len, ".blob.", 6) == NULL)
        return RV_OK;
    name.len = strcspn(name.ptr, ends);
    return rv_arena_cstr(&s->arena, name, &s->account, err);
}

static rv_status place(rv_store *s, const rv_cfg_dest *cfg, rv_error *err)
{
    if (cfg->account_name)
        RV_TRY(rv_arena_cstr(&s->arena, rv_str_c(cfg->account_name), &s->account, err));
    if (cfg->endpoint)
        RV_TRY(take_endpoint(s, cfg, cfg->endpoint, err));
    else if (s->account[0])
        RV_TRY(rv_arena_printf(&s->arena, &s->base, err, "https://%s.blob.core.windows.net",
                               s->account));
    if (s->base && !s->account[0])
        RV_TRY(account_of(s, err));
    return RV_OK;
}

/* ---- the steps of the chain ---- */

static rv_status take_key(rv_store *s, const char *text, const char *where, rv_error *err)
{
    rv_str key = rv_str_trim(rv_str_c(text));
    s->auth = RV_AZURE_KEY;
    RV_TRY(rv_buf_reserve(&s->key, key.len + 1, err)); /* so that only the text can be wrong */
    if (!rv_unbase64(key, &s->key) || s->key.len == 0)
        return rv_fail(err, RV_E_DEST_AUTH, "the Azure account key in %s is not base64", where);
    if (!s->account[0])
        return rv_fail(err, RV_E_CONFIG_DESTINATION,
                       "an Azure account key needs account_name beside this endpoint");
    return rv_arena_printf(&s->arena, &s->described, err, "account key of %s (%s)", s->account,
                           where);
}

static rv_status take_sas(rv_store *s, const char *text, const char *where, rv_error *err)
{
    s->auth = RV_AZURE_SAS;
    RV_TRY(rv_azure_sas_read(s->env, text, &s->arena, &s->sas, err));
    return rv_arena_printf(&s->arena, &s->described, err, "SAS token (%s)%s%s", where,
                           s->sas.end[0] ? ", valid until " : "", s->sas.end);
}

static rv_status take_connection(rv_store *s, const rv_cfg_dest *cfg, rv_error *err)
{
    const char *text = NULL;
    rv_azure_connection c = {0};
    RV_TRY(
        rv_store_secret(s->env, cfg->connection_string_env, "connection_string_env", &text, err));
    RV_TRY(rv_azure_connection_read(rv_str_c(text), &s->arena, &c, err));
    if (s->env->secrets && c.key)
        RV_TRY(rv_secrets_add(s->env->secrets, rv_str_c(c.key), err));
    if (c.account && !cfg->account_name)
        s->account = c.account;
    if (!cfg->endpoint && c.custom)
        RV_TRY(take_endpoint(s, cfg, c.endpoint, err));
    else if (!cfg->endpoint)
        s->base = c.endpoint;
    if (!s->account[0])
        RV_TRY(account_of(s, err));
    return c.key ? take_key(s, c.key, cfg->connection_string_env, err)
                 : take_sas(s, c.sas, cfg->connection_string_env, err);
}

static const char *either(const rv_store *s, const char *written, const char *variable)
{
    const char *value = written ? written : rv_env_get(s->env, variable);
    return value && value[0] ? value : NULL;
}

static rv_status take_token(rv_store *s, rv_error *err)
{
    const char *authority = either(s, NULL, "AZURE_AUTHORITY_HOST");
    rv_str host = rv_str_c(authority ? authority : AUTHORITY);
    s->auth = RV_AZURE_TOKEN;
    while (host.len && host.ptr[host.len - 1] == '/')
        host.len--;
    bool whole = memmem(host.ptr, host.len, "://", 3) != NULL; /* the bare host is common too */
    if (s->identity.tenant)
        RV_TRY(rv_arena_printf(&s->arena, &s->identity.authority, err, "%s%.*s",
                               whole ? "" : "https://", RV_STR_ARG(host)));
    return rv_oauth_open(s->env, rv_azure_fetch_token, s, &s->oauth, err);
}

/* Written in the configuration, or the three variables that the SDKs read. */
static rv_status try_client_secret(rv_store *s, const rv_cfg_dest *cfg, bool *took, rv_error *err)
{
    rv_azure_identity id = {.tenant = either(s, cfg->tenant_id, "AZURE_TENANT_ID"),
                            .client = either(s, cfg->client_id, "AZURE_CLIENT_ID")};
    const char *variable = cfg->client_secret_env ? cfg->client_secret_env : "AZURE_CLIENT_SECRET";
    if (!cfg->client_secret_env &&
        (cfg->managed_identity || !id.tenant || !id.client || !either(s, NULL, variable)))
        return RV_OK;
    RV_TRY(rv_store_secret(s->env, variable, "client_secret_env", &id.secret, err));
    if (!id.tenant || !id.client)
        return rv_fail(err, RV_E_CONFIG_DESTINATION,
                       "client_secret_env needs tenant_id and client_id");
    *took = true;
    s->identity = id;
    RV_TRY(take_token(s, err));
    return rv_arena_printf(&s->arena, &s->described, err, "client secret of %s (%s)", id.client,
                           variable);
}

static rv_status try_federated(rv_store *s, const rv_cfg_dest *cfg, bool *took, rv_error *err)
{
    rv_azure_identity id = {.tenant = either(s, cfg->tenant_id, "AZURE_TENANT_ID"),
                            .client = either(s, cfg->client_id, "AZURE_CLIENT_ID"),
                            .token_file = either(s, NULL, "AZURE_FEDERATED_TOKEN_FILE")};
    if (!id.token_file || !id.tenant || !id.client)
        return RV_OK;
    *took = true;
    s->identity = id;
    RV_TRY(take_token(s, err));
    return rv_arena_printf(&s->arena, &s->described, err, "federated token of %s (%s)", id.client,
                           id.token_file);
}

static rv_status try_managed(rv_store *s, const rv_cfg_dest *cfg, bool *took, rv_error *err)
{
    const char *header = either(s, NULL, "IDENTITY_HEADER");
    const char *vm = either(s, NULL, "AZURE_POD_IDENTITY_AUTHORITY_HOST");
    if (!cfg->managed_identity)
        return RV_OK;
    *took = true;
    s->identity = (rv_azure_identity){.client = cfg->client_id,
                                      .endpoint = either(s, NULL, "IDENTITY_ENDPOINT"),
                                      .header = header,
                                      .vm = vm ? vm : VM_SERVICE};
    if (!header)
        s->identity.endpoint = NULL;
    else if (s->env->secrets)
        RV_TRY(rv_secrets_add(s->env->secrets, rv_str_c(header), err));
    RV_TRY(take_token(s, err));
    return rv_arena_printf(&s->arena, &s->described, err, "managed identity%s%s (%s)",
                           cfg->client_id ? " " : "", cfg->client_id ? cfg->client_id : "",
                           s->identity.endpoint ? "IDENTITY_ENDPOINT" : "of the machine");
}

static rv_status try_tokens(rv_store *s, const rv_cfg_dest *cfg, rv_error *err)
{
    static rv_status (*const steps[])(rv_store *, const rv_cfg_dest *, bool *,
                                      rv_error *) = {try_client_secret, try_federated, try_managed};
    static const char *const names[] = {"client secret", "federated token", "managed identity"};
    bool took = false;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        RV_TRY(steps[i](s, cfg, &took, err));
        if (took)
            return RV_OK;
        RV_LOG_DEBUG(s->env, "Azure credentials: no %s", names[i]);
    }
    (void)rv_fail(err, RV_E_DEST_AUTH, EXHAUSTED);
    rv_hint(err, "name one in the destination: account_key_env, sas_token_env, "
                 "connection_string_env, client_secret_env or managed_identity");
    return RV_E_DEST_AUTH;
}

static rv_status choose(rv_store *s, const rv_cfg_dest *cfg, rv_error *err)
{
    const char *text = NULL;
    if (cfg->allow_anonymous) {
        s->auth = RV_AZURE_ANONYMOUS;
        s->described = "anonymous";
        return RV_OK;
    }
    if (cfg->account_key_env) {
        RV_TRY(rv_store_secret(s->env, cfg->account_key_env, "account_key_env", &text, err));
        return take_key(s, text, cfg->account_key_env, err);
    }
    if (cfg->sas_token_env) {
        RV_TRY(rv_store_secret(s->env, cfg->sas_token_env, "sas_token_env", &text, err));
        return take_sas(s, text, cfg->sas_token_env, err);
    }
    if (cfg->connection_string_env)
        return take_connection(s, cfg, err);
    return try_tokens(s, cfg, err);
}

rv_status rv_azure_resolve(rv_store *s, const rv_cfg_dest *cfg, rv_error *err)
{
    RV_TRY(place(s, cfg, err));
    RV_TRY(choose(s, cfg, err));
    if (!s->base)
        return rv_fail(err, RV_E_CONFIG_DESTINATION, "azure needs account_name or endpoint");
    RV_LOG_DEBUG(s->env, "Azure credentials: %s", s->described);
    return RV_OK;
}

/* ---- each try ---- */

static rv_status add_date(rv_store *s, rv_call *c, rv_error *err)
{
    struct tm tm;
    char text[40];
    int64_t now_us = rv_env_now_us(s->env) + atomic_load(&s->skew_us);
    time_t now = (time_t)(now_us / 1000000);
    (void)gmtime_r(&now, &tm);
    /* the names of days and months are those of the C locale, which nobody leaves */
    (void)strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    return rv_call_addf(c, "x-ms-date", err, "%s", text);
}

static rv_status sign(rv_store *s, rv_call *c, rv_error *err)
{
    rv_http_request req = c->req;
    req.headers = c->headers;
    req.n_headers = c->n_headers;
    rv_buf_clear(&c->auth);
    RV_TRY(rv_azure_sign(s->account, rv_buf_bytes(&s->key), &req, &c->auth, err));
    return rv_buf_cstr(&c->auth) ? RV_OK : rv_fail_memory(err);
}

rv_status rv_azure_authorize(void *store, rv_call *c, rv_error *err)
{
    rv_store *s = store;
    RV_TRY(rv_call_add(c, "x-ms-version", RV_AZURE_VERSION, err));
    RV_TRY(add_date(s, c, err));
    switch (s->auth) {
    case RV_AZURE_ANONYMOUS:
        return RV_OK;
    case RV_AZURE_SAS:
        return rv_azure_sas_check(&s->sas, rv_env_now_us(s->env), err);
    case RV_AZURE_KEY:
        RV_TRY(sign(s, c, err));
        break;
    case RV_AZURE_TOKEN:
        RV_TRY(rv_oauth_bearer(s->oauth, c->http, c->refused, &c->serial, &c->auth, err));
        break;
    }
    return rv_call_add(c, "Authorization", (const char *)c->auth.ptr, err);
}
