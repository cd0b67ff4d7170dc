#include "cli/cli_internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/events.h"

/* The one door to the environment of the process. */
static const char *process_env(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

static const char *env_of(const rv_cli *cli, const char *name)
{
    const char *value = rv_env_get(&cli->env, name);
    return value && value[0] ? value : NULL;
}

static rv_status find_tmp_dir(rv_cli *cli, rv_error *err)
{
    const char *dir = env_of(cli, "RIVET_TMPDIR");
    dir = dir ? dir : env_of(cli, "TMPDIR");
    dir = dir ? dir : "/tmp";
    if (dir[0] == '/') {
        cli->env.tmp_dir = dir;
        return RV_OK;
    }
    char *cwd = getcwd(NULL, 0);
    if (!cwd)
        return rv_fail(err, RV_E_IO, "the working directory cannot be read");
    rv_status st = rv_arena_printf(cli->arena, &cli->env.tmp_dir, err, "%s/%s", cwd, dir);
    free(cwd);
    return st;
}

static rv_status open_log(rv_cli *cli, rv_error *err)
{
    const char *filter = env_of(cli, "RIVET_LOG");
    const char *format = env_of(cli, "RIVET_LOG_FORMAT");
    filter = filter ? filter : env_of(cli, "RUST_LOG");
    rv_log_opts opts = {.filter = filter,
                        .json = format && strcmp(format, "json") == 0,
                        .tty = cli->err_tty,
                        .quiet_default = cli->args->json_errors,
                        .fd = STDERR_FILENO,
                        .secrets = cli->env.secrets};
    /* with --json-errors only an explicit RIVET_LOG brings log lines */
    if (cli->args->json_errors && !env_of(cli, "RIVET_LOG"))
        opts.filter = NULL;
    return rv_log_open(&opts, &cli->env.log, err);
}

static rv_status read_lock_wait(rv_cli *cli, rv_error *err)
{
    const char *text = env_of(cli, "RIVET_LOCK_WAIT");
    uint64_t seconds = 0;
    if (text && !rv_str_u64(rv_str_c(text), &seconds))
        return rv_fail(err, RV_E_USAGE, "RIVET_LOCK_WAIT needs a whole number of seconds, got '%s'",
                       text);
    cli->lock_wait_s = rv_args_count(cli->args, RV_FLAG_LOCK_WAIT, seconds);
    if (cli->lock_wait_s > INT32_MAX)
        return rv_fail(err, RV_E_USAGE, "--lock-wait cannot be longer than %d seconds", INT32_MAX);
    return RV_OK;
}

/* Only a pipe with a reader is a parent's; whatever else the variable names is somebody's mistake
 * and is left alone. */
static int find_ipc(const rv_cli *cli)
{
    const char *text = env_of(cli, RV_ENV_IPC_FD);
    uint64_t fd = 0;
    struct stat st;
    if (!text || !rv_str_u64(rv_str_c(text), &fd) || fd <= STDERR_FILENO || fd > INT32_MAX ||
        fstat((int)fd, &st) != 0 || !S_ISFIFO(st.st_mode))
        return -1;
    (void)fcntl((int)fd, F_SETFD, FD_CLOEXEC); /* nothing this one starts may hold it open */
    return (int)fd;
}

static rv_status read_grace(rv_cli *cli, rv_error *err)
{
    const char *text = env_of(cli, "RIVET_SHUTDOWN_GRACE_S");
    uint64_t seconds = 0;
    if (!text)
        return RV_OK;
    if (!rv_str_u64(rv_str_c(text), &seconds) || seconds > INT32_MAX)
        return rv_fail(err, RV_E_USAGE,
                       "RIVET_SHUTDOWN_GRACE_S needs a whole number of seconds, got '%s'", text);
    rv_cancel_set_grace_us(cli->env.cancel, (int64_t)seconds * 1000000);
    return RV_OK;
}

rv_status rv_cli_open(rv_cli *cli, const rv_args *args, rv_arena *arena, rv_error *err)
{
    *cli = (rv_cli){.args = args, .arena = arena, .env = {.getenv = process_env}, .ipc_fd = -1};
    if (args->command->id == RV_CMD_RUN)
        cli->ipc_fd = find_ipc(cli);
    const char *term = env_of(cli, "TERM");
    bool plain = env_of(cli, "NO_COLOR") || (term && strcmp(term, "dumb") == 0);
    cli->out_tty = isatty(STDOUT_FILENO) == 1;
    cli->err_tty = isatty(STDERR_FILENO) == 1;
    cli->out_colour = cli->out_tty && !plain;
    cli->err_colour = cli->err_tty && !plain;
    rv_status st;
    RV_GO(read_lock_wait(cli, err));
    RV_GO(find_tmp_dir(cli, err));
    RV_GO(rv_secrets_open(&cli->env.secrets, err));
    RV_GO(open_log(cli, err));
    RV_GO(rv_cancel_open(&cli->env.cancel, err));
    RV_GO(read_grace(cli, err));
done:
    if (st != RV_OK)
        rv_cli_close(cli);
    return st;
}

void rv_cli_close(rv_cli *cli)
{
    rv_cancel_close(cli->env.cancel);
    rv_log_close(cli->env.log);
    rv_secrets_close(cli->env.secrets);
    cli->env = (rv_env){0};
}
