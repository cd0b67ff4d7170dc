/* Large objects, lost answers, TLS and the want of memory, against a scripted peer. */
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "base/fault.h"
#include "s3_stand.h"

#define ERROR(code) "<Error><Code>" code "</Code><Message>words</Message></Error>"
#define COMPLETE(etag)                                                                             \
    "\n\n<?xml version=\"1.0\"?><CompleteMultipartUploadResult><ETag>&quot;" etag                  \
    "&quot;</ETag></CompleteMultipartUploadResult>"
#define MD5_WORLD "7d793037a0760186574b0282f2f435e7" /* of "world" */

/* The ETag of "hello" and "world" as two parts. */
static const char both[] = "065947336a2f2a95ba8899f3675c3be6-2";

static rv_store_write large(int fd)
{
    rv_store_write w = stand_hello(RV_STORE_IF_ABSENT);
    w.fd = fd;
    w.bytes = (rv_bytes){NULL, 0};
    w.size_bytes = 10;
    w.md5 = "fc5e038d38a57032085441e7fe7010b0";
    return w;
}

static int file_of(const char *text)
{
    int fd = memfd_create("part", MFD_CLOEXEC);
    CHECK_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    return fd;
}

static rv_store_piece piece(uint64_t index, const char *md5)
{
    rv_store_piece p = {.index = index, .offset = index * 5, .len = 5, .last = index == 1};
    (void)snprintf(p.md5, sizeof p.md5, "%s", md5);
    return p;
}

static rv_status part(stand *t, const rv_store_write *w, rv_store_piece *p)
{
    return rv_store_s3.upload_part(t->store, t->http, w, "id", p, &t->outcome, &t->err);
}

static rv_status finish(stand *t, const rv_store_write *w, const rv_store_piece *pieces)
{
    t->outcome = RV_STORE_UNMET;
    return rv_store_s3.upload_finish(t->store, t->http, w, "id", pieces, 2, &t->outcome, &t->err);
}

RV_TEST(in_parts)
{
    char answer[300];
    rv_buf id = RV_BUF_INIT;
    stand t;
    stand_init(&t);
    REQUIRE(stand_open(&t));
    rv_store_write w = large(file_of("helloworld"));
    rv_store_piece pieces[2] = {piece(0, MD5_HELLO), piece(1, MD5_WORLD)};
    stand_say(&t, 200, NULL,
              "<InitiateMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
              "<UploadId>id</UploadId></InitiateMultipartUploadResult>");
    CHECK_EQ(rv_store_s3.upload_begin(t.store, t.http, &w, &id, &t.outcome, &t.err), RV_OK);
    CHECK_STR(rv_buf_cstr(&id), "id");
    CHECK_STR(stand_target(&t, 0), "/bucket/dir/part%201.csv?uploads=");
    CHECK_STR(stand_header(&t, 0, "x-amz-meta-rivet-owner"), OWNER);
    CHECK_STR(stand_header(&t, 0, "x-amz-meta-rivet-md5"), w.md5);
    CHECK_STR(stand_header(&t, 0, "If-None-Match"), ""); /* judged at the end */
    stand_say(&t, 200, "ETag: \"" MD5_WORLD "\"\r\n", NULL);
    CHECK_EQ(part(&t, &w, &pieces[1]), RV_OK);
    CHECK_STR(stand_target(&t, 1), "/bucket/dir/part%201.csv?partNumber=2&uploadId=id");
    CHECK_STR(stand_header(&t, 1, "Content-MD5"), "fXkwN6B2AYZXSwKC8vQ15w==");
    const http_seen *s = http_peer_request(t.peer, 1);
    REQUIRE(s);
    CHECK_MEM(s->body, s->body_len, "world", 5);
    /* a part that arrived damaged is sent once more */
    stand_say(&t, 200, "ETag: \"ffffffffffffffffffffffffffffffff\"\r\n", NULL);
    stand_say(&t, 200, ETAG_HELLO, NULL);
    CHECK_EQ(part(&t, &w, &pieces[0]), RV_OK);
    CHECK_EQ(http_peer_count(t.peer), 4);
    (void)snprintf(answer, sizeof answer,
                   "  <CompleteMultipartUploadResult><ETag>\"%s\"</ETag>"
                   "</CompleteMultipartUploadResult>",
                   both);
    stand_say(&t, 200, NULL, answer);
    CHECK_EQ(finish(&t, &w, pieces), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_DONE);
    CHECK_STR(stand_header(&t, 4, "If-None-Match"), "*");
    s = http_peer_request(t.peer, 4);
    REQUIRE(s);
    CHECK_STR((const char *)s->body,
              "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
              "<Part><PartNumber>1</PartNumber><ETag>&quot;" MD5_HELLO "&quot;</ETag></Part>"
              "<Part><PartNumber>2</PartNumber><ETag>&quot;" MD5_WORLD "&quot;</ETag></Part>"
              "</CompleteMultipartUpload>");
    (void)close(w.fd);
    rv_buf_free(&id);
    stand_close(&t);
}

