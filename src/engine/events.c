#include "engine/events.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "engine/report.h"

/* A text key of that length is shown nowhere; it must not make the event too long. */
#define TEXT_MAX_BYTES ((size_t)32 * 1024)

/* ---- writing ---- */

static void send_line(const rv_event_writer *w, rv_json *j, rv_buf *line)
{
    rv_buf clean = RV_BUF_INIT;
    rv_json_object_end(j);
    if (rv_json_end(j, NULL) == RV_OK && rv_buf_add_byte(line, '\n', NULL) == RV_OK &&
        rv_secrets_redact(w->env->secrets, rv_buf_str(line), &clean, NULL) == RV_OK) {
        /* without a reader the run goes on: what it does is in the state */
        rv_status st = rv_file_write(w->fd, clean.ptr, clean.len, "the parent process", NULL);
        (void)st;
    }
    rv_buf_free(&clean);
    rv_buf_free(line);
}

static void begin(rv_json *j, rv_buf *line, const char *event)
{
    rv_json_begin(j, line, false);
    rv_json_object(j);
    rv_json_kstr(j, "event", event);
}

static void add_count(rv_json *j, const char *key, int64_t v)
{
    rv_json_key(j, key);
    if (v < 0)
        rv_json_null(j);
    else
        rv_json_i64(j, v);
}

static void add_text(rv_json *j, const char *key, const char *text)
{
    rv_json_kstr(j, key, text && strlen(text) > TEXT_MAX_BYTES ? NULL : text);
}

static void send_started(void *ctx, const rv_export_report *r)
{
    const rv_event_writer *w = ctx;
    const rv_cfg_export *x = rv_cfg_find_export(w->cfg, r->export_name, NULL);
    rv_buf line = RV_BUF_INIT;
    rv_json j;
    begin(&j, &line, "started");
    rv_json_kstr(&j, "export_name", r->export_name);
    rv_json_kstr(&j, "run_id", r->run_id);
    rv_json_kstr(&j, "mode", r->mode);
    rv_json_kstr(&j, "tuning_profile", r->tuning_profile);
    add_count(&j, "batch_size", x ? (int64_t)x->tuning.batch_size : -1);
    send_line(w, &j, &line);
}

static void send_planned(void *ctx, const char *export_name, int64_t total_chunks)
{
    const rv_event_writer *w = ctx;
    rv_buf line = RV_BUF_INIT;
    rv_json j;
    begin(&j, &line, "progress_init");
    rv_json_kstr(&j, "export_name", export_name);
    rv_json_ki64(&j, "total_chunks", total_chunks);
    send_line(w, &j, &line);
}

static void send_progress(void *ctx, const char *export_name, int64_t chunks_done, int64_t rows)
{
    const rv_event_writer *w = ctx;
    rv_buf line = RV_BUF_INIT;
    rv_json j;
    begin(&j, &line, "progress");
    rv_json_kstr(&j, "export_name", export_name);
    rv_json_ki64(&j, "chunks_done", chunks_done);
    rv_json_ki64(&j, "rows", rows);
    send_line(w, &j, &line);
}

/* The entry of the aggregate, and what else the block of the export shows. */
static void send_finished(void *ctx, const rv_export_report *r)
{
    const rv_event_writer *w = ctx;
    rv_export_report shown = *r;
    rv_buf line = RV_BUF_INIT;
    rv_json j;
    if (r->skip_reason && strlen(r->skip_reason) > TEXT_MAX_BYTES)
        shown.skip_reason = "nothing new";
    begin(&j, &line, "finished");
    rv_export_report_members(&shown, &j);
    rv_json_kstr(&j, "error_hint", r->error.code != RV_OK ? r->error.hint : NULL);
    rv_json_kstr(&j, "tuning_text", r->tuning_text);
    add_text(&j, "output", r->output);
    add_text(&j, "cursor_low", r->cursor_low);
    add_text(&j, "cursor_high", r->cursor_high);
    add_count(&j, "chunks_total", r->chunks_total);
    add_count(&j, "chunks_done", r->chunks_done);
    add_count(&j, "chunks_retried", r->chunks_retried);
    add_count(&j, "longest_statement_ms", r->longest_statement_ms);
    add_count(&j, "source_count", r->source_count);
    add_count(&j, "source_matched", r->source_matched);
    rv_json_kbool(&j, "source_changed", r->source_changed);
    rv_json_kbool(&j, "resumed", r->resumed);
    rv_json_kbool(&j, "resumable", r->resumable);
    send_line(w, &j, &line);
}

rv_run_hooks rv_event_hooks(rv_event_writer *w)
{
    return (rv_run_hooks){w, send_started, send_planned, send_progress, send_finished};
}

/* ---- reading ---- */

typedef struct rv_event_reading {
    const json_t *root;
    rv_arena *arena;
    rv_error *err;
    rv_status st;
} rv_event_reading;

static const char *text_of(rv_event_reading *r, const char *key)
{
    const json_t *v = json_object_get(r->root, key);
    const char *out = NULL;
    if (r->st == RV_OK && json_is_string(v))
        r->st = rv_arena_cstr(r->arena, rv_str_c(json_string_value(v)), &out, r->err);
    return out;
}

static int64_t count_of(const rv_event_reading *r, const char *key)
{
    const json_t *v = json_object_get(r->root, key);
    return json_is_integer(v) && json_integer_value(v) >= 0 ? json_integer_value(v) : -1;
}

