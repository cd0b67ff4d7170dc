/* Keys by the shared files: every form of a profile that the cloud's own tools know, but MFA. */
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/process.h"
#include "destination/s3/creds_internal.h"
#include "net/crypto.h"

#define PROCESS_LIMIT_US ((int64_t)60000000)
#define CHAIN_MAX 8u
#define CACHE_MAX ((size_t)64 << 10)

typedef struct walk { /* from a profile to its source_profile and on */
    const rv_s3_fetch *f;
    const rv_s3_files *files;
    rv_arena arena; /* texts of no secrecy */
    unsigned depth;
} walk;

static rv_str get(const walk *w, rv_str profile, const char *key)
{
    return rv_s3_files_get(w->files, profile, key);
}

static rv_status name_of(walk *w, rv_str profile, const char **out, rv_error *err)
{
    return rv_arena_printf(&w->arena, out, err, "profile '%.*s'", RV_STR_ARG(profile));
}

static rv_status from_keys(walk *w, rv_str profile, rv_s3_keys **out, rv_error *err)
{
    const char *what = NULL;
    const rv_s3_key_texts texts = {.access = get(w, profile, "aws_access_key_id"),
                                   .secret = get(w, profile, "aws_secret_access_key"),
                                   .token = get(w, profile, "aws_session_token")};
    RV_TRY(name_of(w, profile, &what, err));
    return rv_s3_keys_new(w->f->env, what, &texts, out, err);
}

/* ---- credential_process ---- */

/* What the program writes may be several lines: they become one. Its failure is the shell's. */
static rv_status from_process(walk *w, rv_str profile, rv_str command, rv_s3_keys **out,
                              rv_error *err)
{
    const char *what = NULL, *line = NULL;
    rv_buf answer = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_arena_printf(&w->arena, &what, err, "credential_process of profile '%.*s'",
                          RV_STR_ARG(profile)));
    RV_GO(rv_arena_printf(
        &w->arena, &line, err,
        "rivet_keys=$(\n%.*s\n) || exit 1\nprintf '%%s' \"$rivet_keys\" | tr '\\r\\n' '  '",
        RV_STR_ARG(command)));
    st = rv_process_line(line, PROCESS_LIMIT_US, w->f->env->cancel, what, &answer, err);
    if (st == RV_E_IO && err)
        st = err->code = RV_E_DEST_AUTH;
    if (st == RV_OK)
        st = rv_s3_keys_json(w->f->env, what, rv_buf_bytes(&answer), NULL, out, err);
done:
    rv_s3_wipe(&answer);
    return st;
}

/* ---- SSO: the role's keys that the command line has fetched ---- */

static rv_status suggest_export(rv_str profile, rv_error *err)
{
    (void)rv_fail(
        err, RV_E_DEST_AUTH,
        "profile '%.*s' signs in by SSO and has no cached role credentials that still hold",
        RV_STR_ARG(profile));
    rv_hint(err,
            "run `aws sso login --profile %.*s`, then "
            "`eval \"$(aws configure export-credentials --profile %.*s --format env)\"`",
            RV_STR_ARG(profile), RV_STR_ARG(profile));
    return RV_E_DEST_AUTH;
}

/* The file's name is the SHA-1 of what was asked for, as compact JSON with sorted names. */
static rv_status cache_path(walk *w, rv_str profile, const char **out, rv_error *err)
{
    uint8_t hash[20];
    char hex[41];
    const char *asked = NULL, *home = rv_s3_env(w->f->env, "HOME");
    rv_str session = get(w, profile, "sso_session"), start = get(w, profile, "sso_start_url");
    rv_str role = get(w, profile, "sso_role_name"), account = get(w, profile, "sso_account_id");
    rv_str by = session.len ? session : start;
    *out = NULL;
    if (!home || by.len == 0 || role.len == 0 || account.len == 0)
        return RV_OK;
    RV_TRY(rv_arena_printf(&w->arena, &asked, err,
                           "{\"accountId\":\"%.*s\",\"roleName\":\"%.*s\",\"%s\":\"%.*s\"}",
                           RV_STR_ARG(account), RV_STR_ARG(role),
                           session.len ? "sessionName" : "startUrl", RV_STR_ARG(by)));
    rv_sha1(rv_str_bytes(rv_str_c(asked)), hash);
    rv_hex(hash, sizeof hash, hex);
    return rv_arena_printf(&w->arena, out, err, "%s/.aws/cli/cache/%s.json", home, hex);
}

static rv_status from_sso(walk *w, rv_str profile, rv_s3_keys **out, rv_error *err)
{
    const char *path = NULL;
    rv_s3_keys *keys = NULL;
    rv_buf text = RV_BUF_INIT;
    bool found = false;
    RV_TRY(cache_path(w, profile, &path, err));
    rv_status st = path ? rv_file_read_all(path, CACHE_MAX, &text, &found, err) : RV_OK;
    if (st == RV_OK && found)
        st = rv_s3_keys_json(w->f->env, "the cache of SSO", rv_buf_bytes(&text), "Credentials",
                             &keys, err);
    rv_s3_wipe(&text);
    if (st == RV_E_MEMORY)
        return st;
    if (st != RV_OK || !keys || (keys->until_us && keys->until_us <= rv_env_now_us(w->f->env))) {
        rv_s3_keys_drop(keys);
        return suggest_export(profile, err);
    }
    *out = keys;
    return RV_OK;
}

