/* The commit protocol over a store in memory, row by row of spec "destinations" sections 1, 7, 9.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fake_desk.h"

static bool begin(fake_desk *t)
{
    if (!fake_desk_init(t, &rv_dest_fake))
        return false;
    fake_desk_open(t, "p");
    return true;
}

static void fault(fake_desk *t, size_t i, fake_op op, fake_kind kind, unsigned more)
{
    t->b.faults[i] = (fake_fault){.op = op, .nth = 1, .kind = kind, .more = more};
}

/* What a put of "new bytes" comes to, and what lies there then. */
static void put_gives(fake_desk *t, rv_put_outcome want, const char *content)
{
    rv_put_outcome out = RV_PUT_CHANGED;
    CHECK_EQ(fake_put_new(t, "part", "new bytes", &out), RV_OK);
    CHECK_EQ(out, want);
    CHECK_STR(fake_content(t, "part"), content);
    CHECK_EQ(access((const char *)t->path.ptr, F_OK), 0); /* until that is recorded */
}

static void put_fails(fake_desk *t, rv_status want)
{
    rv_put_outcome out;
    CHECK_EQ(fake_put_new(t, "part", "new bytes", &out), want);
    CHECK_EQ(t->err.code, want);
    CHECK_EQ(access((const char *)t->path.ptr, F_OK), 0); /* it waits */
}

/* ---- first write of a name ---- */

RV_TEST(a_free_name_takes_one_request)
{
    fake_desk t;
    REQUIRE(begin(&t));
    put_gives(&t, RV_PUT_WRITTEN, "new bytes");
    CHECK_EQ(t.b.calls[FAKE_PUT], 1);
    CHECK_EQ(t.b.calls[FAKE_HEAD], 0);
    CHECK_EQ(t.guarded, 1);
    CHECK_STR(fake_bucket_find(&t.b, "p/part")->owner, MINE);
    fake_desk_close(&t);
}

RV_TEST(a_taken_name)
{
    fake_desk t;
    REQUIRE(begin(&t));
    fake_bucket_plant(&t.b, "p/part", "new bytes", THEIRS); /* a twin's, equal bytes */
    put_gives(&t, RV_PUT_FOREIGN, "new bytes");
    CHECK_STR(fake_bucket_find(&t.b, "p/part")->owner, THEIRS);
    fake_bucket_plant(&t.b, "p/part", "theirs", "");
    put_gives(&t, RV_PUT_FOREIGN, "theirs");
    fake_bucket_plant(&t.b, "p/part", "older", MINE);
    put_gives(&t, RV_PUT_WRITTEN, "new bytes");
    CHECK_EQ(t.guarded, 2); /* before each of the two writes */
    put_gives(&t, RV_PUT_SAME, "new bytes");
    t.b.hides_md5 = true; /* not to be told the same: written anew */
    put_gives(&t, RV_PUT_WRITTEN, "new bytes");
    fake_desk_close(&t);
}

RV_TEST(a_taken_name_without_rights)
{
    fake_desk t;
    REQUIRE(begin(&t));
    fake_bucket_plant(&t.b, "p/part", "older", MINE);
    t.b.replace_denied = true;
    put_gives(&t, RV_PUT_FOREIGN, "older");
    t.b.replace_denied = false;
    t.b.denied[FAKE_HEAD] = true;
    put_gives(&t, RV_PUT_FOREIGN, "older"); /* unreadable */
    fake_desk_close(&t);
}

RV_TEST(no_right_to_write)
{
    fake_desk t;
    REQUIRE(begin(&t));
    t.b.denied[FAKE_PUT] = true;
    put_fails(&t, RV_E_DEST_PERMISSION);
    CHECK(
        strstr(t.err.text, "cannot write s3://bucket/p/part: permission error\n403 AccessDenied") ==
        t.err.text);
    t.b.denied[FAKE_HEAD] = true;
    put_fails(&t, RV_E_DEST_PERMISSION);
    /* the right to create alone, refused because the name is taken */
    t.b.denied[FAKE_HEAD] = false;
    fake_bucket_plant(&t.b, "p/part", "theirs", THEIRS);
    put_gives(&t, RV_PUT_FOREIGN, "theirs");
    fake_bucket_plant(&t.b, "p/part", "new bytes", MINE);
    put_gives(&t, RV_PUT_SAME, "new bytes");
    fake_desk_close(&t);
}

