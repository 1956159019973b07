/*
 * The environment of a gateway's tests: what the worker inherited, the spec's env:, then
 * PYTEST_XDIST_* and TXGATE_*.
 */
#ifndef TXG_WORKER_ENVIRON_H
#define TXG_WORKER_ENVIRON_H

#include "gateway/wire/message.h"
#include "src/base/strv.h"

/* Appends to `env`, which already holds what comes before. */
void txg_environ_add(struct txg_strv *env, const struct txg_msg_workerinput *in);

/* The entries without the variables of a NULL-terminated list, and `more` behind them (NULL: none):
 * an array of the caller's whose entries are borrowed. */
char **txg_environ_without(const struct txg_strv *env, const char *const *names, const char *more);

/* The line that a harness is greeted with: docs/harness.md, section 3. */
void txg_environ_hello(const struct txg_msg_workerinput *in, struct txg_buf *out);

#endif
