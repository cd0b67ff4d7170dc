/* column/schema.h: the columns of one export, resolved once, before the first row.
 * Owner: an arena; immutable after resolution. Source: spec "types" sections 1, 2, 8, 9. */
#ifndef RV_COLUMN_SCHEMA_H
#define RV_COLUMN_SCHEMA_H

#include "column/type.h"

#define RV_COLUMN_WARNINGS_MAX 4
typedef struct rv_column {
    const char *name;        /* UTF-8, as the result names it */
    rv_type type;            /* after overrides */
    const char *source_type; /* native label, "tinyint unsigned" */
    bool nullable;           /* the source's, where known; else true */
    bool overridden;
    rv_fidelity fidelity;
    const char *lossy_reason; /* set when fidelity is RV_LOSSY */
    const char *warnings[RV_COLUMN_WARNINGS_MAX];
    unsigned n_warnings;
} rv_column;

typedef struct rv_schema {
    rv_column *columns;
    size_t n_columns;
} rv_schema;

int rv_schema_find(const rv_schema *s, rv_str name); /* exact; -1 when absent */
/* "columns 2 and 5 are both called 'id'"; reports the first such pair. RV_E_SOURCE_QUERY. */
rv_status rv_schema_check_names(const rv_schema *s, rv_error *err) RV_MUST_USE;
/* XXH3-64 over columns sorted by name, each "name TAB arrow-type LF": "xxh3:<16 hex>". */
rv_status rv_schema_fingerprint(const rv_schema *s, char out[22], rv_error *err) RV_MUST_USE;
/* Estimated bytes of one row: types' estimates plus one validity byte per column. */
uint64_t rv_schema_row_estimate_bytes(const rv_schema *s);

/* exports[].columns as the schema resolver sees it. */
typedef struct rv_override {
    const char *column;
    rv_type type;
} rv_override;

/* The two columns Rivet may append (spec "config" section 7), always last, in this order. */
#define RV_META_EXPORTED_AT "_rivet_exported_at"
#define RV_META_ROW_HASH "_rivet_row_hash"

#endif
