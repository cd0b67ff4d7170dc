#include <pthread.h>

#include "state_fixture.h"

RV_TEST(take_hold_stem)
{
    fixture f;
    rv_run_row open, row;
    rv_take take;
    REQUIRE(fx_start(&f));
    rv_lease l = fx_take(&f, "a", "a_1");
    CHECK_EQ(l.epoch, 1);
    f.now_us += 5000000;
    row = fx_row("a", "a_2", "a_2");
    CHECK_EQ(rv_state_lease_take(f.s, &row, &f.arena, &take, &open, &f.err), RV_OK);
    CHECK_EQ(take, RV_LEASE_HELD);
    CHECK_STR(open.run_id, "a_1");
    CHECK_STR(open.status, "running");
    CHECK_STR(open.heartbeat_at, "2026-05-02T08:00:00.000Z");
    CHECK_EQ(open.heartbeat_age_us, 5000000);
    CHECK_EQ(open.process.pid, getpid());
    CHECK(!rv_run_row_dead(&open));
    CHECK_EQ(rv_state_run_close(f.s, &l, "success", &f.err), RV_OK);
    row.stem = "a_1";
    CHECK_EQ(rv_state_lease_take(f.s, &row, &f.arena, &take, &open, &f.err), RV_OK);
    CHECK_EQ(take, RV_LEASE_STEM_TAKEN);
    row.stem = "a_2";
    CHECK_EQ(rv_state_lease_take(f.s, &row, &f.arena, &take, &open, &f.err), RV_OK);
    CHECK_EQ(take, RV_LEASE_TAKEN);
    /* other exports and projects have leases of their own */
    CHECK_EQ(fx_take(&f, "b", "b_1").epoch, 1);
    fx_end(&f);
}

RV_TEST(projects_are_apart)
{
    fixture f;
    rv_state *other = NULL;
    rv_run_row open;
    rv_take take;
    bool found;
    REQUIRE(fx_start(&f));
    rv_lease l = fx_take(&f, "a", "a_1");
    REQUIRE(fx_open_as(&f, "p", &other) == RV_OK);
    rv_run_row row = fx_row("a", "a_1p", "a_1");
    CHECK_EQ(rv_state_lease_take(other, &row, &f.arena, &take, &open, &f.err), RV_OK);
    CHECK_EQ(take, RV_LEASE_TAKEN);
    CHECK_EQ(rv_state_lease_check(other, &l, &f.err), RV_E_STATE_LEASE_LOST);
    CHECK_EQ(rv_state_run_get(other, "a_1", &f.arena, &open, &found, &f.err), RV_OK);
    CHECK(!found);
    rv_state_close(other);
    fx_end(&f);
}

/* As if the row had been read with this epoch, and its status just now. */
static rv_status adopt(fixture *f, const char *run_id, int64_t seen, int64_t *out)
{
    rv_process_id self;
    rv_run_row row = {0};
    bool found = false;
    rv_process_self(&self);
    CHECK_EQ(rv_state_run_get(f->s, run_id, &f->arena, &row, &found, &f->err), RV_OK);
    row.run_id = run_id;
    row.epoch = seen;
    return rv_state_lease_adopt(f->s, &row, &self, "agg", out, &f->err);
}

RV_TEST(adopt_open)
{
    fixture f;
    int64_t epoch = 0;
    rv_run_row row;
    bool found;
    REQUIRE(fx_start(&f));
    rv_lease l = fx_take(&f, "a", "a_1");
    CHECK_EQ(adopt(&f, "a_1", 1, &epoch), RV_E_STATE_LEASE); /* it lives */
    f.now_us += 121000000;
    CHECK_EQ(adopt(&f, "a_1", 2, &epoch), RV_E_STATE_LEASE_LOST);
    CHECK_EQ(adopt(&f, "nothing", 1, &epoch), RV_E_STATE_LEASE_LOST);
    CHECK_EQ(adopt(&f, "a_1", 1, &epoch), RV_OK);
    CHECK_EQ(epoch, 2);
    CHECK_EQ(rv_state_lease_renew(f.s, &l, &f.err), RV_E_STATE_LEASE_LOST);
    l.epoch = 2;
    f.now_us += 1000000;
    CHECK_EQ(rv_state_lease_renew(f.s, &l, &f.err), RV_OK);
    CHECK_EQ(rv_state_run_open(f.s, "a", &f.arena, &row, &found, &f.err), RV_OK);
    REQUIRE(found);
    CHECK_STR(row.aggregate_id, "agg");
    CHECK_EQ(row.heartbeat_age_us, 0);
    CHECK_EQ(adopt(&f, "a_1", 2, &epoch), RV_E_STATE_LEASE); /* it woke up */
    fx_end(&f);
}

