/* Gate 4: would the server walk the key? And what is known of the bound column.
 * Source: spec "source-safety" section 14; design "sources" section 1. */
#include "source/postgres/scan_internal.h"

/* (bound, key) without naming a column twice. */
static size_t page_order(const rv_pgs_resolving *v, bool bound_first, rv_expr *out)
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

static rv_status add_exprs(const rv_pgs_relation *r, const rv_expr *exprs, size_t n, rv_buf *out,
                           rv_error *err)
{
    for (size_t i = 0; i < n; i++) {
        RV_TRY(rv_buf_add_c(out, i ? ", " : "", err));
        RV_TRY(rv_pgs_expr(r, &exprs[i], out, err));
    }
    return RV_OK;
}

/* The values of `exprs` in the row with the smallest key: one step along the key's index. */
static rv_status smallest(rv_pgs_resolving *v, const rv_expr *exprs, size_t n, rv_datum *out,
                          bool *out_found, rv_error *err)
{
    rv_expr key[RV_PGS_ORDER_MAX];
    uint32_t oids[RV_PGS_ORDER_MAX];
    size_t n_key = page_order(v, false, key);
    rv_buf b = RV_BUF_INIT;
    rv_status st;
    for (size_t i = 0; i < n; i++)
        oids[i] = rv_pgs_expr_oid(v->rel, &exprs[i]);
    RV_GO(rv_buf_add_c(&b, "SELECT ", err));
    RV_GO(add_exprs(v->r, exprs, n, &b, err));
    RV_GO(rv_buf_printf(&b, err, " FROM %s ORDER BY ", v->r->from));
    RV_GO(add_exprs(v->r, key, n_key, &b, err));
    RV_GO(rv_buf_add(&b, " LIMIT 1", sizeof " LIMIT 1", err));
    RV_GO(rv_pgs_first_row(v->s, v->r->allow_row_security, (const char *)b.ptr, oids, n, v->arena,
                           out, out_found, err));
done:
    rv_buf_free(&b);
    return st;
}

static rv_status judge(rv_pgs_resolving *v, const rv_page_spec *page, uint64_t limit,
                       const char **out_reason, bool *out_seq_scan, rv_error *err)
{
    unsigned flags =
        (limit ? 0 : RV_PGS_JUDGE_WINDOW) | (v->r->presorted ? RV_PGS_JUDGE_PRESORTED : 0);
    rv_pgs_plan plan = {NULL, NULL};
    rv_buf b = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_pgs_select(page, limit, &b, err));
    RV_GO(rv_buf_add_byte(&b, 0, err));
    /* of a condition, the planner's own opinion: a walk may meet few rows, and it knows */
    const char *settings = v->r->condition ? RV_PGS_ALONE : RV_PGS_WALKING;
    RV_GO(
        rv_pgs_explain(v->s, v->r->allow_row_security, settings, (const char *)b.ptr, &plan, err));
    RV_GO(rv_pgs_plan_judge(&plan, page->after ? page->order[0].column : NULL, flags, v->arena,
                            out_reason, out_seq_scan, err));
done:
    rv_pgs_plan_free(&plan);
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

rv_status rv_pgs_page_gate(rv_pgs_resolving *v, bool bound_first, const char **out_reason,
                           bool *out_seq_scan, rv_error *err)
{
    rv_expr order[RV_PGS_ORDER_MAX];
    rv_datum after[RV_PGS_ORDER_MAX];
    bool found = false;
    size_t n = page_order(v, bound_first, order);
    rv_pred not_null = {.expr = v->spec->bound, .op = RV_NOT_NULL};
    rv_page_spec page = {.relation = v->rel,
                         .preds = &not_null,
                         .n_preds = bound_first ? 1 : 0,
                         .order = order,
                         .n_order = n};
    *out_reason = NULL;
    *out_seq_scan = false;
    RV_TRY(smallest(v, order, n, after, &found, err));
    if (!found)
        return RV_OK;
    if (!any_null(after, n))
        page.after = after;
    return judge(v, &page, RV_PGS_PLAN_ROWS, out_reason, out_seq_scan, err);
}

rv_status rv_pgs_window_gate(rv_pgs_resolving *v, const char **out_reason, rv_error *err)
{
    rv_expr order[RV_PGS_ORDER_MAX];
    rv_datum after[RV_PGS_ORDER_MAX], until[RV_PGS_ORDER_MAX];
    bool found = false, seq = false;
    size_t n = page_order(v, false, order);
    rv_page_spec page = {.relation = v->rel, .order = order, .n_order = n, .after = after};
    *out_reason = NULL;
    RV_TRY(smallest(v, order, n, after, &found, err));
    if (found)
        RV_TRY(rv_pgs_walk(v->s, &page, RV_PGS_PLAN_ROWS, true, v->arena, until, &found, err));
    if (!found)
        return RV_OK;
    page.until = until;
    return judge(v, &page, 0, out_reason, &seq, err);
}

/* --- the bound column --- */

