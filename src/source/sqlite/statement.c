#include "source/sql/keyset.h"
#include "source/sql/name.h"
#include "source/sqlite/relation_internal.h"

void rv_sq_text_free(rv_sq_text *t)
{
    rv_buf_free(&t->sql);
}

/* A result column may be an alias: the SQL names its origin. Key columns and the rowid may lack
 * a place in the result and are named as they are. */
static const char *sql_name(const rv_sq_relation *r, const char *column)
{
    for (size_t i = 0; i < r->n_columns; i++)
        if (strcmp(r->columns[i].name, column) == 0)
            return r->columns[i].origin ? r->columns[i].origin : column;
    return column;
}

static rv_status add_column(const rv_sq_relation *r, const char *column, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_add_c(out, r->qual, err));
    return rv_sql_quote(rv_str_c(sql_name(r, column)), '"', '"', out, err);
}

rv_status rv_sq_text_expr(const rv_relation *rel, rv_expr expr, rv_buf *out, rv_error *err)
{
    const rv_sq_relation *r = rel->driver;
    if (!expr.fallback)
        return add_column(r, expr.column, out, err);
    RV_TRY(rv_buf_add_c(out, "COALESCE(", err));
    RV_TRY(add_column(r, expr.column, out, err));
    RV_TRY(rv_buf_add_c(out, ", ", err));
    RV_TRY(add_column(r, expr.fallback, out, err));
    return rv_buf_add_byte(out, ')', err);
}

static rv_status add_value(void *ctx, const rv_datum *value, rv_buf *out, rv_error *err)
{
    rv_sq_text *t = ctx;
    size_t i = 0;
    while (i < t->n_binds && t->binds[i] != value)
        i++;
    if (i == RV_SQ_BINDS_MAX)
        return rv_fail(err, RV_E_INTERNAL, "a statement has too many values");
    if (i == t->n_binds)
        t->binds[t->n_binds++] = value;
    return rv_buf_printf(out, err, "?%zu", i + 1);
}

/* The order columns as SQL, one after the other in `names`. */
typedef struct order_text {
    rv_buf text;
    const char *column[RV_SQ_ORDER_MAX];
} order_text;

static rv_status render_order(const rv_relation *rel, const rv_page_spec *page, order_text *o,
                              rv_error *err)
{
    size_t offset[RV_SQ_ORDER_MAX];
    if (page->n_order > RV_SQ_ORDER_MAX)
        return rv_fail(err, RV_E_INTERNAL, "a page is ordered by too many columns");
    for (size_t i = 0; i < page->n_order; i++) {
        offset[i] = o->text.len;
        RV_TRY(rv_sq_text_expr(rel, page->order[i], &o->text, err));
        RV_TRY(rv_buf_add_byte(&o->text, 0, err));
    }
    for (size_t i = 0; i < page->n_order; i++)
        o->column[i] = (const char *)o->text.ptr + offset[i];
    return RV_OK;
}

static rv_status glue(bool *first, rv_buf *out, rv_error *err)
{
    rv_status st = rv_buf_add_c(out, *first ? " WHERE " : " AND ", err);
    *first = false;
    return st;
}

static rv_status add_preds(const rv_relation *rel, const rv_page_spec *page, rv_sq_text *t,
                           bool *first, rv_error *err)
{
    rv_buf column = RV_BUF_INIT;
    rv_status st = RV_OK;
    for (size_t i = 0; i < page->n_preds; i++) {
        const rv_pred *p = &page->preds[i];
        rv_buf_clear(&column);
        RV_GO(glue(first, &t->sql, err));
        RV_GO(rv_sq_text_expr(rel, p->expr, &column, err));
        RV_GO(rv_buf_add_byte(&column, 0, err));
        RV_GO(rv_sql_pred((const char *)column.ptr, p->op, &p->value, add_value, t, &t->sql, err));
    }
done:
    rv_buf_free(&column);
    return st;
}

