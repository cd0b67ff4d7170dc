/* A server cursor: what can be read neither by key nor by physical address. One transaction per
 * scan, in FETCHes that the server does not spill. Spec "source-safety" section 3. */
#include <inttypes.h>

#include "source/postgres/scan_internal.h"

#define FIRST_ROWS 500
#define BATCH_ROWS 150000 /* when the engine names no batch */
#define ROWS_MIN 100
#define ROW_BYTES_MIN 64
#define LONG_US INT64_C(300000000)

uint64_t rv_pgs_fetch_rows(uint64_t batch, uint64_t work_mem_bytes, uint64_t row_bytes)
{
    uint64_t wide = row_bytes + row_bytes / 5;
    uint64_t most = batch;
    if (wide < ROW_BYTES_MIN)
        wide = ROW_BYTES_MIN;
    if (work_mem_bytes) {
        most = work_mem_bytes / 2 / wide;
        most = most < ROWS_MIN ? ROWS_MIN : most;
    }
    return batch && batch < most ? batch : most;
}

static rv_status run(rv_scan *scan, const char *sql, PGresult **out, rv_error *err)
{
    return rv_pg_query(scan->s->pg, sql, 0, scan->what, out, err);
}

/* Opens the transaction, unless a snapshot is one already, and asks for what bounds the reading. */
static rv_status begin(rv_scan *scan, rv_error *err)
{
    rv_pgs_fetches *f = &scan->fetches;
    rv_buf sql = RV_BUF_INIT;
    PGresult *r = NULL;
    rv_status st;
    f->own_transaction = !scan->s->snapshot;
    if (f->own_transaction)
        RV_GO(rv_buf_printf(&sql, err, "%sBEGIN READ ONLY; ", scan->s->comment));
    RV_GO(rv_pgs_reading(scan, -1, &sql, err));
    RV_GO(rv_buf_add_c(&sql,
                       "SELECT pg_backend_pid(), "
                       "(SELECT setting FROM pg_settings WHERE name = 'work_mem'), "
                       "(SELECT setting FROM pg_settings "
                       "WHERE name = 'idle_in_transaction_session_timeout')",
                       err));
    RV_GO(rv_buf_add_byte(&sql, 0, err));
    f->open = true;
    RV_GO(run(scan, (const char *)sql.ptr, &r, err));
    if (PQntuples(r) == 1) {
        atomic_store(&scan->s->held_session, (long long)rv_pgs_int(r, 0, 0, 0));
        int64_t kb = rv_pgs_int(r, 0, 1, 0), ms = rv_pgs_int(r, 0, 2, 0);
        f->work_mem_bytes = kb > 0 && kb < INT32_MAX ? (uint64_t)kb * 1024 : 0;
        f->idle_us = ms > 0 && ms <= INT32_MAX ? ms * 500 : 0;
    }
done:
    PQclear(r);
    rv_buf_free(&sql);
    return st;
}

/* A binary cursor answers simple FETCHes in binary: behind every pooler the same. */
static rv_status declare(rv_scan *scan, const rv_page_spec *page, rv_error *err)
{
    rv_buf sql = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_buf_printf(&sql, err, "%sDECLARE _rivet BINARY NO SCROLL CURSOR FOR ",
                        scan->s->comment));
    RV_GO(rv_pgs_select(page, page->limit, &sql, err));
    RV_GO(rv_buf_add_byte(&sql, 0, err));
    RV_GO(run(scan, (const char *)sql.ptr, NULL, err));
done:
    rv_buf_free(&sql);
    return st;
}

static rv_status check_result(const rv_scan *scan, const PGresult *r, rv_error *err)
{
    bool same = PQresultStatus(r) == PGRES_TUPLES_OK && PQnfields(r) == (int)scan->n_fields;
    for (int i = 0; same && i < PQnfields(r); i++) {
        size_t k = (size_t)i;
        same = PQfformat(r, i) == 1;
        if (same && k < scan->n_columns) {
            const rv_pgs_column *c = &scan->r->columns[k];
            same = strcmp(PQfname(r, i), c->name) == 0 &&
                   (c->as_text ? PQftype(r, i) == RV_PG_TEXT : PQftype(r, i) == c->oid);
        }
    }
    return same ? RV_OK
                : rv_fail(err, RV_E_SOURCE_CHANGED,
                          "%s: the result has other columns than at the start", scan->what);
}

static rv_status fetch(rv_scan *scan, uint64_t rows, rv_error *err)
{
    rv_pgs_fetches *f = &scan->fetches;
    rv_buf sql = RV_BUF_INIT;
    rv_status st;
    PQclear(f->rows);
    f->rows = NULL;
    f->row = 0;
    f->asked = rows;
    int64_t before_us = rv_clock_mono_us();
    RV_GO(rv_buf_printf(&sql, err, "%sFETCH %" PRIu64 " FROM _rivet", scan->s->comment, rows));
    RV_GO(rv_buf_add_byte(&sql, 0, err));
    RV_GO(run(scan, (const char *)sql.ptr, &f->rows, err));
    RV_GO(check_result(scan, f->rows, err));
    f->piece = (rv_page_end){.elapsed_us = rv_clock_mono_us() - before_us};
    scan->end.elapsed_us += f->piece.elapsed_us;
done:
    rv_buf_free(&sql);
    return st;
}

