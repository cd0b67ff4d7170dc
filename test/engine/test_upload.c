#include <pthread.h>

#include "rvtest.h"

#include "base/fault.h"
#include "fake_dest.h"
#include "faketest.h"

static const rv_run_stand_ins in_the_cloud = {
    .source = &fake_driver, .dest = &fake_dest, .tick_us = 20000};

/* What lies in the cloud under the names that the state counts. */
static void count_rows(const place *p, fake_result *r)
{
    for (size_t i = 0; i < cloud.n; i++) {
        char sql[512], *status;
        const fake_object *o = &cloud.objects[i];
        if (!strstr(o->is.key, ".csv"))
            continue;
        (void)snprintf(sql, sizeof sql, "SELECT status FROM file_log WHERE file_name = '%.300s'",
                       o->is.key);
        status = fake_state(p, sql);
        bool counts = strcmp(status, "committed") == 0;
        rv_free(status);
        const char *line = (const char *)o->bytes, *end = line + o->is.size_bytes;
        for (; counts && line < end;
             line = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1)
            if (*line >= '0' && *line <= '9') {
                r->rows++;
                r->sum += strtoll(line, NULL, 10);
            }
    }
}

/* `keys` of the export and `dest` of the destination begin with a comma or are empty. */
static fake_result cloud_run(place *p, const char *keys, const char *dest, rv_run_opts opts)
{
    fake_result r = {.first_v = -1, .other_v = -1, .code = 97};
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "source: {type: sqlite, path: src.db, tuning: {retry_backoff_ms: 1%s}}\n"
                   "exports:\n  - {name: x, table: t, format: csv, destination: {type: s3, bucket: "
                   "b, region: r%s}%s}\n",
                   FAST, dest, keys);
    opts.stand_ins = &in_the_cloud;
    if (place_write(p, "rivet.yaml", text))
        r.code = place_run(p, opts, &r.error);
    count_rows(p, &r);
    r.journal = fake_state(p, "SELECT journal_json FROM run_journal ORDER BY rowid DESC LIMIT 1");
    CHECK_EQ(cloud.opened, cloud.closed);
    return r;
}

static void whole(const fake_result *r, int64_t rows)
{
    CHECK_EQ(r->code, 0);
    CHECK_STR(r->error.text, "");
    CHECK_EQ(r->rows, rows);
    CHECK_EQ(r->sum, WHOLE(rows));
}

static void state_is(const place *p, const char *sql, const char *want)
{
    char *got = fake_state(p, sql);
    CHECK_STR(got, want);
    rv_free(got);
}

static size_t spooled(const place *p)
{
    size_t n = 0;
    DIR *d = opendir(p->dir);
    const struct dirent *e;
    while (d && (e = readdir(d)))
        n += strncmp(e->d_name, "spool-", 6) == 0;
    if (d)
        (void)closedir(d);
    return n;
}

#define PARTS ", max_file_size: 8KB"
#define KEYSET ", mode: chunked, chunk_by_key: id, chunk_size: 1000, chunk_checkpoint: true"
#define CHUNKS ", mode: chunked, chunk_column: id, chunk_size: 1000, chunk_checkpoint: true"

typedef struct scene {
    place p;
} scene;

static bool begin(scene *s, int64_t rows)
{
    fake_begin(rows);
    fake_cloud_begin();
    return place_open(&s->p);
}

static void end(scene *s, fake_result *r)
{
    if (r)
        rv_free(r->journal);
    place_close(&s->p);
    fake_cloud_end();
}

RV_TEST(parts_travel_while_the_unit_is_read)
{
    scene s;
    REQUIRE(begin(&s, 40960));
    cloud.put_ms = 20;
    fake_result r = cloud_run(&s.p, PARTS, ", upload_parallel: 3", (rv_run_opts){0});
    whole(&r, 40960);
    CHECK(cloud.puts >= 20);
    CHECK_EQ(cloud.most_at_once, 3);
    CHECK_EQ(spooled(&s.p), 0);
    state_is(&s.p, "SELECT count(*) FROM file_log WHERE status <> 'committed'", "0");
    state_is(&s.p, "SELECT count(*) = (SELECT files_committed FROM export_metrics) FROM file_log",
             "1");
    end(&s, &r);
}

