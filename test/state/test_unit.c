#include "base/clock.h"
#include "state_fixture.h"

static const char *status_of(fixture *f, const char *run_id, const char *name)
{
    rv_part_rows parts;
    if (rv_state_parts(f->s, run_id, NULL, &f->arena, &parts, &f->err) != RV_OK)
        return "unreadable";
    for (size_t i = 0; i < parts.n; i++)
        if (strcmp(parts.rows[i].file_name, name) == 0)
            return parts.rows[i].status;
    return "absent";
}

RV_TEST(parts)
{
    fixture f;
    rv_part_rows parts;
    REQUIRE(fx_start(&f));
    rv_lease l = fx_take(&f, "a", "a_1");
    static const char *const names[] = {"z1", "z0", "c1"};
    static const char *const units[] = {"chunk7", "chunk7", "chunk2"};
    static const int64_t indexes[] = {1, 0, 0};
    for (size_t i = 0; i < 3; i++) {
        rv_part_row p = fx_part(units[i], names[i], indexes[i]);
        p.chunk_index = i == 2 ? 2 : 7;
        CHECK_EQ(rv_state_part_intent(f.s, &l, "./out", &p, &f.err), RV_OK);
    }
    CHECK_EQ(rv_state_parts(f.s, "a_1", NULL, &f.arena, &parts, &f.err), RV_OK);
    REQUIRE(parts.n == 3);
    CHECK_STR(parts.rows[0].file_name, "z0");
    CHECK_STR(parts.rows[1].file_name, "z1");
    CHECK_STR(parts.rows[2].file_name, "c1");
    CHECK_EQ(parts.rows[2].chunk_index, 2);
    CHECK_STR(parts.rows[0].status, "pending");
    CHECK_STR(parts.rows[0].spool_path, "/tmp/spool");
    CHECK_EQ(rv_state_part_upload_id(f.s, &l, "z0", "up-1", &f.err), RV_OK);
    CHECK_EQ(rv_state_part_status(f.s, &l, "a_1", "z0", "uploaded", true, &f.err), RV_OK);
    CHECK_EQ(rv_state_parts(f.s, "a_1", "chunk7", &f.arena, &parts, &f.err), RV_OK);
    REQUIRE(parts.n == 2);
    CHECK_STR(parts.rows[0].status, "uploaded");
    CHECK_STR(parts.rows[0].upload_id, "up-1");
    CHECK(parts.rows[0].spool_path == NULL);
    /* an intent of the same name starts anew */
    rv_part_row again = fx_part("chunk7", "z0", 0);
    again.row_count = 11;
    CHECK_EQ(rv_state_part_intent(f.s, &l, "./out", &again, &f.err), RV_OK);
    CHECK_EQ(rv_state_parts(f.s, "a_1", "chunk7", &f.arena, &parts, &f.err), RV_OK);
    CHECK_STR(parts.rows[0].status, "pending");
    CHECK_EQ(parts.rows[0].row_count, 11);
    CHECK(parts.rows[0].upload_id == NULL);
    CHECK_EQ(rv_state_part_forget(f.s, &l, "a_1", "z1", &f.err), RV_OK);
    CHECK_STR(status_of(&f, "a_1", "z1"), "absent");
    CHECK_EQ(rv_state_part_status(f.s, &l, "a_1", "z1", "removed", true, &f.err), RV_E_INTERNAL);
    fx_end(&f);
}

RV_TEST(parts_of_an_older_run)
{
    fixture f;
    REQUIRE(fx_start(&f));
    rv_lease old = fx_take(&f, "a", "a_1");
    CHECK_EQ(fx_upload(&f, &old, "0", "f1"), RV_OK);
    CHECK_EQ(rv_state_run_close(f.s, &old, "abandoned", &f.err), RV_OK);
    rv_lease l = fx_take(&f, "a", "a_2"), b = fx_take(&f, "b", "b_1");
    CHECK_EQ(rv_state_part_status(f.s, &b, "a_1", "f1", "removed", true, &f.err), RV_E_INTERNAL);
    CHECK_STR(status_of(&f, "a_1", "f1"), "uploaded");
    CHECK_EQ(rv_state_part_status(f.s, &l, "a_1", "f1", "removed", true, &f.err), RV_OK);
    CHECK_STR(status_of(&f, "a_1", "f1"), "removed");
    fx_end(&f);
}

