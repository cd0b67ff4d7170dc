#include "base/process.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "rvtest.h"

RV_TEST(facts_about_ourselves)
{
    rv_process_id a, b;
    rv_process_self(&a);
    rv_process_self(&b);
    CHECK(memcmp(&a, &b, sizeof a) == 0);
    CHECK(a.host[0] != '\0');
    CHECK_EQ(strlen(a.boot_id), 36);
    CHECK(strncmp(a.pid_ns, "pid:[", 5) == 0);
    CHECK_EQ(a.pid, getpid());
    CHECK(a.pid_start > 0);
    CHECK(!rv_process_dead(&a));
}

/* A child that waits until it is killed; its facts as this process would record them. */
static pid_t start_child(rv_process_id *out)
{
    int fds[2];
    if (pipe(fds) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        rv_process_id id;
        (void)prctl(PR_SET_NAME, "a) b (c", 0, 0, 0); /* what counting fields trips over */
        rv_process_self(&id);
        ssize_t n = write(fds[1], &id, sizeof id);
        (void)n;
        for (;;)
            (void)pause();
    }
    ssize_t n = read(fds[0], out, sizeof *out);
    (void)close(fds[0]);
    (void)close(fds[1]);
    return n == (ssize_t)sizeof *out ? pid : -1;
}

RV_TEST(a_child_lives_and_dies)
{
    rv_process_id id;
    pid_t pid = start_child(&id);
    REQUIRE(pid > 0);
    CHECK_EQ(id.pid, pid);
    CHECK(id.pid_start > 0);
    CHECK(!rv_process_dead(&id));
    rv_process_id reused = id;
    reused.pid_start -= 1; /* the number went to a younger process */
    CHECK(rv_process_dead(&reused));
    reused.pid_start = 0; /* unknown proves nothing */
    CHECK(!rv_process_dead(&reused));
    CHECK(kill(pid, SIGKILL) == 0);
    siginfo_t info;
    CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
    CHECK(rv_process_dead(&id)); /* a zombie */
    CHECK(waitpid(pid, NULL, 0) == pid);
    CHECK(rv_process_dead(&id)); /* gone */

    rv_process_id other = id;
    snprintf(other.host, sizeof other.host, "elsewhere");
    CHECK(!rv_process_dead(&other));
    other = id;
    other.boot_id[0] = '\0';
    CHECK(!rv_process_dead(&other));
    other = id;
    snprintf(other.pid_ns, sizeof other.pid_ns, "pid:[1]");
    CHECK(!rv_process_dead(&other));
    static const int64_t odd[] = {0, -1, -17, INT64_MAX};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        other = id;
        other.pid = odd[i];
        CHECK(!rv_process_dead(&other));
    }
}

RV_TEST(resident_memory)
{
    uint64_t rss = rv_process_rss_bytes();
    CHECK(rss > 100000 && rss < (UINT64_C(1) << 40));
}

#define SECOND INT64_C(1000000)

static rv_status line_of(const char *command, int64_t limit_us, rv_cancel *cancel, rv_buf *out,
                         rv_error *err)
{
    rv_buf_clear(out);
    rv_error_clear(err);
    return rv_process_line(command, limit_us, cancel, "the command", out, err);
}

RV_TEST(the_first_line_of_a_command)
{
    static const char *const rows[][2] = {
        {"echo secret", "secret"},     {"printf 'no end'", "no end"},
        {"printf 'a\\r\\nb\\n'", "a"}, {"echo ' blank '; echo 2; echo 3 >&2", " blank "},
        {"cat; echo read", "read"}, /* its stdin is empty */
    };
    rv_buf out = RV_BUF_INIT;
    rv_error err;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_EQ(line_of(rows[i][0], 10 * SECOND, NULL, &out, &err), RV_OK);
        CHECK_STR(rv_buf_cstr(&out), rows[i][1]);
    }
    static const char *const bad[] = {"echo x; exit 3",   "true",
                                      "echo; echo x",     "kill -9 $$",
                                      "/no/such/program", "head -c 100000 /dev/zero | tr '\\0' x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_EQ(line_of(bad[i], 10 * SECOND, NULL, &out, &err), RV_E_IO);
        CHECK(strncmp(err.text, "the command ", 12) == 0);
        CHECK_EQ(out.len, 0);
    }
    rv_buf_free(&out);
}

/* Whatever it started goes with it. */
RV_TEST(a_command_that_does_not_end)
{
    rv_buf out = RV_BUF_INIT;
    rv_error err;
    rv_cancel *cancel = NULL;
    int64_t start = rv_clock_mono_us();
    CHECK_EQ(line_of("sleep 30 & sleep 30", SECOND / 5, NULL, &out, &err), RV_E_IO);
    CHECK(strstr(err.text, "did not end in time") != NULL);
    CHECK_EQ(line_of("exec >&-; sleep 30", SECOND / 5, NULL, &out, &err), RV_E_IO);
    REQUIRE(rv_cancel_open(&cancel, &err) == RV_OK);
    rv_cancel_raise(cancel, 2);
    CHECK_EQ(line_of("sleep 30", 30 * SECOND, cancel, &out, &err), RV_E_INTERRUPTED);
    CHECK(rv_clock_mono_us() - start < 5 * SECOND);
    rv_cancel_close(cancel);
    rv_buf_free(&out);
}

RV_TEST_MAIN(RV_CASE(facts_about_ourselves), RV_CASE(a_child_lives_and_dies),
             RV_CASE(resident_memory), RV_CASE(the_first_line_of_a_command),
             RV_CASE(a_command_that_does_not_end))
