#include "rvtest.h"

#include "faketest.h"

static void check_whole(const fake_result *r, int64_t rows)
{
    CHECK_EQ(r->code, 0);
    CHECK_STR(r->error.text, "");
    CHECK_EQ(r->rows, rows);
    CHECK_EQ(r->sum, WHOLE(rows));
}

RV_TEST(pages_read_every_row_once)
{
    fake_begin(20000);
    fake_result r = fake_run(FAST, "");
    check_whole(&r, 20000);
    CHECK_EQ(fake.limits[0], 500);
    CHECK_EQ(fake.opened, fake.closed);
    rv_free(r.journal);
}

/* No row met the condition within the window: the position moves all the same. */
RV_TEST(an_empty_window_moves_the_position)
{
    fake_begin(3000);
    fake.steps[1] = (fake_step){.kind = FAKE_WINDOW, .rows = 1000};
    fake.n_steps = 2;
    fake_result r = fake_run(FAST, "");
    CHECK_EQ(r.code, 0);
    CHECK_EQ(r.rows, 2000);
    CHECK_EQ(r.sum, WHOLE(3000) - (WHOLE(1500) - WHOLE(500)));
    rv_free(r.journal);
}

RV_TEST(a_cut_without_progress_asks_for_a_quarter_and_is_no_retry)
{
    fake_begin(3000);
    fake.steps[1] = (fake_step){.kind = FAKE_EMPTY};
    fake.n_steps = 2;
    place p;
    REQUIRE(place_open(&p));
    fake_result r = fake_run_at(&p, FAST, "");
    check_whole(&r, 3000);
    CHECK_EQ(fake.limits[2], fake.limits[1] / 4);
    char *retries = fake_state(&p, "SELECT retries FROM export_metrics");
    CHECK_STR(retries, "0");
    rv_free(retries);
    rv_free(r.journal);
    place_close(&p);
}

RV_TEST(what_never_ends_in_time_is_a_timeout)
{
    fake_begin(3000);
    for (size_t i = 0; i < 64; i++)
        fake.steps[i] = (fake_step){.kind = FAKE_EMPTY};
    fake.n_steps = 64;
    fake_result r = fake_run(FAST ", max_retries: 1", "");
    CHECK_EQ(r.code, 1);
    CHECK_EQ(r.error.code, RV_E_SOURCE_TIMEOUT);
    CHECK(strstr(r.error.hint, "chunk_size") != NULL);
    CHECK(fake.scans < 32);
    rv_free(r.journal);
}

RV_TEST(where_nothing_may_be_cut_pages_start_at_half)
{
    fake_begin(3000);
    fake.cannot_cut = true;
    fake_result r = fake_run(FAST, "");
    check_whole(&r, 3000);
    CHECK_EQ(fake.limits[0], 250);
    rv_free(r.journal);
}

static void shrinks(rv_retry retry, const char *native, uint64_t by)
{
    fake_begin(30000);
    fake.steps[3] =
        (fake_step){.kind = FAKE_FAIL, .code = RV_E_SOURCE_BUSY, .retry = retry, .native = native};
    fake.n_steps = 4;
    fake_result r = fake_run(FAST, "");
    check_whole(&r, 30000);
    CHECK_EQ(fake.limits[4], fake.limits[3] / by);
    CHECK(strstr(r.journal, "\"retry_attempted\"") != NULL);
    rv_free(r.journal);
}

RV_TEST(a_timeout_halves_the_page)
{
    shrinks(RV_RETRY_T, NULL, 2);
}

RV_TEST(a_recovery_conflict_halves_the_page)
{
    shrinks(RV_RETRY_D, "40001", 2);
}

/* Rows received before the failure are kept; the next page goes on behind them. */
RV_TEST(a_lost_connection_goes_on_behind_the_last_row)
{
    fake_begin(5000);
    fake.steps[1] = (fake_step){
        .kind = FAKE_FAIL, .rows = 321, .code = RV_E_SOURCE_CONNECT, .retry = RV_RETRY_N};
    fake.n_steps = 2;
    fake_result r = fake_run(FAST, "");
    check_whole(&r, 5000);
    CHECK_EQ(fake.opened, 2);
    rv_free(r.journal);
}

RV_TEST(a_foreign_cancel_is_source_pressure)
{
    fake_begin(5000);
    fake.steps[1] = (fake_step){.kind = FAKE_FAIL, .code = RV_E_SOURCE_BUSY, .retry = RV_RETRY_X};
    fake.n_steps = 2;
    fake_result r = fake_run(FAST, "");
    check_whole(&r, 5000);
    CHECK(strstr(r.journal, "source pressure") != NULL);
    rv_free(r.journal);
}

RV_TEST(a_cursor_counts_its_fetches)
{
    fake_begin(10000);
    fake.shape = RV_SHAPE_CURSOR;
    fake.pieces_of = 1000;
    fake.idle_us = 1000;
    place p;
    REQUIRE(place_open(&p));
    fake_result r = fake_run_at(&p, FAST, "");
    check_whole(&r, 10000);
    CHECK(fake.pieces >= 9);
    CHECK_EQ(fake.scans, 1);
    char *read = fake_state(&p, "SELECT bytes_read FROM export_metrics");
    CHECK_STR(read, "160000");
    rv_free(read);
    rv_free(r.journal);
    place_close(&p);
}

