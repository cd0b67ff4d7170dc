/* source/source.h: the contract of a database engine. The engine room thinks in relations, keys,
 * predicates and pages; a driver turns them into its own SQL, decodes the answer straight into a
 * builder and says honestly what went wrong. Order and comparison are always the server's.
 * Threads: a rv_source belongs to one thread at a time; only interrupt may come from another.
 * Source: spec "source-safety", "lifecycle" sections 7 and 8, design "sources". */
#ifndef RV_SOURCE_SOURCE_H
#define RV_SOURCE_SOURCE_H

#include "base/env.h"
#include "column/builder.h"
#include "config/config.h"

/* A key, bound or cursor value in the column's own wire form. Never compared by Rivet.
 * Stored in state as text plus rv_type_name of the kind. */
typedef struct rv_datum {
    bool null;
    rv_kind kind; /* how the driver binds it: INT64, FLOAT64, STRING, BINARY (text = hex), ... */
    rv_str text;  /* full source precision */
} rv_datum;

/* A column, or COALESCE(column, fallback). */
typedef struct rv_expr {
    const char *column;
    const char *fallback; /* NULL: plain column */
} rv_expr;

typedef enum rv_op { RV_LT, RV_LE, RV_GE, RV_GT, RV_EQ, RV_IS_NULL, RV_NOT_NULL } rv_op;
typedef struct rv_pred { /* all predicates of a statement are joined by AND */
    rv_expr expr;
    rv_op op;
    rv_datum value; /* unused with IS_NULL and NOT_NULL */
} rv_pred;

/* A usable key (spec "source-safety" section 13). */
#define RV_KEY_COLUMNS_MAX 16
typedef struct rv_key {
    const char *name; /* index or constraint, "rowid" for SQLite's own */
    const char *columns[RV_KEY_COLUMNS_MAX];
    rv_kind kinds[RV_KEY_COLUMNS_MAX]; /* wire kinds */
    size_t n_columns;                  /* 0 = no usable key */
} rv_key;

typedef enum rv_shape {
    RV_SHAPE_PAGES,
    RV_SHAPE_RANGES, /* pages by the engine's physical address (PostgreSQL: ctid), which is then the
                        relation's key; right only inside a snapshot */
    RV_SHAPE_CURSOR,
    RV_SHAPE_STATEMENT
} rv_shape;
const char *rv_shape_name(rv_shape s); /* pages ranges cursor statement */

/* What is to be read, as the configuration says it. */
typedef struct rv_read_spec {
    const char *table; /* exactly one of table and query */
    const char *query;
    rv_mode mode;
    rv_expr bound;          /* cursor, chunk or time column; column NULL: none */
    const char *key_column; /* chunk_by_key: must be a usable key (RV_E_CONFIG_KEY_UNUSABLE) */
    const char *const *stored_key; /* key columns chosen by an earlier run; reuse them */
    size_t n_stored_key;
    rv_consistency consistency;
    const rv_cfg_column *overrides;
    size_t n_overrides;
    rv_utf8_policy on_invalid_utf8;
    bool override_error_null;
    bool allow_row_security;
    bool zero_date_fail;
    bool keep_unsupported; /* columns without a lossless type are described, not refused: nothing
                              will be read */
} rv_read_spec;

/* A relation resolved against the live catalog. Lives in the arena given to `resolve`; usable
 * with every rv_source opened on the same database by the same driver. */
typedef struct rv_relation {
    rv_schema *schema;       /* result columns after overrides; no meta, no helper columns */
    const char *engine;      /* "sqlite" */
    const char *base_schema; /* NULL when unknown or none */
    const char *base_table;  /* the one base table read, when known */
    rv_key key;              /* paging key; n_columns 0: none */
    rv_shape shape;
    const char *shape_reason; /* "GROUP at 1:58", "small table", "" */
    bool small;               /* small table: one statement without LIMIT, no WARN */
    bool wrapped;             /* SELECT * FROM (query) AS _rivet ... */
    bool ordered_by_bound;    /* pages by (bound, key) are served by an index */
    bool bound_indexed;       /* the bound column leads an index */
    bool bound_not_null;      /* the catalog proves it */
    rv_kind bound_kind;       /* wire kind of the bound column */
    rv_type bound_type;       /* canonical natural type of it */
    bool is_primary;          /* key is the primary key */
    int64_t row_estimate;     /* -1 unknown */
    int64_t row_bytes;        /* average, -1 unknown */
    void *driver;             /* the driver's, in the arena */
} rv_relation;

typedef struct rv_page_end {
    uint64_t rows;        /* received, dropped ones included */
    uint64_t bytes;       /* of values received */
    int64_t elapsed_us;   /* send to last row, without waits for the builder */
    bool cut;             /* ended by cut_bytes or cut_us: more may follow. With no row and no
                             `last` nothing was gained: the same position with a smaller limit */
    bool limited;         /* ended by limit or by a window of its own: more may follow */
    const rv_datum *last; /* n_order values to go on after: of the last row (also when dropped), or
                             of an empty window's end; NULL: no progress. Valid until the scan is
                             closed */
} rv_page_end;

