#include "conformance/destination.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rvtest.h"

#define MINE "0123456789abcdef0123456789abcdef"

typedef struct desk { /* one case at work */
    const conformance_fixture *f;
    const rv_dest_driver *v;
    rv_dest *d;
    rv_error err;
} desk;

static rv_digests digests_of(const char *content)
{
    rv_digests out = {.size_bytes = 0};
    rv_digest digest;
    if (rv_digest_init(&digest)) {
        rv_digest_update(&digest, content, strlen(content));
        rv_digest_final(&digest, &out);
        rv_digest_free(&digest);
    }
    return out;
}

/* Puts a part through its spool file; earlier content that state would know is optional. */
static rv_put_outcome put_part(desk *t, const char *key, const char *content, const char *earlier)
{
    rv_digests now = digests_of(content), known = digests_of(earlier ? earlier : "");
    rv_put_outcome outcome = RV_PUT_CHANGED;
    rv_put_spec spec = {.key = key,
                        .spool = t->f->spool(t->f->ctx, t->d, key, content),
                        .digests = &now,
                        .owner_token = MINE,
                        .mime = "application/octet-stream",
                        .known_fingerprint = earlier ? known.fingerprint : NULL,
                        .known_size_bytes = known.size_bytes};
    CHECK_EQ(t->v->put(t->d, &spec, &outcome, &t->err), RV_OK);
    return outcome;
}

static void holds(desk *t, const char *key, const char *content)
{
    uint8_t got[256];
    size_t len = 0;
    CHECK_EQ(t->v->read(t->d, key, 0, got, sizeof got, &len, &t->err), RV_OK);
    CHECK_MEM(got, len, content, strlen(content));
}

static bool found(desk *t, const char *key, rv_object *out)
{
    bool is = false;
    CHECK_EQ(t->v->stat(t->d, key, out, &is, &t->err), RV_OK);
    return is;
}

static void new_object(desk *t)
{
    rv_object o;
    CHECK(!found(t, "part", &o));
    CHECK_EQ(put_part(t, "part", "hello", NULL), RV_PUT_WRITTEN);
    REQUIRE(found(t, "part", &o));
    CHECK_EQ(o.size_bytes, 5);
    CHECK_STR(o.key, "part");
    CHECK(o.version[0] != '\0');
    CHECK(o.md5[0] == '\0' || strcmp(o.md5, "5d41402abc4b2a76b9719d911017c592") == 0);
    CHECK(o.owner[0] == '\0' || strcmp(o.owner, MINE) == 0);
    holds(t, "part", "hello");
}

static void repeated_put_is_the_same(desk *t)
{
    CHECK_EQ(put_part(t, "part", "hello", NULL), RV_PUT_WRITTEN);
    CHECK_EQ(put_part(t, "part", "hello", "hello"), RV_PUT_SAME);
    holds(t, "part", "hello");
}

static void own_object_is_replaced(desk *t)
{
    CHECK_EQ(put_part(t, "part", "first", NULL), RV_PUT_WRITTEN);
    CHECK_EQ(put_part(t, "part", "second reading", "first"), RV_PUT_WRITTEN);
    holds(t, "part", "second reading");
}

static void foreign_object_stays(desk *t)
{
    rv_remove_outcome removed = RV_REMOVED;
    rv_digests d = digests_of("mine");
    CHECK(t->f->plant(t->f->ctx, "part", "somebody's"));
    CHECK_EQ(put_part(t, "part", "mine", NULL), RV_PUT_FOREIGN);
    CHECK_EQ(put_part(t, "part", "mine", "what I wrote earlier"), RV_PUT_FOREIGN);
    holds(t, "part", "somebody's");
    /* a twin with a state of its own writes the same bytes: the name is still not ours */
    CHECK(t->f->plant(t->f->ctx, "twin", "mine"));
    CHECK_EQ(put_part(t, "twin", "mine", NULL), RV_PUT_FOREIGN);
    CHECK_EQ(t->v->remove(t->d, "part", MINE, d.fingerprint, d.size_bytes, &removed, &t->err),
             RV_OK);
    CHECK_EQ(removed, RV_REMOVE_FOREIGN);
    holds(t, "part", "somebody's");
}

static void remove_own(desk *t)
{
    rv_object o;
    rv_remove_outcome removed = RV_REMOVE_DENIED;
    rv_digests d = digests_of("hello");
    CHECK_EQ(put_part(t, "part", "hello", NULL), RV_PUT_WRITTEN);
    CHECK_EQ(t->v->remove(t->d, "part", MINE, d.fingerprint, d.size_bytes, &removed, &t->err),
             RV_OK);
    CHECK_EQ(removed, RV_REMOVED);
    CHECK(!found(t, "part", &o));
    CHECK_EQ(t->v->remove(t->d, "part", MINE, d.fingerprint, d.size_bytes, &removed, &t->err),
             RV_OK);
    CHECK_EQ(removed, RV_REMOVE_MISSING);
}