/* It was found dead while running, decided about, and woke for its final transaction. */
RV_TEST(adopt_names_the_status_it_saw)
{
    fixture f;
    int64_t epoch = 0;
    rv_process_id self;
    rv_run_row seen;
    bool found;
    REQUIRE(fx_start(&f));
    rv_lease l = fx_take(&f, "a", "a_1");
    f.now_us += 121000000;
    CHECK_EQ(rv_state_run_get(f.s, "a_1", &f.arena, &seen, &found, &f.err), RV_OK);
    rv_run_final final = {.manifest_json = "{}",
                          .columns_json = "[]",
                          .progression_chunk = -1,
                          .schema_fingerprint = "x",
                          .progression_strategy = "full"};
    CHECK_EQ(rv_state_run_final(f.s, &l, &final, &f.err), RV_OK);
    rv_process_self(&self);
    CHECK_EQ(rv_state_lease_adopt(f.s, &seen, &self, NULL, &epoch, &f.err), RV_E_STATE_LEASE_LOST);
    CHECK_EQ(adopt(&f, "a_1", 1, &epoch), RV_OK);
    fx_end(&f);
}

RV_TEST(adopt_closed)
{
    fixture f;
    int64_t epoch;
    rv_run_row row;
    bool found;
    REQUIRE(fx_start(&f));
    rv_lease l = fx_take(&f, "a", "a_1");
    CHECK_EQ(rv_state_run_close(f.s, &l, "failed", &f.err), RV_OK);
    CHECK_EQ(rv_state_run_get(f.s, "a_1", &f.arena, &row, &found, &f.err), RV_OK);
    CHECK(found && row.finished_at);
    rv_lease other = fx_take(&f, "a", "a_2");
    CHECK_EQ(adopt(&f, "a_1", 1, &epoch), RV_E_STATE_LEASE); /* a_2 is open */
    CHECK_EQ(rv_state_run_close(f.s, &other, "success", &f.err), RV_OK);
    CHECK_EQ(adopt(&f, "a_2", 1, &epoch), RV_E_STATE_LEASE_LOST); /* nothing to resume */
    CHECK_EQ(adopt(&f, "a_1", 1, &epoch), RV_OK);
    CHECK_EQ(rv_state_run_get(f.s, "a_1", &f.arena, &row, &found, &f.err), RV_OK);
    CHECK_STR(row.status, "running");
    CHECK(row.finished_at == NULL);
    fx_end(&f);
}

RV_TEST(dead_rules)
{
    rv_run_row r = {.heartbeat_age_us = 119000000};
    rv_process_self(&r.process);
    CHECK(!rv_run_row_dead(&r));
    r.heartbeat_age_us = 120000001;
    CHECK(rv_run_row_dead(&r));
    r.heartbeat_age_us = -5; /* the clock was set back */
    CHECK(!rv_run_row_dead(&r));
    r.process.pid = 0x3ffffff0;
    CHECK(rv_run_row_dead(&r));
    snprintf(r.process.host, sizeof r.process.host, "elsewhere");
    CHECK(!rv_run_row_dead(&r));
}

/* Every write of a runner, by number; false behind the last. */
static bool lease_write(fixture *f, const rv_lease *l, int n, rv_status *out)
{
    rv_part_row part = fx_part("0", "f", 0);
    rv_unit_row unit = {.unit = "0", .accumulators = "{}"};
    rv_unit_done done = {.unit = "0"};
    rv_checkpoint_row checkpoint = {.plan_hash = "h", .strategy = "range", .max_attempts = 3};
    rv_run_facts facts = {.plan_hash = "x"};
    rv_run_final final = {.progression_chunk = -1};
    rv_task_row task;
    bool flag;
    rv_error *err = &f->err;
    switch (n) {
    case 0:
        *out = rv_state_lease_renew(f->s, l, err);
        break;
    case 1:
        *out = rv_state_lease_check(f->s, l, err);
        break;
    case 2:
        *out = rv_state_run_close(f->s, l, "success", err);
        break;
    case 3:
        *out = rv_state_run_facts(f->s, l, &facts, err);
        break;
    case 4:
        *out = rv_state_run_stem(f->s, l, "other", &flag, err);
        break;
    case 5:
        *out = rv_state_run_cleared(f->s, l, "a_0", err);
        break;
    case 6:
        *out = rv_state_part_intent(f->s, l, "p", &part, err);
        break;
    case 7:
        *out = rv_state_part_status(f->s, l, l->run_id, "f", "uploaded", false, err);
        break;
    case 8:
        *out = rv_state_part_upload_id(f->s, l, "f", "u", err);
        break;
    case 9:
        *out = rv_state_part_forget(f->s, l, l->run_id, "f", err);
        break;
    case 10:
        *out = rv_state_unit_seal(f->s, l, &unit, err);
        break;
    case 11:
        *out = rv_state_unit_unseal(f->s, l, "0", err);
        break;
    case 12:
        *out = rv_state_unit_done(f->s, l, &done, err);
        break;
    case 13:
        *out = rv_state_unit_redo(f->s, l, &done, err);
        break;
    case 14:
        *out = rv_state_checkpoint_begin(f->s, l, &checkpoint, NULL, NULL, err);
        break;
    case 15:
        *out = rv_state_task_claim(f->s, l, &f->arena, &task, &flag, err);
        break;
    case 16:
        *out = rv_state_task_release(f->s, l, 0, true, "e", err);
        break;
    case 17:
        *out = rv_state_task_retry(f->s, l, 0, &flag, err);
        break;
    case 18:
        *out = rv_state_tasks_resume(f->s, l, err);
        break;
    case 19:
        *out = rv_state_run_final(f->s, l, &final, err);
        break;
    default:
        return false;
    }
    return true;
}

