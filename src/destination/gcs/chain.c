#include "destination/gcs/gcs_internal.h"

#define RV_TARGET "destination"
#define ENDPOINT "https://storage.googleapis.com"
#define METADATA_HOST "metadata.google.internal"

static const char *value_of(const rv_store *s, const char *variable)
{
    const char *value = rv_env_get(s->env, variable);
    return value && value[0] ? value : NULL;
}

static const char *kind_name(const rv_gcs_source *src)
{
    switch (src->kind) {
    case RV_GCS_SERVICE_ACCOUNT:
        return "service account ";
    case RV_GCS_AUTHORIZED_USER:
        return "authorized user";
    case RV_GCS_EXTERNAL_ACCOUNT:
        return "external account";
    case RV_GCS_METADATA:
        break;
    }
    return "metadata server ";
}

/* The account that is taken on, out of ".../serviceAccounts/name:generateAccessToken". */
static rv_str impersonated(const rv_gcs_source *src)
{
    const char *from = src->impersonate ? strstr(src->impersonate, "/serviceAccounts/") : NULL;
    if (!from)
        return (rv_str){"", 0};
    from += strlen("/serviceAccounts/");
    return (rv_str){from, strcspn(from, ":/?")};
}

static rv_status take(rv_store *s, const char *where, rv_error *err)
{
    const rv_gcs_source *src = &s->source;
    rv_str as = impersonated(src);
    const char *who = src->email ? src->email : src->kind == RV_GCS_METADATA ? src->host : "";
    RV_TRY(rv_arena_printf(&s->arena, &s->described, err, "%s%s%s%.*s%s%s%s", kind_name(src), who,
                           as.len ? " as " : "", RV_STR_ARG(as), where ? " (" : "",
                           where ? where : "", where ? ")" : ""));
    return rv_oauth_open(s->env, rv_gcs_fetch_token, s, &s->oauth, err);
}

/* A file that somebody named has to be there. */
static rv_status take_file(rv_store *s, const char *path, const char *who, rv_error *err)
{
    const char *where = NULL;
    bool found = false;
    RV_TRY(rv_gcs_source_read(s->env, path, &s->arena, &s->source, &found, err));
    if (!found)
        return rv_fail(err, RV_E_DEST_AUTH,
                       "the credentials file '%s', which %s names, does not "
                       "exist",
                       path, who);
    RV_TRY(rv_arena_printf(&s->arena, &where, err, "%s %s", who, path));
    return take(s, where, err);
}

static rv_status try_well_known(rv_store *s, bool *took, rv_error *err)
{
    const char *dir = value_of(s, "CLOUDSDK_CONFIG"), *home = value_of(s, "HOME"), *path = NULL;
    if (!dir && !home)
        return RV_OK;
    RV_TRY(rv_arena_printf(&s->arena, &path, err, "%s%s/application_default_credentials.json",
                           dir ? dir : home, dir ? "" : "/.config/gcloud"));
    RV_TRY(rv_gcs_source_read(s->env, path, &s->arena, &s->source, took, err));
    return *took ? take(s, path, err) : RV_OK;
}

static rv_status choose(rv_store *s, const rv_cfg_dest *cfg, rv_error *err)
{
    const char *file = value_of(s, "GOOGLE_APPLICATION_CREDENTIALS");
    const char *host = value_of(s, "GCE_METADATA_HOST");
    bool took = false;
    if (cfg->allow_anonymous) {
        s->described = "anonymous";
        return RV_OK;
    }
    if (cfg->credentials_file)
        return take_file(s, cfg->credentials_file, "credentials_file", err);
    RV_LOG_DEBUG(s->env, "Google credentials: no credentials_file");
    if (file)
        return take_file(s, file, "GOOGLE_APPLICATION_CREDENTIALS", err);
    RV_LOG_DEBUG(s->env, "Google credentials: no GOOGLE_APPLICATION_CREDENTIALS");
    RV_TRY(try_well_known(s, &took, err));
    if (took)
        return RV_OK;
    RV_LOG_DEBUG(s->env, "Google credentials: no application default credentials");
    s->source = (rv_gcs_source){.kind = RV_GCS_METADATA, .host = host ? host : METADATA_HOST};
    return take(s, NULL, err);
}

static rv_status place(rv_store *s, const rv_cfg_dest *cfg, rv_error *err)
{
    rv_buf base = RV_BUF_INIT;
    s->base = ENDPOINT;
    if (!cfg->endpoint)
        return RV_OK;
    rv_status st = rv_store_endpoint(s->env, cfg, cfg->endpoint, &base, err);
    if (st == RV_OK)
        st = rv_arena_cstr(&s->arena, rv_buf_str(&base), &s->base, err);
    if (st == RV_OK)
        st = rv_arena_cstr(&s->arena, rv_str_c(cfg->endpoint), &s->written, err);
    rv_buf_free(&base);
    return st;
}

rv_status rv_gcs_resolve(rv_store *s, const rv_cfg_dest *cfg, rv_error *err)
{
    RV_TRY(place(s, cfg, err));
    RV_TRY(choose(s, cfg, err));
    RV_LOG_DEBUG(s->env, "Google credentials: %s", s->described);
    return RV_OK;
}
