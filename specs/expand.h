/*
 * From what was written to the list of gateways that a run starts: N*spec, @id, @label, -n, ids,
 * devices and defaults.
 */
#ifndef TXG_SPECS_EXPAND_H
#define TXG_SPECS_EXPAND_H

#include "specs/fleet.h"
#include "specs/spec.h"

#define TXG_GATEWAYS_MAX 4096

struct txg_gateway_def {
    struct txg_spec *spec;  /* owned */
    char *device;           /* the fleet's id, or NULL */
    struct txg_strv labels; /* of the fleet entry and of label= */
    struct txg_value input; /* workerinput: fleet or device pool, then input:NAME over it */
};

struct txg_gateway_list {
    struct txg_gateway_def *items; /* in order: items[i] is gw<i> */
    size_t n;
};

/* `tx`: the values of --tx in order, `n`: -n as a number, 0 for not given; -n stands for N*popen
 * and replaces --tx as in xdist. Neither: the fleet's gateways if there are any, else one popen. */
int txg_expand(const struct txg_strv *tx, int n, const struct txg_config *config,
               struct txg_gateway_list *out, struct txg_err *err);
void txg_gateway_list_release(struct txg_gateway_list *list);

/* "auto", "logical" or a number >= 0 as -n takes it (reference/xdist.md 1.3). */
int txg_parse_numprocesses(const char *word, int *n, struct txg_err *err);

#endif
