#include "mysql_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "rvtest.h"

/* The heap is the C library's: a test that fails the nth allocation of Rivet leaves this be. */

#define RULES 64
#define CONNECTIONS 512
#define HEARD 8192
#define PACKET_MAX (1 << 20)
#define CAPABILITIES 0x009FF7DFu /* 4.1, secure connection, plugin auth, attributes; no TLS */
#define CAP_TLS 0x800u
#define FIRST_ID 1000u

typedef struct heard {
    uint8_t *bytes;
    size_t len;
    bool login;
} heard;

typedef struct conn {
    mysql_peer *peer;
    pthread_t thread;
    unsigned id;
    int fd;
    uint8_t seq;
    bool killed;
} conn;

struct mysql_peer {
    mysql_peer_opts opts;
    int fd;
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t lock;
    bool stopping;
    conn *conns[CONNECTIONS];
    unsigned n_conns;
    mysql_rule rules[RULES];
    unsigned used[RULES];
    size_t n_rules;
    heard heard[HEARD];
    size_t n_heard;
};

/* ---- bytes ---- */

static bool put(const conn *c, const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n > 0) {
        ssize_t sent = send(c->fd, at, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += sent;
        n -= (size_t)sent;
    }
    return true;
}

static bool get(const conn *c, void *bytes, size_t n)
{
    char *at = bytes;
    while (n > 0) {
        ssize_t got = recv(c->fd, at, n, 0);
        if (got <= 0)
            return false;
        at += got;
        n -= (size_t)got;
    }
    return true;
}

static bool put_packet(conn *c, const void *payload, size_t n)
{
    const uint8_t head[] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), c->seq++};
    return put(c, head, sizeof head) && put(c, payload, n);
}

/* malloc'ed, with a NUL behind it; NULL: the client has left. */
static uint8_t *get_packet(conn *c, size_t *out_n)
{
    uint8_t head[4];
    if (!get(c, head, sizeof head))
        return NULL;
    size_t n = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16;
    uint8_t *payload = n < PACKET_MAX ? malloc(n + 1) : NULL;
    if (!payload || !get(c, payload, n)) {
        free(payload);
        return NULL;
    }
    payload[n] = 0;
    c->seq = (uint8_t)(head[3] + 1);
    *out_n = n;
    return payload;
}

static bool put_ok(conn *c)
{
    return put_packet(c, "\0\0\0\2\0\0\0", 7);
}

static bool put_error(conn *c, unsigned code, const char *text)
{
    char payload[512];
    int n = snprintf(payload + 3, sizeof payload - 3, "#HY000%s", text ? text : "scripted");
    payload[0] = (char)0xff;
    payload[1] = (char)(code & 0xff);
    payload[2] = (char)(code >> 8);
    return put_packet(c, payload, (size_t)n + 3);
}

static bool put_eof(conn *c)
{
    return put_packet(c, "\xfe\0\0\2\0", 5);
}

static bool put_column(conn *c)
{
    static const char column[] = "\3def\0\0\0\1c\1c\x0c\x2d\0\0\4\0\0\xfd\0\0\0\0";
    return put_packet(c, column, sizeof column);
}

static bool put_row(conn *c, const char *const *cells, size_t n, unsigned nulls)
{
    uint8_t row[8192];
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        size_t cell = strlen(cells[i]);
        if (cell > 250 || len + cell + 2 > sizeof row)
            return false;
        row[len++] = (uint8_t)cell;
        memcpy(row + len, cells[i], cell);
        len += cell;
    }
    for (unsigned i = 0; i < nulls; i++)
        row[len++] = 0xfb;
    return put_packet(c, row, len);
}

static bool put_answer(conn *c, const char *const *cells, size_t n, const mysql_rule *r)
{
    uint8_t count = (uint8_t)(n + r->nulls);
    bool ok = put_packet(c, &count, 1);
    for (size_t i = 0; i < count && ok; i++)
        ok = put_column(c);
    ok = ok && put_eof(c);
    if (!r->empty)
        ok = ok && put_row(c, cells, n, r->nulls);
    return ok && put_eof(c);
}

/* ---- what is heard ---- */

static void remember(mysql_peer *p, const uint8_t *bytes, size_t n, bool login)
{
    pthread_mutex_lock(&p->lock);
    uint8_t *copy = p->n_heard < HEARD ? malloc(n + 1) : NULL;
    if (copy) {
        memcpy(copy, bytes, n);
        copy[n] = 0;
        p->heard[p->n_heard++] = (heard){copy, n, login};
    }
    pthread_mutex_unlock(&p->lock);
}

static const mysql_rule *choose(mysql_peer *p, const char *sql, unsigned *out_use)
{
    const mysql_rule *found = NULL;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->n_rules && !found; i++) {
        const mysql_rule *r = &p->rules[i];
        if (!strstr(sql, r->contains))
            continue;
        unsigned use = p->used[i]++;
        if (use >= r->after && (r->most == 0 || use < r->after + r->most)) {
            found = r;
            *out_use = use;
        }
    }
    pthread_mutex_unlock(&p->lock);
    return found;
}

