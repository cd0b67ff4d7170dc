#include "state_fixture.h"

static void with_position(fixture *f, const char *name, const char *run_id)
{
    rv_lease l = fx_take(f, name, run_id);
    rv_position_row p = {.last_cursor_value = "7", .has_ties = true, .owner = "{\"source\":1}"};
    rv_run_final final = {.position = &p,
                          .manifest_json = "{}",
                          .progression_strategy = "incremental",
                          .progression_cursor = "7",
                          .progression_chunk = -1,
                          .verified = true};
    CHECK_EQ(rv_state_run_final(f->s, &l, &final, &f->err), RV_OK);
}

RV_TEST(reset)
{
    fixture f;
    rv_position_row p;
    rv_run_row run;
    rv_progression_row *rows;
    const char **names;
    size_t n;
    bool found;
    REQUIRE(fx_start(&f));
    CHECK_EQ(rv_state_reset(f.s, "a", &f.err), RV_E_STATE_UNKNOWN);
    with_position(&f, "a", "a_1");
    CHECK_EQ(rv_state_reset(f.s, "a", &f.err), RV_E_STATE_LEASE);
    f.now_us += 130000000;
    CHECK_EQ(rv_state_reset(f.s, "a", &f.err), RV_OK);
    CHECK_EQ(rv_state_position_get(f.s, "a", &f.arena, &p, &found, &f.err), RV_OK);
    CHECK(!found);
    CHECK_EQ(rv_state_run_get(f.s, "a_1", &f.arena, &run, &found, &f.err), RV_OK);
    CHECK_STR(run.status, "abandoned");
    rv_lease old = {"a_1", "a", 1};
    CHECK_EQ(rv_state_run_close(f.s, &old, "success", &f.err), RV_E_STATE_LEASE_LOST);
    CHECK_EQ(rv_state_progression(f.s, "a", &f.arena, &rows, &n, &f.err), RV_OK);
    REQUIRE(n == 1);
    CHECK(rows[0].committed_strategy == NULL);
    CHECK_STR(rows[0].verified_cursor, "7");
    CHECK_EQ(rv_state_reset(f.s, "a", &f.err), RV_OK); /* still known */
    CHECK_EQ(rv_state_exports(f.s, &f.arena, &names, &n, &f.err), RV_OK);
    REQUIRE(n == 1);
    CHECK_STR(names[0], "a");
    fx_end(&f);
}

RV_TEST(set_cursor)
{
    fixture f;
    rv_position_row p;
    bool found;
    REQUIRE(fx_start(&f));
    with_position(&f, "a", "a_1");
    CHECK_EQ(rv_state_set_cursor(f.s, "a", "9", NULL, &f.err), RV_E_STATE_LEASE);
    rv_lease l = {"a_1", "a", 1};
    CHECK_EQ(rv_state_run_close(f.s, &l, "success", &f.err), RV_OK);
    CHECK_EQ(rv_state_set_cursor(f.s, "a", "9", "int64", &f.err), RV_OK);
    CHECK_EQ(rv_state_set_cursor(f.s, "a", "8", NULL, &f.err), RV_OK);
    CHECK_EQ(rv_state_position_get(f.s, "a", &f.arena, &p, &found, &f.err), RV_OK);
    CHECK_STR(p.last_cursor_value, "8");
    CHECK_STR(p.cursor_type, "int64");
    CHECK(!p.has_ties);
    CHECK_STR(p.owner, "{\"source\":1}");
    CHECK_EQ(rv_state_set_cursor(f.s, "new", "1", "int64", &f.err), RV_OK);
    fx_end(&f);
}

