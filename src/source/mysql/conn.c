#include <string.h>

#include "base/mem.h"
#include "source/mysql/session_internal.h"
#include "source/sql/name.h"

#define CONNECT_TIMEOUT_US 15000000
#define OLDEST_MYSQL 50700
#define OLDEST_MARIADB 100600

static void warn_plaintext(const rv_source *s, const rv_my_opts *my)
{
    if (!rv_my_loopback(s->my) && strcmp(rv_my_tls_name(s->my), "off") == 0 &&
        my->tls != RV_MY_TLS_DISABLE)
        rv_log_once(s->env->log, RV_WARN, RV_TARGET,
                    "the connection to the source at %s is not encrypted; set source.tls, or "
                    "mode: disable to say that this is meant",
                    rv_my_host_port(s->my));
}

static rv_status connect_server(rv_source *s, const rv_source_opts *opts, rv_error *err)
{
    rv_my_opts my = {.what = "the source", .connect_timeout_us = CONNECT_TIMEOUT_US};
    const char *require_tls = rv_env_get(s->env, "RIVET_REQUIRE_TLS");
    my.require_tls = require_tls && strcmp(require_tls, "1") == 0;
    RV_TRY(rv_mys_params(s->env, opts->cfg, &s->arena, &my, err));
    RV_TRY(rv_arena_printf(&s->arena, &my.program_name, err, "rivet/%s",
                           opts->export_name ? opts->export_name : "-"));
    RV_TRY(rv_my_open(s->env, &my, &s->my, err));
    rv_my_set_comment(s->my, s->comment);
    warn_plaintext(s, &my);
    return RV_OK;
}

/* "10.11.19-MariaDB-0+deb12u1-log" without what the packager added. */
static rv_str plain_version(const char *text, bool mariadb)
{
    size_t n = strspn(text, "0123456789.");
    if (mariadb && strncmp(text + n, "-MariaDB", 8) == 0)
        n += 8;
    return (rv_str){text, n};
}

static rv_status too_old(const char *version, rv_error *err)
{
    return rv_fail(err, RV_E_SOURCE_OPEN,
                   "the server is of version %s; Rivet reads MySQL 5.7 and later and MariaDB 10.6 "
                   "and later",
                   version);
}

/* Behind a proxy the handshake is the proxy's: the server itself is asked. */
static rv_status read_version(rv_source *s, rv_error *err)
{
    MYSQL_RES *r = NULL;
    rv_status st;
    RV_GO(rv_mys_say(s, "SELECT VERSION(), @@lower_case_table_names",
                     "reading the server's version", &r, err));
    MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
    if (!row || !row[0]) {
        st = rv_fail(err, RV_E_SOURCE_QUERY, "the server does not tell its version");
        goto done;
    }
    s->mariadb = strcasestr(row[0], "mariadb") != NULL;
    s->lower_case_table_names = (int)rv_mys_int(row, 1, 0);
    RV_GO(rv_arena_cstr(&s->arena, plain_version(row[0], s->mariadb), &s->info.version, err));
    int part[3] = {0};
    const char *p = s->info.version;
    for (size_t i = 0; i < 3; i++) {
        for (; *p >= '0' && *p <= '9' && part[i] < 1000; p++)
            part[i] = part[i] * 10 + (*p - '0');
        p += *p == '.';
    }
    int number = part[0] * 10000 + part[1] * 100 + part[2];
    if (number < (s->mariadb ? OLDEST_MARIADB : OLDEST_MYSQL))
        st = too_old(s->info.version, err);
done:
    mysql_free_result(r);
    return st;
}

static rv_status fill_info(rv_source *s, rv_error *err)
{
    MYSQL_RES *r = NULL;
    rv_status st;
    RV_TRY(rv_mys_ask(s,
                      s->mariadb ? "SELECT DATABASE(), CONCAT(@@hostname, ':', @@port, '/', "
                                   "@@server_id)"
                                 : "SELECT DATABASE(), @@server_uuid",
                      "reading the server's identity", &r, err));
    MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
    if (!row || !row[1]) {
        st = rv_fail(err, RV_E_SOURCE_QUERY, "the server does not tell its identity");
        goto done;
    }
    const unsigned long *n = mysql_fetch_lengths(r);
    RV_GO(rv_mys_text(row, n, 0, &s->arena, &s->info.database, err));
    RV_GO(rv_mys_text(row, n, 1, &s->arena, &s->info.identity, err));
    RV_GO(rv_arena_cstr(&s->arena, rv_str_c(rv_my_tls_name(s->my)), &s->info.tls, err));
    RV_GO(rv_arena_cstr(&s->arena, rv_str_c(rv_my_host_port(s->my)), &s->info.host_port, err));
    s->info.connection = rv_mys_proxy_name(s->proxy);
    s->info.cannot_cut = s->proxy != RV_MYS_DIRECT;
    s->info.loopback = rv_my_loopback(s->my);
done:
    mysql_free_result(r);
    return st;
}

rv_status rv_mys_open(const rv_env *env, const rv_source_opts *opts, rv_source **out, rv_error *err)
{
    rv_source *s = rv_calloc(1, sizeof *s);
    if (!s)
        return rv_fail_memory(err);
    s->env = env;
    s->arena = RV_ARENA_INIT;
    s->max_value_bytes = opts->tuning->max_value_mb << 20;
    atomic_init(&s->held_session, 0);
    rv_status st;
    RV_GO(rv_sql_run_comment_keep(opts->run_id, &s->arena, &s->comment, err));
    RV_GO(connect_server(s, opts, err));
    RV_GO(rv_mys_detect_proxy(s, err));
    RV_GO(read_version(s, err));
    RV_GO(rv_mys_session_begin(s, opts->tuning, err));
    RV_GO(fill_info(s, err));
    *out = s;
    return RV_OK;
done:
    rv_mys_close(s);
    return st;
}

void rv_mys_close(rv_source *s)
{
    if (!s)
        return;
    rv_mys_prepared_free(s);
    rv_mys_window_free(s->window);
    rv_my_close(s->my);
    rv_buf_free(&s->restore);
    rv_arena_free(&s->arena);
    rv_free(s);
}
