/* destination/s3/keys.h: one set of AWS keys: from text, from the JSON of a metadata service or a
 * credential_process, from the XML of STS.
 * Owner: counted; whoever took one drops it, the last drop wipes. Threads: a set never changes.
 * Secrets: the secret key and the token are in env->secrets before anybody holds them. */
#ifndef RV_DESTINATION_S3_KEYS_H
#define RV_DESTINATION_S3_KEYS_H

#include <stdatomic.h>

#include "base/env.h"

typedef struct rv_s3_keys {
    atomic_uint owners;
    uint64_t serial; /* of the chain; set by it */
    char *access, *secret;
    char *token;      /* NULL: none */
    int64_t until_us; /* 0: not told */
} rv_s3_keys;

typedef struct rv_s3_key_texts { /* borrowed, blanks around them do not count */
    rv_str access, secret, token;
    int64_t until_us;
} rv_s3_key_texts;

/* `what` names the source in errors: "profile 'prod'". Empty keys and control characters:
 * RV_E_DEST_AUTH, no text shown. One owner. */
rv_status rv_s3_keys_new(const rv_env *env, const char *what, const rv_s3_key_texts *texts,
                         rv_s3_keys **out, rv_error *err) RV_MUST_USE;
/* AccessKeyId, SecretAccessKey, Token or SessionToken, Expiration; `member` names the object that
 * holds them, NULL = the root. A Code other than Success, a Version other than 1: RV_E_DEST_AUTH.
 */
rv_status rv_s3_keys_json(const rv_env *env, const char *what, rv_bytes json, const char *member,
                          rv_s3_keys **out, rv_error *err) RV_MUST_USE;
/* The Credentials in an answer of STS. */
rv_status rv_s3_keys_sts(const rv_env *env, const char *what, rv_bytes xml, rv_s3_keys **out,
                         rv_error *err) RV_MUST_USE;
rv_s3_keys *rv_s3_keys_take(rv_s3_keys *k);
void rv_s3_keys_drop(rv_s3_keys *k); /* NULL: nothing */

/* Overwrites and frees. */
void rv_s3_wipe(rv_buf *b);

#endif
