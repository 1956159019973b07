/*
 * One test process: started by vfork in a session of its own with stdin /dev/null, its two pipes
 * drained into head and tail, its end and all it left behind accounted for. Owned by one worker,
 * one at a time.
 */
#ifndef TXG_WORKER_CHILD_H
#define TXG_WORKER_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "src/base/buf.h"
#include "src/base/err.h"

#define TXG_CAPTURE_HEAD (1u << 20) /* bytes kept from the front of a stream */
#define TXG_CAPTURE_TAIL (1u << 20) /* and from its end */

/* One stream of a test: head, then a ring with the newest bytes. Memory grows with what comes. */
struct txg_capture {
    struct txg_buf head;
    char *ring; /* owned, TXG_CAPTURE_TAIL bytes once the head is full */
    uint64_t total;
};

void txg_capture_feed(struct txg_capture *c, const void *data, size_t len);
void txg_capture_release(struct txg_capture *c);
void txg_capture_clear(struct txg_capture *c); /* keeps small memory for the next test */

/* Bytes between head and tail that were not kept. */
uint64_t txg_capture_dropped(const struct txg_capture *c);

/* The tail in order, as up to two pieces (the ring may wrap). Returns how many. */
struct txg_span;
int txg_capture_tail(const struct txg_capture *c, struct txg_span out[2]);

#endif
