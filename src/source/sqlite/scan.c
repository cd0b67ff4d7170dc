#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/mem.h"
#include "source/sqlite/relation_internal.h"

#define CLOCK_ROWS 64

/* Where a plain column stands in the select list: by result name, else by origin; -1: nowhere. */
static int column_place(const rv_sq_relation *r, const char *name)
{
    for (size_t i = 0; i < r->n_columns; i++)
        if (strcmp(r->columns[i].name, name) == 0)
            return (int)i;
    for (size_t i = 0; i < r->n_columns; i++)
        if (r->columns[i].origin && strcmp(r->columns[i].origin, name) == 0)
            return (int)i;
    return -1;
}

static int place_of(const rv_sq_relation *r, rv_expr expr, rv_sq_helpers *h)
{
    /* a scalar subquery in the list may pass for the column it reads: never take a key from there
     */
    int place = expr.fallback || r->spliced ? -1 : column_place(r, expr.column);
    if (place >= 0)
        return place;
    h->expr[h->n] = expr;
    return (int)(r->n_columns + h->n++);
}

static void place_columns(rv_scan *scan, const rv_page_spec *page, rv_sq_helpers *h)
{
    const rv_sq_relation *r = scan->r;
    for (size_t i = 0; i < page->n_order; i++)
        scan->order_index[i] = place_of(r, page->order[i], h);
    bool untouched = r->verbatim && page->n_order == 0 && page->n_preds == 0;
    for (size_t i = 0; i < r->n_ident; i++) {
        int place = column_place(r, r->ident[i]);
        if (place < 0 && untouched)
            return; /* the text is sent as it is */
        scan->ident_index[i] = place >= 0 ? place : place_of(r, (rv_expr){r->ident[i], NULL}, h);
    }
    scan->n_ident = r->n_ident;
}

static uint64_t fixed_bytes(const rv_sq_relation *r)
{
    uint64_t n = 0;
    for (size_t i = 0; i < r->n_columns; i++)
        n += rv_type_layout(r->columns[i].type) == RV_LAYOUT_VAR ? 0 : 8;
    return n;
}

static bool hex_equals(rv_bytes raw, rv_str hex)
{
    char pair[3];
    if (hex.len != 2 * raw.len)
        return false;
    for (size_t i = 0; i < raw.len; i++) {
        rv_hex(raw.ptr + i, 1, pair);
        if (memcmp(pair, hex.ptr + 2 * i, 2) != 0)
            return false;
    }
    return true;
}

/* Is the first order value of the row another than that of the row before? */
static bool first_changed(const rv_scan *scan)
{
    const rv_sq_value *v = &scan->last[0];
    sqlite3_stmt *stmt = scan->stmt;
    int i = scan->order_index[0];
    int storage = sqlite3_column_type(stmt, i);
    if (v->storage != storage)
        return true;
    switch (storage) {
    case SQLITE_NULL:
        return false;
    case SQLITE_INTEGER:
        return sqlite3_column_int64(stmt, i) != v->integer;
    case SQLITE_FLOAT: {
        double d = sqlite3_column_double(stmt, i);
        return d < v->real || d > v->real; /* no NaN: SQLite stores it as NULL */
    }
    default: {
        rv_bytes raw = {.len = (size_t)sqlite3_column_bytes(stmt, i)};
        raw.ptr = sqlite3_column_blob(stmt, i);
        if (storage == SQLITE_BLOB)
            return !hex_equals(raw, rv_buf_str(&v->bytes));
        raw.ptr = (const uint8_t *)sqlite3_column_text(stmt, i);
        return !rv_str_eq((rv_str){(const char *)raw.ptr, raw.len}, rv_buf_str(&v->bytes));
    }
    }
}

/* What came before the first row is `after`. */
static rv_status seed_first(rv_scan *scan, const rv_datum *after, rv_error *err)
{
    rv_sq_value *v = &scan->last[0];
    if (!scan->keep || !after || scan->n_order == 0)
        return RV_OK;
    if (after->null) {
        v->storage = SQLITE_NULL;
    } else if (after->kind == RV_INT64 && rv_str_i64(after->text, &v->integer)) {
        v->storage = SQLITE_INTEGER;
    } else if (after->kind == RV_STRING || after->kind == RV_BINARY) {
        v->storage = after->kind == RV_STRING ? SQLITE_TEXT : SQLITE_BLOB;
        return rv_buf_add_str(&v->bytes, after->text, err);
    } else {
        rv_sq_real_value(after->text, &v->real);
        v->storage = SQLITE_FLOAT;
    }
    return RV_OK;
}

