/* A store that keeps nothing: takes PutObject and uploads in parts over plain HTTP, answers with
 * the ETags that S3 would, and remembers small objects and the facts of large ones. It verifies no
 * signature, so that what is measured is the client and the wire.
 *
 *   s3_sink PORT      one thread per connection; ends with its standard input */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hash.h"

#define STEP (256u << 10)
#define SMALL (1u << 20)
#define OBJECTS_MAX 4096
#define HEAD_MAX 16384

typedef struct object {
    char name[512], etag[64], owner[64];
    uint64_t size;
    char *bytes; /* of small ones */
} object;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static object objects[OBJECTS_MAX];
static size_t n_objects;
static atomic_uint uploads;

typedef struct request {
    int fd;
    char head[HEAD_MAX];
    size_t have, head_len; /* bytes in head; of which the header block */
    char method[8], name[512], query[512];
    uint64_t length;
    char *small;
    char md5[33];
} request;

static const char *header(const request *r, const char *name)
{
    const char *line = strstr(r->head, "\r\n");
    size_t n = strlen(name);
    while (line && line + 2 < r->head + r->head_len) {
        line += 2;
        if (strncasecmp(line, name, n) == 0 && line[n] == ':')
            return line + n + 1 + (line[n + 1] == ' ');
        line = strstr(line, "\r\n");
    }
    return NULL;
}

static void copy_header(const request *r, const char *name, char *out, size_t size)
{
    const char *v = header(r, name);
    (void)snprintf(out, size, "%.*s", v ? (int)strcspn(v, "\r") : 0, v ? v : "");
}

static bool read_head(request *r)
{
    char *end = NULL;
    while (!(end = memmem(r->head, r->have, "\r\n\r\n", 4))) {
        if (r->have + 1 >= sizeof r->head)
            return false;
        ssize_t n = recv(r->fd, r->head + r->have, sizeof r->head - 1 - r->have, 0);
        if (n <= 0)
            return false;
        r->have += (size_t)n;
    }
    r->head_len = (size_t)(end - r->head) + 4;
    r->head[r->head_len - 1] = '\0';
    char target[1024] = "";
    if (sscanf(r->head, "%7s %1023s", r->method, target) != 2)
        return false;
    char *q = strchr(target, '?');
    (void)snprintf(r->query, sizeof r->query, "%.500s", q ? q + 1 : "");
    if (q)
        *q = '\0';
    (void)snprintf(r->name, sizeof r->name, "%.500s", target);
    const char *length = header(r, "Content-Length");
    r->length = length ? strtoull(length, NULL, 10) : 0;
    return true;
}

static bool send_all(int fd, const char *bytes, size_t n)
{
    while (n) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        n -= (size_t)sent;
    }
    return true;
}

/* Through the digest, and kept when it is small. */
static bool read_body(request *r, char *step)
{
    rv_md5 m;
    uint8_t raw[16];
    uint64_t done = 0;
    if (header(r, "Expect") && !send_all(r->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25))
        return false;
    rv_md5_init(&m);
    r->small = r->length <= SMALL ? malloc(r->length + 1) : NULL;
    size_t early = r->have - r->head_len;
    while (done < r->length) {
        size_t n = early < r->length ? early : (size_t)r->length;
        if (n) {
            memcpy(step, r->head + r->head_len, n);
            early = 0;
        } else {
            uint64_t left = r->length - done;
            ssize_t got = recv(r->fd, step, left < STEP ? (size_t)left : STEP, 0);
            if (got <= 0)
                return false;
            n = (size_t)got;
        }
        rv_md5_update(&m, step, n);
        if (r->small)
            memcpy(r->small + done, step, n);
        done += n;
    }
    rv_md5_final(&m, raw);
    rv_hex(raw, sizeof raw, r->md5);
    return true;
}

static bool answer(request *r, int status, const char *headers, const char *body, size_t len)
{
    char head[1024];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nDate: Sat, 21 Nov 2026 00:00:00 "
                     "GMT\r\n%s\r\n",
                     status, len, headers);
    return n > 0 && send_all(r->fd, head, (size_t)n) &&
           (strcmp(r->method, "HEAD") == 0 || !len || send_all(r->fd, body, len));
}

/* Under the lock. */
static object *find(const char *name, bool add)
{
    for (size_t i = 0; i < n_objects; i++)
        if (strcmp(objects[i].name, name) == 0)
            return &objects[i];
    if (!add || n_objects == OBJECTS_MAX)
        return NULL;
    (void)snprintf(objects[n_objects].name, sizeof objects[0].name, "%s", name);
    return &objects[n_objects++];
}

