#include "rvtest.h"

#include "base/clock.h"
#include "faketest.h"

#define WAITER "pid 4711 (ALTER TABLE t) waits"

/* A read that hangs while somebody waits for it. */
static void someone_waits(int64_t rows)
{
    fake_begin(rows);
    fake.steps[2] = (fake_step){.kind = FAKE_HANG, .rows = 77};
    fake.n_steps = 3;
    fake.waiter = WAITER;
}

RV_TEST(a_page_goes_on_in_a_new_statement)
{
    someone_waits(5000);
    fake_result r = fake_run(FAST, "");
    CHECK_EQ(r.code, 0);
    CHECK_STR(r.error.text, "");
    CHECK_EQ(r.rows, 5000);
    CHECK_EQ(r.sum, WHOLE(5000));
    CHECK(strstr(r.journal, "blocking") != NULL);
    CHECK(strstr(r.journal, "4711") != NULL);
    CHECK_EQ(fake.opened, fake.closed);
    rv_free(r.journal);
}

static void gives_up(rv_shape shape, size_t step, const char *keys)
{
    someone_waits(5000);
    fake.shape = shape;
    fake.steps[step] = fake.steps[2];
    int64_t began_us = rv_clock_mono_us();
    fake_result r = fake_run(FAST, keys);
    CHECK(rv_clock_mono_us() - began_us < 2000000);
    CHECK_EQ(r.code, 2);
    CHECK_EQ(r.error.code, RV_E_SOURCE_BLOCKING);
    CHECK(strstr(r.error.text, WAITER) != NULL);
    CHECK_EQ(r.rows, 0);
    CHECK_EQ(fake.opened, fake.closed);
    rv_free(r.journal);
}

RV_TEST(a_cursor_gives_up)
{
    gives_up(RV_SHAPE_CURSOR, 0, "");
}

RV_TEST(a_snapshot_gives_up)
{
    gives_up(RV_SHAPE_PAGES, 2, ", consistency: snapshot");
}

RV_TEST(addresses_give_up)
{
    gives_up(RV_SHAPE_RANGES, 2, "");
}

RV_TEST(workers_of_a_snapshot_give_up)
{
    gives_up(RV_SHAPE_PAGES, 2,
             ", consistency: snapshot, mode: chunked, chunk_column: id, chunk_size: 500, parallel: "
             "3");
}

/* Between two FETCHes nothing runs that could be interrupted. */
RV_TEST(a_resting_cursor_gives_up)
{
    fake_begin(5000);
    fake.shape = RV_SHAPE_CURSOR;
    fake.pieces_of = 500;
    fake.waiter = WAITER;
    fake_result r = fake_run(", throttle_ms: 60000, batch_size: 1000", "");
    CHECK_EQ(r.code, 2);
    CHECK_EQ(r.error.code, RV_E_SOURCE_BLOCKING);
    rv_free(r.journal);
}

RV_TEST(who_may_not_look_is_told_at_the_start)
{
    fake_begin(5000);
    fake.shape = RV_SHAPE_CURSOR;
    fake.row_ms = 100;
    fake.may_not_look = true;
    fake_result r = fake_run(FAST, "");
    CHECK_EQ(r.code, 0);
    CHECK(strstr(r.journal, "may not see who waits") != NULL);
    CHECK_EQ(fake.asked, 1);
    rv_free(r.journal);
}

RV_TEST(short_pages_need_no_second_connection)
{
    fake_begin(20000);
    fake_result r = fake_run(FAST, "");
    CHECK_EQ(r.code, 0);
    CHECK_EQ(fake.opened, 1);
    rv_free(r.journal);
}

RV_TEST_MAIN(RV_CASE(a_page_goes_on_in_a_new_statement), RV_CASE(a_cursor_gives_up),
             RV_CASE(a_snapshot_gives_up), RV_CASE(addresses_give_up),
             RV_CASE(workers_of_a_snapshot_give_up), RV_CASE(a_resting_cursor_gives_up),
             RV_CASE(who_may_not_look_is_told_at_the_start),
             RV_CASE(short_pages_need_no_second_connection))
