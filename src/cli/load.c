#include "cli/cli_internal.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "engine/engine.h"
#include "engine/events.h"

#define RV_TARGET "config"

rv_status rv_cli_config_path(rv_cli *cli, const char **out, rv_error *err)
{
    *out = cli->args->value[RV_FLAG_CONFIG];
    if (cli->args->command->id == RV_CMD_APPLY)
        *out = cli->args->operand;
    if (*out)
        return RV_OK;
    if (access("rivet.yaml", F_OK) != 0)
        return rv_fail(err, RV_E_USAGE, "--config PATH is missing, and there is no ./rivet.yaml");
    *out = "rivet.yaml";
    return RV_OK;
}

/* A child has its parameters from its parent: as arguments everybody on the host could read them.
 */
static rv_status read_passed_params(rv_cli *cli, rv_cfg_opts *opts, rv_error *err)
{
    const char *text = rv_env_get(&cli->env, RV_ENV_PARAMS);
    json_t *root = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    rv_param *params = NULL;
    const char *key;
    json_t *value;
    size_t n = 0;
    rv_status st = RV_OK;
    if (text && !json_is_object(root))
        RV_GO(rv_fail(err, RV_E_USAGE, RV_ENV_PARAMS " is no JSON object"));
    RV_GO(rv_arena_array(cli->arena, json_object_size(root) + 1, sizeof *params, &params, err));
    json_object_foreach(root, key, value)
    {
        if (!json_is_string(value))
            RV_GO(rv_fail(err, RV_E_USAGE, RV_ENV_PARAMS ": '%s' is no text", key));
        RV_GO(rv_arena_cstr(cli->arena, rv_str_c(key), &params[n].key, err));
        RV_GO(rv_arena_cstr(cli->arena, rv_str_c(json_string_value(value)), &params[n].value, err));
        n++;
    }
    opts->params = params;
    opts->n_params = n;
done:
    json_decref(root);
    return st;
}

/* KEY=VALUE in the order given; a repeated key takes the place of its earlier value. */
static rv_status read_params(rv_cli *cli, rv_cfg_opts *opts, rv_error *err)
{
    const char *const *pairs = NULL;
    rv_param *params = NULL;
    size_t n_pairs = 0, n = 0;
    RV_TRY(rv_args_list(cli->args, RV_FLAG_PARAM, cli->arena, &pairs, &n_pairs, err));
    RV_TRY(rv_arena_array(cli->arena, n_pairs + 1, sizeof *params, &params, err));
    for (size_t i = 0; i < n_pairs; i++) {
        const char *eq = strchr(pairs[i], '=');
        const char *key = NULL;
        RV_TRY(rv_arena_cstr(cli->arena, (rv_str){pairs[i], (size_t)(eq - pairs[i])}, &key, err));
        size_t at = 0;
        while (at < n && strcmp(params[at].key, key) != 0)
            at++;
        params[at] = (rv_param){key, eq + 1};
        n += at == n;
    }
    opts->params = params;
    opts->n_params = n;
    return RV_OK;
}

/* The export itself and, where the name may be a bucket "{export}__{value}", whose it would be. */
static rv_status wanted_exports(rv_cli *cli, const char *one, rv_cfg_opts *opts, rv_error *err)
{
    const char **names;
    size_t n = 0;
    RV_TRY(rv_arena_array(cli->arena, strlen(one) + 1, sizeof *names, &names, err));
    names[n++] = one;
    for (const char *at = strstr(one, "__"); at; at = strstr(at + 1, "__"))
        RV_TRY(rv_arena_cstr(cli->arena, (rv_str){one, (size_t)(at - one)}, &names[n++], err));
    opts->exports = names;
    opts->n_exports = n;
    return RV_OK;
}

rv_status rv_cli_load_quiet(rv_cli *cli, const char *path, unsigned what, rv_error *err)
{
    const char *one = cli->args->value[RV_FLAG_EXPORT];
    rv_cfg_opts opts = {.need_source = (what & RV_LOAD_SOURCE) != 0,
                        .need_queries = (what & RV_LOAD_QUERIES) != 0,
                        .seal = (what & RV_LOAD_SEAL) != 0};
    if ((what & RV_LOAD_EXPORTS) && one)
        RV_TRY(wanted_exports(cli, one, &opts, err));
    else if (what & RV_LOAD_EXPORTS)
        opts.all_exports = true;
    RV_TRY(cli->ipc_fd < 0 ? read_params(cli, &opts, err) : read_passed_params(cli, &opts, err));
    return rv_cfg_load(&cli->env, path, &opts, cli->arena, &cli->cfg, &cli->diags, err);
}

void rv_cli_warn_config(rv_cli *cli)
{
    if (cli->ipc_fd >= 0) /* the parent said it */
        return;
    for (size_t i = 0; i < cli->diags.n_warnings; i++)
        RV_LOG_WARN(&cli->env, "%s", cli->diags.warnings[i]);
}

