#include "cli/render_run.h"
#include "cli/run_view.h"
#include "cli/signals.h"
#include "engine/apply.h"

#define RV_TARGET "apply"

/* What is applied: a plan (cfg of the plan) or a configuration. */
typedef struct rv_applied {
    rv_apply plan;
    bool is_plan, together;
} rv_applied;

static rv_status run_it(rv_cli *cli, const rv_applied *what, rv_run_view *view,
                        rv_run_report *report, rv_error *err)
{
    rv_run_opts opts;
    rv_run_view_opts(view, &opts);
    rv_buf_clear(&view->resume);
    RV_TRY(rv_buf_add_c(&view->resume, "rivet apply ", err));
    RV_TRY(rv_render_shell_word(cli->args->operand, &view->resume, err));
    opts.command = rv_buf_cstr(&view->resume);
    if (!opts.command)
        return rv_fail_memory(err);
    if (!what->is_plan)
        return rv_apply_waves(&cli->env, cli->cfg, &opts, what->together, cli->arena, report, err);
    opts.force = opts.force && opts.resume; /* the other meanings are judged by now */
    return rv_apply_run(&cli->env, &what->plan, &opts, cli->arena, report, err);
}

static int run_shown(rv_cli *cli, const rv_applied *what)
{
    rv_error err = {0};
    rv_run_view view;
    rv_run_report report = {0};
    if (rv_run_view_open(cli, what->together ? RV_PROCESSES : RV_SEQUENTIAL, &view, &err) != RV_OK)
        return rv_cli_fail(cli, &err);
    int code = run_it(cli, what, &view, &report, &err) == RV_OK ? rv_run_view_end(&view, &report)
                                                                : rv_cli_fail(cli, &err);
    rv_run_view_close(&view);
    return code;
}

static int run_watched(rv_cli *cli, const rv_applied *what)
{
    rv_error err = {0};
    rv_signals *signals = NULL;
    if (rv_run_view_check(cli, &err) != RV_OK)
        return rv_cli_fail(cli, &err);
    if (rv_signals_open(cli->env.cancel, &signals, &err) != RV_OK)
        return rv_cli_fail(cli, &err);
    int code = run_shown(cli, what);
    rv_signals_close(signals);
    return code;
}

/* ---- a plan ---- */

static int apply_plan(rv_cli *cli)
{
    const rv_args *a = cli->args;
    rv_error err = {0};
    rv_applied what = {.is_plan = true};
    rv_cfg none = {.project = "", .dir = "."};
    const rv_apply_opts opts = {.export_name = a->value[RV_FLAG_EXPORT],
                                .force = rv_args_has(a, RV_FLAG_FORCE),
                                .need_notifications = !rv_args_has(a, RV_FLAG_NO_NOTIFY)};
    if (rv_args_has(a, RV_FLAG_PARAM))
        return rv_cli_usage(cli, "--param belongs to `rivet plan`: a plan holds its values");
    if (rv_args_has(a, RV_FLAG_PARALLEL_PROCESSES))
        RV_LOG_WARN(&cli->env, "--parallel-export-processes does nothing for a plan");
    if (rv_apply_open(&cli->env, a->operand, &opts, cli->arena, &what.plan, &err) != RV_OK)
        return rv_cli_fail(cli, &err);
    if (!what.plan.cfg)
        none.path = what.plan.refused[0].config_path;
    cli->cfg = what.plan.cfg ? what.plan.cfg : &none;
    int code = run_watched(cli, &what);
    cli->cfg = NULL;
    return code;
}

/* ---- a configuration ---- */

static int apply_config(rv_cli *cli)
{
    const rv_args *a = cli->args;
    unsigned need = RV_LOAD_SOURCE | RV_LOAD_EXPORTS | RV_LOAD_QUERIES | RV_LOAD_KNOWN;
    int code = rv_cli_load(cli, need);
    if (code != 0)
        return code;
    if (rv_args_has(a, RV_FLAG_FORCE) && !rv_args_has(a, RV_FLAG_RESUME))
        RV_LOG_WARN(&cli->env, "--force does nothing without --resume");
    bool alone = rv_args_has(a, RV_FLAG_EXPORT) || cli->cfg->n_exports < 2;
    rv_applied what = {.together = !alone && (rv_args_has(a, RV_FLAG_PARALLEL_PROCESSES) ||
                                              cli->cfg->parallel_export_processes)};
    return run_watched(cli, &what);
}

int rv_cmd_apply(rv_cli *cli)
{
    rv_str file = rv_str_c(cli->args->operand);
    if (rv_str_ends(file, RV_STR(".json")))
        return apply_plan(cli);
    if (rv_str_ends(file, RV_STR(".yaml")) || rv_str_ends(file, RV_STR(".yml")))
        return apply_config(cli);
    return rv_cli_usage(cli, "'%s' is neither a plan (.json) nor a configuration (.yaml, .yml)",
                        cli->args->operand);
}
