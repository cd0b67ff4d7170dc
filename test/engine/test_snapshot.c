#include "rvtest.h"

#include "base/fault.h"
#include "faketest.h"

static void whole(const fake_result *r, int64_t rows)
{
    CHECK_EQ(r->code, 0);
    CHECK_STR(r->error.text, "");
    CHECK_EQ(r->rows, rows);
    CHECK_EQ(r->sum, WHOLE(rows));
    CHECK_EQ(r->other_v, -1); /* one instant */
    CHECK_EQ(fake.opened, fake.closed);
}

static const char snapshot_of_chunks[] =
    ", consistency: snapshot, mode: chunked, chunk_column: id, chunk_size: 300, parallel: 3";

RV_TEST(workers_share_one_instant)
{
    fake_begin(4000);
    fake_result r = fake_run(FAST, snapshot_of_chunks);
    whole(&r, 4000);
    CHECK(r.first_v > 0);
    CHECK_EQ(fake.shared_snapshots, 1);
    rv_free(r.journal);
}

RV_TEST(so_do_the_workers_of_a_keyset)
{
    fake_begin(4000);
    fake_result r = fake_run(FAST, ", consistency: snapshot, mode: chunked, chunk_by_key: id, "
                                   "chunk_size: 300, parallel: 3, chunk_checkpoint: true");
    whole(&r, 4000);
    CHECK(r.first_v > 0);
    rv_free(r.journal);
}

RV_TEST(the_engines_refusal_is_the_reason)
{
    fake_begin(4000);
    fake.no_snapshot_of_many = true;
    fake_result r = fake_run(FAST, snapshot_of_chunks);
    CHECK_EQ(r.code, 1);
    CHECK_EQ(r.error.code, RV_E_SOURCE_SNAPSHOT);
    CHECK(strstr(r.error.text, "cannot share") != NULL);
    CHECK_EQ(fake.opened, fake.closed);
    rv_free(r.journal);
}

RV_TEST(addresses_are_read_within_one_instant)
{
    fake_begin(5000);
    fake.shape = RV_SHAPE_RANGES;
    place p;
    REQUIRE(place_open(&p));
    fake_result r = fake_run_at(&p, FAST, "");
    whole(&r, 5000);
    CHECK(r.first_v > 0);
    CHECK(fake.scans > 2); /* in pages all the same */
    char path[128];
    bool found = false;
    rv_error err = {0};
    rv_buf manifest = RV_BUF_INIT;
    (void)snprintf(path, sizeof path, "%s/out/manifest.json", p.dir);
    CHECK_EQ(rv_file_read_all(path, 1 << 20, &manifest, &found, &err), RV_OK);
    CHECK(found && strstr(rv_buf_cstr(&manifest), "\"statement\"") != NULL);
    rv_buf_free(&manifest);
    rv_free(r.journal);
    place_close(&p);
}

static void lose_connection(void)
{
    fake.steps[2] = (fake_step){
        .kind = FAKE_FAIL, .rows = 123, .code = RV_E_SOURCE_CONNECT, .retry = RV_RETRY_N};
    fake.n_steps = 3;
}

RV_TEST(a_lost_instant_of_addresses_starts_the_unit_again)
{
    fake_begin(5000);
    fake.shape = RV_SHAPE_RANGES;
    lose_connection();
    fake_result r = fake_run(FAST, "");
    whole(&r, 5000);
    CHECK_EQ(r.first_v, 2);
    rv_free(r.journal);
}

RV_TEST(a_lost_snapshot_starts_the_only_unit_again)
{
    fake_begin(5000);
    lose_connection();
    fake_result r = fake_run(FAST, ", consistency: snapshot");
    whole(&r, 5000);
    CHECK(r.first_v > 1);
    rv_free(r.journal);
}

