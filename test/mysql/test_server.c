/* Real servers (RIVET_TEST_MYSQL_URL, RIVET_TEST_MARIADB_URL): statements, streams in both
 * protocols, cuts, deadlines, interrupts, ways of logging in. Design "sources" section 2,
 * "pitfalls" row 50. */
#include <pthread.h>
#include <time.h>

#include "base/fault.h"
#include "link.h"

#define DATABASE "rivet_test_mysql_server"
#define ROWS 200000

static const char *const families[] = {"RIVET_TEST_MYSQL_URL", "RIVET_TEST_MARIADB_URL"};

/* user:password@host:port out of mysql://..., nothing encoded. */
static bool read_url(const char *url, link_ *l)
{
    static char text[2][300];
    static int turn;
    char *at = text[turn++ % 2];
    const char *body = strstr(url, "://");
    snprintf(at, sizeof text[0], "%s", body ? body + 3 : "");
    at[strcspn(at, "/?")] = '\0';
    char *host = strrchr(at, '@'), *user = at, *password = NULL;
    if (!host)
        return false;
    *host++ = '\0';
    password = strchr(user, ':');
    if (password)
        *password++ = '\0';
    char *port = strchr(host, ':');
    if (port)
        *port++ = '\0';
    *l = link_to(host, port ? (uint16_t)strtoul(port, NULL, 10) : 3306, user, password);
    return true;
}

typedef void (*body_fn)(link_ *l);

static void on_each(body_fn body)
{
    bool any = false;
    for (size_t i = 0; i < 2; i++) {
        const char *url = getenv(families[i]);
        link_ l;
        if (!url || !read_url(url, &l))
            continue;
        any = true;
        if (rvtest_check(open_link(&l) == RV_OK, __FILE__, __LINE__, l.err.text))
            body(&l);
        close_link(&l);
    }
    if (!any)
        SKIP("RIVET_TEST_MYSQL_URL and RIVET_TEST_MARIADB_URL name no server");
}

static bool say(link_ *l, const char *sql)
{
    rv_error_clear(&l->err);
    return rvtest_check(rv_my_query(l->c, sql, 0, "preparing", NULL, &l->err) == RV_OK, __FILE__,
                        __LINE__, l->err.text[0] ? l->err.text : sql);
}

/* ROWS rows: id, 100 bytes of text. */
static bool fill(link_ *l)
{
    return say(l, "CREATE DATABASE IF NOT EXISTS " DATABASE) && say(l, "USE " DATABASE) &&
           say(l, "DROP TABLE IF EXISTS big") &&
           say(l, "CREATE TABLE big (id INT PRIMARY KEY, v VARCHAR(200))") &&
           say(l, "SET cte_max_recursion_depth = 1000000") &&
           say(l,
               "INSERT INTO big WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n "
               "WHERE i < 200000) SELECT i, REPEAT('x', 100) FROM n");
}

static bool fill_any(link_ *l)
{
    if (!rv_my_mariadb(l->c))
        return fill(l);
    return say(l, "CREATE DATABASE IF NOT EXISTS " DATABASE) && say(l, "USE " DATABASE) &&
           say(l, "DROP TABLE IF EXISTS big") &&
           say(l, "CREATE TABLE big (id INT PRIMARY KEY, v VARCHAR(200))") &&
           say(l, "INSERT INTO big SELECT seq, REPEAT('x', 100) FROM seq_1_to_200000");
}

static void drop(link_ *l)
{
    (void)say(l, "DROP DATABASE IF EXISTS " DATABASE);
}

static void statements_body(link_ *l)
{
    CHECK_STR(ask(l, "SELECT 'two'"), "two");
    CHECK_STR(ask(l, "SELECT NULL"), "NULL");
    CHECK_STR(ask(l, "DO 1"), "none");
    CHECK_STR(ask(l, "SELECT @@character_set_client"), "utf8mb4");
    CHECK_STR(ask(l, "SELECT x FROM information_schema.nowhere") + 8, l->err.text + 8);
    CHECK_EQ(l->err.code, RV_E_SOURCE_MISSING);
    (void)ask(l, "SELEC 1");
    CHECK_EQ(l->err.code, RV_E_SOURCE_QUERY);
    (void)ask(l, "SELECT 1; SELECT 2");
    CHECK_EQ(l->err.code, RV_E_SOURCE_QUERY);
    bool told = strcmp(ask(l, "SELECT @@performance_schema"), "1") == 0;
    CHECK_STR(ask(l, "SELECT ATTR_VALUE FROM performance_schema.session_connect_attrs WHERE "
                     "PROCESSLIST_ID = CONNECTION_ID() AND ATTR_NAME = 'program_name'"),
              told ? "rivet/test" : "none");
    char id[32];
    snprintf(id, sizeof id, "%llu", (unsigned long long)rv_my_id(l->c));
    CHECK_STR(ask(l, "SELECT CONNECTION_ID()"), id);
    CHECK(rv_my_version(l->c) > 50000);
    CHECK(!rv_my_broken(l->c));
}

