#include "engine/partition.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "column/temporal.h"

#define RV_TARGET "engine"

/* ---- values ---- */

static void month_after(int64_t *year, unsigned *month)
{
    *month += 1;
    if (*month > 12) {
        *month = 1;
        *year += 1;
    }
}

/* The page writes years of four digits; others get a sign or more digits and parse back. */
void rv_bucket_of_day(int64_t day, rv_granularity g, rv_bucket *out)
{
    int64_t year;
    unsigned month, dom;
    rv_civil_from_days(day, &year, &month, &dom);
    *out = (rv_bucket){.first_day = day, .next_day = day + 1};
    if (g == RV_DAY) {
        (void)snprintf(out->value, sizeof out->value, "%04" PRId64 "-%02u-%02u", year, month, dom);
        return;
    }
    if (g == RV_YEAR) {
        (void)snprintf(out->value, sizeof out->value, "%04" PRId64, year);
        out->first_day = rv_days_from_civil(year, 1, 1);
        out->next_day = rv_days_from_civil(year + 1, 1, 1);
        return;
    }
    (void)snprintf(out->value, sizeof out->value, "%04" PRId64 "-%02u", year, month);
    out->first_day = rv_days_from_civil(year, month, 1);
    month_after(&year, &month);
    out->next_day = rv_days_from_civil(year, month, 1);
}

