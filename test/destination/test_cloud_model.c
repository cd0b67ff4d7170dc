/* Two writers and one name: every order of their requests that a seed gives, with answers lost and
 * requests that never arrive. No object is lost, mixed or taken from somebody, and who is told that
 * it is written finds it there. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "fake_desk.h"

#define WRITERS 2
#define SEEDS 400

typedef enum phase { WAITING, RUNNING, DONE } phase;

typedef struct writer {
    struct table *of;
    int index;
    const char *owner, *content;
    char spool[96];
    rv_dest *d;
    rv_status st;
    rv_put_outcome out;
    rv_error err;
} writer;

/* Lets one of them run from one request to the next. */
typedef struct table {
    fake_desk t;
    writer w[WRITERS];
    pthread_mutex_t lock;
    pthread_cond_t moved;
    phase phases[WRITERS];
    int chosen;
    uint64_t seed;
    unsigned faults_in; /* one request in so many is befallen; 0 = none */
    bool undamaged;     /* but never so that other bytes stand there than were sent */
} table;

static __thread int me;

static unsigned dice(table *tb, unsigned n)
{
    tb->seed = tb->seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(tb->seed >> 33) % n;
}

/* Under the lock: when nobody runs, one of those who wait. */
static void choose(table *tb)
{
    int waiting[WRITERS], n = 0;
    for (int i = 0; i < WRITERS; i++) {
        if (tb->phases[i] == RUNNING)
            return;
        if (tb->phases[i] == WAITING)
            waiting[n++] = i;
    }
    tb->chosen = n ? waiting[dice(tb, (unsigned)n)] : -1;
    (void)pthread_cond_broadcast(&tb->moved);
}

static void befall(table *tb, fake_op op)
{
    static const fake_kind kinds[] = {FAKE_SILENT, FAKE_LOST, FAKE_DAMAGED, FAKE_REFUSED};
    bool writes = op == FAKE_PUT || op == FAKE_FINISH;
    unsigned n = !writes ? 1 : tb->undamaged ? 2 : 4;
    tb->t.b.faults[0].nth = 0;
    if (tb->faults_in && dice(tb, tb->faults_in) == 0)
        tb->t.b.faults[0] = (fake_fault){.op = op, .nth = 1, .kind = kinds[dice(tb, n)]};
}

static void wait_for_turn(void *ctx, fake_op op, const char *name)
{
    table *tb = ctx;
    (void)name;
    (void)pthread_mutex_lock(&tb->lock);
    tb->phases[me] = WAITING;
    choose(tb);
    while (tb->chosen != me)
        (void)pthread_cond_wait(&tb->moved, &tb->lock);
    tb->chosen = -1;
    tb->phases[me] = RUNNING;
    befall(tb, op);
    (void)pthread_mutex_unlock(&tb->lock);
}

static void leave_table(table *tb)
{
    (void)pthread_mutex_lock(&tb->lock);
    tb->phases[me] = DONE;
    choose(tb);
    (void)pthread_mutex_unlock(&tb->lock);
}

/* ---- parts ---- */

static void *write_part(void *arg)
{
    writer *w = arg;
    rv_digests digests = fake_digests(w->content);
    rv_put_spec spec = {.key = "part",
                        .spool = w->spool,
                        .digests = &digests,
                        .owner_token = w->owner,
                        .mime = "text/csv"};
    me = w->index;
    w->st = w->of->t.driver->put(w->d, &spec, &w->out, &w->err);
    leave_table(w->of);
    return NULL;
}

/* ---- shared names, as a run publishes ---- */

static void *publish(void *arg)
{
    writer *w = arg;
    me = w->index;
    w->out = RV_PUT_CHANGED;
    for (int i = 0; i < 5 && w->out == RV_PUT_CHANGED; i++) {
        rv_object o;
        bool found;
        w->st = w->of->t.driver->stat(w->d, "manifest.json", &o, &found, &w->err);
        rv_put_spec spec = {.key = "manifest.json",
                            .bytes = rv_str_bytes(rv_str_c(w->content)),
                            .owner_token = w->owner,
                            .mode = RV_PUT_SHARED,
                            .version = w->st == RV_OK && found ? o.version : NULL};
        if (w->st == RV_OK)
            w->st = w->of->t.driver->put(w->d, &spec, &w->out, &w->err);
        if (w->st != RV_OK)
            break;
    }
    leave_table(w->of);
    return NULL;
}

/* ---- rounds ---- */

static bool sit_down(table *tb, const rv_dest_driver *driver, bool large)
{
    static const char *const owners[] = {MINE, THEIRS};
    static const char *const contents[] = {"aaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbb"};
    *tb = (table){.chosen = -1};
    if (!fake_desk_init(&tb->t, driver))
        return false;
    (void)pthread_mutex_init(&tb->lock, NULL);
    (void)pthread_cond_init(&tb->moved, NULL);
    tb->t.cfg.upload_threshold_mb = large ? 0 : 64;
    for (int i = 0; i < WRITERS; i++) {
        writer *w = &tb->w[i];
        *w = (writer){.of = tb, .index = i, .owner = owners[i], .content = contents[i]};
        fake_desk_open(&tb->t, "p");
        w->d = tb->t.d;
        (void)snprintf(w->spool, sizeof w->spool, "%s",
                       fake_spool(&tb->t, w->d, owners[i], contents[i]));
    }
    return true;
}

