/*
 * The indices that a worker was dealt and has not started, in the order they came. What is stolen
 * back leaves a hole.
 */
#ifndef TXG_WORKER_QUEUE_H
#define TXG_WORKER_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/wire/message.h"

struct txg_queue {
    int64_t *items; /* -1: stolen */
    size_t head, tail, cap;
};

void txg_queue_push(struct txg_queue *q, int64_t index);
bool txg_queue_pop(struct txg_queue *q, int64_t *index);

/* The next one, which stays. */
bool txg_queue_peek(struct txg_queue *q, int64_t *index);

/* Puts back in front what was popped and not started. */
void txg_queue_unpop(struct txg_queue *q, const int64_t *indices, size_t n);

/* Takes back every listed index that waits here; appends what was taken to `taken` (a growing
 * array of ranges, n and cap beside it). */
void txg_queue_steal(struct txg_queue *q, const struct txg_msg_indices *wanted,
                     struct txg_msg_range **taken, size_t *n, size_t *cap);
void txg_queue_release(struct txg_queue *q);

#endif
