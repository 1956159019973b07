/*
 * What a worker says of its collection and of its tests: from its own structs to messages on its
 * channel, docs/protocol.md sections 3 and 5.
 */
#ifndef TXG_WORKER_REPORTING_H
#define TXG_WORKER_REPORTING_H

#include "gateway/wire/mux.h"
#include "src/worker/child.h"
#include "src/worker/collect.h"
#include "src/worker/harness.h"

/* The start of a test, and the tests in front of it that passed and say nothing else, are held
 * until flush: those that came and went in one turn of the loop are told of in one message. */
struct txg_reporting {
    struct txg_mux *mux; /* borrowed */
    uint32_t channel;
    int64_t not_shown[2]; /* bytes of stdout and stderr that were not sent live, since the last that
                             were */
    int64_t seq;          /* of the last message that changed a test's state */
    struct txg_msg_passed_test *passed;
    size_t n_passed, cap_passed;
    int64_t passed_from, passed_until;
    bool starts; /* a logstart is held: of this test */
    int64_t start_index, start_time;
};

/* Hands all that is held to the mux. To be called before every write, and before anything starts
 * that could end this process. */
void txg_reporting_flush(struct txg_reporting *r);
void txg_reporting_release(struct txg_reporting *r);

/* On the worker's channel, behind what is held. */
void txg_reporting_send(struct txg_reporting *r, const struct txg_msg *msg);

/* Something is wrong that no test is to blame for: the controller ends the run with status 3. */
void txg_reporting_internal_error(struct txg_reporting *r, const char *text);

/* What could not be collected. */
void txg_reporting_collect_errors(struct txg_reporting *r, const struct txg_collection *c);

/* A file with which something is wrong that no test can be blamed for: the run fails. */
void txg_reporting_collect_error(struct txg_reporting *r, struct txg_span nodeid,
                                 struct txg_span text);

/* A line for the user, in the run's summary of warnings. */
void txg_reporting_warning(struct txg_reporting *r, struct txg_span text);

/* Count and digest, with the records in front of them where they are wanted. */
void txg_reporting_collection(struct txg_reporting *r, const struct txg_collection *c,
                              bool records);

/* What `steal` asked for and had not started. */
void txg_reporting_unscheduled(struct txg_reporting *r, struct txg_msg_range *ranges, size_t n);

void txg_reporting_logstart(struct txg_reporting *r, int64_t index, int64_t time);

/* What the test has just written to stream 0 or 1, if the link is not behind. */
void txg_reporting_live(struct txg_reporting *r, int64_t index, int stream, struct txg_span bytes);

struct txg_reporting_test {
    int64_t index;
    int64_t started, ended; /* microseconds of txg_now */
    bool keep_output;       /* also of a test that passed */
    bool shared;            /* its process ran or runs others too: its usage is not this test's */
    const struct txg_child *child;
    const struct txg_verdict *verdict;
};

/* The output where it is wanted, then the report. */
void txg_reporting_test(struct txg_reporting *r, const struct txg_reporting_test *test);

#endif
