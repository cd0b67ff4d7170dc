/* One try of a request, against a scripted peer. */
#include "net/http.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "http_peer.h"
#include "rvtest.h"

/* ---- a client with an environment of its own ---- */

typedef struct box {
    rv_env env;
    rv_http *http;
    rv_http_response r;
    rv_error err;
    const char *vars[8]; /* name, value, ... */
} box;

static const char *box_var(void *ctx, const char *name)
{
    const box *b = ctx;
    for (size_t i = 0; i + 1 < 8 && b->vars[i]; i += 2)
        if (strcmp(b->vars[i], name) == 0)
            return b->vars[i + 1];
    return NULL;
}

static void open_box(box *b, const rv_http_opts *opts)
{
    b->env.getenv = box_var;
    b->env.getenv_ctx = b;
    b->r = RV_HTTP_RESPONSE_INIT;
    CHECK_EQ(rv_secrets_open(&b->env.secrets, &b->err), RV_OK);
    CHECK_EQ(rv_cancel_open(&b->env.cancel, &b->err), RV_OK);
    CHECK_EQ(rv_http_open(&b->env, opts, &b->http, &b->err), RV_OK);
}

static void close_box(box *b)
{
    rv_http_response_free(&b->r);
    rv_http_close(b->http);
    rv_cancel_close(b->env.cancel);
    rv_secrets_close(b->env.secrets);
}

static rv_status get(box *b, const char *url)
{
    const rv_http_request req = {.method = "GET", .url = url};
    return rv_http_send(b->http, &req, &b->r, &b->err);
}

static bool body_is(const box *b, const char *want)
{
    return rv_str_eq(rv_buf_str(&b->r.body), rv_str_c(want));
}

/* ---- what goes out and what comes back ---- */

RV_TEST(answers_arrive_whole)
{
    box b = {0};
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p);
    open_box(&b, NULL);
    http_peer_say(p,
                  (http_answer){.headers = "X-Kind:  thing \r\nETag: \"a\"\r\n", .body = "hello"});
    http_peer_say(p, (http_answer){.status = 404, .body = "gone"});
    http_peer_say(p, (http_answer){.chunked = true, .body = "one piece after another"});
    http_peer_say(p, (http_answer){.status = 204});
    http_peer_say(p, (http_answer){.informational = true, .headers = "A: 1\r\n", .body = "late"});
    CHECK_EQ(get(&b, http_peer_url(p, "/a/../b?x=1")), RV_OK);
    CHECK_EQ(b.r.status, 200);
    CHECK(body_is(&b, "hello"));
    CHECK(rv_str_eq(rv_http_header_get(&b.r, "x-kind"), RV_STR("thing")));
    CHECK(rv_str_eq(rv_http_header_get(&b.r, "etag"), RV_STR("\"a\"")));
    CHECK(rv_http_header_get(&b.r, "absent").ptr == NULL);
    CHECK_EQ(get(&b, http_peer_url(p, "/2")), RV_OK);
    CHECK_EQ(b.r.status, 404);
    CHECK(body_is(&b, "gone"));
    CHECK_EQ(get(&b, http_peer_url(p, "/3")), RV_OK);
    CHECK(body_is(&b, "one piece after another"));
    CHECK_EQ(get(&b, http_peer_url(p, "/4")), RV_OK);
    CHECK_EQ(b.r.status, 204);
    CHECK(body_is(&b, ""));
    CHECK_EQ(get(&b, http_peer_url(p, "/5")), RV_OK);
    CHECK(body_is(&b, "late"));
    CHECK(rv_http_header_get(&b.r, "link").ptr == NULL); /* of the 103 */
    const http_seen *s = http_peer_request(p, 0);
    REQUIRE(s);
    char text[64];
    CHECK_STR(s->target, "/a/../b?x=1");
    CHECK(http_seen_header(s, "user-agent", text, sizeof text) && strncmp(text, "rivet/", 6) == 0);
    CHECK(!http_seen_header(s, "accept", text, sizeof text));
    CHECK(!http_seen_header(s, "content-length", text, sizeof text));
    CHECK_EQ(http_peer_connections(p), 1); /* kept open */
    close_box(&b);
    http_peer_stop(p);
}

