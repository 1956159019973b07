/*
 * A gateway as a program: execnet on stdin and stdout, the tests of an xdist worker on a gateway of
 * ours behind it, which any transport may lead to.
 */
#ifndef TXG_CLI_CONNECT_H
#define TXG_CLI_CONNECT_H

#include "src/cli/options.h"
#include "src/cli/plan.h"

/* `plan` has one gateway; its suites run where pytest's arguments name none. The files of `options`
 * are replaced by what pytest names. Returns the exit status. */
int txg_connect(struct txg_options *options, const struct txg_plan *plan);

/* The same for a gateway with python=: that program's stdin and stdout, started with `words`. */
int txg_connect_raw(const struct txg_plan *plan, char **words, int n);

#endif
