/* What the S3 store sends and how it reads answers, against a scripted peer. */
#include <signal.h>

#include "base/fault.h"
#include "s3_stand.h"

#define ERROR(code) "<Error><Code>" code "</Code><Message>words</Message></Error>"

/* ---- put ---- */

RV_TEST(put_is_signed_and_guarded)
{
    stand t;
    stand_init(&t);
    t.cfg.storage_class = "STANDARD_IA";
    REQUIRE(stand_open(&t));
    stand_say(&t, 200, ETAG_HELLO, NULL);
    CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_DONE);
    CHECK_STR(stand_target(&t, 0), "/bucket/dir/part%201.csv");
    CHECK_STR(stand_header(&t, 0, "Content-MD5"), "XUFAKrxLKna5cZ2REBfFkg==");
    CHECK_STR(stand_header(&t, 0, "Content-Type"), "text/csv");
    CHECK_STR(stand_header(&t, 0, "x-amz-meta-rivet-owner"), OWNER);
    CHECK_STR(stand_header(&t, 0, "x-amz-meta-rivet-md5"), MD5_HELLO);
    CHECK_STR(stand_header(&t, 0, "If-None-Match"), "*");
    CHECK_STR(stand_header(&t, 0, "x-amz-storage-class"), "STANDARD_IA");
    CHECK_STR(stand_header(&t, 0, "x-amz-content-sha256"),
              "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    CHECK_STR(stand_header(&t, 0, "x-amz-checksum-crc32c"), ""); /* not on a stranger's store */
    const char *auth = stand_header(&t, 0, "Authorization");
    CHECK(strstr(auth, "/eu-west-1/s3/aws4_request, SignedHeaders=content-md5;content-type;host;"
                       "if-none-match;x-amz-content-sha256;x-amz-date;x-amz-meta-rivet-md5;"
                       "x-amz-meta-rivet-owner;x-amz-storage-class, Signature="));
    const http_seen *s = http_peer_request(t.peer, 0);
    REQUIRE(s);
    CHECK_MEM(s->body, s->body_len, "hello", 5);
    stand_say(&t, 200, ETAG_HELLO, NULL);
    CHECK_EQ(stand_put(&t, RV_STORE_IF_VERSION), RV_OK);
    CHECK_STR(stand_header(&t, 1, "If-Match"), "\"v1\"");
    CHECK(rv_store_s3.doubtful(t.store));
    stand_close(&t);
}

RV_TEST(encryption_is_asked_for)
{
    stand t;
    stand_init(&t);
    t.cfg.sse = "kms";
    t.cfg.kms_key_id = "alias/rivet";
    t.cfg.sse_bucket_key = true;
    REQUIRE(stand_open(&t));
    /* the ETag of such an object says nothing: its size does */
    stand_say(&t, 200,
              "ETag: \"00000000000000000000000000000000\"\r\n"
              "x-amz-server-side-encryption: aws:kms\r\n",
              NULL);
    stand_say(&t, 200, "ETag: \"x\"\r\n", "hello");
    CHECK_EQ(stand_put(&t, RV_STORE_ALWAYS), RV_OK);
    CHECK_STR(stand_header(&t, 0, "x-amz-server-side-encryption"), "aws:kms");
    CHECK_STR(stand_header(&t, 0, "x-amz-server-side-encryption-aws-kms-key-id"), "alias/rivet");
    CHECK_STR(stand_header(&t, 0, "x-amz-server-side-encryption-bucket-key-enabled"), "true");
    CHECK_STR(http_peer_request(t.peer, 1)->method, "HEAD");
    stand_say(&t, 200, "x-amz-server-side-encryption: aws:kms\r\n", NULL);
    stand_say(&t, 200, "ETag: \"x\"\r\n", "hell");
    CHECK_EQ(stand_put(&t, RV_STORE_ALWAYS), RV_E_DEST_CORRUPT);
    stand_say(&t, 200, "x-amz-server-side-encryption: aws:kms\r\n", NULL);
    stand_say(&t, 403, NULL, NULL); /* may only write */
    CHECK_EQ(stand_put(&t, RV_STORE_ALWAYS), RV_OK);
    stand_close(&t);
}

