/* What failures become: codes, retry classes, texts. Spec "lifecycle" section 10, design "sources"
 * section 7. */
#include "fake_server.h"

RV_TEST(classes)
{
    static const struct {
        const char *states;
        rv_retry want;
    } rows[] = {
        {"08000 08003 08006 08001 57P01 57P02 57P03 57P05 25P03 26000", RV_RETRY_N},
        {"53300 08P01", RV_RETRY_C},
        {"53200", RV_RETRY_M},
        {"53400 58030 55006", RV_RETRY_R},
        {"40001 40P01", RV_RETRY_D},
        {"55P03", RV_RETRY_L},
        {"53100 28P01 28000 42P01 42501 42703 22012 22P02 3D000 0A000 55000 58P01 57P04 XX000 "
         "99999",
         RV_RETRY_P},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (const char *p = rows[i].states; *p; p += strspn(p, " ")) {
            char state[6] = "";
            memcpy(state, p, 5);
            p += 5;
            if (rv_pg_retry_class(state, false) != rows[i].want)
                CHECK_STR(state, "another class");
            CHECK_EQ(rv_pg_retry_class(state, true), rows[i].want);
        }
    CHECK_EQ(rv_pg_retry_class("57014", true), RV_RETRY_T);
    CHECK_EQ(rv_pg_retry_class("57014", false), RV_RETRY_X);
}

/* The failure of a connection whose startup is answered with this error. */
static rv_status refused(const char *state, const char *text, rv_error *err)
{
    const rv_env env = {0};
    fake f = {0};
    rv_pg *c = NULL;
    rv_error_clear(err);
    fake_error(&f.greeting, "FATAL", state, text, NULL, NULL);
    if (!fake_start(&f))
        return RV_E_INTERNAL;
    rv_status st = fake_open(&env, &f, &c, err);
    rv_pg_close(c);
    fake_stop(&f);
    return st;
}

RV_TEST(refused_connections)
{
    static const struct {
        const char *state, *text;
        rv_status code;
        rv_retry retry;
    } rows[] = {
        {"28P01", "password authentication failed", RV_E_SOURCE_AUTH, RV_RETRY_P},
        {"28000", "role \"u\" does not exist", RV_E_SOURCE_AUTH, RV_RETRY_P},
        {"3D000", "database \"d\" does not exist", RV_E_SOURCE_MISSING, RV_RETRY_P},
        {"53300", "sorry, too many clients already", RV_E_SOURCE_CAPACITY, RV_RETRY_C},
        {"57P03", "the database system is starting up", RV_E_SOURCE_CONNECT, RV_RETRY_N},
        {"08P01", "no more connections allowed (max_client_conn)", RV_E_SOURCE_CAPACITY,
         RV_RETRY_C},
        {"08P01", "no such database: d", RV_E_SOURCE_MISSING, RV_RETRY_P},
        {"08P01", "password authentication failed", RV_E_SOURCE_AUTH, RV_RETRY_P},
        {"08P01", "unsupported startup parameter: options", RV_E_SOURCE_QUERY, RV_RETRY_P},
        {"42501", "permission denied for database", RV_E_SOURCE_PERMISSION, RV_RETRY_P},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_error err;
        CHECK_EQ(refused(rows[i].state, rows[i].text, &err), rows[i].code);
        CHECK_EQ(err.retry, rows[i].retry);
        CHECK_STR(err.native, rows[i].state);
        CHECK(strstr(err.text, rows[i].text) != NULL);
        /* the SQLSTATE stands in `native`, not in the text */
        CHECK(strstr(err.text, "FATAL:  ") != NULL && strstr(err.text, ":  0") == NULL);
        CHECK(strstr(err.text, "LOCATION") == NULL);
    }
}

/* A connection that answers one statement with `state`; the failure of that statement. */
static rv_status answered(const char *severity, const char *state, const char *text,
                          int64_t delay_us, int64_t limit_ms, rv_error *err)
{
    const rv_env env = {0};
    fake f = {.n_answers = 1, .hang = true, .delay_us = delay_us};
    rv_pg *c = NULL;
    rv_error_clear(err);
    fake_welcome(&f.greeting);
    fake_error(&f.answers[0], severity, state, text, "The detail.", "The advice.");
    fake_ready(&f.answers[0]);
    if (!fake_start(&f))
        return RV_E_INTERNAL;
    rv_status st = fake_open(&env, &f, &c, err);
    if (st == RV_OK) {
        rv_pg_set_limit(c, limit_ms);
        st = rv_pg_query(c, "SELECT 1", 0, "reading table 'orders'", NULL, err);
    }
    rv_pg_close(c);
    fake_stop(&f);
    return st;
}

RV_TEST(statements)
{
    static const struct {
        const char *state;
        rv_status code;
    } rows[] = {{"42P01", RV_E_SOURCE_MISSING},    {"42703", RV_E_SOURCE_MISSING},
                {"42501", RV_E_SOURCE_PERMISSION}, {"22012", RV_E_SOURCE_QUERY},
                {"40001", RV_E_SOURCE_BUSY},       {"55P03", RV_E_SOURCE_LOCK},
                {"53200", RV_E_SOURCE_CAPACITY},   {"57P01", RV_E_SOURCE_CONNECT},
                {"28P01", RV_E_SOURCE_AUTH}};
    rv_error err;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_EQ(answered("ERROR", rows[i].state, "das ging nicht", 0, 0, &err), rows[i].code);
        CHECK_STR(err.text, "reading table 'orders': das ging nicht");
        CHECK_STR(err.hint, "The detail.; The advice.");
        CHECK_STR(err.native, rows[i].state);
    }
    CHECK_EQ(
        answered("ERROR", "40001", "canceling statement due to conflict with recovery", 0, 0, &err),
        RV_E_SOURCE_BUSY);
    CHECK_EQ(err.retry, RV_RETRY_D);
    CHECK(strstr(err.hint, "hot_standby_feedback") != NULL);
}

