#include "cli/cli_internal.h"

#include "base/file.h"
#include "cli/render_plan.h"
#include "cli/signals.h"
#include "config/annotate.h"

#define RV_TARGET "plan"

/* ---- output ---- */

static rv_status write_file(const char *path, rv_buf *json, rv_error *err)
{
    RV_TRY(rv_buf_add_byte(json, '\n', err));
    return rv_file_replace(path, rv_buf_bytes(json), 0600, err);
}

/* p.json and export x: p.x.json. */
static rv_status path_of_one(const char *path, const char *export_name, rv_arena *a,
                             const char **out, rv_error *err)
{
    rv_str stem = rv_str_c(path);
    if (rv_str_ends(stem, RV_STR(".json")))
        stem.len -= 5;
    return rv_arena_printf(a, out, err, "%.*s.%s.json", RV_STR_ARG(stem), export_name);
}

static rv_status add_all(const rv_plan *plans, size_t n, rv_buf *out, rv_error *err)
{
    if (n == 1)
        return rv_plan_json(&plans[0], out, err);
    for (size_t i = 0; i < n; i++) {
        RV_TRY(rv_buf_add_c(out, i ? ",\n" : "[\n", err));
        RV_TRY(rv_plan_json(&plans[i], out, err));
    }
    return rv_buf_add_c(out, "\n]", err);
}

/* Everything is made before the first file is written. */
static rv_status write_files(rv_cli *cli, const rv_plan *plans, size_t n, rv_buf *all,
                             rv_error *err)
{
    const char *path = cli->args->value[RV_FLAG_OUTPUT], *one;
    rv_buf text = RV_BUF_INIT;
    rv_status st = RV_OK;
    for (size_t i = 0; n > 1 && i < n; i++) {
        rv_buf_clear(&text);
        RV_GO(path_of_one(path, plans[i].export_name, cli->arena, &one, err));
        RV_GO(rv_plan_json(&plans[i], &text, err));
        RV_GO(write_file(one, &text, err));
    }
    st = write_file(path, all, err);
done:
    rv_buf_free(&text);
    return st;
}

static int report_json(rv_cli *cli, const rv_plan *plans, size_t n)
{
    rv_error err = {0};
    rv_buf all = RV_BUF_INIT;
    bool to_file = rv_args_has(cli->args, RV_FLAG_OUTPUT);
    int code = 0;
    rv_status st = add_all(plans, n, &all, &err);
    if (st == RV_OK && to_file)
        st = write_files(cli, plans, n, &all, &err);
    else if (st == RV_OK)
        st = rv_buf_add_byte(&all, '\n', &err);
    if (st != RV_OK)
        code = rv_cli_fail(cli, &err);
    else if (!to_file) /* secrets are out; what is masked once more would break the integrity */
        code = rv_cli_print_raw(cli, &all);
    rv_buf_free(&all);
    return code;
}

static int report_text(rv_cli *cli, const rv_plan *plans, size_t n)
{
    rv_error err = {0};
    rv_buf text = RV_BUF_INIT;
    rv_status st = RV_OK;
    for (size_t i = 0; i < n && st == RV_OK; i++) {
        st = rv_render_plan(&plans[i], &text, &err);
        if (st == RV_OK)
            st = rv_buf_add_byte(&text, '\n', &err);
    }
    if (st == RV_OK)
        st = rv_render_campaign(plans[0].campaign, &text, &err);
    int code = st == RV_OK ? rv_cli_print(cli, &text) : rv_cli_fail(cli, &err);
    rv_buf_free(&text);
    return code;
}

/* ---- waves ---- */

static rv_status annotations(rv_cli *cli, const rv_plan *plans, size_t n, rv_annotation **out,
                             rv_error *err)
{
    RV_TRY(rv_arena_array(cli->arena, n, sizeof **out, out, err));
    for (size_t i = 0; i < n; i++) {
        const rv_priority *r = &plans[i].campaign->exports[plans[i].campaign_index];
        (*out)[i] = (rv_annotation){.index = (size_t)(plans[i].x - cli->cfg->exports),
                                    .export_name = plans[i].export_name,
                                    .wave = (uint64_t)r->wave,
                                    .parallel_safe = r->parallel_safe};
    }
    return RV_OK;
}

/* The plans stand; a configuration that cannot be written is worth a WARN. */
static void annotate(rv_cli *cli, const rv_plan *plans, size_t n)
{
    rv_error err = {0};
    rv_annotation *items;
    const char *refusal = NULL, *path = cli->cfg->path;
    bool changed = false, rewrite = rv_args_has(cli->args, RV_FLAG_ANNOTATE);
    if (rv_args_has(cli->args, RV_FLAG_NO_ANNOTATE) || (n < 2 && !rewrite))
        return;
    rv_status st = annotations(cli, plans, n, &items, &err);
    if (st == RV_OK)
        st = rv_annotate_file(path, items, n, rewrite, cli->arena, &changed, &refusal, &err);
    if (st != RV_OK)
        refusal = err.text;
    if (refusal)
        RV_LOG_WARN(&cli->env, "no wave: lines were written into %s: %s", path, refusal);
    else if (changed)
        rv_cli_notef(cli, "wave: and parallel_safe: were written into %s\n", path);
}

/* ---- the command ---- */

static int report_failures(rv_cli *cli, const rv_plan *plans, size_t n, bool *out_failed)
{
    rv_error err = {0};
    int code = 0;
    *out_failed = false;
    if (rv_cli_failures_begin(cli, n, &err) != RV_OK)
        return rv_cli_fail(cli, &err);
    for (size_t i = 0; i < n; i++) {
        if (plans[i].error.code == RV_OK)
            continue;
        *out_failed = true;
        code = rv_exit_worse(code, rv_cli_fail_export(cli, plans[i].export_name, &plans[i].error));
    }
    rv_cli_failures_end(cli, n, code);
    return code;
}

static int plan_exports(rv_cli *cli)
{
    rv_error err = {0};
    rv_plan *plans = NULL;
    size_t n = 0;
    bool failed;
    if (rv_engine_plan(&cli->env, cli->cfg, cli->args->value[RV_FLAG_EXPORT], cli->arena, &plans,
                       &n, &err) != RV_OK)
        return rv_cli_fail(cli, &err);
    int code = report_failures(cli, plans, n, &failed);
    if (failed)
        return code;
    code = cli->args->json ? report_json(cli, plans, n) : report_text(cli, plans, n);
    if (code == 0)
        annotate(cli, plans, n);
    return code;
}

int rv_cmd_plan(rv_cli *cli)
{
    rv_error err = {0};
    rv_signals *signals = NULL;
    const rv_args *a = cli->args;
    if (rv_args_has(a, RV_FLAG_ANNOTATE) && rv_args_has(a, RV_FLAG_NO_ANNOTATE))
        return rv_cli_usage(cli, "--annotate-waves and --no-annotate-waves contradict each other");
    int code = rv_cli_load(cli, RV_LOAD_SOURCE | RV_LOAD_EXPORTS | RV_LOAD_QUERIES | RV_LOAD_KNOWN |
                                    RV_LOAD_SEAL);
    if (code != 0)
        return code;
    if (rv_signals_open(cli->env.cancel, &signals, &err) != RV_OK)
        return rv_cli_fail(cli, &err);
    code = plan_exports(cli);
    rv_signals_close(signals);
    return code;
}