RV_TEST(a_cursor_that_fails_starts_again)
{
    fake_begin(10000);
    fake.shape = RV_SHAPE_CURSOR;
    fake.pieces_of = 1000;
    fake.steps[0] = (fake_step){
        .kind = FAKE_FAIL, .rows = 4321, .code = RV_E_SOURCE_CONNECT, .retry = RV_RETRY_N};
    fake.n_steps = 1;
    place p;
    REQUIRE(place_open(&p));
    fake_result r = fake_run_at(&p, FAST, "");
    check_whole(&r, 10000);
    CHECK(strstr(r.journal, "\"warning\"") != NULL);
    char *message = fake_state(&p, "SELECT coalesce(error_message, 'none') FROM export_metrics");
    CHECK_STR(message, "none");
    rv_free(message);
    rv_free(r.journal);
    place_close(&p);
}

RV_TEST(every_connection_meets_the_same_server)
{
    fake_begin(5000);
    fake.identity[1] = "server 2";
    fake_result r =
        fake_run(FAST, ", mode: chunked, chunk_column: id, chunk_size: 500, parallel: 2");
    CHECK_EQ(r.code, 2);
    CHECK_EQ(r.error.code, RV_E_SOURCE_IDENTITY);
    CHECK(strstr(r.error.text, "server 2") != NULL);
    CHECK_EQ(fake.opened, fake.closed);
    rv_free(r.journal);
}

RV_TEST(a_failover_in_the_middle_ends_the_run)
{
    fake_begin(5000);
    fake.identity[1] = "server 2";
    fake.steps[1] =
        (fake_step){.kind = FAKE_FAIL, .code = RV_E_SOURCE_CONNECT, .retry = RV_RETRY_N};
    fake.n_steps = 2;
    fake_result r = fake_run(FAST, "");
    CHECK_EQ(r.code, 2);
    CHECK_EQ(r.error.code, RV_E_SOURCE_IDENTITY);
    rv_free(r.journal);
}

/* The same name answers with another identity at the next start: a WARN for a host, a refusal
 * without one. */
static void failover_between_runs(const char *host_port, int code)
{
    place p;
    const char *keys = ", mode: incremental, cursor_column: id";
    REQUIRE(place_open(&p));
    fake_begin(100);
    fake.host_port = host_port;
    fake_result first = fake_run_at(&p, FAST, keys);
    CHECK_EQ(first.code, 0);
    fake_begin(150);
    fake.host_port = host_port;
    fake.identity[0] = "server 2";
    fake_result second = fake_run_at(&p, FAST, keys);
    CHECK_EQ(second.code, code);
    if (code == 0)
        CHECK(strstr(second.journal, "failover") != NULL);
    rv_free(first.journal);
    rv_free(second.journal);
    place_close(&p);
}

RV_TEST(a_failover_behind_one_name_rebinds)
{
    failover_between_runs("db.example:5432", 0);
}

RV_TEST(another_server_without_a_name_is_refused)
{
    failover_between_runs(NULL, 5);
}

RV_TEST(what_the_run_cost_is_stored)
{
    place p;
    REQUIRE(place_open(&p));
    fake_begin(100);
    fake.counter[0] = 1000;
    fake.counter[1] = 4500;
    fake_result r = fake_run_at(&p, FAST, "");
    check_whole(&r, 100);
    char *harm = fake_state(&p, "SELECT group_concat(metric || '=' || delta) FROM (SELECT * FROM "
                                "export_harm ORDER BY metric)");
    CHECK_STR(harm, "checkpoints_req=2,pg_temp_bytes=3500");
    char *metric = fake_state(&p, "SELECT pg_temp_bytes_delta FROM export_metrics");
    CHECK_STR(metric, "3500");
    rv_free(harm);
    rv_free(metric);
    rv_free(r.journal);
    place_close(&p);
}

RV_TEST_MAIN(RV_CASE(pages_read_every_row_once), RV_CASE(an_empty_window_moves_the_position),
             RV_CASE(a_cut_without_progress_asks_for_a_quarter_and_is_no_retry),
             RV_CASE(what_never_ends_in_time_is_a_timeout),
             RV_CASE(where_nothing_may_be_cut_pages_start_at_half),
             RV_CASE(a_timeout_halves_the_page), RV_CASE(a_recovery_conflict_halves_the_page),
             RV_CASE(a_lost_connection_goes_on_behind_the_last_row),
             RV_CASE(a_foreign_cancel_is_source_pressure), RV_CASE(a_cursor_counts_its_fetches),
             RV_CASE(a_cursor_that_fails_starts_again),
             RV_CASE(every_connection_meets_the_same_server),
             RV_CASE(a_failover_in_the_middle_ends_the_run),
             RV_CASE(a_failover_behind_one_name_rebinds),
             RV_CASE(another_server_without_a_name_is_refused),
             RV_CASE(what_the_run_cost_is_stored))
