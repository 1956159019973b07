/*
 * From the agent's process to a worker's: fork, the spec's nice, directory and environment, then
 * the gateway's duties.
 */
#ifndef TXG_WORKER_SPAWN_H
#define TXG_WORKER_SPAWN_H

#include <sys/types.h>

#include "gateway/wire/message.h"

struct txg_spawn {
    const struct txg_msg_open *open;
    int64_t heartbeat; /* microseconds */
    /* In the new process, before it does anything: closes what is the agent's. */
    void (*in_child)(void *user);
    void *user;
};

/* Returns the worker's pid; *fd is the agent's end of the socket between them. -1: it did not
 * start, and no process is left but one that was killed ("chdir /x: No such file or directory"). */
pid_t txg_spawn_worker(const struct txg_spawn *spawn, int *fd, struct txg_err *err);

#endif
