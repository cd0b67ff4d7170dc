/* source/postgres/scan_internal.h: reading rows: statements of pages, the COPY stream, the scan
 * and its shapes. Private to the folder.
 * Source: spec "source-safety" sections 3, 13, 14; PostgreSQL 15 documentation, page of COPY
 * (Binary Format). */
#ifndef RV_SOURCE_POSTGRES_SCAN_INTERNAL_H
#define RV_SOURCE_POSTGRES_SCAN_INTERNAL_H

#include "source/postgres/decode_internal.h"
#include "source/postgres/relation_internal.h"

/* ---- statement.c ---- */

typedef struct rv_pgs_select_opts {
    uint64_t limit;    /* 0: none */
    bool unordered;    /* a TID range comes in physical order by itself */
    const char *extra; /* one more condition, ANDed; NULL: none */
} rv_pgs_select_opts;
rv_status rv_pgs_select_with(const rv_page_spec *page, const rv_pgs_select_opts *opts, rv_buf *out,
                             rv_error *err) RV_MUST_USE;
/* Where the stream carries an order expression in its wire form; -1: as a helper at the end. */
int rv_pgs_expr_place(const rv_relation *rel, const rv_expr *e);
uint32_t rv_pgs_expr_oid(const rv_relation *rel, const rv_expr *e);
bool rv_pgs_is_ctid(const rv_relation *rel, const rv_expr *e); /* of shape ranges */

/* ---- copy.c: COPY (FORMAT binary), one message at a time ---- */

/* A message may hold the header, rows, the trailer, or several of them; never part of a row. */
typedef struct rv_pgs_copy {
    const char *at, *end; /* of the message at hand */
    bool header_read;
    bool ended; /* the trailer was read */
} rv_pgs_copy;

typedef enum rv_pgs_tuple { RV_PGS_ROW, RV_PGS_MORE, RV_PGS_BROKEN } rv_pgs_tuple;

/* Gives the parser its next message, whose bytes stay until it is spent. */
void rv_pgs_copy_feed(rv_pgs_copy *c, const char *data, size_t n);
/* RV_PGS_ROW: out_lengths[i] is -1 for NULL, out_fields[i] lies in the message. RV_PGS_MORE: the
 * message is spent. RV_PGS_BROKEN: no COPY data, or a row without exactly n_fields fields. */
rv_pgs_tuple rv_pgs_copy_row(rv_pgs_copy *c, size_t n_fields, const char **out_fields,
                             int32_t *out_lengths);

/* ---- scan.c ---- */

typedef struct rv_pgs_place { /* one order value of the last row, in its wire form */
    rv_buf raw, text;
    bool null;
} rv_pgs_place;

typedef struct rv_pgs_fetches { /* cursor.c */
    PGresult *rows;
    int row; /* of `rows`, the next to be taken */
    uint64_t asked;
    uint64_t work_mem_bytes; /* 0 unreadable */
    int64_t idle_us;         /* 0 none */
    int64_t opened_us;       /* monotonic */
    rv_page_end piece;       /* of the FETCH at hand */
    bool open, own_transaction, warned;
} rv_pgs_fetches;

struct rv_scan {
    rv_source *s;
    const rv_relation *rel;
    const rv_pgs_relation *r;
    rv_page_spec page; /* scalars and callbacks; what it points to is read in rv_pgs_scan only */
    rv_arena arena;
    const char *what; /* "reading table 'orders'" */

    size_t n_columns, n_fields; /* fields: columns, then helpers of the order */
    const rv_pgs_decode_fn *decode;
    const char **fields;
    int32_t *lengths;
    uint8_t *nulled; /* one per column: policy turned it to NULL in this row */

    size_t n_order;
    int order_field[RV_PGS_ORDER_MAX];
    uint32_t order_oid[RV_PGS_ORDER_MAX];
    bool order_unread[RV_PGS_ORDER_MAX]; /* no decoder of the row checks the value's wire form */
    const char *order_name[RV_PGS_ORDER_MAX];
    rv_pgs_place last[RV_PGS_ORDER_MAX];
    rv_datum last_datum[RV_PGS_ORDER_MAX];
    rv_str before; /* text of the first order value of `after`; ptr NULL: none or NULL */
    bool before_known, before_null;

