/* Shared Key: what is signed, and the signature. The expected texts come from the service's own
 * Python client, azure-storage-blob 12.31, over the key 00 01 02 ... 3f. */
#include "destination/azure/azure_internal.h"

#include "rvtest.h"

#define DATE                                                                                       \
    {                                                                                              \
        "x-ms-date", "Sat, 21 Nov 2026 18:00:00 GMT"                                               \
    }
#define VERSION                                                                                    \
    {                                                                                              \
        "x-ms-version", "2021-12-02"                                                               \
    }
#define SERVICE "https://acct.blob.core.windows.net"

typedef struct vector {
    const char *account, *method, *url;
    rv_http_header headers[10];
    uint64_t len;
    const char *text, *signature;
} vector;

static const vector vectors[] = {
    {"acct",
     "PUT",
     SERVICE "/data/day%3D1/a%20b.parquet",
     {{"x-ms-blob-type", "BlockBlob"},
      {"Content-MD5", "eB5eJF1ptWaXm4bijSPyxw=="},
      {"x-ms-blob-content-type", "application/vnd.apache.parquet"},
      {"x-ms-meta-rivetowner", "0123456789abcdef0123456789abcdef"},
      {"x-ms-access-tier", "Cool"},
      {"If-None-Match", "*"},
      VERSION,
      DATE},
     10,
     "PUT\n\n\n10\neB5eJF1ptWaXm4bijSPyxw==\n\n\n\n\n*\n\n\nx-ms-access-tier:Cool\n"
     "x-ms-blob-content-type:application/vnd.apache.parquet\nx-ms-blob-type:BlockBlob\n"
     "x-ms-date:Sat, 21 Nov 2026 18:00:00 GMT\n"
     "x-ms-meta-rivetowner:0123456789abcdef0123456789abcdef\nx-ms-version:2021-12-02\n"
     "/acct/data/day%3D1/a%20b.parquet",
     "SharedKey acct:N9EDCYE+FMWNRyxbRnMm5suS6fQnmQhXlwTvjSwNR3I="},
    {"acct",
     "GET",
     SERVICE "/data?restype=container&comp=list&delimiter=%2F&include=metadata&maxresults=1000"
             "&prefix=a%20b%2Fc&marker=x%2By%3D",
     {VERSION, DATE},
     0,
     "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Sat, 21 Nov 2026 18:00:00 GMT\n"
     "x-ms-version:2021-12-02\n/acct/data\ncomp:list\ndelimiter:/\ninclude:metadata\n"
     "marker:x+y=\nmaxresults:1000\nprefix:a b/c\nrestype:container",
     "SharedKey acct:iIpvfadFgWK5pqYy2Lpw/+0gGvSlYDNYBC3xb9azuAQ="},
    /* of an emulator: the account stands twice */
    {"devstoreaccount1",
     "GET",
     "http://127.0.0.1:10000/devstoreaccount1/data/part",
     {{"If-Match", "\"0x8D\""}, VERSION, DATE},
     0,
     "GET\n\n\n\n\n\n\n\n\"0x8D\"\n\n\n\nx-ms-date:Sat, 21 Nov 2026 18:00:00 GMT\n"
     "x-ms-version:2021-12-02\n/devstoreaccount1/devstoreaccount1/data/part",
     "SharedKey devstoreaccount1:ZWwPN4c2hWnKqaDeEt3YmKgitpIYB5+pR4ryCJCCau4="},
    {"acct",
     "DELETE",
     SERVICE "/data/part",
     {{"If-Match", "\"0x8D\""}, VERSION, DATE},
     0,
     "DELETE\n\n\n\n\n\n\n\n\"0x8D\"\n\n\n\nx-ms-date:Sat, 21 Nov 2026 18:00:00 GMT\n"
     "x-ms-version:2021-12-02\n/acct/data/part",
     "SharedKey acct:7OaxIwmDGMUmA/GogCm5RB68CDopwDbaS0Q5OVqf+Pk="},
    {"acct",
     "PUT",
     SERVICE "/data/big?comp=blocklist",
     {{"Content-Type", "application/xml"},
      {"x-ms-blob-content-md5", "eB5eJF1ptWaXm4bijSPyxw=="},
      {"x-ms-encryption-scope", "scope1"},
      VERSION,
      DATE},
     321,
     "PUT\n\n\n321\n\napplication/xml\n\n\n\n\n\n\n"
     "x-ms-blob-content-md5:eB5eJF1ptWaXm4bijSPyxw==\n"
     "x-ms-date:Sat, 21 Nov 2026 18:00:00 GMT\nx-ms-encryption-scope:scope1\n"
     "x-ms-version:2021-12-02\n/acct/data/big\ncomp:blocklist",
     "SharedKey acct:/q7E4bHenw9ZdDjG+XxOF4oUSUfYUrQ2caOyRZnDvQw="},
};

static rv_http_request request_of(const vector *v)
{
    size_t n = 0;
    while (n < 10 && v->headers[n].name)
        n++;
    return (rv_http_request){
        .method = v->method,
        .url = v->url,
        .headers = v->headers,
        .n_headers = n,
        .body = {.kind = v->len ? RV_HTTP_FILE : RV_HTTP_NO_BODY, .len = v->len}};
}

RV_TEST(texts_and_signatures_of_the_client)
{
    uint8_t key[64];
    rv_error err = {0};
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        const vector *v = &vectors[i];
        const rv_http_request req = request_of(v);
        rv_buf text = RV_BUF_INIT, mark = RV_BUF_INIT;
        CHECK_EQ(rv_azure_text_to_sign(v->account, &req, &text, &err), RV_OK);
        CHECK_STR(rv_buf_cstr(&text), v->text);
        CHECK_EQ(rv_azure_sign(v->account, (rv_bytes){key, sizeof key}, &req, &mark, &err), RV_OK);
        CHECK_STR(rv_buf_cstr(&mark), v->signature);
        rv_buf_free(&text);
        rv_buf_free(&mark);
    }
}

/* The service signs Range, which its own client never sends under that name. */
RV_TEST(a_range_is_signed)
{
    const vector v = {
        "acct", "GET", SERVICE "/data/part", {{"Range", "bytes=5-9"}, VERSION, DATE}, 0,
        NULL,   NULL};
    const rv_http_request req = request_of(&v);
    rv_buf text = RV_BUF_INIT;
    CHECK_EQ(rv_azure_text_to_sign(v.account, &req, &text, NULL), RV_OK);
    CHECK_STR(rv_buf_cstr(&text), "GET\n\n\n\n\n\n\n\n\n\n\nbytes=5-9\n"
                                  "x-ms-date:Sat, 21 Nov 2026 18:00:00 GMT\n"
                                  "x-ms-version:2021-12-02\n/acct/data/part");
    rv_buf_free(&text);
}

RV_TEST_MAIN(RV_CASE(texts_and_signatures_of_the_client), RV_CASE(a_range_is_signed))
