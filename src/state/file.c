#include "config.h"

#include "src/state/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "src/base/clock.h"
#include "src/base/str.h"
#include "src/state/state.h"

#define FOLDER ".txgate"
#define NAME   FOLDER "/state"
#define PAUSE  20 /* milliseconds between two tries for the lock */

static int write_whole(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int read_whole(int fd, size_t size, struct txg_buf *out)
{
    txg_buf_reserve(out, size + 65536);
    for (;;) {
        char *room = txg_buf_reserve(out, 65536);
        ssize_t n = read(fd, room, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n > 0)
            txg_buf_commit(out, (size_t)n);
        if (n > 0 && txg_buf_len(out) > TXG_STATE_BYTES) /* it grows while it is read */
            errno = EFBIG;
        if (n <= 0 || txg_buf_len(out) > TXG_STATE_BYTES)
            return n == 0 ? 0 : -1;
    }
}

static struct txg_state_version version_of(const struct stat *st)
{
    return (struct txg_state_version){true,        st->st_dev,         st->st_ino,
                                      st->st_size, st->st_mtim.tv_sec, st->st_mtim.tv_nsec};
}

bool txg_state_file_is(const char *dir, const struct txg_state_version *version)
{
    TXG_AUTOFREE char *path = txg_xasprintf("%s/" NAME, dir);
    struct stat st;
    if (lstat(path, &st) != 0)
        return !version->is_there && (errno == ENOENT || errno == ENOTDIR);
    struct txg_state_version now = version_of(&st);
    return version->is_there && now.device == version->device && now.inode == version->inode &&
           now.size == version->size && now.seconds == version->seconds &&
           now.nanoseconds == version->nanoseconds;
}

int txg_state_file_read(const char *dir, struct txg_buf *out, struct txg_state_version *version,
                        struct txg_err *err)
{
    *version = (struct txg_state_version){0};
    TXG_AUTOFREE char *path = txg_xasprintf("%s/" NAME, dir);
    /* without O_NONBLOCK a FIFO in its place would hold us here */
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return 1;
    if (fd < 0)
        return txg_err_sys(err, errno, "%s", path);
    struct stat st;
    int rc = -1;
    if (fstat(fd, &st) != 0)
        txg_err_sys(err, errno, "%s", path);
    else if (!S_ISREG(st.st_mode))
        txg_err_set(err, TXG_E_LIMIT, "%s: is no plain file", path);
    else if (st.st_size > TXG_STATE_BYTES)
        txg_err_set(err, TXG_E_LIMIT, "%s: is larger than %d MiB", path, TXG_STATE_BYTES >> 20);
    else if (read_whole(fd, (size_t)st.st_size, out) != 0)
        txg_err_sys(err, errno, "%s", path);
    else
        rc = 0;
    close(fd);
    if (rc == 0)
        *version = version_of(&st);
    return rc;
}

/* Who keeps the project's files under version control does not want this one there. */
static void keep_out_of_git(const char *folder)
{
    TXG_AUTOFREE char *path = txg_xasprintf("%s/.gitignore", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return;
    write_whole(fd, "*\n", 2);
    close(fd);
}

int txg_state_file_lock(const char *dir, struct txg_err *err)
{
    TXG_AUTOFREE char *folder = txg_xasprintf("%s/" FOLDER, dir);
    if (mkdir(folder, 0777) == 0)
        keep_out_of_git(folder);
    else if (errno != EEXIST)
        return txg_err_sys(err, errno, "%s", folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
        return txg_err_set(err, TXG_E_LIMIT,
                           "%s: is a link or a file, and is to be a folder of its own", folder);
    if (fd < 0)
        return txg_err_sys(err, errno, "%s", folder);
    int64_t end = txg_now() + TXG_STATE_PATIENCE;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int errnum = errno;
        if ((errnum != EWOULDBLOCK && errnum != EINTR) || txg_now() >= end) {
            close(fd);
            return txg_err_sys(err, errnum, "%s: another txgate holds its lock", folder);
        }
        nanosleep(&(struct timespec){.tv_nsec = PAUSE * 1000000L}, NULL);
    }
    return fd;
}

int txg_state_file_replace(const char *dir, const struct txg_buf *text, struct txg_err *err)
{
    TXG_AUTOFREE char *path = txg_xasprintf("%s/" NAME, dir);
    TXG_AUTOFREE char *beside = txg_xasprintf("%s.new", path);
    unlink(beside); /* of a run that was killed here: we have the lock */
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return txg_err_sys(err, errno, "%s", beside);
    int rc = write_whole(fd, txg_buf_data(text), txg_buf_len(text));
    if (rc != 0)
        txg_err_sys(err, errno, "%s", beside);
    if (close(fd) != 0 && rc == 0)
        rc = txg_err_sys(err, errno, "%s", beside);
    if (rc == 0 && rename(beside, path) != 0)
        rc = txg_err_sys(err, errno, "%s", path);
    if (rc != 0)
        unlink(beside);
    return rc;
}
