#include "destination/cloud/oauth.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/endpoint.h"
#include "net/crypto.h"

#define RV_TARGET "destination"
#define SECOND_US ((int64_t)1000000)
#define EARLY_US (300 * SECOND_US)
#define PAUSE_US (30 * SECOND_US) /* between two renewals that nobody is forced to */
#define TIMEOUT_US (30 * SECOND_US)
#define WORDS_MAX 300
#define LONGEST_S ((int64_t)10 * 365 * 86400)

struct rv_oauth {
    const rv_env *env;
    rv_oauth_fetch fetch;
    void *ctx;
    pthread_mutex_t lock;
    rv_oauth_grant grant; /* token.len == 0: none yet */
    int64_t tried_us;     /* the last fetch */
    uint64_t serial;
};

static void wipe(rv_buf *b)
{
    if (b->ptr)
        explicit_bzero(b->ptr, b->cap);
    rv_buf_free(b);
}

void rv_oauth_grant_free(rv_oauth_grant *g)
{
    wipe(&g->token);
    *g = RV_OAUTH_GRANT_INIT;
}

rv_status rv_oauth_open(const rv_env *env, rv_oauth_fetch fetch, void *ctx, rv_oauth **out,
                        rv_error *err)
{
    rv_oauth *o = rv_calloc(1, sizeof *o);
    if (!o)
        return rv_fail_memory(err);
    o->env = env;
    o->fetch = fetch;
    o->ctx = ctx;
    if (pthread_mutex_init(&o->lock, NULL) != 0) {
        rv_free(o);
        return rv_fail_memory(err);
    }
    *out = o;
    return RV_OK;
}

void rv_oauth_close(rv_oauth *o)
{
    if (!o)
        return;
    rv_oauth_grant_free(&o->grant);
    (void)pthread_mutex_destroy(&o->lock);
    rv_free(o);
}

/* ---- the token in use ---- */

static bool is_due(const rv_oauth *o, int64_t now_us)
{
    /* a metadata service gives the same token until its very end: it is not asked each time */
    return o->grant.until_us && now_us >= o->grant.until_us - EARLY_US &&
           (now_us >= o->grant.until_us || now_us >= o->tried_us + PAUSE_US);
}

static rv_status renew(rv_oauth *o, rv_http *h, int64_t now_us, rv_error *err)
{
    rv_oauth_grant fresh = RV_OAUTH_GRANT_INIT;
    o->tried_us = now_us;
    rv_status st = o->fetch(o->ctx, h, &fresh, err);
    if (st == RV_OK && o->env->secrets)
        st = rv_secrets_add(o->env->secrets, rv_buf_str(&fresh.token), err);
    if (st != RV_OK) {
        rv_oauth_grant_free(&fresh);
        return st;
    }
    rv_oauth_grant_free(&o->grant);
    o->grant = fresh;
    o->serial++;
    return RV_OK;
}

static rv_status ensure(rv_oauth *o, rv_http *h, bool refused, uint64_t serial, rv_error *err)
{
    int64_t now_us = rv_env_now_us(o->env);
    if (o->grant.token.len == 0 || (refused && serial == o->serial))
        return renew(o, h, now_us, err);
    if (!is_due(o, now_us))
        return RV_OK;
    rv_error why = {.code = RV_OK};
    rv_status st = renew(o, h, now_us, &why);
    if (st == RV_OK || st == RV_E_INTERRUPTED || now_us >= o->grant.until_us) {
        if (st != RV_OK && err)
            *err = why;
        return st;
    }
    RV_LOG_DEBUG(o->env, "credentials could not be renewed yet: %s", why.text);
    return RV_OK;
}

rv_status rv_oauth_bearer(rv_oauth *o, rv_http *h, bool refused, uint64_t *io_serial, rv_buf *out,
                          rv_error *err)
{
    (void)pthread_mutex_lock(&o->lock);
    rv_status st = ensure(o, h, refused, *io_serial, err);
    if (st == RV_OK) {
        rv_buf_clear(out);
        st = rv_buf_add_str(out, RV_STR("Bearer "), err);
    }
    if (st == RV_OK)
        st = rv_buf_add_str(out, rv_buf_str(&o->grant.token), err);
    if (st == RV_OK && !rv_buf_cstr(out))
        st = rv_fail_memory(err);
    *io_serial = o->serial;
    (void)pthread_mutex_unlock(&o->lock);
    return st;
}

/* ---- what an endpoint answers ---- */

const char *rv_oauth_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text && text[0] ? text : NULL;
}

static json_t *parse(const rv_http_response *r)
{
    json_t *root = r->body.len ? json_loadb((const char *)r->body.ptr, r->body.len, 0, NULL) : NULL;
    if (root && !json_is_object(root)) {
        json_decref(root);
        root = NULL;
    }
    return root;
}

/* "invalid_grant: Token has been revoked", {"error": {"message": ...}} or nothing. */
static void words_of(const json_t *root, rv_buf *out)
{
    const json_t *inner = json_object_get(root, "error");
    const char *code = rv_oauth_text(root, "error");
    const char *more = rv_oauth_text(root, "error_description");
    rv_error ignored = {.code = RV_OK};
    if (json_is_object(inner)) {
        code = rv_oauth_text(inner, "status");
        more = rv_oauth_text(inner, "message");
    }
    if (rv_buf_printf(out, &ignored, "%s%s%s", code ? code : "", code && more ? ": " : "",
                      more ? more : "") != RV_OK)
        rv_buf_clear(out);
}

