/* What the GCS store makes of answers, good, bad and hostile, and what it sends. */
#include "destination/gcs/gcs_internal.h"

#include "store_box.h"

#define STORED "{\"name\":\"x\",\"size\":\"5\",\"md5Hash\":\"" BOX_MD5_64 "\",\"generation\":\"8\"}"
#define ERROR(reason, message)                                                                     \
    "{\"error\":{\"code\":1,\"message\":\"" message "\",\"errors\":[{\"reason\":\"" reason "\"}]}" \
    "}"

static bool begin(store_box *b, rv_cfg_dest cfg)
{
    cfg.allow_anonymous = true;
    return box_begin(b, &rv_store_gcs) && box_open(b, cfg, "") == RV_OK;
}

static http_answer say(int status, const char *headers, const char *body)
{
    return (http_answer){.status = status, .headers = headers, .body = body};
}

/* ---- put ---- */

RV_TEST(a_put_says_all_that_is_known)
{
    store_box b;
    rv_store_outcome out;
    char want[1024];
    REQUIRE(begin(&b, (rv_cfg_dest){.storage_class = "NEARLINE", .kms_key_name = "projects/k/1"}));
    http_peer_say(b.p, say(200, NULL, STORED));
    CHECK_EQ(box_put(&b, RV_STORE_IF_ABSENT, &out), RV_OK);
    CHECK_EQ(out, RV_STORE_DONE);
    CHECK_STR(http_peer_request(b.p, 0)->method, "POST");
    CHECK_STR(box_target(&b, 0), "/upload/storage/v1/b/data/o?uploadType=multipart&fields=name,"
                                 "size,md5Hash,generation,metadata&ifGenerationMatch=0&kmsKeyName="
                                 "projects%2Fk%2F1");
    const char *kind = box_header(&b, 0, "Content-Type");
    REQUIRE(strncmp(kind, "multipart/related; boundary=", 28) == 0);
    (void)snprintf(want, sizeof want,
                   "--%s\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{\"name\":"
                   "\"day 1/part\",\"contentType\":\"text/plain\",\"md5Hash\":\"" BOX_MD5_64
                   "\",\"storageClass\":\"NEARLINE\",\"metadata\":{\"rivet-owner\":\"" BOX_OWNER
                   "\"}}\r\n--%s\r\nContent-Type: text/plain\r\n\r\nhello\r\n--%s--\r\n",
                   kind + 28, kind + 28, kind + 28);
    CHECK_STR(box_body(&b, 0), want);
    http_peer_say(b.p, say(200, NULL, STORED));
    CHECK_EQ(box_put(&b, RV_STORE_IF_VERSION, &out), RV_OK);
    CHECK(strstr(box_target(&b, 1), "&ifGenerationMatch=7&") != NULL);
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
        const char *text, *hint;
    } cases[] = {
        {412, NULL, ERROR("conditionNotMet", "At least one"), RV_STORE_IF_ABSENT, RV_OK,
         RV_STORE_UNMET, "", ""},
        {412, NULL, ERROR("conditionNotMet", "At least one"), RV_STORE_ALWAYS, RV_E_DEST_IO, 0,
         "412 At least one", ""},
        {403, NULL,
         ERROR("forbidden", "sa@project does not have storage.objects.create access to the Google "
                            "Cloud Storage object. Permission 'storage.objects.create' denied."),
         RV_STORE_IF_ABSENT, RV_E_DEST_PERMISSION, 0,
         "storage.objects.create denied for sa@project", "grant Storage Object Creator"},
        /* to replace takes the right to delete: there is something */
        {403, NULL,
         ERROR("forbidden", "sa@p does not have storage.objects.delete access to the Google Cloud "
                            "Storage object."),
         RV_STORE_IF_ABSENT, RV_OK, RV_STORE_UNMET, "", ""},
        {403, NULL,
         ERROR("forbidden", "sa@p does not have storage.objects.delete access to the Google Cloud "
                            "Storage object."),
         RV_STORE_IF_VERSION, RV_E_DEST_PERMISSION, 0, "storage.objects.delete denied for sa@p",
         "grant Storage Object User"},
        {403, NULL, "<html>", RV_STORE_ALWAYS, RV_E_DEST_PERMISSION, 0, "403 Forbidden", ""},
        {404, NULL, ERROR("notFound", "The specified bucket does not exist."), RV_STORE_IF_ABSENT,
         RV_E_DEST_NO_BUCKET, 0, "bucket does not exist", "bucket 'data'"},
        {404, NULL, "", RV_STORE_ALWAYS, RV_E_DEST_NO_BUCKET, 0, "404", ""},
        {501, NULL, "", RV_STORE_IF_ABSENT, RV_OK, RV_STORE_UNCONDITIONAL, "", ""},
        {401, NULL, ERROR("authError", "Invalid Credentials"), RV_STORE_ALWAYS, RV_E_DEST_AUTH, 0,
         "Invalid Credentials", "anonymous"},
        {302, "Location: http://elsewhere.example/\r\n", "", RV_STORE_ALWAYS, RV_E_DEST_IO, 0,
         "redirects are not followed", ""},
        {400, NULL, "{\"error\":[[[[", RV_STORE_ALWAYS, RV_E_DEST_IO, 0, "400 Bad Request", ""},
        {200, NULL, "{\"size\":\"6\",\"generation\":\"1\"}", RV_STORE_ALWAYS, RV_E_DEST_CORRUPT, 0,
         "6 bytes", ""},
        {200, NULL,
         "{\"size\":\"5\",\"generation\":\"1\",\"md5Hash\":\"AAAAAAAAAAAAAAAAAAAAAA==\"}",
         RV_STORE_ALWAYS, RV_E_DEST_CORRUPT, 0, "not what was sent", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        store_box b;
        rv_store_outcome out;
        REQUIRE(begin(&b, (rv_cfg_dest){0}));
        http_answer a = say(cases[i].status, cases[i].headers, cases[i].body);
        a.repeat = cases[i].status == 401 ? 1 : 0;
        http_peer_say(b.p, a);
        CHECK_EQ(box_put(&b, cases[i].condition, &out), cases[i].want);
        if (cases[i].want == RV_OK)
            CHECK_EQ(out, cases[i].outcome);
        CHECK(strstr(b.err.text, cases[i].text) != NULL);
        CHECK(strstr(b.err.hint, cases[i].hint) != NULL);
        box_end(&b);
    }
}

