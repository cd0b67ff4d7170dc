#include "cli/cli_internal.h"

#include "cli/render_check.h"
#include "cli/signals.h"

static rv_status render_one(rv_cli *cli, const rv_check_report *r, bool first, bool types,
                            rv_buf *out, rv_error *err)
{
    /* an export that could not be judged has only its error, on stderr */
    if (r->error.code != RV_OK && r->n_columns == 0 && !r->verdict)
        return RV_OK;
    if (cli->args->json) {
        RV_TRY(rv_render_check_json(r, out, err));
        return rv_buf_add_byte(out, '\n', err);
    }
    if (!first)
        RV_TRY(rv_buf_add_byte(out, '\n', err));
    return rv_render_check(r, types, cli->arena, out, err);
}

/* The failure of an export: its own, or the first violation that stops it. */
static bool failure_of(const rv_check_report *r, rv_error *out)
{
    *out = r->error;
    if (r->error.code != RV_OK)
        return true;
    for (size_t i = 0; i < r->n_violations; i++) {
        const rv_violation *v = &r->violations[i];
        if (!v->fatal)
            continue;
        bool lossy = strcmp(v->fidelity, rv_fidelity_name(RV_LOSSY)) == 0;
        (void)rv_fail(out, lossy ? RV_E_TYPE_LOSSY : RV_E_TYPE_UNSUPPORTED,
                      "export '%s': column '%s': %s", r->export_name, v->column_name, v->message);
        return true;
    }
    return false;
}

static int report(rv_cli *cli, const rv_check_report *reports, size_t n, bool types)
{
    rv_error err = {0};
    rv_buf text = RV_BUF_INIT;
    rv_status st = rv_cli_failures_begin(cli, n, &err);
    for (size_t i = 0; st == RV_OK && i < n; i++)
        st = render_one(cli, &reports[i], text.len == 0, types, &text, &err);
    int code = st == RV_OK ? rv_cli_print(cli, &text) : rv_cli_fail(cli, &err);
    rv_buf_free(&text);
    for (size_t i = 0; st == RV_OK && i < n; i++)
        if (failure_of(&reports[i], &err))
            code = rv_exit_worse(code, rv_cli_fail_export(cli, reports[i].export_name, &err));
    rv_cli_failures_end(cli, n, code);
    return code;
}

int rv_cmd_check(rv_cli *cli)
{
    const rv_args *a = cli->args;
    rv_error err = {0};
    rv_signals *signals = NULL;
    rv_check_report *reports = NULL;
    size_t n = 0;
    int code = rv_cli_load(cli, RV_LOAD_SOURCE | RV_LOAD_EXPORTS | RV_LOAD_QUERIES | RV_LOAD_KNOWN);
    if (code != 0)
        return code;
    rv_check_opts opts = {.export_name = a->value[RV_FLAG_EXPORT],
                          .type_report = a->json || rv_args_has(a, RV_FLAG_TYPE_REPORT),
                          .strict = rv_args_has(a, RV_FLAG_STRICT)};
    if (rv_args_has(a, RV_FLAG_TARGET)) {
        /* the parser has checked the word; a judgement without the table would be lost */
        (void)rv_target_from_name(rv_str_c(a->value[RV_FLAG_TARGET]), &opts.target);
        opts.type_report = true;
    }
    if (rv_signals_open(cli->env.cancel, &signals, &err) != RV_OK)
        return rv_cli_fail(cli, &err);
    rv_status st = rv_engine_check(&cli->env, cli->cfg, &opts, cli->arena, &reports, &n, &err);
    code = st == RV_OK ? report(cli, reports, n, opts.type_report) : rv_cli_fail(cli, &err);
    rv_signals_close(signals);
    return code;
}
