#include "cli/cli_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"

/* A reader that went away has seen what it wanted: no failure of a listing. */
static int write_stdout(rv_cli *cli, rv_str text)
{
    rv_error err = {0};
    rv_status st = rv_file_write(STDOUT_FILENO, text.ptr, text.len, "stdout", &err);
    if (st == RV_OK || strcmp(err.native, "EPIPE") == 0)
        return 0;
    return rv_cli_fail(cli, &err);
}

int rv_cli_print_raw(rv_cli *cli, const rv_buf *text)
{
    return write_stdout(cli, rv_buf_str(text));
}

int rv_cli_print(rv_cli *cli, const rv_buf *text)
{
    rv_error err = {0};
    rv_buf clean = RV_BUF_INIT;
    int code;
    if (rv_secrets_redact(cli->env.secrets, rv_buf_str(text), &clean, &err) == RV_OK)
        code = write_stdout(cli, rv_buf_str(&clean));
    else
        code = rv_cli_fail(cli, &err);
    rv_buf_free(&clean);
    return code;
}

static rv_status replace_output(rv_cli *cli, const rv_buf *json, rv_error *err)
{
    rv_buf clean = RV_BUF_INIT;
    rv_status st = rv_secrets_redact(cli->env.secrets, rv_buf_str(json), &clean, err);
    if (st == RV_OK)
        st = rv_file_replace(cli->args->value[RV_FLAG_OUTPUT], rv_buf_bytes(&clean), 0600, err);
    rv_buf_free(&clean);
    return st;
}

int rv_cli_print_json(rv_cli *cli, rv_buf *json)
{
    rv_error err = {0};
    rv_status st = rv_buf_add_byte(json, '\n', &err);
    if (st == RV_OK && !rv_args_has(cli->args, RV_FLAG_OUTPUT))
        return rv_cli_print(cli, json);
    if (st == RV_OK)
        st = replace_output(cli, json, &err);
    return st == RV_OK ? 0 : rv_cli_fail(cli, &err);
}

void rv_cli_note(rv_cli *cli, const rv_buf *text)
{
    rv_buf clean = RV_BUF_INIT;
    if (cli->args->json_errors)
        return;
    if (rv_secrets_redact(cli->env.secrets, rv_buf_str(text), &clean, NULL) == RV_OK) {
        /* stderr is the last resort: where it fails there is nobody left to tell */
        rv_status st = rv_file_write(STDERR_FILENO, clean.ptr, clean.len, "stderr", NULL);
        (void)st;
    }
    rv_buf_free(&clean);
}

void rv_cli_notef(rv_cli *cli, const char *fmt, ...)
{
    char line[2048];
    rv_buf text = RV_BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (rv_buf_add_c(&text, line, NULL) == RV_OK)
        rv_cli_note(cli, &text);
    rv_buf_free(&text);
}
