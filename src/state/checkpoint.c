#include "state/state_internal.h"

static const rv_field task_fields[] = {
    RV_F_I64(rv_task_row, chunk_index), RV_F_TEXT(rv_task_row, start_key),
    RV_F_TEXT(rv_task_row, end_key),    RV_F_TEXT(rv_task_row, kind),
    RV_F_TEXT(rv_task_row, status),     RV_F_I64(rv_task_row, attempts),
    RV_F_TEXT(rv_task_row, last_error), RV_F_KNOWN(rv_task_row, rows_written),
    RV_F_TEXT(rv_task_row, file_name),  RV_F_TEXT(rv_task_row, updated_at),
};
enum { TASK_FIELDS = sizeof task_fields / sizeof task_fields[0] };
#define TASK_COLUMNS                                                                               \
    "chunk_index, start_key, end_key, kind, status, attempts, last_error, rows_written, "          \
    "file_name, updated_at"

static const rv_field range_fields[] = {
    RV_F_I64(rv_range_row, range_index), RV_F_TEXT(rv_range_row, lo),
    RV_F_TEXT(rv_range_row, hi),         RV_F_TEXT(rv_range_row, position),
    RV_F_I64(rv_range_row, next_unit),   RV_F_BOOL(rv_range_row, done),
    RV_F_TEXT(rv_range_row, updated_at),
};
enum { RANGE_FIELDS = sizeof range_fields / sizeof range_fields[0] };
#define RANGE_COLUMNS "range_index, lo, hi, position, next_unit, done, updated_at"

static const rv_field checkpoint_fields[] = {
    RV_F_TEXT(rv_checkpoint_row, run_id),     RV_F_TEXT(rv_checkpoint_row, export_name),
    RV_F_TEXT(rv_checkpoint_row, plan_hash),  RV_F_TEXT(rv_checkpoint_row, strategy),
    RV_F_TEXT(rv_checkpoint_row, status),     RV_F_I64(rv_checkpoint_row, max_attempts),
    RV_F_TEXT(rv_checkpoint_row, created_at), RV_F_TEXT(rv_checkpoint_row, updated_at),
    RV_F_I64(rv_checkpoint_row, tasks),       RV_F_I64(rv_checkpoint_row, tasks_done),
};
enum { CHECKPOINT_FIELDS = sizeof checkpoint_fields / sizeof checkpoint_fields[0] };

typedef struct begin_ctx {
    const rv_lease *lease;
    const rv_checkpoint_row *row;
    const rv_task_rows *tasks;
    const rv_range_rows *ranges;
} begin_ctx;

static rv_status refuse_second(rv_state *s, const begin_ctx *c, rv_error *err)
{
    int64_t one;
    bool found;
    RV_TRY(rv_st_int(s,
                     "SELECT 1 FROM chunk_run WHERE project = ? AND export_name = ? "
                     "AND status = 'in_progress'",
                     RV_PARAMS(rv_val_text(s->project), rv_val_text(c->lease->export_name)), &one,
                     &found, err));
    if (!found)
        return RV_OK;
    (void)rv_fail(err, RV_E_RUN_CHECKPOINT, "chunk checkpoint of export '%s' in progress",
                  c->lease->export_name);
    rv_hint(err, "continue it with --resume, or drop it with 'rivet state reset-chunks'");
    return RV_E_RUN_CHECKPOINT;
}

static rv_status add_tasks(const begin_ctx *c, const char *now, rv_bulk *bulk, rv_error *err)
{
    for (size_t i = 0; i < c->tasks->n; i++) {
        rv_val params[TASK_FIELDS + 1];
        rv_task_row row = c->tasks->rows[i];
        row.status = "pending";
        row.attempts = 0;
        row.last_error = NULL;
        row.rows_written = -1;
        row.file_name = NULL;
        row.updated_at = now;
        rv_st_bind(task_fields, TASK_FIELDS, &row, params);
        params[TASK_FIELDS] = rv_val_text(c->lease->run_id);
        RV_TRY(rv_bulk_add(bulk, params, err));
    }
    return rv_bulk_flush(bulk, err);
}

static rv_status insert_tasks(rv_state *s, const begin_ctx *c, const char *now, rv_error *err)
{
    rv_bulk bulk;
    if (!c->tasks)
        return RV_OK;
    RV_TRY(rv_bulk_begin(s, "INSERT INTO chunk_task (" TASK_COLUMNS ", run_id) VALUES ",
                         TASK_FIELDS + 1, &bulk, err));
    rv_status st = add_tasks(c, now, &bulk, err);
    rv_bulk_end(&bulk);
    return st;
}