static void kill_query(mysql_peer *p, const char *sql)
{
    unsigned id = (unsigned)strtoul(sql + strlen("KILL QUERY "), NULL, 10);
    pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < p->n_conns; i++)
        if (p->conns[i]->id == id)
            p->conns[i]->killed = true;
    pthread_mutex_unlock(&p->lock);
}

/* ---- one connection ---- */

/* False: killed meanwhile, or the end of all. */
static bool linger(conn *c, int64_t us)
{
    struct timespec tick = {0, 1000000};
    bool go_on = true;
    for (int64_t i = 0; i < us / 1000 && go_on; i++) {
        nanosleep(&tick, NULL);
        pthread_mutex_lock(&c->peer->lock);
        go_on = !c->killed && !c->peer->stopping;
        c->killed = false;
        pthread_mutex_unlock(&c->peer->lock);
    }
    return go_on;
}

static void hang(conn *c)
{
    char byte;
    while (recv(c->fd, &byte, 1, 0) > 0)
        ;
}

static bool answer_rule(conn *c, const mysql_rule *r, unsigned use)
{
    size_t n = 0;
    char number[24];
    const char *id_cell[] = {number};
    if (r->delay_us && !linger(c, r->delay_us))
        return put_error(c, 1317, "Query execution was interrupted");
    if (r->hang)
        hang(c);
    if (r->hang || r->close)
        return false;
    if (r->error)
        return put_error(c, r->error, r->text);
    if (r->unframed)
        return put(c, r->unframed, r->unframed_len);
    if (r->raw)
        return put_packet(c, r->raw, r->raw_len);
    if (r->own_id) {
        snprintf(number, sizeof number, "%u", c->id + r->shift * use);
        return put_answer(c, id_cell, 1, r);
    }
    while (n < MYSQL_CELLS && r->cells[n])
        n++;
    return n + r->nulls ? put_answer(c, r->cells, n, r) : put_ok(c);
}

static bool serve_command(conn *c)
{
    size_t n = 0;
    unsigned use = 0;
    uint8_t *packet = get_packet(c, &n);
    bool go_on = packet != NULL && n > 0 && packet[0] != 1; /* COM_QUIT */
    if (go_on) {
        const char *sql = (const char *)packet + 1;
        remember(c->peer, packet + 1, n - 1, false);
        if (strncmp(sql, "KILL QUERY ", 11) == 0)
            kill_query(c->peer, sql);
        const mysql_rule *r = choose(c->peer, sql, &use);
        go_on = r ? answer_rule(c, r, use) : put_ok(c);
    }
    free(packet);
    return go_on;
}

static bool greet(conn *c)
{
    const mysql_peer_opts *o = &c->peer->opts;
    const char *version = o->version ? o->version : "8.0.99";
    uint32_t caps = CAPABILITIES | (o->offers_tls ? CAP_TLS : 0);
    uint8_t b[512] = {10};
    size_t n = 1;
    if (o->refuse)
        return put_error(c, o->refuse, "no") && false;
    if (o->greeting)
        return put_packet(c, o->greeting, o->greeting_len);
    memcpy(b + n, version, strlen(version) + 1);
    n += strlen(version) + 1;
    for (int i = 0; i < 4; i++)
        b[n++] = (uint8_t)(c->id >> (8 * i));
    memcpy(b + n, "abcdefgh\0", 9);
    n += 9;
    b[n++] = (uint8_t)caps;
    b[n++] = (uint8_t)(caps >> 8);
    b[n++] = 45;
    b[n++] = 2;
    b[n++] = 0;
    b[n++] = (uint8_t)(caps >> 16);
    b[n++] = (uint8_t)(caps >> 24);
    b[n++] = 21;
    n += 10;
    memcpy(b + n, "ijklmnopqrst\0caching_sha2_password", 34);
    return put_packet(c, b, n + 34 + 1);
}

/* The client's next packet of the login, remembered. */
static bool hear_login(conn *c)
{
    size_t n = 0;
    uint8_t *packet = get_packet(c, &n);
    if (packet)
        remember(c->peer, packet, n, true);
    free(packet);
    return packet != NULL;
}

static bool log_in(conn *c)
{
    const mysql_peer_opts *o = &c->peer->opts;
    uint8_t b[128] = {0xfe};
    if (!greet(c) || !hear_login(c) || o->leaves == 1)
        return false;
    if (!o->switch_to)
        return put_ok(c);
    size_t n = (size_t)snprintf((char *)b + 1, sizeof b - 22, "%s", o->switch_to) + 2;
    memcpy(b + n, "01234567890123456789", 21);
    if (!put_packet(c, b, n + 21) || !hear_login(c) || o->leaves == 2)
        return false;
    for (unsigned i = 0; i < 3 && o->more[i]; i++)
        if (!put_packet(c, o->more[i], o->more_len[i]) || !hear_login(c) || o->leaves == i + 3)
            return false;
    return put_ok(c);
}

