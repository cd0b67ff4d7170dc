/* SQLite copies a value into memory before it says how long it is. While rows are read, its own
 * length limit stands a little above tuning.max_value_mb, so a step over a larger cell fails
 * instead; what the failed step cannot tell, which cell it was, is then asked of the row behind
 * the last one delivered, by means that do not load values. */
#include <inttypes.h>
#include <stdio.h>

#include "source/sqlite/relation_internal.h"

/* A cell of exactly the limit passes, and so do short values made from it. */
#define SLACK_BYTES (64 * 1024)
#define UNLIMITED INT32_MAX /* SQLite lowers it to what it was built with */

void rv_sq_large_hint(const rv_sq_relation *r, const char *row, rv_error *err)
{
    rv_hint(err, "the cell is in %s, %s; raise tuning.max_value_mb or leave the column out",
            r->what, row);
}

void rv_sq_large_guard(rv_scan *scan, bool on)
{
    if (!scan->large.on)
        return;
    int limit = on ? (int)(scan->s->max_value_bytes + SLACK_BYTES) : UNLIMITED;
    (void)sqlite3_limit(scan->s->db, SQLITE_LIMIT_LENGTH, limit);
}

/* A query may make long values on its way to short ones, and its own condition may look at cells
 * it does not export: only where such a page can go on without the guard is it guarded. */
static bool applies(const rv_source *s, const rv_page_spec *page)
{
    const rv_sq_relation *r = page->relation->driver;
    const rv_sq_table *t = r->table;
    if (s->max_value_bytes == 0 || s->max_value_bytes > UNLIMITED - SLACK_BYTES || s->utf16)
        return false;
    if (!t || t->view || t->is_virtual)
        return false;
    return r->is_table || (r->spliced && page->n_order > 0 && (page->cut_us || page->cut_bytes));
}

rv_status rv_sq_large_open(rv_scan *scan, const rv_page_spec *page, rv_error *err)
{
    scan->large.on = applies(scan->s, page);
    return scan->large.on ? rv_sq_page_copy(page, &scan->large.arena, &scan->large.page, err)
                          : RV_OK;
}

void rv_sq_large_close(rv_scan *scan)
{
    rv_arena_free(&scan->large.arena);
}

/* --- which cell it was --- */

typedef struct search {
    rv_scan *scan;
    rv_page_spec page; /* begins behind the last row delivered */
    rv_expr by_rowid;
    rv_datum after_rowid;
    char number[24];
    rv_arena arena;
} search;

/* Unordered rows of a table come by rowid unless an index covers them: what is found there is
 * checked before it is named. False: the place is not known. */
static bool find_place(search *f)
{
    rv_scan *scan = f->scan;
    const rv_page_spec *window = rv_sq_window_page(scan->window);
    f->page = window ? *window : scan->large.page;
    if (scan->n_order > 0 && scan->end.rows > 0) {
        rv_page_end end;
        rv_sq_scan_end(scan, &end);
        f->page.after = end.last;
    }
    if (scan->n_order > 0)
        return true;
    if (!scan->r->ident_rowid || scan->n_ident == 0)
        return false;
    f->by_rowid = (rv_expr){scan->r->ident[0], NULL};
    f->page.order = &f->by_rowid;
    f->page.n_order = 1;
    if (scan->end.rows == 0)
        return true;
    (void)snprintf(f->number, sizeof f->number, "%" PRId64, scan->large.rowid);
    f->after_rowid = (rv_datum){.kind = RV_INT64, .text = rv_str_c(f->number)};
    f->page.after = &f->after_rowid;
    return true;
}

static rv_status refuse(const rv_scan *scan, const rv_sq_column *c, uint64_t bytes, const char *row,
                        rv_error *err)
{
    char size[48] = "larger than the limit";
    char column[160] = "";
    if (bytes > 0)
        (void)snprintf(size, sizeof size, "%.1f MB, limit", (double)bytes / (1 << 20));
    if (c)
        (void)snprintf(column, sizeof column, "column '%s': ", c->name);
    rv_status st =
        rv_fail(err, RV_E_VALUE_TOO_LARGE,
                "RIVET_VALUE_TOO_LARGE: %sone cell is %s %" PRIu64 " MB (tuning.max_value_mb)",
                column, size, scan->s->max_value_bytes >> 20);
    rv_sq_large_hint(scan->r, row, err);
    return st;
}

/* The column of the base table that result column `i` hands on unchanged, or NULL. */
static const char *base_column(const rv_sq_relation *r, size_t i)
{
    return r->is_table ? r->columns[i].name : r->columns[i].origin;
}

/* A handle on a stored TEXT or BLOB tells its size; other values have no handle. */
static rv_status ask_rowid(search *f, rv_error *err)
{
    const rv_scan *scan = f->scan;
    const rv_sq_relation *r = scan->r;
    rv_expr key = {r->table->rowid, NULL};
    rv_datum value = {.null = true};
    bool found = false;
    int64_t rowid = 0;
    char row[40];
    RV_TRY(rv_sq_first(scan->s, &f->page, NULL, key, &f->arena, &value, &found, err));
    if (!found || value.null || !rv_str_i64(value.text, &rowid))
        return RV_OK;
    (void)snprintf(row, sizeof row, "rowid %" PRId64, rowid);
    for (size_t i = 0; i < r->n_columns; i++) {
        const char *name = base_column(r, i);
        sqlite3_blob *blob = NULL;
        uint64_t bytes = 0;
        if (!name)
            continue;
        if (sqlite3_blob_open(scan->s->db, "main", r->table->name, name, rowid, 0, &blob) ==
            SQLITE_OK)
            bytes = (uint64_t)sqlite3_blob_bytes(blob);
        sqlite3_blob_close(blob);
        if (bytes > scan->s->max_value_bytes)
            return refuse(scan, &r->columns[i], bytes, row, err);
    }
    return RV_OK;
}

