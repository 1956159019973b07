/*
 * Memory that a harness shares with its worker, where results stand that cost no system call:
 * docs/harness.md, section 6. What the harness writes there is checked like what comes by a pipe.
 * Zero-filled storage is none.
 */
#ifndef TXG_WORKER_RING_H
#define TXG_WORKER_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "src/base/buf.h"

struct txg_ring {
    struct txg_ring_memory *memory; /* mapped, or NULL */
    uint32_t taken; /* bytes, as the memory is told: what that says is not believed */
};

/* The descriptor for the harness, close-on-exec, to be closed by the caller; -1 where this system
 * has no such thing: it is done without. */
int txg_ring_make(struct txg_ring *r);
void txg_ring_release(struct txg_ring *r);

bool txg_ring_has(const struct txg_ring *r);

/* How far it has been filled. What is said by the pipe before something is put here has been
 * written there when the mark shows it: mark, read the pipe, take up to the mark, and all is in
 * order. */
uint32_t txg_ring_mark(const struct txg_ring *r);

/* Appends what is there up to the mark: whole lines. False: that can't be what a harness put there.
 */
bool txg_ring_take(struct txg_ring *r, uint32_t mark, struct txg_buf *out);

/* To be called before anything is waited for. True: nothing is there, and an empty line on the pipe
 * tells when something is. */
bool txg_ring_sleep(struct txg_ring *r);

#endif
