#include "base/str.h"

#include "rvtest.h"

RV_TEST(comparing)
{
    CHECK(rv_str_eq(RV_STR(""), (rv_str){NULL, 0}));
    CHECK(rv_str_eq_nocase(RV_STR("Ab_1"), RV_STR("aB_1")));
    CHECK(!rv_str_eq_nocase(RV_STR("ab"), RV_STR("abc")));
    CHECK(!rv_str_eq_nocase(RV_STR("[x"), RV_STR("{x")));
    CHECK(!rv_str_eq_nocase(RV_STR("\xC3\x84"), RV_STR("\xC3\xA4"))); /* ASCII only */
    CHECK(rv_str_starts(RV_STR("abc"), RV_STR("ab")) && rv_str_starts(RV_STR("a"), RV_STR("")));
    CHECK(!rv_str_starts(RV_STR("a"), RV_STR("ab")) && !rv_str_starts(RV_STR("ba"), RV_STR("a")));
    CHECK(rv_str_ends(RV_STR("abc"), RV_STR("bc")) && rv_str_ends((rv_str){NULL, 0}, RV_STR("")));
    CHECK(!rv_str_ends(RV_STR("c"), RV_STR("bc")) && !rv_str_ends(RV_STR("cb"), RV_STR("c")));
}

RV_TEST(trimming)
{
    CHECK(rv_str_eq(rv_str_trim(RV_STR(" \t\r\nx y\n ")), RV_STR("x y")));
    CHECK_EQ(rv_str_trim(RV_STR(" \n")).len, 0);
    CHECK_EQ(rv_str_trim((rv_str){NULL, 0}).len, 0);
}

static void check_i64(const char *text, bool ok, int64_t want)
{
    int64_t v = 77;
    CHECK_EQ(rv_str_i64(rv_str_c(text), &v), ok);
    CHECK_EQ(v, ok ? want : 77);
}

