#include "config.h"

#include "src/cli/pipes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/str.h"

#define UNREAD_MAX (256u << 20) /* bytes that wait for whoever reads stdout */

struct write {
    uv_write_t request;
    char *bytes; /* owned */
};

static void free_write(struct write *w)
{
    free(w->bytes);
    free(w);
}

static void on_written(uv_write_t *request, int status)
{
    struct txg_pipes *p = request->handle->data;
    free_write((struct write *)request);
    if (status < 0 && !p->stopped)
        p->on_broken(p->user);
}

void txg_pipes_write(struct txg_pipes *p, const void *data, size_t len)
{
    if (p->stopped || len == 0)
        return;
    struct write *w = txg_xcalloc(1, sizeof *w);
    w->bytes = txg_xmalloc(len);
    memcpy(w->bytes, data, len);
    uv_buf_t buf = uv_buf_init(w->bytes, (unsigned)len);
    if (uv_write(&w->request, (uv_stream_t *)&p->out, &buf, 1, on_written) != 0) {
        free_write(w);
        p->on_broken(p->user);
    } else if (uv_stream_get_write_queue_size((uv_stream_t *)&p->out) > UNREAD_MAX) {
        fprintf(stderr, "txgate connect: %s: nobody reads what it writes\n", p->about);
        p->on_broken(p->user);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct txg_pipes *p = handle->data;
    (void)suggested;
    *buf = uv_buf_init(p->buffer, sizeof p->buffer);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct txg_pipes *p = stream->data;
    if (n < 0)
        uv_read_stop(stream);
    if (n != 0)
        p->on_read(p->user, buf->base, n);
}

/* libuv takes any descriptor, and aborts once it waits for a file or /dev/null. */
static int open_one(uv_pipe_t *pipe, int fd, const char *name)
{
    struct stat st;
    bool is_pipe = fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
    int rc = is_pipe ? uv_pipe_open(pipe, fd) : UV_EINVAL;
    if (rc != 0)
        fprintf(stderr,
                "txgate connect: expected a pipe as %s%s%s; pytest-xdist starts this command with "
                "pipes, --help shows how\n",
                name, is_pipe ? ": " : "", is_pipe ? uv_strerror(rc) : "");
    return rc;
}

int txg_pipes_open(struct txg_pipes *p, uv_loop_t *loop)
{
    uv_pipe_init(loop, &p->in, 0);
    uv_pipe_init(loop, &p->out, 0);
    p->in.data = p->out.data = p;
    int rc = open_one(&p->in, STDIN_FILENO, "stdin");
    if (rc == 0)
        rc = open_one(&p->out, STDOUT_FILENO, "stdout");
    if (rc == 0)
        rc = uv_read_start((uv_stream_t *)&p->in, on_alloc, on_read);
    return rc;
}

void txg_pipes_pause(struct txg_pipes *p)
{
    uv_read_stop((uv_stream_t *)&p->in);
}

void txg_pipes_resume(struct txg_pipes *p)
{
    uv_read_start((uv_stream_t *)&p->in, on_alloc, on_read);
}

void txg_pipes_stop(struct txg_pipes *p)
{
    p->stopped = true;
    uv_close((uv_handle_t *)&p->in, NULL);
}

void txg_pipes_close(struct txg_pipes *p)
{
    uv_close((uv_handle_t *)&p->out, NULL);
}