/* One statement: rows that meet the predicates, in key order, after a position. */
typedef struct rv_page_spec {
    const rv_relation *relation;
    const rv_pred *preds;
    size_t n_preds;
    const rv_expr *order; /* empty: unordered (streamed statement) */
    size_t n_order;
    const rv_datum *after; /* n_order values, strictly after; NULL: from the start */
    const rv_datum *until; /* key windows: n_order values, up to and including; NULL: none */
    uint64_t limit;        /* rows; 0 = none */
    uint64_t cut_bytes;    /* stop cleanly past this many row bytes; 0 = never */
    int64_t cut_us;        /* likewise past this time; 0 = never */
    /* Called with each complete row before it is folded. False drops the row. NULL: keep all. */
    bool (*keep)(void *ctx, rv_builder *builder, bool first_order_changed);
    void *keep_ctx;
    /* A scan made of several statements (the FETCHes of a server cursor) reports each one here,
     * on the reading thread, between statements: `piece` as scan_end would tell it (last is NULL),
     * *io_rows what the next one would ask for; the callee may lower it, and may sleep for at most
     * idle_us (0: no bound). A failure ends the scan. NULL: nobody listens. */
    rv_status (*between)(void *ctx, const rv_page_end *piece, int64_t idle_us, uint64_t *io_rows,
                         rv_error *err);
    void *between_ctx;
    uint64_t fetch_rows; /* what the first of such statements may ask for; 0 = the driver's own */
} rv_page_spec;

typedef struct rv_source rv_source;
typedef struct rv_scan rv_scan;

typedef enum rv_signal {
    RV_SIGNAL_BATCH,   /* tuning.adaptive: batch sizes (spec "source-safety" section 8) */
    RV_SIGNAL_PRESSURE /* the governor: a counter read-only work cannot raise (section 10) */
} rv_signal;

typedef struct rv_counter { /* of the server, for export_harm */
    const char *name;       /* "checkpoints_req" */
    int64_t value;
} rv_counter;

typedef struct rv_source_opts {
    const rv_cfg_source *cfg;
    const rv_cfg_tuning *tuning;
    const char *export_name; /* for names on the server; may be NULL */
    const char *run_id;
} rv_source_opts;

typedef struct rv_source_info {
    const char *identity;  /* server identity fact, or host:port; sqlite: absolute path */
    const char *host_port; /* as connected to, "db.example:5432"; NULL: unknown or none. The name
                              under which a failover may answer with another identity */
    const char *database;
    const char *version;
    const char *connection; /* direct, transaction-pooler, proxysql ... */
    bool loopback;
    bool single_backend_warning; /* a pool of one backend defeats the comparison */
    bool cannot_cut;             /* a pooler or proxy is between: no pacing cancels; a page whose
                                    cut_us passes ends by the server's own limit instead */
    const char *tls;             /* "TLSv1.3", "off"; NULL: not applicable */
} rv_source_info;

/* What `check` and `init` ask of a relation; see spec "source-safety" section 11, "cli" section 5.
 */
typedef struct rv_plan_facts {
    const char *scan_text;    /* "Scan type" line, the engine's own words */
    bool index_used;          /* of the query as written */
    const char *index_hint;   /* column worth an index, or NULL */
    int64_t max_connections;  /* -1 unreadable */
    int64_t key_min, key_max; /* integer bound only; valid when has_range */
    bool has_range;
} rv_plan_facts;

typedef struct rv_catalog_column {
    const char *name, *data_type;
    bool nullable, primary_key, unsupported;
    rv_type type; /* natural canonical type */
    bool integer, timestamp, unconstrained_decimal, wide;
} rv_catalog_column;
typedef struct rv_catalog_table {
    const char *schema; /* NULL when the engine has none */
    const char *name;
    bool view;
    int64_t row_estimate, total_bytes; /* -1 unknown */
    rv_catalog_column *columns;
    size_t n_columns;
    rv_key key; /* the usable key full reads would take */
} rv_catalog_table;

