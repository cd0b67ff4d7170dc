#include "rvtest.h"

#include "engine/governor.h"
#include "faketest.h"

RV_TEST(the_rule)
{
    rv_governor_rule r = {0};
    bool say;
    CHECK_EQ(rv_governor_judge(&r, true, 5, &say), RV_MOVE_HOLD); /* nothing to compare with */
    CHECK_EQ(rv_governor_judge(&r, true, 6, &say), RV_MOVE_FEWER);
    CHECK_EQ(rv_governor_judge(&r, true, 6, &say), RV_MOVE_MORE);
    CHECK_EQ(rv_governor_judge(&r, true, 2, &say), RV_MOVE_MORE); /* fallen: a restart */
    CHECK_EQ(rv_governor_judge(&r, false, 0, &say), RV_MOVE_HOLD);
    CHECK_EQ(rv_governor_judge(&r, false, 0, &say), RV_MOVE_HOLD);
    CHECK(!say);
    CHECK_EQ(rv_governor_judge(&r, false, 0, &say), RV_MOVE_MORE); /* lost sight is no pressure */
    CHECK(say);
    CHECK_EQ(rv_governor_judge(&r, false, 0, &say), RV_MOVE_MORE);
    CHECK(!say); /* once */
    CHECK_EQ(rv_governor_judge(&r, true, 9, &say), RV_MOVE_FEWER);
}

RV_TEST(never_readable_is_said_at_the_start_only)
{
    rv_governor_rule r = {0};
    bool say;
    for (int i = 0; i < 5; i++) {
        (void)rv_governor_judge(&r, false, 0, &say);
        CHECK(!say);
    }
}

static const char chunks[] = ", mode: chunked, chunk_column: id, chunk_size: 50, parallel: 4";

static void whole(const fake_result *r, int64_t rows)
{
    CHECK_EQ(r->code, 0);
    CHECK_STR(r->error.text, "");
    CHECK_EQ(r->rows, rows);
    CHECK_EQ(r->sum, WHOLE(rows));
    CHECK_EQ(fake.opened, fake.closed);
}

static size_t times(const char *text, const char *word)
{
    size_t n = 0;
    while ((text = strstr(text, word))) {
        n++;
        text++;
    }
    return n;
}

RV_TEST(pressure_sheds_workers_and_calm_gives_them_back)
{
    fake_begin(4000);
    fake.row_ms = 10;
    int64_t pressure[] = {1, 2, 3, 4, 4, 4, 4, 4};
    memcpy(fake.signal, pressure, sizeof pressure);
    fake.n_signal = 8;
    fake_result r = fake_run(FAST ", adaptive: true", chunks);
    whole(&r, 4000);
    CHECK(strstr(r.journal, "\"parallelism_adjusted\",\"from\":4,\"to\":3") != NULL);
    CHECK(strstr(r.journal, "\"from\":2,\"to\":1") != NULL);
    CHECK(strstr(r.journal, "\"from\":1,\"to\":2") != NULL);
    rv_free(r.journal);
}

RV_TEST(min_parallel_is_the_floor)
{
    fake_begin(4000);
    fake.row_ms = 10;
    for (int64_t i = 0; i < 64; i++)
        fake.signal[i] = i;
    fake.n_signal = 64;
    fake_result r = fake_run(FAST ", adaptive: true, min_parallel: 2", chunks);
    whole(&r, 4000);
    CHECK(strstr(r.journal, "\"to\":2") != NULL);
    CHECK(strstr(r.journal, "\"to\":1") == NULL);
    rv_free(r.journal);
}

RV_TEST(keyset_workers_leave_between_pages)
{
    fake_begin(20000);
    fake.row_ms = 5;
    for (int64_t i = 0; i < 64; i++)
        fake.signal[i] = i;
    fake.n_signal = 64;
    fake_result r = fake_run(FAST ", adaptive: true, batch_size: 100",
                             ", mode: chunked, chunk_by_key: id, chunk_size: 2000, parallel: 4");
    whole(&r, 20000);
    CHECK(strstr(r.journal, "\"to\":1") != NULL);
    rv_free(r.journal);
}

RV_TEST(three_unreadable_readings_warn_once)
{
    fake_begin(4000);
    fake.row_ms = 10;
    int64_t readings[] = {1, 2, -1, -1, -1};
    memcpy(fake.signal, readings, sizeof readings);
    fake.n_signal = 5;
    fake_result r = fake_run(FAST ", adaptive: true", chunks);
    whole(&r, 4000);
    CHECK_EQ(times(r.journal, "cannot be read any more"), 1);
    CHECK(strstr(r.journal, "\"from\":3,\"to\":4") != NULL);
    rv_free(r.journal);
}

RV_TEST(a_lost_monitor_leaves_parallelism_as_written)
{
    fake_begin(4000);
    fake.row_ms = 10;
    fake.identity[1] = "server 2"; /* the monitor's connection is refused */
    fake_result r = fake_run(FAST ", adaptive: true",
                             ", mode: chunked, chunk_column: id, chunk_size: 4000, parallel: 4");
    whole(&r, 4000);
    CHECK(strstr(r.journal, "parallelism is static") != NULL);
    CHECK_EQ(times(r.journal, "parallelism_adjusted"), 0);
    rv_free(r.journal);
}

RV_TEST(without_adaptive_nobody_samples)
{
    fake_begin(4000);
    fake.row_ms = 5;
    fake_result r = fake_run(FAST, chunks);
    whole(&r, 4000);
    CHECK_EQ(fake.signals, 0);
    CHECK_EQ(fake.opened, 4);
    rv_free(r.journal);
}

RV_TEST(batches_shrink_under_pressure)
{
    fake_begin(60000);
    for (int64_t i = 0; i < 16; i++)
        fake.batch_signal[i] = i;
    fake.n_batch_signal = 16;
    fake_result r = fake_run(FAST ", adaptive: true, batch_size: 1000", "");
    whole(&r, 60000);
    CHECK(fake.batch_signals >= 5);
    CHECK_EQ(fake.limits[15], 1000);
    CHECK_EQ(fake.limits[20], 750); /* the second reading stood above the first */
    CHECK_EQ(fake.limits[50], 500);
    rv_free(r.journal);
}

RV_TEST_MAIN(RV_CASE(the_rule), RV_CASE(never_readable_is_said_at_the_start_only),
             RV_CASE(pressure_sheds_workers_and_calm_gives_them_back),
             RV_CASE(min_parallel_is_the_floor), RV_CASE(keyset_workers_leave_between_pages),
             RV_CASE(three_unreadable_readings_warn_once),
             RV_CASE(a_lost_monitor_leaves_parallelism_as_written),
             RV_CASE(without_adaptive_nobody_samples), RV_CASE(batches_shrink_under_pressure))
