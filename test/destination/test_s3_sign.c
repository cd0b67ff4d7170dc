/* Signatures against the vectors that AWS publishes: the examples of the S3 API reference and the
 * Signature Version 4 test suite (those whose path needs no normalising, which S3 does not do). */
#include "destination/s3/sign.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/fault.h"
#include "rvtest.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define S3_HOST                                                                                    \
    {                                                                                              \
        "Host", "examplebucket.s3.amazonaws.com"                                                   \
    }
#define S3_DATE                                                                                    \
    {                                                                                              \
        "x-amz-date", "20130524T000000Z"                                                           \
    }
#define SUITE_HOST                                                                                 \
    {                                                                                              \
        "Host", "example.amazonaws.com"                                                            \
    }
#define SUITE_DATE                                                                                 \
    {                                                                                              \
        "X-Amz-Date", "20150830T123600Z"                                                           \
    }

static const rv_s3_signing s3_example = {.access = "AKIAIOSFODNN7EXAMPLE",
                                         .secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                                         .region = "us-east-1",
                                         .service = "s3",
                                         .stamp = "20130524T000000Z",
                                         .method = "GET",
                                         .path = "/",
                                         .payload = EMPTY};
static const rv_s3_signing suite = {.access = "AKIDEXAMPLE",
                                    .secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                    .region = "us-east-1",
                                    .service = "service",
                                    .stamp = "20150830T123600Z",
                                    .method = "GET",
                                    .path = "/",
                                    .payload = EMPTY};

static void signs(const rv_s3_signing *s, const char *want)
{
    rv_buf out = RV_BUF_INIT;
    rv_error err = {0};
    REQUIRE(rv_s3_authorization(s, &out, &err) == RV_OK);
    const char *text = rv_buf_cstr(&out);
    const char *got = text ? strstr(text, "Signature=") : NULL;
    CHECK_STR(got ? got + strlen("Signature=") : "", want);
    rv_buf_free(&out);
}

