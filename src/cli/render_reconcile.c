#include "cli/render_reconcile.h"

#include <string.h>

static void json_count(rv_json *j, const char *key, int64_t n)
{
    rv_json_key(j, key);
    if (n < 0)
        rv_json_null(j);
    else
        rv_json_i64(j, n);
}

/* ---- reconcile ---- */

static rv_status add_parts(const rv_reconcile_report *r, rv_buf *out, rv_error *err)
{
    size_t recorded = r->n_parts - (size_t)r->untracked;
    RV_TRY(rv_buf_printf(out, err, "  parts:       %zu recorded, %lld damaged, %lld untracked\n",
                         recorded, (long long)r->damaged, (long long)r->untracked));
    for (size_t i = 0; i < r->n_parts; i++)
        if (strcmp(r->parts[i].status, "ok") != 0)
            RV_TRY(
                rv_buf_printf(out, err, "    %-17s  %s\n", r->parts[i].status, r->parts[i].path));
    return RV_OK;
}

static rv_status add_number(rv_buf *out, int64_t n, rv_error *err)
{
    return n < 0 ? rv_buf_add_c(out, "?", err) : rv_buf_printf(out, err, "%lld", (long long)n);
}

static rv_status add_partitions(const rv_reconcile_report *r, rv_buf *out, rv_error *err)
{
    if (!r->counted)
        return rv_buf_printf(out, err,
                             "  counts:      only while it runs: rivet run -e %s --reconcile\n",
                             r->export_name);
    RV_TRY(rv_buf_printf(out, err,
                         "  partitions:  %zu compared, %lld match, %lld mismatch, %lld unknown\n"
                         "  rows:        source %lld, exported %lld\n",
                         r->n_partitions, (long long)r->matches, (long long)r->mismatches,
                         (long long)r->unknown, (long long)r->total_source_rows,
                         (long long)r->total_exported_rows));
    for (size_t i = 0; i < r->n_partitions; i++) {
        const rv_slice *p = &r->partitions[i];
        if (strcmp(p->status, "match") == 0)
            continue;
        RV_TRY(rv_buf_printf(out, err, "    %-17s  %s: source ", p->status, p->identifier));
        RV_TRY(add_number(out, p->source_count, err));
        RV_TRY(rv_buf_add_c(out, ", exported ", err));
        RV_TRY(add_number(out, p->exported_count, err));
        RV_TRY(rv_buf_printf(out, err, "%s%s%s\n", p->note ? " (" : "", p->note ? p->note : "",
                             p->note ? ")" : ""));
    }
    return RV_OK;
}

rv_status rv_render_reconcile(const rv_reconcile_report *r, rv_buf *out, rv_error *err)
{
    const char *status = r->mismatches || r->damaged ? "MISMATCH"
                         : r->unknown                ? "UNKNOWN"
                                                     : "MATCH";
    RV_TRY(rv_buf_printf(out, err,
                         "%s\n  prefix:      %s\n  run_id:      %s\n  strategy:    %s\n"
                         "  status:      %s\n",
                         r->export_name, r->prefix, r->run_id, r->strategy, status));
    RV_TRY(add_parts(r, out, err));
    return add_partitions(r, out, err);
}

static void json_partitions(rv_json *j, const rv_reconcile_report *r)
{
    rv_json_key(j, "partitions");
    rv_json_array(j);
    for (size_t i = 0; i < r->n_partitions; i++) {
        const rv_slice *p = &r->partitions[i];
        rv_json_object(j);
        rv_json_kstr(j, "identifier", p->identifier);
        json_count(j, "source_count", p->source_count);
        json_count(j, "exported_count", p->exported_count);
        rv_json_kstr(j, "status", p->status);
        rv_json_kstr(j, "note", p->note);
        rv_json_object_end(j);
    }
    rv_json_array_end(j);
}

rv_status rv_render_reconcile_json(const rv_reconcile_report *r, rv_buf *out, rv_error *err)
{
    rv_json j;
    rv_json_begin(&j, out, false);
    rv_json_object(&j);
    rv_json_kstr(&j, "export_name", r->export_name);
    rv_json_kstr(&j, "run_id", r->run_id);
    rv_json_kstr(&j, "strategy", r->strategy);
    rv_json_kstr(&j, "generated_at", r->generated_at);
    rv_json_key(&j, "destination");
    rv_json_array(&j);
    for (size_t i = 0; i < r->n_parts; i++) {
        rv_json_object(&j);
        rv_json_kstr(&j, "path", r->parts[i].path);
        rv_json_kstr(&j, "status", r->parts[i].status);
        rv_json_object_end(&j);
    }
    rv_json_array_end(&j);
    json_partitions(&j, r);
    rv_json_key(&j, "summary");
    rv_json_object(&j);
    rv_json_ki64(&j, "total_partitions", (int64_t)r->n_partitions);
    rv_json_ki64(&j, "matches", r->matches);
    rv_json_ki64(&j, "mismatches", r->mismatches);
    rv_json_ki64(&j, "unknown", r->unknown);
    rv_json_ki64(&j, "damaged", r->damaged);
    rv_json_ki64(&j, "total_source_rows", r->total_source_rows);
    rv_json_ki64(&j, "total_exported_rows", r->total_exported_rows);
    rv_json_object_end(&j);
    rv_json_object_end(&j);
    return rv_json_end(&j, err);
}