static void *watch_spool(void *arg)
{
    const place *p = arg;
    size_t *most = rv_calloc(1, sizeof *most);
    while (most && !atomic_load(&cloud.closed)) {
        size_t n = spooled(p);
        *most = n > *most ? n : *most;
        (void)usleep(500);
    }
    return most;
}

/* Reading waits between pages for a slow store; the spool does not grow with the table. */
RV_TEST(the_spool_is_bounded)
{
    scene s;
    pthread_t watcher;
    void *most = NULL;
    REQUIRE(begin(&s, 61440));
    cloud.put_ms = 10;
    REQUIRE(pthread_create(&watcher, NULL, watch_spool, &s.p) == 0);
    fake_result r = cloud_run(&s.p, PARTS ", tuning: {batch_size: 1000}", ", upload_parallel: 2",
                              (rv_run_opts){0});
    (void)pthread_join(watcher, &most);
    whole(&r, 61440);
    CHECK(cloud.puts >= 30);
    CHECK(most && *(size_t *)most <= 10);
    rv_free(most);
    end(&s, &r);
}

static void units_are_read_ahead(const char *keys)
{
    scene s;
    REQUIRE(begin(&s, 20000));
    cloud.put_ms = 20;
    fake_result r = cloud_run(&s.p, keys, "", (rv_run_opts){0});
    whole(&r, 20000);
    CHECK(cloud.most_at_once >= 2 && cloud.most_at_once <= 4);
    state_is(&s.p, "SELECT count(*) FROM run_unit WHERE committed_at IS NULL", "0");
    /* in their order */
    state_is(&s.p,
             "SELECT count(*) FROM run_unit a, run_unit b WHERE a.rowid < b.rowid AND "
             "a.committed_at > b.committed_at",
             "0");
    end(&s, &r);
}

RV_TEST(chunks_are_read_while_others_travel)
{
    units_are_read_ahead(CHUNKS);
}

RV_TEST(so_are_keyset_units)
{
    units_are_read_ahead(KEYSET);
}

RV_TEST(workers_share_the_threads)
{
    scene s;
    REQUIRE(begin(&s, 20000));
    cloud.put_ms = 5;
    fake_result r =
        cloud_run(&s.p, CHUNKS ", parallel: 3", ", upload_parallel: 2", (rv_run_opts){0});
    whole(&r, 20000);
    CHECK_EQ(cloud.most_at_once, 2);
    end(&s, &r);
}

/* ---- uploads that fail for good ---- */

/* The source is not read again for what was sealed. */
static void the_next_run_sends_first(const char *keys, unsigned fail_from)
{
    scene s;
    REQUIRE(begin(&s, 11900));
    cloud.put_ms = 3;
    cloud.fail_from = fail_from;
    cloud.fail_to = 1000;
    cloud.fail_code = RV_E_DEST_UNREACHABLE;
    fake_result r = cloud_run(&s.p, keys, "", (rv_run_opts){0});
    CHECK_EQ(r.code, 2);
    CHECK_EQ(r.error.code, RV_E_DEST_UNREACHABLE);
    state_is(&s.p, "SELECT retries > 0 AND retries % 5 = 0 FROM export_metrics", "1");
    char *sealed = fake_state(&s.p, "SELECT sum(rows) FROM run_unit WHERE sealed_at IS NOT NULL");
    char *waiting = fake_state(&s.p, "SELECT count(*) FROM file_log WHERE spool_path IS NOT NULL");
    CHECK(atoi(sealed) > 0 && atoi(waiting) > 0);
    CHECK(spooled(&s.p) >= (size_t)atoi(waiting));
    rv_free(r.journal);
    cloud.fail_from = 0;
    int64_t sealed_rows = atoll(sealed);
    unsigned scans = fake.scans;
    r = cloud_run(&s.p, keys, "", (rv_run_opts){0});
    whole(&r, 11900);
    if (sealed_rows == 11900)
        CHECK_EQ(fake.scans, scans);
    CHECK_EQ(spooled(&s.p), 0);
    state_is(&s.p, "SELECT sum(rows) FROM run_unit", "11900");
    state_is(&s.p, "SELECT count(*) FROM file_log WHERE status <> 'committed'", "0");
    state_is(&s.p, "SELECT count(DISTINCT run_id) FROM run_status", "1");
    rv_free(sealed);
    rv_free(waiting);
    end(&s, &r);
}

