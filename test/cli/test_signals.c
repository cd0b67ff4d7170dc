#include "cli/signals.h"

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
             RV_CASE(an_echo_is_no_second_signal), RV_CASE(closing_gives_the_signals_back))
