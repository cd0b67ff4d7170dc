/* SQL of a page: spliced or built around the relation's parts, never wrapped unless it has to be.
 * Spec "source-safety" section 14, gate 3. */
#include <inttypes.h>

#include "source/mysql/scan_internal.h"
#include "source/sql/keyset.h"

typedef struct value_ctx {
    const rv_mys_key_column *column[RV_MYS_ORDER_MAX]; /* of the position's columns, else [0] */
    const rv_datum *first; /* position's first value; NULL: a predicate's */
    rv_mys_params *params; /* NULL: literals only */
} value_ctx;

static const rv_mys_key_column *column_of(const rv_mys_relation *r, const rv_expr *e)
{
    if (e->fallback)
        return &r->bound;
    for (size_t i = 0; i < RV_KEY_COLUMNS_MAX && r->key[i].field.name; i++)
        if (strcmp(r->key[i].field.name, e->column) == 0)
            return &r->key[i];
    /* with a fallback the bound is what COALESCE gives, not the column */
    if (r->bound.field.name && !r->fallback.field.name &&
        strcmp(r->bound.field.name, e->column) == 0)
        return &r->bound;
    for (size_t i = 0; r->values && i < r->n_columns; i++)
        if (strcmp(r->columns[i].name, e->column) == 0)
            return &r->values[i];
    return &r->bound;
}

const rv_mys_key_column *rv_mys_expr_column(const rv_relation *rel, const rv_expr *e)
{
    return column_of(rel->driver, e);
}

/* The row's own cell is the wire form, but of text, which came converted. */
int rv_mys_expr_place(const rv_relation *rel, const rv_expr *e)
{
    const rv_mys_key_column *c = rv_mys_expr_column(rel, e);
    return e->fallback || c->charset ? -1 : c->place;
}

static rv_status add_column(const rv_mys_relation *r, const char *column, rv_buf *out,
                            rv_error *err)
{
    if (r->qualifier && r->qualifier[0])
        RV_TRY(rv_buf_printf(out, err, "%s.", r->qualifier));
    return rv_my_quote(column, out, err);
}

rv_status rv_mys_expr(const rv_mys_relation *r, const rv_expr *e, rv_buf *out, rv_error *err)
{
    if (!e->fallback)
        return add_column(r, e->column, out, err);
    RV_TRY(rv_buf_add_c(out, "COALESCE(", err));
    RV_TRY(add_column(r, e->column, out, err));
    RV_TRY(rv_buf_add_c(out, ", ", err));
    RV_TRY(add_column(r, e->fallback, out, err));
    return rv_buf_add_byte(out, ')', err);
}

rv_status rv_mys_expr_wire(const rv_mys_relation *r, const rv_expr *e, rv_buf *out, rv_error *err)
{
    const rv_mys_key_column *c = column_of(r, e);
    bool widen = !c->charset && rv_mys_wire_kind(&c->field) == RV_FLOAT64;
    RV_TRY(rv_buf_add_c(out, c->charset ? "CAST(" : widen ? "(" : "", err));
    RV_TRY(rv_mys_expr(r, e, out, err));
    /* the text of a float has six digits, that of a double all of them */
    return rv_buf_add_c(out, c->charset ? " AS BINARY)" : widen ? " + 0e0)" : "", err);
}

/* ---- values ---- */

static bool add_param(rv_mys_params *params, const rv_mys_key_column *c, rv_str text)
{
    rv_kind kind = rv_mys_wire_kind(&c->field);
    int64_t v;
    uint64_t u;
    if (!params || params->n == RV_MYS_PARAMS_MAX || c->charset)
        return false;
    if (kind == RV_INT64 && rv_str_i64(text, &v)) {
        params->value[params->n].bits = (uint64_t)v;
        params->value[params->n++].is_unsigned = false;
        return true;
    }
    if (kind == RV_UINT64 && rv_str_u64(text, &u)) {
        params->value[params->n].bits = u;
        params->value[params->n++].is_unsigned = true;
        return true;
    }
    return false;
}

