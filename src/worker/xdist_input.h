/*
 * The first thing that xdist sends a worker: (workerinput, args, options, sys.path).
 */
#ifndef TXG_WORKER_XDIST_INPUT_H
#define TXG_WORKER_XDIST_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "gateway/wire/execnet.h"
#include "src/base/err.h"
#include "src/base/strv.h"
#include "src/base/value.h"

struct txg_xdist_input { /* zero-filled storage is empty; all owned */
    char *workerid, *testrunuid;
    int64_t workercount;
    struct txg_value input; /* what others than xdist put into workerinput; TXG_DICT */
    struct txg_strv args;
};

/* `size`: of the payload it came in. -1: it is not of that form, or too much for our own wire. */
int txg_xdist_input_read(struct txg_xdist_input *in, const struct txg_execnet_value *v, size_t size,
                         struct txg_err *err);
void txg_xdist_input_release(struct txg_xdist_input *in);

#endif
