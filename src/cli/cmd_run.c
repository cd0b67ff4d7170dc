#include "cli/cli_internal.h"

#include <unistd.h>

#include "base/file.h"
#include "cli/progress.h"
#include "cli/render_run.h"
#include "cli/signals.h"

/* What the hooks and the end of a run share. */
typedef struct run_view {
    rv_cli *cli;
    rv_progress *progress; /* NULL: suppressed */
    rv_buf resume;         /* "rivet run -c rivet.yaml" */
} run_view;

static void on_started(void *ctx, const rv_export_report *r)
{
    run_view *v = ctx;
    rv_progress_start(v->progress, r->export_name);
}

static void on_planned(void *ctx, const char *export_name, int64_t total_chunks)
{
    run_view *v = ctx;
    (void)export_name;
    rv_progress_plan(v->progress, total_chunks);
}

static void on_progress(void *ctx, const char *export_name, int64_t chunks_done, int64_t rows)
{
    run_view *v = ctx;
    (void)export_name;
    rv_progress_step(v->progress, chunks_done, rows);
}

static void on_finished(void *ctx, const rv_export_report *r)
{
    run_view *v = ctx;
    rv_buf text = RV_BUF_INIT;
    rv_progress_stop(v->progress);
    if (rv_render_export(r, rv_buf_cstr(&v->resume), &text, NULL) == RV_OK)
        rv_cli_note(v->cli, &text);
    rv_buf_free(&text);
}

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

static rv_status open_view(rv_cli *cli, run_view *v, rv_error *err)
{
    *v = (run_view){.cli = cli};
    RV_TRY(rv_buf_add_c(&v->resume, "rivet run -c ", err));
    RV_TRY(rv_render_shell_word(cli->cfg->path, &v->resume, err));
    if (!rv_buf_cstr(&v->resume))
        return rv_fail_memory(err);
    if (!shows_progress(cli))
        return RV_OK;
    return rv_progress_open(cli->env.log, STDERR_FILENO, columns_of(cli), &v->progress, err);
}

static void close_view(run_view *v)
{
    rv_progress_close(v->progress);
    rv_buf_free(&v->resume);
}

/* stdout is either the summary or the exported bytes, never both. */
static rv_status refuse_flags(rv_cli *cli, rv_error *err)
{
    const char *one = cli->args->value[RV_FLAG_EXPORT];
    if (rv_args_has(cli->args, RV_FLAG_PARALLEL_PROCESSES))
        return rv_fail(err, RV_E_CONFIG_UNSUPPORTED,
                       "--parallel-export-processes is not part of this build");
    if (rv_args_has(cli->args, RV_FLAG_PARALLEL_EXPORTS))
        return rv_fail(err, RV_E_CONFIG_UNSUPPORTED,
                       "--parallel-exports is not part of this build");
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
            (void)rv_cli_fail_export(cli, x->export_name, &x->error);
    }
    if (rv_args_has(cli->args, RV_FLAG_SUMMARY_OUTPUT) || cli->args->json)
        code = rv_exit_worse(code, report_json(cli, report));
    rv_cli_failures_end(cli, report->n_exports, code);
    return code;
}

static int run_exports(rv_cli *cli, run_view *view)
{
    rv_error err = {0};
    rv_run_report report = {0};
    const rv_args *a = cli->args;
    const rv_run_hooks hooks = {view, on_started, on_planned, on_progress, on_finished};
    const rv_run_opts opts = {.export_name = a->value[RV_FLAG_EXPORT],
                              .validate = rv_args_has(a, RV_FLAG_VALIDATE),
                              .reconcile = rv_args_has(a, RV_FLAG_RECONCILE),
                              .resume = rv_args_has(a, RV_FLAG_RESUME),
                              .force = rv_args_has(a, RV_FLAG_FORCE),
                              .strict = rv_args_has(a, RV_FLAG_STRICT),
                              .no_notify = rv_args_has(a, RV_FLAG_NO_NOTIFY),
                              .lock_wait_s = (int64_t)cli->lock_wait_s,
                              .command = rv_buf_cstr(&view->resume),
                              .hooks = &hooks};
    rv_status st = rv_engine_run(&cli->env, cli->cfg, &opts, cli->arena, &report, &err);
    rv_progress_stop(view->progress);
    return st == RV_OK ? report_end(cli, &report) : rv_cli_fail(cli, &err);
}

static int run_watched(rv_cli *cli)
{
    rv_error err = {0};
    rv_signals *signals = NULL;
    run_view view;
    int code;
    if (rv_signals_open(cli->env.cancel, &signals, &err) != RV_OK)
        return rv_cli_fail(cli, &err);
    if (open_view(cli, &view, &err) == RV_OK)
        code = run_exports(cli, &view);
    else
        code = rv_cli_fail(cli, &err);
    close_view(&view);
    rv_signals_close(signals);
    return code;
}

int rv_cmd_run(rv_cli *cli)
{
    rv_error err = {0};
    unsigned what = RV_LOAD_SOURCE | RV_LOAD_EXPORTS | RV_LOAD_QUERIES | RV_LOAD_KNOWN;
    if (!rv_args_has(cli->args, RV_FLAG_NO_NOTIFY))
        what |= RV_LOAD_NOTIFY;
    int code = rv_cli_load(cli, what);
    if (code != 0)
        return code;
    if (refuse_flags(cli, &err) != RV_OK)
        return rv_cli_fail(cli, &err);
    if (rv_args_has(cli->args, RV_FLAG_FORCE) && !rv_args_has(cli->args, RV_FLAG_RESUME))
        rv_logf(cli->env.log, RV_WARN, "cli", "--force does nothing without --resume");
    return run_watched(cli);
}