RV_TEST(methods_and_headers)
{
    static const char *const methods[] = {"PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD"};
    const rv_http_header headers[] = {
        {"Authorization", "AWS4 x"}, {"X-Empty", ""}, {"Content-Type", "text/csv"}};
    box b = {0};
    char text[64];
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p);
    open_box(&b, NULL);
    for (size_t i = 0; i < 6; i++) {
        rv_http_request req = {.method = methods[i],
                               .url = http_peer_url(p, "/m"),
                               .headers = headers,
                               .n_headers = 3};
        http_peer_say(p, (http_answer){.headers = "Last: yes\r\n", .body = "x"});
        CHECK_EQ(rv_http_send(b.http, &req, &b.r, &b.err), RV_OK);
        const http_seen *s = http_peer_request(p, i);
        REQUIRE(s);
        CHECK_STR(s->method, methods[i]);
        CHECK(http_seen_header(s, "Authorization", text, sizeof text) &&
              strcmp(text, "AWS4 x") == 0);
        CHECK(http_seen_header(s, "X-Empty", text, sizeof text) && text[0] == '\0');
        CHECK(http_seen_header(s, "Content-Type", text, sizeof text) &&
              strcmp(text, "text/csv") == 0);
        CHECK_EQ(http_seen_header(s, "Content-Length", text, sizeof text), i < 2);
        CHECK_EQ(b.r.body.len, i == 5 ? 0 : 1);
        CHECK(rv_http_header_get(&b.r, "last").ptr != NULL);
    }
    close_box(&b);
    http_peer_stop(p);
}

static rv_status count_up(void *ctx, uint64_t at, void *out, size_t n, rv_error *err)
{
    (void)ctx;
    (void)err;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)out)[i] = (uint8_t)((at + i) * 7);
    return RV_OK;
}

static rv_status fail_late(void *ctx, uint64_t at, void *out, size_t n, rv_error *err)
{
    if (at > 0)
        return rv_fail(err, RV_E_CORRUPT, "the part is gone");
    return count_up(ctx, at, out, n, err);
}

RV_TEST(bodies_of_three_kinds)
{
    enum { LEN = 300000 };
    char dir[] = "/tmp/rivet-net-XXXXXX";
    char path[64];
    uint8_t *bytes = rv_alloc(LEN);
    box b = {0};
    int fd = -1;
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p && bytes && mkdtemp(dir));
    open_box(&b, NULL);
    (void)count_up(NULL, 0, bytes, LEN, NULL);
    (void)snprintf(path, sizeof path, "%s/part", dir);
    CHECK_EQ(rv_file_replace(path, (rv_bytes){bytes, LEN}, 0600, &b.err), RV_OK);
    CHECK_EQ(rv_file_open_read(path, &fd, &b.err), RV_OK);
    const rv_http_body bodies[] = {
        {.kind = RV_HTTP_BYTES, .bytes = {bytes + 1000, LEN - 1000}},
        {.kind = RV_HTTP_FILE, .fd = fd, .offset = 1000, .len = LEN - 1000},
        {.kind = RV_HTTP_READER, .read = count_up, .len = LEN}};
    for (size_t i = 0; i < 3; i++) {
        rv_http_request req = {
            .method = "PUT", .url = http_peer_url(p, "/part"), .body = bodies[i]};
        http_peer_say(p, (http_answer){.status = 201});
        CHECK_EQ(rv_http_send(b.http, &req, &b.r, &b.err), RV_OK);
        CHECK_EQ(b.r.status, 201);
        const http_seen *s = http_peer_request(p, i);
        REQUIRE(s);
        size_t skip = i < 2 ? 1000 : 0;
        CHECK_MEM(s->body, s->body_len, bytes + skip, LEN - skip);
    }
    rv_http_request bad = {.method = "PUT",
                           .url = http_peer_url(p, "/bad"),
                           .body = {.kind = RV_HTTP_READER, .read = fail_late, .len = LEN}};
    http_peer_say(p, (http_answer){0});
    CHECK_EQ(rv_http_send(b.http, &bad, &b.r, &b.err), RV_E_CORRUPT);
    CHECK_STR(b.err.text, "the part is gone");
    bad.body = (rv_http_body){.kind = RV_HTTP_FILE, .fd = fd, .offset = 1, .len = LEN};
    http_peer_say(p, (http_answer){0});
    CHECK_EQ(rv_http_send(b.http, &bad, &b.r, &b.err), RV_E_CORRUPT); /* the file is shorter */
    rv_file_close(fd);
    (void)unlink(path);
    (void)rmdir(dir);
    rv_free(bytes);
    close_box(&b);
    http_peer_stop(p);
}

