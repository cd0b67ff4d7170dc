/* One page, or one streamed statement: rows of a COPY on their way into a builder. */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "source/postgres/scan_internal.h"

#define CLOCK_ROWS 64
#define SERVER_LIMIT_MIN_MS 100

/* ---- one row ---- */

/* "id=812" or "row 7 of the result". */
static void row_name(rv_scan *scan, char *out, size_t size)
{
    rv_buf value = RV_BUF_INIT;
    size_t used = 0;
    for (size_t i = 0; i < scan->n_order && used < size; i++) {
        int field = scan->order_field[i];
        rv_buf_clear(&value);
        if (scan->lengths[field] >= 0 &&
            rv_pgs_wire_text(scan->order_oid[i], scan->fields[field], scan->lengths[field], &value,
                             NULL) != RV_OK)
            break;
        rv_str text = scan->lengths[field] < 0 ? RV_STR("NULL") : rv_buf_str(&value);
        int n = snprintf(out + used, size - used, "%s%s=%.*s", i ? ", " : "", scan->order_name[i],
                         (int)rv_utf8_cut(text, 40), text.ptr);
        used += n > 0 ? (size_t)n : 0;
    }
    rv_buf_free(&value);
    if (used == 0)
        (void)snprintf(out, size, "row %" PRIu64 " of the result", scan->end.rows + 1);
}

/* The error of a cell learns which row it was. */
static rv_status cell_error(rv_scan *scan, rv_status st, rv_error *err)
{
    char row[256];
    rv_error was;
    if (!err || (st != RV_E_VALUE && st != RV_E_VALUE_TOO_LARGE))
        return st;
    row_name(scan, row, sizeof row);
    was = *err;
    size_t first = strcspn(was.text, "\n");
    (void)rv_fail(err, st, "%.*s (%s)%s", (int)first, was.text, row, was.text + first);
    if (was.hint[0])
        rv_hint(err, "%s", was.hint);
    err->where = was.where;
    return st;
}

static rv_status mark_nulled(rv_scan *scan, size_t column, rv_error *err)
{
    if (!scan->nulled)
        scan->nulled = rv_calloc(scan->n_columns, 1);
    if (!scan->nulled)
        return rv_fail_memory(err);
    scan->nulled[column] = 1;
    return RV_OK;
}

/* A cell whose override failed under `on_override_error: null` is marked and the row is read once
 * more, for a failed append leaves the builder's row unusable. */
static rv_status append_row(rv_scan *scan, rv_builder *b, rv_error *err)
{
    const rv_pgs_column *columns = scan->r->columns;
    for (uint32_t i = 0; i < scan->n_columns; i++) {
        const rv_pgs_column *c = &columns[i];
        int32_t n = scan->lengths[i];
        rv_status st;
        if (n < 0)
            st = rv_builder_null(b, i, err);
        else if (__builtin_expect(scan->nulled && scan->nulled[i], 0))
            st = rv_builder_null_replaced(b, i, err);
        else
            st = scan->decode[i](c, i, scan->fields[i], n, b, err);
        if (__builtin_expect(st == RV_OK, 1))
            continue;
        if (st != RV_E_VALUE || !c->overridden || !scan->r->override_error_null)
            return cell_error(scan, st, err);
        RV_TRY(mark_nulled(scan, i, err));
        rv_builder_row_undo(b);
        i = UINT32_MAX; /* from the first cell */
    }
    if (__builtin_expect(scan->nulled != NULL, 0))
        memset(scan->nulled, 0, scan->n_columns);
    return RV_OK;
}

/* The same value in other bytes: a numeric's display scale, a negative zero. */
static bool same_value(uint32_t oid, const char *a, const char *b, size_t n)
{
    if (memcmp(a, b, n) == 0)
        return true;
    if (oid == RV_PG_NUMERIC && n >= 8)
        return memcmp(a, b, 6) == 0 && memcmp(a + 8, b + 8, n - 8) == 0;
    if (oid == RV_PG_FLOAT8 && n == 8)
        return ((rv_be64(a) | rv_be64(b)) << 1) == 0;
    return oid == RV_PG_FLOAT4 && n == 4 && ((rv_be32(a) | rv_be32(b)) << 1) == 0;
}

