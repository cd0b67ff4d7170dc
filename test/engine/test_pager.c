#include "rvtest.h"

#include <stdio.h>

#include "engine/adaptive.h"

static rv_cfg_tuning balanced(void)
{
    return (rv_cfg_tuning){
        .profile = RV_BALANCED, .batch_memory_mb = 32, .throttle_ms = 50, .target_query_ms = 100};
}

static void init(rv_pager *p, const rv_cfg_tuning *t, uint64_t row_bytes)
{
    rv_pager_opts opts = {
        .tuning = t, .row_estimate_bytes = row_bytes, .workers = 1, .engine = RV_ENGINE_SQLITE};
    rv_pager_init(p, &opts);
}

static rv_error failure(rv_retry retry)
{
    return (rv_error){.code = RV_E_SOURCE_BUSY, .retry = retry};
}

RV_TEST(the_first_statement_is_small)
{
    rv_pager p;
    rv_cfg_tuning t = balanced();
    init(&p, &t, 100);
    CHECK_EQ(rv_pager_ask(&p, 0), 500);
    CHECK_EQ(rv_pager_ask(&p, 7), 7);
    CHECK_EQ(rv_pager_cut_us(&p), 200000);
    CHECK_EQ(rv_pager_cut_bytes(&p), 6 << 20);
}

RV_TEST(ceilings)
{
    rv_pager p;
    rv_cfg_tuning t = balanced();
    init(&p, &t, 1);
    CHECK_EQ(p.ceiling, 150000); /* clamp of a profile's target */
    t.batch_memory_written = true;
    init(&p, &t, 1);
    CHECK_EQ(p.ceiling, 500000);
    t = balanced();
    t.batch_size_written = true;
    t.batch_size = 3;
    init(&p, &t, 1);
    CHECK_EQ(rv_pager_ask(&p, 0), 3);
    CHECK(!rv_pager_done(&p, 3, 300, 10));
    CHECK_EQ(rv_pager_ask(&p, 0), 3);
}

RV_TEST(pages_grow_towards_the_target_and_shrink_when_slow)
{
    rv_pager p;
    rv_cfg_tuning t = balanced();
    init(&p, &t, 100);
    for (int i = 0; i < 20; i++) {
        uint64_t n = rv_pager_ask(&p, 0);
        (void)rv_pager_done(&p, n, n * 100, (int64_t)n * 2); /* 2 us a row */
    }
    CHECK_EQ(rv_pager_ask(&p, 0), 40000);            /* 0.8 T / 2 us, below the 4 MiB page cap */
    (void)rv_pager_done(&p, 40000, 4000000, 900000); /* suddenly 22 us a row */
    CHECK(rv_pager_ask(&p, 0) < 4000);
}

RV_TEST(wide_rows_meet_the_byte_cap)
{
    rv_pager p;
    rv_cfg_tuning t = balanced();
    init(&p, &t, 100);
    (void)rv_pager_done(&p, 500, 500 * 20000, 20000);
    CHECK_EQ(rv_pager_ask(&p, 0), 209);
}

RV_TEST(failures_shrink_and_twenty_good_pages_grow)
{
    rv_pager p;
    rv_cfg_tuning t = balanced();
    init(&p, &t, 100);
    for (int i = 0; i < 10; i++)
        (void)rv_pager_done(&p, 1000, 100000, 1000);
    uint64_t before = rv_pager_ask(&p, 0);
    rv_error memory = failure(RV_RETRY_M);
    rv_pager_failed(&p, &memory);
    CHECK_EQ(rv_pager_ask(&p, 0), before / 4);
    for (int i = 0; i < 19; i++)
        (void)rv_pager_done(&p, 1000, 100000, 1000);
    CHECK_EQ(rv_pager_ask(&p, 0), before / 4);
    (void)rv_pager_done(&p, 1000, 100000, 1000);
    CHECK_EQ(rv_pager_ask(&p, 0), before / 4 * 2);
}

RV_TEST(the_pause_depends_on_rows_not_on_pages)
{
    rv_pager p;
    rv_cfg_tuning t = balanced();
    init(&p, &t, 1000);
    uint64_t whole = rv_pager_pause_us(&p, p.ceiling);
    CHECK_EQ(whole, 50000);
    CHECK_EQ(rv_pager_pause_us(&p, p.ceiling / 2) * 2, whole);
}

RV_TEST(the_cap_has_a_floor)
{
    rv_pager p;
    rv_cfg_tuning t = balanced();
    init(&p, &t, 1000);
    for (int i = 0; i < 10; i++)
        rv_pager_halve_cap(&p);
    CHECK_EQ(p.cap_bytes, 256 * 1024);
}

RV_TEST(the_measured_ceiling_may_be_one_row)
{
    rv_pager p;
    rv_cfg_tuning t = balanced();
    init(&p, &t, 100);
    CHECK(rv_pager_done(&p, 1, 64u << 20, 1000));
    CHECK_EQ(p.ceiling, 1);
    CHECK_EQ(rv_pager_ask(&p, 0), 1);
}