RV_TEST(accept)
{
    fixture f;
    rv_position_row p;
    rv_run_row run;
    bool found;
    REQUIRE(fx_start(&f));
    with_position(&f, "a", "a_1");
    rv_lease l = {"a_1", "a", 1};
    CHECK_EQ(rv_state_run_close(f.s, &l, "success", &f.err), RV_OK);
    rv_lease open = fx_take(&f, "a", "a_2");
    rv_checkpoint_row c = {.plan_hash = "h", .strategy = "s", .max_attempts = 1};
    CHECK_EQ(rv_state_checkpoint_begin(f.s, &open, &c, NULL, NULL, &f.err), RV_OK);
    CHECK_EQ(rv_state_accept(f.s, "a", "{\"n\":2}", &f.err), RV_E_STATE_LEASE);
    CHECK_EQ(rv_state_run_close(f.s, &open, "failed", &f.err), RV_OK);
    CHECK_EQ(rv_state_accept(f.s, "a", "{\"n\":2}", &f.err), RV_OK);
    CHECK_EQ(rv_state_accept(f.s, "zz", "{}", &f.err), RV_E_STATE_UNKNOWN);
    CHECK_EQ(rv_state_position_get(f.s, "a", &f.arena, &p, &found, &f.err), RV_OK);
    CHECK_STR(p.owner, "{\"n\":2}");
    CHECK_EQ(rv_state_run_get(f.s, "a_2", &f.arena, &run, &found, &f.err), RV_OK);
    CHECK_STR(run.owner, "{\"n\":2}");
    CHECK_EQ(rv_state_run_get(f.s, "a_1", &f.arena, &run, &found, &f.err), RV_OK);
    CHECK(run.owner == NULL);
    fx_end(&f);
}

static void history(fixture *f, const char *name, const char *run_id, const char *status,
                    bool manifest)
{
    rv_lease l = fx_take(f, name, run_id);
    CHECK_EQ(fx_upload(f, &l, "0", "f"), RV_OK);
    rv_unit_done done = {.unit = "0"};
    rv_run_final final = {
        .unit = &done, .manifest_json = manifest ? "{}" : NULL, .progression_chunk = -1};
    CHECK_EQ(rv_state_run_final(f->s, &l, &final, &f->err), RV_OK);
    CHECK_EQ(rv_state_run_close(f->s, &l, status, &f->err), RV_OK);
    rv_metric m = {.run_id = run_id, .export_name = name, .status = status};
    CHECK_EQ(rv_state_metric_put(f->s, &m, &f->err), RV_OK);
    CHECK_EQ(rv_state_journal_put(f->s, name, run_id, "2026-05-02T08:00:00.000Z", "[]", &f->err),
             RV_OK);
    f->now_us += 60000000;
}

static bool exists(fixture *f, const char *run_id)
{
    rv_run_row run;
    bool found = false;
    CHECK_EQ(rv_state_run_get(f->s, run_id, &f->arena, &run, &found, &f->err), RV_OK);
    return found;
}

RV_TEST(prune_spares_what_matters)
{
    fixture f;
    rv_prune_counts n;
    REQUIRE(fx_start(&f));
    history(&f, "a", "a_1", "success", true);
    history(&f, "a", "a_2", "success", true); /* the last published */
    history(&f, "a", "a_3", "skipped", false);
    history(&f, "a", "a_4", "failed", false); /* uncleared */
    history(&f, "a", "a_5", "failed", false); /* cleared */
    rv_aggregate_row agg = {
        .id = "g", .started_at = "2026-05-02T08:00:00.000Z", .config_path = "r.yaml"};
    CHECK_EQ(rv_state_aggregate_start(f.s, &agg, &f.err), RV_OK);
    f.now_us += INT64_C(10) * 86400000000;
    rv_lease now = fx_take(&f, "a", "a_6");
    CHECK_EQ(rv_state_run_cleared(f.s, &now, "a_5", &f.err), RV_OK);
    CHECK_EQ(rv_state_prune(f.s, 11, &n, &f.err), RV_OK);
    CHECK_EQ(n.runs + n.metrics + n.journals + n.files + n.aggregates, 0);
    CHECK_EQ(rv_state_prune(f.s, 5, &n, &f.err), RV_OK);
    CHECK_EQ(n.runs, 3);
    CHECK_EQ(n.metrics, 3);
    CHECK_EQ(n.journals, 3);
    CHECK_EQ(n.files, 3);
    CHECK_EQ(n.aggregates, 1);
    CHECK(!exists(&f, "a_1") && !exists(&f, "a_3") && !exists(&f, "a_5"));
    CHECK(exists(&f, "a_2") && exists(&f, "a_4") && exists(&f, "a_6"));
    CHECK_EQ(rv_state_prune(f.s, 999999999, &n, &f.err), RV_OK);
    fx_end(&f);
}

