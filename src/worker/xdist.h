/*
 * Started by execnet in the place of a Python: bootstrap line, channels, and on one of them an
 * xdist worker (xdist_node.h). There is no lease in this mode: EOF and TERMINATE end it.
 */
#ifndef TXG_WORKER_XDIST_H
#define TXG_WORKER_XDIST_H

#include <stdbool.h>

/* These are the arguments that execnet starts a Python with: [-u] [-B] -c "import sys;exec(eval(
 * sys.stdin.readline()))", and nothing else. */
bool txg_xdist_is_start(int argc, char *const *argv);

/* Serves execnet on two file descriptors until its end. Returns the exit status. */
int txg_xdist_main(int in, int out);

#endif