static rv_status insert_ranges(rv_state *s, const begin_ctx *c, const char *now, rv_error *err)
{
    for (size_t i = 0; c->ranges && i < c->ranges->n; i++) {
        rv_val params[RANGE_FIELDS + 1];
        rv_range_row row = c->ranges->rows[i];
        row.updated_at = now;
        rv_st_bind(range_fields, RANGE_FIELDS, &row, params);
        params[RANGE_FIELDS] = rv_val_text(c->lease->run_id);
        RV_TRY(rv_st_run(s,
                         "INSERT INTO keyset_range (" RANGE_COLUMNS ", run_id) VALUES "
                         "(?, ?, ?, ?, ?, ?, ?, ?)",
                         params, RANGE_FIELDS + 1, NULL, err));
    }
    return RV_OK;
}

static rv_status begin_body(rv_state *s, void *ctx, rv_error *err)
{
    begin_ctx *c = ctx;
    char now[RV_RFC3339_SIZE];
    RV_TRY(rv_st_lease(s, c->lease, err));
    RV_TRY(refuse_second(s, c, err));
    RV_TRY(rv_st_now(s, now, err));
    RV_TRY(rv_st_run(s,
                     "INSERT INTO chunk_run (run_id, project, export_name, plan_hash, strategy, "
                     "status, max_chunk_attempts, created_at, updated_at) "
                     "VALUES (?, ?, ?, ?, ?, 'in_progress', ?, ?, ?)",
                     RV_PARAMS(rv_val_text(c->lease->run_id), rv_val_text(s->project),
                               rv_val_text(c->lease->export_name), rv_val_text(c->row->plan_hash),
                               rv_val_text(c->row->strategy), rv_val_int(c->row->max_attempts),
                               rv_val_text(now), rv_val_text(now)),
                     NULL, err));
    RV_TRY(insert_tasks(s, c, now, err));
    return insert_ranges(s, c, now, err);
}

static rv_status begin_settled(rv_state *s, void *ctx, bool *out, rv_error *err)
{
    begin_ctx *c = ctx;
    int64_t one;
    return rv_st_int(s, "SELECT 1 FROM chunk_run WHERE run_id = ?",
                     RV_PARAMS(rv_val_text(c->lease->run_id)), &one, out, err);
}

rv_status rv_state_checkpoint_begin(rv_state *s, const rv_lease *l, const rv_checkpoint_row *c,
                                    const rv_task_rows *tasks, const rv_range_rows *ranges,
                                    rv_error *err)
{
    begin_ctx b = {l, c, tasks, ranges};
    rv_tx tx = {.name = "checkpoint", .body = begin_body, .settled = begin_settled, .ctx = &b};
    return rv_state_write(s, &tx, err);
}

rv_status rv_state_checkpoint_get(rv_state *s, const char *export_name, rv_arena *a,
                                  rv_checkpoint_row *out, bool *out_found, rv_error *err)
{
    const rv_val params[] = {rv_val_text(s->project), rv_val_text(export_name)};
    rv_select q = {
        "SELECT c.run_id, c.export_name, c.plan_hash, c.strategy, c.status, "
        "c.max_chunk_attempts, c.created_at, c.updated_at, "
        "(SELECT COUNT(*) FROM chunk_task t WHERE t.run_id = c.run_id) + "
        "(SELECT COUNT(*) FROM keyset_range r WHERE r.run_id = c.run_id), "
        "(SELECT COUNT(*) FROM chunk_task t WHERE t.run_id = c.run_id AND "
        "t.status = 'completed') + "
        "(SELECT COUNT(*) FROM keyset_range r WHERE r.run_id = c.run_id AND r.done <> 0) "
        "FROM chunk_run c WHERE c.project = ? AND c.export_name = ? AND c.status = 'in_progress'",
        params,
        2,
        checkpoint_fields,
        CHECKPOINT_FIELDS,
        sizeof(rv_checkpoint_row),
        a};
    void *rows;
    size_t n;
    RV_TRY(rv_state_select(s, &q, &rows, &n, err));
    *out_found = n > 0;
    if (n)
        *out = *(rv_checkpoint_row *)rows;
    return RV_OK;
}

rv_status rv_state_tasks(rv_state *s, const char *run_id, rv_arena *a, rv_task_rows *out,
                         rv_error *err)
{
    const rv_val params[] = {rv_val_text(run_id)};
    rv_select q = {"SELECT " TASK_COLUMNS " FROM chunk_task WHERE run_id = ? ORDER BY chunk_index",
                   params,
                   1,
                   task_fields,
                   TASK_FIELDS,
                   sizeof(rv_task_row),
                   a};
    void *rows;
    size_t n;
    RV_TRY(rv_state_select(s, &q, &rows, &n, err));
    *out = (rv_task_rows){rows, n};
    return RV_OK;
}

