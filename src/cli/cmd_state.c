#include "cli/cli_internal.h"

#include <jansson.h>

#include "cli/table_text.h"

#define LAST_RUNS 20
#define LAST_FILES 50

/* What a listing works with: the state may be absent (NULL), which is an empty listing. */
typedef struct listing {
    rv_cli *cli;
    rv_state *state;
    const char *export_name;
    rv_buf *out;
} listing;

static rv_status add_table(const listing *l, const rv_table_column *columns, size_t n_columns,
                           const char **cells, size_t n_rows, unsigned rule, rv_error *err)
{
    const rv_table t = {
        .columns = columns, .n_columns = n_columns, .cells = cells, .n_rows = n_rows, .rule = rule};
    return rv_table_text(&t, l->out, err);
}

/* ---- show and files: their rows come as JSON, the only shape the state lists them in ---- */

typedef enum cell_kind { CELL_TEXT, CELL_NUMBER, CELL_SIZE, CELL_TIME } cell_kind;
typedef struct json_column {
    const char *key;
    cell_kind kind;
} json_column;

static rv_status json_cell(rv_arena *a, const json_t *row, const json_column *c, const char **out,
                           rv_error *err)
{
    const json_t *v = json_object_get(row, c->key);
    *out = NULL;
    if (json_is_integer(v) && c->kind == CELL_SIZE)
        return rv_cell_size(a, json_integer_value(v), out, err);
    if (json_is_integer(v))
        return rv_cell_i64(a, json_integer_value(v), out, err);
    if (!json_is_string(v))
        return RV_OK;
    if (c->kind == CELL_TIME)
        return rv_cell_time(a, json_string_value(v), out, err);
    return rv_arena_cstr(a, rv_str_c(json_string_value(v)), out, err);
}

static rv_status json_cells(rv_arena *a, const json_t *rows, const json_column *columns, size_t n,
                            const char ***out, rv_error *err)
{
    const char **cells = NULL;
    size_t n_rows = json_array_size(rows);
    RV_TRY(rv_arena_array(a, n_rows * n + 1, sizeof *cells, &cells, err));
    for (size_t r = 0; r < n_rows; r++)
        for (size_t c = 0; c < n; c++)
            RV_TRY(json_cell(a, json_array_get(rows, r), &columns[c], &cells[r * n + c], err));
    *out = cells;
    return RV_OK;
}

static rv_status view_json(const listing *l, rv_state_view view, uint64_t last, rv_buf *out,
                           rv_error *err)
{
    rv_json j;
    rv_json_begin(&j, out, false);
    RV_TRY(rv_state_json(l->state, view, l->export_name, last, &j, err));
    return rv_json_end(&j, err);
}

/* Copies of the cells live in the arena; the parsed rows go at once. */
static rv_status view_cells(const listing *l, rv_state_view view, uint64_t last,
                            const json_column *columns, size_t n, const char ***out, size_t *out_n,
                            rv_error *err)
{
    rv_buf text = RV_BUF_INIT;
    json_t *rows = NULL;
    rv_status st;
    RV_GO(view_json(l, view, last, &text, err));
    rows = json_loadb((const char *)text.ptr, text.len, JSON_ALLOW_NUL, NULL);
    if (!rows) {
        st = rv_fail_memory(err);
        goto done;
    }
    RV_GO(json_cells(l->cli->arena, rows, columns, n, out, err));
    *out_n = json_array_size(rows);
done:
    json_decref(rows);
    rv_buf_free(&text);
    return st;
}

static rv_status list_show(const listing *l, uint64_t last, rv_error *err)
{
    static const rv_table_column columns[] = {
        {"EXPORT", 30, false}, {"LAST CURSOR", 40, false}, {"LAST RUN", 0, false}};
    static const json_column keys[] = {
        {"export_name", CELL_TEXT}, {"last_cursor_value", CELL_TEXT}, {"last_run_at", CELL_TIME}};
    const char **cells = NULL;
    size_t n = 0;
    RV_TRY(view_cells(l, RV_VIEW_POSITIONS, last, keys, 3, &cells, &n, err));
    if (n == 0)
        return rv_buf_add_c(l->out, "No cursor is stored yet.\n", err);
    return add_table(l, columns, 3, cells, n, 90, err);
}

