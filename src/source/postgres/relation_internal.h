/* source/postgres/relation_internal.h: what the catalog tells of a table, the plans that EXPLAIN
 * draws, and the steps that make a relation of both. Private to the folder.
 * Source: spec "source-safety" sections 3, 13, 14; PostgreSQL documentation, chapter 53 (system
 * catalogs) and section 14.1 (EXPLAIN). */
#ifndef RV_SOURCE_POSTGRES_RELATION_INTERNAL_H
#define RV_SOURCE_POSTGRES_RELATION_INTERNAL_H

#include <jansson.h>

#include "source/postgres/postgres_internal.h"
#include "source/sql/shape.h"

#define RV_PGS_ORDER_MAX (RV_KEY_COLUMNS_MAX + 1)
#define RV_PGS_PLAN_ROWS 500 /* LIMIT of a page that is only explained: the first one's */
#define RV_PGS_INDEX_COLUMNS 32

/* ---- table.c: one relation of the catalog; all of it in the arena ---- */

typedef struct rv_pgs_attr {
    const char *name;
    int number; /* attnum */
    bool not_null;
    uint32_t type; /* as declared: a domain stays one */
    int32_t typmod;
    const char *collation; /* quoted and qualified; NULL: the type has none */
    uint32_t base;         /* type with domains resolved; 0 not known yet */
    bool key_type;         /* rv_pgs_key_type of it */
} rv_pgs_attr;

/* A complete, valid btree index on plain columns. */
typedef struct rv_pgs_index {
    const char *name;
    bool primary, unique; /* unique: also immediate */
    bool ordered; /* ORDER BY its columns walks it: default operator classes, the columns' own
                     collations, one direction */
    int attnum[RV_PGS_INDEX_COLUMNS];
    size_t n;
} rv_pgs_index;

typedef struct rv_pgs_table {
    uint32_t oid;
    const char *schema, *name;
    char relkind;
    bool children;  /* of inheritance; partitions do not count */
    int64_t bytes;  /* heap, of all leaves; 0 for views */
    int64_t blocks; /* of its own heap */
    rv_pgs_attr *attrs;
    size_t n_attrs;
    rv_pgs_index *indexes; /* primary first, then by name */
    size_t n_indexes;
} rv_pgs_table;

/* A name as `table:` writes it. RV_E_SOURCE_MISSING with a guess, RV_E_CONFIG_TABLE_AMBIGUOUS,
 * RV_E_SOURCE_QUERY for what holds no rows. Columns and indexes are not loaded. */
rv_status rv_pgs_table_find(rv_source *s, const char *name, rv_arena *arena, rv_pgs_table **out,
                            rv_error *err) RV_MUST_USE;
/* The same by pg_class oid; *out NULL: gone. */
rv_status rv_pgs_table_load(rv_source *s, uint32_t oid, rv_arena *arena, rv_pgs_table **out,
                            rv_error *err) RV_MUST_USE;
rv_status rv_pgs_table_attrs(rv_source *s, rv_pgs_table *t, rv_arena *arena,
                             rv_error *err) RV_MUST_USE;
rv_status rv_pgs_table_indexes(rv_source *s, rv_pgs_table *t, rv_arena *arena,
                               rv_error *err) RV_MUST_USE;
const rv_pgs_attr *rv_pgs_attr_find(const rv_pgs_table *t, const char *name);
const rv_pgs_attr *rv_pgs_attr_number(const rv_pgs_table *t, int number);
/* One line per column: what the DDL guard compares. */
rv_status rv_pgs_attr_print(const rv_pgs_table *t, rv_arena *arena, const char **out,
                            rv_error *err) RV_MUST_USE;

/* ---- key.c ---- */

/* `present` (by place in t->attrs, NULL: all) limits the choice to columns of a query's list.
 * Sets rel->key (n_columns 0: none) and is_primary. RV_E_CONFIG_KEY_UNUSABLE for a written key,
 * RV_E_SOURCE_CHANGED for a stored one that is gone. */
rv_status rv_pgs_key_choose(const rv_read_spec *spec, const rv_pgs_table *t, const bool *present,
                            rv_relation *rel, rv_error *err) RV_MUST_USE;
/* The attribute leads an index. */
bool rv_pgs_index_leads(const rv_pgs_table *t, int attnum);
/* An index whose columns begin with these, in order. */
bool rv_pgs_index_orders(const rv_pgs_table *t, const int *attnum, size_t n);

/* ---- explain.c ---- */

typedef struct rv_pgs_plan {
    json_t *root;       /* the document; NULL: none */
    const json_t *node; /* its outermost node */
} rv_pgs_plan;

/* What EXPLAIN (FORMAT JSON) answered. RV_E_SOURCE_QUERY when it is something else. */
rv_status rv_pgs_plan_parse(rv_str json, rv_pgs_plan *out, rv_error *err) RV_MUST_USE;
void rv_pgs_plan_free(rv_pgs_plan *p);
int64_t rv_pgs_plan_rows(const rv_pgs_plan *p);  /* -1 unknown */
int64_t rv_pgs_plan_width(const rv_pgs_plan *p); /* -1 unknown */
#define RV_PGS_JUDGE_WINDOW 1u                   /* no Limit is expected */
#define RV_PGS_JUDGE_PRESORTED 2u /* groups equal in `column` may be sorted as they come */
/* Gate 4: Limit (unless a window) over index scans that find `column` (NULL: any) in their index
 * condition. *out_reason NULL: accepted; else the node that refuses, in the arena.
 * *out_seq_scan: the plan reads a whole table. */
rv_status rv_pgs_plan_judge(const rv_pgs_plan *p, const char *column, unsigned flags,
                            rv_arena *arena, const char **out_reason, bool *out_seq_scan,
                            rv_error *err) RV_MUST_USE;