/* What came before the first row is `after`. */
static rv_status first_row_changed(rv_scan *scan, bool *out, rv_error *err)
{
    int field = scan->order_field[0];
    bool null = scan->lengths[field] < 0;
    rv_buf text = RV_BUF_INIT;
    *out = true;
    if (!scan->before_known)
        return RV_OK;
    *out = null != scan->before_null;
    if (null || scan->before_null)
        return RV_OK;
    rv_status st =
        rv_pgs_wire_text(scan->order_oid[0], scan->fields[field], scan->lengths[field], &text, err);
    if (st == RV_OK)
        *out = !rv_str_eq(rv_buf_str(&text), scan->before);
    rv_buf_free(&text);
    return st;
}

/* Is the first order value of the row another than that of the row before? */
static rv_status first_changed(rv_scan *scan, bool *out, rv_error *err)
{
    *out = true;
    if (scan->n_order == 0)
        return RV_OK;
    if (scan->end.rows == 0)
        return first_row_changed(scan, out, err);
    const rv_pgs_place *last = &scan->last[0];
    int32_t n = scan->lengths[scan->order_field[0]];
    if (n < 0 || last->null)
        *out = (n < 0) != last->null;
    else
        *out = (size_t)n != last->raw.len ||
               !same_value(scan->order_oid[0], scan->fields[scan->order_field[0]],
                           (const char *)last->raw.ptr, (size_t)n);
    return RV_OK;
}

/* Memory for the value and, as scan_end cannot fail, for its text. */
static rv_status reserve_last(rv_scan *scan, rv_error *err)
{
    for (size_t i = 0; i < scan->n_order; i++) {
        rv_pgs_place *last = &scan->last[i];
        int32_t n = scan->lengths[scan->order_field[i]];
        if (n < 0)
            continue;
        size_t need =
            rv_pgs_wire_text_room(scan->order_oid[i], scan->fields[scan->order_field[i]], n);
        if ((size_t)n > last->raw.cap)
            RV_TRY(rv_buf_reserve(&last->raw, (size_t)n - last->raw.len, err));
        if (need > last->text.cap)
            RV_TRY(rv_buf_reserve(&last->text, need, err));
        if (scan->order_unread[i]) {
            RV_TRY(rv_pgs_wire_text(scan->order_oid[i], scan->fields[scan->order_field[i]], n,
                                    &last->text, err));
            rv_buf_clear(&last->text);
        }
    }
    return RV_OK;
}

/* Cannot fail: reserve_last made room. */
static void save_last(rv_scan *scan)
{
    for (size_t i = 0; i < scan->n_order; i++) {
        rv_pgs_place *last = &scan->last[i];
        int32_t n = scan->lengths[scan->order_field[i]];
        last->null = n < 0;
        last->raw.len = n < 0 ? 0 : (size_t)n;
        if (n > 0)
            memcpy(last->raw.ptr, scan->fields[scan->order_field[i]], (size_t)n);
    }
}

static rv_status finish_row(rv_scan *scan, rv_builder *b, rv_error *err)
{
    bool changed = true;
    RV_TRY(reserve_last(scan, err));
    if (scan->page.keep)
        RV_TRY(first_changed(scan, &changed, err));
    if (scan->page.keep && !scan->page.keep(scan->page.keep_ctx, b, changed)) {
        rv_builder_row_undo(b);
        return RV_OK;
    }
    return rv_builder_row_end(b, err);
}

rv_status rv_pgs_take_row(rv_scan *scan, rv_builder *b, rv_error *err)
{
    rv_status st = append_row(scan, b, err);
    if (st == RV_OK)
        st = finish_row(scan, b, err);
    if (st != RV_OK) {
        rv_builder_row_undo(b);
        return st;
    }
    save_last(scan);
    scan->end.rows++;
    for (size_t i = 0; i < scan->n_columns; i++)
        scan->end.bytes += scan->lengths[i] > 0 ? (uint32_t)scan->lengths[i] : 0;
    return RV_OK;
}

/* ---- a page ---- */

/* The clock of the statement at hand: started in this call, or before it. */
static void arm(rv_scan *scan)
{
    scan->start_us = rv_clock_mono_us();
    scan->cut_at_us = scan->may_cut && scan->page.cut_us
                          ? scan->start_us - scan->statement_us + scan->page.cut_us
                          : 0;
}

static void account(rv_scan *scan)
{
    scan->statement_us += rv_clock_mono_us() - scan->start_us;
    scan->end.elapsed_us = scan->statement_us;
}

