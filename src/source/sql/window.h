/* source/sql/window.h: what key windows have in common: where few rows meet a query's condition,
 * the key bounds a statement and not LIMIT. Pure but for the arena.
 * Source: spec "source-safety" section 14 (Rare rows). */
#ifndef RV_SOURCE_SQL_WINDOW_H
#define RV_SOURCE_SQL_WINDOW_H

#include "source/source.h"

#define RV_SQL_WINDOW_KEYS 1000 /* of the first window */

/* The page is ordered by exactly the relation's key. */
bool rv_sql_window_by_key(const rv_page_spec *page);
/* The walk that finds a window's end: the page's order and position, and of its predicates those on
 * the key, for others would only make it read more. */
rv_status rv_sql_window_walk(const rv_page_spec *page, rv_arena *arena, rv_page_spec *out,
                             rv_error *err) RV_MUST_USE;
/* Keys of the next window: one is to take between a quarter and a half of the page's time. */
uint64_t rv_sql_window_resize(uint64_t keys, int64_t spent_us, int64_t page_us);
/* There is none smaller: it is read to its end. */
bool rv_sql_window_smallest(uint64_t keys);

#endif