RV_TEST(outcomes_of_a_condition)
{
    static const struct {
        int status;
        const char *body;
        rv_store_condition condition;
        rv_status want;
        rv_store_outcome outcome;
    } v[] = {
        {412, ERROR("PreconditionFailed"), RV_STORE_IF_ABSENT, RV_OK, RV_STORE_UNMET},
        {412, "", RV_STORE_IF_VERSION, RV_OK, RV_STORE_UNMET},
        {409, ERROR("ConditionalRequestConflict"), RV_STORE_IF_ABSENT, RV_OK, RV_STORE_UNMET},
        {404, ERROR("NoSuchKey"), RV_STORE_IF_VERSION, RV_OK, RV_STORE_MISSING},
        {501, ERROR("NotImplemented"), RV_STORE_IF_ABSENT, RV_OK, RV_STORE_UNCONDITIONAL},
        {400, ERROR("NotImplemented"), RV_STORE_IF_VERSION, RV_OK, RV_STORE_UNCONDITIONAL},
        {501, ERROR("NotImplemented"), RV_STORE_ALWAYS, RV_E_DEST_IO, 0},
        {412, ERROR("PreconditionFailed"), RV_STORE_ALWAYS, RV_E_DEST_IO, 0},
        {409, ERROR("BucketNotEmpty"), RV_STORE_IF_ABSENT, RV_E_DEST_IO, 0},
    };
    stand t;
    stand_init(&t);
    REQUIRE(stand_open(&t));
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        stand_say(&t, v[i].status, NULL, v[i].body);
        CHECK_EQ(stand_put(&t, v[i].condition), v[i].want);
        if (v[i].want == RV_OK)
            CHECK_EQ(t.outcome, v[i].outcome);
    }
    stand_close(&t);
}

RV_TEST(refusals)
{
    static const struct {
        int status;
        const char *body;
        rv_status want;
        const char *text, *hint;
    } v[] = {
        {403, ERROR("AccessDenied"), RV_E_DEST_PERMISSION, "403 AccessDenied: words",
         "grant s3:PutObject on bucket 'bucket' to the credentials in use (keys in ID and KEY)"},
        {403, "<Error><Code>AccessDenied</Code><Message>encryption is required</Message></Error>",
         RV_E_DEST_PERMISSION, "AccessDenied (bucket requires SSE)", "set sse: s3"},
        {403, "", RV_E_DEST_PERMISSION, "403 Forbidden", "s3:PutObject"},
        {403, ERROR("InvalidAccessKeyId"), RV_E_DEST_AUTH, "InvalidAccessKeyId: words", "ID"},
        {403, ERROR("SignatureDoesNotMatch"), RV_E_DEST_AUTH, "SignatureDoesNotMatch", "KEY"},
        {403, ERROR("RequestTimeTooSkewed"), RV_E_DEST_AUTH, "RequestTimeTooSkewed", "clock"},
        {403, ERROR("ExpiredToken"), RV_E_DEST_AUTH, "ExpiredToken", "ID"},
        {401, "", RV_E_DEST_AUTH, "401", "ID"},
        {404, ERROR("NoSuchBucket"), RV_E_DEST_NO_BUCKET, "NoSuchBucket", "'bucket'"},
        {507, "", RV_E_DEST_NO_SPACE, "507", ""},
        {400, ERROR("InsufficientStorage"), RV_E_DEST_NO_SPACE, "InsufficientStorage", ""},
        {400, ERROR("InvalidArgument"), RV_E_DEST_IO, "InvalidArgument: words", ""},
        {404, "", RV_E_DEST_IO, "404 Not Found", ""},
        {403, "<Error><Code>AccessDenied</Code><Message>a\nb\x7f c</Message></Error>",
         RV_E_DEST_PERMISSION, "AccessDenied: a b  c", ""},
        {400, "<!DOCTYPE x [<!ENTITY a \"boo\">]><Error><Code>&a;</Code></Error>", RV_E_DEST_IO,
         "400 Bad Request", ""},
        {403, "{\"not\": \"XML\"}", RV_E_DEST_PERMISSION, "403 Forbidden", ""},
    };
    stand t;
    stand_init(&t);
    REQUIRE(stand_open(&t));
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        stand_say(&t, v[i].status, NULL, v[i].body);
        rv_error_clear(&t.err);
        CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), v[i].want);
        CHECK(strstr(t.err.text, v[i].text) != NULL);
        CHECK(strstr(t.err.hint, v[i].hint) != NULL);
        CHECK_EQ(http_peer_count(t.peer), i + 1);
    }
    stand_close(&t);
}

