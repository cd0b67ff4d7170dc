#include "cli/render_run.h"

#include "../base/sweep.h"
#include "golden.h"

static rv_export_report blank(const char *name)
{
    return (rv_export_report){.export_name = name,
                              .status = "success",
                              .run_id = "r_20260502T080000.117",
                              .rows = 10,
                              .files = 1,
                              .bytes = -1,
                              .bytes_read = -1,
                              .duration_ms = 340,
                              .peak_rss_mb = -1,
                              .chunks_total = -1,
                              .chunks_done = -1,
                              .chunks_retried = -1,
                              .longest_statement_ms = -1,
                              .source_count = -1,
                              .source_matched = -1,
                              .validated = -1,
                              .schema_changed = -1,
                              .quality_passed = -1,
                              .reconciled = -1};
}

static void check_block(const rv_export_report *r, const char *golden)
{
    rv_buf out = RV_BUF_INIT;
    CHECK_EQ(rv_render_export(r, "rivet run -c rivet.yaml", &out, NULL), RV_OK);
    check_golden(golden, &out);
    rv_buf_free(&out);
}

RV_TEST(a_success_with_every_fact)
{
    rv_export_report r = blank("invoices");
    r.run_id = "invoices_20260502T080000.117";
    r.tuning_text = "profile=balanced (default), batch_size=48,300 (target 32 MB)";
    r.rows = 125000;
    r.files = 2;
    r.output = "file://./output";
    r.bytes = 10066330;
    r.duration_ms = 3400;
    r.peak_rss_mb = 61;
    r.validated = 1;
    r.schema_changed = 0;
    r.quality_passed = 1;
    r.reconciled = 1;
    r.source_count = 125000;
    check_block(&r, "block_success.txt");
}

RV_TEST(unknown_facts_are_left_out)
{
    rv_export_report r = blank("t");
    check_block(&r, "block_bare.txt");
    r.status = "skipped";
    r.skip_reason = "no new rows since cursor '41200'";
    r.rows = r.files = 0;
    check_block(&r, "block_skipped.txt");
}

RV_TEST(a_failure_names_rules_and_the_way_back)
{
    rv_export_report r = blank("my orders");
    r.status = "failed";
    r.exit_code = 3;
    r.chunks_total = 50;
    r.chunks_done = 12;
    r.chunks_retried = 2;
    r.retries = 4;
    r.cursor_low = "40110";
    r.cursor_high = "41200";
    r.quality_passed = 0;
    r.validated = 0;
    r.schema_changed = 1;
    r.reconciled = 0;
    r.source_count = 12;
    r.resumable = true;
    (void)rv_fail(&r.error, RV_E_QUALITY,
                  "quality gate failed\nrow_count 10 is below 20\nnull "
                  "ratio of 'name' is 0.5, above 0.1");
    check_block(&r, "block_failed.txt");
}

RV_TEST(a_source_that_moved_is_told)
{
    rv_export_report r = blank("a");
    rv_buf text = RV_BUF_INIT;
    rv_error err = {0};
    r.reconciled = 0;
    r.source_changed = true;
    REQUIRE(rv_render_export(&r, "rivet run", &text, &err) == RV_OK);
    CHECK(strstr(rv_buf_cstr(&text), "  reconcile:   MISMATCH (source changed during run)\n"));
    rv_buf_free(&text);
}

RV_TEST(several_exports_get_a_summary)
{
    rv_export_report exports[3] = {blank("a"), blank("b"), blank("c")};
    exports[0].bytes = 2048;
    exports[1].status = "failed";
    exports[1].exit_code = 1;
    (void)rv_fail(&exports[1].error, RV_E_SOURCE_MISSING, "no such table: b\nmore");
    exports[2].status = "skipped";
    exports[2].rows = -1;
    exports[2].files = 0;
    rv_run_report run = {.duration_ms = 126000, .exports = exports, .n_exports = 3};
    rv_buf out = RV_BUF_INIT;
    CHECK_EQ(rv_render_summary(&run, &out, NULL), RV_OK);
    check_golden("summary.txt", &out);
    rv_buf_clear(&out);
    run.n_exports = 1;
    CHECK_EQ(rv_render_summary(&run, &out, NULL), RV_OK);
    CHECK_EQ(out.len, 0);
    rv_buf_free(&out);
}

RV_TEST(words_survive_the_shell)
{
    static const char *const words[][2] = {{"rivet.yaml", "rivet.yaml"},
                                           {"/a/b-c_d", "/a/b-c_d"},
                                           {"my file", "'my file'"},
                                           {"it's", "'it'\\''s'"},
                                           {"", "''"},
                                           {"$(rm)", "'$(rm)'"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        rv_buf out = RV_BUF_INIT;
        CHECK_EQ(rv_render_shell_word(words[i][0], &out, NULL), RV_OK);
        CHECK_STR(rv_buf_cstr(&out), words[i][1]);
        rv_buf_free(&out);
    }
}

static rv_status make_block(void)
{
    rv_error err = {0};
    rv_buf out = RV_BUF_INIT;
    rv_export_report r = blank("x y");
    r.resumable = true;
    rv_status st = rv_render_export(&r, "rivet run", &out, &err);
    rv_buf_free(&out);
    return st;
}

RV_TEST(memory_may_run_out)
{
    sweep_alloc(make_block);
}

RV_TEST_MAIN(RV_CASE(a_success_with_every_fact), RV_CASE(unknown_facts_are_left_out),
             RV_CASE(a_failure_names_rules_and_the_way_back), RV_CASE(a_source_that_moved_is_told),
             RV_CASE(several_exports_get_a_summary), RV_CASE(words_survive_the_shell),
             RV_CASE(memory_may_run_out))
