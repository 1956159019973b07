#include "config.h"

#include "src/worker/link.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define READ_SIZE   (64u * 1024)
#define READ_ROUNDS 4

void txg_link_init(struct txg_link *l, int in, int out)
{
    *l = (struct txg_link){.in = in, .out = out};
    fcntl(in, F_SETFL, fcntl(in, F_GETFL) | O_NONBLOCK);
    if (out != in)
        fcntl(out, F_SETFL, fcntl(out, F_GETFL) | O_NONBLOCK);
}

void txg_link_close(struct txg_link *l)
{
    if (l->out >= 0 && l->out != l->in)
        close(l->out);
    if (l->in >= 0)
        close(l->in);
    l->in = l->out = -1;
    txg_mux_release(&l->mux);
}

int txg_link_read(struct txg_link *l)
{
    static char buffer[READ_SIZE];
    int came = 0;
    for (int round = 0; round < READ_ROUNDS; round++) {
        ssize_t n = read(l->in, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return came;
        if (n <= 0)
            return -1;
        txg_mux_feed(&l->mux, buffer, (size_t)n);
        came += (int)n;
        if ((size_t)n < sizeof buffer)
            return came;
    }
    return came;
}

int txg_link_flush(struct txg_link *l)
{
    for (;;) {
        struct txg_span bytes = txg_mux_pending(&l->mux);
        if (bytes.len == 0)
            return 0;
        ssize_t n = write(l->out, bytes.data, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n < 0)
            return -1;
        txg_mux_sent(&l->mux, (size_t)n);
    }
}
