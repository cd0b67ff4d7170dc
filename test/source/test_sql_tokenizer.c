#include <stdio.h>

#include "rvtest.h"
#include "source/sql/token.h"

/* "word=select number=1 ..." of a text; BAD ends it. */
static void describe(const char *sql, unsigned flags, char *out, size_t size)
{
    static const char *const kinds[] = {"end", "w", "q", "s", "n", "(",
                                        ")",   ",", ".", ";", "o", "bad"};
    rv_sql_lexer l = {.text = rv_str_c(sql), .flags = flags};
    size_t used = 0;
    out[0] = '\0';
    for (;;) {
        rv_sql_token t = rv_sql_next(&l);
        if (t.kind == RV_SQL_END)
            return;
        bool plain = t.kind >= RV_SQL_OPEN && t.kind <= RV_SQL_SEMICOLON;
        int n = plain || t.kind == RV_SQL_BAD
                    ? snprintf(out + used, size - used, "%s%s", used ? " " : "", kinds[t.kind])
                    : snprintf(out + used, size - used, "%s%s:%.*s", used ? " " : "", kinds[t.kind],
                               (int)(t.end - t.begin), sql + t.begin);
        used += n > 0 ? (size_t)n : 0;
        if (t.kind == RV_SQL_BAD || used >= size)
            return;
    }
}

RV_TEST(tokens)
{
    static const struct {
        unsigned flags;
        const char *sql, *want;
    } rows[] = {
        {RV_SQL_SQLITE, "", ""},
        {RV_SQL_SQLITE, "SELECT a.b, 'it''s' FROM \"t\"\"x\";",
         "w:SELECT w:a . w:b , s:'it''s' w:FROM q:\"t\"\"x\" ;"},
        {RV_SQL_SQLITE, "1 1.5 .5 1e3 1E-3 0x1F 5.", "n:1 n:1.5 n:.5 n:1e3 n:1E-3 n:0x1F n:5."},
        {RV_SQL_SQLITE, "1a", "bad"},
        {RV_SQL_SQLITE, "0x1G", "bad"},
        {RV_SQL_SQLITE, "1.5.2x", "bad"},
        {RV_SQL_SQLITE, "a -- c\nb", "w:a w:b"},
        {RV_SQL_SQLITE, "a--c", "w:a"},
        {RV_SQL_SQLITE, "a /* x /* y */ b", "w:a w:b"},
        {RV_SQL_POSTGRES, "a /* x /* y */ b */ c", "w:a w:c"},
        {RV_SQL_POSTGRES, "a /* x /* y */ b", "w:a bad"},
        {RV_SQL_SQLITE, "a /* open", "w:a"},
        {RV_SQL_POSTGRES, "a /* open", "w:a bad"},
        {RV_SQL_SQLITE, "[a b] `c``d`", "q:[a b] q:`c``d`"},
        {RV_SQL_MSSQL, "[a]]b]", "q:[a]]b]"},
        {RV_SQL_SQLITE, "[a]]b]", "q:[a] o:] w:b o:]"},
        {RV_SQL_POSTGRES, "a[1]", "w:a o:[ n:1 o:]"},
        {RV_SQL_POSTGRES, "'a\\' b", "s:'a\\' w:b"},
        {RV_SQL_POSTGRES, "E'a\\'b' c", "s:E'a\\'b' w:c"},
        {RV_SQL_POSTGRES, "$$a'b$$ $x$ $$ $x$ $1", "s:$$a'b$$ s:$x$ $$ $x$ o:$ n:1"},
        {RV_SQL_POSTGRES, "$x$ never", "bad"},
        {RV_SQL_MYSQL, "'a\\'b' \"c\" `d`", "s:'a\\'b' s:\"c\" q:`d`"},
        {RV_SQL_MYSQL, "a # c\nb --c\n-- d\ne", "w:a w:b o:- o:- w:c w:e"},
        {RV_SQL_MYSQL, "a /*! b */", "w:a bad"},
        {RV_SQL_MYSQL, "a /*M! b */", "w:a bad"},
        {RV_SQL_MYSQL, "@v", "bad"},
        {RV_SQL_POSTGRES, "a @> b", "w:a o:@ o:> w:b"},
        {RV_SQL_SQLITE, "a := 1", "w:a bad"},
        {RV_SQL_POSTGRES, "a::int", "w:a o:: o:: w:int"},
        {RV_SQL_SQLITE, "'open", "bad"},
        {RV_SQL_SQLITE, "\"open", "bad"},
        {RV_SQL_MYSQL, "'a\\", "bad"},
        {RV_SQL_SQLITE, "\xC3\xA4x \x01", "w:\xC3\xA4x bad"},
        {RV_SQL_MSSQL, "#tmp", "w:#tmp"},
        {RV_SQL_SQLITE, "x'00' 1e+", "w:x s:'00' n:1e+"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char got[256];
        describe(rows[i].sql, rows[i].flags, got, sizeof got);
        CHECK_STR(got, rows[i].want);
    }
}

RV_TEST(words_and_positions)
{
    rv_str sql = RV_STR("select\n  \xC3\xA4, GROUP");
    rv_sql_lexer l = {.text = sql, .flags = RV_SQL_SQLITE};
    uint32_t line = 0, col = 0;
    CHECK(rv_sql_is(sql, rv_sql_next(&l), "SELECT"));
    (void)rv_sql_next(&l);
    CHECK(!rv_sql_is(sql, rv_sql_next(&l), "GROUP"));
    rv_sql_token t = rv_sql_next(&l);
    CHECK(rv_sql_is(sql, t, "GROUP"));
    rv_sql_position(sql, t.begin, &line, &col);
    CHECK_EQ(line, 2);
    CHECK_EQ(col, 6);
}

/* Tokens never overlap, never run backwards and always reach the end. */
RV_TEST(any_bytes)
{
    static const char alphabet[] = "aE1.'\"`[]$;/*-#\\\n @:=(),xM!";
    uint64_t state = 42;
    for (int round = 0; round < 20000; round++) {
        char text[24];
        size_t n = (size_t)(round % 24);
        for (size_t i = 0; i < n; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            text[i] = alphabet[(state >> 33) % (sizeof alphabet)]; /* the NUL too */
        }
        rv_sql_lexer l = {.text = {text, n}, .flags = (unsigned)(state >> 20) & 0x1fffu};
        size_t at = 0;
        for (size_t count = 0;; count++) {
            rv_sql_token t = rv_sql_next(&l);
            REQUIRE(t.begin >= at && t.end >= t.begin && t.end <= n && count <= n + 1);
            at = t.end;
            if (t.kind == RV_SQL_END || t.kind == RV_SQL_BAD)
                break;
            REQUIRE(t.end > t.begin);
        }
        CHECK_EQ(at, n);
    }
}

RV_TEST_MAIN(RV_CASE(tokens), RV_CASE(words_and_positions), RV_CASE(any_bytes))
