#include "cli/cli_internal.h"

#include "base/clock.h"
#include "cli/render_validate.h"
#include "cli/signals.h"

static rv_depth depth_of(const rv_args *a)
{
    const char *word = a->value[RV_FLAG_DEPTH];
    if (word && strcmp(word, "light") == 0)
        return RV_DEPTH_LIGHT;
    return word && strcmp(word, "full") == 0 ? RV_DEPTH_FULL : RV_DEPTH_SAMPLE;
}

static bool is_date(const char *text)
{
    char stamp[32];
    int64_t us;
    size_t len = strlen(text);
    if (len != 10)
        return false;
    memcpy(stamp, text, len);
    memcpy(stamp + len, "T00:00:00Z", sizeof "T00:00:00Z");
    return rv_rfc3339_parse(rv_str_c(stamp), &us);
}

static rv_status render(rv_cli *cli, const rv_validate_report *reports, size_t n, rv_buf *out,
                        rv_error *err)
{
    if (cli->args->json)
        return rv_render_validate_json(reports, n, out, err);
    for (size_t i = 0; i < n; i++) {
        if (i)
            RV_TRY(rv_buf_add_byte(out, '\n', err));
        RV_TRY(rv_render_validate(&reports[i], out, err));
    }
    return RV_OK;
}

static void failure_of(const rv_validate_report *r, rv_error *out)
{
    *out = r->error;
    if (r->error.code != RV_OK)
        return;
    size_t fatal = 0;
    const rv_failure *first = NULL;
    for (size_t i = 0; i < r->n_failures; i++) {
        if (!r->failures[i].fatal)
            continue;
        first = first ? first : &r->failures[i];
        fatal++;
    }
    (void)rv_fail(out, RV_E_VALIDATE, "export '%s': validation failed (%zu finding%s)%s%s",
                  r->export_name, fatal, fatal == 1 ? "" : "s", first ? "\n" : "",
                  first ? first->message : "");
    rv_hint(out, "'rivet run --validate' exports again and checks each part");
}

static int report(rv_cli *cli, const rv_validate_report *reports, size_t n)
{
    rv_error err = {0};
    rv_buf text = RV_BUF_INIT;
    int code;
    rv_status st = rv_cli_failures_begin(cli, n, &err);
    if (st == RV_OK)
        st = render(cli, reports, n, &text, &err);
    if (st != RV_OK)
        code = rv_cli_fail(cli, &err);
    else
        code = cli->args->json ? rv_cli_print_json(cli, &text) : rv_cli_print(cli, &text);
    rv_buf_free(&text);
    for (size_t i = 0; st == RV_OK && i < n; i++) {
        if (rv_validate_passed(&reports[i]))
            continue;
        failure_of(&reports[i], &err);
        code = rv_exit_worse(code, rv_cli_fail_export(cli, reports[i].export_name, &err));
    }
    rv_cli_failures_end(cli, n, code);
    return code;
}

int rv_cmd_validate(rv_cli *cli)
{
    const rv_args *a = cli->args;
    rv_error err = {0};
    rv_signals *signals = NULL;
    rv_validate_report *reports = NULL;
    size_t n = 0;
    const rv_validate_opts opts = {.export_name = a->value[RV_FLAG_EXPORT],
                                   .date = a->value[RV_FLAG_DATE],
                                   .run_id = a->value[RV_FLAG_RUN_ID],
                                   .prefix = a->value[RV_FLAG_PREFIX],
                                   .depth = depth_of(a)};
    if (opts.date && !is_date(opts.date))
        return rv_cli_usage(cli, "--date needs a day as YYYY-MM-DD, got '%s'", opts.date);
    int code = rv_cli_load(cli, RV_LOAD_EXPORTS | RV_LOAD_KNOWN);
    if (code != 0)
        return code;
    if (opts.prefix && !opts.export_name && cli->cfg->n_exports > 1)
        return rv_cli_usage(cli, "--prefix needs --export: %s declares %zu exports", cli->cfg->path,
                            cli->cfg->n_exports);
    if (rv_signals_open(cli->env.cancel, &signals, &err) != RV_OK)
        return rv_cli_fail(cli, &err);
    rv_status st = rv_engine_validate(&cli->env, cli->cfg, &opts, cli->arena, &reports, &n, &err);
    code = st == RV_OK ? report(cli, reports, n) : rv_cli_fail(cli, &err);
    rv_signals_close(signals);
    return code;
}