RV_TEST(a_single_unit_waits_sealed_in_the_spool)
{
    the_next_run_sends_first(PARTS, 3);
}

RV_TEST(chunks_wait_sealed_in_the_spool)
{
    the_next_run_sends_first(CHUNKS, 4);
}

RV_TEST(keyset_units_wait_sealed_in_the_spool)
{
    the_next_run_sends_first(KEYSET, 4);
}

RV_TEST(key_ranges_wait_sealed_in_the_spool)
{
    the_next_run_sends_first(KEYSET ", parallel: 3", 5);
}

RV_TEST(a_snapshot_that_is_whole_is_not_read_again)
{
    the_next_run_sends_first(KEYSET ", consistency: snapshot", 4);
}

RV_TEST(nor_is_one_of_chunks)
{
    the_next_run_sends_first(CHUNKS ", consistency: snapshot, parallel: 2", 4);
}

/* What lies behind a unit that never arrived must not move the position past it. */
RV_TEST(a_keyset_unit_that_is_lost_is_read_again_with_what_follows)
{
    scene s;
    REQUIRE(begin(&s, 6000));
    cloud.fail_from = 2;
    cloud.fail_to = 2;
    cloud.put_ms = 5;
    cloud.fail_code = RV_E_DEST_UNREACHABLE;
    fake_result r = cloud_run(&s.p, KEYSET, "", (rv_run_opts){0});
    CHECK_EQ(r.code, 2);
    state_is(&s.p, "SELECT count(*) FROM run_unit WHERE committed_at IS NOT NULL", "1");
    state_is(&s.p, "SELECT position FROM keyset_range", "1000");
    char *path = fake_state(&s.p, "SELECT spool_path FROM file_log WHERE unit = 'keyset1'");
    CHECK_EQ(unlink(path), 0);
    rv_free(path);
    rv_free(r.journal);
    fake.rows = 1500; /* most of it is gone meanwhile: units that were read ahead have no turn */
    r = cloud_run(&s.p, KEYSET, "", (rv_run_opts){0});
    whole(&r, 1500);
    state_is(&s.p, "SELECT count(*) FROM run_unit", "2");
    CHECK_EQ(fake_cloud_count(".csv"), 2);
    end(&s, &r);
}

RV_TEST(a_denied_upload_is_permanent)
{
    scene s;
    REQUIRE(begin(&s, 5000));
    cloud.fail_from = 1;
    cloud.fail_to = 100;
    cloud.fail_code = RV_E_DEST_PERMISSION;
    fake_result r = cloud_run(&s.p, "", "", (rv_run_opts){0});
    CHECK_EQ(r.code, 1);
    state_is(&s.p, "SELECT sealed_at IS NOT NULL AND committed_at IS NULL FROM run_unit", "1");
    CHECK_EQ(spooled(&s.p), 1);
    end(&s, &r);
}

/* ---- names ---- */

