/* Logging in to a server that does what no good one does. Spec "source-safety" section 4 (the RSA
 * key over plaintext), "config" section 3 (TLS). */
#include <pthread.h>
#include <time.h>

#include "base/fault.h"
#include "link.h"

#define NO_ADDRESS "this host has no address but loopback"

typedef struct attempt {
    mysql_peer_opts peer;
    rv_my_tls tls;
    bool remote, require_tls;
    rv_status want;
    rv_retry retry;
    const char *says;
    unsigned packets; /* the client may send before it leaves */
} attempt;

static const char *address_for(bool remote, char out[INET_ADDRSTRLEN])
{
    if (remote && !own_address(out))
        return NULL;
    return remote ? out : "127.0.0.1";
}

static unsigned login_packets(mysql_peer *p)
{
    unsigned n = 0;
    size_t len;
    while (mysql_peer_login(p, n, &len))
        n++;
    return n;
}

static void try_login(const attempt *a)
{
    char own[INET_ADDRSTRLEN];
    const char *host = address_for(a->remote, own);
    if (!host)
        SKIP(NO_ADDRESS);
    mysql_peer_opts opts = a->peer;
    opts.any_address = true;
    mysql_peer *p = mysql_peer_start(&opts);
    REQUIRE(p != NULL);
    link_ l = link_to(host, mysql_peer_port(p), "u", "topsecret");
    l.opts.tls = a->tls;
    l.opts.require_tls = a->require_tls;
    CHECK_EQ(open_link(&l), a->want);
    CHECK_EQ(l.err.retry, a->retry);
    CHECK(a->says == NULL || strstr(l.err.text, a->says) != NULL);
    if (a->says && !strstr(l.err.text, a->says))
        printf("  said: %s\n", l.err.text);
    CHECK_EQ(mysql_peer_heard(p, "topsecret"), 0);
    close_link(&l);
    CHECK_EQ(login_packets(p), a->packets);
    mysql_peer_stop(p);
}

#define FULL_LOGIN .more = {"\1\4"}, .more_len = {2}

RV_TEST(rsa_is_refused_over_a_remote_plaintext_line)
{
    const attempt a = {.peer = {.switch_to = "caching_sha2_password", FULL_LOGIN},
                       .remote = true,
                       .want = RV_E_SOURCE_TLS,
                       .says = "caching_sha2_password would send the password over an unencrypted",
                       .packets = 2};
    try_login(&a);
}

RV_TEST(rsa_of_sha256_is_refused_before_anything)
{
    const attempt a = {.peer = {.switch_to = "sha256_password"},
                       .remote = true,
                       .want = RV_E_SOURCE_TLS,
                       .says = "sha256_password",
                       .packets = 1};
    try_login(&a);
}

/* Written plaintext: the key is asked for (and here is none). */
RV_TEST(rsa_is_asked_for_when_plaintext_is_written)
{
    const attempt a = {.peer = {.switch_to = "caching_sha2_password",
                                .more = {"\1\4", "\1no key"},
                                .more_len = {2, 7}},
                       .tls = RV_MY_TLS_DISABLE,
                       .remote = true,
                       .want = RV_E_SOURCE_AUTH,
                       .says = "caching_sha2_password makes no sense",
                       .packets = 3};
    try_login(&a);
}

RV_TEST(rsa_is_asked_for_on_loopback)
{
    const attempt a = {
        .peer = {.switch_to = "sha256_password", .more = {"\1no key"}, .more_len = {7}},
        .want = RV_E_SOURCE_AUTH,
        .says = "sha256_password makes no sense",
        .packets = 2};
    try_login(&a);
}

RV_TEST(clear_password_never_goes_in_the_clear)
{
    for (int remote = 0; remote < 2; remote++)
        for (int written = 0; written < 2; written++) {
            const attempt a = {.peer = {.switch_to = "mysql_clear_password"},
                               .tls = written ? RV_MY_TLS_DISABLE : RV_MY_TLS_PREFER,
                               .remote = remote != 0,
                               .want = RV_E_SOURCE_TLS,
                               .says = "mysql_clear_password",
                               .packets = 1};
            try_login(&a);
        }
}

/* Nothing of ours leaves before the server is known to have no TLS. */
RV_TEST(a_server_without_tls)
{
    static const rv_my_tls modes[] = {RV_MY_TLS_REQUIRE, RV_MY_TLS_VERIFY_CA,
                                      RV_MY_TLS_VERIFY_FULL};
    for (size_t i = 0; i < 3; i++) {
        mysql_peer *p = mysql_peer_start(NULL);
        REQUIRE(p != NULL);
        link_ l = link_to("127.0.0.1", mysql_peer_port(p), "u", "topsecret");
        l.opts.tls = modes[i];
        l.opts.ca_file = "/etc/hostname";
        CHECK_EQ(open_link(&l), RV_E_SOURCE_TLS);
        CHECK(strstr(l.err.text, "TLS is asked for and the server offers none") != NULL);
        CHECK_EQ(l.err.retry, RV_RETRY_P);
        CHECK_EQ(login_packets(p), 0);
        close_link(&l);
        mysql_peer_stop(p);
    }
}

