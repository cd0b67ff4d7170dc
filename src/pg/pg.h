/* pg/pg.h: one connection to a PostgreSQL server over libpq: opened by a deadline, cancellable,
 * every answer classed. What source/postgres and state/postgres share; libpq is called nowhere
 * else but for reading results and COPY data. Never sends SQL of its own but what is documented
 * here, sets no session parameter but client_encoding=UTF8 and application_name at connect (never
 * `options`), and no notice reaches stderr.
 * Threads: one at a time per connection; rv_pg_interrupt from any. Every wait also ends when
 * env->cancel is raised: who must go on after a stop request (the state) hands in an env without.
 * Secrets: passwords of URL, file, env, command and .pgpass go to env->secrets before use.
 * Source: PostgreSQL 15 documentation, chapter 34 (libpq) and appendix A; spec "config" section 3,
 * "source-safety" sections 3, 7, 13, "lifecycle" section 10. */
#ifndef RV_PG_PG_H
#define RV_PG_PG_H

#include <libpq-fe.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/env.h"

typedef struct rv_pg rv_pg;

/* One libpq keyword and its value, both owned by whoever made the list. */
typedef struct rv_pg_param {
    const char *key, *value;
} rv_pg_param;

typedef struct rv_pg_opts {
    const rv_pg_param *params; /* later ones win; `replication` must not be among them */
    size_t n_params;
    const char
        *application_name;      /* "rivet/orders", cut to 63 bytes at a character; NULL: "rivet" */
    const char *what;           /* "the source", "the state database": opens error texts */
    int64_t connect_timeout_us; /* used unless connect_timeout is among the params */
    rv_status connect_code;     /* RV_E_SOURCE_CONNECT or RV_E_STATE_UNREACHABLE ... */
    bool require_tls;           /* RIVET_REQUIRE_TLS=1: remote plaintext is refused */
} rv_pg_opts;

/* A URL or keyword form as libpq reads it (userinfo with a raw '@' splits at the last one), in the
 * arena. Unknown parameters, `replication` among them, are dropped with a WARN once per process; a
 * service, passfile or .pgpass are left to libpq. RV_E_CONFIG_SCHEME when it cannot be read; the
 * text never holds the password. */
rv_status rv_pg_params_parse(const rv_env *env, const char *url, rv_arena *arena, rv_pg_param **out,
                             size_t *out_n, rv_error *err) RV_MUST_USE;

/* Connects without blocking past cancel or the timeout; several hosts and target_session_attrs as
 * libpq does them. Failures: auth (28xxx, password) RV_E_SOURCE_AUTH class P; certificate
 * RV_E_SOURCE_TLS class P; no database RV_E_SOURCE_MISSING; no room (53300, or 08P01 of a pooler)
 * RV_E_SOURCE_CAPACITY class C; everything else that may pass opts->connect_code class N. A host
 * that stays silent for the timeout is passed over when others follow. With require_tls nothing
 * but a loopback is talked to in plaintext. */
rv_status rv_pg_open(const rv_env *env, const rv_pg_opts *opts, rv_pg **out,
                     rv_error *err) RV_MUST_USE;
void rv_pg_close(rv_pg *c);
PGconn *rv_pg_libpq(rv_pg *c);
/* Ends the running statement soon, then and later calls fail with RV_E_INTERRUPTED. Any thread. */
void rv_pg_interrupt(rv_pg *c);
bool rv_pg_interrupted(const rv_pg *c);
/* No further statement is possible: close it. */
bool rv_pg_broken(const rv_pg *c);
/* A pooler stands between: from now on no cancel is sent, which might hit another client. What
 * would need one breaks the connection instead. */
void rv_pg_set_pooled(rv_pg *c, bool pooled);
/* The statement_timeout that the next statements carry, 0 none: tells a 57014 that is our own
 * limit from a foreign cancel where the server's language hides it. */
void rv_pg_set_limit(rv_pg *c, int64_t statement_timeout_ms);
int rv_pg_version(const rv_pg *c);     /* 150020 */
bool rv_pg_loopback(const rv_pg *c);   /* also of Unix sockets */
const char *rv_pg_tls(const rv_pg *c); /* "TLSv1.3"; "off" */
const char *rv_pg_host_port(const rv_pg *c);

/* One simple query (may hold several statements in one implicit transaction); *out the last result
 * with rows or the last one, all text; PQclear by the caller. NULL out: rows are not wanted.
 * deadline_us: monotonic, 0 none: past it the statement is cancelled and fails with class T.
 * `what` is a gerund ("reading table 'orders'"). */
rv_status rv_pg_query(rv_pg *c, const char *sql, int64_t deadline_us, const char *what,
                      PGresult **out, rv_error *err) RV_MUST_USE;
/* One statement with text or binary parameters, unnamed (PQsendQueryParams). */
typedef struct rv_pg_bind {
    const char *const *values; /* NULL entries: SQL NULL */
    const int *lengths;        /* of binary ones; NULL: all text */
    const int *formats;
    int n;
} rv_pg_bind;
rv_status rv_pg_query_bound(rv_pg *c, const char *sql, const rv_pg_bind *bind, int64_t deadline_us,
                            const char *what, PGresult **out, rv_error *err) RV_MUST_USE;
/* Row description of a statement without running it (unnamed prepare and describe, in one
 * transaction of its own behind poolers: BEGIN; PREPARE; describe; ROLLBACK when `prefix` is not
 * NULL, which then opens it). */
rv_status rv_pg_describe(rv_pg *c, const char *prefix, const char *sql, const char *what,
                         PGresult **out, rv_error *err) RV_MUST_USE;

/* ---- COPY ... TO STDOUT (FORMAT binary) ---- */

/* Sends the query and waits for the first COPY answer. */
rv_status rv_pg_copy_begin(rv_pg *c, const char *sql, const char *what, rv_error *err) RV_MUST_USE;
/* Sends it only: the server answers with its first full buffer, which a slow statement fills late.
 * What begin would tell, the first call of next does. `what` is borrowed until then. */
rv_status rv_pg_copy_send(rv_pg *c, const char *sql, const char *what, rv_error *err) RV_MUST_USE;
/* The next CopyData message: *out_n bytes at *out, valid until the next call; *out NULL at the end,
 * after which the command's result has been read. Waits in poll(), never past cancel. */
rv_status rv_pg_copy_next(rv_pg *c, const char **out, size_t *out_n, rv_error *err) RV_MUST_USE;
/* As rv_pg_copy_next; when nothing has come by `until_us` (monotonic; 0: waits on), *out_late is
 * true, out and out_n are as before and the COPY goes on. */
rv_status rv_pg_copy_next_until(rv_pg *c, int64_t until_us, const char **out, size_t *out_n,
                                bool *out_late, rv_error *err) RV_MUST_USE;
/* Ends a COPY early: cancels it, drains what is under way, confirms with a barrier query that the
 * cancel has landed. RV_OK when none is under way. A failure: the connection must be closed. Inside
 * a transaction block the cut aborts it: have a savepoint. */
rv_status rv_pg_copy_cut(rv_pg *c, rv_error *err) RV_MUST_USE;

/* ---- errors ---- */

/* The failure of a result or of the connection: code, retry class by SQLSTATE, native, text
 * "<what>: <server's first line>" and its DETAIL or HINT as rv_hint. */
rv_status rv_pg_fail(rv_pg *c, const PGresult *r, const char *what, rv_error *err);
/* Class of a SQLSTATE; `timer` tells whether a 57014 is our own limit (T) or a cancel (X). */
rv_retry rv_pg_retry_class(const char *sqlstate, bool timer);

#endif
