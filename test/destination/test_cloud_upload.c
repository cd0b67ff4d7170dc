/* Objects in parts: spec "destinations" section 6. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fake_desk.h"

#define LONG "0123456789abcdefghijklmnopqrstuvwxyz!" /* 37 bytes: ten parts of 4 */

static bool begin(fake_desk *t, const rv_dest_driver *driver)
{
    if (!fake_desk_init(t, driver))
        return false;
    t->cfg.upload_threshold_mb = 0;
    fake_desk_open(t, "p");
    return true;
}

static void fault(fake_desk *t, size_t i, fake_op op, unsigned nth, fake_kind kind)
{
    t->b.faults[i] = (fake_fault){.op = op, .nth = nth, .kind = kind};
}

static void gives(fake_desk *t, rv_put_outcome want, const char *content)
{
    rv_put_outcome out = RV_PUT_CHANGED;
    CHECK_EQ(fake_put_new(t, "part", LONG, &out), RV_OK);
    CHECK_EQ(out, want);
    CHECK_STR(fake_content(t, "part"), content);
    CHECK_EQ(fake_bucket_uploads(&t->b), 0);
}

static void fails(fake_desk *t, rv_status want)
{
    rv_put_outcome out;
    CHECK_EQ(fake_put_new(t, "part", LONG, &out), want);
    CHECK_EQ(access((const char *)t->path.ptr, F_OK), 0);
}

static void whole_uploads(const rv_dest_driver *driver, unsigned parts)
{
    fake_desk t;
    REQUIRE(begin(&t, driver));
    gives(&t, RV_PUT_WRITTEN, LONG);
    CHECK_EQ(t.b.calls[FAKE_PART], parts);
    CHECK_EQ(t.b.calls[FAKE_PUT], 0);
    CHECK_EQ(t.ids, 1);
    CHECK_STR(t.id, "u1");
    CHECK(fake_bucket_find(&t.b, "p/part")->parted);
    CHECK_EQ(t.b.calls[FAKE_ABORT], 0);
    gives(&t, RV_PUT_SAME, LONG);
    CHECK_EQ(t.b.calls[FAKE_BEGIN], 1); /* a look saved the second one */
    fake_bucket_plant(&t.b, "p/part", "theirs", THEIRS);
    gives(&t, RV_PUT_FOREIGN, "theirs");
    CHECK_EQ(t.b.calls[FAKE_BEGIN], 1);
    fake_bucket_plant(&t.b, "p/part", "older", MINE);
    gives(&t, RV_PUT_WRITTEN, LONG);
    fake_desk_close(&t);
}

RV_TEST(whole_objects)
{
    whole_uploads(&rv_dest_fake, 10);
    whole_uploads(&rv_dest_fake_in_turn, 7);
}

RV_TEST(few_requests_at_once)
{
    fake_desk t;
    REQUIRE(fake_desk_init(&t, &rv_dest_fake));
    t.cfg.upload_threshold_mb = 0;
    t.cfg.upload_parallel = 3;
    t.b.delay_us = 5000;
    fake_desk_open(&t, "p");
    gives(&t, RV_PUT_WRITTEN, LONG);
    CHECK_EQ(t.b.most_at_once, 3);
    fake_desk_close(&t);
}

/* 10 parts at most: 100 bytes go in parts of 10, not 4; 1,000,000 is more than an object has. */
RV_TEST(parts_grow_with_the_object)
{
    fake_desk t;
    rv_put_outcome out;
    static char big[20001];
    REQUIRE(begin(&t, &rv_dest_fake));
    memset(big, 'x', 101);
    CHECK_EQ(fake_put_new(&t, "part", big, &out), RV_OK);
    CHECK_EQ(t.b.calls[FAKE_PART], 9); /* of 12: a multiple of 2 */
    CHECK_STR(fake_content(&t, "part"), big);
    memset(big, 'y', 20000);
    CHECK_EQ(fake_put_new(&t, "part", big, &out), RV_E_DEST_IO);
    CHECK(strstr(t.err.text, "20000 bytes are more than an object may have") != NULL);
    CHECK_EQ(t.b.calls[FAKE_BEGIN], 1);
    CHECK_EQ(fake_put_new(&t, "empty", "", &out), RV_OK); /* no bytes, no parts */
    CHECK_EQ(t.b.calls[FAKE_PUT], 1);
    fake_desk_close(&t);
}