RV_TEST(a_limit_in_any_language)
{
    rv_error err;
    CHECK_EQ(answered("ERROR", "57014", "canceling statement due to statement timeout", 0, 0, &err),
             RV_E_SOURCE_TIMEOUT);
    CHECK_EQ(err.retry, RV_RETRY_T);
    CHECK_EQ(answered("ERROR", "57014", "canceling statement due to user request", 0, 1, &err),
             RV_E_SOURCE_BUSY);
    CHECK_EQ(err.retry, RV_RETRY_X);
    /* another language: the clock tells */
    CHECK_EQ(answered("FEHLER", "57014", "Anfrage abgebrochen", 60000, 50, &err),
             RV_E_SOURCE_TIMEOUT);
    CHECK_EQ(answered("FEHLER", "57014", "Anfrage abgebrochen", 0, 5000, &err), RV_E_SOURCE_BUSY);
    CHECK_EQ(err.retry, RV_RETRY_X);
}

RV_TEST(lost_connections)
{
    const rv_env env = {0};
    rv_error err = {0};
    rv_pg *c = NULL;
    fake f = {.n_answers = 1}; /* closes after an answer of nothing */
    fake_welcome(&f.greeting);
    REQUIRE(fake_start(&f));
    REQUIRE(fake_open(&env, &f, &c, &err) == RV_OK);
    CHECK(!rv_pg_broken(c));
    CHECK_STR(rv_pg_tls(c), "off");
    CHECK(rv_pg_loopback(c));
    CHECK_EQ(rv_pg_query(c, "SELECT 1", 0, "asking", NULL, &err), RV_E_SOURCE_CONNECT);
    CHECK_EQ(err.retry, RV_RETRY_N);
    CHECK(rv_pg_broken(c));
    CHECK_EQ(rv_pg_query(c, "SELECT 1", 0, "asking", NULL, &err), RV_E_SOURCE_CONNECT);
    rv_pg_close(c);
    fake_stop(&f);
}

