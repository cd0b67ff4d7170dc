#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "mysql/mysql_internal.h"

/* Where libmariadb would look for plugins to load at run time: nowhere. A server that asks for one
 * we do not bring must not make us run what lies about on this host. */
#define NO_PLUGINS "/dev/null"

MYSQL *rv_my_handle(rv_my *c)
{
    return &c->my;
}

bool rv_my_broken(const rv_my *c)
{
    return c->broken;
}

void rv_my_set_proxied(rv_my *c, bool proxied)
{
    c->proxied = proxied;
}

void rv_my_set_limit(rv_my *c, int64_t statement_ms)
{
    c->limit_us = statement_ms > 0 ? statement_ms * 1000 : 0;
}

void rv_my_set_comment(rv_my *c, const char *comment)
{
    c->comment = comment ? comment : "";
}

bool rv_my_mariadb(const rv_my *c)
{
    return c->mariadb;
}

int rv_my_version(const rv_my *c)
{
    return (int)(mysql_get_server_version((MYSQL *)(uintptr_t)&c->my) % 100000000);
}

bool rv_my_loopback(const rv_my *c)
{
    return c->loopback;
}

const char *rv_my_tls_name(const rv_my *c)
{
    return c->tls;
}

const char *rv_my_host_port(const rv_my *c)
{
    return c->host_port;
}

uint64_t rv_my_id(const rv_my *c)
{
    return mysql_thread_id((MYSQL *)(uintptr_t)&c->my);
}

void rv_my_close(rv_my *c)
{
    if (!c)
        return;
    rv_my *before = rv_my_enter(c);
    c->phase = RV_MY_CLOSING;
    if (c->my.passwd)
        explicit_bzero(c->my.passwd, strlen(c->my.passwd));
    mysql_close(&c->my);
    rv_my_leave(before);
    if (c->wake_fd >= 0)
        (void)close(c->wake_fd);
    if (c->password)
        explicit_bzero(c->password, strlen(c->password));
    rv_arena_free(&c->arena);
    rv_free(c);
}

/* Once per process, which both count under locks of their own. */
static rv_status start(rv_error *err)
{
    return mysql_server_init(0, NULL, NULL) == 0 ? rv_my_plugins_register(err)
                                                 : rv_fail_memory(err);
}

/* ---- options ---- */

static rv_status keep_text(rv_my *c, const char **io, rv_error *err)
{
    return *io ? rv_arena_cstr(&c->arena, rv_str_c(*io), io, err) : RV_OK;
}

static rv_status keep_opts(rv_my *c, const rv_my_opts *opts, rv_error *err)
{
    rv_my_opts *o = &c->opts;
    *o = *opts;
    const char **texts[] = {&o->host,         &o->socket,    &o->user,     &o->database,
                            &o->ca_file,      &o->cert_file, &o->key_file, &o->tls_version,
                            &o->program_name, &o->what};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        RV_TRY(keep_text(c, texts[i], err));
    o->password = NULL;
    if (!opts->password)
        return RV_OK;
    rv_str password = rv_str_c(opts->password);
    RV_TRY(rv_secrets_add(c->env->secrets, password, err));
    RV_TRY(rv_arena_alloc(&c->arena, password.len + 1, &c->password, err));
    memcpy(c->password, opts->password, password.len + 1);
    o->password = c->password;
    return RV_OK;
}

/* True when libmariadb took every option; it fails only without memory. */
static bool set_tls(rv_my *c)
{
    const rv_my_opts *o = &c->opts;
    const my_bool yes = 1;
    bool ok = true;
    if (o->tls == RV_MY_TLS_DISABLE)
        return true;
    bool chain = o->tls == RV_MY_TLS_VERIFY_CA || o->tls == RV_MY_TLS_VERIFY_FULL;
    ok &= mysql_options(&c->my, MYSQL_OPT_SSL_ENFORCE, &yes) == 0;
    /* naming authorities is what makes libmariadb judge the chain */
    if (chain)
        ok &= mysql_options(&c->my, MYSQL_OPT_SSL_CA, o->ca_file) == 0;
    if (o->tls == RV_MY_TLS_VERIFY_FULL)
        ok &= mysql_options(&c->my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes) == 0;
    if (o->cert_file)
        ok &= mysql_options(&c->my, MYSQL_OPT_SSL_CERT, o->cert_file) == 0;
    if (o->key_file)
        ok &= mysql_options(&c->my, MYSQL_OPT_SSL_KEY, o->key_file) == 0;
    if (o->tls_version)
        ok &= mysql_options(&c->my, MARIADB_OPT_TLS_VERSION, o->tls_version) == 0;
    return ok;
}

