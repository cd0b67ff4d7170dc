/* source/sql/keyset.h: predicates and key positions as SQL text. Columns come rendered, values
 * go through the driver's own writer (a placeholder or a literal). Pure but for the buffer.
 * NULL sorts below every value here: a driver whose engine thinks otherwise orders NULLS FIRST.
 * Source: spec "source-safety" section 14 (gate 3), design "sources" sections 1 and 2. */
#ifndef RV_SOURCE_SQL_KEYSET_H
#define RV_SOURCE_SQL_KEYSET_H

#include "source/source.h"

/* Appends the SQL of one value that is not NULL. */
typedef rv_status (*rv_sql_value_fn)(void *ctx, const rv_datum *value, rv_buf *out, rv_error *err);

typedef struct rv_sql_keyset {
    const char *const *columns; /* rendered, in key order */
    const rv_datum *values;
    size_t n;        /* >= 1 */
    bool row_values; /* (a, b) > (x, y) is an index condition here; else the OR is expanded */
    rv_sql_value_fn value;
    void *ctx;
} rv_sql_keyset;

/* The rows strictly after the position, in parentheses. */
rv_status rv_sql_after(const rv_sql_keyset *k, rv_buf *out, rv_error *err) RV_MUST_USE;
/* The rows up to and including the position. Key columns hold no NULL. */
rv_status rv_sql_until(const rv_sql_keyset *k, rv_buf *out, rv_error *err) RV_MUST_USE;
/* `column op value`; a comparison with a NULL value is never true. */
rv_status rv_sql_pred(const char *column, rv_op op, const rv_datum *value, rv_sql_value_fn fn,
                      void *ctx, rv_buf *out, rv_error *err) RV_MUST_USE;

#endif
