#include "column/temporal.h"

#include <stdlib.h>
#include <time.h>

#include "rvtest.h"

static rv_str str(const char *s)
{
    return rv_str_c(s);
}

RV_TEST(dates_print)
{
    static const struct {
        int64_t days;
        const char *text;
    } dates[] = {{0, "1970-01-01"},         {-1, "1969-12-31"},       {11016, "2000-02-29"},
                 {-719528, "0000-01-01"},   {-719529, "-0001-12-31"}, {2932896, "9999-12-31"},
                 {2932897, "+10000-01-01"}, {-734868, "-0042-01-01"}, {-735233, "-0043-01-01"}};
    char out[RV_TEMPORAL_TEXT_SIZE];
    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        int64_t back;
        CHECK_EQ(rv_date_text(dates[i].days, out), strlen(dates[i].text));
        CHECK_STR(out, dates[i].text);
        REQUIRE(rv_date_parse(str(dates[i].text), &back) == RV_TEMPORAL_OK);
        CHECK_EQ(back, dates[i].days);
    }
    CHECK(rv_date_text(INT64_MIN, out) < RV_TEMPORAL_TEXT_SIZE);
    CHECK(rv_date_text(INT64_MAX, out) < RV_TEMPORAL_TEXT_SIZE);
}

RV_TEST(days_agree_with_libc_and_read_back)
{
    for (int64_t d = INT32_MIN; d <= INT32_MAX; d += 86413 * 97) {
        char out[RV_TEMPORAL_TEXT_SIZE];
        int64_t back = 0;
        struct tm tm;
        time_t t = (time_t)d * 86400;
        (void)rv_date_text(d, out);
        REQUIRE(rv_date_parse(str(out), &back) == RV_TEMPORAL_OK);
        CHECK_EQ(back, d);
        REQUIRE(gmtime_r(&t, &tm));
        size_t n = strlen(out);
        CHECK_EQ((out[n - 2] - '0') * 10 + out[n - 1] - '0', tm.tm_mday);
        CHECK_EQ((out[n - 5] - '0') * 10 + out[n - 4] - '0', tm.tm_mon + 1);
    }
}

RV_TEST(instants_print)
{
    char out[RV_TEMPORAL_TEXT_SIZE];
    (void)rv_timestamp_text(-1, false, out);
    CHECK_STR(out, "1969-12-31T23:59:59.999999");
    (void)rv_timestamp_text(INT64_C(1700000000123456), true, out);
    CHECK_STR(out, "2023-11-14T22:13:20.123456Z");
    (void)rv_timestamp_ns_text(INT64_MIN, true, out);
    CHECK_STR(out, "1677-09-21T00:12:43.145224192Z");
    (void)rv_timestamp_ns_text(INT64_MAX, false, out);
    CHECK_STR(out, "2262-04-11T23:47:16.854775807");
    (void)rv_timestamp_text(INT64_MIN, false, out);
    CHECK_STR(out, "-290308-12-21T19:59:05.224192");
    (void)rv_time_text(INT64_C(86399999999), out);
    CHECK_STR(out, "23:59:59.999999");
}

RV_TEST(instants_read_back_at_the_edges)
{
    static const int64_t edges[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        for (int ns = 0; ns < 2; ns++) {
            char out[RV_TEMPORAL_TEXT_SIZE];
            int64_t back = 0;
            bool zoned = false;
            (void)(ns ? rv_timestamp_ns_text(edges[i], true, out)
                      : rv_timestamp_text(edges[i], true, out));
            REQUIRE(rv_timestamp_parse(str(out), ns == 1, &back, &zoned) == RV_TEMPORAL_OK);
            CHECK(zoned);
            CHECK_EQ(back, edges[i]);
        }
    }
}

RV_TEST(timestamps_parse)
{
    static const struct {
        const char *text;
        int64_t us;
        bool zoned;
    } good[] = {
        {"1970-01-02", INT64_C(86400000000), false},
        {"1970-01-01 00:00", 0, false},
        {"1970-01-01T00:00:01", 1000000, false},
        {"1970-01-01t00:00:01.5z", 1500000, true},
        {"1970-01-01 01:00:00+01", 0, true},
        {"1970-01-01 01:30:00+0130", 0, true},
        {"1969-12-31 22:29:58-01:30:02", 0, true},
        {"1970-01-01 00:00:00.123456000", 123456, false},
        {"1969-12-31 23:59:59.999999", -1, false},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t us = 7;
        bool zoned = !good[i].zoned;
        REQUIRE(rv_timestamp_parse(str(good[i].text), false, &us, &zoned) == RV_TEMPORAL_OK);
        CHECK_EQ(us, good[i].us);
        CHECK_EQ(zoned, good[i].zoned);
    }
}

