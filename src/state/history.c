#include "state/state_internal.h"

static const rv_field metric_fields[] = {
    RV_F_TEXT(rv_metric, run_id),
    RV_F_TEXT(rv_metric, export_name),
    RV_F_TEXT(rv_metric, run_at),
    RV_F_KNOWN(rv_metric, duration_ms),
    RV_F_KNOWN(rv_metric, total_rows),
    RV_F_KNOWN(rv_metric, peak_rss_mb),
    RV_F_TEXT(rv_metric, status),
    RV_F_TEXT(rv_metric, error_message),
    RV_F_TEXT(rv_metric, error_class),
    RV_F_TEXT(rv_metric, tuning_profile),
    RV_F_KNOWN(rv_metric, batch_size),
    RV_F_KNOWN(rv_metric, batch_size_memory_mb),
    RV_F_KNOWN(rv_metric, chunk_size),
    RV_F_KNOWN(rv_metric, parallel),
    RV_F_TEXT(rv_metric, format),
    RV_F_TEXT(rv_metric, mode),
    RV_F_TEXT(rv_metric, source_type),
    RV_F_TEXT(rv_metric, destination_type),
    RV_F_KNOWN(rv_metric, files_produced),
    RV_F_KNOWN(rv_metric, files_committed),
    RV_F_KNOWN(rv_metric, bytes_written),
    RV_F_KNOWN(rv_metric, bytes_read),
    RV_F_KNOWN(rv_metric, retries),
    RV_F_TRI(rv_metric, validated),
    RV_F_TRI(rv_metric, schema_changed),
    RV_F_TRI(rv_metric, quality_passed),
    RV_F_TRI(rv_metric, reconciled),
    RV_F_KNOWN(rv_metric, source_count),
    RV_F_TEXT(rv_metric, skip_reason),
    RV_F_TEXT(rv_metric, schema_fingerprint),
    RV_F_KNOWN(rv_metric, longest_chunk_ms),
    RV_F_KNOWN(rv_metric, pg_temp_bytes_delta),
};
enum { METRIC_FIELDS = sizeof metric_fields / sizeof metric_fields[0] };
#define METRIC_COLUMNS                                                                             \
    "run_id, export_name, run_at, duration_ms, total_rows, peak_rss_mb, status, error_message, "   \
    "error_class, tuning_profile, batch_size, batch_size_memory_mb, chunk_size, parallel, "        \
    "format, mode, source_type, destination_type, files_produced, files_committed, "               \
    "bytes_written, bytes_read, retries, validated, schema_changed, quality_passed, reconciled, "  \
    "source_count, skip_reason, schema_fingerprint, longest_chunk_ms, pg_temp_bytes_delta"

static rv_val limit(uint64_t last)
{
    return rv_val_int(last && last < INT64_MAX ? (int64_t)last : INT64_MAX);
}

/* One row per run: the older one makes room, in the same transaction. */
static rv_status metric_body(rv_state *s, void *ctx, rv_error *err)
{
    const rv_metric *m = ctx;
    char now[RV_RFC3339_SIZE];
    rv_val params[METRIC_FIELDS + 2];
    RV_TRY(rv_st_now(s, now, err));
    rv_metric row = *m;
    row.run_at = row.run_at ? row.run_at : now;
    rv_st_bind(metric_fields, METRIC_FIELDS, &row, params);
    params[METRIC_FIELDS] = rv_val_text(s->project);
    params[METRIC_FIELDS + 1] = rv_val_text(RIVET_VERSION);
    RV_TRY(rv_st_run(s, "DELETE FROM export_metrics WHERE run_id = ? AND project = ?",
                     RV_PARAMS(rv_val_text(m->run_id), rv_val_text(s->project)), NULL, err));
    return rv_st_run(s,
                     "INSERT INTO export_metrics (" METRIC_COLUMNS ", project, rivet_version) "
                     "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                     "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                     params, METRIC_FIELDS + 2, NULL, err);
}

