/* One page, or one streamed statement: rows on their way from the wire into a builder. */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "source/mysql/scan_internal.h"

#define CLOCK_ROWS 64
#define EXPECT_ROWS 8
#define SERVER_LIMIT_MIN_MS 100

/* ---- one row ---- */

/* The text of an order value of the row at hand; false: it has none. */
static bool order_text(const rv_scan *scan, size_t i, rv_buf *out)
{
    const rv_mys_cell *cell = &scan->cells[scan->order_field[i]];
    rv_buf_clear(out);
    return rv_buf_reserve(out, rv_mys_wire_text_room(cell->n), NULL) == RV_OK &&
           rv_mys_wire_text(scan->order_column[i], &scan->order_wire[i], scan->text, cell->data,
                            cell->n, (char *)out->ptr, &out->len);
}

/* "id=812" or "row 7 of the result". */
static void row_name(const rv_scan *scan, char *out, size_t size)
{
    rv_buf value = RV_BUF_INIT;
    size_t used = 0;
    for (size_t i = 0; i < scan->n_order && used < size; i++) {
        const rv_mys_cell *cell = &scan->cells[scan->order_field[i]];
        rv_str text = RV_STR("NULL"), raw = {cell->data, cell->n};
        if (cell->data && rv_mys_is_text(&scan->order_column[i]->field) &&
            rv_utf8_valid(rv_str_bytes(raw)))
            text = raw; /* what people know it by */
        else if (cell->data && !order_text(scan, i, &value))
            break;
        else if (cell->data)
            text = rv_buf_str(&value);
        int n = snprintf(out + used, size - used, "%s%s=%.*s", i ? ", " : "", scan->order_name[i],
                         (int)rv_utf8_cut(text, 40), text.ptr);
        used += n > 0 ? (size_t)n : 0;
    }
    rv_buf_free(&value);
    if (used == 0)
        (void)snprintf(out, size, "row %" PRIu64 " of the result", scan->end.rows + 1);
}

/* The error of a cell learns which row it was. */
static rv_status cell_error(const rv_scan *scan, rv_status st, rv_error *err)
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
    for (uint32_t i = 0; i < scan->n_columns; i++) {
        const rv_mys_column *c = &scan->columns[i];
        const rv_mys_cell *cell = &scan->cells[i];
        rv_status st;
        if (!cell->data)
            st = rv_builder_null(b, i, err);
        else if (__builtin_expect(scan->nulled && scan->nulled[i], 0))
            st = rv_builder_null_replaced(b, i, err);
        else
            st = scan->decode[i](c, i, cell->data, cell->n, b, err);
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

/* What came before the first row is `after`. */
static rv_status first_row_changed(rv_scan *scan, bool *out, rv_error *err)
{
    bool null = !scan->cells[scan->order_field[0]].data;
    rv_buf text = RV_BUF_INIT;
    *out = true;
    if (!scan->before_known)
        return RV_OK;
    *out = null != scan->before_null;
    if (null || scan->before_null)
        return RV_OK;
    bool readable = order_text(scan, 0, &text);
    if (readable)
        *out = !rv_str_eq(rv_buf_str(&text), scan->before);
    rv_buf_free(&text);
    return readable ? RV_OK : rv_fail_memory(err);
}

/* Is the first order value of the row another than that of the row before? */
static rv_status first_changed(rv_scan *scan, bool *out, rv_error *err)
{
    *out = true;
    if (scan->n_order == 0)
        return RV_OK;
    if (scan->end.rows == 0)
        return first_row_changed(scan, out, err);
    const rv_mys_place *last = &scan->last[0];
    const rv_mys_cell *cell = &scan->cells[scan->order_field[0]];
    if (!cell->data || last->null)
        *out = !cell->data != last->null;
    else
        *out = cell->n != last->raw.len ||
               (cell->n && memcmp(cell->data, last->raw.ptr, cell->n) != 0);
    return RV_OK;
}

/* Memory for the value and, as scan_end cannot fail, for its text; a date, which no decoder may
 * have looked at, must be one. */
static rv_status reserve_last(rv_scan *scan, rv_error *err)
{
    for (size_t i = 0; i < scan->n_order; i++) {
        rv_mys_place *last = &scan->last[i];
        const rv_mys_cell *cell = &scan->cells[scan->order_field[i]];
        const rv_mys_field *f = &scan->order_wire[i];
        rv_mys_time ignored;
        if (!cell->data)
            continue;
        last->raw.len = 0;
        if (cell->n > last->raw.cap)
            RV_TRY(rv_buf_reserve(&last->raw, cell->n, err));
        if (rv_mys_wire_text_room(cell->n) > last->text.cap)
            RV_TRY(rv_buf_reserve(&last->text, rv_mys_wire_text_room(cell->n), err));
        if ((rv_mys_is_temporal(f->type) || f->type == MYSQL_TYPE_TIME) &&
            !rv_mys_time_read(f->type, scan->text, cell->data, cell->n, &ignored))
            return rv_fail(err, RV_E_SOURCE_CHANGED,
                           "%s: a key value of %zu bytes is none of its type", scan->what, cell->n);
    }
    return RV_OK;
}

/* Cannot fail: reserve_last made room. */
static void save_last(rv_scan *scan)
{
    for (size_t i = 0; i < scan->n_order; i++) {
        rv_mys_place *last = &scan->last[i];
        const rv_mys_cell *cell = &scan->cells[scan->order_field[i]];
        last->null = !cell->data;
        last->raw.len = cell->n;
        if (cell->data && cell->n)
            memcpy(last->raw.ptr, cell->data, cell->n);
    }
}

static rv_status finish_row(rv_scan *scan, rv_builder *b, rv_error *err)
{
    bool changed = true;
    if (scan->page.keep)
        RV_TRY(first_changed(scan, &changed, err));
    RV_TRY(reserve_last(scan, err));
    if (scan->page.keep && !scan->page.keep(scan->page.keep_ctx, b, changed)) {
        rv_builder_row_undo(b);
        return RV_OK;
    }
    return rv_builder_row_end(b, err);
}

static rv_status take_row(rv_scan *scan, rv_builder *b, rv_error *err)
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
        scan->end.bytes += scan->cells[i].n;
    return RV_OK;
}