RV_TEST(what_passes_is_tried_again)
{
    static const struct {
        int status;
        const char *headers, *body;
        int64_t wait_us; /* 0: our own */
    } v[] = {{503, NULL, ERROR("SlowDown"), 0},
             {500, NULL, ERROR("InternalError"), 0},
             {400, NULL, ERROR("RequestTimeout"), 0},
             {409, NULL, ERROR("OperationAborted"), 0},
             {429, "Retry-After: 7\r\n", "", 7000000},
             {503, "Retry-After: 900\r\n", ERROR("SlowDown"), 60000000}};
    size_t n = sizeof v / sizeof v[0];
    stand t;
    stand_init(&t);
    REQUIRE(stand_open(&t));
    for (size_t i = 0; i < n; i++) {
        stand_say(&t, v[i].status, v[i].headers, v[i].body);
        stand_say(&t, 200, ETAG_HELLO, NULL);
        CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_OK);
        CHECK_EQ(t.n_waits, 1);
        if (v[i].wait_us)
            CHECK_EQ(t.waits[0], v[i].wait_us);
        const http_seen *s = http_peer_request(t.peer, 2 * i + 1);
        REQUIRE(s);
        CHECK_MEM(s->body, s->body_len, "hello", 5);
    }
    CHECK_EQ(rv_store_s3.retries(t.store), n);
    http_peer_say(t.peer, (http_answer){.status = 503, .repeat = 5, .body = ERROR("SlowDown")});
    CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_E_DEST_UNREACHABLE);
    CHECK_EQ(t.err.retry, RV_RETRY_N);
    CHECK(strstr(t.err.text, "503 SlowDown") != NULL);
    CHECK_EQ(t.n_waits, 5);
    rv_store_s3.set_tries(t.store, 1);
    stand_say(&t, 500, NULL, "");
    CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_E_DEST_UNREACHABLE);
    CHECK_EQ(t.n_waits, 0);
    stand_close(&t);
}

RV_TEST(damage)
{
    stand t;
    stand_init(&t);
    REQUIRE(stand_open(&t));
    stand_say(&t, 200, "ETag: \"ffffffffffffffffffffffffffffffff\"\r\n", NULL);
    CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_E_DEST_CORRUPT);
    CHECK(strstr(t.err.text, "ffffffff") && strstr(t.err.text, MD5_HELLO));
    stand_say(&t, 400, NULL, ERROR("BadDigest"));
    stand_say(&t, 200, ETAG_HELLO, NULL);
    CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_OK);
    stand_say(&t, 400, NULL, ERROR("BadDigest"));
    stand_say(&t, 400, NULL, ERROR("BadDigest"));
    CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_E_DEST_CORRUPT);
    CHECK_EQ(http_peer_count(t.peer), 5);
    stand_close(&t);
}

/* ---- corrections ---- */

RV_TEST(a_clock_that_is_off)
{
    stand t;
    stand_init(&t);
    t.now_us = INT64_C(1700000000000000); /* Tue, 14 Nov 2023 22:13:20 GMT */
    REQUIRE(stand_open(&t));
    rv_store_s3.set_tries(t.store, 1);
    stand_say(&t, 403, "Date: Tue, 14 Nov 2023 23:13:20 GMT\r\n", ERROR("RequestTimeTooSkewed"));
    stand_say(&t, 200, ETAG_HELLO, NULL);
    CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_OK);
    CHECK_STR(stand_header(&t, 0, "x-amz-date"), "20231114T221320Z");
    CHECK_STR(stand_header(&t, 1, "x-amz-date"), "20231114T231320Z");
    stand_say(&t, 200, ETAG_HELLO, NULL); /* remembered */
    CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_OK);
    CHECK_STR(stand_header(&t, 2, "x-amz-date"), "20231114T231320Z");
    stand_say(&t, 403, "Date: Tue, 14 Nov 2023 23:13:20 GMT\r\n", ERROR("RequestTimeTooSkewed"));
    CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_E_DEST_AUTH); /* that was not it */
    CHECK_EQ(http_peer_count(t.peer), 4);
    stand_close(&t);
}

