/* SQL of a page: spliced or built around the relation's parts, never wrapped unless it has to be.
 * Spec "source-safety" section 14, gate 3. */
#include "source/postgres/scan_internal.h"
#include "source/sql/keyset.h"

typedef struct value_ctx {
    const rv_page_spec *page;
    uint32_t oid[RV_PGS_ORDER_MAX]; /* of the position's columns, else [0] */
    const rv_datum *first;          /* position's first value; NULL: a predicate's */
} value_ctx;

static rv_status add_value(void *ctx, const rv_datum *value, rv_buf *out, rv_error *err)
{
    const value_ctx *v = ctx;
    return rv_pgs_datum(value, v->oid[v->first ? value - v->first : 0], out, err);
}

static int key_index(const rv_relation *rel, const rv_expr *e)
{
    for (size_t i = 0; !e->fallback && i < rel->key.n_columns; i++)
        if (strcmp(rel->key.columns[i], e->column) == 0)
            return (int)i;
    return -1;
}

uint32_t rv_pgs_expr_oid(const rv_relation *rel, const rv_expr *e)
{
    const rv_pgs_relation *r = rel->driver;
    if (rv_pgs_is_ctid(rel, e))
        return RV_PG_TID;
    int key = key_index(rel, e);
    if (key >= 0)
        return r->key_oid[key];
    if (e->fallback)
        return rv_pgs_common_oid(r->bound_oid, r->fallback_oid);
    /* settle.column is neither key nor bound */
    for (size_t i = 0; i < r->n_columns; i++)
        if (strcmp(r->columns[i].name, e->column) == 0)
            return r->columns[i].oid;
    return r->bound_oid;
}

bool rv_pgs_is_ctid(const rv_relation *rel, const rv_expr *e)
{
    return rel->shape == RV_SHAPE_RANGES && !e->fallback && strcmp(e->column, "ctid") == 0;
}

int rv_pgs_expr_place(const rv_relation *rel, const rv_expr *e)
{
    const rv_pgs_relation *r = rel->driver;
    if (e->fallback || rv_pgs_is_ctid(rel, e))
        return -1;
    int key = key_index(rel, e);
    int place = key >= 0 ? r->key_column[key] : r->bound_column;
    /* the server's text of it is not its wire form */
    return place >= 0 && !r->columns[place].as_text ? place : -1;
}

static rv_status add_column(const rv_pgs_relation *r, const char *column, rv_buf *out,
                            rv_error *err)
{
    if (r->qualifier && r->qualifier[0])
        RV_TRY(rv_buf_printf(out, err, "%s.", r->qualifier));
    return rv_pgs_quote(column, out, err);
}

rv_status rv_pgs_expr(const rv_pgs_relation *r, const rv_expr *e, rv_buf *out, rv_error *err)
{
    if (!e->fallback)
        return add_column(r, e->column, out, err);
    RV_TRY(rv_buf_add_c(out, "COALESCE(", err));
    RV_TRY(add_column(r, e->column, out, err));
    RV_TRY(rv_buf_add_c(out, ", ", err));
    RV_TRY(add_column(r, e->fallback, out, err));
    return rv_buf_add_byte(out, ')', err);
}

/* The order expressions as SQL, each NUL-terminated in one buffer. */
typedef struct order_text {
    rv_buf text;
    const char *column[RV_PGS_ORDER_MAX];
} order_text;

static rv_status render_order(const rv_page_spec *page, order_text *o, rv_error *err)
{
    size_t offset[RV_PGS_ORDER_MAX];
    if (page->n_order > RV_PGS_ORDER_MAX)
        return rv_fail(err, RV_E_INTERNAL, "a page is ordered by too many columns");
    for (size_t i = 0; i < page->n_order; i++) {
        offset[i] = o->text.len;
        RV_TRY(rv_pgs_expr(page->relation->driver, &page->order[i], &o->text, err));
        RV_TRY(rv_buf_add_byte(&o->text, 0, err));
    }
    for (size_t i = 0; i < page->n_order; i++)
        o->column[i] = (const char *)o->text.ptr + offset[i];
    return RV_OK;
}