RV_TEST(statements)
{
    on_each(statements_body);
}

static size_t text_rows(link_ *l, MYSQL_RES *r, size_t most)
{
    MYSQL_ROW row = NULL;
    const unsigned long *n = NULL;
    size_t rows = 0;
    while (rows < most && rv_my_row_text(l->c, r, &row, &n, &l->err) == RV_OK && row)
        rows += n[1] == 100;
    return rows;
}

static MYSQL_STMT *prepare(link_ *l)
{
    MYSQL_STMT *stmt = NULL;
    rv_status st = rv_my_prepare(l->c, RV_STR("SELECT id, v FROM big ORDER BY id"), "preparing",
                                 &stmt, &l->err);
    if (!rvtest_check(st == RV_OK, __FILE__, __LINE__, l->err.text))
        return NULL;
    return stmt;
}

#define ROW_BYTES 107 /* status, NULL bitmap, int, length and text of 100 */

static size_t binary_rows(link_ *l, MYSQL_STMT *stmt, size_t most)
{
    size_t rows = 0;
    bool more = true;
    while (rows < most && rv_my_stmt_fetch(l->c, stmt, &more, &l->err) == RV_OK && more)
        rows += rv_my_stmt_row(l->c).len == ROW_BYTES;
    return rows;
}

static void streams_body(link_ *l)
{
    MYSQL_RES *r = NULL;
    REQUIRE(fill_any(l));
    REQUIRE(rv_my_stream(l->c, RV_STR("SELECT id, v FROM big"), "reading", &r, &l->err) == RV_OK);
    CHECK_EQ(rv_my_query(l->c, "SELECT 1", 0, "asking", NULL, &l->err), RV_E_INTERNAL);
    CHECK_EQ(text_rows(l, r, SIZE_MAX), ROWS);
    mysql_free_result(r);
    CHECK_EQ(rv_my_stream(l->c, RV_STR("DO 1"), "reading", &r, &l->err), RV_E_SOURCE_QUERY);
    MYSQL_STMT *stmt = prepare(l);
    REQUIRE(stmt != NULL);
    for (int i = 0; i < 2; i++) {
        REQUIRE(rv_my_execute(l->c, stmt, "reading", &l->err) == RV_OK);
        CHECK_EQ(binary_rows(l, stmt, SIZE_MAX), ROWS);
    }
    rv_my_stmt_close(l->c, stmt);
    CHECK_STR(ask(l, "SELECT 1"), "1");
    drop(l);
}

RV_TEST(streams)
{
    on_each(streams_body);
}

/* Cut after one row and after many, in both protocols; the connection serves on at once. */
static void cuts_body(link_ *l)
{
    static const size_t after[] = {1, 5000, ROWS};
    MYSQL_RES *r = NULL;
    REQUIRE(fill_any(l));
    MYSQL_STMT *stmt = prepare(l);
    REQUIRE(stmt != NULL);
    CHECK_EQ(rv_my_cut(l->c, NULL, NULL, &l->err), RV_OK);
    for (size_t i = 0; i < 3; i++) {
        REQUIRE(rv_my_stream(l->c, RV_STR("SELECT id, v FROM big"), "reading", &r, &l->err) ==
                RV_OK);
        CHECK_EQ(text_rows(l, r, after[i]), after[i]);
        CHECK_EQ(rv_my_cut(l->c, r, NULL, &l->err), RV_OK);
        mysql_free_result(r);
        CHECK_STR(ask(l, "SELECT 7"), "7");
        REQUIRE(rv_my_execute(l->c, stmt, "reading", &l->err) == RV_OK);
        CHECK_EQ(binary_rows(l, stmt, after[i]), after[i]);
        CHECK_EQ(rv_my_cut(l->c, NULL, stmt, &l->err), RV_OK);
        CHECK_STR(ask(l, "SELECT 8"), "8");
    }
    CHECK(!rv_my_broken(l->c));
    rv_my_set_proxied(l->c, true);
    REQUIRE(rv_my_execute(l->c, stmt, "reading", &l->err) == RV_OK);
    CHECK_EQ(rv_my_cut(l->c, NULL, stmt, &l->err), RV_E_SOURCE_CONNECT);
    CHECK(rv_my_broken(l->c));
    rv_my_stmt_close(l->c, stmt);
    close_link(l);
    REQUIRE(open_link(l) == RV_OK);
    drop(l);
}

