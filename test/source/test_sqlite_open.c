/* Paths, URLs and what is wrong with a file. Spec "config" section 3, "source-safety" section 6. */
#include <sys/stat.h>

#include "source/sqlite_fixture.h"

static const char *fake_env(void *ctx, const char *name)
{
    return strcmp(name, "DB_URL") == 0 ? ctx : NULL;
}

static rv_status open_with(fixture *f, rv_cfg_source cfg, const char *env_value)
{
    rv_env env = {.getenv = fake_env, .getenv_ctx = (void *)(uintptr_t)env_value};
    rv_source_opts opts = {.cfg = &cfg, .tuning = &f->tuning};
    rv_source *s = NULL;
    rv_error_clear(&f->err);
    rv_status st = f->d->open(&env, &opts, &s, &f->err);
    if (st == RV_OK)
        CHECK_STR(f->d->info(s)->identity, f->path);
    f->d->close(s);
    return st;
}

RV_TEST(urls)
{
    fixture f;
    char url[128];
    REQUIRE(fx_open(&f, "CREATE TABLE t(a)"));
    const char *name = strrchr(f.path, '/') + 1;
    rv_cfg_source cfg = {.engine = RV_ENGINE_SQLITE, .config_dir = "/tmp", .url = url};
    static const char *const good[] = {"sqlite://%s", "sqlite:%s", "SQLITE:%s",
                                       "sqlite:%s?mode=rw"};
    for (size_t i = 0; i < 4; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(url, sizeof url, good[i], f.path);
#pragma GCC diagnostic pop
        CHECK_EQ(open_with(&f, cfg, NULL), RV_OK);
    }
    (void)snprintf(url, sizeof url, "sqlite:%s", name); /* relative to the config */
    CHECK_EQ(open_with(&f, cfg, NULL), RV_OK);
    cfg.url = "sqlite://host/x";
    CHECK_EQ(open_with(&f, cfg, NULL), RV_E_SOURCE_OPEN);
    cfg.url = "mysql://h/db";
    CHECK_EQ(open_with(&f, cfg, NULL), RV_E_CONFIG_SCHEME);
    CHECK_STR(f.err.text, "source type sqlite does not match URL scheme mysql");
    cfg.url = NULL;
    cfg.url_env = "DB_URL";
    (void)snprintf(url, sizeof url, "sqlite:%s", f.path);
    CHECK_EQ(open_with(&f, cfg, url), RV_OK);
    CHECK_EQ(open_with(&f, cfg, NULL), RV_E_CONFIG_NO_CONNECTION);
    CHECK_STR(f.err.text, "environment variable 'DB_URL', named by source.url_env, is not set");
    CHECK_EQ(rv_code(f.err.code)->class_, RV_CLASS_GENERIC);
    cfg.url_env = NULL;
    cfg.url_file = "rv_no_such_url_file";
    CHECK_EQ(open_with(&f, cfg, NULL), RV_E_CONFIG_NO_CONNECTION);
    fx_close(&f);
}

RV_TEST(url_file)
{
    fixture f;
    char file[80];
    REQUIRE(fx_open(&f, "CREATE TABLE t(a)"));
    (void)snprintf(file, sizeof file, "%s.url", f.path);
    FILE *out = fopen(file, "w");
    REQUIRE(out != NULL);
    fprintf(out, "  sqlite:%s \r\nsecond line\n", f.path);
    fclose(out);
    rv_cfg_source cfg = {
        .engine = RV_ENGINE_SQLITE, .config_dir = "/tmp", .url_file = strrchr(file, '/') + 1};
    CHECK_EQ(open_with(&f, cfg, NULL), RV_OK);
    unlink(file);
    fx_close(&f);
}

