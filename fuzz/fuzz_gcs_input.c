/* What Google or the environment hands us, by the first byte: files of credentials, listings,
 * descriptions of objects. Whatever is accepted is whole. */
#include <stdlib.h>
#include <string.h>

#include "destination/gcs/gcs_internal.h"
#include "fuzz.h"

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void read_source(rv_bytes text)
{
    const rv_env env = {0};
    rv_arena arena = RV_ARENA_INIT;
    rv_gcs_source s = {.kind = RV_GCS_METADATA};
    rv_status st = rv_gcs_source_parse(&env, "f", text, &arena, &s, NULL);
    require(st == RV_OK ? s.token_uri && s.kind != RV_GCS_METADATA
                        : st == RV_E_DEST_AUTH && s.kind == RV_GCS_METADATA);
    rv_arena_free(&arena);
}

static void read_listing(const rv_http_response *r)
{
    const rv_env env = {0};
    struct rv_store s = {.env = &env, .uri = "gs://b"};
    rv_object_list l = {0};
    rv_buf token = RV_BUF_INIT;
    rv_store_page io = {&l, &token};
    rv_status st = rv_gcs_page_read(&s, r, "a/", &io, NULL);
    require(st == RV_OK || st == RV_E_DEST_IO);
    for (size_t i = 0; i < l.n; i++)
        require(l.items[i].key[0] && l.items[i].version[0]);
    rv_buf_free(&token);
    rv_object_list_free(&l);
}

static void read_object(const rv_http_response *r)
{
    rv_object o = {.key = "kept"};
    json_t *doc = rv_gcs_document(r);
    if (rv_gcs_object(doc, &o))
        require(strcmp(o.key, "kept") == 0 && (!o.md5[0] || strlen(o.md5) == 32));
    json_decref(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const rv_bytes rest = {data + 1, size - 1};
    rv_http_response r = RV_HTTP_RESPONSE_INIT;
    require(rv_buf_add(&r.body, rest.ptr, rest.len, NULL) == RV_OK);
    if (data[0] % 3 == 0)
        read_source(rest);
    else if (data[0] % 3 == 1)
        read_listing(&r);
    else
        read_object(&r);
    rv_http_response_free(&r);
    return 0;
}