RV_TEST(cuts)
{
    on_each(cuts_body);
}

/* Much is expected, whatever comes: an answer that ends sooner, one that drips, one past its time.
 */
static void expects_body(link_ *l)
{
    MYSQL_RES *r = NULL;
    REQUIRE(fill_any(l));
    REQUIRE(rv_my_stream(l->c, RV_STR("SELECT id, v FROM big"), "reading", &r, &l->err) == RV_OK);
    rv_my_expect(l->c, UINT64_MAX);
    CHECK_EQ(text_rows(l, r, SIZE_MAX), ROWS);
    mysql_free_result(r);
    int64_t from = rv_clock_mono_us();
    REQUIRE(rv_my_stream(l->c, RV_STR("SELECT id, v FROM big WHERE SLEEP(0.01) = 0 LIMIT 10"),
                         "reading", &r, &l->err) == RV_OK);
    rv_my_expect(l->c, UINT64_MAX);
    CHECK_EQ(text_rows(l, r, SIZE_MAX), 10);
    mysql_free_result(r);
    CHECK(rv_clock_mono_us() - from < 5000000);
    CHECK_STR(ask(l, "SELECT 1"), "1"); /* less than is gathered, and not expected */
    rv_my_cut_at(l->c, rv_clock_mono_us() + 200000);
    from = rv_clock_mono_us();
    REQUIRE(rv_my_stream(l->c, RV_STR("SELECT id, v FROM big WHERE SLEEP(0.01) = 0"), "reading", &r,
                         &l->err) == RV_OK);
    rv_my_expect(l->c, UINT64_MAX);
    CHECK(text_rows(l, r, SIZE_MAX) < ROWS);
    CHECK(rv_my_was_cut(l->c));
    CHECK(rv_clock_mono_us() - from < 5000000);
    mysql_free_result(r);
    rv_my_cut_at(l->c, 0);
    CHECK_STR(ask(l, "SELECT 2"), "2");
    drop(l);
}

RV_TEST(much_expected)
{
    on_each(expects_body);
}

static void deadline_body(link_ *l)
{
    int64_t from = rv_clock_mono_us();
    const char *sql = "SELECT COUNT(*) FROM information_schema.COLLATIONS a, "
                      "information_schema.COLLATIONS b, information_schema.COLLATIONS c, "
                      "information_schema.COLLATIONS d WHERE a.ID + b.ID + c.ID > d.ID";
    CHECK_EQ(rv_my_query(l->c, sql, from + 150000, "asking", NULL, &l->err), RV_E_SOURCE_TIMEOUT);
    CHECK_EQ(l->err.retry, RV_RETRY_T);
    CHECK(rv_clock_mono_us() - from < 5000000);
    CHECK(!rv_my_broken(l->c));
    CHECK_STR(ask(l, "SELECT 1"), "1");
    if (rv_my_mariadb(l->c))
        CHECK_STR(ask(l, "SET STATEMENT max_statement_time=0.05 FOR SELECT SLEEP(3) FROM "
                         "information_schema.COLLATIONS"),
                  l->err.text);
    else
        CHECK_STR(ask(l, "SELECT /*+ MAX_EXECUTION_TIME(50) */ COUNT(*) FROM "
                         "information_schema.COLLATIONS a, information_schema.COLLATIONS b, "
                         "information_schema.COLLATIONS c, information_schema.COLLATIONS d"),
                  l->err.text);
    CHECK_EQ(l->err.code, RV_E_SOURCE_TIMEOUT);
    CHECK_EQ(l->err.retry, RV_RETRY_T);
}

RV_TEST(deadlines)
{
    on_each(deadline_body);
}

static void *interrupt_soon(void *ctx)
{
    struct timespec wait = {0, 100000000};
    nanosleep(&wait, NULL);
    rv_my_interrupt(ctx);
    return NULL;
}

static void interrupt_body(link_ *l)
{
    pthread_t thread;
    char sql[128];
    uint64_t id = rv_my_id(l->c);
    int64_t from = rv_clock_mono_us();
    REQUIRE(pthread_create(&thread, NULL, interrupt_soon, l->c) == 0);
    CHECK_EQ(rv_my_query(l->c, "SELECT SLEEP(30)", 0, "asking", NULL, &l->err), RV_E_INTERRUPTED);
    pthread_join(thread, NULL);
    CHECK(rv_clock_mono_us() - from < 5000000);
    close_link(l);
    REQUIRE(open_link(l) == RV_OK);
    snprintf(sql, sizeof sql,
             "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = %llu AND INFO LIKE "
             "'%%SLEEP(30)'",
             (unsigned long long)id);
    CHECK_STR(ask(l, sql), "0");
}