static rv_put_outcome put_shared(desk *t, const char *content, const char *version)
{
    rv_put_outcome outcome = RV_PUT_FOREIGN;
    rv_put_spec spec = {.key = "manifest.json",
                        .bytes = rv_str_bytes(rv_str_c(content)),
                        .owner_token = MINE,
                        .mime = "application/json",
                        .mode = RV_PUT_SHARED,
                        .version = version};
    CHECK_EQ(t->v->put(t->d, &spec, &outcome, &t->err), RV_OK);
    return outcome;
}

static void shared_name(desk *t)
{
    rv_object first, second;
    CHECK_EQ(put_shared(t, "{\"n\":1}", NULL), RV_PUT_WRITTEN);
    REQUIRE(found(t, "manifest.json", &first));
    CHECK_EQ(put_shared(t, "{\"n\":2}", NULL), RV_PUT_CHANGED); /* it was not absent */
    holds(t, "manifest.json", "{\"n\":1}");
    CHECK_EQ(put_shared(t, "{\"n\":2}", first.version), RV_PUT_WRITTEN);
    holds(t, "manifest.json", "{\"n\":2}");
    CHECK_EQ(put_shared(t, "{\"n\":33}", first.version), RV_PUT_CHANGED);
    REQUIRE(found(t, "manifest.json", &second));
    CHECK_EQ(put_shared(t, "{\"n\":2}", first.version), RV_PUT_SAME);
    holds(t, "manifest.json", "{\"n\":2}");
    CHECK(strcmp(first.version, second.version) != 0);
}

static void ranges_of_an_object(desk *t)
{
    uint8_t got[8];
    size_t len = 9;
    CHECK_EQ(put_part(t, "part", "0123456789", NULL), RV_PUT_WRITTEN);
    CHECK_EQ(t->v->read(t->d, "part", 2, got, 3, &len, &t->err), RV_OK);
    CHECK_MEM(got, len, "234", 3);
    CHECK_EQ(t->v->read(t->d, "part", 8, got, 8, &len, &t->err), RV_OK);
    CHECK_MEM(got, len, "89", 2);
    CHECK_EQ(t->v->read(t->d, "part", 10, got, 8, &len, &t->err), RV_OK);
    CHECK_EQ(len, 0);
    CHECK(t->v->read(t->d, "absent", 0, got, 8, &len, &t->err) != RV_OK);
}

static void listing_is_bounded(desk *t)
{
    rv_object_list l = {0};
    CHECK_EQ(t->v->list(t->d, "", &l, &t->err), RV_OK);
    CHECK_EQ(l.n, 0);
    rv_object_list_free(&l);
    CHECK_EQ(put_part(t, "b", "bb", NULL), RV_PUT_WRITTEN);
    CHECK_EQ(put_part(t, "a", "a", NULL), RV_PUT_WRITTEN);
    CHECK_EQ(put_part(t, "dir/c", "ccc", NULL), RV_PUT_WRITTEN);
    CHECK_EQ(put_part(t, "dir2/d", "d", NULL), RV_PUT_WRITTEN); /* a sibling by prefix */
    CHECK_EQ(t->v->list(t->d, "", &l, &t->err), RV_OK);
    CHECK_EQ(l.n, 2);
    if (l.n == 2) {
        CHECK_STR(l.items[0].key, "a");
        CHECK_STR(l.items[1].key, "b");
        CHECK_EQ(l.items[1].size_bytes, 2);
    }
    rv_object_list_free(&l);
    CHECK_EQ(t->v->list(t->d, "dir", &l, &t->err), RV_OK);
    CHECK_EQ(l.n, 1);
    if (l.n == 1)
        CHECK_STR(l.items[0].key, "dir/c");
    rv_object_list_free(&l);
    CHECK_EQ(t->v->list(t->d, "nowhere", &l, &t->err), RV_OK);
    CHECK_EQ(l.n, 0);
    rv_object_list_free(&l);
}

static void moving(desk *t)
{
    rv_object o;
    CHECK_EQ(put_part(t, "part", "damaged", NULL), RV_PUT_WRITTEN);
    CHECK_EQ(t->v->move(t->d, "part", "_quarantine/r1/part", &t->err), RV_OK);
    CHECK(!found(t, "part", &o));
    holds(t, "_quarantine/r1/part", "damaged");
    CHECK_EQ(t->v->move(t->d, "part", "_quarantine/r1/part", &t->err), RV_OK); /* done before */
    CHECK_EQ(put_part(t, "part", "another", NULL), RV_PUT_WRITTEN);
    CHECK(t->v->move(t->d, "part", "_quarantine/r1/part", &t->err) != RV_OK);
    holds(t, "_quarantine/r1/part", "damaged");
    holds(t, "part", "another");
    CHECK(t->v->move(t->d, "absent", "_quarantine/r1/absent", &t->err) != RV_OK);
}

