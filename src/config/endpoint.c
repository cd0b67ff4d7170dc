#include "config/endpoint.h"

#include <arpa/inet.h>
#include <string.h>

static bool is_loopback(rv_str host)
{
    char text[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;
    if (rv_str_eq_nocase(host, RV_STR("localhost")))
        return true;
    bool brackets = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    rv_str bare = brackets ? (rv_str){host.ptr + 1, host.len - 2} : host;
    if (bare.len >= sizeof text)
        return false;
    memcpy(text, bare.ptr, bare.len);
    text[bare.len] = '\0';
    if (brackets)
        return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
    return inet_pton(AF_INET, text, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

static bool is_port(rv_str s)
{
    uint64_t port;
    return s.len > 0 && s.len <= 5 && s.ptr[0] >= '0' && s.ptr[0] <= '9' && rv_str_u64(s, &port) &&
           port > 0 && port <= 65535;
}

/* "host", "host:port", "[v6]", "[v6]:port". */
static bool split_authority(rv_str authority, rv_str *out_host)
{
    const char *end =
        authority.len && authority.ptr[0] == '[' ? memchr(authority.ptr, ']', authority.len) : NULL;
    if (authority.len && authority.ptr[0] == '[' && !end)
        return false;
    size_t from = end ? (size_t)(end + 1 - authority.ptr) : 0;
    const char *colon = memchr(authority.ptr + from, ':', authority.len - from);
    size_t host = colon ? (size_t)(colon - authority.ptr) : authority.len;
    *out_host = (rv_str){authority.ptr, host};
    if (host == 0 || (end && host != from))
        return false;
    return !colon || is_port((rv_str){colon + 1, authority.len - host - 1});
}

static bool is_url_text(rv_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] <= ' ' || (unsigned char)s.ptr[i] >= 0x7f)
            return false;
    return true;
}

const char *rv_endpoint_read(rv_str url, bool allow_insecure, rv_endpoint *out)
{
    rv_endpoint e = {.tls = rv_str_starts(url, RV_STR("https://")), .base = url};
    size_t from = e.tls ? 8 : 7;
    if (!e.tls && !rv_str_starts(url, RV_STR("http://")))
        return "must start with https:// or http://";
    size_t end = from;
    while (end < url.len && !strchr("/?#", url.ptr[end]))
        end++;
    rv_str authority = {url.ptr + from, end - from};
    if (authority.len && memchr(authority.ptr, '@', authority.len))
        return "may not contain a user or password";
    if (!is_url_text(url) || !split_authority(authority, &e.host))
        return "names no host";
    if (memchr(url.ptr, '?', url.len) || memchr(url.ptr, '#', url.len))
        return "may not contain '?' or '#'";
    e.loopback = is_loopback(e.host);
    if (!e.tls && !e.loopback && !allow_insecure)
        return "must be https unless allow_insecure_endpoint: true is set";
    while (e.base.len > end && e.base.ptr[e.base.len - 1] == '/')
        e.base.len--;
    *out = e;
    return NULL;
}
