#include "source/sql/shape.h"

#include <stdio.h>

typedef struct parser {
    rv_sql_lexer lexer;
    rv_sql_token now;
    rv_sql_shape *shape;
} parser;

static void advance(parser *p)
{
    p->now = rv_sql_next(&p->lexer);
}

static bool is(const parser *p, const char *word)
{
    return rv_sql_is(p->lexer.text, p->now, word);
}

/* "GROUP at 1:58": the offending text in capitals when it is a word. */
static bool refuse_at(parser *p, rv_sql_token t)
{
    uint32_t line, col;
    char what[24];
    rv_str text = {p->lexer.text.ptr + t.begin, t.end - t.begin};
    rv_sql_position(p->lexer.text, t.begin, &line, &col);
    if (t.kind == RV_SQL_END) {
        (void)snprintf(what, sizeof what, "end");
    } else {
        bool word = t.kind == RV_SQL_WORD;
        size_t n = rv_utf8_cut(text, word ? sizeof what - 1 : 8);
        n = rv_str_trim((rv_str){text.ptr, n}).len; /* a token opens with no blank */
        for (size_t i = 0; i < n; i++) {
            char c = text.ptr[i];
            c = word && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
            what[i] = (c >= 0 && c < ' ') || c == 127 ? ' ' : c;
        }
        what[n] = '\0';
    }
    (void)snprintf(p->shape->reason, sizeof p->shape->reason, "%s at %u:%u", what, line, col);
    return false;
}

static bool refuse(parser *p)
{
    return refuse_at(p, p->now);
}

static bool forbidden_at_top(const parser *p)
{
    static const char *const words[] = {"DISTINCT", "DISTINCTROW", "EXCEPT",    "FETCH",  "FOR",
                                        "GROUP",    "HAVING",      "INTERSECT", "INTO",   "LIMIT",
                                        "LOCK",     "MINUS",       "OFFSET",    "OPTION", "ORDER",
                                        "OVER",     "PROCEDURE",   "TOP",       "UNION",  "WINDOW"};
    rv_str text = {p->lexer.text.ptr + p->now.begin, p->now.end - p->now.begin};
    if (p->now.kind != RV_SQL_WORD)
        return false;
    if (text.len > 4 && rv_str_eq_nocase((rv_str){text.ptr, 4}, RV_STR("SQL_")))
        return true;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (is(p, words[i]))
            return true;
    return false;
}

/* Behind IS or IS NOT: DISTINCT FROM is one operator. True when it was read over. */
static bool skip_distinct_from(parser *p)
{
    if (is(p, "NOT"))
        advance(p);
    if (!is(p, "DISTINCT"))
        return false;
    rv_sql_lexer ahead = p->lexer;
    rv_sql_token next = rv_sql_next(&ahead);
    if (!rv_sql_is(ahead.text, next, "FROM"))
        return false;
    p->lexer = ahead;
    advance(p);
    return true;
}

/* Reads an expression up to `stop` (a word) or the end, at depth zero. The span goes from the
 * first token to behind the last one; comments between the last token and `stop` stay out. */
static bool expression(parser *p, const char *stop, rv_sql_span *out)
{
    unsigned depth = 0;
    rv_sql_span span = {p->now.begin, p->now.begin};
    for (;;) {
        if (p->now.kind == RV_SQL_BAD || is(p, "ROWNUM"))
            return refuse(p);
        if (p->now.kind == RV_SQL_END || (depth == 0 && p->now.kind == RV_SQL_SEMICOLON))
            break;
        if (p->now.kind == RV_SQL_SEMICOLON)
            return refuse(p);
        if (p->now.kind == RV_SQL_OPEN)
            depth++;
        if (p->now.kind == RV_SQL_CLOSE && depth-- == 0)
            return refuse(p);
        if (depth == 0 && stop && is(p, stop))
            break;
        if (depth == 0 && (forbidden_at_top(p) || is(p, "FROM")))
            return refuse(p);
        bool after_is = is(p, "IS");
        span.end = p->now.end;
        advance(p);
        if (after_is && skip_distinct_from(p))
            span.end = p->now.begin;
    }
    if (depth > 0 || span.end == span.begin)
        return refuse(p);
    *out = span;
    return true;
}

static bool is_name(const parser *p)
{
    return p->now.kind == RV_SQL_WORD || p->now.kind == RV_SQL_QUOTED;
}