/* ---- the answer ---- */

static rv_status other_columns(const rv_scan *scan, rv_error *err)
{
    rv_status st = rv_fail(err, RV_E_SOURCE_CHANGED,
                           "%s: the result has other columns than at the start", scan->what);
    rv_hint(err, "the relation may have been altered meanwhile; run again");
    return st;
}

/* The description of every answer is what was resolved. A type that stays, with other limits, is
 * the same: what does not fit is told by its value. */
static rv_status check_fields(rv_scan *scan, const MYSQL_FIELD *fields, unsigned n, rv_error *err)
{
    if (n != scan->n_fields)
        return other_columns(scan, err);
    for (size_t i = 0; i < scan->n_columns; i++) {
        const rv_mys_field *was = &scan->columns[i].field;
        bool same = fields[i].type == was->type && strcmp(fields[i].name, was->name) == 0 &&
                    ((fields[i].flags ^ was->flags) & (UNSIGNED_FLAG | ENUM_FLAG | SET_FLAG)) == 0;
        if (!same)
            return other_columns(scan, err);
    }
    for (size_t i = 0; i < n; i++) {
        rv_mys_field now;
        rv_mys_field_of(&fields[i], &now);
        if (scan->r->raw_text && i < scan->n_columns && !rv_mys_is_utf8(&now))
            return other_columns(scan, err); /* read as what it is not */
        scan->widths[i] = rv_mys_binary_width(fields[i].type);
    }
    for (size_t i = 0; i < scan->n_order; i++) {
        rv_mys_field_of(&fields[scan->order_field[i]], &scan->order_wire[i]);
        if (scan->text && rv_mys_wire_kind(&scan->order_column[i]->field) == RV_FLOAT64 &&
            scan->order_wire[i].type == MYSQL_TYPE_FLOAT)
            return rv_fail(err, RV_E_INTERNAL, "a float key in the text protocol");
    }
    return RV_OK;
}

/* The end of our own limit, whoever watched over it, is the page's. */
static bool paced(const rv_scan *scan, rv_status st)
{
    return st == RV_E_SOURCE_TIMEOUT && (scan->server_limit || rv_my_was_cut(scan->s->my));
}

static rv_status close_answer(rv_scan *scan, rv_error *err)
{
    rv_status st = RV_OK;
    rv_my_cut_at(scan->s->my, 0);
    if (scan->open)
        st = rv_my_cut(scan->s->my, scan->res, scan->stmt, err);
    scan->open = false;
    if (scan->res)
        mysql_free_result(scan->res);
    if (scan->stmt)
        (void)mysql_stmt_free_result(scan->stmt);
    scan->res = NULL;
    scan->stmt = NULL;
    if (scan->streamed)
        atomic_store(&scan->s->held_session, 0);
    return st;
}

