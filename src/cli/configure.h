/*
 * --configure-node: a program of the user's that says what a gateway's workerinput is, as
 * pytest_configure_node does for pytest-xdist. docs/config.md has what it reads and writes.
 */
#ifndef TXG_CLI_CONFIGURE_H
#define TXG_CLI_CONFIGURE_H

#include "src/cli/plan.h"

/* Runs the plan's program once for every gateway, several at a time, and sets what each answers
 * over that gateway's workerinput. What they say on stderr is passed on. Without a program nothing
 * is done. -1: one failed or did not answer within the connect timeout; the others are ended. */
int txg_configure_nodes(struct txg_plan *plan, struct txg_err *err);

#endif