/* The last words of a server that closes say more than the close itself. */
RV_TEST(last_words)
{
    static const struct {
        const char *state;
        rv_status code;
        rv_retry retry;
    } rows[] = {{"57P01", RV_E_SOURCE_CONNECT, RV_RETRY_N},
                {"08P01", RV_E_SOURCE_CAPACITY, RV_RETRY_C},
                {"28000", RV_E_SOURCE_AUTH, RV_RETRY_P}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const rv_env env = {0};
        rv_error err = {0};
        rv_pg *c = NULL;
        fake f = {.n_answers = 1};
        fake_welcome(&f.greeting);
        fake_error(&f.answers[0], "FATAL", rows[i].state, "query_wait_timeout", NULL, NULL);
        REQUIRE(fake_start(&f));
        REQUIRE(fake_open(&env, &f, &c, &err) == RV_OK);
        CHECK_EQ(rv_pg_query(c, "SELECT 1", 0, "asking", NULL, &err), rows[i].code);
        CHECK_EQ(err.retry, rows[i].retry);
        CHECK_STR(err.text, "asking: query_wait_timeout");
        CHECK(rv_pg_broken(c));
        rv_pg_close(c);
        fake_stop(&f);
    }
}

RV_TEST(lost_inside_copy)
{
    const rv_env env = {0};
    rv_error err = {0};
    rv_pg *c = NULL;
    fake f = {.n_answers = 1};
    const char *row = NULL;
    size_t n = 0;
    fake_welcome(&f.greeting);
    fake_put(&f.answers[0], 'H', "\1\0\0", 3);
    fake_put(&f.answers[0], 'd', "abc", 3);
    CHECK_EQ(rv_buf_add(&f.answers[0], "d\0\0\4\0half a row", 15, NULL), RV_OK);
    REQUIRE(fake_start(&f));
    REQUIRE(fake_open(&env, &f, &c, &err) == RV_OK);
    CHECK_EQ(rv_pg_copy_begin(c, "COPY t TO STDOUT", "reading rows", &err), RV_OK);
    CHECK_EQ(rv_pg_copy_next(c, &row, &n, &err), RV_OK);
    CHECK_MEM(row, n, "abc", 3);
    CHECK_EQ(rv_pg_copy_next(c, &row, &n, &err), RV_E_SOURCE_CONNECT);
    CHECK_EQ(err.retry, RV_RETRY_N);
    CHECK(rv_pg_broken(c));
    CHECK_EQ(rv_pg_copy_cut(c, &err), RV_OK); /* nothing is under way any more */
    rv_pg_close(c);
    fake_stop(&f);
}

RV_TEST(last_words_inside_copy)
{
    const rv_env env = {0};
    rv_error err = {0};
    rv_pg *c = NULL;
    fake f = {.n_answers = 1};
    const char *row = NULL;
    size_t n = 0;
    bool late = false;
    fake_welcome(&f.greeting);
    fake_put(&f.answers[0], 'H', "\1\0\0", 3);
    fake_put(&f.answers[0], 'd', "abc", 3);
    fake_error(&f.answers[0], "FATAL", "57P01", "terminating connection", NULL, NULL);
    f.delay_us = 150000;
    REQUIRE(fake_start(&f));
    REQUIRE(fake_open(&env, &f, &c, &err) == RV_OK);
    /* sent only: the wait for the first answer has an end, too */
    CHECK_EQ(rv_pg_copy_send(c, "COPY t TO STDOUT", "reading rows", &err), RV_OK);
    CHECK_EQ(rv_pg_copy_next_until(c, rv_clock_mono_us() + 20000, &row, &n, &late, &err), RV_OK);
    CHECK(late && row == NULL);
    CHECK_EQ(rv_pg_copy_next(c, &row, &n, &err), RV_OK);
    CHECK_MEM(row, n, "abc", 3);
    CHECK_EQ(rv_pg_copy_next(c, &row, &n, &err), RV_E_SOURCE_CONNECT);
    CHECK_EQ(err.retry, RV_RETRY_N);
    CHECK_STR(err.text, "reading rows: terminating connection");
    CHECK_STR(err.native, "57P01");
    CHECK(rv_pg_broken(c));
    rv_pg_close(c);
    fake_stop(&f);
}

