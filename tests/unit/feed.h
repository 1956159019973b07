/*
 * Scripted events for the tests of reporters: a sink that keeps what it is given, and the events of
 * a run as one-line calls. Time stands still unless a test moves `now`.
 */
#ifndef TXG_TESTS_FEED_H
#define TXG_TESTS_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/buf.h"
#include "src/report/reporter.h"

struct feed_sink {
    struct txg_sink base;
    struct txg_buf text;
    size_t writes;
};

void feed_sink_init(struct feed_sink *s);
const char *feed_sink_take(struct feed_sink *s); /* what came since; good until the next write */
void feed_sink_release(struct feed_sink *s);

struct feed {
    struct txg_reporter *r;
    int64_t now;
    size_t total, done, number;
    size_t outcomes[TXG_OUTCOMES];
    size_t flaky, slow;
    size_t collect_errors, gateways_failed; /* counted by the calls below */
};

extern const struct txg_gateway_info feed_gw0, feed_gw1; /* popen; gw1 is the device imx6-a */
extern const struct txg_gateway_info feed_gw2;           /* replaces gw1 */

void feed_event(struct feed *f, struct txg_event event); /* fills in the time */
void feed_run_start(struct feed *f, const char *dist, size_t gateways);
void feed_gateway(struct feed *f, enum txg_event_type type, const struct txg_gateway_info *gateway);
void feed_collected(struct feed *f, const struct txg_gateway_info *gateway, size_t count);
void feed_down(struct feed *f, const struct txg_gateway_info *gateway, const char *reason,
               bool lost, bool before_ready, const struct txg_gateway_info *replacement);
void feed_quarantine(struct feed *f, const struct txg_gateway_info *gateway, const char *text);
void feed_slow(struct feed *f, const struct txg_gateway_info *gateway, const char *nodeid);
void feed_scheduling(struct feed *f, const char *scheduler, size_t total);
void feed_text(struct feed *f, enum txg_event_type type, const struct txg_gateway_info *gateway,
               const char *nodeid, const char *text);
void feed_test_start(struct feed *f, const struct txg_gateway_info *gateway, const char *nodeid);
void feed_output(struct feed *f, const struct txg_gateway_info *gateway, int stream, bool tail,
                 struct txg_span data);
void feed_result(struct feed *f, const struct txg_gateway_info *gateway, const char *nodeid,
                 struct txg_event_result result); /* done, total are filled in */
/* A try of the test `number` that is followed by another. */
void feed_retry(struct feed *f, const struct txg_gateway_info *gateway, const char *nodeid,
                unsigned attempt, enum txg_outcome outcome, const char *reason);
/* A test that ran 2 s, or one that never started where gateway is NULL. */
void feed_outcome(struct feed *f, const struct txg_gateway_info *gateway, const char *nodeid,
                  enum txg_outcome outcome, const char *reason);
void feed_run_finish(struct feed *f, int exit_code);

/* run_start with gw0 and gw1, ready, [3] each, scheduled. */
void feed_begin(struct feed *f, const char *dist, const char *scheduler, size_t total);

#endif
