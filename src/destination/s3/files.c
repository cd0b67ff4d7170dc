#include "base/file.h"
#include "destination/s3/creds_internal.h"

#define FILE_MAX ((size_t)1 << 20)

const char *rv_s3_env(const rv_env *env, const char *name)
{
    const char *value = rv_env_get(env, name);
    return value && value[0] ? value : NULL;
}

static rv_status read_file(const rv_env *env, const char *variable, const char *name, rv_buf *into,
                           rv_error *err)
{
    rv_buf path = RV_BUF_INIT;
    bool found = false;
    const char *written = rv_s3_env(env, variable);
    const char *home = rv_s3_env(env, "HOME");
    rv_status st = RV_OK;
    if (!written && !home)
        return RV_OK;
    RV_GO(written ? rv_buf_add_c(&path, written, err)
                  : rv_buf_printf(&path, err, "%s/.aws/%s", home, name));
    const char *text = rv_buf_cstr(&path);
    RV_GO(text ? rv_file_read_all(text, FILE_MAX, into, &found, err) : rv_fail_memory(err));
done:
    rv_buf_free(&path);
    if (st == RV_OK || st == RV_E_MEMORY)
        return st;
    return rv_wrap(err, RV_E_DEST_AUTH, "the shared AWS file '%s' cannot be read", name);
}

rv_status rv_s3_files_read(const rv_env *env, rv_s3_files *out, rv_error *err)
{
    rv_s3_files f = {.arena = RV_ARENA_INIT};
    rv_status st;
    RV_GO(read_file(env, "AWS_SHARED_CREDENTIALS_FILE", "credentials", &f.credentials_text, err));
    RV_GO(read_file(env, "AWS_CONFIG_FILE", "config", &f.config_text, err));
    RV_GO(rv_ini_parse(rv_buf_str(&f.credentials_text), &f.arena, &f.credentials, err));
    RV_GO(rv_ini_parse(rv_buf_str(&f.config_text), &f.arena, &f.config, err));
    *out = f;
done:
    if (st != RV_OK)
        rv_s3_files_free(&f);
    return st;
}

void rv_s3_files_free(rv_s3_files *f)
{
    rv_s3_wipe(&f->credentials_text);
    rv_s3_wipe(&f->config_text);
    rv_arena_free(&f->arena);
}

bool rv_s3_files_has(const rv_s3_files *f, rv_str profile)
{
    return rv_ini_has(&f->credentials, profile, false) || rv_ini_has(&f->config, profile, true);
}

rv_str rv_s3_files_get(const rv_s3_files *f, rv_str profile, const char *key)
{
    rv_str value = rv_ini_get(&f->credentials, profile, false, key);
    return value.ptr ? value : rv_ini_get(&f->config, profile, true, key);
}

bool rv_s3_files_leads(const rv_s3_files *f, rv_str profile)
{
    static const char *const keys[] = {"aws_access_key_id", "role_arn",       "credential_process",
                                       "sso_start_url",     "sso_account_id", "sso_session"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (rv_s3_files_get(f, profile, keys[i]).len)
            return true;
    return false;
}

rv_status rv_s3_region_find(const rv_env *env, const rv_cfg_dest *cfg, rv_arena *arena,
                            const char **out, rv_error *err)
{
    rv_s3_files files;
    const char *profile = cfg->aws_profile ? cfg->aws_profile : rv_s3_env(env, "AWS_PROFILE");
    const char *region = rv_s3_env(env, "AWS_REGION");
    region = region ? region : rv_s3_env(env, "AWS_DEFAULT_REGION");
    *out = NULL;
    if (region)
        return rv_arena_cstr(arena, rv_str_trim(rv_str_c(region)), out, err);
    RV_TRY(rv_s3_files_read(env, &files, err));
    rv_str value = rv_s3_files_get(&files, rv_str_c(profile ? profile : "default"), "region");
    rv_status st = value.len ? rv_arena_cstr(arena, value, out, err) : RV_OK;
    rv_s3_files_free(&files);
    return st;
}
