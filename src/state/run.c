#include <string.h>

#include "state/state_internal.h"

#define RUN_COLUMNS                                                                                \
    "run_id, export_name, aggregate_id, mode, stem, destination, prefix, date_token, status, "     \
    "epoch, owner_token, owner, plan_hash, cursor_low, cursor_bound, checks, manifest_json, "      \
    "cleared, host, boot_id, pid_ns, pid, pid_start, heartbeat_at, started_at, finished_at"
#define RUN_OPEN "status IN ('running', 'unpublished')"

static const rv_field run_fields[] = {
    RV_F_TEXT(rv_run_row, run_id),
    RV_F_TEXT(rv_run_row, export_name),
    RV_F_TEXT(rv_run_row, aggregate_id),
    RV_F_TEXT(rv_run_row, mode),
    RV_F_TEXT(rv_run_row, stem),
    RV_F_TEXT(rv_run_row, destination),
    RV_F_TEXT(rv_run_row, prefix),
    RV_F_TEXT(rv_run_row, date_token),
    RV_F_TEXT(rv_run_row, status),
    RV_F_I64(rv_run_row, epoch),
    RV_F_TEXT(rv_run_row, owner_token),
    RV_F_TEXT(rv_run_row, owner),
    RV_F_TEXT(rv_run_row, plan_hash),
    RV_F_TEXT(rv_run_row, cursor_low),
    RV_F_TEXT(rv_run_row, cursor_bound),
    RV_F_TEXT(rv_run_row, checks),
    RV_F_TEXT(rv_run_row, manifest_json),
    RV_F_BOOL(rv_run_row, cleared),
    RV_F_CHARS(rv_run_row, process.host),
    RV_F_CHARS(rv_run_row, process.boot_id),
    RV_F_CHARS(rv_run_row, process.pid_ns),
    RV_F_I64(rv_run_row, process.pid),
    RV_F_I64(rv_run_row, process.pid_start),
    RV_F_TEXT(rv_run_row, heartbeat_at),
    RV_F_TEXT(rv_run_row, started_at),
    RV_F_TEXT(rv_run_row, finished_at),
};
enum { RUN_FIELDS = sizeof run_fields / sizeof run_fields[0] };

bool rv_run_row_dead(const rv_run_row *r)
{
    return r->heartbeat_age_us > RV_LEASE_MAX_AGE_US || rv_process_dead(&r->process);
}

/* An unreadable heartbeat counts as just given: never a reason to take a run over. */
static int64_t heartbeat_age(const rv_run_row *r, int64_t now_us)
{
    int64_t at;
    if (!r->heartbeat_at || !rv_rfc3339_parse(rv_str_c(r->heartbeat_at), &at))
        return 0;
    return now_us - at;
}

typedef struct run_query {
    const char *sql;
    const rv_val *params;
    size_t n;
    rv_arena *arena;
    rv_run_rows rows;
} run_query;

static rv_status select_runs(rv_state *s, run_query *q, rv_error *err)
{
    rv_select sel = {q->sql, q->params, q->n, run_fields, RUN_FIELDS, sizeof(rv_run_row), q->arena};
    void *rows;
    size_t n;
    int64_t now_us;
    RV_TRY(rv_st_select(s, &sel, &rows, &n, err));
    RV_TRY(s->backend->now_us(s->db, &now_us, err));
    q->rows = (rv_run_rows){rows, n};
    for (size_t i = 0; i < n; i++)
        q->rows.rows[i].heartbeat_age_us = heartbeat_age(&q->rows.rows[i], now_us);
    return RV_OK;
}

static rv_status runs_body(rv_state *s, void *ctx, rv_error *err)
{
    return select_runs(s, ctx, err);
}

static rv_status read_runs(rv_state *s, run_query *q, rv_run_rows *out, rv_error *err)
{
    RV_TRY(rv_state_read(s, runs_body, q, err));
    *out = q->rows;
    return RV_OK;
}

static rv_status read_run(rv_state *s, run_query *q, rv_run_row *out, bool *out_found,
                          rv_error *err)
{
    rv_run_rows rows;
    RV_TRY(read_runs(s, q, &rows, err));
    *out_found = rows.n > 0;
    if (rows.n)
        *out = rows.rows[0];
    return RV_OK;
}

