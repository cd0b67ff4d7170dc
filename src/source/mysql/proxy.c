#include <strings.h>

#include "source/mysql/session_internal.h"

const char *rv_mys_proxy_name(rv_mys_proxy p)
{
    switch (p) {
    case RV_MYS_DIRECT:
        return "direct";
    case RV_MYS_PROXYSQL:
        return "proxysql";
    case RV_MYS_MULTIPLEXED:
        return "proxy-multiplexed";
    case RV_MYS_MAXSCALE:
        return "maxscale";
    }
    return "direct";
}

/* A question most servers refuse: *out NULL then. Fails only when nothing more can be asked. */
static rv_status try_ask(rv_source *s, const char *sql, MYSQL_RES **out, rv_error *err)
{
    rv_error refused;
    rv_error_clear(&refused);
    *out = NULL;
    rv_status st = rv_mys_say(s, sql, "detecting a proxy", out, &refused);
    if (st == RV_OK || (st != RV_E_INTERRUPTED && st != RV_E_MEMORY && !rv_my_broken(s->my)))
        return RV_OK;
    if (err)
        *err = refused;
    return st;
}

/* The first cell holds the word; an answer that was refused holds none. */
static rv_status says(rv_source *s, const char *sql, const char *word, bool *out, rv_error *err)
{
    MYSQL_RES *r = NULL;
    RV_TRY(try_ask(s, sql, &r, err));
    MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
    *out = row && row[0] && (!word[0] || strcasestr(row[0], word));
    mysql_free_result(r);
    return RV_OK;
}

static rv_status is_multiplexed(rv_source *s, bool *out, rv_error *err)
{
    /* the handshake tells four bytes of it */
    const uint32_t own = (uint32_t)rv_my_id(s->my);
    *out = false;
    for (int i = 0; i < 2; i++) {
        MYSQL_RES *r = NULL;
        RV_TRY(try_ask(s, "SELECT CONNECTION_ID()", &r, err));
        MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
        if (row)
            *out = *out || (uint32_t)rv_mys_int(row, 0, 0) != own;
        mysql_free_result(r);
    }
    return RV_OK;
}

static rv_status detect(rv_source *s, rv_mys_proxy *out, rv_error *err)
{
    const char *const comment = "SELECT @@version_comment";
    bool found = false;
    *out = RV_MYS_PROXYSQL;
    RV_TRY(says(s, "PROXYSQL INTERNAL SESSION", "", &found, err));
    if (!found)
        RV_TRY(says(s, comment, "proxysql", &found, err));
    if (found)
        return RV_OK;
    RV_TRY(says(s, comment, "maxscale", &found, err));
    *out = found ? RV_MYS_MAXSCALE : RV_MYS_PROXYSQL;
    if (!found)
        RV_TRY(says(s, "SELECT @@proxy_version", "", &found, err));
    if (found)
        return RV_OK;
    RV_TRY(is_multiplexed(s, &found, err));
    *out = found ? RV_MYS_MULTIPLEXED : RV_MYS_DIRECT;
    return RV_OK;
}

rv_status rv_mys_detect_proxy(rv_source *s, rv_error *err)
{
    /* until it is known, nothing is killed */
    rv_my_set_proxied(s->my, true);
    RV_TRY(detect(s, &s->proxy, err));
    rv_my_set_proxied(s->my, s->proxy != RV_MYS_DIRECT);
    s->in_transaction_only = s->proxy == RV_MYS_PROXYSQL || s->proxy == RV_MYS_MULTIPLEXED;
    if (s->proxy == RV_MYS_MAXSCALE)
        rv_log_once(s->env->log, RV_WARN, RV_TARGET,
                    "MaxScale stands before the source at %s: see to it that its router sends "
                    "these reads where they belong; a replica may lag behind",
                    rv_my_host_port(s->my));
    return RV_OK;
}
