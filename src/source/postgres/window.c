/* Key windows: where few rows meet the condition of a query, LIMIT does not bound the work; the
 * key does. Spec "source-safety" section 14, Rare rows. Pages are scans of their own, so that
 * what was learned stays with the source. */
#include "base/mem.h"
#include "source/postgres/scan_internal.h"
#include "source/sql/window.h"

struct rv_pgs_window {
    const rv_relation *rel;
    bool on;
    uint64_t keys; /* of the next window */
    bool group;    /* the next page begins inside a group of equal bounds, a large one */
};

bool rv_pgs_window_applies(const rv_page_spec *page)
{
    const rv_pgs_relation *r = page->relation->driver;
    return r->condition && !r->wrapped && page->relation->shape == RV_SHAPE_PAGES && page->limit &&
           rv_sql_window_by_key(page);
}

static rv_status window_of(rv_source *s, const rv_relation *rel, rv_pgs_window **out, rv_error *err)
{
    const rv_pgs_relation *r = rel->driver;
    if (!s->window)
        s->window = rv_calloc(1, sizeof *s->window);
    if (!s->window)
        return rv_fail_memory(err);
    if (s->window->rel != rel)
        *s->window =
            (rv_pgs_window){.rel = rel, .on = r->windows_first, .keys = RV_SQL_WINDOW_KEYS};
    *out = s->window;
    return RV_OK;
}

rv_status rv_pgs_window_enter(rv_scan *scan, rv_page_spec *io_page, rv_error *err)
{
    rv_pgs_window *w = NULL;
    rv_datum *end = NULL;
    rv_page_spec walk;
    bool found = false;
    if (!rv_pgs_window_applies(io_page))
        return RV_OK;
    RV_TRY(window_of(scan->s, scan->rel, &w, err));
    if (!w->on)
        return RV_OK;
    RV_TRY(rv_arena_array(&scan->arena, io_page->n_order, sizeof *end, &end, err));
    RV_TRY(rv_sql_window_walk(io_page, &scan->arena, &walk, err));
    RV_TRY(rv_pgs_walk(scan->s, &walk, w->keys, true, &scan->arena, end, &found, err));
    scan->windowed = true;
    scan->patient = rv_sql_window_smallest(w->keys);
    if (!found)
        return RV_OK; /* the rest is less than a window */
    io_page->until = end;
    scan->end_of_window = end;
    scan->more_windows = true;
    return RV_OK;
}

rv_status rv_pgs_window_group(rv_scan *scan, const rv_page_spec *page, rv_pgs_select_opts *io_opts,
                              rv_error *err)
{
    rv_pgs_window *w = NULL;
    rv_buf b = RV_BUF_INIT;
    rv_status st;
    if (!scan->r->presorted || !page->limit || !page->after || page->after[0].null)
        return RV_OK;
    RV_TRY(window_of(scan->s, scan->rel, &w, err));
    if (!w->group)
        return RV_OK;
    RV_GO(rv_pgs_expr(scan->r, &page->order[0], &b, err));
    RV_GO(rv_buf_add_c(&b, " <= ", err));
    RV_GO(rv_pgs_datum(&page->after[0], rv_pgs_expr_oid(scan->rel, &page->order[0]), &b, err));
    RV_GO(rv_pgs_keep(&b, &scan->arena, &io_opts->extra, err));
    w->group = false;
    io_opts->limit = scan->page.limit = 0;
    scan->may_cut = false; /* what is left would be sorted once more */
    scan->whole_group = scan->more_windows = true;
done:
    rv_buf_free(&b);
    return st;
}

rv_status rv_pgs_window_leave(rv_scan *scan, bool cut_by_time, rv_error *err)
{
    rv_pgs_window *w = NULL;
    if (scan->r->presorted && !scan->whole_group && scan->page.limit && scan->page.cut_us) {
        RV_TRY(window_of(scan->s, scan->rel, &w, err));
        w->group = scan->end.elapsed_us >= scan->page.cut_us;
    }
    if (!scan->cut_empty) /* the page was none that windows apply to */
        return RV_OK;
    RV_TRY(window_of(scan->s, scan->rel, &w, err));
    bool full = scan->end.rows >= scan->page.limit;
    const rv_pgs_relation *r = scan->r;
    if (!scan->windowed) {
        w->on = w->on || (cut_by_time && !full);
        return RV_OK;
    }
    w->keys = rv_sql_window_resize(w->keys, scan->end.elapsed_us, scan->page.cut_us);
    /* rows are dense here: a plain page does the same in one statement */
    if (full && !r->windows_first)
        w->on = false;
    return RV_OK;
}

void rv_pgs_window_free(rv_pgs_window *w)
{
    rv_free(w);
}