RV_TEST(an_early_refusal_is_the_answer)
{
    enum { LEN = 8 << 20 };
    box b = {0};
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p);
    open_box(&b, NULL);
    http_peer_say(p,
                  (http_answer){.status = 403, .unread_body = true, .body = "no", .close = true});
    rv_http_request req = {.method = "PUT",
                           .url = http_peer_url(p, "/part"),
                           .body = {.kind = RV_HTTP_READER, .read = count_up, .len = LEN}};
    CHECK_EQ(rv_http_send(b.http, &req, &b.r, &b.err), RV_OK);
    CHECK_EQ(b.r.status, 403);
    CHECK(body_is(&b, "no"));
    close_box(&b);
    http_peer_stop(p);
}

/* ---- sinks and limits ---- */

static rv_status into_buf(void *self, rv_bytes data, rv_error *err)
{
    return rv_buf_add(self, data.ptr, data.len, err);
}

static rv_status full(void *self, rv_bytes data, rv_error *err)
{
    (void)self;
    (void)data;
    return rv_fail(err, RV_E_DEST_NO_SPACE, "the spool is full");
}

RV_TEST(a_sink_takes_success_alone)
{
    box b = {0};
    rv_buf got = RV_BUF_INIT;
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p);
    open_box(&b, NULL);
    rv_http_request req = {.method = "GET",
                           .url = http_peer_url(p, "/o"),
                           .max_body = 4,
                           .sink = {.self = &got, .write = into_buf}};
    http_peer_say(p, (http_answer){.body = "far more than four"});
    http_peer_say(p, (http_answer){.status = 503, .body = "busy now"});
    http_peer_say(p, (http_answer){.body = "far more than four", .cut_after = 7});
    http_peer_say(p, (http_answer){.body = "x"});
    CHECK_EQ(rv_http_send(b.http, &req, &b.r, &b.err), RV_OK);
    CHECK(rv_str_eq(rv_buf_str(&got), RV_STR("far more than four")));
    CHECK_EQ(b.r.sunk, 18);
    CHECK_EQ(b.r.body.len, 0);
    CHECK_EQ(rv_http_send(b.http, &req, &b.r, &b.err), RV_OK);
    CHECK_EQ(b.r.status, 503);
    CHECK(body_is(&b, "busy") && b.r.truncated);
    CHECK_EQ(b.r.sunk, 0);
    CHECK_EQ(rv_http_send(b.http, &req, &b.r, &b.err), RV_E_HTTP_NETWORK);
    CHECK_EQ(b.r.sunk, 7);
    req.sink.write = full;
    CHECK_EQ(rv_http_send(b.http, &req, &b.r, &b.err), RV_E_DEST_NO_SPACE);
    CHECK_STR(b.err.text, "the spool is full");
    rv_buf_free(&got);
    close_box(&b);
    http_peer_stop(p);
}

RV_TEST(limits_hold)
{
    enum { MANY = 4000, LINE = 80 };
    box b = {0};
    char *headers = rv_alloc(MANY * LINE + 1), *big = rv_calloc(1, (2 << 20) + 1);
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p && headers && big);
    open_box(&b, NULL);
    for (size_t i = 0; i < MANY; i++)
        (void)snprintf(headers + i * LINE, LINE + 1, "X-%05zu: %069d\r\n", i, 1);
    memset(big, 'x', 2 << 20);
    http_peer_say(p, (http_answer){.headers = headers});
    CHECK_EQ(get(&b, http_peer_url(p, "/h")), RV_E_HTTP_TOO_LARGE);
    http_peer_say(p, (http_answer){.body = big});
    CHECK_EQ(get(&b, http_peer_url(p, "/b?sig=abc")), RV_E_HTTP_TOO_LARGE);
    CHECK(strstr(b.err.text, "/b: the answer is larger than 1048576 bytes") != NULL);
    CHECK_EQ(b.err.retry, RV_RETRY_P);
    http_peer_say(p, (http_answer){.status = 500, .body = big});
    CHECK_EQ(get(&b, http_peer_url(p, "/e")), RV_OK);
    CHECK(b.r.status == 500 && b.r.truncated && b.r.body.len == 1 << 20);
    http_peer_say(p, (http_answer){.body = "fine"});
    CHECK_EQ(get(&b, http_peer_url(p, "/f")), RV_OK);
    CHECK(body_is(&b, "fine"));
    close_box(&b);
    http_peer_stop(p); /* it borrows them */
    rv_free(headers);
    rv_free(big);
}

