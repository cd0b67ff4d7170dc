/* What the Azure store makes of answers, good, bad and hostile, and what it sends. */
#include "destination/azure/azure_internal.h"

#include <unistd.h>

#include "store_box.h"

#define KEY "c2VjcmV0LWtleS1vZi1hbi1hY2NvdW50" /* "secret-key-of-an-account" */

static bool begin(store_box *b, rv_cfg_dest cfg)
{
    if (!box_begin(b, &rv_store_azure))
        return false;
    box_set(b, "KEY", KEY);
    if (!cfg.allow_anonymous)
        cfg.account_key_env = "KEY";
    return box_open(b, cfg, "/acct") == RV_OK;
}

static http_answer refusal(int status, const char *headers, const char *body)
{
    return (http_answer){.status = status, .headers = headers, .body = body};
}

/* ---- put ---- */

RV_TEST(a_put_says_all_that_is_known)
{
    store_box b;
    rv_store_outcome out;
    REQUIRE(begin(&b, (rv_cfg_dest){.storage_class = "Cool", .encryption_scope = "scope-1"}));
    http_peer_say(b.p, refusal(201, "Content-MD5: " BOX_MD5_64 "\r\nETag: \"0x1\"\r\n", ""));
    CHECK_EQ(box_put(&b, RV_STORE_IF_ABSENT, &out), RV_OK);
    CHECK_EQ(out, RV_STORE_DONE);
    CHECK_STR(http_peer_request(b.p, 0)->method, "PUT");
    CHECK_STR(box_target(&b, 0), "/acct/data/day%201/part");
    CHECK_STR(box_body(&b, 0), "hello");
    CHECK_STR(box_header(&b, 0, "x-ms-blob-type"), "BlockBlob");
    CHECK_STR(box_header(&b, 0, "Content-MD5"), BOX_MD5_64);
    CHECK_STR(box_header(&b, 0, "x-ms-blob-content-type"), "text/plain");
    CHECK_STR(box_header(&b, 0, "x-ms-meta-rivetowner"), BOX_OWNER);
    CHECK_STR(box_header(&b, 0, "x-ms-access-tier"), "Cool");
    CHECK_STR(box_header(&b, 0, "x-ms-encryption-scope"), "scope-1");
    CHECK_STR(box_header(&b, 0, "If-None-Match"), "*");
    CHECK_STR(box_header(&b, 0, "x-ms-date"), "Tue, 14 Nov 2023 22:13:20 GMT");
    CHECK(strncmp(box_header(&b, 0, "Authorization"), "SharedKey acct:", 15) == 0);
    http_peer_say(b.p, refusal(201, NULL, ""));
    CHECK_EQ(box_put(&b, RV_STORE_IF_VERSION, &out), RV_OK);
    CHECK_STR(box_header(&b, 1, "If-Match"), "7");
    CHECK_STR(box_header(&b, 1, "If-None-Match"), "");
    box_end(&b);
}

