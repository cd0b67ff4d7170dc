#include "conformance/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "conformance/destination.h"
#include "rvtest.h"

#define MINE "fedcba9876543210fedcba9876543210"
#define LARGE ((size_t)1500000)

typedef struct bench { /* one case at work */
    const store_fixture *f;
    const rv_store_ops *v;
    rv_store *s;
    rv_http *h;
    rv_error err;
    char dir[64]; /* a prefix of its own, ending in '/' */
    char name[256];
    bool foreign; /* what is put is somebody else's */
} bench;

static const char *name_of(bench *t, const char *key)
{
    (void)snprintf(t->name, sizeof t->name, "%s%s", t->dir, key);
    return t->name;
}

static void md5_of(const void *data, size_t len, char out[33])
{
    uint8_t raw[16];
    rv_md5 m;
    rv_md5_init(&m);
    rv_md5_update(&m, data, len);
    rv_md5_final(&m, raw);
    rv_hex(raw, 16, out);
}

static rv_store_outcome put(bench *t, const char *key, const char *content,
                            rv_store_condition condition, const char *version)
{
    char md5[33];
    rv_store_outcome out = RV_STORE_UNCONDITIONAL;
    md5_of(content, strlen(content), md5);
    rv_store_write w = {.name = name_of(t, key),
                        .fd = -1,
                        .bytes = rv_str_bytes(rv_str_c(content)),
                        .size_bytes = strlen(content),
                        .md5 = md5,
                        .owner_token = t->foreign ? NULL : MINE,
                        .mime = "text/plain",
                        .condition = condition,
                        .version = version};
    rvtest_eq_i64(t->v->put(t->s, t->h, &w, &out, &t->err), RV_OK, __FILE__, __LINE__, t->err.text);
    return out;
}

static bool head(bench *t, const char *key, rv_object *o)
{
    rv_store_outcome out = RV_STORE_UNMET;
    rvtest_eq_i64(t->v->head(t->s, t->h, name_of(t, key), o, &out, &t->err), RV_OK, __FILE__,
                  __LINE__, t->err.text);
    CHECK(out == RV_STORE_DONE || out == RV_STORE_MISSING);
    return out == RV_STORE_DONE;
}

static rv_status gather(void *self, rv_bytes data, rv_error *err)
{
    return rv_buf_add(self, data.ptr, data.len, err);
}

static void gives(bench *t, const char *key, uint64_t offset, uint64_t len, const char *want)
{
    rv_buf got = RV_BUF_INIT;
    rv_store_outcome out = RV_STORE_UNMET;
    CHECK_EQ(
        t->v->get(t->s, t->h, name_of(t, key), offset, len, (rv_sink){&got, gather}, &out, &t->err),
        RV_OK);
    CHECK_EQ(out, RV_STORE_DONE);
    CHECK_MEM(got.ptr, got.len, want, strlen(want));
    rv_buf_free(&got);
}

static void one_object(bench *t)
{
    rv_object o = {.key = "kept"};
    rv_buf got = RV_BUF_INIT;
    rv_store_outcome out;
    CHECK(!head(t, "part", &o));
    CHECK_EQ(put(t, "part", "0123456789", RV_STORE_IF_ABSENT, NULL), RV_STORE_DONE);
    REQUIRE(head(t, "part", &o));
    CHECK_STR(o.key, "kept");
    CHECK_EQ(o.size_bytes, 10);
    CHECK_STR(o.md5, "781e5e245d69b566979b86e28d23f2c7");
    CHECK_STR(o.owner, MINE);
    CHECK(o.version[0] != '\0');
    gives(t, "part", 0, 10, "0123456789");
    gives(t, "part", 0, 4, "0123");
    gives(t, "part", 8, 100, "89");
    gives(t, "part", 10, 5, "");
    gives(t, "part", 99, 5, "");
    CHECK_EQ(
        t->v->get(t->s, t->h, name_of(t, "absent"), 0, 5, (rv_sink){&got, gather}, &out, &t->err),
        RV_OK);
    CHECK_EQ(out, RV_STORE_MISSING);
    rv_buf_free(&got);
}

