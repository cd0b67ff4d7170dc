#include "engine/report.h"

#include <string.h>

void rv_export_report_empty(const rv_cfg_export *x, rv_export_report *r)
{
    *r = (rv_export_report){.export_name = x->name,
                            .status = "failed",
                            .mode = rv_mode_name(x->mode),
                            .format = x->format,
                            .rows = 0,
                            .files = 0,
                            .bytes = 0,
                            .bytes_read = -1,
                            .duration_ms = 0,
                            .peak_rss_mb = -1,
                            .retries = 0,
                            .chunks_total = -1,
                            .chunks_done = -1,
                            .chunks_retried = -1,
                            .longest_statement_ms = -1,
                            .source_count = -1,
                            .source_matched = -1,
                            .validated = -1,
                            .schema_changed = -1,
                            .quality_passed = -1,
                            .reconciled = -1};
}

static void number(rv_json *j, const char *key, int64_t v)
{
    rv_json_key(j, key);
    if (v < 0)
        rv_json_null(j);
    else
        rv_json_i64(j, v);
}

static void truth(rv_json *j, const char *key, int v)
{
    rv_json_key(j, key);
    if (v < 0)
        rv_json_null(j);
    else
        rv_json_bool(j, v != 0);
}

void rv_export_report_members(const rv_export_report *r, rv_json *j)
{
    bool failed = r->error.code != RV_OK;
    rv_json_kstr(j, "export_name", r->export_name);
    rv_json_kstr(j, "status", r->status);
    rv_json_kstr(j, "run_id", r->run_id);
    number(j, "rows", r->rows);
    number(j, "files", r->files);
    number(j, "bytes", r->bytes);
    number(j, "bytes_read", r->bytes_read);
    number(j, "duration_ms", r->duration_ms);
    rv_json_kstr(j, "mode", r->mode);
    rv_json_kstr(j, "error_message", failed ? r->error.text : NULL);
    rv_json_kstr(j, "skip_reason", r->skip_reason);
    rv_json_kstr(j, "error_code", failed ? rv_code(r->error.code)->name : NULL);
    rv_json_kstr(j, "error_class", failed ? rv_class_name(rv_code(r->error.code)->class_) : NULL);
    rv_json_kstr(j, "format", r->format);
    rv_json_kstr(j, "started_at", r->started_at);
    number(j, "peak_rss_mb", r->peak_rss_mb);
    number(j, "retries", r->retries);
    truth(j, "validated", r->validated);
    truth(j, "schema_changed", r->schema_changed);
    truth(j, "quality_passed", r->quality_passed);
    truth(j, "reconciled", r->reconciled);
    rv_json_kstr(j, "consistency", r->consistency);
    rv_json_kstr(j, "tuning_profile", r->tuning_profile);
    if (r->forced)
        rv_json_kstr(j, "forced", r->forced);
    if (r->replaced) {
        rv_json_key(j, "replaced_values");
        rv_json_raw(j, rv_str_c(r->replaced));
    }
}

rv_status rv_export_report_markdown(const rv_export_report *r, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_printf(out, err, "# %s: %s\n\n", r->export_name, r->status));
    RV_TRY(rv_buf_printf(out, err, "| fact | value |\n|---|---|\n| run id | %s |\n", r->run_id));
    RV_TRY(rv_buf_printf(out, err, "| rows | %lld |\n| files | %lld |\n| bytes | %lld |\n",
                         (long long)r->rows, (long long)r->files, (long long)r->bytes));
    RV_TRY(rv_buf_printf(out, err, "| duration | %lld ms |\n| mode | %s |\n| format | %s |\n",
                         (long long)r->duration_ms, r->mode, r->format));
    if (r->error.code != RV_OK)
        RV_TRY(rv_buf_printf(out, err, "| error | %s |\n", rv_code(r->error.code)->name));
    return RV_OK;
}

static void write_totals(rv_json *j, const rv_run_report *r)
{
    int64_t rows = 0, files = 0, bytes = 0, read = 0, ok = 0, failed = 0, skipped = 0;
    for (size_t i = 0; i < r->n_exports; i++) {
        const rv_export_report *e = &r->exports[i];
        bool skip = strcmp(e->status, "skipped") == 0;
        skipped += skip;
        failed += e->exit_code != 0;
        ok += e->exit_code == 0 && !skip;
        rows += e->rows > 0 ? e->rows : 0;
        files += e->files > 0 ? e->files : 0;
        bytes += e->bytes > 0 ? e->bytes : 0;
        read += e->bytes_read > 0 ? e->bytes_read : 0;
    }
    rv_json_ki64(j, "total_exports", (int64_t)r->n_exports);
    rv_json_ki64(j, "success_count", ok);
    rv_json_ki64(j, "failed_count", failed);
    rv_json_ki64(j, "skipped_count", skipped);
    rv_json_ki64(j, "total_rows", rows);
    rv_json_ki64(j, "total_files", files);
    rv_json_ki64(j, "total_bytes", bytes);
    rv_json_ki64(j, "total_bytes_read", read);
}

rv_status rv_run_report_json(const rv_run_report *r, const rv_cfg *cfg, rv_buf *out, rv_error *err)
{
    rv_json j;
    rv_json_begin(&j, out, false);
    rv_json_object(&j);
    rv_json_kstr(&j, "run_aggregate_id", r->run_aggregate_id);
    rv_json_kstr(&j, "rivet_version", RIVET_VERSION);
    rv_json_kstr(&j, "config_path", cfg->path);
    rv_json_kstr(&j, "parallel_mode", r->parallel_mode);
    rv_json_kstr(&j, "started_at", r->started_at);
    rv_json_kstr(&j, "finished_at", r->finished_at);
    rv_json_ki64(&j, "duration_ms", r->duration_ms);
    write_totals(&j, r);
    rv_json_ki64(&j, "exit_code", r->exit_code);
    rv_json_key(&j, "per_export");
    rv_json_array(&j);
    for (size_t i = 0; i < r->n_exports; i++) {
        rv_json_object(&j);
        rv_export_report_members(&r->exports[i], &j);
        rv_json_object_end(&j);
    }
    rv_json_array_end(&j);
    rv_json_object_end(&j);
    return rv_json_end(&j, err);
}
