/* engine/pager.h: how many rows the next statement asks for, and how long to pause after it.
 * Pure arithmetic over what was measured. One thread at a time.
 * Source: design "sources" section 6, spec "source-safety" section 8. */
#ifndef RV_ENGINE_PAGER_H
#define RV_ENGINE_PAGER_H

#include "base/error.h"
#include "config/config.h"

typedef struct rv_pager {
    uint64_t ceiling;          /* rows of one batch at most */
    bool ceiling_fixed;        /* batch_size was written (or the profile's is fixed) */
    bool ceiling_measured;     /* recomputed from the first statement */
    uint64_t target_bytes;     /* of one batch; 0 = none */
    uint64_t clamp_max;        /* rows of an adaptive ceiling */
    uint64_t base_ceiling;     /* tuning.adaptive never goes above it */
    uint64_t floor_rows;       /* of a page, unless its bytes forbid it */
    bool half;                 /* nothing may be cut: half the size, half the aim */
    unsigned stuck;            /* cuts in a row that gained nothing at the floor */
    uint64_t cap_bytes;        /* of one page; the RSS guard halves it */
    int64_t target_us;         /* T; 0 = off */
    uint64_t rows;             /* n: the controller's choice */
    double cost_us, row_bytes; /* smoothed, per row */
    uint64_t shrunk;           /* limit after a failure; 0 = none */
    unsigned good_pages;       /* since the failure */
    uint64_t throttle_us;      /* per full batch */
} rv_pager;

typedef struct rv_pager_opts {
    const rv_cfg_tuning *tuning;
    uint64_t row_estimate_bytes;
    unsigned workers;
    rv_engine engine;
    bool cannot_cut; /* rv_source_info's */
} rv_pager_opts;

void rv_pager_init(rv_pager *p, const rv_pager_opts *opts);
/* Rows to ask for; `rest` of the unit, 0 = unbounded. At least 1. */
uint64_t rv_pager_ask(const rv_pager *p, uint64_t rest);
int64_t rv_pager_cut_us(const rv_pager *p);     /* 2T; more when stuck; 0 = never */
uint64_t rv_pager_cut_bytes(const rv_pager *p); /* 1.5 caps */
/* A statement returned; true when the ceiling was recomputed (worth an INFO line). */
bool rv_pager_done(rv_pager *p, uint64_t rows, uint64_t bytes, int64_t elapsed_us);
/* T and recovery conflicts halve, M quarters. */
void rv_pager_failed(rv_pager *p, const rv_error *cause);
/* A statement was cut and gained nothing: a quarter of it next. False: several times in a row at
 * the floor, each with twice the time: nothing smaller is left to try. */
bool rv_pager_paced(rv_pager *p) RV_MUST_USE;
/* tuning.adaptive: pressure takes a quarter off the ceiling (floor 500), its absence gives a
 * quarter back up to the base. */
void rv_pager_adapt(rv_pager *p, bool pressure);
void rv_pager_halve_cap(rv_pager *p); /* floor 256 KiB */
uint64_t rv_pager_pause_us(const rv_pager *p, uint64_t rows);

#endif