RV_TEST(single_unit_ends_with_its_run)
{
    fixture f;
    rv_unit_rows units;
    rv_run_row run;
    bool found;
    REQUIRE(fx_start(&f));
    rv_lease l = fx_take(&f, "a", "a_1");
    CHECK_EQ(fx_upload(&f, &l, "0", "f1"), RV_OK);
    rv_unit_done done = {.unit = "0", .kind = RV_UNIT_SINGLE, .rows = 10};
    uint8_t ties[16] = {1, 2, 3};
    rv_position_row position = {.last_cursor_value = "41",
                                .cursor_type = "int64",
                                .cursor_ties = {ties, sizeof ties},
                                .has_ties = true,
                                .owner = "{}"};
    rv_shape_row shapes[] = {{"name", 7}, {"note", 3}};
    rv_run_final final = {.unit = &done,
                          .position = &position,
                          .columns_json = "[]",
                          .schema_fingerprint = "xxh3:1",
                          .shapes = shapes,
                          .n_shapes = 2,
                          .manifest_json = "{\"m\":1}",
                          .progression_strategy = "incremental",
                          .progression_cursor = "41",
                          .progression_chunk = -1};
    CHECK_EQ(rv_state_run_final(f.s, &l, &final, &f.err), RV_OK);
    CHECK_EQ(rv_state_run_get(f.s, "a_1", &f.arena, &run, &found, &f.err), RV_OK);
    CHECK_STR(run.status, "unpublished");
    CHECK_STR(run.manifest_json, "{\"m\":1}");
    CHECK_EQ(rv_state_units(f.s, "a_1", &f.arena, &units, &f.err), RV_OK);
    REQUIRE(units.n == 1);
    CHECK(units.rows[0].committed_at != NULL);
    rv_part_rows parts;
    CHECK_EQ(rv_state_parts(f.s, "a_1", NULL, &f.arena, &parts, &f.err), RV_OK);
    CHECK_STR(parts.rows[0].status, "committed");
    CHECK_STR(parts.rows[0].listed_by, "a_1");
    rv_position_row got;
    CHECK_EQ(rv_state_position_get(f.s, "a", &f.arena, &got, &found, &f.err), RV_OK);
    REQUIRE(found);
    CHECK_STR(got.last_cursor_value, "41");
    CHECK_STR(got.last_run_id, "a_1");
    CHECK(got.has_ties);
    CHECK_MEM(got.cursor_ties.ptr, got.cursor_ties.len, ties, sizeof ties);
    const char *columns;
    CHECK_EQ(rv_state_schema_get(f.s, "a", &f.arena, &columns, &f.err), RV_OK);
    CHECK_STR(columns, "[]");
    CHECK_EQ(rv_state_run_close(f.s, &l, "success", &f.err), RV_OK);
    fx_end(&f);
}

