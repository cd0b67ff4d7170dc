#include "base/file.h"
#include "destination/gcs/gcs_internal.h"

#define FILE_MAX ((size_t)1 << 20)

typedef struct reading { /* of one file */
    const rv_env *env;
    rv_arena *arena;
    const char *path;
    rv_error *err;
} reading;

static rv_status bad(const reading *r, const char *what, const char *name)
{
    return rv_fail(r->err, RV_E_DEST_AUTH, "the credentials file '%s' %s%s", r->path, what, name);
}

static rv_status keep(const reading *r, const char *text, const char **out)
{
    return text ? rv_arena_cstr(r->arena, rv_str_c(text), out, r->err) : RV_OK;
}

static rv_status optional(const reading *r, const json_t *doc, const char *name, const char **out)
{
    return keep(r, rv_oauth_text(doc, name), out);
}

static rv_status needed(const reading *r, const json_t *doc, const char *name, const char **out)
{
    const char *text = rv_oauth_text(doc, name);
    return text ? keep(r, text, out) : bad(r, "lacks ", name);
}

static rv_status secret(const reading *r, const json_t *doc, const char *name, const char **out)
{
    RV_TRY(needed(r, doc, name, out));
    return r->env->secrets ? rv_secrets_add(r->env->secrets, rv_str_c(*out), r->err) : RV_OK;
}

/* ---- the kinds ---- */

static rv_status read_service(const reading *r, const json_t *doc, rv_gcs_source *out)
{
    out->kind = RV_GCS_SERVICE_ACCOUNT;
    out->token_uri = RV_GCS_TOKEN_URI;
    RV_TRY(needed(r, doc, "client_email", &out->email));
    RV_TRY(secret(r, doc, "private_key", &out->key));
    RV_TRY(optional(r, doc, "private_key_id", &out->key_id));
    return optional(r, doc, "token_uri", &out->token_uri);
}

static rv_status read_user(const reading *r, const json_t *doc, rv_gcs_source *out)
{
    out->kind = RV_GCS_AUTHORIZED_USER;
    out->token_uri = RV_GCS_TOKEN_URI;
    RV_TRY(needed(r, doc, "client_id", &out->client_id));
    RV_TRY(secret(r, doc, "client_secret", &out->client_secret));
    RV_TRY(secret(r, doc, "refresh_token", &out->refresh_token));
    return optional(r, doc, "token_uri", &out->token_uri);
}

static rv_status read_headers(const reading *r, const json_t *headers, rv_gcs_source *out)
{
    void *at = json_object_iter((json_t *)(uintptr_t)headers);
    size_t n = 0;
    for (; at; at = json_object_iter_next((json_t *)(uintptr_t)headers, at)) {
        const char *value = json_string_value(json_object_iter_value(at));
        if (!value || n == sizeof out->subject_headers / sizeof out->subject_headers[0])
            return bad(r, "has headers that cannot be sent", "");
        RV_TRY(keep(r, json_object_iter_key(at), &out->subject_headers[n].name));
        RV_TRY(keep(r, value, &out->subject_headers[n].value));
        if (r->env->secrets) /* often a bearer token of the machine's own */
            RV_TRY(rv_secrets_add(r->env->secrets, rv_str_c(value), r->err));
        n++;
    }
    return RV_OK;
}

static rv_status read_subject(const reading *r, const json_t *from, rv_gcs_source *out)
{
    const json_t *format = json_object_get(from, "format");
    const char *type = rv_oauth_text(format, "type");
    RV_TRY(optional(r, from, "file", &out->subject_file));
    RV_TRY(optional(r, from, "url", &out->subject_url));
    if (json_object_get(from, "environment_id") || json_object_get(from, "executable") ||
        json_object_get(from, "certificate"))
        return bad(r, "takes its subject token from ",
                   json_object_get(from, "executable") ? "a program, which is not supported"
                                                       : "AWS or a certificate, which is not "
                                                         "supported");
    if (!out->subject_file && !out->subject_url)
        return bad(r, "names neither a file nor a url in credential_source", "");
    RV_TRY(read_headers(r, json_object_get(from, "headers"), out));
    if (!type || strcmp(type, "text") == 0)
        return RV_OK;
    if (strcmp(type, "json") != 0)
        return bad(r, "has an unknown format of its subject token", "");
    return needed(r, format, "subject_token_field_name", &out->subject_field);
}

