/*
 * What became of a test. A worker sends the first eight; lost and not run are the session's own.
 * "error" is a test that could not be judged (exit 99, bail out, plan mismatch, could not start).
 */
#ifndef TXG_BASE_OUTCOME_H
#define TXG_BASE_OUTCOME_H

#include <stdbool.h>

enum txg_outcome {
    TXG_PASSED,
    TXG_FAILED,
    TXG_SKIPPED,
    TXG_XFAILED,
    TXG_XPASSED,
    TXG_ERROR,
    TXG_CRASHED,
    TXG_TIMED_OUT,
    TXG_LOST,
    TXG_NOT_RUN,
    TXG_OUTCOMES /* how many there are */
};

/* "passed", "failed", ..., "timed out", "lost", "not run": for people. */
const char *txg_outcome_name(enum txg_outcome o);

/* failed, error, crashed, timed out: they make the run fail (exit 1). */
bool txg_outcome_is_failure(enum txg_outcome o);

#endif