RV_TEST(injection_is_refused)
{
    static const rv_http_header bad[] = {
        {"X-A", "1\r\nX-B: 2"}, {"X-A", "1\n2"}, {"X-A", "1\r2"}, {"X-A\r\nX-B", "1"},
        {"X A", "1"},           {"", "1"},       {"X-A:", "1"},   {"X-A", "\x01"},
        {"X-A", "\x7f"},        {NULL, "1"},     {"X-A", NULL}};
    static const char *const urls[] = {"http://127.0.0.1:1/a b",
                                       "http://127.0.0.1:1/\r\nX: 1",
                                       "ftp://127.0.0.1:1/",
                                       "file:///etc/passwd",
                                       "http:///x",
                                       "127.0.0.1",
                                       "http://127.0.0.1:1/\xc3\xa9",
                                       "",
                                       NULL};
    box b = {0};
    open_box(&b, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rv_http_request req = {
            .method = "GET", .url = "http://127.0.0.1:1/", .headers = &bad[i], .n_headers = 1};
        CHECK_EQ(rv_http_send(b.http, &req, &b.r, &b.err), RV_E_HTTP_REQUEST);
    }
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
        CHECK_EQ(get(&b, urls[i]), RV_E_HTTP_REQUEST);
    rv_http_request req = {.method = "GET / HTTP/1.1\r\nX: 1\r\n", .url = "http://127.0.0.1:1/"};
    CHECK_EQ(rv_http_send(b.http, &req, &b.r, &b.err), RV_E_HTTP_REQUEST);
    close_box(&b);
}

/* ---- failures ---- */

RV_TEST(redirects_are_answers)
{
    box b = {0};
    http_peer *p = http_peer_start(NULL), *other = http_peer_start(NULL);
    char header[128];
    REQUIRE(p && other);
    open_box(&b, NULL);
    (void)snprintf(header, sizeof header, "Location: %s\r\n", http_peer_url(other, "/steal"));
    http_peer_say(p, (http_answer){.status = 307, .headers = header});
    CHECK_EQ(get(&b, http_peer_url(p, "/")), RV_OK);
    CHECK_EQ(b.r.status, 307);
    CHECK(rv_http_header_get(&b.r, "location").ptr != NULL);
    CHECK_EQ(http_peer_connections(other), 0);
    close_box(&b);
    http_peer_stop(p);
    http_peer_stop(other);
}

RV_TEST(broken_answers_are_the_network)
{
    static const http_answer broken[] = {
        {.cut = true},
        {.body = "half of this is missing", .cut_after = 5},
        {.body = "half of this is missing", .cut_after = 9, .chunked = true},
        {.raw = "SSH-2.0-OpenSSH_9.2\r\n"},
        {.raw = "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"},
        {.raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
        {.raw = "HTTP/1.1 2"}};
    box b = {0};
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p);
    open_box(&b, NULL);
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        http_peer_say(p, broken[i]);
        rv_error_clear(&b.err);
        rv_status st = get(&b, http_peer_url(p, "/x"));
        if (st != RV_E_HTTP_NETWORK)
            (void)printf("case %zu: %s (status %d)\n", i, b.err.text, b.r.status);
        CHECK_EQ(st, RV_E_HTTP_NETWORK);
        CHECK_EQ(b.err.retry, RV_RETRY_N);
    }
    close_box(&b);
    http_peer_stop(p);
}

