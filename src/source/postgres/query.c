/* A `query:`: one reading statement, read in pages of its one table when the gates of spec
 * "source-safety" section 14 allow it, else sent whole or wrapped. */
#include "source/postgres/relation_internal.h"

#define WHAT "reading the query"

/* With the server's switch off, a backslash escapes in every string. */
static rv_status token_rules(rv_pgs_resolving *v, rv_error *err)
{
    PGresult *r = NULL;
    RV_TRY(rv_pgs_ask(v->s, "SHOW standard_conforming_strings", WHAT, &r, err));
    bool off = PQntuples(r) == 1 && strcmp(PQgetvalue(r, 0, 0), "off") == 0;
    PQclear(r);
    v->flags = RV_SQL_POSTGRES | (off ? RV_SQL_BACKSLASH : 0);
    return RV_OK;
}

/* --- the wrapped form --- */

static rv_status wrapped_texts(rv_pgs_resolving *v, rv_error *err)
{
    rv_pgs_relation *r = v->r;
    r->list = "*";
    r->qualifier = "_rivet";
    r->condition = NULL;
    r->wrapped = true;
    r->whole = v->spec->mode == RV_FULL ? r->query : NULL;
    v->rel->wrapped = v->spec->mode != RV_FULL;
    return rv_arena_printf(v->arena, &r->from, err, "(%s\n) AS _rivet", r->query);
}

/* The server refuses the wrapped form: is it the query itself, or the parentheses around it? */
static rv_status refused_wrapped(rv_pgs_resolving *v, const rv_error *cause, rv_error *err)
{
    PGresult *r = NULL;
    char text[400];
    if (cause->code != RV_E_SOURCE_QUERY) {
        if (err)
            *err = *cause;
        return cause->code;
    }
    RV_TRY(rv_pg_describe(v->s->pg, NULL, v->r->query, WHAT, &r, err));
    PQclear(r);
    rv_error_headline(cause, text, sizeof text);
    /* the server's own words, without what was being done */
    const char *said = strstr(text, ": ");
    rv_status st = rv_fail(err, RV_E_SOURCE_QUERY,
                           "mode %s has to wrap this query and the server refuses that (%s)",
                           rv_mode_name(v->spec->mode), said ? said + 2 : text);
    rv_hint(err, "make it a view and name it under table:");
    return st;
}

static rv_status describe_wrapped(rv_pgs_resolving *v, rv_error *err)
{
    const char *sql = NULL;
    rv_error cause;
    rv_error_clear(&cause);
    RV_TRY(wrapped_texts(v, err));
    RV_TRY(rv_arena_printf(v->arena, &sql, err, "SELECT * FROM %s WHERE 1 = 0", v->r->from));
    rv_status st = rv_pgs_describe(v, sql, NULL, &cause);
    if (st != RV_OK)
        return refused_wrapped(v, &cause, err);
    return rv_pgs_description_print(v, &v->r->fingerprint, err);
}