RV_TEST(another_region)
{
    static const struct {
        int status;
        const char *headers, *body;
    } v[] = {
        {301, "x-amz-bucket-region: us-west-2\r\n", ERROR("PermanentRedirect")},
        {307, "x-amz-bucket-region: us-west-2\r\nLocation: http://127.0.0.1:1/x\r\n", ""},
        {400, "x-amz-bucket-region: us-west-2\r\n", ERROR("AuthorizationHeaderMalformed")},
    };
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        stand t;
        stand_init(&t);
        REQUIRE(stand_open(&t));
        stand_say(&t, v[i].status, v[i].headers, v[i].body);
        stand_say(&t, 200, ETAG_HELLO, NULL);
        CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_OK);
        CHECK(strstr(stand_header(&t, 1, "Authorization"), "/us-west-2/s3/"));
        CHECK(stand_logged(&t, "bucket 'bucket' is in region us-west-2, not in eu-west-1"));
        stand_say(&t, 301, "x-amz-bucket-region: ap-south-1\r\n", ERROR("PermanentRedirect"));
        stand_say(&t, 301, "x-amz-bucket-region: sa-east-1\r\n", ERROR("PermanentRedirect"));
        CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_E_DEST_REGION); /* once, not twice */
        CHECK(strstr(t.err.text, "'sa-east-1'") && strstr(t.err.text, "'ap-south-1'"));
        CHECK_STR(t.err.hint, "write region: sa-east-1 in the destination");
        stand_close(&t);
    }
}

RV_TEST(another_region_that_stands)
{
    static const char body[] = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>m"
                               "</Message><Region>us-west-2</Region></Error>";
    static const char header[] = "x-amz-bucket-region: us-west-2\r\n";
    stand t;
    stand_init(&t);
    REQUIRE(stand_open(&t));
    stand_say(&t, 400, NULL, body); /* only the header sends elsewhere */
    CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_E_DEST_REGION);
    CHECK(strstr(t.err.text, "in region 'us-west-2', the request was signed for 'eu-west-1'"));
    rv_store_s3.set_tries(t.store, 1); /* doctor */
    stand_say(&t, 301, header, "");
    CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_E_DEST_REGION);
    rv_store_s3.set_tries(t.store, 0);
    stand_say(&t, 301, header, "");
    stand_say(&t, 301, header, ""); /* there it is told the same again */
    CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_E_DEST_REGION);
    CHECK(strstr(t.err.text, "in region 'us-west-2', the request was signed for 'eu-west-1'"));
    CHECK_EQ(http_peer_count(t.peer), 4);
    stand_close(&t);
}

RV_TEST(redirects_are_not_followed)
{
    char location[200];
    stand t;
    http_peer *other = http_peer_start(NULL);
    REQUIRE(other);
    stand_init(&t);
    REQUIRE(stand_open(&t));
    (void)snprintf(location, sizeof location, "Location: %s\r\n",
                   http_peer_url(other, "/bucket/x"));
    for (int status = 301; status <= 308; status++) {
        if (status > 303 && status < 307)
            continue;
        stand_say(&t, status, location, "");
        CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_E_DEST_IO);
        CHECK(strstr(t.err.text, "redirected to '127.0.0.1:") != NULL);
    }
    /* a region is a host's name: only what can be one is taken */
    stand_say(&t, 301, "x-amz-bucket-region: evil.example/\r\n", "");
    CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_E_DEST_IO);
    CHECK_EQ(http_peer_count(other), 0);
    http_peer_stop(other);
    stand_close(&t);
}