static rv_status reserve_last(rv_scan *scan, rv_error *err)
{
    for (size_t i = 0; i < scan->n_order; i++) {
        sqlite3_value *value = sqlite3_column_value(scan->stmt, scan->order_index[i]);
        int storage = sqlite3_value_type(value);
        scan->order_value[i] = value;
        if (storage != SQLITE_TEXT && storage != SQLITE_BLOB)
            continue;
        size_t need = 2 * (size_t)sqlite3_value_bytes(value) + 1;
        rv_buf *b = &scan->last[i].bytes;
        if (b->cap >= need)
            continue;
        b->len = 0;
        RV_TRY(rv_buf_reserve(b, need, err));
    }
    return RV_OK;
}

/* Cannot fail: reserve_last made room. */
static void save_last(rv_scan *scan)
{
    for (size_t i = 0; i < scan->n_order; i++) {
        rv_sq_value *v = &scan->last[i];
        sqlite3_value *value = scan->order_value[i];
        v->storage = sqlite3_value_type(value);
        if (v->storage == SQLITE_INTEGER) {
            v->integer = sqlite3_value_int64(value);
        } else if (v->storage == SQLITE_FLOAT) {
            v->real = sqlite3_value_double(value);
        } else if (v->storage == SQLITE_TEXT) {
            const void *text = sqlite3_value_text(value);
            v->bytes.len = text ? (size_t)sqlite3_value_bytes(value) : 0;
            if (v->bytes.len)
                memcpy(v->bytes.ptr, text, v->bytes.len);
        } else if (v->storage == SQLITE_BLOB) {
            size_t n = (size_t)sqlite3_value_bytes(value);
            if (n)
                rv_hex(sqlite3_value_blob(value), n, (char *)v->bytes.ptr);
            v->bytes.len = 2 * n;
        }
    }
}

static rv_status start(rv_scan *scan, const rv_page_spec *page, rv_error *err)
{
    rv_sq_helpers h = {.n = 0};
    rv_sq_text text = RV_SQ_TEXT_INIT;
    rv_status st;
    place_columns(scan, page, &h);
    rv_sq_select select = {.helpers = h.expr, .n_helpers = h.n, .limit = page->limit > 0};
    RV_GO(rv_sq_text_select(scan->rel, page, &select, &text, err));
    RV_GO(rv_sq_acquire(scan->s, (const char *)text.sql.ptr, scan->r->what, &scan->statement, err));
    scan->stmt = scan->statement->stmt;
    int64_t limit = page->limit > INT64_MAX ? INT64_MAX : (int64_t)page->limit;
    RV_GO(rv_sq_text_bind(scan->s, &text, scan->stmt, page->limit ? limit : -1, err));
    RV_GO(seed_first(scan, page->after, err));
    RV_GO(rv_sq_window_open(page, &h, &scan->window, err));
    RV_GO(rv_sq_large_open(scan, page, err));
done:
    rv_sq_text_free(&text);
    return st;
}

rv_status rv_sq_scan(rv_source *s, const rv_page_spec *page, rv_scan **out, rv_error *err)
{
    rv_scan *scan = rv_calloc(1, sizeof *scan);
    if (!scan)
        return rv_fail_memory(err);
    scan->s = s;
    scan->rel = page->relation;
    scan->r = page->relation->driver;
    scan->limit = page->limit;
    scan->cut_bytes = page->cut_bytes;
    scan->cut_us = page->cut_us;
    scan->keep = page->keep;
    scan->keep_ctx = page->keep_ctx;
    scan->n_order = page->n_order;
    scan->row_fixed_bytes = fixed_bytes(scan->r);
    rv_status st = start(scan, page, err);
    if (st == RV_OK)
        *out = scan;
    else
        rv_sq_scan_close(scan);
    return st;
}

void rv_sq_scan_close(rv_scan *scan)
{
    if (!scan)
        return;
    rv_sq_release(scan->s, scan->statement);
    for (size_t i = 0; i < RV_SQ_ORDER_MAX; i++)
        rv_buf_free(&scan->last[i].bytes);
    rv_sq_window_close(scan->window);
    rv_sq_large_close(scan);
    rv_free(scan->nulled);
    rv_free(scan);
}

