#include "cli/render_validate.h"

#include "../base/sweep.h"
#include "golden.h"

static rv_validate_report passed(void)
{
    return (rv_validate_report){.export_name = "invoices",
                                .prefix = "file://./output",
                                .run_id = "invoices_20260502T080000.117",
                                .manifest_found = true,
                                .success_marker_consistent = true,
                                .manifest_self_consistent = true,
                                .passed = true,
                                .parts_verified = 3,
                                .parts_md5_verified = 3,
                                .depth = "sample"};
}

static rv_failure failures[] = {
    {.kind = "part_missing",
     .message = "part 2 is missing",
     .path = "b.parquet",
     .expected = "100",
     .part_id = 2,
     .size_bytes = -1,
     .fatal = true},
    {.kind = "untracked_object",
     .message = "'x.tmp' belongs to no run",
     .key = "x.tmp",
     .part_id = -1,
     .size_bytes = 7},
};

static rv_validate_report damaged(void)
{
    rv_validate_report r = passed();
    r.passed = false;
    r.parts_verified = 2;
    r.parts_md5_verified = 0;
    r.parts_failed = 2;
    r.parts_missing = 1;
    r.parts_size_mismatch = 1;
    r.parts_untracked = 1;
    r.failures = failures;
    r.n_failures = 2;
    return r;
}

RV_TEST(people_see_what_is_whole_and_what_is_not)
{
    rv_buf out = RV_BUF_INIT;
    rv_validate_report good = passed(), bad = damaged(), old = passed(), gone = passed();
    old.manifest_found = false;
    old.legacy_run = true;
    (void)rv_fail(&gone.error, RV_E_DEST_UNREACHABLE, "no route");
    CHECK_EQ(rv_render_validate(&good, &out, NULL), RV_OK);
    CHECK_EQ(rv_render_validate(&bad, &out, NULL), RV_OK);
    CHECK_EQ(rv_render_validate(&old, &out, NULL), RV_OK);
    CHECK_EQ(rv_render_validate(&gone, &out, NULL), RV_OK);
    check_golden("validate.txt", &out);
    rv_buf_free(&out);
    CHECK(rv_validate_passed(&good));
    CHECK(rv_validate_passed(&old));
    CHECK(!rv_validate_passed(&bad));
    CHECK(!rv_validate_passed(&gone));
}

RV_TEST(programs_get_the_failures_with_their_fields)
{
    rv_buf out = RV_BUF_INIT;
    rv_validate_report all[] = {passed(), damaged()};
    (void)rv_fail(&all[0].error, RV_E_DEST_UNREACHABLE, "no route\nto host");
    CHECK_EQ(rv_render_validate_json(all, 2, &out, NULL), RV_OK);
    CHECK_EQ(rv_buf_add_byte(&out, '\n', NULL), RV_OK);
    check_golden("validate.json", &out);
    rv_buf_free(&out);
}

static rv_status make_json(void)
{
    rv_error err = {0};
    rv_buf out = RV_BUF_INIT;
    rv_validate_report all[] = {passed(), damaged()};
    rv_status st = rv_render_validate_json(all, 2, &out, &err);
    rv_buf_free(&out);
    return st;
}

RV_TEST(memory_may_run_out)
{
    sweep_alloc(make_json);
}

RV_TEST_MAIN(RV_CASE(people_see_what_is_whole_and_what_is_not),
             RV_CASE(programs_get_the_failures_with_their_fields), RV_CASE(memory_may_run_out))
