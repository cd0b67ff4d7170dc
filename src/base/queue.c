#include "base/queue.h"

#include <pthread.h>

#include "base/mem.h"

struct rv_queue {
    pthread_mutex_t lock;
    pthread_cond_t room;
    pthread_cond_t items;
    void **ring; /* capacity slots */
    unsigned capacity;
    unsigned head; /* oldest item */
    unsigned count;
    bool shut;
};

rv_status rv_queue_open(unsigned capacity, rv_queue **out, rv_error *err)
{
    if (capacity == 0)
        return rv_fail(err, RV_E_INTERNAL, "a queue needs room for one item");
    rv_queue *q = rv_calloc(1, sizeof *q);
    void **ring = rv_calloc(capacity, sizeof *ring);
    if (!q || !ring) {
        rv_free(q);
        rv_free(ring);
        return rv_fail_memory(err);
    }
    /* with default attributes these cannot fail on Linux */
    (void)pthread_mutex_init(&q->lock, NULL);
    (void)pthread_cond_init(&q->room, NULL);
    (void)pthread_cond_init(&q->items, NULL);
    q->ring = ring;
    q->capacity = capacity;
    *out = q;
    return RV_OK;
}

void rv_queue_close(rv_queue *q)
{
    if (!q)
        return;
    (void)pthread_cond_destroy(&q->items);
    (void)pthread_cond_destroy(&q->room);
    (void)pthread_mutex_destroy(&q->lock);
    rv_free(q->ring);
    rv_free(q);
}

bool rv_queue_put(rv_queue *q, void *item)
{
    (void)pthread_mutex_lock(&q->lock);
    while (!q->shut && q->count == q->capacity)
        (void)pthread_cond_wait(&q->room, &q->lock);
    bool accepted = !q->shut;
    if (accepted) {
        unsigned until_end = q->capacity - q->head;
        unsigned tail = q->count < until_end ? q->head + q->count : q->count - until_end;
        q->ring[tail] = item;
        q->count++;
        (void)pthread_cond_signal(&q->items);
    }
    (void)pthread_mutex_unlock(&q->lock);
    return accepted;
}

static bool take_locked(rv_queue *q, void **out)
{
    if (q->count == 0)
        return false;
    *out = q->ring[q->head];
    q->head = q->head + 1 == q->capacity ? 0 : q->head + 1;
    q->count--;
    (void)pthread_cond_signal(&q->room);
    return true;
}

bool rv_queue_get(rv_queue *q, void **out)
{
    (void)pthread_mutex_lock(&q->lock);
    while (!q->shut && q->count == 0)
        (void)pthread_cond_wait(&q->items, &q->lock);
    bool got = take_locked(q, out);
    (void)pthread_mutex_unlock(&q->lock);
    return got;
}

bool rv_queue_try_get(rv_queue *q, void **out)
{
    (void)pthread_mutex_lock(&q->lock);
    bool got = take_locked(q, out);
    (void)pthread_mutex_unlock(&q->lock);
    return got;
}

void rv_queue_shut(rv_queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    q->shut = true;
    (void)pthread_cond_broadcast(&q->room);
    (void)pthread_cond_broadcast(&q->items);
    (void)pthread_mutex_unlock(&q->lock);
}
