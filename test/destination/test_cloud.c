#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "conformance/destination.h"
#include "fake_desk.h"

/* ---- what every destination does ---- */

typedef struct fixture {
    fake_desk t;
    int opened;
    char prefix[16];
} fixture;

static rv_dest *open_new(void *ctx)
{
    fixture *f = ctx;
    rv_dest *d = NULL;
    (void)snprintf(f->prefix, sizeof f->prefix, "p%d/", f->opened++);
    fake_bucket_use(&f->t.b);
    CHECK_EQ(f->t.driver->open(&f->t.env, &f->t.cfg, f->prefix, &d, &f->t.err), RV_OK);
    return d;
}

static bool plant(void *ctx, const char *key, const char *content)
{
    fixture *f = ctx;
    char name[300];
    (void)snprintf(name, sizeof name, "%s%s", f->prefix, key);
    fake_bucket_plant(&f->t.b, name, content, "");
    return true;
}

static const char *spool(void *ctx, rv_dest *d, const char *key, const char *content)
{
    fixture *f = ctx;
    return fake_spool(&f->t, d, key, content);
}

static void conform(const rv_dest_driver *driver, void (*turn)(fake_desk *t))
{
    fixture f = {.opened = 0};
    REQUIRE(fake_desk_init(&f.t, driver));
    if (turn)
        turn(&f.t);
    conformance_fixture c = {driver, open_new, plant, spool, &f};
    conformance_destination(&c);
    CHECK_EQ(fake_bucket_uploads(&f.t.b), 0);
    fake_desk_close(&f.t);
}

static void in_parts(fake_desk *t)
{
    t->cfg.upload_threshold_mb = 0;
}

static void without_conditions(fake_desk *t)
{
    t->b.unconditional = true;
}

static void ignoring_conditions(fake_desk *t)
{
    t->b.ignores = t->b.doubtful = true;
}

static void one_at_a_time(fake_desk *t)
{
    t->cfg.upload_parallel = 1;
    t->b.page = 1;
}

RV_TEST(conformance)
{
    conform(&rv_dest_fake, NULL);
}

RV_TEST(conformance_in_parts)
{
    conform(&rv_dest_fake, in_parts);
    conform(&rv_dest_fake_in_turn, in_parts);
}

RV_TEST(conformance_without_conditions)
{
    conform(&rv_dest_fake, without_conditions);
    conform(&rv_dest_fake, ignoring_conditions);
}

RV_TEST(conformance_of_one_request_at_a_time)
{
    conform(&rv_dest_fake, one_at_a_time);
}

/* ---- names ---- */

RV_TEST(prefixes_and_uris)
{
    static const struct {
        const char *prefix, *uri, *name;
    } v[] = {{"", "s3://bucket/", "part"},
             {"a/b", "s3://bucket/a/b/", "a/b/part"},
             {"a/b/", "s3://bucket/a/b/", "a/b/part"},
             {"/a//b/./", "s3://bucket/a/b/", "a/b/part"},
             {"a..b/", "s3://bucket/a..b/", "a..b/part"},
             {"dt=2026-05-02", "s3://bucket/dt=2026-05-02/", "dt=2026-05-02/part"}};
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        fake_desk t;
        rv_put_outcome out;
        const char *endpoint, *root;
        REQUIRE(fake_desk_init(&t, &rv_dest_fake));
        fake_desk_open(&t, v[i].prefix);
        CHECK_STR(t.driver->uri(t.d), v[i].uri);
        CHECK_EQ(fake_put_new(&t, "part", "x", &out), RV_OK);
        CHECK(fake_bucket_find(&t.b, v[i].name) != NULL);
        t.driver->facts(t.d, &endpoint, &root);
        CHECK_STR(root, "bucket");
        fake_desk_close(&t);
    }
}

