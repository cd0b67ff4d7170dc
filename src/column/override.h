/* column/override.h: exports[].columns against resolved columns, and the type report's
 * judgement. Source: spec "types" sections 8 and 9. */
#ifndef RV_COLUMN_OVERRIDE_H
#define RV_COLUMN_OVERRIDE_H

#include "column/schema.h"

/* Sets fidelity, lossy_reason and overridden of `col` for natural -> target (narrowing is
 * RV_LOSSY with a reason such as "decimal(10,2) keeps 2 fewer fraction digits than
 * numeric(12,4): lossy"). */
rv_status rv_override_judge(rv_column *col, rv_type natural, rv_type target, rv_arena *arena,
                            rv_error *err) RV_MUST_USE;
/* Every override must name a column of the result: else RV_E_CONFIG_COLUMN_TYPE naming it. */
rv_status rv_override_check_names(const rv_schema *schema, const rv_override *overrides, size_t n,
                                  rv_error *err) RV_MUST_USE;

typedef enum rv_target {
    RV_TARGET_NONE,
    RV_DUCKDB,
    RV_BIGQUERY,
    RV_SNOWFLAKE,
    RV_CLICKHOUSE
} rv_target;
typedef struct rv_target_verdict {
    const char *target_type;   /* "TIMESTAMP" */
    const char *status;        /* ok, warn, fail */
    const char *note;          /* may be empty */
    const char *autoload_type; /* NULL when it does not differ */
    const char *cast_sql;      /* NULL when none is needed */
} rv_target_verdict;
bool rv_target_from_name(rv_str name,
                         rv_target *out); /* duckdb bigquery bq snowflake sf clickhouse */
const char *rv_target_label(rv_target t); /* long name */
/* Texts are static or in the arena. */
rv_status rv_target_judge(rv_target target, const rv_column *col, rv_arena *arena,
                          rv_target_verdict *out, rv_error *err) RV_MUST_USE;

#endif
