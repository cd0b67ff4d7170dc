/* destination/s3/s3_internal.h: what the files of the S3 store share. */
#ifndef RV_DESTINATION_S3_INTERNAL_H
#define RV_DESTINATION_S3_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "destination/cloud/call.h"
#include "destination/cloud/xml.h"
#include "destination/s3/address.h"
#include "destination/s3/creds.h"
#include "destination/s3/sign.h"

#define RV_S3_OWNER "x-amz-meta-rivet-owner"
#define RV_S3_MD5 "x-amz-meta-rivet-md5"

typedef enum rv_s3_listing { /* are the ETags of a listing MD5s? */
                             RV_S3_LISTING_UNKNOWN,
                             RV_S3_LISTING_PLAIN,
                             RV_S3_LISTING_KMS
} rv_s3_listing;

struct rv_store {
    const rv_env *env;
    rv_arena arena;
    rv_call_rules rules;
    rv_s3_address address;
    rv_s3_creds *creds; /* NULL: anonymous */
    const char *uri, *endpoint;
    const char *sse, *kms_key_id, *storage_class; /* sse: s3 or kms; NULL = none */
    bool sse_bucket_key;
    pthread_mutex_t lock;           /* of region */
    char region[RV_S3_REGION_SIZE]; /* "": instance metadata is still to be asked */
    atomic_llong skew_us;           /* the server's clock less ours */
    atomic_int listing;             /* rv_s3_listing */
};

/* ---- call.c: one request ---- */

typedef enum rv_s3_correction {
    RV_S3_AS_IT_IS,
    RV_S3_RENEW,  /* other keys */
    RV_S3_CLOCK,  /* the server's time */
    RV_S3_REGION, /* the bucket's region */
    RV_S3_RESEND, /* the bytes again: what came was not what was sent */
    RV_S3_CORRECTIONS
} rv_s3_correction;

typedef struct rv_s3_call {
    rv_store *store;
    rv_call call;
    const char *method, *key; /* key NULL: the bucket */
    const char *right;        /* what it takes: "s3:PutObject" */
    rv_http_header query[6];
    size_t n_query;
    bool error_in_200; /* the body of a 200 may hold an error */
    bool conditional;  /* 412 means that the condition does not hold */
    bool may_miss;     /* 404 means that what it names is not there */
    /* of the try under way */
    char payload[RV_S3_HEX_SIZE], stamp[RV_S3_STAMP_SIZE], region[RV_S3_REGION_SIZE];
    rv_s3_url url;
    rv_s3_keys *keys;
    /* of the last answer */
    int status;                     /* an error in a 200 counts as what its code stands for */
    char code[64], message[400];    /* "" when the body tells none */
    char there[RV_S3_REGION_SIZE];  /* the bucket's region, when told */
    bool by_header;                 /* told by x-amz-bucket-region */
    char before[RV_S3_REGION_SIZE]; /* the region before it was corrected; "" = it was not */
    rv_s3_correction correction;
    bool corrected[RV_S3_CORRECTIONS];
} rv_s3_call;

void rv_s3_rules_init(rv_store *s);
rv_status rv_s3_know_region(rv_store *s, char out[RV_S3_REGION_SIZE], rv_error *err) RV_MUST_USE;
void rv_s3_call_begin(rv_s3_call *c, rv_store *s, rv_http *h, const char *method, const char *key,
                      const char *right);
void rv_s3_call_free(rv_s3_call *c);
void rv_s3_param(rv_s3_call *c, const char *name, const char *value); /* borrowed */
/* Sends it, corrected and repeated as section 7 says; every answer that stands is RV_OK. The
 * request's body is hashed here when it has to be. */
rv_status rv_s3_send(rv_s3_call *c, rv_error *err) RV_MUST_USE;
/* The same for a download. 416 is left as it is. */
rv_status rv_s3_fetch(rv_s3_call *c, uint64_t offset, uint64_t len, rv_sink sink,
                      rv_error *err) RV_MUST_USE;

/* ---- answer.c: what an answer means ---- */

/* Reads code, message and region out of an answer's head and body. */
void rv_s3_read_answer(rv_s3_call *c, const rv_http_response *r);
bool rv_s3_is(const rv_s3_call *c, const char *code);
/* The common end of every call: RV_STORE_DONE for a 2xx; MISSING, UNMET or UNCONDITIONAL where an
 * answer says so; an error for everything else. */
rv_status rv_s3_settle(rv_s3_call *c, rv_store_outcome *out, rv_error *err) RV_MUST_USE;
/* The error of an answer. */
rv_status rv_s3_refuse(rv_s3_call *c, rv_error *err);

/* ---- headers.c: what goes with an object, and what comes back ---- */

