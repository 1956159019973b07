/*
 * Keeps in src/state what a run tells: how long its tests took, and which failed. A reporter, so
 * that it sees every event.
 */
#ifndef TXG_CLI_RECORD_H
#define TXG_CLI_RECORD_H

#include "src/cli/plan.h"
#include "src/report/reporter.h"

struct txg_record_result { /* as of txg_state_save */
    int rc;
    struct txg_err err;
};

/* Borrows from the plan. It is saved when the run is over, while its gateways end and its files are
 * written; `result` is filled in when the reporter is freed. */
struct txg_reporter *txg_record_new(const struct txg_plan *plan, struct txg_record_result *result);

#endif
