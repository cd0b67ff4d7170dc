/* From the configuration to a relation: which table, columns, key and shape. */
#include "source/mysql/relation_internal.h"

/* --- table: --- */

/* What SELECT * gives: invisible columns are left out, a query: may name them. They are described
 * all the same, for one of them may be the key. */
static rv_status add_columns(const rv_mys_resolving *v, bool invisible, size_t *io_n, rv_buf *b,
                             rv_error *err)
{
    const rv_mys_table *t = v->table;
    for (size_t i = 0; i < t->n_attrs; i++) {
        if (t->attrs[i].invisible != invisible)
            continue;
        RV_TRY(rv_buf_printf(b, err, "%s%s.", (*io_n)++ ? ", " : "", v->r->qualifier));
        RV_TRY(rv_my_quote(t->attrs[i].name, b, err));
    }
    return RV_OK;
}

static rv_status table_texts(rv_mys_resolving *v, size_t *out_visible, rv_error *err)
{
    rv_mys_relation *r = v->r;
    const rv_mys_table *t = v->table;
    rv_buf b = RV_BUF_INIT;
    size_t n = 0;
    rv_status st;
    RV_GO(rv_mys_quoted(t->name, v->arena, &r->qualifier, err));
    RV_GO(rv_mys_quoted(t->schema, v->arena, &r->from, err));
    RV_GO(rv_arena_printf(v->arena, &r->from, err, "%s.%s", r->from, r->qualifier));
    RV_GO(add_columns(v, false, &n, &b, err));
    RV_GO(rv_arena_cstr(v->arena, rv_buf_str(&b), &r->list, err));
    *out_visible = n;
done:
    rv_buf_free(&b);
    return st;
}

/* By a star: of columns that this user may not see the catalog says nothing, the server does. */
static rv_status describe_table(rv_mys_resolving *v, size_t n_visible, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    size_t n = n_visible;
    rv_status st;
    RV_GO(rv_buf_printf(&b, err, "SELECT %s.*", v->r->qualifier));
    RV_GO(add_columns(v, true, &n, &b, err));
    RV_GO(rv_buf_printf(&b, err, " FROM %s WHERE 1 = 0", v->r->from));
    RV_GO(rv_buf_add_byte(&b, 0, err));
    RV_GO(rv_mys_describe(v, (const char *)b.ptr, NULL, err));
    if (v->n_columns != n) {
        st = rv_fail(err, RV_E_SOURCE_CHANGED, "table '%s' changed while it was resolved",
                     v->table->name);
        goto done;
    }
    rv_mys_merge_attrs(v);
    v->n_columns = n_visible;
    RV_GO(rv_mys_attr_print(v->table, v->arena, &v->r->fingerprint, err));
done:
    rv_buf_free(&b);
    return st;
}

static rv_status resolve_table(rv_mys_resolving *v, rv_error *err)
{
    size_t visible = 0;
    RV_TRY(rv_mys_table_find(v->s, v->spec->table, v->arena, &v->table, err));
    v->rel->base_schema = v->table->schema;
    v->rel->base_table = v->table->name;
    RV_TRY(rv_mys_table_attrs(v->s, v->table, v->arena, err));
    RV_TRY(table_texts(v, &visible, err));
    if (visible == 0)
        return rv_fail(err, RV_E_SOURCE_QUERY, "table '%s' has no columns", v->table->name);
    RV_TRY(describe_table(v, visible, err));
    if (!v->table->view)
        RV_TRY(rv_mys_table_indexes(v->s, v->table, v->arena, err));
    return rv_mys_key_choose(v->spec, v->table, NULL, v->rel, err);
}