/* Somebody else's parts lie under the stem of the run that begins within the same second. */
static void *take_names(void *arg)
{
    (void)arg;
    bool there = false;
    for (int i = 0; i < 2000 && !there; i++) {
        (void)usleep(1000);
        pthread_mutex_lock(&cloud.lock);
        there = fake_cloud_count(".csv") > 0;
        pthread_mutex_unlock(&cloud.lock);
    }
    pthread_mutex_lock(&cloud.lock);
    char key[256] = "";
    const fake_object *o = fake_cloud_find(".csv");
    if (o)
        (void)snprintf(key, sizeof key, "%.200s", o->is.key);
    char *unit = strstr(key, "_chunk");
    if (unit) {
        *unit = '\0';
        for (int i = 12; i < 16; i++) {
            char name[300];
            (void)snprintf(name, sizeof name, "%s_chunk%d.csv", key, i);
            fake_cloud_put(name, "theirs");
        }
    }
    pthread_mutex_unlock(&cloud.lock);
    return NULL;
}

RV_TEST(foreign_names_move_the_stem)
{
    scene s;
    pthread_t them;
    REQUIRE(begin(&s, 20000));
    cloud.put_ms = 20;
    REQUIRE(pthread_create(&them, NULL, take_names, NULL) == 0);
    fake_result r = cloud_run(&s.p, CHUNKS, "", (rv_run_opts){0});
    (void)pthread_join(them, NULL);
    whole(&r, 20000);
    CHECK_EQ(fake_cloud_count(".csv"), 20 + 4);
    CHECK_EQ(fake_cloud_count("somebody"), 0);
    state_is(&s.p, "SELECT count(*) FROM file_log", "20");
    /* one step for the four of them, whichever thread met its own first */
    state_is(&s.p,
             "SELECT count(DISTINCT substr(file_name, 1, instr(file_name, '_chunk'))) <= 3 FROM "
             "file_log",
             "1");
    CHECK_EQ(spooled(&s.p), 0);
    end(&s, &r);
}

RV_TEST(no_free_name_at_all_is_a_conflict)
{
    scene s;
    REQUIRE(begin(&s, 3000));
    cloud.taken[0] = ".csv";
    fake_result r = cloud_run(&s.p, "", "", (rv_run_opts){0});
    CHECK_EQ(r.error.code, RV_E_DEST_CONFLICT);
    state_is(&s.p, "SELECT count(*) FROM file_log", "0");
    end(&s, &r);
}

/* ---- rights that are lacking: spec destinations, section 9 ---- */

static void fail_once(unsigned from, rv_status code)
{
    cloud.fail_from = from;
    cloud.fail_to = 1000;
    cloud.fail_code = code;
}

/* A dead run whose unit was never sealed: its parts are in the way of a globbing reader only. */
static void a_run_that_dies(scene *s)
{
    fake.steps[12] = (fake_step){.kind = FAKE_FAIL, .code = RV_E_SOURCE_QUERY, .retry = RV_RETRY_P};
    fake.n_steps = 13;
    fake_result r = cloud_run(&s->p, PARTS ", tuning: {batch_size: 1000}", "", (rv_run_opts){0});
    CHECK_EQ(r.code, 1);
    rv_free(r.journal);
    fake.n_steps = 0;
    CHECK(fake_cloud_count(".csv") > 2);
}

RV_TEST(what_a_dead_run_left_is_removed)
{
    scene s;
    REQUIRE(begin(&s, 20480));
    a_run_that_dies(&s);
    fake_result r = cloud_run(&s.p, PARTS, "", (rv_run_opts){0});
    whole(&r, 20480);
    state_is(&s.p, "SELECT group_concat(DISTINCT status) FROM file_log ORDER BY 1",
             "removed,committed");
    char want[16];
    char *committed = fake_state(&s.p, "SELECT count(*) FROM file_log WHERE status = 'committed'");
    (void)snprintf(want, sizeof want, "%zu", fake_cloud_count(".csv"));
    CHECK_STR(committed, want);
    rv_free(committed);
    end(&s, &r);
}

