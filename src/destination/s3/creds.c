#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"
#include "destination/cloud/store.h"
#include "destination/s3/creds_internal.h"

#define RV_TARGET "destination"
#define SECOND_US ((int64_t)1000000)
#define EARLY_US (300 * SECOND_US)
#define PAUSE_US (30 * SECOND_US) /* between two renewals that nobody is forced to */
#define EXHAUSTED                                                                                  \
    "no AWS credentials: tried config keys, profile, environment, web identity, shared files, "    \
    "container, instance metadata"

typedef enum step {
    STEP_CONFIG,
    STEP_PROFILE, /* aws_profile of the configuration */
    STEP_ENVIRONMENT,
    STEP_WEB_IDENTITY,
    STEP_SHARED, /* AWS_PROFILE or default */
    STEP_CONTAINER,
    STEP_INSTANCE
} step;

struct rv_s3_creds {
    const rv_env *env;
    rv_arena arena;
    step step;
    const char *access, *secret, *token; /* STEP_CONFIG; of the environment */
    const char *profile;
    const char *role_arn, *external_id; /* on top of the step; NULL = none */
    const char *where;
    bool insecure;
    pthread_mutex_t lock;
    rv_s3_keys *keys; /* in use; NULL = none yet */
    uint64_t serial;
    bool refused;
    int64_t tried_us; /* the last fetch */
};

/* ---- the choice ---- */

static void skip(const rv_env *env, const char *what, const char *why)
{
    RV_LOG_DEBUG(env, "AWS credentials: not by %s: %s", what, why);
}

static rv_status choose_config(rv_s3_creds *c, const rv_cfg_dest *cfg, rv_error *err)
{
    c->step = STEP_CONFIG;
    RV_TRY(rv_store_secret(c->env, cfg->secret_key_env, "secret_key_env", &c->secret, err));
    if (cfg->session_token_env)
        RV_TRY(
            rv_store_secret(c->env, cfg->session_token_env, "session_token_env", &c->token, err));
    c->access = rv_s3_env(c->env, cfg->access_key_env);
    if (!c->access) {
        (void)rv_fail(err, RV_E_DEST_AUTH,
                      "the environment variable %s, which access_key_env names, is not set",
                      cfg->access_key_env);
        rv_hint(err, "set %s in the environment of this process", cfg->access_key_env);
        return RV_E_DEST_AUTH;
    }
    return rv_arena_printf(&c->arena, &c->where, err, "keys in %s and %s", cfg->access_key_env,
                           cfg->secret_key_env);
}

static rv_status choose_profile(rv_s3_creds *c, const char *profile, rv_error *err)
{
    rv_s3_files files;
    c->step = STEP_PROFILE;
    RV_TRY(rv_arena_cstr(&c->arena, rv_str_c(profile), &c->profile, err));
    RV_TRY(rv_s3_files_read(c->env, &files, err));
    bool found = rv_s3_files_has(&files, rv_str_c(profile));
    bool leads = rv_s3_files_leads(&files, rv_str_c(profile));
    rv_s3_files_free(&files);
    if (!found || !leads) {
        (void)rv_fail(err, RV_E_DEST_AUTH,
                      found ? "profile '%s' of the shared AWS files holds no credentials"
                            : "there is no profile '%s' in the shared AWS files",
                      profile);
        rv_hint(err, "see ~/.aws/credentials and ~/.aws/config, or the files that "
                     "AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE name");
        return RV_E_DEST_AUTH;
    }
    return rv_arena_printf(&c->arena, &c->where, err, "profile '%s'", profile);
}

