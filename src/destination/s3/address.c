#include "destination/s3/address.h"

#include "base/buf.h"
#include "config/endpoint.h"
#include "net/crypto.h"

static bool is_bucket(const char *name)
{
    size_t n = strlen(name);
    if (n < 3 || n > 255 || name[0] == '.')
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = name[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && c != '-' && c != '.' && c != '_')
            return false;
    }
    return strstr(name, "..") == NULL;
}

static bool is_aws(rv_str host)
{
    return rv_str_ends(host, RV_STR(".amazonaws.com")) ||
           rv_str_ends(host, RV_STR(".amazonaws.com.cn"));
}

/* Hosts are compared and signed in lower case. */
static rv_status lower_host(const char *endpoint, rv_arena *arena, const char **out, rv_error *err)
{
    char *copy = NULL;
    size_t n = strlen(endpoint);
    RV_TRY(rv_arena_alloc(arena, n + 1, &copy, err));
    memcpy(copy, endpoint, n);
    char *host = strstr(copy, "://");
    host = host ? host + 3 : copy + n;
    for (size_t i = 0, end = strcspn(host, "/"); i < end; i++)
        host[i] = (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] - 'A' + 'a' : host[i]);
    *out = copy;
    return RV_OK;
}

rv_status rv_s3_address_read(const rv_cfg_dest *cfg, const char *endpoint, rv_arena *arena,
                             rv_s3_address *out, rv_error *err)
{
    rv_endpoint e = {.tls = true};
    rv_s3_address a = {.endpoint = "", .aws = true};
    const char *style = cfg->path_style ? cfg->path_style : "auto";
    if (!cfg->bucket || !is_bucket(cfg->bucket))
        return rv_fail(err, RV_E_CONFIG_DESTINATION, "'%s' is not the name of an S3 bucket",
                       cfg->bucket ? cfg->bucket : "");
    RV_TRY(rv_arena_cstr(arena, rv_str_c(cfg->bucket), &a.bucket, err));
    if (endpoint[0]) {
        RV_TRY(lower_host(endpoint, arena, &a.endpoint, err));
        if (rv_endpoint_read(rv_str_c(a.endpoint), true, &e))
            return rv_fail(err, RV_E_CONFIG_DESTINATION, "the endpoint of S3 is malformed");
        a.aws = is_aws(e.host);
    }
    a.tls = e.tls;
    a.path_style = strcmp(style, "path") == 0 ||
                   (strcmp(style, "auto") == 0 && (endpoint[0] || strchr(a.bucket, '.')));
    *out = a;
    return RV_OK;
}

/* Behind "://": the host with the bucket in front where it belongs. */
static rv_status write_host(const rv_s3_address *a, const char *region, rv_str authority,
                            rv_buf *out, rv_error *err)
{
    if (!a->path_style)
        RV_TRY(rv_buf_printf(out, err, "%s.", a->bucket));
    if (authority.len)
        return rv_buf_add_str(out, authority, err);
    return rv_buf_printf(out, err, "s3.%s.amazonaws.com%s", region,
                         strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
}

/* The port that the scheme implies is neither sent nor signed. */
static rv_str without_port(rv_str authority, bool tls)
{
    rv_str port = tls ? RV_STR(":443") : RV_STR(":80");
    if (rv_str_ends(authority, port))
        authority.len -= port.len;
    return authority;
}

static rv_status write_path(const rv_s3_address *a, rv_str base, const char *key, rv_buf *out,
                            rv_error *err)
{
    RV_TRY(rv_percent(base, "/", out, err));
    if (a->path_style)
        RV_TRY(rv_buf_printf(out, err, "/%s", a->bucket));
    if (!key)
        return a->path_style ? RV_OK : rv_buf_add_byte(out, '/', err);
    RV_TRY(rv_buf_add_byte(out, '/', err));
    return rv_percent(rv_str_c(key), "/", out, err);
}

rv_status rv_s3_url_make(const rv_s3_address *a, const char *region, const char *key,
                         rv_arena *arena, rv_s3_url *out, rv_error *err)
{
    rv_buf host = RV_BUF_INIT, path = RV_BUF_INIT;
    const char *rest = a->endpoint[0] ? strstr(a->endpoint, "://") + 3 : "";
    rv_str authority = without_port((rv_str){rest, strcspn(rest, "/")}, a->tls);
    rv_str base = rv_str_c(rest + strcspn(rest, "/"));
    rv_s3_url made = {.url = NULL};
    rv_status st;
    RV_GO(write_host(a, region, authority, &host, err));
    RV_GO(write_path(a, base, key, &path, err));
    RV_GO(rv_arena_cstr(arena, rv_buf_str(&host), &made.host, err));
    RV_GO(rv_arena_printf(arena, &made.url, err, "%s://%s%.*s", a->tls ? "https" : "http",
                          made.host, (int)path.len, (const char *)path.ptr));
    made.path = made.url + strlen(a->tls ? "https://" : "http://") + strlen(made.host);
    *out = made;
done:
    rv_buf_free(&host);
    rv_buf_free(&path);
    return st;
}

rv_status rv_s3_copy_source(const rv_s3_address *a, const char *key, rv_arena *arena,
                            const char **out, rv_error *err)
{
    rv_buf text = RV_BUF_INIT;
    rv_status st = rv_buf_printf(&text, err, "/%s/", a->bucket);
    if (st == RV_OK)
        st = rv_percent(rv_str_c(key), "/", &text, err);
    if (st == RV_OK)
        st = rv_arena_cstr(arena, rv_buf_str(&text), out, err);
    rv_buf_free(&text);
    return st;
}
