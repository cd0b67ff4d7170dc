#include "base/fault.h"

#ifdef RV_FAULTS

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Test builds only: the one place of the program that keeps mutable globals, because a fault
 * point has no argument that could carry them. */
typedef struct fault_counter {
    atomic_long nth; /* 0 = off */
    atomic_bool sticky;
    atomic_long seen;
} fault_counter;

typedef struct fault_stop {
    char name[64];
    long nth;
    int signo;
    atomic_long seen;
} fault_stop;

static fault_counter alloc_faults;
static fault_counter io_faults;
static int trace = -1;
static fault_stop stops[2] = {{.signo = SIGKILL}, {.signo = SIGSTOP}};
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_counter(fault_counter *c, const char *variable)
{
    const char *text = getenv(variable);
    const char *sticky = getenv("RIVET_FAIL_STICKY");
    if (!text)
        return;
    atomic_store(&c->sticky, sticky && strcmp(sticky, "1") == 0);
    atomic_store(&c->nth, strtol(text, NULL, 10));
}

static void read_stop(fault_stop *s, const char *variable)
{
    const char *text = getenv(variable);
    if (!text)
        return;
    size_t len = strcspn(text, ":");
    if (len >= sizeof s->name)
        return;
    memcpy(s->name, text, len);
    s->nth = text[len] == ':' ? strtol(text + len + 1, NULL, 10) : 1;
}

static void read_environment(void)
{
    read_counter(&alloc_faults, "RIVET_FAIL_ALLOC");
    read_counter(&io_faults, "RIVET_FAIL_IO");
    const char *path = getenv("RIVET_TRACE_POINTS");
    if (path)
        trace = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    read_stop(&stops[0], "RIVET_KILL_AT");
    read_stop(&stops[1], "RIVET_STALL_AT");
}

static bool count_call(fault_counter *c)
{
    pthread_once(&once, read_environment);
    long seen = atomic_fetch_add(&c->seen, 1) + 1;
    long nth = atomic_load(&c->nth);
    return nth > 0 && (seen == nth || (seen > nth && atomic_load(&c->sticky)));
}

static void set_counter(fault_counter *c, long nth, bool sticky)
{
    pthread_once(&once, read_environment);
    atomic_store(&c->nth, nth);
    atomic_store(&c->sticky, sticky);
    atomic_store(&c->seen, 0);
}

void rv_fault_point(const char *name)
{
    pthread_once(&once, read_environment);
    if (trace >= 0)
        (void)!dprintf(trace, "%s\n", name);
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++)
        if (stops[i].nth > 0 && strcmp(stops[i].name, name) == 0 &&
            atomic_fetch_add(&stops[i].seen, 1) + 1 == stops[i].nth)
            (void)kill(getpid(), stops[i].signo);
}

bool rv_fault_alloc(void)
{
    return count_call(&alloc_faults);
}

bool rv_fault_io(void)
{
    return count_call(&io_faults);
}

void rv_fault_set_alloc(long nth, bool sticky)
{
    set_counter(&alloc_faults, nth, sticky);
}

void rv_fault_set_io(long nth, bool sticky)
{
    set_counter(&io_faults, nth, sticky);
}

long rv_fault_seen_alloc(void)
{
    return atomic_load(&alloc_faults.seen);
}

long rv_fault_seen_io(void)
{
    return atomic_load(&io_faults.seen);
}

#else

/* ISO C wants a declaration in every file. */
typedef int rv_fault_is_off;

#endif
