#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "destination/s3/s3_internal.h"
#include "net/crypto.h"

#define RV_TARGET "destination"
#define SECOND_US ((int64_t)1000000)
#define SKEW_LEAST_US (600 * SECOND_US) /* S3 itself bears 15 minutes */
#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* ---- a try ---- */

rv_status rv_s3_know_region(rv_store *s, char out[RV_S3_REGION_SIZE], rv_error *err)
{
    rv_status st = RV_OK;
    (void)pthread_mutex_lock(&s->lock);
    if (!s->region[0])
        st = rv_s3_region_fetch(s->env, s->region, err);
    memcpy(out, s->region, RV_S3_REGION_SIZE);
    (void)pthread_mutex_unlock(&s->lock);
    return st;
}

static rv_status write_url(rv_s3_call *c, const char **out, rv_error *err)
{
    rv_buf query = RV_BUF_INIT;
    rv_arena *arena = &c->call.arena;
    rv_status st = rv_s3_url_make(&c->store->address, c->region, c->key, arena, &c->url, err);
    *out = c->url.url;
    if (st == RV_OK && c->n_query) {
        st = rv_s3_query(c->query, c->n_query, &query, err);
        if (st == RV_OK)
            st = rv_arena_printf(arena, out, err, "%s?%.*s", c->url.url, (int)query.len,
                                 (const char *)query.ptr);
    }
    rv_buf_free(&query);
    return st;
}

/* The region may have become another one since the last try, and with it the host. */
static rv_status shape(void *ctx, unsigned attempt, rv_http_request *io, rv_error *err)
{
    rv_s3_call *c = ctx;
    (void)attempt;
    RV_TRY(rv_s3_know_region(c->store, c->region, err));
    RV_TRY(write_url(c, &io->url, err));
    c->call.req.url = io->url;
    return RV_OK;
}

static rv_status add_authorization(rv_s3_call *c, rv_error *err)
{
    rv_http_header all[RV_CALL_HEADERS + 1];
    rv_call *call = &c->call;
    memcpy(all, call->headers, call->n_headers * sizeof *all);
    all[call->n_headers] = (rv_http_header){"Host", c->url.host};
    const rv_s3_signing s = {.access = c->keys->access,
                             .secret = c->keys->secret,
                             .region = c->region,
                             .service = "s3",
                             .stamp = c->stamp,
                             .method = c->method,
                             .path = c->url.path,
                             .query = c->query,
                             .n_query = c->n_query,
                             .headers = all,
                             .n_headers = call->n_headers + 1,
                             .payload = c->payload};
    rv_buf_clear(&call->auth);
    RV_TRY(rv_s3_authorization(&s, &call->auth, err));
    const char *text = rv_buf_cstr(&call->auth);
    return text ? rv_call_add(call, "Authorization", text, err) : rv_fail_memory(err);
}

static rv_status authorize(void *store, rv_call *call, rv_error *err)
{
    rv_store *s = store;
    rv_s3_call *c = call->ctx;
    if (!s->creds)
        return RV_OK;
    rv_s3_keys_drop(c->keys);
    c->keys = NULL;
    RV_TRY(rv_s3_creds_take(s->creds, c->region, &c->keys, err));
    rv_s3_stamp(rv_env_now_us(s->env) + atomic_load(&s->skew_us), c->stamp);
    RV_TRY(rv_call_add(call, "x-amz-date", c->stamp, err));
    RV_TRY(rv_call_add(call, "x-amz-content-sha256", c->payload, err));
    if (c->keys->token)
        RV_TRY(rv_call_add(call, "x-amz-security-token", c->keys->token, err));
    return add_authorization(c, err);
}

