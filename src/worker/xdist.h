/*
 * Started by execnet in the place of a Python: an xdist worker (xdist_server.h) whose tests run in
 * a worker process below this one. There is no lease in this mode: EOF and TERMINATE end it.
 */
#ifndef TXG_WORKER_XDIST_H
#define TXG_WORKER_XDIST_H

/* Serves execnet on two file descriptors until its end. Returns the exit status. */
int txg_xdist_main(int in, int out);

#endif
