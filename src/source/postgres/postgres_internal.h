/* source/postgres/postgres_internal.h: connection, relation and statements of the PostgreSQL
 * driver, shared by its files. Private to the folder.
 * Source: spec "source-safety" sections 3, 7, 13, 14; "types" section 3; design "sources" 1, 6. */
#ifndef RV_SOURCE_POSTGRES_INTERNAL_H
#define RV_SOURCE_POSTGRES_INTERNAL_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/clock.h"
#include "pg/pg.h"
#include "source/source.h"

#define RV_TARGET "source"
#define RV_PGS_SMALL_BYTES (2 * 1024 * 1024)

typedef struct rv_pgs_window rv_pgs_window; /* window.c: key windows of a selective condition */

struct rv_source {
    const rv_env *env;
    rv_pg *pg;
    rv_arena arena;
    rv_source_info info;
    const char *comment;  /* rivet run_id comment that opens every statement; never NULL */
    const char *settings; /* SET LOCAL list of spec section 3 without row_security and without
                             timeouts: "SET LOCAL transaction_read_only=on; SET LOCAL ...; " */
    int64_t timeout_ms;   /* statement_timeout in effect; 0 none */
    int64_t lock_ms;
    uint64_t max_value_bytes; /* 0 = none */
    bool pooled;              /* transaction or statement pooling: only simple queries */
    bool statement_pool;      /* BEGIN is refused */
    bool snapshot;            /* inside snapshot_begin .. snapshot_end */
    char snapshot_name[64];
    atomic_llong held_session;   /* backend pid that holds a snapshot or cursor now; 0 none */
    const char *checkpoints_sql; /* signal.c's own choice; NULL: none yet */
    bool money_known;
    int money_scale;
    rv_pgs_window *window; /* of the relation being read; NULL none */
};

/* ---- connect.c ---- */

/* What libpq is to be told, in the arena: URL or structured form, then the tls block, which wins.
 * Every password is in env->secrets. RV_E_CONFIG_*, RV_E_SOURCE_TLS (no CA bundle). */
rv_status rv_pgs_params(const rv_env *env, const rv_cfg_source *cfg, rv_arena *arena,
                        const rv_pg_param **out, size_t *out_n, rv_error *err) RV_MUST_USE;

/* ---- conn.c ---- */

/* The text that opens a statement or transaction: comment, settings, row_security unless allowed,
 * timeouts. statement_ms < 0: the source's own; 0: none. Everything by SET LOCAL. */
rv_status rv_pgs_opening(const rv_source *s, bool allow_row_security, int64_t statement_ms,
                         rv_buf *out, rv_error *err) RV_MUST_USE;
/* opening + sql as one simple query; the rows of its last statement as text. */
rv_status rv_pgs_ask(rv_source *s, const char *sql, const char *what, PGresult **out,
                     rv_error *err) RV_MUST_USE;
/* The comment and `sql`, a word about the transaction itself. */
rv_status rv_pgs_say(rv_source *s, const char *sql, const char *what, rv_error *err) RV_MUST_USE;
/* The same as rv_pgs_ask inside an aborting savepoint or on its own when a snapshot is open, so
 * that a failure does not spoil the transaction: for optional catalog queries. */
rv_status rv_pgs_ask_optional(rv_source *s, const char *sql, const char *what, PGresult **out,
                              rv_error *err) RV_MUST_USE;
/* A column of a result as text in the arena, NULL for SQL NULL; as integer, `otherwise` for NULL
 * or what is no number. */
rv_status rv_pgs_text(const PGresult *r, int row, int col, rv_arena *a, const char **out,
                      rv_error *err) RV_MUST_USE;
int64_t rv_pgs_int(const PGresult *r, int row, int col, int64_t otherwise);

/* ---- quoting: the only two doors ---- */
rv_status rv_pgs_quote(const char *ident, rv_buf *out, rv_error *err) RV_MUST_USE;
/* '..' or E'..' literal, UTF-8; never holds NUL. */
rv_status rv_pgs_literal(rv_str text, rv_buf *out, rv_error *err) RV_MUST_USE;

/* ---- relation ---- */

