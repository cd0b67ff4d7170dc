/* Page sizes and codec trials of one column, without a file around it. */
#include "rvtest.h"

#include <stdlib.h>

#include "format/parquet/column.h"

#define MIB ((uint64_t)1 << 20)

RV_TEST(few_text_columns_get_large_pages)
{
    rv_pq_page_plan one = rv_pq_page_plan_of(1, 1), mixed = rv_pq_page_plan_of(20, 3);
    CHECK_EQ(one.string_bytes, 2 * MIB);
    CHECK_EQ(mixed.string_bytes, 2 * MIB);
    CHECK_EQ(mixed.fixed_bytes, MIB / 8);
    CHECK_EQ(rv_pq_page_plan_of(20, 12).string_bytes, MIB);
}

/* All open text pages together stay within their budget, until the floor of wide tables. */
RV_TEST(text_pages_share_a_budget)
{
    for (size_t n = 1; n <= 5000; n++) {
        rv_pq_page_plan p = rv_pq_page_plan_of(n, n);
        uint64_t floor = (uint64_t)n * (16 << 10), all = (uint64_t)n * p.string_bytes;
        CHECK(all <= 12 * MIB || all <= floor);
        CHECK(p.string_bytes >= (16u << 10) && p.fixed_bytes >= (8u << 10));
        CHECK(p.dict_bytes >= (8u << 10) && p.dict_bytes <= MIB);
    }
}

/* Text of other columns changes nothing for the rest. */
RV_TEST(fixed_pages_depend_on_the_column_count_only)
{
    for (size_t n = 1; n <= 3000; n += 7) {
        rv_pq_page_plan none = rv_pq_page_plan_of(n, 0), all = rv_pq_page_plan_of(n, n);
        CHECK_EQ(none.fixed_bytes, all.fixed_bytes);
        CHECK_EQ(none.rows_max, all.rows_max);
        CHECK_EQ(none.dict_bytes, all.dict_bytes);
        CHECK_EQ(none.rows_max % 64, 0);
    }
}

/* Appends one group of `rows` noise or constant values; says whether it was compressed. */
static bool group_compressed(rv_pq_column *c, rv_pq_shop *shop, uint32_t rows, bool noise)
{
    uint64_t x = 88172645463325252u + c->groups;
    uint64_t *v = malloc(rows * sizeof *v);
    for (uint32_t i = 0; i < rows; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        v[i] = noise ? x >> 1 : i % 3 ? i : 7;
    }
    rv_col col = {.type = {RV_FLOAT64, 0, 0, 0}, .rows = rows, .values = (uint8_t *)v};
    CHECK_EQ(rv_pq_column_append(c, shop, &col, 0, rows, NULL), RV_OK);
    CHECK_EQ(rv_pq_column_finish(c, shop, NULL), RV_OK);
    bool compressed = c->chunk.compressed;
    rv_pq_column_next_group(c);
    rv_pq_log_clear(shop->log);
    free(v);
    return compressed;
}

/* Trials come in the first group and at the powers of four; what paid goes on without them. */
RV_TEST(codec_trials_become_seldom)
{
    rv_pq_log log;
    rv_pq_shop shop = {.policy = RV_ENCODING_AUTO, .plan = rv_pq_page_plan_of(1, 0), .log = &log};
    rv_pq_column c;
    rv_pq_leaf leaf = rv_pq_leaf_of((rv_type){RV_FLOAT64, 0, 0, 0}, RV_ENCODING_AUTO);
    rv_pq_log_init(&log, NULL, 0);
    REQUIRE(rv_pq_press_open(RV_CODEC_ZSTD, 3, &shop.press, NULL) == RV_OK);
    rv_pq_column_init(&c, &leaf, "c", &shop.plan);
    CHECK(!group_compressed(&c, &shop, 4096, true)); /* 0: tried in vain */
    for (unsigned g = 1; g < 4; g++)
        CHECK(!group_compressed(&c, &shop, 4096, false)); /* not tried */
    CHECK(group_compressed(&c, &shop, 4096, false));      /* 4: tried again */
    CHECK(group_compressed(&c, &shop, 4096, true));       /* 5: goes on, does not pay */
    for (unsigned g = 6; g < 20; g++)
        CHECK(!group_compressed(&c, &shop, 4096, false)); /* never again */
    rv_pq_column_free(&c);
    rv_pq_press_close(&shop.press);
    rv_pq_scratch_free(&shop.scratch);
    rv_pq_bounds_free(&shop.bounds);
    rv_pq_used_free(&shop.used);
    rv_pq_log_free(&log);
}

RV_TEST_MAIN(RV_CASE(few_text_columns_get_large_pages), RV_CASE(text_pages_share_a_budget),
             RV_CASE(fixed_pages_depend_on_the_column_count_only),
             RV_CASE(codec_trials_become_seldom))