/* Over TLS a file is not read for the signature alone: Content-MD5 vouches for it. */
static rv_status hash_payload(rv_s3_call *c, rv_error *err)
{
    const rv_http_body *b = &c->call.req.body;
    uint8_t hash[32];
    const char *fixed = b->kind == RV_HTTP_BYTES || b->kind == RV_HTTP_FILE ? NULL : EMPTY_SHA256;
    if (b->kind == RV_HTTP_FILE && c->store->address.tls)
        fixed = RV_S3_UNSIGNED;
    if (fixed) {
        (void)snprintf(c->payload, sizeof c->payload, "%s", fixed);
        return RV_OK;
    }
    if (b->kind == RV_HTTP_FILE)
        RV_TRY(rv_sha256_file(b->fd, b->offset, b->len, "the finished file", hash, err));
    else
        rv_sha256(b->bytes, hash);
    rv_hex(hash, sizeof hash, c->payload);
    return RV_OK;
}

/* ---- what an answer asks for ---- */

static bool is_expired(const rv_s3_call *c)
{
    static const char *const codes[] = {"ExpiredToken", "ExpiredTokenException", "RequestExpired",
                                        "TokenRefreshRequired"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (rv_s3_is(c, codes[i]))
            return true;
    /* a HEAD tells no code; the store answers an expired token by 400 */
    return c->status == 401 ||
           (c->status == 400 && !c->code[0] && !c->there[0] && c->keys && c->keys->token);
}

static bool measure_skew(const rv_s3_call *c, const rv_http_response *r, int64_t *out_us)
{
    int64_t date_us;
    if (!rv_http_date_parse(rv_http_header_get(r, "Date"), &date_us))
        return false;
    *out_us = date_us - rv_env_now_us(c->store->env);
    return llabs(*out_us - atomic_load(&c->store->skew_us)) > SKEW_LEAST_US;
}

static bool is_skewed(const rv_s3_call *c, const rv_http_response *r)
{
    int64_t skew_us;
    if (rv_s3_is(c, "RequestTimeTooSkewed"))
        return measure_skew(c, r, &skew_us);
    return c->status == 403 && !c->code[0] && measure_skew(c, r, &skew_us);
}

/* `doctor`, which tries once, is to say so instead. */
static bool is_elsewhere(const rv_s3_call *c)
{
    return (c->status == 301 || c->status == 307 || c->status == 400) && c->by_header &&
           strcmp(c->there, c->region) != 0 && atomic_load(&c->store->rules.tries) != 1;
}

static bool is_damaged(const rv_s3_call *c)
{
    return c->status == 400 &&
           (rv_s3_is(c, "BadDigest") || rv_s3_is(c, "XAmzContentSHA256Mismatch") ||
            rv_s3_is(c, "XAmzContentChecksumMismatch"));
}

static rv_s3_correction correction_of(const rv_s3_call *c, const rv_http_response *r)
{
    if (is_elsewhere(c))
        return RV_S3_REGION;
    if (c->keys && is_skewed(c, r))
        return RV_S3_CLOCK;
    if (c->keys && is_expired(c))
        return RV_S3_RENEW;
    return is_damaged(c) ? RV_S3_RESEND : RV_S3_AS_IT_IS;
}

static bool passes(const rv_s3_call *c)
{
    static const char *const codes[] = {
        "SlowDown",           "InternalError", "RequestTimeout",     "OperationAborted",
        "ServiceUnavailable", "Throttling",    "ThrottlingException"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (rv_s3_is(c, codes[i]))
            return true;
    return false;
}

/* Reads the answer; true: a correction is due, or has been made in vain. */
static bool consider(rv_s3_call *c, const rv_http_response *r)
{
    rv_s3_read_answer(c, r);
    rv_s3_correction need = c->status < 300 ? RV_S3_AS_IT_IS : correction_of(c, r);
    c->correction = c->corrected[need] ? RV_S3_AS_IT_IS : need;
    return need != RV_S3_AS_IT_IS;
}

/* Corrections are made outside the count of tries: `doctor` tries once, and still learns them. */
static rv_http_verdict judge(void *store, rv_call *call, const rv_http_response *r)
{
    rv_s3_call *c = call->ctx;
    (void)store;
    if (consider(c, r) || r->status == 401)
        return RV_HTTP_ANSWER;
    return passes(c) ? RV_HTTP_AGAIN : RV_HTTP_AS_LISTED;
}

static void correct_region(rv_s3_call *c)
{
    rv_store *s = c->store;
    memcpy(c->before, c->region, sizeof c->before);
    (void)pthread_mutex_lock(&s->lock);
    memcpy(s->region, c->there, sizeof s->region);
    (void)pthread_mutex_unlock(&s->lock);
    rv_log_once(s->env->log, RV_WARN, RV_TARGET,
                "bucket '%s' is in region %s, not in %s: write region: %s", s->address.bucket,
                c->there, c->region, c->there);
}

/* False: the answer stands. */
static bool correct(rv_s3_call *c)
{
    int64_t skew_us;
    rv_store *s = c->store;
    rv_s3_correction what = c->correction;
    switch (what) {
    case RV_S3_AS_IT_IS:
    case RV_S3_CORRECTIONS:
        return false;
    case RV_S3_RENEW:
        if (!rv_s3_creds_refused(s->creds, c->keys))
            return false;
        break;
    case RV_S3_CLOCK:
        if (!measure_skew(c, &c->call.r, &skew_us))
            return false;
        atomic_store(&s->skew_us, skew_us);
        RV_LOG_DEBUG(s->env, "the clock of %s is %lld s ahead of this machine's: signed by it",
                     c->url.host, (long long)(skew_us / SECOND_US));
        break;
    case RV_S3_REGION:
        correct_region(c);
        break;
    case RV_S3_RESEND:
        break;
    }
    c->corrected[what] = true;
    (void)atomic_fetch_add(&s->rules.retries, 1);
    return true;
}

/* ---- a request ---- */

void rv_s3_rules_init(rv_store *s)
{
    s->rules.env = s->env;
    s->rules.store = s;
    s->rules.authorize = authorize;
    s->rules.judge = judge;
}

void rv_s3_call_begin(rv_s3_call *c, rv_store *s, rv_http *h, const char *method, const char *key,
                      const char *right)
{
    *c = (rv_s3_call){.store = s,
                      .call = RV_CALL_INIT(&s->rules, h),
                      .method = method,
                      .key = key,
                      .right = right};
    c->call.req.method = method;
    c->call.shape = shape;
    c->call.ctx = c;
}

void rv_s3_call_free(rv_s3_call *c)
{
    rv_s3_keys_drop(c->keys);
    rv_call_free(&c->call);
}

void rv_s3_param(rv_s3_call *c, const char *name, const char *value)
{
    c->query[c->n_query++] = (rv_http_header){name, value};
}

rv_status rv_s3_send(rv_s3_call *c, rv_error *err)
{
    do {
        c->correction = RV_S3_AS_IT_IS;
        RV_TRY(hash_payload(c, err));
        RV_TRY(rv_call_send(&c->call, err));
        (void)consider(c, &c->call.r); /* nobody judges the last try */
    } while (correct(c));
    return RV_OK;
}

static rv_status pin(rv_call *call, rv_error *err)
{
    rv_s3_call *c = call->ctx;
    rv_str etag = rv_http_header_get(&call->r, "ETag");
    if (!etag.len)
        return rv_fail(err, RV_E_DEST_IO, "a download without an ETag broke off");
    c->conditional = true;
    return rv_call_addf(call, "If-Match", err, "%.*s", RV_STR_ARG(etag));
}

rv_status rv_s3_fetch(rv_s3_call *c, uint64_t offset, uint64_t len, rv_sink sink, rv_error *err)
{
    do {
        c->correction = RV_S3_AS_IT_IS;
        RV_TRY(hash_payload(c, err));
        RV_TRY(rv_call_fetch(&c->call, offset, len, sink, pin, err));
        (void)consider(c, &c->call.r);
    } while (correct(c));
    return RV_OK;
}