static rv_status say_no(void *ctx, rv_error *err)
{
    ++*(int *)ctx;
    return rv_fail(err, RV_E_STATE_LEASE_LOST, "no longer");
}

static void guard_is_asked(desk *t)
{
    int asked = 0;
    rv_object o;
    rv_put_outcome outcome;
    rv_digests now = digests_of("late");
    rv_put_spec spec = {.key = "part",
                        .spool = t->f->spool(t->f->ctx, t->d, "part", "late"),
                        .digests = &now,
                        .owner_token = MINE,
                        .guard = say_no,
                        .guard_ctx = &asked};
    CHECK_EQ(t->v->put(t->d, &spec, &outcome, &t->err), RV_E_STATE_LEASE_LOST);
    CHECK_EQ(asked, 1);
    CHECK(!found(t, "part", &o));
    CHECK(access(spec.spool, F_OK) == 0);
}

static void the_spool_stays(desk *t)
{
    rv_put_outcome outcome;
    rv_digests now = digests_of("kept");
    rv_put_spec spec = {.key = "part",
                        .spool = t->f->spool(t->f->ctx, t->d, "part", "kept"),
                        .digests = &now,
                        .owner_token = MINE};
    CHECK_EQ(t->v->put(t->d, &spec, &outcome, &t->err), RV_OK);
    CHECK_EQ(outcome, RV_PUT_WRITTEN);
    CHECK(access(spec.spool, F_OK) == 0);
    CHECK_EQ(t->v->put(t->d, &spec, &outcome, &t->err), RV_OK);
    CHECK_EQ(outcome, RV_PUT_SAME);
    CHECK(access(spec.spool, F_OK) == 0);
    holds(t, "part", "kept");
}

static void names_stay_inside(desk *t)
{
    static const char *const bad[] = {"../x", "/etc/x", "a/../../x", "a//b",
                                      "./a",  "a/.",    "",          "a/"};
    rv_put_outcome outcome;
    rv_object o;
    bool is;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rv_put_spec spec = {.key = bad[i], .bytes = {(const uint8_t *)"x", 1}, .owner_token = MINE};
        CHECK(t->v->put(t->d, &spec, &outcome, &t->err) != RV_OK);
        CHECK(t->v->stat(t->d, bad[i], &o, &is, &t->err) != RV_OK);
        CHECK(t->v->move(t->d, bad[i], "y", &t->err) != RV_OK);
    }
}

static void probing(desk *t)
{
    rv_probe p;
    rv_object_list l = {0};
    CHECK_EQ(t->v->probe(t->d, &p, &t->err), RV_OK);
    CHECK(p.detail[0] != '\0');
    CHECK_EQ(t->v->list(t->d, "", &l, &t->err), RV_OK);
    CHECK_EQ(l.n, 0);
    rv_object_list_free(&l);
}

static void facts(desk *t)
{
    const char *endpoint = NULL, *root = NULL;
    t->v->facts(t->d, &endpoint, &root);
    CHECK(endpoint != NULL);
    REQUIRE(root != NULL);
    CHECK(root[0] != '\0');
    CHECK(strstr(t->v->uri(t->d), "://") != NULL);
    CHECK_EQ(t->v->abi, RV_DESTINATION_ABI);
    CHECK(t->v->kind == CONFORMANCE_UNLISTED || rv_dest_for(t->v->kind) == t->v);
    CHECK_EQ(t->v->abort_upload(t->d, "part", "no-such-upload", &t->err), RV_OK);
}

void conformance_destination(const conformance_fixture *f)
{
    static void (*const cases[])(desk *) = {
        new_object,
        repeated_put_is_the_same,
        own_object_is_replaced,
        foreign_object_stays,
        remove_own,
        shared_name,
        ranges_of_an_object,
        listing_is_bounded,
        moving,
        guard_is_asked,
        the_spool_stays,
        names_stay_inside,
        probing,
        facts,
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        desk t = {.f = f, .v = f->driver, .d = f->open(f->ctx)};
        bool tmpfs;
        CHECK(t.d != NULL);
        if (!t.d)
            continue;
        CHECK_EQ(t.v->prepare(t.d, 1, &tmpfs, &t.err), RV_OK);
        cases[i](&t);
        t.v->close(t.d);
    }
}
