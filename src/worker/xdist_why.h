/*
 * Why a test failed, in the form that pytest's short summary, --tb=line and JUnit want: one line,
 * and the file and line where it was.
 */
#ifndef TXG_WORKER_XDIST_WHY_H
#define TXG_WORKER_XDIST_WHY_H

#include <stdbool.h>
#include <stdint.h>

#include "src/worker/xdist_events.h"

/* Appends one line: "exit status 1: device 192.168.1.2: no answer to ping" */
void txg_xdist_put_message(const struct txg_xdist_test *t, struct txg_buf *out);

/* Where it failed: what a point that did not pass says, or the output does. False: nothing says so,
 * and nothing is set. `file` is borrowed from the test. */
bool txg_xdist_place_of(const struct txg_xdist_test *t, struct txg_span *file, int64_t *line);

/* The first `file.ext:number` in a text: where an assertion failed. False: there is none. */
bool txg_xdist_find_place(struct txg_span text, struct txg_span *file, int64_t *line);

#endif
