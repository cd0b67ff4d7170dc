/* Reading ahead: few requests, the right bytes, nothing stale. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "destination/cloud/cloud_internal.h"
#include "fake_desk.h"

#define BIG ((size_t)3 << 20)

static char *big_text(uint64_t seed)
{
    char *text = malloc(BIG + 1);
    for (size_t i = 0; text && i < BIG; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        text[i] = (char)('a' + (seed >> 40) % 26);
    }
    if (text)
        text[BIG] = '\0';
    return text;
}

static bool begin(fake_desk *t)
{
    if (!fake_desk_init(t, &rv_dest_fake))
        return false;
    fake_desk_open(t, "p");
    return true;
}

static size_t read_at(fake_desk *t, const char *key, uint64_t offset, uint8_t *out, size_t len)
{
    size_t got = 0;
    CHECK_EQ(t->driver->read(t->d, key, offset, out, len, &got, &t->err), RV_OK);
    return got;
}

/* From end to end in steps of one size: equal bytes, and how many requests that takes. */
static void walk(fake_desk *t, const char *text, size_t step, unsigned most)
{
    uint8_t *piece = malloc(step);
    uint64_t at = 0;
    size_t got = 0;
    rv_object o;
    bool found;
    CHECK(piece != NULL);
    CHECK_EQ(t->driver->stat(t->d, "big", &o, &found, &t->err), RV_OK);
    t->b.calls[FAKE_GET] = 0;
    do {
        got = read_at(t, "big", at, piece, step);
        if (got && memcmp(piece, text + at, got) != 0) {
            CHECK(false && "the bytes are equal");
            break;
        }
        at += got;
    } while (got == step);
    CHECK_EQ(at, BIG);
    CHECK(t->b.calls[FAKE_GET] <= most);
    free(piece);
}

RV_TEST(a_walk_takes_few_requests)
{
    fake_desk t;
    char *text = big_text(1);
    REQUIRE(text && begin(&t));
    fake_bucket_plant(&t.b, "p/big", text, MINE);
    walk(&t, text, 64, 5); /* windows of 256, 512, 1024, 2048 KiB */
    walk(&t, text, 1000, 5);
    walk(&t, text, 256 * 1024, 6);
    walk(&t, text, (size_t)2 << 20, 2);
    walk(&t, text, BIG + 100, 1);
    fake_desk_close(&t);
    free(text);
}

/* The footer first, then chunks forward: what a reader of Parquet does. */
RV_TEST(a_look_at_the_end_first)
{
    fake_desk t;
    uint8_t piece[5000];
    char *text = big_text(2);
    REQUIRE(text && begin(&t));
    fake_bucket_plant(&t.b, "p/big", text, MINE);
    CHECK_EQ(read_at(&t, "big", BIG - 8, piece, 8), 8);
    CHECK_MEM(piece, 8, text + BIG - 8, 8);
    CHECK_EQ(read_at(&t, "big", BIG - 5000, piece, 4992), 4992);
    CHECK_MEM(piece, 4992, text + BIG - 5000, 4992);
    CHECK_EQ(read_at(&t, "big", 4, piece, 100), 100);
    CHECK_MEM(piece, 100, text + 4, 100);
    CHECK_EQ(read_at(&t, "big", 104, piece, 5000), 5000);
    CHECK_MEM(piece, 5000, text + 104, 5000);
    CHECK_EQ(t.b.calls[FAKE_GET], 3);
    CHECK_EQ(read_at(&t, "big", BIG, piece, 10), 0);
    CHECK_EQ(read_at(&t, "big", BIG + 77, piece, 10), 0);
    CHECK_EQ(read_at(&t, "big", 77, piece, 0), 0);
    fake_desk_close(&t);
    free(text);
}

RV_TEST(nothing_stale)
{
    fake_desk t;
    uint8_t got[32];
    rv_object o;
    bool found;
    rv_put_outcome out;
    rv_remove_outcome removed;
    size_t len;
    REQUIRE(begin(&t));
    fake_bucket_plant(&t.b, "p/part", "first", MINE);
    CHECK_EQ(read_at(&t, "part", 0, got, 32), 5);
    fake_bucket_plant(&t.b, "p/part", "second", MINE); /* by somebody else; a look tells */
    CHECK_EQ(t.driver->stat(t.d, "part", &o, &found, &t.err), RV_OK);
    CHECK_EQ(read_at(&t, "part", 0, got, 32), 6);
    CHECK_MEM(got, 6, "second", 6);
    CHECK_EQ(fake_put_new(&t, "part", "number three", &out), RV_OK);
    CHECK_EQ(read_at(&t, "part", 0, got, 32), 12);
    CHECK_EQ(t.driver->remove(t.d, "part", MINE, NULL, 0, &removed, &t.err), RV_OK);
    CHECK_EQ(t.driver->read(t.d, "part", 0, got, 32, &len, &t.err), RV_E_DEST_IO);
    CHECK(strstr(t.err.text, "cannot read s3://bucket/p/part\nit is missing") == t.err.text);
    fake_bucket_plant(&t.b, "p/part", "four", MINE);
    CHECK_EQ(read_at(&t, "part", 0, got, 32), 4);
    CHECK_EQ(t.driver->move(t.d, "part", "q", &t.err), RV_OK);
    CHECK(t.driver->read(t.d, "part", 0, got, 32, &len, &t.err) != RV_OK);
    fake_desk_close(&t);
}