RV_TEST(position_and_shapes_move)
{
    fixture f;
    bool found;
    rv_position_row got;
    rv_shape_row *shapes;
    rv_progression_row *rows;
    size_t n;
    REQUIRE(fx_start(&f));
    CHECK_EQ(rv_state_position_get(f.s, "a", &f.arena, &got, &found, &f.err), RV_OK);
    CHECK(!found);
    for (int i = 0; i < 2; i++) {
        rv_lease l = fx_take(&f, "a", i ? "a_2" : "a_1");
        rv_position_row p = {.last_cursor_value = i ? "2" : "1", .has_ties = i == 0};
        rv_shape_row s[] = {{"x", i ? 5 : 9}, {"y", i ? 9 : 5}};
        rv_run_final final = {.position = &p,
                              .shapes = s,
                              .n_shapes = 2,
                              .progression_strategy = "incremental",
                              .progression_cursor = i ? "2" : "1",
                              .progression_chunk = i ? 4 : -1,
                              .verified = i == 0};
        CHECK_EQ(rv_state_run_final(f.s, &l, &final, &f.err), RV_OK);
        CHECK_EQ(rv_state_position_get(f.s, "a", &f.arena, &got, &found, &f.err), RV_OK);
        CHECK_EQ(got.has_ties, i == 0);
        CHECK_EQ(got.cursor_ties.len, 0);
        CHECK_EQ(rv_state_run_close(f.s, &l, "success", &f.err), RV_OK);
    }
    CHECK_STR(got.last_cursor_value, "2");
    CHECK_EQ(rv_state_shapes(f.s, "a", &f.arena, &shapes, &n, &f.err), RV_OK);
    REQUIRE(n == 2);
    CHECK_EQ(shapes[0].max_byte_len, 9);
    CHECK_EQ(shapes[1].max_byte_len, 9);
    CHECK_EQ(rv_state_progression(f.s, NULL, &f.arena, &rows, &n, &f.err), RV_OK);
    REQUIRE(n == 1);
    CHECK_STR(rows[0].committed_cursor, "2");
    CHECK_EQ(rows[0].committed_chunk, 4);
    CHECK_STR(rows[0].verified_cursor, "1");
    CHECK_EQ(rows[0].verified_chunk, -1);
    fx_end(&f);
}

RV_TEST(nothing_commits_half_done)
{
    fixture f;
    REQUIRE(fx_start(&f));
    rv_lease l = fx_take(&f, "a", "a_1");
    rv_part_row p = fx_part("0", "f1", 0);
    rv_unit_done done = {.unit = "0"};
    rv_run_final final = {.progression_chunk = -1};
    CHECK_EQ(rv_state_part_intent(f.s, &l, "p", &p, &f.err), RV_OK);
    CHECK_EQ(rv_state_unit_done(f.s, &l, &done, &f.err), RV_E_INTERNAL); /* not uploaded */
    CHECK_EQ(rv_state_part_status(f.s, &l, "a_1", "f1", "uploaded", false, &f.err), RV_OK);
    CHECK_EQ(rv_state_unit_done(f.s, &l, &done, &f.err), RV_E_INTERNAL); /* not sealed */
    CHECK_STR(status_of(&f, "a_1", "f1"), "uploaded");
    rv_unit_row u = {.unit = "0", .rows = 10, .parts = 1};
    CHECK_EQ(rv_state_unit_seal(f.s, &l, &u, &f.err), RV_OK);
    CHECK_EQ(rv_state_run_final(f.s, &l, &final, &f.err), RV_E_INTERNAL); /* sealed only */
    CHECK_EQ(rv_state_unit_done(f.s, &l, &done, &f.err), RV_OK);
    CHECK_EQ(rv_state_unit_done(f.s, &l, &done, &f.err), RV_OK); /* repeatable */
    CHECK_EQ(rv_state_unit_seal(f.s, &l, &u, &f.err), RV_E_INTERNAL);
    CHECK_EQ(rv_state_run_final(f.s, &l, &final, &f.err), RV_OK);
    fx_end(&f);
}

RV_TEST(unsealing_forgets_the_reading)
{
    fixture f;
    rv_unit_rows units;
    REQUIRE(fx_start(&f));
    rv_lease l = fx_take(&f, "a", "a_1");
    CHECK_EQ(rv_state_unit_unseal(f.s, &l, "0", &f.err), RV_OK);
    CHECK_EQ(fx_upload(&f, &l, "0", "f1"), RV_OK);
    CHECK_EQ(rv_state_unit_unseal(f.s, &l, "0", &f.err), RV_OK);
    CHECK_EQ(rv_state_units(f.s, "a_1", &f.arena, &units, &f.err), RV_OK);
    CHECK_EQ(units.n, 0);
    CHECK_STR(status_of(&f, "a_1", "f1"), "pending");
    fx_end(&f);
}