static bool past_limits(const rv_scan *scan)
{
    uint64_t rows = scan->end.rows;
    if (!scan->may_cut || (scan->page.limit && rows >= scan->page.limit))
        return false; /* the end is under way anyway */
    if (scan->page.cut_bytes && scan->end.bytes > scan->page.cut_bytes)
        return true;
    return scan->cut_at_us && rows % CLOCK_ROWS == 0 && rv_clock_mono_us() >= scan->cut_at_us;
}

static rv_status cut(rv_scan *scan, rv_error *err)
{
    scan->end.cut = true;
    return rv_pg_copy_cut(scan->s->pg, err);
}

static rv_status broken_stream(const rv_scan *scan, rv_error *err)
{
    rv_status st = rv_fail(err, RV_E_SOURCE_CHANGED,
                           "%s: the result has other columns than at the start, or is no COPY data",
                           scan->what);
    rv_hint(err, "the relation may have been altered meanwhile; run again");
    return st;
}

/* The server has said all it had. */
static rv_status stream_ended(rv_scan *scan, rv_error *err)
{
    if (!scan->copy.ended)
        return broken_stream(scan, err);
    scan->complete = true;
    scan->end.limited =
        (scan->page.limit && scan->end.rows >= scan->page.limit) || scan->more_windows;
    return RV_OK;
}

static rv_status next_message(rv_scan *scan, bool *out_end, rv_error *err)
{
    const char *data = NULL;
    size_t n = 0;
    bool late = false;
    bool may_be_empty = scan->cut_empty && !scan->patient;
    int64_t until_us = scan->end.rows > 0 || may_be_empty ? scan->cut_at_us : 0;
    rv_status st = rv_pg_copy_next_until(scan->s->pg, until_us, &data, &n, &late, err);
    if (st == RV_E_SOURCE_TIMEOUT && scan->server_limit) {
        rv_error_clear(err);
        scan->end.cut = true;
        *out_end = true;
        return RV_OK;
    }
    RV_TRY(st);
    *out_end = late || !data;
    if (late)
        return cut(scan, err);
    if (!data)
        return stream_ended(scan, err);
    rv_pgs_copy_feed(&scan->copy, data, n);
    return RV_OK;
}

static rv_status read_rows(rv_scan *scan, rv_builder *b, bool *out_end, rv_error *err)
{
    *out_end = false;
    while (!*out_end && !rv_builder_full(b)) {
        switch (rv_pgs_copy_row(&scan->copy, scan->n_fields, scan->fields, scan->lengths)) {
        case RV_PGS_ROW:
            RV_TRY(rv_pgs_take_row(scan, b, err));
            if (__builtin_expect(past_limits(scan), 0)) {
                *out_end = true;
                return cut(scan, err);
            }
            break;
        case RV_PGS_MORE:
            RV_TRY(next_message(scan, out_end, err));
            break;
        case RV_PGS_BROKEN:
            return broken_stream(scan, err);
        }
    }
    return RV_OK;
}

/* Ends what the scan has open, so that the catalog can be asked. */
static rv_status failed(rv_scan *scan, rv_status st, rv_error *err)
{
    if (!err || err->retry != RV_RETRY_P || st == RV_E_INTERRUPTED || st == RV_E_MEMORY)
        return st;
    rv_pgs_cursor_close(scan);
    (void)!rv_pg_copy_cut(scan->s->pg, NULL);
    return rv_pgs_blame_change(scan->s, scan->rel, st, err);
}

rv_status rv_pgs_next(rv_scan *scan, rv_builder *builder, bool *out_end, rv_error *err)
{
    bool end = false;
    if (scan->done) {
        *out_end = true;
        return RV_OK;
    }
    if (scan->rel->shape == RV_SHAPE_CURSOR) {
        rv_status fetched = rv_pgs_cursor_next(scan, builder, out_end, err);
        return fetched == RV_OK ? RV_OK : failed(scan, fetched, err);
    }
    arm(scan);
    rv_status st = read_rows(scan, builder, &end, err);
    account(scan);
    if (end && st == RV_OK)
        st = rv_pgs_window_leave(scan, scan->end.cut && scan->end.elapsed_us >= scan->page.cut_us,
                                 err);
    scan->done = end || st != RV_OK;
    if (st == RV_OK)
        *out_end = end;
    return st == RV_OK ? RV_OK : failed(scan, st, err);
}

