/* base/str.h: borrowed byte ranges. Never owns; not NUL-terminated unless said. */
#ifndef RV_BASE_STR_H
#define RV_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct rv_str {
    const char *ptr;
    size_t len;
} rv_str;

typedef struct rv_bytes {
    const uint8_t *ptr;
    size_t len;
} rv_bytes;

#define RV_STR(lit) ((rv_str){"" lit, sizeof(lit) - 1})
#define RV_STR_ARG(s) (int)(s).len, (s).ptr /* for "%.*s" */

static inline rv_str rv_str_c(const char *s)
{
    return (rv_str){s, s ? strlen(s) : 0};
}
static inline rv_bytes rv_str_bytes(rv_str s)
{
    return (rv_bytes){(const uint8_t *)s.ptr, s.len};
}
static inline bool rv_str_eq(rv_str a, rv_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
bool rv_str_eq_nocase(rv_str a, rv_str b); /* ASCII letters only */
bool rv_str_starts(rv_str s, rv_str prefix);
bool rv_str_ends(rv_str s, rv_str suffix);
rv_str rv_str_trim(rv_str s); /* ASCII blanks, tabs, CR, LF at both ends */
/* Base-10 integer, optional sign, whole text; false when malformed or out of range. */
bool rv_str_i64(rv_str s, int64_t *out);
bool rv_str_u64(rv_str s, uint64_t *out);
bool rv_utf8_valid(rv_bytes b);
/* Length of the longest prefix of at most `max` bytes that ends at a code point. */
size_t rv_utf8_cut(rv_str s, size_t max);
size_t rv_utf8_count(rv_str s); /* code points; invalid bytes count one each */
/* The suggestion rule of spec "config" section 12: index of the candidate meant, or -1. */
int rv_suggest(rv_str input, const char *const *candidates, size_t count);

#endif