static rv_status list_files(const listing *l, uint64_t last, rv_error *err)
{
    static const rv_table_column columns[] = {{"FILE", 0, false},   {"EXPORT", 0, false},
                                              {"ROWS", 0, true},    {"BYTES", 0, true},
                                              {"RUN ID", 0, false}, {"CREATED", 0, false}};
    static const json_column keys[] = {{"file_name", CELL_TEXT},   {"export_name", CELL_TEXT},
                                       {"row_count", CELL_NUMBER}, {"bytes", CELL_SIZE},
                                       {"run_id", CELL_TEXT},      {"created_at", CELL_TIME}};
    const char **cells = NULL;
    size_t n = 0;
    RV_TRY(view_cells(l, RV_VIEW_FILES, last, keys, 6, &cells, &n, err));
    if (n == 0)
        return rv_buf_add_c(l->out, "No file is recorded yet.\n", err);
    return add_table(l, columns, 6, cells, n, 0, err);
}

/* ---- runs ---- */

static rv_status add_runs(const listing *l, const rv_run_rows *rows, rv_error *err)
{
    static const rv_table_column columns[] = {
        {"RUN ID", 0, false},  {"EXPORT", 0, false},    {"STATUS", 0, false}, {"MODE", 0, false},
        {"STARTED", 0, false}, {"HEARTBEAT", 0, false}, {"HOST", 0, false},   {"PID", 0, true}};
    enum { N = sizeof columns / sizeof columns[0] };
    rv_arena *a = l->cli->arena;
    const char **cells = NULL;
    RV_TRY(rv_arena_array(a, rows->n * N + 1, sizeof *cells, &cells, err));
    for (size_t i = 0; i < rows->n; i++) {
        const rv_run_row *r = &rows->rows[i];
        const char **c = &cells[i * N];
        c[0] = r->run_id;
        c[1] = r->export_name;
        c[2] = r->status;
        c[3] = r->mode;
        RV_TRY(rv_cell_time(a, r->started_at, &c[4], err));
        RV_TRY(rv_cell_time(a, r->heartbeat_at, &c[5], err));
        c[6] = r->process.host;
        RV_TRY(rv_cell_i64(a, r->process.pid > 0 ? r->process.pid : -1, &c[7], err));
    }
    return add_table(l, columns, N, cells, rows->n, 0, err);
}

static rv_status list_runs(const listing *l, uint64_t last, rv_error *err)
{
    rv_run_rows rows = {0};
    RV_TRY(rv_state_runs(l->state, l->export_name, last, l->cli->arena, &rows, err));
    if (rows.n == 0)
        return rv_buf_add_c(l->out, "No run is recorded yet.\n", err);
    return add_runs(l, &rows, err);
}

/* ---- progression ---- */

static rv_status boundary(rv_arena *a, const char *cursor, int64_t chunk, const char **out,
                          rv_error *err)
{
    *out = cursor;
    return chunk < 0 ? RV_OK : rv_arena_printf(a, out, err, "chunk #%lld", (long long)chunk);
}

static rv_status list_progression(const listing *l, uint64_t last, rv_error *err)
{
    static const rv_table_column columns[] = {{"EXPORT", 0, false},    {"COMM MODE", 0, false},
                                              {"COMMITTED", 0, false}, {"COMMITTED AT", 0, false},
                                              {"VERI MODE", 0, false}, {"VERIFIED", 0, false}};
    enum { N = sizeof columns / sizeof columns[0] };
    rv_arena *a = l->cli->arena;
    rv_progression_row *rows = NULL;
    const char **cells = NULL;
    size_t n = 0;
    (void)last;
    RV_TRY(rv_state_progression(l->state, l->export_name, a, &rows, &n, err));
    if (n == 0)
        return rv_buf_add_c(l->out, "No export has committed anything yet.\n", err);
    RV_TRY(rv_arena_array(a, n * N, sizeof *cells, &cells, err));
    for (size_t i = 0; i < n; i++) {
        const rv_progression_row *r = &rows[i];
        const char **c = &cells[i * N];
        c[0] = r->export_name;
        c[1] = r->committed_strategy;
        RV_TRY(boundary(a, r->committed_cursor, r->committed_chunk, &c[2], err));
        RV_TRY(rv_cell_time(a, r->committed_at, &c[3], err));
        c[4] = r->verified_strategy;
        RV_TRY(boundary(a, r->verified_cursor, r->verified_chunk, &c[5], err));
    }
    return add_table(l, columns, N, cells, n, 0, err);
}

/* ---- chunks ---- */

static const rv_table_column chunk_columns[] = {
    {"IDX", 0, true},   {"STATUS", 0, false}, {"START", 0, false}, {"END", 0, false},
    {"TRIES", 0, true}, {"ROWS", 0, true},    {"FILE", 0, false}};
enum { CHUNK_COLUMNS = sizeof chunk_columns / sizeof chunk_columns[0] };