RV_TEST(without_delete_they_stay_and_are_superseded)
{
    scene s;
    REQUIRE(begin(&s, 20480));
    cloud.no_remove = true;
    a_run_that_dies(&s);
    size_t left = fake_cloud_count(".csv");
    fake_result r = cloud_run(&s.p, PARTS, "", (rv_run_opts){0});
    whole(&r, 20480);
    char want[16];
    char *gone = fake_state(&s.p, "SELECT count(*) FROM file_log WHERE status = 'superseded'");
    (void)snprintf(want, sizeof want, "%zu", left);
    CHECK_STR(gone, want);
    rv_free(gone);
    const fake_object *m = fake_cloud_find("manifest-");
    CHECK(m && strstr((const char *)m->bytes, "\"superseded\"") != NULL);
    end(&s, &r);
}

RV_TEST(the_marker_of_a_later_run_stays)
{
    scene s;
    REQUIRE(begin(&s, 1000));
    cloud.overtaken = true;
    fake_result r = cloud_run(&s.p, "", "", (rv_run_opts){0});
    whole(&r, 1000);
    const fake_object *marker = fake_cloud_find("_SUCCESS");
    CHECK(marker && strcmp(marker->is.owner, "somebody") == 0);
    end(&s, &r);
}

/* What cannot be a manifest is replaced like any other object of an older run. */
RV_TEST(rubbish_under_a_shared_name_is_replaced)
{
    scene s;
    REQUIRE(begin(&s, 1000));
    fake_cloud_put("manifest.json", "rubbish");
    cloud.objects[0].is.size_bytes = (uint64_t)1 << 40; /* a size nobody reads */
    fake_result r = cloud_run(&s.p, "", "", (rv_run_opts){0});
    whole(&r, 1000);
    const fake_object *m = fake_cloud_find("manifest.json");
    CHECK(m && strcmp(m->is.owner, "somebody") != 0);
    end(&s, &r);
}

RV_TEST(without_read_a_run_is_written_all_the_same)
{
    scene s;
    REQUIRE(begin(&s, 20480));
    cloud.no_read = cloud.no_list = true;
    fake_result r = cloud_run(&s.p, PARTS, "", (rv_run_opts){0});
    whole(&r, 20480);
    rv_free(r.journal);
    CHECK(fake_cloud_find("_SUCCESS") != NULL);
    /* and the next one replaces the shared names, unseen */
    char first[128];
    (void)snprintf(first, sizeof first, "%s", fake_cloud_find("_SUCCESS")->is.version);
    r = cloud_run(&s.p, PARTS, "", (rv_run_opts){0});
    CHECK_EQ(r.code, 0);
    CHECK(strcmp(first, fake_cloud_find("_SUCCESS")->is.version) != 0);
    end(&s, &r);
}

RV_TEST(without_replace_the_first_publication_stands)
{
    scene s;
    REQUIRE(begin(&s, 2000));
    cloud.no_replace = true;
    fake_result r = cloud_run(&s.p, "", "", (rv_run_opts){0});
    whole(&r, 2000);
    rv_free(r.journal);
    char first[128];
    (void)snprintf(first, sizeof first, "%s", fake_cloud_find("_SUCCESS")->is.version);
    r = cloud_run(&s.p, "", "", (rv_run_opts){0});
    CHECK_EQ(r.code, 0);
    CHECK_STR(fake_cloud_find("_SUCCESS")->is.version, first);
    CHECK_EQ(fake_cloud_count("manifest-"), 2);
    state_is(&s.p, "SELECT group_concat(DISTINCT status) FROM run_status", "success");
    end(&s, &r);
}

/* No answer, and nobody may look whether it arrived: the part lies there twice, listed once. */
RV_TEST(a_silent_write_without_read_takes_the_next_stem)
{
    scene s;
    REQUIRE(begin(&s, 20480));
    cloud.no_read = true;
    cloud.silent = 3;
    fake_result r = cloud_run(&s.p, PARTS, "", (rv_run_opts){0});
    whole(&r, 20480);
    state_is(&s.p, "SELECT count(*) FROM file_log WHERE status = 'superseded'", "1");
    CHECK_EQ(spooled(&s.p), 0);
    end(&s, &r);
}