/* ---- begin and end ---- */

/* The limit the server is told: the page's own where nothing may be cancelled. */
static int64_t statement_limit_ms(rv_scan *scan)
{
    if (!scan->s->info.cannot_cut || !scan->page.cut_us || scan->s->snapshot || scan->patient)
        return -1;
    int64_t ms = scan->page.cut_us / 1000;
    if (ms < SERVER_LIMIT_MIN_MS)
        ms = SERVER_LIMIT_MIN_MS;
    if (scan->s->timeout_ms && scan->s->timeout_ms <= ms)
        return -1;
    scan->server_limit = true;
    return ms;
}

rv_status rv_pgs_reading(rv_scan *scan, int64_t limit_ms, rv_buf *out, rv_error *err)
{
    const char *encoding = PQparameterStatus(rv_pg_libpq(scan->s->pg), "server_encoding");
    RV_TRY(rv_pgs_opening(scan->s, scan->r->allow_row_security, limit_ms, out, err));
    if (encoding && strcmp(encoding, "SQL_ASCII") == 0)
        return rv_buf_add_c(out, "SET LOCAL client_encoding='SQL_ASCII'; ", err);
    return RV_OK;
}

/* Every bound is one of the order's first column: what the index finds is the page. A predicate on
 * another column may leave few rows, found sooner by an index of its own and sorted. */
static bool walks_order(const rv_scan *scan, const rv_page_spec *page,
                        const rv_pgs_select_opts *opts)
{
    if (!page->n_order || (!opts->limit && !page->until && !scan->whole_group))
        return false;
    for (size_t i = 0; i < page->n_preds; i++)
        if (page->preds[i].expr.fallback ||
            strcmp(page->preds[i].expr.column, page->order[0].column) != 0)
            return false;
    return true;
}

rv_status rv_pgs_copy_start(rv_scan *scan, const rv_page_spec *page, const rv_pgs_select_opts *opts,
                            rv_error *err)
{
    rv_buf sql = RV_BUF_INIT;
    rv_status st;
    int64_t limit_ms = statement_limit_ms(scan);
    RV_GO(rv_pgs_reading(scan, limit_ms, &sql, err));
    if (walks_order(scan, page, opts))
        RV_GO(rv_buf_add_c(&sql, RV_PGS_WALKING, err));
    RV_GO(rv_buf_add_c(&sql, "COPY (", err));
    RV_GO(rv_pgs_select_with(page, opts, &sql, err));
    RV_GO(rv_buf_add_c(&sql, "\n) TO STDOUT (FORMAT binary)", err));
    RV_GO(rv_buf_add_byte(&sql, 0, err));
    st = rv_pg_copy_send(scan->s->pg, (const char *)sql.ptr, scan->what, err);
done:
    rv_buf_free(&sql);
    return st;
}

static rv_status place_order(rv_scan *scan, const rv_page_spec *page, rv_error *err)
{
    scan->n_fields = scan->n_columns;
    for (size_t i = 0; i < page->n_order; i++) {
        int place = rv_pgs_expr_place(page->relation, &page->order[i]);
        scan->order_field[i] = place >= 0 ? place : (int)scan->n_fields++;
        scan->order_oid[i] = rv_pgs_expr_oid(page->relation, &page->order[i]);
        scan->order_unread[i] = place < 0 || scan->r->columns[place].overridden;
        scan->order_name[i] = page->order[i].column;
    }
    scan->n_order = page->n_order;
    if (!page->after || page->n_order == 0)
        return RV_OK;
    scan->before_known = true;
    scan->before_null = page->after[0].null;
    if (scan->before_null)
        return RV_OK;
    return rv_arena_str(&scan->arena, page->after[0].text, &scan->before, err);
}

static rv_status prepare(rv_scan *scan, const rv_page_spec *page, rv_error *err)
{
    rv_pgs_decode_fn *decode = NULL;
    if (page->n_order > RV_PGS_ORDER_MAX)
        return rv_fail(err, RV_E_INTERNAL, "a page is ordered by too many columns");
    RV_TRY(rv_pgs_what(scan->rel, &scan->arena, &scan->what, err));
    RV_TRY(place_order(scan, page, err));
    size_t n = scan->n_fields;
    RV_TRY(rv_arena_array(&scan->arena, n, sizeof *scan->fields, &scan->fields, err));
    RV_TRY(rv_arena_array(&scan->arena, n, sizeof *scan->lengths, &scan->lengths, err));
    RV_TRY(rv_arena_array(&scan->arena, scan->n_columns, sizeof *decode, &decode, err));
    for (size_t i = 0; i < scan->n_columns; i++)
        decode[i] = rv_pgs_decoder_fn(scan->r->columns[i].decoder);
    scan->decode = decode;
    return RV_OK;
}

