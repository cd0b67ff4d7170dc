/* source/mysql/mysql_internal.h: connection, relation and columns of the MySQL and MariaDB driver,
 * shared by its files. Private to the folder.
 * Source: spec "source-safety" sections 4, 7, 13, 14; "types" section 4; design "sources" 2, 6. */
#ifndef RV_SOURCE_MYSQL_INTERNAL_H
#define RV_SOURCE_MYSQL_INTERNAL_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/clock.h"
#include "mysql/conn.h"
#include "source/source.h"

#define RV_TARGET "source"
#define RV_MYS_SMALL_BYTES (2 * 1024 * 1024)

typedef struct rv_mys_window rv_mys_window;     /* window.c: key windows of a selective condition */
typedef struct rv_mys_prepared rv_mys_prepared; /* scan.c: the page statement kept prepared */

typedef enum rv_mys_proxy {
    RV_MYS_DIRECT,
    RV_MYS_PROXYSQL,
    RV_MYS_MULTIPLEXED,
    RV_MYS_MAXSCALE
} rv_mys_proxy;

struct rv_source {
    const rv_env *env;
    rv_my *my;
    rv_arena arena;
    rv_source_info info;
    const char *comment; /* rivet run_id comment that opens every statement; never NULL */
    bool mariadb;
    rv_mys_proxy proxy;
    bool in_transaction_only; /* proxysql, multiplexed: settings hold only between START
                                 TRANSACTION and COMMIT */
    const char *settings;     /* the SET list of in_transaction_only, NULL otherwise */
    bool in_page;             /* between rv_mys_page_begin and _end */
    bool raw_results;         /* character_set_results is NULL now: text comes as it is stored */
    rv_buf restore;           /* what gives such a backend its settings back; len 0: nothing */
    int64_t timeout_ms;       /* statement limit in effect; 0 none */
    int64_t lock_s;           /* lock limit in effect; 0 none */
    uint64_t max_value_bytes; /* 0 = none */
    bool snapshot;            /* inside snapshot_begin .. snapshot_end */
    bool ansi_quotes;         /* of the session: "x" is an identifier in the user's SQL */
    int lower_case_table_names;
    atomic_llong held_session; /* connection id that holds a snapshot or streams now; 0 none */
    rv_mys_window *window;     /* of the relation being read; NULL none */
    rv_mys_prepared *prepared; /* NULL none */
    const char *warned_table;  /* whose engine is not transactional: said once; NULL none */
};

/* ---- session.c: what every statement of the driver goes through ---- */

/* comment + sql, its answer kept. Behind a multiplexing proxy inside START TRANSACTION READ ONLY,
 * settings, zone check .. COMMIT. deadline as timeout_ms says. */
rv_status rv_mys_ask(rv_source *s, const char *sql, const char *what, MYSQL_RES **out,
                     rv_error *err) RV_MUST_USE;
/* Opens and ends the wrapping of one page behind a multiplexing proxy; nothing otherwise. A zone
 * that is not +00:00 inside it: RV_E_SOURCE_SESSION or the nearest code there is. */
rv_status rv_mys_page_begin(rv_source *s, const char *what, rv_error *err) RV_MUST_USE;
rv_status rv_mys_page_end(rv_source *s, const char *what, rv_error *err) RV_MUST_USE;
/* Appends the per-statement limit: "SET STATEMENT max_statement_time=1.5 FOR " before SELECT on
 * MariaDB, nothing on MySQL, where rv_mys_limit_hint gives a hint to follow SELECT. 0: none. */
rv_status rv_mys_limit_prefix(const rv_source *s, int64_t ms, rv_buf *out,
                              rv_error *err) RV_MUST_USE;
rv_status rv_mys_limit_hint(const rv_source *s, int64_t ms, rv_buf *out, rv_error *err) RV_MUST_USE;
/* A column of a kept row as text in the arena, NULL for SQL NULL; as integer. */
rv_status rv_mys_text(MYSQL_ROW row, const unsigned long *lengths, unsigned col, rv_arena *a,
                      const char **out, rv_error *err) RV_MUST_USE;
int64_t rv_mys_int(MYSQL_ROW row, unsigned col, int64_t otherwise);

/* ---- columns and relation ---- */

typedef struct rv_mys_field { /* of a result description, copied; types.c's input */
    const char *name;
    const char *db, *org_table, *org_name; /* "" = an expression */
    enum enum_field_types type;
    unsigned flags, charset, decimals;
    unsigned long length;
    bool json, uuid, inet; /* MariaDB's extended field attributes, or the json_valid check */
    const char *declared;  /* catalog's COLUMN_TYPE ("tinyint(1)", "enum('a')"); NULL: unknown */
} rv_mys_field;

/* How one column of a row becomes a cell. */
typedef struct rv_mys_column {
    const char *name;
    rv_mys_field field;
    rv_type type;        /* canonical, after the override */
    int decoder;         /* decode.c's own index, chosen by rv_mys_column_bind */
    bool overridden;     /* by exports[].columns */
    bool text;           /* the decoder reads the text protocol; else the binary one */
    bool zero_date_fail; /* the relation's, put here by the scan */
} rv_mys_column;

