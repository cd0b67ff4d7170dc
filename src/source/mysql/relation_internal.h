/* source/mysql/relation_internal.h: what the catalog tells of a table, the plans that EXPLAIN
 * draws, and the steps that make a relation of both. Private to the folder.
 * Source: spec "source-safety" sections 4, 13, 14; MySQL 9 reference manual, sections 28.3
 * (INFORMATION_SCHEMA) and 10.8.2 (EXPLAIN output); MariaDB documentation of the same. */
#ifndef RV_SOURCE_MYSQL_RELATION_INTERNAL_H
#define RV_SOURCE_MYSQL_RELATION_INTERNAL_H

#include "source/mysql/mysql_internal.h"
#include "source/sql/shape.h"

#define RV_MYS_ORDER_MAX (RV_KEY_COLUMNS_MAX + 1)
#define RV_MYS_PLAN_ROWS 500 /* LIMIT of a page that is only explained: the first one's */
#define RV_MYS_INDEX_COLUMNS 64

/* ---- ask.c: statements about the relation itself ---- */

/* As rv_arena_cstr of a buffer, which is empty afterwards. */
rv_status rv_mys_keep(rv_buf *b, rv_arena *arena, const char **out, rv_error *err) RV_MUST_USE;
/* An identifier quoted, a text as a literal; in the arena. */
rv_status rv_mys_quoted(const char *ident, rv_arena *arena, const char **out,
                        rv_error *err) RV_MUST_USE;
rv_status rv_mys_quoted_text(const char *text, rv_arena *arena, const char **out,
                             rv_error *err) RV_MUST_USE;
/* "reading table 'orders'", "reading the query". */
rv_status rv_mys_what(const rv_relation *rel, rv_arena *arena, const char **out,
                      rv_error *err) RV_MUST_USE;
/* A refused SELECT is the user's business: what to do about it. */
void rv_mys_advise(rv_error *err);
/* A result description copied into the arena. */
rv_status rv_mys_fields(MYSQL_RES *r, rv_arena *arena, rv_mys_field **out, size_t *out_n,
                        rv_error *err) RV_MUST_USE;
/* What a SELECT would give, without running it. RV_E_SOURCE_QUERY for what gives no result or has
 * parameters. */
rv_status rv_mys_describe_only(rv_source *s, const char *sql, const char *what, rv_arena *arena,
                               rv_mys_field **out, size_t *out_n, rv_error *err) RV_MUST_USE;

/* The same, text as rv_mys_results was told last. */
rv_status rv_mys_prepare_fields(rv_source *s, const char *sql, const char *what, rv_arena *arena,
                                rv_mys_field **out, size_t *out_n, rv_error *err) RV_MUST_USE;

/* ---- results.c: text as it is stored or converted to utf8mb4 ---- */

/* Until the next call, which every question of the driver is; costs nothing when it is so. */
rv_status rv_mys_results(rv_source *s, bool raw, const char *what, rv_error *err) RV_MUST_USE;
/* r->raw_text by what the server says of each column. */
struct rv_mys_resolving;
rv_status rv_mys_choose_results(struct rv_mys_resolving *v, rv_error *err) RV_MUST_USE;
/* No text, or text that is UTF-8 as it is stored. `f` as described when text is sent raw. */
bool rv_mys_is_utf8(const rv_mys_field *f);

/* ---- table.c: one table of the catalog; all of it in the arena ---- */

typedef struct rv_mys_attr {
    const char *name;
    const char *declared;            /* COLUMN_TYPE */
    const char *charset, *collation; /* NULL: the type has none */
    bool not_null, primary;
    bool invisible; /* SELECT * leaves it out */
    bool described; /* `field` is known */
    rv_mys_field field;
} rv_mys_attr;

/* A tree on plain columns, as far as they are plain. */
typedef struct rv_mys_index {
    const char *name;
    bool primary, unique;
    bool whole;                        /* all of its columns are in `attr`, in one direction */
    bool descending;                   /* that direction */
    size_t attr[RV_MYS_INDEX_COLUMNS]; /* places in the table's attrs */
    size_t n;
} rv_mys_index;

typedef struct rv_mys_table {
    const char *schema, *name;
    const char *engine; /* "InnoDB"; NULL: a view */
    bool view, transactional;
    int64_t rows, average_bytes, bytes, index_bytes; /* the catalog's estimates; -1 unknown */
    rv_mys_attr *attrs;
    size_t n_attrs;
    rv_mys_index *indexes; /* primary first, then by name */
    size_t n_indexes;
} rv_mys_table;

/* A name as `table:` writes it. RV_E_SOURCE_MISSING with a guess, RV_E_SOURCE_QUERY for what holds
 * no rows. Columns and indexes are not loaded. */
rv_status rv_mys_table_find(rv_source *s, const char *name, rv_arena *arena, rv_mys_table **out,
                            rv_error *err) RV_MUST_USE;
/* The same by its parts, schema NULL: the connection's database. *out NULL: there is none. */
rv_status rv_mys_table_load(rv_source *s, const char *schema, const char *name, rv_arena *arena,
                            rv_mys_table **out, rv_error *err) RV_MUST_USE;
rv_status rv_mys_table_attrs(rv_source *s, rv_mys_table *t, rv_arena *arena,
                             rv_error *err) RV_MUST_USE;
rv_status rv_mys_table_indexes(rv_source *s, rv_mys_table *t, rv_arena *arena,
                               rv_error *err) RV_MUST_USE;
rv_mys_attr *rv_mys_attr_find(const rv_mys_table *t, const char *name); /* as the server does */
/* What the DDL guard compares (source/sql/guard.h). */
rv_status rv_mys_attr_print(const rv_mys_table *t, rv_arena *arena, const char **out,
                            rv_error *err) RV_MUST_USE;
