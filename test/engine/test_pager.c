#include "rvtest.h"

#include "engine/pager.h"

static rv_cfg_tuning balanced(void)
{
    return (rv_cfg_tuning){
        .profile = RV_BALANCED, .batch_memory_mb = 32, .throttle_ms = 50, .target_query_ms = 100};
}

RV_TEST(the_first_statement_is_small)
{
    rv_pager p;
    rv_cfg_tuning t = balanced();
    rv_pager_init(&p, &t, 100, 1);
    CHECK_EQ(rv_pager_ask(&p, 0), 500);
    CHECK_EQ(rv_pager_ask(&p, 7), 7);
    CHECK_EQ(rv_pager_cut_us(&p), 200000);
    CHECK_EQ(rv_pager_cut_bytes(&p), 6 << 20);
}

RV_TEST(ceilings)
{
    rv_pager p;
    rv_cfg_tuning t = balanced();
    rv_pager_init(&p, &t, 1, 1);
    CHECK_EQ(p.ceiling, 150000); /* clamp of a profile's target */
    t.batch_memory_written = true;
    rv_pager_init(&p, &t, 1, 1);
    CHECK_EQ(p.ceiling, 500000);
    t = balanced();
    t.batch_size_written = true;
    t.batch_size = 3;
    rv_pager_init(&p, &t, 1, 1);
    CHECK_EQ(rv_pager_ask(&p, 0), 3);
    CHECK(!rv_pager_done(&p, 3, 300, 10));
    CHECK_EQ(rv_pager_ask(&p, 0), 3);
}

RV_TEST(pages_grow_towards_the_target_and_shrink_when_slow)
{
    rv_pager p;
    rv_cfg_tuning t = balanced();
    rv_pager_init(&p, &t, 100, 1);
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
    rv_pager_init(&p, &t, 100, 1);
    (void)rv_pager_done(&p, 500, 500 * 20000, 20000);
    CHECK_EQ(rv_pager_ask(&p, 0), 209);
}

RV_TEST(failures_shrink_and_twenty_good_pages_grow)
{
    rv_pager p;
    rv_cfg_tuning t = balanced();
    rv_pager_init(&p, &t, 100, 1);
    for (int i = 0; i < 10; i++)
        (void)rv_pager_done(&p, 1000, 100000, 1000);
    uint64_t before = rv_pager_ask(&p, 0);
    rv_pager_failed(&p, RV_RETRY_M);
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
    rv_pager_init(&p, &t, 1000, 1);
    uint64_t whole = rv_pager_pause_us(&p, p.ceiling);
    CHECK_EQ(whole, 50000);
    CHECK_EQ(rv_pager_pause_us(&p, p.ceiling / 2) * 2, whole);
}

RV_TEST(the_cap_has_a_floor)
{
    rv_pager p;
    rv_cfg_tuning t = balanced();
    rv_pager_init(&p, &t, 1000, 1);
    for (int i = 0; i < 10; i++)
        rv_pager_halve_cap(&p);
    CHECK_EQ(p.cap_bytes, 256 * 1024);
}

RV_TEST_MAIN(RV_CASE(the_first_statement_is_small), RV_CASE(ceilings),
             RV_CASE(pages_grow_towards_the_target_and_shrink_when_slow),
             RV_CASE(wide_rows_meet_the_byte_cap),
             RV_CASE(failures_shrink_and_twenty_good_pages_grow),
             RV_CASE(the_pause_depends_on_rows_not_on_pages), RV_CASE(the_cap_has_a_floor))
