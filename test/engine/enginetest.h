/* A scratch directory with a SQLite source and a configuration, for runs inside the process. */
#ifndef ENGINETEST_H
#define ENGINETEST_H

#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "engine/engine.h"

typedef struct place {
    char dir[64];
    rv_env env;
    rv_cancel *cancel;
    rv_secrets *secrets;
} place;

static inline int place_remove(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static inline bool place_open(place *p)
{
    rv_error err = {0};
    *p = (place){.dir = "/tmp/rivet-engine-XXXXXX"};
    if (!mkdtemp(p->dir) || rv_cancel_open(&p->cancel, &err) != RV_OK ||
        rv_secrets_open(&p->secrets, &err) != RV_OK)
        return false;
    p->env = (rv_env){.cancel = p->cancel, .secrets = p->secrets, .tmp_dir = p->dir};
    return true;
}

static inline void place_close(place *p)
{
    rv_cancel_close(p->cancel);
    rv_secrets_close(p->secrets);
    (void)nftw(p->dir, place_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static inline bool place_db(const place *p, const char *name, const char *sql)
{
    char path[128];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof path, "%s/%s", p->dir, name);
    bool ok = sqlite3_open(path, &db) == SQLITE_OK &&
              sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
    (void)sqlite3_close(db);
    return ok;
}

static inline bool place_sql(const place *p, const char *sql)
{
    return place_db(p, "src.db", sql);
}

static inline bool place_state(const place *p, const char *sql)
{
    return place_db(p, ".rivet_state.db", sql);
}

static inline bool place_write(const place *p, const char *name, const char *text)
{
    char path[128];
    rv_error err = {0};
    (void)snprintf(path, sizeof path, "%s/%s", p->dir, name);
    return rv_file_replace(path, (rv_bytes){(const uint8_t *)text, strlen(text)}, 0600, &err) ==
           RV_OK;
}

/* Loads p/rivet.yaml and runs every export. The report's exit code, or 99 when nothing ran. */
static inline int place_run(place *p, rv_run_opts opts, rv_error *err)
{
    char path[128];
    rv_arena arena = RV_ARENA_INIT;
    rv_cfg *cfg = NULL;
    static rv_diags diags;
    rv_run_report report = {0};
    rv_cfg_opts load = {.all_exports = true, .need_source = true, .need_queries = true};
    (void)snprintf(path, sizeof path, "%s/rivet.yaml", p->dir);
    int code = 99;
    if (rv_cfg_load(&p->env, path, &load, &arena, &cfg, &diags, err) == RV_OK &&
        rv_engine_run(&p->env, cfg, &opts, &arena, &report, err) == RV_OK) {
        code = report.exit_code;
        for (size_t i = 0; i < report.n_exports; i++)
            if (report.exports[i].exit_code != 0)
                *err = report.exports[i].error;
    }
    rv_arena_free(&arena);
    return code;
}

#define ROWS_SQL(n)                                                                                \
    "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, price DECIMAL(10,2), at TIMESTAMP, b "     \
    "BLOB);"                                                                                       \
    "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM s WHERE i < " #n ")"               \
    "INSERT INTO t SELECT i, 'name ' || i, i * 0.25, '2024-01-02 03:04:05', x'00ff' FROM s;"       \
    "CREATE INDEX t_name ON t(name)"

#define YAML_HEAD(dir)                                                                             \
    "source: {type: sqlite, path: src.db, tuning: {throttle_ms: 0, retry_backoff_ms: 1}}\n"        \
    "exports:\n"

#endif
