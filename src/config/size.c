#include "config/config_internal.h"

/* Digits with at most one point, as a whole and a fraction of 10^-digits. */
static bool number(rv_str s, size_t *out_len, uint64_t *out_whole, uint64_t *out_frac,
                   uint64_t *out_scale)
{
    uint64_t whole = 0;
    uint64_t frac = 0;
    uint64_t scale = 1;
    size_t i = 0;
    size_t digits = 0;
    for (; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++, digits++)
        if (__builtin_mul_overflow(whole, 10U, &whole) ||
            __builtin_add_overflow(whole, (uint64_t)(s.ptr[i] - '0'), &whole))
            return false;
    if (i < s.len && s.ptr[i] == '.') {
        for (i++; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++, digits++) {
            if (scale >= 1000000000) /* finer than a byte of any unit */
                continue;
            frac = frac * 10 + (uint64_t)(s.ptr[i] - '0');
            scale *= 10;
        }
    }
    *out_len = i;
    *out_whole = whole;
    *out_frac = frac;
    *out_scale = scale;
    return digits > 0;
}

bool rv_size_parse(rv_str text, uint64_t *out_bytes)
{
    static const struct {
        const char *name;
        uint64_t bytes;
    } units[] = {{"", 1}, {"B", 1}, {"KB", 1024}, {"MB", 1024 * 1024}, {"GB", 1024 * 1024 * 1024}};
    rv_str s = rv_str_trim(text);
    size_t len = 0;
    uint64_t whole = 0;
    uint64_t frac = 0;
    uint64_t scale = 1;
    if (!number(s, &len, &whole, &frac, &scale))
        return false;
    rv_str unit = rv_str_trim((rv_str){s.ptr + len, s.len - len});
    for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
        if (!rv_str_eq_nocase(unit, rv_str_c(units[u].name)))
            continue;
        uint64_t bytes = 0;
        if (__builtin_mul_overflow(whole, units[u].bytes, &bytes) ||
            __builtin_add_overflow(bytes, frac * units[u].bytes / scale, &bytes))
            return false;
        if (bytes < 1 || bytes > INT64_MAX)
            return false;
        *out_bytes = bytes;
        return true;
    }
    return false;
}

bool rv_duration_parse(rv_str text, uint64_t *out_seconds)
{
    if (text.len < 2)
        return false;
    uint64_t unit = 0;
    switch (text.ptr[text.len - 1]) {
    case 's':
        unit = 1;
        break;
    case 'm':
        unit = 60;
        break;
    case 'h':
        unit = 3600;
        break;
    case 'd':
        unit = 86400;
        break;
    default:
        return false;
    }
    uint64_t n = 0;
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || n > 100000000)
            return false;
        n = n * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    if (n == 0)
        return false;
    *out_seconds = n * unit;
    return true;
}
