/* Result columns: what the server describes, bound to types. Source: spec "types" sections 1, 3,
 * 8; PostgreSQL documentation, section 55.7 (RowDescription: domains come as their base type). */
#include <stdio.h>

#include "source/postgres/decode_internal.h"
#include "source/postgres/relation_internal.h"
#include "source/sql/guard.h"
#include "source/sql/override.h"

#define WHAT "resolving the columns"

static rv_status copy_columns(rv_pgs_resolving *v, const PGresult *r, rv_error *err)
{
    size_t n = (size_t)PQnfields(r);
    rv_pgs_result_column *list = NULL;
    RV_TRY(rv_arena_array(v->arena, n + 1, sizeof *list, &list, err));
    for (size_t i = 0; i < n; i++) {
        int c = (int)i;
        RV_TRY(rv_arena_cstr(v->arena, rv_str_c(PQfname(r, c)), &list[i].name, err));
        list[i].oid = PQftype(r, c);
        list[i].typmod = PQfmod(r, c);
        list[i].table = PQftable(r, c);
        list[i].attnum = PQftablecol(r, c);
    }
    v->columns = list;
    v->n_columns = n;
    return RV_OK;
}

rv_status rv_pgs_describe(rv_pgs_resolving *v, const char *sql, int *out_rows, rv_error *err)
{
    PGresult *r = NULL;
    RV_TRY(rv_pgs_read(v->s, v->r->allow_row_security, sql, WHAT, &r, err));
    rv_status st = copy_columns(v, r, err);
    if (st == RV_OK && out_rows)
        *out_rows = PQntuples(r);
    PQclear(r);
    return st;
}

rv_status rv_pgs_description_print(const rv_pgs_resolving *v, const char **out, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    rv_status st = RV_OK;
    for (size_t i = 0; i < v->n_columns; i++) {
        const rv_pgs_result_column *c = &v->columns[i];
        char type[32], origin[32];
        (void)snprintf(type, sizeof type, "%u %d", c->oid, c->typmod);
        (void)snprintf(origin, sizeof origin, "%u.%d", c->table, c->attnum);
        RV_GO(rv_sql_guard_line(c->name, type, origin, &b, err));
    }
    RV_GO(rv_pgs_keep(&b, v->arena, out, err));
done:
    rv_buf_free(&b);
    return st;
}

/* --- what pg_type knows --- */

static rv_status types_sql(const rv_pgs_resolving *v, const char **out, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_buf_add_c(&b,
                       "SELECT t.typname, t.typtype, t.typcategory, t.typelem, e.typtype, "
                       "pg_catalog.format_type(v.o, v.m) FROM (VALUES ",
                       err));
    for (size_t i = 0; i < v->n_columns; i++)
        RV_GO(rv_buf_printf(&b, err, "%s(%zu, %u::oid, %d)", i ? ", " : "", i, v->columns[i].oid,
                            v->columns[i].typmod));
    RV_GO(rv_buf_add_c(&b,
                       ") AS v(i, o, m) JOIN pg_catalog.pg_type t ON t.oid = v.o "
                       "LEFT JOIN pg_catalog.pg_type e ON t.typcategory = 'A' AND "
                       "e.oid = t.typelem ORDER BY v.i",
                       err));
    RV_GO(rv_pgs_keep(&b, v->arena, out, err));
done:
    rv_buf_free(&b);
    return st;
}

static rv_status type_facts(rv_pgs_resolving *v, rv_pgs_type_facts **out, rv_error *err)
{
    const char *sql = NULL;
    PGresult *r = NULL;
    rv_pgs_type_facts *list = NULL;
    rv_status st;
    RV_GO(types_sql(v, &sql, err));
    RV_GO(rv_pgs_ask(v->s, sql, WHAT, &r, err));
    if ((size_t)PQntuples(r) != v->n_columns) {
        st = rv_fail(err, RV_E_SOURCE_CHANGED, "a column's type vanished while it was resolved");
        goto done;
    }
    RV_GO(rv_arena_array(v->arena, v->n_columns + 1, sizeof *list, &list, err));
    for (size_t i = 0; i < v->n_columns; i++) {
        int row = (int)i;
        rv_pgs_type_facts *f = &list[i];
        *f = (rv_pgs_type_facts){.oid = v->columns[i].oid, .typmod = v->columns[i].typmod};
        f->typtype = PQgetvalue(r, row, 1)[0];
        f->typcategory = PQgetvalue(r, row, 2)[0];
        f->element = f->typcategory == 'A' ? (uint32_t)rv_pgs_int(r, row, 3, 0) : 0;
        f->element_typtype = PQgetvalue(r, row, 4)[0];
        RV_GO(rv_pgs_text(r, row, 0, v->arena, &f->name, err));
        RV_GO(rv_pgs_text(r, row, 5, v->arena, &f->display, err));
    }
    *out = list;
done:
    PQclear(r);
    return st;
}