static void stand_up(table *tb)
{
    tb->t.driver->close(tb->w[0].d); /* the last one is the desk's own */
    fake_desk_close(&tb->t);
    (void)pthread_mutex_destroy(&tb->lock);
    (void)pthread_cond_destroy(&tb->moved);
}

static void play(table *tb, uint64_t seed, void *(*act)(void *))
{
    pthread_t threads[WRITERS];
    fake_bucket_free(&tb->t.b);
    fake_bucket_init(&tb->t.b);
    tb->seed = seed * 2654435761u + 1;
    tb->faults_in = seed % 3 == 0 ? 0 : 4;
    tb->t.b.before = wait_for_turn;
    tb->t.b.before_ctx = tb;
    for (int i = 0; i < WRITERS; i++) {
        tb->phases[i] = RUNNING; /* until each stands before its first request */
        tb->w[i].st = RV_OK;
        tb->w[i].out = RV_PUT_CHANGED;
    }
    for (int i = 0; i < WRITERS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, act, &tb->w[i]), 0);
    for (int i = 0; i < WRITERS; i++)
        (void)pthread_join(threads[i], NULL);
}

static bool told_written(const writer *w)
{
    return w->st == RV_OK && (w->out == RV_PUT_WRITTEN || w->out == RV_PUT_SAME);
}

static bool holds(const fake_object *o, const writer *w)
{
    return o && o->len == strlen(w->content) && memcmp(o->data, w->content, o->len) == 0 &&
           strcmp(o->owner, w->owner) == 0;
}

/* Errors are fine where requests were lost; a wrong answer never is. */
static bool part_is_right(table *tb)
{
    const fake_object *o = fake_bucket_find(&tb->t.b, "p/part");
    int told = 0;
    for (int i = 0; i < WRITERS; i++) {
        told += told_written(&tb->w[i]);
        if (told_written(&tb->w[i]) && !holds(o, &tb->w[i]))
            return false;
        if (tb->w[i].st == RV_OK && tb->w[i].out == RV_PUT_FOREIGN &&
            (!o || strcmp(o->owner, tb->w[i].owner) == 0))
            return false;
        if (tb->faults_in == 0 && tb->w[i].st != RV_OK)
            return false;
    }
    return told <= 1 && (tb->faults_in || told == 1);
}

static void parts_of(const rv_dest_driver *driver, bool large)
{
    table tb;
    REQUIRE(sit_down(&tb, driver, large));
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        play(&tb, seed, write_part);
        if (!part_is_right(&tb)) {
            printf("seed %llu: %d/%d %d/%d\n", (unsigned long long)seed, (int)tb.w[0].st,
                   (int)tb.w[0].out, (int)tb.w[1].st, (int)tb.w[1].out);
            CHECK(false && "one writer has the name, and knows it");
        }
    }
    stand_up(&tb);
}

RV_TEST(one_writer_gets_a_name)
{
    parts_of(&rv_dest_fake_in_turn, false);
}

RV_TEST(one_writer_gets_a_name_in_parts)
{
    parts_of(&rv_dest_fake_in_turn, true);
}

static bool shared_is_right(table *tb)
{
    const fake_object *o = fake_bucket_find(&tb->t.b, "p/manifest.json");
    bool whole = false;
    int told = 0;
    for (int i = 0; i < WRITERS; i++) {
        told += told_written(&tb->w[i]);
        whole = whole || holds(o, &tb->w[i]);
        if (tb->faults_in == 0 && tb->w[i].st != RV_OK)
            return false;
    }
    /* without faults both get through, one over the other */
    return (told == 0 || whole) && (tb->faults_in || (told == 2 && tb->t.b.clock == 2));
}

RV_TEST(publishers_replace_only_what_they_read)
{
    table tb;
    REQUIRE(sit_down(&tb, &rv_dest_fake, false));
    tb.undamaged = true;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        play(&tb, seed, publish);
        if (!shared_is_right(&tb)) {
            printf("seed %llu: %d/%d %d/%d\n", (unsigned long long)seed, (int)tb.w[0].st,
                   (int)tb.w[0].out, (int)tb.w[1].st, (int)tb.w[1].out);
            CHECK(false && "a shared name is whole, and its last writer's");
        }
    }
    stand_up(&tb);
}

/* The same run in two processes: a part of the one that stalled is never mixed with the other's. */
RV_TEST(one_owner_twice)
{
    table tb;
    REQUIRE(sit_down(&tb, &rv_dest_fake_in_turn, true));
    tb.w[1].owner = tb.w[0].owner;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        play(&tb, seed, write_part);
        const fake_object *o = fake_bucket_find(&tb.t.b, "p/part");
        bool told = told_written(&tb.w[0]) || told_written(&tb.w[1]);
        CHECK(!told || holds(o, &tb.w[0]) || holds(o, &tb.w[1]));
    }
    stand_up(&tb);
}

RV_TEST_MAIN(RV_CASE(one_writer_gets_a_name), RV_CASE(one_writer_gets_a_name_in_parts),
             RV_CASE(publishers_replace_only_what_they_read), RV_CASE(one_owner_twice))
