/* Every dialect's tokens and shape of any text: offsets stay inside, in order, and spliceable. */
#include <stdlib.h>

#include "fuzz.h"
#include "source/sql/shape.h"

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check_span(rv_sql_span s, size_t len)
{
    require(s.begin <= s.end && s.end <= len);
}

static void check(rv_str text, unsigned flags)
{
    rv_sql_lexer lexer = {.text = text, .flags = flags};
    size_t at = 0;
    for (;;) {
        rv_sql_token t = rv_sql_next(&lexer);
        require(t.begin >= at && t.end >= t.begin && t.end <= text.len);
        at = t.end;
        if (t.kind == RV_SQL_END || t.kind == RV_SQL_BAD)
            break;
        require(t.end > t.begin);
    }
    rv_sql_shape s;
    rv_sql_shape_of(text, flags, &s);
    check_span(s.list, text.len);
    check_span(s.from, text.len);
    check_span(s.qualifier, text.len);
    check_span(s.condition, text.len);
    if (!s.ok)
        return;
    require(s.list.end <= s.from.begin && s.n_parts >= 1 && s.n_parts <= 3);
    require(s.condition.begin == s.condition.end || s.from.end <= s.condition.begin);
    require(s.reason[0] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned dialects[] = {RV_SQL_SQLITE, RV_SQL_POSTGRES, RV_SQL_MYSQL, RV_SQL_MSSQL};
    rv_str text = {(const char *)data, size};
    for (size_t i = 0; i < sizeof dialects / sizeof dialects[0]; i++)
        check(text, dialects[i]);
    return 0;
}
