#include "config.h"

#include "src/cli/sink.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "src/base/buf.h"
#include "src/base/str.h"

struct txg_queue_sink {
    struct txg_sink base;
    int fd;
    uv_thread_t thread;
    uv_mutex_t mutex; /* guards what follows */
    uv_cond_t more;
    uv_cond_t less;
    struct txg_buf queue;
    bool closing, waits;
    uint64_t dropped;
    int errnum; /* of the first write that failed; all later bytes are thrown away */
};

static int write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EAGAIN) {
            /* somebody shares the terminal and made it non-blocking */
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
            continue;
        }
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

static void run_thread(void *arg)
{
    struct txg_queue_sink *s = arg;
    struct txg_buf mine = {0};
    uv_mutex_lock(&s->mutex);
    for (;;) {
        while (txg_buf_len(&s->queue) == 0 && !s->closing)
            uv_cond_wait(&s->more, &s->mutex);
        if (txg_buf_len(&s->queue) == 0)
            break;
        struct txg_buf swap = mine;
        mine = s->queue;
        s->queue = swap;
        int errnum = s->errnum;
        uv_cond_signal(&s->less);
        uv_mutex_unlock(&s->mutex);
        if (errnum == 0)
            errnum = write_all(s->fd, txg_buf_data(&mine), txg_buf_len(&mine));
        txg_buf_clear(&mine);
        uv_mutex_lock(&s->mutex);
        s->errnum = errnum;
    }
    uv_mutex_unlock(&s->mutex);
    txg_buf_release(&mine);
}

static void queue_write(struct txg_sink *sink, const void *data, size_t len)
{
    struct txg_queue_sink *s = (struct txg_queue_sink *)sink;
    uv_mutex_lock(&s->mutex);
    while (s->waits && txg_buf_len(&s->queue) && txg_buf_len(&s->queue) + len > TXG_SINK_MAX)
        uv_cond_wait(&s->less, &s->mutex);
    if (!s->waits && txg_buf_len(&s->queue) + len > TXG_SINK_MAX) {
        s->dropped += len;
    } else {
        txg_buf_append(&s->queue, data, len);
        uv_cond_signal(&s->more);
    }
    uv_mutex_unlock(&s->mutex);
}

struct txg_queue_sink *txg_queue_sink_new(int fd)
{
    struct txg_queue_sink *s = txg_xcalloc(1, sizeof *s);
    s->base.write = queue_write;
    s->fd = fd;
    uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = 64 * 1024};
    if (uv_mutex_init(&s->mutex) != 0 || uv_cond_init(&s->more) != 0 ||
        uv_cond_init(&s->less) != 0 ||
        uv_thread_create_ex(&s->thread, &options, run_thread, s) != 0)
        txg_oom();
    return s;
}

struct txg_sink *txg_queue_sink_get(struct txg_queue_sink *s)
{
    return &s->base;
}

void txg_queue_sink_wait(struct txg_queue_sink *s)
{
    uv_mutex_lock(&s->mutex);
    s->waits = true;
    uv_mutex_unlock(&s->mutex);
}

int txg_queue_sink_free(struct txg_queue_sink *s, struct txg_err *err)
{
    int rc = 0;
    uv_mutex_lock(&s->mutex);
    s->closing = true;
    uv_cond_signal(&s->more);
    uv_mutex_unlock(&s->mutex);
    uv_thread_join(&s->thread);
    if (s->errnum)
        rc = txg_err_sys(err, s->errnum, "write");
    else if (s->dropped)
        rc = txg_err_set(err, TXG_E_LIMIT,
                         "%llu bytes of output were dropped while nobody read them",
                         (unsigned long long)s->dropped);
    uv_cond_destroy(&s->more);
    uv_cond_destroy(&s->less);
    uv_mutex_destroy(&s->mutex);
    txg_buf_release(&s->queue);
    free(s);
    return rc;
}
