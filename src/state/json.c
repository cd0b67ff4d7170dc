#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "state/state_internal.h"

static bool is_boolean(const char *column)
{
    static const char *const names[] = {"cleared",        "validated",  "schema_changed",
                                        "quality_passed", "reconciled", "done"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], column) == 0)
            return true;
    return false;
}

static rv_status put_hex(rv_json *out, rv_bytes b, rv_error *err)
{
    char *hex = rv_alloc(b.len * 2 + 1);
    if (!hex)
        return rv_fail_memory(err);
    rv_hex(b.ptr, b.len, hex);
    rv_json_str(out, (rv_str){hex, b.len * 2});
    rv_free(hex);
    return RV_OK;
}

static rv_status put_value(rv_json *out, const char *column, const rv_val *v, rv_error *err)
{
    switch (v->kind) {
    case RV_VAL_NULL:
        rv_json_null(out);
        return RV_OK;
    case RV_VAL_INT:
        if (is_boolean(column))
            rv_json_bool(out, v->i != 0);
        else
            rv_json_i64(out, v->i);
        return RV_OK;
    case RV_VAL_TEXT:
        rv_json_str(out, (rv_str){(const char *)v->b.ptr, v->b.len});
        return RV_OK;
    case RV_VAL_BLOB:
        return put_hex(out, v->b, err);
    }
    return RV_OK;
}

static rv_status put_columns(rv_state *s, const rv_rows *rows, rv_json *out, rv_error *err)
{
    size_t n = s->backend->columns(rows);
    for (size_t i = 0; i < n; i++) {
        const char *column = s->backend->column(rows, i);
        rv_val v = s->backend->value(rows, i);
        if (!column)
            return rv_fail_memory(err);
        rv_json_key(out, column);
        RV_TRY(put_value(out, column, &v, err));
    }
    return RV_OK;
}

typedef struct list_ctx {
    const char *sql;
    const rv_val *params;
    size_t n;
    rv_json *out;
} list_ctx;

/* An array of objects, one for each row. */
static rv_status put_list(rv_state *s, const list_ctx *c, rv_error *err)
{
    rv_rows *rows;
    bool more = true;
    RV_TRY(s->backend->query(s->db, c->sql, c->params, c->n, &rows, err));
    rv_json_array(c->out);
    rv_status st = RV_OK;
    while (st == RV_OK && more) {
        st = s->backend->next(rows, &more, err);
        if (st != RV_OK || !more)
            break;
        rv_json_object(c->out);
        st = put_columns(s, rows, c->out, err);
        rv_json_object_end(c->out);
    }
    rv_json_array_end(c->out);
    s->backend->rows_end(rows);
    return st;
}

static rv_status put_chunk_run(rv_state *s, const rv_rows *rows, rv_json *out, rv_error *err)
{
    rv_val run = s->backend->value(rows, 0);
    list_ctx tasks = {"SELECT chunk_index, start_key, end_key, kind, status, attempts, "
                      "last_error, rows_written, file_name, updated_at FROM chunk_task "
                      "WHERE run_id = ? ORDER BY chunk_index",
                      &run, 1, out};
    rv_json_object(out);
    RV_TRY(put_columns(s, rows, out, err));
    rv_json_key(out, "tasks");
    RV_TRY(put_list(s, &tasks, err));
    rv_json_object_end(out);
    return RV_OK;
}

static rv_status put_chunks(rv_state *s, const char *export_name, rv_json *out, rv_error *err)
{
    rv_rows *rows;
    bool found;
    RV_TRY(s->backend->query(s->db,
                             "SELECT run_id, project, export_name, plan_hash, strategy, status, "
                             "max_chunk_attempts, created_at, updated_at FROM chunk_run "
                             "WHERE project = ? AND export_name = ? "
                             "ORDER BY CASE WHEN status = 'in_progress' THEN 0 ELSE 1 END, "
                             "created_at DESC, run_id DESC LIMIT 1",
                             RV_PARAMS(rv_val_text(s->project), rv_val_text(export_name)), &rows,
                             err));
    rv_status st = s->backend->next(rows, &found, err);
    if (st == RV_OK && found)
        st = put_chunk_run(s, rows, out, err);
    else if (st == RV_OK)
        rv_json_null(out);
    s->backend->rows_end(rows);
    return st;
}

#define FILTER "WHERE project = ? AND (CAST(? AS TEXT) IS NULL OR export_name = ?) "

static const char *view_sql(rv_state_view view)
{
    switch (view) {
    case RV_VIEW_POSITIONS:
        return "SELECT project, export_name, last_cursor_value, cursor_type, cursor_ties, "
               "keyset_high, key_columns, owner, last_run_at, last_run_id FROM export_state " FILTER
               "ORDER BY export_name LIMIT ?";
    case RV_VIEW_RUNS:
        return "SELECT run_id, project, export_name, aggregate_id, mode, stem, destination, "
               "prefix, date_token, status, epoch, owner_token, owner, plan_hash, cursor_low, "
               "cursor_bound, checks, manifest_json, cleared, host, boot_id, pid_ns, pid, "
               "pid_start, heartbeat_at, started_at, finished_at FROM run_status " FILTER
               "ORDER BY started_at DESC, run_id DESC LIMIT ?";
    case RV_VIEW_FILES:
        return "SELECT id, run_id, project, export_name, prefix, unit, part_index, chunk_index, "
               "file_name, row_count, bytes, format, compression, fingerprint, md5, spool_path, "
               "upload_id, status, listed_by, cursor_high, created_at FROM file_log " FILTER
               "ORDER BY id DESC LIMIT ?";
    case RV_VIEW_PROGRESSION:
        return "SELECT project, export_name, last_committed_strategy, last_committed_cursor, "
               "last_committed_chunk_index, last_committed_run_id, last_committed_at, "
               "last_verified_strategy, last_verified_cursor, last_verified_chunk_index, "
               "last_verified_run_id, last_verified_at FROM export_progression " FILTER
               "ORDER BY export_name LIMIT ?";
    case RV_VIEW_METRICS:
        return "SELECT id, run_id, project, export_name, run_at, duration_ms, total_rows, "
               "peak_rss_mb, status, error_message, error_class, tuning_profile, batch_size, "
               "batch_size_memory_mb, chunk_size, parallel, format, mode, source_type, "
               "destination_type, files_produced, files_committed, bytes_written, bytes_read, "
               "retries, validated, schema_changed, quality_passed, reconciled, source_count, "
               "skip_reason, schema_fingerprint, longest_chunk_ms, pg_temp_bytes_delta, "
               "rivet_version FROM export_metrics " FILTER "ORDER BY id DESC LIMIT ?";
    case RV_VIEW_CHUNKS:
        break;
    }
    return NULL;
}

/* No retry: what was already written to `out` cannot be taken back. */
rv_status rv_state_json(rv_state *s, rv_state_view view, const char *export_name, uint64_t last,
                        rv_json *out, rv_error *err)
{
    rv_val name = rv_val_text(export_name);
    const rv_val params[] = {rv_val_text(s->project), name, name,
                             rv_val_int(last && last < INT64_MAX ? (int64_t)last : INT64_MAX)};
    list_ctx c = {view_sql(view), params, 4, out};
    pthread_mutex_lock(&s->lock);
    rv_status st = s->backend->begin(s->db, RV_TX_READ, err);
    if (st == RV_OK) {
        st = c.sql ? put_list(s, &c, err) : put_chunks(s, export_name, out, err);
        s->backend->rollback(s->db);
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}
