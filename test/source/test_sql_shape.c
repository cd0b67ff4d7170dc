#include <stdio.h>

#include "rvtest.h"
#include "source/sql/shape.h"

static void span(rv_str q, rv_sql_span s, char *out, size_t size)
{
    rv_str t = rv_sql_span_text(q, s);
    (void)snprintf(out, size, "%.*s", (int)t.len, t.ptr);
}

RV_TEST(accepted)
{
    static const struct {
        unsigned flags;
        const char *sql, *list, *from, *qualifier, *condition;
    } rows[] = {
        {RV_SQL_SQLITE, "SELECT * FROM t", "*", "t", "t", ""},
        {RV_SQL_SQLITE, "select a, b from main.\"T 1\" AS x where a > 1;", "a, b",
         "main.\"T 1\" AS x", "x", "a > 1"},
        {RV_SQL_SQLITE, "SELECT a -- note\n FROM t o -- tail\n WHERE a = 1 OR b = 2 -- end", "a",
         "t o", "o", "a = 1 OR b = 2"},
        {RV_SQL_SQLITE, "SELECT a FROM db.s.t", "a", "db.s.t", "t", ""},
        {RV_SQL_POSTGRES, "SELECT extract(day FROM d), (SELECT max(x) FROM u GROUP BY y) FROM t",
         "extract(day FROM d), (SELECT max(x) FROM u GROUP BY y)", "t", "t", ""},
        {RV_SQL_POSTGRES, "SELECT a FROM t WHERE a IS NOT DISTINCT FROM b AND c IS DISTINCT FROM 1",
         "a", "t", "t", "a IS NOT DISTINCT FROM b AND c IS DISTINCT FROM 1"},
        {RV_SQL_SQLITE, "SELECT a FROM t WHERE b IS NOT NULL", "a", "t", "t", "b IS NOT NULL"},
        {RV_SQL_SQLITE, "SELECT \"group\", 'ORDER' FROM t WHERE x IN (SELECT y FROM u LIMIT 3)",
         "\"group\", 'ORDER'", "t", "t", "x IN (SELECT y FROM u LIMIT 3)"},
        {RV_SQL_SQLITE, "SELECT a FROM t ; -- done", "a", "t", "t", ""},
        {RV_SQL_SQLITE, "SELECT a FROM t WHERE b /* open", "a", "t", "t", "b"},
        {RV_SQL_SQLITE, "SELECT CASE WHEN a THEN 1 END FROM [t] `q`", "CASE WHEN a THEN 1 END",
         "[t] `q`", "`q`", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_str q = rv_str_c(rows[i].sql);
        rv_sql_shape s;
        char text[160];
        rv_sql_shape_of(q, rows[i].flags, &s);
        if (!s.ok)
            printf("%s: %s\n", rows[i].sql, s.reason);
        CHECK(s.ok);
        span(q, s.list, text, sizeof text);
        CHECK_STR(text, rows[i].list);
        span(q, s.from, text, sizeof text);
        CHECK_STR(text, rows[i].from);
        span(q, s.qualifier, text, sizeof text);
        CHECK_STR(text, rows[i].qualifier);
        span(q, s.condition, text, sizeof text);
        CHECK_STR(text, rows[i].condition);
    }
}

RV_TEST(refused)
{
    static const struct {
        unsigned flags;
        const char *sql, *reason;
    } rows[] = {
        {RV_SQL_SQLITE, "", "end at 1:1"},
        {RV_SQL_SQLITE, "WITH x AS (SELECT 1) SELECT * FROM x", "WITH at 1:1"},
        {RV_SQL_SQLITE, "SELECT a, count(*) FROM t WHERE b > 1 AND c < 20\n group by a",
         "GROUP at 2:2"},
        {RV_SQL_SQLITE, "SELECT DISTINCT a FROM t", "DISTINCT at 1:8"},
        {RV_SQL_SQLITE, "SELECT a FROM t ORDER BY a", "ORDER at 1:17"},
        {RV_SQL_SQLITE, "SELECT a FROM t WHERE b LIMIT 5", "LIMIT at 1:25"},
        {RV_SQL_SQLITE, "SELECT a FROM t UNION SELECT b FROM u", "UNION at 1:17"},
        {RV_SQL_SQLITE, "SELECT a FROM t, u", ", at 1:16"},
        {RV_SQL_SQLITE, "SELECT a FROM t JOIN u", "JOIN at 1:17"},
        {RV_SQL_SQLITE, "SELECT a FROM t x LEFT JOIN u", "LEFT at 1:19"},
        {RV_SQL_SQLITE, "SELECT a FROM (SELECT 1)", "( at 1:15"},
        {RV_SQL_SQLITE, "SELECT a FROM f(1)", "( at 1:16"},
        {RV_SQL_SQLITE, "SELECT a FROM t NOT INDEXED", "NOT at 1:17"},
        {RV_SQL_SQLITE, "SELECT a FROM t WHERE", "end at 1:22"},
        {RV_SQL_SQLITE, "SELECT FROM t", "FROM at 1:8"},
        {RV_SQL_SQLITE, "SELECT a", "end at 1:9"},
        {RV_SQL_SQLITE, "SELECT a FROM t WHERE (b", "end at 1:25"},
        {RV_SQL_SQLITE, "SELECT a FROM t WHERE b) OR (c", ") at 1:24"},
        {RV_SQL_SQLITE, "SELECT a FROM t; SELECT b FROM u", "SELECT at 1:18"},
        {RV_SQL_SQLITE, "SELECT a FROM t WHERE b FROM c", "FROM at 1:25"},
        {RV_SQL_SQLITE, "SELECT row_number() OVER (ORDER BY a) FROM t", "OVER at 1:21"},
        {RV_SQL_SQLITE, "SELECT rownum FROM t", "ROWNUM at 1:8"},
        {RV_SQL_SQLITE, "SELECT a FROM t WHERE f(ROWNUM)", "ROWNUM at 1:25"},
        {RV_SQL_SQLITE, "SELECT a FROM t AS 'x'", "'x' at 1:20"},
        {RV_SQL_SQLITE, "SELECT a FROM t WHERE 'open", "'open at 1:23"},
        {RV_SQL_SQLITE, "SELECT a FROM a.b.c.d", "D at 1:21"},
        {RV_SQL_MYSQL, "SELECT SQL_NO_CACHE a FROM t", "SQL_NO_CACHE at 1:8"},
        {RV_SQL_MYSQL, "SELECT a, @x FROM t", "@x FROM at 1:11"},
        {RV_SQL_POSTGRES, "SELECT a FROM ONLY t", "ONLY at 1:15"},
        {RV_SQL_POSTGRES, "SELECT a FROM t TABLESAMPLE system(1)", "TABLESAMPLE at 1:17"},
        {RV_SQL_POSTGRES, "SELECT a FROM t FOR UPDATE", "FOR at 1:17"},
        {RV_SQL_MSSQL, "SELECT TOP 5 a FROM t", "TOP at 1:8"},
        {RV_SQL_MSSQL, "SELECT a INTO x FROM t", "INTO at 1:10"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_sql_shape s;
        rv_sql_shape_of(rv_str_c(rows[i].sql), rows[i].flags, &s);
        CHECK(!s.ok);
        CHECK_STR(s.reason, rows[i].reason);
    }
}

RV_TEST_MAIN(RV_CASE(accepted), RV_CASE(refused))