/* ---- chunk tasks ---- */

static rv_status begin_tasks(fixture *f, const rv_lease *l, rv_task_row *tasks, size_t n)
{
    rv_checkpoint_row c = {.plan_hash = "h", .strategy = "range_10", .max_attempts = 2};
    rv_task_rows rows = {tasks, n};
    return rv_state_checkpoint_begin(f->s, l, &c, &rows, NULL, &f->err);
}

RV_TEST(tasks)
{
    fixture f;
    rv_task_row tasks[3] = {{.chunk_index = 0, .end_key = "10", .kind = "range"},
                            {.chunk_index = 1, .start_key = "10", .kind = "last"},
                            {.chunk_index = 2, .kind = "null"}};
    rv_task_row t;
    rv_task_rows all;
    rv_checkpoint_row c;
    bool found, allowed;
    REQUIRE(fx_start(&f));
    rv_lease l = fx_take(&f, "a", "a_1");
    CHECK_EQ(rv_state_checkpoint_get(f.s, "a", &f.arena, &c, &found, &f.err), RV_OK);
    CHECK(!found);
    CHECK_EQ(begin_tasks(&f, &l, tasks, 3), RV_OK);
    CHECK_EQ(begin_tasks(&f, &l, tasks, 3), RV_E_RUN_CHECKPOINT);
    CHECK_EQ(rv_state_task_claim(f.s, &l, &f.arena, &t, &found, &f.err), RV_OK);
    CHECK(found);
    CHECK_EQ(t.chunk_index, 0);
    CHECK_EQ(t.attempts, 1);
    CHECK_STR(t.status, "running");
    CHECK(t.start_key == NULL);
    CHECK_STR(t.end_key, "10");
    CHECK_EQ(t.rows_written, -1);
    CHECK_EQ(rv_state_task_retry(f.s, &l, 0, &allowed, &f.err), RV_OK);
    CHECK(allowed);
    CHECK_EQ(rv_state_task_retry(f.s, &l, 0, &allowed, &f.err), RV_OK);
    CHECK(!allowed);
    CHECK_EQ(rv_state_task_release(f.s, &l, 0, true, "password=hunter2 refused", &f.err), RV_OK);
    CHECK_EQ(rv_state_task_claim(f.s, &l, &f.arena, &t, &found, &f.err), RV_OK);
    CHECK_EQ(t.chunk_index, 1);
    CHECK_EQ(rv_state_task_release(f.s, &l, 1, false, NULL, &f.err), RV_OK);
    CHECK_EQ(rv_state_task_claim(f.s, &l, &f.arena, &t, &found, &f.err), RV_OK);
    CHECK_EQ(t.chunk_index, 1); /* given back with its attempt */
    CHECK_EQ(t.attempts, 1);
    CHECK_EQ(rv_state_task_release(f.s, &l, 1, true, "again", &f.err), RV_OK);
    CHECK_EQ(rv_state_task_claim(f.s, &l, &f.arena, &t, &found, &f.err), RV_OK);
    CHECK_EQ(t.chunk_index, 2); /* pending ones before failed ones */
    CHECK_EQ(rv_state_task_claim(f.s, &l, &f.arena, &t, &found, &f.err), RV_OK);
    CHECK_EQ(t.chunk_index, 1);
    CHECK_EQ(rv_state_task_claim(f.s, &l, &f.arena, &t, &found, &f.err), RV_OK);
    CHECK(!found); /* 0 has no attempt left */
    rv_unit_done done = {.unit = "chunk1", .kind = RV_UNIT_TASK, .chunk_index = 1, .rows = 0};
    CHECK_EQ(rv_state_unit_done(f.s, &l, &done, &f.err), RV_OK); /* an empty chunk */
    CHECK_EQ(rv_state_tasks_resume(f.s, &l, &f.err), RV_OK);
    CHECK_EQ(rv_state_tasks(f.s, "a_1", &f.arena, &all, &f.err), RV_OK);
    REQUIRE(all.n == 3);
    CHECK_STR(all.rows[0].status, "failed");
    CHECK_STR(all.rows[0].last_error, "password=*** refused");
    CHECK_STR(all.rows[1].status, "completed");
    CHECK_EQ(all.rows[1].rows_written, 0);
    CHECK_STR(all.rows[2].status, "pending");
    CHECK_EQ(rv_state_checkpoint_get(f.s, "a", &f.arena, &c, &found, &f.err), RV_OK);
    CHECK_EQ(c.tasks, 3);
    CHECK_EQ(c.tasks_done, 1);
    CHECK_STR(c.strategy, "range_10");
    CHECK_EQ(c.max_attempts, 2);
    rv_run_final final = {.close_checkpoint = true, .progression_chunk = -1};
    CHECK_EQ(rv_state_run_final(f.s, &l, &final, &f.err), RV_E_INTERNAL);
    fx_end(&f);
}

