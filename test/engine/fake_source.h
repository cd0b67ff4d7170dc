/* A driver without a database: a table (id, v) of `rows` rows, where v tells the instant a row was
 * read in, and a script of what statements do. One script per process. */
#ifndef FAKE_SOURCE_H
#define FAKE_SOURCE_H

#include <stdatomic.h>

#include "source/source.h"

typedef enum fake_kind {
    FAKE_READ,   /* as asked, having taken `us_per_row` */
    FAKE_EMPTY,  /* cut before its first row: nothing gained */
    FAKE_WINDOW, /* no row met the condition, but the position moved past `rows` keys */
    FAKE_FAIL,   /* after `rows` rows */
    FAKE_HANG    /* after `rows` rows: until somebody interrupts */
} fake_kind;

typedef struct fake_step {
    fake_kind kind;
    uint64_t rows;
    rv_status code;
    rv_retry retry;
    const char *native;
} fake_step;

typedef struct fake_script {
    rv_engine engine;
    int64_t rows;
    rv_shape shape;
    bool cannot_cut, no_snapshot_of_many, snapshot_dies_with_failure;
    int64_t us_per_row;
    unsigned row_ms;     /* real time of a statement */
    fake_step steps[64]; /* of the first scans, then FAKE_READ */
    size_t n_steps;
    const char *identity[16]; /* by connection, in order of opening; NULL: "server 1" */
    const char *host_port;
    unsigned pieces_of; /* rows of a FETCH in a streamed scan; 0: one piece */
    const char *waiter; /* who waits for every session that is held */
    bool may_not_look;
    int64_t signal[64]; /* RV_SIGNAL_PRESSURE; -1: unreadable; the last one stays */
    size_t n_signal;
    int64_t batch_signal[16];
    size_t n_batch_signal;
    int64_t counter[2]; /* before, after */
    /* what happened */
    atomic_uint opened, closed, scans, snapshots, shared_snapshots, most_at_once, at_once, asked;
    atomic_uint signals, batch_signals, counters, interrupts, pieces;
    atomic_llong instant;
    uint64_t limits[64]; /* asked for by the first scans */
    int64_t idle_us;     /* told to `between` */
    pthread_mutex_t lock;
} fake_script;

extern fake_script fake;
extern const rv_source_driver fake_driver;
void fake_begin(int64_t rows);

#endif
