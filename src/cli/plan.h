/*
 * What a run is made of, decided before anything starts: options over the environment over
 * txgate.yaml, then defaults. Every usage error is found here.
 */
#ifndef TXG_CLI_PLAN_H
#define TXG_CLI_PLAN_H

#include "specs/expand.h"
#include "specs/fleet.h"
#include "src/cli/options.h"
#include "src/cli/suites.h"
#include "src/state/state.h"

struct txg_plan {
    struct txg_config config;
    struct txg_gateway_list gateways;
    struct txg_suites suites;
    char *start;  /* the directory txgate was started in, absolute */
    char *worker; /* path of txgate-worker for this machine */
    char *testrunuid;
    const char *harness;              /* of suites that name none; "auto" */
    const struct txg_strv *test_args; /* borrowed from the options */
    const struct txg_strv *rsyncdirs; /* borrowed from the options; as the user wrote them */
    enum txg_dist dist;
    size_t maxfail;
    bool live; /* what tests write is shown as it comes */
    size_t retries;
    bool retry_other;
    long max_restarts;
    bool keep_order;
    size_t maxschedchunk;
    bool require_all;
    bool strict_collection;
    struct txg_state *state; /* owned: what earlier runs left, and what this one tells; NULL without
                                what is to be run. The session borrows of it */
    bool state_unread;       /* nothing asks for it yet: it is empty */
    struct txg_err state_warning;
    bool failed_only, failed_first;
    struct txg_select *select; /* owned; NULL: every test */
    const char *keyword;       /* the same as pytest is told it, and its -m; borrowed or NULL */
    const char *marks;
    bool drop_unmarked;         /* what -m says of tests that have no marks */
    const char *configure_node; /* program and arguments; borrowed or NULL */
    const char *configure_cwd;  /* the folder it runs in; borrowed */
    int64_t heartbeat;          /* microseconds */
    int64_t connect_timeout;
    int64_t collect_timeout; /* microseconds; 0: none */
    int64_t slow_timeout;    /* the same */
    int64_t run_timeout;     /* the same */
    bool accept_new_host_keys;
    const char *listen, *key_file; /* for gateways of reverse; borrowed, NULL where there is none */
    bool no_cache;
};

/* The options are borrowed for the life of the plan. -1: nothing to release. */
int txg_plan_make(const struct txg_options *o, struct txg_plan *out, struct txg_err *err);

/* The same without what is to be run: config, gateways, limits, testrunuid, worker. */
int txg_plan_make_gateways(const struct txg_options *o, struct txg_plan *out, struct txg_err *err);
void txg_plan_release(struct txg_plan *p);

#endif