/* ---- the lease ---- */

static rv_status lost(const rv_lease *l, rv_error *err)
{
    (void)rv_fail(err, RV_E_STATE_LEASE_LOST,
                  "run '%s' lost its lease: another process took it over or closed it", l->run_id);
    rv_hint(err, "start the export again; finished work is kept");
    return RV_E_STATE_LEASE_LOST;
}

rv_status rv_st_lease(rv_state *s, const rv_lease *l, rv_error *err)
{
    int64_t touched;
    RV_TRY(rv_st_run(s,
                     "UPDATE run_status SET epoch = epoch WHERE run_id = ? AND project = ? "
                     "AND export_name = ? AND epoch = ? AND " RUN_OPEN,
                     RV_PARAMS(rv_val_text(l->run_id), rv_val_text(s->project),
                               rv_val_text(l->export_name), rv_val_int(l->epoch)),
                     &touched, err));
    return touched == 1 ? RV_OK : lost(l, err);
}

typedef struct leased_ctx {
    const rv_leased *w;
    int64_t affected;
} leased_ctx;

static rv_status leased_body(rv_state *s, void *ctx, rv_error *err)
{
    leased_ctx *c = ctx;
    RV_TRY(rv_st_lease(s, c->w->lease, err));
    return rv_st_run(s, c->w->sql, c->w->params, c->w->n, &c->affected, err);
}

rv_status rv_state_leased(rv_state *s, const rv_leased *w, int64_t *out_affected, rv_error *err)
{
    leased_ctx c = {.w = w};
    rv_tx tx = {.name = w->name, .body = leased_body, .ctx = &c};
    RV_TRY(rv_state_write(s, &tx, err));
    if (out_affected)
        *out_affected = c.affected;
    return RV_OK;
}

static rv_status held(const rv_run_row *r, rv_error *err)
{
    (void)rv_fail(err, RV_E_STATE_LEASE,
                  "export '%s' is in use by run '%s' on host '%s', pid %lld, last sign of life "
                  "%lld s ago",
                  r->export_name, r->run_id, r->process.host, (long long)r->process.pid,
                  (long long)(r->heartbeat_age_us / 1000000));
    rv_hint(err, "wait until it has ended, or give --lock-wait");
    return RV_E_STATE_LEASE;
}

rv_status rv_st_no_live_lease(rv_state *s, const char *export_name, rv_error *err)
{
    rv_arena arena = RV_ARENA_INIT;
    const rv_val params[] = {rv_val_text(s->project), rv_val_text(export_name)};
    run_query q = {.arena = &arena};
    if (export_name) {
        q.sql = "SELECT " RUN_COLUMNS " FROM run_status WHERE project = ? AND export_name = ? "
                "AND " RUN_OPEN;
        q.params = params;
        q.n = 2;
    } else {
        q.sql = "SELECT " RUN_COLUMNS " FROM run_status WHERE " RUN_OPEN;
    }
    rv_status st = select_runs(s, &q, err);
    for (size_t i = 0; st == RV_OK && i < q.rows.n; i++)
        if (!rv_run_row_dead(&q.rows.rows[i]))
            st = held(&q.rows.rows[i], err);
    rv_arena_free(&arena);
    return st;
}

typedef struct take_ctx {
    const rv_run_row *run;
    rv_arena *arena;
    rv_take take;
    rv_run_row open;
} take_ctx;

static rv_status find_open(rv_state *s, const char *export_name, rv_arena *arena, rv_run_rows *out,
                           rv_error *err)
{
    const rv_val params[] = {rv_val_text(s->project), rv_val_text(export_name)};
    run_query q = {"SELECT " RUN_COLUMNS " FROM run_status WHERE project = ? AND export_name = ? "
                   "AND " RUN_OPEN,
                   params,
                   2,
                   arena,
                   {0}};
    RV_TRY(select_runs(s, &q, err));
    *out = q.rows;
    return RV_OK;
}

