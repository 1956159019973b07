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

/* 1: *out is the next frame, good until the next call on this reader. 0: more bytes are needed.
 * -1: the header says more than TXG_FRAME_PAYLOAD_MAX; the stream is lost. */
int txg_frame_reader_next(struct txg_frame_reader *r, struct txg_frame *out, struct txg_err *err);

/* Bytes of a frame that has begun but is not whole; 0 between frames. For "the link ended in the
 * middle of a frame". */
size_t txg_frame_reader_partial(const struct txg_frame_reader *r);

/* Appends header and payload. The payload is at most TXG_FRAME_PAYLOAD_MAX (asserted: ours). */
void txg_frame_write(struct txg_buf *out, uint32_t channel, const void *payload, size_t len);

#endif