RV_TEST(require_tls_spares_loopback)
{
    const attempt remote = {.remote = true,
                            .require_tls = true,
                            .want = RV_E_SOURCE_TLS,
                            .says = "would not be encrypted",
                            .packets = 0};
    const attempt local = {.require_tls = true, .packets = 1};
    const attempt written = {.tls = RV_MY_TLS_DISABLE,
                             .remote = true,
                             .require_tls = true,
                             .want = RV_E_SOURCE_TLS,
                             .says = "would not be encrypted"};
    try_login(&remote);
    try_login(&local);
    try_login(&written);
}

/* TLS is offered and then breaks: never on in plaintext. */
RV_TEST(tls_that_breaks)
{
    const attempt a = {.peer = {.offers_tls = true}, .want = RV_E_SOURCE_TLS, .packets = 1};
    try_login(&a);
}

/* The line is cut at any step of a login: the next attempt may well succeed. */
RV_TEST(lines_cut_while_logging_in)
{
    static const char *const names[] = {"caching_sha2_password", "sha256_password",
                                        "mysql_native_password"};
    for (size_t i = 0; i < 3; i++)
        for (unsigned leaves = 1; leaves <= 3; leaves++) {
            const attempt a = {.peer = {.switch_to = names[i], FULL_LOGIN, .leaves = leaves},
                               .want = RV_E_SOURCE_CONNECT,
                               .retry = RV_RETRY_N,
                               .tls = RV_MY_TLS_DISABLE,
                               .packets = leaves};
            if (leaves < 3 || i == 0)
                try_login(&a);
        }
}

RV_TEST(unknown_ways_of_logging_in)
{
    static const char *const names[] = {"dialog", "auth_gssapi_client", "mysql_old_password",
                                        "../../etc/x"};
    for (size_t i = 0; i < 4; i++) {
        const mysql_peer_opts opts = {.switch_to = names[i], .more = {"\1x"}, .more_len = {2}};
        mysql_peer *p = mysql_peer_start(&opts);
        REQUIRE(p != NULL);
        link_ l = link_to("127.0.0.1", mysql_peer_port(p), "u", "topsecret");
        CHECK_EQ(open_link(&l), RV_E_SOURCE_AUTH);
        CHECK(strstr(l.err.text, names[i]) != NULL);
        CHECK(strstr(l.err.hint, "caching_sha2_password") != NULL);
        close_link(&l);
        CHECK_EQ(login_packets(p), 1);
        mysql_peer_stop(p);
    }
}

RV_TEST(servers_that_refuse)
{
    static const struct {
        unsigned code;
        rv_status want;
        rv_retry retry;
    } cases[] = {{1040, RV_E_SOURCE_CAPACITY, RV_RETRY_C}, {1203, RV_E_SOURCE_CAPACITY, RV_RETRY_C},
                 {9001, RV_E_SOURCE_CAPACITY, RV_RETRY_C}, {1129, RV_E_SOURCE_AUTH, RV_RETRY_P},
                 {1130, RV_E_SOURCE_AUTH, RV_RETRY_P},     {1053, RV_E_SOURCE_CONNECT, RV_RETRY_N},
                 {1049, RV_E_SOURCE_MISSING, RV_RETRY_P}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int tls = 0; tls < 2; tls++) {
            const attempt a = {.peer = {.refuse = cases[i].code},
                               .tls = tls ? RV_MY_TLS_PREFER : RV_MY_TLS_DISABLE,
                               .want = cases[i].want,
                               .retry = cases[i].retry};
            try_login(&a);
        }
}

RV_TEST(greetings_that_are_none)
{
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {{"", 0},
                 {"\x0a", 1},
                 {"\x0a\x38", 2},
                 {"\x0a"
                  "8.0\0\1\0\0\0abcdefgh\0",
                  18},
                 {"\x09"
                  "3.20\0\1\0\0\0abcdefgh\0",
                  19},
                 {"HTTP/1.1 400 Bad Request\r\n\r\n", 28},
                 {"\x0a"
                  "8.0\0\1\0\0\0abcdefgh\0\xff\xf7\x2d\2\0\xff\x80\xff",
                  26}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mysql_peer_opts opts = {.greeting = cases[i].bytes, .greeting_len = cases[i].len};
        mysql_peer *p = mysql_peer_start(&opts);
        REQUIRE(p != NULL);
        link_ l = link_to("127.0.0.1", mysql_peer_port(p), "u", "topsecret");
        l.opts.connect_timeout_us = 300000;
        CHECK(open_link(&l) != RV_OK);
        CHECK_EQ(login_packets(p), 0);
        CHECK(l.err.text[0] != '\0');
        close_link(&l);
        mysql_peer_stop(p);
    }
}