RV_TEST(postgres_pages_have_a_hundred_rows_unless_bytes_forbid_it)
{
    rv_pager p;
    rv_cfg_tuning t = balanced();
    rv_pager_opts opts = {
        .tuning = &t, .row_estimate_bytes = 100, .workers = 1, .engine = RV_ENGINE_POSTGRES};
    rv_pager_init(&p, &opts);
    (void)rv_pager_done(&p, 500, 50000, 5000000); /* 10 ms a row */
    (void)rv_pager_done(&p, 250, 25000, 2500000);
    (void)rv_pager_done(&p, 125, 12500, 1250000);
    CHECK_EQ(rv_pager_ask(&p, 0), 100);
    rv_pager_init(&p, &opts);
    (void)rv_pager_done(&p, 500, 500 * 60000, 20000); /* 60 kB a row: 69 fill the cap */
    CHECK_EQ(rv_pager_ask(&p, 0), 69);
}

RV_TEST(without_cuts_everything_is_half)
{
    rv_pager p;
    rv_cfg_tuning t = balanced();
    rv_pager_opts opts = {
        .tuning = &t, .row_estimate_bytes = 100, .workers = 1, .cannot_cut = true};
    rv_pager_init(&p, &opts);
    CHECK_EQ(rv_pager_ask(&p, 0), 250);
    for (int i = 0; i < 20; i++) {
        uint64_t n = rv_pager_ask(&p, 0);
        (void)rv_pager_done(&p, n, n * 10, (int64_t)n * 4);
    }
    CHECK_EQ(rv_pager_ask(&p, 0), 10000); /* 0.4 T / 4 us */
    t.target_query_ms = 10;
    rv_pager_init(&p, &opts);
    CHECK_EQ(rv_pager_cut_us(&p), 100000); /* the server's limit is never below 100 ms */
}

RV_TEST(cuts_without_progress_end_at_the_floor)
{
    rv_pager p;
    rv_cfg_tuning t = balanced();
    init(&p, &t, 100);
    CHECK(rv_pager_paced(&p));
    CHECK_EQ(rv_pager_ask(&p, 0), 125);
    CHECK(rv_pager_paced(&p));
    CHECK_EQ(rv_pager_ask(&p, 0), 50);
    for (int i = 0; i < 3; i++) {
        CHECK(rv_pager_paced(&p));
        CHECK_EQ(rv_pager_cut_us(&p), 200000 << (i + 1)); /* the last resort is patience */
    }
    CHECK(!rv_pager_paced(&p));
    (void)rv_pager_done(&p, 50, 5000, 1000);
    CHECK_EQ(rv_pager_cut_us(&p), 200000);
}

RV_TEST(recovery_conflicts_halve_and_deadlocks_do_not)
{
    rv_pager p;
    rv_cfg_tuning t = balanced();
    init(&p, &t, 100);
    rv_error e = failure(RV_RETRY_D);
    (void)snprintf(e.native, sizeof e.native, "40P01");
    rv_pager_failed(&p, &e);
    CHECK_EQ(rv_pager_ask(&p, 0), 500);
    (void)snprintf(e.native, sizeof e.native, "40001");
    rv_pager_failed(&p, &e);
    CHECK_EQ(rv_pager_ask(&p, 0), 250);
}

RV_TEST(the_adaptive_ceiling)
{
    rv_pager p;
    rv_cfg_tuning t = balanced();
    t.batch_size_written = true;
    t.batch_size = 1000;
    init(&p, &t, 100);
    rv_pager_adapt(&p, true);
    CHECK_EQ(p.ceiling, 750);
    rv_pager_adapt(&p, true);
    rv_pager_adapt(&p, true);
    rv_pager_adapt(&p, true);
    CHECK_EQ(p.ceiling, 500); /* floor */
    rv_pager_adapt(&p, false);
    CHECK_EQ(p.ceiling, 625);
    for (int i = 0; i < 5; i++)
        rv_pager_adapt(&p, false);
    CHECK_EQ(p.ceiling, 1000); /* base */
}

RV_TEST(every_tenth_batch_is_compared)
{
    rv_pager p;
    rv_cfg_tuning t = balanced();
    rv_adaptive a = {.on = true};
    init(&p, &t, 100);
    unsigned due = 0;
    for (int i = 0; i < 25; i++)
        due += rv_adaptive_due(&a);
    CHECK_EQ(due, 2);
    uint64_t base = p.ceiling;
    CHECK(!rv_adaptive_reading(&a, true, 7, &p)); /* the first has nothing before it */
    CHECK(!rv_adaptive_reading(&a, false, 0, &p));
    CHECK(rv_adaptive_reading(&a, true, 8, &p));
    CHECK_EQ(p.ceiling, base - base / 4);
    a.on = false;
    for (int i = 0; i < 25; i++)
        CHECK(!rv_adaptive_due(&a));
}

RV_TEST_MAIN(RV_CASE(the_first_statement_is_small), RV_CASE(ceilings),
             RV_CASE(pages_grow_towards_the_target_and_shrink_when_slow),
             RV_CASE(wide_rows_meet_the_byte_cap),
             RV_CASE(failures_shrink_and_twenty_good_pages_grow),
             RV_CASE(the_pause_depends_on_rows_not_on_pages), RV_CASE(the_cap_has_a_floor),
             RV_CASE(the_measured_ceiling_may_be_one_row),
             RV_CASE(postgres_pages_have_a_hundred_rows_unless_bytes_forbid_it),
             RV_CASE(without_cuts_everything_is_half),
             RV_CASE(cuts_without_progress_end_at_the_floor),
             RV_CASE(recovery_conflicts_halve_and_deadlocks_do_not), RV_CASE(the_adaptive_ceiling),
             RV_CASE(every_tenth_batch_is_compared))
