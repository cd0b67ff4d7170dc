#include "http_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "rvtest.h"

/* The heap is the C library's: a test that fails the nth allocation of Rivet leaves this be. */

#define CONNECTIONS 512
#define ANSWERS 512
#define SEEN 4096
#define HEAD_MAX 65536

typedef struct conn {
    http_peer *peer;
    pthread_t thread;
    unsigned index;
    int fd;
    SSL *ssl;
    char in[HEAD_MAX]; /* read ahead */
    size_t n_in;
} conn;

struct http_peer {
    http_peer_opts opts;
    int fd, port;
    pthread_t thread;
    pthread_mutex_t lock;
    bool stopping;
    conn *conns[CONNECTIONS];
    unsigned n_conns;
    http_answer answers[ANSWERS];
    size_t n_answers, next;
    http_seen *seen[SEEN];
    size_t n_seen;
    char *urls[SEEN];
    size_t n_urls;
    SSL_CTX *tls;
    char dir[64], ca[96], key[96];
};

/* ---- bytes ---- */

static ssize_t get(conn *c, void *into, size_t n)
{
    if (c->ssl)
        return SSL_read(c->ssl, into, (int)n);
    return recv(c->fd, into, n, 0);
}

static bool put(conn *c, const void *data, size_t n)
{
    const char *p = data;
    while (n) {
        ssize_t done = c->ssl ? SSL_write(c->ssl, p, (int)n) : send(c->fd, p, n, MSG_NOSIGNAL);
        if (done <= 0)
            return false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

__attribute__((format(printf, 2, 3))) static bool putf(conn *c, const char *fmt, ...)
{
    char text[4096];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return n >= 0 && (size_t)n < sizeof text && put(c, text, (size_t)n);
}

/* False when the peer stops or the client leaves. */
static bool sleep_us(conn *c, int64_t us)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t until = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 + us;
    for (;;) {
        pthread_mutex_lock(&c->peer->lock);
        bool stop = c->peer->stopping;
        pthread_mutex_unlock(&c->peer->lock);
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        int64_t left = until - ((int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
        if (stop || left <= 0)
            return !stop;
        struct pollfd gone = {.fd = c->fd, .events = POLLRDHUP};
        int ms = left > 20000 ? 20 : (int)(left / 1000);
        if (poll(&gone, 1, ms) > 0 && (gone.revents & (POLLRDHUP | POLLHUP | POLLERR)))
            return false;
        if (ms == 0)
            (void)usleep((useconds_t)left);
    }
}

/* ---- reading a request ---- */

static bool read_head(conn *c, size_t *out_len)
{
    for (;;) {
        const char *end = memmem(c->in, c->n_in, "\r\n\r\n", 4);
        if (end) {
            *out_len = (size_t)(end - c->in) + 4;
            return true;
        }
        if (c->n_in == sizeof c->in)
            return false;
        ssize_t n = get(c, c->in + c->n_in, sizeof c->in - c->n_in);
        if (n <= 0)
            return false;
        c->n_in += (size_t)n;
    }
}

bool http_seen_header(const http_seen *seen, const char *name, char *out, size_t size)
{
    size_t len = strlen(name);
    for (const char *line = seen->head; line && *line;) {
        const char *end = strstr(line, "\r\n");
        if (!end)
            break;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            const char *value = line + len + 1;
            while (*value == ' ')
                value++;
            (void)snprintf(out, size, "%.*s", (int)(end - value), value);
            return true;
        }
        line = end + 2;
    }
    return false;
}

static http_seen *parse_head(conn *c, size_t len)
{
    http_seen *s = calloc(1, sizeof *s);
    char *line_end = memmem(c->in, len, "\r\n", 2);
    char *space = memchr(c->in, ' ', len);
    char *space2 = space ? memchr(space + 1, ' ', len - (size_t)(space + 1 - c->in)) : NULL;
    if (!s || !line_end || !space || !space2)
        abort();
    s->method = strndup(c->in, (size_t)(space - c->in));
    s->target = strndup(space + 1, (size_t)(space2 - space - 1));
    s->head = strndup(line_end + 2, len - (size_t)(line_end + 2 - c->in) - 2);
    s->connection = c->index;
    memmove(c->in, c->in + len, c->n_in - len);
    c->n_in -= len;
    return s;
}

static bool read_body(conn *c, http_seen *s, size_t keep)
{
    char text[32];
    uint64_t left =
        http_seen_header(s, "Content-Length", text, sizeof text) ? strtoull(text, NULL, 10) : 0;
    s->body = calloc(1, keep + 1);
    while (left) {
        char piece[65536];
        size_t n = c->n_in < left ? c->n_in : (size_t)left;
        if (n) {
            memcpy(piece, c->in, n < sizeof piece ? n : (n = sizeof piece));
            memmove(c->in, c->in + n, c->n_in - n);
            c->n_in -= n;
        } else {
            ssize_t got = get(c, piece, left < sizeof piece ? (size_t)left : sizeof piece);
            if (got <= 0)
                return false;
            n = (size_t)got;
        }
        size_t room = keep - s->body_len;
        memcpy(s->body + s->body_len, piece, n < room ? n : room);
        s->body_len += n < room ? n : room;
        s->body_total += n;
        left -= n;
    }
    return true;
}

static void record(http_peer *p, http_seen *s)
{
    pthread_mutex_lock(&p->lock);
    if (p->n_seen == SEEN)
        abort();
    p->seen[p->n_seen++] = s;
    pthread_mutex_unlock(&p->lock);
}

/* The answer whose turn it is; an empty queue says 500 and fails the test. */
static http_answer take(http_peer *p)
{
    http_answer a = {.status = 500, .body = "nothing was said", .close = true};
    pthread_mutex_lock(&p->lock);
    bool stopping = p->stopping;
    bool have = p->next < p->n_answers;
    while (p->next + 1 < p->n_answers && p->answers[p->next].repeat == HTTP_FOREVER)
        p->next++;
    if (have) {
        http_answer *turn = &p->answers[p->next];
        a = *turn;
        if (turn->repeat == 0)
            p->next++;
        else if (turn->repeat != HTTP_FOREVER)
            turn->repeat--;
    }
    pthread_mutex_unlock(&p->lock);
    if (!have && !stopping)
        CHECK(false && "the peer has an answer for each request");
    return a;
}

/* ---- answering ---- */

static bool put_body(conn *c, const http_answer *a, const char *body, size_t len)
{
    size_t piece = a->chunked ? 7 : a->drip_us ? 1 : len;
    for (size_t at = 0; at < len; at += piece) {
        size_t n = len - at < piece ? len - at : piece;
        if (a->drip_us && !sleep_us(c, a->drip_us))
            return false;
        if (a->chunked && !putf(c, "%zx\r\n", n))
            return false;
        if (!put(c, body + at, n) || (a->chunked && !put(c, "\r\n", 2)))
            return false;
    }
    return true;
}

static bool answer(conn *c, const http_answer *a, bool is_head)
{
    int status = a->status ? a->status : 200;
    const char *body = a->body ? a->body : "";
    size_t len = a->body_len ? a->body_len : strlen(body);
    bool bare = is_head || status == 204 || status == 304;
    if (a->hang)
        return sleep_us(c, INT64_C(600000000));
    if (a->delay_us && !sleep_us(c, a->delay_us))
        return false;
    if (a->cut)
        return false;
    if (a->raw) {
        (void)put(c, a->raw, a->body_len ? a->body_len : strlen(a->raw));
        return false;
    }
    if (a->informational && !putf(c, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n"
                                     "Link: </x>; rel=preload\r\n\r\n"))
        return false;
    if (!putf(c, "HTTP/1.1 %d Said\r\n%s", status, a->close ? "Connection: close\r\n" : "") ||
        (a->headers && !put(c, a->headers, strlen(a->headers))))
        return false;
    if (a->chunked && !putf(c, "Transfer-Encoding: chunked\r\n\r\n"))
        return false;
    if (!a->chunked && !(status == 204 || status == 304) &&
        !putf(c, "Content-Length: %zu\r\n", len))
        return false;
    if (!a->chunked && !put(c, "\r\n", 2))
        return false;
    if (bare)
        return !a->close;
    if (a->cut_after && a->cut_after < len) {
        (void)put_body(c, a, body, a->cut_after);
        return false;
    }
    return put_body(c, a, body, len) && (!a->chunked || put(c, "0\r\n\r\n", 5)) && !a->close &&
           !a->unread_body;
}

static bool converse(conn *c)
{
    size_t head_len;
    if (!read_head(c, &head_len))
        return false;
    http_seen *s = parse_head(c, head_len);
    size_t keep = c->peer->opts.keep_body ? c->peer->opts.keep_body : (size_t)1 << 20;
    http_answer a = take(c->peer);
    bool whole = a.unread_body || read_body(c, s, keep);
    bool is_head = strcmp(s->method, "HEAD") == 0;
    if (a.look)
        a.look(a.ctx, s, &a);
    record(c->peer, s);
    return whole && answer(c, &a, is_head);
}

static void *serve(void *ctx)
{
    conn *c = ctx;
    bool ready = true;
    if (c->peer->tls) {
        c->ssl = SSL_new(c->peer->tls);
        ready = c->ssl && SSL_set_fd(c->ssl, c->fd) == 1 && SSL_accept(c->ssl) == 1;
    }
    while (ready && converse(c))
        continue;
    if (c->ssl && ready)
        (void)SSL_shutdown(c->ssl);
    (void)shutdown(c->fd, SHUT_WR);
    /* a close with unread bytes would reset the connection and take the answer with it */
    char rest[4096];
    while (ready && !c->ssl && recv(c->fd, rest, sizeof rest, 0) > 0)
        continue;
    (void)shutdown(c->fd, SHUT_RDWR);
    return NULL;
}

static void *accept_all(void *ctx)
{
    http_peer *p = ctx;
    for (;;) {
        int fd = accept(p->fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        int on = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        pthread_mutex_lock(&p->lock);
        if (p->stopping || p->opts.refuse || p->n_conns == CONNECTIONS) {
            (void)close(fd);
        } else {
            conn *c = calloc(1, sizeof *c);
            *c = (conn){.peer = p, .fd = fd, .index = p->n_conns};
            p->conns[p->n_conns++] = c;
            if (pthread_create(&c->thread, NULL, serve, c) != 0)
                abort();
        }
        pthread_mutex_unlock(&p->lock);
    }
}

/* ---- start and stop ---- */

static bool make_certificate(http_peer *p)
{
    char command[700];
    (void)snprintf(p->dir, sizeof p->dir, "/tmp/rivet-peer-XXXXXX");
    if (!mkdtemp(p->dir))
        return false;
    (void)snprintf(p->ca, sizeof p->ca, "%s/ca.pem", p->dir);
    (void)snprintf(p->key, sizeof p->key, "%s/key.pem", p->dir);
    const char *names = p->opts.wrong_name ? "DNS:elsewhere.example" : "DNS:localhost,IP:127.0.0.1";
    (void)snprintf(command, sizeof command,
                   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                   "-keyout %s -out %s -subj /CN=peer -addext subjectAltName=%s >/dev/null 2>&1",
                   p->key, p->ca, names);
    if (system(command) != 0) /* NOLINT(cert-env33-c): a fixed command of the test */
        return false;
    p->tls = SSL_CTX_new(TLS_server_method());
    return p->tls && SSL_CTX_use_certificate_file(p->tls, p->ca, SSL_FILETYPE_PEM) == 1 &&
           SSL_CTX_use_PrivateKey_file(p->tls, p->key, SSL_FILETYPE_PEM) == 1;
}

http_peer *http_peer_start(const http_peer_opts *opts)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    http_peer *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    if (opts)
        p->opts = *opts;
    (void)signal(SIGPIPE, SIG_IGN); /* as the program does; OpenSSL writes without a flag */
    pthread_mutex_init(&p->lock, NULL);
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = p->fd >= 0 && bind(p->fd, (struct sockaddr *)&at, sizeof at) == 0 &&
              listen(p->fd, 64) == 0 && getsockname(p->fd, (struct sockaddr *)&at, &len) == 0 &&
              (!p->opts.tls || make_certificate(p));
    p->port = ntohs(at.sin_port);
    if (ok && pthread_create(&p->thread, NULL, accept_all, p) == 0)
        return p;
    CHECK(false && "the HTTP peer starts");
    (void)close(p->fd);
    free(p);
    return NULL;
}

static void free_conn(conn *c)
{
    (void)pthread_join(c->thread, NULL);
    SSL_free(c->ssl);
    (void)close(c->fd);
    free(c);
}

static void free_seen(http_seen *s)
{
    free(s->method);
    free(s->target);
    free(s->head);
    free(s->body);
    free(s);
}

void http_peer_stop(http_peer *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    for (unsigned i = 0; i < p->n_conns; i++)
        (void)shutdown(p->conns[i]->fd, SHUT_RDWR);
    pthread_mutex_unlock(&p->lock);
    (void)shutdown(p->fd, SHUT_RDWR);
    (void)pthread_join(p->thread, NULL);
    (void)close(p->fd);
    for (unsigned i = 0; i < p->n_conns; i++)
        free_conn(p->conns[i]);
    for (size_t i = 0; i < p->n_seen; i++)
        free_seen(p->seen[i]);
    for (size_t i = 0; i < p->n_urls; i++)
        free(p->urls[i]);
    SSL_CTX_free(p->tls);
    if (p->dir[0]) {
        (void)unlink(p->ca);
        (void)unlink(p->key);
        (void)rmdir(p->dir);
    }
    pthread_mutex_destroy(&p->lock);
    free(p);
}

void http_peer_say(http_peer *p, http_answer a)
{
    pthread_mutex_lock(&p->lock);
    if (p->n_answers == ANSWERS)
        abort();
    p->answers[p->n_answers++] = a;
    pthread_mutex_unlock(&p->lock);
}

int http_peer_port(const http_peer *p)
{
    return p->port;
}

const char *http_peer_url(http_peer *p, const char *path)
{
    size_t size = strlen(path) + 64;
    char *url = malloc(size);
    if (!url)
        abort();
    (void)snprintf(url, size, "%s:%d%s", p->tls ? "https://localhost" : "http://127.0.0.1", p->port,
                   path);
    pthread_mutex_lock(&p->lock);
    if (p->n_urls == SEEN)
        abort();
    p->urls[p->n_urls++] = url;
    pthread_mutex_unlock(&p->lock);
    return url;
}

const char *http_peer_ca(const http_peer *p)
{
    return p->ca;
}

size_t http_peer_count(http_peer *p)
{
    pthread_mutex_lock(&p->lock);
    size_t n = p->n_seen;
    pthread_mutex_unlock(&p->lock);
    return n;
}

const http_seen *http_peer_request(http_peer *p, size_t i)
{
    pthread_mutex_lock(&p->lock);
    const http_seen *s = i < p->n_seen ? p->seen[i] : NULL;
    pthread_mutex_unlock(&p->lock);
    return s;
}

unsigned http_peer_connections(http_peer *p)
{
    pthread_mutex_lock(&p->lock);
    unsigned n = p->n_conns;
    pthread_mutex_unlock(&p->lock);
    return n;
}

bool http_peer_await(http_peer *p, size_t n)
{
    for (int i = 0; i < 500; i++) {
        if (http_peer_count(p) >= n)
            return true;
        (void)usleep(10000);
    }
    return false;
}
