/* cli/cli_internal.h: what every command shares: the context, the two streams, the errors.
 * One context per process; commands run on the main thread. Source: spec "cli" section 1. */
#ifndef RV_CLI_INTERNAL_H
#define RV_CLI_INTERNAL_H

#include "cli/args.h"
#include "config/config.h"
#include "state/state.h"

#define RV_EXIT_USAGE 2

typedef struct rv_failed_export {
    const char *export_name, *table;
    rv_status code;
    int exit_code;
} rv_failed_export;

typedef struct rv_cli {
    const rv_args *args;
    rv_arena *arena;
    rv_env env;
    rv_cfg *cfg; /* after rv_cli_load */
    rv_diags diags;
    bool out_tty, err_tty;
    bool out_colour, err_colour;
    uint64_t lock_wait_s;
    int ipc_fd; /* of a child of `run`: where its parent listens; -1: nobody started this one */
    rv_failed_export *failed; /* room for max_failed, by rv_cli_failures_begin */
    size_t n_failed, max_failed;
} rv_cli;

/* Log, secrets, cancel, terminal facts. On failure everything is closed again. */
rv_status rv_cli_open(rv_cli *cli, const rv_args *args, rv_arena *arena, rv_error *err) RV_MUST_USE;
void rv_cli_close(rv_cli *cli);

/* ---- streams (output.c) ---- */

/* stdout, redacted. The exit code so far: 0, also when a listing's reader went away; 1 otherwise
 * (reported). */
int rv_cli_print(rv_cli *cli, const rv_buf *text);
/* stdout as it is: help, schemas, scripts, data. */
int rv_cli_print_raw(rv_cli *cli, const rv_buf *text);
/* JSON with a line feed after it: to --output when given, else stdout. */
int rv_cli_print_json(rv_cli *cli, rv_buf *json);
/* stderr, redacted; nothing with --json-errors. */
void rv_cli_note(rv_cli *cli, const rv_buf *text);
void rv_cli_notef(rv_cli *cli, const char *fmt, ...) RV_PRINTF(2, 3);

/* ---- errors (fail.c): print once, return the exit code ---- */

int rv_cli_fail(rv_cli *cli, const rv_error *err);
int rv_cli_fail_export(rv_cli *cli, const char *export_name, const rv_error *err);
/* The same with the exit code of a child that decided itself. */
int rv_cli_fail_child(rv_cli *cli, const char *export_name, const rv_error *err, int exit_code);
/* Collected configuration mistakes, else the error itself. */
int rv_cli_fail_config(rv_cli *cli, const char *path, const rv_error *err);
/* Usage of the command, exit 2. cli may be NULL: before there is one. */
int rv_cli_fail_usage(const rv_args *args, const rv_error *err);
int rv_cli_usage(rv_cli *cli, const char *fmt, ...) RV_PRINTF(2, 3);
int rv_cli_exit_of(const rv_cli *cli, rv_status code);
/* Collects failures of several exports for the closing JSON line; `max` is their number. */
rv_status rv_cli_failures_begin(rv_cli *cli, size_t max, rv_error *err) RV_MUST_USE;
/* The last line of --json-errors when two or more exports failed. */
void rv_cli_failures_end(rv_cli *cli, size_t total, int exit_code);

/* ---- configuration and state (load.c) ---- */

enum {
    RV_LOAD_SOURCE = 1,  /* the connection must resolve */
    RV_LOAD_EXPORTS = 2, /* --export, or all: interpolation must resolve */
    RV_LOAD_QUERIES = 4,
    RV_LOAD_KNOWN = 8, /* --export must be declared */
    RV_LOAD_SEAL = 16  /* as JSON too */
};
/* --config or ./rivet.yaml; NULL and an error otherwise. */
rv_status rv_cli_config_path(rv_cli *cli, const char **out, rv_error *err) RV_MUST_USE;
/* Fills cli->cfg and cli->diags without printing. */
rv_status rv_cli_load_quiet(rv_cli *cli, const char *path, unsigned what,
                            rv_error *err) RV_MUST_USE;
/* The same, printing warnings and errors: 0 or the exit code. */
int rv_cli_load(rv_cli *cli, unsigned what);
void rv_cli_warn_config(rv_cli *cli);
/* The declared export of that name; prints what is declared otherwise. */
int rv_cli_export(rv_cli *cli, const char *name, const rv_cfg_export **out);
/* The same, or a bucket of a partitioned export by its full name, which asks the source. */
int rv_cli_dataset(rv_cli *cli, const char *name, const rv_cfg_export **out);
/* The state of the configuration (*out NULL: none yet). */
int rv_cli_state(rv_cli *cli, rv_state **out);
/* --export, where given, must be declared or known to the state (NULL: knows nothing). */
int rv_cli_known_export(rv_cli *cli, rv_state *state);
/* Asks on a terminal; without one --yes is needed. */
int rv_cli_confirm(rv_cli *cli, const char *question, bool *out_yes);

/* ---- commands: the exit code ---- */

int rv_cmd_run(rv_cli *cli);
int rv_cmd_check(rv_cli *cli);
int rv_cmd_plan(rv_cli *cli);
int rv_cmd_apply(rv_cli *cli);
int rv_cmd_doctor(rv_cli *cli);
int rv_cmd_init(rv_cli *cli);
int rv_cmd_validate(rv_cli *cli);
int rv_cmd_reconcile(rv_cli *cli);
int rv_cmd_repair(rv_cli *cli);
int rv_cmd_state(rv_cli *cli);
int rv_cmd_state_list(rv_cli *cli); /* show runs files chunks progression */
int rv_cmd_state_change(rv_cli *cli);
/* cmd_history.c */
int rv_cmd_metrics(rv_cli *cli);
int rv_cmd_journal(rv_cli *cli);
int rv_cmd_head(rv_cli *cli);
int rv_cmd_schema(rv_cli *cli);
int rv_cmd_completions(rv_cli *cli);

#endif
