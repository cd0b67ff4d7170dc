/* Which key pages a PostgreSQL table, from catalog rows as they could be. */
#include "rvtest.h"
#include "source/postgres/decode_internal.h"
#include "source/postgres/relation_internal.h"

static rv_pgs_attr attrs[] = {
    {.name = "id", .number = 1, .not_null = true, .base = RV_PG_INT8, .key_type = true},
    {.name = "code", .number = 3, .not_null = true, .base = RV_PG_TEXT, .key_type = true},
    {.name = "maybe", .number = 4, .base = RV_PG_INT4, .key_type = true},
    {.name = "ratio", .number = 5, .not_null = true, .base = RV_PG_FLOAT8},
    {.name = "day", .number = 6, .not_null = true, .base = RV_PG_DATE, .key_type = true}};

static rv_pgs_index index_of(const char *name, bool unique, int a, int b)
{
    rv_pgs_index x = {
        .name = name, .unique = unique, .ordered = true, .attnum = {a, b}, .n = b ? 2 : 1};
    return x;
}

static rv_pgs_table table_of(rv_pgs_index *indexes, size_t n)
{
    return (rv_pgs_table){.name = "t",
                          .relkind = 'r',
                          .attrs = attrs,
                          .n_attrs = sizeof attrs / sizeof attrs[0],
                          .indexes = indexes,
                          .n_indexes = n};
}

static const char *choose(const rv_pgs_table *t, rv_mode mode, const bool *present)
{
    rv_read_spec spec = {.mode = mode};
    rv_relation rel = {.driver = NULL};
    rv_error err;
    if (rv_pgs_key_choose(&spec, t, present, &rel, &err) != RV_OK)
        return "failed";
    return rel.key.n_columns ? rel.key.name : "none";
}

RV_TEST(primary_first_then_by_name)
{
    rv_pgs_index x[] = {index_of("z_pkey", true, 1, 0), index_of("a_key", true, 3, 0)};
    rv_pgs_table t = table_of(x, 2);
    x[0].primary = true;
    CHECK_STR(choose(&t, RV_FULL, NULL), "z_pkey");
    rv_pgs_index only[] = {index_of("a_key", true, 3, 0), index_of("b_key", true, 1, 0)};
    t = table_of(only, 2);
    CHECK_STR(choose(&t, RV_FULL, NULL), "a_key");
    rv_relation rel = {.driver = NULL};
    rv_read_spec spec = {.mode = RV_FULL};
    rv_error err;
    CHECK_EQ(rv_pgs_key_choose(&spec, &t, NULL, &rel, &err), RV_OK);
    CHECK(!rel.is_primary);
    CHECK_STR(rel.key.columns[0], "code");
    CHECK_EQ(rel.key.kinds[0], RV_STRING);
}

RV_TEST(composite_in_mode_full_only)
{
    rv_pgs_index x[] = {index_of("t_pkey", true, 1, 6), index_of("u", true, 3, 0)};
    rv_pgs_table t = table_of(x, 2);
    x[0].primary = true;
    CHECK_STR(choose(&t, RV_FULL, NULL), "t_pkey");
    CHECK_STR(choose(&t, RV_CHUNKED, NULL), "u");
    CHECK_STR(choose(&t, RV_INCREMENTAL, NULL), "u");
}

RV_TEST(the_whole_definition_applies)
{
    rv_pgs_index plain = index_of("plain", false, 1, 0), nullable = index_of("null", true, 4, 0);
    rv_pgs_index real = index_of("real", true, 5, 0), turned = index_of("turned", true, 1, 0);
    rv_pgs_index half = index_of("half", true, 1, 4), good = index_of("good", true, 1, 0);
    turned.ordered = false;
    rv_pgs_index x[] = {plain, nullable, real, turned, half};
    rv_pgs_table t = table_of(x, 5);
    CHECK_STR(choose(&t, RV_FULL, NULL), "none");
    t = table_of(&good, 1);
    CHECK_STR(choose(&t, RV_FULL, NULL), "good");
    t.children = true;
    CHECK_STR(choose(&t, RV_FULL, NULL), "none");
}

RV_TEST(a_query_must_select_the_key)
{
    rv_pgs_index x[] = {index_of("p", true, 1, 0), index_of("u", true, 3, 0)};
    rv_pgs_table t = table_of(x, 2);
    bool present[5] = {false, true, false, false, false};
    CHECK_STR(choose(&t, RV_FULL, present), "u");
    present[1] = false;
    CHECK_STR(choose(&t, RV_FULL, present), "none");
}

RV_TEST(written_and_stored_keys)
{
    rv_pgs_index x[] = {index_of("p", true, 1, 0), index_of("u", true, 3, 0)};
    rv_pgs_table t = table_of(x, 2);
    const char *stored[] = {"code"}, *gone[] = {"day"};
    rv_read_spec spec = {.mode = RV_CHUNKED, .key_column = "code"};
    rv_relation rel = {.driver = NULL};
    rv_error err;
    CHECK_EQ(rv_pgs_key_choose(&spec, &t, NULL, &rel, &err), RV_OK);
    CHECK_STR(rel.key.name, "u");
    spec.key_column = "maybe";
    CHECK_EQ(rv_pgs_key_choose(&spec, &t, NULL, &rel, &err), RV_E_CONFIG_KEY_UNUSABLE);
    spec = (rv_read_spec){.mode = RV_FULL, .stored_key = stored, .n_stored_key = 1};
    CHECK_EQ(rv_pgs_key_choose(&spec, &t, NULL, &rel, &err), RV_OK);
    CHECK_STR(rel.key.name, "u");
    spec.stored_key = gone;
    CHECK_EQ(rv_pgs_key_choose(&spec, &t, NULL, &rel, &err), RV_E_SOURCE_CHANGED);
    CHECK(strstr(err.text, "'day'") != NULL);
}

RV_TEST(indexes_that_order)
{
    rv_pgs_index x[] = {index_of("d", false, 6, 1), index_of("c", false, 3, 0)};
    rv_pgs_table t = table_of(x, 2);
    int both[] = {6, 1}, turned[] = {1, 6}, three[] = {6, 1, 3};
    CHECK(rv_pgs_index_leads(&t, 6));
    CHECK(rv_pgs_index_leads(&t, 3));
    CHECK(!rv_pgs_index_leads(&t, 1));
    CHECK(rv_pgs_index_orders(&t, both, 2));
    CHECK(!rv_pgs_index_orders(&t, turned, 2));
    CHECK(!rv_pgs_index_orders(&t, three, 3));
    CHECK(!rv_pgs_index_orders(&t, both, 0));
}

RV_TEST_MAIN(RV_CASE(primary_first_then_by_name), RV_CASE(composite_in_mode_full_only),
             RV_CASE(the_whole_definition_applies), RV_CASE(a_query_must_select_the_key),
             RV_CASE(written_and_stored_keys), RV_CASE(indexes_that_order))
