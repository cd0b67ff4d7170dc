/* Hosts and paths of buckets; what is particular to the service itself, whose host a proxy of ours
 * stands for; the shared files as text. */
#include "destination/s3/address.h"

#include "destination/s3/ini.h"
#include "s3_stand.h"

RV_TEST(hosts_and_paths)
{
    static const struct {
        const char *bucket, *endpoint, *style, *region, *key, *url, *host, *path;
        bool aws;
    } v[] = {
        {"b-1", "", NULL, "eu-west-1", "a/b c", "https://b-1.s3.eu-west-1.amazonaws.com/a/b%20c",
         "b-1.s3.eu-west-1.amazonaws.com", "/a/b%20c", true},
        {"b-1", "", "path", "us-east-1", NULL, "https://s3.us-east-1.amazonaws.com/b-1",
         "s3.us-east-1.amazonaws.com", "/b-1", true},
        {"b-1", "", NULL, "cn-north-1", NULL, "https://b-1.s3.cn-north-1.amazonaws.com.cn/",
         "b-1.s3.cn-north-1.amazonaws.com.cn", "/", true},
        {"b.with.dots", "", "auto", "eu-west-1", "k",
         "https://s3.eu-west-1.amazonaws.com/b.with.dots/k", "s3.eu-west-1.amazonaws.com",
         "/b.with.dots/k", true},
        {"b.with.dots", "", "virtual", "eu-west-1", "k",
         "https://b.with.dots.s3.eu-west-1.amazonaws.com/k",
         "b.with.dots.s3.eu-west-1.amazonaws.com", "/k", true},
        {"b-1", "https://acc.r2.cloudflarestorage.com", NULL, "auto", "k",
         "https://acc.r2.cloudflarestorage.com/b-1/k", "acc.r2.cloudflarestorage.com", "/b-1/k",
         false},
        {"b-1", "http://LOCALHOST:9000/base", NULL, "any", "/k//",
         "http://localhost:9000/base/b-1//k//", "localhost:9000", "/base/b-1//k//", false},
        {"b-1", "https://Minio:443", "virtual", "any", "\xc3\xa9+~", "https://b-1.minio/%C3%A9%2B~",
         "b-1.minio", "/%C3%A9%2B~", false},
        {"b-1", "http://minio:80", NULL, "any", NULL, "http://minio/b-1", "minio", "/b-1", false},
        {"b-1", "https://bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com", NULL, "eu-west-1", "k",
         "https://bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com/b-1/k",
         "bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com", "/b-1/k", true}};
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        rv_arena arena = RV_ARENA_INIT;
        rv_s3_address a;
        rv_s3_url u;
        rv_error err = {0};
        const rv_cfg_dest cfg = {.bucket = v[i].bucket, .path_style = v[i].style};
        REQUIRE(rv_s3_address_read(&cfg, v[i].endpoint, &arena, &a, &err) == RV_OK);
        CHECK_EQ(a.aws, v[i].aws);
        REQUIRE(rv_s3_url_make(&a, v[i].region, v[i].key, &arena, &u, &err) == RV_OK);
        CHECK_STR(u.url, v[i].url);
        CHECK_STR(u.host, v[i].host);
        CHECK_STR(u.path, v[i].path);
        rv_arena_free(&arena);
    }
}

RV_TEST(names_that_are_none)
{
    static const char *const bad[] = {NULL,   "",        "ab",    "a/b",       "a b",
                                      "a..b", ".hidden", "a:b-c", "b\xc3\xa9t"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rv_arena arena = RV_ARENA_INIT;
        rv_s3_address a;
        rv_error err = {0};
        const rv_cfg_dest cfg = {.bucket = bad[i]};
        CHECK_EQ(rv_s3_address_read(&cfg, "", &arena, &a, &err), RV_E_CONFIG_DESTINATION);
        rv_arena_free(&arena);
    }
}

/* ---- opening ---- */

static rv_status open_with(stand *t, const char *region, const char *endpoint)
{
    rv_store_s3.close(t->store);
    t->store = NULL;
    t->cfg.region = region;
    t->cfg.endpoint = endpoint;
    return stand_open_store(t);
}

RV_TEST(what_is_read_at_the_start)
{
    const char *endpoint = NULL, *bucket = NULL;
    stand t;
    stand_init(&t);
    CHECK_EQ(open_with(&t, "eu-west-1", NULL), RV_OK);
    CHECK_STR(rv_store_s3.uri(t.store), "s3://bucket");
    rv_store_s3.facts(t.store, &endpoint, &bucket);
    CHECK_STR(endpoint, "");
    CHECK_STR(bucket, "bucket");
    CHECK(!rv_store_s3.doubtful(t.store));
    CHECK_EQ(open_with(&t, NULL, NULL), RV_E_CONFIG_DESTINATION);
    CHECK_STR(t.err.text, "the S3 destination has no region");
    CHECK_EQ(open_with(&t, "evil.example/", NULL), RV_E_CONFIG_DESTINATION);
    CHECK_EQ(open_with(&t, "auto", "https://account.r2.cloudflarestorage.com"), RV_OK);
    CHECK(stand_logged(&t, "account.r2.cloudflarestorage.com"));
    CHECK_EQ(open_with(&t, "auto", "http://minio:9000"), RV_E_CONFIG_DESTINATION);
    CHECK_EQ(open_with(&t, "auto", "https://user:pw@minio"), RV_E_CONFIG_DESTINATION);
    stand_set(&t, "AWS_REGION", "eu-north-1");
    CHECK_EQ(open_with(&t, NULL, NULL), RV_OK);
    stand_close(&t);
}