rv_status rv_s3_add_object(rv_s3_call *c, const rv_store_write *w, rv_error *err) RV_MUST_USE;
rv_status rv_s3_add_encryption(rv_s3_call *c, rv_error *err) RV_MUST_USE;
rv_status rv_s3_add_condition(rv_s3_call *c, rv_store_condition condition, const char *version,
                              rv_error *err) RV_MUST_USE;
/* x-amz-checksum-crc32c of the body, on the service itself; its base64 into out, "" elsewhere. */
#define RV_S3_CRC_SIZE 9
rv_status rv_s3_add_crc(rv_s3_call *c, char out[RV_S3_CRC_SIZE], rv_error *err) RV_MUST_USE;
/* An ETag without its quotes; ptr NULL when absent. */
rv_str rv_s3_etag(const rv_http_response *r);
rv_str rv_s3_unquote(rv_str etag);
bool rv_s3_is_kms(const rv_http_response *r);
bool rv_s3_is_md5(rv_str text); /* 32 hex digits */
/* Compares what the store says with what was sent: RV_E_DEST_CORRUPT. `etag` is compared with `md5`
 * but where it is none (KMS), `theirs` with `crc` where both are told. *told: something was. */
typedef struct rv_s3_sums {
    rv_str etag, theirs;
    const char *md5, *crc;
} rv_s3_sums;
rv_status rv_s3_compare(const rv_s3_call *c, const rv_s3_sums *sums, bool *told,
                        rv_error *err) RV_MUST_USE;
/* The same of a body's own answer. */
rv_status rv_s3_compare_body(const rv_s3_call *c, const char *md5, const char *crc, bool *told,
                             rv_error *err) RV_MUST_USE;
/* The object's size by a HEAD, where nothing else was told; denied: fine. RV_E_DEST_CORRUPT. */
rv_status rv_s3_compare_size(rv_store *s, rv_http *h, const char *name, uint64_t size_bytes,
                             rv_error *err) RV_MUST_USE;

/* ---- object.c, copy.c, list.c, upload.c: the requests of store.h ---- */

rv_status rv_s3_put(rv_store *s, rv_http *h, const rv_store_write *w, rv_store_outcome *out,
                    rv_error *err);
rv_status rv_s3_head(rv_store *s, rv_http *h, const char *name, rv_object *out,
                     rv_store_outcome *outcome, rv_error *err);
rv_status rv_s3_get(rv_store *s, rv_http *h, const char *name, uint64_t offset, uint64_t len,
                    rv_sink sink, rv_store_outcome *outcome, rv_error *err);
rv_status rv_s3_remove(rv_store *s, rv_http *h, const char *name, const char *version,
                       rv_store_outcome *outcome, rv_error *err);
rv_status rv_s3_copy(rv_store *s, rv_http *h, const char *from, const rv_object *version,
                     const char *to, rv_store_outcome *outcome, rv_error *err);
rv_status rv_s3_list(rv_store *s, rv_http *h, const char *dir, rv_store_page *io, rv_error *err);
/* A key of a listing as it is; out is cleared first. */
rv_status rv_s3_decode(rv_str text, bool encoded, rv_buf *out, rv_error *err) RV_MUST_USE;
rv_status rv_s3_upload_begin(rv_store *s, rv_http *h, const rv_store_write *w, rv_buf *upload_id,
                             rv_store_outcome *outcome, rv_error *err);
rv_status rv_s3_upload_part(rv_store *s, rv_http *h, const rv_store_write *w, const char *upload_id,
                            rv_store_piece *io, rv_store_outcome *outcome, rv_error *err);
rv_status rv_s3_upload_finish(rv_store *s, rv_http *h, const rv_store_write *w,
                              const char *upload_id, const rv_store_piece *pieces, size_t n,
                              rv_store_outcome *outcome, rv_error *err);
rv_status rv_s3_upload_abort(rv_store *s, rv_http *h, const char *name, const char *upload_id,
                             rv_store_outcome *outcome, rv_error *err);

/* ---- upload.c, for copies in parts ---- */

/* Sends CreateMultipartUpload as `c` was made ready. */
rv_status rv_s3_begin_parts(rv_s3_call *c, rv_buf *upload_id, rv_store_outcome *outcome,
                            rv_error *err) RV_MUST_USE;
/* What a piece is called: the ETag (no quotes), a blank, the CRC-32C (may be empty). */
rv_status rv_s3_tag(rv_str etag, const char *crc, char out[128], rv_error *err) RV_MUST_USE;
/* What a finished upload says of itself, borrowed from the call's arena. */
typedef struct rv_s3_finished {
    rv_str etag; /* no quotes */
    rv_str crc;  /* of the parts' CRC-32Cs, "-" and their number; len 0: not told */
} rv_s3_finished;
/* Sends CompleteMultipartUpload. */
rv_status rv_s3_finish_parts(rv_s3_call *c, const char *upload_id, const rv_store_piece *pieces,
                             size_t n, rv_s3_finished *out, rv_store_outcome *outcome,
                             rv_error *err) RV_MUST_USE;

#endif