/* ---- roles ---- */

static rv_status from_one(walk *w, rv_str profile, rv_s3_keys **out, rv_error *err);

static rv_status from_credential_source(walk *w, rv_str profile, rv_str source, rv_s3_keys **out,
                                        rv_error *err)
{
    const rv_env *env = w->f->env;
    if (rv_str_eq(source, RV_STR("Environment")))
        return rv_s3_from_environment(env, out, err);
    if (rv_str_eq(source, RV_STR("EcsContainer")))
        return rv_s3_from_container(env, out, err);
    if (!rv_str_eq(source, RV_STR("Ec2InstanceMetadata")))
        return rv_fail(err, RV_E_DEST_AUTH,
                       "profile '%.*s' has the unknown credential_source '%.*s'",
                       RV_STR_ARG(profile), RV_STR_ARG(source));
    RV_TRY(rv_s3_from_instance(env, out, err));
    return *out ? RV_OK
                : rv_fail(err, RV_E_DEST_AUTH,
                          "profile '%.*s' takes its keys from instance metadata, which gives none",
                          RV_STR_ARG(profile));
}

static rv_status from_base(walk *w, rv_str profile, rv_s3_keys **out, rv_error *err)
{
    rv_str source = get(w, profile, "source_profile"), other = get(w, profile, "credential_source");
    if (source.len && other.len)
        return rv_fail(err, RV_E_DEST_AUTH,
                       "profile '%.*s' has both source_profile and credential_source",
                       RV_STR_ARG(profile));
    if (other.len)
        return from_credential_source(w, profile, other, out, err);
    if (source.len == 0)
        return rv_fail(err, RV_E_DEST_AUTH,
                       "profile '%.*s' has role_arn but none of source_profile, credential_source "
                       "and web_identity_token_file",
                       RV_STR_ARG(profile));
    if (rv_str_eq(source, profile)) /* its own static keys */
        return from_keys(w, profile, out, err);
    return from_one(w, source, out, err);
}

static rv_status from_role(walk *w, rv_str profile, rv_str arn, rv_s3_keys **out, rv_error *err)
{
    rv_s3_keys *base = NULL;
    const char *file = NULL;
    rv_str web = get(w, profile, "web_identity_token_file");
    const rv_s3_role role = {.arn = arn,
                             .session = get(w, profile, "role_session_name"),
                             .external_id = get(w, profile, "external_id"),
                             .duration_s = get(w, profile, "duration_seconds")};
    if (get(w, profile, "mfa_serial").len) {
        (void)rv_fail(err, RV_E_DEST_AUTH, "profile '%.*s' asks for a one-time code (mfa_serial)",
                      RV_STR_ARG(profile));
        rv_hint(err, "nobody is there to type it: use a role without MFA, or keys exported by "
                     "`aws configure export-credentials`");
        return RV_E_DEST_AUTH;
    }
    if (web.len) {
        RV_TRY(rv_arena_cstr(&w->arena, web, &file, err));
        return rv_s3_from_web_identity(w->f, &role, file, out, err);
    }
    RV_TRY(from_base(w, profile, &base, err));
    rv_status st = rv_s3_from_role(w->f, &role, base, out, err);
    rv_s3_keys_drop(base);
    return st;
}

/* ---- one profile ---- */

static rv_status from_one(walk *w, rv_str profile, rv_s3_keys **out, rv_error *err)
{
    rv_str role = get(w, profile, "role_arn"), command = get(w, profile, "credential_process");
    if (++w->depth > CHAIN_MAX)
        return rv_fail(err, RV_E_DEST_AUTH, "source_profile leads through more than %u profiles",
                       CHAIN_MAX);
    if (!rv_s3_files_has(w->files, profile)) {
        (void)rv_fail(err, RV_E_DEST_AUTH, "there is no profile '%.*s' in the shared AWS files",
                      RV_STR_ARG(profile));
        rv_hint(err, "see ~/.aws/credentials and ~/.aws/config, or the files that "
                     "AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE name");
        return RV_E_DEST_AUTH;
    }
    if (role.len)
        return from_role(w, profile, role, out, err);
    if (get(w, profile, "aws_access_key_id").len)
        return from_keys(w, profile, out, err);
    if (command.len)
        return from_process(w, profile, command, out, err);
    if (rv_s3_files_leads(w->files, profile))
        return from_sso(w, profile, out, err);
    return rv_fail(err, RV_E_DEST_AUTH, "profile '%.*s' holds no credentials", RV_STR_ARG(profile));
}

rv_status rv_s3_from_profile(const rv_s3_fetch *f, rv_str profile, rv_s3_keys **out, rv_error *err)
{
    rv_s3_files files;
    RV_TRY(rv_s3_files_read(f->env, &files, err));
    walk w = {.f = f, .files = &files, .arena = RV_ARENA_INIT};
    rv_status st = from_one(&w, profile, out, err);
    rv_arena_free(&w.arena);
    rv_s3_files_free(&files);
    return st;
}
