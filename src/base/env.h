/* base/env.h: what a room may take from outside. One per process, borrowed everywhere,
 * outlives everything. No room reads getenv or keeps a mutable global. */
#ifndef RV_BASE_ENV_H
#define RV_BASE_ENV_H

#include "base/cancel.h"
#include "base/log.h"
#include "base/secret.h"

typedef struct rv_env {
    rv_log *log;         /* may be NULL: silent */
    rv_cancel *cancel;   /* may be NULL: never cancelled */
    rv_secrets *secrets; /* may be NULL */
    /* Wall clock in µs UTC; tests replace it. NULL = rv_clock_now_us. */
    int64_t (*now_us)(void *ctx);
    void *now_ctx;
    const char *(*getenv)(void *ctx, const char *name); /* NULL = none set */
    void *getenv_ctx;
    const char *tmp_dir; /* spool directory, absolute */
} rv_env;

int64_t rv_env_now_us(const rv_env *env);
const char *rv_env_get(const rv_env *env, const char *name); /* NULL when unset */
/* Random bytes from the system; never fails on a system Rivet runs on. */
rv_status rv_env_random(void *out, size_t len, rv_error *err) RV_MUST_USE;

#endif
