/*
 * One xdist worker: the controller of a worker of ours towards that, an execnet channel of
 * pytest-xdist towards execnet. What comes on either side is said on the other one. Where our
 * worker is, and how it is reached, its owner knows.
 */
#ifndef TXG_WORKER_XDIST_NODE_H
#define TXG_WORKER_XDIST_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/wire/execnet.h"
#include "gateway/wire/message.h"
#include "src/base/buf.h"
#include "src/base/strv.h"

struct txg_xdist_ops {
    /* Starts the worker and tells it workerinput, suites and collect, with records. `paths` are
     * pytest's arguments; there are none where `wrong` was set or the owner has tests of its own.
     */
    int (*open)(void *user, const struct txg_msg_workerinput *input, const struct txg_strv *paths,
                struct txg_err *err);
    void (*send)(void *user, const struct txg_msg *msg);
    void (*kill)(void *user);
    bool has_tests; /* without any named on the command line */
    /* The process that is asked is where the tests run: chdir, nice, env and files are for it. */
    bool is_host;
};

struct txg_xdist_node;

/* `out` is borrowed: where frames for execnet are appended, on `channel`. */
struct txg_xdist_node *txg_xdist_node_new(int32_t channel, struct txg_buf *out,
                                          const struct txg_xdist_ops *ops, void *user);
void txg_xdist_node_free(struct txg_xdist_node *n);

/* What xdist sends on the channel: first (workerinput, args, options, sys.path), which opens the
 * worker, then (command, kwargs). `size` is that of the payload it came in. */
void txg_xdist_node_take(struct txg_xdist_node *n, const struct txg_execnet_value *v, size_t size);

/* What the worker says. */
void txg_xdist_node_message(struct txg_xdist_node *n, const struct txg_msg *msg);

/* The worker is gone: `text` says how. Nothing happens where it had said all. xdist replaces it and
 * blames the test that ran. */
void txg_xdist_node_down(struct txg_xdist_node *n, const char *text);

/* It can't go on, and another one could not either: xdist would start crashed workers again without
 * end, and stops at this. */
void txg_xdist_node_give_up(struct txg_xdist_node *n, const char *text);

#endif
