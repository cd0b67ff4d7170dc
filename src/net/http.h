/* net/http.h: the one HTTP door: HTTP/1.1 over TCP or TLS, client side, through libcurl.
 * Owner: the caller, of the client and of each response. Threads: a client belongs to one thread at
 * a time; take one per thread. It keeps connections open between requests.
 * Waits: every one ends within a moment of a raised env->cancel (RV_E_INTERRUPTED), unless told to
 * linger.
 * A status is an answer, not an error: a send fails only when there is no complete answer.
 * Redirects are never followed, so credentials stay with the host they were meant for: 3xx is an
 * answer too. Bodies arrive as they were sent (no content coding is undone). Secrets: no error or
 * log holds a header value, userinfo, a query, or a path marked secret. Sources: RFC 9110, RFC
 * 9112, spec "destinations" sections 4 to 7. */
#ifndef RV_NET_HTTP_H
#define RV_NET_HTTP_H

#include "base/buf.h"
#include "base/env.h"
#include "base/sink.h"

typedef struct rv_http rv_http;

typedef struct rv_http_opts {
    const char *ca_file;        /* instead of SSL_CERT_FILE and the system's bundle; NULL: those */
    int64_t connect_timeout_us; /* name, TCP and TLS together; 0 = 10 s */
    /* After a raise requests go on until env->cancel is overdue; one begun behind the raise has 3 s
     * at least: what was being committed is finished, and then said. */
    bool linger;
    /* Waits between tries; false = interrupted. NULL = rv_cancel_sleep_us. Tests replace it. */
    bool (*wait)(void *ctx, int64_t us);
    void *wait_ctx;
} rv_http_opts;

/* Reads SSL_CERT_FILE, SSL_CERT_DIR, HTTPS_PROXY, http_proxy, ALL_PROXY and NO_PROXY (lower case
 * wins; HTTP_PROXY is not read, a CGI caller could set it) from env; passwords of proxies are added
 * to env->secrets. The first open client of a process costs a few milliseconds. opts may be NULL.
 */
rv_status rv_http_open(const rv_env *env, const rv_http_opts *opts, rv_http **out,
                       rv_error *err) RV_MUST_USE;
void rv_http_close(rv_http *h);

/* ---- one request ---- */

typedef struct rv_http_header {
    const char *name, *value; /* a CR, LF or other control byte is refused */
} rv_http_header;

typedef enum rv_http_body_kind {
    RV_HTTP_NO_BODY, /* no Content-Length either; PUT and POST send 0 */
    RV_HTTP_BYTES,
    RV_HTTP_FILE,  /* len bytes of fd from offset on; fd is not moved */
    RV_HTTP_READER /* len bytes asked for by position, in rising order but after a rewind */
} rv_http_body_kind;

typedef struct rv_http_body {
    rv_http_body_kind kind;
    rv_bytes bytes; /* BYTES */
    int fd;         /* FILE */
    uint64_t offset;
    /* READER: exactly n bytes from position at; n is at most 256 KiB */
    rv_status (*read)(void *ctx, uint64_t at, void *out, size_t n, rv_error *err);
    void *ctx;
    uint64_t len; /* FILE, READER */
} rv_http_body;

typedef struct rv_http_request {
    const char *method; /* GET HEAD PUT POST DELETE PATCH OPTIONS */
    const char *url;    /* absolute, http or https, percent-encoded; sent as it stands */
    const rv_http_header *headers;
    size_t n_headers; /* Host, Content-Length and User-Agent come by themselves, nothing else */
    rv_http_body body;
    int64_t timeout_us; /* of one whole try; 0 = none */
    int64_t idle_us;    /* slower than 1 KiB/s for so long ends the try; 0 = 60 s */
    uint64_t max_body;  /* bytes kept in the response; 0 = 1 MiB */
    /* Takes the body of a 2xx instead, without a limit; other bodies are kept as ever. */
    rv_sink sink;
    bool direct;       /* past any proxy: metadata services */
    bool secret_path;  /* texts show the host alone: webhooks */
    bool after_cancel; /* sent although env->cancel is raised: clean-up; give it a timeout */
} rv_http_request;

