/* mysql/mysql_internal.h: what the files of this room share: the connection and how it waits.
 * libmariadb calls back whenever it would block (MARIADB_OPT_IO_WAIT), so that one function
 * watches the socket, the deadline, the interrupt and the cancel, and rows that have come cost
 * nothing. Private to the folder. Source: see mysql/conn.h. */
#ifndef RV_MYSQL_INTERNAL_H
#define RV_MYSQL_INTERNAL_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/mem.h"
#include "mysql/conn.h"

/* of the library's own settings its headers want to know two, which it installs without */
#ifndef HAVE_TLS
#define HAVE_TLS 1
#endif
typedef unsigned char uchar;
#include <ma_pvio.h>

#define RV_TARGET "mysql"

typedef enum rv_my_phase {
    RV_MY_CONNECTING,
    RV_MY_IDLE,
    RV_MY_RUNNING, /* a statement was sent and its answer is not at its end */
    RV_MY_KILLING, /* a KILL QUERY was sent for it: what comes is thrown away */
    RV_MY_CLOSING
} rv_my_phase;

/* Why a wait gave up, which libmariadb only sees as a lost connection. */
typedef enum rv_my_end { RV_MY_GOES_ON, RV_MY_STOPPED, RV_MY_LATE, RV_MY_SILENT } rv_my_end;

/* What may not be said in plaintext over a network, found out while connecting. */
typedef enum rv_my_refusal {
    RV_MY_NOT_REFUSED,
    RV_MY_NO_TLS,         /* the mode asks for TLS, the server has none */
    RV_MY_TLS_DEMANDED,   /* RIVET_REQUIRE_TLS */
    RV_MY_RSA_PLAINTEXT,  /* the password would go under a key nobody vouches for */
    RV_MY_CLEARTEXT,      /* the password would go as it is */
    RV_MY_UNKNOWN_PLUGIN, /* a way of logging in that is not offered */
    RV_MY_BAD_EXCHANGE    /* the server's part of it makes no sense */
} rv_my_refusal;

struct rv_my {
    MYSQL my; /* first: plugins are handed this and find the rest */
    const rv_env *env;
    rv_my_opts opts; /* texts in the arena: a KILL needs a second connection */
    rv_arena arena;
    char *password;         /* in the arena, wiped at the end; NULL none */
    int wake_fd;            /* eventfd, written by rv_my_interrupt, never read */
    atomic_int interrupted; /* by rv_my_interrupt */
    rv_my_phase phase;
    rv_my_end end;
    rv_my_refusal refusal;
    const char *refused_plugin; /* static text, or: */
    char asked_plugin[64];      /* what the server called it */
    bool greeted;               /* hello has run: nothing left this host before */
    bool proxied;               /* no KILL leaves this connection */
    bool broken;                /* no further statement is possible */
    bool kill_sent;             /* during the running statement: its answer needs a barrier */
    bool timed_out;             /* our own deadline sent that KILL */
    bool loopback;
    bool mariadb;
    bool much_left;        /* of the answer at hand, by rv_my_expect */
    bool gathering;        /* the socket is ready only when much has come */
    int64_t heard_us;      /* last byte of the answer, else its start; 0: none ran yet */
    int64_t deadline_us;   /* of the running statement or the connecting; 0 none */
    int64_t cut_at_us;     /* deadline of statements that give rows, by rv_my_cut_at; 0 none */
    rv_bytes row;          /* packet of the last row of a statement */
    bool gives_rows;       /* the statement that runs, or ran last */
    rv_my_warning warning; /* of it; code 0: none */
    const char *comment;   /* opens every statement of our own; "" none */
    int64_t limit_us;      /* statement limit that the server was told; 0 none */
    char tls[32];
    char host_port[300];
};

static inline rv_my *rv_my_of(MYSQL *my)
{
    return (rv_my *)(void *)my;
}

/* ---- wait.c ---- */

/* Around every call of libmariadb: names the connection whose waits these are; the answer goes to
 * leave. May nest (a KILL while a statement waits). */
rv_my *rv_my_enter(rv_my *c);
void rv_my_leave(rv_my *before);
/* MARIADB_OPT_IO_WAIT: 1 ready, 0 given up. */
int rv_my_io_wait(my_socket fd, my_bool is_read, int timeout_ms);
/* Before a statement is sent: usable, not interrupted; starts its clock. */
rv_status rv_my_begin(rv_my *c, int64_t deadline_us, const char *what, rv_error *err) RV_MUST_USE;
/* No byte goes over this connection any more. */
void rv_my_break(rv_my *c);
/* Stops what runs, as far as that is possible at once; the connection is of no further use. */
rv_status rv_my_fail_stopped(rv_my *c, const char *what, rv_error *err);
/* The statement's answer is over: confirms a KILL that was sent for it. */
rv_status rv_my_finish(rv_my *c, rv_error *err) RV_MUST_USE;

/* ---- rows.c ---- */

/* The next packet of a binary result into c->row; 0, MYSQL_NO_DATA, or 1: it failed. */
int rv_my_next_packet(rv_my *c, MYSQL_STMT *stmt);

/* ---- kill.c ---- */

/* KILL QUERY over a second connection. False: it was not confirmed within wait_us, or a proxy
 * stands between and none was sent. */
bool rv_my_kill(rv_my *c, int64_t wait_us);
/* What the server warned of in the rows that just ended, into c->warning. */
rv_status rv_my_read_warnings(rv_my *c, rv_error *err) RV_MUST_USE;
/* After a KILL: a statement of no effect that takes the blow if the KILL was late. */
rv_status rv_my_barrier(rv_my *c, rv_error *err) RV_MUST_USE;
#define RV_MY_KILL_US 2000000

/* ---- auth.c ---- */

#define RV_MY_HELLO "rivet"
/* Our client plugins, known to libmariadb from now on; again for nothing. Any thread. */
rv_status rv_my_plugins_register(rv_error *err) RV_MUST_USE;

/* ---- fail.c ---- */

/* Why no connection came about. */
rv_status rv_my_fail_connect(rv_my *c, rv_error *err);
bool rv_my_ends_connection(unsigned code);
bool rv_my_replaces_value(unsigned code);

#endif
