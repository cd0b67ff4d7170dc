#include "cli/cli_internal.h"

#include "cli/signals.h"
#include "engine/engine.h"

#define CHECKS_OF_CONFIG 1

static const char *mark_of(const rv_cli *cli, char kind)
{
    bool colour = cli->out_colour;
    switch (kind) {
    case 'O':
        return colour ? "\033[32m[OK]\033[0m  " : "[OK]  ";
    case 'W':
        return colour ? "\033[33m[WARN]\033[0m " : "[WARN] ";
    case 'N':
        return "[note] ";
    default:
        return colour ? "\033[31m[FAIL]\033[0m " : "[FAIL] ";
    }
}

static rv_status add_lines(rv_buf *out, const char *lead, const char *text, rv_error *err)
{
    for (const char *line = text; line && *line;) {
        size_t len = strcspn(line, "\n");
        RV_TRY(rv_buf_printf(out, err, "%s%.*s\n", lead, (int)len, line));
        line += len + (line[len] == '\n');
    }
    return RV_OK;
}

static rv_status add_check(const rv_cli *cli, const rv_doctor_check *c, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_printf(out, err, "%s%s", mark_of(cli, c->kind), c->name));
    if (c->kind == 'O' || !c->detail || !c->detail[0]) {
        RV_TRY(rv_buf_add_byte(out, '\n', err));
    } else {
        size_t first = strcspn(c->detail, "\n");
        RV_TRY(rv_buf_printf(out, err, ": %.*s\n", (int)first, c->detail));
        RV_TRY(add_lines(out, "       ", c->detail + first + (c->detail[first] == '\n'), err));
    }
    return add_lines(out, c->kind == 'F' ? "       hint: " : "       ", c->hint, err);
}

static bool all_ok(const rv_doctor_check *checks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (checks[i].kind == 'F')
            return false;
    return true;
}

static rv_status render(const rv_cli *cli, const char *path, const rv_doctor_check *checks,
                        size_t n, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_printf(out, err, "rivet doctor: verifying auth for config '%s'\n\n", path));
    for (size_t i = 0; i < n; i++)
        RV_TRY(add_check(cli, &checks[i], out, err));
    return rv_buf_printf(out, err, "\n%s\n",
                         all_ok(checks, n) ? "All checks passed." : "Some checks failed.");
}

static rv_status render_json(const char *path, const rv_doctor_check *checks, size_t n, rv_buf *out,
                             rv_error *err)
{
    rv_json j;
    rv_json_begin(&j, out, false);
    rv_json_object(&j);
    rv_json_kstr(&j, "config_path", path);
    rv_json_kbool(&j, "all_ok", all_ok(checks, n));
    rv_json_key(&j, "checks");
    rv_json_array(&j);
    for (size_t i = 0; i < n; i++) {
        rv_json_object(&j);
        rv_json_kstr(&j, "name", checks[i].name);
        rv_json_kbool(&j, "ok", checks[i].kind != 'F');
        rv_json_kstr(&j, "detail", checks[i].detail);
        rv_json_kstr(&j, "hint", checks[i].hint);
        rv_json_object_end(&j);
    }
    rv_json_array_end(&j);
    rv_json_object_end(&j);
    return rv_json_end(&j, err);
}

/* 2 when every failure may pass by itself, else 1: no other code says "some checks failed". */
static int exit_of(const rv_doctor_check *checks, size_t n)
{
    bool transient = true;
    for (size_t i = 0; i < n; i++)
        if (checks[i].kind == 'F')
            transient = transient && rv_code(checks[i].code)->class_ == RV_CLASS_RETRYABLE;
    return all_ok(checks, n) ? 0 : transient ? 2 : 1;
}

/* People find the failures in the report; programs that asked for them find them on stderr. */
static void report_errors(rv_cli *cli, const char *path, const rv_doctor_check *checks, size_t n)
{
    if (cli->args->json_errors && cli->diags.n_errors) {
        (void)rv_cli_fail_config(cli, path, NULL);
        return;
    }
    for (size_t i = 0; cli->args->json_errors && i < n; i++) {
        rv_error err = {0};
        if (checks[i].kind != 'F')
            continue;
        (void)rv_fail(&err, checks[i].code, "%s: %s", checks[i].name,
                      checks[i].detail ? checks[i].detail : "failed");
        if (checks[i].hint)
            rv_hint(&err, "%s", checks[i].hint);
        (void)rv_cli_fail(cli, &err);
    }
}