static void all_refused(fixture *f, const rv_lease *l, const char *why)
{
    rv_status st;
    for (int n = 0; lease_write(f, l, n, &st); n++) {
        CHECK_EQ(st, RV_E_STATE_LEASE_LOST);
        if (st != RV_E_STATE_LEASE_LOST)
            fprintf(stderr, "%s: write %d gave %d\n", why, n, (int)st);
    }
}

RV_TEST(no_write_without_the_lease)
{
    fixture f;
    int64_t epoch;
    rv_run_row before, after;
    bool found;
    REQUIRE(fx_start(&f));
    rv_lease l = fx_take(&f, "a", "a_1");
    f.now_us += 130000000;
    REQUIRE(adopt(&f, "a_1", 1, &epoch) == RV_OK);
    CHECK_EQ(rv_state_run_get(f.s, "a_1", &f.arena, &before, &found, &f.err), RV_OK);
    all_refused(&f, &l, "old epoch");
    rv_lease wrong = {"a_1", "b", 2};
    all_refused(&f, &wrong, "another export");
    CHECK_EQ(rv_state_run_get(f.s, "a_1", &f.arena, &after, &found, &f.err), RV_OK);
    CHECK_STR(after.status, before.status);
    CHECK_STR(after.heartbeat_at, before.heartbeat_at);
    l.epoch = 2;
    CHECK_EQ(rv_state_run_close(f.s, &l, "interrupted", &f.err), RV_OK);
    all_refused(&f, &l, "closed");
    fx_end(&f);
}

RV_TEST(facts_and_stem)
{
    fixture f;
    rv_run_row row;
    bool found, taken = true;
    REQUIRE(fx_start(&f));
    rv_lease old = fx_take(&f, "a", "a_1");
    CHECK_EQ(rv_state_run_close(f.s, &old, "failed", &f.err), RV_OK);
    rv_lease l = fx_take(&f, "a", "a_2");
    rv_run_facts facts = {.owner = "{}", .plan_hash = "h", .cursor_low = "1"};
    CHECK_EQ(rv_state_run_facts(f.s, &l, &facts, &f.err), RV_OK);
    facts = (rv_run_facts){.cursor_bound = "9"};
    CHECK_EQ(rv_state_run_facts(f.s, &l, &facts, &f.err), RV_OK);
    CHECK_EQ(rv_state_run_stem(f.s, &l, "a_1", &taken, &f.err), RV_OK);
    CHECK(taken);
    CHECK_EQ(rv_state_run_stem(f.s, &l, "a_3", &taken, &f.err), RV_OK);
    CHECK(!taken);
    CHECK_EQ(rv_state_run_stem(f.s, &l, "a_3", &taken, &f.err), RV_OK); /* its own */
    CHECK(!taken);
    CHECK_EQ(rv_state_run_get(f.s, "a_2", &f.arena, &row, &found, &f.err), RV_OK);
    CHECK_STR(row.stem, "a_3");
    CHECK_STR(row.plan_hash, "h");
    CHECK_STR(row.cursor_low, "1");
    CHECK_STR(row.cursor_bound, "9");
    rv_part_row part = fx_part("0", "f", 0);
    CHECK_EQ(rv_state_part_intent(f.s, &l, "p", &part, &f.err), RV_OK);
    CHECK_EQ(rv_state_run_stem(f.s, &l, "a_4", &taken, &f.err), RV_OK);
    CHECK(!taken);
    rv_part_rows parts;
    CHECK_EQ(rv_state_parts(f.s, "a_2", NULL, &f.arena, &parts, &f.err), RV_OK);
    REQUIRE(parts.n == 1);
    CHECK_STR(parts.rows[0].file_name, "f"); /* named before: it keeps its name */
    fx_end(&f);
}

