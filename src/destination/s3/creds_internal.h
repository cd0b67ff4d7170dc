/* destination/s3/creds_internal.h: what the ways to keys share. */
#ifndef RV_DESTINATION_S3_CREDS_INTERNAL_H
#define RV_DESTINATION_S3_CREDS_INTERNAL_H

#include "destination/s3/creds.h"
#include "destination/s3/ini.h"
#include "net/http.h"

typedef struct rv_s3_fetch { /* one way to keys */
    const rv_env *env;
    const char *region; /* for STS; "" = its global endpoint */
    bool insecure;      /* allow_insecure_endpoint */
} rv_s3_fetch;

/* ---- files.c: the shared files ---- */

typedef struct rv_s3_files {
    rv_arena arena;
    rv_buf credentials_text, config_text; /* wiped */
    rv_ini credentials, config;
} rv_s3_files;
/* A file that is not there is empty. RV_E_DEST_AUTH: one that cannot be read. */
rv_status rv_s3_files_read(const rv_env *env, rv_s3_files *out, rv_error *err) RV_MUST_USE;
void rv_s3_files_free(rv_s3_files *f);
bool rv_s3_files_has(const rv_s3_files *f, rv_str profile);
/* The credentials file wins. ptr NULL when absent. */
rv_str rv_s3_files_get(const rv_s3_files *f, rv_str profile, const char *key);
/* Some way to keys stands there. */
bool rv_s3_files_leads(const rv_s3_files *f, rv_str profile);

/* ---- profile.c ---- */

rv_status rv_s3_from_profile(const rv_s3_fetch *f, rv_str profile, rv_s3_keys **out,
                             rv_error *err) RV_MUST_USE;

/* ---- sts.c ---- */

typedef struct rv_s3_role {
    rv_str arn, session, external_id; /* session, external_id: len 0 = none */
    rv_str duration_s;                /* len 0 = the default */
} rv_s3_role;
rv_status rv_s3_from_role(const rv_s3_fetch *f, const rv_s3_role *role, const rv_s3_keys *by,
                          rv_s3_keys **out, rv_error *err) RV_MUST_USE;
rv_status rv_s3_from_web_identity(const rv_s3_fetch *f, const rv_s3_role *role,
                                  const char *token_file, rv_s3_keys **out,
                                  rv_error *err) RV_MUST_USE;

/* ---- metadata.c ---- */

rv_status rv_s3_from_environment(const rv_env *env, rv_s3_keys **out, rv_error *err) RV_MUST_USE;
bool rv_s3_container_given(const rv_env *env);
rv_status rv_s3_from_container(const rv_env *env, rv_s3_keys **out, rv_error *err) RV_MUST_USE;
/* *out NULL: there is no such service, or it gives no role. */
rv_status rv_s3_from_instance(const rv_env *env, rv_s3_keys **out, rv_error *err) RV_MUST_USE;

/* AWS_CA_BUNDLE for what goes to AWS. connect_us: 0 = the usual. */
rv_status rv_s3_http_open(const rv_env *env, int64_t connect_us, rv_http **out,
                          rv_error *err) RV_MUST_USE;
/* NULL when unset or empty. */
const char *rv_s3_env(const rv_env *env, const char *name);

#endif
