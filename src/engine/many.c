#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/events.h"
#include "engine/many_internal.h"
#include "engine/notify.h"
#include "engine/report.h"

#define RV_TARGET "engine"

struct rv_invocation {
    const rv_env *env;
    const rv_cfg *cfg;
    rv_run_opts opts; /* the caller's, with hooks that take `gate` */
    const rv_run_hooks *heard;
    rv_run_hooks hooks;
    pthread_mutex_t gate; /* one hook at a time */
    rv_state *state;
    rv_resume_set resume;
    rv_arena *arena;
    rv_run_report *report;
    int64_t began_us;
};

/* ---- hooks, one at a time ---- */

static void on_started(void *ctx, const rv_export_report *r)
{
    rv_invocation *inv = ctx;
    pthread_mutex_lock(&inv->gate);
    if (inv->heard->started)
        inv->heard->started(inv->heard->ctx, r);
    pthread_mutex_unlock(&inv->gate);
}

static void on_planned(void *ctx, const char *export_name, int64_t total_chunks)
{
    rv_invocation *inv = ctx;
    pthread_mutex_lock(&inv->gate);
    if (inv->heard->planned)
        inv->heard->planned(inv->heard->ctx, export_name, total_chunks);
    pthread_mutex_unlock(&inv->gate);
}

static void on_progress(void *ctx, const char *export_name, int64_t chunks_done, int64_t rows)
{
    rv_invocation *inv = ctx;
    pthread_mutex_lock(&inv->gate);
    if (inv->heard->progress)
        inv->heard->progress(inv->heard->ctx, export_name, chunks_done, rows);
    pthread_mutex_unlock(&inv->gate);
}

static void on_finished(void *ctx, const rv_export_report *r)
{
    rv_invocation *inv = ctx;
    pthread_mutex_lock(&inv->gate);
    if (inv->heard->finished)
        inv->heard->finished(inv->heard->ctx, r);
    pthread_mutex_unlock(&inv->gate);
}

static void take_hooks(rv_invocation *inv, const rv_run_opts *opts)
{
    inv->opts = *opts;
    inv->heard = opts->hooks;
    if (!opts->hooks)
        return;
    inv->hooks = (rv_run_hooks){inv, on_started, on_planned, on_progress, on_finished};
    inv->opts.hooks = &inv->hooks;
}

/* ---- one export of a set ---- */

typedef struct rv_slot {
    const rv_cfg_export *x;
    bool skip;   /* done by an earlier invocation of this aggregate */
    bool resume; /* a checkpoint is in progress */
    bool done;   /* the report is filled */
    rv_arena arena;
    rv_export_report report;
} rv_slot;

typedef struct rv_set {
    rv_invocation *inv;
    rv_parallel how;
    rv_slot *slots;
    size_t n;
    atomic_size_t next;
} rv_set;

static void already_complete(rv_slot *s)
{
    rv_export_report_empty(s->x, &s->report);
    s->report.status = "skipped";
    s->report.skip_reason = "already complete";
}

static void cannot_start(rv_slot *s, const rv_error *cause)
{
    rv_export_report_empty(s->x, &s->report);
    s->report.error = *cause;
    s->report.exit_code = rv_class_exit(rv_code(cause->code)->class_);
}

/* A partitioned export is many runs of its own and stays in this process. */
static bool in_child(const rv_set *set, const rv_slot *s)
{
    return set->how == RV_PROCESSES && !s->x->partition_by;
}

static void run_here(rv_set *set, rv_slot *s, rv_state *state)
{
    rv_invocation *inv = set->inv;
    rv_export_call call = {.env = inv->env,
                           .cfg = inv->cfg,
                           .x = s->x,
                           .opts = &inv->opts,
                           .state = state,
                           .aggregate_id = inv->report->run_aggregate_id,
                           .report_arena = &s->arena};
    rv_export_run(&call, &s->report);
}

static void run_in_child(rv_set *set, rv_slot *s)
{
    rv_invocation *inv = set->inv;
    rv_child_call call = {.env = inv->env,
                          .cfg = inv->cfg,
                          .x = s->x,
                          .opts = &inv->opts,
                          .aggregate_id = inv->report->run_aggregate_id,
                          .resume = s->resume,
                          .arena = &s->arena};
    rv_child_run(&call, &s->report);
}

/* A child tells of its own export, unless it ended without a report. */
static void notify(const rv_set *set, const rv_slot *s)
{
    const rv_invocation *inv = set->inv;
    if (!s->skip && (!in_child(set, s) || s->report.error.code == RV_E_RUN_CHILD))
        rv_notify_export(inv->env, inv->cfg, &inv->opts, &s->report);
}

