#include "cli/render_check.h"

#include "../base/sweep.h"
#include "golden.h"

static rv_column columns[] = {
    {.name = "id", .source_type = "bigint", .fidelity = RV_EXACT},
    {.name = "doc",
     .source_type = "jsonb",
     .fidelity = RV_LOGICAL_STRING,
     .warnings = {"structure is not enforced"},
     .n_warnings = 1},
};

static rv_check_report users(rv_check_column *list, rv_check_warning *warnings,
                             rv_violation *violation)
{
    columns[0].type = rv_type_of(RV_INT64);
    columns[1].type = rv_type_of(RV_JSON);
    list[0] = (rv_check_column){&columns[0], {"INT64", "ok", "", NULL, NULL}};
    list[1] = (rv_check_column){
        &columns[1], {"JSON", "warn", "autoload gives BYTES", "BYTES", "PARSE_JSON(doc)"}};
    *warnings = (rv_check_warning){"HIGH", "streamed statement"};
    *violation = (rv_violation){"doc", "lossy", "lost something", false};
    return (rv_check_report){
        .export_name = "users_full",
        .strategy = "full-scan",
        .mode = "full",
        .row_estimate = "~50K",
        .scan_type = "Seq Scan on users  (cost=0.00..1234.00 rows=50000 width=84)",
        .verdict = "DEGRADED",
        .recommended = "tuning.profile: fast",
        .parallelism = "1 (only chunked mode benefits from parallelism)",
        .suggestion = "No index detected -- full table scan. Add an indexed cursor\ncolumn and "
                      "switch to incremental mode.",
        .read_shape = "statement",
        .read_reason = "GROUP at 1:58",
        .columns = list,
        .n_columns = 2,
        .warnings = warnings,
        .n_warnings = 1,
        .violations = violation,
        .n_violations = 1};
}

RV_TEST(people_get_a_verdict)
{
    rv_check_column list[2];
    rv_check_warning warning;
    rv_violation violation;
    rv_check_report r = users(list, &warning, &violation);
    rv_arena arena = RV_ARENA_INIT;
    rv_buf out = RV_BUF_INIT;
    CHECK_EQ(rv_render_check(&r, false, &arena, &out, NULL), RV_OK);
    check_golden("check.txt", &out);
    rv_buf_clear(&out);
    r.target = RV_BIGQUERY;
    r.table = "users";
    r.reads = "one statement";
    r.memory = "~64 MB planned (1 worker)";
    CHECK_EQ(rv_render_check(&r, true, &arena, &out, NULL), RV_OK);
    check_golden("check_types.txt", &out);
    rv_buf_free(&out);
    rv_arena_free(&arena);
}

RV_TEST(programs_get_one_object)
{
    rv_check_column list[2];
    rv_check_warning warning;
    rv_violation violation;
    rv_check_report r = users(list, &warning, &violation);
    rv_buf out = RV_BUF_INIT;
    CHECK_EQ(rv_render_check_json(&r, &out, NULL), RV_OK);
    CHECK_EQ(rv_buf_add_byte(&out, '\n', NULL), RV_OK);
    r.target = RV_BIGQUERY;
    r.recovery_sql = "SELECT 1";
    CHECK_EQ(rv_render_check_json(&r, &out, NULL), RV_OK);
    CHECK_EQ(rv_buf_add_byte(&out, '\n', NULL), RV_OK);
    check_golden("check.ndjson", &out);
    rv_buf_free(&out);
}

static rv_status make_both(void)
{
    rv_check_column list[2];
    rv_check_warning warning;
    rv_violation violation;
    rv_check_report r = users(list, &warning, &violation);
    rv_error err = {0};
    rv_arena arena = RV_ARENA_INIT;
    rv_buf out = RV_BUF_INIT;
    rv_status st = rv_render_check(&r, true, &arena, &out, &err);
    if (st == RV_OK)
        st = rv_render_check_json(&r, &out, &err);
    rv_buf_free(&out);
    rv_arena_free(&arena);
    return st;
}

RV_TEST(memory_may_run_out)
{
    sweep_alloc(make_both);
}

RV_TEST_MAIN(RV_CASE(people_get_a_verdict), RV_CASE(programs_get_one_object),
             RV_CASE(memory_may_run_out))
