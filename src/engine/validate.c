#include <string.h>

#include "base/clock.h"
#include "engine/validate_internal.h"

#define RV_TARGET "engine"

/* ---- failures ---- */

static rv_status copy(rv_arena *a, const char *text, const char **out, rv_error *err)
{
    *out = NULL;
    return text ? rv_arena_cstr(a, rv_str_c(text), out, err) : RV_OK;
}

static rv_status grow(rv_validating *v, rv_error *err)
{
    size_t cap = v->failures_cap ? v->failures_cap * 2 : 16;
    rv_failure *more;
    RV_TRY(rv_arena_array(v->arena, cap, sizeof *more, &more, err));
    if (v->out->n_failures)
        memcpy(more, v->out->failures, v->out->n_failures * sizeof *more);
    v->out->failures = more;
    v->failures_cap = cap;
    return RV_OK;
}

rv_status rv_validate_fail(rv_validating *v, const rv_failure *f, rv_error *err)
{
    rv_failure own = *f; /* kind is static */
    if (v->out->n_failures == v->failures_cap)
        RV_TRY(grow(v, err));
    RV_TRY(copy(v->arena, f->message, &own.message, err));
    RV_TRY(copy(v->arena, f->path, &own.path, err));
    RV_TRY(copy(v->arena, f->expected, &own.expected, err));
    RV_TRY(copy(v->arena, f->actual, &own.actual, err));
    RV_TRY(copy(v->arena, f->key, &own.key, err));
    RV_TRY(copy(v->arena, f->status, &own.status, err));
    v->out->failures[v->out->n_failures++] = own;
    return RV_OK;
}

/* ---- where ---- */

static bool delivered(const rv_run_row *r)
{
    return strcmp(r->status, "success") == 0 || strcmp(r->status, "degraded") == 0 ||
           strcmp(r->status, "unpublished") == 0;
}

/* The run whose date and id resolve the placeholders: the one named, else the latest that
 * delivered, else the latest. */
static rv_status placeholder_run(rv_validating *v, rv_run_row *out, bool *out_found, rv_error *err)
{
    rv_run_rows runs = {0};
    *out_found = false;
    if (!v->state)
        return RV_OK;
    if (v->opts->run_id)
        return rv_state_run_get(v->state, v->opts->run_id, v->arena, out, out_found, err);
    RV_TRY(rv_state_runs(v->state, v->x->name, 0, v->arena, &runs, err));
    for (size_t i = 0; i < runs.n; i++) {
        if (*out_found && !delivered(&runs.rows[i]))
            continue;
        *out = runs.rows[i];
        *out_found = true;
        if (delivered(out))
            break;
    }
    return RV_OK;
}

static rv_status resolve_prefix(rv_validating *v, const char **out, rv_error *err)
{
    const rv_cfg_dest *d = &v->x->dest;
    rv_run_row run;
    bool found = false;
    char today[16];
    if (v->opts->prefix) {
        *out = v->opts->prefix;
        return RV_OK;
    }
    const char *pattern = d->kind == RV_DEST_LOCAL && d->path ? d->path : d->prefix;
    rv_placeholders values = {.date = v->opts->date,
                              .export_name = v->x->name,
                              .table = v->x->name,
                              .run_id = v->opts->run_id};
    if (pattern && (strstr(pattern, "{run_id}") || strstr(pattern, "{date}"))) {
        RV_TRY(placeholder_run(v, &run, &found, err));
        /* a repair lies at the prefix of the run it mended, whatever its own id and day */
        if (found && run.prefix && !v->opts->date) {
            *out = run.prefix;
            return RV_OK;
        }
        if (found && !values.run_id)
            values.run_id = run.run_id;
        if (found && !values.date)
            values.date = run.date_token;
        if (!values.run_id && strstr(pattern, "{run_id}"))
            return rv_fail(err, RV_E_STATE_UNKNOWN,
                           "export '%s': its path holds {run_id} and the state knows no run",
                           v->x->name);
    }
    rv_date_utc(rv_env_now_us(v->env), today);
    if (!values.date)
        values.date = today;
    return rv_cfg_expand(pattern ? pattern : "", &values, v->arena, out, err);
}

