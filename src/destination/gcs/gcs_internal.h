/* destination/gcs/gcs_internal.h: what the files of this store share.
 * Sources: Cloud Storage JSON API v1, "Resumable uploads", AIP-4110 to 4118 (credentials),
 * spec "destinations". */
#ifndef RV_DESTINATION_GCS_INTERNAL_H
#define RV_DESTINATION_GCS_INTERNAL_H

#include <jansson.h>

#include "destination/cloud/call.h"
#include "destination/cloud/oauth.h"
#include "destination/cloud/store.h"

#define RV_GCS_OWNER "rivet-owner"
#define RV_GCS_GRAIN ((uint64_t)256 << 10) /* of a chunk that is not the last */
#define RV_GCS_SCOPE "https://www.googleapis.com/auth/devstorage.read_write"
#define RV_GCS_WIDE_SCOPE "https://www.googleapis.com/auth/cloud-platform" /* to impersonate */
#define RV_GCS_TOKEN_URI "https://oauth2.googleapis.com/token"

typedef enum rv_gcs_kind {
    RV_GCS_SERVICE_ACCOUNT,
    RV_GCS_AUTHORIZED_USER,
    RV_GCS_EXTERNAL_ACCOUNT,
    RV_GCS_METADATA
} rv_gcs_kind;

typedef struct rv_gcs_source { /* texts of the arena; what a kind does not have is NULL */
    rv_gcs_kind kind;
    const char *token_uri;
    const char *email, *key, *key_id;                       /* service account */
    const char *client_id, *client_secret, *refresh_token;  /* user; external: optional */
    const char *audience, *subject_type;                    /* external */
    const char *subject_file, *subject_url, *subject_field; /* field NULL: plain text */
    rv_http_header subject_headers[3];                      /* up to the first without a name */
    const char *impersonate;                                /* generateAccessToken, or NULL */
    const char *host;                                       /* metadata server */
} rv_gcs_source;

struct rv_store {
    const rv_env *env;
    rv_arena arena;
    const char *base;    /* endpoint, no slash at its end */
    const char *written; /* as configured, "" = the service's own */
    const char *bucket, *uri;
    const char *kms_key, *storage_class; /* NULL: none */
    rv_gcs_source source;
    rv_oauth *oauth; /* NULL: anonymous */
    const char *described;
    rv_call_rules rules;
};

/* ---- chain.c: the chain of section 4 ---- */
rv_status rv_gcs_resolve(rv_store *s, const rv_cfg_dest *cfg, rv_error *err) RV_MUST_USE;
/* ---- source.c: a file of credentials ---- */
/* *out_found false: there is none. RV_E_DEST_AUTH. */
rv_status rv_gcs_source_read(const rv_env *env, const char *path, rv_arena *arena,
                             rv_gcs_source *out, bool *out_found, rv_error *err) RV_MUST_USE;
/* What such a file says; path stands in texts. */
rv_status rv_gcs_source_parse(const rv_env *env, const char *path, rv_bytes text, rv_arena *arena,
                              rv_gcs_source *out, rv_error *err) RV_MUST_USE;
/* ---- token.c: an rv_oauth_fetch over an rv_store ---- */
rv_status rv_gcs_fetch_token(void *ctx, rv_http *h, rv_oauth_grant *out, rv_error *err);
/* The signed assertion of a service account. */
rv_status rv_gcs_assertion(const rv_gcs_source *src, const char *scope, int64_t now_us, rv_buf *out,
                           rv_error *err) RV_MUST_USE;

/* ---- request.c ---- */
rv_status rv_gcs_authorize(void *store, rv_call *c, rv_error *err) RV_MUST_USE;
rv_http_verdict rv_gcs_judge(void *store, rv_call *c, const rv_http_response *r);
/* base + prefix + bucket + "/o" [+ "/" + name] [+ "?" + query]; the query is encoded. */
rv_status rv_gcs_url(rv_store *s, rv_call *c, const char *prefix, const char *name,
                     const rv_buf *query, rv_error *err) RV_MUST_USE;
