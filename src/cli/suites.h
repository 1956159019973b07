/*
 * Which suites a run has: those of txgate.yaml, or the files named on the command line. A named
 * file that a suite of txgate.yaml also matches keeps that suite's harness, timeout, needs and
 * directory; all other named files form a suite of their own.
 */
#ifndef TXG_CLI_SUITES_H
#define TXG_CLI_SUITES_H

#include "specs/fleet.h"
#include "src/cli/options.h"

enum txg_plan_suite_on { TXG_SUITE_ON_ALL, TXG_SUITE_ON_NATIVE, TXG_SUITE_ON_PYTHON };

struct txg_plan_suite {
    const struct txg_suite_config *config; /* borrowed; NULL: from the command line only */
    const char *root;                      /* borrowed, absolute */
    char *cwd;                             /* owned, absolute, or NULL: the gateway's directory */
    struct txg_strv paths;
    int64_t timeout; /* microseconds, 0: none */
    bool pytest;     /* they are pytest's */
    enum txg_plan_suite_on on;
};

struct txg_suites {
    struct txg_plan_suite *items;
    size_t n, cap;
};

/* `start`: the directory txgate was started in, absolute; borrowed. */
int txg_suites_select(const struct txg_options *o, const struct txg_config *config,
                      const char *start, struct txg_suites *out, struct txg_err *err);
/* On a gateway with python= what is collected with `auto` is pytest's: where there are both kinds
 * of gateways, such a suite becomes two. `harness` is that of suites that name none. */
void txg_suites_fit(struct txg_suites *s, const char *harness, bool python, bool native);

/* Has a gateway, one with python= or one without, tests of this suite? */
bool txg_suite_is_on(const struct txg_plan_suite *suite, bool python);
void txg_suites_release(struct txg_suites *s);

#endif