RV_TEST(the_end_of_an_upload)
{
    static const struct {
        int status;
        const char *headers, *body;
        rv_status want;
        rv_store_outcome outcome;
    } v[] = {{200, NULL, COMPLETE("ffffffffffffffffffffffffffffffff-2"), RV_E_DEST_CORRUPT, 0},
             {404, NULL, ERROR("NoSuchUpload"), RV_OK, RV_STORE_MISSING},
             {200, NULL, ERROR("NoSuchUpload"), RV_OK, RV_STORE_MISSING},
             {412, NULL, ERROR("PreconditionFailed"), RV_OK, RV_STORE_UNMET},
             {200, NULL, ERROR("PreconditionFailed"), RV_OK, RV_STORE_UNMET},
             {409, NULL, ERROR("ConditionalRequestConflict"), RV_OK, RV_STORE_UNMET},
             {501, NULL, ERROR("NotImplemented"), RV_OK, RV_STORE_UNCONDITIONAL},
             {200, NULL, ERROR("AccessDenied"), RV_E_DEST_PERMISSION, 0},
             {200, NULL, ERROR("InvalidPart"), RV_E_DEST_IO, 0},
             {200, NULL, "", RV_OK, RV_STORE_MISSING}, /* what came of it, a HEAD tells */
             {200, NULL, "<Complete", RV_OK, RV_STORE_MISSING},
             {404, NULL, ERROR("NoSuchBucket"), RV_E_DEST_NO_BUCKET, 0}};
    rv_store_piece pieces[2] = {piece(0, MD5_HELLO), piece(1, MD5_WORLD)};
    stand t;
    stand_init(&t);
    REQUIRE(stand_open(&t));
    rv_store_write w = large(-1);
    (void)snprintf(pieces[0].tag, sizeof pieces[0].tag, "a ");
    (void)snprintf(pieces[1].tag, sizeof pieces[1].tag, "b Q1JD");
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        stand_say(&t, v[i].status, v[i].headers, v[i].body);
        CHECK_EQ(finish(&t, &w, pieces), v[i].want);
        if (v[i].want == RV_OK)
            CHECK_EQ(t.outcome, v[i].outcome);
    }
    const http_seen *s = http_peer_request(t.peer, 0);
    REQUIRE(s);
    CHECK(strstr((const char *)s->body, "<ChecksumCRC32C>Q1JD</ChecksumCRC32C>") != NULL);
    /* an error behind a 200 passes like any other; then the work turns out to be done */
    size_t before = http_peer_count(t.peer);
    stand_say(&t, 200, NULL, "   " ERROR("InternalError"));
    stand_say(&t, 404, NULL, ERROR("NoSuchUpload"));
    CHECK_EQ(finish(&t, &w, pieces), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_MISSING);
    CHECK_EQ(http_peer_count(t.peer), before + 2);
    /* a lost answer */
    http_peer_say(t.peer, (http_answer){.cut = true});
    stand_say(&t, 404, NULL, ERROR("NoSuchUpload"));
    CHECK_EQ(finish(&t, &w, pieces), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_MISSING);
    /* where keys of KMS encrypt, the size is what can be compared */
    stand_say(&t, 200, "x-amz-server-side-encryption: aws:kms\r\n", COMPLETE("whatever-2"));
    stand_say(&t, 200, "ETag: \"whatever-2\"\r\n", "helloworld");
    CHECK_EQ(finish(&t, &w, pieces), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_DONE);
    stand_close(&t);
}