RV_TEST(anonymous)
{
    stand t;
    stand_init(&t);
    t.cfg = (rv_cfg_dest){.kind = RV_DEST_S3, .bucket = "bucket", .allow_anonymous = true};
    REQUIRE(stand_open(&t));
    stand_say(&t, 200, ETAG_HELLO, NULL);
    CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_OK);
    CHECK_STR(stand_header(&t, 0, "Authorization"), "");
    CHECK_STR(stand_header(&t, 0, "x-amz-date"), "");
    CHECK_STR(stand_header(&t, 0, "If-None-Match"), "*");
    stand_close(&t);
}

/* ---- head, get, remove ---- */

static rv_status head(stand *t, rv_object *o)
{
    *o = (rv_object){.size_bytes = 0};
    return rv_store_s3.head(t->store, t->http, "k", o, &t->outcome, &t->err);
}

RV_TEST(head_of_an_object)
{
    rv_object o;
    stand t;
    stand_init(&t);
    REQUIRE(stand_open(&t));
    stand_say(&t, 200, ETAG_HELLO "X-Amz-Meta-Rivet-Owner: " OWNER "\r\n", "hello");
    CHECK_EQ(head(&t, &o), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_DONE);
    CHECK_EQ(o.size_bytes, 5);
    CHECK_STR(o.version, "\"" MD5_HELLO "\"");
    CHECK_STR(o.md5, MD5_HELLO);
    CHECK_STR(o.owner, OWNER);
    stand_say(&t, 200,
              "ETag: \"ffffffffffffffffffffffffffffffff-2\"\r\n"
              "x-amz-meta-rivet-md5: " MD5_HELLO "\r\n",
              "hello");
    CHECK_EQ(head(&t, &o), RV_OK);
    CHECK_STR(o.md5, MD5_HELLO);
    CHECK_STR(o.owner, "");
    stand_say(&t, 200,
              "ETag: \"ffffffffffffffffffffffffffffffff\"\r\n"
              "x-amz-server-side-encryption: aws:kms\r\n"
              "x-amz-meta-rivet-owner: " OWNER "0\r\n",
              "hello");
    CHECK_EQ(head(&t, &o), RV_OK);
    CHECK_STR(o.md5, "");
    CHECK_STR(o.owner, ""); /* longer than ours ever is */
    stand_say(&t, 404, NULL, NULL);
    CHECK_EQ(head(&t, &o), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_MISSING);
    stand_say(&t, 403, NULL, NULL);
    CHECK_EQ(head(&t, &o), RV_E_DEST_PERMISSION);
    CHECK(strstr(t.err.hint, "s3:GetObject") != NULL);
    stand_say(&t, 200, NULL, "hello");
    CHECK_EQ(head(&t, &o), RV_E_DEST_IO); /* no ETag */
    stand_close(&t);
}

typedef struct bag {
    char text[64];
    size_t len;
} bag;

static rv_status into_bag(void *self, rv_bytes data, rv_error *err)
{
    bag *b = self;
    if (b->len + data.len >= sizeof b->text)
        return rv_fail(err, RV_E_INTERNAL, "too much");
    memcpy(b->text + b->len, data.ptr, data.len);
    b->len += data.len;
    b->text[b->len] = '\0';
    return RV_OK;
}

static rv_status get(stand *t, bag *b, uint64_t offset, uint64_t len)
{
    *b = (bag){.len = 0};
    return rv_store_s3.get(t->store, t->http, "k", offset, len, (rv_sink){b, into_bag}, &t->outcome,
                           &t->err);
}

