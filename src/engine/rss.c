#include "engine/rss.h"

#include <time.h>

#include "base/process.h"

#define RSS_STEP_US 100000L
#define MIB (1024u * 1024u)

static void sample(rv_rss_sampler *s)
{
    uint64_t now = rv_process_rss_bytes();
    if (now > s->peak_bytes)
        s->peak_bytes = now;
}

static void *sample_loop(void *arg)
{
    rv_rss_sampler *s = arg;
    pthread_mutex_lock(&s->lock);
    while (!s->stop) {
        struct timespec until;
        sample(s);
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += RSS_STEP_US * 1000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&s->wake, &s->lock, &until);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

void rv_rss_start(rv_rss_sampler *s)
{
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    sample(s);
    s->running = pthread_create(&s->thread, NULL, sample_loop, s) == 0;
}

int64_t rv_rss_stop(rv_rss_sampler *s)
{
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    if (s->running)
        (void)pthread_join(s->thread, NULL);
    sample(s);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    return (int64_t)((s->peak_bytes + MIB / 2) / MIB);
}
