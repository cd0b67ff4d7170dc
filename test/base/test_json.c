#include "base/json.h"

#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "sweep.h"

static void sample(rv_json *j)
{
    rv_json_object(j);
    rv_json_kstr(j, "s", "a\"b\\c\n\t\x01/\x7F");
    rv_json_kstr(j, "none", NULL);
    rv_json_key(j, "list");
    rv_json_array(j);
    rv_json_i64(j, INT64_MIN);
    rv_json_u64(j, UINT64_MAX);
    rv_json_bool(j, true);
    rv_json_null(j);
    rv_json_array(j);
    rv_json_array_end(j);
    rv_json_object(j);
    rv_json_object_end(j);
    rv_json_raw(j, RV_STR("[1]"));
    rv_json_array_end(j);
    rv_json_ki64(j, "n", -5);
    rv_json_kbool(j, "f", false);
    rv_json_object_end(j);
}

RV_TEST(compact)
{
    rv_buf b = RV_BUF_INIT;
    rv_json j;
    rv_json_begin(&j, &b, false);
    sample(&j);
    CHECK_EQ(rv_json_end(&j, NULL), RV_OK);
    CHECK_STR(rv_buf_cstr(&b),
              "{\"s\":\"a\\\"b\\\\c\\n\\t\\u0001/\x7F\",\"none\":null,"
              "\"list\":[-9223372036854775808,18446744073709551615,true,null,[],{},[1]],"
              "\"n\":-5,\"f\":false}");
    rv_buf_free(&b);
}

RV_TEST(pretty)
{
    rv_buf b = RV_BUF_INIT;
    rv_json j;
    rv_json_begin(&j, &b, true);
    sample(&j);
    CHECK_EQ(rv_json_end(&j, NULL), RV_OK);
    CHECK_STR(rv_buf_cstr(&b),
              "{\n  \"s\": \"a\\\"b\\\\c\\n\\t\\u0001/\x7F\",\n  \"none\": null,\n  \"list\": [\n"
              "    -9223372036854775808,\n    18446744073709551615,\n    true,\n    null,\n"
              "    [],\n    {},\n    [1]\n  ],\n  \"n\": -5,\n  \"f\": false\n}");
    rv_buf_free(&b);
}

RV_TEST(several_documents_are_separate_calls)
{
    rv_buf b = RV_BUF_INIT;
    rv_json j;
    for (int i = 0; i < 2; i++) {
        rv_json_begin(&j, &b, false);
        rv_json_i64(&j, i);
        CHECK_EQ(rv_json_end(&j, NULL), RV_OK);
        CHECK_EQ(rv_buf_add_byte(&b, '\n', NULL), RV_OK);
    }
    CHECK_STR(rv_buf_cstr(&b), "0\n1\n");
    rv_buf_free(&b);
}

static const char *text_of(rv_str s)
{
    static rv_buf b;
    rv_json j;
    rv_buf_free(&b);
    rv_json_begin(&j, &b, false);
    rv_json_str(&j, s);
    CHECK_EQ(rv_json_end(&j, NULL), RV_OK);
    static char copy[256];
    const char *text = rv_buf_cstr(&b);
    strncpy(copy, text ? text : "?", sizeof copy - 1);
    rv_buf_free(&b);
    return copy;
}

