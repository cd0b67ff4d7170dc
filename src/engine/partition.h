/* engine/partition.h: one export cut into buckets of a date or timestamp column. Each bucket is a
 * run of its own, under a sub-export "{export}__{value}" with its own state rows, names, manifest
 * and marker; the parent's lease is held throughout and its report adds them up.
 *
 * A sub-export reads `SELECT * FROM ... WHERE column >= lo AND column < hi`, which every mode
 * pages, chunks and counts like any other query. Source: spec "config" section 6 (partitioning),
 * "lifecycle" section 1. */
#ifndef RV_ENGINE_PARTITION_H
#define RV_ENGINE_PARTITION_H

#include "engine/run.h"

#define RV_PARTITION_NULL "__HIVE_DEFAULT_PARTITION__"
#define RV_PARTITION_VALUE_SIZE 32
#define RV_PARTITIONS_MAX 100000

typedef struct rv_bucket {
    char value[RV_PARTITION_VALUE_SIZE]; /* "2026-05-02", "2026-05", "2026" or the NULL one */
    bool null;
    int64_t first_day, next_day; /* epoch days, half-open */
} rv_bucket;

/* The bucket that holds a day. */
void rv_bucket_of_day(int64_t day, rv_granularity g, rv_bucket *out);
/* A value as it stands in names; false when it is none. */
bool rv_bucket_parse(const char *value, rv_bucket *out);

/* The sub-export of a value: name, destination with {partition}, {export} and {table} resolved;
 * what it reads is still the parent's. In the arena. */
rv_status rv_partition_export(const rv_cfg_export *x, const char *value, rv_arena *a,
                              rv_cfg_export *out, rv_error *err) RV_MUST_USE;
/* Values of x that the state knows, sorted; exports that the configuration itself names are none.
 */
rv_status rv_partition_known(rv_state *state, const rv_cfg *cfg, const rv_cfg_export *x,
                             rv_arena *a, rv_bucket **out, size_t *out_n,
                             rv_error *err) RV_MUST_USE;
/* A sub-export named by its full name; *out NULL when no export of cfg has such a bucket. What it
 * reads is still the parent's: enough for its state and its files. As a
 * run reads it: rv_engine_bucket. */
rv_status rv_partition_find(const rv_cfg *cfg, const char *name, rv_arena *a,
                            const rv_cfg_export **out, rv_error *err) RV_MUST_USE;

/* Whether a bucket of x has a checkpoint in progress (--resume). */
rv_status rv_partition_unfinished(rv_state *state, const rv_cfg *cfg, const rv_cfg_export *x,
                                  bool *out, rv_error *err) RV_MUST_USE;

/* partition_plan.c: buckets that hold rows now, in order, the NULL one last, and those that an
 * earlier run left unsettled; the sub-export that reads one of them. */
typedef struct rv_partition_plan {
    rv_bucket *buckets; /* in the job's arena */
    const char **where; /* per bucket: the condition as SQL */
    size_t n;
    const char *from;         /* table or wrapped query as SQL */
    const char *chunk_column; /* found for mode chunked without one */
} rv_partition_plan;
rv_status rv_partition_plan_make(rv_job *job, rv_partition_plan *out, rv_error *err) RV_MUST_USE;
/* What of that can be judged without reading: the column and what the mode needs of it. */
rv_status rv_partition_plan_check(rv_job *job, rv_error *err) RV_MUST_USE;
/* Of one bucket, whatever it holds. */
rv_status rv_partition_plan_one(rv_job *job, const rv_bucket *b, rv_partition_plan *out,
                                rv_error *err) RV_MUST_USE;
rv_status rv_partition_plan_export(const rv_partition_plan *p, const rv_cfg_export *x, size_t i,
                                   rv_arena *a, rv_cfg_export *out, rv_error *err) RV_MUST_USE;

/* What rv_export_run does under the parent's lease instead of reading: runs the buckets one after
 * the other, adds up job and report, closes the parent's row. `call`: as the parent was asked. Data
 * that fails its checks ends its own bucket; any other failure ends the run. */
rv_status rv_partition_steps(const rv_export_call *call, rv_job *job, rv_executed *out,
                             rv_error *err) RV_MUST_USE;

#endif
