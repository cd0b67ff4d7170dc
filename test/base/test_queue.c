#include "base/queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "sweep.h"

RV_TEST(first_in_first_out)
{
    rv_queue *q = NULL;
    int items[7];
    void *got = NULL;
    REQUIRE(rv_queue_open(3, &q, NULL) == RV_OK);
    CHECK(!rv_queue_try_get(q, &got));
    CHECK(got == NULL);
    unsigned next_put = 0, next_get = 0;
    while (next_get < 7) { /* the ring wraps at different places */
        while (next_put < 7 && next_put - next_get < 3)
            CHECK(rv_queue_put(q, &items[next_put++]));
        CHECK(rv_queue_get(q, &got) && got == &items[next_get]);
        next_get++;
    }
    rv_queue_close(q);
    rv_queue_close(NULL);
}

RV_TEST(no_room_is_refused)
{
    rv_queue *q = NULL;
    rv_error err;
    CHECK_EQ(rv_queue_open(0, &q, &err), RV_E_INTERNAL);
    CHECK(q == NULL);
}

RV_TEST(shutting_drains)
{
    rv_queue *q = NULL;
    int item;
    void *got = NULL;
    REQUIRE(rv_queue_open(2, &q, NULL) == RV_OK);
    CHECK(rv_queue_put(q, &item));
    rv_queue_shut(q);
    rv_queue_shut(q);
    CHECK(!rv_queue_put(q, &item));
    CHECK(rv_queue_get(q, &got) && got == &item);
    CHECK(!rv_queue_get(q, &got));
    CHECK(!rv_queue_try_get(q, &got));
    rv_queue_close(q);
}

static void *put_one(void *arg)
{
    static int item;
    return rv_queue_put(arg, &item) ? arg : NULL;
}

static void *get_one(void *arg)
{
    void *got;
    return rv_queue_get(arg, &got) ? arg : NULL;
}

RV_TEST(shutting_wakes_both_sides)
{
    for (int side = 0; side < 2; side++) {
        rv_queue *q = NULL;
        pthread_t threads[3];
        int item;
        REQUIRE(rv_queue_open(1, &q, NULL) == RV_OK);
        if (side == 0)
            CHECK(rv_queue_put(q, &item)); /* full: putters wait */
        for (int i = 0; i < 3; i++)
            REQUIRE(pthread_create(&threads[i], NULL, side ? get_one : put_one, q) == 0);
        (void)usleep(10000);
        rv_queue_shut(q);
        for (int i = 0; i < 3; i++) {
            void *result = q;
            (void)pthread_join(threads[i], &result);
            CHECK(result == NULL);
        }
        rv_queue_close(q);
    }
}

#define ITEMS 2000

typedef struct traffic {
    rv_queue *q;
    unsigned char seen[3 * ITEMS];
    atomic_uint next;
    atomic_uint got;
} traffic;

static void *produce(void *arg)
{
    traffic *t = arg;
    for (unsigned i; (i = atomic_fetch_add(&t->next, 1)) < 3 * ITEMS;)
        if (!rv_queue_put(t->q, &t->seen[i]))
            return NULL;
    return NULL;
}

static void *consume(void *arg)
{
    traffic *t = arg;
    void *item;
    while (rv_queue_get(t->q, &item)) {
        ++*(unsigned char *)item; /* ours alone: a second owner would be a race */
        atomic_fetch_add(&t->got, 1);
    }
    return NULL;
}

RV_TEST(every_item_arrives_once)
{
    static traffic t;
    pthread_t threads[6];
    REQUIRE(rv_queue_open(5, &t.q, NULL) == RV_OK);
    for (int i = 0; i < 6; i++)
        REQUIRE(pthread_create(&threads[i], NULL, i < 3 ? produce : consume, &t) == 0);
    for (int i = 0; i < 3; i++)
        (void)pthread_join(threads[i], NULL);
    rv_queue_shut(t.q);
    for (int i = 3; i < 6; i++)
        (void)pthread_join(threads[i], NULL);
    CHECK_EQ(t.got, 3 * ITEMS);
    for (unsigned i = 0; i < 3 * ITEMS; i++)
        if (t.seen[i] != 1)
            CHECK(false && "each item was handed over once");
    rv_queue_close(t.q);
}

static rv_status open_one(void)
{
    rv_queue *q = NULL;
    rv_status st = rv_queue_open(4, &q, NULL);
    rv_queue_close(q);
    return st;
}

RV_TEST(allocation_sweep)
{
    sweep_alloc(open_one);
}

RV_TEST_MAIN(RV_CASE(first_in_first_out), RV_CASE(no_room_is_refused), RV_CASE(shutting_drains),
             RV_CASE(shutting_wakes_both_sides), RV_CASE(every_item_arrives_once),
             RV_CASE(allocation_sweep))
