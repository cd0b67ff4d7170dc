#include "cli/signals.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "rvtest.h"

RV_TEST(a_signal_raises_the_cancel)
{
    rv_cancel *cancel = NULL;
    rv_signals *signals = NULL;
    REQUIRE(rv_cancel_open(&cancel, NULL) == RV_OK);
    REQUIRE(rv_signals_open(cancel, &signals, NULL) == RV_OK);
    CHECK(!rv_cancel_raised(cancel));
    CHECK_EQ(kill(getpid(), SIGTERM), 0);
    CHECK(!rv_cancel_sleep_us(cancel, 5000000));
    CHECK_EQ(rv_cancel_signal(cancel), SIGTERM);
    rv_signals_close(signals);
    rv_cancel_close(cancel);
}

static int exit_after_two(int first, int second, useconds_t between_us)
{
    pid_t child = fork();
    if (child == 0) {
        rv_cancel *cancel = NULL;
        rv_signals *signals = NULL;
        if (rv_cancel_open(&cancel, NULL) != RV_OK ||
            rv_signals_open(cancel, &signals, NULL) != RV_OK)
            _exit(99);
        (void)kill(getpid(), first);
        bool slept = rv_cancel_sleep_us(cancel, 5000000);
        (void)usleep(between_us);
        (void)kill(getpid(), second);
        (void)usleep(slept ? 0 : 500000);
        _exit(98);
    }
    int status = 0;
    (void)waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

RV_TEST(a_second_signal_ends_the_process_with_the_code_of_the_first)
{
    CHECK_EQ(exit_after_two(SIGINT, SIGINT, 100000), 130);
    CHECK_EQ(exit_after_two(SIGINT, SIGTERM, 100000), 130);
    CHECK_EQ(exit_after_two(SIGHUP, SIGINT, 100000), 143);
    CHECK_EQ(exit_after_two(SIGTERM, SIGTERM, 100000), 143);
}

RV_TEST(an_echo_is_no_second_signal)
{
    CHECK_EQ(exit_after_two(SIGINT, SIGINT, 0), 98);
}

/* Both a child's parent and somebody else signal it, far apart. What each of the two exits with. */
static int exit_of_child(bool parent_first, int parents_words)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        rv_cancel *cancel = NULL;
        rv_signals *signals = NULL;
        if (rv_cancel_open(&cancel, NULL) != RV_OK ||
            rv_signals_open(cancel, &signals, NULL) != RV_OK)
            _exit(99);
        rv_signals_from_parent(signals, getppid());
        if (!parent_first)
            (void)kill(getpid(), SIGINT); /* as the terminal's */
        ssize_t told = write(ends[1], "x", 1);
        (void)usleep(told == 1 ? 1000000 : 0);
        _exit(98);
    }
    char ready;
    ssize_t n = read(ends[0], &ready, 1);
    for (int i = 0; n == 1 && i < parents_words; i++) {
        (void)usleep(150000);
        (void)kill(child, SIGINT);
    }
    int status = 0;
    (void)waitpid(child, &status, 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

RV_TEST(what_a_parent_passes_on_is_no_second_signal)
{
    CHECK_EQ(exit_of_child(false, 1), 98);
    CHECK_EQ(exit_of_child(false, 2), 130); /* but its second word is */
    CHECK_EQ(exit_of_child(true, 1), 98);
    CHECK_EQ(exit_of_child(true, 2), 130);
}

RV_TEST(closing_gives_the_signals_back)
{
    sigset_t mask;
    rv_cancel *cancel = NULL;
    rv_signals *signals = NULL;
    REQUIRE(rv_cancel_open(&cancel, NULL) == RV_OK);
    REQUIRE(rv_signals_open(cancel, &signals, NULL) == RV_OK);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    CHECK_EQ(sigismember(&mask, SIGINT), 1);
    rv_signals_close(signals);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    CHECK_EQ(sigismember(&mask, SIGINT), 0);
    rv_signals_close(NULL);
    rv_cancel_close(cancel);
}

RV_TEST_MAIN(RV_CASE(a_signal_raises_the_cancel),
             RV_CASE(a_second_signal_ends_the_process_with_the_code_of_the_first),
             RV_CASE(an_echo_is_no_second_signal),
             RV_CASE(what_a_parent_passes_on_is_no_second_signal),
             RV_CASE(closing_gives_the_signals_back))
