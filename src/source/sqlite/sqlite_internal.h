/* source/sqlite/sqlite_internal.h: connection, catalog and types of the SQLite driver.
 * Source: spec "source-safety" sections 6, 13, 14; "types" section 6; design "sources" section 4.
 */
#ifndef RV_SOURCE_SQLITE_INTERNAL_H
#define RV_SOURCE_SQLITE_INTERNAL_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/clock.h"
#include "source/source.h"

#define RV_TARGET "source"
#define RV_SQ_STATEMENTS 16
#define RV_SQ_NEVER INT64_MAX
#define RV_SQ_SAMPLE_ROWS 1000
#define RV_SQ_SMALL_BYTES (2 * 1024 * 1024)

typedef enum rv_sq_stop { RV_SQ_RUN, RV_SQ_TIMEOUT, RV_SQ_CUT } rv_sq_stop;

typedef struct rv_sq_statement { /* one cached statement */
    char *sql;
    sqlite3_stmt *stmt;
    uint64_t used; /* tick of the last use */
    bool busy;
} rv_sq_statement;

struct rv_source {
    const rv_env *env;
    sqlite3 *db;
    rv_arena arena;
    rv_source_info info;
    const char *path;         /* absolute */
    const char *comment;      /* opens every statement */
    int64_t timeout_us;       /* 0 = none */
    int64_t lock_us;          /* 0 = none */
    uint64_t max_value_bytes; /* 0 = none */
    bool utf16;               /* the file keeps text in UTF-16: its lengths are not ours */
    atomic_bool cancelled;
    int64_t deadline_us; /* monotonic; RV_SQ_NEVER */
    int64_t cut_at_us;
    int64_t lock_since_us;
    rv_sq_stop stop; /* why the progress handler ended the statement */
    rv_sq_statement statements[RV_SQ_STATEMENTS];
    uint64_t tick;
};

/* conn.c */
rv_status rv_sq_open(const rv_env *env, const rv_source_opts *opts, rv_source **out, rv_error *err);
void rv_sq_close(rv_source *s);
/* Starts the clock of one statement: its limit is what remains after `spent_us`. */
void rv_sq_arm(rv_source *s, int64_t spent_us);
void rv_sq_disarm(rv_source *s);
/* The error of a failed call with its retry class. `what` is a gerund: "reading table 't'". */
rv_status rv_sq_fail(rv_source *s, int rc, const char *what, rv_error *err);
/* Prepares `sql` (without comment; it is added). The caller finalises. */
rv_status rv_sq_prepare(rv_source *s, const char *sql, const char *what, sqlite3_stmt **out,
                        rv_error *err) RV_MUST_USE;
/* From the cache; rv_sq_release resets it and gives it back. */
rv_status rv_sq_acquire(rv_source *s, const char *sql, const char *what, rv_sq_statement **out,
                        rv_error *err) RV_MUST_USE;
void rv_sq_release(rv_source *s, rv_sq_statement *st);
rv_status rv_sq_step(rv_source *s, sqlite3_stmt *stmt, const char *what, bool *out_row,
                     rv_error *err) RV_MUST_USE;
/* RV_OK unless the source was interrupted. */
rv_status rv_sq_check(rv_source *s, rv_error *err) RV_MUST_USE;
/* "EXPLAIN QUERY PLAN" of a statement without its comment: one line per node, "depth text". */
typedef struct rv_sq_plan {
    const char **lines;
    size_t n;
} rv_sq_plan;
rv_status rv_sq_explain(rv_source *s, const char *sql, rv_arena *arena, rv_sq_plan *out,
                        rv_error *err) RV_MUST_USE;
/* Prepared statements trust the schema read last: a step makes this connection look again. */
rv_status rv_sq_refresh(rv_source *s, rv_error *err) RV_MUST_USE;
/* Is the text behind the first statement more than blanks and comments? */
rv_status rv_sq_prepare_first(rv_source *s, const char *sql, const char *what, sqlite3_stmt **out,
                              bool *out_more, rv_error *err) RV_MUST_USE;

/* catalog.c */
typedef struct rv_sq_table_column {
    const char *name;
    const char *decl; /* "" = none */
    const char *collation;
    bool not_null; /* also of a WITHOUT ROWID key and of the rowid alias */
    unsigned pk;   /* 1-based place in the primary key, 0 none */
} rv_sq_table_column;

typedef struct rv_sq_key { /* a unique, full index on plain NOT NULL columns */
    const char *name;
    const char *index; /* as plans call it; NULL for the rowid */
    const char *columns[RV_KEY_COLUMNS_MAX];
    size_t n;
    bool primary;
    bool rowid; /* the rowid under whatever name */
} rv_sq_key;

typedef struct rv_sq_table {
    const char *name;
    bool view, is_virtual, without_rowid;
    const char
        *rowid; /* a name that means the rowid: its alias column, rowid, _rowid_, oid; or NULL */
    const char *alias;           /* the INTEGER PRIMARY KEY column, or NULL */
    rv_sq_table_column *columns; /* visible ones */
    size_t n_columns;
    rv_sq_key *keys; /* candidates: primary, then by index name; the rowid has its own place */
    size_t n_keys;
} rv_sq_table;

/* `fold`: ASCII case does not matter when no exact match exists. NULL in *out: no such table. */
rv_status rv_sq_table_load(rv_source *s, const char *name, bool fold, rv_arena *arena,
                           rv_sq_table **out, rv_error *err) RV_MUST_USE;
const rv_sq_table_column *rv_sq_table_column_find(const rv_sq_table *t, const char *name);
/* Names of all tables and views, sorted. */
rv_status rv_sq_names(rv_source *s, rv_arena *arena, const char ***out, size_t *out_n,
                      rv_error *err) RV_MUST_USE;
rv_status rv_sq_catalog(rv_source *s, const char *schema, const char *table, rv_arena *arena,
                        rv_catalog_table **out, size_t *out_n, rv_error *err);
/* sqlite_stat1, else the largest rowid, else -1; bytes per row from the first pages, else -1. */
rv_status rv_sq_estimate(rv_source *s, const rv_sq_table *t, int64_t *out_rows,
                         int64_t *out_row_bytes, rv_error *err) RV_MUST_USE;
/* At most 2 MiB of pages; false when the library cannot tell. */
rv_status rv_sq_small(rv_source *s, const rv_sq_table *t, bool *out, rv_error *err) RV_MUST_USE;

/* types.c */
/* The canonical type of a declared type; false: to be found by sampling. */
bool rv_sq_declared(const char *decl, rv_type *out);
/* RV_E_CONFIG_COLUMN_TYPE when no storage class of the column could ever become `target`. */
rv_status rv_sq_override_check(const char *column, const char *decl, rv_type natural,
                               rv_type target, rv_error *err) RV_MUST_USE;
typedef struct rv_sq_sample { /* storage classes seen in one column */
    bool integer, real, text, blob;
} rv_sq_sample;
void rv_sq_sample_add(rv_sq_sample *s, int storage);
rv_type rv_sq_sample_type(const rv_sq_sample *s);
/* May a column of this type page? Integer, decimal, string, uuid, date or timestamp. */
bool rv_sq_key_type(rv_type t);
const char *rv_sq_storage_name(int storage); /* INTEGER REAL TEXT BLOB NULL */

#endif
