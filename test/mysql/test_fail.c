/* Failures by their number, quoting, and what a server may do between two statements. Spec
 * "lifecycle" section 10. */
#include <pthread.h>
#include <time.h>

#include "link.h"

RV_TEST(classes)
{
    static const struct {
        rv_retry retry;
        unsigned codes[20];
    } rows[] = {
        {RV_RETRY_N,
         {1053, 2002, 2003, 2006, 2013, 2055, 4031, 1152, 1158, 1159, 1160, 1161, 1184, 1927,
          3169}},
        {RV_RETRY_C, {1040, 1203, 1226, 9001}},
        {RV_RETRY_R, {1021, 1037, 1041, 1114}},
        {RV_RETRY_D, {1213}},
        {RV_RETRY_L, {1205, 1615}},
        {RV_RETRY_T, {3024, 1969}},
        {RV_RETRY_X, {1317}},
        {RV_RETRY_P,
         {1044, 1045, 1049, 1054, 1064, 1129, 1142, 1143, 1146, 1227, 1153, 1236, 1412, 2026, 3159,
          12345}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t j = 0; j < 20 && rows[i].codes[j]; j++)
            CHECK_EQ(rv_my_retry_class(rows[i].codes[j]), rows[i].retry);
}

RV_TEST(quoting)
{
    rv_buf b = RV_BUF_INIT;
    CHECK_EQ(rv_my_quote("a`b", &b, NULL), RV_OK);
    CHECK_EQ(rv_my_quote("", &b, NULL), RV_OK);
    CHECK_MEM(b.ptr, b.len, "`a``b```", 8);
    rv_buf_clear(&b);
    CHECK_EQ(rv_my_literal((rv_str){"o'b\\r\0\"", 7}, &b, NULL), RV_OK);
    CHECK_MEM(b.ptr, b.len, "'o''b\\\\r\\0\"'", 12);
    rv_buf_clear(&b);
    CHECK_EQ(rv_my_literal(RV_STR(""), &b, NULL), RV_OK);
    CHECK_MEM(b.ptr, b.len, "''", 2);
    rv_buf_free(&b);
}

static mysql_peer *start_open(link_ *l)
{
    mysql_peer *p = mysql_peer_start(NULL);
    *l = link_to("127.0.0.1", p ? mysql_peer_port(p) : 0, "u", NULL);
    return p;
}

RV_TEST(answers)
{
    link_ l;
    mysql_peer *p = start_open(&l);
    REQUIRE(p != NULL);
    mysql_peer_rule(p, (mysql_rule){.contains = "one", .cells = {"1"}});
    mysql_peer_rule(p, (mysql_rule){.contains = "nothing", .cells = {"1"}, .empty = true});
    mysql_peer_rule(p, (mysql_rule){.contains = "null", .nulls = 1});
    mysql_peer_rule(p, (mysql_rule){.contains = "lost", .error = 1146, .text = "no table\nat all"});
    mysql_peer_rule(p, (mysql_rule){.contains = "killed", .error = 1317});
    REQUIRE(open_link(&l) == RV_OK);
    CHECK_EQ(rv_my_id(l.c), 1000);
    CHECK_EQ(rv_my_version(l.c), 80099);
    CHECK(!rv_my_mariadb(l.c));
    CHECK(rv_my_loopback(l.c));
    CHECK_STR(rv_my_tls_name(l.c), "off");
    CHECK_STR(ask(&l, "one"), "1");
    CHECK_STR(ask(&l, "nothing"), "none");
    CHECK_STR(ask(&l, "null"), "NULL");
    CHECK_STR(ask(&l, "ok"), "none");
    CHECK_STR(ask(&l, "lost"), "asking: no table");
    CHECK_EQ(l.err.code, RV_E_SOURCE_MISSING);
    CHECK_STR(l.err.native, "1146");
    CHECK_STR(ask(&l, "killed"), "asking: scripted");
    CHECK_EQ(l.err.retry, RV_RETRY_X);
    CHECK(!rv_my_broken(l.c));
    CHECK_STR(ask(&l, "one"), "1");
    close_link(&l);
    mysql_peer_stop(p);
}

/* A server cannot make us read a file. */
RV_TEST(local_infile_is_refused)
{
    link_ l;
    mysql_peer *p = start_open(&l);
    REQUIRE(p != NULL);
    mysql_peer_rule(p,
                    (mysql_rule){.contains = "SELECT", .raw = "\xfb/etc/hostname", .raw_len = 14});
    REQUIRE(open_link(&l) == RV_OK);
    (void)ask(&l, "SELECT 1");
    CHECK(l.err.code != RV_OK);
    char name[256] = "";
    FILE *f = fopen("/etc/hostname", "r");
    if (f) {
        if (fscanf(f, "%255s", name) == 1)
            CHECK_EQ(mysql_peer_heard(p, name), 0);
        fclose(f);
    }
    close_link(&l);
    mysql_peer_stop(p);
}

RV_TEST(broken_answers)
{
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"\xff\xff\xff\1", 4},                                  /* 16 MB announced, then the end */
        {"\2\0\0\1\1", 5},                                      /* too short */
        {"\1\0\0\7\0", 5},                                      /* out of order */
        {"\1\0\0\1\1\5\0\0\2\3\xff\xff\xff\xff", 14},           /* a column of no length */
        {"\1\0\0\1\3\1\0\0\2\xfe", 10},                         /* fewer columns than told */
        {"\x09\0\0\1\xfe\xff\xff\xff\xff\xff\xff\xff\xff", 13}, /* a count beyond all measure */
        {"\x07\0\0\1\xff\x15\x04", 7},                          /* an error without its text */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        link_ l;
        mysql_peer *p = start_open(&l);
        REQUIRE(p != NULL);
        mysql_peer_rule(p, (mysql_rule){.contains = "SELECT",
                                        .unframed = cases[i].bytes,
                                        .unframed_len = cases[i].len});
        REQUIRE(open_link(&l) == RV_OK);
        MYSQL_RES *r = NULL;
        rv_my_set_proxied(l.c, true);
        CHECK(rv_my_query(l.c, "SELECT 1", rv_clock_mono_us() + 200000, "asking", &r, &l.err) !=
              RV_OK);
        close_link(&l);
        mysql_peer_stop(p);
    }
}