static rv_status choose_shape(rv_mys_resolving *v, rv_error *err)
{
    rv_relation *rel = v->rel;
    const char *refusal = NULL;
    rel->shape = RV_SHAPE_STATEMENT;
    if (rel->key.n_columns == 0) {
        refusal = v->table->view ? "view" : "no usable key";
    } else if (v->spec->consistency == RV_CONSISTENCY_STATEMENT) {
        refusal = "consistency: statement";
    } else if (!rv_mys_is_small(v)) {
        RV_TRY(rv_mys_page_gate(v, false, rel->key.name, &refusal, err));
    }
    if (!refusal) {
        rel->shape = RV_SHAPE_PAGES;
        return RV_OK;
    }
    rel->small = rv_mys_is_small(v);
    rel->shape_reason = rel->small ? "small table" : refusal;
    return RV_OK;
}

/* --- what both have in common --- */

/* Rows the planner expects of the read as it is written. Of a view it may tell nothing to those who
 * may only read it. */
static rv_status estimate(rv_mys_resolving *v, rv_error *err)
{
    const rv_mys_relation *r = v->r;
    rv_relation *rel = v->rel;
    const char *sql = r->query;
    rv_error why;
    if (!sql)
        RV_TRY(rv_arena_printf(v->arena, &sql, err, "SELECT %s FROM %s", r->list, r->from));
    rv_error_clear(&why);
    rv_status st = rv_mys_explain(v->s, sql, v->arena, &v->plan, &why);
    if (st != RV_OK && st != RV_E_SOURCE_PERMISSION && st != RV_E_SOURCE_QUERY) {
        if (err)
            *err = why;
        return st;
    }
    rel->row_estimate = rv_mys_plan_rows(&v->plan);
    if (v->table && v->table->average_bytes > 0)
        rel->row_bytes = v->table->average_bytes;
    return RV_OK;
}

static rv_status warn_engine(const rv_mys_resolving *v, rv_error *err)
{
    rv_source *s = v->s;
    const rv_mys_table *t = v->table;
    v->r->transactional = !t || t->transactional;
    if (v->r->transactional || (s->warned_table && strcmp(s->warned_table, t->name) == 0))
        return RV_OK;
    RV_LOG_WARN(s->env,
                "table '%s' is of engine %s: no snapshot of it exists, and long reads block those "
                "who write to it",
                t->name, t->engine ? t->engine : "?");
    return rv_arena_cstr(&s->arena, rv_str_c(t->name), &s->warned_table, err);
}

rv_status rv_mys_resolve(rv_source *s, const rv_read_spec *spec, rv_arena *arena, rv_relation **out,
                         rv_error *err)
{
    rv_mys_resolving v = {.s = s, .spec = spec, .arena = arena};
    const char *ignored = NULL;
    RV_TRY(rv_arena_alloc(arena, sizeof *v.rel, &v.rel, err));
    RV_TRY(rv_arena_alloc(arena, sizeof *v.r, &v.r, err));
    v.rel->driver = v.r;
    v.rel->engine = "mysql";
    v.rel->row_estimate = v.rel->row_bytes = -1;
    v.rel->shape_reason = "";
    v.r->force = "";
    v.r->on_invalid_utf8 = spec->on_invalid_utf8;
    v.r->override_error_null = spec->override_error_null;
    v.r->zero_date_fail = spec->zero_date_fail;
    if (spec->table)
        RV_TRY(resolve_table(&v, err));
    else
        RV_TRY(rv_mys_query_gates(&v, err));
    RV_TRY(rv_mys_bind_columns(&v, err));
    RV_TRY(rv_mys_choose_results(&v, err));
    RV_TRY(estimate(&v, err));
    v.r->bytes = v.table ? v.table->bytes : -1;
    RV_TRY(rv_mys_place_values(&v, err));
    if (spec->table)
        RV_TRY(choose_shape(&v, err));
    else
        RV_TRY(rv_mys_query_shape(&v, err));
    if (v.rel->shape == RV_SHAPE_PAGES && spec->table)
        RV_TRY(rv_mys_bound_order(&v, &ignored, err));
    RV_TRY(warn_engine(&v, err));
    *out = v.rel;
    return RV_OK;
}
