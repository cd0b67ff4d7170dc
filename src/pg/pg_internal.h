/* pg/pg_internal.h: what the files of this room share: the connection and how it waits.
 * Private to the folder. Source: see pg/pg.h. */
#ifndef RV_PG_INTERNAL_H
#define RV_PG_INTERNAL_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pg/pg.h"

#define RV_TARGET "pg"

struct rv_pg {
    const rv_env *env;
    PGconn *conn;
    int wake_fd;            /* eventfd, written by rv_pg_interrupt, never read */
    atomic_int interrupted; /* by rv_pg_interrupt */
    bool pooled;            /* no cancel leaves this connection */
    bool broken;            /* no further statement is possible */
    bool copying;           /* inside COPY OUT, or on the way into it */
    bool starting;          /* sent, and not yet answered */
    const char *copy_what;  /* names the COPY in errors of its start */
    bool cancel_sent;       /* during the running statement: its answer needs a barrier */
    bool timed_out;         /* our own deadline sent that cancel */
    int64_t started_us;     /* of the running statement, monotonic */
    int64_t heard_us;       /* last byte of its answer, else its start; 0: none ran yet */
    int64_t deadline_us;    /* of the running statement; 0 none */
    int64_t limit_us;       /* statement_timeout that the server was told; 0 none */
    char *row;              /* libpq's, the last COPY message handed out */
    rv_status connect_code;
    const char *target; /* "the source": whoever opened it keeps the text */
    bool loopback;
    char tls[32];
    char host_port[300];
};

typedef enum rv_pg_wake {
    RV_PG_READY,
    RV_PG_PAST_DEADLINE,
    RV_PG_SILENT, /* the server must have spoken or ended the statement by now */
    RV_PG_STOPPED
} rv_pg_wake;

/* poll() on the connection's socket (`events`) and on both ways to stop. */
rv_pg_wake rv_pg_wait(const rv_pg *c, short events, int64_t deadline_us);

/* PQconsumeInput, remembering when something came. False: the connection failed. */
bool rv_pg_consume(rv_pg *c);
/* Gives up a line on which nothing comes any more: class N. */
rv_status rv_pg_fail_silent(rv_pg *c, const char *what, rv_error *err);

/* Before a statement is sent: usable, not interrupted; starts its clock. */
rv_status rv_pg_begin(rv_pg *c, int64_t deadline_us, const char *what, rv_error *err) RV_MUST_USE;
/* After PQsend*: `sent` is its answer; writes what libpq still holds. */
rv_status rv_pg_flush(rv_pg *c, int sent, const char *what, rv_error *err) RV_MUST_USE;
/* Waits until PQgetResult cannot block; sends the cancel of a passed deadline. */
rv_status rv_pg_await(rv_pg *c, const char *what, rv_error *err) RV_MUST_USE;
/* The next result; *out NULL when the statement is over. */
rv_status rv_pg_result(rv_pg *c, const char *what, PGresult **out, rv_error *err) RV_MUST_USE;
/* Every result to the end of the statement, as rv_pg_query says it. */
rv_status rv_pg_collect(rv_pg *c, const char *what, PGresult **out, rv_error *err) RV_MUST_USE;
/* After a cancel: an empty query that takes the blow if the cancel is late. */
rv_status rv_pg_barrier(rv_pg *c, rv_error *err) RV_MUST_USE;
/* Asks the server to stop the running statement. False: it has not confirmed within wait_us, or a
 * pooler stands between and it was not asked; a late cancel may then still come. */
bool rv_pg_send_cancel(rv_pg *c, int64_t wait_us);
#define RV_PG_CANCEL_GRACE_US 2000000
/* Stops what runs, as far as that is possible at once; the connection is of no further use. */
rv_status rv_pg_fail_stopped(rv_pg *c, const char *what, rv_error *err);
bool rv_pg_is_failure(const PGresult *r);

/* ---- hosts.c: of the list in PQconninfo(), defaults and service file included ---- */

#define RV_PG_HOST_PARAMS 3
bool rv_pg_hosts_local(const PQconninfoOption *info); /* every one of them, by its name */
const char *rv_pg_sslmode(const PQconninfoOption *info);
/* Number of the host after the one that `conn` is busy with, counted from 0, looking from host
 * `from` on; 0 when there is none. */
size_t rv_pg_hosts_after(const PQconninfoOption *info, PGconn *conn, size_t from);
/* host, hostaddr and port without the first `from` hosts. */
rv_status rv_pg_hosts_tail(const PQconninfoOption *info, size_t from, rv_arena *arena,
                           rv_pg_param out[RV_PG_HOST_PARAMS], rv_error *err) RV_MUST_USE;

/* ---- fail.c ---- */

/* Why no connection came about, read from libpq's text (verbosity VERBOSE, C locale). */
rv_status rv_pg_fail_connect(const rv_env *env, PGconn *conn, const rv_pg_opts *opts,
                             rv_error *err);
/* `text` redacted, as the error's text after "<head>: ": further lines become causes. */
rv_status rv_pg_fail_text(const rv_env *env, rv_status code, rv_retry retry, const char *head,
                          rv_str text, rv_error *err);

#endif
