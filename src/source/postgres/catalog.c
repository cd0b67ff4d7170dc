/* The list that `init` reads: tables and views of a schema with their columns.
 * Source: spec "cli" section 5, "types" section 3. */
#include "source/postgres/decode_internal.h"
#include "source/postgres/relation_internal.h"

#define WHAT "reading the catalog"

/* Rows as ANALYZE left them: -1 (0 before version 14) means never. */
#define SELECT_TABLES                                                                              \
    "SELECT c.oid, n.nspname, c.relname, c.relkind, CASE c.relkind WHEN 'p' THEN (SELECT CASE "    \
    "WHEN pg_catalog.bool_and(l.reltuples >= 0) THEN pg_catalog.sum(l.reltuples) END FROM "        \
    "pg_catalog.pg_partition_tree(c.oid) t JOIN pg_catalog.pg_class l ON l.oid = t.relid "         \
    "WHERE t.isleaf) WHEN 'v' THEN NULL ELSE CASE WHEN c.reltuples = 0 AND c.relpages = 0 AND "    \
    "pg_catalog.pg_relation_size(c.oid) > 0 THEN NULL ELSE c.reltuples END END::bigint, "          \
    "CASE c.relkind WHEN 'p' THEN (SELECT pg_catalog.sum(pg_catalog.pg_total_relation_size("       \
    "t.relid)) FROM pg_catalog.pg_partition_tree(c.oid) t WHERE t.isleaf) WHEN 'v' THEN NULL "     \
    "WHEN 'f' THEN NULL ELSE pg_catalog.pg_total_relation_size(c.oid) END::bigint, "               \
    "(c.relkind <> 'p' AND EXISTS(SELECT 1 FROM pg_catalog.pg_inherits i "                         \
    "WHERE i.inhparent = c.oid))::int FROM pg_catalog.pg_class c "                                 \
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "                                    \
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND "

/* Domains go down to their base type, whose modifier the last domain gives. */
#define SELECT_COLUMNS                                                                             \
    "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull::int, "       \
    "a.attnum, b.o, b.m, t.typname, t.typtype, t.typcategory, t.typelem, e.typtype, "              \
    "pg_catalog.format_type(b.o, b.m) FROM pg_catalog.pg_attribute a CROSS JOIN LATERAL ("         \
    "WITH RECURSIVE d(o, m, n) AS (SELECT a.atttypid, a.atttypmod, 0 UNION ALL SELECT "            \
    "p.typbasetype, p.typtypmod, d.n + 1 FROM d JOIN pg_catalog.pg_type p ON p.oid = d.o AND "     \
    "p.typtype = 'd') SELECT d.o, d.m FROM d ORDER BY d.n DESC LIMIT 1) AS b "                     \
    "JOIN pg_catalog.pg_type t ON t.oid = b.o LEFT JOIN pg_catalog.pg_type e ON "                  \
    "t.typcategory = 'A' AND e.oid = t.typelem WHERE a.attrelid = %u AND a.attnum > 0 AND "        \
    "NOT a.attisdropped ORDER BY a.attnum"

typedef struct reading {
    rv_source *s;
    rv_arena *arena;
} reading;

static rv_status read_facts(const reading *c, const PGresult *r, int row, rv_pgs_type_facts *f,
                            rv_error *err)
{
    *f = (rv_pgs_type_facts){.oid = (uint32_t)rv_pgs_int(r, row, 4, 0),
                             .typmod = (int32_t)rv_pgs_int(r, row, 5, -1),
                             .typtype = PQgetvalue(r, row, 7)[0],
                             .typcategory = PQgetvalue(r, row, 8)[0],
                             .element_typtype = PQgetvalue(r, row, 10)[0]};
    if (f->typcategory == 'A')
        f->element = (uint32_t)rv_pgs_int(r, row, 9, 0);
    RV_TRY(rv_pgs_text(r, row, 6, c->arena, &f->name, err));
    return rv_pgs_text(r, row, 11, c->arena, &f->display, err);
}

static rv_status read_column(const reading *c, const PGresult *r, int row, rv_pgs_attr *a,
                             rv_catalog_column *out, rv_error *err)
{
    rv_pgs_type_facts f;
    rv_pgs_column bound;
    rv_column column;
    bool supported = true;
    RV_TRY(read_facts(c, r, row, &f, err));
    RV_TRY(rv_pgs_text(r, row, 0, c->arena, &out->name, err));
    RV_TRY(rv_pgs_text(r, row, 1, c->arena, &out->data_type, err));
    RV_TRY(
        rv_pgs_column_bind(c->s, &f, out->name, NULL, c->arena, &bound, &column, &supported, err));
    rv_kind kind = (rv_kind)column.type.kind;
    a->name = out->name;
    a->number = (int)rv_pgs_int(r, row, 3, 0);
    a->not_null = rv_pgs_int(r, row, 2, 0) != 0;
    a->base = f.oid;
    a->key_type = rv_pgs_key_type(f.oid, f.typtype);
    out->nullable = !a->not_null;
    out->unconstrained_decimal = f.oid == RV_PG_NUMERIC && f.typmod < 0;
    out->unsupported = !supported && !out->unconstrained_decimal;
    out->type = supported ? column.type : rv_type_of(RV_STRING);
    out->integer = f.oid == RV_PG_INT2 || f.oid == RV_PG_INT4 || f.oid == RV_PG_INT8;
    out->timestamp = supported && (kind == RV_TIMESTAMP || kind == RV_TIMESTAMP_TZ);
    out->wide = supported && rv_type_layout(column.type) == RV_LAYOUT_VAR;
    return RV_OK;
}

