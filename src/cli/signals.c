#include "cli/signals.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

/* timeout(1) and terminals signal a process and its group: one wish that arrives twice. */
#define ECHO_US 50000

struct rv_signals {
    rv_cancel *cancel;
    atomic_int parent; /* 0: nobody passes signals on */
    pthread_t thread;
    sigset_t taken; /* the three, and SIGUSR2 that ends the thread */
    sigset_t before;
};

/* The parent's word, while it lives: a dead one's last signal comes from nobody's child. */
static bool passed_on(rv_signals *s, const siginfo_t *info)
{
    int parent = atomic_load(&s->parent);
    return parent > 0 && info->si_code <= 0 && info->si_pid == parent && getppid() == parent;
}

static void *take_signals(void *arg)
{
    rv_signals *s = arg;
    int64_t first_us = 0;
    bool heard_parent = false;
    for (;;) {
        siginfo_t info = {0};
        int signo = sigwaitinfo(&s->taken, &info);
        if (signo < 0)
            continue;
        if (signo == SIGUSR2)
            return NULL;
        int64_t now_us = rv_clock_mono_us();
        bool echo = passed_on(s, &info) && !heard_parent;
        heard_parent = heard_parent || echo;
        if (first_us == 0) {
            first_us = now_us;
            rv_cancel_raise(s->cancel, signo);
        } else if (!echo && now_us - first_us > ECHO_US) {
            _exit(rv_cancel_signal(s->cancel) == SIGINT ? 130 : 143);
        }
    }
}

rv_status rv_signals_open(rv_cancel *cancel, rv_signals **out, rv_error *err)
{
    rv_signals *s = rv_calloc(1, sizeof *s);
    if (!s)
        return rv_fail_memory(err);
    s->cancel = cancel;
    (void)sigemptyset(&s->taken);
    (void)sigaddset(&s->taken, SIGINT);
    (void)sigaddset(&s->taken, SIGTERM);
    (void)sigaddset(&s->taken, SIGHUP);
    (void)sigaddset(&s->taken, SIGUSR2);
    (void)pthread_sigmask(SIG_BLOCK, &s->taken, &s->before);
    int e = pthread_create(&s->thread, NULL, take_signals, s);
    if (e != 0) {
        (void)pthread_sigmask(SIG_SETMASK, &s->before, NULL);
        rv_free(s);
        return rv_fail_errno(err, RV_E_MEMORY, e, "the signal thread cannot be started");
    }
    *out = s;
    return RV_OK;
}

void rv_signals_from_parent(rv_signals *s, int parent_pid)
{
    atomic_store(&s->parent, parent_pid);
}

void rv_signals_close(rv_signals *s)
{
    if (!s)
        return;
    (void)pthread_kill(s->thread, SIGUSR2);
    (void)pthread_join(s->thread, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &s->before, NULL);
    rv_free(s);
}
