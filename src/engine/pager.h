/* engine/pager.h: how many rows the next statement asks for, and how long to pause after it.
 * Pure arithmetic over what was measured. One thread at a time.
 * Source: design "sources" section 6, spec "source-safety" section 8. */
#ifndef RV_ENGINE_PAGER_H
#define RV_ENGINE_PAGER_H

#include "base/error.h"
#include "config/config.h"

typedef struct rv_pager {
    uint64_t ceiling;      /* rows of one batch at most */
    bool ceiling_fixed;    /* batch_size was written (or the profile's is fixed) */
    bool ceiling_measured; /* recomputed from the first statement */
    uint64_t target_bytes; /* of one batch; 0 = none */
    uint64_t clamp_min, clamp_max;
    uint64_t cap_bytes;        /* of one page; the RSS guard halves it */
    int64_t target_us;         /* T; 0 = off */
    uint64_t rows;             /* n: the controller's choice */
    double cost_us, row_bytes; /* smoothed, per row */
    uint64_t shrunk;           /* limit after a failure; 0 = none */
    unsigned good_pages;       /* since the failure */
    uint64_t throttle_us;      /* per full batch */
} rv_pager;

void rv_pager_init(rv_pager *p, const rv_cfg_tuning *tuning, uint64_t row_estimate_bytes,
                   unsigned workers);
/* Rows to ask for; `rest` of the unit, 0 = unbounded. At least 1. */
uint64_t rv_pager_ask(const rv_pager *p, uint64_t rest);
int64_t rv_pager_cut_us(const rv_pager *p);     /* 2T; 0 = never */
uint64_t rv_pager_cut_bytes(const rv_pager *p); /* 1.5 caps */
/* A statement returned; true when the ceiling was recomputed (worth an INFO line). */
bool rv_pager_done(rv_pager *p, uint64_t rows, uint64_t bytes, int64_t elapsed_us);
void rv_pager_failed(rv_pager *p, rv_retry class_); /* T halves, M quarters */
void rv_pager_halve_cap(rv_pager *p);               /* floor 256 KiB */
uint64_t rv_pager_pause_us(const rv_pager *p, uint64_t rows);

#endif