RV_TEST(what_passes)
{
    store_box b;
    rv_store_outcome out;
    const http_answer damaged =
        say(400, NULL,
            ERROR("invalid", "Provided MD5 hash \\\"a\\\" doesn't match calculated MD5 "
                             "hash \\\"b\\\"."));
    REQUIRE(begin(&b, (rv_cfg_dest){0}));
    http_peer_say(b.p, say(429, "Retry-After: 3\r\n", ""));
    http_peer_say(b.p, say(403, NULL, ERROR("rateLimitExceeded", "slow down")));
    http_peer_say(b.p, damaged);
    http_peer_say(b.p, say(200, NULL, STORED));
    CHECK_EQ(box_put(&b, RV_STORE_ALWAYS, &out), RV_OK);
    CHECK_EQ(b.waits[0], 3000000);
    CHECK_EQ(b.ops->retries(b.s), 3);
    http_peer_say(b.p, damaged);
    http_peer_say(b.p, damaged);
    CHECK_EQ(box_put(&b, RV_STORE_ALWAYS, &out), RV_E_DEST_CORRUPT);
    CHECK_EQ(http_peer_count(b.p), 6);
    /* an answer that says nothing is settled by asking */
    http_peer_say(b.p, say(200, NULL, "ok"));
    http_peer_say(b.p, say(200, NULL, STORED));
    CHECK_EQ(box_put(&b, RV_STORE_ALWAYS, &out), RV_OK);
    http_peer_say(b.p, say(200, NULL, ""));
    http_peer_say(b.p, say(403, NULL, ""));
    CHECK_EQ(box_put(&b, RV_STORE_ALWAYS, &out), RV_OK);
    http_peer_say(b.p, (http_answer){.status = 503, .repeat = HTTP_FOREVER});
    CHECK_EQ(box_put(&b, RV_STORE_ALWAYS, &out), RV_E_DEST_UNREACHABLE);
    CHECK_EQ(b.err.retry, RV_RETRY_N);
    box_end(&b);
}