RV_TEST(no_connection_is_told_apart)
{
    box b = {0};
    http_peer *p = http_peer_start(&(http_peer_opts){.tls = true});
    REQUIRE(p);
    rv_http_opts opts = {.connect_timeout_us = 2000000, .ca_file = http_peer_ca(p)};
    open_box(&b, &opts);
    CHECK_EQ(get(&b, "http://127.0.0.1:1/k?sig=zzz"), RV_E_HTTP_CONNECT);
    CHECK(strncmp(b.err.text, "GET http://127.0.0.1:1/k\n", 25) == 0);
    CHECK_EQ(b.err.retry, RV_RETRY_N);
    CHECK_EQ(get(&b, "http://no-such-host.invalid/"), RV_E_HTTP_CONNECT);
    http_peer_say(p, (http_answer){.body = "safe"});
    CHECK_EQ(get(&b, http_peer_url(p, "/tls")), RV_OK);
    CHECK(body_is(&b, "safe"));
    close_box(&b);
    http_peer_stop(p);
}

RV_TEST(certificates_are_checked)
{
    box b = {0};
    http_peer *p = http_peer_start(&(http_peer_opts){.tls = true});
    http_peer *wrong = http_peer_start(&(http_peer_opts){.tls = true, .wrong_name = true});
    REQUIRE(p && wrong);
    open_box(&b, NULL); /* the system's authorities do not know it */
    CHECK_EQ(get(&b, http_peer_url(p, "/")), RV_E_HTTP_TLS);
    CHECK_EQ(b.err.retry, RV_RETRY_P);
    CHECK(strstr(b.err.hint, "SSL_CERT_FILE") != NULL);
    close_box(&b);
    b = (box){.vars = {"SSL_CERT_FILE", http_peer_ca(p)}};
    open_box(&b, NULL);
    http_peer_say(p, (http_answer){.body = "trusted"});
    CHECK_EQ(get(&b, http_peer_url(p, "/")), RV_OK);
    close_box(&b);
    b = (box){.vars = {"SSL_CERT_FILE", http_peer_ca(wrong)}};
    open_box(&b, NULL);
    CHECK_EQ(get(&b, http_peer_url(wrong, "/")), RV_E_HTTP_TLS);
    close_box(&b);
    b = (box){.vars = {"SSL_CERT_FILE", "/nowhere/ca.pem"}};
    open_box(&b, NULL);
    CHECK_EQ(get(&b, http_peer_url(p, "/")), RV_E_HTTP_TLS);
    close_box(&b);
    http_peer_stop(p);
    http_peer_stop(wrong);
}

RV_TEST(time_runs_out)
{
    box b = {0};
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p);
    open_box(&b, NULL);
    rv_http_request req = {.method = "GET", .url = http_peer_url(p, "/slow"), .timeout_us = 200000};
    http_peer_say(p, (http_answer){.hang = true});
    int64_t began = rv_clock_mono_us();
    CHECK_EQ(rv_http_send(b.http, &req, &b.r, &b.err), RV_E_HTTP_TIMEOUT);
    CHECK(rv_clock_mono_us() - began < 2000000);
    CHECK(strstr(b.err.text, "/slow: no complete answer within 200ms") != NULL);
    CHECK_EQ(b.err.retry, RV_RETRY_N);
    req.timeout_us = 0;
    req.idle_us = 300000; /* fifty bytes a second are too slow */
    http_peer_say(
        p, (http_answer){.body = "a drop at a time, which takes for ever", .drip_us = 20000});
    began = rv_clock_mono_us();
    CHECK_EQ(rv_http_send(b.http, &req, &b.r, &b.err), RV_E_HTTP_TIMEOUT);
    CHECK(rv_clock_mono_us() - began < 2000000);
    req.idle_us = 0; /* the same answer is no trouble with the usual patience */
    http_peer_say(p, (http_answer){.body = "drop by drop", .drip_us = 20000});
    CHECK_EQ(rv_http_send(b.http, &req, &b.r, &b.err), RV_OK);
    CHECK(body_is(&b, "drop by drop"));
    close_box(&b);
    http_peer_stop(p);
}

