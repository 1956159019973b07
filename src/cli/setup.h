/*
 * What a gateway is told when it opens, before it has said a word: workerinput of its own, then the
 * suites and their files, which are the same for all, then collect.
 */
#ifndef TXG_CLI_SETUP_H
#define TXG_CLI_SETUP_H

#include "gateway/gateway.h"
#include "src/cli/plan.h"

/* What the plan says of all gateways; loop, user and callbacks are left to the caller. */
struct txg_gateways_config txg_setup_gateways(const struct txg_plan *plan);

struct txg_setup; /* the shared messages, built once for a run */

/* Borrows from the plan. */
struct txg_setup *txg_setup_new(const struct txg_plan *plan);
void txg_setup_free(struct txg_setup *s);

/* The messages for gateway gw<number>, made from the plan's gateway `origin` (itself, or the one
 * it replaces); good until the next call. `records`: it sends its collection's records unasked. */
const struct txg_msg *txg_setup_messages(struct txg_setup *s, unsigned number, size_t origin,
                                         bool records, size_t *n);

#endif
