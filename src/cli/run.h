/*
 * Carries values between gateways, session and reporters on one uv loop until the session says the
 * run is over. It decides nothing about tests.
 */
#ifndef TXG_CLI_RUN_H
#define TXG_CLI_RUN_H

#include "src/cli/plan.h"
#include "src/report/reporter.h"

struct txg_run_config {
    const struct txg_plan *plan;
    struct txg_reporter **reporters; /* borrowed; finish and free are the caller's */
    size_t n_reporters;
    bool collect_only;
    bool measure; /* a note at the end tells how long the loop was away */
    /* Called once when all gateways are on their way and none has said anything: the time for work
     * that nobody waits for. NULL: there is none. */
    void (*at_start)(void *user);
    /* Called once at the end, while the session still stands; NULL: not wanted. */
    void (*at_end)(void *user, const struct txg_session *session);
    void *user;
};

/* The exit code of the run (design.md, "What the user sees"). */
int txg_run(const struct txg_run_config *config);

#endif
