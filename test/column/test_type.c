#include "column/type.h"

#include "rvtest.h"

static rv_str str(const char *s)
{
    return rv_str_c(s);
}

RV_TEST(names_read_back)
{
    for (unsigned k = 0; k < RV_KIND_COUNT; k++) {
        rv_type t = rv_type_of((rv_kind)k);
        if (k == RV_DECIMAL)
            t = rv_type_decimal(12, 2);
        if (k == RV_LIST)
            t = rv_type_list(rv_type_decimal(76, 76));
        char name[RV_TYPE_NAME_SIZE];
        rv_type back;
        rv_type_name(t, name);
        REQUIRE(rv_type_from_name(str(name), &back));
        CHECK(rv_type_eq(t, back));
        rv_type_arrow(t, name);
        REQUIRE(rv_type_from_arrow(str(name), &back));
        char again[RV_TYPE_NAME_SIZE];
        rv_type_arrow(back, again);
        CHECK_STR(again, name);
    }
}

RV_TEST(printed_names)
{
    char name[RV_TYPE_NAME_SIZE];
    rv_type_name(rv_type_decimal(12, 2), name);
    CHECK_STR(name, "decimal(12,2)");
    rv_type_name(rv_type_list(rv_type_of(RV_INT32)), name);
    CHECK_STR(name, "list<int32>");
    rv_type_arrow(rv_type_list(rv_type_of(RV_INT32)), name);
    CHECK_STR(name, "List(Int32)");
    rv_type_arrow(rv_type_decimal(38, 2), name);
    CHECK_STR(name, "Decimal128(38,2)");
    rv_type_arrow(rv_type_decimal(39, 2), name);
    CHECK_STR(name, "Decimal256(39,2)");
    rv_type_arrow(rv_type_of(RV_TIMESTAMP_TZ), name);
    CHECK_STR(name, "Timestamp(us,UTC)");
    rv_type_arrow(rv_type_of(RV_TIME), name);
    CHECK_STR(name, "Time64(us)");
    rv_type_arrow(rv_type_of(RV_JSON), name);
    CHECK_STR(name, "Utf8");
}

RV_TEST(damaged_names_are_refused)
{
    static const char *const bad[] = {"",
                                      "int",
                                      "list<",
                                      "list<>",
                                      "list<list<int32>>",
                                      "decimal",
                                      "decimal()",
                                      "decimal(77,0)",
                                      "decimal(2,3)",
                                      "decimal(0,0)",
                                      "decimal(1,2,3)",
                                      "Decimal128(39,1)",
                                      "decimal(12,2",
                                      "INT32",
                                      "decimal(100,2)"};
    rv_type t;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(!rv_type_from_name(str(bad[i]), &t));
        CHECK(!rv_type_from_arrow(str(bad[i]), &t));
    }
}

RV_TEST(override_words)
{
    static const struct {
        const char *word;
        rv_kind kind;
    } words[] = {{"Text", RV_STRING},
                 {" double   precision ", RV_FLOAT64},
                 {"DOUBLE", RV_FLOAT64},
                 {"real", RV_FLOAT32},
                 {"timestamp without time zone", RV_TIMESTAMP},
                 {"TIMESTAMP WITH TIME ZONE", RV_TIMESTAMP_TZ},
                 {"timestamp_ns", RV_TIMESTAMP_NS},
                 {"timestamptz_ns", RV_TIMESTAMP_TZ_NS},
                 {"timestamp_utc_ns", RV_TIMESTAMP_TZ_NS},
                 {"int2", RV_INT16},
                 {"integer", RV_INT32},
                 {"bigint", RV_INT64},
                 {"jsonb", RV_JSON},
                 {"bytea", RV_BINARY},
                 {"name", RV_STRING},
                 {"date", RV_DATE},
                 {"boolean", RV_BOOL},
                 {"uuid", RV_UUID}};
    rv_type t;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        REQUIRE(rv_type_from_override(str(words[i].word), &t));
        CHECK_EQ(t.kind, words[i].kind);
    }
    REQUIRE(rv_type_from_override(RV_STR("Decimal( 12 , 2 )"), &t));
    CHECK(rv_type_eq(t, rv_type_decimal(12, 2)));
    REQUIRE(rv_type_from_override(RV_STR("numeric (76,76)"), &t));
    CHECK(rv_type_eq(t, rv_type_decimal(76, 76)));
}

RV_TEST(override_words_refused)
{
    static const char *const bad[] = {
        "",
        "time",
        "interval",
        "enum",
        "decimal",
        "decimal(12)",
        "decimal(77,0)",
        "decimal(10,11)",
        "decimal(0,0)",
        "decimal(-1,0)",
        "decimalx(1,0)",
        "doubleprecision",
        "list<int32>",
        "uint64",
        "double precision_ns",
        "timestamp with time zone_ns",
        "text,",
        "decimal(12,2)x",
        "a word that is much longer than any word in the list of accepted ones"};
    rv_type t;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(!rv_type_from_override(str(bad[i]), &t));
}

RV_TEST(every_listed_word_is_accepted)
{
    rv_str rest = rv_str_c(rv_type_override_words());
    size_t count = 0;
    while (rest.len) {
        size_t n = 0; /* up to ", ", which decimal(p,s) does not hold */
        while (n < rest.len && !(n + 1 < rest.len && rest.ptr[n] == ',' && rest.ptr[n + 1] == ' '))
            n++;
        rv_str word = {rest.ptr, n};
        rv_type t;
        bool parametric = rv_str_ends(word, RV_STR("(p,s)"));
        CHECK(parametric || rv_type_from_override(word, &t));
        size_t skip = n + 2 < rest.len ? n + 2 : rest.len;
        rest = (rv_str){rest.ptr + skip, rest.len - skip};
        count++;
    }
    CHECK_EQ(count, 45);
}

RV_TEST(layouts)
{
    CHECK_EQ(rv_type_layout(rv_type_decimal(18, 0)), RV_LAYOUT_I64);
    CHECK_EQ(rv_type_layout(rv_type_decimal(19, 0)), RV_LAYOUT_B16);
    CHECK_EQ(rv_type_layout(rv_type_decimal(39, 0)), RV_LAYOUT_B32);
    CHECK_EQ(rv_type_layout(rv_type_of(RV_UUID)), RV_LAYOUT_B16);
    CHECK_EQ(rv_type_layout(rv_type_list(rv_type_of(RV_BOOL))), RV_LAYOUT_LIST);
    CHECK_EQ(rv_layout_width(RV_LAYOUT_B32), 32);
    CHECK_EQ(rv_layout_width(RV_LAYOUT_VAR), 0);
    CHECK_EQ(rv_type_fidelity(rv_type_list(rv_type_of(RV_JSON))), RV_LOGICAL_STRING);
    CHECK_EQ(rv_type_fidelity(rv_type_list(rv_type_of(RV_INT32))), RV_COMPATIBLE);
    CHECK_STR(rv_fidelity_name(RV_LOGICAL_STRING), "logical_string");
    CHECK_EQ(rv_type_estimate_bytes(rv_type_decimal(5, 0)), 16);
}

RV_TEST_MAIN(RV_CASE(names_read_back), RV_CASE(printed_names), RV_CASE(damaged_names_are_refused),
             RV_CASE(override_words), RV_CASE(override_words_refused),
             RV_CASE(every_listed_word_is_accepted), RV_CASE(layouts))