/* ---- the other requests ---- */

RV_TEST(heads_and_downloads)
{
    store_box b;
    rv_object o = {.key = "kept"};
    rv_buf got = RV_BUF_INIT;
    rv_store_outcome out;
    REQUIRE(begin(&b, (rv_cfg_dest){0}));
    http_peer_say(b.p, say(200, NULL,
                           "{\"size\":\"18446744073709551615\",\"generation\":\"9\",\"metadata\":"
                           "{\"rivet-owner\":7}}"));
    CHECK_EQ(b.ops->head(b.s, b.h, "a/b c", &o, &out, &b.err), RV_OK);
    CHECK_STR(o.key, "kept");
    CHECK_STR(o.version, "9");
    CHECK_STR(o.owner, "");
    CHECK(o.size_bytes == UINT64_MAX);
    CHECK_STR(box_target(&b, 0), "/storage/v1/b/data/o/a%2Fb%20c?fields=name,size,md5Hash,"
                                 "generation,metadata");
    http_peer_say(b.p, say(200, NULL, "{\"size\":\"-1\",\"generation\":\"9\"}"));
    CHECK_EQ(b.ops->head(b.s, b.h, "x", &o, &out, &b.err), RV_E_DEST_IO);
    http_peer_say(b.p, say(404, NULL, ERROR("notFound", "No such object: data/x")));
    CHECK_EQ(b.ops->head(b.s, b.h, "x", &o, &out, &b.err), RV_OK);
    CHECK_EQ(out, RV_STORE_MISSING);
    /* a download that breaks goes on with the same generation */
    const rv_sink sink = {&got, box_gather};
    http_peer_say(b.p, (http_answer){.status = 206,
                                     .headers = "Content-Range: bytes 0-9/10\r\n"
                                                "x-goog-generation: 9\r\n",
                                     .body = "0123456789",
                                     .cut_after = 4});
    http_peer_say(b.p, say(206, "Content-Range: bytes 4-9/10\r\n", "456789"));
    CHECK_EQ(b.ops->get(b.s, b.h, "x", 0, 10, sink, &out, &b.err), RV_OK);
    CHECK_MEM(got.ptr, got.len, "0123456789", 10);
    CHECK_STR(box_target(&b, 4), "/storage/v1/b/data/o/x?alt=media&ifGenerationMatch=9");
    http_peer_say(b.p,
                  say(404, "Content-Type: text/plain\r\n", "The specified bucket does not exist."));
    CHECK_EQ(b.ops->get(b.s, b.h, "x", 0, 10, sink, &out, &b.err), RV_E_DEST_NO_BUCKET);
    rv_buf_free(&got);
    box_end(&b);
}

static rv_status list(store_box *b, rv_object_list *l, rv_buf *token)
{
    rv_store_page page = {l, token};
    return b->ops->list(b->s, b->h, "a/", &page, &b->err);
}

