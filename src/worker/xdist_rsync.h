/*
 * The receiving end of execnet's rsync: xdist copies folders to a host before it starts a worker
 * there. The protocol is that of execnet's rsync_remote.py: a folder's structure depth first,
 * requests for the files that are wanted, their bytes, links.
 *
 * pytest's own packages are declined: nothing here could import them. Nothing is written but below
 * the folder that was named, in the working directory.
 */
#ifndef TXG_WORKER_XDIST_RSYNC_H
#define TXG_WORKER_XDIST_RSYNC_H

#include <stdint.h>

#include "gateway/wire/execnet.h"
#include "src/base/buf.h"
#include "src/base/err.h"

struct txg_xdist_rsync;

/* `out` is borrowed: where answers are appended, on `channel`. */
struct txg_xdist_rsync *txg_xdist_rsync_new(int32_t channel, struct txg_buf *out);
void txg_xdist_rsync_free(struct txg_xdist_rsync *r);

/* What comes on the channel. 1: all is done; 0: more is to come; -1: it can't go on. */
int txg_xdist_rsync_take(struct txg_xdist_rsync *r, const struct txg_execnet_value *v,
                         struct txg_err *err);

#endif
