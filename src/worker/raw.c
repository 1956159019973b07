#include "config.h"

#include "src/worker/raw.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_ROUNDS 4

void txg_raw_release(struct txg_raw *r)
{
    txg_buf_release(&r->unread);
}

int txg_raw_take(struct txg_raw *r, struct txg_span bytes)
{
    if (bytes.len == 0)
        r->ended = true;
    if (bytes.len > TXG_RAW_UNREAD_MAX - txg_buf_len(&r->unread))
        return -1;
    txg_buf_append(&r->unread, bytes.data, bytes.len);
    return 0;
}

void txg_raw_flush(struct txg_raw *r, int fd)
{
    while (txg_buf_len(&r->unread) > 0) {
        ssize_t n = write(fd, txg_buf_data(&r->unread), txg_buf_len(&r->unread));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) /* it reads no more, which is its own affair */
            txg_buf_clear(&r->unread);
        else
            txg_buf_consume(&r->unread, (size_t)n);
    }
    if (r->ended)
        shutdown(fd, SHUT_WR);
}

int txg_raw_read(int fd, struct txg_mux *link, uint32_t channel)
{
    static char buffer[TXG_FRAME_BULK];
    int came = 0;
    for (int round = 0; round < READ_ROUNDS; round++) {
        ssize_t n = read(fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return came;
        if (n <= 0)
            return -1;
        struct txg_frame frame = {channel, txg_span(buffer, (size_t)n)};
        txg_mux_relay(link, &frame);
        came += (int)n;
        if ((size_t)n < sizeof buffer)
            return came;
    }
    return came;
}
