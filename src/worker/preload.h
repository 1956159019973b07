/*
 * The library that programs of the harness cunit load in front of libcunit: a file beside the
 * worker's program, or where the worker was taken to its host, a file that came with the test
 * files.
 */
#ifndef TXG_WORKER_PRELOAD_H
#define TXG_WORKER_PRELOAD_H

#include "src/base/err.h"

#define TXG_PRELOAD_NAME   "txgate-preload.so"  /* beside txgate-worker */
#define TXG_PRELOAD_SYNCED "." TXG_PRELOAD_NAME /* in the worker's directory */

/* Open for reading, looked for once; -1: it is nowhere. */
int txg_preload_fd(void);

/* The path by which children find it, for as long as this process lives and whatever the names of
 * folders hold: ld.so takes blanks and colons for the end of a name. Borrowed. NULL: err says why
 * it can't be had. */
const char *txg_preload_path(struct txg_err *err);

#endif
