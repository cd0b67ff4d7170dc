/* base/budget.h: byte tokens shared by everything that holds data in memory.
 * Threads: any. A request larger than the whole budget is granted alone, when nothing else
 * is out (a value larger than the cap is held alone: spec "source-safety" section 9). */
#ifndef RV_BASE_BUDGET_H
#define RV_BASE_BUDGET_H

#include <stdint.h>

#include "base/cancel.h"

typedef struct rv_budget rv_budget;

rv_status rv_budget_open(uint64_t total_bytes, rv_budget **out, rv_error *err) RV_MUST_USE;
void rv_budget_close(rv_budget *b);
/* Waits until the bytes are there; RV_E_INTERRUPTED when cancelled first. */
rv_status rv_budget_take(rv_budget *b, uint64_t bytes, rv_cancel *cancel,
                         rv_error *err) RV_MUST_USE;
bool rv_budget_try(rv_budget *b, uint64_t bytes) RV_MUST_USE;
void rv_budget_give(rv_budget *b, uint64_t bytes);

#endif
