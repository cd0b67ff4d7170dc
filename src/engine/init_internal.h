/* engine/init_internal.h: what `init` learned from the catalog and how it will be read. Everything
 * lives in one arena. Source: spec "cli" section 5. */
#ifndef RV_ENGINE_INIT_INTERNAL_H
#define RV_ENGINE_INIT_INTERNAL_H

#include "engine/engine.h"

typedef struct rv_init_candidate {
    const rv_catalog_column *column;
    int64_t score;
    bool updated, created; /* what the name suggests */
} rv_init_candidate;

typedef struct rv_init_plan { /* of one table */
    const rv_catalog_table *table;
    const char *export_name;
    rv_mode mode;
    const char *chunk_column, *chunk_by_key, *cursor_column, *time_column;
    unsigned parallel;                   /* 0: not written */
    const char *comment;                 /* why, or what to look at; NULL: none */
    rv_init_candidate *cursors, *chunks; /* best first */
    size_t n_cursors, n_chunks;
    const char *fallback;
} rv_init_plan;

typedef struct rv_initing {
    const rv_env *env;
    const rv_init_opts *opts;
    rv_arena *arena;
    rv_cfg_source source; /* as the written config will see it */
    const rv_source_driver *driver;
    const char *database; /* where bare table names lead, of engines whose schemas are databases */
    const char *url_file; /* as written to the config */
    const char *tls_ca;   /* likewise */
    rv_init_plan *plans;
    size_t n_plans;
    size_t n_review; /* unconstrained decimals */
    size_t n_text;   /* columns without a lossless type */
} rv_initing;

/* init_plan.c: candidates, mode and names of every table. */
rv_status rv_init_plan_all(rv_initing *in, const rv_catalog_table *tables, size_t n,
                           rv_error *err) RV_MUST_USE;
/* init_yaml.c */
rv_status rv_init_yaml(rv_initing *in, rv_buf *out, rv_error *err) RV_MUST_USE;
/* init_discover.c */
rv_status rv_init_discover(rv_initing *in, rv_buf *out, rv_error *err) RV_MUST_USE;

#endif