rv_status rv_validate_open(rv_validating *v, rv_error *err)
{
    const rv_cfg_dest *d = &v->x->dest;
    const char *prefix;
    v->dd = rv_dest_for(d->kind);
    RV_TRY(resolve_prefix(v, &prefix, err));
    RV_TRY(v->dd->open(v->env, d, prefix, &v->dest, err));
    return rv_arena_cstr(v->arena, rv_str_c(v->dd->uri(v->dest)), &v->out->prefix, err);
}

/* ---- one export ---- */

static rv_status refuse_unbuilt(const rv_cfg_export *x, rv_error *err)
{
    if (x->partition_by) {
        rv_status st = rv_fail(err, RV_E_STATE_UNKNOWN,
                               "export '%s': the state knows no partition of it", x->name);
        rv_hint(err, "name one with --prefix .../%s=VALUE", x->partition_by);
        return st;
    }
    if (x->mode != RV_CDC)
        return RV_OK;
    return rv_fail(err, RV_E_CONFIG_UNSUPPORTED, "export '%s': mode: cdc is not part of this build",
                   x->name);
}

static rv_status steps(rv_validating *v, rv_error *err)
{
    rv_validate_report *r = v->out;
    RV_TRY(refuse_unbuilt(v->x, err));
    if (v->x->dest.kind == RV_DEST_STDOUT) { /* leaves nothing behind to look at */
        r->legacy_run = true;
        r->prefix = "stdout";
        return RV_OK;
    }
    RV_TRY(rv_validate_open(v, err));
    RV_TRY(rv_validate_prefix(v, err));
    if (v->opts->depth == RV_DEPTH_LIGHT)
        return RV_OK;
    RV_TRY(rv_validate_parts(v, err));
    return rv_validate_untracked(v, err);
}

static bool any_fatal(const rv_validate_report *r)
{
    for (size_t i = 0; i < r->n_failures; i++)
        if (r->failures[i].fatal)
            return true;
    return false;
}

static rv_status validate_one(rv_validating *v, rv_error *err)
{
    static const char *const depths[] = {"light", "sample", "full"};
    *v->out = (rv_validate_report){.export_name = v->x->name, .depth = depths[v->opts->depth]};
    v->out->run_id = v->opts->run_id;
    rv_status st = steps(v, &v->out->error);
    rv_object_list_free(&v->objects);
    if (v->dest)
        v->dd->close(v->dest);
    v->out->passed = st == RV_OK && !any_fatal(v->out);
    if (st == RV_E_MEMORY || st == RV_E_INTERRUPTED) {
        if (err)
            *err = v->out->error;
        return st;
    }
    return RV_OK;
}

static rv_status validate_all(const rv_env *env, const rv_cfg *cfg, const rv_validate_opts *opts,
                              rv_state *state, rv_arena *arena, rv_validate_report **out,
                              size_t *out_n, rv_error *err)
{
    const rv_cfg_export **subjects;
    size_t n = 0;
    rv_validate_report *reports;
    RV_TRY(rv_validate_subjects(cfg, opts, state, arena, &subjects, &n, err));
    RV_TRY(rv_arena_array(arena, n + 1, sizeof *reports, &reports, err));
    for (size_t i = 0; i < n; i++) {
        RV_TRY(rv_cancel_check(env->cancel, err));
        rv_validating v = {.env = env,
                           .x = subjects[i],
                           .opts = opts,
                           .state = state,
                           .arena = arena,
                           .out = &reports[i]};
        RV_TRY(validate_one(&v, err));
    }
    *out = reports;
    *out_n = n;
    return RV_OK;
}

rv_status rv_engine_validate(const rv_env *env, const rv_cfg *cfg, const rv_validate_opts *opts,
                             rv_arena *arena, rv_validate_report **out, size_t *out_n,
                             rv_error *err)
{
    rv_state *state = NULL;
    if (opts->prefix && !opts->export_name && cfg->n_exports > 1)
        return rv_fail(err, RV_E_USAGE, "--prefix needs --export when the config has several");
    RV_TRY(rv_engine_state(env, cfg, true, &state, err));
    rv_status st = validate_all(env, cfg, opts, state, arena, out, out_n, err);
    rv_state_close(state);
    return st;
}
