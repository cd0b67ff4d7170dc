#include "cli/cli_internal.h"

#include "cli/render_reconcile.h"
#include "cli/signals.h"

static int verdict(rv_cli *cli, const rv_reconcile_report *r)
{
    rv_error err = {0};
    if (r->unknown)
        rv_logf(cli->env.log, RV_WARN, "cli",
                "export '%s': %lld of %zu ranges could not be compared", r->export_name,
                (long long)r->unknown, r->n_partitions);
    if (!r->mismatches && !r->damaged)
        return 0;
    (void)rv_fail(
        &err, RV_E_RECONCILE,
        "export '%s': source and destination disagree (%lld ranges differ, %lld parts are "
        "damaged or missing)",
        r->export_name, (long long)r->mismatches, (long long)r->damaged);
    rv_hint(&err, "`rivet repair -e %s` shows what mends it", r->export_name);
    return rv_cli_fail_export(cli, r->export_name, &err);
}

static int report(rv_cli *cli, const rv_reconcile_report *r)
{
    rv_error err = {0};
    rv_buf text = RV_BUF_INIT;
    int code;
    rv_status st = cli->args->json ? rv_render_reconcile_json(r, &text, &err)
                                   : rv_render_reconcile(r, &text, &err);
    if (st != RV_OK)
        code = rv_cli_fail(cli, &err);
    else
        code = cli->args->json ? rv_cli_print_json(cli, &text) : rv_cli_print(cli, &text);
    rv_buf_free(&text);
    return st == RV_OK ? rv_exit_worse(code, verdict(cli, r)) : code;
}

int rv_cmd_reconcile(rv_cli *cli)
{
    rv_error err = {0};
    rv_signals *signals = NULL;
    rv_reconcile_report r;
    const rv_cfg_export *x;
    int code = rv_cli_load(cli, RV_LOAD_SOURCE | RV_LOAD_EXPORTS | RV_LOAD_QUERIES);
    if (code == 0)
        code = rv_cli_dataset(cli, cli->args->value[RV_FLAG_EXPORT], &x);
    if (code != 0)
        return code;
    if (rv_signals_open(cli->env.cancel, &signals, &err) != RV_OK)
        return rv_cli_fail(cli, &err);
    rv_status st = rv_engine_reconcile(&cli->env, cli->cfg, x, cli->arena, &r, &err);
    code = st == RV_OK ? report(cli, &r) : rv_cli_fail_export(cli, x->name, &err);
    rv_signals_close(signals);
    return code;
}
