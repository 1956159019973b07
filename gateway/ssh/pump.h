/*
 * A forwarded channel of a jump host as a socket: a thread of its own carries the bytes, so that
 * whoever holds the socket need not know that it is none of TCP.
 */
#ifndef TXG_GATEWAY_SSH_PUMP_H
#define TXG_GATEWAY_SSH_PUMP_H

#include "gateway/ssh/session.h"

/* Takes the link on success and returns the socket (non-blocking, close-on-exec): closing it ends
 * thread and link. -1: the link is still the caller's. */
int txg_ssh_pump_start(struct txg_ssh_link *link, struct txg_err *err);

#endif
