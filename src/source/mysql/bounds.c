/* Single values of a relation: ends, steps along an order, counts.
 * Source: spec "lifecycle" sections 7 and 8, "source-safety" section 14. */
#include "source/mysql/relation_internal.h"

#define WHAT "reading single values"

static rv_status read_row(MYSQL_RES *r, const rv_mys_asked *q, rv_arena *arena, rv_datum *out,
                          rv_error *err)
{
    MYSQL_ROW row = mysql_fetch_row(r);
    const unsigned long *lengths = mysql_fetch_lengths(r);
    if (!row || !lengths)
        return rv_fail(err, RV_E_SOURCE_QUERY, "%s: the answer ended early", WHAT);
    for (size_t i = 0; i < q->n; i++) {
        out[i] = (rv_datum){.null = !row[i], .kind = rv_mys_wire_kind(&q->columns[i]->field)};
        if (!out[i].null)
            RV_TRY(rv_mys_wire_datum(q->columns[i], row[i], lengths[i], arena, &out[i], err));
    }
    return RV_OK;
}

rv_status rv_mys_rows(rv_source *s, const rv_mys_asked *q, rv_arena *arena, rv_datum *out,
                      size_t *out_n, rv_error *err)
{
    MYSQL_RES *r = NULL;
    rv_status st;
    RV_GO(rv_mys_ask(s, q->sql, WHAT, &r, err));
    if (!r || mysql_num_fields(r) != q->n) {
        st = rv_fail(err, RV_E_SOURCE_CHANGED, "%s: the answer has not %zu columns", WHAT, q->n);
        goto done;
    }
    size_t n = (size_t)mysql_num_rows(r);
    n = n < q->most ? n : q->most;
    for (size_t i = 0; i < n; i++)
        RV_GO(read_row(r, q, arena, out + i * q->n, err));
    *out_n = n;
done:
    mysql_free_result(r);
    return st;
}

/* --- ends --- */

static bool is_indexed(const rv_relation *rel, const rv_expr *e)
{
    const rv_mys_relation *r = rel->driver;
    if (e->fallback)
        return false;
    bool bound =
        rel->bound_indexed && r->bound.field.name && strcmp(r->bound.field.name, e->column) == 0;
    return bound || (rel->key.n_columns && strcmp(rel->key.columns[0], e->column) == 0);
}

/* A condition on another column may leave few rows: walking the index from its end would then be
 * the longer way, and the planner may choose. */
static bool only_about(const rv_expr *e, const rv_pred *preds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(preds[i].expr.column, e->column) != 0)
            return false;
    return true;
}

/* What MIN and MAX compare by, and give back, is the value as it is stored: no label, no bits. */
static bool has_aggregate(const rv_mys_key_column *c)
{
    rv_kind kind = rv_mys_wire_kind(&c->field);
    return kind != RV_BINARY && c->field.type != MYSQL_TYPE_BIT && !c->field.uuid && !c->field.inet;
}

/* Both ends in one pass over what has to be read anyway. */
static rv_status both_ends(rv_source *s, const rv_page_spec *page, const rv_expr *e, rv_arena *a,
                           rv_datum out[2], rv_error *err)
{
    const rv_mys_relation *r = page->relation->driver;
    const rv_mys_key_column *c = rv_mys_expr_column(page->relation, e), *columns[2] = {c, c};
    rv_buf b = RV_BUF_INIT;
    size_t rows = 0;
    rv_status st;
    RV_GO(rv_buf_add_c(&b, "SELECT MIN(", err));
    RV_GO(rv_mys_expr_wire(r, e, &b, err));
    RV_GO(rv_buf_add_c(&b, "), MAX(", err));
    RV_GO(rv_mys_expr_wire(r, e, &b, err));
    RV_GO(rv_buf_printf(&b, err, ") FROM %s ", r->from));
    RV_GO(rv_mys_where(page, &b, err));
    RV_GO(rv_buf_add_byte(&b, 0, err));
    rv_mys_asked q = {.sql = (const char *)b.ptr, .columns = columns, .n = 2, .most = 1};
    RV_GO(rv_mys_rows(s, &q, a, out, &rows, err));
done:
    rv_buf_free(&b);
    return st;
}

/* One end, from the end of an index. */
static rv_status one_end(rv_source *s, const rv_page_spec *page, const rv_expr *e, bool max,
                         rv_arena *a, rv_datum *out, rv_error *err)
{
    const rv_mys_relation *r = page->relation->driver;
    const rv_mys_key_column *c = rv_mys_expr_column(page->relation, e);
    rv_buf b = RV_BUF_INIT;
    size_t rows = 0;
    rv_status st;
    RV_GO(rv_buf_add_c(&b, "SELECT ", err));
    RV_GO(rv_mys_expr_wire(r, e, &b, err));
    RV_GO(rv_buf_printf(&b, err, " FROM %s ", r->from));
    RV_GO(rv_mys_where(page, &b, err));
    RV_GO(rv_buf_add_c(&b, " ORDER BY ", err));
    RV_GO(rv_mys_expr(r, e, &b, err));
    RV_GO(rv_buf_printf(&b, err, "%s LIMIT 1", max ? " DESC" : ""));
    RV_GO(rv_buf_add_byte(&b, 0, err));
    rv_mys_asked q = {.sql = (const char *)b.ptr, .columns = &c, .n = 1, .most = 1};
    RV_GO(rv_mys_rows(s, &q, a, out, &rows, err));
done:
    rv_buf_free(&b);
    return st;
}