static rv_status insert_run(rv_state *s, const rv_run_row *run, int64_t *out_inserted,
                            rv_error *err)
{
    char now[RV_RFC3339_SIZE];
    rv_val params[RUN_FIELDS + 1];
    RV_TRY(rv_st_now(s, now, err));
    rv_run_row row = *run;
    row.status = "running";
    row.epoch = 1;
    row.cleared = false;
    row.manifest_json = NULL;
    row.heartbeat_at = now;
    row.started_at = run->started_at ? run->started_at : now;
    row.finished_at = NULL;
    rv_st_bind(run_fields, RUN_FIELDS, &row, params);
    params[RUN_FIELDS] = rv_val_text(s->project);
    return rv_st_run(s,
                     "INSERT INTO run_status (" RUN_COLUMNS ", project) VALUES "
                     "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                     "?, ?) ON CONFLICT DO NOTHING",
                     params, RUN_FIELDS + 1, out_inserted, err);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static rv_status name_taken(rv_state *s, const rv_run_row *run, bool *out, rv_error *err)
{
    int64_t one;
    return rv_st_int(s,
                     "SELECT 1 FROM run_status WHERE run_id = ? OR "
                     "(project = ? AND export_name = ? AND stem = ?)",
                     RV_PARAMS(rv_val_text(run->run_id), rv_val_text(s->project),
                               rv_val_text(run->export_name), rv_val_text(run->stem)),
                     &one, out, err);
}

/* The open row that was in the way can be closed by the time it is looked at: then once more. */
static rv_status insert_or_find(rv_state *s, take_ctx *c, rv_run_rows *out_open, rv_error *err)
{
    for (;;) {
        int64_t inserted;
        bool taken;
        RV_TRY(insert_run(s, c->run, &inserted, err));
        c->take = RV_LEASE_TAKEN;
        if (inserted == 1)
            return RV_OK;
        RV_TRY(find_open(s, c->run->export_name, c->arena, out_open, err));
        c->take = RV_LEASE_HELD;
        if (out_open->n)
            return RV_OK;
        RV_TRY(name_taken(s, c->run, &taken, err));
        c->take = RV_LEASE_STEM_TAKEN;
        if (taken)
            return RV_OK;
    }
}

/* Repeatable: a row that this very run inserted counts as taken. */
static rv_status take_body(rv_state *s, void *ctx, rv_error *err)
{
    take_ctx *c = ctx;
    rv_run_rows open;
    RV_TRY(insert_or_find(s, c, &open, err));
    if (c->take != RV_LEASE_HELD)
        return RV_OK;
    c->open = open.rows[0];
    c->take = same_text(c->open.run_id, c->run->run_id) && c->run->owner_token &&
                      same_text(c->open.owner_token, c->run->owner_token) && c->open.epoch == 1
                  ? RV_LEASE_TAKEN
                  : RV_LEASE_HELD;
    return RV_OK;
}

rv_status rv_state_lease_take(rv_state *s, const rv_run_row *run, rv_arena *arena, rv_take *out,
                              rv_run_row *out_open, rv_error *err)
{
    take_ctx c = {.run = run, .arena = arena};
    rv_tx tx = {.name = "lease", .body = take_body, .ctx = &c};
    RV_TRY(rv_state_write(s, &tx, err));
    *out = c.take;
    if (c.take == RV_LEASE_HELD && out_open)
        *out_open = c.open;
    return RV_OK;
}

typedef struct adopt_ctx {
    const rv_run_row *seen;
    const rv_process_id *process;
    const char *aggregate_id;
} adopt_ctx;

static rv_status get_run(rv_state *s, const char *run_id, rv_arena *arena, rv_run_rows *out,
                         rv_error *err)
{
    const rv_val params[] = {rv_val_text(run_id), rv_val_text(s->project)};
    run_query q = {"SELECT " RUN_COLUMNS " FROM run_status WHERE run_id = ? AND project = ?",
                   params,
                   2,
                   arena,
                   {0}};
    RV_TRY(select_runs(s, &q, err));
    *out = q.rows;
    return RV_OK;
}