RV_TEST(get_goes_on_where_it_broke_off)
{
    bag b;
    stand t;
    stand_init(&t);
    REQUIRE(stand_open(&t));
    stand_say(&t, 206, "ETag: \"e\"\r\nContent-Range: bytes 2-6/9\r\n", "llo w");
    CHECK_EQ(get(&t, &b, 2, 5), RV_OK);
    CHECK_STR(b.text, "llo w");
    CHECK_STR(stand_header(&t, 0, "Range"), "bytes=2-6");
    http_peer_say(t.peer, (http_answer){.status = 206,
                                        .headers = "ETag: \"e\"\r\nContent-Range: bytes 0-9/10\r\n",
                                        .body = "0123456789",
                                        .cut_after = 4});
    stand_say(&t, 206, "ETag: \"e\"\r\nContent-Range: bytes 4-9/10\r\n", "456789");
    CHECK_EQ(get(&t, &b, 0, 10), RV_OK);
    CHECK_STR(b.text, "0123456789");
    CHECK_STR(stand_header(&t, 2, "Range"), "bytes=4-9");
    CHECK_STR(stand_header(&t, 2, "If-Match"), "\"e\"");
    stand_say(&t, 416, NULL, ERROR("InvalidRange"));
    CHECK_EQ(get(&t, &b, 10, 5), RV_OK);
    CHECK(b.len == 0 && t.outcome == RV_STORE_DONE);
    CHECK_EQ(get(&t, &b, 10, 0), RV_OK); /* nothing is asked for nothing */
    CHECK_EQ(http_peer_count(t.peer), 4);
    stand_say(&t, 404, NULL, ERROR("NoSuchKey"));
    CHECK_EQ(get(&t, &b, 0, 5), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_MISSING);
    stand_say(&t, 200, "ETag: \"e\"\r\n", "the whole of it, though a range was asked for");
    CHECK_EQ(get(&t, &b, 4, 5), RV_E_DEST_IO);
    stand_close(&t);
}

RV_TEST(remove_one_version)
{
    stand t;
    stand_init(&t);
    REQUIRE(stand_open(&t));
    static const struct {
        int status;
        const char *body, *version;
        rv_status want;
        rv_store_outcome outcome;
    } v[] = {{204, NULL, "\"v\"", RV_OK, RV_STORE_DONE},
             {204, NULL, NULL, RV_OK, RV_STORE_DONE},
             {404, ERROR("NoSuchKey"), "\"v\"", RV_OK, RV_STORE_MISSING},
             {412, ERROR("PreconditionFailed"), "\"v\"", RV_OK, RV_STORE_UNMET},
             {501, ERROR("NotImplemented"), "\"v\"", RV_OK, RV_STORE_UNCONDITIONAL},
             {400, ERROR("InvalidArgument"), "\"v\"", RV_OK, RV_STORE_UNCONDITIONAL},
             {403, ERROR("AccessDenied"), "\"v\"", RV_E_DEST_PERMISSION, 0}};
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        stand_say(&t, v[i].status, NULL, v[i].body);
        CHECK_EQ(rv_store_s3.remove(t.store, t.http, "k", v[i].version, &t.outcome, &t.err),
                 v[i].want);
        if (v[i].want == RV_OK)
            CHECK_EQ(t.outcome, v[i].outcome);
        CHECK_STR(stand_header(&t, i, "If-Match"), v[i].version ? v[i].version : "");
    }
    stand_close(&t);
}

/* ---- listing ---- */