RV_TEST(bad_files)
{
    fixture f;
    char path[96];
    REQUIRE(fx_open(&f, "CREATE TABLE t(a)"));
    rv_cfg_source cfg = {.engine = RV_ENGINE_SQLITE, .config_dir = "/tmp", .path = path};
    (void)snprintf(path, sizeof path, "%s.missing", f.path);
    CHECK_EQ(open_with(&f, cfg, NULL), RV_E_SOURCE_OPEN);
    CHECK(strstr(f.err.text, "does not exist") != NULL && strstr(f.err.text, path) != NULL);
    CHECK(strstr(f.err.hint, "source.path") != NULL);
    (void)snprintf(path, sizeof path, "/tmp");
    CHECK_EQ(open_with(&f, cfg, NULL), RV_E_SOURCE_OPEN);
    CHECK(strstr(f.err.text, "is a directory") != NULL);
    (void)snprintf(path, sizeof path, "%s.text", f.path);
    FILE *out = fopen(path, "w");
    REQUIRE(out != NULL);
    for (int i = 0; i < 200; i++)
        fputs("this is no database\n", out);
    fclose(out);
    CHECK_EQ(open_with(&f, cfg, NULL), RV_E_SOURCE_OPEN);
    CHECK(strstr(f.err.text, "file is not a database") != NULL);
    CHECK_EQ(f.err.retry, RV_RETRY_P);
    CHECK_STR(f.err.native, "26");
    unlink(path);
    fx_close(&f);
}

RV_TEST(locked_database)
{
    fixture f;
    sqlite3 *db = NULL;
    REQUIRE(fx_open(&f, "CREATE TABLE t(a)"));
    REQUIRE(sqlite3_open(f.path, &db) == SQLITE_OK);
    CHECK_EQ(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    CHECK_EQ(open_with(&f, f.cfg, NULL), RV_E_SOURCE_LOCK);
    CHECK_EQ(f.err.retry, RV_RETRY_L);
    sqlite3_close(db);
    fx_close(&f);
}

RV_TEST(wal_without_rights)
{
    fixture f;
    char dir[64] = "/tmp/rv_wal_XXXXXX";
    char path[96], side[110];
    bool root = geteuid() == 0; /* who may write everywhere: be nobody for the moment */
    REQUIRE(fx_open(&f, "CREATE TABLE t(a)"));
    REQUIRE(mkdtemp(dir) != NULL);
    (void)snprintf(path, sizeof path, "%s/w.db", dir);
    sqlite3 *db = NULL;
    REQUIRE(sqlite3_open(path, &db) == SQLITE_OK);
    CHECK_EQ(sqlite3_exec(db, "PRAGMA journal_mode=WAL; CREATE TABLE t(a)", NULL, NULL, NULL),
             SQLITE_OK);
    sqlite3_close(db);
    chmod(path, 0644);
    chmod(dir, 0555);
    rv_cfg_source cfg = {.engine = RV_ENGINE_SQLITE, .config_dir = "/tmp", .path = path};
    REQUIRE(!root || seteuid(65534) == 0);
    CHECK_EQ(open_with(&f, cfg, NULL), RV_E_SOURCE_OPEN);
    REQUIRE(!root || seteuid(0) == 0);
    CHECK(strstr(f.err.hint, "WAL mode needs write permission") != NULL);
    chmod(dir, 0700);
    unlink(path);
    (void)snprintf(side, sizeof side, "%s-wal", path);
    unlink(side);
    rmdir(dir);
    fx_close(&f);
}

RV_TEST(nothing_is_written)
{
    fixture f;
    REQUIRE(fx_open(&f, "CREATE TABLE t(a); INSERT INTO t VALUES (1)"));
    struct stat before, after;
    CHECK_EQ(stat(f.path, &before), 0);
    CHECK_EQ(fx_export(&f, "t", NULL), RV_OK);
    rv_read_spec spec = {.query = "SELECT a FROM t WHERE a > (SELECT 0)"};
    rv_relation *rel = NULL;
    CHECK_EQ(fx_resolve(&f, &spec, &rel), RV_OK);
    CHECK_EQ(stat(f.path, &after), 0);
    CHECK_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    char side[80];
    (void)snprintf(side, sizeof side, "%s-wal", f.path);
    CHECK(access(side, F_OK) != 0);
    const rv_source_info *info = f.d->info(f.s);
    CHECK_STR(info->connection, "direct");
    CHECK_STR(info->database, strrchr(f.path, '/') + 1);
    CHECK(info->loopback && !info->single_backend_warning);
    fx_close(&f);
}

RV_TEST_MAIN(RV_CASE(urls), RV_CASE(url_file), RV_CASE(bad_files), RV_CASE(locked_database),
             RV_CASE(wal_without_rights), RV_CASE(nothing_is_written))
