/* Answers as stores send them, and as nobody should. */
#include "destination/cloud/xml.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/fault.h"
#include "rvtest.h"

static const char listing[] =
    "\n  <?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<s:ListBucketResult xmlns:s=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
    "<Name>bucket</Name><Empty/>"
    "<Contents><Key>a&amp;b%20c</Key><Size>5</Size></Contents>\n"
    "<Contents><Key Encoded=\"true\">d</Key><Owner><ID>x</ID></Owner></Contents>"
    "</s:ListBucketResult>";

static rv_status parse(const char *text, rv_arena *arena, const rv_xml **out, rv_error *err)
{
    return rv_xml_parse(rv_str_bytes(rv_str_c(text)), arena, out, err);
}

RV_TEST(tree)
{
    rv_arena arena = RV_ARENA_INIT;
    const rv_xml *root = NULL;
    rv_error err = {0};
    REQUIRE(parse(listing, &arena, &root, &err) == RV_OK);
    CHECK(rv_str_eq(root->name, RV_STR("ListBucketResult")));
    CHECK_STR(rv_xml_text(root, "Name").ptr, "bucket");
    CHECK(rv_xml_text(root, "Empty").ptr && rv_xml_text(root, "Empty").len == 0);
    CHECK(rv_xml_text(root, "Missing").ptr == NULL);
    CHECK(rv_xml_text(root, "Name/Missing").ptr == NULL);
    const rv_xml *c = rv_xml_child(root, "Contents");
    REQUIRE(c);
    CHECK_STR(rv_xml_text(c, "Key").ptr, "a&b%20c");
    CHECK(rv_xml_text(c, "Key/@Encoded").ptr == NULL);
    c = rv_xml_next(c);
    REQUIRE(c);
    CHECK_STR(rv_xml_text(c, "Key").ptr, "d");
    CHECK_STR(rv_xml_text(c, "Key/@Encoded").ptr, "true");
    CHECK_STR(rv_xml_text(c, "Owner/ID").ptr, "x");
    CHECK(rv_xml_next(c) == NULL);
    CHECK(rv_xml_child(NULL, "Contents") == NULL);
    rv_arena_free(&arena);
}

static const char laughs[] =
    "<!DOCTYPE l [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">"
    "<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]><l>&c;</l>";

RV_TEST(refused)
{
    static const char *const bad[] = {"",
                                      "   \n",
                                      "no XML",
                                      "<a>",
                                      "<a></b>",
                                      "<a/><b/>",
                                      "<a>&unknown;</a>",
                                      "<a>\x01</a>",
                                      "<a b=1/>",
                                      "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
                                      "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>",
                                      laughs};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rv_arena arena = RV_ARENA_INIT;
        const rv_xml *root = NULL;
        rv_error err = {0};
        CHECK_EQ(parse(bad[i], &arena, &root, &err), RV_E_DEST_IO);
        CHECK(root == NULL && err.text[0] != '\0');
        rv_arena_free(&arena);
    }
}

static rv_status repeated(const char *piece, size_t times, const char *end, size_t end_times)
{
    rv_buf text = RV_BUF_INIT;
    rv_arena arena = RV_ARENA_INIT;
    const rv_xml *root = NULL;
    rv_error err = {0};
    rv_status st = RV_OK;
    for (size_t i = 0; st == RV_OK && i < times; i++)
        st = rv_buf_add_c(&text, piece, &err);
    for (size_t i = 0; st == RV_OK && i < end_times; i++)
        st = rv_buf_add_c(&text, end, &err);
    CHECK_EQ(st, RV_OK);
    st = rv_xml_parse(rv_buf_bytes(&text), &arena, &root, &err);
    rv_arena_free(&arena);
    rv_buf_free(&text);
    return st;
}

RV_TEST(bounds)
{
    CHECK_EQ(repeated("<a>", 32, "</a>", 32), RV_OK);
    CHECK_EQ(repeated("<a>", 33, "</a>", 33), RV_E_DEST_IO);
    CHECK_EQ(repeated("<a>", 1, "<b/>", 100001), RV_E_DEST_IO);
}

RV_TEST(every_allocation_may_fail)
{
#ifdef RV_FAULTS
    for (long nth = 1; nth < 200; nth++) {
        rv_arena arena = RV_ARENA_INIT;
        const rv_xml *root = NULL;
        rv_error err = {0};
        rv_fault_set_alloc(nth, false);
        rv_status st = parse(listing, &arena, &root, &err);
        rv_fault_set_alloc(0, false);
        rv_arena_free(&arena);
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

RV_TEST_MAIN(RV_CASE(tree), RV_CASE(refused), RV_CASE(bounds), RV_CASE(every_allocation_may_fail))
