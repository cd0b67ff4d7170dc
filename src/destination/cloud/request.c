#include "config/endpoint.h"
#include "destination/cloud/store.h"

#define RV_TARGET "destination"

rv_status rv_store_net_error(rv_status st, rv_error *err)
{
    rv_status code = st;
    switch ((int)st) {
    case RV_E_HTTP_TLS:
        code = RV_E_DEST_TLS;
        break;
    case RV_E_HTTP_CONNECT:
    case RV_E_HTTP_NETWORK:
    case RV_E_HTTP_TIMEOUT:
        code = RV_E_DEST_UNREACHABLE;
        break;
    default:
        return st;
    }
    if (err)
        err->code = code;
    return code;
}

rv_status rv_store_endpoint(const rv_env *env, const rv_cfg_dest *cfg, const char *written,
                            rv_buf *out, rv_error *err)
{
    rv_endpoint e;
    const char *wrong = rv_endpoint_read(rv_str_c(written), cfg->allow_insecure_endpoint, &e);
    if (wrong)
        return rv_fail(err, RV_E_CONFIG_DESTINATION, "the destination's endpoint %s", wrong);
    rv_buf_clear(out);
    RV_TRY(rv_buf_add_str(out, e.base, err));
    if (!rv_buf_cstr(out))
        return rv_fail_memory(err);
    if (!e.loopback)
        rv_log_once(env->log, RV_WARN, RV_TARGET,
                    "uploads go to the endpoint %.*s%s, which the configuration names",
                    RV_STR_ARG(e.host), e.tls ? "" : " without TLS");
    return RV_OK;
}

rv_status rv_store_secret(const rv_env *env, const char *variable, const char *key,
                          const char **out, rv_error *err)
{
    const char *value = rv_env_get(env, variable);
    if (!value || !value[0]) {
        (void)rv_fail(err, RV_E_DEST_AUTH, "the environment variable %s, which %s names, is %s",
                      variable, key, value ? "empty" : "not set");
        rv_hint(err, "set %s in the environment of this process", variable);
        return RV_E_DEST_AUTH;
    }
    if (env->secrets)
        RV_TRY(rv_secrets_add(env->secrets, rv_str_c(value), err));
    *out = value;
    return RV_OK;
}
