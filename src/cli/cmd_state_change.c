#include "cli/cli_internal.h"

#include "engine/engine.h"

#define DAYS_MAX 36500

static const char *export_of(const rv_cli *cli)
{
    return cli->args->value[RV_FLAG_EXPORT];
}

static int failed(rv_cli *cli, const rv_error *err)
{
    return rv_cli_fail(cli, err);
}

static int say(rv_cli *cli, const char *text)
{
    rv_error err = {0};
    rv_buf line = RV_BUF_INIT;
    int code;
    if (rv_buf_printf(&line, &err, "%s\n", text) == RV_OK)
        code = rv_cli_print(cli, &line);
    else
        code = rv_cli_fail(cli, &err);
    rv_buf_free(&line);
    return code;
}

/* One line: `before` name `after`. */
static int say_of(rv_cli *cli, const char *before, const char *name, const char *after)
{
    rv_error err = {0};
    const char *text = NULL;
    if (rv_arena_printf(cli->arena, &text, &err, "%s%s%s", before, name, after) != RV_OK)
        return rv_cli_fail(cli, &err);
    return say(cli, text);
}

/* Names of the buckets of a partitioned export; none for any other. */
static rv_status buckets_of(rv_cli *cli, rv_state *state, const char ***out, size_t *out_n,
                            rv_error *err)
{
    const rv_cfg_export *x = rv_cfg_find_export(cli->cfg, export_of(cli), NULL);
    *out_n = 0;
    return x ? rv_engine_buckets(state, cli->cfg, x, cli->arena, out, out_n, err) : RV_OK;
}

static int reset(rv_cli *cli, rv_state *state)
{
    rv_error err = {0};
    const char **buckets;
    size_t n;
    int code = rv_cli_known_export(cli, state);
    if (code != 0)
        return code;
    if (buckets_of(cli, state, &buckets, &n, &err) != RV_OK ||
        rv_state_reset(state, export_of(cli), &err) != RV_OK)
        return failed(cli, &err);
    for (size_t i = 0; i < n; i++) /* the parent alone remembers nothing */
        if (rv_state_reset(state, buckets[i], &err) != RV_OK)
            return failed(cli, &err);
    return say_of(cli, "Progress of export '", export_of(cli), "' is forgotten; its files stay.");
}

/* ---- reset-chunks ---- */

static int drop_one(rv_cli *cli, rv_state *state, const char *name, bool only_in_progress)
{
    rv_error err = {0};
    int64_t dropped = 0;
    bool force = rv_args_has(cli->args, RV_FLAG_FORCE);
    const char *text = NULL;
    rv_status st = rv_state_checkpoint_drop(state, name, only_in_progress, force, &dropped, &err);
    if (st == RV_OK)
        st = rv_arena_printf(cli->arena, &text, &err, "%s: %lld checkpoint%s deleted", name,
                             (long long)dropped, dropped == 1 ? "" : "s");
    return st == RV_OK ? say(cli, text) : rv_cli_fail_export(cli, name, &err);
}

static int drop_of_export(rv_cli *cli, rv_state *state)
{
    rv_error err = {0};
    const char **buckets;
    size_t n;
    if (buckets_of(cli, state, &buckets, &n, &err) != RV_OK)
        return failed(cli, &err);
    int code = drop_one(cli, state, export_of(cli), false);
    for (size_t i = 0; i < n; i++)
        code = rv_exit_worse(code, drop_one(cli, state, buckets[i], false));
    return code;
}

static int drop_stuck(rv_cli *cli, rv_state *state)
{
    rv_error err = {0};
    const char **names = NULL;
    size_t n = 0, found = 0;
    int code = 0;
    if (rv_state_exports(state, cli->arena, &names, &n, &err) != RV_OK)
        return failed(cli, &err);
    for (size_t i = 0; i < n; i++) {
        rv_checkpoint_row c = {0};
        bool open = false;
        if (rv_state_checkpoint_get(state, names[i], cli->arena, &c, &open, &err) != RV_OK)
            return failed(cli, &err);
        if (!open)
            continue;
        found++;
        bool ours =
            rv_cfg_find_export(cli->cfg, names[i], NULL) || rv_engine_is_bucket(cli->cfg, names[i]);
        int one = ours
                      ? drop_one(cli, state, names[i], true)
                      : say_of(cli, "", names[i], ": skipped, not an export of this configuration");
        code = rv_exit_worse(code, one);
    }
    return found ? code : say(cli, "No chunk checkpoint is in progress.");
}