RV_TEST(chunk_redo_and_end)
{
    fixture f;
    rv_task_row tasks[1] = {{.chunk_index = 0, .kind = "last"}}, t;
    rv_task_rows all;
    rv_unit_rows units;
    rv_checkpoint_row c;
    bool found;
    REQUIRE(fx_start(&f));
    rv_lease l = fx_take(&f, "a", "a_1");
    CHECK_EQ(begin_tasks(&f, &l, tasks, 1), RV_OK);
    CHECK_EQ(rv_state_task_claim(f.s, &l, &f.arena, &t, &found, &f.err), RV_OK);
    CHECK_EQ(fx_upload(&f, &l, "chunk0", "f_chunk0"), RV_OK);
    rv_unit_done done = {
        .unit = "chunk0", .kind = RV_UNIT_TASK, .rows = 10, .file_name = "f_chunk0"};
    CHECK_EQ(rv_state_unit_done(f.s, &l, &done, &f.err), RV_OK);
    CHECK_EQ(rv_state_unit_redo(f.s, &l, &done, &f.err), RV_OK);
    CHECK_STR(status_of(&f, "a_1", "f_chunk0"), "pending");
    CHECK_EQ(rv_state_tasks(f.s, "a_1", &f.arena, &all, &f.err), RV_OK);
    CHECK_STR(all.rows[0].status, "pending");
    CHECK(all.rows[0].file_name == NULL);
    CHECK_EQ(rv_state_units(f.s, "a_1", &f.arena, &units, &f.err), RV_OK);
    CHECK_EQ(units.n, 0);
    CHECK_EQ(rv_state_task_claim(f.s, &l, &f.arena, &t, &found, &f.err), RV_OK);
    CHECK(found);
    CHECK_EQ(fx_upload(&f, &l, "chunk0", "f_chunk0"), RV_OK);
    CHECK_EQ(rv_state_unit_done(f.s, &l, &done, &f.err), RV_OK);
    rv_run_final final = {.close_checkpoint = true, .manifest_json = "{}", .progression_chunk = 0};
    CHECK_EQ(rv_state_run_final(f.s, &l, &final, &f.err), RV_OK);
    CHECK_EQ(rv_state_checkpoint_get(f.s, "a", &f.arena, &c, &found, &f.err), RV_OK);
    CHECK(!found);
    fx_end(&f);
}

RV_TEST(a_dropped_checkpoint_stops_its_run)
{
    fixture f;
    rv_task_row tasks[1] = {{.chunk_index = 0, .kind = "last"}};
    int64_t dropped = 0;
    REQUIRE(fx_start(&f));
    rv_lease l = fx_take(&f, "a", "a_1");
    CHECK_EQ(begin_tasks(&f, &l, tasks, 1), RV_OK);
    CHECK_EQ(rv_state_checkpoint_drop(f.s, "a", true, false, &dropped, &f.err), RV_E_STATE_LEASE);
    CHECK_EQ(rv_state_checkpoint_drop(f.s, "b", true, false, &dropped, &f.err), RV_OK);
    CHECK_EQ(dropped, 0);
    CHECK_EQ(rv_state_checkpoint_drop(f.s, "a", true, true, &dropped, &f.err), RV_OK);
    CHECK_EQ(dropped, 1);
    rv_unit_done done = {.unit = "chunk0", .kind = RV_UNIT_TASK};
    CHECK_EQ(rv_state_unit_done(f.s, &l, &done, &f.err), RV_E_STATE_LEASE_LOST);
    fx_end(&f);
}

