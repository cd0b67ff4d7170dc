/* base/sink.h: where bytes go; a format writes to one, the engine decides what it is.
 * `self` is the implementer's; write takes every byte or fails. Not thread-safe. */
#ifndef RV_BASE_SINK_H
#define RV_BASE_SINK_H

#include "base/error.h"
#include "base/str.h"

typedef struct rv_sink {
    void *self;
    rv_status (*write)(void *self, rv_bytes data, rv_error *err);
} rv_sink;

#endif
