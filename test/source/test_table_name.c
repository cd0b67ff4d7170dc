#include "base/arena.h"
#include "rvtest.h"
#include "source/sql/name.h"

RV_TEST(accepted)
{
    static const struct {
        const char *text;
        size_t max, n;
        const char *part[3];
    } rows[] = {
        {"t", 2, 1, {"t"}},
        {"s.t", 2, 2, {"s", "t"}},
        {"db.s.t", 3, 3, {"db", "s", "t"}},
        {"\"a b\"", 2, 1, {"a b"}},
        {"\"a\"\"b\".\"c.d\"", 2, 2, {"a\"b", "c.d"}},
        {"_x$#9", 2, 1, {"_x$#9"}},
        {"#tmp", 2, 1, {"#tmp"}},
        {"\xC3\xA4\xC3\xB6", 2, 1, {"\xC3\xA4\xC3\xB6"}},
        {"\"9\"", 2, 1, {"9"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_arena arena = RV_ARENA_INIT;
        rv_sql_name name;
        CHECK_EQ(rv_sql_name_parse(rows[i].text, rows[i].max, &arena, &name, NULL), RV_OK);
        CHECK_EQ(name.n, rows[i].n);
        for (size_t k = 0; k < rows[i].n && k < name.n; k++)
            CHECK_STR(name.part[k], rows[i].part[k]);
        CHECK_EQ(name.quoted[0], rows[i].text[0] == '"');
        rv_arena_free(&arena);
    }
}

RV_TEST(refused)
{
    static const char *const rows[] = {"",         ".",    "t.",      ".t",  "a.b.c",  "9a",
                                       "a b",      "a-b",  "\"\"",    "\"a", "a\"b\"", "\"a\"b",
                                       "a..b",     "a;b",  "\"a\".",  " t",  "t ",     "\xff",
                                       "\"\xff\"", "a.\"", "\"a\"\"", "t(x)"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_arena arena = RV_ARENA_INIT;
        rv_sql_name name;
        rv_error err = {0};
        CHECK_EQ(rv_sql_name_parse(rows[i], 2, &arena, &name, &err), RV_E_CONFIG_TABLE_NAME);
        rv_arena_free(&arena);
    }
    rv_arena arena = RV_ARENA_INIT;
    rv_sql_name name;
    rv_error err = {0};
    CHECK_EQ(rv_sql_name_parse("a b", 2, &arena, &name, &err), RV_E_CONFIG_TABLE_NAME);
    CHECK_STR(err.text, "'a b' is not a table name: write t, s.t (SQL Server also db.s.t), "
                        "unusual parts in double quotes");
    rv_arena_free(&arena);
}

RV_TEST(quoting)
{
    rv_buf b = RV_BUF_INIT;
    CHECK_EQ(rv_sql_quote(RV_STR("a\"b]`"), '"', '"', &b, NULL), RV_OK);
    CHECK_STR(rv_buf_cstr(&b), "\"a\"\"b]`\"");
    rv_buf_clear(&b);
    CHECK_EQ(rv_sql_quote(RV_STR("a]b"), '[', ']', &b, NULL), RV_OK);
    CHECK_STR(rv_buf_cstr(&b), "[a]]b]");
    rv_buf_clear(&b);
    CHECK_EQ(rv_sql_run_comment("a*/b**/", &b, NULL), RV_OK);
    CHECK_STR(rv_buf_cstr(&b), "/* rivet a* /b** / */ ");
    rv_buf_clear(&b);
    CHECK_EQ(rv_sql_run_comment(NULL, &b, NULL), RV_OK);
    CHECK_STR(rv_buf_cstr(&b), "/* rivet */ ");
    rv_buf_free(&b);
}

RV_TEST_MAIN(RV_CASE(accepted), RV_CASE(refused), RV_CASE(quoting))
