/* base/process.h: facts about this process and its host: what a lease records and RSS; and the
 * command that answers with one line.
 * Source: spec "lifecycle" section 9, "config" section 3 (password_command). */
#ifndef RV_BASE_PROCESS_H
#define RV_BASE_PROCESS_H

#include "base/buf.h"
#include "base/cancel.h"

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

/* Runs /bin/sh -c command, silent on stderr, and appends the first line of its stdout to *out.
 * Past the limit or when cancelled, the command and its children are killed. The text names
 * `what`, never the command or its output.
 *   fails  RV_E_IO: not started, failed, empty line, over 64 KiB, too slow; RV_E_INTERRUPTED */
rv_status rv_process_line(const char *command, int64_t limit_us, rv_cancel *cancel,
                          const char *what, rv_buf *out, rv_error *err) RV_MUST_USE;

#endif