static rv_status add_tasks(const listing *l, const rv_task_rows *tasks, rv_error *err)
{
    rv_arena *a = l->cli->arena;
    const char **cells = NULL, **notes = NULL;
    RV_TRY(rv_arena_array(a, tasks->n * CHUNK_COLUMNS + 1, sizeof *cells, &cells, err));
    RV_TRY(rv_arena_array(a, tasks->n + 1, sizeof *notes, &notes, err));
    for (size_t i = 0; i < tasks->n; i++) {
        const rv_task_row *t = &tasks->rows[i];
        const char **c = &cells[i * CHUNK_COLUMNS];
        RV_TRY(rv_cell_i64(a, t->chunk_index, &c[0], err));
        c[1] = t->status;
        c[2] = t->start_key;
        c[3] = t->end_key;
        RV_TRY(rv_cell_i64(a, t->attempts, &c[4], err));
        RV_TRY(rv_cell_i64(a, t->rows_written, &c[5], err));
        c[6] = t->file_name;
        if (t->last_error)
            RV_TRY(rv_arena_printf(a, &notes[i], err, "error: %s", t->last_error));
    }
    const rv_table t = {.columns = chunk_columns,
                        .n_columns = CHUNK_COLUMNS,
                        .cells = cells,
                        .notes = notes,
                        .n_rows = tasks->n};
    return rv_table_text(&t, l->out, err);
}

static rv_status add_ranges(const listing *l, const rv_range_rows *ranges, rv_error *err)
{
    rv_arena *a = l->cli->arena;
    const char **cells = NULL;
    RV_TRY(rv_arena_array(a, ranges->n * CHUNK_COLUMNS + 1, sizeof *cells, &cells, err));
    for (size_t i = 0; i < ranges->n; i++) {
        const rv_range_row *r = &ranges->rows[i];
        const char **c = &cells[i * CHUNK_COLUMNS];
        RV_TRY(rv_cell_i64(a, r->range_index, &c[0], err));
        if (r->done)
            c[1] = "completed";
        else
            RV_TRY(rv_arena_printf(a, &c[1], err, "at %s", r->position ? r->position : "start"));
        c[2] = r->lo;
        c[3] = r->hi;
    }
    return add_table(l, chunk_columns, CHUNK_COLUMNS, cells, ranges->n, 0, err);
}

/* One text member, copied. */
static rv_status member(const listing *l, const json_t *object, const char *key, const char **out,
                        rv_error *err)
{
    const char *text = json_string_value(json_object_get(object, key));
    return rv_arena_cstr(l->cli->arena, rv_str_c(text ? text : "-"), out, err);
}