static void *serve(void *ctx)
{
    conn *c = ctx;
    if (c->peer->opts.silent)
        hang(c);
    else if (log_in(c))
        while (serve_command(c))
            ;
    (void)shutdown(c->fd, SHUT_RDWR);
    return NULL;
}

static void take(mysql_peer *p, int fd)
{
    conn *c = calloc(1, sizeof *c);
    pthread_mutex_lock(&p->lock);
    bool room = c && p->n_conns < CONNECTIONS && !p->stopping;
    if (room) {
        *c = (conn){.peer = p, .fd = fd, .id = FIRST_ID + p->n_conns};
        room = pthread_create(&c->thread, NULL, serve, c) == 0;
    }
    if (room)
        p->conns[p->n_conns++] = c;
    pthread_mutex_unlock(&p->lock);
    if (!room) {
        free(c);
        close(fd);
    }
}

static void *listen_on(void *ctx)
{
    mysql_peer *p = ctx;
    for (int fd; (fd = accept(p->fd, NULL, NULL)) >= 0 || errno == EINTR;)
        if (fd >= 0)
            take(p, fd);
    return NULL;
}

/* ---- start, stop, questions ---- */

mysql_peer *mysql_peer_start(const mysql_peer_opts *opts)
{
    static const mysql_peer_opts plain = {0};
    mysql_peer *p = calloc(1, sizeof *p);
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    if (!p)
        return NULL;
    p->opts = opts ? *opts : plain;
    at.sin_addr.s_addr = htonl(p->opts.any_address ? INADDR_ANY : INADDR_LOOPBACK);
    (void)pthread_mutex_init(&p->lock, NULL);
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = p->fd >= 0 && bind(p->fd, (struct sockaddr *)&at, sizeof at) == 0 &&
              listen(p->fd, 64) == 0 && getsockname(p->fd, (struct sockaddr *)&at, &len) == 0 &&
              pthread_create(&p->thread, NULL, listen_on, p) == 0;
    CHECK(ok);
    p->port = ntohs(at.sin_port);
    if (ok)
        return p;
    free(p);
    return NULL;
}

void mysql_peer_stop(mysql_peer *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    for (unsigned i = 0; i < p->n_conns; i++)
        (void)shutdown(p->conns[i]->fd, SHUT_RDWR);
    pthread_mutex_unlock(&p->lock);
    (void)shutdown(p->fd, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    for (unsigned i = 0; i < p->n_conns; i++) {
        pthread_join(p->conns[i]->thread, NULL);
        close(p->conns[i]->fd);
        free(p->conns[i]);
    }
    for (size_t i = 0; i < p->n_heard; i++)
        free(p->heard[i].bytes);
    close(p->fd);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

void mysql_peer_rule(mysql_peer *p, mysql_rule rule)
{
    pthread_mutex_lock(&p->lock);
    if (p->n_rules < RULES)
        p->rules[p->n_rules++] = rule;
    pthread_mutex_unlock(&p->lock);
}

uint16_t mysql_peer_port(const mysql_peer *p)
{
    return p->port;
}

unsigned mysql_peer_connections(mysql_peer *p)
{
    pthread_mutex_lock(&p->lock);
    unsigned n = p->n_conns;
    pthread_mutex_unlock(&p->lock);
    return n;
}

static bool holds(const heard *h, const char *text)
{
    return memmem(h->bytes, h->len, text, strlen(text)) != NULL;
}

unsigned mysql_peer_heard(mysql_peer *p, const char *text)
{
    unsigned n = 0;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->n_heard; i++)
        n += holds(&p->heard[i], text);
    pthread_mutex_unlock(&p->lock);
    return n;
}

const uint8_t *mysql_peer_login(mysql_peer *p, size_t n, size_t *out_len)
{
    const uint8_t *found = NULL;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->n_heard && !found; i++)
        if (p->heard[i].login && n-- == 0) {
            found = p->heard[i].bytes;
            *out_len = p->heard[i].len;
        }
    pthread_mutex_unlock(&p->lock);
    return found;
}

bool mysql_peer_order(mysql_peer *p, const char *a, const char *b)
{
    size_t at[2] = {SIZE_MAX, SIZE_MAX};
    pthread_mutex_lock(&p->lock);
    for (size_t i = p->n_heard; i-- > 0;) {
        at[0] = holds(&p->heard[i], a) ? i : at[0];
        at[1] = holds(&p->heard[i], b) ? i : at[1];
    }
    pthread_mutex_unlock(&p->lock);
    return at[0] < at[1] && at[1] != SIZE_MAX;
}