RV_TEST(listings)
{
    static const char *const bad[] = {"", "[]", "{\"items\":7}",
                                      "{\"items\":[{\"name\":\"a/x\"}]}"};
    store_box b;
    rv_object_list l = {0};
    rv_buf token = RV_BUF_INIT;
    REQUIRE(begin(&b, (rv_cfg_dest){0}));
    http_peer_say(b.p, say(200, NULL,
                           "{\"nextPageToken\":\"n/1\",\"prefixes\":[\"a/sub/\"],\"items\":[7,"
                           "{\"name\":\"a/\",\"size\":\"0\",\"generation\":\"1\"},"
                           "{\"name\":\"b/foreign\",\"size\":\"0\",\"generation\":\"1\"},"
                           "{\"name\":\"a/x\",\"size\":\"5\",\"generation\":\"2\",\"metadata\":"
                           "{\"rivet-owner\":\"" BOX_OWNER "\"}}]}"));
    http_peer_say(b.p, say(200, NULL, "{}"));
    CHECK_EQ(list(&b, &l, &token), RV_OK);
    CHECK(rv_str_eq(rv_buf_str(&token), RV_STR("n/1")));
    CHECK_EQ(list(&b, &l, &token), RV_OK);
    CHECK_EQ(token.len, 0);
    REQUIRE(l.n == 1);
    CHECK_STR(l.items[0].key, "x");
    CHECK_STR(l.items[0].owner, BOX_OWNER);
    CHECK(strstr(box_target(&b, 0), "?delimiter=%2F&maxResults=1000&") != NULL);
    CHECK(strstr(box_target(&b, 1), "&prefix=a%2F&pageToken=n%2F1") != NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        http_peer_say(b.p, say(200, NULL, bad[i]));
        CHECK_EQ(list(&b, &l, &token), RV_E_DEST_IO);
    }
    rv_object_list_free(&l);
    rv_buf_free(&token);
    box_end(&b);
}

RV_TEST(a_copy_of_many_steps)
{
    store_box b;
    rv_store_outcome out;
    const rv_object o = {.version = "9"};
    REQUIRE(begin(&b, (rv_cfg_dest){.kms_key_name = "k"}));
    http_peer_say(b.p, say(200, NULL, "{\"done\":false,\"rewriteToken\":\"t/1\"}"));
    http_peer_say(b.p, say(200, NULL, "{\"done\":true}"));
    CHECK_EQ(b.ops->copy(b.s, b.h, "a", &o, "q/a", &out, &b.err), RV_OK);
    CHECK_EQ(out, RV_STORE_DONE);
    CHECK_STR(box_target(&b, 0), "/storage/v1/b/data/o/a/rewriteTo/b/data/o/q%2Fa?ifGenerationMatch"
                                 "=0&ifSourceGenerationMatch=9&destinationKmsKeyName=k");
    CHECK(strstr(box_target(&b, 1), "&rewriteToken=t%2F1") != NULL);
    http_peer_say(b.p, say(200, NULL, "{}"));
    CHECK_EQ(b.ops->copy(b.s, b.h, "a", &o, "q/a", &out, &b.err), RV_E_DEST_IO);
    http_peer_say(b.p, say(412, NULL, ""));
    CHECK_EQ(b.ops->copy(b.s, b.h, "a", &o, "q/a", &out, &b.err), RV_OK);
    CHECK_EQ(out, RV_STORE_UNMET);
    box_end(&b);
}

/* ---- sessions ---- */

#define GRAIN ((size_t)256 * 1024)
#define WHOLE (GRAIN * 2 + 5)
#define DONE "{\"size\":\"524293\",\"generation\":\"8\",\"md5Hash\":\"XUFAKrxLKna5cZ2REBfFkg==\"}"

typedef struct upload {
    int fd;
    rv_store_write w;
    rv_store_piece pieces[2]; /* of two grains and of five bytes */
    rv_buf id;
} upload;

/* The host of the Location is another one: it must never be asked. */
#define PLACE "Location: http://127.0.0.1:1/upload/storage/v1/b/data/o?x=1&upload_id=secret-id\r\n"

