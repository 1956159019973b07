/*
 * The way to a host's port: a TCP connection, or the stdio of a ProxyCommand. Both block, within
 * the attempt's time: for a thread of their own.
 */
#ifndef TXG_GATEWAY_SSH_NET_H
#define TXG_GATEWAY_SSH_NET_H

#include <sys/types.h>

#include "gateway/ssh/settings.h"
#include "gateway/ssh/try.h"

/* A connected socket (close-on-exec, non-blocking, a peer that is gone noticed in 10 s), or -1.
 * `where` becomes "10.0.0.11 port 22". */
int txg_ssh_net_connect(struct txg_ssh_try *t, const struct txg_ssh_config *c, char *where,
                        size_t size, struct txg_err *err);

/* Starts c->proxy; its stdio is the socket that is returned, its stderr is read from *words. It
 * ends when the socket is closed; *pid is to be reaped. */
int txg_ssh_net_command(const struct txg_ssh_config *c, int *words, pid_t *pid,
                        struct txg_err *err);

#endif