/* ---- lost answers ---- */

RV_TEST(a_lost_answer_is_settled_by_a_look)
{
    fake_desk t;
    REQUIRE(begin(&t));
    fault(&t, 0, FAKE_PUT, FAKE_LOST, 0);
    put_gives(&t, RV_PUT_SAME, "new bytes");
    CHECK_EQ(t.b.calls[FAKE_PUT], 1);
    fake_desk_close(&t);
}

RV_TEST(silence_is_a_failure)
{
    fake_desk t;
    REQUIRE(begin(&t));
    fault(&t, 0, FAKE_PUT, FAKE_SILENT, 0);
    put_fails(&t, RV_E_DEST_UNREACHABLE);
    CHECK_EQ(t.err.retry, RV_RETRY_N);
    CHECK(fake_content(&t, "part") == NULL);
    fault(&t, 0, FAKE_PUT, FAKE_LOST, 0); /* nor is an answer to the look */
    fault(&t, 1, FAKE_HEAD, FAKE_SILENT, 0);
    put_fails(&t, RV_E_DEST_UNREACHABLE);
    put_gives(&t, RV_PUT_SAME, "new bytes"); /* the next try finds it */
    fake_desk_close(&t);
}

RV_TEST(silence_and_no_right_to_read_is_the_next_stem)
{
    fake_desk t;
    REQUIRE(begin(&t));
    t.b.denied[FAKE_HEAD] = true;
    fault(&t, 0, FAKE_PUT, FAKE_LOST, 0);
    put_gives(&t, RV_PUT_FOREIGN, "new bytes");
    fake_desk_close(&t);
}

/* ---- damage ---- */

RV_TEST(damage_is_sent_once_more)
{
    fake_desk t;
    REQUIRE(begin(&t));
    fault(&t, 0, FAKE_PUT, FAKE_DAMAGED, 0); /* it stands there, ours: replaced */
    put_gives(&t, RV_PUT_WRITTEN, "new bytes");
    CHECK_EQ(t.b.calls[FAKE_PUT], 2);
    fault(&t, 0, FAKE_PUT, FAKE_REFUSED, 0);
    put_gives(&t, RV_PUT_SAME, "new bytes");
    fault(&t, 0, FAKE_PUT, FAKE_REFUSED, 1);
    fake_bucket_plant(&t.b, "p/part", "older", MINE);
    put_fails(&t, RV_E_DEST_CORRUPT);
    CHECK_STR(fake_content(&t, "part"), "older"); /* nothing is deleted */
    fake_desk_close(&t);
}

static void damage_the_spool(void *ctx, fake_op op, const char *name)
{
    fake_desk *t = ctx;
    (void)name;
    if (op != FAKE_PUT)
        return;
    FILE *f = fopen((const char *)t->path.ptr, "r+");
    CHECK(f != NULL);
    if (!f)
        return;
    CHECK(fputc('X', f) == 'X');
    CHECK_EQ(fclose(f), 0);
}

RV_TEST(a_damaged_spool_is_never_sent_twice)
{
    fake_desk t;
    REQUIRE(begin(&t));
    t.b.before = damage_the_spool;
    t.b.before_ctx = &t;
    fault(&t, 0, FAKE_PUT, FAKE_REFUSED, 0);
    put_fails(&t, RV_E_CORRUPT);
    CHECK(strstr(t.err.text, "no longer holds the bytes") != NULL);
    CHECK(fake_content(&t, "part") == NULL);
    fake_desk_close(&t);
}

