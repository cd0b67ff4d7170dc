/* Keys that the place we run at gives: environment, container agent, instance metadata. */
#include <stdio.h>

#include "base/clock.h"
#include "base/file.h"
#include "config/endpoint.h"
#include "destination/cloud/store.h"
#include "destination/s3/creds_internal.h"

#define RV_TARGET "destination"
#define SECOND_US ((int64_t)1000000)
#define TRY_US (5 * SECOND_US)
#define TOKEN_MAX ((size_t)64 << 10)
#define IMDS "http://169.254.169.254"
#define IMDS_SIX "http://[fd00:ec2::254]"
#define AGENT "http://169.254.170.2"

rv_status rv_s3_http_open(const rv_env *env, int64_t connect_us, rv_http **out, rv_error *err)
{
    const rv_http_opts opts = {.ca_file = rv_s3_env(env, "AWS_CA_BUNDLE"),
                               .connect_timeout_us = connect_us};
    return rv_http_open(env, &opts, out, err);
}

rv_status rv_s3_from_environment(const rv_env *env, rv_s3_keys **out, rv_error *err)
{
    const char *expires = rv_s3_env(env, "AWS_CREDENTIAL_EXPIRATION");
    rv_s3_key_texts texts = {.access = rv_str_c(rv_s3_env(env, "AWS_ACCESS_KEY_ID")),
                             .secret = rv_str_c(rv_s3_env(env, "AWS_SECRET_ACCESS_KEY")),
                             .token = rv_str_c(rv_s3_env(env, "AWS_SESSION_TOKEN"))};
    if (texts.token.len && expires && !rv_rfc3339_parse(rv_str_c(expires), &texts.until_us))
        texts.until_us = 0;
    return rv_s3_keys_new(env, "the environment", &texts, out, err);
}

/* ---- one question to a metadata service ---- */

typedef struct question {
    const char *method, *url;
    rv_http_header header; /* name NULL: none */
    bool direct;
} question;

static rv_status ask(rv_http *h, const question *q, rv_http_response *r, rv_error *err)
{
    const rv_http_retry retry = {.tries = 2, .base_us = SECOND_US / 5, .idempotent = true};
    const rv_http_request req = {.method = q->method,
                                 .url = q->url,
                                 .headers = q->header.name ? &q->header : NULL,
                                 .n_headers = q->header.name ? 1 : 0,
                                 .timeout_us = TRY_US,
                                 .direct = q->direct};
    return rv_store_net_error(rv_http_send_retry(h, &req, &retry, r, err), err);
}

static void answer_free(rv_http_response *r)
{
    rv_s3_wipe(&r->body);
    rv_http_response_free(r);
}

/* ---- container ---- */