RV_TEST(a_threshold)
{
    fake_desk t;
    rv_put_outcome out;
    REQUIRE(fake_desk_init(&t, &rv_dest_fake));
    fake_desk_open(&t, "p"); /* 64 MB, but no more than one request may carry: 1000 */
    static char text[1002];
    memset(text, 'x', 1000);
    CHECK_EQ(fake_put_new(&t, "part", text, &out), RV_OK);
    CHECK_EQ(t.b.calls[FAKE_BEGIN], 0);
    text[1000] = 'x';
    CHECK_EQ(fake_put_new(&t, "other", text, &out), RV_OK);
    CHECK_EQ(t.b.calls[FAKE_BEGIN], 1);
    fake_desk_close(&t);
}

/* ---- what goes wrong ---- */

RV_TEST(failures_abort)
{
    static const struct {
        fake_op op;
        unsigned nth;
        fake_kind kind;
        rv_status want;
    } v[] = {{FAKE_PART, 1, FAKE_SILENT, RV_E_DEST_UNREACHABLE},
             {FAKE_PART, 5, FAKE_BROKEN, RV_E_DEST_IO},
             {FAKE_PART, 7, FAKE_STOPPED, RV_E_INTERRUPTED},
             {FAKE_FINISH, 1, FAKE_SILENT, RV_E_DEST_UNREACHABLE},
             {FAKE_FINISH, 1, FAKE_BROKEN, RV_E_DEST_IO}};
    for (size_t i = 0; i < 2 * sizeof v / sizeof v[0]; i++) {
        fake_desk t;
        size_t k = i / 2;
        REQUIRE(begin(&t, i % 2 ? &rv_dest_fake : &rv_dest_fake_in_turn));
        fault(&t, 0, v[k].op, v[k].nth, v[k].kind);
        fails(&t, v[k].want);
        CHECK_EQ(t.b.calls[FAKE_ABORT], 1);
        CHECK_EQ(fake_bucket_uploads(&t.b), 0);
        CHECK(fake_content(&t, "part") == NULL);
        fake_desk_close(&t);
    }
}

RV_TEST(an_abort_that_fails_hides_nothing)
{
    fake_desk t;
    REQUIRE(begin(&t, &rv_dest_fake));
    fault(&t, 0, FAKE_PART, 2, FAKE_BROKEN);
    t.b.denied[FAKE_ABORT] = true;
    fails(&t, RV_E_DEST_IO);
    CHECK(strstr(t.err.text, "400 Bad Request") != NULL);
    CHECK_EQ(fake_bucket_uploads(&t.b), 1); /* its id was told to state */
    t.b.denied[FAKE_ABORT] = false;
    CHECK_EQ(t.driver->abort_upload(t.d, "part", t.id, &t.err), RV_OK);
    CHECK_EQ(fake_bucket_uploads(&t.b), 0);
    fake_desk_close(&t);
}

RV_TEST(an_id_that_state_does_not_take)
{
    fake_desk t;
    REQUIRE(begin(&t, &rv_dest_fake));
    t.id_fails = 1;
    fails(&t, RV_E_STATE_UNREACHABLE);
    CHECK_EQ(t.b.calls[FAKE_PART], 0); /* told before the first byte */
    CHECK_EQ(fake_bucket_uploads(&t.b), 0);
    fake_desk_close(&t);
}

RV_TEST(a_lost_lease_finishes_nothing)
{
    fake_desk t;
    REQUIRE(begin(&t, &rv_dest_fake));
    t.guard_no = 1;
    fails(&t, RV_E_STATE_LEASE_LOST);
    CHECK_EQ(t.b.calls[FAKE_FINISH], 0);
    CHECK_EQ(fake_bucket_uploads(&t.b), 0);
    fake_desk_close(&t);
    /* where the last part may make it appear, that one is guarded as well */
    REQUIRE(begin(&t, &rv_dest_fake_in_turn));
    t.guard_no = 1;
    fails(&t, RV_E_STATE_LEASE_LOST);
    CHECK_EQ(t.b.calls[FAKE_PART], 6);
    CHECK_EQ(fake_bucket_uploads(&t.b), 0);
    fake_desk_close(&t);
}

RV_TEST(damaged_parts_are_sent_again)
{
    fake_desk t;
    REQUIRE(begin(&t, &rv_dest_fake));
    fault(&t, 0, FAKE_PART, 3, FAKE_REFUSED);
    gives(&t, RV_PUT_WRITTEN, LONG);
    CHECK_EQ(t.b.calls[FAKE_PART], 11);
    fake_desk_close(&t);
    REQUIRE(fake_desk_init(&t, &rv_dest_fake));
    t.cfg.upload_threshold_mb = 0;
    t.cfg.upload_parallel = 1;
    fake_desk_open(&t, "p");
    t.b.faults[0] = (fake_fault){.op = FAKE_PART, .nth = 3, .kind = FAKE_REFUSED, .more = 3};
    fails(&t, RV_E_DEST_CORRUPT); /* twice, and twice more of the second upload */
    CHECK_EQ(t.b.calls[FAKE_BEGIN], 2);
    CHECK_EQ(fake_bucket_uploads(&t.b), 0);
    fake_desk_close(&t);
}