RV_TEST(names_that_cannot_be)
{
    fake_desk t;
    char longest[1100];
    rv_object o;
    bool found;
    rv_dest *d = NULL;
    REQUIRE(fake_desk_init(&t, &rv_dest_fake));
    fake_bucket_use(&t.b);
    CHECK_EQ(t.driver->open(&t.env, &t.cfg, "a/../b", &d, &t.err), RV_E_CONFIG_DESTINATION);
    memset(longest, 'k', sizeof longest);
    longest[1023] = '\0';
    CHECK_EQ(t.driver->open(&t.env, &t.cfg, longest, &d, &t.err), RV_E_CONFIG_DESTINATION);
    fake_desk_open(&t, "p");
    longest[1022] = '\0'; /* with "p/" it is 1024 */
    CHECK_EQ(t.driver->stat(t.d, longest, &o, &found, &t.err), RV_OK);
    longest[1022] = 'k';
    longest[1023] = '\0';
    CHECK_EQ(t.driver->stat(t.d, longest, &o, &found, &t.err), RV_E_DEST_IO);
    CHECK(strstr(t.err.text, "too long") != NULL);
    fake_desk_close(&t);
}

/* ---- the spool ---- */

RV_TEST(spool_files)
{
    fake_desk t;
    bool tmpfs;
    char want[128], keep[128];
    struct stat sb;
    REQUIRE(fake_desk_init(&t, &rv_dest_fake));
    fake_desk_open(&t, "p");
    (void)snprintf(want, sizeof want, "%s/.rivet-tmp-run_1-part.csv", t.dir);
    (void)snprintf(keep, sizeof keep, "%s/.rivet-tmp-run_1-kept", t.dir);
    CHECK_STR(fake_spool(&t, t.d, "part.csv", "x"), want);
    CHECK(stat(want, &sb) == 0 && (sb.st_mode & 0777) == 0600);
    CHECK_STR(fake_spool(&t, t.d, "kept", "x"), keep);
    const char *const kept[] = {keep};
    CHECK_EQ(t.driver->sweep(t.d, "run_11", NULL, 0, &t.err), RV_OK);
    CHECK_EQ(access(want, F_OK), 0);
    CHECK_EQ(t.driver->sweep(t.d, "run_1", kept, 1, &t.err), RV_OK);
    CHECK_EQ(access(want, F_OK), -1);
    CHECK_EQ(access(keep, F_OK), 0);
    /* a name with a directory lies beside the others */
    const char *hashed = fake_spool(&t, t.d, "dir/part", "x");
    CHECK(strchr(hashed + strlen(t.dir) + 1, '/') == NULL);
    CHECK_EQ(t.driver->sweep(t.d, "run_1", NULL, 0, &t.err), RV_OK);
    CHECK_EQ(access(hashed, F_OK), -1);
    CHECK_EQ(access(keep, F_OK), -1);
    CHECK_EQ(t.driver->prepare(t.d, 1, &tmpfs, &t.err), RV_OK);
    CHECK_EQ(t.driver->prepare(t.d, UINT64_MAX, &tmpfs, &t.err), RV_E_DEST_NO_SPACE);
    CHECK(strstr(t.err.text, t.dir) && strstr(t.err.text, "18446744073709551615 are needed"));
    CHECK(strstr(t.err.hint, "RIVET_TMPDIR") != NULL);
    fake_desk_close(&t);
}

/* ---- looking, listing ---- */

RV_TEST(looking)
{
    fake_desk t;
    rv_object o;
    bool found = true;
    REQUIRE(fake_desk_init(&t, &rv_dest_fake));
    fake_desk_open(&t, "p");
    CHECK_EQ(t.driver->stat(t.d, "part", &o, &found, &t.err), RV_OK);
    CHECK(!found);
    fake_bucket_plant(&t.b, "p/part", "hello", MINE);
    CHECK_EQ(t.driver->stat(t.d, "part", &o, &found, &t.err), RV_OK);
    CHECK(found);
    CHECK_STR(o.key, "part");
    CHECK_STR(o.owner, MINE);
    CHECK_STR(o.md5, "5d41402abc4b2a76b9719d911017c592");
    t.b.denied[FAKE_HEAD] = true; /* unknown is not absent */
    CHECK_EQ(t.driver->stat(t.d, "part", &o, &found, &t.err), RV_E_DEST_PERMISSION);
    CHECK(strstr(t.err.text, "cannot look at s3://bucket/p/part: permission error\n") ==
          t.err.text);
    CHECK_EQ(t.driver->retries(t.d), 7);
    fake_desk_close(&t);
}