RV_TEST(what_is_no_instant)
{
    static const struct {
        const char *text;
        rv_temporal_fit fit;
    } bad[] = {
        {"", RV_TEMPORAL_SYNTAX},
        {"now", RV_TEMPORAL_SYNTAX},
        {"70-01-01", RV_TEMPORAL_SYNTAX},
        {"1970-1-01", RV_TEMPORAL_SYNTAX},
        {"1970-01-01T", RV_TEMPORAL_SYNTAX},
        {"1970-01-01 00:00:00.", RV_TEMPORAL_SYNTAX},
        {"1970-01-01 00:00:00.1234567890", RV_TEMPORAL_SYNTAX},
        {"1970-01-01 00:00:00 +01", RV_TEMPORAL_SYNTAX},
        {"1970-01-01 00:00:00+1", RV_TEMPORAL_SYNTAX},
        {"1970-01-01 00:00:00+01:", RV_TEMPORAL_SYNTAX},
        {"1970-01-01 00:00:00Zx", RV_TEMPORAL_SYNTAX},
        {"1970-01-01 24:00:00", RV_TEMPORAL_RANGE},
        {"1970-13-01 24:00:00Z", RV_TEMPORAL_RANGE},
        {"1970-13-01 24:00:00x", RV_TEMPORAL_SYNTAX},
        {"1970-13-01x", RV_TEMPORAL_SYNTAX},
        {"1970-01-01 23:59:60", RV_TEMPORAL_RANGE},
        {"1970-02-29", RV_TEMPORAL_RANGE},
        {"1900-02-29", RV_TEMPORAL_RANGE},
        {"1970-00-01", RV_TEMPORAL_RANGE},
        {"0000-00-00 00:00:00", RV_TEMPORAL_RANGE},
        {"1970-01-01 00:00:00.1234567", RV_TEMPORAL_RANGE},
        {"1970-01-01 00:00:00+24", RV_TEMPORAL_RANGE},
        {"294248-01-01 00:00:00", RV_TEMPORAL_RANGE},
        {"99999999999999999999999-01-01", RV_TEMPORAL_RANGE},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t us = 7;
        bool zoned = true;
        CHECK_EQ(rv_timestamp_parse(str(bad[i].text), false, &us, &zoned), bad[i].fit);
        CHECK_EQ(us, 7);
    }
}

RV_TEST(times_and_dates_refuse)
{
    int64_t v = 7;
    CHECK_EQ(rv_time_parse(RV_STR("24:00:00"), &v), RV_TEMPORAL_RANGE);
    CHECK_EQ(rv_time_parse(RV_STR("12:00:00.0000001"), &v), RV_TEMPORAL_RANGE);
    CHECK_EQ(rv_time_parse(RV_STR("12:00:00Z"), &v), RV_TEMPORAL_SYNTAX);
    CHECK_EQ(rv_time_parse(RV_STR("-12:00:00"), &v), RV_TEMPORAL_SYNTAX);
    CHECK_EQ(rv_date_parse(RV_STR("2024-01-01 "), &v), RV_TEMPORAL_SYNTAX);
    CHECK_EQ(rv_date_parse(RV_STR("infinity"), &v), RV_TEMPORAL_SYNTAX);
    CHECK_EQ(v, 7);
    CHECK_EQ(rv_time_parse(RV_STR("23:59:59.999999000"), &v), RV_TEMPORAL_OK);
    CHECK_EQ(v, INT64_C(86399999999));
    CHECK_EQ(rv_time_parse(RV_STR("07:30"), &v), RV_TEMPORAL_OK);
    CHECK_EQ(v, INT64_C(27000000000));
}

RV_TEST(cut_texts_never_read_past_their_end)
{
    static const char text[] = "-12345-12-31T23:59:59.123456789+12:34:56";
    for (size_t len = 0; len <= sizeof text - 1; len++) {
        int64_t v;
        bool zoned;
        char *exact = malloc(len ? len : 1);
        REQUIRE(exact);
        memcpy(exact, text, len);
        (void)rv_timestamp_parse((rv_str){exact, len}, true, &v, &zoned);
        (void)rv_date_parse((rv_str){exact, len}, &v);
        (void)rv_time_parse((rv_str){exact, len}, &v);
        free(exact);
    }
    CHECK(true);
}

RV_TEST_MAIN(RV_CASE(dates_print), RV_CASE(days_agree_with_libc_and_read_back),
             RV_CASE(instants_print), RV_CASE(instants_read_back_at_the_edges),
             RV_CASE(timestamps_parse), RV_CASE(what_is_no_instant),
             RV_CASE(times_and_dates_refuse), RV_CASE(cut_texts_never_read_past_their_end))