static rv_status add_position(const rv_page_spec *page, const order_text *o, rv_sq_text *t,
                              bool *first, rv_error *err)
{
    rv_sql_keyset k = {
        .columns = o->column, .n = page->n_order, .row_values = true, .value = add_value, .ctx = t};
    if (page->after) {
        k.values = page->after;
        RV_TRY(glue(first, &t->sql, err));
        RV_TRY(rv_sql_after(&k, &t->sql, err));
    }
    if (page->until) {
        k.values = page->until;
        RV_TRY(glue(first, &t->sql, err));
        RV_TRY(rv_sql_until(&k, &t->sql, err));
    }
    return RV_OK;
}

static rv_status add_list(const rv_relation *rel, const rv_sq_select *select, rv_sq_text *t,
                          rv_error *err)
{
    const rv_sq_relation *r = rel->driver;
    RV_TRY(rv_buf_printf(&t->sql, err, "SELECT %s", select->list ? select->list : r->list));
    for (size_t i = 0; i < select->n_helpers; i++) {
        /* the line feed ends a trailing comment of the list */
        RV_TRY(rv_buf_add_c(&t->sql, "\n, ", err));
        RV_TRY(rv_sq_text_expr(rel, select->helpers[i], &t->sql, err));
    }
    return rv_buf_printf(&t->sql, err, "\nFROM %s", r->from);
}

static rv_status add_tail(const rv_page_spec *page, const rv_sq_select *select, const order_text *o,
                          rv_sq_text *t, rv_error *err)
{
    for (size_t i = 0; !select->aggregate && i < page->n_order; i++)
        RV_TRY(rv_buf_printf(&t->sql, err, "%s%s", i ? ", " : " ORDER BY ", o->column[i]));
    if (select->offset)
        return rv_buf_printf(&t->sql, err, " LIMIT 1 OFFSET ?%zu", t->n_binds + 1);
    if (select->limit)
        return rv_buf_printf(&t->sql, err, " LIMIT ?%zu", t->n_binds + 1);
    return RV_OK;
}

static bool asks_nothing(const rv_page_spec *page, const rv_sq_select *select)
{
    return page->n_preds == 0 && page->n_order == 0 && !select->limit && !select->offset &&
           !select->aggregate && select->n_helpers == 0;
}

rv_status rv_sq_text_select(const rv_relation *rel, const rv_page_spec *page,
                            const rv_sq_select *select, rv_sq_text *out, rv_error *err)
{
    const rv_sq_relation *r = rel->driver;
    order_text o = {.text = RV_BUF_INIT};
    bool own = r->where && !select->bare;
    bool first = !own;
    rv_status st;
    rv_buf_clear(&out->sql);
    out->n_binds = 0;
    if (r->verbatim && asks_nothing(page, select) && !select->list) {
        RV_GO(rv_buf_add_c(&out->sql, r->verbatim, err));
    } else {
        RV_GO(render_order(rel, page, &o, err));
        RV_GO(add_list(rel, select, out, err));
        if (own)
            RV_GO(rv_buf_printf(&out->sql, err, " WHERE %s", r->where));
        RV_GO(add_preds(rel, page, out, &first, err));
        if (page->n_order > 0)
            RV_GO(add_position(page, &o, out, &first, err));
        RV_GO(add_tail(page, select, &o, out, err));
    }
    RV_GO(rv_buf_add_byte(&out->sql, 0, err));
done:
    rv_buf_free(&o.text);
    return st;
}

rv_status rv_sq_text_bind(rv_source *s, const rv_sq_text *t, sqlite3_stmt *stmt, int64_t number,
                          rv_error *err)
{
    for (size_t i = 0; i < t->n_binds; i++)
        RV_TRY(rv_sq_datum_bind(stmt, (int)i + 1, t->binds[i], err));
    if (number < 0)
        return RV_OK;
    int rc = sqlite3_bind_int64(stmt, (int)t->n_binds + 1, number);
    return rc == SQLITE_OK ? RV_OK : rv_sq_fail(s, rc, "binding a value", err);
}
