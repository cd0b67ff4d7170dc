#include "state/state_internal.h"

#define NAMES(table) "SELECT export_name FROM " table " WHERE project = ?"
#define ALL_NAMES                                                                                      \
    NAMES("export_state")                                                                              \
    " UNION " NAMES("run_status") " UNION " NAMES("export_metrics") " UNION " NAMES(                   \
        "export_schema") " UNION " NAMES("export_progression") " UNION " NAMES("chunk_run") " UNI"     \
                                                                                            "ON"       \
                                                                                            " " NAMES( \
                                                                                                "cdc_state")

rv_status rv_state_exports(rv_state *s, rv_arena *a, const char ***out, size_t *out_n,
                           rv_error *err)
{
    static const rv_field field[] = {{RV_FIELD_TEXT, 0, 0}};
    rv_val p = rv_val_text(s->project);
    const rv_val params[] = {p, p, p, p, p, p, p};
    rv_select q = {ALL_NAMES " ORDER BY 1", params, 7, field, 1, sizeof(const char *), a};
    void *rows;
    size_t n;
    RV_TRY(rv_state_select(s, &q, &rows, &n, err));
    *out = rows;
    *out_n = n;
    return RV_OK;
}

static rv_status known(rv_state *s, const char *export_name, rv_error *err)
{
    rv_val p = rv_val_text(s->project);
    int64_t count = 0;
    RV_TRY(rv_st_int(s, "SELECT COUNT(*) FROM (" ALL_NAMES ") AS names WHERE export_name = ?",
                     RV_PARAMS(p, p, p, p, p, p, p, rv_val_text(export_name)), &count, NULL, err));
    if (count)
        return RV_OK;
    (void)rv_fail(err, RV_E_STATE_UNKNOWN, "the state knows no export '%s'", export_name);
    rv_hint(err, "'rivet state show' lists what it knows");
    return RV_E_STATE_UNKNOWN;
}

typedef struct command_ctx {
    const char *export_name;
    const char *value;       /* cursor or owner facts */
    const char *cursor_type; /* set-cursor; NULL leaves it */
} command_ctx;

static rv_status reset_body(rv_state *s, void *ctx, rv_error *err)
{
    command_ctx *c = ctx;
    char now[RV_RFC3339_SIZE];
    rv_val project = rv_val_text(s->project), name = rv_val_text(c->export_name);
    RV_TRY(known(s, c->export_name, err));
    RV_TRY(rv_st_no_live_lease(s, c->export_name, err));
    RV_TRY(rv_st_now(s, now, err));
    RV_TRY(rv_st_run(s, "DELETE FROM export_state WHERE project = ? AND export_name = ?",
                     RV_PARAMS(project, name), NULL, err));
    RV_TRY(rv_st_run(s,
                     "UPDATE export_progression SET last_committed_strategy = NULL, "
                     "last_committed_cursor = NULL, last_committed_chunk_index = NULL, "
                     "last_committed_run_id = NULL, last_committed_at = NULL "
                     "WHERE project = ? AND export_name = ?",
                     RV_PARAMS(project, name), NULL, err));
    /* the epoch moves, so a sleeping publisher cannot go on */
    return rv_st_run(s,
                     "UPDATE run_status SET status = 'abandoned', finished_at = ?, "
                     "epoch = epoch + 1 WHERE project = ? AND export_name = ? "
                     "AND status = 'unpublished'",
                     RV_PARAMS(rv_val_text(now), project, name), NULL, err);
}

rv_status rv_state_reset(rv_state *s, const char *export_name, rv_error *err)
{
    command_ctx c = {.export_name = export_name};
    rv_tx tx = {.name = "reset", .body = reset_body, .ctx = &c, .alone = true};
    return rv_state_write(s, &tx, err);
}

static rv_status cursor_body(rv_state *s, void *ctx, rv_error *err)
{
    command_ctx *c = ctx;
    RV_TRY(rv_st_no_live_lease(s, c->export_name, err));
    return rv_st_run(
        s,
        "INSERT INTO export_state (project, export_name, last_cursor_value, cursor_type) "
        "VALUES (?, ?, ?, ?) ON CONFLICT (project, export_name) DO UPDATE SET "
        "last_cursor_value = excluded.last_cursor_value, "
        "cursor_type = COALESCE(excluded.cursor_type, export_state.cursor_type), "
        "cursor_ties = NULL",
        RV_PARAMS(rv_val_text(s->project), rv_val_text(c->export_name), rv_val_text(c->value),
                  rv_val_text(c->cursor_type)),
        NULL, err);
}

rv_status rv_state_set_cursor(rv_state *s, const char *export_name, const char *value,
                              const char *cursor_type, rv_error *err)
{
    command_ctx c = {export_name, value, cursor_type};
    rv_tx tx = {.name = "set-cursor", .body = cursor_body, .ctx = &c, .alone = true};
    return rv_state_write(s, &tx, err);
}