static rv_status read_columns(const reading *c, rv_pgs_table *t, rv_catalog_table *out,
                              rv_error *err)
{
    const char *sql = NULL;
    PGresult *r = NULL;
    rv_status st;
    RV_GO(rv_arena_printf(c->arena, &sql, err, SELECT_COLUMNS, t->oid));
    RV_GO(rv_pgs_ask(c->s, sql, WHAT, &r, err));
    size_t n = (size_t)PQntuples(r);
    RV_GO(rv_arena_array(c->arena, n + 1, sizeof *t->attrs, &t->attrs, err));
    RV_GO(rv_arena_array(c->arena, n + 1, sizeof *out->columns, &out->columns, err));
    t->n_attrs = out->n_columns = n;
    for (size_t i = 0; i < n; i++)
        RV_GO(read_column(c, r, (int)i, &t->attrs[i], &out->columns[i], err));
done:
    PQclear(r);
    return st;
}

static void mark_primary(const rv_pgs_table *t, rv_catalog_table *out)
{
    const rv_pgs_index *x = t->n_indexes && t->indexes[0].primary ? &t->indexes[0] : NULL;
    for (size_t i = 0; x && i < x->n; i++)
        for (size_t k = 0; k < t->n_attrs; k++)
            out->columns[k].primary_key |= t->attrs[k].number == x->attnum[i];
}

static rv_status read_table(const reading *c, const PGresult *r, int row, rv_catalog_table *out,
                            rv_error *err)
{
    rv_pgs_table t = {.oid = (uint32_t)rv_pgs_int(r, row, 0, 0)};
    rv_relation rel = {.driver = NULL};
    rv_read_spec spec = {.mode = RV_FULL};
    RV_TRY(rv_pgs_text(r, row, 1, c->arena, &out->schema, err));
    RV_TRY(rv_pgs_text(r, row, 2, c->arena, &out->name, err));
    t.schema = out->schema;
    t.name = out->name;
    t.relkind = PQgetvalue(r, row, 3)[0];
    t.children = rv_pgs_int(r, row, 6, 0) != 0;
    out->view = t.relkind == 'v' || t.relkind == 'm';
    out->row_estimate = rv_pgs_int(r, row, 4, -1);
    out->total_bytes = rv_pgs_int(r, row, 5, -1);
    if (out->row_estimate < 0)
        out->row_estimate = -1;
    RV_TRY(read_columns(c, &t, out, err));
    if (t.relkind != 'r' && t.relkind != 'p')
        return RV_OK;
    RV_TRY(rv_pgs_table_indexes(c->s, &t, c->arena, err));
    mark_primary(&t, out);
    RV_TRY(rv_pgs_key_choose(&spec, &t, NULL, &rel, err));
    out->key = rel.key;
    return RV_OK;
}

static rv_status add_literal(const char *before, const char *text, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_add_c(out, before, err));
    return rv_pgs_literal(rv_str_c(text), out, err);
}

/* Of a whole schema the partitions stay out: their table holds their rows. */
static rv_status list_sql(const char *schema, const char *table, rv_buf *b, rv_error *err)
{
    RV_TRY(rv_buf_add_c(b, SELECT_TABLES, err));
    if (schema || !table)
        RV_TRY(add_literal("n.nspname = ", schema ? schema : "public", b, err));
    else
        RV_TRY(rv_buf_add_c(b, "(pg_catalog.pg_table_is_visible(c.oid) OR n.nspname = 'public')",
                            err));
    if (!table) {
        RV_TRY(rv_buf_add_c(b, " AND NOT c.relispartition", err));
        RV_TRY(rv_buf_add_c(b, " ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"", err));
        return rv_buf_add_byte(b, 0, err);
    }
    RV_TRY(add_literal(" AND c.relname IN (", table, b, err));
    RV_TRY(add_literal(", pg_catalog.lower(", table, b, err));
    RV_TRY(add_literal(")) ORDER BY NOT pg_catalog.pg_table_is_visible(c.oid), c.relname <> ",
                       table, b, err));
    return rv_buf_add(b, " LIMIT 1", sizeof " LIMIT 1", err);
}

rv_status rv_pgs_catalog(rv_source *s, const char *schema, const char *table, rv_arena *arena,
                         rv_catalog_table **out, size_t *out_n, rv_error *err)
{
    reading c = {.s = s, .arena = arena};
    rv_buf b = RV_BUF_INIT;
    PGresult *r = NULL;
    rv_catalog_table *list = NULL;
    rv_status st;
    RV_GO(list_sql(schema, table, &b, err));
    RV_GO(rv_pgs_ask(s, (const char *)b.ptr, WHAT, &r, err));
    size_t n = (size_t)PQntuples(r);
    RV_GO(rv_arena_array(arena, n + 1, sizeof *list, &list, err));
    for (size_t i = 0; i < n; i++)
        RV_GO(read_table(&c, r, (int)i, &list[i], err));
    *out = list;
    *out_n = n;
done:
    PQclear(r);
    rv_buf_free(&b);
    return st;
}
