/*
 * A session driven by hand: what gateways say goes in as short calls, what the session wants comes
 * out as one line of words. Time stands still unless it is moved.
 */
#ifndef TXG_TESTS_DRIVE_H
#define TXG_TESTS_DRIVE_H

#include "src/session/session.h"

#define DRIVE_TESTS 32 /* in one collection */

struct drive {
    struct txg_session *s;
    int64_t now;
    int64_t seq[16];
    struct txg_buf log; /* since the last drive_take */
    const char *file;   /* in front of the names of tests, or NULL */
};

/* Gateways gw0 .. gwN-1 with one suite; change `config` before drive_begin for more. */
struct txg_session_config drive_config(enum txg_dist dist, size_t gateways);
void drive_begin(struct drive *d, const struct txg_session_config *config);
void drive_release(struct drive *d);

/* What the session wanted since the last call, "; " between: "gw0 runtests 0+2", "gw0 shutdown",
 * "gw0 steal 1", "close gw0", "replace gw0 by gw2", "scheduling LoadScheduling 4", "start gw0 a",
 * "gw0 a passed" ("- a not run" where nobody ran it), "gw0 a failed, try 1", "down gw0", "collected
 * gw0 3", "warning gw0: text", "stopping: text", "finish 1". Borrowed until the next take. */
const char *drive_take(struct drive *d);
void expect(struct drive *d, const char *wanted); /* of drive_take; prints both */

void drive_message(struct drive *d, unsigned gateway, const struct txg_msg *msg);
void drive_ready(struct drive *d, unsigned gateway);
/* workerready, and a collection of these one-letter tests ("abc"), all of suite 0; behind d->file
 * ("t::") where there is one. */
void drive_collect(struct drive *d, unsigned gateway, const char *tests);
/* A collection with all its records, unasked. */
void drive_records(struct drive *d, unsigned gateway, const char *tests);
void drive_start(struct drive *d, unsigned gateway, int64_t index);
void drive_report(struct drive *d, unsigned gateway, int64_t index, enum txg_outcome outcome);
/* start and report passed */
void drive_pass(struct drive *d, unsigned gateway, int64_t index);
void drive_unscheduled(struct drive *d, unsigned gateway, int64_t first, int64_t count);
void drive_finished(struct drive *d, unsigned gateway); /* workerfinished, and down: ended */
void drive_down(struct drive *d, unsigned gateway, enum txg_node_down down);
void drive_host_down(struct drive *d, unsigned gateway, enum txg_node_down down); /* its words */
void drive_leaving(struct drive *d, unsigned gateway);
void drive_join(struct drive *d, const char *name);
void drive_interrupt(struct drive *d);
void drive_tick(struct drive *d, int64_t now);

#endif