RV_TEST(listing)
{
    fake_desk t;
    rv_object_list l = {0};
    REQUIRE(fake_desk_init(&t, &rv_dest_fake));
    fake_desk_open(&t, "p");
    for (int i = 0; i < 40; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "p/dir/%02d", (i * 7) % 40);
        fake_bucket_plant(&t.b, name, "x", MINE);
    }
    t.b.page = 7;
    CHECK_EQ(t.driver->list(t.d, "dir/", &l, &t.err), RV_OK);
    CHECK_EQ(l.n, 40);
    CHECK_EQ(t.b.calls[FAKE_LIST], 6);
    for (size_t i = 0; i < l.n; i++) {
        char want[32];
        (void)snprintf(want, sizeof want, "dir/%02zu", i);
        CHECK_STR(l.items[i].key, want);
    }
    rv_object_list_free(&l);
    t.b.endless = true;
    CHECK_EQ(t.driver->list(t.d, "dir", &l, &t.err), RV_E_DEST_IO);
    CHECK(strstr(t.err.text, "does not end") != NULL);
    t.b.endless = false;
    t.b.denied[FAKE_LIST] = true;
    CHECK_EQ(t.driver->list(t.d, "dir", &l, &t.err), RV_E_DEST_PERMISSION);
    CHECK_EQ(l.n, 0);
    CHECK(t.driver->list(t.d, "a/../b", &l, &t.err) != RV_OK);
    fake_desk_close(&t);
}

/* ---- removing ---- */

static rv_remove_outcome remove_part(fake_desk *t)
{
    rv_remove_outcome out = RV_REMOVED;
    CHECK_EQ(t->driver->remove(t->d, "part", MINE, NULL, 0, &out, &t->err), RV_OK);
    return out;
}

static void change_it(void *ctx, fake_op op, const char *name)
{
    fake_desk *t = ctx;
    if (op != FAKE_REMOVE || t->guarded++ > 0)
        return;
    fake_bucket_plant(&t->b, name, "changed meanwhile", t->guard_no ? MINE : THEIRS);
}

RV_TEST(removing)
{
    fake_desk t;
    rv_remove_outcome out;
    REQUIRE(fake_desk_init(&t, &rv_dest_fake));
    fake_desk_open(&t, "p");
    CHECK_EQ(remove_part(&t), RV_REMOVE_MISSING);
    fake_bucket_plant(&t.b, "p/part", "x", THEIRS);
    CHECK_EQ(remove_part(&t), RV_REMOVE_FOREIGN);
    fake_bucket_plant(&t.b, "p/part", "x", "");
    CHECK_EQ(remove_part(&t), RV_REMOVE_FOREIGN);
    fake_bucket_plant(&t.b, "p/part", "x", MINE);
    t.b.denied[FAKE_REMOVE] = true;
    CHECK_EQ(remove_part(&t), RV_REMOVE_DENIED);
    t.b.denied[FAKE_REMOVE] = false;
    t.b.denied[FAKE_HEAD] = true; /* nobody may know whose it is */
    CHECK_EQ(remove_part(&t), RV_REMOVE_DENIED);
    t.b.denied[FAKE_HEAD] = false;
    CHECK_EQ(t.b.calls[FAKE_REMOVE], 1);
    t.b.faults[0] = (fake_fault){.op = FAKE_REMOVE, .nth = 1, .kind = FAKE_SILENT};
    CHECK_EQ(t.driver->remove(t.d, "part", MINE, NULL, 0, &out, &t.err), RV_E_DEST_UNREACHABLE);
    t.b.unconditional = true;
    CHECK_EQ(remove_part(&t), RV_REMOVED);
    CHECK(fake_content(&t, "part") == NULL);
    fake_desk_close(&t);
}