/* ---- repair ---- */

typedef struct rv_outcomes {
    int64_t executed, skipped, failed;
} rv_outcomes;

static rv_outcomes outcomes(const rv_repair_report *r)
{
    rv_outcomes o = {0};
    for (size_t i = 0; i < r->n_actions; i++) {
        const char *word = r->actions[i].outcome;
        o.executed += word && strcmp(word, "executed") == 0;
        o.failed += word && strcmp(word, "failed") == 0;
        o.skipped += !word || strcmp(word, "skipped") == 0;
    }
    return o;
}

static rv_status add_action(const rv_repair_action *a, bool executed, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_printf(out, err, "    %s (%s..%s): %s", a->unit, a->start_key ? a->start_key : "",
                         a->end_key ? a->end_key : "", a->reason));
    if (!executed)
        return rv_buf_add_byte(out, '\n', err);
    RV_TRY(rv_buf_printf(out, err, ", %s", a->outcome ? a->outcome : "skipped"));
    if (a->rows_written >= 0)
        RV_TRY(rv_buf_printf(out, err, ", %lld rows", (long long)a->rows_written));
    return rv_buf_printf(out, err, "%s%s\n", a->error ? ": " : "", a->error ? a->error : "");
}

rv_status rv_render_repair(const rv_repair_report *r, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_printf(out, err, "%s\n  run_id:    %s\n  strategy:  %s\n", r->export_name,
                         r->reconcile_run_id, r->strategy));
    if (r->repair_run_id)
        RV_TRY(rv_buf_printf(out, err, "  repair:    %s\n", r->repair_run_id));
    RV_TRY(rv_buf_printf(out, err, "  actions:   %zu\n", r->n_actions));
    for (size_t i = 0; i < r->n_actions; i++)
        RV_TRY(add_action(&r->actions[i], r->executed, out, err));
    if (r->n_skipped)
        RV_TRY(rv_buf_printf(out, err, "  skipped:   %zu\n", r->n_skipped));
    for (size_t i = 0; i < r->n_skipped; i++)
        RV_TRY(rv_buf_printf(out, err, "    %s\n", r->skipped[i]));
    if (!r->executed)
        return rv_buf_add_c(out, "  nothing was changed; --execute does it\n", err);
    return rv_buf_printf(out, err,
                         "  written:   %lld rows\n  removed:   %lld superseded, %lld to "
                         "_quarantine\n",
                         (long long)r->rows_written, (long long)r->removed,
                         (long long)r->quarantined);
}

/* A keyset unit has no chunk index: its name says which one it is. */
static void json_unit(rv_json *j, const rv_repair_action *a)
{
    json_count(j, "chunk_index", a->chunk_index);
    if (a->chunk_index < 0)
        rv_json_kstr(j, "unit", a->unit);
}

static void json_results(rv_json *j, const rv_repair_report *r)
{
    const rv_outcomes o = outcomes(r);
    rv_json_kstr(j, "repair_run_id", r->repair_run_id);
    rv_json_key(j, "results");
    rv_json_array(j);
    for (size_t i = 0; i < r->n_actions; i++) {
        const rv_repair_action *a = &r->actions[i];
        rv_json_object(j);
        json_unit(j, a);
        rv_json_kstr(j, "outcome", a->outcome ? a->outcome : "skipped");
        rv_json_ki64(j, "rows_written", a->rows_written > 0 ? a->rows_written : 0);
        rv_json_kstr(j, "error", a->error);
        rv_json_object_end(j);
    }
    rv_json_array_end(j);
    rv_json_key(j, "summary");
    rv_json_object(j);
    rv_json_ki64(j, "planned", (int64_t)r->n_actions);
    rv_json_ki64(j, "executed", o.executed);
    rv_json_ki64(j, "skipped", o.skipped);
    rv_json_ki64(j, "failed", o.failed);
    rv_json_ki64(j, "rows_written", r->rows_written);
    rv_json_object_end(j);
}

rv_status rv_render_repair_json(const rv_repair_report *r, rv_buf *out, rv_error *err)
{
    rv_json j;
    rv_json_begin(&j, out, false);
    rv_json_object(&j);
    rv_json_kstr(&j, "export_name", r->export_name);
    rv_json_kstr(&j, "reconcile_run_id", r->reconcile_run_id);
    rv_json_kstr(&j, "strategy", r->strategy);
    rv_json_key(&j, "actions");
    rv_json_array(&j);
    for (size_t i = 0; i < r->n_actions; i++) {
        rv_json_object(&j);
        json_unit(&j, &r->actions[i]);
        rv_json_kstr(&j, "start_key", r->actions[i].start_key);
        rv_json_kstr(&j, "end_key", r->actions[i].end_key);
        rv_json_kstr(&j, "reason", r->actions[i].reason);
        rv_json_object_end(&j);
    }
    rv_json_array_end(&j);
    rv_json_key(&j, "skipped");
    rv_json_array(&j);
    for (size_t i = 0; i < r->n_skipped; i++)
        rv_json_cstr(&j, r->skipped[i]);
    rv_json_array_end(&j);
    if (r->executed)
        json_results(&j, r);
    rv_json_object_end(&j);
    return rv_json_end(&j, err);
}
