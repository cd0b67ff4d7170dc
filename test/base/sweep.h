/* base/sweep.h: runs one action with the 1st, 2nd, 3rd... allocation or file operation
 * failing, until none is left to fail. The action returns its status and frees what it made. */
#ifndef RV_TEST_BASE_SWEEP_H
#define RV_TEST_BASE_SWEEP_H

#include "base/error.h"
#include "base/fault.h"
#include "rvtest.h"

#ifdef RV_FAULTS
static inline void sweep_alloc(rv_status (*action)(void))
{
    for (long n = 1; n < 10000; n++) {
        rv_fault_set_alloc(n, false);
        rv_status st = action();
        long seen = rv_fault_seen_alloc();
        rv_fault_set_alloc(0, false);
        if (seen < n) {
            CHECK_EQ(st, RV_OK);
            CHECK(n > 1);
            return;
        }
        CHECK_EQ(st, RV_E_MEMORY);
    }
    CHECK(false && "the sweep ends");
}

/* Some operations may fail without harm (an optional one): then RV_OK is fine too. */
static inline void sweep_io(rv_status (*action)(void))
{
    for (long n = 1; n < 10000; n++) {
        rv_fault_set_io(n, false);
        rv_status st = action();
        long seen = rv_fault_seen_io();
        rv_fault_set_io(0, false);
        if (seen < n) {
            CHECK_EQ(st, RV_OK);
            CHECK(n > 1);
            return;
        }
        CHECK_EQ(st, RV_E_IO);
    }
    CHECK(false && "the sweep ends");
}
#else
static inline void sweep_alloc(rv_status (*action)(void))
{
    (void)action;
    rvtest_skip("built without RV_FAULTS");
}
static inline void sweep_io(rv_status (*action)(void))
{
    (void)action;
    rvtest_skip("built without RV_FAULTS");
}
#endif

#endif