/* Words that open something else than a table name. */
static bool no_table(const parser *p)
{
    static const char *const words[] = {"ONLY", "LATERAL", "TABLE", "SELECT", "VALUES",
                                        "WITH", "WHERE",   "AS",    "UNNEST", "JSON_TABLE"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (is(p, words[i]))
            return true;
    return forbidden_at_top(p);
}

static bool table_name(parser *p)
{
    rv_sql_shape *s = p->shape;
    if (!is_name(p) || no_table(p))
        return refuse(p);
    for (;;) {
        s->parts[s->n_parts++] = (rv_sql_span){p->now.begin, p->now.end};
        s->from.end = p->now.end;
        advance(p);
        if (p->now.kind != RV_SQL_DOT)
            break;
        advance(p);
        if (!is_name(p) || s->n_parts == 3)
            return refuse(p);
    }
    s->qualifier = s->parts[s->n_parts - 1];
    return true;
}

static bool no_alias(const parser *p)
{
    static const char *const words[] = {
        "JOIN",  "LEFT",          "RIGHT",   "FULL",  "INNER",  "CROSS",     "NATURAL",
        "OUTER", "STRAIGHT_JOIN", "USE",     "FORCE", "IGNORE", "PARTITION", "TABLESAMPLE",
        "WITH",  "NOT",           "INDEXED", "ON",    "USING",  "FROM",      "SET"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (is(p, words[i]))
            return true;
    return forbidden_at_top(p);
}

static bool alias(parser *p)
{
    bool as = is(p, "AS");
    if (as)
        advance(p);
    if (!is_name(p) || (!as && is(p, "WHERE")))
        return as ? refuse(p) : true;
    if (no_alias(p) || is(p, "WHERE"))
        return refuse(p);
    p->shape->qualifier = (rv_sql_span){p->now.begin, p->now.end};
    p->shape->from.end = p->now.end;
    advance(p);
    return true;
}

static bool statement(parser *p)
{
    rv_sql_shape *s = p->shape;
    advance(p);
    if (!is(p, "SELECT"))
        return refuse(p);
    advance(p);
    if (!expression(p, "FROM", &s->list))
        return false;
    if (!is(p, "FROM"))
        return refuse(p);
    advance(p);
    s->from = (rv_sql_span){p->now.begin, p->now.end};
    if (!table_name(p) || !alias(p))
        return false;
    if (is(p, "WHERE")) {
        advance(p);
        if (!expression(p, NULL, &s->condition))
            return false;
    }
    if (p->now.kind == RV_SQL_SEMICOLON)
        advance(p);
    return p->now.kind == RV_SQL_END ? true : refuse(p);
}

void rv_sql_shape_of(rv_str query, unsigned flags, rv_sql_shape *out)
{
    *out = (rv_sql_shape){0};
    parser p = {.lexer = {.text = query, .flags = flags}, .shape = out};
    out->ok = statement(&p);
}

/* --- one statement that reads --- */

rv_status rv_sql_refuse_query(rv_error *err, const char *why)
{
    rv_status st = rv_fail(err, RV_E_SOURCE_QUERY, "query: it %s", why);
    rv_hint(err, "write one SELECT, or WITH ... SELECT, without parameters");
    return st;
}

static bool opens_reading(rv_str text, rv_sql_token first)
{
    return first.kind == RV_SQL_OPEN || rv_sql_is(text, first, "SELECT") ||
           rv_sql_is(text, first, "WITH") || rv_sql_is(text, first, "VALUES") ||
           rv_sql_is(text, first, "TABLE");
}

rv_status rv_sql_one_statement(rv_str query, unsigned flags, rv_str *out, rv_error *err)
{
    rv_sql_lexer lexer = {.text = query, .flags = flags};
    rv_sql_token t = rv_sql_next(&lexer);
    size_t end = query.len;
    unsigned depth = 0;
    bool ended = false;
    if (!opens_reading(query, t))
        return rv_sql_refuse_query(err, "does not begin with SELECT or WITH");
    for (; t.kind != RV_SQL_END; t = rv_sql_next(&lexer)) {
        if (t.kind == RV_SQL_BAD)
            return rv_sql_refuse_query(err, "has a string, comment or name that does not end");
        if (ended)
            return rv_sql_refuse_query(err, "holds more than one statement");
        if (t.kind == RV_SQL_OPEN)
            depth++;
        if (t.kind == RV_SQL_CLOSE && depth-- == 0)
            return rv_sql_refuse_query(err, "closes a parenthesis that it did not open");
        ended = t.kind == RV_SQL_SEMICOLON;
        end = ended ? t.begin : end;
    }
    if (depth > 0)
        return rv_sql_refuse_query(err, "leaves a parenthesis open");
    *out = (rv_str){query.ptr, end};
    return RV_OK;
}