RV_TEST(tags_of_parts)
{
    static const char *const bad[] = {"ETag: \"<a>\"\r\n", "ETag: \"\"\r\n", NULL,
                                      "ETag: \"a b\"\r\nx-amz-server-side-encryption: aws:kms\r\n"};
    stand t;
    stand_init(&t);
    REQUIRE(stand_open(&t));
    rv_store_write w = large(file_of("helloworld"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rv_store_piece p = piece(0, MD5_HELLO);
        http_peer_say(t.peer, (http_answer){.headers = bad[i], .repeat = i == 0 ? 1 : 0});
        CHECK_EQ(part(&t, &w, &p), i == 0 ? RV_E_DEST_CORRUPT : RV_E_DEST_IO);
        CHECK_STR(p.tag, "");
    }
    rv_store_piece p = piece(0, MD5_HELLO);
    stand_say(&t, 404, NULL, ERROR("NoSuchUpload"));
    CHECK_EQ(part(&t, &w, &p), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_MISSING);
    (void)close(w.fd);
    stand_close(&t);
}

RV_TEST(abort_is_sent_after_an_interrupt)
{
    stand t;
    stand_init(&t);
    REQUIRE(stand_open(&t));
    rv_cancel_raise(t.env.cancel, SIGINT);
    stand_say(&t, 204, NULL, NULL);
    CHECK_EQ(rv_store_s3.upload_abort(t.store, t.http, "k", "a b", &t.outcome, &t.err), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_DONE);
    CHECK_STR(stand_target(&t, 0), "/bucket/k?uploadId=a%20b");
    stand_say(&t, 404, NULL, ERROR("NoSuchUpload"));
    CHECK_EQ(rv_store_s3.upload_abort(t.store, t.http, "k", "x", &t.outcome, &t.err), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_MISSING);
    CHECK_EQ(stand_put(&t, RV_STORE_ALWAYS), RV_E_INTERRUPTED);
    stand_close(&t);
}

/* The answer to the first try is lost: what it began is ended, what goes on is not. */
RV_TEST(an_upload_begun_twice)
{
    stand t;
    rv_buf id = RV_BUF_INIT;
    stand_init(&t);
    REQUIRE(stand_open(&t));
    rv_store_write w = stand_hello(RV_STORE_IF_ABSENT);
    http_peer_say(t.peer, (http_answer){.cut = true});
    stand_say(&t, 200, NULL,
              "<InitiateMultipartUploadResult><UploadId>two</UploadId>"
              "</InitiateMultipartUploadResult>");
    stand_say(&t, 200, NULL,
              "<ListMultipartUploadsResult><Upload><Key>k</Key><UploadId>one</UploadId></Upload>"
              "<Upload><Key>k</Key><UploadId>two</UploadId></Upload></ListMultipartUploadsResult>");
    http_peer_say(t.peer, (http_answer){.status = 204});
    w.name = "k";
    CHECK_EQ(rv_store_s3.upload_begin(t.store, t.http, &w, &id, &t.outcome, &t.err), RV_OK);
    CHECK_STR(rv_buf_cstr(&id), "two");
    CHECK_EQ(http_peer_count(t.peer), 4);
    CHECK_STR(stand_target(&t, 3), "/bucket/k?uploadId=one");
    rv_buf_free(&id);
    stand_close(&t);
}

/* Clearing away never waits as long as a store wishes. */
RV_TEST(an_abort_waits_shortly)
{
    stand t;
    stand_init(&t);
    REQUIRE(stand_open(&t));
    stand_say(&t, 503, "Retry-After: 60\r\n", ERROR("SlowDown"));
    http_peer_say(t.peer, (http_answer){.status = 204});
    CHECK_EQ(rv_store_s3.upload_abort(t.store, t.http, "k", "x", &t.outcome, &t.err), RV_OK);
    CHECK_EQ(t.n_waits, 1);
    CHECK(t.waits[0] <= 3000000);
    stand_close(&t);
}

RV_TEST(uploads_that_nobody_noted)
{
    stand t;
    stand_init(&t);
    REQUIRE(stand_open(&t));
    stand_say(&t, 200, NULL,
              "<ListMultipartUploadsResult><EncodingType>url</EncodingType>"
              "<Upload><Key>d/a+b</Key><UploadId>one</UploadId></Upload>"
              "<Upload><Key>d/a+b.other</Key><UploadId>two</UploadId></Upload>"
              "<Upload><Key>d/a+b</Key><UploadId>three</UploadId></Upload>"
              "</ListMultipartUploadsResult>");
    http_peer_say(t.peer, (http_answer){.status = 204, .repeat = 1});
    CHECK_EQ(rv_store_s3.upload_abort(t.store, t.http, "d/a b", "", &t.outcome, &t.err), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_DONE);
    CHECK_STR(stand_target(&t, 0), "/bucket?encoding-type=url&prefix=d%2Fa%20b&uploads=");
    CHECK_STR(stand_target(&t, 1), "/bucket/d/a%20b?uploadId=one");
    CHECK_STR(stand_target(&t, 2), "/bucket/d/a%20b?uploadId=three");
    stand_say(&t, 200, NULL,
              "<ListMultipartUploadsResult><EncodingType>url</EncodingType>"
              "<IsTruncated>true</IsTruncated><NextKeyMarker>d/a+b</NextKeyMarker>"
              "<NextUploadIdMarker>four</NextUploadIdMarker>"
              "<Upload><Key>d/a+b</Key><UploadId>four</UploadId></Upload>"
              "</ListMultipartUploadsResult>");
    http_peer_say(t.peer, (http_answer){.status = 204});
    stand_say(&t, 200, NULL,
              "<ListMultipartUploadsResult><EncodingType>url</EncodingType>"
              "<IsTruncated>true</IsTruncated><NextKeyMarker>d/a+c</NextKeyMarker>"
              "<NextUploadIdMarker>six</NextUploadIdMarker>"
              "<Upload><Key>d/a+b</Key><UploadId>five</UploadId></Upload>"
              "</ListMultipartUploadsResult>");
    http_peer_say(t.peer, (http_answer){.status = 204});
    CHECK_EQ(rv_store_s3.upload_abort(t.store, t.http, "d/a b", "", &t.outcome, &t.err), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_DONE);
    CHECK_STR(stand_target(&t, 4), "/bucket/d/a%20b?uploadId=four");
    CHECK_STR(stand_target(&t, 5), "/bucket?encoding-type=url&key-marker=d%2Fa%20b&prefix=d%2Fa%20b"
                                   "&upload-id-marker=four&uploads=");
    CHECK_STR(stand_target(&t, 6), "/bucket/d/a%20b?uploadId=five");
    stand_say(&t, 200, NULL, "<ListMultipartUploadsResult/>");
    CHECK_EQ(rv_store_s3.upload_abort(t.store, t.http, "d/a b", "", &t.outcome, &t.err), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_MISSING);
    stand_say(&t, 403, NULL, ERROR("AccessDenied")); /* who may not list, cannot tell */
    CHECK_EQ(rv_store_s3.upload_abort(t.store, t.http, "d/a b", "", &t.outcome, &t.err), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_MISSING);
    stand_close(&t);
}

RV_TEST(over_tls_a_file_is_not_hashed)
{
    const http_peer_opts tls = {.tls = true};
    stand t;
    stand_init(&t);
    t.peer = http_peer_start(&tls);
    REQUIRE(t.peer);
    const rv_http_opts opts = {.ca_file = http_peer_ca(t.peer)};
    t.cfg.endpoint = http_peer_url(t.peer, "");
    REQUIRE(rv_http_open(&t.env, &opts, &t.http, &t.err) == RV_OK);
    REQUIRE(stand_open_store(&t) == RV_OK);
    rv_store_write w = large(file_of("helloworld"));
    stand_say(&t, 200, "ETag: \"fc5e038d38a57032085441e7fe7010b0\"\r\n", NULL);
    CHECK_EQ(rv_store_s3.put(t.store, t.http, &w, &t.outcome, &t.err), RV_OK);
    CHECK_STR(stand_header(&t, 0, "x-amz-content-sha256"), "UNSIGNED-PAYLOAD");
    CHECK_STR(stand_header(&t, 0, "Content-MD5"), "/F4DjTilcDIIVEHn/nAQsA==");
    (void)close(w.fd);
    rv_http_close(t.http); /* one that does not know the authority */
    REQUIRE(rv_http_open(&t.env, NULL, &t.http, &t.err) == RV_OK);
    CHECK_EQ(stand_put(&t, RV_STORE_ALWAYS), RV_E_DEST_TLS);
    stand_close(&t);
}

RV_TEST(silence)
{
    stand t;
    stand_init(&t);
    REQUIRE(stand_open(&t));
    http_peer_say(t.peer, (http_answer){.cut = true});
    stand_say(&t, 412, NULL, ERROR("PreconditionFailed")); /* it had arrived */
    CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_UNMET);
    http_peer_say(t.peer, (http_answer){.cut = true, .repeat = HTTP_FOREVER});
    CHECK_EQ(stand_put(&t, RV_STORE_IF_ABSENT), RV_E_DEST_UNREACHABLE);
    CHECK_EQ(t.err.retry, RV_RETRY_N);
    stand_close(&t);
}