RV_TEST(signed_numbers)
{
    check_i64("0", true, 0);
    check_i64("-0", true, 0);
    check_i64("+12", true, 12);
    check_i64("0012", true, 12);
    check_i64("9223372036854775807", true, INT64_MAX);
    check_i64("-9223372036854775808", true, INT64_MIN);
    check_i64("-9223372036854775807", true, INT64_MIN + 1);
    static const char *const bad[] = {"",
                                      "-",
                                      "+",
                                      "--1",
                                      "1 ",
                                      " 1",
                                      "1x",
                                      "0x1",
                                      "1_000",
                                      "1.0",
                                      "+-1",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check_i64(bad[i], false, 0);
}

RV_TEST(unsigned_numbers)
{
    uint64_t v = 77;
    CHECK(rv_str_u64(RV_STR("18446744073709551615"), &v));
    CHECK(v == UINT64_MAX);
    CHECK(rv_str_u64(RV_STR("+5"), &v));
    CHECK_EQ(v, 5);
    CHECK(!rv_str_u64(RV_STR("18446744073709551616"), &v));
    CHECK(!rv_str_u64(RV_STR("-1"), &v));
    CHECK(!rv_str_u64(RV_STR(""), &v));
    CHECK_EQ(v, 5);
}

RV_TEST(utf8_validity)
{
    static const char *const good[] = {"",
                                       "a",
                                       "\x7F",
                                       "\xC2\x80",
                                       "\xDF\xBF",
                                       "\xE0\xA0\x80",
                                       "\xED\x9F\xBF",
                                       "\xEE\x80\x80",
                                       "\xEF\xBF\xBF",
                                       "\xF0\x90\x80\x80",
                                       "\xF4\x8F\xBF\xBF",
                                       "12345678\xE2\x82\xAC-2345678"};
    static const char *const bad[] = {"\x80",
                                      "\xBF",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xC2",
                                      "\xC2\x41",
                                      "\xE0\x9F\xBF",
                                      "\xE2\x82",
                                      "\xE2\x82\x41",
                                      "\xED\xA0\x80",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF0\x90\x80",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xFF",
                                      "12345678\xE2\x82",
                                      "\xF1\x80\x41\x80",
                                      "\xF1\x80\x80\x41"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CHECK(rv_utf8_valid(rv_str_bytes(rv_str_c(good[i]))));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(!rv_utf8_valid(rv_str_bytes(rv_str_c(bad[i]))));
    CHECK(rv_utf8_valid(rv_str_bytes(RV_STR("a\0b"))));
}

RV_TEST(utf8_cutting)
{
    rv_str s = RV_STR("a\xE2\x82\xAC\xF0\x9F\x98\x80z"); /* lengths 1, 3, 4, 1 */
    static const size_t want[] = {0, 1, 1, 1, 4, 4, 4, 4, 8, 9, 9};
    for (size_t max = 0; max < sizeof want / sizeof want[0]; max++)
        CHECK_EQ(rv_utf8_cut(s, max), want[max]);
    rv_str junk = RV_STR("\x80\x80\x80\x80\x80\x80\x80");
    CHECK_EQ(rv_utf8_cut(junk, 5), 5);
}

RV_TEST(utf8_counting)
{
    CHECK_EQ(rv_utf8_count(RV_STR("")), 0);
    CHECK_EQ(rv_utf8_count(RV_STR("a\xE2\x82\xAC\xF0\x9F\x98\x80z")), 4);
    CHECK_EQ(rv_utf8_count(RV_STR("\xE2\x82z\xFF")), 4);
}

static const char *const keys[] = {"name",       "query",        "query_file", "table",
                                   "chunk_size", "chunk_column", "mode",       "columns"};

static const char *suggest(const char *input)
{
    int i = rv_suggest(rv_str_c(input), keys, sizeof keys / sizeof keys[0]);
    return i < 0 ? "-" : keys[i];
}

RV_TEST(suggestions)
{
    CHECK_STR(suggest("chunk_colum"), "chunk_column");   /* contained */
    CHECK_STR(suggest("chunk_columns"), "chunk_column"); /* contains */
    CHECK_STR(suggest("COLUMN"), "chunk_column");        /* first of the list */
    CHECK_STR(suggest("moed"), "mode");                  /* distance 2 */
    CHECK_STR(suggest("tabel"), "table");
    CHECK_STR(suggest("chnk_sz"), "chunk_size"); /* distance 3 of 10 */
    CHECK_STR(suggest("QUERY_FILE"), "query_file");
    CHECK_STR(suggest("na"), "name"); /* too short to be "contained" */
    CHECK_STR(suggest("zzzzz"), "-");
    CHECK_STR(suggest(""), "-");
    CHECK_EQ(rv_suggest(RV_STR("x"), NULL, 0), -1);
}

RV_TEST(suggestion_ties_and_limits)
{
    static const char *const two[] = {"bat", "cat"};
    CHECK_EQ(rv_suggest(RV_STR("hat"), two, 2), 0);
    static const char *const modes[] = {"full", "incremental"};
    CHECK_EQ(rv_suggest(RV_STR("f"), modes, 2), -1);
    CHECK_EQ(rv_suggest(RV_STR("fu"), modes, 2), 0);
    char lng[400];
    memset(lng, 'q', sizeof lng);
    CHECK_EQ(rv_suggest((rv_str){lng, sizeof lng}, modes, 2), -1);
    const char *const odd[] = {"", "full"};
    CHECK_EQ(rv_suggest(RV_STR("fulll"), odd, 2), 1);
}

RV_TEST_MAIN(RV_CASE(comparing), RV_CASE(trimming), RV_CASE(signed_numbers),
             RV_CASE(unsigned_numbers), RV_CASE(utf8_validity), RV_CASE(utf8_cutting),
             RV_CASE(utf8_counting), RV_CASE(suggestions), RV_CASE(suggestion_ties_and_limits))