/* ---- the service itself ---- */

/* Requests to http://s3.eu-west-1.amazonaws.com come to the peer, as to a proxy. */
static bool stand_for_aws(stand *t)
{
    static char proxy[64];
    stand_init(t);
    t->peer = http_peer_start(NULL);
    if (!t->peer)
        return false;
    (void)snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", http_peer_port(t->peer));
    stand_set(t, "http_proxy", proxy);
    t->cfg.endpoint = "http://s3.eu-west-1.amazonaws.com";
    t->cfg.allow_insecure_endpoint = true;
    return rv_http_open(&t->env, NULL, &t->http, &t->err) == RV_OK && stand_open_store(t) == RV_OK;
}

RV_TEST(checksums_of_the_service)
{
    rv_buf id = RV_BUF_INIT;
    rv_store_piece pieces[1] = {{.len = 5, .last = true, .md5 = MD5_HELLO}};
    rv_store_write w = stand_hello(RV_STORE_IF_ABSENT);
    stand t;
    REQUIRE(stand_for_aws(&t));
    CHECK(!rv_store_s3.doubtful(t.store));
    stand_say(&t, 200, ETAG_HELLO "x-amz-checksum-crc32c: mnG7TA==\r\n", NULL);
    CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_OK);
    CHECK_STR(stand_header(&t, 0, "x-amz-checksum-crc32c"), "mnG7TA==");
    CHECK_STR(stand_header(&t, 0, "Host"), "s3.eu-west-1.amazonaws.com");
    stand_say(&t, 200, ETAG_HELLO "x-amz-checksum-crc32c: AAAAAA==\r\n", NULL);
    CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_E_DEST_CORRUPT);
    /* under KMS the checksum is what can be compared, and no HEAD is made */
    stand_say(&t, 200,
              "ETag: \"x\"\r\nx-amz-server-side-encryption: aws:kms\r\n"
              "x-amz-checksum-crc32c: mnG7TA==\r\n",
              NULL);
    CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_OK);
    CHECK_EQ(http_peer_count(t.peer), 3);
    stand_say(&t, 200, NULL, "<R><UploadId>id</UploadId></R>");
    CHECK_EQ(rv_store_s3.upload_begin(t.store, t.http, &w, &id, &t.outcome, &t.err), RV_OK);
    CHECK_STR(stand_header(&t, 3, "x-amz-checksum-algorithm"), "CRC32C");
    stand_say(&t, 200, ETAG_HELLO, NULL);
    CHECK_EQ(rv_store_s3.upload_part(t.store, t.http, &w, "id", pieces, &t.outcome, &t.err), RV_OK);
    CHECK_STR(stand_header(&t, 4, "x-amz-checksum-crc32c"), "mnG7TA==");
    static const char *const ends[] = {
        "<R><ETag>\"x-1\"</ETag><ChecksumCRC32C>VwS2rA==-1</ChecksumCRC32C></R>",
        "<R><ETag>\"x-1\"</ETag><ChecksumCRC32C>AAAAAA==-1</ChecksumCRC32C></R>"};
    for (size_t i = 0; i < 2; i++) {
        stand_say(&t, 200, "x-amz-server-side-encryption: aws:kms\r\n", ends[i]);
        CHECK_EQ(
            rv_store_s3.upload_finish(t.store, t.http, &w, "id", pieces, 1, &t.outcome, &t.err),
            i == 0 ? RV_OK : RV_E_DEST_CORRUPT);
    }
    const http_seen *s = http_peer_request(t.peer, 5);
    REQUIRE(s);
    CHECK(strstr((const char *)s->body, "<ChecksumCRC32C>mnG7TA==</ChecksumCRC32C>"));
    CHECK_EQ(http_peer_count(t.peer), 7);
    rv_buf_free(&id);
    stand_close(&t);
}

/* ---- the shared files ---- */

RV_TEST(shared_files)
{
    static const char text[] = "stray = 1\n[a]\nK = v = w \r\n k2=\n  nested = 1\n; no\n[b\n]\n"
                               "[ a ]\nk = last\n=x\n[sso-session s]\nsso_region = r";
    rv_arena arena = RV_ARENA_INIT;
    rv_ini ini;
    rv_error err = {0};
    REQUIRE(rv_ini_parse(rv_str_c(text), &arena, &ini, &err) == RV_OK);
    CHECK(rv_ini_has(&ini, RV_STR("a"), false) && !rv_ini_has(&ini, RV_STR("b"), false));
    CHECK(!rv_ini_has(&ini, RV_STR("a"), true)); /* there it would be [profile a] */
    CHECK(rv_str_eq(rv_ini_get(&ini, RV_STR("a"), false, "k"), RV_STR("last")));
    CHECK(rv_ini_get(&ini, RV_STR("a"), false, "nested").ptr == NULL);
    CHECK(rv_ini_get(&ini, RV_STR("a"), false, "stray").ptr == NULL);
    CHECK(rv_ini_get(&ini, RV_STR("a"), false, "k2").ptr != NULL);
    CHECK(rv_str_eq(rv_ini_get_of(&ini, "sso-session", RV_STR("s"), "sso_region"), RV_STR("r")));
    rv_arena_free(&arena);
}

RV_TEST_MAIN(RV_CASE(hosts_and_paths), RV_CASE(names_that_are_none),
             RV_CASE(what_is_read_at_the_start), RV_CASE(checksums_of_the_service),
             RV_CASE(shared_files))
