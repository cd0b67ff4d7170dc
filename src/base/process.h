/* base/process.h: facts about this process and its host: what a lease records and RSS.
 * Source: spec "lifecycle" section 9. */
#ifndef RV_BASE_PROCESS_H
#define RV_BASE_PROCESS_H

#include "base/error.h"

typedef struct rv_process_id {
    char host[256];
    char boot_id[64];
    char pid_ns[64];
    int64_t pid;
    int64_t pid_start; /* clock ticks since boot, from /proc/PID/stat */
} rv_process_id;

void rv_process_self(rv_process_id *out); /* unknown facts are empty or 0 */
/* True only when it is certain: same host, boot id and pid namespace and no such process. */
bool rv_process_dead(const rv_process_id *p);
uint64_t rv_process_rss_bytes(void); /* 0 when unknown */

#endif
