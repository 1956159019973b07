/*
 * The program's side of the ring of docs/harness.md, section 6. Inner.
 */
#ifndef TXG_HARNESS_LINES_RING_H
#define TXG_HARNESS_LINES_RING_H

#include <stdbool.h>
#include <stddef.h>

struct txg_lines_ring {
    struct txg_lines_memory *memory; /* mapped; NULL: there is none */
    unsigned put;                    /* bytes */
};

/* What stands behind the descriptor; NULL where it can't be had. */
struct txg_lines_memory *txg_lines_ring_map(int fd);
void txg_lines_ring_unmap(struct txg_lines_ring *r);

/* Puts whole lines, 64 KiB at most, and waits until there is room. True: the worker sleeps, and is
 * to be woken. */
bool txg_lines_ring_put(struct txg_lines_ring *r, const char *lines, size_t len);

/* Waits until the worker has taken all. */
void txg_lines_ring_settle(const struct txg_lines_ring *r);

#endif
