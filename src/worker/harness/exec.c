#include "config.h"

#include "src/worker/harness.h"

/* What automake's test driver and the shells' `exit 77` agree on. */
enum { STATUS_SKIPPED = 77, STATUS_HARD_ERROR = 99 };

void txg_exec_judge(void *state, const struct txg_ending *ending, struct txg_verdict *out)
{
    (void)state;
    if (txg_verdict_unfinished(out, ending))
        return;
    switch (ending->status) {
    case 0:
        out->outcome = TXG_PASSED;
        return;
    case STATUS_SKIPPED:
        txg_verdict_set(out, TXG_SKIPPED, "exit status 77");
        return;
    case STATUS_HARD_ERROR:
        txg_verdict_set(out, TXG_ERROR, "exit status 99 (hard error)");
        return;
    default:
        txg_verdict_set(out, TXG_FAILED, "exit status %d", ending->status);
    }
}

const struct txg_harness_ops txg_harness_exec = {.name = "exec", .judge = txg_exec_judge};