RV_TEST(a_spool_of_another_size_is_not_sent)
{
    fake_desk t;
    rv_put_outcome out;
    REQUIRE(begin(&t));
    rv_digests d = fake_digests("longer than it is");
    rv_put_spec spec = {.key = "part",
                        .spool = fake_spool(&t, t.d, "part", "short"),
                        .digests = &d,
                        .owner_token = MINE};
    CHECK_EQ(t.driver->put(t.d, &spec, &out, &t.err), RV_E_CORRUPT);
    CHECK_EQ(t.b.calls[FAKE_PUT], 0);
    (void)unlink(spec.spool);
    CHECK(t.driver->put(t.d, &spec, &out, &t.err) != RV_OK);
    fake_desk_close(&t);
}

/* ---- the lease ---- */

RV_TEST(a_lost_lease_writes_nothing)
{
    fake_desk t;
    rv_put_outcome out;
    REQUIRE(begin(&t));
    fake_bucket_plant(&t.b, "p/part", "older", MINE);
    t.guard_no = 2; /* lost between the first try and the replacement */
    CHECK_EQ(fake_put_new(&t, "part", "new bytes", &out), RV_E_STATE_LEASE_LOST);
    CHECK_STR(fake_content(&t, "part"), "older");
    CHECK_STR(t.err.text, "no longer");
    t.guard_no = 1;
    CHECK_EQ(fake_put_shared(&t, "_SUCCESS", "x", NULL, &out), RV_E_STATE_LEASE_LOST);
    CHECK(fake_content(&t, "_SUCCESS") == NULL);
    fake_desk_close(&t);
}

/* ---- stores that take no conditions ---- */

RV_TEST(a_store_that_refuses_conditions_is_looked_at_first)
{
    fake_desk t;
    REQUIRE(begin(&t));
    t.b.unconditional = true;
    put_gives(&t, RV_PUT_WRITTEN, "new bytes");
    CHECK_EQ(t.b.calls[FAKE_PUT], 2); /* the refused one, then the plain one */
    put_gives(&t, RV_PUT_SAME, "new bytes");
    CHECK_EQ(t.b.calls[FAKE_PUT], 2); /* remembered */
    fake_bucket_plant(&t.b, "p/part", "older", MINE);
    put_gives(&t, RV_PUT_WRITTEN, "new bytes");
    fake_bucket_plant(&t.b, "p/part", "theirs", THEIRS);
    put_gives(&t, RV_PUT_FOREIGN, "theirs");
    fake_desk_close(&t);
}

RV_TEST(a_store_that_may_ignore_conditions_is_looked_at_first)
{
    fake_desk t;
    REQUIRE(begin(&t));
    t.b.ignores = t.b.doubtful = true;
    put_gives(&t, RV_PUT_WRITTEN, "new bytes");
    CHECK_EQ(t.b.calls[FAKE_HEAD], 1);
    fake_bucket_plant(&t.b, "p/part", "theirs", THEIRS);
    put_gives(&t, RV_PUT_FOREIGN, "theirs");
    CHECK_EQ(t.b.calls[FAKE_PUT], 1);
    t.b.denied[FAKE_HEAD] = true; /* unknown is not taken: a write-only principal may write */
    fake_bucket_plant(&t.b, "p/other", "x", MINE);
    rv_put_outcome out;
    CHECK_EQ(fake_put_new(&t, "fresh", "new bytes", &out), RV_OK);
    CHECK_EQ(out, RV_PUT_WRITTEN);
    fake_desk_close(&t);
}

/* ---- others at work ---- */

static void take_the_name(void *ctx, fake_op op, const char *name)
{
    fake_desk *t = ctx;
    if (op == FAKE_PUT && t->ids++ == 0)
        fake_bucket_plant(&t->b, name, "theirs", THEIRS);
}

static void flicker(void *ctx, fake_op op, const char *name)
{
    fake_desk *t = ctx;
    if (op == FAKE_PUT)
        fake_bucket_plant(&t->b, name, "older", MINE);
}

RV_TEST(a_name_taken_between_look_and_write)
{
    fake_desk t;
    REQUIRE(begin(&t));
    t.b.before = take_the_name;
    t.b.before_ctx = &t;
    t.b.doubtful = true; /* looks first, and sends the condition too */
    put_gives(&t, RV_PUT_FOREIGN, "theirs");
    fake_desk_close(&t);
}

