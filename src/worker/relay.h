/*
 * A link over a socket: an agent as over any link, and this process between it and the network,
 * which opens and seals (gateway/wire/seal.h). The agent, its workers and their tests never have
 * the keys.
 */
#ifndef TXG_WORKER_RELAY_H
#define TXG_WORKER_RELAY_H

#include "gateway/wire/seal.h"

/* Serves a link whose peer is proven, until either side ends it or `alive` is at its end, which is
 * a pipe that the listener holds. What its agent leaves is killed. Takes the fd and the seal.
 * Returns the exit status. */
int txg_relay_main(int fd, struct txg_seal *seal, int alive);

/* The same with `inner` in the agent's place: the plain side is another program's. Takes it too. */
int txg_relay_between(int fd, struct txg_seal *seal, int inner, int alive);

#endif
