/* source/mysql/scan_internal.h: reading rows: statements of pages with their parameters, the
 * statement kept prepared, the scan and its key windows. Private to the folder.
 * Source: spec "source-safety" sections 4, 13, 14; design "sources" sections 2, 6. */
#ifndef RV_SOURCE_MYSQL_SCAN_INTERNAL_H
#define RV_SOURCE_MYSQL_SCAN_INTERNAL_H

#include "source/mysql/decode_internal.h"
#include "source/mysql/relation_internal.h"

/* ---- statement.c ---- */

/* Integers that travel as parameters, so that the text of pages stays the same. */
#define RV_MYS_PARAMS_MAX 96
typedef struct rv_mys_params {
    struct {
        uint64_t bits;
        bool is_unsigned;
    } value[RV_MYS_PARAMS_MAX];
    size_t n;
} rv_mys_params;
/* As rv_mys_select; `params` NULL: literals only. */
rv_status rv_mys_select_with(const rv_source *s, const rv_page_spec *page,
                             const rv_mys_select_opts *opts, rv_mys_params *params, rv_buf *out,
                             rv_error *err) RV_MUST_USE;
/* Where the row carries an order expression in its wire form; -1: as a helper at the end. */
int rv_mys_expr_place(const rv_relation *rel, const rv_expr *e);

/* ---- datum.c ---- */

/* The text of a value as state keeps it. `f` is the field that carried it. False: malformed. */
bool rv_mys_wire_text(const rv_mys_key_column *c, const rv_mys_field *f, bool text,
                      const char *data, size_t n, char *out, size_t *out_len);
size_t rv_mys_wire_text_room(size_t n); /* bytes that the text of n bytes needs at most */

/* ---- prepared.c ---- */

/* The statement of this text with these parameters under way: the one kept from the page before
 * when the text is the same, else prepared anew. *out belongs to the source. */
rv_status rv_mys_prepared_run(rv_source *s, rv_str sql, const rv_mys_params *params,
                              const char *what, MYSQL_STMT **out, rv_error *err) RV_MUST_USE;

/* ---- scan.c ---- */

typedef struct rv_mys_place { /* one order value of the last row, in its wire form */
    rv_buf raw, text;
    bool null;
} rv_mys_place;

struct rv_scan {
    rv_source *s;
    const rv_relation *rel;
    const rv_mys_relation *r;
    rv_page_spec page; /* scalars and callbacks; what it points to is read in rv_mys_scan only */
    rv_arena arena;
    const char *what; /* "reading table 'orders'" */

    size_t n_columns, n_fields; /* fields: columns, then helpers of the order */
    rv_mys_column *columns;
    rv_mys_decode_fn *decode;
    uint8_t *widths;
    rv_mys_cell *cells;
    uint8_t *nulled; /* one per column: policy turned it to NULL in this row */

    size_t n_order;
    int order_field[RV_MYS_ORDER_MAX];
    rv_mys_field order_wire[RV_MYS_ORDER_MAX]; /* as the row carries it */
    const rv_mys_key_column *order_column[RV_MYS_ORDER_MAX];
    const char *order_name[RV_MYS_ORDER_MAX];
    rv_mys_place last[RV_MYS_ORDER_MAX];
    rv_datum last_datum[RV_MYS_ORDER_MAX];
    rv_str before; /* text of the first order value of `after`; ptr NULL: none or NULL */
    bool before_known, before_null;

    MYSQL_RES *res;   /* text protocol */
    MYSQL_STMT *stmt; /* binary; the source's */
    rv_page_end end;
    int64_t start_us;     /* monotonic: when this call began */
    int64_t statement_us; /* of the calls before this one */
    int64_t cut_at_us;    /* monotonic; 0 never */
    bool text;            /* protocol */
    bool open;            /* the answer is not at its end */
    bool wrapped;         /* inside the page's own transaction (rv_mys_page_begin) */
    bool may_cut;         /* by a KILL */
    bool cut_empty;       /* also before the first row */
    bool server_limit;    /* the statement limit is the page's, not the user's */
    bool streamed;        /* one statement reads the relation: held_session is ours */
    bool windowed;
    bool patient;                  /* the smallest window: it is read to its end */
    bool done;                     /* also by a failure */
    bool complete;                 /* the server said all of the page */
    const rv_datum *end_of_window; /* where an empty page goes on; NULL: nowhere */
    bool more_windows;             /* the page's end is not the relation's */
};

/* ---- window.c: key windows of a selective condition ---- */

/* May the page be read in key windows? Then a page cut before its first row gains something. */
bool rv_mys_window_applies(const rv_page_spec *page);
/* When windows are on for this relation: bounds `io_page` by the end of the next one, and sets
 * scan->windowed, end_of_window and more_windows. */
rv_status rv_mys_window_enter(rv_scan *scan, rv_page_spec *io_page, rv_error *err) RV_MUST_USE;
/* After the page: turns windows on or off, sizes the next one. */
rv_status rv_mys_window_leave(rv_scan *scan, bool cut_by_time, rv_error *err) RV_MUST_USE;

#endif