RV_TEST(a_damaged_whole_is_sent_again)
{
    fake_desk t;
    REQUIRE(begin(&t, &rv_dest_fake));
    fault(&t, 0, FAKE_FINISH, 1, FAKE_DAMAGED);
    gives(&t, RV_PUT_WRITTEN, LONG);
    CHECK_EQ(t.b.calls[FAKE_BEGIN], 2);
    fake_desk_close(&t);
}

/* ---- lost answers ---- */

RV_TEST(a_lost_end_is_settled_by_a_look)
{
    static const fake_kind kinds[] = {FAKE_LOST, FAKE_GONE_DONE}; /* silence; NoSuchUpload */
    for (size_t i = 0; i < 2; i++) {
        fake_desk t;
        REQUIRE(begin(&t, &rv_dest_fake));
        fault(&t, 0, FAKE_FINISH, 1, kinds[i]);
        gives(&t, RV_PUT_SAME, LONG);
        CHECK_EQ(t.b.calls[FAKE_BEGIN], 1);
        fake_desk_close(&t);
    }
}

/* An MD5 that the store does not list proves nothing: it is sent once more, over what is ours. */
RV_TEST(a_lost_end_without_a_checksum)
{
    fake_desk t;
    REQUIRE(begin(&t, &rv_dest_fake));
    t.b.hides_parted_md5 = true;
    fault(&t, 0, FAKE_FINISH, 1, FAKE_GONE_DONE);
    gives(&t, RV_PUT_WRITTEN, LONG);
    CHECK_EQ(t.b.calls[FAKE_BEGIN], 2);
    fake_desk_close(&t);
}

RV_TEST(an_upload_that_is_gone_begins_again_once)
{
    fake_desk t;
    REQUIRE(begin(&t, &rv_dest_fake));
    fault(&t, 0, FAKE_PART, 4, FAKE_GONE);
    gives(&t, RV_PUT_WRITTEN, LONG);
    CHECK_EQ(t.b.calls[FAKE_BEGIN], 2);
    CHECK_EQ(t.ids, 2);
    CHECK_STR(t.id, "u2");
    fake_desk_close(&t);
    REQUIRE(begin(&t, &rv_dest_fake));
    fault(&t, 0, FAKE_FINISH, 1, FAKE_GONE);
    fault(&t, 1, FAKE_FINISH, 1, FAKE_GONE); /* of the second upload */
    fails(&t, RV_E_DEST_UNREACHABLE);
    CHECK_EQ(t.b.calls[FAKE_BEGIN], 2);
    fake_desk_close(&t);
}

/* ---- conditions ---- */

static void take_the_name(void *ctx, fake_op op, const char *name)
{
    fake_desk *t = ctx;
    if (op == FAKE_FINISH)
        fake_bucket_plant(&t->b, name, "theirs", THEIRS);
}

RV_TEST(a_name_taken_during_the_upload)
{
    fake_desk t;
    REQUIRE(begin(&t, &rv_dest_fake));
    t.b.before = take_the_name;
    t.b.before_ctx = &t;
    gives(&t, RV_PUT_FOREIGN, "theirs");
    CHECK_EQ(t.b.calls[FAKE_ABORT], 1);
    fake_desk_close(&t);
}

RV_TEST(a_store_that_refuses_conditions_at_the_end)
{
    fake_desk t;
    REQUIRE(begin(&t, &rv_dest_fake));
    t.b.unconditional = true;
    gives(&t, RV_PUT_WRITTEN, LONG);
    fake_bucket_plant(&t.b, "p/part", "theirs", THEIRS);
    gives(&t, RV_PUT_FOREIGN, "theirs");
    fake_desk_close(&t);
}

RV_TEST(no_right_to_replace)
{
    fake_desk t;
    REQUIRE(begin(&t, &rv_dest_fake));
    fake_bucket_plant(&t.b, "p/part", "older", MINE);
    t.b.replace_denied = true;
    gives(&t, RV_PUT_FOREIGN, "older");
    t.b.denied[FAKE_BEGIN] = true;
    fake_bucket_plant(&t.b, "p/other", "x", MINE);
    rv_put_outcome out;
    CHECK_EQ(fake_put_new(&t, "fresh", LONG, &out), RV_E_DEST_PERMISSION);
    fake_desk_close(&t);
}

/* ---- a signal ---- */