static rv_status start_page(rv_scan *scan, const rv_page_spec *page, rv_error *err)
{
    rv_page_spec bounded = *page;
    rv_pgs_select_opts opts = {.limit = page->limit};
    scan->cut_empty = rv_pgs_window_applies(page);
    RV_TRY(rv_pgs_window_enter(scan, &bounded, err));
    RV_TRY(rv_pgs_window_group(scan, page, &opts, err));
    return rv_pgs_copy_start(scan, &bounded, &opts, err);
}

static rv_status start(rv_scan *scan, const rv_page_spec *page, rv_error *err)
{
    RV_TRY(prepare(scan, page, err));
    switch (scan->rel->shape) {
    case RV_SHAPE_CURSOR:
        return rv_pgs_cursor_start(scan, page, err);
    case RV_SHAPE_RANGES:
        return rv_pgs_ranges_start(scan, page, err);
    case RV_SHAPE_PAGES:
    case RV_SHAPE_STATEMENT:
        break;
    }
    return start_page(scan, page, err);
}

rv_status rv_pgs_scan(rv_source *s, const rv_page_spec *page, rv_scan **out, rv_error *err)
{
    rv_scan *scan = rv_calloc(1, sizeof *scan);
    if (!scan)
        return rv_fail_memory(err);
    scan->s = s;
    scan->rel = page->relation;
    scan->r = page->relation->driver;
    scan->page = *page;
    scan->arena = RV_ARENA_INIT;
    scan->n_columns = scan->r->n_columns;
    /* inside a snapshot a cancel would end the whole transaction */
    scan->may_cut = !s->info.cannot_cut && !s->snapshot;
    scan->start_us = rv_clock_mono_us();
    rv_status st = start(scan, page, err);
    account(scan);
    if (st == RV_OK) {
        *out = scan;
        return RV_OK;
    }
    st = failed(scan, st, err);
    rv_pgs_scan_close(scan);
    return st;
}

/* reserve_last made room; what has no text was refused with its row. */
static rv_datum last_datum(const rv_scan *scan, rv_pgs_place *last, size_t i)
{
    rv_datum d = {.null = last->null, .kind = rv_pgs_wire_kind(scan->order_oid[i])};
    rv_buf_clear(&last->text);
    if (!d.null && rv_pgs_wire_text(scan->order_oid[i], (const char *)last->raw.ptr,
                                    (int32_t)last->raw.len, &last->text, NULL) == RV_OK)
        d.text = rv_buf_str(&last->text);
    return d;
}

void rv_pgs_scan_end(const rv_scan *scan, rv_page_end *out)
{
    /* the texts live in the scan: scan_close frees them */
    rv_scan *self = (rv_scan *)(uintptr_t)scan;
    *out = scan->end;
    if (scan->end_of_window && scan->complete &&
        (scan->end.rows == 0 || scan->rel->shape == RV_SHAPE_RANGES)) {
        out->last = scan->end_of_window;
        return;
    }
    if (scan->end.rows == 0 || scan->n_order == 0)
        return;
    for (size_t i = 0; i < scan->n_order; i++)
        self->last_datum[i] = last_datum(scan, &self->last[i], i);
    out->last = self->last_datum;
}

void rv_pgs_scan_close(rv_scan *scan)
{
    if (!scan)
        return;
    rv_pgs_cursor_close(scan);
    /* given up on the way: what cannot be cancelled breaks the connection */
    if (scan->rel->shape != RV_SHAPE_CURSOR)
        (void)!rv_pg_copy_cut(scan->s->pg, NULL);
    for (size_t i = 0; i < RV_PGS_ORDER_MAX; i++) {
        rv_buf_free(&scan->last[i].raw);
        rv_buf_free(&scan->last[i].text);
    }
    rv_free(scan->nulled);
    rv_arena_free(&scan->arena);
    rv_free(scan);
}
