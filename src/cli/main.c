#include "cli/cli.h"

#include <signal.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli_internal.h"
#include "cli/help.h"

/* Before there is a context: no log, no known secrets. */
static int fail_early(const rv_args *args, rv_arena *arena, const rv_error *err)
{
    rv_cli cli = {.args = args, .arena = arena};
    return rv_cli_fail(&cli, err);
}

static rv_status write_text(int fd, const rv_buf *text, rv_error *err)
{
    rv_status st = rv_file_write(fd, text->ptr, text->len, "the help", err);
    return strcmp(err->native, "EPIPE") == 0 ? RV_OK : st;
}

static int show_help(const rv_args *args, int fd, int code)
{
    rv_error err = {0};
    rv_buf text = RV_BUF_INIT;
    rv_status st = rv_args_has(args, RV_FLAG_HELP) || fd == STDERR_FILENO
                       ? rv_help_text(args->command, &text, &err)
                       : rv_buf_printf(&text, &err, "rivet %s\n", RIVET_VERSION);
    if (st == RV_OK)
        st = write_text(fd, &text, &err);
    if (st != RV_OK)
        code = fail_early(args, NULL, &err);
    rv_buf_free(&text);
    return code;
}

static int refuse(rv_cli *cli)
{
    rv_error err = {0};
    (void)rv_fail(&err, RV_E_CONFIG_UNSUPPORTED, "'rivet %s' is not part of this build",
                  cli->args->command->path);
    return rv_cli_fail(cli, &err);
}

static int dispatch(rv_cli *cli)
{
    if (cli->args->command->bits & RV_CMD_NOT_BUILT)
        return refuse(cli);
    switch ((int)cli->args->command->id) {
    case RV_CMD_INIT:
        return rv_cmd_init(cli);
    case RV_CMD_DOCTOR:
        return rv_cmd_doctor(cli);
    case RV_CMD_CHECK:
        return rv_cmd_check(cli);
    case RV_CMD_RUN:
        return rv_cmd_run(cli);
    case RV_CMD_PLAN:
        return rv_cmd_plan(cli);
    case RV_CMD_APPLY:
        return rv_cmd_apply(cli);
    case RV_CMD_VALIDATE:
        return rv_cmd_validate(cli);
    case RV_CMD_RECONCILE:
        return rv_cmd_reconcile(cli);
    case RV_CMD_REPAIR:
        return rv_cmd_repair(cli);
    case RV_CMD_STATE:
        return rv_cmd_state(cli);
    case RV_CMD_STATE_SHOW:
    case RV_CMD_STATE_RUNS:
    case RV_CMD_STATE_FILES:
    case RV_CMD_STATE_CHUNKS:
    case RV_CMD_STATE_PROGRESSION:
        return rv_cmd_state_list(cli);
    case RV_CMD_METRICS:
        return rv_cmd_metrics(cli);
    case RV_CMD_JOURNAL:
        return rv_cmd_journal(cli);
    case RV_CMD_HEAD:
        return rv_cmd_head(cli);
    case RV_CMD_COMPLETIONS:
        return rv_cmd_completions(cli);
    case RV_CMD_SCHEMA_CONFIG:
    case RV_CMD_SCHEMA_CLI:
    case RV_CMD_SCHEMA_ERRORS:
    case RV_CMD_SCHEMA_MAN:
        return rv_cmd_schema(cli);
    default: /* what is left are the state commands that change something */
        return rv_cmd_state_change(cli);
    }
}

static int run_command(const rv_args *args, rv_arena *arena)
{
    rv_cli cli;
    rv_error err = {0};
    if (rv_cli_open(&cli, args, arena, &err) != RV_OK)
        return fail_early(args, arena, &err);
    int code = dispatch(&cli);
    rv_cli_close(&cli);
    return code;
}

int rv_cli_main(int argc, char **argv)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_args args;
    rv_error err = {0};
    int code;
    (void)signal(SIGPIPE, SIG_IGN);
    rv_status st = rv_args_parse(argc, argv, &arena, &args, &err);
    if (st != RV_OK && argc <= 1 && args.command->id == RV_CMD_ROOT)
        code = show_help(&args, STDERR_FILENO, RV_EXIT_USAGE);
    else if (st != RV_OK)
        code = fail_early(&args, &arena, &err);
    else if (rv_args_has(&args, RV_FLAG_HELP) || rv_args_has(&args, RV_FLAG_VERSION))
        code = show_help(&args, STDOUT_FILENO, 0);
    else
        code = run_command(&args, &arena);
    rv_arena_free(&arena);
    return code;
}
