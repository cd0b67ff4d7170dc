/* Every number of spec "lifecycle" section 17, one at a time. */
#include "engine/priority.h"

#include "rvtest.h"

/* medium cost, no mode, no verdict: exactly the start */
static const rv_priority_facts plain = {
    .export_name = "x", .rows = 100000, .chunks = -1, .verdict = "ACCEPTABLE"};

static rv_priority judged(rv_priority_facts f)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_campaign c = {0};
    rv_priority p = {0};
    CHECK_EQ(rv_campaign_make(&f, 1, &arena, &c, NULL), RV_OK);
    if (c.exports)
        p = c.exports[0];
    rv_arena_free(&arena);
    return p;
}

static bool has_reason(const rv_priority *p, const char *kind)
{
    for (size_t i = 0; i < p->n_reasons; i++)
        if (strcmp(p->reasons[i].kind, kind) == 0)
            return p->reasons[i].message[0] != '\0';
    return false;
}

/* The score of `plain` with one statement applied to it, and the one reason it must have. */
#define SCORES(points, kind, statement)                                                            \
    do {                                                                                           \
        rv_priority_facts f = plain;                                                               \
        const char *want = (kind);                                                                 \
        statement;                                                                                 \
        rv_priority p = judged(f);                                                                 \
        CHECK_EQ(p.score, 50 + (points));                                                          \
        CHECK_EQ(p.n_reasons, want != NULL);                                                       \
        CHECK(!want || has_reason(&p, want));                                                      \
    } while (0)

RV_TEST(each_rule)
{
    SCORES(0, NULL, (void)0);
    SCORES(12, "small_table", f.rows = 99999);
    SCORES(12, "small_table", f.rows = 0);
    SCORES(0, NULL, f.rows = 9999999);
    SCORES(-15, "large_table", f.rows = 10000000);
    SCORES(-15, "large_table", (f.rows = 10000000, f.chunks = 7));
    SCORES(-15, "huge_table", (f.rows = 10000000, f.chunks = 8));
    SCORES(-3, "low_confidence_metadata", f.rows = -1);
    SCORES(5, NULL, f.full = true);
    SCORES(18, NULL, f.cursor = RV_CURSOR_UNIQUE);
    SCORES(-8, "weak_cursor", f.cursor = RV_CURSOR_WEAK);
    SCORES(-14, "weak_cursor", f.cursor = RV_CURSOR_COALESCE);
    SCORES(-12, "weak_cursor", f.cursor = RV_CURSOR_UNINDEXED);
    SCORES(0, NULL, (f.chunked = true, f.chunks = 1));
    SCORES(-10, "chunking_heavy", (f.chunked = true, f.chunks = 2));
    SCORES(0, NULL, (f.chunked = true, f.rows = 1000000));
    SCORES(-10, "chunking_heavy", (f.chunked = true, f.rows = 1000001));
    SCORES(-18, "sparse_range_risk", f.sparse = true);
    SCORES(-12, "reconcile_required", f.reconcile_required = true);
    SCORES(6, NULL, f.short_window = true);
    SCORES(-25, NULL, f.verdict = "UNSAFE");
    SCORES(-12 - 4, NULL, f.verdict = "DEGRADED");
    SCORES(8, NULL, f.verdict = "EFFICIENT");
    SCORES(0, NULL, f.verdict = NULL);
    SCORES(0, NULL, f.n_warnings = 3);
    SCORES(-4, NULL, f.n_warnings = 4);
    SCORES(-8, "recent_failure_history", f.last_failed = true);
    SCORES(-5, "high_retry_rate_history", (f.runs = 3, f.retried_runs = 1));
    SCORES(0, NULL, (f.runs = 10, f.retried_runs = 3));
    SCORES(0, NULL, (f.runs = 2, f.retried_runs = 2));
    SCORES(-4, "slow_history", (f.runs = 3, f.mean_ms = 300000));
    SCORES(0, NULL, (f.runs = 3, f.mean_ms = 299999));
    SCORES(0, NULL, (f.runs = 2, f.mean_ms = 300000));
}

