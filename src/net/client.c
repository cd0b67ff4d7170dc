#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/http_internal.h"

/* ---- texts taken from the environment ---- */

static rv_status keep(rv_buf *into, const char *text, rv_error *err)
{
    RV_TRY(rv_buf_add_c(into, text, err));
    return rv_buf_cstr(into) ? RV_OK : rv_fail_memory(err);
}

static const char *env_of(const rv_env *env, const char *lower, const char *upper)
{
    const char *value = lower ? rv_env_get(env, lower) : NULL;
    if ((!value || !value[0]) && upper)
        value = rv_env_get(env, upper);
    return value && value[0] ? value : NULL;
}

static rv_status keep_proxy(rv_http *h, rv_buf *into, const char *text, rv_error *err)
{
    if (!text)
        return RV_OK;
    const char *start = strstr(text, "://");
    start = start ? start + 3 : text;
    const char *at = strrchr(start, '@');
    const char *colon = at ? memchr(start, ':', (size_t)(at - start)) : NULL;
    if (colon && h->env->secrets)
        RV_TRY(rv_secrets_add(h->env->secrets, (rv_str){colon + 1, (size_t)(at - colon - 1)}, err));
    return keep(into, text, err);
}

static rv_status read_proxies(rv_http *h, rv_error *err)
{
    const rv_env *env = h->env;
    const char *all = env_of(env, "all_proxy", "ALL_PROXY");
    const char *http = env_of(env, "http_proxy", NULL);
    const char *https = env_of(env, "https_proxy", "HTTPS_PROXY");
    const char *none = env_of(env, "no_proxy", "NO_PROXY");
    RV_TRY(keep_proxy(h, &h->proxy_http, http ? http : all, err));
    RV_TRY(keep_proxy(h, &h->proxy_https, https ? https : all, err));
    return none ? keep(&h->no_proxy, none, err) : RV_OK;
}

/* Distributions do not agree where the bundle lies, and the one libcurl was built with knows one.
 */
static rv_status find_ca(rv_http *h, rv_error *err)
{
    static const char *const bundles[] = {
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/cert.pem"};
    const char *file = h->opts.ca_file ? h->opts.ca_file : env_of(h->env, NULL, "SSL_CERT_FILE");
    const char *dir = h->opts.ca_file ? NULL : env_of(h->env, NULL, "SSL_CERT_DIR");
    for (size_t i = 0; !file && !dir && i < sizeof bundles / sizeof bundles[0]; i++)
        if (access(bundles[i], R_OK) == 0)
            file = bundles[i];
    if (dir)
        RV_TRY(keep(&h->ca_dir, dir, err));
    return file ? keep(&h->ca_file, file, err) : RV_OK;
}

/* ---- the client ---- */

static rv_status start_curl(rv_http *h, rv_error *err)
{
    /* counted by libcurl under a lock of its own: the last client to close ends it */
    CURLcode code = curl_global_init_mem(CURL_GLOBAL_DEFAULT, rv_alloc, rv_free, rv_realloc,
                                         rv_strdup, rv_calloc);
    if (code != CURLE_OK)
        return code == CURLE_OUT_OF_MEMORY
                   ? rv_fail_memory(err)
                   : rv_fail(err, RV_E_INTERNAL, "the HTTP client cannot start: %s",
                             curl_easy_strerror(code));
    h->curl_started = true;
    h->multi = curl_multi_init();
    h->easy = h->multi ? curl_easy_init() : NULL;
    return h->easy ? RV_OK : rv_fail_memory(err);
}

rv_status rv_http_open(const rv_env *env, const rv_http_opts *opts, rv_http **out, rv_error *err)
{
    rv_status st;
    rv_http *h = rv_calloc(1, sizeof *h);
    if (!h)
        return rv_fail_memory(err);
    h->env = env;
    if (opts)
        h->opts = *opts;
    RV_GO(read_proxies(h, err));
    RV_GO(find_ca(h, err));
    RV_GO(start_curl(h, err));
    *out = h;
done:
    if (st != RV_OK)
        rv_http_close(h);
    return st;
}

void rv_http_close(rv_http *h)
{
    if (!h)
        return;
    curl_easy_cleanup(h->easy);
    (void)curl_multi_cleanup(h->multi);
    if (h->curl_started)
        curl_global_cleanup();
    rv_buf *const texts[] = {&h->ca_file,     &h->ca_dir,   &h->proxy_http,
                             &h->proxy_https, &h->no_proxy, &h->target};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i]->ptr)
            explicit_bzero(texts[i]->ptr, texts[i]->cap);
        rv_buf_free(texts[i]);
    }
    rv_free(h);
}
