#include "cli/cli_internal.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/error_text.h"
#include "cli/help.h"

/* stderr is the last resort: where it fails there is nobody left to tell. */
static void write_stderr(rv_str text)
{
    rv_status st = rv_file_write(STDERR_FILENO, text.ptr, text.len, "stderr", NULL);
    (void)st;
}

static void put(const rv_secrets *secrets, rv_status made, const rv_buf *text)
{
    rv_buf clean = RV_BUF_INIT;
    if (made == RV_OK && rv_secrets_redact(secrets, rv_buf_str(text), &clean, NULL) == RV_OK)
        write_stderr(rv_buf_str(&clean));
    else
        write_stderr(RV_STR("Error: out of memory\n"));
    rv_buf_free(&clean);
}

int rv_cli_exit_of(const rv_cli *cli, rv_status code)
{
    rv_class class_ = rv_code(code)->class_;
    int signo = cli && cli->env.cancel ? rv_cancel_signal(cli->env.cancel) : 0;
    if (class_ == RV_CLASS_INTERRUPTED && (signo == SIGTERM || signo == SIGHUP))
        return 143;
    return rv_class_exit(class_);
}

static int report(rv_cli *cli, const rv_error_facts *e)
{
    rv_buf text = RV_BUF_INIT;
    rv_status st = cli->args->json_errors ? rv_error_json(e, &text, NULL)
                                          : rv_error_human(e, cli->err_colour, &text, NULL);
    put(cli->env.secrets, st, &text);
    rv_buf_free(&text);
    return e->exit_code;
}

/* A failing function without an error text is our own mistake; say so rather than nothing. */
static rv_status code_of(const rv_error *err)
{
    return err->code == RV_OK ? RV_E_INTERNAL : err->code;
}

int rv_cli_fail_child(rv_cli *cli, const char *export_name, const rv_error *err, int exit_code)
{
    rv_status code = code_of(err);
    rv_error_facts e = {.code = code,
                        .exit_code = exit_code,
                        .text = err->text,
                        .hint = err->hint,
                        .export_name = export_name};
    if (code == RV_E_USAGE)
        return rv_cli_fail_usage(cli->args, err);
    if (cli->n_failed < cli->max_failed && export_name)
        cli->failed[cli->n_failed++] = (rv_failed_export){export_name, NULL, code, e.exit_code};
    return report(cli, &e);
}

int rv_cli_fail_export(rv_cli *cli, const char *export_name, const rv_error *err)
{
    return rv_cli_fail_child(cli, export_name, err, rv_cli_exit_of(cli, code_of(err)));
}

int rv_cli_fail(rv_cli *cli, const rv_error *err)
{
    return rv_cli_fail_export(cli, NULL, err);
}

int rv_cli_fail_config(rv_cli *cli, const char *path, const rv_error *err)
{
    int exit_code = 0;
    if (cli->diags.n_errors == 0)
        return rv_cli_fail(cli, err);
    for (size_t i = 0; i < cli->diags.n_errors; i++) {
        const rv_diag *d = &cli->diags.errors[i];
        rv_error_facts e = {.code = d->code,
                            .exit_code = rv_cli_exit_of(cli, d->code),
                            .text = d->text,
                            .hint = "",
                            .file = path,
                            .pos = d->pos};
        exit_code = rv_exit_worse(exit_code, report(cli, &e));
    }
    return exit_code;
}

static rv_status usage_human(const rv_command *c, const char *text, rv_buf *out)
{
    RV_TRY(rv_buf_printf(out, NULL, "rivet: %s\n\n", text));
    RV_TRY(rv_help_usage(c, out, NULL));
    return rv_buf_printf(out, NULL, "Try 'rivet%s%s --help'.\n", c->path[0] ? " " : "", c->path);
}

int rv_cli_fail_usage(const rv_args *args, const rv_error *err)
{
    rv_buf text = RV_BUF_INIT;
    rv_error_facts e = {
        .code = RV_E_USAGE, .exit_code = RV_EXIT_USAGE, .text = err->text, .hint = err->hint};
    rv_status st = args->json_errors ? rv_error_json(&e, &text, NULL)
                                     : usage_human(args->command, err->text, &text);
    put(NULL, st, &text);
    rv_buf_free(&text);
    return RV_EXIT_USAGE;
}

int rv_cli_usage(rv_cli *cli, const char *fmt, ...)
{
    char text[512];
    rv_error err = {0};
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    (void)rv_fail(&err, RV_E_USAGE, "%s", text);
    return rv_cli_fail_usage(cli->args, &err);
}

rv_status rv_cli_failures_begin(rv_cli *cli, size_t max, rv_error *err)
{
    RV_TRY(rv_arena_array(cli->arena, max + 1, sizeof *cli->failed, &cli->failed, err));
    cli->max_failed = max;
    return RV_OK;
}

/* The failure whose exit code became the process's: its code speaks for all. */
static rv_status winner(const rv_cli *cli, int exit_code)
{
    for (size_t i = 0; i < cli->n_failed; i++)
        if (cli->failed[i].exit_code == exit_code)
            return cli->failed[i].code;
    return cli->failed[0].code;
}

static rv_status failures_json(const rv_cli *cli, size_t total, int exit_code, rv_buf *out)
{
    char text[96];
    rv_json j;
    (void)snprintf(text, sizeof text, "%zu of %zu exports failed", cli->n_failed, total);
    rv_error_facts e = {.code = winner(cli, exit_code), .exit_code = exit_code, .hint = ""};
    rv_json_begin(&j, out, false);
    rv_error_members(&j, &e, text);
    rv_json_key(&j, "failures");
    rv_json_array(&j);
    for (size_t i = 0; i < cli->n_failed; i++) {
        const rv_failed_export *f = &cli->failed[i];
        rv_json_object(&j);
        rv_json_kstr(&j, "export", f->export_name);
        rv_json_kstr(&j, "table", f->table);
        rv_json_kstr(&j, "code", rv_code(f->code)->name);
        rv_json_kstr(&j, "class", rv_class_name(rv_code(f->code)->class_));
        rv_json_ki64(&j, "exit_class", f->exit_code);
        rv_json_object_end(&j);
    }
    rv_json_array_end(&j);
    rv_json_object_end(&j);
    RV_TRY(rv_json_end(&j, NULL));
    return rv_buf_add_byte(out, '\n', NULL);
}

void rv_cli_failures_end(rv_cli *cli, size_t total, int exit_code)
{
    rv_buf text = RV_BUF_INIT;
    if (!cli->args->json_errors || cli->n_failed < 2)
        return;
    put(cli->env.secrets, failures_json(cli, total, exit_code, &text), &text);
    rv_buf_free(&text);
}