/* Whether the row may be taken over now, seen in the transaction that does it. */
static rv_status adoptable(rv_state *s, const adopt_ctx *c, rv_arena *arena, rv_error *err)
{
    rv_lease l = {c->seen->run_id, NULL, c->seen->epoch};
    rv_run_rows run, open;
    /* locked first, so that what is read next stays true */
    RV_TRY(rv_st_run(s, "UPDATE run_status SET epoch = epoch WHERE run_id = ? AND project = ?",
                     RV_PARAMS(rv_val_text(c->seen->run_id), rv_val_text(s->project)), NULL, err));
    RV_TRY(get_run(s, c->seen->run_id, arena, &run, err));
    if (run.n == 0 || run.rows[0].epoch != c->seen->epoch ||
        !same_text(run.rows[0].status, c->seen->status))
        return lost(&l, err);
    const rv_run_row *r = &run.rows[0];
    bool is_open = same_text(r->status, "running") || same_text(r->status, "unpublished");
    bool resumable = same_text(r->status, "failed") || same_text(r->status, "interrupted");
    if (!is_open && (!resumable || r->cleared))
        return lost(&l, err);
    /* it may have woken since it was found dead */
    if (is_open && !rv_run_row_dead(r))
        return held(r, err);
    RV_TRY(find_open(s, r->export_name, arena, &open, err));
    if (!is_open && open.n)
        return held(&open.rows[0], err);
    return RV_OK;
}

static rv_status adopt_row(rv_state *s, const adopt_ctx *c, rv_error *err)
{
    char now[RV_RFC3339_SIZE];
    const rv_process_id *p = c->process;
    int64_t touched;
    RV_TRY(rv_st_now(s, now, err));
    RV_TRY(
        rv_st_run(s,
                  "UPDATE run_status SET epoch = epoch + 1, "
                  "status = CASE WHEN status = 'unpublished' THEN status ELSE 'running' END, "
                  "host = ?, boot_id = ?, pid_ns = ?, pid = ?, pid_start = ?, heartbeat_at = ?, "
                  "aggregate_id = COALESCE(?, aggregate_id), finished_at = NULL "
                  "WHERE run_id = ? AND project = ? AND epoch = ?",
                  RV_PARAMS(rv_val_text(p->host), rv_val_text(p->boot_id), rv_val_text(p->pid_ns),
                            rv_val_int(p->pid), rv_val_int(p->pid_start), rv_val_text(now),
                            rv_val_text(c->aggregate_id), rv_val_text(c->seen->run_id),
                            rv_val_text(s->project), rv_val_int(c->seen->epoch)),
                  &touched, err));
    rv_lease l = {c->seen->run_id, NULL, c->seen->epoch};
    return touched == 1 ? RV_OK : lost(&l, err);
}

static rv_status adopt_body(rv_state *s, void *ctx, rv_error *err)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_status st = adoptable(s, ctx, &arena, err);
    rv_arena_free(&arena);
    return st == RV_OK ? adopt_row(s, ctx, err) : st;
}

static rv_status adopt_settled(rv_state *s, void *ctx, bool *out, rv_error *err)
{
    adopt_ctx *c = ctx;
    rv_arena arena = RV_ARENA_INIT;
    rv_run_rows run;
    rv_status st = get_run(s, c->seen->run_id, &arena, &run, err);
    if (st == RV_OK)
        *out = run.n && run.rows[0].epoch == c->seen->epoch + 1 &&
               run.rows[0].process.pid == c->process->pid &&
               run.rows[0].process.pid_start == c->process->pid_start &&
               same_text(run.rows[0].process.host, c->process->host);
    rv_arena_free(&arena);
    return st;
}

rv_status rv_state_lease_adopt(rv_state *s, const rv_run_row *seen, const rv_process_id *process,
                               const char *aggregate_id, int64_t *out_epoch, rv_error *err)
{
    adopt_ctx c = {seen, process, aggregate_id};
    rv_tx tx = {.name = "adopt", .body = adopt_body, .settled = adopt_settled, .ctx = &c};
    RV_TRY(rv_state_write(s, &tx, err));
    *out_epoch = seen->epoch + 1;
    return RV_OK;
}

static rv_status renew_body(rv_state *s, void *ctx, rv_error *err)
{
    const rv_lease *l = ctx;
    char now[RV_RFC3339_SIZE];
    RV_TRY(rv_st_lease(s, l, err));
    RV_TRY(rv_st_now(s, now, err));
    return rv_st_run(s, "UPDATE run_status SET heartbeat_at = ? WHERE run_id = ?",
                     RV_PARAMS(rv_val_text(now), rv_val_text(l->run_id)), NULL, err);
}

rv_status rv_state_lease_renew(rv_state *s, const rv_lease *l, rv_error *err)
{
    rv_lease copy = *l;
    rv_tx tx = {.name = "renew", .body = renew_body, .ctx = &copy};
    return rv_state_write(s, &tx, err);
}