/* The newest checkpoint, when none is in progress. */
static rv_status closed_checkpoint(const listing *l, rv_checkpoint_row *out, bool *out_found,
                                   rv_error *err)
{
    rv_buf text = RV_BUF_INIT;
    json_t *run = NULL;
    rv_status st;
    RV_GO(view_json(l, RV_VIEW_CHUNKS, 0, &text, err));
    run = json_loadb((const char *)text.ptr, text.len, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    if (!run) {
        st = rv_fail_memory(err);
        goto done;
    }
    *out_found = json_is_object(run);
    if (!*out_found)
        goto done;
    *out = (rv_checkpoint_row){.export_name = l->export_name};
    out->tasks = out->tasks_done = (int64_t)json_array_size(json_object_get(run, "tasks"));
    RV_GO(member(l, run, "run_id", &out->run_id, err));
    RV_GO(member(l, run, "plan_hash", &out->plan_hash, err));
    RV_GO(member(l, run, "status", &out->status, err));
    RV_GO(member(l, run, "updated_at", &out->updated_at, err));
done:
    json_decref(run);
    rv_buf_free(&text);
    return st;
}

static rv_status list_chunks(const listing *l, uint64_t last, rv_error *err)
{
    rv_arena *a = l->cli->arena;
    rv_checkpoint_row c = {0};
    rv_task_rows tasks = {0};
    rv_range_rows ranges = {0};
    bool found = false;
    (void)last;
    RV_TRY(rv_state_checkpoint_get(l->state, l->export_name, a, &c, &found, err));
    if (!found)
        RV_TRY(closed_checkpoint(l, &c, &found, err));
    if (!found)
        return rv_buf_printf(l->out, err, "No chunk checkpoint of export '%s' exists.\n",
                             l->export_name);
    RV_TRY(rv_buf_printf(l->out, err,
                         "export:      %s\nrun_id:      %s\nplan_hash:   %s\nstatus:      %s "
                         "(%lld/%lld)\nupdated_at:  %s\n\n",
                         c.export_name, c.run_id, c.plan_hash, c.status, (long long)c.tasks_done,
                         (long long)c.tasks, c.updated_at));
    RV_TRY(rv_state_tasks(l->state, c.run_id, a, &tasks, err));
    if (tasks.n)
        return add_tasks(l, &tasks, err);
    RV_TRY(rv_state_ranges(l->state, c.run_id, a, &ranges, err));
    return add_ranges(l, &ranges, err);
}

/* ---- dispatch ---- */

typedef struct listing_kind {
    rv_command_id command;
    rv_state_view view;
    uint64_t last; /* default; 0 = no limit */
    rv_status (*text)(const listing *l, uint64_t last, rv_error *err);
    const char *empty; /* without any state */
} listing_kind;

static const listing_kind kinds[] = {
    {RV_CMD_STATE_SHOW, RV_VIEW_POSITIONS, 0, list_show, "No cursor is stored yet.\n"},
    {RV_CMD_STATE_RUNS, RV_VIEW_RUNS, LAST_RUNS, list_runs, "No run is recorded yet.\n"},
    {RV_CMD_STATE_FILES, RV_VIEW_FILES, LAST_FILES, list_files, "No file is recorded yet.\n"},
    {RV_CMD_STATE_CHUNKS, RV_VIEW_CHUNKS, 0, list_chunks, "No chunk checkpoint exists.\n"},
    {RV_CMD_STATE_PROGRESSION, RV_VIEW_PROGRESSION, 0, list_progression,
     "No export has committed anything yet.\n"},
};

static const listing_kind *kind_of(rv_command_id command)
{
    size_t i = 0;
    while (kinds[i].command != command)
        i++;
    return &kinds[i];
}

static rv_status list(const listing *l, const listing_kind *k, rv_error *err)
{
    uint64_t last = rv_args_count(l->cli->args, RV_FLAG_LAST, k->last);
    bool json = l->cli->args->json;
    if (!l->state && json)
        return rv_buf_add_c(l->out, k->view == RV_VIEW_CHUNKS ? "null" : "[]", err);
    if (!l->state)
        return rv_buf_add_c(l->out, k->empty, err);
    return json ? view_json(l, k->view, last, l->out, err) : k->text(l, last, err);
}

static int finish(rv_cli *cli, rv_status st, rv_buf *text, const rv_error *err)
{
    int code = st != RV_OK       ? rv_cli_fail(cli, err)
               : cli->args->json ? rv_cli_print_json(cli, text)
                                 : rv_cli_print(cli, text);
    rv_buf_free(text);
    return code;
}

int rv_cmd_state_list(rv_cli *cli)
{
    rv_error err = {0};
    rv_state *state = NULL;
    rv_buf text = RV_BUF_INIT;
    int code = rv_cli_load(cli, 0);
    if (code == 0)
        code = rv_cli_state(cli, &state);
    if (code == 0)
        code = rv_cli_known_export(cli, state);
    if (code == 0) {
        const listing l = {cli, state, cli->args->value[RV_FLAG_EXPORT], &text};
        rv_status st = list(&l, kind_of(cli->args->command->id), &err);
        code = finish(cli, st, &text, &err);
    }
    rv_state_close(state);
    return code;
}

static bool is_unfinished(const rv_run_row *r)
{
    return strcmp(r->status, "running") == 0 || strcmp(r->status, "unpublished") == 0;
}

static rv_status add_unfinished(const listing *l, rv_error *err)
{
    rv_run_rows rows = {0};
    RV_TRY(rv_state_runs(l->state, NULL, 0, l->cli->arena, &rows, err));
    size_t kept = 0;
    for (size_t i = 0; i < rows.n; i++)
        if (is_unfinished(&rows.rows[i]))
            rows.rows[kept++] = rows.rows[i];
    rows.n = kept;
    RV_TRY(rv_buf_add_byte(l->out, '\n', err));
    if (kept == 0)
        return rv_buf_add_c(l->out, "No run is unfinished.\n", err);
    RV_TRY(rv_buf_add_c(l->out, "Unfinished runs:\n", err));
    return add_runs(l, &rows, err);
}

int rv_cmd_state(rv_cli *cli)
{
    rv_error err = {0};
    rv_state *state = NULL;
    rv_buf text = RV_BUF_INIT;
    int code = rv_cli_load(cli, 0);
    if (code == 0)
        code = rv_cli_state(cli, &state);
    if (code == 0) {
        const listing l = {cli, state, NULL, &text};
        rv_status st = list(&l, kind_of(RV_CMD_STATE_PROGRESSION), &err);
        if (st == RV_OK && state)
            st = add_unfinished(&l, &err);
        code = finish(cli, st, &text, &err);
    }
    rv_state_close(state);
    return code;
}