static bool computes_all_first(const json_t *node)
{
    static const char *const types[] = {"Aggregate", "WindowAgg", "Unique",      "SetOp",
                                        "CTE Scan",  "Limit",     "Materialize", "Group"};
    const char *type = json_string_value(json_object_get(node, "Node Type"));
    for (size_t i = 0; type && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    const json_t *children = json_object_get(node, "Plans");
    for (size_t i = 0; i < json_array_size(children); i++)
        if (computes_all_first(json_array_get(children, i)))
            return true;
    return false;
}

static rv_status warn_materialised(rv_pgs_resolving *v, rv_error *err)
{
    rv_pgs_plan plan = {NULL, NULL};
    if (v->spec->mode != RV_CHUNKED)
        return RV_OK;
    RV_TRY(rv_pgs_explain(v->s, v->r->allow_row_security, "", v->r->query, &plan, err));
    if (computes_all_first(plan.node))
        RV_LOG_WARN(v->s->env, "the query is computed anew for every chunk; make it a table, or "
                               "read it with mode: full");
    rv_pgs_plan_free(&plan);
    return RV_OK;
}

/* --- gates 1 to 3 --- */

static rv_status span_copy(const rv_pgs_resolving *v, rv_sql_span span, const char **out,
                           rv_error *err)
{
    return rv_arena_cstr(v->arena, rv_sql_span_text(rv_str_c(v->r->query), span), out, err);
}

static rv_status splice_texts(rv_pgs_resolving *v, rv_error *err)
{
    rv_pgs_relation *r = v->r;
    RV_TRY(span_copy(v, v->shape.list, &r->list, err));
    RV_TRY(span_copy(v, v->shape.from, &r->from, err));
    RV_TRY(span_copy(v, v->shape.qualifier, &r->qualifier, err));
    r->whole = NULL;
    r->wrapped = v->rel->wrapped = false;
    r->condition = NULL;
    if (v->shape.condition.begin == v->shape.condition.end)
        return RV_OK;
    return span_copy(v, v->shape.condition, &r->condition, err);
}

/* The probe: no row comes unless the list aggregates. */
static rv_status probe(rv_pgs_resolving *v, size_t n_columns, rv_error *err)
{
    const rv_pgs_relation *r = v->r;
    const char *sql = NULL;
    int rows = 0;
    rv_error cause;
    rv_error_clear(&cause);
    RV_TRY(rv_arena_printf(v->arena, &sql, err, "SELECT %s\nFROM %s\nWHERE %s%s%s1 = 0", r->list,
                           r->from, r->condition ? "(" : "", r->condition ? r->condition : "",
                           r->condition ? "\n) AND " : ""));
    rv_status st = rv_pgs_describe(v, sql, &rows, &cause);
    if (st == RV_E_SOURCE_QUERY) {
        v->reason = "refused when spliced";
        return RV_OK;
    }
    if (st != RV_OK && err)
        *err = cause;
    RV_TRY(st);
    if (rows > 0)
        v->reason = "aggregation";
    else if (v->n_columns != n_columns)
        v->reason = "other columns when spliced";
    return RV_OK;
}

/* pg_class oid that the written name means; 0: none. Between its parts may stand blanks and
 * comments, which to_regclass does not read. */
static rv_status written_oid(rv_pgs_resolving *v, uint32_t *out, rv_error *err)
{
    rv_buf b = RV_BUF_INIT, name = RV_BUF_INIT;
    PGresult *r = NULL;
    rv_status st;
    for (size_t i = 0; i < v->shape.n_parts; i++) {
        RV_GO(rv_buf_add_c(&name, i ? "." : "", err));
        RV_GO(
            rv_buf_add_str(&name, rv_sql_span_text(rv_str_c(v->r->query), v->shape.parts[i]), err));
    }
    RV_GO(rv_buf_add_c(&b, "SELECT pg_catalog.to_regclass(", err));
    RV_GO(rv_pgs_literal(rv_buf_str(&name), &b, err));
    RV_GO(rv_buf_add(&b, ")::oid", sizeof ")::oid", err));
    RV_GO(rv_pgs_ask(v->s, (const char *)b.ptr, WHAT, &r, err));
    *out = (uint32_t)rv_pgs_int(r, 0, 0, 0);
done:
    PQclear(r);
    rv_buf_free(&name);
    rv_buf_free(&b);
    return st;
}

static rv_status base_table(rv_pgs_resolving *v, rv_error *err)
{
    uint32_t origin = 0, written = 0;
    for (size_t i = 0; i < v->n_columns; i++) {
        if (v->columns[i].table && origin && v->columns[i].table != origin)
            v->reason = "columns of several tables";
        origin = v->columns[i].table ? v->columns[i].table : origin;
    }
    RV_TRY(written_oid(v, &written, err));
    if (!v->reason && (origin == 0 || written == 0))
        v->reason = origin ? "the name means no table" : "no plain column of a table";
    else if (!v->reason && origin != written)
        v->reason = "columns of another table";
    if (v->reason)
        return RV_OK;
    RV_TRY(rv_pgs_table_load(v->s, origin, v->arena, &v->table, err));
    if (!v->table)
        v->reason = "the table is gone";
    else if (v->table->relkind != 'r' && v->table->relkind != 'p')
        v->reason = v->table->relkind == 'v'   ? "view"
                    : v->table->relkind == 'f' ? "foreign table"
                                               : "no ordinary table";
    if (v->reason)
        v->table = NULL;
    return RV_OK;
}

static rv_status load_base(rv_pgs_resolving *v, rv_error *err)
{
    RV_TRY(base_table(v, err));
    if (v->reason)
        return RV_OK;
    RV_TRY(rv_pgs_table_attrs(v->s, v->table, v->arena, err));
    RV_TRY(rv_pgs_table_indexes(v->s, v->table, v->arena, err));
    rv_pgs_attr_types(v);
    v->rel->base_schema = v->table->schema;
    v->rel->base_table = v->table->name;
    v->r->base_oid = v->table->oid;
    v->r->relkind = v->table->relkind;
    return RV_OK;
}

/* Predicates go by name: a result column called like a column must be that column. */
static bool is_itself(const rv_pgs_resolving *v, const char *name, bool required)
{
    const rv_pgs_attr *a = rv_pgs_attr_find(v->table, name);
    bool seen = false;
    for (size_t i = 0; i < v->n_columns; i++) {
        if (strcmp(v->columns[i].name, name) != 0)
            continue;
        seen = true;
        if (!a || v->columns[i].table != v->table->oid || v->columns[i].attnum != a->number)
            return false;
    }
    return seen || !required;
}

static rv_status key_gate(rv_pgs_resolving *v, rv_error *err)
{
    bool *present = NULL;
    rv_relation *rel = v->rel;
    RV_TRY(rv_arena_array(v->arena, v->table->n_attrs + 1, sizeof *present, &present, err));
    for (size_t i = 0; i < v->n_columns; i++) {
        const rv_pgs_attr *a = v->columns[i].table == v->table->oid
                                   ? rv_pgs_attr_number(v->table, v->columns[i].attnum)
                                   : NULL;
        if (a)
            present[a - v->table->attrs] = true;
    }
    RV_TRY(rv_pgs_key_choose(v->spec, v->table, present, rel, err));
    if (rel->key.n_columns == 0)
        v->reason = "no usable key in the list";
    /* pages qualify the key and place it by its number; what else a mode names goes by name */
    for (size_t i = 0; v->spec->mode != RV_FULL && i < rel->key.n_columns; i++)
        if (!is_itself(v, rel->key.columns[i], false))
            v->reason = "an alias hides the key";
    if ((v->spec->bound.column && !is_itself(v, v->spec->bound.column, true)) ||
        (v->spec->bound.fallback && !is_itself(v, v->spec->bound.fallback, true)))
        v->reason = "the bound is no plain column";
    return RV_OK;
}

static rv_status run_gates(rv_pgs_resolving *v, rv_error *err)
{
    size_t n_columns = v->n_columns;
    rv_sql_shape_of(rv_str_c(v->r->query), v->flags, &v->shape);
    if (!v->shape.ok)
        return rv_arena_cstr(v->arena, rv_str_c(v->shape.reason), &v->reason, err);
    RV_TRY(splice_texts(v, err));
    RV_TRY(probe(v, n_columns, err));
    if (!v->reason)
        RV_TRY(load_base(v, err));
    return v->reason ? RV_OK : key_gate(v, err);
}

static rv_status back_to_wrapped(rv_pgs_resolving *v, rv_error *err)
{
    v->rel->key = (rv_key){.n_columns = 0};
    v->rel->is_primary = false;
    RV_TRY(wrapped_texts(v, err));
    return warn_materialised(v, err);
}

rv_status rv_pgs_query_gates(rv_pgs_resolving *v, rv_error *err)
{
    rv_str text;
    RV_TRY(token_rules(v, err));
    RV_TRY(rv_sql_one_statement(rv_str_c(v->spec->query), v->flags, &text, err));
    RV_TRY(rv_arena_cstr(v->arena, text, &v->r->query, err));
    RV_TRY(describe_wrapped(v, err));
    rv_pgs_result_column *columns = v->columns;
    size_t n_columns = v->n_columns;
    RV_TRY(run_gates(v, err));
    if (!v->reason)
        return RV_OK;
    v->columns = columns;
    v->n_columns = n_columns;
    return back_to_wrapped(v, err);
}

/* --- gate 4 and the shape --- */

/* Pages by (bound, key) where the mode moves along its bound. */
static bool needs_bound_order(const rv_read_spec *spec)
{
    return spec->bound.column && (spec->mode == RV_INCREMENTAL || spec->mode == RV_CHUNKED);
}

static rv_status plan_gate(rv_pgs_resolving *v, rv_error *err)
{
    bool seq = false;
    const char *window = NULL;
    RV_TRY(rv_pgs_bound_order(v, &v->reason, err));
    if (needs_bound_order(v->spec) &&
        (v->reason || strcmp(v->spec->bound.column, v->rel->key.columns[0]) != 0))
        return RV_OK;
    RV_TRY(rv_pgs_page_gate(v, false, &v->reason, &seq, err));
    if (!v->reason || !seq)
        return RV_OK;
    RV_TRY(rv_pgs_window_gate(v, &window, err));
    if (window)
        return RV_OK;
    v->reason = NULL;
    v->r->windows_first = true;
    return RV_OK;
}

rv_status rv_pgs_query_shape(rv_pgs_resolving *v, rv_error *err)
{
    rv_relation *rel = v->rel;
    bool spliced = !v->reason, paged = v->spec->consistency != RV_CONSISTENCY_STATEMENT;
    if (spliced && v->table->bytes <= RV_PGS_SMALL_BYTES) {
        rel->shape = RV_SHAPE_STATEMENT;
        rel->small = true;
        rel->shape_reason = "small table";
        return RV_OK;
    }
    if (spliced && paged)
        RV_TRY(plan_gate(v, err));
    if (spliced && v->reason)
        RV_TRY(back_to_wrapped(v, err));
    rel->shape = RV_SHAPE_PAGES;
    if (!v->reason && paged)
        return RV_OK;
    rel->shape_reason = v->reason ? v->reason : "consistency: statement";
    rel->shape = v->s->statement_pool ? RV_SHAPE_STATEMENT : RV_SHAPE_CURSOR;
    if (v->spec->mode == RV_FULL)
        v->r->whole = v->r->query;
    return RV_OK;
}
