/*
 * The writing side of a transport whose carrier is a stream of libuv: takes what goes now, copies a
 * little more, and tells when there is room again. What can't be sent any more is taken and
 * dropped: a broken stream is told by its read side.
 */
#ifndef TXG_GATEWAY_WRITER_H
#define TXG_GATEWAY_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "src/base/buf.h"

#define TXG_WRITER_COPY 65536 /* bytes of a write that the kernel did not take at once */

/* Zero-filled but for the first three. Lives until the stream's close callback. */
struct txg_writer {
    uv_stream_t *stream;         /* borrowed, open while txg_writer_write is called */
    void (*on_room)(void *user); /* after a write that took less than it was given */
    void *user;
    uv_write_t write;
    struct txg_buf unsent;
    bool writing, wants_room;
};

/* As txg_transport_ops.write. */
size_t txg_writer_write(struct txg_writer *w, const void *data, size_t len);
void txg_writer_release(struct txg_writer *w);

#endif