/* Names of tables and databases as this server compares them. */
bool rv_mys_same_name(const rv_source *s, const char *a, const char *b);

/* ---- key.c ---- */

/* `present` (by place in t->attrs, NULL: all) limits the choice to columns of a query's list.
 * Sets rel->key (n_columns 0: none) and is_primary. RV_E_CONFIG_KEY_UNUSABLE for a written key,
 * RV_E_SOURCE_CHANGED for a stored one that is gone. */
rv_status rv_mys_key_choose(const rv_read_spec *spec, const rv_mys_table *t, const bool *present,
                            rv_relation *rel, rv_error *err) RV_MUST_USE;
/* The column leads an index. */
bool rv_mys_index_leads(const rv_mys_table *t, const rv_mys_attr *a);
/* An index that is walked in the order of these columns; the storage engine may append the primary
 * key to it. NULL: none. */
const rv_mys_index *rv_mys_index_orders(const rv_mys_table *t, const size_t *attrs, size_t n);

/* ---- explain.c ---- */

typedef struct rv_mys_plan_row { /* one line of EXPLAIN; "" for NULL */
    int64_t id;                  /* -1 for NULL */
    const char *select_type, *table, *type, *key, *extra;
    int64_t rows; /* -1 unknown */
} rv_mys_plan_row;

typedef struct rv_mys_plan {
    rv_mys_plan_row *rows;
    size_t n;
} rv_mys_plan;

rv_status rv_mys_explain(rv_source *s, const char *sql, rv_arena *arena, rv_mys_plan *out,
                         rv_error *err) RV_MUST_USE;
int64_t rv_mys_plan_rows(const rv_mys_plan *p); /* of what it reads first; -1 unknown */
bool rv_mys_plan_derives(const rv_mys_plan *p); /* computes a result before the rows of it */
typedef struct rv_mys_wish {
    const char *table; /* alias as the plan names it */
    const char *key;   /* index that must be walked */
    bool from_start;   /* nothing bounds the key yet: a walk of the whole index will do */
} rv_mys_wish;
/* Gate 4. *out_reason NULL: accepted; else what refuses ("ALL on orders"), in the arena. */
rv_status rv_mys_plan_judge(const rv_mys_plan *p, const rv_mys_wish *wish, rv_arena *arena,
                            const char **out_reason, rv_error *err) RV_MUST_USE;

/* ---- resolve.c, describe.c, query.c, gates.c: the steps ---- */

typedef struct rv_mys_resolving {
    rv_source *s;
    const rv_read_spec *spec;
    rv_arena *arena;
    rv_relation *rel;
    rv_mys_relation *r;
    rv_mys_table *table; /* the one base table; NULL: none is known */
    rv_mys_field *columns;
    size_t n_columns;
    rv_sql_shape shape; /* of a query */
    unsigned flags;     /* of its tokens */
    const char *reason; /* why not in pages; NULL: nothing against it so far */
    rv_mys_plan plan;   /* of the read as it is written */
} rv_mys_resolving;

/* Runs a statement that gives no rows and keeps its description; *out_rows what came all the
 * same, NULL: not asked. */
rv_status rv_mys_describe(rv_mys_resolving *v, const char *sql, uint64_t *out_rows,
                          rv_error *err) RV_MUST_USE;
/* The attribute that a result column is, of the base table; NULL: none. */
rv_mys_attr *rv_mys_origin(const rv_mys_resolving *v, const rv_mys_field *f);
/* What the catalog knows of the described columns, and the other way round. */
void rv_mys_merge_attrs(rv_mys_resolving *v);
/* Types, overrides, schema: r->columns and rel->schema. */
rv_status rv_mys_bind_columns(rv_mys_resolving *v, rv_error *err) RV_MUST_USE;
/* Two columns of one name: RV_E_SOURCE_QUERY naming both. */
rv_status rv_mys_check_names(const rv_mys_resolving *v, rv_error *err) RV_MUST_USE;
/* As rv_mys_attr_print, of a description. */
rv_status rv_mys_description_print(const rv_mys_resolving *v, const char **out,
                                   rv_error *err) RV_MUST_USE;

/* How values of key, bound and result columns travel. */
rv_status rv_mys_place_values(rv_mys_resolving *v, rv_error *err) RV_MUST_USE;
/* The plan of a page in (bound, key) or key order must walk the index. Sets r->force when only
 * that makes it, *out_reason when nothing does. */
rv_status rv_mys_page_gate(rv_mys_resolving *v, bool bound_first, const char *index,
                           const char **out_reason, rv_error *err) RV_MUST_USE;
/* ordered_by_bound; *out_reason why not. */
rv_status rv_mys_bound_order(rv_mys_resolving *v, const char **out_reason,
                             rv_error *err) RV_MUST_USE;
/* Bytes to be read are few, whatever the plan. */
bool rv_mys_is_small(const rv_mys_resolving *v);

/* Gates 1 to 3 or the wrapped form: texts, description, table and key. */
rv_status rv_mys_query_gates(rv_mys_resolving *v, rv_error *err) RV_MUST_USE;
/* Gate 4 and the shape, once columns are bound. */
rv_status rv_mys_query_shape(rv_mys_resolving *v, rv_error *err) RV_MUST_USE;

/* ---- bounds.c ---- */

typedef struct rv_mys_asked {
    const char *sql;
    const rv_mys_key_column *const *columns; /* of its n columns, in their wire form */
    size_t n;
    size_t most; /* rows kept; `out` has room for n * most */
} rv_mys_asked;
rv_status rv_mys_rows(rv_source *s, const rv_mys_asked *q, rv_arena *arena, rv_datum *out,
                      size_t *out_n, rv_error *err) RV_MUST_USE;

#endif
