#include "source/sql/token.h"

static bool has(const rv_sql_lexer *l, rv_sql_flag flag)
{
    return (l->flags & (unsigned)flag) != 0;
}

/* The byte `ahead` of the position; 0 beyond the end (a NUL in the text reads the same and is
 * refused by the caller's default). */
static char at(const rv_sql_lexer *l, size_t ahead)
{
    return ahead < l->text.len - l->pos ? l->text.ptr[l->pos + ahead] : '\0';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_start(const rv_sql_lexer *l, char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0 ||
           (c == '#' && has(l, RV_SQL_HASH_WORDS));
}

static bool is_word(const rv_sql_lexer *l, char c)
{
    return is_word_start(l, c) || is_digit(c) || c == '$';
}

static rv_sql_token token(rv_sql_lexer *l, rv_sql_kind kind, size_t begin)
{
    return (rv_sql_token){kind, begin, l->pos};
}

static rv_sql_token bad(rv_sql_lexer *l, size_t begin)
{
    l->pos = l->text.len;
    return token(l, RV_SQL_BAD, begin);
}

static bool ended(const rv_sql_lexer *l)
{
    return l->pos >= l->text.len;
}

/* From the opening quote to behind the closing one; a doubled quote stands for itself. */
static bool skip_quoted(rv_sql_lexer *l, char close, bool doubled, bool backslash)
{
    l->pos++;
    while (!ended(l)) {
        char c = l->text.ptr[l->pos++];
        if (c == '\\' && backslash) {
            if (ended(l))
                return false;
            l->pos++;
        } else if (c == close) {
            if (!doubled || at(l, 0) != close || ended(l))
                return true;
            l->pos++;
        }
    }
    return false;
}

static bool skip_block_comment(rv_sql_lexer *l)
{
    unsigned depth = 1;
    l->pos += 2;
    while (!ended(l)) {
        if (at(l, 0) == '*' && at(l, 1) == '/') {
            l->pos += 2;
            if (--depth == 0)
                return true;
        } else if (at(l, 0) == '/' && at(l, 1) == '*' && has(l, RV_SQL_NESTED_COMMENTS)) {
            l->pos += 2;
            depth++;
        } else {
            l->pos++;
        }
    }
    return has(l, RV_SQL_OPEN_COMMENTS);
}

static bool opens_line_comment(const rv_sql_lexer *l)
{
    if (at(l, 0) == '#')
        return has(l, RV_SQL_HASH_COMMENTS);
    if (at(l, 0) != '-' || at(l, 1) != '-')
        return false;
    char c = at(l, 2);
    return !has(l, RV_SQL_DASH_NEEDS_BLANK) || c == '\0' || is_blank(c);
}

/* Behind blanks and comments; false: a comment that must not be read over. */
/* False: the comment at *out_comment does not end, or must not be skipped. */
static bool skip_space(rv_sql_lexer *l, size_t *out_comment)
{
    while (!ended(l)) {
        if (is_blank(at(l, 0))) {
            l->pos++;
        } else if (opens_line_comment(l)) {
            while (!ended(l) && at(l, 0) != '\n')
                l->pos++;
        } else if (at(l, 0) == '/' && at(l, 1) == '*') {
            *out_comment = l->pos;
            bool runs = at(l, 2) == '!' || (at(l, 2) == 'M' && at(l, 3) == '!');
            if ((runs && has(l, RV_SQL_MYSQL_REFUSALS)) || !skip_block_comment(l))
                return false;
        } else {
            return true;
        }
    }
    return true;
}

/* $tag$ .. $tag$; false when no tag opens here. *out_ok false: it never closes. */
static bool dollar_quote(rv_sql_lexer *l, bool *out_ok)
{
    size_t n = 1;
    while (at(l, n) != '$' && (is_word_start(l, at(l, n)) || (n > 1 && is_digit(at(l, n)))))
        n++;
    if (at(l, n) != '$')
        return false;
    rv_str tag = {l->text.ptr + l->pos, n + 1};
    *out_ok = false;
    for (l->pos += tag.len; !ended(l); l->pos++) {
        rv_str rest = {l->text.ptr + l->pos, l->text.len - l->pos};
        if (rv_str_starts(rest, tag)) {
            l->pos += tag.len;
            *out_ok = true;
            break;
        }
    }
    return true;
}

/* 12, 1.5, .5, 1e-3, 0x1F; a letter right behind is no number of any engine. */
static rv_sql_token number(rv_sql_lexer *l, size_t begin)
{
    bool hex = at(l, 0) == '0' && (at(l, 1) == 'x' || at(l, 1) == 'X');
    if (hex)
        l->pos += 2;
    while (is_digit(at(l, 0)) || (!hex && at(l, 0) == '.') ||
           (hex && ((at(l, 0) | 0x20) >= 'a' && (at(l, 0) | 0x20) <= 'f')))
        l->pos++;
    if (!hex && (at(l, 0) == 'e' || at(l, 0) == 'E')) {
        l->pos += at(l, 1) == '+' || at(l, 1) == '-' ? 2 : 1;
        while (is_digit(at(l, 0)))
            l->pos++;
    }
    if (is_word(l, at(l, 0)))
        return bad(l, begin);
    return token(l, RV_SQL_NUMBER, begin);
}

static rv_sql_token word(rv_sql_lexer *l, size_t begin)
{
    while (!ended(l) && is_word(l, at(l, 0)))
        l->pos++;
    bool escapes = has(l, RV_SQL_ESCAPE_STRINGS) && l->pos - begin == 1 &&
                   (l->text.ptr[begin] | 0x20) == 'e' && at(l, 0) == '\'';
    if (!escapes)
        return token(l, RV_SQL_WORD, begin);
    if (!skip_quoted(l, '\'', true, true))
        return bad(l, begin);
    return token(l, RV_SQL_STRING, begin);
}

static rv_sql_token quoted(rv_sql_lexer *l, rv_sql_kind kind, char close, bool doubled,
                           size_t begin)
{
    bool backslash = kind == RV_SQL_STRING && has(l, RV_SQL_BACKSLASH);
    if (!skip_quoted(l, close, doubled, backslash))
        return bad(l, begin);
    return token(l, kind, begin);
}

static rv_sql_token single(rv_sql_lexer *l, rv_sql_kind kind, size_t begin)
{
    l->pos++;
    return token(l, kind, begin);
}

static rv_sql_token punctuation(rv_sql_lexer *l, size_t begin)
{
    switch (at(l, 0)) {
    case '(':
        return single(l, RV_SQL_OPEN, begin);
    case ')':
        return single(l, RV_SQL_CLOSE, begin);
    case ',':
        return single(l, RV_SQL_COMMA, begin);
    case '.':
        return single(l, RV_SQL_DOT, begin);
    case ';':
        return single(l, RV_SQL_SEMICOLON, begin);
    case '@':
        return has(l, RV_SQL_MYSQL_REFUSALS) ? bad(l, begin) : single(l, RV_SQL_OTHER, begin);
    case ':':
        return at(l, 1) == '=' ? bad(l, begin) : single(l, RV_SQL_OTHER, begin);
    default:
        return at(l, 0) < ' ' && at(l, 0) >= 0 ? bad(l, begin) : single(l, RV_SQL_OTHER, begin);
    }
}

rv_sql_token rv_sql_next(rv_sql_lexer *l)
{
    size_t comment = l->pos;
    if (!skip_space(l, &comment))
        return bad(l, comment);
    size_t begin = l->pos;
    bool ok = true;
    if (ended(l))
        return token(l, RV_SQL_END, begin);
    char c = at(l, 0);
    if (c == '\'')
        return quoted(l, RV_SQL_STRING, '\'', true, begin);
    if (c == '"')
        return quoted(l, has(l, RV_SQL_DQ_STRINGS) ? RV_SQL_STRING : RV_SQL_QUOTED, '"', true,
                      begin);
    if (c == '`' && has(l, RV_SQL_BACKTICKS))
        return quoted(l, RV_SQL_QUOTED, '`', true, begin);
    if (c == '[' && has(l, RV_SQL_BRACKETS))
        return quoted(l, RV_SQL_QUOTED, ']', has(l, RV_SQL_BRACKETS_DOUBLED), begin);
    if (c == '$' && has(l, RV_SQL_DOLLAR_QUOTES) && dollar_quote(l, &ok))
        return ok ? token(l, RV_SQL_STRING, begin) : bad(l, begin);
    if (is_digit(c) || (c == '.' && is_digit(at(l, 1))))
        return number(l, begin);
    if (is_word_start(l, c))
        return word(l, begin);
    return punctuation(l, begin);
}

bool rv_sql_is(rv_str text, rv_sql_token t, const char *w)
{
    if (t.kind != RV_SQL_WORD)
        return false;
    return rv_str_eq_nocase((rv_str){text.ptr + t.begin, t.end - t.begin}, rv_str_c(w));
}

void rv_sql_position(rv_str text, size_t offset, uint32_t *out_line, uint32_t *out_col)
{
    uint32_t line = 1;
    size_t start = 0;
    for (size_t i = 0; i < offset && i < text.len; i++) {
        if (text.ptr[i] != '\n')
            continue;
        line++;
        start = i + 1;
    }
    *out_line = line;
    *out_col = (uint32_t)rv_utf8_count((rv_str){text.ptr + start, offset - start}) + 1;
}
