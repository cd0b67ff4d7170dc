/* What stands before a server, by a scripted double: none of these proxies can be had for tests.
 * Spec "source-safety" section 7; "pitfalls" row 8. */
#include "mysql_peer.h"
#include "source/mysql_fixture.h"

typedef struct met {
    mysql_peer *p;
    char url[128];
    rv_env env;
    rv_cfg_source cfg;
    rv_cfg_tuning tuning;
    rv_source *s;
    rv_error err;
} met;

static void rule(met *m, mysql_rule r)
{
    mysql_peer_rule(m->p, r);
}

/* The rules of a MySQL 8.0 with its zone set; a proxy's own come before them. */
static bool meet(met *m)
{
    m->p = mysql_peer_start(NULL);
    return m->p != NULL;
}

static void answer_like_mysql(met *m, const char *zone)
{
    rule(m, (mysql_rule){.contains = "PROXYSQL INTERNAL", .error = 1064});
    rule(m, (mysql_rule){.contains = "@@version_comment", .cells = {"MySQL Community"}});
    rule(m, (mysql_rule){.contains = "@@proxy_version", .error = 1193});
    rule(m, (mysql_rule){.contains = "CONNECTION_ID()", .own_id = true});
    rule(m, (mysql_rule){.contains = "VERSION()", .cells = {"8.0.36-0ubuntu", "0"}});
    rule(m, (mysql_rule){.contains = "SELECT @@session.time_zone, @@session.sql_mode",
                         .cells = {"SYSTEM", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,NO_ZERO_DATE",
                                   "latin1", "latin1_swedish_ci", "50", "60", "0"}});
    rule(m, (mysql_rule){.contains = "FROM_UNIXTIME", .cells = {zone, "1970-01-02 00:00:00"}});
    rule(m, (mysql_rule){.contains = "@@server_uuid", .cells = {"shop", "uuid-1"}});
}

static rv_status open_met(met *m)
{
    snprintf(m->url, sizeof m->url, "mysql://u@127.0.0.1:%u/shop", mysql_peer_port(m->p));
    m->cfg = (rv_cfg_source){.engine = RV_ENGINE_MYSQL, .url = m->url, .config_dir = "/tmp"};
    m->tuning = (rv_cfg_tuning){.statement_timeout_s = 77, .lock_timeout_s = 5, .max_value_mb = 1};
    const rv_source_opts opts = {
        .cfg = &m->cfg, .tuning = &m->tuning, .run_id = "r1", .export_name = "orders"};
    rv_error_clear(&m->err);
    return rv_mys_open(&m->env, &opts, &m->s, &m->err);
}

static void part(met *m)
{
    rv_mys_close(m->s);
    mysql_peer_stop(m->p);
}

RV_TEST(a_server_itself)
{
    met m = {0};
    REQUIRE(meet(&m));
    answer_like_mysql(&m, "+00:00");
    REQUIRE(rvtest_check(open_met(&m) == RV_OK, __FILE__, __LINE__, m.err.text));
    CHECK_STR(m.s->info.connection, "direct");
    CHECK_STR(m.s->info.identity, "uuid-1");
    CHECK_STR(m.s->info.database, "shop");
    CHECK_STR(m.s->info.version, "8.0.36");
    CHECK(!m.s->info.cannot_cut && !m.s->in_transaction_only && !m.s->mariadb);
    CHECK(m.s->ansi_quotes);
    CHECK_EQ(mysql_peer_heard(m.p, "SET SESSION TRANSACTION READ ONLY"), 1);
    CHECK_EQ(mysql_peer_heard(m.p, "SET NAMES utf8mb4"), 1);
    CHECK_EQ(mysql_peer_heard(m.p, "/* rivet r1 */ SET time_zone='+00:00', lock_wait_timeout=5, "
                                   "net_write_timeout=600, sql_mode='ANSI_QUOTES,NO_ZERO_DATE', "
                                   "max_execution_time=77000"),
             1);
    CHECK_EQ(mysql_peer_heard(m.p, "START TRANSACTION"), 0);
    CHECK_EQ(mysql_peer_heard(m.p, "rivet/orders"), 1);
    part(&m);
}

static void check_multiplexed(met *m, const char *kind)
{
    MYSQL_RES *r = NULL;
    REQUIRE(rvtest_check(open_met(m) == RV_OK, __FILE__, __LINE__, m->err.text));
    CHECK_STR(m->s->info.connection, kind);
    CHECK(m->s->info.cannot_cut && m->s->in_transaction_only);
    CHECK_EQ(mysql_peer_heard(m->p, "SET SESSION TRANSACTION READ ONLY"), 0);
    unsigned before = mysql_peer_heard(m->p, "START TRANSACTION READ ONLY");
    CHECK_EQ(rv_mys_ask(m->s, "SELECT 'mark'", "asking", &r, &m->err), RV_OK);
    mysql_free_result(r);
    CHECK_EQ(mysql_peer_heard(m->p, "START TRANSACTION READ ONLY"), before + 1);
    CHECK_EQ(mysql_peer_heard(m->p, "COMMIT"), before + 1);
    CHECK(mysql_peer_order(m->p, "FROM_UNIXTIME", "'mark'"));
    /* the backend gets its own settings back before others have it */
    CHECK_EQ(mysql_peer_heard(m->p, "SET NAMES latin1 COLLATE latin1_swedish_ci, "
                                    "time_zone='SYSTEM', lock_wait_timeout=50, "
                                    "net_write_timeout=60, max_execution_time=0, "
                                    "sql_mode='ANSI_QUOTES,NO_BACKSLASH_ESCAPES,NO_ZERO_DATE'"),
             before + 1);
    rv_source *one[] = {m->s};
    CHECK_EQ(rv_mys_snapshot_begin(one, 1, &m->err), RV_E_SOURCE_SNAPSHOT);
    CHECK_EQ(mysql_peer_heard(m->p, "KILL"), 0);
    part(m);
}

