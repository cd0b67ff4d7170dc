/* Which key pages a MySQL table, from catalog rows as they could be. */
#include "rvtest.h"
#include "source/mysql/relation_internal.h"

enum { ID, CODE, MAYBE, RATIO, DAY, LABEL, ATTRS };

#define FIELD(t, f, cs)                                                                            \
    {                                                                                              \
        .type = (t), .flags = (f), .charset = (cs), .length = 20                                   \
    }

static rv_mys_attr attrs[ATTRS] = {
    {.name = "id", .not_null = true, .described = true, .field = FIELD(MYSQL_TYPE_LONGLONG, 0, 63)},
    {.name = "code",
     .not_null = true,
     .described = true,
     .charset = "latin1",
     .collation = "latin1_swedish_ci",
     .field = FIELD(MYSQL_TYPE_VAR_STRING, 0, 45)},
    {.name = "maybe", .described = true, .field = FIELD(MYSQL_TYPE_LONG, 0, 63)},
    {.name = "ratio",
     .not_null = true,
     .described = true,
     .field = FIELD(MYSQL_TYPE_DOUBLE, 0, 63)},
    {.name = "day", .not_null = true, .described = true, .field = FIELD(MYSQL_TYPE_DATE, 0, 63)},
    {.name = "label",
     .not_null = true,
     .described = true,
     .field = FIELD(MYSQL_TYPE_STRING, ENUM_FLAG, 45)}};

static rv_mys_index index_of(const char *name, bool unique, size_t a, size_t b)
{
    return (rv_mys_index){.name = name,
                          .primary = strcmp(name, "PRIMARY") == 0,
                          .unique = unique,
                          .whole = true,
                          .attr = {a, b},
                          .n = b < ATTRS ? 2 : 1};
}

static rv_mys_table table_of(rv_mys_index *indexes, size_t n)
{
    return (rv_mys_table){.name = "t",
                          .engine = "InnoDB",
                          .attrs = attrs,
                          .n_attrs = ATTRS,
                          .indexes = indexes,
                          .n_indexes = n};
}

static const char *choose(const rv_mys_table *t, rv_mode mode, const bool *present)
{
    rv_read_spec spec = {.mode = mode};
    rv_relation rel = {.driver = NULL};
    rv_error err;
    if (rv_mys_key_choose(&spec, t, present, &rel, &err) != RV_OK)
        return "failed";
    return rel.key.n_columns ? rel.key.name : "none";
}

RV_TEST(composite_in_mode_full_only)
{
    rv_mys_index x[] = {index_of("PRIMARY", true, ID, DAY), index_of("u", true, CODE, ATTRS)};
    rv_mys_table t = table_of(x, 2);
    rv_relation rel = {.driver = NULL};
    rv_read_spec spec = {.mode = RV_FULL};
    rv_error err;
    CHECK_STR(choose(&t, RV_FULL, NULL), "PRIMARY");
    CHECK_STR(choose(&t, RV_CHUNKED, NULL), "u");
    CHECK_STR(choose(&t, RV_INCREMENTAL, NULL), "u");
    CHECK_EQ(rv_mys_key_choose(&spec, &t, NULL, &rel, &err), RV_OK);
    CHECK(rel.is_primary);
    CHECK_EQ(rel.key.kinds[0], RV_INT64);
    CHECK_EQ(rel.key.kinds[1], RV_DATE);
}

RV_TEST(the_whole_definition_applies)
{
    rv_mys_index prefix = index_of("prefix", true, CODE, ATTRS);
    prefix.whole = false;
    rv_mys_index x[] = {index_of("plain", false, ID, ATTRS),   index_of("null", true, MAYBE, ATTRS),
                        index_of("real", true, RATIO, ATTRS),  index_of("half", true, ID, MAYBE),
                        index_of("label", true, LABEL, ATTRS), prefix};
    rv_mys_table t = table_of(x, 6);
    CHECK_STR(choose(&t, RV_FULL, NULL), "none");
    rv_mys_index good = index_of("good", true, ID, ATTRS);
    t = table_of(&good, 1);
    CHECK_STR(choose(&t, RV_FULL, NULL), "good");
    good.descending = true; /* walked from its other end */
    CHECK_STR(choose(&t, RV_FULL, NULL), "good");
}

