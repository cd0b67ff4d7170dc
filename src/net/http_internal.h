/* net/http_internal.h: what the files of the room share. */
#ifndef RV_NET_HTTP_INTERNAL_H
#define RV_NET_HTTP_INTERNAL_H

#include <curl/curl.h>

#include "net/http.h"

#define RV_HTTP_HEAD_MAX ((size_t)256 << 10)
#define RV_HTTP_BODY_MAX ((uint64_t)1 << 20) /* unless the request says otherwise */
#define RV_HTTP_CHUNK ((size_t)256 << 10)
#define RV_HTTP_IDLE_US ((int64_t)60000000)
#define RV_HTTP_SLOWEST 1024 /* bytes in a second; below it, a transfer counts as idle */

struct rv_http {
    const rv_env *env;
    rv_http_opts opts;
    CURLM *multi; /* keeps the connections */
    CURL *easy;   /* reset before each try */
    bool curl_started;
    rv_buf ca_file, ca_dir; /* texts with a NUL behind; empty: curl's own */
    rv_buf proxy_http, proxy_https, no_proxy;
    rv_buf target; /* of the request line, with a NUL behind */
    char problem[CURL_ERROR_SIZE];
};

/* Checks method, URL and headers: RV_E_HTTP_REQUEST. */
rv_status rv_http_check(const rv_http_request *req, rv_error *err) RV_MUST_USE;
uint64_t rv_http_body_len(const rv_http_body *body);
bool rv_http_is_tls(const rv_http_request *req);
/* "PUT https://host/path", as it may be shown. */
#define RV_HTTP_SHOWN 400
void rv_http_show(const rv_http_request *req, char out[RV_HTTP_SHOWN]);
/* The authority of a URL behind userinfo: "host:port". */
rv_str rv_http_authority(rv_str url);
/* The status of each failure of libcurl, with its hint. */
rv_status rv_http_fail_curl(const rv_http *h, const rv_http_request *req, CURLcode code,
                            rv_error *err);
bool rv_http_listed(int status);
/* Retry-After in µs from now on, 0 when absent or nonsense. */
int64_t rv_http_retry_after_us(const rv_http_response *r, int64_t now_us);

#endif