/* "&ifGenerationMatch=..." of a condition. */
rv_status rv_gcs_condition(rv_buf *query, rv_store_condition condition, const char *version,
                           rv_error *err) RV_MUST_USE;
/* The document that goes with an object that is being made. */
rv_status rv_gcs_describe(const rv_store *s, rv_call *c, const rv_store_write *w, rv_buf *out,
                          rv_error *err) RV_MUST_USE;
rv_status rv_gcs_fail(rv_store *s, rv_call *c, rv_error *err) RV_MUST_USE;
/* Sorts an answer to a request for one object into an outcome, or fails. */
rv_status rv_gcs_settle(rv_store *s, rv_call *c, rv_store_condition condition,
                        rv_store_outcome *out, rv_error *err) RV_MUST_USE;
/* The same for a request that makes one: 404 is the bucket's. */
rv_status rv_gcs_settle_new(rv_store *s, rv_call *c, rv_store_condition condition,
                            rv_store_outcome *out, rv_error *err) RV_MUST_USE;
/* The body as a JSON object; NULL when it is none. Free with json_decref. */
json_t *rv_gcs_document(const rv_http_response *r);
/* A described object; false when it is none. The key is left alone. */
bool rv_gcs_object(const json_t *doc, rv_object *out);
/* Compares what the answer of a finished upload says about the object with what was sent; an
 * answer that does not say is settled by asking, if that is allowed. RV_E_DEST_CORRUPT. */
rv_status rv_gcs_verify(rv_store *s, rv_call *c, const rv_store_write *w,
                        rv_error *err) RV_MUST_USE;

/* ---- members of the table: object.c, list.c, session.c ---- */
rv_status rv_gcs_put(rv_store *s, rv_http *h, const rv_store_write *w, rv_store_outcome *out,
                     rv_error *err);
rv_status rv_gcs_head(rv_store *s, rv_http *h, const char *name, rv_object *out,
                      rv_store_outcome *outcome, rv_error *err);
rv_status rv_gcs_get(rv_store *s, rv_http *h, const char *name, uint64_t offset, uint64_t len,
                     rv_sink sink, rv_store_outcome *outcome, rv_error *err);
rv_status rv_gcs_remove(rv_store *s, rv_http *h, const char *name, const char *version,
                        rv_store_outcome *outcome, rv_error *err);
rv_status rv_gcs_copy(rv_store *s, rv_http *h, const char *from, const rv_object *version,
                      const char *to, rv_store_outcome *outcome, rv_error *err);
rv_status rv_gcs_list(rv_store *s, rv_http *h, const char *dir, rv_store_page *io, rv_error *err);
/* The objects below dir out of one answer. RV_E_DEST_IO for what is no listing. */
rv_status rv_gcs_page_read(rv_store *s, const rv_http_response *r, const char *dir,
                           rv_store_page *io, rv_error *err) RV_MUST_USE;
rv_status rv_gcs_upload_begin(rv_store *s, rv_http *h, const rv_store_write *w, rv_buf *upload_id,
                              rv_store_outcome *outcome, rv_error *err);
rv_status rv_gcs_upload_part(rv_store *s, rv_http *h, const rv_store_write *w,
                             const char *upload_id, rv_store_piece *io, rv_store_outcome *outcome,
                             rv_error *err);
rv_status rv_gcs_upload_finish(rv_store *s, rv_http *h, const rv_store_write *w,
                               const char *upload_id, const rv_store_piece *pieces, size_t n,
                               rv_store_outcome *outcome, rv_error *err);
rv_status rv_gcs_upload_abort(rv_store *s, rv_http *h, const char *name, const char *upload_id,
                              rv_store_outcome *outcome, rv_error *err);

#endif