static rv_status own_state(rv_set *set, rv_state **state, rv_error *err)
{
    rv_invocation *inv = set->inv;
    return *state ? RV_OK : rv_engine_state(inv->env, inv->cfg, false, state, err);
}

/* `state`: the connection of this thread, opened when it is needed first. */
static void run_slot(rv_set *set, rv_slot *s, rv_state **state)
{
    rv_error err = {0};
    if (s->skip)
        already_complete(s);
    else if (in_child(set, s))
        run_in_child(set, s);
    else if (own_state(set, state, &err) == RV_OK)
        run_here(set, s, *state);
    else
        cannot_start(s, &err);
    s->done = true;
    if (set->inv->opts.hooks)
        on_finished(set->inv, &s->report);
    notify(set, s);
}

static rv_slot *next_slot(rv_set *set)
{
    if (rv_cancel_raised(set->inv->env->cancel))
        return NULL;
    size_t i = atomic_fetch_add(&set->next, 1);
    return i < set->n ? &set->slots[i] : NULL;
}

static void *work(void *arg)
{
    rv_set *set = arg;
    rv_state *state = NULL;
    rv_slot *s;
    while ((s = next_slot(set)) != NULL)
        run_slot(set, s, &state);
    rv_state_close(state);
    return NULL;
}

/* With fewer threads than wished the exports only wait longer; without any, this one works. */
static void run_together(rv_set *set)
{
    pthread_t threads[RV_EXPORTS_AT_ONCE];
    size_t n = 0;
    while (n < set->n && n < RV_EXPORTS_AT_ONCE &&
           pthread_create(&threads[n], NULL, work, set) == 0)
        n++;
    if (n == 0)
        (void)work(set);
    for (size_t i = 0; i < n; i++)
        (void)pthread_join(threads[i], NULL);
}

static void run_in_turn(rv_set *set)
{
    rv_slot *s;
    while ((s = next_slot(set)) != NULL)
        run_slot(set, s, &set->inv->state);
}

/* ---- a set ---- */

static rv_status prepare_slot(rv_invocation *inv, const rv_cfg_export *x, rv_slot *s, rv_error *err)
{
    rv_checkpoint_row ckpt;
    s->x = x;
    RV_TRY(rv_resume_skips(inv->state, &inv->resume, x->name, inv->arena, &s->skip, err));
    if (!inv->opts.resume || s->skip)
        return RV_OK;
    return rv_state_checkpoint_get(inv->state, x->name, inv->arena, &ckpt, &s->resume, err);
}

/* In the order of the set; exports that an interruption kept from starting are not reported. */
static rv_status collect(rv_set *set, rv_error *err)
{
    rv_invocation *inv = set->inv;
    rv_run_report *report = inv->report;
    bool all = true;
    for (size_t i = 0; i < set->n; i++) {
        const rv_slot *s = &set->slots[i];
        all = all && s->done;
        if (!s->done)
            continue;
        RV_TRY(rv_export_report_copy(&s->report, inv->arena, &report->exports[report->n_exports],
                                     err));
        report->n_exports++;
        report->exit_code = rv_exit_worse(report->exit_code, s->report.exit_code);
    }
    if (!all)
        report->exit_code = rv_exit_worse(report->exit_code,
                                          rv_cancel_signal(inv->env->cancel) == SIGINT ? 130 : 143);
    return RV_OK;
}

rv_status rv_invocation_run(rv_invocation *inv, const rv_cfg_export *const *exports, size_t n,
                            rv_parallel how, rv_error *err)
{
    rv_set set = {.inv = inv, .how = n > 1 ? how : RV_SEQUENTIAL, .n = n};
    rv_status st = RV_OK;
    if (n > inv->cfg->n_exports - inv->report->n_exports)
        return rv_fail(err, RV_E_INTERNAL, "more exports are to run than there are");
    set.slots = rv_calloc(n ? n : 1, sizeof *set.slots);
    if (!set.slots)
        return rv_fail_memory(err);
    for (size_t i = 0; i < n; i++)
        RV_GO(prepare_slot(inv, exports[i], &set.slots[i], err));
    if (set.how == RV_SEQUENTIAL)
        run_in_turn(&set);
    else
        run_together(&set);
    st = collect(&set, err);
done:
    for (size_t i = 0; i < n; i++)
        rv_arena_free(&set.slots[i].arena);
    rv_free(set.slots);
    return st;
}