/* Ends the page's own transaction; without a row more nothing can be lost by it. */
static rv_status leave_transaction(rv_scan *scan, rv_error *err)
{
    if (!scan->wrapped)
        return RV_OK;
    scan->wrapped = false;
    return rv_mys_page_end(scan->s, scan->what, err);
}

/* Something else than the value stands in rows that were given: that is said before they count. */
static rv_status heed_warning(const rv_scan *scan, rv_error *err)
{
    const rv_my_warning *w = rv_my_warned(scan->s->my);
    if (!w)
        return RV_OK;
    if (!w->replaces) {
        rv_log_once(scan->s->env->log, RV_WARN, RV_TARGET, "%s: the server warns: %s (%u)",
                    scan->what, w->text, w->code);
        return RV_OK;
    }
    rv_status st = rv_fail(err, RV_E_VALUE,
                           "%s: the server gave something else for a value: %s "
                           "(warning %u)",
                           scan->what, w->text, w->code);
    rv_hint(err, w->code == 1301 ? "raise max_allowed_packet at the server above the longest value"
                 : w->code == 1260 ? "raise group_concat_max_len at the server"
                                   : "correct the text at the source, or convert it in query:");
    return st;
}

static rv_status cut(rv_scan *scan, rv_error *err)
{
    scan->end.cut = true;
    RV_TRY(close_answer(scan, err));
    return heed_warning(scan, err);
}

static rv_status answered(rv_scan *scan, rv_error *err)
{
    scan->open = false; /* the server has said all it had */
    scan->complete = true;
    scan->end.limited =
        (scan->page.limit && scan->end.rows >= scan->page.limit) || scan->more_windows;
    RV_TRY(close_answer(scan, err));
    return heed_warning(scan, err);
}

/* *out_row false: the answer is at its end, or the server's limit ended it. */
static rv_status next_cells(rv_scan *scan, bool *out_row, rv_error *err)
{
    const unsigned long *lengths = NULL;
    MYSQL_ROW row = NULL;
    if (!scan->text) {
        RV_TRY(rv_my_stmt_fetch(scan->s->my, scan->stmt, out_row, err));
        if (*out_row &&
            !rv_mys_split(rv_my_stmt_row(scan->s->my), scan->widths, scan->n_fields, scan->cells))
            return other_columns(scan, err);
        return RV_OK;
    }
    RV_TRY(rv_my_row_text(scan->s->my, scan->res, &row, &lengths, err));
    *out_row = row != NULL;
    for (size_t i = 0; row && i < scan->n_fields; i++)
        scan->cells[i] = (rv_mys_cell){row[i], row[i] ? lengths[i] : 0};
    return RV_OK;
}

/* ---- a page ---- */

/* The clock of the statement at hand: started in this call, or before it. */
static void arm(rv_scan *scan)
{
    bool may_be_empty = scan->cut_empty && !scan->patient;
    scan->start_us = rv_clock_mono_us();
    scan->cut_at_us = scan->may_cut && scan->page.cut_us
                          ? scan->start_us - scan->statement_us + scan->page.cut_us
                          : 0;
    rv_my_cut_at(scan->s->my, scan->end.rows > 0 || may_be_empty ? scan->cut_at_us : 0);
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
    if (scan->cut_at_us && rows == 1)
        rv_my_cut_at(scan->s->my, scan->cut_at_us);
    return scan->cut_at_us && rows % CLOCK_ROWS == 0 && rv_clock_mono_us() >= scan->cut_at_us;
}

/* Rows of a page are of much the same size. */
static void expect(const rv_scan *scan)
{
    uint64_t rows = scan->end.rows, limit = scan->page.limit;
    uint64_t left = limit > rows ? limit - rows : 0;
    rv_my_expect(scan->s->my, limit ? scan->end.bytes / rows * left : UINT64_MAX);
}

static rv_status read_rows(rv_scan *scan, rv_builder *b, bool *out_end, rv_error *err)
{
    *out_end = !scan->open;
    while (!*out_end && !rv_builder_full(b)) {
        bool row = false;
        rv_status st = next_cells(scan, &row, err);
        if (paced(scan, st)) {
            rv_error_clear(err);
            *out_end = true;
            return cut(scan, err);
        }
        RV_TRY(st);
        if (!row) {
            *out_end = true;
            return answered(scan, err);
        }
        RV_TRY(take_row(scan, b, err));
        if (scan->end.rows % EXPECT_ROWS == 1)
            expect(scan);
        if (__builtin_expect(past_limits(scan), 0)) {
            *out_end = true;
            return cut(scan, err);
        }
    }
    return RV_OK;
}