RV_TEST(interrupts_reach_the_server)
{
    on_each(interrupt_body);
}

/* Killed from elsewhere: class X for the statement, class N for the connection. */
static void foreign_body(link_ *l)
{
    link_ other = *l;
    char sql[64];
    other.c = NULL;
    REQUIRE(open_link(&other) == RV_OK);
    snprintf(sql, sizeof sql, "KILL %llu", (unsigned long long)rv_my_id(l->c));
    CHECK(say(&other, sql));
    (void)ask(l, "SELECT 1");
    CHECK_EQ(l->err.retry, RV_RETRY_N);
    CHECK(rv_my_broken(l->c));
    close_link(&other);
}

RV_TEST(killed_by_somebody_else)
{
    on_each(foreign_body);
}

static void log_in_as(link_ *l, const char *create, const char *password)
{
    char sql[256];
    (void)say(l, "DROP USER IF EXISTS rivet_login@'%'");
    snprintf(sql, sizeof sql, "CREATE USER rivet_login@'%%' %s", create);
    rv_error_clear(&l->err);
    if (rv_my_query(l->c, sql, 0, "preparing", NULL, &l->err) != RV_OK) {
        printf("  not on this server: %s\n", l->err.text);
        return;
    }
    for (int round = 0; round < 2; round++) { /* the second time from the server's cache */
        link_ other = *l;
        other.c = NULL;
        other.opts.user = "rivet_login";
        other.opts.password = password;
        other.opts.tls = round ? RV_MY_TLS_PREFER : RV_MY_TLS_DISABLE;
        CHECK(rvtest_check(open_link(&other) == RV_OK, __FILE__, __LINE__, other.err.text));
        close_link(&other);
        other.opts.password = "wrong";
        CHECK_EQ(open_link(&other), RV_E_SOURCE_AUTH);
        CHECK_EQ(other.err.retry, RV_RETRY_P);
        close_link(&other);
    }
    (void)say(l, "DROP USER rivet_login@'%'");
}

static void login_body(link_ *l)
{
    if (rv_my_mariadb(l->c)) {
        log_in_as(l, "IDENTIFIED BY 'native pw'", "native pw");
        log_in_as(l, "IDENTIFIED VIA ed25519 USING PASSWORD('edwards pw')", "edwards pw");
        return;
    }
    log_in_as(l, "IDENTIFIED WITH caching_sha2_password BY 'sha pw'", "sha pw");
    log_in_as(l, "IDENTIFIED WITH sha256_password BY 'sha pw'", "sha pw");
    log_in_as(l, "IDENTIFIED WITH mysql_native_password BY 'native pw'", "native pw");
}

RV_TEST(ways_of_logging_in)
{
    on_each(login_body);
}

#ifdef RV_FAULTS
static rv_status whole_session(link_ *l)
{
    MYSQL_RES *r = NULL;
    rv_status st = open_link(l);
    if (st == RV_OK)
        st = rv_my_query(l->c, "SELECT 1", 0, "asking", NULL, &l->err);
    if (st == RV_OK)
        st = rv_my_stream(l->c,
                          RV_STR("SELECT a.ID FROM information_schema.COLLATIONS a, "
                                 "information_schema.COLLATIONS b"),
                          "reading", &r, &l->err);
    if (st == RV_OK)
        st = rv_my_cut(l->c, r, NULL, &l->err);
    mysql_free_result(r);
    return st;
}

static void memory_body(link_ *l)
{
    rv_status st = RV_E_MEMORY;
    long n = 1;
    for (; st != RV_OK && n < 200; n++) {
        link_ own = *l;
        own.c = NULL;
        rv_fault_set_alloc(n, false);
        st = whole_session(&own);
        rv_fault_set_alloc(0, false);
        /* a cancel that cannot be made breaks the connection instead */
        CHECK(st == RV_OK || st == RV_E_MEMORY || st == RV_E_SOURCE_CONNECT);
        close_link(&own);
    }
    CHECK_EQ(st, RV_OK);
    CHECK(n > 3);
}
#endif

RV_TEST(survives_every_failed_allocation)
{
#ifdef RV_FAULTS
    on_each(memory_body);
#else
    SKIP("built without RV_FAULTS");
#endif
}

RV_TEST_MAIN(RV_CASE(statements), RV_CASE(streams), RV_CASE(cuts), RV_CASE(much_expected),
             RV_CASE(deadlines), RV_CASE(interrupts_reach_the_server),
             RV_CASE(killed_by_somebody_else), RV_CASE(ways_of_logging_in),
             RV_CASE(survives_every_failed_allocation))
