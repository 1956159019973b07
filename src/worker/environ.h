/*
 * The environment of a gateway's tests: what the worker inherited, the spec's env:, then
 * PYTEST_XDIST_* and TXGATE_*.
 */
#ifndef TXG_WORKER_ENVIRON_H
#define TXG_WORKER_ENVIRON_H

#include "gateway/wire/message.h"
#include "src/base/strv.h"
#include "src/worker/harness.h"

/* Appends to `env`, which already holds what comes before. */
void txg_environ_add(struct txg_strv *env, const struct txg_msg_workerinput *in);

struct txg_environ {     /* of one program */
    char **envp;         /* owned; its entries are borrowed, from the tests' environment or */
    struct txg_strv own; /* a copy of it */
};

/* What a program of this harness finds: without the variables that its framework is not to see, and
 * with those that make it talk. Fills `e` anew. -1: the preload library can't be had, and nothing
 * is to be released. */
int txg_environ_make(struct txg_environ *e, const struct txg_strv *env,
                     const struct txg_harness_ops *harness, struct txg_err *err);
void txg_environ_release(struct txg_environ *e);

/* The line that a harness is greeted with: docs/harness.md, section 3. */
void txg_environ_hello(const struct txg_msg_workerinput *in, struct txg_buf *out);

#endif