/* Ends what the scan has open, so that the catalog can be asked. */
static rv_status failed(rv_scan *scan, rv_status st, rv_error *err)
{
    scan->done = true;
    /* what came before stays with the reader */
    if (st != RV_E_VALUE && scan->end.rows > 0 && rv_my_warned(scan->s->my) &&
        rv_my_warned(scan->s->my)->replaces)
        st = heed_warning(scan, err);
    if (!err || err->retry != RV_RETRY_P || st == RV_E_INTERRUPTED || st == RV_E_MEMORY ||
        rv_my_broken(scan->s->my))
        return st;
    if (close_answer(scan, NULL) != RV_OK || leave_transaction(scan, NULL) != RV_OK)
        return st;
    return rv_mys_blame_change(scan->s, scan->rel, st, err);
}

rv_status rv_mys_next(rv_scan *scan, rv_builder *builder, bool *out_end, rv_error *err)
{
    bool end = false;
    if (scan->done) {
        *out_end = true;
        return RV_OK;
    }
    arm(scan);
    rv_status st = read_rows(scan, builder, &end, err);
    account(scan);
    if (end && st == RV_OK)
        st = leave_transaction(scan, err);
    if (end && st == RV_OK)
        st = rv_mys_window_leave(scan, scan->end.cut && scan->end.elapsed_us >= scan->page.cut_us,
                                 err);
    if (st != RV_OK)
        return failed(scan, st, err);
    scan->done = end;
    *out_end = end;
    return RV_OK;
}

/* ---- begin and end ---- */

/* The limit of the statement itself: the page's own where nothing may be cancelled. 0: the
 * session's will do. */
static int64_t statement_limit_ms(rv_scan *scan)
{
    if (!scan->s->info.cannot_cut || !scan->page.cut_us || scan->patient)
        return 0;
    int64_t ms = scan->page.cut_us / 1000;
    if (ms < SERVER_LIMIT_MIN_MS)
        ms = SERVER_LIMIT_MIN_MS;
    if (scan->s->timeout_ms && scan->s->timeout_ms <= ms)
        return 0;
    scan->server_limit = true;
    return ms;
}

static rv_status run_text(rv_scan *scan, const rv_page_spec *page, const rv_mys_select_opts *opts,
                          rv_error *err)
{
    rv_buf sql = RV_BUF_INIT;
    rv_status st = rv_mys_select(scan->s, page, opts, &sql, err);
    if (st == RV_OK)
        st = rv_my_stream(scan->s->my, rv_buf_str(&sql), scan->what, &scan->res, err);
    rv_buf_free(&sql);
    RV_TRY(st);
    scan->open = true;
    if (!scan->res)
        return other_columns(scan, err);
    return check_fields(scan, mysql_fetch_fields(scan->res), mysql_num_fields(scan->res), err);
}

static rv_status run_binary(rv_scan *scan, const rv_page_spec *page, const rv_mys_select_opts *opts,
                            rv_error *err)
{
    rv_buf sql = RV_BUF_INIT;
    rv_mys_params params = {.n = 0};
    rv_status st = rv_mys_select_with(scan->s, page, opts, &params, &sql, err);
    /* whoever answers behind a multiplexing proxy was not there when the last page was prepared */
    if (scan->s->in_transaction_only)
        rv_mys_prepared_free(scan->s);
    if (st == RV_OK)
        st = rv_mys_prepared_run(scan->s, rv_buf_str(&sql), &params, scan->what, &scan->stmt, err);
    rv_buf_free(&sql);
    RV_TRY(st);
    scan->open = true;
    return check_fields(scan, scan->stmt->fields, scan->stmt->field_count, err);
}

static rv_status run(rv_scan *scan, const rv_page_spec *page, rv_error *err)
{
    rv_mys_select_opts opts = {.limit = page->limit, .limit_ms = statement_limit_ms(scan)};
    rv_status st = rv_mys_page_begin(scan->s, scan->what, err);
    RV_TRY(st);
    scan->wrapped = true;
    RV_TRY(rv_mys_results(scan->s, scan->r->raw_text, scan->what, err));
    arm(scan);
    st = scan->text ? run_text(scan, page, &opts, err) : run_binary(scan, page, &opts, err);
    if (st == RV_OK && scan->streamed)
        atomic_store(&scan->s->held_session, (long long)rv_my_id(scan->s->my));
    if (!paced(scan, st))
        return st;
    rv_error_clear(err); /* nothing was found in the page's time */
    return cut(scan, err);
}