rv_status rv_state_ranges(rv_state *s, const char *run_id, rv_arena *a, rv_range_rows *out,
                          rv_error *err)
{
    const rv_val params[] = {rv_val_text(run_id)};
    rv_select q = {"SELECT " RANGE_COLUMNS
                   " FROM keyset_range WHERE run_id = ? ORDER BY range_index",
                   params,
                   1,
                   range_fields,
                   RANGE_FIELDS,
                   sizeof(rv_range_row),
                   a};
    void *rows;
    size_t n;
    RV_TRY(rv_state_select(s, &q, &rows, &n, err));
    *out = (rv_range_rows){rows, n};
    return RV_OK;
}

/* ---- tasks ---- */

typedef struct task_ctx {
    const rv_lease *lease;
    rv_arena *arena;
    int64_t index;
    bool found; /* a task was claimed, or another try is allowed */
    rv_task_row row;
} task_ctx;

static rv_status find_task(rv_state *s, task_ctx *c, rv_error *err)
{
    rv_val run = rv_val_text(c->lease->run_id);
    RV_TRY(rv_st_int(s,
                     "SELECT chunk_index FROM chunk_task WHERE run_id = ? AND status = 'pending' "
                     "ORDER BY chunk_index LIMIT 1",
                     RV_PARAMS(run), &c->index, &c->found, err));
    if (c->found)
        return RV_OK;
    return rv_st_int(s,
                     "SELECT chunk_index FROM chunk_task WHERE run_id = ? AND status = 'failed' "
                     "AND attempts < (SELECT max_chunk_attempts FROM chunk_run WHERE run_id = ?) "
                     "ORDER BY chunk_index LIMIT 1",
                     RV_PARAMS(run, run), &c->index, &c->found, err);
}

static rv_status load_task(rv_state *s, task_ctx *c, rv_error *err)
{
    const rv_val params[] = {rv_val_text(c->lease->run_id), rv_val_int(c->index)};
    rv_select q = {"SELECT " TASK_COLUMNS " FROM chunk_task WHERE run_id = ? AND chunk_index = ?",
                   params,
                   2,
                   task_fields,
                   TASK_FIELDS,
                   sizeof(rv_task_row),
                   c->arena};
    return rv_st_select_one(s, &q, &c->row, &c->found, err);
}

static rv_status claim_body(rv_state *s, void *ctx, rv_error *err)
{
    task_ctx *c = ctx;
    char now[RV_RFC3339_SIZE];
    RV_TRY(rv_st_lease(s, c->lease, err));
    RV_TRY(rv_st_now(s, now, err));
    RV_TRY(find_task(s, c, err));
    if (!c->found)
        return RV_OK;
    RV_TRY(
        rv_st_run(s,
                  "UPDATE chunk_task SET status = 'running', attempts = attempts + 1, "
                  "updated_at = ? WHERE run_id = ? AND chunk_index = ?",
                  RV_PARAMS(rv_val_text(now), rv_val_text(c->lease->run_id), rv_val_int(c->index)),
                  NULL, err));
    return load_task(s, c, err);
}

/* The claim happened when the task is as the transaction left it; nobody else writes it, the
 * lease being ours and this state's lock held. */
static rv_status task_settled(rv_state *s, void *ctx, bool *out, rv_error *err)
{
    task_ctx *c = ctx;
    int64_t one;
    if (!c->found) {
        *out = true;
        return RV_OK;
    }
    return rv_st_int(
        s,
        "SELECT 1 FROM chunk_task WHERE run_id = ? AND chunk_index = ? "
        "AND status = 'running' AND attempts = ?",
        RV_PARAMS(rv_val_text(c->lease->run_id), rv_val_int(c->index), rv_val_int(c->row.attempts)),
        &one, out, err);
}

rv_status rv_state_task_claim(rv_state *s, const rv_lease *l, rv_arena *a, rv_task_row *out,
                              bool *out_found, rv_error *err)
{
    task_ctx c = {.lease = l, .arena = a};
    rv_tx tx = {.name = "claim", .body = claim_body, .settled = task_settled, .ctx = &c};
    RV_TRY(rv_state_write(s, &tx, err));
    *out_found = c.found;
    if (c.found)
        *out = c.row;
    return RV_OK;
}

typedef struct release_ctx {
    const rv_lease *lease;
    int64_t index;
    bool failed;
    const char *error;
} release_ctx;