RV_TEST(removing_what_changes)
{
    fake_desk t;
    REQUIRE(fake_desk_init(&t, &rv_dest_fake));
    fake_desk_open(&t, "p");
    t.b.before = change_it;
    t.b.before_ctx = &t;
    fake_bucket_plant(&t.b, "p/part", "x", MINE);
    CHECK_EQ(remove_part(&t), RV_REMOVE_FOREIGN);
    CHECK_STR(fake_content(&t, "part"), "changed meanwhile");
    fake_bucket_plant(&t.b, "p/part", "x", MINE);
    t.guarded = 0;
    t.guard_no = 1;
    CHECK_EQ(remove_part(&t), RV_REMOVED);
    fake_desk_close(&t);
}

/* ---- moving ---- */

RV_TEST(moving)
{
    fake_desk t;
    REQUIRE(fake_desk_init(&t, &rv_dest_fake));
    fake_desk_open(&t, "p");
    fake_bucket_plant(&t.b, "p/part", "bad", MINE);
    t.b.faults[0] = (fake_fault){.op = FAKE_REMOVE, .nth = 1, .kind = FAKE_SILENT};
    CHECK_EQ(t.driver->move(t.d, "part", "q/part", &t.err), RV_E_DEST_UNREACHABLE);
    CHECK_STR(fake_content(&t, "part"), "bad");
    CHECK_STR(fake_content(&t, "q/part"), "bad");
    CHECK_EQ(t.driver->move(t.d, "part", "q/part", &t.err), RV_OK); /* goes on where it was */
    CHECK(fake_content(&t, "part") == NULL);
    CHECK_EQ(t.driver->move(t.d, "part", "q/part", &t.err), RV_OK);
    fake_bucket_plant(&t.b, "p/part", "bad", THEIRS); /* equal bytes, another's */
    CHECK_EQ(t.driver->move(t.d, "part", "q/part", &t.err), RV_E_DEST_CONFLICT);
    t.b.denied[FAKE_COPY] = true;
    CHECK_EQ(t.driver->move(t.d, "part", "q/other", &t.err), RV_E_DEST_PERMISSION);
    t.b.denied[FAKE_COPY] = false;
    t.b.denied[FAKE_HEAD] = true;
    CHECK_EQ(t.driver->move(t.d, "part", "q/other", &t.err), RV_E_DEST_PERMISSION);
    CHECK(strstr(t.err.text, "cannot move s3://bucket/p/part: permission error\n") == t.err.text);
    fake_desk_close(&t);
}

static void change_behind_the_copy(void *ctx, fake_op op, const char *name)
{
    fake_desk *t = ctx;
    if (op == FAKE_REMOVE)
        fake_bucket_plant(&t->b, name, "newer", MINE);
}

RV_TEST(moving_what_changes)
{
    fake_desk t;
    REQUIRE(fake_desk_init(&t, &rv_dest_fake));
    fake_desk_open(&t, "p");
    fake_bucket_plant(&t.b, "p/part", "bad", MINE);
    t.b.before = change_behind_the_copy;
    t.b.before_ctx = &t;
    CHECK_EQ(t.driver->move(t.d, "part", "q/part", &t.err), RV_E_DEST_CONFLICT);
    CHECK_STR(fake_content(&t, "part"), "newer"); /* nothing is lost */
    fake_desk_close(&t);
}

RV_TEST(aborting)
{
    fake_desk t;
    REQUIRE(fake_desk_init(&t, &rv_dest_fake));
    fake_desk_open(&t, "p");
    CHECK_EQ(t.driver->abort_upload(t.d, "part", "u17", &t.err), RV_OK);
    fake_bucket_leave(&t.b, "p/part");
    fake_bucket_leave(&t.b, "p/part2");
    CHECK_EQ(t.driver->abort_upload(t.d, "part", NULL, &t.err), RV_OK); /* its id is not known */
    CHECK_EQ(fake_bucket_uploads(&t.b), 1);
    t.b.denied[FAKE_ABORT] = true; /* told, and no reason to stop */
    CHECK_EQ(t.driver->abort_upload(t.d, "part", NULL, &t.err), RV_OK);
    CHECK_EQ(t.driver->abort_upload(t.d, "part", "u17", &t.err), RV_OK);
    t.b.faults[0] = (fake_fault){.op = FAKE_ABORT, .nth = 1, .kind = FAKE_SILENT};
    CHECK_EQ(t.driver->abort_upload(t.d, "part", "u17", &t.err), RV_E_DEST_UNREACHABLE);
    fake_desk_close(&t);
}

