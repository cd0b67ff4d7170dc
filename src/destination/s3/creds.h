/* destination/s3/creds.h: where the keys of a store come from, and the ones in use now.
 * Threads: any number at once; a renewal is made by one of them, the others wait.
 * Secrets: see keys.h; no text of a log or an error shows one.
 * Source: spec "destinations" section 4. */
#ifndef RV_DESTINATION_S3_CREDS_H
#define RV_DESTINATION_S3_CREDS_H

#include "config/config.h"
#include "destination/s3/keys.h"

typedef struct rv_s3_creds rv_s3_creds;

/* Chooses the step of the chain and reads what it needs of files and variables; sends nothing.
 *   fails  RV_E_DEST_AUTH: a variable or profile that is named is missing; nothing is left to try
 */
rv_status rv_s3_creds_open(const rv_env *env, const rv_cfg_dest *cfg, rv_s3_creds **out,
                           rv_error *err) RV_MUST_USE;
void rv_s3_creds_close(rv_s3_creds *c); /* wipes */
/* The keys in use; fetches them when there are none, and 5 minutes before their end. `region`: of
 * the store, for STS; may be "". The caller drops them.
 *   fails  RV_E_DEST_AUTH, RV_E_DEST_UNREACHABLE, RV_E_DEST_TLS, RV_E_INTERRUPTED, RV_E_MEMORY */
rv_status rv_s3_creds_take(rv_s3_creds *c, const char *region, rv_s3_keys **out,
                           rv_error *err) RV_MUST_USE;
/* A server did not take these keys. True: the next take may give others. */
bool rv_s3_creds_refused(rv_s3_creds *c, const rv_s3_keys *keys);
/* "profile 'prod'", "environment", "instance metadata"...; ", assumed role arn:..." behind it. */
const char *rv_s3_creds_where(const rv_s3_creds *c);

/* The region by AWS_REGION, AWS_DEFAULT_REGION and the profile (of `cfg`, else of the environment);
 * NULL when none of them has one. Into the arena. */
rv_status rv_s3_region_find(const rv_env *env, const rv_cfg_dest *cfg, rv_arena *arena,
                            const char **out, rv_error *err) RV_MUST_USE;
/* The region by instance metadata; RV_E_CONFIG_DESTINATION when there is none. */
#define RV_S3_REGION_SIZE 64
rv_status rv_s3_region_fetch(const rv_env *env, char out[RV_S3_REGION_SIZE],
                             rv_error *err) RV_MUST_USE;
bool rv_s3_instance_off(const rv_env *env); /* AWS_EC2_METADATA_DISABLED: nobody is asked */

#endif