RV_TEST(metrics_and_journals)
{
    fixture f;
    rv_metrics rows;
    rv_journal_row *journals;
    size_t n;
    REQUIRE(fx_start(&f));
    rv_metric m = {.run_id = "a_1",
                   .export_name = "a",
                   .run_at = "2026-05-02T08:00:00.000Z",
                   .status = "failed",
                   .error_message = "connect postgres://u:s3cret@h/db failed",
                   .total_rows = 5,
                   .peak_rss_mb = -1,
                   .validated = -1,
                   .quality_passed = 0,
                   .reconciled = 1};
    CHECK_EQ(rv_state_metric_put(f.s, &m, &f.err), RV_OK);
    m.total_rows = 6;
    CHECK_EQ(rv_state_metric_put(f.s, &m, &f.err), RV_OK);
    CHECK_EQ(rv_state_metrics(f.s, "a", 20, &f.arena, &rows, &f.err), RV_OK);
    REQUIRE(rows.n == 1);
    CHECK_EQ(rows.rows[0].total_rows, 6);
    CHECK_EQ(rows.rows[0].peak_rss_mb, -1);
    CHECK_EQ(rows.rows[0].validated, -1);
    CHECK_EQ(rows.rows[0].quality_passed, 0);
    CHECK_EQ(rows.rows[0].reconciled, 1);
    CHECK(strstr(rows.rows[0].error_message, "s3cret") == NULL);
    CHECK_EQ(rv_state_metrics(f.s, "b", 0, &f.arena, &rows, &f.err), RV_OK);
    CHECK_EQ(rows.n, 0);
    CHECK_EQ(rv_state_journal_put(f.s, "a", "a_1", "2026-05-02T08:00:00.000Z",
                                  "[{\"e\":\"pwd=topsecret\"}]", &f.err),
             RV_OK);
    CHECK_EQ(rv_state_journal_put(f.s, "a", "a_2", "2026-05-02T09:00:00.000Z", "[]", &f.err),
             RV_OK);
    CHECK_EQ(rv_state_journals(f.s, "a", NULL, 0, &f.arena, &journals, &n, &f.err), RV_OK);
    REQUIRE(n == 2);
    CHECK_STR(journals[0].run_id, "a_2");
    CHECK_STR(journals[1].journal_json, "[{\"e\":\"pwd=***\"}]");
    CHECK_EQ(rv_state_journals(f.s, "a", "a_1", 5, &f.arena, &journals, &n, &f.err), RV_OK);
    CHECK_EQ(n, 1);
    CHECK_EQ(rv_state_harm_put(f.s, "a", "a_1", "pg_temp_bytes", 12, &f.err), RV_OK);
    fx_end(&f);
}

RV_TEST(aggregates)
{
    fixture f;
    rv_aggregate_row a = {.id = "g1",
                          .started_at = "2026-05-02T08:00:00.000Z",
                          .config_path = "r.yaml",
                          .parallel_mode = "sequential",
                          .total_exports = 2},
                     got;
    bool found;
    REQUIRE(fx_start(&f));
    CHECK_EQ(rv_state_aggregate_unfinished(f.s, "r.yaml", &f.arena, &got, &found, &f.err), RV_OK);
    CHECK(!found);
    CHECK_EQ(rv_state_aggregate_start(f.s, &a, &f.err), RV_OK);
    CHECK_EQ(rv_state_aggregate_unfinished(f.s, "r.yaml", &f.arena, &got, &found, &f.err), RV_OK);
    CHECK(found);
    CHECK_STR(got.id, "g1");
    a.finished_at = "2026-05-02T08:01:00.000Z";
    a.success_count = 1;
    a.failed_count = 1;
    a.details_json = "{\"x\":1}";
    CHECK_EQ(rv_state_aggregate_finish(f.s, &a, &f.err), RV_OK);
    CHECK_EQ(rv_state_aggregate_unfinished(f.s, "r.yaml", &f.arena, &got, &found, &f.err), RV_OK);
    CHECK(found);
    CHECK_STR(got.details_json, "{\"x\":1}");
    a.id = "g2";
    a.started_at = "2026-05-02T09:00:00.000Z";
    a.success_count = 2;
    a.failed_count = 0;
    CHECK_EQ(rv_state_aggregate_start(f.s, &a, &f.err), RV_OK);
    CHECK_EQ(rv_state_aggregate_finish(f.s, &a, &f.err), RV_OK);
    CHECK_EQ(rv_state_aggregate_unfinished(f.s, "r.yaml", &f.arena, &got, &found, &f.err), RV_OK);
    CHECK(!found);
    CHECK_EQ(rv_state_aggregate_unfinished(f.s, "s.yaml", &f.arena, &got, &found, &f.err), RV_OK);
    CHECK(!found);
    fx_end(&f);
}