    rv_pgs_copy copy;
    rv_pgs_fetches fetches;
    rv_page_end end;
    int64_t start_us;     /* monotonic: when this call began */
    int64_t statement_us; /* of the calls before this one */
    int64_t cut_at_us;    /* monotonic; 0 never */
    bool may_cut;         /* by a cancel */
    bool cut_empty;       /* also before the first row */
    bool whole_group;     /* rv_pgs_window_group bounded it */
    bool server_limit;    /* statement_timeout is the page's, not the user's */
    bool windowed;
    bool patient;                  /* the smallest window: it is read to its end */
    bool done;                     /* also by a failure */
    bool complete;                 /* the server said all of the page */
    const rv_datum *end_of_window; /* where an empty page goes on; NULL: nowhere */
    bool more_windows;             /* the page's end is not the relation's */
};

/* Appends the row in fields and lengths, asks `keep`, remembers its position. */
rv_status rv_pgs_take_row(rv_scan *scan, rv_builder *b, rv_error *err) RV_MUST_USE;
/* rv_pgs_opening for reading rows. A SQL_ASCII database has no encoding to convert from: its bytes
 * come raw, for the builder to judge by on_invalid_utf8, where the server would only refuse. */
rv_status rv_pgs_reading(rv_scan *scan, int64_t limit_ms, rv_buf *out, rv_error *err) RV_MUST_USE;
/* comment, settings and "COPY (select LF) TO STDOUT (FORMAT binary)". */
rv_status rv_pgs_copy_start(rv_scan *scan, const rv_page_spec *page, const rv_pgs_select_opts *opts,
                            rv_error *err) RV_MUST_USE;

/* ---- recheck.c ---- */

/* Of a statement that failed for good and is over: was the relation altered since it was resolved?
 * Then RV_E_SOURCE_CHANGED, naming the column, takes the error's place. */
rv_status rv_pgs_blame_change(rv_source *s, const rv_relation *rel, rv_status st, rv_error *err);

/* ---- ranges.c: windows of heap blocks inside one snapshot ---- */

rv_status rv_pgs_ranges_start(rv_scan *scan, const rv_page_spec *page, rv_error *err) RV_MUST_USE;
/* "(5,3)" as block and offset. */
bool rv_pgs_ctid_parse(rv_str text, uint32_t *out_block, uint32_t *out_offset);

/* ---- cursor.c ---- */

rv_status rv_pgs_cursor_start(rv_scan *scan, const rv_page_spec *page, rv_error *err) RV_MUST_USE;
rv_status rv_pgs_cursor_next(rv_scan *scan, rv_builder *b, bool *out_end,
                             rv_error *err) RV_MUST_USE;
void rv_pgs_cursor_close(rv_scan *scan); /* ROLLBACK unless it ended well */
/* Rows of the next FETCH, by the row size observed (0: none yet). */
uint64_t rv_pgs_fetch_rows(uint64_t batch, uint64_t work_mem_bytes, uint64_t row_bytes);

/* ---- window.c: key windows of a selective condition ---- */

/* May the page be read in key windows? Then a page cut before its first row gains something. */
bool rv_pgs_window_applies(const rv_page_spec *page);
/* When windows are on for this relation: bounds `io_page` by the end of the next one, and sets
 * scan->windowed, end_of_window and more_windows. */
rv_status rv_pgs_window_enter(rv_scan *scan, rv_page_spec *io_page, rv_error *err) RV_MUST_USE;
/* A page that begins inside a group of equal bounds, after one that such a group made long: bounds
 * `io_opts` by the group's end and takes the limit off, for each page would sort it anew. */
rv_status rv_pgs_window_group(rv_scan *scan, const rv_page_spec *page, rv_pgs_select_opts *io_opts,
                              rv_error *err) RV_MUST_USE;
/* After the page: turns windows on or off, sizes the next one. */
rv_status rv_pgs_window_leave(rv_scan *scan, bool cut_by_time, rv_error *err) RV_MUST_USE;
#endif
