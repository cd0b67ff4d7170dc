/* destination/cloud/call.h: one request to a store while it is made: its texts, the authorization
 * of each try, the judgement of each answer. For stores whose tries differ by a header only.
 * Owner: the caller, of the call (RV_CALL_INIT, rv_call_free). Threads: one call, one thread; the
 * counters belong to the store and to all of them.
 * Source: spec "destinations" section 7. */
#ifndef RV_DESTINATION_CLOUD_CALL_H
#define RV_DESTINATION_CLOUD_CALL_H

#include <stdatomic.h>

#include "base/arena.h"
#include "destination/cloud/store.h"

#define RV_CALL_HEADERS 24

typedef struct rv_call rv_call;

typedef struct rv_call_rules { /* of one store */
    const rv_env *env;
    void *store;
    /* Adds what authorizes this try by rv_call_add; c->refused: the last try's was not taken. */
    rv_status (*authorize)(void *store, rv_call *c, rv_error *err);
    /* May be NULL. Asked of each complete answer before the common rules: a verdict other than
     * RV_HTTP_AS_LISTED stands. */
    rv_http_verdict (*judge)(void *store, rv_call *c, const rv_http_response *r);
    atomic_uint tries; /* 0 = the usual 6 */
    atomic_uint_fast64_t retries;
} rv_call_rules;

struct rv_call {
    rv_call_rules *rules;
    rv_http *http;
    rv_http_request req; /* url, method, body; headers come by rv_call_add */
    rv_http_header headers[RV_CALL_HEADERS];
    size_t n_headers;
    rv_arena arena;  /* texts of the request; wiped by nobody: secrets go to `auth` */
    rv_buf auth;     /* the Authorization header's value; wiped */
    uint64_t serial; /* of the token in it */
    bool refused;    /* renew the credentials before the next try */
    bool renewed;    /* that was done */
    bool again;      /* a damaged upload was read and sent again */
    bool bare;       /* without authorization: the address is the credential */
    unsigned tries;  /* at most; 0 = the rules' */
    /* Before each try, behind the authorization: may rewrite the request. May be NULL. */
    rv_status (*shape)(void *ctx, unsigned attempt, rv_http_request *io, rv_error *err);
    rv_http_verdict (*follow)(void *ctx, const rv_http_response *r); /* as rules->judge, first */
    void *ctx;
    rv_http_response r;
};

#define RV_CALL_INIT(rules_, http_)                                                                \
    ((rv_call){.rules = (rules_),                                                                  \
               .http = (http_),                                                                    \
               .arena = RV_ARENA_INIT,                                                             \
               .auth = RV_BUF_INIT,                                                                \
               .r = RV_HTTP_RESPONSE_INIT})

void rv_call_free(rv_call *c);
/* Clearing away: sent also after a signal, three tries, and waits, of a few seconds. */
void rv_call_cleans_up(rv_call *c);

/* The value is borrowed until rv_call_free; rv_call_addf prints it into the arena. */
rv_status rv_call_add(rv_call *c, const char *name, const char *value, rv_error *err) RV_MUST_USE;
rv_status rv_call_addf(rv_call *c, const char *name, rv_error *err, const char *fmt,
                       ...) RV_MUST_USE RV_PRINTF(4, 5);
/* The value of a header added before, NULL when absent. */
const char *rv_call_header(const rv_call *c, const char *name);
/* 32 hex digits as the base64 of their 16 bytes, into the arena; no such digits: RV_E_INTERNAL. */
rv_status rv_call_md5(rv_call *c, const char *hex, const char **out, rv_error *err) RV_MUST_USE;
/* The other way: an MD5 in base64 as hex; anything else gives "". */
void rv_call_hex(rv_str base64, char out[33]);

/* Sends it until an answer stands in c->r; every status is one. Errors are the destination's. */
rv_status rv_call_send(rv_call *c, rv_error *err) RV_MUST_USE;
/* A GET of len bytes from offset into the sink, going on behind what has come when the connection
 * breaks. `pin` adds what ties the rest to the object whose head is in c->r. Answers of another
 * status than 200 and 206 are left in c->r; 416 gives nothing and is one of them. */
rv_status rv_call_fetch(rv_call *c, uint64_t offset, uint64_t len, rv_sink sink,
                        rv_status (*pin)(rv_call *c, rv_error *err), rv_error *err) RV_MUST_USE;

/* Compares a checksum in base64 that an answer carries; absent: fine. RV_E_DEST_CORRUPT. */
rv_status rv_call_compare(const rv_call *c, rv_str got, const char *md5, rv_error *err) RV_MUST_USE;

/* Grows a listing by one. */
rv_status rv_object_list_add(rv_object_list *l, const rv_object *o, rv_error *err) RV_MUST_USE;

#endif