static void *raise_soon(void *ctx)
{
    (void)usleep(100000);
    rv_cancel_raise(ctx, SIGTERM);
    return NULL;
}

RV_TEST(an_interrupt_ends_the_wait)
{
    box b = {0};
    pthread_t thread;
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p);
    open_box(&b, NULL);
    http_peer_say(p, (http_answer){.hang = true});
    REQUIRE(pthread_create(&thread, NULL, raise_soon, b.env.cancel) == 0);
    int64_t began = rv_clock_mono_us();
    CHECK_EQ(get(&b, http_peer_url(p, "/")), RV_E_INTERRUPTED);
    CHECK(rv_clock_mono_us() - began < 1000000);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(get(&b, http_peer_url(p, "/")), RV_E_INTERRUPTED); /* nothing is begun any more */
    rv_http_request clean = {.method = "DELETE",
                             .url = http_peer_url(p, "/upload"),
                             .timeout_us = 2000000,
                             .after_cancel = true};
    http_peer_say(p, (http_answer){.status = 204, .delay_us = 20000});
    CHECK_EQ(rv_http_send(b.http, &clean, &b.r, &b.err), RV_OK);
    CHECK_EQ(b.r.status, 204);
    close_box(&b);
    http_peer_stop(p);
}

/* What is being committed is finished within the grace period, and what is said about it after. */
RV_TEST(a_lingering_client_finishes_what_it_does)
{
    static const rv_http_opts linger = {.linger = true};
    box b = {0};
    pthread_t thread;
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p);
    open_box(&b, &linger);
    rv_cancel_set_grace_us(b.env.cancel, 1000000);
    REQUIRE(pthread_create(&thread, NULL, raise_soon, b.env.cancel) == 0);
    http_peer_say(p, (http_answer){.body = "done", .delay_us = 400000});
    CHECK_EQ(get(&b, http_peer_url(p, "/")), RV_OK);
    CHECK(body_is(&b, "done"));
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK(rv_cancel_raised(b.env.cancel));
    while (!rv_cancel_overdue(b.env.cancel))
        (void)usleep(50000);
    http_peer_say(p, (http_answer){.body = "said", .delay_us = 100000});
    CHECK_EQ(get(&b, http_peer_url(p, "/")), RV_OK);
    http_peer_say(p, (http_answer){.hang = true});
    int64_t began = rv_clock_mono_us();
    CHECK_EQ(get(&b, http_peer_url(p, "/")), RV_E_INTERRUPTED);
    CHECK(rv_clock_mono_us() - began < 6000000);
    close_box(&b);
    http_peer_stop(p);
}

RV_TEST(a_dead_connection_is_replaced)
{
    box b = {0};
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p);
    open_box(&b, NULL);
    http_peer_say(p, (http_answer){.body = "1"});
    http_peer_say(p, (http_answer){.cut = true});
    http_peer_say(p, (http_answer){.body = "2"});
    rv_http_request req = {.method = "PUT",
                           .url = http_peer_url(p, "/x"),
                           .body = {.kind = RV_HTTP_READER, .read = count_up, .len = 100000}};
    CHECK_EQ(rv_http_send(b.http, &req, &b.r, &b.err), RV_OK);
    CHECK_EQ(rv_http_send(b.http, &req, &b.r, &b.err), RV_OK);
    CHECK(body_is(&b, "2"));
    CHECK_EQ(http_peer_connections(p), 2);
    const http_seen *s = http_peer_request(p, 2);
    REQUIRE(s);
    CHECK_EQ(s->body_len, 100000);
    CHECK(s->body[99999] == (uint8_t)(99999 * 7));
    close_box(&b);
    http_peer_stop(p);
}

/* ---- proxies ---- */

