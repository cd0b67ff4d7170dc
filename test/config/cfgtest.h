/* config/cfgtest.h: loads a configuration text from a fresh directory, for the tests of the room.
 * One load at a time. */
#ifndef CFGTEST_H
#define CFGTEST_H

#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rvtest.h"

#define CFGTEST_MAX 16
typedef struct cfgtest {
    char dir[64];
    rv_param params[CFGTEST_MAX];
    size_t n_params;
    const char *env[CFGTEST_MAX]; /* NAME=value */
    size_t n_env;
    const char *selected[CFGTEST_MAX];
    size_t n_selected;
    bool some;  /* only the selected exports are needed */
    bool quiet; /* nothing needs to resolve */
    rv_secrets *secrets;
    rv_arena arena;
    rv_cfg *cfg;
    rv_diags diags;
    rv_error err;
    rv_status st;
} cfgtest;

static inline const char *cfgtest_env(void *ctx, const char *name)
{
    const cfgtest *t = ctx;
    size_t len = strlen(name);
    for (size_t i = 0; i < t->n_env; i++)
        if (strncmp(t->env[i], name, len) == 0 && t->env[i][len] == '=')
            return t->env[i] + len + 1;
    return NULL;
}

static inline bool cfgtest_write(const char *path, const char *text, size_t len)
{
    FILE *f = fopen(path, "wb");
    if (!f)
        return false;
    bool ok = fwrite(text, 1, len, f) == len;
    return fclose(f) == 0 && ok;
}

/* Enters a fresh directory; leave with cfgtest_end. */
static inline bool cfgtest_begin(cfgtest *t)
{
    memset(t, 0, sizeof *t);
    strcpy(t->dir, "/tmp/rivet-config-XXXXXX");
    return mkdtemp(t->dir) && chdir(t->dir) == 0 && rv_secrets_open(&t->secrets, NULL) == RV_OK;
}

static inline void cfgtest_load_file(cfgtest *t, const char *path)
{
    rv_env env = {.secrets = t->secrets, .getenv = cfgtest_env, .getenv_ctx = t};
    rv_cfg_opts opts = {.params = t->params,
                        .n_params = t->n_params,
                        .exports = t->some ? t->selected : NULL,
                        .n_exports = t->n_selected,
                        .all_exports = !t->some && !t->quiet,
                        .need_source = !t->quiet,
                        .need_queries = !t->quiet,
                        .need_notifications = !t->quiet,
                        .seal = true};
    rv_arena_free(&t->arena);
    t->arena = RV_ARENA_INIT;
    t->cfg = NULL;
    t->st = rv_cfg_load(&env, path, &opts, &t->arena, &t->cfg, &t->diags, &t->err);
}

static inline void cfgtest_load_bytes(cfgtest *t, const char *yaml, size_t len)
{
    if (cfgtest_write("rivet.yaml", yaml, len))
        cfgtest_load_file(t, "rivet.yaml");
}

static inline void cfgtest_load(cfgtest *t, const char *yaml)
{
    cfgtest_load_bytes(t, yaml, strlen(yaml));
}

static inline void cfgtest_end(cfgtest *t)
{
    rv_arena_free(&t->arena);
    rv_secrets_close(t->secrets);
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", t->dir);
    CHECK(chdir("/") == 0);
    CHECK(system(command) == 0);
}

#endif
