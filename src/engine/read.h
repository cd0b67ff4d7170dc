/* engine/read.h: drains segments of a relation through short statements into batches.
 * A reader belongs to one thread; it owns its connection.
 * Source: spec "source-safety" sections 8, 9, 13; "lifecycle" section 10; design "sources" 6, 7. */
#ifndef RV_ENGINE_READ_H
#define RV_ENGINE_READ_H

#include "engine/adaptive.h"
#include "engine/job.h"
#include "engine/pager.h"

/* Rows of the relation that meet the predicates, in order, after a position. */
typedef struct rv_segment {
    const rv_pred *preds;
    size_t n_preds;
    const rv_expr *order;
    size_t n_order;
    const rv_datum *after; /* n_order values or NULL */
    const rv_datum *until; /* likewise, up to and including */
    uint64_t limit;        /* rows, 0 = all */
    bool paged;            /* false: one statement, streamed */
    bool no_position;      /* its last row says nothing about a position */
    bool (*keep)(void *ctx, rv_builder *builder, bool first_order_changed);
    void *keep_ctx;
} rv_segment;

typedef struct rv_reader {
    rv_job *job;
    rv_source *source; /* replaced under source_lock; interrupted under it */
    pthread_mutex_t source_lock;
    bool own_source;
    rv_pager pager;
    rv_builder *builder;
    rv_arena arena; /* positions; grows by one key per statement, freed with the unit */
    int hook;
    bool in_snapshot;  /* inside an instant that a lost connection loses */
    bool own_snapshot; /* which belongs to the unit at hand alone */
    bool lost;         /* and was lost: the unit starts again, or the run ends */
    rv_adaptive adaptive;
    atomic_bool leave;     /* somebody waits for this read */
    char waiter[200];      /* who; under source_lock */
    int64_t held_since_us; /* a statement or snapshot has been open since; 0: none */
    rv_page_end pieces;    /* of the running scan, told by `between` */
    unsigned n_pieces;
    void (*yield)(void *ctx); /* between pages: another worker's turn; NULL: never */
    void *yield_ctx;
    unsigned batch_align; /* batches end at multiples of this many rows of the unit; 0 = free */
    uint64_t unit_rows;   /* rows frozen so far */
    uint64_t frozen_bytes;
    /* where batches go; takes the batch */
    rv_status (*emit)(void *ctx, rv_batch *batch, rv_error *err);
    void *emit_ctx;
    /* asked before each retry; NULL: max_retries decides */
    rv_status (*may_retry)(void *ctx, const rv_error *cause, bool *out_allowed, rv_error *err);
    void *retry_ctx;
    bool spent; /* the last failure used up its tries */
    /* results of the segments read since reset */
    uint64_t rows_read;
    bool no_position;     /* of the segment at hand */
    bool limited;         /* a segment's limit was reached */
    const rv_datum *last; /* order values of the last row of the last segment with rows */
    size_t n_last;
} rv_reader;

rv_status rv_reader_open(rv_reader *r, rv_job *job, rv_source *shared, unsigned workers,
                         rv_error *err) RV_MUST_USE;
void rv_reader_close(rv_reader *r);
/* Between units: forgets positions and counters. */
void rv_reader_reset(rv_reader *r);
/* Reads the segments in order and flushes the last batch. */
rv_status rv_reader_read(rv_reader *r, const rv_segment *segments, size_t n,
                         rv_error *err) RV_MUST_USE;
/* Copies datums into the arena. */
rv_status rv_datums_copy(rv_arena *a, const rv_datum *in, size_t n, const rv_datum **out,
                         rv_error *err) RV_MUST_USE;
/* After a failure that may pass: waits and reconnects as its class asks. RV_OK: try again. Else the
 * tries are used up and the cause is the answer. *io_attempt counts the failures in a row. */
rv_status rv_reader_recover(rv_reader *r, unsigned *io_attempt, rv_error *err) RV_MUST_USE;
/* Ends the running statement; any thread. */
void rv_reader_interrupt(void *reader);

/* One instant for what is read from here, of the unit alone or the run's own. */
rv_status rv_reader_hold(rv_reader *r, bool own, rv_error *err) RV_MUST_USE;
/* Ends the instant, if one is held. */
void rv_reader_release(rv_reader *r);
/* The server's id of the session in which the reader holds a lock or snapshot; 0: none. Any thread.
 */
int64_t rv_reader_session(rv_reader *r);
/* Somebody waits for it: the running statement is ended, and reading goes on in a new one where
 * pages allow that, else fails with RV_E_SOURCE_BLOCKING. Any thread. */
void rv_reader_leave(rv_reader *r, const char *waiter);

#endif
