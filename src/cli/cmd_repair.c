#include "cli/cli_internal.h"

#include "base/file.h"
#include "cli/render_reconcile.h"
#include "cli/signals.h"

#define REPORT_MAX_BYTES (256u * 1024u * 1024u)

static int report(rv_cli *cli, const rv_repair_report *r)
{
    rv_error err = {0};
    rv_buf text = RV_BUF_INIT;
    int code;
    rv_status st =
        cli->args->json ? rv_render_repair_json(r, &text, &err) : rv_render_repair(r, &text, &err);
    if (st != RV_OK)
        code = rv_cli_fail(cli, &err);
    else
        code = cli->args->json ? rv_cli_print_json(cli, &text) : rv_cli_print(cli, &text);
    rv_buf_free(&text);
    return code;
}

static rv_status read_report(const char *path, rv_buf *out, rv_error *err)
{
    bool found = false;
    RV_TRY(rv_file_read_all(path, REPORT_MAX_BYTES, out, &found, err));
    if (!found)
        return rv_fail(err, RV_E_REPAIR_REPORT, "report %s: there is no such file", path);
    return rv_buf_cstr(out) ? RV_OK : rv_fail_memory(err);
}

static int repair(rv_cli *cli, const rv_cfg_export *x, const rv_repair_opts *opts)
{
    rv_error err = {0};
    rv_signals *signals = NULL;
    rv_repair_report r;
    int code = 0;
    if (rv_signals_open(cli->env.cancel, &signals, &err) != RV_OK)
        return rv_cli_fail(cli, &err);
    rv_status st = rv_engine_repair(&cli->env, cli->cfg, x, opts, cli->arena, &r, &err);
    if (r.export_name)
        code = report(cli, &r);
    if (st != RV_OK)
        code = rv_exit_worse(code, rv_cli_fail_export(cli, x->name, &err));
    rv_signals_close(signals);
    return code;
}

int rv_cmd_repair(rv_cli *cli)
{
    rv_error err = {0};
    rv_buf given = RV_BUF_INIT;
    const rv_args *a = cli->args;
    const rv_cfg_export *x;
    rv_repair_opts opts = {.report_path = a->value[RV_FLAG_REPORT],
                           .execute = rv_args_has(a, RV_FLAG_EXECUTE),
                           .lock_wait_s = (int64_t)cli->lock_wait_s};
    int code = rv_cli_load(cli, RV_LOAD_SOURCE | RV_LOAD_EXPORTS | RV_LOAD_QUERIES);
    if (code == 0)
        code = rv_cli_dataset(cli, a->value[RV_FLAG_EXPORT], &x);
    if (code != 0)
        return code;
    if (opts.report_path && read_report(opts.report_path, &given, &err) != RV_OK) {
        rv_buf_free(&given);
        return rv_cli_fail(cli, &err);
    }
    if (opts.report_path)
        opts.report_json = rv_buf_cstr(&given);
    code = repair(cli, x, &opts);
    rv_buf_free(&given);
    return code;
}
