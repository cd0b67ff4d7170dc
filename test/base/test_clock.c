#include "base/clock.h"

#include "rvtest.h"

RV_TEST(the_clocks_run)
{
    CHECK(rv_clock_now_us() > INT64_C(1600000000000000));
    int64_t a = rv_clock_mono_us();
    CHECK(a > 0 && rv_clock_mono_us() >= a);
}

RV_TEST(civil_days_there_and_back)
{
    CHECK_EQ(rv_days_from_civil(1970, 1, 1), 0);
    CHECK_EQ(rv_days_from_civil(2000, 3, 1), 11017);
    CHECK_EQ(rv_days_from_civil(1969, 12, 31), -1);
    CHECK_EQ(rv_days_from_civil(0, 1, 1), -719528);
    CHECK_EQ(rv_days_from_civil(-4712, 1, 1), -2440550); /* proleptic Gregorian */
    int64_t before = rv_days_from_civil(-801, 12, 31);
    for (int64_t year = -800; year <= 2804; year++) {
        for (unsigned month = 1; month <= 12; month++) {
            for (unsigned day = 1; day <= rv_days_in_month(year, month); day++) {
                int64_t y, days = rv_days_from_civil(year, month, day);
                unsigned m, d;
                rv_civil_from_days(days, &y, &m, &d);
                if (days != before + 1 || y != year || m != month || d != day)
                    CHECK(false && "days are consecutive and come back");
                before = days;
            }
        }
    }
    static const int64_t far[] = {INT32_MIN, INT32_MAX, -290308, 294247};
    for (size_t i = 0; i < 4; i++) {
        int64_t y;
        unsigned m, d;
        rv_civil_from_days(rv_days_from_civil(far[i], 2, 28), &y, &m, &d);
        CHECK(y == far[i] && m == 2 && d == 28);
    }
}

RV_TEST(months)
{
    CHECK_EQ(rv_days_in_month(2000, 2), 29);
    CHECK_EQ(rv_days_in_month(1900, 2), 28);
    CHECK_EQ(rv_days_in_month(2024, 2), 29);
    CHECK_EQ(rv_days_in_month(0, 2), 29);
    CHECK_EQ(rv_days_in_month(-1, 2), 28);
    CHECK_EQ(rv_days_in_month(2023, 11), 30);
    CHECK_EQ(rv_days_in_month(2023, 0), 0);
    CHECK_EQ(rv_days_in_month(2023, 13), 0);
}

RV_TEST(text_forms)
{
    char t[RV_RFC3339_SIZE], d[16], s[24], r[32];
    int64_t us = INT64_C(1777708800117999); /* 2026-05-02T08:00:00.117999Z */
    rv_rfc3339_ms(us, t);
    CHECK_STR(t, "2026-05-02T08:00:00.117Z");
    rv_rfc3339_s(us, t);
    CHECK_STR(t, "2026-05-02T08:00:00+00:00");
    rv_date_utc(us, d);
    CHECK_STR(d, "2026-05-02");
    rv_stamp_utc(us, s);
    CHECK_STR(s, "20260502_080000");
    rv_run_stamp_utc(us, r);
    CHECK_STR(r, "20260502T080000.117");
    rv_rfc3339_ms(-1, t);
    CHECK_STR(t, "1969-12-31T23:59:59.999Z");
    rv_rfc3339_ms(INT64_MIN, t);
    CHECK_STR(t, "-290308-12-21T19:59:05.224Z");
    rv_rfc3339_s(INT64_MAX, t);
    CHECK_STR(t, "294247-01-10T04:00:54+00:00");
    rv_stamp_utc(INT64_MIN, s);
    CHECK_STR(s, "-2903081221_195905");
    rv_run_stamp_utc(INT64_MIN, r);
    rv_date_utc(INT64_MIN, d);
    CHECK_STR(d, "-290308-12-21");
}

static void check_parse(const char *text, bool ok, int64_t want)
{
    int64_t us = 77;
    CHECK_EQ(rv_rfc3339_parse(rv_str_c(text), &us), ok);
    CHECK_EQ(us, ok ? want : 77);
}