/* SQLite prepares anew when the schema changed: the answer may have other columns now. */
static rv_status check_columns(rv_scan *scan, rv_error *err)
{
    const rv_sq_relation *r = scan->r;
    size_t n = (size_t)sqlite3_column_count(scan->stmt);
    scan->described = true;
    bool same = n >= r->n_columns;
    for (size_t i = 0; same && !r->is_table && i < r->n_columns; i++) {
        const char *name = sqlite3_column_name(scan->stmt, (int)i);
        if (!name)
            return rv_fail_memory(err);
        same = strcmp(name, r->columns[i].name) == 0;
    }
    if (same)
        return RV_OK;
    return rv_fail(err, RV_E_SOURCE_CHANGED, "%s: the result has other columns than at the start",
                   r->what);
}

/* Every cell of the row; a cell whose override failed under `on_override_error: null` is marked
 * and the row is read once more, for a failed append leaves the builder's row unusable. */
static rv_status append_row(rv_scan *scan, rv_builder *b, rv_error *err)
{
    sqlite3_stmt *stmt = scan->stmt;
    rv_sq_relation *r = scan->r;
    scan->row_bytes = scan->row_fixed_bytes;
    for (uint32_t i = 0; i < r->n_columns; i++) {
        rv_sq_column *c = &r->columns[i];
        scan->cell = sqlite3_column_value(stmt, (int)i);
        int storage = sqlite3_value_type(scan->cell);
        rv_status st;
        if (storage == SQLITE_NULL)
            st = rv_builder_null(b, i, err);
        else if (scan->nulled && scan->nulled[i])
            st = rv_builder_null_replaced(b, i, err);
        else
            st = c->decode(scan, c, b, i, storage, err);
        if (st == RV_OK)
            continue;
        if (st != RV_E_VALUE || !c->overridden || !r->null_on_error)
            return rv_sq_cell_error(scan, c, i, st, err);
        if (!scan->nulled)
            scan->nulled = rv_calloc(r->n_columns, 1);
        if (!scan->nulled)
            return rv_fail_memory(err);
        scan->nulled[i] = 1;
        rv_builder_row_undo(b);
        i = UINT32_MAX; /* from the first cell */
        scan->row_bytes = scan->row_fixed_bytes;
    }
    if (scan->nulled)
        memset(scan->nulled, 0, r->n_columns);
    return RV_OK;
}

static rv_status take_row(rv_scan *scan, rv_builder *b, rv_error *err)
{
    if (!scan->described)
        RV_TRY(check_columns(scan, err));
    rv_status st = append_row(scan, b, err);
    if (st == RV_OK)
        st = reserve_last(scan, err);
    if (st != RV_OK) {
        rv_builder_row_undo(b);
        return st;
    }
    if (scan->keep && !scan->keep(scan->keep_ctx, b, scan->n_order == 0 || first_changed(scan))) {
        rv_builder_row_undo(b);
    } else {
        st = rv_builder_row_end(b, err);
        if (st != RV_OK) {
            rv_builder_row_undo(b);
            return st;
        }
    }
    save_last(scan);
    if (scan->r->ident_rowid && scan->n_ident > 0 && scan->n_order == 0)
        scan->large.rowid = sqlite3_column_int64(scan->stmt, scan->ident_index[0]);
    scan->end.rows++;
    scan->end.bytes += scan->row_bytes;
    return RV_OK;
}

/* Limits that end the page after a complete row. */
static bool page_ends(rv_scan *scan)
{
    if (scan->limit && scan->end.rows == scan->limit) {
        scan->end.limited = true;
        return true;
    }
    if (scan->cut_bytes && scan->end.bytes > scan->cut_bytes)
        scan->end.cut = true;
    else if (scan->cut_us && scan->end.rows % CLOCK_ROWS == 0)
        scan->end.cut = rv_clock_mono_us() >= scan->cut_at_us;
    return scan->end.cut;
}

/* The clock of the statement at hand: started in this call, or before it. */
static void arm(rv_scan *scan)
{
    rv_source *s = scan->s;
    bool windowed = rv_sq_window_active(scan->window);
    scan->start_us = rv_clock_mono_us();
    rv_sq_arm(s, scan->statement_us);
    scan->cut_at_us = RV_SQ_NEVER;
    if (scan->cut_us && !windowed)
        scan->cut_at_us = scan->start_us - scan->statement_us + scan->cut_us;
    /* cut before its first row, a page could only begin at the same place again */
    if (scan->end.rows > 0 || scan->window)
        s->cut_at_us = scan->cut_at_us;
}