static rv_status accept_body(rv_state *s, void *ctx, rv_error *err)
{
    command_ctx *c = ctx;
    rv_val project = rv_val_text(s->project), name = rv_val_text(c->export_name);
    RV_TRY(known(s, c->export_name, err));
    RV_TRY(rv_st_no_live_lease(s, c->export_name, err));
    RV_TRY(rv_st_run(s, "UPDATE export_state SET owner = ? WHERE project = ? AND export_name = ?",
                     RV_PARAMS(rv_val_text(c->value), project, name), NULL, err));
    return rv_st_run(s,
                     "UPDATE run_status SET owner = ? WHERE run_id IN (SELECT run_id FROM "
                     "chunk_run WHERE project = ? AND export_name = ? AND status = 'in_progress')",
                     RV_PARAMS(rv_val_text(c->value), project, name), NULL, err);
}

rv_status rv_state_accept(rv_state *s, const char *export_name, const char *owner_json,
                          rv_error *err)
{
    command_ctx c = {.export_name = export_name, .value = owner_json};
    rv_tx tx = {.name = "accept", .body = accept_body, .ctx = &c, .alone = true};
    return rv_state_write(s, &tx, err);
}

/* ---- prune ---- */

/* Closed before the limit, settled, its checkpoint over, and not what its export last published.
 * Parameters: project, limit. */
#define OLD_RUNS                                                                                   \
    "(SELECT r.run_id FROM run_status r WHERE r.project = ? AND r.finished_at < ? "                \
    "AND (r.status IN ('success', 'degraded', 'skipped') OR "                                      \
    "(r.status IN ('failed', 'interrupted', 'abandoned') AND r.cleared = 1)) "                     \
    "AND NOT EXISTS (SELECT 1 FROM chunk_run c WHERE c.run_id = r.run_id "                         \
    "AND c.status = 'in_progress') "                                                               \
    "AND NOT (r.status IN ('success', 'degraded') AND r.manifest_json IS NOT NULL AND NOT EXISTS " \
    "(SELECT 1 FROM run_status n WHERE n.project = r.project AND n.export_name = r.export_name "   \
    "AND n.status IN ('success', 'degraded') AND n.manifest_json IS NOT NULL AND "                 \
    "(n.started_at > r.started_at OR (n.started_at = r.started_at AND n.run_id > r.run_id)))))"

typedef struct prune_ctx {
    int64_t keep_days;
    rv_prune_counts counts;
} prune_ctx;

static rv_status prune_runs(rv_state *s, const rv_val *params, rv_prune_counts *out, rv_error *err)
{
    static const char *const silent[] = {
        "DELETE FROM run_unit WHERE run_id IN " OLD_RUNS,
        "DELETE FROM chunk_task WHERE run_id IN " OLD_RUNS,
        "DELETE FROM keyset_range WHERE run_id IN " OLD_RUNS,
        "DELETE FROM chunk_run WHERE run_id IN " OLD_RUNS,
        "DELETE FROM export_harm WHERE run_id IN " OLD_RUNS,
    };
    RV_TRY(rv_st_run(s, "DELETE FROM export_metrics WHERE run_id IN " OLD_RUNS, params, 2,
                     &out->metrics, err));
    RV_TRY(rv_st_run(s, "DELETE FROM run_journal WHERE run_id IN " OLD_RUNS, params, 2,
                     &out->journals, err));
    RV_TRY(rv_st_run(s, "DELETE FROM file_log WHERE run_id IN " OLD_RUNS, params, 2, &out->files,
                     err));
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++)
        RV_TRY(rv_st_run(s, silent[i], params, 2, NULL, err));
    return rv_st_run(s, "DELETE FROM run_status WHERE run_id IN " OLD_RUNS, params, 2, &out->runs,
                     err);
}

static rv_status prune_body(rv_state *s, void *ctx, rv_error *err)
{
    prune_ctx *c = ctx;
    const int64_t day_us = INT64_C(86400000000);
    char limit[RV_RFC3339_SIZE];
    int64_t now_us;
    RV_TRY(s->backend->now_us(s->db, &now_us, err));
    int64_t days = c->keep_days < 0 ? 0 : c->keep_days > 100000 ? 100000 : c->keep_days;
    /* before the year 1 nothing was ever finished */
    int64_t at = now_us - days * day_us;
    rv_rfc3339_ms(at > INT64_C(-62135596800000000) ? at : INT64_C(-62135596800000000), limit);
    const rv_val params[] = {rv_val_text(s->project), rv_val_text(limit)};
    c->counts = (rv_prune_counts){0};
    RV_TRY(prune_runs(s, params, &c->counts, err));
    return rv_st_run(s,
                     "DELETE FROM run_aggregate WHERE project = ? "
                     "AND COALESCE(finished_at, started_at) < ? AND NOT EXISTS "
                     "(SELECT 1 FROM run_status r WHERE r.aggregate_id = "
                     "run_aggregate.run_aggregate_id)",
                     params, 2, &c->counts.aggregates, err);
}

rv_status rv_state_prune(rv_state *s, int64_t keep_days, rv_prune_counts *out, rv_error *err)
{
    prune_ctx c = {.keep_days = keep_days};
    rv_tx tx = {.name = "prune", .body = prune_body, .ctx = &c, .alone = true};
    RV_TRY(rv_state_write(s, &tx, err));
    *out = c.counts;
    return RV_OK;
}