static bool start(store_box *b, upload *x)
{
    static uint8_t data[WHOLE];
    rv_store_outcome out;
    *x = (upload){.w = box_write("big", RV_STORE_IF_ABSENT)};
    memset(data, 'x', sizeof data);
    if (rv_file_scratch("/tmp", &x->fd, &b->err) != RV_OK ||
        rv_file_write(x->fd, data, sizeof data, "scratch", &b->err) != RV_OK)
        return false;
    x->w.fd = x->fd;
    x->w.size_bytes = WHOLE;
    x->pieces[0] = (rv_store_piece){.len = GRAIN * 2};
    x->pieces[1] = (rv_store_piece){.index = 1, .offset = GRAIN * 2, .len = 5, .last = true};
    http_answer place = say(200, PLACE, "");
    place.repeat = HTTP_FOREVER; /* libcurl sends it again when memory fails behind it */
    http_peer_say(b->p, place);
    return b->ops->upload_begin(b->s, b->h, &x->w, &x->id, &out, &b->err) == RV_OK &&
           out == RV_STORE_DONE && rv_buf_cstr(&x->id);
}

static void stop(upload *x)
{
    rv_file_close(x->fd);
    rv_buf_free(&x->id);
}

static rv_status part(store_box *b, upload *x, size_t i, rv_store_outcome *out)
{
    *out = RV_STORE_UNCONDITIONAL;
    return b->ops->upload_part(b->s, b->h, &x->w, rv_buf_cstr(&x->id), &x->pieces[i], out, &b->err);
}

static rv_status finish(store_box *b, upload *x, rv_store_outcome *out)
{
    *out = RV_STORE_UNCONDITIONAL;
    return b->ops->upload_finish(b->s, b->h, &x->w, rv_buf_cstr(&x->id), x->pieces, 2, out,
                                 &b->err);
}

static uint64_t sent(store_box *b, size_t i)
{
    const http_seen *seen = http_peer_request(b->p, i);
    return seen ? seen->body_total : 0;
}

RV_TEST(a_session)
{
    store_box b;
    upload x;
    rv_store_outcome out;
    REQUIRE(begin(&b, (rv_cfg_dest){0}));
    REQUIRE(start(&b, &x));
    CHECK_STR(box_target(&b, 0),
              "/upload/storage/v1/b/data/o?uploadType=resumable&name=big&ifGenerationMatch=0");
    CHECK_STR(box_header(&b, 0, "X-Upload-Content-Length"), "524293");
    CHECK_STR(box_header(&b, 0, "X-Upload-Content-Type"), "text/plain");
    CHECK(strstr(box_body(&b, 0), "\"md5Hash\":\"" BOX_MD5_64 "\"") != NULL);
    CHECK_STR(rv_buf_cstr(&x.id), "/upload/storage/v1/b/data/o?x=1&upload_id=secret-id");
    http_peer_say(b.p, say(308, "Range: bytes=0-524287\r\n", ""));
    CHECK_EQ(part(&b, &x, 0, &out), RV_OK);
    CHECK_EQ(out, RV_STORE_DONE);
    CHECK_STR(box_target(&b, 1), "/upload/storage/v1/b/data/o?x=1&upload_id=secret-id");
    CHECK_STR(box_header(&b, 1, "Content-Range"), "bytes 0-524287/524293");
    CHECK_EQ(sent(&b, 1), GRAIN * 2);
    CHECK_EQ(part(&b, &x, 1, &out), RV_OK); /* held back: with it the object appears */
    CHECK_EQ(http_peer_count(b.p), 2);
    http_peer_say(b.p, say(200, NULL, DONE));
    CHECK_EQ(finish(&b, &x, &out), RV_OK);
    CHECK_EQ(out, RV_STORE_DONE);
    CHECK_STR(box_header(&b, 2, "Content-Range"), "bytes 524288-524292/524293");
    CHECK_EQ(sent(&b, 2), 5);
    CHECK(box_hides(&b, "secret-id"));
    stop(&x);
    box_end(&b);
}

