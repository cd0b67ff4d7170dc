#include <stdlib.h>

#include "base/mem.h"
#include "destination/azure/azure_internal.h"
#include "net/crypto.h"

#define PARAMS_MAX 32

typedef struct param {
    rv_buf name, value; /* decoded, the name in lower case */
} param;

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static const char *value_of(const rv_http_request *req, const char *name)
{
    for (size_t i = 0; i < req->n_headers; i++)
        if (rv_str_eq_nocase(rv_str_c(req->headers[i].name), rv_str_c(name)))
            return req->headers[i].value;
    return "";
}

static uint64_t body_len(const rv_http_body *b)
{
    switch (b->kind) {
    case RV_HTTP_NO_BODY:
        return 0;
    case RV_HTTP_BYTES:
        return b->bytes.len;
    case RV_HTTP_FILE:
    case RV_HTTP_READER:
        break;
    }
    return b->len;
}

static rv_status add_fixed(const rv_http_request *req, rv_buf *out, rv_error *err)
{
    static const char *const behind[] = {"Content-MD5",         "Content-Type", "Date",
                                         "If-Modified-Since",   "If-Match",     "If-None-Match",
                                         "If-Unmodified-Since", "Range"};
    uint64_t len = body_len(&req->body);
    RV_TRY(rv_buf_printf(out, err, "%s\n%s\n%s\n", req->method, value_of(req, "Content-Encoding"),
                         value_of(req, "Content-Language")));
    if (len) /* nothing stands for none, not 0 */
        RV_TRY(rv_buf_printf(out, err, "%llu", (unsigned long long)len));
    RV_TRY(rv_buf_add_byte(out, '\n', err));
    for (size_t i = 0; i < sizeof behind / sizeof behind[0]; i++)
        RV_TRY(rv_buf_printf(out, err, "%s\n", value_of(req, behind[i])));
    return RV_OK;
}

/* ---- x-ms-* ---- */

static int by_name(const void *a, const void *b)
{
    return strcasecmp(((const rv_http_header *)a)->name, ((const rv_http_header *)b)->name);
}

static rv_status add_headers(const rv_http_request *req, rv_buf *out, rv_error *err)
{
    rv_http_header sorted[RV_CALL_HEADERS] = {{NULL, NULL}};
    size_t n = 0;
    for (size_t i = 0; i < req->n_headers && n < RV_CALL_HEADERS; i++)
        if (strncasecmp(req->headers[i].name, "x-ms-", 5) == 0)
            sorted[n++] = req->headers[i];
    qsort(sorted, n, sizeof sorted[0], by_name);
    for (size_t i = 0; i < n; i++) {
        for (const char *c = sorted[i].name; *c; c++)
            RV_TRY(rv_buf_add_byte(out, (uint8_t)lower(*c), err));
        rv_str value = rv_str_trim(rv_str_c(sorted[i].value));
        RV_TRY(rv_buf_printf(out, err, ":%.*s\n", RV_STR_ARG(value)));
    }
    return RV_OK;
}

/* ---- the resource ---- */

static rv_status decode(rv_str text, bool lowered, rv_buf *out, rv_error *err)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = (uint8_t)(lowered ? lower(text.ptr[i]) : text.ptr[i]);
        if (byte == '%' && i + 2 < text.len && rv_unhex((rv_str){text.ptr + i + 1, 2}, &byte))
            i += 2;
        RV_TRY(rv_buf_add_byte(out, byte, err));
    }
    return RV_OK;
}

static int by_param(const void *a, const void *b)
{
    rv_str x = rv_buf_str(&((const param *)a)->name), y = rv_buf_str(&((const param *)b)->name);
    size_t n = x.len < y.len ? x.len : y.len;
    int order = n ? memcmp(x.ptr, y.ptr, n) : 0;
    return order ? order : (x.len > y.len) - (x.len < y.len);
}

static rv_status split(rv_str query, param *params, size_t *n, rv_error *err)
{
    while (query.len) {
        const char *end = memchr(query.ptr, '&', query.len);
        size_t len = end ? (size_t)(end - query.ptr) : query.len;
        const char *equal = memchr(query.ptr, '=', len);
        size_t name = equal ? (size_t)(equal - query.ptr) : len;
        size_t skip = equal ? name + 1 : len;
        if (*n == PARAMS_MAX)
            return rv_fail(err, RV_E_INTERNAL, "a request has too many parameters to sign");
        param *p = &params[(*n)++];
        RV_TRY(decode((rv_str){query.ptr, name}, true, &p->name, err));
        RV_TRY(decode((rv_str){query.ptr + skip, len - skip}, false, &p->value, err));
        len += end != NULL;
        query = (rv_str){query.ptr + len, query.len - len};
    }
    return RV_OK;
}

static rv_status add_params(rv_str query, rv_buf *out, rv_error *err)
{
    param params[PARAMS_MAX] = {{RV_BUF_INIT, RV_BUF_INIT}};
    size_t n = 0;
    rv_status st;
    RV_GO(split(query, params, &n, err));
    qsort(params, n, sizeof params[0], by_param);
    for (size_t i = 0; i < n; i++) {
        RV_GO(rv_buf_add_byte(out, '\n', err));
        RV_GO(rv_buf_add_str(out, rv_buf_str(&params[i].name), err));
        RV_GO(rv_buf_add_byte(out, ':', err));
        RV_GO(rv_buf_add_str(out, rv_buf_str(&params[i].value), err));
    }
done:
    for (size_t i = 0; i < n; i++) {
        rv_buf_free(&params[i].name);
        rv_buf_free(&params[i].value);
    }
    return st;
}

static rv_status add_resource(const char *account, const char *url, rv_buf *out, rv_error *err)
{
    const char *host = strstr(url, "://");
    const char *path = host ? strchr(host + 3, '/') : NULL;
    path = path ? path : "/";
    size_t len = strcspn(path, "?");
    RV_TRY(rv_buf_printf(out, err, "/%s%.*s", account, (int)len, path));
    return add_params(rv_str_c(path[len] ? path + len + 1 : ""), out, err);
}

rv_status rv_azure_text_to_sign(const char *account, const rv_http_request *req, rv_buf *out,
                                rv_error *err)
{
    RV_TRY(add_fixed(req, out, err));
    RV_TRY(add_headers(req, out, err));
    return add_resource(account, req->url, out, err);
}

rv_status rv_azure_sign(const char *account, rv_bytes key, const rv_http_request *req, rv_buf *out,
                        rv_error *err)
{
    uint8_t mac[32];
    rv_buf text = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_azure_text_to_sign(account, req, &text, err));
    rv_hmac_sha256(key, rv_buf_bytes(&text), mac);
    RV_GO(rv_buf_printf(out, err, "SharedKey %s:", account));
    RV_GO(rv_base64((rv_bytes){mac, sizeof mac}, RV_BASE64, out, err));
done:
    rv_buf_free(&text);
    return st;
}
