#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/socket.h"
#include "pg/pg_internal.h"

#define APPLICATION_BYTES 63

PGconn *rv_pg_libpq(rv_pg *c)
{
    return c->conn;
}

int rv_pg_version(const rv_pg *c)
{
    return PQserverVersion(c->conn);
}

bool rv_pg_loopback(const rv_pg *c)
{
    return c->loopback;
}

const char *rv_pg_tls(const rv_pg *c)
{
    return c->tls;
}

const char *rv_pg_host_port(const rv_pg *c)
{
    return c->host_port;
}

bool rv_pg_broken(const rv_pg *c)
{
    return c->broken;
}

void rv_pg_set_pooled(rv_pg *c, bool pooled)
{
    c->pooled = pooled;
}

void rv_pg_set_limit(rv_pg *c, int64_t statement_timeout_ms)
{
    c->limit_us = statement_timeout_ms > 0 ? statement_timeout_ms * 1000 : 0;
}

void rv_pg_close(rv_pg *c)
{
    if (!c)
        return;
    PQfreemem(c->row);
    PQfinish(c->conn);
    if (c->wake_fd >= 0)
        (void)close(c->wake_fd);
    rv_free(c);
}

static void no_notice(void *ctx, const PGresult *r)
{
    (void)ctx;
    (void)r;
}

static const char *param(const rv_pg_opts *opts, const char *key)
{
    for (size_t i = opts->n_params; i-- > 0;)
        if (strcmp(opts->params[i].key, key) == 0 && opts->params[i].value &&
            opts->params[i].value[0])
            return opts->params[i].value;
    return NULL;
}

/* What one attempt adds to the caller's parameters. */
typedef struct attempt {
    const char *sslmode;                  /* NULL: as the parameters say */
    rv_pg_param hosts[RV_PG_HOST_PARAMS]; /* key NULL: all of them */
    size_t first_host;                    /* of the whole list */
    rv_arena arena;
} attempt;

typedef struct lists { /* libpq takes two NULL-terminated lists; later entries win */
    const char **keys, **values;
    size_t n;
} lists;

static void put(lists *l, const char *key, const char *value)
{
    if (!key || !value)
        return;
    l->keys[l->n] = key;
    l->values[l->n++] = value;
}

static rv_status start(rv_pg *c, const rv_pg_opts *opts, const attempt *a, rv_error *err)
{
    char name[APPLICATION_BYTES + 1];
    rv_str app = rv_str_c(opts->application_name ? opts->application_name : "rivet");
    snprintf(name, sizeof name, "%.*s", (int)rv_utf8_cut(app, APPLICATION_BYTES), app.ptr);
    const size_t room = opts->n_params + RV_PG_HOST_PARAMS + 8;
    lists l = {.keys = rv_calloc(room, 2 * sizeof *l.keys)};
    if (!l.keys)
        return rv_fail_memory(err);
    l.values = l.keys + room;
    /* a host that is gone would be waited for until the kernel's two hours are over */
    put(&l, "keepalives_idle", "60");
    put(&l, "keepalives_interval", "10");
    put(&l, "keepalives_count", "6");
    put(&l, "tcp_user_timeout", "120000");
    for (size_t i = 0; i < opts->n_params; i++)
        put(&l, opts->params[i].key, opts->params[i].value);
    for (size_t i = 0; i < RV_PG_HOST_PARAMS; i++)
        put(&l, a->hosts[i].key, a->hosts[i].value);
    put(&l, "client_encoding", "UTF8");
    put(&l, "application_name", name);
    put(&l, "sslmode", a->sslmode);
    PQfinish(c->conn);
    c->conn = PQconnectStartParams(l.keys, l.values, 0);
    rv_free(l.keys);
    if (!c->conn)
        return rv_fail_memory(err);
    PQsetNoticeReceiver(c->conn, no_notice, NULL);
    /* the only way to learn the SQLSTATE of a refused connection */
    (void)PQsetErrorVerbosity(c->conn, PQERRORS_VERBOSE);
    return RV_OK;
}

/* The password libpq found by itself (service, passfile, environment) is known only now. */
static rv_status hide_password(rv_pg *c, rv_error *err)
{
    return rv_secrets_add(c->env->secrets, rv_str_c(PQpass(c->conn)), err);
}

static int64_t timeout_us(const rv_pg_opts *opts)
{
    int64_t seconds = 0;
    const char *written = param(opts, "connect_timeout");
    if (!written || !rv_str_i64(rv_str_trim(rv_str_c(written)), &seconds))
        return opts->connect_timeout_us;
    if (seconds <= 0 || seconds > 1000000)
        return 0;
    return (seconds < 2 ? 2 : seconds) * 1000000;
}

static rv_status fail_timeout(rv_pg *c, const rv_pg_opts *opts, rv_error *err)
{
    const char *host = PQhost(c->conn), *port = PQport(c->conn);
    rv_status st =
        rv_fail(err, opts->connect_code, "cannot connect to %s: %s:%s did not answer in time",
                opts->what, host ? host : "", port ? port : "");
    if (err)
        err->retry = RV_RETRY_N;
    return st;
}