static rv_status missing_column(const rv_pgs_resolving *v, const char *name, rv_error *err)
{
    const char **names = NULL, *what = NULL;
    RV_TRY(rv_arena_array(v->arena, v->n_columns + 1, sizeof *names, &names, err));
    RV_TRY(rv_pgs_what(v->rel, v->arena, &what, err));
    for (size_t i = 0; i < v->n_columns; i++)
        names[i] = v->columns[i].name;
    rv_status st =
        rv_fail(err, RV_E_SOURCE_MISSING, "%s: no column '%s' in the result", what, name);
    int guess = rv_suggest(rv_str_c(name), names, v->n_columns);
    if (guess >= 0)
        rv_hint(err, "did you mean '%s'? names are taken exactly, case included", names[guess]);
    return st;
}

static int find_column(const rv_pgs_resolving *v, const char *name)
{
    for (size_t i = 0; i < v->n_columns; i++)
        if (strcmp(v->columns[i].name, name) == 0)
            return (int)i;
    return -1;
}

static rv_status unfit(const rv_pgs_resolving *v, int column, rv_error *err)
{
    rv_status st = rv_fail(err, RV_E_CONFIG_KEY_UNUSABLE,
                           "column '%s' (postgres %s) has no order that a run could go on from",
                           v->columns[column].name, v->rel->schema->columns[column].source_type);
    rv_hint(err, "use an integer, decimal, text, uuid, date or timestamp column");
    return st;
}

/* The attribute behind a result column of the one base table. */
static const rv_pgs_attr *origin(const rv_pgs_resolving *v, int column)
{
    const rv_pgs_result_column *c = &v->columns[column];
    if (!v->table || c->table != v->table->oid)
        return NULL;
    return rv_pgs_attr_number(v->table, c->attnum);
}

rv_status rv_pgs_place_bound(rv_pgs_resolving *v, rv_error *err)
{
    const rv_expr *bound = &v->spec->bound;
    rv_relation *rel = v->rel;
    if (!bound->column)
        return RV_OK;
    int at = find_column(v, bound->column);
    if (at < 0)
        return missing_column(v, bound->column, err);
    int fallback = bound->fallback ? find_column(v, bound->fallback) : -1;
    if (bound->fallback && fallback < 0)
        return missing_column(v, bound->fallback, err);
    v->r->bound_column = at;
    v->r->bound_oid = v->columns[at].oid;
    v->r->fallback_oid = fallback >= 0 ? v->columns[fallback].oid : 0;
    uint32_t oid =
        fallback >= 0 ? rv_pgs_common_oid(v->r->bound_oid, v->r->fallback_oid) : v->r->bound_oid;
    rel->bound_kind = oid ? rv_pgs_wire_kind(oid) : (rv_kind)RV_KIND_COUNT;
    if ((int)rel->bound_kind == RV_KIND_COUNT)
        return unfit(v, at, err);
    rel->bound_type = rv_pgs_natural(oid, v->columns[at].typmod);
    const rv_pgs_attr *a = origin(v, at);
    rel->bound_not_null = a && a->not_null && fallback < 0;
    rel->bound_indexed =
        a && fallback < 0 && !v->table->children && rv_pgs_index_leads(v->table, a->number);
    return RV_OK;
}

/* The catalog knows an index of this order; of what is large, the planner must take it too. */
static bool catalog_orders(const rv_pgs_resolving *v)
{
    int numbers[RV_PGS_ORDER_MAX];
    rv_expr order[RV_PGS_ORDER_MAX];
    size_t n = page_order(v, true, order);
    for (size_t i = 0; i < n; i++) {
        const rv_pgs_attr *a =
            i ? rv_pgs_attr_find(v->table, order[i].column) : origin(v, v->r->bound_column);
        if (!a || order[i].fallback)
            return false;
        numbers[i] = a->number;
    }
    return !v->table->children && rv_pgs_index_orders(v->table, numbers, n);
}

rv_status rv_pgs_bound_order(rv_pgs_resolving *v, const char **out_reason, rv_error *err)
{
    rv_relation *rel = v->rel;
    const rv_expr *bound = &v->spec->bound;
    bool seq = false;
    *out_reason = NULL;
    rel->ordered_by_bound = false;
    if (!bound->column || rel->key.n_columns == 0 || rel->shape == RV_SHAPE_RANGES)
        return RV_OK;
    bool large = v->table->bytes > RV_PGS_SMALL_BYTES;
    if (!bound->fallback && strcmp(bound->column, rel->key.columns[0]) == 0) {
        rel->ordered_by_bound = true;
        return RV_OK;
    }
    bool ordered = catalog_orders(v);
    /* since version 13 equal values of an index's one column are sorted group by group */
    v->r->presorted = !ordered && large && rel->bound_indexed &&
                      rv_pg_version(v->s->pg) >= 130000 && !v->s->info.cannot_cut;
    if (!ordered && !v->r->presorted && !(large && bound->fallback))
        return rv_arena_printf(v->arena, out_reason, err, "no index by %s and the key",
                               bound->column);
    if (large)
        RV_TRY(rv_pgs_page_gate(v, true, out_reason, &seq, err));
    rel->ordered_by_bound = *out_reason == NULL;
    v->r->presorted = v->r->presorted && rel->ordered_by_bound;
    return RV_OK;
}