RV_TEST(answers_to_a_put)
{
    static const struct {
        int status;
        const char *headers, *body;
        rv_store_condition condition;
        rv_status want;
        rv_store_outcome outcome;
        const char *text;
    } cases[] = {
        {409, "x-ms-error-code: BlobAlreadyExists\r\n", "", RV_STORE_IF_ABSENT, RV_OK,
         RV_STORE_UNMET, ""},
        {412, "x-ms-error-code: ConditionNotMet\r\n", "", RV_STORE_IF_VERSION, RV_OK,
         RV_STORE_UNMET, ""},
        {404, "x-ms-error-code: BlobNotFound\r\n", "", RV_STORE_IF_VERSION, RV_OK, RV_STORE_UNMET,
         ""},
        {412, NULL, "", RV_STORE_ALWAYS, RV_E_DEST_IO, 0, "412"},
        {412, "x-ms-error-code: LeaseIdMissing\r\n", "", RV_STORE_IF_VERSION, RV_E_DEST_PERMISSION,
         0, "LeaseIdMissing"},
        {403, "x-ms-error-code: UnauthorizedBlobOverwrite\r\n", "", RV_STORE_IF_ABSENT, RV_OK,
         RV_STORE_UNMET, ""},
        {403, "x-ms-error-code: UnauthorizedBlobOverwrite\r\n", "", RV_STORE_IF_VERSION,
         RV_E_DEST_PERMISSION, 0, "UnauthorizedBlobOverwrite"},
        {409, "x-ms-error-code: BlobImmutableDueToPolicy\r\n", "", RV_STORE_IF_VERSION,
         RV_E_DEST_PERMISSION, 0, "Immutable"},
        {501, NULL, "", RV_STORE_IF_ABSENT, RV_OK, RV_STORE_UNCONDITIONAL, ""},
        {501, NULL, "", RV_STORE_ALWAYS, RV_E_DEST_IO, 0, "501"},
        {404, "x-ms-error-code: ContainerNotFound\r\n", "", RV_STORE_IF_ABSENT, RV_E_DEST_NO_BUCKET,
         0, "ContainerNotFound"},
        {404, NULL, "", RV_STORE_ALWAYS, RV_E_DEST_NO_BUCKET, 0, "404"},
        {403, NULL,
         "\xef\xbb\xbf<?xml version=\"1.0\"?><Error><Code>AuthorizationPermissionMismatch</Code>"
         "<Message>This request is not authorized to perform this operation using this permission."
         "\nRequestId:1\nTime:2</Message></Error>",
         RV_STORE_IF_ABSENT, RV_E_DEST_PERMISSION, 0,
         "403 AuthorizationPermissionMismatch: This request is not authorized to perform this "
         "operation using this permission."},
        {403, NULL, "<!DOCTYPE a [<!ENTITY x \"y\">]><Error><Code>&x;</Code></Error>",
         RV_STORE_IF_ABSENT, RV_E_DEST_PERMISSION, 0, "403 Forbidden"},
        {401, NULL, "", RV_STORE_ALWAYS, RV_E_DEST_AUTH, 0, "401"},
        {507, NULL, "", RV_STORE_ALWAYS, RV_E_DEST_NO_SPACE, 0, "507"},
        {413, "x-ms-error-code: RequestBodyTooLarge\r\n", "", RV_STORE_ALWAYS, RV_E_DEST_IO, 0,
         "RequestBodyTooLarge"},
        {307, "Location: http://elsewhere.example/x?sig=abc\r\n", "", RV_STORE_ALWAYS, RV_E_DEST_IO,
         0, "redirects are not followed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        store_box b;
        rv_store_outcome out;
        REQUIRE(begin(&b, (rv_cfg_dest){0}));
        http_answer a = refusal(cases[i].status, cases[i].headers, cases[i].body);
        a.repeat = cases[i].status == 401 ? 1 : 0;
        http_peer_say(b.p, a);
        CHECK_EQ(box_put(&b, cases[i].condition, &out), cases[i].want);
        if (cases[i].want == RV_OK)
            CHECK_EQ(out, cases[i].outcome);
        CHECK(strstr(b.err.text, cases[i].text) != NULL);
        CHECK(box_hides(&b, KEY) && box_hides(&b, "sig=abc"));
        box_end(&b);
    }
}

RV_TEST(a_damaged_upload_is_sent_once_more)
{
    store_box b;
    rv_store_outcome out;
    const http_answer damaged = refusal(400, "x-ms-error-code: Md5Mismatch\r\n", "");
    REQUIRE(begin(&b, (rv_cfg_dest){0}));
    http_peer_say(b.p, damaged);
    http_peer_say(b.p, refusal(201, NULL, ""));
    CHECK_EQ(box_put(&b, RV_STORE_ALWAYS, &out), RV_OK);
    http_peer_say(b.p, damaged);
    http_peer_say(b.p, damaged);
    CHECK_EQ(box_put(&b, RV_STORE_ALWAYS, &out), RV_E_DEST_CORRUPT);
    CHECK_EQ(http_peer_count(b.p), 4);
    /* a store that keeps something else says so in its answer */
    http_peer_say(b.p, refusal(201, "Content-MD5: AAAAAAAAAAAAAAAAAAAAAA==\r\n", ""));
    CHECK_EQ(box_put(&b, RV_STORE_ALWAYS, &out), RV_E_DEST_CORRUPT);
    box_end(&b);
}

RV_TEST(storms_pass)
{
    store_box b;
    rv_store_outcome out;
    REQUIRE(begin(&b, (rv_cfg_dest){0}));
    http_peer_say(b.p, (http_answer){.cut = true});
    http_peer_say(b.p, refusal(503, "Retry-After: 7\r\nx-ms-error-code: ServerBusy\r\n", ""));
    http_peer_say(b.p, refusal(500, "x-ms-error-code: OperationTimedOut\r\n", ""));
    http_peer_say(b.p, refusal(201, NULL, ""));
    CHECK_EQ(box_put(&b, RV_STORE_ALWAYS, &out), RV_OK);
    CHECK_EQ(b.n_waits, 3);
    CHECK_EQ(b.waits[1], 7000000);
    CHECK_EQ(b.ops->retries(b.s), 3);
    http_peer_say(
        b.p, (http_answer){.status = 503, .headers = "Retry-After: 9\r\n", .repeat = HTTP_FOREVER});
    CHECK_EQ(box_put(&b, RV_STORE_ALWAYS, &out), RV_E_DEST_UNREACHABLE);
    CHECK_EQ(b.err.retry, RV_RETRY_N);
    CHECK_EQ(http_peer_count(b.p), 10);
    b.ops->set_tries(b.s, 1);
    CHECK_EQ(box_put(&b, RV_STORE_ALWAYS, &out), RV_E_DEST_UNREACHABLE);
    CHECK_EQ(http_peer_count(b.p), 11);
    box_end(&b);
}

RV_TEST(the_clock_of_the_store_counts)
{
    store_box b;
    rv_store_outcome out;
    const http_answer late = refusal(
        403, "x-ms-error-code: AuthenticationFailed\r\nDate: Tue, 14 Nov 2023 23:13:20 GMT\r\n",
        "");
    REQUIRE(begin(&b, (rv_cfg_dest){0}));
    http_peer_say(b.p, late);
    http_peer_say(b.p, refusal(201, NULL, ""));
    CHECK_EQ(box_put(&b, RV_STORE_ALWAYS, &out), RV_OK);
    CHECK_STR(box_header(&b, 1, "x-ms-date"), "Tue, 14 Nov 2023 23:13:20 GMT");
    CHECK(box_logged(&b, "clock is 3600 s behind the store's"));
    http_peer_say(b.p, late); /* it was not the clock */
    CHECK_EQ(box_put(&b, RV_STORE_ALWAYS, &out), RV_E_DEST_AUTH);
    CHECK_EQ(http_peer_count(b.p), 3);
    box_end(&b);
}

/* ---- get ---- */

static rv_status get(store_box *b, uint64_t offset, uint64_t len, rv_buf *got,
                     rv_store_outcome *out)
{
    rv_buf_clear(got);
    *out = RV_STORE_UNCONDITIONAL;
    return b->ops->get(b->s, b->h, "part", offset, len, (rv_sink){got, box_gather}, out, &b->err);
}

RV_TEST(a_download_goes_on_where_it_broke)
{
    store_box b;
    rv_buf got = RV_BUF_INIT;
    rv_store_outcome out;
    REQUIRE(begin(&b, (rv_cfg_dest){0}));
    http_peer_say(b.p, (http_answer){.status = 206,
                                     .headers = "Content-Range: bytes 2-9/10\r\nETag: \"0x1\"\r\n",
                                     .body = "23456789",
                                     .cut_after = 3});
    http_peer_say(b.p, refusal(206, "Content-Range: bytes 5-9/10\r\n", "56789"));
    CHECK_EQ(get(&b, 2, 8, &got, &out), RV_OK);
    CHECK_EQ(out, RV_STORE_DONE);
    CHECK_MEM(got.ptr, got.len, "23456789", 8);
    CHECK_STR(box_header(&b, 0, "Range"), "bytes=2-9");
    CHECK_STR(box_header(&b, 1, "Range"), "bytes=5-9");
    CHECK_STR(box_header(&b, 1, "If-Match"), "\"0x1\"");
    CHECK_EQ(b.ops->retries(b.s), 1);
    /* another object took its place meanwhile */
    http_peer_say(b.p, (http_answer){.status = 206,
                                     .headers = "Content-Range: bytes 0-9/10\r\nETag: \"0x1\"\r\n",
                                     .body = "0123456789",
                                     .cut_after = 3});
    http_peer_say(b.p, refusal(412, "x-ms-error-code: ConditionNotMet\r\n", ""));
    CHECK_EQ(get(&b, 0, 10, &got, &out), RV_E_DEST_IO);
    rv_buf_free(&got);
    box_end(&b);
}

RV_TEST(answers_to_a_get)
{
    store_box b;
    rv_buf got = RV_BUF_INIT;
    rv_store_outcome out;
    REQUIRE(begin(&b, (rv_cfg_dest){0}));
    http_peer_say(b.p, refusal(416, "x-ms-error-code: InvalidRange\r\n", "<Error/>"));
    CHECK_EQ(get(&b, 5, 5, &got, &out), RV_OK);
    CHECK(out == RV_STORE_DONE && got.len == 0);
    http_peer_say(b.p, refusal(404, "x-ms-error-code: BlobNotFound\r\n", "<Error/>"));
    CHECK_EQ(get(&b, 0, 5, &got, &out), RV_OK);
    CHECK(out == RV_STORE_MISSING && got.len == 0);
    http_peer_say(b.p, refusal(200, NULL, "hello"));
    CHECK_EQ(get(&b, 0, 9, &got, &out), RV_OK);
    CHECK_MEM(got.ptr, got.len, "hello", 5);
    /* ranges that were not asked for are no content */
    http_peer_say(b.p, refusal(200, NULL, "hello"));
    CHECK_EQ(get(&b, 2, 9, &got, &out), RV_E_DEST_IO);
    http_peer_say(b.p, refusal(206, "Content-Range: bytes 0-4/5\r\n", "hello"));
    CHECK_EQ(get(&b, 2, 9, &got, &out), RV_E_DEST_IO);
    http_peer_say(b.p, refusal(206, "Content-Range: bytes 2-9/10\r\n", "too much of it"));
    CHECK_EQ(get(&b, 2, 3, &got, &out), RV_E_DEST_IO);
    CHECK(got.len <= 3);
    rv_buf_free(&got);
    box_end(&b);
}

/* ---- list ---- */

#define PAGE(blobs) "<?xml version=\"1.0\"?><EnumerationResults><Blobs>" blobs "</Blobs>"
#define BLOB(name, more)                                                                           \
    "<Blob><Name>" name "</Name><Properties><Content-Length>5</Content-Length><Etag>0x1</Etag>"    \
    "<Content-MD5>" BOX_MD5_64 "</Content-MD5></Properties>" more "</Blob>"

static rv_status list(store_box *b, rv_object_list *l, rv_buf *token)
{
    rv_store_page page = {l, token};
    return b->ops->list(b->s, b->h, "a b/", &page, &b->err);
}

RV_TEST(pages_of_a_listing)
{
    store_box b;
    rv_object_list l = {0};
    rv_buf token = RV_BUF_INIT;
    REQUIRE(begin(&b, (rv_cfg_dest){0}));
    http_peer_say(
        b.p,
        refusal(200, NULL,
                PAGE(BLOB("a b/x&amp;y", "<Metadata><rivetowner>" BOX_OWNER
                                         "</rivetowner></Metadata>") BLOB("a b/", "")
                         BLOB("a b/folder", "<Metadata><hdi_isfolder>true</hdi_isfolder></"
                                            "Metadata>") "<BlobPrefix><Name>a "
                                                         "b/sub/</Name></BlobPrefix>") "<NextMarker"
                                                                                       ">2!x=</"
                                                                                       "NextMarker>"
                                                                                       "</"
                                                                                       "Enumeration"
                                                                                       "Results>"));
    http_peer_say(b.p,
                  refusal(200, NULL,
                          PAGE("<Blob><Name Encoded=\"true\">a%20b/%01</Name><Properties>"
                               "<Content-Length>0</Content-Length><Etag>\"0x2\"</Etag></Properties>"
                               "</Blob>") "<NextMarker /></EnumerationResults>"));
    CHECK_EQ(list(&b, &l, &token), RV_OK);
    CHECK(rv_str_eq(rv_buf_str(&token), RV_STR("2!x=")));
    CHECK_EQ(list(&b, &l, &token), RV_OK);
    CHECK_EQ(token.len, 0);
    REQUIRE(l.n == 2);
    CHECK_STR(l.items[0].key, "x&y");
    CHECK_STR(l.items[0].version, "\"0x1\"");
    CHECK_STR(l.items[0].owner, BOX_OWNER);
    CHECK_STR(l.items[0].md5, "5d41402abc4b2a76b9719d911017c592");
    CHECK_STR(l.items[1].key, "\x01");
    CHECK_STR(l.items[1].version, "\"0x2\"");
    CHECK_STR(box_target(&b, 0), "/acct/data?restype=container&comp=list&delimiter=%2F&include="
                                 "metadata&maxresults=1000&prefix=a%20b%2F");
    CHECK(strstr(box_target(&b, 1), "&marker=2%21x%3D") != NULL);
    rv_object_list_free(&l);
    rv_buf_free(&token);
    box_end(&b);
}

RV_TEST(listings_that_are_none)
{
    static const char *const bodies[] = {
        "",
        "<",
        "{\"Blobs\":[]}",
        "<html><body>sign in</body></html>",
        PAGE("<Blob><Name>a b/x</Name></Blob>") "</EnumerationResults>",
        PAGE(BLOB("a b/x", "")),
        "<!DOCTYPE e SYSTEM \"file:///etc/passwd\"><EnumerationResults/>",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        store_box b;
        rv_object_list l = {0};
        rv_buf token = RV_BUF_INIT;
        REQUIRE(begin(&b, (rv_cfg_dest){0}));
        http_peer_say(b.p, refusal(200, NULL, bodies[i]));
        CHECK_EQ(list(&b, &l, &token), RV_E_DEST_IO);
        rv_object_list_free(&l);
        rv_buf_free(&token);
        box_end(&b);
    }
}

/* ---- copy ---- */

static rv_status copy(store_box *b, rv_store_outcome *out)
{
    const rv_object o = {.version = "\"0x1\""};
    *out = RV_STORE_UNCONDITIONAL;
    return b->ops->copy(b->s, b->h, "a b", &o, "q/a b", out, &b->err);
}

RV_TEST(a_copy_is_awaited)
{
    store_box b;
    rv_store_outcome out;
    REQUIRE(begin(&b, (rv_cfg_dest){0}));
    http_peer_say(b.p, refusal(202, "x-ms-copy-status: pending\r\n", ""));
    http_peer_say(b.p, refusal(200, "x-ms-copy-status: pending\r\n", ""));
    http_peer_say(b.p, refusal(200, "x-ms-copy-status: success\r\n", ""));
    CHECK_EQ(copy(&b, &out), RV_OK);
    CHECK_EQ(out, RV_STORE_DONE);
    CHECK_EQ(http_peer_count(b.p), 3);
    CHECK(strstr(box_header(&b, 0, "x-ms-copy-source"), "/acct/data/a%20b") != NULL);
    CHECK_STR(box_header(&b, 0, "x-ms-source-if-match"), "\"0x1\"");
    CHECK_STR(box_header(&b, 0, "If-None-Match"), "*");
    http_peer_say(b.p, refusal(202, "x-ms-copy-status: pending\r\n", ""));
    http_peer_say(b.p, refusal(200, "x-ms-copy-status: failed\r\n", ""));
    CHECK_EQ(copy(&b, &out), RV_E_DEST_IO);
    http_peer_say(b.p, refusal(412, "x-ms-error-code: SourceConditionNotMet\r\n", ""));
    CHECK_EQ(copy(&b, &out), RV_OK);
    CHECK_EQ(out, RV_STORE_UNMET);
    http_peer_say(b.p, refusal(404, "x-ms-error-code: BlobNotFound\r\n", ""));
    CHECK_EQ(copy(&b, &out), RV_OK);
    CHECK_EQ(out, RV_STORE_MISSING);
    http_peer_say(b.p, refusal(409, "x-ms-error-code: BlobAlreadyExists\r\n", ""));
    CHECK_EQ(copy(&b, &out), RV_OK);
    CHECK_EQ(out, RV_STORE_UNMET);
    box_end(&b);
}

/* ---- blocks ---- */

typedef struct upload {
    int fd;
    rv_store_write w;
    rv_store_piece pieces[2];
    rv_buf id;
} upload;

static bool start(store_box *b, upload *x)
{
    rv_store_outcome out;
    *x = (upload){.w = box_write("big", RV_STORE_IF_ABSENT)};
    if (rv_file_scratch("/tmp", &x->fd, &b->err) != RV_OK ||
        rv_file_write(x->fd, "hello", 5, "scratch", &b->err) != RV_OK)
        return false;
    x->w.fd = x->fd;
    x->pieces[0] = (rv_store_piece){
        .index = 0, .len = 3, .md5 = "46356afe55fa3cea9cbe73ad442cad47"}; /* "hel" */
    x->pieces[1] = (rv_store_piece){
        .index = 1, .offset = 3, .len = 2, .last = true, .md5 = "0107cd5dbe85fb3b5f30b49eab3f3b52"};
    return b->ops->upload_begin(b->s, b->h, &x->w, &x->id, &out, &b->err) == RV_OK;
}

static void stop(upload *x)
{
    rv_file_close(x->fd);
    rv_buf_free(&x->id);
}

static rv_status part(store_box *b, upload *x, size_t i, rv_store_outcome *out)
{
    return b->ops->upload_part(b->s, b->h, &x->w, "", &x->pieces[i], out, &b->err);
}

static rv_status finish(store_box *b, upload *x, rv_store_outcome *out)
{
    *out = RV_STORE_UNCONDITIONAL;
    return b->ops->upload_finish(b->s, b->h, &x->w, "", x->pieces, 2, out, &b->err);
}

RV_TEST(blocks_and_their_list)
{
    store_box b;
    upload x;
    rv_store_outcome out;
    char body[512];
    REQUIRE(begin(&b, (rv_cfg_dest){.encryption_scope = "scope-1", .storage_class = "Cold"}));
    REQUIRE(start(&b, &x));
    http_peer_say(b.p, (http_answer){.status = 503});
    http_peer_say(b.p, refusal(201, NULL, ""));
    http_peer_say(b.p, refusal(201, "Content-MD5: AQfNXb6F+ztfMLSeqz87Ug==\r\n", ""));
    http_peer_say(b.p, refusal(201, NULL, ""));
    http_peer_say(b.p, refusal(200, "Content-MD5: " BOX_MD5_64 "\r\n", "hello"));
    CHECK_EQ(part(&b, &x, 0, &out), RV_OK);
    CHECK_EQ(part(&b, &x, 1, &out), RV_OK);
    CHECK_EQ(strlen(x.pieces[0].tag), 48);
    CHECK_EQ(strlen(x.pieces[1].tag), 48);
    CHECK_STR(box_body(&b, 0), "hel");
    CHECK_STR(box_body(&b, 1), "hel");
    CHECK_STR(box_body(&b, 2), "lo");
    CHECK(strstr(box_target(&b, 0), "/acct/data/big?comp=block&blockid=AAAAAEY1") != NULL);
    CHECK_STR(box_header(&b, 0, "x-ms-encryption-scope"), "scope-1");
    CHECK_STR(box_header(&b, 0, "x-ms-access-tier"), "");
    CHECK_EQ(finish(&b, &x, &out), RV_OK);
    CHECK_EQ(out, RV_STORE_DONE);
    (void)snprintf(body, sizeof body,
                   "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList><Latest>%s</Latest>"
                   "<Latest>%s</Latest></BlockList>",
                   x.pieces[0].tag, x.pieces[1].tag);
    CHECK_STR(box_target(&b, 3), "/acct/data/big?comp=blocklist");
    CHECK_STR(box_body(&b, 3), body);
    CHECK_STR(box_header(&b, 3, "x-ms-blob-content-md5"), BOX_MD5_64);
    CHECK_STR(box_header(&b, 3, "x-ms-meta-rivetowner"), BOX_OWNER);
    CHECK_STR(box_header(&b, 3, "x-ms-access-tier"), "Cold");
    CHECK_STR(box_header(&b, 3, "If-None-Match"), "*");
    CHECK_STR(http_peer_request(b.p, 4)->method, "HEAD");
    stop(&x);
    box_end(&b);
}

RV_TEST(ends_of_an_upload)
{
    store_box b;
    upload x;
    rv_store_outcome out;
    REQUIRE(begin(&b, (rv_cfg_dest){0}));
    REQUIRE(start(&b, &x));
    http_peer_say(b.p, refusal(201, "Content-MD5: AAAAAAAAAAAAAAAAAAAAAA==\r\n", ""));
    CHECK_EQ(part(&b, &x, 0, &out), RV_E_DEST_CORRUPT);
    http_peer_say(b.p, refusal(400, "x-ms-error-code: InvalidBlockList\r\n", ""));
    CHECK_EQ(finish(&b, &x, &out), RV_OK);
    CHECK_EQ(out, RV_STORE_MISSING);
    http_peer_say(b.p, refusal(409, "x-ms-error-code: BlobAlreadyExists\r\n", ""));
    CHECK_EQ(finish(&b, &x, &out), RV_OK);
    CHECK_EQ(out, RV_STORE_UNMET);
    /* who may not read cannot compare */
    http_peer_say(b.p, refusal(201, NULL, ""));
    http_peer_say(b.p, refusal(403, "x-ms-error-code: AuthorizationPermissionMismatch\r\n", ""));
    CHECK_EQ(finish(&b, &x, &out), RV_OK);
    CHECK_EQ(out, RV_STORE_DONE);
    http_peer_say(b.p, refusal(201, NULL, ""));
    http_peer_say(b.p, refusal(200, "Content-MD5: " BOX_MD5_64 "\r\n", "longer"));
    CHECK_EQ(finish(&b, &x, &out), RV_E_DEST_CORRUPT);
    /* the list is sent again when its answer is lost */
    http_peer_say(b.p, (http_answer){.cut = true});
    http_peer_say(b.p, refusal(409, "x-ms-error-code: BlobAlreadyExists\r\n", ""));
    CHECK_EQ(finish(&b, &x, &out), RV_OK);
    CHECK_EQ(out, RV_STORE_UNMET);
    size_t so_far = http_peer_count(b.p);
    CHECK_EQ(b.ops->upload_abort(b.s, b.h, "big", "", &out, &b.err), RV_OK);
    CHECK_EQ(http_peer_count(b.p), so_far);
    stop(&x);
    box_end(&b);
}

RV_TEST(heads)
{
    store_box b;
    rv_object o = {.key = "kept"};
    rv_store_outcome out;
    REQUIRE(begin(&b, (rv_cfg_dest){.allow_anonymous = true}));
    http_peer_say(b.p, refusal(200,
                               "ETag: \"0x8D\"\r\nx-ms-meta-rivetowner: not ours at all and "
                               "far too long to be\r\nContent-MD5: short\r\n",
                               "12345"));
    CHECK_EQ(b.ops->head(b.s, b.h, "x", &o, &out, &b.err), RV_OK);
    CHECK_STR(o.key, "kept");
    CHECK_STR(o.owner, "");
    CHECK_STR(o.md5, "");
    CHECK_STR(o.version, "\"0x8D\"");
    CHECK_EQ(o.size_bytes, 5);
    CHECK_STR(box_header(&b, 0, "Authorization"), "");
    http_peer_say(b.p, refusal(404, NULL, ""));
    CHECK_EQ(b.ops->head(b.s, b.h, "x", &o, &out, &b.err), RV_OK);
    CHECK_EQ(out, RV_STORE_MISSING);
    http_peer_say(b.p, refusal(404, "x-ms-error-code: ContainerNotFound\r\n", ""));
    CHECK_EQ(b.ops->head(b.s, b.h, "x", &o, &out, &b.err), RV_E_DEST_NO_BUCKET);
    CHECK(strstr(b.err.hint, "container 'data'") != NULL);
    box_end(&b);
}

#ifdef RV_FAULTS
/* libcurl asks again by itself when a kept connection fails it */
static void say_on(store_box *b, http_answer a)
{
    a.repeat = HTTP_FOREVER;
    http_peer_say(b->p, a);
}

static rv_status all_kinds(store_box *b)
{
    rv_store_outcome out;
    rv_object_list l = {0};
    rv_buf token = RV_BUF_INIT;
    upload x;
    rv_status st;
    RV_GO(box_open(b, (rv_cfg_dest){.account_key_env = "KEY"}, "/acct"));
    b->ops->set_tries(b->s, 1);
    say_on(b, refusal(201, NULL, ""));
    RV_GO(box_put(b, RV_STORE_IF_ABSENT, &out));
    say_on(b, refusal(200, NULL,
                      PAGE(BLOB("a b/x", "")) "<NextMarker>m</NextMarker>"
                                              "</EnumerationResults>"));
    RV_GO(list(b, &l, &token));
    say_on(b, refusal(202, "x-ms-copy-status: success\r\n", ""));
    RV_GO(copy(b, &out));
    if (start(b, &x)) {
        say_on(b, refusal(201, NULL, ""));
        st = part(b, &x, 0, &out);
        stop(&x);
        RV_GO(st);
    } else {
        RV_GO(b->err.code);
    }
done:
    rv_object_list_free(&l);
    rv_buf_free(&token);
    return st;
}

RV_TEST(every_allocation)
{
    box_sweep(&rv_store_azure, "KEY", KEY, all_kinds);
}
#else
RV_TEST(every_allocation)
{
    SKIP("built without faults");
}
#endif

RV_TEST_MAIN(RV_CASE(a_put_says_all_that_is_known), RV_CASE(answers_to_a_put),
             RV_CASE(a_damaged_upload_is_sent_once_more), RV_CASE(storms_pass),
             RV_CASE(the_clock_of_the_store_counts), RV_CASE(a_download_goes_on_where_it_broke),
             RV_CASE(answers_to_a_get), RV_CASE(pages_of_a_listing),
             RV_CASE(listings_that_are_none), RV_CASE(a_copy_is_awaited),
             RV_CASE(blocks_and_their_list), RV_CASE(ends_of_an_upload), RV_CASE(heads),
             RV_CASE(every_allocation))
