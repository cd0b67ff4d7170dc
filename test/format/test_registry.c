#include "rvtest.h"

#include "format/format.h"

RV_TEST(formats_are_found_by_their_word)
{
    CHECK(rv_format_find(RV_STR("csv")) == &rv_format_csv);
    CHECK(rv_format_find(RV_STR("parquet")) == &rv_format_parquet);
    CHECK(rv_format_find(RV_STR("CSV")) == NULL);
    CHECK(rv_format_find(RV_STR("")) == NULL);
}

RV_TEST(every_driver_is_whole)
{
    const rv_format_driver *const *d = rv_format_drivers();
    size_t count = 0;
    for (; d[count]; count++) {
        CHECK_EQ(d[count]->abi, RV_FORMAT_ABI);
        CHECK(d[count]->name && d[count]->mime && d[count]->extension[0] == '.');
        CHECK(d[count]->check && d[count]->begin && d[count]->write && d[count]->encoded_bytes);
        CHECK(d[count]->finish && d[count]->discard);
        CHECK(rv_format_find(rv_str_c(d[count]->name)) == d[count]);
    }
    CHECK_EQ(count, 2);
    CHECK_STR(rv_format_csv.extension, ".csv");
    CHECK_STR(rv_format_parquet.extension, ".parquet");
}

RV_TEST_MAIN(RV_CASE(formats_are_found_by_their_word), RV_CASE(every_driver_is_whole))