RV_TEST(texts)
{
    CHECK_STR(text_of((rv_str){NULL, 0}), "\"\"");
    CHECK_STR(text_of(RV_STR("\xE2\x82\xAC\xF0\x9F\x98\x80")), "\"\xE2\x82\xAC\xF0\x9F\x98\x80\"");
    CHECK_STR(text_of(RV_STR("a\xFFz\xE2\x82")), "\"a\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD\"");
    CHECK_STR(text_of(RV_STR("\xED\xA0\x80")), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
    CHECK_STR(text_of(RV_STR("\0\b\f\r\x0B\x1F")), "\"\\u0000\\b\\f\\r\\u000b\\u001f\"");
}

static const char *number_of(double v)
{
    static char copy[64];
    rv_buf b = RV_BUF_INIT;
    rv_json j;
    rv_json_begin(&j, &b, false);
    rv_json_f64(&j, v);
    CHECK_EQ(rv_json_end(&j, NULL), RV_OK);
    const char *text = rv_buf_cstr(&b);
    strncpy(copy, text ? text : "?", sizeof copy - 1);
    rv_buf_free(&b);
    return copy;
}

RV_TEST(floating_numbers)
{
    CHECK_STR(number_of(0.1), "0.1");
    CHECK_STR(number_of(1.0 / 3), "0.3333333333333333");
    CHECK_STR(number_of(0.1 + 0.2), "0.30000000000000004");
    CHECK_STR(number_of(1e300), "1e+300");
    CHECK_STR(number_of(-0.0), "-0");
    CHECK_STR(number_of((double)NAN), "null");
    CHECK_STR(number_of(-(double)INFINITY), "null");
    uint64_t seed = 3;
    for (unsigned i = 0; i < 3000; i++) {
        double v;
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
        memcpy(&v, &seed, sizeof v);
        if (isfinite(v))
            CHECK(strtod(number_of(v), NULL) == v);
    }
    CHECK(strtod(number_of(DBL_TRUE_MIN), NULL) > 0);
}

RV_TEST(misuse_is_an_error_not_a_broken_text)
{
    rv_buf b = RV_BUF_INIT;
    rv_json j;
    rv_error err;
    rv_json_begin(&j, &b, false);
    rv_json_object(&j);
    CHECK_EQ(rv_json_end(&j, &err), RV_E_INTERNAL);
    rv_json_begin(&j, &b, false);
    rv_json_array_end(&j);
    CHECK_EQ(rv_json_end(&j, &err), RV_E_INTERNAL);
    rv_json_begin(&j, &b, false);
    rv_json_object(&j);
    rv_json_key(&j, "k");
    rv_json_object_end(&j);
    CHECK_EQ(rv_json_end(&j, &err), RV_E_INTERNAL);
    rv_json_begin(&j, &b, false);
    for (unsigned i = 0; i < 100; i++)
        rv_json_array(&j);
    for (unsigned i = 0; i < 100; i++)
        rv_json_array_end(&j);
    CHECK_EQ(rv_json_end(&j, &err), RV_E_INTERNAL);
    rv_buf_free(&b);
}

RV_TEST(another_reader_agrees)
{
    uint32_t seed = 5;
    for (unsigned round = 0; round < 300; round++) {
        char raw[40];
        for (size_t i = 0; i < sizeof raw; i++) {
            seed = seed * 1664525U + 1013904223U;
            raw[i] = (char)(seed >> 24);
        }
        rv_buf b = RV_BUF_INIT;
        rv_json j;
        rv_json_begin(&j, &b, round % 2);
        rv_json_object(&j);
        rv_json_key_str(&j, (rv_str){raw, 10});
        rv_json_str(&j, (rv_str){raw + 10, 30});
        rv_json_object_end(&j);
        REQUIRE(rv_json_end(&j, NULL) == RV_OK);
        json_error_t error;
        json_t *tree = json_loadb((const char *)b.ptr, b.len, JSON_ALLOW_NUL, &error);
        bool nul_key = memchr(raw, '\0', 10) != NULL; /* jansson refuses those */
        CHECK(tree != NULL || nul_key);
        json_decref(tree);
        rv_buf_free(&b);
    }
}

static rv_status build(void)
{
    rv_buf b = RV_BUF_INIT;
    rv_json j;
    rv_json_begin(&j, &b, true);
    sample(&j);
    rv_status st = rv_json_end(&j, NULL);
    rv_buf_free(&b);
    return st;
}

RV_TEST(allocation_sweep)
{
    sweep_alloc(build);
}

RV_TEST_MAIN(RV_CASE(compact), RV_CASE(pretty), RV_CASE(several_documents_are_separate_calls),
             RV_CASE(texts), RV_CASE(floating_numbers),
             RV_CASE(misuse_is_an_error_not_a_broken_text), RV_CASE(another_reader_agrees),
             RV_CASE(allocation_sweep))
