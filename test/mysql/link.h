/* mysql/link.h: a connection for the tests of this room. */
#ifndef MYSQL_TEST_LINK_H
#define MYSQL_TEST_LINK_H

#include <ifaddrs.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mysql/conn.h"
#include "mysql_peer.h"
#include "rvtest.h"

typedef struct link {
    rv_env env;
    rv_my_opts opts;
    rv_my *c;
    rv_error err;
} link_;

__attribute__((unused)) static link_ link_to(const char *host, uint16_t port, const char *user,
                                             const char *password)
{
    return (link_){.opts = {.host = host,
                            .port = port,
                            .user = user,
                            .password = password,
                            .what = "the source",
                            .program_name = "rivet/test",
                            .connect_timeout_us = 10000000}};
}

__attribute__((unused)) static rv_status open_link(link_ *l)
{
    rv_error_clear(&l->err);
    return rv_my_open(&l->env, &l->opts, &l->c, &l->err);
}

__attribute__((unused)) static void close_link(link_ *l)
{
    rv_my_close(l->c);
    l->c = NULL;
}

/* The first cell of the answer in a buffer that the next call overwrites, or the error's first
 * line. */
__attribute__((unused)) static const char *ask(link_ *l, const char *sql)
{
    static char text[512];
    MYSQL_RES *r = NULL;
    rv_error_clear(&l->err);
    if (rv_my_query(l->c, sql, 0, "asking", &r, &l->err) != RV_OK)
        return l->err.text;
    MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
    snprintf(text, sizeof text, "%s", row ? (row[0] ? row[0] : "NULL") : "none");
    mysql_free_result(r);
    return text;
}

/* An address of this host that is not loopback; false when it has none. */
__attribute__((unused)) static bool own_address(char out[INET_ADDRSTRLEN])
{
    struct ifaddrs *all = NULL;
    bool found = false;
    if (getifaddrs(&all) != 0)
        return false;
    for (const struct ifaddrs *a = all; a && !found; a = a->ifa_next) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)a->ifa_addr;
        if (!in || in->sin_family != AF_INET || ntohl(in->sin_addr.s_addr) >> 24 == 127)
            continue;
        found = inet_ntop(AF_INET, &in->sin_addr, out, INET_ADDRSTRLEN) != NULL;
    }
    freeifaddrs(all);
    return found;
}

#endif