RV_TEST(listing)
{
    rv_object_list l = {.n = 0};
    rv_buf token = RV_BUF_INIT;
    rv_store_page page = {&l, &token};
    stand t;
    stand_init(&t);
    REQUIRE(stand_open(&t));
    stand_say(&t, 200, NULL,
              "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
              "<Contents><Key>a+b/</Key><Size>0</Size><ETag>\"x\"</ETag></Contents>"
              "<Contents><Key>a+b/c%2Bd%C3%A9</Key><Size>5</Size>"
              "<ETag>&quot;" MD5_HELLO "&quot;</ETag></Contents>"
              "<CommonPrefixes><Prefix>a+b/sub/</Prefix></CommonPrefixes>"
              "<NextContinuationToken>n/=</NextContinuationToken></ListBucketResult>");
    stand_say(&t, 200, ETAG_HELLO, "hello"); /* one object is asked whether its ETag is an MD5 */
    CHECK_EQ(rv_store_s3.list(t.store, t.http, "a b/", &page, &t.err), RV_OK);
    CHECK_STR(stand_target(&t, 0),
              "/bucket?delimiter=%2F&encoding-type=url&list-type=2&prefix=a%20b%2F");
    CHECK_STR(stand_target(&t, 1), "/bucket/a%20b/c%2Bd%C3%A9");
    CHECK_EQ(l.n, 1);
    CHECK_STR(rv_buf_cstr(&token), "n/=");
    REQUIRE(l.n == 1);
    CHECK_STR(l.items[0].key, "c+d\xc3\xa9");
    CHECK_EQ(l.items[0].size_bytes, 5);
    CHECK_STR(l.items[0].md5, MD5_HELLO);
    stand_say(&t, 200, NULL,
              "<ListBucketResult><IsTruncated>false</IsTruncated>"
              "<Contents><Key>a b/e%20</Key><Size>7</Size>"
              "<ETag>\"" MD5_HELLO "-2\"</ETag></Contents></ListBucketResult>");
    CHECK_EQ(rv_store_s3.list(t.store, t.http, "a b/", &page, &t.err), RV_OK);
    CHECK(strstr(stand_target(&t, 2), "continuation-token=n%2F%3D&") != NULL);
    CHECK(l.n == 2 && token.len == 0);
    REQUIRE(l.n == 2);
    CHECK_STR(l.items[1].key, "e%20"); /* not said to be encoded */
    CHECK_STR(l.items[1].md5, "");
    static const char *const bad[] = {
        "", "<Other/>",
        "<ListBucketResult><Contents><Key>a b/x</Key></Contents></ListBucketResult>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]><ListBucketResult/>"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rv_buf_clear(&token);
        stand_say(&t, 200, NULL, bad[i]);
        CHECK_EQ(rv_store_s3.list(t.store, t.http, "a b/", &page, &t.err), RV_E_DEST_IO);
    }
    stand_say(&t, 404, NULL, ERROR("NoSuchBucket"));
    CHECK_EQ(rv_store_s3.list(t.store, t.http, "", &page, &t.err), RV_E_DEST_NO_BUCKET);
    stand_say(&t, 403, NULL, ERROR("AccessDenied"));
    CHECK_EQ(rv_store_s3.list(t.store, t.http, "", &page, &t.err), RV_E_DEST_PERMISSION);
    CHECK(strstr(t.err.hint, "s3:ListBucket") != NULL);
    rv_object_list_free(&l);
    rv_buf_free(&token);
    stand_close(&t);
}

RV_TEST(listing_under_kms_tells_no_md5)
{
    rv_object_list l = {.n = 0};
    rv_buf token = RV_BUF_INIT;
    rv_store_page page = {&l, &token};
    stand t;
    stand_init(&t);
    REQUIRE(stand_open(&t));
    stand_say(&t, 200, NULL,
              "<ListBucketResult><Contents><Key>x</Key><Size>5</Size><ETag>\"" MD5_HELLO
              "\"</ETag></Contents></ListBucketResult>");
    stand_say(&t, 200, ETAG_HELLO "x-amz-server-side-encryption: aws:kms\r\n", "hello");
    CHECK_EQ(rv_store_s3.list(t.store, t.http, "", &page, &t.err), RV_OK);
    REQUIRE(l.n == 1);
    CHECK_STR(l.items[0].md5, "");
    rv_object_list_free(&l);
    rv_buf_free(&token);
    stand_close(&t);
}

/* ---- copies ---- */

static rv_status copy(stand *t, uint64_t size)
{
    rv_object from = {.size_bytes = size, .md5 = MD5_HELLO, .version = "\"v\""};
    return rv_store_s3.copy(t->store, t->http, "a/b c", &from, "_quarantine/r/b c", &t->outcome,
                            &t->err);
}