RV_TEST(lists_of_runs)
{
    fixture f;
    rv_run_rows rows;
    REQUIRE(fx_start(&f));
    static const char *const ids[] = {"a_1", "a_2", "a_3", "a_4"};
    static const char *const ends[] = {"success", "failed", "abandoned", "interrupted"};
    for (size_t i = 0; i < 4; i++) {
        f.now_us += 1000000;
        rv_lease l = fx_take(&f, "a", ids[i]);
        CHECK_EQ(rv_state_run_close(f.s, &l, ends[i], &f.err), RV_OK);
    }
    rv_lease now = fx_take(&f, "a", "a_5");
    fx_take(&f, "b", "b_1");
    CHECK_EQ(rv_state_runs(f.s, "a", 2, &f.arena, &rows, &f.err), RV_OK);
    CHECK_EQ(rows.n, 2);
    CHECK_EQ(rv_state_runs(f.s, NULL, 0, &f.arena, &rows, &f.err), RV_OK);
    CHECK_EQ(rows.n, 6);
    CHECK_STR(rows.rows[5].run_id, "a_1");
    CHECK_EQ(rv_state_runs_uncleared(f.s, "a", &f.arena, &rows, &f.err), RV_OK);
    REQUIRE(rows.n == 3);
    CHECK_STR(rows.rows[0].run_id, "a_2");
    CHECK_EQ(rv_state_run_cleared(f.s, &now, "a_2", &f.err), RV_OK);
    CHECK_EQ(rv_state_run_cleared(f.s, &now, "a_5", &f.err), RV_E_INTERNAL);
    CHECK_EQ(rv_state_runs_uncleared(f.s, "a", &f.arena, &rows, &f.err), RV_OK);
    CHECK_EQ(rows.n, 2);
    CHECK_EQ(rv_state_live_leases(f.s, &f.arena, &rows, &f.err), RV_OK);
    CHECK_EQ(rows.n, 2);
    f.now_us += 200000000;
    CHECK_EQ(rv_state_live_leases(f.s, &f.arena, &rows, &f.err), RV_OK);
    CHECK_EQ(rows.n, 0);
    fx_end(&f);
}

/* ---- races ---- */

typedef struct racer {
    fixture *f;
    int id;
    int taken, held;
    bool failed;
} racer;

static void *race(void *ctx)
{
    racer *r = ctx;
    rv_state *s = NULL;
    rv_error err;
    rv_arena arena = RV_ARENA_INIT;
    rv_state_opts opts = {.url = r->f->url, .config_dir = r->f->dir, .project = ""};
    rv_env env = r->f->env;
    env.getenv = NULL;
    r->failed = rv_state_open(&env, &opts, &s, &err) != RV_OK;
    for (int i = 0; !r->failed && i < 20; i++) {
        char run_id[32];
        snprintf(run_id, sizeof run_id, "a_%d_%d", r->id, i);
        rv_run_row row = fx_row("a", run_id, run_id), open;
        rv_take take;
        r->failed = rv_state_lease_take(s, &row, &arena, &take, &open, &err) != RV_OK;
        rv_lease l = {run_id, "a", 1};
        if (!r->failed && take == RV_LEASE_TAKEN) {
            r->taken++;
            r->failed = rv_state_lease_check(s, &l, &err) != RV_OK ||
                        rv_state_run_close(s, &l, "success", &err) != RV_OK;
        } else {
            r->held++;
        }
    }
    rv_arena_free(&arena);
    rv_state_close(s);
    return NULL;
}