void rv_pgs_attr_types(rv_pgs_resolving *v)
{
    rv_pgs_table *t = v->table;
    for (size_t i = 0; t && i < v->n_columns; i++)
        for (size_t k = 0; k < t->n_attrs && v->columns[i].table == t->oid; k++)
            if (t->attrs[k].number == v->columns[i].attnum) {
                t->attrs[k].base = v->columns[i].oid;
                t->attrs[k].key_type = rv_pgs_key_type(v->columns[i].oid, 'b');
            }
}

rv_type rv_pgs_natural(uint32_t oid, int32_t typmod)
{
    if (oid == RV_PG_INT2 || oid == RV_PG_INT4)
        return rv_type_of(oid == RV_PG_INT2 ? RV_INT16 : RV_INT32);
    if (oid == RV_PG_FLOAT4)
        return rv_type_of(RV_FLOAT32);
    if (oid != RV_PG_NUMERIC)
        return rv_type_of(rv_pgs_wire_kind(oid));
    /* without a modifier any number of fraction digits may come */
    int precision = typmod < 4 ? 0 : ((typmod - 4) >> 16) & 0xffff;
    int scale = typmod < 4 ? -1 : (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
    if (scale < 0 || scale > precision || precision > 76)
        return rv_type_decimal(76, 38);
    return rv_type_decimal((unsigned)precision, (unsigned)scale);
}

/* --- columns without a lossless type: all of them in one message --- */

static rv_status refused_of(rv_pgs_resolving *v, const rv_pgs_result_column *c,
                            const rv_pgs_type_facts *f, rv_sql_refused *out, rv_error *err)
{
    *out = (rv_sql_refused){.name = c->name};
    if (f->typtype == 'c' || f->typtype == 'p') {
        out->type = f->typtype == 'c' ? "postgres composite" : "postgres pseudo-type";
        return RV_OK;
    }
    if (strcmp(f->name, "numeric") == 0 && f->typmod < 0) {
        out->type = "postgres numeric, no precision";
        out->word = "decimal(18,2)";
        return RV_OK;
    }
    return rv_arena_printf(v->arena, &out->type, err, "postgres %s", f->display);
}

/* --- binding --- */

static bool column_nullable(const rv_pgs_resolving *v, const rv_pgs_result_column *c)
{
    const rv_pgs_attr *a =
        v->table && c->table == v->table->oid ? rv_pgs_attr_number(v->table, c->attnum) : NULL;
    return !a || !a->not_null;
}

static bool is_text(uint32_t oid)
{
    return oid == RV_PG_TEXT || oid == RV_PG_VARCHAR || oid == RV_PG_BPCHAR || oid == RV_PG_NAME;
}

static rv_status bind_one(rv_pgs_resolving *v, size_t i, const rv_pgs_type_facts *f,
                          bool *out_supported, rv_error *err)
{
    const rv_pgs_result_column *c = &v->columns[i];
    const rv_cfg_column *o = rv_sql_override_find(v->spec, v->rel->base_table, c->name);
    rv_column *column = &v->rel->schema->columns[i];
    RV_TRY(rv_pgs_column_bind(v->s, f, c->name, o, v->arena, &v->r->columns[i], column,
                              out_supported, err));
    column->name = c->name;
    column->nullable = column_nullable(v, c);
    if (o || v->spec->on_invalid_utf8 != RV_UTF8_BINARY || !is_text(f->oid))
        return RV_OK;
    rv_cfg_column raw = {.column = c->name, .type = rv_type_of(RV_BINARY)};
    RV_TRY(rv_pgs_column_bind(v->s, f, c->name, &raw, v->arena, &v->r->columns[i], column,
                              out_supported, err));
    column->nullable = column_nullable(v, c);
    return RV_OK;
}

rv_status rv_pgs_bind_columns(rv_pgs_resolving *v, rv_error *err)
{
    rv_pgs_type_facts *facts = NULL;
    rv_relation *rel = v->rel;
    rv_sql_refused *bad = NULL;
    size_t n_bad = 0;
    if (v->n_columns == 0)
        return rv_fail(err, RV_E_SOURCE_QUERY, "the result has no columns");
    RV_TRY(type_facts(v, &facts, err));
    RV_TRY(rv_arena_alloc(v->arena, sizeof *rel->schema, &rel->schema, err));
    RV_TRY(rv_arena_array(v->arena, v->n_columns, sizeof(rv_column), &rel->schema->columns, err));
    RV_TRY(rv_arena_array(v->arena, v->n_columns, sizeof *v->r->columns, &v->r->columns, err));
    RV_TRY(rv_arena_array(v->arena, v->n_columns, sizeof *bad, &bad, err));
    rel->schema->n_columns = v->r->n_columns = v->n_columns;
    for (size_t i = 0; i < v->n_columns; i++) {
        bool supported = true;
        RV_TRY(bind_one(v, i, &facts[i], &supported, err));
        if (!supported)
            RV_TRY(refused_of(v, &v->columns[i], &facts[i], &bad[n_bad++], err));
    }
    RV_TRY(rv_schema_check_names(rel->schema, err));
    RV_TRY(rv_sql_override_check(v->spec, rel->schema, v->arena, err));
    return n_bad && !v->spec->keep_unsupported ? rv_sql_refuse_columns(bad, n_bad, err) : RV_OK;
}
