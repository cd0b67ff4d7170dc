/* Roles by STS: AssumeRole, signed, and AssumeRoleWithWebIdentity, which needs no keys. */
#include <stdio.h>

#include "base/file.h"
#include "base/hash.h"
#include "config/endpoint.h"
#include "destination/cloud/store.h"
#include "destination/cloud/xml.h"
#include "destination/s3/creds_internal.h"
#include "destination/s3/sign.h"
#include "net/crypto.h"

#define TIMEOUT_US ((int64_t)30000000)
#define TOKEN_MAX ((size_t)64 << 10)
#define GLOBAL_REGION "us-east-1"

typedef struct question { /* one call of STS */
    const rv_s3_fetch *f;
    const rv_s3_keys *by; /* NULL: not signed */
    const char *what;     /* "role arn:..." */
    rv_buf form, url;     /* form: wiped */
    rv_str host;
    const char *path, *region;
    rv_http_header headers[6];
    size_t n_headers;
    char payload[RV_S3_HEX_SIZE], stamp[RV_S3_STAMP_SIZE];
    rv_buf authorization;
} question;

static rv_status add_field(question *q, const char *name, rv_str value, rv_error *err)
{
    if (value.len == 0)
        return RV_OK;
    RV_TRY(rv_buf_printf(&q->form, err, "%s%s=", q->form.len ? "&" : "", name));
    return rv_percent(value, "", &q->form, err);
}

static rv_status write_form(question *q, const char *action, const rv_s3_role *role, rv_str token,
                            rv_error *err)
{
    rv_str session = role->session.len ? role->session : RV_STR("rivet");
    RV_TRY(add_field(q, "Action", rv_str_c(action), err));
    RV_TRY(add_field(q, "Version", RV_STR("2011-06-15"), err));
    RV_TRY(add_field(q, "RoleArn", role->arn, err));
    RV_TRY(add_field(q, "RoleSessionName", session, err));
    RV_TRY(add_field(q, "ExternalId", role->external_id, err));
    RV_TRY(add_field(q, "DurationSeconds", role->duration_s, err));
    return add_field(q, "WebIdentityToken", token, err);
}

/* The regional endpoint, which all regions have; the variables of the SDKs replace it. */
static rv_status place(question *q, rv_error *err)
{
    rv_endpoint e;
    const char *written = rv_s3_env(q->f->env, "AWS_ENDPOINT_URL_STS");
    bool regional = q->f->region[0] && strcmp(q->f->region, "auto") != 0;
    bool china = strncmp(q->f->region, "cn-", 3) == 0;
    q->region = regional ? q->f->region : GLOBAL_REGION;
    written = written ? written : rv_s3_env(q->f->env, "AWS_ENDPOINT_URL");
    if (written)
        RV_TRY(rv_buf_add_c(&q->url, written, err));
    else if (regional)
        RV_TRY(rv_buf_printf(&q->url, err, "https://sts.%s.amazonaws.com%s", q->region,
                             china ? ".cn" : ""));
    else
        RV_TRY(rv_buf_add_c(&q->url, "https://sts.amazonaws.com", err));
    while (q->url.len && q->url.ptr[q->url.len - 1] == '/')
        q->url.len--;
    RV_TRY(rv_buf_add_byte(&q->url, '/', err));
    if (!rv_buf_cstr(&q->url))
        return rv_fail_memory(err);
    const char *wrong = rv_endpoint_read(rv_buf_str(&q->url), q->f->insecure, &e);
    if (wrong)
        return rv_fail(err, RV_E_DEST_AUTH, "the endpoint of STS in the environment %s", wrong);
    const char *host = strstr((const char *)q->url.ptr, "://") + 3;
    q->host = (rv_str){host, strcspn(host, "/")};
    q->path = host + q->host.len;
    return RV_OK;
}

static void add_header(question *q, const char *name, const char *value)
{
    q->headers[q->n_headers++] = (rv_http_header){name, value};
}

static rv_status sign(void *ctx, unsigned attempt, rv_http_request *io, rv_error *err)
{
    question *q = ctx;
    char host[300];
    (void)attempt;
    q->n_headers = 0;
    add_header(q, "Content-Type", "application/x-www-form-urlencoded");
    if (q->by) {
        rv_http_header all[4];
        (void)snprintf(host, sizeof host, "%.*s", RV_STR_ARG(q->host));
        rv_s3_stamp(rv_env_now_us(q->f->env), q->stamp);
        add_header(q, "x-amz-date", q->stamp);
        if (q->by->token)
            add_header(q, "x-amz-security-token", q->by->token);
        memcpy(all, q->headers, q->n_headers * sizeof *all);
        all[q->n_headers] = (rv_http_header){"Host", host};
        const rv_s3_signing s = {.access = q->by->access,
                                 .secret = q->by->secret,
                                 .region = q->region,
                                 .service = "sts",
                                 .stamp = q->stamp,
                                 .method = "POST",
                                 .path = q->path,
                                 .headers = all,
                                 .n_headers = q->n_headers + 1,
                                 .payload = q->payload};
        rv_buf_clear(&q->authorization);
        RV_TRY(rv_s3_authorization(&s, &q->authorization, err));
        const char *text = rv_buf_cstr(&q->authorization);
        if (!text)
            return rv_fail_memory(err);
        add_header(q, "Authorization", text);
    }
    io->headers = q->headers;
    io->n_headers = q->n_headers;
    return RV_OK;
}

/* ---- the answer ---- */

typedef struct refusal {
    char code[64], message[240];
} refusal;

