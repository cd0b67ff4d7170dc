/* cli/table_text.h: rows of cells under headings. Widths count code points; a longer cell pushes
 * its line, nothing is cut. Pure but for the buffer. Source: spec "cli" sections 8 and 9. */
#ifndef RV_CLI_TABLE_TEXT_H
#define RV_CLI_TABLE_TEXT_H

#include "base/arena.h"
#include "base/buf.h"

typedef struct rv_table_column {
    const char *title;
    unsigned width; /* 0 = as wide as its widest cell */
    bool right;     /* numbers */
} rv_table_column;

#define RV_TABLE_COLUMNS_MAX 10
typedef struct rv_table {
    const rv_table_column *columns;
    size_t n_columns;   /* <= RV_TABLE_COLUMNS_MAX */
    const char **cells; /* n_rows x n_columns; NULL and "" show as '-' */
    const char **notes; /* NULL, or per row a text for the line below it (NULL: none) */
    size_t n_rows;
    unsigned rule;   /* dashes under the heading; 0 = as long as the columns */
    unsigned indent; /* blanks before each line */
} rv_table;

rv_status rv_table_text(const rv_table *t, rv_buf *out, rv_error *err) RV_MUST_USE;

/* Cells; -1 and NULL become NULL. In the arena. */
rv_status rv_cell_i64(rv_arena *a, int64_t v, const char **out, rv_error *err) RV_MUST_USE;
rv_status rv_cell_size(rv_arena *a, int64_t bytes, const char **out, rv_error *err) RV_MUST_USE;
rv_status rv_cell_duration(rv_arena *a, int64_t ms, const char **out, rv_error *err) RV_MUST_USE;
/* "2026-05-02T08:00:04+00:00" of any RFC 3339 text; other texts as they are. */
rv_status rv_cell_time(rv_arena *a, const char *time, const char **out, rv_error *err) RV_MUST_USE;

#endif
