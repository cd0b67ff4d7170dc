/* source/sqlite/relation_internal.h: a resolved relation, its SQL, and the scans over it.
 * Source: spec "source-safety" sections 13 and 14, "types" section 6. */
#ifndef RV_SOURCE_SQLITE_RELATION_INTERNAL_H
#define RV_SOURCE_SQLITE_RELATION_INTERNAL_H

#include "source/sqlite/sqlite_internal.h"

#define RV_SQ_ORDER_MAX (RV_KEY_COLUMNS_MAX + 4)

/* resolve.c, query.c */
struct rv_sq_column;
typedef rv_status (*rv_sq_decode)(rv_scan *scan, struct rv_sq_column *column, rv_builder *builder,
                                  uint32_t col, int storage, rv_error *err);
typedef struct rv_sq_column {
    const char *name;   /* in the result */
    const char *origin; /* base column the SQL may name instead; NULL: the result name */
    const char *decl;   /* "" = none */
    rv_type natural, type;
    bool sampled; /* typed by its first rows */
    bool mixed;   /* they held several storage classes */
    bool overridden;
    rv_sq_decode decode;
    atomic_int storage; /* timestamps: the one class of this column, 0 = none seen yet */
} rv_sq_column;

typedef struct rv_sq_relation { /* rv_relation.driver */
    const char *list;           /* select list */
    const char *from;           /* behind FROM */
    const char *where;          /* "(condition LF)" or NULL */
    const char *qual;           /* quoted qualifier with its dot */
    const char
        *verbatim;     /* the query as written, sent alone when nothing is asked of it; or NULL */
    const char *query; /* the query as written; NULL with `table:` */
    const char *what;  /* "reading table 'orders'", "reading the query": for messages */
    rv_sq_column *columns; /* schema->n_columns */
    size_t n_columns;
    const rv_sq_table *table; /* the one base table, or NULL */
    bool is_table;            /* `table:`; else a query */
    bool spliced;             /* a query read like its table: keys are selected beside its list */
    const char *const *ident; /* base columns that name a row; n_ident 0: none */
    size_t n_ident;
    bool ident_rowid; /* the one ident column is the rowid */
    rv_expr bound;    /* column NULL: none */
    bool null_on_error;
    char day_separator; /* between date and time in TEXT bounds */
} rv_sq_relation;

rv_status rv_sq_resolve(rv_source *s, const rv_read_spec *spec, rv_arena *arena, rv_relation **out,
                        rv_error *err);
rv_status rv_sq_recheck(rv_source *s, const rv_relation *rel, rv_error *err);
/* Fills list..verbatim, columns (names, origins, declared types), table, shape and key of a
 * `query:`; rejects what is not one reading statement. */
rv_status rv_sq_query_gates(rv_source *s, const rv_read_spec *spec, rv_arena *arena,
                            rv_relation *rel, rv_error *err) RV_MUST_USE;
/* Chooses the paging key of a table; `present` (may be NULL) limits it to named columns. */
rv_status rv_sq_key_choose(const rv_read_spec *spec, const rv_sq_table *t,
                           const rv_sq_relation *present, rv_relation *rel,
                           rv_error *err) RV_MUST_USE;
/* (bound, key) without naming a column twice; returns how many. */
size_t rv_sq_bound_order(const rv_relation *rel, rv_expr bound, rv_expr out[RV_SQ_ORDER_MAX]);
/* The plan of a page in this order under an upper limit of `bound` (its column may be NULL). */
rv_status rv_sq_page_plan(rv_source *s, const rv_relation *rel, rv_expr bound, const rv_expr *order,
                          size_t n_order, rv_arena *arena, rv_sq_plan *out,
                          rv_error *err) RV_MUST_USE;
rv_type rv_sq_table_column_type(const rv_sq_table *t, const char *name);
/* Describes the result columns of a prepared statement. */
rv_status rv_sq_describe(sqlite3_stmt *stmt, rv_arena *arena, rv_sq_relation *r,
                         rv_error *err) RV_MUST_USE;

/* statement.c: SQL text of a relation and the values it binds. */
#define RV_SQ_BINDS_MAX 128
typedef struct rv_sq_text {
    rv_buf sql;
    const rv_datum *binds[RV_SQ_BINDS_MAX];
    size_t n_binds;
} rv_sq_text;
#define RV_SQ_TEXT_INIT ((rv_sq_text){.sql = RV_BUF_INIT})
typedef struct rv_sq_select {
    const char *list;       /* NULL: the relation's */
    const rv_expr *helpers; /* appended to the list */
    size_t n_helpers;
    bool limit;     /* ends with LIMIT ?, bound last */
    bool offset;    /* ends with LIMIT 1 OFFSET ?, bound last */
    bool aggregate; /* no ORDER BY */
    bool bare;      /* without the query's own condition */
} rv_sq_select;
void rv_sq_text_free(rv_sq_text *t);
rv_status rv_sq_text_select(const rv_relation *rel, const rv_page_spec *page,
                            const rv_sq_select *select, rv_sq_text *out, rv_error *err) RV_MUST_USE;