typedef struct rv_mys_key_column { /* how a bound value travels */
    rv_mys_field field;
    const char *charset, *collation; /* of text columns: bound as _charset x'..' COLLATE collation
                                        and read back through CAST(k AS BINARY); NULL otherwise */
    int place;                       /* in the row; -1: not in it */
} rv_mys_key_column;

typedef struct rv_mys_relation {
    /* SELECT <list> FROM <from> [FORCE INDEX (key)] [WHERE (<condition>LF) AND ...] ORDER BY q.k */
    const char *list;      /* quoted columns of a table, or the query's own list */
    const char *from;      /* `shop`.`orders`, or the query's own name and alias */
    const char *qualifier; /* what qualifies key and bound columns there */
    const char *condition; /* the query's own, or NULL */
    const char *force;     /* " FORCE INDEX (`PRIMARY`)", or "" */
    const char *whole;     /* query sent unchanged as one statement; NULL: spliced */
    const char *query;     /* as the configuration writes it; NULL: `table:` */
    bool wrapped;          /* from is "(query LF) AS _rivet" */
    bool text_protocol;    /* measured faster for string-heavy rows */
    bool presorted;        /* pages by the bound sort what is equal in it */
    bool raw_text;         /* stored as UTF-8 throughout, some of it utf8mb3: read as it is */
    bool transactional;    /* InnoDB and its like; false: one WARN */
    rv_mys_column *columns;
    size_t n_columns;
    const char *fingerprint; /* what recheck compares */
    int64_t bytes;           /* on disk by the catalog's estimate; -1 unknown */
    rv_mys_key_column key[RV_KEY_COLUMNS_MAX];
    /* With a fallback, `bound` tells of COALESCE(bound, fallback) as the server types it, place -1;
     * `fallback` of the second column alone. field.name NULL: none. */
    rv_mys_key_column bound, fallback;
    /* One per result column: predicates may name any of them (settle.column), and pages of the
     * bound may be ordered by one after COALESCE. */
    rv_mys_key_column *values;
    rv_utf8_policy on_invalid_utf8;
    bool override_error_null;
    bool zero_date_fail;
} rv_mys_relation;

/* ---- types.c: one mapping for batch and (later) CDC ---- */

void rv_mys_field_of(const MYSQL_FIELD *f, rv_mys_field *out); /* texts borrowed from f */
/* Canonical natural type; *out_supported false: no lossless type (the caller collects these). */
void rv_mys_natural(const rv_mys_field *f, rv_type *out, bool *out_supported);
/* Applies the override to the natural type and picks the decoder: c->field, c->type and
 * c->overridden are set before. A pair without a decoder: RV_E_CONFIG_COLUMNS or the code that
 * column/override.h gives. */
rv_status rv_mys_column_bind(rv_mys_column *c, bool text_protocol, rv_error *err) RV_MUST_USE;
/* For relation->text_protocol, asked before columns are bound: is this result read faster, and
 * exactly, by the text protocol? */
bool rv_mys_text_faster(const rv_mys_field *fields, size_t n);
/* Native label of the type report: "tinyint unsigned", "decimal(12,2)", "varchar(60)"; the
 * catalog's own words where only they tell (f->declared). In the arena. */
rv_status rv_mys_label(const rv_mys_field *f, rv_arena *arena, const char **out,
                       rv_error *err) RV_MUST_USE;
/* Fidelity class of the natural mapping (spec "types" section 9). */
rv_fidelity rv_mys_fidelity(const rv_mys_field *f, rv_type natural);
/* Wire kind under which a key or bound value of this column is stored: INT64, UINT64, FLOAT64 (as
 * the double it widens to), DECIMAL, DATE, TIMESTAMP, TIMESTAMP_TZ (texts as column/temporal.h
 * writes them, also of zero dates), TIME, STRING (uuid, inet), BINARY (hex; text keys and binary
 * strings); RV_KIND_COUNT: cannot be one. And whether it may be paged by. */
rv_kind rv_mys_wire_kind(const rv_mys_field *f);
bool rv_mys_may_page(const rv_mys_field *f);

/* ---- statement.c: SQL of a page, used by scan, nth, count, bounds ---- */

typedef struct rv_mys_select_opts {
    uint64_t limit;    /* 0: none; written into the text */
    const char *extra; /* one more condition, ANDed; NULL: none */
    int64_t limit_ms;  /* statement limit; 0: none */
} rv_mys_select_opts;
rv_status rv_mys_select(const rv_source *s, const rv_page_spec *page,
                        const rv_mys_select_opts *opts, rv_buf *out, rv_error *err) RV_MUST_USE;
/* "WHERE ..." of condition, predicates and position; nothing when there is none. */
rv_status rv_mys_where(const rv_page_spec *page, rv_buf *out, rv_error *err) RV_MUST_USE;
/* q.`column` or COALESCE(q.`c`, q.`f`). */
rv_status rv_mys_expr(const rv_mys_relation *r, const rv_expr *e, rv_buf *out,
                      rv_error *err) RV_MUST_USE;