static void raise_at_part(void *ctx, fake_op op, const char *name)
{
    fake_desk *t = ctx;
    (void)name;
    if (op == FAKE_PART && t->b.calls[FAKE_PART] == 2)
        rv_cancel_raise(t->env.cancel, SIGTERM);
}

static rv_status interrupted_put(fake_desk *t, int64_t grace_us)
{
    rv_put_outcome out;
    CHECK_EQ(rv_cancel_open(&t->env.cancel, &t->err), RV_OK);
    rv_cancel_set_grace_us(t->env.cancel, grace_us);
    t->b.before = raise_at_part;
    t->b.before_ctx = t;
    rv_status st = fake_put_new(t, "part", LONG, &out);
    CHECK(rv_cancel_raised(t->env.cancel));
    CHECK_EQ(fake_bucket_uploads(&t->b), 0);
    return st;
}

RV_TEST(a_signal_lets_it_finish_within_the_grace_period)
{
    fake_desk t;
    REQUIRE(begin(&t, &rv_dest_fake_in_turn));
    CHECK_EQ(interrupted_put(&t, 60000000), RV_OK);
    CHECK_STR(fake_content(&t, "part"), LONG);
    rv_cancel_close(t.env.cancel);
    t.env.cancel = NULL;
    fake_desk_close(&t);
    REQUIRE(begin(&t, &rv_dest_fake_in_turn));
    CHECK_EQ(interrupted_put(&t, 0), RV_E_INTERRUPTED);
    CHECK(fake_content(&t, "part") == NULL);
    CHECK_EQ(t.b.calls[FAKE_ABORT], 1);
    CHECK_EQ(access((const char *)t.path.ptr, F_OK), 0);
    rv_cancel_close(t.env.cancel);
    t.env.cancel = NULL;
    fake_desk_close(&t);
}

/* ---- several at once ---- */

typedef struct sender {
    rv_dest *d;
    const rv_dest_driver *driver;
    char key[16], spool[96], content[64];
    rv_status st;
    rv_error err;
} sender;

static void *send(void *arg)
{
    sender *s = arg;
    rv_put_outcome out;
    rv_digests d = fake_digests(s->content);
    rv_put_spec spec = {
        .key = s->key, .spool = s->spool, .digests = &d, .owner_token = MINE, .mime = "text/csv"};
    s->st = s->driver->put(s->d, &spec, &out, &s->err);
    return NULL;
}

RV_TEST(several_puts_share_the_lines)
{
    enum { N = 6 };
    fake_desk t;
    sender s[N];
    pthread_t threads[N];
    REQUIRE(begin(&t, &rv_dest_fake));
    t.b.delay_us = 1000;
    for (int i = 0; i < N; i++) {
        s[i] = (sender){.d = t.d, .driver = t.driver};
        (void)snprintf(s[i].key, sizeof s[i].key, "part%d", i);
        (void)snprintf(s[i].content, sizeof s[i].content, "%d" LONG, i);
        (void)snprintf(s[i].spool, sizeof s[i].spool, "%s",
                       fake_spool(&t, t.d, s[i].key, s[i].content));
    }
    for (int i = 0; i < N; i++)
        REQUIRE(pthread_create(&threads[i], NULL, send, &s[i]) == 0);
    for (int i = 0; i < N; i++)
        (void)pthread_join(threads[i], NULL);
    for (int i = 0; i < N; i++) {
        CHECK_EQ(s[i].st, RV_OK);
        CHECK_STR(fake_content(&t, s[i].key), s[i].content);
    }
    CHECK(t.b.most_at_once <= 4);
    CHECK_EQ(fake_bucket_uploads(&t.b), 0);
    fake_desk_close(&t);
}

RV_TEST_MAIN(RV_CASE(whole_objects), RV_CASE(few_requests_at_once),
             RV_CASE(parts_grow_with_the_object), RV_CASE(a_threshold), RV_CASE(failures_abort),
             RV_CASE(an_abort_that_fails_hides_nothing), RV_CASE(an_id_that_state_does_not_take),
             RV_CASE(a_lost_lease_finishes_nothing), RV_CASE(damaged_parts_are_sent_again),
             RV_CASE(a_damaged_whole_is_sent_again), RV_CASE(a_lost_end_is_settled_by_a_look),
             RV_CASE(a_lost_end_without_a_checksum),
             RV_CASE(an_upload_that_is_gone_begins_again_once),
             RV_CASE(a_name_taken_during_the_upload),
             RV_CASE(a_store_that_refuses_conditions_at_the_end), RV_CASE(no_right_to_replace),
             RV_CASE(a_signal_lets_it_finish_within_the_grace_period),
             RV_CASE(several_puts_share_the_lines))
