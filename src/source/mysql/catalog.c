/* The list that `init` reads: tables and views of a database with their columns.
 * Source: spec "cli" section 5, "types" section 4. */
#include "source/mysql/relation_internal.h"

#define WHAT "reading the catalog"

typedef struct reading {
    rv_source *s;
    rv_arena *arena;
} reading;

/* --- columns --- */

static bool is_integer(rv_type natural)
{
    return natural.kind == RV_INT16 || natural.kind == RV_INT32 || natural.kind == RV_INT64 ||
           natural.kind == RV_UINT64;
}

static void read_column(const rv_mys_attr *a, rv_catalog_column *out)
{
    rv_type natural = rv_type_of(RV_STRING);
    bool supported = true;
    rv_mys_natural(&a->field, &natural, &supported);
    *out = (rv_catalog_column){.name = a->name,
                               .data_type = a->declared,
                               .nullable = !a->not_null,
                               .primary_key = a->primary,
                               .unsupported = !supported,
                               .type = supported ? natural : rv_type_of(RV_STRING)};
    bool year = a->field.type == MYSQL_TYPE_YEAR || a->field.type == MYSQL_TYPE_BIT;
    out->integer = supported && !year && is_integer(natural);
    out->timestamp = supported && (natural.kind == RV_TIMESTAMP || natural.kind == RV_TIMESTAMP_TZ);
    out->wide = supported && rv_type_layout(natural) == RV_LAYOUT_VAR;
}

/* Described by the server: what the columns are when they are read, invisible ones included. */
static rv_status describe(const reading *c, rv_mys_table *t, rv_error *err)
{
    rv_mys_field *fields = NULL;
    size_t n = 0;
    rv_buf b = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_buf_add_c(&b, "SELECT ", err));
    for (size_t i = 0; i < t->n_attrs; i++) {
        RV_GO(rv_buf_add_c(&b, i ? ", " : "", err));
        RV_GO(rv_my_quote(t->attrs[i].name, &b, err));
    }
    RV_GO(rv_buf_add_c(&b, " FROM ", err));
    RV_GO(rv_my_quote(t->schema, &b, err));
    RV_GO(rv_buf_add_byte(&b, '.', err));
    RV_GO(rv_my_quote(t->name, &b, err));
    RV_GO(rv_buf_add_byte(&b, 0, err));
    RV_GO(rv_mys_describe_only(c->s, (const char *)b.ptr, WHAT, c->arena, &fields, &n, err));
    for (size_t i = 0; i < t->n_attrs && i < n; i++) {
        t->attrs[i].field = fields[i];
        t->attrs[i].field.declared = t->attrs[i].declared;
        t->attrs[i].described = true;
    }
done:
    rv_buf_free(&b);
    return st;
}

static rv_status read_columns(const reading *c, const rv_mys_table *t, rv_catalog_table *out,
                              rv_error *err)
{
    RV_TRY(rv_arena_array(c->arena, t->n_attrs + 1, sizeof *out->columns, &out->columns, err));
    out->n_columns = 0;
    for (size_t i = 0; i < t->n_attrs; i++)
        if (!t->attrs[i].invisible && t->attrs[i].described)
            read_column(&t->attrs[i], &out->columns[out->n_columns++]);
    return RV_OK;
}

/* --- tables --- */

/* *out_readable false: a view whose tables are gone, or that this user may not read. */
static rv_status read_table(const reading *c, rv_mys_table *t, rv_catalog_table *out,
                            bool *out_readable, rv_error *err)
{
    rv_relation rel = {.driver = NULL};
    rv_read_spec spec = {.mode = RV_FULL};
    rv_error why;
    rv_error_clear(&why);
    *out = (rv_catalog_table){.schema = t->schema, .name = t->name, .view = t->view};
    out->row_estimate = t->view ? -1 : t->rows;
    out->total_bytes = t->bytes < 0 ? -1 : t->bytes + (t->index_bytes > 0 ? t->index_bytes : 0);
    RV_TRY(rv_mys_table_attrs(c->s, t, c->arena, err));
    rv_status st = t->n_attrs ? describe(c, t, &why) : RV_E_SOURCE_PERMISSION;
    *out_readable = st == RV_OK;
    if (st == RV_E_SOURCE_QUERY || st == RV_E_SOURCE_PERMISSION || st == RV_E_SOURCE_MISSING) {
        RV_LOG_WARN(c->s->env, "%s.%s is left out: %s", t->schema, t->name,
                    why.text[0] ? why.text : "no column of it may be read");
        return RV_OK;
    }
    if (st != RV_OK) {
        if (err)
            *err = why;
        return st;
    }
    RV_TRY(read_columns(c, t, out, err));
    if (t->view)
        return RV_OK;
    RV_TRY(rv_mys_table_indexes(c->s, t, c->arena, err));
    RV_TRY(rv_mys_key_choose(&spec, t, NULL, &rel, err));
    out->key = rel.key;
    return RV_OK;
}

static rv_status names_of(const reading *c, const char *schema, const char ***out, size_t *out_n,
                          rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    MYSQL_RES *r = NULL;
    const char **names = NULL;
    rv_status st;
    RV_GO(rv_buf_add_c(
        &b, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ", err));
    RV_GO(rv_my_literal(rv_str_c(schema), &b, err));
    RV_GO(rv_buf_add_c(&b,
                       " AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW', 'SYSTEM "
                       "VIEW') ORDER BY CAST(TABLE_NAME AS BINARY)",
                       err));
    RV_GO(rv_buf_add_byte(&b, 0, err));
    RV_GO(rv_mys_ask(c->s, (const char *)b.ptr, WHAT, &r, err));
    size_t n = r ? (size_t)mysql_num_rows(r) : 0;
    RV_GO(rv_arena_array(c->arena, n + 1, sizeof *names, &names, err));
    for (size_t i = 0; i < n; i++) {
        MYSQL_ROW row = mysql_fetch_row(r);
        RV_GO(rv_mys_text(row, mysql_fetch_lengths(r), 0, c->arena, &names[i], err));
    }
    *out = names;
    *out_n = n;
done:
    mysql_free_result(r);
    rv_buf_free(&b);
    return st;
}

static rv_status no_database(rv_error *err)
{
    rv_status st =
        rv_fail(err, RV_E_SOURCE_MISSING, "the connection has chosen no database to list");
    rv_hint(err, "name it at the end of the URL, or with --schema");
    return st;
}

rv_status rv_mys_catalog(rv_source *s, const char *schema, const char *table, rv_arena *arena,
                         rv_catalog_table **out, size_t *out_n, rv_error *err)
{
    reading c = {.s = s, .arena = arena};
    const char **names = &table;
    rv_catalog_table *list = NULL;
    size_t n = 1, kept = 0;
    schema = schema ? schema : s->info.database;
    if (!schema || !schema[0])
        return no_database(err);
    if (!table)
        RV_TRY(names_of(&c, schema, &names, &n, err));
    RV_TRY(rv_arena_array(arena, n + 1, sizeof *list, &list, err));
    for (size_t i = 0; i < n; i++) {
        rv_mys_table *t = NULL;
        bool readable = false;
        RV_TRY(rv_mys_table_load(s, schema, names[i], arena, &t, err));
        if (t)
            RV_TRY(read_table(&c, t, &list[kept], &readable, err));
        kept += readable;
    }
    *out = list;
    *out_n = kept;
    return RV_OK;
}
