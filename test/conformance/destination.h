/* conformance/destination.h: what every destination with objects must do, over its vtable.
 * A driver's test gives a fixture and runs the cases; none of them knows which store it is.
 * Source: spec "destinations" section 1. */
#ifndef RV_TEST_CONFORMANCE_DESTINATION_H
#define RV_TEST_CONFORMANCE_DESTINATION_H

#include "destination/destination.h"

/* The kind of a driver that the registry does not list. */
#define CONFORMANCE_UNLISTED ((rv_dest_kind)99)

typedef struct conformance_fixture {
    const rv_dest_driver *driver;
    /* Opens a destination under an empty prefix of its own; every call a new one. */
    rv_dest *(*open)(void *ctx);
    /* Puts an object of somebody else there, without an owner of ours. */
    bool (*plant)(void *ctx, const char *key, const char *content);
    /* A local file for a spool, with this content; the path lives until the next call. */
    const char *(*spool)(void *ctx, rv_dest *d, const char *key, const char *content);
    void *ctx;
} conformance_fixture;

/* Runs all cases; failures are reported through rvtest. */
void conformance_destination(const conformance_fixture *f);

#endif
