/* A `query:`: one reading statement, read in pages of its one table when the gates of spec
 * "source-safety" section 14 allow it, else sent whole or wrapped. */
#include "source/mysql/relation_internal.h"
#include "source/sql/name.h"

#define WHAT "reading the query"

/* As the session reads it: NO_BACKSLASH_ESCAPES is never on. */
static unsigned token_rules(const rv_source *s)
{
    return RV_SQL_MYSQL & ~(s->ansi_quotes ? (unsigned)RV_SQL_DQ_STRINGS : 0u);
}

/* --- the query as it is written --- */

static rv_status describe_written(rv_mys_resolving *v, rv_error *err)
{
    rv_str text;
    unsigned rules =
        v->flags & ~(unsigned)RV_SQL_MYSQL_REFUSALS; /* those matter to splicing only */
    RV_TRY(rv_sql_one_statement(rv_str_c(v->spec->query), rules, &text, err));
    RV_TRY(rv_arena_cstr(v->arena, text, &v->r->query, err));
    RV_TRY(
        rv_mys_describe_only(v->s, v->r->query, WHAT, v->arena, &v->columns, &v->n_columns, err));
    return rv_mys_check_names(v, err);
}

/* --- the wrapped form --- */

/* The server refuses the parentheses around the query, which it takes as it stands. */
static rv_status refused_wrapped(const rv_mys_resolving *v, const rv_error *cause, rv_error *err)
{
    char text[400];
    rv_error_headline(cause, text, sizeof text);
    /* the server's own words, without what was being done */
    const char *said = strstr(text, ": ");
    rv_status st = rv_fail(err, RV_E_SOURCE_QUERY,
                           "mode %s has to wrap this query and the server refuses that (%s)",
                           rv_mode_name(v->spec->mode), said ? said + 2 : text);
    rv_hint(err, "make it a view and name it under table:");
    return st;
}

static rv_status describe_wrapped(rv_mys_resolving *v, rv_error *err)
{
    const char *sql = NULL;
    rv_error cause;
    rv_error_clear(&cause);
    RV_TRY(rv_arena_printf(v->arena, &sql, err, "SELECT * FROM %s WHERE 1 = 0", v->r->from));
    rv_status st = rv_mys_describe(v, sql, NULL, &cause);
    if (st == RV_E_SOURCE_QUERY)
        return refused_wrapped(v, &cause, err);
    if (st != RV_OK && err)
        *err = cause;
    return st;
}

static rv_status warn_materialised(rv_mys_resolving *v, rv_error *err)
{
    rv_mys_plan plan = {NULL, 0};
    const char *sql = NULL;
    if (v->spec->mode != RV_CHUNKED)
        return RV_OK;
    RV_TRY(rv_arena_printf(v->arena, &sql, err, "SELECT * FROM %s", v->r->from));
    RV_TRY(rv_mys_explain(v->s, sql, v->arena, &plan, err));
    if (rv_mys_plan_derives(&plan))
        RV_LOG_WARN(v->s->env, "the query is computed anew for every chunk; make it a table, or "
                               "read it with mode: full");
    return RV_OK;
}

static rv_status wrap(rv_mys_resolving *v, rv_error *err)
{
    rv_mys_relation *r = v->r;
    v->rel->key = (rv_key){.n_columns = 0};
    v->rel->is_primary = false;
    memset(r->key, 0, sizeof r->key);
    r->list = "*";
    r->qualifier = "_rivet";
    r->condition = NULL;
    r->force = "";
    r->wrapped = true;
    r->whole = v->spec->mode == RV_FULL ? r->query : NULL;
    v->rel->wrapped = v->spec->mode != RV_FULL;
    RV_TRY(rv_arena_printf(v->arena, &r->from, err, "(%s\n) AS _rivet", r->query));
    if (r->whole)
        return RV_OK;
    RV_TRY(describe_wrapped(v, err));
    return warn_materialised(v, err);
}

/* --- gates 1 to 3 --- */

static rv_status span_copy(const rv_mys_resolving *v, rv_sql_span span, const char **out,
                           rv_error *err)
{
    return rv_arena_cstr(v->arena, rv_sql_span_text(rv_str_c(v->r->query), span), out, err);
}

