#include "config/config_internal.h"

#include <inttypes.h>

/* What a profile fills in (spec "source-safety" section 2). */
static const rv_cfg_tuning profiles[] = {
    [RV_FAST] = {.profile = RV_FAST,
                 .batch_size = 50000,
                 .batch_memory_mb = 64,
                 .max_retries = 1,
                 .retry_backoff_ms = 1000,
                 .target_query_ms = 200},
    [RV_BALANCED] = {.profile = RV_BALANCED,
                     .batch_size = 10000,
                     .batch_memory_mb = 32,
                     .throttle_ms = 50,
                     .statement_timeout_s = 300,
                     .lock_timeout_s = 30,
                     .max_retries = 3,
                     .retry_backoff_ms = 2000,
                     .memory_threshold_mb = 4096,
                     .target_query_ms = 100},
    [RV_SAFE] = {.profile = RV_SAFE,
                 .batch_size = 2000,
                 .throttle_ms = 500,
                 .statement_timeout_s = 120,
                 .lock_timeout_s = 10,
                 .max_retries = 5,
                 .retry_backoff_ms = 5000,
                 .memory_threshold_mb = 2048,
                 .target_query_ms = 50},
};

typedef struct merged {
    const rv_group *over, *under; /* exports[].tuning, source.tuning */
} merged;

static const rv_val *pick(const merged *m, rv_key_id id)
{
    const rv_val *v = rv_has(m->over, id);
    if (!v)
        v = rv_has(m->under, id);
    return v && !v->unresolved ? v : NULL;
}

static void take(const merged *m, rv_key_id id, uint64_t *io)
{
    const rv_val *v = pick(m, id);
    const char *dflt = rv_cfg_key_get(id)->dflt;
    if (v)
        *io = (uint64_t)v->num;
    else if (dflt)
        (void)rv_str_u64(rv_str_c(dflt), io);
}

static void take_numbers(const merged *m, rv_cfg_tuning *t)
{
    take(m, RV_K_TUNING_THROTTLE_MS, &t->throttle_ms);
    take(m, RV_K_TUNING_STATEMENT_TIMEOUT_S, &t->statement_timeout_s);
    take(m, RV_K_TUNING_LOCK_TIMEOUT_S, &t->lock_timeout_s);
    take(m, RV_K_TUNING_MAX_RETRIES, &t->max_retries);
    take(m, RV_K_TUNING_RETRY_BACKOFF_MS, &t->retry_backoff_ms);
    take(m, RV_K_TUNING_MEMORY_THRESHOLD_MB, &t->memory_threshold_mb);
    take(m, RV_K_TUNING_MAX_BATCH_MEMORY_MB, &t->max_batch_memory_mb);
    take(m, RV_K_TUNING_MAX_VALUE_MB, &t->max_value_mb);
    take(m, RV_K_TUNING_MIN_PARALLEL, &t->min_parallel);
    take(m, RV_K_TUNING_TARGET_QUERY_MS, &t->target_query_ms);
}

static void take_words(const merged *m, rv_cfg_tuning *t)
{
    const rv_val *v = pick(m, RV_K_TUNING_ON_BATCH_MEMORY_EXCEEDED);
    if (v)
        t->on_batch_memory_exceeded = (rv_batch_policy)v->num;
    v = pick(m, RV_K_TUNING_ISOLATION);
    if (v)
        t->isolation = (rv_isolation)v->num;
    v = pick(m, RV_K_TUNING_APPLICATION_INTENT);
    t->application_intent_readonly = v && strcmp(v->str, "readonly") == 0;
    v = pick(m, RV_K_TUNING_ADAPTIVE);
    t->adaptive = v && v->flag;
}

static rv_status take_batch(rv_load *ld, const merged *m, const char *name, rv_cfg_tuning *t)
{
    const rv_val *rows = pick(m, RV_K_TUNING_BATCH_SIZE);
    const rv_val *mib = pick(m, RV_K_TUNING_BATCH_SIZE_MEMORY_MB);
    if (rows && mib)
        return rv_load_bad(ld, RV_E_CONFIG_BATCH_CONFLICT, rows->key_pos,
                           "export '%s': batch_size (%" PRIu32 ":%" PRIu32
                           ") and batch_size_memory_mb (%" PRIu32 ":%" PRIu32 ") cannot both apply",
                           name, rows->key_pos.line, rows->key_pos.col, mib->key_pos.line,
                           mib->key_pos.col);
    t->batch_size_written = rows != NULL;
    t->batch_memory_written = mib != NULL;
    if (rows) {
        t->batch_size = (uint64_t)rows->num;
        t->batch_memory_mb = 0;
    } else if (mib) {
        t->batch_memory_mb = (uint64_t)mib->num;
    }
    return RV_OK;
}

static rv_status clamp_parallel(rv_load *ld, const merged *m, const rv_cfg_export *x,
                                rv_cfg_tuning *t)
{
    const rv_val *v = pick(m, RV_K_TUNING_MIN_PARALLEL);
    if (!v || t->min_parallel <= x->parallel)
        return RV_OK;
    t->min_parallel = x->parallel;
    return rv_load_warn(ld, v->key_pos,
                        "export '%s': min_parallel is larger than parallel; %" PRIu64 " is used",
                        x->name, x->parallel);
}

static rv_status warn_engine_keys(rv_load *ld, const rv_group *g)
{
    static const rv_key_id ids[] = {RV_K_TUNING_ISOLATION, RV_K_TUNING_APPLICATION_INTENT};
    if (ld->cfg->source.engine == RV_ENGINE_MSSQL)
        return RV_OK;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        const rv_val *v = rv_has(g, ids[i]);
        if (v && !v->unresolved && v->num != 0)
            RV_TRY(rv_load_warn(ld, v->key_pos, "'%s' is for source type mssql and is ignored",
                                rv_cfg_key_get(ids[i])->name));
    }
    return RV_OK;
}

rv_status rv_tuning_merge(rv_load *ld, size_t i)
{
    rv_cfg_export *x = &ld->cfg->exports[i];
    const rv_val *over = rv_has(ld->exports[i].g, RV_K_EXPORT_TUNING);
    const rv_val *source = rv_has(ld->root, RV_K_ROOT_SOURCE);
    const rv_val *under = source ? rv_has(source->group, RV_K_SOURCE_TUNING) : NULL;
    merged m = {over ? over->group : NULL, under ? under->group : NULL};
    const rv_val *profile = pick(&m, RV_K_TUNING_PROFILE);
    rv_profile p = RV_BALANCED;
    if (profile)
        p = (rv_profile)profile->num;
    else if (strcmp(ld->cfg->source.environment, "local") == 0)
        p = RV_FAST;
    rv_cfg_tuning t = profiles[p];
    t.profile_default = profile == NULL;
    take_numbers(&m, &t);
    take_words(&m, &t);
    RV_TRY(take_batch(ld, &m, x->name, &t));
    RV_TRY(clamp_parallel(ld, &m, x, &t));
    if (i == 0)
        RV_TRY(warn_engine_keys(ld, m.under));
    RV_TRY(warn_engine_keys(ld, m.over));
    x->tuning = t;
    return RV_OK;
}
