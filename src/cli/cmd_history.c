#include "cli/cli_internal.h"

#include <jansson.h>

#include "base/clock.h"
#include "cli/table_text.h"

#define LAST_METRICS 20
#define LAST_JOURNALS 5
#define METRICS_RULE 110

/* ---- metrics ---- */

static const char *metric_note(const rv_metric *m)
{
    if (m->schema_changed == 1 && m->quality_passed == 0)
        return "note: schema changed, quality failed";
    if (m->schema_changed == 1)
        return "note: schema changed";
    return m->quality_passed == 0 ? "note: quality failed" : NULL;
}

static rv_status metric_cells(rv_arena *a, const rv_metric *m, const char **c, rv_error *err)
{
    c[0] = m->export_name;
    c[1] = m->status;
    RV_TRY(rv_cell_i64(a, m->total_rows, &c[2], err));
    RV_TRY(rv_cell_duration(a, m->duration_ms, &c[3], err));
    if (m->peak_rss_mb >= 0)
        RV_TRY(rv_arena_printf(a, &c[4], err, "%lldMB", (long long)m->peak_rss_mb));
    int64_t files = m->files_committed >= 0 ? m->files_committed : m->files_produced;
    RV_TRY(rv_cell_i64(a, files, &c[5], err));
    RV_TRY(rv_cell_size(a, m->bytes_written, &c[6], err));
    c[7] = m->run_id;
    return RV_OK;
}

static rv_status add_metrics(rv_cli *cli, const rv_metrics *rows, rv_buf *out, rv_error *err)
{
    static const rv_table_column columns[] = {
        {"EXPORT", 20, false}, {"STATUS", 10, false}, {"ROWS", 8, true},   {"DURATION", 10, true},
        {"RSS", 8, true},      {"FILES", 6, true},    {"BYTES", 10, true}, {"RUN ID", 0, false}};
    enum { N = sizeof columns / sizeof columns[0] };
    const char **cells = NULL, **notes = NULL;
    RV_TRY(rv_arena_array(cli->arena, rows->n * N, sizeof *cells, &cells, err));
    RV_TRY(rv_arena_array(cli->arena, rows->n, sizeof *notes, &notes, err));
    for (size_t i = 0; i < rows->n; i++) {
        RV_TRY(metric_cells(cli->arena, &rows->rows[i], &cells[i * N], err));
        notes[i] = metric_note(&rows->rows[i]);
    }
    const rv_table t = {.columns = columns,
                        .n_columns = N,
                        .cells = cells,
                        .notes = notes,
                        .n_rows = rows->n,
                        .rule = METRICS_RULE};
    return rv_table_text(&t, out, err);
}

static rv_status list_metrics(rv_cli *cli, rv_state *state, rv_buf *out, rv_error *err)
{
    const char *name = cli->args->value[RV_FLAG_EXPORT];
    uint64_t last = rv_args_count(cli->args, RV_FLAG_LAST, LAST_METRICS);
    rv_metrics rows = {0};
    if (!state)
        return rv_buf_add_c(out, cli->args->json ? "[]" : "No run is recorded yet.\n", err);
    if (cli->args->json) {
        rv_json j;
        rv_json_begin(&j, out, false);
        RV_TRY(rv_state_json(state, RV_VIEW_METRICS, name, last, &j, err));
        return rv_json_end(&j, err);
    }
    RV_TRY(rv_state_metrics(state, name, last, cli->arena, &rows, err));
    if (rows.n == 0)
        return rv_buf_add_c(out, "No run is recorded yet.\n", err);
    return add_metrics(cli, &rows, out, err);
}

/* ---- journal ---- */

typedef struct journal_facts {
    const char *status, *error; /* borrowed from the document */
    int64_t duration_ms, files, rows, bytes, retries, quality;
    bool schema_changed;
} journal_facts;

static int64_t number_of(const json_t *entry, const char *key)
{
    return json_integer_value(json_object_get(entry, key));
}

static void read_entry(const json_t *entry, journal_facts *f)
{
    const char *event = json_string_value(json_object_get(entry, "event"));
    if (!event)
        return;
    if (strcmp(event, "file_written") == 0) {
        f->files++;
        f->rows += number_of(entry, "rows");
        f->bytes += number_of(entry, "bytes");
    } else if (strcmp(event, "retry_attempted") == 0) {
        f->retries++;
    } else if (strcmp(event, "quality_issue") == 0) {
        f->quality++;
    } else if (strcmp(event, "schema_changed") == 0) {
        f->schema_changed = true;
    } else if (strcmp(event, "run_completed") == 0) {
        f->status = json_string_value(json_object_get(entry, "status"));
        f->error = json_string_value(json_object_get(entry, "error_message"));
        f->duration_ms = number_of(entry, "duration_ms");
    }
}

static const char *mark_of(const char *status)
{
    if (!status)
        return "•";
    return strcmp(status, "failed") == 0 || strcmp(status, "interrupted") == 0 ? "✗" : "✓";
}

