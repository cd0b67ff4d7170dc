#include "base/secret_internal.h"

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_quote(char c)
{
    return c == '"' || c == '\'' || c == '`';
}

static bool is_escaped_quote(rv_str t, size_t i)
{
    return t.ptr[i] == '\\' && i + 1 < t.len && is_quote(t.ptr[i + 1]);
}

/* Where a URL's word ends; remembered, so that many "://" in one word stay linear. */
static void measure_word(rv_pattern_scan *scan, size_t i)
{
    rv_str t = scan->text;
    if (i < scan->word_end)
        return;
    scan->word_at = 0;
    for (; i < t.len && !is_space(t.ptr[i]) && !is_quote(t.ptr[i]); i++)
        if (t.ptr[i] == '@')
            scan->word_at = i;
    scan->word_end = i;
}

/* "host" or "host:port": what precedes a path when no password is there. */
static bool is_host_port(rv_str s)
{
    const char *colon = memrchr(s.ptr, ':', s.len);
    if (!colon || s.ptr[0] == '[')
        return true;
    for (const char *p = colon + 1; p < s.ptr + s.len; p++)
        if (*p < '0' || *p > '9')
            return false;
    return true;
}

/* Userinfo behind the "://" that ends at `start`: up to the last '@' of the authority. A
 * password may hold '/', '?' or '#' unescaped; then what looks like the authority is no
 * host:port, and the last '@' of the word counts. */
static bool match_userinfo(rv_pattern_scan *scan, size_t start, rv_span *out)
{
    rv_str t = scan->text;
    size_t end = start, at = 0;
    for (; end < t.len && !is_space(t.ptr[end]) && !is_quote(t.ptr[end]) &&
           !is_escaped_quote(t, end) && !strchr("/?#", t.ptr[end] ? t.ptr[end] : 'x');
         end++)
        if (t.ptr[end] == '@')
            at = end;
    if (at == 0 && end > start && !is_host_port((rv_str){t.ptr + start, end - start})) {
        measure_word(scan, end);
        at = scan->word_at > start ? scan->word_at : 0;
    }
    if (at <= start)
        return false;
    *out = (rv_span){start, at};
    return true;
}

/* Behind the closing quote of the value that opens at i with quote q; a doubled or escaped
 * quote belongs to the value. Without a closing one: the end of the line or JSON string. */
static size_t quoted_end(rv_str t, size_t i, char q)
{
    for (i++; i < t.len; i++) {
        char c = t.ptr[i];
        if (c == '\n' || (c == '"' && q != '"'))
            return i;
        if (c == '\\' && i + 1 < t.len)
            i++;
        else if (c == q && i + 1 < t.len && t.ptr[i + 1] == q)
            i++;
        else if (c == q)
            return i + 1;
    }
    return t.len;
}

/* The same inside a JSON string, where the quotes of the value stand as \" themselves. */
static size_t escaped_quoted_end(rv_str t, size_t i)
{
    char q = t.ptr[i + 1];
    for (i += 2; i < t.len; i++) {
        if (t.ptr[i] == '\n' || t.ptr[i] == '"')
            return i;
        if (t.ptr[i] != '\\' || i + 1 >= t.len)
            continue;
        if (t.ptr[i + 1] == q)
            return i + 2;
        bool pair = t.len - i > 3 && t.ptr[i + 1] == '\\' && t.ptr[i + 2] == '\\';
        i += pair ? 3 : 1;
    }
    return t.len;
}

/* {value} of ODBC connection strings, "}}" being a brace of the value. */
static size_t braced_end(rv_str t, size_t i)
{
    for (i++; i < t.len && t.ptr[i] != '\n' && t.ptr[i] != '"'; i++) {
        if (t.ptr[i] != '}')
            continue;
        if (i + 1 == t.len || t.ptr[i + 1] != '}')
            return i + 1;
        i++;
    }
    return i;
}

static size_t plain_end(rv_str t, size_t i)
{
    for (; i < t.len; i++) {
        char c = t.ptr[i];
        if (c == '&' || c == ';' || is_space(c) || is_quote(c) || is_escaped_quote(t, i))
            break;
        if (c == '\\' && i + 1 < t.len && t.ptr[i + 1] == '\\')
            i++;
    }
    return i;
}

/* The quote at i closes the JSON string around an empty value, it does not open one. */
static bool closes_json(rv_str t, size_t i)
{
    if (t.ptr[i] != '"' || t.len - i < 2)
        return false;
    char next = t.ptr[i + 1];
    char then = t.len - i > 2 ? t.ptr[i + 2] : '\n';
    if (next == ',')
        return is_space(then) || (then != '\0' && strchr("\"{[-0123456789tfn", then));
    return (next == '}' || next == ']') &&
           (then == ',' || then == '}' || then == ']' || is_space(then));
}

static size_t value_end(rv_str t, size_t i)
{
    if (i < t.len && (t.ptr[i] == '\'' || t.ptr[i] == '"') && !closes_json(t, i))
        return quoted_end(t, i, t.ptr[i]);
    if (i < t.len && is_escaped_quote(t, i))
        return escaped_quoted_end(t, i);
    if (i < t.len && t.ptr[i] == '{')
        return braced_end(t, i);
    return plain_end(t, i);
}

/* The length of the password-like name that stands at i and is followed by '='. */
static size_t match_name(rv_str t, size_t i)
{
    static const char *const names[] = {"password", "sslpassword", "pwd",       "token",
                                        "sig",      "secret",      "accountkey"};
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        rv_str name = rv_str_c(names[n]);
        if (t.len - i > name.len && t.ptr[i + name.len] == '=' &&
            rv_str_eq_nocase((rv_str){t.ptr + i, name.len}, name))
            return name.len;
    }
    return 0;
}

static bool starts_parameter(rv_str t, size_t i)
{
    if (i == 0)
        return true;
    char before = t.ptr[i - 1];
    return before == '?' || before == '&' || before == ';' || is_space(before) || is_quote(before);
}

static bool match_parameter(rv_str t, size_t i, rv_span *out)
{
    if (!starts_parameter(t, i))
        return false;
    size_t name = match_name(t, i);
    if (name == 0)
        return false;
    *out = (rv_span){i + name + 1, value_end(t, i + name + 1)};
    return out->end > out->start;
}

bool rv_pattern_next(rv_pattern_scan *scan, rv_span *out)
{
    rv_str t = scan->text;
    for (size_t i = scan->pos; i < t.len; i++) {
        bool url = t.ptr[i] == ':' && t.len - i > 3 && t.ptr[i + 1] == '/' && t.ptr[i + 2] == '/';
        bool found = url ? match_userinfo(scan, i + 3, out) : match_parameter(t, i, out);
        if (!found)
            continue;
        scan->pos = out->end;
        return true;
    }
    scan->pos = t.len;
    return false;
}
