/* Gate 4: would the server walk the key? And how values of key and bound travel.
 * Source: spec "source-safety" section 14; design "sources" section 2. */
#include "source/mysql/decode_internal.h"
#include "source/mysql/relation_internal.h"
#include "source/sql/name.h"

#define DECLARED_BYTES 4 /* of a column, at the least, on average */

/* --- values of columns and expressions --- */

static rv_mys_key_column value_of(const rv_mys_field *f, const rv_mys_attr *a, int place)
{
    rv_mys_key_column c = {.field = *f, .place = place};
    bool text = a && a->collation && rv_mys_is_text(f);
    c.charset = text ? a->charset : NULL;
    c.collation = text ? a->collation : NULL;
    return c;
}

/* The column's own words are not in a description, and an expression has no catalog: the server
 * types the aggregate of no rows. */
static rv_status ask_collation(rv_mys_resolving *v, const rv_expr *e, rv_mys_key_column *io,
                               rv_error *err)
{
    rv_buf expr = RV_BUF_INIT;
    const char *sql = NULL;
    MYSQL_RES *r = NULL;
    rv_status st;
    RV_GO(rv_mys_expr(v->r, e, &expr, err));
    RV_GO(rv_arena_printf(
        v->arena, &sql, err, "SELECT CHARSET(MAX(%.*s)), COLLATION(MAX(%.*s)) FROM %s WHERE 1 = 0",
        (int)expr.len, (const char *)expr.ptr, (int)expr.len, (const char *)expr.ptr, v->r->from));
    RV_GO(rv_mys_ask(v->s, sql, "resolving the columns", &r, err));
    MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
    if (!row)
        goto done;
    RV_GO(rv_mys_text(row, mysql_fetch_lengths(r), 0, v->arena, &io->charset, err));
    RV_GO(rv_mys_text(row, mysql_fetch_lengths(r), 1, v->arena, &io->collation, err));
done:
    mysql_free_result(r);
    rv_buf_free(&expr);
    return st;
}

static int find_column(const rv_mys_resolving *v, const char *name)
{
    for (size_t i = 0; i < v->n_columns; i++)
        if (strcmp(v->columns[i].name, name) == 0)
            return (int)i;
    return -1;
}

static rv_status missing_column(const rv_mys_resolving *v, const char *name, rv_error *err)
{
    const char **names = NULL, *what = NULL;
    RV_TRY(rv_arena_array(v->arena, v->n_columns + 1, sizeof *names, &names, err));
    RV_TRY(rv_mys_what(v->rel, v->arena, &what, err));
    for (size_t i = 0; i < v->n_columns; i++)
        names[i] = v->columns[i].name;
    rv_status st =
        rv_fail(err, RV_E_SOURCE_MISSING, "%s: no column '%s' in the result", what, name);
    int guess = rv_suggest(rv_str_c(name), names, v->n_columns);
    if (guess >= 0)
        rv_hint(err, "did you mean '%s'? names are taken exactly, case included", names[guess]);
    return st;
}

static rv_status unfit(const rv_mys_resolving *v, int column, rv_error *err)
{
    rv_status st = rv_fail(err, RV_E_CONFIG_KEY_UNUSABLE,
                           "column '%s' (mysql %s) has no order that a run could go on from",
                           v->columns[column].name, v->rel->schema->columns[column].source_type);
    rv_hint(err, "use an integer, decimal, text, uuid, date or timestamp column");
    return st;
}

/* COALESCE has a type of its own. */
static rv_status place_coalesced(rv_mys_resolving *v, const rv_expr *e, rv_error *err)
{
    rv_buf expr = RV_BUF_INIT;
    const char *sql = NULL;
    MYSQL_RES *r = NULL;
    rv_mys_field *f = NULL;
    size_t n = 0;
    rv_status st;
    RV_GO(rv_mys_expr(v->r, e, &expr, err));
    RV_GO(rv_arena_printf(v->arena, &sql, err, "SELECT %.*s FROM %s WHERE 1 = 0", (int)expr.len,
                          (const char *)expr.ptr, v->r->from));
    RV_GO(rv_mys_ask(v->s, sql, "resolving the columns", &r, err));
    RV_GO(rv_mys_fields(r, v->arena, &f, &n, err));
    if (n == 0) {
        st = rv_fail(err, RV_E_SOURCE_QUERY, "the server describes no COALESCE of the cursor");
        goto done;
    }
    v->r->bound = value_of(f, NULL, -1);
    v->r->bound.field.name = e->column;
done:
    mysql_free_result(r);
    rv_buf_free(&expr);
    return st;
}

