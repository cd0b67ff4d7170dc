/* source/postgres_fixture.h: a database of its own on the server of RIVET_TEST_PG_URL, a reader of
 * it, and what it said. Without the variable the tests are skipped by name. */
#ifndef RV_TEST_POSTGRES_FIXTURE_H
#define RV_TEST_POSTGRES_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rvtest.h"
#include "source/postgres/relation_internal.h"

typedef struct pgx {
    const char *server; /* of the environment */
    char name[64];
    char url[1024];
    rv_env env;
    rv_cfg_source cfg;
    rv_cfg_tuning tuning;
    PGconn *admin; /* in the database itself */
    rv_source *s;
    rv_arena arena;
    rv_error err;
} pgx;

static inline bool pgx_exec(pgx *f, const char *sql)
{
    PGresult *r = PQexec(f->admin, sql);
    bool ok = PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK;
    if (!ok)
        printf("%.200s: %s\n", sql, PQerrorMessage(f->admin));
    PQclear(r);
    return ok;
}

static inline rv_source *pgx_connect(pgx *f)
{
    rv_source_opts opts = {
        .cfg = &f->cfg, .tuning = &f->tuning, .run_id = "run*/1", .export_name = "test"};
    rv_source *s = NULL;
    if (rv_pgs_open(&f->env, &opts, &s, &f->err) != RV_OK)
        printf("open: %s\n", f->err.text);
    return s;
}

/* One statement on the server's own database. */
static inline bool pgx_server(const pgx *f, const char *sql)
{
    PGconn *c = PQconnectdb(f->server);
    PGresult *r = PQexec(c, sql);
    bool ok = PQresultStatus(r) == PGRES_COMMAND_OK;
    if (!ok)
        printf("%s: %s\n", sql, PQerrorMessage(c));
    PQclear(r);
    PQfinish(c);
    return ok;
}

/* The URL with another database: "scheme://authority/old?parameters". */
static inline void pgx_set_url(pgx *f)
{
    const char *authority = strstr(f->server, "://");
    const char *path = authority ? strchr(authority + 3, '/') : NULL;
    const char *parameters = strchr(f->server, '?');
    size_t n = path ? (size_t)(path - f->server) : strcspn(f->server, "?");
    (void)snprintf(f->url, sizeof f->url, "%.*s/%s%s", (int)n, f->server, f->name,
                   parameters ? parameters : "");
}

/* False with a printed reason. */
static inline bool pgx_open(pgx *f, const char *sql)
{
    char text[160];
    *f = (pgx){.arena = RV_ARENA_INIT, .server = getenv("RIVET_TEST_PG_URL")};
    (void)snprintf(f->name, sizeof f->name, "rv_test_%ld", (long)getpid());
    (void)snprintf(text, sizeof text, "CREATE DATABASE %s TEMPLATE template0", f->name);
    pgx_set_url(f);
    if (!pgx_server(f, text))
        return false;
    f->cfg = (rv_cfg_source){.engine = RV_ENGINE_POSTGRES, .url = f->url, .config_dir = "/tmp"};
    f->tuning = (rv_cfg_tuning){.lock_timeout_s = 5, .max_value_mb = 256};
    f->admin = PQconnectdb(f->url);
    if (!pgx_exec(f, "SET client_min_messages = warning") || !pgx_exec(f, sql))
        return false;
    f->s = pgx_connect(f);
    return f->s != NULL;
}

static inline void pgx_close(pgx *f)
{
    char text[160];
    rv_pgs_close(f->s);
    PQfinish(f->admin);
    rv_arena_free(&f->arena);
    (void)snprintf(text, sizeof text, "DROP DATABASE IF EXISTS %s", f->name);
    (void)pgx_server(f, text);
}

static inline rv_status pgx_resolve(pgx *f, const rv_read_spec *spec, rv_relation **out)
{
    rv_error_clear(&f->err);
    rv_status st = rv_pgs_resolve(f->s, spec, &f->arena, out, &f->err);
    return st;
}

#define PGX_NEEDED()                                                                               \
    do {                                                                                           \
        if (!getenv("RIVET_TEST_PG_URL"))                                                          \
            SKIP("RIVET_TEST_PG_URL names no PostgreSQL server");                                  \
    } while (0)

#endif
