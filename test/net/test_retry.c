/* The one retry loop, against a scripted peer; nothing here waits: the waits are written down. */
#include "net/http.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "http_peer.h"
#include "rvtest.h"

#define NOW_US (INT64_C(1700000000) * 1000000) /* Tue, 14 Nov 2023 22:13:20 GMT */

typedef struct box {
    rv_env env;
    rv_http *http;
    rv_http_response r;
    rv_error err;
    int64_t waits[16];
    size_t n_waits;
    unsigned prepared, judged;
    char header[32];
    rv_http_header signature;
} box;

static int64_t fixed_now(void *ctx)
{
    (void)ctx;
    return NOW_US;
}

static bool note_wait(void *ctx, int64_t us)
{
    box *b = ctx;
    if (b->n_waits < 16)
        b->waits[b->n_waits++] = us;
    return true;
}

static void open_box(box *b)
{
    *b = (box){.r = RV_HTTP_RESPONSE_INIT, .env = {.now_us = fixed_now}};
    rv_http_opts opts = {.wait = note_wait, .wait_ctx = b};
    CHECK_EQ(rv_cancel_open(&b->env.cancel, &b->err), RV_OK);
    CHECK_EQ(rv_http_open(&b->env, &opts, &b->http, &b->err), RV_OK);
}

static void close_box(box *b)
{
    rv_http_response_free(&b->r);
    rv_http_close(b->http);
    rv_cancel_close(b->env.cancel);
}

static rv_status put(box *b, const char *url, const rv_http_retry *retry)
{
    static const uint8_t body[] = "body";
    const rv_http_request req = {
        .method = "PUT", .url = url, .body = {.kind = RV_HTTP_BYTES, .bytes = {body, 4}}};
    b->n_waits = 0;
    return rv_http_send_retry(b->http, &req, retry, &b->r, &b->err);
}

RV_TEST(listed_statuses_pass)
{
    static const int statuses[] = {408, 429, 500, 502, 503, 504};
    const rv_http_retry retry = {.idempotent = true};
    box b;
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p);
    open_box(&b);
    for (size_t i = 0; i < 6; i++) {
        http_peer_say(p, (http_answer){.status = statuses[i]});
        http_peer_say(p, (http_answer){.body = "ok"});
        CHECK_EQ(put(&b, http_peer_url(p, "/"), &retry), RV_OK);
        CHECK_EQ(b.r.status, 200);
        CHECK_EQ(b.r.tries, 2);
        CHECK_EQ(b.n_waits, 1);
        const http_seen *s = http_peer_request(p, i * 2 + 1);
        REQUIRE(s);
        CHECK_MEM(s->body, s->body_len, "body", 4); /* the same bytes again */
    }
    static const int final[] = {400, 401, 403, 404, 409, 412, 301, 501, 507};
    for (size_t i = 0; i < 9; i++) {
        http_peer_say(p, (http_answer){.status = final[i]});
        CHECK_EQ(put(&b, http_peer_url(p, "/"), &retry), RV_OK);
        CHECK_EQ(b.r.status, final[i]);
        CHECK_EQ(b.r.tries, 1);
    }
    close_box(&b);
    http_peer_stop(p);
}

RV_TEST(waits_double_with_jitter)
{
    const rv_http_retry retry = {.idempotent = true, .tries = 8};
    static const int64_t most[] = {200000, 400000, 800000, 1600000, 3200000, 6400000, 10000000};
    box b;
    bool differs = false;
    int64_t first = 0;
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p);
    open_box(&b);
    http_peer_say(p, (http_answer){.status = 503, .repeat = HTTP_FOREVER});
    for (int round = 0; round < 5; round++) {
        CHECK_EQ(put(&b, http_peer_url(p, "/"), &retry), RV_OK);
        CHECK_EQ(b.r.status, 503); /* the last answer is the result */
        CHECK_EQ(b.r.tries, 8);
        REQUIRE(b.n_waits == 7);
        for (size_t i = 0; i < 7; i++)
            CHECK(b.waits[i] >= most[i] / 2 && b.waits[i] <= most[i]);
        differs = differs || (round && b.waits[0] != first);
        first = b.waits[0];
    }
    CHECK(differs);
    const rv_http_retry usual = {.idempotent = true};
    CHECK_EQ(put(&b, http_peer_url(p, "/"), &usual), RV_OK);
    CHECK_EQ(b.r.tries, 6);
    const rv_http_retry one = {.idempotent = true, .tries = 1};
    CHECK_EQ(put(&b, http_peer_url(p, "/"), &one), RV_OK);
    CHECK_EQ(b.n_waits, 0);
    close_box(&b);
    http_peer_stop(p);
}