RV_TEST(classes)
{
    rv_priority_facts f = plain;
    CHECK_STR(judged(f).cost_class, "medium");
    CHECK_STR(judged(f).risk_class, "low");
    CHECK_STR(judged(f).priority_class, "medium");
    CHECK(!judged(f).parallel_safe);
    f.n_warnings = 4;
    CHECK_STR(judged(f).risk_class, "medium");
    f.sparse = true;
    CHECK_STR(judged(f).risk_class, "high");
    f = plain;
    f.verdict = "UNSAFE";
    CHECK_STR(judged(f).risk_class, "high");
    f.verdict = "DEGRADED";
    CHECK_STR(judged(f).risk_class, "medium");
    f.rows = 10;
    CHECK_STR(judged(f).cost_class, "low");
    CHECK(judged(f).parallel_safe);
    f.rows = -1;
    CHECK_STR(judged(f).cost_class, "medium");
    f.rows = 20000000;
    CHECK_STR(judged(f).cost_class, "high");
    f.chunks = 8;
    CHECK_STR(judged(f).cost_class, "very_high");
}

RV_TEST(bounds_and_waves)
{
    rv_priority_facts f = plain;
    f.rows = 1;
    f.full = true;
    f.cursor = RV_CURSOR_UNIQUE;
    f.short_window = true;
    f.verdict = "EFFICIENT";
    CHECK_EQ(judged(f).score, 99);
    CHECK_EQ(judged(f).wave, 1);
    CHECK_STR(judged(f).priority_class, "high");
    rv_priority_facts worst = {.rows = 10000000, .export_name = "w"};
    worst.chunked = worst.sparse = worst.reconcile_required = worst.last_failed = true;
    worst.chunks = 9;
    worst.cursor = RV_CURSOR_COALESCE;
    worst.verdict = "UNSAFE";
    worst.runs = worst.retried_runs = 20;
    worst.mean_ms = 400000;
    CHECK_EQ(judged(worst).score, 0);
    CHECK_EQ(judged(worst).wave, 4);
    CHECK_STR(judged(worst).priority_class, "low");
    f = plain;
    f.cursor = RV_CURSOR_UNIQUE; /* 68 */
    CHECK_EQ(judged(f).wave, 2);
    CHECK_STR(judged(f).priority_class, "medium");
    f.verdict = "EFFICIENT"; /* 76 */
    CHECK_EQ(judged(f).wave, 1);
    f = plain; /* 50 */
    CHECK_EQ(judged(f).wave, 3);
    f.full = true; /* 55 */
    CHECK_EQ(judged(f).wave, 2);
    f = plain;
    f.rows = 10000000; /* 35 */
    CHECK_EQ(judged(f).wave, 3);
    CHECK_STR(judged(f).priority_class, "low");
    f.n_warnings = 4; /* 31 */
    CHECK_EQ(judged(f).wave, 4);
}

RV_TEST(campaign)
{
    rv_priority_facts f[5];
    rv_arena arena = RV_ARENA_INIT;
    rv_campaign c;
    static const char *const names[] = {"big_b", "small", "big_a", "big_other", "tiny"};
    for (size_t i = 0; i < 5; i++) {
        f[i] = plain;
        f[i].export_name = names[i];
        f[i].rows = i == 1 || i == 4 ? 10 : 10000000;
        f[i].source_group = i == 3 ? "other" : "replica";
    }
    f[0].full = true;
    REQUIRE(rv_campaign_make(f, 5, &arena, &c, NULL) == RV_OK);
    CHECK(c.exports[0].isolate_on_source && c.exports[2].isolate_on_source);
    CHECK(!c.exports[1].isolate_on_source && !c.exports[3].isolate_on_source);
    CHECK(has_reason(&c.exports[0], "shared_source_heavy_conflict"));
    CHECK(c.exports[1].parallel_safe && !c.exports[0].parallel_safe);
    CHECK_EQ(c.n_warnings, 1);
    CHECK(strstr(c.warnings[0], "replica") && strstr(c.warnings[0], "2 heavy"));
    /* small and tiny tie: by name; then big_b (40), big_a, big_other (35, by name) */
    static const size_t want[] = {1, 4, 0, 2, 3};
    for (size_t i = 0; i < 5; i++)
        CHECK_EQ(c.order[i], want[i]);
    f[0].source_group = f[2].source_group = NULL; /* no group is no shared group */
    REQUIRE(rv_campaign_make(f, 5, &arena, &c, NULL) == RV_OK);
    CHECK(!c.exports[0].isolate_on_source && c.n_warnings == 0);
    rv_arena_free(&arena);
}

RV_TEST(no_exports)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_campaign c;
    CHECK_EQ(rv_campaign_make(NULL, 0, &arena, &c, NULL), RV_OK);
    CHECK_EQ(c.n, 0);
    rv_arena_free(&arena);
}

RV_TEST_MAIN(RV_CASE(each_rule), RV_CASE(classes), RV_CASE(bounds_and_waves), RV_CASE(campaign),
             RV_CASE(no_exports))