rv_status rv_pgs_cursor_start(rv_scan *scan, const rv_page_spec *page, rv_error *err)
{
    uint64_t wished =
        page->fetch_rows && page->fetch_rows < FIRST_ROWS ? page->fetch_rows : FIRST_ROWS;
    uint64_t row_bytes = scan->rel->row_bytes > 0 ? (uint64_t)scan->rel->row_bytes : 0;
    scan->fetches.opened_us = rv_clock_mono_us();
    RV_TRY(begin(scan, err));
    RV_TRY(declare(scan, page, err));
    /* also the probe of the width must not spill */
    return fetch(scan, rv_pgs_fetch_rows(wished, scan->fetches.work_mem_bytes, row_bytes), err);
}

/* Ends the transaction well; what was read is complete. */
static rv_status finish(rv_scan *scan, rv_error *err)
{
    bool own = scan->fetches.own_transaction;
    PQclear(scan->fetches.rows);
    scan->fetches.rows = NULL;
    RV_TRY(rv_pgs_say(scan->s, own ? "CLOSE _rivet; COMMIT" : "CLOSE _rivet", scan->what, err));
    scan->fetches.open = false;
    if (own)
        atomic_store(&scan->s->held_session, 0);
    return RV_OK;
}

static void warn_long(rv_scan *scan)
{
    rv_pgs_fetches *f = &scan->fetches;
    if (f->warned || rv_clock_mono_us() - f->opened_us < LONG_US)
        return;
    f->warned = true;
    RV_LOG_WARN(scan->s->env,
                "%s: one transaction has been open for more than 5 minutes; it holds back vacuum",
                scan->what);
}

/* All rows of a FETCH are taken: what the next one asks for. */
static rv_status next_fetch(rv_scan *scan, rv_error *err)
{
    rv_pgs_fetches *f = &scan->fetches;
    uint64_t row_bytes = scan->end.rows ? scan->end.bytes / scan->end.rows : 0;
    uint64_t batch = scan->page.fetch_rows > FIRST_ROWS ? scan->page.fetch_rows : BATCH_ROWS;
    uint64_t rows = rv_pgs_fetch_rows(batch, f->work_mem_bytes, row_bytes);
    warn_long(scan);
    if (scan->page.between)
        RV_TRY(scan->page.between(scan->page.between_ctx, &f->piece, f->idle_us, &rows, err));
    return fetch(scan, rows ? rows : 1, err);
}

static void take_fields(rv_scan *scan)
{
    const rv_pgs_fetches *f = &scan->fetches;
    for (size_t i = 0; i < scan->n_fields; i++) {
        bool null = PQgetisnull(f->rows, f->row, (int)i);
        scan->fields[i] = PQgetvalue(f->rows, f->row, (int)i);
        scan->lengths[i] = null ? -1 : PQgetlength(f->rows, f->row, (int)i);
    }
}

static rv_status take_rows(rv_scan *scan, rv_builder *b, rv_error *err)
{
    rv_pgs_fetches *f = &scan->fetches;
    rv_page_end before = scan->end;
    rv_status st = RV_OK;
    int n = PQntuples(f->rows);
    while (st == RV_OK && f->row < n && !rv_builder_full(b)) {
        take_fields(scan);
        f->row++;
        st = rv_pgs_take_row(scan, b, err);
    }
    f->piece.rows += scan->end.rows - before.rows;
    f->piece.bytes += scan->end.bytes - before.bytes;
    return st;
}

rv_status rv_pgs_cursor_next(rv_scan *scan, rv_builder *b, bool *out_end, rv_error *err)
{
    rv_pgs_fetches *f = &scan->fetches;
    while (!rv_builder_full(b)) {
        RV_TRY(take_rows(scan, b, err));
        if (f->row < PQntuples(f->rows))
            break;
        if ((uint64_t)PQntuples(f->rows) < f->asked) {
            scan->end.limited = scan->page.limit && scan->end.rows >= scan->page.limit;
            RV_TRY(finish(scan, err));
            scan->done = true;
            *out_end = true;
            return RV_OK;
        }
        RV_TRY(next_fetch(scan, err));
    }
    *out_end = false;
    return RV_OK;
}

void rv_pgs_cursor_close(rv_scan *scan)
{
    rv_pgs_fetches *f = &scan->fetches;
    PQclear(f->rows);
    f->rows = NULL;
    if (!f->open)
        return;
    f->open = false;
    if (!f->own_transaction) {
        (void)!rv_pgs_say(scan->s, "CLOSE _rivet", scan->what, NULL);
        return;
    }
    /* a connection on which even this fails is broken and closed by whoever owns it */
    (void)!rv_pgs_say(scan->s, "ROLLBACK", scan->what, NULL);
    atomic_store(&scan->s->held_session, 0);
}
