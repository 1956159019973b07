/*
 * The program's side of the ring of docs/harness.md, section 6. Inner.
 */
#ifndef TXG_HARNESS_LINES_RING_H
#define TXG_HARNESS_LINES_RING_H

#include <stdbool.h>
#include <stddef.h>

struct txg_lines_ring {              /* zero-filled: there is none */
    struct txg_lines_memory *memory; /* mapped, or NULL */
    unsigned put;                    /* bytes */
    int pipe;                        /* borrowed: whose reader the worker is */
    const char *here;                /* mapped; 0 in a process that was forked from this one */
};

/* Maps what stands behind `fd`. False: it can't be had here, and there is none. */
bool txg_lines_ring_open(struct txg_lines_ring *r, int fd, int pipe);
void txg_lines_ring_release(struct txg_lines_ring *r);

/* A child that a test forked has no part in it, though it shares the memory. */
bool txg_lines_ring_is_ours(const struct txg_lines_ring *r);

/* Puts whole lines, 64 KiB at most, and waits until there is room. True: the worker sleeps, and is
 * to be woken. Ends the process where the pipe is closed. */
bool txg_lines_ring_put(struct txg_lines_ring *r, const char *lines, size_t len);

/* Waits until the worker has taken all. */
void txg_lines_ring_settle(const struct txg_lines_ring *r);

#endif