RV_TEST(a_silent_server_is_left_in_time)
{
    mysql_peer *p = mysql_peer_start(&(mysql_peer_opts){.silent = true});
    REQUIRE(p != NULL);
    link_ l = link_to("127.0.0.1", mysql_peer_port(p), "u", NULL);
    l.opts.connect_timeout_us = 200000;
    int64_t from = rv_clock_mono_us();
    CHECK_EQ(open_link(&l), RV_E_SOURCE_CONNECT);
    CHECK_EQ(l.err.retry, RV_RETRY_N);
    CHECK(strstr(l.err.text, "did not answer in time") != NULL);
    CHECK(rv_clock_mono_us() - from < 3000000);
    mysql_peer_stop(p);
}

static void *raise_soon(void *ctx)
{
    struct timespec wait = {0, 100000000};
    nanosleep(&wait, NULL);
    rv_cancel_raise(ctx, 2);
    return NULL;
}

RV_TEST(connecting_ends_when_cancelled)
{
    mysql_peer *p = mysql_peer_start(&(mysql_peer_opts){.silent = true});
    REQUIRE(p != NULL);
    link_ l = link_to("127.0.0.1", mysql_peer_port(p), "u", NULL);
    pthread_t thread;
    int64_t from = rv_clock_mono_us();
    REQUIRE(rv_cancel_open(&l.env.cancel, &l.err) == RV_OK);
    REQUIRE(pthread_create(&thread, NULL, raise_soon, l.env.cancel) == 0);
    CHECK_EQ(open_link(&l), RV_E_INTERRUPTED);
    CHECK(rv_clock_mono_us() - from < 3000000);
    CHECK_EQ(open_link(&l), RV_E_INTERRUPTED);
    pthread_join(thread, NULL);
    rv_cancel_close(l.env.cancel);
    mysql_peer_stop(p);
}

RV_TEST(nobody_listens)
{
    link_ l = link_to("127.0.0.1", 1, "u", NULL);
    CHECK_EQ(open_link(&l), RV_E_SOURCE_CONNECT);
    CHECK_EQ(l.err.retry, RV_RETRY_N);
    CHECK(strstr(l.err.text, "(115)") == NULL);
    l = link_to("127.0.0.1,127.0.0.2", 1, "u", NULL);
    CHECK_EQ(open_link(&l), RV_E_CONFIG_SCHEME);
    l = link_to(NULL, 0, "u", NULL);
    l.opts.socket = "/nonexistent/socket";
    CHECK_EQ(open_link(&l), RV_E_SOURCE_CONNECT);
}

#ifdef RV_FAULTS
/* The whole login, with each allocation of ours failing in turn. */
RV_TEST(memory_runs_out)
{
    mysql_peer *p = mysql_peer_start(&(mysql_peer_opts){.switch_to = "caching_sha2_password"});
    REQUIRE(p != NULL);
    rv_status st = RV_E_MEMORY;
    for (long n = 1; n < 200 && st != RV_OK; n++) {
        link_ l = link_to("127.0.0.1", mysql_peer_port(p), "u", "topsecret");
        rv_fault_set_alloc(n, false);
        st = open_link(&l);
        rv_fault_set_alloc(0, false);
        CHECK(st == RV_OK || l.err.code == st);
        close_link(&l);
    }
    CHECK_EQ(st, RV_OK);
    mysql_peer_stop(p);
}
#else
RV_TEST(memory_runs_out)
{
    SKIP("built without faults");
}
#endif

RV_TEST_MAIN(RV_CASE(rsa_is_refused_over_a_remote_plaintext_line),
             RV_CASE(rsa_of_sha256_is_refused_before_anything),
             RV_CASE(rsa_is_asked_for_when_plaintext_is_written),
             RV_CASE(rsa_is_asked_for_on_loopback), RV_CASE(clear_password_never_goes_in_the_clear),
             RV_CASE(a_server_without_tls), RV_CASE(require_tls_spares_loopback),
             RV_CASE(tls_that_breaks), RV_CASE(lines_cut_while_logging_in),
             RV_CASE(unknown_ways_of_logging_in), RV_CASE(servers_that_refuse),
             RV_CASE(greetings_that_are_none), RV_CASE(a_silent_server_is_left_in_time),
             RV_CASE(connecting_ends_when_cancelled), RV_CASE(nobody_listens),
             RV_CASE(memory_runs_out))