/* A page is one backend's work. */
#define RV_PGS_ALONE "SET LOCAL max_parallel_workers_per_gather=0; "
/* In front of whatever walks an index by LIMIT: near the end of a range the planner would rather
 * sort what is left, on disk if it has to. The price it puts on a sort must not set off JIT. */
#define RV_PGS_WALKING RV_PGS_ALONE "SET LOCAL enable_sort=off; SET LOCAL jit=off; "

/* ---- ask.c: statements about the relation itself, under its own row security ---- */

rv_status rv_pgs_read(rv_source *s, bool allow_row_security, const char *sql, const char *what,
                      PGresult **out, rv_error *err) RV_MUST_USE;
/* `settings`: those the statement itself runs under, RV_PGS_WALKING or "". */
rv_status rv_pgs_explain(rv_source *s, bool allow_row_security, const char *settings,
                         const char *sql, rv_pgs_plan *out, rv_error *err) RV_MUST_USE;
/* As rv_arena_cstr of a buffer, which is empty afterwards. */
rv_status rv_pgs_keep(rv_buf *b, rv_arena *arena, const char **out, rv_error *err) RV_MUST_USE;
/* "reading table 'public.orders'", "reading the query". */
rv_status rv_pgs_what(const rv_relation *rel, rv_arena *arena, const char **out,
                      rv_error *err) RV_MUST_USE;

/* ---- describe.c: result columns and their types ---- */

typedef struct rv_pgs_result_column {
    const char *name;
    uint32_t oid; /* domains resolved: the server does that in row descriptions */
    int32_t typmod;
    uint32_t table; /* origin; 0: an expression */
    int attnum;
} rv_pgs_result_column;

typedef struct rv_pgs_resolving {
    rv_source *s;
    const rv_read_spec *spec;
    rv_arena *arena;
    rv_relation *rel;
    rv_pgs_relation *r;
    rv_pgs_table *table; /* the one base table; NULL: none is known */
    rv_pgs_result_column *columns;
    size_t n_columns;
    rv_sql_shape shape; /* of a query */
    unsigned flags;     /* of its tokens */
    const char *reason; /* why not in pages; NULL: nothing against it so far */
} rv_pgs_resolving;

/* Runs a statement that gives no rows and keeps its description; *out_rows what came all the
 * same. */
rv_status rv_pgs_describe(rv_pgs_resolving *v, const char *sql, int *out_rows,
                          rv_error *err) RV_MUST_USE;
/* Types, overrides, schema: r->columns and rel->schema. */
rv_status rv_pgs_bind_columns(rv_pgs_resolving *v, rv_error *err) RV_MUST_USE;
/* Natural canonical type of a base type that may bound a read. */
rv_type rv_pgs_natural(uint32_t oid, int32_t typmod);
/* Base types of the table's attributes out of the description. */
void rv_pgs_attr_types(rv_pgs_resolving *v);
/* As rv_pgs_attr_print, of a description. */
rv_status rv_pgs_description_print(const rv_pgs_resolving *v, const char **out,
                                   rv_error *err) RV_MUST_USE;

/* ---- gates.c: the plans of pages; query.c: gates of a `query:` ---- */

/* The plan of a page in (bound, key) or key order must be an index walk. Sets *out_reason. */
rv_status rv_pgs_page_gate(rv_pgs_resolving *v, bool bound_first, const char **out_reason,
                           bool *out_seq_scan, rv_error *err) RV_MUST_USE;
/* Once more, as a key window without LIMIT. */
rv_status rv_pgs_window_gate(rv_pgs_resolving *v, const char **out_reason,
                             rv_error *err) RV_MUST_USE;
/* Gates 1 to 3 or the wrapped form: texts, description, table and key. */
rv_status rv_pgs_query_gates(rv_pgs_resolving *v, rv_error *err) RV_MUST_USE;
/* Gate 4 and the shape, once columns are bound. */
rv_status rv_pgs_query_shape(rv_pgs_resolving *v, rv_error *err) RV_MUST_USE;
/* bound_* of the relation, once columns are bound. */
rv_status rv_pgs_place_bound(rv_pgs_resolving *v, rv_error *err) RV_MUST_USE;
/* ordered_by_bound; *out_reason why not. */
rv_status rv_pgs_bound_order(rv_pgs_resolving *v, const char **out_reason,
                             rv_error *err) RV_MUST_USE;
/* Places of key and bound columns in the stream, their oids. */
void rv_pgs_place_key(rv_pgs_resolving *v);

/* ---- bounds.c ---- */

/* The row `n` (from 1) of the order, n_order texts; `bare`: without the query's own condition. */
rv_status rv_pgs_walk(rv_source *s, const rv_page_spec *from, uint64_t n, bool bare,
                      rv_arena *arena, rv_datum *out, bool *out_found, rv_error *err) RV_MUST_USE;
typedef struct rv_pgs_asked {
    const char *sql;
    const uint32_t *oids; /* of its n columns */
    size_t n;
    size_t most;  /* rows kept; `out` has room for n * most */
    bool walking; /* under RV_PGS_WALKING */
} rv_pgs_asked;
rv_status rv_pgs_rows(rv_source *s, bool allow_row_security, const rv_pgs_asked *q, rv_arena *arena,
                      rv_datum *out, size_t *out_n, rv_error *err) RV_MUST_USE;
/* The first row of a statement in the wire form of these types; the arena holds the texts. */
rv_status rv_pgs_first_row(rv_source *s, bool allow_row_security, const char *sql,
                           const uint32_t *oids, size_t n, rv_arena *arena, rv_datum *out,
                           bool *out_found, rv_error *err) RV_MUST_USE;

#endif
