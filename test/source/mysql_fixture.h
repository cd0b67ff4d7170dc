/* source/mysql_fixture.h: a database of its own on the server of RIVET_TEST_MYSQL_URL or
 * RIVET_TEST_MARIADB_URL, a reader of it, and what it said. Tests run over each that is set;
 * without both they are skipped by name. */
#ifndef RV_TEST_MYSQL_FIXTURE_H
#define RV_TEST_MYSQL_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rvtest.h"
#include "source/mysql/relation_internal.h"

typedef struct myx {
    const char *server; /* of the environment */
    char name[64];
    char url[1024];
    rv_env env;
    rv_cfg_source cfg;
    rv_cfg_tuning tuning;
    MYSQL *admin; /* in the database itself */
    rv_source *s;
    rv_arena arena;
    rv_error err;
} myx;

/* One or several statements. */
static inline bool myx_exec(myx *f, const char *sql)
{
    int more = mysql_real_query(f->admin, sql, strlen(sql)) ? 1 : 0;
    while (more == 0) {
        MYSQL_RES *r = mysql_store_result(f->admin);
        if (r)
            mysql_free_result(r);
        more = mysql_next_result(f->admin); /* -1: none, above 0: it failed */
    }
    if (more > 0)
        printf("%.200s: %s\n", sql, mysql_error(f->admin));
    return more < 0;
}

static inline rv_source *myx_connect(myx *f)
{
    rv_source_opts opts = {
        .cfg = &f->cfg, .tuning = &f->tuning, .run_id = "run*/1", .export_name = "test"};
    rv_source *s = NULL;
    if (rv_mys_open(&f->env, &opts, &s, &f->err) != RV_OK)
        printf("open: %s\n", f->err.text);
    return s;
}

/* mysql://user[:password]@host:port/... */
static inline bool myx_admin(myx *f)
{
    char user[64] = "", host[128] = "";
    unsigned port = 3306;
    if (sscanf(f->server, "mysql://%63[^@]@%127[^:/]:%u", user, host, &port) < 2)
        return false;
    char *password = strchr(user, ':');
    if (password)
        *password++ = '\0';
    f->admin = mysql_init(NULL);
    return f->admin && mysql_real_connect(f->admin, host, user, password, NULL, port, NULL,
                                          CLIENT_MULTI_STATEMENTS);
}

/* The URL with another database: "scheme://authority/old?parameters". */
static inline void myx_set_url(myx *f)
{
    const char *authority = strstr(f->server, "://");
    const char *path = authority ? strchr(authority + 3, '/') : NULL;
    const char *parameters = strchr(f->server, '?');
    size_t n = path ? (size_t)(path - f->server) : strcspn(f->server, "?");
    (void)snprintf(f->url, sizeof f->url, "%.*s/%s%s", (int)n, f->server, f->name,
                   parameters ? parameters : "");
}

/* False with a printed reason. */
static inline bool myx_open(myx *f, const char *variable, const char *sql)
{
    char text[256];
    *f = (myx){.arena = RV_ARENA_INIT, .server = getenv(variable)};
    (void)snprintf(f->name, sizeof f->name, "rv_test_%ld", (long)getpid());
    myx_set_url(f);
    if (!myx_admin(f)) {
        printf("%s: %s\n", f->server, f->admin ? mysql_error(f->admin) : f->err.text);
        return false;
    }
    (void)snprintf(text, sizeof text, "DROP DATABASE IF EXISTS %s; CREATE DATABASE %s; USE %s",
                   f->name, f->name, f->name);
    f->cfg = (rv_cfg_source){.engine = RV_ENGINE_MYSQL, .url = f->url, .config_dir = "/tmp"};
    f->tuning = (rv_cfg_tuning){.lock_timeout_s = 5, .max_value_mb = 256};
    if (mysql_set_character_set(f->admin, "utf8mb4") != 0 || !myx_exec(f, text) ||
        !myx_exec(f, sql))
        return false;
    f->s = myx_connect(f);
    return f->s != NULL;
}

static inline void myx_close(myx *f)
{
    char text[160];
    rv_mys_close(f->s);
    (void)snprintf(text, sizeof text, "DROP DATABASE IF EXISTS %s", f->name);
    if (f->admin)
        (void)myx_exec(f, text);
    mysql_close(f->admin);
    rv_arena_free(&f->arena);
}

static inline rv_status myx_resolve(myx *f, const rv_read_spec *spec, rv_relation **out)
{
    rv_error_clear(&f->err);
    return rv_mys_resolve(f->s, spec, &f->arena, out, &f->err);
}

static const char *const myx_servers[] = {"RIVET_TEST_MARIADB_URL", "RIVET_TEST_MYSQL_URL"};

/* A database made by `setup` on each server that is named, and `body` with it. */
static inline void myx_each(const char *setup, void (*body)(myx *f))
{
    bool any = false;
    for (size_t i = 0; i < sizeof myx_servers / sizeof myx_servers[0]; i++) {
        myx f;
        if (!getenv(myx_servers[i]))
            continue;
        any = true;
        bool opened = myx_open(&f, myx_servers[i], setup);
        if (rvtest_check(opened, __FILE__, __LINE__, myx_servers[i]))
            body(&f);
        myx_close(&f);
    }
    if (!any)
        rvtest_skip("RIVET_TEST_MARIADB_URL and RIVET_TEST_MYSQL_URL name no server");
}

#endif
