/*
 * TCP by numeric addresses only: a static worker has no resolver.
 */
#ifndef TXG_WORKER_TCP_H
#define TXG_WORKER_TCP_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "src/base/err.h"

#define TXG_TCP_WHERE (INET6_ADDRSTRLEN + 32)

/* `[ADDR:]PORT`: 7777, 10.0.0.5:7777, 0.0.0.0:7777, [::1]:7777, [fe80::1%eth0]:7777; a port alone
 * is loopback's. */
int txg_tcp_parse(const char *text, struct sockaddr_storage *out, socklen_t *len,
                  struct txg_err *err);

/* A listening socket, close-on-exec and non-blocking; `where` is its address, with the port that
 * the kernel chose for 0. */
int txg_tcp_listen(const struct sockaddr_storage *address, socklen_t len, int backlog,
                   char where[TXG_TCP_WHERE], struct txg_err *err);

/* As ADDRESS:PORT. */
void txg_tcp_name(const struct sockaddr_storage *address, char where[TXG_TCP_WHERE]);

/* A socket that is connecting, close-on-exec and non-blocking: SO_ERROR tells once it is writable.
 */
int txg_tcp_connect(const struct sockaddr_storage *address, socklen_t len, struct txg_err *err);

#endif
