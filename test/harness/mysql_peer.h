/* harness/mysql_peer.h: a server of MySQL's protocol that says what a script tells it to: proxies
 * that cannot be had and failures a real server does not have on demand. Connections are served at
 * once, each on a thread of its own. Statements are answered by the first rule whose text they
 * contain, with OK without one. mysql_peer *p = mysql_peer_start(&(mysql_peer_opts){.switch_to =
 * "dialog"}); mysql_peer_rule(p, (mysql_rule){.contains = "@@version_comment", .cells =
 * {"(ProxySQL)"}});
 *     ... mysql_peer_port(p) ... mysql_peer_heard(p, "KILL QUERY") ...
 *     mysql_peer_stop(p);
 * Threads: rules before the first connection; the rest from any.
 * Wire format: MySQL internals, "Client/Server Protocol" (4.1, no TLS, no deprecated EOF). */
#ifndef MYSQL_PEER_H
#define MYSQL_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mysql_peer mysql_peer;

#define MYSQL_CELLS 8

typedef struct mysql_rule {
    const char *contains;           /* of the statement's text */
    const char *cells[MYSQL_CELLS]; /* one row of text; the first NULL ends it */
    unsigned nulls;                 /* so many SQL NULLs behind them */
    bool empty;                     /* columns of the cells, no row */
    unsigned error;                 /* number of an error instead */
    const char *text;               /* of the error */
    const char *raw;                /* these bytes as the payload of one packet */
    size_t raw_len;
    const char *unframed; /* these very bytes, header and all */
    size_t unframed_len;
    int64_t delay_us;     /* before the answer; ended by KILL QUERY: error 1317 */
    bool hang;            /* no answer until the client leaves */
    bool close;           /* hang up */
    unsigned after, most; /* from that use on (0: the first), so often (0: for ever) */
    bool own_id;          /* a row with the connection's id plus shift, times the uses */
    uint32_t shift;
} mysql_rule;

typedef struct mysql_peer_opts {
    const char *version;   /* NULL: "8.0.99" */
    const char *switch_to; /* plugin of the account; NULL: everybody is let in */
    const char *more[3];   /* payloads sent after the client's first answer, one after each */
    size_t more_len[3];
    const char *greeting; /* these bytes instead of the greeting's payload */
    size_t greeting_len;
    unsigned refuse; /* error number instead of a greeting */
    bool silent;     /* not a word */
    unsigned leaves; /* hangs up after so many packets of a login; 0: does not */
    bool offers_tls; /* says so; the handshake then fails */
    bool any_address;
} mysql_peer_opts;

mysql_peer *mysql_peer_start(const mysql_peer_opts *opts); /* NULL: it failed, a CHECK says why */
void mysql_peer_stop(mysql_peer *p);
void mysql_peer_rule(mysql_peer *p, mysql_rule rule);
uint16_t mysql_peer_port(const mysql_peer *p);
unsigned mysql_peer_connections(mysql_peer *p);
/* Statements and packets of logins that contained the text so far. */
unsigned mysql_peer_heard(mysql_peer *p, const char *text);
/* The n-th packet (from 0) that any client sent before it was let in; NULL past the last. */
const uint8_t *mysql_peer_login(mysql_peer *p, size_t n, size_t *out_len);
/* Where text `a` was first heard is before where `b` was. */
bool mysql_peer_order(mysql_peer *p, const char *a, const char *b);

#endif
