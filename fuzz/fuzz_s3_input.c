/* What an S3 store or the machine hands us, by the first byte: answers in XML, the shared files of
 * AWS, keys as JSON and by STS, names and queries that are signed. Whatever is accepted is whole.
 */
#include <stdlib.h>
#include <string.h>

#include "destination/cloud/xml.h"
#include "destination/s3/address.h"
#include "destination/s3/ini.h"
#include "destination/s3/keys.h"
#include "destination/s3/sign.h"
#include "fuzz.h"

static void require(bool ok)
{
    if (!ok)
        abort();
}

static size_t count(const rv_xml *node)
{
    size_t n = 0;
    for (; node; node = node->next) {
        require(node->name.len > 0 && strlen(node->name.ptr) == node->name.len);
        n += 1 + count(node->first);
    }
    return n;
}

static void read_xml(rv_bytes data, rv_arena *arena)
{
    const rv_xml *root = NULL;
    rv_error err = {.code = RV_OK};
    rv_status st = rv_xml_parse(data, arena, &root, &err);
    require(st == RV_OK ? root && !root->next && count(root) <= data.len
                        : st == RV_E_DEST_IO && err.text[0]);
}

static void read_files(rv_bytes data, rv_arena *arena)
{
    rv_ini ini;
    rv_str text = {(const char *)data.ptr, data.len};
    require(rv_ini_parse(text, arena, &ini, NULL) == RV_OK);
    for (size_t i = 0; i < ini.n; i++) {
        rv_str key = ini.lines[i].key, value = ini.lines[i].value;
        require(ini.lines[i].section.ptr && key.len + value.len <= data.len);
        if (key.len)
            require(key.ptr >= text.ptr && value.ptr <= text.ptr + text.len);
        (void)rv_ini_get(&ini, ini.lines[i].section, i % 2, "aws_access_key_id");
    }
}

static void read_keys(rv_bytes data, bool json)
{
    const rv_env env = {0};
    rv_s3_keys *keys = NULL;
    rv_error err = {.code = RV_OK};
    rv_status st = json ? rv_s3_keys_json(&env, "the source", data, NULL, &keys, &err)
                        : rv_s3_keys_sts(&env, "the source", data, &keys, &err);
    if (st != RV_OK) {
        require(st == RV_E_DEST_AUTH && !keys);
        return;
    }
    for (const char *p = keys->secret; *p; p++)
        require(*p > ' ' && *p <= '~');
    require(keys->access[0] && keys->secret[0]);
    rv_s3_keys_drop(keys);
}

static bool is_encoded(const char *url)
{
    for (; *url; url++)
        if (*url <= ' ' || *url > '~' || strchr("\"<>\\^`{|}?#", *url))
            return false;
    return true;
}

static void sign_name(rv_bytes data, rv_arena *arena)
{
    const char *name = NULL;
    rv_s3_address a = {.bucket = "bucket", .endpoint = "", .tls = true, .aws = true};
    rv_s3_url url;
    rv_buf out = RV_BUF_INIT;
    require(rv_arena_cstr(arena, (rv_str){(const char *)data.ptr, data.len}, &name, NULL) == RV_OK);
    require(rv_s3_url_make(&a, "eu-west-1", name, arena, &url, NULL) == RV_OK);
    require(is_encoded(url.url) && url.path[0] == '/');
    const rv_http_header query[] = {{"prefix", name}, {name, ""}};
    const rv_http_header headers[] = {{"host", url.host}, {"x-name", name}};
    const rv_s3_signing s = {.access = "a",
                             .secret = "s",
                             .region = "eu-west-1",
                             .service = "s3",
                             .stamp = "20130524T000000Z",
                             .method = "PUT",
                             .path = url.path,
                             .query = query,
                             .n_query = 2,
                             .headers = headers,
                             .n_headers = 2,
                             .payload = RV_S3_UNSIGNED};
    require(rv_s3_authorization(&s, &out, NULL) == RV_OK && out.len > 100);
    rv_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rv_arena arena = RV_ARENA_INIT;
    if (size == 0)
        return 0;
    const rv_bytes rest = {data + 1, size - 1};
    switch (data[0] % 5) {
    case 0:
        read_xml(rest, &arena);
        break;
    case 1:
        read_files(rest, &arena);
        break;
    case 2:
        read_keys(rest, true);
        break;
    case 3:
        read_keys(rest, false);
        break;
    default:
        sign_name(rest, &arena);
        break;
    }
    rv_arena_free(&arena);
    return 0;
}
