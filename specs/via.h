/*
 * via=: the gateway whose host is the way to another's; installvia=: the one whose host starts a
 * listener for another. It is one of the run, or of the fleet.
 */
#ifndef TXG_SPECS_VIA_H
#define TXG_SPECS_VIA_H

#include "specs/expand.h"

#define TXG_VIA_MAX 8 /* hosts in a row */

/* Sets spec->through of every gateway that has via= or installvia=. */
int txg_via_resolve(struct txg_gateway_list *list, const struct txg_config *config,
                    struct txg_err *err);

#endif
