#include <stdio.h>

#include "base/clock.h"
#include "base/hash.h"
#include "destination/azure/azure_internal.h"

#define RV_TARGET "destination"
#define SOON_US ((int64_t)3600 * 1000000)

static rv_status decode(rv_str text, rv_arena *arena, const char **out, rv_error *err)
{
    rv_buf plain = RV_BUF_INIT;
    rv_status st = RV_OK;
    for (size_t i = 0; i < text.len && st == RV_OK; i++) {
        uint8_t byte = (uint8_t)text.ptr[i];
        if (byte == '%' && i + 2 < text.len && rv_unhex((rv_str){text.ptr + i + 1, 2}, &byte))
            i += 2;
        st = rv_buf_add_byte(&plain, byte, err);
    }
    if (st == RV_OK)
        st = rv_arena_cstr(arena, rv_buf_str(&plain), out, err);
    rv_buf_free(&plain);
    return st;
}

/* The value of a parameter as written; ptr NULL when absent. */
static rv_str find(rv_str query, const char *name)
{
    size_t n = strlen(name);
    while (query.len) {
        const char *end = memchr(query.ptr, '&', query.len);
        size_t len = end ? (size_t)(end - query.ptr) : query.len;
        if (len > n && memcmp(query.ptr, name, n) == 0 && query.ptr[n] == '=')
            return (rv_str){query.ptr + n + 1, len - n - 1};
        len += end != NULL;
        query = (rv_str){query.ptr + len, query.len - len};
    }
    return (rv_str){NULL, 0};
}

/* The service also takes a day, and a time without seconds. */
static bool read_time(const char *text, int64_t *out_us)
{
    char whole[40];
    size_t len = strlen(text);
    const char *rest = len == 10 ? "T00:00:00Z" : ":00Z";
    if (rv_rfc3339_parse(rv_str_c(text), out_us))
        return true;
    if (len == 17 && text[16] == 'Z')
        len = 16;
    else if (len != 10 && len != 16)
        return false;
    (void)snprintf(whole, sizeof whole, "%.*s%s", (int)len, text, rest);
    return rv_rfc3339_parse(rv_str_c(whole), out_us);
}

rv_status rv_azure_sas_check(const rv_azure_sas *sas, int64_t now_us, rv_error *err)
{
    if (!sas->until_us || now_us < sas->until_us)
        return RV_OK;
    return rv_fail(err, RV_E_DEST_SAS_EXPIRED, "Azure SAS token expired at %s; issue a new one",
                   sas->end);
}

static rv_status keep_secret(const rv_env *env, rv_str query, rv_arena *arena, rv_error *err)
{
    const char *plain = NULL;
    rv_str sig = find(query, "sig");
    if (!env->secrets)
        return RV_OK;
    RV_TRY(rv_secrets_add(env->secrets, query, err));
    if (!sig.ptr)
        return RV_OK;
    RV_TRY(rv_secrets_add(env->secrets, sig, err));
    RV_TRY(decode(sig, arena, &plain, err));
    return rv_secrets_add(env->secrets, rv_str_c(plain), err);
}

rv_status rv_azure_sas_read(const rv_env *env, const char *text, rv_arena *arena, rv_azure_sas *out,
                            rv_error *err)
{
    rv_azure_sas sas = {.end = ""};
    rv_str query = rv_str_trim(rv_str_c(text));
    if (query.len && query.ptr[0] == '?')
        query = (rv_str){query.ptr + 1, query.len - 1};
    if (!find(query, "sig").ptr && !find(query, "sv").ptr && !find(query, "se").ptr)
        return rv_fail(err, RV_E_DEST_AUTH,
                       "the Azure SAS token is none: it holds neither sv= nor sig=");
    RV_TRY(keep_secret(env, query, arena, err));
    RV_TRY(rv_arena_cstr(arena, query, &sas.query, err));
    rv_str end = find(query, "se");
    if (end.ptr) {
        RV_TRY(decode(end, arena, &sas.end, err));
        if (!read_time(sas.end, &sas.until_us))
            rv_log_once(env->log, RV_WARN, RV_TARGET,
                        "the end of the Azure SAS token, se=%s, is no time that can be watched",
                        sas.end);
    }
    int64_t now_us = rv_env_now_us(env);
    RV_TRY(rv_azure_sas_check(&sas, now_us, err));
    if (sas.until_us && sas.until_us - now_us < SOON_US)
        rv_log_once(env->log, RV_WARN, RV_TARGET,
                    "the Azure SAS token expires at %s, in less than 60 minutes", sas.end);
    *out = sas;
    return RV_OK;
}