static rv_status drive(rv_pg *c, const rv_pg_opts *opts, bool *out_late, rv_error *err)
{
    int64_t timeout = timeout_us(opts);
    int64_t deadline = timeout > 0 ? rv_clock_mono_us() + timeout : 0;
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    if (PQstatus(c->conn) == CONNECTION_BAD)
        return rv_pg_fail_connect(c->env, c->conn, opts, err);
    for (;;) {
        RV_TRY(hide_password(c, err));
        switch (rv_pg_wait(c, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline)) {
        case RV_PG_READY:
            break;
        case RV_PG_PAST_DEADLINE:
        case RV_PG_SILENT: /* counted from the first statement on */
            *out_late = true;
            return fail_timeout(c, opts, err);
        case RV_PG_STOPPED:
            return rv_fail(err, RV_E_INTERRUPTED, "connecting to %s: interrupted", opts->what);
        }
        next = PQconnectPoll(c->conn);
        if (next == PGRES_POLLING_OK)
            return RV_OK;
        if (next == PGRES_POLLING_FAILED)
            return rv_pg_fail_connect(c->env, c->conn, opts, err);
    }
}

static rv_status settle(rv_pg *c, rv_error *err)
{
    RV_TRY(hide_password(c, err));
    (void)PQsetErrorVerbosity(c->conn, PQERRORS_DEFAULT);
    const char *tls = PQsslInUse(c->conn) ? PQsslAttribute(c->conn, "protocol") : "off";
    snprintf(c->tls, sizeof c->tls, "%s", tls ? tls : "on");
    snprintf(c->host_port, sizeof c->host_port, "%s:%s", PQhost(c->conn), PQport(c->conn));
    c->loopback = rv_socket_loopback(PQsocket(c->conn));
    if (PQsetnonblocking(c->conn, 1) != 0)
        return rv_fail_memory(err);
    return RV_OK;
}

static rv_status fail_plaintext(rv_pg *c, const rv_pg_opts *opts, rv_error *err)
{
    const char *host = PQhost(c->conn);
    rv_status st = rv_fail(err, RV_E_SOURCE_TLS, "the connection to %s (%s) would not be encrypted",
                           opts->what, host && host[0] ? host : "its host");
    rv_hint(err, "RIVET_REQUIRE_TLS=1 refuses it: turn TLS on at the server and do not write "
                 "disable, or unset the variable");
    return st;
}

/* Before a password is sent: what would end in plaintext is refused, what might is made to ask
 * for TLS. */
static rv_status demand_tls(rv_pg *c, const rv_pg_opts *opts, const PQconninfoOption *info,
                            attempt *a, rv_error *err)
{
    const char *mode = rv_pg_sslmode(info);
    if (!opts->require_tls || rv_pg_hosts_local(info))
        return RV_OK;
    if (strcmp(mode, "disable") == 0)
        return fail_plaintext(c, opts, err);
    if (strcmp(mode, "allow") != 0 && strcmp(mode, "prefer") != 0)
        return RV_OK;
    a->sslmode = "require";
    return start(c, opts, a, err);
}

/* libpq's own blocking call goes on to the next host after a timeout; the polled one cannot, so
 * it begins again behind the silent host. */
static rv_status connect_any(rv_pg *c, const rv_pg_opts *opts, attempt *a, rv_error *err)
{
    RV_TRY(start(c, opts, a, err));
    PQconninfoOption *info = PQconninfo(c->conn);
    if (!info)
        return rv_fail_memory(err);
    rv_status st = demand_tls(c, opts, info, a, err);
    while (st == RV_OK) {
        bool late = false;
        st = drive(c, opts, &late, err);
        if (!late)
            break;
        a->first_host = rv_pg_hosts_after(info, c->conn, a->first_host);
        if (a->first_host == 0)
            break;
        st = rv_pg_hosts_tail(info, a->first_host, &a->arena, a->hosts, err);
        if (st == RV_OK)
            st = start(c, opts, a, err);
    }
    PQconninfoFree(info);
    if (st == RV_E_SOURCE_TLS && a->sslmode)
        rv_hint(err, "RIVET_REQUIRE_TLS=1 asks for it: turn TLS on at the server, or unset the "
                     "variable");
    return st;
}

rv_status rv_pg_open(const rv_env *env, const rv_pg_opts *opts, rv_pg **out, rv_error *err)
{
    rv_pg *c = rv_calloc(1, sizeof *c);
    if (!c)
        return rv_fail_memory(err);
    attempt a = {.arena = RV_ARENA_INIT};
    c->env = env;
    c->connect_code = opts->connect_code;
    c->target = opts->what;
    atomic_init(&c->interrupted, 0);
    rv_status st;
    c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->wake_fd < 0) {
        st = rv_fail_errno(err, RV_E_IO, errno, "cannot create an event descriptor");
        goto done;
    }
    RV_GO(connect_any(c, opts, &a, err));
    RV_GO(settle(c, err));
    if (opts->require_tls && !c->loopback && !PQsslInUse(c->conn)) {
        st = fail_plaintext(c, opts, err);
        goto done;
    }
    *out = c;
    c = NULL;
done:
    rv_arena_free(&a.arena);
    rv_pg_close(c);
    return st;
}
