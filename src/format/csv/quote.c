#include "format/csv/csv_internal.h"

typedef uint8_t vec16 __attribute__((vector_size(16)));
typedef uint64_t vec2x64 __attribute__((vector_size(16)));

#define REP16(c)                                                                                   \
    {                                                                                              \
        c, c, c, c, c, c, c, c, c, c, c, c, c, c, c, c                                             \
    }
#define REP8(c) ((c)*UINT64_C(0x0101010101010101))

static inline bool special16(vec16 x)
{
    static const vec16 comma = REP16(','), quote = REP16('"'), cr = REP16('\r'), lf = REP16('\n');
    vec2x64 hit = (vec2x64)((x == comma) | (x == quote) | (x == cr) | (x == lf));
    return (hit[0] | hit[1]) != 0;
}

/* Not zero when a byte of x is zero (it may be too eager above that byte, never below). */
static inline uint64_t zero_byte(uint64_t x)
{
    return (x - REP8(0x01)) & ~x & REP8(0x80);
}

static inline bool special8(uint64_t x)
{
    return (zero_byte(x ^ REP8(',')) | zero_byte(x ^ REP8('"')) | zero_byte(x ^ REP8('\r')) |
            zero_byte(x ^ REP8('\n'))) != 0;
}

static inline bool is_special(uint8_t c)
{
    return c == ',' || c == '"' || c == '\r' || c == '\n';
}

size_t rv_csv_find_special(const uint8_t *p, size_t len)
{
    size_t i = 0;
    for (; len - i >= 16; i += 16) {
        vec16 x;
        memcpy(&x, p + i, 16);
        if (special16(x))
            break;
    }
    while (i < len && !is_special(p[i]))
        i++;
    return i;
}

/* Looks and copies in one pass; the last block overlaps the one before. False when a special
 * byte turned up: out then holds nothing of use. len >= 16. */
static bool copy_long(uint8_t *out, const uint8_t *p, size_t len)
{
    vec16 x;
    for (size_t i = 0; i < len - 16; i += 16) {
        memcpy(&x, p + i, 16);
        memcpy(out + i, &x, 16);
        if (special16(x))
            return false;
    }
    memcpy(&x, p + len - 16, 16);
    memcpy(out + len - 16, &x, 16);
    return !special16(x);
}

/* As copy_long for 1 <= len < 16. */
static bool copy_short(uint8_t *out, const uint8_t *p, size_t len)
{
    if (len >= 8) {
        uint64_t head, tail;
        memcpy(&head, p, 8);
        memcpy(&tail, p + len - 8, 8);
        memcpy(out, &head, 8);
        memcpy(out + len - 8, &tail, 8);
        return !special8(head) && !special8(tail);
    }
    if (len >= 4) {
        uint32_t head, tail;
        memcpy(&head, p, 4);
        memcpy(&tail, p + len - 4, 4);
        memcpy(out, &head, 4);
        memcpy(out + len - 4, &tail, 4);
        return !special8((uint64_t)head << 32 | tail);
    }
    bool special = false;
    for (size_t i = 0; i < len; i++) {
        out[i] = p[i];
        special |= is_special(p[i]);
    }
    return !special;
}

uint8_t *rv_csv_put_doubled(uint8_t *out, const uint8_t *p, size_t len)
{
    while (len > 0) {
        const uint8_t *quote = memchr(p, '"', len);
        size_t n = quote ? (size_t)(quote - p) + 1 : len;
        memcpy(out, p, n);
        out += n;
        if (quote)
            *out++ = '"';
        p += n;
        len -= n;
    }
    return out;
}

uint8_t *rv_csv_put_text(uint8_t *out, const uint8_t *p, size_t len)
{
    if (len > 0 && (len >= 16 ? copy_long(out, p, len) : copy_short(out, p, len)))
        return out + len;
    *out++ = '"';
    out = rv_csv_put_doubled(out, p, len);
    *out++ = '"';
    return out;
}

uint8_t *rv_csv_put_hex(uint8_t *out, const uint8_t *p, size_t len)
{
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        *out++ = (uint8_t)digit[p[i] >> 4];
        *out++ = (uint8_t)digit[p[i] & 15];
    }
    return out;
}