RV_TEST(retry_after_wins)
{
    static const struct {
        const char *header;
        int64_t wait_us; /* 0: our own */
    } cases[] = {{"Retry-After: 7\r\n", 7000000},
                 {"retry-after:  3 \r\n", 3000000},
                 {"Retry-After: 86400\r\n", 60000000},
                 {"Retry-After: 99999999999999999999\r\n", 0},
                 {"Retry-After: Tue, 14 Nov 2023 22:13:32 GMT\r\n", 12000000},
                 {"Retry-After: Tue, 14 Nov 2023 23:13:32 GMT\r\n", 60000000},
                 {"Retry-After: Tue, 14 Nov 2023 22:13:00 GMT\r\n", 0},
                 {"Retry-After: soon\r\n", 0},
                 {"Retry-After: -5\r\n", 0}};
    const rv_http_retry retry = {.idempotent = true};
    box b;
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p);
    open_box(&b);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        http_peer_say(p, (http_answer){.status = 429, .headers = cases[i].header});
        http_peer_say(p, (http_answer){0});
        CHECK_EQ(put(&b, http_peer_url(p, "/"), &retry), RV_OK);
        REQUIRE(b.n_waits == 1);
        if (cases[i].wait_us)
            CHECK_EQ(b.waits[0], cases[i].wait_us);
        else
            CHECK(b.waits[0] >= 100000 && b.waits[0] <= 200000);
    }
    close_box(&b);
    http_peer_stop(p);
}

RV_TEST(the_network_passes_when_it_may)
{
    const rv_http_retry twice = {.idempotent = true, .tries = 2}, once = {.tries = 2};
    box b;
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p);
    open_box(&b);
    http_peer_say(p, (http_answer){.body = "short", .cut_after = 2});
    http_peer_say(p, (http_answer){.body = "whole"});
    CHECK_EQ(put(&b, http_peer_url(p, "/"), &twice), RV_OK);
    CHECK(rv_str_eq(rv_buf_str(&b.r.body), RV_STR("whole")));
    /* what may have been done is not done again */
    http_peer_say(p, (http_answer){.body = "short", .cut_after = 2});
    CHECK_EQ(put(&b, http_peer_url(p, "/"), &once), RV_E_HTTP_NETWORK);
    CHECK_EQ(b.r.tries, 1);
    http_peer_say(p, (http_answer){.status = 500});
    CHECK_EQ(put(&b, http_peer_url(p, "/"), &once), RV_OK);
    CHECK(b.r.status == 500 && b.r.tries == 1);
    http_peer_say(p, (http_answer){.status = 503});
    http_peer_say(p, (http_answer){0});
    CHECK_EQ(put(&b, http_peer_url(p, "/"), &once), RV_OK);
    CHECK(b.r.status == 200 && b.r.tries == 2);
    CHECK_EQ(put(&b, "http://127.0.0.1:1/", &once), RV_E_HTTP_CONNECT);
    CHECK_EQ(b.r.tries, 2);
    close_box(&b);
    http_peer_stop(p);
}

static rv_status sign(void *ctx, unsigned attempt, rv_http_request *io, rv_error *err)
{
    box *b = ctx;
    b->prepared++;
    if (attempt == 4)
        return rv_fail(err, RV_E_DEST_PERMISSION, "no credentials any more");
    (void)snprintf(b->header, sizeof b->header, "signature %u", attempt);
    b->signature = (rv_http_header){"Authorization", b->header};
    io->headers = &b->signature;
    io->n_headers = 1;
    return RV_OK;
}

static rv_http_verdict judge(void *ctx, const rv_http_response *r)
{
    box *b = ctx;
    b->judged++;
    switch (r->status) {
    case 409:
        return RV_HTTP_AGAIN;
    case 401:
        return RV_HTTP_AGAIN_NOW;
    case 503:
        return RV_HTTP_ANSWER;
    default:
        return RV_HTTP_AS_LISTED;
    }
}