RV_TEST(a_query_must_select_the_key)
{
    rv_mys_index x[] = {index_of("PRIMARY", true, ID, ATTRS), index_of("u", true, CODE, ATTRS)};
    rv_mys_table t = table_of(x, 2);
    bool present[ATTRS] = {[CODE] = true};
    CHECK_STR(choose(&t, RV_FULL, present), "u");
    present[CODE] = false;
    CHECK_STR(choose(&t, RV_FULL, present), "none");
}

RV_TEST(written_and_stored_keys)
{
    rv_mys_index x[] = {index_of("PRIMARY", true, ID, ATTRS), index_of("u", true, CODE, ATTRS)};
    rv_mys_table t = table_of(x, 2);
    const char *stored[] = {"code"}, *gone[] = {"day"};
    rv_read_spec spec = {.mode = RV_CHUNKED, .key_column = "code"};
    rv_relation rel = {.driver = NULL};
    rv_error err;
    CHECK_EQ(rv_mys_key_choose(&spec, &t, NULL, &rel, &err), RV_OK);
    CHECK_STR(rel.key.name, "u");
    CHECK_EQ(rel.key.kinds[0], RV_BINARY); /* bytes of its own character set */
    spec.key_column = "maybe";
    CHECK_EQ(rv_mys_key_choose(&spec, &t, NULL, &rel, &err), RV_E_CONFIG_KEY_UNUSABLE);
    spec = (rv_read_spec){.mode = RV_FULL, .stored_key = stored, .n_stored_key = 1};
    CHECK_EQ(rv_mys_key_choose(&spec, &t, NULL, &rel, &err), RV_OK);
    CHECK_STR(rel.key.name, "u");
    spec.stored_key = gone;
    CHECK_EQ(rv_mys_key_choose(&spec, &t, NULL, &rel, &err), RV_E_SOURCE_CHANGED);
    CHECK(strstr(err.text, "'day'") != NULL);
}

/* InnoDB ends every tree with the primary key; others do not. */
RV_TEST(indexes_that_order)
{
    rv_mys_index x[] = {index_of("PRIMARY", true, ID, ATTRS), index_of("d", false, DAY, ATTRS),
                        index_of("c", false, CODE, MAYBE)};
    rv_mys_table t = table_of(x, 3);
    const size_t both[] = {DAY, ID}, turned[] = {ID, DAY}, three[] = {CODE, MAYBE, ID};
    CHECK(rv_mys_index_leads(&t, &attrs[DAY]));
    CHECK(rv_mys_index_leads(&t, &attrs[CODE]));
    CHECK(!rv_mys_index_leads(&t, &attrs[MAYBE]));
    CHECK(rv_mys_index_orders(&t, both, 2) == &x[1]);
    CHECK(rv_mys_index_orders(&t, turned, 2) == NULL);
    CHECK(rv_mys_index_orders(&t, three, 3) == &x[2]);
    CHECK(rv_mys_index_orders(&t, three, 0) == NULL);
    t.engine = "MyISAM";
    CHECK(rv_mys_index_orders(&t, both, 2) == NULL);
    t.engine = "InnoDB";
    x[1].descending = true; /* its end still ascends */
    CHECK(rv_mys_index_orders(&t, both, 2) == NULL);
    CHECK(rv_mys_index_leads(&t, &attrs[DAY]));
    x[2].whole = false; /* as far as it is plain */
    CHECK(rv_mys_index_orders(&t, three, 3) == NULL);
    CHECK(rv_mys_index_orders(&t, three, 2) == &x[2]);
}

RV_TEST_MAIN(RV_CASE(composite_in_mode_full_only), RV_CASE(the_whole_definition_applies),
             RV_CASE(a_query_must_select_the_key), RV_CASE(written_and_stored_keys),
             RV_CASE(indexes_that_order))
