#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "engine/check_internal.h"
#include "engine/chunks.h"
#include "engine/names.h"
#include "engine/owner.h"
#include "engine/plan_artifact_internal.h"

#define RV_TARGET "plan"
enum { HISTORY_RUNS = 20, SHORT_WINDOW_DAYS = 7 };

/* What planning one export shares. */
typedef struct rv_planning {
    const rv_env *env;
    const rv_cfg *cfg;
    rv_state *state; /* NULL: none yet */
    bool bounds;     /* chunk bounds are wanted */
    rv_arena *arena;
    bool *warned; /* of what all exports share */
} rv_planning;

/* ---- facts for the priority ---- */

static bool is_time(rv_type t)
{
    return t.kind == RV_DATE || t.kind == RV_TIMESTAMP || t.kind == RV_TIMESTAMP_TZ ||
           t.kind == RV_TIMESTAMP_NS || t.kind == RV_TIMESTAMP_TZ_NS;
}

static rv_cursor_quality cursor_quality(const rv_job *job)
{
    const rv_key *key = &job->rel->key;
    const rv_cfg_export *x = job->x;
    if (x->mode != RV_INCREMENTAL)
        return RV_CURSOR_UNUSED;
    if (x->cursor_fallback_column)
        return RV_CURSOR_COALESCE;
    bool indexed = rv_check_bound_indexed(job);
    if (indexed && key->n_columns == 1 && strcmp(key->columns[0], x->cursor_column) == 0)
        return RV_CURSOR_UNIQUE;
    return indexed || is_time(job->rel->bound_type) ? RV_CURSOR_WEAK : RV_CURSOR_UNINDEXED;
}

static rv_status add_history(const rv_planning *pl, const char *name, rv_priority_facts *f,
                             rv_error *err)
{
    rv_metrics m = {0};
    int64_t total_ms = 0;
    if (!pl->state)
        return RV_OK;
    RV_TRY(rv_state_metrics(pl->state, name, HISTORY_RUNS, pl->arena, &m, err));
    for (size_t i = 0; i < m.n; i++) {
        f->retried_runs += m.rows[i].retries > 0;
        total_ms += m.rows[i].duration_ms > 0 ? m.rows[i].duration_ms : 0;
    }
    f->runs = (int64_t)m.n;
    f->mean_ms = m.n ? total_ms / (int64_t)m.n : 0;
    f->last_failed = m.n && strcmp(m.rows[0].status, "failed") == 0;
    return RV_OK;
}

static rv_status add_facts(const rv_planning *pl, const rv_checking *c, rv_priority_facts *f,
                           rv_error *err)
{
    const rv_job *job = c->job;
    const rv_cfg_export *x = job->x;
    double density;
    *f = (rv_priority_facts){.export_name = x->name,
                             .source_group = x->source_group,
                             .rows = job->rel->row_estimate,
                             .chunks = c->windows,
                             .full = x->mode == RV_FULL,
                             .chunked = x->mode == RV_CHUNKED,
                             .cursor = cursor_quality(job),
                             .sparse = rv_check_is_sparse(c, &density),
                             .reconcile_required = x->reconcile_required,
                             .short_window =
                                 x->mode == RV_TIME_WINDOW && x->days_window <= SHORT_WINDOW_DAYS,
                             .verdict = c->out->verdict,
                             .n_warnings = c->out->n_warnings};
    return add_history(pl, x->name, f, err);
}

/* ---- computed ---- */

/* The task of the NULLs is no range: whether there is one, the catalog says when the plan runs. */
static rv_status seal_ranges(const rv_planning *pl, rv_job *job, rv_plan *p, rv_error *err)
{
    rv_task_rows tasks;
    RV_TRY(rv_chunks_make(job, &tasks, err));
    RV_TRY(rv_arena_array(pl->arena, tasks.n + 1, sizeof *p->ranges, &p->ranges, err));
    for (size_t i = 0; i < tasks.n; i++) {
        const rv_task_row *t = &tasks.rows[i];
        if (strcmp(t->kind, "null") == 0)
            continue;
        rv_chunk_range *r = &p->ranges[p->n_ranges];
        if (p->n_ranges > 0)
            RV_TRY(rv_arena_cstr(pl->arena, rv_str_c(t->start_key), &r->lo, err));
        RV_TRY(rv_arena_cstr(pl->arena, rv_str_c(t->end_key), &r->hi, err));
        p->n_ranges++;
    }
    if (job->x->chunk_column)
        RV_TRY(rv_arena_cstr(pl->arena, rv_str_c(job->x->chunk_column), &p->chunk_column, err));
    return RV_OK;
}