static void an_empty_object(bench *t)
{
    rv_object o;
    CHECK_EQ(put(t, "empty", "", RV_STORE_ALWAYS, NULL), RV_STORE_DONE);
    REQUIRE(head(t, "empty", &o));
    CHECK_EQ(o.size_bytes, 0);
    gives(t, "empty", 0, 5, "");
}

static void conditions(bench *t)
{
    rv_object first, second;
    CHECK_EQ(put(t, "part", "one", RV_STORE_IF_ABSENT, NULL), RV_STORE_DONE);
    CHECK_EQ(put(t, "part", "two", RV_STORE_IF_ABSENT, NULL), RV_STORE_UNMET);
    gives(t, "part", 0, 9, "one");
    REQUIRE(head(t, "part", &first));
    CHECK_EQ(put(t, "part", "three", RV_STORE_IF_VERSION, first.version), RV_STORE_DONE);
    CHECK_EQ(put(t, "part", "four", RV_STORE_IF_VERSION, first.version), RV_STORE_UNMET);
    gives(t, "part", 0, 9, "three");
    REQUIRE(head(t, "part", &second));
    CHECK(strcmp(first.version, second.version) != 0);
    CHECK_EQ(put(t, "gone", "x", RV_STORE_IF_VERSION, first.version), RV_STORE_UNMET);
    CHECK_EQ(put(t, "part", "five", RV_STORE_ALWAYS, NULL), RV_STORE_DONE);
    gives(t, "part", 0, 9, "five");
}

static void removal(bench *t)
{
    rv_object first, second;
    rv_store_outcome out;
    CHECK_EQ(put(t, "part", "one", RV_STORE_ALWAYS, NULL), RV_STORE_DONE);
    REQUIRE(head(t, "part", &first));
    CHECK_EQ(put(t, "part", "two", RV_STORE_ALWAYS, NULL), RV_STORE_DONE);
    REQUIRE(head(t, "part", &second));
    const char *name = name_of(t, "part");
    CHECK_EQ(t->v->remove(t->s, t->h, name, first.version, &out, &t->err), RV_OK);
    CHECK_EQ(out, RV_STORE_UNMET);
    CHECK_EQ(t->v->remove(t->s, t->h, name, second.version, &out, &t->err), RV_OK);
    CHECK_EQ(out, RV_STORE_DONE);
    CHECK_EQ(t->v->remove(t->s, t->h, name, second.version, &out, &t->err), RV_OK);
    CHECK(out == RV_STORE_MISSING || out == RV_STORE_UNMET); /* no version of it is there */
}

static void names_of_every_kind(bench *t)
{
    static const char *const names[] = {"a b",     "a+b",      "a%2Fb",   "\xc3\xa9t\xc3\xa9",
                                        "q?x=1&y", "day=1/p#", "(x)'!*~", "<&>\""};
    rv_object_list l = {0};
    rv_buf token = RV_BUF_INIT;
    rv_object o;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        CHECK_EQ(put(t, names[i], names[i], RV_STORE_IF_ABSENT, NULL), RV_STORE_DONE);
        CHECK(head(t, names[i], &o));
        gives(t, names[i], 0, 99, names[i]);
    }
    rv_store_page page = {&l, &token};
    CHECK_EQ(t->v->list(t->s, t->h, t->dir, &page, &t->err), RV_OK);
    CHECK_EQ(l.n, 7); /* all but the one below day=1 */
    rv_object_list_free(&l);
    rv_buf_free(&token);
}

static size_t list_all(bench *t, const char *dir, rv_object_list *l)
{
    rv_buf token = RV_BUF_INIT;
    rv_store_page page = {l, &token};
    char whole[256];
    (void)snprintf(whole, sizeof whole, "%s%s", t->dir, dir);
    do {
        CHECK_EQ(t->v->list(t->s, t->h, whole, &page, &t->err), RV_OK);
    } while (token.len && t->err.code == RV_OK);
    rv_buf_free(&token);
    return l->n;
}

