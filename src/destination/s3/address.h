/* destination/s3/address.h: under which host and path a bucket is reached.
 * Pure functions, any thread. Source: "Virtual hosting of buckets" of the S3 user guide, spec
 * "destinations" sections 2 and 5. */
#ifndef RV_DESTINATION_S3_ADDRESS_H
#define RV_DESTINATION_S3_ADDRESS_H

#include "base/arena.h"
#include "config/config.h"

typedef struct rv_s3_address {
    const char *bucket;
    const char *endpoint; /* base URL without a trailing slash; "" = the service's own */
    bool path_style;
    bool aws; /* the service itself, also by an endpoint that names it */
    bool tls;
} rv_s3_address;

/* `endpoint` as rv_store_endpoint gives it, "" without. Texts go into the arena.
 *   fails  RV_E_CONFIG_DESTINATION: a bucket's name that no host or path can hold */
rv_status rv_s3_address_read(const rv_cfg_dest *cfg, const char *endpoint, rv_arena *arena,
                             rv_s3_address *out, rv_error *err) RV_MUST_USE;

typedef struct rv_s3_url {
    const char *url;  /* without a query */
    const char *host; /* as the Host header has it */
    const char *path; /* part of url */
} rv_s3_url;

/* key NULL: the bucket. */
rv_status rv_s3_url_make(const rv_s3_address *a, const char *region, const char *key,
                         rv_arena *arena, rv_s3_url *out, rv_error *err) RV_MUST_USE;
/* "bucket/key" with what a header's value may not hold percent-encoded: a source of a copy. */
rv_status rv_s3_copy_source(const rv_s3_address *a, const char *key, rv_arena *arena,
                            const char **out, rv_error *err) RV_MUST_USE;

#endif
