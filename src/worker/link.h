/*
 * A mux on non-blocking file descriptors: the worker side's only reader and writer of a link.
 */
#ifndef TXG_WORKER_LINK_H
#define TXG_WORKER_LINK_H

#include <stdbool.h>

#include "gateway/wire/mux.h"

struct txg_link {
    int in, out; /* the same for a socket; -1 once closed */
    struct txg_mux mux;
};

void txg_link_init(struct txg_link *l, int in, int out);
void txg_link_close(struct txg_link *l);

/* Reads what is there, at most 256 KiB. The bytes that came; 0: none; -1: the link is at its end
 * (what had come is in the mux). */
int txg_link_read(struct txg_link *l);

/* Writes as much as the kernel takes. -1: nobody reads any more. */
int txg_link_flush(struct txg_link *l);

static inline bool txg_link_has_unsent(const struct txg_link *l)
{
    return txg_mux_unsent(&l->mux) > 0;
}

#endif
