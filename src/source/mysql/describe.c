/* Result columns: what the server describes, bound to types. Source: spec "types" sections 1, 4,
 * 8; MySQL internals, "Protocol::ColumnDefinition41". */
#include <stdio.h>

#include "column/override.h"
#include "source/mysql/relation_internal.h"
#include "source/sql/guard.h"
#include "source/sql/override.h"

#define WHAT "resolving the columns"

rv_status rv_mys_describe(rv_mys_resolving *v, const char *sql, uint64_t *out_rows, rv_error *err)
{
    MYSQL_RES *r = NULL;
    rv_status st = rv_mys_ask(v->s, sql, WHAT, &r, err);
    if (st == RV_OK)
        st = rv_mys_fields(r, v->arena, &v->columns, &v->n_columns, err);
    else
        rv_mys_advise(err);
    if (st == RV_OK && out_rows)
        *out_rows = r ? mysql_num_rows(r) : 0;
    mysql_free_result(r);
    return st;
}

rv_status rv_mys_description_print(const rv_mys_resolving *v, const char **out, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    rv_status st = RV_OK;
    for (size_t i = 0; i < v->n_columns; i++) {
        const rv_mys_field *f = &v->columns[i];
        const char *origin = NULL;
        char type[120];
        (void)snprintf(type, sizeof type, "%d %lu %u %u %u %d%d%d", (int)f->type, f->length,
                       f->charset, f->decimals, f->flags & (UNSIGNED_FLAG | ENUM_FLAG | SET_FLAG),
                       f->json, f->uuid, f->inet);
        RV_GO(
            rv_arena_printf(v->arena, &origin, err, "%s.%s.%s", f->db, f->org_table, f->org_name));
        RV_GO(rv_sql_guard_line(f->name, type, origin, &b, err));
    }
    RV_GO(rv_mys_keep(&b, v->arena, out, err));
done:
    rv_buf_free(&b);
    return st;
}

rv_status rv_mys_check_names(const rv_mys_resolving *v, rv_error *err)
{
    rv_schema schema = {NULL, v->n_columns};
    RV_TRY(rv_arena_array(v->arena, v->n_columns + 1, sizeof(rv_column), &schema.columns, err));
    for (size_t i = 0; i < v->n_columns; i++)
        schema.columns[i].name = v->columns[i].name;
    return rv_schema_check_names(&schema, err);
}

/* --- what the catalog knows of them --- */

rv_mys_attr *rv_mys_origin(const rv_mys_resolving *v, const rv_mys_field *f)
{
    const rv_mys_table *t = v->table;
    if (!t || !f->org_name || !f->org_name[0] || !rv_mys_same_name(v->s, f->org_table, t->name) ||
        !rv_mys_same_name(v->s, f->db, t->schema))
        return NULL;
    return rv_mys_attr_find(t, f->org_name);
}

void rv_mys_merge_attrs(rv_mys_resolving *v)
{
    for (size_t i = 0; i < v->n_columns; i++) {
        rv_mys_attr *a = rv_mys_origin(v, &v->columns[i]);
        if (!a)
            continue;
        v->columns[i].declared = a->declared;
        a->field = v->columns[i];
        a->described = true;
    }
}

/* --- binding --- */

static bool is_text(rv_type t)
{
    return t.kind == RV_STRING;
}

static rv_status bind_one(rv_mys_resolving *v, size_t i, bool *out_supported, rv_error *err)
{
    const rv_mys_field *f = &v->columns[i];
    const rv_cfg_column *o = rv_sql_override_find(v->spec, v->rel->base_table, f->name);
    const rv_mys_attr *a = rv_mys_origin(v, f);
    rv_column *column = &v->rel->schema->columns[i];
    rv_mys_column *c = &v->r->columns[i];
    rv_type natural = rv_type_of(RV_STRING);
    bool supported = true;
    rv_mys_natural(f, &natural, &supported);
    *c = (rv_mys_column){.name = f->name, .field = *f, .type = natural, .overridden = o != NULL};
    *column = (rv_column){.name = f->name, .nullable = !a || !a->not_null};
    RV_TRY(rv_mys_label(f, v->arena, &column->source_type, err));
    column->fidelity = supported ? rv_mys_fidelity(f, natural) : RV_UNSUPPORTED;
    if (o) {
        c->type = o->type;
        RV_TRY(rv_override_judge(column, supported ? natural : o->type, o->type, v->arena, err));
    } else if (v->spec->on_invalid_utf8 == RV_UTF8_BINARY && is_text(natural)) {
        c->type = rv_type_of(RV_BINARY);
        c->overridden = true;
        RV_TRY(rv_override_judge(column, natural, c->type, v->arena, err));
    }
    column->type = c->type;
    *out_supported = supported || o;
    return *out_supported ? rv_mys_column_bind(c, v->r->text_protocol, err) : RV_OK;
}

rv_status rv_mys_bind_columns(rv_mys_resolving *v, rv_error *err)
{
    rv_relation *rel = v->rel;
    rv_sql_refused *bad = NULL;
    size_t n_bad = 0, n = v->n_columns;
    if (n == 0)
        return rv_fail(err, RV_E_SOURCE_QUERY, "the result has no columns");
    RV_TRY(rv_arena_alloc(v->arena, sizeof *rel->schema, &rel->schema, err));
    RV_TRY(rv_arena_array(v->arena, n, sizeof(rv_column), &rel->schema->columns, err));
    RV_TRY(rv_arena_array(v->arena, n, sizeof *v->r->columns, &v->r->columns, err));
    RV_TRY(rv_arena_array(v->arena, n, sizeof *bad, &bad, err));
    rel->schema->n_columns = v->r->n_columns = n;
    v->r->text_protocol = rv_mys_text_faster(v->columns, n);
    for (size_t i = 0; i < n; i++) {
        bool supported = true;
        RV_TRY(bind_one(v, i, &supported, err));
        if (supported)
            continue;
        bad[n_bad] = (rv_sql_refused){.name = v->columns[i].name};
        RV_TRY(rv_arena_printf(v->arena, &bad[n_bad++].type, err, "mysql %s",
                               rel->schema->columns[i].source_type));
    }
    RV_TRY(rv_schema_check_names(rel->schema, err));
    RV_TRY(rv_sql_override_check(v->spec, rel->schema, v->arena, err));
    return n_bad && !v->spec->keep_unsupported ? rv_sql_refuse_columns(bad, n_bad, err) : RV_OK;
}