rv_status rv_state_metric_put(rv_state *s, const rv_metric *m, rv_error *err)
{
    rv_buf buf = RV_BUF_INIT;
    rv_metric row = *m;
    rv_tx tx = {.name = "metric", .body = metric_body, .ctx = &row};
    rv_status st;
    RV_GO(rv_st_redact(s, m->error_message, &buf, &row.error_message, err));
    RV_GO(rv_state_write(s, &tx, err));
done:
    rv_buf_free(&buf);
    return st;
}

rv_status rv_state_metrics(rv_state *s, const char *export_name, uint64_t last, rv_arena *a,
                           rv_metrics *out, rv_error *err)
{
    rv_val name = rv_val_text(export_name);
    const rv_val params[] = {rv_val_text(s->project), name, name, limit(last)};
    rv_select q = {"SELECT " METRIC_COLUMNS " FROM export_metrics WHERE project = ? "
                   "AND (CAST(? AS TEXT) IS NULL OR export_name = ?) ORDER BY id DESC LIMIT ?",
                   params,
                   4,
                   metric_fields,
                   METRIC_FIELDS,
                   sizeof(rv_metric),
                   a};
    void *rows;
    size_t n;
    RV_TRY(rv_state_select(s, &q, &rows, &n, err));
    *out = (rv_metrics){rows, n};
    return RV_OK;
}

/* ---- journal, harm, progression ---- */

typedef struct statement_ctx {
    const char *sql;
    const rv_val *params;
    size_t n;
} statement_ctx;

static rv_status statement_body(rv_state *s, void *ctx, rv_error *err)
{
    statement_ctx *c = ctx;
    return rv_st_run(s, c->sql, c->params, c->n, NULL, err);
}

static rv_status write_statement(rv_state *s, const char *name, statement_ctx *c, rv_error *err)
{
    rv_tx tx = {.name = name, .body = statement_body, .ctx = c};
    return rv_state_write(s, &tx, err);
}

rv_status rv_state_journal_put(rv_state *s, const char *export_name, const char *run_id,
                               const char *finished_at, const char *journal_json, rv_error *err)
{
    rv_buf buf = RV_BUF_INIT;
    const char *clean;
    rv_status st;
    RV_GO(rv_st_redact(s, journal_json, &buf, &clean, err));
    const rv_val params[] = {rv_val_text(run_id), rv_val_text(s->project), rv_val_text(export_name),
                             rv_val_text(finished_at), rv_val_text(clean)};
    statement_ctx c = {"INSERT INTO run_journal (run_id, project, export_name, finished_at, "
                       "journal_json) VALUES (?, ?, ?, ?, ?) ON CONFLICT (run_id) DO UPDATE SET "
                       "finished_at = excluded.finished_at, journal_json = excluded.journal_json",
                       params, 5};
    RV_GO(write_statement(s, "journal", &c, err));
done:
    rv_buf_free(&buf);
    return st;
}

rv_status rv_state_journals(rv_state *s, const char *export_name, const char *run_id, uint64_t last,
                            rv_arena *a, rv_journal_row **out, size_t *out_n, rv_error *err)
{
    static const rv_field fields[] = {
        RV_F_TEXT(rv_journal_row, run_id), RV_F_TEXT(rv_journal_row, export_name),
        RV_F_TEXT(rv_journal_row, finished_at), RV_F_TEXT(rv_journal_row, journal_json)};
    rv_val name = rv_val_text(export_name), run = rv_val_text(run_id);
    const rv_val params[] = {rv_val_text(s->project), name, name, run, run, limit(last)};
    rv_select q = {"SELECT run_id, export_name, finished_at, journal_json FROM run_journal "
                   "WHERE project = ? AND (CAST(? AS TEXT) IS NULL OR export_name = ?) "
                   "AND (CAST(? AS TEXT) IS NULL OR run_id = ?) "
                   "ORDER BY finished_at DESC, run_id DESC LIMIT ?",
                   params,
                   6,
                   fields,
                   4,
                   sizeof(rv_journal_row),
                   a};
    void *rows;
    size_t n;
    RV_TRY(rv_state_select(s, &q, &rows, &n, err));
    *out = rows;
    *out_n = n;
    return RV_OK;
}

