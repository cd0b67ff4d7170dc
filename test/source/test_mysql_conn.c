/* Connection, settings, limits, snapshots, signals and waiters of the MySQL driver on real servers.
 * Spec "source-safety" sections 4, 7, 10, 13; "pitfalls" rows 8, 14, 54. */
#include <pthread.h>
#include <time.h>

#include "base/fault.h"
#include "source/mysql_fixture.h"

/* The first cell of the answer through the driver's own door, in the arena. */
static const char *ask(myx *f, rv_source *s, const char *sql)
{
    MYSQL_RES *r = NULL;
    const char *text = "none";
    rv_error_clear(&f->err);
    if (rv_mys_ask(s, sql, "asking", &r, &f->err) != RV_OK)
        return f->err.text;
    MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
    if (row && row[0])
        CHECK_EQ(rv_arena_cstr(&f->arena, rv_str_c(row[0]), &text, &f->err), RV_OK);
    mysql_free_result(r);
    return text;
}

static void info_body(myx *f)
{
    const rv_source_info *info = &f->s->info;
    CHECK_STR(info->database, f->name);
    CHECK_STR(info->connection, "direct");
    CHECK(info->loopback && !info->cannot_cut && !info->single_backend_warning);
    CHECK_STR(info->identity,
              ask(f, f->s,
                  f->s->mariadb ? "SELECT CONCAT(@@hostname, ':', @@port, '/', @@server_id)"
                                : "SELECT @@server_uuid"));
    CHECK(strncmp(info->version, ask(f, f->s, "SELECT VERSION()"), strlen(info->version)) == 0);
    CHECK(strstr(info->version, "deb") == NULL && strstr(info->version, "log") == NULL);
    CHECK_STR(ask(f, f->s,
                  "SELECT LEFT(INFO, 17) FROM information_schema.PROCESSLIST WHERE ID = "
                  "CONNECTION_ID()"),
              "/* rivet run* /1 ");
}

RV_TEST(info_of_a_connection)
{
    myx_each("SELECT 1", info_body);
}

static rv_source *with_limits(myx *f, uint32_t statement_s, uint32_t lock_s)
{
    f->tuning.statement_timeout_s = statement_s;
    f->tuning.lock_timeout_s = lock_s;
    return myx_connect(f);
}

static void settings_body(myx *f)
{
    rv_source *s = with_limits(f, 77, 5);
    REQUIRE(s != NULL);
    CHECK_STR(ask(f, s, "SELECT @@session.time_zone"), "+00:00");
    CHECK_STR(ask(f, s, "SELECT @@session.character_set_results"), "utf8mb4");
    CHECK_STR(ask(f, s, "SELECT @@session.lock_wait_timeout"), "5");
    CHECK_STR(ask(f, s, "SELECT @@session.net_write_timeout"), "600");
    CHECK_STR(ask(f, s,
                  s->mariadb ? "SELECT @@session.max_statement_time"
                             : "SELECT @@session.max_execution_time"),
              s->mariadb ? "77.000000" : "77000");
    CHECK_STR(ask(f, s, "SELECT 'a\\\\b'"), "a\\b");
    CHECK_STR(ask(f, s, "SELECT FIND_IN_SET('NO_BACKSLASH_ESCAPES', @@session.sql_mode)"), "0");
    (void)ask(f, s, "INSERT INTO t VALUES (9)");
    CHECK_STR(f->err.native, "1792"); /* read only */
    rv_mys_close(s);
    s = with_limits(f, 0, 0);
    REQUIRE(s != NULL);
    CHECK_STR(ask(f, s, "SELECT @@session.lock_wait_timeout"), "31536000");
    CHECK_STR(ask(f, s,
                  s->mariadb ? "SELECT @@session.max_statement_time"
                             : "SELECT @@session.max_execution_time"),
              s->mariadb ? "0.000000" : "0");
    rv_mys_close(s);
}

RV_TEST(settings_of_a_session)
{
    myx_each("CREATE TABLE t (a INT PRIMARY KEY)", settings_body);
}

/* Odd settings of the server do not reach the session, or are told. */
static void modes_body(myx *f)
{
    char old[512];
    snprintf(old, sizeof old, "%s", ask(f, f->s, "SELECT @@global.sql_mode"));
    CHECK(myx_exec(f, "SET GLOBAL sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'"));
    rv_source *s = myx_connect(f);
    char restore[600];
    snprintf(restore, sizeof restore, "SET GLOBAL sql_mode = '%s'", old);
    CHECK(myx_exec(f, restore));
    REQUIRE(s != NULL);
    CHECK(s->ansi_quotes);
    CHECK_STR(ask(f, s, "SELECT @@session.sql_mode"), "ANSI_QUOTES");
    CHECK_STR(ask(f, s, "SELECT 'a\\\\b'"), "a\\b");
    rv_mys_close(s);
    CHECK(!f->s->ansi_quotes);
}