static rv_status place_order(rv_scan *scan, const rv_page_spec *page, rv_error *err)
{
    scan->n_fields = scan->n_columns;
    for (size_t i = 0; i < page->n_order; i++) {
        int place = rv_mys_expr_place(page->relation, &page->order[i]);
        scan->order_field[i] = place >= 0 ? place : (int)scan->n_fields++;
        scan->order_column[i] = rv_mys_expr_column(page->relation, &page->order[i]);
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
    if (page->n_order > RV_MYS_ORDER_MAX)
        return rv_fail(err, RV_E_INTERNAL, "a page is ordered by too many columns");
    RV_TRY(rv_mys_what(scan->rel, &scan->arena, &scan->what, err));
    RV_TRY(place_order(scan, page, err));
    size_t n = scan->n_columns;
    RV_TRY(rv_arena_array(&scan->arena, scan->n_fields, sizeof *scan->cells, &scan->cells, err));
    RV_TRY(rv_arena_array(&scan->arena, scan->n_fields, 1, &scan->widths, err));
    RV_TRY(rv_arena_array(&scan->arena, n, sizeof *scan->decode, &scan->decode, err));
    RV_TRY(rv_arena_array(&scan->arena, n, sizeof *scan->columns, &scan->columns, err));
    for (size_t i = 0; i < n; i++) {
        scan->columns[i] = scan->r->columns[i];
        scan->columns[i].zero_date_fail = scan->r->zero_date_fail;
        scan->decode[i] = rv_mys_decoder_fn(scan->columns[i].decoder);
    }
    return RV_OK;
}

static rv_status start(rv_scan *scan, const rv_page_spec *page, rv_error *err)
{
    rv_page_spec bounded = *page;
    RV_TRY(prepare(scan, page, err));
    scan->cut_empty = rv_mys_window_applies(page);
    RV_TRY(rv_mys_window_enter(scan, &bounded, err));
    return run(scan, &bounded, err);
}

rv_status rv_mys_scan(rv_source *s, const rv_page_spec *page, rv_scan **out, rv_error *err)
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
    scan->text = scan->r->text_protocol;
    scan->may_cut = !s->info.cannot_cut;
    scan->streamed = page->n_order == 0 && !page->limit && !page->relation->small;
    scan->start_us = rv_clock_mono_us();
    rv_status st = start(scan, page, err);
    account(scan);
    if (st == RV_OK) {
        *out = scan;
        return RV_OK;
    }
    st = failed(scan, st, err);
    rv_mys_scan_close(scan);
    return st;
}

/* reserve_last made room; what has no text was refused with its row. */
static rv_datum last_datum(const rv_scan *scan, rv_mys_place *last, size_t i)
{
    const rv_mys_key_column *c = scan->order_column[i];
    rv_datum d = {.null = last->null, .kind = c->charset ? RV_BINARY : rv_mys_wire_kind(&c->field)};
    if (!d.null &&
        rv_mys_wire_text(c, &scan->order_wire[i], scan->text, (const char *)last->raw.ptr,
                         last->raw.len, (char *)last->text.ptr, &last->text.len))
        d.text = rv_buf_str(&last->text);
    return d;
}

void rv_mys_scan_end(const rv_scan *scan, rv_page_end *out)
{
    /* the texts live in the scan: scan_close frees them */
    rv_scan *self = (rv_scan *)(uintptr_t)scan;
    *out = scan->end;
    if (scan->end_of_window && scan->complete && scan->end.rows == 0) {
        out->last = scan->end_of_window;
        return;
    }
    if (scan->end.rows == 0 || scan->n_order == 0)
        return;
    for (size_t i = 0; i < scan->n_order; i++)
        self->last_datum[i] = last_datum(scan, &self->last[i], i);
    out->last = self->last_datum;
}

void rv_mys_scan_close(rv_scan *scan)
{
    if (!scan)
        return;
    /* given up on the way: what cannot be cancelled breaks the connection */
    (void)!close_answer(scan, NULL);
    if (!rv_my_broken(scan->s->my))
        (void)!leave_transaction(scan, NULL);
    for (size_t i = 0; i < RV_MYS_ORDER_MAX; i++) {
        rv_buf_free(&scan->last[i].raw);
        rv_buf_free(&scan->last[i].text);
    }
    rv_free(scan->nulled);
    rv_arena_free(&scan->arena);
    rv_free(scan);
}