static rv_status set_options(rv_my *c, rv_error *err)
{
    const rv_my_opts *o = &c->opts;
    const unsigned protocol = o->socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    const unsigned no = 0;
    bool ok = mysql_init(&c->my) != NULL;
    ok = ok && mysql_options(&c->my, MYSQL_OPT_PROTOCOL, &protocol) == 0;
    ok = ok && mysql_options(&c->my, MYSQL_OPT_LOCAL_INFILE, &no) == 0;
    ok = ok && mysql_options(&c->my, MYSQL_PLUGIN_DIR, NO_PLUGINS) == 0;
    ok = ok && mysql_options(&c->my, MYSQL_SET_CHARSET_NAME, "utf8mb4") == 0;
    /* a server that does not let us speak first gets no word at all */
    ok = ok && mysql_options(&c->my, MYSQL_DEFAULT_AUTH, RV_MY_HELLO) == 0;
    ok = ok && mysql_options(&c->my, MARIADB_OPT_RESTRICTED_AUTH, RV_MY_HELLO) == 0;
    ok = ok &&
         mysql_options(&c->my, MARIADB_OPT_IO_WAIT, (const void *)(uintptr_t)&rv_my_io_wait) == 0;
    if (o->program_name)
        ok = ok && mysql_options4(&c->my, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name",
                                  o->program_name) == 0;
    if (o->compress)
        ok = ok && mysql_options(&c->my, MYSQL_OPT_COMPRESS, NULL) == 0;
    ok = ok && set_tls(c);
    return ok ? RV_OK : rv_fail_memory(err);
}

static rv_status check_opts(const rv_my_opts *o, rv_error *err)
{
    /* libmariadb would read a list of servers out of it */
    if (!o->socket && (!o->host || !o->host[0] || strchr(o->host, ',')))
        return rv_fail(err, RV_E_CONFIG_SCHEME, "%s names no single host", o->what);
    if ((o->tls == RV_MY_TLS_VERIFY_CA || o->tls == RV_MY_TLS_VERIFY_FULL) && !o->ca_file)
        return rv_fail(err, RV_E_INTERNAL, "%s: no authorities to verify with", o->what);
    return RV_OK;
}

static void settle(rv_my *c)
{
    const char *version = NULL;
    c->phase = RV_MY_IDLE;
    c->deadline_us = 0;
    c->mariadb = mariadb_connection(&c->my) != 0;
    bool tls = mysql_get_ssl_cipher(&c->my) != NULL &&
               mariadb_get_infov(&c->my, MARIADB_CONNECTION_TLS_VERSION, &version) == 0;
    snprintf(c->tls, sizeof c->tls, "%s", tls && version ? version : tls ? "on" : "off");
}

static void name_place(rv_my *c)
{
    const rv_my_opts *o = &c->opts;
    if (o->socket)
        snprintf(c->host_port, sizeof c->host_port, "%s", o->socket);
    else
        snprintf(c->host_port, sizeof c->host_port, "%s:%u", o->host, o->port);
}

static rv_status connect_server(rv_my *c, rv_error *err)
{
    const rv_my_opts *o = &c->opts;
    if (o->connect_timeout_us > 0)
        c->deadline_us = rv_clock_mono_us() + o->connect_timeout_us;
    if (rv_my_interrupted(c))
        return rv_fail(err, RV_E_INTERRUPTED, "connecting to %s: interrupted", o->what);
    rv_my *before = rv_my_enter(c);
    /* an empty password, not none: none would be looked for in the environment */
    MYSQL *my = mysql_real_connect(&c->my, o->socket ? NULL : o->host, o->user,
                                   o->password ? o->password : "", o->database, o->port, o->socket,
                                   CLIENT_REMEMBER_OPTIONS);
    rv_my_leave(before);
    if (!my)
        return rv_my_fail_connect(c, err);
    settle(c);
    return RV_OK;
}

rv_status rv_my_open(const rv_env *env, const rv_my_opts *opts, rv_my **out, rv_error *err)
{
    RV_TRY(check_opts(opts, err));
    RV_TRY(start(err));
    rv_my *c = rv_calloc(1, sizeof *c);
    if (!c)
        return rv_fail_memory(err);
    c->env = env;
    c->arena = RV_ARENA_INIT;
    c->phase = RV_MY_CONNECTING;
    c->comment = "";
    atomic_init(&c->interrupted, 0);
    rv_status st;
    c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->wake_fd < 0) {
        st = rv_fail_errno(err, RV_E_IO, errno, "cannot create an event descriptor");
        goto done;
    }
    RV_GO(keep_opts(c, opts, err));
    name_place(c);
    RV_GO(set_options(c, err));
    RV_GO(connect_server(c, err));
    *out = c;
    return RV_OK;
done:
    rv_my_close(c);
    return st;
}
