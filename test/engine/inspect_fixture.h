/* engine/inspect_fixture.h: a directory with a SQLite database and a rivet.yaml, for the commands
 * that look and change nothing. */
#ifndef RV_TEST_INSPECT_FIXTURE_H
#define RV_TEST_INSPECT_FIXTURE_H

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "engine/engine.h"
#include "rvtest.h"

typedef struct fixture {
    char dir[64], db[96], config[96], out[96];
    char url[128]; /* DATABASE_URL; "" = unset */
    int64_t now_us;
    rv_env env;
    rv_arena arena;
    rv_cfg *cfg;
    rv_diags diags;
    rv_error err;
} fixture;

static inline int64_t fx_now(void *ctx)
{
    return ((fixture *)ctx)->now_us;
}

static inline const char *fx_getenv(void *ctx, const char *name)
{
    const fixture *f = ctx;
    return strcmp(name, "DATABASE_URL") == 0 && f->url[0] ? f->url : NULL;
}

static inline bool fx_sql(const fixture *f, const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    int rc = sqlite3_open(f->db, &db);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, sql, NULL, NULL, &message);
    if (rc != SQLITE_OK)
        printf("%s: %s\n", sql, message ? message : sqlite3_errmsg(db));
    sqlite3_free(message);
    sqlite3_close(db);
    return rc == SQLITE_OK;
}

static inline bool fx_open(fixture *f, const char *sql)
{
    *f = (fixture){.now_us = INT64_C(1777708800117000)};
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/rv_inspect_XXXXXX");
    if (!mkdtemp(f->dir))
        return false;
    (void)snprintf(f->db, sizeof f->db, "%s/shop.db", f->dir);
    (void)snprintf(f->config, sizeof f->config, "%s/rivet.yaml", f->dir);
    (void)snprintf(f->out, sizeof f->out, "%s/output", f->dir);
    f->env = (rv_env){
        .now_us = fx_now, .now_ctx = f, .getenv = fx_getenv, .getenv_ctx = f, .tmp_dir = f->dir};
    return rv_cancel_open(&f->env.cancel, &f->err) == RV_OK && fx_sql(f, sql);
}

static inline bool fx_write(const char *path, const char *text)
{
    rv_error err = {0};
    return rv_file_replace(path, rv_str_bytes(rv_str_c(text)), 0600, &err) == RV_OK;
}

static inline bool fx_load(fixture *f)
{
    rv_cfg_opts opts = {.all_exports = true, .need_source = true, .need_queries = true};
    f->diags = (rv_diags){0};
    if (rv_cfg_load(&f->env, f->config, &opts, &f->arena, &f->cfg, &f->diags, &f->err) == RV_OK)
        return true;
    printf("%s\n", f->err.text);
    return false;
}

/* `exports` is YAML below "exports:"; %s in it is the output directory, once at most. */
static inline bool fx_config(fixture *f, const char *exports)
{
    char text[8192];
    const char *at = strstr(exports, "OUT");
    size_t used =
        (size_t)snprintf(text, sizeof text, "source:\n  type: sqlite\n  path: shop.db\nexports:\n");
    while (at && used < sizeof text) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%.*s%s", (int)(at - exports),
                                 exports, f->out);
        exports = at + 3;
        at = strstr(exports, "OUT");
    }
    (void)snprintf(text + used, sizeof text - used, "%s", exports);
    return fx_write(f->config, text) && fx_load(f);
}

static inline void fx_remove_tree(const char *dir)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    while (d && (e = readdir(d)) != NULL) {
        char path[1024];
        struct stat sb;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (snprintf(path, sizeof path, "%s/%s", dir, e->d_name) >= (int)sizeof path)
            continue;
        if (lstat(path, &sb) == 0 && S_ISDIR(sb.st_mode))
            fx_remove_tree(path);
        else
            (void)unlink(path);
    }
    if (d)
        (void)closedir(d);
    (void)rmdir(dir);
}

static inline void fx_close(fixture *f)
{
    rv_arena_free(&f->arena);
    rv_cancel_close(f->env.cancel);
    fx_remove_tree(f->dir);
}

#define FX_SHOP                                                                                    \
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, amount DECIMAL(10,2),"   \
    " updated_at TIMESTAMP);"                                                                      \
    "CREATE INDEX orders_updated ON orders (updated_at, id);"                                      \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 950)"                \
    " INSERT INTO orders SELECT i, 'c' || (i % 7), i * 1.25,"                                      \
    " '2026-01-01 00:00:' || printf('%02d', i % 60) FROM n;"

#endif
