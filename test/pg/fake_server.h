/* pg/fake_server.h: a server of one connection that says what a script tells it to: the failures a
 * real one cannot be made to have. Wire format: PostgreSQL documentation, chapter 55. */
#ifndef FAKE_SERVER_H
#define FAKE_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "pg/pg.h"
#include "rvtest.h"

#define FAKE_ANSWERS 4

typedef struct fake {
    int fd;
    int port;
    pthread_t thread;
    rv_buf greeting;              /* after the startup message; empty: not a word */
    rv_buf answers[FAKE_ANSWERS]; /* one after each query */
    size_t n_answers;
    int64_t delay_us;  /* before each answer */
    bool hang;         /* stay connected after the last answer until the client leaves */
    atomic_int served; /* connections accepted */
} fake;

__attribute__((unused)) static void fake_put(rv_buf *b, char type, const void *body, size_t n)
{
    uint32_t len = htonl((uint32_t)n + 4);
    CHECK_EQ(rv_buf_add_byte(b, (uint8_t)type, NULL), RV_OK);
    CHECK_EQ(rv_buf_add(b, &len, 4, NULL), RV_OK);
    CHECK_EQ(rv_buf_add(b, body, n, NULL), RV_OK);
}

/* ErrorResponse; detail and hint may be NULL. */
__attribute__((unused)) static void fake_error(rv_buf *b, const char *severity, const char *state,
                                               const char *text, const char *detail,
                                               const char *hint)
{
    const struct {
        char type;
        const char *value;
    } fields[] = {{'S', severity}, {'V', severity}, {'C', state},
                  {'M', text},     {'D', detail},   {'H', hint}};
    rv_buf body = RV_BUF_INIT;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (!fields[i].value)
            continue;
        CHECK_EQ(rv_buf_add_byte(&body, (uint8_t)fields[i].type, NULL), RV_OK);
        CHECK_EQ(rv_buf_add(&body, fields[i].value, strlen(fields[i].value) + 1, NULL), RV_OK);
    }
    CHECK_EQ(rv_buf_add_byte(&body, 0, NULL), RV_OK);
    fake_put(b, 'E', body.ptr, body.len);
    rv_buf_free(&body);
}

__attribute__((unused)) static void fake_ready(rv_buf *b)
{
    fake_put(b, 'Z', "I", 1);
}

__attribute__((unused)) static void fake_welcome(rv_buf *b)
{
    fake_put(b, 'R', "\0\0\0\0", 4);
    fake_put(b, 'S',
             "server_version\0"
             "15.0",
             20);
    fake_put(b, 'K', "\0\0\0\7\0\0\0\11", 8);
    fake_ready(b);
}

static bool fake_read(int fd, void *out, size_t n)
{
    uint8_t *p = out;
    while (n) {
        ssize_t got = recv(fd, p, n, 0);
        if (got <= 0)
            return false;
        p += got;
        n -= (size_t)got;
    }
    return true;
}

/* One message of the client, thrown away; the first has no type byte. */
static bool fake_skip(int fd, bool typed)
{
    uint8_t head[5], rest[4096];
    uint32_t len;
    if (!fake_read(fd, typed ? head : head + 1, typed ? 5 : 4) || (typed && head[0] == 'X'))
        return false;
    memcpy(&len, head + 1, 4);
    len = ntohl(len) - 4;
    return len <= sizeof rest && fake_read(fd, rest, len);
}

static void fake_say(int fd, const rv_buf *b)
{
    for (size_t at = 0; at < b->len;) {
        ssize_t n = send(fd, b->ptr + at, b->len - at, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        at += (size_t)n;
    }
}

static void *fake_run(void *ctx)
{
    fake *f = ctx;
    int fd = accept(f->fd, NULL, NULL);
    if (fd < 0)
        return NULL;
    atomic_fetch_add(&f->served, 1);
    bool alive = fake_skip(fd, false);
    if (alive && f->greeting.len)
        fake_say(fd, &f->greeting);
    for (size_t i = 0; alive && i < f->n_answers; i++) {
        alive = fake_skip(fd, true);
        if (alive && f->delay_us)
            usleep((useconds_t)f->delay_us);
        if (alive)
            fake_say(fd, &f->answers[i]);
    }
    while (alive && f->hang)
        alive = fake_skip(fd, true);
    (void)close(fd);
    return NULL;
}

static bool fake_start(fake *f)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (f->fd < 0 || bind(f->fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(f->fd, 8) != 0 ||
        getsockname(f->fd, (struct sockaddr *)&at, &len) != 0)
        return false;
    f->port = ntohs(at.sin_port);
    return pthread_create(&f->thread, NULL, fake_run, f) == 0;
}

static void fake_stop(fake *f)
{
    (void)shutdown(f->fd, SHUT_RDWR);
    (void)pthread_join(f->thread, NULL);
    (void)close(f->fd);
    rv_buf_free(&f->greeting);
    for (size_t i = 0; i < f->n_answers; i++)
        rv_buf_free(&f->answers[i]);
}

/* Connects to it in plaintext. */
__attribute__((unused)) static rv_status fake_open(const rv_env *env, const fake *f, rv_pg **out,
                                                   rv_error *err)
{
    char port[16];
    (void)snprintf(port, sizeof port, "%d", f->port);
    const rv_pg_param params[] = {{"host", "127.0.0.1"},  {"port", port},
                                  {"user", "u"},          {"dbname", "d"},
                                  {"sslmode", "disable"}, {"gssencmode", "disable"}};
    const rv_pg_opts opts = {.params = params,
                             .n_params = sizeof params / sizeof params[0],
                             .what = "the source",
                             .connect_timeout_us = 1000000,
                             .connect_code = RV_E_SOURCE_CONNECT};
    return rv_pg_open(env, &opts, out, err);
}

#endif