bool rv_bucket_parse(const char *value, rv_bucket *out)
{
    int64_t year = 0;
    unsigned month = 1, day = 1;
    int used[3] = {0, 0, 0};
    if (strcmp(value, RV_PARTITION_NULL) == 0) {
        *out = (rv_bucket){.null = true};
        (void)snprintf(out->value, sizeof out->value, "%s", value);
        return true;
    }
    int n = sscanf(value, "%" SCNd64 "%n-%2u%n-%2u%n", &year, &used[0], &month, &used[1], &day,
                   &used[2]);
    if (n < 1 || year < -99999 || year > 99999 || month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    rv_granularity g = n == 3 ? RV_DAY : n == 2 ? RV_MONTH : RV_YEAR;
    rv_bucket_of_day(rv_days_from_civil(year, month, day), g, out);
    return strcmp(out->value, value) == 0; /* nothing but what we would write */
}

/* ---- sub-exports ---- */

rv_status rv_partition_export(const rv_cfg_export *x, const char *value, rv_arena *a,
                              rv_cfg_export *out, rv_error *err)
{
    const char *partition;
    rv_cfg_export sub = *x;
    RV_TRY(rv_arena_printf(a, &sub.name, err, "%s__%s", x->name, value));
    RV_TRY(rv_arena_printf(a, &partition, err, "%s=%s", x->partition_by, value));
    const rv_placeholders values = {
        .export_name = x->name, .table = x->name, .partition = partition};
    if (x->dest.path)
        RV_TRY(rv_cfg_expand(x->dest.path, &values, a, &sub.dest.path, err));
    if (x->dest.prefix)
        RV_TRY(rv_cfg_expand(x->dest.prefix, &values, a, &sub.dest.prefix, err));
    sub.partition_by = NULL;
    sub.skip_empty = true; /* a bucket without rows writes nothing */
    *out = sub;
    return RV_OK;
}

/* "{x}__{value}" taken apart. */
static bool bucket_of_name(const rv_cfg_export *x, const char *name, rv_bucket *out)
{
    size_t len = strlen(x->name);
    return x->partition_by && strncmp(name, x->name, len) == 0 &&
           strncmp(name + len, "__", 2) == 0 && rv_bucket_parse(name + len + 2, out);
}

rv_status rv_partition_known(rv_state *state, const rv_cfg *cfg, const rv_cfg_export *x,
                             rv_arena *a, rv_bucket **out, size_t *out_n, rv_error *err)
{
    const char **names = NULL;
    size_t n = 0;
    *out_n = 0;
    *out = NULL;
    if (!state)
        return RV_OK;
    RV_TRY(rv_state_exports(state, a, &names, &n, err));
    RV_TRY(rv_arena_array(a, n + 1, sizeof **out, out, err));
    for (size_t i = 0; i < n; i++)
        if (bucket_of_name(x, names[i], &(*out)[*out_n]) &&
            !rv_cfg_find_export(cfg, names[i], NULL))
            ++*out_n;
    return RV_OK;
}

rv_status rv_partition_find(const rv_cfg *cfg, const char *name, rv_arena *a,
                            const rv_cfg_export **out, rv_error *err)
{
    rv_bucket bucket;
    *out = NULL;
    for (size_t i = 0; i < cfg->n_exports; i++) {
        rv_cfg_export *sub;
        if (!bucket_of_name(&cfg->exports[i], name, &bucket))
            continue;
        RV_TRY(rv_arena_alloc(a, sizeof *sub, &sub, err));
        RV_TRY(rv_partition_export(&cfg->exports[i], bucket.value, a, sub, err));
        *out = sub;
        return RV_OK;
    }
    return RV_OK;
}

static rv_status read_one(rv_job *job, const rv_bucket *b, rv_arena *a, rv_cfg_export *out,
                          rv_error *err)
{
    rv_partition_plan plan;
    job->sd = rv_source_for(job->cfg->source.engine);
    if (!job->sd)
        return rv_fail(err, RV_E_CONFIG_UNSUPPORTED, "source type %s is not part of this build",
                       rv_engine_name(job->cfg->source.engine));
    RV_TRY(rv_job_open(job, err));
    RV_TRY(rv_job_open_source(job, &job->source, err));
    RV_TRY(rv_partition_plan_one(job, b, &plan, err));
    return rv_partition_plan_export(&plan, job->x, 0, a, out, err);
}

rv_status rv_engine_bucket(const rv_env *env, const rv_cfg *cfg, const char *name, rv_arena *a,
                           const rv_cfg_export **out, rv_error *err)
{
    static const rv_run_opts no_opts;
    rv_bucket bucket;
    size_t i = 0;
    *out = NULL;
    while (i < cfg->n_exports && !bucket_of_name(&cfg->exports[i], name, &bucket))
        i++;
    if (i == cfg->n_exports)
        return RV_OK;
    rv_cfg_export *sub;
    RV_TRY(rv_arena_alloc(a, sizeof *sub, &sub, err));
    rv_job job = {.env = env,
                  .cfg = cfg,
                  .x = &cfg->exports[i],
                  .opts = &no_opts,
                  .started_us = rv_env_now_us(env)};
    pthread_mutex_init(&job.lock, NULL);
    rv_status st = read_one(&job, &bucket, a, sub, err);
    rv_job_close(&job);
    if (st == RV_OK)
        *out = sub;
    return st;
}

rv_status rv_engine_buckets(rv_state *state, const rv_cfg *cfg, const rv_cfg_export *x,
                            rv_arena *arena, const char ***out, size_t *out_n, rv_error *err)
{
    rv_bucket *known;
    *out_n = 0;
    *out = NULL;
    if (!x->partition_by)
        return RV_OK;
    RV_TRY(rv_partition_known(state, cfg, x, arena, &known, out_n, err));
    RV_TRY(rv_arena_array(arena, *out_n + 1, sizeof **out, out, err));
    for (size_t i = 0; i < *out_n; i++)
        RV_TRY(rv_arena_printf(arena, &(*out)[i], err, "%s__%s", x->name, known[i].value));
    return RV_OK;
}

bool rv_engine_is_bucket(const rv_cfg *cfg, const char *name)
{
    rv_bucket ignored;
    for (size_t i = 0; i < cfg->n_exports; i++)
        if (bucket_of_name(&cfg->exports[i], name, &ignored))
            return true;
    return false;
}

rv_status rv_partition_unfinished(rv_state *state, const rv_cfg *cfg, const rv_cfg_export *x,
                                  bool *out, rv_error *err)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_bucket *known;
    size_t n = 0;
    *out = false;
    rv_status st = rv_partition_known(state, cfg, x, &scratch, &known, &n, err);
    for (size_t i = 0; st == RV_OK && !*out && i < n; i++) {
        const char *name;
        rv_checkpoint_row row;
        st = rv_arena_printf(&scratch, &name, err, "%s__%s", x->name, known[i].value);
        if (st == RV_OK)
            st = rv_state_checkpoint_get(state, name, &scratch, &row, out, err);
    }
    rv_arena_free(&scratch);
    return st;
}