RV_TEST(a_name_that_never_rests)
{
    fake_desk t;
    REQUIRE(begin(&t));
    t.b.before = flicker;
    t.b.before_ctx = &t;
    put_fails(&t, RV_E_DEST_CONFLICT);
    CHECK(strstr(t.err.text, "keeps appearing") != NULL);
    CHECK(t.b.calls[FAKE_PUT] < 20);
    fake_desk_close(&t);
}

/* ---- shared names ---- */

static void shared_gives(fake_desk *t, const char *version, rv_put_outcome want,
                         const char *content)
{
    rv_put_outcome out = RV_PUT_WRITTEN;
    CHECK_EQ(fake_put_shared(t, "manifest.json", "{\"n\":2}", version, &out), RV_OK);
    CHECK_EQ(out, want);
    CHECK_STR(fake_content(t, "manifest.json"), content);
}

static const char *version_of(fake_desk *t)
{
    static rv_object o; /* tests of this file run one behind the other */
    bool found = false;
    CHECK_EQ(t->driver->stat(t->d, "manifest.json", &o, &found, &t->err), RV_OK);
    return found ? o.version : NULL;
}

static void shared_over_what_was_read(fake_desk *t)
{
    shared_gives(t, NULL, RV_PUT_WRITTEN, "{\"n\":2}");
    shared_gives(t, NULL, RV_PUT_SAME, "{\"n\":2}");
    fake_bucket_plant(&t->b, "p/manifest.json", "{\"n\":1}", THEIRS);
    shared_gives(t, version_of(t), RV_PUT_WRITTEN, "{\"n\":2}"); /* whoever wrote it */
    fake_bucket_plant(&t->b, "p/manifest.json", "{\"n\":1}", THEIRS);
    shared_gives(t, NULL, RV_PUT_CHANGED, "{\"n\":1}");
    shared_gives(t, "v0", RV_PUT_CHANGED, "{\"n\":1}");
    fake_bucket_plant(&t->b, "p/manifest.json", "{\"n\":2}", THEIRS);
    shared_gives(t, "v0", RV_PUT_SAME, "{\"n\":2}");
}

RV_TEST(shared_names)
{
    fake_desk t;
    REQUIRE(begin(&t));
    shared_over_what_was_read(&t);
    t.b.unconditional = true;
    fake_bucket_plant(&t.b, "p/manifest.json", "{\"n\":1}", THEIRS);
    shared_gives(&t, "v0", RV_PUT_CHANGED, "{\"n\":1}");
    shared_gives(&t, version_of(&t), RV_PUT_WRITTEN, "{\"n\":2}");
    fake_desk_close(&t);
    REQUIRE(begin(&t));
    t.b.doubtful = t.b.ignores = true;
    shared_over_what_was_read(&t);
    fake_desk_close(&t);
}

RV_TEST(a_shared_name_that_went_away)
{
    fake_desk t;
    rv_put_outcome out;
    REQUIRE(begin(&t));
    CHECK_EQ(fake_put_shared(&t, "manifest.json", "x", "v9", &out), RV_OK);
    CHECK_EQ(out, RV_PUT_CHANGED);
    CHECK(fake_content(&t, "manifest.json") == NULL);
    fake_desk_close(&t);
}

RV_TEST(shared_names_without_rights)
{
    fake_desk t;
    rv_put_outcome out;
    REQUIRE(begin(&t));
    fake_bucket_plant(&t.b, "p/manifest.json", "{\"n\":1}", THEIRS);
    const char *version = version_of(&t);
    t.b.replace_denied = true; /* they stay as they are */
    shared_gives(&t, version, RV_PUT_FOREIGN, "{\"n\":1}");
    t.b.denied[FAKE_HEAD] = true;
    shared_gives(&t, NULL, RV_PUT_FOREIGN, "{\"n\":1}");
    t.b.replace_denied = false; /* without the right to read: replaced unconditionally */
    shared_gives(&t, NULL, RV_PUT_WRITTEN, "{\"n\":2}");
    t.b.denied[FAKE_PUT] = true;
    CHECK_EQ(fake_put_shared(&t, "_SUCCESS", "x", NULL, &out), RV_E_DEST_PERMISSION);
    t.b.denied[FAKE_HEAD] = false;
    CHECK_EQ(fake_put_shared(&t, "_SUCCESS", "x", NULL, &out), RV_E_DEST_PERMISSION);
    fake_desk_close(&t);
}