static rv_status add_value(void *ctx, const rv_datum *value, rv_buf *out, rv_error *err)
{
    const value_ctx *v = ctx;
    const rv_mys_key_column *c = v->column[v->first ? value - v->first : 0];
    if (!value->null && add_param(v->params, c, value->text))
        return rv_buf_add_byte(out, '?', err);
    return rv_mys_datum(value, c, out, err);
}

/* ---- parts ---- */

/* The order expressions as SQL, each NUL-terminated in one buffer. */
typedef struct order_text {
    rv_buf text;
    const char *column[RV_MYS_ORDER_MAX];
    rv_mys_params *params;
} order_text;

static rv_status render_order(const rv_page_spec *page, order_text *o, rv_error *err)
{
    size_t offset[RV_MYS_ORDER_MAX];
    if (page->n_order > RV_MYS_ORDER_MAX)
        return rv_fail(err, RV_E_INTERNAL, "a page is ordered by too many columns");
    for (size_t i = 0; i < page->n_order; i++) {
        offset[i] = o->text.len;
        RV_TRY(rv_mys_expr(page->relation->driver, &page->order[i], &o->text, err));
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

/* Days of a window may end where no date is any more: below that is all but NULL. */
static bool past_every_date(const rv_pred *p, const rv_mys_key_column *c)
{
    rv_kind kind = rv_mys_wire_kind(&c->field);
    return (p->op == RV_LT || p->op == RV_LE) && !p->value.null && p->value.text.len > 0 &&
           p->value.text.ptr[0] == '+' &&
           (kind == RV_DATE || kind == RV_TIMESTAMP || kind == RV_TIMESTAMP_TZ);
}

static rv_status add_preds(const rv_page_spec *page, const order_text *o, bool *first, rv_buf *out,
                           rv_error *err)
{
    rv_buf column = RV_BUF_INIT;
    rv_status st = RV_OK;
    for (size_t i = 0; i < page->n_preds; i++) {
        const rv_pred *p = &page->preds[i];
        value_ctx v = {.column = {rv_mys_expr_column(page->relation, &p->expr)},
                       .params = o->params};
        rv_buf_clear(&column);
        RV_GO(glue(first, out, err));
        RV_GO(rv_mys_expr(page->relation->driver, &p->expr, &column, err));
        RV_GO(rv_buf_add_byte(&column, 0, err));
        rv_op op = past_every_date(p, v.column[0]) ? RV_NOT_NULL : p->op;
        RV_GO(rv_sql_pred((const char *)column.ptr, op, &p->value, add_value, &v, out, err));
    }
done:
    rv_buf_free(&column);
    return st;
}

/* `values` is `after` or `until` of the page. */
static rv_status add_position(const rv_page_spec *page, const rv_datum *values, const order_text *o,
                              bool *first, rv_buf *out, rv_error *err)
{
    value_ctx v = {.first = values, .params = o->params};
    rv_sql_keyset k = {.columns = o->column,
                       .values = values,
                       .n = page->n_order,
                       .row_values = false, /* reads the index from its start on both servers */
                       .value = add_value,
                       .ctx = &v};
    for (size_t i = 0; i < page->n_order; i++)
        v.column[i] = rv_mys_expr_column(page->relation, &page->order[i]);
    RV_TRY(glue(first, out, err));
    return values == page->after ? rv_sql_after(&k, out, err) : rv_sql_until(&k, out, err);
}

static rv_status where(const rv_page_spec *page, const char *extra, const order_text *o,
                       rv_buf *out, rv_error *err)
{
    const rv_mys_relation *r = page->relation->driver;
    bool first = true;
    if (r->condition) {
        RV_TRY(glue(&first, out, err));
        /* the line feed ends a trailing comment, the parentheses hold a top-level OR */
        RV_TRY(rv_buf_printf(out, err, "(%s\n)", r->condition));
    }
    RV_TRY(add_preds(page, o, &first, out, err));
    if (page->n_order && page->after)
        RV_TRY(add_position(page, page->after, o, &first, out, err));
    if (page->n_order && page->until)
        RV_TRY(add_position(page, page->until, o, &first, out, err));
    if (extra) {
        RV_TRY(glue(&first, out, err));
        RV_TRY(rv_buf_add_c(out, extra, err));
    }
    return RV_OK;
}

rv_status rv_mys_where(const rv_page_spec *page, rv_buf *out, rv_error *err)
{
    order_text o = {.text = RV_BUF_INIT};
    rv_status st = render_order(page, &o, err);
    if (st == RV_OK)
        st = where(page, NULL, &o, out, err);
    rv_buf_free(&o.text);
    return st;
}

static rv_status add_helpers(const rv_page_spec *page, rv_buf *out, rv_error *err)
{
    const rv_relation *rel = page->relation;
    for (size_t i = 0; i < page->n_order; i++) {
        const rv_expr *e = &page->order[i];
        if (rv_mys_expr_place(rel, e) >= 0)
            continue;
        /* the line feed ends a trailing comment of the list */
        RV_TRY(rv_buf_add_c(out, "\n, ", err));
        RV_TRY(rv_mys_expr_wire(rel->driver, e, out, err));
        RV_TRY(rv_buf_printf(out, err, " AS _rivet_k%zu", i));
    }
    return RV_OK;
}

static rv_status add_limit(uint64_t limit, rv_mys_params *params, rv_buf *out, rv_error *err)
{
    if (!limit)
        return RV_OK;
    if (!params || params->n == RV_MYS_PARAMS_MAX)
        return rv_buf_printf(out, err, " LIMIT %" PRIu64, limit);
    params->value[params->n].bits = limit;
    params->value[params->n++].is_unsigned = true;
    return rv_buf_add_c(out, " LIMIT ?", err);
}

static rv_status select_rows(const rv_source *s, const rv_page_spec *page,
                             const rv_mys_select_opts *opts, const order_text *o, rv_buf *out,
                             rv_error *err)
{
    const rv_mys_relation *r = page->relation->driver;
    RV_TRY(rv_buf_add_c(out, "SELECT ", err));
    RV_TRY(rv_mys_limit_hint(s, opts->limit_ms, out, err));
    RV_TRY(rv_buf_add_c(out, r->list, err));
    RV_TRY(add_helpers(page, out, err));
    RV_TRY(rv_buf_printf(out, err, "\nFROM %s%s\n", r->from, r->force ? r->force : ""));
    RV_TRY(where(page, opts->extra, o, out, err));
    /* NULL sorts first, as positions of the engine have it */
    for (size_t i = 0; i < page->n_order; i++)
        RV_TRY(rv_buf_printf(out, err, "%s%s", i ? ", " : " ORDER BY ", o->column[i]));
    return add_limit(opts->limit, o->params, out, err);
}

rv_status rv_mys_select_with(const rv_source *s, const rv_page_spec *page,
                             const rv_mys_select_opts *opts, rv_mys_params *params, rv_buf *out,
                             rv_error *err)
{
    const rv_mys_relation *r = page->relation->driver;
    order_text o = {.text = RV_BUF_INIT, .params = params};
    bool whole =
        r->whole && page->n_preds == 0 && page->n_order == 0 && !opts->limit && !opts->extra;
    rv_status st;
    RV_GO(rv_buf_add_c(out, s->comment, err));
    RV_GO(rv_mys_limit_prefix(s, opts->limit_ms, out, err));
    RV_GO(render_order(page, &o, err));
    st = whole ? rv_buf_add_c(out, r->whole, err) : select_rows(s, page, opts, &o, out, err);
done:
    rv_buf_free(&o.text);
    return st;
}

rv_status rv_mys_select(const rv_source *s, const rv_page_spec *page,
                        const rv_mys_select_opts *opts, rv_buf *out, rv_error *err)
{
    return rv_mys_select_with(s, page, opts, NULL, out, err);
}
