#include "rvtest.h"

#include <string.h>

#include "engine/names.h"

/* 2026-05-02T08:00:00.117Z */
#define STARTED_US INT64_C(1777708800117000)

RV_TEST(run_id_and_stems)
{
    rv_arena a = RV_ARENA_INIT;
    rv_error err = {0};
    const char *text;
    CHECK_EQ(rv_name_run_id(&a, "invoices", STARTED_US, &text, &err), RV_OK);
    CHECK_STR(text, "invoices_20260502T080000.117");
    CHECK_EQ(rv_name_stem(&a, "invoices", STARTED_US, 0, &text, &err), RV_OK);
    CHECK_STR(text, "invoices_20260502_080000");
    CHECK_EQ(rv_name_stem(&a, "invoices", STARTED_US, 1, &text, &err), RV_OK);
    CHECK_STR(text, "invoices_20260502_080000_117");
    CHECK_EQ(rv_name_stem(&a, "invoices", STARTED_US, 2, &text, &err), RV_OK);
    CHECK_STR(text, "invoices_20260502_080000_118");
    rv_arena_free(&a);
}

RV_TEST(units_and_parts)
{
    rv_arena a = RV_ARENA_INIT;
    rv_error err = {0};
    const char *text;
    char unit[RV_UNIT_NAME_SIZE];
    rv_name_unit_chunk(7, unit);
    CHECK_STR(unit, "chunk7");
    CHECK_EQ(rv_name_chunk_index(unit), 7);
    rv_name_unit_keyset(false, 0, 12, unit);
    CHECK_STR(unit, "keyset12");
    CHECK_EQ(rv_name_chunk_index(unit), 12);
    rv_name_unit_keyset(true, 2, 5, unit);
    CHECK_STR(unit, "keyset2-5");
    CHECK_EQ(rv_name_chunk_index(unit), -1);
    CHECK_EQ(rv_name_chunk_index("0"), -1);
    CHECK_EQ(rv_name_part(&a, "x_1", "0", -1, ".parquet", &text, &err), RV_OK);
    CHECK_STR(text, "x_1.parquet");
    CHECK_EQ(rv_name_part(&a, "x_1", "0", 0, ".parquet", &text, &err), RV_OK);
    CHECK_STR(text, "x_1_part0.parquet");
    CHECK_EQ(rv_name_part(&a, "x_1", "keyset2-5", 3, ".csv.gz", &text, &err), RV_OK);
    CHECK_STR(text, "x_1_keyset2-5_part3.csv.gz");
    rv_arena_free(&a);
}

RV_TEST(owner_tokens_differ)
{
    char one[33], two[33];
    rv_error err = {0};
    CHECK_EQ(rv_name_owner_token(one, &err), RV_OK);
    CHECK_EQ(rv_name_owner_token(two, &err), RV_OK);
    CHECK(strcmp(one, two) != 0 && strlen(one) == 32);
}

RV_TEST_MAIN(RV_CASE(run_id_and_stems), RV_CASE(units_and_parts), RV_CASE(owner_tokens_differ))