/* How that expression is read back in its wire form: CAST(k AS BINARY) for text. */
rv_status rv_mys_expr_wire(const rv_mys_relation *r, const rv_expr *e, rv_buf *out,
                           rv_error *err) RV_MUST_USE;
/* A value as a literal that keeps its column's type, character set and collation. */
rv_status rv_mys_datum(const rv_datum *d, const rv_mys_key_column *c, rv_buf *out,
                       rv_error *err) RV_MUST_USE;
/* The column facts of an expression: bound, fallback or a key column. */
const rv_mys_key_column *rv_mys_expr_column(const rv_relation *rel, const rv_expr *e);
/* A wire value of a text-protocol answer as a datum of that column, in the arena. */
rv_status rv_mys_wire_datum(const rv_mys_key_column *c, const char *value, unsigned long len,
                            rv_arena *arena, rv_datum *out, rv_error *err) RV_MUST_USE;

/* ---- what scans leave with the source; for rv_mys_close. NULL fields are fine ---- */

void rv_mys_prepared_free(rv_source *s);
void rv_mys_window_free(rv_mys_window *w);

/* ---- bounds.c: single values ---- */

/* The n-th (from 1) row of the page's order, n_order values in their wire form; `bare`: without
 * the query's own condition (key windows). */
rv_status rv_mys_walk(rv_source *s, const rv_page_spec *from, uint64_t n, bool bare,
                      rv_arena *arena, rv_datum *out, bool *out_found, rv_error *err) RV_MUST_USE;

/* ---- driver members, one file each; prototypes follow the vtable ---- */
rv_status rv_mys_open(const rv_env *env, const rv_source_opts *opts, rv_source **out,
                      rv_error *err);
void rv_mys_close(rv_source *s);
rv_status rv_mys_snapshot_begin(rv_source *const *s, size_t n, rv_error *err);
rv_status rv_mys_snapshot_end(rv_source *s, rv_error *err);
rv_status rv_mys_signal(rv_source *s, rv_signal which, int64_t *out, rv_error *err);
rv_status rv_mys_counters(rv_source *s, rv_arena *arena, rv_counter **out, size_t *out_n,
                          rv_error *err);
int64_t rv_mys_session(rv_source *s);
rv_status rv_mys_waiter(rv_source *s, int64_t session, rv_arena *arena, const char **out_waiter,
                        rv_error *err);
rv_status rv_mys_now(rv_source *s, int64_t *out_us, rv_error *err);
rv_status rv_mys_resolve(rv_source *s, const rv_read_spec *spec, rv_arena *arena, rv_relation **out,
                         rv_error *err);
rv_status rv_mys_recheck(rv_source *s, const rv_relation *rel, rv_error *err);
/* Of a statement that failed for good and is over: was the relation altered since it was resolved?
 * Then RV_E_SOURCE_CHANGED, naming the column, takes the error's place. */
rv_status rv_mys_blame_change(rv_source *s, const rv_relation *rel, rv_status st, rv_error *err);
rv_status rv_mys_scan(rv_source *s, const rv_page_spec *page, rv_scan **out, rv_error *err);
rv_status rv_mys_next(rv_scan *scan, rv_builder *builder, bool *out_end, rv_error *err);
void rv_mys_scan_end(const rv_scan *scan, rv_page_end *out);
void rv_mys_scan_close(rv_scan *scan);
rv_status rv_mys_bounds(rv_source *s, const rv_relation *rel, rv_expr expr, const rv_pred *preds,
                        size_t n_preds, rv_arena *arena, rv_datum *out_min, rv_datum *out_max,
                        rv_error *err);
rv_status rv_mys_nth(rv_source *s, const rv_page_spec *from, uint64_t n, rv_arena *arena,
                     rv_datum *out, bool *out_found, rv_error *err);
rv_status rv_mys_count(rv_source *s, const rv_relation *rel, const rv_pred *preds, size_t n_preds,
                       uint64_t *out, rv_error *err);
rv_status rv_mys_cuts(rv_source *s, const rv_relation *rel, size_t want, rv_arena *arena,
                      rv_datum *out, size_t *out_n, rv_error *err);
rv_status rv_mys_instant(rv_source *s, const rv_relation *rel, int64_t us, bool unix_seconds,
                         rv_arena *arena, rv_datum *out, rv_error *err);
rv_status rv_mys_datum_parse(rv_source *s, const rv_relation *rel, rv_str text, rv_arena *arena,
                             rv_datum *out, rv_error *err);
rv_status rv_mys_datum_day(const rv_relation *rel, const rv_datum *d, int64_t *out_days,
                           rv_error *err);
rv_status rv_mys_facts(rv_source *s, const rv_relation *rel, rv_arena *arena, rv_plan_facts *out,
                       rv_error *err);
rv_status rv_mys_catalog(rv_source *s, const char *schema, const char *table, rv_arena *arena,
                         rv_catalog_table **out, size_t *out_n, rv_error *err);

#endif
