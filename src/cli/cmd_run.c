#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cli/run_view.h"
#include "cli/signals.h"

/* Nobody would hear of a run that outlived its parent, and no lease would protect what was not
 * started: a child ends, resumable, when its parent dies. */
static void follow_parent(rv_cli *cli, rv_signals *signals)
{
    struct pollfd reader = {.fd = cli->ipc_fd, .events = POLLOUT};
    rv_signals_from_parent(signals, getppid());
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (poll(&reader, 1, 0) > 0 && (reader.revents & POLLERR))
        rv_cancel_raise(cli->env.cancel, SIGTERM); /* it died before that took effect */
}

/* What kept the run from starting is the parent's to tell. */
static int fail_run(rv_cli *cli, rv_run_view *view, const rv_error *err)
{
    rv_export_report report = {.export_name = cli->args->value[RV_FLAG_EXPORT],
                               .status = "failed",
                               .error = *err,
                               .exit_code = rv_cli_exit_of(cli, err->code)};
    if (cli->ipc_fd < 0 || !report.export_name)
        return rv_cli_fail(cli, err);
    view->hooks.finished(view->hooks.ctx, &report);
    return report.exit_code;
}

static int run_exports(rv_cli *cli, rv_run_view *view)
{
    rv_error err = {0};
    rv_run_report report = {0};
    rv_run_opts opts;
    rv_run_view_opts(view, &opts);
    opts.command = rv_buf_cstr(&view->resume);
    rv_status st = rv_engine_run(&cli->env, cli->cfg, &opts, cli->arena, &report, &err);
    return st == RV_OK ? rv_run_view_end(view, &report) : fail_run(cli, view, &err);
}

static int run_watched(rv_cli *cli, rv_parallel how)
{
    rv_error err = {0};
    rv_signals *signals = NULL;
    rv_run_view view;
    int code;
    if (rv_signals_open(cli->env.cancel, &signals, &err) != RV_OK)
        return rv_cli_fail(cli, &err);
    if (cli->ipc_fd >= 0)
        follow_parent(cli, signals);
    if (rv_run_view_open(cli, how, &view, &err) == RV_OK) {
        code = run_exports(cli, &view);
        rv_run_view_close(&view);
    } else {
        code = rv_cli_fail(cli, &err);
    }
    rv_signals_close(signals);
    return code;
}

/* Processes win; one export alone has nobody to run beside. */
static rv_parallel parallel_of(const rv_cli *cli)
{
    const rv_cfg *cfg = cli->cfg;
    if (rv_args_has(cli->args, RV_FLAG_EXPORT) || cfg->n_exports < 2)
        return RV_SEQUENTIAL;
    if (rv_args_has(cli->args, RV_FLAG_PARALLEL_PROCESSES) || cfg->parallel_export_processes)
        return RV_PROCESSES;
    if (rv_args_has(cli->args, RV_FLAG_PARALLEL_EXPORTS) || cfg->parallel_exports)
        return RV_THREADS;
    return RV_SEQUENTIAL;
}

int rv_cmd_run(rv_cli *cli)
{
    rv_error err = {0};
    unsigned what = RV_LOAD_SOURCE | RV_LOAD_EXPORTS | RV_LOAD_QUERIES | RV_LOAD_KNOWN;
    int code = rv_cli_load(cli, what);
    if (code != 0)
        return code;
    if (rv_run_view_check(cli, &err) != RV_OK)
        return rv_cli_fail(cli, &err);
    if (rv_args_has(cli->args, RV_FLAG_FORCE) && !rv_args_has(cli->args, RV_FLAG_RESUME))
        rv_logf(cli->env.log, RV_WARN, "cli", "--force does nothing without --resume");
    return run_watched(cli, parallel_of(cli));
}
