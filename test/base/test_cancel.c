#include "base/cancel.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "sweep.h"

RV_TEST(before_and_after_the_raise)
{
    rv_cancel *c = NULL;
    rv_error err;
    REQUIRE(rv_cancel_open(&c, &err) == RV_OK);
    CHECK(!rv_cancel_raised(c));
    CHECK_EQ(rv_cancel_signal(c), 0);
    CHECK_EQ(rv_cancel_check(c, &err), RV_OK);
    CHECK(rv_cancel_sleep_us(c, 1000));
    CHECK(rv_cancel_sleep_us(c, -5));
    rv_cancel_raise(c, SIGTERM);
    rv_cancel_raise(c, SIGINT);
    CHECK(rv_cancel_raised(c));
    CHECK_EQ(rv_cancel_signal(c), SIGTERM); /* the first one counts */
    CHECK_EQ(rv_cancel_check(c, &err), RV_E_INTERRUPTED);
    CHECK_STR(err.text, "interrupted by SIGTERM");
    int64_t start = rv_clock_mono_us();
    CHECK(!rv_cancel_sleep_us(c, 60000000));
    CHECK(rv_clock_mono_us() - start < 10000000);
    rv_cancel_close(c);
    rv_cancel_close(NULL);
}

RV_TEST(no_cancel_is_never_cancelled)
{
    CHECK(!rv_cancel_raised(NULL));
    CHECK_EQ(rv_cancel_signal(NULL), 0);
    CHECK_EQ(rv_cancel_check(NULL, NULL), RV_OK);
    CHECK(rv_cancel_sleep_us(NULL, 500));
}

RV_TEST(sleep_takes_its_time)
{
    rv_cancel *c = NULL;
    REQUIRE(rv_cancel_open(&c, NULL) == RV_OK);
    int64_t start = rv_clock_mono_us();
    CHECK(rv_cancel_sleep_us(c, 20000));
    CHECK(rv_clock_mono_us() - start >= 20000);
    rv_cancel_close(c);
}

static void *raise_soon(void *arg)
{
    (void)usleep(20000);
    rv_cancel_raise(arg, SIGINT);
    return NULL;
}

static void *sleep_long(void *arg)
{
    return rv_cancel_sleep_us(arg, 60000000) ? arg : NULL;
}

RV_TEST(a_raise_wakes_every_sleeper)
{
    rv_cancel *c = NULL;
    pthread_t raiser, sleepers[3];
    REQUIRE(rv_cancel_open(&c, NULL) == RV_OK);
    int64_t start = rv_clock_mono_us();
    for (unsigned i = 0; i < 3; i++)
        REQUIRE(pthread_create(&sleepers[i], NULL, sleep_long, c) == 0);
    REQUIRE(pthread_create(&raiser, NULL, raise_soon, c) == 0);
    for (unsigned i = 0; i < 3; i++) {
        void *slept = c;
        (void)pthread_join(sleepers[i], &slept);
        CHECK(slept == NULL);
    }
    (void)pthread_join(raiser, NULL);
    CHECK(rv_clock_mono_us() - start < 30000000);
    rv_cancel_close(c);
}

static void count_hook(void *ctx)
{
    atomic_fetch_add((atomic_int *)ctx, 1);
}

RV_TEST(hooks_run_once_until_removed)
{
    rv_cancel *c = NULL;
    atomic_int kept = 0, removed = 0, late = 0;
    REQUIRE(rv_cancel_open(&c, NULL) == RV_OK);
    int a = rv_cancel_hook_add(c, count_hook, &kept);
    int b = rv_cancel_hook_add(c, count_hook, &removed);
    CHECK(a >= 0 && b >= 0 && a != b);
    rv_cancel_hook_remove(c, b);
    rv_cancel_hook_remove(c, b);
    rv_cancel_raise(c, SIGINT);
    rv_cancel_raise(c, SIGINT);
    CHECK_EQ(kept, 1);
    CHECK_EQ(removed, 0);
    int l = rv_cancel_hook_add(c, count_hook, &late);
    CHECK_EQ(late, 1);
    rv_cancel_raise(c, SIGINT);
    CHECK_EQ(late, 1);
    rv_cancel_hook_remove(c, a);
    rv_cancel_hook_remove(c, l);
    rv_cancel_hook_remove(c, -1);
    rv_cancel_hook_remove(c, 512);
    rv_cancel_hook_remove(NULL, 0);
    rv_cancel_close(c);
}

RV_TEST(five_hundred_and_twelve_hooks_fit)
{
    rv_cancel *c = NULL;
    atomic_int runs = 0;
    int slots[512];
    REQUIRE(rv_cancel_open(&c, NULL) == RV_OK);
    for (unsigned i = 0; i < 512; i++)
        CHECK((slots[i] = rv_cancel_hook_add(c, count_hook, &runs)) >= 0);
    CHECK_EQ(rv_cancel_hook_add(c, count_hook, &runs), -1);
    rv_cancel_hook_remove(c, slots[17]);
    CHECK(rv_cancel_hook_add(c, count_hook, &runs) >= 0);
    rv_cancel_raise(c, SIGINT);
    CHECK_EQ(runs, 512);
    rv_cancel_close(c);
}