static rv_status check_body(rv_state *s, void *ctx, rv_error *err)
{
    const rv_lease *l = ctx;
    int64_t one;
    bool found;
    RV_TRY(rv_st_int(s,
                     "SELECT 1 FROM run_status WHERE run_id = ? AND project = ? "
                     "AND export_name = ? AND epoch = ? AND " RUN_OPEN,
                     RV_PARAMS(rv_val_text(l->run_id), rv_val_text(s->project),
                               rv_val_text(l->export_name), rv_val_int(l->epoch)),
                     &one, &found, err));
    return found ? RV_OK : lost(l, err);
}

rv_status rv_state_lease_check(rv_state *s, const rv_lease *l, rv_error *err)
{
    rv_lease copy = *l;
    return rv_state_read(s, check_body, &copy, err);
}

/* ---- the run's row ---- */

typedef struct close_ctx {
    const rv_lease *lease;
    const char *status;
} close_ctx;

static rv_status close_body(rv_state *s, void *ctx, rv_error *err)
{
    close_ctx *c = ctx;
    char now[RV_RFC3339_SIZE];
    RV_TRY(rv_st_lease(s, c->lease, err));
    RV_TRY(rv_st_now(s, now, err));
    return rv_st_run(
        s, "UPDATE run_status SET status = ?, finished_at = ? WHERE run_id = ?",
        RV_PARAMS(rv_val_text(c->status), rv_val_text(now), rv_val_text(c->lease->run_id)), NULL,
        err);
}

static rv_status close_settled(rv_state *s, void *ctx, bool *out, rv_error *err)
{
    close_ctx *c = ctx;
    int64_t one;
    return rv_st_int(s, "SELECT 1 FROM run_status WHERE run_id = ? AND epoch = ? AND status = ?",
                     RV_PARAMS(rv_val_text(c->lease->run_id), rv_val_int(c->lease->epoch),
                               rv_val_text(c->status)),
                     &one, out, err);
}

rv_status rv_state_run_close(rv_state *s, const rv_lease *l, const char *status, rv_error *err)
{
    close_ctx c = {l, status};
    rv_tx tx = {.name = "close", .body = close_body, .settled = close_settled, .ctx = &c};
    return rv_state_write(s, &tx, err);
}

rv_status rv_state_run_facts(rv_state *s, const rv_lease *l, const rv_run_facts *f, rv_error *err)
{
    const rv_val params[] = {rv_val_text(f->owner),      rv_val_text(f->plan_hash),
                             rv_val_text(f->cursor_low), rv_val_text(f->cursor_bound),
                             rv_val_text(f->checks),     rv_val_text(l->run_id)};
    rv_leased w = {"facts", l,
                   "UPDATE run_status SET owner = COALESCE(?, owner), "
                   "plan_hash = COALESCE(?, plan_hash), cursor_low = COALESCE(?, cursor_low), "
                   "cursor_bound = COALESCE(?, cursor_bound), checks = COALESCE(?, checks) "
                   "WHERE run_id = ?",
                   params, sizeof params / sizeof params[0]};
    return rv_state_leased(s, &w, NULL, err);
}

typedef struct stem_ctx {
    const rv_lease *lease;
    const char *stem;
    bool taken;
} stem_ctx;

static rv_status stem_body(rv_state *s, void *ctx, rv_error *err)
{
    stem_ctx *c = ctx;
    int64_t one;
    rv_val run = rv_val_text(c->lease->run_id);
    RV_TRY(rv_st_lease(s, c->lease, err));
    RV_TRY(rv_st_int(s,
                     "SELECT 1 FROM run_status WHERE project = ? AND export_name = ? AND stem = ? "
                     "AND run_id <> ?",
                     RV_PARAMS(rv_val_text(s->project), rv_val_text(c->lease->export_name),
                               rv_val_text(c->stem), run),
                     &one, &c->taken, err));
    if (c->taken)
        return RV_OK;
    return rv_st_run(s, "UPDATE run_status SET stem = ? WHERE run_id = ?",
                     RV_PARAMS(rv_val_text(c->stem), run), NULL, err);
}

