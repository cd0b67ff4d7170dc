#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "net/http_internal.h"

#define POLL_MS 1000
#define LINGER_US 3000000 /* what a request has that begins behind a raise */

/* One try while it is under way. */
typedef struct transfer {
    rv_http *h;
    const rv_http_request *req;
    rv_http_response *out;
    struct curl_slist *headers;
    uint64_t at;  /* of the body */
    bool cut;     /* we ended it, having what we keep */
    rv_error why; /* of a callback; code RV_OK: none */
    int64_t started_us, good_us, sampled_us;
    int64_t moved; /* bytes both ways at the last sample */
} transfer;

/* ---- callbacks: the failure is kept, libcurl is told to give up ---- */

static bool is_success(const transfer *t)
{
    long status = 0;
    (void)curl_easy_getinfo(t->h->easy, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status < 300;
}

static void too_large(transfer *t, const char *what, uint64_t limit)
{
    char shown[RV_HTTP_SHOWN];
    rv_http_show(t->req, shown);
    (void)rv_fail(&t->why, RV_E_HTTP_TOO_LARGE, "%s: %s larger than %llu bytes", shown, what,
                  (unsigned long long)limit);
}

static size_t on_header(char *line, size_t one, size_t len, void *ctx)
{
    transfer *t = ctx;
    rv_buf *head = &t->out->head;
    rv_str text = rv_str_trim((rv_str){line, len * one});
    if (rv_str_starts(text, RV_STR("HTTP/"))) { /* also behind a 1xx */
        rv_buf_clear(head);
        return len;
    }
    if (text.len == 0)
        return len;
    if (head->len + text.len + 1 > RV_HTTP_HEAD_MAX) {
        too_large(t, "the headers of the answer are", RV_HTTP_HEAD_MAX);
        return 0;
    }
    if (rv_buf_add_str(head, text, &t->why) != RV_OK ||
        rv_buf_add_byte(head, '\n', &t->why) != RV_OK)
        return 0;
    return len;
}

static size_t on_body(char *data, size_t one, size_t len, void *ctx)
{
    transfer *t = ctx;
    bool success = is_success(t);
    uint64_t max = t->req->max_body ? t->req->max_body : RV_HTTP_BODY_MAX;
    rv_bytes bytes = {(const uint8_t *)data, len * one};
    if (success && t->req->sink.write) {
        if (t->req->sink.write(t->req->sink.self, bytes, &t->why) != RV_OK)
            return 0;
        t->out->sunk += bytes.len;
        return bytes.len;
    }
    uint64_t room = max - t->out->body.len;
    size_t keep = bytes.len <= room ? bytes.len : (size_t)room;
    if (keep < bytes.len && success) {
        too_large(t, "the answer is", max);
        return 0;
    }
    if (rv_buf_add(&t->out->body, bytes.ptr, keep, &t->why) != RV_OK)
        return 0;
    t->cut = keep < bytes.len;
    return keep;
}

static rv_status read_body(const transfer *t, void *into, size_t n, rv_error *err)
{
    const rv_http_body *b = &t->req->body;
    switch (b->kind) {
    case RV_HTTP_NO_BODY:
        break;
    case RV_HTTP_BYTES:
        memcpy(into, b->bytes.ptr + t->at, n);
        break;
    case RV_HTTP_FILE:
        return rv_file_pread(b->fd, into, n, b->offset + t->at, "the body of a request", err);
    case RV_HTTP_READER:
        return b->read(b->ctx, t->at, into, n, err);
    }
    return RV_OK;
}

static size_t on_read(char *into, size_t one, size_t len, void *ctx)
{
    transfer *t = ctx;
    uint64_t left = rv_http_body_len(&t->req->body) - t->at;
    size_t n = len * one < RV_HTTP_CHUNK ? len * one : RV_HTTP_CHUNK;
    n = left < n ? (size_t)left : n;
    if (n == 0)
        return 0;
    if (read_body(t, into, n, &t->why) != RV_OK)
        return CURL_READFUNC_ABORT;
    t->at += n;
    return n;
}

/* A kept connection that died before the first byte of an answer is replaced by libcurl. */
static int on_seek(void *ctx, curl_off_t at, int origin)
{
    transfer *t = ctx;
    if (origin != SEEK_SET || at < 0 || (uint64_t)at > rv_http_body_len(&t->req->body))
        return CURL_SEEKFUNC_FAIL;
    t->at = (uint64_t)at;
    return CURL_SEEKFUNC_OK;
}

/* ---- options ---- */

#define SET(easy, option, value)                                                                   \
    do {                                                                                           \
        CURLcode code_ = curl_easy_setopt((easy), (option), (value));                              \
        if (code_ != CURLE_OK)                                                                     \
            return code_;                                                                          \
    } while (0)

static const char *text_of(const rv_buf *b)
{
    return b->len ? (const char *)b->ptr : NULL;
}

/* Path and query as they stand. libcurl's own copy of the query is missing without an error where
 * memory failed, and without its query the upload of a part writes the object. A proxy of plain
 * HTTP takes the whole address, which libcurl puts together then. */
static CURLcode set_target(const transfer *t)
{
    rv_http *h = t->h;
    rv_str authority = rv_http_authority(rv_str_c(t->req->url));
    const char *rest = authority.ptr + authority.len;
    bool origin = t->req->direct || rv_http_is_tls(t->req) || h->proxy_http.len == 0;
    if (!origin)
        return CURLE_OK;
    rv_buf_clear(&h->target);
    if ((*rest != '/' && rv_buf_add_byte(&h->target, '/', NULL) != RV_OK) ||
        rv_buf_add(&h->target, rest, strcspn(rest, "#"), NULL) != RV_OK || !rv_buf_cstr(&h->target))
        return CURLE_OUT_OF_MEMORY;
    return curl_easy_setopt(h->easy, CURLOPT_REQUEST_TARGET, (const char *)h->target.ptr);
}

static CURLcode set_place(const transfer *t)
{
    const rv_http *h = t->h;
    CURL *c = h->easy;
    const rv_buf *proxy = rv_http_is_tls(t->req) ? &h->proxy_https : &h->proxy_http;
    int64_t connect_us = h->opts.connect_timeout_us ? h->opts.connect_timeout_us : 10000000;
    SET(c, CURLOPT_URL, t->req->url);
    SET(c, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(c, CURLOPT_PATH_AS_IS, 1L); /* an object may be named a/../b */
    SET(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(c, CURLOPT_CONNECTTIMEOUT_MS, (long)((connect_us + 999) / 1000));
    SET(c, CURLOPT_TCP_KEEPALIVE, 1L);
    /* empty, not NULL: with NULL libcurl reads the environment itself */
    SET(c, CURLOPT_PROXY, t->req->direct || !proxy->len ? "" : text_of(proxy));
    SET(c, CURLOPT_NOPROXY, h->no_proxy.len ? text_of(&h->no_proxy) : "");
    SET(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (h->ca_file.len || h->ca_dir.len) {
        SET(c, CURLOPT_CAINFO, text_of(&h->ca_file));
        SET(c, CURLOPT_CAPATH, text_of(&h->ca_dir));
        SET(c, CURLOPT_PROXY_CAINFO, text_of(&h->ca_file));
        SET(c, CURLOPT_PROXY_CAPATH, text_of(&h->ca_dir));
    }
    return CURLE_OK;
}

static CURLcode set_method(const transfer *t)
{
    CURL *c = t->h->easy;
    const char *method = t->req->method;
    bool always = strcmp(method, "PUT") == 0 || strcmp(method, "POST") == 0;
    if (strcmp(method, "HEAD") == 0) {
        SET(c, CURLOPT_NOBODY, 1L);
        return CURLE_OK;
    }
    if (t->req->body.kind != RV_HTTP_NO_BODY || always) {
        SET(c, CURLOPT_UPLOAD, 1L);
        SET(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)rv_http_body_len(&t->req->body));
    }
    SET(c, CURLOPT_CUSTOMREQUEST, method);
    return CURLE_OK;
}

static CURLcode set_callbacks(transfer *t)
{
    CURL *c = t->h->easy;
    SET(c, CURLOPT_ERRORBUFFER, t->h->problem);
    SET(c, CURLOPT_NOSIGNAL, 1L);
    SET(c, CURLOPT_HEADERFUNCTION, on_header);
    SET(c, CURLOPT_HEADERDATA, t);
    SET(c, CURLOPT_WRITEFUNCTION, on_body);
    SET(c, CURLOPT_WRITEDATA, t);
    SET(c, CURLOPT_UPLOAD_BUFFERSIZE, (long)RV_HTTP_CHUNK);
    SET(c, CURLOPT_READFUNCTION, on_read);
    SET(c, CURLOPT_READDATA, t);
    SET(c, CURLOPT_SEEKFUNCTION, on_seek);
    SET(c, CURLOPT_SEEKDATA, t);
#if LIBCURL_VERSION_NUM >= 0x075700
    SET(c, CURLOPT_QUICK_EXIT, 1L); /* a cancelled look-up of a name is not waited for */
#endif
    return CURLE_OK;
}

static bool has_header(const rv_http_request *req, const char *name)
{
    for (size_t i = 0; i < req->n_headers; i++)
        if (rv_str_eq_nocase(rv_str_c(req->headers[i].name), rv_str_c(name)))
            return true;
    return false;
}

static rv_status add_header(transfer *t, const char *line, rv_error *err)
{
    struct curl_slist *longer = curl_slist_append(t->headers, line);
    if (!longer)
        return rv_fail_memory(err);
    t->headers = longer;
    return RV_OK;
}

static rv_status add_headers(transfer *t, rv_error *err)
{
    static const char *const ours[] = {"Accept", "Expect", "Content-Type"};
    rv_buf line = RV_BUF_INIT;
    rv_status st = RV_OK;
    for (size_t i = 0; i < t->req->n_headers; i++) {
        const rv_http_header *x = &t->req->headers[i];
        rv_buf_clear(&line);
        /* libcurl's spelling of a header without a value */
        RV_GO(x->value[0] ? rv_buf_printf(&line, err, "%s: %s", x->name, x->value)
                          : rv_buf_printf(&line, err, "%s;", x->name));
        const char *text = rv_buf_cstr(&line);
        RV_GO(text ? add_header(t, text, err) : rv_fail_memory(err));
    }
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (has_header(t->req, ours[i])) /* else libcurl would add its own */
            continue;
        rv_buf_clear(&line);
        RV_GO(rv_buf_printf(&line, err, "%s:", ours[i]));
        const char *text = rv_buf_cstr(&line);
        RV_GO(text ? add_header(t, text, err) : rv_fail_memory(err));
    }
done:
    if (line.ptr)
        explicit_bzero(line.ptr, line.cap);
    rv_buf_free(&line);
    return st;
}

static rv_status prepare(transfer *t, rv_error *err)
{
    CURL *c = t->h->easy;
    curl_easy_reset(c);
    t->h->problem[0] = '\0';
    RV_TRY(add_headers(t, err));
    CURLcode code = set_callbacks(t);
    code = code != CURLE_OK ? code : set_place(t);
    code = code != CURLE_OK ? code : set_target(t);
    code = code != CURLE_OK ? code : set_method(t);
    code = code != CURLE_OK ? code : curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
    if (code == CURLE_OK && !has_header(t->req, "User-Agent"))
        code = curl_easy_setopt(c, CURLOPT_USERAGENT, "rivet/" RIVET_VERSION);
    return code == CURLE_OK ? RV_OK : rv_http_fail_curl(t->h, t->req, code, err);
}

/* ---- the wait ---- */

static bool interrupted(const transfer *t)
{
    const rv_cancel *cancel = t->h->env->cancel;
    if (t->req->after_cancel || !rv_cancel_raised(cancel))
        return false;
    return !t->h->opts.linger ||
           (rv_cancel_overdue(cancel) && rv_clock_mono_us() - t->started_us >= LINGER_US);
}

/* A raise ends the wait; where requests linger it is noticed between two waits. */
static bool wakes(const transfer *t)
{
    const rv_cancel *cancel = t->h->env->cancel;
    return cancel && !t->req->after_cancel && !(t->h->opts.linger && rv_cancel_raised(cancel));
}

static rv_status out_of_time(const transfer *t, const char *why, int64_t us, rv_error *err)
{
    char shown[RV_HTTP_SHOWN], text[32];
    rv_http_show(t->req, shown);
    rv_duration_text(us / 1000, text);
    rv_status st = rv_fail(err, RV_E_HTTP_TIMEOUT, "%s: %s %s", shown, why, text);
    if (err)
        err->retry = RV_RETRY_N;
    return st;
}

/* Looks at the pace a few times within idle_us: one good look and the count starts anew. */
static bool is_idle(transfer *t, int64_t now_us, int64_t idle_us)
{
    curl_off_t up = 0, down = 0;
    int64_t since = now_us - t->sampled_us;
    if (since < idle_us / 8)
        return false;
    (void)curl_easy_getinfo(t->h->easy, CURLINFO_SIZE_UPLOAD_T, &up);
    (void)curl_easy_getinfo(t->h->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
    int64_t moved = (int64_t)up + (int64_t)down;
    if (moved - t->moved > since / 1000 * RV_HTTP_SLOWEST / 1000)
        t->good_us = now_us;
    t->moved = moved;
    t->sampled_us = now_us;
    return now_us - t->good_us >= idle_us;
}

static rv_status check_time(transfer *t, int *out_wait_ms, rv_error *err)
{
    int64_t now_us = rv_clock_mono_us();
    int64_t idle_us = t->req->idle_us ? t->req->idle_us : RV_HTTP_IDLE_US;
    int64_t limit_us = t->req->timeout_us;
    int64_t left_us = idle_us / 8;
    if (limit_us && now_us - t->started_us >= limit_us)
        return out_of_time(t, "no complete answer within", limit_us, err);
    if (is_idle(t, now_us, idle_us))
        return out_of_time(t, "slower than 1 KiB/s for", idle_us, err);
    if (limit_us && limit_us - (now_us - t->started_us) < left_us)
        left_us = limit_us - (now_us - t->started_us);
    *out_wait_ms = left_us >= POLL_MS * 1000 ? POLL_MS : (int)(left_us / 1000) + 1;
    return RV_OK;
}

static rv_status fail_multi(const transfer *t, CURLMcode code, rv_error *err)
{
    char shown[RV_HTTP_SHOWN];
    if (code == CURLM_OUT_OF_MEMORY)
        return rv_fail_memory(err);
    rv_http_show(t->req, shown);
    return rv_fail(err, RV_E_INTERNAL, "%s: %s", shown, curl_multi_strerror(code));
}

static rv_status drive(transfer *t, rv_error *err)
{
    struct curl_waitfd wake = {.fd = rv_cancel_fd(t->h->env->cancel), .events = CURL_WAIT_POLLIN};
    for (;;) {
        int running = 0, wait_ms = 0;
        CURLMcode code = curl_multi_perform(t->h->multi, &running);
        if (code != CURLM_OK)
            return fail_multi(t, code, err);
        if (running == 0)
            return RV_OK;
        if (interrupted(t))
            return rv_cancel_check(t->h->env->cancel, err);
        RV_TRY(check_time(t, &wait_ms, err));
        code = curl_multi_poll(t->h->multi, &wake, wakes(t) ? 1 : 0, wait_ms, NULL);
        if (code != CURLM_OK)
            return fail_multi(t, code, err);
    }
}

static rv_status judge(transfer *t, rv_error *err)
{
    int left;
    long status = 0;
    const CURLMsg *m = curl_multi_info_read(t->h->multi, &left);
    CURLcode code = m ? m->data.result : CURLE_RECV_ERROR;
    if (t->why.code != RV_OK) {
        if (err)
            *err = t->why;
        return t->why.code;
    }
    if (code != CURLE_OK && !t->cut)
        return rv_http_fail_curl(t->h, t->req, code, err);
    (void)curl_easy_getinfo(t->h->easy, CURLINFO_RESPONSE_CODE, &status);
    t->out->status = (int)status;
    t->out->truncated = t->cut;
    return RV_OK;
}

static rv_status transmit(transfer *t, rv_error *err)
{
    RV_TRY(prepare(t, err));
    CURLMcode code = curl_multi_add_handle(t->h->multi, t->h->easy);
    if (code != CURLM_OK)
        return fail_multi(t, code, err);
    rv_status st = drive(t, err);
    if (st == RV_OK)
        st = judge(t, err);
    (void)curl_multi_remove_handle(t->h->multi, t->h->easy);
    return st;
}

rv_status rv_http_send(rv_http *h, const rv_http_request *req, rv_http_response *out, rv_error *err)
{
    transfer t = {.h = h, .req = req, .out = out, .started_us = rv_clock_mono_us()};
    t.good_us = t.sampled_us = t.started_us;
    rv_buf_clear(&out->head);
    rv_buf_clear(&out->body);
    out->status = 0;
    out->truncated = false;
    out->sunk = 0;
    out->tries = 1;
    RV_TRY(rv_http_check(req, err));
    if (interrupted(&t))
        return rv_cancel_check(h->env->cancel, err);
    rv_status st = transmit(&t, err);
    curl_easy_reset(h->easy); /* it points into this frame */
    curl_slist_free_all(t.headers);
    return st;
}