typedef struct hook_state {
    atomic_int alive; /* 1 while the hook may run */
    atomic_int runs;
} hook_state;

static void living_hook(void *ctx)
{
    hook_state *h = ctx;
    (void)usleep(50);
    if (!atomic_load(&h->alive))
        CHECK(false && "a removed hook never runs");
    atomic_fetch_add(&h->runs, 1);
}

static void *add_and_remove(void *arg)
{
    for (unsigned i = 0; i < 200; i++) {
        hook_state h = {1, 0};
        int slot = rv_cancel_hook_add(arg, living_hook, &h);
        rv_cancel_hook_remove(arg, slot);
        atomic_store(&h.alive, 0);
        if (atomic_load(&h.runs) > 1)
            CHECK(false && "a hook runs once");
    }
    return NULL;
}

RV_TEST(hooks_come_and_go_while_raised)
{
    for (unsigned round = 0; round < 10; round++) {
        rv_cancel *c = NULL;
        pthread_t threads[3];
        REQUIRE(rv_cancel_open(&c, NULL) == RV_OK);
        for (unsigned i = 0; i < 3; i++)
            REQUIRE(pthread_create(&threads[i], NULL, add_and_remove, c) == 0);
        (void)usleep(200);
        rv_cancel_raise(c, SIGINT);
        for (unsigned i = 0; i < 3; i++)
            (void)pthread_join(threads[i], NULL);
        rv_cancel_close(c);
    }
}

/* A handler has no argument; this stands in for the one a program would keep. */
static rv_cancel *handler_cancel;

static void handler(int signo)
{
    rv_cancel_raise(handler_cancel, signo);
}

RV_TEST(a_signal_handler_may_raise)
{
    atomic_int runs = 0;
    REQUIRE(rv_cancel_open(&handler_cancel, NULL) == RV_OK);
    CHECK(rv_cancel_hook_add(handler_cancel, count_hook, &runs) >= 0);
    struct sigaction act = {.sa_handler = handler}, old;
    REQUIRE(sigaction(SIGALRM, &act, &old) == 0);
    struct itimerval soon = {.it_value = {.tv_usec = 20000}};
    (void)setitimer(ITIMER_REAL, &soon, NULL);
    CHECK(!rv_cancel_sleep_us(handler_cancel, 60000000));
    (void)sigaction(SIGALRM, &old, NULL);
    CHECK_EQ(rv_cancel_signal(handler_cancel), SIGALRM);
    CHECK_EQ(runs, 1);
    rv_cancel_close(handler_cancel);
}

static rv_status open_one(void)
{
    rv_cancel *c = NULL;
    rv_status st = rv_cancel_open(&c, NULL);
    rv_cancel_close(c);
    return st;
}

RV_TEST(allocation_sweep)
{
    sweep_alloc(open_one);
}

RV_TEST(work_being_committed_has_a_grace_period)
{
    rv_cancel *c = NULL;
    REQUIRE(rv_cancel_open(&c, NULL) == RV_OK);
    CHECK_EQ(rv_cancel_grace_us(c), 10000000);
    CHECK_EQ(rv_cancel_grace_us(NULL), 10000000);
    CHECK(!rv_cancel_overdue(c));
    CHECK(!rv_cancel_overdue(NULL));
    rv_cancel_set_grace_us(c, 60000);
    rv_cancel_raise(c, 15);
    CHECK(!rv_cancel_overdue(c));
    (void)usleep(40000);
    rv_cancel_raise(c, 15); /* a second raise prolongs nothing */
    (void)usleep(40000);
    CHECK(rv_cancel_overdue(c));
    rv_cancel_close(c);
    REQUIRE(rv_cancel_open(&c, NULL) == RV_OK);
    rv_cancel_set_grace_us(c, 0);
    CHECK(!rv_cancel_overdue(c));
    rv_cancel_raise(c, 15);
    CHECK(rv_cancel_overdue(c));
    rv_cancel_close(c);
}

RV_TEST_MAIN(RV_CASE(work_being_committed_has_a_grace_period), RV_CASE(before_and_after_the_raise),
             RV_CASE(no_cancel_is_never_cancelled), RV_CASE(sleep_takes_its_time),
             RV_CASE(a_raise_wakes_every_sleeper), RV_CASE(hooks_run_once_until_removed),
             RV_CASE(five_hundred_and_twelve_hooks_fit), RV_CASE(hooks_come_and_go_while_raised),
             RV_CASE(a_signal_handler_may_raise), RV_CASE(allocation_sweep))
