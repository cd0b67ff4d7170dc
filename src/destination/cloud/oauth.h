/* destination/cloud/oauth.h: bearer tokens: the one in use, renewed in time, and the requests that
 * fetch one. What is asked of whom is the store's (gcs/, azure/).
 * Threads: rv_oauth by any number at once; a renewal is made by one of them, the others wait.
 * Secrets: every token and every secret sent is in env->secrets before its first use; errors show
 * what the endpoint says about the failure, never what was sent.
 * Sources: RFC 6749 (sections 4.4, 5, 6), RFC 7523, RFC 8693, spec "destinations" section 4. */
#ifndef RV_DESTINATION_CLOUD_OAUTH_H
#define RV_DESTINATION_CLOUD_OAUTH_H

#include <jansson.h>

#include "destination/cloud/store.h"

typedef struct rv_oauth rv_oauth;

typedef struct rv_oauth_grant {
    rv_buf token;
    int64_t until_us; /* 0: not told */
} rv_oauth_grant;

#define RV_OAUTH_GRANT_INIT ((rv_oauth_grant){.token = RV_BUF_INIT})
void rv_oauth_grant_free(rv_oauth_grant *g); /* wipes */

/* Fetches a token; called under the lock. */
typedef rv_status (*rv_oauth_fetch)(void *ctx, rv_http *h, rv_oauth_grant *out, rv_error *err);

rv_status rv_oauth_open(const rv_env *env, rv_oauth_fetch fetch, void *ctx, rv_oauth **out,
                        rv_error *err) RV_MUST_USE;
void rv_oauth_close(rv_oauth *o); /* wipes */
/* Puts "Bearer <token>" into out. Fetches when there is none, 5 minutes before its end (a failure
 * is then no error while the old one holds), and when `refused` says that a server did not take the
 * token numbered *io_serial and nobody has renewed it since. *io_serial: the number of this one. */
rv_status rv_oauth_bearer(rv_oauth *o, rv_http *h, bool refused, uint64_t *io_serial, rv_buf *out,
                          rv_error *err) RV_MUST_USE;
/* Whether a token is to be had; it is not kept by the caller. */
rv_status rv_oauth_check(rv_oauth *o, rv_http *h, rv_error *err) RV_MUST_USE;

/* ---- requests ---- */

typedef struct rv_oauth_request {
    const char *what;   /* "the token endpoint of Google": begins the text of a failure */
    const char *method; /* GET or POST */
    const char *url;
    rv_http_header headers[3]; /* up to the first without a name */
    rv_str body;               /* of a POST */
    const char *mime;          /* of the body; NULL = a form */
    bool direct;               /* metadata services: past any proxy */
    int64_t timeout_us;        /* of a try; 0 = 30 s */
    unsigned tries;            /* 0 = the usual */
} rv_oauth_request;

/* Sends it; a 2xx leaves the answer in `r`. 4xx: RV_E_DEST_AUTH with the endpoint's own words;
 * other statuses and no answer: RV_E_DEST_UNREACHABLE, RV_E_DEST_TLS. An address that is neither
 * https nor on this machine (unless direct): RV_E_DEST_AUTH. */
rv_status rv_oauth_send(const rv_env *env, rv_http *h, const rv_oauth_request *q,
                        rv_http_response *r, rv_error *err) RV_MUST_USE;
/* Sends it and reads the token of the answer: access_token or accessToken with expires_in,
 * expires_on or expireTime. */
rv_status rv_oauth_ask(const rv_env *env, rv_http *h, const rv_oauth_request *q,
                       rv_oauth_grant *out, rv_error *err) RV_MUST_USE;

/* Appends "&name=value", percent-encoded, the first one without '&'. */
rv_status rv_oauth_field(rv_buf *form, const char *name, rv_str value, rv_error *err) RV_MUST_USE;
/* A member that has to be a text that is not empty; NULL when it is not. Borrowed. */
const char *rv_oauth_text(const json_t *object, const char *name);

#endif