/* ---- memory ---- */

#ifdef RV_FAULTS
static rv_status everything(stand *t)
{
    rv_object_list l = {.n = 0};
    rv_buf token = RV_BUF_INIT, id = RV_BUF_INIT;
    rv_store_page page = {&l, &token};
    rv_object o = {.size_bytes = 0};
    rv_store_write w = stand_hello(RV_STORE_IF_ABSENT);
    rv_store_piece pieces[2] = {piece(0, MD5_HELLO), piece(1, MD5_WORLD)};
    rv_status st = rv_store_s3.list(t->store, t->http, "", &page, &t->err);
    st = st ? st : rv_store_s3.head(t->store, t->http, "k", &o, &t->outcome, &t->err);
    st = st ? st : rv_store_s3.upload_begin(t->store, t->http, &w, &id, &t->outcome, &t->err);
    (void)snprintf(pieces[0].tag, sizeof pieces[0].tag, "a ");
    (void)snprintf(pieces[1].tag, sizeof pieces[1].tag, "b ");
    st = st ? st : finish(t, &w, pieces);
    rv_object_list_free(&l);
    rv_buf_free(&token);
    rv_buf_free(&id);
    return st;
}

static void answer_all(void *ctx, const http_seen *seen, http_answer *a)
{
    (void)ctx;
    if (strcmp(seen->method, "HEAD") == 0) {
        a->headers = ETAG_HELLO;
        a->body = "hello";
    } else if (strstr(seen->target, "list-type")) {
        a->body = "<ListBucketResult><Contents><Key>x</Key><Size>5</Size><ETag>\"a\"</ETag>"
                  "</Contents></ListBucketResult>";
    } else if (strstr(seen->target, "uploads=")) {
        a->body = "<R><UploadId>id</UploadId></R>";
    } else {
        a->body = COMPLETE("065947336a2f2a95ba8899f3675c3be6-2");
    }
}

