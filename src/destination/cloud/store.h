/* destination/cloud/store.h: what one object store can do, request by request. cloud.c above it
 * owns names, conditions, lost responses, uploads in parts and the spool for all of them, so that
 * the commit protocol is written once; a store signs, sends, retries a request and reads answers.
 * A store never decides whether an object is ours.
 * Names are whole object names: the destination's prefix and the key.
 * Threads: every call may run concurrently on one rv_store, each with an rv_http of its own.
 * Credentials belong to the store: renewed 5 minutes early and once after a refusal, under a lock
 * of its own; all of them in env->secrets before their first use.
 * Source: spec "destinations" sections 1, 4 to 8. */
#ifndef RV_DESTINATION_CLOUD_STORE_H
#define RV_DESTINATION_CLOUD_STORE_H

#include "config/config.h"
#include "destination/destination.h"
#include "net/http.h"

typedef struct rv_store rv_store;

typedef enum rv_store_condition {
    RV_STORE_ALWAYS,
    RV_STORE_IF_ABSENT, /* If-None-Match: *, ifGenerationMatch=0 */
    RV_STORE_IF_VERSION /* If-Match, ifGenerationMatch=version */
} rv_store_condition;

typedef struct rv_store_write { /* one object as it is to become */
    const char *name;
    int fd;         /* finished file; -1: bytes */
    rv_bytes bytes; /* fd == -1 */
    uint64_t size_bytes;
    /* Hex, of the content. A store whose objects do not always list one (uploads in parts, KMS)
     * keeps it as metadata rivet-md5 as well, and head gives that where nothing better is listed:
     * a lost answer is settled by it. */
    const char *md5;
    const char *owner_token, *mime;
    rv_store_condition condition;
    const char *version; /* IF_VERSION: rv_object.version */
} rv_store_write;

typedef struct rv_store_piece { /* one part of an upload */
    uint64_t index;             /* from 0 */
    uint64_t offset, len;
    bool last;
    char md5[33];  /* hex; set by the caller */
    char tag[128]; /* what the store calls it, set by upload_part: ETag, block id */
} rv_store_piece;

/* What a request found, when it was answered as such. Everything else is an error:
 *   RV_E_DEST_PERMISSION   403: this right is lacking; the text names it where the store does
 *   RV_E_DEST_AUTH         no, wrong or expired credentials, after one renewal
 *   RV_E_DEST_SAS_EXPIRED  before any request
 *   RV_E_DEST_NO_BUCKET    the bucket or container is not there
 *   RV_E_DEST_REGION       another region, after one correction; names both
 *   RV_E_DEST_TLS, RV_E_DEST_UNREACHABLE (retry class as net/http.h says), RV_E_DEST_NO_SPACE
 *   RV_E_DEST_CORRUPT      what arrived is not what was sent, after the request's own retry
 *   RV_E_DEST_IO           refused otherwise; RV_E_INTERRUPTED, RV_E_MEMORY */
typedef enum rv_store_outcome {
    RV_STORE_DONE,
    RV_STORE_MISSING,      /* the object is not there; of an upload: its id is gone */
    RV_STORE_UNMET,        /* the condition does not hold: 412, or 409 of such a request */
    RV_STORE_UNCONDITIONAL /* the store refuses conditions as such (501): nothing was written */
} rv_store_outcome;

typedef struct rv_store_page { /* of a listing */
    rv_object_list *into;      /* grown; keys relative to the listed directory's prefix */
    rv_buf *token;             /* in: where to go on ("" = start); out: empty when over */
} rv_store_page;

typedef struct rv_store_limits {
    uint64_t part_least, part_most, part_multiple; /* bytes; all but the last part */
    uint64_t parts_most;
    bool parallel; /* parts of one object may travel at the same time */
} rv_store_limits;