/* ---- memory ---- */

#ifdef RV_FAULTS

static rv_status all_of_it(fake_desk *t)
{
    rv_dest *d = NULL;
    rv_object o;
    rv_object_list l = {0};
    rv_remove_outcome removed;
    rv_put_outcome out;
    rv_probe probe;
    rv_digests digests = {.size_bytes = 10};
    uint8_t bytes[8];
    size_t len;
    bool is, tmpfs;
    rv_status st;
    memcpy(digests.md5, "781e5e245d69b566979b86e28d23f2c7", 33);
    rv_put_spec part = {
        .key = "part", .spool = rv_buf_cstr(&t->path), .digests = &digests, .owner_token = MINE};
    rv_put_spec shared = {.key = "_SUCCESS",
                          .bytes = {(const uint8_t *)"ok", 2},
                          .owner_token = MINE,
                          .mode = RV_PUT_SHARED};
    RV_GO(t->driver->open(&t->env, &t->cfg, "p", &d, &t->err));
    RV_GO(t->driver->prepare(d, 1, &tmpfs, &t->err));
    RV_GO(t->driver->put(d, &part, &out, &t->err));
    RV_GO(t->driver->put(d, &shared, &out, &t->err));
    RV_GO(t->driver->stat(d, "part", &o, &is, &t->err));
    RV_GO(t->driver->read(d, "part", 2, bytes, sizeof bytes, &len, &t->err));
    CHECK_EQ(len, 8);
    RV_GO(t->driver->list(d, "", &l, &t->err));
    CHECK_EQ(l.n, 2);
    RV_GO(t->driver->move(d, "_SUCCESS", "q/x", &t->err));
    RV_GO(t->driver->remove(d, "part", MINE, NULL, 0, &removed, &t->err));
    CHECK_EQ(removed, RV_REMOVED);
    RV_GO(t->driver->probe(d, &probe, &t->err));
done:
    rv_object_list_free(&l);
    t->driver->close(d);
    return st;
}

RV_TEST(every_allocation_may_fail)
{
    for (long n = 1; n < 4000; n++) {
        fake_desk t;
        REQUIRE(fake_desk_init(&t, &rv_dest_fake));
        fake_bucket_use(&t.b);
        t.cfg.upload_threshold_mb = 0; /* the part goes in three */
        t.cfg.upload_parallel = 1;     /* allocations in one order */
        REQUIRE(t.driver->open(&t.env, &t.cfg, "p", &t.d, &t.err) == RV_OK);
        (void)fake_spool(&t, t.d, "part", "0123456789");
        rv_fault_set_alloc(n, false);
        rv_status st = all_of_it(&t);
        long seen = rv_fault_seen_alloc();
        rv_fault_set_alloc(0, false);
        CHECK(st == RV_OK || st == RV_E_MEMORY);
        if (st != RV_OK && st != RV_E_MEMORY)
            printf("allocation %ld: %s\n", n, t.err.text);
        CHECK_EQ(fake_bucket_uploads(&t.b), 0);
        fake_desk_close(&t);
        if (seen < n) {
            CHECK_EQ(st, RV_OK);
            CHECK(n > 20);
            return;
        }
    }
    CHECK(false && "the sweep ends");
}

#endif

int main(int argc, char **argv)
{
    static const rvtest_case cases[] = {
        RV_CASE(conformance),
        RV_CASE(conformance_in_parts),
        RV_CASE(conformance_without_conditions),
        RV_CASE(conformance_of_one_request_at_a_time),
        RV_CASE(prefixes_and_uris),
        RV_CASE(names_that_cannot_be),
        RV_CASE(spool_files),
        RV_CASE(looking),
        RV_CASE(listing),
        RV_CASE(removing),
        RV_CASE(removing_what_changes),
        RV_CASE(moving),
        RV_CASE(moving_what_changes),
        RV_CASE(aborting),
#ifdef RV_FAULTS
        RV_CASE(every_allocation_may_fail),
#endif
    };
    return rvtest_main(cases, sizeof cases / sizeof cases[0], argc, argv);
}
