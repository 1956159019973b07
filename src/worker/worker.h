/*
 * The duties of a gateway: workerinput, collecting, running one test after the other, and telling
 * of it. One process for each gateway, forked by the agent, on one socket to it.
 */
#ifndef TXG_WORKER_WORKER_H
#define TXG_WORKER_WORKER_H

#include <stdint.h>

#include "src/base/strv.h"

struct txg_worker_config {
    int fd;                    /* the socket to the agent */
    uint32_t channel;          /* of this gateway */
    int64_t heartbeat;         /* microseconds */
    struct txg_strv *env;      /* inherited and the spec's env:; taken */
    const char *arch;          /* what {arch} stands for; "": this machine's */
    struct txg_strv *emulator; /* words in front of every test program; taken */
};

/* Returns the exit status of the worker process. */
int txg_worker_main(const struct txg_worker_config *config);

#endif
