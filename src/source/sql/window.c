#include "source/sql/window.h"

#define KEYS_MIN 50
#define KEYS_MAX 1000000

bool rv_sql_window_by_key(const rv_page_spec *page)
{
    const rv_key *key = &page->relation->key;
    if (page->n_order == 0 || page->n_order != key->n_columns)
        return false;
    for (size_t i = 0; i < page->n_order; i++)
        if (page->order[i].fallback || strcmp(page->order[i].column, key->columns[i]) != 0)
            return false;
    return true;
}

rv_status rv_sql_window_walk(const rv_page_spec *page, rv_arena *arena, rv_page_spec *out,
                             rv_error *err)
{
    rv_pred *kept = NULL;
    size_t n = 0;
    RV_TRY(rv_arena_array(arena, page->n_preds, sizeof *kept, &kept, err));
    for (size_t p = 0; p < page->n_preds; p++)
        for (size_t i = 0; i < page->n_order; i++)
            if (!page->preds[p].expr.fallback &&
                strcmp(page->preds[p].expr.column, page->order[i].column) == 0)
                kept[n++] = page->preds[p];
    *out = (rv_page_spec){.relation = page->relation,
                          .preds = kept,
                          .n_preds = n,
                          .order = page->order,
                          .n_order = page->n_order,
                          .after = page->after,
                          .until = page->until};
    return RV_OK;
}

uint64_t rv_sql_window_resize(uint64_t keys, int64_t spent_us, int64_t page_us)
{
    if (!page_us)
        return keys;
    if (spent_us > page_us / 2 && !rv_sql_window_smallest(keys))
        return keys / 2;
    return spent_us < page_us / 4 && keys * 2 <= KEYS_MAX ? keys * 2 : keys;
}

bool rv_sql_window_smallest(uint64_t keys)
{
    return keys / 2 < KEYS_MIN;
}