RV_TEST(a_deadline_kills_and_confirms)
{
    link_ l;
    mysql_peer *p = start_open(&l);
    REQUIRE(p != NULL);
    mysql_peer_rule(p, (mysql_rule){.contains = "slow", .delay_us = 20000000});
    REQUIRE(open_link(&l) == RV_OK);
    int64_t from = rv_clock_mono_us();
    CHECK_EQ(rv_my_query(l.c, "slow", from + 100000, "asking", NULL, &l.err), RV_E_SOURCE_TIMEOUT);
    CHECK_EQ(l.err.retry, RV_RETRY_T);
    CHECK(rv_clock_mono_us() - from < 5000000);
    CHECK_EQ(mysql_peer_heard(p, "KILL QUERY 1000"), 1);
    CHECK(mysql_peer_order(p, "KILL QUERY 1000", "DO 0"));
    CHECK(!rv_my_broken(l.c));
    CHECK_STR(ask(&l, "ok"), "none");
    close_link(&l);
    mysql_peer_stop(p);
}

/* The blow that comes late falls on the barrier. */
RV_TEST(a_late_kill_hits_the_barrier)
{
    link_ l;
    mysql_peer *p = start_open(&l);
    REQUIRE(p != NULL);
    mysql_peer_rule(p, (mysql_rule){.contains = "slow", .delay_us = 20000000});
    mysql_peer_rule(p, (mysql_rule){.contains = "DO 0", .error = 1317});
    mysql_peer_rule(p, (mysql_rule){.contains = "one", .cells = {"1"}});
    REQUIRE(open_link(&l) == RV_OK);
    CHECK_EQ(rv_my_query(l.c, "slow", rv_clock_mono_us() + 50000, "asking", NULL, &l.err),
             RV_E_SOURCE_TIMEOUT);
    CHECK(!rv_my_broken(l.c));
    CHECK_STR(ask(&l, "one"), "1");
    close_link(&l);
    mysql_peer_stop(p);
}

RV_TEST(nothing_is_killed_behind_a_proxy)
{
    link_ l;
    mysql_peer *p = start_open(&l);
    REQUIRE(p != NULL);
    mysql_peer_rule(p, (mysql_rule){.contains = "slow", .delay_us = 20000000});
    REQUIRE(open_link(&l) == RV_OK);
    rv_my_set_proxied(l.c, true);
    CHECK_EQ(rv_my_query(l.c, "slow", rv_clock_mono_us() + 100000, "asking", NULL, &l.err),
             RV_E_SOURCE_TIMEOUT);
    CHECK_EQ(l.err.retry, RV_RETRY_N);
    CHECK(rv_my_broken(l.c));
    CHECK_EQ(mysql_peer_heard(p, "KILL"), 0);
    CHECK_EQ(mysql_peer_connections(p), 1);
    close_link(&l);
    mysql_peer_stop(p);
}

