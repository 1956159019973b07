/*
 * A raw channel: a program's stdin and stdout, a socket to it, as frames of bytes. An empty frame
 * is the end of its stdin.
 */
#ifndef TXG_WORKER_RAW_H
#define TXG_WORKER_RAW_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/wire/mux.h"

#define TXG_RAW_UNREAD_MAX (64u << 20) /* bytes that wait for a program that does not read */

struct txg_raw {           /* zero-filled storage is one that has begun */
    struct txg_buf unread; /* for its stdin */
    bool ended;            /* nothing follows */
};

void txg_raw_release(struct txg_raw *r);

/* A frame for it. -1: more waits than may. */
int txg_raw_take(struct txg_raw *r, struct txg_span bytes);

/* Writes what the socket takes. */
void txg_raw_flush(struct txg_raw *r, int fd);

/* Reads what is there, at most 256 KiB, into frames on the link. The bytes that came; 0: none;
 * -1: the end. */
int txg_raw_read(int fd, struct txg_mux *link, uint32_t channel);

#endif