static rv_status place_bound(rv_mys_resolving *v, rv_error *err)
{
    const rv_expr *bound = &v->spec->bound;
    rv_relation *rel = v->rel;
    rv_mys_relation *r = v->r;
    bool known = true;
    if (!bound->column)
        return RV_OK;
    int at = find_column(v, bound->column);
    if (at < 0)
        return missing_column(v, bound->column, err);
    int fallback = bound->fallback ? find_column(v, bound->fallback) : -1;
    if (bound->fallback && fallback < 0)
        return missing_column(v, bound->fallback, err);
    r->bound = r->values[at];
    if (fallback >= 0) {
        r->fallback = r->values[fallback];
        RV_TRY(place_coalesced(v, bound, err));
    }
    const rv_mys_field *f = &r->bound.field;
    rel->bound_kind = rv_mys_wire_kind(f);
    /* labels sort by their number and compare as text */
    if ((int)rel->bound_kind == RV_KIND_COUNT || (f->flags & (ENUM_FLAG | SET_FLAG)))
        return unfit(v, at, err);
    if (rv_mys_is_text(f) && !r->bound.collation)
        RV_TRY(ask_collation(v, bound, &r->bound, err));
    rv_mys_natural(f, &rel->bound_type, &known);
    const rv_mys_attr *a = rv_mys_origin(v, &v->columns[at]);
    rel->bound_not_null = a && a->not_null && fallback < 0;
    rel->bound_indexed = a && fallback < 0 && rv_mys_index_leads(v->table, a);
    return RV_OK;
}

rv_status rv_mys_place_values(rv_mys_resolving *v, rv_error *err)
{
    const rv_key *key = &v->rel->key;
    rv_mys_relation *r = v->r;
    RV_TRY(rv_arena_array(v->arena, v->n_columns + 1, sizeof *r->values, &r->values, err));
    for (size_t i = 0; i < v->n_columns; i++)
        r->values[i] = value_of(&v->columns[i], rv_mys_origin(v, &v->columns[i]), (int)i);
    for (size_t k = 0; k < key->n_columns; k++) {
        const rv_mys_attr *a = rv_mys_attr_find(v->table, key->columns[k]);
        int place = -1;
        for (size_t i = 0; i < v->n_columns && place < 0; i++)
            if (rv_mys_origin(v, &v->columns[i]) == a)
                place = (int)i;
        r->key[k] = value_of(&a->field, a, place);
        r->key[k].field.name = key->columns[k];
    }
    return place_bound(v, err);
}

/* --- plans of pages --- */

/* (bound, key) without naming a column twice. */
static size_t page_order(const rv_mys_resolving *v, bool bound_first, rv_expr *out)
{
    const rv_expr *bound = &v->spec->bound;
    const rv_key *key = &v->rel->key;
    size_t n = 0;
    if (bound_first)
        out[n++] = *bound;
    for (size_t i = 0; i < key->n_columns; i++)
        if (!bound_first || bound->fallback || strcmp(key->columns[i], bound->column) != 0)
            out[n++] = (rv_expr){key->columns[i], NULL};
    return n;
}

/* The values of `exprs` in the row with the smallest key: one step along the key's index. */
static rv_status smallest(rv_mys_resolving *v, const rv_expr *exprs, size_t n, rv_datum *out,
                          bool *out_found, rv_error *err)
{
    rv_expr key[RV_MYS_ORDER_MAX];
    const rv_mys_key_column *columns[RV_MYS_ORDER_MAX];
    const char *index = NULL;
    rv_buf b = RV_BUF_INIT;
    size_t n_key = page_order(v, false, key), rows = 0;
    rv_status st;
    RV_GO(rv_mys_quoted(v->rel->key.name, v->arena, &index, err));
    RV_GO(rv_buf_add_c(&b, "SELECT ", err));
    for (size_t i = 0; i < n; i++) {
        columns[i] = rv_mys_expr_column(v->rel, &exprs[i]);
        RV_GO(rv_buf_add_c(&b, i ? ", " : "", err));
        RV_GO(rv_mys_expr_wire(v->r, &exprs[i], &b, err));
    }
    RV_GO(rv_buf_printf(&b, err, " FROM %s FORCE INDEX (%s) ORDER BY ", v->r->from, index));
    for (size_t i = 0; i < n_key; i++) {
        RV_GO(rv_buf_add_c(&b, i ? ", " : "", err));
        RV_GO(rv_mys_expr(v->r, &key[i], &b, err));
    }
    RV_GO(rv_buf_add(&b, " LIMIT 1", sizeof " LIMIT 1", err));
    rv_mys_asked q = {.sql = (const char *)b.ptr, .columns = columns, .n = n, .most = 1};
    RV_GO(rv_mys_rows(v->s, &q, v->arena, out, &rows, err));
    *out_found = rows > 0;
done:
    rv_buf_free(&b);
    return st;
}

static bool any_null(const rv_datum *d, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (d[i].null)
            return true;
    return false;
}

