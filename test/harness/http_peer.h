/* harness/http_peer.h: an HTTP/1.1 server on loopback that says what a script tells it to, also
 * what no real one does on demand. The thread of the peer takes one answer from the queue for each
 * request it reads, whatever connection it comes on, and records the request. http_peer *p =
 * http_peer_start(NULL); http_peer_say(p, (http_answer){.status = 503, .headers = "Retry-After:
 * 7\r\n"}); http_peer_say(p, (http_answer){.body = "ok"});
 *     ... http_peer_url(p, "/bucket/key") ... http_peer_request(p, 0)->path ...
 *     http_peer_stop(p);
 * Threads: say, url, request and count may be called from any; a recorded request lives until the
 * stop. Wire format: RFC 9112. */
#ifndef HTTP_PEER_H
#define HTTP_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct http_peer http_peer;

typedef struct http_peer_opts {
    bool tls;         /* with a certificate for localhost and 127.0.0.1, made by openssl(1) */
    bool wrong_name;  /* of TLS: the certificate is for another host */
    bool refuse;      /* accepts and closes at once */
    size_t keep_body; /* bytes of each request body that are kept; 0 = 1 MiB */
} http_peer_opts;

/* One request that came. */
typedef struct http_seen {
    char *method, *target; /* target as on the request line: path and query */
    char *head;            /* header lines, "Name: value\r\n" each */
    uint8_t *body;         /* NUL behind it */
    size_t body_len;       /* kept */
    uint64_t body_total;   /* sent */
    unsigned connection;   /* 0, 1... in the order of accepting */
} http_seen;

/* One answer. Zero values give "HTTP/1.1 200 OK" with an empty body and Content-Length. */
typedef struct http_answer {
    int status;          /* 0 = 200 */
    const char *headers; /* lines, each ending in \r\n */
    const char *body;
    size_t body_len;    /* 0 = strlen */
    unsigned repeat;    /* this often again; HTTP_FOREVER: until something else is said */
    int64_t delay_us;   /* before the first byte */
    int64_t drip_us;    /* between single bytes of the body */
    bool chunked;       /* Transfer-Encoding: chunked, in pieces of 7 bytes */
    bool close;         /* Connection: close and close */
    size_t cut_after;   /* this many bytes of the body, then the connection is cut; 0 = whole */
    bool cut;           /* cut before any byte of an answer */
    bool unread_body;   /* answer right behind the headers, without reading the body */
    bool informational; /* a 100 Continue and a 103 with headers come first */
    bool hang;          /* never answer; lasts until the client leaves or the stop */
    const char *raw;    /* these very bytes instead of all that, then close */
    /* Checks or answers by itself: may change *a (a copy). NULL: nothing. On the peer's thread. */
    void (*look)(void *ctx, const http_seen *seen, struct http_answer *a);
    void *ctx;
} http_answer;
#define HTTP_FOREVER UINT32_MAX

http_peer *http_peer_start(const http_peer_opts *opts); /* NULL: it failed, a CHECK says why */
void http_peer_stop(http_peer *p);
void http_peer_say(http_peer *p, http_answer a); /* texts are borrowed until the stop */
int http_peer_port(const http_peer *p);
/* "http://127.0.0.1:port" + path, or https://localhost; lives until the stop. */
const char *http_peer_url(http_peer *p, const char *path);
const char *http_peer_ca(const http_peer *p); /* file of the authority, with tls */

size_t http_peer_count(http_peer *p);                       /* requests so far */
const http_seen *http_peer_request(http_peer *p, size_t i); /* NULL past the last */
unsigned http_peer_connections(http_peer *p);
/* Waits up to 5 s until so many requests came. */
bool http_peer_await(http_peer *p, size_t n);
/* The value of a header in "Name: value\r\n" lines, any case, into out; false when absent. */
bool http_seen_header(const http_seen *seen, const char *name, char *out, size_t size);

#endif