static rv_status glue(bool *first, rv_buf *out, rv_error *err)
{
    rv_status st = rv_buf_add_c(out, *first ? "WHERE " : " AND ", err);
    *first = false;
    return st;
}

static rv_status add_preds(const rv_page_spec *page, bool *first, rv_buf *out, rv_error *err)
{
    rv_buf column = RV_BUF_INIT;
    rv_status st = RV_OK;
    for (size_t i = 0; i < page->n_preds; i++) {
        const rv_pred *p = &page->preds[i];
        value_ctx v = {.page = page, .oid = {rv_pgs_expr_oid(page->relation, &p->expr)}};
        rv_buf_clear(&column);
        RV_GO(glue(first, out, err));
        RV_GO(rv_pgs_expr(page->relation->driver, &p->expr, &column, err));
        RV_GO(rv_buf_add_byte(&column, 0, err));
        RV_GO(rv_sql_pred((const char *)column.ptr, p->op, &p->value, add_value, &v, out, err));
    }
done:
    rv_buf_free(&column);
    return st;
}

/* `values` is `after` or `until` of the page. */
static rv_status add_position(const rv_page_spec *page, const rv_datum *values, const order_text *o,
                              bool *first, rv_buf *out, rv_error *err)
{
    value_ctx v = {.page = page, .first = values};
    rv_sql_keyset k = {.columns = o->column,
                       .values = values,
                       .n = page->n_order,
                       .row_values = true,
                       .value = add_value,
                       .ctx = &v};
    for (size_t i = 0; i < page->n_order; i++)
        v.oid[i] = rv_pgs_expr_oid(page->relation, &page->order[i]);
    RV_TRY(glue(first, out, err));
    return values == page->after ? rv_sql_after(&k, out, err) : rv_sql_until(&k, out, err);
}

static rv_status where(const rv_page_spec *page, const rv_pgs_select_opts *opts,
                       const order_text *o, rv_buf *out, rv_error *err)
{
    const rv_pgs_relation *r = page->relation->driver;
    bool first = true;
    if (r->condition) {
        RV_TRY(glue(&first, out, err));
        /* the line feed ends a trailing comment, the parentheses hold a top-level OR */
        RV_TRY(rv_buf_printf(out, err, "(%s\n)", r->condition));
    }
    RV_TRY(add_preds(page, &first, out, err));
    if (page->n_order && page->after)
        RV_TRY(add_position(page, page->after, o, &first, out, err));
    if (page->n_order && page->until)
        RV_TRY(add_position(page, page->until, o, &first, out, err));
    if (opts->extra) {
        RV_TRY(glue(&first, out, err));
        RV_TRY(rv_buf_add_c(out, opts->extra, err));
    }
    return RV_OK;
}

rv_status rv_pgs_where(const rv_page_spec *page, rv_buf *out, rv_error *err)
{
    static const rv_pgs_select_opts plain;
    order_text o = {.text = RV_BUF_INIT};
    rv_status st = render_order(page, &o, err);
    if (st == RV_OK)
        st = where(page, &plain, &o, out, err);
    rv_buf_free(&o.text);
    return st;
}

static bool expr_eq(const rv_expr *a, const rv_expr *b)
{
    if (strcmp(a->column, b->column) != 0 || !a->fallback != !b->fallback)
        return false;
    return !a->fallback || strcmp(a->fallback, b->fallback) == 0;
}

/* The server puts NULL last; the positions of the engine have it first. */
static bool may_be_null(const rv_page_spec *page, size_t i)
{
    const rv_expr *e = &page->order[i];
    if (key_index(page->relation, e) >= 0 || rv_pgs_is_ctid(page->relation, e) ||
        page->relation->bound_not_null)
        return false;
    for (size_t p = 0; p < page->n_preds; p++)
        if (expr_eq(&page->preds[p].expr, e))
            return false; /* comparisons leave NULL out, IS NULL leaves nothing else */
    return true;
}