static rv_status judge(rv_mys_resolving *v, const rv_page_spec *page, const char *index,
                       const char **out_reason, rv_error *err)
{
    rv_mys_select_opts opts = {.limit = RV_MYS_PLAN_ROWS};
    rv_mys_wish wish = {.key = index, .from_start = page->after == NULL};
    rv_buf b = RV_BUF_INIT;
    rv_mys_plan plan = {NULL, 0};
    rv_status st;
    RV_GO(rv_sql_unquote(rv_str_c(v->r->qualifier), v->arena, &wish.table, err));
    RV_GO(rv_mys_select(v->s, page, &opts, &b, err));
    RV_GO(rv_buf_add_byte(&b, 0, err));
    RV_GO(rv_mys_explain(v->s, (const char *)b.ptr, v->arena, &plan, err));
    RV_GO(rv_mys_plan_judge(&plan, &wish, v->arena, out_reason, err));
done:
    rv_buf_free(&b);
    return st;
}

static rv_status force(rv_mys_resolving *v, const char *index, rv_error *err)
{
    const char *quoted = NULL;
    RV_TRY(rv_mys_quoted(index, v->arena, &quoted, err));
    return rv_arena_printf(v->arena, &v->r->force, err, " FORCE INDEX (%s)", quoted);
}

/* A condition, or a second index to choose from, may turn the planner elsewhere on a later page
 * than the one explained: then the index is named from the start. */
static bool always_forced(const rv_mys_resolving *v, const char *index)
{
    return v->r->condition || strcmp(index, "PRIMARY") != 0;
}

rv_status rv_mys_page_gate(rv_mys_resolving *v, bool bound_first, const char *index,
                           const char **out_reason, rv_error *err)
{
    rv_expr order[RV_MYS_ORDER_MAX];
    rv_datum after[RV_MYS_ORDER_MAX];
    bool found = false;
    size_t n = page_order(v, bound_first, order);
    rv_pred not_null = {.expr = v->spec->bound, .op = RV_NOT_NULL};
    rv_page_spec page = {.relation = v->rel,
                         .preds = &not_null,
                         .n_preds = bound_first ? 1 : 0,
                         .order = order,
                         .n_order = n};
    *out_reason = NULL;
    RV_TRY(smallest(v, order, n, after, &found, err));
    if (found && !any_null(after, n))
        page.after = after;
    if (found && !always_forced(v, index)) {
        RV_TRY(judge(v, &page, index, out_reason, err));
        if (!*out_reason)
            return RV_OK;
    }
    const char *before = v->r->force;
    RV_TRY(force(v, index, err));
    if (!found)
        return RV_OK;
    RV_TRY(judge(v, &page, index, out_reason, err));
    if (*out_reason)
        v->r->force = before;
    return RV_OK;
}

/* --- pages along the bound --- */

/* An index of this order; NULL: there is none. */
static const rv_mys_index *catalog_orders(const rv_mys_resolving *v)
{
    size_t attrs[RV_MYS_ORDER_MAX];
    rv_expr order[RV_MYS_ORDER_MAX];
    size_t n = page_order(v, true, order);
    for (size_t i = 0; i < n; i++) {
        int at = i ? -1 : find_column(v, order[0].column);
        const rv_mys_attr *a = i ? rv_mys_attr_find(v->table, order[i].column)
                                 : (at >= 0 ? rv_mys_origin(v, &v->columns[at]) : NULL);
        if (!a || order[i].fallback)
            return NULL;
        attrs[i] = (size_t)(a - v->table->attrs);
    }
    return rv_mys_index_orders(v->table, attrs, n);
}

rv_status rv_mys_bound_order(rv_mys_resolving *v, const char **out_reason, rv_error *err)
{
    rv_relation *rel = v->rel;
    const rv_expr *bound = &v->spec->bound;
    *out_reason = NULL;
    rel->ordered_by_bound = false;
    if (!bound->column || rel->key.n_columns == 0)
        return RV_OK;
    if (!bound->fallback && strcmp(bound->column, rel->key.columns[0]) == 0) {
        rel->ordered_by_bound = true;
        return RV_OK;
    }
    const rv_mys_index *x = catalog_orders(v);
    if (!x)
        return rv_arena_printf(v->arena, out_reason, err, "no index by %s and the key",
                               bound->column);
    if (rv_mys_is_small(v))
        RV_TRY(force(v, x->name, err));
    else
        RV_TRY(rv_mys_page_gate(v, true, x->name, out_reason, err));
    rel->ordered_by_bound = *out_reason == NULL;
    return RV_OK;
}

/* --- size --- */

/* The catalog's figures may be a day old (MySQL 8 keeps them so); the planner counts as it goes.
 * What either finds large is large. */
bool rv_mys_is_small(const rv_mys_resolving *v)
{
    const rv_mys_table *t = v->table;
    if (!t || t->view || t->bytes < 0 || t->bytes > RV_MYS_SMALL_BYTES)
        return false;
    int64_t rows = rv_mys_plan_rows(&v->plan), bytes = 0;
    int64_t least = DECLARED_BYTES * (int64_t)t->n_attrs;
    int64_t width = t->average_bytes > least ? t->average_bytes : least;
    bool outgrown = t->rows >= 0 && rows > t->rows &&
                    (__builtin_mul_overflow(rows, width, &bytes) || bytes > RV_MYS_SMALL_BYTES);
    return !outgrown;
}