typedef struct rv_store_ops {
    rv_dest_kind kind;
    rv_store_limits limits;
    /* Reads configuration, endpoint and credential sources; sends nothing yet (a credential that
     * has to be fetched is fetched by the first request). */
    rv_status (*open)(const rv_env *env, const rv_cfg_dest *cfg, rv_store **out, rv_error *err);
    void (*close)(rv_store *s);
    /* "s3://bucket", "gs://bucket", "az://container" as messages show it; the endpoint as written,
     * "" = the service's own; bucket. */
    const char *(*uri)(const rv_store *s);
    void (*facts)(const rv_store *s, const char **endpoint, const char **bucket);
    /* A custom endpoint may ignore conditions silently: look before every conditional request. */
    bool (*doubtful)(const rv_store *s);
    /* "profile 'prod' (assumed role ...)": where the credentials come from; fetches them. */
    rv_status (*credentials)(rv_store *s, rv_http *h, rv_buf *out, rv_error *err);
    /* Requests tried at most so often from now on; doctor: 1. 0: the usual number. */
    void (*set_tries)(rv_store *s, unsigned tries);
    uint64_t (*retries)(const rv_store *s); /* so far, all threads */

    /* The answer's own checksum is compared: RV_E_DEST_CORRUPT. A version that is gone: UNMET. */
    rv_status (*put)(rv_store *s, rv_http *h, const rv_store_write *w, rv_store_outcome *out,
                     rv_error *err);
    /* out->key is left alone. owner "" when the object has none; version always set. */
    rv_status (*head)(rv_store *s, rv_http *h, const char *name, rv_object *out,
                      rv_store_outcome *outcome, rv_error *err);
    /* At most len bytes from offset into the sink; an offset at or past the end gives none. */
    rv_status (*get)(rv_store *s, rv_http *h, const char *name, uint64_t offset, uint64_t len,
                     rv_sink sink, rv_store_outcome *outcome, rv_error *err);
    /* Objects whose name is `dir` plus a rest without '/'; dir is "" or ends in '/'. One answer per
     * call. */
    rv_status (*list)(rv_store *s, rv_http *h, const char *dir, rv_store_page *io, rv_error *err);
    /* version NULL: whatever is there (asked so only behind UNCONDITIONAL, after a look). */
    rv_status (*remove)(rv_store *s, rv_http *h, const char *name, const char *version,
                        rv_store_outcome *outcome, rv_error *err);
    /* Server-side, metadata and owner kept, of this version of `from`, only if `to` is absent: by
     * a condition where the store takes one; the caller has looked before. MISSING: `from` is gone;
     * UNMET: `to` is there, or `from` is another version. */
    rv_status (*copy)(rv_store *s, rv_http *h, const char *from, const rv_object *version,
                      const char *to, rv_store_outcome *outcome, rv_error *err);

    /* ---- a large object ---- */
    /* upload_id: what `finish` and `abort` need, also in another process. Azure needs none and
     * gives "". The condition may be judged here or by upload_finish. */
    rv_status (*upload_begin)(rv_store *s, rv_http *h, const rv_store_write *w, rv_buf *upload_id,
                              rv_store_outcome *outcome, rv_error *err);
    rv_status (*upload_part)(rv_store *s, rv_http *h, const rv_store_write *w,
                             const char *upload_id, rv_store_piece *io, rv_store_outcome *outcome,
                             rv_error *err);
    /* The object appears. The checksum of the whole is compared: RV_E_DEST_CORRUPT. MISSING also
     * when an earlier try of this very call finished it and the answer was lost. (Where the last
     * part alone makes the object appear, it is sent behind all others and behind the guard.) */
    rv_status (*upload_finish)(rv_store *s, rv_http *h, const rv_store_write *w,
                               const char *upload_id, const rv_store_piece *pieces, size_t n,
                               rv_store_outcome *outcome, rv_error *err);
    /* Best effort, also after a raised cancel; an id that is gone is RV_STORE_MISSING. "" where ids
     * are given: every open upload of this very name, if the store can tell. */
    rv_status (*upload_abort)(rv_store *s, rv_http *h, const char *name, const char *upload_id,
                              rv_store_outcome *outcome, rv_error *err);
} rv_store_ops;

extern const rv_store_ops rv_store_s3;
extern const rv_store_ops rv_store_gcs;
extern const rv_store_ops rv_store_azure;

/* ---- request.c: what the stores share about sending ---- */

/* An error of net/http.h as one of the destination: TLS, UNREACHABLE, the rest as it is. Class and
 * native stay. Returns the new code; RV_OK stays RV_OK. */
rv_status rv_store_net_error(rv_status st, rv_error *err);
/* The endpoint rule: http only to loopback unless allowed, no userinfo; a remote custom endpoint is
 * announced once per run with its host. Without a trailing slash, in *out (arena or static).
 * RV_E_CONFIG_DESTINATION. */
rv_status rv_store_endpoint(const rv_env *env, const rv_cfg_dest *cfg, const char *written,
                            rv_buf *out, rv_error *err) RV_MUST_USE;
/* The value of an environment variable that a key names, remembered as a secret; unset or empty:
 * RV_E_DEST_AUTH naming the variable and the key. */
rv_status rv_store_secret(const rv_env *env, const char *variable, const char *key,
                          const char **out, rv_error *err) RV_MUST_USE;

#endif
