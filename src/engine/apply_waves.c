#include <string.h>

#include "engine/apply.h"

#define RV_TARGET "apply"

typedef struct rv_wave {
    const rv_cfg_export *x;
    uint64_t wave;
    bool safe;
} rv_wave;

static bool is_wanted(const rv_run_opts *opts, const rv_cfg_export *x)
{
    return !opts->export_name || strcmp(opts->export_name, x->name) == 0;
}

static const rv_priority *priority_of(const rv_campaign *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->exports[i].export_name, name) == 0)
            return &c->exports[i];
    return NULL;
}

/* What is written counts; what is missing is as `plan` would write it. An export that cannot be
 * judged comes when its score says so: its run will tell what is wrong. */
static rv_status take_waves(const rv_env *env, const rv_cfg *cfg, const rv_run_opts *opts,
                            rv_arena *a, rv_wave *waves, size_t *out_n, rv_error *err)
{
    rv_campaign campaign = {0};
    bool missing = false; /* one export alone needs no order */
    size_t n = 0;
    for (size_t i = 0; !opts->export_name && i < cfg->n_exports; i++)
        missing = missing || cfg->exports[i].wave == 0;
    if (missing)
        RV_TRY(rv_engine_campaign(env, cfg, NULL, a, &campaign, err));
    for (size_t i = 0; i < cfg->n_exports; i++) {
        const rv_cfg_export *x = &cfg->exports[i];
        const rv_priority *p = x->wave ? NULL : priority_of(&campaign, x->name);
        if (!is_wanted(opts, x))
            continue;
        waves[n++] = (rv_wave){.x = x,
                               .wave = p         ? (uint64_t)p->wave
                                       : x->wave ? x->wave
                                                 : 1,
                               .safe = x->parallel_safe || (p && p->parallel_safe)};
    }
    *out_n = n;
    return RV_OK;
}

/* The lowest wave above `after`; 0: none. */
static uint64_t next_wave(const rv_wave *waves, size_t n, uint64_t after)
{
    uint64_t best = 0;
    for (size_t i = 0; i < n; i++)
        if (waves[i].wave > after && (best == 0 || waves[i].wave < best))
            best = waves[i].wave;
    return best;
}

static size_t members(const rv_wave *waves, size_t n, uint64_t wave, bool safe,
                      const rv_cfg_export **set, size_t from)
{
    for (size_t i = 0; i < n; i++)
        if (waves[i].wave == wave && waves[i].safe == safe)
            set[from++] = waves[i].x;
    return from;
}

static rv_status run_wave(const rv_env *env, rv_invocation *inv, const rv_wave *waves, size_t n,
                          uint64_t wave, bool together, const rv_cfg_export **set, rv_error *err)
{
    size_t safe = members(waves, n, wave, true, set, 0);
    size_t all = members(waves, n, wave, false, set, safe);
    RV_LOG_INFO(env, "wave %llu: %zu exports, %zu of them together", (unsigned long long)wave, all,
                together ? safe : 0);
    RV_TRY(rv_invocation_run(inv, set, safe, together ? RV_PROCESSES : RV_SEQUENTIAL, err));
    return rv_invocation_run(inv, set + safe, all - safe, RV_SEQUENTIAL, err);
}

rv_status rv_apply_waves(const rv_env *env, const rv_cfg *cfg, const rv_run_opts *opts,
                         bool together, rv_arena *arena, rv_run_report *out, rv_error *err)
{
    rv_wave *waves;
    const rv_cfg_export **set;
    rv_invocation *inv = NULL;
    size_t n = 0;
    rv_status st;
    RV_TRY(rv_arena_array(arena, cfg->n_exports + 1, sizeof *waves, &waves, err));
    RV_TRY(rv_arena_array(arena, cfg->n_exports + 1, sizeof(void *), &set, err));
    RV_TRY(take_waves(env, cfg, opts, arena, waves, &n, err));
    RV_TRY(rv_invocation_open(env, cfg, opts, arena, out, &inv, err));
    for (uint64_t wave = 0; (wave = next_wave(waves, n, wave)) != 0;)
        RV_GO(run_wave(env, inv, waves, n, wave, together, set, err));
    RV_GO(rv_invocation_finish(inv, err));
done:
    rv_invocation_close(inv);
    return st;
}
