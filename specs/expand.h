/*
 * From what was written to the list of gateways that a run starts: N*spec, @id, @label, -n, ids,
 * devices.
 */
#ifndef TXG_SPECS_EXPAND_H
#define TXG_SPECS_EXPAND_H

#include "specs/fleet.h"
#include "specs/spec.h"

struct txg_gateway_def {
    struct txg_spec *spec;  /* owned */
    char *device;           /* the id that the user gave, in the fleet or as id=; or NULL */
    struct txg_strv labels; /* of the fleet entry and of label= */
    struct txg_value input; /* workerinput: fleet or device pool, then input:NAME over it */
    bool late;              /* of reverse: it may join while the run lasts, or never come */
};

struct txg_gateway_list {
    struct txg_gateway_def *items; /* in order: items[i] is gw<i> */
    size_t n;                      /* at least 1 after txg_expand, at most TXG_GATEWAYS_MAX */
};

/* `tx`: the values of --tx in order, `n`: -n as a number, 0 for not given; -n stands for N*popen
 * and replaces --tx as in xdist, without a word about it. Neither: the fleet's gateways if there
 * are any, else one popen.
 *
 * A device of the pool goes to every gateway, in order, that has no workerinput in the fleet; too
 * few devices are an error. No id is given twice, and one of the form gwN only to items[N].
 * Free with txg_gateway_list_release; after failure there is nothing to release. */
int txg_expand(const struct txg_strv *tx, int n, const struct txg_config *config,
               struct txg_gateway_list *out, struct txg_err *err);
void txg_gateway_list_release(struct txg_gateway_list *list);

/* "auto", "logical" or a number from 0 to TXG_GATEWAYS_MAX as -n takes it. Both words are
 * $PYTEST_XDIST_AUTO_NUM_WORKERS if that is set, else the CPUs that this process may use. */
int txg_parse_numprocesses(const char *word, int *n, struct txg_err *err);

#endif