static void json_of(fixture *f, rv_state_view view, const char *name, rv_buf *out)
{
    rv_json j;
    rv_buf_clear(out);
    rv_json_begin(&j, out, false);
    CHECK_EQ(rv_state_json(f->s, view, name, 0, &j, &f->err), RV_OK);
    CHECK_EQ(rv_json_end(&j, &f->err), RV_OK);
    CHECK(rv_buf_cstr(out) != NULL);
}

static bool holds(const rv_buf *b, const char *text)
{
    return strstr((const char *)b->ptr, text) != NULL;
}

RV_TEST(json_views)
{
    fixture f;
    rv_buf b = RV_BUF_INIT;
    REQUIRE(fx_start(&f));
    for (int v = RV_VIEW_POSITIONS; v <= RV_VIEW_METRICS; v++) {
        json_of(&f, (rv_state_view)v, NULL, &b);
        CHECK_STR((const char *)b.ptr, "[]");
    }
    json_of(&f, RV_VIEW_CHUNKS, "a", &b);
    CHECK_STR((const char *)b.ptr, "null");
    rv_lease l = fx_take(&f, "a", "a_1");
    CHECK_EQ(fx_upload(&f, &l, "chunk0", "f"), RV_OK);
    rv_task_row task = {.chunk_index = 0, .end_key = "5", .kind = "last"};
    rv_task_rows tasks = {&task, 1};
    rv_checkpoint_row c = {.plan_hash = "h", .strategy = "s", .max_attempts = 3};
    CHECK_EQ(rv_state_checkpoint_begin(f.s, &l, &c, &tasks, NULL, &f.err), RV_OK);
    rv_metric m = {.run_id = "a_1",
                   .export_name = "a",
                   .status = "success",
                   .validated = 1,
                   .reconciled = -1,
                   .total_rows = -1};
    CHECK_EQ(rv_state_metric_put(f.s, &m, &f.err), RV_OK);
    json_of(&f, RV_VIEW_RUNS, "a", &b);
    CHECK(holds(&b, "\"run_id\":\"a_1\"") && holds(&b, "\"cleared\":false"));
    CHECK(holds(&b, "\"epoch\":1") && holds(&b, "\"finished_at\":null"));
    json_of(&f, RV_VIEW_FILES, NULL, &b);
    CHECK(holds(&b, "\"file_name\":\"f\"") && holds(&b, "\"bytes\":100"));
    json_of(&f, RV_VIEW_FILES, "b", &b);
    CHECK_STR((const char *)b.ptr, "[]");
    json_of(&f, RV_VIEW_METRICS, "a", &b);
    CHECK(holds(&b, "\"validated\":true") && holds(&b, "\"reconciled\":null"));
    CHECK(holds(&b, "\"total_rows\":null") && holds(&b, "\"rivet_version\":\""));
    json_of(&f, RV_VIEW_CHUNKS, "a", &b);
    CHECK(holds(&b, "\"max_chunk_attempts\":3") && holds(&b, "\"tasks\":[{\"chunk_index\":0,"));
    with_position(&f, "p", "p_1");
    json_of(&f, RV_VIEW_POSITIONS, NULL, &b);
    CHECK(holds(&b, "\"last_cursor_value\":\"7\"") && holds(&b, "\"cursor_ties\":\"\""));
    json_of(&f, RV_VIEW_PROGRESSION, NULL, &b);
    CHECK(holds(&b, "\"last_committed_chunk_index\":null"));
    rv_buf_free(&b);
    fx_end(&f);
}

