#include "cli/run_view.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/render_run.h"

#define RV_TARGET "cli"

/* ---- what the run says while it goes ---- */

static int64_t *rows_of(rv_run_view *v, const char *export_name)
{
    const rv_cfg_export *x = rv_cfg_find_export(v->cli->cfg, export_name, NULL);
    return x ? &v->rows[x - v->cli->cfg->exports] : NULL;
}

static void show_together(rv_run_view *v)
{
    char name[64];
    int64_t rows = 0;
    size_t n = v->cli->cfg->n_exports;
    for (size_t i = 0; v->rows && i < n; i++)
        rows += v->rows[i];
    (void)snprintf(name, sizeof name, "%zu/%zu exports", v->ended, n);
    rv_progress_rename(v->progress, name);
    rv_progress_step(v->progress, 0, rows);
}

static void on_started(void *ctx, const rv_export_report *r)
{
    rv_run_view *v = ctx;
    rv_cards_start(v->cards, r->export_name);
    if (v->how == RV_SEQUENTIAL)
        rv_progress_start(v->progress, r->export_name);
}

static void on_planned(void *ctx, const char *export_name, int64_t total_chunks)
{
    rv_run_view *v = ctx;
    rv_cards_plan(v->cards, export_name, total_chunks);
    if (v->how == RV_SEQUENTIAL)
        rv_progress_plan(v->progress, total_chunks);
}

static void on_progress(void *ctx, const char *export_name, int64_t chunks_done, int64_t rows)
{
    rv_run_view *v = ctx;
    int64_t *sum = rows_of(v, export_name);
    if (sum)
        *sum = rows;
    rv_cards_step(v->cards, export_name, chunks_done, rows);
    if (v->how == RV_SEQUENTIAL)
        rv_progress_step(v->progress, chunks_done, rows);
    else
        show_together(v);
}

/* With cards the block stands where the child's log stands. */
static void show_block(rv_run_view *v, const rv_buf *text)
{
    rv_buf clean = RV_BUF_INIT;
    if (!v->cards) {
        rv_progress_hold(v->progress);
        rv_cli_note(v->cli, text);
        rv_progress_release(v->progress);
        return;
    }
    if (rv_secrets_redact(v->cli->env.secrets, rv_buf_str(text), &clean, NULL) == RV_OK) {
        /* the log is a convenience: what counts is in the state */
        rv_status st = rv_file_write(v->children.log_fd, clean.ptr, clean.len, "the log", NULL);
        (void)st;
    }
    rv_buf_free(&clean);
}

static void on_finished(void *ctx, const rv_export_report *r)
{
    rv_run_view *v = ctx;
    rv_buf text = RV_BUF_INIT;
    int64_t *sum = rows_of(v, r->export_name);
    v->ended++;
    if (sum && r->rows >= 0)
        *sum = r->rows;
    if (v->how == RV_SEQUENTIAL)
        rv_progress_stop(v->progress);
    else
        show_together(v);
    if (rv_render_export(r, rv_buf_cstr(&v->resume), &text, NULL) == RV_OK)
        show_block(v, &text);
    rv_cards_finish(v->cards, r);
    rv_buf_free(&text);
}

/* ---- the display ---- */

static unsigned columns_of(const rv_cli *cli)
{
    const char *text = rv_env_get(&cli->env, "COLUMNS");
    uint64_t n = 0;
    return text && rv_str_u64(rv_str_c(text), &n) && n >= 2 && n < 10000 ? (unsigned)n : 0;
}

static bool shows_progress(const rv_cli *cli)
{
    const char *term = rv_env_get(&cli->env, "TERM");
    return cli->err_tty && !cli->args->json_errors && !cli->args->json &&
           !(term && strcmp(term, "dumb") == 0);
}

/* rivet-run-<UTC stamp>.log beside the configuration. */
static rv_status open_log(rv_run_view *v, rv_error *err)
{
    char stamp[24];
    rv_stamp_utc(rv_env_now_us(&v->cli->env), stamp);
    RV_TRY(rv_buf_printf(&v->log_path, err, "%s/rivet-run-%s.log", v->cli->cfg->dir, stamp));
    const char *path = rv_buf_cstr(&v->log_path);
    return path ? rv_file_append(path, 0600, &v->children.log_fd, err) : rv_fail_memory(err);
}

