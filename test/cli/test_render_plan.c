/* A plan for people, against test/cli/golden/plan.txt. */
#include "cli/render_plan.h"

#include "golden.h"

static rv_chunk_range ranges[] = {{NULL, "101"}, {"101", "201"}, {"201", "250"}};
static const char *warnings[] = {"no checkpoint: an interrupted run starts over",
                                 "streamed statement: it stays open"};
static const size_t order[] = {1, 0};

static rv_status render(rv_buf *out, rv_error *err)
{
    static rv_priority exports[2];
    static const char *groups[] = {"source_group 'replica': 2 heavy exports"};
    static const rv_cfg_export orders = {.tuning = {.batch_size = 10000,
                                                    .batch_memory_mb = 32,
                                                    .memory_threshold_mb = 4096,
                                                    .throttle_ms = 50}};
    static const rv_cfg_export small = {.tuning = {.batch_size = 2000, .batch_size_written = true}};
    exports[0] = (rv_priority){.export_name = "orders",
                               .score = 31,
                               .priority_class = "low",
                               .wave = 4,
                               .isolate_on_source = true,
                               .n_reasons = 2};
    exports[0].reasons[0] = (rv_reason){"large_table", "10M rows or more"};
    exports[0].reasons[1] = (rv_reason){"chunking_heavy", "read in several chunks"};
    exports[1] = (rv_priority){.export_name = "small",
                               .score = 88,
                               .priority_class = "high",
                               .wave = 1,
                               .parallel_safe = true};
    const rv_campaign campaign = {exports, order, 2, groups, 1};
    rv_plan plan = {.plan_id = "af12e3e5af79fb5f008977c2fcc46353",
                    .created_at = "2026-05-02T08:00:00.117Z",
                    .expires_at = "2026-05-03T08:00:00.117Z",
                    .export_name = "orders",
                    .strategy_text = "chunked(id, size=100)",
                    .plan_fingerprint = "xxh3:bca04b7808989f6e",
                    .ranges = ranges,
                    .n_ranges = 3,
                    .row_estimate = 12000000,
                    .verdict = "ACCEPTABLE",
                    .recommended_profile = "safe",
                    .warnings = warnings,
                    .n_warnings = 2,
                    .output = "file://./output",
                    .format_text = "parquet (zstd)",
                    .x = &orders,
                    .campaign = &campaign};
    RV_TRY(rv_render_plan(&plan, out, err));
    plan.ranges = NULL;
    plan.export_name = "small";
    plan.row_estimate = -1;
    plan.n_warnings = 0;
    plan.x = &small;
    plan.campaign_index = 1;
    RV_TRY(rv_render_plan(&plan, out, err));
    return rv_render_campaign(&campaign, out, err);
}

RV_TEST(people_see_the_plan)
{
    rv_buf out = RV_BUF_INIT;
    CHECK_EQ(render(&out, NULL), RV_OK);
    check_golden("plan.txt", &out);
    rv_buf_free(&out);
}

RV_TEST_MAIN(RV_CASE(people_see_the_plan))