RV_TEST(proxies_are_honoured)
{
    char proxy[64];
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p);
    (void)snprintf(proxy, sizeof proxy, "http://me:hunter22@127.0.0.1:%d", http_peer_port(p));
    box b = {.vars = {"http_proxy", proxy, "NO_PROXY", "localhost,direct.test"}};
    open_box(&b, NULL);
    http_peer_say(p, (http_answer){.body = "proxied"});
    CHECK_EQ(get(&b, "http://bucket.test/key"), RV_OK);
    CHECK(body_is(&b, "proxied"));
    const http_seen *s = http_peer_request(p, 0);
    REQUIRE(s);
    CHECK_STR(s->target, "http://bucket.test/key");
    rv_buf masked = RV_BUF_INIT;
    CHECK_EQ(rv_secrets_redact(b.env.secrets, RV_STR("it is hunter22!"), &masked, &b.err), RV_OK);
    CHECK(rv_str_eq(rv_buf_str(&masked), RV_STR("it is ***!")));
    rv_buf_free(&masked);
    char direct[64];
    (void)snprintf(direct, sizeof direct, "http://localhost:%d/n", http_peer_port(p));
    http_peer_say(p, (http_answer){.body = "direct"});
    CHECK_EQ(get(&b, direct), RV_OK);
    s = http_peer_request(p, 1);
    REQUIRE(s);
    CHECK_STR(s->target, "/n");
    rv_http_request req = {.method = "GET", .url = http_peer_url(p, "/meta"), .direct = true};
    http_peer_say(p, (http_answer){.body = "direct"});
    CHECK_EQ(rv_http_send(b.http, &req, &b.r, &b.err), RV_OK);
    s = http_peer_request(p, 2);
    REQUIRE(s);
    CHECK_STR(s->target, "/meta");
    close_box(&b);
    http_peer_stop(p);
}

RV_TEST(https_goes_through_connect)
{
    char proxy[64];
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p);
    (void)snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", http_peer_port(p));
    /* upper-case HTTP_PROXY is not read: a CGI caller could set it */
    box b = {.vars = {"HTTPS_PROXY", proxy, "HTTP_PROXY", "http://127.0.0.1:1"}};
    open_box(&b, NULL);
    http_peer_say(p, (http_answer){.status = 403});
    CHECK_EQ(get(&b, "https://bucket.test/key"), RV_E_HTTP_NETWORK);
    const http_seen *s = http_peer_request(p, 0);
    REQUIRE(s);
    CHECK_STR(s->method, "CONNECT");
    CHECK_STR(s->target, "bucket.test:443");
    http_peer_say(p, (http_answer){.body = "plain"});
    CHECK_EQ(get(&b, http_peer_url(p, "/")), RV_OK);
    close_box(&b);
    http_peer_stop(p);
}

/* ---- secrets ---- */

RV_TEST(no_error_gives_a_secret_away)
{
    static const http_answer ends[] = {{.cut = true},
                                       {.raw = "garbage\r\n\r\n"},
                                       {.body = "0123456789", .cut_after = 2},
                                       {.hang = true}};
    const rv_http_header headers[] = {{"Authorization", "Bearer PLANTED-1"},
                                      {"X-Amz-Security-Token", "PLANTED-2"}};
    box b = {0};
    char url[160];
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p);
    open_box(&b, NULL);
    (void)snprintf(url, sizeof url,
                   "http://user:PLANTED-3@127.0.0.1:%d/PLANTED-4?X-Amz-Signature=PLANTED-5",
                   http_peer_port(p));
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        rv_http_request req = {.method = "GET",
                               .url = url,
                               .headers = headers,
                               .n_headers = 2,
                               .timeout_us = 200000,
                               .max_body = 4,
                               .secret_path = true};
        http_peer_say(p, ends[i]);
        CHECK(rv_http_send(b.http, &req, &b.r, &b.err) != RV_OK);
        CHECK(strstr(b.err.text, "PLANTED") == NULL && strstr(b.err.hint, "PLANTED") == NULL);
        CHECK(strstr(b.err.text, "127.0.0.1") != NULL);
    }
    rv_http_response answer = {.status = 503};
    rv_http_request req = {.method = "PUT", .url = "https://u:p@host:1/a/b?sig=PLANTED#x"};
    CHECK_EQ(rv_http_fail(&req, &answer, RV_E_HTTP_STATUS, RV_STR("SlowDown\r\nnow"), &b.err),
             RV_E_HTTP_STATUS);
    CHECK_STR(b.err.text, "PUT https://host:1/a/b: 503 SlowDown  now");
    CHECK_STR(b.err.native, "503");
    CHECK_EQ(b.err.retry, RV_RETRY_N);
    answer.status = 404;
    CHECK_EQ(rv_http_fail(&req, &answer, RV_E_HTTP_STATUS, (rv_str){NULL, 0}, &b.err),
             RV_E_HTTP_STATUS);
    CHECK_STR(b.err.text, "PUT https://host:1/a/b: 404 Not Found");
    CHECK_EQ(b.err.retry, RV_RETRY_P);
    close_box(&b);
    http_peer_stop(p);
}