static int report(rv_cli *cli, const char *path, const rv_doctor_check *checks, size_t n)
{
    rv_error err = {0};
    rv_buf text = RV_BUF_INIT;
    int code;
    rv_status st = cli->args->json ? render_json(path, checks, n, &text, &err)
                                   : render(cli, path, checks, n, &text, &err);
    if (st != RV_OK)
        code = rv_cli_fail(cli, &err);
    else
        code = cli->args->json ? rv_cli_print_json(cli, &text) : rv_cli_print(cli, &text);
    rv_buf_free(&text);
    report_errors(cli, path, checks, n);
    return code ? code : exit_of(checks, n);
}

/* Every mistake of the file in one check, one line each. */
static rv_status config_failure(rv_cli *cli, const char *path, const rv_error *failed,
                                rv_doctor_check *out, rv_error *err)
{
    rv_status st = RV_OK;
    rv_buf text = RV_BUF_INIT;
    for (size_t i = 0; i < cli->diags.n_errors; i++) {
        const rv_diag *d = &cli->diags.errors[i];
        if (i)
            RV_GO(rv_buf_add_byte(&text, '\n', err));
        if (d->pos.line)
            RV_GO(rv_buf_printf(&text, err, "%s:%u:%u: ", path, d->pos.line, d->pos.col));
        RV_GO(rv_buf_add_c(&text, d->text, err));
    }
    if (cli->diags.n_errors == 0)
        RV_GO(rv_buf_add_c(&text, failed->text, err));
    *out = (rv_doctor_check){.name = "Config", .kind = 'F', .code = failed->code};
    RV_GO(rv_arena_cstr(cli->arena, rv_buf_str(&text), &out->detail, err));
    if (failed->hint[0] && cli->diags.n_errors == 0)
        RV_GO(rv_arena_cstr(cli->arena, rv_str_c(failed->hint), &out->hint, err));
done:
    rv_buf_free(&text);
    return st;
}

static rv_status gather(rv_cli *cli, rv_doctor_check **out, size_t *out_n, rv_error *err)
{
    rv_doctor_check *found = NULL, *all = NULL;
    size_t n = 0;
    RV_TRY(rv_engine_doctor(&cli->env, cli->cfg, cli->arena, &found, &n, err));
    RV_TRY(rv_arena_array(cli->arena, n + CHECKS_OF_CONFIG, sizeof *all, &all, err));
    all[0] = (rv_doctor_check){.name = "Config parsed successfully", .kind = 'O'};
    if (n)
        memcpy(all + CHECKS_OF_CONFIG, found, n * sizeof *all);
    *out = all;
    *out_n = n + CHECKS_OF_CONFIG;
    return RV_OK;
}

static int examine(rv_cli *cli, const char *path)
{
    rv_error err = {0};
    rv_doctor_check config, *checks = &config;
    size_t n = 1;
    unsigned what = RV_LOAD_SOURCE | RV_LOAD_EXPORTS | RV_LOAD_QUERIES;
    rv_status st = rv_cli_load_quiet(cli, path, what, &err);
    rv_cli_warn_config(cli);
    if (st == RV_E_MEMORY || st == RV_E_INTERRUPTED)
        return rv_cli_fail(cli, &err);
    if (st != RV_OK) {
        rv_error failed = err;
        st = config_failure(cli, path, &failed, &config, &err);
    } else {
        st = gather(cli, &checks, &n, &err);
    }
    return st == RV_OK ? report(cli, path, checks, n) : rv_cli_fail(cli, &err);
}

int rv_cmd_doctor(rv_cli *cli)
{
    rv_error err = {0};
    rv_signals *signals = NULL;
    const char *path = NULL;
    if (rv_cli_config_path(cli, &path, &err) != RV_OK)
        return rv_cli_fail(cli, &err);
    if (rv_args_has(cli->args, RV_FLAG_FIX_CDC)) {
        (void)rv_fail(&err, RV_E_CONFIG_UNSUPPORTED, "--fix-cdc is not part of this build");
        return rv_cli_fail(cli, &err);
    }
    if (rv_signals_open(cli->env.cancel, &signals, &err) != RV_OK)
        return rv_cli_fail(cli, &err);
    int code = examine(cli, path);
    rv_signals_close(signals);
    return code;
}
