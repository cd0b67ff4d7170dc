/* state/state_fixture.h: a state of its own for each test, with a clock the test moves: a file in
 * a directory, or, when RV_TEST_STATE=postgres, a schema in a database that this process makes on
 * the server of RIVET_TEST_PG_URL and drops again. The same tests run over both. */
#ifndef RV_TEST_STATE_FIXTURE_H
#define RV_TEST_STATE_FIXTURE_H

#include <dirent.h>
#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "state/state.h"
#include "rvtest.h"

typedef struct fixture {
    char dir[64];
    char db[96];
    const char *url; /* NULL: SQLite in `dir` */
    int64_t now_us;
    rv_env env;
    rv_state *s;
    rv_arena arena;
    rv_error err;
} fixture;

static inline int64_t fx_now(void *ctx)
{
    return *(int64_t *)ctx;
}

static inline const char *fx_getenv(void *ctx, const char *name)
{
    (void)ctx;
    if (strcmp(name, "RIVET_STATE_BUSY_MS") == 0)
        return "20";
    if (strcmp(name, "RIVET_STATE_PATIENCE_MS") == 0)
        return "1000";
    return strcmp(name, "RIVET_STATE_CLOCK") == 0 ? "host" : NULL;
}

/* ---- the server ---- */

/* Connection text of this process's database; "" with SQLite. */
static char fx_url[1024];

static inline bool fx_on_server(void)
{
    return fx_url[0] != '\0';
}

static inline bool fx_server_do(const char *conninfo, const char *sql)
{
    PGconn *c = PQconnectdb(conninfo);
    PGresult *r = PQexec(c, "SET client_min_messages TO error");
    PQclear(r);
    r = PQexec(c, sql);
    bool ok = PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK;
    if (!ok)
        fprintf(stderr, "%s: %s", sql, PQerrorMessage(c));
    PQclear(r);
    PQfinish(c);
    return ok;
}

/* Statements on the test's own state, as anybody could run them. */
static inline bool fx_do(const fixture *f, const char *sql)
{
    if (fx_on_server()) {
        char text[2048];
        snprintf(text, sizeof text, "SET search_path TO rivet; %s", sql);
        return fx_server_do(f->url, text);
    }
    sqlite3 *db = NULL;
    bool ok = sqlite3_open(f->db, &db) == SQLITE_OK &&
              sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
    sqlite3_close(db);
    return ok;
}

/* The given server's options as keywords, with another database. */
static inline bool fx_conninfo(const char *url, const char *database, char *out, size_t size)
{
    char *problem = NULL;
    size_t len = 0;
    PQconninfoOption *all = PQconninfoParse(url, &problem);
    PQfreemem(problem);
    for (PQconninfoOption *o = all; o && o->keyword && len < size; o++)
        if (o->val && strcmp(o->keyword, "dbname") != 0)
            len += (size_t)snprintf(out + len, size - len, "%s='%s' ", o->keyword, o->val);
    if (len < size)
        len += (size_t)snprintf(out + len, size - len, "dbname='%s'", database);
    PQconninfoFree(all);
    return all && len < size;
}

