#include "config.h"

#include "src/report/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/str.h"
#include "src/report/stash.h"

#define NAMES_TRIED 100

static void make_parents(const char *path)
{
    TXG_AUTOFREE char *dir = txg_xstrdup(path);
    /* A directory that can't be made shows when the file is opened, with its errno. */
    for (char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(dir, 0777);
        *slash = '/';
    }
}

static int open_beside(struct txg_target *target)
{
    for (int i = 0; i < NAMES_TRIED; i++) {
        free(target->beside);
        target->beside = txg_xasprintf("%s.%ld-%d.tmp", target->path, (long)getpid(), i);
        target->fd = open(target->beside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (target->fd >= 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    int errnum = errno;
    free(target->beside);
    target->beside = NULL;
    errno = errnum;
    return -1;
}

static int open_device(struct txg_target *target)
{
    /* Without O_NONBLOCK a FIFO that nobody reads would hold us here. */
    target->device_fd = open(target->path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (target->device_fd < 0)
        return -1;
    target->fd = txg_temp_file();
    return target->fd < 0 ? -1 : 0;
}

/* A link to nothing: what it names is made, so that realpath(3) finds it and the link stays. -1 and
 * errno: it can't be made; 0: `path` is no link. */
static int make_linked(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0 || !S_ISLNK(st.st_mode))
        return 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_NOCTTY | O_CLOEXEC, 0666);
    return fd < 0 || close(fd) != 0 ? -1 : 1;
}

int txg_target_open(struct txg_target *target, const char *path, struct txg_err *err)
{
    *target = (struct txg_target){.fd = -1, .device_fd = -1};
    if (path[0] == '\0')
        return txg_err_set(err, TXG_E_USAGE, "the path of a file is empty");
    struct stat st;
    bool exists = stat(path, &st) == 0;
    if (exists && S_ISDIR(st.st_mode))
        return txg_err_set(err, TXG_E_USAGE, "%s: is a directory, not a file", path);
    if (!exists)
        make_parents(path);
    bool device = exists && !S_ISREG(st.st_mode);
    if (!exists) {
        int made = make_linked(path);
        if (made < 0)
            return txg_err_sys(err, errno, "%s", path);
        exists = made > 0;
    }
    target->path = exists && !device ? realpath(path, NULL) : NULL;
    if (!target->path)
        target->path = txg_xstrdup(path);
    if ((device ? open_device(target) : open_beside(target)) == 0)
        return 0;
    int errnum = errno;
    txg_target_release(target);
    return txg_err_sys(err, errnum, "%s", path);
}

static int copy_to_device(struct txg_target *target)
{
    int flags = fcntl(target->device_fd, F_GETFL);
    if (flags < 0 || fcntl(target->device_fd, F_SETFL, flags & ~O_NONBLOCK) != 0)
        return -1;
    char data[16384];
    for (off_t at = 0;;) {
        ssize_t n = pread(target->fd, data, sizeof data, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -1 : 0;
        if (txg_write_all(target->device_fd, data, (size_t)n) != 0)
            return -1;
        at += n;
    }
}

int txg_target_commit(struct txg_target *target, struct txg_err *err)
{
    if (target->device_fd >= 0) {
        if (copy_to_device(target) != 0)
            return txg_err_sys(err, errno, "%s", target->path);
        return 0;
    }
    /* close reports what some file systems (NFS) only notice then. */
    int fd = target->fd;
    target->fd = -1;
    if (close(fd) != 0 || rename(target->beside, target->path) != 0)
        return txg_err_sys(err, errno, "%s", target->path);
    free(target->beside);
    target->beside = NULL;
    return 0;
}

void txg_target_release(struct txg_target *target)
{
    if (target->fd >= 0)
        close(target->fd);
    if (target->device_fd >= 0)
        close(target->device_fd);
    if (target->beside)
        unlink(target->beside);
    free(target->beside);
    free(target->path);
    *target = (struct txg_target){.fd = -1, .device_fd = -1};
}