rv_status rv_state_run_stem(rv_state *s, const rv_lease *l, const char *stem, bool *out_taken,
                            rv_error *err)
{
    stem_ctx c = {l, stem, false};
    rv_tx tx = {.name = "stem", .body = stem_body, .ctx = &c};
    RV_TRY(rv_state_write(s, &tx, err));
    *out_taken = c.taken;
    return RV_OK;
}

rv_status rv_state_run_cleared(rv_state *s, const rv_lease *l, const char *run_id, rv_error *err)
{
    const rv_val params[] = {rv_val_text(run_id), rv_val_text(s->project),
                             rv_val_text(l->export_name)};
    rv_leased w = {"cleared", l,
                   "UPDATE run_status SET cleared = 1 WHERE run_id = ? AND project = ? "
                   "AND export_name = ? AND NOT (" RUN_OPEN ")",
                   params, 3};
    int64_t touched;
    RV_TRY(rv_state_leased(s, &w, &touched, err));
    if (touched != 1)
        return rv_fail(err, RV_E_INTERNAL, "run '%s' is no closed run of export '%s'", run_id,
                       l->export_name);
    return RV_OK;
}

/* ---- reading ---- */

rv_status rv_state_run_get(rv_state *s, const char *run_id, rv_arena *a, rv_run_row *out,
                           bool *out_found, rv_error *err)
{
    const rv_val params[] = {rv_val_text(run_id), rv_val_text(s->project)};
    run_query q = {"SELECT " RUN_COLUMNS " FROM run_status WHERE run_id = ? AND project = ?",
                   params,
                   2,
                   a,
                   {0}};
    return read_run(s, &q, out, out_found, err);
}

rv_status rv_state_run_open(rv_state *s, const char *export_name, rv_arena *a, rv_run_row *out,
                            bool *out_found, rv_error *err)
{
    const rv_val params[] = {rv_val_text(s->project), rv_val_text(export_name)};
    run_query q = {"SELECT " RUN_COLUMNS " FROM run_status WHERE project = ? AND export_name = ? "
                   "AND " RUN_OPEN,
                   params,
                   2,
                   a,
                   {0}};
    return read_run(s, &q, out, out_found, err);
}

rv_status rv_state_runs(rv_state *s, const char *export_name, uint64_t last, rv_arena *a,
                        rv_run_rows *out, rv_error *err)
{
    rv_val name = rv_val_text(export_name);
    const rv_val params[] = {rv_val_text(s->project), name, name,
                             rv_val_int(last && last < INT64_MAX ? (int64_t)last : INT64_MAX)};
    run_query q = {"SELECT " RUN_COLUMNS " FROM run_status WHERE project = ? "
                   "AND (CAST(? AS TEXT) IS NULL OR export_name = ?) "
                   "ORDER BY started_at DESC, run_id DESC LIMIT ?",
                   params,
                   4,
                   a,
                   {0}};
    return read_runs(s, &q, out, err);
}

rv_status rv_state_runs_uncleared(rv_state *s, const char *export_name, rv_arena *a,
                                  rv_run_rows *out, rv_error *err)
{
    const rv_val params[] = {rv_val_text(s->project), rv_val_text(export_name)};
    run_query q = {"SELECT " RUN_COLUMNS " FROM run_status WHERE project = ? AND export_name = ? "
                   "AND status IN ('failed', 'interrupted', 'abandoned') AND cleared = 0 "
                   "ORDER BY started_at, run_id",
                   params,
                   2,
                   a,
                   {0}};
    return read_runs(s, &q, out, err);
}

rv_status rv_state_live_leases(rv_state *s, rv_arena *a, rv_run_rows *out, rv_error *err)
{
    const rv_val params[] = {rv_val_text(s->project)};
    run_query q = {"SELECT " RUN_COLUMNS " FROM run_status WHERE project = ? AND " RUN_OPEN
                   " ORDER BY started_at, run_id",
                   params,
                   1,
                   a,
                   {0}};
    rv_run_rows all;
    RV_TRY(read_runs(s, &q, &all, err));
    size_t n = 0;
    for (size_t i = 0; i < all.n; i++)
        if (!rv_run_row_dead(&all.rows[i]))
            all.rows[n++] = all.rows[i];
    *out = (rv_run_rows){all.rows, n};
    return RV_OK;
}