static void keep(request *r, const char *etag, uint64_t size, const char *owner)
{
    (void)pthread_mutex_lock(&lock);
    object *o = find(r->name, true);
    if (o) {
        free(o->bytes);
        o->bytes = r->small;
        o->size = size;
        (void)snprintf(o->etag, sizeof o->etag, "%s", etag);
        (void)snprintf(o->owner, sizeof o->owner, "%s", owner);
        r->small = NULL;
    }
    (void)pthread_mutex_unlock(&lock);
}

static bool put(request *r)
{
    char headers[128], owner[64];
    (void)snprintf(headers, sizeof headers, "ETag: \"%s\"\r\n", r->md5);
    copy_header(r, "x-amz-meta-rivet-owner", owner, sizeof owner);
    if (!strstr(r->query, "partNumber="))
        keep(r, r->md5, r->length, owner);
    return answer(r, 200, headers, "", 0);
}

static bool begin_upload(request *r)
{
    char xml[256];
    int n = snprintf(xml, sizeof xml,
                     "<?xml version=\"1.0\"?><InitiateMultipartUploadResult><Bucket>b</Bucket>"
                     "<Key>k</Key><UploadId>u%u</UploadId></InitiateMultipartUploadResult>",
                     atomic_fetch_add(&uploads, 1));
    return answer(r, 200, "", xml, (size_t)n);
}

/* The ETag of parts is the MD5 of theirs. */
static bool finish_upload(request *r)
{
    rv_md5 m;
    uint8_t raw[16];
    unsigned parts = 0;
    char md5[33], etag[64], xml[512];
    rv_md5_init(&m);
    r->small[r->length] = '\0';
    for (const char *p = r->small; (p = strstr(p, "<ETag>")); p++) {
        p += strcspn(p, "0123456789abcdef");
        const char *hex = p;
        while (*hex && strspn(hex, "0123456789abcdef") < 32)
            hex++;
        if (!*hex || !rv_unhex((rv_str){hex, 32}, raw))
            break;
        rv_md5_update(&m, raw, sizeof raw);
        parts++;
    }
    rv_md5_final(&m, raw);
    rv_hex(raw, sizeof raw, md5);
    (void)snprintf(etag, sizeof etag, "%s-%u", md5, parts);
    keep(r, etag, 0, "");
    int n = snprintf(xml, sizeof xml,
                     "<?xml version=\"1.0\"?><CompleteMultipartUploadResult><ETag>\"%s\"</ETag>"
                     "</CompleteMultipartUploadResult>",
                     etag);
    return answer(r, 200, "", xml, (size_t)n);
}

static bool show(request *r)
{
    char headers[256] = "";
    (void)pthread_mutex_lock(&lock);
    object *o = find(r->name, false);
    bool kept = false;
    if (!o)
        kept = answer(r, 404, "", "<Error><Code>NoSuchKey</Code></Error>", 37);
    else
        (void)snprintf(headers, sizeof headers, "ETag: \"%s\"\r\nx-amz-meta-rivet-owner: %s\r\n",
                       o->etag, o->owner);
    if (o)
        kept = answer(r, 200, headers, o->bytes ? o->bytes : "", o->bytes ? (size_t)o->size : 0);
    (void)pthread_mutex_unlock(&lock);
    return kept;
}

static bool serve(request *r)
{
    if (strcmp(r->method, "PUT") == 0)
        return put(r);
    if (strcmp(r->method, "POST") == 0)
        return strncmp(r->query, "uploads", 7) == 0 ? begin_upload(r) : finish_upload(r);
    if (strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0)
        return show(r);
    return answer(r, 204, "", "", 0);
}

static void *connection(void *arg)
{
    request *r = calloc(1, sizeof *r);
    char *step = malloc(STEP);
    int fd = (int)(intptr_t)arg, on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    while (r && step) {
        *r = (request){.fd = fd};
        bool more = read_head(r) && read_body(r, step) && serve(r);
        free(r->small);
        if (!more)
            break;
    }
    (void)close(fd);
    free(step);
    free(r);
    return NULL;
}

static void *until_eof(void *arg)
{
    char byte;
    (void)arg;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    _exit(0);
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    pthread_t id;
    int on = 1, server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (argc != 2)
        return 2;
    at.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
    (void)setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(server, (struct sockaddr *)&at, sizeof at) != 0 || listen(server, 64) != 0) {
        perror("s3_sink");
        return 1;
    }
    (void)pthread_create(&id, NULL, until_eof, NULL);
    for (;;) {
        int fd = accept(server, NULL, NULL);
        if (fd >= 0 && pthread_create(&id, NULL, connection, (void *)(intptr_t)fd) == 0)
            (void)pthread_detach(id);
    }
}
