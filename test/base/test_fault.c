#include "base/fault.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "rvtest.h"

#ifdef RV_FAULTS

/* Runs the action in a child with the variables set; returns the wait status. The parent must
 * not have read the environment yet, so every case here runs only in children. */
static int in_child(const char *name, const char *value, const char *name2, int (*action)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)setenv(name, value, 1);
        if (name2)
            (void)setenv(name2, "1", 1);
        _exit(action());
    }
    int status = -1;
    (void)waitpid(pid, &status, WUNTRACED);
    if (WIFSTOPPED(status)) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
    }
    return status;
}

static int pass_three_points(void)
{
    for (int i = 0; i < 3; i++) {
        RV_KILL_POINT("other");
        RV_KILL_POINT("here");
    }
    return 33;
}

static int which_allocations_fail(void)
{
    int mask = 0;
    for (int i = 0; i < 5; i++) {
        void *p = rv_alloc(1);
        mask |= p ? 0 : 1 << i;
        rv_free(p);
    }
    return mask;
}

static int which_operations_fail(void)
{
    int mask = 0;
    for (int i = 0; i < 5; i++)
        mask |= rv_fault_io() ? 1 << i : 0;
    return mask;
}

RV_TEST(kill_points)
{
    int st = in_child("RIVET_KILL_AT", "here", NULL, pass_three_points);
    CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
    st = in_child("RIVET_KILL_AT", "here:3", NULL, pass_three_points);
    CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
    st = in_child("RIVET_KILL_AT", "here:4", NULL, pass_three_points);
    CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 33);
    st = in_child("RIVET_KILL_AT", "her", NULL, pass_three_points);
    CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 33);
    st = in_child("RIVET_KILL_AT", "here:0", NULL, pass_three_points);
    CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 33);
    st = in_child("RIVET_STALL_AT", "here:2", NULL, pass_three_points);
    CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP);
}

RV_TEST(counters_from_the_environment)
{
    int st = in_child("RIVET_FAIL_ALLOC", "2", NULL, which_allocations_fail);
    CHECK_EQ(WEXITSTATUS(st), 2);
    st = in_child("RIVET_FAIL_ALLOC", "3", "RIVET_FAIL_STICKY", which_allocations_fail);
    CHECK_EQ(WEXITSTATUS(st), 4 + 8 + 16);
    st = in_child("RIVET_FAIL_IO", "1", NULL, which_operations_fail);
    CHECK_EQ(WEXITSTATUS(st), 1);
    st = in_child("RIVET_FAIL_IO", "x", NULL, which_operations_fail);
    CHECK_EQ(WEXITSTATUS(st), 0);
}

RV_TEST(counters_set_by_tests)
{
    rv_fault_set_io(2, false);
    CHECK_EQ(which_operations_fail(), 2);
    CHECK_EQ(rv_fault_seen_io(), 5);
    rv_fault_set_io(0, false);
    CHECK_EQ(which_operations_fail(), 0);
    CHECK_EQ(rv_fault_seen_io(), 5);
    rv_fault_set_alloc(4, true);
    CHECK_EQ(which_allocations_fail(), 8 + 16);
    rv_fault_set_alloc(0, false);
}

#else

RV_TEST(kill_points)
{
    RV_KILL_POINT("compiled away");
    SKIP("built without RV_FAULTS");
}
RV_TEST(counters_from_the_environment)
{
    SKIP("built without RV_FAULTS");
}
RV_TEST(counters_set_by_tests)
{
    SKIP("built without RV_FAULTS");
}

#endif

RV_TEST_MAIN(RV_CASE(kill_points), RV_CASE(counters_from_the_environment),
             RV_CASE(counters_set_by_tests))
