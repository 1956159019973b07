/*
 * A login at work in a thread of its own, and the loop that waits for it or gives it up. One thread
 * for each host that is connecting: names, keys, the agent and prompts all block, and libuv's few
 * pool threads would make one dead host the others' wait.
 */
#ifndef TXG_GATEWAY_SSH_JOB_H
#define TXG_GATEWAY_SSH_JOB_H

#include "gateway/ssh/login.h"

struct txg_ssh_job;

struct txg_ssh_job_config {
    const struct txg_spec *spec; /* borrowed for the call */
    bool accept_new;
    const char *command;      /* static: what the login shell is told to start */
    int64_t timeout;          /* microseconds */
    void (*wake)(void *user); /* called by the thread when it is done; not after leave */
    void *user;
};

/* Filled in by txg_ssh_job_take; all of it is the caller's. */
struct txg_ssh_outcome {
    struct txg_ssh_link link; /* none after failure */
    const char *step;         /* that failed, or NULL */
    struct txg_err err;
    struct txg_strv ignored; /* options without effect */
};

/* NULL: it could not be started. */
struct txg_ssh_job *txg_ssh_job_start(const struct txg_ssh_job_config *config, struct txg_err *err);

/* False: it is still at work. */
bool txg_ssh_job_take(struct txg_ssh_job *job, struct txg_ssh_outcome *out);

/* The step that it is at, and what it does there. */
const char *txg_ssh_job_where(struct txg_ssh_job *job, char *doing, size_t size);

/* Frees it, now or when the thread ends; what that brings then is closed by itself. */
void txg_ssh_job_leave(struct txg_ssh_job *job);

#endif