/* ---- the invocation ---- */

static const char *parallel_word(rv_parallel how)
{
    return how == RV_THREADS ? "threads" : how == RV_PROCESSES ? "processes" : "sequential";
}

static rv_status now_text(const rv_invocation *inv, const char **out, rv_error *err)
{
    char text[40];
    rv_rfc3339_ms(rv_env_now_us(inv->env), text);
    return rv_arena_cstr(inv->arena, rv_str_c(text), out, err);
}

static rv_status stdout_once(const rv_cfg *cfg, const rv_run_opts *opts, rv_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < cfg->n_exports; i++)
        n += cfg->exports[i].dest.kind == RV_DEST_STDOUT &&
             (!opts->export_name || strcmp(cfg->exports[i].name, opts->export_name) == 0);
    if (n <= 1)
        return RV_OK;
    return rv_fail(err, RV_E_CONFIG_STDOUT, "only one export may write to stdout");
}

static rv_status open_record(rv_invocation *inv, rv_error *err)
{
    rv_run_report *out = inv->report;
    RV_TRY(stdout_once(inv->cfg, &inv->opts, err));
    RV_TRY(rv_engine_state(inv->env, inv->cfg, false, &inv->state, err));
    RV_TRY(now_text(inv, &out->started_at, err));
    RV_TRY(rv_resume_choose(inv->state, inv->cfg, &inv->opts, inv->arena, &inv->resume, err));
    RV_TRY(
        rv_arena_array(inv->arena, inv->cfg->n_exports, sizeof *out->exports, &out->exports, err));
    out->run_aggregate_id = inv->opts.aggregate_id; /* of the parent process */
    if (inv->opts.export_name)
        return RV_OK;
    out->run_aggregate_id = inv->resume.aggregate;
    return out->run_aggregate_id ? RV_OK
                                 : rv_aggregate_begin(inv->state, inv->cfg, out, inv->arena, err);
}

rv_status rv_invocation_open(const rv_env *env, const rv_cfg *cfg, const rv_run_opts *opts,
                             rv_arena *arena, rv_run_report *report, rv_invocation **out,
                             rv_error *err)
{
    rv_invocation *inv = rv_calloc(1, sizeof *inv);
    if (!inv)
        return rv_fail_memory(err);
    *report = (rv_run_report){.parallel_mode = parallel_word(opts->parallel)};
    inv->env = env;
    inv->cfg = cfg;
    inv->arena = arena;
    inv->report = report;
    inv->began_us = rv_clock_mono_us();
    (void)pthread_mutex_init(&inv->gate, NULL);
    take_hooks(inv, opts);
    rv_status st = open_record(inv, err);
    if (st == RV_OK)
        *out = inv;
    else
        rv_invocation_close(inv);
    return st;
}

rv_status rv_invocation_finish(rv_invocation *inv, rv_error *err)
{
    RV_TRY(now_text(inv, &inv->report->finished_at, err));
    inv->report->duration_ms = (rv_clock_mono_us() - inv->began_us) / 1000;
    if (!inv->opts.export_name)
        rv_aggregate_end(inv->env, inv->state, inv->cfg, inv->report);
    return RV_OK;
}

void rv_invocation_close(rv_invocation *inv)
{
    if (!inv)
        return;
    rv_state_close(inv->state);
    (void)pthread_mutex_destroy(&inv->gate);
    rv_free(inv);
}

rv_status rv_engine_run(const rv_env *env, const rv_cfg *cfg, const rv_run_opts *opts,
                        rv_arena *arena, rv_run_report *out, rv_error *err)
{
    rv_status st;
    rv_invocation *inv = NULL;
    const rv_cfg_export **wanted = NULL;
    rv_run_opts own = *opts;
    size_t n = 0;
    if (opts->export_name || cfg->n_exports < 2)
        own.parallel = RV_SEQUENTIAL;
    RV_TRY(rv_arena_array(arena, cfg->n_exports + 1, sizeof(void *), &wanted, err));
    for (size_t i = 0; i < cfg->n_exports; i++)
        if (!opts->export_name || strcmp(cfg->exports[i].name, opts->export_name) == 0)
            wanted[n++] = &cfg->exports[i];
    RV_TRY(rv_invocation_open(env, cfg, &own, arena, out, &inv, err));
    RV_GO(rv_invocation_run(inv, wanted, n, own.parallel, err));
    RV_GO(rv_invocation_finish(inv, err));
done:
    rv_invocation_close(inv);
    return st;
}