RV_TEST(modes_of_the_server)
{
    myx_each("SELECT 1", modes_body);
}

static void limits_body(myx *f)
{
    rv_buf prefix = RV_BUF_INIT, hint = RV_BUF_INIT, sql = RV_BUF_INIT;
    CHECK_EQ(rv_mys_limit_prefix(f->s, 150, &prefix, NULL), RV_OK);
    CHECK_EQ(rv_mys_limit_hint(f->s, 150, &hint, NULL), RV_OK);
    CHECK_EQ(prefix.len > 0, f->s->mariadb);
    CHECK_EQ(hint.len > 0, !f->s->mariadb);
    CHECK_EQ(rv_buf_add_str(&sql, rv_buf_str(&prefix), NULL), RV_OK);
    CHECK_EQ(rv_buf_add_c(&sql, "SELECT ", NULL), RV_OK);
    CHECK_EQ(rv_buf_add_str(&sql, rv_buf_str(&hint), NULL), RV_OK);
    CHECK_EQ(rv_buf_add_c(&sql,
                          "COUNT(*) FROM information_schema.COLLATIONS a, "
                          "information_schema.COLLATIONS b, information_schema.COLLATIONS c, "
                          "information_schema.COLLATIONS d",
                          NULL),
             RV_OK);
    (void)ask(f, f->s, rv_buf_cstr(&sql));
    CHECK_EQ(f->err.code, RV_E_SOURCE_TIMEOUT);
    CHECK_EQ(f->err.retry, RV_RETRY_T);
    rv_buf_clear(&prefix);
    CHECK_EQ(rv_mys_limit_prefix(f->s, 0, &prefix, NULL), RV_OK);
    CHECK_EQ(rv_mys_limit_hint(f->s, 0, &prefix, NULL), RV_OK);
    CHECK_EQ(prefix.len, 0);
    rv_buf_free(&prefix);
    rv_buf_free(&hint);
    rv_buf_free(&sql);
}

RV_TEST(limits_of_a_statement)
{
    myx_each("SELECT 1", limits_body);
}

/* ---- snapshots ---- */

static void one_instant_body(myx *f)
{
    rv_source *s[] = {f->s, myx_connect(f), myx_connect(f)};
    REQUIRE(s[1] != NULL && s[2] != NULL);
    rv_status st = rv_mys_snapshot_begin(s, 3, &f->err);
    if (st != RV_OK) { /* the server cannot tell */
        CHECK_EQ(st, RV_E_SOURCE_SNAPSHOT);
        printf("  %s\n", f->err.text);
    } else {
        CHECK(myx_exec(f, "INSERT INTO t VALUES (2)"));
        for (size_t i = 0; i < 3; i++) {
            CHECK_STR(ask(f, s[i], "SELECT COUNT(*) FROM t"), "1");
            CHECK_EQ(rv_mys_session(s[i]), (int64_t)rv_my_id(s[i]->my));
        }
        for (size_t i = 0; i < 3; i++) {
            CHECK_EQ(rv_mys_snapshot_end(s[i], &f->err), RV_OK);
            CHECK_STR(ask(f, s[i], "SELECT COUNT(*) FROM t"), "2");
            CHECK_EQ(rv_mys_session(s[i]), 0);
        }
    }
    rv_mys_close(s[1]);
    rv_mys_close(s[2]);
}

RV_TEST(one_instant_for_several)
{
    myx_each("CREATE TABLE t (a INT PRIMARY KEY) ENGINE=InnoDB; INSERT INTO t VALUES (1)",
             one_instant_body);
}

