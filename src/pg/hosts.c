#include <string.h>

#include "pg/pg_internal.h"

static rv_str option(const PQconninfoOption *info, const char *name)
{
    for (const PQconninfoOption *o = info; o && o->keyword; o++)
        if (strcmp(o->keyword, name) == 0)
            return rv_str_c(o->val ? o->val : "");
    return RV_STR("");
}

/* Where item `i` of a comma list begins; at most the end of the text. */
static size_t item_at(rv_str list, size_t i)
{
    size_t at = 0;
    for (; i > 0 && at < list.len; at++)
        i -= list.ptr[at] == ',';
    return at;
}

static rv_str item(rv_str list, size_t i)
{
    size_t from = item_at(list, i), to = from;
    while (to < list.len && list.ptr[to] != ',')
        to++;
    return (rv_str){list.ptr ? list.ptr + from : NULL, to - from};
}

static size_t count(rv_str list)
{
    size_t n = 1;
    for (size_t i = 0; i < list.len; i++)
        n += list.ptr[i] == ',';
    return n;
}

static bool is_local(rv_str host)
{
    return host.len == 0 || host.ptr[0] == '/' || host.ptr[0] == '@' ||
           rv_str_eq_nocase(host, RV_STR("localhost")) || rv_str_starts(host, RV_STR("127.")) ||
           rv_str_eq(host, RV_STR("::1"));
}

bool rv_pg_hosts_local(const PQconninfoOption *info)
{
    rv_str hosts = option(info, "host"), addresses = option(info, "hostaddr");
    rv_str list = addresses.len ? addresses : hosts;
    size_t n = count(list), i = 0;
    while (i < n && is_local(item(list, i)))
        i++;
    return i == n;
}

const char *rv_pg_sslmode(const PQconninfoOption *info)
{
    rv_str mode = option(info, "sslmode");
    return mode.len ? mode.ptr : "";
}

/* The port of a host: one for all, or one each, the default where a list has a gap. */
static bool has_port(rv_str ports, size_t i, rv_str port)
{
    rv_str own = item(ports, count(ports) > 1 ? i : 0);
    return rv_str_eq(own.len ? own : RV_STR("5432"), port);
}

size_t rv_pg_hosts_after(const PQconninfoOption *info, PGconn *conn, size_t from)
{
    rv_str hosts = option(info, "host"), addresses = option(info, "hostaddr");
    size_t n = count(addresses.len ? addresses : hosts);
    rv_str now = rv_str_c(PQhost(conn)), port = rv_str_c(PQport(conn));
    for (size_t i = from; i + 1 < n; i++) {
        bool same = rv_str_eq(item(hosts, i), now) || rv_str_eq(item(addresses, i), now);
        if (same && has_port(option(info, "port"), i, port))
            return i + 1;
    }
    return 0;
}

static rv_status tail(const PQconninfoOption *info, const char *name, size_t from, rv_arena *arena,
                      rv_pg_param *out, rv_error *err)
{
    rv_str list = option(info, name);
    size_t at = count(list) > 1 ? item_at(list, from) : 0;
    *out = (rv_pg_param){name, NULL};
    return rv_arena_cstr(arena, (rv_str){list.ptr + at, list.len - at}, &out->value, err);
}

rv_status rv_pg_hosts_tail(const PQconninfoOption *info, size_t from, rv_arena *arena,
                           rv_pg_param out[RV_PG_HOST_PARAMS], rv_error *err)
{
    RV_TRY(tail(info, "host", from, arena, &out[0], err));
    RV_TRY(tail(info, "hostaddr", from, arena, &out[1], err));
    return tail(info, "port", from, arena, &out[2], err);
}