static void key_text(const search *f, const rv_datum *values, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < f->page.n_order && used < size; i++) {
        rv_str v = values[i].null ? RV_STR("NULL") : values[i].text;
        size_t cut = rv_utf8_cut(v, 40);
        int n = snprintf(out + used, size - used, "%s%s=%.*s%s", i ? ", " : "",
                         f->page.order[i].column, (int)cut, v.ptr, cut < v.len ? "..." : "");
        used += n > 0 ? (size_t)n : 0;
    }
}

/* Under the guard length() of a BLOB does not load it, and that of a TEXT above the limit fails as
 * the row did: *out_bytes 0, which says larger than the limit. */
static rv_status ask_length(search *f, const char *name, bool *out_large, uint64_t *out_bytes,
                            rv_error *err)
{
    const rv_source *s = f->scan->s;
    rv_datum length = {.null = true};
    rv_error cause = {0};
    bool found = false;
    int64_t n = 0;
    rv_status st = rv_sq_first(f->scan->s, &f->page, "length", (rv_expr){name, NULL}, &f->arena,
                               &length, &found, &cause);
    *out_bytes = 0;
    *out_large = st == RV_E_VALUE_TOO_LARGE;
    if (*out_large)
        return RV_OK;
    if (st != RV_OK && err)
        *err = cause;
    RV_TRY(st);
    if (!found || length.null || !rv_str_i64(length.text, &n) || n < 0)
        return RV_OK;
    *out_bytes = (uint64_t)n;
    *out_large = *out_bytes > s->max_value_bytes;
    return RV_OK;
}

/* Asked for by equality, one row alone is read: a sort would compute the length of every row. */
static void ask_alone(const search *f, const rv_datum *values, rv_pred *preds, rv_page_spec *out)
{
    for (size_t i = 0; i < f->page.n_order; i++)
        preds[i] = (rv_pred){.expr = f->page.order[i],
                             .op = values[i].null ? RV_IS_NULL : RV_EQ,
                             .value = values[i]};
    *out = (rv_page_spec){.relation = f->page.relation, .preds = preds, .n_preds = f->page.n_order};
}

static rv_status ask_lengths(search *f, rv_error *err)
{
    const rv_scan *scan = f->scan;
    const rv_sq_relation *r = scan->r;
    rv_datum values[RV_SQ_ORDER_MAX];
    rv_pred preds[RV_SQ_ORDER_MAX];
    rv_error cause = {0};
    bool found = false, large = false;
    uint64_t bytes = 0;
    char row[256];
    rv_status st = rv_sq_walk(scan->s, &f->page, 1, false, &f->arena, values, &found, &cause);
    if (st == RV_E_VALUE_TOO_LARGE) /* the key itself: no column can be asked for alone */
        return RV_OK;
    if (st != RV_OK && err)
        *err = cause;
    RV_TRY(st);
    if (!found)
        return RV_OK;
    key_text(f, values, row, sizeof row);
    ask_alone(f, values, preds, &f->page);
    for (size_t i = 0; i < r->n_columns; i++) {
        const char *name = base_column(r, i);
        if (!name)
            continue;
        RV_TRY(ask_length(f, name, &large, &bytes, err));
        if (large)
            return refuse(scan, &r->columns[i], bytes, row, err);
    }
    return RV_OK;
}

/* The query's own condition may load what is not exported: it must not meet the guard. */
static rv_status ask(search *f, rv_error *err)
{
    const rv_sq_relation *r = f->scan->r;
    if (r->table->rowid) {
        rv_sq_large_guard(f->scan, false);
        RV_TRY(ask_rowid(f, err));
        rv_sq_large_guard(f->scan, true);
    }
    return r->where ? RV_OK : ask_lengths(f, err); /* columns may have no handle: generated ones */
}

rv_status rv_sq_large_met(rv_scan *scan, bool *out_cut, rv_error *err)
{
    search f = {.scan = scan, .arena = RV_ARENA_INIT};
    bool ordered = scan->n_order > 0;
    bool pages = ordered && (scan->cut_us || scan->cut_bytes);
    rv_status st = RV_OK;
    char row[48];
    sqlite3_reset(scan->stmt);
    if (find_place(&f))
        st = ask(&f, err);
    rv_arena_free(&f.arena);
    rv_sq_large_guard(scan, true);
    if (st == RV_E_SOURCE_TIMEOUT) /* the next row is far: read on to it */
        st = RV_OK;
    RV_TRY(st);
    if (!ordered || (scan->end.rows > 0 && !pages)) {
        (void)snprintf(row, sizeof row, "after row %" PRIu64 " of the result", scan->end.rows);
        return refuse(scan, NULL, 0, row, err);
    }
    *out_cut = scan->end.rows > 0;
    if (!*out_cut) {
        rv_sq_large_guard(scan, false);
        scan->large.on = false;
    }
    return RV_OK;
}