static void account(rv_scan *scan)
{
    scan->statement_us += rv_clock_mono_us() - scan->start_us;
    if (scan->statement_us > scan->end.elapsed_us)
        scan->end.elapsed_us = scan->statement_us;
}

/* The statement gave all it had, or was cut. Without a row so far the page goes on behind. */
static rv_status statement_ends(rv_scan *scan, bool cut, bool *out_end, rv_error *err)
{
    bool windowed = rv_sq_window_active(scan->window);
    bool more = false;
    if (scan->end.rows > 0 || (!cut && !windowed)) {
        scan->end.cut = cut || windowed;
        *out_end = true;
        return RV_OK;
    }
    account(scan);
    RV_TRY(rv_sq_window_next(scan, scan->statement_us, &more, err));
    scan->statement_us = 0;
    arm(scan);
    *out_end = !more;
    return RV_OK;
}

static rv_status too_big(rv_scan *scan, bool *out_end, rv_error *err)
{
    RV_TRY(rv_sq_large_met(scan, out_end, err));
    scan->end.cut = *out_end;
    if (*out_end)
        return RV_OK;
    account(scan);
    scan->statement_us = 0;
    arm(scan);
    return RV_OK;
}

static rv_status read_rows(rv_scan *scan, rv_builder *b, bool *out_end, rv_error *err)
{
    *out_end = false;
    while (!*out_end && !rv_builder_full(b)) {
        int rc = sqlite3_step(scan->stmt);
        if (rc == SQLITE_ROW) {
            RV_TRY(take_row(scan, b, err));
            scan->s->cut_at_us = scan->cut_at_us;
            *out_end = page_ends(scan);
            continue;
        }
        if (rc == SQLITE_TOOBIG && scan->large.on) {
            RV_TRY(too_big(scan, out_end, err));
            continue;
        }
        bool cut = (rc & 0xff) == SQLITE_INTERRUPT && scan->s->stop == RV_SQ_CUT;
        if (rc != SQLITE_DONE && !cut)
            return rv_sq_fail(scan->s, rc, scan->r->what, err);
        RV_TRY(statement_ends(scan, cut, out_end, err));
    }
    return RV_OK;
}

rv_status rv_sq_next(rv_scan *scan, rv_builder *builder, bool *out_end, rv_error *err)
{
    if (scan->done) {
        *out_end = true;
        return RV_OK;
    }
    rv_source *s = scan->s;
    RV_TRY(rv_sq_check(s, err));
    bool end = false;
    arm(scan);
    rv_sq_large_guard(scan, true);
    rv_status st = read_rows(scan, builder, &end, err);
    rv_sq_large_guard(scan, false);
    rv_sq_disarm(s);
    account(scan);
    if (end || st != RV_OK) { /* the read transaction ends here */
        scan->done = true;
        rv_sq_release(s, scan->statement);
        scan->statement = NULL;
    }
    if (st == RV_OK)
        *out_end = end;
    return st;
}

static rv_datum last_datum(rv_sq_value *v)
{
    rv_datum d = {.kind = RV_STRING};
    switch (v->storage) {
    case SQLITE_INTEGER:
        d.kind = RV_INT64;
        (void)snprintf(v->number, sizeof v->number, "%" PRId64, v->integer);
        d.text = rv_str_c(v->number);
        break;
    case SQLITE_FLOAT:
        d.kind = RV_FLOAT64;
        rv_sq_real_text(v->real, v->number);
        d.text = rv_str_c(v->number);
        break;
    case SQLITE_BLOB:
        d.kind = RV_BINARY;
        d.text = rv_buf_str(&v->bytes);
        break;
    case SQLITE_TEXT:
        d.text = rv_buf_str(&v->bytes);
        break;
    default:
        d.null = true;
    }
    return d;
}

void rv_sq_scan_end(const rv_scan *scan, rv_page_end *out)
{
    /* the texts live in the scan: scan_close frees them */
    rv_scan *self = (rv_scan *)(uintptr_t)scan;
    *out = scan->end;
    if (scan->end.rows == 0 || scan->n_order == 0)
        return;
    for (size_t i = 0; i < scan->n_order; i++)
        self->last_datum[i] = last_datum(&self->last[i]);
    out->last = self->last_datum;
}