RV_TEST(proxysql_by_its_own_word)
{
    met m = {0};
    REQUIRE(meet(&m));
    rule(&m, (mysql_rule){.contains = "PROXYSQL INTERNAL", .cells = {"{}"}});
    answer_like_mysql(&m, "+00:00");
    check_multiplexed(&m, "proxysql");
}

RV_TEST(proxysql_by_its_comment)
{
    met m = {0};
    REQUIRE(meet(&m));
    rule(&m, (mysql_rule){.contains = "@@version_comment", .cells = {"(ProxySQL)"}});
    answer_like_mysql(&m, "+00:00");
    check_multiplexed(&m, "proxysql");
}

RV_TEST(proxysql_by_its_version)
{
    met m = {0};
    REQUIRE(meet(&m));
    rule(&m, (mysql_rule){.contains = "@@proxy_version", .cells = {"2.5.5"}});
    answer_like_mysql(&m, "+00:00");
    check_multiplexed(&m, "proxysql");
}

RV_TEST(another_connection_each_time)
{
    met m = {0};
    REQUIRE(meet(&m));
    rule(&m, (mysql_rule){.contains = "CONNECTION_ID()", .own_id = true, .shift = 1});
    answer_like_mysql(&m, "+00:00");
    check_multiplexed(&m, "proxy-multiplexed");
}

RV_TEST(maxscale)
{
    met m = {0};
    REQUIRE(meet(&m));
    rule(&m, (mysql_rule){.contains = "@@version_comment", .cells = {"MaxScale 24"}});
    answer_like_mysql(&m, "+00:00");
    REQUIRE(open_met(&m) == RV_OK);
    CHECK_STR(m.s->info.connection, "maxscale");
    CHECK(m.s->info.cannot_cut && !m.s->in_transaction_only);
    part(&m);
}

/* The proxy says yes to the SET and forgets it. */
RV_TEST(a_zone_that_does_not_hold)
{
    static const char *const zones[] = {"SYSTEM", "+02:00", ""};
    for (size_t i = 0; i < 3; i++)
        for (int multiplexed = 0; multiplexed < 2; multiplexed++) {
            met m = {0};
            REQUIRE(meet(&m));
            if (multiplexed)
                rule(&m, (mysql_rule){.contains = "PROXYSQL INTERNAL", .cells = {"{}"}});
            answer_like_mysql(&m, zones[i]);
            CHECK_EQ(open_met(&m), RV_E_SOURCE_SESSION);
            CHECK(strstr(m.err.text, "timestamps would be shifted") != NULL);
            CHECK(m.s == NULL);
            part(&m);
        }
}

/* It held at the start and does not at a later page. */
RV_TEST(a_zone_lost_on_the_way)
{
    met m = {0};
    MYSQL_RES *r = NULL;
    REQUIRE(meet(&m));
    rule(&m, (mysql_rule){.contains = "PROXYSQL INTERNAL", .cells = {"{}"}});
    rule(&m, (mysql_rule){.contains = "FROM_UNIXTIME",
                          .cells = {"SYSTEM", "1970-01-02 02:00:00"},
                          .after = 2});
    answer_like_mysql(&m, "+00:00");
    REQUIRE(open_met(&m) == RV_OK);
    CHECK_EQ(rv_mys_ask(m.s, "SELECT 'mark'", "asking", &r, &m.err), RV_E_SOURCE_SESSION);
    CHECK(r == NULL);
    CHECK_EQ(mysql_peer_heard(m.p, "'mark'"), 0);
    part(&m);
}

RV_TEST(servers_too_old)
{
    static const char *const versions[] = {"5.6.51", "10.3.9-MariaDB", "5.5.68-MariaDB"};
    for (size_t i = 0; i < 3; i++) {
        met m = {0};
        REQUIRE(meet(&m));
        rule(&m, (mysql_rule){.contains = "VERSION()", .cells = {versions[i], "0"}});
        answer_like_mysql(&m, "+00:00");
        CHECK_EQ(open_met(&m), RV_E_SOURCE_OPEN);
        part(&m);
    }
}

RV_TEST_MAIN(RV_CASE(a_server_itself), RV_CASE(proxysql_by_its_own_word),
             RV_CASE(proxysql_by_its_comment), RV_CASE(proxysql_by_its_version),
             RV_CASE(another_connection_each_time), RV_CASE(maxscale),
             RV_CASE(a_zone_that_does_not_hold), RV_CASE(a_zone_lost_on_the_way),
             RV_CASE(servers_too_old))
