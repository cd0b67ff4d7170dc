/* engine/rss.h: the highest resident set size seen while an export runs: every 100 ms, at start and
 * at the end. Process-wide. Source: spec "cli" section 2. */
#ifndef RV_ENGINE_RSS_H
#define RV_ENGINE_RSS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct rv_rss_sampler {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    uint64_t peak_bytes; /* under lock, as is stop */
    bool stop;
    pthread_t thread;
    bool running;
} rv_rss_sampler;

void rv_rss_start(rv_rss_sampler *s);
/* Ends the sampling; the peak in MiB, rounded. Once per start. */
int64_t rv_rss_stop(rv_rss_sampler *s);

#endif
