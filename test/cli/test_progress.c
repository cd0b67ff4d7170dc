#include "cli/progress.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "rvtest.h"

static void check_line(const rv_progress_view *v, unsigned width, const char *want)
{
    rv_buf out = RV_BUF_INIT;
    CHECK_EQ(rv_progress_line(v, width, &out, NULL), RV_OK);
    CHECK_STR(rv_buf_cstr(&out), want);
    rv_buf_free(&out);
}

static const rv_progress_view invoices = {
    .name = "invoices", .bar = true, .total = 14, .done = 6, .rows = 590000, .elapsed_ms = 27600};

RV_TEST(the_bar_says_how_far_how_fast_and_how_long)
{
    check_line(&invoices, 200,
               "invoices  [#####-------]  6/14 chunks  590K rows  21.4K r/s  27.6s  ETA 36.8s");
}

RV_TEST(a_finished_bar_has_no_end_to_wait_for)
{
    rv_progress_view v = invoices;
    v.done = 14;
    check_line(&v, 200, "invoices  [############]  14/14 chunks  590K rows  21.4K r/s  27.6s");
}

RV_TEST(unknown_totals_spin)
{
    rv_progress_view v = {.name = "t", .rows = 950, .elapsed_ms = 2000, .frame = 1};
    check_line(&v, 200, "/ t  950 rows  475 r/s  2.0s");
    v.bar = true;
    v.done = 3;
    v.rows = 1250000;
    check_line(&v, 200, "/ t  3 chunks  1.2M rows  625.0K r/s  2.0s");
    v.elapsed_ms = 0;
    v.rows = 0;
    check_line(&v, 200, "/ t  3 chunks  0 rows  0 r/s  0ms");
}

RV_TEST(lines_are_cut_at_whole_characters)
{
    rv_progress_view v = invoices;
    v.name = "zähler";
    check_line(&v, 4, "zähl");
    check_line(&v, 1, "z");
    check_line(&v, 0, "");
}

RV_TEST(log_lines_stand_above_the_bar)
{
    int ends[2];
    char text[8192] = "";
    rv_log *log = NULL;
    rv_progress *p = NULL;
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    const rv_log_opts opts = {.filter = "info", .tty = true, .fd = ends[1]};
    REQUIRE(rv_log_open(&opts, &log, NULL) == RV_OK);
    REQUIRE(rv_progress_open(log, ends[1], 60, &p, NULL) == RV_OK);
    rv_progress_start(p, "orders");
    rv_progress_plan(p, 4);
    rv_progress_step(p, 1, 10);
    rv_logf(log, RV_WARN, "cli", "first");
    rv_logf(log, RV_WARN, "cli", "second");
    rv_progress_stop(p);
    rv_progress_close(p);
    rv_log_close(log);
    ssize_t n = read(ends[0], text, sizeof text - 1);
    REQUIRE(n > 0);
    /* after the first line the bar is drawn, and erased again before the second */
    const char *bar = strstr(text, "[WARN] first\n\r\033[Korders  [###---------]  1/4 chunks");
    CHECK(bar != NULL);
    CHECK(bar && strstr(bar, "\r\033[K[WARN] second\n"));
    (void)close(ends[0]);
    (void)close(ends[1]);
}

RV_TEST(nothing_is_drawn_when_nothing_runs)
{
    int ends[2];
    char text[64];
    rv_progress *p = NULL;
    REQUIRE(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    REQUIRE(rv_progress_open(NULL, ends[1], 60, &p, NULL) == RV_OK);
    rv_progress_close(p);
    CHECK(read(ends[0], text, sizeof text) < 0);
    rv_progress_start(NULL, "x");
    rv_progress_step(NULL, 1, 1);
    rv_progress_stop(NULL);
    rv_progress_close(NULL);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

RV_TEST_MAIN(RV_CASE(the_bar_says_how_far_how_fast_and_how_long),
             RV_CASE(a_finished_bar_has_no_end_to_wait_for), RV_CASE(unknown_totals_spin),
             RV_CASE(lines_are_cut_at_whole_characters), RV_CASE(log_lines_stand_above_the_bar),
             RV_CASE(nothing_is_drawn_when_nothing_runs))
