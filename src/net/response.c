#include <string.h>

#include "net/http_internal.h"

void rv_http_response_free(rv_http_response *r)
{
    rv_buf_free(&r->head);
    rv_buf_free(&r->body);
    *r = RV_HTTP_RESPONSE_INIT;
}

bool rv_http_header_at(const rv_http_response *r, size_t i, rv_str *name, rv_str *value)
{
    rv_str rest = rv_buf_str(&r->head);
    while (rest.len) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        size_t len = end ? (size_t)(end - rest.ptr) : rest.len;
        const char *colon = memchr(rest.ptr, ':', len);
        if (colon && i-- == 0) {
            size_t n = (size_t)(colon - rest.ptr);
            *name = (rv_str){rest.ptr, n};
            *value = rv_str_trim((rv_str){colon + 1, len - n - 1});
            return true;
        }
        size_t skip = end ? len + 1 : len;
        rest = (rv_str){rest.ptr + skip, rest.len - skip};
    }
    return false;
}

rv_str rv_http_header_get(const rv_http_response *r, const char *name)
{
    rv_str have, value;
    for (size_t i = 0; rv_http_header_at(r, i, &have, &value); i++)
        if (rv_str_eq_nocase(have, rv_str_c(name)))
            return value;
    return (rv_str){NULL, 0};
}

bool rv_http_date_parse(rv_str s, int64_t *out_us)
{
    char text[64];
    if (s.len == 0 || s.len >= sizeof text || memchr(s.ptr, '\0', s.len))
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    time_t t = curl_getdate(text, NULL);
    if (t < 0)
        return false;
    *out_us = (int64_t)t * 1000000;
    return true;
}

#define LONGEST_WISH_S 86400u

int64_t rv_http_retry_after_us(const rv_http_response *r, int64_t now_us)
{
    rv_str wish = rv_http_header_get(r, "Retry-After");
    uint64_t seconds;
    int64_t at_us;
    if (!wish.ptr)
        return 0;
    if (rv_str_u64(wish, &seconds))
        return (int64_t)(seconds < LONGEST_WISH_S ? seconds : LONGEST_WISH_S) * 1000000;
    if (!rv_http_date_parse(wish, &at_us) || at_us <= now_us)
        return 0;
    int64_t left = at_us - now_us;
    return left < LONGEST_WISH_S * INT64_C(1000000) ? left : LONGEST_WISH_S * INT64_C(1000000);
}
