/* mysql/conn.h: one connection to a MySQL or MariaDB server over libmariadb: opened by a deadline,
 * cancellable, every answer classed. What the source reads through today and CDC will tomorrow.
 * libmariadb is called nowhere else but for reading fields and rows. Sends no SQL of its own but
 * what is documented here ("KILL QUERY n" on a connection of its own, "DO 0" after it, "SHOW
 * WARNINGS" after rows that were warned of), opened by rv_my_set_comment's text; never uses
 * options files, LOCAL INFILE, multi statements or plugins loaded at run time.
 * Threads: one at a time per connection; rv_my_interrupt from any. Every wait also ends when
 * env->cancel is raised.
 * Secrets: passwords go to env->secrets before use. Plaintext: the RSA key exchange of
 * caching_sha2_password and sha256_password never happens over a remote plaintext connection
 * unless tls is written as `disable`; the error asks for TLS.
 * Source: MySQL internals "Client/Server Protocol", MariaDB Connector/C documentation; spec
 * "config" section 3, "source-safety" sections 4, 7, 13, "lifecycle" section 10. */
#ifndef RV_MYSQL_CONN_H
#define RV_MYSQL_CONN_H

#include <mysql.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/env.h"

typedef struct rv_my rv_my;

typedef enum rv_my_tls {
    RV_MY_TLS_PREFER,  /* TLS when the server offers it, certificate not judged */
    RV_MY_TLS_DISABLE, /* written: plaintext on purpose */
    RV_MY_TLS_REQUIRE,
    RV_MY_TLS_VERIFY_CA,
    RV_MY_TLS_VERIFY_FULL
} rv_my_tls;

typedef struct rv_my_opts {
    const char *host; /* of one server; NULL with socket */
    const char *socket;
    uint32_t port;
    const char *user, *password, *database; /* password NULL: none */
    rv_my_tls tls;
    const char *ca_file; /* what a verifying mode trusts, never NULL then */
    const char *cert_file, *key_file;
    const char *tls_version;  /* "TLSv1.2,TLSv1.3"; NULL: what both can */
    const char *program_name; /* connection attribute, "rivet/orders" */
    const char *what;         /* "the source": opens error texts */
    int64_t connect_timeout_us;
    bool require_tls; /* RIVET_REQUIRE_TLS=1: remote plaintext is refused */
    bool compress;    /* written: slower but over thin lines */
} rv_my_opts;

/* Connects with utf8mb4 and connection attributes. Failures: 1045 and the like RV_E_SOURCE_AUTH
 * class P; certificate or no TLS where it is required RV_E_SOURCE_TLS class P; 1049
 * RV_E_SOURCE_MISSING; 1040, 1203, 1226, ProxySQL 9001 RV_E_SOURCE_CAPACITY class C; else
 * RV_E_SOURCE_CONNECT class N. */
rv_status rv_my_open(const rv_env *env, const rv_my_opts *opts, rv_my **out,
                     rv_error *err) RV_MUST_USE;
void rv_my_close(rv_my *c);
MYSQL *rv_my_handle(rv_my *c);
/* Ends the running statement soon (KILL QUERY on a second connection, or the socket is shut where
 * a proxy forbids that); it and later calls fail with RV_E_INTERRUPTED. Any thread. */
void rv_my_interrupt(rv_my *c);
bool rv_my_interrupted(const rv_my *c);
bool rv_my_broken(const rv_my *c); /* no further statement is possible: close it */
/* A proxy stands between: no KILL is ever sent; what would need one breaks the connection. */
void rv_my_set_proxied(rv_my *c, bool proxied);
/* The statement limit that the server was told, 0 none: one that stays silent for 5 s past it is
 * given up (without a limit after two hours), class N. */
void rv_my_set_limit(rv_my *c, int64_t statement_ms);
/* Opens the connection's own statements; borrowed for its life. NULL: none. */
void rv_my_set_comment(rv_my *c, const char *comment);
bool rv_my_mariadb(const rv_my *c);
int rv_my_version(const rv_my *c); /* 101119, 90704 */
bool rv_my_loopback(const rv_my *c);
const char *rv_my_tls_name(const rv_my *c); /* "TLSv1.3"; "off" */
const char *rv_my_host_port(const rv_my *c);
uint64_t rv_my_id(const rv_my *c); /* connection id as the handshake told it */

/* One text statement, its whole answer kept (mysql_store_result): for catalogs and settings, never
 * for rows of a table. *out NULL when it gives none; mysql_free_result by the caller.
 * deadline_us: monotonic, 0 none: past it the statement is killed and fails with class T.
 * `what` is a gerund ("reading table 'orders'"). */