static void listing(bench *t)
{
    rv_object_list l = {0};
    CHECK_EQ(list_all(t, "", &l), 0);
    CHECK_EQ(put(t, "a", "1", RV_STORE_ALWAYS, NULL), RV_STORE_DONE);
    CHECK_EQ(put(t, "dir/b", "22", RV_STORE_ALWAYS, NULL), RV_STORE_DONE);
    CHECK_EQ(put(t, "dir/deep/c", "3", RV_STORE_ALWAYS, NULL), RV_STORE_DONE);
    CHECK_EQ(put(t, "dir2/d", "4", RV_STORE_ALWAYS, NULL), RV_STORE_DONE);
    CHECK_EQ(list_all(t, "dir/", &l), 1);
    if (l.n == 1) {
        rv_object o;
        CHECK_STR(l.items[0].key, "b");
        CHECK_EQ(l.items[0].size_bytes, 2);
        CHECK_STR(l.items[0].md5, "b6d767d2f8ed5d21a44b0e5886680cb9");
        CHECK_STR(l.items[0].owner, MINE);
        CHECK(head(t, "dir/b", &o));
        CHECK_STR(l.items[0].version, o.version);
    }
    rv_object_list_free(&l);
}

static void copying(bench *t)
{
    char to[256], from[256];
    rv_object o, copied;
    rv_store_outcome out;
    CHECK_EQ(put(t, "part", "content", RV_STORE_ALWAYS, NULL), RV_STORE_DONE);
    REQUIRE(head(t, "part", &o));
    (void)snprintf(from, sizeof from, "%spart", t->dir);
    (void)snprintf(to, sizeof to, "%s_quarantine/r 1/part", t->dir);
    CHECK_EQ(t->v->copy(t->s, t->h, from, &o, to, &out, &t->err), RV_OK);
    CHECK_EQ(out, RV_STORE_DONE);
    REQUIRE(head(t, "_quarantine/r 1/part", &copied));
    CHECK_STR(copied.owner, MINE);
    CHECK_STR(copied.md5, o.md5);
    gives(t, "_quarantine/r 1/part", 0, 99, "content");
    CHECK_EQ(t->v->copy(t->s, t->h, from, &o, to, &out, &t->err), RV_OK);
    CHECK_EQ(out, RV_STORE_UNMET);
    (void)snprintf(to, sizeof to, "%selsewhere", t->dir);
    CHECK_EQ(put(t, "part", "another", RV_STORE_ALWAYS, NULL), RV_STORE_DONE);
    CHECK_EQ(t->v->copy(t->s, t->h, from, &o, to, &out, &t->err), RV_OK);
    CHECK_EQ(out, RV_STORE_UNMET); /* no longer that version */
    (void)snprintf(from, sizeof from, "%sabsent", t->dir);
    CHECK_EQ(t->v->copy(t->s, t->h, from, &o, to, &out, &t->err), RV_OK);
    CHECK_EQ(out, RV_STORE_MISSING);
}

/* ---- large objects ---- */

typedef struct large {
    int fd;
    uint8_t *data;
    char md5[33];
    rv_store_write w;
    rv_store_piece pieces[8];
    size_t n;
    rv_buf id;
    char name[256];
} large;