static int reset_chunks(rv_cli *cli, rv_state *state)
{
    int code = rv_cli_known_export(cli, state);
    if (code != 0)
        return code;
    if (!state)
        return say(cli, "No chunk checkpoint is in progress.");
    return export_of(cli) ? drop_of_export(cli, state) : drop_stuck(cli, state);
}

/* ---- accept and set-cursor ---- */

/* Of the position, or, without one, of the checkpoint in progress; NULL when nothing is stored. */
static rv_status stored_owner(rv_cli *cli, rv_state *state, const char *name, const char **out,
                              rv_error *err)
{
    rv_position_row p = {0};
    rv_checkpoint_row c = {0};
    rv_run_row run = {0};
    bool found = false;
    RV_TRY(rv_state_position_get(state, name, cli->arena, &p, &found, err));
    *out = found ? p.owner : NULL;
    if (*out)
        return RV_OK;
    RV_TRY(rv_state_checkpoint_get(state, name, cli->arena, &c, &found, err));
    if (found)
        RV_TRY(rv_state_run_get(state, c.run_id, cli->arena, &run, &found, err));
    *out = found ? run.owner : NULL;
    return RV_OK;
}

static int accept(rv_cli *cli, rv_state *state, const rv_cfg_export *x)
{
    rv_error err = {0};
    const char *facts = NULL, *stored = NULL;
    bool yes = false;
    if (stored_owner(cli, state, x->name, &stored, &err) != RV_OK ||
        rv_engine_owner_facts(&cli->env, cli->cfg, x, cli->arena, &facts, &err) != RV_OK)
        return failed(cli, &err);
    rv_cli_notef(cli,
                 "stored: %s\ntoday:  %s\nWARNING: the next run continues from progress that was "
                 "made elsewhere; rows may be missing or doubled if the data differs.\n",
                 stored ? stored : "(none)", facts);
    int code = rv_cli_confirm(cli, "Bind the stored progress to today's facts?", &yes);
    if (code != 0 || !yes)
        return code ? code : 1;
    if (rv_state_accept(state, x->name, facts, &err) != RV_OK)
        return failed(cli, &err);
    return say_of(cli, "Stored progress of export '", x->name, "' now belongs to today's source.");
}

static int set_cursor(rv_cli *cli, rv_state *state, const rv_cfg_export *x)
{
    rv_error err = {0};
    rv_position_row p = {0};
    const char *type = NULL, *value = cli->args->operand;
    bool found = false, yes = false;
    if (rv_state_position_get(state, x->name, cli->arena, &p, &found, &err) != RV_OK ||
        rv_engine_check_cursor(&cli->env, cli->cfg, x, value, cli->arena, &type, &err) != RV_OK)
        return failed(cli, &err);
    const char *old = found && p.last_cursor_value ? p.last_cursor_value : "(none)";
    rv_cli_notef(cli, "cursor of '%s': %s -> %s\n", x->name, old, value);
    int code = rv_cli_confirm(cli, "Store the new value?", &yes);
    if (code != 0 || !yes)
        return code ? code : 1;
    if (rv_state_set_cursor(state, x->name, value, type, &err) != RV_OK)
        return failed(cli, &err);
    const char *text = NULL;
    if (rv_arena_printf(cli->arena, &text, &err, "Cursor of export '%s': %s (was %s)", x->name,
                        value, old) != RV_OK)
        return failed(cli, &err);
    return say(cli, text);
}

/* Both need the export's declaration and its source. */
static int bind_position(rv_cli *cli, rv_state *state)
{
    const rv_cfg_export *x = NULL;
    int code = rv_cli_dataset(cli, export_of(cli), &x);
    if (code != 0)
        return code;
    if (!state) {
        rv_error err = {0};
        (void)rv_fail(&err, RV_E_STATE_UNKNOWN, "nothing is stored for export '%s' yet", x->name);
        return failed(cli, &err);
    }
    return cli->args->command->id == RV_CMD_STATE_ACCEPT ? accept(cli, state, x)
                                                         : set_cursor(cli, state, x);
}