RV_TEST(copy_within_the_bucket)
{
    stand t;
    stand_init(&t);
    t.cfg.sse = "s3";
    REQUIRE(stand_open(&t));
    stand_say(&t, 200, NULL, "<CopyObjectResult><ETag>\"" MD5_HELLO "\"</ETag></CopyObjectResult>");
    CHECK_EQ(copy(&t, 5), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_DONE);
    CHECK_STR(stand_target(&t, 0), "/bucket/_quarantine/r/b%20c");
    CHECK_STR(stand_header(&t, 0, "x-amz-copy-source"), "/bucket/a/b%20c");
    CHECK_STR(stand_header(&t, 0, "x-amz-copy-source-if-match"), "\"v\"");
    CHECK_STR(stand_header(&t, 0, "If-None-Match"), "*");
    CHECK_STR(stand_header(&t, 0, "x-amz-server-side-encryption"), "AES256");
    stand_say(&t, 200, NULL, "\n " ERROR("InternalError"));
    stand_say(&t, 200, NULL, ERROR("AccessDenied"));
    CHECK_EQ(copy(&t, 5), RV_E_DEST_PERMISSION);
    stand_say(&t, 412, NULL, ERROR("PreconditionFailed"));
    CHECK_EQ(copy(&t, 5), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_UNMET);
    stand_say(&t, 404, NULL, ERROR("NoSuchKey"));
    CHECK_EQ(copy(&t, 5), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_MISSING);
    stand_say(&t, 501, NULL, ERROR("NotImplemented"));
    stand_say(&t, 200, NULL, "<CopyObjectResult><ETag>\"" MD5_HELLO "\"</ETag></CopyObjectResult>");
    CHECK_EQ(copy(&t, 5), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_DONE);
    CHECK_STR(stand_header(&t, 6, "If-None-Match"), "");
    stand_say(&t, 200, NULL,
              "<CopyObjectResult><ETag>\"ffffffffffffffffffffffffffffffff\"</ETag>"
              "</CopyObjectResult>");
    CHECK_EQ(copy(&t, 5), RV_E_DEST_CORRUPT);
    stand_close(&t);
}

RV_TEST(copy_above_5_gib)
{
    uint64_t size = ((uint64_t)5 << 30) + 7;
    stand t;
    stand_init(&t);
    REQUIRE(stand_open(&t));
    stand_say(&t, 200,
              "ETag: \"v\"\r\nContent-Type: text/csv\r\nx-amz-meta-rivet-owner: " OWNER "\r\n", "");
    stand_say(&t, 200, NULL,
              "<InitiateMultipartUploadResult><UploadId>id</UploadId>"
              "</InitiateMultipartUploadResult>");
    http_peer_say(
        t.peer,
        (http_answer){.body = "<CopyPartResult><ETag>\"p\"</ETag></CopyPartResult>", .repeat = 5});
    stand_say(&t, 200, NULL,
              "<CompleteMultipartUploadResult><ETag>\"x-6\"</ETag>"
              "</CompleteMultipartUploadResult>");
    CHECK_EQ(copy(&t, size), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_DONE);
    CHECK_STR(stand_header(&t, 1, "x-amz-meta-rivet-owner"), OWNER);
    CHECK_STR(stand_header(&t, 1, "Content-Type"), "text/csv");
    CHECK_STR(stand_header(&t, 2, "x-amz-copy-source-range"), "bytes=0-1073741823");
    CHECK_STR(stand_header(&t, 7, "x-amz-copy-source-range"), "bytes=5368709120-5368709126");
    CHECK_STR(stand_target(&t, 7), "/bucket/_quarantine/r/b%20c?partNumber=6&uploadId=id");
    CHECK_STR(stand_header(&t, 8, "If-None-Match"), "*");
    stand_say(&t, 200, "ETag: \"v\"\r\n", "");
    stand_say(&t, 200, NULL, "<R><UploadId>id2</UploadId></R>");
    stand_say(&t, 412, NULL, ERROR("PreconditionFailed"));
    stand_say(&t, 204, NULL, NULL);
    CHECK_EQ(copy(&t, size), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_UNMET);
    CHECK_STR(stand_target(&t, 12), "/bucket/_quarantine/r/b%20c?uploadId=id2"); /* aborted */
    stand_close(&t);
}

RV_TEST_MAIN(RV_CASE(put_is_signed_and_guarded), RV_CASE(encryption_is_asked_for),
             RV_CASE(outcomes_of_a_condition), RV_CASE(refusals),
             RV_CASE(what_passes_is_tried_again), RV_CASE(damage), RV_CASE(a_clock_that_is_off),
             RV_CASE(another_region), RV_CASE(another_region_that_stands),
             RV_CASE(redirects_are_not_followed), RV_CASE(anonymous), RV_CASE(head_of_an_object),
             RV_CASE(get_goes_on_where_it_broke_off), RV_CASE(remove_one_version), RV_CASE(listing),
             RV_CASE(listing_under_kms_tells_no_md5), RV_CASE(copy_within_the_bucket),
             RV_CASE(copy_above_5_gib))