static rv_status unknown_export(rv_cli *cli, const char *name, const char *suggestion,
                                rv_error *err)
{
    rv_status st = RV_OK;
    rv_buf names = RV_BUF_INIT;
    for (size_t i = 0; i < cli->cfg->n_exports; i++)
        RV_GO(rv_buf_printf(&names, err, "%s%s", i ? ", " : "", cli->cfg->exports[i].name));
    st = rv_fail(err, RV_E_CONFIG_UNKNOWN_EXPORT, "no export '%s' in %s; declared: %.*s", name,
                 cli->cfg->path, RV_STR_ARG(rv_buf_str(&names)));
    if (suggestion)
        rv_hint(err, "did you mean '%s'?", suggestion);
done:
    rv_buf_free(&names);
    return st;
}

int rv_cli_export(rv_cli *cli, const char *name, const rv_cfg_export **out)
{
    rv_error err = {0};
    const char *suggestion = NULL;
    *out = rv_cfg_find_export(cli->cfg, name, &suggestion);
    if (*out)
        return 0;
    (void)unknown_export(cli, name, suggestion, &err);
    return rv_cli_fail(cli, &err);
}

int rv_cli_dataset(rv_cli *cli, const char *name, const rv_cfg_export **out)
{
    rv_error err = {0};
    *out = rv_cfg_find_export(cli->cfg, name, NULL);
    if (*out)
        return 0;
    if (rv_engine_bucket(&cli->env, cli->cfg, name, cli->arena, out, &err) != RV_OK)
        return rv_cli_fail_export(cli, name, &err);
    return *out ? 0 : rv_cli_export(cli, name, out);
}

int rv_cli_load(rv_cli *cli, unsigned what)
{
    rv_error err = {0};
    const char *path = NULL;
    if (rv_cli_config_path(cli, &path, &err) != RV_OK)
        return rv_cli_fail(cli, &err);
    rv_status st = rv_cli_load_quiet(cli, path, what, &err);
    rv_cli_warn_config(cli);
    if (st != RV_OK)
        return rv_cli_fail_config(cli, path, &err);
    const rv_cfg_export *ignored;
    if ((what & RV_LOAD_KNOWN) && rv_args_has(cli->args, RV_FLAG_EXPORT))
        return rv_cli_export(cli, cli->args->value[RV_FLAG_EXPORT], &ignored);
    return 0;
}

int rv_cli_state(rv_cli *cli, rv_state **out)
{
    rv_error err = {0};
    *out = NULL;
    if (rv_engine_state(&cli->env, cli->cfg, true, out, &err) != RV_OK)
        return rv_cli_fail(cli, &err);
    return 0;
}

static rv_status check_known(rv_cli *cli, rv_state *state, const char *name, rv_error *err)
{
    rv_status st = RV_OK;
    rv_buf names = RV_BUF_INIT;
    const char **known = NULL;
    size_t n = 0;
    if (state)
        RV_TRY(rv_state_exports(state, cli->arena, &known, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (strcmp(known[i], name) == 0)
            goto done;
        RV_GO(rv_buf_printf(&names, err, "%s%s", i ? ", " : "", known[i]));
    }
    st = rv_fail(err, RV_E_STATE_UNKNOWN, "the state knows no export '%s'; it knows: %.*s", name,
                 n ? (int)names.len : 7, n ? (const char *)names.ptr : "nothing");
    int best = n ? rv_suggest(rv_str_c(name), known, n) : -1;
    if (best >= 0)
        rv_hint(err, "did you mean '%s'? 'rivet state show' lists what is stored", known[best]);
    else
        rv_hint(err, "'rivet state show' lists what is stored");
done:
    rv_buf_free(&names);
    return st;
}

int rv_cli_known_export(rv_cli *cli, rv_state *state)
{
    rv_error err = {0};
    const char *name = cli->args->value[RV_FLAG_EXPORT];
    /* what only looks may also ask for a declared export without a past; what changes may not */
    bool looks = cli->args->command->id != RV_CMD_STATE_RESET;
    if (!name || (looks && rv_cfg_find_export(cli->cfg, name, NULL)))
        return 0;
    return check_known(cli, state, name, &err) == RV_OK ? 0 : rv_cli_fail(cli, &err);
}

int rv_cli_confirm(rv_cli *cli, const char *question, bool *out_yes)
{
    char answer[16] = "";
    *out_yes = rv_args_has(cli->args, RV_FLAG_YES);
    if (*out_yes)
        return 0;
    if (!isatty(STDIN_FILENO) || !cli->err_tty || cli->args->json_errors)
        return rv_cli_usage(
            cli, "'rivet %s' needs a confirmation and there is no terminal to ask: pass --yes",
            cli->args->command->path);
    rv_cli_notef(cli, "%s [y/N] ", question);
    ssize_t n;
    do {
        n = read(STDIN_FILENO, answer, sizeof answer - 1);
    } while (n < 0 && errno == EINTR);
    *out_yes = n > 0 && (answer[0] == 'y' || answer[0] == 'Y');
    if (!*out_yes)
        rv_cli_notef(cli, "nothing was changed\n");
    return 0;
}