RV_TEST(a_kill_that_cannot_be_sent_breaks_the_connection)
{
    link_ l;
    mysql_peer *p = start_open(&l);
    REQUIRE(p != NULL);
    mysql_peer_rule(p, (mysql_rule){.contains = "slow", .delay_us = 20000000});
    mysql_peer_rule(p,
                    (mysql_rule){.contains = "KILL", .error = 1094, .text = "Unknown thread id"});
    REQUIRE(open_link(&l) == RV_OK);
    int64_t from = rv_clock_mono_us();
    CHECK_EQ(rv_my_query(l.c, "slow", from + 50000, "asking", NULL, &l.err), RV_E_SOURCE_TIMEOUT);
    CHECK(rv_my_broken(l.c));
    close_link(&l);
    mysql_peer_stop(p);
}

RV_TEST(a_server_that_goes)
{
    link_ l;
    mysql_peer *p = start_open(&l);
    REQUIRE(p != NULL);
    mysql_peer_rule(p, (mysql_rule){.contains = "bye", .close = true});
    REQUIRE(open_link(&l) == RV_OK);
    (void)ask(&l, "bye");
    CHECK_EQ(l.err.code, RV_E_SOURCE_CONNECT);
    CHECK_EQ(l.err.retry, RV_RETRY_N);
    CHECK(rv_my_broken(l.c));
    (void)ask(&l, "one");
    CHECK_EQ(l.err.retry, RV_RETRY_N);
    close_link(&l);
    mysql_peer_stop(p);
}

static void *interrupt_soon(void *ctx)
{
    struct timespec wait = {0, 100000000};
    nanosleep(&wait, NULL);
    rv_my_interrupt(ctx);
    return NULL;
}

RV_TEST(an_interrupt_kills_and_leaves)
{
    link_ l;
    pthread_t thread;
    mysql_peer *p = start_open(&l);
    REQUIRE(p != NULL);
    mysql_peer_rule(p, (mysql_rule){.contains = "slow", .delay_us = 20000000});
    REQUIRE(open_link(&l) == RV_OK);
    int64_t from = rv_clock_mono_us();
    REQUIRE(pthread_create(&thread, NULL, interrupt_soon, l.c) == 0);
    CHECK_EQ(rv_my_query(l.c, "slow", 0, "asking", NULL, &l.err), RV_E_INTERRUPTED);
    pthread_join(thread, NULL);
    CHECK(rv_clock_mono_us() - from < 5000000);
    CHECK_EQ(mysql_peer_heard(p, "KILL QUERY 1000"), 1);
    CHECK(rv_my_interrupted(l.c));
    CHECK_EQ(rv_my_query(l.c, "one", 0, "asking", NULL, &l.err), RV_E_INTERRUPTED);
    close_link(&l);
    mysql_peer_stop(p);
}

RV_TEST(secrets_stay_out_of_errors)
{
    link_ l;
    mysql_peer *p = mysql_peer_start(NULL);
    REQUIRE(p != NULL);
    l = link_to("127.0.0.1", mysql_peer_port(p), "u", "topsecret");
    REQUIRE(rv_secrets_open(&l.env.secrets, &l.err) == RV_OK);
    mysql_peer_rule(p, (mysql_rule){.contains = "x", .error = 1064, .text = "near 'topsecret'"});
    REQUIRE(open_link(&l) == RV_OK);
    CHECK_STR(ask(&l, "x"), "asking: near '***'");
    close_link(&l);
    rv_secrets_close(l.env.secrets);
    mysql_peer_stop(p);
}

RV_TEST_MAIN(RV_CASE(classes), RV_CASE(quoting), RV_CASE(answers), RV_CASE(local_infile_is_refused),
             RV_CASE(broken_answers), RV_CASE(a_deadline_kills_and_confirms),
             RV_CASE(a_late_kill_hits_the_barrier), RV_CASE(nothing_is_killed_behind_a_proxy),
             RV_CASE(a_kill_that_cannot_be_sent_breaks_the_connection), RV_CASE(a_server_that_goes),
             RV_CASE(an_interrupt_kills_and_leaves), RV_CASE(secrets_stay_out_of_errors))