static rv_status add_facts(const rv_journal_row *row, const journal_facts *f, rv_buf *out,
                           rv_error *err)
{
    char duration[32], size[32];
    rv_duration_text(f->duration_ms, duration);
    rv_size_text((uint64_t)(f->bytes > 0 ? f->bytes : 0), size);
    RV_TRY(rv_buf_printf(out, err, "%s %s  %s", mark_of(f->status), row->export_name,
                         f->status ? f->status : "unfinished"));
    RV_TRY(f->status ? rv_buf_printf(out, err, "  %s\n", duration)
                     : rv_buf_add_byte(out, '\n', err));
    RV_TRY(rv_buf_printf(out, err, "  run_id:  %s\n", row->run_id));
    RV_TRY(rv_buf_printf(out, err, "  files:  %lld  rows: %lld  size: %s\n", (long long)f->files,
                         (long long)f->rows, size));
    if (f->retries)
        RV_TRY(rv_buf_printf(out, err, "  retries:  %lld\n", (long long)f->retries));
    if (f->quality)
        RV_TRY(rv_buf_printf(out, err, "  quality:  %lld issue%s\n", (long long)f->quality,
                             f->quality == 1 ? "" : "s"));
    if (f->schema_changed)
        RV_TRY(rv_buf_add_c(out, "  schema:  changed\n", err));
    if (f->error)
        RV_TRY(rv_buf_printf(out, err, "  error:  %.*s\n", (int)strcspn(f->error, "\n"), f->error));
    return RV_OK;
}

static rv_status add_journal(const rv_journal_row *row, rv_buf *out, rv_error *err)
{
    journal_facts f = {0};
    json_t *entries =
        json_loads(row->journal_json ? row->journal_json : "[]", JSON_ALLOW_NUL, NULL);
    for (size_t i = 0; i < json_array_size(entries); i++)
        read_entry(json_array_get(entries, i), &f);
    rv_status st = add_facts(row, &f, out, err);
    json_decref(entries);
    return st;
}

/* The run that is still open has no finished journal: it stands first, as unfinished. */
static rv_status add_open_run(rv_cli *cli, rv_state *state, const char *run_id, bool *out_added,
                              rv_buf *out, rv_error *err)
{
    rv_run_row open = {0};
    bool found = false;
    RV_TRY(
        rv_state_run_open(state, cli->args->value[RV_FLAG_EXPORT], cli->arena, &open, &found, err));
    *out_added = found && (!run_id || strcmp(run_id, open.run_id) == 0);
    if (!*out_added)
        return RV_OK;
    return rv_buf_printf(out, err, "%s %s  %s\n  run_id:  %s\n", mark_of(NULL), open.export_name,
                         open.status, open.run_id);
}

static rv_status journals_json(const char *project, const rv_journal_row *rows, size_t n,
                               rv_buf *out, rv_error *err)
{
    rv_json j;
    rv_json_begin(&j, out, false);
    rv_json_array(&j);
    for (size_t i = 0; i < n; i++) {
        rv_json_object(&j);
        rv_json_kstr(&j, "run_id", rows[i].run_id);
        rv_json_kstr(&j, "project", project);
        rv_json_kstr(&j, "export_name", rows[i].export_name);
        rv_json_kstr(&j, "finished_at", rows[i].finished_at);
        rv_json_kstr(&j, "journal_json", rows[i].journal_json);
        rv_json_object_end(&j);
    }
    rv_json_array_end(&j);
    return rv_json_end(&j, err);
}

static rv_status list_journals(rv_cli *cli, rv_state *state, rv_buf *out, rv_error *err)
{
    const rv_args *a = cli->args;
    const char *run_id = a->value[RV_FLAG_RUN_ID];
    uint64_t last = rv_args_count(a, RV_FLAG_LAST, LAST_JOURNALS);
    rv_journal_row *rows = NULL;
    size_t n = 0;
    bool open = false;
    if (state)
        RV_TRY(rv_state_journals(state, a->value[RV_FLAG_EXPORT], run_id, last, cli->arena, &rows,
                                 &n, err));
    if (a->json)
        return journals_json(cli->cfg->project, rows, n, out, err);
    if (state)
        RV_TRY(add_open_run(cli, state, run_id, &open, out, err));
    for (size_t i = 0; i < n; i++)
        RV_TRY(add_journal(&rows[i], out, err));
    return n || open ? RV_OK : rv_buf_add_c(out, "No journal matches.\n", err);
}

static int show(rv_cli *cli,
                rv_status (*list)(rv_cli *cli, rv_state *state, rv_buf *out, rv_error *err))
{
    rv_error err = {0};
    rv_state *state = NULL;
    rv_buf text = RV_BUF_INIT;
    int code = rv_cli_load(cli, 0);
    if (code == 0)
        code = rv_cli_state(cli, &state);
    if (code == 0)
        code = rv_cli_known_export(cli, state);
    if (code == 0 && list(cli, state, &text, &err) != RV_OK)
        code = rv_cli_fail(cli, &err);
    else if (code == 0)
        code = cli->args->json ? rv_cli_print_json(cli, &text) : rv_cli_print(cli, &text);
    rv_buf_free(&text);
    rv_state_close(state);
    return code;
}

int rv_cmd_metrics(rv_cli *cli)
{
    return show(cli, list_metrics);
}

int rv_cmd_journal(rv_cli *cli)
{
    return show(cli, list_journals);
}