/* A resumed run keeps recorded parts unchecked where nobody may look at them. */
RV_TEST(without_read_a_resume_keeps_what_is_recorded)
{
    scene s;
    REQUIRE(begin(&s, 11900));
    cloud.no_read = true;
    fail_once(6, RV_E_DEST_UNREACHABLE);
    fake_result r = cloud_run(&s.p, CHUNKS, "", (rv_run_opts){0});
    CHECK_EQ(r.code, 2);
    rv_free(r.journal);
    cloud.fail_from = 0;
    r = cloud_run(&s.p, CHUNKS, "", (rv_run_opts){0});
    whole(&r, 11900);
    state_is(&s.p, "SELECT count(DISTINCT run_id) FROM run_status", "1");
    end(&s, &r);
}

/* ---- uploads in parts ---- */

RV_TEST(an_upload_left_open_is_aborted_by_the_next_run)
{
    scene s;
    REQUIRE(begin(&s, 11900));
    cloud.multipart = true;
    fail_once(5, RV_E_DEST_UNREACHABLE);
    fake_result r = cloud_run(&s.p, CHUNKS, "", (rv_run_opts){0});
    CHECK_EQ(r.code, 2);
    rv_free(r.journal);
    size_t open = 0;
    for (size_t i = 0; i < 64; i++)
        open += cloud.uploads[i].id[0] != '\0';
    CHECK(open > 0);
    cloud.fail_from = 0;
    r = cloud_run(&s.p, CHUNKS, "", (rv_run_opts){0});
    whole(&r, 11900);
    for (size_t i = 0; i < 64; i++)
        CHECK_STR(cloud.uploads[i].id, "");
    end(&s, &r);
}

RV_TEST(also_of_a_run_that_is_cleared)
{
    scene s;
    REQUIRE(begin(&s, 20480));
    cloud.multipart = true;
    cloud.fail_from = cloud.fail_to = 4;
    cloud.fail_code = RV_E_DEST_UNREACHABLE;
    a_run_that_dies(&s);
    fake_result r = cloud_run(&s.p, PARTS, "", (rv_run_opts){0});
    whole(&r, 20480);
    for (size_t i = 0; i < 64; i++)
        CHECK_STR(cloud.uploads[i].id, "");
    end(&s, &r);
}

/* ---- signals ---- */

static void *raise_soon(void *arg)
{
    rv_cancel *cancel = arg;
    for (int i = 0; i < 2000 && atomic_load(&cloud.puts) < 3; i++)
        (void)usleep(1000);
    rv_cancel_raise(cancel, 15);
    return NULL;
}

static fake_result interrupted_run(scene *s, const char *keys)
{
    pthread_t raiser;
    if (pthread_create(&raiser, NULL, raise_soon, s->p.cancel) != 0)
        abort();
    fake_result r = cloud_run(&s->p, keys, "", (rv_run_opts){0});
    (void)pthread_join(raiser, NULL);
    rv_cancel_close(s->p.cancel);
    rv_error err = {0};
    s->p.cancel = NULL;
    CHECK_EQ(rv_cancel_open(&s->p.cancel, &err), RV_OK);
    s->p.env.cancel = s->p.cancel;
    return r;
}

RV_TEST(what_travels_has_the_grace_period)
{
    scene s;
    REQUIRE(begin(&s, 40000));
    cloud.put_ms = 30;
    fake_result r = interrupted_run(&s, CHUNKS);
    CHECK_EQ(r.code, 143);
    /* what was read is committed; nothing is left on its way */
    state_is(&s.p, "SELECT count(*) >= 3 FROM run_unit WHERE committed_at IS NOT NULL", "1");
    state_is(&s.p, "SELECT count(*) FROM chunk_task WHERE status = 'running'", "0");
    CHECK_EQ(cloud.at_once, 0);
    rv_free(r.journal);
    r = cloud_run(&s.p, CHUNKS, "", (rv_run_opts){0});
    whole(&r, 40000);
    CHECK_EQ(spooled(&s.p), 0);
    end(&s, &r);
}