#define RV_SOURCE_ABI 2
typedef struct rv_source_driver {
    uint32_t abi;
    rv_engine engine;
    const char *name;    /* "sqlite": folder, URL scheme, source.type */
    const char *display; /* "Sqlite" as doctor prints it */

    /* Connects, sets the session limits, detects poolers. Secrets go to env->secrets. */
    rv_status (*open)(const rv_env *env, const rv_source_opts *opts, rv_source **out,
                      rv_error *err);
    void (*close)(rv_source *s);
    /* Any thread: ends the running statement soon; it then fails with RV_E_INTERRUPTED. */
    void (*interrupt)(rv_source *s);
    /* Valid until close. */
    const rv_source_info *(*info)(rv_source *s);

    /* The type probe and the four gates: schema, key, shape. Reads no row of data but what the
     * probe needs (SQLite: typeof of up to 1,000 rows for untyped columns). */
    rv_status (*resolve)(rv_source *s, const rv_read_spec *spec, rv_arena *arena, rv_relation **out,
                         rv_error *err);
    /* DDL guard: the catalog still gives what `resolve` saw; else RV_E_SOURCE_CHANGED. */
    rv_status (*recheck)(rv_source *s, const rv_relation *rel, rv_error *err);

    rv_status (*scan)(rv_source *s, const rv_page_spec *page, rv_scan **out, rv_error *err);
    /* Appends rows until the builder is full or the page ends. *out_end only at the end. On
     * failure, rows completed before it are in the builder and are valid, ordered and complete;
     * scan_end tells how far they go. */
    rv_status (*next)(rv_scan *scan, rv_builder *builder, bool *out_end, rv_error *err);
    void (*scan_end)(const rv_scan *scan, rv_page_end *out);
    void (*scan_close)(rv_scan *scan);

    /* MIN and MAX of expr under the predicates; null datums when there is no row. In the arena. */
    rv_status (*bounds)(rv_source *s, const rv_relation *rel, rv_expr expr, const rv_pred *preds,
                        size_t n_preds, rv_arena *arena, rv_datum *out_min, rv_datum *out_max,
                        rv_error *err);
    /* The n-th (from 1) value tuple of `order` after `after` under the predicates; *out_found false
     * when fewer exist. What dense chunks, key windows and range cuts walk with. */
    rv_status (*nth)(rv_source *s, const rv_page_spec *from, uint64_t n, rv_arena *arena,
                     rv_datum *out, bool *out_found, rv_error *err);
    rv_status (*count)(rv_source *s, const rv_relation *rel, const rv_pred *preds, size_t n_preds,
                       uint64_t *out, rv_error *err);
    /* Up to `want`-1 ascending values of the single key column that cut the table into ranges of
     * about equal rows; fewer when the engine cannot tell cheaply. */
    rv_status (*cuts)(rv_source *s, const rv_relation *rel, size_t want, rv_arena *arena,
                      rv_datum *out, size_t *out_n, rv_error *err);
    /* The source's clock, µs UTC. */
    rv_status (*now)(rv_source *s, int64_t *out_us, rv_error *err);
    /* A literal of the bound column's wire form for an instant (days windows, settle, time_window):
     * `unix` asks for epoch seconds. In the arena. */
    rv_status (*instant)(rv_source *s, const rv_relation *rel, int64_t us, bool unix_seconds,
                         rv_arena *arena, rv_datum *out, rv_error *err);
    /* Checks text against the bound column's type (cursor_start, set-cursor): RV_E_VALUE. */
    rv_status (*datum_parse)(rv_source *s, const rv_relation *rel, rv_str text, rv_arena *arena,
                             rv_datum *out, rv_error *err);
    /* Epoch days of a DATE or timestamp datum (chunk_by_days). */
    rv_status (*datum_day)(const rv_relation *rel, const rv_datum *d, int64_t *out_days,
                           rv_error *err);

    /* One instant for all of these connections of one server, each with an open read transaction
     * from now on (consistency: snapshot, and every read of shape RANGES). n > 1 that the engine
     * cannot do: RV_E_SOURCE_SNAPSHOT, nothing open. NULL: cannot at all. A lost connection loses
     * it. */
    rv_status (*snapshot_begin)(rv_source *const *s, size_t n, rv_error *err);
    rv_status (*snapshot_end)(rv_source *s, rv_error *err);

    /* The counter's value now; any error means "unreadable". NULL: the engine has none. */
    rv_status (*signal)(rv_source *s, rv_signal which, int64_t *out, rv_error *err);
    /* What the run may have cost the server, read before and after it. NULL: none. */
    rv_status (*counters)(rv_source *s, rv_arena *arena, rv_counter **out, size_t *out_n,
                          rv_error *err);
    /* The server's id of the session that holds a lock or snapshot of this source now; 0: none.
     * Any thread. NULL: never one. */
    int64_t (*session)(rv_source *s);
    /* Asked on another connection: who waits for that session? *out_waiter NULL: nobody. In the
     * arena. RV_E_SOURCE_PERMISSION: may not look. NULL with session. */
    rv_status (*waiter)(rv_source *s, int64_t session, rv_arena *arena, const char **out_waiter,
                        rv_error *err);

    rv_status (*facts)(rv_source *s, const rv_relation *rel, rv_arena *arena, rv_plan_facts *out,
                       rv_error *err);
    /* table NULL: every table and view, sorted by schema and name. */
    rv_status (*catalog)(rv_source *s, const char *schema, const char *table, rv_arena *arena,
                         rv_catalog_table **out, size_t *out_n, rv_error *err);
    /* One identifier quoted as the engine wants it. */
    rv_status (*quote)(const char *ident, rv_buf *out, rv_error *err);
} rv_source_driver;

extern const rv_source_driver rv_source_sqlite;
extern const rv_source_driver rv_source_postgres;
extern const rv_source_driver rv_source_mysql;           /* MySQL and MariaDB */
const rv_source_driver *const *rv_source_drivers(void);  /* NULL-terminated */
const rv_source_driver *rv_source_for(rv_engine engine); /* NULL: not in this build */

#endif