/* Never an answer, not even to the cancel, whose connection is never accepted. */
RV_TEST(a_mute_server)
{
    rv_env env = {0};
    rv_error err = {0};
    rv_pg *c = NULL;
    fake f = {.hang = true};
    fake_welcome(&f.greeting);
    REQUIRE(fake_start(&f));
    REQUIRE(fake_open(&env, &f, &c, &err) == RV_OK);
    int64_t start = rv_clock_mono_us();
    CHECK_EQ(rv_pg_query(c, "SELECT 1", start + 100000, "asking", NULL, &err), RV_E_SOURCE_TIMEOUT);
    CHECK_EQ(err.retry, RV_RETRY_N);
    CHECK(rv_clock_mono_us() - start < 4000000);
    CHECK(rv_pg_broken(c));
    rv_pg_close(c);
    fake_stop(&f);
}

RV_TEST(a_silent_start)
{
    rv_env env = {0};
    rv_error err = {0};
    rv_pg *c = NULL;
    fake f = {.hang = true};
    REQUIRE(fake_start(&f));
    int64_t start = rv_clock_mono_us();
    CHECK_EQ(fake_open(&env, &f, &c, &err), RV_E_SOURCE_CONNECT);
    CHECK_EQ(err.retry, RV_RETRY_N);
    CHECK(strstr(err.text, "did not answer in time") != NULL);
    CHECK(rv_clock_mono_us() - start < 3000000);
    CHECK(c == NULL);
    fake_stop(&f);
}

RV_TEST(the_next_host_after_a_silent_one)
{
    const rv_env env = {0};
    rv_error err = {0};
    rv_pg *c = NULL;
    char ports[64];
    fake mute = {.hang = true}, good = {.hang = true};
    fake_welcome(&good.greeting);
    REQUIRE(fake_start(&mute));
    REQUIRE(fake_start(&good));
    (void)snprintf(ports, sizeof ports, "%d,%d", mute.port, good.port);
    const rv_pg_param params[] = {{"host", "127.0.0.1,127.0.0.1"},
                                  {"port", ports},
                                  {"user", "u"},
                                  {"sslmode", "disable"},
                                  {"gssencmode", "disable"}};
    const rv_pg_opts opts = {.params = params,
                             .n_params = sizeof params / sizeof params[0],
                             .what = "the source",
                             .connect_timeout_us = 300000,
                             .connect_code = RV_E_SOURCE_CONNECT};
    CHECK_EQ(rv_pg_open(&env, &opts, &c, &err), RV_OK);
    REQUIRE(c != NULL);
    (void)snprintf(ports, sizeof ports, "127.0.0.1:%d", good.port);
    CHECK_STR(rv_pg_host_port(c), ports);
    rv_pg_close(c);
    fake_stop(&mute);
    fake_stop(&good);
}

/* Passwords that libpq might repeat are masked in what it says. */
RV_TEST(texts_are_masked)
{
    rv_error err = {0};
    rv_env env = {0};
    REQUIRE(rv_secrets_open(&env.secrets, &err) == RV_OK);
    CHECK_EQ(rv_secrets_add(env.secrets, RV_STR("hunter22"), &err), RV_OK);
    fake f = {0};
    rv_pg *c = NULL;
    fake_error(&f.greeting, "FATAL", "28000", "user u:hunter22 is unknown", NULL, NULL);
    REQUIRE(fake_start(&f));
    CHECK_EQ(fake_open(&env, &f, &c, &err), RV_E_SOURCE_AUTH);
    CHECK(strstr(err.text, "hunter22") == NULL);
    CHECK(strstr(err.text, "u:***") != NULL);
    fake_stop(&f);
    rv_secrets_close(env.secrets);
}