static bool make_large(bench *t, large *x, const char *key, rv_store_condition condition)
{
    const uint64_t step = 512 * 1024;
    *x = (large){.fd = -1, .data = malloc(LARGE)};
    if (!x->data || rv_file_scratch("/tmp", &x->fd, &t->err) != RV_OK)
        return false;
    for (size_t i = 0; i < LARGE; i++)
        x->data[i] = (uint8_t)(i * 2654435761u >> 13);
    CHECK_EQ(rv_file_write(x->fd, x->data, LARGE, "scratch", &t->err), RV_OK);
    md5_of(x->data, LARGE, x->md5);
    (void)snprintf(x->name, sizeof x->name, "%s%s", t->dir, key);
    x->w = (rv_store_write){.name = x->name,
                            .fd = x->fd,
                            .size_bytes = LARGE,
                            .md5 = x->md5,
                            .owner_token = MINE,
                            .mime = "application/vnd.apache.parquet",
                            .condition = condition};
    for (uint64_t at = 0; at < LARGE; at += step, x->n++) {
        rv_store_piece *p = &x->pieces[x->n];
        p->index = x->n;
        p->offset = at;
        p->len = LARGE - at < step ? LARGE - at : step;
        p->last = at + p->len == LARGE;
        md5_of(x->data + at, (size_t)p->len, p->md5);
    }
    return true;
}

static void drop_large(large *x)
{
    rv_file_close(x->fd);
    free(x->data);
    rv_buf_free(&x->id);
}

static rv_store_outcome begin_large(bench *t, large *x)
{
    rv_store_outcome out = RV_STORE_UNCONDITIONAL;
    rv_buf_clear(&x->id);
    rvtest_eq_i64(t->v->upload_begin(t->s, t->h, &x->w, &x->id, &out, &t->err), RV_OK, __FILE__,
                  __LINE__, t->err.text);
    CHECK(rv_buf_cstr(&x->id) != NULL);
    return out;
}

static rv_store_outcome send_parts(bench *t, large *x)
{
    rv_store_outcome out = RV_STORE_DONE;
    for (size_t i = 0; i < x->n && out == RV_STORE_DONE; i++)
        rvtest_eq_i64(
            t->v->upload_part(t->s, t->h, &x->w, rv_buf_cstr(&x->id), &x->pieces[i], &out, &t->err),
            RV_OK, __FILE__, __LINE__, t->err.text);
    return out;
}

static rv_store_outcome finish_large(bench *t, large *x)
{
    rv_store_outcome out = RV_STORE_UNCONDITIONAL;
    rvtest_eq_i64(
        t->v->upload_finish(t->s, t->h, &x->w, rv_buf_cstr(&x->id), x->pieces, x->n, &out, &t->err),
        RV_OK, __FILE__, __LINE__, t->err.text);
    return out;
}

static void a_large_object(bench *t)
{
    large x;
    rv_object o;
    rv_buf got = RV_BUF_INIT;
    rv_store_outcome out;
    REQUIRE(make_large(t, &x, "large", RV_STORE_IF_ABSENT));
    CHECK_EQ(begin_large(t, &x), RV_STORE_DONE);
    CHECK(!head(t, "large", &o)); /* nothing is visible before the end */
    CHECK_EQ(send_parts(t, &x), RV_STORE_DONE);
    CHECK(!head(t, "large", &o));
    CHECK_EQ(finish_large(t, &x), RV_STORE_DONE);
    REQUIRE(head(t, "large", &o));
    CHECK_EQ(o.size_bytes, LARGE);
    CHECK_STR(o.owner, MINE);
    CHECK(o.md5[0] == '\0' || strcmp(o.md5, x.md5) == 0);
    CHECK_EQ(t->v->get(t->s, t->h, name_of(t, "large"), 0, LARGE, (rv_sink){&got, gather}, &out,
                       &t->err),
             RV_OK);
    CHECK_MEM(got.ptr, got.len, x.data, LARGE);
    rv_buf_free(&got);
    drop_large(&x);
}

static void a_large_name_that_is_taken(bench *t)
{
    large x;
    REQUIRE(make_large(t, &x, "large", RV_STORE_IF_ABSENT));
    CHECK_EQ(put(t, "large", "mine", RV_STORE_ALWAYS, NULL), RV_STORE_DONE);
    rv_store_outcome out = begin_large(t, &x);
    if (out == RV_STORE_DONE)
        out = send_parts(t, &x);
    if (out == RV_STORE_DONE)
        out = finish_large(t, &x);
    CHECK_EQ(out, RV_STORE_UNMET);
    gives(t, "large", 0, 9, "mine");
    drop_large(&x);
}