RV_TEST(a_session_that_keeps_less)
{
    store_box b;
    upload x;
    rv_store_outcome out;
    REQUIRE(begin(&b, (rv_cfg_dest){0}));
    REQUIRE(start(&b, &x));
    http_peer_say(b.p, say(308, "Range: bytes=0-262143\r\n", ""));
    http_peer_say(b.p, say(308, "Range: bytes=0-524287\r\n", ""));
    CHECK_EQ(part(&b, &x, 0, &out), RV_OK);
    CHECK_STR(box_header(&b, 2, "Content-Range"), "bytes 262144-524287/524293");
    CHECK_EQ(sent(&b, 2), GRAIN);
    /* nothing at all, and even less than before */
    http_peer_say(b.p, say(308, "Range: bytes=0-262143\r\n", ""));
    http_peer_say(b.p, say(308, NULL, ""));
    http_peer_say(b.p, say(200, NULL, DONE));
    CHECK_EQ(finish(&b, &x, &out), RV_OK);
    CHECK_STR(box_header(&b, 4, "Content-Range"), "bytes 262144-524292/524293");
    CHECK_STR(box_header(&b, 5, "Content-Range"), "bytes 0-524292/524293");
    stop(&x);
    box_end(&b);
}

RV_TEST(a_session_that_breaks_is_asked)
{
    store_box b;
    upload x;
    rv_store_outcome out;
    REQUIRE(begin(&b, (rv_cfg_dest){0}));
    REQUIRE(start(&b, &x));
    http_peer_say(b.p, say(503, "Retry-After: 2\r\n", ""));
    http_peer_say(b.p, say(503, NULL, "")); /* of the question */
    http_peer_say(b.p, say(308, "Range: bytes=0-262143\r\n", ""));
    http_peer_say(b.p, say(308, "Range: bytes=0-524287\r\n", ""));
    CHECK_EQ(part(&b, &x, 0, &out), RV_OK);
    CHECK_EQ(out, RV_STORE_DONE);
    CHECK_STR(box_header(&b, 2, "Content-Range"), "bytes */524293");
    CHECK_EQ(sent(&b, 2), 0);
    CHECK_STR(box_header(&b, 3, "Content-Range"), "bytes */524293");
    CHECK_STR(box_header(&b, 4, "Content-Range"), "bytes 262144-524287/524293");
    CHECK_EQ(b.waits[0], 2000000);
    /* the answer to the last chunk is lost: the question finds the object there */
    http_peer_say(b.p, (http_answer){.status = 200, .body = DONE, .cut_after = 3, .close = true});
    http_peer_say(b.p, say(200, NULL, DONE));
    CHECK_EQ(finish(&b, &x, &out), RV_OK);
    CHECK_EQ(out, RV_STORE_DONE);
    CHECK_STR(box_header(&b, 6, "Content-Range"), "bytes */524293");
    stop(&x);
    box_end(&b);
}

