/*
 * One xdist worker: the controller of our own worker process towards that, an execnet channel of
 * pytest-xdist towards execnet. What comes on either side is said on the other one.
 */
#ifndef TXG_WORKER_XDIST_NODE_H
#define TXG_WORKER_XDIST_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/wire/execnet.h"
#include "src/base/buf.h"

struct txg_xdist_node;

/* `out` is borrowed: where frames for execnet are appended, on `channel`. The descriptors are
 * execnet's, for the worker process to close. */
struct txg_xdist_node *txg_xdist_node_new(int32_t channel, struct txg_buf *out, int in_fd,
                                          int out_fd);

/* KILLs what still runs. */
void txg_xdist_node_free(struct txg_xdist_node *n);

/* What xdist sends on the channel: first (workerinput, args, options, sys.path), which starts the
 * worker process, then (command, kwargs). `size` is that of the payload it came in. */
void txg_xdist_node_take(struct txg_xdist_node *n, const struct txg_execnet_value *v, size_t size);

/* For poll: the socket to the worker process and what to wait for there, or -1; until when at
 * most. With `listen` false it is not to be read: execnet's side is behind. */
int txg_xdist_node_fd(struct txg_xdist_node *n, bool listen, short *events);
int64_t txg_xdist_node_deadline(const struct txg_xdist_node *n);

/* Reads, writes, pings; what poll said of the fd. */
void txg_xdist_node_serve(struct txg_xdist_node *n, bool readable, int64_t now);

#endif