/* An expression as this relation's SQL names it. */
rv_status rv_sq_text_expr(const rv_relation *rel, rv_expr expr, rv_buf *out,
                          rv_error *err) RV_MUST_USE;
/* Binds the values; `number` >= 0 as one more parameter. */
rv_status rv_sq_text_bind(rv_source *s, const rv_sq_text *t, sqlite3_stmt *stmt, int64_t number,
                          rv_error *err) RV_MUST_USE;

/* datum.c */
rv_status rv_sq_datum_bind(sqlite3_stmt *stmt, int index, const rv_datum *d,
                           rv_error *err) RV_MUST_USE;
rv_status rv_sq_datum_read(sqlite3_stmt *stmt, int index, rv_arena *arena, rv_datum *out,
                           rv_error *err) RV_MUST_USE;
#define RV_SQ_REAL_TEXT_SIZE 40
void rv_sq_real_text(double v, char out[RV_SQ_REAL_TEXT_SIZE]); /* shortest that reads back */
bool rv_sq_real_value(rv_str text, double *out);                /* the whole text is a number */
/* µs of a Julian day as SQLite's own date functions read it: to the nearest millisecond. */
bool rv_sq_julian_us(double day, int64_t *out_us);
rv_status rv_sq_instant(rv_source *s, const rv_relation *rel, int64_t us, bool unix_seconds,
                        rv_arena *arena, rv_datum *out, rv_error *err);
rv_status rv_sq_datum_parse(rv_source *s, const rv_relation *rel, rv_str text, rv_arena *arena,
                            rv_datum *out, rv_error *err);
rv_status rv_sq_datum_day(const rv_relation *rel, const rv_datum *d, int64_t *out_days,
                          rv_error *err);

/* scan.c */
typedef struct rv_sq_value { /* one order value, kept beyond the row */
    int storage;             /* 0 = none yet */
    int64_t integer;
    double real;
    rv_buf bytes;
    char number[RV_SQ_REAL_TEXT_SIZE];
} rv_sq_value;

#define RV_SQ_HELPERS_MAX (RV_SQ_ORDER_MAX + RV_KEY_COLUMNS_MAX)
typedef struct rv_sq_helpers { /* expressions selected beside the list, stripped from the rows */
    rv_expr expr[RV_SQ_HELPERS_MAX];
    size_t n;
} rv_sq_helpers;
typedef struct rv_sq_window rv_sq_window;

typedef struct rv_sq_large { /* large.c */
    bool on;                 /* cells above tuning.max_value_mb end the step that meets them */
    rv_arena arena;
    rv_page_spec page; /* a copy in the arena */
    int64_t rowid;     /* of the last row; only where row names are rowids */
} rv_sq_large;

struct rv_scan {
    rv_source *s;
    const rv_relation *rel;
    rv_sq_relation *r;
    rv_sq_statement *statement;
    sqlite3_stmt *stmt;
    sqlite3_value *cell; /* being decoded. Unprotected, which one thread without mutex may read:
                            fetched once, it saves two of three calls per cell */
    uint64_t row_fixed_bytes;
    uint64_t row_bytes; /* of variable values in the row being read */
    rv_page_end end;
    uint64_t limit, cut_bytes;
    int64_t cut_us;
    int64_t cut_at_us;    /* monotonic, of this call of next */
    int64_t statement_us; /* of the running statement, over the calls of next before this one */
    int64_t start_us;     /* monotonic: when this call, or its latest statement, began */
    rv_sq_window *window; /* NULL: the page is never continued in key windows */
    bool (*keep)(void *ctx, rv_builder *builder, bool first_order_changed);
    void *keep_ctx;
    size_t n_order;
    int order_index[RV_SQ_ORDER_MAX];
    sqlite3_value *order_value[RV_SQ_ORDER_MAX]; /* of the row being read */
    rv_sq_value last[RV_SQ_ORDER_MAX];
    rv_datum last_datum[RV_SQ_ORDER_MAX];
    size_t n_ident;
    int ident_index[RV_KEY_COLUMNS_MAX];
    rv_sq_large large;
    uint8_t *nulled; /* one per column: policy turned it to NULL in this row */
    bool done, described;
};

