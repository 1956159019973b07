#include "config.h"

#include "src/report/stash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "src/base/str.h"

#define PIECE 65536

int txg_temp_file(void)
{
    const char *dir = getenv("TMPDIR");
    if (!dir || dir[0] != '/')
        dir = "/tmp";
#ifdef O_TMPFILE
    int unnamed = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (unnamed >= 0)
        return unnamed;
#endif
    /* Not every file system knows O_TMPFILE. */
    TXG_AUTOFREE char *name = txg_xasprintf("%s/txgate-XXXXXX", dir);
    int fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0)
        unlink(name);
    return fd;
}

int txg_write_all(int fd, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

int txg_pwrite_all(int fd, const void *data, size_t len, uint64_t at)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        p += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

int txg_pread_all(int fd, void *data, size_t len, uint64_t at)
{
    char *p = data;
    while (len > 0) {
        ssize_t n = pread(fd, p, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = ENODATA;
        if (n <= 0)
            return -1;
        p += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

void txg_stash_release(struct txg_stash *s)
{
    if (s->spilled)
        close(s->fd);
    txg_buf_release(&s->mem);
    *s = (struct txg_stash){0};
}

static void spill(struct txg_stash *s)
{
    if (!s->spilled && !s->errnum) {
        s->fd = txg_temp_file();
        s->spilled = s->fd >= 0;
    }
    size_t len = txg_buf_len(&s->mem);
    if (!s->errnum && s->spilled &&
        txg_pwrite_all(s->fd, txg_buf_data(&s->mem), len, s->in_file) == 0)
        s->in_file += len;
    else if (!s->errnum)
        s->errnum = errno;
    txg_buf_clear(&s->mem);
}

void txg_stash_append(struct txg_stash *s, const void *data, size_t len)
{
    txg_buf_append(&s->mem, data, len);
    if (txg_buf_len(&s->mem) >= PIECE)
        spill(s);
}

bool txg_stash_is_empty(const struct txg_stash *s)
{
    return s->in_file == 0 && txg_buf_len(&s->mem) == 0 && !s->errnum;
}

void txg_stash_read(struct txg_stash *s, void (*piece)(void *user, const void *data, size_t len),
                    void *user)
{
    TXG_AUTOFREE char *buffer = s->in_file ? txg_xmalloc(PIECE) : NULL;
    for (uint64_t at = 0; at < s->in_file;) {
        size_t n = s->in_file - at < PIECE ? (size_t)(s->in_file - at) : PIECE;
        if (txg_pread_all(s->fd, buffer, n, at) != 0) {
            s->errnum = errno;
            break;
        }
        piece(user, buffer, n);
        at += n;
    }
    if (txg_buf_len(&s->mem))
        piece(user, txg_buf_data(&s->mem), txg_buf_len(&s->mem));
}
