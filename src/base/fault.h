/* base/fault.h: named points where a test build can be killed or made to fail.
 * RIVET_KILL_AT=name[:n] kills the process (SIGKILL) at the nth passage of RV_KILL_POINT(name).
 * RIVET_STALL_AT=name[:n] stops it there (SIGSTOP). RIVET_TRACE_POINTS=file adds a line for each
 * point passed. RIVET_FAIL_ALLOC=n and RIVET_FAIL_IO=n fail the nth allocation or file operation
 * (only from then on: RIVET_FAIL_STICKY=1).
 * Release builds compile all of it away. */
#ifndef RV_BASE_FAULT_H
#define RV_BASE_FAULT_H

#include <stdbool.h>

#ifdef RV_FAULTS
void rv_fault_point(const char *name);
bool rv_fault_alloc(void); /* true: this allocation must fail */
bool rv_fault_io(void);
/* Tests set the counters directly; 0 = off. Returns how many calls were seen since. */
void rv_fault_set_alloc(long nth, bool sticky);
void rv_fault_set_io(long nth, bool sticky);
long rv_fault_seen_alloc(void);
long rv_fault_seen_io(void);
#define RV_KILL_POINT(name) rv_fault_point(name)
#else
#define RV_KILL_POINT(name) ((void)0)
#endif

#endif