rv_status rv_sq_scan(rv_source *s, const rv_page_spec *page, rv_scan **out, rv_error *err);
rv_status rv_sq_next(rv_scan *scan, rv_builder *builder, bool *out_end, rv_error *err);
void rv_sq_scan_end(const rv_scan *scan, rv_page_end *out);
void rv_sq_scan_close(rv_scan *scan);

/* window.c: a page of a `query:` that met no row in its time goes on in windows of the key, each
 * a short statement, until one of them gives rows. Spec "source-safety" section 14, Rare rows. */
/* NULL in *out when the page is none of those. Copies what it needs of the page. */
rv_status rv_sq_window_open(const rv_page_spec *page, const rv_sq_helpers *helpers,
                            rv_sq_window **out, rv_error *err) RV_MUST_USE;
void rv_sq_window_close(rv_sq_window *w);
bool rv_sq_window_active(const rv_sq_window *w);
/* Ends the statement at hand and starts that of the next window; *out_more false: none is left. */
rv_status rv_sq_window_next(rv_scan *scan, int64_t spent_us, bool *out_more,
                            rv_error *err) RV_MUST_USE;

/* The page that finds the rows of the window at hand; NULL when none is active. */
const rv_page_spec *rv_sq_window_page(const rv_sq_window *w);
/* Which rows, in which order, from where: without limits and callbacks. */
rv_status rv_sq_page_copy(const rv_page_spec *page, rv_arena *arena, rv_page_spec *out,
                          rv_error *err) RV_MUST_USE;

/* large.c: a cell above tuning.max_value_mb is refused before SQLite puts it into memory. Spec
 * "types" section 7. Where it cannot be, the builder refuses it. */
rv_status rv_sq_large_open(rv_scan *scan, const rv_page_spec *page, rv_error *err) RV_MUST_USE;
void rv_sq_large_close(rv_scan *scan);
/* On while the rows of this scan are stepped through; off, other statements read what they want. */
void rv_sq_large_guard(rv_scan *scan, bool on);
/* A step answered SQLITE_TOOBIG: RV_E_VALUE_TOO_LARGE; or RV_OK when no cell of the next row is
 * that large but something computed for it: *out_cut ends the page before that row, else the
 * statement begins anew, unguarded. */
rv_status rv_sq_large_met(rv_scan *scan, bool *out_cut, rv_error *err) RV_MUST_USE;
void rv_sq_large_hint(const rv_sq_relation *r, const char *row, rv_error *err);

/* decode.c */
rv_sq_decode rv_sq_decoder(const rv_sq_column *column);
/* Turns a failed append of this cell into the message of spec "types" section 6. */
rv_status rv_sq_cell_error(rv_scan *scan, const rv_sq_column *column, uint32_t col, rv_status st,
                           rv_error *err);
/* "rowid 812" or "id=812" of the current row. */
void rv_sq_row_name(rv_scan *scan, char *out, size_t size);

/* probe.c */
rv_status rv_sq_bounds(rv_source *s, const rv_relation *rel, rv_expr expr, const rv_pred *preds,
                       size_t n_preds, rv_arena *arena, rv_datum *out_min, rv_datum *out_max,
                       rv_error *err);
rv_status rv_sq_nth(rv_source *s, const rv_page_spec *from, uint64_t n, rv_arena *arena,
                    rv_datum *out, bool *out_found, rv_error *err);
/* As nth, also without the query's own condition. */
rv_status rv_sq_walk(rv_source *s, const rv_page_spec *from, uint64_t n, bool bare, rv_arena *arena,
                     rv_datum *out, bool *out_found, rv_error *err) RV_MUST_USE;
/* `expr`, or function(expr), of the first row of `from`. */
rv_status rv_sq_first(rv_source *s, const rv_page_spec *from, const char *function, rv_expr expr,
                      rv_arena *arena, rv_datum *out, bool *out_found, rv_error *err) RV_MUST_USE;
rv_status rv_sq_count(rv_source *s, const rv_relation *rel, const rv_pred *preds, size_t n_preds,
                      uint64_t *out, rv_error *err);
rv_status rv_sq_cuts(rv_source *s, const rv_relation *rel, size_t want, rv_arena *arena,
                     rv_datum *out, size_t *out_n, rv_error *err);
/* facts.c */
rv_status rv_sq_facts(rv_source *s, const rv_relation *rel, rv_arena *arena, rv_plan_facts *out,
                      rv_error *err);

#endif