/* ---- keyset ranges ---- */

/* Unit "keyset{R}-{N}" of range R, a digit. */
static rv_status range_done(fixture *f, const rv_lease *l, const char *unit, const char *at,
                            int64_t next, bool end)
{
    rv_unit_done done = {.unit = unit,
                         .kind = RV_UNIT_RANGE,
                         .range_index = unit[6] - '0',
                         .position = at,
                         .next_unit = next,
                         .range_done = end};
    return rv_state_unit_done(f->s, l, &done, &f->err);
}

RV_TEST(ranges_and_their_redo)
{
    fixture f;
    rv_range_row range = {.range_index = 0}, second = {.range_index = 1, .lo = "50"};
    rv_range_row both[] = {range, second};
    rv_range_rows rows = {both, 2}, got;
    rv_checkpoint_row c = {.plan_hash = "h", .strategy = "keyset_10", .max_attempts = 3};
    rv_unit_rows units;
    REQUIRE(fx_start(&f));
    rv_lease l = fx_take(&f, "a", "a_1");
    CHECK_EQ(rv_state_checkpoint_begin(f.s, &l, &c, NULL, &rows, &f.err), RV_OK);
    for (int i = 0; i < 2; i++) {
        rv_part_row p = fx_part(i ? "keyset0-1" : "keyset0-0", i ? "k1" : "k0", 0);
        rv_unit_row u = {.unit = p.unit,
                         .key_low = i ? "10" : NULL,
                         .key_high = i ? "20" : "10",
                         .rows = 10,
                         .parts = 1,
                         .accumulators = "{}"};
        CHECK_EQ(rv_state_part_intent(f.s, &l, "p", &p, &f.err), RV_OK);
        CHECK_EQ(rv_state_part_status(f.s, &l, "a_1", p.file_name, "uploaded", true, &f.err),
                 RV_OK);
        CHECK_EQ(rv_state_unit_seal(f.s, &l, &u, &f.err), RV_OK);
        CHECK_EQ(range_done(&f, &l, p.unit, u.key_high, i + 1, i == 1), RV_OK);
    }
    /* the first unit's file is gone: its bounds stay, the position does not move back */
    rv_unit_done redo = {.unit = "keyset0-0", .kind = RV_UNIT_RANGE};
    CHECK_EQ(rv_state_unit_redo(f.s, &l, &redo, &f.err), RV_OK);
    CHECK_EQ(rv_state_unit_unseal(f.s, &l, "keyset0-0", &f.err), RV_OK);
    CHECK_EQ(rv_state_units(f.s, "a_1", &f.arena, &units, &f.err), RV_OK);
    REQUIRE(units.n == 2);
    CHECK_STR(units.rows[0].unit, "keyset0-0");
    CHECK(units.rows[0].sealed_at == NULL && units.rows[0].committed_at == NULL);
    CHECK_STR(units.rows[0].key_high, "10");
    CHECK_STR(status_of(&f, "a_1", "k0"), "pending");
    CHECK_STR(status_of(&f, "a_1", "k1"), "committed");
    CHECK_EQ(range_done(&f, &l, "keyset1-0", NULL, 0, true), RV_OK); /* range 1 */
    rv_run_final final = {.close_checkpoint = true, .progression_chunk = -1};
    CHECK_EQ(rv_state_run_final(f.s, &l, &final, &f.err), RV_E_INTERNAL); /* still owed */
    CHECK(strstr(f.err.text, "has 1 unfinished") != NULL);
    rv_unit_row again = {.unit = "keyset0-0", .key_high = "10", .rows = 10, .parts = 1};
    CHECK_EQ(rv_state_part_status(f.s, &l, "a_1", "k0", "uploaded", true, &f.err), RV_OK);
    CHECK_EQ(rv_state_unit_seal(f.s, &l, &again, &f.err), RV_OK);
    CHECK_EQ(range_done(&f, &l, "keyset0-0", "10", 1, false), RV_OK);
    CHECK_EQ(rv_state_ranges(f.s, "a_1", &f.arena, &got, &f.err), RV_OK);
    REQUIRE(got.n == 2);
    CHECK_STR(got.rows[0].position, "20");
    CHECK_EQ(got.rows[0].next_unit, 2);
    CHECK(got.rows[0].done && got.rows[1].done);
    CHECK_EQ(rv_state_run_final(f.s, &l, &final, &f.err), RV_OK);
    fx_end(&f);
}

