/* source/sql/override.h: exports[].columns against the columns a driver describes, and the one
 * message about all that have no lossless type. Texts live in the caller's arena.
 * Source: spec "types" sections 3 (unsupported message) and 8. */
#ifndef RV_SOURCE_SQL_OVERRIDE_H
#define RV_SOURCE_SQL_OVERRIDE_H

#include "source/source.h"

/* The override of a result column: "table.column" wins over the bare name. NULL: none. */
const rv_cfg_column *rv_sql_override_find(const rv_read_spec *spec, const char *base_table,
                                          const char *column);
/* Every override names a column of the result: else RV_E_CONFIG_COLUMN_TYPE. */
rv_status rv_sql_override_check(const rv_read_spec *spec, const rv_schema *schema, rv_arena *arena,
                                rv_error *err) RV_MUST_USE;

typedef struct rv_sql_refused {
    const char *name, *type; /* "amount", "postgres numeric, no precision" */
    const char *word;        /* a type to try before `text`, or NULL */
} rv_sql_refused;
/* RV_E_TYPE_UNSUPPORTED, naming all of them (n >= 1). */
rv_status rv_sql_refuse_columns(const rv_sql_refused *list, size_t n, rv_error *err);

#endif