static rv_status add_order(const rv_page_spec *page, const order_text *o, rv_buf *out,
                           rv_error *err)
{
    for (size_t i = 0; i < page->n_order; i++)
        RV_TRY(rv_buf_printf(out, err, "%s%s%s", i ? ", " : " ORDER BY ", o->column[i],
                             may_be_null(page, i) ? " NULLS FIRST" : ""));
    return RV_OK;
}

/* Order expressions that the list does not carry in their wire form. */
static rv_status add_helpers(const rv_page_spec *page, const order_text *o, bool outer, rv_buf *out,
                             rv_error *err)
{
    for (size_t i = 0; i < page->n_order; i++) {
        if (rv_pgs_expr_place(page->relation, &page->order[i]) >= 0)
            continue;
        if (outer)
            RV_TRY(rv_buf_printf(out, err, ", _rivet_k%zu", i));
        else /* the line feed ends a trailing comment of the list */
            RV_TRY(rv_buf_printf(out, err, "\n, %s AS _rivet_k%zu", o->column[i], i));
    }
    return RV_OK;
}

static rv_status select_inner(const rv_page_spec *page, const rv_pgs_select_opts *opts,
                              const order_text *o, rv_buf *out, rv_error *err)
{
    const rv_pgs_relation *r = page->relation->driver;
    RV_TRY(rv_buf_printf(out, err, "SELECT %s", r->list));
    RV_TRY(add_helpers(page, o, false, out, err));
    RV_TRY(rv_buf_printf(out, err, "\nFROM %s\n", r->from));
    RV_TRY(where(page, opts, o, out, err));
    if (!opts->unordered)
        RV_TRY(add_order(page, o, out, err));
    return opts->limit ? rv_buf_printf(out, err, " LIMIT %llu", (unsigned long long)opts->limit)
                       : RV_OK;
}

static rv_status select_whole(const rv_pgs_relation *r, rv_buf *out, rv_error *err)
{
    if (!r->outer_list)
        return rv_buf_add_c(out, r->whole, err);
    return rv_buf_printf(out, err, "SELECT %s FROM (%s\n) AS _rivet", r->outer_list, r->whole);
}

static rv_status select_rows(const rv_page_spec *page, const rv_pgs_select_opts *opts,
                             const order_text *o, rv_buf *out, rv_error *err)
{
    const rv_pgs_relation *r = page->relation->driver;
    if (!r->outer_list)
        return select_inner(page, opts, o, out, err);
    RV_TRY(rv_buf_printf(out, err, "SELECT %s", r->outer_list));
    RV_TRY(add_helpers(page, o, true, out, err));
    RV_TRY(rv_buf_add_c(out, " FROM (", err));
    RV_TRY(select_inner(page, opts, o, out, err));
    return rv_buf_add_c(out, "\n) AS _rivet", err);
}

rv_status rv_pgs_select_with(const rv_page_spec *page, const rv_pgs_select_opts *opts, rv_buf *out,
                             rv_error *err)
{
    const rv_pgs_relation *r = page->relation->driver;
    order_text o = {.text = RV_BUF_INIT};
    bool whole = r->whole && page->n_preds == 0 && page->n_order == 0 && !opts->limit;
    rv_status st = render_order(page, &o, err);
    if (st == RV_OK)
        st = whole ? select_whole(r, out, err) : select_rows(page, opts, &o, out, err);
    rv_buf_free(&o.text);
    return st;
}

rv_status rv_pgs_select(const rv_page_spec *page, uint64_t limit, rv_buf *out, rv_error *err)
{
    rv_pgs_select_opts opts = {.limit = limit};
    return rv_pgs_select_with(page, &opts, out, err);
}
