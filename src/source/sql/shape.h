/* source/sql/shape.h: gate 1: is a query exactly
 *   SELECT list FROM name[.name[.name]] [[AS] alias] [WHERE condition] [;]
 * Doubt means refusal: such a query is streamed, which is always right. Pure functions.
 * Source: spec "source-safety" section 14. */
#ifndef RV_SOURCE_SQL_SHAPE_H
#define RV_SOURCE_SQL_SHAPE_H

#include "base/error.h"
#include "source/sql/token.h"

typedef struct rv_sql_span {
    size_t begin, end; /* byte offsets; begin == end: absent */
} rv_sql_span;

#define RV_SQL_REASON_SIZE 64
typedef struct rv_sql_shape {
    bool ok;
    char reason[RV_SQL_REASON_SIZE]; /* not ok: "GROUP at 1:58" */
    rv_sql_span list;
    rv_sql_span from;     /* name and alias */
    rv_sql_span parts[3]; /* of the name, as written, quotes included */
    size_t n_parts;
    rv_sql_span qualifier; /* the alias, else the last part, as written */
    rv_sql_span condition;
} rv_sql_shape;

void rv_sql_shape_of(rv_str query, unsigned flags, rv_sql_shape *out);
static inline rv_str rv_sql_span_text(rv_str query, rv_sql_span s)
{
    return (rv_str){query.ptr + s.begin, s.end - s.begin};
}

/* The query without a closing semicolon, when it is one reading statement. It goes into parentheses
 * and behind other words: nothing in it may close the one or end the other. Else
 * RV_E_SOURCE_QUERY. */
rv_status rv_sql_one_statement(rv_str query, unsigned flags, rv_str *out,
                               rv_error *err) RV_MUST_USE;
/* The refusal of a query that is none: "query: it <why>". */
rv_status rv_sql_refuse_query(rv_error *err, const char *why);

#endif