/* ---- threads ---- */

static void *ask_often(void *ctx)
{
    http_peer *p = ctx;
    for (int i = 0; i < 5; i++) {
        box b = {0};
        open_box(&b, NULL);
        CHECK_EQ(get(&b, http_peer_url(p, "/t")), RV_OK);
        CHECK(body_is(&b, "ok"));
        close_box(&b);
    }
    return NULL;
}

RV_TEST(clients_come_and_go_in_threads)
{
    pthread_t threads[4];
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p);
    http_peer_say(p, (http_answer){.body = "ok", .repeat = HTTP_FOREVER});
    for (size_t i = 0; i < 4; i++)
        REQUIRE(pthread_create(&threads[i], NULL, ask_often, p) == 0);
    for (size_t i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(http_peer_count(p), 20);
    http_peer_stop(p);
}

/* ---- memory ---- */

RV_TEST(every_allocation_may_fail)
{
#ifdef RV_FAULTS
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p);
    const char *url = http_peer_url(p, "/m?a=b");
    const rv_http_header header = {"X-A", "1"};
    box b = {0};
    CHECK_EQ(rv_cancel_open(&b.env.cancel, &b.err), RV_OK);
    http_peer_say(p, (http_answer){.headers = "B: 2\r\n", .body = "ok", .repeat = HTTP_FOREVER});
    long n = 1, failed = 0;
    for (; n < 4000; n++) {
        rv_http *h = NULL;
        rv_http_response r = RV_HTTP_RESPONSE_INIT;
        rv_http_request req = {.method = "PUT",
                               .url = url,
                               .headers = &header,
                               .n_headers = 1,
                               .timeout_us = 300000, /* libcurl may take one for "no data yet" */
                               .body = {.kind = RV_HTTP_READER, .read = count_up, .len = 100000}};
        rv_fault_set_alloc(n, false);
        rv_status st = rv_http_open(&b.env, NULL, &h, &b.err);
        if (st == RV_OK)
            st = rv_http_send(h, &req, &r, &b.err);
        long seen = rv_fault_seen_alloc();
        rv_fault_set_alloc(0, false);
        if (st == RV_OK)
            CHECK_EQ(r.status, 200);
        failed += st != RV_OK;
        rv_http_response_free(&r);
        rv_http_close(h);
        if (seen < n)
            break;
    }
    CHECK(n > 20 && n < 4000 && failed > 10);
    for (size_t i = 0; http_peer_request(p, i); i++) /* no part of an address is ever left out */
        CHECK_STR(http_peer_request(p, i)->target, "/m?a=b");
    rv_cancel_close(b.env.cancel);
    http_peer_stop(p);
#else
    SKIP("built without RV_FAULTS");
#endif
}

RV_TEST_MAIN(RV_CASE(answers_arrive_whole), RV_CASE(methods_and_headers),
             RV_CASE(bodies_of_three_kinds), RV_CASE(an_early_refusal_is_the_answer),
             RV_CASE(a_sink_takes_success_alone), RV_CASE(limits_hold),
             RV_CASE(injection_is_refused), RV_CASE(redirects_are_answers),
             RV_CASE(broken_answers_are_the_network), RV_CASE(no_connection_is_told_apart),
             RV_CASE(certificates_are_checked), RV_CASE(time_runs_out),
             RV_CASE(an_interrupt_ends_the_wait), RV_CASE(a_lingering_client_finishes_what_it_does),
             RV_CASE(a_dead_connection_is_replaced), RV_CASE(proxies_are_honoured),
             RV_CASE(https_goes_through_connect), RV_CASE(no_error_gives_a_secret_away),
             RV_CASE(clients_come_and_go_in_threads), RV_CASE(every_allocation_may_fail))
