/* What Azure or the environment hands us, by the first byte: connection strings, SAS tokens,
 * listings, addresses that are signed. Whatever is accepted is whole. */
#include <stdlib.h>
#include <string.h>

#include "destination/azure/azure_internal.h"
#include "fuzz.h"

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void read_connection(rv_str text, rv_arena *arena)
{
    rv_azure_connection c = {0};
    rv_status st = rv_azure_connection_read(text, arena, &c, NULL);
    require(st == RV_OK ? c.endpoint && (c.key || c.sas) : st == RV_E_DEST_AUTH && !c.endpoint);
}

static void read_sas(rv_str text, rv_arena *arena)
{
    const rv_env env = {0};
    rv_azure_sas sas = {.end = ""};
    const char *plain = NULL;
    require(rv_arena_cstr(arena, text, &plain, NULL) == RV_OK);
    rv_status st = rv_azure_sas_read(&env, plain, arena, &sas, NULL);
    require(st == RV_OK ? sas.query && sas.query[0] && (!sas.until_us || sas.end[0])
                        : (st == RV_E_DEST_AUTH || st == RV_E_DEST_SAS_EXPIRED) && !sas.query);
}

static void read_listing(rv_bytes page, rv_arena *arena)
{
    const rv_env env = {0};
    struct rv_store s = {.env = &env, .uri = "az://c"};
    rv_object_list l = {0};
    rv_buf token = RV_BUF_INIT;
    rv_store_page io = {&l, &token};
    rv_status st = rv_azure_page_read(&s, page, arena, "a/", &io, NULL);
    require(st == RV_OK || st == RV_E_DEST_IO);
    for (size_t i = 0; i < l.n; i++) {
        size_t md5 = strlen(l.items[i].md5);
        require(l.items[i].key[0] && (md5 == 0 || md5 == 32));
    }
    rv_buf_free(&token);
    rv_object_list_free(&l);
}

static void sign(rv_str text, rv_arena *arena)
{
    const char *url = NULL;
    rv_buf out = RV_BUF_INIT;
    require(rv_arena_printf(arena, &url, NULL, "http://h/%.*s", (int)text.len, text.ptr) == RV_OK);
    const rv_http_header headers[] = {{"x-ms-b", url}, {"X-MS-a", ""}};
    const rv_http_request req = {.method = "GET", .url = url, .headers = headers, .n_headers = 2};
    rv_status st = rv_azure_text_to_sign("a", &req, &out, NULL);
    require(st == RV_E_INTERNAL || (st == RV_OK && out.len > 20));
    rv_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rv_arena arena = RV_ARENA_INIT;
    if (size == 0)
        return 0;
    const rv_bytes rest = {data + 1, size - 1};
    const rv_str text = {(const char *)rest.ptr, rest.len};
    switch (data[0] % 4) {
    case 0:
        read_connection(text, &arena);
        break;
    case 1:
        read_sas(text, &arena);
        break;
    case 2:
        read_listing(rest, &arena);
        break;
    default:
        sign(text, &arena);
        break;
    }
    rv_arena_free(&arena);
    return 0;
}