typedef struct stopper {
    rv_pg *c;
    rv_cancel *cancel;
} stopper;

static void *stop_soon(void *ctx)
{
    stopper *s = ctx;
    usleep(100000);
    if (s->cancel)
        rv_cancel_raise(s->cancel, 2);
    else
        rv_pg_interrupt(s->c);
    return NULL;
}

/* By both ways: the connection's own and the process's. */
RV_TEST(interrupts)
{
    for (int whole = 0; whole < 2; whole++) {
        rv_env env = {0};
        rv_error err = {0};
        fake f = {.hang = true};
        stopper s = {0};
        pthread_t thread;
        if (whole)
            REQUIRE(rv_cancel_open(&env.cancel, &err) == RV_OK);
        s.cancel = env.cancel;
        fake_welcome(&f.greeting);
        REQUIRE(fake_start(&f));
        REQUIRE(fake_open(&env, &f, &s.c, &err) == RV_OK);
        CHECK(!rv_pg_interrupted(s.c));
        REQUIRE(pthread_create(&thread, NULL, stop_soon, &s) == 0);
        int64_t start = rv_clock_mono_us();
        CHECK_EQ(rv_pg_query(s.c, "SELECT 1", 0, "asking", NULL, &err), RV_E_INTERRUPTED);
        CHECK(rv_clock_mono_us() - start < 1000000);
        CHECK(rv_pg_interrupted(s.c));
        CHECK_EQ(rv_pg_copy_begin(s.c, "COPY t TO STDOUT", "reading", &err), RV_E_INTERRUPTED);
        (void)pthread_join(thread, NULL);
        rv_pg_close(s.c);
        fake_stop(&f);
        rv_cancel_close(env.cancel);
    }
}

/* A line on which nothing comes any more is given up soon after the server's own limit, in
 * whichever wait. */
RV_TEST(a_line_that_goes_silent)
{
    for (int copy = 0; copy < 2; copy++) {
        rv_env env = {0};
        rv_error err = {0};
        fake f = {.hang = true};
        rv_pg *c = NULL;
        const char *row = NULL;
        size_t n = 0;
        fake_welcome(&f.greeting);
        REQUIRE(fake_start(&f));
        REQUIRE(fake_open(&env, &f, &c, &err) == RV_OK);
        rv_pg_set_limit(c, 100);
        int64_t start = rv_clock_mono_us();
        if (copy) {
            CHECK_EQ(rv_pg_copy_send(c, "COPY t TO STDOUT", "reading", &err), RV_OK);
            CHECK_EQ(rv_pg_copy_next(c, &row, &n, &err), RV_E_SOURCE_CONNECT);
        } else {
            CHECK_EQ(rv_pg_query(c, "SELECT 1", 0, "asking", NULL, &err), RV_E_SOURCE_CONNECT);
        }
        CHECK_EQ(err.retry, RV_RETRY_N);
        CHECK(strstr(err.text, "nothing came") != NULL);
        CHECK(rv_clock_mono_us() - start < 8000000);
        CHECK(rv_pg_broken(c));
        rv_pg_close(c);
        fake_stop(&f);
    }
}

RV_TEST_MAIN(RV_CASE(classes), RV_CASE(refused_connections), RV_CASE(statements),
             RV_CASE(a_limit_in_any_language), RV_CASE(lost_connections), RV_CASE(last_words),
             RV_CASE(lost_inside_copy), RV_CASE(last_words_inside_copy), RV_CASE(a_mute_server),
             RV_CASE(a_silent_start), RV_CASE(the_next_host_after_a_silent_one),
             RV_CASE(texts_are_masked), RV_CASE(interrupts), RV_CASE(a_line_that_goes_silent))
