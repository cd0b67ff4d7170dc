/* base/queue.h: a bounded queue of pointers that hands over ownership.
 * Threads: any number of producers and consumers. */
#ifndef RV_BASE_QUEUE_H
#define RV_BASE_QUEUE_H

#include "base/error.h"

typedef struct rv_queue rv_queue;

rv_status rv_queue_open(unsigned capacity, rv_queue **out, rv_error *err) RV_MUST_USE;
void rv_queue_close(rv_queue *q); /* no thread may be inside; items left are the caller's loss */
/* Waits for room. False when the queue was shut: the item stays the caller's. */
bool rv_queue_put(rv_queue *q, void *item) RV_MUST_USE;
/* Waits for an item. False when shut and empty. */
bool rv_queue_get(rv_queue *q, void **out) RV_MUST_USE;
bool rv_queue_try_get(rv_queue *q, void **out) RV_MUST_USE;
void rv_queue_shut(rv_queue *q); /* no more puts; gets drain what is there */

#endif
