#include "config/yaml.h"

#include <math.h>
#include <stdlib.h>

/* The core schema of YAML 1.2, except that hexadecimal and octal integers stay text (integers of
 * the configuration are base 10) and `_` may separate digits. */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_int(rv_str s)
{
    size_t i = s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+') ? 1 : 0;
    if (i >= s.len || !is_digit(s.ptr[i]) || !is_digit(s.ptr[s.len - 1]))
        return false;
    for (; i < s.len; i++)
        if (!is_digit(s.ptr[i]) && s.ptr[i] != '_')
            return false;
    return true;
}

static bool is_special_float(rv_str s)
{
    if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+'))
        return rv_str_eq_nocase((rv_str){s.ptr + 1, s.len - 1}, RV_STR(".inf"));
    return rv_str_eq_nocase(s, RV_STR(".inf")) || rv_str_eq_nocase(s, RV_STR(".nan"));
}

static size_t skip_digits(rv_str s, size_t i)
{
    while (i < s.len && is_digit(s.ptr[i]))
        i++;
    return i;
}

static bool is_float(rv_str s)
{
    if (is_special_float(s))
        return true;
    size_t i = s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+') ? 1 : 0;
    size_t whole = skip_digits(s, i);
    size_t digits = whole - i;
    i = whole;
    if (i < s.len && s.ptr[i] == '.') {
        size_t end = skip_digits(s, i + 1);
        digits += end - i - 1;
        i = end;
    }
    if (digits == 0)
        return false;
    if (i < s.len && (s.ptr[i] == 'e' || s.ptr[i] == 'E')) {
        i++;
        if (i < s.len && (s.ptr[i] == '-' || s.ptr[i] == '+'))
            i++;
        size_t end = skip_digits(s, i);
        if (end == i)
            return false;
        i = end;
    }
    return i == s.len;
}

rv_scalar_kind rv_scalar_kind_of(rv_str text, bool plain)
{
    if (!plain)
        return RV_SCALAR_STRING;
    if (text.len == 0 || rv_str_eq(text, RV_STR("~")) || rv_str_eq(text, RV_STR("null")) ||
        rv_str_eq(text, RV_STR("Null")) || rv_str_eq(text, RV_STR("NULL")))
        return RV_SCALAR_NULL;
    if (rv_str_eq_nocase(text, RV_STR("true")) || rv_str_eq_nocase(text, RV_STR("false")))
        return RV_SCALAR_BOOL;
    if (is_int(text))
        return RV_SCALAR_INT;
    return is_float(text) ? RV_SCALAR_FLOAT : RV_SCALAR_STRING;
}

bool rv_scalar_int(rv_str text, int64_t *out)
{
    char digits[32];
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '_')
            continue;
        if (n == 1 && digits[0] == '0') /* leading zeros are not digits of an overflow */
            n = 0;
        if (n == sizeof digits)
            return false;
        digits[n++] = text.ptr[i];
    }
    return rv_str_i64((rv_str){digits, n}, out);
}

double rv_scalar_float(rv_str text)
{
    if (is_special_float(text)) {
        if (rv_str_eq_nocase(text, RV_STR(".nan")))
            return (double)NAN;
        return text.ptr[0] == '-' ? -(double)INFINITY : (double)INFINITY;
    }
    char digits[512];
    size_t n = 0;
    for (size_t i = 0; i < text.len && n + 1 < sizeof digits; i++)
        if (text.ptr[i] != '_')
            digits[n++] = text.ptr[i];
    digits[n] = '\0';
    return strtod(digits, NULL);
}