/* How one column of the COPY stream becomes a cell. */
typedef struct rv_pgs_column {
    const char *name;
    uint32_t oid; /* base type (domains resolved) as the stream carries it */
    int32_t typmod;
    uint32_t element;    /* of an array's element type; 0 */
    bool as_text;        /* selected as "col"::text by the outer SELECT */
    int scale;           /* numeric, money */
    rv_type type;        /* canonical, after the override */
    int decoder;         /* decode.c's own index, chosen by rv_pgs_column_bind */
    int element_decoder; /* of a list */
    bool overridden;     /* by exports[].columns */
} rv_pgs_column;

typedef struct rv_pgs_relation {
    /* The statement is: SELECT <list> FROM <from> [WHERE (<condition>LF) AND ...] ORDER BY q.k ..
     * wrapped, when outer_list is set, as SELECT <outer_list> FROM (...) AS _rivet. */
    const char *list;       /* quoted columns of a table, or the query's own list */
    const char *from;       /* "public"."orders", [ONLY], or the query's own name and alias */
    const char *qualifier;  /* what qualifies key and bound columns there */
    const char *condition;  /* the query's own, or NULL */
    const char *outer_list; /* with ::text casts; NULL: none is needed */
    const char *whole;      /* query sent unchanged as one statement (cursor); NULL: spliced */
    const char *query;      /* as the configuration writes it; NULL: `table:` */
    bool wrapped;           /* from is "(query LF) AS _rivet" */
    bool windows_first;     /* spliced: no index serves the condition, so that a plain page would
                               scan the table; its first page is a key window already */
    bool presorted;         /* pages by the bound sort what is equal in it: many equal rows make
                               one statement long */
    uint32_t base_oid;      /* pg_class oid of the one base table; 0 unknown */
    char relkind;
    int64_t pages; /* relpages of the heap for ranges, from pg_relation_size */
    bool allow_row_security;
    rv_pgs_column *columns; /* in stream order = rel->schema order */
    size_t n_columns;
    const char *fingerprint;            /* what recheck compares: names, oids, typmods */
    int key_column[RV_KEY_COLUMNS_MAX]; /* place of each key column in the stream; -1 not in it */
    int bound_column;                   /* likewise */
    uint32_t key_oid[RV_KEY_COLUMNS_MAX];
    uint32_t bound_oid;
    uint32_t fallback_oid;
    rv_utf8_policy on_invalid_utf8;
    bool override_error_null;
} rv_pgs_relation;

/* ---- statement.c: SQL of a page, used by scan, nth, count, bounds ---- */

/* The SELECT of a page without COPY and without settings. `limit` 0: none. */
rv_status rv_pgs_select(const rv_page_spec *page, uint64_t limit, rv_buf *out,
                        rv_error *err) RV_MUST_USE;
/* "WHERE ..." of condition, predicates and position; nothing when there is none. */
rv_status rv_pgs_where(const rv_page_spec *page, rv_buf *out, rv_error *err) RV_MUST_USE;
/* q."column" or COALESCE(q."c", q."f"). */
rv_status rv_pgs_expr(const rv_pgs_relation *r, const rv_expr *e, rv_buf *out,
                      rv_error *err) RV_MUST_USE;
/* A datum as a literal that the server types itself: digits, 'text'::uuid ... by kind and oid. */
rv_status rv_pgs_datum(const rv_datum *d, uint32_t oid, rv_buf *out, rv_error *err) RV_MUST_USE;

/* ---- types.c, decode.c: one mapping for batch and (later) CDC ---- */

/* Canonical natural type of a base type oid and modifier, and how the stream must carry it.
 * RV_OK with *out_supported false: no lossless type (the caller collects these). */
typedef struct rv_pgs_type_facts { /* of pg_type, domains already resolved to their base */
    uint32_t oid;
    int32_t typmod;
    char typtype;     /* b c d e m p r */
    char typcategory; /* A = array ... */
    uint32_t element; /* typelem of arrays */
    char element_typtype;
    const char *name;    /* typname, "geometry" */
    const char *display; /* format_type: source label, "numeric(12,2)" */
} rv_pgs_type_facts;
rv_status rv_pgs_column_bind(rv_source *s, const rv_pgs_type_facts *facts, const char *name,
                             const rv_cfg_column *override_, rv_arena *arena,
                             rv_pgs_column *out_column, rv_column *out_schema, bool *out_supported,
                             rv_error *err) RV_MUST_USE;
