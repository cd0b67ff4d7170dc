#include "base/str.h"

static uint8_t lower(char c)
{
    uint8_t b = (uint8_t)c;
    return b >= 'A' && b <= 'Z' ? (uint8_t)(b + ('a' - 'A')) : b;
}

bool rv_str_eq_nocase(rv_str a, rv_str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

bool rv_str_starts(rv_str s, rv_str prefix)
{
    return s.len >= prefix.len && rv_str_eq((rv_str){s.ptr, prefix.len}, prefix);
}

bool rv_str_ends(rv_str s, rv_str suffix)
{
    if (s.len < suffix.len)
        return false;
    return suffix.len == 0 || memcmp(s.ptr + (s.len - suffix.len), suffix.ptr, suffix.len) == 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

rv_str rv_str_trim(rv_str s)
{
    while (s.len && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* Digits only, at least one. */
static bool parse_digits(rv_str s, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        if (__builtin_mul_overflow(v, 10U, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.ptr[i] - '0'), &v))
            return false;
    }
    if (s.len == 0)
        return false;
    *out = v;
    return true;
}

bool rv_str_u64(rv_str s, uint64_t *out)
{
    if (s.len && s.ptr[0] == '+')
        s = (rv_str){s.ptr + 1, s.len - 1};
    return parse_digits(s, out);
}

bool rv_str_i64(rv_str s, int64_t *out)
{
    bool negative = s.len && s.ptr[0] == '-';
    if (s.len && (s.ptr[0] == '-' || s.ptr[0] == '+'))
        s = (rv_str){s.ptr + 1, s.len - 1};
    uint64_t v;
    if (!parse_digits(s, &v) || v > (uint64_t)INT64_MAX + (negative ? 1U : 0U))
        return false;
    /* -(v-1)-1 stays inside the type also for INT64_MIN */
    *out = !negative ? (int64_t)v : v == 0 ? 0 : -(int64_t)(v - 1) - 1;
    return true;
}

static bool is_cont(uint8_t b)
{
    return (b & 0xC0U) == 0x80U;
}

/* Bytes of the well-formed code point at p (Unicode table 3-7), 0 when there is none. */
static size_t utf8_len(const uint8_t *p, size_t n)
{
    uint8_t a = p[0];
    if (a < 0x80)
        return 1;
    if (a < 0xC2 || a > 0xF4 || n < 2 || !is_cont(p[1]))
        return 0;
    if (a < 0xE0)
        return 2;
    if (a < 0xF0) {
        if (n < 3 || !is_cont(p[2]) || (a == 0xE0 && p[1] < 0xA0) || (a == 0xED && p[1] > 0x9F))
            return 0;
        return 3;
    }
    if (n < 4 || !is_cont(p[2]) || !is_cont(p[3]) || (a == 0xF0 && p[1] < 0x90) ||
        (a == 0xF4 && p[1] > 0x8F))
        return 0;
    return 4;
}

/* Fewer than eight bytes, at least one. */
static bool is_ascii_tail(const uint8_t *p, size_t n)
{
    uint32_t first, last;
    if (n < 4)
        return !((p[0] | p[n / 2] | p[n - 1]) & 0x80);
    memcpy(&first, p, sizeof first);
    memcpy(&last, p + n - 4, sizeof last);
    return !((first | last) & UINT32_C(0x80808080));
}

bool rv_utf8_valid(rv_bytes b)
{
    size_t i = 0;
    while (i < b.len) {
        /* eight ASCII bytes at a time: most text is that */
        uint64_t word;
        while (b.len - i >= sizeof word) {
            memcpy(&word, b.ptr + i, sizeof word);
            if (word & UINT64_C(0x8080808080808080))
                break;
            i += sizeof word;
        }
        if (i == b.len || (b.len - i < sizeof word && is_ascii_tail(b.ptr + i, b.len - i)))
            break;
        size_t n = utf8_len(b.ptr + i, b.len - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

size_t rv_utf8_cut(rv_str s, size_t max)
{
    if (s.len <= max)
        return s.len;
    size_t n = max;
    while (n > 0 && max - n < 3 && is_cont((uint8_t)s.ptr[n]))
        n--;
    /* more continuation bytes than any code point has: not UTF-8, cut where asked */
    return is_cont((uint8_t)s.ptr[n]) ? max : n;
}

size_t rv_utf8_count(rv_str s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.len; count++) {
        size_t n = utf8_len((const uint8_t *)s.ptr + i, s.len - i);
        i += n ? n : 1;
    }
    return count;
}

#define SUGGEST_MAX 128 /* no key or word of the configuration is longer */

static bool contains_nocase(rv_str big, rv_str small)
{
    for (size_t i = 0; small.len <= big.len && i <= big.len - small.len; i++)
        if (rv_str_eq_nocase((rv_str){big.ptr + i, small.len}, small))
            return true;
    return false;
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein distance, case folded; both at most SUGGEST_MAX bytes. */
static size_t edit_distance(rv_str a, rv_str b)
{
    size_t row[SUGGEST_MAX + 1];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t replace = diagonal + (lower(a.ptr[i - 1]) != lower(b.ptr[j - 1]));
            diagonal = row[j];
            row[j] = min_size(replace, min_size(row[j], row[j - 1]) + 1);
        }
    }
    return row[b.len];
}

static int suggest_containing(rv_str input, const char *const *candidates, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (rv_str_eq_nocase(input, rv_str_c(candidates[i])))
            return (int)i;
    for (size_t i = 0; i < count; i++) {
        rv_str c = rv_str_c(candidates[i]);
        rv_str big = c.len > input.len ? c : input;
        rv_str small = c.len > input.len ? input : c;
        if (small.len >= 3 && contains_nocase(big, small))
            return (int)i;
    }
    return -1;
}

int rv_suggest(rv_str input, const char *const *candidates, size_t count)
{
    if (input.len == 0 || input.len > SUGGEST_MAX)
        return -1;
    int best = suggest_containing(input, candidates, count);
    if (best >= 0)
        return best;
    size_t best_distance = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        rv_str c = rv_str_c(candidates[i]);
        if (c.len > SUGGEST_MAX)
            continue;
        size_t longer = c.len > input.len ? c.len : input.len;
        size_t limit = longer / 3 > 2 ? longer / 3 : 2;
        size_t distance = edit_distance(input, c);
        if (distance <= limit && distance < best_distance) {
            best = (int)i;
            best_distance = distance;
        }
    }
    return best;
}
