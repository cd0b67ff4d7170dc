/* A store, a client that does not wait, and a scripted peer that is its server: what the tests of
 * the stores begin with. */
#ifndef RV_TEST_STORE_BOX_H
#define RV_TEST_STORE_BOX_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/hash.h"
#include "destination/cloud/store.h"
#include "http_peer.h"
#include "rvtest.h"

#define BOX_NOW_US (INT64_C(1700000000) * 1000000) /* Tue, 14 Nov 2023 22:13:20 GMT */
#define BOX_OWNER "0123456789abcdef0123456789abcdef"

typedef struct store_box {
    const rv_store_ops *ops;
    rv_env env;
    rv_http *h;
    http_peer *p;
    rv_store *s;
    rv_error err;
    int64_t now_us;
    int64_t waits[32];
    size_t n_waits;
    const char *vars[12][2]; /* the environment */
    size_t n_vars;
    int log_fd;
} store_box;

static inline int64_t box_now(void *ctx)
{
    return ((store_box *)ctx)->now_us;
}

static inline const char *box_getenv(void *ctx, const char *name)
{
    const store_box *b = ctx;
    for (size_t i = 0; i < b->n_vars; i++)
        if (strcmp(b->vars[i][0], name) == 0)
            return b->vars[i][1];
    return NULL;
}

static inline bool box_wait(void *ctx, int64_t us)
{
    store_box *b = ctx;
    if (b->n_waits < 32)
        b->waits[b->n_waits++] = us;
    return true;
}

static inline void box_set(store_box *b, const char *name, const char *value)
{
    b->vars[b->n_vars][0] = name;
    b->vars[b->n_vars++][1] = value;
}

static inline bool box_begin(store_box *b, const rv_store_ops *ops)
{
    *b = (store_box){.ops = ops, .now_us = BOX_NOW_US};
    b->env = (rv_env){.now_us = box_now, .now_ctx = b, .getenv = box_getenv, .getenv_ctx = b};
    b->log_fd = memfd_create("log", MFD_CLOEXEC);
    const rv_http_opts opts = {.wait = box_wait, .wait_ctx = b};
    const rv_log_opts log = {.filter = "debug", .fd = b->log_fd};
    b->p = http_peer_start(NULL);
    return b->p && rv_cancel_open(&b->env.cancel, &b->err) == RV_OK &&
           rv_secrets_open(&b->env.secrets, &b->err) == RV_OK &&
           rv_log_open(&log, &b->env.log, &b->err) == RV_OK &&
           rv_http_open(&b->env, &opts, &b->h, &b->err) == RV_OK;
}

/* Opens the store over cfg; its endpoint is the peer unless it has one. */
static inline rv_status box_open(store_box *b, rv_cfg_dest cfg, const char *path)
{
    cfg.kind = b->ops->kind;
    if (!cfg.bucket)
        cfg.bucket = "data";
    if (!cfg.endpoint)
        cfg.endpoint = http_peer_url(b->p, path);
    b->ops->close(b->s);
    b->s = NULL;
    return b->ops->open(&b->env, &cfg, &b->s, &b->err);
}

static inline void box_end(store_box *b)
{
    b->ops->close(b->s);
    rv_http_close(b->h);
    rv_log_close(b->env.log);
    rv_secrets_close(b->env.secrets);
    rv_cancel_close(b->env.cancel);
    http_peer_stop(b->p);
    (void)close(b->log_fd);
}

/* Whether the log holds this text. */
static inline bool box_logged(const store_box *b, const char *text)
{
    static char all[65536];
    ssize_t n = pread(b->log_fd, all, sizeof all - 1, 0);
    all[n > 0 ? n : 0] = '\0';
    return strstr(all, text) != NULL;
}

/* Neither the log nor the last error shows it. */
static inline bool box_hides(const store_box *b, const char *secret)
{
    return !box_logged(b, secret) && !strstr(b->err.text, secret) && !strstr(b->err.hint, secret);
}

/* The value of a header of request i, "" when absent; lives until the next call but seven. */
static inline const char *box_header(const store_box *b, size_t i, const char *name)
{
    static char values[8][2048];
    static unsigned at;
    char *out = values[at++ % 8];
    const http_seen *seen = http_peer_request(b->p, i);
    if (!seen || !http_seen_header(seen, name, out, sizeof values[0]))
        out[0] = '\0';
    return out;
}

static inline const char *box_target(const store_box *b, size_t i)
{
    const http_seen *seen = http_peer_request(b->p, i);
    return seen ? seen->target : "";
}

static inline const char *box_body(const store_box *b, size_t i)
{
    const http_seen *seen = http_peer_request(b->p, i);
    return seen && seen->body ? (const char *)seen->body : "";
}

static inline rv_store_write box_write(const char *name, rv_store_condition condition)
{
    return (rv_store_write){.name = name,
                            .fd = -1,
                            .bytes = {(const uint8_t *)"hello", 5},
                            .size_bytes = 5,
                            .md5 = "5d41402abc4b2a76b9719d911017c592",
                            .owner_token = BOX_OWNER,
                            .mime = "text/plain",
                            .condition = condition};
}

#define BOX_MD5_64 "XUFAKrxLKna5cZ2REBfFkg==" /* of "hello" */

static inline rv_status box_put(store_box *b, rv_store_condition condition, rv_store_outcome *out)
{
    rv_store_write w = box_write("day 1/part", condition);
    w.version = "7";
    *out = RV_STORE_UNCONDITIONAL;
    return b->ops->put(b->s, b->h, &w, out, &b->err);
}

static inline rv_status box_gather(void *self, rv_bytes data, rv_error *err)
{
    return rv_buf_add(self, data.ptr, data.len, err);
}

#ifdef RV_FAULTS
static rv_cancel *box_stuck;

static void box_alarm(int signo)
{
    rv_cancel_raise(box_stuck, signo);
}

/* Fails each allocation of `run` in turn. libcurl takes some of its own for "no data yet" and
 * waits, or for a broken connection: that is a failure too, and nothing else is. */
static inline void box_sweep(const rv_store_ops *ops, const char *name, const char *value,
                             rv_status (*run)(store_box *b))
{
    const struct sigaction alarmed = {.sa_handler = box_alarm, .sa_flags = SA_RESTART};
    const struct itimerval soon = {.it_value = {.tv_usec = 300000}}, never = {.it_value = {0}};
    CHECK_EQ(sigaction(SIGALRM, &alarmed, NULL), 0);
    for (long n = 1; n < 5000; n++) {
        store_box b;
        REQUIRE(box_begin(&b, ops));
        box_set(&b, name, value);
        box_stuck = b.env.cancel;
        (void)setitimer(ITIMER_REAL, &soon, NULL);
        rv_fault_set_alloc(n, false);
        rv_status st = run(&b);
        long seen = rv_fault_seen_alloc();
        rv_fault_set_alloc(0, false);
        (void)setitimer(ITIMER_REAL, &never, NULL);
        bool fine = st == RV_OK || st == RV_E_MEMORY || st == RV_E_INTERRUPTED ||
                    st == RV_E_DEST_UNREACHABLE;
        if (!rvtest_check(fine, __FILE__, __LINE__, b.err.text))
            printf("allocation %ld: status %d\n", n, (int)st);
        box_end(&b);
        if (seen < n) {
            (void)rvtest_eq_i64(st, RV_OK, __FILE__, __LINE__, b.err.text);
            CHECK(n > 50);
            return;
        }
    }
    CHECK(false && "the sweep ends");
}
#endif

#endif