static rv_status open_cards(rv_run_view *v, rv_error *err)
{
    rv_error why = {0};
    if (open_log(v, &why) != RV_OK) {
        RV_LOG_WARN(&v->cli->env, "no cards are shown: %s", why.text);
        return RV_OK;
    }
    return rv_cards_open(&v->cli->env, STDERR_FILENO, columns_of(v->cli), v->cli->cfg, &v->cards,
                         err);
}

static rv_status open_display(rv_run_view *v, rv_error *err)
{
    rv_cli *cli = v->cli;
    if (!shows_progress(cli))
        return RV_OK;
    if (v->how == RV_PROCESSES)
        return open_cards(v, err);
    RV_TRY(rv_progress_open(cli->env.log, STDERR_FILENO, columns_of(cli), &v->progress, err));
    if (v->how == RV_THREADS)
        rv_progress_start(v->progress, "");
    return RV_OK;
}

/* ---- the children ---- */

static rv_status params_json(rv_run_view *v, rv_error *err)
{
    const char *const *pairs = NULL;
    size_t n = 0;
    rv_json j;
    RV_TRY(rv_args_list(v->cli->args, RV_FLAG_PARAM, v->cli->arena, &pairs, &n, err));
    rv_json_begin(&j, &v->params, false);
    rv_json_object(&j);
    for (size_t i = 0; i < n; i++) {
        bool repeated = false; /* the last one counts */
        size_t len = strcspn(pairs[i], "=");
        for (size_t k = i + 1; k < n; k++)
            repeated = repeated || strncmp(pairs[i], pairs[k], len + 1) == 0;
        if (repeated)
            continue;
        rv_json_key_str(&j, (rv_str){pairs[i], len});
        rv_json_cstr(&j, pairs[i] + len + 1);
    }
    rv_json_object_end(&j);
    RV_TRY(rv_json_end(&j, err));
    v->children.params_json = rv_buf_cstr(&v->params);
    return v->children.params_json ? RV_OK : rv_fail_memory(err);
}

/* --json-errors promises a stderr without log lines, unless they were asked for. */
static rv_status hush_children(rv_run_view *v, rv_error *err)
{
    const char *level = rv_env_get(&v->cli->env, "RIVET_LOG");
    if (!v->cli->args->json_errors || (level && level[0]))
        return RV_OK;
    return rv_file_append("/dev/null", 0600, &v->children.log_fd, err);
}

static rv_status open_parts(rv_run_view *v, rv_error *err)
{
    rv_cli *cli = v->cli;
    RV_TRY(rv_buf_add_c(&v->resume, "rivet run -c ", err));
    RV_TRY(rv_render_shell_word(cli->cfg->path, &v->resume, err));
    if (!rv_buf_cstr(&v->resume))
        return rv_fail_memory(err);
    RV_TRY(rv_arena_array(cli->arena, cli->cfg->n_exports + 1, sizeof *v->rows, &v->rows, err));
    if (cli->ipc_fd >= 0) {
        v->writer = (rv_event_writer){&cli->env, cli->cfg, cli->ipc_fd};
        v->hooks = rv_event_hooks(&v->writer);
        return RV_OK;
    }
    v->hooks = (rv_run_hooks){v, on_started, on_planned, on_progress, on_finished};
    if (v->how == RV_PROCESSES)
        RV_TRY(params_json(v, err));
    if (v->how == RV_PROCESSES)
        RV_TRY(hush_children(v, err));
    return open_display(v, err);
}

rv_status rv_run_view_open(rv_cli *cli, rv_parallel how, rv_run_view *out, rv_error *err)
{
    *out = (rv_run_view){.cli = cli, .how = how, .children = {.log_fd = -1}};
    out->children.lock_wait_given = rv_args_has(cli->args, RV_FLAG_LOCK_WAIT);
    rv_status st = open_parts(out, err);
    if (st != RV_OK)
        rv_run_view_close(out);
    return st;
}

/* The cards stay on the screen, and with them where more is written. */
static void close_cards(rv_run_view *v)
{
    if (!v->cards)
        return;
    rv_cards_close(v->cards);
    v->cards = NULL;
    rv_cli_notef(v->cli, "logs of the exports: %s\n", rv_buf_cstr(&v->log_path));
}

void rv_run_view_close(rv_run_view *v)
{
    close_cards(v);
    rv_progress_close(v->progress);
    rv_file_close(v->children.log_fd);
    rv_buf_free(&v->resume);
    rv_buf_free(&v->params);
    rv_buf_free(&v->log_path);
}