static void an_upload_given_up(bench *t)
{
    large x;
    rv_object o;
    rv_store_outcome out = RV_STORE_UNMET;
    REQUIRE(make_large(t, &x, "large", RV_STORE_IF_ABSENT));
    CHECK_EQ(begin_large(t, &x), RV_STORE_DONE);
    CHECK_EQ(t->v->upload_part(t->s, t->h, &x.w, rv_buf_cstr(&x.id), &x.pieces[0], &out, &t->err),
             RV_OK);
    CHECK_EQ(t->v->upload_abort(t->s, t->h, x.name, rv_buf_cstr(&x.id), &out, &t->err), RV_OK);
    CHECK(out == RV_STORE_DONE || out == RV_STORE_MISSING);
    CHECK(!head(t, "large", &o));
    drop_large(&x);
}

/* ---- refusals ---- */

static void damaged_on_the_way(bench *t)
{
    rv_object o;
    rv_store_outcome out;
    const rv_store_write w = {.name = name_of(t, "part"),
                              .fd = -1,
                              .bytes = rv_str_bytes(RV_STR("hello")),
                              .size_bytes = 5,
                              .md5 = "00000000000000000000000000000000",
                              .owner_token = MINE};
    CHECK(t->v->put(t->s, t->h, &w, &out, &t->err) != RV_OK);
    CHECK(!head(t, "part", &o));
}

static void a_bucket_that_is_missing(bench *t)
{
    rv_store *s = t->f->open(t->f->ctx, "rivet-no-such-bucket");
    rv_object_list l = {0};
    rv_buf token = RV_BUF_INIT;
    rv_store_page page = {&l, &token};
    rv_store_outcome out;
    const rv_store_write w = {.name = "x",
                              .fd = -1,
                              .bytes = rv_str_bytes(RV_STR("hello")),
                              .size_bytes = 5,
                              .md5 = "5d41402abc4b2a76b9719d911017c592",
                              .owner_token = MINE};
    REQUIRE(s);
    CHECK_EQ(t->v->put(s, t->h, &w, &out, &t->err), RV_E_DEST_NO_BUCKET);
    CHECK_EQ(t->v->list(s, t->h, "", &page, &t->err), RV_E_DEST_NO_BUCKET);
    t->v->close(s);
    rv_buf_free(&token);
    rv_object_list_free(&l);
}

typedef struct hand {
    bench *t;
    int number;
    pthread_t thread;
} hand;

static void *work(void *ctx)
{
    const hand *w = ctx;
    bench mine = *w->t;
    char key[32];
    rv_object o;
    if (rv_http_open(mine.f->env, NULL, &mine.h, &mine.err) != RV_OK)
        return NULL;
    for (int i = 0; i < 5; i++) {
        (void)snprintf(key, sizeof key, "t%d-%d", w->number, i);
        CHECK_EQ(put(&mine, key, key, RV_STORE_IF_ABSENT, NULL), RV_STORE_DONE);
        CHECK(head(&mine, key, &o));
    }
    rv_http_close(mine.h);
    return NULL;
}

static void many_at_once(bench *t)
{
    hand hands[4];
    rv_object_list l = {0};
    for (int i = 0; i < 4; i++) {
        hands[i] = (hand){.t = t, .number = i};
        REQUIRE(pthread_create(&hands[i].thread, NULL, work, &hands[i]) == 0);
    }
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(hands[i].thread, NULL), 0);
    CHECK_EQ(list_all(t, "", &l), 20);
    rv_object_list_free(&l);
}