RV_TEST(shared_names_and_lost_answers)
{
    fake_desk t;
    rv_put_outcome out;
    REQUIRE(begin(&t));
    fault(&t, 0, FAKE_PUT, FAKE_LOST, 0);
    shared_gives(&t, NULL, RV_PUT_SAME, "{\"n\":2}");
    fault(&t, 0, FAKE_PUT, FAKE_SILENT, 0);
    CHECK_EQ(fake_put_shared(&t, "_SUCCESS", "x", NULL, &out), RV_E_DEST_UNREACHABLE);
    fault(&t, 0, FAKE_PUT, FAKE_DAMAGED, 0);
    CHECK_EQ(fake_put_shared(&t, "_SUCCESS", "x", NULL, &out), RV_OK);
    CHECK_EQ(out, RV_PUT_WRITTEN);
    CHECK_STR(fake_content(&t, "_SUCCESS"), "x");
    fake_desk_close(&t);
}

/* ---- other ends ---- */

RV_TEST(what_is_refused_for_good)
{
    fake_desk t;
    REQUIRE(begin(&t));
    fault(&t, 0, FAKE_PUT, FAKE_BROKEN, 0);
    put_fails(&t, RV_E_DEST_IO);
    CHECK_EQ(t.b.calls[FAKE_PUT], 1);
    fault(&t, 0, FAKE_PUT, FAKE_STOPPED, 0);
    put_fails(&t, RV_E_INTERRUPTED);
    CHECK_EQ(t.b.calls[FAKE_HEAD], 0); /* no look behind a signal */
    fake_desk_close(&t);
}

RV_TEST(small_things)
{
    fake_desk t;
    rv_put_outcome out;
    REQUIRE(begin(&t));
    t.cfg.upload_threshold_mb = 0;
    CHECK_EQ(fake_put_new(&t, "empty", "", &out), RV_OK);
    CHECK_EQ(out, RV_PUT_WRITTEN);
    CHECK_EQ(t.b.calls[FAKE_PUT], 1);
    CHECK_STR(fake_content(&t, "empty"), "");
    CHECK_EQ(fake_put_shared(&t, "none", "", NULL, &out), RV_OK);
    CHECK_STR(fake_content(&t, "none"), "");
    fake_desk_close(&t);
}

RV_TEST_MAIN(RV_CASE(a_free_name_takes_one_request), RV_CASE(a_taken_name),
             RV_CASE(a_taken_name_without_rights), RV_CASE(no_right_to_write),
             RV_CASE(a_lost_answer_is_settled_by_a_look), RV_CASE(silence_is_a_failure),
             RV_CASE(silence_and_no_right_to_read_is_the_next_stem),
             RV_CASE(damage_is_sent_once_more), RV_CASE(a_damaged_spool_is_never_sent_twice),
             RV_CASE(a_spool_of_another_size_is_not_sent), RV_CASE(a_lost_lease_writes_nothing),
             RV_CASE(a_store_that_refuses_conditions_is_looked_at_first),
             RV_CASE(a_store_that_may_ignore_conditions_is_looked_at_first),
             RV_CASE(a_name_taken_between_look_and_write), RV_CASE(a_name_that_never_rests),
             RV_CASE(shared_names), RV_CASE(a_shared_name_that_went_away),
             RV_CASE(shared_names_without_rights), RV_CASE(shared_names_and_lost_answers),
             RV_CASE(what_is_refused_for_good), RV_CASE(small_things))
