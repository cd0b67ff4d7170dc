/* base/socket.h: facts and settings of a connected socket, whoever opened it. Thread-safe.
 * Source: Linux manual pages tcp(7), ip(7), unix(7). */
#ifndef RV_BASE_SOCKET_H
#define RV_BASE_SOCKET_H

#include <stdbool.h>

/* The peer is this host: a Unix socket, 127.0.0.0/8 or ::1. False when it cannot be told. */
bool rv_socket_loopback(int fd);
/* Not inherited by children, never blocking, and a peer that is gone is noticed within two
 * minutes. What the system does not offer is left out. */
void rv_socket_settle(int fd);

#endif