RV_TEST(no_longer_than_that)
{
    scene s;
    REQUIRE(begin(&s, 40000));
    cloud.hang = 2;
    rv_cancel_set_grace_us(s.p.cancel, 50000);
    fake_result r = interrupted_run(&s, CHUNKS);
    CHECK_EQ(r.code, 143);
    CHECK_EQ(cloud.at_once, 0);
    rv_free(r.journal);
    r = cloud_run(&s.p, CHUNKS, "", (rv_run_opts){0});
    whole(&r, 40000);
    CHECK_EQ(spooled(&s.p), 0);
    end(&s, &r);
}

/* ---- memory ---- */

RV_TEST(memory_may_run_out_anywhere)
{
#ifdef RV_FAULTS
    bool over = false;
    for (long nth = 1; nth < 100000 && !over; nth += nth < 600 ? 7 : 61) {
        scene s;
        rv_error err = {0};
        REQUIRE(begin(&s, 4000));
        rv_fault_set_alloc(nth, false);
        fake_result r = cloud_run(&s.p, KEYSET, "", (rv_run_opts){0});
        over = rv_fault_seen_alloc() < nth;
        rv_fault_set_alloc(0, false);
        CHECK(r.code == 0 || r.error.code == RV_E_MEMORY || r.code == 97 || r.code == 99);
        CHECK_EQ(cloud.at_once, 0);
        if (!over) {
            rv_free(r.journal);
            r = cloud_run(&s.p, KEYSET, "", (rv_run_opts){0});
            CHECK_EQ(r.code, 0);
            state_is(&s.p,
                     "SELECT count(*) FROM file_log WHERE status NOT IN ('committed', 'removed')",
                     "0");
        }
        (void)err;
        end(&s, &r);
    }
    CHECK(over);
#else
    SKIP("built without faults");
#endif
}

RV_TEST_MAIN(RV_CASE(parts_travel_while_the_unit_is_read), RV_CASE(the_spool_is_bounded),
             RV_CASE(chunks_are_read_while_others_travel), RV_CASE(so_are_keyset_units),
             RV_CASE(workers_share_the_threads), RV_CASE(a_single_unit_waits_sealed_in_the_spool),
             RV_CASE(chunks_wait_sealed_in_the_spool),
             RV_CASE(keyset_units_wait_sealed_in_the_spool),
             RV_CASE(key_ranges_wait_sealed_in_the_spool),
             RV_CASE(a_snapshot_that_is_whole_is_not_read_again), RV_CASE(nor_is_one_of_chunks),
             RV_CASE(a_keyset_unit_that_is_lost_is_read_again_with_what_follows),
             RV_CASE(a_denied_upload_is_permanent), RV_CASE(foreign_names_move_the_stem),
             RV_CASE(no_free_name_at_all_is_a_conflict), RV_CASE(what_a_dead_run_left_is_removed),
             RV_CASE(without_delete_they_stay_and_are_superseded),
             RV_CASE(the_marker_of_a_later_run_stays),
             RV_CASE(rubbish_under_a_shared_name_is_replaced),
             RV_CASE(without_read_a_run_is_written_all_the_same),
             RV_CASE(without_replace_the_first_publication_stands),
             RV_CASE(a_silent_write_without_read_takes_the_next_stem),
             RV_CASE(without_read_a_resume_keeps_what_is_recorded),
             RV_CASE(an_upload_left_open_is_aborted_by_the_next_run),
             RV_CASE(also_of_a_run_that_is_cleared), RV_CASE(what_travels_has_the_grace_period),
             RV_CASE(no_longer_than_that), RV_CASE(memory_may_run_out_anywhere))
