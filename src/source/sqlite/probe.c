#include <inttypes.h>
#include <stdio.h>

#include "source/sqlite/relation_internal.h"

/* Prepares a select of this page, binds it and steps to its first row. */
static rv_status first_row(rv_source *s, const rv_page_spec *page, const rv_sq_select *select,
                           int64_t number, rv_sq_statement **out, bool *out_row, rv_error *err)
{
    const rv_sq_relation *r = page->relation->driver;
    rv_sq_text text = RV_SQ_TEXT_INIT;
    rv_sq_statement *statement = NULL;
    rv_status st;
    RV_GO(rv_sq_text_select(page->relation, page, select, &text, err));
    RV_GO(rv_sq_acquire(s, (const char *)text.sql.ptr, r->what, &statement, err));
    RV_GO(rv_sq_text_bind(s, &text, statement->stmt, number, err));
    rv_sq_arm(s, 0);
    RV_GO(rv_sq_step(s, statement->stmt, r->what, out_row, err));
    *out = statement;
done:
    rv_sq_disarm(s);
    if (st != RV_OK)
        rv_sq_release(s, statement);
    rv_sq_text_free(&text);
    return st;
}

/* One aggregate per statement: only then SQLite takes it from the end of an index. */
static rv_status extreme(rv_source *s, const rv_page_spec *page, const char *function, rv_expr expr,
                         rv_arena *arena, rv_datum *out, rv_error *err)
{
    rv_buf list = RV_BUF_INIT;
    rv_sq_statement *statement = NULL;
    bool row = false;
    rv_status st;
    RV_GO(rv_buf_printf(&list, err, "%s(", function));
    RV_GO(rv_sq_text_expr(page->relation, expr, &list, err));
    RV_GO(rv_buf_add(&list, ")\0", 2, err));
    rv_sq_select select = {.list = (const char *)list.ptr, .aggregate = true};
    RV_GO(first_row(s, page, &select, -1, &statement, &row, err));
    *out = (rv_datum){.null = true, .kind = page->relation->bound_kind};
    if (row)
        RV_GO(rv_sq_datum_read(statement->stmt, 0, arena, out, err));
done:
    rv_sq_release(s, statement);
    rv_buf_free(&list);
    return st;
}

rv_status rv_sq_bounds(rv_source *s, const rv_relation *rel, rv_expr expr, const rv_pred *preds,
                       size_t n_preds, rv_arena *arena, rv_datum *out_min, rv_datum *out_max,
                       rv_error *err)
{
    rv_page_spec page = {.relation = rel, .preds = preds, .n_preds = n_preds};
    rv_datum low, high;
    RV_TRY(extreme(s, &page, "MIN", expr, arena, &low, err));
    RV_TRY(extreme(s, &page, "MAX", expr, arena, &high, err));
    *out_min = low;
    *out_max = high;
    return RV_OK;
}

static rv_status order_list(const rv_page_spec *from, rv_buf *out, rv_error *err)
{
    for (size_t i = 0; i < from->n_order; i++) {
        RV_TRY(rv_buf_add_c(out, i ? ", " : "", err));
        RV_TRY(rv_sq_text_expr(from->relation, from->order[i], out, err));
    }
    return rv_buf_add_byte(out, 0, err);
}

rv_status rv_sq_walk(rv_source *s, const rv_page_spec *from, uint64_t n, bool bare, rv_arena *arena,
                     rv_datum *out, bool *out_found, rv_error *err)
{
    rv_buf list = RV_BUF_INIT;
    rv_sq_statement *statement = NULL;
    rv_datum values[RV_SQ_ORDER_MAX];
    bool row = false;
    rv_status st;
    if (n == 0 || n > INT64_MAX || from->n_order == 0 || from->n_order > RV_SQ_ORDER_MAX)
        return rv_fail(err, RV_E_INTERNAL, "a walk along the key needs an order and n >= 1");
    RV_GO(order_list(from, &list, err));
    rv_sq_select select = {.list = (const char *)list.ptr, .offset = true, .bare = bare};
    RV_GO(first_row(s, from, &select, (int64_t)n - 1, &statement, &row, err));
    for (size_t i = 0; row && i < from->n_order; i++)
        RV_GO(rv_sq_datum_read(statement->stmt, (int)i, arena, &values[i], err));
    if (row)
        memcpy(out, values, from->n_order * sizeof *out);
    *out_found = row;
done:
    rv_sq_release(s, statement);
    rv_buf_free(&list);
    return st;
}

