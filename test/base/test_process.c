#include "base/process.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

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

RV_TEST_MAIN(RV_CASE(facts_about_ourselves), RV_CASE(a_child_lives_and_dies),
             RV_CASE(resident_memory))
