/* engine/adaptive.h: tuning.adaptive for batch sizes: every 10 batches the server's counter is
 * compared with its previous reading. Pure; one per worker.
 * Source: spec "source-safety" section 8. */
#ifndef RV_ENGINE_ADAPTIVE_H
#define RV_ENGINE_ADAPTIVE_H

#include "engine/pager.h"

typedef struct rv_adaptive {
    bool on;
    bool have; /* a previous reading */
    int64_t last;
    unsigned batches;
} rv_adaptive;

/* A batch was read; true: the counter is wanted now. */
bool rv_adaptive_due(rv_adaptive *a);
/* The counter; unreadable readings change nothing. True when the ceiling changed. */
bool rv_adaptive_reading(rv_adaptive *a, bool readable, int64_t value, rv_pager *pager);

#endif