static inline int fx_main(const rvtest_case *cases, size_t count, int argc, char **argv)
{
    const char *kind = getenv("RV_TEST_STATE"), *server = getenv("RIVET_TEST_PG_URL");
    char name[64], sql[128];
    if (!kind || strcmp(kind, "postgres") != 0)
        return rvtest_main(cases, count, argc, argv);
    if (!server || !server[0]) {
        printf("SKIP all: RIVET_TEST_PG_URL names no PostgreSQL server\n"
               "0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    snprintf(name, sizeof name, "rivet_state_test_%d", (int)getpid());
    snprintf(sql, sizeof sql, "CREATE DATABASE %s ENCODING 'UTF8' TEMPLATE template0", name);
    if (!fx_server_do(server, sql) || !fx_conninfo(server, name, fx_url, sizeof fx_url))
        return 1;
    int code = rvtest_main(cases, count, argc, argv);
    snprintf(sql, sizeof sql, "DROP DATABASE %s", name);
    return fx_server_do(server, sql) ? code : 1;
}

#define FX_TEST_MAIN(...)                                                                          \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        static const rvtest_case cases[] = {__VA_ARGS__};                                          \
        return fx_main(cases, sizeof cases / sizeof cases[0], argc, argv);                         \
    }
#define FX_FILES_ONLY                                                                              \
    if (fx_on_server())                                                                            \
    SKIP("about files")
#define FX_SERVER_ONLY                                                                             \
    if (!fx_on_server())                                                                           \
    SKIP("about a server; RV_TEST_STATE=postgres")

/* ---- a state ---- */

static inline bool fx_begin(fixture *f)
{
    *f = (fixture){.now_us = INT64_C(1777708800000000)};
    snprintf(f->dir, sizeof f->dir, "/tmp/rvstateXXXXXX");
    if (!mkdtemp(f->dir))
        return false;
    snprintf(f->db, sizeof f->db, "%s/.rivet_state.db", f->dir);
    f->env.now_us = fx_now;
    f->env.now_ctx = &f->now_us;
    f->env.getenv = fx_getenv;
    if (!fx_on_server())
        return true;
    f->url = fx_url;
    return fx_server_do(fx_url, "DROP SCHEMA IF EXISTS rivet CASCADE");
}

static inline rv_status fx_open_as(fixture *f, const char *project, rv_state **out)
{
    rv_state_opts opts = {.url = f->url, .config_dir = f->dir, .project = project};
    return rv_state_open(&f->env, &opts, out, &f->err);
}

static inline bool fx_start(fixture *f)
{
    return fx_begin(f) && fx_open_as(f, "", &f->s) == RV_OK;
}

static inline void fx_remove_dir(const char *dir)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    while (d && (e = readdir(d)) != NULL) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            (void)unlink(path);
    }
    if (d)
        (void)closedir(d);
    (void)rmdir(dir);
}

static inline void fx_end(fixture *f)
{
    rv_state_close(f->s);
    rv_arena_free(&f->arena);
    fx_remove_dir(f->dir);
}

static inline rv_run_row fx_row(const char *export_name, const char *run_id, const char *stem)
{
    rv_run_row r = {.run_id = run_id,
                    .export_name = export_name,
                    .mode = "full",
                    .stem = stem,
                    .destination = "{\"kind\":\"local\"}",
                    .prefix = "./out",
                    .owner_token = "00112233445566778899aabbccddeeff",
                    .checks = ""};
    rv_process_self(&r.process);
    return r;
}

/* Takes the lease; the lease's epoch is 0 when it did not work. */
static inline rv_lease fx_take(fixture *f, const char *export_name, const char *run_id)
{
    rv_run_row row = fx_row(export_name, run_id, run_id), open;
    rv_take take = RV_LEASE_HELD;
    rv_lease l = {run_id, export_name, 0};
    if (rv_state_lease_take(f->s, &row, &f->arena, &take, &open, &f->err) == RV_OK &&
        take == RV_LEASE_TAKEN)
        l.epoch = 1;
    return l;
}

static inline rv_part_row fx_part(const char *unit, const char *name, int64_t index)
{
    return (rv_part_row){.unit = unit,
                         .file_name = name,
                         .part_index = index,
                         .chunk_index = -1,
                         .row_count = 10,
                         .bytes = 100,
                         .format = "parquet",
                         .compression = "zstd",
                         .fingerprint = "xxh3:0000000000000001",
                         .md5 = "d41d8cd98f00b204e9800998ecf8427e",
                         .spool_path = "/tmp/spool"};
}

/* Every step of a unit up to its transaction. */
static inline rv_status fx_upload(fixture *f, const rv_lease *l, const char *unit, const char *name)
{
    rv_part_row p = fx_part(unit, name, 0);
    rv_unit_row u = {.unit = unit, .rows = 10, .parts = 1, .accumulators = "{}"};
    RV_TRY(rv_state_part_intent(f->s, l, "./out", &p, &f->err));
    RV_TRY(rv_state_part_status(f->s, l, l->run_id, name, "uploaded", true, &f->err));
    return rv_state_unit_seal(f->s, l, &u, &f->err);
}

#endif