static rv_status release_body(rv_state *s, void *ctx, rv_error *err)
{
    release_ctx *c = ctx;
    char now[RV_RFC3339_SIZE];
    RV_TRY(rv_st_lease(s, c->lease, err));
    RV_TRY(rv_st_now(s, now, err));
    rv_val run = rv_val_text(c->lease->run_id), index = rv_val_int(c->index);
    if (c->failed)
        return rv_st_run(s,
                         "UPDATE chunk_task SET status = 'failed', last_error = ?, "
                         "updated_at = ? WHERE run_id = ? AND chunk_index = ? "
                         "AND status = 'running'",
                         RV_PARAMS(rv_val_text(c->error), rv_val_text(now), run, index), NULL, err);
    return rv_st_run(s,
                     "UPDATE chunk_task SET status = 'pending', "
                     "attempts = CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END, "
                     "updated_at = ? WHERE run_id = ? AND chunk_index = ? AND status = 'running'",
                     RV_PARAMS(rv_val_text(now), run, index), NULL, err);
}

rv_status rv_state_task_release(rv_state *s, const rv_lease *l, int64_t chunk_index, bool failed,
                                const char *error, rv_error *err)
{
    rv_buf buf = RV_BUF_INIT;
    release_ctx c = {l, chunk_index, failed, NULL};
    rv_tx tx = {.name = "release", .body = release_body, .ctx = &c};
    rv_status st;
    RV_GO(rv_st_redact(s, error, &buf, &c.error, err));
    RV_GO(rv_state_write(s, &tx, err));
done:
    rv_buf_free(&buf);
    return st;
}

static rv_status retry_body(rv_state *s, void *ctx, rv_error *err)
{
    task_ctx *c = ctx;
    char now[RV_RFC3339_SIZE];
    int64_t touched;
    RV_TRY(rv_st_lease(s, c->lease, err));
    RV_TRY(rv_st_now(s, now, err));
    rv_val run = rv_val_text(c->lease->run_id);
    RV_TRY(rv_st_run(s,
                     "UPDATE chunk_task SET attempts = attempts + 1, updated_at = ? "
                     "WHERE run_id = ? AND chunk_index = ? AND status = 'running' AND attempts < "
                     "(SELECT max_chunk_attempts FROM chunk_run WHERE run_id = ?)",
                     RV_PARAMS(rv_val_text(now), run, rv_val_int(c->index), run), &touched, err));
    c->found = touched == 1;
    if (!c->found)
        return RV_OK;
    return rv_st_int(s, "SELECT attempts FROM chunk_task WHERE run_id = ? AND chunk_index = ?",
                     RV_PARAMS(run, rv_val_int(c->index)), &c->row.attempts, NULL, err);
}

rv_status rv_state_task_retry(rv_state *s, const rv_lease *l, int64_t chunk_index,
                              bool *out_allowed, rv_error *err)
{
    task_ctx c = {.lease = l, .index = chunk_index};
    rv_tx tx = {.name = "retry", .body = retry_body, .settled = task_settled, .ctx = &c};
    RV_TRY(rv_state_write(s, &tx, err));
    *out_allowed = c.found;
    return RV_OK;
}

rv_status rv_state_tasks_resume(rv_state *s, const rv_lease *l, rv_error *err)
{
    const rv_val params[] = {rv_val_text(l->run_id)};
    rv_leased w = {"resume", l,
                   "UPDATE chunk_task SET status = 'pending' WHERE run_id = ? "
                   "AND status = 'running'",
                   params, 1};
    return rv_state_leased(s, &w, NULL, err);
}

/* ---- dropping ---- */

typedef struct drop_ctx {
    const char *export_name;
    bool only_in_progress, force;
    int64_t dropped;
} drop_ctx;

#define DROPPED                                                                                    \
    "(SELECT run_id FROM chunk_run WHERE project = ? AND export_name = ? "                         \
    "AND (? = 0 OR status = 'in_progress'))"

static rv_status drop_body(rv_state *s, void *ctx, rv_error *err)
{
    drop_ctx *c = ctx;
    const rv_val params[] = {rv_val_text(s->project), rv_val_text(c->export_name),
                             rv_val_int(c->only_in_progress)};
    if (!c->force)
        RV_TRY(rv_st_no_live_lease(s, c->export_name, err));
    RV_TRY(rv_st_run(s, "DELETE FROM chunk_task WHERE run_id IN " DROPPED, params, 3, NULL, err));
    RV_TRY(rv_st_run(s, "DELETE FROM keyset_range WHERE run_id IN " DROPPED, params, 3, NULL, err));
    return rv_st_run(s,
                     "DELETE FROM chunk_run WHERE project = ? AND export_name = ? "
                     "AND (? = 0 OR status = 'in_progress')",
                     params, 3, &c->dropped, err);
}

rv_status rv_state_checkpoint_drop(rv_state *s, const char *export_name, bool only_in_progress,
                                   bool force, int64_t *out_dropped, rv_error *err)
{
    drop_ctx c = {export_name, only_in_progress, force, 0};
    rv_tx tx = {.name = "drop", .body = drop_body, .ctx = &c, .alone = true};
    RV_TRY(rv_state_write(s, &tx, err));
    *out_dropped = c.dropped;
    return RV_OK;
}
