#include "config.h"

#include "gateway/writer.h"

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    struct txg_writer *w = write->data;
    w->writing = false;
    txg_buf_clear(&w->unsent);
    if (w->wants_room) {
        w->wants_room = false;
        w->on_room(w->user);
    }
}

size_t txg_writer_write(struct txg_writer *w, const void *data, size_t len)
{
    if (w->writing) {
        w->wants_room = true;
        return 0;
    }
    uv_buf_t whole = uv_buf_init((char *)data, (unsigned)(len > INT32_MAX ? INT32_MAX : len));
    int rc = uv_try_write(w->stream, &whole, 1);
    if (rc < 0 && rc != UV_EAGAIN)
        return len;
    size_t done = rc > 0 ? (size_t)rc : 0;
    if (done == len)
        return len;
    size_t part = len - done < TXG_WRITER_COPY ? len - done : TXG_WRITER_COPY;
    txg_buf_append(&w->unsent, (const char *)data + done, part);
    uv_buf_t rest = uv_buf_init((char *)txg_buf_data(&w->unsent), (unsigned)part);
    w->write.data = w;
    w->writing = uv_write(&w->write, w->stream, &rest, 1, on_written) == 0;
    w->wants_room = w->writing && done + part < len;
    return w->writing ? done + part : len;
}

void txg_writer_release(struct txg_writer *w)
{
    txg_buf_release(&w->unsent);
}