rv_status rv_sq_first(rv_source *s, const rv_page_spec *from, const char *function, rv_expr expr,
                      rv_arena *arena, rv_datum *out, bool *out_found, rv_error *err)
{
    rv_buf list = RV_BUF_INIT;
    rv_sq_statement *statement = NULL;
    bool row = false;
    rv_status st;
    RV_GO(rv_buf_printf(&list, err, "%s(", function ? function : ""));
    RV_GO(rv_sq_text_expr(from->relation, expr, &list, err));
    RV_GO(rv_buf_add(&list, ")\0", 2, err));
    rv_sq_select select = {.list = (const char *)list.ptr, .offset = true};
    RV_GO(first_row(s, from, &select, 0, &statement, &row, err));
    if (row)
        RV_GO(rv_sq_datum_read(statement->stmt, 0, arena, out, err));
    *out_found = row;
done:
    rv_sq_release(s, statement);
    rv_buf_free(&list);
    return st;
}

rv_status rv_sq_nth(rv_source *s, const rv_page_spec *from, uint64_t n, rv_arena *arena,
                    rv_datum *out, bool *out_found, rv_error *err)
{
    return rv_sq_walk(s, from, n, false, arena, out, out_found, err);
}

rv_status rv_sq_count(rv_source *s, const rv_relation *rel, const rv_pred *preds, size_t n_preds,
                      uint64_t *out, rv_error *err)
{
    rv_page_spec page = {.relation = rel, .preds = preds, .n_preds = n_preds};
    rv_sq_select select = {.list = "COUNT(*)", .aggregate = true};
    rv_sq_statement *statement = NULL;
    bool row = false;
    RV_TRY(first_row(s, &page, &select, -1, &statement, &row, err));
    *out = row ? (uint64_t)sqlite3_column_int64(statement->stmt, 0) : 0;
    rv_sq_release(s, statement);
    return RV_OK;
}

/* Equal steps between the ends of an integer key; other keys cannot be cut without a scan. */
rv_status rv_sq_cuts(rv_source *s, const rv_relation *rel, size_t want, rv_arena *arena,
                     rv_datum *out, size_t *out_n, rv_error *err)
{
    rv_datum low, high;
    int64_t a = 0, b = 0;
    *out_n = 0;
    if (want < 2 || rel->key.n_columns != 1 || rel->key.kinds[0] != RV_INT64)
        return RV_OK;
    rv_expr key = {rel->key.columns[0], NULL};
    RV_TRY(rv_sq_bounds(s, rel, key, NULL, 0, arena, &low, &high, err));
    if (low.null || high.null || low.kind != RV_INT64 || high.kind != RV_INT64 ||
        !rv_str_i64(low.text, &a) || !rv_str_i64(high.text, &b))
        return RV_OK;
    rv_i128 span = (rv_i128)b - a + 1;
    int64_t previous = a;
    size_t n = 0;
    for (size_t i = 1; i < want; i++) {
        int64_t cut = (int64_t)(a + span * (rv_i128)i / (rv_i128)want);
        char text[24];
        if (cut <= previous)
            continue;
        (void)snprintf(text, sizeof text, "%" PRId64, cut);
        out[n] = (rv_datum){.kind = RV_INT64};
        RV_TRY(rv_arena_str(arena, rv_str_c(text), &out[n].text, err));
        previous = cut;
        n++;
    }
    *out_n = n;
    return RV_OK;
}