void rv_run_view_opts(const rv_run_view *v, rv_run_opts *out)
{
    const rv_args *a = v->cli->args;
    *out = (rv_run_opts){.validate = rv_args_has(a, RV_FLAG_VALIDATE),
                         .reconcile = rv_args_has(a, RV_FLAG_RECONCILE),
                         .resume = rv_args_has(a, RV_FLAG_RESUME),
                         .force = rv_args_has(a, RV_FLAG_FORCE),
                         .strict = rv_args_has(a, RV_FLAG_STRICT),
                         .no_notify = rv_args_has(a, RV_FLAG_NO_NOTIFY),
                         .lock_wait_s = (int64_t)v->cli->lock_wait_s,
                         .export_name = a->value[RV_FLAG_EXPORT],
                         .parallel = v->how,
                         .children = &v->children,
                         .hooks = &v->hooks};
    if (v->cli->ipc_fd >= 0)
        out->aggregate_id = rv_env_get(&v->cli->env, RV_ENV_AGGREGATE);
}

/* ---- the closing words ---- */

rv_status rv_run_view_check(const rv_cli *cli, rv_error *err)
{
    const char *one = cli->args->value[RV_FLAG_EXPORT];
    for (size_t i = 0; cli->args->json && i < cli->cfg->n_exports; i++) {
        const rv_cfg_export *x = &cli->cfg->exports[i];
        if (x->dest.kind != RV_DEST_STDOUT || (one && strcmp(one, x->name) != 0))
            continue;
        (void)rv_fail(err, RV_E_CONFIG_STDOUT, "export '%s' writes to stdout: --json cannot too",
                      x->name);
        rv_hint(err, "write the summary to a file with --summary-output PATH");
        return RV_E_CONFIG_STDOUT;
    }
    return RV_OK;
}

static int write_summary(rv_cli *cli, const rv_buf *json)
{
    rv_error err = {0};
    rv_buf clean = RV_BUF_INIT;
    rv_status st = rv_secrets_redact(cli->env.secrets, rv_buf_str(json), &clean, &err);
    if (st == RV_OK)
        st = rv_buf_add_byte(&clean, '\n', &err);
    if (st == RV_OK)
        st = rv_file_replace(cli->args->value[RV_FLAG_SUMMARY_OUTPUT], rv_buf_bytes(&clean), 0600,
                             &err);
    rv_buf_free(&clean);
    return st == RV_OK ? 0 : rv_cli_fail(cli, &err);
}

static int report_json(rv_cli *cli, const rv_run_report *report)
{
    rv_error err = {0};
    rv_buf json = RV_BUF_INIT;
    int code = 0;
    if (rv_run_report_json(report, cli->cfg, &json, &err) != RV_OK)
        code = rv_cli_fail(cli, &err);
    if (code == 0 && rv_args_has(cli->args, RV_FLAG_SUMMARY_OUTPUT))
        code = write_summary(cli, &json);
    if (code == 0 && cli->args->json)
        code = rv_cli_print_json(cli, &json);
    rv_buf_free(&json);
    return code;
}

static int report_end(rv_cli *cli, const rv_run_report *report)
{
    rv_error err = {0};
    rv_buf text = RV_BUF_INIT;
    int code = report->exit_code;
    if (rv_render_summary(report, &text, &err) == RV_OK)
        rv_cli_note(cli, &text);
    rv_buf_free(&text);
    if (rv_cli_failures_begin(cli, report->n_exports, &err) != RV_OK)
        return rv_cli_fail(cli, &err);
    for (size_t i = 0; i < report->n_exports; i++) {
        const rv_export_report *x = &report->exports[i];
        if (x->error.code != RV_OK && x->exit_code != 0)
            (void)rv_cli_fail_child(cli, x->export_name, &x->error, x->exit_code);
    }
    if (rv_args_has(cli->args, RV_FLAG_SUMMARY_OUTPUT) || cli->args->json)
        code = rv_exit_worse(code, report_json(cli, report));
    rv_cli_failures_end(cli, report->n_exports, code);
    return code;
}

int rv_run_view_end(rv_run_view *v, const rv_run_report *report)
{
    close_cards(v);
    rv_progress_stop(v->progress);
    return v->cli->ipc_fd >= 0 ? report->exit_code : report_end(v->cli, report);
}
