#include "cli/cards.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fault.h"
#include "cli/render_cards.h"
#include "rvtest.h"

static const rv_card cards[] = {
    {.name = "invoices",
     .state = RV_CARD_RUNNING,
     .total = 14,
     .chunks_done = 6,
     .rows = 590000,
     .elapsed_ms = 27600},
    {.name = "orders",
     .state = RV_CARD_DONE,
     .total = -1,
     .rows = 125000,
     .files = 2,
     .bytes = 10066330,
     .elapsed_ms = 3400,
     .peak_rss_mb = 61,
     .status = "success"},
    {.name = "users",
     .state = RV_CARD_DONE,
     .total = -1,
     .elapsed_ms = 1200,
     .peak_rss_mb = -1,
     .failed = true,
     .status = "failed",
     .note = "connection\x1b[2J \xc2\x9b"
             "31mrefused\n"},
    {.name = "rows", .state = RV_CARD_RUNNING, .total = -1, .rows = 950, .elapsed_ms = 2000},
    {.name = "later", .state = RV_CARD_WAITING, .total = -1},
    {.name = "\xe8\xa1\xa8", .state = RV_CARD_RUNNING, .total = 0, .chunks_done = 3},
};
enum { N_CARDS = sizeof cards / sizeof cards[0] };

static void check_frame(unsigned columns, unsigned rows, const char *want)
{
    rv_buf out = RV_BUF_INIT;
    rv_card_lines lines = {0};
    size_t seen = 0;
    rv_window w = {columns, rows};
    REQUIRE(rv_render_cards(cards, N_CARDS, w, &out, &lines, NULL) == RV_OK);
    CHECK_STR(rv_buf_cstr(&out), want);
    for (size_t i = 0; i < out.len; i++)
        seen += out.ptr[i] == '\n';
    CHECK_EQ(seen, lines.n);
    CHECK(lines.n <= rows);
    for (size_t i = 0; i < lines.n; i++)
        CHECK(lines.columns[i] <= columns);
    rv_buf_free(&out);
}

RV_TEST(one_line_per_export)
{
    check_frame(100, 24,
                "▸ invoices  6/14 chunks  590K rows  21.4K r/s  27.6s\n"
                "✓ orders    success  125000 rows  2 files  9.6 MB  3.4s  61MB\n"
                "✗ users     failed  0 rows  0 files  0 B  1.2s  connection?[2J ?31mrefused?\n"
                "▸ rows      950 rows  475 r/s  2.0s\n"
                "· later     waiting\n"
                "▸ 表        3 chunks  0 rows  0 r/s  0ms\n");
}

RV_TEST(lines_are_cut_at_the_window)
{
    check_frame(14, 24,
                "▸ invoices  6/\n"
                "✓ orders    su\n"
                "✗ users     fa\n"
                "▸ rows      95\n"
                "· later     wa\n"
                "▸ 表        3 \n");
    check_frame(3, 24, "▸ i\n✓ o\n✗ u\n▸ r\n· l\n▸ \n");
}

RV_TEST(what_does_not_fit_the_height_is_counted)
{
    check_frame(30, 4,
                "▸ invoices  6/14 chunks  590K \n"
                "▸ rows      950 rows  475 r/s \n"
                "▸ 表        3 chunks  0 rows  \n"
                "  and 0 running, 1 failed, 1 d\n");
    check_frame(60, 1, "  and 3 running, 1 failed, 1 done, 1 waiting\n");
    check_frame(60, 6,
                "▸ invoices  6/14 chunks  590K rows  21.4K r/s  27.6s\n"
                "✓ orders    success  125000 rows  2 files  9.6 MB  3.4s  61M\n"
                "✗ users     failed  0 rows  0 files  0 B  1.2s  connection?[\n"
                "▸ rows      950 rows  475 r/s  2.0s\n"
                "· later     waiting\n"
                "▸ 表        3 chunks  0 rows  0 r/s  0ms\n");
}

RV_TEST(every_window_is_respected)
{
    for (unsigned columns = 0; columns < 40; columns++)
        for (unsigned rows = 1; rows < 9; rows++) {
            rv_buf out = RV_BUF_INIT;
            rv_card_lines lines = {0};
            REQUIRE(rv_render_cards(cards, N_CARDS, (rv_window){columns, rows}, &out, &lines,
                                    NULL) == RV_OK);
            CHECK_EQ(lines.n, rows < N_CARDS ? rows : N_CARDS);
            for (size_t i = 0; i < lines.n; i++)
                CHECK(lines.columns[i] <= columns);
            rv_buf_free(&out);
        }
}

typedef struct shown {
    int ends[2];
    rv_env env;
    rv_cfg_export exports[3];
    rv_cfg cfg;
    rv_cards *cards;
    char text[8192];
} shown;

