#include "column/schema.h"

#include "base/fault.h"
#include "rvtest.h"

static rv_column columns[] = {{.name = "id", .type = {RV_INT64, 0, 0, 0}},
                              {.name = "name", .type = {RV_STRING, 0, 0, 0}},
                              {.name = "price", .type = {RV_DECIMAL, 12, 2, 0}},
                              {.name = "B", .type = {RV_BOOL, 0, 0, 0}}};
static const rv_schema schema = {columns, 4};

RV_TEST(finds_exact_names)
{
    CHECK_EQ(rv_schema_find(&schema, RV_STR("price")), 2);
    CHECK_EQ(rv_schema_find(&schema, RV_STR("Price")), -1);
    CHECK_EQ(rv_schema_find(&schema, RV_STR("pric")), -1);
}

RV_TEST(double_names_are_refused_by_position)
{
    rv_column twice[] = {
        {.name = "a"}, {.name = "id"}, {.name = "b"}, {.name = "ID"}, {.name = "id"}};
    rv_schema s = {twice, 5};
    rv_error err;
    CHECK_EQ(rv_schema_check_names(&schema, &err), RV_OK);
    CHECK_EQ(rv_schema_check_names(&s, &err), RV_E_SOURCE_QUERY);
    CHECK_STR(err.text, "columns 2 and 5 are both called 'id'");
}

RV_TEST(fingerprint_sorts_by_name)
{
    char got[22];
    rv_error err;
    REQUIRE(rv_schema_fingerprint(&schema, got, &err) == RV_OK);
    CHECK_STR(got, "xxh3:481cd63cf81f914f");
    rv_column turned[] = {columns[2], columns[3], columns[0], columns[1]};
    rv_schema s = {turned, 4};
    REQUIRE(rv_schema_fingerprint(&s, got, &err) == RV_OK);
    CHECK_STR(got, "xxh3:481cd63cf81f914f");
}

RV_TEST(row_estimate)
{
    CHECK_EQ(rv_schema_row_estimate_bytes(&schema), 9 + 257 + 17 + 2);
}

RV_TEST(fingerprint_survives_failed_allocations)
{
#ifdef RV_FAULTS
    char got[22];
    rv_error err;
    rv_status st = RV_E_MEMORY;
    for (long n = 1; st != RV_OK && n < 50; n++) {
        rv_fault_set_alloc(n, false);
        st = rv_schema_fingerprint(&schema, got, &err);
        CHECK(st == RV_OK || st == RV_E_MEMORY);
    }
    rv_fault_set_alloc(0, false);
    CHECK_EQ(st, RV_OK);
#else
    SKIP("built without RV_FAULTS");
#endif
}

RV_TEST_MAIN(RV_CASE(finds_exact_names), RV_CASE(double_names_are_refused_by_position),
             RV_CASE(fingerprint_sorts_by_name), RV_CASE(row_estimate),
             RV_CASE(fingerprint_survives_failed_allocations))