static void read_refusal(const rv_http_response *r, refusal *out)
{
    rv_arena arena = RV_ARENA_INIT;
    const rv_xml *root = NULL;
    rv_error ignored = {.code = RV_OK};
    *out = (refusal){.code = ""};
    if (rv_xml_parse(rv_buf_bytes(&r->body), &arena, &root, &ignored) == RV_OK) {
        /* compatible services wrap their errors in other ways */
        const rv_xml *outer = rv_xml_child(root, "Errors") ? rv_xml_child(root, "Errors") : root;
        const rv_xml *e = rv_xml_child(outer, "Error") ? rv_xml_child(outer, "Error") : root;
        rv_str code = rv_xml_text(e, "Code"), text = rv_xml_text(e, "Message");
        (void)snprintf(out->code, sizeof out->code, "%.*s", RV_STR_ARG(code));
        (void)snprintf(out->message, sizeof out->message, "%.*s", RV_STR_ARG(text));
    }
    rv_arena_free(&arena);
}

static rv_http_verdict judge(void *ctx, const rv_http_response *r)
{
    static const char *const passing[] = {"IDPCommunicationError", "Throttling",
                                          "ThrottlingException", "RequestLimitExceeded"};
    refusal why;
    (void)ctx;
    if (r->status < 400)
        return RV_HTTP_AS_LISTED;
    read_refusal(r, &why);
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++)
        if (strcmp(why.code, passing[i]) == 0)
            return RV_HTTP_AGAIN;
    return RV_HTTP_AS_LISTED;
}

static rv_status refuse(const question *q, const rv_http_request *req, const rv_http_response *r,
                        rv_error *err)
{
    refusal why;
    char words[320];
    read_refusal(r, &why);
    (void)snprintf(words, sizeof words, "%s%s%s", why.code, why.message[0] ? ": " : "",
                   why.message);
    bool passing = r->status >= 500 || r->status == 429 || r->status == 408;
    rv_status st = rv_http_fail(req, r, passing ? RV_E_DEST_UNREACHABLE : RV_E_DEST_AUTH,
                                rv_str_c(words), err);
    return rv_wrap(err, st, "STS does not give the keys of the %s", q->what);
}

static rv_status ask(question *q, rv_s3_keys **out, rv_error *err)
{
    rv_http *h = NULL;
    rv_http_response r = RV_HTTP_RESPONSE_INIT;
    uint8_t hash[32];
    const rv_http_retry retry = {
        .idempotent = true, .prepare = sign, .judge = judge, .ctx = q, .tries = 4};
    rv_status st;
    RV_GO(place(q, err));
    rv_sha256(rv_buf_bytes(&q->form), hash);
    rv_hex(hash, sizeof hash, q->payload);
    const rv_http_request req = {.method = "POST",
                                 .url = (const char *)q->url.ptr,
                                 .body = {.kind = RV_HTTP_BYTES, .bytes = rv_buf_bytes(&q->form)},
                                 .timeout_us = TIMEOUT_US};
    RV_GO(rv_s3_http_open(q->f->env, 0, &h, err));
    st = rv_store_net_error(rv_http_send_retry(h, &req, &retry, &r, err), err);
    if (st == RV_E_DEST_UNREACHABLE || st == RV_E_DEST_TLS)
        st = rv_wrap(err, st, "STS does not give the keys of the %s", q->what);
    if (st == RV_OK)
        st = r.status == 200 ? rv_s3_keys_sts(q->f->env, "STS", rv_buf_bytes(&r.body), out, err)
                             : refuse(q, &req, &r, err);
done:
    rv_s3_wipe(&r.body);
    rv_http_response_free(&r);
    rv_http_close(h);
    return st;
}

static void question_free(question *q)
{
    rv_s3_wipe(&q->form);
    rv_s3_wipe(&q->authorization);
    rv_buf_free(&q->url);
}

static rv_status name_role(rv_str arn, char *out, size_t size, rv_error *err)
{
    int n = snprintf(out, size, "role %.*s", RV_STR_ARG(arn));
    return n > 0 && (size_t)n < size ? RV_OK
                                     : rv_fail(err, RV_E_DEST_AUTH, "the role's ARN is too long");
}

rv_status rv_s3_from_role(const rv_s3_fetch *f, const rv_s3_role *role, const rv_s3_keys *by,
                          rv_s3_keys **out, rv_error *err)
{
    char what[300];
    question q = {.f = f, .by = by, .what = what};
    RV_TRY(name_role(role->arn, what, sizeof what, err));
    rv_status st = write_form(&q, "AssumeRole", role, RV_STR(""), err);
    if (st == RV_OK)
        st = ask(&q, out, err);
    question_free(&q);
    return st;
}

rv_status rv_s3_from_web_identity(const rv_s3_fetch *f, const rv_s3_role *role,
                                  const char *token_file, rv_s3_keys **out, rv_error *err)
{
    char what[300];
    bool found = false;
    rv_buf token = RV_BUF_INIT;
    question q = {.f = f, .what = what};
    rv_status st;
    RV_GO(name_role(role->arn, what, sizeof what, err));
    st = rv_file_read_all(token_file, TOKEN_MAX, &token, &found, err);
    if (st == RV_OK && !found)
        st = rv_fail(err, RV_E_DEST_AUTH, "the web identity token file '%s' does not exist",
                     token_file);
    else if (st != RV_OK && st != RV_E_MEMORY)
        st = rv_wrap(err, RV_E_DEST_AUTH, "the web identity token cannot be read");
    RV_GO(st);
    rv_str text = rv_str_trim(rv_buf_str(&token));
    if (f->env->secrets)
        RV_GO(rv_secrets_add(f->env->secrets, text, err));
    RV_GO(write_form(&q, "AssumeRoleWithWebIdentity", role, text, err));
    st = ask(&q, out, err);
done:
    rv_s3_wipe(&token);
    question_free(&q);
    return st;
}