RV_TEST(each_try_is_signed_and_judged)
{
    char text[32];
    box b;
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p);
    open_box(&b);
    const rv_http_retry retry = {.idempotent = true, .prepare = sign, .judge = judge, .ctx = &b};
    http_peer_say(p, (http_answer){.status = 409});
    http_peer_say(p, (http_answer){.status = 401});
    http_peer_say(p, (http_answer){.status = 503});
    CHECK_EQ(put(&b, http_peer_url(p, "/"), &retry), RV_OK);
    CHECK(b.r.status == 503 && b.r.tries == 3 && b.prepared == 3 && b.judged == 3);
    CHECK_EQ(b.n_waits, 1); /* renewed credentials do not wait */
    for (size_t i = 0; i < 3; i++) {
        char want[32];
        const http_seen *s = http_peer_request(p, i);
        REQUIRE(s);
        (void)snprintf(want, sizeof want, "signature %zu", i + 1);
        CHECK(http_seen_header(s, "authorization", text, sizeof text));
        CHECK_STR(text, want);
    }
    const rv_http_retry once = {.tries = 1, .prepare = sign, .judge = judge, .ctx = &b};
    b.judged = 0;
    http_peer_say(p, (http_answer){.status = 401}); /* what is renewed is tried */
    http_peer_say(p, (http_answer){.status = 401}); /* but once */
    CHECK_EQ(put(&b, http_peer_url(p, "/"), &once), RV_OK);
    CHECK(b.r.status == 401 && b.r.tries == 2 && b.judged == 2);
    b.prepared = 3;
    http_peer_say(p, (http_answer){.status = 409, .repeat = HTTP_FOREVER});
    CHECK_EQ(put(&b, http_peer_url(p, "/"), &retry), RV_E_DEST_PERMISSION);
    close_box(&b);
    http_peer_stop(p);
}

static rv_status swallow(void *self, rv_bytes data, rv_error *err)
{
    (void)err;
    *(size_t *)self += data.len;
    return RV_OK;
}

RV_TEST(a_sink_is_never_fed_twice)
{
    size_t got = 0;
    const rv_http_retry retry = {.idempotent = true};
    box b;
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p);
    open_box(&b);
    const rv_http_request req = {
        .method = "GET", .url = http_peer_url(p, "/"), .sink = {.self = &got, .write = swallow}};
    http_peer_say(p, (http_answer){.status = 503, .body = "not counted"});
    http_peer_say(p, (http_answer){.body = "0123456789", .cut_after = 4});
    CHECK_EQ(rv_http_send_retry(b.http, &req, &retry, &b.r, &b.err), RV_E_HTTP_NETWORK);
    CHECK(got == 4 && b.r.sunk == 4 && b.r.tries == 2);
    close_box(&b);
    http_peer_stop(p);
}

static void *raise_soon(void *ctx)
{
    (void)usleep(100000);
    rv_cancel_raise(ctx, SIGINT);
    return NULL;
}

RV_TEST(an_interrupt_ends_the_loop)
{
    pthread_t thread;
    const rv_http_retry retry = {.idempotent = true};
    rv_env env = {0};
    rv_error err = {0};
    rv_http *http = NULL;
    rv_http_response r = RV_HTTP_RESPONSE_INIT;
    http_peer *p = http_peer_start(NULL);
    REQUIRE(p);
    CHECK_EQ(rv_cancel_open(&env.cancel, &err), RV_OK);
    REQUIRE(rv_http_open(&env, NULL, &http, &err) == RV_OK);
    rv_http_request req = {.method = "GET", .url = http_peer_url(p, "/")};
    http_peer_say(p, (http_answer){.status = 503, .headers = "Retry-After: 60\r\n"});
    REQUIRE(pthread_create(&thread, NULL, raise_soon, env.cancel) == 0);
    int64_t began = rv_clock_mono_us();
    CHECK_EQ(rv_http_send_retry(http, &req, &retry, &r, &err), RV_E_INTERRUPTED);
    CHECK(rv_clock_mono_us() - began < 1000000);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(r.tries, 1);
    rv_http_response_free(&r);
    rv_http_close(http);
    rv_cancel_close(env.cancel);
    http_peer_stop(p);
}

RV_TEST(dates)
{
    int64_t us = 0;
    CHECK(rv_http_date_parse(RV_STR("Sun, 06 Nov 1994 08:49:37 GMT"), &us));
    CHECK_EQ(us, INT64_C(784111777000000));
    CHECK(rv_http_date_parse(RV_STR("Sunday, 06-Nov-94 08:49:37 GMT"), &us));
    CHECK(rv_http_date_parse(RV_STR("Sun Nov  6 08:49:37 1994"), &us));
    CHECK(!rv_http_date_parse(RV_STR(""), &us));
    CHECK(!rv_http_date_parse(RV_STR("never"), &us));
    CHECK(!rv_http_date_parse(RV_STR("Sun, 06 Nov 1994 08:49:37 GMT and so much more text that it "
                                     "cannot be any date"),
                              &us));
}

RV_TEST_MAIN(RV_CASE(listed_statuses_pass), RV_CASE(waits_double_with_jitter),
             RV_CASE(retry_after_wins), RV_CASE(the_network_passes_when_it_may),
             RV_CASE(each_try_is_signed_and_judged), RV_CASE(a_sink_is_never_fed_twice),
             RV_CASE(an_interrupt_ends_the_loop), RV_CASE(dates))