/* From this test's state into a file, and from there into a second one. */
RV_TEST(copy)
{
    fixture f;
    char url[192];
    rv_buf before = RV_BUF_INIT, after = RV_BUF_INIT;
    REQUIRE(fx_start(&f));
    with_position(&f, "a", "a_1");
    rv_lease l = {"a_1", "a", 1};
    snprintf(url, sizeof url, "sqlite:%s/copy.db", f.dir);
    CHECK_EQ(rv_state_copy(f.s, &f.env, url, f.dir, &f.err), RV_E_STATE_LEASE);
    CHECK_EQ(rv_state_run_close(f.s, &l, "success", &f.err), RV_OK);
    rv_state *other = NULL;
    REQUIRE(fx_open_as(&f, "p", &other) == RV_OK);
    CHECK_EQ(rv_state_set_cursor(other, "x", "5", "int64", &f.err), RV_OK);
    rv_state_close(other);
    CHECK_EQ(rv_state_copy(f.s, &f.env, url, f.dir, &f.err), RV_OK);
    CHECK_EQ(rv_state_copy(f.s, &f.env, url, f.dir, &f.err), RV_E_STATE_URL); /* not empty */
    const char *itself = f.url ? f.url : "";
    CHECK_EQ(rv_state_copy(f.s, &f.env, itself, f.dir, &f.err), RV_E_STATE_URL);
    json_of(&f, RV_VIEW_RUNS, NULL, &before);
    rv_state *first = f.s;
    rv_state_opts opts = {.url = url, .config_dir = f.dir, .project = ""};
    REQUIRE(rv_state_open(&f.env, &opts, &f.s, &f.err) == RV_OK);
    json_of(&f, RV_VIEW_RUNS, NULL, &after);
    CHECK_MEM(after.ptr, after.len, before.ptr, before.len);
    rv_state_close(f.s);
    opts.project = "p";
    REQUIRE(rv_state_open(&f.env, &opts, &f.s, &f.err) == RV_OK);
    json_of(&f, RV_VIEW_POSITIONS, NULL, &after);
    CHECK(holds(&after, "\"export_name\":\"x\""));
    rv_state_close(f.s);
    f.s = first;
    rv_buf_free(&before);
    rv_buf_free(&after);
    fx_end(&f);
}

/* Every listing of a state, one behind the other. */
static void everything(fixture *f, rv_buf *out)
{
    rv_buf one = RV_BUF_INIT;
    rv_buf_clear(out);
    for (int v = RV_VIEW_POSITIONS; v <= RV_VIEW_CHUNKS; v++) {
        json_of(f, (rv_state_view)v, v == RV_VIEW_CHUNKS ? "a" : NULL, &one);
        CHECK_EQ(rv_buf_add(out, one.ptr, one.len, NULL), RV_OK);
    }
    rv_buf_free(&one);
}

/* From a file into this test's state: nothing changes, and ids go on behind the copied ones. */
RV_TEST(copy_back)
{
    fixture f;
    rv_buf before = RV_BUF_INIT, after = RV_BUF_INIT;
    enum { TASKS = 700 };
    static rv_task_row tasks[TASKS];
    rv_task_rows rows = {tasks, TASKS};
    char url[192];
    REQUIRE(fx_begin(&f));
    snprintf(url, sizeof url, "sqlite:%s/origin.db", f.dir);
    rv_state_opts origin = {.url = url, .config_dir = f.dir, .project = ""};
    REQUIRE(rv_state_open(&f.env, &origin, &f.s, &f.err) == RV_OK);
    history(&f, "a", "a_1", "success", true);
    with_position(&f, "a", "a_2");
    rv_lease l = {"a_2", "a", 1};
    rv_checkpoint_row c = {.plan_hash = "h", .strategy = "s", .max_attempts = 3};
    for (int64_t i = 0; i < TASKS; i++)
        tasks[i] = (rv_task_row){.chunk_index = i, .kind = "range", .start_key = "'?\\ é"};
    CHECK_EQ(rv_state_checkpoint_begin(f.s, &l, &c, &rows, NULL, &f.err), RV_OK);
    CHECK_EQ(rv_state_run_close(f.s, &l, "failed", &f.err), RV_OK);
    everything(&f, &before);
    rv_state_opts opts = {.config_dir = f.dir, .project = ""};
    const char *target = f.url ? f.url : "sqlite:target.db";
    CHECK_EQ(rv_state_copy(f.s, &f.env, target, f.dir, &f.err), RV_OK);
    rv_state_close(f.s);
    f.s = NULL;
    opts.url = target;
    REQUIRE(rv_state_open(&f.env, &opts, &f.s, &f.err) == RV_OK);
    everything(&f, &after);
    CHECK_MEM(after.ptr, after.len, before.ptr, before.len);
    history(&f, "b", "b_1", "success", true);
    json_of(&f, RV_VIEW_FILES, "b", &after);
    CHECK(holds(&after, "\"id\":2,"));
    rv_buf_free(&before);
    rv_buf_free(&after);
    fx_end(&f);
}

FX_TEST_MAIN(RV_CASE(reset), RV_CASE(set_cursor), RV_CASE(accept),
             RV_CASE(prune_spares_what_matters), RV_CASE(metrics_and_journals), RV_CASE(aggregates),
             RV_CASE(json_views), RV_CASE(copy), RV_CASE(copy_back))
