/*
 * What an xdist worker says, as execnet's bytes: the worker's own messages in, DATA frames of
 * `(eventname, kwargs)` out. A test becomes what pytest makes of one: three reports (setup, call,
 * teardown) between logstart and logfinish.
 */
#ifndef TXG_WORKER_XDIST_EVENTS_H
#define TXG_WORKER_XDIST_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/wire/message.h"
#include "src/base/buf.h"
#include "src/base/strv.h"

struct txg_xdist_out {
    struct txg_buf *bytes; /* borrowed */
    int32_t channel;
    const char *workerid, *testrunuid; /* borrowed; UTF-8 */
    int64_t epoch; /* added to a monotonic time gives the time since 1970, microseconds */
};

struct txg_xdist_stream { /* what came as output{} */
    struct txg_buf head, tail;
    bool in_tail;
};

struct txg_xdist_test {
    int64_t index; /* xdist's */
    const char *nodeid;
    const struct txg_msg_testreport *report;
    const struct txg_xdist_stream *streams; /* stdout, stderr */
};

/* Our version in the form of sys.version_info, the tuple of five. */
void txg_xdist_put_version(struct txg_buf *out);

void txg_xdist_put_ready(struct txg_xdist_out *o, const struct txg_msg_workerready *ready);
void txg_xdist_put_collect_error(struct txg_xdist_out *o, struct txg_span nodeid,
                                 struct txg_span text);
/* -1: they are more than a frame can hold. */
int txg_xdist_put_collection(struct txg_xdist_out *o, const char *topdir, char *const *nodeids,
                             size_t n);
void txg_xdist_put_logstart(struct txg_xdist_out *o, const char *nodeid);
void txg_xdist_put_test(struct txg_xdist_out *o, const struct txg_xdist_test *test);
void txg_xdist_put_unscheduled(struct txg_xdist_out *o, const int64_t *indices, size_t n);
void txg_xdist_put_internal_error(struct txg_xdist_out *o, struct txg_span text);
/* `shouldfail` is NULL, or why the worker stopped before the end. */
void txg_xdist_put_finished(struct txg_xdist_out *o, int exitstatus, const char *shouldfail);

#endif
