#include "base/budget.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "sweep.h"

RV_TEST(taking_and_giving)
{
    rv_budget *b = NULL;
    REQUIRE(rv_budget_open(100, &b, NULL) == RV_OK);
    CHECK_EQ(rv_budget_take(b, 60, NULL, NULL), RV_OK);
    CHECK(rv_budget_try(b, 40));
    CHECK(rv_budget_try(b, 0));
    CHECK(!rv_budget_try(b, 1));
    rv_budget_give(b, 60);
    CHECK(!rv_budget_try(b, 61));
    CHECK(rv_budget_try(b, 60));
    rv_budget_give(b, 100);
    rv_budget_close(b);
    rv_budget_close(NULL);
}

RV_TEST(more_than_everything_is_granted_alone)
{
    rv_budget *b = NULL;
    REQUIRE(rv_budget_open(100, &b, NULL) == RV_OK);
    CHECK(rv_budget_try(b, 1));
    CHECK(!rv_budget_try(b, 1000));
    rv_budget_give(b, 1);
    CHECK(rv_budget_try(b, UINT64_MAX));
    CHECK(!rv_budget_try(b, 1));
    CHECK(!rv_budget_try(b, 0));
    rv_budget_give(b, UINT64_MAX);
    CHECK(rv_budget_try(b, 100));
    rv_budget_give(b, 100);
    rv_budget_close(b);
}

RV_TEST(a_cancel_ends_the_wait)
{
    rv_budget *b = NULL;
    rv_cancel *c = NULL;
    rv_error err;
    REQUIRE(rv_budget_open(10, &b, NULL) == RV_OK);
    REQUIRE(rv_cancel_open(&c, NULL) == RV_OK);
    CHECK_EQ(rv_budget_take(b, 10, c, &err), RV_OK);
    rv_cancel_raise(c, SIGTERM);
    CHECK_EQ(rv_budget_take(b, 1, c, &err), RV_E_INTERRUPTED);
    rv_budget_give(b, 10);
    CHECK(rv_budget_try(b, 10)); /* the cancelled wait took nothing */
    rv_budget_give(b, 10);
    rv_cancel_close(c);
    rv_budget_close(b);
}

typedef struct waiter {
    rv_budget *b;
    rv_cancel *c;
    rv_status st;
} waiter;

static void *take_seven(void *arg)
{
    waiter *w = arg;
    w->st = rv_budget_take(w->b, 7, w->c, NULL);
    return NULL;
}

RV_TEST(a_cancel_wakes_who_waits_already)
{
    waiter w = {.st = RV_OK};
    pthread_t thread;
    REQUIRE(rv_budget_open(10, &w.b, NULL) == RV_OK);
    REQUIRE(rv_cancel_open(&w.c, NULL) == RV_OK);
    CHECK(rv_budget_try(w.b, 10));
    REQUIRE(pthread_create(&thread, NULL, take_seven, &w) == 0);
    (void)usleep(10000);
    int64_t start = rv_clock_mono_us();
    rv_cancel_raise(w.c, SIGINT);
    (void)pthread_join(thread, NULL);
    CHECK(rv_clock_mono_us() - start < 10000000);
    CHECK_EQ(w.st, RV_E_INTERRUPTED);
    rv_cancel_close(w.c);
    rv_budget_close(w.b);
}

#define TOTAL 100

typedef struct crowd {
    rv_budget *b;
    rv_cancel *c;
    atomic_int out;
    atomic_bool broken;
} crowd;

static void *come_and_go(void *arg)
{
    crowd *w = arg;
    uint32_t seed = (uint32_t)(uintptr_t)&seed;
    for (unsigned i = 0; i < 400; i++) {
        seed = seed * 1664525U + 1013904223U;
        int bytes = (int)((seed >> 16) % 60) + (i % 37 == 0 ? TOTAL : 0);
        if (rv_budget_take(w->b, (uint64_t)bytes, i % 2 ? w->c : NULL, NULL) != RV_OK) {
            atomic_store(&w->broken, true);
            return NULL;
        }
        int out = atomic_fetch_add(&w->out, bytes) + bytes;
        if (out > TOTAL && out != bytes)
            atomic_store(&w->broken, true);
        if (i % 16 == 0)
            (void)usleep(20);
        atomic_fetch_sub(&w->out, bytes);
        rv_budget_give(w->b, (uint64_t)bytes);
    }
    return NULL;
}

RV_TEST(the_total_is_never_exceeded)
{
    static crowd w;
    pthread_t threads[4];
    REQUIRE(rv_budget_open(TOTAL, &w.b, NULL) == RV_OK);
    REQUIRE(rv_cancel_open(&w.c, NULL) == RV_OK);
    for (int i = 0; i < 4; i++)
        REQUIRE(pthread_create(&threads[i], NULL, come_and_go, &w) == 0);
    for (int i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
    CHECK(!w.broken);
    CHECK(rv_budget_try(w.b, TOTAL)); /* everything came back */
    rv_cancel_close(w.c);
    rv_budget_close(w.b);
}

static rv_status open_one(void)
{
    rv_budget *b = NULL;
    rv_status st = rv_budget_open(4, &b, NULL);
    rv_budget_close(b);
    return st;
}

RV_TEST(allocation_sweep)
{
    sweep_alloc(open_one);
}

RV_TEST_MAIN(RV_CASE(taking_and_giving), RV_CASE(more_than_everything_is_granted_alone),
             RV_CASE(a_cancel_ends_the_wait), RV_CASE(a_cancel_wakes_who_waits_already),
             RV_CASE(the_total_is_never_exceeded), RV_CASE(allocation_sweep))
