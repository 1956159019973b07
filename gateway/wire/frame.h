/*
 * Frames, docs/protocol.md section 1: u32 payload length, u32 channel, both big-endian, then the
 * payload. Bytes in, frames out: no fd, no clock.
 */
#ifndef TXG_WIRE_FRAME_H
#define TXG_WIRE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "src/base/buf.h"
#include "src/base/err.h"
#include "src/base/str.h"

#define TXG_FRAME_HEADER      8
#define TXG_FRAME_PAYLOAD_MAX (1u << 20) /* control frames; senders keep bulk at TXG_FRAME_BULK */
#define TXG_FRAME_BULK        (1u << 16) /* output, raw bytes, blobs */

struct txg_frame {
    uint32_t channel;
    struct txg_span payload; /* borrowed from the reader */
};

/* What came in and is not yet consumed. Zero-filled storage is a new reader. */
struct txg_frame_reader {
    struct txg_buf in;
};

void txg_frame_reader_release(struct txg_frame_reader *r);
void txg_frame_reader_feed(struct txg_frame_reader *r, const void *data, size_t len);

/* 1: *out is the next frame, good until the next feed. 0: more bytes are needed. -1: the header
 * says more than TXG_FRAME_PAYLOAD_MAX; the stream is lost. */
int txg_frame_reader_next(struct txg_frame_reader *r, struct txg_frame *out, struct txg_err *err);

/* After next returned 0: bytes of a frame that has begun but is not whole. For "the link ended in
 * the middle of a frame". */
size_t txg_frame_reader_partial(const struct txg_frame_reader *r);

/* Appends header and payload. The payload is at most TXG_FRAME_PAYLOAD_MAX (asserted: ours). */
void txg_frame_write(struct txg_buf *out, uint32_t channel, const void *payload, size_t len);

/* The same in two steps, for a payload that is appended in place: begin, append, end(begin's
 * result). Nothing is consumed from `out` in between. */
size_t txg_frame_begin(struct txg_buf *out, uint32_t channel);
void txg_frame_end(struct txg_buf *out, size_t mark);

/* Header and payload together, from the TXG_FRAME_HEADER bytes of a header. */
size_t txg_frame_size(const char *header);

#endif
