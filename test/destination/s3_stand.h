/* What the tests of the S3 store share: an environment of their own, a scripted peer as the store,
 * a log that can be read, waits that are only written down. */
#ifndef S3_STAND_H
#define S3_STAND_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "destination/cloud/store.h"
#include "http_peer.h"
#include "rvtest.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define MD5_HELLO "5d41402abc4b2a76b9719d911017c592"
#define ETAG_HELLO "ETag: \"" MD5_HELLO "\"\r\n"
#define OWNER "0123456789abcdef0123456789abcdef"
#define STAND_VARS 24

typedef struct stand {
    rv_env env;
    int log_fd;
    http_peer *peer;
    rv_http *http;
    rv_store *store;
    rv_cfg_dest cfg;
    rv_error err;
    rv_store_outcome outcome;
    struct {
        const char *name, *value;
    } vars[STAND_VARS];
    size_t n_vars;
    int64_t waits[16];
    size_t n_waits;
    int64_t now_us; /* 0: the real one */
} stand;

static inline const char *stand_getenv(void *ctx, const char *name)
{
    const stand *t = ctx;
    for (size_t i = t->n_vars; i-- > 0;)
        if (strcmp(t->vars[i].name, name) == 0)
            return t->vars[i].value;
    return NULL;
}

static inline void stand_set(stand *t, const char *name, const char *value)
{
    if (t->n_vars < STAND_VARS)
        t->vars[t->n_vars++].name = name;
    t->vars[t->n_vars - 1].value = value;
}

static inline int64_t stand_now(void *ctx)
{
    const stand *t = ctx;
    return t->now_us ? t->now_us : rv_clock_now_us();
}

static inline bool stand_wait(void *ctx, int64_t us)
{
    stand *t = ctx;
    if (t->n_waits < 16)
        t->waits[t->n_waits++] = us;
    return true;
}

/* Keys KEY/SECRET in ID and KEY, region eu-west-1, bucket "bucket", no metadata service. */
static inline void stand_init(stand *t)
{
    *t = (stand){.env = {.getenv = stand_getenv, .now_us = stand_now}};
    t->env.getenv_ctx = t->env.now_ctx = t;
    t->log_fd = memfd_create("log", MFD_CLOEXEC);
    CHECK_EQ(rv_secrets_open(&t->env.secrets, &t->err), RV_OK);
    const rv_log_opts opts = {.filter = "debug", .fd = t->log_fd, .secrets = t->env.secrets};
    CHECK_EQ(rv_log_open(&opts, &t->env.log, &t->err), RV_OK);
    CHECK_EQ(rv_cancel_open(&t->env.cancel, &t->err), RV_OK);
    stand_set(t, "ID", "AKIAIOSFODNN7EXAMPLE");
    stand_set(t, "KEY", SECRET);
    stand_set(t, "AWS_EC2_METADATA_DISABLED", "true");
    t->cfg = (rv_cfg_dest){.kind = RV_DEST_S3,
                           .bucket = "bucket",
                           .region = "eu-west-1",
                           .access_key_env = "ID",
                           .secret_key_env = "KEY"};
}

static inline rv_status stand_open_store(stand *t)
{
    return rv_store_s3.open(&t->env, &t->cfg, &t->store, &t->err);
}

static inline bool stand_open(stand *t)
{
    const rv_http_opts opts = {.wait = stand_wait, .wait_ctx = t};
    t->peer = http_peer_start(NULL);
    if (!t->peer)
        return false;
    t->cfg.endpoint = http_peer_url(t->peer, "");
    CHECK_EQ(rv_http_open(&t->env, &opts, &t->http, &t->err), RV_OK);
    rv_status st = stand_open_store(t);
    CHECK_EQ(st, RV_OK);
    if (st != RV_OK)
        CHECK_STR(t->err.text, "");
    return st == RV_OK;
}

/* Nothing that was said holds the secret key or `other`. */
static inline void stand_is_discreet(stand *t, const char *other)
{
    static char log[65536];
    ssize_t n = pread(t->log_fd, log, sizeof log - 1, 0);
    log[n > 0 ? n : 0] = '\0';
    CHECK(!strstr(log, SECRET) && !strstr(t->err.text, SECRET) && !strstr(t->err.hint, SECRET));
    if (other)
        CHECK(!strstr(log, other) && !strstr(t->err.text, other) && !strstr(t->err.hint, other));
}

static inline bool stand_logged(stand *t, const char *text)
{
    static char log[65536];
    ssize_t n = pread(t->log_fd, log, sizeof log - 1, 0);
    log[n > 0 ? n : 0] = '\0';
    return strstr(log, text) != NULL;
}

static inline void stand_close(stand *t)
{
    stand_is_discreet(t, NULL);
    rv_store_s3.close(t->store);
    rv_http_close(t->http);
    http_peer_stop(t->peer);
    rv_log_close(t->env.log);
    rv_cancel_close(t->env.cancel);
    rv_secrets_close(t->env.secrets);
    (void)close(t->log_fd);
}

static inline void stand_say(stand *t, int status, const char *headers, const char *body)
{
    http_peer_say(t->peer, (http_answer){.status = status, .headers = headers, .body = body});
}

static inline rv_store_write stand_hello(rv_store_condition condition)
{
    return (rv_store_write){.name = "dir/part 1.csv",
                            .fd = -1,
                            .bytes = {(const uint8_t *)"hello", 5},
                            .size_bytes = 5,
                            .md5 = MD5_HELLO,
                            .owner_token = OWNER,
                            .mime = "text/csv",
                            .condition = condition,
                            .version = condition == RV_STORE_IF_VERSION ? "\"v1\"" : NULL};
}

static inline rv_status stand_put(stand *t, rv_store_condition condition)
{
    rv_store_write w = stand_hello(condition);
    t->outcome = RV_STORE_MISSING;
    t->n_waits = 0;
    return rv_store_s3.put(t->store, t->http, &w, &t->outcome, &t->err);
}

static inline const char *stand_header(stand *t, size_t i, const char *name)
{
    static char text[2048];
    const http_seen *s = http_peer_request(t->peer, i);
    return s && http_seen_header(s, name, text, sizeof text) ? text : "";
}

static inline const char *stand_target(stand *t, size_t i)
{
    const http_seen *s = http_peer_request(t->peer, i);
    return s ? s->target : "";
}

#endif