static rv_status splice_texts(rv_mys_resolving *v, rv_error *err)
{
    rv_mys_relation *r = v->r;
    RV_TRY(span_copy(v, v->shape.list, &r->list, err));
    RV_TRY(span_copy(v, v->shape.from, &r->from, err));
    RV_TRY(span_copy(v, v->shape.qualifier, &r->qualifier, err));
    if (v->shape.condition.begin == v->shape.condition.end)
        return RV_OK;
    return span_copy(v, v->shape.condition, &r->condition, err);
}

/* The probe: no row comes unless the list aggregates. */
static rv_status probe(rv_mys_resolving *v, rv_error *err)
{
    const rv_mys_relation *r = v->r;
    const char *sql = NULL;
    uint64_t rows = 0;
    size_t n_columns = v->n_columns;
    rv_error cause;
    rv_error_clear(&cause);
    RV_TRY(rv_arena_printf(v->arena, &sql, err, "SELECT %s\nFROM %s\nWHERE %s%s%s1 = 0", r->list,
                           r->from, r->condition ? "(" : "", r->condition ? r->condition : "",
                           r->condition ? "\n) AND " : ""));
    rv_status st = rv_mys_describe(v, sql, &rows, &cause);
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

/* The table that is written after FROM. */
static rv_status load_written(rv_mys_resolving *v, rv_error *err)
{
    const char *part[2] = {NULL, NULL};
    size_t n = v->shape.n_parts;
    if (n == 0 || n > 2) {
        v->reason = "the name means no table";
        return RV_OK;
    }
    for (size_t i = 0; i < n; i++)
        RV_TRY(rv_sql_unquote(rv_sql_span_text(rv_str_c(v->r->query), v->shape.parts[i]), v->arena,
                              &part[i], err));
    RV_TRY(rv_mys_table_load(v->s, n == 2 ? part[0] : NULL, part[n - 1], v->arena, &v->table, err));
    if (!v->table)
        v->reason = "the name means no table";
    else if (v->table->view)
        v->reason = "view";
    return RV_OK;
}

/* All columns with an origin are of that table; those without are expressions. */
static void check_origins(rv_mys_resolving *v)
{
    bool any = false;
    for (size_t i = 0; i < v->n_columns && !v->reason; i++) {
        const rv_mys_field *f = &v->columns[i];
        if (!f->org_table[0])
            continue;
        any = true;
        if (!rv_mys_same_name(v->s, f->org_table, v->table->name) ||
            !rv_mys_same_name(v->s, f->db, v->table->schema))
            v->reason = "columns of another table";
    }
    if (!any && !v->reason)
        v->reason = "no plain column of a table";
}

static rv_status load_base(rv_mys_resolving *v, rv_error *err)
{
    RV_TRY(load_written(v, err));
    if (!v->reason)
        check_origins(v);
    if (v->reason) {
        v->table = NULL;
        return RV_OK;
    }
    RV_TRY(rv_mys_table_attrs(v->s, v->table, v->arena, err));
    RV_TRY(rv_mys_table_indexes(v->s, v->table, v->arena, err));
    rv_mys_merge_attrs(v);
    v->rel->base_schema = v->table->schema;
    v->rel->base_table = v->table->name;
    return RV_OK;
}

/* Predicates go by name: a result column called like a column must be that column. */
static bool is_itself(const rv_mys_resolving *v, const char *name, bool required)
{
    const rv_mys_attr *a = rv_mys_attr_find(v->table, name);
    bool seen = false;
    for (size_t i = 0; i < v->n_columns; i++) {
        if (!rv_str_eq_nocase(rv_str_c(v->columns[i].name), rv_str_c(name)))
            continue;
        seen = true;
        if (!a || rv_mys_origin(v, &v->columns[i]) != a)
            return false;
    }
    return seen || !required;
}

static rv_status key_gate(rv_mys_resolving *v, rv_error *err)
{
    bool *present = NULL;
    rv_relation *rel = v->rel;
    const rv_expr *bound = &v->spec->bound;
    RV_TRY(rv_arena_array(v->arena, v->table->n_attrs + 1, sizeof *present, &present, err));
    for (size_t i = 0; i < v->n_columns; i++) {
        const rv_mys_attr *a = rv_mys_origin(v, &v->columns[i]);
        if (a)
            present[a - v->table->attrs] = true;
    }
    RV_TRY(rv_mys_key_choose(v->spec, v->table, present, rel, err));
    if (rel->key.n_columns == 0)
        v->reason = "no usable key in the list";
    /* pages qualify the key and place it by its origin; what else a mode names goes by name */
    for (size_t i = 0; v->spec->mode != RV_FULL && i < rel->key.n_columns; i++)
        if (!is_itself(v, rel->key.columns[i], false))
            v->reason = "an alias hides the key";
    if ((bound->column && !is_itself(v, bound->column, true)) ||
        (bound->fallback && !is_itself(v, bound->fallback, true)))
        v->reason = "the bound is no plain column";
    return RV_OK;
}

static rv_status run_gates(rv_mys_resolving *v, rv_error *err)
{
    rv_sql_shape_of(rv_str_c(v->r->query), v->flags, &v->shape);
    if (!v->shape.ok)
        return rv_arena_cstr(v->arena, rv_str_c(v->shape.reason), &v->reason, err);
    RV_TRY(splice_texts(v, err));
    RV_TRY(probe(v, err));
    if (!v->reason)
        RV_TRY(load_base(v, err));
    return v->reason ? RV_OK : key_gate(v, err);
}

rv_status rv_mys_query_gates(rv_mys_resolving *v, rv_error *err)
{
    v->flags = token_rules(v->s);
    RV_TRY(describe_written(v, err));
    rv_mys_field *columns = v->columns;
    size_t n_columns = v->n_columns;
    RV_TRY(run_gates(v, err));
    if (v->reason) {
        v->columns = columns;
        v->n_columns = n_columns;
        RV_TRY(wrap(v, err));
    }
    return rv_mys_description_print(v, &v->r->fingerprint, err);
}

/* --- gate 4 and the shape --- */

/* Pages by (bound, key) where the mode moves along its bound. */
static bool needs_bound_order(const rv_read_spec *spec)
{
    return spec->bound.column && (spec->mode == RV_INCREMENTAL || spec->mode == RV_CHUNKED);
}

static rv_status plan_gate(rv_mys_resolving *v, rv_error *err)
{
    const char *no_order = NULL;
    bool by_bound =
        needs_bound_order(v->spec) && strcmp(v->spec->bound.column, v->rel->key.columns[0]) != 0;
    if (!by_bound)
        RV_TRY(rv_mys_page_gate(v, false, v->rel->key.name, &v->reason, err));
    if (v->reason)
        return RV_OK;
    RV_TRY(rv_mys_bound_order(v, &no_order, err));
    if (by_bound)
        v->reason = no_order;
    return RV_OK;
}

/* The columns may be typed otherwise behind parentheses: all of it once more. */
static rv_status wrap_anew(rv_mys_resolving *v, rv_error *err)
{
    RV_TRY(wrap(v, err));
    if (v->r->whole)
        RV_TRY(rv_mys_describe_only(v->s, v->r->query, WHAT, v->arena, &v->columns, &v->n_columns,
                                    err));
    RV_TRY(rv_mys_description_print(v, &v->r->fingerprint, err));
    RV_TRY(rv_mys_bind_columns(v, err));
    v->r->bound = v->r->fallback = (rv_mys_key_column){.place = -1};
    return rv_mys_place_values(v, err);
}

rv_status rv_mys_query_shape(rv_mys_resolving *v, rv_error *err)
{
    rv_relation *rel = v->rel;
    bool spliced = !v->reason, paged = v->spec->consistency != RV_CONSISTENCY_STATEMENT;
    rel->shape = RV_SHAPE_STATEMENT;
    if (spliced && rv_mys_is_small(v)) {
        rel->small = true;
        rel->shape_reason = "small table";
        return RV_OK;
    }
    if (spliced && paged)
        RV_TRY(plan_gate(v, err));
    if (spliced && v->reason)
        RV_TRY(wrap_anew(v, err));
    if (!v->reason && paged) {
        rel->shape = RV_SHAPE_PAGES;
        return RV_OK;
    }
    rel->shape_reason = v->reason ? v->reason : "consistency: statement";
    if (v->spec->mode == RV_FULL)
        v->r->whole = v->r->query;
    return RV_OK;
}