static void what_it_says_of_itself(bench *t)
{
    const char *endpoint = NULL, *bucket = NULL;
    rv_buf text = RV_BUF_INIT;
    t->v->facts(t->s, &endpoint, &bucket);
    REQUIRE(endpoint && bucket);
    CHECK(bucket[0] != '\0');
    CHECK(strstr(t->v->uri(t->s), "://") != NULL);
    CHECK_EQ(t->v->credentials(t->s, t->h, &text, &t->err), RV_OK);
    CHECK(text.len > 0);
    CHECK_EQ(t->v->retries(t->s), 0);
    rv_buf_free(&text);
}

void conformance_store(const store_fixture *f)
{
    static void (*const cases[])(bench *) = {one_object,
                                             an_empty_object,
                                             conditions,
                                             removal,
                                             names_of_every_kind,
                                             listing,
                                             copying,
                                             a_large_object,
                                             a_large_name_that_is_taken,
                                             an_upload_given_up,
                                             damaged_on_the_way,
                                             a_bucket_that_is_missing,
                                             many_at_once,
                                             what_it_says_of_itself};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bench t = {.f = f, .v = f->ops, .s = f->open(f->ctx, NULL)};
        uint32_t dice = 0;
        CHECK_EQ(rv_env_random(&dice, sizeof dice, NULL), RV_OK);
        (void)snprintf(t.dir, sizeof t.dir, "conformance-%08x/%zu/", dice, i);
        CHECK(t.s != NULL);
        if (t.s && rv_http_open(f->env, NULL, &t.h, &t.err) == RV_OK)
            cases[i](&t);
        rv_http_close(t.h);
        f->ops->close(t.s);
    }
}

/* ---- the protocol above ---- */

typedef struct desk { /* of conformance_destination */
    const store_fixture *f;
    bench t;
    rv_cfg_dest cfg;
    int opened;
    uint32_t dice;
    rv_buf spool;
} desk;

static rv_dest *open_next(void *ctx)
{
    desk *k = ctx;
    rv_dest *d = NULL;
    (void)snprintf(k->t.dir, sizeof k->t.dir, "protocol-%08x/%d e/", k->dice, k->opened++);
    CHECK_EQ(k->f->driver->open(k->f->env, &k->cfg, k->t.dir, &d, &k->t.err), RV_OK);
    return d;
}

static bool plant(void *ctx, const char *key, const char *content)
{
    desk *k = ctx;
    return put(&k->t, key, content, RV_STORE_ALWAYS, NULL) == RV_STORE_DONE;
}

static const char *lay(void *ctx, rv_dest *d, const char *key, const char *content)
{
    desk *k = ctx;
    int fd = -1;
    rv_buf_clear(&k->spool);
    CHECK_EQ(k->f->driver->spool_path(d, "run_1", key, &k->spool, &k->t.err), RV_OK);
    const char *path = rv_buf_cstr(&k->spool);
    (void)unlink(path);
    CHECK_EQ(rv_file_create(path, 0600, &fd, &k->t.err), RV_OK);
    CHECK_EQ(rv_file_write(fd, content, strlen(content), path, &k->t.err), RV_OK);
    rv_file_close(fd);
    return path;
}

void conformance_store_protocol(const store_fixture *f)
{
    desk k = {.f = f, .cfg = *f->cfg, .t = {.f = f, .v = f->ops, .foreign = true}};
    const conformance_fixture c = {f->driver, open_next, plant, lay, &k};
    CHECK_EQ(rv_env_random(&k.dice, sizeof k.dice, NULL), RV_OK);
    CHECK_EQ(rv_http_open(f->env, NULL, &k.t.h, &k.t.err), RV_OK);
    k.t.s = f->open(f->ctx, NULL);
    for (uint64_t threshold_mb = 0; k.t.s && threshold_mb < 2; threshold_mb++) {
        k.cfg.upload_threshold_mb = threshold_mb;
        conformance_destination(&c);
    }
    f->ops->close(k.t.s);
    rv_http_close(k.t.h);
    rv_buf_free(&k.spool);
}