RV_TEST(units_in_natural_order)
{
    fixture f;
    rv_unit_rows units;
    static const char *const names[] = {"keyset10-0", "keyset2-11", "keyset2-2"};
    static const char *const want[] = {"keyset2-2", "keyset2-11", "keyset10-0"};
    REQUIRE(fx_start(&f));
    rv_lease l = fx_take(&f, "a", "a_1");
    for (size_t i = 0; i < 3; i++) {
        rv_unit_row u = {.unit = names[i]};
        CHECK_EQ(rv_state_unit_seal(f.s, &l, &u, &f.err), RV_OK);
    }
    CHECK_EQ(rv_state_units(f.s, "a_1", &f.arena, &units, &f.err), RV_OK);
    for (size_t i = 0; i < 3; i++)
        CHECK_STR(units.rows[i].unit, want[i]);
    fx_end(&f);
}

/* ---- size ---- */

RV_TEST(a_hundred_thousand_tasks)
{
    enum { N = 100000 };
    fixture f;
    rv_task_rows got;
    rv_task_row t;
    bool found;
    REQUIRE(fx_start(&f));
    rv_lease l = fx_take(&f, "a", "a_1");
    rv_task_row *tasks = calloc(N, sizeof *tasks);
    REQUIRE(tasks != NULL);
    for (int64_t i = 0; i < N; i++)
        tasks[i] = (rv_task_row){
            .chunk_index = i, .start_key = "1000000", .end_key = "2000000", .kind = "range"};
    int64_t start = rv_clock_mono_us();
    CHECK_EQ(begin_tasks(&f, &l, tasks, N), RV_OK);
    int64_t inserted = rv_clock_mono_us();
    CHECK_EQ(rv_state_tasks(f.s, "a_1", &f.arena, &got, &f.err), RV_OK);
    int64_t read = rv_clock_mono_us();
    for (int i = 0; i < 200; i++)
        CHECK_EQ(rv_state_task_claim(f.s, &l, &f.arena, &t, &found, &f.err), RV_OK);
    int64_t claimed = rv_clock_mono_us();
    printf("insert %lld ms, read %lld ms, claim %lld us each\n",
           (long long)(inserted - start) / 1000, (long long)(read - inserted) / 1000,
           (long long)(claimed - read) / 200);
    CHECK_EQ(got.n, N);
    CHECK_EQ(got.rows[N - 1].chunk_index, N - 1);
    CHECK(read - start < 10000000); /* two seconds on a quiet machine without sanitizers */
    CHECK(f.arena.used < (size_t)N * 250);
    free(tasks);
    fx_end(&f);
}

FX_TEST_MAIN(RV_CASE(parts), RV_CASE(parts_of_an_older_run), RV_CASE(single_unit_ends_with_its_run),
             RV_CASE(position_and_shapes_move), RV_CASE(nothing_commits_half_done),
             RV_CASE(unsealing_forgets_the_reading), RV_CASE(tasks), RV_CASE(chunk_redo_and_end),
             RV_CASE(a_dropped_checkpoint_stops_its_run), RV_CASE(ranges_and_their_redo),
             RV_CASE(units_in_natural_order), RV_CASE(a_hundred_thousand_tasks))