RV_TEST(one_holder_at_a_time)
{
    fixture f;
    racer racers[4];
    pthread_t threads[4];
    int taken = 0;
    rv_run_rows rows;
    REQUIRE(fx_start(&f));
    for (int i = 0; i < 4; i++) {
        racers[i] = (racer){.f = &f, .id = i};
        REQUIRE(pthread_create(&threads[i], NULL, race, &racers[i]) == 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        CHECK(!racers[i].failed);
        CHECK_EQ(racers[i].taken + racers[i].held, 20);
        taken += racers[i].taken;
    }
    CHECK(taken > 0);
    CHECK_EQ(rv_state_runs(f.s, "a", 0, &f.arena, &rows, &f.err), RV_OK);
    CHECK_EQ(rows.n, taken);
    fx_end(&f);
}

static void *race_adopt(void *ctx)
{
    racer *r = ctx;
    rv_state *s = NULL;
    rv_error err;
    int64_t epoch;
    const rv_run_row seen = {.run_id = "a_1", .epoch = 1, .status = "running"};
    rv_process_id self;
    rv_state_opts opts = {.url = r->f->url, .config_dir = r->f->dir, .project = ""};
    rv_env env = r->f->env;
    env.getenv = NULL;
    rv_process_self(&self);
    if (rv_state_open(&env, &opts, &s, &err) == RV_OK &&
        rv_state_lease_adopt(s, &seen, &self, NULL, &epoch, &err) == RV_OK)
        r->taken = (int)epoch;
    rv_state_close(s);
    return NULL;
}

RV_TEST(one_successor)
{
    fixture f;
    racer racers[4];
    pthread_t threads[4];
    int winners = 0;
    REQUIRE(fx_start(&f));
    fx_take(&f, "a", "a_1");
    f.now_us += 130000000;
    for (int i = 0; i < 4; i++) {
        racers[i] = (racer){.f = &f, .id = i};
        REQUIRE(pthread_create(&threads[i], NULL, race_adopt, &racers[i]) == 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        winners += racers[i].taken == 2;
    }
    CHECK_EQ(winners, 1);
    fx_end(&f);
}

typedef struct sharer {
    fixture *f;
    rv_lease lease;
    int64_t claimed;
    bool failed;
} sharer;

/* A worker on the run's one handle: claims and finishes until nothing is left. */
static void *share(void *ctx)
{
    sharer *w = ctx;
    rv_error err;
    rv_arena arena = RV_ARENA_INIT;
    for (bool found = true; found && !w->failed;) {
        rv_task_row t;
        char unit[32];
        w->failed = rv_state_task_claim(w->f->s, &w->lease, &arena, &t, &found, &err) != RV_OK;
        if (w->failed || !found)
            break;
        snprintf(unit, sizeof unit, "chunk%lld", (long long)t.chunk_index);
        rv_unit_done done = {.unit = unit, .kind = RV_UNIT_TASK, .chunk_index = t.chunk_index};
        w->failed = rv_state_lease_renew(w->f->s, &w->lease, &err) != RV_OK ||
                    rv_state_unit_done(w->f->s, &w->lease, &done, &err) != RV_OK;
        w->claimed++;
    }
    rv_arena_free(&arena);
    return NULL;
}

RV_TEST(one_handle_many_threads)
{
    enum { TASKS = 40, THREADS = 4 };
    fixture f;
    sharer workers[THREADS];
    pthread_t threads[THREADS];
    rv_task_row tasks[TASKS];
    rv_task_rows rows = {tasks, TASKS}, got;
    rv_checkpoint_row c = {.plan_hash = "h", .strategy = "s", .max_attempts = 3};
    int64_t claimed = 0;
    REQUIRE(fx_start(&f));
    rv_lease l = fx_take(&f, "a", "a_1");
    for (int i = 0; i < TASKS; i++)
        tasks[i] = (rv_task_row){.chunk_index = i, .kind = "range"};
    REQUIRE(rv_state_checkpoint_begin(f.s, &l, &c, &rows, NULL, &f.err) == RV_OK);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (sharer){.f = &f, .lease = l};
        REQUIRE(pthread_create(&threads[i], NULL, share, &workers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        CHECK(!workers[i].failed);
        claimed += workers[i].claimed;
    }
    CHECK_EQ(claimed, TASKS);
    CHECK_EQ(rv_state_tasks(f.s, "a_1", &f.arena, &got, &f.err), RV_OK);
    for (size_t i = 0; i < got.n; i++) {
        CHECK_STR(got.rows[i].status, "completed");
        CHECK_EQ(got.rows[i].attempts, 1);
    }
    fx_end(&f);
}

FX_TEST_MAIN(RV_CASE(take_hold_stem), RV_CASE(projects_are_apart), RV_CASE(adopt_open),
             RV_CASE(adopt_names_the_status_it_saw), RV_CASE(adopt_closed), RV_CASE(dead_rules),
             RV_CASE(no_write_without_the_lease), RV_CASE(facts_and_stem), RV_CASE(lists_of_runs),
             RV_CASE(one_holder_at_a_time), RV_CASE(one_successor),
             RV_CASE(one_handle_many_threads))
