#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "net/http_internal.h"

/* ---- what may be sent at all ---- */

static bool is_token(rv_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return s.len > 0;
}

/* Field values may hold blanks, tabs and any byte above; a line feed would start another header. */
static bool is_value(const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_url_text(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f)
            return false;
    return true;
}

static bool is_method(const char *m)
{
    static const char *const known[] = {"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"};
    for (size_t i = 0; m && i < sizeof known / sizeof known[0]; i++)
        if (strcmp(m, known[i]) == 0)
            return true;
    return false;
}

static rv_str behind_scheme(rv_str url)
{
    size_t skip = rv_str_starts(url, RV_STR("https://"))  ? 8
                  : rv_str_starts(url, RV_STR("http://")) ? 7
                                                          : url.len;
    return (rv_str){url.ptr + skip, url.len - skip};
}

static rv_str with_userinfo(rv_str url)
{
    rv_str rest = behind_scheme(url);
    size_t n = 0;
    if (!rest.ptr)
        return rest;
    while (n < rest.len && rest.ptr[n] != '/' && rest.ptr[n] != '?' && rest.ptr[n] != '#')
        n++;
    return (rv_str){rest.ptr, n};
}

rv_str rv_http_authority(rv_str url)
{
    rv_str a = with_userinfo(url);
    const char *at = a.len ? memrchr(a.ptr, '@', a.len) : NULL;
    size_t skip = at ? (size_t)(at + 1 - a.ptr) : 0;
    return (rv_str){a.ptr + skip, a.len - skip};
}

rv_status rv_http_check(const rv_http_request *req, rv_error *err)
{
    if (!is_method(req->method))
        return rv_fail(err, RV_E_HTTP_REQUEST, "this HTTP method is not known");
    /* the text itself may be a secret: it is not shown */
    if (!req->url || !is_url_text(req->url) || rv_http_authority(rv_str_c(req->url)).len == 0)
        return rv_fail(err, RV_E_HTTP_REQUEST,
                       "%s: this is no http:// or https:// address a request can go to",
                       req->method);
    for (size_t i = 0; i < req->n_headers; i++) {
        const rv_http_header *x = &req->headers[i];
        if (!x->name || !is_token(rv_str_c(x->name)))
            return rv_fail(err, RV_E_HTTP_REQUEST, "%s: the name of header %zu is malformed",
                           req->method, i + 1);
        if (!x->value || !is_value(x->value))
            return rv_fail(err, RV_E_HTTP_REQUEST,
                           "%s: the value of header '%s' holds a control character", req->method,
                           x->name);
    }
    return RV_OK;
}

uint64_t rv_http_body_len(const rv_http_body *body)
{
    switch (body->kind) {
    case RV_HTTP_NO_BODY:
        return 0;
    case RV_HTTP_BYTES:
        return body->bytes.len;
    case RV_HTTP_FILE:
    case RV_HTTP_READER:
        break;
    }
    return body->len;
}

bool rv_http_is_tls(const rv_http_request *req)
{
    return rv_str_starts(rv_str_c(req->url), RV_STR("https://"));
}

/* ---- texts ---- */

void rv_http_show(const rv_http_request *req, char out[RV_HTTP_SHOWN])
{
    rv_str authority = rv_http_authority(rv_str_c(req->url ? req->url : ""));
    const char *path = authority.ptr + authority.len;
    size_t n = strcspn(path, "?#");
    if (req->secret_path && n > 1)
        (void)snprintf(out, RV_HTTP_SHOWN, "%s %s://%.*s/***", req->method,
                       rv_http_is_tls(req) ? "https" : "http", RV_STR_ARG(authority));
    else
        (void)snprintf(out, RV_HTTP_SHOWN, "%s %s://%.*s%.*s", req->method,
                       rv_http_is_tls(req) ? "https" : "http", RV_STR_ARG(authority), (int)n, path);
}

static const char *words_of(int status)
{
    static const struct {
        int status;
        const char *words;
    } known[] = {{301, "Moved Permanently"},
                 {302, "Found"},
                 {304, "Not Modified"},
                 {307, "Temporary Redirect"},
                 {308, "Permanent Redirect"},
                 {400, "Bad Request"},
                 {401, "Unauthorized"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {407, "Proxy Authentication Required"},
                 {408, "Request Timeout"},
                 {409, "Conflict"},
                 {410, "Gone"},
                 {411, "Length Required"},
                 {412, "Precondition Failed"},
                 {413, "Content Too Large"},
                 {416, "Range Not Satisfiable"},
                 {429, "Too Many Requests"},
                 {500, "Internal Server Error"},
                 {501, "Not Implemented"},
                 {502, "Bad Gateway"},
                 {503, "Service Unavailable"},
                 {504, "Gateway Timeout"},
                 {507, "Insufficient Storage"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].status == status)
            return known[i].words;
    return "";
}

static void printable(rv_str from, char *out, size_t size)
{
    size_t n = rv_utf8_cut(from, size - 1);
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)from.ptr[i] < ' ' || from.ptr[i] == 0x7f ? ' ' : from.ptr[i];
    out[n] = '\0';
}

rv_status rv_http_fail(const rv_http_request *req, const rv_http_response *r, rv_status code,
                       rv_str detail, rv_error *err)
{
    char shown[RV_HTTP_SHOWN], words[320];
    rv_http_show(req, shown);
    printable(detail.len ? detail : rv_str_c(words_of(r->status)), words, sizeof words);
    rv_status st = rv_fail(err, code, "%s: %d%s%s", shown, r->status, words[0] ? " " : "", words);
    if (!err)
        return st;
    (void)snprintf(err->native, sizeof err->native, "%d", r->status);
    if (rv_http_listed(r->status)) {
        err->retry = RV_RETRY_N;
        int64_t after_ms = rv_http_retry_after_us(r, rv_clock_now_us()) / 1000;
        err->retry_after_ms = after_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)after_ms;
    }
    return st;
}

static rv_status status_of(CURLcode code)
{
    /* every code that is not named is an answer that cannot be read: CURLcode grows */
    switch ((int)code) {
    case CURLE_OUT_OF_MEMORY:
        return RV_E_MEMORY;
    case CURLE_URL_MALFORMAT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
        return RV_E_HTTP_REQUEST;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_OPERATION_TIMEDOUT: /* only connecting has a limit that libcurl knows of */
        return RV_E_HTTP_CONNECT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return RV_E_HTTP_TLS;
    default:
        return RV_E_HTTP_NETWORK;
    }
}

rv_status rv_http_fail_curl(const rv_http *h, const rv_http_request *req, CURLcode code,
                            rv_error *err)
{
    char shown[RV_HTTP_SHOWN], why[CURL_ERROR_SIZE];
    rv_status st = status_of(code);
    if (st == RV_E_MEMORY)
        return rv_fail_memory(err);
    rv_http_show(req, shown);
    printable(rv_str_c(h->problem[0] ? h->problem : curl_easy_strerror(code)), why, sizeof why);
    (void)rv_fail(err, st, "%s\n%s", shown, why);
    if (st == RV_E_HTTP_TLS)
        rv_hint(err, "name the file with the authority's certificate in SSL_CERT_FILE; "
                     "verification cannot be switched off");
    if (err && st != RV_E_HTTP_REQUEST && st != RV_E_HTTP_TLS)
        err->retry = RV_RETRY_N;
    return st;
}
