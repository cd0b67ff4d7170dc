#include "base/log.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "sweep.h"

typedef struct capture {
    int fds[2];
    rv_log *log;
    char text[65536];
} capture;

static bool open_capture(capture *c, rv_log_opts opts)
{
    if (pipe2(c->fds, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    opts.fd = c->fds[1];
    if (rv_log_open(&opts, &c->log, NULL) == RV_OK)
        return true;
    (void)close(c->fds[0]);
    (void)close(c->fds[1]);
    return false;
}

static const char *take(capture *c)
{
    ssize_t n = read(c->fds[0], c->text, sizeof c->text - 1);
    c->text[n > 0 ? n : 0] = '\0';
    return c->text;
}

static void close_capture(capture *c)
{
    rv_log_close(c->log);
    (void)close(c->fds[0]);
    (void)close(c->fds[1]);
}

RV_TEST(a_terminal_gets_the_short_form)
{
    capture c;
    REQUIRE(open_capture(&c, (rv_log_opts){.tty = true}));
    rv_logf(c.log, RV_WARN, "engine", "export '%s': slow", "x");
    CHECK_STR(take(&c), "[WARN] export 'x': slow\n");
    rv_logf(c.log, RV_ERROR, "engine", "bad\n");
    CHECK_STR(take(&c), "[ERROR] bad\n");
    rv_logf(c.log, RV_INFO, "engine", "quiet");
    CHECK_STR(take(&c), "");
    rv_logf(NULL, RV_ERROR, "engine", "nobody listens");
    close_capture(&c);
    rv_log_close(NULL);
}

RV_TEST(elsewhere_the_time_comes_first)
{
    capture c;
    REQUIRE(open_capture(&c, (rv_log_opts){.tty = false}));
    rv_logf(c.log, RV_WARN, "engine", "text");
    int64_t us;
    const char *line = take(&c);
    CHECK(rv_rfc3339_parse((rv_str){line, 24}, &us));
    CHECK(llabs(us - rv_clock_now_us()) < INT64_C(60000000));
    CHECK_STR(line + 24, " [WARN] text\n");
    close_capture(&c);
}

RV_TEST(json_lines)
{
    capture c;
    REQUIRE(open_capture(&c, (rv_log_opts){.json = true, .filter = "trace"}));
    rv_logf(c.log, RV_DEBUG, "source", "a \"b\"\npassword=x");
    json_t *line = json_loads(take(&c), 0, NULL);
    REQUIRE(line != NULL);
    CHECK_STR(json_string_value(json_object_get(line, "level")), "debug");
    CHECK_STR(json_string_value(json_object_get(line, "target")), "source");
    CHECK_STR(json_string_value(json_object_get(line, "message")), "a \"b\"\npassword=***");
    CHECK(json_string_value(json_object_get(line, "timestamp")) != NULL);
    json_decref(line);
    close_capture(&c);
}

static void check_filter(const char *filter, bool quiet, rv_level others, rv_level engine)
{
    rv_log_opts opts = {.filter = filter, .quiet_default = quiet, .fd = -1};
    rv_log *log = NULL;
    REQUIRE(rv_log_open(&opts, &log, NULL) == RV_OK);
    for (rv_level level = RV_ERROR; level <= RV_TRACE; level++) {
        CHECK_EQ(rv_log_on(log, level, "source"), level <= others);
        CHECK_EQ(rv_log_on(log, level, "engine"), level <= engine);
        CHECK_EQ(rv_log_on(log, level, NULL), level <= others);
    }
    CHECK(!rv_log_on(log, RV_LOG_OFF, "engine"));
    rv_log_close(log);
}

RV_TEST(filters)
{
    check_filter(NULL, false, RV_WARN, RV_WARN);
    check_filter(NULL, true, RV_LOG_OFF, RV_LOG_OFF);
    check_filter("info", true, RV_INFO, RV_INFO);
    check_filter("off", false, RV_LOG_OFF, RV_LOG_OFF);
    check_filter("ERROR", false, RV_ERROR, RV_ERROR);
    check_filter("engine=debug", false, RV_WARN, RV_DEBUG);
    check_filter("engine=debug,error", false, RV_ERROR, RV_DEBUG);
    check_filter(" trace , engine = off ", false, RV_TRACE, RV_LOG_OFF);
    check_filter("hyper::client=trace,nonsense,engine=loud,=info,,x=", false, RV_WARN, RV_WARN);
    check_filter("", false, RV_WARN, RV_WARN);
    check_filter("a=info,b=info,c=info,d=info,e=info,f=info,g=info,h=info,i=info,j=info,k=info,"
                 "l=info,m=info,n=info,o=info,p=info,q=info,"
                 "a_name_far_too_long_for_any_room_of_ours=info",
                 false, RV_WARN, RV_WARN);
}

RV_TEST(secrets_are_masked)
{
    rv_secrets *s = NULL;
    capture c;
    REQUIRE(rv_secrets_open(&s, NULL) == RV_OK);
    CHECK_EQ(rv_secrets_add(s, RV_STR("hunter2"), NULL), RV_OK);
    REQUIRE(open_capture(&c, (rv_log_opts){.tty = true, .secrets = s}));
    rv_logf(c.log, RV_WARN, "engine", "got hunter2 from pg://u:p@h");
    CHECK_STR(take(&c), "[WARN] got *** from pg://***@h\n");
    close_capture(&c);
    rv_secrets_close(s);
}

RV_TEST(foreign_text_cannot_steer_the_terminal_or_forge_a_line)
{
    capture c;
    REQUIRE(open_capture(&c, (rv_log_opts){.tty = true}));
    rv_logf(c.log, RV_WARN, "engine", "a\x1b[31mb\r\x7F\n[ERROR] c\td\xE2\x82\xAC");
    CHECK_STR(take(&c), "[WARN] a\\x1b[31mb\\x0d\\x7f\n  [ERROR] c\td\xE2\x82\xAC\n");
    close_capture(&c);
}

static void count_call(void *ctx)
{
    ++*(int *)ctx;
}

RV_TEST(the_hook_surrounds_a_line)
{
    capture c;
    int calls = 0;
    REQUIRE(open_capture(&c, (rv_log_opts){.tty = true}));
    rv_log_set_hook(c.log, (rv_log_hook){count_call, count_call, &calls});
    rv_logf(c.log, RV_WARN, "engine", "x");
    rv_logf(c.log, RV_DEBUG, "engine", "not written");
    CHECK_EQ(calls, 2);
    rv_log_set_hook(c.log, (rv_log_hook){0});
    rv_logf(c.log, RV_WARN, "engine", "y");
    CHECK_EQ(calls, 2);
    rv_log_set_hook(NULL, (rv_log_hook){0});
    close_capture(&c);
}

static void *write_lines(void *arg)
{
    for (unsigned i = 0; i < 200; i++)
        rv_logf(arg, RV_WARN, "engine", "%050u", i);
    return NULL;
}

RV_TEST(lines_of_threads_do_not_mix)
{
    capture c;
    pthread_t threads[4];
    int calls = 0;
    REQUIRE(open_capture(&c, (rv_log_opts){.tty = true}));
    rv_log_set_hook(c.log, (rv_log_hook){count_call, NULL, &calls});
    for (unsigned i = 0; i < 4; i++)
        REQUIRE(pthread_create(&threads[i], NULL, write_lines, c.log) == 0);
    for (unsigned i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
    CHECK_EQ(calls, 800);
    const char *text = take(&c);
    CHECK_EQ(strlen(text), 800 * 58);
    for (unsigned i = 0; i < 800; i++)
        CHECK(strncmp(text + (size_t)i * 58, "[WARN] 00000", 12) == 0 &&
              text[(size_t)i * 58 + 57] == '\n');
    close_capture(&c);
}

RV_TEST(a_closed_stderr_is_survived)
{
    rv_log_opts opts = {.fd = -1};
    rv_log *log = NULL;
    REQUIRE(rv_log_open(&opts, &log, NULL) == RV_OK);
    rv_logf(log, RV_ERROR, "engine", "into the void");
    rv_log_close(log);
}

static rv_status log_one(void)
{
    static capture c;
    if (!open_capture(&c, (rv_log_opts){.tty = true}))
        return RV_E_MEMORY;
    rv_logf(c.log, RV_WARN, "engine", "pwd=hunter2 %0200d", 1);
    const char *text = take(&c);
    bool lost = strcmp(text, "[WARN] a log line was lost: out of memory\n") == 0;
    CHECK(strstr(text, "hunter2") == NULL);
    CHECK(lost || strncmp(text, "[WARN] pwd=*** 0", 16) == 0);
    close_capture(&c);
    return lost ? RV_E_MEMORY : RV_OK;
}

RV_TEST(a_text_said_once)
{
    capture c;
    REQUIRE(open_capture(&c, (rv_log_opts){.tty = true}));
    for (int i = 0; i < 3; i++)
        rv_log_once(c.log, RV_WARN, "source", "host %d is plaintext", i / 2);
    CHECK_STR(take(&c), "[WARN] host 0 is plaintext\n[WARN] host 1 is plaintext\n");
    rv_log_once(c.log, RV_INFO, "source", "not shown");
    rv_log_once(NULL, RV_WARN, "source", "nobody listens");
    for (int i = 0; i < 200; i++) /* far more texts than it can remember: none is lost */
        rv_log_once(c.log, RV_WARN, "source", "text %d", i);
    CHECK(strstr(take(&c), "text 199\n") != NULL);
    close_capture(&c);
}

RV_TEST(allocation_sweep)
{
    sweep_alloc(log_one);
}

RV_TEST_MAIN(RV_CASE(a_terminal_gets_the_short_form), RV_CASE(elsewhere_the_time_comes_first),
             RV_CASE(json_lines), RV_CASE(filters), RV_CASE(secrets_are_masked),
             RV_CASE(foreign_text_cannot_steer_the_terminal_or_forge_a_line),
             RV_CASE(the_hook_surrounds_a_line), RV_CASE(lines_of_threads_do_not_mix),
             RV_CASE(a_closed_stderr_is_survived), RV_CASE(a_text_said_once),
             RV_CASE(allocation_sweep))
