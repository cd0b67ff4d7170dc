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

#endif
