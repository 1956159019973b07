#include "config.h"

#include "src/base/outcome.h"

#include <assert.h>

const char *txg_outcome_name(enum txg_outcome o)
{
    static const char *const names[TXG_OUTCOMES] = {
        "passed", "failed",  "skipped",   "xfailed", "xpassed",
        "error",  "crashed", "timed out", "lost",    "not run",
    };
    assert((unsigned)o < TXG_OUTCOMES);
    return names[o];
}

bool txg_outcome_is_failure(enum txg_outcome o)
{
    return o == TXG_FAILED || o == TXG_ERROR || o == TXG_CRASHED || o == TXG_TIMED_OUT;
}