static int truth_of(const rv_event_reading *r, const char *key)
{
    const json_t *v = json_object_get(r->root, key);
    return json_is_boolean(v) ? json_is_true(v) : -1;
}

static const char *status_of(const rv_event_reading *r)
{
    static const char *const known[] = {"success",  "failed",      "skipped",
                                        "degraded", "interrupted", "unpublished"};
    const char *text = json_string_value(json_object_get(r->root, "status"));
    for (size_t i = 0; text && i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i], text) == 0)
            return known[i];
    return NULL;
}

static rv_status code_of(const rv_event_reading *r)
{
    const char *name = json_string_value(json_object_get(r->root, "error_code"));
    for (int i = RV_OK + 1; name && i < RV_STATUS_COUNT; i++)
        if (strcmp(rv_code((rv_status)i)->name, name) == 0)
            return (rv_status)i;
    return RV_E_RUN_CHILD;
}

static void read_error(const rv_event_reading *r, rv_error *out)
{
    const char *text = json_string_value(json_object_get(r->root, "error_message"));
    const char *hint = json_string_value(json_object_get(r->root, "error_hint"));
    if (!text)
        return;
    rv_status st = rv_fail(out, code_of(r), "%s", text);
    if (st != RV_OK && hint && hint[0])
        rv_hint(out, "%s", hint);
}

static void read_facts(rv_event_reading *r, rv_export_report *out)
{
    out->rows = count_of(r, "rows");
    out->files = count_of(r, "files");
    out->bytes = count_of(r, "bytes");
    out->bytes_read = count_of(r, "bytes_read");
    out->duration_ms = count_of(r, "duration_ms");
    out->peak_rss_mb = count_of(r, "peak_rss_mb");
    out->retries = count_of(r, "retries");
    out->chunks_total = count_of(r, "chunks_total");
    out->chunks_done = count_of(r, "chunks_done");
    out->chunks_retried = count_of(r, "chunks_retried");
    out->longest_statement_ms = count_of(r, "longest_statement_ms");
    out->source_count = count_of(r, "source_count");
    out->source_matched = count_of(r, "source_matched");
    out->validated = truth_of(r, "validated");
    out->schema_changed = truth_of(r, "schema_changed");
    out->quality_passed = truth_of(r, "quality_passed");
    out->reconciled = truth_of(r, "reconciled");
    out->source_changed = truth_of(r, "source_changed") == 1;
    out->resumed = truth_of(r, "resumed") == 1;
    out->resumable = truth_of(r, "resumable") == 1;
}

static void read_finished(rv_event_reading *r, rv_event *out)
{
    const char *status = status_of(r);
    if (!status)
        return;
    out->kind = RV_EVENT_FINISHED;
    out->report.status = status;
    out->report.skip_reason = text_of(r, "skip_reason");
    out->report.consistency = text_of(r, "consistency");
    out->report.started_at = text_of(r, "started_at");
    out->report.tuning_text = text_of(r, "tuning_text");
    out->report.output = text_of(r, "output");
    out->report.cursor_low = text_of(r, "cursor_low");
    out->report.cursor_high = text_of(r, "cursor_high");
    read_facts(r, &out->report);
    read_error(r, &out->report.error);
}

static void read_event(rv_event_reading *r, const char *event, rv_event *out)
{
    out->report.run_id = text_of(r, "run_id");
    out->report.tuning_profile = text_of(r, "tuning_profile");
    out->total_chunks = count_of(r, "total_chunks");
    out->chunks_done = count_of(r, "chunks_done");
    out->rows = count_of(r, "rows");
    if (strcmp(event, "started") == 0)
        out->kind = RV_EVENT_STARTED;
    else if (strcmp(event, "progress_init") == 0 && out->total_chunks >= 0)
        out->kind = RV_EVENT_PLANNED;
    else if (strcmp(event, "progress") == 0 && out->chunks_done >= 0 && out->rows >= 0)
        out->kind = RV_EVENT_PROGRESS;
    else if (strcmp(event, "finished") == 0)
        read_finished(r, out);
}

rv_status rv_event_parse(rv_str line, const rv_cfg_export *x, rv_arena *arena, rv_event *out,
                         rv_error *err)
{
    rv_event event = {.kind = RV_EVENT_NONE};
    rv_export_report_empty(x, &event.report);
    json_t *root = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES, NULL);
    rv_event_reading r = {root, arena, err, RV_OK};
    const char *kind = json_string_value(json_object_get(root, "event"));
    const char *name = json_string_value(json_object_get(root, "export_name"));
    if (kind && name && strcmp(name, x->name) == 0)
        read_event(&r, kind, &event);
    json_decref(root);
    if (r.st == RV_OK)
        *out = event;
    return r.st;
}

/* ---- copies ---- */

rv_status rv_export_report_copy(const rv_export_report *r, rv_arena *arena, rv_export_report *out,
                                rv_error *err)
{
    rv_export_report copy = *r;
    const char **texts[] = {
        &copy.run_id, &copy.skip_reason, &copy.tuning_profile, &copy.tuning_text, &copy.consistency,
        &copy.output, &copy.started_at,  &copy.cursor_low,     &copy.cursor_high, &copy.replaced};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (*texts[i])
            RV_TRY(rv_arena_cstr(arena, rv_str_c(*texts[i]), texts[i], err));
    *out = copy;
    return RV_OK;
}