rv_status rv_mys_bounds(rv_source *s, const rv_relation *rel, rv_expr expr, const rv_pred *preds,
                        size_t n_preds, rv_arena *arena, rv_datum *out_min, rv_datum *out_max,
                        rv_error *err)
{
    const rv_mys_key_column *c = rv_mys_expr_column(rel, &expr);
    rv_datum ends[2];
    rv_pred *all = NULL;
    ends[0] = ends[1] = (rv_datum){.null = true, .kind = rv_mys_wire_kind(&c->field)};
    RV_TRY(rv_arena_array(arena, n_preds + 1, sizeof *all, &all, err));
    if (n_preds)
        memcpy(all, preds, n_preds * sizeof *all);
    all[n_preds] = (rv_pred){.expr = expr, .op = RV_NOT_NULL};
    rv_page_spec page = {.relation = rel, .preds = all, .n_preds = n_preds + 1};
    bool from_index = is_indexed(rel, &expr) && only_about(&expr, preds, n_preds);
    if (!from_index && has_aggregate(c)) {
        RV_TRY(both_ends(s, &page, &expr, arena, ends, err));
    } else {
        RV_TRY(one_end(s, &page, &expr, false, arena, &ends[0], err));
        if (!ends[0].null)
            RV_TRY(one_end(s, &page, &expr, true, arena, &ends[1], err));
    }
    *out_min = ends[0];
    *out_max = ends[1];
    return RV_OK;
}

/* --- steps along an order --- */

static rv_status walk(rv_source *s, const rv_page_spec *from, uint64_t n, rv_arena *arena,
                      rv_datum *out, bool *out_found, rv_error *err)
{
    const rv_mys_relation *r = from->relation->driver;
    const rv_mys_key_column *columns[RV_MYS_ORDER_MAX] = {NULL};
    rv_buf b = RV_BUF_INIT, order = RV_BUF_INIT;
    size_t rows = 0;
    rv_status st;
    RV_GO(rv_buf_add_c(&b, "SELECT ", err));
    for (size_t i = 0; i < from->n_order; i++) {
        columns[i] = rv_mys_expr_column(from->relation, &from->order[i]);
        RV_GO(rv_buf_add_c(&b, i ? ", " : "", err));
        RV_GO(rv_mys_expr_wire(r, &from->order[i], &b, err));
        RV_GO(rv_buf_add_c(&order, i ? ", " : "", err));
        RV_GO(rv_mys_expr(r, &from->order[i], &order, err));
    }
    RV_GO(rv_buf_printf(&b, err, " FROM %s%s ", r->from, r->force));
    RV_GO(rv_mys_where(from, &b, err));
    RV_GO(rv_buf_printf(&b, err, " ORDER BY %.*s LIMIT 1 OFFSET %llu", (int)order.len,
                        (const char *)order.ptr, (unsigned long long)(n - 1)));
    RV_GO(rv_buf_add_byte(&b, 0, err));
    rv_mys_asked q = {
        .sql = (const char *)b.ptr, .columns = columns, .n = from->n_order, .most = 1};
    RV_GO(rv_mys_rows(s, &q, arena, out, &rows, err));
    *out_found = rows > 0;
done:
    rv_buf_free(&b);
    rv_buf_free(&order);
    return st;
}

rv_status rv_mys_walk(rv_source *s, const rv_page_spec *from, uint64_t n, bool bare,
                      rv_arena *arena, rv_datum *out, bool *out_found, rv_error *err)
{
    rv_relation rel = *from->relation;
    rv_mys_relation r = *(const rv_mys_relation *)rel.driver;
    rv_page_spec page = *from;
    if (n == 0 || n > INT64_MAX || from->n_order == 0 || from->n_order > RV_MYS_ORDER_MAX)
        return rv_fail(err, RV_E_INTERNAL, "a walk along the key needs an order and n >= 1");
    if (bare)
        r.condition = NULL;
    rel.driver = &r;
    page.relation = &rel;
    return walk(s, &page, n, arena, out, out_found, err);
}

rv_status rv_mys_nth(rv_source *s, const rv_page_spec *from, uint64_t n, rv_arena *arena,
                     rv_datum *out, bool *out_found, rv_error *err)
{
    return rv_mys_walk(s, from, n, false, arena, out, out_found, err);
}

rv_status rv_mys_count(rv_source *s, const rv_relation *rel, const rv_pred *preds, size_t n_preds,
                       uint64_t *out, rv_error *err)
{
    const rv_mys_relation *r = rel->driver;
    rv_page_spec page = {.relation = rel, .preds = preds, .n_preds = n_preds};
    rv_buf b = RV_BUF_INIT;
    MYSQL_RES *result = NULL;
    rv_status st;
    RV_GO(rv_buf_printf(&b, err, "SELECT COUNT(*) FROM %s ", r->from));
    RV_GO(rv_mys_where(&page, &b, err));
    RV_GO(rv_buf_add_byte(&b, 0, err));
    RV_GO(rv_mys_ask(s, (const char *)b.ptr, "counting rows", &result, err));
    MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;
    if (!row)
        st = rv_fail(err, RV_E_SOURCE_QUERY, "counting rows: the server gives no count");
    else
        *out = (uint64_t)rv_mys_int(row, 0, 0);
done:
    mysql_free_result(result);
    rv_buf_free(&b);
    return st;
}