RV_TEST(failures_leave_nothing_behind)
{
    fake_desk t;
    uint8_t got[32];
    size_t len = 99;
    REQUIRE(begin(&t));
    fake_bucket_plant(&t.b, "p/part", "bytes", MINE);
    t.b.faults[0] = (fake_fault){.op = FAKE_GET, .nth = 1, .kind = FAKE_LOST};
    CHECK_EQ(t.driver->read(t.d, "part", 0, got, 32, &len, &t.err), RV_E_DEST_UNREACHABLE);
    CHECK_EQ(len, 99);
    CHECK_EQ(read_at(&t, "part", 0, got, 32), 5);
    t.b.denied[FAKE_GET] = true;
    CHECK_EQ(read_at(&t, "part", 1, got, 2), 2); /* what is here needs no right */
    CHECK_EQ(t.driver->read(t.d, "other", 0, got, 32, &len, &t.err), RV_E_DEST_PERMISSION);
    fake_desk_close(&t);
}

RV_TEST(nothing_is_read_on_after_a_signal)
{
    fake_desk t;
    uint8_t got[8];
    size_t len;
    rv_object_list l = {0};
    REQUIRE(begin(&t));
    REQUIRE(rv_cancel_open(&t.env.cancel, &t.err) == RV_OK);
    fake_bucket_plant(&t.b, "p/manifest.json", "bytes", MINE);
    fake_bucket_plant(&t.b, "p/other", "bytes", MINE);
    rv_cancel_raise(t.env.cancel, 15);
    CHECK_EQ(read_at(&t, "manifest.json", 0, got, 8), 5); /* what the end of a run needs */
    CHECK_EQ(t.driver->read(t.d, "manifest.json", 2, got, 8, &len, &t.err), RV_E_INTERRUPTED);
    CHECK_EQ(t.driver->list(t.d, "", &l, &t.err), RV_OK);
    rv_object_list_free(&l);
    t.b.page = 1;
    CHECK_EQ(t.driver->list(t.d, "", &l, &t.err), RV_E_INTERRUPTED);
    rv_cancel_close(t.env.cancel);
    t.env.cancel = NULL;
    fake_desk_close(&t);
}

/* ---- several readers ---- */

typedef struct reader {
    fake_desk *t;
    const char *text;
    char key[8];
    uint64_t seed;
    int wrong;
} reader;

static void *read_about(void *arg)
{
    reader *r = arg;
    uint8_t piece[4096];
    for (int i = 0; i < 300; i++) {
        size_t got = 0;
        rv_error err;
        r->seed = r->seed * 6364136223846793005u + 1442695040888963407u;
        uint64_t offset = (r->seed >> 33) % (BIG + 100);
        size_t len = (size_t)(r->seed >> 20) % sizeof piece;
        size_t left = offset < BIG ? BIG - (size_t)offset : 0;
        rv_status st = r->t->driver->read(r->t->d, r->key, offset, piece, len, &got, &err);
        r->wrong += st != RV_OK || got != (left < len ? left : len) ||
                    (got && memcmp(piece, r->text + offset, got) != 0);
        if (i % 50 == 7)
            rv_ahead_forget(&r->t->d->ahead, r->key);
    }
    return NULL;
}

RV_TEST(readers_do_not_disturb_each_other)
{
    enum { N = 12 }; /* more than there are slots */
    fake_desk t;
    reader r[N];
    pthread_t threads[N];
    char *one = big_text(3), *other = big_text(4);
    REQUIRE(one && other && begin(&t));
    fake_bucket_plant(&t.b, "p/k0", one, MINE);
    fake_bucket_plant(&t.b, "p/k1", other, MINE);
    for (int i = 0; i < N; i++) {
        r[i] = (reader){.t = &t, .text = i % 2 ? other : one, .seed = (uint64_t)i * 77 + 1};
        (void)snprintf(r[i].key, sizeof r[i].key, "k%d", i % 2);
        REQUIRE(pthread_create(&threads[i], NULL, read_about, &r[i]) == 0);
    }
    for (int i = 0; i < N; i++) {
        (void)pthread_join(threads[i], NULL);
        CHECK_EQ(r[i].wrong, 0);
    }
    CHECK(t.b.most_at_once <= 4);
    fake_desk_close(&t);
    free(one);
    free(other);
}

RV_TEST_MAIN(RV_CASE(a_walk_takes_few_requests), RV_CASE(a_look_at_the_end_first),
             RV_CASE(nothing_stale), RV_CASE(failures_leave_nothing_behind),
             RV_CASE(nothing_is_read_on_after_a_signal), RV_CASE(readers_do_not_disturb_each_other))
