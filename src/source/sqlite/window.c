#include "base/mem.h"
#include "source/sql/window.h"
#include "source/sqlite/relation_internal.h"

struct rv_sq_window {
    rv_arena arena; /* of the page's copy */
    rv_page_spec page;
    rv_sq_helpers helpers;
    rv_arena place[2]; /* of `after` and of `until`, in turn */
    unsigned turn;
    rv_datum after[RV_SQ_ORDER_MAX];
    rv_datum until[RV_SQ_ORDER_MAX];
    bool active;
    bool last;     /* the window at hand has no end */
    uint64_t keys; /* of the next window */
};

static rv_status copy_datum(rv_arena *a, const rv_datum *in, rv_datum *out, rv_error *err)
{
    *out = *in;
    return in->null ? RV_OK : rv_arena_str(a, in->text, &out->text, err);
}

static rv_status copy_place(rv_arena *a, const rv_datum *in, size_t n, const rv_datum **out,
                            rv_error *err)
{
    rv_datum *copy = NULL;
    if (!in)
        return RV_OK;
    RV_TRY(rv_arena_array(a, n, sizeof *copy, &copy, err));
    for (size_t i = 0; i < n; i++)
        RV_TRY(copy_datum(a, &in[i], &copy[i], err));
    *out = copy;
    return RV_OK;
}

rv_status rv_sq_page_copy(const rv_page_spec *page, rv_arena *a, rv_page_spec *out, rv_error *err)
{
    rv_pred *preds = NULL;
    rv_expr *order = NULL;
    rv_page_spec copy = {
        .relation = page->relation, .n_preds = page->n_preds, .n_order = page->n_order};
    RV_TRY(rv_arena_array(a, page->n_preds, sizeof *preds, &preds, err));
    RV_TRY(rv_arena_array(a, page->n_order, sizeof *order, &order, err));
    for (size_t i = 0; i < page->n_preds; i++) {
        preds[i] = page->preds[i];
        RV_TRY(copy_datum(a, &page->preds[i].value, &preds[i].value, err));
    }
    for (size_t i = 0; i < page->n_order; i++)
        order[i] = page->order[i];
    RV_TRY(copy_place(a, page->after, page->n_order, &copy.after, err));
    RV_TRY(copy_place(a, page->until, page->n_order, &copy.until, err));
    copy.preds = preds;
    copy.order = order;
    *out = copy;
    return RV_OK;
}

/* Only a condition of the query's own makes rows rare along the key. */
static bool applies(const rv_page_spec *page)
{
    const rv_sq_relation *r = page->relation->driver;
    return r->spliced && r->where && page->cut_us && !page->until && rv_sql_window_by_key(page);
}

rv_status rv_sq_window_open(const rv_page_spec *page, const rv_sq_helpers *helpers,
                            rv_sq_window **out, rv_error *err)
{
    if (!applies(page))
        return RV_OK;
    rv_sq_window *w = rv_calloc(1, sizeof *w);
    if (!w)
        return rv_fail_memory(err);
    w->helpers = *helpers;
    w->keys = RV_SQL_WINDOW_KEYS;
    rv_status st = rv_sq_page_copy(page, &w->arena, &w->page, err);
    if (st == RV_OK)
        *out = w;
    else
        rv_sq_window_close(w);
    return st;
}

void rv_sq_window_close(rv_sq_window *w)
{
    if (!w)
        return;
    rv_arena_free(&w->arena);
    rv_arena_free(&w->place[0]);
    rv_arena_free(&w->place[1]);
    rv_free(w);
}

bool rv_sq_window_active(const rv_sq_window *w)
{
    return w && w->active;
}

const rv_page_spec *rv_sq_window_page(const rv_sq_window *w)
{
    return rv_sq_window_active(w) ? &w->page : NULL;
}

/* The end of the window just read is the beginning of the next. */
static void move_on(rv_sq_window *w)
{
    memcpy(w->after, w->until, sizeof w->after);
    w->page.after = w->after;
    w->turn = 1 - w->turn;
    rv_arena_free(&w->place[w->turn]);
    w->place[w->turn] = RV_ARENA_INIT;
}

static rv_status start(rv_scan *scan, rv_error *err)
{
    rv_sq_window *w = scan->window;
    rv_sq_text text = RV_SQ_TEXT_INIT;
    rv_sq_select select = {.helpers = w->helpers.expr, .n_helpers = w->helpers.n};
    rv_status st;
    RV_GO(rv_sq_text_select(scan->rel, &w->page, &select, &text, err));
    RV_GO(rv_sq_acquire(scan->s, (const char *)text.sql.ptr, scan->r->what, &scan->statement, err));
    scan->stmt = scan->statement->stmt;
    RV_GO(rv_sq_text_bind(scan->s, &text, scan->stmt, -1, err));
done:
    rv_sq_text_free(&text);
    return st;
}

rv_status rv_sq_window_next(rv_scan *scan, int64_t spent_us, bool *out_more, rv_error *err)
{
    rv_sq_window *w = scan->window;
    bool found = false;
    rv_sq_release(scan->s, scan->statement);
    scan->statement = NULL;
    if (w->last) {
        *out_more = false;
        return RV_OK;
    }
    if (w->active) {
        w->keys = rv_sql_window_resize(w->keys, spent_us, scan->cut_us);
        move_on(w);
    }
    w->active = true;
    rv_page_spec walk = {.relation = w->page.relation,
                         .order = w->page.order,
                         .n_order = w->page.n_order,
                         .after = w->page.after};
    RV_TRY(rv_sq_walk(scan->s, &walk, w->keys, true, &w->place[w->turn], w->until, &found, err));
    w->last = !found;
    w->page.until = found ? w->until : NULL;
    RV_TRY(start(scan, err));
    *out_more = true;
    return RV_OK;
}