static rv_status seal_cursor(const rv_planning *pl, const rv_job *job, rv_plan *p, rv_error *err)
{
    rv_position_row position = {0};
    bool have = false;
    if (job->mode != RV_INCREMENTAL || !pl->state)
        return RV_OK;
    RV_TRY(rv_state_position_get(pl->state, job->x->name, pl->arena, &position, &have, err));
    if (have)
        p->cursor_snapshot = position.last_cursor_value;
    return RV_OK;
}

/* ---- texts ---- */

static rv_status strategy_name(const rv_plan *p, rv_arena *a, const char **out, rv_error *err)
{
    const char *text = p->strategy_text;
    if (strncmp(text, "date-chunked(", 13) == 0)
        return rv_arena_printf(a, out, err, "chunked(%s", text + 13);
    if (strncmp(text, "time-window(", 12) == 0)
        return rv_arena_printf(a, out, err, "timewindow(%s", text + 12);
    *out = strcmp(text, "full-scan") == 0 ? "full" : text;
    return RV_OK;
}

static rv_status seal_times(const rv_planning *pl, rv_plan *p, rv_error *err)
{
    char text[40], id[33];
    p->created_us = rv_env_now_us(pl->env);
    p->expires_us = p->created_us + RV_PLAN_LIFE_US;
    rv_rfc3339_ms(p->created_us, text);
    RV_TRY(rv_arena_cstr(pl->arena, rv_str_c(text), &p->created_at, err));
    rv_rfc3339_ms(p->expires_us, text);
    RV_TRY(rv_arena_cstr(pl->arena, rv_str_c(text), &p->expires_at, err));
    RV_TRY(rv_name_owner_token(id, err));
    return rv_arena_cstr(pl->arena, rv_str_c(id), &p->plan_id, err);
}

static rv_status seal_diagnostics(const rv_planning *pl, const rv_check_report *r, rv_plan *p,
                                  rv_error *err)
{
    const char *colon = r->recommended ? strstr(r->recommended, ": ") : NULL;
    p->verdict = r->verdict;
    p->recommended_profile = colon ? colon + 2 : r->recommended;
    p->strategy_rationale = r->reads;
    RV_TRY(rv_arena_array(pl->arena, r->n_warnings + 1, sizeof *p->warnings, &p->warnings, err));
    for (size_t i = 0; i < r->n_warnings; i++)
        p->warnings[p->n_warnings++] = r->warnings[i].message;
    return RV_OK;
}

static rv_status add_removed(const rv_planning *pl, const char *json, bool warn, rv_plan *p,
                             rv_error *err)
{
    json_error_t why;
    const char **list = NULL, **all = NULL;
    size_t n = 0;
    json_t *array = json_loads(json ? json : "[]", 0, &why);
    rv_status st = array ? rv_plan_texts(array, pl->arena, &list, &n, err) : rv_fail_memory(err);
    json_decref(array);
    if (st == RV_OK)
        st = rv_arena_array(pl->arena, p->n_removed + n + 1, sizeof *all, &all, err);
    if (st != RV_OK)
        return st;
    for (size_t i = 0; i < p->n_removed; i++)
        all[i] = p->removed[i];
    for (size_t i = 0; i < n; i++) {
        all[p->n_removed++] = list[i];
        if (warn)
            RV_LOG_WARN(pl->env, "export '%s': the plan holds *** for a secret in %s",
                        p->export_name, list[i]);
    }
    p->removed = all;
    return RV_OK;
}

static rv_status seal_config(const rv_planning *pl, const rv_cfg_export *x, rv_plan *p,
                             rv_error *err)
{
    const rv_cfg *cfg = pl->cfg;
    p->config_dir = cfg->dir;
    p->project = cfg->project;
    p->source = cfg->sealed_source.json;
    p->notifications = cfg->sealed_notifications.json;
    p->export_json = x->sealed.json;
    if (!p->source || !p->export_json)
        return rv_fail(err, RV_E_INTERNAL, "the configuration was not sealed");
    RV_TRY(add_removed(pl, cfg->sealed_source.removed, !*pl->warned, p, err));
    RV_TRY(add_removed(pl, cfg->sealed_notifications.removed, !*pl->warned, p, err));
    *pl->warned = true;
    return add_removed(pl, x->sealed.removed, true, p, err);
}

/* ---- one export ---- */

static rv_status describe(const rv_planning *pl, const rv_checking *c, rv_plan *p, rv_error *err)
{
    const rv_job *job = c->job;
    rv_arena *a = pl->arena;
    p->strategy_text = c->out->strategy;
    p->row_estimate = job->rel->row_estimate;
    RV_TRY(strategy_name(p, a, &p->strategy, err));
    RV_TRY(rv_arena_cstr(a, rv_str_c(job->plan_hash), &p->plan_fingerprint, err));
    RV_TRY(rv_arena_cstr(a, rv_str_c(job->dd->uri(job->dest)), &p->output, err));
    RV_TRY(rv_arena_printf(a, &p->format_text, err, "%s (%s)", p->x->format, p->x->compression));
    return seal_diagnostics(pl, c->out, p, err);
}