/* Appends one field (n < 0: NULL) to builder column `col`. */
rv_status rv_pgs_decode(const rv_pgs_relation *r, uint32_t col, const char *data, int32_t n,
                        rv_builder *b, rv_error *err) RV_MUST_USE;
/* The wire form of a key or bound column as datum text (full precision), in the buffer. */
rv_status rv_pgs_wire_text(uint32_t oid, const char *data, int32_t n, rv_buf *out,
                           rv_error *err) RV_MUST_USE;
rv_kind
rv_pgs_wire_kind(uint32_t oid); /* kind of a key or bound datum; RV_KIND_NONE-like: see .c */
bool rv_pgs_key_type(uint32_t oid, char typtype); /* may page: int, decimal, text, uuid, date, ts */
/* The type of COALESCE(a, b); 0: none that Rivet can read as a bound. */
uint32_t rv_pgs_common_oid(uint32_t a, uint32_t b);

/* ---- window.c ---- */
void rv_pgs_window_free(rv_pgs_window *w); /* by rv_pgs_close */

/* ---- driver members, one file each; prototypes follow the vtable ---- */
rv_status rv_pgs_open(const rv_env *env, const rv_source_opts *opts, rv_source **out,
                      rv_error *err);
void rv_pgs_close(rv_source *s);
rv_status rv_pgs_snapshot_begin(rv_source *const *s, size_t n, rv_error *err);
rv_status rv_pgs_snapshot_end(rv_source *s, rv_error *err);
rv_status rv_pgs_signal(rv_source *s, rv_signal which, int64_t *out, rv_error *err);
rv_status rv_pgs_counters(rv_source *s, rv_arena *arena, rv_counter **out, size_t *out_n,
                          rv_error *err);
int64_t rv_pgs_session(rv_source *s);
rv_status rv_pgs_waiter(rv_source *s, int64_t session, rv_arena *arena, const char **out_waiter,
                        rv_error *err);
rv_status rv_pgs_now(rv_source *s, int64_t *out_us, rv_error *err);
rv_status rv_pgs_resolve(rv_source *s, const rv_read_spec *spec, rv_arena *arena, rv_relation **out,
                         rv_error *err);
rv_status rv_pgs_recheck(rv_source *s, const rv_relation *rel, rv_error *err);
rv_status rv_pgs_scan(rv_source *s, const rv_page_spec *page, rv_scan **out, rv_error *err);
rv_status rv_pgs_next(rv_scan *scan, rv_builder *builder, bool *out_end, rv_error *err);
void rv_pgs_scan_end(const rv_scan *scan, rv_page_end *out);
void rv_pgs_scan_close(rv_scan *scan);
rv_status rv_pgs_bounds(rv_source *s, const rv_relation *rel, rv_expr expr, const rv_pred *preds,
                        size_t n_preds, rv_arena *arena, rv_datum *out_min, rv_datum *out_max,
                        rv_error *err);
rv_status rv_pgs_nth(rv_source *s, const rv_page_spec *from, uint64_t n, rv_arena *arena,
                     rv_datum *out, bool *out_found, rv_error *err);
rv_status rv_pgs_count(rv_source *s, const rv_relation *rel, const rv_pred *preds, size_t n_preds,
                       uint64_t *out, rv_error *err);
rv_status rv_pgs_cuts(rv_source *s, const rv_relation *rel, size_t want, rv_arena *arena,
                      rv_datum *out, size_t *out_n, rv_error *err);
rv_status rv_pgs_instant(rv_source *s, const rv_relation *rel, int64_t us, bool unix_seconds,
                         rv_arena *arena, rv_datum *out, rv_error *err);
rv_status rv_pgs_datum_parse(rv_source *s, const rv_relation *rel, rv_str text, rv_arena *arena,
                             rv_datum *out, rv_error *err);
rv_status rv_pgs_datum_day(const rv_relation *rel, const rv_datum *d, int64_t *out_days,
                           rv_error *err);
rv_status rv_pgs_facts(rv_source *s, const rv_relation *rel, rv_arena *arena, rv_plan_facts *out,
                       rv_error *err);
rv_status rv_pgs_catalog(rv_source *s, const char *schema, const char *table, rv_arena *arena,
                         rv_catalog_table **out, size_t *out_n, rv_error *err);

#endif
