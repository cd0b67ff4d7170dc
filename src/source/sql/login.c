#include "source/sql/login.h"

#include <unistd.h>

#include "base/process.h"

#define PASSWORD_COMMAND_US 10000000

rv_status rv_sql_config_path(const rv_cfg_source *cfg, const char *path, rv_arena *arena,
                             const char **out, rv_error *err)
{
    if (!path || path[0] == '/') {
        *out = path;
        return RV_OK;
    }
    return rv_arena_printf(arena, out, err, "%s/%s", cfg->config_dir, path);
}

static rv_status run_command(const rv_env *env, const rv_cfg_source *cfg, rv_arena *arena,
                             const char **out, rv_error *err)
{
    rv_buf line = RV_BUF_INIT;
    rv_status st = rv_process_line(cfg->password_command, PASSWORD_COMMAND_US, env->cancel,
                                   "source.password_command", &line, err);
    if (st == RV_E_IO)
        st = rv_wrap(err, RV_E_SOURCE_AUTH, "the source's password is not to be had");
    if (st == RV_OK)
        st = rv_arena_cstr(arena, rv_buf_str(&line), out, err);
    if (line.ptr)
        explicit_bzero(line.ptr, line.cap);
    rv_buf_free(&line);
    return st;
}

rv_status rv_sql_password(const rv_env *env, const rv_cfg_source *cfg, rv_arena *arena,
                          const char **out, rv_error *err)
{
    const char *password = cfg->password;
    if (cfg->password_env) {
        password = rv_env_get(env, cfg->password_env);
        if (!password)
            return rv_fail(err, RV_E_CONFIG_NO_CONNECTION,
                           "environment variable '%s', named by source.password_env, is not set",
                           cfg->password_env);
    } else if (cfg->password_command) {
        RV_TRY(run_command(env, cfg, arena, &password, err));
    }
    if (password)
        RV_TRY(rv_secrets_add(env->secrets, rv_str_c(password), err));
    *out = password;
    return RV_OK;
}

rv_status rv_sql_ca_bundle(const char **out, rv_error *err)
{
    static const char *const places[] = {
        "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Alpine, Arch */
        "/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, RHEL */
        "/etc/ssl/ca-bundle.pem",                            /* openSUSE */
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* CentOS */
        "/etc/ssl/cert.pem",                                 /* others */
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (access(places[i], R_OK) == 0) {
            *out = places[i];
            return RV_OK;
        }
    rv_status st = rv_fail(err, RV_E_SOURCE_TLS,
                           "the server's certificate cannot be verified: this system has no "
                           "bundle of certificate authorities");
    rv_hint(err, "install ca-certificates, or name a file under source.tls.ca_file");
    return st;
}

rv_tls_mode rv_sql_tls_mode(const rv_cfg_tls *tls)
{
    /* a block that names no mode means all of it */
    rv_tls_mode mode = tls->mode == RV_TLS_UNSET ? RV_TLS_VERIFY_FULL : tls->mode;
    if (mode >= RV_TLS_VERIFY_CA && tls->accept_invalid_certs)
        return RV_TLS_REQUIRE;
    if (mode == RV_TLS_VERIFY_FULL && tls->accept_invalid_hostnames)
        return RV_TLS_VERIFY_CA;
    return mode;
}
