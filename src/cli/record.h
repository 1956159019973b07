/*
 * Keeps in src/state what a run tells: how long its tests took, and which failed. A reporter, so
 * that it sees every event.
 */
#ifndef TXG_CLI_RECORD_H
#define TXG_CLI_RECORD_H

#include "src/cli/plan.h"
#include "src/report/reporter.h"

/* Borrows from the plan. Nothing is written: that is txg_state_save's. */
struct txg_reporter *txg_record_new(const struct txg_plan *plan);

#endif
