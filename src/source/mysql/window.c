/* Key windows: where few rows meet the condition of a query, LIMIT does not bound the work; the
 * key does. Spec "source-safety" section 14, Rare rows. Pages are scans of their own, so that
 * what was learned stays with the source. */
#include "base/mem.h"
#include "source/mysql/scan_internal.h"

#define FIRST_KEYS 1000
#define KEYS_MIN 50
#define KEYS_MAX 1000000

struct rv_mys_window {
    const rv_relation *rel;
    bool on;
    uint64_t keys; /* of the next window */
};

bool rv_mys_window_applies(const rv_page_spec *page)
{
    const rv_mys_relation *r = page->relation->driver;
    const rv_key *key = &page->relation->key;
    if (!r->condition || r->wrapped || page->relation->shape != RV_SHAPE_PAGES || !page->limit ||
        page->n_order == 0 || page->n_order != key->n_columns)
        return false;
    for (size_t i = 0; i < page->n_order; i++)
        if (page->order[i].fallback || strcmp(page->order[i].column, key->columns[i]) != 0)
            return false;
    return true;
}

static rv_status window_of(rv_source *s, const rv_relation *rel, rv_mys_window **out, rv_error *err)
{
    if (!s->window)
        s->window = rv_calloc(1, sizeof *s->window);
    if (!s->window)
        return rv_fail_memory(err);
    if (s->window->rel != rel)
        *s->window = (rv_mys_window){.rel = rel, .keys = FIRST_KEYS};
    *out = s->window;
    return RV_OK;
}

/* Bounds of a unit on its key are index conditions of the walk too; others would only make it
 * read more. */
static rv_status key_preds(const rv_page_spec *page, rv_arena *arena, rv_page_spec *walk,
                           rv_error *err)
{
    rv_pred *kept = NULL;
    RV_TRY(rv_arena_array(arena, page->n_preds, sizeof *kept, &kept, err));
    walk->preds = kept;
    for (size_t p = 0; p < page->n_preds; p++)
        for (size_t i = 0; i < page->n_order; i++)
            if (!page->preds[p].expr.fallback &&
                strcmp(page->preds[p].expr.column, page->order[i].column) == 0)
                kept[walk->n_preds++] = page->preds[p];
    return RV_OK;
}

rv_status rv_mys_window_enter(rv_scan *scan, rv_page_spec *io_page, rv_error *err)
{
    rv_mys_window *w = NULL;
    rv_datum *end = NULL;
    bool found = false;
    if (!rv_mys_window_applies(io_page))
        return RV_OK;
    RV_TRY(window_of(scan->s, scan->rel, &w, err));
    if (!w->on)
        return RV_OK;
    RV_TRY(rv_arena_array(&scan->arena, io_page->n_order, sizeof *end, &end, err));
    rv_page_spec walk = {.relation = scan->rel,
                         .order = io_page->order,
                         .n_order = io_page->n_order,
                         .after = io_page->after,
                         .until = io_page->until};
    RV_TRY(key_preds(io_page, &scan->arena, &walk, err));
    RV_TRY(rv_mys_walk(scan->s, &walk, w->keys, true, &scan->arena, end, &found, err));
    scan->windowed = true;
    scan->patient = w->keys / 2 < KEYS_MIN;
    if (!found)
        return RV_OK; /* the rest is less than a window */
    io_page->until = end;
    scan->end_of_window = end;
    scan->more_windows = true;
    return RV_OK;
}

/* Windows are to take between a quarter and a half of the page's time. */
static void resize(rv_mys_window *w, const rv_scan *scan)
{
    int64_t spent_us = scan->end.elapsed_us, most_us = scan->page.cut_us;
    if (!most_us)
        return;
    if (spent_us > most_us / 2 && w->keys / 2 >= KEYS_MIN)
        w->keys /= 2;
    else if (spent_us < most_us / 4 && w->keys * 2 <= KEYS_MAX)
        w->keys *= 2;
}

rv_status rv_mys_window_leave(rv_scan *scan, bool cut_by_time, rv_error *err)
{
    rv_mys_window *w = NULL;
    if (!scan->cut_empty) /* the page was none that windows apply to */
        return RV_OK;
    RV_TRY(window_of(scan->s, scan->rel, &w, err));
    bool full = scan->end.rows >= scan->page.limit;
    if (!scan->windowed) {
        w->on = w->on || (cut_by_time && !full);
        return RV_OK;
    }
    resize(w, scan);
    /* rows are dense here: a plain page does the same in one statement */
    if (full)
        w->on = false;
    return RV_OK;
}

void rv_mys_window_free(rv_mys_window *w)
{
    rv_free(w);
}