rv_status rv_my_query(rv_my *c, const char *sql, int64_t deadline_us, const char *what,
                      MYSQL_RES **out, rv_error *err) RV_MUST_USE;

/* ---- rows, unbuffered ---- */

/* Text protocol: sends and waits for the column definitions; rows by rv_my_row_text. The length
 * form is for SQL that holds any bytes. */
rv_status rv_my_stream(rv_my *c, rv_str sql, const char *what, MYSQL_RES **out,
                       rv_error *err) RV_MUST_USE;
/* Binary protocol: a prepared statement kept by the caller (mysql_stmt_close through
 * rv_my_stmt_close). */
rv_status rv_my_prepare(rv_my *c, rv_str sql, const char *what, MYSQL_STMT **out,
                        rv_error *err) RV_MUST_USE;
/* Executes with the bound parameters, unbuffered; each row goes to `row` as raw bytes of the binary
 * protocol (NULL = SQL NULL column) by rv_my_stmt_fetch. */
rv_status rv_my_execute(rv_my *c, MYSQL_STMT *stmt, const char *what, rv_error *err) RV_MUST_USE;
/* The next row: of a text result *out_row and *out_lengths (borrowed until the next call), NULL at
 * the end; of a statement *out_more false at the end. Waits never past cancel. */
rv_status rv_my_row_text(rv_my *c, MYSQL_RES *res, MYSQL_ROW *out_row,
                         const unsigned long **out_lengths, rv_error *err) RV_MUST_USE;
rv_status rv_my_stmt_fetch(rv_my *c, MYSQL_STMT *stmt, bool *out_more, rv_error *err) RV_MUST_USE;
/* The packet of the row that rv_my_stmt_fetch just took: status byte, NULL bitmap, values. Borrowed
 * until the next call. */
rv_bytes rv_my_stmt_row(rv_my *c);
void rv_my_stmt_close(rv_my *c, MYSQL_STMT *stmt);
/* Paces: a statement of rv_my_stream or rv_my_execute that still runs at this monotonic moment is
 * killed, whether it sends rows or not. The call that meets its end fails with
 * RV_E_SOURCE_TIMEOUT, rv_my_was_cut is true until the next statement, rows given before are
 * complete; rv_my_cut then only waits for the barrier. 0: disarms. Does nothing behind a proxy. */
void rv_my_cut_at(rv_my *c, int64_t at_us);
bool rv_my_was_cut(const rv_my *c);
/* About as many bytes of the answer at hand are still to come. While they are many, waiting for
 * them ends with many at once, not with every packet; an end that comes sooner is met a few
 * milliseconds late. */
void rv_my_expect(rv_my *c, uint64_t bytes);
/* What the server warned of while it gave the rows of the last rv_my_stream or rv_my_execute, also
 * one that was cut, once its answer is over; notes do not count. Of several the one that stands for
 * a value that the rows do not hold. NULL: nothing. Borrowed until the next statement. */
typedef struct rv_my_warning {
    unsigned code;
    bool replaces; /* rows hold something else than the value: NULL, '?', a cut text */
    char text[300];
} rv_my_warning;
const rv_my_warning *rv_my_warned(const rv_my *c);
/* Ends an unbuffered answer early: KILL QUERY, what is under way is drained, a barrier query
 * confirms that the kill has landed. RV_OK when none is under way. A failure, and always behind a
 * proxy: the connection is broken. */
rv_status rv_my_cut(rv_my *c, MYSQL_RES *res, MYSQL_STMT *stmt, rv_error *err) RV_MUST_USE;

/* ---- errors ---- */

/* The failure of the connection, or of the statement when given: code, retry class by number,
 * native, text "<what>: <server's words>". Our own limits (3024, 1969) are class T. */
rv_status rv_my_fail(rv_my *c, MYSQL_STMT *stmt, const char *what, rv_error *err);
rv_retry rv_my_retry_class(unsigned code);

/* ---- quoting: the only two doors ---- */
rv_status rv_my_quote(const char *ident, rv_buf *out, rv_error *err) RV_MUST_USE; /* `a``b` */
/* 'text' with '' and \\ as the session's sql_mode needs (NO_BACKSLASH_ESCAPES is removed by the
 * driver's session settings), for utf8mb4 text. */
rv_status rv_my_literal(rv_str text, rv_buf *out, rv_error *err) RV_MUST_USE;

#endif