static bool shown_open(shown *s)
{
    *s = (shown){.exports = {{.name = "a"}, {.name = "b"}, {.name = "c"}}};
    s->cfg = (rv_cfg){.exports = s->exports, .n_exports = 3};
    const rv_log_opts opts = {.filter = "info", .tty = true, .fd = 0};
    if (pipe2(s->ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    rv_log_opts log = opts;
    log.fd = s->ends[1];
    return rv_log_open(&log, &s->env.log, NULL) == RV_OK &&
           rv_cards_open(&s->env, s->ends[1], 120, &s->cfg, &s->cards, NULL) == RV_OK;
}

static const char *shown_close(shown *s)
{
    rv_cards_close(s->cards);
    rv_log_close(s->env.log);
    ssize_t n = read(s->ends[0], s->text, sizeof s->text - 1);
    s->text[n > 0 ? n : 0] = '\0';
    (void)close(s->ends[0]);
    (void)close(s->ends[1]);
    return s->text;
}

RV_TEST(log_lines_stand_above_the_cards)
{
    shown s;
    REQUIRE(shown_open(&s));
    rv_cards_start(s.cards, "a");
    rv_cards_plan(s.cards, "a", 4);
    rv_cards_step(s.cards, "a", 1, 10);
    rv_logf(s.env.log, RV_WARN, "cli", "first");
    rv_logf(s.env.log, RV_WARN, "cli", "second");
    const char *text = shown_close(&s);
    const char *frame = strstr(text, "[WARN] first\n▸ a  1/4 chunks  10 rows");
    CHECK(frame != NULL);
    /* three lines back, everything below erased, before the second */
    CHECK(frame && strstr(frame, "\r\033[3A\033[J[WARN] second\n"));
}

RV_TEST(a_finished_card_takes_the_place_of_the_running_one)
{
    shown s;
    rv_export_report r = {.export_name = "b",
                          .status = "failed",
                          .rows = 5,
                          .duration_ms = 10,
                          .peak_rss_mb = 7,
                          .exit_code = 1};
    REQUIRE(shown_open(&s));
    CHECK_EQ(rv_fail(&r.error, RV_E_RUN_CHILD, "postgres://u:secret@h/db is away\nmore"),
             RV_E_RUN_CHILD);
    rv_cards_start(s.cards, "b");
    rv_cards_finish(s.cards, &r);
    rv_cards_finish(s.cards, &(rv_export_report){.export_name = "unknown", .status = "success"});
    const char *text = shown_close(&s);
    CHECK(strstr(text, "· a  waiting\n✗ b  failed  5 rows  0 files  0 B  10ms  "));
    CHECK(strstr(text, "secret") == NULL);
    CHECK(strstr(text, "more") == NULL);
}

RV_TEST(at_most_ten_frames_a_second)
{
    shown s;
    size_t frames = 0;
    REQUIRE(shown_open(&s));
    rv_cards_start(s.cards, "a");
    for (int i = 0; i < 450; i++) {
        rv_cards_step(s.cards, "a", i, i);
        (void)usleep(1000);
    }
    const char *text = shown_close(&s);
    for (const char *p = text; (p = strstr(p, "▸ a")) != NULL; p++)
        frames++;
    CHECK(frames >= 2);
    CHECK(frames <= 12); /* a slow machine makes the loop longer, and draws more often in all */
}

RV_TEST(no_display_is_a_display_too)
{
    rv_cards_start(NULL, "a");
    rv_cards_plan(NULL, "a", 1);
    rv_cards_step(NULL, "a", 1, 1);
    rv_cards_finish(NULL, &(rv_export_report){.export_name = "a", .status = "success"});
    rv_cards_close(NULL);
}

#ifdef RV_FAULTS
RV_TEST(every_allocation_may_fail)
{
    for (long nth = 1; nth < 40; nth++) {
        rv_buf out = RV_BUF_INIT;
        rv_card_lines lines;
        rv_fault_set_alloc(nth, false);
        rv_status st = rv_render_cards(cards, N_CARDS, (rv_window){80, 24}, &out, &lines, NULL);
        bool met = rv_fault_seen_alloc() >= nth;
        rv_fault_set_alloc(0, false);
        CHECK(met ? st == RV_E_MEMORY : st == RV_OK);
        rv_buf_free(&out);
        if (!met)
            return;
    }
}
#else
RV_TEST(every_allocation_may_fail)
{
    SKIP("built without fault points");
}
#endif

RV_TEST_MAIN(RV_CASE(one_line_per_export), RV_CASE(lines_are_cut_at_the_window),
             RV_CASE(what_does_not_fit_the_height_is_counted), RV_CASE(every_window_is_respected),
             RV_CASE(log_lines_stand_above_the_cards),
             RV_CASE(a_finished_card_takes_the_place_of_the_running_one),
             RV_CASE(at_most_ten_frames_a_second), RV_CASE(no_display_is_a_display_too),
             RV_CASE(every_allocation_may_fail))
