/* source/sql/name.h: table names as `table:` writes them, and identifiers quoted for SQL.
 * Pure but for arena and buffer. Source: spec "config" section 5 (Table names), V45. */
#ifndef RV_SOURCE_SQL_NAME_H
#define RV_SOURCE_SQL_NAME_H

#include "base/arena.h"
#include "base/buf.h"

#define RV_SQL_NAME_PARTS 3
typedef struct rv_sql_name {
    const char *part[RV_SQL_NAME_PARTS]; /* outermost first, quotes removed, in the arena */
    bool quoted[RV_SQL_NAME_PARTS];
    size_t n; /* 1..max_parts */
} rv_sql_name;

/* "t", "s.t", "db.s.t"; a part in double quotes may hold anything, a quote doubled. More than
 * max_parts parts or anything else: RV_E_CONFIG_TABLE_NAME with the text of V45. */
rv_status rv_sql_name_parse(const char *text, size_t max_parts, rv_arena *arena, rv_sql_name *out,
                            rv_error *err) RV_MUST_USE;
/* `open`ident`close`, with every `close` inside doubled: ("), (`) or ([ and ]). */
rv_status rv_sql_quote(rv_str ident, char open, char close, rv_buf *out, rv_error *err) RV_MUST_USE;
/* An identifier as a text writes it, without its quotes: "..", `..` or [..], a doubled closing
 * quote inside them taken once. What has no quotes stays. In the arena. */
rv_status rv_sql_unquote(rv_str part, rv_arena *arena, const char **out, rv_error *err) RV_MUST_USE;
/* run_id as a comment that opens a statement: "/ * rivet <run_id> * / " without the blanks inside
 * the marks; "*" "/" in the name is written with a blank between. run_id may be NULL. */
rv_status rv_sql_run_comment(const char *run_id, rv_buf *out, rv_error *err) RV_MUST_USE;
/* The same, kept in the arena. */
rv_status rv_sql_run_comment_keep(const char *run_id, rv_arena *arena, const char **out,
                                  rv_error *err) RV_MUST_USE;

#endif
