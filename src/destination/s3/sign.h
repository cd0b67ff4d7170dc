/* destination/s3/sign.h: AWS Signature Version 4 in the Authorization header, as S3 and STS want
 * it: the path is encoded once and not normalised. Pure functions, any thread. Secrets: borrowed;
 * what is derived from them is wiped. Source: "AWS Signature Version 4" of the IAM user guide,
 * "Authenticating Requests" of the S3 API reference. */
#ifndef RV_DESTINATION_S3_SIGN_H
#define RV_DESTINATION_S3_SIGN_H

#include "base/buf.h"
#include "net/http.h"

#define RV_S3_UNSIGNED "UNSIGNED-PAYLOAD"
#define RV_S3_STAMP_SIZE 17 /* 20130524T000000Z */
#define RV_S3_HEX_SIZE 65

typedef struct rv_s3_signing {
    const char *access, *secret, *region, *service;
    const char *stamp;           /* also the value of x-amz-date */
    const char *method, *path;   /* path: encoded, as sent */
    const rv_http_header *query; /* names and values, not encoded */
    size_t n_query;
    const rv_http_header *headers; /* all of them are signed; host is one */
    size_t n_headers;
    const char *payload; /* SHA-256 in hex, or RV_S3_UNSIGNED */
} rv_s3_signing;

void rv_s3_stamp(int64_t now_us, char out[RV_S3_STAMP_SIZE]);
/* Encoded and sorted: what is signed and what is sent. Nothing for no pairs. */
rv_status rv_s3_query(const rv_http_header *pairs, size_t n, rv_buf *out,
                      rv_error *err) RV_MUST_USE;
/* The canonical request, for tests and the curious. */
rv_status rv_s3_canonical(const rv_s3_signing *s, rv_buf *out, rv_error *err) RV_MUST_USE;
/* The value of the Authorization header. */
rv_status rv_s3_authorization(const rv_s3_signing *s, rv_buf *out, rv_error *err) RV_MUST_USE;

#endif