/* ---- finish-run, copy, prune ---- */

static int finish_run(rv_cli *cli)
{
    rv_error err = {0};
    const char *outcome = NULL, *text = NULL;
    const char *run_id = cli->args->value[RV_FLAG_RUN_ID];
    if (rv_engine_finish_run(&cli->env, cli->cfg, run_id, cli->arena, &outcome, &err) != RV_OK ||
        rv_arena_printf(cli->arena, &text, &err, "%s: %s", run_id, outcome) != RV_OK)
        return failed(cli, &err);
    return say(cli, text);
}

static int copy(rv_cli *cli, rv_state *state)
{
    rv_error err = {0};
    const char *to = cli->args->value[RV_FLAG_TO];
    if (!state)
        return say(cli, "There is no state to copy yet.");
    if (rv_state_copy(state, &cli->env, to, cli->cfg->dir, &err) != RV_OK)
        return failed(cli, &err);
    return say_of(cli, "The state is copied to ", to, "; set RIVET_STATE_URL to use it.");
}

static int prune(rv_cli *cli, rv_state *state)
{
    rv_error err = {0};
    rv_prune_counts n = {0};
    const char *text = NULL;
    uint64_t days = rv_args_count(cli->args, RV_FLAG_KEEP_DAYS, 0);
    if (days > DAYS_MAX)
        return rv_cli_usage(cli, "--keep-days cannot be more than %d", DAYS_MAX);
    if (state && rv_state_prune(state, (int64_t)days, &n, &err) != RV_OK)
        return failed(cli, &err);
    if (rv_arena_printf(cli->arena, &text, &err,
                        "Deleted: %lld metrics, %lld journals, %lld file rows, %lld aggregates, "
                        "%lld runs",
                        (long long)n.metrics, (long long)n.journals, (long long)n.files,
                        (long long)n.aggregates, (long long)n.runs) != RV_OK)
        return failed(cli, &err);
    return say(cli, text);
}

static int change(rv_cli *cli, rv_state *state)
{
    switch ((int)cli->args->command->id) {
    case RV_CMD_STATE_RESET:
        return reset(cli, state);
    case RV_CMD_STATE_RESET_CHUNKS:
        return reset_chunks(cli, state);
    case RV_CMD_STATE_ACCEPT:
    case RV_CMD_STATE_SET_CURSOR:
        return bind_position(cli, state);
    case RV_CMD_STATE_COPY:
        return copy(cli, state);
    default:
        return prune(cli, state);
    }
}

/* A first position may be stored before the first run. */
static int new_state(rv_cli *cli, rv_state **out)
{
    rv_error err = {0};
    return rv_engine_state(&cli->env, cli->cfg, false, out, &err) == RV_OK ? 0 : failed(cli, &err);
}

int rv_cmd_state_change(rv_cli *cli)
{
    rv_state *state = NULL;
    const rv_args *a = cli->args;
    rv_command_id id = a->command->id;
    bool binds = id == RV_CMD_STATE_ACCEPT || id == RV_CMD_STATE_SET_CURSOR;
    if (id == RV_CMD_STATE_RESET_CHUNKS &&
        rv_args_has(a, RV_FLAG_EXPORT) == rv_args_has(a, RV_FLAG_STUCK))
        return rv_cli_usage(cli, "give either --export or --stuck-checkpoints");
    unsigned what = binds ? RV_LOAD_SOURCE | RV_LOAD_EXPORTS | RV_LOAD_QUERIES : 0;
    if (id == RV_CMD_STATE_FINISH_RUN)
        what = RV_LOAD_EXPORTS;
    int code = rv_cli_load(cli, what);
    if (code != 0)
        return code;
    if (id == RV_CMD_STATE_FINISH_RUN)
        return finish_run(cli);
    code = id == RV_CMD_STATE_SET_CURSOR ? new_state(cli, &state) : rv_cli_state(cli, &state);
    if (code == 0)
        code = change(cli, state);
    rv_state_close(state);
    return code;
}
