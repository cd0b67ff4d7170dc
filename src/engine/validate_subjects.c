#include <string.h>

#include "engine/partition.h"
#include "engine/validate_internal.h"

typedef struct rv_choosing {
    const rv_cfg *cfg;
    const rv_validate_opts *opts;
    rv_state *state;
    rv_arena *arena;
    const rv_cfg_export **list;
    size_t n, cap;
} rv_choosing;

static rv_status add(rv_choosing *c, const rv_cfg_export *x, rv_error *err)
{
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 16;
        const rv_cfg_export **grown;
        RV_TRY(rv_arena_array(c->arena, cap, sizeof(void *), &grown, err));
        if (c->n)
            memcpy(grown, c->list, c->n * sizeof(void *));
        c->list = grown;
        c->cap = cap;
    }
    c->list[c->n++] = x;
    return RV_OK;
}

static rv_status add_bucket(rv_choosing *c, const rv_cfg_export *x, const char *value,
                            rv_error *err)
{
    rv_cfg_export *sub;
    RV_TRY(rv_arena_alloc(c->arena, sizeof *sub, &sub, err));
    RV_TRY(rv_partition_export(x, value, c->arena, sub, err));
    return add(c, sub, err);
}

/* A bucket that never held rows has written nothing. */
static rv_status ever_delivered(rv_choosing *c, const char *name, bool *out, rv_error *err)
{
    rv_run_rows runs = {0};
    *out = false;
    RV_TRY(rv_state_runs(c->state, name, 0, c->arena, &runs, err));
    for (size_t i = 0; i < runs.n; i++)
        *out = *out || strcmp(runs.rows[i].status, "skipped") != 0;
    return RV_OK;
}

static rv_status add_known(rv_choosing *c, const rv_cfg_export *x, rv_error *err)
{
    rv_bucket *known;
    size_t n = 0, before = c->n;
    RV_TRY(rv_partition_known(c->state, c->cfg, x, c->arena, &known, &n, err));
    for (size_t i = 0; i < n; i++) {
        const char *name;
        bool delivered = false;
        RV_TRY(rv_arena_printf(c->arena, &name, err, "%s__%s", x->name, known[i].value));
        RV_TRY(ever_delivered(c, name, &delivered, err));
        if (delivered)
            RV_TRY(add_bucket(c, x, known[i].value, err));
    }
    return c->n == before ? add(c, x, err) : RV_OK; /* which is told as unknown */
}

/* "col=value" in a path. */
static rv_status value_in(const char *path, const char *column, rv_arena *a, const char **out,
                          rv_error *err)
{
    size_t len = strlen(column);
    *out = NULL;
    for (const char *at = strstr(path, column); at; at = strstr(at + 1, column)) {
        bool starts = at == path || at[-1] == '/';
        if (starts && at[len] == '=')
            return rv_arena_cstr(a, (rv_str){at + len + 1, strcspn(at + len + 1, "/")}, out, err);
    }
    return RV_OK;
}

/* The bucket that --prefix or --run-id speaks of; NULL: they speak of none. */
static rv_status named_value(rv_choosing *c, const rv_cfg_export *x, const char **out,
                             rv_error *err)
{
    rv_run_row run = {0};
    bool found = false;
    size_t len = strlen(x->name);
    *out = NULL;
    if (c->opts->prefix)
        return value_in(c->opts->prefix, x->partition_by, c->arena, out, err);
    if (c->opts->run_id && c->state)
        RV_TRY(rv_state_run_get(c->state, c->opts->run_id, c->arena, &run, &found, err));
    if (found && strncmp(run.export_name, x->name, len) == 0 &&
        strncmp(run.export_name + len, "__", 2) == 0)
        *out = run.export_name + len + 2;
    return RV_OK;
}

static rv_status add_partitioned(rv_choosing *c, const rv_cfg_export *x, rv_error *err)
{
    const char *value;
    rv_bucket bucket;
    RV_TRY(named_value(c, x, &value, err));
    if (value && rv_bucket_parse(value, &bucket))
        return add_bucket(c, x, value, err);
    return add_known(c, x, err);
}

static rv_status find_named(rv_choosing *c, const rv_cfg_export **out, rv_error *err)
{
    const char *suggestion;
    *out = rv_cfg_find_export(c->cfg, c->opts->export_name, &suggestion);
    if (!*out)
        RV_TRY(rv_partition_find(c->cfg, c->opts->export_name, c->arena, out, err));
    if (!*out)
        return rv_fail(err, RV_E_CONFIG_UNKNOWN_EXPORT, "no export '%s' in %s",
                       c->opts->export_name, c->cfg->path);
    return RV_OK;
}

rv_status rv_validate_subjects(const rv_cfg *cfg, const rv_validate_opts *opts, rv_state *state,
                               rv_arena *arena, const rv_cfg_export ***out, size_t *out_n,
                               rv_error *err)
{
    rv_choosing c = {.cfg = cfg, .opts = opts, .state = state, .arena = arena};
    const rv_cfg_export *named = NULL;
    if (opts->export_name)
        RV_TRY(find_named(&c, &named, err));
    for (size_t i = 0; i < (named ? 1 : cfg->n_exports); i++) {
        const rv_cfg_export *x = named ? named : &cfg->exports[i];
        RV_TRY(x->partition_by ? add_partitioned(&c, x, err) : add(&c, x, err));
    }
    *out = c.list;
    *out_n = c.n;
    return RV_OK;
}