/* Half a pair is no pair: to go on would sign in as somebody else than was meant. */
static rv_status try_environment(rv_s3_creds *c, bool *found, rv_error *err)
{
    const char *access = rv_s3_env(c->env, "AWS_ACCESS_KEY_ID");
    const char *secret = rv_s3_env(c->env, "AWS_SECRET_ACCESS_KEY");
    *found = access && secret;
    if (!access != !secret)
        return rv_fail(err, RV_E_DEST_AUTH, "%s is set, but %s is not",
                       access ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                       access ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
    c->step = STEP_ENVIRONMENT;
    c->where = "environment";
    if (!*found)
        skip(c->env, "environment", "AWS_ACCESS_KEY_ID is not set");
    return RV_OK;
}

static bool try_web_identity(rv_s3_creds *c)
{
    c->step = STEP_WEB_IDENTITY;
    c->where = "web identity";
    if (rv_s3_env(c->env, "AWS_WEB_IDENTITY_TOKEN_FILE") && rv_s3_env(c->env, "AWS_ROLE_ARN"))
        return true;
    skip(c->env, "web identity", "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN are not both set");
    return false;
}

static rv_status try_shared(rv_s3_creds *c, bool *found, rv_error *err)
{
    rv_s3_files files;
    const char *named = rv_s3_env(c->env, "AWS_PROFILE");
    rv_str profile = rv_str_c(named ? named : "default");
    RV_TRY(rv_s3_files_read(c->env, &files, err));
    bool has = rv_s3_files_has(&files, profile);
    *found = rv_s3_files_leads(&files, profile);
    rv_s3_files_free(&files);
    if (named && !has)
        return rv_fail(err, RV_E_DEST_AUTH,
                       "there is no profile '%s', which AWS_PROFILE names, in the shared AWS files",
                       named);
    if (!*found)
        skip(c->env, "shared files", has ? "the profile holds no credentials" : "no such profile");
    c->step = STEP_SHARED;
    RV_TRY(rv_arena_cstr(&c->arena, profile, &c->profile, err));
    return rv_arena_printf(&c->arena, &c->where, err, "profile '%s'", c->profile);
}

static rv_status exhausted(rv_error *err)
{
    (void)rv_fail(err, RV_E_DEST_AUTH, EXHAUSTED);
    rv_hint(err, "name keys (access_key_env, secret_key_env) or aws_profile in the destination, or "
                 "give this machine a role");
    return RV_E_DEST_AUTH;
}

static rv_status choose(rv_s3_creds *c, const rv_cfg_dest *cfg, rv_error *err)
{
    bool found = false;
    if (cfg->access_key_env)
        return choose_config(c, cfg, err);
    skip(c->env, "config keys", "access_key_env is not written");
    if (cfg->aws_profile)
        return choose_profile(c, cfg->aws_profile, err);
    skip(c->env, "profile", "aws_profile is not written");
    RV_TRY(try_environment(c, &found, err));
    if (found || try_web_identity(c))
        return RV_OK;
    RV_TRY(try_shared(c, &found, err));
    if (found)
        return RV_OK;
    c->step = STEP_CONTAINER;
    c->where = "container";
    if (rv_s3_container_given(c->env))
        return RV_OK;
    skip(c->env, "container", "no AWS_CONTAINER_CREDENTIALS_..._URI is set");
    c->step = STEP_INSTANCE;
    c->where = "instance metadata";
    if (!rv_s3_instance_off(c->env))
        return RV_OK;
    skip(c->env, "instance metadata", "AWS_EC2_METADATA_DISABLED is set");
    return exhausted(err);
}

static rv_status choose_role(rv_s3_creds *c, const rv_cfg_dest *cfg, rv_error *err)
{
    if (!cfg->role_arn)
        return RV_OK;
    RV_TRY(rv_arena_cstr(&c->arena, rv_str_c(cfg->role_arn), &c->role_arn, err));
    if (cfg->external_id)
        RV_TRY(rv_arena_cstr(&c->arena, rv_str_c(cfg->external_id), &c->external_id, err));
    return rv_arena_printf(&c->arena, &c->where, err, "%s, assumed role %s", c->where, c->role_arn);
}

rv_status rv_s3_creds_open(const rv_env *env, const rv_cfg_dest *cfg, rv_s3_creds **out,
                           rv_error *err)
{
    rv_s3_creds *c = rv_calloc(1, sizeof *c);
    if (!c)
        return rv_fail_memory(err);
    c->env = env;
    c->insecure = cfg->allow_insecure_endpoint;
    if (pthread_mutex_init(&c->lock, NULL) != 0) {
        rv_free(c);
        return rv_fail_memory(err);
    }
    rv_status st = choose(c, cfg, err);
    st = st == RV_OK ? choose_role(c, cfg, err) : st;
    if (st != RV_OK) {
        rv_s3_creds_close(c);
        return st;
    }
    *out = c;
    return RV_OK;
}

void rv_s3_creds_close(rv_s3_creds *c)
{
    if (!c)
        return;
    rv_s3_keys_drop(c->keys);
    (void)pthread_mutex_destroy(&c->lock);
    rv_arena_free(&c->arena);
    rv_free(c);
}

const char *rv_s3_creds_where(const rv_s3_creds *c)
{
    return c->where;
}

/* ---- fetching ---- */

static rv_status from_config(const rv_s3_creds *c, rv_s3_keys **out, rv_error *err)
{
    const rv_s3_key_texts texts = {
        .access = rv_str_c(c->access), .secret = rv_str_c(c->secret), .token = rv_str_c(c->token)};
    return rv_s3_keys_new(c->env, "the configuration", &texts, out, err);
}

static rv_status from_web_identity(const rv_s3_fetch *f, rv_s3_keys **out, rv_error *err)
{
    const rv_s3_role role = {.arn = rv_str_c(rv_s3_env(f->env, "AWS_ROLE_ARN")),
                             .session = rv_str_c(rv_s3_env(f->env, "AWS_ROLE_SESSION_NAME"))};
    return rv_s3_from_web_identity(f, &role, rv_s3_env(f->env, "AWS_WEB_IDENTITY_TOKEN_FILE"), out,
                                   err);
}

static rv_status from_instance(const rv_s3_fetch *f, rv_s3_keys **out, rv_error *err)
{
    rv_error why = {.code = RV_OK};
    rv_status st = rv_s3_from_instance(f->env, out, &why);
    if (st == RV_OK)
        return *out ? RV_OK : exhausted(err);
    if (err)
        *err = why;
    return st;
}

static rv_status from_step(const rv_s3_creds *c, const rv_s3_fetch *f, rv_s3_keys **out,
                           rv_error *err)
{
    switch (c->step) {
    case STEP_CONFIG:
        return from_config(c, out, err);
    case STEP_PROFILE:
    case STEP_SHARED:
        return rv_s3_from_profile(f, rv_str_c(c->profile), out, err);
    case STEP_ENVIRONMENT:
        return rv_s3_from_environment(f->env, out, err);
    case STEP_WEB_IDENTITY:
        return from_web_identity(f, out, err);
    case STEP_CONTAINER:
        return rv_s3_from_container(f->env, out, err);
    case STEP_INSTANCE:
        return from_instance(f, out, err);
    }
    return rv_fail(err, RV_E_INTERNAL, "no such step of the credential chain");
}

static rv_status fetch(const rv_s3_creds *c, const char *region, rv_s3_keys **out, rv_error *err)
{
    const rv_s3_fetch f = {.env = c->env, .region = region, .insecure = c->insecure};
    rv_s3_keys *base = NULL;
    RV_TRY(from_step(c, &f, &base, err));
    if (!c->role_arn) {
        *out = base;
        return RV_OK;
    }
    const rv_s3_role role = {.arn = rv_str_c(c->role_arn), .external_id = rv_str_c(c->external_id)};
    rv_status st = rv_s3_from_role(&f, &role, base, out, err);
    rv_s3_keys_drop(base);
    return st;
}

/* ---- the keys in use ---- */

/* The environment of a process does not change: a token that came by it cannot be renewed. */
static bool renewable(const rv_s3_creds *c)
{
    return c->role_arn || (c->step != STEP_CONFIG && c->step != STEP_ENVIRONMENT);
}

static void warn_of_end(const rv_s3_creds *c, const rv_s3_keys *keys)
{
    char text[RV_RFC3339_SIZE];
    if (renewable(c) || !keys->until_us)
        return;
    rv_rfc3339_s(keys->until_us, text);
    rv_log_once(c->env->log, RV_WARN, RV_TARGET,
                "the AWS session token in the environment expires at %s and cannot be renewed",
                text);
}

static rv_status renew(rv_s3_creds *c, const char *region, int64_t now_us, rv_error *err)
{
    rv_s3_keys *fresh = NULL;
    c->tried_us = now_us;
    RV_TRY(fetch(c, region, &fresh, err));
    warn_of_end(c, fresh);
    fresh->serial = ++c->serial;
    rv_s3_keys_drop(c->keys);
    c->keys = fresh;
    c->refused = false;
    return RV_OK;
}

static bool is_due(const rv_s3_creds *c, int64_t now_us)
{
    int64_t until_us = c->keys->until_us;
    /* a metadata service gives the same keys until their very end: it is not asked each time */
    return renewable(c) && until_us && now_us >= until_us - EARLY_US &&
           (now_us >= until_us || now_us >= c->tried_us + PAUSE_US);
}

static rv_status ensure(rv_s3_creds *c, const char *region, rv_error *err)
{
    int64_t now_us = rv_env_now_us(c->env);
    if (!c->keys || c->refused)
        return renew(c, region, now_us, err);
    if (!is_due(c, now_us))
        return RV_OK;
    rv_error why = {.code = RV_OK};
    rv_status st = renew(c, region, now_us, &why);
    if (st == RV_OK || st == RV_E_INTERRUPTED || now_us >= c->keys->until_us) {
        if (st != RV_OK && err)
            *err = why;
        return st;
    }
    RV_LOG_DEBUG(c->env, "AWS credentials could not be renewed yet: %s", why.text);
    return RV_OK;
}

rv_status rv_s3_creds_take(rv_s3_creds *c, const char *region, rv_s3_keys **out, rv_error *err)
{
    (void)pthread_mutex_lock(&c->lock);
    rv_status st = ensure(c, region, err);
    if (st == RV_OK)
        *out = rv_s3_keys_take(c->keys);
    (void)pthread_mutex_unlock(&c->lock);
    return st;
}

bool rv_s3_creds_refused(rv_s3_creds *c, const rv_s3_keys *keys)
{
    if (!renewable(c))
        return false;
    (void)pthread_mutex_lock(&c->lock);
    if (c->keys && c->keys->serial == keys->serial)
        c->refused = true;
    (void)pthread_mutex_unlock(&c->lock);
    return true;
}
