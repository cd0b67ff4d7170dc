/* conformance/store.h: what every object store must do request by request, over its table
 * (destination/cloud/store.h). The protocol above it has its own cases in destination.h.
 * Source: the contract in store.h. */
#ifndef RV_TEST_CONFORMANCE_STORE_H
#define RV_TEST_CONFORMANCE_STORE_H

#include "destination/cloud/store.h"

typedef struct store_fixture {
    const rv_store_ops *ops;
    rv_env *env;
    /* Opens the store over this bucket; NULL: the one that is there. */
    rv_store *(*open)(void *ctx, const char *bucket);
    void *ctx;
    /* For the protocol above it: its driver, and what that opens; env->tmp_dir has to be set. */
    const rv_dest_driver *driver;
    const rv_cfg_dest *cfg;
} store_fixture;

/* Runs all cases; failures are reported through rvtest. */
void conformance_store(const store_fixture *f);
/* The cases of destination.h over this store, in one request each and in parts. */
void conformance_store_protocol(const store_fixture *f);

#endif