RV_TEST(parsing)
{
    check_parse("1970-01-01T00:00:00Z", true, 0);
    check_parse("1970-01-01t00:00:00z", true, 0);
    check_parse("2026-05-02T08:00:00.117Z", true, INT64_C(1777708800117000));
    check_parse("2026-05-02T08:00:00.117999+00:00", true, INT64_C(1777708800117999));
    check_parse("2026-05-02T08:00:00.117999999Z", true, INT64_C(1777708800117999));
    check_parse("2026-05-02T10:30:00+02:30", true, INT64_C(1777708800000000));
    check_parse("2026-05-01T20:00:00-12:00", true, INT64_C(1777708800000000));
    check_parse("1969-12-31T23:59:59.5Z", true, -500000);
    check_parse("0000-02-29T00:00:00Z", true, rv_days_from_civil(0, 2, 29) * INT64_C(86400000000));
    static const char *const bad[] = {"",
                                      "2026-05-02",
                                      "2026-05-02T08:00:00",
                                      "2026-05-02 08:00:00Z",
                                      "2026-5-02T08:00:00Z",
                                      "2026-02-29T08:00:00Z",
                                      "2026-13-01T08:00:00Z",
                                      "2026-00-01T08:00:00Z",
                                      "2026-01-00T08:00:00Z",
                                      "2026-05-02T24:00:00Z",
                                      "2026-05-02T08:60:00Z",
                                      "2026-05-02T08:00:60Z",
                                      "2026-05-02T08:00:00.Z",
                                      "2026-05-02T08:00:00.1234567890Z",
                                      "2026-05-02T08:00:00+2:00",
                                      "2026-05-02T08:00:00+24:00",
                                      "2026-05-02T08:00:00+00:60",
                                      "2026-05-02T08:00:00Zx",
                                      "+026-05-02T08:00:00Z",
                                      "2026-05-02T08:00:00+0000"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check_parse(bad[i], false, 0);
    int64_t us;
    CHECK(!rv_rfc3339_parse(RV_STR("2026-05-02T08:00:00\0"), &us));
}

RV_TEST(parsing_what_was_written)
{
    uint64_t seed = 1;
    for (unsigned i = 0; i < 2000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
        int64_t ms = (int64_t)(seed % UINT64_C(315569520000000)) - INT64_C(62167219200000);
        char text[RV_RFC3339_SIZE];
        int64_t back;
        rv_rfc3339_ms(ms * 1000, text);
        REQUIRE(rv_rfc3339_parse(rv_str_c(text), &back));
        CHECK_EQ(back, ms * 1000);
    }
}

RV_TEST(durations)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {{0, "0ms"},
                {340, "340ms"},
                {999, "999ms"},
                {1000, "1.0s"},
                {1249, "1.2s"},
                {1250, "1.3s"},
                {59949, "59.9s"},
                {59950, "1m 00.0s"},
                {126000, "2m 06.0s"},
                {3599949, "59m 59.9s"},
                {3599950, "1h 00m 00.0s"},
                {3723400, "1h 02m 03.4s"},
                {360000000, "100h 00m 00.0s"},
                {-5, "0ms"}};
    char out[32];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_duration_text(rows[i].ms, out);
        CHECK_STR(out, rows[i].text);
    }
    rv_duration_text(INT64_MAX, out);
    CHECK_STR(out, "2562047788015h 12m 55.8s");
}

RV_TEST(sizes)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } rows[] = {{0, "0 B"},
                {1023, "1023 B"},
                {1024, "1.0 KB"},
                {1536, "1.5 KB"},
                {10066329, "9.6 MB"},
                {1048575, "1.0 MB"}, /* not 1024.0 KB */
                {1048524, "1023.9 KB"},
                {UINT64_C(1) << 30, "1.0 GB"},
                {(UINT64_C(1) << 30) - 1, "1.0 GB"},
                {UINT64_C(5) << 40, "5120.0 GB"},
                {UINT64_MAX, "17179869184.0 GB"}};
    char out[32];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_size_text(rows[i].bytes, out);
        CHECK_STR(out, rows[i].text);
    }
}

RV_TEST_MAIN(RV_CASE(the_clocks_run), RV_CASE(civil_days_there_and_back), RV_CASE(months),
             RV_CASE(text_forms), RV_CASE(parsing), RV_CASE(parsing_what_was_written),
             RV_CASE(durations), RV_CASE(sizes))