/* The connection stays, the transaction does not. */
RV_TEST(a_failure_that_ends_the_transaction_ends_the_instant)
{
    fake_begin(5000);
    fake.snapshot_dies_with_failure = true;
    fake.steps[2] = (fake_step){
        .kind = FAKE_FAIL, .rows = 50, .code = RV_E_SOURCE_TIMEOUT, .retry = RV_RETRY_T};
    fake.n_steps = 3;
    fake_result r = fake_run(FAST, ", consistency: snapshot");
    whole(&r, 5000);
    CHECK(fake.opened <= 2); /* the reader's and the monitor's */
    rv_free(r.journal);
}

RV_TEST(a_lost_snapshot_of_many_units_ends_the_run)
{
    fake_begin(4000);
    fake.steps[4] =
        (fake_step){.kind = FAKE_FAIL, .code = RV_E_SOURCE_CONNECT, .retry = RV_RETRY_N};
    fake.n_steps = 5;
    fake_result r = fake_run(FAST, snapshot_of_chunks);
    CHECK_EQ(r.code, 2);
    CHECK(strstr(r.error.text, "snapshot was lost") != NULL);
    CHECK(r.error.hint[0] != '\0');
    CHECK_EQ(r.rows, 0); /* nothing of the lost instant was uploaded */
    rv_free(r.journal);
}

/* What a dead process committed came from an instant that is gone. */
RV_TEST(a_checkpoint_is_not_continued_in_another_instant)
{
    place p;
    const char *keys = ", consistency: snapshot, mode: chunked, chunk_column: id, chunk_size: "
                       "1000, chunk_checkpoint: true";
    REQUIRE(place_open(&p));
    fake_begin(4000);
    fake_result first = fake_run_at(&p, FAST, keys);
    whole(&first, 4000);
    CHECK(place_state(
        &p, "UPDATE run_status SET status = 'failed', manifest_json = NULL, finished_at = "
            "started_at; UPDATE chunk_run SET status = 'in_progress'; UPDATE chunk_task SET "
            "status = 'pending', attempts = 0 WHERE chunk_index = 2; DELETE FROM run_unit WHERE "
            "unit = 'chunk2'; UPDATE file_log SET listed_by = NULL"));
    fake_begin(4000);
    fake_result second = fake_run_at(&p, FAST, keys);
    CHECK_EQ(second.code, 5);
    CHECK_EQ(second.error.code, RV_E_RUN_CHECKPOINT);
    rv_free(first.journal);
    rv_free(second.journal);
    place_close(&p);
}

#ifdef RV_FAULTS
/* Every nth allocation fails once: a clean error or a good run, and no connection stays open. */
RV_TEST(failing_allocations)
{
    int failed = 0;
    for (long n = 20; n < 500; n += 7) {
        place p;
        REQUIRE(place_open(&p));
        fake_begin(600);
        rv_fault_set_alloc(n, false);
        fake_result r = fake_run_at(&p, FAST ", adaptive: true", snapshot_of_chunks);
        rv_fault_set_alloc(0, false);
        failed += r.code != 0;
        if (r.code == 0)
            CHECK_EQ(r.rows, 600);
        CHECK_EQ(fake.opened, fake.closed);
        rv_free(r.journal);
        place_close(&p);
    }
    CHECK(failed > 0);
}
#else
RV_TEST(failing_allocations)
{
    SKIP("needs a build with fault points");
}
#endif

RV_TEST_MAIN(RV_CASE(workers_share_one_instant), RV_CASE(so_do_the_workers_of_a_keyset),
             RV_CASE(the_engines_refusal_is_the_reason),
             RV_CASE(addresses_are_read_within_one_instant),
             RV_CASE(a_lost_instant_of_addresses_starts_the_unit_again),
             RV_CASE(a_lost_snapshot_starts_the_only_unit_again),
             RV_CASE(a_failure_that_ends_the_transaction_ends_the_instant),
             RV_CASE(a_lost_snapshot_of_many_units_ends_the_run),
             RV_CASE(a_checkpoint_is_not_continued_in_another_instant),
             RV_CASE(failing_allocations))