RV_TEST(ends_of_a_session)
{
    store_box b;
    upload x;
    rv_store_outcome out;
    REQUIRE(begin(&b, (rv_cfg_dest){0}));
    REQUIRE(start(&b, &x));
    static const int gone[] = {404, 410, 499};
    for (size_t i = 0; i < 3; i++) {
        http_peer_say(b.p, say(gone[i], NULL, ""));
        CHECK_EQ(part(&b, &x, 0, &out), RV_OK);
        CHECK_EQ(out, RV_STORE_MISSING);
    }
    http_peer_say(b.p, say(412, NULL, ""));
    CHECK_EQ(finish(&b, &x, &out), RV_OK);
    CHECK_EQ(out, RV_STORE_UNMET);
    http_peer_say(b.p, say(200, NULL,
                           "{\"size\":\"524293\",\"generation\":\"8\",\"md5Hash\":"
                           "\"AAAAAAAAAAAAAAAAAAAAAA==\"}"));
    CHECK_EQ(finish(&b, &x, &out), RV_E_DEST_CORRUPT);
    /* one that never goes on ends */
    http_peer_say(
        b.p,
        (http_answer){.status = 308, .headers = "Range: bytes=0-99\r\n", .repeat = HTTP_FOREVER});
    CHECK_EQ(part(&b, &x, 0, &out), RV_E_DEST_UNREACHABLE);
    http_peer_say(b.p, say(499, NULL, ""));
    CHECK_EQ(b.ops->upload_abort(b.s, b.h, "big", rv_buf_cstr(&x.id), &out, &b.err), RV_OK);
    CHECK_EQ(out, RV_STORE_DONE);
    http_peer_say(b.p, say(404, NULL, ""));
    CHECK_EQ(b.ops->upload_abort(b.s, b.h, "big", rv_buf_cstr(&x.id), &out, &b.err), RV_OK);
    CHECK_EQ(out, RV_STORE_MISSING);
    CHECK_EQ(b.ops->upload_abort(b.s, b.h, "big", "no-such-upload", &out, &b.err), RV_OK);
    CHECK_EQ(out, RV_STORE_MISSING);
    stop(&x);
    box_end(&b);
}

RV_TEST(sessions_without_a_place)
{
    static const char *const places[] = {NULL, "Location: nowhere\r\n",
                                         "Location: http://host\r\n"};
    for (size_t i = 0; i < 3; i++) {
        store_box b;
        rv_store_outcome out;
        rv_buf id = RV_BUF_INIT;
        rv_store_write w = box_write("big", RV_STORE_IF_ABSENT);
        REQUIRE(begin(&b, (rv_cfg_dest){0}));
        http_peer_say(b.p, say(200, places[i], ""));
        CHECK_EQ(b.ops->upload_begin(b.s, b.h, &w, &id, &out, &b.err), RV_E_DEST_IO);
        rv_buf_free(&id);
        box_end(&b);
    }
}

#ifdef RV_FAULTS
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
    upload x = {.fd = -1};
    rv_status st;
    RV_GO(box_open(b, (rv_cfg_dest){.allow_anonymous = true}, ""));
    b->ops->set_tries(b->s, 1);
    say_on(b, say(200, NULL, STORED));
    RV_GO(box_put(b, RV_STORE_IF_ABSENT, &out));
    say_on(b, say(200, NULL,
                  "{\"nextPageToken\":\"n\",\"items\":[{\"name\":\"a/x\",\"size\":\"5\","
                  "\"generation\":\"2\"}]}"));
    RV_GO(list(b, &l, &token));
    if (!start(b, &x)) {
        st = b->err.code;
        goto done;
    }
    say_on(b, say(308, "Range: bytes=0-524287\r\n", ""));
    RV_GO(part(b, &x, 0, &out));
    say_on(b, say(200, NULL, DONE));
    RV_GO(finish(b, &x, &out));
done:
    stop(&x);
    rv_object_list_free(&l);
    rv_buf_free(&token);
    return st;
}

RV_TEST(every_allocation)
{
    box_sweep(&rv_store_gcs, "NOTHING", "", all_kinds);
}
#else
RV_TEST(every_allocation)
{
    SKIP("built without faults");
}
#endif

RV_TEST_MAIN(RV_CASE(a_put_says_all_that_is_known), RV_CASE(answers_to_a_put), RV_CASE(what_passes),
             RV_CASE(heads_and_downloads), RV_CASE(listings), RV_CASE(a_copy_of_many_steps),
             RV_CASE(a_session), RV_CASE(a_session_that_keeps_less),
             RV_CASE(a_session_that_breaks_is_asked), RV_CASE(ends_of_a_session),
             RV_CASE(sessions_without_a_place), RV_CASE(every_allocation))