typedef struct rv_http_response {
    int status;
    rv_buf head;    /* "name: value" lines of the last header block, '\n' behind each */
    rv_buf body;    /* at most max_body */
    bool truncated; /* of a body that is no 2xx, the rest was left unread */
    uint64_t sunk;  /* bytes that the sink took, kept on failure as well */
    unsigned tries; /* 1 = the first one answered */
} rv_http_response;

#define RV_HTTP_RESPONSE_INIT ((rv_http_response){.head = RV_BUF_INIT, .body = RV_BUF_INIT})

/* One try. `out` is reset first and reusable; free it also after a failure.
 *   RV_E_HTTP_REQUEST    the request itself is malformed; nothing was sent
 *   RV_E_HTTP_CONNECT    no connection: name, refusal, proxy, time; nothing was sent (retry N)
 *   RV_E_HTTP_NETWORK    cut, short or garbled answer (retry N)
 *   RV_E_HTTP_TIMEOUT    no answer in time, or too slow (retry N)
 *   RV_E_HTTP_TLS        the certificate or the CA file is not good: permanent
 *   RV_E_HTTP_TOO_LARGE  headers above 256 KiB or a 2xx body above max_body: permanent
 *   RV_E_INTERRUPTED, RV_E_MEMORY, and whatever the body's reader or the sink failed with */
rv_status rv_http_send(rv_http *h, const rv_http_request *req, rv_http_response *out,
                       rv_error *err) RV_MUST_USE;
void rv_http_response_free(rv_http_response *r);

/* The first header of this name (any case), blanks trimmed; ptr NULL when absent. Borrowed. */
rv_str rv_http_header_get(const rv_http_response *r, const char *name);
/* The i-th header; false past the last. */
bool rv_http_header_at(const rv_http_response *r, size_t i, rv_str *name, rv_str *value);
/* A Date, Last-Modified or Retry-After date; false when it is none. */
bool rv_http_date_parse(rv_str s, int64_t *out_us);

/* ---- the retry loop ---- */

typedef enum rv_http_verdict {
    RV_HTTP_AS_LISTED, /* 408 429 500 502 503 504 pass, everything else is the answer */
    RV_HTTP_AGAIN,     /* passes although its status is not listed: 409 OperationAborted */
    /* the same without a wait: credentials were renewed; once beyond the tries as well */
    RV_HTTP_AGAIN_NOW,
    RV_HTTP_ANSWER /* is the answer although its status is listed */
} rv_http_verdict;

typedef struct rv_http_retry {
    unsigned tries;           /* at most; 0 = 6 */
    int64_t base_us, most_us; /* wait before the 2nd try, doubling up to most; 0 = 200 ms, 10 s */
    int64_t after_us;         /* cap of the server's Retry-After; 0 = 60 s */
    /* Sending it twice does what sending it once does. Otherwise only what surely did nothing is
     * tried again: RV_E_HTTP_CONNECT, 429 and 503. */
    bool idempotent;
    /* Before each try, attempt counting from 1: signs anew, renews credentials. May be NULL. */
    rv_status (*prepare)(void *ctx, unsigned attempt, rv_http_request *io, rv_error *err);
    /* Looks at each complete answer; called with every status. May be NULL. */
    rv_http_verdict (*judge)(void *ctx, const rv_http_response *r);
    void *ctx;
} rv_http_retry;

/* As rv_http_send until an answer stands or the tries are used up; then the last answer or the
 * last error is the result. Waits carry jitter (half to whole); Retry-After wins. A try that has
 * moved bytes into the sink is not repeated: go on with a Range behind out->sunk. */
rv_status rv_http_send_retry(rv_http *h, const rv_http_request *req, const rv_http_retry *retry,
                             rv_http_response *out, rv_error *err) RV_MUST_USE;

/* ---- texts ---- */

/* Makes an answer an error: "PUT https://host/path: 503 SlowDown". `detail` is what the driver read
 * out of the body, NULL for the status's own words; control bytes in it become blanks. Sets native
 * to the status, retry N and retry_after_ms for a listed one. Returns code. */
rv_status rv_http_fail(const rv_http_request *req, const rv_http_response *r, rv_status code,
                       rv_str detail, rv_error *err);

#endif