static rv_status plan_steps(const rv_planning *pl, rv_checking *c, rv_plan *p,
                            rv_priority_facts *facts, rv_error *err)
{
    rv_job *job = c->job;
    RV_TRY(rv_check_export(c, err));
    RV_TRY(describe(pl, c, p, err));
    if (pl->bounds) {
        RV_TRY(seal_config(pl, p->x, p, err));
        if (job->mode == RV_CHUNKED && !job->keyset && !job->x->partition_by)
            RV_TRY(seal_ranges(pl, job, p, err));
        RV_TRY(seal_cursor(pl, job, p, err));
        RV_TRY(seal_times(pl, p, err));
    }
    RV_TRY(add_facts(pl, c, facts, err));
    if (p->ranges)
        facts->chunks = (int64_t)p->n_ranges;
    return RV_OK;
}

static rv_status plan_one(const rv_planning *pl, const rv_cfg_export *x, rv_plan *p,
                          rv_priority_facts *facts, rv_error *err)
{
    static const rv_run_opts no_opts;
    const rv_check_opts opts = {.export_name = x->name};
    rv_check_report report = {.export_name = x->name, .row_estimate = "unknown"};
    rv_job job = {.env = pl->env,
                  .cfg = pl->cfg,
                  .x = x,
                  .opts = &no_opts,
                  .started_us = rv_env_now_us(pl->env)};
    rv_checking c = {.job = &job, .arena = pl->arena, .out = &report, .opts = &opts};
    *p = (rv_plan){.rivet_version = RIVET_VERSION,
                   .config_path = pl->cfg->path,
                   .export_name = x->name,
                   .row_estimate = -1,
                   .x = x};
    *facts = (rv_priority_facts){.export_name = x->name, .rows = -1, .chunks = -1};
    RV_TRY(rv_cancel_check(pl->env->cancel, err));
    pthread_mutex_init(&job.lock, NULL);
    rv_status st = plan_steps(pl, &c, p, facts, &p->error);
    rv_job_close(&job);
    if (st != RV_E_MEMORY && st != RV_E_INTERRUPTED)
        return RV_OK;
    if (err)
        *err = p->error;
    return st;
}

/* ---- all of them ---- */

static rv_status plan_all(const rv_planning *pl, const char *export_name, rv_campaign *campaign,
                          rv_plan **out, size_t *out_n, rv_error *err)
{
    rv_plan *plans;
    rv_priority_facts *facts;
    size_t n = 0;
    RV_TRY(rv_arena_array(pl->arena, pl->cfg->n_exports + 1, sizeof *plans, &plans, err));
    RV_TRY(rv_arena_array(pl->arena, pl->cfg->n_exports + 1, sizeof *facts, &facts, err));
    for (size_t i = 0; i < pl->cfg->n_exports; i++) {
        const rv_cfg_export *x = &pl->cfg->exports[i];
        if (export_name && strcmp(export_name, x->name) != 0)
            continue;
        RV_TRY(plan_one(pl, x, &plans[n], &facts[n], err));
        plans[n].campaign = campaign;
        plans[n].campaign_index = n;
        n++;
    }
    RV_TRY(rv_campaign_make(facts, n, pl->arena, campaign, err));
    *out = plans;
    *out_n = n;
    return RV_OK;
}

static rv_status plan_set(const rv_env *env, const rv_cfg *cfg, const char *export_name,
                          bool bounds, rv_arena *arena, rv_plan **out, size_t *out_n,
                          rv_campaign **out_campaign, rv_error *err)
{
    bool warned = false;
    rv_planning pl = {.env = env, .cfg = cfg, .bounds = bounds, .arena = arena, .warned = &warned};
    RV_TRY(rv_arena_alloc(arena, sizeof **out_campaign, out_campaign, err));
    RV_TRY(rv_engine_state(env, cfg, true, &pl.state, err));
    rv_status st = plan_all(&pl, export_name, *out_campaign, out, out_n, err);
    rv_state_close(pl.state);
    return st;
}

rv_status rv_engine_plan(const rv_env *env, const rv_cfg *cfg, const char *export_name,
                         rv_arena *arena, rv_plan **out, size_t *out_n, rv_error *err)
{
    rv_campaign *campaign;
    return plan_set(env, cfg, export_name, true, arena, out, out_n, &campaign, err);
}

rv_status rv_engine_campaign(const rv_env *env, const rv_cfg *cfg, const char *export_name,
                             rv_arena *arena, rv_campaign *out, rv_error *err)
{
    rv_plan *plans;
    rv_campaign *campaign;
    size_t n;
    RV_TRY(plan_set(env, cfg, export_name, false, arena, &plans, &n, &campaign, err));
    *out = *campaign;
    return RV_OK;
}
