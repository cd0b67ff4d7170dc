/* engine/repair_internal.h: one repair while it is carried out. Private to repair_run.c and
 * repair_publish.c; one thread. Source: spec "lifecycle" section 15. */
#ifndef RV_ENGINE_REPAIR_INTERNAL_H
#define RV_ENGINE_REPAIR_INTERNAL_H

#include "engine/reconcile_internal.h"

typedef struct rv_generation { /* a repair part that exists or once did */
    const char *stem, *base;
    int64_t no;
} rv_generation;

typedef struct rv_mending {
    rv_repair *r;
    rv_job job;
    rv_run_opts opts;
    rv_export_report report;
    rv_generation *generations;
    size_t n_generations, generations_cap;
    const char **stems;              /* per known range, of its own part; NULL: it has none */
    const char *any_stem;            /* of any part; NULL: there is none */
    const rv_repair_action **mended; /* per known range; NULL: not exported again */
    bool checkpoint;                 /* the repaired run's checkpoint is open */
    bool published;
    bool uploaded_only; /* a sealed single-unit run was helped along: nothing else may start */
    size_t executed;
    rv_error failed; /* the first range that failed */
} rv_mending;

/* The very range, of the same generation; NULL: the run has none of that name. */
const rv_slice *rv_repair_range(const rv_repair *r, const char *unit);
/* repair_publish.c: final transaction and manifest of the whole dataset, then its publication. Sets
 * m->published once the next start could finish the work. */
rv_status rv_repair_publish(rv_mending *m, rv_error *err) RV_MUST_USE;

#endif
