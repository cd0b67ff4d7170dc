#include "rvtest.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fault.h"
#include "engine/events.h"
#include "enginetest.h"

#define RETURN_UNLESS(c)                                                                           \
    do {                                                                                           \
        if (!rvtest_check((c), __FILE__, __LINE__, #c))                                            \
            goto done;                                                                             \
    } while (0)

typedef struct many {
    place p;
    rv_arena arena;
    rv_cfg *cfg;
    rv_diags diags;
    rv_run_report report;
    rv_error err;
} many;

static bool many_open(many *m, const char *tables[], size_t n)
{
    char text[4096];
    *m = (many){0};
    if (!place_open(&m->p) || !place_sql(&m->p, ROWS_SQL(500)))
        return false;
    int at = snprintf(text, sizeof text, "%s", YAML_HEAD());
    for (size_t i = 0; i < n; i++)
        at += snprintf(
            text + at, sizeof text - (size_t)at,
            "  - {name: x%zu, table: %s, format: parquet, mode: chunked, chunk_column: id, "
            "chunk_size: 100, destination: {type: local, path: %s/out}}\n",
            i, tables[i], m->p.dir);
    return place_write(&m->p, "rivet.yaml", text);
}

static rv_status many_run(many *m, rv_run_opts opts)
{
    char path[128];
    rv_cfg_opts load = {.all_exports = true, .need_source = true, .need_queries = true};
    (void)snprintf(path, sizeof path, "%s/rivet.yaml", m->p.dir);
    m->report = (rv_run_report){0};
    rv_error_clear(&m->err);
    RV_TRY(rv_cfg_load(&m->p.env, path, &load, &m->arena, &m->cfg, &m->diags, &m->err));
    return rv_engine_run(&m->p.env, m->cfg, &opts, &m->arena, &m->report, &m->err);
}

static void many_close(many *m)
{
    rv_arena_free(&m->arena);
    place_close(&m->p);
}

typedef struct heard {
    atomic_int inside, most;
    int started, planned, steps, finished;
} heard;

static void enter(heard *h)
{
    int now = atomic_fetch_add(&h->inside, 1) + 1;
    if (now > atomic_load(&h->most))
        atomic_store(&h->most, now);
    (void)usleep(200);
    (void)atomic_fetch_sub(&h->inside, 1);
}

static void hear_started(void *ctx, const rv_export_report *r)
{
    heard *h = ctx;
    enter(h);
    h->started += r->run_id != NULL;
}

static void hear_planned(void *ctx, const char *name, int64_t total)
{
    heard *h = ctx;
    (void)name;
    enter(h);
    h->planned += total == 5;
}

static void hear_progress(void *ctx, const char *name, int64_t chunks, int64_t rows)
{
    heard *h = ctx;
    (void)name;
    (void)chunks;
    (void)rows;
    enter(h);
    h->steps++;
}

static void hear_finished(void *ctx, const rv_export_report *r)
{
    heard *h = ctx;
    enter(h);
    h->finished += r->exit_code == 0;
}

RV_TEST(threads_run_all_and_hooks_come_one_at_a_time)
{
    many m;
    heard h = {0};
    const char *tables[] = {"t", "t", "missing", "t", "t", "t"};
    const rv_run_hooks hooks = {&h, hear_started, hear_planned, hear_progress, hear_finished};
    REQUIRE(many_open(&m, tables, 6));
    CHECK_EQ(many_run(&m, (rv_run_opts){.parallel = RV_THREADS, .hooks = &hooks}), RV_OK);
    CHECK_STR(m.report.parallel_mode, "threads");
    CHECK_EQ(m.report.n_exports, 6);
    CHECK_EQ(m.report.exit_code, 1);
    for (size_t i = 0; i < m.report.n_exports; i++) {
        char name[24];
        (void)snprintf(name, sizeof name, "x%zu", i);
        CHECK_STR(m.report.exports[i].export_name, name);
        CHECK_EQ(m.report.exports[i].exit_code, i == 2 ? 1 : 0);
        CHECK_EQ(m.report.exports[i].rows, i == 2 ? 0 : 500);
    }
    CHECK_EQ(atomic_load(&h.most), 1);
    CHECK_EQ(h.finished, 5);
    CHECK_EQ(h.planned, 5);
    CHECK(h.steps >= 25);
    many_close(&m);
}

RV_TEST(sets_follow_each_other_in_one_invocation)
{
    many m;
    rv_invocation *inv = NULL;
    const char *tables[] = {"t", "t", "t"};
    const rv_run_opts opts = {.parallel = RV_THREADS};
    REQUIRE(many_open(&m, tables, 3));
    RETURN_UNLESS(many_run(&m, (rv_run_opts){0}) == RV_OK);
    rv_run_report r;
    RETURN_UNLESS(rv_invocation_open(&m.p.env, m.cfg, &opts, &m.arena, &r, &inv, &m.err) == RV_OK);
    const rv_cfg_export *first[] = {&m.cfg->exports[2], &m.cfg->exports[0]};
    const rv_cfg_export *second[] = {&m.cfg->exports[1]};
    CHECK_EQ(rv_invocation_run(inv, first, 2, RV_THREADS, &m.err), RV_OK);
    CHECK_EQ(r.n_exports, 2);
    CHECK_EQ(rv_invocation_run(inv, second, 1, RV_SEQUENTIAL, &m.err), RV_OK);
    CHECK_EQ(rv_invocation_run(inv, second, 1, RV_SEQUENTIAL, &m.err), RV_E_INTERNAL);
    CHECK_EQ(rv_invocation_finish(inv, &m.err), RV_OK);
    CHECK_EQ(r.n_exports, 3);
    CHECK_STR(r.exports[0].export_name, "x2");
    CHECK_STR(r.exports[1].export_name, "x0");
    CHECK_STR(r.exports[2].export_name, "x1");
    CHECK(r.run_aggregate_id && r.finished_at);
done:
    rv_invocation_close(inv);
    many_close(&m);
}

RV_TEST(an_interruption_before_anything_started)
{
    many m;
    const char *tables[] = {"t", "t"};
    REQUIRE(many_open(&m, tables, 2));
    rv_cancel_raise(m.p.cancel, 2);
    CHECK_EQ(many_run(&m, (rv_run_opts){.parallel = RV_THREADS}), RV_OK);
    CHECK_EQ(m.report.exit_code, 130);
    CHECK_EQ(m.report.n_exports, 0);
    many_close(&m);
}

/* ---- children: a script in the place of the program ---- */

static const rv_child_opts quiet = {.log_fd = -1, .params_json = "{\"P\":\"v\"}"};

static bool write_child(many *m, const char *body, char path[128])
{
    char text[4096];
    (void)snprintf(path, 128, "%s/child", m->p.dir);
    (void)snprintf(text, sizeof text, "#!/bin/bash\nname=$5\n%s\n", body);
    return place_write(&m->p, "child", text) && chmod(path, 0700) == 0;
}

static void run_child(many *m, const char *body, int64_t grace_us)
{
    char path[128];
    const char *tables[] = {"t", "t"};
    REQUIRE(many_open(m, tables, 2));
    rv_cancel_set_grace_us(m->p.cancel, grace_us);
    REQUIRE(write_child(m, body, path));
    const rv_run_stand_ins in = {.child = path};
    CHECK_EQ(many_run(m, (rv_run_opts){.parallel = RV_PROCESSES,
                                       .children = &quiet,
                                       .stand_ins = &in,
                                       .validate = true}),
             RV_OK);
}

#define EVENT(members)                                                                             \
    "echo '{\"event\":'" members "',\"export_name\":\"'$name'\"}' >&$RIVET_IPC_FD\n"
#define SUCCESS                                                                                    \
    EVENT("'\"finished\",\"status\":\"success\",\"rows\":7,\"files\":1,\"bytes\":70,"              \
          "\"peak_rss_mb\":5,\"validated\":true,\"cursor_high\":\"z\"'")

RV_TEST(a_child_is_believed_when_its_code_agrees)
{
    many m;
    run_child(&m,
              "[ \"$*\" = \"run --config $3 --export $name --validate\" ] || exit 9\n"
              "[ \"$RIVET_PARAMS\" = '{\"P\":\"v\"}' ] || exit 8\n" SUCCESS "exit 0",
              0);
    CHECK_EQ(m.report.exit_code, 0);
    CHECK_EQ(m.report.n_exports, 2);
    CHECK_EQ(m.report.exports[1].rows, 7);
    CHECK_EQ(m.report.exports[1].validated, 1);
    CHECK_EQ(m.report.exports[1].reconciled, -1);
    CHECK_STR(m.report.exports[1].cursor_high, "z");
    many_close(&m);
}

RV_TEST(codes_are_taken_over_and_never_made_better)
{
    many m;
    run_child(&m, SUCCESS "[ $name = x0 ] && exit 4 || kill -9 $$", 0);
    CHECK_EQ(m.report.exports[0].exit_code, 4);
    CHECK_STR(m.report.exports[0].status, "failed");
    CHECK_EQ(m.report.exports[1].exit_code, 1);
    CHECK_EQ(m.report.exports[1].error.code, RV_E_RUN_CHILD);
    CHECK(strstr(m.report.exports[1].error.text, "SIGKILL"));
    CHECK_EQ(m.report.exit_code, 4);
    many_close(&m);
}

RV_TEST(a_child_without_a_report_failed)
{
    many m;
    run_child(&m, EVENT("'\"started\",\"run_id\":\"r1\"'") "[ $name = x0 ] && exit 0 || exit 3", 0);
    CHECK_EQ(m.report.exports[0].exit_code, 1);
    CHECK_EQ(m.report.exports[0].error.code, RV_E_RUN_CHILD);
    CHECK_STR(m.report.exports[0].run_id, "r1");
    CHECK_EQ(m.report.exports[1].exit_code, 3);
    CHECK_EQ(m.report.exit_code, 3);
    many_close(&m);
}

RV_TEST(what_a_child_says_is_not_trusted)
{
    many m;
    run_child(
        &m,
        "exec 3>&$RIVET_IPC_FD\n"
        "head -c 3000000 /dev/zero | tr '\\0' 'x' >&3\n" /* no end for long */
        "printf '\\n\\0\\377[[[[{\"event\":1}\\n' >&3\n"
        "echo '{\"event\":\"finished\",\"export_name\":\"other\",\"status\":\"success\"}' >&3\n"
        "echo '{\"event\":\"finished\",\"export_name\":\"'$name'\",\"status\":\"splendid\"}' >&3\n"
        "echo '{\"event\":\"progress\",\"export_name\":\"'$name'\",\"rows\":-5,\"chunks_done\":1}' "
        ">&3\n"
        "echo '{\"event\":\"finished\",\"export_name\":\"'$name'\",\"status\":\"failed\","
        "\"rows\":\"many\",\"bytes\":-3,\"error_message\":\"no\",\"error_code\":\"RIVET_NEW\"}' "
        ">&3\n"
        "printf '{\"event\":\"finished\"' >&3\nexit 1",
        0);
    for (size_t i = 0; i < m.report.n_exports; i++) {
        const rv_export_report *x = &m.report.exports[i];
        CHECK_STR(x->status, "failed");
        CHECK_EQ(x->error.code, RV_E_RUN_CHILD);
        CHECK_STR(x->error.text, "no");
        CHECK_EQ(x->rows, -1);
        CHECK_EQ(x->bytes, -1);
        CHECK_EQ(x->exit_code, 1);
    }
    many_close(&m);
}

RV_TEST(a_grandchild_that_keeps_the_pipe_open_delays_nothing)
{
    many m;
    int64_t began_us = rv_clock_mono_us();
    run_child(&m, SUCCESS "sleep 20 >/dev/null 2>&1 & exit 0", 0);
    CHECK_EQ(m.report.exit_code, 0);
    CHECK(rv_clock_mono_us() - began_us < 10000000);
    many_close(&m);
}

RV_TEST(a_program_that_is_not_there)
{
    many m;
    const char *tables[] = {"t", "t"};
    const rv_run_stand_ins in = {.child = "/nonexistent/rivet"};
    REQUIRE(many_open(&m, tables, 2));
    CHECK_EQ(
        many_run(&m, (rv_run_opts){.parallel = RV_PROCESSES, .children = &quiet, .stand_ins = &in}),
        RV_OK);
    CHECK_EQ(m.report.exit_code, 1);
    CHECK_EQ(m.report.exports[0].error.code, RV_E_IO);
    many_close(&m);
}

static void *raise_later(void *arg)
{
    (void)usleep(700000);
    rv_cancel_raise(arg, 15);
    return NULL;
}

RV_TEST(a_signal_is_passed_on_and_a_deaf_child_killed)
{
    many m;
    char path[128];
    pthread_t thread;
    const char *tables[] = {"t", "t"};
    REQUIRE(many_open(&m, tables, 2));
    rv_cancel_set_grace_us(m.p.cancel, -4500000); /* what is left is half a second */
    REQUIRE(write_child(&m,
                        "[ $name = x0 ] && trap '' TERM || trap 'exit 143' TERM\n"
                        "for i in $(seq 200); do sleep 0.1; done",
                        path));
    REQUIRE(pthread_create(&thread, NULL, raise_later, m.p.cancel) == 0);
    const rv_run_stand_ins in = {.child = path};
    int64_t began_us = rv_clock_mono_us();
    CHECK_EQ(
        many_run(&m, (rv_run_opts){.parallel = RV_PROCESSES, .children = &quiet, .stand_ins = &in}),
        RV_OK);
    CHECK(rv_clock_mono_us() - began_us < 10000000);
    (void)pthread_join(thread, NULL);
    for (size_t i = 0; i < 2; i++) {
        CHECK_STR(m.report.exports[i].status, "interrupted");
        CHECK_EQ(m.report.exports[i].exit_code, 143);
        CHECK_EQ(m.report.exports[i].error.code, RV_E_INTERRUPTED);
    }
    CHECK_EQ(m.report.exit_code, 143);
    many_close(&m);
}

/* ---- events ---- */

RV_TEST(a_report_survives_the_way)
{
    int ends[2];
    char text[8192];
    rv_arena arena = RV_ARENA_INIT;
    rv_event e;
    const rv_env env = {0};
    rv_cfg_export x = {.name = "x", .format = "csv"};
    const rv_cfg cfg = {.exports = &x, .n_exports = 1};
    rv_event_writer w = {&env, &cfg, -1};
    rv_export_report r = {.export_name = "x",
                          .status = "interrupted",
                          .run_id = "x_1",
                          .tuning_text = "profile=fast",
                          .output = "file://./o",
                          .cursor_low = "1",
                          .rows = 1,
                          .files = 2,
                          .bytes = 3,
                          .bytes_read = -1,
                          .duration_ms = 5,
                          .retries = 6,
                          .chunks_total = 7,
                          .chunks_done = 8,
                          .validated = 0,
                          .schema_changed = 1,
                          .quality_passed = -1,
                          .reconciled = -1,
                          .resumable = true};
    CHECK_EQ(rv_fail(&r.error, RV_E_INTERRUPTED, "line \"one\"\nline two"), RV_E_INTERRUPTED);
    rv_hint(&r.error, "go on");
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    w.fd = ends[1];
    rv_run_hooks hooks = rv_event_hooks(&w);
    hooks.finished(hooks.ctx, &r);
    ssize_t n = read(ends[0], text, sizeof text);
    REQUIRE(n > 0 && text[n - 1] == '\n');
    CHECK_EQ(rv_event_parse((rv_str){text, (size_t)n - 1}, &x, &arena, &e, NULL), RV_OK);
    CHECK_EQ(e.kind, RV_EVENT_FINISHED);
    CHECK_STR(e.report.status, "interrupted");
    CHECK_STR(e.report.run_id, "x_1");
    CHECK_STR(e.report.tuning_text, "profile=fast");
    CHECK_STR(e.report.output, "file://./o");
    CHECK_STR(e.report.cursor_low, "1");
    CHECK(e.report.cursor_high == NULL && e.report.resumable && !e.report.resumed);
    CHECK_EQ(e.report.bytes_read, -1);
    CHECK_EQ(e.report.chunks_done, 8);
    CHECK_EQ(e.report.validated, 0);
    CHECK_EQ(e.report.schema_changed, 1);
    CHECK_EQ(e.report.quality_passed, -1);
    CHECK_EQ(e.report.error.code, RV_E_INTERRUPTED);
    CHECK_STR(e.report.error.text, "line \"one\"\nline two");
    CHECK_STR(e.report.error.hint, "go on");
    (void)close(ends[0]);
    (void)close(ends[1]);
    rv_arena_free(&arena);
}

RV_TEST(parsing_garbage_is_safe)
{
    rv_cfg_export x = {.name = "x"};
    static const char seed[] =
        "{\"event\":\"finished\",\"export_name\":\"x\",\"status\":\"success\","
        "\"rows\":1,\"error_message\":\"m\",\"run_id\":\"r\"}";
    uint32_t state = 7;
    for (int i = 0; i < 20000; i++) {
        char line[sizeof seed];
        rv_arena arena = RV_ARENA_INIT;
        rv_event e;
        memcpy(line, seed, sizeof seed);
        for (int k = 0; k < 3; k++) {
            state = state * 1664525u + 1013904223u;
            line[(state >> 8) % (sizeof seed - 1)] = (char)(state >> 24);
        }
        CHECK_EQ(rv_event_parse((rv_str){line, (state >> 4) % sizeof seed}, &x, &arena, &e, NULL),
                 RV_OK);
        rv_arena_free(&arena);
    }
}

#ifdef RV_FAULTS
RV_TEST(every_allocation_may_fail)
{
    const char *tables[] = {"t", "t"};
    for (long nth = 1; nth < 4000; nth += nth < 40 ? 3 : 211) {
        many m;
        REQUIRE(many_open(&m, tables, 2));
        rv_fault_set_alloc(nth, false);
        rv_status st = many_run(&m, (rv_run_opts){.parallel = RV_THREADS});
        bool met = rv_fault_seen_alloc() >= nth;
        rv_fault_set_alloc(0, false);
        CHECK(st == RV_OK || st == RV_E_MEMORY || m.err.text[0]);
        many_close(&m);
        if (!met)
            return;
    }
}
#else
RV_TEST(every_allocation_may_fail)
{
    SKIP("built without fault points");
}
#endif

RV_TEST_MAIN(RV_CASE(threads_run_all_and_hooks_come_one_at_a_time),
             RV_CASE(sets_follow_each_other_in_one_invocation),
             RV_CASE(an_interruption_before_anything_started),
             RV_CASE(a_child_is_believed_when_its_code_agrees),
             RV_CASE(codes_are_taken_over_and_never_made_better),
             RV_CASE(a_child_without_a_report_failed), RV_CASE(what_a_child_says_is_not_trusted),
             RV_CASE(a_grandchild_that_keeps_the_pipe_open_delays_nothing),
             RV_CASE(a_program_that_is_not_there),
             RV_CASE(a_signal_is_passed_on_and_a_deaf_child_killed),
             RV_CASE(a_report_survives_the_way), RV_CASE(parsing_garbage_is_safe),
             RV_CASE(every_allocation_may_fail))
