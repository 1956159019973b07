/*
 * What the processes of a test do that does not end: for the report, before it is killed.
 */
#ifndef TXG_WORKER_HUNG_H
#define TXG_WORKER_HUNG_H

#include <sys/types.h>

#include "src/base/buf.h"

/* A line for each process of the session, with state, wait channel and system call, and its kernel
 * stack behind it: as far as /proc tells, for at most 24 of them, 1 KiB of each file. */
void txg_hung_describe(pid_t session, struct txg_buf *out);

#endif
