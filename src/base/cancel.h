/* base/cancel.h: one request to stop, seen by every wait. Threads: any; raise is
 * async-signal-safe. The signal thread raises; sources register what interrupts them. */
#ifndef RV_BASE_CANCEL_H
#define RV_BASE_CANCEL_H

#include "base/error.h"

typedef struct rv_cancel rv_cancel;

rv_status rv_cancel_open(rv_cancel **out, rv_error *err) RV_MUST_USE;
void rv_cancel_close(rv_cancel *c);
void rv_cancel_raise(rv_cancel *c, int signo); /* remembers the first signal; runs the hooks */
bool rv_cancel_raised(const rv_cancel *c);
int rv_cancel_signal(const rv_cancel *c); /* 0 when not raised */
/* Readable in poll() from the raise on, never to be read; -1 for NULL. */
int rv_cancel_fd(const rv_cancel *c);
/* What was already being committed may go on for this long after the raise (10 s unless set, before
 * other threads run); then it is overdue. */
void rv_cancel_set_grace_us(rv_cancel *c, int64_t us);
int64_t rv_cancel_grace_us(const rv_cancel *c);
bool rv_cancel_overdue(const rv_cancel *c);
/* Sleeps; false when cancelled before the time was over. */
bool rv_cancel_sleep_us(rv_cancel *c, int64_t us) RV_MUST_USE;
/* A hook runs once, from the raising thread, until removed (then it never runs again).
 * At most 512 live hooks; returns a slot id >= 0, or -1 when full or c is NULL. A hook added after
 * the raise runs at once. */
int rv_cancel_hook_add(rv_cancel *c, void (*fn)(void *), void *ctx);
void rv_cancel_hook_remove(rv_cancel *c, int slot);
/* RV_OK, or RV_E_INTERRUPTED with a text. */
rv_status rv_cancel_check(const rv_cancel *c, rv_error *err) RV_MUST_USE;

#endif