RV_TEST(examples_of_s3)
{
    static const rv_http_header get[] = {
        S3_HOST, {"Range", "bytes=0-9"}, {"x-amz-content-sha256", EMPTY}, S3_DATE};
    static const rv_http_header put[] = {
        {"Date", "Fri, 24 May 2013 00:00:00 GMT"},
        S3_HOST,
        S3_DATE,
        {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
        {"x-amz-content-sha256",
         "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"}};
    static const rv_http_header plain[] = {S3_HOST, {"x-amz-content-sha256", EMPTY}, S3_DATE};
    static const rv_http_header lifecycle[] = {{"lifecycle", ""}};
    static const rv_http_header list[] = {{"prefix", "J"}, {"max-keys", "2"}};
    rv_s3_signing s = s3_example;
    s.path = "/test.txt";
    s.headers = get;
    s.n_headers = 4;
    signs(&s, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    s.method = "PUT";
    s.path = "/test%24file.text";
    s.headers = put;
    s.n_headers = 5;
    s.payload = put[4].value;
    signs(&s, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
    s = s3_example;
    s.headers = plain;
    s.n_headers = 3;
    s.query = lifecycle;
    s.n_query = 1;
    signs(&s, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    s.query = list;
    s.n_query = 2;
    signs(&s, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

RV_TEST(suite_of_version_4)
{
    static const rv_http_header vanilla[] = {SUITE_HOST, SUITE_DATE};
    static const rv_http_header repeated[] = {SUITE_HOST,
                                              {"My-Header1", "value2"},
                                              {"My-Header1", "value2"},
                                              {"My-Header1", "value1"},
                                              SUITE_DATE};
    static const rv_http_header blanks[] = {
        SUITE_HOST, {"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}, SUITE_DATE};
    static const rv_http_header form[] = {
        {"Content-Type", "application/x-www-form-urlencoded"}, SUITE_HOST, SUITE_DATE};
    static const rv_http_header order[] = {{"Param2", "value2"}, {"Param1", "value1"}};
    static const rv_http_header values[] = {{"Param1", "value2"}, {"Param1", "Value1"}};
    static const rv_http_header unreserved[] = {
        {"-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
         "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"}};
    rv_s3_signing s = suite;
    s.headers = vanilla;
    s.n_headers = 2;
    signs(&s, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"); /* get-vanilla */
    s.path = "/%E1%88%B4";                                                         /* get-utf8 */
    signs(&s, "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85");
    s.path = "/";
    s.query = order; /* get-vanilla-query-order-key-case */
    s.n_query = 2;
    signs(&s, "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
    s.query = values; /* get-vanilla-query-order-value */
    signs(&s, "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1");
    s.query = unreserved; /* get-vanilla-query-unreserved */
    s.n_query = 1;
    signs(&s, "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197");
    s.n_query = 0;
    s.headers = repeated; /* get-header-key-duplicate */
    s.n_headers = 5;
    signs(&s, "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea");
    s.headers = blanks; /* get-header-value-trim */
    s.n_headers = 4;
    signs(&s, "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
    s.method = "POST"; /* post-vanilla */
    s.headers = vanilla;
    s.n_headers = 2;
    signs(&s, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
    s.headers = form; /* post-x-www-form-urlencoded */
    s.n_headers = 3;
    s.payload = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e";
    signs(&s, "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
}

RV_TEST(whole_header)
{
    static const rv_http_header vanilla[] = {SUITE_HOST, SUITE_DATE};
    rv_buf out = RV_BUF_INIT;
    rv_error err = {0};
    rv_s3_signing s = suite;
    s.headers = vanilla;
    s.n_headers = 2;
    REQUIRE(rv_s3_authorization(&s, &out, &err) == RV_OK);
    CHECK_STR(rv_buf_cstr(&out),
              "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
              "SignedHeaders=host;x-amz-date, "
              "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    rv_buf_clear(&out);
    REQUIRE(rv_s3_canonical(&s, &out, &err) == RV_OK);
    CHECK_STR(rv_buf_cstr(&out),
              "GET\n/\n\nhost:example.amazonaws.com\nx-amz-date:20150830T123600Z\n"
              "\nhost;x-amz-date\n" EMPTY);
    rv_buf_free(&out);
}

RV_TEST(query_is_sorted_and_encoded)
{
    static const rv_http_header pairs[] = {
        {"prefix", "a b/+&=\xc3\xa9"}, {"a-b", "1"}, {"a", "2"}, {"a", "1"}, {"A", ""}};
    rv_buf out = RV_BUF_INIT;
    rv_error err = {0};
    REQUIRE(rv_s3_query(pairs, 5, &out, &err) == RV_OK);
    CHECK_STR(rv_buf_cstr(&out), "A=&a=1&a=2&a-b=1&prefix=a%20b%2F%2B%26%3D%C3%A9");
    rv_buf_free(&out);
}

RV_TEST(stamps)
{
    char text[RV_S3_STAMP_SIZE];
    rv_s3_stamp(INT64_C(1369353600000000), text);
    CHECK_STR(text, "20130524T000000Z");
    rv_s3_stamp(INT64_C(4102444799999999), text);
    CHECK_STR(text, "20991231T235959Z");
}

RV_TEST(every_allocation_may_fail)
{
#ifdef RV_FAULTS
    static const rv_http_header headers[] = {SUITE_HOST, SUITE_DATE};
    static const rv_http_header query[] = {{"b", "1"}, {"a", "2"}};
    rv_s3_signing s = suite;
    s.headers = headers;
    s.n_headers = 2;
    s.query = query;
    s.n_query = 2;
    for (long nth = 1; nth < 100; nth++) {
        rv_buf out = RV_BUF_INIT;
        rv_error err = {0};
        rv_fault_set_alloc(nth, false);
        rv_status st = rv_s3_authorization(&s, &out, &err);
        rv_fault_set_alloc(0, false);
        rv_buf_free(&out);
        if (st == RV_OK) {
            CHECK(nth > 5);
            return;
        }
        CHECK_EQ(st, RV_E_MEMORY);
    }
    CHECK(false);
#else
    SKIP("built without RV_FAULTS");
#endif
}

RV_TEST_MAIN(RV_CASE(examples_of_s3), RV_CASE(suite_of_version_4), RV_CASE(whole_header),
             RV_CASE(query_is_sorted_and_encoded), RV_CASE(stamps),
             RV_CASE(every_allocation_may_fail))