bool rv_s3_container_given(const rv_env *env)
{
    return rv_s3_env(env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") ||
           rv_s3_env(env, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
}

/* The agents of ECS and EKS, and this machine, are the only ones asked without TLS. */
static rv_status check_host(const char *url, bool *direct, rv_error *err)
{
    static const char *const agents[] = {"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};
    rv_endpoint e;
    const char *wrong = rv_endpoint_read((rv_str){url, strcspn(url, "?")}, true, &e);
    if (wrong)
        return rv_fail(err, RV_E_DEST_AUTH, "AWS_CONTAINER_CREDENTIALS_FULL_URI %s", wrong);
    *direct = e.loopback;
    for (size_t i = 0; i < sizeof agents / sizeof agents[0]; i++)
        *direct = *direct || rv_str_eq(e.host, rv_str_c(agents[i]));
    if (e.tls || *direct)
        return RV_OK;
    return rv_fail(err, RV_E_DEST_AUTH,
                   "AWS_CONTAINER_CREDENTIALS_FULL_URI names '%.*s' without TLS: only this machine "
                   "and the container agents are asked so",
                   RV_STR_ARG(e.host));
}

static rv_status container_url(const rv_env *env, rv_buf *out, bool *direct, rv_error *err)
{
    const char *relative = rv_s3_env(env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    *direct = true;
    if (relative)
        RV_TRY(rv_buf_printf(out, err, AGENT "%s%s", relative[0] == '/' ? "" : "/", relative));
    else
        RV_TRY(rv_buf_add_c(out, rv_s3_env(env, "AWS_CONTAINER_CREDENTIALS_FULL_URI"), err));
    const char *text = rv_buf_cstr(out);
    if (!text)
        return rv_fail_memory(err);
    return relative ? RV_OK : check_host(text, direct, err);
}

/* The file wins: an agent renews it. */
static rv_status container_token(const rv_env *env, rv_buf *out, rv_error *err)
{
    const char *file = rv_s3_env(env, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *text = rv_s3_env(env, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    bool found = false;
    rv_status st = RV_OK;
    if (file)
        st = rv_file_read_all(file, TOKEN_MAX, out, &found, err);
    else if (text)
        st = rv_buf_add_c(out, text, err);
    if (st == RV_OK && file && !found)
        st = rv_fail(err, RV_E_DEST_AUTH, "the container's token file '%s' does not exist", file);
    else if (st != RV_OK && st != RV_E_MEMORY)
        st = rv_wrap(err, RV_E_DEST_AUTH, "the container's token cannot be read");
    if (st != RV_OK)
        return st;
    while (out->len && strchr(" \t\r\n", out->ptr[out->len - 1]))
        out->len--;
    if (!out->len)
        return RV_OK;
    if (env->secrets)
        RV_TRY(rv_secrets_add(env->secrets, rv_buf_str(out), err));
    return rv_buf_cstr(out) ? RV_OK : rv_fail_memory(err);
}

rv_status rv_s3_from_container(const rv_env *env, rv_s3_keys **out, rv_error *err)
{
    static const char what[] = "the container's credential endpoint";
    rv_http *h = NULL;
    rv_buf url = RV_BUF_INIT, token = RV_BUF_INIT;
    rv_http_response r = RV_HTTP_RESPONSE_INIT;
    question q = {.method = "GET"};
    rv_status st;
    if (!rv_s3_container_given(env))
        return rv_fail(err, RV_E_DEST_AUTH,
                       "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor ..._FULL_URI is set");
    RV_GO(container_url(env, &url, &q.direct, err));
    RV_GO(container_token(env, &token, err));
    q.url = (const char *)url.ptr;
    if (token.len)
        q.header = (rv_http_header){"Authorization", (const char *)token.ptr};
    RV_GO(rv_s3_http_open(env, SECOND_US, &h, err));
    RV_GO(ask(h, &q, &r, err));
    if (r.status != 200)
        st = rv_fail(err, r.status >= 500 ? RV_E_DEST_UNREACHABLE : RV_E_DEST_AUTH, "%s answers %d",
                     what, r.status);
    else
        st = rv_s3_keys_json(env, what, rv_buf_bytes(&r.body), NULL, out, err);
done:
    if (st == RV_E_HTTP_REQUEST)
        st = rv_wrap(err, RV_E_DEST_AUTH, "%s cannot be asked", what);
    answer_free(&r);
    rv_http_close(h);
    rv_buf_free(&url);
    rv_s3_wipe(&token);
    return st;
}

/* ---- instance metadata, version 2 ---- */

bool rv_s3_instance_off(const rv_env *env)
{
    const char *off = rv_s3_env(env, "AWS_EC2_METADATA_DISABLED");
    return off && rv_str_eq_nocase(rv_str_c(off), RV_STR("true"));
}

typedef struct instance {
    const rv_env *env;
    rv_http *h;
    const char *base;
    rv_buf token; /* wiped; NUL behind it */
} instance;

static const char *instance_base(const rv_env *env)
{
    const char *written = rv_s3_env(env, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = rv_s3_env(env, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    if (written)
        return written;
    return mode && rv_str_eq_nocase(rv_str_c(mode), RV_STR("IPv6")) ? IMDS_SIX : IMDS;
}

static rv_status join(const instance *i, const char *path, const char *more, rv_buf *out,
                      rv_error *err)
{
    rv_str base = rv_str_c(i->base);
    while (base.len && base.ptr[base.len - 1] == '/')
        base.len--;
    RV_TRY(rv_buf_printf(out, err, "%.*s%s%s", RV_STR_ARG(base), path, more));
    return rv_buf_cstr(out) ? RV_OK : rv_fail_memory(err);
}

static rv_status instance_ask(const instance *i, const char *path, const char *more,
                              rv_http_response *r, rv_error *err)
{
    rv_buf url = RV_BUF_INIT;
    bool begin = i->token.len == 0;
    rv_status st = join(i, path, more, &url, err);
    if (st == RV_OK) {
        const question q = {
            .method = begin ? "PUT" : "GET",
            .url = (const char *)url.ptr,
            .header =
                begin ? (rv_http_header){"X-aws-ec2-metadata-token-ttl-seconds", "21600"}
                      : (rv_http_header){"X-aws-ec2-metadata-token", (const char *)i->token.ptr},
            .direct = true};
        st = ask(i->h, &q, r, err);
    }
    rv_buf_free(&url);
    return st;
}

/* Without a token nothing is asked: never the first version. *found false: nobody is there. */
static rv_status instance_begin(instance *i, bool *found, rv_error *err)
{
    rv_http_response r = RV_HTTP_RESPONSE_INIT;
    rv_error why = {.code = RV_OK};
    *found = false;
    RV_TRY(rv_s3_http_open(i->env, SECOND_US, &i->h, err));
    rv_status st = instance_ask(i, "/latest/api/token", "", &r, &why);
    if (st == RV_OK && r.status == 200) {
        *found = true;
        st = rv_buf_add_str(&i->token, rv_str_trim(rv_buf_str(&r.body)), err);
        if (st == RV_OK && i->env->secrets)
            st = rv_secrets_add(i->env->secrets, rv_buf_str(&i->token), err);
        if (st == RV_OK && (!i->token.len || !rv_buf_cstr(&i->token)))
            st = i->token.len ? rv_fail_memory(err)
                              : rv_fail(err, RV_E_DEST_AUTH, "instance metadata gives no token");
    } else if (st == RV_E_INTERRUPTED || st == RV_E_MEMORY) {
        if (err)
            *err = why;
    } else {
        RV_LOG_DEBUG(i->env, "instance metadata: %s (status %d)",
                     st == RV_OK ? "no token" : why.text, r.status);
        st = RV_OK;
    }
    answer_free(&r);
    return st;
}

static void instance_end(instance *i)
{
    rv_s3_wipe(&i->token);
    rv_http_close(i->h);
}

/* The first line of a text; RV_OK with nothing in `out` when there is no such entry. */
static rv_status instance_line(instance *i, const char *path, char *out, size_t size, rv_error *err)
{
    rv_http_response r = RV_HTTP_RESPONSE_INIT;
    rv_status st = instance_ask(i, path, "", &r, err);
    out[0] = '\0';
    if (st == RV_OK && r.status == 200) {
        rv_str body = rv_str_trim(rv_buf_str(&r.body));
        const char *end = body.len ? memchr(body.ptr, '\n', body.len) : NULL;
        size_t n = end ? (size_t)(end - body.ptr) : body.len;
        (void)snprintf(out, size, "%.*s", (int)(n < size ? n : size - 1), body.ptr ? body.ptr : "");
    } else if (st == RV_OK && r.status != 404) {
        st = rv_fail(err, r.status >= 500 ? RV_E_DEST_UNREACHABLE : RV_E_DEST_AUTH,
                     "instance metadata answers %d to %s", r.status, path);
    }
    answer_free(&r);
    return st;
}

static rv_status instance_keys(instance *i, const char *role, rv_s3_keys **out, rv_error *err)
{
    rv_http_response r = RV_HTTP_RESPONSE_INIT;
    rv_status st = instance_ask(i, "/latest/meta-data/iam/security-credentials/", role, &r, err);
    if (st == RV_OK && r.status != 200)
        st = rv_fail(err, r.status >= 500 ? RV_E_DEST_UNREACHABLE : RV_E_DEST_AUTH,
                     "instance metadata answers %d for the keys of its role", r.status);
    else if (st == RV_OK)
        st = rv_s3_keys_json(i->env, "instance metadata", rv_buf_bytes(&r.body), NULL, out, err);
    answer_free(&r);
    return st;
}

rv_status rv_s3_from_instance(const rv_env *env, rv_s3_keys **out, rv_error *err)
{
    char role[160];
    instance i = {.env = env, .base = instance_base(env), .token = RV_BUF_INIT};
    bool found = false;
    rv_status st;
    *out = NULL;
    if (rv_s3_instance_off(env))
        return RV_OK;
    RV_GO(instance_begin(&i, &found, err));
    if (!found)
        goto done;
    RV_GO(instance_line(&i, "/latest/meta-data/iam/security-credentials/", role, sizeof role, err));
    if (role[0])
        st = instance_keys(&i, role, out, err);
    else
        RV_LOG_DEBUG(env, "instance metadata: this instance has no role");
done:
    instance_end(&i);
    return st;
}

rv_status rv_s3_region_fetch(const rv_env *env, char out[RV_S3_REGION_SIZE], rv_error *err)
{
    instance i = {.env = env, .base = instance_base(env), .token = RV_BUF_INIT};
    bool found = false;
    rv_status st = RV_OK;
    out[0] = '\0';
    if (!rv_s3_instance_off(env)) {
        RV_GO(instance_begin(&i, &found, err));
        if (found)
            RV_GO(instance_line(&i, "/latest/meta-data/placement/region", out, RV_S3_REGION_SIZE,
                                err));
    }
    if (!out[0]) {
        st = rv_fail(err, RV_E_CONFIG_DESTINATION, "the S3 destination has no region");
        rv_hint(err, "write region: in the destination, or set AWS_REGION");
    }
done:
    instance_end(&i);
    return st;
}
