/*
 * Connects to every host of a list of gateways at once, asks each what it is, and hangs up. Nothing
 * is run there but the agent.
 */
#ifndef TXG_CLI_SURVEY_H
#define TXG_CLI_SURVEY_H

#include "src/cli/plan.h"

/* Of one host; strings are owned, printable, NULL where nothing is known. */
struct txg_survey_host {
    const struct txg_spec *spec; /* of its first gateway, borrowed from the plan */
    char *fault;                 /* "step: reason" of a host that is not up, or was lost */
    char *arch, *kernel;
    bool remote, uploaded;   /* the worker had to be there; it was taken there just now */
    int64_t latency;         /* microseconds, of the quickest of some round trips */
    int64_t clock;           /* microseconds that its clock is ahead of ours */
    int64_t free;            /* bytes, or 0 */
    struct txg_strv ignored; /* what is configured for it without effect, "option (where)" */
};

struct txg_survey {
    struct txg_survey_host *hosts;
    size_t n_hosts;
    size_t *host_of; /* of each gateway of the plan */
    bool interrupted;
};

/* Free with txg_survey_release. */
void txg_survey_make(const struct txg_plan *plan, struct txg_survey *out);
void txg_survey_release(struct txg_survey *s);

#endif