static rv_status refuse(const rv_oauth_request *q, const rv_http_request *req,
                        const rv_http_response *r, rv_error *err)
{
    rv_buf words = RV_BUF_INIT;
    json_t *root = parse(r);
    words_of(root, &words);
    rv_str said = rv_buf_str(&words);
    said.len = rv_utf8_cut(said, WORDS_MAX);
    bool final = r->status >= 300 && r->status < 500 && r->status != 408 && r->status != 429;
    rv_status st = rv_http_fail(req, r, final ? RV_E_DEST_AUTH : RV_E_DEST_UNREACHABLE, said, err);
    (void)rv_wrap(err, st, "%s gives no credentials", q->what);
    json_decref(root);
    rv_buf_free(&words);
    return st;
}

static bool is_safe(const rv_oauth_request *q)
{
    rv_endpoint e;
    return q->direct || !rv_endpoint_read(rv_str_c(q->url), false, &e);
}

static void fill_headers(const rv_oauth_request *q, rv_http_header into[4], size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < 3 && q->headers[i].name; i++)
        into[(*n)++] = q->headers[i];
    if (q->body.ptr)
        into[(*n)++] = (rv_http_header){"Content-Type",
                                        q->mime ? q->mime : "application/x-www-form-urlencoded"};
}

rv_status rv_oauth_send(const rv_env *env, rv_http *h, const rv_oauth_request *q,
                        rv_http_response *r, rv_error *err)
{
    rv_http_header headers[4];
    size_t n;
    (void)env;
    if (!is_safe(q))
        return rv_fail(err, RV_E_DEST_AUTH,
                       "the address of %s is neither https nor on this machine", q->what);
    fill_headers(q, headers, &n);
    const rv_http_request req = {.method = q->method,
                                 .url = q->url,
                                 .headers = headers,
                                 .n_headers = n,
                                 .body = {.kind = q->body.ptr ? RV_HTTP_BYTES : RV_HTTP_NO_BODY,
                                          .bytes = rv_str_bytes(q->body)},
                                 .timeout_us = q->timeout_us ? q->timeout_us : TIMEOUT_US,
                                 .direct = q->direct};
    /* a token asked for twice is only fetched twice */
    const rv_http_retry retry = {.tries = q->tries, .idempotent = true};
    rv_status st = rv_http_send_retry(h, &req, &retry, r, err);
    if (st != RV_OK) {
        st = rv_store_net_error(st, err);
        return st == RV_E_MEMORY || st == RV_E_INTERRUPTED
                   ? st
                   : rv_wrap(err, st, "%s gives no credentials", q->what);
    }
    return r->status >= 200 && r->status < 300 ? RV_OK : refuse(q, &req, r, err);
}

static bool read_number(const json_t *v, int64_t *out)
{
    if (json_is_string(v))
        return rv_str_i64(rv_str_c(json_string_value(v)), out);
    if (json_is_real(v) && json_real_value(v) > 0 && json_real_value(v) < (double)LONGEST_S) {
        *out = (int64_t)json_real_value(v);
        return true;
    }
    *out = json_integer_value(v);
    return json_is_integer(v);
}

/* 0: the answer does not say. */
static int64_t read_until(const json_t *root, int64_t now_us)
{
    int64_t n, us;
    const char *time = rv_oauth_text(root, "expireTime");
    if (time && rv_rfc3339_parse(rv_str_c(time), &us))
        return us;
    if (read_number(json_object_get(root, "expires_in"), &n) && n >= 0)
        return now_us + (n < LONGEST_S ? n : LONGEST_S) * SECOND_US;
    if (read_number(json_object_get(root, "expires_on"), &n) && n > 0)
        return (n < INT64_MAX / SECOND_US ? n : INT64_MAX / SECOND_US) * SECOND_US;
    return 0;
}

static bool is_token(const char *text)
{
    for (size_t i = 0; text[i]; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return true;
}

rv_status rv_oauth_ask(const rv_env *env, rv_http *h, const rv_oauth_request *q,
                       rv_oauth_grant *out, rv_error *err)
{
    rv_http_response r = RV_HTTP_RESPONSE_INIT;
    json_t *root = NULL;
    int64_t now_us = rv_env_now_us(env);
    rv_status st;
    RV_GO(rv_oauth_send(env, h, q, &r, err));
    root = parse(&r);
    const char *token = rv_oauth_text(root, "access_token");
    token = token ? token : rv_oauth_text(root, "accessToken");
    if (!token || !is_token(token)) {
        st = rv_fail(err, RV_E_DEST_AUTH, "%s answers without an access token", q->what);
        goto done;
    }
    rv_buf_clear(&out->token);
    RV_GO(rv_buf_add_c(&out->token, token, err));
    out->until_us = read_until(root, now_us);
done:
    json_decref(root);
    if (r.body.ptr)
        explicit_bzero(r.body.ptr, r.body.cap);
    rv_http_response_free(&r);
    return st;
}

rv_status rv_oauth_field(rv_buf *form, const char *name, rv_str value, rv_error *err)
{
    size_t was = form->len;
    rv_status st = rv_buf_printf(form, err, "%s%s=", was ? "&" : "", name);
    if (st == RV_OK)
        st = rv_percent(value, "", form, err);
    if (st != RV_OK)
        form->len = was;
    return st;
}

rv_status rv_oauth_check(rv_oauth *o, rv_http *h, rv_error *err)
{
    rv_buf bearer = RV_BUF_INIT;
    uint64_t serial = 0;
    rv_status st = rv_oauth_bearer(o, h, false, &serial, &bearer, err);
    if (bearer.ptr)
        explicit_bzero(bearer.ptr, bearer.cap);
    rv_buf_free(&bearer);
    return st;
}
