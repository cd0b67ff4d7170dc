#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pg/pg_internal.h"

/* PQcancel connects, writes and waits for the server to hang up, all without a limit: it runs on
 * a thread of its own, so that a server that does not answer holds nobody up. Whoever is last
 * frees the job. */
typedef struct cancel_job {
    PGcancel *cancel;
    int done_fd; /* eventfd */
    atomic_int owners;
    atomic_bool delivered;
} cancel_job;

static void release(cancel_job *job)
{
    if (atomic_fetch_sub(&job->owners, 1) != 1)
        return;
    PQfreeCancel(job->cancel);
    if (job->done_fd >= 0)
        (void)close(job->done_fd);
    rv_free(job);
}

static void *deliver(void *ctx)
{
    cancel_job *job = ctx;
    char reason[256];
    const uint64_t one = 1;
    atomic_store(&job->delivered, PQcancel(job->cancel, reason, sizeof reason) == 1);
    ssize_t written = write(job->done_fd, &one, sizeof one);
    (void)written;
    release(job);
    return NULL;
}

static cancel_job *start(rv_pg *c)
{
    cancel_job *job = rv_calloc(1, sizeof *job);
    pthread_attr_t attr;
    pthread_t thread;
    if (!job)
        return NULL;
    atomic_init(&job->owners, 2);
    atomic_init(&job->delivered, false);
    job->done_fd = eventfd(0, EFD_CLOEXEC);
    job->cancel = PQgetCancel(c->conn);
    bool ready = job->done_fd >= 0 && job->cancel && pthread_attr_init(&attr) == 0;
    if (ready) {
        (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        ready = pthread_create(&thread, &attr, deliver, job) == 0;
        (void)pthread_attr_destroy(&attr);
    }
    if (ready)
        return job;
    release(job);
    release(job);
    return NULL;
}

bool rv_pg_send_cancel(rv_pg *c, int64_t wait_us)
{
    int64_t deadline = rv_clock_mono_us() + wait_us;
    if (c->pooled || c->broken)
        return false;
    cancel_job *job = start(c);
    if (!job)
        return false;
    c->cancel_sent = true;
    struct pollfd done = {.fd = job->done_fd, .events = POLLIN};
    int n;
    do {
        int64_t left = deadline - rv_clock_mono_us();
        n = left > 0 ? poll(&done, 1, (int)(left / 1000) + 1) : 0;
    } while (n < 0 && errno == EINTR);
    bool delivered = n > 0 && atomic_load(&job->delivered);
    release(job);
    return delivered;
}
