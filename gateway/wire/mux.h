/*
 * One end of a link: bytes in, whole frames out; frames in, bytes out in the order of their
 * urgency. Sans-I/O: whoever owns the fd calls feed after read and pending/sent around write.
 *
 * Channel 0 goes before all other channels, but never into the middle of a frame whose front was
 * already written. Apart from that the order is that of the calls: on one channel nothing is ever
 * overtaken (docs/protocol.md section 2).
 */
#ifndef TXG_WIRE_MUX_H
#define TXG_WIRE_MUX_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/wire/frame.h"
#include "gateway/wire/message.h"

struct txg_mux {
    struct txg_frame_reader reader;
    struct txg_buf control; /* channel 0 */
    struct txg_buf stream;  /* every other channel */
    size_t started;         /* bytes left of a frame whose front was already written */
    bool started_control;   /* which queue it stands in */
};

/* Zero-filled storage is a new mux. */
void txg_mux_release(struct txg_mux *m);

/* 1: the next frame, borrowed until the next feed; 0: none; -1: the stream is lost. */
void txg_mux_feed(struct txg_mux *m, const void *data, size_t len);
int txg_mux_next(struct txg_mux *m, struct txg_frame *out, struct txg_err *err);

/* Queues a message, or a frame that is relayed as it came. */
void txg_mux_send(struct txg_mux *m, uint32_t channel, const struct txg_msg *msg);
/* The same, but behind all that is queued already: `exited` on channel 0 is the last word on its
 * worker's channel. */
void txg_mux_send_behind(struct txg_mux *m, uint32_t channel, const struct txg_msg *msg);
void txg_mux_relay(struct txg_mux *m, const struct txg_frame *frame);

/* The bytes to write next (empty when nothing waits), and how many of them were written. They are
 * borrowed until the next send, relay or sent; no send or relay may come between the two calls. */
struct txg_span txg_mux_pending(const struct txg_mux *m);
void txg_mux_sent(struct txg_mux *m, size_t len);

/* Bytes queued and not yet written: the agent stops reading its workers above 1 MiB. */
size_t txg_mux_unsent(const struct txg_mux *m);

#endif