rv_status rv_state_harm_put(rv_state *s, const char *export_name, const char *run_id,
                            const char *metric, int64_t delta, rv_error *err)
{
    char now[RV_RFC3339_SIZE];
    int64_t us;
    RV_TRY(rv_state_now_us(s, &us, err));
    rv_rfc3339_ms(us, now);
    const rv_val params[] = {rv_val_text(run_id), rv_val_text(s->project), rv_val_text(export_name),
                             rv_val_text(metric), rv_val_int(delta),       rv_val_text(now)};
    statement_ctx c = {"INSERT INTO export_harm (run_id, project, export_name, metric, delta, "
                       "recorded_at) VALUES (?, ?, ?, ?, ?, ?)",
                       params, 6};
    return write_statement(s, "harm", &c, err);
}

rv_status rv_state_progression(rv_state *s, const char *export_name, rv_arena *a,
                               rv_progression_row **out, size_t *out_n, rv_error *err)
{
    static const rv_field fields[] = {RV_F_TEXT(rv_progression_row, export_name),
                                      RV_F_TEXT(rv_progression_row, committed_strategy),
                                      RV_F_TEXT(rv_progression_row, committed_cursor),
                                      RV_F_KNOWN(rv_progression_row, committed_chunk),
                                      RV_F_TEXT(rv_progression_row, committed_run_id),
                                      RV_F_TEXT(rv_progression_row, committed_at),
                                      RV_F_TEXT(rv_progression_row, verified_strategy),
                                      RV_F_TEXT(rv_progression_row, verified_cursor),
                                      RV_F_KNOWN(rv_progression_row, verified_chunk),
                                      RV_F_TEXT(rv_progression_row, verified_run_id),
                                      RV_F_TEXT(rv_progression_row, verified_at)};
    rv_val name = rv_val_text(export_name);
    const rv_val params[] = {rv_val_text(s->project), name, name};
    rv_select q = {"SELECT export_name, last_committed_strategy, last_committed_cursor, "
                   "last_committed_chunk_index, last_committed_run_id, last_committed_at, "
                   "last_verified_strategy, last_verified_cursor, last_verified_chunk_index, "
                   "last_verified_run_id, last_verified_at FROM export_progression "
                   "WHERE project = ? AND (CAST(? AS TEXT) IS NULL OR export_name = ?) "
                   "ORDER BY export_name",
                   params,
                   3,
                   fields,
                   sizeof fields / sizeof fields[0],
                   sizeof(rv_progression_row),
                   a};
    void *rows;
    size_t n;
    RV_TRY(rv_state_select(s, &q, &rows, &n, err));
    *out = rows;
    *out_n = n;
    return RV_OK;
}

/* ---- aggregates ---- */

static const rv_field aggregate_fields[] = {
    RV_F_TEXT(rv_aggregate_row, id),
    RV_F_TEXT(rv_aggregate_row, started_at),
    RV_F_TEXT(rv_aggregate_row, finished_at),
    RV_F_TEXT(rv_aggregate_row, config_path),
    RV_F_TEXT(rv_aggregate_row, parallel_mode),
    RV_F_TEXT(rv_aggregate_row, details_json),
    RV_F_KNOWN(rv_aggregate_row, duration_ms),
    RV_F_KNOWN(rv_aggregate_row, total_exports),
    RV_F_KNOWN(rv_aggregate_row, success_count),
    RV_F_KNOWN(rv_aggregate_row, failed_count),
    RV_F_KNOWN(rv_aggregate_row, skipped_count),
    RV_F_KNOWN(rv_aggregate_row, total_rows),
    RV_F_KNOWN(rv_aggregate_row, total_files),
    RV_F_KNOWN(rv_aggregate_row, total_bytes),
    RV_F_KNOWN(rv_aggregate_row, total_bytes_read),
};
enum { AGGREGATE_FIELDS = sizeof aggregate_fields / sizeof aggregate_fields[0] };
#define AGGREGATE_COLUMNS                                                                          \
    "run_aggregate_id, started_at, finished_at, config_path, parallel_mode, details_json, "        \
    "duration_ms, total_exports, success_count, failed_count, skipped_count, total_rows, "         \
    "total_files, total_bytes, total_bytes_read"