static void isolation_body(myx *f)
{
    CHECK_STR(ask(f, f->s, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"), "none");
    CHECK_EQ(rv_mys_snapshot_begin(&f->s, 1, &f->err), RV_OK);
    CHECK(myx_exec(f, "INSERT INTO t VALUES (2)"));
    CHECK_STR(ask(f, f->s, "SELECT COUNT(*) FROM t"), "1");
    CHECK_EQ(rv_mys_snapshot_end(f->s, &f->err), RV_OK);
    CHECK_EQ(rv_mys_snapshot_end(f->s, &f->err), RV_OK);
    CHECK_STR(ask(f, f->s, "SELECT COUNT(*) FROM t"), "2");
}

RV_TEST(a_snapshot_under_another_isolation)
{
    myx_each("CREATE TABLE t (a INT PRIMARY KEY) ENGINE=InnoDB; INSERT INTO t VALUES (1)",
             isolation_body);
}

typedef struct writer {
    myx *f;
    MYSQL *my;
    atomic_bool stop;
    long commits;
} writer;

/* Two rows per transaction: a snapshot that sees one of them is none. */
static void *keep_writing(void *ctx)
{
    writer *w = ctx;
    while (!atomic_load(&w->stop)) {
        char sql[128];
        snprintf(sql, sizeof sql, "INSERT INTO t VALUES (%ld), (%ld)", 2 * w->commits + 10,
                 2 * w->commits + 11);
        if (mysql_query(w->my, sql) == 0)
            w->commits++;
    }
    return NULL;
}

static void busy_body(myx *f)
{
    rv_source *s[] = {f->s, myx_connect(f), myx_connect(f), myx_connect(f)};
    writer w = {.f = f, .my = f->admin};
    pthread_t thread;
    size_t had = 0;
    REQUIRE(s[1] && s[2] && s[3]);
    atomic_init(&w.stop, false);
    REQUIRE(pthread_create(&thread, NULL, keep_writing, &w) == 0);
    for (int round = 0; round < 25; round++) {
        rv_status st = rv_mys_snapshot_begin(s, 4, &f->err);
        CHECK(st == RV_OK || st == RV_E_SOURCE_SNAPSHOT);
        if (st != RV_OK)
            continue;
        had++;
        const char *first = ask(f, s[0], "SELECT COUNT(*) FROM t");
        for (size_t i = 1; i < 4; i++)
            CHECK_STR(ask(f, s[i], "SELECT COUNT(*) FROM t"), first);
        for (size_t i = 0; i < 4; i++)
            CHECK_EQ(rv_mys_snapshot_end(s[i], &f->err), RV_OK);
    }
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    printf("  %s: %zu of 25 openings beside %ld commits\n", f->s->info.version, had, w.commits);
    for (size_t i = 1; i < 4; i++)
        rv_mys_close(s[i]);
}

RV_TEST(snapshots_beside_commits_are_equal_or_refused)
{
    myx_each("CREATE TABLE t (a INT PRIMARY KEY) ENGINE=InnoDB", busy_body);
}

/* ---- signals, counters, waiters ---- */

static void signals_body(myx *f)
{
    int64_t value = -1;
    rv_counter *list = NULL;
    size_t n = 0;
    CHECK_EQ(rv_mys_signal(f->s, RV_SIGNAL_BATCH, &value, &f->err), RV_OK);
    CHECK(value >= 0);
    value = -1;
    CHECK_EQ(rv_mys_signal(f->s, RV_SIGNAL_PRESSURE, &value, &f->err), RV_OK);
    CHECK(value >= 0);
    CHECK_EQ(rv_mys_counters(f->s, &f->arena, &list, &n, &f->err), RV_OK);
    CHECK(n >= 7);
    for (size_t i = 0; i < n; i++)
        CHECK(strncmp(list[i].name, "mysql_", 6) == 0 && list[i].value >= 0);
}

RV_TEST(signals_and_counters)
{
    myx_each("SELECT 1", signals_body);
}

static void *alter(void *ctx)
{
    myx *f = ctx;
    (void)myx_exec(f, "ALTER TABLE t ADD COLUMN b INT");
    return NULL;
}

static const char *await_waiter(myx *f, rv_source *watcher, int64_t session)
{
    const struct timespec tick = {0, 100000000};
    const char *waiter = NULL;
    for (int i = 0; i < 50 && !waiter; i++) {
        nanosleep(&tick, NULL);
        CHECK_EQ(rv_mys_waiter(watcher, session, &f->arena, &waiter, &f->err), RV_OK);
    }
    return waiter;
}

static void waiter_body(myx *f)
{
    rv_source *watcher = myx_connect(f);
    pthread_t thread;
    const char *waiter = NULL;
    REQUIRE(watcher != NULL);
    CHECK_EQ(rv_mys_snapshot_begin(&f->s, 1, &f->err), RV_OK);
    CHECK_STR(ask(f, f->s, "SELECT COUNT(*) FROM t"), "1");
    int64_t session = rv_mys_session(f->s);
    CHECK_EQ(rv_mys_waiter(watcher, session, &f->arena, &waiter, &f->err), RV_OK);
    CHECK(waiter == NULL);
    REQUIRE(pthread_create(&thread, NULL, alter, f) == 0);
    waiter = await_waiter(f, watcher, session);
    CHECK(waiter != NULL && strstr(waiter, "ALTER TABLE t") != NULL);
    CHECK_EQ(rv_mys_snapshot_end(f->s, &f->err), RV_OK);
    pthread_join(thread, NULL);
    CHECK_EQ(rv_mys_waiter(watcher, session, &f->arena, &waiter, &f->err), RV_OK);
    CHECK(waiter == NULL);
    rv_mys_close(watcher);
}

RV_TEST(who_waits_is_named)
{
    myx_each("CREATE TABLE t (a INT PRIMARY KEY) ENGINE=InnoDB; INSERT INTO t VALUES (1)",
             waiter_body);
}

/* An account that sees nothing of others may not look. */
static void blind_body(myx *f)
{
    char sql[256];
    const char *waiter = NULL;
    rv_cfg_source cfg = f->cfg;
    snprintf(sql, sizeof sql,
             "DROP USER IF EXISTS rivet_blind@'%%'; CREATE USER rivet_blind@'%%' IDENTIFIED BY "
             "'pw'; GRANT SELECT ON %s.* TO rivet_blind@'%%'",
             f->name);
    REQUIRE(myx_exec(f, sql));
    char url[256];
    const char *place = strchr(f->url, '@');
    snprintf(url, sizeof url, "mysql://rivet_blind:pw%s", place);
    f->cfg.url = url;
    rv_source *s = myx_connect(f);
    f->cfg = cfg;
    if (rvtest_check(s != NULL, __FILE__, __LINE__, f->err.text))
        CHECK_EQ(rv_mys_waiter(s, 1, &f->arena, &waiter, &f->err), RV_E_SOURCE_PERMISSION);
    rv_mys_close(s);
    CHECK(myx_exec(f, "DROP USER rivet_blind@'%'"));
}

RV_TEST(an_account_that_may_not_look)
{
    myx_each("SELECT 1", blind_body);
}

#ifdef RV_FAULTS
static void memory_body(myx *f)
{
    rv_status st = RV_E_MEMORY;
    long n = 1;
    for (; st != RV_OK && n < 500; n++) {
        rv_source *s = NULL;
        const rv_source_opts opts = {
            .cfg = &f->cfg, .tuning = &f->tuning, .run_id = "r", .export_name = "test"};
        rv_counter *list = NULL;
        size_t n_list = 0;
        int64_t value;
        const char *waiter;
        rv_arena arena = RV_ARENA_INIT;
        rv_fault_set_alloc(n, false);
        st = rv_mys_open(&f->env, &opts, &s, &f->err);
        if (st == RV_OK)
            st = rv_mys_signal(s, RV_SIGNAL_BATCH, &value, &f->err);
        if (st == RV_OK)
            st = rv_mys_counters(s, &arena, &list, &n_list, &f->err);
        if (st == RV_OK)
            st = rv_mys_snapshot_begin(&s, 1, &f->err);
        if (st == RV_OK)
            st = rv_mys_snapshot_end(s, &f->err);
        if (st == RV_OK)
            st = rv_mys_waiter(s, 1, &arena, &waiter, &f->err);
        rv_fault_set_alloc(0, false);
        CHECK(st == RV_OK || st == RV_E_MEMORY);
        rv_arena_free(&arena);
        rv_mys_close(s);
    }
    CHECK_EQ(st, RV_OK);
    CHECK(n > 3);
}
#endif

RV_TEST(survives_every_failed_allocation)
{
#ifdef RV_FAULTS
    myx_each("SELECT 1", memory_body);
#else
    SKIP("built without RV_FAULTS");
#endif
}

RV_TEST_MAIN(RV_CASE(info_of_a_connection), RV_CASE(settings_of_a_session),
             RV_CASE(modes_of_the_server), RV_CASE(limits_of_a_statement),
             RV_CASE(one_instant_for_several), RV_CASE(a_snapshot_under_another_isolation),
             RV_CASE(snapshots_beside_commits_are_equal_or_refused), RV_CASE(signals_and_counters),
             RV_CASE(who_waits_is_named), RV_CASE(an_account_that_may_not_look),
             RV_CASE(survives_every_failed_allocation))