/* libcurl may take a failed allocation for "no data yet" and wait: that is interrupted. */
typedef struct watch {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool over;
    rv_cancel *cancel;
} watch;

static void *look_out(void *ctx)
{
    watch *w = ctx;
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 200000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_mutex_lock(&w->lock);
    while (!w->over && pthread_cond_timedwait(&w->done, &w->lock, &until) == 0)
        ;
    if (!w->over)
        rv_cancel_raise(w->cancel, SIGINT);
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

static rv_status watched(stand *t, long nth, long *seen)
{
    watch w = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    CHECK_EQ(rv_cancel_open(&w.cancel, &t->err), RV_OK);
    t->env.cancel = w.cancel;
    t->store = NULL;
    CHECK_EQ(pthread_create(&w.thread, NULL, look_out, &w), 0);
    rv_fault_set_alloc(nth, false);
    rv_status st = stand_open_store(t);
    if (st == RV_OK) {
        rv_store_s3.set_tries(t->store, 1);
        st = everything(t);
    }
    *seen = rv_fault_seen_alloc();
    rv_fault_set_alloc(0, false);
    (void)pthread_mutex_lock(&w.lock);
    w.over = true;
    (void)pthread_cond_signal(&w.done);
    (void)pthread_mutex_unlock(&w.lock);
    CHECK_EQ(pthread_join(w.thread, NULL), 0);
    rv_store_s3.close(t->store);
    t->store = NULL;
    t->env.cancel = NULL;
    rv_cancel_close(w.cancel);
    return st;
}

RV_TEST(every_allocation_may_fail)
{
    long nth = 1, seen = 0, failed = 0;
    stand t;
    stand_init(&t);
    rv_cancel *cancel = t.env.cancel;
    REQUIRE(stand_open(&t));
    rv_store_s3.close(t.store);
    http_peer_say(t.peer, (http_answer){.repeat = HTTP_FOREVER, .look = answer_all});
    CHECK_EQ(watched(&t, 0, &seen), RV_OK);
    for (; nth < 3000; nth++) {
        rv_status st = watched(&t, nth, &seen);
        /* libcurl itself may drop the query then (the signature would not hold): another answer */
        CHECK(st == RV_OK || st == RV_E_MEMORY || st == RV_E_DEST_UNREACHABLE ||
              st == RV_E_DEST_IO || st == RV_E_INTERRUPTED);
        failed += st == RV_E_MEMORY;
        if (seen < nth)
            break;
    }
    CHECK(nth < 3000 && failed > 50);
    t.env.cancel = cancel;
    stand_close(&t);
}
#else
RV_TEST(every_allocation_may_fail)
{
    SKIP("built without RV_FAULTS");
}
#endif

RV_TEST_MAIN(RV_CASE(in_parts), RV_CASE(the_end_of_an_upload), RV_CASE(tags_of_parts),
             RV_CASE(abort_is_sent_after_an_interrupt), RV_CASE(an_upload_begun_twice),
             RV_CASE(an_abort_waits_shortly), RV_CASE(uploads_that_nobody_noted),
             RV_CASE(over_tls_a_file_is_not_hashed), RV_CASE(silence),
             RV_CASE(every_allocation_may_fail))