rv_status rv_state_aggregate_start(rv_state *s, const rv_aggregate_row *a, rv_error *err)
{
    rv_val params[AGGREGATE_FIELDS + 1];
    rv_aggregate_row row = {.id = a->id,
                            .started_at = a->started_at,
                            .config_path = a->config_path,
                            .parallel_mode = a->parallel_mode,
                            .duration_ms = -1,
                            .total_exports = a->total_exports,
                            .success_count = -1,
                            .failed_count = -1,
                            .skipped_count = -1,
                            .total_rows = -1,
                            .total_files = -1,
                            .total_bytes = -1,
                            .total_bytes_read = -1};
    rv_st_bind(aggregate_fields, AGGREGATE_FIELDS, &row, params);
    params[AGGREGATE_FIELDS] = rv_val_text(s->project);
    statement_ctx c = {"INSERT INTO run_aggregate (" AGGREGATE_COLUMNS ", project) VALUES "
                       "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                       "ON CONFLICT (run_aggregate_id) DO NOTHING",
                       params, AGGREGATE_FIELDS + 1};
    return write_statement(s, "aggregate", &c, err);
}

rv_status rv_state_aggregate_finish(rv_state *s, const rv_aggregate_row *a, rv_error *err)
{
    rv_buf buf = RV_BUF_INIT;
    rv_aggregate_row row = *a;
    rv_val params[AGGREGATE_FIELDS + 1];
    rv_status st;
    RV_GO(rv_st_redact(s, a->details_json, &buf, &row.details_json, err));
    rv_st_bind(aggregate_fields, AGGREGATE_FIELDS, &row, params);
    params[AGGREGATE_FIELDS] = rv_val_text(s->project);
    statement_ctx c = {"INSERT INTO run_aggregate (" AGGREGATE_COLUMNS ", project) VALUES "
                       "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                       "ON CONFLICT (run_aggregate_id) DO UPDATE SET "
                       "finished_at = excluded.finished_at, duration_ms = excluded.duration_ms, "
                       "parallel_mode = excluded.parallel_mode, "
                       "total_exports = excluded.total_exports, "
                       "success_count = excluded.success_count, "
                       "failed_count = excluded.failed_count, "
                       "skipped_count = excluded.skipped_count, "
                       "total_rows = excluded.total_rows, total_files = excluded.total_files, "
                       "total_bytes = excluded.total_bytes, "
                       "total_bytes_read = excluded.total_bytes_read, "
                       "details_json = excluded.details_json",
                       params, AGGREGATE_FIELDS + 1};
    RV_GO(write_statement(s, "aggregate-end", &c, err));
done:
    rv_buf_free(&buf);
    return st;
}

static bool all_successful(const rv_aggregate_row *r)
{
    return r->finished_at && r->failed_count == 0 && r->success_count >= 0 &&
           r->skipped_count >= 0 && r->success_count + r->skipped_count >= r->total_exports;
}

/* Only the latest counts: a success after a failure leaves nothing to continue. */
rv_status rv_state_aggregate_unfinished(rv_state *s, const char *config_path, rv_arena *a,
                                        rv_aggregate_row *out, bool *out_found, rv_error *err)
{
    const rv_val params[] = {rv_val_text(s->project), rv_val_text(config_path)};
    rv_select q = {"SELECT " AGGREGATE_COLUMNS " FROM run_aggregate WHERE project = ? "
                   "AND config_path = ? ORDER BY started_at DESC, run_aggregate_id DESC LIMIT 1",
                   params,
                   2,
                   aggregate_fields,
                   AGGREGATE_FIELDS,
                   sizeof(rv_aggregate_row),
                   a};
    void *rows;
    size_t n;
    RV_TRY(rv_state_select(s, &q, &rows, &n, err));
    rv_aggregate_row *row = rows;
    *out_found = n > 0 && !all_successful(row);
    if (*out_found)
        *out = *row;
    return RV_OK;
}