static rv_status read_external(const reading *r, const json_t *doc, rv_gcs_source *out)
{
    out->kind = RV_GCS_EXTERNAL_ACCOUNT;
    if (json_object_get(doc, "workforce_pool_user_project"))
        return bad(r, "is one of a workforce pool, which is not supported", "");
    RV_TRY(needed(r, doc, "audience", &out->audience));
    RV_TRY(needed(r, doc, "subject_token_type", &out->subject_type));
    RV_TRY(needed(r, doc, "token_url", &out->token_uri));
    RV_TRY(optional(r, doc, "client_id", &out->client_id));
    RV_TRY(optional(r, doc, "service_account_impersonation_url", &out->impersonate));
    if (out->client_id)
        RV_TRY(secret(r, doc, "client_secret", &out->client_secret));
    return read_subject(r, json_object_get(doc, "credential_source"), out);
}

static rv_status read_plain(const reading *r, const json_t *doc, rv_gcs_source *out)
{
    const char *type = rv_oauth_text(doc, "type");
    if (!type)
        return bad(r, "lacks ", "type");
    if (strcmp(type, "service_account") == 0)
        return read_service(r, doc, out);
    if (strcmp(type, "authorized_user") == 0)
        return read_user(r, doc, out);
    if (strcmp(type, "external_account") == 0)
        return read_external(r, doc, out);
    return rv_fail(r->err, RV_E_DEST_AUTH,
                   "the credentials file '%s' is of the type '%.60s', which is not supported",
                   r->path, type);
}

/* "gcloud auth application-default login --impersonate-service-account" writes this one. */
static rv_status read_document(const reading *r, const json_t *doc, rv_gcs_source *out)
{
    const char *type = rv_oauth_text(doc, "type");
    if (!type || strcmp(type, "impersonated_service_account") != 0)
        return read_plain(r, doc, out);
    RV_TRY(read_plain(r, json_object_get(doc, "source_credentials"), out));
    return needed(r, doc, "service_account_impersonation_url", &out->impersonate);
}

rv_status rv_gcs_source_parse(const rv_env *env, const char *path, rv_bytes text, rv_arena *arena,
                              rv_gcs_source *out, rv_error *err)
{
    const reading r = {env, arena, path, err};
    rv_gcs_source made = {.kind = RV_GCS_METADATA};
    json_t *doc = text.len ? json_loadb((const char *)text.ptr, text.len, 0, NULL) : NULL;
    rv_status st =
        json_is_object(doc) ? read_document(&r, doc, &made) : bad(&r, "is no JSON object", "");
    json_decref(doc);
    if (st == RV_OK)
        *out = made;
    return st;
}

rv_status rv_gcs_source_read(const rv_env *env, const char *path, rv_arena *arena,
                             rv_gcs_source *out, bool *out_found, rv_error *err)
{
    const reading r = {env, arena, path, err};
    rv_buf text = RV_BUF_INIT;
    rv_error why = {.code = RV_OK};
    bool found = false;
    rv_status st = rv_file_read_all(path, FILE_MAX, &text, &found, &why);
    if (st != RV_OK)
        st = st == RV_E_MEMORY ? rv_fail_memory(err) : bad(&r, "cannot be read: ", why.text);
    else if (found)
        st = rv_gcs_source_parse(env, path, rv_buf_bytes(&text), arena, out, err);
    if (st == RV_OK)
        *out_found = found;
    if (text.ptr)
        explicit_bzero(text.ptr, text.cap);
    rv_buf_free(&text);
    return st;
}
