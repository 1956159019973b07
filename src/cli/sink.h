/*
 * A sink whose writes never block the loop: bytes go into a bounded queue that a thread of its own
 * writes out, so a stuck terminal (Ctrl-S, a pager) never delays a lease.
 */
#ifndef TXG_CLI_SINK_H
#define TXG_CLI_SINK_H

#include <stdint.h>

#include "src/base/err.h"
#include "src/report/reporter.h"

#define TXG_SINK_MAX (16u << 20) /* bytes queued; what comes on top while tests run is dropped */

struct txg_queue_sink;

/* The fd is borrowed. Threads that can't be started abort, as memory does. */
struct txg_queue_sink *txg_queue_sink_new(int fd);
struct txg_sink *txg_queue_sink_get(struct txg_queue_sink *s);

/* Nothing runs any more that a wait could delay: from here on a full queue is waited for. */
void txg_queue_sink_wait(struct txg_queue_sink *s);

/* Waits until all is written (a reader that stands still is waited for, as any program does) and
 * frees. -1: something was dropped or could not be written. */
int txg_queue_sink_free(struct txg_queue_sink *s, struct txg_err *err);

#endif
